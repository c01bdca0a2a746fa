"""`make bench-diagnosis`: how often the diagnosis is right, and how fast. Prints tables in Markdown; asserts nothing.

CLEAN=300 judges so many clean cubes of each family, else 20. CUBES=/folder adds the cubes of a folder: cases.json
(dims, hierarchy, baseline_periods), labels.json (level, roots) and cases/<name>.csv.gz. Those of level INCIDENTS (RS)
are also judged by a nested cross-validation. Constants were chosen on seeds 0 to 59.
"""

import json
import os
import resource
import statistics
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from itertools import product
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pandas as pd

from funnelscope.localization.localize import localize
from funnelscope.simulator.cubes import (
    BASELINE_DAYS,
    LEVELS,
    SUM_LEVELS,
    PlantedCube,
    generate_ratio_cube,
    generate_sum_cube,
)
from funnelscope.simulator.unequal_cubes import FAMILIES, generate_unequal_cube

SEEDS = range(100, 120)
UNEQUAL_SEEDS = range(460, 480)
FIRST_CLEAN_SEED = 9000
FOLDS = 5
SHUFFLES = 40
CHOICES = {
    "level._IMMUNE": (0.02, 0.05, 0.1),
    "level._TOUCHED": (0.003, 0.01, 0.03),
    "scan._CONTRADICTION": (0.0, np.log(2), 1.3),
}


@dataclass
class Score:
    """What came of the cubes of one level."""

    right: int = 0
    wrong: int = 0
    missed: int = 0
    exact: int = 0
    first: int = 0
    alarms: int = 0
    seconds: list[float] = field(default_factory=list)

    def add(self, found: Sequence[frozenset[tuple[str, str]]], true: set[frozenset[tuple[str, str]]]) -> None:
        hits = len(true & set(found))
        self.right += hits
        self.wrong += len(found) - hits
        self.missed += len(true) - hits
        self.exact += set(found) == true
        self.first += bool(found) and found[0] in true
        self.alarms += bool(found)

    @property
    def f1(self) -> float:
        return 2 * self.right / max(2 * self.right + self.wrong + self.missed, 1)

    def row(self, level: str) -> str:
        cubes = len(self.seconds)
        is_clean = self.right + self.missed == 0
        f1, first = ("–", "–") if is_clean else (f"{self.f1:.3f}", f"{self.first / cubes:.3f}")
        alarms = f"{self.alarms} of {cubes}" if is_clean else "–"
        times = f"{statistics.median(self.seconds):.3f} | {max(self.seconds):.2f}"
        return f"| {level} | {cubes} | {f1} | {self.exact / cubes:.3f} | {first} | {alarms} | {times} |"


def main() -> None:
    sections: list[Callable[[], None]] = [cubes, clean_cubes, large_cubes]
    for section in sections:
        section()


def cubes() -> None:
    """Exact-set F1 by level: a slice counts only if it is named exactly."""
    table("Cubes with planted causes", planted())
    table("Causes that move their parts unequally", unequal())
    if folder := os.environ.get("CUBES"):
        cases = list(labelled(Path(folder)))
        table(f"Cubes of {Path(folder).name}", cases)
        cross_validate([case for case in cases if case[0] == os.environ.get("INCIDENTS", "RS")])


def clean_cubes() -> None:
    """How often a cube without a cause yields a finding."""
    print("\n### Cubes without a cause\n\n| family | cubes | with a finding | median s |\n|---|---:|---:|---:|")
    for family, cases in clean_families().items():
        alarms, seconds = 0, []
        for planted_cube, periods in cases:
            started = time.process_time()
            alarms += bool(
                localize(planted_cube.cube, planted_cube.dimensions, planted_cube.hierarchy, periods).findings
            )
            seconds.append(time.process_time() - started)
        print(f"| {family} | {len(seconds)} | {alarms} | {statistics.median(seconds):.3f} |", flush=True)


