"""The whole pipeline against planted faults, for `make bench-diagnosis`: landing files in, findings out.

Sixty clean days are simulated and ingested once a size; the shop is pickled after them. Every case copies that home,
simulates its own days with another seed, runs the daily job in this process, and reads `diagnosis.findings`. Finished
cases are kept in `cases-<size>.jsonl` of the folder and are not run again.
"""

import argparse
import json
import os
import pickle
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from assets.settings import Settings, load_settings
from pipelines.simulate import FAULT_KINDS, Fault, Promotion
from pipelines.simulate.faults import calendar_of
from pipelines.simulate.landing import Dirt, Landing
from pipelines.simulate.run import Shop, open_shop
from pipelines.simulate.streams import Clock

FIRST_DATE = date(2026, 3, 2)
TIMEZONE = "Asia/Shanghai"
BASELINE_DAYS = 60
HISTORY_DAYS = 60
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
DETERMINED = {"creative": "campaign", "campaign": "channel"}  # a name's last part says which of its parent's it is

Row = dict[str, Any]


def main() -> None:
    """Runs what is missing of the cases, then prints the tables in Markdown."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--folder", type=Path, help="where to work and to resume; a temporary folder if left out")
    parser.add_argument("--sessions", type=int, default=20_000, help="sessions a day")
    parser.add_argument("--seeds", type=int, default=3, help="cases a fault")
    parser.add_argument("--kinds", nargs="*", default=[*FAULT_KINDS, "clean"], help="faults to plant; clean: none")
    chosen = parser.parse_args()
    folder = chosen.folder or Path(tempfile.mkdtemp(prefix="funnelscope-bench-"))
    try:
        rows = run_cases(folder, chosen.sessions, chosen.seeds, chosen.kinds)
        print_tables(rows, chosen.sessions)
    finally:
        if not chosen.folder:
            shutil.rmtree(folder)


# --- Cases ---------------------------------------------------------------------------------------


def run_cases(folder: Path, sessions: int, seeds: int, kinds: Iterable[str]) -> list[Row]:
    """The results of all wanted cases, those of earlier calls included."""
    home = folder / f"baseline-{sessions}"
    make_baseline(home, sessions)
    record = folder / f"cases-{sessions}.jsonl"
    known = [json.loads(line) for line in record.read_text().splitlines()] if record.exists() else []
    done = {(row["kind"], row["seed"]) for row in known}
    for seed in range(1, seeds + 1):
        for kind in kinds:
            if (kind, seed) not in done:
                row = run_case(home, folder / "case", kind, seed)
                known.append(row)
                with record.open("a") as lines:
                    lines.write(json.dumps(row) + "\n")
                print(f"{kind}, seed {seed}: {json.dumps(row['findings'])[:300]}", flush=True)
    return known


def make_baseline(home: Path, sessions: int) -> None:
    """A home with sixty clean days built, and the shop as it stands after them; nothing if it is there."""
    if (home / "shop.pickle").exists():
        return
    shutil.rmtree(home, ignore_errors=True)
    clock = Clock(FIRST_DATE, TIMEZONE, -HISTORY_DAYS - 1, BASELINE_DAYS + 140)
    landing = Landing(home, "parquet", Dirt())
    shop = open_shop(20_260_302, clock, BASELINE_DAYS + LONGEST_DAYS, landing, sessions, [], [Promotion()])
    for day in range(-HISTORY_DAYS, BASELINE_DAYS):
        shop.run(day)
    shop.write_truth(TIMEZONE)
    settings = use(home)
    run_days(settings, FIRST_DATE, clock.date(BASELINE_DAYS - 1))
    (home / "shop.pickle").write_bytes(pickle.dumps(shop))


def run_case(baseline: Path, home: Path, kind: str, seed: int) -> Row:
    """One fault on days after the baseline: simulated, run, and read until it is found, or for two days."""
    copy_home(baseline, home)
    shop: Shop = pickle.loads((baseline / "shop.pickle").read_bytes())
    lead = FAULT_KINDS[kind].lead_days if kind in FAULT_KINDS else 0
    first, begins = BASELINE_DAYS, BASELINE_DAYS + lead
    faults = plant(kind, seed, shop.state.clock.date(begins))
    shop.state.world = replace(shop.state.world, seed=seed)
    shop.state.calendar = calendar_of([Promotion()], faults, shop.state.clock)
    shop.faults, shop.landing = faults, Landing(home, "parquet", Dirt())
    findings: list[Row] = []
    last = begins
    for last in range(begins, begins + MOST_DAYS_TO_DETECT):
        for day in range(first, last + 1):
            shop.run(day)
        shop.write_truth(TIMEZONE)
        run_days(use(home), shop.state.clock.date(first), shop.state.clock.date(last))
        first = last + 1
        findings = findings_of(use(home), shop.state.clock.date(last))
        if findings or not faults or FAULT_KINDS[kind].expected == "none":
            break
    truth = json.loads((home / "truth.json").read_text())["faults"]
    found_on = str(shop.state.clock.date(last))
    return {
        "kind": kind,
        "seed": seed,
        "days_to_detect": last - begins if findings else None,
        "findings": findings,
        "state": state_of(use(home), found_on),
        **({"truth": truth[0]["days"][found_on], "equal_slices": truth[0]["equal_slices"]} if truth else {}),
    }


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
    from pipelines.runs import run_days as run_in_dagster

    run_in_dagster(settings, from_date, to_date)


def findings_of(settings: Settings, business_date: date) -> list[Row]:
    """The day's findings, best first, without what has recovered."""
    rows = _read(
        settings,
        "select rank, cube, step, slice, fault_class, status, z, effect, lost_orders, lost_orders_low, "
        "lost_orders_high, since_date::VARCHAR as since_date from diagnosis.findings "
        f"where business_date = date '{business_date}' and status != 'recovered' order by rank",
    )
    return [{**row, "slice": json.loads(row["slice"])} for row in rows]


