"""Downloads that overlap: what a delivery repeats is not built again, and every table is as if it had been."""

import random
import shutil
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from funnelscope.events.schema import FAMILIES
from funnelscope.ingest import find_duplicates, find_excluded, take_deliveries
from funnelscope.ingest.build_state import read_build_state, record_built
from funnelscope.quality import gate
from funnelscope.quality.repeated_deliveries import list_stretches, settle_repeated_deliveries
from funnelscope.settings import Settings
from funnelscope.warehouse.connection import Warehouse, open_in_memory_warehouse
from funnelscope.warehouse.models import load_models, materialize_model

FIRST = date(2026, 3, 2)
WINDOW, MORNINGS = 4, 7
SOURCES: dict[str, dict[str, Any]] = {
    "shop": {"family": "figure"},
    "other": {"family": "figure"},
    "ads": {"family": "figure"},
    "drop": {"family": "order"},
    "first": {"family": "page", "duplicates": "first"},
    "latest": {"family": "service", "duplicates": "latest"},
    "latest again": {"family": "service", "duplicates": "latest"},
}
BUILT = [f"staging.{family.table}" for family in FAMILIES.values()] + ["marts.figures"]


def list_settings(home: Path) -> Settings:
    sources = [
        {**source, "name": name, "files": f"{name}/*.parquet", "delivery_date": r"(\d{4}-\d{2}-\d{2})"}
        for name, source in SOURCES.items()
    ]
    given = {"shop": "x", "timezone": "UTC", "start_date": FIRST, "sources": sources, "home": home}
    return Settings.model_validate(given)


def say(source: str, day: date, value: int) -> list[dict[str, Any]]:
    """What a download says of a day; `value` is what may be restated."""
    at = {"event_time": f"{day}T10:00:00"}
    if SOURCES[source]["family"] == "figure":
        levels = {"ads": {"event_type": "campaign", "object": "c1", "attribution_days": 3, "cost": value}}
        shop = {"event_type": "shop", "visitors": value, "paying_buyers": 5}
        return [{**at, "platform": "p", **levels.get(source, shop)}]
    types = {"drop": "paid", "first": "page_view", "latest": "message_in", "latest again": "message_in"}
    given = {"drop": "amount", "first": "dwell_ms"}.get(source, "text")
    numbers = range(1, 3 + value % 2)
    return [
        {**at, "event_id": f"{day} {number}", "event_type": types[source], given: value, "order_id": str(number)}
        for number in numbers
    ]


def draw_downloads(seed: int, home: Path, mornings: int) -> Iterator[date]:
    """Mornings, each with new files in `home`: mostly what was said before, at times with something new, or late."""
    draw = random.Random(seed)
    now: dict[tuple[str, date], int] = {}
    for number in range(mornings):
        morning = FIRST + timedelta(days=number + 1)
        for source in SOURCES:
            folder = home / source
            folder.mkdir(parents=True, exist_ok=True)
            window = [morning - timedelta(days=back) for back in range(WINDOW, 0, -1)]
            for day in window:
                if (source, day) not in now or draw.random() < 0.15:
                    now[source, day] = draw.randint(1, 3)
            lines = [row for day in window for row in say(source, day, now[source, day])]
            named = morning if draw.random() < 0.9 else morning - timedelta(days=draw.randint(1, 3))
            if draw.random() < 0.1:
                lines.append(lines[0] | {"event_time": "some day"})
            pq.write_table(pa.Table.from_pylist(lines), folder / f"{named}_{number}.parquet")
            if draw.random() < 0.1:
                draw.choice(sorted(folder.iterdir())).unlink()
            left = sorted(folder.iterdir())
            if left and draw.random() < 0.3:  # a corrected file in the place of an old one
                old = draw.choice(left)
                rows = pq.read_table(old).to_pylist()
                kept = rows[1:] if draw.random() < 0.3 else [rows[0] | {"platform": "q"}, *rows[1:]]
                pq.write_table(pa.Table.from_pylist(kept or rows), old)
        yield morning


def build(warehouse: Warehouse, settings: Settings, days: list[date]) -> None:
    for range_ in list_stretches(days):
        find_duplicates(warehouse, *range_, settings)
        find_excluded(warehouse, *range_)
        for table in ["staging.refused_events", *BUILT]:
            materialize_model(warehouse, load_models()[table], [range_])
        gate.decide_verdicts(warehouse, settings, *range_)
        record_built(warehouse, *range_, load_models())


