"""Every number that the localization gives for small cubes is written down: no change of the code moves one unseen.

The cubes hold what it must tell apart: one cause, several, nested ones, gains, a whole that moved, restless leaves,
thin leaves, heavy tails. `python tests/test_localization_pinned.py` writes the numbers of today.
"""

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from funnelscope.localization.expectation import shrink_rates
from funnelscope.localization.localize import localize
from funnelscope.localization.scan import Scan, ScanOptions, scan
from funnelscope.localization.sums import scan_sums

PINNED = Path(__file__).with_suffix(".json")
NUMBERS = ("theta", "theta_low", "theta_high", "z", "p_value", "deviance", "observed", "expected", "runner_up_gap")
HIERARCHY = {"creative": ("campaign", "channel"), "campaign": ("channel",)}
DIMENSIONS = ("channel", "campaign", "creative", "device", "region")
Causes = Mapping[tuple[tuple[str, str], ...], float]


def leaves_of(seed: int, causes: Causes, *, size: float = 4.0, restless: float = 0.0, regions: int = 4) -> pd.DataFrame:
    """Leaves of nine creatives in six campaigns of three channels; `causes`: slice → observed over expected.

    Args:
        size: mean of the log of what a leaf expects. restless: standard deviation of the log level of leaves.
    """
    random = np.random.default_rng(seed)
    leaves = pd.MultiIndex.from_product(
        [[f"creative{n}" for n in range(9)], ["ios", "android", "pc"], [f"region{n}" for n in range(regions)]],
        names=["creative", "device", "region"],
    ).to_frame(index=False)
    number = leaves["creative"].str[-1].astype(int)
    leaves["campaign"], leaves["channel"] = (
        "campaign" + (number * 2 // 3).astype(str),
        "channel" + (number // 3).astype(str),
    )
    leaves["expected"] = random.lognormal(size, 0.6, len(leaves))
    level = np.exp(random.normal(0, restless, len(leaves)))
    for slice_, factor in causes.items():
        level *= np.where(np.logical_and.reduce([leaves[name] == value for name, value in slice_]), factor, 1.0)
    leaves["observed"] = random.poisson(leaves["expected"] * level).astype(float)
    leaves["variance"] = leaves["expected"] * random.uniform(0.5, 1.2, len(leaves))
    return leaves


def slice_of(**values: str) -> tuple[tuple[str, str], ...]:
    return tuple(values.items())


def scanned(leaves: pd.DataFrame, **options: Any) -> Scan:
    return scan(leaves, DIMENSIONS, HIERARCHY, ScanOptions(**options))


def wide() -> Scan:
    """Three dimensions with more combinations than leaves have cells for."""
    random = np.random.default_rng(5)
    leaves = pd.DataFrame({name: random.integers(30, size=600).astype(str) for name in ("a", "b", "c")})
    leaves["expected"] = leaves["variance"] = random.lognormal(4, 0.5, 600)
    leaves["observed"] = random.poisson(leaves["expected"] * np.where(leaves["b"] == "7", 0.6, 1)).astype(float)
    return scan(leaves, ("a", "b", "c"))


def most_of_the_traffic() -> Scan:
    leaves = leaves_of(6, {slice_of(region="region0"): 0.75, slice_of(region="region1"): 0.7})
    weight = np.where(leaves["region"].isin(["region0", "region1"]), 8, 1)
    leaves[["observed", "expected", "variance"]] *= weight[:, None]
    return scanned(leaves, level_overdispersion=0.02)


def few_leaves() -> Scan:
    leaves = pd.DataFrame({"team": ["a", "a", "b", "b", "c"], "agent": ["1", "2", "3", "4", "5"]})
    leaves["expected"], leaves["variance"] = [80.0, 60, 90, 40, 25], [70.0, 55, 80, 38, 22]
    leaves["observed"] = [48.0, 40, 92, 39, 27]
    return scan(
        leaves,
        ("team", "agent"),
        {"agent": ("team",)},
        ScanOptions(level_overdispersion=0.03, leaf_overdispersion=0.012),
    )


RATIOS: Mapping[str, Callable[[], Scan]] = {
    "one cause": lambda: scanned(leaves_of(1, {slice_of(device="ios"): 0.7})),
    "a cause of two dimensions": lambda: scanned(leaves_of(2, {slice_of(device="pc", region="region2"): 0.6})),
    "a cause of three": lambda: scanned(
        leaves_of(3, {slice_of(campaign="campaign4", device="pc", region="region2"): 0.3}, size=5)
    ),
    "crossing causes": lambda: scanned(
        leaves_of(
            4, {slice_of(device="ios"): 0.75, slice_of(region="region1"): 1.3, slice_of(creative="creative8"): 0.5}
        )
    ),
    "a campaign": lambda: scanned(leaves_of(5, {slice_of(campaign="campaign4"): 0.6}), slice_overdispersion=0.02),
    "a channel": lambda: scanned(leaves_of(5, {slice_of(channel="channel1"): 0.7}), leaf_overdispersion=0.05),
    "campaigns of a channel": lambda: scanned(
        leaves_of(7, {slice_of(campaign="campaign2"): 0.55, slice_of(campaign="campaign3"): 0.85})
    ),
    "part of a cause": lambda: scanned(
        leaves_of(8, {slice_of(device="ios"): 0.8, slice_of(device="ios", region="region0"): 0.6}, size=5)
    ),
    "many causes": lambda: scanned(
        leaves_of(9, {slice_of(creative=f"creative{n}", region=f"region{n % 4}"): 0.4 for n in range(9)}, size=6),
        max_findings=4,
    ),
    "a whole that moved": lambda: scanned(
        leaves_of(10, {(): 0.8, slice_of(device="pc"): 0.7}), level_overdispersion=0.013
    ),
    "a whole within its history": lambda: scanned(
        leaves_of(11, {(): 0.98, slice_of(device="pc"): 0.8}), level_overdispersion=0.03
    ),
    "restless leaves": lambda: scanned(leaves_of(12, {slice_of(region="region3"): 0.6}, restless=0.2, regions=8)),
    "thin leaves": lambda: scanned(leaves_of(13, {slice_of(device="android"): 0.6}, size=0.5, regions=8)),
    "a gain": lambda: scanned(leaves_of(14, {slice_of(channel="channel2", device="pc"): 1.5})),
    "nothing": lambda: scanned(leaves_of(15, {})),
    "nobody passes": lambda: scanned(leaves_of(16, {slice_of(campaign="campaign1"): 0.0})),
    "little of the whole": lambda: scanned(
        leaves_of(17, {slice_of(device="ios"): 0.5, slice_of(creative="creative3", region="region1"): 0.4}, size=5),
        min_loss_share=0.2,
    ),
    "wide dimensions": wide,
    "most of the traffic": most_of_the_traffic,
    "few leaves": few_leaves,
}


def amounts_of(
    seed: int,
    causes: Mapping[tuple[tuple[str, str], ...], float],
    *,
    noise: float = 0.03,
    tail: float = np.inf,
    values: int = 6,
) -> pd.DataFrame:
    """Leaves of a sum over three dimensions, predicted with an error of Student's t; `causes`: slice → factor."""
    random = np.random.default_rng(seed)
    leaves = pd.MultiIndex.from_product(
        [[f"{name}{n}" for n in range(values)] for name in "abc"], names=["a", "b", "c"]
    ).to_frame(index=False)
    leaves["predict"] = random.lognormal(3, 1, len(leaves))
    error = random.normal(size=len(leaves)) if np.isinf(tail) else random.standard_t(tail, len(leaves))
    level = np.maximum(1 + noise * error, 0.01)
    for slice_, factor in causes.items():
        level *= np.where(np.logical_and.reduce([leaves[name] == value for name, value in slice_]), factor, 1.0)
    leaves["real"] = leaves["predict"] * level
    return leaves


def amounts(*arguments: Any, unpredicted: str = "", **options: Any) -> Scan:
    leaves = amounts_of(*arguments, **options)
    leaves["predict"] = leaves["predict"].where(leaves["b"] != unpredicted, 0.0)
    return scan_sums(leaves, ("a", "b", "c"))


def nested_amounts() -> Scan:
    leaves = amounts_of(25, {slice_of(a="a1"): 0.7, slice_of(a="a4", c="c2"): 0.5})
    leaves["group"] = "g" + (leaves["a"].str[-1].astype(int) // 2).astype(str)
    return scan_sums(leaves, ("group", "a", "b", "c"), {"a": ("group",)}, 3)


def small_amounts_wander_more() -> Scan:
    """So many leaves that their noise is read size by size."""
    leaves = amounts_of(33, {}, noise=0.0, values=17)
    random = np.random.default_rng(33)
    noise = np.clip(0.1 - 0.02 * np.log(leaves["predict"]), 0.03, 0.07)
    leaves["real"] = leaves["predict"] * np.maximum(1 + noise * random.normal(size=len(leaves)), 0.01)
    leaves.loc[leaves["a"] == "a3", "real"] *= 0.7
    leaves.loc[(leaves["b"] == "b3") & (leaves["c"] == "c9"), "real"] *= 1.8
    leaves.loc[leaves["predict"].idxmin(), "real"] *= 5  # one small leaf by itself
    return scan_sums(leaves, ("a", "b", "c"), None, 3)


def drawn_ratio(seed: int) -> Scan:
    """A cube of any kind: how many causes, how deep, how strong, how thin and restless the leaves are."""
    random = np.random.default_rng(seed)
    values = {
        "channel": 3, "campaign": 6, "creative": 9, "region": int(random.integers(2, 6)), "device": 3,
    }  # fmt: skip
    causes = {}
    for _ in range(random.integers(0, 5)):
        names = random.choice(list(values), size=random.integers(1, 4), replace=False)
        devices = ("ios", "android", "pc")
        slice_ = {
            str(name): devices[random.integers(3)] if name == "device" else f"{name}{random.integers(values[name])}"
            for name in names
        }
        causes[tuple(sorted(slice_.items()))] = float(random.choice([0.0, 0.3, 0.6, 0.8, 0.9, 1.2, 2.0]))
    size, restless = float(random.uniform(0.5, 6)), float(random.choice([0.0, 0.0, 0.1, 0.3]))
    leaves = leaves_of(seed, causes, size=size, restless=restless, regions=values["region"])
    if random.random() < 0.3:  # a few values hold most
        leaves[["observed", "expected", "variance"]] *= np.where(leaves["region"] == "region0", 12, 1)[:, None]
    levels = {"level_overdispersion": 0.02} if random.random() < 0.4 else {}
    known = {"slice_overdispersion": 0.015, "leaf_overdispersion": 0.015} if random.random() < 0.4 else {}
    return scanned(leaves.sample(frac=float(random.choice([1.0, 0.5])), random_state=seed), **levels, **known)


def drawn_sum(seed: int) -> Scan:
    random = np.random.default_rng(seed)
    values = int(random.integers(3, 9))
    causes = {}
    for _ in range(random.integers(0, 5)):
        names = random.choice(list("abc"), size=random.integers(1, 4), replace=False)
        slice_ = {str(name): f"{name}{random.integers(values)}" for name in names}
        causes[tuple(sorted(slice_.items()))] = float(random.choice([0.0, 0.4, 0.7, 0.9, 1.3, 3.0]))
    noise, tail = float(random.choice([0.0, 0.02, 0.1, 0.3])), float(random.choice([np.inf, np.inf, 3.0, 1.5]))
    return amounts(seed, causes, noise=noise, tail=tail, values=values)


def digest_of(found: Scan) -> list[Any]:
    """What tells one answer from another: names, and weighted sums of the numbers."""
    numbers = [number for finding in found.findings for number in (getattr(finding, name) for name in NUMBERS)]
    weights = np.cos(np.arange(len(numbers)))
    whole = [found.reference_level, found.reference_error, found.leaf_overdispersion, found.slice_overdispersion]
    names = [json.dumps([finding.slice, finding.runner_up]) for finding in found.findings]
    return [*whole, found.slices_looked_at, *names, float(np.dot(numbers, weights))]


SUMS: Mapping[str, Callable[[], Scan]] = {
    "one cause": lambda: amounts(21, {slice_of(a="a1"): 0.7}),
    "two causes": lambda: amounts(22, {slice_of(a="a1"): 0.7, slice_of(b="b2", c="c3"): 1.6}),
    "parts of a whole": lambda: amounts(23, {slice_of(a="a1", b=f"b{n}"): 0.5 for n in (0, 2, 3)}),
    "heavy tails": lambda: amounts(24, {slice_of(c="c0"): 0.6}, noise=0.05, tail=2.0, values=11),
    "nested": nested_amounts,
    "a forecast that is off": lambda: amounts(26, {(): 1.2, slice_of(b="b5"): 0.6}, noise=0.1),
    "nothing predicted": lambda: amounts(27, {}, unpredicted="b3"),
    "few leaves": lambda: amounts(28, {slice_of(a="a0"): 0.5}, values=2),
    "nothing": lambda: amounts(29, {}, values=5),
    "an exact forecast": lambda: amounts(30, {slice_of(a="a2", b="b2", c="c2"): 0.5, slice_of(b="b0"): 0.9}, noise=0.0),
    "most of the leaves": lambda: amounts(31, {slice_of(a=f"a{n}"): 0.6 + 0.05 * n for n in range(5)}),
    "small amounts wander more": small_amounts_wander_more,
    "noise that grows": lambda: amounts(32, {slice_of(a="a1"): 0.4, slice_of(b="b1"): 0.4}, noise=0.35, values=9),
}


def numbers_of(found: Scan) -> dict[str, Any]:
    """All that a scan says, as JSON holds it."""
    return {
        "whole": [found.reference_level, found.reference_error, found.leaf_overdispersion, found.slice_overdispersion],
        "slices": found.slices_looked_at,
        "findings": [
            {
                "slice": finding.slice,
                "runner_up": finding.runner_up,
                "stability": finding.stability,
                "numbers": [getattr(finding, name) for name in NUMBERS] + [finding.effect, finding.lost],
            }
            for finding in found.findings
        ],
    }


def rates_of(with_pairs: bool) -> list[float]:
    """Moments of shrunk rates over leaves of which a pair of values is off its main effects."""
    random = np.random.default_rng(3)
    codes = [random.integers(size, size=400) for size in (5, 7, 3)]
    entered = random.lognormal(3, 1, 400).round() + 1
    entered[:20] = 0
    rate = 0.2 * np.where((codes[0] == 1) & (codes[1] == 2), 2.5, 1) * np.where(codes[2] == 0, 0.5, 1)
    shrunk = shrink_rates(
        random.binomial(entered.astype(int), rate).astype(float), entered, codes, with_pairs=with_pairs
    )
    weights = np.cos(np.arange(400))
    return [
        float(value)
        for each in (shrunk.rate, shrunk.entries)
        for value in (each.sum(), each @ weights, each.max(), each.min())
    ]


def told_of(name: str) -> dict[str, Any]:
    """What `localize` says of a cube as people bring it."""
    leaves = leaves_of(41, {slice_of(campaign="campaign2"): 0.5, slice_of(region="region1"): 1.3}, size=5)
    cube = leaves[list(DIMENSIONS)].assign(
        real_num=leaves["observed"], real_den=leaves["expected"].round() * 10,
        predict_num=leaves["expected"] * np.linspace(0.95, 1.05, len(leaves)), predict_den=leaves["expected"] * 10,
    )  # fmt: skip
    cube.loc[7, "real_num"], cube.loc[9, "predict_num"], cube.loc[11, "real_den"] = -1, 1e9, np.nan
    cube.loc[[14, 15], ["predict_num", "predict_den"]] = 0
    cube["region"] = cube["region"].where(cube["region"] != "region3", None)
    cube = pd.concat([cube, cube.iloc[20:24]])
    options: dict[str, Any] = {"hierarchy": {"creative": ["campaign", "channel"], "campaign": ["channel"]}}
    if name == "sums":
        amounts = amounts_of(42, {slice_of(b="b1"): 0.6}).assign(shop="one")
        amounts.loc[[3, 4], "predict"], amounts.loc[[4, 5], "real"] = 0, 0
        found = localize(amounts, ["a", "b", "c", "shop"])
    elif name == "all moved":
        found = localize(amounts_of(43, {(): 0.5}, noise=0.01), ["a", "b", "c"])
    elif name == "thin":
        thin = cube.assign(**{each: cube[each] / 40 for each in ("real_num", "real_den", "predict_num", "predict_den")})
        found = localize(thin, DIMENSIONS, options["hierarchy"], baseline_periods=2)
    elif name == "short baseline":
        found = localize(cube, DIMENSIONS, {"device": ["region"]}, baseline_periods=6)
    else:
        found = localize(cube, DIMENSIONS, **options)
    whole = numbers_of(Scan(found.findings, 0.0, 0.0, 0.0, 0.0, 0))
    counts = [re.findall(r"\d[\d,.]*\d|\d", remark) for remark in found.remarks]  # the wording is free
    return {"counts in remarks": counts, "findings": whole["findings"]}


def assert_alike(made: Any, wanted: Any, where: str) -> None:
    """Equal to seven digits; shares of resampled days to a hundredth, for a draw may fall on either side."""
    if isinstance(wanted, dict):
        assert made.keys() == wanted.keys(), where
        for key in wanted:
            assert_alike(made[key], wanted[key], f"{where}, {key}")
    elif isinstance(wanted, list):
        assert len(made) == len(wanted), where
        for number, (one, other) in enumerate(zip(made, wanted, strict=True)):
            assert_alike(one, other, f"{where}, {number}")
    elif isinstance(wanted, float):
        tolerance = {"abs": 0.01} if where.endswith("stability") else {"rel": 1e-7, "abs": 1e-12}
        assert made == pytest.approx(wanted, **tolerance), where
    else:
        assert made == wanted, where


CASES = {
    **{f"ratio: {name}": lambda make=make: numbers_of(make()) for name, make in RATIOS.items()},
    **{f"sum: {name}": lambda make=make: numbers_of(make()) for name, make in SUMS.items()},
    **{
        f"drawn ratios {first}": lambda first=first: [digest_of(drawn_ratio(first + n)) for n in range(20)]
        for first in (100, 120, 140)
    },
    **{
        f"drawn sums {first}": lambda first=first: [digest_of(drawn_sum(first + n)) for n in range(20)]
        for first in (200, 220)
    },
    **{f"rates, with_pairs={each}": lambda each=each: rates_of(each) for each in (False, True)},
    **{
        f"cube: {name}": lambda name=name: told_of(name)
        for name in ("ratio", "thin", "short baseline", "sums", "all moved")
    },
}


@pytest.mark.parametrize("name", CASES)
def test_a_cube_has_the_numbers_that_are_written_down(name: str) -> None:
    assert_alike(CASES[name](), json.loads(PINNED.read_text(encoding="utf-8"))[name], name)


if __name__ == "__main__":
    rounded = {name: make() for name, make in CASES.items()}
    PINNED.write_text(json.dumps(rounded, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
