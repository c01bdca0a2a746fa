"""A run that did not start, hangs or waits for ever is told: by status and its exit code, doctor, alert channels."""

import json
import time
from datetime import date, datetime
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._core.remote_origin import RegisteredCodeLocationOrigin, RemoteJobOrigin, RemoteRepositoryOrigin
from dagster._daemon.types import DaemonHeartbeat
from shop_helpers import Home
from test_cli import funnelscope
from test_health import published_home

from funnelscope.warehouse.connection import hold_write_lock
from pipelines.doctor import examine_shop
from pipelines.instance import open_instance
from pipelines.status import read_health
from pipelines.watch import find_stalls, tell_if_due

HOUR = 3_600


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return published_home(tmp_path, {"2026-05-01": "pass", "2026-05-02": "pass"})


def leave_run(home: Home, status: dg.DagsterRunStatus) -> str:
    with open_instance(home.settings) as instance:

        @dg.job
        def left_job() -> None: ...

        repository = RemoteRepositoryOrigin(RegisteredCodeLocationOrigin("here"), "ours")
        origin = RemoteJobOrigin(repository, "left_job")
        return str(instance.create_run_for_job(left_job, status=status, remote_job_origin=origin).run_id)


def beat(home: Home, at: float) -> None:
    with open_instance(home.settings) as instance:
        instance.add_daemon_heartbeat(DaemonHeartbeat(at, "SCHEDULER", None, None))


def hear(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    heard: list[str] = []

    def hear_alert(settings: Any, title: str, text: str) -> list[str]:
        heard.append(text)
        return []

    monkeypatch.setattr("pipelines.watch.send_alert", hear_alert)
    return heard


@pytest.mark.parametrize(
    ("status", "after", "words"),
    [
        (dg.DagsterRunStatus.QUEUED, 0.4 * HOUR, ""),
        (dg.DagsterRunStatus.QUEUED, HOUR, "has waited for 60 minutes"),
        (dg.DagsterRunStatus.STARTED, 0.1 * HOUR, ""),
        (dg.DagsterRunStatus.STARTED, HOUR, "The process of run"),
        (dg.DagsterRunStatus.SUCCESS, 9 * HOUR, ""),
        (dg.DagsterRunStatus.FAILURE, 9 * HOUR, ""),
    ],
)
def test_a_run_that_waits_or_lasts_for_ever_is_named(
    status: dg.DagsterRunStatus, after: float, words: str, home: Home
) -> None:
    run = leave_run(home, status)
    found = find_stalls(home.settings, time.time() + after)
    assert len(found) == bool(words)
    if words:
        assert words in found[0]
        assert run in found[0]


def test_a_run_that_writes_is_stalled_only_after_hours(home: Home) -> None:
    leave_run(home, dg.DagsterRunStatus.STARTED)
    with hold_write_lock(home.settings.lock_path, 0):
        assert find_stalls(home.settings, time.time() + 3 * HOUR) == []
        (told,) = find_stalls(home.settings, time.time() + 5 * HOUR)
    assert "has been going on for 300 minutes" in told


def test_a_stopped_schedule_is_told_until_somebody_runs_by_hand(home: Home) -> None:
    assert find_stalls(home.settings) == []  # no UI ever ran here
    beat(home, time.time() - 60)
    assert find_stalls(home.settings) == []
    (told,) = find_stalls(home.settings, time.time() + HOUR)
    assert told.startswith("The schedule has stopped: its daemon was last alive at ")
    assert [note.words for note in examine_shop(home.settings) if note.subject == "schedule"] == []
    leave_run(home, dg.DagsterRunStatus.SUCCESS)
    assert find_stalls(home.settings, time.time() + HOUR) == []


def test_a_published_day_with_a_stuck_queue_is_stalled_and_ends_with_one(home: Home) -> None:
    leave_run(home, dg.DagsterRunStatus.QUEUED)
    now = datetime.fromtimestamp(time.time() + HOUR, home.settings.zone)
    text = home.config.read_text(encoding="utf-8")  # a shop that opens today: nothing is due
    home.config.write_text(text.replace("opening_date: 2026-05-01", f"opening_date: {now.date()}"), encoding="utf-8")
    health = read_health(home.settings, now)
    assert (health["state"], health["exit_code"], len(health["problems"])) == ("stalled", 1, 1)


def test_an_alert_is_told_once_again_after_a_change_and_after_a_day(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard = hear(monkeypatch)
    late = read_health(home.settings, datetime(2026, 5, 5, 12, tzinfo=home.settings.zone))
    fine = read_health(home.settings, datetime(2026, 5, 3, 12, tzinfo=home.settings.zone))
    for health in (fine, late, late):
        tell_if_due(home.settings, health)
    assert heard == ["Test shop: 2026-05-04 is not published, and should be by now.\nLast published day: 2026-05-02"]
    assert (home.settings.home / "alerts.log").read_text().count("is not published") == 1
    told = json.loads((home.settings.home / ".alerted").read_text())
    (home.settings.home / ".alerted").write_text(json.dumps(told | {"at": told["at"] - 25 * HOUR}))
    tell_if_due(home.settings, late)
    assert len(heard) == 2
    tell_if_due(home.settings, fine)
    tell_if_due(home.settings, late)
    assert len(heard) == 3


def test_a_channel_that_fails_keeps_the_line_in_the_log(home: Home) -> None:
    channels = ["delivery:", "- {name: quiet, url: 'json://127.0.0.1:9/x', attach: nothing}"]
    channels.append("- {name: loud, url: 'json://127.0.0.1:9/x', attach: nothing, alerts: true}")
    home.config.write_text(home.config.read_text() + "\n" + "\n".join(channels) + "\n")
    late = read_health(home.settings, datetime(2026, 5, 5, 12, tzinfo=home.settings.zone))
    assert tell_if_due(home.settings, late) == ["loud: the service did not take it, or was not reached"]
    assert "2026-05-04 is not published" in (home.settings.home / "alerts.log").read_text()


def test_the_command_of_a_timer_alerts_and_exits_with_the_code(home: Home) -> None:
    assert date(2026, 5, 2) < date.today()
    done = funnelscope(home, "status", "--alert")
    assert (done.code, done.out) == (1, "")
    assert "is not published" in (home.settings.home / "alerts.log").read_text()
