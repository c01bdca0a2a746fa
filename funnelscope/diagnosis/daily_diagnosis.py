"""The diagnosis of a day: comparison, noise, scan of every step, triage, class, money, evidence, follow-up."""

import hashlib
import json
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import binom, norm

from funnelscope.diagnosis.baseline import leaves_of, load_cube_day, slice_condition
from funnelscope.diagnosis.change_detection import drift_strength
from funnelscope.diagnosis.comparable_days import FARTHEST_DAYS, Comparison, comparison
from funnelscope.diagnosis.contributions import contributions
from funnelscope.diagnosis.creative_relevance import relevance
from funnelscope.diagnosis.data_faults import data_fault, is_flood, touched_by_warnings, whole_of_fault
from funnelscope.diagnosis.diagnosis_tables import create_tables, replace_day
from funnelscope.diagnosis.evidence import change_log_entries, moved_series
from funnelscope.diagnosis.fault_classes import fault_class, object_to_open
from funnelscope.diagnosis.follow_up import follow_up, known_id
from funnelscope.diagnosis.loss_estimate import worth
from funnelscope.diagnosis.overdispersion import Noise, learn_noise, write_slice_days
from funnelscope.diagnosis.steps import CUBES, SEGMENTS, SOURCE, STEPS, Step, steps_of
from funnelscope.localization.scan import Finding, Scan, ScanOptions, scan
from funnelscope.quality.gate import days_between
from funnelscope.settings import Settings
from funnelscope.warehouse.connection import Warehouse

DAILY_ERROR = 0.005
"""Chance that the scans of a clean day, all together, find anything: half of one alarm in a hundred days. The whole
steps have a quarter of it, the drifts, at one in a thousand days, the rest."""
WHOLE_ERROR = 0.0025
SMALLEST_EFFECT = 0.05
_POWER = 1.282
"""Standard deviations beyond the threshold that make a drop visible nine times in ten."""
_INTERVAL = 1.645
_SINCE_DAYS = 14
_LAYERS = 3
"""Slices of one, two and three dimensions share the error of a scan."""
_FEWEST_EXPECTED = 8
_Z_BESIDE = 2.33
"""Standard deviations of a slice's loss in a second step, once a first has shown it: one chance in a hundred."""
_SHARES_OF_ENTRIES = (0.2, 0.05, 0.01, 0.002)
"""Of a step: for a slice of any dimensions, what could be seen in one of that size."""
_SEGMENTS_OF_ROBOTS = ("arrival", "qualified_product_view", "favorite_or_cart")
_ACTIVE_DAYS = 180
"""Of a customer after a purchase, as in marts.repurchase_cube: with less history before the baseline their number still
grows by itself, and the rate of purchases falls by itself."""
_HABITS_OF_ROBOTS = ("is_returning", "first_category", "inquiry_class")
"""They are new, look around and ask nothing: that tells them from people, not where they come from."""
_SAME_VISITS = 0.95
_LEAST_PLAIN_Z = 3.0
"""Of a slice's passes as they are counted: its weighted score alone may rest on one leaf that hardly varied before."""


@dataclass(frozen=True)
class StepDay:
    """A step on the day: its leaves, how the whole stands, and what the scan found."""

    step: Step
    leaves: pd.DataFrame
    slice_noise: float
    whole_noise: float
    scale: float
    reference_level: float
    reference_error: float
    found: tuple[Finding, ...]


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
        unreadable = _why(error)
    for day in days_between(first, to_date):
        try:
            rows = _failed(unreadable) if unreadable else _diagnose(warehouse, settings, day)
        except Exception as error:
            rows = _failed(_why(error))
        replace_day(warehouse, day, rows)


def _failed(why: str) -> dict[str, list[dict[str, Any]]]:
    return {"days": [{"state": "failed", "why": why, "comparison": ""}]}


def _why(error: Exception) -> str:
    where = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__}: {error} ({where.name}, line {where.lineno})"


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


