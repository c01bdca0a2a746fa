"""Cubes with planted causes, like those of a shop's day, to measure the accuracy of the localization.

Each level is one difficulty found in practice, with a baseline of 28 days and traffic and rates that vary a little in
every slice. (level, seed) determines a cube.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import combinations
from typing import Final
from zlib import crc32

import numpy as np
import pandas as pd

BASELINE_DAYS = 28
_PLAIN = {"channel": 6, "device": 4, "page": 8, "region": 6, "user": 2}
_NESTED = {"channel": 6, "campaign": 14, "creative": 40, "page": 8, "device": 4, "region": 10, "user": 2}
_NESTED_ABOVE = {"creative": ("campaign", "channel"), "campaign": ("channel",)}
_MAXIMUM_ATTEMPTS = 10_000
_SMALLEST_SHARE = 0.07  # relative to the loss of another cause in the same cube


@dataclass(frozen=True)
class Level:
    """A level of difficulty. `z` bounds how clearly one day shows each cause; `sizes` are the dimensions per cause.

    `rate_noise` and `leaf_noise` are standard deviations of log rates on the day, by value of each dimension and by
    leaf. `mixed_dimensions` is the number of dimensions whose shares change.
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
    "clean, restless leaves": Level((500_000,), causes=(0,), leaf_noise=0.14),
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
class SumLevel:
    """A level of difficulty for sums. Each cause has up to `slices` slices of the same `layers` dimensions.

    `filled` is the share of combinations that occur. `noise` is the standard deviation of the forecast error, as a
    share. `severity` (beyond the noise) is the share of a cause's leaves that is lost or missing from the forecast,
    `spread` its variation among them. `tail`: degrees of freedom of the noise, None for normal. `is_counted`: counts,
    not money.
    """

    sizes: Mapping[str, int]
    noise: tuple[float, float]
    filled: tuple[float, float] = (0.75, 1.0)
    causes: tuple[int, int] = (1, 3)
    slices: tuple[int, int] = (1, 3)
    layers: tuple[int, int] = (1, 5)
    severity: tuple[float, float] = (0.2, 1.0)
    spread: tuple[float, float] = (0.0, 0.1)
    tail: float | None = None
    is_counted: bool = False
    mean_amount: float = 100.0


_FOUR: Final = {"a": 10, "b": 24, "c": 10, "d": 15}
_FIVE: Final = {"a": 10, "b": 12, "c": 10, "d": 8, "e": 5}
_SMALL: Final = {"a": 6, "b": 36, "c": 10, "d": 10}
_FEW: Final = {"a": 4, "b": 5, "c": 3}
SUM_LEVELS: Mapping[str, SumLevel] = {
    "sums, exact forecast": SumLevel(_SMALL, (0.01, 0.01), (0.64, 0.64), layers=(1, 3), spread=(0.0, 0.3)),
    "sums, single leaves": SumLevel(
        _FOUR, (0.0, 0.1), causes=(1, 5), slices=(1, 1), layers=(4, 4), severity=(0.5, 1.0), spread=(0.0, 0.0)
    ),
    "sums, any slice": SumLevel(_FIVE, (0.0, 0.25)),
    "sums, heavy tails": SumLevel(_SMALL, (0.05, 0.15), layers=(1, 3), severity=(0.3, 1.0), tail=4.0),
    "sums, counts": SumLevel(_SMALL, (0.0, 0.1), layers=(1, 2), severity=(0.4, 1.0), is_counted=True, mean_amount=5.0),
    "sums, clean": SumLevel(_FIVE, (0.0, 0.25), causes=(0, 0)),
    "sums, clean, four dimensions": SumLevel(_FOUR, (0.0, 0.1), causes=(0, 0)),
    "sums, clean, exact forecast": SumLevel(_SMALL, (0.01, 0.01), (0.64, 0.64), causes=(0, 0)),
    "sums, clean, few leaves": SumLevel(_FEW, (0.0, 0.25), causes=(0, 0)),
    "sums, clean, heavy tails": SumLevel(_SMALL, (0.05, 0.25), causes=(0, 0), tail=4.0),
    "sums, clean, counts": SumLevel(_SMALL, (0.0, 0.1), causes=(0, 0), is_counted=True, mean_amount=5.0),
}


