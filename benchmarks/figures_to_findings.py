"""The diagnosis of platforms' figures against shops with planted breaks, for `make bench-figures`.

Every shop of the family differs in size, rhythm, noise and trend, and half have a sale. Clean shops count false alarms.
Others have one break of three days, of a shop, product, source, agent or room, whose depth is drawn so that one day
shows it more or less clearly: z is the loss over the standard deviation that the diagnosis states of that series.
"""

import argparse
import time
from collections import Counter
from dataclasses import dataclass, replace
from datetime import timedelta

import numpy as np
import pandas as pd
from figure_warehouse import fill_figure_shop, open_figure_shop

from funnelscope.diagnosis.comparable_days import list_regular_days
from funnelscope.diagnosis.diagnosis_tables import replace_day
from funnelscope.diagnosis.figure_diagnosis import FIGURE_CUBE, FigureDiagnosis, diagnose_figures
from funnelscope.diagnosis.figure_series import FEWEST_DAYS, judge_series
from funnelscope.diagnosis.follow_up import read_open_findings
from funnelscope.settings import Settings
from funnelscope.simulator.figure_shops import FIRST_DATE, PLATFORM, Break, FigureShop, draw_shop
from funnelscope.warehouse.connection import Warehouse

LEVELS = {
    "shop": ("cart_users", "order_buyers", "paying_buyers", "visitors"),
    "product": ("cart_users", "order_buyers", "paying_buyers"),
    "source": ("cart_users", "order_buyers", "paying_buyers", "visitors"),
    "agent": ("inquirers_paid",),
    "room": ("viewers", "product_click_users", "paying_buyers"),
}
BREAK_DAYS = 3
Z_BINS = ((3, 4), (4, 5), (5, 6), (6, 8), (8, np.inf))


def diagnose(warehouse: Warehouse, settings: Settings, number: int) -> FigureDiagnosis:
    """The diagnosis of a day, which is also stored."""
    day = FIRST_DATE + timedelta(days=number)
    known = [each for each in read_open_findings(warehouse, day) if each.latest.cube == FIGURE_CUBE]
    found = diagnose_figures(warehouse, settings, day, known)
    replace_day(warehouse, day, [*found.findings, *found.records])
    return found


def run_clean(warehouse: Warehouse, seed: int, days: int) -> tuple[int, int, list[str]]:
    """(days judged, days with an alarm, alarms) of a shop without a break."""
    shop = draw_shop(seed, days)
    settings = fill_figure_shop(warehouse, shop)
    judged, alarms, told = 0, 0, []
    known: set[str] = set()
    for number in range(14, days):
        found = diagnose(warehouse, settings, number)
        judged += bool(found.days)
        new = [each for each in found.findings if each.finding_id not in known]
        known |= {each.finding_id for each in found.findings}
        alarms += bool(new)
        told += [f"{seed}/{number} {dict(each.slice)} {each.step} {each.effect:+.0%} z {each.z:.1f}" for each in new]
    return judged, alarms, told


@dataclass(frozen=True)
class Outcome:
    """What became of one break."""

    seed: int
    level: str
    step: str
    z: float
    delay: int | None
    is_named: bool
    others: int
    is_since_right: bool | None
    is_covered: bool | None
    is_id_kept: bool | None
    is_recovered: bool | None
    told: str


def run_break(warehouse: Warehouse, seed: int) -> Outcome | None:
    """A break of a shop of the family; None where its series is too small to be judged."""
    random = np.random.default_rng([seed, 99])
    first = int(random.integers(16, 75))
    shop = draw_shop(seed, first + BREAK_DAYS + 2)
    if any(sale - 1 <= each <= sale + 3 for sale in shop.sales for each in range(first, first + BREAK_DAYS + 2)):
        shop = FigureShop(**{**vars(shop), "sales": ()})
    level = str(random.choice(list(LEVELS)))
    if level == "room" and not shop.rooms:
        level = "shop"
    step = str(random.choice(LEVELS[level]))
    places = {"shop": 1, "product": min(10, shop.products), "source": 4, "agent": shop.agents, "room": shop.rooms}
    place = int(random.integers(0, places[level]))
    wanted = float(random.uniform(3, 12))
    settings = fill_figure_shop(warehouse, shop)
    day = FIRST_DATE + timedelta(days=first)
    regular = list_regular_days(warehouse, settings, day)
    series = [
        each
        for each in judge_series(warehouse, day, regular, pd.DataFrame())
        if (each.level, each.object, each.passed_metric) == (level, shop.name_object(level, place), step)
    ]
    if not series or len(regular) < FEWEST_DAYS:
        return None
    loss = min(wanted * series[0].deviation, 0.9)
    if loss < 0.06:
        return None
    planted = Break(first, first + BREAK_DAYS - 1, level, step, loss, place)
    fill_figure_shop(warehouse, shop, (planted,))
    slice_ = {"level": level, "platform": PLATFORM}
    if level != "shop":
        slice_["object"] = shop.name_object(level, place)
    delay, since, covered, ids, others, told = None, None, None, set(), 0, []
    for number in range(max(first - 2, 14), first):
        diagnose(warehouse, settings, number)
    for number in range(first, first + BREAK_DAYS):
        found = diagnose(warehouse, settings, number).findings
        right = [each for each in found if dict(each.slice) == slice_ and each.step == step]
        others += len(found) - len(right)
        told += [f"{number - first}: {dict(each.slice)} {each.step}" for each in found if each not in right]
        if right:
            ids.add(right[0].finding_id)
            if delay is None:
                delay = number - first
                since = right[0].since_date == day
                covered = right[0].effect_low <= -loss <= right[0].effect_high
    after = diagnose(warehouse, settings, first + BREAK_DAYS)
    recovered = any(getattr(each, "status", "") == "recovered" for each in after.records) if ids else None
    return Outcome(
        seed,
        level,
        step,
        loss / series[0].deviation,
        delay,
        delay is not None,
        others,
        since,
        covered,
        len(ids) == 1 if ids else None,
        recovered,
        "; ".join(told),
    )


