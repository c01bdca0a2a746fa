"""Data Docs: the pages of Great Expectations for one day, made to open without a network.

Its own site builder links style sheets and scripts of six hosts and fills its index by script, so that a page opened
offline is bare and its index empty. Here its renderer makes the content, and a style sheet of our own makes it legible.
"""

import html
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from funnelscope.quality.expectations.judgements import Judgement
from funnelscope.quality.expectations.suites import Frame

if TYPE_CHECKING:
    from great_expectations.core.expectation_validation_result import ExpectationSuiteValidationResult
    from great_expectations.render.view import DefaultJinjaPageView

INDEX = "index.html"
STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 70rem; padding: 0 1rem; color: #222; }
table { border-collapse: collapse; width: 100%; margin: .5rem 0 1.5rem; }
th, td { border-bottom: 1px solid #ddd; padding: .35rem .6rem; text-align: left; vertical-align: top; }
nav, footer, .ge-walkthrough-modal, .modal, .fa-check-circle, .btn { display: none; }
.badge { border: 1px solid #bbb; border-radius: .3rem; padding: 0 .3rem; font-family: monospace; }
.failed { color: #a40000; font-weight: bold; }
.collapse { display: block; }
"""


@dataclass(frozen=True)
class DataDocsPage:
    """What Great Expectations said of one frame of a table, and our judgements of what failed."""

    table: str
    frame: Frame
    validation_result: "ExpectationSuiteValidationResult"
    failed: Sequence[Judgement]

    @property
    def file(self) -> str:
        return f"{self.table}.{self.frame}.html"


def write_data_docs(folder: Path, shop: str, business_date: date, pages: Sequence[DataDocsPage]) -> None:
    """Replaces the folder with the pages of the day; `index.html` lists them."""
    making = folder.with_name(f".{folder.name}")
    shutil.rmtree(making, ignore_errors=True)
    making.mkdir(parents=True)
    view = _create_view()
    for page in pages:
        (making / page.file).write_text(_render_page(page, view), encoding="utf-8")
    (making / INDEX).write_text(_render_index(shop, business_date, pages), encoding="utf-8")
    shutil.rmtree(folder, ignore_errors=True)
    making.rename(folder)


def _create_view() -> "DefaultJinjaPageView":
    """One for all pages: each compiles its templates anew, at several times the price of a page."""
    from great_expectations.render.view import DefaultJinjaPageView

    return DefaultJinjaPageView()


def _render_page(page: DataDocsPage, view: "DefaultJinjaPageView") -> str:
    from great_expectations.core.run_identifier import RunIdentifier
    from great_expectations.render.renderer import ValidationResultsPageRenderer

    page.validation_result.meta.setdefault("run_id", RunIdentifier(run_name=f"{page.table} {page.frame}"))
    written = view.render(ValidationResultsPageRenderer().render(page.validation_result))
    body = re.sub(r"(?s)<script\b.*?</script>|<link\b[^>]*>|<style\b.*?</style>|<img\b[^>]*>", "", written)
    return body.replace("</head>", f"<style>{STYLE}</style></head>", 1)


def _render_index(shop: str, business_date: date, pages: Sequence[DataDocsPage]) -> str:
    rows = "".join(
        f'<tr><td><a href="{page.file}">{page.table}</a></td><td>{page.frame}</td>'
        f"<td>{len(page.validation_result.results)}</td><td>{_render_failures(page)}</td></tr>"
        for page in pages
    )
    title = html.escape(f"{shop}, {business_date}: expectations")
    return (
        f'<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>{title}</title><style>{STYLE}</style>'
        f"</head><body><h1>{title}</h1><table><tr><th>table</th><th>looked at</th><th>expectations</th><th>failed</th>"
        f"</tr>{rows}</table></body></html>\n"
    )


def _render_failures(page: DataDocsPage) -> str:
    return "<br>".join(
        f'<span class="failed">{html.escape(judged.expectation.name)}</span>: '
        f"{html.escape(judged.found.observed_text)} (expected: {html.escape(judged.found.expected_text)})"
        for judged in page.failed
    )
