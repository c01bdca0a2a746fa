"""Every column says what it is made of, from its SQL alone."""

import json
from pathlib import Path

import pytest

import funnelscope.warehouse.lineage
from funnelscope.warehouse.lineage import compute_model_lineage, load_column_lineage
from funnelscope.warehouse.models import derive_schemas, load_models

# Counts of rows and constants are made of no column.
WITHOUT_SOURCES = {
    "intermediate.derived_sessions": {"family"},
    "intermediate.session_days": {"page_event_count"},
    "intermediate.conversations": {"turn_count"},
    "intermediate.orders": {"line_count"},
    "intermediate.purchase_days": {"order_count"},
    "intermediate.refunds": {"refund_count"},
    "intermediate.session_funnel": {
        "observed_order",
        "observed_paid",
        "reached_order",
        "reached_paid",
        "order_count",
        "paid_order_count",
    },
    "marts.daily_money": {"payments"},
    "marts.payment_cube": {"orders"},
    "marts.session_outcomes": {"orders"},
    "marts.inquiry_cube": {"inquiries"},
    "marts.inquiry_outcomes": {"first_paid_inquiries"},
    "marts.repurchase_cube": {"business_date", "active_customers"},
    "marts.repurchase_outcomes": {"customers"},
    "marts.arrival_cube": {"sessions"},
    "marts.checkout_cube": {"checkouts"},
    "marts.daily_summary": {"sessions", "orders"},
    "marts.decision_cube": {"sessions"},
    "marts.landing_cube": {"sessions"},
    "marts.product_cube": {"viewed"},
    "marts.funnel_steps": {"stage", "step_number", "step"},
    "marts.daily_metrics": {"metric"},
    "marts.refund_rates": {"within"},
    "marts.people_to_date": {"business_date", "period"},
    "marts.repurchase_windows": {"window_days"},
    "marts.session_conversion_windows": {"window_days"},
    "marts.inquiry_conversion_windows": {"window_days"},
}


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("lineage") / "lineage.json"
    load_column_lineage(path)
    return path


@pytest.mark.parametrize(
    ("table", "column", "sources"),
    [
        ("staging.order_events", "amount", [("raw.order_events", "amount")]),
        (
            "intermediate.orders",
            "customer_id",
            [("intermediate.first_links", "customer_id"), ("staging.order_events", "customer_id")],
        ),
        ("intermediate.purchase_days", "amount", [("intermediate.payments", "amount")]),
        ("marts.daily_money", "amount", [("intermediate.payments", "amount")]),
        ("marts.refund_rates", "paid_amount", [("marts.daily_summary", "paid_amount")]),
    ],
)
def test_a_column_names_the_columns_it_is_made_of(table: str, column: str, sources: list[tuple[str, str]]) -> None:
    assert compute_model_lineage(load_models()[table])[column] == sources


def test_every_column_has_a_source_or_is_a_count_or_a_constant(cache: Path) -> None:
    lineage = load_column_lineage(cache)
    for table, schema in derive_schemas().items():
        assert list(lineage[table]) == [name for name, _ in schema]
        without = {column for column, sources in lineage[table].items() if not sources}
        assert without == WITHOUT_SOURCES.get(table, set()), table


def test_sources_are_what_the_model_reads(cache: Path) -> None:
    for table, columns in load_column_lineage(cache).items():
        read = {source for sources in columns.values() for source, _ in sources}
        assert read <= set(load_models()[table].dependencies), table


def test_lineage_is_read_once_and_again_when_a_model_changes(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(
        funnelscope.warehouse.lineage, "compute_model_lineage", lambda model: asked.append(model.table) or {}
    )
    load_column_lineage(cache)
    assert not asked
    cache.write_text(json.dumps(json.loads(cache.read_text()) | {"version": "another"}))
    load_column_lineage(cache)
    assert len(asked) == len(load_models())