def clean_families() -> dict[str, Iterator[tuple[PlantedCube, float]]]:
    count = int(os.environ.get("CLEAN", "20"))

    def cubes_of(make: Callable[[int], PlantedCube], periods: float) -> Iterator[tuple[PlantedCube, float]]:
        return ((make(seed), periods) for seed in range(FIRST_CLEAN_SEED, FIRST_CLEAN_SEED + count))

    families = {
        level: cubes_of(partial(generate_ratio_cube, level), BASELINE_DAYS)
        for level in LEVELS
        if level.startswith("clean")
    }
    for days in (7, 14):
        make = partial(generate_ratio_cube, "clean", baseline_days=days)
        families[f"clean, {days} days"] = cubes_of(make, days)
        families[f"clean, {days} days taken for {BASELINE_DAYS}"] = cubes_of(make, BASELINE_DAYS)
    families["clean, few leaves"] = cubes_of(
        lambda seed: of_two_dimensions(generate_ratio_cube("clean", seed)), BASELINE_DAYS
    )
    families |= {
        name: cubes_of(partial(generate_unequal_cube, name), family.periods)
        for name, family in FAMILIES.items()
        if not family.causes
    }
    return families | {
        level: cubes_of(partial(generate_sum_cube, level), BASELINE_DAYS) for level in SUM_LEVELS if "clean" in level
    }


def of_two_dimensions(planted_cube: PlantedCube) -> PlantedCube:
    """The same day as a cube of 24 leaves."""
    dimensions = ("channel", "device")
    cube = planted_cube.cube.groupby(list(dimensions)).sum(numeric_only=True).reset_index()
    return PlantedCube(cube, dimensions, {}, planted_cube.causes)


def table(title: str, cases: Iterable[tuple[str, PlantedCube, float]]) -> None:
    scores: dict[str, Score] = {}
    for level, planted_cube, periods in cases:
        score = scores.setdefault(level, Score())
        started = time.process_time()
        found = find_keys(planted_cube, periods)
        score.seconds.append(time.process_time() - started)
        score.add(found, list_causes(planted_cube))
    print(f"\n### {title}\n\n| level | cubes | F1 | exact | top-1 | alarms | median s | max s |")
    print("|---|---:|---:|---:|---:|---:|---:|---:|")
    for level in sorted(scores):
        print(scores[level].row(level))
    caused = [score for score in scores.values() if score.right + score.missed]
    print(
        f"\nMean F1 of {len(caused)} levels with causes: {statistics.mean(score.f1 for score in caused):.3f}.", end=""
    )
    seconds = [second for score in scores.values() for second in score.seconds]
    print(f"\nMedian over all cubes: {statistics.median(seconds):.3f} s of one core.", flush=True)


def find_keys(planted_cube: PlantedCube, periods: float) -> list[frozenset[tuple[str, str]]]:
    found = localize(planted_cube.cube, planted_cube.dimensions, planted_cube.hierarchy, periods).findings
    return [key(finding.slice, planted_cube.hierarchy) for finding in found]


def list_causes(planted_cube: PlantedCube) -> set[frozenset[tuple[str, str]]]:
    return {key(cause, planted_cube.hierarchy) for cause in planted_cube.causes}


