"""Publication: readers always find a whole copy, unchanged days are not written again, a blocked day keeps its last."""

import json
import re
import shutil
import subprocess
import sys
from datetime import date
from decimal import Decimal
from pathlib import Path

import duckdb
import openpyxl
import pytest
from shop_helpers import (
    Home,
    build_days,
    cloned,
    copied,
    day,
    deliver,
    delivery_day,
    one_file_a_day,
    open_shop,
    rewrite,
    simulated_shop,
)

from funnelscope.diagnosis.diagnosis_tables import PUBLISHED_TABLES
from funnelscope.events.schema import FAMILIES
from funnelscope.messages.wording import load_words
from funnelscope.publication.publish import OlderCopyError, open_published, publish, read_published_days
from funnelscope.quality.gate import Verdict, read_verdicts
from funnelscope.reporting import print_report, read_report
from funnelscope.warehouse.models import load_models
from funnelscope.warehouse.snapshots import DATABASE, find_current_snapshot

DAYS = 5
READER = """
import sys
import time
from pathlib import Path

import duckdb

published, stop = Path(sys.argv[1]), Path(sys.argv[2])
reads, seen = 0, set()
while not stop.exists() or not reads:
    if not (published / "current").exists():
        time.sleep(0.01)
        continue
    snapshot = (published / "current").resolve()
    with duckdb.connect(str(snapshot / "funnelscope.duckdb"), read_only=True) as connection:
        summary = connection.execute(
            "select business_date, paid_amount from marts.daily_summary where paid_amount > 0 order by 1"
        ).fetchall()
        money = connection.execute(
            "select business_date, sum(amount) from marts.daily_money where money_class != 'excluded' "
            "group by 1 having sum(amount) > 0 order by 1"
        ).fetchall()
        files = connection.execute(
            f"select business_date, paid_amount from read_parquet('{snapshot}/marts/daily_summary/*/*.parquet', "
            "hive_partitioning = false) where paid_amount > 0 order by 1"
        ).fetchall()
        days = connection.execute("select count(*) from quality.published_days").fetchall()[0][0]
    assert summary == money, (snapshot, summary, money)
    assert summary == files, (snapshot, summary, files)
    time.sleep(0.2)  # leaves the processor to the run that it watches
    assert days >= len(summary)
    reads += 1
    seen.add(snapshot.name)
print(reads, len(seen))
"""


