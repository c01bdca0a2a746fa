"""The command line: what it prints, how it ends, and that a mistake is told in words."""

import errno
import io
import os
import re
import shutil
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pytest
import typer.main
from shop_helpers import Home, build_days, cloned, copied, day, open_shop

from funnelscope.ingest import take_deliveries
from funnelscope.publication.publish import open_published, read_published_days
from funnelscope.warehouse.connection import hold_write_lock
from funnelscope.warehouse.snapshots import find_current_snapshot
from pipelines.cli.app import app, main

COMMAND = Path(sys.executable).with_name("funnelscope")


@dataclass(frozen=True)
class Done:
    """A command that has ended: its exit code and what it printed."""

    code: int
    out: str
    errors: str


def funnelscope(home: Home, *arguments: str) -> Done:
    """The command in this process, which has imported Dagster already."""
    out, errors = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(errors):
        for name, value in (
            home.environment | {"COLUMNS": os.environ.get("COLUMNS", "160"), "DAGSTER_HOME": ""}
        ).items():
            patch.setenv(name, value)
        patch.setattr(sys, "argv", ["funnelscope", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
    return Done(int(ended.value.code or 0), out.getvalue(), errors.getvalue())


@pytest.fixture
def home(ran: Home, tmp_path: Path) -> Home:
    return cloned(ran, tmp_path / "shop")


HELP_OF_EVERYTHING = """
import sys
from contextlib import redirect_stdout
from io import StringIO

import typer.main

from pipelines.cli.app import app

shown = StringIO()
with redirect_stdout(shown):
    command = typer.main.get_command(app)
    for arguments in [["--help"], *([name, "--help"] for name in command.commands)]:
        command.main(arguments, prog_name="funnelscope", standalone_mode=False)
print(*[name for name in ("dagster", "duckdb", "pandas", "numpy", "matplotlib", "sqlglot") if name in sys.modules])
print(shown.getvalue())
"""


def test_no_help_waits_for_a_heavy_import() -> None:
    """Nobody waits two seconds for Dagster to be imported to read what a command does."""
    done = subprocess.run([sys.executable, "-c", HELP_OF_EVERYTHING], capture_output=True, text=True, check=True)
    heavy, _, shown = done.stdout.partition("\n")
    assert heavy == ""
    for command in typer.main.get_command(app).commands:  # type: ignore[attr-defined]
        assert f"Usage: funnelscope {command} " in shown
    assert "0 published, 2 blocked" in shown
    installed = subprocess.run([COMMAND, "--help"], capture_output=True, text=True, check=True)
    assert "backfill" in installed.stdout


def test_what_dagster_builds_is_what_the_plain_steps_build(ran: Home, tmp_path: Path) -> None:
    """The tests that go without Dagster stand for the runs that go through it."""
    plain = copied(ran, tmp_path / "plain")
    build_days(plain, day(1), day(2))
    assert plain.export() == ran.export()
    days = read_published_days(ran.settings.published)
    assert set(days) == {date(2026, 4, 29), date(2026, 4, 30), day(1), day(2)}
    (pdf,) = (ran.settings.reports / "2026-05-02").glob("*.pdf")
    assert pdf.read_bytes().startswith(b"%PDF")


def test_status_lists_every_day_and_what_to_do(home: Home, quick_printing: None, no_expectations: None) -> None:
    shutil.rmtree(home.settings.landing / "page" / "dt=2026-05-03")
    done = funnelscope(home, "run", "--date", "2026-05-03")
    assert done.code == 2, done.out + done.errors
    assert "Days: 1 blocked" in done.out
    assert "2026-05-03 blocked: Pages: declared, but nothing was delivered" in done.errors
    assert list((home.settings.reports / "2026-05-03").glob("*.pdf"))
    assert list((home.settings.reports / "2026-W18").glob("*.pdf")), "a Sunday's run prints the week, of the other days"
    with open_published(home.settings.published) as connection:
        last = connection.execute("select max(business_date) from marts.daily_summary").fetchall()
    assert last == [(day(2),)]

    done = funnelscope(home, "status")
    assert done.code == 0
    lines = done.out.splitlines()
    assert "published" in next(line for line in lines if line.startswith("2026-05-01 to 2026-05-02"))
    blocked = next(line for line in lines if line.startswith("2026-05-03"))
    assert "blocked" in blocked
    assert "Pages: declared, but" in blocked


def test_status_shows_a_gap_and_names_the_command_that_fills_it(ran: Home, tmp_path: Path) -> None:
    home = copied(ran, tmp_path / "gap")
    build_days(home, day(2), day(2), is_published=True)
    done = funnelscope(home, "status")
    assert "missing" in next(line for line in done.out.splitlines() if line.startswith("2026-05-01"))
    assert "funnelscope backfill --from 2026-05-01 --to 2026-05-03" in done.out


def test_a_late_day_is_shown_as_late(home: Home, ran: Home) -> None:
    file = home.settings.landing / "page" / "dt=2026-05-01" / "all.parquet"
    shutil.copy(file.parents[1] / "dt=2026-05-02" / "all.parquet", file.with_name("more.parquet"))
    with open_shop(home.settings) as shop:
        take_deliveries(shop.warehouse, home.settings)
    done = funnelscope(home, "status")
    assert "late" in next(line for line in done.out.splitlines() if line.startswith("2026-05-02"))
    assert "the next run builds them again" in done.out


def test_report_prints_a_day_again_in_either_language(home: Home) -> None:
    for language in ("zh", "en"):
        done = funnelscope(home, "report", "--date", "2026-05-01", "--language", language)
        assert done.code == 0, done.errors
        assert f"-{language}.pdf" in done.out
    assert len(list((home.settings.reports / "2026-05-01").glob("*-edition-1-*.pdf"))) == 2


def test_doctor_finds_a_healthy_home_healthy_and_says_what_is_wrong_with_another(home: Home) -> None:
    done = funnelscope(home, "doctor")
    assert done.code == 0, done.out + done.errors
    assert "BAD" not in done.out
    home.settings.identity_key_path.chmod(0o644)
    shutil.rmtree(home.settings.landing / "service")
    done = funnelscope(home, "doctor")
    assert done.code == 1
    assert f"chmod 600 {home.settings.identity_key_path}" in done.out
    assert "BAD  landing service" in done.out


def test_doctor_names_files_that_nothing_reads(home: Home) -> None:
    landing = home.settings.landing
    for place in ("page/dt=14.6.2026", "order/2026-05-01", "orders/dt=2026-05-01"):
        (landing / place).mkdir(parents=True)
        (landing / place / "a.csv").write_text("event_time\n")
        (landing / place / "b.csv").write_text("event_time\n")
    (landing / "page" / "dt=2026-05-01" / "later.csv.part").write_text("")
    told = [line for line in funnelscope(home, "doctor").out.splitlines() if line.startswith("BAD")]
    assert [line.split(":")[0] for line in told] == ["BAD  landing order", "BAD  landing orders", "BAD  landing page"]
    assert f"no source reads {landing / 'order/2026-05-01/a.csv'}; sources read landing/FAMILY/" in told[0]
    assert "no source reads" in told[1]
    assert "no folder dt=YYYY-MM-DD in landing/page/dt=14.6.2026/a.csv; move the file" in told[2]
    assert all("(and 1 more)" in line for line in told)


def test_doctor_misses_sources_and_tells_the_currency(home: Home) -> None:
    assert "Asia/Shanghai, CNY, " in funnelscope(home, "doctor").out
    home.config.write_text(home.config.read_text().split("sources:")[0])
    assert "BAD  settings" in funnelscope(home, "doctor").out


# --- Mistakes --------------------------------------------------------------------------------------


def test_a_broken_setting_is_named_with_file_and_line(home: Home) -> None:
    text = home.config.read_text()
    home.config.write_text(text.replace("currency: CNY", "currency: yuan"))
    line = text.splitlines().index("currency: CNY") + 1
    done = funnelscope(home, "run", "--date", "2026-05-02")
    assert done.code == 1
    assert f"{home.config}, line {line}: currency: 'yuan'" in done.errors


def test_a_locked_warehouse_names_the_process_that_holds_it(home: Home) -> None:
    with hold_write_lock(home.settings.lock_path, 0):
        for command in (["run", "--date", "2026-05-02"], ["rebuild", "daily_money"]):
            done = funnelscope(home, *command)
            assert done.code == 1, done.out
            assert f"is being written by process {os.getpid()}" in done.errors
        done = funnelscope(home, "status")
        assert done.code == 0
        assert f"process {os.getpid()}" in " ".join(done.out.split())


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["run", "--date", "14.6.2026"], "'14.6.2026' is not a date; write it as YYYY-MM-DD"),
        (["run", "--date", "2026-04-30"], "2026-04-30 is before the opening day 2026-05-01"),
        (["run", "--date", "2999-01-01"], "2999-01-01 is not over yet in the shop's time zone (Asia/Shanghai)"),
        (["backfill", "--from", "2026-05-02", "--to", "2026-05-01"], "--from 2026-05-02 is after --to 2026-05-01"),
        (["rebuild", "sesion_days"], "'sesion_days' is not a model; did you mean 'session_days'?"),
        (["rebuild", "marts.daily_metric"], "'marts.daily_metric' is not a model; did you mean 'daily_metrics'?"),
        (
            ["report", "--date", "2026-07-01"],
            "2026-07-01 has not been run; days run so far are between",
        ),
        (["report", "--week", "2026-W30"], "2026-W30 has not been run; days run so far"),
        (["diagnose", "--date", "2026-07-01"], "2026-07-01 has not been run; days run so far"),
        (["run", "--language", "fr"], "'fr'"),
        (["runn"], "runn"),
        (["simulate", "--out", "x", "--days", "0"], "--days"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, list) else "",
)
def test_wrong_input_is_answered_in_words_and_never_with_the_code_of_a_blocked_day(
    ran: Home, arguments: list[str], words: str
) -> None:
    done = funnelscope(ran, *arguments)
    assert done.code == 1, done.errors
    assert words in " ".join(done.errors.replace("│", " ").split())


