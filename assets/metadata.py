"""Metadata of assets for the UI: counts, rows and pictures of the last day of a run.

Only the last day, and as small as possible, because Dagster keeps metadata for ever.
"""

import base64
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Any

import dagster as dg

from assets.resources import Shop
from funnelscope.diagnosis.diagnosis_tables import read_records
from funnelscope.diagnosis.narrative import write_diagnosis_markdown
from funnelscope.diagnosis.records import FindingRecord, FindingRowRecord, SliceConditions
from funnelscope.diagnosis.stored_diagnosis import StoredDiagnosis, read_diagnosis
from funnelscope.messages.markdown import escape_markdown
from funnelscope.messages.secrets import hide_secrets
from funnelscope.reporting import Edition
from funnelscope.reporting.finding_chart import draw_finding_chart
from funnelscope.reporting.own_funnel_section import draw_cohort, read_own_funnel
from funnelscope.reporting.periods import get_day
from funnelscope.reporting.table_overview import draw_last_weeks, read_sample_rows
from funnelscope.warehouse.models import Model

MOST_CHARTS = 3
MOST_ROWS_SHOWN = 20
"""Of each finding, and without ids: Dagster's history keeps what is displayed, an erased person must not stay there."""

Metadata = dict[str, Any]


def count_rows_for_display(shop: Shop, table: str, from_date: date, to_date: date) -> Metadata:
    """The number of rows of the days, and of the whole table."""
    count = shop.warehouse.value(
        f"select count(*) from {table} where business_date between $from_date and $to_date",
        from_date=from_date,
        to_date=to_date,
    )
    key = "dagster/partition_row_count" if from_date == to_date else "rows_of_the_range"
    return {key: count, "dagster/row_count": shop.warehouse.value(f"select count(*) from {table}")}


def describe_table_day(shop: Shop, model: Model, business_date: date) -> Metadata:
    """Rows of the day; for a mart also its last four weeks as a picture."""

    def shown() -> Metadata:
        rows = read_sample_rows(shop.warehouse, model, business_date)
        sample = {"last_rows": dg.MetadataValue.md(_format_transposed(rows))} if rows else {}
        svg = draw_last_weeks(shop.warehouse, model, business_date, shop.settings)
        return {"last_days": embed_picture(model.table, svg, "svg+xml"), **sample} if svg else sample

    return _describe_or_explain(shown)


def describe_diagnosis_day(shop: Shop, business_date: date) -> Metadata:
    """The day's findings in words and as tables, each with its status, its evidence and a chart of its slice."""

    def shown() -> Metadata:
        diagnosis = read_diagnosis(shop.warehouse.connection, business_date)
        statuses = [finding.status for finding in diagnosis.findings]
        return {
            "state": diagnosis.state,
            "why": diagnosis.why,
            **{status: statuses.count(status) for status in ("confirmed", "provisional", "withheld", "recovered")},
            "findings": dg.MetadataValue.md(_format_findings(shop, diagnosis)),
            **_describe_rows(shop, diagnosis),
            **_link_report(shop, business_date),
        }

    return _describe_or_explain(shown)


def describe_stage(edition: Edition, stage: str) -> Metadata:
    """The picture of the stage in the printed edition; a shop without events has none."""
    if not edition.picture(stage).exists():
        return {"picture": "no events; see the pictures of the platforms at the report"}
    return _describe_or_explain(
        lambda: {
            "picture": embed_picture(stage, edition.picture(stage).read_bytes(), "png"),
            "pdf": dg.MetadataValue.path(str(edition.pdf)),
            "edition": edition.number,
        }
    )


def describe_platforms(edition: Edition) -> Metadata:
    """The pictures of the platforms' own funnels in the printed edition."""
    files = sorted(edition.pdf.parent.glob(f"{edition.pdf.stem}-platform-*.png"))
    return _describe_or_explain(
        lambda: {file.stem.removeprefix(f"{edition.pdf.stem}-"): embed_picture(file.stem, file.read_bytes(), "png")
                 for file in files}
    )  # fmt: skip


def describe_funnel_day(shop: Shop, name: str, business_date: date) -> Metadata:
    """Each cohort of a shop's own funnel: its picture, its days, how many entered, and how many completed it."""
    shown: Metadata = {}
    for cohort in read_own_funnel(shop.warehouse.connection, name, business_date).cohorts:
        kind = "mature" if cohort.is_mature else "open"
        shown |= {
            kind: embed_picture(name, draw_cohort(cohort, name, shop.settings.language), "png"),
            f"{kind}_days": f"{cohort.entered_from} to {cohort.entered_to}",
            f"{kind}_entered": cohort.steps[0].units,
            f"{kind}_reached_the_end": cohort.steps[-1].units,
        }
    return shown


def embed_picture(title: str, content: bytes, kind: str) -> dg.MarkdownMetadataValue:
    """The picture as Markdown. `kind` is the subtype of its media type, such as `png`."""
    return dg.MetadataValue.md(
        f"![{escape_markdown(title)}](data:image/{kind};base64,{base64.b64encode(content).decode()})"
    )


def show_rows(name: str, rows: Sequence[Mapping[str, Any]]) -> Metadata:
    """The rows as a table under `name`; empty without rows.

    Markdown, because the UI truncates wide table values but opens Markdown in a window of its own.
    """
    return {name: dg.MetadataValue.md(_format_rows(rows))} if rows else {}


def _format_rows(rows: Sequence[Mapping[str, Any]]) -> str:
    return _format_markdown_table(list(rows[0]), [list(row.values()) for row in rows]) if rows else ""


