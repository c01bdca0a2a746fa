"""The diagnosis of a day, step by step: baseline, overdispersion, scan, selection, findings, follow-up."""

import traceback
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta

from funnelscope.diagnosis.comparable_days import (
    BASELINE_DAYS,
    FARTHEST_DAYS,
    ComparableDays,
    find_comparable_days,
    find_regular_days,
)
from funnelscope.diagnosis.contributions import compute_contributions
from funnelscope.diagnosis.creative_relevance import judge_relevance
from funnelscope.diagnosis.detectable_drops import find_detectable_drops
from funnelscope.diagnosis.diagnosis_tables import create_tables, replace_day
from funnelscope.diagnosis.figure_diagnosis import FIGURE_CUBE, FigureDiagnosis, diagnose_figures
from funnelscope.diagnosis.finding_assembly import AssembledFinding, assemble_finding
from funnelscope.diagnosis.finding_rows import read_finding_rows
from funnelscope.diagnosis.finding_selection import select_findings
from funnelscope.diagnosis.follow_up import (
    OpenFinding,
    assign_ids,
    count_slice_again,
    follow_findings,
    measure_effect_in_leaves,
    read_open_findings,
)
from funnelscope.diagnosis.lasting_names import name_lasting_slices
from funnelscope.diagnosis.other_moves import find_other_moves
from funnelscope.diagnosis.overdispersion import learn_overdispersion, write_slice_days
from funnelscope.diagnosis.playbook import get_table_playbook
from funnelscope.diagnosis.promotion_moves import adjust_to_promotion
from funnelscope.diagnosis.records import DayRecord, DetectableDropRecord, FindingRecord, Record
from funnelscope.diagnosis.stated_reasons import StatedReason
from funnelscope.diagnosis.step_scan import StepDay, scan_steps
from funnelscope.diagnosis.week_diagnosis import diagnose_week
from funnelscope.events.schema import FIGURE
from funnelscope.messages.secrets import hide_secrets
from funnelscope.quality.gate import list_days
from funnelscope.settings import Settings
from funnelscope.warehouse.connection import Warehouse


def diagnose_days(warehouse: Warehouse, settings: Settings, from_date: date, to_date: date) -> None:
    """Diagnoses each day of the range in order, for a day builds on the findings of those before it.

    A day whose diagnosis fails is recorded as failed, with the reason; nothing is raised for it.
    """
    create_tables(warehouse)
    first = max(from_date, settings.opening_date)
    unreadable = ""
    try:
        _fill_slice_days(warehouse, settings, first, to_date)
    except Exception as error:  # a broken diagnosis must stop neither publication nor report
        unreadable = _describe_error(error)
    for day in list_days(first, to_date):
        try:
            records = _record_failure(unreadable) if unreadable else _diagnose_day(warehouse, settings, day)
        except Exception as error:
            records = _record_failure(_describe_error(error))
        replace_day(warehouse, day, records)


def _record_failure(error: str) -> list[Record]:
    return [DayRecord(state="failed", why=error, comparison="", reason=StatedReason("failed", {"error": error}))]


def _describe_error(error: Exception) -> str:
    where = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__}: {hide_secrets(str(error))} ({where.name}, line {where.lineno})"


def _fill_slice_days(warehouse: Warehouse, settings: Settings, from_date: date, to_date: date) -> None:
    oldest = max(from_date - timedelta(days=FARTHEST_DAYS), settings.opening_date)
    known = warehouse.value(
        "select count(distinct business_date) from diagnosis.slice_days where business_date >= $oldest "
        "and business_date < $first",
        oldest=oldest,
        first=from_date,
    )
    is_whole = known == (from_date - oldest).days
    write_slice_days(warehouse, from_date if is_whole else oldest, to_date)


def _diagnose_day(warehouse: Warehouse, settings: Settings, day: date) -> list[Record]:
    """The records of the day, table by table."""
    compared = find_comparable_days(warehouse, settings, day)
    if compared.state == "withheld":
        return [_record_day(compared)]
    open_findings = read_open_findings(warehouse, day)
    of_figures = [each for each in open_findings if each.latest.cube == FIGURE_CUBE]
    has_events = _has_events(warehouse, day)
    figures = diagnose_figures(warehouse, settings, day, of_figures, has_events)
    of_events = [each for each in open_findings if each.latest.cube != FIGURE_CUBE]
    findings, records = _diagnose_events(warehouse, settings, day, compared, of_events)
    if compared.is_promotion and not _is_scanned(records):
        compared = _compare_figures_alone(compared, figures)
    if compared.state == "no_baseline" and figures.days and (figures.findings or not has_events):
        compared = ComparableDays("diagnosed", figures.days, compared_with=StatedReason("regular"))
    ranked = rank_findings([*findings, *figures.findings])
    rows = read_finding_rows(warehouse, settings, day, ranked)
    return [_record_day(compared), *ranked, *figures.records, *records, *rows]


