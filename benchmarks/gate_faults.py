"""Does the gate see what everybody would? Faults of the export on 40 shops, and clean days, for `make bench-gate`.

    python benchmarks/gate_faults.py --first-seed 1000

Every shop differs: size (from 30 orders a day), weekdays, hours and time zone, currency, sales, a festival week at a
fifth of the trade, and one in four delivers orders alone. Its files are taken, staged and judged as in a run; a fault
bends those of one day. It is found if a check that is for it warns on that day. Marts are not built: their checks of
volume are those of the staged events. Constants were chosen on seeds below 1000.
"""

import argparse
import os
import shutil
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from funnelscope.ingest import create_tables, find_duplicates, find_excluded, take_deliveries
from funnelscope.quality import gate
from funnelscope.quality.expectations import load_suites
from funnelscope.quality.expectations.frames import (
    build_day_frame,
    build_hour_frame,
    build_slice_frame,
    drop_empty_days,
)
from funnelscope.quality.expectations.measure_baseline import DayCalendar
from funnelscope.quality.expectations.suites import Frame, Suite
from funnelscope.settings import Settings, load_settings
from funnelscope.simulator import FAULT_KINDS, SimulatedPromotion, simulate
from funnelscope.simulator.delivery_faults import scale_amounts
from funnelscope.warehouse.checks import load_contracts
from funnelscope.warehouse.connection import Warehouse, open_warehouse
from funnelscope.warehouse.models import create_inputs, load_models, materialize_model

FIRST_DATE = date(2026, 3, 2)
WARM_UP_DAYS = 8
DAYS = 26  # the last one is the day of the faults
FESTIVAL_DAYS = 5
FAMILIES = ("traffic", "page", "service", "order")
ZONES = ("Asia/Shanghai", "Europe/Berlin", "America/New_York", "America/Sao_Paulo", "Australia/Sydney")
CONTRACTS = ("days_between_have_events", "amounts_are_usual", "orders_have_many_customers")
FOUND_BY = {
    "rows_multiplied": {"volume_keeps_its_scale"},
    "day_without_rows": {"days_between_have_events"},
    "day_ends_at_noon": {"last_event_is_as_late_as_usual"},
    "cents_for_units": {"amounts_are_usual"},
    "one_customer": {"orders_have_many_customers"},
    "currency_changed": {"amounts_are_usual"},
    "clock_is_off": {"clocks_are_as_usual"},
}

Told = tuple[str, str, str]
"""Check, table, what was found."""


@dataclass(frozen=True)
class Shop:
    """A drawn shop.

    Attributes:
        day_factors: what share of the simulated people comes on each day.
        rate: what its currency is worth.
    """

    seed: int
    sessions: int
    zone: str
    families: tuple[str, ...]
    day_factors: tuple[float, ...]
    rate: float
    sales: tuple[SimulatedPromotion, ...]

    def describe(self) -> str:
        return f"{self.seed}: {self.sessions} sessions, {self.zone}, {len(self.families)} families"


def draw_shop(seed: int) -> Shop:
    """One shop of the family; a third of them have about 30 orders a day."""
    random = np.random.default_rng([seed, 71])
    sessions = 1100 if seed % 3 == 0 else int(np.exp(random.uniform(np.log(1100), np.log(2200))))
    weekdays = np.clip(random.normal(0.8, 0.15, 7), 0.4, 1)
    festival = int(random.integers(10, DAYS - 12))
    factors = [
        float(weekdays[number % 7] * (0.2 if festival <= number < festival + FESTIVAL_DAYS else 1))
        for number in range(DAYS)
    ]
    sales = (SimulatedPromotion(day=int(random.integers(0, DAYS - 9))),) if random.random() < 0.6 else ()
    return Shop(
        seed=seed,
        sessions=sessions,
        zone=str(random.choice(ZONES)),
        families=("order",) if seed % 4 == 1 else FAMILIES,
        day_factors=tuple(factors),
        rate=float(np.exp(random.uniform(np.log(0.1), np.log(30)))),
        sales=sales,
    )


