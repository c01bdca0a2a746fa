"""SQL checks: queries that return what breaks a rule, one row for each violation; no row means that the rule holds.

A file in sql/checks opens with one line that states the rule, then `table:` (the table it guards) and `severity:`
(block or warn). Its query reads `$from_date` to `$to_date` and returns `business_date` and the observed values; these
fill the sentences under the check's name in `messages/texts` (`observed` and `expected`). A query may name the models'
constants (`DEFAULT_PARAMETERS`), which are filled in as values. Rules that many tables share are made here: the grain
is unique, staged events are the delivered ones, and only so much of a delivery waits in quarantine.
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path

from funnelscope.events.schema import FAMILIES, Family
from funnelscope.warehouse.models import DEFAULT_PARAMETERS, ROOT, Model, ModelError, load_models


class Severity(StrEnum):
    """What a violation does to the day."""

    BLOCK = "block"  # the day is not published
    WARN = "warn"  # the day is published with a warning


@dataclass(frozen=True)
class Contract:
    """One rule about one table.

    Attributes:
        name: the file's name, `events_are_complete` or `grain_is_unique`.
        table: the `schema.table` that it guards.
        rule: the rule in one sentence.
        query: returns business_date and the values of the check's sentences, one row per violation.
    """

    name: str
    table: str
    severity: Severity
    rule: str
    query: str


def parse_contract(path: Path) -> Contract:
    """Reads one file of sql/checks. Raises ModelError with the file's path if the header is malformed."""
    lines = path.read_text(encoding="utf-8").splitlines()
    header = [line.removeprefix("--").strip() for line in lines if line.startswith("--")]
    entries = dict(line.split(": ", 1) for line in header[1:] if ": " in line)
    try:
        severity = Severity(entries["severity"])
        return Contract(path.stem, entries["table"], severity, header[0], _fill_constants("\n".join(lines)))
    except (KeyError, ValueError) as error:
        raise ModelError(f"{path}: the header needs 'table:' and 'severity: block' or 'severity: warn'") from error


def _fill_constants(query: str) -> str:
    """The query with the models' constants in place of their names; only the range of days is left to be bound."""
    return re.sub(r"\$(\w+)", lambda name: str(DEFAULT_PARAMETERS.get(name[1], name[0])), query)


@cache
def load_contracts() -> tuple[Contract, ...]:
    """Every contract: of sql/checks, on quarantine, on the staged rows of each family, on the grain of each table."""
    written = [parse_contract(path) for path in sorted((ROOT / "checks").glob("*.sql"))]
    quarantine = [
        _build_quarantine_contract(
            "little_is_in_quarantine",
            Severity.WARN,
            "At most one row in a hundred waits in quarantine, of the rows of the day and of those delivered on it; "
            "dropped rows do not count.",
            most_waiting="0.01",
            with_deliveries=True,
        ),
        _build_quarantine_contract(
            "most_rows_are_taken",
            Severity.BLOCK,
            "Of what a family delivers for a day, at least half is taken; dropped rows do not count.",
            most_waiting="0.5",
            with_deliveries=False,
        ),
    ]
    completeness = [_build_completeness_contract(family) for family in FAMILIES.values()]
    grains = [_build_grain_contract(model) for model in load_models().values() if not model.is_view]
    return (*written, *quarantine, *completeness, *grains)


def _build_quarantine_contract(
    name: str, severity: Severity, rule: str, most_waiting: str, with_deliveries: bool
) -> Contract:
    """The rule on the share of a family's rows that waits; `most_waiting` is a decimal from 0 to 1.

    Args:
        with_deliveries: whether a day also answers for the rows that were delivered on it, of whatever day they are.
    """
    delivered = """
            union all
            select deliveries.dt, deliveries.family, rows_waiting, rows_read
            from (
                select dt, family, sum(rows_read) as rows_read
                from quality.deliveries
                where dt between $from_date and $to_date
                group by dt, family
            ) as deliveries
            inner join (
                select dt, family, count(*) filter (where dropped_at is null) as rows_waiting
                from quality.quarantine
                where row_number > 0 and dt between $from_date and $to_date
                group by dt, family
            ) as refused on deliveries.dt = refused.dt and deliveries.family = refused.family
    """
    return Contract(
        name=name,
        table="staging.order_events",
        severity=severity,
        rule=rule,
        query=f"""
            with
            -- A conflicting duplicate is among the rows of raw as well.
            refused as (
                select
                    counted_date as business_date,
                    family,
                    count(*) filter (where dropped_at is null) as rows_waiting,
                    count(*) filter (where reason != 'conflicting_duplicate') as rows_not_taken
                from quality.quarantine
                where row_number > 0 and reason != 'day_is_pruned' and counted_date between $from_date and $to_date
                group by counted_date, family
            ),

            taken as (
                select business_date, family, sum(rows) as rows_taken
                from quality.delivery_dates
                where business_date between $from_date and $to_date
                group by business_date, family
            ),

            totals as (
                select
                    refused.business_date, refused.family, rows_waiting,
                    coalesce(rows_taken, 0) + rows_not_taken as rows_read
                from refused
                left join taken on refused.business_date = taken.business_date and refused.family = taken.family
                {delivered if with_deliveries else ""}
            )

            select distinct business_date, family, rows_waiting as quarantined, rows_read
            from totals
            where rows_waiting > {most_waiting} * rows_read
        """,
    )


def _build_completeness_contract(family: Family) -> Contract:
    return Contract(
        name="events_are_complete",
        table=f"staging.{family.table}",
        severity=Severity.BLOCK,
        rule=f"Staged {family.name} events are the delivered rows without the duplicates and the excluded people.",
        query=f"""
            with counted as (
                select business_date, 1 as delivered, 0 as duplicates, 0 as excluded, 0 as staged
                from raw.{family.table}
                where business_date between $from_date and $to_date
                union all
                select business_date, rows, 0, 0, 0
                from quality.pruned_days
                where family = '{family.name}' and business_date between $from_date and $to_date
                union all
                select business_date, 0, 1, 0, 0
                from quality.duplicate_events
                where family = '{family.name}' and business_date between $from_date and $to_date
                union all
                select business_date, 0, 0, 1, 0
                from quality.excluded_events
                anti join quality.duplicate_events using (family, business_date, delivery_id, row_number)
                where family = '{family.name}' and family != 'order'  -- an order stays, marked
                    and business_date between $from_date and $to_date
                union all
                select business_date, 0, 0, 0, 1
                from staging.{family.table}
                where business_date between $from_date and $to_date
            )
            select
                business_date,
                sum(staged) as staged,
                sum(delivered) as delivered,
                sum(duplicates) as duplicates,
                sum(excluded) as excluded
            from counted
            group by business_date
            having sum(counted.staged) != sum(counted.delivered) - sum(counted.duplicates) - sum(counted.excluded)
        """,
    )


def _build_grain_contract(model: Model) -> Contract:
    columns = ", ".join(model.grain)
    key = ", ".join(dict.fromkeys((*model.grain, "business_date")))
    return Contract(
        name="grain_is_unique",
        table=model.table,
        severity=Severity.BLOCK,
        rule=f"One row for each {columns}.",
        query=f"""
            select business_date, max(row_count) as rows
            from (
                select {key}, count(*) as row_count
                from {model.table}
                where business_date between $from_date and $to_date
                group by all
                having count(*) > 1
            )
            group by business_date
        """,
    )
