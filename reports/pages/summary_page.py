"""The first page: what a reader with ten minutes must know."""

from collections.abc import Sequence

from funnelscope.messages.message_types import Number, PeriodKind, Unit
from funnelscope.messages.wording import Words, choose_baseline_digits
from reports.model import (
    FULL_BASELINE_DAYS,
    FamilyDelivery,
    Figure,
    FindingStatus,
    Headline,
    Report,
    ReportVerdict,
    Stage,
    group_told_stages,
    has_events,
    has_history,
    list_told_deliveries,
    list_told_headlines,
    select_told_findings,
)
from reports.pages.finding_blocks import build_finding_briefs, build_follow_ups_section, write_summary_sentence
from reports.pages.platform_pages import build_platform_sections, build_platform_strip
from reports.pages.table_blocks import (
    WHOLE_MONEY,
    Content,
    build_section,
    build_table,
    name_figure,
    name_stages,
    write_baseline_and_change,
    write_column_heads,
    write_earlier,
    write_marked_value,
    write_runs_of_days,
)
from reports.pictures.trend import has_trend
from reports.tones import find_tone, write_mark

PRODUCTS_NAMED = 4
"""Of those whose stock ends."""
MONTHLY = ("paid_amount", "cost")
"""Of these the sum of the month so far is told; of the others where the month has a target."""


def build_summary(report: Report, words: Words) -> Content:
    """The content of the first page."""
    strip = (
        build_days_strip(report, words)
        if report.days
        else [build_family_strip(each, words) for each in list_told_deliveries(report)]
        if has_events(report)
        else build_platform_strip(report, words)
    )
    return {
        "title": words.text("report", "heading", shop=report.shop),
        "day": write_day_line(report, words),
        "families": strip,
        "verdict": build_verdict(report, words),
        "daily": build_daily_section(report, words),
        "findings": build_finding_briefs(report, words),
        "stock": write_short_stock(report, words),
        "headline_heading": words.text("headings", "headline"),
        "headline": build_headline_table(report, words),
        "headline_notes": write_headline_notes(report, words),
        "platforms": build_platform_sections(report, words),
        "tiles_heading": words.text("headings", "stages"),
        "tiles": [build_stage_tile(alike, report, words) for alike in group_told_stages(report)],
        "outside": write_outside_note(report, words),
        "follow_ups": build_follow_ups_section(report, words),
    }


def write_day_line(report: Report, words: Words) -> str:
    """The day or days, with the time zone."""
    if report.days:
        first, last = report.days[0].day.isoformat(), report.days[-1].day.isoformat()
        days = words.text("labels", "date_range", first=first, last=last)
        return words.text("report", "days", name=report.name, days=days, time_zone=report.time_zone)
    weekday = words.text("weekdays", str(report.business_date.isoweekday()))
    return words.text("report", "day", date=report.label, weekday=weekday, time_zone=report.time_zone)


def build_days_strip(report: Report, words: Words) -> list[Content]:
    """Which days of the period are included, have warnings, are left out, or were restated; empty if all are in order.

    The verdict then says so.
    """
    groups = {
        "counted": [day.day for day in report.days if day.is_counted],
        "warned": [day.day for day in report.days if day.is_counted and day.verdict is ReportVerdict.WARN],
        "left_out": [day.day for day in report.days if not day.is_counted],
        "restated": [day.day for day in report.days if day.editions > 1],
    }
    cells: list[Content] = []
    if len(groups["counted"]) == len(report.days) and not groups["warned"] and not groups["restated"]:
        return cells
    for key, days in groups.items():
        named = "" if key == "counted" else words.text("labels", "separator").join(write_runs_of_days(days, words))
        whole = {"numerator": words.plain(len(days)), "denominator": words.plain(len(report.days))}
        state = words.text("labels", "of", **whole)
        cells.append({"name": words.text("days_strip", key), "state": state, "detail": named})
    return cells


