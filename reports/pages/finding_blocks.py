"""The findings of the diagnosis in sentences: the verdict of the day, the findings in brief and in full."""

from collections.abc import Callable, Sequence
from statistics import fmean

from funnelscope.messages.message_types import Number, Unit
from funnelscope.messages.wording import STATED, Words, format_signed
from reports.model import (
    Diagnosis,
    Estimate,
    Evidence,
    Figure,
    Finding,
    FindingMark,
    FindingStatus,
    Headline,
    Report,
    count_days,
    find_first_day,
    list_doubtful_figures,
    list_marked_figures,
    list_marked_platform_figures,
    select_told_findings,
)
from reports.pages.table_blocks import (
    WHOLE_MONEY,
    Content,
    Widths,
    build_section,
    build_table,
    name_figure,
    write_marked_value,
    write_runs_of_days,
)
from reports.pictures.finding_picture import WIDTH_MM, name_picture
from reports.pictures.trend import has_trend
from reports.tones import write_mark

FINDING_WIDTHS: Widths = (42, None)
TOLD_FIRST = ("status", "days", "observed_rate", "lost_orders", "lost_amount", "status_reason", "next_step")
"""Facts of a finding that the first page tells."""
AFFECTED_PEOPLE = ("purchased", "other")
"""Whom a week or month may hold several times: they are never added up."""


def write_day_sentence(report: Report, words: Words) -> str:
    """What happened, its cost, where, since when, whether it continues, and who owns it; with what it is compared."""
    diagnosis = report.diagnosis
    if diagnosis is None:
        return words.text("diagnosis_states", "not_run")
    return " ".join((_write_judgement(report, diagnosis, words), *_write_context(diagnosis, words)))


def _write_context(diagnosis: Diagnosis, words: Words) -> list[str]:
    """What moved besides, and with what a promotion day is compared."""
    compared = words.text("verdict_sentences", "compared_promotion", comparison=diagnosis.comparison)
    return [*_write_other_moves(diagnosis, words), *([compared] if diagnosis.comparison else [])]


def _write_other_moves(diagnosis: Diagnosis, words: Words) -> list[str]:
    """What gained most, and the first stage that fell by mix alone with the shares that grew."""
    sentences = [
        words.text(
            "verdict_sentences",
            "gained",
            stage=words.text("stages", move.stage),
            slice=words.format_slice(move.slice),
            change=words.change(1 + move.effect, 1, Unit.COUNT, 0),
        )
        for move in sorted(diagnosis.gains, key=lambda each: -each.effect)[:1]
    ]
    own = [move for move in diagnosis.by_mix if move.stage == diagnosis.by_mix[0].stage]
    if own:
        shares = words.text("labels", "separator").join(
            words.text(
                "verdict_sentences",
                "share_grew",
                slice=words.format_slice(move.slice),
                usual=words.value(move.usual_share, Unit.RATE, 0),
                share=words.value(move.share, Unit.RATE, 0),
            )
            for move in own
        )
        change = words.change(1 + own[0].effect, 1, Unit.COUNT, 0)
        stage = words.text("stages", own[0].stage)
        sentences.append(words.text("verdict_sentences", "by_mix", stage=stage, change=change, shares=shares))
    return sentences


def _write_judgement(report: Report, diagnosis: Diagnosis, words: Words) -> str:
    # Recovered findings count in a week or month, because their loss is part of it.
    acting = [each for each in diagnosis.findings if each.found_on or each.status is not FindingStatus.RECOVERED]
    if not acting:
        return write_calm_sentence(report, diagnosis, words)
    first = acting[0]
    sentence = words.text(
        "verdict_sentences",
        "withheld" if first.status is FindingStatus.WITHHELD else "lost" if first.lost_amount else "moved",
        what=write_finding_title(first, words),
        stage=words.text("stages", first.stage),
        money=write_money(first.lost_amount, report.currency, words),
        since=write_since(first, words),
        owner=name_owner(first, words),
    )
    others = len(acting) - 1
    more = words.text("verdict_sentences", "more", count=words.plain(others)) if others else ""
    return " ".join(part for part in (sentence, more) if part)


