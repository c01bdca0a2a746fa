"""Delivered text within Markdown, which Dagster's UI draws: names of products, campaigns, agents, files."""

import re

_SIGNS = re.compile(r"[\\`*_\[\]<>()#!|~$&:]")
# The UI makes links of addresses even where their signs are escaped. A character without width keeps it from that.
_ADDRESSES = re.compile(r"(?<=:)(?=//)|(?<=www)(?=\.)|(?<=@)(?=\w)", re.IGNORECASE)
_WORD_JOINER = "\u2060"


def escape_markdown(text: str) -> str:
    """The text on one line, such that Markdown shows it as it is: a name is no picture, link, cell, list or heading."""
    return escape_lines(" ".join(text.split()))


def escape_lines(text: str) -> str:
    """The same with its lines kept, for text of ours whose values are on one line each."""
    return _SIGNS.sub(r"\\\g<0>", _ADDRESSES.sub(_WORD_JOINER, text))


def fence_code(code: str, language: str) -> str:
    """The code as a block that no line of it can end."""
    longest = max((len(ticks) for ticks in re.findall("`+", code)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{code}\n{fence}"
