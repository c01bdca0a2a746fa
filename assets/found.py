"""What a check found, as values; the sentences around them stand in the words files, in every language."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import reports

Value = str | int | float
IN_THE_TABLES = "en"  # the language of quality.results and of whatever shows it as it is


@dataclass(frozen=True)
class Found:
    """`key` names a sentence in each of the sections `observed` and `expected` of the words, `values` fill both."""

    key: str
    values: Mapping[str, Value]

    @property
    def observed(self) -> reports.Message:
        """What was found."""
        return reports.Message(self.key, self.values, "observed")

    @property
    def expected(self) -> reports.Message:
        """What should have been."""
        return reports.Message(self.key, self.values, "expected")

    @property
    def observed_text(self) -> str:
        return reports.in_words(self.observed, IN_THE_TABLES)

    @property
    def expected_text(self) -> str:
        return reports.in_words(self.expected, IN_THE_TABLES)

    def as_json(self) -> str:
        return json.dumps({"key": self.key, "values": dict(self.values)}, ensure_ascii=False)


def found_of(record: Mapping[str, Any]) -> Found:
    """What a row of quality.results tells; of an older version, which has no `found`, the finished texts."""
    if record["found"]:
        return Found(**json.loads(record["found"]))
    return Found("as_told", {name: record[name] for name in ("observed", "expected")})
