"""The data behind the report, and the definitions of its terms."""

from collections.abc import Sequence
from datetime import date, timedelta

from funnelscope.messages.message_types import Unit
from funnelscope.messages.wording import STATED, Words
from reports.fonts import SPELLED_OUT
from reports.model import (
    CheckResult,
    CheckState,
    DeliveryState,
    FamilyDelivery,
    Figure,
    Report,
    ReportVerdict,
    TrustLine,
    has_events,
    select_drawn_parts,
    select_told_indicators,
)
from reports.pages.platform_pages import name_platform, write_stated
from reports.pages.table_blocks import (
    Content,
    Widths,
    build_section,
    build_table,
    fold_away,
    name_figure,
    write_column_heads,
)

DELIVERY_WIDTHS: Widths = (None, 42, 22, 22, 20, 22, 20)
CHECK_WIDTHS: Widths = (46, 20, 36, None, 34)
QUARANTINE_WIDTHS: Widths = (30, None, 22)
CHANGE_WIDTHS: Widths = (None, 34, 34, 24)
FIGURE_SOURCE_WIDTHS: Widths = (None, 46, 28, 28, 28)
ORDINARY_RULES = ("sum", "pooled")
"""How most figures of several days come about: told once, not at each of them."""
TRUST_WIDTHS: Widths = (34, None, 28, 28, 22, 26)


def build_data_chapter(report: Report, words: Words) -> Content:
    """The chapter about deliveries, checks and quarantine."""
    return {
        "anchor": "data",
        "heading": words.text("headings", "data"),
        "sections": [
            *build_deliveries_section(report, words),
            *build_figure_sources_sections(report, words),
            *([build_section(None, None, note)] if (note := write_missing_types(report.deliveries, words)) else []),
            *pair_short_sections([build_checks_section(report, words), build_quarantine_section(report, words)]),
            *(
                [build_section(None, None, write_derived_stays_note(report.derived_stays, words))]
                if report.derived_stays
                else []
            ),
            *([build_section(None, None, words.text("notes", "spelled_out"))] if is_spelled_out(report) else []),
        ],
    }


def build_deliveries_section(report: Report, words: Words) -> list[Content]:
    """What the families delivered, and which earlier days were restated; empty where there is neither."""
    deliveries, note = select_deliveries(report), write_restated_note(report.restated_days, words)
    if not deliveries and note is None:
        return []
    body = build_deliveries_table(deliveries, words) if deliveries else None
    section = build_section(words.text("headings", "deliveries"), body, note)
    return [section] if note or not is_all_in_order(report) else fold_away([section], "deliveries", words)


def is_all_in_order(report: Report) -> bool:
    """Whether every day of a week or month is there and passed: the first page says so, and no family needs a word."""
    return (
        bool(report.days)
        and not report.quarantine
        and all(day.is_counted and day.verdict is ReportVerdict.PASS and day.editions < 2 for day in report.days)
    )


def pair_short_sections(sections: list[Content]) -> list[Content]:
    """The sections side by side, if none has a table."""
    is_short = not any(section["table"] for section in sections)
    return [section | {"is_half": is_short} for section in sections]


def select_deliveries(report: Report) -> list[FamilyDelivery]:
    """The families of the report; for a shop without events those that it delivers."""
    is_shown = has_events(report)
    return [each for each in report.deliveries if is_shown or each.state is not DeliveryState.ABSENT]


def build_figure_sources_sections(report: Report, words: Words) -> list[Content]:
    """The newest day that each platform states at each level, and ours against the platform's."""
    if not report.platforms:
        return []
    head = write_column_heads(words, "platform", "level", "newest_day", "delivered_on", "objects")
    rows = [
        [
            name_platform(platform, words),
            words.text("levels", each.level),
            each.newest_day.isoformat(),
            each.delivered_on.isoformat(),
            words.value(each.object_count, Unit.COUNT) if each.object_count else words.no_data,
        ]
        for platform in report.platforms
        for each in platform.deliveries
    ]
    sections = [
        build_section(words.text("headings", "figure_sources"), build_table(head, rows, FIGURE_SOURCE_WIDTHS, left=2))
    ]
    trust = [
        [
            name_platform(platform, words),
            words.name_figure(line.metric),
            *(write_stated(value, find_unit(line), words) for value in (line.ours, line.stated)),
            words.value(line.ratio, Unit.RATE),
            words.value(line.usual_ratio, Unit.RATE) if line.usual_ratio is not None else words.no_data,
        ]
        for platform in report.platforms
        for line in platform.trust
    ]
    if trust:
        head = write_column_heads(words, "platform", "figure", "ours", "stated", "ratio", "usual_ratio")
        body = build_table(head, trust, TRUST_WIDTHS, left=2)
        sections.append(build_section(words.text("headings", "trust"), body, words.text("notes", "trust")))
    return sections


