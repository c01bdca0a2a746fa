"""What the diagnosis found, read from its published tables; a shop or a snapshot without them has none."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, timedelta

import reports
from funnelscope.diagnosis.diagnosis_tables import read_records
from funnelscope.diagnosis.narrative import describe_data_check
from funnelscope.diagnosis.playbook import Playbook, load_playbook
from funnelscope.diagnosis.records import EvidenceRecord, FindingRecord, FindingRowRecord, WeekFindingRecord
from funnelscope.diagnosis.stated_reasons import StatedReason
from funnelscope.diagnosis.stored_diagnosis import StoredDiagnosis, read_diagnosis
from funnelscope.events.metrics import METRICS
from funnelscope.messages.message_types import Message, PeriodKind, Slice, Unit
from funnelscope.messages.wording import translate_message
from funnelscope.reporting.data_section import read_gate_warnings
from funnelscope.reporting.finding_days import read_finding_rates
from funnelscope.reporting.published_days import Published

# Columns of the cubes whose name for readers is that of another dimension.
DIMENSION_WORDS = {
    "is_returning": "returning",
    "first_category": "category",
    "is_member": "member",
    "is_cared_for": "cared_for",
    "last_category": "category",
}
RECHECK_AFTER = timedelta(days=3)
_LOSSES = (
    *("lost_orders", "lost_orders_low", "lost_orders_high"),
    *("lost_amount", "lost_amount_low", "lost_amount_high", "lost_amount_net"),
)
MAIN_SLICE = "all"
CHART_DAYS = 35
SERIES_UNITS = {
    "coupon_error_rate": Unit.RATE,
    "payment_failure_rate": Unit.RATE,
    "out_of_stock_rate": Unit.RATE,
}


def read_diagnosis_section(published: Published) -> reports.Diagnosis | None:
    """The diagnosis with its findings, worst first; None where none has run."""
    if not published.has_table("diagnosis", "days"):
        return None
    if not published.is_day:
        return read_diagnosis_of_days(published, published.dates)
    stored = read_diagnosis(published.connection, published.business_date)
    if stored.day is None:
        return None
    playbook = load_playbook(published.settings, published.language)
    findings = tuple(
        _convert_finding(published, finding, stored.select_evidence(finding), playbook) for finding in stored.findings
    )
    state: str = stored.state
    if state == "diagnosed":
        state = "found" if findings else "calm"
    findings = tuple(sorted(findings, key=lambda finding: finding.is_quiet))
    follow_ups = _read_follow_ups(published, playbook)
    return reports.Diagnosis(
        state=state,
        reason=_describe_reason(published, stored, playbook),
        comparison=_describe_promotion(published, stored, playbook),
        gains=_convert_moves(stored, "gain"),
        by_mix=_convert_moves(stored, "mix"),
        findings=findings,
        follow_ups=follow_ups,
        visible_drops=_read_detectable_drops(published),
    )


def _describe_reason(published: Published, stored: StoredDiagnosis, playbook: Playbook) -> str:
    return playbook.describe_reason(_name_promotion(published, stored.reason)) if stored.reason else ""


def _name_promotion(published: Published, reason: StatedReason) -> StatedReason:
    """The reason with the promotion and its phase by the names that readers know."""
    named = {"name": published.name_promotion, "phase": published.name_phase}
    told = {key: named[key](str(value)) if key in named else value for key, value in reason.values.items()}
    return replace(reason, values=told) if "phase" in reason.values else reason


def _convert_moves(stored: StoredDiagnosis, kind: str) -> tuple[reports.OtherMove, ...]:
    return tuple(
        reports.OtherMove(move.stage, name_slice(move.slice), move.effect, move.usual_share, move.share)
        for move in stored.other_moves
        if move.kind == kind
    )


def _describe_promotion(published: Published, stored: StoredDiagnosis, playbook: Playbook) -> str:
    """With what a promotion day is compared; empty for a regular day, and for one that is not judged."""
    comparison = stored.day.stated_comparison if stored.day and stored.state == "diagnosed" else None
    if comparison is None or comparison.key not in ("promotion", "regular_rates", "siblings"):
        return ""
    return playbook.describe_comparison(_name_promotion(published, comparison))


def read_diagnosis_of_days(published: Published, dates: Sequence[date]) -> reports.Diagnosis | None:
    """What the days' diagnoses found, each finding once: as its last day tells it, with what all its days cost.

    The ends of the days' intervals are added up: they share the usual rates, so their errors do not cancel out. What
    had ended before the first day is none of the period's.
    """
    if not published.has_table("diagnosis", "days"):
        return None
    days = [stored for day in dates if (stored := read_diagnosis(published.connection, day)).day]
    if not days:
        return None
    playbook = load_playbook(published.settings, published.language)
    found: dict[str, list[tuple[FindingRecord, StoredDiagnosis]]] = {}
    for stored in days:
        for finding in stored.findings:
            found.setdefault(finding.finding_id, []).append((finding, stored))
        if published.period.kind is PeriodKind.WEEK:
            for finding in stored.week_findings:
                found.setdefault(finding.finding_id, []).append((finding, stored))
    findings = sorted(
        (
            _convert_finding_of_days(published, each, playbook)
            for each in found.values()
            if any(record.status != "recovered" for record, _ in each)
        ),
        key=_rank_by_cost,
        reverse=True,
    )
    judged = sum(stored.state == "diagnosed" for stored in days)
    if findings:
        return reports.Diagnosis("found", findings=tuple(findings), judged_days=judged)
    if judged:
        return reports.Diagnosis("calm", judged_days=judged)
    return reports.Diagnosis(days[-1].state, reason=_describe_reason(published, days[-1], playbook), judged_days=0)


def _convert_finding_of_days(
    published: Published, found: Sequence[tuple[FindingRecord, StoredDiagnosis]], playbook: Playbook
) -> reports.Finding:
    """One finding from its records of several days. The day of its recovery costs nothing and describes nothing."""
    last = found[-1][0]
    open_days = [each for each in found if each[0].status != "recovered"]
    described, stored = open_days[-1]
    sums = {name: _add_up(getattr(record, name) for record, _ in found) for name in _LOSSES}
    is_of_week = isinstance(described, WeekFindingRecord)
    return replace(
        _convert_finding(
            published,
            replace(_pool_rates([record for record, _ in open_days]), **sums),  # type: ignore[arg-type]
            stored.select_evidence(described),
            playbook,
        ),
        status=reports.FindingStatus(last.status),
        is_ongoing=last.is_ongoing,
        found_on=tuple(published.dates) if is_of_week else tuple(each.business_date for _, each in open_days),
    )


def _pool_rates(records: Sequence[FindingRecord]) -> FindingRecord:
    """The last record with the counts and the effect of all days; as it is where those of a day are not known.

    The ends of the effect's interval are weighted as the effect itself is: by what was expected.
    """
    last = records[-1]
    expected = _add_up(each.expected for each in records)
    if not expected or any(None in (each.passed, each.expected, each.effect) for each in records):
        return last

    def weigh(ends: Sequence[float | None]) -> float | None:
        weights = [each.expected or 0.0 for each in records]
        known = [end * weight for end, weight in zip(ends, weights, strict=True) if end is not None]
        return sum(known) / expected if len(known) == len(ends) else None

    entered = [each.entered for each in records if each.entered is not None]
    passed = sum(each.passed or 0 for each in records)
    return replace(
        last,
        entered=sum(entered) if len(entered) == len(records) else None,
        passed=passed,
        expected=expected,
        effect=passed / expected - 1,
        effect_low=weigh([each.effect_low for each in records]),
        effect_high=weigh([each.effect_high for each in records]),
    )


def _add_up(losses: Iterable[float | None]) -> float | None:
    """The sum of those that are known; None if none is."""
    known = [loss for loss in losses if loss is not None]
    return sum(known) if known else None


def _rank_by_cost(finding: reports.Finding) -> tuple[bool, float]:
    cost = finding.lost_net_amount or finding.lost_amount
    return finding.lost_orders is not None, float(cost.value) if cost else 0.0


def _convert_finding(
    published: Published, finding: FindingRecord, evidence: Sequence[EvidenceRecord], playbook: Playbook
) -> reports.Finding:
    is_data_fault = finding.status == "withheld"
    mix, rate = _read_parts(published, finding)
    is_net_known = finding.lost_amount_net is not None and finding.lost_amount
    kept = (finding.lost_amount_net or 0.0) / (finding.lost_amount or 1.0) if is_net_known else None
    texts = playbook.classes[finding.fault_class]
    rows, row_count = _read_rows(published, finding)
    orders_so_far, amount_so_far = _read_losses_so_far(published, finding)
    orders = (
        reports.Estimate(finding.lost_orders, finding.lost_orders_low, finding.lost_orders_high)
        if finding.lost_orders is not None
        else None
    )
    return reports.Finding(
        stage=finding.stage,
        kind=finding.fault_class,
        title=texts.name,
        slice=_name_slice(published, finding.slice),
        status=reports.FindingStatus(finding.status),
        finding_id=finding.finding_id,
        named=(finding.object_kind, finding.object_name) if finding.object_name else None,
        owner=published.labels.get(finding.owner, finding.owner),
        since=finding.since_date,
        is_ongoing=finding.is_ongoing,
        observed=finding.observed_rate,
        expected=finding.expected_rate,
        effect=_convert_effect(finding),
        lost_orders=None if is_data_fault or finding.lost_orders is None else orders,
        lost_amount=None if is_data_fault else _scale_amount(finding, 1.0),
        lost_net_amount=None if is_data_fault or kept is None else _scale_amount(finding, kept),
        mix=mix,
        rate=rate,
        stability=finding.stability,
        runner_up=_name_slice(published, finding.runner_up or {}),
        strongest_part=_name_slice(published, find_lasting_part(published, finding)),
        evidence=tuple(_convert_evidence(each, finding.since_date, playbook) for each in evidence),
        question=playbook.questions[finding.stage],
        next_step=texts.next_step,
        recheck_date=published.last_date + RECHECK_AFTER,
        status_reason=_describe_status(published, finding, playbook),
        step=finding.step,
        entered=finding.entered,
        is_figure=finding.entered is None and finding.expected_rate is None,
        is_overlapping=finding.is_overlapping,
        mark=_convert_mark(published, finding.finding_id),
        is_quiet=finding.status != "recovered" and published.is_quiet(finding.finding_id, finding.effect),
        lost_orders_so_far=None if is_data_fault else orders_so_far,
        lost_amount_so_far=None if is_data_fault else amount_so_far,
        trend=_read_trend(published, finding),
        rows=rows,
        row_count=row_count,
        link=_locate_finding(published, finding),
    )


def _convert_mark(published: Published, finding_id: str) -> reports.FindingMark | None:
    mark = published.marks.get(finding_id)
    if mark is None:
        return None
    return reports.FindingMark(mark.mark.value, mark.marked_at.astimezone(published.settings.zone).date(), mark.note)


def _read_losses_so_far(published: Published, finding: FindingRecord) -> tuple[float | None, float | None]:
    """Lost orders and amount since the finding was found, the day included; of a new one those of the day."""
    rows = published.rows(
        "select lost_orders_so_far, lost_amount_so_far from diagnosis.follow_ups "
        "where business_date = $to_date and finding_id = $finding_id",
        finding_id=finding.finding_id,
    )
    return rows[0] if rows else (finding.lost_orders, finding.lost_amount)


def find_lasting_part(published: Published, finding: FindingRecord) -> Mapping[str, str]:
    """What moved most inside the slice, if most days of the finding name it; empty where it may be chance."""
    part = finding.strongest_part
    if not part:
        return {}
    rows = published.rows(
        "select strongest_part from diagnosis.findings "
        "where finding_id = $finding_id and business_date <= $to_date and status <> 'recovered'",
        finding_id=finding.finding_id,
    )
    named = sum(other is not None and json.loads(other) == part for (other,) in rows)
    return part if 2 * named > len(rows) or not rows else {}


def _locate_finding(published: Published, finding: FindingRecord) -> str:
    """The address of the finding in the HTML edition; empty where the settings name no address of the reports."""
    base = published.settings.link.rstrip("/")
    page = published.period.name_page(published.language)
    return f"{base}/{page}#finding-{finding.finding_id}" if base else ""


def _read_trend(published: Published, finding: FindingRecord) -> tuple[reports.DayPoint, ...]:
    """The slice's rate over the last five weeks; days without entries have none."""
    if finding.status == "recovered":
        return ()
    first = published.last_date - timedelta(days=CHART_DAYS - 1)
    rates = read_finding_rates(published, published.settings, first, published.last_date, finding)
    days = [first + timedelta(days=number) for number in range(CHART_DAYS)]
    known = [day for day in days if rates.get(day) is not None]
    return tuple(
        reports.DayPoint(day, rates.get(day), published.promotion(day, day))
        for day in days
        if known and day >= known[0]
    )


