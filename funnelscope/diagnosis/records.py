"""The records of the diagnosis: a class is a table, a field is a column of it with its meaning.

`business_date`, the first column of every table, is no field: a record belongs to the day that it is stored under.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields
from datetime import date, datetime
from types import NoneType, UnionType
from typing import Annotated, ClassVar, Literal, TypeVar, get_args, get_origin, get_type_hints

from funnelscope.diagnosis.stated_reasons import StatedReason, parse_reason, parse_reasons, quote_text

SliceConditions = Mapping[str, str]
"""Dimension → value; none names the whole step."""
Reasons = tuple[StatedReason, ...]
DayState = Literal["diagnosed", "no_baseline", "not_comparable", "withheld", "failed"]
Status = Literal["confirmed", "provisional", "withheld", "recovered"]
RowKind = Literal["session", "click", "order", "conversation", "customer", "product_view", "figure"]
EvidenceKind = Literal["series", "change_log", "data_check"]

_SLICE = "the slice as JSON, dimension to value, dimensions in alphabetical order; {} is the whole stage"


@dataclass(frozen=True)
class Record:
    """A row of one table of the diagnosis.

    Attributes:
        table: name of the table within the schema `diagnosis`.
        meaning: what a row is.
        is_published: readers get the table beside the marts; else it is the diagnosis' own memory.
    """

    table: ClassVar[str]
    meaning: ClassVar[str]
    is_published: ClassVar[bool] = True


@dataclass(frozen=True, kw_only=True)
class DayRecord(Record):
    """What became of the diagnosis of a day."""

    table = "days"
    meaning = "What became of the diagnosis of each day."

    state: Annotated[DayState, "diagnosed, no_baseline, not_comparable, withheld or failed"]
    why: Annotated[str, "why it is not diagnosed; empty where it is"]
    comparison: Annotated[str, "regular days, or the promotion whose same phase and day it is compared with"]
    baseline_days: Annotated[int | None, "days that it is compared with", "INTEGER"] = None
    baseline_from: Annotated[date | None, "the first of them"] = None
    reason: Annotated[StatedReason | None, "`why` as JSON: a key of the playbook and its values"] = None
    compared_with: Annotated[StatedReason | None, "`comparison` as JSON: a key of the playbook and its values"] = None

    @property
    def stated_reason(self) -> StatedReason | None:
        """Why it is not diagnosed; None where it is."""
        return self.reason or (quote_text(self.why) if self.why else None)

    @property
    def stated_comparison(self) -> StatedReason | None:
        """What the day is compared with; None where that was never asked."""
        return self.compared_with or (quote_text(self.comparison) if self.comparison else None)


@dataclass(frozen=True, kw_only=True)
class FindingRecord(Record):
    """One thing that is wrong on a day, or that has recovered; of the latter only name, effect and zeros are known."""

    table = "findings"
    meaning = "What is wrong, where, since when, how surely, and what it costs."

    finding_id: Annotated[
        str, "the same from the first day of a fault to its last, also where its slice shifts a little"
    ]
    rank: Annotated[int | None, "1 is the first to act on", "INTEGER"] = None
    stage: Annotated[str, "traffic, landing, decision or repurchase"]
    cube: Annotated[str, "the stage cube in which it stands out; figure_steps for figures that a platform states"]
    step: Annotated[
        str, "the step that fewer pass: arrival, qualified_product_view, …; of figures, the figure that fewer reach"
    ]
    slice: Annotated[SliceConditions, _SLICE]
    fault_class: Annotated[str, "what it looks like; the key of the playbook"]
    status: Annotated[Status, "confirmed, provisional (touched by a data warning), withheld (data fault), recovered"]
    status_reason: Annotated[str, "why it is not confirmed; empty where it is"] = ""
    since_date: Annotated[date, "first day of the move"]
    is_ongoing: Annotated[bool, "still so on this day"]
    entered: Annotated[int | None, "entries of the slice on the day"] = None
    passed: Annotated[int | None, "passes of the slice on the day"] = None
    expected: Annotated[float | None, "passes that its own usual rates promise to these entries"] = None
    effect: Annotated[float | None, "passed / expected − 1"]
    effect_low: Annotated[float | None, "lower end of its 90 % interval"] = None
    effect_high: Annotated[float | None, "upper end"] = None
    z: Annotated[float | None, "standard deviations from the usual, day-to-day noise of slices included"] = None
    p_value: Annotated[float | None, "chance that a day without a fault yields such a slice in any cube"] = None
    stability: Annotated[float | None, "share of resampled days that name the same slice"] = None
    runner_up: Annotated[
        SliceConditions | None, "the next best explanation in its place, as JSON; null where there is none"
    ] = None
    runner_up_gap: Annotated[float | None, "explained deviance by which that falls short"] = None
    strongest_part: Annotated[
        SliceConditions | None, "the part of the slice that moved clearly more than the rest, as JSON; null without one"
    ] = None
    lost_orders: Annotated[
        float | None, "paid orders of the day that were lost; null where nothing says how many would have paid"
    ] = 0.0
    lost_orders_low: Annotated[float | None, "lower end of its 90 % interval"] = 0.0
    lost_orders_high: Annotated[float | None, "upper end"] = 0.0
    lost_amount: Annotated[float | None, "their amount; null where no payment says how much"] = 0.0
    lost_amount_low: Annotated[float | None, "lower end of its 90 % interval"] = 0.0
    lost_amount_high: Annotated[float | None, "upper end"] = 0.0
    lost_amount_net: Annotated[float | None, "expected to be left of it after refunds"] = 0.0
    object_kind: Annotated[str, "what to open: campaign, creative, page, product, agent, coupon, …"]
    object_name: Annotated[str, "which"]
    owner: Annotated[str, "who acts, from `owners` of the settings; else the stage's own team"]
    status_reasons: Annotated[Reasons, "`status_reason` as a JSON list: keys of the playbook and their values"] = ()
    is_overlapping: Annotated[
        bool, "its loss may be part of other findings' too, as that of a product of a platform is: never add it up"
    ] = False

    @property
    def stated_reasons(self) -> Reasons:
        """Why the finding is not confirmed; empty where it is."""
        return self.status_reasons or ((quote_text(self.status_reason),) if self.status_reason else ())

    @property
    def observed_rate(self) -> float | None:
        """Passes over entries, 0 to 1; None where nobody entered or nothing is known."""
        return self.passed / self.entered if self.entered and self.passed is not None else None

    @property
    def expected_rate(self) -> float | None:
        """Expected passes over entries; None where nobody entered or nothing is known."""
        return self.expected / self.entered if self.entered and self.expected is not None else None


@dataclass(frozen=True, kw_only=True)
class WeekFindingRecord(FindingRecord):
    """One thing that is wrong with a week, in a step of which a day is too thin; counts and losses are of the week."""

    table = "week_findings"
    meaning = "What is wrong with the week that ends on the day, in steps of which a day is too thin to say."


@dataclass(frozen=True, kw_only=True)
class EvidenceRecord(Record):
    """What moved with a finding."""

    table = "evidence"
    meaning = "What moved together with a finding. An association, never a proof."

    finding_id: Annotated[str, "of the finding"] = ""
    kind: Annotated[EvidenceKind, "series, change_log or data_check"]
    name: Annotated[str, "the operational series, kind of change, or check"]
    slice: Annotated[SliceConditions, "the slice in which it was measured, as JSON"]
    today: Annotated[float | None, "value on the day; null for an entry of the change log and a check of the gate"] = (
        None
    )
    usual: Annotated[float | None, "mean of the baseline days, their last week left out"] = None
    z: Annotated[float | None, "standard deviations of the baseline days from the usual"] = None
    since_date: Annotated[date, "first day of its move, or the date of the entry"]
    is_before: Annotated[bool, "moved on the first day of the finding or before"] = False
    note: Annotated[str, "the entry of the change log, or what the check found"] = ""


@dataclass(frozen=True, kw_only=True)
class FindingRowRecord(Record):
    """One of the things that a finding counts, or a day of the figure that it is about."""

    table = "finding_rows"
    meaning = "What stands behind a finding: at most 200 rows of its slice on the day, those that did not pass first."

    finding_id: Annotated[str, "of the finding"]
    kind: Annotated[RowKind, "session, click, order, conversation, customer, product_view or figure"]
    row_id: Annotated[int | None, "its hashed id, that of the session for a product_view; null for a figure"] = None
    happened_at: Annotated[datetime | None, "when it began, in UTC; of a figure its day; null for a customer"] = None
    facts: Annotated[SliceConditions, "its dimensions that the slice leaves open, as JSON"]
    entered: Annotated[float, "how often it entered the step: 1, clicks of a row, or the figure before"]
    passed: Annotated[float, "how often it passed, or the figure reached"]
    row_count: Annotated[int, "how many rows stand behind the finding, also those that are not kept"]


@dataclass(frozen=True, kw_only=True)
class ContributionRecord(Record):
    """One part of a change."""

    table = "contributions"
    meaning = "How a change against the usual splits up; the parts add up to the whole exactly."

    subject: Annotated[str, "rate (parts: mix and rate of each slice) or money (parts: the five factors)"]
    cube: Annotated[str, "stage cube; daily_summary for money"]
    step: Annotated[str, "the step whose rate is split; same_day_amount for money"]
    dimension: Annotated[str, "the dimension that it is split by; factor for money"]
    value: Annotated[str, "the slice, or the factor"]
    part: Annotated[str, "mix, rate or factor"]
    usual: Annotated[float | None, "share of entries (mix), rate, or factor over the baseline"]
    today: Annotated[float | None, "the same on the day"]
    contribution: Annotated[float, "to the change of the rate, or of the amount of the day"]


@dataclass(frozen=True, kw_only=True)
class OtherMoveRecord(Record):
    """What moved on a day and is no loss."""

    table = "other_moves"
    meaning = "What moved and is no loss: gains, and falls of a rate by another mix alone (a row a share that grew)."

    kind: Annotated[Literal["gain", "mix"], "gain or mix"]
    stage: Annotated[str, "traffic, landing, decision or repurchase"]
    cube: Annotated[str, "stage cube"]
    step: Annotated[str, "the step whose rate moved"]
    slice: Annotated[SliceConditions, "the slice that gained, as JSON; of a mix, the value whose share grew"]
    usual_rate: Annotated[float | None, "of a gain, the usual rate of the slice; of a mix, that of the whole step"]
    rate: Annotated[float | None, "the same on the day"]
    effect: Annotated[float, "of a gain, passed / expected − 1; of a mix, rate / usual_rate − 1 of the whole step"]
    effect_low: Annotated[float | None, "lower end of the 90 % interval of a gain"] = None
    effect_high: Annotated[float | None, "upper end"] = None
    p_value: Annotated[float | None, "chance that a clean day yields such a gain in any cube; null for a mix"] = None
    usual_share: Annotated[float | None, "of a mix, usual share of the entries; null for a gain"] = None
    share: Annotated[float | None, "the same on the day"] = None


@dataclass(frozen=True, kw_only=True)
class DetectableDropRecord(Record):
    """The smallest drop of a step or slice that its traffic can show."""

    table = "visible_drops"
    meaning = "What the diagnosis could see: every step and main slice with the smallest drop that would be a finding."

    stage: Annotated[str, "traffic, landing, decision or repurchase"]
    cube: Annotated[str, "stage cube"]
    step: Annotated[str, "the step"]
    dimension: Annotated[str, "dimension of the slice; all for the whole step; entries for a slice of any dimensions"]
    value: Annotated[str, "value of the slice; all for the whole step; its share of the step's entries for entries"]
    entered: Annotated[int, "entries on the day"]
    passed: Annotated[int, "passes on the day"]
    expected: Annotated[float, "passes that the usual rates promise"]
    z: Annotated[float, "standard deviations of passed from expected"]
    smallest_visible_drop: Annotated[float, "0 to 1; found nine times in ten. 1: traffic is too thin for any drop"]


@dataclass(frozen=True, kw_only=True)
class RelevanceRecord(Record):
    """A creative, or an origin of creatives, on one landing page."""

    table = "relevance"
    meaning = "Creative × landing page: does the match keep what the two promise apart?"

    grain: Annotated[str, "creative, or origin (who made the creative)"]
    creative: Annotated[str, "creative, or origin"]
    landing_page: Annotated[str, "landing page"]
    sessions: Annotated[int, "sessions of the baseline and the day"]
    engaged: Annotated[int, "of them past 3 seconds with a second interaction"]
    engaged_rate: Annotated[float, "engaged / sessions"]
    expected_rate: Annotated[float, "what the main effects of creative and page predict"]
    creative_effect: Annotated[float, "log odds of the creative against the mean"]
    page_effect: Annotated[float, "log odds of the page against the mean"]
    interaction: Annotated[float, "log odds of the match, shrunk; below 0 it is worse than its parts"]
    interaction_low: Annotated[float, "lower end of its 90 % interval"]
    interaction_high: Annotated[float, "upper end"]
    judgement: Annotated[str, "good, bad_match, bad_creative, bad_page or too_thin"]


@dataclass(frozen=True, kw_only=True)
class FollowUpRecord(Record):
    """What became of a finding of an earlier day."""

    table = "follow_ups"
    meaning = "What became of earlier findings."

    finding_id: Annotated[str, "of the finding"]
    found_date: Annotated[date, "the day it was found first"]
    state: Annotated[
        Literal["open", "acted_on", "recovered"], "open, acted_on (the change log has an entry since) or recovered"
    ]
    action: Annotated[str, "that entry; empty without one"]
    effect: Annotated[float | None, "passed / expected − 1 on this day"]
    lost_orders_so_far: Annotated[float, "over all days since it was found"]
    lost_amount_so_far: Annotated[float, "their amount"]
    reread_lost_orders: Annotated[float | None, "of the day three days ago, read again with what came late; else null"]
    is_hit: Annotated[bool | None, "that reading still shows the loss; null where there is none"]


@dataclass(frozen=True, kw_only=True)
class SliceDayRecord(Record):
    """Counts of one slice of one step on one day; written by SQL only."""

    table = "slice_days"
    meaning = "Entries and passes of each step by single dimension: what later days measure the usual noise by."
    is_published = False

    cube: Annotated[str, "stage cube"]
    step: Annotated[str, "the step"]
    dimension: Annotated[str, "dimension of the slice; all for the whole step"]
    value: Annotated[str, "value of the slice; all for the whole step"]
    entered: Annotated[int, "entries"]
    passed: Annotated[int, "passes"]


RECORD_TYPES: tuple[type[Record], ...] = (
    DayRecord,
    FindingRecord,
    WeekFindingRecord,
    EvidenceRecord,
    FindingRowRecord,
    ContributionRecord,
    OtherMoveRecord,
    DetectableDropRecord,
    RelevanceRecord,
    FollowUpRecord,
    SliceDayRecord,
)


# --- Columns -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class TableColumn:
    """A column of a table, as its field declares it.

    Attributes:
        decode: makes the field's value of what the database holds.
    """

    name: str
    sql_type: str
    meaning: str
    decode: Callable[[str], object] | None = None


_SQL_TYPES: Mapping[object, str] = {
    str: "VARCHAR",
    int: "BIGINT",
    float: "DOUBLE",
    bool: "BOOLEAN",
    date: "DATE",
    datetime: "TIMESTAMP",
}


_DECODERS: Mapping[object, Callable[[str], object]] = {
    SliceConditions: json.loads,
    Reasons: parse_reasons,
    StatedReason: parse_reason,
}


def _declare_columns(record_type: type[Record]) -> tuple[TableColumn, ...]:
    """Raises KeyError where a field has a type that no column can hold."""
    columns = []
    for name, hint in get_type_hints(record_type, include_extras=True).items():
        if get_origin(hint) is not Annotated:
            continue  # of the class, not of a row
        value_type, meaning, *sql_type = get_args(hint)
        kind = _remove_null(value_type)
        decode = _DECODERS.get(kind)
        is_text = decode is not None or get_origin(kind) is Literal
        stored = sql_type[0] if sql_type else "VARCHAR" if is_text else _SQL_TYPES[kind]
        columns.append(TableColumn(name, stored, meaning, decode))
    return tuple(columns)


def _remove_null(hint: object) -> object:
    """The type of a value that is there."""
    if not isinstance(hint, UnionType):
        return hint
    (kind,) = (each for each in get_args(hint) if each is not NoneType)
    return kind


_COLUMNS: Mapping[type[Record], tuple[TableColumn, ...]] = {each: _declare_columns(each) for each in RECORD_TYPES}


def list_columns(record_type: type[Record]) -> tuple[TableColumn, ...]:
    """The columns of the record's table in order, without `business_date`."""
    return _COLUMNS[record_type]


