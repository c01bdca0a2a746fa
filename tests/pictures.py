"""Takes every picture of the READMEs anew: `make pictures`.

`python tests/pictures.py FOLDER` takes pages of the report, in both languages, and of the UI from the home of the demo;
and a check that fails from a small shop that is made for it. Needs a Chromium.
"""

import os
import sys
import tempfile
from datetime import date
from io import BytesIO
from pathlib import Path

import dagster as dg
from browser import open_asset, open_metadata, opened_browser, running_ui, wait_for_image
from PIL import Image
from playwright.sync_api import Page
from pypdf import PdfReader
from shop_helpers import open_shop
from small_shop import shop_with_refused_rows

import reports
from assets.metadata import describe_diagnosis_day, describe_stage, describe_table_day
from funnelscope.messages.wording import load_words
from funnelscope.publication.publish import read_published_days
from funnelscope.reporting import find_or_print_report, read_report
from funnelscope.settings import Settings, load_settings
from funnelscope.warehouse.models import load_models
from pipelines.instance import open_instance

DOTS_PER_INCH = 127  # two A4 pages side by side are 2,100 pixels wide
GAP, GAP_COLOUR = 6, "#cccccc"


def report_picture(settings: Settings, day: date, language: str) -> bytes:
    """The first page of the day's report, and the one on which the decision stage begins."""
    report = read_report(settings, day, language)
    heading = load_words(language).text("stages", "decision")
    texts = [page.extract_text() for page in PdfReader(BytesIO(reports.render(report))).pages]
    number = next(number for number, text in enumerate(texts) if number and heading in text.splitlines())
    pages = reports.render_pages(report, DOTS_PER_INCH)
    one, other = (Image.open(BytesIO(pages[place])) for place in (0, number))
    both = Image.new("RGB", (one.width + GAP + other.width, one.height), GAP_COLOUR)
    both.paste(one, (0, 0))
    both.paste(other, (one.width + GAP, 0))
    buffer = BytesIO()
    both.save(buffer, "png")
    return reports.reduce_colours(buffer.getvalue())


def take_report_pictures(folder: Path, settings: Settings) -> None:
    days = read_published_days(settings.published)
    if not days:
        raise SystemExit(f"{settings.home} holds no demo; run: funnelscope demo --language en")
    for language, name in (("en", "report.png"), ("zh", "report.zh.png")):
        (folder / name).write_bytes(report_picture(settings, max(days), language))


def show_in_english(settings: Settings) -> None:
    """The demo's shop has Chinese pages, as its settings say: its last day is shown once more, as an English shop's."""
    english = settings.model_copy(update={"language": "en"})
    day = max(read_published_days(settings.published))
    edition = find_or_print_report(english, day, "en")
    with open_shop(english) as shop:
        shown = {
            ("stages", "decision"): describe_stage(edition, "decision"),
            ("marts", "landing_cube"): describe_table_day(shop, load_models()["marts.landing_cube"], day),
            ("diagnosis", "findings"): describe_diagnosis_day(shop, day),
        }
    os.environ["DAGSTER_HOME"] = str(settings.dagster_home)
    with open_instance(settings) as instance:
        for key, metadata in shown.items():
            event = dg.AssetMaterialization(dg.AssetKey(key), partition=str(day), metadata=metadata)
            instance.report_runless_asset_event(event)
    del os.environ["DAGSTER_HOME"]


def take_ui_pictures(folder: Path, log: Path) -> None:
    """The demo's graph, a stage, a table, and the findings."""
    problems: list[str] = []
    with running_ui({}, log) as address, opened_browser(problems) as page:
        open_asset(page, address, "published/daily_report", "lineage&lineageScope=neighbors&lineageDepth=2")
        page.get_by_text("repurchase", exact=True).first.wait_for()
        page.wait_for_timeout(3_000)
        save(page, folder / "ui-lineage.png")
        for asset, key, name in (
            ("stages/decision", "picture", "ui-stage.png"),
            ("marts/landing_cube", "last_days", "ui.png"),
            ("diagnosis/findings", "findings", "ui-findings.png"),
        ):
            open_asset(page, address, asset)
            open_metadata(page, key)
            wait_for_image(page)
            save(page, folder / name)
    require_none(problems)


def take_picture_of_a_failed_check(folder: Path, log: Path) -> None:
    problems: list[str] = []
    home = shop_with_refused_rows(log.parent / "shop")
    with running_ui(home.environment, log) as address, opened_browser(problems) as page:
        open_asset(page, address, "staging/order_events", "checks&checkDetail=little_is_in_quarantine")
        page.get_by_text("at most 1%", exact=False).first.wait_for()
        save(page, folder / "ui-check.png")
    require_none(problems)


def save(page: Page, file: Path) -> None:
    page.wait_for_timeout(1_000)
    file.write_bytes(reports.reduce_colours(page.screenshot()))


def require_none(problems: list[str]) -> None:
    if problems:
        raise RuntimeError("\n".join(problems))


if __name__ == "__main__":
    target = Path(sys.argv[1])
    take_report_pictures(target, load_settings())
    show_in_english(load_settings())
    with tempfile.TemporaryDirectory() as temporary:
        log = Path(temporary) / "ui.log"
        take_ui_pictures(target, log)
        take_picture_of_a_failed_check(target, log)
