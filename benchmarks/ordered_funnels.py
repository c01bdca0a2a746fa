"""`make bench-funnel`: a five-step ordered funnel against `windowFunnel` of ClickHouse, on the same Parquet file.

Ours are `--counts` (units only, as `windowFunnel` tells) and the whole answer (units, states and times of each step,
days of entry). Each figure is a process of its own with two threads. Two times are taken: of the answer alone, inside
the process, once its libraries are loaded; and of the whole process from outside, with its processor time and peak
memory. The command is `funnelscope funnel --json` as a user runs it. The tools run in turn, the medians count, and the
ratio stands beside the lowest and highest of the rounds: on a busy machine the processor time is the steadier one. The
counts must be equal.
"""

import argparse
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).parents[1]
COMMAND = Path(sys.executable).with_name("funnelscope")
STEPS = ("product_view", "add_to_cart", "checkout_start", "created", "paid")
WINDOW_SECONDS = 6 * 3600
THREADS = 2
MEASURED = ("answer", "answer_processor", "process", "processor")
MEMORY_LIMIT = "4GB"  # DuckDB spills what is more

# Most visitors look around; one in seven gets further. Everybody comes twice in the month, for an hour.
REALISTIC = """
    select
        (hash(visitor) >> 1)::bigint as visitor_id,
        timestamp '2026-05-01' + to_seconds((hash(visitor, visit) % 2592000)::double)
            + to_milliseconds((hash(event, 2) % 3600000)::bigint) as event_time,
        case
            when chance < 0.65 then 'page_view'
            when chance < 0.90 or visitor % 7 > 0 then 'product_view'
            when chance < 0.94 then 'add_to_cart'
            when chance < 0.97 then 'checkout_start'
            when chance < 0.985 then 'created'
            else 'paid'
        end as event_type
    from (
        select event, event % ({events} // 12) as visitor, (event // ({events} // 12)) % 2 as visit,
            (hash(event, 3) % 1000000) / 1e6 as chance
        from range({events}) as numbers(event)
    )
"""
# Every visitor does everything, again and again: 200 events each, 40 of every step.
DENSE = """
    select
        (hash(event % ({events} // 200)) >> 1)::bigint as visitor_id,
        timestamp '2026-05-01' + to_milliseconds((hash(event, 1) % 2592000000)::bigint) as event_time,
        ['product_view', 'add_to_cart', 'checkout_start', 'created', 'paid'][1 + (hash(event, 3) % 5)::int]
            as event_type
    from range({events}) as numbers(event)
"""
SHOPS = {"realistic": REALISTIC, "dense": DENSE}


@dataclass(frozen=True)
class Run:
    """Seconds of the answer and of its whole process, on the clock and on the processor; peak memory in GB."""

    answer_funnel: float | None
    answer_processor: float | None
    process: float
    processor: float
    peak_gb: float
    units: tuple[int, ...]


