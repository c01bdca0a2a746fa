"""What the diagnosis found, read from its published tables; a shop or a snapshot without them has none."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import reports
from funnelscope.diagnosis.narrative import data_check_in_words, load_playbook, reason_in_words, status_reason_in_words
from funnelscope.diagnosis.stored_diagnosis import read_diagnosis
from funnelscope.events.metrics import METRICS
from funnelscope.messages.message_types import Slice, Unit
from funnelscope.messages.wording import translate_message
from funnelscope.reporting.data_section import read_gate_warnings
from funnelscope.reporting.published_days import Published

# Columns of the cubes whose name for readers is that of another dimension.
DIMENSION_WORDS = {
    "is_returning": "returning",
    "first_category": "category",
    "is_member": "member",
    "is_cared_for": "cared_for",
    "last_category": "category",
}
RECHECK_AFTER = timedelta(days=3)
_LOSSES = (
    *("lost_orders", "lost_orders_low", "lost_orders_high"),
    *("lost_amount", "lost_amount_low", "lost_amount_high", "lost_amount_net"),
)
MAIN_SLICE = "all"
SERIES_UNITS = {
    "coupon_error_rate": Unit.RATE,
    "payment_failure_rate": Unit.RATE,
    "out_of_stock_rate": Unit.RATE,
}


def diagnosis(published: Published) -> reports.Diagnosis | None:
    """The diagnosis with its findings, worst first; None where none has run."""
    if not published.has_table("diagnosis", "days"):
        return None
    if not published.is_day:
        return _diagnosis_of_days(published)
    found = read_diagnosis(published.connection, published.business_date)
    if found.state == "unknown":
        return None
    playbook = load_playbook(published.settings, published.language)
    findings = tuple(_finding(published, record, playbook) for record in found.findings)
    state = found.state
    if state == "diagnosed":
        state = "found" if findings else "calm"
    return reports.Diagnosis(
        state=state,
        reason=reason_in_words(found, playbook),
        findings=findings,
        follow_ups=_follow_ups(published, playbook),
        visible_drops=_visible_drops(published),
    )


def _diagnosis_of_days(published: Published) -> reports.Diagnosis | None:
    """What the days' diagnoses found, each finding once: as its last day tells it, with what all its days cost.

    The ends of the days' intervals are added up: they share the usual rates, so their errors do not cancel out.
    """
    days = [found for day in published.dates if (found := read_diagnosis(published.connection, day)).state != "unknown"]
    if not days:
        return None
    playbook = load_playbook(published.settings, published.language)
    rows: dict[str, list[dict[str, Any]]] = {}
    for found in days:
        for record in found.findings:
            rows.setdefault(record["finding_id"], []).append(record)
    findings = sorted(
        (_finding_of_days(published, records, playbook) for records in rows.values()), key=_cost, reverse=True
    )
    if findings:
        return reports.Diagnosis("found", findings=tuple(findings))
    if any(found.state in ("diagnosed", "calm") for found in days):
        return reports.Diagnosis("calm")
    return reports.Diagnosis(days[-1].state, reason=reason_in_words(days[-1], playbook))


def _finding_of_days(
    published: Published, records: Sequence[Mapping[str, Any]], playbook: Mapping[str, Any]
) -> reports.Finding:
    """One finding from its rows of several days. The day of its recovery costs nothing and describes nothing."""
    open_rows = [record for record in records if record["status"] != "recovered"] or list(records)
    sums = {name: sum(record[name] or 0 for record in records) for name in _LOSSES}
    whole = {**open_rows[-1], **sums}
    return replace(
        _finding(published, whole, playbook),
        status=reports.FindingStatus(records[-1]["status"]),
        is_ongoing=bool(records[-1]["is_ongoing"]),
        days=len([record for record in open_rows if record["status"] != "recovered"]),
    )


def _cost(finding: reports.Finding) -> tuple[bool, float]:
    cost = finding.lost_net_amount or finding.lost_amount
    return finding.lost_orders is not None, float(cost.value) if cost else 0.0


def _finding(published: Published, record: Mapping[str, Any], playbook: Mapping[str, Any]) -> reports.Finding:
    is_data_fault = record["status"] == "withheld"
    mix, rate = _parts(published, record)
    entered = record["entered"]
    kept = record["lost_amount_net"] / record["lost_amount"] if record["lost_amount"] else None
    words = playbook["classes"][record["fault_class"]]
    return reports.Finding(
        stage=record["stage"],
        kind=record["fault_class"],
        title=words["name"],
        slice=slice_of(record["slice"]),
        status=reports.FindingStatus(record["status"]),
        named=(record["object_kind"], record["object_name"]) if record["object_name"] else None,
        owner=record["owner"] or "",
        since=record["since_date"],
        is_ongoing=bool(record["is_ongoing"]),
        observed=record["passed"] / entered if entered else None,
        expected=record["expected"] / entered if entered else None,
        effect=_estimate(record, "effect"),
        lost_orders=None if is_data_fault else _estimate(record, "lost_orders"),
        lost_amount=None if is_data_fault else _estimate(record, "lost_amount"),
        lost_net_amount=None if is_data_fault or kept is None else _estimate(record, "lost_amount", kept),
        mix=mix,
        rate=rate,
        stability=record["stability"],
        runner_up=slice_of(record["runner_up"]) if record["runner_up"] else (),
        evidence=tuple(_evidence(row, record["since_date"], playbook) for row in record["evidence"]),
        question=playbook["questions"][record["stage"]],
        next_step=words["next_step"],
        recheck_date=max(published.dates) + RECHECK_AFTER,
        status_reason=_status_reason(published, record, playbook),
    )


def _status_reason(published: Published, record: Mapping[str, Any], playbook: Mapping[str, Any]) -> str:
    """Why the finding is not confirmed; the gate's warnings as the report tells them elsewhere."""
    named = {row["name"] for row in record["evidence"] if row["kind"] == "data_check"}
    told = record["status_reason"] or ""
    warnings = [
        warning
        for (table, check), warning in read_gate_warnings(published).items()
        if check in named or f"{table}: {check}: " in told
    ]
    if not warnings:
        return status_reason_in_words(record, playbook)
    return " ".join(translate_message(warning, published.language) for warning in warnings)


