"""The rows behind a finding: the very sessions, clicks, orders, conversations or customers that its cube counts.

The query of the cube gives them, without its last step, the counting: so a finding and its rows cannot disagree.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import cache
from typing import TYPE_CHECKING

from funnelscope.diagnosis.baseline import build_slice_condition
from funnelscope.diagnosis.figure_diagnosis import FIGURE_CUBE, read_figure_days
from funnelscope.diagnosis.records import FindingRecord, FindingRowRecord, RowKind
from funnelscope.diagnosis.steps import STEPS, FunnelStep
from funnelscope.settings import Settings
from funnelscope.warehouse.connection import Warehouse
from funnelscope.warehouse.models import build_query_parameters, load_models

if TYPE_CHECKING:
    from sqlglot import exp

MOST_ROWS = 200
"""Of each finding; its `row_count` says how many there are."""
FIGURE_DAYS = 28


@dataclass(frozen=True)
class _Row:
    """What a cube counts: its kind, and the columns of its id and of its time before they are counted."""

    kind: RowKind
    row_id: str
    happened_at: str


ROWS = {
    "arrival_cube": _Row("click", "click_id", "event_time"),
    "landing_cube": _Row("session", "session_id", "started_at"),
    "decision_cube": _Row("session", "session_id", "started_at"),
    "checkout_cube": _Row("session", "session_id", "started_at"),
    "product_cube": _Row("product_view", "session_id", "first_seen_at"),
    "inquiry_cube": _Row("conversation", "conversation_id", "asked_at"),
    "payment_cube": _Row("order", "orders.order_id", "orders.created_at"),
    "repurchase_cube": _Row("customer", "customer_id", "null::TIMESTAMP"),
}


def read_finding_rows(
    warehouse: Warehouse, settings: Settings, day: date, findings: Iterable[FindingRecord]
) -> list[FindingRowRecord]:
    """The rows behind the findings of the day. What has recovered has none."""
    rows: list[FindingRowRecord] = []
    for finding in findings:
        if finding.status == "recovered":
            continue
        read = _read_figures if finding.cube == FIGURE_CUBE else _read_counted
        rows += read(warehouse, settings, day, finding)
    return rows


def _read_figures(
    warehouse: Warehouse, settings: Settings, day: date, finding: FindingRecord
) -> list[FindingRowRecord]:
    days = read_figure_days(warehouse, settings, finding, day - timedelta(days=FIGURE_DAYS), day)
    return [
        FindingRowRecord(
            finding_id=finding.finding_id,
            kind="figure",
            happened_at=datetime.combine(each, time()),
            facts={},
            entered=entered,
            passed=passed,
            row_count=len(days),
        )
        for each, (entered, passed) in sorted(days.items(), reverse=True)
    ]


def _read_counted(
    warehouse: Warehouse, settings: Settings, day: date, finding: FindingRecord
) -> list[FindingRowRecord]:
    step = next(each for each in STEPS if (each.cube, each.name) == (finding.cube, finding.step))
    open_dimensions = [name for name in step.dimensions if name not in finding.slice]
    facts = "".join(f", coalesce({name}::VARCHAR, 'none')" for name in open_dimensions)
    model = load_models()[f"marts.{step.cube}"]
    found = warehouse.rows(
        f"select row_id, happened_at, ({step.entered})::DOUBLE as entered, ({step.passed})::DOUBLE as passed, "
        f"count(*) over (){facts} from ({build_row_query(step)}) as counted "
        f"where {step.entered} > 0 and {build_slice_condition(finding.slice)} "
        f"order by passed > 0, row_id, happened_at limit {MOST_ROWS}",
        **model.bind(build_query_parameters(day, day)),
    )
    return [
        FindingRowRecord(
            finding_id=finding.finding_id,
            kind=ROWS[step.cube].kind,
            row_id=row_id,
            happened_at=happened_at,
            facts=dict(zip(open_dimensions, values, strict=True)),
            entered=entered,
            passed=passed,
            row_count=row_count,
        )
        for row_id, happened_at, entered, passed, row_count, *values in found
    ]


@cache
def build_row_query(step: FunnelStep) -> str:
    """The query of the step's cube with a row for each thing that it counts: id, time, dimensions and measures.

    A measure is what the row adds to it. The parameters are those of the model.
    """
    from sqlglot import exp, parse_one

    query = load_models()[f"marts.{step.cube}"].query
    tree = parse_one(query, read="duckdb")
    assert isinstance(tree, exp.Select)
    measures = {column.name for text in (step.entered, step.passed) for column in _list_columns(text)}
    kept = [each for each in tree.expressions if each.alias_or_name in (*step.dimensions, *measures)]
    row = ROWS[step.cube]
    tree.set("expressions", [each.transform(_count_one) for each in kept])
    tree.set("group", None)
    return tree.select(f"{row.row_id} as row_id", f"{row.happened_at} as happened_at", dialect="duckdb").sql("duckdb")


def _list_columns(text: str) -> "Sequence[exp.Column]":
    from sqlglot import exp, parse_one

    return list(parse_one(text, read="duckdb").find_all(exp.Column))


def _count_one(node: "exp.Expression") -> "exp.Expression":
    """What one row adds to a count or a sum."""
    from sqlglot import exp

    if isinstance(node, exp.Filter):
        return _when(node.expression.this)
    if isinstance(node, exp.Sum):
        summed: exp.Expression = node.this.copy()
        return summed
    if isinstance(node, exp.Count):
        is_every = isinstance(node.this, exp.Star)
        return exp.Literal.number(1) if is_every else _when(node.this.copy().is_(exp.null()).not_())
    return node


def _when(condition: "exp.Expression") -> "exp.Expression":
    from sqlglot import exp

    return exp.case().when(condition.copy(), exp.Literal.number(1)).else_(exp.Literal.number(0))