def cross_validate(cases: Sequence[tuple[str, PlantedCube, float]]) -> None:
    """What the choice of the level is worth on incidents that had no part in it.

    The constants of the level are chosen on all folds but one, and that one is scored; over many shuffles.
    """
    if len(cases) < FOLDS:
        return
    true = [list_causes(planted_cube) for _, planted_cube, _ in cases]
    found = []
    for values in product(*CHOICES.values()):
        with ExitStack() as stack:
            for name, value in zip(CHOICES, values, strict=True):
                stack.enter_context(patch(f"funnelscope.localization.{name}", value))
            found.append([find_keys(planted_cube, periods) for _, planted_cube, periods in cases])

    def score(choice: int, numbers: Iterable[int]) -> Score:
        total = Score()
        for number in numbers:
            total.add(found[choice][number], true[number])
        return total

    f1, first = [], []
    for shuffle in range(SHUFFLES):
        folds = np.array_split(np.random.default_rng(shuffle).permutation(len(cases)), FOLDS)
        total = Score()
        for held in folds:
            others = np.setdiff1d(np.arange(len(cases)), held)
            best = max(range(len(found)), key=lambda choice: score(choice, others).f1)
            for number in held:
                total.add(found[best][number], true[number])
        f1.append(total.f1)
        first.append(total.first / len(cases))
    print(
        f"\nNested cross-validation over {len(cases)} incidents, {SHUFFLES} shuffles: F1 {statistics.mean(f1):.3f} "
        f"({min(f1):.3f}–{max(f1):.3f}), top-1 {statistics.mean(first):.3f}.",
        flush=True,
    )


def unequal() -> Iterator[tuple[str, PlantedCube, float]]:
    for name, family in FAMILIES.items():
        if family.causes:
            for seed in UNEQUAL_SEEDS:
                yield name, generate_unequal_cube(name, seed), family.periods


def planted() -> Iterator[tuple[str, PlantedCube, float]]:
    for seed in SEEDS:
        for level in LEVELS:
            yield level, generate_ratio_cube(level, seed), BASELINE_DAYS
        for level in SUM_LEVELS:
            yield level, generate_sum_cube(level, seed), BASELINE_DAYS


def labelled(folder: Path) -> Iterator[tuple[str, PlantedCube, float]]:
    labels = json.loads((folder / "labels.json").read_text(encoding="utf-8"))
    for name, case in json.loads((folder / "cases.json").read_text(encoding="utf-8")).items():
        cube = pd.read_csv(folder / "cases" / f"{name}.csv.gz", dtype=dict.fromkeys(case["dims"], str))
        planted_cube = PlantedCube(cube, case["dims"], case.get("hierarchy") or {}, labels[name]["roots"])
        yield labels[name]["level"], planted_cube, case.get("baseline_periods") or BASELINE_DAYS


def key(slice_name: Mapping[str, str], hierarchy: Mapping[str, Sequence[str]]) -> frozenset[tuple[str, str]]:
    """A slice without what its other dimensions determine."""
    implied = {above for name in slice_name for above in hierarchy.get(name, ())}
    return frozenset((name, str(value)) for name, value in slice_name.items() if name not in implied)


def large_cubes() -> None:
    """A day with 250,000 leaves and a cause, at several rates."""
    print("\n### A cube of 250,000 leaves\n\n| rate | found | s | most MB |\n|---|---|---:|---:|")
    for rate in (0.02, 0.5, 0.97):
        cube, dimensions = draw_large_cube(rate)
        started = time.process_time()
        found = [finding.slice for finding in localize(cube, dimensions).findings]
        seconds = time.process_time() - started
        megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"| {rate:g} | {found} | {seconds:.1f} | {megabytes:,.0f} |", flush=True)


def draw_large_cube(rate: float) -> tuple[pd.DataFrame, list[str]]:
    """Leaves drawn at random, one page of which loses two fifths."""
    random = np.random.default_rng(1)
    count = 250_000
    sizes = {"page": 60, "region": 31, "device": 6, "channel": 12, "coupon": 10}
    cube = pd.DataFrame({name: random.integers(size, size=count).astype(str) for name, size in sizes.items()})
    cube["real_den"] = random.poisson(8, count)
    cube["real_num"] = random.binomial(cube["real_den"], np.where(cube["page"] == "7", 0.6 * rate, rate))
    before = random.poisson(8 * BASELINE_DAYS, count)
    cube["predict_den"] = before / BASELINE_DAYS
    cube["predict_num"] = random.binomial(before, rate) / BASELINE_DAYS
    return cube, list(sizes)


if __name__ == "__main__":
    main()
