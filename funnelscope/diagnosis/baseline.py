"""What each leaf of a cube should show on a day, from the days that it is compared with."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import pandas as pd

from funnelscope.diagnosis.comparable_days import BASELINE_DAYS
from funnelscope.diagnosis.steps import DETERMINED, FunnelStep, get_dimensions, get_steps
from funnelscope.localization.arrays import Floats, Integers
from funnelscope.localization.expectation import BaselineRates, compute_binomial_variance, shrink_rates
from funnelscope.warehouse.connection import Warehouse

_UNNAMED = ("none", "unknown")
_RAKING_ROUNDS = 4
_LEAVES_PER_VALUE = 20
"""So many leaves must agree, on average, before a dimension counts as determined by another."""


@dataclass(frozen=True)
class CubeDay:
    """Every leaf of a cube on the day or in its baseline: dimensions as text, `<column>_usual` and `<column>_today`.

    Attributes:
        hierarchy: dimension → the dimensions that it determines, nearest first.
    """

    frame: pd.DataFrame
    dimensions: tuple[str, ...]
    hierarchy: Mapping[str, tuple[str, ...]]


def build_slice_condition(slice_: Mapping[str, str]) -> str:
    """SQL that holds in the slice."""
    values = [
        f"coalesce({name}::VARCHAR, 'none') = '{value.replace(chr(39), chr(39) * 2)}'" for name, value in slice_.items()
    ]
    return " and ".join(values) or "true"


def build_flagged_condition(warehouse: Warehouse, cube: str, business_date: date) -> str:
    """SQL that holds for rows of the cube that earlier findings name: they are no part of what is usual.

    Robots and data faults are in every cube. A move that has lasted for four weeks is the new usual.
    """
    rows = warehouse.rows(
        "select slice, min(since_date), max(business_date) from diagnosis.findings "
        "where (cube = $cube or fault_class in ('bot_flood', 'tracking_lost')) and business_date < $day "
        "and status != 'recovered' and since_date >= $oldest "
        "group by cube, step, slice order by slice",
        cube=cube,
        day=business_date,
        oldest=business_date - timedelta(days=BASELINE_DAYS),
    )
    conditions = [
        f"(business_date between date '{since}' and date '{last}' and {build_slice_condition(json.loads(text))})"
        for text, since, last in rows
        if json.loads(text) and json.loads(text).keys() <= set(get_dimensions(cube))
    ]
    return " or ".join(conditions) or "false"


def load_cube_day(
    warehouse: Warehouse, cube: str, business_date: date, days: Sequence[date], week: Sequence[date] = ()
) -> CubeDay:
    """The cube's leaves on the day and summed over the days that it is compared with.

    Args:
        week: days that are summed in place of the day, which is the last of them.
    """
    dimensions = get_dimensions(cube)
    columns = sorted({column for step in get_steps(cube) for column in (step.entered, step.passed)})
    sums = ", ".join(f'sum({column})::DOUBLE as "{column}"' for column in columns)
    names = ", ".join(f"coalesce({name}::VARCHAR, 'none') as {name}" for name in dimensions)
    leaf = f"select {names}, {sums} from marts.{cube} where"
    merged = ", ".join(
        f'coalesce({when}."{column}", 0) as "{column}_{when}"' for column in columns for when in ("usual", "today")
    )
    flagged = build_flagged_condition(warehouse, cube, business_date)
    frame = warehouse.execute(
        f"""
        with today as ({leaf} list_contains($today::DATE[], business_date) group by all),
        usual as (
            {leaf} list_contains($days::DATE[], business_date) and not ({flagged})
            group by all
        )
        select {", ".join(dimensions)}, {merged}
        from today
        full join usual using ({", ".join(dimensions)})
        order by all
        """,
        today=list(week) or [business_date],
        days=list(days),
    ).df()
    return CubeDay(frame, dimensions, _find_hierarchy(frame, dimensions))


def estimate_leaves(
    step: FunnelStep,
    cube_day: CubeDay,
    level: float,
    slice_factors: Mapping[tuple[str, str], float] | None = None,
) -> pd.DataFrame:
    """Leaves of the step on the day as the scan wants them, with `entered`, `rate` and the baseline's counts beside.

    Args:
        level: factor on every expected count: what the calendar does to the whole step on this day.
        slice_factors: (dimension, value) → what it does to a slice beside that.
    """
    frame = cube_day.frame
    entered_usual = frame[f"{step.entered}_usual"].to_numpy(float)
    passed_usual = frame[f"{step.passed}_usual"].to_numpy(float)
    entered = frame[f"{step.entered}_today"].to_numpy(float)
    codes = [pd.factorize(frame[name])[0] for name in _find_finest_dimensions(cube_day)]
    baseline = _shrink_by_rarer_outcome(np.minimum(passed_usual, entered_usual), entered_usual, codes)
    if slice_factors:
        baseline = BaselineRates(_move_slices(frame, entered, baseline.rate, slice_factors), baseline.entries)
    leaves = frame[list(cube_day.dimensions)].copy()
    leaves["entered"] = entered
    leaves["observed"] = frame[f"{step.passed}_today"].to_numpy(float)
    leaves["expected"] = entered * np.minimum(baseline.rate * level, 0.999)
    # What a thin leaf borrows makes no slice of such leaves surer than its own part of the baseline.
    days = entered_usual.sum() / max(entered.sum(), 1)
    borrowed = BaselineRates(baseline.rate, np.minimum(baseline.entries, np.maximum(entered, 1) * days))
    leaves["variance"] = compute_binomial_variance(leaves["expected"].to_numpy(), entered, borrowed)
    leaves["entered_usual"], leaves["passed_usual"] = entered_usual, passed_usual
    return leaves


def _move_slices(
    frame: pd.DataFrame, entered: Floats, rate: Floats, slice_factors: Mapping[tuple[str, str], float]
) -> Floats:
    """The rates with the expected passes of every slice times its factor: raked, for slices share their leaves."""
    names = [name for name in frame.columns if any(name == dimension for dimension, _ in slice_factors)]
    targets = []
    for name in names:
        codes, values = pd.factorize(frame[name])
        usual = np.bincount(codes, entered * rate)
        factors = np.array([slice_factors.get((name, str(value)), 1.0) for value in values])
        targets.append((codes, usual * factors * usual.sum() / max(float(usual @ factors), 1e-9)))
    for _ in range(_RAKING_ROUNDS):
        for codes, wanted in targets:
            expected = np.bincount(codes, entered * rate)
            rate = rate * np.divide(wanted, expected, out=np.ones_like(wanted), where=expected > 0)[codes]
    return np.asarray(np.clip(rate, 1e-6, 0.999), np.float64)


def _shrink_by_rarer_outcome(passed: Floats, entered: Floats, codes: Sequence[Integers]) -> BaselineRates:
    """Shrunk rates by way of the rarer outcome: main effects multiply, and near 1 a product would leave no variance."""
    if 2 * passed.sum() <= entered.sum():
        return shrink_rates(passed, entered, codes, with_pairs=True)
    failed = shrink_rates(entered - passed, entered, codes, with_pairs=True)
    return BaselineRates(1 - failed.rate, failed.entries)


def _find_finest_dimensions(cube_day: CubeDay) -> list[str]:
    """Dimensions that no other one determines in these very leaves: their main effects say all.

    A channel without campaigns shares the campaign `none` with others: there the channel must speak for itself.
    """
    codes = {name: pd.factorize(cube_day.frame[name])[0] for name in cube_day.dimensions}
    pairs = {(inner, above) for inner, names in cube_day.hierarchy.items() for above in names}
    determined = {above for inner, above in pairs if _is_determined(codes[above], codes[inner])}
    return [name for name in cube_day.dimensions if name not in determined]


def _is_determined(above: Integers, inner: Integers) -> bool:
    """Whether leaves that share the inner value share the one above it."""
    one_of_each = np.zeros(int(inner.max(initial=-1)) + 1, above.dtype)
    one_of_each[inner] = above
    return bool((one_of_each[inner] == above).all())


def _find_hierarchy(frame: pd.DataFrame, dimensions: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """The declared hierarchy, and every dimension that another one determines in these very leaves."""
    codes = {name: pd.factorize(frame[name]) for name in dimensions}
    found: dict[str, tuple[str, ...]] = {}
    for name in dimensions:
        code, values = codes[name]
        declared = [above for above in DETERMINED.get(name, ()) if above in dimensions]
        named = ~np.isin(code, [number for number, value in enumerate(values) if value in _UNNAMED])
        if named.sum() >= _LEAVES_PER_VALUE * len(values):
            order = np.argsort(code[named], kind="stable")
            starts = np.flatnonzero(np.diff(code[named][order], prepend=-1))
            for other in dimensions:
                if other == name or other in declared or not 1 < len(codes[other][1]) < len(values):
                    continue
                sorted_codes = codes[other][0][named][order]
                if (np.minimum.reduceat(sorted_codes, starts) == np.maximum.reduceat(sorted_codes, starts)).all():
                    declared.append(other)
        if declared:
            found[name] = tuple(declared)
    return found
