"""What is usual is one fact: every place of a report that tells a figure's usual value tells the same one."""

from math import prod
from pathlib import Path

import pytest
from diagnosis_world import World

from funnelscope.ingest import create_tables as create_ingest_tables
from funnelscope.messages.wording import load_words
from funnelscope.publication.publish import publish
from funnelscope.quality.gate import DayVerdict, Verdict
from funnelscope.reporting import read_report
from reports import Figure, Report
from reports.pages.money_page import build_money_chapter
from reports.pictures.bridge import write_bar_value

DAYS = 9
SAME_DAY = (  # sessions, qualified, paying sessions, orders, cents; days of unlike size, and of unlike rates
    *((1_000, 600, 60, 66, 661_000), (4_000, 1_200, 60, 60, 480_050), (900, 700, 91, 99, 1_100_000)),
    *((1_000, 500, 40, 40, 410_000), (1_500, 600, 45, 46, 400_000), (1_000, 640, 60, 66, 700_033)),
    *((2_000, 700, 50, 52, 500_000), (1_000, 600, 60, 66, 600_000), (1_200, 500, 40, 41, 420_000)),
)


def world_of(days_without_sessions: tuple[int, ...] = ()) -> World:
    """Nine days of nothing but what the money and two rates are made of."""
    world = World()
    create_ingest_tables(world.warehouse)
    for number, (sessions, qualified, paying, orders, cents) in enumerate(SAME_DAY, start=1):
        known = number not in days_without_sessions
        amount = cents / 100
        visit = {"sessions": sessions, "qualified": qualified, "paying": paying} if known else {}
        world.warehouse.execute(
            "insert into marts.daily_summary by name select $day as business_date, $sessions as human_sessions, "
            "$qualified as qualified_sessions, $paying as paying_sessions, $orders as same_day_orders, "
            "$amount as same_day_amount, $amount as paid_amount",
            day=world.day(number), orders=orders, amount=amount,
            **({"sessions": None, "qualified": None, "paying": None} | visit),
        )  # fmt: skip
        for money_class, part in (("same_day", amount), ("carried_over", 100 * number)):
            world.warehouse.execute(
                "insert into marts.daily_money by name select $day as business_date, $money_class as money_class, "
                "$part as amount, 1 as payments",
                day=world.day(number), money_class=money_class, part=part,
            )  # fmt: skip
        rates = (("landing_rate", qualified, sessions), ("decision_rate", paying, qualified)) if known else ()
        for metric, part, whole in rates:
            world.warehouse.execute(
                "insert into marts.daily_metrics by name select $day as business_date, $metric as metric, "
                "$part as numerator, $whole as denominator, $part / $whole as value",
                day=world.day(number), metric=metric, part=part, whole=whole,
            )  # fmt: skip
        for step, reached in enumerate((sessions, qualified) if known else ()):
            world.warehouse.execute(
                "insert into marts.funnel_steps by name select $day as business_date, 'landing' as stage, "
                "$step as step_number, $name as step, $reached as reached",
                day=world.day(number), step=step, name=("arrival", "qualified_product_view")[step], reached=reached,
            )  # fmt: skip
        world.warehouse.execute("insert into quality.day_verdict values ($day, 'pass', '[]')", day=world.day(number))
    return world


def report_of(world: World, folder: Path) -> Report:
    verdicts = [DayVerdict(world.day(number), Verdict.PASS, ()) for number in range(1, DAYS + 1)]
    settings = world.settings.model_copy(update={"home": folder})
    publish(world.warehouse, settings.published, verdicts, 3)
    return read_report(settings, world.day(DAYS), "en")


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Report:
    return report_of(world_of(), tmp_path_factory.mktemp("usual"))


def factors_of(report: Report) -> dict[str, Figure]:
    assert report.money is not None
    return {figure.key: figure for figure in report.money.factors}


def test_bridge_table_stage_and_step_tell_the_same_usual_rate(report: Report) -> None:
    assert report.bridge is not None
    landing = next(stage for stage in report.stages if stage.key == "landing")
    assert landing.rate is not None
    bar = next(bar for bar in report.bridge.bars if bar.key == "landing_rate")
    earlier = SAME_DAY[:-1]
    usual = sum(day[1] for day in earlier) / sum(day[0] for day in earlier)
    mean_of_days = sum(day[1] / day[0] for day in earlier) / len(earlier)
    assert abs(usual - mean_of_days) > 0.01, "or the two could not be told apart"
    told = (
        bar.usual,
        factors_of(report)["landing_rate"].baseline,
        landing.rate.baseline,
        landing.steps[1].baseline_rate,
    )
    assert told == pytest.approx((usual,) * 4, rel=1e-12)


