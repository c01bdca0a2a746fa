"""`funnelscope check`: what the settings make of the newest file of each source, without building anything."""

import os
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipelines.cli.console import echo, explain_errors, load_shop_settings

if TYPE_CHECKING:
    from funnelscope.ingest.source_check import Refusal, SourceCheck
    from funnelscope.messages.wording import Words
    from funnelscope.settings import KeyPath, Settings

VALUE_WIDTH = 60
CONTENT_WIDTH = 200
TYPES_SHOWN = 10
ROUTINE_NOTES = (
    "left_out_by_where",
    "left_out_by_skip_lines",
    "lines_of_records",
    "types_left_out",
    "columns_not_read",
)
DAYS_AWAITED = 14
"""A source whose newest file is older delivers no more, or holds a history."""


def check(
    source: Annotated[
        str | None, typer.Argument(metavar="SOURCE", help="The name of a source; by default all of them.")
    ] = None,
    language: Annotated[
        str | None, typer.Option(metavar="zh|en", help="Language of the output; by default that of funnelscope.yaml.")
    ] = None,
) -> None:
    """Maps the newest file of each source, in seconds, and shows what comes of it. Nothing is built or stored.

    One line for each source that is fine. For others, and for the one that is named: five rows as they came and as they
    are mapped, with times on the shop's clock; how many rows are accepted and refused, and why; the expression that
    fails, with its line in funnelscope.yaml; event types that nobody maps; unused columns; times that look misread. If
    no file matches, the nearest that exist.

    \b
    Write a source, then repeat until nothing is left to do:
      funnelscope check                 all of them
      funnelscope check orders_paid     one source, with rows
      funnelscope backfill              then build all days that there are

    Exit code 1 if a file is missing or unreadable, rows are refused, or something looks misread; else 0.
    """
    with explain_errors():
        from funnelscope.ingest.source_check import check_source
        from funnelscope.messages.check_observations import LocalizedMessage
        from funnelscope.messages.wording import list_languages, load_words
        from funnelscope.settings import SettingsError, suggest_nearest

        settings = load_shop_settings()
        if language and language not in list_languages():
            raise ValueError(LocalizedMessage("no_language", language=language, languages=", ".join(list_languages())))
        words = load_words(language or settings.language)
        names = [one.name for one in settings.sources]
        if not names:
            raise SettingsError(LocalizedMessage("no_sources"))
        if source and source not in names:
            raise SettingsError(
                LocalizedMessage("no_such_source", source=repr(source), near=suggest_nearest(source, names))
            )
        are_fine = []
        for position, one in enumerate(settings.sources):
            if source in (None, one.name):
                found = check_source(settings, one)
                are_fine.append(found.is_fine)
                is_brief = found.is_fine and bool(found.file) and source is None and len(names) > 1
                for line in (_describe_fine if is_brief else _describe)(found, settings, words, position):
                    echo(line)
        if source is None and len(names) > 1:
            echo(words.text("source_check", "show_rows"))
        if source is None and all(are_fine) and not settings.warehouse_path.exists():
            echo(words.text("source_check", "build_next"))
    raise typer.Exit(0 if all(are_fine) and are_fine else 1)


def _describe_fine(found: "SourceCheck", settings: "Settings", words: "Words", position: int) -> "Iterator[str]":
    """A line, and what a user should know all the same."""
    ends = [found.first_time, found.last_time] if found.first_time else []
    is_of_day = found.source.family == "figure"
    values = {
        "source": found.source.name,
        "family": words.text("families", found.source.family),
        "file": _show_file(found, settings),
        "day": str(found.delivered_on or words.no_data),
        "rows": _count_rows(found, words),
        "times": " – ".join(str(end)[: 10 if is_of_day else None] for end in ends) or words.no_data,
    }
    yield f"{words.text('source_check', 'fine')} {words.text('source_check', 'fine_file', **values)}"
    yield from _tell_awaited(found, settings, words)
    yield from (f"  {_translate(note, words)}" for note in found.notes if _get_key(note) not in ROUTINE_NOTES)


def _tell_awaited(found: "SourceCheck", settings: "Settings", words: "Words") -> "Iterator[str]":
    yesterday = datetime.now(settings.zone).date() - timedelta(days=1)
    if found.source.required and found.delivered_on and 0 < (yesterday - found.delivered_on).days <= DAYS_AWAITED:
        yield f"  {words.text('source_check', 'awaited', day=str(yesterday))}"


def _count_rows(found: "SourceCheck", words: "Words") -> str:
    refused = sum(refusal.count for refusal in found.refusals)
    counts = {"read": found.rows_read, "accepted": found.accepted, "duplicates": found.duplicates, "refused": refused}
    return words.text("source_check", "rows", **{name: f"{count:,}" for name, count in counts.items()})


