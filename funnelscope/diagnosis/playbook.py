"""What the diagnosis says, in the language of its reader: funnelscope/messages/playbook.<language>.yaml."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import yaml

from funnelscope.diagnosis.stated_reasons import StatedReason
from funnelscope.messages.wording import load_words
from funnelscope.settings import Settings, SettingsError

_FOLDER = Path(__file__).parents[1] / "messages"
_LANGUAGE_OF_TABLES = "en"


@dataclass(frozen=True)
class FaultText:
    """What a class of fault is called, and what to do about it."""

    name: str
    next_step: str


@dataclass(frozen=True)
class Playbook:
    """The texts of one language by section and key; `questions` by stage, `classes` by class of fault."""

    language: str
    questions: Mapping[str, str]
    statuses: Mapping[str, str]
    classes: Mapping[str, FaultText]
    comparisons: Mapping[str, str]
    reasons: Mapping[str, str]
    sentences: Mapping[str, str]

    def describe_reason(self, reason: StatedReason) -> str:
        """Why a day is not diagnosed, or a finding not confirmed."""
        return self.reasons[reason.key].format(**reason.values)

    def describe_reasons(self, reasons: Iterable[StatedReason]) -> str:
        """The reasons one after the other; empty without any."""
        return self.sentences["reason_separator"].join(map(self.describe_reason, reasons))

    def name_slice(self, slice_: Mapping[str, str]) -> str:
        """A slice in words; the whole step where it has no conditions."""
        return load_words(self.language).format_slice(tuple(slice_.items())) if slice_ else self.sentences["whole"]

    def describe_comparison(self, comparison: StatedReason | None) -> str:
        """What a day is compared with; empty where that is not known."""
        return self.comparisons[comparison.key].format(**comparison.values) if comparison else ""


@cache
def read_own_playbook(language: str) -> Playbook:
    """The texts as they come with the program."""
    sections = yaml.safe_load((_FOLDER / f"playbook.{language}.yaml").read_text(encoding="utf-8"))
    classes = {name: FaultText(**texts) for name, texts in sections.pop("classes").items()}
    return Playbook(language, classes=classes, **sections)


def get_table_playbook() -> Playbook:
    """The texts that stand in the tables, for whoever reads them with SQL."""
    return read_own_playbook(_LANGUAGE_OF_TABLES)


def load_playbook(settings: Settings, language: str) -> Playbook:
    """The texts of the language.

    The file that `playbook` of the settings names replaces texts of `classes` and `questions`, by language.

    Raises:
        SettingsError: that file cannot be read, or names a key that does not exist.
    """
    own = read_own_playbook(language)
    if settings.playbook is None:
        return own
    try:
        given = yaml.safe_load(settings.playbook.read_text(encoding="utf-8")) or {}
    except (OSError, yaml.YAMLError) as problem:
        raise SettingsError(f"{settings.playbook}: the playbook cannot be read: {problem}") from None
    classes, questions = dict(own.classes), dict(own.questions)
    accepted = {"classes": own.classes, "questions": own.questions}
    for section, texts in (given.get(language) or {}).items():
        for key, text in texts.items():
            if key not in accepted.get(section, {}):
                known = f"classes: {', '.join(classes)}; questions: {', '.join(questions)}"
                raise SettingsError(f"{settings.playbook}: {language}.{section}.{key} is unknown; accepted: {known}")
            if section == "classes":
                classes[key] = replace(classes[key], **text)
            else:
                questions[key] = text
    return replace(own, classes=classes, questions=questions)