def test_the_usual_factors_multiply_to_the_usual_amount(report: Report) -> None:
    assert report.money is not None
    usual = prod(float(figure.baseline or 0) for figure in report.money.factors)
    assert usual == pytest.approx(float(report.money.same_day.baseline or 0), rel=1e-9)
    assert usual == pytest.approx(sum(day[-1] for day in SAME_DAY[:-1]) / 100 / (DAYS - 1), rel=1e-9)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_bridge_and_the_folded_table_of_factors_tell_the_same_numbers(report: Report, language: str) -> None:
    words = load_words(language)
    chapter = build_money_chapter(report, words)
    assert chapter is not None
    assert report.bridge is not None
    rows = chapter["sections"][-1]["behind"]["table"]["rows"]
    bars = report.bridge.bars[: len(rows)]
    in_the_table = [(usual, today) for _, _, today, usual, _ in rows]
    assert in_the_table == [
        (write_bar_value(bar.usual, bar, words), write_bar_value(bar.today, bar, words)) for bar in bars
    ]


def test_a_day_without_sessions_among_the_earlier_ones_leaves_one_bar(tmp_path: Path) -> None:
    """Factors of eight days do not make the mean amount of nine."""
    report = report_of(world_of(days_without_sessions=(3,)), tmp_path)
    assert report.bridge is not None
    assert [bar.key for bar in report.bridge.bars] == ["same_day", "carried_over", "no_session"], (
        "nothing was sold in advance"
    )
    assert sum(bar.change for bar in report.bridge.bars) == report.bridge.today - report.bridge.usual
    landing = next(stage for stage in report.stages if stage.key == "landing")
    assert landing.rate is not None
    assert factors_of(report)["landing_rate"].baseline == pytest.approx(landing.rate.baseline)


def test_a_day_on_which_nothing_is_known_is_no_day_without_money(tmp_path: Path) -> None:
    """Its classes have no row either; the first page's bridge took it for zero while its tile left it out."""
    world = world_of()
    for table in ("daily_money", "daily_summary"):
        world.warehouse.execute(f"delete from marts.{table} where business_date = $day", day=world.day(4))
    report = report_of(world, tmp_path)
    assert report.money is not None
    known = [100 * number for number in range(1, DAYS) if number != 4]
    assert report.money.carried_over.baseline == pytest.approx(sum(known) / len(known))


def test_amounts_and_counts_have_the_mean_of_the_days(report: Report) -> None:
    assert report.money is not None
    assert report.money.carried_over.baseline == pytest.approx(sum(100 * n for n in range(1, DAYS)) / (DAYS - 1))
    sessions = factors_of(report)["sessions"]
    assert sessions.baseline == pytest.approx(sum(day[0] for day in SAME_DAY[:-1]) / (DAYS - 1))


@pytest.mark.parametrize("is_late", [False, True])
def test_refunds_that_are_not_yet_there_are_compared_with_nothing(is_late: bool, tmp_path: Path) -> None:
    world = world_of()
    for number in range(1, DAYS + 1):
        amount, told = (100, 8) if number < DAYS else (20, 0)
        world.warehouse.execute(
            "insert into marts.daily_metrics by name select $day as business_date, 'refund_amount' as metric, "
            "$amount as numerator, $amount as value",
            day=world.day(number),
            amount=amount,
        )
        world.warehouse.execute(
            "insert into marts.refund_arrivals by name select $day as business_date, unnest([1, $lag]) as lag_days, "
            "1 as first_lag_days, unnest([2, $told]) as refunds",
            day=world.day(number),
            lag=3 if is_late else 1,
            told=told,
        )
    world.warehouse.execute("delete from marts.refund_arrivals where refunds = 0")
    found = report_of(world, tmp_path)
    (figure,) = (each for stage in found.stages for each in stage.indicators if each.key == "refund_amount")
    words = load_words("en")
    if is_late:
        assert (figure.baseline, figure.arrived, words.counts(figure)) == (None, 0.2, "usually 20% known by now")
    else:
        assert (figure.baseline, figure.arrived, words.counts(figure)) == (100, None, "")