def _read_rows(published: Published, finding: FindingRecord) -> tuple[tuple[reports.FindingRow, ...], int | None]:
    """What stands behind a finding of the day, and how many rows there are, also those that are not kept."""
    if not published.is_day or not published.has_table("diagnosis", "finding_rows"):
        return (), None
    records = read_records(
        published.connection,
        FindingRowRecord,
        published.business_date,
        f"and finding_id = '{finding.finding_id}' order by passed > 0, row_id, happened_at desc",
    )
    rows = tuple(_convert_row(published, each) for each in records)
    return rows, records[0].row_count if records else None


def _convert_row(published: Published, record: FindingRowRecord) -> reports.FindingRow:
    is_figure = record.kind == "figure"
    return reports.FindingRow(
        kind=record.kind,
        row_id=record.row_id,
        happened_at=_tell_time(published, record),
        facts=name_slice(record.facts),
        has_passed=None if is_figure else record.passed > 0,
        entered=record.entered if is_figure else None,
        passed=record.passed if is_figure else None,
    )


def _tell_time(published: Published, record: FindingRowRecord) -> str:
    """The shop's local time; of a figure its day."""
    if record.happened_at is None:
        return ""
    if record.kind == "figure":
        return record.happened_at.date().isoformat()
    return record.happened_at.replace(tzinfo=UTC).astimezone(published.settings.zone).strftime("%m-%d %H:%M:%S")