def slice_of(conditions: Mapping[str, str]) -> Slice:
    """The slice with its dimensions by the names that readers know."""
    return tuple((DIMENSION_WORDS.get(name, name), str(value)) for name, value in conditions.items())


def _estimate(record: Mapping[str, Any], name: str, factor: float = 1.0) -> reports.Estimate | None:
    value, low, high = (record[f"{name}{end}"] for end in ("", "_low", "_high"))
    if value is None:
        return None
    return reports.Estimate(
        value * factor, None if low is None else low * factor, None if high is None else high * factor
    )


def _parts(published: Published, record: Mapping[str, Any]) -> tuple[float | None, float | None]:
    """The slice's parts of the change of its step's rate; known for slices of one dimension."""
    conditions = record["slice"]
    if len(conditions) != 1 or not published.is_day or not published.has_table("diagnosis", "contributions"):
        return None, None
    dimension, value = next(iter(conditions.items()))
    parts = dict(
        published.rows(
            "select part, contribution from diagnosis.contributions where business_date = $to_date "
            "and subject = 'rate' and cube = $cube and step = $step and dimension = $dimension and value = $value",
            cube=record["cube"],
            step=record["step"],
            dimension=dimension,
            value=value,
        )
    )
    return parts.get("mix"), parts.get("rate")


def _evidence(row: Mapping[str, Any], moved_on: date | None, playbook: Mapping[str, Any]) -> reports.Evidence:
    return reports.Evidence(
        key=row["kind"],
        name=row["name"],
        unit=_series_unit(row["name"]),
        today=row["today"],
        usual=row["usual"],
        since=row["since_date"],
        is_before=bool(moved_on and row["since_date"] and row["since_date"] < moved_on),
        note=data_check_in_words(row, playbook) if row["kind"] == "data_check" else row["note"] or "",
    )


def _series_unit(name: str) -> Unit:
    if name in METRICS:
        return Unit(METRICS[name].unit.value)
    return SERIES_UNITS.get(name, Unit.COUNT)


def _follow_ups(published: Published, playbook: Mapping[str, Any]) -> tuple[reports.FollowUp, ...]:
    """Findings of the days before, with what became of them; the finding itself stands on the day it was found."""
    rows = published.rows(
        "select findings.stage, findings.fault_class, findings.slice, findings.since_date, follow_ups.state, "
        "follow_ups.lost_amount_so_far from diagnosis.follow_ups as follow_ups "
        "inner join diagnosis.findings as findings on findings.finding_id = follow_ups.finding_id "
        "and findings.business_date = follow_ups.found_date "
        "where follow_ups.business_date = $to_date order by follow_ups.lost_amount_so_far desc, findings.finding_id"
    )
    return tuple(
        reports.FollowUp(
            stage,
            kind,
            playbook["classes"][kind]["name"],
            slice_of(json.loads(text)),
            since,
            state,
            reports.Estimate(lost) if lost else None,
        )
        for stage, kind, text, since, state, lost in rows
    )


def _visible_drops(published: Published) -> tuple[reports.VisibleDrop, ...]:
    """Of each stage, the smallest drop of a whole step that its traffic can show."""
    rows = published.rows(
        "select stage, min(smallest_visible_drop) from diagnosis.visible_drops "
        "where business_date = $to_date and dimension = $main and smallest_visible_drop < 1 group by stage",
        main=MAIN_SLICE,
    )
    drops = dict(rows)
    stages = ("traffic", "landing", "decision", "repurchase")
    return tuple(reports.VisibleDrop(stage, drops[stage]) for stage in stages if stage in drops)


def relevance(published: Published) -> tuple[reports.RelevanceCell, ...]:
    """Creative x landing page, as the diagnosis of the day judged the matches."""
    if not published.has_table("diagnosis", "relevance"):
        return ()
    rows = published.rows(
        "select creative, landing_page, sessions, interaction, judgement = 'bad_match' or interaction_low > 0 "
        "from diagnosis.relevance where business_date = $to_date and grain = 'creative' and judgement != 'too_thin' "
        "order by creative, landing_page"
    )
    return tuple(reports.RelevanceCell(*row) for row in rows)
