"""The HTML edition in a real browser, on a phone and on a desk: axe-core finds nothing serious, nothing overflows."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import browser
import pytest
from playwright.sync_api import Page
from report_example import BUSY, CALM
from test_html_edition import ATTACK, FINDING, LINKS, REPORT, ROWS, TOLD

from reports import Report, render_html

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not browser.installed_browser(), reason="no Chromium here; apt-get install chromium"),
]
PHONE, DESK = {"width": 390, "height": 844}, {"width": 1280, "height": 900}
LONG = "Summer_Linen_Retargeting_Lookalike_3pct_"
BUSY_DAY = replace(
    REPORT,
    diagnosis=replace(
        REPORT.diagnosis, findings=(replace(TOLD, owner=LONG, title=ATTACK), *REPORT.diagnosis.findings[1:])
    ),
)
CALM_DAY = replace(BUSY, diagnosis=CALM)


@pytest.fixture(scope="module")
def problems() -> list[str]:
    return []


@pytest.fixture(scope="module")
def page(problems: list[str]) -> Iterator[Page]:
    with browser.opened_browser(problems) as page:
        page.on(
            "request",
            lambda asked: problems.append(asked.url) if not asked.url.startswith(("file:", "data:")) else None,
        )
        yield page


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "report.html"


def open_report(page: Page, report: Report, path: Path, anchor: str = "") -> None:
    path.write_bytes(render_html(report, LINKS))
    page.goto("about:blank")
    page.goto(f"{path.as_uri()}{anchor}")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [PHONE, DESK], ids=["phone", "desk"])
@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("report", [BUSY_DAY, CALM_DAY], ids=["busy", "calm"])
def test_axe_finds_nothing_serious_and_nothing_overflows(
    report: Report, language: str, size: dict[str, int], scheme: str, page: Page, path: Path
) -> None:
    from axe_playwright_python.sync_playwright import Axe

    page.set_viewport_size(size)
    page.emulate_media(color_scheme=scheme)
    open_report(page, replace(report, language=language), path)
    for details in page.locator("details").all():
        details.evaluate("each => { each.open = true; }")
    found = Axe().run(page).response["violations"]
    serious = [each for each in found if each["impact"] in ("serious", "critical")]
    assert not serious, json.dumps([(each["id"], each["nodes"][:3]) for each in serious], indent=1)[:3000]
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    assert page.evaluate(OVERLAPS) == []


# Texts of a chart that cover each other, and large numbers that leave their cell.
OVERLAPS = """() => {
  const found = [];
  for (const chart of document.querySelectorAll("svg.line")) {
    const boxes = [...chart.querySelectorAll("text")].map(text => [text.textContent, text.getBoundingClientRect()]);
    boxes.forEach(([one, a], place) => boxes.slice(place + 1).forEach(([other, b]) => {
      if (a.left < b.right - 1 && b.left < a.right - 1 && a.top < b.bottom - 1 && b.top < a.bottom - 1)
        found.push(`${one} / ${other}`);
    }));
  }
  for (const value of document.querySelectorAll(".value"))
    if (value.offsetParent && value.scrollWidth > value.clientWidth + 1) found.push(value.textContent);
  return found;
}"""


def test_the_switch_shows_what_figures_are_held_against(page: Page, path: Path) -> None:
    page.set_viewport_size(PHONE)
    open_report(page, replace(REPORT, language="en"), path)
    shown = page.locator(".tiles [data-against]:visible").first
    assert "usual" in shown.inner_text()
    page.get_by_label("yesterday", exact=True).check()
    assert "yesterday" in page.locator(".tiles [data-against]:visible").first.inner_text()
    assert page.locator("[data-against=week_before]:visible").count() == 0


def test_a_table_is_sorted_by_keyboard_and_says_so(page: Page, path: Path) -> None:
    page.set_viewport_size(DESK)
    open_report(page, replace(REPORT, language="en"), path)
    table = page.locator("#landing details table").filter(has=page.get_by_text("/p/1", exact=True)).first
    table.evaluate("table => { table.closest('details').open = true }")  # the heat map shows what it holds
    head = table.locator("thead th").nth(1)
    head.get_by_role("button").focus()
    page.keyboard.press("Enter")
    assert head.get_attribute("aria-sort") == "descending"
    cells = [float(text.replace(",", "")) for text in table.locator("tbody tr td:nth-child(2)").all_inner_texts()]
    assert cells == sorted(cells, reverse=True)


def test_rows_open_by_their_address_and_become_csv(page: Page, path: Path) -> None:
    page.set_viewport_size(DESK)
    open_report(page, replace(REPORT, language="en"), path, f"#rows-{FINDING.finding_id}")
    rows = page.locator(f"#rows-{FINDING.finding_id}")
    rows.get_by_text(str(ROWS[0].row_id)).wait_for()
    with page.expect_download() as download:
        rows.get_by_role("button", name="CSV").click()
    lines = Path(download.value.path()).read_text(encoding="utf-8-sig").splitlines()
    assert len(lines) == 1 + len(ROWS)
    assert f'"{ROWS[2].row_id}"' in "".join(lines)


def test_a_definition_opens_on_a_tap_and_gives_the_focus_back(page: Page, path: Path) -> None:
    page.set_viewport_size(PHONE)
    open_report(page, replace(REPORT, language="en"), path)
    term = page.locator("a.term:visible").first
    term.click()
    assert "Money paid on the day" in page.get_by_role("dialog").inner_text()
    page.keyboard.press("Escape")
    assert page.get_by_role("dialog").count() == 0
    assert term.evaluate("each => each === document.activeElement")


def test_it_can_be_read_without_its_script(page: Page, path: Path) -> None:
    context = page.context.browser.new_context(java_script_enabled=False, viewport=PHONE)  # type: ignore[union-attr]
    bare = context.new_page()
    open_report(bare, replace(REPORT, language="en"), path)
    assert bare.get_by_text("What to act on").first.is_visible()
    bare.locator("details[id^=rows-] summary").first.click()
    assert bare.get_by_text(str(ROWS[0].row_id)).first.is_visible()
    context.close()


def test_nothing_was_fetched_and_no_script_failed(problems: list[str]) -> None:
    assert problems == []