def main() -> None:
    """Runs the benches that are asked for: each shop with each number of million events."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--chdb-python", type=Path, help="a Python that has chdb; without it, only our own figures")
    parser.add_argument("--shops", nargs="*", choices=SHOPS, default=list(SHOPS))
    parser.add_argument("--millions", nargs="*", type=int, default=[10, 50])
    parser.add_argument("--rounds", type=int, default=3, help="how often the tools run in turn; their medians count")
    parser.add_argument("--folder", type=Path, help="where the files go and stay; a temporary folder if left out")
    parser.add_argument("--generate", nargs=3, metavar=("SHOP", "MILLIONS", "FILE"), help=argparse.SUPPRESS)
    parser.add_argument("--inside", nargs=2, metavar=("TOOL", "FILE"), help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.inside:
        tool, file = chosen.inside
        TOOLS[tool](file)
        return
    if chosen.generate:
        shop, millions, file = chosen.generate
        generate(Path(file), shop, int(millions) * 1_000_000)
        return
    folder = chosen.folder or Path(tempfile.mkdtemp(prefix="funnelscope-bench-"))
    try:
        for millions in chosen.millions:
            for shop in chosen.shops:
                compare(folder, shop, millions, chosen.chdb_python, chosen.rounds)
    finally:
        if not chosen.folder:
            shutil.rmtree(folder)


def compare(folder: Path, shop: str, millions: int, chdb_python: Path | None, rounds: int) -> None:
    file = folder / f"{shop}-{millions}.parquet"
    if not file.exists():  # in a process of its own: a child's peak memory starts with its parent's
        subprocess.run([sys.executable, __file__, "--generate", shop, str(millions), str(file)], check=True)
    inside = [sys.executable, __file__, "--inside"]
    tools: dict[str, list[str]] = {
        "counts": [*inside, "counts"],
        "answer": [*inside, "answer"],
        "command": [str(COMMAND), "funnel", str(spec_in(folder)), "--json", "--events"],
        "scan and group": [*inside, "scan and group"],
    }
    if chdb_python:
        tools["windowFunnel"] = [str(chdb_python), __file__, "--inside", "windowFunnel"]
    runs: dict[str, list[Run]] = {tool: [] for tool in tools}
    for _ in range(rounds):
        for tool, command in tools.items():
            runs[tool].append(run([*command, str(file)]))
    load = os.getloadavg()[0]
    print(f"\n### {shop}, {millions}M events, {THREADS} threads, medians of {rounds}, load {load:.1f}\n")
    print("| | answer, s | its processor, s | process, s | its processor, s | peak memory, GB | units by step |")
    print("|---|---:|---:|---:|---:|---:|---|")
    for tool, found in runs.items():
        peak = max(each.peak_gb for each in found)
        times = " | ".join(_seconds(found, name) for name in MEASURED)
        print(f"| {tool} | {times} | {peak:.2f} | {', '.join(map(str, found[0].units))} |")
    counted = {each.units for tool, found in runs.items() if tool != "scan and group" for each in found}
    print(f"\ncounts {'are equal' if len(counted) == 1 else 'DIFFER'}")
    if chdb_python:
        for name in MEASURED:
            for tool in ("counts", "answer") if name.startswith("answer") else ("counts", "command"):
                _print_ratio(runs["windowFunnel"], runs[tool], tool, name)
    sys.stdout.flush()


def spec_in(folder: Path) -> Path:
    """The funnel as a file, for the command."""
    file = folder / "funnel.yaml"
    steps = "".join(f"  - event: {step}\n" for step in STEPS)
    file.write_text(f"window: {WINDOW_SECONDS}\nsteps:\n{steps}")
    return file


def _seconds(runs: list[Run], name: str) -> str:
    return "" if getattr(runs[0], name) is None else f"{median(runs, name):.2f}"


def _print_ratio(theirs: list[Run], ours: list[Run], tool: str, name: str) -> None:
    rounds = [getattr(their, name) / getattr(our, name) for their, our in zip(theirs, ours, strict=True)]
    ratio = median(theirs, name) / median(ours, name)
    between = f"{min(rounds):.2f} to {max(rounds):.2f}"
    print(f"windowFunnel takes {ratio:.2f} times as long as our {tool} ({name}; {between})")


def median(runs: list[Run], name: str) -> float:
    return statistics.median(getattr(each, name) for each in runs)


def run(command: list[str]) -> Run:
    started = time.perf_counter()
    process = subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True)
    answer = process.stdout.read() if process.stdout else ""
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise RuntimeError(f"{' '.join(command)} failed")
    found = json.loads(answer)
    return Run(
        found.get("seconds"),
        found.get("processor"),
        time.perf_counter() - started,
        usage.ru_utime + usage.ru_stime,
        usage.ru_maxrss / 1e6,
        tuple(found["units"] if "units" in found else (step["units"] for step in found["steps"])),
    )


def generate(file: Path, shop: str, events: int) -> None:
    import duckdb

    file.parent.mkdir(parents=True, exist_ok=True)
    with duckdb.connect() as connection:
        connection.execute(f"set threads = {THREADS}")
        query = SHOPS[shop].format(events=events)
        connection.execute(f"copy ({query} order by event_time) to '{file}' (format parquet)")


# --- What runs inside a process of its own -------------------------------------------------------


def tell(query: Callable[[], tuple[int, ...]]) -> None:
    started, spent = time.perf_counter(), time.process_time()
    units = query()
    seconds, processor = time.perf_counter() - started, time.process_time() - spent
    print(json.dumps({"seconds": seconds, "processor": processor, "units": units}))


def our_counts(file: str) -> None:
    from funnelscope.funnels.funnel_answers import count_steps

    _tell_ours(file, count_steps)


def our_answer(file: str) -> None:
    from funnelscope.funnels.funnel_answers import answer_funnel

    _tell_ours(file, answer_funnel)


def _tell_ours(file: str, question: Callable[..., dict[str, Any]]) -> None:
    from funnelscope.funnels.event_files import load_file
    from funnelscope.funnels.specification import FunnelFile

    connection, funnel = _connection(file), FunnelFile(spec_in(Path(file).parent))

    def query() -> tuple[int, ...]:
        found = question(connection, funnel.spec, load_file(connection, funnel, Path(file)))
        return tuple(step["units"] for step in found["steps"])

    tell(query)


def _connection(file: str):  # type: ignore[no-untyped-def]
    from funnelscope.funnels.funnel_events import open_events

    connection = open_events()
    connection.execute(f"set threads = {THREADS}")
    connection.execute(f"set memory_limit = '{MEMORY_LIMIT}'")
    connection.execute(f"set temp_directory = '{Path(file).parent / 'spill'}'")
    return connection


def scan_and_group(file: str) -> None:
    """What any answer must pay at least: read the file and group it by visitor."""
    connection = _connection(file)
    times = "min(epoch_us(event_time)), max(epoch_us(event_time))"
    query = f"select count(*) from (select visitor_id, {times} from read_parquet('{file}') group by visitor_id)"
    tell(lambda: tuple(connection.execute(query).fetchall()[0]))


def window_funnel(file: str) -> None:
    import chdb

    steps = ", ".join(f"event_type = '{step}'" for step in STEPS)

    def query() -> tuple[int, ...]:
        answer = chdb.query(
            f"select level, count() from (select visitor_id, windowFunnel({WINDOW_SECONDS * 1_000_000})"
            f"(toUInt64(toUnixTimestamp64Micro(event_time)), {steps}) as level from file('{file}', Parquet) "
            f"where event_type in {STEPS} group by visitor_id) group by level settings max_threads = {THREADS}",
            "CSV",
        )
        levels = dict(map(int, line.split(",")) for line in str(answer).split())
        return tuple(
            sum(count for level, count in levels.items() if level >= step) for step in range(1, len(STEPS) + 1)
        )

    tell(query)


TOOLS: dict[str, Callable[[str], None]] = {
    "counts": our_counts,
    "answer": our_answer,
    "scan and group": scan_and_group,
    "windowFunnel": window_funnel,
}


if __name__ == "__main__":
    sys.path.insert(0, str(REPOSITORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    main()
