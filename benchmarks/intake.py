"""`make bench-ingest`: how fast deliveries come in, by kind of source. Prints tables in Markdown; asserts nothing.

    python benchmarks/intake.py [KIND ...] [--rounds 3] [--folder FOLDER]

A simulated shop delivers; its page events are written again as one large file, under a source's own names, and as CSV,
and a workbook of orders is made up. Each figure is the median of processes that run in turn, each into a home of its
own, two threads, memory_limit 2 GB. Rows a second are of the wall clock, and of one processor: on a busy machine the
second holds. `alone` takes many files one by one, as was done before they were taken together.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import date, datetime, timedelta
from pathlib import Path

import duckdb
import xlsxwriter

from funnelscope.simulator import simulate

FIRST_DATE = date(2026, 5, 1)
DAYS = 20
LAST_DATE = FIRST_DATE + timedelta(days=DAYS - 1)
CSV_ROWS = 500_000
WORKBOOK_ROWS, WORKBOOK_COLUMNS = 50_000, 38
SETTINGS = """\
shop: Bench
timezone: Asia/Shanghai
start_date: 2026-01-01
threads: 2
memory_limit: 2GB
sources:
"""
CONTRACT = "".join(f"  - {{family: {family}, timezone: UTC}}\n" for family in ("traffic", "page", "service", "order"))
PAGES = "  - {family: page, timezone: UTC}\n"
# A log of a shop's own: other names, event types and times as texts, an expression, a condition.
MAPPED = """\
  - family: page
    timezone: UTC
    columns: {event_id: uuid, event_time: ts, visitor_id: device, customer_id: login, session_id: visit, page: url,
              product_id: item, dwell_ms: stay}
    event_types: {column: action, values: {page_view: page_view, leave: page_leave, product_view: product_view},
                  others: leave_out}
    expressions: {page_type: "coalesce(kind, 'other')", scroll_ratio: depth / 100}
    empty_values: ["-"]
"""
# The same events as a tracker logs them: objects within objects, and a list of parameters by key.
FIELDS = """\
  - family: page
    timezone: UTC
    columns: {event_id: uuid, event_time: ts, visitor_id: user.device, session_id: context.visit,
              page: context.page.url, page_type: context.page.kind}
    expressions: {customer_id: user.login, product_id: params.item, dwell_ms: params.stay, scroll_ratio: params.depth}
    event_types: {column: action.name}
"""
WORKBOOK = """\
  - family: order
    columns: {order_id: 订单编号, event_time: 付款时间, customer_id: 买家, amount: 实付金额, quantity: 数量}
    event_types: paid
"""
KINDS = {
    "many": ("many Parquet files, contract names", CONTRACT, 150_000),
    "alone": ("the same, each alone", CONTRACT, 0),
    "large": ("one large Parquet file", PAGES, 400_000),
    "mapped": ("one large Parquet file, mapped", MAPPED, 100_000),
    "csv": ("CSV, contract names", PAGES, 80_000),
    "json": ("JSON lines, contract names", PAGES, 0),
    "fields": ("JSON lines, fields within objects", FIELDS, 50_000),
    "workbook": (f"workbook, {WORKBOOK_ROWS:,} × {WORKBOOK_COLUMNS}", WORKBOOK, 5_000),
}


def main() -> None:
    """Runs the kinds named on the command line, all without a name."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("kinds", nargs="*", choices=[[], *KINDS], help=f"any of {', '.join(KINDS)}")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", type=Path, help="where to work; a temporary folder if left out")
    parser.add_argument("--take", nargs=2, help=argparse.SUPPRESS)  # one measurement, in a process of its own
    chosen = parser.parse_args()
    if chosen.take:
        print(json.dumps(take(chosen.take[0], Path(chosen.take[1]))))
        return
    folder = chosen.folder or Path(tempfile.mkdtemp(prefix="funnelscope-bench-"))
    try:
        deliver(folder)
        measure(folder, chosen.kinds or list(KINDS), chosen.rounds)
    finally:
        if not chosen.folder:
            shutil.rmtree(folder)


def deliver(folder: Path) -> None:
    """Writes what each kind delivers, unless it is there."""
    many = folder / "many"
    if not (many / "landing").exists():
        simulate(
            out=many, days=DAYS, sessions_per_day=9_000, seed=618, faults=[], history_days=0, first_date=FIRST_DATE
        )
    links = {"alone": many / "landing"}
    for kind, landing in links.items():
        (folder / kind).mkdir(exist_ok=True)
        if not (folder / kind / "landing").exists():
            (folder / kind / "landing").symlink_to(landing.absolute())
    pages = f"read_parquet('{many}/landing/page/*/*.parquet', hive_partitioning = false)"
    own_names = f"""
        select event_id as uuid, event_time::TIMESTAMP::VARCHAR as ts, visitor_id as device, session_id as visit,
            coalesce(customer_id, '-') as login, page as url, product_id as item, dwell_ms as stay, page_type as kind,
            scroll_ratio * 100 as depth, if(event_type = 'page_leave', 'leave', event_type) as action
        from {pages} order by event_time
    """
    copy(f"from {pages} order by event_time", folder / "large", "pages.parquet", "format parquet, compression zstd")
    copy(own_names, folder / "mapped", "pages.parquet", "format parquet, compression zstd")
    nested = f"""
        select
            event_id as uuid, event_time::TIMESTAMP::VARCHAR as ts,
            {{'device': visitor_id, 'login': customer_id}} as user,
            {{'visit': session_id, 'page': {{'url': page, 'kind': page_type}}}} as context,
            {{'name': event_type}} as action,
            list_filter(
                [
                    {{'key': 'item', 'value': product_id::VARCHAR}},
                    {{'key': 'stay', 'value': dwell_ms::VARCHAR}},
                    {{'key': 'depth', 'value': scroll_ratio::VARCHAR}}
                ],
                lambda each: each.value is not null
            ) as params
        from (
            from {pages} where event_type in ('page_view', 'page_leave', 'product_view') limit {CSV_ROWS // 5}
        )
    """
    copy(nested, folder / "fields", "pages.jsonl", "format json")
    some = f"from (from {pages} limit {CSV_ROWS})"
    copy(some, folder / "csv", "pages.csv", "format csv, header")
    copy(some, folder / "json", "pages.jsonl", "format json")
    write_workbook(folder / "workbook")


