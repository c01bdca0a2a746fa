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
from funnelscope.localization.mix import RateChange, decompose_change
from funnelscope.localization.scan import LocalizedSlice, ScanOptions, scan
from funnelscope.localization.slices import Hierarchy
from funnelscope.localization.sums import scan_sums
from funnelscope.messages.check_observations import LocalizedMessage

RATIO: Final = ("real_num", "real_den", "predict_num", "predict_den")
ADDITIVE: Final = ("real", "predict")
_RATIO_ERROR: Final = 0.005  # half of what is meant: a cube tells less of its own noise than history would
_FAILURE_EFFECT: Final = 0.5  # half as many again fail
_DEEPEST_RATIO: Final = 3  # dimensions of a slice
_DEEPEST_SUM: Final = 5
_MOST_CELLS: Final = 10_000_000  # leaves times cuboids: some 10 s and 100 MB
_MANY_VALUES: Final = 5_000  # of one dimension, before the thin ones are put together
_USUAL_HISTORY_DAYS: Final = 7
_OTHER: Final = "(all thin values)"
_NO_VALUE: Final = "(none)"


@dataclass(frozen=True)
class Localization:
    """The answer for one cube.

    Findings, best first; how long it took, in seconds of wall clock; what the reader should know; and, of a ratio, how
    the whole changed. A remark is a sentence in English that can be said in any language of the words files.
    """

    findings: tuple[LocalizedSlice, ...]
    seconds: float
    remarks: tuple[LocalizedMessage, ...]
    change: RateChange | None = None


class CubeError(ValueError):
    """Nothing can be said about this cube; `message` says why, in any language of the words files."""

    def __init__(self, key: str, /, **values: str | int | Sequence[LocalizedMessage]) -> None:
        self.message = LocalizedMessage(key, **values)
        super().__init__(self.message)


def read_cube(path: Path) -> pd.DataFrame:
    """A cube from a CSV file (gzip too) or a Parquet file; dimension values stay text. Raises CubeError."""
    try:
        if not path.exists() or path.stat().st_size == 0:
            raise CubeError("cube_empty_file" if path.exists() else "cube_no_file", file=str(path))
        if path.suffix == ".parquet":
            return pd.read_parquet(path)
        header = pd.read_csv(path, nrows=0).columns
        if len(header) == 1 and (found := [mark for mark in (";", "\t", "|") if mark in header[0]]):
            raise CubeError("cube_other_separator", file=str(path), mark=repr(found[0]))
        texts = {name: str for name in header if name not in (*RATIO, *ADDITIVE)}
        return pd.read_csv(path, dtype=texts, keep_default_na=False, na_values={name: [""] for name in header})
    except CubeError:
        raise
    except UnicodeDecodeError as error:
        raise CubeError("cube_not_utf8", file=str(path), byte=error.start + 1) from None
    except (ValueError, OSError, EOFError) as error:
        format_ = "Parquet" if path.suffix == ".parquet" else "CSV"
        raise CubeError("cube_unreadable", file=str(path), format=format_, error=str(error)) from None


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
    remarks: list[LocalizedMessage] = []
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
            LocalizedMessage("cube_short_baseline", periods=f"{baseline_periods:g}", enough=_USUAL_HISTORY_DAYS)
        )
    if len(leaves) < 2 or not searched:
        today, usual = _measure_whole(rows, is_ratio)
        remarks.append(LocalizedMessage("cube_one_leaf", today=f"{today:.6g}", usual=f"{usual:.6g}"))
        return Localization((), time.perf_counter() - started, tuple(remarks))
    depth = _choose_depth(len(searched), len(leaves), _DEEPEST_RATIO if is_ratio else _DEEPEST_SUM, remarks)
    change = None
    if is_ratio:
        options = ScanOptions(max_dimensions=depth, family_wise_error=_RATIO_ERROR, min_failure_effect=_FAILURE_EFFECT)
        ratio_leaves = _prepare_ratio_leaves(leaves, searched, hierarchy, baseline_periods)
        change = decompose_change(ratio_leaves, searched)
        scanned = ratio_leaves[ratio_leaves["expected"] > 0].reset_index(drop=True)
        found = scan(scanned, searched, hierarchy, options)
    else:
        found = scan_sums(leaves[(leaves["real"] != 0) | (leaves["predict"] != 0)], searched, hierarchy, depth)
    remarks += _describe_change(rows, change, is_explained=bool(found.findings))
    if found.slices_looked_at == 0:
        remarks.append(LocalizedMessage("cube_nothing_to_look_at", least=ScanOptions().min_expected))
    return Localization(found.findings, time.perf_counter() - started, tuple(remarks), change)


