"""The diagnosis against faults in the stage cubes alone, for `make bench-diagnosis`: many seeds, no events.

The leaves of a week of a shop (the baseline of `landing_files_to_findings`) say how many enter. Rates have the
margins of those days in every dimension, and move from day to day by 2 % of noise in each channel, device and team.
Twenty-eight days drawn so are the baseline, one more is judged. A fault takes its share of one step's passes in one
slice of one cube; the other cubes know nothing of it.
"""

import argparse
import json
import shutil
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import groupby, pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from landing_files_to_findings import (
    BASELINE_DAYS,
    FIRST_DATE,
    SLICES,
    is_near,
    is_stated,
    loss_of,
    make_baseline,
    stated_drops,
    use,
)

from funnelscope.diagnosis.daily_diagnosis import diagnose_days
from funnelscope.diagnosis.diagnosis_tables import create_tables
from funnelscope.quality.gate import create_tables as create_gate_tables
from funnelscope.settings import Settings
from funnelscope.warehouse.connection import Warehouse, open_in_memory_warehouse, open_warehouse
from funnelscope.warehouse.models import build_query_parameters, create_inputs, create_table, load_models

DAYS = 28
PRIOR_ENTRIES = 30  # of a day: a value's own rate is drawn towards the cube's as if by so many entries
NOISE = 0.02
RAKING_ROUNDS = 3
SEEDS_PER_BASELINE = 25
POOL_DAYS = 7
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
"""Lost tracking needs sessions to be seen, and is in landing_files_to_findings alone."""

Row = dict[str, Any]


def main() -> None:
    """Draws days, diagnoses them, prints a table in Markdown."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--folder", type=Path, help="where the baseline is kept; a temporary folder if left out")
    parser.add_argument("--sizes", type=int, nargs="*", default=[20_000, 200_000], help="sessions a day")
    parser.add_argument("--seeds", type=int, default=30, help="days a fault")
    parser.add_argument("--clean", type=int, default=300, help="days without a fault, every fifth with another mix")
    parser.add_argument("--first-seed", type=int, default=0, help="other days: those from 1000 on are for development")
    parser.add_argument("--kinds", nargs="*", default=[*FAULTS], help="faults to plant")
    chosen = parser.parse_args()
    folder = chosen.folder or Path(tempfile.mkdtemp(prefix="funnelscope-bench-"))
    try:
        baseline = folder / "baseline-20000"
        make_baseline(baseline, 20_000)
        for sessions in chosen.sizes:
            wanted = [(kind, chosen.first_seed + seed) for kind in chosen.kinds for seed in range(chosen.seeds)]
            wanted += [
                ("mix_shift" if seed % 5 == 4 else "clean", chosen.first_seed + seed) for seed in range(chosen.clean)
            ]
            record = folder / f"stages-{sessions}-from-{chosen.first_seed}.jsonl"
            rows = judge_days(baseline, record, sessions / 20_000, wanted)
            print_table(rows, sessions)
    finally:
        if not chosen.folder:
            shutil.rmtree(folder)


def judge_days(baseline: Path, record: Path, size: float, wanted: Sequence[tuple[str, int]]) -> list[Row]:
    """One row a judged day: kind, expected z, findings, seconds. Those that the record holds are not judged again."""
    settings = use(baseline).model_copy(update={"opening_date": BEGINS, "calendar": ()})
    rows: list[Row] = [json.loads(line) for line in record.read_text().splitlines()] if record.exists() else []
    done = {(row["kind"], row["seed"]) for row in rows}
    with open_warehouse(settings.warehouse_path) as warehouse:
        pools = {name: pool(warehouse, name) for name in CUBES}
    missing = sorted((pair for pair in wanted if pair not in done), key=lambda pair: pair[1] // SEEDS_PER_BASELINE)
    for number, pairs in groupby(missing, key=lambda pair: pair[1] // SEEDS_PER_BASELINE):
        warehouse = drawn_warehouse(pools, size, number)
        for kind, seed in pairs:
            rows.append(judge_day(warehouse, settings, pools, size, kind, seed))
            with record.open("a") as lines:
                lines.write(json.dumps(rows[-1]) + "\n")
    return [row for row in rows if (row["kind"], row["seed"]) in set(wanted)]


def judge_day(
    warehouse: Warehouse, settings: Settings, pools: Mapping[str, pd.DataFrame], size: float, kind: str, seed: int
) -> Row:
    kinds = [*FAULTS, "clean", "mix_shift"]
    random = np.random.default_rng([1, kinds.index(kind), seed, round(size * 1000)])
    slice_ = SLICES[kind][seed % len(SLICES[kind])] if kind in SLICES else {}
    planted = write_day(warehouse, pools, JUDGED, random, size, kind, slice_)
    started = time.process_time()
    diagnose_days(warehouse, settings, JUDGED, JUDGED)
    seconds = time.process_time() - started
    row = {"kind": kind, "seed": seed, "equal_slices": [slice_], "findings": _findings(warehouse), "seconds": seconds}
    state = warehouse.rows("select state, why from diagnosis.days where business_date = $day", day=JUDGED)[0]
    return {**row, **planted, "state": state, "stated": stated_drops(warehouse, kind, JUDGED)}


def drawn_warehouse(pools: Mapping[str, pd.DataFrame], size: float, number: int) -> Warehouse:
    """A warehouse in memory with the drawn baseline of this number."""
    warehouse = open_in_memory_warehouse()
    create_inputs(warehouse)
    create_gate_tables(warehouse)
    create_tables(warehouse)
    for model in load_models().values():
        create_table(warehouse, model, build_query_parameters(BEGINS, BEGINS))
    for position in range(DAYS + 1):
        day = BEGINS + timedelta(days=position)
        warehouse.execute("insert into quality.day_verdict values ($day, 'pass', '[]')", day=day)
        if day < JUDGED:
            write_day(warehouse, pools, day, np.random.default_rng([0, number, position]), size, "clean", {})
    return warehouse


def pool(warehouse: Warehouse, name: str) -> pd.DataFrame:
    """The leaves of the cube over the last week of the shop, a day's worth of each."""
    cube = CUBES[name]
    last = FIRST_DATE + timedelta(days=BASELINE_DAYS - 1)
    sums = ", ".join(f"sum({column})::DOUBLE / {POOL_DAYS} as {column}" for column in cube.chain)
    names = ", ".join(cube.dimensions)
    query = f"select {names}, {sums} from marts.{name} where business_date > $after group by all order by all"
    return warehouse.execute(query, after=last - timedelta(days=POOL_DAYS)).df()


