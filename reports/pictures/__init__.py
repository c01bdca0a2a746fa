"""Every picture of a report, by name."""

from funnelscope.messages.wording import Words
from reports.model import Report, Stage, drawn, findings_of
from reports.pictures.bars import money_canvas, windows_canvas
from reports.pictures.bridge import bridge_canvas
from reports.pictures.canvas import drawing, svg
from reports.pictures.funnel_picture import stage_canvas
from reports.pictures.heat_map import heat_map_canvas
from reports.pictures.intervals import effects_canvas
from reports.pictures.own_funnel_picture import own_funnel_canvas
from reports.pictures.pairs import pairs_canvas
from reports.pictures.relevance_picture import relevance_canvas
from reports.pictures.trend import has_trend, spark_canvas, trend_canvas, trends_of


def stage_pictures(report: Report, words: Words) -> dict[str, bytes]:
    """SVG by name: `bridge`, `money`, `spark_<figure>`, and for a stage with numbers `<stage>` and `<stage>_<part>`."""
    result = {}
    with drawing():
        if report.bridge is not None:
            result["bridge"] = svg(bridge_canvas(report.bridge, words), "bridge")
        if report.money is not None and report.money.paid_amount is not None:
            result["money"] = svg(money_canvas(report.money), "money")
        for headline in report.headline:
            figure = headline.figure
            if has_trend(figure.trend):
                name = f"spark_{figure.key}"
                result[name] = svg(spark_canvas(figure.trend), name)
        for figure in trends_of(report):
            name = f"trend_{figure.key}"
            result[name] = svg(trend_canvas(figure, words), name)
        for stage in report.stages:
            if stage.no_data is None:
                result |= _pictures_of(stage, report, words)
        for number, funnel in enumerate(report.own_funnels, start=1):
            name = f"own_funnel_{number}"
            result[name] = svg(own_funnel_canvas(funnel.cohorts[0], words), name)
    return result


def _pictures_of(stage: Stage, report: Report, words: Words) -> dict[str, bytes]:
    stage, canvases = drawn(report, stage), {}
    if stage.steps:
        canvases[stage.key] = stage_canvas(stage, words)
    if stage.windows:
        canvases[f"{stage.key}_windows"] = windows_canvas(stage.windows, words)
    if stage.inquiry_windows:
        canvases[f"{stage.key}_inquiry_windows"] = windows_canvas(stage.inquiry_windows, words)
    if stage.heat_map is not None:
        canvases[f"{stage.key}_heat_map"] = heat_map_canvas(stage.heat_map, words)
    if stage.pairs:
        canvases[f"{stage.key}_pairs"] = pairs_canvas(stage.pairs, words)
    if any(cell.is_failing for cell in stage.relevance):
        canvases[f"{stage.key}_relevance"] = relevance_canvas(stage.relevance, words)
    findings = findings_of(report, stage.key)
    if any(finding.effect is not None for finding in findings):
        canvases[f"{stage.key}_effects"] = effects_canvas(findings, words)
    return {name: svg(canvas, name) for name, canvas in canvases.items()}
