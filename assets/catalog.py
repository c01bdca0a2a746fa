"""The asset catalogue: what exists, in flow order. One Dagster asset for each table, made from its SQL file."""

import re
import warnings
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from typing import Any

import dagster as dg

from assets import delivery, gate, ingest, publish, reporting, retention
from assets.diagnosis.daily import diagnose_days
from assets.funnels import daily as own_funnels
from assets.funnels.answering import step_labels
from assets.funnels.published import needs_history
from assets.funnels.spec import FunnelFile
from assets.settings import Settings
from assets.shop import Shop
from assets.showing import (
    last_day_of_diagnosis,
    last_day_of_table,
    own_funnel_of_day,
    row_counts,
    shown_rows,
    stage_of_edition,
)
from assets.standing import record_built
from sql.contract import FAMILIES, Family
from sql.contracts import Severity
from sql.lineage import Lineage, column_lineage
from sql.models import RAW_LEADING_COLUMNS, Model, build, derived_schemas, load_models

# Single-run backfills and mappings over days that do not exist are in beta; their versions are pinned.
warnings.filterwarnings("ignore", category=dg.BetaWarning)

FAR_BACK_DAYS = 3650  # how far `history: all` reaches in the partition mapping
RUNS_AT_A_TIME = 50
_ENDED = (dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED)
SINGLE_RUN = dg.BackfillPolicy.single_run()


def asset_key(table: str) -> dg.AssetKey:
    """`schema.table` as an asset key."""
    return dg.AssetKey(table.split("."))


RAW_KEYS = {family.name: asset_key(f"raw.{family.table}") for family in FAMILIES.values()}
DUPLICATES = asset_key("quality.duplicate_events")
EXCLUDED = asset_key("quality.excluded_events")
RESULTS = asset_key("quality.results")
VERDICT = asset_key("quality.day_verdict")
FINDINGS = asset_key("diagnosis.findings")
SNAPSHOT = dg.AssetKey(["published", "snapshot"])
STAGES = {stage: dg.AssetKey(["stages", stage]) for stage in reporting.STAGES}
STAGE_MEANINGS = {
    "traffic": "from the ad to the session that arrives",
    "landing": "from the session to a product view in earnest",
    "decision": "from the product view to the paid order",
    "repurchase": "from an old customer to the next purchase",
}
REPORT = dg.AssetKey(["published", "daily_report"])
DELIVERY = dg.AssetKey(["published", "delivery"])
RETENTION = dg.AssetKey(["published", "retention"])
OUTCOME = dg.AssetKey(["published", "outcome"])
OWN_FUNNELS = "funnels"


def date_range(context: dg.AssetExecutionContext | dg.AssetCheckExecutionContext, shop: Shop) -> tuple[date, date]:
    """First and last business date of the run, both in. The opening day brings the shop's history with it."""
    keys = context.partition_key_range
    from_date, to_date = date.fromisoformat(keys.start), date.fromisoformat(keys.end)
    if from_date == shop.settings.opening_date:
        from_date = shop.settings.start_date
    return from_date, to_date


def partitions(settings: Settings) -> dg.DailyPartitionsDefinition:
    """One partition a business date, from the opening day to yesterday on the shop's clock.

    Days before the opening only feed customer history: they have no partitions and are built with the opening day.
    """
    return dg.DailyPartitionsDefinition(start_date=settings.opening_date.isoformat(), timezone=settings.timezone)


def all_assets(settings: Settings) -> list[dg.AssetsDefinition | dg.AssetChecksDefinition]:
    """Every asset and every check of the shop, in flow order."""
    days = partitions(settings)
    lineage = column_lineage(settings.home / "lineage.json")
    funnels = own_funnels.declared_funnels(settings)
    return [
        _raw_events(days, settings),
        _duplicate_events(days),
        _excluded_events(days),
        *(_model_asset(model, days, lineage[model.table]) for model in load_models().values()),
        _results(days),
        _verdict(days),
        _checks(days, settings),
        _findings(days),
        *(_own_funnel(file, days) for file in funnels),
        _snapshot(days, [_own_funnel_key(file) for file in funnels]),
        _daily_report(days),
        _delivery(days),
        _retention(days),
        _outcome(days),
    ]


