"""The review of a campaign: verdict, its days, the whole and its phases, the days around it, refunds, what moved."""

from collections.abc import Sequence
from datetime import date

from funnelscope.messages.message_types import Number, Unit
from funnelscope.messages.wording import Words
from reports.campaign_review import (
    CampaignFigure,
    CampaignMoves,
    CampaignReview,
    DaysAround,
    RefundAge,
    name_phase,
)
from reports.model import Report, ReportVerdict
from reports.pages.finding_blocks import build_finding_briefs, build_finding_sections, write_summary_sentence
from reports.pages.table_blocks import Content, build_section, build_table, write_column_heads, write_runs_of_days

WHOLE_WIDTHS = (None, 28, 28, 22, 28, 22)
PHASE_WIDTHS = (None, 10, 18, 18, 18, 17, 17, 20, 15)
PHASE_FIGURES = (
    *("paid_amount", "refunded_amount", "net_amount", "paid_orders", "visitors_a_day", "visitor_pay_rate"),
    "amount_per_buyer",
)
AROUND_WIDTHS = (None, 10, 30, 22, 22, 34)
REFUND_WIDTHS = (None, 26, 54, 24, 24)
MOVE_WIDTHS = (None, 26, 26, 22, 26, 22)


def build_campaign_summary(report: Report, review: CampaignReview, words: Words) -> Content:
    """All of the review, in the form of a first page."""
    is_told = bool(list_told_figures(review))
    sections = [
        build_days_section(review, words),
        *([build_whole_section(report, review, words)] if is_told else []),
        *([build_phases_section(report, review, words)] if is_told and len(review.phases) > 1 else []),
        build_around_section(report, review, words),
        build_refunds_section(report, review, words),
        *(build_moves_section(each, report, review, words) for each in review.moves),
    ]
    dates = write_dates(review.whole.from_date, review.whole.to_date, words)
    name = words.labels.get(review.name, review.name)
    unknown = [words.message(each) for each in review.unknown]
    return {
        "title": words.text("campaign", "heading", name=name, shop=report.shop),
        "day": words.text("campaign", "days", days=dates, time_zone=report.time_zone, date=review.known_to.isoformat()),
        "families": build_strip(review, words),
        "verdict": build_campaign_verdict(report, review, words),
        "daily": None,
        "findings": build_finding_briefs(report, words),
        "stock": None,
        "headline": None,
        "headline_notes": [],
        "platforms": sections,
        "tiles": [],
        "outside": None,
        "follow_ups": {"heading": words.text("campaign", "unknown"), "lines": unknown} if unknown else None,
    }


def build_strip(review: CampaignReview, words: Words) -> list[Content]:
    """What the review counts, and what it holds it against."""
    whole = review.whole
    days = len(whole.counted) + len(whole.left_out)
    counted = words.text("labels", "of", numerator=words.plain(len(whole.counted)), denominator=words.plain(days))
    left_out = words.text("labels", "separator").join(write_runs_of_days(whole.left_out, words))
    missing = words.text("campaign", "left_out", days=left_out) if left_out else ""
    if review.last_from is None or review.last_to is None:
        last, why = words.no_data, words.text("campaign", "first_time")
    else:
        last = write_dates(review.last_from, review.last_to, words)
        why = (
            words.text("labels", "days", value=words.plain(len(whole.last_days))) if whole.last_days else words.no_data
        )
    plain = words.no_data
    if review.plain_days:
        plain = words.text("labels", "days", value=words.plain(len(review.plain_days)))
    known = words.text("campaign", "refunds_known" if review.is_mature else "refunds_known_from",
                       date=review.mature_on.isoformat())  # fmt: skip
    to_date = words.text("campaign", "refunds_to", date=review.known_to.isoformat())
    plain_dates = write_dates(review.plain_days[0], review.plain_days[-1], words) if review.plain_days else ""
    cells = {
        "strip_days": (counted, missing),
        "strip_last": (last, why),
        "strip_plain": (plain, plain_dates),
        "strip_refunds": (to_date, known),
    }
    return [
        {"name": words.text("campaign", key), "state": state, "detail": detail}
        for key, (state, detail) in cells.items()
    ]