def build_verdict(report: Report, words: Words) -> Content:
    """The sentence of the day, and below it whether the data are usable. A blocked day has only the latter."""
    key = report.verdict.value
    if report.verdict is ReportVerdict.BLOCKED and report.last_good_date is None:
        key = "blocked_no_good_day"
    last = report.last_good_date.isoformat() if report.last_good_date else ""
    data = words.text("verdicts", key, date=report.label, last_good_date=last)
    is_usable = report.verdict in (ReportVerdict.PASS, ReportVerdict.WARN)
    return {
        "state": report.verdict.value,
        "sentence": write_summary_sentence(report, words) if is_usable else data,
        "story": write_story(report, words) if is_usable else None,
        "data": data if is_usable else None,
        "reasons": [words.message(reason) for reason in report.verdict_reasons],
        "baseline": write_baseline_sentence(report, words) if is_usable or has_values(report) else None,
    }


def has_values(report: Report) -> bool:
    """Whether any of the main figures is known, so that there is something to compare."""
    figures = [headline.figure for headline in report.headline]
    figures += [compared.figure for platform in report.platforms for compared in platform.figures]
    return any(figure.value is not None for figure in figures)


def write_baseline_sentence(report: Report, words: Words) -> str:
    """Which days the baseline covers."""
    days = report.baseline_days
    if report.promotion is not None and days:
        return words.text("baseline", "promotion", promotion=report.promotion, days=str(days))
    if report.promotion is not None and report.diagnosis is not None and report.diagnosis.comparison:
        return words.text("baseline", "rates_alone", promotion=report.promotion)
    if report.days_of_weekday and report.period is PeriodKind.DAY:
        weekday = words.text("weekdays", str(report.business_date.isoweekday()))
        known = {"days": str(days), "same": str(report.days_of_weekday), "full": str(FULL_BASELINE_DAYS)}
        key = "weekday" if days >= FULL_BASELINE_DAYS else "short_weekday"
        return words.text("baseline", key, weekday=weekday, **known)
    is_short = report.period is PeriodKind.DAY and days < FULL_BASELINE_DAYS
    if days == 0:
        return words.text("baseline", "nothing_alike" if has_history(report) else "none")
    key = "short" if is_short else "full"
    return words.text("baseline", key, days=str(days), full=str(FULL_BASELINE_DAYS))


def build_daily_section(report: Report, words: Words) -> Content | None:
    """The main figure of a week or month day by day, with the days of its findings; None where nothing is known."""
    daily = report.daily
    if daily is None:
        return None
    known = [point for point in daily.trend if point.value is not None]
    if not known:
        return None
    low, high = (choose(known, key=lambda point: float(point.value or 0)) for choose in (min, max))
    name = name_figure(daily, report.currency, words)
    alternative = words.text(
        "alternatives", "daily", name=name, days=words.plain(len(known)),
        low=words.value(low.value, daily.unit, 0), low_day=low.day.isoformat(),
        high=words.value(high.value, daily.unit, 0), high_day=high.day.isoformat(),
    )  # fmt: skip
    notes = ["daily_usual"] if any(point.usual is not None for point in known) else []
    notes += ["daily_findings"] if select_told_findings(report) else []
    note = " ".join(words.text("notes", key) for key in notes)
    picture = {"file": "daily.svg", "alt": alternative}
    return build_section(words.text("headings", "daily", name=name), None, note or None, picture)


def name_usual_weekday(report: Report, words: Words) -> str | None:
    """The weekday whose days are what is usual; None if they are not."""
    return words.text("weekdays", str(report.business_date.isoweekday())) if report.days_of_weekday else None


def build_family_strip(delivery: FamilyDelivery, words: Words) -> Content:
    """Name, delivery state, rows and last event of a family."""
    details = []
    if delivery.rows_accepted is not None:
        details.append(words.text("labels", "rows", count=words.plain(delivery.rows_accepted)))
    if delivery.latest_event_time is not None and delivery.family != "figure":  # a figure is of a day
        details.append(words.text("labels", "latest_event", time=delivery.latest_event_time.strftime("%H:%M")))
    return {
        "name": words.text("families", delivery.family),
        "state": words.text("delivery_states", delivery.state.value),
        "detail": words.text("labels", "separator").join(details) or words.no_data,
    }


