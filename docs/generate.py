"""The generated parts of the documentation, and the column lineage; `make docs` writes them, and tests compare.

A part stands between `<!-- table: name -->` and `<!-- end -->`.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

from funnelscope.diagnosis.diagnosis_tables import TABLES
from funnelscope.events.metrics import METRICS
from funnelscope.events.schema import COMMON_COLUMNS, FAMILIES, Column, Family
from funnelscope.ingest.quarantine_reasons import QuarantineReason
from funnelscope.messages.wording import load_words
from funnelscope.warehouse.lineage import write_lineage
from funnelscope.warehouse.models import load_models

FOLDER = Path(__file__).parent

# The report prints these durations as single figures, each with a word of its own.
NAMES_OUTSIDE_THE_REPORT = {
    "first_screen_ms": "首屏时间",
    "first_response_seconds": "首次响应时长",
    "repurchase_interval_days": "回购周期",
}


def write_metrics() -> str:
    words = load_words("zh").sections["metrics"]
    rows = []
    for key, metric in METRICS.items():
        name = words[key]["name"] if key in words else NAMES_OUTSIDE_THE_REPORT[key]
        rule = metric.several_days.value + (", platform mean" if metric.platform_mean else "")
        unit = "0–1" if metric.unit.value == "rate" else metric.unit.value
        rows.append((f"`{key}`", name, metric.formula, unit, rule))
    return _format_table(("key", "中文", "formula", "unit", "several days"), rows)


def write_cubes() -> str:
    cubes = [model for model in load_models().values() if model.name.endswith("_cube")]
    rows = [
        (f"`{cube.table}`", cube.description, ", ".join(f"`{name}`" for name in cube.grain if name != "business_date"))
        for cube in sorted(cubes, key=lambda cube: cube.name)
    ]
    return _format_table(("cube", "what it counts", "dimensions"), rows)


def write_model_graph() -> str:
    """The models and what each reads, as a Mermaid graph; the raw events and the ledger are left out."""
    models = load_models()
    lines = ["```mermaid", "graph LR"]
    for layer in ("staging", "intermediate", "marts"):
        lines.append(f"  subgraph {layer}")
        lines += [
            f"    {model.name}([{model.name}])" if model.is_view else f"    {model.name}"
            for model in models.values()
            if model.schema == layer
        ]
        lines.append("  end")
    for model in models.values():
        sources = [table.split(".")[1] for table in model.dependencies if table in models]
        if sources:
            lines.append(f"  {' & '.join(sources)} --> {model.name}")
    return "\n".join([*lines, "```", ""])


def write_diagnosis_tables() -> str:
    """Every published table of the diagnosis with its columns."""
    parts = []
    for each in TABLES.values():
        if each.is_published:
            rows = [(f"`{column.name}`", column.sql_type, column.meaning) for column in each.columns]
            parts.append(
                f"**`{each.full_name}`**: {each.meaning}\n\n" + _format_table(("column", "type", "meaning"), rows)
            )
    return "\n\n".join(parts)


def _write_family(family: Family) -> str:
    event_types = ", ".join(f"`{event_type}`" for event_type in family.event_types)
    return f"Event types: {event_types}.\n\n{_write_columns(family.own_columns)}"


def _write_columns(columns: tuple[Column, ...]) -> str:
    rows = [(f"`{column.name}`", column.kind.value, column.meaning + _format_limits(column)) for column in columns]
    return _format_table(("column", "kind", "meaning"), rows)


def _format_limits(column: Column) -> str:
    limits = f"; one of {', '.join(f'`{value}`' for value in column.values)}" if column.values else ""
    limits += f"; at least {column.minimum:,}" if column.minimum is not None else ""
    return limits + (f"; at most {column.maximum:,}" if column.maximum is not None else "")


def write_reasons() -> str:
    shown = [reason for reason in QuarantineReason if reason is not QuarantineReason.CHANGED]
    rows = [(f"`{reason.value}`", reason.meaning, reason.remedy) for reason in shown]
    return _format_table(("reason", "what it means", "what to do"), rows)


def _format_table(header: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [header, tuple("---" for _ in header), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


PARTS: Mapping[str, Mapping[str, Callable[[], str]]] = {
    "metrics.md": {"metrics": write_metrics, "cubes": write_cubes},
    "architecture.md": {"models": write_model_graph},
    "findings.md": {"diagnosis": write_diagnosis_tables},
    "contract.md": {
        "common": partial(_write_columns, COMMON_COLUMNS),
        **{family.name: partial(_write_family, family) for family in FAMILIES.values()},
        "reasons": write_reasons,
    },
}


def update_page(page: str) -> str:
    """The text of the page with every part as the code writes it now.

    Raises:
        KeyError: the page names a part that there is not.
    """
    parts = PARTS[page]
    return re.sub(
        r"(<!-- table: (\w+) -->\n).*?(<!-- end -->)",
        lambda found: f"{found[1]}\n{parts[found[2]]()}\n{found[3]}",
        (FOLDER / page).read_text(encoding="utf-8"),
        flags=re.DOTALL,
    )


if __name__ == "__main__":
    write_lineage()
    for page in PARTS:
        (FOLDER / page).write_text(update_page(page), encoding="utf-8")
