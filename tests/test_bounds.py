"""What a record, a file or a pattern may cost: memory and time stay bounded whatever is delivered."""

import gzip
import io
import json
import os
import resource
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hostile_landing import as_old_workbook, as_workbook
from intake_helpers import CONTRACT, GOOD, HEADER, MAPPED, Shop, line, set_aside

from funnelscope.ingest import deliveries
from funnelscope.ingest.readers import text_reader, workbook_reader, workbook_size
from funnelscope.messages.check_observations import LocalizedMessage
from funnelscope.messages.secrets import hide_secrets
from funnelscope.recognition import Layout, Sureness, draft_folder, export_files, read_export
from funnelscope.recognition.header_names import compile_pattern
from funnelscope.settings import Source
from funnelscope.warehouse.connection import open_in_memory_warehouse

GOOD_LINE = '{"event_time": "2026-01-06 10:00:00", "event_type": "paid", "order_id": "1"}\n'
TOO_LONG = (2, "bad_record", "a line above 1 MB; its beginning is kept")


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    yield Shop(opened := open_in_memory_warehouse(["set threads = 1"]), tmp_path)
    opened.connection.close()


@pytest.fixture
def a_line_of_a_megabyte(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_reader, "LONGEST_LINE", 2**20)


# -- lines


@pytest.mark.usefixtures("a_line_of_a_megabyte")
@pytest.mark.parametrize("sign", ["x", "1,", '"', "[", "\\", "a,b,c,d,"])
def test_a_line_above_the_bound_is_a_bad_record_and_the_next_is_read(sign: str, shop: Shop) -> None:
    giant = sign * (2**20 + 7) + "\n"
    told = shop.deliver(HEADER + giant + line(1) + line(2))
    assert (told.rows_loaded, told.quarantine) == (2, [TOO_LONG])
    kept = shop.warehouse.rows("select max(length(content)) from quality.quarantine")
    assert kept[0][0] <= 200_000


@pytest.mark.usefixtures("a_line_of_a_megabyte")
def test_an_object_above_the_bound_is_a_bad_record_and_the_next_is_read(shop: Shop) -> None:
    for sign in ("[", '{"a":', "x"):
        content = GOOD_LINE + sign * (2**20) + "\n" + GOOD_LINE.replace("10:", "11:")
        told = shop.deliver(content, CONTRACT, "orders.jsonl")
        assert (told.rows_loaded, told.quarantine) == (2, [TOO_LONG])


@pytest.mark.usefixtures("a_line_of_a_megabyte")
def test_the_last_line_may_be_the_giant_and_need_not_end(shop: Shop) -> None:
    told = shop.deliver(HEADER + line(1) + "x" * (3 * 2**20))
    assert told.quarantine == [(3, *TOO_LONG[1:])]


@pytest.mark.usefixtures("a_line_of_a_megabyte")
def test_a_header_without_end_sets_the_file_aside(shop: Shop) -> None:
    told = shop.deliver("a," * 2**20 + "\n" + line(1))
    assert (told.status, told.quarantine[0][1]) == ("quarantined", "bad_header")
    assert len(told.message) < 5_000


def test_an_object_with_keys_without_end_is_one_bad_line(shop: Shop) -> None:
    keys = json.dumps({f"key {number}": 1 for number in range(1_500)})
    again = "{" + ", ".join(f'"key {number % 199_999}": 1' for number in range(200_000)) + "}"
    begin = time.monotonic()
    told = shop.deliver(GOOD_LINE + keys + "\n" + again + "\n", CONTRACT, "orders.jsonl")
    assert time.monotonic() - begin < 20
    assert told.rows_loaded == 1
    assert told.quarantine == [
        (2, "bad_record", "1,500 keys, more than 1,000"),
        (3, "bad_record", "not JSON: key 'key 0' appears twice"),
    ]


