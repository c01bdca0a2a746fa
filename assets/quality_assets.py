"""The gate's results for each day, its verdict, and the asset checks of each table."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from itertools import islice
from typing import Any

import dagster as dg

from assets.common import DUPLICATES, EXCLUDED, RESULTS, VERDICT, define_daily_asset, make_asset_key, read_date_range
from assets.metadata import show_rows
from assets.resources import Shop
from funnelscope.funnels.daily_answers import DeclaredFunnel, drop_undeclared
from funnelscope.messages.markdown import escape_markdown
from funnelscope.quality import gate
from funnelscope.settings import Settings
from funnelscope.warehouse.checks import Severity
from funnelscope.warehouse.models import load_models


def _list_built_tables() -> list[dg.AssetKey]:
    return [DUPLICATES, EXCLUDED, *(make_asset_key(table) for table in load_models())]


def define_results(
    days: dg.DailyPartitionsDefinition, funnels: Sequence[DeclaredFunnel], funnel_keys: Sequence[dg.AssetKey]
) -> dg.AssetsDefinition:
    """The asset that runs the gate, after everything that it judges, the shop's own funnels included."""

    @define_daily_asset(days, RESULTS, [*_list_built_tables(), *funnel_keys], "quality", "duckdb")
    def results(context: dg.AssetExecutionContext, shop: Shop) -> dg.MaterializeResult:
        """The result of every contract and expectation on every day: passed or not, observed, expected, and why."""
        from_date, to_date = read_date_range(context, shop)
        drop_undeclared(shop.warehouse, funnels, from_date, to_date)
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
                **show_rows("failed_checks", failed),
                "data_docs": dg.MetadataValue.path(str(shop.settings.data_docs / "index.html")),
            }
        )

    return results


def define_verdict(days: dg.DailyPartitionsDefinition) -> dg.AssetsDefinition:
    """The asset that decides the verdicts."""

    @define_daily_asset(days, VERDICT, [RESULTS], "quality", "duckdb")
    def day_verdict(context: dg.AssetExecutionContext, shop: Shop) -> dg.MaterializeResult:
        """Pass, warn or blocked for each day, with the reasons. Only days that are not blocked are published."""
        verdicts = gate.decide_verdicts(shop.warehouse, shop.settings, *read_date_range(context, shop))
        last = verdicts[-1]
        return dg.MaterializeResult(
            metadata={
                "verdict": last.verdict.value,
                "blocked_days": sum(verdict.verdict == gate.Verdict.BLOCKED for verdict in verdicts),
                "reasons": dg.MetadataValue.md(format_reasons(verdicts)),
            }
        )

    return day_verdict


def format_reasons(verdicts: Iterable[gate.DayVerdict], most: int = 50) -> str:
    """A list in Markdown, at most `most` reasons; the text none without reasons."""
    lines = (
        f"- {verdict.business_date} {verdict.verdict.value}: "
        + escape_markdown(f"{reason.subject}: {reason.observed} (expected: {reason.expected})")
        for verdict in verdicts
        for reason in verdict.reasons
    )
    return "\n".join(islice(lines, most)) or "none"


def define_checks(days: dg.DailyPartitionsDefinition, settings: Settings) -> dg.AssetChecksDefinition:
    """Displays the gate's results on each table. No check is blocking: that would also skip the report."""
    specs = [
        dg.AssetCheckSpec(
            check.name,
            asset=make_asset_key(check.table),
            description=escape_markdown(check.rule),
            additional_deps=[RESULTS],
        )
        for check in gate.list_checks(settings)
    ]

    @dg.multi_asset_check(name="checks", specs=specs, can_subset=True)
    def checks(context: dg.AssetCheckExecutionContext, shop: Shop) -> Iterator[dg.AssetCheckResult]:
        to_date = shop.warehouse.value("select max(business_date) from quality.results")
        from_date = to_date
        if context.has_partition_key or context.has_partition_key_range:
            from_date, to_date = read_date_range(context, shop)
        selected = context.selected_asset_check_keys
        for record in _check_records(shop, from_date, to_date):
            if dg.AssetCheckKey(make_asset_key(record["table_name"]), record["check_name"]) not in selected:
                continue
            yield dg.AssetCheckResult(
                passed=record["failed_days"] == 0,
                check_name=record["check_name"],
                asset_key=make_asset_key(record["table_name"]),
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
