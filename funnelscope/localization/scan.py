"""The scan: which slices of a cube explain that what was observed is not what was expected.

Leaves carry observed O, expected E and variance V. Weighted by E/V they are comparable counts: a slice has a = Σ OE/V,
b = Σ E²/V, and if its level is θ then a is about θb with variance θb. All that the search asks of a slice is these two
sums, so one pass over the leaves scores every slice.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
from scipy.optimize import brentq
from scipy.special import betainc, gammainc, gammaincc, xlogy
from scipy.stats import norm

from funnelscope.localization.arrays import Booleans, Floats, Integers
from funnelscope.localization.level import measure_support
from funnelscope.localization.slices import Hierarchy, Slices

_SLICE_OVERDISPERSION_BOUNDS: Final = (0.016, 0.03)  # day-to-day movement of a healthy slice, as a share of its level
_MOST_LEAF_OVERDISPERSION: Final = 0.5  # as a share of the level; beyond it the median leaf is no longer healthy
_MEDIAN_CHI_SQUARE: Final = 0.4549  # of one degree of freedom
_FEW_FAIL: Final = 5.0  # where less than one in so many fails, levels move less: as odds do, by the share that fails
_LEAST_ROOM: Final = 0.05  # of it, for those where hardly any fail
_PRIOR_LEVEL: Final = 0.15  # scale of the log level that a whole population may move by in a day
_BANDWIDTH: Final = 0.04  # of the density of log levels
_BINS_PER_BANDWIDTH: Final = 16
_LEVEL_BOUNDS: Final = (0.1, 10.0)
_MODE_STEPS: Final = 5
_LEAST_EFFECT: Final = 0.01  # where few fail
_TINY: Final = 1e-9
_LEAST_TAIL: Final = 1e-300
_LEAST_RATED_Z: Final = 0.5
_LEAST_LEVEL: Final = 1e-3  # where nothing passes any more
_WHOLE_MOVED: Final = 3.0  # standard deviations from which on the whole has moved, so that its history says nothing
_KNOWN_LEVEL: Final = 30**-0.5  # standard deviation by chance of a level that is known well enough: of thirty passes
_LEAST_OUTSIDE: Final = 0.3  # of what is expected: less says nothing of the whole
_LEAF_UNKNOWN: Final = 0.02  # what a leaf may wander beyond that, of which the cube knows one day only
_CONTRADICTION: Final = float(np.log(2))  # nats against a parent that name it all the same, as its name is shorter
_MOST_OF_PARENT: Final = 0.9
_ENTRIES_PER_PASS: Final = 1e6  # where entries are not told: passes are then as good as Poisson
_RIVALS: Final = 24
_RESAMPLES: Final = 200  # Poisson days that `stability` is counted over
_HIGHEST_RATE: Final = 0.999
_NINETY_PERCENT: Final = 1.645
_SEED: Final = 618
_PART_ERROR: Final = 0.01  # chance that a part is told of a slice that moved alike
_ROUNDS: Final = 12
_FIT_ROUNDS: Final = 3


@dataclass(frozen=True)
class ScanOptions:
    """What counts as a finding.

    `family_wise_error`: chance that a cube without a fault yields a finding, split evenly over one-, two- and
    three-dimensional slices. `min_effect`: smallest |θ − 1|. `min_loss_share`, `min_whole_share`: smallest loss, as a
    share of the largest one and of all that is expected. `min_expected`: a slice below it is not looked at.
    `min_failure_effect`: smallest change of those who fail that is enough too where few do, if the level moves by 1 %.
    `slice_overdispersion`, `leaf_overdispersion`: standard deviations of the daily level of a healthy slice and leaf,
    as a share of it, beyond the variance given; None estimates them from the cube.
    `level_overdispersion`: the same of the whole cube, whose usual level is 1; None where nothing is known of it.
    `contradiction_of_most`: nats by which its siblings must speak for a slice that holds nine tenths of its parent, or
    the parent is named; None for as much as for others.
    `scale`: what calibration has multiplied every standard deviation by chance with, in the variances given.
    """

    max_dimensions: int = 3
    max_findings: int = 6
    family_wise_error: float = 0.01
    min_effect: float = 0.05
    min_failure_effect: float | None = None
    min_loss_share: float = 0.05
    min_whole_share: float = 1e-4
    min_expected: float = 8.0
    slice_overdispersion: float | None = None
    leaf_overdispersion: float | None = None
    level_overdispersion: float | None = None
    contradiction_of_most: float | None = None
    scale: float = 1.0


@dataclass(frozen=True)
class LocalizedSlice:
    """A slice whose level is not the reference level.

    `theta` is observed over expected, with its 90 % interval; `effect` is theta − 1. `lost` is expected minus observed,
    negative for a gain. `deviance` is what the slice explains, in log-likelihood. `z` and the family-wise `p_value` are
    those of the slice, or of the part of it that was noticed first.
    `strongest_part` is the value of one more dimension that moved clearly more than the rest of the slice, and
    `strongest_theta` its observed over expected; None where all moved alike as far as one can tell.
    `stability` is the share of resampled days that name the same slice; `runner_up` the next best explanation in its
    place and `runner_up_gap` by how much deviance it falls short.
    """

    slice: dict[str, str]
    theta: float
    theta_low: float
    theta_high: float
    z: float
    p_value: float
    deviance: float
    observed: float
    expected: float
    stability: float
    runner_up: dict[str, str] | None
    runner_up_gap: float
    strongest_part: dict[str, str] | None = None
    strongest_theta: float | None = None

    @property
    def effect(self) -> float:
        """Observed over expected, less 1."""
        return self.theta - 1

    @property
    def lost(self) -> float:
        """Expected less observed."""
        return self.expected - self.observed


@dataclass(frozen=True)
class Scan:
    """Findings, the largest explained deviance first, and what they were measured against.

    `reference_level` is observed over expected of the unaffected population; findings are relative to it.
    `reference_error` is its standard deviation, as a share of it.
    """

    findings: tuple[LocalizedSlice, ...]
    reference_level: float
    reference_error: float
    leaf_overdispersion: float
    slice_overdispersion: float
    slices_looked_at: int


@dataclass(eq=False)
class _RatioRoot:
    """A slice under suspicion."""

    number: int
    leaves: Integers
    noticed: int  # the slice that was found; the root may be a parent of it
    theta: float
    deviance: float


@dataclass(frozen=True)
class _RatioScores:
    """For every slice: a and b, and what it explains; `gain` is −∞ where it is no finding."""

    seen: Floats
    passes: Floats
    total_seen: float
    total_passes: float
    z: Floats  # of those who pass
    deviance: Floats
    gain: Floats


def scan(
    leaves: pd.DataFrame,
    dimensions: Sequence[str],
    hierarchy: Hierarchy | None = None,
    options: ScanOptions | None = None,
) -> Scan:
    """Names the slices of up to `max_dimensions` dimensions that explain the deviation of a cube, best first.

    `leaves` has one row for each combination of dimension values, with columns `dimensions`, `observed`, `expected` and
    `variance` (of observed around expected, chance alone); expected and variance are above 0. With a column `entered`
    observed are counts out of so many; without it, of very many. `hierarchy` maps a
    dimension to those it determines, nearest first. Kulldorff's scan statistic, greedy over several causes.
    """
    options = options or ScanOptions()
    search = _RatioSearch(leaves, dimensions, hierarchy or {}, options)
    roots = search.search()
    if select_material := search.select_material(roots):
        search.set_reference(search.estimate_level_outside(select_material))
        again = search.search()
        roots = again if search.select_material(again) else roots
    return search.report(roots)


class _RatioSearch:
    def __init__(
        self, leaves: pd.DataFrame, dimensions: Sequence[str], hierarchy: Hierarchy, options: ScanOptions
    ) -> None:
        self.options = options
        self.slices = Slices(leaves, dimensions, hierarchy, options.max_dimensions)
        self.observed = leaves["observed"].to_numpy(float)
        self.given_expected = leaves["expected"].to_numpy(float)
        self.given_variance = leaves["variance"].to_numpy(float)
        self.entered = self._read_entries(leaves)
        self.observed_of = self.slices.sum_over(self.observed)
        self.expected_of = self.slices.sum_over(self.given_expected)
        self.entered_of = self.slices.sum_over(self.entered)
        self.history = 0.0
        self.set_reference(self._estimate_baseline_level())
        enough = self.expected_of >= options.min_expected
        self.least_effect_of = self._choose_least_effects()
        self.considered = enough & (self.passes_of < 0.98 * self.total_expected)
        if options.level_overdispersion:
            self._add_history(options.level_overdispersion)
        layers = np.bincount(self.slices.size_of[self.considered], minlength=options.max_dimensions + 1)
        self.trials = np.maximum(np.count_nonzero(layers) * layers, 1)
        self.least_z_of = norm.isf(options.family_wise_error / 2 / self.trials)[self.slices.size_of]
        self.room_of = self._measure_room() if options.slice_overdispersion is None else np.ones(self.slices.count)
        self.slice_overdispersion = options.slice_overdispersion or self._measure_slice_overdispersion()
        self.dimension_cost = np.log(len(dimensions))  # nats, of a dimension in the name
        self.complexity = self.slices.size_of * self.dimension_cost

    def _read_entries(self, leaves: pd.DataFrame) -> Floats:
        """Entries of every leaf, more than pass or should."""
        least = np.maximum(self.observed, self.given_expected / _HIGHEST_RATE)
        entered = leaves["entered"].to_numpy(float) if "entered" in leaves else _ENTRIES_PER_PASS * least
        return np.asarray(np.maximum(entered, least), np.float64)

    def _choose_least_effects(self) -> Floats:
        """The smallest effect that counts, of every slice."""
        least, failure_effect = self.options.min_effect, self.options.min_failure_effect
        if failure_effect is None:
            return np.full(self.slices.count, least)
        failing = 1 - self.expected_of * self.reference / np.maximum(self.entered_of, _TINY)
        return np.clip(failure_effect * failing, min(_LEAST_EFFECT, least), least)

    # --- Levels ------------------------------------------------------------------------------

    def _measure_room(self) -> Floats:
        """How far every slice can move, as a share of what slices of low rates do: odds move, and few may fail."""
        failing = 1 - self.expected_of / np.maximum(self.entered_of, _TINY)
        return np.clip(_FEW_FAIL * failing, _LEAST_ROOM, 1)

    def set_reference(self, level: float) -> None:
        """Measures everything against this level of the whole population."""
        self.reference = level
        self.expected = self.given_expected * level
        variance = self.given_variance * level
        noise = self.options.leaf_overdispersion
        self.leaf_overdispersion = (
            float(np.hypot(self._measure_leaf_overdispersion(variance), _LEAF_UNKNOWN)) if noise is None else noise
        )
        self.weight = self.expected / (variance + (self.leaf_overdispersion * self.expected) ** 2)
        self.seen_of = self.slices.sum_over(self.observed * self.weight)
        self.passes_of = self.slices.sum_over(self.expected * self.weight)
        self.total_seen = float(self.observed @ self.weight) + self.history
        self._count_rarer_outcome(variance)
        self.total_expected = float(self.expected @ self.weight) + self.history * level

    def _count_rarer_outcome(self, variance: Floats) -> None:
        """Of every slice those who fail where most pass, else those who pass; how many should, and how surely."""
        self.binomial_expected = np.minimum(self.expected, _HIGHEST_RATE * self.entered)
        passes = self.slices.sum_over(self.binomial_expected)
        chance = self.binomial_expected * (1 - self.binomial_expected / self.entered)
        unsure = np.maximum(variance / self.options.scale**2 - chance, 0)
        self.fails = passes > 0.5 * self.entered_of
        self.rarer_of = np.where(self.fails, self.entered_of - self.observed_of, self.observed_of)
        self.expected_rarer_of = np.where(self.fails, self.entered_of - passes, passes)
        self.unsure_of = self.slices.sum_over(unsure)

    def _score_counts(self, numbers: Integers, roots: list[_RatioRoot], rest: Floats) -> Floats:
        """z of slices by the exact tail of the rarer outcome as it is counted.

        How many were to be expected is itself known from a few, as a gamma variate: a number without a limit would be
        negative binomial. By as much as its z is less than that of Poisson's tail, the binomial one is less. Weighted
        passes may rest on a leaf that hardly varied before.

        Args:
            rest: level of all that is beside each slice.
        """
        entered, counted, expected, unsure = (
            each[numbers] for each in (self.entered_of, self.rarer_of, self.expected_rarer_of, self.unsure_of)
        )
        if roots:
            touched = np.unique(np.concatenate([root.leaves for root in roots]))
            change = (self._combine_levels(roots)[touched] - 1) * self.binomial_expected[touched]
            passes = self.slices.sum_over(change, touched)[numbers]
            expected = expected + np.where(self.fails[numbers], -passes, passes)
        expected = np.where(self.fails[numbers], entered - (entered - expected) * rest, expected * rest)
        expected = np.clip(expected, (1 - _HIGHEST_RATE) * entered, entered)
        ratio = np.maximum(unsure / expected, _TINY)
        size, rate, is_more = expected / ratio, expected / entered, counted > expected
        some, others = np.maximum(counted, _TINY), np.maximum(entered - counted, _TINY)
        binomial, poisson, negative = (
            norm.isf(np.maximum(np.where(is_more, above, below), _LEAST_TAIL))
            for above, below in (
                (betainc(some, others + 1, rate), betainc(others, counted + 1, 1 - rate)),
                (gammainc(some, expected), gammaincc(counted + 1, expected)),
                (betainc(some, size, ratio / (1 + ratio)), betainc(size, counted + 1, 1 / (1 + ratio))),
            )
        )
        known = np.divide(negative, poisson, out=np.ones_like(poisson), where=poisson > _LEAST_RATED_Z)
        return np.asarray(binomial * np.minimum(known, 1) / self.options.scale)

    def _add_history(self, level_overdispersion: float) -> None:
        """Takes the usual level as so many passes more, outside every slice, unless the whole has clearly moved.

        Where a few slices are all there is, and one holds most, only history tells which of them moved.
        """
        passes = self.total_expected
        if np.log(self.reference) ** 2 <= _WHOLE_MOVED**2 * (level_overdispersion**2 + 1 / passes):
            self.history = level_overdispersion**-2
            self.set_reference(self._draw_towards_history(self.reference, passes))

    def _draw_towards_history(self, level: float, passes: float) -> float:
        """A level that so many passes showed today, drawn towards the usual one."""
        return float(np.exp(np.log(level) * passes / (passes + self.history)))

    def _measure_leaf_overdispersion(self, variance: Floats) -> float:
        """How far leaves wander beyond chance, as a share of their level: makes the median leaf look typical."""
        large = self.expected >= 5
        if large.sum() <= 30:
            return 0.0
        squares, variance = (self.observed - self.expected)[large] ** 2, variance[large]
        wandering = self.expected[large] ** 2

        def excess(noise: float) -> float:
            return float(np.median(squares / (variance + noise**2 * wandering))) - _MEDIAN_CHI_SQUARE

        if excess(0.0) <= 0:
            return 0.0
        return (
            float(brentq(excess, 0.0, _MOST_LEAF_OVERDISPERSION))
            if excess(_MOST_LEAF_OVERDISPERSION) < 0
            else _MOST_LEAF_OVERDISPERSION
        )

    def _estimate_baseline_level(self) -> float:
        """The level that most of the population shares: the mode over the finest cuboid that is well filled."""
        errors = np.sqrt(self.slices.sum_over(self.given_variance)) / np.maximum(self.expected_of, 1e-9)
        known = (errors <= _KNOWN_LEVEL) & (self.expected_of >= self.options.min_expected)
        best: Booleans | None = None
        for which in range(len(self.slices.cuboids)):
            filled = (self.slices.cuboid_of == which) & known
            is_enough = self.expected_of[filled].sum() >= 0.7 * self.given_expected.sum() and filled.sum() >= 8
            if is_enough and (best is None or filled.sum() > best.sum()):
                best = filled
        if best is None:
            return max(float(self.observed.sum() / self.given_expected.sum()), _LEAST_LEVEL)
        room = float(np.median(self._measure_room()[best]))
        return _find_mode(self.observed_of[best] / self.expected_of[best], errors[best], room)

    def estimate_level_outside(self, roots: list[_RatioRoot]) -> float:
        """The level of everything that no root covers.

        Where that is too little: of the present level and those outside the strongest roots, the most usual one.
        """
        outside = [self._estimate_level_without(roots[:count]) for count in range(len(roots), 0, -1)]
        known = [level for level in outside if level is not None]
        return outside[0] or min([self.reference, *known], key=lambda level: abs(np.log(level)))

    def _estimate_level_without(self, roots: list[_RatioRoot]) -> float | None:
        """The level of what these roots leave; None where that is too little."""
        outside = np.ones(len(self.observed), bool)
        for root in roots:
            outside[root.leaves] = False
        expected = self.given_expected[outside].sum()
        if expected < _LEAST_OUTSIDE * self.given_expected.sum():
            return None
        level = max(float(self.observed[outside].sum() / expected), _LEAST_LEVEL)
        return self._draw_towards_history(level, float(self.expected[outside] @ self.weight[outside]))

    def _measure_slice_overdispersion(self) -> float:
        """How far healthy slices with room move beyond chance: makes the median of the better filled look typical."""
        broad = self.considered & (self.slices.size_of <= 2)
        if broad.sum() <= 6:
            return _SLICE_OVERDISPERSION_BOUNDS[0]
        seen, passes = self.seen_of[broad], self.passes_of[broad]
        rest = self.total_expected - passes
        squares = (seen / passes - (self.total_seen - seen) / rest) ** 2 / _MEDIAN_CHI_SQUARE
        excess = (squares - 1 / passes - 1 / rest) / self.room_of[broad] ** 2
        typical = float(np.median(excess[passes > np.median(passes)]))
        return float(np.clip(np.sqrt(max(typical, 0)), *_SLICE_OVERDISPERSION_BOUNDS))

    # --- Search ------------------------------------------------------------------------------

    def search(self) -> list[_RatioRoot]:
        """The roots that explain the cube, the most deviance first."""
        roots: list[_RatioRoot] = []
        for _ in range(_ROUNDS):
            found = self._find_best(roots)
            if found is None or any(found.number == root.number for root in roots):
                break
            roots = self._settle([*roots, found])
            if len(roots) == self.options.max_findings:
                break
        return sorted(self._select_outermost(roots), key=lambda root: -root.deviance)

    def _settle(self, roots: list[_RatioRoot]) -> list[_RatioRoot]:
        """Takes each root out in turn and asks again what belongs in its place, if anything still does."""
        roots = self._fit(roots)
        if len(roots) > 1:
            for root in list(roots):
                if root not in roots:
                    continue
                others = [other for other in roots if other is not root]
                found = self._find_best(others)
                if found is None or any(found.number == other.number for other in others):
                    roots = others
                else:
                    roots = [found if other is root else other for other in roots]
                roots = self._fit(roots)
        return roots

    def _select_outermost(self, roots: list[_RatioRoot]) -> list[_RatioRoot]:
        """A hot spot inside a finding says nothing new."""
        return [root for root in roots if not any(other is not root and _covers(other, root) for other in roots)]

    def _sum_slices(self, roots: list[_RatioRoot]) -> tuple[Floats, Floats, float, float]:
        """a and b of every slice, and of the whole, after the roots have explained their share."""
        if not roots:
            return self.seen_of, self.passes_of, self.total_seen, self.total_expected
        touched = np.unique(np.concatenate([root.leaves for root in roots]))
        level = self._combine_levels(roots)[touched]
        seen = self.observed[touched] * self.weight[touched] * (level - 1)
        passes = self.expected[touched] * self.weight[touched] * (level**2 - 1)
        return (
            self.seen_of + self.slices.sum_over(seen, touched),
            self.passes_of + self.slices.sum_over(passes, touched),
            self.total_seen + float(seen.sum()),
            self.total_expected + float(passes.sum()),
        )

    def _combine_levels(self, roots: list[_RatioRoot]) -> Floats:
        levels = np.ones(len(self.observed))
        for root in roots:
            levels[root.leaves] *= max(root.theta, _LEAST_LEVEL)
        return levels

    def _score_slices(self, roots: list[_RatioRoot]) -> _RatioScores:
        """What every slice would explain of what the roots leave open, against the rest of the cube."""
        seen, passes, total_seen, total_passes = self._sum_slices(roots)
        usable = self.considered & (passes > 1e-9)
        seen, passes = np.where(usable, seen, 1.0), np.where(usable, passes, 1.0)
        rest_seen, rest_passes = np.maximum(total_seen - seen, 0), total_passes - passes
        deviance, gain = self._measure_gains(seen, passes, total_seen, total_passes, self.complexity)
        precision = passes * rest_passes / (passes + rest_passes)
        movement = self.slice_overdispersion * self.room_of
        z = np.sqrt(2 * np.maximum(deviance, 0) / (1 + movement**2 * precision))
        effect = np.abs(seen / passes - rest_seen / rest_passes)
        accepted = np.flatnonzero(usable & (z >= self.least_z_of) & (effect >= self.least_effect_of))
        z[accepted] = np.minimum(z[accepted], self._score_counts(accepted, roots, (rest_seen / rest_passes)[accepted]))
        z[accepted] = np.minimum(
            z[accepted], self._score_tails(accepted, seen, passes, rest_seen / rest_passes, movement)
        )
        accepted = accepted[z[accepted] >= self.least_z_of[accepted]]
        kept = np.full(len(gain), -np.inf)
        kept[accepted] = gain[accepted]
        return _RatioScores(seen, passes, total_seen, total_passes, z, deviance, kept)

    def _score_tails(self, numbers: Integers, seen: Floats, passes: Floats, rest: Floats, movement: Floats) -> Floats:
        """z of slices by the Poisson tail of what they show: of few passes, deviance thinks too much."""
        a, expected, spread = seen[numbers], (passes * rest)[numbers], movement[numbers]
        tail = np.where(a < expected, gammaincc(a + 1, expected), gammainc(np.maximum(a, _TINY), expected))
        return np.asarray(norm.isf(tail) / np.sqrt(1 + spread**2 * expected))

    def _measure_gains(
        self,
        seen: Floats,
        passes: Floats,
        total_seen: Floats | float,
        total_passes: Floats | float,
        cost: Floats | float,
    ) -> tuple[Floats, Floats]:
        """Deviance explained by a level of its own; and what counts of it: the rest normal, the name simple."""
        rest_seen, rest_passes = np.maximum(total_seen - seen, 0), total_passes - passes
        rest = rest_seen / rest_passes
        whole = xlogy(total_seen, total_seen / total_passes)
        deviance = xlogy(seen, seen / passes) + xlogy(rest_seen, rest) - whole
        return deviance, deviance * (1 - np.minimum(0.5, 2 * np.abs(rest - 1))) - cost

    def _find_best(self, roots: list[_RatioRoot]) -> _RatioRoot | None:
        """The slice that explains most of what the roots leave open, if it is a finding."""
        scores = self._score_slices(roots)
        found = int(np.argmax(scores.gain))
        if scores.gain[found] <= 0:
            return None
        number = self._climb(found, roots)
        theta = float(scores.seen[number] / scores.passes[number])
        return _RatioRoot(number, self.slices.find_members(number), found, theta, float(scores.deviance[number]))

    def _climb(self, number: int, roots: list[_RatioRoot]) -> int:
        """The slice, or its parent as long as the siblings moved with it."""
        while True:
            supports = {
                parent: self._measure_support(number, members, children, roots)
                + self._ask_contradiction(number, parent)
                for parent, members, children in self.slices.find_families(number)
                if self.considered[parent]
            }
            parent = max(supports, key=lambda parent: supports[parent], default=number)
            if supports.get(parent, -np.inf) <= 0:
                return number
            number = parent

    def _ask_contradiction(self, number: int, parent: int) -> float:
        """Nats by which siblings must speak for the slice alone, or its parent is named."""
        of_most = self.options.contradiction_of_most
        is_most = self.expected_of[number] >= _MOST_OF_PARENT * self.expected_of[parent]
        return _CONTRADICTION if of_most is None or not is_most else of_most

    def _measure_support(self, number: int, members: Integers, children: Integers, roots: list[_RatioRoot]) -> float:
        """Nats by which its siblings speak for the parent of a slice; `children` is the slice of each member.

        Roots inside the parent count as siblings that moved.
        """
        outside = [root for root in roots if not np.isin(root.leaves, members).all()]
        expected = self.expected[members]
        weighted = expected * self.weight[members]
        expected = expected * self._combine_levels(outside)[members]
        names, child = np.unique(children, return_inverse=True)
        expected_of, observed_of, entered_of, passes_of = (
            np.bincount(child, each, len(names))
            for each in (expected, self.observed[members], self.entered[members], weighted)
        )
        is_slice = names == number
        effect = float((observed_of[is_slice] / expected_of[is_slice])[0]) - 1
        others = ~is_slice & (passes_of > 1e-9)
        certainty = np.minimum(1, passes_of * (1 / expected_of - 1 / entered_of))[others]
        return measure_support(
            effect,
            self.slice_overdispersion * self.room_of[number],
            entered_of[others],
            expected_of[others],
            observed_of[others],
            certainty,
        )

    def _fit(self, roots: list[_RatioRoot]) -> list[_RatioRoot]:
        """The roots with their levels given each other, without those that have no effect left beside the others."""
        for _ in range(_FIT_ROUNDS):
            for position, root in enumerate(roots):
                levels = self._combine_levels(roots[:position] + roots[position + 1 :])[root.leaves]
                seen = (self.observed[root.leaves] * self.weight[root.leaves] * levels).sum()
                passes = (self.expected[root.leaves] * self.weight[root.leaves] * levels**2).sum()
                root.theta = float(seen / passes)
        return [root for root in roots if abs(root.theta - 1) >= self.least_effect_of[root.number]]

    def select_material(self, roots: list[_RatioRoot]) -> list[_RatioRoot]:
        """Leaves out what carries too little of the loss."""
        losses = {id(root): abs(float((self.expected - self.observed)[root.leaves].sum())) for root in roots}
        largest = max(losses.values(), default=0.0)
        least = max(self.options.min_loss_share * largest, self.options.min_whole_share * float(self.expected.sum()))
        return [root for root in roots if losses[id(root)] >= least]

    # --- Report ------------------------------------------------------------------------------

    def report(self, roots: list[_RatioRoot]) -> Scan:
        """The findings; roots that carry too little still explain their share, and are nobody's rival."""
        findings = []
        for root in self.select_material(roots):
            others = [other for other in roots if other is not root]
            scores = self._score_slices(others)
            numbers = np.array([root.number, root.noticed])
            rest = np.maximum(scores.total_seen - scores.seen, 0) / (scores.total_passes - scores.passes)
            z = np.minimum(scores.z[numbers], self._score_counts(numbers, others, rest[numbers]))
            certain = int(np.argmax(z))
            if z[certain] >= self.least_z_of[numbers[certain]]:
                findings.append(self._report_root(root, float(z[certain]), numbers[certain], scores))
        findings.sort(key=lambda finding: -finding.deviance)
        held = np.unique(np.concatenate([np.empty(0, int), *(root.leaves for root in roots)]))
        passes = self.total_expected - float(self.expected[held] @ self.weight[held])
        error = max(passes, 1.0) ** -0.5
        return Scan(
            tuple(findings),
            self.reference,
            error,
            self.leaf_overdispersion,
            self.slice_overdispersion,
            int(self.considered.sum()),
        )

    def _report_root(self, root: _RatioRoot, z: float, certain: int, scores: _RatioScores) -> LocalizedSlice:
        number = root.number
        chance = max(root.theta, 0.5 / scores.passes[number]) / scores.passes[number]
        margin = _NINETY_PERCENT * np.sqrt(chance + (root.theta * self.slice_overdispersion) ** 2)
        rivals = self._find_rivals(root, scores)
        part, part_theta = self._find_strongest_part(root)
        runner_up = int(rivals[1]) if len(rivals) > 1 else None
        return LocalizedSlice(
            slice=self.slices.name_slice(number),
            theta=root.theta,
            theta_low=float(max(root.theta - margin, 0.0)),
            theta_high=float(root.theta + margin),
            z=z,
            p_value=float(min(1.0, self.trials[self.slices.size_of[certain]] * 2 * norm.sf(z))),
            deviance=float(scores.deviance[number]),
            observed=float(self.observed_of[number]),
            expected=float(self.expected_of[number] * self.reference),
            stability=self._measure_stability(number, rivals, scores),
            runner_up=None if runner_up is None else self.slices.name_slice(runner_up),
            runner_up_gap=float(scores.deviance[number] - (0 if runner_up is None else scores.deviance[runner_up])),
            strongest_part=part,
            strongest_theta=part_theta,
        )

    def _find_strongest_part(self, root: _RatioRoot) -> tuple[dict[str, str] | None, float | None]:
        """What moved clearly more than the rest of the root, and its level."""
        families = self.slices.find_parts(root.number)
        parts = np.concatenate([np.empty(0, np.int64), *(family for family in families if len(family) > 1)])
        seen, passes = self.seen_of[parts], self.passes_of[parts]
        rest_seen, rest_passes = self.seen_of[root.number] - seen, self.passes_of[root.number] - passes
        usable = self.considered[parts] & (rest_passes > 1e-9)
        parts, seen, passes, rest_seen, rest_passes = (
            each[usable] for each in (parts, seen, passes, np.maximum(rest_seen, 0), rest_passes)
        )
        more = (seen / passes - rest_seen / rest_passes) * np.sign(root.theta - 1)
        deviance, _ = self._measure_gains(seen, passes, seen + rest_seen, passes + rest_passes, 0.0)
        precision = passes * rest_passes / (passes + rest_passes)
        z = np.sqrt(2 * np.maximum(deviance, 0) / (1 + self.slice_overdispersion**2 * precision))
        clear = (more >= self.options.min_effect) & (2 * norm.sf(z) * len(parts) <= _PART_ERROR)
        if not clear.any():
            return None, None
        part = int(parts[np.argmax(np.where(clear, deviance, -1))])
        named = self.slices.name_slice(root.number)
        name = {key: value for key, value in self.slices.name_slice(part).items() if key not in named}
        return name, float(self.observed_of[part] / self.expected_of[part] / self.reference)

    def _find_rivals(self, root: _RatioRoot, scores: _RatioScores) -> Integers:
        """The root and the slices that explain most in its place, best first.

        A parent that was named because the siblings moved too is not held against its own parts.
        """
        best = [int(number) for number in np.argsort(-scores.gain)[:_RIVALS] if np.isfinite(scores.gain[number])]
        if root.number != root.noticed:
            best = [number for number in best if not np.isin(self.slices.find_members(number), root.leaves).all()]
        others = [number for number in best if number != root.number]
        return np.array([root.number, *others])

    def _measure_stability(self, number: int, rivals: Integers, scores: _RatioScores) -> float:
        """The share of resampled days on which the root still explains more than its rivals.

        Leaves that belong to the same rivals are drawn together: their weighted sum is Poisson in scale.
        """
        belongs = np.zeros((len(rivals), len(self.observed)), bool)
        for row, rival in enumerate(rivals):
            belongs[row, self.slices.find_members(int(rival))] = True
        pattern = (1 << np.arange(len(rivals), dtype=np.int64)) @ belongs
        patterns, group = np.unique(pattern, return_inverse=True)
        membership = (patterns[:, None] >> np.arange(len(rivals))) & 1
        seen = np.maximum(np.bincount(group, self.observed * self.weight, len(patterns)), 0)
        drawn = np.random.default_rng(_SEED).poisson(seen, (_RESAMPLES, len(patterns)))
        change = (drawn - seen) @ membership
        _, gain = self._measure_gains(
            np.maximum(scores.seen[rivals] + change, 0),
            scores.passes[rivals],
            scores.total_seen + (drawn - seen).sum(axis=1, keepdims=True),
            scores.total_passes,
            self.complexity[rivals],
        )
        return float(np.mean(rivals[np.argmax(gain, axis=1)] == number))


