"""Detects from the first bytes of a text file that it is not text, or which encoding it has.

Only a byte-order mark decides the encoding. Everything else serves to refuse a file that would be misread without an
error, and to suggest an encoding to people. No file is read by guess.
"""

import codecs
from contextlib import suppress

SAMPLE_BYTES = 65_536

BYTE_ORDER_MARKS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}

OTHER_FORMATS = {  # first bytes to the key of the message about such a file
    b"PK\x03\x04": "zip_archive",
    b"\xd0\xcf\x11\xe0": "old_workbook",
    b"\x1f\x8b": "gzip",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"PAR1": "parquet",
    b"%PDF": "pdf",
    b"<!doctype": "web_page",
    b"<html": "html",
    b"<table": "html_table",
    **dict.fromkeys((b"<head", b"<meta", b"<style", b"<!--"), "html"),
    b"<?xml": "xml",
}
TAR_MARK, TAR_MARK_PLACE = b"ustar", 257

# This many characters that only UTF-8 yields are not a coincidence.
CERTAIN_CHARACTERS = 4


def detect_other_format(start: bytes) -> str:
    """The key of the message about bytes that are not text; empty if they may be text."""
    if start[TAR_MARK_PLACE:].startswith(TAR_MARK):
        return "tar_archive"
    begun = start.removeprefix(codecs.BOM_UTF8).lstrip().lower()
    found = next((key for mark, key in OTHER_FORMATS.items() if begun.startswith(mark.lower())), "")
    return "html" if found == "web_page" and b"<table" in begun and b"password" not in begun else found


def detect_marked_encoding(start: bytes) -> str:
    """The encoding that a byte-order mark declares; empty without one."""
    return next((encoding for mark, encoding in BYTE_ORDER_MARKS.items() if start.startswith(mark)), "")


def guess_encoding(start: bytes) -> str:
    """The likely encoding of bytes without a mark, by its Python name; empty for plain ASCII or if unsure."""
    if wide := _detect_utf_16(start):
        return wide
    if start.isascii():
        return ""
    if _decode(start, "utf-8"):
        return "utf-8"
    chinese, western = _decode(start, "gb18030"), _decode(start, "cp1252")
    if chinese and (not western or _is_mostly_common_chinese(chinese)):
        return "gb18030"
    return "windows-1252" if western and _is_mostly_letters(western) else ""


def is_encoded_twice(start: bytes) -> bool:
    """Whether UTF-8 was decoded as a Western encoding and encoded again, so that an accent takes two or three signs."""
    text = _decode(start, "utf-8")
    for western in ("latin-1", "cp1252"):
        with suppress(UnicodeEncodeError):
            inner = _decode(text.encode(western), "utf-8")
            return sum(not character.isascii() for character in inner) >= CERTAIN_CHARACTERS
    return False


def detect_misread_encoding(start: bytes, declared: str) -> str:
    """The certain encoding of the bytes, if reading them as `declared` would give nonsense without an error."""
    wide = _detect_utf_16(start)
    if wide and not declared.startswith("utf-16"):
        return wide
    if declared.startswith("utf"):
        return ""
    # Two-byte sequences below U+0800 may also be Chinese characters.
    first = "\u0800" if _has_chinese(declared) else "\x80"
    return "utf-8" if sum(character >= first for character in _decode(start, "utf-8")) >= CERTAIN_CHARACTERS else ""


def _detect_utf_16(start: bytes) -> str:
    """UTF-16 if every other byte is mostly zero, as in text of delimiters, digits and names."""
    even, odd = start[::2].count(0), start[1::2].count(0)
    if even + odd < len(start) / 10:
        return ""
    if odd > 9 * even:
        return "utf-16-le"
    return "utf-16-be" if even > 9 * odd else ""


def _decode(start: bytes, encoding: str) -> str:
    """The text, if the bytes are valid in the encoding, except for a last character cut by the sample; else empty."""
    with suppress(UnicodeDecodeError):
        return codecs.getincrementaldecoder(encoding)().decode(start)
    return ""


def _is_mostly_common_chinese(text: str) -> bool:
    """Western text that happens to be valid GB 18030 decodes to rare characters, outside GB 2312 of 1980."""
    beyond_ascii = [character for character in text if not character.isascii()]
    common = [character for character in beyond_ascii if character.encode("gb2312", "ignore")]
    return len(common) > len(beyond_ascii) / 2


def _is_mostly_letters(text: str) -> bool:
    beyond_ascii = [character for character in text if not character.isascii()]
    return sum(character.isalpha() for character in beyond_ascii) > len(beyond_ascii) / 2


def _has_chinese(encoding: str) -> bool:
    return bool("中".encode(encoding, "ignore"))
