"""What is wrong with the figures that platforms state: one finding for each cause, and what became of earlier ones.

Series overlap: the whole shop holds its products, its sources and its devices, and these hold each other's people.
Where the shop and parts of it move at once, the parts are named if they explain the move and the rest of the shop is as
usual; else the shop is, with the part that moved most as what to open.
"""

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

import numpy as np
import pandas as pd
from scipy.stats import norm

from funnelscope.diagnosis.comparable_days import BASELINE_DAYS, PromotionDay, find_promotion_day, list_regular_days
from funnelscope.diagnosis.data_faults import find_figure_warnings
from funnelscope.diagnosis.evidence import find_change_log_entries
from funnelscope.diagnosis.fault_classes import classify_figure_fault
from funnelscope.diagnosis.figure_series import FEWEST_DAYS, KEY, SINCE_DAYS, JudgedSeries, judge_series
from funnelscope.diagnosis.follow_up import OpenFinding, create_id, follow_findings
from funnelscope.diagnosis.loss_estimate import UNKNOWN_LOSS, LossEstimate, LossPerPass, estimate_loss
from funnelscope.diagnosis.playbook import get_table_playbook
from funnelscope.diagnosis.records import EvidenceRecord, FindingRecord, Record, SliceConditions, Status
from funnelscope.diagnosis.step_scan import INTERVAL, SMALLEST_EFFECT
from funnelscope.events.figures import FUNNELS
from funnelscope.settings import Settings
from funnelscope.warehouse.connection import Readable, Warehouse

FIGURE_CUBE = "figure_steps"
WHOLE_ERROR = 0.004
"""Chance that any whole series of a clean day is found; parts, by the hundred, have as much. The rest of one alarm in a
hundred days is what the approximations may miss."""
PART_ERROR = 0.004
_REST_Z = 3.0
"""The rest of the shop may be so far below its usual, and nearer to that than to the level of the whole."""
_SMALLEST_REST = 0.1
"""Of what is expected of the shop: less cannot tell whether the rest moved too."""
_MOST_IN_Z = 2.33
_KNOWN_Z = 2.33
"""Of a series that was a finding before: one chance in a hundred."""
_STAGES = {
    "traffic": ("impressions", "clicks", "impression_users", "viewers", "visitors", "search_visitors", "inquirers"),
    "landing": ("product_impression_users", "product_click_users", "product_visitors"),
    "decision": ("cart_users", "order_buyers", "paying_buyers", "search_paying_buyers", "inquirers_paid"),
}
STAGE_OF_METRIC = {metric: stage for stage, metrics in _STAGES.items() for metric in metrics}
_PAID = ("paying_buyers", "search_paying_buyers", "inquirers_paid")


@dataclass(frozen=True)
class FigureDiagnosis:
    """The diagnosis of the figures of a day.

    Attributes:
        days: the comparable days; empty where nothing could be judged.
        findings: with their ids, without ranks.
        records: evidence, follow-ups and what has recovered.
    """

    days: tuple[date, ...] = ()
    findings: tuple[FindingRecord, ...] = ()
    records: tuple[Record, ...] = ()


@dataclass(frozen=True)
class _Cause:
    """A series that is a finding, and the part of it that moved most."""

    series: JudgedSeries
    most_in: JudgedSeries | None = None
    next_best: JudgedSeries | None = None


