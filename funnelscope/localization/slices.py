"""All slices of a cube in one numbering, so that a sum over each of them is one pass over the leaves."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations

import numpy as np
import pandas as pd

from funnelscope.localization.arrays import Floats, Integers, Texts

Hierarchy = Mapping[str, Sequence[str]]
"""Dimension → the dimensions that it determines, nearest first: creative → campaign, channel."""

_CELLS_PER_LEAF = 1
"""A cuboid may number this many cells a leaf before its cells are numbered again."""


@dataclass(frozen=True)
class Cuboid:
    """The slices that name the same dimensions; `numbers` gives the slice of each leaf."""

    dimensions: tuple[str, ...]
    numbers: Integers


class Slices:
    """Slices of one to `max_dimensions` dimensions over leaves, numbered 0 … `count` − 1.

    A dimension that another one of the slice determines is never named beside it: {campaign, creative} is {creative}.
    """

    def __init__(self, leaves: pd.DataFrame, dimensions: Sequence[str], hierarchy: Hierarchy, max_dimensions: int):
        self.hierarchy = hierarchy
        self.values: dict[str, Texts] = {}
        self.codes: dict[str, Integers] = {}
        for dimension in dimensions:
            column = leaves[dimension]
            is_coded = isinstance(column.dtype, pd.CategoricalDtype)
            codes, values = pd.factorize(column if is_coded else column.astype(str))
            self.codes[dimension], self.values[dimension] = codes, np.asarray(values)
        self.cuboids: list[Cuboid] = []
        self._first: list[int] = []
        self.count = 0
        for size in range(1, min(max_dimensions, len(dimensions)) + 1):
            for names in combinations(dimensions, size):
                if not any(above in names for name in names for above in hierarchy.get(name, ())):
                    self._add(names)
        self.cuboid_of = np.repeat(np.arange(len(self.cuboids)), np.diff([*self._first, self.count]))
        self.size_of = np.array([len(cuboid.dimensions) for cuboid in self.cuboids])[self.cuboid_of]

    def _add(self, names: tuple[str, ...]) -> None:
        numbers = np.zeros(len(self.codes[names[0]]), np.int64)
        count = 1
        for name in names:
            numbers = numbers * len(self.values[name]) + self.codes[name]
            count *= len(self.values[name])
        if count > _CELLS_PER_LEAF * len(numbers) + 1000:
            numbers, found = pd.factorize(numbers)
            count = len(found)
        self.cuboids.append(Cuboid(names, numbers))
        self._first.append(self.count)
        self.count += count

    def sum_over(self, weights: Floats, leaves: Integers | None = None) -> Floats:
        """The sum of a weight over each slice; `leaves` restricts it to those leaves, whose weights are then given."""
        ends = [*self._first[1:], self.count]
        parts = (
            np.bincount(cuboid.numbers if leaves is None else cuboid.numbers[leaves], weights, end - first)
            for cuboid, first, end in zip(self.cuboids, self._first, ends, strict=True)
        )
        return np.concatenate(list(parts))

    def find_members(self, number: int) -> Integers:
        """The leaves of a slice."""
        which = self.cuboid_of[number]
        return np.flatnonzero(self.cuboids[which].numbers == number - self._first[which])

    def name_slice(self, number: int) -> dict[str, str]:
        """A slice as {dimension: value}."""
        leaf = self.find_members(number)[0]
        names = self.cuboids[self.cuboid_of[number]].dimensions
        return {name: str(self.values[name][self.codes[name][leaf]]) for name in names}

    def find_families(self, number: int) -> list[tuple[int, Integers, Integers]]:
        """Each parent of a slice, its leaves, and for each of them the slice of the same dimensions that it is in.

        A parent leaves one dimension out, or names what determines it next: the parent of a creative is its campaign.
        """
        which = int(self.cuboid_of[number])
        names, leaf = self.cuboids[which].dimensions, self.find_members(number)[0]
        families = []
        for name in names:
            for above in [*self.hierarchy.get(name, ())[:1], None]:
                parent_names = {other for other in names if other != name} | ({above} if above else set())
                parent_which = self._find_cuboid(parent_names)
                if parent_which is not None:
                    parent = self._first[parent_which] + int(self.cuboids[parent_which].numbers[leaf])
                    members = self.find_members(parent)
                    families.append((parent, members, self.cuboids[which].numbers[members] + self._first[which]))
                    break
        return families

    def find_parts(self, number: int) -> list[Integers]:
        """For each further dimension that can be named, the slices that make up this one."""
        which, members = int(self.cuboid_of[number]), self.find_members(number)
        named = set(self.cuboids[which].dimensions)
        finer = (
            self._find_cuboid({name, *named.difference(self.hierarchy.get(name, ()))})
            for name in self.codes
            if name not in named
        )
        return [np.unique(self.cuboids[w].numbers[members]) + self._first[w] for w in finer if w is not None]

    def _find_cuboid(self, names: set[str]) -> int | None:
        return self._cuboid_of_names.get(frozenset(names))

    @cached_property
    def _cuboid_of_names(self) -> dict[frozenset[str], int]:
        return {frozenset(cuboid.dimensions): which for which, cuboid in enumerate(self.cuboids)}
