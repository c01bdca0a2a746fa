"""Whatever the diagnosis may name, the report has words for in both languages: a missing one would cost the report."""

from dataclasses import replace
from datetime import date
from typing import get_args

import pytest

from funnelscope.diagnosis.comparable_days import PromotionDay
from funnelscope.diagnosis.data_faults import CHECKS
from funnelscope.diagnosis.evidence import SERIES
from funnelscope.diagnosis.fault_classes import FAULT_CLASSES
from funnelscope.diagnosis.narrative import comparison_in_words, load_playbook, reason_in_words, status_reason_in_words
from funnelscope.diagnosis.steps import STEPS
from funnelscope.diagnosis.stored_diagnosis import Diagnosis
from funnelscope.messages.wording import list_languages, load_words
from funnelscope.reporting.diagnosis_section import slice_of
from funnelscope.settings import Change, load_settings


@pytest.mark.parametrize("language", list_languages())
def test_every_dimension_of_a_finding_has_a_name(language: str) -> None:
    words = load_words(language)
    for step in STEPS:
        assert words.format_slice(slice_of(dict.fromkeys(step.dimensions, "x")))


@pytest.mark.parametrize("language", list_languages())
def test_every_series_that_is_evidence_has_a_name(language: str) -> None:
    assert {series.name for series in SERIES} == set(load_words(language).sections["series"])


@pytest.mark.parametrize("language", list_languages())
def test_every_kind_of_change_has_a_name(language: str) -> None:
    assert set(get_args(Change.model_fields["kind"].annotation)) == set(load_words(language).sections["changes"])


@pytest.mark.parametrize("language", list_languages())
def test_every_class_of_fault_has_a_name_and_a_next_step(language: str) -> None:
    classes = load_playbook(load_settings(), language)["classes"]
    for fault_class in FAULT_CLASSES:
        assert classes[fault_class]["name"]
        assert classes[fault_class]["next_step"]


@pytest.mark.parametrize(
    ("language", "told"),
    [("en", "9 comparable days before this one, 19 more are needed"), ("zh", "此前只有 9 个可比日，还需 19 个")],
)
def test_why_a_day_has_no_diagnosis_is_told_in_the_report_s_language(language: str, told: str) -> None:
    found = Diagnosis(date(2026, 6, 14), "no_baseline", "told to machines", "regular days", 9, (), (), ())
    assert reason_in_words(found, load_playbook(load_settings(), language)).startswith(told)
    failed = replace(found, state="failed", why="KeyError: 'x'")
    assert reason_in_words(failed, load_playbook(load_settings(), language)) == "KeyError: 'x'"


@pytest.mark.parametrize("language", list_languages())
@pytest.mark.parametrize("check", CHECKS)
def test_why_a_finding_is_withheld_is_told_in_the_report_s_language(language: str, check: str) -> None:
    row = {"kind": "data_check", "name": check, "today": 0.91, "usual": 0.02, "note": "told to machines"}
    told = status_reason_in_words(
        {"status_reason": row["note"], "evidence": [row]}, load_playbook(load_settings(), language)
    )
    assert "0.91" in told or "91%" in told
    assert "0.02" in told or "2%" in told
    assert told != row["note"]


def test_a_warning_of_the_gate_withholds_in_the_words_of_the_gate() -> None:
    row = {"kind": "data_check", "name": "volume_is_usual", "today": None, "usual": None, "note": "30 rows"}
    assert (
        status_reason_in_words({"status_reason": "30 rows", "evidence": [row]}, load_playbook(load_settings(), "zh"))
        == "30 rows"
    )
    provisional = {"status_reason": "order: late", "evidence": []}
    assert status_reason_in_words(provisional, load_playbook(load_settings(), "zh")) == "order: late"


def test_what_a_day_is_compared_with_is_told_in_the_readers_language() -> None:
    chinese, english = (load_playbook(load_settings(), language) for language in ("zh", "en"))
    day = str(PromotionDay("member_week", "main", 2, 24.0))
    assert comparison_in_words(day, chinese) == "member_week 活动 main 阶段第 2 天"
    assert comparison_in_words(day, english) == day
    assert comparison_in_words("regular days", chinese) == "平常的日子"