def _find_measures(
    cube: pd.DataFrame, dimensions: Sequence[str], hierarchy: Hierarchy, baseline_periods: float
) -> tuple[str, ...]:
    """The columns to work on; raises CubeError when something that is named is not there."""
    held = list(map(str, cube.columns))
    _check_dimensions(held, dimensions, hierarchy)
    _check_hierarchy(hierarchy)
    if not 0 < baseline_periods < np.inf:
        raise CubeError("cube_no_baseline_periods", periods=f"{baseline_periods:g}")
    if cube.empty:
        raise CubeError("cube_no_rows")
    for columns in (RATIO, ADDITIVE):
        missing = [name for name in columns if name not in held]
        if not missing:
            return columns
        if len(missing) < len(columns):
            raise CubeError("cube_lacks_measures", missing=", ".join(missing))
    raise CubeError("cube_no_measures", ratio=", ".join(RATIO), sums=", ".join(ADDITIVE), held=", ".join(held))


def _check_dimensions(held: Sequence[str], dimensions: Sequence[str], hierarchy: Hierarchy) -> None:
    """Raises CubeError where a dimension is a measure, is no column, is missing from the list, or none is named."""
    for name in dimensions:
        if name in (*RATIO, *ADDITIVE):
            raise CubeError("cube_measure_as_dimension", name=name)
    mentioned = [*hierarchy, *(above for names in hierarchy.values() for above in names)]
    for name in [*dimensions, *mentioned]:
        if name not in held:
            raise CubeError("cube_no_column", name=name, held=", ".join(held))
    for name in mentioned:
        if name not in dimensions:
            raise CubeError("cube_hierarchy_beside", name=name, dimensions=", ".join(dimensions))
    if not dimensions:
        names = [name for name in held if name not in (*RATIO, *ADDITIVE)]
        raise CubeError("cube_no_dimension", names=", ".join(names))


def _check_hierarchy(hierarchy: Hierarchy) -> None:
    """Raises CubeError where a dimension would determine itself."""
    for name in hierarchy:
        if name in _find_all_above(name, hierarchy):
            raise CubeError("cube_hierarchy_circle", name=name)


def _select_sound_rows(
    cube: pd.DataFrame, dimensions: Sequence[str], columns: tuple[str, ...], remarks: list[LocalizedMessage]
) -> pd.DataFrame:
    """The rows that can be true, with numbers as numbers; says what was left out. Raises CubeError if none is left."""
    rows = cube[[*dimensions, *columns]].reset_index(drop=True)
    faults: list[tuple[LocalizedMessage, pd.Series[bool]]] = []
    for name in columns:
        numbers = pd.to_numeric(rows[name], errors="coerce").replace([np.inf, -np.inf], np.nan).astype(float)
        faults.append((LocalizedMessage("cube_no_number", column=name), numbers.isna()))
        if columns == RATIO:  # a sum is negative where more came back than was sold
            faults.append((LocalizedMessage("cube_negative", column=name), numbers < 0))
        rows[name] = numbers
    if columns == RATIO:
        for name, limit, tolerance in (("real_num", "real_den", 0.0), ("predict_num", "predict_den", 1e-5)):
            is_above = rows[name] > rows[limit] * (1 + tolerance) + tolerance
            faults.append((LocalizedMessage("cube_above", column=name, limit=limit), is_above))
    unsound = pd.Series(False, index=rows.index)
    for fault, where in faults:
        if where.any():
            first = int(np.argmax(where.to_numpy()))
            remarks.append(
                LocalizedMessage("cube_left_out", fault=fault, count=int(where.sum()), rows=len(rows), first=first + 1)
            )
        unsound |= where
    if unsound.all():
        raise CubeError("cube_no_sound_row", remarks=tuple(remarks))
    rows = rows[~unsound]
    baseline = "predict_den" if columns == RATIO else "predict"
    if empty := [name for name in columns if name.startswith("predict") and (rows[name] == 0).all()]:
        name = "predict_den" if "predict_den" in empty else empty[0]
        raise CubeError("cube_no_baseline", name=name)
    if columns == RATIO and rows["real_den"].sum() <= 0:
        raise CubeError("cube_nothing_observed")
    without = int((rows[baseline] == 0).sum())
    if without:
        is_ratio = columns == RATIO
        remarks.append(
            LocalizedMessage(
                "cube_ratio_without_baseline" if is_ratio else "cube_sum_without_baseline",
                column=baseline,
                count=without,
            )
        )
    for name in dimensions:
        rows[name] = _convert_to_text(rows[name]).astype("category")
    twice = int(rows.duplicated(list(dimensions)).sum())
    if twice:
        remarks.append(LocalizedMessage("cube_repeated", count=twice))
    return rows


