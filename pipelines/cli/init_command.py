"""`funnelscope init`: from a folder of downloaded exports to settings, with what is sure, guessed and to be told."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from funnelscope.messages.check_observations import LocalizedMessage
from pipelines.cli.console import echo, explain_errors

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from funnelscope.messages.wording import Words
    from funnelscope.recognition import ExportFile, Layout, Nearness

SHOWN_AT_MOST = 10
NEAREST_SHOWN = 8


def init(
    folder: Annotated[Path | None, typer.Argument(metavar="FOLDER", help="Folder of downloaded exports.")] = None,
    output: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The settings to write; by default ./funnelscope.yaml.")
    ] = None,
    layouts: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Folder of own layouts; by default the folder layouts beside the settings."),
    ] = None,
    told: Annotated[
        list[str] | None,
        typer.Option(
            "--as", metavar="FILE=LAYOUT", help="What a file is, where several layouts fit; FILE may be a glob."
        ),
    ] = None,
    explain: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Layout by layout, why a file is recognised or not; writes nothing."),
    ] = None,
    language: Annotated[
        str | None,
        typer.Option(metavar="zh|en", help="Language of output and comments; by default that of the exports."),
    ] = None,
) -> None:
    """Recognises the reports in FOLDER and writes a commented funnelscope.yaml that reads them and later downloads.

    Says what is sure, what is guessed, and what you have to say: files that are not recognised, with the nearest
    layout; files that fit two layouts; periods instead of days; several shops or currencies. Nothing is overwritten.

    \b
    From a folder of downloads to the first report:
      funnelscope init ~/Downloads/exports
      funnelscope check
      funnelscope backfill

    Exit codes: 0 written (or, with --explain, recognised); 1 nothing written, or not recognised.
    """
    with explain_errors():
        from funnelscope.messages.wording import list_languages
        from funnelscope.recognition import load_layouts
        from funnelscope.settings import find_config_path

        if language and language not in list_languages():
            raise ValueError(LocalizedMessage("no_language", language=language, languages=", ".join(list_languages())))
        target = (output or find_config_path()).expanduser().absolute()
        own = layouts or target.parent / "layouts"
        if layouts and not layouts.is_dir():
            raise ValueError(LocalizedMessage("no_layouts_folder", folder=str(layouts)))
        known = load_layouts([own] if own.is_dir() else [])
        if explain:
            is_good = _explain(explain, known, language)
        elif folder:
            is_good = _write(folder.expanduser().absolute(), target, known, told or [], language)
        else:
            raise ValueError(LocalizedMessage("give_a_folder"))
    raise typer.Exit(0 if is_good else 1)


def _write(
    folder: Path, target: Path, known: "Mapping[str, Layout]", told: "Sequence[str]", language: str | None
) -> bool:
    from funnelscope.messages.wording import load_words
    from funnelscope.recognition import draft_folder
    from funnelscope.recognition.settings_draft import Sureness
    from funnelscope.settings import find_home_folder

    if not folder.is_dir():
        raise ValueError(LocalizedMessage("no_folder_of_exports", folder=str(folder)))
    if target.exists():
        raise ValueError(LocalizedMessage("settings_are_there", path=str(target)))
    draft = draft_folder(folder, find_home_folder(), known, _parse_told(told, known), language)
    words = load_words(draft.language)
    for sureness, title in (
        (Sureness.SURE, words.text("init", "sure")),
        (Sureness.GUESSED, words.text("init", "guessed_title", path=target.name)),
        (Sureness.ASKED, words.text("init", "asked")),
    ):
        said = draft.list_said(sureness)
        if said:
            echo(title)
            for message in said:
                echo(f"  {message.say_in(draft.language)}")
    if draft.left_aside:
        shown = ", ".join(path.name[:80] for path in draft.left_aside[:SHOWN_AT_MOST])
        more = ", …" if len(draft.left_aside) > SHOWN_AT_MOST else ""
        echo(words.text("init", "left_aside", files=shown + more))
    if not draft.text:
        echo(words.text("init", "not_written", folder=str(folder)), err=True)
        return False
    _check_and_write(draft.text, target)
    echo(words.text("init", "written", path=str(target), count=str(draft.source_count)))
    echo(words.text("init", "next"))
    return True


def _parse_told(told: "Sequence[str]", known: "Mapping[str, Layout]") -> dict[str, str]:
    """File name or glob to the name of its layout."""
    from funnelscope.settings import suggest_nearest

    parsed = {}
    for one in told:
        file, _, layout = one.rpartition("=")
        if not file or layout not in known:
            near = suggest_nearest(layout, sorted(known))
            raise ValueError(LocalizedMessage("told_wrongly", given=one, near=near))
        parsed[file] = layout
    return parsed


def _check_and_write(text: str, target: Path) -> None:
    """Writes the settings once they are known to be valid, and never over a file that came in between."""
    import tempfile

    from funnelscope.settings import load_settings

    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        trial = Path(scratch) / target.name
        trial.write_text(text, encoding="utf-8")
        load_settings(trial)
    with target.open("x", encoding="utf-8") as file:
        file.write(text)


def _explain(path: Path, known: "Mapping[str, Layout]", language: str | None) -> bool:
    from funnelscope.messages.check_observations import LocalizedMessage
    from funnelscope.messages.wording import load_words
    from funnelscope.recognition import explain_nearness, read_export, recognize
    from funnelscope.settings.patterns import PatternTooSlowError

    if not path.is_file():
        raise ValueError(LocalizedMessage("is_no_file", file=str(path)))
    file = read_export(path)
    words = load_words(language or ("zh" if _is_chinese(file) else "en"))
    if file.problem:
        echo(f"{path}: {file.problem.say_in(words.language)}")
        return False
    try:
        compared = explain_nearness(file, known)
        recognition = recognize(file, known)
    except PatternTooSlowError as error:
        slow = LocalizedMessage("pattern_too_slow", pattern=str(error))
        echo(f"{path}: {slow.say_in(words.language)}")
        return False
    for line in _describe_explained(file, compared, words):
        echo(line)
    return recognition.match is not None


def _is_chinese(file: "ExportFile") -> bool:
    return any(
        "\u4e00" <= sign <= "\u9fff" for table in file.tables for row in table.rows[:30] for sign in "".join(row)
    )


def _describe_explained(file: "ExportFile", compared: "Sequence[Nearness]", words: "Words") -> Iterator[str]:
    from funnelscope.recognition.settings_draft import describe_difference

    def say(key: str, **values: object) -> str:
        return words.text("init", key, **{name: str(value) for name, value in values.items()})

    form = file.format.value if file.format else "-"
    delimiter = file.delimiter.replace("\t", r"\t") if form == "csv" else "-"
    yield say("explained", file=file.path, format=form, encoding=file.encoding or "utf-8", delimiter=delimiter)
    if any(table.sheet for table in file.tables):
        sheets = [
            say("sheet", sheet=table.sheet, rows=len(table.rows))
            if table.is_visible
            else say("hidden_sheet", sheet=table.sheet)
            for table in file.tables
        ]
        yield say("sheets", sheets=", ".join(sheets))
    near = [one for one in compared if one.fits or one.found]
    if near:
        names = ", ".join(name for name in near[0].header if name)
        yield say("header", row=near[0].header_row, names=names if len(names) <= 2_000 else names[:2_000] + "…")
    for one in near[:NEAREST_SHOWN]:
        values = {"layout": one.layout.title.say(words.language), "name": one.layout.name}
        if one.fits:
            yield say("is_layout", names=", ".join(one.found), **values)
        else:
            total = len(one.layout.columns)
            why = describe_difference(one).say_in(words.language)
            yield say("is_near", found=len(one.found), total=total, row=one.header_row, why=why, **values)
    yield say("far", count=len(compared) - len(near[:NEAREST_SHOWN]))
