"""The quarantine as a place to work: rows come back as if never refused, and what is given up stays accounted for."""

import re
import shutil
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest
from intake_helpers import CONTRACT, DAY, Shop
from shop_helpers import Home, assert_same_export, build_days
from typer.testing import CliRunner

from funnelscope.ingest import create_tables, find_duplicates, reconcile, take_deliveries
from funnelscope.ingest.quarantine import Selection, count_by_reason, count_rows, drop_rows, show_rows
from funnelscope.messages.check_observations import CheckObservation
from funnelscope.publication.erasure import begin_erasure
from funnelscope.warehouse.checks import load_contracts
from funnelscope.warehouse.connection import open_in_memory_warehouse, open_warehouse
from pipelines.cli.app import app, print_quarantined
from pipelines.jobs import DAILY
from pipelines.planning import Piece

FIRST, LAST = date(2026, 1, 5), date(2026, 1, 7)

CONFIG = """\
shop: Test shop
timezone: Asia/Shanghai
language: en
start_date: 2026-01-05
threads: 2
sources:
  - family: page
  - family: order
    event_types: {{column: event_type, values: {{created: created, {paid}: paid}}}}
"""
PAGES = "event_time,event_type,visitor_id,page_type,product_id,dwell_ms\n"
ORDERS = "event_time,event_type,order_id,visitor_id,customer_id,amount\n"


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    yield Shop(opened := open_in_memory_warehouse(["set threads = 1"]), tmp_path)
    opened.connection.close()


# -- rows that come back


def small_shop(folder: Path, paid: str = "PAY", amount: str = "59.90") -> Home:
    """A shop of three days and one visitor a day, whose orders are paid with the word PAY."""
    home = Home(folder)
    folder.mkdir()
    home.config.write_text(CONFIG.format(paid=paid))
    for number in (5, 6, 7):
        day, visitor = f"2026-01-0{number}", f"v{number}"
        deliver(home, "page", day, PAGES + f"{day} 10:00:00,product_view,{visitor},product,teapot,45000\n")
        ordered = f"{day} 10:02:00,created,{number},{visitor},ann,59.90\n"
        given = amount if number == 6 else "59.90"
        deliver(home, "order", day, ORDERS + ordered + f"{day} 10:03:00,PAY,{number},{visitor},ann,{given}\n")
    return home


def deliver(home: Home, family: str, day: str, text: str) -> None:
    path = home.path / "landing" / family / f"dt={day}" / "events.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.fixture(scope="module")
def right_at_once(tmp_path_factory: pytest.TempPathFactory) -> Home:
    home = small_shop(tmp_path_factory.mktemp("quarantine") / "right")
    build_days(home, FIRST, LAST)
    return home


@pytest.mark.parametrize("mended", ["the rule", "the file"])
def test_rows_that_come_back_end_in_the_tables_of_a_shop_that_was_right_at_once(
    mended: str, right_at_once: Home, tmp_path: Path
) -> None:
    wrong = {"paid": "PAID"} if mended == "the rule" else {"amount": "59.9O"}
    home = small_shop(tmp_path / "wrong", **wrong)
    shutil.copy(right_at_once.settings.identity_key_path, home.settings.identity_key_path)
    build_days(home, FIRST, LAST)
    assert home.export() != right_at_once.export()
    with open_warehouse(home.settings.warehouse_path) as warehouse:
        refused = {count["reason"]: count["rows"] for count in count_rows(warehouse, Selection())}
    assert set(refused) == ({"unknown_event_type"} if mended == "the rule" else {"bad_type"})

    right = small_shop(tmp_path / "right")
    shutil.copy(right.config, home.config)
    shutil.copytree(right.path / "landing", home.path / "landing", dirs_exist_ok=True)
    build_days(home, LAST, LAST)
    assert_same_export(home.export(), right_at_once.export())
    with open_warehouse(home.settings.warehouse_path) as warehouse:
        assert count_rows(warehouse, Selection()) == []


# -- the days that refused rows count to

HISTORY = "event_time,event_type,order_id,amount\n" + "".join(
    f"{time},paid,{number},{amount}\n"
    for number, (time, amount) in enumerate(
        (
            ("yesterday", "1.00"),  # above every dated row: the first day
            ("2026-01-04 10:00:00", "1.00"),
            ("2026-01-04 11:00:00", "1,x"),
            ("yesterday", "1.00"),
            ("2026-01-05 10:00:00", "1.00"),
            ("2026-09-05 10:00:00", "1.00"),  # later than its delivery
            ("1970-01-01 00:00:00", "1.00"),  # a clock that was never set
            ("2025-12-31 10:00:00", "1.00"),  # before the shop's start: of no day that is judged
            ("2026-01-06 10:00:00", "1.00"),
        )
    )
)


