"""An overview of a table: the first rows of a day, and a mart's measures over four weeks, without ids of people."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

import reports
from funnelscope.diagnosis.comparable_days import find_regular_days
from funnelscope.diagnosis.steps import CUBES, get_steps
from funnelscope.messages.message_types import Number, Unit
from funnelscope.reporting.stated_figures import find_unit
from funnelscope.reporting.usual import Yardstick
from funnelscope.settings import Settings
from funnelscope.warehouse.connection import Warehouse
from funnelscope.warehouse.models import Model, derive_schemas

SAMPLE_ROWS = 5
PICTURE_DAYS = 28
MOST_MEASURES = 12

# Tables with one row for each of several things: the columns that distinguish them, the column that is drawn, and
# which rows. What platforms state overlaps: only of the whole shop is drawn, and nothing is summed over objects.
_OF_THE_SHOP = "level = 'shop' and object = '' and parent = '' and device = ''"
LONG_TABLES = {
    "marts.daily_metrics": ("metric", "value", "true"),
    "marts.daily_money": ("money_class", "amount", "true"),
    "marts.funnel_steps": ("stage || ': ' || step", "reached", "true"),
    "marts.figures": (
        "platform || ' ' || shop || ': ' || metric",
        "figure_value",
        f"{_OF_THE_SHOP} and metric in ('paid_amount', 'visitors', 'paying_buyers')",
    ),
    "marts.figure_steps": ("platform || ' ' || shop || ': ' || step", "passed", _OF_THE_SHOP),
}
DRAWN_METRICS = (
    "paid_amount",
    "visitors",
    "visitor_pay_rate",
    "arrival_rate",
    "landing_rate",
    "decision_rate",
    "daily_repurchase_rate",
    "cost",
)


def read_sample_rows(warehouse: Warehouse, model: Model, business_date: date) -> list[dict[str, object]]:
    """The first rows of the day: for a mart the largest, else in the order of the grain."""
    day_column = _find_day_column(model)
    if not day_column:
        return []
    columns = select_shown_columns(model)
    measures = _list_measures(model)
    largest = [f"{measures[0]} desc"] if model.schema == "marts" and measures else []
    rows = warehouse.rows(
        f"select {', '.join(columns)} from {model.table} where {day_column} = $day "
        f"order by {', '.join([*largest, *model.grain])} limit {SAMPLE_ROWS}",
        day=business_date,
    )
    return [dict(zip(columns, row, strict=True)) for row in rows]


def select_shown_columns(model: Model) -> list[str]:
    """The columns of a sample.

    Ids of people, sessions and orders are left out: Dagster's history keeps what is displayed, and an erased person
    must not remain there.
    """
    names = [name for name, _ in derive_schemas()[model.table]]
    return [name for name in names if not name.endswith("_id") or name == "product_id"]


def _find_day_column(model: Model) -> str | None:
    """The column of days:

    `business_date` for tables, the day of entry or payment for views of rates; None for others.
    """
    first = model.grain[0] if model.is_view else "business_date"
    return first if first.endswith("_date") else None


def read_figures(warehouse: Warehouse, model: Model, business_date: date, settings: Settings) -> list[reports.Figure]:
    """The mart's measures over four weeks, as figures with what is usual; empty for one without measures.

    Cubes begin with the rates of the steps that are diagnosed on them.
    """
    first = business_date - timedelta(days=PICTURE_DAYS - 1)
    days = [first + timedelta(days=number) for number in range(PICTURE_DAYS)]
    figures = (_read_long_figures if model.table in LONG_TABLES else _read_wide_figures)(warehouse, model, days)
    is_judged = bool(warehouse.columns("quality.day_verdict"))  # not before the first gate of a home
    comparable = find_regular_days(warehouse, settings, business_date) if is_judged else ()
    yardstick = Yardstick(comparable, (business_date,))
    return [_add_usual(figure, yardstick) for figure in figures]


def _add_usual(figure: reports.Figure, yardstick: Yardstick) -> reports.Figure:
    values = {point.day: point.value for point in figure.trend if point.value is not None}
    return replace(figure, baseline=yardstick.sum_usual(values))


def _list_measures(model: Model) -> list[str]:
    """Columns that may be summed over the slices of a day. For a table with one row per day, every number."""
    summed = ("INTEGER", "BIGINT", "HUGEINT", "DECIMAL", *(("DOUBLE",) if model.grain == ("business_date",) else ()))
    return [name for name, kind in derive_schemas()[model.table] if kind.startswith(summed) and name not in model.grain]


def _read_wide_figures(warehouse: Warehouse, model: Model, days: Sequence[date]) -> list[reports.Figure]:
    rates = {
        f"{step.name} rate": f"sum({step.passed}) / nullif(sum({step.entered}), 0)"
        for step in (get_steps(model.name) if model.name in CUBES else ())
    }
    drawn = {**rates, **{name: f"sum({name})" for name in _list_measures(model)}}
    drawn = dict(list(drawn.items())[:MOST_MEASURES])
    if not drawn:
        return []
    rows = warehouse.rows(
        f"select business_date, {', '.join(drawn.values())} from {model.table} "
        "where business_date between $first and $last group by business_date",
        first=days[0],
        last=days[-1],
    )
    return [
        _build_figure(name, {row[0]: row[number] for row in rows}, days, name in rates)
        for number, name in enumerate(drawn, start=1)
    ]


def _read_long_figures(warehouse: Warehouse, model: Model, days: Sequence[date]) -> list[reports.Figure]:
    key, value, condition = LONG_TABLES[model.table]
    series: dict[str, dict[date, Number]] = {}
    for name, day, amount in warehouse.rows(
        f"select {key}, business_date, sum({value}) from {model.table} "
        f"where {condition} and business_date between $first and $last "
        f"group by all order by {_order_of_rows(model)}, business_date",
        first=days[0],
        last=days[-1],
    ):
        series.setdefault(name, {})[day] = amount
    if model.table == "marts.daily_metrics":
        series = {name: series[name] for name in DRAWN_METRICS if name in series}
    if model.table == "marts.figures":
        return [
            replace(_build_figure(name, values, days, False), unit=find_unit(name.rsplit(": ", 1)[1]))
            for name, values in list(series.items())[:MOST_MEASURES]
        ]
    return [_build_figure(name, values, days, name.endswith("_rate")) for name, values in series.items()]


def _order_of_rows(model: Model) -> str:
    if "step_number" not in model.grain:
        return "1"
    return "list_position(['traffic', 'landing', 'decision', 'repurchase'], min(stage)), min(step_number)"


def _build_figure(name: str, values: dict[date, Number], days: Sequence[date], is_rate: bool) -> reports.Figure:
    today = values.get(days[-1])
    return reports.Figure(
        name,
        _choose_unit(today, is_rate or name.endswith(("_rate", "_share"))),
        today,
        trend=tuple(reports.DayPoint(day, values.get(day)) for day in days),
    )


def _choose_unit(value: Number | None, is_rate: bool) -> Unit:
    if is_rate:
        return Unit.RATE
    return Unit.MONEY if isinstance(value, Decimal) else Unit.COUNT


def draw_last_weeks(warehouse: Warehouse, model: Model, business_date: date, settings: Settings) -> bytes | None:
    """The mart's last four weeks as SVG; None if it is not a mart or has no measures."""
    if model.schema != "marts" or model.is_view:
        return None
    figures = read_figures(warehouse, model, business_date, settings)
    return reports.draw_table_days(figures, settings.language) if figures else None
