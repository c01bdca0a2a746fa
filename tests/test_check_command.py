"""`funnelscope check`: what the settings make of the newest file of each source, said before anything is built."""

import io
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import pytest

from funnelscope.settings import load_settings
from pipelines import doctor
from pipelines.cli import main

SETTINGS = """\
shop: Test shop
timezone: Asia/Shanghai
language: en
start_date: 2026-01-01
sources:
  - &orders
    family: order
    name: created
    files: exports/orders_*.csv
    delivery_date: 'orders_(\\d{8})'
    columns: {event_time: 下单, order_id: 订单编号}
    event_types: created
  - <<: *orders
    name: paid
    where: '"付款" <> '''''
    columns: {event_time: 付款, order_id: 订单编号}
    expressions:
      product_id: '"商品"'
      amount: replace("金额", '元', '')::DECIMAL(18, 2)
    event_types: paid
  - family: page
    files: exports/clicks_*.jsonl
    delivery_date: 'clicks_(\\d{8})'
    time_format: epoch_microseconds
    columns: {event_time: ts, visitor_id: visitor}
    event_types: {column: act, values: {view: product_view}, others: leave_out}
"""
LINE_OF_AMOUNT = 1 + SETTINGS[: SETTINGS.index("amount:")].count("\n")
LINE_OF_WHERE = 1 + SETTINGS[: SETTINGS.index("where:")].count("\n")
LINE_OF_FILES = SETTINGS[: SETTINGS.index("order_id: 订单编号}")].count("\n") + 1
ORDERS = """\
订单编号,下单,付款,金额,商品,备注
1,2026-01-06 09:00:00,2026-01-06 09:10:00,12.50元,cup,x
2,2026-01-06 09:00:00,,12元,cup,
3,2026-01-06 09:00:00,2026-01-06 09:30:00,about ten,cup,
"""
CLICKS = """\
{"ts": 1767664800123456, "visitor": "ann", "act": "view", "screen": 3}
{"ts": 1767664800123457, "visitor": "bob", "act": "scroll"}
"""


