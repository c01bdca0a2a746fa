"""The diagnosis on days of promotions, for `make bench-promotions`: years of stage cubes with six sales each.

The leaves of a shop (the baseline of `landing_files_to_findings`) say how many enter, as in
`stage_cubes_to_findings`. Every sale has five phases that pull sessions, carts and orders as the simulator's do, each
time by another factor; `--spread` says how far slices move apart in a phase, half of it the same each time; rates of
slices drift by a tenth a year. The 28 days before each sale are drawn, and each day of it is judged; on every fourth a
fault is planted. The other days are clean.
"""

import argparse
import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from landing_files_to_findings import SLICES, is_near, make_baseline, use
from stage_cubes_to_findings import (
    CUBES,
    DETERMINED,
    FAULTS,
    NOISE,
    NOISY,
    Cube,
    inside_of,
    pool,
    rates_of,
    visible,
)

from funnelscope.diagnosis.daily_diagnosis import diagnose_days
from funnelscope.diagnosis.diagnosis_tables import create_tables
from funnelscope.quality.gate import create_tables as create_gate_tables
from funnelscope.settings import Settings
from funnelscope.simulator.promotions import PULLS
from funnelscope.warehouse.connection import Warehouse, open_in_memory_warehouse, open_warehouse
from funnelscope.warehouse.models import build_query_parameters, create_inputs, create_table, load_models

FIRST = date(2024, 1, 1)
DAYS_BEFORE = 28
SALES = {"new_year": 30, "spring": 90, "mid_year": 155, "summer": 225, "autumn": 290, "winter": 340}
PHASES = {"deposit": 3, "preheat": 2, "opening": 1, "main": 2, "after": 1}
OPENED = ("reached_favorite_or_cart", "carted")
ORDERED = ("reached_order", "ordered")
MOVED_LEVEL, HELD_LEVEL, DAILY_LEVEL = 0.10, 0.02, 0.02
YEARLY_DRIFT = 0.10
PLANTED = [kind for kind in FAULTS if kind != "bot_flood"]

Row = dict[str, Any]


@dataclass(frozen=True)
class SaleDay:
    """A day of a sale, or one of the 28 before the first."""

    day: date
    name: str = ""
    phase: str = ""


@dataclass(frozen=True)
class Leaves:
    """A cube's leaves with their usual rates, and the codes of the dimensions that move."""

    cube: Cube
    frame: pd.DataFrame
    rates: list[np.ndarray]
    codes: Mapping[str, tuple[np.ndarray, int]]


