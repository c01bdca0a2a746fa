"""The rows behind a finding are the very ones that its cube counts: bounded, published, and gone with a person."""

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path

import duckdb
import pytest
from shop_helpers import Home, cloned, day, open_shop

from assets.metadata import describe_diagnosis_day
from assets.resources import Shop
from funnelscope.diagnosis.diagnosis_tables import FINDING_ROWS, create_tables, replace_day
from funnelscope.diagnosis.finding_rows import MOST_ROWS, build_row_query, read_finding_rows
from funnelscope.diagnosis.records import DayRecord, FindingRecord, FindingRowRecord
from funnelscope.diagnosis.steps import STEPS, FunnelStep
from funnelscope.publication import erasure
from funnelscope.publication.erasure_note import ErasureNote, write_erasure_note
from funnelscope.publication.publish import open_published, publish
from funnelscope.publication.retention import prune
from funnelscope.quality.gate import DayVerdict, Verdict
from funnelscope.reporting.diagnosis_section import read_diagnosis_section
from funnelscope.reporting.periods import get_day
from funnelscope.reporting.published_days import Published
from funnelscope.settings import Retention, Settings
from funnelscope.warehouse.connection import Warehouse
from funnelscope.warehouse.models import build_query_parameters, load_models

SOMEBODY, SOMEBODY_ELSE = 7_100_000_000_000_000_001, 7_100_000_000_000_000_002


@pytest.fixture
def shop(ran: Home, tmp_path: Path) -> Iterator[Shop]:
    with open_shop(cloned(ran, tmp_path / "shop").settings) as shop:
        yield shop


def finding_of(step: FunnelStep, slice_: dict[str, str] | None = None) -> FindingRecord:
    return FindingRecord(
        finding_id="f00d",
        stage=step.stage,
        cube=step.cube,
        step=step.name,
        slice=slice_ or {},
        fault_class="slow_first_screen",
        status="confirmed",
        since_date=day(2),
        is_ongoing=True,
        entered=10,
        passed=2,
        expected=5.0,
        effect=-0.6,
        effect_low=-0.7,
        effect_high=-0.5,
        z=-5.0,
        p_value=1e-6,
        stability=0.9,
        object_kind="",
        object_name="",
        owner="",
    )


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.key)
def test_the_rows_of_a_step_add_up_to_its_cube_in_every_slice(step: FunnelStep, shop: Shop) -> None:
    dimensions = ", ".join(f"{name}::VARCHAR" for name in step.dimensions)
    counted = f"select {dimensions}, sum({step.entered})::DOUBLE, sum({step.passed})::DOUBLE from "
    model = load_models()[f"marts.{step.cube}"]
    of_rows = shop.warehouse.rows(
        f"{counted} ({build_row_query(step)}) as counted where {step.entered} > 0 group by all order by all",
        **model.bind(build_query_parameters(day(2), day(2))),
    )
    of_cube = shop.warehouse.rows(
        f"{counted} marts.{step.cube} where business_date = $day and {step.entered} > 0 group by all order by all",
        day=day(2),
    )
    assert of_rows == of_cube
    assert of_cube or step.cube not in ("arrival_cube", "landing_cube", "product_cube")  # a small shop sells little


def test_rows_are_of_the_slice_those_that_failed_first_and_bounded(shop: Shop) -> None:
    (landing,) = [step for step in STEPS if step.cube == "landing_cube"]
    rows = read_finding_rows(shop.warehouse, shop.settings, day(2), [finding_of(landing, {"device": "android"})])
    entered, passed = shop.warehouse.rows(
        "select sum(sessions), sum(reached_qualified_product_view) from marts.landing_cube "
        "where business_date = $day and device = 'android'",
        day=day(2),
    )[0]
    assert {row.row_count for row in rows} == {entered}
    assert len(rows) == min(entered, MOST_ROWS)
    failed = [row for row in rows if row.passed == 0]
    assert len(failed) == min(entered - passed, MOST_ROWS)
    assert list(rows[: len(failed)]) == failed
    ids = [row.row_id for row in rows]
    assert len(set(ids)) == len(ids)
    known = shop.warehouse.rows(
        "select count(*) from intermediate.session_funnel where list_contains($ids, session_id) "
        "and business_date = $day and device = 'android' and is_human",
        ids=ids,
        day=day(2),
    )
    assert known == [(len(ids),)]
    assert all("device" not in row.facts and "channel" in row.facts for row in rows)
    assert all(isinstance(row.happened_at, datetime) for row in rows)


def test_what_has_recovered_has_no_rows(shop: Shop) -> None:
    recovered = replace(finding_of(STEPS[1]), status="recovered")
    assert read_finding_rows(shop.warehouse, shop.settings, day(2), [recovered]) == []


# --- From the table to readers, and away again -----------------------------------------------------


