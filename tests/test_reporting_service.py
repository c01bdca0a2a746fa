"""A shop that delivers its service alone gets the figures of its service, with what is answered later."""

from pathlib import Path

import pytest
from diagnosis_world import World

from funnelscope.ingest import create_tables as create_ingest_tables
from funnelscope.messages.wording import load_words
from funnelscope.publication.publish import publish
from funnelscope.quality.gate import DayVerdict, Verdict
from funnelscope.reporting import read_report
from funnelscope.reporting.periods import get_day
from reports import Report, ResponseWindow
from reports.pages.data_page import build_data_chapter, list_printed_figures
from reports.pages.stage_pages import build_stage_chapter

# Of three inquiries of the first day, one is answered at once, one on the next day, and one not at all.
METRICS = (
    ("presale_conversations", 3, None, 3),
    ("unanswered_conversations", 2, None, 2),
    ("same_day_answer_rate", 1, 3, 1 / 3),
    ("first_response_seconds", 1, None, 10),
    ("derived_stay_share", 3, 4, 0.75),
)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    world = World()
    create_ingest_tables(world.warehouse)
    for number in (1, 2):
        day = world.day(number)
        world.warehouse.execute("insert into marts.daily_summary (business_date) values ($day)", day=day)
        world.warehouse.execute("insert into quality.day_verdict values ($day, 'pass', '[]')", day=day)
        for family in ("traffic", "page", "service", "order"):
            world.warehouse.execute(
                "insert into quality.family_days by name select $day as business_date, $family as family, "
                "$state as state",
                day=day, family=family, state="present" if family == "service" else "absent",
            )  # fmt: skip
    for metric, numerator, denominator, value in METRICS:
        world.warehouse.execute(
            "insert into marts.daily_metrics by name select $day as business_date, $metric as metric, "
            "$numerator as numerator, $denominator as denominator, $value as value, $value as median",
            day=world.day(1), metric=metric, numerator=numerator, denominator=denominator, value=value,
        )  # fmt: skip
    # The day before, no answer was known by its end: it is in no window, and its late answers in no median.
    for entered, number, seconds, inquiries in ((1, 1, 10, 1), (1, 2, 57_600, 1), (0, 1, 5, 3)):
        world.warehouse.execute(
            "insert into marts.response_outcomes by name select $day as business_date, $entered as entry_date, "
            "$seconds as response_seconds, $age as age_days, $inquiries as inquiries",
            day=world.day(number), entered=world.day(entered), seconds=seconds, age=number - entered,
            inquiries=inquiries,
        )  # fmt: skip
    home: Path = tmp_path_factory.mktemp("home")
    world.settings = world.settings.model_copy(update={"home": home})
    verdicts = [DayVerdict(world.day(number), Verdict.PASS, ()) for number in (1, 2)]
    publish(world.warehouse, world.settings.published, verdicts, 3)
    return world


def read_day(world: World, number: int) -> Report:
    return read_report(world.settings, get_day(world.day(number)), "en")


def test_the_figures_of_the_service_stand_where_the_funnel_has_no_data(world: World) -> None:
    stage = next(stage for stage in read_day(world, 1).stages if stage.key == "decision")
    assert stage.no_data is not None
    figures = {figure.key: figure for figure in stage.indicators}
    assert figures["unanswered_conversations"].value == 2
    assert figures["first_response_median_seconds"].value == 10
    assert figures["first_response_median_seconds"].coverage == pytest.approx(1 / 3)


def test_what_is_answered_later_catches_up(world: World) -> None:
    """A day knows what was answered by its own end; the day after knows more."""
    day = world.day(1)
    windows = next(stage for stage in read_day(world, 2).stages if stage.key == "decision").response_windows
    assert windows == (
        ResponseWindow(1, day, day, 2, 1, 0, pytest.approx(2 / 3), 57_600.0),
        ResponseWindow(3, day, day, 2, 0, 1, None, 57_600.0),
        ResponseWindow(7, day, day, 2, 0, 1, None, 57_600.0),
    )


@pytest.mark.parametrize("language", ["zh", "en"])
def test_both_are_printed(world: World, language: str) -> None:
    report, words = read_day(world, 2), load_words(language)
    chapter = build_stage_chapter(report.stages[2], report, words)
    headings = [section["heading"] for section in chapter["tables"]]
    assert headings == [words.text("headings", key) for key in ("indicators", "response_windows")]
    assert "57,600" in str(chapter["tables"])
    assert "unanswered_conversations" in {figure.key for figure in list_printed_figures(report)}


def test_the_data_page_says_how_many_stays_are_derived(world: World) -> None:
    words = load_words("en")
    said = words.text("notes", "derived_stays", share="75.0%")
    assert [said in str(build_data_chapter(read_day(world, number), words)) for number in (1, 2)] == [True, False]