def write_summary_sentence(report: Report, words: Words) -> str:
    """How many things want doing and what they cost together; the findings stand below. Else why there is nothing."""
    diagnosis = report.diagnosis
    if diagnosis is None:
        return words.text("diagnosis_states", "not_run")
    of_period = write_period_sentences(report, words) if report.days else []
    return " ".join((*of_period, _write_summary(report, diagnosis, words), *_write_context(diagnosis, words)))


def write_period_sentences(report: Report, words: Words) -> list[str]:
    """What a week or month sold, against what is usual and the one before, and its promotion days beside the others."""
    paid = find_period_amount(report)
    if paid is None or paid.figure.value is None:
        return []
    against = {"against_usual": paid.figure.baseline, "before_that": paid.before, "earlier_that": paid.year_before}
    compared = [
        f"{words.text('columns', key)} {words.change(paid.figure.value, other, Unit.MONEY)}"
        for key, other in against.items()
        if other
    ]
    money = words.amount(write_whole(paid.figure.value, words), report.currency)
    told = words.text("labels", "separator").join((money, *compared))
    return [words.text("verdict_sentences", "period_amount", told=told), *_write_promotion_days(report, words)]


def find_period_amount(report: Report) -> Headline | None:
    """The paid amount of the period: the shop's own, else that of all platforms, or of the only one."""
    for headline in report.headline:
        if headline.figure.key == "paid_amount":
            return headline
    alone = report.platforms[0].figures if len(report.platforms) == 1 else ()
    for compared in (*report.platform_total, *alone):
        if compared.figure.key == f"{STATED}paid_amount":
            return Headline(compared.figure, before=compared.before, year_before=compared.earlier)
    return None


def _write_promotion_days(report: Report, words: Words) -> list[str]:
    """The mean amount of the promotion days beside that of the others; empty unless both are known."""
    is_amount = report.daily is not None and report.daily.key.removeprefix(STATED) == "paid_amount"
    points = report.daily.trend if report.daily is not None and is_amount else ()
    known = [(point.promotion is not None, float(point.value)) for point in points if point.value is not None]
    of_kind = {is_sale: [value for sale, value in known if sale is is_sale] for is_sale in (True, False)}
    if not all(of_kind.values()):
        return []
    values = {
        f"{name}_{part}": written
        for is_sale, name in ((True, "sale"), (False, "plain"))
        for part, written in (
            ("days", words.plain(len(of_kind[is_sale]))),
            ("amount", write_whole(fmean(of_kind[is_sale]), words)),
        )
    }
    return [words.text("verdict_sentences", "promotion_days", **values)]


def _write_standing(report: Report, acting: Sequence[Finding], words: Words) -> list[str]:
    """How many of a week's or month's findings have ended, and how many days could be judged."""
    counted = count_days(report)
    if counted is None:
        return []
    told = []
    if acting:
        over = sum(each.status is FindingStatus.RECOVERED or not each.is_ongoing for each in acting)
        counts = {"over": words.plain(over), "ongoing": words.plain(len(acting) - over)}
        key = "all_over" if over == len(acting) else "of_which" if over else "all_ongoing"
        told.append(words.text("verdict_sentences", key, **counts))
    judged = report.diagnosis.judged_days if report.diagnosis else None
    if judged is not None and judged < counted:
        days = {"judged": words.plain(judged), "days": words.plain(counted)}
        told.append(words.text("verdict_sentences", "judged_days", **days))
    return told


def _write_summary(report: Report, diagnosis: Diagnosis, words: Words) -> str:
    acting = [
        each
        for each in diagnosis.findings
        if not each.is_quiet and (each.found_on or each.status is not FindingStatus.RECOVERED)
    ]
    if not acting:
        standing = _write_standing(report, (), words) if diagnosis.state == "calm" else []
        return " ".join((write_calm_sentence(report, diagnosis, words), *standing))
    return " ".join((_write_cost_together(report, acting, words), *_write_standing(report, acting, words)))


