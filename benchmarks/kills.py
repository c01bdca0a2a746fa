"""`make kills`: is anything lost when a command is killed?

Kills each command at random moments of its duration with SIGKILL, repeats it to its end, and compares the canonical
export of warehouse and published copy with that of a home in which nothing was killed. Prints counts by command, and
ends with 1 if anything differed.

The commands run in forks of this process, which has imported everything: the moments fall into their work.
"""

import argparse
import hashlib
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).parents[1]
sys.path[:0] = [str(REPOSITORY), str(REPOSITORY / "tests")]

import duckdb  # noqa: E402
from shop_helpers import Home, cloned, copied, day, delivery_day, one_file_a_day, simulated_shop  # noqa: E402

from funnelscope.ingest.identity import hash_identifier, load_identity_key  # noqa: E402
from funnelscope.warehouse.canonical_export import export_canonical_rows  # noqa: E402
from funnelscope.warehouse.connection import Warehouse, locate_log  # noqa: E402
from funnelscope.warehouse.snapshots import DATABASE, find_current_snapshot  # noqa: E402

PERSON = "anna.k7@example.com"
BUILT_DAYS, DAYS = 2, 3
EARLIEST, LATEST = 0.05, 1.02  # of the duration
REFUSED = f"event_id,event_time,event_type,customer_id,order_id\nx1,{day(1)}T03:00:00,nonsense,{PERSON},o1\n"
RETENTION = "retention: {raw_days: 14, quarantine_days: 1, editions_days: 1, runs_days: 14}\n"
LATER = 17  # a day that leaves the first ones older than that


@dataclass(frozen=True)
class Command:
    """A command that is killed.

    Attributes:
        prepare: makes the home in which it starts, in an empty folder.
        list_arguments: its arguments for a home.
        find_result: the home to compare afterwards; by default the one in which it ran.
        check: what else must hold of the home; returns what is wrong.
    """

    prepare: Callable[[Path], Home]
    list_arguments: Callable[[Home], Sequence[str]]
    find_result: Callable[[Home], Home] = lambda home: home
    check: Callable[[Home], str] = lambda home: ""


@dataclass
class Tally:
    """What came of the kills of one command."""

    seconds: float
    killed: int = 0
    too_late: int = 0
    wrong: list[str] = field(default_factory=list)


# --- Processes ---------------------------------------------------------------------------------------