def main() -> None:
    """Draws years, judges the days of their sales, prints a table in Markdown."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--folder", type=Path, help="where the baseline is kept; a temporary folder if left out")
    parser.add_argument("--sessions", type=int, default=20_000, help="sessions a day")
    parser.add_argument("--shops", type=int, default=2)
    parser.add_argument("--years", type=int, default=2, help="the first has no twins")
    parser.add_argument("--sales", type=int, default=len(SALES), help="sales a year")
    parser.add_argument("--first-seed", type=int, default=0, help="those from 1000 on are for development")
    parser.add_argument("--spread", type=float, nargs="*", default=[0.0, 0.05, 0.10])
    chosen = parser.parse_args()
    folder = chosen.folder or Path(tempfile.mkdtemp(prefix="funnelscope-bench-"))
    try:
        baseline = folder / "baseline-20000"
        make_baseline(baseline, 20_000)
        leaves = read_leaves(baseline)
        print(
            "| slices move by | year | days | judged | alarms on clean days | planted, z of 6 and more | top-1 | near |"
        )
        print("|---:|---:|---:|---:|---:|---:|---:|---:|")
        for spread in chosen.spread:
            rows = []
            with (folder / f"promotions-{spread}-from-{chosen.first_seed}.jsonl").open("w", buffering=1) as lines:
                for shop in range(chosen.first_seed, chosen.first_seed + chosen.shops):
                    for row in judge_shop(leaves, chosen.sessions / 20_000, chosen, shop, spread):
                        rows.append(row)
                        lines.write(json.dumps(row, default=str) + "\n")
            for year in range(chosen.years):
                print(
                    f"| {spread:.0%} | {year + 1} | {_line([row for row in rows if row['year'] == year])} |", flush=True
                )
    finally:
        if not chosen.folder:
            shutil.rmtree(folder)


def read_leaves(baseline: Path) -> list[Leaves]:
    with open_warehouse(use(baseline).warehouse_path) as warehouse:
        frames = {name: pool(warehouse, name) for name in CUBES}
    found = []
    for name, frame in frames.items():
        cube = CUBES[name]
        codes = {
            each: (np.asarray(code), len(values))
            for each in cube.dimensions
            if each not in DETERMINED
            for code, values in [pd.factorize(frame[each])]
        }
        found.append(Leaves(cube, frame, rates_of(frame, cube), codes))
    return found


def list_days(years: int, sales: int) -> Iterator[SaleDay]:
    for year in range(years):
        for name, start in list(SALES.items())[:sales]:
            first = FIRST + timedelta(days=365 * year + start)
            for number in range(DAYS_BEFORE, 0, -1):
                yield SaleDay(first - timedelta(days=number))
            offset = 0
            for phase, length in PHASES.items():
                for number in range(length):
                    yield SaleDay(first + timedelta(days=offset + number), name, phase)
                offset += length


def judge_shop(
    leaves: Sequence[Leaves], size: float, chosen: argparse.Namespace, shop: int, spread: float
) -> Iterator[Row]:
    days = list(list_days(chosen.years, chosen.sales))
    calendar = [
        {"name": name, "phase": phase, "from": min(own), "to": max(own)}
        for (name, phase, _), own in _group(days).items()
        if name
    ]
    settings = Settings.model_validate(
        {"shop": "bench", "start_date": FIRST, "opening_date": FIRST, "calendar": calendar}
    )
    warehouse = open_year()
    number = 0
    for place, sale_day in enumerate(days):
        random = np.random.default_rng([3, shop, place])
        kind = ""
        if sale_day.name:
            number += 1
            kind = PLANTED[(number // 4 + shop) % len(PLANTED)] if number % 4 == 0 else ""
        slice_ = SLICES[kind][number // 4 % len(SLICES[kind])] if kind else {}
        truth = write_sale_day(warehouse, leaves, sale_day, random, size, shop, spread, kind, slice_)
        warehouse.execute("insert into quality.day_verdict values ($day, 'pass', '[]')", day=sale_day.day)
        if sale_day.name:
            diagnose_days(warehouse, settings, sale_day.day, sale_day.day)
            yield read_row(warehouse, sale_day, kind, slice_) | truth


def _group(days: Sequence[SaleDay]) -> dict[tuple[str, str, int], list[date]]:
    groups: dict[tuple[str, str, int], list[date]] = {}
    for each in days:
        groups.setdefault((each.name, each.phase, (each.day - FIRST).days // 365), []).append(each.day)
    return groups


def open_year() -> Warehouse:
    warehouse = open_in_memory_warehouse()
    create_inputs(warehouse)
    create_gate_tables(warehouse)
    create_tables(warehouse)
    for model in load_models().values():
        create_table(warehouse, model, build_query_parameters(FIRST, FIRST))
    return warehouse


def write_sale_day(
    warehouse: Warehouse,
    every: Sequence[Leaves],
    sale_day: SaleDay,
    random: np.random.Generator,
    size: float,
    shop: int,
    spread: float,
    kind: str,
    slice_: Mapping[str, str],
) -> Row:
    truth: Row = {"z": 0.0}
    pull = PULLS.get(sale_day.phase)
    year = (sale_day.day - FIRST).days / 365
    for leaves in every:
        name = next(key for key, cube in CUBES.items() if cube is leaves.cube)
        cube, frame = leaves.cube, leaves.frame
        counts = [random.poisson(frame[cube.chain[0]].to_numpy() * size * (pull.sessions if pull else 1.0))]
        planted = FAULTS.get(kind)
        for step, (usual, (_, column)) in enumerate(zip(leaves.rates, pairwise(cube.chain), strict=True)):
            level = _draw_level(sale_day, column, shop, random)
            rate = usual * level
            for place, (dimension, (codes, count)) in enumerate(leaves.codes.items()):
                seeds = [shop, len(name), step, place]
                moves = YEARLY_DRIFT * year * np.random.default_rng([4, *seeds]).standard_normal(count)
                if sale_day.name:
                    phase, sale = list(PHASES).index(sale_day.phase), list(SALES).index(sale_day.name)
                    for own in ([5, *seeds, phase], [6, *seeds, phase, sale, int(year)]):
                        moves += spread / np.sqrt(2) * np.random.default_rng(own).standard_normal(count)
                if dimension in NOISY:
                    moves += NOISE / np.sqrt(2) * random.standard_normal(count)
                rate = rate * np.exp(moves)[codes]
            rate = rate.clip(0.001, 0.97)
            passed = random.binomial(counts[-1], rate)
            if planted and (planted.cube, planted.column) == (name, column):
                inside = inside_of(frame, slice_)
                truth = visible(counts[-1][inside], passed[inside], rate[inside], planted.share)
                passed = passed - random.binomial(passed, planted.share * inside)
            counts.append(passed)
        _insert(warehouse, name, leaves, counts, sale_day.day)
    return truth


def _draw_level(sale_day: SaleDay, column: str, shop: int, random: np.random.Generator) -> float:
    """What the sale does to the step as a whole, and how the day differs by itself."""
    move = DAILY_LEVEL * random.standard_normal()
    if not sale_day.name:
        return float(np.exp(move))
    pull = PULLS[sale_day.phase]
    factor = pull.cart if column in OPENED else pull.order if column in ORDERED else 1.0
    is_moved = column in (*OPENED, *ORDERED)
    seed = [7, shop, list(PHASES).index(sale_day.phase), list(SALES).index(sale_day.name), is_moved, sale_day.day.year]
    each_time = np.random.default_rng(seed).standard_normal()
    return float(factor * np.exp(move + (MOVED_LEVEL if is_moved else HELD_LEVEL) * each_time))


def _insert(warehouse: Warehouse, name: str, leaves: Leaves, counts: Sequence[np.ndarray], day: date) -> None:
    frame = leaves.frame[list(leaves.cube.dimensions)].copy()
    for column, values in zip(leaves.cube.chain, counts, strict=True):
        frame[column] = values
    frame["business_date"] = day
    frame = frame[frame[leaves.cube.chain[0]] > 0]
    if name == "decision_cube":
        frame = frame.assign(paid_amount=150 * frame["reached_paid"], paid_orders=frame["reached_paid"])
    if name == "payment_cube":
        frame = frame.assign(presale_orders=0)
    warehouse.connection.register("drawn", frame)
    warehouse.connection.execute(f"insert into marts.{name} by name select * from drawn")
    warehouse.connection.unregister("drawn")


def read_row(warehouse: Warehouse, sale_day: SaleDay, kind: str, slice_: Mapping[str, str]) -> Row:
    ((state, comparison),) = warehouse.rows(
        "select state, why || comparison from diagnosis.days where business_date = $day", day=sale_day.day
    )
    rows = warehouse.records(
        "select cube, step, slice, z, effect from diagnosis.findings where business_date = $day "
        "and status != 'recovered' order by rank",
        day=sale_day.day,
    )
    return {
        "day": str(sale_day.day),
        "year": (sale_day.day - FIRST).days // 365,
        "sale": f"{sale_day.name} {sale_day.phase}",
        "state": state,
        "comparison": comparison,
        "kind": kind,
        "equal_slices": [slice_],
        "findings": [{**row, "slice": json.loads(row["slice"])} for row in rows],
    }


def _line(rows: Sequence[Row]) -> str:
    judged = np.mean([row["state"] == "diagnosed" for row in rows])
    clean = [row for row in rows if not row["kind"] and row["state"] == "diagnosed"]
    alarms = sum(bool(row["findings"]) for row in clean)
    strong = [row for row in rows if row["kind"] and row["z"] >= 6]
    top1 = np.mean([bool(row["findings"]) and row["findings"][0]["slice"] == row["equal_slices"][0] for row in strong])
    near = np.mean([bool(row["findings"]) and is_near(row, row["findings"][0]) for row in strong])
    return f"{len(rows)} | {judged:.0%} | {alarms} of {len(clean)} | {len(strong)} | {top1:.0%} | {near:.0%}"


if __name__ == "__main__":
    main()
