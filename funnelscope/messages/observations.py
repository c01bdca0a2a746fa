"""What was found, as values; the sentences around them stand in the words files, in every language."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from funnelscope.messages.values import Message
from funnelscope.messages.wording import in_words

Value = str | int | float
IN_THE_TABLES = "en"  # the language of the tables in `quality` and of whatever shows them as they are


class Told(str):
    """A sentence of the words' section `told`: as text that of the tables, as a record that of every language.

    Values may be sentences themselves, or lists of such.
    """

    record: dict[str, Any]

    def __new__(cls, key: str, /, **values: "Value | Told | Sequence[Told]") -> "Told":
        record = {"key": key, "values": {name: _record_of(value) for name, value in values.items()}}
        told = super().__new__(cls, in_words(_message_of(record), IN_THE_TABLES))
        told.record = record
        return told


def told_as_json(told: Sequence[Told]) -> str:
    return json.dumps([each.record for each in told], ensure_ascii=False)


def _record_of(value: Any) -> Any:
    if isinstance(value, Told):
        return value.record
    return [each.record for each in value] if isinstance(value, Sequence) and not isinstance(value, str) else value


def _message_of(record: Mapping[str, Any]) -> Message:
    values = {name: _with_messages(value) for name, value in record["values"].items()}
    return Message(record["key"], values, "told")


def _with_messages(value: Any) -> Any:
    if isinstance(value, Mapping):
        return _message_of(value)
    return tuple(map(_message_of, value)) if isinstance(value, list) else value


@dataclass(frozen=True)
class Found:
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
        values = {name: _with_messages(value) for name, value in self.values.items()}
        return Message(self.key, values, section)

    @property
    def observed_text(self) -> str:
        return in_words(self.observed, IN_THE_TABLES)

    @property
    def expected_text(self) -> str:
        return in_words(self.expected, IN_THE_TABLES)

    def as_json(self) -> str:
        return json.dumps({"key": self.key, "values": dict(self.values)}, ensure_ascii=False)


def found_of(record: Mapping[str, Any]) -> Found:
    """What a row of quality.results tells; of an older version, which has no `found`, the finished texts."""
    if record["found"]:
        return Found(**json.loads(record["found"]))
    return Found("as_told", {name: record[name] for name in ("observed", "expected")})