def start(home: Home, *arguments: str) -> int:
    """Starts the command in a fork, which leads a process group of its own. Returns its process id."""
    child = os.fork()
    if child:
        return child
    os.setsid()
    output = os.open(home.folder / "output.txt", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.environ.update(home.environment | {"DAGSTER_HOME": "", "COLUMNS": "160"})
    sys.argv = ["funnelscope", *arguments]
    from pipelines.cli.app import main as run_command

    code = 1
    try:
        run_command()
    except SystemExit as ended:
        code = int(ended.code or 0)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def finish(home: Home, *arguments: str) -> int:
    """Runs the command to its end; returns its exit code."""
    _, status = os.waitpid(start(home, *arguments), 0)
    return os.waitstatus_to_exitcode(status)


def finish_well(home: Home, *arguments: str) -> None:
    """The same for a command that must succeed."""
    code = finish(home, *arguments)
    if code not in (0, 2):
        raise RuntimeError(f"{' '.join(arguments)} ended with {code}: {(home.folder / 'output.txt').read_text()}")


def kill_after(seconds: float, home: Home, *arguments: str) -> bool:
    """Starts the command and kills it after so many seconds; returns whether it was still running."""
    child = start(home, *arguments)
    time.sleep(seconds)
    is_over, status = os.waitpid(child, os.WNOHANG)
    if is_over:
        return False
    os.killpg(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status)


def compute_in_fork(work: Callable[[], Any]) -> Any:
    """The result of the work, done in a fork: this process must not start DuckDB's threads."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        with os.fdopen(writing, "w") as pipe:
            try:
                json.dump(work(), pipe)
            except Exception as error:
                json.dump({"error": f"{type(error).__name__}: {error}"}, pipe)
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        result = json.load(pipe)
    os.waitpid(child, 0)
    return result


# --- What must be equal ------------------------------------------------------------------------------


def export(home: Home) -> dict[str, str]:
    """Table to the hash of its rows, of the warehouse and of the published copy."""

    def read_all() -> dict[str, str]:
        tables = {f"warehouse {table}": text for table, text in home.export().items()}
        snapshot = find_current_snapshot(home.settings.published)
        if snapshot:
            with duckdb.connect() as connection:
                connection.execute(f"attach '{snapshot / DATABASE}' as published (read_only)")
                connection.execute("use published")
                copy = Warehouse.__new__(Warehouse)  # a read-only file: no schema can be created in it
                copy.connection = connection
                tables |= {f"published {table}": text for table, text in export_canonical_rows(copy).items()}
        return {table: hashlib.sha256(text.encode()).hexdigest() for table, text in tables.items()}

    found: dict[str, str] = compute_in_fork(read_all)
    return found


def find_person(home: Home) -> str:
    """Where the person still is, outside of the landing zone and in whatever form."""
    number = hash_identifier(home.settings, PERSON)
    needles = [PERSON.encode(), str(number).encode(), number.to_bytes(8, "little", signed=True)]
    files = (path for path in home.path.rglob("*") if path.is_file() and not path.is_symlink())
    held = [
        path.relative_to(home.path).as_posix()
        for path in files
        if not path.is_relative_to(home.settings.landing) and any(needle in path.read_bytes() for needle in needles)
    ]
    return f"still in {', '.join(held)}" if held else ""


def find_readable(home: Home) -> str:
    """Which private file others could read."""
    private = [home.settings.warehouse_path, home.settings.identity_key_path, locate_log(home.settings.warehouse_path)]
    open_files = [path.name for path in private if path.exists() and path.stat().st_mode & 0o077]
    return f"others can read {', '.join(open_files)}" if open_files else ""


# --- The commands ------------------------------------------------------------------------------------


def simulate_small_shop(folder: Path) -> Home:
    """Three days of a small shop, with a person to forget and a row to refuse."""
    home = simulated_shop(folder, days=DAYS, sessions_per_day=40, history_days=1)
    one_file_a_day(home)
    with home.config.open("a", encoding="utf-8") as config:
        config.write("period_reports: []\n")
    compute_in_fork(lambda: name_person(home))
    refused = home.settings.landing / "order" / f"dt={day(1)}" / "refused.csv"
    refused.write_text(REFUSED, encoding="utf-8")
    return home


def name_person(home: Home) -> None:
    """Gives one of the shop's customers the person's name."""
    from shop_helpers import rewrite

    orders = str(home.settings.landing / "order" / "*" / "all.parquet")
    found = duckdb.sql(f"select mode(customer_id) from read_parquet('{orders}') where customer_id is not null")
    (customer,) = found.fetchone() or ("",)
    for family in ("page", "service", "order"):
        for file in home.settings.landing.glob(f"{family}/dt=*/*.parquet"):
            renamed = f"if(customer_id = '{customer}', '{PERSON}', customer_id)"
            rewrite(file, f"select * replace ({renamed} as customer_id) from delivered")


def list_commands(folder: Path) -> dict[str, Command]:
    """Makes the homes that the commands start from, and the commands."""
    shop, fresh, built, saved = Home(folder / "shop"), Home(folder / "fresh"), Home(folder / "built"), folder / "saved"
    if not saved.exists():
        simulate_small_shop(shop.folder)
        copied(shop, fresh.folder, lambda file: delivery_day(file) <= day(BUILT_DAYS))
        load_identity_key(fresh.settings)  # with keys of their own, no two homes hold the same numbers
        cloned(fresh, built.folder)
        finish_well(built, "backfill", "--to", str(day(BUILT_DAYS)))
        finish_well(built, "backup", str(saved))

    def prepare_next_day(target: Path, more: str = "") -> Home:
        home = cloned(built, target)
        shutil.copytree(shop.settings.landing, home.settings.landing, dirs_exist_ok=True)
        with home.config.open("a", encoding="utf-8") as config:
            config.write(more)
        return home

    def prepare_empty(target: Path) -> Home:
        target.mkdir()
        home = Home(target)
        shutil.copy(built.config, home.config)
        home.path.mkdir()
        shutil.copy(built.settings.identity_key_path, home.settings.identity_key_path)
        return home

    def prepare_stale(target: Path) -> Home:
        """A home with a write-ahead log that a killed run left."""
        home = prepare_next_day(target)
        child = start(home, "run", "--date", str(day(DAYS)))
        end = time.monotonic() + 120
        while time.monotonic() < end and not is_log_long(home):
            time.sleep(0.02)
        os.killpg(child, signal.SIGKILL)
        os.waitpid(child, 0)
        return home

    def is_log_long(home: Home) -> bool:
        log = locate_log(home.settings.warehouse_path)
        return log.exists() and log.stat().st_size > 1000

    def restore_backup(home: Home) -> Home:
        restored = prepare_empty(home.folder / "restored")
        finish_well(restored, "restore", str(home.folder / "backup"))
        return restored

    last = str(day(DAYS))
    key = str(built.settings.identity_key_path)
    return {
        "run": Command(prepare_next_day, lambda home: ("run", "--date", last)),
        "backfill": Command(lambda target: cloned(fresh, target), lambda home: ("backfill", "--to", str(day(2)))),
        "rebuild": Command(lambda target: cloned(built, target), lambda home: ("rebuild", "daily_money")),
        "forget": Command(
            lambda target: cloned(built, target), lambda home: ("forget", PERSON, "--yes"), check=find_person
        ),
        "replay": Command(lambda target: cloned(built, target), lambda home: ("quarantine", "replay")),
        "retention": Command(lambda target: prepare_next_day(target, RETENTION), lambda home: ("run", "--date", last)),
        "backup": Command(
            lambda target: cloned(built, target),
            lambda home: ("backup", str(home.folder / "backup")),
            find_result=restore_backup,
        ),
        "restore": Command(prepare_empty, lambda home: ("restore", str(saved))),
        "restore --force": Command(
            prepare_stale, lambda home: ("restore", str(saved), "--force", "--identity-key", key)
        ),
    }


def kill_command(command: Command, folder: Path, kills: int, chance: random.Random, latest_half: bool) -> Tally:
    """Kills the command so often, each time in a home of its own."""
    folder.mkdir()
    whole = command.prepare(folder / "whole")
    begin = time.monotonic()
    finish_well(whole, *command.list_arguments(whole))
    tally = Tally(time.monotonic() - begin)
    wanted = export(command.find_result(whole))
    assert "error" not in wanted, wanted
    assert not command.check(whole), command.check(whole)
    for number in range(kills):
        home = command.prepare(folder / f"{number}")
        earliest = 0.5 if latest_half and number % 2 else EARLIEST
        moment = tally.seconds * chance.uniform(earliest, LATEST)
        arguments = command.list_arguments(home)
        was_running = kill_after(moment, home, *arguments)
        tally.killed += was_running
        tally.too_late += not was_running
        problem = find_readable(home)
        code = finish(home, *arguments)
        said = (home.folder / "output.txt").read_text(errors="replace")
        # Killed after the last step, before the process ended: what is there is what was asked for.
        is_there = code == 1 and ("already" in said and arguments[0] in ("backup", "restore"))
        if code not in (0, 2) and not is_there:
            problem += f" exit {code}: {said[-600:]}"
        found = export(command.find_result(home))
        differing = [table for table in wanted.keys() | found.keys() if wanted.get(table) != found.get(table)]
        if differing:
            problem += f" differs: {', '.join(sorted(differing)[:9])} {found.get('error', '')}"
        problem += command.check(home)
        if problem:
            tally.wrong.append(f"{' '.join(arguments)} after {moment:.2f} s: {problem}")
            print(tally.wrong[-1], flush=True)
        else:
            shutil.rmtree(home.folder)
    return tally


def main() -> None:
    """Kills every command, or those that are named."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("commands", nargs="*", help="run, backfill, rebuild, forget, replay, retention, backup, …")
    parser.add_argument("--kills", type=int, default=24, help="of each command")
    parser.add_argument("--seed", type=int, default=618)
    parser.add_argument("--folder", type=Path, help="where to work; homes that are there are used")
    chosen = parser.parse_args()
    import_everything()
    folder = chosen.folder or Path(tempfile.mkdtemp(prefix="funnelscope-kills-"))
    folder.mkdir(parents=True, exist_ok=True)
    commands = list_commands(folder)
    tallies: dict[str, Tally] = {}
    for name in chosen.commands or commands:
        chance = random.Random(f"{chosen.seed} {name}")
        is_quick = name == "forget"
        tallies[name] = kill_command(commands[name], folder / name.replace(" ", ""), chosen.kills, chance, is_quick)
        print_row(name, tallies[name])
    print_table(tallies)
    is_good = not any(tally.wrong for tally in tallies.values())
    if is_good and not chosen.folder:
        shutil.rmtree(folder)
    sys.exit(0 if is_good else 1)


def import_everything() -> None:
    """So that a fork is at work at once."""
    import pipelines.definitions
    import pipelines.erasure_runs
    import pipelines.rebuild
    import pipelines.runs
    from funnelscope.quality.expectations import load_suites
    from funnelscope.reporting import print_report

    assert pipelines.definitions
    assert load_suites
    assert print_report


def print_row(name: str, tally: Tally) -> None:
    print(
        f"| {name} | {tally.seconds:.1f} | {tally.killed} | {tally.too_late} | {len(tally.wrong)} |",
        flush=True,
    )


def print_table(tallies: dict[str, Tally]) -> None:
    """All counts, and their sums."""
    print("\n| command | seconds | killed | over before the kill | wrong afterwards |\n| --- | --- | --- | --- | --- |")
    for name, tally in tallies.items():
        print_row(name, tally)
    killed, wrong = sum(each.killed for each in tallies.values()), sum(len(each.wrong) for each in tallies.values())
    print(f"\n{killed} kills, {wrong} of them left something wrong.")


if __name__ == "__main__":
    main()