def test_a_shop_is_simulated_from_the_day_that_is_asked_for_or_the_first(ran: Home, tmp_path: Path) -> None:
    few = ("--days", "1", "--sessions-per-day", "100")
    for folder, asked, first in (("a", (), "2026-05-01"), ("b", ("--first-date", "2026-07-01"), "2026-07-01")):
        done = funnelscope(ran, "simulate", "--out", str(tmp_path / folder), *few, *asked)
        assert done.code == 0, done.errors
        assert (tmp_path / folder / "landing" / "page" / f"dt={first}").is_dir()


def test_nothing_run_yet_is_no_stack_trace(ran: Home, tmp_path: Path) -> None:
    fresh = copied(ran, tmp_path / "fresh", lambda file: False)
    fresh.path.mkdir(exist_ok=True)
    for arguments in (["status"], ["report"], ["rebuild", "daily_money"]):
        done = funnelscope(fresh, *arguments)
        assert done.code == 1, arguments
        assert "funnelscope run --date" in done.errors


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.EACCES, "cannot be read or written; change it"),
        (errno.EROFS, "is on a read-only disk; set FUNNELSCOPE_HOME"),
        (errno.ENOSPC, "does not fit on the disk; earlier publications are kept"),
    ],
)
def test_a_disk_that_refuses_is_told_with_the_way_out(
    ran: Home, monkeypatch: pytest.MonkeyPatch, number: int, words: str
) -> None:
    def refuse(path: Path, *_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number), str(path))

    monkeypatch.setattr(Path, "mkdir", refuse)
    done = funnelscope(ran, "ui")
    assert done.code == 1
    assert f"Error: {ran.settings.dagster_home} {words}" in done.errors