def diagnose_figures(
    warehouse: Warehouse, settings: Settings, day: date, open_findings: Sequence[OpenFinding], has_events: bool = False
) -> FigureDiagnosis:
    """The findings on the figures of a day whose data are published; of a promotion, those beside their siblings.

    Args:
        open_findings: those of figures.
        has_events: whether the shop has events too, whose findings may be about the same loss.
    """
    if not warehouse.columns("marts.figure_steps"):
        return FigureDiagnosis()
    regular = list_regular_days(warehouse, settings, day)
    if len(regular) < FEWEST_DAYS:
        return FigureDiagnosis()
    promotion = find_promotion_day(settings.calendar, day)
    judged = judge_series(
        warehouse, day, regular, _read_fault_days(warehouse, settings, day), among_siblings=promotion is not None
    )
    if not judged and not open_findings:
        return FigureDiagnosis()
    assembled = [
        _assemble_finding(warehouse, settings, cause, judged, has_events, day, promotion)
        for cause in select_causes(judged, _list_open_keys(settings, open_findings))
    ]
    findings = _assign_ids([record for record, _ in assembled], open_findings, day)
    evidence = [
        replace(entry, finding_id=finding.finding_id)
        for finding, (_, entries) in zip(findings, assembled, strict=True)
        for entry in entries
    ]
    known = {(each.passed_metric, _freeze(build_slice(each, settings))): each.theta - 1 for each in judged}
    followed = follow_findings(
        warehouse,
        settings,
        day,
        findings,
        open_findings,
        lambda old: known.get((old.step, _freeze(old.slice))),
        lambda old, then: _reread_counts(warehouse, settings, old, then),
    )
    return FigureDiagnosis(
        tuple(regular[-BASELINE_DAYS:]) if judged else (),
        tuple(findings),
        (*followed.recovered, *evidence, *followed.follow_ups),
    )


def _freeze(slice_: SliceConditions) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(slice_.items()))


# --- Names ---------------------------------------------------------------------------------------


def build_slice(series: JudgedSeries, settings: Settings) -> dict[str, str]:
    """What of the platform's figures the series is of; what is empty, and the shop's own name, is not told."""
    values = dict(zip(KEY, series.key, strict=True))
    del values["passed_metric"]
    if values["shop"] == settings.shop:
        del values["shop"]
    return {name: value for name, value in sorted(values.items()) if value}


def read_slice_key(slice_: SliceConditions, settings: Settings) -> dict[str, str]:
    """The columns of the series that the slice names."""
    names = [name for name in KEY if name != "passed_metric"]
    return {name: slice_.get(name, settings.shop if name == "shop" else "") for name in names}


def _read_fault_days(warehouse: Warehouse, settings: Settings, day: date) -> pd.DataFrame:
    """The days of earlier findings, by series; a move that has lasted for four weeks is the new usual."""
    rows = warehouse.rows(
        "select step, slice, min(since_date), max(business_date) from diagnosis.findings where cube = $cube "
        "and business_date < $day and status not in ('recovered', 'withheld') and since_date >= $oldest "
        "group by finding_id, step, slice order by all",
        cube=FIGURE_CUBE,
        day=day,
        oldest=day - timedelta(days=BASELINE_DAYS),
    )
    columns = [*KEY, "since_date", "last_date"]
    return pd.DataFrame(
        [(*read_slice_key(json.loads(text), settings).values(), step, since, last) for step, text, since, last in rows],
        columns=columns,
    )


def _list_open_keys(settings: Settings, open_findings: Sequence[OpenFinding]) -> set[tuple[str, ...]]:
    return {(*read_slice_key(each.latest.slice, settings).values(), each.latest.step) for each in open_findings}


# --- Causes --------------------------------------------------------------------------------------


def select_causes(judged: Sequence[JudgedSeries], known: Collection[tuple[str, ...]] = ()) -> list[_Cause]:
    """The series that are findings: each cause once, though many series may show it.

    Args:
        known: keys of the series that were findings the day before: one test of each is all that is asked.
    """
    wholes = [each for each in judged if each.is_whole]
    parts = [each for each in judged if not each.is_whole]
    found = [*_find_moved(wholes, WHOLE_ERROR, known), *_find_moved(parts, PART_ERROR, known)]
    causes = []
    for series in found:
        inside = [each for each in found if _contains(series, each)]
        if not _find_explaining(series, inside):
            causes.append(_Cause(series, _find_most_in(series, inside)))
    outermost = [each for each in causes if not any(_contains(other.series, each.series) for other in causes)]
    return _drop_other_views(outermost)


def _find_moved(series: Sequence[JudgedSeries], error: float, known: Collection[tuple[str, ...]]) -> list[JudgedSeries]:
    """Those whose fall chance explains in no more than `error` of the days, all together; furthest first."""
    least = float(norm.isf(error / len(series))) if series else np.inf
    moved = [
        each
        for each in series
        if each.z >= (_KNOWN_Z if each.key in known else least) and each.theta - 1 <= -SMALLEST_EFFECT
    ]
    return sorted(moved, key=lambda each: -each.z)