def _write_cost_together(report: Report, acting: Sequence[Finding], words: Words) -> str:
    """How many findings there are, and what they cost together.

    That is at least so much where the cost of one is unknown, or where one may be counted in another: of those only the
    costliest counts.
    """
    to_do = words.text("verdict_sentences", "to_do", count=words.plain(len(acting)))
    alone = [each for each in acting if not each.is_overlapping or len(acting) == 1]
    shared = [each for each in acting if each not in alone]

    def total(losses: Callable[[Finding], Estimate | None]) -> float:
        of_each = [float(lost.value) if (lost := losses(each)) else 0.0 for each in alone]
        return max([sum(of_each), *(float(lost.value) for each in shared if (lost := losses(each)))])

    orders, amount = total(lambda each: each.lost_orders), total(lambda each: each.lost_amount)
    if orders <= 0 or amount < 0:
        return to_do
    is_whole = not shared and all(each.lost_orders and (each.lost_amount or not amount) for each in alone)
    lost = words.text(
        "verdict_sentences",
        "lost_orders_and_amount" if amount else "lost_orders",
        orders=write_whole(orders, words),
        money=words.amount(write_whole(amount, words), report.currency),
    )
    return f"{to_do} {words.text('verdict_sentences', 'cost' if is_whole else 'cost_at_least', lost=lost)}"


def write_calm_sentence(report: Report, diagnosis: Diagnosis, words: Words) -> str:
    """Says that there is nothing to act on, with the drop that the day could have shown; or why that is unknown.

    Figures that moved without a finding are named: the sentence never contradicts a mark, nor a warning.
    """
    if diagnosis.state not in ("calm", "found"):
        return words.text("diagnosis_states", diagnosis.state, reason=diagnosis.reason)
    moved = [_write_moved_figure(figure, report, words) for figure in list_marked_figures(report)]
    for platform, where, figure in list_marked_platform_figures(report):
        whole = words.translate_or_keep("platforms", platform.name)
        name = f"{where} {words.name_figure(figure.key)}".strip()
        named = words.text("labels", "part_of", whole=whole, name=name)
        moved.append(f"{named} {write_marked_value(figure, words)}")
    doubtful = list_doubtful_figures(report)
    moved += [
        f"{name_figure(figure, report.currency, words)} {words.value(figure.value, figure.unit)} "
        f"({format_signed(100 * (float(figure.value or 0) / float(figure.baseline or 1) - 1), 0)}%)"
        for figure in doubtful
    ]
    if doubtful:
        return words.text("diagnosis_states", "doubtful", figures=words.text("labels", "separator").join(moved))
    if moved:
        named = words.text("labels", "separator").join(moved)
        return words.text("diagnosis_states", "moved", figures=named)
    if not diagnosis.visible_drops:
        return words.text("diagnosis_states", "calm")
    drops = words.text("labels", "separator").join(
        words.text(
            "labels",
            "drop",
            stage=words.text("stages", drop.stage),
            drop=words.value(drop.drop, Unit.RATE, 0 if drop.drop >= 0.1 else 1),
        )
        for drop in diagnosis.visible_drops
    )
    return f"{words.text('diagnosis_states', 'calm')} {words.text('verdict_sentences', 'visible_drop', drops=drops)}"


def _write_moved_figure(figure: Figure, report: Report, words: Words) -> str:
    """A figure beyond its usual range, with its mark; money with its sign, and amounts of a day whole."""
    if figure.unit is not Unit.MONEY or figure.value is None:
        return f"{words.name_figure(figure.key)} {write_marked_value(figure, words)}"
    written = words.value(figure.value, Unit.MONEY, 0 if figure.key in WHOLE_MONEY else None)
    mark = write_mark(figure.mark, figure.key, words)
    return f"{words.name_figure(figure.key)} {mark} {words.amount(written, report.currency)}"


def write_finding_title(finding: Finding, words: Words) -> str:
    """What happened and where: "Coupon refused: coupon SHOP20"."""
    return words.text("labels", "finding", title=finding.title, slice=words.format_slice(finding.slice))


def write_since(finding: Finding, words: Words) -> str:
    """Since when the finding lasts, and whether it is over."""
    if finding.since is None:
        return words.text("labels", "today_only")
    key = "since_and_on" if finding.is_ongoing else "since_and_over"
    return words.text("labels", key, since=finding.since.isoformat())