def read_all(warehouse: Warehouse) -> dict[str, list[Any]]:
    """What a day's build has written, with files for the numbers of deliveries, which depend on the order of taking."""
    found = {table: warehouse.rows(f"select * from {table} order by all") for table in BUILT}
    for table, columns in (
        ("quality.duplicate_events", "d.family, business_date, file, row_number, reason"),
        ("quality.quarantine", "d.family, q.business_date, d.file, row_number, reason, counted_date"),
    ):
        named = f"{table} as q join quality.deliveries as d using (delivery_id)"
        found[table] = warehouse.rows(f"select {columns} from {named} order by all")
    return found | {"quality.family_days": warehouse.rows("select * from quality.family_days order by all")}


def compare(seed: int, home: Path, mornings: int = MORNINGS) -> tuple[int, int]:
    """(built, known) days, summed over mornings, of a warehouse that must equal one made afresh each morning."""
    settings = list_settings(home)
    warehouse = open_in_memory_warehouse()
    built = known = 0
    for morning in draw_downloads(seed, home, mornings):
        take_deliveries(warehouse, settings)
        settle_repeated_deliveries(warehouse, settings)
        stands = read_build_state(warehouse)
        stale = sorted(stands.changed | ({morning - timedelta(days=1), *days_before(morning)} - stands.built))
        build(warehouse, settings, stale)
        assert not read_build_state(warehouse).repeated
        afresh = open_in_memory_warehouse()
        take_deliveries(afresh, settings)
        every = sorted(read_build_state(warehouse).built)
        gate.create_tables(afresh)
        build(afresh, settings, every)
        one, other = read_all(warehouse), read_all(afresh)
        for table in one:
            assert one[table] == other[table], (seed, morning, table)
        built, known = built + len(stale), known + len(every)
        afresh.connection.close()
    warehouse.connection.close()
    return built, known


def days_before(morning: date) -> list[date]:
    return [morning - timedelta(days=back) for back in range(1, WINDOW + 1)]


@pytest.mark.slow
def test_a_warehouse_that_builds_only_what_is_new_is_the_one_that_builds_everything(tmp_path: Path) -> None:
    built, known = compare(0, tmp_path, mornings=4)
    assert built < known


def test_only_what_advertising_claims_ages(tmp_path: Path) -> None:
    """Three mornings on which nothing is restated; the window is of three days."""
    changed: dict[str, set[int]] = {}
    for source in ("shop", "ads"):
        warehouse, settings = open_in_memory_warehouse(), list_settings(tmp_path / source)
        settings = settings.model_copy(update={"sources": [each for each in settings.sources if each.name == source]})
        for number in range(1, 4):
            morning = FIRST + timedelta(days=WINDOW + number)
            folder = tmp_path / source / source
            folder.mkdir(parents=True, exist_ok=True)
            lines = [row for day in days_before(morning) for row in say(source, day, 2)]
            pq.write_table(pa.Table.from_pylist(lines), folder / f"{morning}.parquet")
            take_deliveries(warehouse, settings)
            stands = read_build_state(warehouse)
            changed[source] = {(morning - day).days for day in stands.changed}
            gate.create_tables(warehouse)
            build(warehouse, settings, sorted({*days_before(morning), *stands.built}))
    assert changed == {"shop": set(), "ads": {2, 3}}


def test_a_file_corrected_on_one_day_keeps_what_is_known_of_the_rows_of_its_others(tmp_path: Path) -> None:
    settings = list_settings(tmp_path)
    settings = settings.model_copy(update={"sources": [each for each in settings.sources if each.name == "shop"]})
    days = days_before(FIRST + timedelta(days=WINDOW))
    (tmp_path / "shop").mkdir()
    warehouse = open_in_memory_warehouse()
    for name in ("2026-03-05", "2026-03-06"):
        rows = [row for day in days for row in say("shop", day, 2)]
        pq.write_table(pa.Table.from_pylist(rows), tmp_path / "shop" / f"{name}.parquet")
    take_deliveries(warehouse, settings)
    gate.create_tables(warehouse)
    build(warehouse, settings, sorted(days))
    before = read_all(warehouse)
    rows = [row for day in days for row in say("shop", day, 3 if day == days[0] else 2)]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "shop" / "2026-03-06.parquet")
    take_deliveries(warehouse, settings)
    assert settle_repeated_deliveries(warehouse, settings) == frozenset(days[1:])
    build(warehouse, settings, sorted(read_build_state(warehouse).changed))
    after = read_all(warehouse)
    assert before["quality.family_days"] == after["quality.family_days"]
    assert len(after["quality.duplicate_events"]) == len(days)


@pytest.mark.slow
def test_it_is_so_for_more_series_of_downloads(tmp_path: Path) -> None:
    for seed in range(1, 16):
        compare(seed, tmp_path / str(seed))
        shutil.rmtree(tmp_path / str(seed))
