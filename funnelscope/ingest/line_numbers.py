"""Row numbers of records that hold several lines.

A row of raw or quarantine is known by its delivery and row number. The first line of a record has the record's number,
each further one a trillion more than the line before it: 12, 1000000000012, 2000000000012.
"""

STEP = 10**12


def build_row_number_sql(record_number: str, line_number: str) -> str:
    """SQL of the row number of a line. Without lines, it is the record's."""
    return f"{record_number} + {STEP} * (coalesce({line_number}, 1) - 1)"


def build_record_number_sql(row_number: str) -> str:
    """SQL of the number of the record in its file."""
    return f"{row_number} % {STEP}"


def build_line_number_sql(row_number: str) -> str:
    """SQL of the number of the line in its record; 1 without lines."""
    return f"{row_number} // {STEP} + 1"


def describe_row_number(row_number: int) -> str:
    """The number for people: `12`, or `12, line 3`."""
    line, record = divmod(row_number, STEP)
    return f"{record}, line {line + 1}" if line else str(record)