def row_of(number: int, passed: float = 0) -> FindingRowRecord:
    return FindingRowRecord(
        finding_id="f00d",
        kind="session",
        row_id=number,
        happened_at=datetime(2026, 5, 2, 3, 4, 5),
        facts={"channel": "search_ads"},
        entered=1,
        passed=passed,
        row_count=812,
    )


@pytest.fixture
def published(shop: Shop) -> Shop:
    publish_rows(shop)
    return shop


def publish_rows(shop: Shop) -> None:
    """A day with a finding and two rows behind it, published."""
    create_tables(shop.warehouse)
    diagnosed = DayRecord(state="diagnosed", why="", comparison="")
    rows = [row_of(SOMEBODY), row_of(SOMEBODY_ELSE, 1)]
    replace_day(shop.warehouse, day(2), [diagnosed, finding_of(STEPS[1]), *rows])
    publish_day(shop.warehouse, shop.settings, day(2))


def publish_day(warehouse: Warehouse, settings: Settings, business_date: date) -> None:
    publish(warehouse, settings.published, [DayVerdict(business_date, Verdict.PASS, ())], 14)


def published_ids(settings: Settings) -> list[int]:
    with open_published(settings.published) as connection:
        return [number for (number,) in connection.execute(f"select row_id from {FINDING_ROWS} order by 1").fetchall()]


def test_the_report_has_the_rows_in_the_shops_time(published: Shop) -> None:
    with open_published(published.settings.published) as connection:
        told = read_diagnosis_section(Published(connection, published.settings, get_day(day(2)), "en"))
    assert told
    (finding,) = told.findings
    assert [(row.row_id, row.has_passed) for row in finding.rows] == [(SOMEBODY, False), (SOMEBODY_ELSE, True)]
    assert finding.row_count == 812
    assert finding.rows[0].happened_at == "05-02 11:04:05"  # Asia/Shanghai
    assert finding.rows[0].facts == (("channel", "search_ads"),)


def test_the_ui_shows_rows_without_ids_and_where_they_are(published: Shop) -> None:
    published._settings = published.settings.model_copy(update={"link": "https://shop.example/reports/"})
    metadata = describe_diagnosis_day(published, day(2))
    assert "rows behind the findings" in metadata, metadata
    shown = metadata["rows behind the findings"].value
    assert "2 of 812 rows" in shown.replace("\\", "")
    assert "search" in shown
    assert str(SOMEBODY) not in shown
    assert metadata["report"].value == f"https://shop.example/reports/{day(2)}/funnelscope-{day(2)}-en.html"


def test_a_forgotten_persons_rows_vanish_from_tables_copies_and_pages(ran: Home, tmp_path: Path) -> None:
    settings = cloned(ran, tmp_path / "shop").settings
    with open_shop(settings) as shop:
        publish_rows(shop)
    page = settings.reports / str(day(2)) / "report.html"
    page.parent.mkdir(parents=True, exist_ok=True)
    kept = f"<tr><th>{SOMEBODY_ELSE}</th></tr>"
    page.write_text(f"<tbody>\n<tr><th>{SOMEBODY}</th></tr>\n{kept}\n</tbody>", encoding="utf-8")
    write_erasure_note(settings, ErasureNote((), frozenset({SOMEBODY}), is_begun=True))
    erasure.scrub(settings)
    assert published_ids(settings) == [SOMEBODY_ELSE]
    with duckdb.connect(str(settings.warehouse_path), read_only=True) as connection:
        assert connection.execute(f"select row_id from {FINDING_ROWS}").fetchall() == [(SOMEBODY_ELSE,)]
    for file in settings.published.glob("current/diagnosis/finding_rows/*/*.parquet"):
        ids = duckdb.sql(f"select row_id from read_parquet('{file}', hive_partitioning = false)").fetchall()
        assert (SOMEBODY,) not in ids
    assert page.read_text(encoding="utf-8") == f"<tbody>\n{kept}\n</tbody>"


def test_rows_are_kept_as_long_as_raw_ones(published: Shop) -> None:
    page = published.settings.reports / str(day(2)) / "report.html"
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text("<p>before</p><details class='rows' id='x'><tr></tr></details><p>after</p>", encoding="utf-8")
    prune(published.warehouse, published.settings)
    assert published.warehouse.value(f"select count(*) from {FINDING_ROWS}") == 2
    short = published.settings.model_copy(update={"retention": Retention.model_construct(
        raw_days=-1, quarantine_days=None, editions_days=None)})  # fmt: skip
    prune(published.warehouse, short)
    assert published.warehouse.value(f"select count(*) from {FINDING_ROWS}") == 0
    assert not re.search("details", page.read_text(encoding="utf-8"))
    assert "before</p><p>after" in page.read_text(encoding="utf-8")
    publish_day(published.warehouse, published.settings, day(1))
    assert published_ids(published.settings) == []
