"""`make bench-morning`: what one more morning costs an ordinary shop on Tmall that has only downloads.

The exports are made up like those of the example taobao, at the size of a shop with 5,000 orders a day.
"""

import argparse
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from datetime import date, timedelta
from pathlib import Path

from funnelscope.project_files import find_project_path
from funnelscope.simulator.example_exports.marketplace import ShopSize
from funnelscope.simulator.example_exports.taobao import write_exports

FIRST_DATE = date(2026, 5, 1)
SIZE = ShopSize(visitors=215_000, products=2_000, customers=300_000)  # 5,000 orders a day


def main() -> None:
    """Builds the days before, adds the files of one morning, runs it, and prints a line of Markdown."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--days", type=int, default=33, help="of history before the morning, by default a Wednesday's")
    parser.add_argument("--folder", type=Path, help="where to work; a temporary folder if left out")
    chosen = parser.parse_args()
    folder = (chosen.folder or Path(tempfile.mkdtemp(prefix="funnelscope-bench-"))).absolute()
    try:
        measure(folder, FIRST_DATE + timedelta(days=chosen.days))
    finally:
        if not chosen.folder:
            shutil.rmtree(folder)


def measure(folder: Path, morning_of: date) -> None:
    exports, aside = folder / "exports", folder / "aside"
    aside.mkdir(parents=True)
    write_exports(exports, FIRST_DATE, morning_of, size=SIZE)
    settings = {"FUNNELSCOPE_HOME": str(folder)}
    settings["FUNNELSCOPE_CONFIG"] = str(find_project_path("examples") / "taobao" / "funnelscope.yaml")
    last = [path for path in exports.iterdir() if is_of_morning(path.name, morning_of)]
    size = sum(path.stat().st_size for path in last) / 1e6
    for path in last:
        path.rename(aside / path.name)
    run("backfill", "--to", str(morning_of - timedelta(days=1)), settings=settings)
    for path in last:
        (aside / path.name).rename(path)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    started = time.monotonic()
    run("run", "--date", str(morning_of), settings=settings)
    seconds = time.monotonic() - started
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    processor = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print("| files | MB | seconds | of a processor | peak memory, GB |\n|---:|---:|---:|---:|---:|")
    print(f"| {len(last)} | {size:.1f} | {seconds:.1f} | {processor:.1f} | {after.ru_maxrss / 1e6:.2f} |")


def is_of_morning(name: str, morning_of: date) -> bool:
    """Whether a file is first there on the morning after the day."""
    day, morning = str(morning_of), f"{morning_of + timedelta(days=1):%Y%m%d}"
    stem = name.rsplit(".", 1)[0]
    return stem.endswith((day, f"{morning_of:%Y%m%d}")) or f"List{morning}" in stem


def run(*arguments: str, settings: dict[str, str]) -> None:
    command = [sys.executable, "-m", "pipelines.cli.app", *arguments]
    result = subprocess.run(command, env={**os.environ, **settings}, capture_output=True, text=True)
    if result.returncode:
        sys.exit(f"{' '.join(arguments)} ended with {result.returncode}:\n{result.stderr[-3000:]}")


if __name__ == "__main__":
    main()
