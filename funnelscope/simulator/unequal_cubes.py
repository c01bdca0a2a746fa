"""Cubes whose causes move their parts unequally, as real incidents do, to choose and to measure the level of a finding.

Inside a cause the children differ: most lose about as much, some more, some nothing. Beside it, siblings lose a little.
What is true is the slice that the cause was drawn for, whatever its children did. (family, seed) determines a cube.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Final
from zlib import crc32

import numpy as np
import pandas as pd
from scipy.special import expit, logit

from funnelscope.simulator.cubes import PlantedCube

_NAMES: Final = ("channel", "device", "page", "region", "user")
_MOST_LEAVES: Final = 3000
_MAXIMUM_ATTEMPTS: Final = 20_000
_MOST_IN_A_PART: Final = 0.9  # of what a cause loses: more could as well be named like that part
_LEAST_PART: Final = 0.05  # of a cause: so much of it at least is in each of two children
_MOST_IMMUNE: Final = 0.5  # of a cause


@dataclass(frozen=True)
class EffectFamily:
    """One kind of unequal effects. Ranges are drawn from evenly, `entries` and `effect` by their logarithms.

    Attributes:
        rate: usual share of entries that pass.
        effect: share of the passes that a child loses on average.
        spread: standard deviation of the log effects of the children.
        immune: chance of a child that it is not hit at all.
        spill: share of the effect that siblings of the cause have, at most.
        traffic_spread, odds_spread: standard deviations of log traffic and log odds of each value and each leaf.
        correlation: standard deviation of the log traffic of pairs of values; many leaves are then empty.
        drift: standard deviation of the log odds of each value and each leaf between baseline and day.
        drift_freedom: of the drift as Student's t: few where most keep still and some leap; None: normal.
        share: of the traffic that a cause holds.
        is_shared: the second cause names a value of the first.
        has_gain: the second cause gains.
        modulators: how many dimensions the effects vary by.
        most_of_parent: of a parent, that a cause may hold: above it, it could as well be named like that.
        least_z: of what is lost: below it, a day does not show the cause clearly.
        movement: of a healthy slice, as a share of it: counts as noise there.
    """

    dimensions: tuple[int, int] = (3, 5)
    values: tuple[int, int] = (2, 9)
    entries: tuple[float, float] = (100_000, 2_000_000)
    rate: tuple[float, float] = (0.05, 0.4)
    periods: int = 28
    effect: tuple[float, float] = (0.15, 0.7)
    spread: float = 0.3
    immune: float = 0.0
    spill: float = 0.0
    traffic_spread: float = 0.7
    odds_spread: float = 0.25
    correlation: float = 0.0
    drift: float = 0.02
    share: tuple[float, float] = (0.01, 0.4)
    causes: int = 1
    sizes: tuple[int, ...] = (1, 1, 1, 1, 2, 2, 3)
    is_shared: bool = False
    has_gain: bool = False
    drift_freedom: float | None = None
    modulators: int = 1
    most_of_parent: float = 0.9
    least_z: float = 8
    movement: float = 0.02


_FEW_PERIODS: Final = EffectFamily(periods=4, spread=0.5, immune=0.1, traffic_spread=1.0)
_INCIDENTS: Final = EffectFamily(
    entries=(500, 3_000_000),
    rate=(0.93, 0.99),
    periods=4,
    effect=(0.03, 0.5),
    spread=0.5,
    immune=0.1,
    spill=0.03,
    traffic_spread=1.5,
    odds_spread=0.4,
    correlation=0.7,
    drift=0.02,
    drift_freedom=2.5,
    share=(0.005, 0.9),
    sizes=(1, 1, 1, 1, 1, 1, 2, 2, 2, 3),
    most_of_parent=0.97,
    least_z=6,
    movement=0.005,
)
FAMILIES: Mapping[str, EffectFamily] = {
    "unequal children": EffectFamily(spread=0.7),
    "immune children": EffectFamily(immune=0.2, spread=0.4),
    "spill-over to siblings": EffectFamily(spill=0.25),
    "correlated dimensions": EffectFamily(correlation=1.5, spread=0.5),
    "drifting baseline": EffectFamily(drift=0.05, spread=0.4),
    "sparse leaves": EffectFamily(dimensions=(4, 5), values=(4, 9), entries=(5_000, 30_000), spread=0.5),
    "four periods": _FEW_PERIODS,
    "rates near 1": replace(_FEW_PERIODS, rate=(0.9, 0.99), effect=(0.05, 0.6), drift=0.1, odds_spread=0.5),
    "rates near 0": replace(_FEW_PERIODS, rate=(0.004, 0.02), periods=28),
    "gain beside loss": EffectFamily(causes=2, has_gain=True, spread=0.5),
    "causes that share a value": EffectFamily(causes=2, is_shared=True, sizes=(2,), values=(4, 9)),
    "half of all leaves": EffectFamily(share=(0.4, 0.6), sizes=(1,), immune=0.1, spread=0.5),
    "as incidents": EffectFamily(
        values=(2, 6),
        entries=(2_000, 2_000_000),
        rate=(0.9, 0.99),
        periods=4,
        effect=(0.03, 0.5),
        spread=0.5,
        immune=0.1,
        spill=0.1,
        traffic_spread=1.2,
        odds_spread=0.6,
        correlation=1.0,
        drift=0.2,
        share=(0.005, 0.7),
    ),
    "incidents": _INCIDENTS,
    "incidents, two modulators": replace(_INCIDENTS, modulators=2, spread=0.35, immune=0.07),
    "incidents, small": replace(_INCIDENTS, entries=(500, 20_000)),
    "incidents, faint": replace(_INCIDENTS, entries=(20_000, 3_000_000), effect=(0.01, 0.05), movement=0.002),
    "clean, drifting": EffectFamily(causes=0, drift=0.02),
    "clean, sparse": EffectFamily(causes=0, dimensions=(4, 5), values=(4, 9), entries=(5_000, 30_000)),
    "clean, correlated": EffectFamily(causes=0, correlation=1.5, periods=4, drift=0.01),
    "clean, near 1": EffectFamily(causes=0, rate=(0.95, 0.99), periods=4, drift=0.03, odds_spread=0.5),
    "clean, heavy-tailed": replace(_INCIDENTS, causes=0),
    "clean, near 1, few leaves": EffectFamily(
        causes=0,
        dimensions=(3, 3),
        values=(2, 5),
        entries=(500, 30_000),
        rate=(0.95, 0.99),
        periods=4,
        drift=0.03,
        odds_spread=0.5,
        traffic_spread=1.0,
    ),
    "clean, near 1, sparse": EffectFamily(
        causes=0,
        dimensions=(4, 5),
        values=(4, 9),
        entries=(5_000, 100_000),
        rate=(0.95, 0.99),
        periods=4,
        drift=0.03,
        odds_spread=0.5,
        traffic_spread=1.0,
    ),
}


def generate_unequal_cube(family_name: str, seed: int) -> PlantedCube:
    """A cube of one family: real_num, real_den of the day, and predict_num, predict_den, the mean baseline period."""
    family = FAMILIES[family_name]
    random = np.random.default_rng([seed, crc32(family_name.encode())])
    for _ in range(_MAXIMUM_ATTEMPTS):
        codes, traffic, odds = _draw_population(random, family)
        day_odds = odds + _draw_log_factors(random, codes, family.drift, family.drift_freedom)
        rate, causes = _plant_causes(random, family, codes, traffic, expit(day_odds))
        if len(causes) == family.causes:
            break
    else:
        raise ValueError(f"no cause of the family '{family_name}' can be told in a cube of its size")
    before = random.poisson(traffic * family.periods)
    passed_before = random.binomial(before, expit(odds))
    entered = random.poisson(traffic * np.exp(_draw_log_factors(random, codes, 0.05)))
    cube = pd.DataFrame({name: [f"{name}{code + 1}" for code in codes[name]] for name in codes})
    cube["real_num"], cube["real_den"] = random.binomial(entered, rate), entered
    cube["predict_num"], cube["predict_den"] = passed_before / family.periods, before / family.periods
    return PlantedCube(cube[(entered > 0) | (before > 0)], tuple(codes), {}, causes)


def _draw_population(
    random: np.random.Generator, family: EffectFamily
) -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray]:
    """Codes of the leaves by dimension, their entries in a period, and the log odds that an entry passes."""
    names = _NAMES[: random.integers(family.dimensions[0], family.dimensions[1] + 1)]
    sizes = random.integers(family.values[0], family.values[1] + 1, len(names))
    while sizes.prod() > _MOST_LEAVES:
        sizes[np.argmax(sizes)] -= 1
    codes = dict(zip(names, np.indices(tuple(sizes)).reshape(len(names), -1), strict=True))
    share = np.exp(_draw_log_factors(random, codes, family.traffic_spread))
    for first, second in combinations(names, 2):
        pair = codes[first] * (codes[second].max() + 1) + codes[second]
        share *= np.exp(family.correlation * random.normal(size=pair.max() + 1))[pair]
    traffic = np.exp(random.uniform(*np.log(family.entries))) * share / share.sum()
    return codes, traffic, logit(random.uniform(*family.rate)) + _draw_log_factors(random, codes, family.odds_spread)


def _draw_log_factors(
    random: np.random.Generator, codes: Mapping[str, np.ndarray], spread: float, freedom: float | None = None
) -> np.ndarray:
    """Normal, or Student's t, for each value of each dimension and for each leaf, added up."""

    def draw(count: int) -> np.ndarray:
        return random.normal(0, spread, count) if freedom is None else spread * random.standard_t(freedom, count)

    factors = [draw(code.max() + 1)[code] for code in codes.values()]
    return np.sum(factors, axis=0) + draw(len(factors[0]))


