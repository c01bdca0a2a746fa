"""What an analyst finds in the UI, looked at in a real browser: graph, stage, picture, failed check, evidence."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import browser
import dagster as dg
import pytest
from browser import open_asset, open_lineage, open_metadata, wait_for_image
from diagnosis_world import World, settings_of
from playwright.sync_api import Page
from shop_helpers import Home
from small_shop import FAULTY_ROWS, LAST_DAY, shop_with_refused_rows
from test_showing import HOSTILE, shop_of

from assets.common import FINDINGS, VERDICT
from assets.metadata import describe_diagnosis_day, show_rows
from assets.quality_assets import format_reasons
from funnelscope.quality.gate import DayVerdict, Verdict, VerdictReason
from funnelscope.warehouse.checks import Severity, load_contracts
from pipelines.instance import open_instance

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not browser.installed_browser(), reason="no Chromium here; apt-get install chromium"),
]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """Two days, run by the command; of the second, too many rows of orders were refused."""
    home = shop_with_refused_rows(tmp_path_factory.mktemp("browser"))
    show_a_finding(home)
    return home


def show_a_finding(home: Home) -> None:
    """The diagnosis of a shop with enough days behind it takes the place of this one's: two days show no finding."""
    world = World(settings_of(language="en"))
    world.add_days(1, 30)
    world.add_days(31, 31, coupon_loss=0.6)
    world.diagnose(31, 31)
    metadata = describe_diagnosis_day(shop_of(world), world.day(31))
    with pytest.MonkeyPatch.context() as patch, open_instance(home.settings) as instance:
        patch.setenv("DAGSTER_HOME", str(home.settings.dagster_home))
        instance.report_runless_asset_event(dg.AssetMaterialization(FINDINGS, partition=LAST_DAY, metadata=metadata))


