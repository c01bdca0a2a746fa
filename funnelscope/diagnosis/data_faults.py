"""Data or business? Asked before a cause is named."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np

from funnelscope.diagnosis.baseline import build_slice_condition
from funnelscope.diagnosis.records import Reasons
from funnelscope.diagnosis.stated_reasons import DATA_CHECKS, StatedReason
from funnelscope.diagnosis.steps import VISIT, FunnelStep
from funnelscope.events.schema import FIGURE
from funnelscope.quality.gate import Verdict, VerdictReason, read_verdicts
from funnelscope.warehouse.connection import Warehouse

# Whoever took the later step must have passed the earlier one: (earlier, later).
_PAIRS = (
    ("second_interaction", "product_view"),
    ("product_view", "favorite_or_cart"),
    ("product_view", "checkout"),
    ("favorite_or_cart", "checkout"),
    ("checkout", "order"),
)
*_PAIR_CHECKS, PAGE_VIEWS_ARE_GONE = DATA_CHECKS
_FEWEST_LATER = 10
_SMALLEST_RISE = 0.2
_COLLAPSE = 0.5
_USUAL_DAYS = 14
_SAME_FAULT = 0.9
_FLOOD = 1.4
_OF_CHECKS = ("contract", "expectation")
"""Keys of the gate's reasons that name a check; the others name a family."""
_FIGURES = (FIGURE.name, f"staging.{FIGURE.table}", "marts.figures", "marts.figure_steps")
"""The family of figures, and what is made of it."""
_OF_THE_WHOLE_DAY = (
    "volume_keeps_its_scale",
    "days_between_have_events",
    "amounts_are_usual",
    "orders_have_many_customers",
    "last_event_is_as_late_as_usual",
    "clocks_are_as_usual",
)
"""Checks of the gate that, on events or the cube itself, leave no number of the day to be believed."""
_ORDERS_APART = "paid_orders_have_sessions"
"""Check of the gate that, on a day on which no order is linked, leaves no count of sessions that ordered."""
_TRUST = "marts.trust_ratios"
"""Where events and a platform drift apart, it is the events that are in doubt."""


@dataclass(frozen=True)
class DataFault:
    """Why the numbers of a slice cannot be believed.

    Attributes:
        check: the check of the gate that says so, or one of DATA_CHECKS.
        reason: the same with what was found.
        today, usual: what was compared; None for a check of the gate, which has its own words.
    """

    check: str
    reason: StatedReason
    today: float | None = None
    usual: float | None = None

    @property
    def move(self) -> float:
        """How far today is from the usual value."""
        return abs((self.today or 0) - (self.usual or 0))


def find_data_fault(
    warehouse: Warehouse, step: FunnelStep, slice_: Mapping[str, str], business_date: date, days: Sequence[date]
) -> DataFault | None:
    """Events that were lost on their way: later steps go on while an earlier one, or all page events, are gone."""
    if warned := _find_slice_warning(warehouse, slice_, business_date):
        return warned
    if warned := _find_whole_warning(warehouse, business_date, step):
        return warned
    if not slice_ or not set(slice_) <= {*VISIT, "first_category"}:
        return None
    counts = ", ".join(
        f"count(*) filter (where {_has_taken(later)} and not observed_{earlier}) as skipped_{number}, "
        f"count(*) filter (where {_has_taken(later)}) as later_{number}"
        for number, (earlier, later) in enumerate(_PAIRS)
    )
    query = (
        f"select count(*) as sessions, sum(page_view_count)::BIGINT as page_views, {counts} "
        f"from intermediate.session_funnel where is_human and {build_slice_condition(slice_)} and "
    )
    today = warehouse.records(query + "business_date = $day", day=business_date)[0]
    usual_days = list(days[-_USUAL_DAYS:])
    usual = warehouse.records(query + "list_contains($days::DATE[], business_date)", days=usual_days)[0]
    for number in range(len(_PAIRS)):
        share, usual_share = (
            counted[f"skipped_{number}"] / max(counted[f"later_{number}"], 1) for counted in (today, usual)
        )
        later_today = today[f"later_{number}"]
        noise = np.sqrt(max(usual_share * (1 - usual_share), 0.01) / max(later_today, 1))
        if later_today >= _FEWEST_LATER and share >= usual_share + max(_SMALLEST_RISE, 4 * noise):
            return _state_fault(_PAIR_CHECKS[number], share, usual_share)
    if step.stage != "landing" or not today["sessions"] or not usual["sessions"]:
        return None
    total, usual_total = (float(counted["page_views"] or 0) for counted in (today, usual))
    views, usual_views = total / today["sessions"], usual_total / usual["sessions"]
    # Of robots, who look at little, there are fewer a session too, but no fewer views.
    if views < _COLLAPSE * usual_views and total < _COLLAPSE * usual_total / len(usual_days):
        return _state_fault(PAGE_VIEWS_ARE_GONE, views, usual_views)
    return None