def _format_transposed(rows: Sequence[Mapping[str, Any]]) -> str:
    """A column for each row and a line for each of its values, for few rows with many columns."""
    if not rows:
        return ""
    return _format_markdown_table(
        ["", *map(str, range(1, len(rows) + 1))], [[key, *(row[key] for row in rows)] for key in rows[0]]
    )


def _format_markdown_table(heading: Sequence[str], lines: Sequence[Sequence[Any]]) -> str:
    every = [heading, ["---"] * len(heading), *([_format_cell(value) for value in line] for line in lines)]
    return "\n".join(f"| {' | '.join(line)} |" for line in every)


def _format_cell(value: Any) -> str:
    if value is None:
        return ""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return escape_markdown(f"{value:,}" if is_number else str(value))


def _describe_or_explain(shown: Callable[[], Metadata]) -> Metadata:
    """Metadata that cannot be built must stop neither the table, nor the publication, nor the report."""
    try:
        return shown()
    except Exception as error:
        return {"not_shown": f"{type(error).__name__}: {hide_secrets(str(error))}"}


def _format_findings(shop: Shop, diagnosis: StoredDiagnosis) -> str:
    """The findings in words, side by side, the signals that moved with them, and the worst ones as pictures."""
    parts = [
        write_diagnosis_markdown(diagnosis, shop.settings),
        _format_transposed([_describe_finding(finding) for finding in diagnosis.findings]),
        _format_rows(_describe_evidence(diagnosis)),
        *(
            draw_finding_chart(shop.warehouse, shop.settings, diagnosis.business_date, each)
            for each in diagnosis.findings[:MOST_CHARTS]
        ),
    ]
    return "\n\n".join(part for part in parts if part)


def _describe_rows(shop: Shop, diagnosis: StoredDiagnosis) -> Metadata:
    """The first rows behind each finding, without ids, and where all of them are."""
    records = read_records(
        shop.warehouse.connection,
        FindingRowRecord,
        diagnosis.business_date,
        "order by finding_id, passed > 0, row_id, happened_at desc",
    )
    parts = []
    for finding in diagnosis.findings:
        rows = [each for each in records if each.finding_id == finding.finding_id]
        if rows:
            count = f"{min(len(rows), MOST_ROWS_SHOWN):,} of {rows[0].row_count:,} rows"
            title = escape_markdown(f"{finding.fault_class}, {_format_slice(finding)}: {count}")
            table = _format_rows([_describe_row(each) for each in rows[:MOST_ROWS_SHOWN]])
            where = escape_markdown(f"where finding_id = '{finding.finding_id}'")
            parts.append(f"{title}\n\n{table}\n\nAll with their ids: diagnosis.finding\\_rows {where}")
    return {"rows behind the findings": dg.MetadataValue.md("\n\n".join(parts))} if parts else {}


def _describe_row(row: FindingRowRecord) -> Metadata:
    return {
        "what": row.kind,
        "at (UTC)": row.happened_at,
        **row.facts,
        "entered": _round_figures(row.entered),
        "passed": _round_figures(row.passed),
    }


def _link_report(shop: Shop, business_date: date) -> Metadata:
    """The address of the day's HTML edition, where the settings say where readers find it."""
    if not shop.settings.link:
        return {}
    page = get_day(business_date).name_page(shop.settings.language)
    return {"report": dg.MetadataValue.url(f"{shop.settings.link.rstrip('/')}/{page}")}


def _describe_finding(finding: FindingRecord) -> Metadata:
    """The reader's first questions come first: is it reliable, what is it, where, since when, how much."""
    return {
        "status": finding.status,
        "why not confirmed": finding.status_reason,
        "finding": finding.fault_class,
        "slice": _format_slice(finding),
        "since": finding.since_date,
        "passed": finding.passed,
        "expected": _round_figures(finding.expected),
        "entered": finding.entered,
        "lost orders": _format_interval(finding.lost_orders, finding.lost_orders_low, finding.lost_orders_high),
        "lost amount": _format_interval(finding.lost_amount, finding.lost_amount_low, finding.lost_amount_high),
        "named in": None if finding.stability is None else f"{finding.stability:.0%} of resampled days",
        "runner-up": _format_conditions(finding.runner_up) if finding.runner_up else "none",
        "open": f"{finding.object_kind} {finding.object_name}".strip(),
        "owner": finding.owner,
    }


def _describe_evidence(diagnosis: StoredDiagnosis) -> list[Metadata]:
    return [
        {
            "evidence": row.name,
            "of": f"{number}. {_format_slice(finding)} ({finding.status})",
            "kind": row.kind,
            "today": _round_figures(row.today),
            "usual": _round_figures(row.usual),
            "since": row.since_date,
            "moved": "before or with it" if row.is_before else "after it",
            "note": row.note,
        }
        for number, finding in enumerate(diagnosis.findings, start=1)
        for row in diagnosis.select_evidence(finding)
    ]


def _format_slice(finding: FindingRecord) -> str:
    return _format_conditions(finding.slice) or "everywhere"


def _format_conditions(conditions: SliceConditions) -> str:
    return ", ".join(f"{name} {value}" for name, value in conditions.items())


def _format_interval(value: float | None, low: float | None, high: float | None) -> str:
    if value is None or low is None or high is None:
        return "no data"
    return f"{value:,.0f} ({low:,.0f} to {high:,.0f})"


def _round_figures(value: float | None) -> float | None:
    """Rounded to four significant figures."""
    return None if value is None else float(f"{value:.4g}")
