"""The printed report, its stages, and its delivery."""

from collections.abc import Iterator
from datetime import date, datetime, timedelta

import dagster as dg

from assets.common import DELIVERY, REPORT, SINGLE_RUN, SNAPSHOT, STAGES, define_daily_asset, read_date_range
from assets.metadata import describe_platforms, describe_stage
from assets.resources import Shop
from funnelscope import reporting
from funnelscope.messages.secrets import hide_secrets
from funnelscope.reporting import delivery
from funnelscope.settings import Settings

STAGE_MEANINGS = {
    "traffic": "from the ad to the session that arrives",
    "landing": "from the session to a product view in earnest",
    "decision": "from the product view to the paid order",
    "repurchase": "from an old customer to the next purchase",
}


def define_daily_report(days: dg.DailyPartitionsDefinition, settings: Settings) -> dg.AssetsDefinition:
    """The assets of the report and its stages, printed together."""

    @dg.multi_asset(
        name="print_report",
        specs=[*(_define_stage_spec(stage, settings) for stage in STAGES), _define_report_spec()],
        partitions_def=days,
        backfill_policy=SINGLE_RUN,
    )
    def print_report(context: dg.AssetExecutionContext, shop: Shop) -> Iterator[dg.MaterializeResult]:
        from_date, to_date = read_date_range(context, shop)
        problems: list[str] = []
        for restated in reporting.find_restated_days(shop.settings, from_date, to_date - timedelta(days=1)):
            problems += _print_beside(shop.settings, restated)
        edition = reporting.print_report(shop.settings, to_date)
        problems += [f"{to_date}: {failure}" for failure in edition.failures]
        periods = reporting.find_due_periods(shop.settings, from_date, to_date)
        for period in periods:
            problems += _print_beside(shop.settings, period)
        for problem in problems:
            context.log.warning(f"Not printed: {problem}")
        for stage in STAGES:
            yield dg.MaterializeResult(asset_key=STAGES[stage], metadata=describe_stage(edition, stage))
        yield dg.MaterializeResult(
            asset_key=REPORT,
            metadata={
                "pdf": dg.MetadataValue.path(str(edition.pdf)),
                "html": dg.MetadataValue.path(str(edition.html)),
                "edition": edition.number,
                "snapshot": edition.snapshot,
                **describe_platforms(edition),
                "problems": "\n".join(problems) or "none",
                "weeks, months and campaigns": ", ".join(period.name for period in periods) or "none",
            },
        )

    return print_report


def _print_beside(settings: Settings, other: reporting.Period | date) -> list[str]:
    """Prints the report of another time. Returns what failed: it never keeps the day's report from its readers."""
    name = other.name if isinstance(other, reporting.Period) else other.isoformat()
    try:
        return [f"{name}: {failure}" for failure in reporting.print_report(settings, other).failures]
    except Exception as error:
        return [f"{name}: {hide_secrets(repr(error))}"]


def _define_stage_spec(stage: str, settings: Settings) -> dg.AssetSpec:
    """The stage, owned also by whom the settings name: of what the UI searches, owners alone may be Chinese."""
    owner = settings.owners.get(stage)
    named = [settings.list_labels(settings.language).get(owner, owner)] if owner else []
    return dg.AssetSpec(
        STAGES[stage],
        deps=[SNAPSHOT],
        group_name="stages",
        kinds={"png"},
        owners=["team:analytics", *(f"team:{name}" for name in named)],
        description=f"The stage of the last day as the report prints it: the funnel {STAGE_MEANINGS[stage]}, each "
        "step with its baseline range, and four weeks of its rate.",
    )


def _define_report_spec() -> dg.AssetSpec:
    return dg.AssetSpec(
        REPORT,
        deps=[SNAPSHOT, *STAGES.values()],
        group_name="report",
        kinds={"pdf"},
        owners=["team:analytics"],
        description="The PDF of the last day of the run, even if blocked, and a new one of every earlier day that it "
        "restated. Likewise for the week, the month and the campaigns that ended in the run, or that it restated.",
    )


def define_delivery(days: dg.DailyPartitionsDefinition) -> dg.AssetsDefinition:
    """The asset that sends the reports."""

    @define_daily_asset(days, DELIVERY, [REPORT], "report", owner="analytics")
    def delivery_of_reports(context: dg.AssetExecutionContext, shop: Shop) -> dg.MaterializeResult:
        """Sends the report to the declared channels, a restated one only if it says something new.

        A failing channel does not fail the run.
        """
        from_date, to_date = read_date_range(context, shop)
        today = datetime.now(shop.settings.zone).date()
        span = (shop.warehouse, shop.settings, from_date, to_date, today)
        days: list[reporting.Period | date] = [
            *delivery.find_days_to_send(*span),
            *delivery.find_periods_to_send(*span),
        ]
        problems = []
        for day in days:
            for sending in delivery.deliver(shop.warehouse, shop.settings, day, only_news=True):
                if sending.state is delivery.DeliveryOutcome.FAILED:
                    named = day.name if isinstance(day, reporting.Period) else day
                    problems.append(f"The report of {named} did not reach {sending.channel}: {sending.problem}")
                    context.log.warning(problems[-1])
        return dg.MaterializeResult(metadata={"days": len(days), "problems": "\n".join(problems) or "none"})

    return delivery_of_reports
