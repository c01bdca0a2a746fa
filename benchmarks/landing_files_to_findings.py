"""The whole pipeline against planted faults, for `make bench-diagnosis`: landing files in, findings out.

Sixty clean days are simulated and ingested once a size; the shop is pickled after them. Every case copies that home,
simulates its own days with another seed, runs the daily job in this process, and reads `diagnosis.findings`. Finished
cases keep their warehouse in the folder and are not run again; `--again` diagnoses their days once more. Shops without
faults run for 128 days each, with four sales and days of another mix.
"""

import argparse
import json
import os
import pickle
import shutil
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from funnelscope.settings import Settings, load_settings
from funnelscope.simulator import FAULT_KINDS, Fault, SimulatedPromotion
from funnelscope.simulator.faults import build_calendar
from funnelscope.simulator.landing_files import Dirt, Landing
from funnelscope.simulator.simulation import SimulatedShop, open_shop
from funnelscope.simulator.streams import Clock
from funnelscope.warehouse.connection import Warehouse, open_warehouse

FIRST_DATE = date(2026, 3, 2)
TIMEZONE = "Asia/Shanghai"
BASELINE_DAYS = 60
HISTORY_DAYS = 60
CLEAN_DAYS = 128
SALES = ((6, 0), (38, -4), (70, 0), (102, 3))  # first day, hours that all its phases are shifted by
MIX_DAYS = (50, 84, 118)
LONGEST_DAYS = 6
MOST_DAYS_TO_DETECT = 2
SLICES: Mapping[str, tuple[Mapping[str, str], ...]] = {
    "creative_mismatch": ({"campaign": "feed_ads_c2"}, {"campaign": "search_ads_c1"}, {"campaign": "live_ads_c3"}),
    "slow_first_screen": (
        {"landing_page": "item_0001", "device": "android"},
        {"landing_page": "item_0003", "device": "ios"},
        {"landing_page": "home_main", "device": "android"},
    ),
    "broken_coupon": ({"coupon": "WELCOME10"}, {"coupon": "SHOP20"}, {"coupon": "MEMBER15"}),
    "late_answers": ({"team": "team_late"}, {"team": "team_early"}, {"team": "team_late"}),
    "bad_reviews": ({"product_id": "P0002"}, {"product_id": "P0005"}, {"product_id": "P0009"}),
    "bot_flood": ({"channel": "affiliate"}, {"channel": "recommendation"}, {"channel": "live_ads"}),
    "payment_outage": (
        {"payment_provider": "wechat_pay", "device": "android"},
        {"payment_provider": "alipay", "device": "android"},
        {"payment_provider": "alipay", "device": "ios"},
    ),
    "tracking_lost": ({"region": "zhejiang"}, {"region": "henan"}, {"region": "beijing"}),
    "care_stopped": ({}, {}, {}),
    "promotion_moved": ({}, {}, {}),
    "mix_shift": ({"channel": "feed_ads"}, {"channel": "affiliate"}, {"channel": "live_ads"}),
}
STEPS: Mapping[str, tuple[str, str]] = {
    "creative_mismatch": ("decision_cube", "favorite_or_cart"),
    "slow_first_screen": ("landing_cube", "qualified_product_view"),
    "broken_coupon": ("checkout_cube", "order"),
    "late_answers": ("inquiry_cube", "paid_inquiry"),
    "bad_reviews": ("product_cube", "cart"),
    "bot_flood": ("landing_cube", "qualified_product_view"),
    "payment_outage": ("payment_cube", "paid"),
    "tracking_lost": ("decision_cube", "favorite_or_cart"),
    "care_stopped": ("repurchase_cube", "purchased"),
}
"""Faults that a diagnosis should find, and the step that shows each of them."""
DETERMINED = {"creative": "campaign", "campaign": "channel"}  # a name's last part says which of its parent's it is

Row = dict[str, Any]


