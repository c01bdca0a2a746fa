"""Made-up shops of `examples`: what a demo does with their exports, and that these come in to the cent."""

import importlib
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import openpyxl
import pytest

from funnelscope.ingest import find_duplicates, take_deliveries
from funnelscope.settings import load_settings
from funnelscope.simulator import example_exports
from funnelscope.warehouse.connection import Warehouse, open_in_memory_warehouse
from funnelscope.warehouse.models import load_models, materialize_model
from pipelines.cli.app import ExampleShop
from pipelines.examples import EXAMPLES, _make_example

FIRST, LAST = date(2026, 6, 1), date(2026, 6, 2)


@pytest.fixture
def made_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Exports of one file for each day, in place of a module of the simulator."""

    def import_module(name: str) -> object:
        class Module:
            @staticmethod
            def write_exports(folder: Path, first_date: date, last_date: date) -> None:
                assert name == f"{example_exports.__name__}.corner_shop"
                for day in (first_date, last_date):
                    (folder / f"orders_{day}.csv").write_text("order_id\n")

        return Module

    monkeypatch.setattr("pipelines.examples.importlib.import_module", import_module)


def test_the_command_line_knows_every_example_and_no_other() -> None:
    assert {example.value for example in ExampleShop} == set(EXAMPLES)


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_example_has_its_settings(name: str) -> None:
    assert EXAMPLES[name].config.is_file()


@pytest.mark.usefixtures("made_up")
def test_made_up_exports_take_the_place_of_those_of_an_earlier_demo(tmp_path: Path) -> None:
    exports = tmp_path / "exports"
    for last_date in (date(2026, 6, 9), LAST):
        _make_example("corner_shop", FIRST, last_date).lay_out(exports, None)
    assert [path.name for path in sorted(exports.glob("*"))][1:] == ["orders_2026-06-01.csv", "orders_2026-06-02.csv"]


@pytest.mark.usefixtures("made_up")
def test_exports_of_a_shop_of_one_s_own_are_never_emptied(tmp_path: Path) -> None:
    (tmp_path / "mine.csv").write_text("order_id\n")
    with pytest.raises(ValueError, match="holds files that no demo made up"):
        _make_example("corner_shop", FIRST, LAST).lay_out(tmp_path, None)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.csv"]


@pytest.mark.usefixtures("made_up")
def test_made_up_exports_need_no_data(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="the exports of corner_shop are made up"):
        _make_example("corner_shop", FIRST, LAST).lay_out(tmp_path, tmp_path / "x.parquet")


# --- Shops on marketplaces -----------------------------------------------------------------------

LIST_OF_ORDERS_LEADS = timedelta(days=1)  # the order list is downloaded on the next morning


def take_example(name: str, home: Path, last_date: date) -> Warehouse:
    """The example's exports of its first days in a warehouse, up to its figures."""
    example = EXAMPLES[name]
    exports = importlib.import_module(f"funnelscope.simulator.example_exports.{name}")
    exports.write_exports(home / "exports", example.first_date, last_date)
    settings = load_settings(example.config).model_copy(update={"home": home})
    warehouse = open_in_memory_warehouse(["set threads = 1"])
    take_deliveries(warehouse, settings)
    days = (example.first_date, last_date + LIST_OF_ORDERS_LEADS)
    find_duplicates(warehouse, *days)
    built = ("staging.refused_events", "staging.figure_rows", "staging.order_events", "marts.figures")
    for model in load_models().values():
        if model.table in built:
            materialize_model(warehouse, model, [days])
    assert warehouse.rows("select * from quality.reconciliation where difference != 0") == []
    assert warehouse.rows("select file, reason, detail from quality.quarantine") == []
    return warehouse


def read_sheet(path: Path, header: int) -> list[dict[str, str]]:
    """The rows below the header of a workbook, read by another library than the intake's."""
    rows = list(openpyxl.load_workbook(path, read_only=True).active.iter_rows(values_only=True))
    names = rows[header - 1]
    return [dict(zip(map(str, names), map(str, row), strict=True)) for row in rows[header:]]


