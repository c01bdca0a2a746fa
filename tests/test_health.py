"""What monitoring reads: whether the day that should be published by now is, as JSON and as an exit code."""

import json
from datetime import date, datetime
from pathlib import Path

import duckdb
import pytest
from shop_helpers import Home
from test_cli import funnelscope

from funnelscope.warehouse.connection import hold_write_lock
from pipelines.status import read_health

REASON = {"key": "family_missing", "subject": "order", "observed": "missing", "expected": "a delivery"}


def published_home(folder: Path, verdicts: dict[str, str]) -> Home:
    """A home whose published copy has these verdicts; blocked days are judged, not published."""
    home = Home(folder)
    home.write_config(date(2026, 5, 1))
    snapshot = home.settings.published / "snapshots" / "1"
    snapshot.mkdir(parents=True)
    (home.settings.published / "current").symlink_to(snapshot)
    with duckdb.connect(str(snapshot / "funnelscope.duckdb")) as connection:
        connection.execute("create schema quality")
        connection.execute("create table quality.published_days (business_date DATE, snapshot VARCHAR)")
        connection.execute("create table quality.day_verdict (business_date DATE, verdict VARCHAR, reasons VARCHAR)")
        for day, verdict in verdicts.items():
            reasons = [] if verdict == "pass" else [REASON | {"severity": "block"}]
            connection.execute("insert into quality.day_verdict values (?, ?, ?)", [day, verdict, json.dumps(reasons)])
            if verdict != "blocked":
                connection.execute("insert into quality.published_days values (?, 'one')", [day])
    return home


def health_at(home: Home, moment: str) -> dict[str, object]:
    settings = home.settings
    return read_health(settings, datetime.fromisoformat(moment).replace(tzinfo=settings.zone))


@pytest.mark.parametrize(
    ("verdict", "moment", "state", "code", "behind"),
    [
        ("pass", "2026-05-03T11:00", "fine", 0, 0),
        ("warn", "2026-05-03T23:59", "warned", 0, 0),
        ("blocked", "2026-05-03T11:00", "blocked", 2, 1),
        ("blocked", "2026-05-03T10:59", "fine", 0, 0),  # until eleven, the day before is the one expected
        ("pass", "2026-05-04T10:59", "fine", 0, 0),
        ("pass", "2026-05-04T11:00", "late", 1, 1),
        ("pass", "2026-06-02T12:00", "late", 1, 30),
        ("pass", "2026-05-01T12:00", "fine", 0, 0),  # the shop is not open yet
    ],
)
def test_the_day_expected_by_now_decides(
    tmp_path: Path, verdict: str, moment: str, state: str, code: int, behind: int
) -> None:
    health = health_at(published_home(tmp_path, {"2026-05-01": "pass", "2026-05-02": verdict}), moment)
    assert (health["state"], health["exit_code"], health["days_behind"]) == (state, code, behind)
    assert health["last_published_day"] == ("2026-05-01" if verdict == "blocked" else "2026-05-02")
    if state == "blocked":
        assert health["reasons"] == ["Orders: declared, but nothing was delivered"]


def test_before_anything_was_published_the_day_is_late(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.write_config(date(2026, 5, 1))
    health = health_at(home, "2026-05-03T12:00")
    assert (health["state"], health["last_published_day"], health["days_behind"]) == ("late", None, None)


def test_the_command_prints_it_while_a_run_writes_and_exits_with_the_code(tmp_path: Path) -> None:
    home = published_home(tmp_path, {"2026-05-01": "pass"})
    with hold_write_lock(home.settings.lock_path, 0):
        done = funnelscope(home, "status", "--json")
    assert done.code == 1
    assert set(json.loads(done.out)) == {
        "shop",
        "state",
        "exit_code",
        "expected_day",
        "last_published_day",
        "snapshot",
        "days_behind",
        "problems",
        "reasons",
    }
