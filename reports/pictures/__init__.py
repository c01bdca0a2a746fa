"""Every picture of a report, by name."""

from funnelscope.messages.wording import Words
from reports.model import Report, Stage, select_drawn_parts, select_findings_of_stage
from reports.pictures.bars import draw_money, draw_windows
from reports.pictures.bridge import draw_bridge
from reports.pictures.canvas import apply_drawing_style, save_svg
from reports.pictures.finding_picture import draw_finding
from reports.pictures.funnel_picture import draw_stage
from reports.pictures.heat_map import draw_heat_map
from reports.pictures.intervals import draw_effects
from reports.pictures.own_funnel_picture import draw_own_funnel
from reports.pictures.pairs import draw_pairs
from reports.pictures.platform_picture import draw_platforms
from reports.pictures.relevance_picture import draw_relevance
from reports.pictures.trend import draw_sparkline, draw_trend_alone, has_trend, select_trends


def draw_pictures(report: Report, words: Words) -> dict[str, bytes]:
    """SVG by name: `bridge`, `money`, `spark_<figure>`, `finding_<number>`, and what platforms and stages have.

    These are `platform_<number>`, and for a stage with numbers `<stage>` and `<stage>_<part>`.
    """
    result = {}
    with apply_drawing_style():
        if report.bridge is not None:
            result["bridge"] = save_svg(draw_bridge(report.bridge, words), "bridge")
        if report.money is not None and report.money.paid_amount is not None:
            result["money"] = save_svg(draw_money(report.money), "money")
        for figure in [each for headline in report.headline for each in (headline.figure, headline.second) if each]:
            if has_trend(figure.trend):
                name = f"spark_{figure.key}"
                result[name] = save_svg(draw_sparkline(figure.trend), name)
        for number, finding in enumerate(report.diagnosis.findings if report.diagnosis else (), start=1):
            if has_trend(finding.trend):
                name = f"finding_{number}"
                result[name] = save_svg(draw_finding(finding, words), name)
        for figure in select_trends(report):
            name = f"trend_{figure.key}"
            result[name] = save_svg(draw_trend_alone(figure, words), name)
        for stage in report.stages:
            if stage.no_data is None:
                result |= _draw_stage_pictures(stage, report, words)
        for name, canvas in draw_platforms(report, words).items():
            result[name] = save_svg(canvas, name)
        for number, funnel in enumerate(report.own_funnels, start=1):
            name = f"own_funnel_{number}"
            result[name] = save_svg(draw_own_funnel(funnel.cohorts[0], words), name)
    return result


def _draw_stage_pictures(stage: Stage, report: Report, words: Words) -> dict[str, bytes]:
    stage, canvases = select_drawn_parts(report, stage), {}
    if stage.steps:
        canvases[stage.key] = draw_stage(stage, words)
    if stage.windows:
        canvases[f"{stage.key}_windows"] = draw_windows(stage.windows, words)
    if stage.inquiry_windows:
        canvases[f"{stage.key}_inquiry_windows"] = draw_windows(stage.inquiry_windows, words)
    if stage.heat_map is not None:
        canvases[f"{stage.key}_heat_map"] = draw_heat_map(stage.heat_map, words)
    if stage.pairs:
        canvases[f"{stage.key}_pairs"] = draw_pairs(stage.pairs, words)
    if any(cell.is_failing for cell in stage.relevance):
        canvases[f"{stage.key}_relevance"] = draw_relevance(stage.relevance, words)
    findings = select_findings_of_stage(report, stage.key)
    if sum(finding.effect is not None for finding in findings) > 1:
        canvases[f"{stage.key}_effects"] = draw_effects(findings, words)
    return {name: save_svg(canvas, name) for name, canvas in canvases.items()}
