"""What is wrong with a week, in the steps of which a day is too thin to say: repurchases, and all of a small shop.

A week is Monday to Sunday, seven good days without a promotion, and is compared with the weeks like it before. It is
diagnosed with its last day, by the same scan over the sums of its days, and has an error of its own.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta

from funnelscope.diagnosis.baseline import load_cube_day
from funnelscope.diagnosis.comparable_days import ComparableDays, list_regular_days
from funnelscope.diagnosis.data_faults import find_gate_warnings
from funnelscope.diagnosis.fault_classes import classify_fault
from funnelscope.diagnosis.finding_assembly import FindingJudgement, build_record
from funnelscope.diagnosis.finding_selection import ACTIVE_DAYS, compute_whole_step_p_value
from funnelscope.diagnosis.follow_up import create_id
from funnelscope.diagnosis.loss_estimate import estimate_loss, estimate_loss_per_pass
from funnelscope.diagnosis.overdispersion import learn_week_overdispersion
from funnelscope.diagnosis.records import FindingRecord, WeekFindingRecord
from funnelscope.diagnosis.step_scan import (
    SMALLEST_EFFECT,
    StepDay,
    has_bot_flood,
    has_counts,
    measure_slice,
    scan_step,
)
from funnelscope.diagnosis.steps import SEGMENTS, STEPS, FunnelStep
from funnelscope.localization.scan import LocalizedSlice
from funnelscope.settings import Settings
from funnelscope.warehouse.connection import Warehouse

WEEK_ERROR = 0.01
"""Chance that the scans of a clean week find anything; the whole steps have half as much: below one alarm a year."""
WHOLE_WEEK_ERROR = 0.005
FEWEST_WEEKS = 4
MOST_WEEKS = 8
_THIN_DROP = 0.2
"""Where the day can show no smaller drop of a whole step than this, the step is judged by the week."""


def diagnose_week(
    warehouse: Warehouse, settings: Settings, last_day: date, findings_of_day: Sequence[FindingRecord]
) -> list[WeekFindingRecord]:
    """The findings of the week that ends on the day; none if it is no whole week, or too few are like it."""
    week = _list_week(last_day)
    regular = set(list_regular_days(warehouse, settings, last_day + timedelta(days=1)))
    if last_day.weekday() != 6 or not regular.issuperset(week):
        return []
    weeks = [_list_week(last_day - timedelta(days=7 * number)) for number in range(1, 14)]
    usual = [each for each in weeks if regular.issuperset(each)][:MOST_WEEKS]
    told = {(each.cube, each.step) for each in findings_of_day}
    steps = [step for step in _find_thin_steps(warehouse, last_day) if (step.cube, step.name) not in told]
    if len(usual) < FEWEST_WEEKS or not steps:
        return []
    days = tuple(sorted(day for each in usual for day in each))
    compared = ComparableDays("diagnosed", days)
    overdispersion = learn_week_overdispersion(warehouse, usual)
    findings: list[WeekFindingRecord] = []
    for segment in SEGMENTS:
        views = []
        for step in steps:
            if step.segment == segment:
                cube_week = load_cube_day(warehouse, step.cube, last_day, days, week)
                if has_counts(step, cube_week):
                    views.append(scan_step(step, cube_week, (), compared, overdispersion, WEEK_ERROR))
        views.sort(key=lambda each: -max((found.deviance for found in each.found), default=0))
        if views:
            findings += [
                _record_finding(warehouse, settings, views[0], found, days, week)
                for found in _find_losses(views[0], (days[0] - settings.start_date).days)
            ]
    return findings


def _list_week(last_day: date) -> list[date]:
    return [last_day - timedelta(days=number) for number in range(6, -1, -1)]


def _find_thin_steps(warehouse: Warehouse, last_day: date) -> list[FunnelStep]:
    """The steps of which a day is too thin, and of which no day of the week had a finding."""
    rows = warehouse.rows(
        "select cube, step from diagnosis.visible_drops where dimension = 'all' and business_date between $first "
        "and $last group by all having median(smallest_visible_drop) >= $thin except "
        "select cube, step from diagnosis.findings where business_date between $first and $last "
        "and status != 'recovered'",
        first=last_day - timedelta(days=6),
        last=last_day,
        thin=_THIN_DROP,
    )
    return [step for step in STEPS if (step.cube, step.name) in rows]


def _find_losses(view: StepDay, days_of_history: int) -> list[LocalizedSlice]:
    """The slices that lost; where none did, the whole step if it is as surely off."""
    if view.found:
        return [each for each in view.found if not has_bot_flood(view, each.slice)]
    whole = measure_slice(view, {})
    is_filled = view.step.stage != "repurchase" or days_of_history >= ACTIVE_DAYS
    is_off = whole is not None and compute_whole_step_p_value(whole.z) <= WHOLE_WEEK_ERROR
    return [whole] if whole and is_filled and is_off and whole.effect <= -SMALLEST_EFFECT else []


def _record_finding(
    warehouse: Warehouse,
    settings: Settings,
    view: StepDay,
    found: LocalizedSlice,
    days: Sequence[date],
    week: Sequence[date],
) -> WeekFindingRecord:
    step, slice_ = view.step, dict(sorted(found.slice.items()))
    counts = view.count_slice(slice_)
    per_pass = estimate_loss_per_pass(warehouse, step, slice_, days, week[-1])
    loss = estimate_loss(counts.expected - counts.passed, counts.variance, per_pass)
    warnings = find_gate_warnings(warehouse, week[-1], step.cube)
    judgement = FindingJudgement(
        classify_fault(step.segment, slice_, set()), "provisional" if warnings else "confirmed", warnings, is_lost=True
    )
    p_value = min(1.0, found.p_value * len(STEPS)) if slice_ else compute_whole_step_p_value(found.z)
    record = build_record(settings, view, replace(found, p_value=p_value), judgement, loss, week[0])
    return WeekFindingRecord(**{**vars(record), "finding_id": create_id(record, week[-1])})
