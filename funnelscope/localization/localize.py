"""One cube in, the slices that explain it out: the function behind `funnelscope diagnose --cube`."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from math import comb
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from funnelscope.localization.expectation import compute_binomial_variance, shrink_rates
from funnelscope.localization.scan import LocalizedSlice, ScanOptions, scan
from funnelscope.localization.slices import Hierarchy
from funnelscope.localization.sums import scan_sums

RATIO: Final = ("real_num", "real_den", "predict_num", "predict_den")
ADDITIVE: Final = ("real", "predict")
_RATIO_ERROR: Final = 0.005  # half of what is meant: a cube tells less of its own noise than history would
_DEEPEST_RATIO: Final = 3  # dimensions of a slice
_DEEPEST_SUM: Final = 5
_MOST_CELLS: Final = 10_000_000  # leaves times cuboids: some 10 s and 100 MB
_MANY_VALUES: Final = 5_000  # of one dimension, before the thin ones are put together
_USUAL_HISTORY_DAYS: Final = 7
_OTHER: Final = "(all thin values)"
_NO_VALUE: Final = "(none)"


@dataclass(frozen=True)
class Localization:
    """The answer for one cube: findings, best first; how long it took; what the reader should know about the input."""

    findings: tuple[LocalizedSlice, ...]
    seconds: float
    remarks: tuple[str, ...]


class CubeError(ValueError):
    """Nothing can be said about this cube; the message says why."""


def read_cube(path: Path) -> pd.DataFrame:
    """A cube from a CSV file (gzip too) or a Parquet file; dimension values stay text. Raises CubeError."""
    try:
        if not path.exists() or path.stat().st_size == 0:
            raise CubeError(f"{path}: {'the file is empty' if path.exists() else 'there is no such file'}")
        if path.suffix == ".parquet":
            return pd.read_parquet(path)
        header = pd.read_csv(path, nrows=0).columns
        if len(header) == 1 and (found := [mark for mark in (";", "\t", "|") if mark in header[0]]):
            raise CubeError(f"{path}: its columns stand between {found[0]!r}; write them between commas, or as Parquet")
        texts = {name: str for name in header if name not in (*RATIO, *ADDITIVE)}
        return pd.read_csv(path, dtype=texts, keep_default_na=False, na_values={name: [""] for name in header})
    except CubeError:
        raise
    except UnicodeDecodeError as error:
        raise CubeError(f"{path} is not UTF-8 (byte {error.start + 1}): save it as UTF-8 or Parquet") from None
    except (ValueError, OSError, EOFError) as error:
        raise CubeError(
            f"{path} cannot be read as {'Parquet' if path.suffix == '.parquet' else 'CSV'}: {error}"
        ) from None


def localize(
    cube: pd.DataFrame,
    dimensions: Sequence[str],
    hierarchy: Hierarchy | None = None,
    baseline_periods: float = 28,
) -> Localization:
    """Names the slices that explain why a cube left its baseline.

    `cube` has a row for each combination of `dimensions` and either `real_num, real_den, predict_num, predict_den` (a
    ratio: today's passes and entries, and their means over `baseline_periods` baseline periods) or `real, predict` (a
    sum and what it was predicted to be). `hierarchy` maps a dimension to those it determines, nearest first. Rows that
    contradict themselves are left out and remarked upon. Raises CubeError when nothing can be said.
    """
    started = time.perf_counter()
    remarks: list[str] = []
    dimensions = list(dict.fromkeys(dimensions))
    columns = _find_measures(cube, dimensions, hierarchy or {}, baseline_periods)
    rows = _select_sound_rows(cube, dimensions, columns, remarks)
    hierarchy = _keep_held_hierarchy(rows, hierarchy or {}, remarks)
    is_ratio = columns == RATIO
    expected = rows["predict_num"] * rows["real_den"].sum() / rows["predict_den"].sum() if is_ratio else None
    searched = _select_searched_dimensions(rows, dimensions, expected, remarks)
    leaves = rows.groupby(searched, sort=False, observed=True)[list(columns)].sum().reset_index() if searched else rows
    if is_ratio and baseline_periods < _USUAL_HISTORY_DAYS:
        remarks.append(
            f"the baseline has {baseline_periods:g} periods, fewer than {_USUAL_HISTORY_DAYS}: what is usual in a thin "
            "slice is uncertain, and weekdays are not told apart; only large effects are named"
        )
    if len(leaves) < 2 or not searched:
        remarks.append(f"one leaf: there is no other to compare it with; {_describe_whole(rows, is_ratio)}")
        return Localization((), time.perf_counter() - started, tuple(remarks))
    depth = _choose_depth(len(searched), len(leaves), _DEEPEST_RATIO if is_ratio else _DEEPEST_SUM, remarks)
    if is_ratio:
        options = ScanOptions(max_dimensions=depth, family_wise_error=_RATIO_ERROR)
        found = scan(_prepare_ratio_leaves(leaves, searched, hierarchy, baseline_periods), searched, hierarchy, options)
    else:
        found = scan_sums(leaves[(leaves["real"] > 0) | (leaves["predict"] > 0)], searched, hierarchy, depth)
    if not found.findings and (whole := _describe_moved_whole(rows, is_ratio)):
        remarks.append(f"{whole}; no slice stands out from that")
    if found.slices_looked_at == 0:
        remarks.append(f"no slice is expected to have the {ScanOptions().min_expected:g} passes that a finding needs")
    return Localization(found.findings, time.perf_counter() - started, tuple(remarks))


def _find_measures(
    cube: pd.DataFrame, dimensions: Sequence[str], hierarchy: Hierarchy, baseline_periods: float
) -> tuple[str, ...]:
    """The columns to work on; raises CubeError when something that is named is not there."""
    held = list(map(str, cube.columns))
    _check_dimensions(held, dimensions, hierarchy)
    _check_hierarchy(hierarchy)
    if not 0 < baseline_periods < np.inf:
        raise CubeError(f"the baseline has {baseline_periods:g} periods; without any there is nothing to compare with")
    if cube.empty:
        raise CubeError("the cube has no rows")
    for columns in (RATIO, ADDITIVE):
        missing = [name for name in columns if name not in held]
        if not missing:
            return columns
        if len(missing) < len(columns):
            raise CubeError(
                f"the cube lacks {', '.join(missing)}: without a real and a predicted value nothing can be said"
            )
    raise CubeError(f"the cube has neither {', '.join(RATIO)} nor {', '.join(ADDITIVE)}; it has {', '.join(held)}")


def _check_dimensions(held: Sequence[str], dimensions: Sequence[str], hierarchy: Hierarchy) -> None:
    """Raises CubeError where a dimension is a measure, is no column, is missing from the list, or none is named."""
    for name in dimensions:
        if name in (*RATIO, *ADDITIVE):
            raise CubeError(f"'{name}' is a measure, not a dimension")
    mentioned = [*hierarchy, *(above for names in hierarchy.values() for above in names)]
    for name in [*dimensions, *mentioned]:
        if name not in held:
            raise CubeError(f"the cube has no column '{name}'; it has {', '.join(held)}")
    for name in mentioned:
        if name not in dimensions:
            raise CubeError(f"the hierarchy names '{name}', which is not among the dimensions {', '.join(dimensions)}")
    if not dimensions:
        names = [name for name in held if name not in (*RATIO, *ADDITIVE)]
        raise CubeError(f"no dimension was named: name some of {', '.join(names)} with --dims")


def _check_hierarchy(hierarchy: Hierarchy) -> None:
    """Raises CubeError where a dimension would determine itself."""
    for name in hierarchy:
        if name in _find_all_above(name, hierarchy):
            raise CubeError(f"the hierarchy goes in a circle: '{name}' would determine itself")


def _select_sound_rows(
    cube: pd.DataFrame, dimensions: Sequence[str], columns: tuple[str, ...], remarks: list[str]
) -> pd.DataFrame:
    """The rows that can be true, with numbers as numbers; says what was left out. Raises CubeError if none is left."""
    rows = cube[[*dimensions, *columns]].reset_index(drop=True)
    faults: list[tuple[str, pd.Series[bool]]] = []
    for name in columns:
        numbers = pd.to_numeric(rows[name], errors="coerce").replace([np.inf, -np.inf], np.nan).astype(float)
        faults += [(f"{name} is no number", numbers.isna()), (f"{name} is negative", numbers < 0)]
        rows[name] = numbers
    if columns == RATIO:
        faults.append(("real_num is above real_den", rows["real_num"] > rows["real_den"]))
        faults.append(
            ("predict_num is above predict_den", rows["predict_num"] > rows["predict_den"] * (1 + 1e-5) + 1e-5)
        )
    unsound = pd.Series(False, index=rows.index)
    for fault, where in faults:
        if where.any():
            first = int(np.argmax(where.to_numpy()))
            remarks.append(f"{fault} in {where.sum():,} of {len(rows):,} rows, first in row {first + 1}: left out")
        unsound |= where
    if unsound.all():
        raise CubeError(f"no row can be used: {'; '.join(remarks)}")
    rows = rows[~unsound]
    baseline = "predict_den" if columns == RATIO else "predict"
    if rows[baseline].sum() <= 0 or (columns == RATIO and rows["predict_num"].sum() <= 0):
        name = baseline if rows[baseline].sum() <= 0 else "predict_num"
        raise CubeError(f"{name} is 0 in every row: there is no baseline to compare with")
    if columns == RATIO and rows["real_den"].sum() <= 0:
        raise CubeError("real_den is 0 in every row: nothing was observed")
    without = int((rows[baseline] == 0).sum())
    if without:
        how = (
            "expected from what its dimensions show elsewhere"
            if columns == RATIO
            else "all that they show is unpredicted"
        )
        remarks.append(f"{baseline} is 0 in {without:,} rows: {how}")
    for name in dimensions:
        rows[name] = _convert_to_text(rows[name]).astype("category")
    twice = int(rows.duplicated(list(dimensions)).sum())
    if twice:
        remarks.append(f"{twice:,} rows repeat a leaf: summed")
    return rows


def _find_all_above(name: str, hierarchy: Hierarchy) -> set[str]:
    above, waiting = set[str](), [name]
    while waiting:
        new = set(hierarchy.get(waiting.pop(), ())) - above
        above |= new
        waiting += new
    return above


def _keep_held_hierarchy(rows: pd.DataFrame, hierarchy: Hierarchy, remarks: list[str]) -> dict[str, list[str]]:
    """The hierarchy as far as the rows obey it: each inner value lies in one outer value."""
    held: dict[str, list[str]] = {}
    for inner, outers in hierarchy.items():
        for outer in outers:
            pairs = rows[[inner, outer]].drop_duplicates()
            several = pairs[inner].value_counts()
            if several.iloc[0] > 1:
                remarks.append(
                    f"{inner} '{several.index[0]}' lies in {several.iloc[0]} values of {outer}: {inner} does not "
                    f"determine {outer} in this cube, and they are searched as independent"
                )
            else:
                held.setdefault(inner, []).append(outer)
    return held


def _choose_depth(dimensions: int, leaves: int, deepest: int, remarks: list[str]) -> int:
    """How many dimensions a slice may name, so that all cuboids fit in memory."""
    depth = min(deepest, dimensions)
    while depth > 1 and leaves * sum(comb(dimensions, size) for size in range(1, depth + 1)) > _MOST_CELLS:
        depth -= 1
    if depth < min(deepest, dimensions):
        remarks.append(
            f"{dimensions} dimensions of {leaves:,} leaves: only slices that name up to {depth} were searched; name "
            "fewer dimensions to see deeper"
        )
    return depth


def _convert_to_text(values: "pd.Series[str]") -> "pd.Series[str]":
    if not isinstance(values.dtype, pd.StringDtype):
        values = values.astype(object).where(values.notna(), _NO_VALUE).astype(str)
    return values.fillna(_NO_VALUE)


def _select_searched_dimensions(
    rows: pd.DataFrame, dimensions: Sequence[str], expected: "pd.Series[float] | None", remarks: list[str]
) -> list[str]:
    """The dimensions that can tell slices apart; thin values of a very wide one are put together, in place."""
    searched = []
    for name in dimensions:
        count = rows[name].nunique()
        if count > _MANY_VALUES and expected is not None:
            of_value = expected.groupby(rows[name], observed=True).sum()
            thin = set(of_value.index[of_value < ScanOptions().min_expected])
            rows[name] = rows[name].astype(str).where(~rows[name].isin(thin), _OTHER).astype("category")
            remarks.append(
                f"{name} has {count:,} values; {len(thin):,} of them are too thin to be judged: put together"
            )
        if rows[name].nunique() == 1:
            remarks.append(f"{name} is '{rows[name].iloc[0]}' everywhere: not searched")
        else:
            searched.append(name)
    return searched


def _prepare_ratio_leaves(
    leaves: pd.DataFrame, dimensions: Sequence[str], hierarchy: Hierarchy, baseline_periods: float
) -> pd.DataFrame:
    innermost = [name for name in dimensions if not any(name in above for above in hierarchy.values())]
    entered = leaves["real_den"].to_numpy()
    baseline = shrink_rates(
        leaves["predict_num"].to_numpy() * baseline_periods,
        leaves["predict_den"].to_numpy() * baseline_periods,
        [pd.factorize(leaves[name])[0] for name in innermost],
    )
    expected = entered * baseline.rate
    return (
        leaves[list(dimensions)]
        .assign(
            observed=leaves["real_num"],
            expected=expected,
            variance=compute_binomial_variance(expected, entered, baseline),
        )[expected > 0]
        .reset_index(drop=True)
    )


def _describe_moved_whole(rows: pd.DataFrame, is_ratio: bool) -> str:
    """What to say of a whole that is off by as much as a finding would be; nothing otherwise."""
    today, usual = _measure_whole(rows, is_ratio)
    return _describe_whole(rows, is_ratio) if abs(today / usual - 1) >= ScanOptions().min_effect else ""


def _describe_whole(rows: pd.DataFrame, is_ratio: bool) -> str:
    today, usual = _measure_whole(rows, is_ratio)
    return f"the whole stands at {today:.6g}, its baseline at {usual:.6g}"


def _measure_whole(rows: pd.DataFrame, is_ratio: bool) -> tuple[float, float]:
    total = rows.sum(numeric_only=True)
    if is_ratio:
        return total["real_num"] / total["real_den"], total["predict_num"] / total["predict_den"]
    return total["real"], total["predict"]
