"""`make bench-editions`: seconds of a processor for all editions of a day, after its data are read. Asserts nothing.

The day is that of a home, by default the newest published one; `--times` runs in turn, the first of them cold.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path

import reports
from funnelscope.reporting import read_report
from funnelscope.settings import load_settings
from funnelscope.warehouse.snapshots import find_current_snapshot


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--date", type=date.fromisoformat)
    parser.add_argument("--language")
    parser.add_argument("--times", type=int, default=5)
    chosen = parser.parse_args()
    settings = load_settings(Path("funnelscope.yaml"))
    current = find_current_snapshot(settings.published)
    if current is None:
        raise SystemExit("nothing is published yet; run funnelscope demo")
    day = chosen.date or date.fromisoformat(current.name[:10])
    begun = time.process_time()
    report = read_report(settings, day, chosen.language)
    print(f"reading the data: {time.process_time() - begun:.2f} s\n")
    measured: dict[str, list[float]] = {}
    sizes: dict[str, int] = {}
    for _ in range(chosen.times):
        for name, make in list_editions(report).items():
            begun = time.process_time()
            sizes[name] = sum(map(len, make()))
            measured.setdefault(name, []).append(time.process_time() - begun)
    print("| edition | first, s | median, s | kB |\n| --- | --- | --- | --- |")
    for name, seconds in measured.items():
        print(f"| {name} | {seconds[0]:.2f} | {statistics.median(seconds):.2f} | {sizes[name] / 1000:.0f} |")
    firsts, medians = (sum(map(pick, measured.values())) for pick in (lambda each: each[0], statistics.median))
    print(f"| all | {firsts:.2f} | {medians:.2f} | {sum(sizes.values()) / 1000:.0f} |")


def render_pdf_and_html(report: reports.Report) -> tuple[bytes, bytes]:
    pictures = reports.render_pictures(report)
    return reports.render(report, pictures=pictures), reports.render_html(report, pictures=pictures)


def list_editions(report: reports.Report) -> dict[str, Callable[[], tuple[bytes, ...]]]:
    return {
        "PDF and HTML": lambda: render_pdf_and_html(report),
        "XLSX": lambda: (reports.write_spreadsheet(report),),
        "JSON": lambda: (reports.write_findings_json(report),),
        "PNG of the stages": lambda: tuple(reports.render_stage_png(stage, report) for stage in report.stages),
    }


if __name__ == "__main__":
    main()
