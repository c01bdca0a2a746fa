"""Whatever the diagnosis may name, the report has words for in both languages: a missing one would cost the report."""

import json
from datetime import date
from types import SimpleNamespace
from typing import get_args

import pytest

from funnelscope.diagnosis.comparable_days import PromotionDay
from funnelscope.diagnosis.evidence import SERIES
from funnelscope.diagnosis.fault_classes import FAULT_CLASSES
from funnelscope.diagnosis.narrative import describe_data_check
from funnelscope.diagnosis.playbook import load_playbook
from funnelscope.diagnosis.records import DayRecord, EvidenceRecord
from funnelscope.diagnosis.stated_reasons import DATA_CHECKS, StatedReason
from funnelscope.diagnosis.steps import STEPS
from funnelscope.messages.wording import list_languages, load_words
from funnelscope.reporting.diagnosis_section import find_lasting_part, name_slice
from funnelscope.settings import Change, load_settings


@pytest.mark.parametrize("language", list_languages())
def test_every_dimension_of_a_finding_has_a_name(language: str) -> None:
    words = load_words(language)
    for step in STEPS:
        assert words.format_slice(name_slice(dict.fromkeys(step.dimensions, "x")))


@pytest.mark.parametrize("language", list_languages())
def test_every_series_that_is_evidence_has_a_name(language: str) -> None:
    assert {series.name for series in SERIES} == set(load_words(language).sections["series"])


@pytest.mark.parametrize("language", list_languages())
def test_every_kind_of_change_has_a_name(language: str) -> None:
    assert set(get_args(Change.model_fields["kind"].annotation)) == set(load_words(language).sections["changes"])


@pytest.mark.parametrize("language", list_languages())
def test_every_class_of_fault_has_a_name_and_a_next_step(language: str) -> None:
    classes = load_playbook(load_settings(), language).classes
    for fault_class in FAULT_CLASSES:
        assert classes[fault_class].name
        assert classes[fault_class].next_step


@pytest.mark.parametrize(
    ("language", "told"),
    [("en", "9 comparable days before this one, still needed: 19"), ("zh", "此前只有 9 个可比日，还需 19 个")],
)
def test_why_a_day_has_no_diagnosis_is_told_in_the_report_s_language(language: str, told: str) -> None:
    playbook = load_playbook(load_settings(), language)
    assert playbook.describe_reason(StatedReason("no_baseline", {"days": 9, "missing": 19})).startswith(told)
    assert playbook.describe_reason(StatedReason("failed", {"error": "KeyError: 'x'"})) == "KeyError: 'x'"


@pytest.mark.parametrize("language", list_languages())
@pytest.mark.parametrize("check", DATA_CHECKS)
def test_why_a_finding_is_withheld_is_told_in_the_report_s_language(language: str, check: str) -> None:
    row = EvidenceRecord(
        kind="data_check", name=check, slice={}, today=0.91, usual=0.02, since_date=date(2026, 6, 14), note="as stored"
    )
    playbook = load_playbook(load_settings(), language)
    told = describe_data_check(row, playbook)
    assert "0.91" in told or "91%" in told
    assert "0.02" in told or "2%" in told
    assert told == playbook.describe_reason(StatedReason(check, {"today": 0.91, "usual": 0.02}))


def test_a_warning_of_the_gate_withholds_in_the_words_of_the_gate() -> None:
    row = EvidenceRecord(
        kind="data_check", name="volume_is_usual", slice={}, since_date=date(2026, 6, 14), note="30 rows"
    )
    assert describe_data_check(row, load_playbook(load_settings(), "zh")) == "30 rows"


@pytest.mark.parametrize("language", list_languages())
def test_every_reason_of_the_gate_has_a_sentence(language: str) -> None:
    playbook = load_playbook(load_settings(), language)
    check = {"table": "staging.page_events", "check": "is_low", "observed": "7", "expected": "at least 9"}
    for key in ("check_warned", "slice_warned"):
        assert "is_low" in playbook.describe_reason(StatedReason(key, check))
    for key in ("family_missing", "family_growing"):
        assert "order" in playbook.describe_reason(StatedReason(key, {"family": "order", "observed": "late"}))


def test_a_reason_that_an_older_version_stored_as_text_is_told_as_it_is() -> None:
    day = DayRecord(state="no_baseline", why="9 comparable days before it", comparison="regular days")
    playbook = load_playbook(load_settings(), "zh")
    assert day.stated_reason
    assert playbook.describe_reason(day.stated_reason) == "9 comparable days before it"
    assert playbook.describe_comparison(day.stated_comparison) == "regular days"


def test_what_a_day_is_compared_with_is_told_in_the_readers_language() -> None:
    chinese, english = (load_playbook(load_settings(), language) for language in ("zh", "en"))
    day = PromotionDay("member_week", "main", 2, 24.0).state_as("promotion")
    assert chinese.describe_comparison(day) == "member_week main第 2 天"
    assert english.describe_comparison(day) == "member_week, main, day 2"
    assert chinese.describe_comparison(StatedReason("regular")) == "平常的日子"


@pytest.mark.parametrize(
    ("days", "is_told"),
    [
        ([{"returning": "false"}], True),
        ([None, {"returning": "false"}], False),
        ([{"returning": "false"}, {"returning": "true"}, {"returning": "false"}], True),
        ([None, None, None, {"returning": "false"}], False),
    ],
)
def test_what_moved_most_in_a_slice_is_told_if_most_days_of_the_finding_name_it(
    days: list[dict[str, str] | None], is_told: bool
) -> None:
    published = SimpleNamespace(rows=lambda *_, **__: [(None if part is None else json.dumps(part),) for part in days])
    part = find_lasting_part(published, SimpleNamespace(finding_id="f", strongest_part=days[-1]))  # type: ignore[arg-type]
    assert part == (days[-1] if is_told else {})