def _contains(one: JudgedSeries, other: JudgedSeries) -> bool:
    """Whether what moved in the other could be a part of the same people at the same transition."""
    if one.key == other.key or not _is_same_transition(one, other) or one.device not in ("", other.device):
        return False
    if one.is_whole and one.level == "shop":
        return True
    return one.level == other.level and one.object in ("", other.object, other.parent)


def _is_same_transition(one: JudgedSeries, other: JudgedSeries) -> bool:
    return (one.platform, one.shop) == (other.platform, other.shop) and _overlap(one, other)


def _overlap(one: JudgedSeries, other: JudgedSeries) -> bool:
    """Whether two steps have a transition in common: cart to payment and order to payment have."""
    if one.is_total or other.is_total:
        return one.is_total and other.is_total and one.passed_metric == other.passed_metric
    (funnel, begins, ends), (other_funnel, other_begins, other_ends) = _place(one), _place(other)
    return funnel == other_funnel and begins < other_ends and other_begins < ends


def _place(series: JudgedSeries) -> tuple[str, int, int]:
    name = next(name for name, funnel in FUNNELS.items() if series.passed_metric in funnel)
    return name, FUNNELS[name].index(series.entered_metric), FUNNELS[name].index(series.passed_metric)


def _find_explaining(whole: JudgedSeries, parts: Sequence[JudgedSeries]) -> list[JudgedSeries]:
    """The parts of one level that are the move of the whole: without them, it is as usual. None if none are."""
    for alike in _group_alike(whole, parts):
        expected, passed = (sum(getattr(each, name) for each in alike) for name in ("expected", "passed"))
        rest = whole.expected - expected
        if rest < _SMALLEST_REST * whole.expected:
            continue
        chance = max(whole.deviation**2 - whole.movement**2, 0.0) * whole.expected / rest
        theta = (whole.passed - passed) / rest
        if theta > (1 + whole.theta) / 2 and 1 - theta < _REST_Z * np.sqrt(chance + whole.movement**2):
            return alike
    return []


def _group_alike(whole: JudgedSeries, parts: Sequence[JudgedSeries]) -> list[list[JudgedSeries]]:
    """The parts that reach the same figure, those of each level together, without what lies in another of them."""
    groups: dict[tuple[str, bool], list[JudgedSeries]] = {}
    for part in parts:
        if part.passed_metric == whole.passed_metric:
            groups.setdefault((part.level, bool(part.device)), []).append(part)
    return [[each for each in group if not any(_contains(other, each) for other in group)] for group in groups.values()]


def _find_most_in(whole: JudgedSeries, parts: Sequence[JudgedSeries]) -> JudgedSeries | None:
    """The part that fell further than the whole and lost most; None where all moved alike."""
    further = [
        each
        for each in parts
        if each.passed_metric == whole.passed_metric
        and each.level != "shop"
        and (whole.theta - each.theta) / each.deviation >= _MOST_IN_Z
    ]
    return max(further, key=lambda each: each.lost, default=None)


def _drop_other_views(causes: Sequence[_Cause]) -> list[_Cause]:
    """The causes, of which the same transition on another level is but another view of the same loss."""
    kept: list[_Cause] = []
    for cause in sorted(causes, key=lambda each: (not each.series.is_whole, -each.series.z)):
        rivals = [
            place
            for place, other in enumerate(kept)
            if _is_same_transition(other.series, cause.series) and not _are_siblings(other.series, cause.series)
        ]
        if not rivals:
            kept.append(cause)
        elif kept[rivals[0]].next_best is None:
            kept[rivals[0]] = replace(kept[rivals[0]], next_best=cause.series)
    return kept


def _are_siblings(one: JudgedSeries, other: JudgedSeries) -> bool:
    """Whether the two are objects, or devices, of one level of which neither holds the other."""
    if (one.level, bool(one.device)) != (other.level, bool(other.device)):
        return False
    return not _contains(one, other) and not _contains(other, one)


# --- Records -------------------------------------------------------------------------------------