def _daily_asset(
    days: dg.DailyPartitionsDefinition,
    key: dg.AssetKey,
    deps: list[dg.AssetKey],
    group: str,
    *kinds: str,
    owner: str = "data",
) -> Callable[[Callable[..., dg.MaterializeResult]], dg.AssetsDefinition]:
    """What all hand-written assets share: daily partitions, and a range of days as one run."""
    return dg.asset(
        key=key,
        deps=deps,
        group_name=group,
        kinds=set(kinds),
        owners=[f"team:{owner}"],
        partitions_def=days,
        backfill_policy=SINGLE_RUN,
    )


# --- Raw -----------------------------------------------------------------------------------------


def _raw_events(days: dg.DailyPartitionsDefinition, settings: Settings) -> dg.AssetsDefinition:
    @dg.multi_asset(
        name="take_deliveries",
        specs=[_raw_spec(family, settings) for family in FAMILIES.values()],
        partitions_def=days,
        backfill_policy=SINGLE_RUN,
    )
    def take_deliveries(context: dg.AssetExecutionContext, shop: Shop) -> Iterator[dg.MaterializeResult]:
        """Takes every new, changed or removed file of the landing zone, whatever day it belongs to."""
        ingest.take_deliveries(shop.warehouse, shop.settings)
        from_date, to_date = date_range(context, shop)
        for family in FAMILIES.values():
            yield dg.MaterializeResult(
                asset_key=RAW_KEYS[family.name],
                metadata=row_counts(shop, f"raw.{family.table}", from_date, to_date),
            )

    return take_deliveries


def _raw_spec(family: Family, settings: Settings) -> dg.AssetSpec:
    sources = settings.family_sources(family.name)
    declared = ", ".join(source.pattern for source in sources) or "not declared: this shop delivers none"
    columns = [(name, kind, meaning) for name, kind, meaning in RAW_LEADING_COLUMNS]
    columns += [(column.name, column.sql_type, column.meaning) for column in family.columns]
    return dg.AssetSpec(
        RAW_KEYS[family.name],
        group_name="raw",
        kinds={"duckdb"},
        owners=["team:data"],
        description=f"Delivered {family.name} events as they stand in the landing zone. Source: {declared}.",
        metadata={
            "dagster/column_schema": dg.TableSchema(
                [dg.TableColumn(name, kind, description=meaning) for name, kind, meaning in columns]
            )
        },
    )


def _duplicate_events(days: dg.DailyPartitionsDefinition) -> dg.AssetsDefinition:
    @_daily_asset(days, DUPLICATES, list(RAW_KEYS.values()), "raw", "duckdb")
    def duplicate_events(context: dg.AssetExecutionContext, shop: Shop) -> dg.MaterializeResult:
        """Raw rows that staging leaves out: the same event delivered again, or with other content (quarantined)."""
        from_date, to_date = date_range(context, shop)
        ingest.find_duplicates(shop.warehouse, from_date, to_date)
        return dg.MaterializeResult(metadata=row_counts(shop, "quality.duplicate_events", from_date, to_date))

    return duplicate_events


def _excluded_events(days: dg.DailyPartitionsDefinition) -> dg.AssetsDefinition:
    @_daily_asset(days, EXCLUDED, list(RAW_KEYS.values()), "raw", "duckdb")
    def excluded_events(context: dg.AssetExecutionContext, shop: Shop) -> dg.MaterializeResult:
        """Raw rows of people whom the shop does not count, by `exclude` of its settings, with the reason."""
        from_date, to_date = date_range(context, shop)
        ingest.find_excluded(shop.warehouse, from_date, to_date)
        return dg.MaterializeResult(metadata=row_counts(shop, "quality.excluded_events", from_date, to_date))

    return excluded_events


# --- SQL models ----------------------------------------------------------------------------------