class Folder:
    """A folder of exports with its settings, before the first run."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.write("funnelscope.yaml", SETTINGS)
        self.write("exports/orders_20260105.csv", "damaged")
        self.write("exports/orders_20260107.csv", ORDERS)
        self.write("exports/clicks_20260107.jsonl", CLICKS)

    def write(self, name: str, text: str) -> None:
        (self.path / name).parent.mkdir(exist_ok=True)
        (self.path / name).write_text(text, encoding="utf-8")

    def list_files(self) -> set[str]:
        return {path.relative_to(self.path).as_posix() for path in self.path.rglob("*")}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Folder:
    monkeypatch.setenv("FUNNELSCOPE_HOME", str(tmp_path))
    monkeypatch.setenv("FUNNELSCOPE_CONFIG", str(tmp_path / "funnelscope.yaml"))
    return Folder(tmp_path)


def check(*arguments: str) -> tuple[int, str]:
    """Exit code, and all that is printed."""
    out = io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(out):
        patch.setattr(sys, "argv", ["funnelscope", "check", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
    return int(ended.value.code or 0), out.getvalue()


def test_a_good_source_shows_rows_before_and_after_and_stores_nothing(folder: Folder) -> None:
    before = folder.list_files()
    code, out = check("created")
    assert code == 0
    assert out.splitlines() == [
        "ok   created (Orders): exports/orders_20260107.csv, the newest of 2, delivered 2026-01-07",
        "  3 rows: 3 accepted, 0 duplicates, 0 refused",
        "  times from 2026-01-06 09:00:00 to 2026-01-06 09:00:00 (Asia/Shanghai)",
        *(
            line
            for number in (1, 2, 3)
            for line in (
                f"  row {number + 1}",
                f"    came   订单编号={number}  下单=2026-01-06 09:00:00",
                f"    mapped event_time=2026-01-06 09:00:00  event_type=created  order_id={number}",
            )
        ),
        "  unused columns: 付款, 金额, 商品, 备注",
    ]
    assert folder.list_files() == before


def test_an_expression_that_fails_on_a_row_is_named_with_its_line_and_error(folder: Folder) -> None:
    code, out = check("paid")
    assert code == 1
    assert "BAD  paid" in out
    assert "2 rows: 1 accepted, 0 duplicates, 1 refused" in out
    assert "1 rows left out by where" in out
    refused = out.index("refused 1: An expression of the mapping failed (failed_expression), first row 4")
    assert 'Could not convert string "about ten" to DECIMAL(18,2)' in out[refused:]
    assert f"funnelscope.yaml, line {LINE_OF_AMOUNT}: expressions.amount" in out[refused:]
    assert "  row 4, refused\n    came   订单编号=3" in out
    assert "unused columns: 下单, 备注" in out


@pytest.mark.parametrize(
    ("written", "instead", "line", "words"),
    [
        ('replace("金额"', 'replace("价格"', LINE_OF_AMOUNT, "the expression for amount does not fit"),
        ('where: \'"付款"', 'where: \'"付 款"', LINE_OF_WHERE, "where does not fit"),
    ],
)
def test_an_expression_that_fits_no_row_is_named_with_its_line(
    written: str, instead: str, line: int, words: str, folder: Folder
) -> None:
    folder.write("funnelscope.yaml", SETTINGS.replace(written, instead))
    code, out = check("paid")
    assert code == 1
    assert f"not taken: {words}" in out
    assert f"funnelscope.yaml, line {line}: " in out


def test_a_missing_column_is_named_with_the_line_that_wants_it_and_the_nearest(folder: Folder) -> None:
    folder.write("exports/orders_20260108.csv", ORDERS.replace("订单编号", "订单号"))
    code, out = check("created")
    assert code == 1
    assert "exports/orders_20260108.csv, the newest of 3" in out
    assert "column '订单编号' (for order_id) is missing; did you mean '订单号'?" in out
    assert f"funnelscope.yaml, line {LINE_OF_FILES}: columns.order_id" in out


def test_event_types_that_nobody_maps_are_counted(folder: Folder) -> None:
    code, out = check("page")
    assert code == 0
    assert "event types that nobody maps, left out: scroll 1" in out
    assert "mapped event_time=2026-01-06 10:00:00  event_type=product_view  visitor_id=ann" in out
    assert "unused columns: screen" in out
    folder.write("funnelscope.yaml", SETTINGS.replace(", others: leave_out", ""))
    code, out = check("page")
    assert code == 1
    assert "event types that nobody maps, in quarantine: scroll 1" in out


def test_times_of_another_epoch_are_told(folder: Folder) -> None:
    folder.write("funnelscope.yaml", SETTINGS.replace("epoch_micro", "epoch_milli"))
    code, out = check("page")
    assert code == 1
    assert "looks misread: times look like epoch_microseconds" in out
    code, out = check("page", "--language", "zh")
    assert code == 1
    assert "可能读错：时间看起来是 epoch_microseconds" in out


def test_a_pattern_that_matches_nothing_is_told_with_the_nearest_files(folder: Folder) -> None:
    folder.write("funnelscope.yaml", SETTINGS.replace("exports/clicks_*.jsonl", "export/click_*.jsonl"))
    code, out = check("page")
    assert code == 1
    assert f"no file matches {folder.path}/export/click_*.jsonl\n  there is {folder.path}/exports/clicks" in out
    optional = "export/click_*.jsonl\n    required: false"
    folder.write("funnelscope.yaml", SETTINGS.replace("exports/clicks_*.jsonl", optional))
    assert check("page")[0] == 0


def test_a_folder_that_is_far_from_any_is_not_searched_for(folder: Folder) -> None:
    folder.write("funnelscope.yaml", SETTINGS.replace("exports/clicks_*.jsonl", "/nowhere/at/all/click_*.jsonl"))
    code, out = check("page")
    assert (code, out) == (1, "BAD  page: no file matches /nowhere/at/all/click_*.jsonl\n")


def test_a_damaged_record_is_shown_as_it_came(folder: Folder) -> None:
    folder.write("exports/clicks_20260108.jsonl", CLICKS + "not json at all\n")
    code, out = check("page")
    assert code == 1
    assert "(bad_record), first row 3: not JSON" in out
    assert "    came   not json at all" in out


def test_versions_of_an_event_are_told_from_refused_rows(folder: Folder) -> None:
    twice = CLICKS.replace("bob", "cid").replace("scroll", "view") + CLICKS
    folder.write("exports/clicks_20260108.jsonl", twice)
    declared = SETTINGS.replace("visitor_id: visitor}", "visitor_id: visitor, event_id: screen}")
    folder.write(
        "funnelscope.yaml", declared.replace("event_types: {column", "duplicates: first\n    event_types: {column")
    )
    code, out = check("page")
    assert "3 rows: 2 accepted, 1 duplicates, 0 refused" in out
    assert code == 0
    folder.write("exports/clicks_20260108.jsonl", twice.replace("ann", "eve", 1))
    code, out = check("page")
    assert "1 of the duplicates are other versions of an event (duplicates: first)" in out
    assert code == 0


def test_all_sources_are_checked_unless_one_is_named(folder: Folder) -> None:
    code, out = check()
    assert code == 1
    assert [line.split()[:2] for line in out.splitlines() if line[0] != " "] == [
        ["ok", "created"],
        ["BAD", "paid"],
        ["ok", "page"],
        ["Rows", "as"],
    ]
    lines = out.splitlines()
    assert lines[0] == (
        "ok   created (Orders): exports/orders_20260107.csv, delivered 2026-01-07: 3 rows: 3 accepted, 0 duplicates, "
        "0 refused; 2026-01-06 09:00:00 – 2026-01-06 09:00:00"
    )
    assert lines[1].startswith("BAD  paid")
    assert "  row 4, refused" in lines
    code, out = check("payd")
    assert code == 1
    assert "no source is called 'payd'; did you mean 'paid'?" in out
    code, out = check("paid", "--language", "fr")
    assert (code, out) == (1, "Error: --language fr: choose one of en, zh\n")


def test_a_folder_without_a_fault_is_told_to_be_built_until_it_is(folder: Folder) -> None:
    folder.write("exports/orders_20260107.csv", ORDERS.replace("about ten", "10"))
    code, out = check()
    assert (code, out.splitlines()[-1]) == (0, "Next: funnelscope backfill, which builds every day that there is")
    (folder.path / "warehouse.duckdb").touch()
    assert "Next:" not in check()[1]


def test_files_beside_the_home_are_named_within_their_folder(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder.path / "home").mkdir()
    monkeypatch.setenv("FUNNELSCOPE_HOME", str(folder.path / "home"))
    folder.write("funnelscope.yaml", SETTINGS.replace("files: exports", "files: ../exports"))
    assert "ok   created (Orders): orders_20260107.csv, the newest of 2" in check("created")[1]
    folder.write("funnelscope.yaml", SETTINGS.replace("files: exports/clicks", "files: ../exports/click_"))
    assert f"no file matches {folder.path}/exports/click__" in check("page")[1]


def test_a_note_on_a_source_that_is_fine_is_told_beside_its_line(folder: Folder) -> None:
    fields = "visitor_id: visitor}\n    expressions: {page: visitor.url}"
    folder.write("funnelscope.yaml", SETTINGS.replace("visitor_id: visitor}", fields))
    lines = check()[1].splitlines()
    assert (
        "  no row has visitor.url" in lines[lines.index(next(one for one in lines if one.startswith("ok   page"))) + 1]
    )


def test_settings_without_sources_say_so(folder: Folder) -> None:
    folder.write("funnelscope.yaml", SETTINGS[: SETTINGS.index("sources:")])
    code, out = check()
    assert code == 1
    assert "no sources: name at least one family under sources" in out


def test_every_sentence_is_there_in_chinese(folder: Folder) -> None:
    _, out = check("--language", "zh")
    chinese = [line for line in out.splitlines() if "first row" in line or "accepted" in line or "unused" in line]
    assert chinese == []
    assert "正常 created（订单）：exports/orders_20260107.csv" in out
    assert "拒收 1 行：映射表达式出错（failed_expression），首见第 4 行" in out


def test_doctor_refuses_what_the_run_refuses(folder: Folder) -> None:
    query = "  - {family: service, attach: helpdesk.sqlite, query: select 1}\n"
    folder.write("funnelscope.yaml", SETTINGS + query)
    notes = list(doctor._check_landing_zone(load_settings()))
    (missing,) = (note for note in notes if not note.is_fine)
    assert f"no file matches {folder.path}/helpdesk.sqlite" in missing.words
    folder.write("helpdesk.sqlite", "")
    assert all(note.is_fine for note in doctor._check_landing_zone(load_settings()))
    assert doctor._check_identity_key(load_settings()).is_fine
    folder.write("warehouse.duckdb", "")
    assert "identity.key is gone" in doctor._check_identity_key(load_settings()).words
