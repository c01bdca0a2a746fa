"""The money of a period, usually a day: its four classes, the factors of the same-day part, the headline numbers."""

from collections.abc import Collection, Mapping, Sequence
from datetime import date
from decimal import Decimal

import reports
from funnelscope.messages.message_types import Number, Unit
from funnelscope.reporting.published_days import Published

# The factors of the same-day money and their formats. Each is a count over the previous one.
FACTORS = {
    "sessions": Unit.COUNT,
    "landing_rate": Unit.RATE,
    "decision_rate": Unit.RATE,
    "orders_per_paying_session": Unit.RATIO,
    "amount_per_order": Unit.MONEY,
}
_COUNTS = "human_sessions, qualified_sessions, paying_sessions, same_day_orders, same_day_amount"


def read_money(published: Published) -> reports.MoneySplit | None:
    """The paid amount by class with its factors; None if the shop delivers no orders or no amounts."""
    records = published.rows(
        "select business_date, money_class, sum(amount), sum(payments)::BIGINT from marts.daily_money "
        "where business_date between $from_date and $to_date group by all"
    )
    if not has_amounts(published):
        return None
    amounts: dict[str, dict[date, tuple[Decimal | None, int]]] = {}
    for day, money_class, amount, payments in records:
        amounts.setdefault(money_class, {})[day] = (amount, payments)
    unknown = [] if has_sessions(published) else ["same_day", "carried_over"]
    if "presale_balance" not in amounts and not published.has_delivered(
        "event_type in ('deposit_paid', 'balance_paid')"
    ):
        unknown.append("presale_balance")
    known_days = _list_days_with_money(published)
    return reports.MoneySplit(
        **{
            part: _build_money_part(published, amounts.get(part, {}), known_days)
            if part not in unknown
            else reports.MoneyPart(None)
            for part in ("same_day", "carried_over", "presale_balance", "no_session", "excluded")
        },
        factors=read_factors(published),
    )


def has_amounts(published: Published) -> bool:
    """Whether the paid amount is known on any day, which requires payments that say how much."""
    return _is_any_known(published, "paid_amount")


def has_sessions(published: Published) -> bool:
    """Whether the number of sessions is known on any day."""
    return _is_any_known(published, "human_sessions")


def _is_any_known(published: Published, column: str) -> bool:
    rows = published.rows(f"select count({column}) from marts.daily_summary where list_contains($dates, business_date)")
    return bool(rows[0][0])


def _list_days_with_money(published: Published) -> set[date]:
    """The days on which it is known what was paid. On others a class without a row is unknown, not zero."""
    rows = published.rows(
        "select business_date from marts.daily_summary "
        "where paid_amount is not null and business_date between $from_date and $to_date"
    )
    return {day for (day,) in rows}


def _build_money_part(
    published: Published, days: Mapping[date, tuple[Decimal | None, int]], known_days: Collection[date]
) -> reports.MoneyPart:
    amounts = published.summed({day: amount for day, (amount, _) in days.items() if amount is not None})
    unpriced = published.by_period({day: count for day, (amount, count) in days.items() if amount is None})
    nothing = None if published.business_date in unpriced else Decimal("0.00")
    payments = published.summed({day: count for day, (_, count) in days.items()})
    daily = {day: days[day][0] if day in days else Decimal(0) for day in published.yardstick.days if day in known_days}
    return reports.MoneyPart(
        amounts.get(published.business_date, nothing),
        payments.get(published.business_date, 0),
        published.yardstick.sum_usual({day: amount for day, amount in daily.items() if amount is not None}),
    )


def read_factors(published: Published) -> tuple[reports.Figure, ...]:
    """The five factors of the same-day money. Their product is its amount."""
    daily = _read_counts(published)
    known = [daily[day] for day in published.dates if day in daily]
    today = [None if None in column else sum(column) for column in zip(*known, strict=True)]
    if not today or today[0] is None:
        return ()
    return tuple(
        reports.Figure(
            key=key,
            unit=unit,
            value=_compute_factor(today, position),
            numerator=today[position] if position else None,
            denominator=today[position - 1] if position else None,
            baseline=_compute_usual_factor(published, daily, position),
        )
        for position, (key, unit) in enumerate(FACTORS.items())
    )


def _compute_usual_factor(
    published: Published, daily: Mapping[date, Sequence[Number | None]], position: int
) -> Number | None:
    """Usual count over usual count, from the days that have both: these factors multiply to the usual amount."""
    before = max(position - 1, 0)
    known = {day: counts for day, counts in daily.items() if None not in (counts[before], counts[position])}
    usual = [
        published.yardstick.sum_usual({day: counts[place] or 0 for day, counts in known.items()})
        for place in range(position + 1)
    ]
    return _compute_factor(usual, position)


def _read_counts(published: Published) -> dict[date, Sequence[Number | None]]:
    return {
        day: counts
        for day, *counts in published.rows(
            f"select business_date, {_COUNTS} from marts.daily_summary "
            "where business_date between $from_date and $to_date"
        )
    }


def _compute_factor(counts: Sequence[Number | None], position: int) -> Number | None:
    if position == 0:
        return counts[0]
    count, before = counts[position], counts[position - 1]
    return float(count) / float(before) if count is not None and before else None
