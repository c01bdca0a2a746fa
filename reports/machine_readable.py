"""The findings of a day and the review of a campaign as JSON, for dashboards and assistants.

docs/findings.schema.json defines the format of the findings.
"""

import json
from datetime import date

from funnelscope.messages.message_types import Number, Slice
from funnelscope.messages.wording import STATED
from reports.campaign_review import CampaignPart, CampaignReview
from reports.model import (
    ComparedFigure,
    Diagnosis,
    Estimate,
    Evidence,
    Finding,
    FollowUp,
    Platform,
    Report,
    count_days_so_far,
)

FORM_VERSION = 1


def write_findings_json(report: Report) -> bytes:
    """One UTF-8 JSON object. The same report gives the same bytes. Rates are 0 to 1, money is in the named currency."""
    document = {
        "form_version": FORM_VERSION,
        "shop": report.shop,
        "business_date": report.business_date.isoformat(),
        "edition": report.edition,
        "snapshot": report.snapshot,
        "currency": report.currency,
        "data_verdict": report.verdict.value,
        **_convert_diagnosis(report),
        "platforms": [_convert_platform(platform) for platform in report.platforms],
    }
    return json.dumps(document, ensure_ascii=False, indent=2).encode()


def write_review_json(report: Report) -> bytes:
    """The review as one UTF-8 JSON object. The same report gives the same bytes. Raises ValueError without a review."""
    if report.campaign is None:
        raise ValueError(f"{report.label} is no campaign")
    return json.dumps(_convert_review(report, report.campaign), ensure_ascii=False, indent=2).encode()


def _convert_review(report: Report, review: CampaignReview) -> dict[str, object]:
    return {
        "form_version": FORM_VERSION,
        "shop": report.shop,
        "campaign": review.name,
        "edition": report.edition,
        "snapshot": report.snapshot,
        "currency": report.currency,
        "data_verdict": report.verdict.value,
        "known_to": review.known_to.isoformat(),
        "refunds_mature_on": review.mature_on.isoformat(),
        "are_refunds_mature": review.is_mature,
        "last_time": _convert_range(review.last_from, review.last_to),
        "plain_days": [day.isoformat() for day in review.plain_days],
        "whole": _convert_part(review.whole),
        "phases": [_convert_part(part) for part in review.phases],
        "around": [
            {
                "days": side.key,
                **(_convert_range(side.from_date, side.to_date) or {}),
                "counted": len(side.counted),
                "paid_amount": _convert_number(side.paid_amount),
                "plain": _convert_number(side.plain),
                "plain_low": _convert_number(side.low),
                "plain_high": _convert_number(side.high),
                "paid_orders": _convert_number(side.paid_orders),
                "plain_orders": _convert_number(side.plain_orders),
                "known_from": _convert_date(side.known_from),
            }
            for side in review.around
        ],
        "refunds": [
            {
                "within_days": each.days,
                "amount": _convert_number(each.refunded),
                "rate": each.rate,
                "last_rate": each.last_rate,
                "plain_rate": each.plain_rate,
                "mature_on": _convert_date(each.mature_on),
            }
            for each in review.refunds
        ],
        "daily": [
            {
                "day": each.day.isoformat(),
                "part": each.part,
                "paid_amount": _convert_number(each.paid_amount),
                "last": _convert_number(each.last),
                "plain": _convert_number(each.plain),
            }
            for each in review.days
        ],
        "findings": [
            {
                "finding_id": each.finding_id,
                "title": each.title,
                "slice": _convert_slice(each.slice),
                "status": each.status.value,
                "found_on": [day.isoformat() for day in each.found_on],
                "is_ongoing": each.is_ongoing,
                "lost_orders": _convert_estimate(each.lost_orders),
                "lost_amount": _convert_estimate(each.lost_amount),
            }
            for each in report.findings
        ],
    }


def _convert_part(part: CampaignPart) -> dict[str, object]:
    return {
        "phase": part.key,
        **(_convert_range(part.from_date, part.to_date) or {}),
        "counted_days": len(part.counted),
        "left_out": [day.isoformat() for day in part.left_out],
        "last_days": len(part.last_days),
        "figures": {
            figure.key: {
                "value": _convert_number(figure.value),
                "last": _convert_number(figure.last),
                "last_for_as_many_days": _convert_number(figure.last_alike),
                "plain": _convert_number(figure.plain),
            }
            for figure in part.figures
        },
    }


def _convert_range(first: date | None, last: date | None) -> dict[str, object] | None:
    return {"from": first.isoformat(), "to": last.isoformat()} if first and last else None


