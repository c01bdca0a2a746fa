"""The reasons why a row or a file is in quarantine. docs/contract.md lists them."""

from enum import StrEnum


class QuarantineReason(StrEnum):
    """The reason as stored in `quality.quarantine`, with its meaning and a remedy."""

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
        "the raw rows of its day have been pruned (`retention`), so the day is not built again; as a whole file "
        "(row 0): its content for such a day differs from before",
        "raise `raw_days` for the future; the tables of the day are kept",
    )
    BAD_RECORD = (
        "bad_record",
        "the line is not a CSV record or JSON object, or holds zero bytes",
        "fix the line in the export",
    )
    WRONG_FIELD_COUNT = (
        "wrong_field_count",
        "the record has more or fewer fields than the header",
        "quote fields that hold the delimiter; check `delimiter`; skip totals below the table with `skip_lines`",
    )
    BAD_ENCODING = (
        "bad_encoding",
        "bytes that are invalid in the encoding; or a whole file (row 0) that certainly has another encoding",
        "declare `encoding`; the detail names the likely one",
    )
    FAILED_EXPRESSION = (
        "failed_expression",
        "an expression of the mapping fails on the row, or does not fit the file at all (row 0)",
        "fix the expression; try_cast returns NULL where ::TYPE fails",
    )
    MISSING_VALUE = (
        "missing_value",
        "event_time or event_type is empty",
        "deliver it; leave such rows out with `where` or `skip_lines`",
    )
    BAD_TIME = "bad_time", "event_time is not a time", "declare `time_format`"
    UNKNOWN_EVENT_TYPE = (
        "unknown_event_type",
        "not an event type of the family, and not mapped to one",
        "map the value under `event_types`; leave such rows out with `where`, or all of them with `others: leave_out`",
    )
    BAD_TYPE = (
        "bad_type",
        "the value is not of the column's kind, is ambiguous, or is an id that a spreadsheet has rounded",
        "export it again; declare `decimal`; or convert it with an expression",
    )
    VALUE_OUT_OF_CONTRACT = (
        "value_out_of_contract",
        "the value is beyond its bounds, or not one of a closed list",
        "fix it at the source, or convert it with an expression",
    )
    NEGATIVE_AMOUNT = (
        "negative_amount",
        "an amount below zero",
        "deliver refunds as `refunded` with a positive amount; `negative_amounts: allow` if a minus is intended",
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
        "give every event its own id; or say which row wins with `duplicates: first` or `latest`",
    )
    # A whole file: row_number is 0
    UNREADABLE = "unreadable", "damaged, truncated, not permitted, or not of the format in its name", "deliver it again"
    UNKNOWN_FORMAT = "unknown_format", "the file extension is unknown", "rename it, or declare `format`"
    BAD_HEADER = (
        "bad_header",
        "the header has a mapped column twice, or the file ends before the header",
        "check `header_row`, and the export",
    )
    MISSING_COLUMN = (
        "missing_column",
        "a required or declared column is missing; the detail names the nearest",
        "map it under `columns`; check `header_row`",
    )
    NOTHING_TO_JOIN = (
        "nothing_to_join",
        "the export that its rows are joined to is missing for that day, or cannot be read",
        "deliver it, and the next run reads both; check `join`",
    )
    NO_DELIVERY_DATE = "no_delivery_date", "no day of delivery in the path", "use dt= folders, or `delivery_date`"
    NOT_A_FILE = "not_a_file", "a folder, a broken link or a device", "put plain files under dt=..."
    OUTSIDE_LANDING_ZONE = "outside_landing_zone", "a link that leads out of the source's folder", "copy the file"
    FAILED_QUERY = "failed_query", "the query on the attached file fails", "fix `query`"
    CHANGED = "changed", "the file changed while it was read; never stored, the ledger shows growing", "wait"