def _describe_status(published: Published, finding: FindingRecord, playbook: Playbook) -> str:
    """Why the finding is not confirmed; the gate's warnings as the report words them elsewhere."""
    if not finding.stated_reasons:
        return ""
    warnings = read_gate_warnings(published)
    return " ".join(_describe_status_reason(each, warnings, published, playbook) for each in finding.stated_reasons)


def _describe_status_reason(
    reason: StatedReason, warnings: Mapping[tuple[str, str], Message], published: Published, playbook: Playbook
) -> str:
    warning = warnings.get((str(reason.values.get("table")), str(reason.values.get("check"))))
    if reason.key in ("family_missing", "family_growing"):
        warning = Message(reason.key, {"family": str(reason.values["family"])})
    return (
        translate_message(warning, published.language)
        if warning
        else playbook.describe_reason(_name_promotion(published, reason))
    )


def name_slice(conditions: Mapping[str, str]) -> Slice:
    """The slice with its dimensions by the names that readers know."""
    return tuple((DIMENSION_WORDS.get(name, name), str(value)) for name, value in conditions.items())


def _name_slice(published: Published, conditions: Mapping[str, str]) -> Slice:
    """The slice for readers; of a platform's figures the platform, and the object by its name."""
    if not {"platform", "level"} <= conditions.keys():
        return name_slice(conditions)
    level, named = conditions["level"], conditions.get("object", "")
    if named:
        rows = published.rows(
            "select max_by(object_name, business_date) from marts.figures where platform = $platform "
            "and level = $level and object = $object and business_date <= $to_date",
            platform=conditions["platform"],
            level=level,
            object=named,
        )
        named = rows[0][0] or named
    told = {name: conditions[name] for name in ("platform", "shop") if conditions.get(name)}
    told |= {"parent": conditions["parent"]} if conditions.get("parent") else {}
    told |= {level: named} if named else {}
    return tuple(told.items()) + ((("device", conditions["device"]),) if conditions.get("device") else ())


