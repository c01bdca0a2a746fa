"""What the first bytes of a text file say about it: that it is no text at all, or of which encoding it must be.

Only a byte-order mark decides anything. All else is used to refuse a file that would be misread without an error, and
to tell people what it looks like; nothing is ever read by guess.
"""

import codecs
from contextlib import suppress

SAMPLE_BYTES = 65_536

BYTE_ORDER_MARKS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}

OTHER_FORMATS = {  # first bytes to the key of what is told of such a file
    b"PK\x03\x04": "zip_archive",
    b"\xd0\xcf\x11\xe0": "old_workbook",
    b"\x1f\x8b": "gzip",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"PAR1": "parquet",
    b"%PDF": "pdf",
    b"<!doctype": "web_page",
    b"<html": "html",
    b"<table": "html_table",
    b"<?xml": "xml",
}
TAR_MARK, TAR_MARK_PLACE = b"ustar", 257

# So many characters that only UTF-8 would yield are no accident.
CERTAIN_CHARACTERS = 4


def detect_other_format(start: bytes) -> str:
    """The key of what is told of bytes that are no text; empty for what may be text."""
    if start[TAR_MARK_PLACE:].startswith(TAR_MARK):
        return "tar_archive"
    begun = start.lstrip().lower()
    return next((key for mark, key in OTHER_FORMATS.items() if begun.startswith(mark.lower())), "")


def detect_marked_encoding(start: bytes) -> str:
    """The encoding that a byte-order mark gives; empty without one."""
    return next((encoding for mark, encoding in BYTE_ORDER_MARKS.items() if start.startswith(mark)), "")


def guess_encoding(start: bytes) -> str:
    """The encoding that bytes without a mark look like, as Python calls it; empty for plain ASCII and when unsure."""
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
    """Whether UTF-8 was taken for a Western encoding and encoded again: every accent has become two signs or three."""
    text = _decode(start, "utf-8")
    for western in ("latin-1", "cp1252"):
        with suppress(UnicodeEncodeError):
            inner = _decode(text.encode(western), "utf-8")
            return sum(not character.isascii() for character in inner) >= CERTAIN_CHARACTERS
    return False


def detect_misread_encoding(start: bytes, declared: str) -> str:
    """The encoding that the bytes surely are, where reading them as `declared` would give no error but nonsense."""
    wide = _detect_utf_16(start)
    if wide and not declared.startswith("utf-16"):
        return wide
    if declared.startswith("utf"):
        return ""
    # Pairs of bytes below U+0800 may be Chinese characters too.
    first = "\u0800" if _has_chinese(declared) else "\x80"
    return "utf-8" if sum(character >= first for character in _decode(start, "utf-8")) >= CERTAIN_CHARACTERS else ""


def _detect_utf_16(start: bytes) -> str:
    """Text of delimiters, digits and names has a zero in every other byte of most characters."""
    even, odd = start[::2].count(0), start[1::2].count(0)
    if even + odd < len(start) / 10:
        return ""
    if odd > 9 * even:
        return "utf-16-le"
    return "utf-16-be" if even > 9 * odd else ""


def _decode(start: bytes, encoding: str) -> str:
    """The text, where all but a last character that the sample cuts in two is of the encoding; else empty."""
    with suppress(UnicodeDecodeError):
        return codecs.getincrementaldecoder(encoding)().decode(start)
    return ""


def _is_mostly_common_chinese(text: str) -> bool:
    """Western text that happens to be valid GB 18030 becomes characters that GB 2312, of 1980, did not need."""
    beyond_ascii = [character for character in text if not character.isascii()]
    common = [character for character in beyond_ascii if character.encode("gb2312", "ignore")]
    return len(common) > len(beyond_ascii) / 2


def _is_mostly_letters(text: str) -> bool:
    beyond_ascii = [character for character in text if not character.isascii()]
    return sum(character.isalpha() for character in beyond_ascii) > len(beyond_ascii) / 2


def _has_chinese(encoding: str) -> bool:
    return bool("中".encode(encoding, "ignore"))