def _find_all_above(name: str, hierarchy: Hierarchy) -> set[str]:
    above, waiting = set[str](), [name]
    while waiting:
        new = set(hierarchy.get(waiting.pop(), ())) - above
        above |= new
        waiting += new
    return above


def _keep_held_hierarchy(
    rows: pd.DataFrame, hierarchy: Hierarchy, remarks: list[LocalizedMessage]
) -> dict[str, list[str]]:
    """The hierarchy as far as the rows obey it: each inner value lies in one outer value."""
    held: dict[str, list[str]] = {}
    for inner, outers in hierarchy.items():
        for outer in outers:
            pairs = rows[[inner, outer]].drop_duplicates()
            several = pairs[inner].value_counts()
            if several.iloc[0] > 1:
                value, parents = str(several.index[0]), int(several.iloc[0])
                remarks.append(
                    LocalizedMessage("cube_not_nested", inner=inner, outer=outer, value=value, parents=parents)
                )
            else:
                held.setdefault(inner, []).append(outer)
    return held


def _choose_depth(dimensions: int, leaves: int, deepest: int, remarks: list[LocalizedMessage]) -> int:
    """How many dimensions a slice may name, so that all cuboids fit in memory."""
    depth = min(deepest, dimensions)
    while depth > 1 and leaves * sum(comb(dimensions, size) for size in range(1, depth + 1)) > _MOST_CELLS:
        depth -= 1
    if depth < min(deepest, dimensions):
        remarks.append(LocalizedMessage("cube_less_deep", dimensions=dimensions, leaves=leaves, depth=depth))
    return depth


def _convert_to_text(values: "pd.Series[str]") -> "pd.Series[str]":
    if not isinstance(values.dtype, pd.StringDtype):
        values = values.astype(object).where(values.notna(), _NO_VALUE).astype(str)
    return values.fillna(_NO_VALUE)


def _select_searched_dimensions(
    rows: pd.DataFrame, dimensions: Sequence[str], expected: "pd.Series[float] | None", remarks: list[LocalizedMessage]
) -> list[str]:
    """The dimensions that can tell slices apart; thin values of a very wide one are put together, in place."""
    searched = []
    for name in dimensions:
        count = rows[name].nunique()
        if count > _MANY_VALUES and expected is not None:
            of_value = expected.groupby(rows[name], observed=True).sum()
            thin = set(of_value.index[of_value < ScanOptions().min_expected])
            rows[name] = rows[name].astype(str).where(~rows[name].isin(thin), _OTHER).astype("category")
            remarks.append(LocalizedMessage("cube_thin_values", name=name, count=count, thin=len(thin)))
        if rows[name].nunique() == 1:
            remarks.append(LocalizedMessage("cube_constant", name=name, value=str(rows[name].iloc[0])))
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
    return leaves[list(dimensions)].assign(
        entered=entered,
        passed=leaves["real_num"],
        observed=leaves["real_num"],
        expected=expected,
        variance=compute_binomial_variance(expected, entered, baseline),
        rate=baseline.rate,
        usual_entered=leaves["predict_den"],
        usual_passed=leaves["predict_num"],
    )


def _describe_change(rows: pd.DataFrame, change: RateChange | None, *, is_explained: bool) -> list[LocalizedMessage]:
    """What to say of a whole that is off by as much as a finding would be: by mix, or alike in all slices."""
    least = ScanOptions().min_effect
    today, usual = _measure_whole(rows, change is not None)
    said = []
    if change and change.has_mix(least):
        usual += change.mix
        is_alone = abs(change.rate) < least * change.usual and not is_explained
        rates = {"usual": _percent(change.usual), "today": _percent(change.today)}
        digits = 2 if change.usual >= 0.02 else 4
        parts = {name: f"{round(100 * getattr(change, name), digits) + 0.0:+.3g}" for name in ("mix", "rate")}
        said.append(LocalizedMessage("cube_mix_alone" if is_alone else "cube_mix_and_rate", **rates, **parts))
        for share in change.shares:
            name = ", ".join(f"{dimension} {value}" for dimension, value in share.slice.items())
            said.append(
                LocalizedMessage(
                    "cube_share_grew", slice=name, usual=_percent(share.usual), today=_percent(share.today)
                )
            )
    if not is_explained and abs(today - usual) >= least * abs(usual) and today != usual:
        said.append(LocalizedMessage("cube_all_alike", today=f"{today:.6g}", usual=f"{usual:.6g}"))
    return said


def _percent(share: float) -> str:
    return f"{100 * share:.3g}%"


def _measure_whole(rows: pd.DataFrame, is_ratio: bool) -> tuple[float, float]:
    total = rows.sum(numeric_only=True)
    if is_ratio:
        return total["real_num"] / total["real_den"], total["predict_num"] / total["predict_den"]
    return total["real"], total["predict"]