def _covers(outer: _RatioRoot, inner: _RatioRoot) -> bool:
    return len(inner.leaves) <= len(outer.leaves) and bool(np.isin(inner.leaves, outer.leaves).all())


def _find_mode(levels: Floats, errors: Floats, room: float = 1.0) -> float:
    """The prior-weighted mode of log levels, then the mean near it: a fault may cover most of the traffic.

    `errors`: standard deviations of the levels by chance. `room`: how far levels can move, as a share of what low rates
    do. The prior has the tails of Cauchy's distribution: what most of the population shows is believed in the end. The
    density is that of levels in narrow bins, so that many cells cost no more than few.
    """
    logs = np.log(np.clip(levels, *_LEVEL_BOUNDS))
    weights = 1 / errors
    bandwidth = max(_BANDWIDTH * room, 0.75 * float(np.median(errors)))
    low, high = np.log(_LEVEL_BOUNDS)
    bins = int((high - low) / bandwidth * _BINS_PER_BANDWIDTH)
    counts, edges = np.histogram(logs, bins, (low, high), weights=weights)
    grid = (edges[:-1] + edges[1:]) / 2
    kernel = np.exp(
        -0.5 * (np.arange(-4 * _BINS_PER_BANDWIDTH, 4 * _BINS_PER_BANDWIDTH + 1) / _BINS_PER_BANDWIDTH) ** 2
    )
    density = np.convolve(counts, kernel, "full")[4 * _BINS_PER_BANDWIDTH : -4 * _BINS_PER_BANDWIDTH]
    mode = grid[np.argmax(np.where(counts > 0, density, 0) / (1 + (grid / (_PRIOR_LEVEL * room)) ** 2))]
    for _ in range(_MODE_STEPS):
        near = np.abs(logs - mode) <= 2 * bandwidth
        mode = np.average(logs[near], weights=weights[near])
    return float(np.exp(mode))