def state_of(settings: Settings, business_date: str) -> Row:
    """What became of the diagnosis of the day, and the smallest drops that it could have seen in whole steps."""
    day = _read(settings, f"select state, why from diagnosis.days where business_date = date '{business_date}'")
    drops = _read(
        settings,
        "select step, smallest_visible_drop as drop from diagnosis.visible_drops "
        f"where business_date = date '{business_date}' and dimension = 'all'",
    )
    return {**(day[0] if day else {"state": "absent"}), "visible_drops": {row["step"]: row["drop"] for row in drops}}


def _read(settings: Settings, query: str) -> list[Row]:
    from sql.warehouse import open_warehouse

    with open_warehouse(settings.warehouse_path) as warehouse:
        return warehouse.records(query)


# --- Scores --------------------------------------------------------------------------------------


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
    """What of a case is right. `lost_error` is the share by which lost orders are wrong, None where none were lost."""
    findings = row["findings"]
    truth = row.get("truth", {})
    best = next((finding for finding in findings if is_near(row, finding)), None) if truth else None
    lost = truth.get("lost_paid_orders", 0)
    return {
        "z": truth.get("z_one_day", 0.0),
        "top1": bool(findings) and is_same(row, findings[0]),
        "top3": any(is_same(row, finding) for finding in findings[:3]),
        "near1": bool(findings) and is_near(row, findings[0]),
        "class": bool(findings) and findings[0]["fault_class"] == row["kind"],
        "days": row["days_to_detect"],
        "alarms": len(findings),
        "lost_error": best["lost_orders"] / lost - 1 if best and lost else None,
        "covered": best["lost_orders_low"] <= lost <= best["lost_orders_high"] if best and lost else None,
    }


def print_tables(rows: list[Row], sessions: int) -> None:
    planted = [row for row in rows if row["kind"] != "clean" and FAULT_KINDS[row["kind"]].expected != "none"]
    silent = [row for row in rows if row not in planted]
    print(f"\n### Landing files to findings, {sessions:,} sessions a day\n")
    print("| fault | cases | z of a day | top-1 | top-3 | near-1 | class | days to detect | lost orders |")
    print("|---|---:|---:|---:|---:|---:|---:|---:|---:|")
    for kind in dict.fromkeys(row["kind"] for row in planted):
        scores = [score(row) for row in planted if row["kind"] == kind]
        print(f"| {kind} | {len(scores)} | {_line(scores)} |")
    strong = [each for each in map(score, planted) if each["z"] >= 6]
    for name, scores in (("all with z ≥ 6", strong), ("all", [score(row) for row in planted])):
        if scores:
            print(f"| {name} | {len(scores)} | {_line(scores)} |")
    alarms = sum(bool(row["findings"]) for row in silent)
    print(f"\nDays that should be silent: {len(silent)}, with an alarm: {alarms}")
    covered = [each["covered"] for each in map(score, planted) if each["covered"] is not None]
    if covered:
        print(f"90 % interval of lost orders covers the truth in {np.mean(covered):.0%} of {len(covered)} cases")


def _line(scores: list[Row]) -> str:
    shares = " | ".join(
        f"{np.mean([each[name] for each in scores]):.0%}" for name in ("top1", "top3", "near1", "class")
    )
    days = [each["days"] for each in scores if each["days"] is not None]
    errors = [each["lost_error"] for each in scores if each["lost_error"] is not None]
    z = np.median([each["z"] for each in scores])
    found = f"{np.mean(days):.1f} ({len(days)} found)" if days else "–"
    lost = f"{np.median(errors):+.0%}, {np.mean(np.abs(errors) <= 0.2):.0%} within 20 %" if errors else "–"
    return f"{z:.1f} | {shares} | {found} | {lost}"


if __name__ == "__main__":
    main()
