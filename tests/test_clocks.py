"""Clocks: a day depends on its deliveries alone, not on when, in which order or how often days were built."""

import shutil
from pathlib import Path

import pytest
from shop_helpers import (
    DIRT,
    Home,
    assert_same_export,
    build_days,
    build_piece,
    cloned,
    copied,
    day,
    deliver,
    delivery_day,
    one_file_a_day,
    open_shop,
    rewrite,
    simulated_shop,
)

from assets.resources import Shop
from funnelscope.ingest import take_deliveries
from funnelscope.warehouse.canonical_export import export_canonical_rows
from funnelscope.warehouse.connection import open_warehouse
from funnelscope.warehouse.models import load_models, materialize_model
from pipelines.jobs import DAILY, RESTATE
from pipelines.planning import Piece

DAYS = 6  # longer than the look-back of the nearer models, so that late rows also restate days
FIRST, LAST = day(1), day(DAYS)


@pytest.fixture(scope="module")
def delivered(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A shop whose rows come late, twice and in any order; all are in raw, and no day is built."""
    home = simulated_shop(tmp_path_factory.mktemp("delivered"), days=DAYS, sessions_per_day=60, history_days=3, **DIRT)
    one_file_a_day(home)
    with open_shop(home.settings) as opened:
        take_deliveries(opened.warehouse, home.settings)
    return home


@pytest.fixture(scope="module")
def shop(delivered: Home, tmp_path_factory: pytest.TempPathFactory) -> Home:
    """All days built at once."""
    home = cloned(delivered, tmp_path_factory.mktemp("clocks") / "shop")
    build_days(home, FIRST, LAST)
    return home


@pytest.fixture(scope="module")
def at_once(shop: Home) -> dict[str, str]:
    """The export of all days built in one go, everything delivered."""
    return shop.export()


def rows_until(export: dict[str, str], last: object) -> dict[str, list[str]]:
    """The rows of business dates up to a day."""
    marked = '"business_date":"'
    return {
        table: [line for line in text.splitlines() if line.split(marked)[1][:10] <= str(last)]
        for table, text in export.items()
    }


def test_the_same_day_twice_is_the_same_day(shop: Home, at_once: dict[str, str]) -> None:
    pieces = build_days(shop, day(6), day(6))
    assert pieces == [Piece(DAILY, day(6), day(6))]
    assert_same_export(shop.export(), at_once)


@pytest.mark.slow
def test_a_range_is_its_days_one_by_one(delivered: Home, at_once: dict[str, str], tmp_path: Path) -> None:
    each = cloned(delivered, tmp_path / "each")
    for number in range(1, DAYS + 1):
        assert build_days(each, day(number), day(number)) == [Piece(DAILY, day(number), day(number))]
    assert_same_export(each.export(), at_once)


def test_a_day_depends_on_nothing_after_it(shop: Home, tmp_path: Path) -> None:
    last = day(4)
    home = copied(shop, tmp_path / "early", lambda file: delivery_day(file) <= last)
    build_days(home, FIRST, last)
    before = home.export()
    # What comes the next day is of that day, but for the late rows, which are left out here.
    deliver(shop, home, lambda file: delivery_day(file) == day(5))
    for file in home.settings.landing.glob(f"*/dt={day(5)}/*"):
        rewrite(file, "from delivered where event_time >= '2026-05-04 16:00:00'")
    build_days(home, FIRST, last)
    assert_same_export(home.export(), before)
    build_days(home, day(5), day(5))
    assert rows_until(home.export(), last) == rows_until(before, last)


def test_late_rows_come_to_what_punctual_ones_would(shop: Home, at_once: dict[str, str], tmp_path: Path) -> None:
    """Two runs have what is there on their evening; the rows that come later restate the days before."""
    home = copied(shop, tmp_path / "late", lambda file: delivery_day(file) <= day(3))
    build_days(home, FIRST, day(3))
    deliver(shop, home, lambda file: delivery_day(file) <= LAST)
    build_days(home, day(4), LAST)
    deliver(shop, home)  # those of the last days
    pieces = build_days(home, LAST, LAST)
    assert pieces[0].from_date < LAST
    assert_same_export(home.export(), at_once)


@pytest.mark.slow
def test_a_day_that_comes_whole_after_the_others_restates_them(
    shop: Home, at_once: dict[str, str], tmp_path: Path
) -> None:
    home = copied(shop, tmp_path / "gap", lambda file: delivery_day(file) != day(2))
    build_days(home, FIRST, FIRST)
    build_days(home, day(3), LAST)
    deliver(shop, home)
    pieces = build_days(home, day(2), day(2))
    assert [piece.job for piece in pieces] == [DAILY, RESTATE]
    assert_same_export(home.export(), at_once)


def test_a_delivery_that_is_replaced_leaves_nothing_of_the_first(
    delivered: Home, at_once: dict[str, str], tmp_path: Path
) -> None:
    """Page and order files of day 4 first come with the content of day 5, then as they are."""
    home = cloned(delivered, tmp_path / "wrong")
    for family in ("page", "order"):
        folder = home.settings.landing / family
        shutil.copy(folder / f"dt={day(5)}" / "all.parquet", folder / f"dt={day(4)}" / "all.parquet")
    build_days(home, FIRST, LAST)
    deliver(delivered, home)
    build_days(home, LAST, LAST)
    assert_same_export(home.export(), at_once)


@pytest.mark.slow
def test_rows_may_come_in_any_order_and_in_any_files(shop: Home, at_once: dict[str, str], tmp_path: Path) -> None:
    home = copied(shop, tmp_path / "shuffled")
    for file in sorted(home.settings.landing.glob("*/dt=*/*")):
        rewrite(file, "from delivered where hash(event_id) % 2 = 1 order by event_id desc", file.with_name("z.parquet"))
        rewrite(
            file, "from delivered where hash(event_id) % 2 = 0 order by hash(event_id)", file.with_name("b.parquet")
        )
        file.unlink()
    build_days(home, FIRST, LAST)
    assert_same_export(home.export(), at_once)


@pytest.mark.parametrize("name", ["intermediate.session_days", "intermediate.payments", "marts.daily_metrics"])
def test_a_model_dropped_and_built_again_is_the_same(shop: Home, at_once: dict[str, str], name: str) -> None:
    with open_shop(shop.settings) as opened:
        opened.warehouse.execute(f"drop table {name}")
        chunks = opened.chunks(shop.settings.start_date, LAST)
        materialize_model(opened.warehouse, load_models()[name], chunks, **opened.query_parameters)
    assert_same_export(shop.export(), at_once)


def test_chunks_of_a_range_do_not_show(shop: Home, at_once: dict[str, str]) -> None:
    with open_warehouse(shop.settings.warehouse_path) as warehouse, pytest.MonkeyPatch.context() as patch:
        uneven = [(day(-2), day(-1)), (day(0), day(3)), (day(4), day(4)), (day(5), LAST)]
        patch.setattr(Shop, "chunks", lambda self, from_date, to_date: uneven)
        opened = Shop()
        opened._settings, opened._warehouse = shop.settings, warehouse
        build_piece(opened, Piece(DAILY, FIRST, LAST))
        assert_same_export(export_canonical_rows(warehouse), at_once)
