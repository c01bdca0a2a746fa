"""`funnelscope diagnose --date`: the findings of a published day, in words or as JSON."""

import json
from dataclasses import asdict
from datetime import date

import typer

from funnelscope.diagnosis.narrative import narrate_diagnosis
from funnelscope.diagnosis.stored_diagnosis import StoredDiagnosis, read_diagnosis
from funnelscope.publication.publish import open_published
from funnelscope.settings import Settings


def print_findings(settings: Settings, business_date: date, language: str, as_json: bool) -> None:
    """Prints the published diagnosis of the day. For a day without one, prints what to do.

    Raises:
        FileNotFoundError: nothing has been published yet.
    """
    with open_published(settings.published) as connection:
        diagnosis = read_diagnosis(connection, business_date)
    if as_json:
        typer.echo(json.dumps(_as_json(diagnosis), indent=2, ensure_ascii=False, default=str))
        return
    for paragraph in narrate_diagnosis(diagnosis, settings, language):
        typer.echo(f"{paragraph}\n")


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