def main() -> None:
    """Runs what is missing of the cases, then prints the tables in Markdown."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--folder", type=Path, help="where to work and to resume; a temporary folder if left out")
    parser.add_argument("--sessions", type=int, default=20_000, help="sessions a day")
    parser.add_argument("--seeds", type=int, default=3, help="cases a fault")
    parser.add_argument("--kinds", nargs="*", default=[*SLICES, "clean"], help="faults to plant; clean: none")
    parser.add_argument("--again", action="store_true", help="diagnose finished cases once more, as the code is now")
    parser.add_argument("--clean-shops", type=int, default=3, help="shops of 128 days without a fault, with four sales")
    chosen = parser.parse_args()
    folder = chosen.folder or Path(tempfile.mkdtemp(prefix="funnelscope-bench-"))
    try:
        rows = run_cases(folder, chosen.sessions, chosen.seeds, chosen.kinds, again=chosen.again)
        print_tables(rows, chosen.sessions)
        if chosen.clean_shops:
            shops = range(1, chosen.clean_shops + 1)
            days = [day for shop in shops for day in clean_days(folder, chosen.sessions, shop, again=chosen.again)]
            print_clean(days, chosen.sessions)
    finally:
        if not chosen.folder:
            shutil.rmtree(folder)


# --- Cases ---------------------------------------------------------------------------------------


def run_cases(folder: Path, sessions: int, seeds: int, kinds: Sequence[str], *, again: bool) -> list[Row]:
    """The results of all wanted cases, those of earlier calls included."""
    baseline = folder / f"baseline-{sessions}"
    if kinds:
        make_baseline(baseline, sessions)
    rows = []
    for seed in range(1, seeds + 1):
        for kind in kinds:
            home = folder / f"cases-{sessions}" / f"{kind}-{seed}"
            record = home / "row.json"
            if not record.exists():
                row = run_case(baseline, home, kind, seed)
                for name in ("landing", "snapshots", "published", "dagster"):
                    shutil.rmtree(home / name, ignore_errors=True)
                record.write_text(json.dumps(row))
                print(f"{kind}, seed {seed}: {json.dumps(row['findings'])[:300]}", flush=True)
            elif again:
                record.write_text(json.dumps(read_case(home, kind, seed, anew=True)))
            rows.append(json.loads(record.read_text()))
    return rows


def clean_days(folder: Path, sessions: int, seed: int, *, again: bool) -> list[Row]:
    """A shop without faults, day by day: its sales, one of them hours early, and days on which a channel doubles."""
    home = folder / f"clean-{sessions}" / str(seed)
    mixes = [
        Fault(kind="mix_shift", slice=slice_, from_date=day, to_date=day + timedelta(days=1))
        for slice_, day in zip(SLICES["mix_shift"], (FIRST_DATE + timedelta(days=day) for day in MIX_DAYS), strict=True)
    ]
    sales = [SimulatedPromotion(day=day, shift_hours=hours) for day, hours in SALES]
    if not (home / "done").exists():
        shutil.rmtree(home, ignore_errors=True)
        clock = Clock(FIRST_DATE, TIMEZONE, -HISTORY_DAYS - 1, CLEAN_DAYS + 140)
        shop = open_shop(seed, clock, CLEAN_DAYS, Landing(home, "parquet", Dirt()), sessions, mixes, sales)
        for day in range(-HISTORY_DAYS, CLEAN_DAYS):
            shop.run(day)
        shop.write_truth(TIMEZONE)
        run_days(use(home), FIRST_DATE, clock.date(CLEAN_DAYS - 1))
        shutil.rmtree(home / "landing")
        (home / "done").touch()
    return read_clean(home, mixes, anew=again)


def read_clean(home: Path, mixes: Sequence[Fault], *, anew: bool) -> list[Row]:
    from funnelscope.diagnosis.comparable_days import find_promotion_day
    from funnelscope.diagnosis.daily_diagnosis import diagnose_days

    settings = use(home)
    rows = []
    with open_warehouse(settings.warehouse_path) as warehouse:
        if anew:
            warehouse.execute("delete from diagnosis.findings")
            diagnose_days(warehouse, settings, FIRST_DATE, FIRST_DATE + timedelta(days=CLEAN_DAYS - 1))
        for day, state in warehouse.rows("select business_date, state from diagnosis.days order by all"):
            kind = "sale" if find_promotion_day(settings.calendar, day) else "regular"
            kind = "mix shift" if any(mix.is_on(day) for mix in mixes) else kind
            rows.append({"date": str(day), "day": kind, "state": state, "findings": findings_of(warehouse, day)})
    return rows


def make_baseline(home: Path, sessions: int) -> None:
    """A home with sixty clean days built, and the shop as it stands after them; nothing if it is there."""
    if (home / "shop.pickle").exists():
        return
    shutil.rmtree(home, ignore_errors=True)
    clock = Clock(FIRST_DATE, TIMEZONE, -HISTORY_DAYS - 1, BASELINE_DAYS + 140)
    landing = Landing(home, "parquet", Dirt())
    shop = open_shop(20_260_302, clock, BASELINE_DAYS + LONGEST_DAYS, landing, sessions, [], [SimulatedPromotion()])
    for day in range(-HISTORY_DAYS, BASELINE_DAYS):
        shop.run(day)
    shop.write_truth(TIMEZONE)
    settings = use(home)
    run_days(settings, FIRST_DATE, clock.date(BASELINE_DAYS - 1))
    (home / "shop.pickle").write_bytes(pickle.dumps(shop))


def run_case(baseline: Path, home: Path, kind: str, seed: int) -> Row:
    """One fault on days after the baseline: simulated, run, and read until it is found, or for two days."""
    copy_home(baseline, home)
    shop: SimulatedShop = pickle.loads((baseline / "shop.pickle").read_bytes())
    lead = FAULT_KINDS[kind].lead_days if kind in FAULT_KINDS else 0
    first, begins = BASELINE_DAYS, BASELINE_DAYS + lead
    faults = plant(kind, seed, shop.state.clock.date(begins))
    shop.state.world = replace(shop.state.world, seed=seed)
    shop.state.calendar = build_calendar([SimulatedPromotion()], faults, shop.state.clock)
    shop.faults, shop.landing = faults, Landing(home, "parquet", Dirt())
    started = time.process_time()
    for last in range(begins, begins + MOST_DAYS_TO_DETECT):
        for day in range(first, last + 1):
            shop.run(day)
        shop.write_truth(TIMEZONE)
        run_days(use(home), shop.state.clock.date(first), shop.state.clock.date(last))
        first = last + 1
        row = read_case(home, kind, seed)
        if row["findings"] or kind not in STEPS:
            break
    return {**row, "seconds": round(time.process_time() - started)}


def read_case(home: Path, kind: str, seed: int, *, anew: bool = False) -> Row:
    """The row of a case that has run: its first day with findings since the fault began, or its last one.

    Args:
        anew: diagnoses the days of the case once more, with the code as it is, before they are read.
    """
    from funnelscope.diagnosis.daily_diagnosis import diagnose_days

    settings = use(home)
    truth = json.loads((home / "truth.json").read_text())
    baseline_ends = FIRST_DATE + timedelta(days=BASELINE_DAYS)
    begins = date.fromisoformat(truth["faults"][0]["from_date"]) if truth["faults"] else baseline_ends
    last = date.fromisoformat(max(truth["days"]))
    with open_warehouse(settings.warehouse_path) as warehouse:
        if anew:
            warehouse.execute("delete from diagnosis.findings where business_date >= $day", day=baseline_ends)
            diagnose_days(warehouse, settings, baseline_ends, last)
        days = [begins + timedelta(days=number) for number in range((last - begins).days + 1)]
        day = next((each for each in days if findings_of(warehouse, each)), last)
        findings = findings_of(warehouse, day)
        row = {
            "kind": kind,
            "seed": seed,
            "days_to_detect": (day - begins).days if findings else None,
            "findings": findings,
            "state": warehouse.rows("select state, why from diagnosis.days where business_date = $day", day=day)[0],
            "stated": stated_drops(warehouse, kind, day),
        }
    if not truth["faults"]:
        return row
    effect = truth["faults"][0]["days"][str(day)]
    share = effect["lost"] / max(effect["expected"], 1) if "lost" in effect else 0.0
    slices = truth["faults"][0]["equal_slices"]
    return {**row, "truth": effect, "share": share, "entered": effect.get("entered", 0), "equal_slices": slices}


def plant(kind: str, seed: int, begins: date) -> list[Fault]:
    if kind == "clean":
        return []
    slices = SLICES[kind]
    last = begins if kind == "promotion_moved" else None
    return [Fault(kind=kind, slice=slices[(seed - 1) % len(slices)], from_date=begins, to_date=last)]


def copy_home(baseline: Path, home: Path) -> None:
    """The baseline's home: what is only read is linked, what is written is copied."""
    shutil.rmtree(home, ignore_errors=True)

    def link_or_copy(source: str, target: str) -> None:
        if "/landing/" in source or "/snapshots/" in source:
            os.link(source, target)
        else:
            shutil.copy2(source, target)

    wanted = shutil.ignore_patterns("shop.pickle", "dagster", "reports", "spill")
    shutil.copytree(baseline, home, symlinks=True, ignore=wanted, copy_function=link_or_copy)


