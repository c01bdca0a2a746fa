"""The findings as JSON keep the form that docs/findings.schema.json publishes."""

import json
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest
from report_example import BUSY, CALM, EMPTY, FINDING

from reports import Diagnosis, Report, write_findings_json

SCHEMA = json.loads((Path(__file__).parents[1] / "docs" / "findings.schema.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    "report",
    [BUSY, EMPTY, replace(BUSY, diagnosis=CALM), replace(BUSY, diagnosis=Diagnosis("failed", "out of memory"))],
    ids=["busy", "empty", "calm", "failed"],
)
def test_every_day_keeps_the_published_form(report: Report) -> None:
    jsonschema.validate(json.loads(write_findings_json(report)), SCHEMA)


def test_the_loss_and_its_interval_are_told_to_the_last_digit() -> None:
    first = json.loads(write_findings_json(BUSY))["findings"][0]
    assert FINDING.lost_net_amount is not None
    assert first["lost_net_amount"] == {"value": 388_411.9, "low": 326_104, "high": 451_004}
    assert first["slice"] == dict(FINDING.slice)
    assert first["since"] == "2026-06-17"


def test_a_withheld_finding_names_no_loss() -> None:
    second = json.loads(write_findings_json(BUSY))["findings"][1]
    assert second["status"] == "withheld"
    assert second["lost_orders"] is None
    assert second["lost_amount"] is None


def test_the_same_report_gives_the_same_bytes() -> None:
    assert write_findings_json(BUSY) == write_findings_json(BUSY)
