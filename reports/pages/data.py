"""The data behind the report, and what its words mean."""

from collections.abc import Sequence

from reports.model import Check, Delivery, Report, Unit
from reports.pages.tables import Content, Widths, heads, section, table
from reports.wording import Words

DELIVERY_WIDTHS: Widths = (None, 42, 22, 22, 20, 22, 20)
CHECK_WIDTHS: Widths = (56, 22, None, 34)
QUARANTINE_WIDTHS: Widths = (30, None, 22)
DEFINITION_WIDTHS: Widths = (50, None)


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
