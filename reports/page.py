"""From a report to what its page shows: plain dictionaries of finished texts, in the shape that page.typ lays out."""

from collections.abc import Sequence
from typing import Any

from reports.model import (
    FULL_BASELINE_DAYS,
    Check,
    DayPoint,
    Delivery,
    Figure,
    MoneySplit,
    Report,
    SliceRow,
    SliceTable,
    Stage,
    Unit,
    Verdict,
    Window,
)
from reports.pictures import has_trend, outside_mark, promotion_runs
from reports.wording import Words, digits_for, signed

SLICE_ROWS_SHOWN = 8
SHARE_DIGITS = 1

Content = dict[str, Any]

# Column widths in millimetres of the 174 mm page; None takes the room that is left over. They are fixed, so that the
# numbers of one table stand below those of the table above.
Widths = Sequence[int | None]
MONEY_WIDTHS: Widths = (None, 32, 17, 20, 32, 20)
FIGURE_WIDTHS: Widths = (None, 56, 24, 23, 21)
WINDOW_WIDTHS: Widths = (24, None, 24, 24, 24, 23)
SLICE_WIDTHS: Widths = (None, 21, 23, 14, 14, 23, 18)
DELIVERY_WIDTHS: Widths = (None, 42, 22, 22, 20, 22, 20)
CHECK_WIDTHS: Widths = (56, 22, None, 34)
QUARANTINE_WIDTHS: Widths = (30, None, 22)
DEFINITION_WIDTHS: Widths = (50, None)


def content(report: Report, words: Words) -> Content:
    """Everything that is printed, as JSON-ready dictionaries; raises UnknownWordError for an unknown key."""
    stages = [stage_chapter(stage, report.currency, words) for stage in report.stages]
    return {
        "document": document(report, words),
        "summary": summary(report, words),
        "stages": stages,
        "chapters": [data_chapter(report, words), definitions_chapter(report, words)],
    }


def document(report: Report, words: Words) -> Content:
    day = report.business_date.isoformat()
    blocked = report.verdict is Verdict.BLOCKED
    edition = words.plain(report.edition)
    return {
        "title": words.text("report", "document", shop=report.shop, date=day),
        "author": report.shop,
        "subject": words.text("report", "subject", shop=report.shop, date=day, edition=edition),
        "language": words.language,
        "header": words.text("report", "blocked_header") if blocked else None,
        "footer": words.text("report", "footer", shop=report.shop, date=day, edition=edition, snapshot=report.snapshot),
        "page": words.text("report", "page", page="{page}", pages="{pages}"),
    }


def table(head: Sequence[str], rows: Sequence[Sequence[str]], widths: Widths, left: int = 1) -> Content:
    """A table whose first `left` columns are texts, set to the left; the others are numbers, set to the right."""
    sides = ["left"] * left + ["right"] * (len(head) - left)
    return {"head": list(head), "rows": [list(row) for row in rows], "align": sides, "widths": list(widths)}


def section(
    heading: str | None, body: Content | None, note: str | None = None, picture: Content | None = None
) -> Content:
    return {"heading": heading, "table": body, "note": note, "picture": picture}


def heads(words: Words, *keys: str, **values: str) -> list[str]:
    return [words.text("columns", key, **values) for key in keys]


# Summary


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


def named(figure: Figure, currency: str, words: Words) -> str:
    """The figure's name, with the currency where it is money."""
    name = words.text("metrics", figure.key)
    return words.text("labels", "with_unit", name=name, unit=currency) if figure.unit is Unit.MONEY else name


def usual_and_change(figure: Figure, words: Words) -> tuple[str, str]:
    if figure.baseline is None:
        return words.text("labels", "usual", value=words.no_data), ""
    digits = baseline_digits(figure)
    usual = words.text("labels", "usual", value=words.value(figure.baseline, figure.unit, digits))
    return usual, words.change(figure.value, figure.baseline, figure.unit)


def baseline_digits(figure: Figure) -> int | None:
    """A baseline is written as precisely as its value, so that the two can be compared by eye."""
    return None if figure.value is None else digits_for(figure.value, figure.unit)


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


