"""What `diagnose --details` adds for those who ask how sure a finding is."""

from datetime import date

import pytest

from funnelscope.diagnosis.records import FindingRecord
from funnelscope.messages.wording import load_words
from pipelines.cli.findings_text import print_certainty

FINDING = FindingRecord(
    finding_id="f",
    rank=1,
    stage="decision",
    cube="decision",
    step="order",
    slice={"device": "android", "coupon": "WELCOME10"},
    fault_class="broken_coupon",
    status="confirmed",
    since_date=date(2026, 7, 1),
    is_ongoing=True,
    effect=-0.4,
    z=8.25,
    p_value=1e-12,
    stability=0.97,
    runner_up={"coupon": "WELCOME10"},
    object_kind="coupon",
    object_name="WELCOME10",
    owner="decision",
)


@pytest.mark.parametrize(("language", "slice_text"), [("en", "coupon WELCOME10"), ("zh", "优惠券 WELCOME10")])
def test_the_certainty_of_a_finding_is_a_table_within_80_columns(
    capsys: pytest.CaptureFixture[str], language: str, slice_text: str
) -> None:
    print_certainty([FINDING], load_words(language))
    header, *lines = capsys.readouterr().out.splitlines()
    assert load_words(language).text("cube", "column_p_value") in header
    assert all(text in " ".join(lines) for text in (slice_text, "8.2", "1e-12", "97%"))
    assert all(len(line) <= 80 for line in lines)
    print_certainty([], load_words(language))
    assert capsys.readouterr().out == ""