def _model_asset(model: Model, days: dg.DailyPartitionsDefinition, lineage: Lineage) -> dg.AssetsDefinition:
    @dg.asset(
        key=asset_key(model.table),
        deps=[dg.AssetDep(asset_key(table), partition_mapping=_mapping(model)) for table in model.dependencies],
        description=_description(model),
        group_name=model.schema,
        kinds={"duckdb", "sql"},
        owners=[f"team:{model.owner}"],
        partitions_def=days,
        backfill_policy=SINGLE_RUN,
        metadata={
            "dagster/column_schema": _column_schema(model),
            "dagster/column_lineage": _column_lineage(lineage),
            "dagster/table_name": model.table,
            "grain": ", ".join(model.grain),
            "history_days": "all" if model.history_days is None else model.history_days,
            "sql_file": f"sql/{model.schema}/{model.name}.sql",
        },
    )
    def build_model(context: dg.AssetExecutionContext, shop: Shop) -> dg.MaterializeResult:
        from_date, to_date = date_range(context, shop)
        build(shop.warehouse, model, shop.chunks_of(model, from_date, to_date), **shop.query_parameters)
        shop.built_tables.add(model.table)
        counts = {} if model.is_view else row_counts(shop, model.table, from_date, to_date)
        return dg.MaterializeResult(metadata={**counts, **last_day_of_table(shop, model, to_date)})

    return build_model


def _mapping(model: Model) -> dg.PartitionMapping:
    back = FAR_BACK_DAYS if model.history_days is None else model.history_days
    return dg.TimeWindowPartitionMapping(start_offset=-back, allow_nonexistent_upstream_partitions=True)


def _description(model: Model) -> str:
    return f"{model.description}\n\nGrain: {', '.join(model.grain)}.\n\n```sql\n{model.query}\n```"


def _column_schema(model: Model) -> dg.TableSchema:
    return dg.TableSchema(
        [
            dg.TableColumn(name, kind, description=model.column_comments[name])
            for name, kind in derived_schemas()[model.table]
        ]
    )


def _column_lineage(lineage: Lineage) -> dg.TableColumnLineage:
    return dg.TableColumnLineage(
        {
            column: [dg.TableColumnDep(asset_key(table), name) for table, name in sources]
            for column, sources in lineage.items()
            if sources
        }
    )


# --- Gate ----------------------------------------------------------------------------------------


def _built_tables() -> list[dg.AssetKey]:
    return [DUPLICATES, EXCLUDED, *(asset_key(table) for table in load_models())]


def _results(days: dg.DailyPartitionsDefinition) -> dg.AssetsDefinition:
    @_daily_asset(days, RESULTS, _built_tables(), "quality", "duckdb")
    def results(context: dg.AssetExecutionContext, shop: Shop) -> dg.MaterializeResult:
        """What every contract and expectation found on every day: passed or not, observed, expected, and why."""
        from_date, to_date = date_range(context, shop)
        gate.run_contracts(shop.warehouse, from_date, to_date)
        gate.run_expectations(shop.warehouse, shop.settings, from_date, to_date, shop.built_tables)
        failed = shop.warehouse.records(
            "select business_date, severity, check_name, table_name, rule, observed, expected from quality.results "
            "where not is_passed and business_date between $from_date and $to_date order by all desc",
            from_date=from_date,
            to_date=to_date,
        )
        return dg.MaterializeResult(
            metadata={
                "failed": len(failed),
                **shown_rows("failed_checks", failed),
                "data_docs": dg.MetadataValue.path(str(shop.settings.data_docs / "index.html")),
            }
        )

    return results


def _verdict(days: dg.DailyPartitionsDefinition) -> dg.AssetsDefinition:
    @_daily_asset(days, VERDICT, [RESULTS], "quality", "duckdb")
    def day_verdict(context: dg.AssetExecutionContext, shop: Shop) -> dg.MaterializeResult:
        """Pass, warn or blocked for each day, with the reasons. Only days that are not blocked are published."""
        verdicts = gate.judge(shop.warehouse, shop.settings, *date_range(context, shop))
        last = verdicts[-1]
        return dg.MaterializeResult(
            metadata={
                "verdict": last.verdict.value,
                "blocked_days": sum(verdict.verdict == gate.Verdict.BLOCKED for verdict in verdicts),
                "reasons": dg.MetadataValue.md(_reasons_as_text(verdicts)),
            }
        )

    return day_verdict


