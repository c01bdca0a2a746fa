"""Findings as paragraphs of text, in the language of their reader."""

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from datetime import timedelta

from funnelscope.diagnosis.playbook import Playbook, load_playbook
from funnelscope.diagnosis.records import DetectableDropRecord, EvidenceRecord, FindingRecord, OtherMoveRecord
from funnelscope.diagnosis.stated_reasons import StatedReason
from funnelscope.diagnosis.stored_diagnosis import StoredDiagnosis
from funnelscope.messages.markdown import escape_lines
from funnelscope.messages.wording import load_words
from funnelscope.settings import Settings

_LOSSES = ("lost_amount", "lost_amount_low", "lost_amount_high", "lost_amount_net")


def narrate_diagnosis(diagnosis: StoredDiagnosis, settings: Settings, language: str) -> list[str]:
    """The day's diagnosis as paragraphs of plain text."""
    playbook = load_playbook(settings, language)
    day = diagnosis.day
    if day is None or day.state != "diagnosed":
        why = playbook.describe_reason(diagnosis.reason) if diagnosis.reason else ""
        return [playbook.sentences[diagnosis.state].format(date=diagnosis.business_date, why=why)]
    currency = load_words(language).amount("", settings.currency)
    findings = [
        _narrate_finding(finding, diagnosis.select_evidence(finding), currency, playbook)
        for finding in diagnosis.findings
    ]
    head = playbook.sentences["found" if findings else "nothing"].format(
        date=diagnosis.business_date,
        count=len(findings),
        days=diagnosis.baseline_days,
        comparison=playbook.describe_comparison(day.stated_comparison),
    )
    drops = diagnosis.detectable_drops
    moves = [_narrate_other_move(move, playbook) for move in diagnosis.other_moves]
    week = _narrate_week(diagnosis, currency, playbook)
    visible = [_narrate_detectable_drops(drops, playbook)] if drops else []
    return [head, *findings, *week, *moves, *visible]


def _narrate_week(diagnosis: StoredDiagnosis, currency: str, playbook: Playbook) -> list[str]:
    """What is wrong with the week that ends on the day, under a heading of its own; nothing without any."""
    found = diagnosis.week_findings
    if not found:
        return []
    head = playbook.sentences["week"].format(
        from_date=diagnosis.business_date - timedelta(days=6), to_date=diagnosis.business_date, count=len(found)
    )
    ranked = [replace(finding, rank=rank) for rank, finding in enumerate(found, start=1)]
    return [head, *(_narrate_finding(finding, (), currency, playbook) for finding in ranked)]


def _narrate_other_move(move: OtherMoveRecord, playbook: Playbook) -> str:
    """A gain, or a share that grew and so moved its step."""
    sentences = playbook.sentences
    slice_text = sentences["separator"].join(f"{name} {value}" for name, value in move.slice.items())
    values = {each.name: getattr(move, each.name) for each in fields(move)}
    return sentences[move.kind].format(**_keep_on_one_line(values | {"slice": slice_text or sentences["whole"]}))


def _narrate_detectable_drops(drops: Sequence[DetectableDropRecord], playbook: Playbook) -> str:
    """For each step the smallest detectable drop of the whole, and of slices by their share of the entries."""
    sentences = playbook.sentences
    steps: dict[str, dict[str, str]] = {}
    for each in drops:
        drop = each.smallest_visible_drop
        steps.setdefault(f"{each.cube}.{each.step}", {})[each.value] = "–" if drop >= 1 else f"{drop:.0%}"
    sizes = [size for size in next(iter(steps.values()), {}) if size != "all"]
    lines = [f"   {name}: {' / '.join(texts.values())}" for name, texts in steps.items()]
    return "\n".join([sentences["visible"].format(sizes=" / ".join([sentences["whole_step"], *sizes])), *lines])


def _narrate_finding(
    finding: FindingRecord, evidence: Sequence[EvidenceRecord], currency: str, playbook: Playbook
) -> str:
    sentences, fault = playbook.sentences, playbook.classes[finding.fault_class]
    values = {
        **{each.name: getattr(finding, each.name) for each in fields(finding)},
        **{each.name: 0.0 for each in fields(finding) if each.name in _LOSSES and getattr(finding, each.name) is None},
        "name": fault.name,
        "next_step": fault.next_step,
        "slice": playbook.name_slice(finding.slice),
        "status": playbook.statuses[finding.status],
        "currency": currency,
        "reason": playbook.describe_reasons(finding.stated_reasons),
    }
    values = _keep_on_one_line(values)
    if finding.status == "recovered":
        return sentences["recovered_finding"].format(**values)
    lines = [sentences[_choose_finding(finding)].format(**values)]
    if finding.stated_reasons:
        lines.append(sentences["reason"].format(**values))
    if finding.lost_orders:
        lines.append(sentences[_choose_loss(finding)].format(**values))
    if finding.is_overlapping:
        lines.append(sentences["overlapping"])
    lines.append(sentences["certainty" if finding.stability is not None else "certainty_of_figures"].format(**values))
    lines += [line for each in evidence if (line := _narrate_evidence(each, playbook))]
    lines.append(sentences["question"].format(question=playbook.questions[finding.stage]))
    lines.append(sentences["next_step"].format(**values))
    return "\n   ".join(lines)


def _choose_finding(finding: FindingRecord) -> str:
    """The sentence that says what is known of the move."""
    if finding.passed is None:
        return "finding_of_level"
    return "finding" if finding.entered is not None else "finding_of_total"


def _choose_loss(finding: FindingRecord) -> str:
    """The sentence that says what is known of the loss."""
    if finding.lost_amount is None:
        return "loss_of_orders"
    return "loss" if finding.lost_amount_net is not None else "loss_before_refunds"


def _narrate_evidence(evidence: EvidenceRecord, playbook: Playbook) -> str:
    """What moved; empty for a data check, which is the reason of the finding's status, and a series without a value."""
    values = _keep_on_one_line({each.name: getattr(evidence, each.name) for each in fields(evidence)})
    if evidence.kind == "series":
        return playbook.sentences["series"].format(**values) if evidence.today is not None else ""
    return playbook.sentences["note"].format(**values) if evidence.kind == "change_log" else ""


def describe_data_check(evidence: EvidenceRecord, playbook: Playbook) -> str:
    """What evidence of the kind `data_check` says; of a check of the gate, as the gate said it."""
    if evidence.today is None or evidence.name not in playbook.reasons:
        return evidence.note
    return playbook.describe_reason(StatedReason(evidence.name, {"today": evidence.today, "usual": evidence.usual}))


def write_diagnosis_markdown(diagnosis: StoredDiagnosis, settings: Settings) -> str:
    """The same as markdown for the UI, in the shop's language."""
    paragraphs = narrate_diagnosis(diagnosis, settings, settings.language)
    return "\n\n".join(escape_lines(paragraph).replace("\n   ", "\n- ") for paragraph in paragraphs)


def _keep_on_one_line(values: Mapping[str, object]) -> dict[str, object]:
    """The values of a sentence; a delivered name with a line break would look like a sentence of ours."""
    return {name: " ".join(value.split()) if isinstance(value, str) else value for name, value in values.items()}
