"""One page, picture or file of a report that fails is set aside: the others are printed, and its place says why."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from report_example import BUSY
from shop_helpers import Home, cloned, day
from test_reports_page import text_of

import reports
import reports.pages
import reports.pictures
from funnelscope.reporting import editions
from reports import PartFailure, render, render_pictures

BREAKS = {  # what is broken -> (module, name, the part that is told)
    "a stage": (reports.pages, "build_stage_chapter", "Landing"),
    "the money": (reports.pages, "build_money_chapter", "The money"),
    "the data": (reports.pages, "build_data_chapter", "The data behind this report"),
    "the definitions": (reports.pages, "build_definitions_chapter", "Definitions"),
    "the platforms": (reports.pages, "build_platform_chapters", "Platforms"),
    "a picture of a stage": (reports.pictures, "draw_stage", "picture traffic"),
    "the picture of the money": (reports.pictures, "draw_money", "picture money"),
    "the small trends": (reports.pictures, "draw_sparkline", "picture spark_paid_amount"),
    "all pictures": (reports.pictures, "save_svg", "picture landing"),
}


def fail(*_: Any, **__: Any) -> Any:
    raise ZeroDivisionError("broken on purpose")


@pytest.fixture(scope="module")
def pictures() -> dict[str, bytes]:
    return render_pictures(BUSY)


@pytest.mark.parametrize("case", BREAKS)
def test_what_fails_is_set_aside_and_the_rest_is_printed(
    case: str, monkeypatch: pytest.MonkeyPatch, pictures: dict[str, bytes]
) -> None:
    module, name, part = BREAKS[case]
    monkeypatch.setattr(module, name, fail)
    drawn = pictures if module is reports.pages else None  # else they are what fails
    failures: list[PartFailure] = []
    text = text_of(render(BUSY, failures, drawn))
    assert part in [each.part for each in failures]
    assert {each.problem for each in failures} == {"ZeroDivisionError: broken on purpose"}
    assert "Parts of this report could not be made: " in text
    assert (
        "This part could not be made: ZeroDivisionError: broken on purpose. The rest of the report is complete." in text
    )
    for heading in ("The four stages", "Traffic", "Repurchase", "What changed since the last edition"):
        assert heading in text
    with pytest.raises(ZeroDivisionError):
        render(BUSY, pictures=drawn)


def test_the_first_page_is_printed_without_what_breaks_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "reports.pages.summary_page.write_story", lambda report, words: fail() if report.diagnosis else None
    )
    failures: list[PartFailure] = []
    broken = replace(BUSY, stages=BUSY.stages[:1])
    text = text_of(render(broken, failures))
    assert "First page" in {each.part for each in failures}
    assert "Parts of this report could not be made: First page" in text


def test_nothing_is_told_of_a_report_that_is_whole() -> None:
    failures: list[PartFailure] = []
    short = replace(BUSY, stages=BUSY.stages[:1])
    assert render(short, failures) == render(short)
    assert failures == []


def test_what_cannot_be_read_of_a_day_is_told_in_its_report(
    ran: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = cloned(ran, tmp_path / "shop")
    read = editions.read_stage
    monkeypatch.setattr(editions, "read_money", fail)
    monkeypatch.setattr(editions, "read_stage", lambda *all: fail() if all[1] == "landing" else read(*all))
    monkeypatch.setattr(reports, "write_spreadsheet", fail)
    edition = editions.print_report(home.settings, day(2), "en")
    assert [each.part for each in edition.failures] == ["the paid amount", "Landing", edition.spreadsheet.name]
    assert not edition.spreadsheet.exists()
    text = text_of(edition.pdf.read_bytes())
    assert "the paid amount could not be read: ZeroDivisionError: broken on purpose" in text
    assert "Landing could not be read: ZeroDivisionError: broken on purpose" in text
    assert "Repurchase" in text
