"""The morning schedule: waits for deliveries until nine, asks for each day once, makes up for missed days."""

import os
import time as clock
from datetime import date, datetime, time, timedelta
from pathlib import Path

import dagster as dg
import pytest

from assets.common import SNAPSHOT, define_partitions
from funnelscope.events.schema import EVENT_FAMILIES
from funnelscope.settings import Settings, load_settings
from pipelines.morning import build_cron, build_freshness_cron
from pipelines.schedules import define_daily_schedule, find_undelivered_sources

DAY = date(2026, 5, 4)


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("FUNNELSCOPE_HOME", str(tmp_path))
    config = tmp_path / "funnelscope.yaml"
    sources = "".join(f"  - {{family: {family}}}\n" for family in EVENT_FAMILIES)
    config.write_text(f"shop: test\ntimezone: Asia/Shanghai\nstart_date: 2026-05-01\nsources:\n{sources}")
    return load_settings(config)


def deliver(settings: Settings, *families: str, seconds_ago: float = 3600) -> None:
    for family in families:
        file = settings.landing / family / f"dt={DAY}" / "part-0.csv"
        file.parent.mkdir(parents=True)
        file.write_text("event_time,event_type\n")
        os.utime(file, (clock.time() - seconds_ago, clock.time() - seconds_ago))


def tick(settings: Settings, hour: int, instance: dg.DagsterInstance, minute: int = 10) -> list[dg.RunRequest]:
    @dg.asset(key=SNAPSHOT, partitions_def=define_partitions(settings))
    def snapshot() -> None: ...

    schedule = define_daily_schedule(settings, dg.define_asset_job("daily", [SNAPSHOT]))
    definitions = dg.Definitions(assets=[snapshot], schedules=[schedule])
    moment = datetime(2026, 5, 5, hour, minute, tzinfo=settings.zone)
    context = dg.build_schedule_context(
        instance, scheduled_execution_time=moment, repository_def=definitions.get_repository_def()
    )
    return list(schedule.evaluate_tick(context).run_requests or ())


def test_a_day_runs_as_soon_as_every_family_is_delivered(settings: Settings) -> None:
    deliver(settings, *EVENT_FAMILIES)
    with dg.instance_for_test() as instance:
        (request,) = tick(settings, 6, instance)
    assert (request.partition_key, request.run_key) == ("2026-05-04", "morning after 2026-05-04: 2026-05-04")


def test_the_schedule_waits_for_a_missing_family_until_the_latest_time_and_then_runs_anyway(settings: Settings) -> None:
    deliver(settings, "traffic", "page", "order")
    assert find_undelivered_sources(settings, DAY) == ["service"]
    with dg.instance_for_test() as instance:
        assert tick(settings, 10, instance, 20) == []
        assert [request.partition_key for request in tick(settings, 10, instance, 30)] == ["2026-05-04"]
        earlier = settings.model_copy(update={"latest": time(8, 5)})
        assert tick(earlier, 8, instance, 0) == []
        assert [request.partition_key for request in tick(earlier, 8, instance, 10)] == ["2026-05-04"]


def test_the_schedule_waits_for_a_file_that_was_written_to_just_now(settings: Settings) -> None:
    deliver(settings, "traffic", "page", "order")
    deliver(settings, "service", seconds_ago=1)
    assert find_undelivered_sources(settings, DAY) == ["service"]


def test_a_broken_link_counts_as_not_delivered_and_the_day_runs_all_the_same(settings: Settings) -> None:
    deliver(settings, *EVENT_FAMILIES)
    for number, target in enumerate(("nothing.csv", "loop-1.csv")):
        (settings.landing / "order" / f"dt={DAY}" / f"loop-{number}.csv").symlink_to(target)
    assert find_undelivered_sources(settings, DAY) == ["order"]
    with dg.instance_for_test() as instance:
        assert [request.partition_key for request in tick(settings, 11, instance)] == ["2026-05-04"]


def test_days_missed_while_the_machine_was_off_are_run_too(settings: Settings) -> None:
    deliver(settings, *EVENT_FAMILIES)
    with dg.instance_for_test() as instance:
        for day in (DAY - timedelta(days=3), DAY - timedelta(days=1)):
            instance.report_runless_asset_event(dg.AssetMaterialization(SNAPSHOT, partition=day.isoformat()))
        requested = [request.partition_key for request in tick(settings, 6, instance)]
    assert requested == ["2026-05-02", "2026-05-04"]


def test_each_schedule_tick_is_on_the_shops_clock(settings: Settings) -> None:
    schedule = define_daily_schedule(settings, dg.define_asset_job("daily", [SNAPSHOT]))
    assert (schedule.cron_schedule, schedule.execution_timezone) == ("*/10 6-10 * * *", "Asia/Shanghai")
    assert schedule.default_status == dg.DefaultScheduleStatus.RUNNING


@pytest.mark.parametrize(
    ("latest", "looks", "published_by"),
    [
        (time(10, 30), "*/10 6-10 * * *", "0 11 * * *"),
        (time(9), "*/10 6-9 * * *", "30 9 * * *"),
        (time(10, 51), "*/10 6-11 * * *", "30 11 * * *"),
        (time(4, 1), "*/10 4-4 * * *", "40 4 * * *"),
        (time(23, 55), "*/10 6-23 * * *", "59 23 * * *"),
    ],
)
def test_the_schedule_looks_until_the_latest_time(
    settings: Settings, latest: time, looks: str, published_by: str
) -> None:
    changed = settings.model_copy(update={"latest": latest})
    assert (build_cron(changed), build_freshness_cron(changed)) == (looks, published_by)


@pytest.mark.parametrize("written", ["10:30", "'10:30'", "9:05", "00:00"])
def test_a_time_of_the_day_is_read_as_it_is_written(written: str, tmp_path: Path) -> None:
    config = tmp_path / "funnelscope.yaml"
    config.write_text(f"shop: s\nstart_date: 2026-05-01\nlatest: {written}\n")
    assert load_settings(config).latest.isoformat("minutes") == written.strip("'").zfill(5)