def build_headline_table(report: Report, words: Words) -> Content | None:
    """The main figures, a row each, against the day before, the same weekday, what is usual, and the target.

    A column that no figure has is left out. None without figures.
    """
    headlines = list_told_headlines(report)
    if not headlines:
        return None
    weekday = name_usual_weekday(report, words)
    heads: dict[str, str] = {
        "before": words.text("columns", "before_that"),
        "earlier": words.text("columns", "earlier_that"),
        "usual": words.text("columns", "usual_weekday", weekday=weekday) if weekday else words.text("columns", "usual"),
        "change": words.text("columns", "against_usual"),
        "target": words.text("columns", "target"),
    }
    rows = []
    for headline in headlines:
        rows.append(build_headline_row(headline.figure, headline, report, words))
        if headline.second is not None and headline.second.value is not None:
            rows.append(build_headline_row(headline.second, None, report, words))
    kept = [key for key in heads if any(row["cells"][key] for row in rows)]
    head = [*write_column_heads(words, "figure", "counts", "value"), *(heads[key] for key in kept)]
    cells = [[row["name"], row["counts"], row["value"], *(row["cells"][key] for key in kept)] for row in rows]
    return {
        **build_table(head, cells, [None] * len(head)),
        "tones": [row["tone"] for row in rows],
        "pictures": [row["picture"] for row in rows],
    }


def write_short_stock(report: Report, words: Words) -> str | None:
    """The products that are sold out soon, the best sellers first; None without any, or where the data are blocked."""
    if not report.short_stock or report.verdict is ReportVerdict.BLOCKED:
        return None
    named = [
        words.text(
            "notes",
            "stock_left",
            name=each.name,
            units=words.value(each.units, Unit.COUNT),
            pace=words.value(each.units_a_day, Unit.COUNT, 0 if each.units_a_day >= 10 else 1),
        )
        for each in report.short_stock[:PRODUCTS_NAMED]
    ]
    rest = len(report.short_stock) - len(named)
    named += [words.text("notes", "more_short_stock", count=words.plain(rest))] if rest else []
    return words.text("notes", "short_stock", products=words.text("labels", "and_then").join(named))


def write_headline_notes(report: Report, words: Words) -> list[str]:
    """What there is to say of the main figures beside their table."""
    return [line for headline in list_told_headlines(report) for line in write_comparisons(headline, report, words)]


def build_headline_row(figure: Figure, headline: Headline | None, report: Report, words: Words) -> Content:
    """One figure of the table: its value, and what it is held against, empty where that is unknown."""
    unit = figure.unit

    def compare(other: Number | None) -> str:
        return words.change(figure.value, other, unit) if figure.value is not None and other is not None else ""

    whole = 0 if unit is Unit.MONEY and figure.key in WHOLE_MONEY else None
    digits = choose_baseline_digits(figure.value, unit) if whole is None else whole
    usual = words.value(figure.baseline, unit, digits) if figure.baseline is not None else ""
    cells = {
        "before": compare(headline.before) if headline else "",
        "earlier": compare(headline.year_before if report.days else headline.earlier) if headline else "",
        "usual": usual,
        "change": compare(figure.baseline),
        "target": compare(headline.target) if headline else "",
    }
    mark = write_mark(figure.mark, figure.key, words)
    return {
        "name": name_figure(figure, report.currency, words),
        "counts": write_share_of_paid(figure, report, words)
        or (words.counts(figure) if figure.denominator is not None else ""),
        "value": f"{mark} {words.value(figure.value, unit, whole)}".strip(),
        "tone": find_tone(figure.mark, figure.key).value if figure.mark else "",
        "cells": cells,
        "picture": build_sparkline(figure, words),
    }


def write_share_of_paid(figure: Figure, report: Report, words: Words) -> str:
    """The cost of advertising as a share of the paid amount; empty for other figures."""
    paid = next((each.figure.value for each in report.headline if each.figure.key == "paid_amount"), None)
    if figure.key != "cost" or figure.value is None or not paid or float(paid) <= 0:
        return ""
    return words.text("labels", "share_of_paid", value=words.value(float(figure.value) / float(paid), Unit.RATE))