def build_campaign_verdict(report: Report, review: CampaignReview, words: Words) -> Content:
    """What it sold and what that is worth, and below it what it took from the days around."""
    is_usable = report.verdict in (ReportVerdict.PASS, ReportVerdict.WARN)
    data = words.text("verdicts", report.verdict.value, date=report.label, last_good_date="")
    return {
        "state": report.verdict.value,
        "sentence": write_campaign_sentence(report, review, words) if is_usable else data,
        "story": " ".join(write_campaign_story(report, review, words)) if is_usable else None,
        "data": data if is_usable and report.verdict is not ReportVerdict.PASS else None,
        "reasons": [words.message(reason) for reason in report.verdict_reasons],
        "baseline": None,
    }


def write_campaign_sentence(report: Report, review: CampaignReview, words: Words) -> str:
    """Gross and net sales, against the last time and against plain days."""
    paid = review.whole.find("paid_amount")
    refunded, net = review.whole.find("refunded_amount"), review.whole.find("net_amount")
    if paid.value is None:
        return words.text("campaign", "nothing_known", name=words.labels.get(review.name, review.name))

    def write(value: Number) -> str:
        return _write_money(value, report, words)

    days = words.plain(len(review.whole.counted))
    said = [words.text("campaign", "paid", money=write(paid.value), days=days)]
    if refunded.value is None or net.value is None:
        said.append(words.text("campaign", "net_unknown"))
    else:
        key = "net" if review.is_mature else "net_so_far"
        rate = words.value(float(refunded.value) / float(paid.value) if paid.value else None, Unit.RATE)
        said.append(words.text("campaign", key, money=write(net.value), refunded=write(refunded.value), rate=rate,
                               known_to=review.known_to.isoformat(), date=review.mature_on.isoformat()))  # fmt: skip
    if paid.last_alike is not None and review.last_from is not None:
        key = "against_last" if len(review.whole.last_days) == len(review.whole.counted) else "against_last_a_day"
        change = words.change(paid.value, paid.last_alike, Unit.MONEY)
        said.append(words.text("campaign", key, date=review.last_from.isoformat(), change=change))
    else:
        said.append(words.text("campaign", "no_last"))
    if paid.plain is not None:
        more = float(paid.value) - float(paid.plain)
        key = "above_plain" if more >= 0 else "below_plain"
        change = words.change(paid.value, paid.plain, Unit.MONEY)
        said.append(words.text("campaign", key, money=write(abs(more)), change=change))
    else:
        said.append(words.text("campaign", "no_plain"))
    return words.text("campaign", "between").join(said)


def write_campaign_story(report: Report, review: CampaignReview, words: Words) -> list[str]:
    """What was pulled forward, and what was found on the days of the campaign."""
    found = [write_summary_sentence(report, words)] if report.diagnosis is not None else []
    return [write_pulled_forward(report, review, words), *found]


def write_pulled_forward(report: Report, review: CampaignReview, words: Words) -> str:
    """What the days before and after lack, and how much of the gain that is."""
    both = review.both_sides
    if both is None:
        open_until = next((each.known_from for each in review.around if each.known_from), None)
        if open_until is None:
            return words.text("campaign", "pulled_unknown")
        return words.text("campaign", "pulled_open", date=open_until.isoformat())
    short = both.shortfall
    if short is None:
        return words.text("campaign", "pulled_unknown")
    days = words.plain(len(both.counted))
    money = _write_money(abs(float(short)), report, words)
    change = words.change(both.paid_amount, both.plain, Unit.MONEY)
    if both.is_usual or both.is_usual is None or short <= 0:
        key = "around_usual" if both.is_usual else "around_above" if short <= 0 else "around_unjudged"
        differs = words.text("campaign", "less" if short > 0 else "more", money=money)
        return words.text("campaign", key, days=days, differs=differs, change=change)
    paid = review.whole.find("paid_amount")
    gain = float(paid.value) - float(paid.plain) if paid.value is not None and paid.plain is not None else 0.0
    said = words.text("campaign", "pulled", days=days, money=money, change=change)
    if gain <= 0:
        return said
    left = _write_money(gain - float(short), report, words)
    share = words.value(float(short) / gain, Unit.RATE)
    return said + words.text("campaign", "pulled_share", share=share, left=left)


