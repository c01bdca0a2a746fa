"""The findings of the diagnosis in sentences: the verdict of the day, the findings in brief and in full."""

from collections.abc import Sequence

from funnelscope.messages.message_types import Number, Unit
from funnelscope.messages.wording import Words, format_signed
from reports.model import (
    Diagnosis,
    Estimate,
    Evidence,
    Finding,
    FindingStatus,
    Report,
    list_marked_figures,
    list_marked_platform_figures,
)
from reports.pages.table_blocks import (
    Content,
    Widths,
    build_section,
    build_table,
    name_figure,
    write_marked_value,
)
from reports.pictures.trend import has_trend

FINDINGS_ON_THE_FIRST_PAGE = 3
FINDING_WIDTHS: Widths = (48, None)


def write_day_sentence(report: Report, words: Words) -> str:
    """What happened, its cost, where, since when, whether it continues, and who owns it."""
    diagnosis = report.diagnosis
    if diagnosis is None:
        return words.text("diagnosis_states", "not_run")
    # Recovered findings count in a week or month, because their loss is part of it.
    acting = [each for each in diagnosis.findings if report.days or each.status is not FindingStatus.RECOVERED]
    if not acting:
        return write_calm_sentence(report, diagnosis, words)
    first = acting[0]
    sentence = words.text(
        "verdict_sentences",
        "withheld" if first.status is FindingStatus.WITHHELD else "lost" if first.lost_amount else "moved",
        what=write_finding_title(first, words),
        stage=words.text("stages", first.stage),
        money=write_money(first.lost_net_amount or first.lost_amount, report.currency, words),
        since=write_since(first, words),
        owner=name_owner(first, words),
    )
    others = len(acting) - 1
    more = words.text("verdict_sentences", "more", count=words.plain(others)) if others else ""
    return " ".join(part for part in (sentence, more) if part)


def write_calm_sentence(report: Report, diagnosis: Diagnosis, words: Words) -> str:
    """Says that there is nothing to act on, with the drop that the day could have shown; or why that is unknown.

    Figures that moved without a finding are named: the sentence never contradicts a mark.
    """
    if diagnosis.state not in ("calm", "found"):
        return words.text("diagnosis_states", diagnosis.state, reason=diagnosis.reason)
    moved = [
        f"{name_figure(figure, report.currency, words)} {write_marked_value(figure, words)}"
        for figure in list_marked_figures(report)
    ]
    for platform, where, figure in list_marked_platform_figures(report):
        whole = words.translate_or_keep("platforms", platform.name)
        name = f"{where} {words.name_figure(figure.key)}".strip()
        named = words.text("labels", "part_of", whole=whole, name=name)
        moved.append(f"{named} {write_marked_value(figure, words)}")
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
    value = words.text("labels", "money", currency=currency, value=write_whole(estimate.value, words))
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
    if report.diagnosis is None or not report.diagnosis.findings:
        return None
    shown = report.diagnosis.findings[:FINDINGS_ON_THE_FIRST_PAGE]
    rest = len(report.diagnosis.findings) - len(shown)
    return {
        "heading": words.text("headings", "findings"),
        "items": [build_finding_brief(number, finding, report, words) for number, finding in enumerate(shown, start=1)],
        "note": words.text("notes", "more_findings", count=words.plain(rest)) if rest else None,
    }


def name_owner(finding: Finding, words: Words) -> str:
    """Who acts; the stage's own team by the stage's name, where the settings name nobody."""
    if not finding.owner:
        return words.text("labels", "no_owner")
    return words.translate_or_keep("stages", finding.owner)


