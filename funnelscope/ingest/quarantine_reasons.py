"""The reasons why a row or a file is in quarantine. docs/contract.md lists them."""

from enum import StrEnum

from funnelscope.messages.check_observations import TABLE_LANGUAGE
from funnelscope.messages.wording import load_words


class QuarantineReason(StrEnum):
    """The reason as stored in `quality.quarantine`, with its meaning."""

    def __new__(cls, code: str, meaning: str) -> "QuarantineReason":
        reason = str.__new__(cls, code)
        reason._value_ = code
        reason.meaning = meaning
        return reason

    meaning: str

    @property
    def remedy(self) -> str:
        """What to do, in the language of the tables."""
        return load_words(TABLE_LANGUAGE).text("quarantine_remedies", self.value)

    # One row
    DAY_IS_PRUNED = (
        "day_is_pruned",
        "the raw rows of its day have been pruned (`retention`), so the day is not built again; as a whole file "
        "(row 0): its content for such a day differs from before",
    )
    BAD_RECORD = "bad_record", "the line is not a CSV record or JSON object, or holds zero bytes"
    WRONG_FIELD_COUNT = "wrong_field_count", "the record has more or fewer fields than the header"
    BAD_ENCODING = (
        "bad_encoding",
        "bytes that are invalid in the encoding; or a whole file (row 0) that certainly has another encoding",
    )
    FAILED_EXPRESSION = (
        "failed_expression",
        "an expression of the mapping fails on the row, or does not fit the file at all (row 0)",
    )
    MISSING_VALUE = "missing_value", "event_time or event_type is empty"
    BAD_TIME = "bad_time", "event_time is not a time"
    UNKNOWN_EVENT_TYPE = "unknown_event_type", "not an event type of the family, and not mapped to one"
    BAD_TYPE = (
        "bad_type",
        "the value is not of the column's kind, is ambiguous, or is an id that a spreadsheet has rounded",
    )
    VALUE_OUT_OF_CONTRACT = "value_out_of_contract", "the value is beyond its bounds, or not one of a closed list"
    NEGATIVE_AMOUNT = "negative_amount", "an amount below zero"
    BEFORE_START_DATE = "before_start_date", "the business date is before start_date"
    FUTURE_DATE = "future_date", "the business date is more than one day after the delivery"
    CONFLICTING_DUPLICATE = (
        "conflicting_duplicate",
        "another row has the same event_id and business date with other content, and was kept",
    )
    # A whole file: row_number is 0
    UNREADABLE = "unreadable", "damaged, truncated, not permitted, or not of the format in its name"
    UNKNOWN_FORMAT = "unknown_format", "the file extension is unknown"
    BAD_HEADER = "bad_header", "the header has a mapped column twice, or the file ends before the header"
    MISSING_COLUMN = "missing_column", "a required or declared column is missing; the detail names the nearest"
    NOTHING_TO_JOIN = (
        "nothing_to_join",
        "the export that its rows are joined to is missing for that day, or cannot be read",
    )
    NO_DELIVERY_DATE = "no_delivery_date", "no day of delivery in the path"
    NOT_A_FILE = "not_a_file", "a folder, a broken link or a device"
    OUTSIDE_LANDING_ZONE = "outside_landing_zone", "a link that leads out of the source's folder"
    FAILED_QUERY = "failed_query", "the query on the attached file fails"
    CHANGED = "changed", "the file changed while it was read; never stored, the ledger shows growing"
