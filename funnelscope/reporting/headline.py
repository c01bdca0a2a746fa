"""The first page's numbers with target, month and comparable promotion, and the steps from the baseline amount."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from math import isclose, prod

import reports
from funnelscope.events.metrics import METRICS, SeveralDays
from funnelscope.messages.message_types import Number, Unit
from funnelscope.reporting.periods import Period
from funnelscope.reporting.published_days import Published, convert_to_date, pool

CENT = Decimal("0.01")
FINAL_REFUND_AGE = "30d"
MAIN_FIGURES = ("paid_amount", "orders", "visitors")
"""Of these the first that the shop delivers is drawn day by day."""


def read_headlines(published: Published) -> tuple[reports.Headline, ...]:
    """Paid amount, expected net amount, visitors, visitor pay rate, amount per buyer, and spend with its return."""
    return (
        _build_headline(published, "paid_amount"),
        reports.Headline(_estimate_net_amount(published)),
        _build_headline(published, "visitors"),
        _build_headline(published, "visitor_pay_rate"),
        _build_headline(published, "amount_per_buyer"),
        _build_headline(published, "cost", second=published.figure("return_on_ad_spend")),
    )


def read_daily_figure(published: Published) -> reports.Figure | None:
    """The main figure on each day of a week or month, with what is usual for the day; None where nothing is known."""
    if published.is_day:
        return None
    for key in MAIN_FIGURES:
        values = published.list_daily_values(key)
        if all(value is None for value in values.values()):
            continue
        fitted = published.fit_days(key)
        points = []
        for day, value in values.items():
            point = reports.DayPoint(day, value, published.promotion(day, day))
            usual = fitted.estimate([day])
            points.append(
                replace(point, usual=usual.value, usual_low=usual.low, usual_high=usual.high) if usual else point
            )
        return reports.Figure(key, Unit(METRICS[key].unit.value), None, trend=tuple(points))
    return None


def _build_headline(published: Published, key: str, second: reports.Figure | None = None) -> reports.Headline:
    figure = published.figure(key)
    target = published.settings.targets.get(key)
    same_phase_day = _find_same_phase_day(published)
    # Of years of which only orders are known, all else is counted as nothing.
    same_phase = (_read_value_on(published, key, same_phase_day) or None) if same_phase_day else None
    is_sum = METRICS[key].several_days is SeveralDays.SUM
    if not published.is_day:
        return reports.Headline(
            figure,
            second=second,
            target=target * len(published.dates) if target is not None and is_sum else target,
            before=_read_value_before(published, key, published.period.before()),
            year_before=_read_value_before(published, key, published.period.year_before),
        )
    return reports.Headline(
        figure,
        second=second,
        target=target,
        month_to_date=_compute_month_to_date(published, key) if figure.value is not None else None,
        month_target=target * published.business_date.day if target is not None and is_sum else target,
        same_phase=same_phase,
        same_phase_day=same_phase_day if same_phase is not None else None,
        before=_read_usable_value(published, key, published.business_date - timedelta(days=1)),
        earlier=_read_usable_value(published, key, published.business_date - timedelta(days=7)),
    )


def _read_value_before(published: Published, key: str, period: Period) -> Number | None:
    """The metric over those days of an earlier period that match this one's; None if one of them has no numbers."""
    days = published.comparable_days(period)
    if not days:
        return None
    records = [
        {"numerator": numerator, "denominator": denominator, "value": value}
        for numerator, denominator, value in published.rows(
            "select numerator, denominator, value from marts.daily_metrics "
            "where metric = $key and list_contains($days, business_date)",
            key=key,
            days=days,
        )
    ]
    pooled = pool(METRICS[key], records)
    return pooled["value"] if pooled else None


def _compute_month_to_date(published: Published, key: str) -> Number | None:
    """The metric over the published days of the month: a sum, or sum of numerators over sum of denominators."""
    metric = METRICS[key]
    rows = published.rows(
        "select sum(numerator), sum(denominator) from marts.daily_metrics "
        "where metric = $key and business_date between $month and $to_date",
        key=key,
        month=published.business_date.replace(day=1),
    )
    numerator, denominator = rows[0]
    if numerator is None:
        return None
    if metric.several_days is SeveralDays.SUM:
        return Decimal(numerator).quantize(CENT) if metric.unit == Unit.MONEY else int(numerator)
    return float(numerator) / float(denominator) if denominator else None


def _find_same_phase_day(published: Published) -> date | None:
    """The same day of the same phase of the last earlier promotion, as determined by the shop's calendar.

    One of the same name is preferred; else the last one with that phase.
    """
    day = published.business_date
    calendar = published.settings.calendar
    now = next(
        (entry for entry in calendar if convert_to_date(entry.starts) <= day <= convert_to_date(entry.ends)), None
    )
    if now is None:
        return None
    index = day - convert_to_date(now.starts)
    before = [
        (entry.name == now.name, convert_to_date(entry.starts) + index)
        for entry in calendar
        if entry.phase == now.phase
        and convert_to_date(entry.ends) < convert_to_date(now.starts)
        and convert_to_date(entry.starts) + index <= convert_to_date(entry.ends)
    ]
    return max(before, default=(False, None))[1]