def _assemble_finding(
    warehouse: Warehouse,
    settings: Settings,
    cause: _Cause,
    judged: Sequence[JudgedSeries],
    has_events: bool,
    day: date,
    promotion: PromotionDay | None,
) -> tuple[FindingRecord, tuple[EvidenceRecord, ...]]:
    series = cause.series
    slice_ = build_slice(series, settings)
    opened = cause.most_in or series
    warnings = find_figure_warnings(warehouse, day)
    if promotion:
        warnings = (*warnings, promotion.state_as("among_siblings"))
    status: Status = "provisional" if warnings else "confirmed"
    loss = UNKNOWN_LOSS if series.is_pooled else _estimate_loss(warehouse, series)
    stage = STAGE_OF_METRIC[series.passed_metric]
    since = _find_first_day(series, day)
    reach = INTERVAL * series.deviation
    error, tests = (
        (WHOLE_ERROR, sum(each.is_whole for each in judged))
        if series.is_whole
        else (PART_ERROR, sum(not each.is_whole for each in judged))
    )
    next_best = cause.next_best or cause.most_in
    record = FindingRecord(
        finding_id="",
        stage=stage,
        cube=FIGURE_CUBE,
        step=series.passed_metric,
        slice=slice_,
        fault_class=classify_figure_fault(series.level, series.entered_metric, series.passed_metric),
        status=status,
        status_reason=get_table_playbook().describe_reasons(warnings),
        status_reasons=warnings,
        since_date=since,
        is_ongoing=True,
        entered=None if series.is_total or series.is_pooled else round(series.entered),
        passed=None if series.is_pooled else round(series.passed),
        expected=None if series.is_pooled else series.expected,
        effect=series.theta - 1,
        effect_low=max(series.theta - reach, 0.0) - 1,
        effect_high=series.theta + reach - 1,
        z=series.z,
        p_value=min(1.0, series.p_value * tests * (WHOLE_ERROR + PART_ERROR) / error),
        stability=None,
        runner_up=build_slice(next_best, settings) if next_best else None,
        runner_up_gap=None,
        lost_orders=loss.orders,
        lost_orders_low=loss.orders_low,
        lost_orders_high=loss.orders_high,
        lost_amount=loss.amount,
        lost_amount_low=loss.amount_low,
        lost_amount_high=loss.amount_high,
        lost_amount_net=loss.amount_net,
        object_kind=opened.level,
        object_name=opened.object_name or opened.object or opened.platform or opened.shop,
        owner=settings.owners.get(stage) or stage,
        is_overlapping=series.level != "shop" or bool(series.device) or has_events,
    )
    names = {**slice_, "object_name": opened.object_name, "opened": opened.object}
    evidence = find_change_log_entries(settings, {key: value for key, value in names.items() if value}, since, day)
    return record, tuple(replace(each, slice=slice_, is_before=each.since_date <= since) for each in evidence)


def _find_first_day(series: JudgedSeries, day: date) -> date:
    """The first day of the move: where the likelihood of today's level since then against the usual is greatest."""
    best, since, total = -np.inf, day, 0.0
    for each in sorted(series.levels, reverse=True):
        level, deviation = series.levels[each]
        total += ((level - 1) ** 2 - (level - series.theta) ** 2) / (2 * deviation**2)
        if total > best:
            best, since = total, each
    return since


def _estimate_loss(warehouse: Warehouse, series: JudgedSeries) -> LossEstimate:
    """What is lost in payments and their amount, by the series' own usual figures of the steps behind."""
    paid = series.passed_metric if series.passed_metric in _PAID else "paying_buyers"
    values = warehouse.execute(
        "select business_date, metric, figure_value::DOUBLE as figure_value from marts.figures "
        "where platform = $platform and shop = $shop and level = $level and object = $object and parent = $parent "
        "and device = $device and list_contains($days::DATE[], business_date) and list_contains($metrics, metric)",
        **dict(zip(KEY[:-1], series.key, strict=False)),
        days=list(series.usual_days),
        metrics=[series.passed_metric, paid, "paying_buyers", "paid_amount", "refunded_amount"],
    ).df()
    daily = values.pivot(index="business_date", columns="metric", values="figure_value")
    rate, deviation = _measure_ratio(daily, paid, series.passed_metric)
    if rate is None:
        return UNKNOWN_LOSS
    amount, _ = _measure_ratio(daily, "paid_amount", "paying_buyers")
    refunded, _ = _measure_ratio(daily, "refunded_amount", "paid_amount")
    kept = None if refunded is None else max(1 - refunded, 0.0)
    lost_variance = (series.deviation * series.expected) ** 2
    return estimate_loss(series.lost, lost_variance, LossPerPass(min(rate, 1.0), deviation, amount, kept))