def build_days_section(review: CampaignReview, words: Words) -> Content:
    """The chart of the days."""
    known = [each for each in review.days if each.paid_amount is not None]
    best = max(known, key=lambda each: float(each.paid_amount or 0), default=None)
    if best is None:
        return build_section(words.text("campaign", "chart"), None, words.text("campaign", "no_chart"))
    alternative = words.text(
        "campaign", "chart_alternative", first=review.days[0].day.isoformat(), last=review.days[-1].day.isoformat(),
        day=best.day.isoformat(), value=words.value(best.paid_amount, Unit.MONEY, 0),
    )  # fmt: skip
    return build_section(words.text("campaign", "chart"), None, None, {"file": "campaign.svg", "alt": alternative})


def build_whole_section(report: Report, review: CampaignReview, words: Words) -> Content:
    """The campaign as a whole, a figure a row."""
    rows = [
        [
            _name(figure, report, words),
            _write(figure.value, figure, words),
            _write(figure.last, figure, words),
            words.change(figure.value, figure.last_alike, figure.unit),
            _write_plain(figure, review, words),
            words.change(figure.value, figure.plain, figure.unit),
        ]
        for figure in list_told_figures(review)
    ]
    head = write_column_heads(words, "figure")
    head += [words.text("campaign", key) for key in ("this_time", "last_time", "change", "plain_days", "change")]
    is_like = len(review.whole.last_days) in (0, len(review.whole.counted))
    notes = [] if is_like else [words.text("campaign", "by_day", days=words.plain(len(review.whole.last_days)))]
    if not review.is_mature:
        notes.append(words.text("campaign", "refunds_alike"))
    return build_section(
        words.text("campaign", "whole"), _build_compared(head, rows, WHOLE_WIDTHS, review), " ".join(notes) or None
    )


def list_told_figures(review: CampaignReview) -> list[CampaignFigure]:
    """The figures of the whole that are known now, then or on plain days; others the shop may never deliver."""
    figures = review.whole.figures
    return [each for each in figures if any(value is not None for value in (each.value, each.last, each.plain))]


def build_phases_section(report: Report, review: CampaignReview, words: Words) -> Content:
    """Each phase with its changes against the same phase of the last time, and against plain days."""
    rows = []
    told = [each.key for each in list_told_figures(review)]
    kept = [key for key in PHASE_FIGURES if key in told]
    for part in review.phases:
        figures = [part.find(key) for key in kept]
        dates = words.text("labels", "separator").join(
            write_runs_of_days(sorted([*part.counted, *part.left_out]), words)
        )
        name = words.text("labels", "with_unit", name=name_phase(part.key, words), unit=dates)
        counted, days = len(part.counted), len(part.counted) + len(part.left_out)
        shown = words.plain(days)
        if part.left_out:
            shown = words.text("labels", "of", numerator=words.plain(counted), denominator=words.plain(days))
        rows.append([name, shown, *(_write(figure.value, figure, words) for figure in figures)])
        if any(each.last_days for each in review.phases):
            changes = [_write_change(figure, figure.last_alike, words) for figure in figures]
            then = words.plain(len(part.last_days)) if part.last_days else words.text("labels", "no_comparison")
            rows.append([words.text("campaign", "vs_last"), then, *changes])
        if review.plain_days:
            changes = [
                words.text("labels", "no_comparison")
                if _is_too_young(figure, review)
                else _write_change(figure, figure.plain, words)
                for figure in figures
            ]
            rows.append([words.text("campaign", "vs_plain"), "", *changes])
    head = [words.text("campaign", "phase"), words.text("campaign", "day_count")]
    head += [words.name_figure(key) for key in kept]
    widths = [*PHASE_WIDTHS[:2], *(PHASE_WIDTHS[2 + PHASE_FIGURES.index(key)] for key in kept)]
    note = words.text("campaign", "phases_note", currency=words.name_currency(report.currency))
    return build_section(words.text("campaign", "phases"), build_table(head, rows, widths), note)


