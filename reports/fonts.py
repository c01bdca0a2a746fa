"""The only font of the report, and the check that it has every printed character."""

from functools import lru_cache
from importlib import resources
from pathlib import Path

FAMILY = "Noto Sans SC"
SPELLED_OUT = "[U+"  # prefix of the printed code point of a character that the font lacks


class MissingGlyphError(ValueError):
    """A text holds a character that the report's font cannot draw."""


def find_font_file() -> Path:
    """The path of the static regular face in the installed package."""
    return Path(str(resources.files("pylopdf_fonts_zh_cn") / "NotoSansSC-Regular.otf"))


@lru_cache
def read_drawable_characters() -> frozenset[str]:
    """Every character for which the font has a glyph."""
    from fontTools.ttLib import TTFont  # type: ignore[import-untyped]

    with TTFont(find_font_file(), lazy=True) as font:
        return frozenset(map(chr, font.getBestCmap()))


def require_glyphs(text: str, where: str) -> None:
    """Raises MissingGlyphError, naming the characters and `where` they are, if the font lacks any of `text`."""
    missing = sorted(set(text) - read_drawable_characters())
    if missing:
        named = ", ".join(f"U+{ord(character):04X}" for character in missing)
        raise MissingGlyphError(f"{where}: {FAMILY} has no glyph for {named} in {text!r}; choose other words")


def spell_out(text: str) -> str:
    """`text` from the shop's data, with each character that the font lacks as its code point, such as "[U+1F525]".

    A campaign with an emoji in its name must neither stop the morning report nor be printed as a box.
    """
    characters = read_drawable_characters()
    if characters.issuperset(text):
        return text
    return "".join(
        character if character in characters else f"{SPELLED_OUT}{ord(character):04X}]" for character in text
    )
