"""Every picture of a report, by name."""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

from funnelscope.messages.wording import Words
from reports.failures import SetAside, make_part
from reports.fonts import FAMILY, spell_out
from reports.model import Report, Stage, select_drawn_parts, select_findings_of_stage, select_told_findings
from reports.pictures.bars import draw_money
from reports.pictures.bridge import draw_bridge
from reports.pictures.campaign_picture import draw_campaign
from reports.pictures.canvas import apply_drawing_style, save_svg
from reports.pictures.daily_picture import draw_daily
from reports.pictures.finding_picture import draw_finding, name_picture
from reports.pictures.funnel_picture import draw_stage
from reports.pictures.heat_map import draw_heat_map
from reports.pictures.intervals import draw_effects
from reports.pictures.own_funnel_picture import draw_own_funnel
from reports.pictures.pairs import draw_pairs
from reports.pictures.platform_picture import list_platform_drawings
from reports.pictures.relevance_picture import draw_relevance
from reports.pictures.trend import draw_sparkline, draw_trend_alone, has_trend, select_trends

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

Draw = Callable[[], "Canvas"]


def draw_pictures(report: Report, words: Words, aside: SetAside | None = None) -> dict[str, bytes]:
    """SVG by name: `campaign`, `daily`, `bridge`, `money`, `spark_<figure>`, `finding_<id>`, and those of the parts.

    These are `platform_<number>`, and for a stage with numbers `<stage>` and `<stage>_<part>`.

    Args:
        aside: takes the pictures that fail, in whose place stands why.
    """
    drawings: dict[str, Draw] = {}
    if (review := report.campaign) is not None and any(each.paid_amount is not None for each in review.days):
        drawings["campaign"] = lambda: draw_campaign(review, words)
    if (daily := report.daily) is not None:
        drawings["daily"] = lambda: draw_daily(daily, select_told_findings(report), words)
    if (bridge := report.bridge) is not None:
        drawings["bridge"] = lambda: draw_bridge(bridge, words)
    if (money := report.money) is not None and money.paid_amount is not None:
        drawings["money"] = lambda: draw_money(money)
    for figure in [each for headline in report.headline for each in (headline.figure, headline.second) if each]:
        if has_trend(figure.trend):
            drawings[f"spark_{figure.key}"] = partial(draw_sparkline, figure.trend)
    for number, finding in enumerate(report.findings, start=1):
        if has_trend(finding.trend):
            drawings[name_picture(finding, number)] = partial(draw_finding, finding, words)
    for figure in select_trends(report):
        drawings[f"trend_{figure.key}"] = partial(draw_trend_alone, figure, words)
    for stage in report.stages:
        if stage.no_data is None:
            drawings |= _list_stage_drawings(stage, report, words)
    drawings |= list_platform_drawings(report, words)
    for number, funnel in enumerate(report.own_funnels, start=1):
        drawings[f"own_funnel_{number}"] = partial(draw_own_funnel, funnel.cohorts[0], words)
    with apply_drawing_style():
        return {
            name: make_part(
                aside,
                words.text("report", "picture", name=name),
                partial(_draw, draw, name),
                lambda why: write_placeholder(spell_out(words.text("report", "part_failed", problem=why))),
            )
            for name, draw in drawings.items()
        }


def _draw(draw: Draw, name: str) -> bytes:
    return save_svg(draw(), name)


def write_placeholder(sentence: str) -> bytes:
    """An SVG that holds a sentence, in place of a picture; made by hand, for matplotlib may be what fails."""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="174mm" height="8mm" viewBox="0 0 174 8">'
        f'<text x="0" y="5" font-family="{FAMILY}" font-size="2.6">{escape(sentence)}</text></svg>'
    ).encode()


def _list_stage_drawings(stage: Stage, report: Report, words: Words) -> dict[str, Draw]:
    stage, key = select_drawn_parts(report, stage), stage.key
    drawings: dict[str, Draw] = {}
    if stage.steps:
        drawings[key] = lambda: draw_stage(stage, words)
    if (heat_map := stage.heat_map) is not None:
        drawings[f"{key}_heat_map"] = lambda: draw_heat_map(heat_map, words)
    if stage.pairs:
        drawings[f"{key}_pairs"] = lambda: draw_pairs(stage.pairs, words)
    if any(cell.is_failing for cell in stage.relevance):
        drawings[f"{key}_relevance"] = lambda: draw_relevance(stage.relevance, words)
    findings = select_findings_of_stage(report, key)
    if sum(finding.effect is not None for finding in findings) > 1:
        drawings[f"{key}_effects"] = lambda: draw_effects(findings, words)
    return drawings