@pytest.fixture(scope="module")
def delivered(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A shop's deliveries; nothing has run yet."""
    home = simulated_shop(tmp_path_factory.mktemp("publish"), days=DAYS, sessions_per_day=80, history_days=3)
    one_file_a_day(home)
    return home


@pytest.fixture(scope="module")
def three_days(delivered: Home, tmp_path_factory: pytest.TempPathFactory) -> Home:
    home = copied(delivered, tmp_path_factory.mktemp("built") / "shop")
    build_days(home, day(1), day(3), is_published=True)
    return home


@pytest.fixture
def home(three_days: Home, tmp_path: Path) -> Home:
    """Three published days; the deliveries of the other two lie there."""
    return cloned(three_days, tmp_path / "shop")


def published_rows(home: Home, table: str, business_date: date) -> list[tuple[object, ...]]:
    with open_published(home.settings.published) as connection:
        statement = f"select * from {table} where business_date = $1 order by all"
        return connection.execute(statement, [business_date]).fetchall()


def parquet_files(home: Home) -> dict[str, int]:
    """Path below the current snapshot to inode."""
    snapshot = find_current_snapshot(home.settings.published)
    assert snapshot
    return {str(file.relative_to(snapshot)): file.stat().st_ino for file in snapshot.rglob("*.parquet")}


def block(home: Home, business_date: date) -> None:
    """Takes away the day's page events, and runs the day again."""
    shutil.rmtree(home.settings.landing / "page" / f"dt={business_date}")
    build_days(home, business_date, business_date, is_published=True)
    with open_shop(home.settings) as shop:
        assert [v.verdict for v in read_verdicts(shop.warehouse, business_date, business_date)] == [Verdict.BLOCKED]


def test_there_is_one_file_a_table_and_day_with_the_rows_of_the_warehouse(home: Home) -> None:
    tables = [f"staging.{family.table}" for family in FAMILIES.values()]
    tables += [model.table for model in load_models().values() if model.schema == "marts" and not model.is_view]
    days = [day(number) for number in range(-2, 4)]
    expected = {f"{table.replace('.', '/')}/business_date={each}/part.parquet" for table in tables for each in days}
    diagnosed = [each for each in days if each >= day(1)]
    for table in PUBLISHED_TABLES:
        expected |= {f"{table.replace('.', '/')}/business_date={each}/part.parquet" for each in diagnosed}
    assert parquet_files(home).keys() == expected
    snapshot = find_current_snapshot(home.settings.published)
    with open_shop(home.settings) as shop:
        for table in tables:
            files = f"read_parquet('{snapshot}/{table.replace('.', '/')}/*/part.parquet', hive_partitioning = false)"
            for one, other in ((table, files), (files, table)):
                assert not shop.warehouse.rows(f"from {one} except all from {other}"), table
            assert shop.warehouse.columns(table) == [row[:2] for row in shop.warehouse.rows(f"describe from {files}")]


def test_views_work_in_the_published_file_alone(home: Home) -> None:
    with open_published(home.settings.published) as connection:
        for model in load_models().values():
            if model.schema == "marts" and model.is_view:
                connection.execute(f"select count(*) from {model.table}").fetchall()


def test_unchanged_days_are_hard_links_to_the_files_of_the_last_snapshot(home: Home) -> None:
    before = parquet_files(home)
    build_days(home, day(4), day(4), is_published=True)
    after = parquet_files(home)
    assert {path: after[path] for path in before} == before
    assert {path for path in after if f"={day(4)}" in path} == after.keys() - before.keys()


def test_a_day_run_again_without_a_change_keeps_its_snapshot_its_files_and_its_edition(
    home: Home, quick_printing: None
) -> None:
    before, files = read_published_days(home.settings.published), parquet_files(home)
    first = print_report(home.settings, day(3))
    build_days(home, day(1), day(3), is_published=True)
    assert read_published_days(home.settings.published) == before
    assert parquet_files(home) == files
    again = print_report(home.settings, day(3))
    assert again == first
    assert len(list(first.pdf.parent.glob("*.pdf"))) == 1


def test_the_workbook_beside_the_report_holds_the_published_numbers(home: Home, quick_printing: None) -> None:
    edition = print_report(home.settings, day(3), "en")
    book = openpyxl.load_workbook(edition.spreadsheet)
    rows = [row for sheet in book for row in sheet.iter_rows(max_col=2, min_col=1)]
    cells = {row[0].value: row[1].value for row in reversed(rows)}  # of two rows of one name the first
    with open_published(home.settings.published) as connection:
        amount, pay_rate = connection.execute(
            "select paid_amount, visitor_pay_rate from marts.daily_summary where business_date = $1", [day(3)]
        ).fetchall()[0]
        steps = connection.execute(
            "select step, sum(reached)::BIGINT from marts.funnel_steps "
            "where business_date = $1 and stage = 'landing' group by step",
            [day(3)],
        ).fetchall()
    assert Decimal(str(cells["Paid amount"])) == amount
    assert cells["Visitor pay rate"] == pytest.approx(pay_rate, abs=1e-12)
    counts = {row[0].value: row[1].value for row in book["Steps"].iter_rows() if row[3].value == "Landing"}
    names = load_words("en").sections["steps"]
    assert {step: counts[names[step]] for step, _ in steps} == dict(steps)
    assert all(edition.picture(stage).is_file() for stage in ("traffic", "landing", "decision", "repurchase"))


def test_a_restated_day_gets_a_new_snapshot_and_a_new_edition(home: Home, quick_printing: None) -> None:
    """Half of the third day's page events are taken back: that day is new, the first is not."""
    before = read_published_days(home.settings.published)
    first = print_report(home.settings, day(3))
    file = home.settings.landing / "page" / f"dt={day(3)}" / "all.parquet"
    rewrite(file, "from delivered where hash(session_id) % 2 = 0")
    build_days(home, day(3), day(3), is_published=True)
    after = read_published_days(home.settings.published)
    assert after[day(1)] == before[day(1)]
    assert after[day(3)] > before[day(3)]
    again = print_report(home.settings, day(3))
    assert (first.number, again.number) == (1, 2)
    assert first.pdf.exists()
    assert again.pdf != first.pdf


def test_the_published_day_is_that_of_the_warehouse_after_a_restatement(home: Home) -> None:
    rewrite(home.settings.landing / "order" / f"dt={day(2)}" / "all.parquet", "from delivered limit 5")
    build_days(home, day(2), day(2), is_published=True)
    with open_shop(home.settings) as shop:
        for model in load_models().values():
            if model.schema == "marts" and not model.is_view:
                for number in range(1, 4):
                    statement = f"select * from {model.table} where business_date = $day order by all"
                    in_warehouse = shop.warehouse.rows(statement, day=day(number))
                    assert published_rows(home, model.table, day(number)) == in_warehouse, model.table


def test_a_blocked_day_keeps_its_last_good_version_and_says_so(home: Home) -> None:
    good, snapshot = (
        published_rows(home, "marts.daily_summary", day(3)),
        read_published_days(home.settings.published)[day(3)],
    )
    assert good
    block(home, day(3))
    assert published_rows(home, "marts.daily_summary", day(3)) == good
    assert read_published_days(home.settings.published)[day(3)] == snapshot
    ((_, verdict, reasons),) = published_rows(home, "quality.day_verdict", day(3))
    assert verdict == "blocked"
    assert ("family_missing", "page") in [(reason["key"], reason["subject"]) for reason in json.loads(str(reasons))]
    report = read_report(home.settings, day(3))
    assert report.verdict == "blocked"
    assert report.verdict_reasons
    assert report.last_good_date == day(2)


@pytest.mark.slow
def test_a_day_that_was_blocked_from_the_start_is_not_published_until_it_is_whole(delivered: Home, home: Home) -> None:
    shutil.rmtree(home.settings.landing / "page" / f"dt={day(4)}")
    build_days(home, day(4), day(5), is_published=True)
    assert day(4) not in read_published_days(home.settings.published)
    assert day(5) in read_published_days(home.settings.published)
    assert not published_rows(home, "marts.daily_summary", day(4))
    assert read_report(home.settings, day(4)).verdict == "blocked"
    deliver(delivered, home, lambda file: delivery_day(file) == day(4))
    build_days(home, day(4), day(4), is_published=True)
    assert published_rows(home, "marts.daily_summary", day(4))


def test_old_snapshots_go_and_a_reader_keeps_the_one_it_opened(home: Home) -> None:
    home.write_config(home.settings.start_date, snapshots_kept=2)
    first = find_current_snapshot(home.settings.published)
    assert first
    with open_published(home.settings.published) as connection:
        before = connection.execute("select count(*) from marts.daily_summary").fetchall()
        for _ in range(3):
            with open_shop(home.settings) as shop:
                third_day = read_verdicts(shop.warehouse, day(3), day(3))
                publish(shop.warehouse, home.settings.published, third_day, home.settings.snapshots_kept)
        assert not first.exists()
        assert connection.execute("select count(*) from marts.daily_summary").fetchall() == before
        assert connection.execute("select count(*) from marts.landing_cube").fetchall()[0][0] > 0
    kept = sorted(path.name for path in (home.settings.published / "snapshots").iterdir())
    assert len(kept) == 2
    assert kept[-1] == find_current_snapshot(home.settings.published).name  # type: ignore[union-attr]


def test_what_a_killed_publication_left_is_swept_away(home: Home) -> None:
    snapshots = home.settings.published / "snapshots"
    leftover = snapshots / ".building-2026-05-03-000002"
    shutil.copytree(snapshots / find_current_snapshot(home.settings.published).name, leftover)  # type: ignore[union-attr]
    orphan = snapshots / "2026-05-03-000002"  # renamed into place, but never switched to
    shutil.copytree(leftover, orphan)
    build_days(home, day(4), day(4), is_published=True)
    assert not leftover.exists()
    assert find_current_snapshot(home.settings.published) == snapshots / "2026-05-04-000003"


def test_new_columns_of_a_mart_keep_the_days_that_are_not_published_again(home: Home) -> None:
    before = published_rows(home, "marts.product_cube", day(1))
    assert before
    with open_shop(home.settings) as shop:
        shop.warehouse.execute("alter table marts.product_cube add column noted_by VARCHAR")
        second_day = read_verdicts(shop.warehouse, day(2), day(2))
        publish(shop.warehouse, home.settings.published, second_day, snapshots_kept=2)
    assert published_rows(home, "marts.product_cube", day(1)) == [(*row, None) for row in before]


@pytest.mark.slow
def test_a_reader_never_meets_an_error_or_half_a_run(delivered: Home, tmp_path: Path) -> None:
    """It polls while two days are run one by one, then both again, and compares tables with each other."""
    home = copied(delivered, tmp_path / "polled")
    stop = tmp_path / "stop"
    command = [sys.executable, "-c", READER, str(home.settings.published), str(stop)]
    reader = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        for number in (1, 2):
            build_days(home, day(number), day(number), is_published=True)
        rewrite(home.settings.landing / "order" / f"dt={day(2)}" / "all.parquet", "from delivered limit 9")
        build_days(home, day(1), day(2), is_published=True)
    finally:
        stop.touch()
        out, errors = reader.communicate(timeout=60)
    assert reader.returncode == 0, errors
    reads, snapshots = map(int, out.split())
    assert reads > 10
    assert snapshots >= 2, "it met one run at least between two others"


def test_nothing_published_yet_is_said_in_words(tmp_path: Path) -> None:
    assert read_published_days(tmp_path) == {}
    with pytest.raises(FileNotFoundError, match="funnelscope run --date"), open_published(tmp_path):
        pass


def test_a_copy_of_an_earlier_version_says_how_to_publish_it_anew(home: Home, quick_printing: None) -> None:
    file = home.settings.published / "current" / DATABASE
    with duckdb.connect(str(file)) as connection:
        connection.execute("alter table quality.family_days drop column rows_excluded")
    with pytest.raises(OlderCopyError, match=r"earlier version .*\(quality\.family_days\.rows_excluded\)"):
        print_report(home.settings, day(3))
    build_days(home, day(3), day(3), is_published=True)
    assert print_report(home.settings, day(3)).pdf.exists()


@pytest.mark.parametrize(
    ("left_out", "query", "lacking"),
    [
        ("drop view marts.refund_rates", "from marts.refund_rates", "marts.refund_rates"),
        ("drop table marts.people_to_date", "select d.buyers from marts.people_to_date as d", "marts.people_to_date"),
        ("drop table diagnosis.findings", "from diagnosis.findings", "diagnosis.findings"),
        ("drop schema diagnosis cascade", "from diagnosis.days", "diagnosis.days"),
        (
            "alter table marts.daily_money drop column amount",
            "select money.amount from marts.daily_money as money",
            "marts.daily_money.amount",
        ),
        ("drop table quality.published_content", "from quality.published_content", "quality.published_content"),
    ],
)
def test_an_older_copy_is_named_with_what_it_lacks(home: Home, left_out: str, query: str, lacking: str) -> None:
    with duckdb.connect(str(home.settings.published / "current" / DATABASE)) as connection:
        connection.execute(left_out)
    with (
        pytest.raises(OlderCopyError, match=re.escape(f"lacks what this version reads ({lacking})")),
        open_published(home.settings.published) as connection,
    ):
        connection.execute(query)


@pytest.mark.parametrize(
    "query",
    [
        "select no_such_column from marts.daily_summary",
        "select summary.rows_excluded from marts.daily_summary as summary",  # a column, but of another table
        "from marts.no_such_table",
        "select no_such_function(business_date) from marts.daily_summary",
    ],
)
@pytest.mark.parametrize("left_out", ["", "alter table quality.family_days drop column rows_quarantined"])
def test_a_mistake_in_a_query_is_not_blamed_on_the_copy(home: Home, query: str, left_out: str) -> None:
    with duckdb.connect(str(home.settings.published / "current" / DATABASE)) as connection:
        connection.execute(left_out)
    with (
        pytest.raises((duckdb.BinderException, duckdb.CatalogException)),
        open_published(home.settings.published) as connection,
    ):
        connection.execute(query)


def test_the_published_file_cannot_be_written_by_readers(home: Home) -> None:
    with open_published(home.settings.published) as connection, pytest.raises(duckdb.Error, match="read-only"):
        connection.execute("delete from marts.daily_summary")
