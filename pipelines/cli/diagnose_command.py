"""`funnelscope diagnose`: the slices that explain why a measure left its baseline."""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from funnelscope.messages.check_observations import LocalizedMessage
from funnelscope.messages.wording import MINUS, Words, load_words
from pipelines.cli.console import echo, show_controls

if TYPE_CHECKING:
    from funnelscope.localization.localize import Localization
    from funnelscope.localization.scan import LocalizedSlice


CubeOption = Annotated[
    list[Path] | None,
    typer.Option(
        metavar="FILE",
        help="Localise this cube instead of a day, and those named after it: CSV (also gzip) or Parquet with "
        "dimensions, and real_num, real_den, predict_num, predict_den (a ratio; predict is the mean of a baseline "
        "period), or real, predict (a sum).",
    ),
]
FurtherCubes = Annotated[list[Path] | None, typer.Argument(metavar="[FILE]…", help="Further cubes, after --cube.")]
DetailsOption = Annotated[bool, typer.Option("--details", help="Also p-values, stability and the next best answer.")]
DimensionsOption = Annotated[str, typer.Option(metavar="A,B,C", help="The dimensions of the cube.")]
HierarchyOption = Annotated[
    str,
    typer.Option(
        metavar="INNER:OUTER,…",
        help="Which dimension determines which, nearest first: creative:campaign,creative:channel,campaign:channel.",
    ),
]
PeriodsOption = Annotated[float, typer.Option(help="Number of periods of which the cube's predict_… is the mean.")]


_WIDTH = 80  # columns of a terminal
_ANSWERS = ("cube_mix_alone", "cube_mix_and_rate", "cube_share_grew", "cube_all_alike")
"""Remarks that answer the question; the others are about the input."""


@dataclass(frozen=True)
class CubeQuestion:
    """What is asked of every cube of a command."""

    dimensions: Sequence[str]
    hierarchy: str
    baseline_periods: float


@dataclass(frozen=True)
class CubeAnswer:
    """A cube with what was found, or with why nothing can be said of it."""

    cube: Path
    found: "Localization"
    mistake: str | None


def diagnose_cubes(
    cubes: Sequence[Path], question: CubeQuestion, language: str, *, as_json: bool, with_details: bool
) -> None:
    """Names the slices of each cube that explain its change, or none if nothing is wrong. See docs/diagnosis.md.

    As JSON one object a line. Exit code 0 with answers, including that nothing is wrong; 1 if a cube allows none, with
    the reason.
    """
    is_good = True
    for cube in cubes:
        answer = _answer(cube, question, language)
        is_good = is_good and not answer.mistake
        if as_json:
            echo(json.dumps(_as_json(answer), ensure_ascii=False))
        else:
            if len(cubes) > 1:
                echo(f"{'' if cube is cubes[0] else chr(10)}{cube}")
            if not answer.mistake:
                _print(answer.found, load_words(language), with_details)
        if answer.mistake:
            echo(load_words(language).text("terminal", "error", text=answer.mistake), err=True)
    if not is_good:
        raise typer.Exit(1)


def _answer(cube: Path, question: CubeQuestion, language: str) -> CubeAnswer:
    from funnelscope.localization.localize import CubeError, Localization, localize, read_cube

    try:
        hierarchy = _hierarchy(question.hierarchy)
        found = localize(read_cube(cube), question.dimensions, hierarchy, question.baseline_periods)
        return CubeAnswer(cube, found, None)
    except CubeError as error:
        said = error.message.say_in(language)
        mistake = said if said.startswith(str(cube)) else f"{cube}: {said}"
    except MemoryError:
        mistake = LocalizedMessage("cube_too_large", file=str(cube)).say_in(language)
    return CubeAnswer(cube, Localization((), 0.0, ()), mistake)


def _hierarchy(text: str) -> dict[str, list[str]]:
    """Inner dimension to the outer ones that it determines. Raises CubeError for a malformed pair."""
    from funnelscope.localization.localize import CubeError

    above: dict[str, list[str]] = {}
    for pair in filter(None, (part.strip() for part in text.split(","))):
        inner, colon, outer = (part.strip() for part in pair.partition(":"))
        if not (inner and colon and outer):
            raise CubeError("cube_no_pair", pair=pair)
        above.setdefault(inner, []).append(outer)
    return above


def _as_json(answer: CubeAnswer) -> dict[str, Any]:
    found = answer.found
    return {
        "cube": str(answer.cube),
        "findings": [{**asdict(each), "effect": each.effect, "lost": each.lost} for each in found.findings],
        **({"change": asdict(found.change)} if found.change else {}),
        "seconds": round(found.seconds, 4),
        "remarks": found.remarks,
        **({"error": answer.mistake} if answer.mistake else {}),
    }


def _print(found: "Localization", words: Words, with_details: bool) -> None:
    """A table for people, no wider than a terminal. What the reader should know stands on standard error."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    for remark in found.remarks:
        is_answer = remark.record["key"] in _ANSWERS
        told = remark.say_in(words.language)
        echo(told if is_answer else words.text("cube", "remark", text=told), err=not is_answer)
    if not found.findings:
        echo(words.text("cube", "nothing"))
        return
    table = Table(box=None, pad_edge=False)
    for column in ("slice", "change", "interval", "difference"):
        is_slice = column == "slice"
        table.add_column(words.text("cube", column), justify="left" if is_slice else "right", overflow="fold")
    for finding in found.findings:
        more = words.text(
            "cube", "lost" if finding.lost > 0 else "gained", count=words.plain(round(abs(finding.lost), 1))
        )
        table.add_row(
            "\n".join(escape(show_controls(line)) for line in _describe_slice(finding, words, with_details)),
            _percent(finding.effect),
            f"{_percent(finding.theta_low - 1)} … {_percent(finding.theta_high - 1)}",
            more,
        )
    Console(width=min(Console().width, _WIDTH) if sys.stdout.isatty() else _WIDTH).print(table)


def _describe_slice(finding: "LocalizedSlice", words: Words, with_details: bool) -> Iterator[str]:
    yield _name_slice(finding.slice, words)
    if finding.strongest_part and finding.strongest_theta is not None:
        name, change = _name_slice(finding.strongest_part, words), _percent(finding.strongest_theta - 1)
        yield "  " + words.text("cube", "strongest_part", slice=name, change=change)
    if with_details:
        certainty = {"p_value": f"{finding.p_value:.2g}", "stability": f"{finding.stability:.0%}"}
        yield "  " + words.text("cube", "certainty", **certainty)
        if finding.runner_up:
            yield "  " + words.text("cube", "runner_up", slice=_name_slice(finding.runner_up, words))


def _name_slice(named: Mapping[str, str], words: Words) -> str:
    return words.format_slice(tuple(named.items()))


def _percent(change: float) -> str:
    return f"{100 * change:+,.1f}%".replace("-", MINUS)
