"""`funnelscope forget`: a person leaves no trace outside the shop's own files, and nobody else's numbers change."""

import io
import shutil
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path

import duckdb
import pytest
from shop_helpers import (
    Home,
    assert_same_export,
    build_days,
    cloned,
    copied,
    day,
    one_file_a_day,
    open_shop,
    rewrite,
    simulated_shop,
)
from test_cli import funnelscope

from funnelscope.events.schema import EVENT_FAMILIES
from funnelscope.ingest import reconcile, take_deliveries
from funnelscope.ingest.identity import hash_identifier
from funnelscope.publication import erasure
from funnelscope.publication.erasure import begin_erasure, end_erasure, find_person, find_unfinished, scrub
from funnelscope.publication.erasure_note import ErasureNote, read_erasure_note, write_erasure_note
from funnelscope.warehouse.connection import open_warehouse

ANN, DAYS = "ann.c6@example.com", 2
IDS = ("customer_id", "visitor_id", "session_id", "order_id", "conversation_id", "click_id")


@pytest.fixture(scope="module")
def delivered(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A shop's files. Ann has two browsers; a row of hers is damaged; a parcel names her order and nothing else."""
    home = simulated_shop(tmp_path_factory.mktemp("forget"), days=DAYS, sessions_per_day=60, history_days=1)
    one_file_a_day(home)
    named = f"case when customer_id in ('c6', 'c1') then '{ANN}' else customer_id end"
    for family in ("page", "service", "order"):
        for file in home.settings.landing.glob(f"{family}/dt=*/*.parquet"):
            rewrite(file, f"select * replace ({named} as customer_id) from delivered")
    damaged = home.settings.landing / "order" / f"dt={day(2)}" / "damaged.csv"
    orders = sorted(traces(home)["order_id"])
    assert len(traces(home)["visitor_id"]) > 1
    damaged.write_text(
        "event_id,event_time,event_type,customer_id,order_id,amount\n"
        f"x1,2026-05-02T01:00:00,paid,{ANN},b1,no money\n"
        "x2,2026-05-02T01:00:00,paid,somebody,b2,no money\n"
        f"x3,2026-05-02T02:00:00,paid,,{orders[0]},none of hers alone\n"
        f"x4,2026-05-02T03:00:00,shipped,,{orders[0]},\n",
        encoding="utf-8",
    )
    return home


@pytest.fixture(scope="module")
def built(delivered: Home, tmp_path_factory: pytest.TempPathFactory) -> Home:
    """Built and published twice, so that an older snapshot holds her too."""
    home = cloned(delivered, tmp_path_factory.mktemp("built") / "shop")
    build_days(home, day(1), day(DAYS), is_published=True)
    build_days(home, day(DAYS), day(DAYS), is_published=True)
    return home


@pytest.fixture(scope="module")
def begun(built: Home, tmp_path_factory: pytest.TempPathFactory) -> Home:
    """The same home while she is being forgotten: her rows are removed, and the days built without them."""
    home = cloned(built, tmp_path_factory.mktemp("begun") / "shop")
    with open_shop(home.settings) as shop:
        begin_erasure(shop.warehouse, home.settings, [ANN])
    build_days(home, day(DAYS), day(DAYS), is_published=True)
    return home


@pytest.fixture(scope="module")
def forgotten(begun: Home, tmp_path_factory: pytest.TempPathFactory) -> Home:
    """The home after she was forgotten."""
    home = cloned(begun, tmp_path_factory.mktemp("forgotten") / "shop")
    clean(home)
    return home


def events(home: Home, family: str) -> str:
    files = f"{home.path}/landing/{family}/*/*.parquet"
    return f"read_parquet('{files}', union_by_name = true, hive_partitioning = false)"


@cache
def traces(home: Home, customer: str = ANN) -> dict[str, set[str]]:
    """Column to a customer's ids, found in the files without any help of the code: all that lies next to the name."""
    found: dict[str, set[str]] = {column: set() for column in IDS}
    found["customer_id"].add(customer)
    for _ in range(3):
        for family in EVENT_FAMILIES:
            present = [row[0] for row in duckdb.sql(f"describe from {events(home, family)}").fetchall()]
            mine = " or ".join(
                f"{column} in ({', '.join(repr(value) for value in sorted(found[column])) or 'null'})"
                for column in IDS
                if column in present and column != "click_id"
            )
            for column in set(IDS) & set(present):
                query = f"select distinct {column} from {events(home, family)} where ({mine}) and {column} is not null"
                found[column] |= {value for (value,) in duckdb.sql(query).fetchall()}
    assert found["customer_id"] == {customer}
    return found


@dataclass(frozen=True)
class Needle:
    text: str
    number: int

    @property
    def as_bytes(self) -> tuple[bytes, ...]:
        number = self.number
        clear = (self.text.encode(),) if len(self.text) > 8 else ()  # a short one is found by chance
        return (
            *clear,
            str(number).encode(),
            number.to_bytes(8, "little", signed=True),
            number.to_bytes(8, "big", signed=True),
        )


def needles(home: Home, at: Home, customer: str = ANN) -> list[Needle]:
    settings = at.settings
    return [
        Needle(text, hash_identifier(settings, text))
        for values in traces(home, customer).values()
        for text in sorted(values)
    ]


def places(home: Home, wanted: list[Needle]) -> set[str]:
    """Every file under the home, but the landing zone, that holds one of them, read as bytes and as tables."""
    found = set()
    files = {path.stat().st_ino: path for path in sorted(home.path.rglob("*")) if path.is_file()}  # hard links once
    with duckdb.connect() as connection:
        for path in files.values():
            if path.is_relative_to(home.path / "landing"):
                continue
            content, name = path.read_bytes(), path.relative_to(home.path).as_posix()
            if any(part in content for one in wanted for part in one.as_bytes):
                found.add(name)
            for relation in relations(connection, path):
                if is_found_in(connection, relation, [one.number for one in wanted]):
                    found.add(f"{name}: {relation}")
    return found


def relations(connection: duckdb.DuckDBPyConnection, path: Path) -> list[str]:
    if path.suffix == ".parquet":
        return [f"read_parquet('{path}', hive_partitioning = false)"]
    if path.suffix != ".duckdb":
        return []
    alias = f"file_{path.stat().st_ino}"
    connection.execute(f"attach if not exists '{path}' as {alias} (read_only)")
    tables = connection.execute(
        f"select schema_name, table_name from duckdb_tables() where database_name = '{alias}'"
    ).fetchall()
    return [f'{alias}.{schema}."{table}"' for schema, table in tables]


def is_found_in(connection: duckdb.DuckDBPyConnection, relation: str, numbers: list[int]) -> bool:
    """Whether a row, as text, holds one of the numbers or her name."""
    query = (
        "select 1 from (select to_json(given)::VARCHAR as line from {0} as given) "
        "where list_has_any(regexp_extract_all(line, '-?\\d{{10,}}'), $numbers::BIGINT[]::VARCHAR[]) "
        f"or contains(line, '{ANN}') limit 1"
    )
    return connection.execute(query.format(relation), {"numbers": numbers}).fetchone() is not None


def take_out(home: Home, people: dict[str, set[str]]) -> None:
    """Takes every row out of the landing files that holds one of the ids."""
    for family in EVENT_FAMILIES:
        for file in home.settings.landing.glob(f"{family}/dt=*/*.parquet"):
            present = [row[0] for row in duckdb.sql(f"describe from read_parquet('{file}')").fetchall()]
            theirs = " or ".join(
                f"coalesce({column} in ({', '.join(map(repr, sorted(people[column])))}), false)"
                for column in IDS
                if column in present and people[column]
            )
            rewrite(file, f"from delivered where not ({theirs})")


def without_ann(delivered: Home, folder: Path, built: Home) -> Home:
    """A shop to which she never came: its files lack every row of hers."""
    home = copied(delivered, folder)
    shutil.copy(built.settings.identity_key_path, home.settings.identity_key_path)
    take_out(home, traces(delivered))
    damaged = home.settings.landing / "order" / f"dt={day(2)}" / "damaged.csv"
    lines = damaged.read_text("utf-8").splitlines()
    damaged.write_text("\n".join([lines[0], lines[2]]) + "\n", encoding="utf-8")
    return home


def test_a_forgotten_person_is_nowhere_and_everybody_else_is_as_if_they_had_never_come(
    delivered: Home, built: Home, forgotten: Home, tmp_path: Path
) -> None:
    wanted = needles(delivered, built)
    assert len(wanted) > 5
    before = places(built, wanted)
    assert "warehouse.duckdb" in before
    for place in ('quality."quarantine"', 'intermediate."orders"', "staging/page_events"):
        assert any(place in name for name in before), place
    assert len(list((built.settings.published / "snapshots").iterdir())) == 2
    assert places(forgotten, wanted) == set()
    never = without_ann(delivered, tmp_path / "never", built)
    build_days(never, day(1), day(DAYS), is_published=True)
    assert_same_export(forgotten.export(), never.export())
    with open_warehouse(forgotten.settings.warehouse_path) as warehouse:
        records = reconcile(warehouse)
        assert sum(record["erased"] for record in records) > 10
        assert all(record["difference"] == 0 for record in records)
        rows = warehouse.rows("select content from quality.quarantine where row_number > 0")
        assert len(rows) == 1
        assert "somebody" in rows[0][0]


@pytest.mark.slow
def test_a_file_that_still_holds_them_is_read_again_without_them(
    delivered: Home, forgotten: Home, tmp_path: Path
) -> None:
    home = cloned(forgotten, tmp_path / "shop")
    with open_warehouse(home.settings.warehouse_path) as warehouse:
        before = {record["file"]: record for record in reconcile(warehouse)}
        warehouse.execute("update quality.deliveries set rules_hash = 'read it all again'")
        take_deliveries(warehouse, home.settings)
        after = {record["file"]: record for record in reconcile(warehouse)}
        for file, record in after.items():
            for count in ("rows_read", "erased", "quarantined", "difference"):
                assert record[count] == before[file][count], (file, count)
    build_days(home, day(1), day(DAYS), is_published=True)
    assert places(home, needles(delivered, home)) == set()


def test_who_comes_back_later_is_counted_again(forgotten: Home, tmp_path: Path) -> None:
    home = cloned(forgotten, tmp_path / "shop")
    folder = home.settings.landing / "page" / "dt=2199-01-02"
    folder.mkdir()
    header = "event_id,event_time,event_type,customer_id\n"
    (folder / "later.csv").write_text(
        f"{header}y1,2199-01-01T10:00:00,page_view,{ANN}\ny2,2026-05-02T10:00:00,page_view,{ANN}\n", encoding="utf-8"
    )
    with open_warehouse(home.settings.warehouse_path) as warehouse:
        take_deliveries(warehouse, home.settings)
        (record,) = [each for each in reconcile(warehouse) if each["file"].endswith("later.csv")]
    assert (record["accepted"], record["erased"], record["difference"]) == (1, 1, 0)


def test_what_is_shared_with_somebody_else_stays_with_them(delivered: Home, tmp_path: Path) -> None:
    home = Home(tmp_path / "shared")
    home.write_config(date(2026, 5, 1))
    rows = {
        "a1": "page_view,kiosk,ann,",
        "a2": "page_view,kiosk,bob,",
        "a3": "page_view,kiosk,,",
        "a4": "page_view,anns-own,ann,s1",
        "a5": "page_view,anns-own,,s1",
        "a6": "page_view,,,s1",
    }
    folder = home.path / "landing" / "page" / "dt=2026-05-01"
    folder.mkdir(parents=True)
    lines = [f"{key},2026-05-01T0{number}:00:00,{row}" for number, (key, row) in enumerate(rows.items())]
    (folder / "pages.csv").write_text(
        "event_id,event_time,event_type,visitor_id,customer_id,session_id\n" + "\n".join(lines), encoding="utf-8"
    )
    with open_shop(home.settings) as shop:
        take_deliveries(shop.warehouse, home.settings)
        of_customer = find_person(shop.warehouse, home.settings, ["ann"])
        assert (of_customer.rows, of_customer.shared_visitors) == ({"page": 4}, 1)
        assert find_person(shop.warehouse, home.settings, ["anns-own"]) == of_customer
        assert find_person(shop.warehouse, home.settings, ["kiosk"]).rows == {"page": 3}
        assert find_person(shop.warehouse, home.settings, ["ann", "kiosk"]).rows == {"page": 6}


def test_nothing_goes_without_a_yes_and_an_interrupted_erasure_is_told(
    built: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = cloned(built, tmp_path / "shop")
    before = home.export()
    shown = funnelscope(home, "forget", ANN, "--dry-run")
    assert shown.code == 0, shown.errors
    for words in ("customer 1, visitor 2", "in quarantine", "days change", "Nothing was changed", "damaged.csv"):
        assert words in shown.out
    monkeypatch.setattr("sys.stdin", io.StringIO("no\n"))
    assert funnelscope(home, "forget", ANN).code == 1
    assert_same_export(home.export(), before)
    assert "nothing was interrupted" in funnelscope(home, "forget").errors
    with open_shop(home.settings) as shop:
        begin_erasure(shop.warehouse, home.settings, [ANN])
        assert find_unfinished(shop.warehouse, home.settings)
    doctor = funnelscope(home, "doctor")
    assert "funnelscope forget" in doctor.out


class Killed(BaseException):
    """Stands for SIGKILL: no `except Exception` sees it."""


def kill(*arguments: object) -> None:
    raise Killed


def clean(home: Home) -> None:
    assert scrub(home.settings) == []
    end_erasure(home.settings)


@pytest.mark.parametrize(
    ("step", "calls_before"),
    [
        pytest.param("_scrub_published", 0, marks=pytest.mark.slow),
        pytest.param("rewrite_database", 0, marks=pytest.mark.slow),  # of the published copy
        ("rewrite_database", 1),  # of the warehouse, when quality.forgetting is gone
        ("remove_erasure_note", 0),
    ],
)
def test_an_erasure_killed_in_its_last_part_is_told_and_finished(
    delivered: Home, begun: Home, tmp_path: Path, step: str, calls_before: int
) -> None:
    home = cloned(begun, tmp_path / "shop")
    note, function, count = home.path / ".forgetting", getattr(erasure, step), 0

    def kill_later(*arguments: object) -> object:
        nonlocal count
        count += 1
        if count > calls_before:
            raise Killed
        return function(*arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(erasure, step, kill_later)
        with pytest.raises(Killed):
            clean(home)
    assert note.stat().st_mode & 0o777 == 0o600
    assert ANN in note.read_text()
    for command in ("doctor", "status"):
        assert "erson was being erased" in funnelscope(home, command).out
    with open_shop(home.settings) as shop:
        assert find_unfinished(shop.warehouse, home.settings)
        (before,) = shop.warehouse.rows("select count(*), max(forgotten_at) from quality.forgotten")
        begin_erasure(shop.warehouse, home.settings, ())
        assert shop.warehouse.rows("select count(*), max(forgotten_at) from quality.forgotten") == [before]
    clean(home)
    assert not note.exists()
    assert places(home, needles(delivered, home)) == set()


def test_one_killed_before_her_rows_are_removed_begins_again(built: Home, tmp_path: Path) -> None:
    home = cloned(built, tmp_path / "shop")
    with open_shop(home.settings) as shop:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(erasure, "_erase_quarantined", kill)
            with pytest.raises(Killed):
                begin_erasure(shop.warehouse, home.settings, [ANN])
        assert find_person(shop.warehouse, home.settings, [ANN]).is_anybody
        assert begin_erasure(shop.warehouse, home.settings, ()).is_anybody
        assert not find_person(shop.warehouse, home.settings, [ANN]).is_anybody


@pytest.mark.slow
def test_the_command_leaves_nothing_in_dagsters_history_reports_and_data_docs_either(
    delivered: Home, tmp_path: Path
) -> None:
    home = cloned(delivered, tmp_path / "shop")
    assert funnelscope(home, "backfill", "--to", str(day(DAYS))).code in (0, 2)
    wanted = needles(delivered, home)
    history = home.settings.dagster_home / "said.log"
    history.write_text(f"ConversionException: could not convert {ANN}", encoding="utf-8")
    done = funnelscope(home, "forget", ANN, "--yes")
    assert done.code == 0, done.errors
    assert "Erased." in done.out
    assert places(home, wanted) == set()
    write_erasure_note(home.settings, ErasureNote(("somebody-else",)))  # interrupted: the next run finishes it
    assert funnelscope(home, "run", "--date", str(day(DAYS))).code in (0, 2)
    assert read_erasure_note(home.settings) == ErasureNote()
    assert places(home, wanted) == set()