@dataclass(frozen=True)
class SaleOutcome:
    """Three days of a sale, clean and with a break of one product's step from its first day on.

    Attributes:
        days: of the clean sale that were judged.
        alarms: those of them with a finding that was not there the day before.
    """

    days: int
    alarms: int
    loss: float
    is_found: bool


def run_sale(warehouse: Warehouse, seed: int) -> SaleOutcome:
    """A shop of the family in its first sale, which begins on day 42."""
    shop = replace(draw_shop(seed, 48), sales=(42,))
    settings = fill_figure_shop(warehouse, shop)
    diagnose(warehouse, settings, 41)
    days, alarms, known = 0, 0, set[str]()
    for number in range(42, 45):
        found = diagnose(warehouse, settings, number)
        days += bool(found.days)
        alarms += not {each.finding_id for each in found.findings} <= known
        known |= {each.finding_id for each in found.findings}
    random = np.random.default_rng([seed, 55])
    loss, place = float(random.choice([0.3, 0.5, 0.8])), int(random.integers(0, 5))
    step = str(random.choice(LEVELS["product"]))
    settings = fill_figure_shop(warehouse, shop, (Break(42, 44, "product", step, loss, place),))
    named = {(each.slice.get("object"), each.step) for each in diagnose(warehouse, settings, 42).findings}
    return SaleOutcome(days, alarms, loss, (shop.name_object("product", place), step) in named)


def print_sales(outcomes: list[SaleOutcome]) -> None:
    """False alarms on days of sales, and how many breaks were found on their first day, by their depth."""
    days, alarms = (sum(getattr(each, name) for each in outcomes) for name in ("days", "alarms"))
    print(f"\nsales: {alarms} false alarms in {days} days")
    for loss in sorted({each.loss for each in outcomes}):
        found = [each.is_found for each in outcomes if each.loss == loss]
        print(f"losses of {loss:.0%}: {sum(found)} of {len(found)} found on the first day")


def print_breaks(outcomes: list[Outcome]) -> None:
    """Markdown: what was found, by z of a day and by level."""
    frame = pd.DataFrame([vars(each) for each in outcomes])
    print("| z of a day | breaks | first day | within 3 days | since right | interval covers | other findings |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: |")
    rows = [(f"{low}–{high}", frame[(frame.z >= low) & (frame.z < high)]) for low, high in Z_BINS]
    strong = frame[frame.z >= 6]
    rows += [(f"{level}, z ≥ 6", strong[strong.level == level]) for level in LEVELS]
    rows += [("**all with z ≥ 6**", strong)]
    for name, part in rows:
        if len(part):
            known = part[part.is_named]
            cells = (part.delay == 0).mean(), part.is_named.mean(), known.is_since_right.mean(), known.is_covered.mean()
            shown = " | ".join(f"{float(each):.0%}" for each in cells)
            print(f"| {name} | {len(part)} | {shown} | {part.others.sum()} |")
    known = frame[frame.is_named]
    print(f"\none id {known.is_id_kept.mean():.0%}, recovered the day after {known.is_recovered.mean():.0%}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--first-seed", type=int, default=1000)
    parser.add_argument("--clean", type=int, default=30, help="shops without a break")
    parser.add_argument("--days", type=int, default=70, help="of each of them")
    parser.add_argument("--breaks", type=int, default=200)
    parser.add_argument("--sales", type=int, default=100, help="shops in a sale")
    parser.add_argument("--verbose", action="store_true")
    options = parser.parse_args()
    warehouse, _ = open_figure_shop(FigureShop(0, days=1))
    begins = time.process_time()
    totals: Counter[str] = Counter()
    for seed in range(options.first_seed, options.first_seed + options.clean):
        judged, alarms, told = run_clean(warehouse, seed, options.days)
        totals["judged"] += judged
        totals["alarms"] += alarms
        print("\n".join(told), end="\n" if told else "", flush=True)
    if totals["judged"]:
        seconds = (time.process_time() - begins) / totals["judged"]
        print(f"clean: {totals['alarms']} false alarms in {totals['judged']} days, {seconds:.2f} s a day", flush=True)
    outcomes = []
    for seed in range(options.first_seed + 10_000, options.first_seed + 10_000 + options.breaks):
        outcome = run_break(warehouse, seed)
        if outcome:
            outcomes.append(outcome)
            if len(outcomes) % 20 == 0:
                print_breaks(outcomes)
            if options.verbose and ((outcome.z >= 6 and outcome.delay != 0) or outcome.others):
                print(outcome, flush=True)
    if outcomes:
        print_breaks(outcomes)
    first = options.first_seed + 20_000
    print_sales([run_sale(warehouse, seed) for seed in range(first, first + options.sales)])


if __name__ == "__main__":
    main()