def test_refused_rows_count_to_the_days_that_they_are_of(shop: Shop) -> None:
    """By their own time; without a credible one, with the row above: a file of a history is judged day by day."""
    shop.deliver(HISTORY, CONTRACT, day=date(2026, 1, 20))
    counted = shop.warehouse.rows("select row_number, counted_date from quality.quarantine order by row_number")
    assert counted == [
        (2, date(2026, 1, 4)),
        (4, date(2026, 1, 4)),
        (5, date(2026, 1, 4)),
        (7, date(2026, 1, 5)),
        (8, date(2026, 1, 5)),
        (9, date(2025, 12, 31)),
    ]
    days = [count["day"] for count in count_rows(shop.warehouse, Selection()) for _ in range(count["rows"])]
    assert sorted(days) == sorted(day for _, day in counted)


def test_without_a_dated_row_the_day_of_delivery_is_left(shop: Shop) -> None:
    shop.deliver("event_time,event_type,order_id\nyesterday,paid,1\nyesterday,paid,2\n", CONTRACT)
    assert shop.warehouse.rows("select distinct counted_date from quality.quarantine") == [(DAY,)]


def test_a_built_day_that_gets_refusals_later_is_built_and_judged_again(tmp_path: Path) -> None:
    """Also where the file that brings them is of a later day, and none of its rows is taken for the built one."""
    home = small_shop(tmp_path / "shop")
    build_days(home, FIRST, LAST, is_published=True)
    late = "".join(f"2026-01-05 1{n}:00:00,paid,{n},v5,ann,5.O\n" for n in range(9))
    (home.path / "landing/order/dt=2026-01-07/late.csv").write_text(
        ORDERS + late + "2026-01-07 12:00:00,created,99,v7,ann,5.00\n"
    )
    pieces = build_days(home, LAST, LAST, is_published=True)
    assert min(piece.from_date for piece in pieces) == FIRST
    with open_warehouse(home.settings.warehouse_path) as warehouse:
        verdicts = dict(warehouse.rows("select business_date, verdict from quality.day_verdict"))
        assert verdicts[FIRST] == "blocked"
        counts = warehouse.rows("select rows_read, rows_accepted, rows_quarantined from quality.family_days "
            "where family = 'order' and business_date = '2026-01-05'")  # fmt: skip
        assert counts == [(11, 2, 9)]
    assert build_days(home, LAST, LAST) == [Piece(DAILY, LAST, LAST)]  # and nothing is stale any more


def test_a_conflict_is_shown_as_it_was_delivered(shop: Shop) -> None:
    """Not as it is stored, with hashes for ids; a file that is gone leaves no choice."""
    shop.deliver(MIXED, CONTRACT)

    def shown() -> str:
        (row,) = show_rows(shop.warehouse, Selection(reason="conflicting_duplicate"), 9)
        return str(row["content"])

    file = shop.home / "landing/order" / f"dt={DAY}" / "orders.csv"
    text = file.read_text()
    (place,) = [row["row_number"] for row in show_rows(shop.warehouse, Selection(reason="conflicting_duplicate"), 9)]
    line = text.splitlines(keepends=True)[place - 1]
    assert '"event_type":"paid"' in shown()
    shop.warehouse.execute("update quality.quarantine set content = null where reason = 'conflicting_duplicate'")
    file.write_text(text + "\n")  # another version, which is not what was loaded
    find_duplicates(shop.warehouse, DAY, DAY, shop.settings)
    assert '"event_type":"paid"' in shown()
    file.write_text(text)
    shop.warehouse.execute("update quality.quarantine set content = null where reason = 'conflicting_duplicate'")
    find_duplicates(shop.warehouse, DAY, DAY, shop.settings)
    assert shown() == line
    file.unlink()
    find_duplicates(shop.warehouse, DAY, DAY, shop.settings)  # what is known stays
    assert shown() == line