def write_day(
    warehouse: Warehouse,
    pools: Mapping[str, pd.DataFrame],
    day: date,
    random: np.random.Generator,
    size: float,
    kind: str,
    slice_: Mapping[str, str],
) -> Row:
    """Replaces a day in every cube by a drawn one; returns the z that its fault is expected to show, and its losses."""
    truth: Row = {}
    for name, leaves in pools.items():
        cube = CUBES[name]
        size_of_leaf = np.full(len(leaves), size)
        if kind == "mix_shift" and "channel" in cube.dimensions:
            size_of_leaf[(leaves["channel"] == slice_["channel"]).to_numpy()] *= 2
        rates = rates_of(leaves, cube, random)
        entries = random.poisson(leaves[cube.chain[0]].to_numpy() * size_of_leaf)
        planted = FAULTS.get(kind)
        lost_share = np.zeros(len(leaves))
        if planted and planted.cube == name:
            inside = inside_of(leaves, slice_)
            if planted.is_flood:
                truth = flooded(entries, rates, planted, inside)
            else:
                lost_share[inside] = planted.share
        counts = [entries]
        for column, rate in zip(cube.chain[1:], rates, strict=True):
            passed = random.binomial(counts[-1], rate)
            if planted and (planted.cube, planted.column) == (name, column) and lost_share.any():
                lost = random.binomial(passed, lost_share)
                truth = visible(counts[-1][inside], passed[inside], rate[inside], planted.share)
                later = paid_later(pools, name, column, rates, slice_)
                truth["lost_paid_orders"] = int(random.binomial(lost, later).sum())
                truth["lost_on_average"] = float((counts[-1] * rate * lost_share * later).sum())
                passed = passed - lost
            counts.append(passed)
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
    return truth


def rates_of(leaves: pd.DataFrame, cube: Cube, random: np.random.Generator | None = None) -> list[np.ndarray]:
    """The rate of every step of the chain against the one before, a leaf each: main effects, raked.

    Args:
        random: draws the day's own noise; None for the usual rates.
    """
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
            if random and name in cube.dimensions:
                codes, values = pd.factorize(leaves[name])
                rate *= np.exp(NOISE / np.sqrt(2) * random.standard_normal(len(values)))[codes]
        rates.append(rate.clip(0.001, 0.97))
    return rates


def visible(entered: np.ndarray, passed: np.ndarray, rates: np.ndarray, share: float) -> Row:
    """The z of `funnelscope.simulator.fault_visibility`, and the share of the slice's passes that is lost."""
    expected = float((entered * rates).sum())
    variance = expected * (1 - expected / max(entered.sum(), 1)) * (1 + 1 / DAYS) + (NOISE * expected) ** 2
    return {
        "z": float(share * expected / np.sqrt(variance)) if variance > 0 else 0.0,
        "share": share,
        "entered": int(entered.sum()),
    }


def flooded(entries: np.ndarray, rates: list[np.ndarray], planted: Planted, inside: np.ndarray) -> Row:
    """Adds robots to the slice, in place. No order is lost."""
    entries[inside] = np.round(entries[inside] * (1 + planted.share))
    truth = visible(entries[inside], entries[inside], rates[0][inside], planted.share / (1 + planted.share))
    rates[0][inside] /= 1 + planted.share
    return {**truth, "lost_paid_orders": 0, "lost_on_average": 0.0}