def test_a_missing_settings_file_says_where_it_was_looked_for(tmp_path: Path) -> None:
    done = funnelscope(Home(tmp_path), "status")
    assert done.code == 1
    assert f"{tmp_path / 'funnelscope.yaml'}: no such file" in done.errors


def test_a_demo_takes_no_deliveries_away_that_it_did_not_make(home: Home) -> None:
    (home.settings.home / "truth.json").unlink()
    for arguments in (["demo"], ["demo", "--example", "online_retail", "--data", str(home.config)]):
        done = funnelscope(home, *arguments)
        assert (done.code, done.out) == (1, ""), done.out
        assert f"a demo empties {home.settings.home}, which holds deliveries that no demo made" in done.errors
    assert (home.settings.landing / "page" / "dt=2026-05-01" / "all.parquet").exists()


def test_before_a_shop_opens_no_command_runs_a_day_and_each_says_why(ran: Home, tmp_path: Path) -> None:
    home = copied(ran, tmp_path / "unopened", lambda file: False)
    home.path.mkdir(exist_ok=True)
    home.config.write_text(ran.config.read_text().replace(f"opening_date: {day(1)}", "opening_date: 2999-01-01"))
    for arguments in (["run"], ["run", "--date", "2026-05-02"], ["backfill"], ["backfill", "--to", "2026-05-02"]):
        done = funnelscope(home, *arguments)
        assert (done.code, done.out) == (1, ""), arguments
        assert "the opening day of funnelscope.yaml, 2999-01-01, is not over yet" in done.errors
    assert "BAD  settings" in funnelscope(home, "doctor").out


def test_a_rebuild_that_blocks_a_day_says_so_and_ends_like_a_run(
    home: Home, quick_printing: None, no_expectations: None
) -> None:
    shutil.rmtree(home.settings.landing / "page" / "dt=2026-05-02")
    with open_shop(home.settings) as shop:
        take_deliveries(shop.warehouse, home.settings)
    done = funnelscope(home, "rebuild", "daily_money")
    assert done.code == 2, done.out + done.errors
    assert "Days: 1 blocked, 1 pass" in done.out
    assert "2026-05-02 blocked: Pages: declared, but nothing was delivered" in done.errors


@pytest.mark.slow
def test_rebuilding_a_model_changes_nothing_of_the_tables_and_of_what_is_published(home: Home) -> None:
    """In the fast tests, test_clocks.py drops models and builds them again by the plain steps."""
    before, days = home.export(), read_published_days(home.settings.published)
    done = funnelscope(home, "rebuild", "session_days")
    assert done.code == 0, done.errors
    steps_done, steps = re.findall(r"(\d+)/(\d+)", done.out)[-1]
    assert steps_done == steps
    assert home.export() == before
    assert read_published_days(home.settings.published) == days
    assert find_current_snapshot(home.settings.published)
    assert funnelscope(home, "status").out.count("late") == 0
