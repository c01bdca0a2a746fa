"""`funnelscope funnel`: an analyst's own funnel, over published events or a file of events."""

import json
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipelines.cli.console import echo, explain_errors, load_shop_settings, show_controls

if TYPE_CHECKING:
    from collections.abc import Iterator

    import duckdb
    from rich.table import Table

    from funnelscope.funnels.funnel_events import FunnelEvents
    from funnelscope.funnels.specification import FunnelFile

BAR_WIDTH = 10
LARGEST_WIDTH = 10_000


def funnel(
    spec: Annotated[Path, typer.Argument(metavar="SPEC", help="YAML or JSON file that declares the funnel.")],
    events: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Parquet, CSV or JSON lines file of events; by default the published events."
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object instead of tables.")] = False,
    units: Annotated[bool, typer.Option("--units", help="Name the units that matched each step.")] = False,
    only_counts: Annotated[
        bool, typer.Option("--counts", help="Only how many units reached each step: the fastest answer.")
    ] = False,
) -> None:
    """Answers a funnel: units, rates and times of each step, by slice and by day of entry. See docs/funnels.md."""
    with explain_errors():
        from funnelscope.funnels.funnel_answers import answer_funnel, count_steps
        from funnelscope.funnels.funnel_events import open_events

        if only_counts and units:
            raise ValueError("--counts answers without naming units; drop it, or --units")
        with open_events() as connection, _explain_database_errors(spec):
            file, loaded = _load_events(connection, spec, events)
            if only_counts:
                found = count_steps(connection, file.spec, loaded)
            else:
                found = answer_funnel(connection, file.spec, loaded, units)
    for note in (*loaded.notes, *found.get("notes", ())):
        echo(f"Note: {note}", err=True)
    if as_json:
        echo(json.dumps(found, ensure_ascii=False, default=str))
    else:
        _print(found)


@contextmanager
def _explain_database_errors(spec: Path) -> "Iterator[None]":
    """An error of the database over these events as one sentence."""
    import duckdb

    try:
        yield
    except duckdb.Error as error:
        from funnelscope.funnels.funnel_events import describe_database_error

        raise ValueError(
            f"{spec}: cannot be answered over these events: {describe_database_error(error)}; "
            "check the columns that its conditions, its unit and its breakdown name"
        ) from None


def _load_events(
    connection: "duckdb.DuckDBPyConnection", spec: Path, events: Path | None
) -> "tuple[FunnelFile, FunnelEvents]":
    """The funnel and its events: those of a file, else the published ones, which need more imports."""
    from funnelscope.funnels.specification import FunnelFile

    if events:
        from funnelscope.funnels.event_files import load_file

        file = FunnelFile(spec)
        return file, load_file(connection, file, events)
    from funnelscope.funnels.published_events import load_published

    settings = load_shop_settings()
    file = FunnelFile(spec, settings.timezone)
    return file, load_published(connection, file, settings)


def _print(found: dict[str, Any]) -> None:
    from rich.console import Console

    console = Console()
    tables = [_build_steps_table(found["name"], found["steps"], found.get("total_time"))]
    tables += [
        _build_steps_table(value or "(none)", steps, found["breakdown_total_time"][value])
        for value, steps in found.get("breakdown", {}).items()
    ]
    if found.get("trend"):
        tables.append(_build_trend_table(found["trend"]))
    # A narrow terminal wraps lines, but a figure is never cut.
    unbounded = console.options.update(max_width=LARGEST_WIDTH)
    console.width = max(console.width, *(console.measure(table, options=unbounded).maximum for table in tables))
    for table in tables:
        console.print(table)
    for step, units in found.get("units_by_step", {}).items():
        label = found["steps"][int(step) - 1]["event"]
        console.print(f"Step {step} {label}: {', '.join(map(str, units)) or 'nobody'}", markup=False, soft_wrap=True)


def _build_steps_table(title: str, steps: list[dict[str, Any]], total: dict[str, Any] | None) -> "Table":
    from rich.markup import escape
    from rich.table import Table

    table = Table(title=escape(show_controls(title)), box=None, title_justify="left")
    attempts = ("attempts",) if "attempts" in steps[0] else ()
    more = (*attempts, "lost", "open", "median", "p90") if "lost" in steps[0] else ()
    for name in ("step", "units", "", "rate", "of all", *more):
        table.add_column(name, justify="left" if name in ("step", "") else "right", no_wrap=True)
    for step in steps:
        table.add_row(
            f"{step['step']} {escape(show_controls(step['event']))}",
            f"{step['units']:,}",
            "█" * round(BAR_WIDTH * (step["rate_from_start"] or 0)),
            _format_percent(step["rate_from_previous"]),
            _format_percent(step["rate_from_start"]),
            *(f"{step[name]:,}" for name in attempts),
            *([f"{step['lost']:,}", f"{step['pending']:,}"] if more else []),
            *(_format_duration(step[name]) for name in ("median_seconds", "p90_seconds") if more),
        )
    if total and total["median_seconds"] is not None:
        times = (_format_duration(total[name]) for name in ("median_seconds", "p90_seconds"))
        table.add_row("from first to last step", *[""] * (len(table.columns) - 3), *times)
    return table


def _build_trend_table(trend: list[dict[str, Any]]) -> "Table":
    from rich.table import Table

    table = Table(title="By day of entry", box=None, title_justify="left")
    table.add_column("entered")
    for number in range(1, len(trend[0]["units"]) + 1):
        table.add_column(str(number), justify="right")
    table.add_column("")
    for day in trend:
        table.add_row(
            day["entered"], *(f"{units:,}" for units in day["units"]), "" if day["mature"] else "not over yet"
        )
    return table


def _format_percent(rate: float | None) -> str:
    return "" if rate is None else f"{rate:.1%}"


def _format_duration(seconds: float | None) -> str:
    """A duration in its natural unit: 45 s, 12 min, 3.5 h, 2.0 d."""
    if seconds is None:
        return ""
    for size, name, digits in ((86_400, "d", 1), (3_600, "h", 1), (60, "min", 0)):
        if seconds >= size:
            return f"{seconds / size:.{digits}f} {name}"
    return f"{seconds:.0f} s"