# --- The pipeline --------------------------------------------------------------------------------


def use(home: Path) -> Settings:
    """Points the tool at this home, and gives its settings; the calendar is the simulator's."""
    config = home / "funnelscope.yaml"
    sources = "\n".join(f"  - {{family: {name}, timezone: UTC}}" for name in ("traffic", "page", "service", "order"))
    config.write_text(
        f"shop: bench\ntimezone: {TIMEZONE}\nstart_date: {FIRST_DATE - timedelta(days=HISTORY_DAYS)}\n"
        f"opening_date: {FIRST_DATE}\nlanguage: en\nsnapshots_kept: 1\ncalendar: calendar.yaml\nsources:\n{sources}\n"
    )
    os.environ |= {"FUNNELSCOPE_HOME": str(home), "FUNNELSCOPE_CONFIG": str(config)}
    return load_settings()


def run_days(settings: Settings, from_date: date, to_date: date) -> None:
    """Takes the deliveries and builds the days up to the findings: what follows, publication and report, reads them."""
    from funnelscope.ingest.build_state import read_build_state
    from pipelines.definitions import build_definitions
    from pipelines.instance import open_instance
    from pipelines.jobs import INGEST
    from pipelines.planning import Piece, plan_runs
    from pipelines.runs import execute_piece, silence_dagster

    with open_instance(settings) as instance, silence_dagster():
        defs = build_definitions(settings)
        execute_piece(instance, defs, Piece(INGEST, to_date, to_date), "taking deliveries")
        with open_warehouse(settings.warehouse_path) as warehouse:
            days = [from_date + timedelta(days=number) for number in range((to_date - from_date).days + 1)]
            pieces = plan_runs(days, read_build_state(warehouse), settings.opening_date)
        for piece in pieces:
            keys = defs.resolve_job_def(piece.job).asset_layer.executable_asset_keys
            wanted = [key for key in keys if key.path[0] not in ("published", "stages")]
            execute_piece(instance, defs, piece, f"building {piece.from_date}", wanted)