@dataclass(frozen=True)
class PlantedCube:
    """A cube for `localize`, and the slices that were planted in it."""

    cube: pd.DataFrame
    dimensions: tuple[str, ...]
    hierarchy: Mapping[str, tuple[str, ...]]
    causes: list[dict[str, str]] = field(default_factory=list)


def generate_ratio_cube(level_name: str, seed: int, baseline_days: int = BASELINE_DAYS) -> PlantedCube:
    """A cube of one level: real_num, real_den of the day, and predict_num, predict_den, the mean baseline day."""
    level = LEVELS[level_name]
    random = np.random.default_rng([seed, crc32(level_name.encode())])
    sizes = _NESTED if level.is_nested else _PLAIN
    codes = _draw_leaves(random, sizes)
    entries = int(random.choice(level.entries))
    share = _draw_factors(random, codes, sizes, 0.5) * random.lognormal(0, 0.3, len(codes["user"]))
    share /= share.sum()
    rate = _draw_factors(random, codes, sizes, 0.2) * random.lognormal(0, 0.1, len(share))
    usual_rate = random.uniform(0.03, 0.08) if level.is_nested else random.choice((0.04, 0.12, 0.3))
    rate = np.clip(rate * usual_rate / (share @ rate), 1e-4, 0.9)

    entered_before = random.poisson(entries * baseline_days * share)
    passed_before = random.binomial(entered_before, rate)

    traffic = entries * share * _draw_factors(random, codes, sizes, 0.03) * random.lognormal(0, 0.03)
    for name in random.choice(list(sizes), level.mixed_dimensions, replace=False):
        traffic *= random.lognormal(0, 0.4, sizes[name])[codes[name]]
    day_rate = rate * random.uniform(*level.whole_population) * _draw_factors(random, codes, sizes, level.rate_noise)
    day_rate *= random.lognormal(0, level.leaf_noise, len(share))
    causes: list[dict[str, str]] = []
    losses: list[float] = []
    taken = np.zeros(len(share), bool)
    for number in range(random.choice(level.causes)):
        names, leaf, effect, loss = _draw_cause(
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
    cube["predict_num"], cube["predict_den"] = passed_before / baseline_days, entered_before / baseline_days
    seen = (entered > 0) | (entered_before > 0)
    return PlantedCube(cube[seen], tuple(sizes), _NESTED_ABOVE if level.is_nested else {}, causes)


def generate_sum_cube(level_name: str, seed: int) -> PlantedCube:
    """A cube of sums, real and predict, of one level. Every leaf deviates independently, whatever its size."""
    level = SUM_LEVELS[level_name]
    random = np.random.default_rng([seed, crc32(level_name.encode())])
    codes = _draw_leaves(random, level.sizes)
    kept = random.random(len(codes["a"])) < random.uniform(*level.filled)
    codes = {name: code[kept] for name, code in codes.items()}
    noise = random.uniform(*level.noise)
    usual = random.weibull(random.uniform(0.5, 1.0), int(kept.sum())) * level.mean_amount
    blurred = _blur_amounts(random, usual, noise, level)
    is_real = random.random(len(usual)) < 0.5
    real, predict = np.where(is_real, usual, blurred), np.where(is_real, blurred, usual)
    is_loss = bool(real.sum() <= predict.sum())
    causes: list[dict[str, str]] = []
    named: list[Mapping[str, set[int]]] = []
    for _ in range(random.integers(level.causes[0], level.causes[1] + 1)):
        slices = _draw_slices(random, level, codes, named)
        named.append({name: {member[name] for member in slices} for name in slices[0]})
        severity, spread = random.uniform(*level.severity) + noise, random.uniform(*level.spread)
        for member in slices:
            inside = np.flatnonzero(np.logical_and.reduce([codes[name] == code for name, code in member.items()]))
            left = np.clip(1 - random.normal(severity, spread, len(inside)), 0, None)
            if is_loss:
                real[inside] = predict[inside] * left
            else:
                predict[inside] = real[inside] * left
            causes.append({name: f"{name}{code + 1}" for name, code in member.items()})
    cube = pd.DataFrame({name: [f"{name}{code + 1}" for code in codes[name]] for name in level.sizes})
    return PlantedCube(cube.assign(real=real, predict=predict), tuple(level.sizes), {}, causes)


def _blur_amounts(random: np.random.Generator, usual: np.ndarray, noise: float, level: SumLevel) -> np.ndarray:
    """The forecast of the baseline amounts. Counts are drawn at random as well."""
    if level.tail is None:
        draws = random.normal(0, 1, len(usual))
    else:
        draws = random.standard_t(level.tail, len(usual)) / np.sqrt(level.tail / (level.tail - 2))
    blurred = np.clip(usual * (1 + noise * draws), 0, None)
    return random.poisson(blurred).astype(float) if level.is_counted else blurred


def _draw_slices(
    random: np.random.Generator, level: SumLevel, codes: Mapping[str, np.ndarray], named: list[Mapping[str, set[int]]]
) -> list[dict[str, int]]:
    """The slices of one cause: all of the same dimensions, none sharing a value with another cause."""
    for _ in range(_MAXIMUM_ATTEMPTS):
        size = min(int(random.integers(level.layers[0], level.layers[1] + 1)), len(codes))
        names = sorted(random.choice(list(codes), size, replace=False).tolist())
        if size < len(codes) and any(set(names) == set(other) for other in named):
            continue
        leaves = random.integers(len(codes["a"]), size=random.integers(level.slices[0], level.slices[1] + 1))
        slices = [{name: int(codes[name][leaf]) for name in names} for leaf in leaves]
        is_free = all(
            not any(code in other.get(name, ()) for other in named) for s in slices for name, code in s.items()
        )
        if is_free and len({tuple(member.values()) for member in slices}) == len(slices):
            return slices
    raise ValueError("no slice of this cube is free of the other causes")


def _draw_leaves(random: np.random.Generator, sizes: Mapping[str, int]) -> dict[str, np.ndarray]:
    """The code of every leaf in every dimension: all combinations, creatives nested in campaigns nested in channels."""
    below = {
        name: size for name, size in sizes.items() if name not in ("channel", "campaign") or "creative" not in sizes
    }
    grid = np.indices(tuple(below.values())).reshape(len(below), -1)
    codes = dict(zip(below, grid, strict=True))
    for inner, outer in (("creative", "campaign"), ("campaign", "channel")):
        if inner in codes and outer not in codes:
            codes[outer] = _draw_parents(random, sizes[inner], sizes[outer])[codes[inner]]
    return codes


def _draw_parents(random: np.random.Generator, inner: int, outer: int) -> np.ndarray:
    """The outer value of each inner value. No outer value is empty."""
    return np.concatenate([np.arange(outer), random.integers(0, outer, inner - outer)])


def _draw_factors(
    random: np.random.Generator, codes: Mapping[str, np.ndarray], sizes: Mapping[str, int], spread: float
) -> np.ndarray:
    """A factor for every leaf: the product of one log-normal factor for each value of each dimension."""
    factors = [random.lognormal(0, spread, size)[codes[name]] for name, size in sizes.items()]
    return np.prod(factors, axis=0)


def _draw_cause(
    random: np.random.Generator,
    level: Level,
    codes: Mapping[str, np.ndarray],
    traffic: np.ndarray,
    rate: np.ndarray,
    taken: np.ndarray,
    losses: list[float],
    is_gain: bool,
) -> tuple[tuple[str, ...], int, float, float]:
    """The dimensions of a cause, one of its leaves, and its effect: clear enough to be detected, without overlap."""
    above = _NESTED_ABOVE if level.is_nested else {}
    choices = {
        size: [
            names
            for names in combinations(codes, size)
            if not any(set(above.get(name, ())) & set(names) for name in names)
        ]
        for size in level.sizes
    }
    for _ in range(_MAXIMUM_ATTEMPTS):
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