def build_around_section(report: Report, review: CampaignReview, words: Words) -> Content:
    """The days before and after, and both together."""
    rows = [_build_around_row(side, words) for side in review.around]
    keys = ("day_count", "paid_around", "plain_around", "differs", "healthy")
    head = [words.text("campaign", "around_days"), *(words.text("campaign", key) for key in keys)]
    heading = words.text("campaign", "around", currency=words.name_currency(report.currency))
    has_range = any(side.low is not None for side in review.around)
    kept = [0, 1, 2, *([3, 4] if review.plain_days else []), *([5] if has_range else [])]
    note = words.text("campaign", "around_note") + (words.text("campaign", "around_rule") if has_range else "")
    return build_section(heading, _build_columns(head, rows, AROUND_WIDTHS, kept), note)


def _build_around_row(side: DaysAround, words: Words) -> list[str]:
    dates = write_dates(side.from_date, side.to_date, words)
    name = words.text("labels", "with_unit", name=words.text("campaign", f"around_{side.key}"), unit=dates)
    if side.known_from:
        return [name, "", words.text("campaign", "known_from", date=side.known_from.isoformat()), "", "", ""]
    usual_range = words.text("labels", "no_comparison")
    if side.low is not None and side.high is not None:
        low, high = (words.value(value, Unit.MONEY, 0) for value in (side.low, side.high))
        usual_range = words.text("labels", "date_range", first=low, last=high)
    return [
        name,
        words.plain(len(side.counted)),
        words.value(side.paid_amount, Unit.MONEY, 0),
        words.value(side.plain, Unit.MONEY, 0),
        words.change(side.paid_amount, side.plain, Unit.MONEY),
        usual_range,
    ]


def build_refunds_section(report: Report, review: CampaignReview, words: Words) -> Content:
    """The share refunded at equal ages."""
    rows = [_build_refund_row(each, words) for each in review.refunds]
    head = [words.text("campaign", "refund_age")]
    head += [words.text("campaign", key) for key in ("refunded", "this_time", "last_time", "plain_days")]
    heading = words.text("campaign", "refunds", currency=words.name_currency(report.currency))
    kept = [0, 1, 2, *([3] if review.whole.last_days else []), *([4] if review.plain_days else [])]
    return build_section(
        heading, _build_columns(head, rows, REFUND_WIDTHS, kept), words.text("campaign", "refunds_note")
    )


def _build_refund_row(each: RefundAge, words: Words) -> list[str]:
    name = words.text("campaign", "within_days", days=words.plain(each.days))
    now = words.value(each.rate, Unit.RATE)
    if each.mature_on:
        now = words.text("campaign", "not_mature", date=each.mature_on.isoformat())
    refunded = "" if each.mature_on else words.value(each.refunded, Unit.MONEY, 0)
    others = [
        words.text("labels", "no_comparison") if rate is None else words.value(rate, Unit.RATE)
        for rate in (each.last_rate, each.plain_rate)
    ]
    return [name, refunded, now, *others]


def build_moves_section(moves: CampaignMoves, report: Report, review: CampaignReview, words: Words) -> Content:
    """The values of one dimension that moved most."""
    digits = 0 if moves.unit is Unit.MONEY else None
    rows = [
        [
            words.translate_dimension_value(moves.dimension, each.value),
            words.value(each.now, moves.unit, digits),
            words.value(each.last_alike, moves.unit, 0),
            words.change(each.now, each.last_alike, Unit.MONEY),
            words.value(each.plain, moves.unit, 0),
            words.change(each.now, each.plain, Unit.MONEY),
        ]
        for each in moves.moves
    ]
    measure = words.name_figure(moves.measure)
    if moves.unit is Unit.MONEY:
        measure = words.with_currency(measure, report.currency)
    dimension = words.text("dimensions", moves.dimension)
    keys = ("this_time", "last_time", "change", "plain_days", "change")
    head = [dimension, *(words.text("campaign", key) for key in keys)]
    key = "last" if review.whole.last_days else "plain" if review.plain_days else "size"
    note = f"{words.define_figure(moves.measure)} {words.text('campaign', f'moves_by_{key}')}"
    heading = "largest" if key == "size" else "moves"
    heading = words.text("campaign", heading, dimension=dimension, measure=measure)
    section = build_section(heading, _build_compared(head, rows, MOVE_WIDTHS, review), note)
    return section | {"is_half": not (review.whole.last_days or review.plain_days)}


