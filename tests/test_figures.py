"""Figures that platforms state, through the real intake and its models."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from intake_helpers import DAY, Shop

from funnelscope.events.figures import FIGURES, FUNNELS, LEVELS
from funnelscope.events.schema import FIGURE
from funnelscope.ingest import find_duplicates, find_family_presence, reconcile, take_deliveries
from funnelscope.settings import Settings
from funnelscope.warehouse.connection import open_in_memory_warehouse
from funnelscope.warehouse.models import load_models, materialize_model

HEADER = "日期,商品ID,访客数,支付买家数,支付金额,支付转化率\n"
SOURCE: dict[str, Any] = {
    "family": "figure",
    "constants": {"platform": "taobao", "event_type": "product"},
    "columns": {
        "event_time": "日期",
        "object": "商品ID",
        "visitors": "访客数",
        "paying_buyers": "支付买家数",
        "paid_amount": "支付金额",
        "pay_rate": "支付转化率",
    },
}


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    yield Shop(opened := open_in_memory_warehouse(["set threads = 1"]), tmp_path)
    opened.connection.close()


def figures(shop: Shop, day: date = DAY) -> dict[tuple[str, str], float]:
    """(object, metric) to value, from the marts."""
    for model in load_models().values():
        if model.table in ("staging.refused_events", "staging.figure_rows", "marts.figures"):
            materialize_model(shop.warehouse, model, [(day, day)])
    rows = shop.warehouse.rows("select object, metric, figure_value from marts.figures")
    return {(name, metric): float(value) for name, metric, value in rows}


def test_a_row_of_a_report_is_a_value_for_each_figure(shop: Shop) -> None:
    told = shop.deliver(
        HEADER + '2026-01-06,a,"1,269",68,"15,217.00",5.36%\n2026-01-06,b,1.2万,-,--,\n', SOURCE, "f.csv"
    )
    assert (told.status, told.rows_loaded, told.quarantine) == ("loaded", 2, [])
    assert figures(shop) == {
        ("a", "visitors"): 1269,
        ("a", "paying_buyers"): 68,
        ("a", "paid_amount"): 15217,
        ("a", "pay_rate"): 0.0536,
        ("b", "visitors"): 12000,
    }


def test_the_last_delivery_of_a_row_holds_and_the_same_export_twice_adds_nothing(shop: Shop) -> None:
    shop.deliver(HEADER + "2026-01-06,a,100,5,10,5%\n", SOURCE, "z.csv")
    for name, day, row in (("again.csv", 6, "100,5,10,5%"), ("a.csv", 7, "110,6,,5%")):
        path = shop.home / "landing" / "figure" / f"dt=2026-01-0{day}" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(HEADER + f"2026-01-06,a,{row}\n")
    take_deliveries(shop.warehouse, shop.settings)
    find_duplicates(shop.warehouse, DAY, DAY)
    assert [(one["duplicates"], one["quarantined"], one["difference"]) for one in reconcile(shop.warehouse)] == [
        (1, 0, 0),
        (1, 0, 0),
        (0, 0, 0),
    ]
    assert figures(shop) == {("a", "visitors"): 110, ("a", "paying_buyers"): 6, ("a", "pay_rate"): 0.05}


def test_two_rows_of_one_file_about_one_object_contradict_each_other(shop: Shop) -> None:
    told = shop.deliver(HEADER + "2026-01-06,a,100,5,10,5%\n2026-01-06,a,90,4,9,5%\n" * 2, SOURCE, "f.csv")
    assert [(line, why) for line, why, _ in told.quarantine] == [
        (2, "conflicting_duplicate"),
        (4, "conflicting_duplicate"),
    ]
    assert figures(shop)["a", "visitors"] == 90


def test_a_day_has_figures_when_a_delivery_is_about_it_not_when_one_came_on_it(shop: Shop) -> None:
    shop.deliver(HEADER + "2026-01-05,a,1,1,1,1%\n", SOURCE, "f.csv")
    found = [find_family_presence(shop.warehouse, shop.settings, day)["figure"] for day in (date(2026, 1, 5), DAY)]
    assert found == ["present", "missing"]
    (shop.home / "landing" / "figure" / f"dt={DAY}" / "g.csv").write_text(HEADER)
    take_deliveries(shop.warehouse, shop.settings)
    assert find_family_presence(shop.warehouse, shop.settings, DAY)["figure"] == "present", "an empty report is one"


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("2026-01-06 ~ 2026-01-12,a,1,1,1,1%", "bad_time"),
        ("合计,a,1,1,1,1%", "bad_time"),
        ("2026-01-06,a,100~200,1,1,1%", "bad_type"),
        ("2026-01-06,a,1,1,1,153%", "value_out_of_contract"),
        ("2026-01-06,a,-1,1,1,1%", "value_out_of_contract"),
        ("2026-01-06,a,1,1,1 万 2,1%", "bad_type"),
    ],
)
def test_what_is_no_figure_of_a_day_is_refused_with_its_row(shop: Shop, row: str, reason: str) -> None:
    told = shop.deliver(HEADER + "2026-01-06,a,1,1,1,1%\n" + row + "\n", SOURCE, "f.csv")
    assert (told.rows_loaded, [(line, why) for line, why, _ in told.quarantine]) == (1, [(3, reason)])


def test_an_amount_of_an_order_is_never_a_rounded_one(shop: Shop) -> None:
    mapped = {"family": "order", "columns": {"event_time": "日期", "amount": "金额"}, "event_types": "paid"}
    told = shop.deliver("日期,金额\n2026-01-06,1.2万\n2026-01-06,5\n", mapped)
    assert [reason for _, reason, _ in told.quarantine] == ["bad_type"]


def test_figures_have_no_ids_and_one_version_counts() -> None:
    given = {"shop": "s", "start_date": "2026-01-01"}
    assert Settings.model_validate(given | {"sources": [SOURCE]}).sources[0].duplicates == "latest"
    for wrong in ({"duplicates": "keep"}, {"columns": SOURCE["columns"] | {"event_id": "商品ID"}}):
        with pytest.raises(ValueError, match=r"figures|not a column of family figure"):
            Settings.model_validate(given | {"sources": [SOURCE | wrong]})


def test_models_and_contract_name_the_same_figures() -> None:
    assert set(FIGURES) < {column.name for column in FIGURE.columns}
    assert FIGURE.event_types == LEVELS
    steps = load_models()["marts.figure_steps"].query
    for number, metrics in enumerate(FUNNELS.values()):
        places = [steps.index(f"when '{metric}' then") for metric in metrics]
        assert places == sorted(places), number