def inside_of(leaves: pd.DataFrame, slice_: Mapping[str, str]) -> np.ndarray:
    inside = np.ones(len(leaves), bool)
    for dimension, value in slice_.items():
        inside &= (leaves[dimension] == value).to_numpy()
    return inside


def paid_later(
    pools: Mapping[str, pd.DataFrame],
    name: str,
    column: str,
    rates: Sequence[np.ndarray],
    slice_: Mapping[str, str],
) -> np.ndarray | float:
    """Paid orders that a pass of the column comes to: by the cube's own later steps, else as the slice's usually do.

    A product's carts are those of the whole shop: no later step knows products.
    """
    chain = CUBES[name].chain
    if chain[-1] in ("reached_paid", "paid"):
        return np.prod([np.ones(len(rates[0])), *rates[chain.index(column) :]], axis=0)
    if chain[-1] == "purchased":
        return 1.0
    decision = pools["decision_cube"]
    if name == "product_cube":
        return float(decision["reached_paid"].sum() / pools[name][column].sum())
    inside = inside_of(decision, slice_)
    paying = np.prod(rates_of(decision, CUBES["decision_cube"]), axis=0)
    return float(np.average(paying[inside], weights=decision["sessions"][inside]))


def _findings(warehouse: Warehouse) -> list[Row]:
    rows = warehouse.records(
        "select rank, cube, step, slice, fault_class, status, z, effect, lost_orders, lost_orders_low, "
        "lost_orders_high from diagnosis.findings "
        f"where business_date = date '{JUDGED}' and status != 'recovered' order by rank"
    )
    return [{**row, "slice": json.loads(row["slice"])} for row in rows]


def print_table(rows: Sequence[Row], sessions: int) -> None:
    print(f"\n### Stage cubes, {sessions:,} sessions a day\n")
    print(
        "| fault | days | z of a day | found | top-1 | top-3 | near-1 | within 20 % | rates known | covered | seconds |"
    )
    print("|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|")
    planted = [row for row in rows if row["kind"] in FAULTS]
    groups = [(kind, [row for row in planted if row["kind"] == kind]) for kind in FAULTS]
    groups += [(f"all with z ≥ {least}", [row for row in planted if row["z"] >= least]) for least in (6, 8)]
    for name, own in groups:
        if own:
            print(f"| {name} | {len(own)} | {_line(own)} |")
    for kind in ("clean", "mix_shift"):
        own = [row for row in rows if row["kind"] == kind]
        if own:
            alarms = sum(bool(row["findings"]) for row in own)
            print(f"\n{kind}: {len(own)} days, {alarms} with an alarm.", end="")
    thin = [row for row in planted if row["z"] < 3 and not (row["findings"] and is_near(row, row["findings"][0]))]
    stated = sum(is_stated(row["stated"], row) for row in thin)
    print(f"\nFaults with z < 3 that were not found: {len(thin)}; it is said that they could not be: {stated}")
    print(f"Slowest day: {max(row['seconds'] for row in rows):.1f} s of one core", flush=True)


def _line(own: Sequence[Row]) -> str:
    found = np.mean([bool(row["findings"]) for row in own])
    top1 = np.mean([_names(row, 1) for row in own])
    top3 = np.mean([_names(row, 3) for row in own])
    near = np.mean([bool(row["findings"]) and is_near(row, row["findings"][0]) for row in own])
    losses = [each for row in own if (each := loss_of(row, row["lost_paid_orders"]))]
    within = [abs(loss.error) <= 0.2 for loss in losses]
    lost = [row for row in own if row["lost_paid_orders"]]
    known = [abs(row["lost_on_average"] / row["lost_paid_orders"] - 1) <= 0.2 for row in lost]
    covered = [loss.is_covered for loss in losses if loss.is_covered is not None]
    z = np.median([row["z"] for row in own])
    seconds = np.median([row["seconds"] for row in own])
    shares = [f"{share:.0%}" for share in (found, top1, top3, near)]
    shares += [f"{np.mean(each):.0%}" if each else "–" for each in (within, known, covered)]
    return " | ".join([f"{z:.1f}", *shares, f"{seconds:.1f}"])


def _names(row: Row, first: int) -> bool:
    """Whether one of the first findings is the slice; a team is its shift, and a shift its team."""
    from funnelscope.simulator.world import SHIFT_OF_TEAM

    def normal(slice_: Mapping[str, str]) -> dict[str, str]:
        named = dict(slice_)
        if "team" in named:
            named["shift"] = SHIFT_OF_TEAM[named.pop("team")]
        return named

    return any(normal(finding["slice"]) == normal(row["equal_slices"][0]) for finding in row["findings"][:first])


if __name__ == "__main__":
    main()