def findings_of(warehouse: Warehouse, business_date: date) -> list[Row]:
    """The day's findings, best first, without what has recovered."""
    rows = warehouse.records(
        "select rank, cube, step, slice, fault_class, status, status_reason, z, effect, lost_orders, lost_orders_low, "
        "lost_orders_high, since_date::VARCHAR as since_date from diagnosis.findings "
        "where business_date = $day and status != 'recovered' order by rank",
        day=business_date,
    )
    return [{**row, "slice": json.loads(row["slice"])} for row in rows]


# --- Scores --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Loss:
    """What the findings of the fault's slice book against what it took: error as a share, infinite where it took none.

    `is_covered`: the 90 % interval holds the truth; None where nothing was lost.
    """

    error: float
    is_covered: bool | None


def loss_of(row: Row, lost: float) -> Loss | None:
    """None where no finding names the slice. A fault that shows in two steps is booked in two parts."""
    found = [finding for finding in row["findings"] if is_near(row, finding)]
    if not found:
        return None
    booked = sum(finding["lost_orders"] for finding in found)
    margin = np.sqrt(sum((finding["lost_orders"] - finding["lost_orders_low"]) ** 2 for finding in found))
    if not lost:
        return Loss(0.0 if abs(booked) < 0.5 else np.inf, None)
    return Loss(booked / lost - 1, bool(abs(booked - lost) <= margin))


def stated_drops(warehouse: Warehouse, kind: str, day: date) -> list[Row]:
    """What the diagnosis says that it could have seen in the step that shows the fault."""
    if kind not in STEPS:
        return []
    cube, step = STEPS[kind]
    return warehouse.records(
        "select dimension, value, entered, smallest_visible_drop as drop from diagnosis.visible_drops "
        "where business_date = $day and cube = $cube and step = $step",
        day=day,
        cube=cube,
        step=step,
    )


def is_stated(stated: Sequence[Row], row: Row) -> bool:
    """Whether it says that the fault's drop is too small to be seen: of the slice itself, else of one of its size."""
    slice_ = dict(row["equal_slices"][0])
    own = [each for each in stated if {each["dimension"]: each["value"]} == (slice_ or {"all": "all"})]
    sizes = sorted((each for each in stated if each["dimension"] == "entries"), key=lambda each: -each["entered"])
    larger = [each for each in sizes if each["entered"] >= row["entered"]] or sizes[:1]
    said = (own or larger[-1:])[:1]
    return bool(said) and said[0]["drop"] > row["share"]


