"""Parts of CSV files in which every line is a record and every delimiter separates: split at once, not field by field.

Whatever is not certain to be read alike here is left to the reader of single records.
"""

import csv
from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute
import pyarrow.csv

from funnelscope.events.schema import BLANKS

BYTE_ORDER_MARK = "\ufeff"


def split_plain_lines(lines: list[str], header: Sequence[str], delimiter: str) -> pa.Table | None:
    """The fields of the lines as a table of texts; None unless each line is a record with a field for every column."""
    text = "".join(lines)
    if '"' in text or "\0" in text or text.startswith(BYTE_ORDER_MARK) or text.count("\r") != text.count("\r\n"):
        return None
    if max(map(len, lines)) > csv.field_size_limit() or _has_blank_record(text, len(header), delimiter):
        return None
    try:
        table = pa.csv.read_csv(
            pa.BufferReader(text.encode()),
            pa.csv.ReadOptions(use_threads=False, block_size=2**30, column_names=list(header)),
            pa.csv.ParseOptions(delimiter=delimiter, quote_char=False, ignore_empty_lines=False),
            pa.csv.ConvertOptions(column_types=dict.fromkeys(header, pa.string()), strings_can_be_null=False),
        )
    except (pa.ArrowInvalid, UnicodeEncodeError):  # another number of fields, or bytes that are no text
        return None
    first = pa.compute.utf8_trim(table.column(0), BLANKS)
    is_header_again = pa.compute.any(pa.compute.equal(first, header[0])).as_py()
    return None if is_header_again or len(table) != len(lines) else table


def _has_blank_record(text: str, columns: int, delimiter: str) -> bool:
    """Whether a line holds nothing but delimiters. Such lines, below a table, are left out."""
    ended = f"\n{text}\n" if not text.endswith("\n") else f"\n{text}"
    blank = delimiter * (columns - 1)
    return any(f"\n{line}{end}" in ended for line in {"", blank} for end in ("\n", "\r\n"))