def _diagnose(warehouse: Warehouse, settings: Settings, day: date) -> dict[str, list[dict[str, Any]]]:
    compared = comparison(warehouse, settings, day)
    rows: dict[str, list[dict[str, Any]]] = {"days": [_day_row(compared)]}
    if not compared.days:
        return rows
    rows["contributions"] = contributions(warehouse, day, compared.days)
    if compared.state != "diagnosed":
        return rows
    noise = learn_noise(
        warehouse, day, compared.days if len(compared.days) > 1 else _regular_days(settings, warehouse, day)
    )
    step_days = _scan_steps(warehouse, day, compared, noise)
    findings: list[dict[str, Any]] = []
    evidence: list[dict[str, Any]] = []
    for step_day, found in _booked(step_days, warehouse, compared, settings.start_date):
        finding, moved = _finding(warehouse, settings, step_day, found, compared, day)
        if any(other["finding_id"] == finding["finding_id"] for other in findings):
            continue  # two parts of one data fault
        findings.append(finding)
        evidence += moved
    followed = follow_up(warehouse, settings, day, findings, {each.step.key: each.leaves for each in step_days})
    findings.sort(key=lambda row: (row["status"] != "confirmed", -row["lost_orders"], row["p_value"]))
    for rank, finding in enumerate(findings, start=1):
        finding["rank"] = rank
    rows["findings"] = findings + followed.recovered
    rows["evidence"] = evidence
    rows["follow_ups"] = followed.rows
    rows["visible_drops"] = [row for each in step_days for row in _visible_drops(each)]
    rows["relevance"] = relevance(warehouse, day, compared.days)
    return rows


def _day_row(compared: Comparison) -> dict[str, Any]:
    return {
        "state": compared.state,
        "why": compared.why,
        "comparison": compared.kind,
        "baseline_days": len(compared.days),
        "baseline_from": compared.days[0] if compared.days else None,
    }


def _regular_days(settings: Settings, warehouse: Warehouse, day: date) -> tuple[date, ...]:
    """The regular days before a promotion: its one twin cannot tell how much days differ."""
    calm = settings.model_copy(update={"calendar": ()})
    return comparison(warehouse, calm, day).days


# --- Scan ----------------------------------------------------------------------------------------


def _scan_steps(warehouse: Warehouse, day: date, compared: Comparison, noise: Noise) -> list[StepDay]:
    """Every step, upstream first. Robots that a step has shown are no part of the steps behind it."""
    step_days: list[StepDay] = []
    for cube in CUBES:
        floods = [found.slice for each in step_days for found in each.found if _is_flood(each, found.slice)]
        cube_day = load_cube_day(warehouse, cube, day, compared.days)
        for step in steps_of(cube):
            has_counts = all(cube_day.frame[f"{step.entered}_{when}"].sum() > 0 for when in ("usual", "today"))
            if not has_counts or not cube_day.frame[f"{step.passed}_usual"].sum() > 0:
                continue
            usual = noise.steps[step.key]
            leaves = _outside(leaves_of(step, cube_day, usual.weekday_level), floods)
            present = leaves[(leaves["entered"] > 0) & (leaves["expected"] > 0)].reset_index(drop=True)
            present["variance"] *= noise.scale**2
            # One day as the baseline adds its own day-to-day noise to that of today.
            is_twin = len(compared.days) == 1
            one_day = np.sqrt(2.0) if is_twin else 1.0
            slice_noise, whole_noise = (each * noise.scale * one_day for each in (usual.slice_noise, usual.whole_noise))
            options = ScanOptions(
                family_error=DAILY_ERROR / len(STEPS),
                min_effect=SMALLEST_EFFECT,
                slice_noise=slice_noise,
                leaf_noise=slice_noise,  # learnt from days: in a small cube a fault could pass for noise of the leaves
                level_noise=None if is_twin else whole_noise,
            )
            dimensions = [name for name in cube_day.dimensions if present[name].nunique() > 1]
            scanned = scan(present, dimensions, cube_day.hierarchy, options) if dimensions else None
            step_day = StepDay(
                step,
                leaves,
                slice_noise,
                whole_noise,
                noise.scale,
                scanned.reference_level if scanned else _level(present),
                scanned.reference_error if scanned else 0.0,
                _losses(scanned, present, slice_noise) if scanned else (),
            )
            step_days.append(replace(step_day, found=_by_source(step_day)))
    return step_days