def _read_usable_value(published: Published, key: str, day: date) -> Number | None:
    """The metric on a day that may be compared with; None on any other."""
    return _read_value_on(published, key, day) if published.is_usable(day) else None


def _read_value_on(published: Published, key: str, day: date) -> Number | None:
    rows = published.rows(
        "select value from marts.daily_metrics where metric = $key and business_date = $day", key=key, day=day
    )
    return rows[0][0] if rows else None


def _estimate_net_amount(published: Published) -> reports.Figure:
    """Paid amount less expected refunds within 30 days, at the refund rate of days that are that old."""
    paid = published.figure("paid_amount")
    rows = published.rows(
        "select sum(refunded_amount) / sum(paid_amount) from marts.refund_rates "
        "where is_mature and within = $age and paid_date between $mature_from and $to_date",
        age=FINAL_REFUND_AGE,
        mature_from=published.business_date - timedelta(days=89),
    )
    rate = rows[0][0] if rows else None
    if paid.value is None or rate is None:
        return reports.Figure("expected_net_amount", Unit.MONEY, None)
    kept = 1 - float(rate)
    return reports.Figure(
        "expected_net_amount",
        Unit.MONEY,
        (Decimal(paid.value) * Decimal(kept)).quantize(CENT),
        baseline=float(paid.baseline) * kept if paid.baseline is not None else None,
        trend=tuple(
            reports.DayPoint(point.day, None if point.value is None else float(point.value) * kept, point.promotion)
            for point in paid.trend
        ),
        rule=paid.rule,
    )


def build_bridge(published: Published, money: reports.MoneySplit | None) -> reports.Bridge | None:
    """From the mean of the earlier days, or periods, to this one: five factors of A, then B, C and D, to the cent.

    Changes of the factors are split by logarithmic means (LMDI-I, Ang 2004). The rounding difference goes to the
    largest. None without a baseline, or if a part of the money is unknown.
    """
    if money is None or not published.yardstick.days:
        return None
    # A shop without presales has none of that class; every other class must be known.
    parts = {key: part for key, part in money.parts.items() if key != "presale_balance" or part.amount is not None}
    if any(part.amount is None or part.baseline is None for part in parts.values()):
        return None
    usual = {key: Decimal(str(part.baseline)).quantize(CENT) for key, part in parts.items()}
    today = {key: Decimal(part.amount or 0) for key, part in parts.items()}
    bars = _build_same_day_bars(money.factors, usual["same_day"], today["same_day"])
    bars += [
        reports.BridgeBar(key, today[key] - usual[key], Unit.MONEY, usual[key], today[key])
        for key in ("carried_over", "presale_balance", "no_session")
        if key in parts
    ]
    excluded = money.excluded
    return reports.Bridge(
        usual=sum(usual.values(), Decimal(0)),
        today=sum(today.values(), Decimal(0)),
        bars=tuple(bars),
        excluded=reports.BridgeBar(
            "excluded", Decimal(0), Unit.MONEY, excluded.baseline, excluded.amount
        ),
    )  # fmt: skip


def _build_same_day_bars(factors: Sequence[reports.Figure], usual: Decimal, today: Decimal) -> list[reports.BridgeBar]:
    """A bar for each factor of A, with the values in the table of the factors.

    One bar for A if the factors do not multiply to its amounts, because an earlier day lacks some of them.
    """
    from funnelscope.diagnosis.rate_decomposition import decompose_amount

    values_usual = [float(factor.baseline) for factor in factors if factor.baseline is not None]
    values_today = [float(factor.value) for factor in factors if factor.value is not None]
    if not (_multiplies_to(usual, values_usual, factors) and _multiplies_to(today, values_today, factors)):
        return [reports.BridgeBar("same_day", today - usual, Unit.MONEY, usual, today)]
    parts = [float(part) for part in decompose_amount(values_usual, values_today)]  # type: ignore[arg-type]
    changes = [Decimal(str(part)).quantize(CENT) for part in parts]
    largest = max(range(len(changes)), key=lambda number: abs(changes[number]))
    changes[largest] += (today - usual) - sum(changes, Decimal(0))
    return [
        reports.BridgeBar(factor.key, change, factor.unit, factor.baseline, factor.value)
        for factor, change in zip(factors, changes, strict=True)
    ]


def _multiplies_to(amount: Decimal, values: Sequence[float], factors: Sequence[reports.Figure]) -> bool:
    return 0 < len(values) == len(factors) and isclose(prod(values), float(amount), rel_tol=1e-9, abs_tol=float(CENT))
