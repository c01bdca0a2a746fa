"""Notices runs that do not start or do not end, and tells the shop's alert channels."""

import json
import time
from datetime import UTC, datetime

import dagster as dg

from funnelscope.messages.secrets import hide_secrets
from funnelscope.messages.wording import load_words
from funnelscope.reporting.delivery import send_alert
from funnelscope.settings import Settings
from funnelscope.warehouse.connection import is_lock_held
from pipelines.instance import SECONDS_TO_TAKE_THE_LOCK, UNFINISHED, open_instance

MINUTES_IN_THE_QUEUE = 30
HOURS_OF_A_RUN = 4
MINUTES_WITHOUT_A_HEARTBEAT = 10
HOURS_UNTIL_TOLD_AGAIN = 24
ALERTS = "alerts.log"
TOLD = ".alerted"


def find_stalls(settings: Settings, now: float | None = None) -> list[str]:
    """What keeps the next run from starting or ending, in the shop's language; empty where no UI ever ran.

    Args:
        now: seconds since 1970.
    """
    if not (settings.dagster_home / "dagster.yaml").exists():
        return []
    now = now or time.time()
    with open_instance(settings) as instance:
        return [*_find_stalled_runs(instance, settings, now), *_find_stopped_daemons(instance, settings, now)]


def _find_stalled_runs(instance: dg.DagsterInstance, settings: Settings, now: float) -> list[str]:
    words = load_words(settings.language)
    found = []
    is_writing = is_lock_held(settings.lock_path)
    for record in instance.get_run_records(dg.RunsFilter(statuses=[dg.DagsterRunStatus.QUEUED, *UNFINISHED])):
        minutes = int(now - record.update_timestamp.timestamp()) // 60
        is_queued = record.dagster_run.status is dg.DagsterRunStatus.QUEUED
        is_dead = not is_queued and not is_writing and minutes * 60 > SECONDS_TO_TAKE_THE_LOCK
        if is_queued and minutes >= MINUTES_IN_THE_QUEUE:
            key = "queued"
        elif is_dead and minutes >= MINUTES_WITHOUT_A_HEARTBEAT:  # a living daemon has marked it as failed by then
            key = "dead"
        elif not is_queued and minutes >= HOURS_OF_A_RUN * 60:
            key = "endless"
        else:
            continue
        found.append(words.text("alerts", key, run=record.dagster_run.run_id, minutes=words.plain(minutes)))
    return found


def _find_stopped_daemons(instance: dg.DagsterInstance, settings: Settings, now: float) -> list[str]:
    """The schedule lives in the daemon. It is missed if it lived after the last run, whoever started that."""
    beats = [beat.timestamp for beat in instance.get_daemon_heartbeats().values()]
    last = max(beats, default=0.0)
    runs = instance.get_run_records(limit=1)
    last_run = runs[0].update_timestamp.timestamp() if runs else 0.0
    if not beats or now - last < MINUTES_WITHOUT_A_HEARTBEAT * 60 or last_run > last:
        return []
    since = datetime.fromtimestamp(last, UTC).astimezone(settings.zone)
    return [load_words(settings.language).text("alerts", "stopped", since=f"{since:%Y-%m-%d %H:%M}")]


def tell_if_due(settings: Settings, health: dict[str, object]) -> list[str]:
    """Alerts once a state and day, and again after a day: a line in alerts.log, and to every channel with `alerts`.

    Returns which channels failed.
    """
    told = settings.home / TOLD
    if not health["exit_code"]:
        told.unlink(missing_ok=True)
        return []
    state = {"state": health["state"], "day": health["expected_day"]}
    try:
        before = json.loads(told.read_text(encoding="utf-8"))
        is_told = before["state"] == state and time.time() - before["at"] < HOURS_UNTIL_TOLD_AGAIN * 3_600
    except (OSError, ValueError, KeyError, TypeError):
        is_told = False
    if is_told:
        return []
    words = load_words(settings.language)
    title = words.text("alerts", str(health["state"]), shop=settings.shop, day=str(health["expected_day"]))
    reasons = [str(each) for each in (*_list(health["problems"]), *_list(health["reasons"]))]
    last = words.text("alerts", "last_published", day=str(health["last_published_day"] or "–"))
    write_alert(settings, " ".join([title, *reasons]))
    problems = send_alert(settings, title, "\n".join([title, *reasons, last]))
    told.write_text(json.dumps({"state": state, "at": time.time()}), encoding="utf-8")
    return problems


def _list(value: object) -> list[object]:
    return list(value) if isinstance(value, list) else []


def write_alert(settings: Settings, line: str) -> None:
    """Appends a line to alerts.log in the home folder, for monitoring."""
    with (settings.home / ALERTS).open("a", encoding="utf-8") as log:
        log.write(f"{' '.join(hide_secrets(line).split())}\n")