def _show_file(found: "SourceCheck", settings: "Settings") -> str:
    """The file's name in the home folder, or in the folder of its source."""
    from funnelscope.ingest.landing_zone import split_pattern

    path = Path(os.path.normpath(settings.home / found.file))
    root = Path(os.path.normpath(split_pattern(settings, found.source.pattern)[0]))
    base = next((each for each in (Path(os.path.normpath(settings.home)), root) if path.is_relative_to(each)), None)
    return path.relative_to(base).as_posix() if base else found.file


def _get_key(note: object) -> str:
    from funnelscope.messages.check_observations import LocalizedMessage

    return str(note.record["key"]) if isinstance(note, LocalizedMessage) else ""


def _describe(found: "SourceCheck", settings: "Settings", words: "Words", position: int) -> "Iterator[str]":
    def say(key: str, **values: object) -> str:
        return words.text("source_check", key, **{name: str(value) for name, value in values.items()})

    family = words.text("families", found.source.family)
    state = say("fine" if found.is_fine else "bad")
    if not found.file:
        pattern = os.path.normpath(settings.home / found.source.pattern)
        yield f"{state} " + say("no_file", source=found.source.name, pattern=pattern)
        yield from (f"  {say('nearest', file=file)}" for file in found.nearest)
        return
    values = {"source": found.source.name, "family": family, "file": _show_file(found, settings)}
    values["files"] = f"{found.file_count:,}"
    yield f"{state} " + say("file", **values, day=found.delivered_on or words.no_data)
    yield from _tell_awaited(found, settings, words)
    if found.problem:
        yield f"  {say('problem', problem=_translate(found.problem, words))}"
        yield from _locate(found.place, position)
        return
    yield f"  {_count_rows(found, words)}"
    if found.superseded:
        yield f"  {say('superseded', count=f'{found.superseded:,}', duplicates=found.source.duplicates)}"
    if found.first_time:
        yield f"  {say('times', first=found.first_time, last=found.last_time, zone=settings.timezone)}"
    for row in (row for row in found.rows if row.delivered):  # a damaged one has no columns
        yield f"  {say('row_refused' if row.number in found.refused_rows else 'row', number=row.place)}"
        yield f"    {say('came')} {_join(row.delivered)}"
        yield f"    {say('mapped')} {_join(row.mapped)}"
    for refusal in found.refusals:
        yield from _describe_refusal(refusal, words, position)
    if found.unmapped_types:
        is_left_out = found.source.event_types and found.source.event_types.others == "leave_out"
        types = [f"{_shorten(name)} {count:,}" for name, count in found.unmapped_types.items()]
        shown = ", ".join(types[:TYPES_SHOWN]) + (", …" if len(types) > TYPES_SHOWN else "")
        yield f"  {say('types_left_out' if is_left_out else 'types_refused', types=shown)}"
    if found.unread_columns:
        yield f"  {say('unread_columns', columns=', '.join(found.unread_columns))}"
    yield from (f"  {_translate(note, words)}" for note in found.notes)
    yield from (f"  {say('warning', warning=_translate(warning, words))}" for warning in found.warnings)


def _describe_refusal(refusal: "Refusal", words: "Words", position: int) -> "Iterator[str]":
    name = words.translate_or_keep("quarantine_reasons", refusal.reason)
    values = {"reason": name, "code": refusal.reason, "count": f"{refusal.count:,}"}
    refused = words.text("source_check", "refused", **values, number=refusal.row, detail=refusal.detail)
    yield f"  {refused}"
    if refusal.content:
        yield f"    {words.text('source_check', 'came')} {_shorten(refusal.content, CONTENT_WIDTH)}"
    if refusal.error:
        yield f"    {refusal.error}"
    yield from _locate(refusal.place, position)
    if refusal.reason in words.sections["quarantine_remedies"]:
        remedy = words.text("quarantine_remedies", refusal.reason)
        yield f"    {words.text('source_check', 'remedy', remedy=remedy)}"


def _locate(place: "KeyPath", position: int) -> "Iterator[str]":
    """Where in the settings the key below the source stands."""
    if place:
        from funnelscope.settings import find_line

        yield f"    {find_line(('sources', position, *place))}: {'.'.join(map(str, place))}"


def _translate(text: str, words: "Words") -> str:
    from funnelscope.messages.check_observations import LocalizedMessage

    return text.say_in(words.language) if isinstance(text, LocalizedMessage) else text


def _join(values: dict[str, str]) -> str:
    return "  ".join(f"{name}={_shorten(value)}" for name, value in values.items())


def _shorten(value: str, width: int = VALUE_WIDTH) -> str:
    bare = " ".join(value.split())
    return bare if len(bare) <= width else bare[: width - 1] + "…"
