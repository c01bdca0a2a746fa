"""The first page: what a reader with ten minutes must know."""

from collections.abc import Sequence
from datetime import date, timedelta

from funnelscope.messages.message_types import PeriodKind, Unit
from funnelscope.messages.wording import Words, format_signed
from reports.model import (
    FULL_BASELINE_DAYS,
    FamilyDelivery,
    Figure,
    Headline,
    Report,
    ReportVerdict,
    Stage,
    has_events,
    list_told_deliveries,
    list_told_headlines,
    list_told_stages,
)
from reports.pages.finding_blocks import build_finding_briefs, build_follow_ups_section, write_day_sentence
from reports.pages.platform_pages import build_platform_sections, build_platform_strip
from reports.pages.table_blocks import (
    Content,
    name_figure,
    write_baseline_and_change,
    write_earlier,
    write_marked_value,
)
from reports.pictures.trend import has_trend


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
        "headline_heading": words.text("headings", "headline"),
        "headline": [build_headline(headline, report, words) for headline in list_told_headlines(report)],
        "platforms": build_platform_sections(report, words),
        "bridge": build_bridge_section(report, words),
        "tiles_heading": words.text("headings", "stages"),
        "tiles": [build_stage_tile(stage, report, words) for stage in list_told_stages(report)],
        "outside": write_outside_note(report, words),
        "findings": build_finding_briefs(report, words),
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
    """Which days of the period are included, have warnings, are left out, or were restated."""
    groups = {
        "counted": [day.day for day in report.days if day.is_counted],
        "warned": [day.day for day in report.days if day.is_counted and day.verdict is ReportVerdict.WARN],
        "left_out": [day.day for day in report.days if not day.is_counted],
        "restated": [day.day for day in report.days if day.editions > 1],
    }
    cells = []
    for key, days in groups.items():
        named = "" if key == "counted" else words.text("labels", "separator").join(write_runs_of_days(days, words))
        whole = {"numerator": words.plain(len(days)), "denominator": words.plain(len(report.days))}
        state = words.text("labels", "of", **whole)
        cells.append({"name": words.text("days_strip", key), "state": state, "detail": named})
    return cells


def write_runs_of_days(days: Sequence[date], words: Words) -> list[str]:
    """Sorted days, consecutive ones as a range: "06-03", "06-08 to 06-12"."""
    runs: list[list[date]] = []
    for day in days:
        if runs and runs[-1][-1] == day - timedelta(days=1):
            runs[-1].append(day)
        else:
            runs.append([day])
    return [
        f"{run[0]:%m-%d}"
        if len(run) == 1
        else words.text("labels", "date_range", first=f"{run[0]:%m-%d}", last=f"{run[-1]:%m-%d}")
        for run in runs
    ]


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
        "sentence": write_day_sentence(report, words) if is_usable else data,
        "data": data if is_usable else None,
        "reasons": [words.message(reason) for reason in report.verdict_reasons],
        "baseline": write_baseline_sentence(report, words),
    }


def write_baseline_sentence(report: Report, words: Words) -> str:
    """Which days the baseline covers."""
    days = report.baseline_days
    if report.promotion is not None and days:
        return words.text("baseline", "promotion", promotion=report.promotion, days=str(days))
    if report.days_of_weekday and days >= FULL_BASELINE_DAYS:
        weekday = words.text("weekdays", str(report.business_date.isoweekday()))
        return words.text("baseline", "weekday", days=str(days), same=str(report.days_of_weekday), weekday=weekday)
    is_short = report.period is PeriodKind.DAY and days < FULL_BASELINE_DAYS
    key = "none" if days == 0 else "short" if is_short else "full"
    return words.text("baseline", key, days=str(days), full=str(FULL_BASELINE_DAYS))


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


def build_headline(headline: Headline, report: Report, words: Words) -> Content:
    """One large number with its baseline, change and comparisons."""
    figure = headline.figure
    usual, change = write_baseline_and_change(figure, words, name_usual_weekday(report, words))
    lines = [words.counts(figure)] if figure.denominator is not None else []
    if headline.second is not None:
        second = headline.second
        value = words.value(second.value, second.unit)
        lines.append(words.text("labels", "main_rate", name=name_figure(second, report.currency, words), value=value))
    return {
        "name": name_figure(figure, report.currency, words),
        "value": write_marked_value(figure, words),
        "usual": usual,
        "change": change,
        "lines": lines + write_comparisons(headline, words),
        "picture": build_sparkline(figure, words),
        "compared": {
            key: {"usual": other, "change": change} for key, (other, change) in write_earlier(figure, words).items()
        },
    }


def write_comparisons(headline: Headline, words: Words) -> list[str]:
    """The figure against its target, the month to date, and the same day of the last comparable promotion.

    For a week or month: against the previous one and a year earlier, and by the marketplaces' rule.
    """
    unit = headline.figure.unit
    digits = 0 if unit is Unit.MONEY else None
    lines = []
    for key, before in (("before", headline.before), ("year_before", headline.year_before)):
        if before is not None:
            change = words.change(headline.figure.value, before, unit)
            lines.append(words.text("labels", key, value=words.value(before, unit, digits), change=change))
    if headline.figure.mean_of_days is not None:
        lines.append(words.text("labels", "mean_of_days", value=words.value(headline.figure.mean_of_days, unit)))
    if headline.target is not None:
        target = words.value(headline.target, unit, digits)
        change = words.change(headline.figure.value, headline.target, unit)
        lines.append(words.text("labels", "target", value=target, change=change))
    if headline.month_to_date is not None:
        line = words.text("labels", "month_to_date", value=words.value(headline.month_to_date, unit, digits))
        if headline.month_target is not None:
            change = words.change(headline.month_to_date, headline.month_target, unit)
            line += words.text("labels", "of_target", change=change)
        lines.append(line)
    if headline.same_phase is not None and headline.same_phase_day is not None:
        value = words.value(headline.same_phase, unit, digits)
        lines.append(words.text("labels", "same_phase", value=value, date=headline.same_phase_day.isoformat()))
    return lines


def build_bridge_section(report: Report, words: Words) -> Content | None:
    """The picture of the steps from the baseline amount to the day's; None without a bridge."""
    bridge = report.bridge
    if bridge is None:
        return None
    spoken = words.text("labels", "separator").join(
        f"{words.text('bridge', bar.key)} {format_signed(float(bar.change), 0)}" for bar in bridge.bars
    )
    return {
        "heading": words.text("headings", "bridge", currency=report.currency),
        "picture": {"file": "bridge.svg", "alt": words.text("alternatives", "bridge", parts=spoken)},
    }


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


def build_stage_tile(stage: Stage, report: Report, words: Words) -> Content:
    """The tile of a stage: its main rate with counts, baseline and change."""
    name = words.text("stages", stage.key)
    if stage.no_data is not None or stage.rate is None:
        reason = words.message(stage.no_data) if stage.no_data else ""
        return {"name": name, "rate": words.no_data, "value": "", "lines": [reason] if reason else []}
    usual, change = write_baseline_and_change(stage.rate, words, name_usual_weekday(report, words))
    maturity = words.message(stage.maturity) if stage.maturity else ""
    counts = words.counts(stage.rate)
    lines = [counts, f"{usual} {change}".strip(), maturity]
    return {
        "name": name,
        "rate": words.text("metrics", stage.rate.key),
        "value": write_marked_value(stage.rate, words),
        "lines": [line for line in lines if line],
        "compared": {
            key: {"lines": [line for line in (counts, " ".join(against).strip(), maturity) if line]}
            for key, against in write_earlier(stage.rate, words).items()
        },
    }
