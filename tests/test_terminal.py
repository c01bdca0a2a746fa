"""What a delivery is called and holds moves no cursor, colours nothing and is no markup on the terminal."""

import errno
from datetime import date

import pytest
import typer

from funnelscope.quality.gate import DayVerdict, Verdict, VerdictReason
from funnelscope.settings import Settings
from funnelscope.warehouse.checks import Severity
from pipelines.cli.app import _print_verdicts
from pipelines.cli.console import echo, explain_errors
from pipelines.cli.quarantine_commands import _print_counts

HOSTILE = "[/b]\x1b[2J\x1b]0;mine\x07\x9b31m\u202egnp\u2066.csv"
SHOWN = r"[/b]\x1b[2J\x1b]0;mine\x07\x9b31m\u202egnp\u2066.csv"


def test_a_line_shows_control_characters_as_they_are_written(capsys: pytest.CaptureFixture[str]) -> None:
    echo(f"{HOSTILE}\n\t店铺 é")
    assert capsys.readouterr().out == f"{SHOWN}\n\t店铺 é\n"


def test_an_error_that_repeats_a_value_shows_them_too(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FUNNELSCOPE_CONFIG", "nowhere.yaml")
    with pytest.raises(typer.Exit), explain_errors():
        raise ValueError(f"{HOSTILE}: no such file")
    assert capsys.readouterr().err == f"Error: {SHOWN}: no such file\n"


def test_the_table_of_the_quarantine_takes_a_name_for_text(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    settings = Settings.model_validate({"shop": "x", "timezone": "UTC", "start_date": date(2026, 1, 5), "sources": []})
    _print_counts(
        settings, [{"day": "2026-01-06", "family": "order", "source": "s", "file": HOSTILE, "reason": "r", "rows": 1}]
    )
    printed = capsys.readouterr().out
    assert SHOWN in printed
    assert "数据类" in printed, "the headings are in the shop's language"


def test_the_end_of_a_run_counts_days_and_says_why_in_the_shop_s_language(capsys: pytest.CaptureFixture[str]) -> None:
    settings = Settings.model_validate({"shop": "x", "timezone": "UTC", "start_date": date(2026, 1, 5), "sources": []})
    missing = VerdictReason("family_missing", "order", "missing: a.csv: cut off", "delivered", Severity.BLOCK)
    _print_verdicts(
        settings,
        [DayVerdict(date(2026, 1, 6), Verdict.BLOCKED, (missing,)), DayVerdict(date(2026, 1, 7), Verdict.PASS, ())],
    )
    printed = capsys.readouterr()
    assert printed.out == "结果：1 天被拦截，1 天通过\n"
    assert printed.err == "2026-01-06 被拦截：订单：已声明，但没有收到数据: a.csv: cut off\n"


@pytest.mark.parametrize(("number", "words"), [(errno.ENAMETOOLONG, "longer than a file"), (errno.ELOOP, "to itself")])
def test_a_setting_that_is_no_path_ends_in_a_sentence(
    number: int, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(typer.Exit), explain_errors():
        raise OSError(number, "refused", "x" * 100_000)
    said = capsys.readouterr().err
    assert words in said
    assert len(said) < 5_000