def _reasons_as_text(verdicts: Iterable[gate.DayVerdict], most: int = 50) -> str:
    lines = (
        f"- {verdict.business_date} {verdict.verdict.value}: {reason.subject}: {reason.observed} "
        f"(expected: {reason.expected})"
        for verdict in verdicts
        for reason in verdict.reasons
    )
    return "\n".join(islice(lines, most)) or "none"


def _checks(days: dg.DailyPartitionsDefinition, settings: Settings) -> dg.AssetChecksDefinition:
    """Shows the gate's results beside each table. None is blocking: that would skip the report too."""
    specs = [
        dg.AssetCheckSpec(check.name, asset=asset_key(check.table), description=check.rule, additional_deps=[RESULTS])
        for check in gate.registered_checks(settings)
    ]

    @dg.multi_asset_check(name="checks", specs=specs, can_subset=True)
    def checks(context: dg.AssetCheckExecutionContext, shop: Shop) -> Iterator[dg.AssetCheckResult]:
        to_date = shop.warehouse.value("select max(business_date) from quality.results")
        from_date = to_date
        if context.has_partition_key or context.has_partition_key_range:
            from_date, to_date = date_range(context, shop)
        selected = context.selected_asset_check_keys
        for record in _check_records(shop, from_date, to_date):
            if dg.AssetCheckKey(asset_key(record["table_name"]), record["check_name"]) not in selected:
                continue
            yield dg.AssetCheckResult(
                passed=record["failed_days"] == 0,
                check_name=record["check_name"],
                asset_key=asset_key(record["table_name"]),
                severity=dg.AssetCheckSeverity.ERROR
                if record["severity"] == Severity.BLOCK
                else dg.AssetCheckSeverity.WARN,
                metadata={
                    "days": f"{from_date} to {to_date}",
                    "failed_days": record["failed_days"],
                    "observed": record["observed"] or "as it should be",
                    "expected": record["expected"] or record["rule"],
                    "reason": record["rule"],
                },
            )

    return checks


def _check_records(shop: Shop, from_date: date, to_date: date) -> list[dict[str, Any]]:
    return shop.warehouse.records(
        """
        select
            check_name,
            table_name,
            min(severity) as severity,
            min(rule) as rule,
            count(*) filter (where not is_passed) as failed_days,
            coalesce(min(observed) filter (where not is_passed), arg_max(observed, business_date)) as observed,
            coalesce(min(expected) filter (where not is_passed), arg_max(expected, business_date)) as expected
        from quality.results
        where business_date between $from_date and $to_date
        group by check_name, table_name
        """,
        from_date=from_date,
        to_date=to_date,
    )


# --- The shop's own funnels ----------------------------------------------------------------------


def _own_funnel_key(file: FunnelFile) -> dg.AssetKey:
    return dg.AssetKey([OWN_FUNNELS, re.sub(r"[^A-Za-z0-9_]", "_", file.path.stem)])


def _own_funnel(file: FunnelFile, days: dg.DailyPartitionsDefinition) -> dg.AssetsDefinition:
    back = FAR_BACK_DAYS if needs_history(file.spec.plan) else min(own_funnels.days_back(file.spec.plan), FAR_BACK_DAYS)
    reach = dg.TimeWindowPartitionMapping(start_offset=-back, allow_nonexistent_upstream_partitions=True)

    @dg.asset(
        key=_own_funnel_key(file),
        deps=[
            dg.AssetDep(asset_key(f"staging.{family.table}"), partition_mapping=reach) for family in FAMILIES.values()
        ],
        description=f"{' → '.join(step_labels(file.spec))}, of the units that entered in the last week whose "
        f"windows are over, and of those that entered since.\n\n```yaml\n{file.path.read_text(encoding='utf-8')}\n```",
        group_name=OWN_FUNNELS,
        kinds={"duckdb"},
        owners=["team:analytics"],
        partitions_def=days,
        backfill_policy=SINGLE_RUN,
        metadata={"dagster/table_name": own_funnels.TABLE},
    )
    def own_funnel(context: dg.AssetExecutionContext, shop: Shop) -> dg.MaterializeResult:
        from_date, to_date = date_range(context, shop)
        chunks = shop.chunks(max(from_date, shop.settings.opening_date), to_date)
        found = own_funnels.build(shop.warehouse, shop.settings, file, chunks)
        if found is None:
            return dg.MaterializeResult()
        return dg.MaterializeResult(metadata=own_funnel_of_day(found, shop.settings.language))

    return own_funnel


