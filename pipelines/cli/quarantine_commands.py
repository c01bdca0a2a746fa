"""`funnelscope quarantine`: lists quarantined rows, reads their files again, or drops them."""

import csv
import json
import sys
from contextlib import contextmanager
from datetime import date, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from funnelscope.messages.check_observations import LocalizedMessage
from funnelscope.messages.wording import load_words
from pipelines.cli.console import echo, explain_errors, load_shop_settings, show_controls
from pipelines.terminal import list_words, tell

if TYPE_CHECKING:
    from collections.abc import Iterator

    from funnelscope.ingest.quarantine import Selection
    from funnelscope.settings import Settings
    from funnelscope.warehouse.connection import Warehouse

quarantine = typer.Typer(
    help="Which rows are in quarantine and why; how to see, fix and read them again, or drop them.",
    no_args_is_help=True,
)


class QuarantineFamily(StrEnum):
    """Families of events, as choices of an option."""

    TRAFFIC = "traffic"
    PAGE = "page"
    SERVICE = "service"
    ORDER = "order"


FamilyOption = Annotated[QuarantineFamily | None, typer.Option(help="Only this family.")]
SourceOption = Annotated[str | None, typer.Option(metavar="NAME", help="Only this source of funnelscope.yaml.")]
ReasonOption = Annotated[str | None, typer.Option(metavar="CODE", help="Only this reason, such as bad_time.")]
FileOption = Annotated[str | None, typer.Option(metavar="NAME", help="Only files whose name ends with this.")]
DayOption = Annotated[
    datetime | None, typer.Option("--date", formats=["%Y-%m-%d"], metavar="YYYY-MM-DD", help="Only this day.")
]


@quarantine.command("list", short_help="Count them by day, file and reason.")
def list_counts(
    family: FamilyOption = None,
    source: SourceOption = None,
    reason: ReasonOption = None,
    file: FileOption = None,
    day: DayOption = None,
    dropped: Annotated[bool, typer.Option("--dropped", help="The dropped rows instead of the others.")] = False,
) -> None:
    """Counts the rows by day, family, source, file and reason, and says for each reason what to do."""
    with explain_errors():
        from funnelscope.ingest.quarantine import count_rows
        from funnelscope.ingest.quarantine_reasons import QuarantineReason

        with _open_warehouse() as warehouse:
            counts = count_rows(warehouse, _select_rows(family, source, reason, file, day, dropped))
        settings = load_shop_settings()
        if not counts:
            echo(tell(settings, "nothing_dropped" if dropped else "nothing_quarantined"))
            return
        _print_counts(settings, counts)
        words = load_words(settings.language)
        present = {count["reason"] for count in counts}
        for code in (known.value for known in QuarantineReason if known.value in present):
            meaning, remedy = (words.text(section, code) for section in ("quarantine_reasons", "quarantine_remedies"))
            echo(tell(settings, "way_out", reason=code, meaning=meaning, remedy=remedy))


@quarantine.command(short_help="Rows with line, reason and content.")
def show(
    family: FamilyOption = None,
    source: SourceOption = None,
    reason: ReasonOption = None,
    file: FileOption = None,
    day: DayOption = None,
    limit: Annotated[int, typer.Option(min=1, help="Maximum number of rows.")] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="JSON lines, for a repair tool.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="CSV, for a repair tool.")] = False,
) -> None:
    """Shows rows with file, line, reason and original content; row 0 is a whole file."""
    with explain_errors():
        from funnelscope.ingest.quarantine import show_rows

        if as_json and as_csv:
            raise ValueError("--json and --csv exclude each other; keep one")
        with _open_warehouse() as warehouse:
            rows = show_rows(warehouse, _select_rows(family, source, reason, file, day), limit)
        if as_json:
            for row in rows:
                echo(json.dumps(row, ensure_ascii=False, default=str))
        elif as_csv and rows:
            writer = csv.DictWriter(sys.stdout, rows[0])
            writer.writeheader()
            writer.writerows(rows)
        else:
            settings = load_shop_settings()
            for row in rows:
                line = f", {tell(settings, 'line', line=row['line'])}" if row["line"] > 1 else ""
                echo(f"{row['file']}:{row['row_number']}{line}: {row['reason']}: {row['detail'] or ''}")
                echo(f"    {row['content'] or tell(settings, 'whole_file')}")


