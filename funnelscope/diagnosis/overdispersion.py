"""How far healthy slices move from day to day, learnt from the shop's own days.

The scale is calibrated conformally: residuals of all steps, slices and baseline days are pooled, and the 99th
percentile of their size is set to that of a normal. A rank among one slice's 28 days could not reach the error that is
wanted.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date

import numpy as np
import pandas as pd

from funnelscope.diagnosis.steps import CUBES, STEPS, get_dimensions, get_steps
from funnelscope.warehouse.connection import Warehouse

_SLICE_BOUNDS = (0.012, 0.06)
_WHOLE_BOUNDS = (0.012, 0.5)
"""A step's whole level also follows the season and the age of the shop; a slice is measured beside its step."""
_FEWEST_PASSES = 20
_FEWEST_DAYS = 14
_SCALE_BOUNDS = (1.0, 2.0)
_NORMAL_99 = 2.576


@dataclass(frozen=True)
class StepOverdispersion:
    """What is usual for one step.

    Attributes:
        slice_overdispersion: standard deviation of a slice's daily level beyond chance, as a share of it.
        whole_overdispersion: the same for the whole step.
        weekday_level: factor of this weekday on the step's rate, drawn towards 1; of a promotion day, its factor too.
        slice_factors: (dimension, value) → factor of a promotion on the rate of that slice beside its step.
    """

    slice_overdispersion: float
    whole_overdispersion: float
    weekday_level: float
    slice_factors: Mapping[tuple[str, str], float] = field(default_factory=dict)


@dataclass(frozen=True)
class Overdispersion:
    """`scale` multiplies every standard deviation: what calibration adds."""

    steps: dict[str, StepOverdispersion]
    scale: float


def write_slice_days(warehouse: Warehouse, from_date: date, to_date: date) -> None:
    """Replaces the range in diagnosis.slice_days."""
    with warehouse.transaction():
        warehouse.execute(
            "delete from diagnosis.slice_days where business_date between $first and $last",
            first=from_date,
            last=to_date,
        )
        for cube in CUBES:
            warehouse.execute(_write_slice_days_query(cube), first=from_date, last=to_date)


def _write_slice_days_query(cube: str) -> str:
    dimensions = get_dimensions(cube)
    steps = get_steps(cube)
    sums = ", ".join(
        f"sum({column})::BIGINT as {kind}_{number}"
        for number, step in enumerate(steps)
        for kind, column in (("entered", step.entered), ("passed", step.passed))
    )
    named = ", ".join(f"coalesce({name}::VARCHAR, 'none') as {name}" for name in dimensions)
    sets = ", ".join(["(business_date)", *(f"(business_date, {name})" for name in dimensions)])
    dimension = (
        "case " + " ".join(f"when grouping({name}) = 0 then '{name}'" for name in dimensions) + " else 'all' end"
    )
    rows = " union all ".join(
        f"select business_date, '{cube}', '{step.name}', dimension, value, entered_{number}, passed_{number} "
        f"from counted where entered_{number} > 0"
        for number, step in enumerate(steps)
    )
    return f"""
        insert into diagnosis.slice_days
        with leaves as (
            select {named}, * exclude ({", ".join(dimensions)})
            from marts.{cube} where business_date between $first and $last
        ),
        counted as (
            select business_date, {dimension} as dimension, coalesce({", ".join(dimensions)}, 'all') as value, {sums}
            from leaves group by grouping sets ({sets})
        )
        {rows}
    """


def learn_overdispersion(warehouse: Warehouse, business_date: date, days: Sequence[date]) -> Overdispersion:
    """Of every step around the mean of the days; with too few days, the smallest that is believed."""
    frame = warehouse.execute(
        "select * from diagnosis.slice_days where list_contains($days::DATE[], business_date) order by all",
        days=list(days),
    ).df()
    return _learn_from_counts(frame, business_date, _FEWEST_DAYS)


