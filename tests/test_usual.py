"""One yardstick: unbiased for each weekday, nine healthy days in ten within the range, few marks on healthy pages."""

from collections.abc import Iterator
from datetime import date, timedelta
from statistics import fmean

import numpy as np
import pytest

from funnelscope.messages.message_types import Unit
from funnelscope.reporting.marks import mark_stage
from funnelscope.reporting.usual import Chance, Counts, Usual, Yardstick
from reports import Figure, Mark, Stage, StageStep

FIRST = date(2026, 3, 2)  # a Monday
RHYTHM = (0.8, 0.85, 0.9, 1.0, 1.2, 1.7, 1.5)
SHOPS = 60


def days_of(count: int, first: int = 0) -> tuple[date, ...]:
    return tuple(FIRST + timedelta(days=number) for number in range(first, first + count))


def draw_shop(random: np.random.Generator, days: tuple[date, ...]) -> dict[str, dict[date, Counts]]:
    """Counts, amounts and shares of a healthy shop with a strong weekday rhythm and 5 % of noise beyond chance."""
    shop: dict[str, dict[date, Counts]] = {name: {} for name in ("visits", "rare", "amount", "share", "thin_share")}
    for day in days:
        visits = random.poisson(900 * RHYTHM[day.weekday()] * random.normal(1, 0.05))
        buyers = random.binomial(visits, np.clip(0.06 * random.normal(1, 0.08), 0, 1))
        asked = random.poisson(12)
        shop["visits"][day] = (float(visits), None)
        shop["rare"][day] = (float(random.poisson(1.5)), None)
        shop["amount"][day] = (float(random.gamma(2, 40, buyers).sum()), None)
        shop["share"][day] = (float(buyers), float(visits))
        shop["thin_share"][day] = (float(random.binomial(asked, 0.3)), float(asked))
    return shop


CHANCES = {"visits": Chance.COUNT, "rare": Chance.COUNT, "share": Chance.SHARE, "thin_share": Chance.SHARE}


def measure(seed: int, count: int) -> Iterator[tuple[str, date, Counts, Usual]]:
    """Every figure of a day, or of so many days, after four weeks."""
    random = np.random.default_rng(seed)
    for _ in range(SHOPS):
        first = int(random.integers(0, 7))
        days, dates = days_of(28, first), days_of(count, first + 28)
        shop = draw_shop(random, (*days, *dates))
        for name, values in shop.items():
            parts = [values[day] for day in dates]
            whole = None if parts[0][1] is None else sum(part[1] or 0.0 for part in parts)
            today = (sum(part[0] for part in parts), whole)
            usual = Yardstick(days, dates).fit(values, CHANCES.get(name, Chance.NONE)).estimate(dates, today)
            assert usual is not None
            yield name, dates[0], today, usual


def value_of(counts: Counts) -> float:
    return counts[0] / counts[1] if counts[1] else counts[0]


@pytest.mark.parametrize(("count", "least"), [(1, 0.08), (7, 0.07)])
def test_one_healthy_figure_in_ten_is_outside_its_range(count: int, least: float) -> None:
    """A week's range is a little too wide: noise that passes from day to day is allowed for."""
    outside, every = 0, 0
    for seed in range(8):
        for _, _, today, usual in measure(seed, count):
            if today[1] == 0:
                continue
            assert usual.low is not None
            assert usual.high is not None
            assert usual.low <= usual.value <= usual.high
            outside += not usual.low <= value_of(today) <= usual.high
            every += 1
    assert every >= 2_000
    assert least <= outside / every <= 0.12


def test_each_weekday_is_held_against_its_own_kind() -> None:
    ratios: dict[int, list[float]] = {}
    for seed in range(40):
        for name, day, today, usual in measure(seed, 1):
            if name == "visits":
                ratios.setdefault(day.weekday(), []).append(today[0] / usual.value - 1)
    biases = {weekday: fmean(values) for weekday, values in ratios.items()}
    assert max(map(abs, biases.values())) < 0.01