def money_section(money: MoneySplit, currency: str, words: Words) -> Content:
    total = money.paid_amount
    rows, spoken = [], []
    for letter, (key, part) in zip("ABCD", money.parts.items(), strict=True):
        name = words.text("money_parts", key)
        amount = words.value(part.amount, Unit.MONEY)
        share = (
            words.value(part.amount / total, Unit.RATE, SHARE_DIGITS)
            if part.amount is not None and total
            else words.no_data
        )
        rows.append([f"{letter}  {name}", amount, share, *money_row_end(part, words)])
        spoken.append(words.text("alternatives", "money_part", letter=letter, name=name, amount=amount))
    rows.append(
        [words.text("money_parts", "paid_amount"), words.value(total, Unit.MONEY), *total_row_end(money, words)]
    )
    excluded = money.excluded
    rows.append(
        [
            words.text("money_parts", "excluded"),
            words.value(excluded.amount, Unit.MONEY),
            words.text("labels", "no_comparison"),
            *money_row_end(excluded, words),
        ]
    )
    head = heads(words, "part", "amount", "share", "payments", "usual", "change", currency=currency)
    picture = {"file": "money.svg", "alt": words.text("alternatives", "money", parts=", ".join(spoken))}
    return {
        "heading": words.text("headings", "money"),
        "picture": picture if total is not None else None,
        "table": table(head, rows, MONEY_WIDTHS),
        "note": words.text("notes", "excluded"),
    }


def money_row_end(part: Any, words: Words) -> list[str]:
    return [
        words.value(part.payments, Unit.COUNT),
        words.value(part.baseline, Unit.MONEY),
        words.change(part.amount, part.baseline, Unit.MONEY),
    ]


def total_row_end(money: MoneySplit, words: Words) -> list[str]:
    parts = money.parts.values()
    payments = [part.payments for part in parts if part.payments is not None]
    baselines = [float(part.baseline) for part in parts if part.baseline is not None]
    baseline = sum(baselines) if len(baselines) == len(parts) else None
    share = words.value(1, Unit.RATE, SHARE_DIGITS) if money.paid_amount else words.no_data
    return [
        share,
        words.value(sum(payments) if payments else None, Unit.COUNT),
        words.value(baseline, Unit.MONEY),
        words.change(money.paid_amount, baseline, Unit.MONEY),
    ]


def factors_section(money: MoneySplit, currency: str, words: Words) -> Content:
    return section(words.text("headings", "factors"), figures_table(money.factors, currency, words))


def figures_table(figures: Sequence[Figure], currency: str, words: Words) -> Content:
    rows = []
    for figure in figures:
        mark = outside_mark(figure.value, figure.usual_low, figure.usual_high, words)
        rows.append(
            [
                named(figure, currency, words),
                words.counts(figure),
                f"{mark} {words.value(figure.value, figure.unit)}".strip(),
                words.value(figure.baseline, figure.unit, baseline_digits(figure)),
                words.change(figure.value, figure.baseline, figure.unit),
            ]
        )
    return table(heads(words, "figure", "counts", "value", "usual", "change"), rows, FIGURE_WIDTHS)


# Stages


def stage_chapter(stage: Stage, currency: str, words: Words) -> Content:
    chapter: Content = {
        "name": words.text("stages", stage.key),
        "question": words.detail("stages", stage.key, "question"),
        "no_data": None,
        "rate": None,
        "picture": None,
        "notes": [],
        "tables": [],
    }
    if stage.no_data is not None:
        reason = words.message(stage.no_data)
        return chapter | {"no_data": words.text("labels", "no_data_because", reason=reason)}
    if stage.rate is not None:
        chapter["rate"] = stage_rate(stage.rate, words)
        chapter["notes"] = stage_notes(stage, words)
    if stage.steps:
        chapter["picture"] = {"file": f"{stage.key}.svg", "alt": stage_alternative(stage, words)}
    if stage.indicators:
        heading = words.text("headings", "indicators")
        chapter["tables"].append(section(heading, figures_table(stage.indicators, currency, words)))
    if stage.windows:
        chapter["tables"].append(windows_section(stage, words))
    filled = [slices for slices in stage.slices if slices.rows]
    for number, slices in enumerate(filled, start=1):
        note = words.text("notes", "slices") if number == len(filled) else None
        chapter["tables"].append(slice_section(slices, note, words))
    return chapter


def stage_rate(rate: Figure, words: Words) -> Content:
    usual, change = usual_and_change(rate, words)
    name = words.text("metrics", rate.key)
    details = [words.counts(rate), usual, change]
    return {
        "sentence": words.text("labels", "main_rate", name=name, value=words.value(rate.value, rate.unit)),
        "details": words.text("labels", "separator").join(detail for detail in details if detail),
    }