def copy(query: str, home: Path, name: str, options: str) -> None:
    path = home / "landing" / "page" / f"dt={LAST_DATE}" / name
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        with duckdb.connect() as connection:
            connection.execute("set TimeZone = 'UTC'")
            connection.execute(f"copy ({query}) to '{path}' ({options})")


def write_workbook(home: Path) -> None:
    """Order lines as a platform exports them: numbers, times, and texts, in as many columns."""
    path = home / "landing" / "order" / f"dt={LAST_DATE}" / "orders.xlsx"
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    book = xlsxwriter.Workbook(path, {"constant_memory": True, "default_date_format": "yyyy-mm-dd hh:mm:ss"})
    sheet = book.add_worksheet("订单")
    known = ["订单编号", "付款时间", "买家", "实付金额", "数量"]
    sheet.write_row(0, 0, [*known, *(f"列{number}" for number in range(WORKBOOK_COLUMNS - len(known)))])
    begin = datetime.combine(LAST_DATE, datetime.min.time())
    for number in range(WORKBOOK_ROWS):
        row = [f"26{number:015}", begin + timedelta(seconds=number), f"买家{number % 9_000}", 59.9 + number % 100, 1]
        rest = [(f"商品{number % 500}", number % 1_000, number % 997 / 10, "")[place % 4] for place in range(33)]
        for place, cell in enumerate([*row, *rest]):
            sheet.write(number + 1, place, cell)
    book.close()


def measure(folder: Path, kinds: list[str], rounds: int) -> None:
    """Runs the kinds in turn, and prints the medians."""
    found: dict[str, list[dict[str, float]]] = {kind: [] for kind in kinds}
    for _ in range(rounds):
        for kind, runs in found.items():
            command = [sys.executable, __file__, "--take", kind, str(folder / kind)]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            runs.append(json.loads(done.stdout.splitlines()[0]))
    print(f"\n### Intake (medians of {rounds}, in turn)\n")
    print(
        "| source | rows | files | rows a second | of a processor | seconds | peak memory, GB | target, rows a second |"
    )
    print("|---|---:|---:|---:|---:|---:|---:|---:|")
    for kind, runs in found.items():
        rows, files = int(runs[0]["rows"]), int(runs[0]["files"])
        wall, busy, peak = (statistics.median(run[name] for run in runs) for name in ("wall", "busy", "peak"))
        title, _, target = KINDS[kind]
        print(
            f"| {title} | {rows:,} | {files} | **{rows / wall:,.0f}** | {rows / busy:,.0f} | {wall:.1f} | {peak:.2f} "
            f"| {target or '–'} |"
        )


def take(kind: str, home: Path) -> dict[str, float]:
    """Takes what lies in the home into a new warehouse: rows, files, seconds of the wall and of processors, GB."""
    os.environ |= {"FUNNELSCOPE_HOME": str(home), "FUNNELSCOPE_CONFIG": str(home / "funnelscope.yaml")}
    (home / "funnelscope.yaml").write_text(SETTINGS + KINDS[kind][1])
    from funnelscope.ingest import deliveries
    from funnelscope.settings import load_settings
    from funnelscope.warehouse.connection import open_warehouse

    if kind == "alone":
        deliveries.FILES_TOGETHER = 1
    settings = load_settings()
    for name in ("warehouse.duckdb", "warehouse.duckdb.wal"):
        (home / name).unlink(missing_ok=True)
    with open_warehouse(
        settings.warehouse_path, memory_limit=settings.memory_limit, threads=settings.threads
    ) as warehouse:
        wall, busy = time.perf_counter(), time.process_time()
        intake = deliveries.take_deliveries(warehouse, settings)
        wall, busy = time.perf_counter() - wall, time.process_time() - busy
    if not intake.rows_loaded or intake.rows_quarantined:
        raise SystemExit(f"{kind}: {intake.rows_loaded} rows loaded, {intake.rows_quarantined} refused")
    status = Path("/proc/self/status").read_text()  # not getrusage: that counts the process before exec as well
    peak = int(status.partition("VmHWM:")[2].split()[0]) / 1e6
    return {"rows": intake.rows_read, "files": intake.loaded, "wall": wall, "busy": busy, "peak": peak}


if __name__ == "__main__":
    main()
