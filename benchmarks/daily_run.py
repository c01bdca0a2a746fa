"""`make bench`: what a day costs in seconds and memory, by part. Prints tables in Markdown; asserts nothing.

Each figure is a whole process, timed from outside; where two are compared they run in turn and the medians count.
"""

import argparse
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

REPOSITORY = Path(__file__).parents[1]
FIRST_DATE = date(2025, 9, 1)
MEMORY_LIMIT = "2500MB"  # DuckDB's share of the 4 GB
PARTS = {
    "deliveries": ("take_deliveries",),
    "duplicates": ("quality__duplicate_events", "quality__excluded_events"),
    "staging": ("staging__",),
    "sessions, orders, payments": ("intermediate__",),
    "cubes and metrics": ("marts__",),
    "gate": ("quality__", "checks"),
    "publication": ("published__snapshot",),
    "PDF": ("published__daily_report",),
}


@dataclass(frozen=True)
class Run:
    """One process: wall seconds, peak memory in GB, and seconds by step of its Dagster runs."""

    seconds: float
    peak_gb: float
    steps: Mapping[str, float]

    def part(self, prefixes: tuple[str, ...]) -> float:
        return sum(seconds for step, seconds in self.steps.items() if step.startswith(prefixes))


def main() -> None:
    """Runs the benches named on the command line, all without a name."""
    benches: dict[str, Callable[[Path], object]] = {
        "million": lambda folder: whole_day(folder, "1M-event day", 88_000, runs=3),
        "ten-million": lambda folder: whole_day(folder, "10M-event day", 880_000, runs=1),
        "gate": lambda folder: (gate(folder, "1M", 88_000), gate(folder, "10M", 880_000)),
        "history": history,
        "range": range_against_days,
    }
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("benches", nargs="*", choices=[[], *benches], help=f"any of {', '.join(benches)}")
    parser.add_argument("--folder", type=Path, help="where to work; a temporary folder if left out")
    chosen = parser.parse_args()
    folder = chosen.folder or Path(tempfile.mkdtemp(prefix="funnelscope-bench-"))
    try:
        for name in chosen.benches or benches:
            benches[name](folder / name)
    finally:
        if not chosen.folder:
            shutil.rmtree(folder)