def _by_source(step_day: StepDay) -> tuple[Finding, ...]:
    """What was found, robots under the source that they come from: not under what all robots have in common."""
    named: dict[str, Finding] = {}
    for found in step_day.found:
        if _is_flood(step_day, found.slice):
            source = _source_of(step_day.leaves, found.slice)
            if source != found.slice and _is_flood(step_day, source):
                found = _wider(step_day, found, source)
        named.setdefault(json.dumps(found.slice, sort_keys=True), found)
    return tuple(named.values())


def _source_of(leaves: pd.DataFrame, slice_: Mapping[str, str]) -> dict[str, str]:
    """The slice without what robots have in common; where it names no source, one that holds the same visits."""
    named = {name: value for name, value in slice_.items() if name not in _HABITS_OF_ROBOTS}
    if not named or named.keys() & set(SOURCE):
        return named
    inside = _inside(leaves, named)
    for name in SOURCE:
        if name in leaves:
            value = inside.groupby(name)["entered"].sum().idxmax()
            is_value, entered = leaves[name] == value, leaves["entered"]
            shared = float(inside["entered"][inside[name] == value].sum())
            if shared >= _SAME_VISITS * max(float(entered[is_value].sum()), float(inside["entered"].sum())):
                return {name: str(value)}
    return named


def _wider(step_day: StepDay, found: Finding, slice_: Mapping[str, str]) -> Finding:
    """The finding under the name of a slice around its own."""
    whole = _level_finding(step_day, slice_)
    return replace(whole, p_value=found.p_value, stability=found.stability, z=found.z) if whole else found


def _losses(scanned: Scan, leaves: pd.DataFrame, slice_noise: float) -> tuple[Finding, ...]:
    """The findings that lose. Where most pass, those who fail are the rare counts: their own tail must say so too.

    The scan's statistic is that of passes; of a dozen entries of which one usually fails, five may fail by chance.
    """
    kept = []
    for found in scanned.findings:
        inside = _inside(leaves, found.slice)
        entered, passed = float(inside["entered"].sum()), float(inside["observed"].sum())
        variance = float(inside["variance"].sum()) + (slice_noise * found.expected) ** 2
        if found.expected - passed < _LEAST_PLAIN_Z * np.sqrt(variance):
            continue
        rate = min(found.expected / entered, 0.999)
        by_chance = found.expected * (1 - rate)
        z = -norm.ppf(binom.cdf(passed, entered, rate)) * np.sqrt(min(by_chance / variance, 1.0))
        is_rare = norm.sf(z) * _LAYERS * scanned.slices_looked_at <= DAILY_ERROR / len(STEPS)
        if rate <= 0.5 or is_rare:
            kept.append(found)
    return tuple(kept)


def _level(leaves: pd.DataFrame) -> float:
    return float(leaves["observed"].sum() / leaves["expected"].sum())


def _booked(
    step_days: Sequence[StepDay], warehouse: Warehouse, compared: Comparison, history_from: date
) -> list[tuple[StepDay, Finding]]:
    """The findings that are booked, upstream first. Of several views of a segment, that which explains most."""
    booked: list[tuple[StepDay, Finding]] = []
    for segment in SEGMENTS:
        views = [each for each in step_days if each.step.segment == segment]
        views.sort(key=lambda each: -max((found.deviance for found in each.found), default=0))
        if views and views[0].found:
            robots = [found.slice for each, found in booked if _is_flood(each, found.slice)]
            booked += [(views[0], found) for found in views[0].found if not _same_robots(views[0], found, robots)]
        elif views and (whole := _whole(views[0], warehouse, compared, history_from)):
            booked.append((views[0], whole))
    return booked + _beside(booked, step_days)


def _same_robots(step_day: StepDay, found: Finding, robots: Sequence[Mapping[str, str]]) -> bool:
    """Whether these are robots that a step before has shown, by dimensions that this cube does not know."""
    return _is_flood(step_day, found.slice) and any(
        all(found.slice.get(name, value) == value for name, value in slice_.items()) for slice_ in robots
    )