def find_unit(line: TrustLine) -> Unit:
    """Amounts are money, all else that is held against ours are counts."""
    return Unit.MONEY if line.metric.endswith("_amount") else Unit.COUNT


def is_spelled_out(report: Report) -> bool:
    """Whether a text of the shop holds characters that are printed as code points."""
    return SPELLED_OUT in repr(report)


def write_derived_stays_note(share: Figure, words: Words) -> str:
    """How many stays were derived, from what, and what that leaves unknown."""
    return words.text("notes", "derived_stays", share=words.value(share.value, share.unit))


def write_restated_note(days: Sequence[date], words: Words) -> str | None:
    """Earlier days whose numbers have changed since the previous report, consecutive days as ranges."""
    if not days:
        return None
    stretches: list[list[date]] = []
    for day in days:
        if stretches and day - stretches[-1][-1] == timedelta(days=1):
            stretches[-1].append(day)
        else:
            stretches.append([day])
    named = (f"{days[0]} – {days[-1]}" if len(days) > 1 else f"{days[0]}" for days in stretches)
    return words.text("notes", "restated_days", days=words.text("labels", "separator").join(named))


def write_missing_types(deliveries: Sequence[FamilyDelivery], words: Words) -> str | None:
    """The event types that the shop's families have never delivered, by family; None if there is none."""
    separator = words.text("labels", "separator")
    named = [
        f"{words.text('families', delivery.family)} ({separator.join(delivery.missing_types)})"
        for delivery in deliveries
        if delivery.missing_types
    ]
    return words.text("notes", "missing_types", types=separator.join(named)) if named else None


def build_deliveries_table(deliveries: Sequence[FamilyDelivery], words: Words) -> Content:
    """The table of deliveries, one row per family."""
    names = ["family", "state", "rows_read", "rows_accepted", "rows_duplicate", "rows_quarantined", "latest_event"]
    has_exclusions = any(delivery.rows_excluded for delivery in deliveries)
    head = write_column_heads(words, *names, *(["rows_excluded"] if has_exclusions else []))
    rows = []
    for delivery in deliveries:
        counts = (delivery.rows_read, delivery.rows_accepted, delivery.rows_duplicate, delivery.rows_quarantined)
        rows.append(
            [
                words.text("families", delivery.family),
                words.text("delivery_states", delivery.state.value),
                *(words.value(count, Unit.COUNT) for count in counts),
                write_latest_event(delivery, words),
                *([words.value(delivery.rows_excluded, Unit.COUNT)] if has_exclusions else []),
            ]
        )
    return build_table(head, rows, (*DELIVERY_WIDTHS, *((22,) if has_exclusions else ())), left=2)


def write_latest_event(delivery: FamilyDelivery, words: Words) -> str:
    """The time of the last event; figures are of a day and have none."""
    if delivery.family == "figure":
        return words.text("labels", "no_comparison")
    latest = delivery.latest_event_time
    return latest.strftime("%H:%M") if latest else words.no_data


def build_checks_section(report: Report, words: Words) -> Content:
    """The table of checks that did not pass, with the number of those that passed."""
    heading = words.text("headings", "checks")
    if not report.checks:
        return build_section(heading, None, words.text("notes", "no_checks"))
    rows = []
    passed = [check for check in report.checks if check.state is CheckState.PASS]
    for check in report.checks:
        if check in passed:
            continue
        rows.append(write_check_row(check, words))
    notes = [words.text("notes", "checks_passed", count=words.plain(len(passed)))] if passed else []
    notes += [words.text("notes", "data_docs", path=report.data_docs)] if report.data_docs else []
    head = write_column_heads(words, "check", "state", "tables", "observed", "expected")
    body = build_table(head, rows, CHECK_WIDTHS, left=len(head)) if rows else None
    return build_section(heading, body, " ".join(notes))


