"""Findings in words, from playbook.zh.yaml and playbook.en.yaml, which a shop may extend."""

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from funnelscope.diagnosis.comparable_days import BASELINE_DAYS, PromotionDay
from funnelscope.diagnosis.stored_diagnosis import StoredDiagnosis
from funnelscope.settings import Settings, SettingsError

_FOLDER = Path(__file__).parents[1] / "messages"
_MARKDOWN = re.compile(r"[\\`*_\[\]<>()#!|~$&:]")


@cache
def _own_words(language: str) -> dict[str, Any]:
    words: dict[str, Any] = yaml.safe_load((_FOLDER / f"playbook.{language}.yaml").read_text(encoding="utf-8"))
    return words


def load_playbook(settings: Settings, language: str) -> dict[str, Any]:
    """The words of the language: `classes` (name, next_step), `questions` by stage, and `sentences`.

    The file that `playbook` of the settings names replaces texts of `classes` and `questions`, by language.

    Raises:
        SettingsError: that file cannot be read, or names a key that does not exist.
    """
    words = _own_words(language)
    if settings.playbook is None:
        return words
    try:
        given = yaml.safe_load(settings.playbook.read_text(encoding="utf-8")) or {}
    except (OSError, yaml.YAMLError) as problem:
        raise SettingsError(f"{settings.playbook}: the playbook cannot be read: {problem}") from None
    merged = {section: dict(texts) for section, texts in words.items()}
    for section, texts in (given.get(language) or {}).items():
        for key, text in texts.items():
            if section not in ("classes", "questions") or key not in merged[section]:
                accepted = f"classes: {', '.join(words['classes'])}; questions: {', '.join(words['questions'])}"
                raise SettingsError(f"{settings.playbook}: {language}.{section}.{key} is unknown; accepted: {accepted}")
            merged[section][key] = {**merged[section][key], **text} if isinstance(text, dict) else text
    return merged


def reason_in_words(diagnosis: StoredDiagnosis, words: Mapping[str, Any]) -> str:
    """Why the day was not diagnosed, in the playbook's language; an error as it was told."""
    if diagnosis.state not in words["reasons"]:
        return diagnosis.why
    compared = comparison_in_words(diagnosis.comparison, words)
    missing = BASELINE_DAYS - diagnosis.baseline_days
    values = {"days": diagnosis.baseline_days, "missing": missing, "comparison": compared}
    return str(words["reasons"][diagnosis.state].format(**values))


def comparison_in_words(comparison: str, words: Mapping[str, Any]) -> str:
    """What the day is compared with, as `diagnosis.days` names it: regular days, or a day of a promotion's phase."""
    promotion = PromotionDay.parse(comparison)
    if promotion is None:
        return str(words["comparisons"]["regular"])
    name, phase, number = promotion
    return str(words["comparisons"]["promotion"].format(name=name, phase=phase, number=number))


def status_reason_in_words(finding: Mapping[str, Any], words: Mapping[str, Any]) -> str:
    """Why a finding is not confirmed, in the playbook's language; a warning of the gate as the gate told it."""
    for row in finding["evidence"]:
        if row["kind"] == "data_check":
            return data_check_in_words(row, words)
    return finding["status_reason"] or ""


def data_check_in_words(row: Mapping[str, Any], words: Mapping[str, Any]) -> str:
    """What a row of evidence of the kind `data_check` says."""
    sentence = words["reasons"].get(row["name"])
    return str(sentence.format(**row) if sentence and row["today"] is not None else row["note"])


def narrate_diagnosis(diagnosis: StoredDiagnosis, settings: Settings, language: str) -> list[str]:
    """The day's diagnosis as paragraphs of plain text."""
    words = load_playbook(settings, language)
    sentences = words["sentences"]
    if diagnosis.state != "diagnosed":
        return [sentences[diagnosis.state].format(date=diagnosis.business_date, why=reason_in_words(diagnosis, words))]
    findings = [_finding_in_words(finding, settings, words) for finding in diagnosis.findings]
    head = sentences["found" if findings else "nothing"].format(
        date=diagnosis.business_date,
        count=len(findings),
        days=diagnosis.baseline_days,
        comparison=comparison_in_words(diagnosis.comparison, words),
    )
    return [head, *findings, _visible_in_words(diagnosis, sentences)]


def _visible_in_words(diagnosis: StoredDiagnosis, sentences: Mapping[str, str]) -> str:
    """For each step the smallest visible drop of the whole, and of slices by their share of the entries."""
    steps: dict[str, dict[str, str]] = {}
    for row in diagnosis.visible_drops:
        drop = row["smallest_visible_drop"]
        steps.setdefault(f"{row['cube']}.{row['step']}", {})[row["value"]] = "–" if drop >= 1 else f"{drop:.0%}"
    sizes = [size for size in next(iter(steps.values()), {}) if size != "all"]
    lines = [f"   {name}: {' / '.join(drops.values())}" for name, drops in steps.items()]
    return "\n".join([sentences["visible"].format(sizes=" / ".join([sentences["whole_step"], *sizes])), *lines])


def _finding_in_words(finding: Mapping[str, Any], settings: Settings, words: Mapping[str, Any]) -> str:
    sentences, kind = words["sentences"], words["classes"][finding["fault_class"]]
    slice_text = sentences["separator"].join(f"{name} {value}" for name, value in finding["slice"].items())
    values = {
        **finding,
        "name": kind["name"],
        "slice": slice_text or sentences["whole"],
        "status": words["statuses"][finding["status"]],
        "currency": settings.currency,
        "reason": status_reason_in_words(finding, words),
    }
    if finding["status"] == "recovered":
        return sentences["recovered_finding"].format(**values)
    lines = [sentences["finding"].format(**values)]
    if finding["status_reason"]:
        lines.append(sentences["reason"].format(**values))
    if finding["lost_orders"]:
        lines.append(sentences["loss"].format(**values))
    lines.append(sentences["certainty"].format(**values))
    for row in finding["evidence"]:
        if row["kind"] == "data_check":
            continue  # it is the reason above
        sentence = sentences["series" if row["kind"] == "series" else "note"]
        lines.append(sentence.format(**row) if row["today"] is not None or row["kind"] != "series" else "")
    lines.append(sentences["question"].format(question=words["questions"][finding["stage"]]))
    lines.append(sentences["next_step"].format(next_step=kind["next_step"], **_addressee(finding)))
    return "\n".join(f"{'' if number == 0 else '   '}{line}" for number, line in enumerate(lines) if line)


def _addressee(finding: Mapping[str, Any]) -> dict[str, Any]:
    return {key: finding[key] for key in ("object_kind", "object_name", "owner")}


def write_diagnosis_markdown(diagnosis: StoredDiagnosis, settings: Settings) -> str:
    """The same for the UI, in the shop's language."""
    paragraphs = narrate_diagnosis(diagnosis, settings, settings.language)
    return "\n\n".join(escape_markdown(paragraph).replace("\n   ", "\n- ") for paragraph in paragraphs)


def escape_markdown(text: str) -> str:
    """The text such that markdown shows it as it is: a campaign's name is neither a picture nor a link."""
    return _MARKDOWN.sub(r"\\\g<0>", text)
