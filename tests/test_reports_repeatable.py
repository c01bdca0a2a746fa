"""An edition is a function of its report: the same files in any process, time zone, language of the machine, folder."""

import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from pypdf import PdfReader
from pypdf.generic import DictionaryObject
from report_example import BUSY

from funnelscope.messages.wording import list_languages
from reports import render, render_stage_png, write_findings_json, write_spreadsheet

TESTS = Path(__file__).parent
ELSEWHERE = {"TZ": "Pacific/Kiritimati", "LC_ALL": "tr_TR.UTF-8", "LANG": "tr_TR.UTF-8", "PYTHONHASHSEED": "4711"}


def fingerprints() -> list[str]:
    """Of every file of an edition."""
    files = [render(BUSY), write_spreadsheet(BUSY), write_findings_json(BUSY)]
    files += [render_stage_png(stage, BUSY) for stage in BUSY.stages]
    return [hashlib.sha256(file).hexdigest() for file in files]


@pytest.mark.slow
def test_another_process_elsewhere_prints_the_same_bytes(tmp_path: Path) -> None:
    script = "import test_reports_repeatable; print(*test_reports_repeatable.fingerprints())"
    path = os.pathsep.join([str(TESTS), str(TESTS.parent)])
    environment = os.environ | ELSEWHERE | {"PYTHONPATH": path, "MPLCONFIGDIR": str(tmp_path)}
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=environment, check=True)
    assert done.stdout.split() == fingerprints()


def elements(node: Any) -> Iterator[DictionaryObject]:
    """Every element of the structure tree that a screen reader walks."""
    node = node.get_object()
    children = node.get("/K", []) if isinstance(node, dict) else node
    if isinstance(node, DictionaryObject):
        yield node
    for child in children if isinstance(children, list) else [children]:
        if not isinstance(child, int):
            yield from elements(child)


@pytest.mark.parametrize("language", list_languages())
def test_every_picture_is_told_to_those_who_cannot_see_it(language: str) -> None:
    root = PdfReader(BytesIO(render(replace(BUSY, language=language)))).trailer["/Root"]
    told = [str(each.get("/Alt", "")) for each in elements(root["/StructTreeRoot"]) if each.get("/S") == "/Figure"]
    assert root["/Lang"] == language
    assert len(told) > 12
    assert all(len(alternative) > 5 for alternative in told), told
    chinese = [any("\u4e00" <= character <= "\u9fff" for character in text) for text in told]
    assert all(chinese) if language == "zh" else True
