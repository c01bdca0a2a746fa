"""The automatic runs: every morning once the deliveries are there, and a check of freshness."""

import stat
import time as clock
import warnings
from datetime import date, timedelta

import dagster as dg

from assets.common import SNAPSHOT
from funnelscope.ingest.landing_zone import DeliveryError, FoundFile, find_files
from funnelscope.messages.wording import load_words
from funnelscope.settings import Settings, Source
from pipelines.jobs import AssetJob
from pipelines.morning import build_cron, build_freshness_cron, find_last_look

SECONDS_OF_REST = 60  # a file written to more recently may still be growing
DAYS_LOOKED_BACK = 7  # days missed while the machine was off are run too


def define_daily_schedule(settings: Settings, daily: AssetJob) -> dg.ScheduleDefinition:
    """Runs yesterday as soon as its required files are in, and at `latest` with what is there."""

    @dg.schedule(
        job=daily,
        name="every_morning",
        cron_schedule=build_cron(settings),
        execution_timezone=settings.timezone,
        description=load_words(settings.language).text("automation", "every_morning"),
        default_status=dg.DefaultScheduleStatus.RUNNING,
    )
    def every_morning(context: dg.ScheduleEvaluationContext) -> list[dg.RunRequest] | dg.SkipReason:
        """Checks every ten minutes from six until `latest`. Each day is requested once."""
        now = context.scheduled_execution_time.astimezone(settings.zone)
        yesterday = now.date() - timedelta(days=1)
        if yesterday < settings.opening_date:
            return dg.SkipReason(f"The shop opens on {settings.opening_date}.")
        waiting = find_undelivered_sources(settings, yesterday)
        if waiting and now.time() < find_last_look(settings):
            return dg.SkipReason(f"Waiting for {', '.join(waiting)} of {yesterday} until {settings.latest:%H:%M}.")
        days = [*_find_missed_days(context.instance, settings, yesterday), yesterday]
        return [
            dg.RunRequest(run_key=f"morning after {yesterday}: {day}", partition_key=day.isoformat()) for day in days
        ]

    return every_morning


def find_undelivered_sources(settings: Settings, day: date) -> list[str]:
    """The required sources whose files for the day are missing, or were written to just now."""
    return [
        source.name
        for source in settings.sources
        if source.required and not source.query and not _is_delivered(settings, source, day)
    ]


def _is_delivered(settings: Settings, source: Source, day: date) -> bool:
    newest = clock.time() - SECONDS_OF_REST
    files = [found for found in find_files(settings, source) if _is_of(found, settings, day)]
    return bool(files) and all(_is_at_rest(found, newest) for found in files)


def _is_at_rest(found: FoundFile, newest: float) -> bool:
    """Whether it is a file and was last written by then, in seconds since 1970; a broken link or a folder is none."""
    try:
        status = found.path.stat()
        return stat.S_ISREG(status.st_mode) and status.st_mtime <= newest
    except OSError:
        return False


def _is_of(found: FoundFile, settings: Settings, day: date) -> bool:
    try:
        return found.delivery_date(settings.zone) >= day
    except DeliveryError:  # the run itself reports the error
        return False


def _find_missed_days(instance: dg.DagsterInstance, settings: Settings, yesterday: date) -> list[date]:
    """Days of the last week without a published partition, although an earlier day has one."""
    published = {date.fromisoformat(key) for key in instance.get_materialized_partitions(SNAPSHOT)}
    back = (yesterday - timedelta(days=offset) for offset in range(DAYS_LOOKED_BACK, 0, -1))
    return [day for day in back if day not in published and published and settings.opening_date <= min(published) < day]


def define_freshness_checks(settings: Settings) -> list[dg.AssetChecksDefinition]:
    """Fails if yesterday's partition is not published half an hour after the last check of the schedule."""
    with warnings.catch_warnings():
        # Dagster's newer freshness policies use the time of the last run, not the day that it published.
        warnings.simplefilter("ignore")
        return list(
            dg.build_time_partition_freshness_checks(
                assets=[SNAPSHOT], deadline_cron=build_freshness_cron(settings), timezone=settings.timezone
            )
        )
