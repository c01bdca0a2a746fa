"""SQL contracts: queries that return what breaks a rule, a row a case; no row means that the rule holds.

A file in sql/checks opens with one line that says the rule, then `table:` (the table it guards) and
`severity:` (block or warn). Its query reads `$from_date` to `$to_date` and returns `business_date` and what was found,
a column each, which fill the sentences under the check's name in `messages/texts` (`observed` and `expected`).
Two rules that hold for many tables are made here: that a table's grain is unique, from the models' headers, and that
staged events are the delivered ones, for each family.
"""

from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path

from funnelscope.events.schema import FAMILIES, Family
from funnelscope.warehouse.models import ROOT, Model, ModelError, load_models


class Severity(StrEnum):
    BLOCK = "block"  # the day is not published
    WARN = "warn"  # the day is published with a warning


@dataclass(frozen=True)
class Contract:
    """One rule about one table.

    Attributes:
        name: the file's name, `events_are_complete` or `grain_is_unique`.
        table: `schema.table` that it guards.
        rule: the rule in one sentence.
        query: returns business_date and the values of the check's sentences, for each case against the rule.
    """

    name: str
    table: str
    severity: Severity
    rule: str
    query: str


def parse_contract(path: Path) -> Contract:
    """Reads one file of sql/checks; raises ModelError with the file where the header breaks the form."""
    lines = path.read_text(encoding="utf-8").splitlines()
    header = [line.removeprefix("--").strip() for line in lines if line.startswith("--")]
    entries = dict(line.split(": ", 1) for line in header[1:] if ": " in line)
    try:
        return Contract(path.stem, entries["table"], Severity(entries["severity"]), header[0], "\n".join(lines))
    except (KeyError, ValueError) as error:
        raise ModelError(f"{path}: the header needs 'table:' and 'severity: block' or 'severity: warn'") from error


@cache
def load_contracts() -> tuple[Contract, ...]:
    """The contracts of sql/checks, one a family on its staged rows, one on the grain of every table that has days."""
    written = [parse_contract(path) for path in sorted((ROOT / "checks").glob("*.sql"))]
    completeness = [_build_completeness_contract(family) for family in FAMILIES.values()]
    return (
        *written,
        *completeness,
        *(_build_grain_contract(model) for model in load_models().values() if not model.is_view),
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