def test_a_run_ends_with_what_waits_in_quarantine(shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    create_tables(shop.warehouse)
    print_quarantined(count_by_reason(shop.warehouse), "en")
    assert capsys.readouterr().out == "Quarantine: empty.\n"
    shop.deliver(MIXED + "4,2026-01-06 10:00:00,paid,4,six\n", CONTRACT)
    (shop.home / "landing/order" / f"dt={DAY}" / "broken.csv").write_bytes(b"PK\x03\x04")
    take_deliveries(shop.warehouse, shop.settings)
    drop_rows(shop.warehouse, Selection(reason="bad_time"))
    for language, line in {
        "en": "Quarantine: 3 rows and 1 whole files. A value is of the wrong kind (bad_type): 2; Same event, other "
        "content (conflicting_duplicate): 1; The file cannot be read (unreadable): 1. See: funnelscope quarantine list",
        "zh": "隔离区：3 行，另有 1 个完整文件。值的类型不对（bad_type）：2；"
        "同一事件、内容不同（conflicting_duplicate）：1；"
        "文件无法读取（unreadable）：1。查看：funnelscope quarantine list",
    }.items():
        print_quarantined(count_by_reason(shop.warehouse), language)
        assert capsys.readouterr().out == line + "\n"


def test_a_forgotten_person_is_not_left_in_the_text_of_somebody_elses_conflict(shop: Shop) -> None:
    """The note is not read into raw, but it is part of the line that was delivered."""
    text = "event_id,event_time,event_type,order_id,amount,note\n" + "".join(
        f"1,2026-01-06 10:00:00,paid,1,{amount},for ann@example.com\n" for amount in ("5.00", "6.00")
    )
    shop.deliver(text, CONTRACT)
    shop.warehouse.execute("update quality.quarantine set content = null")
    find_duplicates(shop.warehouse, DAY, DAY, shop.settings)
    conflict = Selection(reason="conflicting_duplicate")
    assert "ann@example.com" in show_rows(shop.warehouse, conflict, 9)[0]["content"]
    begin_erasure(shop.warehouse, shop.settings, ["ann@example.com"])
    assert show_rows(shop.warehouse, conflict, 9)[0]["content"] == "{}"
    shop.warehouse.execute("update quality.quarantine set content = null")  # as when the file is read again
    find_duplicates(shop.warehouse, DAY, DAY, shop.settings)
    assert show_rows(shop.warehouse, conflict, 9)[0]["content"] == "{}"


# -- rows that are given up

HEADER = "event_id,event_time,event_type,order_id,amount\n"
MIXED = HEADER + (
    "1,2026-01-06 10:00:00,paid,1,5.00\n"
    "2,yesterday,paid,2,5.00\n"
    "3,2026-01-06 10:00:00,paid,3,five\n"
    "1,2026-01-06 10:00:00,paid,1,6.00\n"  # the id of the first with another content
)


def reconciled(shop: Shop) -> tuple[int, int, int, int, int]:
    (record,) = reconcile(shop.warehouse)
    return tuple(record[name] for name in ("rows_read", "accepted", "duplicates", "quarantined", "difference"))


def warnings(shop: Shop, name: str) -> list[str]:
    (contract,) = (each for each in load_contracts() if each.name == name)
    cases = shop.warehouse.records(contract.query, from_date=DAY, to_date=DAY)
    return [CheckObservation(name, case).observed_text for case in cases]


def test_dropped_rows_lose_their_content_and_stay_accounted_for(shop: Shop) -> None:
    shop.deliver(MIXED, CONTRACT)
    assert reconciled(shop) == (4, 1, 0, 3, 0)
    assert warnings(shop, "little_is_in_quarantine") == ["Orders: 3 of 4 rows"]
    assert drop_rows(shop.warehouse, Selection(reason="bad_time")) == [DAY]
    assert reconciled(shop) == (4, 1, 0, 3, 0)
    assert warnings(shop, "little_is_in_quarantine") == ["Orders: 2 of 4 rows"]
    left = {row["reason"] for row in show_rows(shop.warehouse, Selection(), 9)}
    assert left == {"bad_type", "conflicting_duplicate"}
    ((row),) = show_rows(shop.warehouse, Selection(dropped=True), 9)
    assert (row["row_number"], row["reason"], row["content"], row["detail"]) == (3, "bad_time", None, None)


def test_a_dropped_conflict_stays_dropped_when_its_day_is_built_again(shop: Shop) -> None:
    shop.deliver(MIXED, CONTRACT)
    drop_rows(shop.warehouse, Selection(reason="conflicting_duplicate"))
    find_duplicates(shop.warehouse, DAY, DAY)
    (row,) = show_rows(shop.warehouse, Selection(dropped=True), 9)
    assert (row["reason"], row["content"]) == ("conflicting_duplicate", None)
    assert reconciled(shop) == (4, 1, 0, 3, 0)


def test_dropped_rows_come_back_when_their_file_is_mended(shop: Shop) -> None:
    shop.deliver(MIXED, CONTRACT)
    drop_rows(shop.warehouse, Selection(family="order"))
    shop.deliver(MIXED.replace("yesterday", "2026-01-06 09:00:00"), CONTRACT)
    assert reconciled(shop) == (4, 2, 0, 2, 0)
    assert [count["reason"] for count in count_rows(shop.warehouse, Selection())] == [
        "bad_type",
        "conflicting_duplicate",
    ]


def test_a_file_that_is_given_up_no_longer_warns_on_its_day(shop: Shop) -> None:
    shop.deliver(b"PK\x03\x04", CONTRACT)
    assert len(warnings(shop, "whole_files_are_readable")) == 1
    drop_rows(shop.warehouse, Selection(file="orders.csv"))
    assert warnings(shop, "whole_files_are_readable") == []


def test_the_command_shows_what_it_would_drop_and_asks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = Home(tmp_path)
    home.config.write_text(CONFIG.format(paid="PAY"))
    deliver(home, "order", str(DAY), MIXED)
    for name, value in home.environment.items():
        monkeypatch.setenv(name, value)
    given = Shop(opened := open_in_memory_warehouse(["set threads = 1"]), home.path)
    opened.connection.close()
    with open_warehouse(home.settings.warehouse_path) as given.warehouse:
        given.take(CONTRACT)
    run = CliRunner().invoke
    assert "choose the rows to drop" in run(app, ["quarantine", "drop"]).output
    asked = run(app, ["quarantine", "drop", "--reason", "bad_time"], input="n\n")
    assert asked.exit_code == 1
    assert "Drop these 1 rows for good? Their content is erased from the warehouse" in asked.output
    assert "bad_time" in run(app, ["quarantine", "list"]).output
    done = run(app, ["quarantine", "drop", "--reason", "bad_time"], input="y\n")
    assert "Dropped: 1 rows. Built again: no day" in done.output
    assert "bad_time" not in run(app, ["quarantine", "list"]).output
    assert "bad_time" in run(app, ["quarantine", "list", "--dropped"]).output
    assert "Dropped: 2 rows" in run(app, ["quarantine", "drop", "--family", "order", "--yes"]).output
    assert "Nothing is in quarantine." in run(app, ["quarantine", "list"]).output
    assert "None of these rows is in quarantine" in run(app, ["quarantine", "drop", "--family", "order"]).output


@pytest.mark.slow
def test_a_day_that_warns_of_a_given_up_file_is_built_again_without_the_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = small_shop(tmp_path / "shop")
    (home.path / "landing/order/dt=2026-01-05/broken.csv").write_bytes(b"PK\x03\x04")
    for name, value in home.environment.items():
        monkeypatch.setenv(name, value)
    run = CliRunner().invoke
    assert run(app, ["run", "--date", str(FIRST)]).exit_code == 0
    assert re.search(rf"^{FIRST} +warned ", run(app, ["status"]).output, re.M)
    dropped = run(app, ["quarantine", "drop", "--file", "broken.csv", "--yes"])
    assert f"Dropped: 1 rows. Built again: {FIRST}" in dropped.output
    assert re.search(rf"^{FIRST} +published ", run(app, ["status"]).output, re.M)


def test_a_backfill_builds_the_days_of_which_deliveries_tell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, plain_runs: None, quick_printing: None
) -> None:
    home = small_shop(tmp_path / "shop")
    home.config.write_text(re.sub(r"start_date: .*", "start_date: 2020-01-01", home.config.read_text()))
    for name, value in home.environment.items():
        monkeypatch.setenv(name, value)
    done = CliRunner().invoke(app, ["backfill"])
    status = CliRunner().invoke(app, ["status"]).output
    assert str(FIRST) in status
    assert str(FIRST - timedelta(days=1)) not in status
    assert done.exit_code == 0, done.output
    assert f"The last day with data is {LAST}; nothing was delivered for the days after it." in done.output
    assert f"reports/{LAST}/" in done.output.replace("\n", "")