def _plant_causes(
    random: np.random.Generator,
    family: EffectFamily,
    codes: Mapping[str, np.ndarray],
    traffic: np.ndarray,
    rate: np.ndarray,
) -> tuple[np.ndarray, list[dict[str, str]]]:
    """The rates with the causes, and their names; fewer causes than wanted where a draw cannot be told."""
    causes: list[dict[str, int]] = []
    taken = np.zeros(len(traffic), bool)
    for number in range(family.causes):
        cause = _draw_cause(random, family, codes, causes)
        inside = _select(codes, cause)
        relative, modulator = _draw_relative_effects(random, family, codes, cause)
        is_gain = family.has_gain and number == 1
        effect = np.exp(random.uniform(*np.log(family.effect))) * (1 if is_gain else -1)
        if (taken & inside).any() or not _can_be_told(family, codes, traffic, rate, cause, relative, modulator, effect):
            break
        taken |= inside
        spill = random.uniform(0, family.spill) if family.spill and not causes else 0.0
        changed = _select(codes, dict(list(cause.items())[1:])) & ~taken
        rate = np.where(inside, rate * (1 + effect * relative), np.where(changed, rate * (1 + effect * spill), rate))
        causes.append(cause)
    named = [{name: f"{name}{code + 1}" for name, code in cause.items()} for cause in causes]
    return np.clip(rate, 1e-5, 0.9995), named