# --- Diagnosis -----------------------------------------------------------------------------------


def _findings(days: dg.DailyPartitionsDefinition) -> dg.AssetsDefinition:
    @_daily_asset(days, FINDINGS, [VERDICT], "diagnosis", "duckdb", "python", owner="analytics")
    def findings(context: dg.AssetExecutionContext, shop: Shop) -> dg.MaterializeResult:
        """What is wrong, in which slice, since when, how surely, at what cost. Never stops what comes after it."""
        from_date, to_date = date_range(context, shop)
        diagnose_days(shop.warehouse, shop.settings, from_date, to_date)
        return dg.MaterializeResult(metadata=last_day_of_diagnosis(shop, to_date))

    return findings


# --- Publication ---------------------------------------------------------------------------------


def _snapshot(days: dg.DailyPartitionsDefinition, funnels: list[dg.AssetKey]) -> dg.AssetsDefinition:
    @_daily_asset(days, SNAPSHOT, [FINDINGS, *funnels], "published", "duckdb", "parquet")
    def snapshot(context: dg.AssetExecutionContext, shop: Shop) -> dg.MaterializeResult:
        """The copy that readers use: marts and staged events of every day that passed, switched to at once."""
        from_date, to_date = date_range(context, shop)
        verdicts = gate.verdicts(shop.warehouse, from_date, to_date)
        folder = publish.publish(shop.warehouse, shop.settings.published, verdicts, shop.settings.snapshots_kept)
        record_built(shop.warehouse, from_date, to_date, shop.built_tables)
        return dg.MaterializeResult(
            metadata={
                "snapshot": folder.name,
                "published_days": sum(verdict.is_publishable for verdict in verdicts),
                "withheld_days": sum(not verdict.is_publishable for verdict in verdicts),
                "dagster/uri": str(shop.settings.published / "current" / publish.DATABASE),
            }
        )

    return snapshot


def _daily_report(days: dg.DailyPartitionsDefinition) -> dg.AssetsDefinition:
    @dg.multi_asset(
        name="print_report",
        specs=[*map(_stage_spec, STAGES), _report_spec()],
        partitions_def=days,
        backfill_policy=SINGLE_RUN,
    )
    def print_report(context: dg.AssetExecutionContext, shop: Shop) -> Iterator[dg.MaterializeResult]:
        from_date, to_date = date_range(context, shop)
        for restated in reporting.restated_days(shop.settings, from_date, to_date - timedelta(days=1)):
            reporting.print_report(shop.settings, restated)
        edition = reporting.print_report(shop.settings, to_date)
        periods = reporting.periods_due(shop.settings, from_date, to_date)
        for period in periods:
            reporting.print_report(shop.settings, period)
        for stage in STAGES:
            yield dg.MaterializeResult(asset_key=STAGES[stage], metadata=stage_of_edition(edition, stage))
        yield dg.MaterializeResult(
            asset_key=REPORT,
            metadata={
                "pdf": dg.MetadataValue.path(str(edition.pdf)),
                "edition": edition.number,
                "snapshot": edition.snapshot,
                "weeks and months": ", ".join(period.name for period in periods) or "none",
            },
        )

    return print_report


def _stage_spec(stage: str) -> dg.AssetSpec:
    return dg.AssetSpec(
        STAGES[stage],
        deps=[SNAPSHOT],
        group_name="stages",
        kinds={"png"},
        owners=["team:analytics"],
        description=f"The stage of the last day as the report prints it: the funnel {STAGE_MEANINGS[stage]}, each "
        "step beside its usual range, and four weeks of its rate.",
    )