def _state_fault(check: str, today: float, usual: float) -> DataFault:
    return DataFault(check, StatedReason(check, {"today": today, "usual": usual}), today, usual)


def _has_taken(step: str) -> str:
    """SQL of sessions that took the step; who lands on a product has looked at one without doing anything."""
    return f"observed_{step}" + (" and entry_type is distinct from 'product'" if step == "product_view" else "")


def widen_data_fault(
    warehouse: Warehouse, step: FunnelStep, slice_: Mapping[str, str], fault: DataFault, day: date, days: Sequence[date]
) -> Mapping[str, str]:
    """The widest slice around this one that has the same fault in nine tenths of its strength."""
    for name in slice_:
        wider = {other: value for other, value in slice_.items() if other != name}
        same = find_data_fault(warehouse, step, wider, day, days)
        if same and same.check == fault.check and same.move >= _SAME_FAULT * fault.move > 0:
            return widen_data_fault(warehouse, step, wider, same, day, days)
    return slice_


def _find_slice_warning(warehouse: Warehouse, slice_: Mapping[str, str], business_date: date) -> DataFault | None:
    """A warning of the gate about this very slice."""
    if not warehouse.columns("quality.slice_warnings"):
        return None
    for record in warehouse.records(
        "select * from quality.slice_warnings where business_date = $day order by all", day=business_date
    ):
        if slice_.get(record["dimension"]) == record["value"]:
            values = {name: record[name] for name in ("observed", "expected")}
            place = {"table": record["table_name"], "check": record["check_name"]}
            return DataFault(record["check_name"], StatedReason("slice_warned", {**place, **values}))
    return None


def _find_whole_warning(warehouse: Warehouse, business_date: date, step: FunnelStep) -> DataFault | None:
    """A warning of the gate that the events of the day, or the cube, are another day's, another shop's or no shop's."""
    for warning in _read_warnings(warehouse, business_date):
        is_about = warning.table.startswith("staging.") or step.cube in warning.table
        is_whole = warning.check in _OF_THE_WHOLE_DAY and _is_of_events(warning) and is_about
        if is_whole or (warning.check == _ORDERS_APART and _counts_orders_of_sessions(warehouse, step, business_date)):
            return DataFault(warning.check, _state_warning(warning))
    return None


def _counts_orders_of_sessions(warehouse: Warehouse, step: FunnelStep, business_date: date) -> bool:
    """Whether the step counts sessions that ordered, on a day on which no order is linked to any."""
    if step.cube not in ("decision_cube", "checkout_cube") or step.name not in ("order", "paid"):
        return False
    apart = "select coalesce(bool_or(are_orders_apart), false) from intermediate.known_data where business_date = $day"
    return bool(warehouse.columns("intermediate.known_data") and warehouse.value(apart, day=business_date))


def is_bot_flood(entered: float, passed: float, usual_entered: float, usual_passed: float) -> bool:
    """Whether entries rose and passes did not: robots that nobody flagged.

    Args:
        usual_entered, usual_passed: of a usual day, at today's size of the rest of the shop.
    """
    return entered >= _FLOOD * usual_entered and passed <= 1.15 * usual_passed and passed >= 0.6 * usual_passed


def find_gate_warnings(warehouse: Warehouse, business_date: date, cube: str) -> Reasons:
    """The gate's warnings of the day about the cube or the families of events; empty without one."""
    return tuple(
        _state_warning(warning)
        for warning in _read_warnings(warehouse, business_date)
        if _is_of_events(warning)
        and (
            warning.key not in _OF_CHECKS
            or cube in warning.subject
            or warning.table.startswith("staging.")
            or warning.table == _TRUST
        )
    )


def find_figure_warnings(warehouse: Warehouse, business_date: date) -> Reasons:
    """The gate's warnings of the day about the figures that platforms state; empty without one."""
    return tuple(map(_state_warning, filter(_is_of_figures, _read_warnings(warehouse, business_date))))


def _read_warnings(warehouse: Warehouse, business_date: date) -> list[VerdictReason]:
    return [
        warning
        for verdict in read_verdicts(warehouse, business_date, business_date)
        if verdict.verdict == Verdict.WARN
        for warning in verdict.reasons
    ]


def _is_of_figures(warning: VerdictReason) -> bool:
    """Of a check over all families, what it found says whether it is about figures."""
    if warning.families:
        return FIGURE.name in warning.families
    return (warning.table or warning.subject) in _FIGURES


def _is_of_events(warning: VerdictReason) -> bool:
    return not _is_of_figures(warning) or any(family != FIGURE.name for family in warning.families)


def _state_warning(warning: VerdictReason) -> StatedReason:
    if warning.key not in _OF_CHECKS:
        return StatedReason(warning.key, {"family": warning.subject, "observed": warning.observed})
    names = ("table", "check", "observed", "expected")
    return StatedReason("check_warned", {name: getattr(warning, name) for name in names})
