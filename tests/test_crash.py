"""Killed at any moment: nothing half done, nothing held up, and in the end the same tables as an undisturbed run."""

import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import duckdb
import pytest
from shop_helpers import (
    Home,
    assert_same_export,
    cloned,
    copied,
    day,
    deliver,
    delivery_day,
    one_file_a_day,
    rewrite,
    simulated_shop,
)

from funnelscope.ingest.identity import load_identity_key
from funnelscope.publication.publish import read_published_days
from funnelscope.warehouse.canonical_export import export_canonical_rows
from funnelscope.warehouse.connection import Warehouse, hold_write_lock
from funnelscope.warehouse.snapshots import find_current_snapshot
from pipelines.instance import SECONDS_TO_TAKE_THE_LOCK, UNFINISHED, fail_dead_runs, open_instance
from pipelines.jobs import INGEST

ROOT = Path(__file__).parents[1]
DAYS = 5
KILLS = 10  # of each of the two runs
OVER = SECONDS_TO_TAKE_THE_LOCK + 1

# What readers compare: the two must agree in every snapshot that they can ever see.
PAID_TWICE = """
    select business_date, paid_amount, amount
    from marts.daily_summary
    full join (
        select business_date, sum(amount) as amount from marts.daily_money where money_class != 'excluded' group by all
    ) using (business_date)
    where coalesce(paid_amount, 0) != coalesce(amount, 0)
"""


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """Five days; half of the first day's page and order events come on the sixth."""
    home = simulated_shop(tmp_path_factory.mktemp("crash"), days=DAYS, sessions_per_day=60, history_days=2)
    one_file_a_day(home)
    for family in ("page", "order"):
        file = home.settings.landing / family / f"dt={day(1)}" / "all.parquet"
        late = home.settings.landing / family / f"dt={day(DAYS + 1)}" / "late.parquet"
        late.parent.mkdir(exist_ok=True)
        rewrite(file, "from delivered where hash(event_id) % 2 = 1", late)
        rewrite(file, "from delivered where hash(event_id) % 2 = 0")
    load_identity_key(home.settings)
    return home


