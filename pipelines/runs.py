"""Runs days from the command line, through the same definitions that the UI and the schedule use."""

import logging
import re
import sys
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr
from dataclasses import dataclass
from datetime import date
from enum import IntEnum
from typing import Any, TextIO, cast

import dagster as dg
from dagster._utils.error import SerializableErrorInfo
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from funnelscope.ingest.build_state import read_build_state
from funnelscope.ingest.quarantine import count_by_reason
from funnelscope.publication.erasure import find_unfinished
from funnelscope.quality.gate import DayVerdict, Verdict, list_days, read_verdicts
from funnelscope.settings import Settings
from funnelscope.warehouse.connection import open_warehouse
from pipelines.instance import fail_dead_runs, open_instance
from pipelines.jobs import DAILY, INGEST, RANGE_END, RANGE_START
from pipelines.planning import Piece, plan_runs
from pipelines.terminal import tell


class Outcome(IntEnum):
    """The outcome of a run of days: the exit code of the command line."""

    PUBLISHED = 0
    ERROR = 1
    BLOCKED = 2


class RunFailedError(RuntimeError):
    """A step failed, and not because of a blocked day. The text is the step and its error."""


@dataclass(frozen=True)
class DaysRun:
    """The executed runs, the verdicts of the requested days, and what then waits in quarantine by reason."""

    outcome: Outcome
    pieces: tuple[Piece, ...]
    verdicts: tuple[DayVerdict, ...]
    quarantined: Mapping[str, tuple[int, int]]


def run_days(settings: Settings, from_date: date, to_date: date) -> DaysRun:
    """Takes all deliveries, then builds the requested days and all days that late deliveries have changed.

    An erasure that was interrupted is finished first.

    Raises:
        RunFailedError: a step failed; earlier publications are kept.
        WarehouseLockedError: another process has the warehouse open, and does not end in time.
    """
    _finish_erasure(settings)
    pieces = bring_up_to_date(settings, list_days(from_date, to_date))
    with open_warehouse(settings.warehouse_path, wait_seconds=settings.lock_wait_seconds) as warehouse:
        judged = tuple(read_verdicts(warehouse, from_date, to_date))
        quarantined = count_by_reason(warehouse)
    return DaysRun(judge_outcome(judged), pieces, judged, quarantined)


def find_delivered_days(settings: Settings, yesterday: date) -> tuple[date, date]:
    """The first and last day, from the opening day to `yesterday`, of which any delivery tells; else these two.

    The first is the opening day where deliveries tell of days before it, which are built with it. Takes all deliveries
    and builds the days that they changed, as a run does; raises as `run_days`.
    """
    if yesterday < settings.opening_date:
        return settings.opening_date, yesterday
    _finish_erasure(settings)
    bring_up_to_date(settings, ())
    with open_warehouse(settings.warehouse_path, wait_seconds=settings.lock_wait_seconds) as warehouse:
        ((first, last),) = warehouse.rows(
            "select min(business_date), max(business_date) filter (where business_date >= $opening) "
            "from quality.delivery_dates where business_date between $start and $last",
            start=settings.start_date,
            opening=settings.opening_date,
            last=yesterday,
        )
    return max(first or settings.opening_date, settings.opening_date), last or yesterday


def _finish_erasure(settings: Settings) -> None:
    from pipelines.erasure_runs import forget

    with open_warehouse(settings.warehouse_path, wait_seconds=settings.lock_wait_seconds) as warehouse:
        is_erasing = find_unfinished(warehouse, settings)
    if is_erasing:
        forget(settings)


def judge_outcome(judged: Sequence[DayVerdict]) -> Outcome:
    """The outcome of days with these verdicts."""
    is_blocked = any(verdict.verdict == Verdict.BLOCKED for verdict in judged)
    return Outcome.BLOCKED if is_blocked else Outcome.PUBLISHED