@quarantine.command(short_help="Read the files of rows again.")
def replay(
    family: FamilyOption = None,
    source: SourceOption = None,
    reason: ReasonOption = None,
    file: FileOption = None,
    day: DayOption = None,
) -> None:
    """Reads the files of the chosen rows again, and builds every day that this changes.

    Every run reads a file again if it, or its mapping, was changed. This is for everything else, such as a permission
    that was missing, or a database that was down.
    """
    with explain_errors():
        from funnelscope.ingest.quarantine import count_rows, request_retry
        from pipelines.runs import bring_up_to_date

        chosen = _select_rows(family, source, reason, file, day)
        with _open_warehouse() as warehouse:
            files = request_retry(warehouse, chosen)
        settings = load_shop_settings()
        pieces = bring_up_to_date(settings, [])
        with _open_warehouse() as warehouse:
            left = sum(count["rows"] for count in count_rows(warehouse, chosen))
        spans = [tell(settings, "days_between", first=piece.from_date, last=piece.to_date) for piece in pieces]
        built = list_words(settings, spans) if spans else tell(settings, "no_day")
        echo(tell(settings, "read_again", files=files, built=built, left=left))


@quarantine.command(short_help="Drop rows: erase their content.")
def drop(
    family: FamilyOption = None,
    source: SourceOption = None,
    reason: ReasonOption = None,
    file: FileOption = None,
    day: DayOption = None,
    is_confirmed: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Drops the chosen rows: erases their content, and builds their days without the warning about them.

    File, line and reason of each row stay, so that every row read is still accounted for; `list --dropped` counts them.
    The files in the landing zone stay too: if one is read again, its bad rows go to quarantine again.
    """
    with explain_errors():
        from funnelscope.ingest.build_state import read_build_state
        from funnelscope.ingest.quarantine import count_rows, drop_rows
        from pipelines.runs import bring_up_to_date

        chosen = _select_rows(family, source, reason, file, day)
        if chosen.is_everything:
            raise ValueError("choose the rows to drop: --family, --source, --reason, --file or --date")
        with _open_warehouse() as warehouse:
            counts = count_rows(warehouse, chosen)
        settings = load_shop_settings()
        if not counts:
            echo(tell(settings, "none_of_these"))
            return
        _print_counts(settings, counts)
        total = sum(count["rows"] for count in counts)
        if not is_confirmed:
            typer.confirm(tell(settings, "ask_drop", rows=total), abort=True)
        with _open_warehouse() as warehouse:
            days = drop_rows(warehouse, chosen)
            built = read_build_state(warehouse).built
        if affected := [touched for touched in days if touched in built]:
            bring_up_to_date(settings, affected)
        again = list_words(settings, list(map(str, affected))) if affected else tell(settings, "no_day")
        echo(tell(settings, "dropped", rows=total, days=again))


def _print_counts(settings: "Settings", counts: "list[dict[str, Any]]") -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table(*(tell(settings, name) for name in ("day", "family", "source")), box=None, pad_edge=False)
    for heading in ("file", "reason", "row_count"):  # --file needs the end of a name, --reason the whole name
        table.add_column(tell(settings, heading), overflow="fold")
    for count in counts:
        table.add_row(*(escape(show_controls(str(value))) for value in count.values()))
    Console(soft_wrap=True).print(table)


def _select_rows(
    family: QuarantineFamily | None,
    source: str | None,
    reason: str | None,
    file: str | None,
    day: datetime | None,
    dropped: bool = False,
) -> "Selection":
    from funnelscope.ingest.quarantine import Selection
    from funnelscope.ingest.quarantine_reasons import QuarantineReason

    known = [code.value for code in QuarantineReason]
    if reason and reason not in known:
        raise ValueError(f"'{reason}' is not a reason; the reasons are {', '.join(known)}")
    wanted_day: date | None = day.date() if day else None
    return Selection(family.value if family else None, source, reason, file, wanted_day, dropped)


@contextmanager
def _open_warehouse() -> "Iterator[Warehouse]":
    from funnelscope.ingest import create_tables
    from funnelscope.warehouse.connection import open_warehouse

    settings = load_shop_settings()
    if not settings.warehouse_path.exists():
        raise FileNotFoundError(LocalizedMessage("no_warehouse", file=str(settings.warehouse_path)))
    with open_warehouse(settings.warehouse_path, wait_seconds=settings.lock_wait_seconds) as warehouse:
        create_tables(warehouse)
        yield warehouse
