"""Cubes with planted causes, as a day of a shop would show them; the localiser is measured on them.

Every level is one difficulty of real life, over a baseline of 28 days and traffic and rates that wander a little in
every slice. A cube is told by (level, seed).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import combinations
from zlib import crc32

import numpy as np
import pandas as pd

BASELINE_DAYS = 28
_PLAIN = {"channel": 6, "device": 4, "page": 8, "region": 6, "user": 2}
_NESTED = {"channel": 6, "campaign": 14, "creative": 40, "page": 8, "device": 4, "region": 10, "user": 2}
_NESTED_ABOVE = {"creative": ("campaign", "channel"), "campaign": ("channel",)}
_MOST_ATTEMPTS = 10_000
_SMALLEST_SHARE = 0.07  # of the loss of another cause in the same cube


@dataclass(frozen=True)
class Level:
    """A difficulty. `z` bounds how clearly one day shows each cause; `sizes` are dimensions that a cause names.

    `rate_noise` and `leaf_noise` are standard deviations of log rates on the day, by value of each dimension and by
    leaf; `mixed_dimensions` is how many dimensions see their shares change.
    """

    entries: tuple[int, ...]
    causes: tuple[int, ...] = (1,)
    sizes: tuple[int, ...] = (1, 2)
    z: tuple[float, float] = (8.0, 200.0)
    is_nested: bool = False
    mixed_dimensions: int = 0
    whole_population: tuple[float, float] = (1.0, 1.0)
    has_gain: bool = False
    rate_noise: float = 0.01
    leaf_noise: float = 0.0


LEVELS: Mapping[str, Level] = {
    "clean": Level((100_000, 500_000), causes=(0,)),
    "clean, other mix": Level((100_000, 500_000), causes=(0,), mixed_dimensions=2),
    "clean, all moved": Level((100_000, 500_000), causes=(0,), whole_population=(0.8, 1.25)),
    "clean, nested": Level((50_000, 200_000), causes=(0,), is_nested=True),
    "broad cause": Level((2_000_000,), sizes=(1,)),
    "narrow cause": Level((2_000_000,), sizes=(2, 3)),
    "several causes": Level((2_000_000,), causes=(2, 3), sizes=(1, 2, 3)),
    "nested dimensions": Level((200_000,), sizes=(1, 2, 3), z=(7.0, 20.0), is_nested=True),
    "edge of power": Level((50_000, 100_000, 200_000), sizes=(1, 2), z=(4.2, 6.0), is_nested=True),
    "other mix": Level((500_000,), mixed_dimensions=2),
    "all moved": Level((500_000,), causes=(1, 2), whole_population=(0.8, 1.3)),
    "loss and gain": Level((500_000,), causes=(2,), has_gain=True),
    "restless leaves": Level((500_000,), leaf_noise=0.14),
}


@dataclass(frozen=True)
class PlantedCube:
    """A cube for `localise`, and the slices that were planted."""

    cube: pd.DataFrame
    dimensions: tuple[str, ...]
    hierarchy: Mapping[str, tuple[str, ...]]
    causes: list[dict[str, str]] = field(default_factory=list)


def ratio_cube(level_name: str, seed: int) -> PlantedCube:
    """A cube of one level: real_num, real_den of the day, and predict_num, predict_den, the mean baseline day."""
    level = LEVELS[level_name]
    random = np.random.default_rng([seed, crc32(level_name.encode())])
    sizes = _NESTED if level.is_nested else _PLAIN
    codes = _leaves(random, sizes)
    entries = int(random.choice(level.entries))
    share = _product(random, codes, sizes, 0.5) * random.lognormal(0, 0.3, len(codes["user"]))
    share /= share.sum()
    rate = _product(random, codes, sizes, 0.2) * random.lognormal(0, 0.1, len(share))
    usual_rate = random.uniform(0.03, 0.08) if level.is_nested else random.choice((0.04, 0.12, 0.3))
    rate = np.clip(rate * usual_rate / (share @ rate), 1e-4, 0.9)

    entered_before = random.poisson(entries * BASELINE_DAYS * share)
    passed_before = random.binomial(entered_before, rate)

    traffic = entries * share * _product(random, codes, sizes, 0.03) * random.lognormal(0, 0.03)
    for name in random.choice(list(sizes), level.mixed_dimensions, replace=False):
        traffic *= random.lognormal(0, 0.4, sizes[name])[codes[name]]
    day_rate = rate * random.uniform(*level.whole_population) * _product(random, codes, sizes, level.rate_noise)
    day_rate *= random.lognormal(0, level.leaf_noise, len(share))
    causes: list[dict[str, str]] = []
    losses: list[float] = []
    taken = np.zeros(len(share), bool)
    for number in range(random.choice(level.causes)):
        names, leaf, effect, loss = _cause(
            random, level, codes, traffic, rate, taken, losses, level.has_gain and number == 1
        )
        losses.append(loss)
        inside = np.logical_and.reduce([codes[name] == codes[name][leaf] for name in names])
        taken |= inside
        day_rate[inside] *= 1 + effect
        causes.append({name: f"{name}{codes[name][leaf] + 1}" for name in names})
    entered = random.poisson(traffic)
    passed = random.binomial(entered, np.clip(day_rate, 0, 0.98))

    cube = pd.DataFrame({name: [f"{name}{code + 1}" for code in codes[name]] for name in sizes})
    cube["real_num"], cube["real_den"] = passed, entered
    cube["predict_num"], cube["predict_den"] = passed_before / BASELINE_DAYS, entered_before / BASELINE_DAYS
    seen = (entered > 0) | (entered_before > 0)
    return PlantedCube(cube[seen], tuple(sizes), _NESTED_ABOVE if level.is_nested else {}, causes)


def additive_cube(seed: int, leaf_noise: float = 0.03) -> PlantedCube:
    """A cube of sums, real and predict, with one to three causes of one to three dimensions; a leaf is a whole."""
    random = np.random.default_rng([seed, 1])
    sizes = {"a": 8, "b": 20, "c": 8, "d": 10}
    codes = _leaves(random, sizes)
    predict = random.lognormal(3, 1.5, len(codes["a"]))
    real = predict * np.clip(1 + random.normal(0, leaf_noise, len(predict)), 0, None)
    size = random.integers(1, 4)
    causes: list[dict[str, str]] = []
    taken = np.zeros(len(predict), bool)
    while len(causes) < 1 + seed % 3:
        names, leaf = random.choice(list(sizes), size, replace=False), random.integers(len(predict))
        inside = np.logical_and.reduce([codes[name] == codes[name][leaf] for name in names])
        if taken[inside].any():
            continue
        taken |= inside
        real[inside] *= 1 - random.uniform(0.2, 0.95)
        causes.append({str(name): f"{name}{codes[name][leaf] + 1}" for name in names})
    cube = pd.DataFrame({name: [f"{name}{code + 1}" for code in codes[name]] for name in sizes})
    return PlantedCube(cube.assign(real=real, predict=predict), tuple(sizes), {}, causes)


def _leaves(random: np.random.Generator, sizes: Mapping[str, int]) -> dict[str, np.ndarray]:
    """The code of every leaf in every dimension: all combinations, creatives within campaigns within channels."""
    below = {
        name: size for name, size in sizes.items() if name not in ("channel", "campaign") or "creative" not in sizes
    }
    grid = np.indices(tuple(below.values())).reshape(len(below), -1)
    codes = dict(zip(below, grid, strict=True))
    for inner, outer in (("creative", "campaign"), ("campaign", "channel")):
        if inner in codes and outer not in codes:
            codes[outer] = _under(random, sizes[inner], sizes[outer])[codes[inner]]
    return codes


def _under(random: np.random.Generator, inner: int, outer: int) -> np.ndarray:
    """Which outer value each inner value belongs to; none is empty."""
    return np.concatenate([np.arange(outer), random.integers(0, outer, inner - outer)])


def _product(
    random: np.random.Generator, codes: Mapping[str, np.ndarray], sizes: Mapping[str, int], spread: float
) -> np.ndarray:
    """A factor for every leaf: the product of one log-normal factor for each value of each dimension."""
    factors = [random.lognormal(0, spread, size)[codes[name]] for name, size in sizes.items()]
    return np.prod(factors, axis=0)


def _cause(
    random: np.random.Generator,
    level: Level,
    codes: Mapping[str, np.ndarray],
    traffic: np.ndarray,
    rate: np.ndarray,
    taken: np.ndarray,
    losses: list[float],
    is_gain: bool,
) -> tuple[tuple[str, ...], int, float, float]:
    """The dimensions of a cause, one of its leaves, and its effect; clear enough to be seen, and in nobody's way."""
    above = _NESTED_ABOVE if level.is_nested else {}
    choices = {
        size: [
            names
            for names in combinations(codes, size)
            if not any(set(above.get(name, ())) & set(names) for name in names)
        ]
        for size in level.sizes
    }
    for _ in range(_MOST_ATTEMPTS):
        size = int(random.choice(level.sizes))
        names = choices[size][random.integers(len(choices[size]))]
        leaf = int(random.integers(len(traffic)))
        inside = np.logical_and.reduce([codes[name] == codes[name][leaf] for name in names])
        effect = random.uniform(0.25, 0.5) if is_gain else -random.uniform(0.2, 0.7)
        expected = float((traffic * rate)[inside].sum())
        z = abs(effect) * np.sqrt(expected / (1 - rate[inside].mean()))
        share = traffic[inside].sum() / traffic.sum()
        loss = abs(effect) * expected
        is_comparable = all(_SMALLEST_SHARE * other <= loss <= other / _SMALLEST_SHARE for other in losses)
        if level.z[0] <= z <= level.z[1] and share <= 0.4 and is_comparable and not taken[inside].any():
            return names, leaf, effect, loss
    raise ValueError("no slice of this cube shows such a cause")
