"""The diagnosis against faults in the stage cubes alone, for `make bench-diagnosis`: many seeds, no events.

The leaves of a shop's clean days (the baseline of `bench_pipeline`) say how many enter. Rates have the margins of those
days in every dimension, and move from day to day by 2 % of noise in each channel, device and team. Twenty-eight days
drawn so are the baseline, one more is judged. A fault takes its share of one step's passes in one slice of one cube;
the other cubes know nothing of it.
"""

import argparse
import json
import shutil
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from bench_pipeline import FIRST_DATE, SLICES, copy_home, is_near, make_baseline, use

from sql.warehouse import Warehouse, open_warehouse

DAYS = 28
PRIOR_ENTRIES = 30  # of a day: a value's own rate is drawn towards the cube's as if by so many entries
NOISE = 0.02
RAKING_ROUNDS = 3
BEGINS = FIRST_DATE + timedelta(days=15)  # the drawn days are regular ones: behind the shop's sale
JUDGED = BEGINS + timedelta(days=DAYS)


@dataclass(frozen=True)
class Cube:
    """A stage cube: its columns from entry to the last pass, each a part of the one before, and its dimensions."""

    chain: tuple[str, ...]
    dimensions: tuple[str, ...]


DETERMINED = ("campaign", "creative", "audience", "landing_page", "category", "agent", "shift")
NOISY = ("channel", "device", "team")
SOURCE = ("channel", "campaign", "creative", "landing_page", "audience", "device", "region")
VISIT = (*SOURCE, "entry_type", "is_returning", "entry_hour_block")
CUBES = {
    "arrival_cube": Cube(("identified_clicks", "arrived_clicks"), SOURCE),
    "landing_cube": Cube(("sessions", "reached_qualified_product_view"), VISIT),
    "decision_cube": Cube(
        ("sessions", "reached_favorite_or_cart", "reached_checkout", "reached_order", "reached_paid"),
        (*VISIT, "first_category", "inquiry_class"),
    ),
    "product_cube": Cube(("viewed", "carted"), ("product_id", "category", "channel", "device")),
    "checkout_cube": Cube(("checkouts", "ordered", "paid"), ("coupon", "promotion", "channel", "device")),
    "payment_cube": Cube(("orders", "paid"), ("payment_provider", "device", "region")),
    "inquiry_cube": Cube(("inquiries", "paid"), ("team", "agent", "shift", "inquiry_class")),
    "repurchase_cube": Cube(
        ("active_customers", "purchased"), ("first_channel", "is_member", "last_category", "recency", "is_cared_for")
    ),
}


@dataclass(frozen=True)
class Planted:
    """A fault in one cube: the share of `column`'s passes that is lost, or of entries that are added."""

    cube: str
    column: str
    share: float
    is_flood: bool = False


FAULTS = {
    "creative_mismatch": Planted("decision_cube", "reached_favorite_or_cart", 0.45),
    "slow_first_screen": Planted("landing_cube", "reached_qualified_product_view", 0.25),
    "broken_coupon": Planted("checkout_cube", "ordered", 0.60),
    "late_answers": Planted("inquiry_cube", "paid", 0.35),
    "bad_reviews": Planted("product_cube", "carted", 0.40),
    "bot_flood": Planted("landing_cube", "sessions", 1.5, is_flood=True),
    "payment_outage": Planted("payment_cube", "paid", 0.30),
    "care_stopped": Planted("repurchase_cube", "purchased", 0.20),
}
"""Lost tracking needs sessions to be seen, and is in bench_pipeline alone."""

Row = dict[str, Any]


