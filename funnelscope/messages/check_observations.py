"""What was found, as values; the sentences around them stand in the words files, in every language."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from funnelscope.messages.message_types import Message
from funnelscope.messages.wording import translate_message

Value = str | int | float
TABLE_LANGUAGE = "en"  # the language of the tables in `quality` and of whatever shows them as they are


class LocalizedMessage(str):
    """A sentence of the words' section `told`: as text that of the tables, as a record that of every language.

    Values may be sentences themselves, or lists of such.
    """

    record: dict[str, Any]

    def __new__(
        cls, key: str, /, **values: "Value | LocalizedMessage | Sequence[LocalizedMessage]"
    ) -> "LocalizedMessage":
        record = {"key": key, "values": {name: _build_record(value) for name, value in values.items()}}
        told = super().__new__(cls, translate_message(_build_message(record), TABLE_LANGUAGE))
        told.record = record
        return told


def format_messages_as_json(told: Sequence[LocalizedMessage]) -> str:
    return json.dumps([each.record for each in told], ensure_ascii=False)


def _build_record(value: Any) -> Any:
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
    """`key` names a sentence in each of the sections `observed` and `expected` of the words, `values` fill both.

    A value that is a list of records is a list of sentences of `told`.
    """

    key: str
    values: Mapping[str, Any]

    @property
    def observed(self) -> Message:
        """What was found."""
        return self._message("observed")

    @property
    def expected(self) -> Message:
        """What should have been."""
        return self._message("expected")

    def _message(self, section: str) -> Message:
        values = {name: _resolve_messages(value) for name, value in self.values.items()}
        return Message(self.key, values, section)

    @property
    def observed_text(self) -> str:
        return translate_message(self.observed, TABLE_LANGUAGE)

    @property
    def expected_text(self) -> str:
        return translate_message(self.expected, TABLE_LANGUAGE)

    def format_json(self) -> str:
        return json.dumps({"key": self.key, "values": dict(self.values)}, ensure_ascii=False)


def read_observation(record: Mapping[str, Any]) -> CheckObservation:
    """What a row of quality.results tells; of an older version, which has no `found`, the finished texts."""
    if record["found"]:
        return CheckObservation(**json.loads(record["found"]))
    return CheckObservation("as_told", {name: record[name] for name in ("observed", "expected")})
