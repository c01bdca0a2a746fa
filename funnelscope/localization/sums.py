"""The scan of a cube of sums: amounts that were predicted leaf by leaf, with nothing known of their noise.

A leaf tells of itself by how far it is off, u = (O − E) / max(|O|, |E|), between −1 and 1, and down to −2 where returns
exceed what was predicted to be sold; the sign is turned where returns were predicted, so that more of them are more.
Small leaves count like large ones, since a cause that takes a share of a slice takes the same share of each of its
leaves (the generalised ripple effect of Squeeze). Taken from the larger of the two, the noise of a forecast has the
same tail to both sides, whichever of the two the noise is in; 2(O − E)/(O + E), usual in the literature, stretches the
tail until it looks like a cause.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

import numpy as np
import pandas as pd
from scipy.optimize import isotonic_regression
from scipy.stats import norm

from funnelscope.localization.arrays import Booleans, Floats, Integers
from funnelscope.localization.scan import LocalizedSlice, Scan
from funnelscope.localization.slices import Hierarchy, Slices

Scores = TypeVar("Scores", Floats, np.float64)
"""Of many leaves, or of one."""

_FAMILY_WISE_ERROR: Final = 0.01  # chance that a cube without a fault yields a finding, split over the layers
_MIN_EFFECT: Final = 0.08  # smallest mean deviation of a finding
_MAX_FINDINGS: Final = 12
_LARGEST_THETA: Final = 1000.0
_LEAST_AMOUNT: Final = 1e-7  # of the largest amount that a finding is off by: less is rounding
_LEAST_NOISE: Final = 0.01  # of a leaf, as a share
_SLICE_OVERDISPERSION_BOUNDS: Final = (0.012, 0.03)  # movement of a healthy slice beyond that of its leaves
_LEAVES_PER_BIN: Final = 2000  # of one size, to read their noise
_MOST_BINS: Final = 12
_PRIOR_LEVEL: Final = 0.15  # standard deviation of the log level that a whole forecast may be off by
_NORMAL_HALF: Final = 0.6745  # half of the normal deviates are smaller in size
_NORMAL_TENTH: Final = 1.645  # a tenth is larger
_MEDIAN_CHI_SQUARE: Final = 0.4549
_LEAST_USUAL: Final = 0.3  # share of the leaves that noise is read from
_NOISE_UNCERTAINTY: Final = 1.4  # over the root of the leaves: by so much the noise read may fall short
_FREEDOMS: Final = (np.inf, 100.0, 50.0, 30.0, 20.0, 15.0, 10.0, 8.0, 6.0, 5.0, 4.0, 3.5, 3.0, 2.5, 2.0, 1.5, 1.0)
_TAIL_SHARES: Final = (0.01, 0.001)
_LEAST_IN_TAIL: Final = 10
_PASSES: Final = 4
_RIVALS: Final = 24
_RESAMPLES: Final = 200
_SEED: Final = 618
_NINETY_PERCENT: Final = 1.645


@dataclass(eq=False)
class _SumRoot:
    """A slice under suspicion, with all its leaves."""

    number: int
    leaves: Integers


@dataclass(frozen=True)
class _SumScores:
    """For every slice, of the leaves that no root holds: Σwu, Σw, and what a level of its own explains."""

    moved: Floats
    weight: Floats
    explained: Floats  # (Σwu)² / Σw, 0 where a slice is not considered
    gain: Floats  # −∞ where it is no finding


def scan_sums(
    leaves: pd.DataFrame, dimensions: Sequence[str], hierarchy: Hierarchy | None = None, max_dimensions: int = 5
) -> Scan:
    """Names the slices that explain where `real` is not what `predict` said, best first.

    `leaves` has one row for each combination of dimension values, with `real` and `predict`, amounts of which
    not both are 0; below 0 are those that were paid back. `hierarchy` maps a dimension to those it determines, nearest
    first.
    """
    search = _SumSearch(leaves, dimensions, hierarchy or {}, max_dimensions)
    roots = search.search([])
    for _ in range(_PASSES - 1):
        if not roots:
            break
        search.measure(outside=roots)
        before, roots = {root.number for root in roots}, search.search(roots)
        if {root.number for root in roots} == before:
            break
    return search.report(search.regroup(roots))


class _SumSearch:
    def __init__(self, leaves: pd.DataFrame, dimensions: Sequence[str], hierarchy: Hierarchy, max_dimensions: int):
        self.real, self.predict = leaves["real"].to_numpy(float), leaves["predict"].to_numpy(float)
        self.slices = Slices(leaves, dimensions, hierarchy, max_dimensions)
        self.leaves_of = self.slices.sum_over(np.ones(len(self.real)))
        self.is_considered = self.leaves_of < 0.98 * len(self.real)
        layers = np.bincount(self.slices.size_of[self.is_considered], minlength=max_dimensions + 1)
        self.trials = np.maximum(np.count_nonzero(layers) * layers, 1)
        self.least_square_of = (norm.isf(_FAMILY_WISE_ERROR / 2 / self.trials) ** 2)[self.slices.size_of]
        self.surprise = np.log(self.trials)[self.slices.size_of]  # of a slice that could have been any of its layer
        self.cost = self.slices.size_of * np.log(max(len(dimensions), 2))
        self.measure([])

    # --- What is usual -----------------------------------------------------------------------

    def measure(self, outside: list[_SumRoot]) -> None:
        """Reads the level of the forecast and the noise of leaves and slices from the leaves that no root holds."""
        usual = self._select_outside(outside)
        self.reference = _estimate_baseline_level(self.real[usual], self.predict[usual])
        expected = self.predict * self.reference
        raw = (self.real - expected) / np.maximum(np.abs(self.real), np.abs(expected)) * np.where(expected < 0, -1, 1)
        centre, noise = _estimate_baseline_by_size(np.abs(expected), raw, usual, is_free=bool(outside))
        self.leaf_overdispersion = float(np.median(noise))
        scores = (raw - centre) / noise
        if outside:  # before, what looks like a tail may be a cause
            scores = _normalize_scores(scores, _measure_tail(np.abs(scores[usual])))
        self.weight = noise**-2
        self.least_weight = 0.5 * float(self.weight.min())
        self.scores, self.pull = scores, scores / noise
        self.all_moved = self.slices.sum_over(self.pull)
        self.all_weight = self.slices.sum_over(self.weight)
        self.slice_overdispersion = self._measure_slice_overdispersion(np.flatnonzero(usual))

    def _select_outside(self, roots: list[_SumRoot]) -> Booleans:
        """The leaves that no root holds; with too few left, also those of the roots found last."""
        for count in range(len(roots), -1, -1):
            outside = np.ones(len(self.real), bool)
            for root in roots[:count]:
                outside[root.leaves] = False
            if outside.mean() >= _LEAST_USUAL:
                break
        return outside

    def _measure_slice_overdispersion(self, usual: Integers) -> float:
        moved, weight = self.slices.sum_over(self.pull[usual], usual), self.slices.sum_over(self.weight[usual], usual)
        broad = self.is_considered & (self.slices.size_of <= 2) & (weight > 0)
        if broad.sum() <= 6:
            return _SLICE_OVERDISPERSION_BOUNDS[0]
        moved, weight = moved[broad], weight[broad]
        excess = (moved / weight) ** 2 - _MEDIAN_CHI_SQUARE / weight
        typical = float(np.median(excess[weight >= np.median(weight)])) / _MEDIAN_CHI_SQUARE
        return float(np.clip(np.sqrt(max(typical, 0)), *_SLICE_OVERDISPERSION_BOUNDS))

    # --- Search ------------------------------------------------------------------------------

    def search(self, roots: list[_SumRoot]) -> list[_SumRoot]:
        """The roots that explain the cube, starting from those suspected so far."""
        roots, tried = self._settle(roots, roots), set[frozenset[int]]()
        while len(roots) < _MAX_FINDINGS:
            found = self._find_best(self._score_slices(roots))
            if found is None:
                break
            new = self._create_root(found)
            touched = [root for root in roots if np.isin(root.leaves, new.leaves).any()]
            roots = self._settle([*roots, new], touched)
            names = frozenset(root.number for root in roots)
            if found not in names or names in tried:  # two causes may displace each other for ever
                break
            tried.add(names)
        return self._settle(roots, roots)

    def _settle(self, roots: list[_SumRoot], doubtful: list[_SumRoot]) -> list[_SumRoot]:
        """Takes each doubtful root out in turn and asks again what belongs in its place, if anything still does."""
        for root in doubtful:
            others = [other for other in roots if other is not root]
            found = self._find_best(self._score_slices(others))
            if found is None:
                roots = others
            elif found != root.number:
                roots = [self._create_root(found) if other is root else other for other in roots]
        return roots

    def regroup(self, roots: list[_SumRoot]) -> list[_SumRoot]:
        """Names a parent instead of its parts, or parts instead of the whole, where that describes the leaves shorter.

        The greedy search may start with a part whose leaves lost most, or with a whole of which only some parts moved.
        """
        for root in list(roots):
            if root not in roots:
                continue
            parents = [self._create_root(parent) for parent, _, _ in self.slices.find_families(root.number)]
            choices = [[parent] for parent in parents if self.is_considered[parent.number]]
            others = [other for other in roots if other is not root]
            explained = self._score_slices(others).explained
            for parts in self.slices.find_parts(root.number):
                moved = parts[0.5 * explained[parts] > self.surprise[parts] + self.cost[parts]]
                if 0 < len(moved) < len(parts):
                    choices.append([self._create_root(int(part)) for part in moved[:_MAX_FINDINGS]])
            for choice in choices:
                area = np.zeros(len(self.scores), bool)
                for member in [root, *choice]:
                    area[member.leaves] = True
                inside = [other for other in roots if area[other.leaves].all()]
                for other in roots:
                    if other not in inside:
                        area[other.leaves] = False
                if self._describe_length(choice, area) < self._describe_length(inside, area):
                    roots = [other for other in roots if other not in inside] + choice
                    break
        return roots

    def _describe_length(self, roots: list[_SumRoot], area: Booleans) -> float:
        """Nats that describe the leaves of an area: which slices moved, how far and how alike, and the other leaves."""
        is_moved = np.zeros(len(area), bool)
        for root in roots:
            is_moved[root.leaves] = True
        moved, still = self.scores[area & is_moved], self.scores[area & ~is_moved]
        spread = moved.var() if len(moved) else 0.0
        naming = sum(self.surprise[root.number] + self.cost[root.number] for root in roots)
        unequal = len(moved) * (np.log(max(spread, 1.0)) + min(spread, 1.0))
        return float(naming + 0.5 * (unequal + (still**2).sum()))

    def _create_root(self, number: int) -> _SumRoot:
        return _SumRoot(number, self.slices.find_members(number))

    def _score_slices(self, roots: list[_SumRoot]) -> _SumScores:
        """What every slice explains with the leaves that no root holds: those of a root say nothing of another."""
        moved, weight = self.all_moved, self.all_weight
        if roots:
            taken = np.unique(np.concatenate([root.leaves for root in roots]))
            moved = moved - self.slices.sum_over(self.pull[taken], taken)
            weight = weight - self.slices.sum_over(self.weight[taken], taken)
        held = weight > self.least_weight
        weight = np.where(held, weight, 1.0)
        explained = np.where(held & self.is_considered, moved * moved / weight, 0.0)
        is_accepted = explained >= self.least_square_of * (1 + self.slice_overdispersion**2 * weight)
        is_accepted &= np.abs(moved) >= _MIN_EFFECT * weight
        return _SumScores(moved, weight, explained, np.where(is_accepted, 0.5 * explained - self.cost, -np.inf))

    def _find_best(self, scores: _SumScores) -> int | None:
        found = int(np.argmax(scores.gain))
        return found if scores.gain[found] > 0 else None

    # --- Report ------------------------------------------------------------------------------

    def report(self, roots: list[_SumRoot]) -> Scan:
        """The findings, without those whose amount is rounding."""
        findings = [
            self._report_root(root, self._score_slices([other for other in roots if other is not root]))
            for root in roots
        ]
        least = _LEAST_AMOUNT * max((abs(finding.lost) for finding in findings), default=0.0)
        findings = [finding for finding in findings if abs(finding.lost) >= least]
        findings.sort(key=lambda finding: -finding.deviance)
        return Scan(
            tuple(findings),
            self.reference,
            0.0,
            self.leaf_overdispersion,
            self.slice_overdispersion,
            int(self.is_considered.sum()),
        )

    def _report_root(self, root: _SumRoot, scores: _SumScores) -> LocalizedSlice:
        number = root.number
        real, expected = self.real[root.leaves], self.predict[root.leaves] * self.reference
        # Where nothing was predicted, the amount is as many times what was expected as is ever said.
        seen, predicted = float(real.sum()), float(expected.sum())
        scale = max(abs(predicted), abs(seen) / _LARGEST_THETA) * (-1 if predicted < 0 else 1)
        theta = seen / scale
        largest = np.maximum(np.abs(real), np.abs(expected))
        chance = float(np.sqrt((largest**2 / self.weight[root.leaves]).sum()) / abs(scale))
        margin = _NINETY_PERCENT * np.hypot(chance, self.slice_overdispersion * theta)
        least = 0.0 if min(real.min(), expected.min()) >= 0 else -np.inf
        z = np.sqrt(scores.explained[number] / (1 + self.slice_overdispersion**2 * scores.weight[number]))
        best = [int(rival) for rival in np.argsort(-scores.gain)[:_RIVALS] if np.isfinite(scores.gain[rival])]
        rivals = [number, *(rival for rival in best if rival != number)]
        gap = scores.explained[number] - (scores.explained[rivals[1]] if len(rivals) > 1 else 0)
        return LocalizedSlice(
            slice=self.slices.name_slice(number),
            theta=theta,
            theta_low=float(max(theta - margin, least)),
            theta_high=float(theta + margin),
            z=float(z),
            p_value=float(min(1.0, self.trials[self.slices.size_of[number]] * 2 * norm.sf(z))),
            deviance=float(0.5 * scores.explained[number]),
            observed=float(real.sum()),
            expected=float(expected.sum()),
            stability=self._measure_stability(rivals, scores),
            runner_up=self.slices.name_slice(rivals[1]) if len(rivals) > 1 else None,
            runner_up_gap=float(0.5 * gap),
        )

    def _measure_stability(self, rivals: list[int], scores: _SumScores) -> float:
        """The share of resampled days on which the first slice still explains more than its rivals."""
        belongs = np.zeros((len(rivals), len(self.real)), bool)
        for row, rival in enumerate(rivals):
            belongs[row, self.slices.find_members(rival)] = True
        patterns, group = np.unique((1 << np.arange(len(rivals), dtype=np.int64)) @ belongs, return_inverse=True)
        membership = (patterns[:, None] >> np.arange(len(rivals))) & 1
        weight = np.bincount(group, self.weight, len(patterns))
        random = np.random.default_rng(_SEED)
        change = (random.normal(size=(_RESAMPLES, len(patterns))) * np.sqrt(weight)) @ membership
        gain = 0.5 * (scores.moved[rivals] + change) ** 2 / scores.weight[rivals] - self.cost[rivals]
        return float(np.mean(np.argmax(gain, axis=1) == 0))


def _estimate_baseline_level(real: Floats, predict: Floats) -> float:
    """Real over predicted of most leaves: the mode of the log ratio, weighted by how far a forecast is usually off."""
    known = (real > 0) & (predict > 0) | (real < 0) & (predict < 0)
    if known.sum() == 0:
        return 1.0
    logs = np.sort(np.log(real[known] / predict[known]))
    half = len(logs) // 2
    width = float((logs[half:] - logs[: len(logs) - half]).min())  # of the shortest interval with half of the leaves
    bandwidth = float(np.clip(0.25 * width / _NORMAL_HALF, 0.002, 0.05))
    grid = np.arange(-0.7, 0.7, bandwidth / 4)
    counts = np.histogram(logs, np.append(grid, grid[-1] + bandwidth / 4))[0]
    kernel = np.exp(-0.5 * (np.arange(-12, 13) / 4) ** 2)
    density = np.convolve(counts, kernel, "same") * np.exp(-0.5 * (grid / _PRIOR_LEVEL) ** 2)
    if density.max() == 0:
        return float(np.exp(np.median(logs)))
    mode = float(grid[np.argmax(density)])
    near = logs[np.abs(logs - mode) <= max(width, 3 * bandwidth)]
    return float(np.exp(np.median(near)))


def _estimate_baseline_by_size(
    size: Floats, deviation: Floats, usual: Booleans, is_free: bool
) -> tuple[Floats, Floats]:
    """How far a leaf of this size is usually off, and how unequally: small amounts wander more, and to one side.

    Unless the leaves are free of causes, none is off usually, and only what half of them say counts.
    """
    logs = np.log(np.maximum(size, size[size > 0].min()))
    order = np.flatnonzero(usual)[np.argsort(logs[usual], kind="stable")]
    bins = np.array_split(order, int(np.clip(len(order) // _LEAVES_PER_BIN, 1, _MOST_BINS)))
    sizes, centres, noises = [], [], []
    for members in bins:
        centre = float(np.mean(deviation[members])) if is_free else 0.0
        distance = np.abs(deviation[members] - centre)
        sizes.append(np.median(logs[members]))
        centres.append(centre)
        noises.append(np.quantile(distance, 0.9) / _NORMAL_TENTH if is_free else np.median(distance) / _NORMAL_HALF)
    uncertain = 1 + _NOISE_UNCERTAINTY / np.sqrt(len(order))
    falling = isotonic_regression(noises, increasing=False).x * uncertain
    return np.interp(logs, sizes, centres), np.maximum(np.interp(logs, sizes, falling), _LEAST_NOISE)


def _measure_tail(scores: Floats) -> float:
    """Degrees of freedom of Student's t whose tail leaves show, ∞ for normal. A tenth of `scores` is beyond 1.645."""
    for freedom in _FREEDOMS:
        for share in _TAIL_SHARES:
            if len(scores) * share < _LEAST_IN_TAIL:
                continue
            normal = norm.isf(share / 2)
            margin = 2 * np.sqrt(share / len(scores)) / (2 * norm.pdf(normal))
            if _normalize_scores(np.quantile(scores, 1 - share), freedom) > normal + margin:
                break
        else:
            return freedom
    return freedom


def _normalize_scores(scores: Scores, freedom: float) -> Scores:
    """The normal deviates that are as rare as these of Student's t, equal where a tenth is rarer (Wallace 1959)."""
    if np.isinf(freedom):
        return scores
    stretch = _invert_wallace(_NORMAL_TENTH, freedom) / _NORMAL_TENTH
    stretched = scores * stretch
    size = np.sqrt(freedom * np.log1p(stretched**2 / freedom)) * (8 * freedom + 1) / (8 * freedom + 3)
    signed: Scores = np.copysign(size, scores)
    return signed


def _invert_wallace(normal: float, freedom: float) -> float:
    scaled = normal * (8 * freedom + 3) / (8 * freedom + 1)
    return float(np.sqrt(freedom * np.expm1(scaled**2 / freedom)))
