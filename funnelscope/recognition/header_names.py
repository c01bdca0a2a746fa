"""Names in the headers of exports, of which platforms change blanks, brackets and capitals."""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from functools import cache, lru_cache

import regex

from funnelscope.events.schema import BLANKS
from funnelscope.settings.patterns import Pattern

Alternatives = str | Sequence[str]


@lru_cache(maxsize=10_000)
def normalize_name(name: str) -> str:
    """The name without what differs between versions of a report: blanks, capitals, the width of brackets."""
    return re.sub(r"\s", "", unicodedata.normalize("NFKC", name.strip(BLANKS + "'\"`")).lower())


def list_alternatives(wanted: Alternatives) -> tuple[str, ...]:
    """One name or several of which one must be there, as several."""
    return (wanted,) if isinstance(wanted, str) else tuple(wanted)


def is_pattern(name: str) -> bool:
    """Whether a name is written as a regular expression: /Amount spent \\((\\w+)\\)/."""
    return len(name) > 2 and name.startswith("/") and name.endswith("/")


def find_name(wanted: Alternatives, header: Iterable[str]) -> str:
    """The name in the header that is meant: the first of the alternatives that is there; empty if none is."""
    names = list(header)
    by_normal = {normalize_name(name): name for name in reversed(names)}
    for one in list_alternatives(wanted):
        if is_pattern(one):
            found = next((name for name in names if match_pattern(one, name)), "")
        else:
            found = by_normal.get(normalize_name(one), "")
        if found:
            return found
    return ""


def match_pattern(pattern: str, name: str) -> "regex.Match[str] | None":
    """The match of the whole name with /pattern/. Raises PatternTooSlowError."""
    compiled = compile_pattern(pattern[1:-1], ignores_case=True)
    return compiled.match_whole(unicodedata.normalize("NFKC", name.strip(BLANKS)))


@cache
def compile_pattern(written: str, ignores_case: bool = False) -> Pattern:
    """The pattern of a layout, with one bound on its time for all files."""
    return Pattern(written, ignores_case)
