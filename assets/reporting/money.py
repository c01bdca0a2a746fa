"""The money of a day: its four classes, the factors of the same-day part, and the headline numbers."""

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from statistics import fmean
from typing import Any

import reports
from assets.reporting.day import Day

# The factors of the same-day money, and how each is written; each is a count over the one before it.
FACTORS = {
    "sessions": reports.Unit.COUNT,
    "landing_rate": reports.Unit.RATE,
    "decision_rate": reports.Unit.RATE,
    "orders_per_paying_session": reports.Unit.RATIO,
    "amount_per_order": reports.Unit.MONEY,
}
_COUNTS = "human_sessions, qualified_sessions, paying_sessions, same_day_orders, same_day_amount"


def money(published: Day) -> reports.MoneySplit | None:
    records = published.rows(
        "select business_date, money_class, sum(amount), sum(payments)::BIGINT from marts.daily_money "
        "where business_date between $from_date and $to_date group by all"
    )
    if not has_orders(published):
        return None
    amounts: dict[str, dict[date, tuple[Decimal, int]]] = {}
    for day, money_class, amount, payments in records:
        amounts.setdefault(money_class, {})[day] = (amount, payments)
    unknown = () if has_sessions(published) else ("same_day", "carried_over")
    return reports.MoneySplit(
        **{
            part: _money_part(published, amounts.get(part, {})) if part not in unknown else reports.MoneyPart(None)
            for part in ("same_day", "carried_over", "presale_balance", "no_session", "excluded")
        },
        factors=factors(published),
    )


def has_orders(published: Day) -> bool:
    rows = published.rows("select paid_amount from marts.daily_summary where business_date = $to_date")
    return bool(rows) and rows[0][0] is not None


def has_sessions(published: Day) -> bool:
    rows = published.rows("select human_sessions from marts.daily_summary where business_date = $to_date")
    return bool(rows) and rows[0][0] is not None


def _money_part(published: Day, days: Mapping[date, tuple[Decimal, int]]) -> reports.MoneyPart:
    amount, payments = days.get(published.business_date, (Decimal("0.00"), 0))
    usual = [float(days.get(day, (0, 0))[0]) for day in published.baseline_days]
    return reports.MoneyPart(amount, payments, fmean(usual) if usual else None)


def factors(published: Day) -> tuple[reports.Figure, ...]:
    """The five factors of the same-day money; their product is its amount."""
    days = {
        day: counts
        for day, *counts in published.rows(
            f"select business_date, {_COUNTS} from marts.daily_summary "
            "where business_date between $from_date and $to_date"
        )
    }
    today = days.get(published.business_date)
    if today is None or today[0] is None:
        return ()
    figures = []
    for position, (key, unit) in enumerate(FACTORS.items()):
        usual = [_factor(days[day], position) for day in published.baseline_days if day in days]
        known = [float(value) for value in usual if value is not None]
        figures.append(
            reports.Figure(
                key=key,
                unit=unit,
                value=_factor(today, position),
                numerator=today[position] if position else None,
                denominator=today[position - 1] if position else None,
                baseline=fmean(known) if known else None,
            )
        )
    return tuple(figures)


def _factor(counts: Sequence[Any], position: int) -> Any:
    if position == 0:
        return counts[0]
    if counts[position] is None or not counts[position - 1]:
        return None
    return float(counts[position]) / float(counts[position - 1])


def factor_values(published: Day, days: Sequence[date]) -> list[float] | None:
    """The factors of the mean of the days: their product is its same-day amount. None where a day's is unknown."""
    means = ", ".join(f"avg({count})::DOUBLE" for count in _COUNTS.split(", "))
    counts = published.rows(
        f"select {means} from marts.daily_summary where list_contains($days, business_date)", days=list(days)
    )[0]
    values = [_factor(counts, position) for position in range(len(FACTORS))]
    return None if None in values else [float(value) for value in values]
