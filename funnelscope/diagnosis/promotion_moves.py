"""What a promotion does to the rates of a step and of its slices, learnt from the shop's earlier promotion days.

Each of them is compared with the regular days before it, so that a year of change in the shop drops out. What days of
the same phase of the same promotion show is expected again: the move of the whole step, and that of each slice beside
it, drawn towards none by how little is known. Without such days nothing is expected, and the other promotions say how
far a step and its slices may move: a whole step is then judged only as far as its rate holds through promotions.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date

import numpy as np
import pandas as pd

from funnelscope.diagnosis.comparable_days import ComparableDays, PastPromotionDay
from funnelscope.diagnosis.overdispersion import Overdispersion, StepOverdispersion, write_slice_days
from funnelscope.diagnosis.steps import STEPS
from funnelscope.localization.arrays import Floats
from funnelscope.warehouse.connection import Warehouse

HOLDING_STEPS = (
    "arrival_cube.arrival",
    "landing_cube.qualified_product_view",
    "decision_cube.checkout",
    "decision_cube.paid",
    "payment_cube.paid",
)
"""Their whole rates held through the phases of a simulated sale, to 4 % and less; carts, orders, paid inquiries and
repurchases are what a promotion moves, by 5 % to 700 %."""
_UNPAID_PHASE = "deposit"
"""Whoever leaves a deposit pays later: payments do not hold."""
_HOLDING_MOVEMENT = 0.05
_MOVING_MOVEMENT = 0.35
_PRIOR_OCCASIONS = 3
_TWIN_MOVEMENT = 0.08
"""How far the level of a step on a day of a phase differs from that on the same day the last time."""
_SLICE_MOVEMENT = 0.03
"""How far slices move apart in a promotion, as long as the shop has shown none."""
_PRIOR_SLICES = 15
_SMALLEST_SPREAD = 0.005
_FAR, _MEAN_SQUARE = 2.5, 0.93
"""Standard deviations that a slice counts with at most, and the mean square of a normal that is cut there."""
_SLICES_OF_SLICES = 1.4
"""A slice of two dimensions moves by both."""
_LARGEST_SHARE = 0.9
_LONGEST_PHASE = 31
"""Days of the same phase that are so near are of this time."""
_FEWEST_PASSES = 20
_POOLED = {"passed": "sum", "expected": "sum", "variance": "sum", "share": "mean"}


def adjust_to_promotion(
    warehouse: Warehouse, business_date: date, compared: ComparableDays, overdispersion: Overdispersion
) -> Overdispersion:
    """What is usual for each step on this day of a promotion, from what is usual on regular days."""
    moves = _measure_moves(warehouse, business_date, compared)
    twins, spread_of_day = set(compared.twins), _measure_spread_of_day(moves)
    holding = [key for key in HOLDING_STEPS if get_phase(compared) != _UNPAID_PHASE or not key.endswith(".paid")]
    return replace(
        overdispersion,
        steps={
            step.key: _adjust_step(
                moves[moves["key"] == step.key],
                overdispersion.steps[step.key],
                step.key in holding,
                twins,
                spread_of_day,
            )
            for step in STEPS
        },
    )


def get_phase(compared: ComparableDays) -> str:
    """The phase of the promotion that the day is in."""
    return str(compared.compared_with.values["phase"]) if compared.compared_with else ""


def _measure_spread_of_day(moves: pd.DataFrame) -> float:
    """How far slices move apart on the day itself, in the median of its steps: a fault is in few of them.

    The first day of a shop's first promotion has nothing else to learn from.
    """
    today = moves[(moves["occasion"] == "") & (moves["dimension"] != "all")]
    spreads = [_measure_spread(own) for _, own in today.groupby("key")]
    return float(np.median(spreads)) if spreads else _SLICE_MOVEMENT


def _adjust_step(
    moves: pd.DataFrame, regular: StepOverdispersion, is_holding: bool, twins: set[date], spread_of_day: float
) -> StepOverdispersion:
    slices = moves[moves["dimension"] != "all"]
    past = slices[slices["occasion"] != ""]
    pooled = past.groupby(["occasion", "is_like", "is_now", "dimension", "value"], as_index=False).agg(_POOLED)
    apart = _measure_spread(pooled) if len(pooled) else spread_of_day
    factors, movement = _learn_slices(pooled[pooled["is_like"].astype(bool)], apart)
    levels = past.drop_duplicates("business_date").set_index("business_date")
    like = levels[levels["is_like"]]
    same = like[like.index.isin(twins)]
    like = same if len(same) else like
    if len(like):
        level = float(like["level"].mean())
        spread = _draw_spread(like["level"].to_numpy(float) - level, _TWIN_MOVEMENT) * np.sqrt(1 + 1 / len(like))
    else:
        level = 0.0
        prior = _HOLDING_MOVEMENT if is_holding else _MOVING_MOVEMENT
        # A whole holds no better than its slices do.
        of_occasions = levels.groupby("occasion")["level"].mean().to_numpy(float)
        spread = np.hypot(_draw_spread(of_occasions, prior), apart)
    return StepOverdispersion(
        float(np.hypot(regular.slice_overdispersion, movement)),
        float(np.hypot(regular.whole_overdispersion, spread)),
        regular.weekday_level * float(np.exp(level)),
        factors,
    )


def _draw_spread(moves: Floats, prior: float) -> float:
    """Root mean square, drawn towards what is known beforehand as if by three of them."""
    return float(np.sqrt(((moves**2).sum() + _PRIOR_OCCASIONS * prior**2) / (len(moves) + _PRIOR_OCCASIONS)))


def _learn_slices(like: pd.DataFrame, spread: float) -> tuple[dict[tuple[str, str], float], float]:
    """The factor of each slice that days like this one have shown, and how far slices move beside that.

    Half of the variance of slices is taken to be that of the phase, the same each time, half that of this one time.

    Args:
        like: slices by occasion.
        spread: how far slices move apart.
    """
    half = spread**2 / 2
    like = like[like["expected"] >= _FEWEST_PASSES].copy()
    if not len(like):
        return {}, _SLICES_OF_SLICES * spread
    like["move"] = np.log(np.maximum(like["passed"], 1) / like["expected"])
    like["chance"] = like["variance"] / like["expected"] ** 2
    like["weight"] = 1 / (half + like["chance"])
    is_now = like["is_now"].astype(bool)
    of_phase = like[~is_now].assign(weighted=like["weight"] * like["move"]).groupby(["dimension", "value"])
    now = like[is_now].set_index(["dimension", "value"])
    sums = of_phase[["weight", "weighted", "expected"]].sum()
    index = sums.index.union(now.index)
    sums = sums.reindex(index, fill_value=0.0)
    precision = sums["weight"] + 1 / half
    mean, variance = sums["weighted"] / precision, 1 / precision + half
    move, chance = now["move"].reindex(index), now["chance"].reindex(index)
    kept = (variance / (variance + chance)).fillna(0.0)
    mean, variance = mean + kept * (move.fillna(0.0) - mean), variance * (1 - kept)
    size = sums["expected"] + now["expected"].reindex(index, fill_value=0.0)
    left = float(np.sqrt(np.average(variance, weights=size)))
    return dict(zip(index, np.exp(mean), strict=True)), _SLICES_OF_SLICES * left


def _measure_spread(moves: pd.DataFrame) -> float:
    """How far slices move apart beyond chance in a phase of a promotion: few that moved far count as no more than far.

    The spread at which the moves look like those of a normal, drawn towards what is usual in shops.
    """
    large = moves[(moves["expected"] >= _FEWEST_PASSES) & (moves["share"] <= _LARGEST_SHARE)]
    rest = 1 - large["share"]
    move = (large["passed"] / large["expected"] - 1) / rest
    chance = large["variance"] / large["expected"] ** 2 / rest
    for spread in np.geomspace(_SMALLEST_SPREAD, 0.5, 60):
        sizes = np.minimum(move**2 / (chance + spread**2), _FAR**2)
        prior = _PRIOR_SLICES * _SLICE_MOVEMENT**2 / spread**2
        if sizes.sum() + prior <= _MEAN_SQUARE * (len(sizes) + _PRIOR_SLICES):
            return float(spread)
    return 0.5


def _measure_moves(warehouse: Warehouse, business_date: date, compared: ComparableDays) -> pd.DataFrame:
    """Each slice of each past promotion day: passes, and those expected of it at the level of its step that day.

    `level` is the log of that level over the regular days before, at the mix of the promotion day. Days on which a
    step had a finding teach nothing of it.
    """
    past = compared.past_promotions
    _fill_slice_days(warehouse, {each for one in past for each in (one.day, *one.regular_days)})
    groups: dict[tuple[date, ...], list[PastPromotionDay]] = {compared.regular_days: []}
    for each in past:
        groups.setdefault(each.regular_days, []).append(each)
    return pd.concat(
        [
            _compare_group(warehouse, regular, days, business_date, regular == compared.regular_days)
            for regular, days in groups.items()
        ]
    )


def _compare_group(
    warehouse: Warehouse,
    regular: Sequence[date],
    past: Sequence[PastPromotionDay],
    business_date: date,
    with_day: bool,
) -> pd.DataFrame:
    """Past days that share their regular days; with the day itself, without an occasion, where these are its own."""
    known: Mapping[date, PastPromotionDay] = {each.day: each for each in past}
    frame = warehouse.execute(
        """
        with usual as (
            select cube, step, dimension, value, sum(entered)::DOUBLE as entered_usual,
                sum(passed)::DOUBLE as passed_usual
            from diagnosis.slice_days where list_contains($regular::DATE[], business_date) group by all
        ),
        promoted as (
            select * from diagnosis.slice_days where list_contains($days::DATE[], business_date)
        ),
        faults as (
            select distinct business_date, cube, step from diagnosis.findings where status != 'recovered'
            and business_date < $business_date
        )
        select cube || '.' || step as key, business_date, dimension, value, entered, passed, passed_usual,
            passed_usual / entered_usual as rate
        from promoted
        anti join faults using (business_date, cube, step)
        inner join usual using (cube, step, dimension, value)
        where passed_usual > 0
        order by all
        """,
        regular=list(regular),
        days=[*known, *([business_date] if with_day else [])],
        business_date=business_date,
    ).df()
    frame["business_date"] = pd.to_datetime(frame["business_date"]).dt.date
    frame["expected"] = frame["entered"] * frame["rate"]
    by_dimension = frame.groupby(["key", "business_date", "dimension"])[["passed", "expected"]].transform("sum")
    own = np.log(np.maximum(by_dimension["passed"], 0.5) / by_dimension["expected"])
    frame["level"] = own.groupby([frame["key"], frame["business_date"]]).transform("median")
    frame["share"] = frame["expected"] / by_dimension["expected"]
    frame["expected"] *= np.exp(own)
    chance = 1 - np.minimum(frame["rate"] * np.exp(own), 1)
    usual_chance = (1 - frame["rate"]) / frame["passed_usual"]
    frame["variance"] = frame["expected"] * chance + frame["expected"] ** 2 * usual_chance
    days = [known.get(day) for day in frame["business_date"]]
    frame["is_like"] = [each is not None and each.is_like for each in days]
    frame["is_now"] = [(business_date - day).days <= _LONGEST_PHASE for day in frame["business_date"]]
    frame["occasion"] = [
        f"{each.promotion.name} {each.promotion.phase} {each.day.year}" if each else "" for each in days
    ]
    return frame


def _fill_slice_days(warehouse: Warehouse, days: set[date]) -> None:
    """Writes those of the days that diagnosis.slice_days lacks: they are older than the first diagnosis."""
    known = {
        day
        for (day,) in warehouse.rows(
            "select distinct business_date from diagnosis.slice_days where list_contains($days::DATE[], business_date)",
            days=sorted(days),
        )
    }
    for day in sorted(days - known):
        write_slice_days(warehouse, day, day)