def learn_week_overdispersion(warehouse: Warehouse, weeks: Sequence[Sequence[date]]) -> Overdispersion:
    """Of every step around the mean of the weeks; of a week, that of its usual included."""
    frame = warehouse.execute(
        "select date_trunc('week', business_date)::DATE as business_date, cube, step, dimension, value, "
        "sum(entered)::BIGINT as entered, sum(passed)::BIGINT as passed from diagnosis.slice_days "
        "where list_contains($days::DATE[], business_date) group by all order by all",
        days=[day for week in weeks for day in week],
    ).df()
    learnt = _learn_from_counts(frame, None, len(weeks))
    usual = float(np.sqrt(1 + 1 / len(weeks)))
    return replace(
        learnt,
        steps={
            key: replace(step, slice_overdispersion=step.slice_overdispersion * usual)
            for key, step in learnt.steps.items()
        },
    )


def _learn_from_counts(frame: pd.DataFrame, business_date: date | None, fewest: int) -> Overdispersion:
    """Args: business_date: whose weekday is looked at; None for a week. fewest: periods that a slice must have."""
    frame["key"] = frame["cube"] + "." + frame["step"]
    moves = _measure_moves(frame, fewest)
    steps, residuals = {}, []
    for step in STEPS:
        own = moves[moves["key"] == step.key]
        is_whole = own["dimension"] == "all"
        slices, whole = own[~is_whole], own[is_whole]
        slice_overdispersion = _measure_overdispersion(slices, _SLICE_BOUNDS)
        steps[step.key] = StepOverdispersion(
            slice_overdispersion,
            _measure_overdispersion(whole, _WHOLE_BOUNDS) * _widen_for_few_days(len(whole)),
            _estimate_weekday_level(whole, business_date) if business_date else 1.0,
        )
        if len(slices):
            residuals.append(slices["move"] / np.sqrt(slices["chance"] + slice_overdispersion**2))
    sizes = np.abs(np.concatenate(residuals)) if residuals else np.zeros(0)
    scale = float(np.quantile(sizes, 0.99)) / _NORMAL_99 if len(sizes) >= 1000 else 1.0
    return Overdispersion(steps, float(np.clip(scale, *_SCALE_BOUNDS)))


def _measure_moves(rows: pd.DataFrame, fewest: int) -> pd.DataFrame:
    """Each slice's daily rate over its mean, less 1 (`move`), and the variance of that by chance alone (`chance`)."""
    slices = rows.groupby(["key", "dimension", "value"]).ngroup().to_numpy()
    sums = {name: np.bincount(slices, rows[name])[slices] for name in ("entered", "passed")}
    count = pd.Series(np.bincount(slices)[slices], rows.index)
    rate = pd.Series(sums["passed"] / sums["entered"], rows.index)
    usual = rows["entered"] * rate
    kept = (usual >= _FEWEST_PASSES) & (count >= fewest)
    left_out = (count / (count - 1)).where(count > 1, 1.0)  # a day's move against the other days
    moves = pd.DataFrame(
        {
            "key": rows["key"],
            "business_date": rows["business_date"],
            "slice": slices,
            "dimension": rows["dimension"],
            "move": (rows["passed"] / usual - 1) * left_out,
            "chance": (1 - rate) / usual * left_out,
        }
    )
    return moves[kept]


def _measure_overdispersion(moves: pd.DataFrame, bounds: tuple[float, float]) -> float:
    if not len(moves):
        return bounds[0]
    excess = (moves["move"] ** 2 - moves["chance"]).groupby(moves["slice"]).mean()
    precise = moves["chance"].groupby(moves["slice"]).mean()
    return float(np.clip(np.sqrt(max(excess[precise <= precise.median()].median(), 0)), *bounds))


def _widen_for_few_days(count: int) -> float:
    """What a standard deviation known from so many days is multiplied by to predict another: as Student's t has it."""
    return float(np.sqrt((1 + 1 / count) * (count - 1) / (count - 3))) if count > 3 else 1.0


def _estimate_weekday_level(whole: pd.DataFrame, business_date: date) -> float:
    """Mean of the step's moves on this weekday, drawn towards none by what weekdays differ beyond chance."""
    weekdays = pd.to_datetime(whole["business_date"]).dt.day_of_week
    same = whole[weekdays == business_date.weekday()]
    if len(same) < 2:
        return 1.0
    within = float(whole["move"].groupby(weekdays).var().mean())
    between = max(float(whole["move"].groupby(weekdays).mean().var()) - within / len(same), 0.0)
    return 1 + float(same["move"].mean()) * between / max(between + within / len(same), 1e-12)
