"""`make bench-life`: what a hundred days of a small shop cost: disk by part, seconds a day, and Dagster's storage.

Every day is delivered, run by the command and measured, with the settings' own retention. Because Dagster's ages are
those of the clock and not of the shop, each run is made a day older in its storage after every day. Prints a table in
Markdown, and what a day adds at the end of it; asserts nothing. An interrupted bench goes on in the same folder.
"""

import argparse
import json
import shutil
import sqlite3
import statistics
import sys
import time
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path

REPOSITORY = Path(__file__).parents[1]
sys.path[:0] = [str(REPOSITORY), str(REPOSITORY / "tests"), str(REPOSITORY / "benchmarks")]

from kills import finish, import_everything  # noqa: E402
from shop_helpers import Home, day, delivery_day, one_file_a_day, simulated_shop  # noqa: E402

PARTS = ("landing", "warehouse.duckdb", "published", "reports", "dagster", "data_docs")
MEASURES = "measures.jsonl"


def main() -> None:
    """Runs the days one by one."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--days", type=int, default=100)
    parser.add_argument("--sessions", type=int, default=150, help="per day")
    parser.add_argument("--every", type=int, default=10, help="days between printed rows")
    parser.add_argument("--retention", default="", help="as in funnelscope.yaml, such as '{runs_days: 14}'")
    parser.add_argument("--snapshots", type=int, default=14, help="snapshots_kept")
    parser.add_argument("--folder", type=Path, required=True)
    chosen = parser.parse_args()
    import_everything()
    shop = Home(chosen.folder / "shop")
    home = Home(chosen.folder / "life")
    measures = chosen.folder / MEASURES
    if not measures.exists():
        shutil.rmtree(chosen.folder, ignore_errors=True)
        simulated_shop(shop.folder, days=chosen.days, sessions_per_day=chosen.sessions, history_days=1)
        one_file_a_day(shop)
        home.write_config(day(0), chosen.snapshots)
        with home.config.open("a", encoding="utf-8") as config:
            config.write(f"retention: {chosen.retention}\n" if chosen.retention else "")
        measures.touch()
    done = [json.loads(line) for line in measures.read_text().splitlines()]
    print(f"| day | seconds | {' | '.join(f'{part} MB' for part in PARTS)} |")
    print(f"| --- |{' --- |' * (len(PARTS) + 1)}", flush=True)
    for number in range(len(done) + 1, chosen.days + 1):
        deliver_day(shop, home, number)
        begin = time.monotonic()
        code = finish(home, "run", "--date", str(day(number)))
        seconds = time.monotonic() - begin
        if code not in (0, 2):
            raise RuntimeError((home.folder / "output.txt").read_text())
        done.append({"seconds": seconds, **{part: measure_size(home.path / part) for part in PARTS}})
        with measures.open("a") as file:
            file.write(json.dumps(done[-1]) + "\n")
        age_runs(home)
        if number % chosen.every == 0 or number == chosen.days:
            print_row(number, done, chosen.every)
    print_growth(done, chosen.every)


def deliver_day(shop: Home, home: Home, number: int) -> None:
    """Delivers what comes on the day; on the first, also what came before."""
    for file in shop.settings.landing.glob("*/dt=*/*"):
        if delivery_day(file) == day(number) or (number == 1 and delivery_day(file) < day(1)):
            target = home.settings.landing / file.relative_to(shop.settings.landing)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, target)


def age_runs(home: Home) -> None:
    """Makes every run a day older."""
    with closing(sqlite3.connect(home.settings.dagster_home / "history" / "runs.db")) as connection:
        for run_id, created in connection.execute("select run_id, create_timestamp from runs").fetchall():
            earlier = datetime.fromisoformat(created) - timedelta(days=1)
            connection.execute(
                "update runs set create_timestamp = ? where run_id = ?", (earlier.isoformat(" "), run_id)
            )
        connection.commit()


def measure_size(path: Path) -> float:
    """Megabytes of a file or folder, hard links counted once."""
    files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file() and not file.is_symlink()]
    return sum({(status.st_dev, status.st_ino): status.st_size for status in map(Path.stat, files)}.values()) / 1e6


def print_row(number: int, done: list[dict[str, float]], every: int) -> None:
    """The day's sizes, and the median duration of the days since the last row."""
    seconds = statistics.median(each["seconds"] for each in done[-every:])
    print(f"| {number} | {seconds:.1f} | {' | '.join(f'{done[-1][part]:.1f}' for part in PARTS)} |", flush=True)


def print_growth(done: list[dict[str, float]], every: int) -> None:
    """What a day adds, of the last days."""
    last = done[-min(every, len(done) - 1) - 1 :]
    added = {part: (last[-1][part] - last[0][part]) / (len(last) - 1) for part in PARTS}
    print("\nA day adds, in MB: " + ", ".join(f"{part} {size:.2f}" for part, size in added.items()) + ".")


if __name__ == "__main__":
    main()