def write_money(estimate: Estimate | None, currency: str, words: Words) -> str:
    """An amount of money with its currency and interval."""
    if estimate is None:
        return words.no_data
    value = words.amount(write_whole(estimate.value, words), currency)
    return add_interval(value, estimate, words)


def write_orders(estimate: Estimate, words: Words) -> str:
    """A number of orders with its interval."""
    return add_interval(write_whole(estimate.value, words), estimate, words)


def add_interval(value: str, estimate: Estimate, words: Words) -> str:
    """`value`, the formatted estimate, with its interval. All numbers of a loss are whole."""
    if estimate.low is None or estimate.high is None:
        return value
    low, high = write_whole(estimate.low, words), write_whole(estimate.high, words)
    return words.text("labels", "between", value=value, low=low, high=high)


def write_whole(value: Number, words: Words) -> str:
    """The number rounded to a whole one."""
    return words.value(round(float(value), 6), Unit.COUNT, 0)


def build_finding_briefs(report: Report, words: Words) -> Content | None:
    """At most three findings, each as a title and short lines."""
    if not report.findings:
        return None
    shown = select_told_findings(report)
    rest = sum(not each.is_quiet for each in report.findings) - len(shown)
    notes = [words.text("notes", "more_findings", count=words.plain(rest))] if rest else []
    if quiet := [each for each in report.findings if each.is_quiet]:
        named = words.text("labels", "and_then").join(
            words.text(
                "labels", "with_unit", name=write_finding_title(each, words), unit=write_mark_of(each.mark, words)
            )
            for each in quiet
        )
        notes.append(words.text("notes", "quiet_findings", findings=named))
    return {
        "heading": words.text("headings", "findings"),
        "items": [build_finding_brief(number, finding, report, words) for number, finding in enumerate(shown, start=1)],
        "note": " ".join(notes) or None,
    }


def write_mark_of(mark: FindingMark | None, words: Words) -> str:
    """What people said of a finding, when, with their note; empty without a mark."""
    if mark is None:
        return ""
    state = words.text("finding_marks", mark.mark)
    key = "told_with_note" if mark.note else "told"
    return words.text("finding_marks", key, state=state, date=f"{mark.marked_on:%m-%d}", note=mark.note)


def name_owner(finding: Finding, words: Words) -> str:
    """Who acts; of a stage for which the settings name nobody, the record holds the stage, which is no owner."""
    return finding.owner if has_owner(finding) else words.text("labels", "no_owner")


def has_owner(finding: Finding) -> bool:
    """Whether the settings name who acts."""
    return finding.owner not in ("", finding.stage)


def build_finding_brief(number: int, finding: Finding, report: Report, words: Words) -> Content:
    """One finding as a title and short lines: its change, its cost, who was hit, what moved with it, what to do."""
    lines = [write_finding_facts(finding, report, words)]
    if cost := write_cost(finding, report.currency, words):
        lines.append(cost)
    if finding.status_reason:
        lines.append(finding.status_reason)
    lines += [write_evidence(evidence, words) for evidence in select_moved_evidence(finding)[:1]]
    picture = {"file": f"{name_picture(finding, number)}.svg", "alt": write_finding_alternative(finding, words)}
    return {
        "number": words.plain(number),
        "title": write_finding_title(finding, words),
        "lines": lines,
        "step": write_next_step(finding, words)
        if finding.next_step and finding.status is not FindingStatus.RECOVERED
        else "",
        "finding": finding.finding_id,
        "link": finding.link,
        "picture": picture if has_trend(finding.trend) else None,
    }


def write_next_step(finding: Finding, words: Words) -> str:
    """Who does what, and when to look again; the owner alone where there is nothing to do."""
    if not finding.next_step:
        return words.text("finding_facts", "owner", owner=finding.owner) if has_owner(finding) else ""
    step = finding.next_step
    if has_owner(finding):
        step = words.text("finding_facts", "step", owner=finding.owner, step=step)
    if finding.recheck_date is None:
        return step
    return words.text("labels", "next_step", step=step, date=f"{finding.recheck_date:%m-%d}")


def _name_moved(finding: Finding, words: Words) -> str:
    """What moved: a step, a figure that a platform states, or the whole stage."""
    if not finding.step:
        return words.text("stages", finding.stage)
    return words.text("steps" if finding.step in words.sections["steps"] else "stated_figures", finding.step)