def deliver_shop(shop: Shop, folder: Path) -> tuple[Settings, dict[str, pa.Table]]:
    """Its settings, with a landing zone of every day but the last one, and the tables of that."""
    made = folder / "made"
    simulate(
        out=made, days=DAYS, sessions_per_day=shop.sessions, seed=shop.seed, faults=[], promotions=shop.sales,
        first_date=FIRST_DATE, history_days=2, timezone=shop.zone,
    )  # fmt: skip
    home = folder / "home"
    last: dict[str, pa.Table] = {}
    random = np.random.default_rng([shop.seed, 72])
    for family in shop.families:
        tables = []
        for number, factor in enumerate(shop.day_factors):
            day = FIRST_DATE + timedelta(days=number)
            table = pq.read_table(made / "landing" / family / f"dt={day}", partitioning=None)
            tables.append(thin_table(scale_currency(table, shop.rate), factor, random))
        last[family] = tables.pop()
        history = pa.concat_tables(tables, promote_options="default")
        write_day(home, family, FIRST_DATE + timedelta(days=DAYS - 2), history)
    home.mkdir(exist_ok=True)
    shutil.copy(made / "calendar.yaml", folder / "calendar.yaml")
    shutil.rmtree(made)
    sources = "".join(f"  - {{family: {family}, timezone: UTC}}\n" for family in shop.families)
    (folder / "funnelscope.yaml").write_text(
        f"shop: Bench\ntimezone: {shop.zone}\ncurrency: CNY\nlanguage: en\nstart_date: {FIRST_DATE}\n"
        f"opening_date: {FIRST_DATE}\ncalendar: calendar.yaml\nthreads: 1\nsources:\n{sources}"
    )
    os.environ["FUNNELSCOPE_CONFIG"] = str(folder / "funnelscope.yaml")
    return load_settings(folder / "funnelscope.yaml").model_copy(update={"home": home}), last


def scale_currency(table: pa.Table, rate: float) -> pa.Table:
    """The table in another currency."""
    return scale_amounts(table, rate, pa.array([])) if "amount" in table.column_names else table


def thin_table(table: pa.Table, share: float, random: np.random.Generator) -> pa.Table:
    """The rows of as many people: all rows of one of them stay, or go, together."""
    names = [name for name in ("order_id", "conversation_id", "session_id", "visitor_id") if name in table.column_names]
    people = pc.coalesce(*(pc.cast(table[name], pa.string()) for name in (*names, "event_id")))
    codes = pc.dictionary_encode(people.combine_chunks())
    kept = random.random(len(codes.dictionary)) < share
    return table.filter(pa.array(kept[codes.indices.to_numpy()]))


def write_day(home: Path, family: str, day: date, table: pa.Table) -> None:
    folder = home / "landing" / family / f"dt={day}"
    folder.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, folder / "part-0.parquet")


def judge(
    warehouse: Warehouse, settings: Settings, families: Collection[str], days: Sequence[date], judged_from: date
) -> Iterator[tuple[date, Told]]:
    """Takes what has come, stages the days, and yields the warnings of the checks of these families' events."""
    from_date, to_date = days[0], days[-1]
    take_deliveries(warehouse, settings)
    find_duplicates(warehouse, from_date, to_date)
    find_excluded(warehouse, from_date, to_date)
    for table, model in load_models().items():
        if table.startswith("staging."):
            materialize_model(warehouse, model, [(from_date, to_date)])
    gate.create_tables(warehouse)
    tables = [f"staging.{family}_events" for family in families]
    calendar = DayCalendar(settings.calendar)
    for suite in load_suites(settings):
        if suite.table in tables:
            yield from (each for each in judge_frames(warehouse, suite, days, calendar) if each[0] >= judged_from)
    for contract in load_contracts():
        if contract.name in CONTRACTS:
            for row in warehouse.records(contract.query, from_date=max(from_date, judged_from), to_date=to_date):
                yield row["business_date"], (contract.name, contract.table, str(row))


def judge_frames(
    warehouse: Warehouse, suite: Suite, days: Sequence[date], calendar: DayCalendar
) -> Iterator[tuple[date, Told]]:
    """The expectations on measures, hours and slices: all are bounds, and need no Great Expectations to be judged."""
    frames = {
        Frame.DAYS: build_day_frame(warehouse, suite, days, calendar),
        Frame.HOURS: build_hour_frame(warehouse, suite, days),
        Frame.SLICES: drop_empty_days(build_slice_frame(warehouse, suite, days, calendar)),
    }
    for frame, data in frames.items():
        for expectation in suite.of(frame):
            asked = dict(expectation.arguments)
            rows = data.query(asked["row_condition"]) if "row_condition" in asked else data
            values = rows[asked["column"]]
            failed = rows[(values < asked.get("min_value", -np.inf)) | (values > asked.get("max_value", np.inf))]
            for row in failed.to_dict("records"):
                yield row.pop("business_date"), (expectation.name, suite.table, str(row))