def write_check_row(check: CheckResult, words: Words) -> list[str]:
    """A check in words: name, result, tables, observed and expected."""
    return [
        check.title or words.translate_or_keep("checks", check.name),
        words.text("check_states", check.state.value),
        words.text("labels", "separator").join(check.tables),
        *(words.message(said) if said else "" for said in (check.observed, check.expected)),
    ]


def build_quarantine_section(report: Report, words: Words) -> Content:
    """The table of quarantined rows by family and reason."""
    heading = words.text("headings", "quarantine")
    if not report.quarantine:
        return build_section(heading, None, words.text("notes", "no_quarantine"))
    rows = [
        [
            words.text("families", count.family),
            words.translate_or_keep("quarantine_reasons", count.reason),
            words.value(count.rows, Unit.COUNT),
        ]
        for count in report.quarantine
    ]
    return build_section(
        heading,
        build_table(write_column_heads(words, "family", "reason", "rows"), rows, QUARANTINE_WIDTHS, left=2),
        words.text("notes", "quarantine"),
    )


def build_changes_chapter(report: Report, words: Words) -> list[Content]:
    """Differences from the previous edition, and the files that came in between; empty in a first edition."""
    if report.edition == 1:
        return []
    rows = [
        [
            words.text(
                "labels",
                "part_of",
                whole=words.translate_or_keep("platforms", change.platform),
                name=name_figure(change.figure, report.currency, words),
            )
            if change.platform
            else name_figure(change.figure, report.currency, words),
            words.value(change.before, change.figure.unit),
            words.value(change.figure.value, change.figure.unit),
            words.change(change.figure.value, change.before, change.figure.unit),
        ]
        for change in report.changes
    ]
    body = (
        build_table(write_column_heads(words, "figure", "before", "now", "change"), rows, CHANGE_WIDTHS)
        if rows
        else None
    )
    files = words.text("labels", "separator").join(report.late_deliveries)
    note = words.text("notes", "late_deliveries", files=files) if files else words.text("notes", "no_late_deliveries")
    sections = [build_section(None, body, note if rows else f"{words.text('notes', 'no_changes')} {note}")]
    return [{"anchor": "changes", "heading": words.text("headings", "changes"), "sections": sections}]


def list_printed_figures(report: Report) -> list[Figure]:
    """Every figure of the report, in order of appearance."""
    figures = [headline.figure for headline in report.headline]
    figures += [headline.second for headline in report.headline if headline.second]
    if report.money:
        figures += report.money.factors
    for stage in report.stages:
        figures += ([stage.rate] if stage.rate else []) + list(select_told_indicators(report, stage))
        figures += [figure for pair in select_drawn_parts(report, stage).pairs for figure in (pair.cause, pair.effect)]
    for platform in report.platforms:
        figures += [compared.figure for compared in (*platform.figures, *platform.others)]
        figures += [figure for table in platform.tables for figure in table.objects[0].figures]
    return figures


def build_definitions_chapter(report: Report, words: Words) -> Content | None:
    """The definitions of all printed figures and parts of the money; None where none is printed."""
    terms = [("metrics", key) for key in dict.fromkeys(figure.key for figure in list_printed_figures(report))]
    if report.money and report.money.paid_amount is not None:
        terms += [("money_parts", key) for key in (*report.money.parts, "excluded")]
    rules = {figure.key: figure.rule for figure in list_printed_figures(report)}
    terms_of = []
    for group, key in terms:
        rule = rules.get(key) if group == "metrics" else None
        explained = words.text("several_days", rule) if rule and rule not in ORDINARY_RULES else ""
        defined = words.define_figure(key) if group == "metrics" else words.detail(group, key, "definition")
        if not defined:  # a figure that its name explains
            continue
        term = words.name_figure(key) if group == "metrics" else words.text(group, key)
        if key.startswith(STATED) and has_events(report):  # beside ours of the same name
            term = words.text("labels", "as_stated", name=term)
        terms_of.append({"term": term, "meaning": f"{defined} {explained}".strip()})
    if not terms_of:
        return None
    if any(rules.values()):
        of_all = {"term": words.text("several_days", "name"), "meaning": words.text("several_days", "ordinary")}
        terms_of.insert(0, of_all)
    return {"anchor": "definitions", "heading": words.text("headings", "definitions"), "terms": terms_of}
