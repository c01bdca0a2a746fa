"""JSON that is not one object a line: a list of records, on its own or within an object, over any number of lines.

A file holds one value after the other. The records are the elements of one of its lists, named by the keys that lead to
it, or the values themselves (and the elements of lists among them), named `$`. Only one record is in memory at a time,
and lists are not sought within records.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NoReturn, Protocol

TOP = "$"
SHOWN_OF_A_KEY = 100
CHUNK_CHARACTERS = 1_000_000
NAMES_FROM_RECORDS = 100
DEEPEST_LIST = 6  # keys
_NUMBER = re.compile(r"[-+.\dA-Za-z]+")  # or a word
_BLANKS = re.compile(r"[ \t\n\r]*")


class Text(Protocol):
    """A text that is read piece by piece."""

    def read(self, size: int = -1, /) -> str:
        """The next characters; empty at the end."""
        ...


class JsonError(ValueError):
    """A text is not JSON. `line` is the line, from 1."""

    def __init__(self, message: str, line: int) -> None:
        super().__init__(message)
        self.line = line


@dataclass(frozen=True)
class JsonRecord:
    """A record as it stands in the text. `problem` says why its value is not to be used."""

    value: Any
    text: str
    problem: str = ""


@dataclass
class JsonList:
    """A list of a file: how many elements it has in all, and the names that its first records have."""

    count: int = 0
    names: set[str] = field(default_factory=set)

    def note(self, value: Any) -> None:
        """Takes one more element into account."""
        self.count += 1
        if isinstance(value, dict) and self.count <= NAMES_FROM_RECORDS:
            self.names.update(value)


def build_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object. It must not repeat a key: it would be unclear which value is meant."""
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        seen: set[str] = set()
        repeated = next(name for name in names if name in seen or seen.add(name))  # type: ignore[func-returns-value]
        raise ValueError(f"key {repeated[:SHOWN_OF_A_KEY]!r} appears twice")
    return found


# Numbers stay as they are written: 1.10 must give the same event as in a CSV file.
DECODER = json.JSONDecoder(parse_int=str, parse_float=str, parse_constant=str, object_pairs_hook=build_object)
_LENIENT = json.JSONDecoder(parse_int=str, parse_float=str, parse_constant=str)


def find_lists(text: Text, longest: int) -> dict[str, JsonList]:
    """The lists of a text by name. The values themselves count as the list `$`.

    Args:
        longest: the length of the longest value that is read.

    Raises:
        JsonError: the text is no JSON, or a value is longer.
    """
    found: dict[str, JsonList] = {}
    reader = _Reader(text, longest)
    while reader.peek():
        _find_lists_below(reader, "", found)
    return found


def read_records(text: Text, wanted: str, longest: int) -> Iterator[JsonRecord]:
    """The records of the list of this name, as `find_lists` gives it. Raises as that does."""
    reader = _Reader(text, longest)
    while start := reader.peek():
        if wanted != TOP:
            yield from _read_below(reader, "", wanted)
        elif start == "[":
            yield from reader.read_elements()
        else:
            yield reader.read_value()


def _find_lists_below(reader: "_Reader", name: str, found: dict[str, JsonList]) -> None:
    start = reader.peek()
    if start == "[":
        of_list = found.setdefault(name or TOP, JsonList())
        for record in reader.read_elements():
            of_list.note(record.value)
    elif start == "{" and name.count(".") < DEEPEST_LIST:
        keys: dict[str, None] = {}
        for key in reader.read_keys():
            keys[key] = None
            _find_lists_below(reader, f"{name}.{key}" if name else key, found)
        if not name:
            found.setdefault(TOP, JsonList()).note(keys)
    else:
        value = reader.read_value().value
        if not name:
            found.setdefault(TOP, JsonList()).note(value)


def _read_below(reader: "_Reader", name: str, wanted: str) -> Iterator[JsonRecord]:
    start = reader.peek()
    if start == "[" and name == wanted:
        yield from reader.read_elements()
    elif start == "[":
        for _ in reader.read_elements():
            pass
    elif start == "{" and (not name or wanted.startswith(f"{name}.")):
        for key in reader.read_keys():
            yield from _read_below(reader, f"{name}.{key}" if name else key, wanted)
    else:
        reader.read_value()


class _Reader:
    """Reads JSON piece by piece. What is asked for must be there, else JsonError."""

    def __init__(self, text: Text, longest: int) -> None:
        self.text = text
        self.longest = longest
        self.buffer = ""
        self.position = 0
        self.lines_before = 0  # of the buffer

    def peek(self) -> str:
        """The next character that is no blank; empty at the end."""
        while True:
            blanks = _BLANKS.match(self.buffer, self.position)
            self.position = blanks.end() if blanks else self.position
            if self.position < len(self.buffer):
                return self.buffer[self.position]
            if not self._read_more():
                return ""

    def read_value(self) -> JsonRecord:
        """The next value, whatever it is."""
        self.peek()
        while True:
            try:
                value, end, problem = self._decode()
            except json.JSONDecodeError as error:
                if self._read_more():
                    continue
                self._fail(error.msg, error.pos)
            except RecursionError:
                self._fail("nested too deeply", self.position)
            number = _NUMBER.match(self.buffer, self.position)  # which may go on
            if (number.end() if number else end) < len(self.buffer) or not self._read_more():
                break
        text = self.buffer[self.position : end]
        self.position = end
        return JsonRecord(value, text, problem)

    def read_elements(self) -> Iterator[JsonRecord]:
        """The elements of the list that begins here."""
        self._take("[")
        ending = self._take("]") if self.peek() == "]" else ","
        while ending == ",":
            yield self.read_value()
            ending = self._take(",", "]")

    def read_keys(self) -> Iterator[str]:
        """The keys of the object that begins here. The value of each must be read before the next is asked for."""
        self._take("{")
        ending = self._take("}") if self.peek() == "}" else ","
        while ending == ",":
            if self.peek() != '"':
                self._fail("Expecting property name enclosed in double quotes", self.position)
            key = self.read_value().value
            self._take(":")
            yield key
            ending = self._take(",", "}")

    def _decode(self) -> tuple[Any, int, str]:
        try:
            return *DECODER.raw_decode(self.buffer, self.position), ""
        except json.JSONDecodeError:
            raise
        except ValueError as error:  # the object is whole, and repeats a key
            return *_LENIENT.raw_decode(self.buffer, self.position), str(error)

    def _take(self, *expected: str) -> str:
        found = self.peek()
        if found not in expected:
            self._fail(f"Expecting {' or '.join(map(repr, expected))}", self.position)
        self.position += 1
        return found

    def _read_more(self) -> bool:
        """Reads on, twice as much as is waiting. False at the end."""
        waiting = self.buffer[self.position :]
        if len(waiting) > self.longest:
            self._fail(f"a value above {self.longest >> 20} MB", self.position)
        more = self.text.read(max(CHUNK_CHARACTERS, len(waiting)))
        if more:
            self.lines_before += self.buffer.count("\n", 0, self.position)
            self.buffer, self.position = waiting + more, 0
        return bool(more)

    def _fail(self, message: str, position: int) -> NoReturn:
        raise JsonError(message, self.lines_before + self.buffer.count("\n", 0, position) + 1)
