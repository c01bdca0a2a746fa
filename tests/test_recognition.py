"""`funnelscope init`: a folder of downloads becomes settings that read it, and says what it does not know."""

from datetime import date
from pathlib import Path
from typing import Any

import pytest
from recognition_examples import EXAMPLES, Example, write_workbook

from funnelscope.ingest.source_check import SourceCheck, check_source
from funnelscope.recognition import SettingsDraft, Sureness, draft_folder, load_layouts
from funnelscope.settings import Settings, load_settings

LAYOUTS = load_layouts()


def draft(
    folder: Path, language: str | None = "en", told: dict[str, str] | None = None, **layouts: Any
) -> SettingsDraft:
    return draft_folder(folder, folder.parent / "home", {**LAYOUTS, **layouts}, told or {}, language)


def settle(drafted: SettingsDraft, folder: Path) -> Settings:
    path = folder.parent / "funnelscope.yaml"
    path.write_text(drafted.text, encoding="utf-8")
    return load_settings(path)


def check(settings: Settings) -> dict[str, SourceCheck]:
    return {source.name: check_source(settings, source) for source in settings.sources}


def asked(drafted: SettingsDraft) -> str:
    return "\n".join(drafted.list_said(Sureness.ASKED))


def shorten(value: str) -> str:
    """A number without the zeros behind it."""
    return value.rstrip("0").rstrip(".") if "." in value else value


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "exports").mkdir()
    return tmp_path / "exports"


def test_there_is_an_example_of_every_layout() -> None:
    assert set(EXAMPLES) == set(LAYOUTS)


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_export_of_each_layout_is_recognised_and_mapped(name: str, folder: Path) -> None:
    example = EXAMPLES[name]
    example.write(folder)
    drafted = draft(folder)
    assert asked(drafted) == ""
    if not LAYOUTS[name].sources:
        assert drafted.text == ""
        assert "is not read" in drafted.list_said(Sureness.SURE)[0]
        return
    settings = settle(drafted, folder)
    checks = check(settings)
    assert set(checks) >= set(example.expected)
    for source, found in checks.items():
        assert (source, found.problem, found.refusals, found.warnings) == (source, "", [], [])
    for source, expected in example.expected.items():
        assert checks[source].accepted, source
        mapped = {column: shorten(value) for column, value in checks[source].rows[0].mapped.items()}
        assert {column: mapped.get(column) for column in expected} == expected, source
