"""Names in the headers of exports, of which platforms change blanks, brackets and capitals."""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from functools import lru_cache

from funnelscope.events.schema import BLANKS

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


def match_pattern(pattern: str, name: str) -> re.Match[str] | None:
    """The match of the whole name with /pattern/."""
    return re.fullmatch(pattern[1:-1], unicodedata.normalize("NFKC", name.strip(BLANKS)), re.IGNORECASE)