def start(home: Home, *arguments: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [str(Path(sys.executable).with_name("funnelscope")), *arguments],
        env=os.environ | home.environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


def finish(home: Home, *arguments: str) -> float:
    """Runs the command undisturbed; returns its seconds."""
    begin = time.monotonic()
    process = start(home, *arguments)
    _, errors = process.communicate()
    assert process.returncode == 0, errors.decode()
    return time.monotonic() - begin


def kill_again_and_again(home: Home, seconds: float, seed: int, *arguments: str) -> None:
    """Starts the command, kills it, and starts it again, at moments spread over its duration after the imports."""
    chance = random.Random(seed)
    moments = [seconds * (0.3 + 0.7 * (number + chance.random()) / KILLS) for number in range(KILLS)]
    chance.shuffle(moments)
    for moment in moments:
        process = start(home, *arguments)
        end = time.monotonic() + moment
        while time.monotonic() < end and process.poll() is None:
            assert_readable(home)
            time.sleep(0.2)
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        assert process.returncode in (0, -signal.SIGKILL), process.stderr.read().decode()  # type: ignore[union-attr]
        assert_readable(home)


def assert_readable(home: Home) -> None:
    snapshot = find_current_snapshot(home.settings.published)
    if snapshot is None:
        return
    with duckdb.connect(str(snapshot / "funnelscope.duckdb"), read_only=True) as connection:
        assert not connection.execute(PAID_TWICE).fetchall()
        (days,) = connection.execute("select count(*) from quality.published_days").fetchone() or (0,)
        files = f"read_parquet('{snapshot}/marts/daily_summary/*/part.parquet', hive_partitioning = false)"
        if days:
            in_files = connection.execute(f"from {files} order by business_date").fetchall()
            assert in_files == connection.execute("from marts.daily_summary order by business_date").fetchall()


def published_export(home: Home) -> dict[str, str]:
    snapshot = find_current_snapshot(home.settings.published)
    assert snapshot
    with duckdb.connect() as connection:
        connection.execute(f"attach '{snapshot / 'funnelscope.duckdb'}' as published (read_only)")
        connection.execute("use published")
        warehouse = Warehouse.__new__(Warehouse)  # a read-only file: no schema can be created in it
        warehouse.connection = connection
        return export_canonical_rows(warehouse)


@pytest.mark.slow
def test_twenty_kills_leave_the_tables_of_an_undisturbed_run(shop: Home, tmp_path: Path) -> None:
    backfill = ("backfill", "--to", str(day(DAYS)))
    whole = copied(shop, tmp_path / "whole")
    seconds = finish(whole, *backfill)
    killed = copied(shop, tmp_path / "killed", lambda file: delivery_day(file) <= day(DAYS))
    kill_again_and_again(killed, seconds, 1, *backfill)
    finish(killed, *backfill)

    one_day = ("run", "--date", str(day(DAYS)))  # which builds the late first day, and restates those after it
    deliver(shop, killed)
    seconds = finish(cloned(killed, tmp_path / "timed"), *one_day)
    kill_again_and_again(killed, seconds, 2, *one_day)
    finish(killed, *one_day)

    assert_same_export(killed.export(), whole.export())
    assert_same_export(published_export(killed), published_export(whole))
    assert read_published_days(killed.settings.published).keys() == read_published_days(whole.settings.published).keys()
    snapshots = [path.name for path in (killed.settings.published / "snapshots").iterdir()]
    assert not [name for name in snapshots if name.startswith(".")]
    with open_instance(killed.settings) as instance:
        fail_dead_runs(instance, killed.settings, now=time.time() + OVER)
        assert instance.get_runs_count(dg.RunsFilter(statuses=[dg.DagsterRunStatus.FAILURE])) > 0
        assert instance.get_runs_count(dg.RunsFilter(statuses=UNFINISHED)) == 0


# --- The queue -------------------------------------------------------------------------------------


@pytest.fixture
def home(shop: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    home = copied(shop, tmp_path / "home")
    for name, value in home.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("DAGSTER_HOME", str(home.settings.dagster_home))
    monkeypatch.setattr("pipelines.instance.SECONDS_TO_REPORT", 0.1)
    return home


def leave_started(instance: dg.DagsterInstance) -> str:
    """What a killed run leaves behind: it has started, and says nothing more."""

    @dg.job
    def killed_job() -> None: ...

    run = instance.create_run_for_job(killed_job)
    instance.report_engine_event("starting", run)
    instance.handle_new_event(_event(dg.DagsterEventType.RUN_START, run))
    assert status(instance, run.run_id) == dg.DagsterRunStatus.STARTED
    return run.run_id


def _event(kind: dg.DagsterEventType, run: dg.DagsterRun) -> dg.EventLogEntry:
    event = dg.DagsterEvent(event_type_value=kind.value, job_name=run.job_name)
    return dg.EventLogEntry(
        error_info=None, level=20, user_message="", run_id=run.run_id, timestamp=time.time(), dagster_event=event
    )


def status(instance: dg.DagsterInstance, run_id: str) -> dg.DagsterRunStatus:
    run = instance.get_run_by_id(run_id)
    assert run
    return run.status


def test_a_run_left_started_is_marked_as_failed_once_nobody_holds_the_lock(home: Home) -> None:
    with open_instance(home.settings) as instance:
        run_id = leave_started(instance)
        later = time.time() + OVER
        assert fail_dead_runs(instance, home.settings) == []  # it may not have come to the lock yet
        with hold_write_lock(home.settings.lock_path, 0):
            assert fail_dead_runs(instance, home.settings, now=later) == []  # somebody is writing
        assert fail_dead_runs(instance, home.settings, now=later) == [run_id]
        assert status(instance, run_id) == dg.DagsterRunStatus.FAILURE
        assert fail_dead_runs(instance, home.settings, now=later) == []


def test_a_run_that_waited_long_in_the_queue_is_not_taken_for_dead_while_it_starts(home: Home) -> None:
    """What counts is how long it has been starting, not when it was asked for."""
    with open_instance(home.settings) as instance:

        @dg.job
        def waiting_job() -> None: ...

        run = instance.create_run_for_job(waiting_job)
        backdate(home, run.run_id, "create_timestamp")
        instance.handle_new_event(_event(dg.DagsterEventType.RUN_STARTING, run))
        assert status(instance, run.run_id) == dg.DagsterRunStatus.STARTING
        assert fail_dead_runs(instance, home.settings) == []


def test_a_run_that_ends_while_it_is_looked_at_is_left_alone(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between giving back the lock and saying that it is done, a run looks dead."""
    with open_instance(home.settings) as instance:
        run_id = leave_started(instance)
        run = instance.get_run_by_id(run_id)
        assert run
        success = _event(dg.DagsterEventType.RUN_SUCCESS, run)
        monkeypatch.setattr("pipelines.instance.time.sleep", lambda seconds: instance.handle_new_event(success))
        assert fail_dead_runs(instance, home.settings, now=time.time() + OVER) == []
        assert status(instance, run_id) == dg.DagsterRunStatus.SUCCESS


def backdate(home: Home, run_id: str, column: str) -> None:
    """Makes a time of the run two minutes older in Dagster's storage."""
    past = datetime.now(UTC).replace(tzinfo=None) - timedelta(minutes=2)
    with closing(sqlite3.connect(home.settings.dagster_home / "history" / "runs.db")) as connection:
        connection.execute(f"update runs set {column} = ? where run_id = ?", (past.isoformat(" "), run_id))
        connection.commit()


@pytest.mark.slow
def test_the_daemon_frees_the_queue_from_a_dead_run_and_starts_the_next(home: Home) -> None:
    """The real daemon, with the sensors that are on by default."""
    dagster = Path(sys.executable).parent
    workspace = ["-w", str(ROOT / "workspace.yaml")]
    with open_instance(home.settings) as instance:
        dead = leave_started(instance)
        backdate(home, dead, "update_timestamp")
        tags = f'{{"dagster/partition": "{day(1)}"}}'
        launch = [str(dagster / "dagster"), "job", "launch", *workspace, "-j", INGEST, "--tags", tags]
        subprocess.run(launch, check=True, capture_output=True, env=os.environ)
        (queued,) = instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.QUEUED]))
        daemon = subprocess.Popen(
            [str(dagster / "dagster-daemon"), "run", *workspace],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            wait_until(lambda: status(instance, queued.run_id).value in ("SUCCESS", "FAILURE"), seconds=150)
        finally:
            os.killpg(daemon.pid, signal.SIGTERM)
            try:
                daemon.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(daemon.pid, signal.SIGKILL)
        assert status(instance, dead) == dg.DagsterRunStatus.FAILURE
        assert status(instance, queued.run_id) == dg.DagsterRunStatus.SUCCESS


def wait_until(condition: Callable[[], bool], seconds: float) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"not within {seconds} s"
        time.sleep(0.5)