def _convert_effect(finding: FindingRecord) -> reports.Estimate | None:
    if finding.effect is None:
        return None
    return reports.Estimate(finding.effect, finding.effect_low, finding.effect_high)


def _scale_amount(finding: FindingRecord, kept: float) -> reports.Estimate | None:
    """What refunds leave of the lost amount; None where no payment says how much."""
    if finding.lost_amount is None:
        return None
    low, high = (end * kept if end is not None else None for end in (finding.lost_amount_low, finding.lost_amount_high))
    return reports.Estimate(finding.lost_amount * kept, low, high)


def _read_parts(published: Published, finding: FindingRecord) -> tuple[float | None, float | None]:
    """The slice's parts of the change of its step's rate; known for slices of one dimension."""
    if len(finding.slice) != 1 or not published.is_day or not published.has_table("diagnosis", "contributions"):
        return None, None
    dimension, value = next(iter(finding.slice.items()))
    parts = dict(
        published.rows(
            "select part, contribution from diagnosis.contributions where business_date = $to_date "
            "and subject = 'rate' and cube = $cube and step = $step and dimension = $dimension and value = $value",
            cube=finding.cube,
            step=finding.step,
            dimension=dimension,
            value=value,
        )
    )
    return parts.get("mix"), parts.get("rate")