def test_long_records_are_passed_on_before_they_fill_the_memory(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    from funnelscope.ingest.readers.record_stage import RecordStage

    waiting: list[int] = []
    flush = RecordStage._flush
    monkeypatch.setattr(
        RecordStage, "_flush", lambda stage: (waiting.append(stage.waiting_characters), flush(stage))[1]
    )
    note = "n" * 900_000
    content = "".join(GOOD_LINE.replace('"1"', f'"{n}", "note": "{note}"') for n in range(80))
    assert shop.deliver(content, CONTRACT, "orders.jsonl").rows_loaded == 80
    assert len(waiting) == 3
    assert max(waiting) < 34_000_000


# -- what expands


@pytest.mark.parametrize("name", ["orders.csv.gz", "orders.jsonl.gz"])
@pytest.mark.parametrize("content", [b"0" * 5_000_000, b"\n" * 200_000, GOOD.encode() + line(9).encode() * 90_000])
def test_a_gzip_bomb_is_set_aside(name: str, content: bytes, shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_reader, "EXPANDED_IN_ANY_CASE", 2**20)
    monkeypatch.setattr(text_reader, "LARGEST_EXPANSION", 20)
    told = shop.deliver(gzip.compress(content), MAPPED, name)
    assert told == set_aside(
        "unreadable",
        "holds more than 1 MB, far more than its compressed size suggests; deliver it again, or uncompressed",
    )


def _parquet(*, rows: int, **columns: object) -> bytes:
    sink = pa.BufferOutputStream()
    moments = pa.array([datetime(2026, 1, 6, 10, tzinfo=UTC)] * rows)
    pq.write_table(pa.table({"event_time": moments, "event_type": pa.array(["paid"] * rows)} | columns), sink)
    return bytes(sink.getvalue())


def test_a_parquet_file_with_more_rows_than_its_size_can_hold_is_set_aside(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deliveries, "ROWS_IN_ANY_CASE", 1_000_000)
    told = shop.deliver(_parquet(rows=2_000_000), CONTRACT, "orders.parquet")
    words = "claims 2,000,000 rows, more than a file of its size can hold; deliver it again"
    assert told == set_aside("unreadable", words)


def test_a_parquet_file_that_repeats_a_giant_value_is_set_aside(shop: Shop) -> None:
    giant = pa.DictionaryArray.from_arrays(pa.array([0] * 3_000, pa.int32()), pa.array(["x" * (17 * 2**20)]))
    for beside in (False, True):  # alone, and together with another file of the same columns
        if beside:
            (shop.home / "landing/order/dt=2026-01-06/a.parquet").write_bytes(
                _parquet(rows=1, note=pa.array(["short"]).dictionary_encode())
            )
            shop.settings = shop.settings.model_copy()
            deliveries.take_deliveries(shop.warehouse, shop.settings)
            told_files = shop.warehouse.rows("select status, message from quality.deliveries order by file")
            assert told_files[0] == ("loaded", "columns not read: note")
        else:
            told = shop.deliver(_parquet(rows=3_000, note=giant), CONTRACT, "orders.parquet")
            assert told == set_aside("unreadable", "column note holds a value of 17 MB, more than 16")


def _sheet_with(cells: str, claimed: int | None = None) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(as_workbook([["a"]]))) as old, zipfile.ZipFile(packed, "w", 8) as new:
        for name in old.namelist():
            content = old.read(name)
            if name.endswith("sheet1.xml"):
                content = (
                    '<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">'
                    f"<sheetData>{cells}</sheetData></worksheet>"
                ).encode()
            new.writestr(name, content)
    return packed.getvalue()


def _far_cell(place: str) -> str:
    return f'<row><c r="A1"><v>1</v></c></row><row><c r="{place}"><v>1</v></c></row>'


@pytest.mark.parametrize(
    ("place", "reach"),
    [
        ("XFD1048576", "row 1,048,576 and column 16,384"),
        ("xfd1048576", "row 1,048,576 and column 16,384"),
        ("A99999999", "row 99,999,999 and column 1"),
    ],
)
def test_a_workbook_with_cells_far_apart_is_set_aside(place: str, reach: str, shop: Shop) -> None:
    told = shop.deliver(_sheet_with(_far_cell(place)), MAPPED, "orders.xlsx")
    words = f"the cells of xl/worksheets/sheet1.xml reach to {reach}; all sheets up to there would hold more than"
    assert told == set_aside("unreadable", f"{words} 32,000,000 cells. {REMEDY}")


REMEDY = "Delete what lies beyond the table, or export as CSV"
SMALL = [(0, 0, "a"), (0, 1, "b"), (1, 0, 1.0), (1, 1, 2.0)]


def test_the_sheets_of_an_old_workbook_are_counted_together(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workbook_size, "MOST_CELLS", 1_000)
    far = [*SMALL, (299, 1, 1.0)]
    assert "reach" not in shop.deliver(as_old_workbook({"one": far}), MAPPED, "orders.xls").message
    told = shop.deliver(as_old_workbook({"one": far, "two": far}), MAPPED, "orders.xls")
    words = "the cells of two reach to row 300 and column 2; all sheets up to there would hold more than 1,000 cells"
    assert told == set_aside("unreadable", f"{words}. {REMEDY}")