def encode_record(record: Record) -> tuple[object, ...]:
    """The values of the record in the order of its columns; slices and reasons as JSON."""
    return tuple(_encode(getattr(record, column.name)) for column in list_columns(type(record)))


def _encode(value: object) -> object:
    if isinstance(value, StatedReason):
        return json.dumps(value.as_record(), ensure_ascii=False)
    if isinstance(value, tuple):
        return json.dumps([each.as_record() for each in value], ensure_ascii=False)
    if isinstance(value, Mapping):
        return json.dumps(dict(value), ensure_ascii=False)
    return value


R = TypeVar("R", bound=Record)


def decode_records(record_type: type[R], names: Sequence[str], rows: Iterable[Sequence[object]]) -> list[R]:
    """Records of rows whose columns have these names.

    What the table of an older version lacks has its field's default, and so has a null of a field that is never null.
    """
    columns = [column for column in list_columns(record_type) if column.name in names]
    places = [names.index(column.name) for column in columns]
    hints = get_type_hints(record_type)
    filled = {
        each.name
        for each in fields(record_type)
        if each.default is not MISSING and NoneType not in get_args(hints[each.name])
    }
    return [
        record_type(
            **{
                column.name: column.decode(str(value)) if column.decode and value is not None else value
                for column, value in ((column, row[place]) for column, place in zip(columns, places, strict=True))
                if value is not None or column.name not in filled
            }
        )
        for row in rows
    ]
