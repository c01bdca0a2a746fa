"""Results of checks as a key and values. The words files hold the sentences for every language."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from funnelscope.messages.message_types import Message
from funnelscope.messages.wording import translate_message

Value = str | int | float
MOST_CHARACTERS_OF_A_VALUE = 4_000  # a delivery may have names and values without end
TABLE_LANGUAGE = "en"  # the language of the texts stored in `quality`


class LocalizedMessage(str):
    """A sentence of the section `told` in the words files.

    As a string it is the sentence in `TABLE_LANGUAGE`. `record` holds key and values, from which any language can be
    built. Values may be messages themselves, or lists of messages.
    """

    record: dict[str, Any]

    def __new__(
        cls, key: str, /, **values: "Value | LocalizedMessage | Sequence[LocalizedMessage]"
    ) -> "LocalizedMessage":
        record = {"key": key, "values": {name: _build_record(value) for name, value in values.items()}}
        message = super().__new__(cls, translate_message(_build_message(record), TABLE_LANGUAGE))
        message.record = record
        return message

    def say_in(self, language: str) -> str:
        """The sentence in a language."""
        return translate_message(_build_message(self.record), language)


def format_messages_as_json(messages: Sequence[LocalizedMessage]) -> str:
    """JSON array of key and values of each message."""
    return json.dumps([each.record for each in messages], ensure_ascii=False)


def _build_record(value: Any) -> Any:
    if type(value) is str and len(value) > MOST_CHARACTERS_OF_A_VALUE:
        return f"{value[:MOST_CHARACTERS_OF_A_VALUE]}…"
    if isinstance(value, LocalizedMessage):
        return value.record
    return [each.record for each in value] if isinstance(value, Sequence) and not isinstance(value, str) else value


def _build_message(record: Mapping[str, Any]) -> Message:
    values = {name: _resolve_messages(value) for name, value in record["values"].items()}
    return Message(record["key"], values, "told")


def _resolve_messages(value: Any) -> Any:
    if isinstance(value, Mapping):
        return _build_message(value)
    return tuple(map(_build_message, value)) if isinstance(value, list) else value


@dataclass(frozen=True)
class CheckObservation:
    """What a check observed and expected, as a key and values.

    `key` names a sentence in the sections `observed` and `expected` of the words files. `values` fill both sentences. A
    value that is a list of records becomes a list of sentences of the section `told`. `others` are the values of
    further violations that expect the same: each is observed in a sentence of its own.
    """

    key: str
    values: Mapping[str, Any]
    others: Sequence[Mapping[str, Any]] = ()

    @property
    def observed(self) -> Message:
        """The sentence that says what the check observed."""
        if not self.others:
            return self._build_message("observed", self.values)
        every = tuple(self._build_message("observed", values) for values in (self.values, *self.others))
        return Message("several", {"every": every}, "observed")

    @property
    def expected(self) -> Message:
        """The sentence that says what the check expected."""
        return self._build_message("expected", self.values)

    def _build_message(self, section: str, values: Mapping[str, Any]) -> Message:
        return Message(self.key, {name: _resolve_messages(value) for name, value in values.items()}, section)

    @property
    def observed_text(self) -> str:
        """What the check observed, in the language of the tables."""
        return translate_message(self.observed, TABLE_LANGUAGE)

    @property
    def expected_text(self) -> str:
        """What the check expected, in the language of the tables."""
        return translate_message(self.expected, TABLE_LANGUAGE)

    def format_json(self) -> str:
        """Key and values as JSON, as quality.results stores them."""
        record: dict[str, Any] = {"key": self.key, "values": dict(self.values)}
        if self.others:
            record["others"] = [dict(values) for values in self.others]
        return json.dumps(record, ensure_ascii=False)


def read_observation(record: Mapping[str, Any]) -> CheckObservation:
    """The observation in a row of quality.results.

    Rows of older versions have no `found`: their finished texts are used.
    """
    if record["found"]:
        return CheckObservation(**json.loads(record["found"]))
    return CheckObservation("as_told", {name: record[name] for name in ("observed", "expected")})
