"""The figures of platforms, series by series: each day's rate against what is usual for this very series.

A series is one step of a platform's funnel of one object. It has no leaves and overlaps with others, so that each is
judged by its own days: its usual rate is that of the latest four days of the weekday,
with fewer than three of them that of all comparable days. A rate varies by the chance of its counts, by how its
platform rounds, and from day to day beyond both. That last variance is the series' own, drawn towards the median of its
kind (an empirical Bayes estimate; Smyth 2004), and its degrees of freedom (Satterthwaite 1946) give the tail of the
statistic.

On a day of a promotion nothing is as usual, but its objects still have each other: a step of a product, source, agent
or room is expected to move as that step does for the median of its siblings, give or take how far the siblings lie
apart. Wholes have no siblings, and are not judged.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.stats import binom, norm, t

from funnelscope.events.figures import FUNNELS
from funnelscope.localization.arrays import Floats
from funnelscope.warehouse.connection import Warehouse

FEWEST_DAYS = 14
"""Comparable days that a series needs: it has no leaves whose own rates must be learnt."""
MOST_DAYS = 28
SINCE_DAYS = 14
Booleans = npt.NDArray[np.bool_]
KEY = ("platform", "shop", "level", "object", "parent", "device", "passed_metric")

_FEWEST_OF_A_WEEKDAY = 3
_FEWEST_EXPECTED = 8
_TOTAL_LEVELS = ("shop", "source")
"""Where also the first figure of the funnel is judged as such: traffic that stays away."""
_PRIOR_OF_RATES, _PRIOR_OF_TOTALS = 0.03, 0.08
"""Day-to-day movement that is taken for usual where siblings cannot tell."""
_PRIOR_SERIES = 2
_PRIOR_DEGREES = 6
_SMALLEST_MOVEMENT = 0.012
_WINSOR = 4.0
_FEWEST_SIBLINGS = 8
"""Of a step, to say on a day of a promotion how that moves it."""
_SIBLING_DEGREES = 20
"""At most, of the tail of what a promotion does to one object: some lead it, and some have no part in it."""
_SINCE_Z = 2.0
"""Of a series that is nearer to its usual nobody asks since when."""
_ROUNDED_FROM = 10_000
"""Platforms write 1.2万: from here on, what all values of a series are multiples of is how they are rounded."""


@dataclass(frozen=True)
class JudgedSeries:
    """A series on the day.

    Attributes:
        key: platform, shop, level, object, parent, device and the figure reached.
        entered_metric: the figure before; empty for the first figure of a funnel, which is judged as such.
        expected: passes that the usual rate promises.
        movement: standard deviation of a day's level beyond chance, as a share of it.
        deviation: standard deviation of passed / expected, that of the usual rate included, as a share.
        z: standard deviations below the usual, as of a normal distribution.
        levels: (passed / expected, its deviation) of each of the last days; empty for a series that hardly moved.
        usual_days: the days that make up the usual rate.
    """

    key: tuple[str, ...]
    object_name: str
    entered_metric: str
    entered: float
    passed: float
    expected: float
    movement: float
    deviation: float
    z: float
    p_value: float
    levels: Mapping[date, tuple[float, float]]
    usual_days: tuple[date, ...]

    platform = property(lambda self: self.key[0])
    shop = property(lambda self: self.key[1])
    level = property(lambda self: self.key[2])
    object = property(lambda self: self.key[3])
    parent = property(lambda self: self.key[4])
    device = property(lambda self: self.key[5])
    passed_metric = property(lambda self: self.key[6])

    @property
    def is_total(self) -> bool:
        """Whether the figure is judged as such, not as a rate of another."""
        return not self.entered_metric

    @property
    def is_whole(self) -> bool:
        """Whether the series is of the whole shop on the platform, or of all objects of a level."""
        return not self.object and not self.device

    @property
    def is_pooled(self) -> bool:
        """Whether the series is of all objects of a level: its people are no number that anybody states."""
        return self.is_whole and self.level != "shop"

    @property
    def theta(self) -> float:
        """Passed over expected."""
        return self.passed / self.expected

    @property
    def lost(self) -> float:
        """Passes less than expected."""
        return self.expected - self.passed


def judge_series(
    warehouse: Warehouse, day: date, regular: Sequence[date], left_out: pd.DataFrame, among_siblings: bool = False
) -> list[JudgedSeries]:
    """Every series of the day that has enough days and counts, each against its own usual.

    Args:
        regular: the comparable days before, oldest first.
        left_out: rows of KEY, `since_date` and `last_date`: days that are no part of what is usual for the series.
        among_siblings: on a day of a promotion, against its own usual as its siblings moved from theirs.
    """
    rows = _read_series(warehouse, day, regular)
    return _Series(rows, day, regular, left_out).judge(among_siblings) if len(rows) else []


def _read_series(warehouse: Warehouse, day: date, regular: Sequence[date]) -> pd.DataFrame:
    """The steps, and the first figures, of every series of the day that is large enough, with all of its days."""
    key = ", ".join(KEY)
    places = {metric: place for funnel in FUNNELS.values() for place, metric in enumerate(funnel)}
    firsts = ", ".join(f"'{metric}'" for metric in FUNNELS["shop"])
    order = "case metric " + " ".join(f"when '{name}' then {places[name]}" for name in FUNNELS["shop"]) + " end"
    return warehouse.execute(
        f"""
        with firsts as (
            select platform, shop, level, object, parent, device, metric
            from marts.figures
            where business_date = $day and level in {_TOTAL_LEVELS} and metric in ({firsts})
            qualify row_number() over (partition by platform, shop, level, object, parent, device order by {order}) = 1
        ),
        series as (
            select {key}, business_date, object_name, entered_metric, entered::DOUBLE as entered,
                passed::DOUBLE as passed
            from marts.figure_steps
            where level != 'peers' and business_date between $first and $day
            union all
            select platform, shop, level, object, parent, device, metric, business_date, object_name, '', 1,
                figure_value::DOUBLE
            from marts.figures
            semi join firsts using (platform, shop, level, object, parent, device, metric)
            where business_date between $first and $day
        ),
        -- What the platform does not state of the whole shop: the rate over all objects of a level. Rooms may have new
        -- names every day, and all agents may answer late.
        wholes as (
            select distinct platform, shop, passed_metric
            from series
            where level = 'shop' and object = '' and device = '' and business_date = $day
        ),
        holders as (
            select distinct platform, shop, level, object as parent, device, passed_metric, business_date
            from series semi join (select distinct parent as object from series) using (object)
        ),
        pooled as (
            select platform, shop, level, '' as object, '' as parent, device, passed_metric, business_date,
                '' as object_name, entered_metric, sum(entered) as entered, sum(passed) as passed
            from series
            anti join wholes using (platform, shop, passed_metric)
            anti join holders using (platform, shop, level, parent, device, passed_metric, business_date)
            where object != '' and entered_metric != ''
            group by all
            having count(*) > 1
        ),
        every as (
            select * from series
            union all by name
            select * from pooled
        ),
        judged as (
            select {key}, arg_max(entered_metric, business_date) as entered_metric
            from every
            where list_contains($days::DATE[], business_date) or business_date = $day
            group by all
            having max(business_date) = $day and count(*) > $fewest and avg(passed) >= $expected / 2
        )
        select * from every semi join judged using ({key}, entered_metric) where entered > 0
        order by {key}, business_date
        """,
        first=min([*regular, day - timedelta(days=SINCE_DAYS)]),
        day=day,
        days=list(regular),
        fewest=FEWEST_DAYS,
        expected=_FEWEST_EXPECTED,
    ).df()


class _Series:
    """Series × days, in the order of KEY and of time; the last day is the one that is judged."""

    def __init__(self, rows: pd.DataFrame, day: date, regular: Sequence[date], left_out: pd.DataFrame) -> None:
        dates = rows["business_date"].to_numpy("datetime64[D]")
        self.days = sorted({*np.unique(dates).tolist(), day})
        series = rows.groupby(list(KEY), sort=True, dropna=False)
        self.heads = series.last().reset_index()
        place = series.ngroup().to_numpy()
        column = np.searchsorted(np.array(self.days, "datetime64[D]"), dates)
        self.entered, self.passed = (np.full((len(self.heads), len(self.days)), np.nan) for _ in range(2))
        self.entered[place, column], self.passed[place, column] = rows["entered"], rows["passed"]
        self.is_total = (self.heads["entered_metric"] == "").to_numpy()[:, None]
        self.weekdays = np.array([each.weekday() for each in self.days])
        self.usable = self._find_usable(set(regular), left_out)

    def _find_usable(self, regular: set[date], left_out: pd.DataFrame) -> Booleans:
        """The latest comparable days of each series, without those on which it had a fault."""
        usable = np.isfinite(self.entered) & np.array([each in regular for each in self.days])
        if len(left_out):
            keys = self.heads.assign(place=np.arange(len(self.heads)))
            for fault in keys.merge(left_out, on=list(KEY)).itertuples():
                usable[fault.place] &= np.array([not fault.since_date <= each <= fault.last_date for each in self.days])
        newest_first = np.cumsum(usable[:, ::-1], axis=1)[:, ::-1]
        return np.asarray(usable & (newest_first <= MOST_DAYS), bool)

    def judge(self, among_siblings: bool) -> list[JudgedSeries]:
        """The series that have enough days and counts."""
        usable = self.usable
        is_today = self.weekdays == self.weekdays[-1]
        by_weekday = (usable & is_today).sum(axis=1) >= _FEWEST_OF_A_WEEKDAY
        groups = np.where(by_weekday[:, None], self.weekdays, 0)
        rate, known = np.full_like(self.entered, np.nan), np.zeros_like(self.entered)
        spread = np.zeros_like(self.entered)
        for group in range(7):
            inside = groups == group
            entered, passed = (np.where(usable & inside, each, 0).sum(axis=1) for each in (self.entered, self.passed))
            with np.errstate(divide="ignore", invalid="ignore"):
                of_group = passed / entered
                chance = self._measure_spread(of_group[:, None]) / np.maximum(passed, 1)[:, None]
            rate = np.where(inside, of_group[:, None], rate)
            spread = np.where(inside, chance, spread)
            known = np.where(inside, (usable & inside).sum(axis=1)[:, None], known)
        with np.errstate(divide="ignore", invalid="ignore"):
            expected = self.entered * rate
            moves = self.passed / expected - 1
            chance = self._measure_spread(rate) / expected + self._measure_rounding()
        usable = usable & np.isfinite(moves) & (expected > 0)
        count = usable.sum(axis=1)
        degrees = count - np.where(by_weekday, [len(set(self.weekdays[row])) for row in usable], 1)
        kept = (count >= FEWEST_DAYS) & (expected[:, -1] >= _FEWEST_EXPECTED) & (degrees >= 5)
        movement, movement_degrees = self._estimate_movement(usable & kept[:, None], moves, chance, known, degrees)
        variance = chance + movement[:, None] ** 2
        with np.errstate(divide="ignore", invalid="ignore"):
            variance_today = variance[:, -1] + spread[:, -1] + movement**2 / known[:, -1]
            reach = movement**2 * (1 + 1 / known[:, -1])
            tail_degrees = np.clip(variance_today**2 / (reach**2 / movement_degrees), movement_degrees, 1e6)
            if among_siblings:
                common, apart, tail_degrees = self._compare_siblings(moves[:, -1] + 1, variance_today, kept)
                kept &= np.isfinite(common)
                expected, moves = expected * common[:, None], (moves + 1) / common[:, None] - 1
                variance_today = variance_today / common + apart
            scaled = -moves[:, -1] / np.sqrt(variance_today)
        p_values = t.sf(scaled, tail_degrees)
        z = np.where(scaled > 0, norm.isf(np.maximum(p_values, 1e-300)), scaled)
        z = np.minimum(
            z,
            self._measure_tail_of_failures(
                expected[:, -1] / self.entered[:, -1], expected[:, -1], chance[:, -1], variance_today
            ),
        )
        keys = self.heads[list(KEY)].to_numpy(str).tolist()
        names, metrics = (self.heads[column].fillna("").tolist() for column in ("object_name", "entered_metric"))
        return [
            JudgedSeries(
                key=tuple(keys[row]),
                object_name=names[row],
                entered_metric=metrics[row],
                entered=float(self.entered[row, -1]),
                passed=float(self.passed[row, -1]),
                expected=float(expected[row, -1]),
                movement=float(movement[row]),
                deviation=float(np.sqrt(variance_today[row])),
                z=float(z[row]),
                p_value=float(norm.sf(z[row])),
                levels=self._list_levels(moves[row] + 1, np.sqrt(variance[row])) if z[row] > _SINCE_Z else {},
                usual_days=tuple(
                    self.days[place] for place in np.flatnonzero(usable[row] & (groups[row] == groups[row, -1]))
                ),
            )
            for row in np.flatnonzero(kept)
        ]

    def _list_levels(self, levels: Floats, deviations: Floats) -> dict[date, tuple[float, float]]:
        return {
            day: (float(level), float(deviation))
            for day, level, deviation in zip(self.days, levels, deviations, strict=True)
            if (self.days[-1] - day).days <= SINCE_DAYS and np.isfinite(level)
        }

    def _measure_spread(self, rate: Floats) -> Floats:
        """Variance of passed / expected by chance, times expected: that of shares, and of counts that are none."""
        return np.where(self.is_total | (rate >= 1), 1.0, 1 - rate)

    def _measure_rounding(self) -> Floats:
        """Variance of a day's rate that comes from how its two figures are rounded."""
        total = np.zeros_like(self.entered)
        for values in (self.entered, self.passed):
            large = np.isfinite(values) & (values >= _ROUNDED_FROM)
            for unit in (100, 1000):
                is_rounded = large.any(axis=1) & ~(large & (np.where(large, values, 0) % unit != 0)).any(axis=1)
                is_larger = is_rounded[:, None] & large
                total += np.where(is_larger, (unit**2 - (unit / 10 if unit > 100 else 0) ** 2) / 12 / values**2, 0)
        return total

    def _estimate_movement(
        self, usable: Booleans, moves: Floats, chance: Floats, known: Floats, degrees: Floats
    ) -> tuple[Floats, Floats]:
        """Standard deviation of a day's level beyond chance for each series, and the degrees of freedom of that."""
        left = np.where(usable, 1 - 1 / np.maximum(known, 1), 0)
        size = np.where(usable, np.abs(moves), np.nan)
        degrees = np.maximum(degrees, 1)
        is_judged = usable.any(axis=1)
        typical = np.zeros(len(size))
        if is_judged.any():
            typical[is_judged] = 1.4826 * np.nanmedian(size[is_judged], axis=1)
        typical *= np.sqrt(usable.sum(axis=1) / degrees)
        most = np.where(typical > 0, _WINSOR * typical, np.inf)[:, None]
        squares = np.where(usable, np.minimum(np.abs(moves), most) ** 2, 0).sum(axis=1) / degrees
        by_chance = (np.where(usable, chance, 0) * left).sum(axis=1) / degrees
        excess = squares - by_chance
        kinds = self.heads.groupby(["level", "entered_metric", "passed_metric"], dropna=False).ngroup().to_numpy()
        usual = np.zeros(len(size))
        for kind in set(kinds[is_judged]):
            own = is_judged & (kinds == kind)
            precise = own & (by_chance <= np.median(by_chance[own]))
            prior = _PRIOR_OF_TOTALS if self.is_total[own][0, 0] else _PRIOR_OF_RATES
            siblings = max(float(np.median(excess[precise])), 0.0)
            usual[own] = (_PRIOR_SERIES * prior**2 + precise.sum() * siblings) / (_PRIOR_SERIES + precise.sum())
        informative = degrees * (usual / np.maximum(usual + by_chance, 1e-12)) ** 2
        drawn = (_PRIOR_DEGREES * usual + informative * np.maximum(excess, 0)) / (_PRIOR_DEGREES + informative)
        return np.sqrt(np.maximum(drawn, _SMALLEST_MOVEMENT**2)), _PRIOR_DEGREES + informative

    def _compare_siblings(self, levels: Floats, variance: Floats, kept: Booleans) -> tuple[Floats, Floats, Floats]:
        """Level that the siblings of each series have in common, variance of theirs around it, its degrees of freedom.

        The level is NaN where there are too few. The siblings' variance is read from the half whose levels are best
        known, by the median of the distances, so that a fault of some does not widen it.
        """
        common, apart = np.full(len(levels), np.nan), np.zeros(len(levels))
        degrees = np.ones(len(levels))
        is_part = kept & ((self.heads["object"] != "") | (self.heads["device"] != "")).to_numpy() & ~self.is_total[:, 0]
        kind = ["platform", "shop", "level", "entered_metric", "passed_metric"]
        kinds = self.heads.groupby(kind, dropna=False).ngroup().to_numpy()
        for each in set(kinds[is_part]):
            own = np.flatnonzero(is_part & (kinds == each))
            if len(own) < _FEWEST_SIBLINGS:
                continue
            level = _find_weighted_median(levels[own], 1 / (variance[own] + _PRIOR_OF_RATES**2))
            beside = levels[own] / level - 1
            by_chance = variance[own] / level
            precise = by_chance <= np.median(by_chance)
            seen = 1.4826**2 * np.median(beside[precise] ** 2) - np.median(by_chance[precise])
            common[own], apart[own] = level, max(seen, _PRIOR_OF_RATES**2)
            degrees[own] = min(len(own) - 1, _SIBLING_DEGREES)
        return common, apart, degrees

    def _measure_tail_of_failures(self, rate: Floats, expected: Floats, chance: Floats, variance: Floats) -> Floats:
        """z by the tail of those who fail, where most pass: their rare counts are not normal. Else no limit."""
        entered, passed = np.round(self.entered[:, -1]), np.round(self.passed[:, -1])
        with np.errstate(invalid="ignore"):
            tail = binom.cdf(np.minimum(passed, entered), entered, np.clip(rate, 0, 0.999))
            z = -norm.ppf(np.maximum(tail, 1e-300)) * np.sqrt(np.minimum(chance / variance, 1.0))
        return np.where((rate > 0.5) & (rate < 1) & ~self.is_total[:, 0], z, np.inf)


def _find_weighted_median(values: Floats, weights: Floats) -> float:
    order = np.argsort(values)
    reached = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(reached, reached[-1] / 2)])
