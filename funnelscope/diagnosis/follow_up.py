"""What became of the findings of earlier days, and which finding of the day is one of them."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import date, timedelta

import pandas as pd

from funnelscope.diagnosis.baseline import build_slice_condition
from funnelscope.diagnosis.diagnosis_tables import read_records
from funnelscope.diagnosis.finding_selection import overlap
from funnelscope.diagnosis.records import FindingRecord, FollowUpRecord, SliceConditions, decode_records
from funnelscope.diagnosis.step_scan import select_inside
from funnelscope.diagnosis.steps import STEPS, FunnelStep
from funnelscope.settings import Settings
from funnelscope.warehouse.connection import Warehouse
from funnelscope.warehouse.quoting import quote_literal

_FOLLOWED_DAYS = 28
_REREAD_AFTER_DAYS = 3
_SAME_FAULT_SHARE = 0.5
"""Of the entries of two slices together: two that neither holds the other share so many if they are one fault."""
_STEPS: Mapping[tuple[str, str], FunnelStep] = {(step.cube, step.name): step for step in STEPS}


@dataclass(frozen=True)
class OpenFinding:
    """A finding of the last four weeks that has not recovered, as its latest day tells it, with its sums so far."""

    latest: FindingRecord
    found_date: date
    lost_orders: float
    lost_amount: float | None


@dataclass(frozen=True)
class FollowedFindings:
    """What became of each open finding, and a record of the day for each that has recovered."""

    follow_ups: tuple[FollowUpRecord, ...]
    recovered: tuple[FindingRecord, ...]


def read_open_findings(warehouse: Warehouse, business_date: date) -> list[OpenFinding]:
    """The findings that were open before the day, by rank."""
    cursor = warehouse.execute(
        """
        with past as (
            select * from diagnosis.findings
            where business_date < $day and business_date >= $oldest
        ),
        latest as (
            select * from past
            qualify row_number() over (partition by finding_id order by business_date desc) = 1
        ),
        sums as (
            select finding_id, min(business_date) as found_date, coalesce(sum(lost_orders), 0) as lost_orders_so_far,
                sum(lost_amount) as lost_amount_so_far
            from past group by finding_id
        )
        select found_date, lost_orders_so_far, lost_amount_so_far, latest.*
        from latest inner join sums using (finding_id)
        where status != 'recovered' order by rank, finding_id
        """,
        day=business_date,
        oldest=business_date - timedelta(days=_FOLLOWED_DAYS),
    )
    names = [column[0] for column in cursor.description or ()]
    rows = cursor.fetchall()
    latest = decode_records(FindingRecord, names, rows)
    return [OpenFinding(record, *row[:3]) for record, row in zip(latest, rows, strict=True)]


# --- Identity ------------------------------------------------------------------------------------


def assign_ids(
    findings: Sequence[FindingRecord],
    open_findings: Sequence[OpenFinding],
    leaves: Mapping[str, pd.DataFrame],
    business_date: date,
) -> list[FindingRecord]:
    """The findings with their ids: that of the open finding which is the same fault, else a new one.

    A fault may be named a little wider, narrower or by other dimensions on a later day, or in another view of the same
    transition. Each id is given once, to the pair that has most entries in common.

    Args:
        leaves: `cube.step` → leaves of the day.
    """
    pairs = [
        (score, -place, -other, open_findings[other].latest.finding_id)
        for place, finding in enumerate(findings)
        for other in range(len(open_findings))
        if (score := _score_likeness(finding, open_findings[other].latest, leaves)) is not None
    ]
    ids: dict[int, str] = {}
    for _, place, _, known in sorted(pairs, reverse=True):
        if -place not in ids and known not in ids.values():
            ids[-place] = known
    return [
        replace(finding, finding_id=ids.get(place) or create_id(finding, business_date))
        for place, finding in enumerate(findings)
    ]


def create_id(finding: FindingRecord, business_date: date) -> str:
    """An id for a finding that is new on the day: another fault of the same slice, weeks later, has another one."""
    slice_text = json.dumps(dict(sorted(finding.slice.items())), ensure_ascii=False)
    return hashlib.md5(f"{finding.cube}.{finding.step} {slice_text} {business_date}".encode()).hexdigest()[:12]


def _score_likeness(
    finding: FindingRecord, old: FindingRecord, leaves: Mapping[str, pd.DataFrame]
) -> tuple[bool, float] | None:
    """Whether both are of one step, and the share of entries that their slices have in common; None for two faults."""
    step, old_step = _STEPS[finding.cube, finding.step], _STEPS[old.cube, old.step]
    if step.segment != old_step.segment or bool(finding.slice) != bool(old.slice):
        return None
    if step != old_step:
        conditions, old_conditions = set(finding.slice.items()), set(old.slice.items())
        shared = len(conditions & old_conditions) / max(len(conditions | old_conditions), 1)
        return (False, shared) if overlap(finding.slice, old.slice) else None
    share = measure_likeness(leaves[step.key], finding.slice, old.slice)
    return (True, share) if share is not None else None


def measure_likeness(leaves: pd.DataFrame, one: SliceConditions, other: SliceConditions) -> float | None:
    """The share of entries that two slices of a step have in common; None where that is two faults."""
    share = _measure_common_share(leaves, one, other)
    return share if overlap(one, other) or share >= _SAME_FAULT_SHARE else None


def _measure_common_share(leaves: pd.DataFrame, one: SliceConditions, other: SliceConditions) -> float:
    """Entries that lie in both slices over those that lie in either."""
    inside, inside_other = select_inside(leaves, one), select_inside(leaves, other)
    common = float(select_inside(inside, other)["entered"].sum())
    either = float(inside["entered"].sum() + inside_other["entered"].sum()) - common
    return common / either if either else 1.0


# --- Follow-up -----------------------------------------------------------------------------------


def follow_findings(
    warehouse: Warehouse,
    settings: Settings,
    business_date: date,
    findings: Sequence[FindingRecord],
    open_findings: Sequence[OpenFinding],
    measure_effect: Callable[[FindingRecord], float | None],
    count_again: Callable[[FindingRecord, date], tuple[float, float]],
) -> FollowedFindings:
    """Follows every finding that was open. It has recovered when less than half of its effect is left.

    Args:
        findings: of the day, with their ids.
        measure_effect: passed / expected − 1 of an earlier finding on the day; None where that is not known.
        count_again: entries and passes of a finding on an earlier day, with what has come since.
    """
    found_today = {finding.finding_id: finding for finding in findings}
    follow_ups, recovered = [], []
    for known in open_findings:
        old, now = known.latest, found_today.get(known.latest.finding_id)
        effect = now.effect if now else measure_effect(old)
        is_recovered = now is None and effect is not None and old.effect is not None and effect > old.effect / 2
        action = _find_action(settings, old.slice, known.found_date, business_date)
        reread, is_hit = _reread_loss(warehouse, old.finding_id, business_date, count_again)
        follow_ups.append(
            FollowUpRecord(
                finding_id=old.finding_id,
                found_date=known.found_date,
                state="recovered" if is_recovered else "acted_on" if action else "open",
                action=action,
                effect=effect,
                lost_orders_so_far=known.lost_orders + ((now.lost_orders or 0.0) if now else 0.0),
                lost_amount_so_far=(known.lost_amount or 0.0) + ((now.lost_amount or 0.0) if now else 0.0),
                reread_lost_orders=reread,
                is_hit=is_hit,
            )
        )
        if is_recovered:
            recovered.append(_record_recovery(old, effect))
    return FollowedFindings(tuple(follow_ups), tuple(recovered))


def measure_effect_in_leaves(leaves: Mapping[str, pd.DataFrame], old: FindingRecord) -> float | None:
    """Passed / expected − 1 of the finding's slice; None where its step has no leaves, or nothing is expected.

    Args:
        leaves: `cube.step` → leaves of the day.
    """
    of_step = leaves.get(f"{old.cube}.{old.step}")
    if of_step is None:
        return None
    inside = select_inside(of_step, old.slice)
    expected = float(inside["expected"].sum())
    return float(inside["observed"].sum()) / expected - 1 if expected else None


def _find_action(settings: Settings, slice_: SliceConditions, found: date, business_date: date) -> str:
    """The last entry of the change log on an object of the slice since it was found; empty without one."""
    entries = [
        entry for entry in settings.changes if found <= entry.date <= business_date and entry.object in slice_.values()
    ]
    return f"{entries[-1].date} {entries[-1].object}: {entries[-1].note}" if entries else ""


def _reread_loss(
    warehouse: Warehouse,
    key: str,
    business_date: date,
    count_again: Callable[[FindingRecord, date], tuple[float, float]],
) -> tuple[float | None, bool | None]:
    """Lost orders of the finding three days ago with what has come since, and whether at least half of them remain."""
    then = business_date - timedelta(days=_REREAD_AFTER_DAYS)
    found = read_records(
        warehouse.connection, FindingRecord, then, f"and finding_id = {quote_literal(key)} and lost_orders > 0"
    )
    old = found[0] if found else None
    if old is None or old.lost_orders is None or old.expected is None or old.passed is None:
        return None, None
    entered, passed = count_again(old, then)
    lost_now = entered * old.expected / (old.entered or 1) - passed
    reread = lost_now * old.lost_orders / (old.expected - old.passed)
    return reread, reread >= old.lost_orders / 2


def count_slice_again(warehouse: Warehouse, old: FindingRecord, day: date) -> tuple[float, float]:
    """Entries and passes of the finding's slice on a day, as its cube has them now."""
    step = _STEPS[old.cube, old.step]
    entered, passed = warehouse.rows(
        f"select coalesce(sum({step.entered}), 0)::DOUBLE, coalesce(sum({step.passed}), 0)::DOUBLE "
        f"from marts.{step.cube} where business_date = $day and {build_slice_condition(old.slice)}",
        day=day,
    )[0]
    return entered, passed


_NAMING = frozenset(
    ("finding_id", "stage", "cube", "step", "slice", "fault_class", "since_date", "owner", "object_kind", "object_name")
)
"""Fields that say which finding it is, without those that measure it."""


def _record_recovery(old: FindingRecord, effect: float | None) -> FindingRecord:
    """What names the finding stays; nothing is lost any more."""
    known = {each.name: getattr(old, each.name) for each in fields(old) if each.name in _NAMING}
    return FindingRecord(**known, status="recovered", is_ongoing=False, effect=effect)