def write_finding_facts(finding: Finding, report: Report, words: Words) -> str:
    """The change of the rate, the day of the fault, who was hit and who acts: "46% → 9%, day 6, 343 checkouts"."""
    facts = []
    if finding.observed is not None and finding.expected is not None and not finding.is_figure:
        facts.append(
            words.text(
                "finding_facts",
                "rate",
                step=_name_moved(finding, words),
                expected=words.value(finding.expected, Unit.RATE),
                observed=words.value(finding.observed, Unit.RATE),
            )
        )
    elif finding.effect is not None and finding.status is not FindingStatus.WITHHELD:
        effect = f"{format_signed(float(finding.effect.value) * 100, 0)}%"
        facts.append(words.text("finding_facts", "effect", step=_name_moved(finding, words), effect=effect))
    if finding.strongest_part:
        facts.append(words.text("finding_facts", "most_in", part=words.format_slice(finding.strongest_part)))
    facts.append(write_duration(finding, report, words))
    key = finding.step if finding.step in words.sections["affected"] else "other"
    if finding.entered and not (finding.found_on and key in AFFECTED_PEOPLE):
        facts.append(words.text("affected", key, count=words.plain(finding.entered)))
    if has_owner(finding) and (not finding.next_step or finding.status is FindingStatus.RECOVERED):
        facts.append(words.text("finding_facts", "owner", owner=finding.owner))
    if finding.mark is not None:
        facts.append(write_mark_of(finding.mark, words))
    is_told = finding.found_on and finding.status is FindingStatus.RECOVERED  # by its duration
    if finding.status is not FindingStatus.CONFIRMED and not is_told:
        facts.append(words.text("finding_states", finding.status.value))
    return words.text("labels", "dot").join(facts)


def write_duration(finding: Finding, report: Report, words: Words) -> str:
    """The day of the fault; of a week or month the days on which it was found, and whether it has ended."""
    if finding.days is not None:
        dates = words.text("labels", "separator").join(write_runs_of_days(finding.found_on, words))
        found_on = words.text("finding_facts", "found_on", count=words.plain(finding.days), dates=dates)
        is_older = finding.since is not None and finding.since < find_first_day(report)
        begun = [words.text("finding_facts", "since", since=f"{finding.since:%m-%d}")] if is_older else []
        state = words.text("finding_facts", "ongoing" if finding.is_ongoing else "over")
        return words.text("labels", "dot").join((*begun, found_on, state))
    if finding.since is None or finding.status is FindingStatus.RECOVERED:
        return write_since(finding, words)
    number = (report.business_date - finding.since).days + 1
    key = "first_day" if number == 1 else "day"
    return words.text("finding_facts", key, number=words.plain(number), since=f"{finding.since:%m-%d}")


def write_cost(finding: Finding, currency: str, words: Words) -> str:
    """Orders and money that were lost, on the day and since the fault began; empty where nothing is known or lost."""
    if finding.lost_orders is None or not any(
        (finding.lost_orders.value, finding.lost_orders.low, finding.lost_orders.high)
    ):
        return ""
    is_gain = float(finding.lost_orders.value) < 0
    lost = turn(finding.lost_orders, is_gain)
    counted = words.text("finding_facts", "order_count", count=write_whole(lost.value, words))
    orders = add_interval(counted, lost, words)
    key, told = "gained" if is_gain else "orders", {"orders": orders}
    if finding.lost_amount is not None:
        key += "_and_amount"
        told["money"] = write_money(turn(finding.lost_amount, is_gain), currency, words)
    parts = [words.text("finding_facts", key, **told)]
    so_far, lost_amount = finding.lost_amount_so_far, finding.lost_amount
    if so_far and lost_amount is not None and float(so_far) > float(lost_amount.value) and finding.days is None:
        parts.append(words.text("finding_facts", "so_far", money=write_money(Estimate(so_far), currency, words)))
    return words.text("labels", "separator").join(parts)


def turn(estimate: Estimate, is_turned: bool) -> Estimate:
    """The estimate, or its negative with the ends of its interval exchanged."""
    if not is_turned:
        return estimate
    low, high = (-end if end is not None else None for end in (estimate.high, estimate.low))
    return Estimate(-estimate.value, low, high)