def main() -> None:
    """Draws days, diagnoses them, prints a table in Markdown."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--folder", type=Path, help="where the baseline is kept; a temporary folder if left out")
    parser.add_argument("--sizes", type=int, nargs="*", default=[20_000, 200_000], help="sessions a day")
    parser.add_argument("--seeds", type=int, default=30, help="days a fault")
    parser.add_argument("--clean", type=int, default=300, help="days without a fault, every fifth with another mix")
    chosen = parser.parse_args()
    folder = chosen.folder or Path(tempfile.mkdtemp(prefix="funnelscope-bench-"))
    try:
        baseline = folder / "baseline-20000"
        make_baseline(baseline, 20_000)
        for sessions in chosen.sizes:
            home = folder / "stages"
            copy_home(baseline, home)
            print_table(judge_days(home, sessions / 20_000, chosen.seeds, chosen.clean), sessions)
    finally:
        if not chosen.folder:
            shutil.rmtree(folder)


def judge_days(home: Path, size: float, seeds: int, clean: int) -> list[Row]:
    """One row a judged day: kind, expected z, findings, seconds."""
    from assets.diagnosis.daily import diagnose_days

    settings = use(home).model_copy(update={"opening_date": BEGINS})
    rows: list[Row] = []
    wanted = [(kind, seed) for kind in FAULTS for seed in range(seeds)]
    wanted += [("mix_shift" if seed % 5 == 4 else "clean", seed) for seed in range(clean)]
    with open_warehouse(settings.warehouse_path) as warehouse:
        pools = {name: pool(warehouse, name) for name in CUBES}
        clear(warehouse)
        for day in range(DAYS):
            write_day(warehouse, pools, BEGINS + timedelta(days=day), np.random.default_rng([day]), size, "clean", {})
        for kind, seed in wanted:
            random = np.random.default_rng([1, len(rows), seed])
            slice_ = SLICES[kind][seed % len(SLICES[kind])] if kind in SLICES else {}
            z = write_day(warehouse, pools, JUDGED, random, size, kind, slice_)
            started = time.perf_counter()
            diagnose_days(warehouse, settings, JUDGED, JUDGED)
            seconds = time.perf_counter() - started
            findings = _findings(warehouse)
            rows.append({"kind": kind, "z": z, "equal_slices": [slice_], "findings": findings, "seconds": seconds})
    return rows


def pool(warehouse: Warehouse, name: str) -> pd.DataFrame:
    """The leaves of the cube over all regular days behind the sale, a day's worth of each."""
    cube = CUBES[name]
    days = "(select count(distinct business_date) from marts.landing_cube where business_date >= $first)"
    sums = ", ".join(f"sum({column})::DOUBLE / {days} as {column}" for column in cube.chain)
    names = ", ".join(cube.dimensions)
    query = f"select {names}, {sums} from marts.{name} where business_date >= $first group by all order by all"
    return warehouse.execute(query, first=BEGINS).df()


def clear(warehouse: Warehouse) -> None:
    """Leaves no day but the drawn ones."""
    from assets.diagnosis.tables import create_tables

    create_tables(warehouse)
    for name in CUBES:
        warehouse.execute(f"delete from marts.{name}")
    for table in ("findings", "days", "slice_days", "follow_ups", "evidence"):
        warehouse.execute(f"delete from diagnosis.{table}")
    warehouse.execute("delete from quality.day_verdict where business_date >= $judged", judged=JUDGED)
    warehouse.execute(
        "insert into quality.day_verdict by name select * replace ($judged::DATE as business_date) "
        "from quality.day_verdict where business_date = $last",
        judged=JUDGED,
        last=JUDGED - timedelta(days=1),
    )


def write_day(
    warehouse: Warehouse,
    pools: Mapping[str, pd.DataFrame],
    day: date,
    random: np.random.Generator,
    size: float,
    kind: str,
    slice_: Mapping[str, str],
) -> float:
    """Replaces a day in every cube by a drawn one; returns the z that its fault is expected to show."""
    z = 0.0
    for name, leaves in pools.items():
        cube = CUBES[name]
        size_of_leaf = np.full(len(leaves), size)
        if kind == "mix_shift" and "channel" in cube.dimensions:
            size_of_leaf[(leaves["channel"] == slice_["channel"]).to_numpy()] *= 2
        rates = rates_of(leaves, cube, random)
        entries = random.poisson(leaves[cube.chain[0]].to_numpy() * size_of_leaf)
        planted = FAULTS.get(kind)
        if planted and planted.cube == name:
            inside = np.ones(len(leaves), bool)
            for dimension, value in slice_.items():
                inside &= (leaves[dimension] == value).to_numpy()
            z = plant(entries, rates, cube, planted, inside)
        counts = [entries]
        for rate in rates:
            counts.append(random.binomial(counts[-1], rate))
        frame = leaves[list(cube.dimensions)].copy()
        for position, column in enumerate(cube.chain):
            frame[column] = counts[position]
        frame["business_date"] = day
        frame = frame[frame[cube.chain[0]] > 0]
        if name == "decision_cube":
            frame["paid_amount"] = 150 * frame["reached_paid"]
            frame["paid_orders"] = frame["reached_paid"]
        if name == "payment_cube":
            frame["presale_orders"] = 0
        warehouse.execute(f"delete from marts.{name} where business_date = $day", day=day)
        warehouse.connection.register("drawn", frame)
        warehouse.connection.execute(f"insert into marts.{name} by name select * from drawn")
        warehouse.connection.unregister("drawn")
    return z