def _convert_evidence(evidence: EvidenceRecord, moved_on: date, playbook: Playbook) -> reports.Evidence:
    return reports.Evidence(
        key=evidence.kind,
        name=evidence.name,
        unit=_find_series_unit(evidence.name),
        today=evidence.today,
        usual=evidence.usual,
        since=evidence.since_date,
        is_before=evidence.since_date < moved_on,
        note=describe_data_check(evidence, playbook) if evidence.kind == "data_check" else evidence.note,
    )


def _find_series_unit(name: str) -> Unit:
    if name in METRICS:
        return Unit(METRICS[name].unit.value)
    return SERIES_UNITS.get(name, Unit.COUNT)


def _read_follow_ups(published: Published, playbook: Playbook) -> tuple[reports.FollowUp, ...]:
    """Findings of the days before, with what became of them; the finding itself stands on the day it was found."""
    rows = published.rows(
        "select follow_ups.finding_id, findings.stage, findings.fault_class, findings.slice, findings.since_date, "
        "follow_ups.state, follow_ups.lost_amount_so_far from diagnosis.follow_ups as follow_ups "
        "inner join diagnosis.findings as findings on findings.finding_id = follow_ups.finding_id "
        "and findings.business_date = follow_ups.found_date "
        "where follow_ups.business_date = $to_date order by follow_ups.lost_amount_so_far desc, findings.finding_id"
    )
    return tuple(
        reports.FollowUp(
            stage,
            kind,
            playbook.classes[kind].name,
            _name_slice(published, json.loads(text)),
            since,
            state,
            reports.Estimate(lost) if lost else None,
            finding_id,
            _convert_mark(published, finding_id),
        )
        for finding_id, stage, kind, text, since, state, lost in rows
    )


def _read_detectable_drops(published: Published) -> tuple[reports.VisibleDrop, ...]:
    """Of each stage, the smallest drop of a whole step that its traffic can show."""
    rows = published.rows(
        "select stage, min(smallest_visible_drop) from diagnosis.visible_drops "
        "where business_date = $to_date and dimension = $main and smallest_visible_drop < 1 group by stage",
        main=MAIN_SLICE,
    )
    drops = dict(rows)
    stages = ("traffic", "landing", "decision", "repurchase")
    return tuple(reports.VisibleDrop(stage, drops[stage]) for stage in stages if stage in drops)


def read_relevance(published: Published) -> tuple[reports.RelevanceCell, ...]:
    """Creative x landing page, as the diagnosis of the day judged the matches."""
    if not published.has_table("diagnosis", "relevance"):
        return ()
    rows = published.rows(
        "select creative, landing_page, sessions, interaction, judgement = 'bad_match' or interaction_low > 0 "
        "from diagnosis.relevance where business_date = $to_date and grain = 'creative' and judgement != 'too_thin' "
        "order by creative, landing_page"
    )
    return tuple(reports.RelevanceCell(*row) for row in rows)