def write_finding_alternative(finding: Finding, words: Words) -> str:
    """The text alternative of a finding's small chart."""
    known = [point for point in finding.trend if point.value is not None]
    unit = Unit.COUNT if finding.is_figure else Unit.RATE
    return words.text(
        "alternatives",
        "finding",
        name=write_finding_title(finding, words),
        days=str(len(finding.trend)),
        first=words.value(known[0].value, unit) if known else words.no_data,
        last=words.value(known[-1].value, unit) if known else words.no_data,
    )


def select_moved_evidence(finding: Finding) -> list[Evidence]:
    """The evidence, except for data checks, which the status reason already names."""
    return [evidence for evidence in finding.evidence if evidence.key != "data_check"]


def write_evidence(evidence: Evidence, words: Words) -> str:
    """A piece of evidence in words: the change of a series, or an entry of the change log."""
    since = evidence.since.isoformat() if evidence.since else ""
    if evidence.key != "series":
        name = words.translate_or_keep("changes", evidence.name)
        return words.text("labels", "logged", name=name, date=since, note=evidence.note)
    return words.text(
        "labels",
        "moved_before" if evidence.is_before else "moved",
        name=words.text("series", evidence.name),
        today=words.value(evidence.today, evidence.unit),
        usual=words.value(evidence.usual, evidence.unit),
        date=since,
    )


def build_follow_ups_section(report: Report, words: Words) -> Content | None:
    """The present state of earlier findings; None without any."""
    told = {finding.finding_id for finding in report.findings if finding.finding_id}
    lines = [summary] if (summary := write_worked_on(report, words)) else []
    for follow_up in report.follow_ups:
        if follow_up.finding_id in told:  # the finding itself says what became of it
            continue
        title = words.text("labels", "finding", title=follow_up.title, slice=words.format_slice(follow_up.slice))
        facts = [title, words.text("follow_ups", follow_up.state)]
        if follow_up.mark is not None:
            facts.append(write_mark_of(follow_up.mark, words))
        if follow_up.lost_amount is not None:
            money = write_money(follow_up.lost_amount, report.currency, words)
            facts.append(words.text("labels", "so_far", money=money))
        lines.append(words.text("labels", "dot").join(facts))
    return {"heading": words.text("headings", "follow_ups"), "lines": lines} if lines else None


def write_worked_on(report: Report, words: Words) -> str:
    """How many of the earlier findings were marked, by mark; empty where nobody ever marks."""
    marks = [each.mark.mark if each.mark else "unanswered" for each in report.follow_ups]
    if all(mark == "unanswered" for mark in marks):
        return ""
    counts = [(key, marks.count(key)) for key in ("done", "known", "false", "unanswered") if key in marks]
    named = words.text("labels", "separator").join(
        words.text("finding_marks", "count", state=words.text("finding_marks", key), count=words.plain(count))
        for key, count in counts
    )
    return words.text("finding_marks", "earlier", counts=named)


def build_finding_sections(findings: Sequence[Finding], report: Report, words: Words) -> list[Content]:
    """A table for each finding of a stage, with everything known about it below its chart."""
    numbers = {id(each): number for number, each in enumerate(report.findings, 1)}
    sections = []
    for finding in findings:
        section: Content = {
            "anchor": f"finding-{finding.finding_id}" if finding.finding_id else None,
            "link": finding.link,
            **build_section(write_finding_title(finding, words), None),
            **split_finding_table(finding, report, words),
            "behind": build_finding_rows(finding, words),
        }
        if has_trend(finding.trend):
            file = f"{name_picture(finding, numbers[id(finding)])}.svg"
            section["picture"] = {
                "file": file,
                "alt": write_finding_alternative(finding, words),
                "width": WIDTH_MM,
                "is_beside": section["table"] is not None,
            }
            section["is_half"] = section["table"] is None
        sections.append(section)
    return sections