def build_campaign_findings(report: Report, words: Words) -> Content | None:
    """The findings of the campaign's days in full; None without any."""
    if not report.findings:
        return None
    sections = build_finding_sections(report.findings, report, words)
    return {"anchor": "findings", "heading": words.text("headings", "findings"), "sections": sections}


def build_campaign_definitions(review: CampaignReview, words: Words) -> Content:
    """The definitions of the figures that are printed."""
    keys = [figure.key for figure in list_told_figures(review)]
    terms = [
        {
            "term": words.name_figure(key),
            "meaning": words.define_figure(key),
        }
        for key in keys
    ]
    terms.append({"term": words.text("campaign", "plain_days"), "meaning": words.text("campaign", "plain_meaning")})
    terms.append({"term": words.text("campaign", "last_time"), "meaning": words.text("campaign", "last_meaning")})
    return {"anchor": "definitions", "heading": words.text("headings", "definitions"), "terms": terms}


def _build_compared(
    head: Sequence[str], rows: Sequence[Sequence[str]], widths: Sequence[int | None], review: CampaignReview
) -> Content:
    """A table of now, the last time with its change, and plain days with their change, as far as there are any."""
    kept = [0, 1, *([2, 3] if review.whole.last_days else []), *([4, 5] if review.plain_days else [])]
    return _build_columns(head, rows, widths, kept)


def _build_columns(
    head: Sequence[str], rows: Sequence[Sequence[str]], widths: Sequence[int | None], kept: Sequence[int]
) -> Content:
    return build_table(
        [head[place] for place in kept],
        [[row[place] for place in kept] for row in rows],
        [widths[place] for place in kept],
    )


def write_dates(first: date, last: date, words: Words) -> str:
    """A range of days: the year once."""
    if first == last:
        return first.isoformat()
    shown = f"{last:%m-%d}" if first.year == last.year else last.isoformat()
    return words.text("labels", "date_range", first=first.isoformat(), last=shown)


def _name(figure: CampaignFigure, report: Report, words: Words) -> str:
    name = words.name_figure(figure.key)
    if figure.is_stated:
        name = words.text("labels", "as_stated", name=name)
    return words.with_currency(name, report.currency) if figure.unit is Unit.MONEY else name


def _write(value: Number | None, figure: CampaignFigure, words: Words) -> str:
    """Sums of money without cents, counts whole."""
    if figure.unit is Unit.RATE or figure.key == "amount_per_buyer":
        return words.value(value, figure.unit)
    return words.value(value, figure.unit, 0)


def _is_too_young(figure: CampaignFigure, review: CampaignReview) -> bool:
    """Whether it depends on refunds that are younger than those of plain days."""
    return figure.key in ("refunded_amount", "net_amount") and not review.is_mature


def _write_plain(figure: CampaignFigure, review: CampaignReview, words: Words) -> str:
    no_comparison = words.text("labels", "no_comparison")
    return no_comparison if _is_too_young(figure, review) else _write(figure.plain, figure, words)


def _write_change(figure: CampaignFigure, other: Number | None, words: Words) -> str:
    """The change; "no data" where either is not known."""
    if figure.value is None or other is None:
        return words.no_data
    return words.change(figure.value, other, figure.unit)


def _write_money(value: Number, report: Report, words: Words) -> str:
    return words.amount(words.value(value, Unit.MONEY, 0), report.currency)
