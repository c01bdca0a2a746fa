"""A selected slice becomes a finding: data fault or business, since when, of what class, at what cost."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

import numpy as np

from funnelscope.diagnosis.baseline import build_slice_condition
from funnelscope.diagnosis.comparable_days import ComparableDays
from funnelscope.diagnosis.data_faults import DataFault, find_data_fault, find_gate_warnings, widen_data_fault
from funnelscope.diagnosis.evidence import find_change_log_entries, find_moved_series
from funnelscope.diagnosis.fault_classes import classify_fault, find_object_to_open
from funnelscope.diagnosis.finding_selection import WHOLE_ERROR, SelectedSlice, compute_whole_step_p_value
from funnelscope.diagnosis.loss_estimate import LossEstimate, estimate_loss, estimate_loss_per_pass
from funnelscope.diagnosis.playbook import get_table_playbook
from funnelscope.diagnosis.records import EvidenceRecord, FindingRecord, Reasons, SliceConditions, Status
from funnelscope.diagnosis.step_scan import StepDay, has_bot_flood, widen_slice
from funnelscope.diagnosis.steps import STEPS, FunnelStep
from funnelscope.localization.scan import LocalizedSlice
from funnelscope.settings import Settings
from funnelscope.warehouse.connection import Warehouse

_SINCE_DAYS = 14
_PRIOR_PASSES = 50
"""The level of the rest of a step is drawn towards that of the day by so many passes."""


@dataclass(frozen=True)
class AssembledFinding:
    """A finding that has no id yet, and its evidence."""

    record: FindingRecord
    evidence: tuple[EvidenceRecord, ...]


@dataclass(frozen=True)
class FindingJudgement:
    """What a finding looks like, how far it is to be believed and why not further, and whether orders were lost."""

    fault_class: str
    status: Status
    reasons: Reasons
    is_lost: bool


def assemble_finding(
    warehouse: Warehouse, settings: Settings, selected: SelectedSlice, compared: ComparableDays, day: date
) -> AssembledFinding:
    """The record of a finding but for its id and rank, and its evidence."""
    step_day, found = selected.step_day, selected.found
    step = step_day.step
    fault = find_data_fault(warehouse, step, found.slice, day, compared.rate_days)
    if fault:
        whole = widen_data_fault(warehouse, step, found.slice, fault, day, compared.rate_days)
        found = widen_slice(step_day, found, whole)
    slice_ = dict(sorted(found.slice.items()))
    counts = step_day.count_slice(slice_)
    since = find_first_day(warehouse, step, slice_, found.theta, counts.expected / counts.entered, day)
    before = [usual_day for usual_day in compared.rate_days if usual_day < since] or compared.rate_days
    moved = find_moved_series(warehouse, step.name, slice_, day, before)
    evidence = moved + find_change_log_entries(settings, slice_, since, day)
    if fault:
        judgement = FindingJudgement("tracking_lost", "withheld", (fault.reason,), is_lost=False)
        evidence.append(_record_data_check(fault, slice_, day))
    else:
        judgement = _judge_finding(warehouse, step_day, found, moved, day)
    loss = LossEstimate()
    if judgement.is_lost:
        # What follows a pass on a promotion day, only that day tells.
        value_days = (day,) if compared.is_promotion else compared.days
        per_pass = estimate_loss_per_pass(warehouse, step, slice_, value_days, day)
        loss = estimate_loss(counts.expected - counts.passed, counts.variance, per_pass)
    p_value = min(1.0, found.p_value * len(STEPS)) if slice_ else found.p_value
    record = build_record(settings, step_day, replace(found, p_value=p_value), judgement, loss, since)
    return AssembledFinding(record, tuple(replace(each, is_before=each.since_date <= since) for each in evidence))


def build_record(
    settings: Settings,
    step_day: StepDay,
    found: LocalizedSlice,
    judgement: FindingJudgement,
    loss: LossEstimate,
    since: date,
) -> FindingRecord:
    """The record of a slice as it was measured and judged, without id and rank; its p-value is taken as it is."""
    step, slice_ = step_day.step, dict(sorted(found.slice.items()))
    counts = step_day.count_slice(slice_)
    object_kind, object_name = find_object_to_open(step.stage, slice_)
    return FindingRecord(
        finding_id="",
        stage=step.stage,
        cube=step.cube,
        step=step.name,
        slice=slice_,
        fault_class=judgement.fault_class,
        status=judgement.status,
        status_reason=get_table_playbook().describe_reasons(judgement.reasons),
        status_reasons=judgement.reasons,
        since_date=since,
        is_ongoing=True,
        entered=round(counts.entered),
        passed=round(counts.passed),
        expected=counts.expected,
        effect=found.effect,
        effect_low=found.theta_low - 1,
        effect_high=found.theta_high - 1,
        z=found.z,
        p_value=found.p_value,
        stability=found.stability,
        runner_up=found.runner_up or None,
        runner_up_gap=found.runner_up_gap,
        strongest_part=found.strongest_part or None,
        lost_orders=loss.orders,
        lost_orders_low=loss.orders_low,
        lost_orders_high=loss.orders_high,
        lost_amount=loss.amount,
        lost_amount_low=loss.amount_low,
        lost_amount_high=loss.amount_high,
        lost_amount_net=loss.amount_net,
        object_kind=object_kind,
        object_name=object_name,
        owner=settings.owners.get(step.stage) or step.stage,
    )


def _record_data_check(fault: DataFault, slice_: SliceConditions, day: date) -> EvidenceRecord:
    return EvidenceRecord(
        kind="data_check",
        name=fault.check,
        slice=slice_,
        today=fault.today,
        usual=fault.usual,
        since_date=day,
        note=get_table_playbook().describe_reason(fault.reason),
    )


def _judge_finding(
    warehouse: Warehouse, step_day: StepDay, found: LocalizedSlice, moved: Sequence[EvidenceRecord], day: date
) -> FindingJudgement:
    """Of a finding that the data bear."""
    step = step_day.step
    warnings = find_gate_warnings(warehouse, day, step.cube)
    status: Status = "provisional" if warnings else "confirmed"
    if has_bot_flood(step_day, found.slice):
        return FindingJudgement("bot_flood", status, warnings, is_lost=False)
    is_slow = not found.slice and compute_whole_step_p_value(found.z) > WHOLE_ERROR
    if is_slow and not moved:
        return FindingJudgement("slow_drift", status, warnings, is_lost=True)
    fault_class = classify_fault(step.segment, found.slice, {entry.name for entry in moved})
    return FindingJudgement(fault_class, status, warnings, is_lost=True)


def find_first_day(
    warehouse: Warehouse, step: FunnelStep, slice_: SliceConditions, theta: float, rate: float, day: date
) -> date:
    """The first day of the move: where the likelihood of the level θ since then against the usual one is greatest.

    What moved the rest of the step on a day, as its weekday or a promotion does, moved the slice too.

    Args:
        rate: passes over entries that are usual in the slice on the day, 0 to 1.
    """
    inside = build_slice_condition(slice_)
    counts = warehouse.rows(
        f"select business_date, sum({step.entered}) filter (where {inside})::DOUBLE as entered, "
        f"sum({step.passed}) filter (where {inside})::DOUBLE, "
        f"coalesce(sum({step.entered}) filter (where not ({inside})), 0)::DOUBLE, "
        f"coalesce(sum({step.passed}) filter (where not ({inside})), 0)::DOUBLE from marts.{step.cube} "
        "where business_date between $first and $day group by business_date having entered > 0 "
        "order by business_date desc",
        first=day - timedelta(days=_SINCE_DAYS),
        day=day,
    )
    best, since, total = -np.inf, day, 0.0
    rest_rate = counts[0][4] / counts[0][3] if counts and counts[0][3] else 0.0
    for business_date, entered, passed, rest_entered, rest_passed in counts:
        level = (rest_passed + _PRIOR_PASSES) / (rest_entered * rest_rate + _PRIOR_PASSES)
        total += passed * np.log(max(theta, 0.01)) - (theta - 1) * entered * min(rate * level, 1.0)
        if total > best:
            best, since = total, business_date
    return since