@pytest.mark.parametrize("claimed", [(0, 2**16, 0, 2**16 - 1), (0, 2**32 - 1, 0, 2**16 - 1), (9, 2, 9, 2), None])
def test_an_old_workbook_that_claims_more_cells_than_there_is_memory_for_is_set_aside(
    claimed: tuple[int, int, int, int] | None, shop: Shop, tmp_path: Path
) -> None:
    cells = [*SMALL, (2**16 - 1, 2**16 - 1, 1.0)] if claimed is None else SMALL
    content = as_old_workbook({"one": cells}, claimed)
    problem = "cannot be opened with 3,072 MB and 120 s of a processor"
    words = f"is damaged: {problem}; deliver it again"
    assert shop.deliver(content, MAPPED, "orders.xls") == set_aside("unreadable", words)
    (tmp_path / "orders.xls").write_bytes(content)
    assert read_export(tmp_path / "orders.xls").problem == LocalizedMessage("damaged", error=problem)


@pytest.mark.parametrize(
    "content", [_sheet_with(_far_cell("XFD1048576")), as_old_workbook({"one": SMALL}, (9, 2, 9, 2))]
)
def test_a_giant_workbook_among_the_exports_is_named_and_the_others_are_recognised(
    content: bytes, tmp_path: Path
) -> None:
    (tmp_path / "exports").mkdir()
    (tmp_path / "exports" / ("a.xlsx" if content.startswith(b"PK") else "a.xls")).write_bytes(content)
    layout = Layout(name="own", title="own", columns=("mine", "yours"), formats=("csv",))
    (tmp_path / "exports" / "b.csv").write_text("mine,yours\n1,2\n")
    draft = draft_folder(tmp_path / "exports", tmp_path / "home", {"own": layout}, {}, "en")
    said = "\n".join(one.say_in("en") for sureness in Sureness for one in draft.list_said(sureness))
    assert "a.xls" in said
    assert "32,000,000 cells" in said or "cannot be opened with" in said
    assert "b.csv" in said
    assert "own" in said


