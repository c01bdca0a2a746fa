"""The findings of a day as JSON, for dashboards and assistants; docs/findings.schema.json says its form."""

import json
from datetime import date
from typing import Any

from funnelscope.messages.values import Slice
from reports.model import Diagnosis, Estimate, Evidence, Finding, FollowUp, Report

FORM_VERSION = 1


def findings_json(report: Report) -> bytes:
    """One UTF-8 JSON object. The same report gives the same bytes; rates are 0 to 1, money is in the currency named."""
    document = {
        "form_version": FORM_VERSION,
        "shop": report.shop,
        "business_date": report.business_date.isoformat(),
        "edition": report.edition,
        "snapshot": report.snapshot,
        "currency": report.currency,
        "data_verdict": report.verdict.value,
        **_diagnosis(report.diagnosis or Diagnosis("not_run")),
    }
    return json.dumps(document, ensure_ascii=False, indent=2).encode()


def _diagnosis(diagnosis: Diagnosis) -> dict[str, Any]:
    return {
        "state": diagnosis.state,
        "reason": diagnosis.reason,
        "findings": [_finding(finding) for finding in diagnosis.findings],
        "follow_ups": [_follow_up(follow_up) for follow_up in diagnosis.follow_ups],
        "smallest_visible_drops": {drop.stage: drop.drop for drop in diagnosis.visible_drops},
    }


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "finding_id": finding.finding_id,
        "stage": finding.stage,
        "kind": finding.kind,
        "title": finding.title,
        "slice": _slice(finding.slice),
        "status": finding.status.value,
        "object": {"dimension": finding.named[0], "value": finding.named[1]} if finding.named else None,
        "owner": finding.owner,
        "since": _date(finding.since),
        "is_ongoing": finding.is_ongoing,
        "observed_rate": _number(finding.observed),
        "expected_rate": _number(finding.expected),
        "effect": _estimate(finding.effect),
        "lost_orders": _estimate(finding.lost_orders),
        "lost_amount": _estimate(finding.lost_amount),
        "lost_net_amount": _estimate(finding.lost_net_amount),
        "mix_part": _number(finding.mix),
        "rate_part": _number(finding.rate),
        "stability": finding.stability,
        "runner_up": _slice(finding.runner_up),
        "evidence": [_evidence(evidence) for evidence in finding.evidence],
        "question": finding.question,
        "next_step": finding.next_step,
        "recheck_date": _date(finding.recheck_date),
        "status_reason": finding.status_reason,
    }


def _evidence(evidence: Evidence) -> dict[str, Any]:
    return {
        "kind": evidence.key,
        "name": evidence.name,
        "today": _number(evidence.today),
        "usual": _number(evidence.usual),
        "since": _date(evidence.since),
        "is_before": evidence.is_before,
        "note": evidence.note,
    }


def _follow_up(follow_up: FollowUp) -> dict[str, Any]:
    return {
        "finding_id": follow_up.finding_id,
        "stage": follow_up.stage,
        "kind": follow_up.kind,
        "title": follow_up.title,
        "slice": _slice(follow_up.slice),
        "since": _date(follow_up.since),
        "state": follow_up.state,
        "lost_amount": _estimate(follow_up.lost_amount),
    }


def _slice(conditions: Slice) -> dict[str, str]:
    return dict(conditions)


def _estimate(estimate: Estimate | None) -> dict[str, Any] | None:
    if estimate is None:
        return None
    return {"value": _number(estimate.value), "low": _number(estimate.low), "high": _number(estimate.high)}


def _number(value: Any) -> float | None:
    return None if value is None else float(value)


def _date(day: date | None) -> str | None:
    return day.isoformat() if day else None