def _beside(booked: Sequence[tuple[StepDay, Finding]], step_days: Sequence[StepDay]) -> list[tuple[StepDay, Finding]]:
    """What the slices that are booked lose in other steps: one cause may be felt in several, and weakly in some.

    The slice is known by then, so that one test of it is all that is asked.
    """
    beside: list[tuple[StepDay, Finding]] = []
    for step_day, found in booked:
        if not found.slice or _is_flood(step_day, found.slice):
            continue
        for segment in SEGMENTS:
            taken = [other.slice for each, other in (*booked, *beside) if each.step.segment == segment]
            views = (each for each in step_days if each.step.segment == segment)
            view = next((each for each in views if found.slice.keys() <= set(each.step.dimensions)), None)
            if view and not any(_meet(found.slice, other) for other in taken):
                part = _level_finding(view, found.slice)
                if part and part.z >= _Z_BESIDE and part.effect <= -SMALLEST_EFFECT:
                    beside.append((view, part))
    return beside


def _meet(one: Mapping[str, str], other: Mapping[str, str]) -> bool:
    return one.items() <= other.items() or other.items() <= one.items()


def _level_finding(step_day: StepDay, slice_: Mapping[str, str]) -> Finding | None:
    """A given slice of the step, or the whole of it, against its usual level; None where too few are expected."""
    inside = _inside(step_day.leaves, slice_)
    observed = float(inside["observed"].sum())
    expected = float(inside["expected"].sum()) * (step_day.reference_level if slice_ else 1.0)
    if expected < _FEWEST_EXPECTED:
        return None
    noise = _level_noise(step_day, slice_)
    deviation = float(np.sqrt(inside["variance"].sum() * step_day.scale**2 / expected**2 + noise**2))
    theta = observed / expected
    z = abs(theta - 1) / deviation
    return Finding(
        slice=dict(slice_),
        theta=theta,
        theta_low=max(theta - _INTERVAL * deviation, 0.0),
        theta_high=theta + _INTERVAL * deviation,
        z=z,
        p_value=float(norm.sf(z)),
        deviance=z**2 / 2,
        observed=observed,
        expected=expected,
        stability=1.0,
        runner_up=None,
        runner_up_gap=0.0,
    )


def _level_noise(step_day: StepDay, slice_: Mapping[str, str]) -> float:
    """Standard deviation of a usual day's level beyond chance, as a share of it.

    A slice is held against today's level of its step, which is itself uncertain. The whole is held against its history,
    and what has been learnt of its days holds all that moves it.
    """
    return float(np.hypot(step_day.slice_noise, step_day.reference_error)) if slice_ else step_day.whole_noise


def _whole(step_day: StepDay, warehouse: Warehouse, compared: Comparison, history_from: date) -> Finding | None:
    """The whole step as a finding: off today, or drifting for long, with no slice that explains it."""
    found = _level_finding(step_day, {})
    if found is None or found.effect > -SMALLEST_EFFECT:
        return None
    p_value = _day_p_value(found.z)
    is_filled = step_day.step.stage != "repurchase" or (compared.days[0] - history_from).days >= _ACTIVE_DAYS
    drift = drift_strength(warehouse, step_day.step, compared.days, -found.z) if is_filled else 0.0
    if p_value > WHOLE_ERROR and drift < 1:
        return None
    return replace(found, p_value=min(p_value, 0.001 / drift) if drift >= 1 else p_value)


def _day_p_value(z: float) -> float:
    """Of a whole step on one day, among all steps."""
    return min(1.0, float(2 * norm.sf(z)) * len(STEPS))


# --- One finding ---------------------------------------------------------------------------------


def finding_id(step: Step, slice_text: str) -> str:
    return hashlib.md5(f"{step.key} {slice_text}".encode()).hexdigest()[:12]


