"""Why a row or a file is in quarantine. docs/contract.md prints this list."""

from enum import StrEnum


class QuarantineReason(StrEnum):
    """The reason as it stands in `quality.quarantine`, with what it means and the way out."""

    def __new__(cls, code: str, meaning: str, way_out: str) -> "QuarantineReason":
        reason = str.__new__(cls, code)
        reason._value_ = code
        reason.meaning = meaning
        reason.remedy = way_out
        return reason

    meaning: str
    remedy: str

    # One row
    DAY_IS_PRUNED = (
        "day_is_pruned",
        "the raw rows of its day have been pruned (`retention`), so that the day is not built again; as a whole file "
        "(row 0): it says something else of such a day than before",
        "raise `raw_days` for the time to come; the tables of the day stand",
    )
    BAD_RECORD = (
        "bad_record",
        "the line is no CSV record or no JSON object, or holds zero bytes",
        "mend the line in the export",
    )
    WRONG_FIELD_COUNT = (
        "wrong_field_count",
        "the record has more or fewer fields than the header",
        "quote fields that hold the delimiter; check `delimiter`; leave totals below the table out with `skip_lines`",
    )
    BAD_ENCODING = (
        "bad_encoding",
        "bytes that the encoding does not know; or a whole file (row 0) that is surely of another one",
        "declare `encoding`; the detail says which it looks like",
    )
    FAILED_EXPRESSION = (
        "failed_expression",
        "an expression of the mapping fails on the row, or does not fit the file at all (row 0)",
        "mend the expression; try_cast gives NULL where ::TYPE fails",
    )
    MISSING_VALUE = (
        "missing_value",
        "event_time or event_type is empty",
        "deliver it; leave such rows out with `where` or `skip_lines`",
    )
    BAD_TIME = "bad_time", "event_time is no time", "declare `time_format`"
    UNKNOWN_EVENT_TYPE = (
        "unknown_event_type",
        "no event type of the family, and not mapped to one",
        "map the value under `event_types`, or leave such rows out with `where`",
    )
    BAD_TYPE = (
        "bad_type",
        "the value is not of the column's kind, could be read in two ways, or is an id that a spreadsheet has rounded",
        "export it anew; declare `decimal`; or convert it with an expression",
    )
    VALUE_OUT_OF_CONTRACT = (
        "value_out_of_contract",
        "the value is beyond its bounds, or not one of a closed list",
        "mend it at the source, or convert it with an expression",
    )
    NEGATIVE_AMOUNT = (
        "negative_amount",
        "an amount below zero",
        "deliver refunds as `refunded` with a positive amount; `negative_amounts: allow` where a minus is meant",
    )
    BEFORE_START_DATE = "before_start_date", "the business date is before start_date", "set an earlier `start_date`"
    FUTURE_DATE = (
        "future_date",
        "the business date is more than one day after the delivery",
        "check `timezone` and the clock of the source; check the dt= folder",
    )
    CONFLICTING_DUPLICATE = (
        "conflicting_duplicate",
        "another row has the same event_id and business date with other content, and was kept",
        "give every event its own id",
    )
    # A whole file: row_number is 0
    UNREADABLE = "unreadable", "damaged, cut short, not permitted, or not what its name says", "deliver it again"
    UNKNOWN_FORMAT = "unknown_format", "the name's ending says no known format", "rename it, or declare `format`"
    BAD_HEADER = (
        "bad_header",
        "the header has a column twice that is read, or the file ends before it",
        "check `header_row`, and the export",
    )
    MISSING_COLUMN = (
        "missing_column",
        "a required or declared column is missing; the detail names the nearest",
        "map it under `columns`; check `header_row`",
    )
    NO_DELIVERY_DATE = "no_delivery_date", "no day of delivery in the path", "use dt= folders, or `delivery_date`"
    NOT_A_FILE = "not_a_file", "a folder, a broken link or a device", "put plain files under dt=..."
    OUTSIDE_LANDING_ZONE = "outside_landing_zone", "a link that leads out of the source's folder", "copy the file"
    FAILED_QUERY = "failed_query", "the query on the attached file fails", "mend `query`"
    CHANGED = "changed", "the file changed while it was read; never stored, the ledger says growing", "wait"