def whole_day(folder: Path, title: str, sessions: int, runs: int) -> None:
    """One day of a shop through the whole job, PDF included, with nothing built before."""
    simulate(folder, days=1, sessions=sessions, history_days=0)
    made = [clean_run(folder) for _ in range(runs)]
    median = sorted(made, key=lambda run: run.seconds)[len(made) // 2]
    print(f"\n### {title} ({event_count(folder):,} events, median of {runs})\n")
    print(f"wall {median.seconds:.1f} s, peak memory {max(run.peak_gb for run in made):.2f} GB\n")
    print("| part | seconds |\n|---|---:|")
    rest = median.seconds
    for name, prefixes in PARTS.items():
        seconds = median.part(prefixes)
        if name == "gate":
            seconds -= median.part(PARTS["duplicates"])
        rest -= seconds
        print(f"| {name} | {seconds:.1f} |")
    print(f"| start, imports, Dagster's own | {rest:.1f} |", flush=True)


GATE = """
import resource, sys, time
from datetime import date
from funnelscope.quality import gate
from funnelscope.settings import load_settings
from funnelscope.warehouse.connection import open_warehouse
settings, day, what = load_settings(), date.fromisoformat(sys.argv[1]), sys.argv[2:]
with open_warehouse(settings.warehouse_path, memory_limit=settings.memory_limit) as warehouse:
    started, busy = time.perf_counter(), time.process_time()
    gate.run_contracts(warehouse, day, day)
    if "expectations" in what:
        gate.run_expectations(warehouse, settings, day, day)
    gate.judge(warehouse, settings, day, day)
    seconds, busy = time.perf_counter() - started, time.process_time() - busy
print(seconds, busy, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6)
"""


def gate(folder: Path, title: str, sessions: int) -> None:
    """The gate of one day alone, in processes of its own: contracts, then with Great Expectations and its import."""
    home = folder / title
    if not (home / "warehouse.duckdb").exists():
        simulate(home, days=1, sessions=sessions, history_days=0)
        funnelscope(home, "run", "--date", str(FIRST_DATE))
    environment = {**os.environ, "FUNNELSCOPE_HOME": str(home), "FUNNELSCOPE_CONFIG": str(home / "funnelscope.yaml")}
    print(f"\n### The gate of a day of {event_count(home):,} events (medians of 3, in turn)\n")
    print("| what | seconds | of a processor | peak memory GB |\n|---|---:|---:|---:|")
    measured: dict[str, list[tuple[float, ...]]] = {"contracts": [], "expectations": []}
    for _ in range(3):
        for what, found in measured.items():
            command = [sys.executable, "-W", "ignore", "-c", GATE, str(FIRST_DATE), what]
            done = subprocess.run(command, env=environment, cwd=REPOSITORY, capture_output=True, text=True, check=True)
            found.append(tuple(map(float, done.stdout.split()[-3:])))
    for what, found in measured.items():
        seconds, busy, peak = (statistics.median(values) for values in zip(*found, strict=True))
        words = "contracts" if what == "contracts" else "contracts and expectations, import included"
        print(f"| {words} | {seconds:.1f} | {busy:.1f} | {peak:.2f} |", flush=True)


def history(folder: Path) -> None:
    """One day after 300 days of history against one after 30, in turn."""
    homes = {}
    for days in (30, 300):
        home = folder / str(days)
        simulate(home, days=days + 1, sessions=2_000, history_days=0)
        funnelscope(home, "backfill", "--from", str(FIRST_DATE), "--to", str(FIRST_DATE + timedelta(days=days - 1)))
        homes[days] = home
    seconds: dict[int, list[float]] = {30: [], 300: []}
    for _ in range(5):
        for days, home in homes.items():
            seconds[days].append(funnelscope(home, "run", "--date", str(FIRST_DATE + timedelta(days=days))).seconds)
    short, long = statistics.median(seconds[30]), statistics.median(seconds[300])
    print("\n### One day after 300 days of history against one after 30 (2,000 sessions a day, medians of 5)\n")
    print(f"{long:.2f} s against {short:.2f} s: ratio {long / short:.3f}", flush=True)


def range_against_days(folder: Path) -> None:
    """A 30-day range as one run against its 30 days one by one, on the demo shop's size."""
    one, many = folder / "range", folder / "days"
    simulate(one, days=30, sessions=9_000, history_days=0)
    shutil.copytree(one, many)
    last = FIRST_DATE + timedelta(days=29)
    whole = funnelscope(one, "backfill", "--from", str(FIRST_DATE), "--to", str(last)).seconds
    single = sum(funnelscope(many, "run", "--date", str(FIRST_DATE + timedelta(days=day))).seconds for day in range(30))
    print("\n### A 30-day range against 30 daily runs (9,000 sessions a day)\n")
    print(f"{whole:.1f} s against {single:.1f} s: ratio {whole / single:.3f}", flush=True)


def simulate(home: Path, days: int, sessions: int, history_days: int) -> None:
    """Landing files and a config of their own for one home."""
    from funnelscope.simulator import simulate as simulate_shop

    shutil.rmtree(home, ignore_errors=True)
    simulate_shop(
        out=home,
        days=days,
        sessions_per_day=sessions,
        seed=1,
        faults=[],
        first_date=FIRST_DATE,
        history_days=history_days,
    )
    sources = "\n".join(
        f"  - {{family: {family}, timezone: UTC}}" for family in ("traffic", "page", "service", "order")
    )
    (home / "funnelscope.yaml").write_text(
        f"shop: bench\ntimezone: Asia/Shanghai\nstart_date: {FIRST_DATE}\nlanguage: en\n"
        f"memory_limit: {MEMORY_LIMIT}\nsources:\n{sources}\n"
    )


def event_count(home: Path) -> int:
    import duckdb

    files = f"{home}/landing/*/*/*.parquet"
    with duckdb.connect() as connection:
        rows = connection.execute(f"select count(*) from read_parquet('{files}', union_by_name = true)").fetchall()
    return int(rows[0][0])


def clean_run(home: Path) -> Run:
    for generated in home.glob("warehouse*"):
        generated.unlink()
    for generated in ("published", "reports", "dagster"):
        shutil.rmtree(home / generated, ignore_errors=True)
    return funnelscope(home, "run", "--date", str(FIRST_DATE))


def funnelscope(home: Path, *arguments: str) -> Run:
    """Runs the command line in a process of its own; raises RuntimeError when it fails."""
    environment = {**os.environ, "FUNNELSCOPE_HOME": str(home), "FUNNELSCOPE_CONFIG": str(home / "funnelscope.yaml")}
    command = [sys.executable, "-m", "pipelines.cli.app", *arguments]
    started = time.perf_counter()
    process = subprocess.Popen(
        command, env=environment, cwd=REPOSITORY, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    errors = process.stderr.read() if process.stderr else ""
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - started
    if status:
        raise RuntimeError(f"{' '.join(command)} failed:\n{errors[-3000:]}")
    return Run(seconds, usage.ru_maxrss / 1e6, steps_of_last_runs(home, environment))


def steps_of_last_runs(home: Path, environment: Mapping[str, str]) -> dict[str, float]:
    """Seconds by step of the newest run of each job."""
    script = (
        "import dagster as dg, json\n"
        "with dg.DagsterInstance.get() as instance:\n"
        "    runs = instance.get_runs(limit=2)\n"
        "    stats = [s for run in runs for s in instance.get_run_step_stats(run.run_id)]\n"
        "    print(json.dumps({s.step_key: s.end_time - s.start_time for s in stats if s.end_time}))\n"
    )
    import json

    answer = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script],
        env={**environment, "DAGSTER_HOME": str(home / "dagster")},
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    )
    steps: dict[str, float] = json.loads(answer.stdout.strip().splitlines()[-1])
    return steps


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    main()