def bring_up_to_date(settings: Settings, requested: Sequence[date]) -> tuple[Piece, ...]:
    """Takes all deliveries, then builds the requested days, if any, and those that the deliveries changed.

    Raises:
        RunFailedError: a step failed.
    """
    from pipelines.definitions import build_definitions

    intake_day = max(requested, default=settings.opening_date)
    with open_instance(settings) as instance, silence_dagster():
        fail_dead_runs(instance, settings)
        defs = build_definitions(settings)
        execute_piece(instance, defs, Piece(INGEST, intake_day, intake_day), tell(settings, "taking"))
        with open_warehouse(settings.warehouse_path, wait_seconds=settings.lock_wait_seconds) as warehouse:
            pieces = plan_runs(requested, read_build_state(warehouse), settings.opening_date)
        for piece in pieces:
            title = "building" if piece.job == DAILY else "restating"
            execute_piece(instance, defs, piece, tell(settings, title, days=_format_days(settings, piece)))
    return tuple(pieces)


def _format_days(settings: Settings, piece: Piece) -> str:
    if piece.from_date == piece.to_date:
        return str(piece.from_date)
    return tell(settings, "days_between", first=piece.from_date, last=piece.to_date)


def execute_piece(
    instance: dg.DagsterInstance,
    defs: dg.Definitions,
    piece: Piece,
    title: str,
    asset_selection: Sequence[dg.AssetKey] | None = None,
) -> None:
    """Executes one piece in this process, its whole job or the selected assets, with a progress bar on the terminal.

    Raises:
        RunFailedError: a step failed; a blocked day is not a failure here.
    """
    job = defs.resolve_job_def(piece.job)
    chosen = job.get_subset(asset_selection=set(asset_selection)) if asset_selection else job
    run_id = str(uuid.uuid4())
    with show_step_progress(title, len(chosen.graph.nodes)) as step_done:
        instance.add_event_listener(run_id, step_done)
        result = job.execute_in_process(
            instance=instance,
            run_id=run_id,
            raise_on_error=False,
            asset_selection=asset_selection,
            tags={RANGE_START: piece.from_date.isoformat(), RANGE_END: piece.to_date.isoformat()},
        )
    if result.success:
        return
    failures = [event for event in result.all_node_events if event.is_step_failure]
    texts = [
        f"{event.step_key}: {_find_innermost_error(event.step_failure_data.error)}"
        for event in failures
        if event.step_key != "published__outcome"
    ]
    if not failures:  # the run failed before its first step, usually because of the lock
        texts = [
            _find_innermost_error(event.job_failure_data.error) for event in result.all_events if event.is_job_failure
        ]
    if texts:
        raise RunFailedError("\n".join(texts))


def _find_innermost_error(error: SerializableErrorInfo | None) -> str:
    while error and error.cause:
        error = error.cause
    if error and error.cls_name == dg.DagsterExecutionInterruptedError.__name__:
        return "interrupted. Earlier publications are kept; run the command again to continue."
    if not error:
        return "the run did not finish"
    return re.sub(r"^funnelscope\.[\w.]+: ", "", error.message.strip())  # our class names mean nothing to a user


@contextmanager
def show_step_progress(title: str, steps: int) -> Iterator[Callable[[dg.EventLogEntry], None]]:
    """A progress bar on the terminal. Yields the function that a Dagster instance calls with each event."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns) as progress:
        task = progress.add_task(title, total=steps)

        def on_event(entry: dg.EventLogEntry) -> None:
            event = entry.dagster_event
            if event and (event.is_step_success or event.is_step_failure or event.is_step_skipped):
                progress.advance(task)
                progress.update(task, total=max(steps, progress.tasks[task].completed))

        yield on_event


class _QuietStream:
    """A stream without what Dagster says when its event log cannot be written: the error is told at the end."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream

    def write(self, text: str) -> int:
        """Writes the text, as a stream does."""
        return len(text) if text.startswith("Exception while writing logger call") else self.stream.write(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


@contextmanager
def silence_dagster() -> Iterator[None]:
    """Keeps Dagster's log lines in its event log, so that the terminal shows only progress and results."""
    previous = logging.root.manager.disable
    logging.disable(logging.ERROR)
    try:
        with redirect_stderr(cast(TextIO, _QuietStream(sys.stderr))):
            yield
    finally:
        logging.disable(previous)