def rates_of(leaves: pd.DataFrame, cube: Cube, random: np.random.Generator) -> list[np.ndarray]:
    """The day's rate of every step of the chain against the one before, a leaf each: main effects, raked."""
    rates = []
    for before, step in pairwise(cube.chain):
        entered = leaves[before].to_numpy()
        overall = leaves[step].sum() / entered.sum()
        rate = np.full(len(leaves), overall)
        effects = [pd.factorize(leaves[name]) for name in cube.dimensions if name not in DETERMINED]
        for codes, _ in RAKING_ROUNDS * effects:
            passed, expected = (np.bincount(codes, counts) for counts in (leaves[step], entered * rate))
            prior = PRIOR_ENTRIES * overall
            rate = (rate * ((passed + prior) / (expected + prior))[codes]).clip(0.001, 0.97)
        for name in NOISY:
            if name in cube.dimensions:
                codes, values = pd.factorize(leaves[name])
                rate *= np.exp(NOISE / np.sqrt(2) * random.standard_normal(len(values)))[codes]
        rates.append(rate.clip(0.001, 0.97))
    return rates


def plant(entries: np.ndarray, rates: list[np.ndarray], cube: Cube, planted: Planted, inside: np.ndarray) -> float:
    """Takes the fault's share away from the slice, in place; returns the z of `pipelines.simulate.visibility`."""
    step = cube.chain.index(planted.column)
    if planted.is_flood:
        people = entries[inside].sum()
        passed = (entries * rates[0])[inside].sum()
        entered, expected, lost = people * (1 + planted.share), passed * (1 + planted.share), passed * planted.share
        entries[inside] = np.round(entries[inside] * (1 + planted.share))
        rates[0][inside] /= 1 + planted.share
    else:
        reached = entries.astype(float)
        for rate in rates[: step - 1]:
            reached *= rate
        entered, expected = reached[inside].sum(), (reached * rates[step - 1])[inside].sum()
        lost = planted.share * expected
        rates[step - 1][inside] *= 1 - planted.share
    variance = expected * (1 - expected / entered) * (1 + 1 / DAYS) + (NOISE * expected) ** 2
    return float(lost / np.sqrt(variance)) if variance > 0 else 0.0


def _findings(warehouse: Warehouse) -> list[Row]:
    rows = warehouse.records(
        "select rank, slice, fault_class, status, z from diagnosis.findings "
        f"where business_date = date '{JUDGED}' and status != 'recovered' order by rank"
    )
    return [{**row, "slice": json.loads(row["slice"])} for row in rows]


def print_table(rows: list[Row], sessions: int) -> None:
    print(f"\n### Stage cubes, {sessions:,} sessions a day\n")
    print("| fault | days | z of a day | found | top-1 | top-3 | near-1 | seconds |")
    print("|---|---:|---:|---:|---:|---:|---:|---:|")
    for kind in dict.fromkeys(row["kind"] for row in rows):
        own = [row for row in rows if row["kind"] == kind]
        found = np.mean([bool(row["findings"]) for row in own])
        seconds = np.median([row["seconds"] for row in own])
        if kind in FAULTS:
            top1 = np.mean([_names(row, 1) for row in own])
            top3 = np.mean([_names(row, 3) for row in own])
            near = np.mean([bool(row["findings"]) and is_near(row, row["findings"][0]) for row in own])
            z = np.median([row["z"] for row in own])
            shares = " | ".join(f"{share:.0%}" for share in (found, top1, top3, near))
            print(f"| {kind} | {len(own)} | {z:.1f} | {shares} | {seconds:.1f} |")
        else:
            print(f"| {kind}: should be silent | {len(own)} | – | {found:.1%} | – | – | – | {seconds:.1f} |")


def _names(row: Row, first: int) -> bool:
    """Whether one of the first findings is the slice; a team is its shift, and a shift its team."""
    from pipelines.simulate.world import SHIFT_OF_TEAM

    def normal(slice_: Mapping[str, str]) -> dict[str, str]:
        named = dict(slice_)
        if "team" in named:
            named["shift"] = SHIFT_OF_TEAM[named.pop("team")]
        return named

    return any(normal(finding["slice"]) == normal(row["equal_slices"][0]) for finding in row["findings"][:first])


if __name__ == "__main__":
    main()