def test_one_healthy_page_in_ten_carries_a_mark() -> None:
    pages: dict[int, list[Figure]] = {}
    for seed in range(8):
        for number, (name, _, _, usual) in enumerate(measure(100 + seed, 1)):
            figure = Figure(name, Unit.COUNT, 1, baseline=0, surprise=usual.surprise)
            pages.setdefault(seed * 1_000 + number // 20, []).append(figure)  # four shops' figures make a page
    marked = [any(each.mark for each in mark_stage(Stage("landing", indicators=tuple(page))).indicators)
              for page in pages.values()]  # fmt: skip
    assert len(marked) == 120
    assert sum(marked) <= 0.1 * len(marked) + 2 * (0.1 * 0.9 * len(marked)) ** 0.5


def test_the_more_figures_a_page_has_the_more_surprising_a_marked_one_must_be() -> None:
    loud = Figure("cost", Unit.MONEY, 9.0, baseline=5.0, surprise=0.004)
    calm = [Figure("visitors", Unit.COUNT, 5, baseline=5.0, surprise=0.5)] * 30
    drop = StageStep("arrival", 50, 0.2, 80.0, 0.4, surprise=0.0001)
    few, many = (mark_stage(Stage("traffic", indicators=(loud, *others), steps=(drop,))) for others in (calm[:3], calm))
    assert (few.indicators[0].mark, many.indicators[0].mark) == (Mark.ABOVE, None)
    assert many.steps[0].mark is Mark.BELOW
    unjudged = Stage("traffic", indicators=(Figure("cost", Unit.MONEY, 9.0, baseline=5.0, usual_high=6.0),))
    assert mark_stage(unjudged).indicators[0].mark is None


def test_parts_add_up_and_a_rate_is_its_counts() -> None:
    days, dates = days_of(28), days_of(3, 28)
    counts = {day: (10.0 * number + day.weekday(), None) for number, day in enumerate(days)}
    others = {day: (3.0 * number, None) for number, day in enumerate(days)}
    rates = {day: (others[day][0], counts[day][0]) for day in days}
    yardstick = Yardstick(days, dates)
    first, second, both, rate = (
        yardstick.fit(values).estimate(dates)
        for values in (counts, others, {day: (counts[day][0] + others[day][0], None) for day in days}, rates)
    )
    assert first
    assert second
    assert both
    assert rate
    assert first.value == pytest.approx(sum(fmean(counts[days[n + 7 * w]][0] for w in range(4)) for n in range(3)))
    assert both.value == pytest.approx(first.value + second.value)
    assert rate.value == pytest.approx(second.value / first.value)


def test_what_has_never_happened_is_not_surprising_once_but_often() -> None:
    days, dates = days_of(28), days_of(1, 28)
    figure = Yardstick(days, dates).fit(dict.fromkeys(days, (0.0, None)), Chance.COUNT)
    once, often = (figure.estimate(dates, (count, None)) for count in (1.0, 20.0))
    assert once
    assert often
    assert once.value == 0
    assert once.low == 0
    assert once.surprise is not None
    assert once.surprise > 0.05
    assert often.surprise is not None
    assert often.surprise < 1e-6


def test_three_conversations_are_no_trend() -> None:
    days, dates = days_of(28), days_of(1, 28)
    values = {day: (10.0 + number % 3, 200.0) for number, day in enumerate(days)}
    figure = Yardstick(days, dates).fit(values, Chance.SHARE)
    thin, thick = figure.estimate(dates, (1.0, 3.0)), figure.estimate(dates, (100.0, 300.0))
    assert thin
    assert thick
    assert thin.surprise is not None
    assert thick.surprise is not None
    assert thin.surprise > 0.01 > thick.surprise


@pytest.mark.parametrize(("count", "has_range"), [(5, False), (13, False), (14, True), (28, True)])
def test_a_range_needs_two_weeks(count: int, has_range: bool) -> None:
    days, dates = days_of(count), days_of(1, count)
    usual = Yardstick(days, dates).fit({day: (100.0 + day.weekday(), None) for day in days}).estimate(dates)
    assert usual is not None
    assert (usual.low is not None) is has_range
    of_weekday = 100 + dates[0].weekday()
    assert usual.value == pytest.approx(of_weekday if has_range else fmean(100 + day.weekday() for day in days))


def test_without_comparable_days_nothing_is_usual() -> None:
    dates = days_of(1)
    assert Yardstick((), dates).fit({}).estimate(dates) is None
    assert Yardstick((), dates).sum_usual({dates[0]: 3}) is None


def test_an_amount_below_zero_has_a_range_too() -> None:
    days, dates = days_of(28), days_of(1, 28)
    values = {day: (-5.0 + number % 4, None) for number, day in enumerate(days)}
    usual = Yardstick(days, dates).fit(values).estimate(dates)
    assert usual
    assert usual.low is not None
    assert usual.high is not None
    assert usual.low < usual.value < usual.high
    assert usual.low < -3
