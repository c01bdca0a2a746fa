"""Every column says what it is made of, from its SQL alone."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

import funnelscope.warehouse.lineage
from funnelscope.warehouse.lineage import (
    SHIPPED_FILE,
    Lineage,
    compute_fingerprint,
    compute_model_lineage,
    list_table_columns,
    load_column_lineage,
    write_lineage,
)
from funnelscope.warehouse.models import derive_schemas, load_models

# Counts of rows and constants are made of no column.
WITHOUT_SOURCES = {
    "staging.refused_events": {"is_duplicate"},
    "intermediate.product_categories": {"business_date"},
    "intermediate.filled_columns": {"family", "column_name"},
    "intermediate.page_metrics": {"metric"},
    "intermediate.service_metrics": {"metric"},
    "intermediate.order_metrics": {"metric"},
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
    "marts.response_outcomes": {"inquiries"},
    "marts.response_windows": {"window_days"},
    "marts.repurchase_cube": {"business_date", "active_customers"},
    "marts.repurchase_outcomes": {"customers"},
    "marts.arrival_cube": {"sessions"},
    "marts.checkout_cube": {"checkouts"},
    "marts.decision_cube": {"sessions"},
    "marts.landing_cube": {"sessions"},
    "marts.product_cube": {"viewed"},
    "marts.funnel_steps": {"stage", "step_number", "step"},
    "staging.refund_lags": {"refunds"},
    "marts.refund_rates": {"within"},
    "marts.people_to_date": {"period"},
    "marts.repurchase_windows": {"window_days"},
    "marts.session_conversion_windows": {"window_days"},
    "marts.inquiry_conversion_windows": {"window_days"},
}


@pytest.fixture(scope="module")
def computed() -> dict[str, Lineage]:
    """Every model's lineage, read from its SQL."""
    return {table: compute_model_lineage(model) for table, model in load_models().items()}


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
def test_a_column_names_the_columns_it_is_made_of(
    computed: dict[str, Lineage], table: str, column: str, sources: list[tuple[str, str]]
) -> None:
    assert computed[table][column] == sources


def test_every_column_has_a_source_or_is_a_count_or_a_constant() -> None:
    lineage = load_column_lineage()
    for table, schema in derive_schemas().items():
        assert list(lineage[table]) == [name for name, _ in schema]
        without = {column for column, sources in lineage[table].items() if not sources}
        assert without == WITHOUT_SOURCES.get(table, set()), table


def test_sources_are_what_the_model_reads() -> None:
    for table, columns in load_column_lineage().items():
        read = {source for sources in columns.values() for source, _ in sources}
        assert read <= set(load_models()[table].dependencies), table


def test_the_shipped_lineage_is_current(
    computed: dict[str, Lineage], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(funnelscope.warehouse.lineage, "compute_model_lineage", lambda model: computed[model.table])
    write_lineage(tmp_path / "lineage.json")
    current = (tmp_path / "lineage.json").read_text()
    assert SHIPPED_FILE.read_text() == current, "run: python -m funnelscope.warehouse.lineage"
    assert load_column_lineage() == computed


def test_only_a_changed_model_is_read_from_its_sql(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    lineage = funnelscope.warehouse.lineage
    monkeypatch.setattr(lineage, "compute_model_lineage", lambda model: asked.append(model.table) or {})
    load_column_lineage()
    assert not asked
    shipped = json.loads(SHIPPED_FILE.read_text())
    shipped["intermediate.orders"]["fingerprint"] = "of another query"
    del shipped["marts.daily_money"]
    (tmp_path / "lineage.json").write_text(json.dumps(shipped))
    load_column_lineage(tmp_path / "lineage.json")
    assert asked == ["intermediate.orders", "marts.daily_money"]
    asked.clear()
    load_column_lineage(tmp_path / "absent.json")
    assert asked == list(load_models())


def test_the_fingerprint_follows_the_query_and_the_columns_of_what_it_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    model = load_models()["intermediate.orders"]
    before = compute_fingerprint(model)
    assert compute_fingerprint(replace(model, query=f"{model.query} limit 1")) != before
    schemas = derive_schemas()
    wider = {**schemas, "staging.order_events": [*schemas["staging.order_events"], ("new", "INTEGER")]}
    monkeypatch.setattr(funnelscope.warehouse.lineage, "derive_schemas", lambda: wider)
    list_table_columns.cache_clear()
    assert compute_fingerprint(model) != before
    list_table_columns.cache_clear()