def with_parents(slice_: Mapping[str, str]) -> set[tuple[str, str]]:
    """The slice with what its names imply: feed_ads_c2_v1 is of feed_ads_c2, which is of feed_ads."""
    named = dict(slice_)
    for child, parent in DETERMINED.items():
        if child in named:
            named.setdefault(parent, named[child].rpartition("_")[0])
    return set(named.items())


def is_same(row: Row, finding: Row) -> bool:
    return any(with_parents(finding["slice"]) == with_parents(slice_) for slice_ in row["equal_slices"])


def is_near(row: Row, finding: Row) -> bool:
    found = with_parents(finding["slice"])
    return any(found <= with_parents(slice_) or found >= with_parents(slice_) for slice_ in row["equal_slices"])


def score(row: Row) -> Row:
    """What of a case is right."""
    findings = row["findings"]
    truth = row["truth"]
    return {
        "z": truth.get("z_one_day", 0.0),
        "top1": bool(findings) and is_same(row, findings[0]),
        "top3": any(is_same(row, finding) for finding in findings[:3]),
        "near1": bool(findings) and is_near(row, findings[0]),
        "class": bool(findings) and findings[0]["fault_class"] == row["kind"],
        "days": row["days_to_detect"],
        "loss": loss_of(row, truth["lost_paid_orders"]),
    }


def print_tables(rows: list[Row], sessions: int) -> None:
    planted = [row for row in rows if row["kind"] in STEPS]
    silent = [row for row in rows if row["kind"] not in STEPS]
    print(f"\n### Landing files to findings, {sessions:,} sessions a day\n")
    print("| fault | cases | z of a day | top-1 | top-3 | near-1 | class | days to detect | lost orders | covered |")
    print("|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|")
    for kind in dict.fromkeys(row["kind"] for row in planted):
        scores = [score(row) for row in planted if row["kind"] == kind]
        print(f"| {kind} | {len(scores)} | {_line(scores)} |")
    strong = [each for each in map(score, planted) if each["z"] >= 6]
    for name, scores in (("all with z ≥ 6", strong), ("all", [score(row) for row in planted])):
        if scores:
            print(f"| {name} | {len(scores)} | {_line(scores)} |")
    alarms = sum(bool(row["findings"]) for row in silent)
    print(f"\nDays that should be silent: {len(silent)}, with an alarm: {alarms}")
    missed = [row for row in planted if not row["findings"]]
    said = [row for row in missed if is_stated(row["stated"], row)]
    print(f"Faults that were not found: {len(missed)}; it is said that they could not be: {len(said)}", flush=True)


def _line(scores: list[Row]) -> str:
    shares = " | ".join(
        f"{np.mean([each[name] for each in scores]):.0%}" for name in ("top1", "top3", "near1", "class")
    )
    days = [each["days"] for each in scores if each["days"] is not None]
    losses = [each["loss"] for each in scores if each["loss"]]
    covered = [loss.is_covered for loss in losses if loss.is_covered is not None]
    z = np.median([each["z"] for each in scores])
    found = f"{np.mean(days):.1f} ({len(days)} found)" if days else "–"
    within = np.mean([abs(loss.error) <= 0.2 for loss in losses]) if losses else 0
    lost = f"{np.median([loss.error for loss in losses]):+.0%}, {within:.0%} within 20 %" if losses else "–"
    held = f"{np.mean(covered):.0%} of {len(covered)}" if covered else "–"
    return f"{z:.1f} | {shares} | {found} | {lost} | {held}"


def print_clean(days: Sequence[Row], sessions: int) -> None:
    print(f"\n### Days without a fault, {sessions:,} sessions a day\n")
    print("| days | judged | not comparable, no baseline | with an alarm |\n|---|---:|---:|---:|")
    for name in ("regular", "mix shift", "sale", "all"):
        own = [day for day in days if name in ("all", day["day"])]
        judged = [day for day in own if day["state"] == "diagnosed"]
        print(f"| {name} | {len(judged)} | {len(own) - len(judged)} | {sum(bool(day['findings']) for day in judged)} |")
    print(flush=True)


if __name__ == "__main__":
    main()