def test_what_fails_in_a_reader_of_workbooks_sets_the_file_aside(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    class PanicException(BaseException):
        __module__ = "pyo3_runtime"

    def panic(path: Path) -> None:
        raise PanicException("index out of bounds")

    monkeypatch.setattr(workbook_reader, "open_workbook", panic)
    told = shop.deliver(as_workbook([["a"]]), MAPPED, "orders.xlsx")
    assert told == set_aside("unreadable", "is damaged: index out of bounds; deliver it again")


def test_a_workbook_that_unpacks_without_end_is_set_aside(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workbook_size, "MOST_UNPACKED", 2**21)
    told = shop.deliver(_sheet_with("<row></row>" * 400_000), MAPPED, "orders.xlsx")
    assert "unpacks to more than 2 MB" in told.message


# -- a file that needs more memory than there is


def test_a_file_that_needs_more_memory_waits_and_the_others_are_taken(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = deliveries.read_text

    def read_or_fail(warehouse: object, path: Path, *arguments: object) -> object:
        if path.name == "large.csv":
            raise MemoryError
        return read(warehouse, path, *arguments)  # type: ignore[arg-type]

    shop.deliver(GOOD)
    (shop.home / "landing/order/dt=2026-01-06/large.csv").write_text(GOOD.replace("2026-01-06", "2026-01-05"))
    with monkeypatch.context() as patch:
        patch.setattr(deliveries, "read_text", read_or_fail)
        intake = deliveries.take_deliveries(shop.warehouse, shop.settings)
    assert (intake.unchanged, intake.quarantined) == (1, 1)
    ((message,),) = shop.warehouse.rows("select message from quality.deliveries where status = 'unreachable'")
    assert message.startswith("needs more memory than memory_limit allows")
    assert deliveries.take_deliveries(shop.warehouse, shop.settings).rows_loaded == 3


# -- patterns

ENDLESS = "^(a|aa)+$"


def test_a_pattern_that_backtracks_without_end_sets_the_file_aside(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("funnelscope.settings.patterns.SECONDS_FOR_ALL", 0.5)
    begin = time.monotonic()
    told = shop.deliver(HEADER + line(1) + "a" * 5_000 + "b\n", MAPPED | {"skip_lines": ENDLESS})
    assert time.monotonic() - begin < 15
    words = f"the pattern {ENDLESS} tries too many ways to match; write it without a repetition within a repetition"
    assert told == set_aside("unreadable", words)


def test_a_pattern_for_the_day_that_backtracks_without_end_sets_the_file_aside(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("funnelscope.settings.patterns.SECONDS_FOR_ALL", 0.5)
    source = MAPPED | {"delivery_date": "/(?:a|aa)+_(x)"}
    told = shop.deliver(GOOD, source, "a" * 100 + "b.csv")
    assert (told.status, told.quarantine[0][1]) == ("quarantined", "no_delivery_date")


@pytest.mark.parametrize("given", [{"skip_lines": "("}, {"delivery_date": "("}])
def test_what_is_no_pattern_is_refused_with_the_settings(given: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="regular expression"):
        Source.model_validate({"family": "order"} | given)


def _layout(**keys: Any) -> Layout:
    return Layout.model_validate({"name": "own", "title": "own", "columns": ["mine", "yours"], "sources": []} | keys)


@pytest.mark.parametrize(
    "keys",
    [
        {"file_names": ENDLESS},
        {"values": {"mine": ENDLESS}},
        {"columns": [f"/{ENDLESS}/"]},
        {"without": [f"/{ENDLESS}/"]},
        {"from_file_name": {"shop": f"({ENDLESS})"}},
    ],
)
def test_a_layout_whose_pattern_backtracks_without_end_costs_its_files_only(
    keys: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("funnelscope.settings.patterns.SECONDS_FOR_ALL", 0.3)
    compile_pattern.cache_clear()
    folder = tmp_path / "exports"
    folder.mkdir()
    long = "a" * 100 + "b"
    (folder / f"{long}.csv").write_text(f"mine,yours,{long}\n{long},2\n")
    (folder / "good.csv").write_text("his,hers\n1,2\n")
    layouts = {"own": _layout(**keys), "good": _layout(name="good", columns=["his", "hers"])}
    begin = time.monotonic()
    draft = draft_folder(folder, tmp_path / "home", layouts, {}, "en")
    assert time.monotonic() - begin < 15
    asked = [one.say_in("en") for one in draft.list_said(Sureness.ASKED)]
    assert any(f"{long}.csv" in one and "tries too many ways to match" in one for one in asked), asked
    assert any(one.startswith("good.csv is recognised") for one in asked), asked


# -- what `init` reads


def test_values_that_are_no_numbers_and_nests_without_end_do_not_stop_the_recognition(tmp_path: Path) -> None:
    nested = '{"a":' * 980 + "1" + "}" * 980
    (path := tmp_path / "a.jsonl").write_text('{"a": Infinity, "b": NaN, "c": 1e999}\n' + nested + "\n")
    read = read_export(path)
    assert read.problem or read.tables


def test_a_header_without_end_is_not_compared_with_every_layout(tmp_path: Path) -> None:
    (path := tmp_path / "a.csv").write_text("a," * 200_000 + "\n")
    assert read_export(path).problem == LocalizedMessage("too_many_columns", most=1_000, column="'a'")


def test_a_gzip_bomb_among_the_exports_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export_files, "EXPANDED_IN_ANY_CASE", 10 * 2**20)
    (path := tmp_path / "a.csv.gz").write_bytes(gzip.compress(b"a,b\n" + b"1,2\n" * 6_000_000))
    assert read_export(path).problem == LocalizedMessage("expands_too_far", megabytes="10")


def test_a_parquet_file_that_repeats_a_giant_value_is_recognised_with_little_memory(tmp_path: Path) -> None:
    giant = pa.DictionaryArray.from_arrays(pa.array([0] * 2_000, pa.int32()), pa.array(["x" * 2**20]))
    (path := tmp_path / "a.parquet").write_bytes(_parquet(rows=2_000, note=giant))
    assert len(read_export(path).tables[0].rows) < 50


@pytest.mark.parametrize("text", ["a." * 200_000, "a://" * 100_000, "password='" * 100_000, "x:" * 200_000])
def test_secrets_are_hidden_in_bounded_time(text: str) -> None:
    begin = time.process_time()
    hide_secrets(text)
    assert time.process_time() - begin < 10


# -- measured

_MEASURED = """
import resource, sys
from pathlib import Path
from typing import Any
sys.path.insert(0, sys.argv[2])
from intake_helpers import CONTRACT, MAPPED, Shop
from funnelscope.warehouse.connection import open_in_memory_warehouse
shop = Shop(open_in_memory_warehouse(["set threads = 1", "set memory_limit = '500MB'"]), Path(sys.argv[1]))
source = MAPPED if sys.argv[3] == "csv" else CONTRACT
shop.take(source)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""


@pytest.mark.slow
@pytest.mark.parametrize("ending", ["csv", "jsonl"])
def test_a_gigabyte_without_a_line_end_takes_little_memory(ending: str, tmp_path: Path) -> None:
    folder = tmp_path / "landing/order/dt=2026-01-06"
    folder.mkdir(parents=True)

    def measure(parts: int) -> int:
        with (folder / f"orders.{ending}").open("wb") as stream:
            stream.write((HEADER if ending == "csv" else GOOD_LINE).encode())
            for _ in range(parts):
                stream.write(b"x" * 2**20)
        command = [sys.executable, "-c", _MEASURED, str(tmp_path), str(Path(__file__).parent), ending]
        done = subprocess.run(command, capture_output=True, text=True, check=True, env=dict(os.environ))
        return int(done.stdout)

    assert measure(1_024) - measure(1) < 250  # MB
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
