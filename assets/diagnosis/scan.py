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
from scipy.special import xlogy
from scipy.stats import norm

from assets.diagnosis.slices import Hierarchy, Slices

_SLICE_NOISE_BOUNDS: Final = (0.012, 0.03)  # day-to-day movement of a healthy slice, as a share of its level
_MOST_LEAF_NOISE: Final = 0.5  # as a share of the level; beyond it the median leaf is no longer healthy
_MEDIAN_CHI_SQUARE: Final = 0.4549  # of one degree of freedom
_PRIOR_LEVEL: Final = 0.15  # standard deviation of the log level that a whole population may move by in a day
_BANDWIDTH: Final = 0.04  # of the density of log levels
_MODE_STEPS: Final = 5
_SIBLING_SPREAD: Final = 0.25  # how unequal the effects of siblings may be that share a cause, as a share of the effect
_HOT_SPOT_ROUNDS: Final = 12


@dataclass(frozen=True)
class ScanOptions:
    """What counts as a finding.

    `family_error`: chance that a cube without a fault yields a finding, split evenly over one-, two- and
    three-dimensional slices. `min_effect`: smallest |θ − 1|. `min_loss_share`: smallest share of the largest loss.
    `min_expected`: a slice below it is not looked at. `slice_noise` and `leaf_noise`: standard deviations of the daily
    level of a healthy slice and leaf, as a share of it, beyond the variance given; None estimates them from the cube.
    `reference_level`: observed over expected of the unaffected population; None estimates it.
    """

    max_dimensions: int = 3
    max_findings: int = 6
    family_error: float = 0.01
    min_effect: float = 0.05
    min_loss_share: float = 0.05
    min_expected: float = 8.0
    slice_noise: float | None = None
    leaf_noise: float | None = None
    reference_level: float | None = None
    resamples: int = 200