def write_comparisons(headline: Headline, report: Report, words: Words) -> list[str]:
    """The month to date, the same day of the last comparable promotion, and the figure by the marketplaces' rule."""
    figure, unit = headline.figure, headline.figure.unit
    digits = 0 if unit is Unit.MONEY else None
    lines = []
    if figure.mean_of_days is not None:
        lines.append(words.text("labels", "mean_of_days", value=words.value(figure.mean_of_days, unit)))
    if headline.month_to_date is not None and headline.month_target is not None:
        line = words.text("labels", "month_to_date", value=words.value(headline.month_to_date, unit, digits))
        change = words.change(headline.month_to_date, headline.month_target, unit)
        lines.append(line + words.text("labels", "of_target", change=change))
    elif headline.month_to_date is not None and figure.key in MONTHLY:
        lines.append(words.text("labels", "month_to_date", value=words.value(headline.month_to_date, unit, digits)))
    if headline.same_phase is not None and headline.same_phase_day is not None:
        value = words.value(headline.same_phase, unit, digits)
        lines.append(words.text("labels", "same_phase", value=value, date=headline.same_phase_day.isoformat()))
    name = name_figure(figure, report.currency, words)
    return (
        [words.text("labels", "main_rate", name=name, value=words.text("labels", "separator").join(lines))]
        if lines
        else []
    )


def write_story(report: Report, words: Words) -> str | None:
    """What the paid amount would have been without the findings, beside what is usual.

    None where a loss is unknown, or counted in another one, and for a week or month with a promotion.
    """
    paid = next((each.figure for each in report.headline if each.figure.key == "paid_amount"), None)
    if paid is None or paid.value is None or paid.baseline is None or report.diagnosis is None:
        return None
    if any(day.promotion for day in report.days):
        return None
    lost = [
        each.lost_amount
        for each in report.findings
        if (report.days or each.status is not FindingStatus.RECOVERED) and not each.is_overlapping
    ]
    losses = [float(each.value) for each in lost if each is not None]
    if not losses or len(losses) < len(lost) or sum(losses) <= 0:
        return None

    def write_amount(value: Number) -> str:
        return words.amount(words.value(value, Unit.MONEY, 0), report.currency)

    without = float(paid.value) + sum(losses)
    low, high = paid.usual_low, paid.usual_high
    is_usual = low is not None and high is not None and float(low) <= without <= float(high)
    weekday = name_usual_weekday(report, words)
    usual = write_amount(paid.baseline)
    return words.text(
        "story",
        "explained" if is_usual else "rest_is_low" if without < float(paid.baseline) else "rest_is_high",
        without=write_amount(without),
        usual=words.text("labels", "usual_weekday", weekday=weekday, value=usual)
        if weekday
        else words.text("labels", "usual", value=usual),
        rest=write_amount(abs(without - float(paid.baseline))),
    )


def build_sparkline(figure: Figure, words: Words) -> Content | None:
    """The small trend of a figure with its text alternative; None without a trend."""
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


def write_outside_note(report: Report, words: Words) -> str | None:
    """The meaning of the marks on this page, if there are any."""
    figures = [headline.figure for headline in report.headline]
    figures += [stage.rate for stage in report.stages if stage.rate is not None and stage.no_data is None]
    if any(figure.mark for figure in figures):
        return words.text("pictures", "outside")
    return None


def build_stage_tile(alike: Sequence[Stage], report: Report, words: Words) -> Content:
    """The tile of a stage: its main rate with counts, baseline and change. Of several, what they lack."""
    stage, name = alike[0], name_stages(alike, words)
    if stage.no_data is not None or stage.rate is None:
        reason = words.message(stage.no_data) if stage.no_data else ""
        return {"name": name, "rate": words.no_data, "value": "", "lines": [reason] if reason else []}
    usual, change = write_baseline_and_change(stage.rate, words)
    maturity = words.message(stage.maturity) if stage.maturity else ""
    lines = [words.counts(stage.rate), usual, change, maturity]
    return {
        "name": name,
        "rate": words.text("metrics", stage.rate.key),
        "value": write_marked_value(stage.rate, words),
        "lines": [line for line in lines if line],
        "compared": {
            key: {"lines": [line for line in (words.counts(stage.rate), *against, maturity) if line]}
            for key, against in write_earlier(stage.rate, words).items()
        },
    }