def _convert_diagnosis(report: Report) -> dict[str, object]:
    diagnosis = report.diagnosis or Diagnosis("not_run")
    return {
        "state": diagnosis.state,
        "reason": diagnosis.reason,
        "findings": [_convert_finding(finding, report.business_date) for finding in report.findings],
        "follow_ups": [_convert_follow_up(follow_up) for follow_up in report.follow_ups],
        "smallest_visible_drops": {drop.stage: drop.drop for drop in diagnosis.visible_drops},
    }


def _convert_finding(finding: Finding, business_date: date) -> dict[str, object]:
    return {
        "finding_id": finding.finding_id,
        "stage": finding.stage,
        "kind": finding.kind,
        "title": finding.title,
        "slice": _convert_slice(finding.slice),
        "status": finding.status.value,
        "object": {"dimension": finding.named[0], "value": finding.named[1]} if finding.named else None,
        "owner": finding.owner,
        "since": _convert_date(finding.since),
        "day_number": count_days_so_far(finding, business_date),
        "is_ongoing": finding.is_ongoing,
        "observed_rate": _convert_number(finding.observed),
        "expected_rate": _convert_number(finding.expected),
        "effect": _convert_estimate(finding.effect),
        "lost_orders": _convert_estimate(finding.lost_orders),
        "lost_amount": _convert_estimate(finding.lost_amount),
        "lost_net_amount": _convert_estimate(finding.lost_net_amount),
        "lost_orders_so_far": _convert_number(finding.lost_orders_so_far),
        "lost_amount_so_far": _convert_number(finding.lost_amount_so_far),
        "row_count": finding.row_count,
        "link": finding.link or None,
        "mix_part": _convert_number(finding.mix),
        "rate_part": _convert_number(finding.rate),
        "stability": finding.stability,
        "runner_up": _convert_slice(finding.runner_up),
        "evidence": [_convert_evidence(evidence) for evidence in finding.evidence],
        "question": finding.question,
        "next_step": finding.next_step,
        "recheck_date": _convert_date(finding.recheck_date),
        "status_reason": finding.status_reason,
    }


def _convert_evidence(evidence: Evidence) -> dict[str, object]:
    return {
        "kind": evidence.key,
        "name": evidence.name,
        "today": _convert_number(evidence.today),
        "usual": _convert_number(evidence.usual),
        "since": _convert_date(evidence.since),
        "is_before": evidence.is_before,
        "note": evidence.note,
    }


def _convert_follow_up(follow_up: FollowUp) -> dict[str, object]:
    return {
        "finding_id": follow_up.finding_id,
        "stage": follow_up.stage,
        "kind": follow_up.kind,
        "title": follow_up.title,
        "slice": _convert_slice(follow_up.slice),
        "since": _convert_date(follow_up.since),
        "state": follow_up.state,
        "lost_amount": _convert_estimate(follow_up.lost_amount),
    }


def _convert_platform(platform: Platform) -> dict[str, object]:
    return {
        "platform": platform.name,
        "shop": platform.shop,
        "level": platform.level,
        "figures": [_convert_compared_figure(each) for each in (*platform.figures, *platform.others)],
        "steps": [
            {
                "figure": step.key.removeprefix(STATED),
                "count": step.count,
                "rate": step.rate_from_previous,
                "usual_rate": step.baseline_rate,
            }
            for step in platform.steps
        ],
        "newest_days": {each.level: each.newest_day.isoformat() for each in platform.deliveries},
    }


def _convert_compared_figure(each: ComparedFigure) -> dict[str, object]:
    figure = each.figure
    values = {
        "value": figure.value,
        "day_before": each.before,
        "week_before": each.earlier,
        "usual": figure.baseline,
        "usual_low": figure.usual_low,
        "usual_high": figure.usual_high,
        "peers": each.peers,
        "target": each.target,
    }
    return {
        "figure": figure.key.removeprefix(STATED),
        "unit": figure.unit.value,
        **{name: _convert_number(value) for name, value in values.items()},
        "mark": figure.mark.value if figure.mark else None,
    }


def _convert_slice(conditions: Slice) -> dict[str, str]:
    return dict(conditions)


def _convert_estimate(estimate: Estimate | None) -> dict[str, object] | None:
    if estimate is None:
        return None
    return {
        "value": _convert_number(estimate.value),
        "low": _convert_number(estimate.low),
        "high": _convert_number(estimate.high),
    }


def _convert_number(value: Number | None) -> float | None:
    return None if value is None else float(value)


def _convert_date(day: date | None) -> str | None:
    return day.isoformat() if day else None
