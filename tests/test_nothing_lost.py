"""Nothing is lost or left over, however a command ends: killed, on a full disk, or beside a program that reads."""

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import duckdb
import pytest
from shop_helpers import Home, assert_same_export, build_days, cloned, day, one_file_a_day, open_shop, simulated_shop
from test_cli import funnelscope

from funnelscope.publication.backup import BackupError, back_up, restore
from funnelscope.publication.erasure_note import ErasureNote, read_erasure_note, write_erasure_note
from funnelscope.warehouse.connection import (
    WarehouseLockedError,
    hold_write_lock,
    locate_log,
    open_warehouse,
    remove_database,
    rewrite_database,
)
from funnelscope.warehouse.replacement import begin_replacement, commit_replacement, finish_replacement
from pipelines.cli.errors import explain_error

ROOT = Path(__file__).parents[1]


class Killed(BaseException):
    """Stands for SIGKILL: no `except Exception` sees it."""


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """One day, built and published without Dagster."""
    home = simulated_shop(tmp_path_factory.mktemp("lost") / "shop", days=1, sessions_per_day=40, history_days=1)
    one_file_a_day(home)
    build_days(home, day(1), day(1), is_published=True)
    return home


@pytest.fixture(scope="module")
def backup(shop: Home, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("backups") / "first"
    back_up(shop.settings, folder, advance=lambda done, total: None)
    return folder


def advance(done: int, total: int) -> None:
    """No progress is shown."""


def leave_log(path: Path) -> None:
    """Writes to a DuckDB file and is killed, so that what was written is in its log."""
    script = f"""
        import duckdb, os, signal
        connection = duckdb.connect({str(path)!r})
        connection.execute("create table foreign_table as select 1 as a")
        os.kill(os.getpid(), signal.SIGKILL)
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(script)], check=False)
    assert locate_log(path).stat().st_size > 0


def tables(path: Path) -> list[str]:
    with open_warehouse(path, wait_seconds=0) as warehouse:
        return [name for (name,) in warehouse.rows("select table_name from duckdb_tables() where schema_name = 'main'")]


# --- The write-ahead log goes with its database -----------------------------------------------------


def test_a_log_is_not_replayed_into_another_database(tmp_path: Path) -> None:
    path = tmp_path / "warehouse.duckdb"
    leave_log(path)
    assert tables(path) == ["foreign_table"]
    other = tmp_path / "other.duckdb"
    leave_log(other)
    other.unlink()
    assert tables(other) == []
    leave_log(third := tmp_path / "third.duckdb")
    remove_database(third)
    assert not locate_log(third).exists()
    leave_log(tmp_path / ".warehouse.duckdb.fresh")
    rewrite_database(path)
    assert tables(path) == ["foreign_table"]


def test_a_restored_warehouse_is_that_of_the_backup_whatever_log_lay_there(
    shop: Home, backup: Path, tmp_path: Path
) -> None:
    home = cloned(shop, tmp_path / "shop")
    leave_log(home.settings.warehouse_path)
    restore(home.settings, backup, force=True, advance=advance)
    assert not locate_log(home.settings.warehouse_path).exists()
    assert_same_export(home.export(), shop.export())

    shutil.rmtree(home.settings.published)
    home.settings.warehouse_path.unlink()
    locate_log(home.settings.warehouse_path).write_bytes(b"a log")
    with pytest.raises(BackupError, match=r"holds warehouse\.duckdb\.wal already"):
        restore(home.settings, backup, advance=advance)
    assert locate_log(home.settings.warehouse_path).read_bytes() == b"a log"


def test_a_demo_removes_the_log_with_the_warehouse(shop: Home, tmp_path: Path) -> None:
    from pipelines.cli.app import _empty_home

    home = cloned(shop, tmp_path / "shop")
    leave_log(home.settings.warehouse_path)
    _empty_home(home.settings)
    assert not home.settings.warehouse_path.exists()
    assert not locate_log(home.settings.warehouse_path).exists()


# --- A restore is all or nothing --------------------------------------------------------------------


@contextmanager
def killed_at(step: int) -> Iterator[Callable[[], int]]:
    """Raises Killed before the nth change of a folder. Yields the number of changes so far."""
    count = 0

    def killing(function: Callable[..., Any]) -> Callable[..., Any]:
        def change(*arguments: Any, **options: Any) -> Any:
            nonlocal count
            count += 1
            if count == step:
                raise Killed
            return function(*arguments, **options)

        return change

    with pytest.MonkeyPatch.context() as patch:
        for owner, name in ((os, "rename"), (os, "replace"), (os, "unlink"), (os, "rmdir"), (os, "mkdir")):
            patch.setattr(owner, name, killing(getattr(owner, name)))
        yield lambda: count


def contents(folder: Path) -> dict[str, str]:
    files = (path for path in folder.rglob("*") if path.is_file() and path.name != "home.lock")
    return {path.relative_to(folder).as_posix(): path.read_text() for path in files}


OLD = {"a.db": "old", "a.db.wal": "old", "folder/1": "old", "folder/2": "old", "gone/1": "old"}
NEW = {"a.db": "new", "folder/1": "new", "added": "new"}
OURS = {"landing/1": "ours"}


def lay_out(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


def test_a_replacement_killed_at_any_step_is_completed_or_has_not_begun(tmp_path: Path) -> None:
    outcomes = set()
    for step in range(1, 60):
        home = tmp_path / str(step)
        lay_out(home, OLD | OURS)
        with killed_at(step) as count_changes:
            try:
                lay_out(begin_replacement(home), NEW)
                commit_replacement(home, ["a.db", "a.db.wal", "folder", "gone"], manifest=1)
            except Killed:
                left = contents(home)
        if count_changes() < step:
            break
        still_old = {text for text in left.values() if text == "old"}
        stands = all(left.get(name) == "new" for name in NEW)
        assert still_old or stands, f"step {step}: the old is gone before the new stands"
        # The next one that takes the lock may be killed too.
        with killed_at(2), suppress(Killed):
            finish_replacement(home)
        with hold_write_lock(home / "home.lock", 0):
            pass
        now = contents(home)
        assert now in (OLD | OURS, NEW | OURS), f"step {step}: half of it: {now}"
        outcomes.add(now["a.db"])
        lay_out(begin_replacement(home), NEW)
        commit_replacement(home, ["a.db", "a.db.wal", "folder", "gone"], manifest=1)
        assert contents(home) == NEW | OURS
    assert outcomes == {"old", "new"}
    assert step > 20


def test_a_restore_that_was_killed_is_completed_by_any_command_and_by_itself(
    shop: Home, backup: Path, tmp_path: Path
) -> None:
    for number, command in enumerate((("status",), ("restore", str(backup)))):
        home = cloned(shop, tmp_path / str(number))
        for name in ("published", "reports"):
            shutil.rmtree(home.path / name, ignore_errors=True)
        home.settings.warehouse_path.unlink()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("funnelscope.warehouse.replacement.finish_replacement", kill)
            with pytest.raises(Killed):
                restore(home.settings, backup, advance=advance)
        assert not home.settings.warehouse_path.exists()
        done = funnelscope(home, *command)
        assert done.code == 0, done.errors
        assert_same_export(home.export(), shop.export())
        assert not (home.path / ".restoring").exists()


def kill(*arguments: Any, **options: Any) -> None:
    raise Killed


def test_the_key_of_a_home_is_neither_replaced_nor_kept_for_foreign_data(
    shop: Home, backup: Path, tmp_path: Path
) -> None:
    home = cloned(shop, tmp_path / "shop")
    home.settings.identity_key_path.write_text("another-key-123456")
    with pytest.raises(BackupError, match="is another key than that of the backup"):
        restore(home.settings, backup, force=True, key=shop.settings.identity_key_path, advance=advance)
    assert home.settings.identity_key_path.read_text() == "another-key-123456"


# --- Erasure and backups ----------------------------------------------------------------------------


def test_no_backup_is_made_of_a_person_half_erased_and_a_restored_one_is_erased_again(
    shop: Home, backup: Path, tmp_path: Path
) -> None:
    home = cloned(shop, tmp_path / "shop")
    write_erasure_note(home.settings, ErasureNote(("ann@example.com",), frozenset({7}), is_begun=True))
    with pytest.raises(BackupError, match="funnelscope forget"):
        back_up(home.settings, tmp_path / "backup", advance=advance)
    restore(home.settings, backup, force=True, advance=advance)
    assert read_erasure_note(home.settings) == ErasureNote(("ann@example.com",), frozenset({7}), is_begun=False)


# --- Who may read -----------------------------------------------------------------------------------


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_what_holds_rows_is_for_its_owner_and_what_is_for_readers_keeps_the_umask(
    shop: Home, backup: Path, tmp_path: Path
) -> None:
    before = os.umask(0o022)
    try:
        path = tmp_path / "home" / "warehouse.duckdb"
        with open_warehouse(path, wait_seconds=0) as warehouse:
            log = locate_log(path)
            for statement in ("create table t as select 1 as a", "checkpoint", "insert into t values (2)"):
                warehouse.execute(statement)
                assert not log.exists() or mode(log) == 0o600, statement
            assert log.exists()
            assert mode(path) == 0o600
            assert mode(path.parent / "spill") == 0o700
        assert tables(path) == ["t"]
        path.chmod(0o644)  # by an earlier version
        assert tables(path) == ["t"]
        rewrite_database(path)
        assert mode(path) == 0o600

        for part in backup.rglob("*"):
            assert part.is_symlink() or mode(part) == (0o700 if part.is_dir() else 0o600), part
        home = cloned(shop, tmp_path / "shop")
        restore(home.settings, backup, force=True, advance=advance)
        assert mode(home.settings.warehouse_path) == 0o600
        assert {mode(file) for file in home.settings.published.rglob("*.parquet")} == {0o644}
        with open_shop(home.settings):
            assert os.umask(0o022) == 0o022
    finally:
        os.umask(before)


# --- A reader ---------------------------------------------------------------------------------------


def hold_open(path: Path, seconds: float) -> subprocess.Popen[str]:
    script = f"""
        import duckdb, time
        connection = duckdb.connect({str(path)!r}, read_only=True)
        print("held", flush=True)
        time.sleep({seconds})
    """
    reader = subprocess.Popen([sys.executable, "-c", textwrap.dedent(script)], stdout=subprocess.PIPE, text=True)
    assert reader.stdout
    assert reader.stdout.readline() == "held\n"
    return reader


def test_a_reader_is_waited_for_and_told(tmp_path: Path) -> None:
    path = tmp_path / "warehouse.duckdb"
    assert tables(path) == []
    reader = hold_open(path, 60)
    with pytest.raises(WarehouseLockedError) as told, open_warehouse(path, wait_seconds=0.5):
        pass
    for words in (f"(process {reader.pid})", "published/current/funnelscope.duckdb", "改读", "waited 0 s"):
        assert words in str(told.value)
    assert "read-only mode" not in str(told.value)
    reader.send_signal(signal.SIGKILL)
    reader.wait()
    reader = hold_open(path, 1)
    with open_warehouse(path, wait_seconds=30) as warehouse:
        assert warehouse.value("select 1") == 1
    reader.wait()


# --- A full disk ------------------------------------------------------------------------------------


def disk(free: int = 10**9, flags: int = 0) -> SimpleNamespace:
    return SimpleNamespace(f_flag=flags, f_bavail=free // 4096, f_frsize=4096, f_files=1000, f_favail=900)


@pytest.mark.parametrize(
    ("error", "state", "language", "told"),
    [
        (sqlite3.OperationalError("disk I/O error"), disk(free=0), "en", "is full; what was published before is kept"),
        (sqlite3.OperationalError("database or disk is full"), disk(), "en", "Free space, or move FUNNELSCOPE_HOME"),
        (duckdb.IOException('Could not write file "x": No space left on device'), disk(free=0), "zh", "所在磁盘已满"),
        (OSError(28, "No space left on device"), disk(free=0), "en", "Free space, or move FUNNELSCOPE_HOME"),
        (sqlite3.OperationalError("unable to open database file"), disk(flags=os.ST_RDONLY), "en", "read-only"),
        (OSError(30, "Read-only file system"), disk(flags=os.ST_RDONLY), "zh", "所在磁盘为只读"),
        (sqlite3.OperationalError("disk I/O error"), disk(), "en", "full, or failing"),
        (sqlite3.OperationalError("no such table: runs"), disk(free=0), "en", None),
    ],
)
def test_a_home_that_cannot_be_written_is_told_in_one_sentence(
    error: Exception, state: SimpleNamespace, language: str, told: str | None, tmp_path: Path, monkeypatch: Any
) -> None:
    home = Home(tmp_path)
    home.write_config(day(1))
    home.config.write_text(home.config.read_text().replace("language: en", f"language: {language}"))
    for name, value in home.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(os, "statvfs", lambda path: state)
    try:
        raise RuntimeError("the run failed") from error  # as SQLAlchemy and Dagster wrap it
    except RuntimeError as wrapped:
        for each in (error, wrapped):
            words = explain_error(each)
            assert (words is None) if told is None else (words is not None and told in words and "\n" not in words)


@pytest.mark.slow
def test_a_disk_that_fills_up_while_the_warehouse_is_written_is_told(shop: Home, tmp_path: Path) -> None:
    """With a limit on the size of a file, which the system enforces like a full disk, at several places of a run."""
    for kilobytes in (64, 300, 6000):
        home = cloned(shop, tmp_path / str(kilobytes))
        script = (
            "import resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
            f"resource.setrlimit(resource.RLIMIT_FSIZE, ({kilobytes} * 1024,) * 2);"
            "from pipelines.cli.app import main; main()"
        )
        done = subprocess.run(
            [sys.executable, "-c", script, "run", "--date", str(day(1))],
            env=os.environ | home.environment | {"PYTHONPATH": str(ROOT), "DAGSTER_HOME": ""},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 1, done.stdout
        assert "Traceback" not in done.stderr
        assert "Free space, or move FUNNELSCOPE_HOME" in done.stderr, done.stderr
        assert_same_export(home.export(), shop.export())


# --- Killed at any moment ---------------------------------------------------------------------------


@pytest.mark.slow
def test_every_command_killed_three_times_ends_as_if_undisturbed(tmp_path: Path) -> None:
    script = [sys.executable, str(ROOT / "benchmarks" / "kills.py"), "--kills", "3", "--folder", str(tmp_path)]
    done = subprocess.run(script, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 of them left something wrong" in done.stdout