def stage_notes(stage: Stage, words: Words) -> list[str]:
    notes = []
    if any(outside_mark(step.rate_from_previous, step.usual_low, step.usual_high, words) for step in stage.steps):
        notes.append(words.text("pictures", "outside"))
    trend = stage.rate.trend if stage.rate else ()
    days = [promotion_days(trend[first : last + 1], words) for first, last in promotion_runs(trend)]
    if days:
        notes.append(words.text("notes", "promotions", days="; ".join(days)))
    return notes


def promotion_days(points: Sequence[DayPoint], words: Words) -> str:
    names = dict.fromkeys(point.promotion for point in points if point.promotion)
    first, last = points[0].day.isoformat(), points[-1].day.isoformat()
    when = first if first == last else words.text("labels", "date_range", first=first, last=last)
    return words.text("labels", "with_unit", name=" / ".join(names), unit=when)


def stage_alternative(stage: Stage, words: Words) -> str:
    steps = [
        words.text(
            "alternatives", "step", name=words.text("steps", step.key), count=words.value(step.count, Unit.COUNT)
        )
        for step in stage.steps
    ]
    funnel = words.text("alternatives", "funnel", steps=", ".join(steps))
    return f"{funnel} {trend_alternative(stage.rate, words)}"


def trend_alternative(rate: Figure | None, words: Words) -> str:
    known = [point for point in rate.trend if point.value is not None] if rate else []
    if rate is None or len(known) < 2:
        return words.text("alternatives", "no_trend")
    return words.text(
        "alternatives",
        "trend",
        name=words.text("metrics", rate.key),
        first=words.value(known[0].value, rate.unit),
        first_date=known[0].day.isoformat(),
        last=words.value(known[-1].value, rate.unit),
        last_date=known[-1].day.isoformat(),
    )


def windows_section(stage: Stage, words: Words) -> Content:
    head = heads(words, "window", "entered_between", "converted", "lost", "pending", "rate")
    rows = [window_row(window, words) for window in stage.windows]
    picture = {"file": f"{stage.key}_windows.svg", "alt": words.text("alternatives", "windows")}
    return section(words.text("headings", "windows"), table(head, rows, WINDOW_WIDTHS, left=2), picture=picture)


def window_row(window: Window, words: Words) -> list[str]:
    first, last = window.entered_from.isoformat(), window.entered_to.isoformat()
    return [
        words.text("labels", "window", days=words.plain(window.window_days)),
        first if first == last else words.text("labels", "date_range", first=first, last=last),
        *(words.value(count, Unit.COUNT) for count in (window.converted, window.lost, window.pending)),
        words.value(window.rate, Unit.RATE),
    ]


def slice_section(slices: SliceTable, note: str | None, words: Words) -> Content:
    shown, other = largest_and_other(slices.rows)
    whole = pooled(slices.rows)
    digits = None if whole.rate is None else max(digits_for(whole.rate, Unit.RATE), 1)
    rows = [slice_row(row, row.value or words.text("labels", "not_named"), digits, words) for row in shown]
    if other:
        name = words.text("labels", "other", count=words.plain(len(other)))
        rows.append(slice_row(pooled(other), name, digits, words))
    counted = [count_name(key, words) for key in (slices.entered, slices.passed)]
    head = [words.text("dimensions", slices.dimension), *counted]
    head += heads(words, "rate", "usual", "change", "against_usual")
    heading = words.text("headings", "slices", dimension=words.text("dimensions", slices.dimension))
    return section(heading, table(head, rows, SLICE_WIDTHS), note)


def count_name(key: str, words: Words) -> str:
    """The name of what a column counts: a step, or else a metric."""
    return words.text("steps" if key in words.sections["steps"] else "metrics", key)


def largest_and_other(rows: Sequence[SliceRow]) -> tuple[list[SliceRow], list[SliceRow]]:
    """The rows with most entries, and the rest; a rest of one row is shown by its name instead."""
    ordered = sorted(rows, key=lambda row: (-row.entered, -row.passed, row.value or ""))
    shown = SLICE_ROWS_SHOWN if len(ordered) > SLICE_ROWS_SHOWN + 1 else len(ordered)
    return ordered[:shown], ordered[shown:]


