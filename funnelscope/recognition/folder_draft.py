"""A folder of downloads -> a draft of settings, one file in memory at a time."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from funnelscope.messages.check_observations import LocalizedMessage
from funnelscope.recognition.export_files import ExportFile, find_exports, read_export
from funnelscope.recognition.file_patterns import build_template
from funnelscope.recognition.layouts_read import Layout
from funnelscope.recognition.recognize import Recognition, recognize
from funnelscope.recognition.settings_draft import (
    FileFacts,
    SettingsDraft,
    Sureness,
    collect_facts,
    draft_settings,
    tell_unrecognized,
)
from funnelscope.settings.patterns import PatternTooSlowError

FILES_OF_A_NAME = 12
"""Of files whose names differ by their days only, so many are read: the first and the last ones."""
GENERATED = ("published", "reports", "data_docs", "dagster")


def draft_folder(
    folder: Path, home: Path, layouts: Mapping[str, Layout], told: Mapping[str, str], language: str | None = None
) -> SettingsDraft:
    """The draft of the settings for the exports below a folder.

    Args:
        home: the folder to which paths in the settings are relative.
        told: file name or glob to the name of its layout, where a user has said it.
        language: of comments and statements; by default that of the exports.
    """
    found = find_exports(folder, [home / name for name in GENERATED])
    draft = SettingsDraft(left_aside=[*found.left_aside, *found.links])
    chosen = _choose_files(found.files)
    if len(chosen) < len(found.files):
        count = len(found.files) - len(chosen)
        draft.say(Sureness.GUESSED, LocalizedMessage("files_not_opened", count=count))
    if found.is_cut_off:
        draft.say(Sureness.ASKED, LocalizedMessage("folder_is_large", folder=folder.name))
    facts: list[FileFacts] = []
    unrecognized: list[Recognition] = []
    for path in chosen:
        name = next((layout for pattern, layout in told.items() if fnmatchcase(path.name, pattern)), "")
        try:
            one = recognize(read_export(path), layouts, name)
            fact = collect_facts(one, draft, folder)
        except PatternTooSlowError as error:
            problem = LocalizedMessage("pattern_too_slow", pattern=str(error))
            one, fact = Recognition(ExportFile(path, problem=problem)), None
        if fact:
            facts.append(fact)
        else:
            unrecognized.append(one.without_rows())
    draft.language = language or _guess_language(facts, chosen)
    for one in unrecognized:
        tell_unrecognized(one, draft, folder)
    draft_settings(facts, draft, folder, home, chosen, sorted({*found.files} - {*chosen}))
    return draft


def _guess_language(facts: Sequence[FileFacts], files: Sequence[Path]) -> str:
    """That of the users of the reports; where none is recognised, that of the names."""
    if facts:
        return "zh" if any(fact.layout.language == "zh" for fact in facts) else "en"
    return "zh" if any("\u4e00" <= sign <= "\u9fff" for path in files for sign in path.name) else "en"


def _choose_files(files: Sequence[Path]) -> list[Path]:
    """All files, but of many whose names differ by their days only the first and the last ones."""
    by_name = defaultdict(list)
    for path in files:
        by_name[path.parent, build_template(path.name)].append(path)
    chosen = set()
    for paths in by_name.values():
        half = FILES_OF_A_NAME // 2
        chosen.update(paths if len(paths) <= FILES_OF_A_NAME else [*paths[:half], *paths[-half:]])
    return [path for path in files if path in chosen]