def _report_spec() -> dg.AssetSpec:
    return dg.AssetSpec(
        REPORT,
        deps=[SNAPSHOT, *STAGES.values()],
        group_name="report",
        kinds={"pdf"},
        owners=["team:analytics"],
        description="The PDF of the last day of the run, also of a blocked one; and anew of every earlier day it "
        "restated. So too of the week and the month that ended in the run, or that it restated.",
    )


def _delivery(days: dg.DailyPartitionsDefinition) -> dg.AssetsDefinition:
    @_daily_asset(days, DELIVERY, [REPORT], "report", owner="analytics")
    def delivery_of_reports(context: dg.AssetExecutionContext, shop: Shop) -> dg.MaterializeResult:
        """Sends the report to the declared channels, once an edition. A channel that fails does not fail the run."""
        from_date, to_date = date_range(context, shop)
        today = datetime.now(shop.settings.zone).date()
        span = (shop.warehouse, shop.settings, from_date, to_date, today)
        days: list[reporting.Period | date] = [*delivery.days_to_send(*span), *delivery.periods_to_send(*span)]
        problems = []
        for day in days:
            for sending in delivery.deliver(shop.warehouse, shop.settings, day):
                if sending.state is delivery.State.FAILED:
                    named = day.name if isinstance(day, reporting.Period) else day
                    problems.append(f"The report of {named} did not reach {sending.channel}: {sending.problem}")
                    context.log.warning(problems[-1])
        return dg.MaterializeResult(metadata={"days": len(days), "problems": "\n".join(problems) or "none"})

    return delivery_of_reports


def _retention(days: dg.DailyPartitionsDefinition) -> dg.AssetsDefinition:
    @_daily_asset(days, RETENTION, [REPORT, DELIVERY], "report")
    def retention_of_the_old(context: dg.AssetExecutionContext, shop: Shop) -> dg.MaterializeResult:
        """Lets go what `retention` of the settings allows: raw rows, refused rows, old editions, old runs."""
        pruned = retention.prune(shop.warehouse, shop.settings)
        runs = prune_runs(context.instance, shop.settings, context.run_id)
        return dg.MaterializeResult(metadata={**vars(pruned), "runs": runs})

    return retention_of_the_old


def prune_runs(instance: dg.DagsterInstance, settings: Settings, current_run_id: str) -> int:
    """Deletes Dagster's runs that ended before `runs_days`, with their events; returns how many.

    The UI then shows the days that only they built as never run. Nothing else reads them.
    """
    if settings.retention.runs_days is None:
        return 0
    before = datetime.now(UTC) - timedelta(days=settings.retention.runs_days)
    old = dg.RunsFilter(created_before=before, statuses=list(_ENDED))
    count = 0
    while records := instance.get_run_records(old, limit=RUNS_AT_A_TIME):
        for record in records:
            if record.dagster_run.run_id != current_run_id:
                instance.delete_run(record.dagster_run.run_id)
                count += 1
        if len(records) < RUNS_AT_A_TIME:
            break
    return count


def _outcome(days: dg.DailyPartitionsDefinition) -> dg.AssetsDefinition:
    @_daily_asset(days, OUTCOME, [REPORT, DELIVERY, RETENTION], "report")
    def outcome(context: dg.AssetExecutionContext, shop: Shop) -> dg.MaterializeResult:
        """Fails for a blocked day, after everything else is done: so the run is red and the alert goes out."""
        verdicts = gate.verdicts(shop.warehouse, *date_range(context, shop))
        blocked = [verdict for verdict in verdicts if verdict.verdict == gate.Verdict.BLOCKED]
        if blocked:
            raise dg.Failure(
                description=f"{len(blocked)} blocked day(s), the first {blocked[0].business_date}: not published.",
                metadata={"reasons": dg.MetadataValue.md(_reasons_as_text(blocked))},
                allow_retries=False,
            )
        return dg.MaterializeResult(metadata={"days": len(verdicts)})

    return outcome
