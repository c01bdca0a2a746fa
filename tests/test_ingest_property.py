"""Whatever happens to a file on its way, every row that was read is loaded or quarantined."""

import gzip
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from funnelscope.ingest import find_duplicates, reconcile, take_deliveries
from funnelscope.settings import Settings
from funnelscope.warehouse.connection import Warehouse, open_in_memory_warehouse

DAY = date(2026, 1, 6)
LINES = 12
CSV = "event_id,event_time,event_type,visitor_id,page,dwell_ms\n" + "".join(
    f'e{number},2026-01-06T{number:02}:00:00Z,page_view,v{number},"page, {number}",{number * 100}\n'
    for number in range(LINES)
)
JSON_LINES = "".join(
    f'{{"event_id": "e{number}", "event_time": "2026-01-06T{number:02}:00:00Z", "event_type": "page_view", '
    f'"visitor_id": "v{number}", "page": "page, {number}", "sku": "页 \\u0041", "dwell_ms": {number * 100}}}\n'
    for number in range(LINES)
)


def _parquet() -> bytes:
    names = ("event_id", "event_time", "event_type")
    data = {name: [line.split(",")[place] for line in CSV.splitlines()[1:]] for place, name in enumerate(names)}
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table(data), sink)
    return bytes(sink.getvalue())


FILES: dict[str, bytes] = {
    "a.csv": CSV.encode(),
    "a.jsonl": JSON_LINES.encode(),
    "a.csv.gz": gzip.compress(CSV.encode()),
    "a.jsonl.zst": pa.compress(JSON_LINES.encode(), "zstd", asbytes=True),
    "a.parquet": _parquet(),
}


@dataclass
class Shop:
    warehouse: Warehouse
    settings: Settings


@pytest.fixture(scope="module")
def shop() -> Iterator[Shop]:
    with tempfile.TemporaryDirectory() as folder:
        given = {"shop": "demo", "start_date": "2026-01-01", "home": folder, "sources": [{"family": "page"}]}
        opened = open_in_memory_warehouse()
        yield Shop(opened, Settings.model_validate(given))
        opened.connection.close()


PIECES = st.sampled_from([b'"', b",", b"\n", b"\r", b"\0", b"\xff", b"{", b"}", b"\\ud800", b"\xe9\xa1", b"'", b"--"])
EDITS = st.lists(st.tuples(st.floats(0, 1), st.integers(0, 12), PIECES | st.binary(max_size=4)), min_size=1, max_size=4)


def _corrupted(content: bytes, edits: list[tuple[float, int, bytes]]) -> bytes:
    for place, removed, inserted in edits:
        start = int(place * len(content))
        content = content[:start] + inserted + content[start + removed :]
    return content


@pytest.mark.parametrize("name", FILES)
def test_corruption_never_loses_a_row(name: str, shop: Shop) -> None:
    _corrupt_at_random(name, shop, cases=5)


@pytest.mark.slow
@pytest.mark.parametrize("name", FILES)
def test_a_thousand_corruptions_never_lose_a_row(name: str, shop: Shop) -> None:
    _corrupt_at_random(name, shop, cases=1_000 // len(FILES))


def _corrupt_at_random(name: str, shop: Shop, cases: int) -> None:
    take = _taker(name, shop)

    @settings(max_examples=cases, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(EDITS)
    def nothing_is_lost(edits: list[tuple[float, int, bytes]]) -> None:
        take(_corrupted(FILES[name], edits))

    nothing_is_lost()


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "gone": lambda line: b"",
    "cut": lambda line: line[: len(line) // 2] + b"\n",
    "twice": lambda line: line + line,
    "a field more": lambda line: line.replace(b"\n", b",more\n"),
    "a field less": lambda line: line.replace(b"page_view,", b""),
    "a quote in front": lambda line: b'"' + line,
    "a quote inside": lambda line: line.replace(b"page, ", b'pa"ge, '),
    "a quote that stays open": lambda line: line.replace(b'",', b","),
    "zero bytes": lambda line: line.replace(b"v", b"\0\0"),
    "another encoding": lambda line: line.replace(b"page,", "页".encode("gbk")),
    "no time": lambda line: line.replace(b"2026", b"20x6"),
    "another time": lambda line: line.replace(b"2026-01-06T", b"06.01.2026 "),
    "the header again": lambda line: CSV.encode().splitlines(keepends=True)[0] + line,
    "a mark in the middle": lambda line: b"\xef\xbb\xbf" + line,
    "another line end": lambda line: line.replace(b"\n", b"\r"),
    "brackets": lambda line: b"[" + line[:-1] + b"]\n",
    "the same key": lambda line: line.replace(b"dwell_ms", b"page"),
}


@pytest.mark.parametrize("cases", [6, pytest.param(350, marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz", "a.jsonl"])
def test_the_lines_that_were_not_touched_are_read_as_before(name: str, cases: int, shop: Shop) -> None:
    take = _taker(name, shop)
    lines = FILES["a.jsonl" if name == "a.jsonl" else "a.csv"].splitlines(keepends=True)
    first = b"" if name == "a.jsonl" else lines.pop(0)

    def rows() -> dict[str, Any]:
        query = """
            select page, event_time, event_id, visitor_id, dwell_ms
            from raw.page_events
            join quality.deliveries using (delivery_id)
            where ends_with(file, $file)
        """
        return {row[0]: row for row in shop.warehouse.rows(query, file=f"/{name}")}

    def file_of(lines: list[bytes]) -> bytes:
        content = first + b"".join(lines)
        return gzip.compress(content) if name.endswith(".gz") else content

    take(file_of(lines))
    whole = rows()

    @settings(max_examples=cases, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(st.dictionaries(st.integers(0, LINES - 1), st.sampled_from(list(DAMAGES)), min_size=1, max_size=5))
    def untouched_lines_stay(damages: dict[int, str]) -> None:
        take(file_of([DAMAGES[damages[n]](line) if n in damages else line for n, line in enumerate(lines)]))
        read = rows()
        untouched = [f"page, {number}" for number in range(LINES) if number not in damages]
        assert {page: read.get(page) for page in untouched} == {page: whole[page] for page in untouched}

    untouched_lines_stay()


def _taker(name: str, shop: Shop) -> Callable[[bytes], None]:
    folder = Path(shop.settings.home) / "landing" / "page" / f"dt={DAY}"
    folder.mkdir(parents=True, exist_ok=True)

    def take(content: bytes) -> None:
        (folder / name).write_bytes(content)
        take_deliveries(shop.warehouse, shop.settings)
        find_duplicates(shop.warehouse, shop.settings.start_date, DAY + timedelta(days=1))
        for record in reconcile(shop.warehouse):
            assert record["difference"] == 0
            assert record["rows_read"] == record["accepted"] + record["duplicates"] + record["quarantined"]
        off = shop.warehouse.rows("from quality.deliveries where rows_read <> rows_loaded + rows_quarantined")
        assert off == []
        assert shop.warehouse.value("select count(*) from quality.quarantine where reason is null") == 0

    return take


def test_the_files_are_good_before_they_are_corrupted(shop: Shop) -> None:
    for name, content in FILES.items():
        _taker(name, shop)(content)
    counts = shop.warehouse.rows("select file, rows_loaded, rows_quarantined from quality.deliveries order by file")
    assert [(loaded, bad) for _, loaded, bad in counts] == [(LINES, 0)] * len(FILES)
