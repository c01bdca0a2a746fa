"""The tables of docs/contract.md, from the event schema; `python -m funnelscope.ingest.contract_page` writes them."""

import re
from collections.abc import Sequence
from pathlib import Path

from funnelscope.events.schema import COMMON_COLUMNS, FAMILIES, Column, Family
from funnelscope.ingest.quarantine_reasons import QuarantineReason

PAGE = Path(__file__).parents[2] / "docs" / "contract.md"


def update_tables(page: str) -> str:
    """The page with each part between `<!-- table: name -->` and `<!-- end -->` made anew.

    Raises:
        KeyError: the page names a table that there is not.
    """
    tables = {"common": _format_columns(COMMON_COLUMNS), "reasons": _format_reasons()}
    tables |= {family.name: _format_family(family) for family in FAMILIES.values()}
    return re.sub(
        r"(<!-- table: (\w+) -->\n).*?(<!-- end -->)",
        lambda found: f"{found[1]}\n{tables[found[2]]}\n{found[3]}",
        page,
        flags=re.DOTALL,
    )


def _format_family(family: Family) -> str:
    event_types = ", ".join(f"`{event_type}`" for event_type in family.event_types)
    return f"Event types: {event_types}.\n\n{_format_columns(family.own_columns)}"


def _format_columns(columns: tuple[Column, ...]) -> str:
    rows = [(f"`{column.name}`", column.kind.value, column.meaning + _format_limits(column)) for column in columns]
    return _format_table(("column", "kind", "meaning"), rows)


def _format_limits(column: Column) -> str:
    limits = f"; one of {', '.join(f'`{value}`' for value in column.values)}" if column.values else ""
    limits += f"; at least {column.minimum:,}" if column.minimum is not None else ""
    return limits + (f"; at most {column.maximum:,}" if column.maximum is not None else "")


def _format_reasons() -> str:
    shown = [reason for reason in QuarantineReason if reason is not QuarantineReason.CHANGED]
    rows = [(f"`{reason.value}`", reason.meaning, reason.remedy) for reason in shown]
    return _format_table(("reason", "what it means", "what to do"), rows)


def _format_table(header: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [header, tuple("---" for _ in header), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


if __name__ == "__main__":
    PAGE.write_text(update_tables(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
