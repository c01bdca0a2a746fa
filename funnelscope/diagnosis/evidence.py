"""Operational series that moved with a finding, entries of the change log, and what the data checks say."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np

from funnelscope.diagnosis.baseline import build_slice_condition
from funnelscope.diagnosis.records import EvidenceRecord, SliceConditions
from funnelscope.diagnosis.steps import VISIT
from funnelscope.settings import Settings
from funnelscope.warehouse.connection import Warehouse

_SMALLEST_Z = 3.0
_SMALLEST_SHARE_OF_USUAL = 0.1
"""A series must have moved by this share of its usual value, however steady it is."""
_LEAD_DAYS = 7
"""A sign may come so long before its harm: the last days of the baseline are not asked what is usual."""
_CHANGE_LOG_DAYS = 7


@dataclass(frozen=True)
class Series:
    """One operational series: a value a day for any slice of its dimensions.

    Attributes:
        harm: 1 where a rise does harm, −1 where a fall does.
        steps: names of the steps that it may explain.
        required: dimensions one of which the slice must name; else the series is asked of every slice.
    """

    name: str
    harm: int
    source: str
    value: str
    dimensions: tuple[str, ...]
    steps: tuple[str, ...]
    required: tuple[str, ...] = ()


_SESSION = (*VISIT, "first_category", "coupon", "promotion")
_SESSIONS = (
    "(select * exclude (checkout_coupon, checkout_promotion), coalesce(checkout_coupon, 'none') as coupon, "
    "coalesce(checkout_promotion, 'none') as promotion from intermediate.session_funnel where is_human)"
)
_ERRORS = (
    "(select page_events.business_date, page_events.event_type, coalesce(page_events.coupon, 'none') as coupon, "
    "sessions.* exclude (business_date, coupon) from staging.page_events "
    f"inner join {_SESSIONS} as sessions using (session_id, business_date) "
    "where page_events.event_type in ('coupon_error', 'payment_failed', 'checkout_start'))"
)
SERIES: tuple[Series, ...] = (
    Series(
        "first_screen_ms",
        1,
        _SESSIONS,
        "quantile_cont(first_screen_ms::DOUBLE, 0.75)",
        _SESSION,
        ("qualified_product_view", "favorite_or_cart"),
    ),
    Series(
        "session_bounce_rate",
        1,
        _SESSIONS,
        "count(*) filter (where not observed_second_interaction) / count(*)",
        _SESSION,
        ("qualified_product_view", "favorite_or_cart"),
    ),
    Series(
        "coupon_error_rate",
        1,
        _ERRORS,
        "count(*) filter (where event_type = 'coupon_error') "
        "/ nullif(count(*) filter (where event_type = 'checkout_start'), 0)",
        ("coupon", "channel", "device"),
        ("order",),
    ),
    Series(
        "payment_failure_rate",
        1,
        _ERRORS,
        "count(*) filter (where event_type = 'payment_failed') "
        "/ nullif(count(*) filter (where event_type = 'checkout_start'), 0)",
        ("channel", "device", "region"),
        ("paid", "order"),
    ),
    Series(
        "first_response_seconds",
        1,
        "intermediate.inquiries",
        "median(first_response_seconds::DOUBLE)",
        ("team", "agent", "shift"),
        ("paid_inquiry",),
    ),
    Series(
        "reply_within_3min_rate",
        -1,
        "intermediate.inquiries",
        "count(*) filter (where first_response_seconds <= 180) / count(*)",
        ("team", "agent", "shift"),
        ("paid_inquiry",),
    ),
    Series(
        "product_rating",
        -1,
        "(select *, coalesce(product_id, 'none') as reviewed from staging.order_events where event_type = 'reviewed')",
        "avg(rating)",
        ("product_id",),
        ("cart",),
        ("product_id",),
    ),
    Series(
        "out_of_stock_rate",
        1,
        "(select * from staging.page_events where event_type = 'product_view' and stock_state is not null)",
        "count(*) filter (where stock_state = 'out') / count(*)",
        ("product_id",),
        ("cart",),
        ("product_id",),
    ),
    Series(
        "care_sent",
        -1,
        "(select * from staging.service_events where event_type = 'care_sent')",
        "count(*)::DOUBLE",
        (),
        ("purchased",),
    ),
)


def find_moved_series(
    warehouse: Warehouse, step: str, slice_: SliceConditions, business_date: date, days: Sequence[date]
) -> list[EvidenceRecord]:
    """Evidence of every series that did harm on the day; measured in the slice as far as it can be.

    A move is three standard deviations of the baseline days, without their last week, and a tenth of the usual.
    """
    found = []
    for series in SERIES:
        part = {name: value for name, value in slice_.items() if name in series.dimensions}
        if step not in series.steps or (series.required and not part) or (slice_ and series.dimensions and not part):
            continue
        if moved := _measure_move(warehouse, series, part, business_date, days):
            found.append(moved)
    return found


def _measure_move(
    warehouse: Warehouse, series: Series, part: Mapping[str, str], business_date: date, days: Sequence[date]
) -> EvidenceRecord | None:
    values = dict(
        warehouse.rows(
            f"select business_date, ({series.value})::DOUBLE from {series.source} as source "
            "where business_date between $first and $day "
            f"and {build_slice_condition(part)} group by business_date",
            first=min([*days, business_date]),
            day=business_date,
        )
    )
    if series.name == "care_sent":
        for number in range((business_date - min([*days, business_date])).days + 1):
            values.setdefault(business_date - timedelta(days=number), 0.0)  # no message is no row
    today = values.get(business_date)
    earlier = [day for day in days if day < business_date - timedelta(days=_LEAD_DAYS)] or days
    usual = np.array([values[day] for day in earlier if values.get(day) is not None])
    if today is None or len(usual) < len(earlier) / 2 or not len(usual):
        return None
    mean = float(usual.mean())
    floor = 0.02 * abs(mean) + 1e-3
    spread = max(float(usual.std()), floor)

    def measure(value: float) -> float:
        return series.harm * (value - mean) / spread

    if measure(today) < _SMALLEST_Z or abs(today - mean) < _SMALLEST_SHARE_OF_USUAL * abs(mean):
        return None
    # A day belongs to the move if it is nearer to today than to the usual; of a clear move, if it is unusual at all.
    since, least = business_date, min(measure(today) / 2, _SMALLEST_Z)
    while (before := values.get(since - timedelta(days=1))) is not None and measure(before) >= least:
        since -= timedelta(days=1)
    return EvidenceRecord(
        kind="series",
        name=series.name,
        slice=dict(sorted(part.items())),
        today=today,
        usual=mean,
        z=measure(today) * series.harm,
        since_date=since,
    )


def find_change_log_entries(
    settings: Settings, slice_: SliceConditions, since: date, business_date: date
) -> list[EvidenceRecord]:
    """Entries of the change log on an object of the slice, from a week before the move to the day."""
    return [
        EvidenceRecord(
            kind="change_log",
            name=entry.kind,
            slice=dict(sorted(slice_.items())),
            since_date=entry.date,
            note=f"{entry.object}: {entry.note}".rstrip(": "),
        )
        for entry in settings.changes
        if since - timedelta(days=_CHANGE_LOG_DAYS) <= entry.date <= business_date and entry.object in slice_.values()
    ]
