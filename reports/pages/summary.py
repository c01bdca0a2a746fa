"""The first page: what a reader of ten minutes must know."""

from reports.model import FULL_BASELINE_DAYS, Delivery, Figure, Report, Stage, Verdict
from reports.pages.money import factors_section, money_section
from reports.pages.tables import Content, named, usual_and_change
from reports.pictures.trend import has_trend
from reports.wording import Words


def summary(report: Report, words: Words) -> Content:
    day = report.business_date.isoformat()
    weekday = words.text("weekdays", str(report.business_date.isoweekday()))
    money = report.money
    return {
        "title": words.text("report", "heading", shop=report.shop),
        "day": words.text("report", "day", date=day, weekday=weekday, time_zone=report.time_zone),
        "verdict": verdict(report, words),
        "families": [family_strip(delivery, words) for delivery in report.deliveries],
        "headline_heading": words.text("headings", "headline"),
        "headline": [big_figure(figure, report, words) for figure in report.headline],
        "tiles_heading": words.text("headings", "stages"),
        "tiles": [tile(stage, words) for stage in report.stages],
        "money": money_section(money, report.currency, words) if money else None,
        "factors": factors_section(money, report.currency, words) if money and money.factors else None,
    }


def verdict(report: Report, words: Words) -> Content:
    key = report.verdict.value
    if report.verdict is Verdict.BLOCKED and report.last_good_date is None:
        key = "blocked_no_good_day"
    last = report.last_good_date.isoformat() if report.last_good_date else ""
    return {
        "state": report.verdict.value,
        "sentence": words.text("verdicts", key, date=report.business_date.isoformat(), last_good_date=last),
        "reasons": [words.message(reason) for reason in report.verdict_reasons],
        "baseline": baseline_sentence(report.baseline_days, words),
    }


def baseline_sentence(days: int, words: Words) -> str:
    key = "none" if days == 0 else "short" if days < FULL_BASELINE_DAYS else "full"
    return words.text("baseline", key, days=str(days), full=str(FULL_BASELINE_DAYS))


def family_strip(delivery: Delivery, words: Words) -> Content:
    details = []
    if delivery.rows_accepted is not None:
        details.append(words.text("labels", "rows", count=words.plain(delivery.rows_accepted)))
    if delivery.latest_event_time is not None:
        details.append(words.text("labels", "latest_event", time=delivery.latest_event_time.strftime("%H:%M")))
    return {
        "name": words.text("families", delivery.family),
        "state": words.text("delivery_states", delivery.state.value),
        "detail": words.text("labels", "separator").join(details) or words.no_data,
    }


def big_figure(figure: Figure, report: Report, words: Words) -> Content:
    usual, change = usual_and_change(figure, words)
    return {
        "name": named(figure, report.currency, words),
        "value": words.value(figure.value, figure.unit),
        "usual": usual,
        "change": change,
        "counts": words.counts(figure),
        "picture": spark(figure, words),
    }


def spark(figure: Figure, words: Words) -> Content | None:
    if not has_trend(figure.trend):
        return None
    known = [point.value for point in figure.trend if point.value is not None]
    alternative = words.text(
        "alternatives",
        "spark",
        name=words.text("metrics", figure.key),
        days=str(len(figure.trend)),
        low=words.value(min(known), figure.unit),
        high=words.value(max(known), figure.unit),
    )
    return {"file": f"spark_{figure.key}.svg", "alt": alternative}


def tile(stage: Stage, words: Words) -> Content:
    name = words.text("stages", stage.key)
    if stage.no_data is not None or stage.rate is None:
        reason = words.message(stage.no_data) if stage.no_data else ""
        return {"name": name, "rate": words.no_data, "value": "", "lines": [reason] if reason else []}
    usual, change = usual_and_change(stage.rate, words)
    lines = [words.counts(stage.rate), usual, change]
    return {
        "name": name,
        "rate": words.text("metrics", stage.rate.key),
        "value": words.value(stage.rate.value, stage.rate.unit),
        "lines": [line for line in lines if line],
    }