def build_finding_brief(number: int, finding: Finding, report: Report, words: Words) -> Content:
    """One finding as a title and short lines."""
    facts = [
        words.text("stages", finding.stage),
        write_since(finding, words),
        name_owner(finding, words),
        words.text("finding_states", finding.status.value),
    ]
    if finding.days is not None:
        facts.insert(2, words.text("labels", "days_seen", count=words.plain(finding.days)))
    lines = [words.text("labels", "dot").join(facts)]
    if finding.lost_orders is not None:
        orders = write_orders(finding.lost_orders, words)
        money = write_money(finding.lost_net_amount or finding.lost_amount, report.currency, words)
        key = "loss_net" if finding.lost_net_amount else "loss"
        lines.append(words.text("labels", key, orders=orders, money=money))
    if finding.status_reason:
        lines.append(finding.status_reason)
    lines += [write_evidence(evidence, words) for evidence in select_moved_evidence(finding)[:1]]
    step = "" if finding.status is FindingStatus.RECOVERED else finding.next_step
    if step and finding.recheck_date:
        step = words.text("labels", "next_step", step=step, date=finding.recheck_date.isoformat())
    return {
        "number": words.plain(number),
        "title": write_finding_title(finding, words),
        "finding": finding.finding_id,
        "link": finding.link,
        "lines": lines,
        "step": step,
    }


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
    if report.diagnosis is None or not report.diagnosis.follow_ups:
        return None
    lines = []
    for follow_up in report.diagnosis.follow_ups:
        title = words.text("labels", "finding", title=follow_up.title, slice=words.format_slice(follow_up.slice))
        facts = [title, words.text("follow_ups", follow_up.state)]
        if follow_up.lost_amount is not None:
            money = write_money(follow_up.lost_amount, report.currency, words)
            facts.append(words.text("labels", "so_far", money=money))
        lines.append(words.text("labels", "dot").join(facts))
    return {"heading": words.text("headings", "follow_ups"), "lines": lines}


def build_finding_sections(findings: Sequence[Finding], currency: str, words: Words) -> list[Content]:
    """A table for each finding of a stage, with everything known about it."""
    return [
        {
            "anchor": f"finding-{finding.finding_id}" if finding.finding_id else None,
            "link": finding.link,
            "chart": build_finding_chart(finding, words),
            **build_section(write_finding_title(finding, words), build_finding_table(finding, currency, words)),
            "behind": build_finding_rows(finding, words),
        }
        for finding in findings
    ]


def build_finding_chart(finding: Finding, words: Words) -> Content | None:
    """The series of the finding's slice; None without one."""
    if not has_trend(finding.trend):
        return None
    known = [point.value for point in finding.trend if point.value is not None]
    unit = Unit.RATE if finding.observed is not None else Unit.COUNT
    spoken = words.text(
        "alternatives",
        "spark",
        name=write_finding_title(finding, words),
        days=str(len(finding.trend)),
        low=words.value(min(known), unit),
        high=words.value(max(known), unit),
    )
    return {"file": f"finding_{finding.finding_id}.svg", "alt": spoken}


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
        passed = [words.text("answers", "yes" if row.has_passed else "no")]
        rows.append([str(row.row_id or ""), row.happened_at, *facts, *(counts if has_counts else passed)])
    count = finding.row_count if finding.row_count is not None else len(rows)
    shown = {"shown": words.plain(len(rows)), "count": words.plain(count)}
    return {
        "anchor": f"rows-{finding.finding_id}",
        "summary": words.text("finding_rows", "summary", **shown),
        "note": words.text("finding_rows", "figures" if has_counts else "order"),
        "table": build_table(head, rows, [None] * len(head), left=len(head) - (2 if has_counts else 0)),
    }


def build_finding_table(finding: Finding, currency: str, words: Words) -> Content:
    """The table of one finding."""
    known: list[tuple[str, str]] = [
        ("status", words.text("finding_states", finding.status.value)),
        ("since", write_since(finding, words)),
        ("owner", name_owner(finding, words)),
    ]
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
    known += [("evidence", write_evidence(evidence, words)) for evidence in select_moved_evidence(finding)]
    known += [(key, text) for key, text in (("status_reason", finding.status_reason), ("question", finding.question),
                                            ("next_step", finding.next_step)) if text]  # fmt: skip
    if finding.days is not None:
        known.insert(2, ("days", words.plain(finding.days)))
    if finding.recheck_date is not None:
        known.append(("recheck", finding.recheck_date.isoformat()))
    rows = [[words.text("finding_parts", key), text] for key, text in known]
    return build_table(None, rows, FINDING_WIDTHS, left=2)
