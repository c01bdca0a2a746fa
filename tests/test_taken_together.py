"""Files that are taken in one statement leave exactly what they leave when each is taken alone."""

import random
from collections.abc import Iterator
from dataclasses import asdict
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from funnelscope.ingest import deliveries, reconcile, take_deliveries
from funnelscope.ingest.mapping.source_mapping import SourceMapping
from funnelscope.settings import Settings
from funnelscope.warehouse.connection import Warehouse, open_in_memory_warehouse

FIRST = date(2026, 3, 26)
# The clocks of Berlin skip an hour on 29 March: a warning that only some of the files get.
GIVEN: dict[str, Any] = {"shop": "Test shop", "start_date": "2026-03-25", "timezone": "Europe/Berlin"}
PLAIN: dict[str, Any] = {"family": "order"}
MAPPED: dict[str, Any] = {
    "family": "order",
    "columns": {"order_id": "order_id", "event_time": "event_time", "customer_id": "visitor_id", "sku": "sku"},
    "expressions": {"amount": "try_cast(amount as DOUBLE) * 2", "coupon": "delivery_date || '/' || sku"},
    "event_types": {"column": "event_type", "values": {"paid": "paid", "new": "created"}, "others": "leave_out"},
    "empty_values": ["-", "none"],
}
FAILING: dict[str, Any] = {"family": "order", "expressions": {"amount": "amount::DOUBLE"}}
SOURCES = {
    "by contract names": PLAIN,
    "repeats kept": PLAIN | {"duplicates": "keep"},
    "mapped": MAPPED,
    "an expression that fails": FAILING,
}
ODD_TEXTS = (
    "",
    " ",
    "-",
    "none",
    " a",
    "b\t",
    '="007"',
    "=",
    "\u3000x",
    "1.2E+17",
    "x\0y",
    "l" * 1_001,
    "ab+c",
    "张三",
)


@pytest.fixture(params=SOURCES)
def source(request: pytest.FixtureRequest) -> dict[str, Any]:
    return SOURCES[request.param]


def draw_file(draw: random.Random, day: date) -> pa.Table:
    """Some orders delivered on the day: most of them sound, in some files all of them."""
    count = draw.choice([0, 1, 3, 40])
    oddness = draw.choice([0, 0, 0.1, 0.5])

    def text(*usual: str) -> str | None:
        if draw.random() < oddness:
            return draw.choice(ODD_TEXTS)
        return draw.choice([*usual, None]) if draw.random() < 0.3 else draw.choice(usual)

    def time() -> str:
        if draw.random() < oddness:
            return draw.choice(["", "29.03.2026 10:00", "2026-05-01 10:00:00", "2020-01-01", "soon"])
        hour = datetime.combine(day, datetime.min.time()) + timedelta(minutes=draw.randrange(-600, 1600))
        return str(hour)

    has_ids = draw.random() < 0.7
    columns = {
        "event_id": [f"{day}-{draw.randrange(30)}" if has_ids or draw.random() < 0.5 else None for _ in range(count)],
        "event_time": [time() for _ in range(count)],
        "event_type": [text("paid", "created", "new") for _ in range(count)],
        "order_id": [text("o1", "o2", "o3") for _ in range(count)],
        "visitor_id": [text("v1", "v2") for _ in range(count)],
        "sku": [text("s1", "s2") for _ in range(count)],
        "amount": [text("1.00", "2.50", "99") for _ in range(count)],
    }
    table = pa.table({name: pa.array(values, pa.string()) for name, values in columns.items()})
    # Some repeat rows of their own, and some have another column.
    if count and draw.random() < 0.3:
        table = pa.concat_tables([table, table.slice(0, 1)])
    if draw.random() < 0.2:
        table = table.append_column("surplus", pa.array(["x"] * len(table)))
    if draw.random() < 0.1:
        table = table.drop_columns(["event_type"])
    return table