def bend_last_day(shop: Shop, kind: str, last: dict[str, pa.Table]) -> tuple[dict[str, pa.Table], tuple[str, ...], str]:
    """The tables of the last day with a fault, the families that have it, and the fault in words."""
    random = np.random.default_rng([shop.seed, 73, list(FOUND_BY).index(kind)])
    family, strength = str(random.choice(shop.families)), FAULT_KINDS[kind].strength if kind in FAULT_KINDS else 1.0
    families: tuple[str, ...] = (family,)
    name = kind
    if kind == "rows_multiplied":  # page events by the million take their time
        families = (str(random.choice([each for each in shop.families if each != "page"])),)
    elif kind == "day_ends_at_noon":
        families = (str(random.choice([each for each in shop.families if each != "service"])),)
    elif kind in ("cents_for_units", "currency_changed", "one_customer"):
        families = ("order",)
        if kind == "currency_changed":
            strength = float(np.exp(random.uniform(np.log(2), np.log(20))) ** random.choice([-1, 1]))
    elif kind == "clock_is_off":
        families = shop.families
        name = str(random.choice(["clock_ahead", "clock_behind"]))
        strength = float(random.integers(2, 11))
    bent, bend = dict(last), FAULT_KINDS[name].bend
    assert bend is not None
    for each in families:
        times = pc.local_timestamp(last[each]["event_time"].cast(pa.timestamp("us", shop.zone)))
        bent[each] = bend(last[each], strength, pc.hour(times))
    return bent, families, f"{name} {'+'.join(families)} {strength:.3g}"


def run_shop(shop: Shop, folder: Path) -> tuple[list[tuple[date, Told]], dict[str, tuple[str, list[Told]]], float]:
    """The warnings of its clean days, and those of the last day with each fault; seconds of it all."""
    began = time.process_time()
    settings, last = deliver_shop(shop, folder)
    days = gate.list_days(FIRST_DATE, FIRST_DATE + timedelta(days=DAYS - 1))
    day = days[-1]
    with open_warehouse(settings.warehouse_path) as warehouse:
        create_inputs(warehouse)
        create_tables(warehouse)
        alarms = list(judge(warehouse, settings, shop.families, days[:-1], days[WARM_UP_DAYS]))
    kept = folder / "kept"
    shutil.copytree(settings.home, kept)
    faults = {}
    for kind in FOUND_BY:
        shutil.rmtree(settings.home)
        shutil.copytree(kept, settings.home)
        bent, families, told = bend_last_day(shop, kind, last)
        for family, table in bent.items():
            write_day(settings.home, family, day, table)
        with open_warehouse(settings.warehouse_path) as warehouse:
            faults[kind] = (told, [each for on, each in judge(warehouse, settings, families, [day], day) if on == day])
    return alarms, faults, time.process_time() - began


def main() -> None:
    """Runs the shops, then prints what was found and what was told without a reason."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--first-seed", type=int, default=1000)
    parser.add_argument("--shops", type=int, default=40)
    chosen = parser.parse_args()
    clean_days, false_days = 0, 0
    seen: Counter[str] = Counter()
    told: Counter[str] = Counter()
    misses: defaultdict[str, list[str]] = defaultdict(list)
    for seed in range(chosen.first_seed, chosen.first_seed + chosen.shops):
        shop = draw_shop(seed)
        with tempfile.TemporaryDirectory(prefix="funnelscope-bench-gate-") as folder:
            alarms, faults, seconds = run_shop(shop, Path(folder))
        clean_days += DAYS - 1 - WARM_UP_DAYS
        false_days += len({day for day, _ in alarms})
        told.update(check for _, (check, *_) in alarms)
        for day, (check, table, words) in alarms:
            print(f"  false: {shop.describe()}, {day}: {check} of {table}: {words[:300]}", flush=True)
        for kind, (fault, found) in faults.items():
            if any(check in FOUND_BY[kind] for check, *_ in found):
                seen[kind] += 1
            else:
                misses[kind].append(f"{shop.describe()}: {fault}; said {sorted({check for check, *_ in found})}")
        lines = [misses[kind][-1] for kind in misses if misses[kind][-1].startswith(f"{seed}: ")]
        print(f"{shop.describe()}: {seconds:.0f} s", *lines, sep="\n  missed ", flush=True)
    print("\n| fault | found on its first day |\n| --- | --- |")
    for kind in FOUND_BY:
        print(f"| `{kind}` | {seen[kind]} of {chosen.shops} |")
    print(f"\nfalse warnings on {false_days} of {clean_days} clean days: {dict(told)}")
    for kind, lines in misses.items():
        print(f"missed {kind}:", *lines, sep="\n  ")


if __name__ == "__main__":
    main()
