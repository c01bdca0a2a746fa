"""What became of the findings of earlier days."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import pandas as pd

from funnelscope.diagnosis.baseline import build_slice_condition
from funnelscope.diagnosis.steps import STEPS, FunnelStep
from funnelscope.settings import Settings
from funnelscope.warehouse.connection import Warehouse

_FOLLOWED_DAYS = 28
_REREAD_AFTER_DAYS = 3


@dataclass(frozen=True)
class FollowedFindings:
    """Rows of diagnosis.follow_ups, and rows of diagnosis.findings for what has recovered."""

    rows: list[dict[str, Any]]
    recovered: list[dict[str, Any]]


def follow_findings(
    warehouse: Warehouse,
    settings: Settings,
    business_date: date,
    findings: Sequence[Mapping[str, Any]],
    leaves: Mapping[str, pd.DataFrame],
) -> FollowedFindings:
    """Follows every finding that was open yesterday. It has recovered when less than half of its effect is left.

    Args:
        findings: rows of the day.
        leaves: `cube.step` → leaves of the day.
    """
    found_today = {row["finding_id"]: row for row in findings}
    rows, recovered = [], []
    for old in _open_findings(warehouse, business_date):
        now = found_today.get(old["finding_id"])
        effect = now["effect"] if now else _effect(leaves.get(f"{old['cube']}.{old['step']}"), json.loads(old["slice"]))
        is_recovered = now is None and effect is not None and effect > old["effect"] / 2
        action = _action(settings, json.loads(old["slice"]), old["found_date"], business_date)
        reread, is_hit = _reread(warehouse, old["finding_id"], business_date)
        rows.append(
            {
                "finding_id": old["finding_id"],
                "found_date": old["found_date"],
                "state": "recovered" if is_recovered else "acted_on" if action else "open",
                "action": action,
                "effect": effect,
                "lost_orders_so_far": old["lost_orders_so_far"] + (now["lost_orders"] if now else 0.0),
                "lost_amount_so_far": old["lost_amount_so_far"] + (now["lost_amount"] if now else 0.0),
                "reread_lost_orders": reread,
                "is_hit": is_hit,
            }
        )
        if is_recovered:
            recovered.append(_recovered_row(old, effect))
    return FollowedFindings(rows, recovered)


def _open_findings(warehouse: Warehouse, business_date: date) -> list[dict[str, Any]]:
    """The latest row of each finding of the last four weeks that has not recovered, with its first day and its sums."""
    return warehouse.records(
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
            select finding_id, min(business_date) as found_date, sum(lost_orders) as lost_orders_so_far,
                sum(lost_amount) as lost_amount_so_far
            from past group by finding_id
        )
        select * from latest inner join sums using (finding_id)
        where status != 'recovered' order by rank, finding_id
        """,
        day=business_date,
        oldest=business_date - timedelta(days=_FOLLOWED_DAYS),
    )


def known_id(warehouse: Warehouse, step: FunnelStep, slice_: Mapping[str, str], business_date: date) -> str | None:
    """The id of an open finding of the step whose slice is the same, contains this one or lies within it."""
    for old in _open_findings(warehouse, business_date):
        other = json.loads(old["slice"])
        is_nested = slice_.items() <= other.items() or other.items() <= slice_.items()
        if (old["cube"], old["step"]) == (step.cube, step.name) and is_nested and bool(slice_) == bool(other):
            return str(old["finding_id"])
    return None


def _effect(leaves: pd.DataFrame | None, slice_: Mapping[str, str]) -> float | None:
    if leaves is None:
        return None
    for name, value in slice_.items():
        leaves = leaves[leaves[name] == value]
    expected = float(leaves["expected"].sum())
    return float(leaves["observed"].sum()) / expected - 1 if expected else None


def _action(settings: Settings, slice_: Mapping[str, str], found: date, business_date: date) -> str:
    """The last entry of the change log on an object of the slice since it was found; empty without one."""
    entries = [
        entry for entry in settings.changes if found <= entry.date <= business_date and entry.object in slice_.values()
    ]
    return f"{entries[-1].date} {entries[-1].object}: {entries[-1].note}" if entries else ""


def _reread(warehouse: Warehouse, key: str, business_date: date) -> tuple[float | None, bool | None]:
    """Lost orders of the finding three days ago with what has come since, and whether at least half of them stand."""
    then = business_date - timedelta(days=_REREAD_AFTER_DAYS)
    old = warehouse.records(
        "select * from diagnosis.findings where finding_id = $key and business_date = $day and lost_orders > 0",
        key=key,
        day=then,
    )
    if not old:
        return None, None
    row = old[0]
    step = next(step for step in STEPS if (step.cube, step.name) == (row["cube"], row["step"]))
    entered, passed = warehouse.rows(
        f"select coalesce(sum({step.entered}), 0)::DOUBLE, coalesce(sum({step.passed}), 0)::DOUBLE "
        f"from marts.{step.cube} where business_date = $day and {build_slice_condition(json.loads(row['slice']))}",
        day=then,
    )[0]
    lost_passes = row["expected"] - row["passed"]
    lost_now = entered * row["expected"] / row["entered"] - passed
    reread = lost_now * row["lost_orders"] / lost_passes
    return reread, reread >= row["lost_orders"] / 2


def _recovered_row(old: Mapping[str, Any], effect: float | None) -> dict[str, Any]:
    """What names the finding stays; nothing is lost any more."""
    names = ["finding_id", "stage", "cube", "step", "slice", "fault_class", "since_date", "owner"]
    names += ["object_kind", "object_name"]
    zeros = ("lost_orders", "lost_orders_low", "lost_orders_high", "lost_amount", "lost_amount_low")
    return {
        **{name: old[name] for name in names},
        **dict.fromkeys((*zeros, "lost_amount_high", "lost_amount_net"), 0.0),
        "status": "recovered",
        "status_reason": "",
        "is_ongoing": False,
        "effect": effect,
    }