@dataclass(frozen=True)
class Finding:
    """A slice whose level is not the reference level.

    `theta` is observed over expected, with its 90 % interval; `effect` is theta − 1. `lost` is expected minus observed,
    negative for a gain. `deviance` is what the slice explains, in log-likelihood; `p_value` is family-wise.
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

    @property
    def effect(self) -> float:
        return self.theta - 1

    @property
    def lost(self) -> float:
        return self.expected - self.observed


@dataclass(frozen=True)
class Scan:
    """Findings, the largest explained deviance first, and what they were measured against.

    `reference_level` is observed over expected of the unaffected population; findings are relative to it.
    """

    findings: tuple[Finding, ...]
    reference_level: float
    leaf_noise: float
    slice_noise: float
    slices_looked_at: int


@dataclass
class _Root:
    """A slice under suspicion."""

    number: int
    leaves: np.ndarray
    theta: float = 1.0
    z: float = 0.0
    deviance: float = 0.0


def scan(
    leaves: pd.DataFrame,
    dimensions: Sequence[str],
    hierarchy: Hierarchy | None = None,
    options: ScanOptions | None = None,
) -> Scan:
    """Names the slices of up to `max_dimensions` dimensions that explain the deviation of a cube, best first.

    `leaves` has one row for each combination of dimension values, with columns `dimensions`, `observed`, `expected` and
    `variance` (of observed around expected, chance alone); expected and variance are above 0. `hierarchy` maps a
    dimension to those it determines, nearest first. Kulldorff's scan statistic, greedy over several causes.
    """
    options = options or ScanOptions()
    search = _Search(leaves, dimensions, hierarchy or {}, options)
    roots = search.run()
    if roots and options.reference_level is None:
        search.set_reference(search.level_outside(roots))
        roots = search.run() or roots
    return search.report(roots)


class _Search:
    def __init__(
        self, leaves: pd.DataFrame, dimensions: Sequence[str], hierarchy: Hierarchy, options: ScanOptions
    ) -> None:
        self.options = options
        self.slices = Slices(leaves, dimensions, hierarchy, options.max_dimensions)
        self.observed = leaves["observed"].to_numpy(float)
        self.given_expected = leaves["expected"].to_numpy(float)
        self.given_variance = leaves["variance"].to_numpy(float)
        self.observed_of = self.slices.sums(self.observed)
        self.expected_of = self.slices.sums(self.given_expected)
        self.set_reference(options.reference_level or self._usual_level())
        enough = self.expected_of >= options.min_expected
        self.considered = enough & (self.passes_of < 0.98 * self.total_expected)
        layers = np.bincount(self.slices.size_of[self.considered], minlength=options.max_dimensions + 1)
        self.trials_of = (np.count_nonzero(layers) * layers)[self.slices.size_of]
        self.slice_noise = options.slice_noise or self._slice_noise()
        self.complexity = self.slices.size_of * np.log(len(dimensions))

    # --- Levels ------------------------------------------------------------------------------

    def set_reference(self, level: float) -> None:
        """Measures everything against this level of the whole population."""
        self.reference = level
        self.expected = self.given_expected * level
        variance = self.given_variance * level
        noise = self.options.leaf_noise
        self.leaf_noise = self._leaf_noise(variance) if noise is None else noise
        self.weight = self.expected / (variance + (self.leaf_noise * self.expected) ** 2)
        self.seen_of = self.slices.sums(self.observed * self.weight)
        self.passes_of = self.slices.sums(self.expected * self.weight)
        self.total_seen = float(self.observed @ self.weight)
        self.total_expected = float(self.expected @ self.weight)

    def _leaf_noise(self, variance: np.ndarray) -> float:
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
        return float(brentq(excess, 0.0, _MOST_LEAF_NOISE)) if excess(_MOST_LEAF_NOISE) < 0 else _MOST_LEAF_NOISE

    def _usual_level(self) -> float:
        """The level that most of the population shares: the mode over the finest cuboid that is well filled."""
        best: np.ndarray | None = None
        for which in range(len(self.slices.cuboids)):
            filled = (self.slices.cuboid_of == which) & (self.expected_of >= 30)
            is_enough = self.expected_of[filled].sum() >= 0.7 * self.given_expected.sum() and filled.sum() >= 8
            if is_enough and (best is None or filled.sum() > best.sum()):
                best = filled
        if best is None:
            return float(self.observed.sum() / self.given_expected.sum())
        return _mode_of_levels(self.observed_of[best] / self.expected_of[best], self.expected_of[best])

    def level_outside(self, roots: list[_Root]) -> float:
        """The level of everything that no root covers; with too little left, without the weaker roots' leaves."""
        for count in range(len(roots), 0, -1):
            outside = np.ones(len(self.observed), bool)
            for root in roots[:count]:
                outside[root.leaves] = False
            expected = self.given_expected[outside].sum()
            if expected >= 0.3 * self.given_expected.sum():
                return max(float(self.observed[outside].sum() / expected), 1e-3)
        return self.reference

    def _slice_noise(self) -> float:
        """How far healthy slices move beyond chance: the median excess of the better filled ones."""
        broad = self.considered & (self.slices.size_of <= 2)
        if broad.sum() <= 6:
            return _SLICE_NOISE_BOUNDS[0]
        seen, passes = self.seen_of[broad], self.passes_of[broad]
        rest = self.total_expected - passes
        excess = (seen / passes - (self.total_seen - seen) / rest) ** 2 - 1 / passes - 1 / rest
        typical = float(np.median(excess[passes > np.median(passes)]))
        return float(np.clip(np.sqrt(max(typical, 0)), *_SLICE_NOISE_BOUNDS))

    # --- Search ------------------------------------------------------------------------------

    def run(self) -> list[_Root]:
        """The roots that explain the cube, the most deviance first."""
        roots: list[_Root] = []
        for _ in range(_HOT_SPOT_ROUNDS):
            found = self._best(roots)
            if found is None or any(found.number == root.number for root in roots):
                break
            roots = self._settled([*roots, found])
            if len(roots) == self.options.max_findings:
                break
        return self._material(self._outermost(roots))

    def _settled(self, roots: list[_Root]) -> list[_Root]:
        """Takes each root out in turn and asks again what belongs in its place, if anything still does."""
        self._fit(roots)
        if len(roots) > 1:
            for root in list(roots):
                others = [other for other in roots if other is not root]
                found = self._best(others)
                if found is None or any(found.number == other.number for other in others):
                    roots = others
                else:
                    roots = [found if other is root else other for other in roots]
                self._fit(roots)
        return roots

    def _outermost(self, roots: list[_Root]) -> list[_Root]:
        """A hot spot inside a finding says nothing new."""
        return [root for root in roots if not any(other is not root and _covers(other, root) for other in roots)]

    def _sums(self, roots: list[_Root]) -> tuple[np.ndarray, np.ndarray, float, float]:
        """a and b of every slice, and of the whole, after the roots have explained their share."""
        if not roots:
            return self.seen_of, self.passes_of, self.total_seen, self.total_expected
        touched = np.unique(np.concatenate([root.leaves for root in roots]))
        level = self._levels(roots)[touched]
        seen = self.observed[touched] * self.weight[touched] * (level - 1)
        passes = self.expected[touched] * self.weight[touched] * (level**2 - 1)
        return (
            self.seen_of + self.slices.sums(seen, touched),
            self.passes_of + self.slices.sums(passes, touched),
            self.total_seen + float(seen.sum()),
            self.total_expected + float(passes.sum()),
        )

    def _levels(self, roots: list[_Root]) -> np.ndarray:
        levels = np.ones(len(self.observed))
        for root in roots:
            levels[root.leaves] *= max(root.theta, 1e-3)
        return levels

    def _best(self, roots: list[_Root]) -> _Root | None:
        """The slice that explains most of what the roots leave open, if it is a finding."""
        seen, passes, total_seen, total_passes = self._sums(roots)
        usable = self.considered & (passes > 1e-9)
        seen, passes = np.where(usable, seen, 1.0), np.where(usable, passes, 1.0)
        rest_seen, rest_passes = total_seen - seen, total_passes - passes
        theta, rest = seen / passes, rest_seen / rest_passes
        deviance = xlogy(seen, theta) + xlogy(rest_seen, rest) - xlogy(total_seen, total_seen / total_passes)
        precision = passes * rest_passes / (passes + rest_passes)
        z = np.sqrt(2 * np.maximum(deviance, 0) / (1 + self.slice_noise**2 * precision))
        p = np.minimum(1, self.trials_of * 2 * norm.sf(z))
        accepted = usable & (p <= self.options.family_error) & (np.abs(theta - rest) >= self.options.min_effect)
        if not accepted.any():
            return None
        normal_rest = 1 - np.minimum(0.5, 2 * np.abs(rest - 1))
        gain = np.where(accepted, deviance * normal_rest - self.complexity, -np.inf)
        number = int(np.argmax(gain))
        if gain[number] <= 0:
            return None
        number = self._climbed(number, seen, passes)
        return _Root(number, self.slices.members(number), theta[number], z[number], deviance[number])

    def _climbed(self, number: int, seen: np.ndarray, passes: np.ndarray) -> int:
        """The slice, or its parent as long as most of the siblings moved with it."""
        while self.slices.size_of[number] > 0:
            effect = seen[number] / passes[number] - 1
            parents = []
            for parent, children in self.slices.siblings(number):
                others = children[(children != number) & (passes[children] > 1e-9)]
                level = seen[others] / passes[others] - 1
                spread = 1 / passes[others] + self.slice_noise**2 + (_SIBLING_SPREAD * effect) ** 2
                support = effect * (level - effect / 2) / spread
                moved = passes[others][support > 0.5].sum()
                stayed = passes[others][support < -0.5].sum()
                if moved > 0.5 * stayed or (moved + stayed == 0 and passes[number] >= 0.9 * passes[parent]):
                    parents.append(parent)
            if not parents:
                break
            number = max(parents, key=lambda parent: passes[parent] * (seen[parent] / passes[parent] - 1) ** 2)
        return number

    def _fit(self, roots: list[_Root]) -> None:
        """The level of each root given the others."""
        for _ in range(2):
            for position, root in enumerate(roots):
                levels = self._levels(roots[:position] + roots[position + 1 :])[root.leaves]
                seen = (self.observed[root.leaves] * self.weight[root.leaves] * levels).sum()
                passes = (self.expected[root.leaves] * self.weight[root.leaves] * levels**2).sum()
                root.theta = float(seen / passes)

    def _material(self, roots: list[_Root]) -> list[_Root]:
        """Leaves out what carries too little of the loss, and orders the rest."""
        losses = {id(root): abs(float((self.expected - self.observed)[root.leaves].sum())) for root in roots}
        whole = max([abs(float((self.expected - self.observed).sum())), *losses.values()])
        kept = [root for root in roots if losses[id(root)] >= self.options.min_loss_share * whole]
        return sorted(kept, key=lambda root: -root.deviance)

    # --- Report ------------------------------------------------------------------------------

    def report(self, roots: list[_Root]) -> Scan:
        findings = tuple(self._finding(root) for root in roots)
        return Scan(findings, self.reference, self.leaf_noise, self.slice_noise, int(self.considered.sum()))

    def _finding(self, root: _Root) -> Finding:
        passes = float(self.passes_of[root.number])
        deviation = 1.645 * np.sqrt(max(root.theta, 0.5 / passes) / passes)
        return Finding(
            slice=self.slices.name(root.number),
            theta=root.theta,
            theta_low=max(root.theta - deviation, 0.0),
            theta_high=root.theta + deviation,
            z=root.z,
            p_value=float(min(1, self.trials_of[root.number] * 2 * norm.sf(root.z))),
            deviance=root.deviance,
            observed=float(self.observed_of[root.number]),
            expected=float(self.expected_of[root.number] * self.reference),
            stability=1.0,
            runner_up=None,
            runner_up_gap=0.0,
        )


def _covers(outer: _Root, inner: _Root) -> bool:
    return len(inner.leaves) <= len(outer.leaves) and bool(np.isin(inner.leaves, outer.leaves).all())


def _mode_of_levels(levels: np.ndarray, expected: np.ndarray) -> float:
    """The prior-weighted mode of log levels, then the mean near it: a fault may cover most of the traffic."""
    logs = np.log(np.clip(levels, 0.1, 10))
    weights = np.sqrt(expected)
    bandwidth = max(_BANDWIDTH, 0.75 * float(np.median(1 / weights)))
    density = np.exp(-0.5 * ((logs[:, None] - logs[None, :]) / bandwidth) ** 2) @ weights
    mode = logs[np.argmax(density * np.exp(-0.5 * (logs / _PRIOR_LEVEL) ** 2))]
    for _ in range(_MODE_STEPS):
        near = np.abs(logs - mode) <= 2 * bandwidth
        mode = np.average(logs[near], weights=weights[near])
    return float(np.exp(mode))