def _finding(
    warehouse: Warehouse, settings: Settings, step_day: StepDay, found: Finding, compared: Comparison, day: date
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The row of a finding, and its evidence."""
    step = step_day.step
    fault = data_fault(warehouse, step, found.slice, day, compared.days)
    if fault:
        whole = whole_of_fault(warehouse, step, found.slice, fault, day, compared.days)
        found = _wider(step_day, found, whole)
    slice_ = dict(sorted(found.slice.items()))
    slice_text = json.dumps(slice_, ensure_ascii=False)
    inside = _inside(step_day.leaves, slice_)
    entered, passed = float(inside["entered"].sum()), float(inside["observed"].sum())
    expected = float(inside["expected"].sum()) * (step_day.reference_level if slice_ else 1.0)
    noise = _level_noise(step_day, slice_)
    variance = float(inside["variance"].sum()) * step_day.scale**2 + (noise * expected) ** 2
    since = _since(warehouse, step, slice_, found.theta, expected / entered, day)
    before = [usual_day for usual_day in compared.days if usual_day < since] or compared.days
    moved = moved_series(warehouse, step.name, slice_, day, before)
    evidence = moved + change_log_entries(settings, slice_, since, day)
    if fault:
        kind, status, reason, is_lost = "tracking_lost", "withheld", fault.observed, False
        evidence.append(
            {
                "kind": "data_check",
                "name": fault.check,
                "slice": slice_text,
                "today": fault.today,
                "usual": fault.usual,
                "since_date": day,
                "note": fault.observed,
            }
        )
    else:
        drifts = not slice_ and _day_p_value(found.z) > WHOLE_ERROR
        kind, status, reason, is_lost = _judged(warehouse, step_day, slice_, moved, day, drifts=drifts)
    each = worth(warehouse, step, slice_, compared.days, day)
    lost = (expected - passed) * each.orders if is_lost else 0.0
    margin = _INTERVAL * np.sqrt(each.variance(expected - passed, variance)) if is_lost else 0.0
    object_kind, object_name = object_to_open(step.stage, slice_)
    key = known_id(warehouse, step, slice_, day) or finding_id(step, slice_text)
    row = {
        "finding_id": key,
        "stage": step.stage,
        "cube": step.cube,
        "step": step.name,
        "slice": slice_text,
        "fault_class": kind,
        "status": status,
        "status_reason": reason,
        "since_date": since,
        "is_ongoing": True,
        "entered": round(entered),
        "passed": round(passed),
        "expected": expected,
        "effect": found.effect,
        "effect_low": found.theta_low - 1,
        "effect_high": found.theta_high - 1,
        "z": found.z,
        "p_value": min(1.0, found.p_value * len(STEPS)) if slice_ else found.p_value,
        "stability": found.stability,
        "runner_up": json.dumps(found.runner_up, ensure_ascii=False) if found.runner_up else None,
        "runner_up_gap": found.runner_up_gap,
        "lost_orders": lost,
        "lost_orders_low": lost - margin,
        "lost_orders_high": lost + margin,
        "lost_amount": lost * each.amount,
        "lost_amount_low": (lost - margin) * each.amount,
        "lost_amount_high": (lost + margin) * each.amount,
        "lost_amount_net": lost * each.amount * each.kept,
        "object_kind": object_kind,
        "object_name": object_name,
        "owner": settings.owners.get(step.stage) or step.stage,
    }
    return row, [entry | {"finding_id": key, "is_before": entry["since_date"] <= since} for entry in evidence]


def _inside(leaves: pd.DataFrame, slice_: Mapping[str, str]) -> pd.DataFrame:
    mask = np.ones(len(leaves), bool)
    for name, value in slice_.items():
        mask &= (leaves[name] == value).to_numpy()
    return leaves[mask]


def _outside(leaves: pd.DataFrame, slices: Sequence[Mapping[str, str]]) -> pd.DataFrame:
    """The leaves that lie in none of the slices; a slice by a dimension that the leaves lack is passed over."""
    for slice_ in slices:
        if slice_.keys() <= set(leaves.columns):
            leaves = leaves.drop(_inside(leaves, slice_).index)
    return leaves


def _judged(
    warehouse: Warehouse,
    step_day: StepDay,
    slice_: Mapping[str, str],
    moved: Sequence[Mapping[str, Any]],
    day: date,
    *,
    drifts: bool,
) -> tuple[str, str, str, bool]:
    """Of a finding that the data bear: (fault class, status, reason of the status, whether orders were lost)."""
    step = step_day.step
    warned = touched_by_warnings(warehouse, day, step.cube)
    status = "provisional" if warned else "confirmed"
    if _is_flood(step_day, slice_):
        return "bot_flood", status, warned, False
    if drifts and not moved:
        return "slow_drift", status, warned, True
    return fault_class(step.segment, slice_, {entry["name"] for entry in moved}), status, warned, True


def _is_flood(step_day: StepDay, slice_: Mapping[str, str]) -> bool:
    if not slice_ or step_day.step.segment not in _SEGMENTS_OF_ROBOTS:
        return False
    leaves, inside = step_day.leaves, _inside(step_day.leaves, slice_)
    size = _size_of_rest(leaves, inside)
    usual_entered = float(inside["entered_usual"].sum()) * size
    usual_passed = float(inside["passed_usual"].sum()) * size
    return is_flood(float(inside["entered"].sum()), float(inside["observed"].sum()), usual_entered, usual_passed)


def _size_of_rest(leaves: pd.DataFrame, inside: pd.DataFrame) -> float:
    """Today's entries outside the slice over those of the whole baseline."""
    entered = float(leaves["entered"].sum() - inside["entered"].sum())
    usual = float(leaves["entered_usual"].sum() - inside["entered_usual"].sum())
    return entered / usual if usual else 1.0


def _since(warehouse: Warehouse, step: Step, slice_: Mapping[str, str], theta: float, rate: float, day: date) -> date:
    """The first day of the move: where the likelihood of the level θ since then against the usual one is greatest."""
    counts = warehouse.rows(
        f"select business_date, sum({step.entered})::DOUBLE, sum({step.passed})::DOUBLE from marts.{step.cube} "
        f"where business_date between $first and $day and {slice_condition(slice_)} group by business_date "
        "order by business_date desc",
        first=day - timedelta(days=_SINCE_DAYS),
        day=day,
    )
    best, since, total = -np.inf, day, 0.0
    for business_date, entered, passed in counts:
        total += passed * np.log(max(theta, 0.01)) - (theta - 1) * entered * rate
        if total > best:
            best, since = total, business_date
    return since


# --- What could be seen --------------------------------------------------------------------------


def _visible_drops(step_day: StepDay) -> list[dict[str, Any]]:
    """Rows of diagnosis.visible_drops: the whole step, and each value of each dimension that is not negligible."""
    step, leaves = step_day.step, step_day.leaves
    counts = leaves[["entered", "observed", "expected", "variance"]].to_numpy(float)
    whole = counts.sum(axis=0)
    groups = [("all", "all", whole), *(("entries", f"{share:.1%}", share * whole) for share in _SHARES_OF_ENTRIES)]
    for name in step.dimensions:
        codes, found = pd.factorize(leaves[name])
        values = [str(value) for value in found]
        sums = np.stack([np.bincount(codes, column, len(values)) for column in counts.T], axis=1)
        notable = [number for number, entered in enumerate(sums[:, 0]) if entered >= 0.005 * whole[0]]
        groups += [(name, values[number], sums[number]) for number in sorted(notable, key=values.__getitem__)]
    threshold = float(norm.isf(DAILY_ERROR / len(STEPS) / 2 / max(len(groups), 1)))
    return [_visible_drop(step_day, dimension, value, row, threshold) for dimension, value, row in groups]


def _visible_drop(
    step_day: StepDay, dimension: str, value: str, counts: np.ndarray, threshold: float
) -> dict[str, Any]:
    """Args: counts: entered, observed, expected and variance of the slice."""
    noise = step_day.whole_noise if dimension == "all" else step_day.slice_noise
    entered, passed, expected, variance = (float(count) for count in counts)
    relative = np.sqrt(variance * step_day.scale**2 / max(expected, 1e-9) ** 2 + noise**2)
    return {
        "stage": step_day.step.stage,
        "cube": step_day.step.cube,
        "step": step_day.step.name,
        "dimension": dimension,
        "value": value,
        "entered": round(entered),
        "passed": round(passed),
        "expected": expected,
        "z": float((passed / max(expected, 1e-9) - 1) / relative),
        "smallest_visible_drop": float(np.clip((threshold + _POWER) * relative, SMALLEST_EFFECT, 1.0)),
    }