def _compare_figures_alone(compared: ComparableDays, figures: FigureDiagnosis) -> ComparableDays:
    """What a day of a promotion without judged events is compared with: its figures with each other, if at all."""
    promotion = compared.compared_with.values if compared.compared_with else {}
    if figures.days:
        return ComparableDays("diagnosed", (), None, StatedReason("siblings", promotion), figures.days)
    reason = compared.reason or StatedReason("only_figures", promotion)
    return replace(compared, state="not_comparable", reason=reason)


def _is_scanned(records: Sequence[Record]) -> bool:
    """Whether any step of the funnel was judged."""
    return any(isinstance(each, DetectableDropRecord) for each in records)


def _has_events(warehouse: Warehouse, day: date) -> bool:
    """Whether the shop delivers any event, by what the gate has seen of the day."""
    return bool(
        warehouse.value(
            "select count(*) from quality.family_days where business_date = $day and family != $figure "
            "and state != 'absent'",
            day=day,
            figure=FIGURE.name,
        )
    )


def _diagnose_events(
    warehouse: Warehouse,
    settings: Settings,
    day: date,
    compared: ComparableDays,
    open_findings: Sequence[OpenFinding],
) -> tuple[list[FindingRecord], list[Record]]:
    """Findings on the funnel that is made of events, without their ranks; all other records of the day."""
    if not compared.days:
        return [], []
    contributions = compute_contributions(warehouse, day, compared.days)
    records: list[Record] = list(contributions)
    if compared.state != "diagnosed":
        return [], records
    has_regular_days = len(compared.rate_days) >= BASELINE_DAYS
    learnt_from = compared.rate_days if has_regular_days else find_regular_days(warehouse, settings, day)
    overdispersion = learn_overdispersion(warehouse, day, learnt_from)
    if compared.regular_days:
        overdispersion = adjust_to_promotion(warehouse, day, compared, overdispersion)
    step_days = name_lasting_slices(
        warehouse,
        settings,
        day,
        compared,
        overdispersion,
        scan_steps(warehouse, day, compared, overdispersion),
        open_findings,
    )
    findings, followed = _diagnose_steps(warehouse, settings, day, compared, step_days, open_findings)
    records += diagnose_week(warehouse, settings, day, findings)
    records += [*followed, *find_other_moves(step_days, [] if compared.is_promotion else contributions)]
    for step_day in step_days:
        records += find_detectable_drops(step_day)
    return findings, records + judge_relevance(warehouse, day, compared.rate_days)


def _diagnose_steps(
    warehouse: Warehouse,
    settings: Settings,
    day: date,
    compared: ComparableDays,
    step_days: Sequence[StepDay],
    open_findings: Sequence[OpenFinding],
) -> tuple[list[FindingRecord], list[Record]]:
    """Findings with their ids; their evidence, and what became of earlier ones."""
    assembled: list[AssembledFinding] = []
    for selected in select_findings(step_days, warehouse, compared, settings.start_date):
        each = assemble_finding(warehouse, settings, selected, compared, day)
        if not any(_is_same_slice(each.record, other.record) for other in assembled):
            assembled.append(each)  # else it is the second part of one data fault
    leaves = {each.step.key: each.leaves for each in step_days}
    findings = assign_ids([each.record for each in assembled], open_findings, leaves, day)
    evidence = [
        replace(entry, finding_id=finding.finding_id)
        for finding, each in zip(findings, assembled, strict=True)
        for entry in each.evidence
    ]
    followed = follow_findings(
        warehouse,
        settings,
        day,
        findings,
        open_findings,
        lambda old: measure_effect_in_leaves(leaves, old),
        lambda old, then: count_slice_again(warehouse, old, then),
    )
    return findings, [*followed.recovered, *evidence, *followed.follow_ups]


def _is_same_slice(one: FindingRecord, other: FindingRecord) -> bool:
    return (one.cube, one.step, one.slice) == (other.cube, other.step, other.slice)


def rank_findings(findings: Sequence[FindingRecord]) -> list[FindingRecord]:
    """The findings with their ranks, first to act on first: what is confirmed, costs most, and is surest."""
    ordered = sorted(
        findings,
        key=lambda each: (each.status != "confirmed", -(each.lost_orders or 0.0), each.p_value or 0.0),
    )
    return [replace(finding, rank=rank) for rank, finding in enumerate(ordered, start=1)]


def _record_day(compared: ComparableDays) -> DayRecord:
    texts = get_table_playbook()
    return DayRecord(
        state=compared.state,
        why=texts.describe_reason(compared.reason) if compared.reason else "",
        comparison=texts.describe_comparison(compared.compared_with),
        baseline_days=len(compared.days),
        baseline_from=compared.days[0] if compared.days else None,
        reason=compared.reason,
        compared_with=compared.compared_with,
    )