@pytest.fixture(scope="module")
def address(home: Home, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    environment = home.environment | {"DAGSTER_HOME": ""}
    with browser.running_ui(environment, tmp_path_factory.mktemp("ui") / "ui.log") as address:
        yield address


@pytest.fixture(scope="module")
def problems() -> list[str]:
    return []


@pytest.fixture(scope="module")
def page(address: str, problems: list[str]) -> Iterator[Page]:
    with browser.opened_browser(problems) as page:
        yield page


@pytest.fixture(autouse=True)
def picture_of_a_failure(page: Page, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[None]:
    """Leaves what was on the screen in the test's folder."""
    yield
    page.screenshot(path=tmp_path / f"{request.node.name}.png")


def test_the_graph_reads_as_the_pipeline(page: Page, address: str) -> None:
    """The groups stand from left to right in the order in which the data pass them."""
    open_lineage(page, address)
    groups = ["raw", "staging", "intermediate", "marts", "quality", "diagnosis", "published", "stages", "report"]
    places = []
    for group in groups:
        boxes = [box for each in page.get_by_text(group, exact=True).all() if (box := each.bounding_box())]
        places.append(max(box["x"] for box in boxes))  # the other is in the list at the left
    assert places == sorted(places)
    assert len(set(places)) == len(groups)


def test_a_table_shows_sql_grain_rows_and_its_last_days(page: Page, address: str) -> None:
    open_asset(page, address, "marts/landing_cube")
    page.get_by_text("Human sessions and how far they got on landing").first.wait_for()
    page.get_by_text("Grain: business_date, channel, campaign").first.wait_for()
    page.get_by_text("from intermediate.session_funnel").first.wait_for()
    open_metadata(page, "last_days")
    wait_for_image(page)
    browser.close_dialog(page)
    open_metadata(page, "last_rows")
    page.get_by_role("dialog").get_by_text("reached_three_seconds").first.wait_for()
    assert page.get_by_role("dialog").get_by_text(LAST_DAY).count() > 1
    browser.close_dialog(page)


def test_a_stage_shows_the_picture_of_the_report(page: Page, address: str) -> None:
    open_asset(page, address, "stages/decision")
    page.get_by_text("from the product view to the paid order").first.wait_for()
    open_metadata(page, "picture")
    wait_for_image(page)
    browser.close_dialog(page)


def test_a_failed_check_says_in_words_what_was_found_and_what_was_expected(page: Page, address: str) -> None:
    open_asset(page, address, "staging/order_events", "checks&checkDetail=little_is_in_quarantine")
    (rule,) = [contract.rule for contract in load_contracts() if contract.name == "little_is_in_quarantine"]
    page.get_by_text(rule).first.wait_for()
    page.get_by_text(f"Orders: {FAULTY_ROWS} of", exact=False).first.wait_for()
    page.get_by_text("at most 1%", exact=False).first.wait_for()


def test_a_finding_shows_its_evidence_and_how_far_to_trust_it(page: Page, address: str) -> None:
    open_asset(page, address, "diagnosis/findings")
    open_metadata(page, "findings")
    wait_for_image(page)
    dialog = page.get_by_role("dialog")
    for text in ("status", "confirmed", "why not confirmed", "coupon WELCOME10", "runner-up"):
        dialog.get_by_text(text, exact=True).first.wait_for()
    browser.close_dialog(page)


def test_an_own_funnel_shows_its_declaration_and_what_became_of_those_who_entered(page: Page, address: str) -> None:
    """Both groups, each with its days and its picture: windows that are over, and those still open."""
    open_asset(page, address, "funnels/view_to_payment")
    page.get_by_text("product_view → paid").first.wait_for()
    page.get_by_text("window: 1d").first.wait_for()
    for kind, days in (("mature", "to 2026-05-01"), ("open", "2026-05-02 to 2026-05-02")):
        row = page.get_by_role("row").filter(has=page.get_by_text(f"{kind}_days", exact=True))
        row.get_by_text(days, exact=False).first.wait_for()
        open_metadata(page, kind)
        wait_for_image(page)
        browser.close_dialog(page)


def test_hostile_names_are_drawn_as_text(page: Page, address: str, home: Home) -> None:
    """In a table and in a list of reasons: no picture is fetched, no link offered, no script run."""
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    reason = VerdictReason("family_missing", HOSTILE, HOSTILE, "", Severity.BLOCK, "", "")
    reasons = format_reasons([DayVerdict(date.fromisoformat(LAST_DAY), Verdict.BLOCKED, (reason,))])
    shown = show_rows("failed", [{"name": HOSTILE, "n": 1}]) | {"reasons": dg.MetadataValue.md(reasons)}
    with pytest.MonkeyPatch.context() as patch, open_instance(home.settings) as instance:
        patch.setenv("DAGSTER_HOME", str(home.settings.dagster_home))
        instance.report_runless_asset_event(dg.AssetMaterialization(VERDICT, partition=LAST_DAY, metadata=shown))
    open_asset(page, address, "quality/day_verdict")
    for key in shown:
        row = page.get_by_role("row").filter(has=page.get_by_text(key, exact=True))
        if row.get_by_text("[Show Markdown]").count():
            open_metadata(page, key)
            drawn = page.get_by_role("dialog")
            assert "onerror=alert" in drawn.inner_text()
            assert drawn.locator("a, script, img, h1, code").count() == 0
            browser.close_dialog(page)
        else:
            row.get_by_text("onerror=alert", exact=False).first.wait_for()
    assert page.locator("a[href*='evil'], img[src*='evil']").count() == 0
    assert not [url for url in asked if "evil.example" in url]


def test_schedule_and_sensors_are_on(page: Page, address: str) -> None:
    page.goto(f"{address}/automation")
    for name in ("every_morning", "late_deliveries", "dead_runs", "failure_alert"):
        row = page.get_by_text(name, exact=True).first
        row.wait_for()
    switched_on = "[...document.querySelectorAll('input[type=checkbox]')].filter(box => box.checked).length"
    page.wait_for_function(f"() => {switched_on} >= 5")  # one schedule and four sensors


def test_no_page_had_an_error(problems: list[str]) -> None:
    assert problems == []
