"""Every picture of a report, by name."""

from reports.model import Report
from reports.pictures.bars import money_canvas, windows_canvas
from reports.pictures.canvas import drawing, svg
from reports.pictures.funnel import stage_canvas
from reports.pictures.own_funnels import own_funnel_canvas
from reports.pictures.trend import has_trend, spark_canvas
from reports.wording import Words


def stage_pictures(report: Report, words: Words) -> dict[str, bytes]:
    """SVG by name: `money`, and for each stage with numbers its key and, with windows, `<key>_windows`."""
    result = {}
    with drawing():
        if report.money is not None and report.money.paid_amount is not None:
            result["money"] = svg(money_canvas(report.money), "money")
        for figure in report.headline:
            if has_trend(figure.trend):
                result[f"spark_{figure.key}"] = svg(spark_canvas(figure.trend), figure.key)
        for stage in report.stages:
            if stage.no_data is None and stage.steps:
                result[stage.key] = svg(stage_canvas(stage, words), stage.key)
            if stage.no_data is None and stage.windows:
                result[f"{stage.key}_windows"] = svg(windows_canvas(stage.windows, words), f"{stage.key} windows")
        for number, funnel in enumerate(report.own_funnels, start=1):
            name = f"own_funnel_{number}"
            result[name] = svg(own_funnel_canvas(funnel, words), name)
    return result
