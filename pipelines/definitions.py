"""What Dagster loads: assets, checks, jobs, schedule and sensors of the shop that funnelscope.yaml describes."""

import dagster as dg

from assets.catalog import build_all_assets
from assets.resources import Shop
from funnelscope.settings import Settings, load_settings
from pipelines.jobs import DAILY, define_jobs
from pipelines.schedules import define_daily_schedule, define_freshness_checks
from pipelines.sensors import define_sensors


def build_definitions(settings: Settings) -> dg.Definitions:
    """The shop's definitions. One process and one run at a time: DuckDB has one writer."""
    catalogue = build_all_assets(settings)
    jobs = define_jobs()
    checks = define_freshness_checks(settings)
    daily = next(job for job in jobs if job.name == DAILY)
    return dg.Definitions(
        assets=[asset for asset in catalogue if not isinstance(asset, dg.AssetChecksDefinition)],
        asset_checks=[*(asset for asset in catalogue if isinstance(asset, dg.AssetChecksDefinition)), *checks],
        jobs=jobs,
        schedules=[define_daily_schedule(settings, daily)],
        sensors=define_sensors(settings, jobs, checks),
        resources={"shop": Shop()},
        executor=dg.in_process_executor,
    )


@dg.definitions
def defs() -> dg.Definitions:
    """The entry point that workspace.yaml names: the shop of this process's environment."""
    return build_definitions(load_settings())