def pooled(rows: Sequence[SliceRow]) -> SliceRow:
    """Rows added up; a row without a baseline leaves the sum without one."""
    with_baseline = all(row.baseline_entered is not None and row.baseline_passed is not None for row in rows)
    return SliceRow(
        None,
        sum(row.entered for row in rows),
        sum(row.passed for row in rows),
        sum(row.baseline_entered or 0 for row in rows) if with_baseline else None,
        sum(row.baseline_passed or 0 for row in rows) if with_baseline else None,
    )


def slice_row(row: SliceRow, name: str, digits: int | None, words: Words) -> list[str]:
    surplus = words.text("labels", "no_comparison")
    if row.baseline_rate is not None:
        surplus = signed(row.passed - row.entered * row.baseline_rate, 0)
    return [
        name,
        words.value(row.entered, Unit.COUNT),
        words.value(row.passed, Unit.COUNT),
        words.value(row.rate, Unit.RATE, digits),
        words.value(row.baseline_rate, Unit.RATE, digits),
        words.change(row.rate, row.baseline_rate, Unit.RATE, digits),
        surplus,
    ]


# The data, and the definitions


def data_chapter(report: Report, words: Words) -> Content:
    return {
        "heading": words.text("headings", "data"),
        "sections": [
            section(words.text("headings", "deliveries"), deliveries_table(report.deliveries, words)),
            checks_section(report.checks, words),
            quarantine_section(report, words),
        ],
    }


def deliveries_table(deliveries: Sequence[Delivery], words: Words) -> Content:
    head = heads(
        words, "family", "state", "rows_read", "rows_accepted", "rows_duplicate", "rows_quarantined", "latest_event"
    )
    rows = []
    for delivery in deliveries:
        counts = (delivery.rows_read, delivery.rows_accepted, delivery.rows_duplicate, delivery.rows_quarantined)
        latest = delivery.latest_event_time
        rows.append(
            [
                words.text("families", delivery.family),
                words.text("delivery_states", delivery.state.value),
                *(words.value(count, Unit.COUNT) for count in counts),
                latest.strftime("%H:%M") if latest else words.no_data,
            ]
        )
    return table(head, rows, DELIVERY_WIDTHS, left=2)


def checks_section(checks: Sequence[Check], words: Words) -> Content:
    heading = words.text("headings", "checks")
    if not checks:
        return section(heading, None, words.text("notes", "no_checks"))
    rows = []
    for check in checks:
        observed = check.observed
        rows.append(
            [
                words.text_or_itself("checks", check.name),
                words.text("check_states", check.state.value),
                words.message(check.message) if check.message else "",
                "" if observed is None else observed if isinstance(observed, str) else words.plain(observed),
            ]
        )
    return section(heading, table(heads(words, "check", "state", "note", "observed"), rows, CHECK_WIDTHS, left=3))


def quarantine_section(report: Report, words: Words) -> Content:
    heading = words.text("headings", "quarantine")
    if not report.quarantine:
        return section(heading, None, words.text("notes", "no_quarantine"))
    rows = [
        [
            words.text("families", count.family),
            words.text_or_itself("quarantine_reasons", count.reason),
            words.value(count.rows, Unit.COUNT),
        ]
        for count in report.quarantine
    ]
    return section(
        heading,
        table(heads(words, "family", "reason", "rows"), rows, QUARANTINE_WIDTHS, left=2),
        words.text("notes", "quarantine"),
    )


def printed_metrics(report: Report) -> list[str]:
    """The keys of every metric that the report shows, in the order of first appearance."""
    figures = list(report.headline)
    if report.money:
        figures += report.money.factors
    for stage in report.stages:
        if stage.no_data is None:
            figures += ([stage.rate] if stage.rate else []) + list(stage.indicators)
    return list(dict.fromkeys(figure.key for figure in figures))


def definitions_chapter(report: Report, words: Words) -> Content:
    terms = [("metrics", key) for key in printed_metrics(report)]
    if report.money:
        terms += [("money_parts", key) for key in (*report.money.parts, "excluded")]
    rows = [[words.text(group, key), words.detail(group, key, "definition")] for group, key in terms]
    return {
        "heading": words.text("headings", "definitions"),
        "sections": [section(None, table(heads(words, "term", "meaning"), rows, DEFINITION_WIDTHS, left=2))],
    }