def _measure_ratio(daily: pd.DataFrame, numerator: str, denominator: str) -> tuple[float | None, float]:
    """The usual ratio of two figures, and how far it moves from day to day; None where one of them is not stated."""
    if not {numerator, denominator} <= set(daily.columns):
        return None, 0.0
    known = daily[[numerator, denominator]].dropna()
    known = known[known.iloc[:, -1] > 0]
    total = float(known.iloc[:, -1].sum())
    if not total:
        return None, 0.0
    ratio = float(known.iloc[:, 0].sum()) / total
    if numerator == denominator:
        return 1.0, 0.0
    days = known.iloc[:, 0] / known.iloc[:, -1]
    return ratio, float(days.std(ddof=1)) if len(days) > 1 else 0.0


# --- Follow-up -----------------------------------------------------------------------------------


def _assign_ids(
    findings: Sequence[FindingRecord], open_findings: Sequence[OpenFinding], day: date
) -> list[FindingRecord]:
    """The findings with their ids: that of the open finding of the same figures, else of what lies in it, else new.

    A finding that was open keeps its first day where the days that are looked at no longer reach back so far.
    """
    pairs = [
        (score, -place, -other)
        for place, finding in enumerate(findings)
        for other, known in enumerate(open_findings)
        if (score := _score_likeness(finding, known.latest)) > 0
    ]
    taken: dict[int, OpenFinding] = {}
    for _, place, other in sorted(pairs, reverse=True):
        if -place not in taken and open_findings[-other] not in taken.values():
            taken[-place] = open_findings[-other]
    named = []
    for place, finding in enumerate(findings):
        if place not in taken:
            named.append(replace(finding, finding_id=create_id(finding, day)))
            continue
        old = taken[place].latest
        is_older = old.since_date < finding.since_date and (day - finding.since_date).days >= SINCE_DAYS
        since = old.since_date if is_older else finding.since_date
        named.append(replace(finding, finding_id=old.finding_id, since_date=since))
    return named


def _score_likeness(finding: FindingRecord, old: FindingRecord) -> int:
    """2 for the same figures, 1 where one holds the other, or opens the same object; 0 for two faults."""
    if finding.step != old.step or finding.slice.get("platform") != old.slice.get("platform"):
        return 0
    if finding.slice.get("shop") != old.slice.get("shop"):
        return 0
    if finding.slice == old.slice:
        return 2
    return int(finding.object_name == old.object_name or "shop" in (finding.slice["level"], old.slice["level"]))


def _reread_counts(warehouse: Warehouse, settings: Settings, old: FindingRecord, then: date) -> tuple[float, float]:
    """(entered, passed) of the finding's figures on the day, as they are stated now."""
    days = read_figure_days(warehouse, settings, old, then, then)
    return days.get(then, (0.0, 0.0))


def read_figure_days(
    tables: Readable, settings: Settings, finding: FindingRecord, first: date, last: date
) -> dict[date, tuple[float, float]]:
    """Day → (entered, passed) of the finding's figures; of a figure that was judged as such, 1 and the figure.

    Where the finding is of all objects of a level, their sums: good for a rate, and for nothing else.
    """
    place = read_slice_key(finding.slice, settings)
    if finding.passed is None:
        del place["object"], place["parent"]
    condition = " and ".join(f"{name} = ${name}" for name in place)
    source = (
        "1.0::DOUBLE, figure_value::DOUBLE from marts.figures where metric"
        if finding.entered is None and finding.passed is not None
        else f"sum(entered)::DOUBLE, sum(passed)::DOUBLE from marts.{FIGURE_CUBE} where passed_metric"
    )
    rows = tables.rows(
        f"select business_date, {source} = $metric and {condition} "
        f"and business_date between $first and $last {'group by' if 'sum' in source else 'order by'} business_date",
        **place,
        metric=finding.step,
        first=first,
        last=last,
    )
    return {day: (entered, passed) for day, entered, passed in rows}