def stated(warehouse: Warehouse, condition: str) -> dict[tuple[str, str], Decimal]:
    """(object, metric) to value of the figures that meet the condition."""
    rows = warehouse.rows(f"select object, metric, figure_value from marts.figures where {condition}")
    return {(name, metric): value for name, metric, value in rows}


def number(text: str) -> Decimal:
    is_percent, is_rounded = text.endswith("%"), text.endswith("万")
    value = Decimal(text.strip("%万").replace(",", ""))
    return value / 100 if is_percent else value * 10_000 if is_rounded else value


def test_taobao_s_reports_come_in_as_they_state_and_agree_with_the_orders(tmp_path: Path) -> None:
    last = date(2026, 5, 3)
    warehouse = take_example("taobao", tmp_path, last)
    exports = tmp_path / "exports"
    products = read_sheet(exports / f"【生意参谋平台】商品_全部_{last}_{last}.xlsx", 5)
    figures = stated(warehouse, f"level = 'product' and business_date = '{last}'")
    for row in products:
        for column, metric in (
            ("商品访客数", "product_visitors"),
            ("支付买家数", "paying_buyers"),
            ("支付金额", "paid_amount"),
        ):
            assert figures[row["商品ID"], metric] == number(row[column])
    agents = read_sheet(exports / f"客服绩效_{last:%Y%m%d}.xlsx", 1)
    figures = stated(warehouse, f"level = 'agent' and business_date = '{last}'")
    assert {name for name, _ in figures} == {row["旺旺昵称"] for row in agents if "班" in row["旺旺昵称"]}
    assert stated(warehouse, f"level = 'peers' and business_date = '{last}'")["", "inquirers"] == 380
    sources = stated(warehouse, f"level = 'source' and business_date = '{last}' and parent = '平台流量'")
    assert {name for name, _ in sources} == {"手淘搜索", "手淘推荐"}, "汇总 is the source of the second level"
    # What the shop's own figures state is what the order list says; the last download of 30 days holds.
    paid = warehouse.rows(
        "select business_date, sum(amount), count(distinct customer_id) from staging.order_events "
        f"where event_type = 'paid' and business_date <= '{last}' group by 1 order by 1"
    )
    shop = warehouse.rows(
        "select business_date, sum(figure_value) filter (metric = 'paid_amount'), "
        "sum(figure_value) filter (metric = 'paying_buyers') from marts.figures "
        "where level = 'shop' group by 1 order by 1"
    )
    assert len(shop) == 3
    assert [tuple(map(str, row)) for row in paid] == [
        (str(day), f"{amount:.2f}", str(int(buyers))) for day, amount, buyers in shop
    ]


def test_douyin_s_reports_come_in_as_they_state(tmp_path: Path) -> None:
    last = date(2026, 5, 2)
    warehouse = take_example("douyin", tmp_path, last)
    rooms = read_sheet(tmp_path / "exports" / f"直播间明细_{last:%Y%m%d}.xlsx", 1)
    figures = stated(warehouse, f"level = 'room' and business_date = '{last}'")
    assert {name for name, _ in figures} == {"小兰 9点", "小夏 14点", "小夏 20点"}
    for row in rooms:
        room = f"{row['主播昵称']} {int(row['开播时间'][11:13])}点"
        for column, metric in (("直播间曝光人数", "impression_users"), ("商品点击人数", "product_click_users")):
            assert figures[room, metric] == number(row[column])
    advertising = stated(warehouse, f"platform = 'qianchuan' and business_date = '{last}'")
    for row in read_sheet(tmp_path / "exports" / f"千川_{last:%Y%m%d}.xlsx", 1):
        assert advertising[row["计划名称"], "cost"] == number(row["消耗(元)"])
        assert advertising[row["计划名称"], "click_rate"] == number(row["点击率(%)"]) / 100