def _draw_cause(
    random: np.random.Generator, family: EffectFamily, codes: Mapping[str, np.ndarray], causes: list[dict[str, int]]
) -> dict[str, int]:
    if causes and family.is_shared:
        kept, moved = random.permutation(list(causes[0])).tolist()
        return {kept: causes[0][kept], moved: int(random.integers(codes[moved].max() + 1))}
    size = min(int(random.choice(family.sizes)), len(codes) - 1)
    names = random.choice(list(codes), size, replace=False).tolist()
    return {name: int(random.integers(codes[name].max() + 1)) for name in names}


def _draw_relative_effects(
    random: np.random.Generator, family: EffectFamily, codes: Mapping[str, np.ndarray], cause: Mapping[str, int]
) -> tuple[np.ndarray, str]:
    """The effect of every leaf as a share of the cause's, and the dimension by whose values it varies."""
    others = [name for name in codes if name not in cause]
    modulators = [str(name) for name in random.choice(others, min(family.modulators, len(others)), replace=False)]
    relative = np.ones(len(codes[modulators[0]]))
    for modulator in modulators:
        count = codes[modulator].max() + 1
        of_value = np.minimum(random.lognormal(0, family.spread, count), 2.5)
        of_value[random.random(count) < family.immune] = 0
        relative = relative * of_value[codes[modulator]]
    return relative * random.lognormal(0, family.spread / 3, len(relative)), modulators[0]


def _can_be_told(
    family: EffectFamily,
    codes: Mapping[str, np.ndarray],
    traffic: np.ndarray,
    rate: np.ndarray,
    cause: Mapping[str, int],
    relative: np.ndarray,
    modulator: str,
    effect: float,
) -> bool:
    """Whether a day shows the cause clearly, and under no other name as well."""
    inside = _select(codes, cause)
    expected = np.where(inside, traffic * rate, 0)
    passes = expected.sum()
    if not family.share[0] <= traffic[inside].sum() / traffic.sum() <= family.share[1] or passes < 30:
        return False
    lost = np.abs(np.minimum(effect * relative, 0.98 / rate - 1) * expected)
    noise = np.sqrt((expected * (1 - rate)).sum() * (1 + 1 / family.periods) + (family.movement * passes) ** 2)
    if lost.sum() < family.least_z * noise or expected[relative == 0].sum() > _MOST_IMMUNE * passes:
        return False
    parts = [np.sort(np.bincount(codes[name], lost)) for name in codes if name not in cause]
    if any(part[-1] > _MOST_IN_A_PART * lost.sum() for part in parts):
        return False
    children = np.bincount(codes[modulator], np.where(relative > 0, expected, 0))
    if np.sort(children)[-2] < _LEAST_PART * passes:
        return False
    around = [_select(codes, {n: c for n, c in cause.items() if n != name}) for name in cause]
    return all(passes <= family.most_of_parent * (traffic * rate)[parent].sum() for parent in around)


def _select(codes: Mapping[str, np.ndarray], named: Mapping[str, int]) -> np.ndarray:
    inside = np.ones(len(next(iter(codes.values()))), bool)
    for name, code in named.items():
        inside &= codes[name] == code
    return inside
