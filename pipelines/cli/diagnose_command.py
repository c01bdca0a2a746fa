"""`funnelscope diagnose`: the slices that explain why a measure left its baseline."""

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from funnelscope.localization.localize import Localization
    from funnelscope.localization.scan import LocalizedSlice


CubeOption = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="Localise this cube instead of a day: CSV (also gzip) or Parquet with dimensions, and real_num, real_den, "
        "predict_num, predict_den (a ratio; predict is the mean of a baseline period), or real, predict (a sum).",
    ),
]
DimensionsOption = Annotated[str, typer.Option(metavar="A,B,C", help="The dimensions of the cube.")]
HierarchyOption = Annotated[
    str,
    typer.Option(
        metavar="INNER:OUTER,…",
        help="Which dimension determines which, nearest first: creative:campaign,creative:channel,campaign:channel.",
    ),
]
PeriodsOption = Annotated[float, typer.Option(help="Number of periods of which the cube's predict_… is the mean.")]


def diagnose_cube(cube: Path, dims: str, hierarchy: str, baseline_periods: float, as_json: bool) -> None:
    """Names the slices of a cube that explain its change, or none if nothing is wrong. See docs/diagnosis.md.

    Exit code 0 with an answer, including that nothing is wrong; 1 if there is no answer, with the reason.
    """
    from funnelscope.localization.localize import CubeError, Localization, localize, read_cube

    dimensions = [name.strip() for name in dims.split(",") if name.strip()]
    found, mistake = Localization((), 0.0, ()), None
    try:
        found = localize(read_cube(cube), dimensions, _hierarchy(hierarchy), baseline_periods)
    except CubeError as error:
        mistake = str(error) if str(error).startswith(str(cube)) else f"{cube}: {error}"
    except MemoryError:
        mistake = f"{cube} does not fit in memory: name fewer dimensions, or sum its rows over fewer"
    if as_json:
        findings = [_as_json(finding) for finding in found.findings]
        answer = {"findings": findings, "seconds": round(found.seconds, 4), "remarks": found.remarks}
        typer.echo(json.dumps(answer | ({"error": mistake} if mistake else {}), ensure_ascii=False))
    elif not mistake:
        _print(found)
    if mistake:
        typer.echo(f"Error: {mistake}", err=True)
        raise typer.Exit(1)


def _hierarchy(text: str) -> dict[str, list[str]]:
    """Inner dimension to the outer ones that it determines. Raises CubeError for a malformed pair."""
    from funnelscope.localization.localize import CubeError

    above: dict[str, list[str]] = {}
    for pair in filter(None, (part.strip() for part in text.split(","))):
        inner, colon, outer = (part.strip() for part in pair.partition(":"))
        if not (inner and colon and outer):
            raise CubeError(f"--hierarchy: '{pair}' is not a pair; write INNER:OUTER, such as campaign:channel")
        above.setdefault(inner, []).append(outer)
    return above


def _as_json(finding: "LocalizedSlice") -> dict[str, Any]:
    return {**asdict(finding), "effect": finding.effect, "lost": finding.lost}


def _print(found: "Localization") -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    console = Console() if sys.stdout.isatty() else Console(width=160)  # a file has room for full names
    for remark in found.remarks:
        typer.echo(f"Note: {remark}", err=True)
    if not found.findings:
        console.print("No slice left its baseline by more than chance explains.")
        return
    table = Table(box=None)
    for name in ("slice", "effect", "90 % interval", "lost", "p", "stable", "runner-up"):
        is_slice = name in ("slice", "runner-up")
        table.add_column(name, justify="left" if is_slice else "right", overflow="fold", no_wrap=not is_slice)
    for finding in found.findings:
        table.add_row(
            escape(_words(finding.slice)),
            f"{finding.effect:+.1%}",
            f"{finding.theta_low - 1:+.1%} … {finding.theta_high - 1:+.1%}",
            f"{finding.lost:,.1f}",
            f"{finding.p_value:.2g}",
            f"{finding.stability:.0%}",
            escape(_words(finding.runner_up or {})),
        )
    console.print(table)


def _words(named: dict[str, str]) -> str:
    return ", ".join(f"{name}={value}" for name, value in named.items()) or "–"
