"""`funnelscope diagnose --date`: the findings of a published day, in words or as JSON."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import date

from funnelscope.diagnosis.narrative import narrate_diagnosis
from funnelscope.diagnosis.records import FindingRecord
from funnelscope.diagnosis.stored_diagnosis import StoredDiagnosis, read_diagnosis
from funnelscope.messages.wording import Words, load_words
from funnelscope.publication.publish import open_published
from funnelscope.settings import Settings
from pipelines.cli.console import echo, show_controls

_WIDTH = 80  # columns of a terminal


def print_findings(
    settings: Settings, business_date: date, language: str, as_json: bool, *, with_details: bool = False
) -> None:
    """Prints the published diagnosis of the day. For a day without one, prints what to do.

    `with_details` adds a table of how sure each finding is.

    Raises:
        FileNotFoundError: nothing has been published yet.
    """
    with open_published(settings.published) as connection:
        diagnosis = read_diagnosis(connection, business_date)
    if as_json:
        echo(json.dumps(_as_json(diagnosis), indent=2, ensure_ascii=False, default=str))
        return
    for paragraph in narrate_diagnosis(diagnosis, settings, language):
        echo(f"{paragraph}\n")
    if with_details:
        print_certainty(diagnosis.findings, load_words(language))


def print_certainty(findings: Sequence[FindingRecord], words: Words) -> None:
    """Prints how sure each finding is, for those who ask; nothing without findings."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for column in ("number", "slice", "z", "p_value", "stability", "runner_up"):
        is_text = column in ("slice", "runner_up")
        header = words.text("cube", f"column_{column}")
        table.add_column(header, justify="left" if is_text else "right", overflow="fold")
    for finding in findings:
        table.add_row(
            str(finding.rank or ""),
            escape(show_controls(words.format_slice(tuple(finding.slice.items())))),
            "" if finding.z is None else f"{finding.z:.1f}",
            "" if finding.p_value is None else f"{finding.p_value:.1g}",
            "" if finding.stability is None else f"{finding.stability:.0%}",
            escape(show_controls(words.format_slice(tuple(finding.runner_up.items())))) if finding.runner_up else "",
        )
    if findings:
        Console(width=_WIDTH).print(table)


def _as_json(diagnosis: StoredDiagnosis) -> dict[str, object]:
    return {
        "date": diagnosis.business_date,
        "state": diagnosis.state,
        "why": diagnosis.why,
        "baseline_days": diagnosis.baseline_days,
        "findings": [
            {**asdict(finding), "evidence": [asdict(each) for each in diagnosis.select_evidence(finding)]}
            for finding in diagnosis.findings
        ],
        "follow_ups": [asdict(each) for each in diagnosis.follow_ups],
        "visible_drops": [asdict(each) for each in diagnosis.detectable_drops],
    }