def write_files(home: Path, draw: random.Random, share: float = 1) -> None:
    """Writes that share of ten files: one of them may be damaged, and one without a day."""
    for number in range(10):
        if draw.random() > share:
            continue
        day = FIRST + timedelta(days=number // 2)
        path = home / "landing" / "order" / f"dt={day}" / f"{number} [*].parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(draw_file(draw, day), path, use_dictionary=draw.random() < 0.5)
        if draw.random() < 0.05:
            path.write_bytes(path.read_bytes()[:-20])


def read_all(warehouse: Warehouse) -> dict[str, Any]:
    """Everything that intake leaves, but for the time of it."""
    tables = ("raw.order_events", "quality.quarantine", "quality.delivery_dates", "quality.pruned_days")
    found: dict[str, Any] = {table: warehouse.rows(f"from {table} order by all") for table in tables}
    found["ledger"] = warehouse.rows("select * exclude (loaded_at) from quality.deliveries order by delivery_id")
    found["reconciliation"] = reconcile(warehouse)
    return found


class Pair:
    """Two warehouses of one home: in one each file is taken alone."""

    def __init__(self, home: Path, source: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
        self.settings = Settings.model_validate(GIVEN | {"sources": [source], "home": home})
        self.monkeypatch = monkeypatch
        self.together, self.alone = open_in_memory_warehouse(["set threads = 2"]), open_in_memory_warehouse()
        self.batches = 0
        self.taken = 0

    def take(self) -> None:
        """Takes what lies there now into both, and compares them."""
        load, taken = deliveries._load_together, []
        with self.monkeypatch.context() as patch:
            patch.setattr(deliveries, "_load_together", lambda *given: (load(*given), taken.append(given[2]))[0])
            said_together: list[str] = []
            together = take_deliveries(self.together, self.settings, said_together.append)
        with self.monkeypatch.context() as patch:
            patch.setattr(deliveries, "FILES_TOGETHER", 1)
            patch.setattr(SourceMapping, "_find_tidy", lambda *_: frozenset())
            said_alone: list[str] = []
            alone = take_deliveries(self.alone, self.settings, said_alone.append)
        assert asdict(together) == asdict(alone)
        assert sorted(said_together) == sorted(said_alone)
        assert read_all(self.together) == read_all(self.alone)
        self.batches += len(taken)
        self.taken += alone.rows_loaded


@pytest.fixture
def pair(tmp_path: Path, source: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> Iterator[Pair]:
    made = Pair(tmp_path, source, monkeypatch)
    yield made
    made.together.connection.close()
    made.alone.connection.close()


@pytest.mark.parametrize("seeds", [range(1), pytest.param(range(1, 16), marks=pytest.mark.slow)], ids=["few", "many"])
def test_files_taken_together_leave_what_they_leave_alone(pair: Pair, seeds: range) -> None:
    for seed in seeds:
        draw = random.Random(seed)
        write_files(pair.settings.home, draw)
        pair.take()
        # Delivered again with other rows, or gone.
        write_files(pair.settings.home, draw, share=0.5)
        for path in sorted(pair.settings.home.glob("landing/order/*/*")):
            if draw.random() < 0.1:
                path.unlink()
        pair.take()
    assert pair.taken
    assert pair.batches or "amount" in pair.settings.sources[0].expressions


def deliver(home: Path, number: int, *times: str) -> Path:
    """One sound file of orders, each a minute of 26 March."""
    path = home / "landing" / "order" / f"dt={FIRST}" / f"{number}.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    ids = [f"{number}-{time}" for time in times]
    rows = {"event_id": ids, "event_time": [f"{FIRST} {time}" for time in times], "event_type": ["paid"] * len(ids)}
    pq.write_table(pa.table(rows), path)
    return path


@pytest.fixture
def three_files(tmp_path: Path) -> list[Path]:
    return [deliver(tmp_path, number, "10:00", "10:01") for number in range(3)]


@pytest.fixture
def warehouse() -> Iterator[Warehouse]:
    made = open_in_memory_warehouse()
    yield made
    made.connection.close()


def shop_in(home: Path) -> Settings:
    return Settings.model_validate(GIVEN | {"sources": [PLAIN], "home": home})


def test_a_damaged_file_among_them_is_set_aside_alone(
    tmp_path: Path, three_files: list[Path], warehouse: Warehouse
) -> None:
    three_files[1].write_bytes(three_files[1].read_bytes()[:-9])
    taken = take_deliveries(warehouse, shop_in(tmp_path))
    assert (taken.loaded, taken.quarantined, taken.rows_loaded) == (2, 1, 4)


def test_a_file_among_them_that_changes_while_they_are_read_is_tried_again(
    tmp_path: Path, three_files: list[Path], warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    build = deliveries._build_placed_sql

    def build_while_one_grows(*given: Any) -> str:
        deliver(tmp_path, 2, "10:00", "10:01", "10:02")
        return build(*given)

    monkeypatch.setattr(deliveries, "_build_placed_sql", build_while_one_grows)
    taken = take_deliveries(warehouse, shop_in(tmp_path))
    assert (taken.loaded, taken.growing, taken.rows_loaded) == (2, 1, 4)
    monkeypatch.undo()
    assert take_deliveries(warehouse, shop_in(tmp_path)).rows_loaded == 3
    assert warehouse.value("select count(*) from raw.order_events") == 7


def test_a_crash_among_them_leaves_the_earlier_state(
    tmp_path: Path, three_files: list[Path], warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    take_deliveries(warehouse, shop_in(tmp_path))
    before = read_all(warehouse)
    for number in range(3):
        deliver(tmp_path, number, "11:00")
    write, lines = deliveries._write_ledger_line, []

    def crash_at_the_second(*given: Any) -> None:
        lines.append(given)
        if len(lines) == 2:
            raise KeyboardInterrupt
        write(*given)

    monkeypatch.setattr(deliveries, "_write_ledger_line", crash_at_the_second)
    with pytest.raises(KeyboardInterrupt):
        take_deliveries(warehouse, shop_in(tmp_path))
    assert read_all(warehouse) == before
    monkeypatch.undo()
    assert take_deliveries(warehouse, shop_in(tmp_path)).rows_loaded == 3
    assert warehouse.value("select count(*) from raw.order_events") == 3


def test_where_memory_does_not_reach_for_all_each_is_taken_alone(
    tmp_path: Path, three_files: list[Path], warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    def exhaust(*_: Any) -> None:
        raise duckdb.OutOfMemoryException

    monkeypatch.setattr(deliveries, "_load_together", exhaust)
    assert take_deliveries(warehouse, shop_in(tmp_path)).rows_loaded == 6


def test_repeats_that_are_kept_are_counted_in_each_file(tmp_path: Path, warehouse: Warehouse) -> None:
    for number in range(2):
        path = deliver(tmp_path, number, "10:00", "10:00", "10:01")
        pq.write_table(pq.ParquetFile(path).read().drop_columns(["event_id"]), path)
    source = PLAIN | {"duplicates": "keep"}
    take_deliveries(warehouse, Settings.model_validate(GIVEN | {"sources": [source], "home": tmp_path}))
    found = warehouse.rows("select delivery_id, row_number, repeat_number from raw.order_events order by all")
    assert found == [(1, 1, 0), (1, 2, 1), (1, 3, 0), (2, 1, 0), (2, 2, 1), (2, 3, 0)]
    assert warehouse.rows("select repeats_kept from quality.deliveries") == [(1,), (1,)]


def test_no_text_is_taken_for_tidy_that_is_to_be_cleaned_or_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number, text in enumerate(ODD_TEXTS):
        path = deliver(tmp_path, number, "10:00", "10:01")
        table = pq.ParquetFile(path).read()
        for column in ("order_id", "sku"):
            table = table.append_column(column, pa.array([text, None]))
        pq.write_table(table, path)
    settings = Settings.model_validate(GIVEN | {"sources": [PLAIN | {"empty_values": ["-"]}], "home": tmp_path})
    monkeypatch.setattr(deliveries, "FILES_TOGETHER", 1)
    found = []
    for is_looked_at in (True, False):
        if not is_looked_at:
            monkeypatch.setattr(SourceMapping, "_find_tidy", lambda *_: frozenset())
        with open_in_memory_warehouse().connection as connection:
            warehouse = Warehouse(connection)
            take_deliveries(warehouse, settings)
            found.append(read_all(warehouse))
    assert found[0] == found[1]
    assert found[0]["quality.quarantine"]
