"""The one font of the report, and the promise that it has every character that is printed."""

from functools import lru_cache
from importlib import resources
from pathlib import Path

FAMILY = "Noto Sans SC"
SPELLED_OUT = "[U+"  # how a character that the font lacks begins on the page


class MissingGlyphError(ValueError):
    """A text holds a character that the report's font cannot draw."""


def find_font_file() -> Path:
    """The static regular face, as installed with its package."""
    return Path(str(resources.files("pylopdf_fonts_zh_cn") / "NotoSansSC-Regular.otf"))


@lru_cache
def read_drawable_characters() -> frozenset[str]:
    """Every character that the font has a glyph for."""
    from fontTools.ttLib import TTFont  # type: ignore[import-untyped]

    with TTFont(find_font_file(), lazy=True) as font:
        return frozenset(map(chr, font.getBestCmap()))


def require_glyphs(text: str, where: str) -> None:
    """Raise MissingGlyphError, naming the characters and `where` they stand, if the font lacks any of `text`."""
    missing = sorted(set(text) - read_drawable_characters())
    if missing:
        named = ", ".join(f"U+{ord(character):04X}" for character in missing)
        raise MissingGlyphError(f"{where}: {FAMILY} has no glyph for {named} in {text!r}; choose other words")


def spell_out(text: str) -> str:
    """`text` from the shop's data with each character that the font lacks written as its code point, "[U+1F525]".

    A campaign named with an emoji must not cost the shop its morning report, and must not be printed as a box.
    """
    characters = read_drawable_characters()
    return "".join(
        character if character in characters else f"{SPELLED_OUT}{ord(character):04X}]" for character in text
    )