def build_finding_rows(finding: Finding, words: Words) -> Content | None:
    """What stands behind the finding, row by row; None where nothing is known of it."""
    if not finding.rows:
        return None
    first = finding.rows[0]
    has_counts = first.entered is not None
    ends = ("entered", "passed") if has_counts else ("passed",)
    names = [words.text("dimensions", name) for name, _ in first.facts]
    head = [words.text("row_kinds", first.kind), words.text("finding_rows", "time"), *names]
    head += [words.text("finding_rows", key) for key in ends]
    rows = []
    for row in finding.rows:
        facts = [words.translate_dimension_value(name, value) for name, value in row.facts]
        counts = [words.value(value, Unit.COUNT) for value in (row.entered, row.passed)]
        passed = [words.text("finding_rows", "yes" if row.has_passed else "no")]
        rows.append([str(row.row_id or ""), row.happened_at, *facts, *(counts if has_counts else passed)])
    count = finding.row_count if finding.row_count is not None else len(rows)
    shown = {"shown": words.plain(len(rows)), "count": words.plain(count)}
    return {
        "anchor": f"rows-{finding.finding_id}",
        "summary": words.text("finding_rows", "summary", **shown),
        "note": words.text("finding_rows", "figures" if has_counts else "order"),
        "table": build_table(head, rows, [None] * len(head), left=len(head) - (2 if has_counts else 0)),
    }


def split_finding_table(finding: Finding, report: Report, words: Words) -> Content:
    """What is known of a finding; what the first page tells already stands apart, and is not printed again."""
    known = list_finding_facts(finding, report.currency, words)
    is_told = report.campaign is None and finding in select_told_findings(report)
    evidence = [text for key, text in known if key == "evidence"][:1]
    told = [(key, text) for key, text in known if is_told and (key in TOLD_FIRST or text in evidence)]
    rest = [fact for fact in known if fact not in told]
    if not told or not (rest or has_trend(finding.trend)):
        return {"table": build_facts_table(known, words)}
    folded = {
        "anchor": None,
        "summary": words.text("headings", "told_first"),
        "is_open": True,
        "table": build_facts_table(told, words),
    }
    return {"table": build_facts_table(rest, words) if rest else None, "told_first": folded}


def build_facts_table(known: Sequence[tuple[str, str]], words: Words) -> Content:
    """Facts of a finding, a row each."""
    return build_table(None, [[words.text("finding_parts", key), text] for key, text in known], FINDING_WIDTHS, left=2)


def list_finding_facts(finding: Finding, currency: str, words: Words) -> list[tuple[str, str]]:
    """Everything known of one finding: keys of the words' `finding_parts`, and texts."""
    status = [words.text("finding_states", finding.status.value), write_since(finding, words)]
    known = [("status", words.text("labels", "dot").join(status))]
    if finding.days is not None:
        dates = words.text("labels", "separator").join(write_runs_of_days(finding.found_on, words))
        known.append(("days", words.text("finding_facts", "found_on", count=words.plain(finding.days), dates=dates)))
    if finding.observed is not None and finding.expected is not None:
        observed = words.value(finding.observed, Unit.RATE)
        expected = words.value(finding.expected, Unit.RATE)
        known.append(("observed_rate", words.text("labels", "instead_of", observed=observed, expected=expected)))
    if finding.lost_orders is not None:
        known.append(("lost_orders", write_orders(finding.lost_orders, words)))
    amounts = (("lost_amount", finding.lost_amount), ("lost_net_amount", finding.lost_net_amount))
    known += [(key, write_money(amount, currency, words)) for key, amount in amounts if amount is not None]
    if finding.mix is not None and finding.rate is not None:
        parts = {
            name: format_signed(float(part) * 100, 3) for name, part in (("rate", finding.rate), ("mix", finding.mix))
        }
        known.append(("parts", words.text("labels", "rate_and_mix", **parts)))
    if finding.stability is not None:
        known.append(("stability", words.value(finding.stability, Unit.RATE, 0)))
    if finding.runner_up:
        known.append(("runner_up", words.format_slice(finding.runner_up)))
    if finding.strongest_part:
        known.append(("strongest_part", words.format_slice(finding.strongest_part)))
    known += [("evidence", write_evidence(evidence, words)) for evidence in select_moved_evidence(finding)]
    told = (("status_reason", finding.status_reason), ("next_step", write_next_step(finding, words)))
    return known + [(key, text) for key, text in told if text]
