"""The content of one report, as plain frozen data.

The caller decides what is true; this package only prints it. Three rules hold throughout:

- A missing number is None and is printed as "no data", never as 0.
- Keys (of metrics, steps, stages, dimensions, families, messages) are looked up in `messages/texts/<language>.yaml`; an
  unknown key is an error. Dimension values, check names without a translation, and the shop are printed unchanged.
- "Baseline" and "usual" mean the same: what the comparable days let expect of this one, as funnelscope.reporting.usual
  says. `Report.baseline_days` is the number of these days, at most 28.
"""

from dataclasses import dataclass, replace
from datetime import date, time
from decimal import Decimal
from enum import StrEnum

from funnelscope.messages.message_types import Message, Number, PeriodKind, Slice, Unit
from funnelscope.messages.wording import Words, load_words
from reports.campaign_review import CampaignReview

FULL_BASELINE_DAYS = 28
FINDINGS_ON_THE_FIRST_PAGE = 3


class ReportVerdict(StrEnum):
    """The verdict of the gate on the day."""

    PASS = "pass"
    WARN = "warn"
    BLOCKED = "blocked"
    UNJUDGED = "unjudged"  # the gate has not run


class DeliveryState(StrEnum):
    """Whether the events of a family were delivered."""

    COMPLETE = "complete"
    MISSING = "missing"  # declared, but not delivered
    GROWING = "growing"  # declared, and still being written
    ABSENT = "absent"  # not declared: the shop does not deliver it


class FindingStatus(StrEnum):
    """How reliable a finding is."""

    CONFIRMED = "confirmed"
    PROVISIONAL = "provisional"  # touched by a warning about the data
    WITHHELD = "withheld"  # the data are faulty: no loss is given
    RECOVERED = "recovered"


class QuestionAnswer(StrEnum):
    """The answer to a question of a stage."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


class CheckState(StrEnum):
    """The result of one check of the data."""

    PASS = "pass"
    WARN = "warn"
    FAIL = "fail"
    SKIPPED = "skipped"


class Mark(StrEnum):
    """Where a figure stands that chance hardly explains."""

    ABOVE = "above"
    BELOW = "below"


@dataclass(frozen=True)
class DayPoint:
    """One day of a series. `value` is None if the day has no usable number; `promotion` names the promotion of the day.

    `usual` is what the comparable days let expect of it; `usual_low` and `usual_high` bound the usual range of that
    weekday, if it is known.
    """

    day: date
    value: Number | None
    promotion: str | None = None
    usual_low: Number | None = None
    usual_high: Number | None = None
    usual: Number | None = None


@dataclass(frozen=True)
class Figure:
    """One number of the day with its baseline.

    `numerator` and `denominator` are the counts behind a rate or a mean. `usual_low` and `usual_high` bound the usual
    range if one is known: nine healthy days in ten are within it. `surprise` is the probability that a healthy day is
    as far away as this one; None on a day that is not judged. `mark` is set where that is too small for chance, all
    figures of the page considered. `coverage` (0 to 1) is the share of the population that could be measured, `arrived`
    the share of the figure that is usually there by now, if that is not all. `trend` ends with the business date. Over
    several days, `rule` is the aggregation rule (a key of the words' `several_days`), and `mean_of_days` is the figure
    by the marketplaces' rule if that differs.
    """

    key: str
    unit: Unit
    value: Number | None
    numerator: Number | None = None
    denominator: Number | None = None
    baseline: Number | None = None
    usual_low: Number | None = None
    usual_high: Number | None = None
    surprise: float | None = None
    mark: Mark | None = None
    coverage: float | None = None
    arrived: float | None = None
    trend: tuple[DayPoint, ...] = ()
    rule: str | None = None
    mean_of_days: Number | None = None


@dataclass(frozen=True)
class Headline:
    """One of the first page's large numbers with its comparisons. `second` is printed with it, smaller.

    `month_to_date` covers the month up to the day, `month_target` the same days. `same_phase` is the figure's value on
    the same day of the same phase of the last comparable promotion, `same_phase_day` that day. For a week or month,
    `before` is the value of the previous one, `year_before` that of the corresponding one a year earlier.
    """

    figure: Figure
    second: Figure | None = None
    target: Number | None = None
    month_to_date: Number | None = None
    month_target: Number | None = None
    same_phase: Number | None = None
    same_phase_day: date | None = None
    before: Number | None = None
    year_before: Number | None = None
    earlier: Number | None = None


@dataclass(frozen=True)
class Estimate:
    """A number with its 90 % interval."""

    value: Number
    low: Number | None = None
    high: Number | None = None


@dataclass(frozen=True)
class BridgeBar:
    """One step from the baseline amount to the day's: its effect, and its quantity in the baseline and now."""

    key: str
    change: Number
    unit: Unit
    usual: Number | None = None
    today: Number | None = None


@dataclass(frozen=True)
class Bridge:
    """The steps from the baseline paid amount to the day's. The bars sum to `today - usual`, to the cent.

    `excluded` is not part of the sum.
    """

    usual: Decimal
    today: Decimal
    bars: tuple[BridgeBar, ...]
    excluded: BridgeBar | None = None

    @property
    def whole(self) -> BridgeBar:
        """The sum of the bars."""
        return BridgeBar("paid_amount", self.today - self.usual, Unit.MONEY, self.usual, self.today)


@dataclass(frozen=True)
class Evidence:
    """What moved along with a finding: an operational series, or an entry of the change log.

    `key` is `series`, `change_log` or `data_check`. `name` is the series (a key of the words' `series`), or the kind of
    entry. `is_before` means that it moved on an earlier day than the finding.
    """

    key: str
    name: str
    unit: Unit = Unit.COUNT
    today: Number | None = None
    usual: Number | None = None
    since: date | None = None
    is_before: bool = False
    note: str = ""


@dataclass(frozen=True)
class FindingMark:
    """What people said became of a finding: a key of the words' `finding_marks`, when, and their note."""

    mark: str
    marked_on: date
    note: str = ""


@dataclass(frozen=True)
class FindingRow:
    """One session, click, order, conversation or customer behind a finding, or a day of a platform's figure.

    `kind` is a key of the words' `row_kinds`, `row_id` its hashed id. `happened_at` is the shop's local time. `facts`
    are its dimensions. `has_passed` tells whether it passed the step.
    """

    kind: str
    row_id: int | None
    happened_at: str
    facts: Slice
    has_passed: bool | None
    entered: Number | None = None
    passed: Number | None = None


@dataclass(frozen=True)
class Finding:
    """One thing that moved, its cost, and what to do about it.

    `finding_id` stays the same from the first day of the fault to its last.
    `kind` names the class of fault for machines, `title` for readers. `named` is the one object to open, as (dimension,
    value). `effect` is the change of the slice's rate relative to the expected rate (-0.45 = 45 % below). Orders and
    money are losses: positive if something was lost. `mix` and `rate` are the slice's two parts of the change of the
    stage's rate, 0 to 1. In a week or month it is of the days `found_on`: losses are sums, rates pooled. `stability`
    (0 to 1) is the share of resamples that name the same slice. `question` and `next_step` are complete sentences in
    the report's language.

    `step` is the step or figure that fewer reach, `entered` how many came to it on the day. `trend` is the slice's rate
    by day, or its figure where no rate is known (`is_figure`). What was lost so far counts all days since it was found,
    this one too. An overlapping loss may be part of another finding's too, and is never added to one. A quiet finding
    is known or false and no worse than when it was marked: it is told in one line. `rows` are what stands behind the
    finding, at most as many as are kept, of `row_count`. `link` is its address in the HTML edition, if the settings say
    where readers find that.
    """

    stage: str
    kind: str
    title: str
    slice: Slice
    status: FindingStatus
    named: tuple[str, str] | None = None
    owner: str = ""
    since: date | None = None
    is_ongoing: bool = True
    observed: Number | None = None
    expected: Number | None = None
    effect: Estimate | None = None
    lost_orders: Estimate | None = None
    lost_amount: Estimate | None = None
    lost_net_amount: Estimate | None = None
    mix: Number | None = None
    rate: Number | None = None
    stability: float | None = None
    runner_up: Slice = ()
    strongest_part: Slice = ()
    evidence: tuple[Evidence, ...] = ()
    question: str = ""
    next_step: str = ""
    recheck_date: date | None = None
    found_on: tuple[date, ...] = ()
    status_reason: str = ""
    finding_id: str = ""
    step: str = ""
    entered: int | None = None
    is_figure: bool = False
    is_overlapping: bool = False
    mark: FindingMark | None = None
    is_quiet: bool = False
    lost_orders_so_far: Number | None = None
    lost_amount_so_far: Number | None = None
    trend: tuple[DayPoint, ...] = ()
    rows: tuple[FindingRow, ...] = ()
    row_count: int | None = None
    link: str = ""

    @property
    def days(self) -> int | None:
        """On how many days of a week or month it was found; None in the report of a day."""
        return len(self.found_on) or None


@dataclass(frozen=True)
class FollowUp:
    """The present state of an earlier finding. `state` is a key of the words' `follow_ups`, `mark` what people said."""

    stage: str
    kind: str
    title: str
    slice: Slice
    since: date | None
    state: str
    lost_amount: Estimate | None = None
    finding_id: str = ""
    mark: FindingMark | None = None


@dataclass(frozen=True)
class VisibleDrop:
    """The minimum detectable effect: the smallest relative drop (0 to 1) of a stage's rate that one day can show."""

    stage: str
    drop: float


@dataclass(frozen=True)
class OtherMove:
    """A gain of a slice; or a fall of a stage's rate by mix alone, with a slice whose share grew (0 to 1)."""

    stage: str
    slice: Slice
    effect: float
    usual_share: float | None = None
    share: float | None = None


@dataclass(frozen=True)
class Diagnosis:
    """The diagnosis of the day. `state` is a key of the words' `diagnosis_states`, `reason` explains it.

    `comparison` says with what a promotion day is compared; empty for other days. Of a week or month, `judged_days` is
    the number of its days on which findings were looked for.
    """

    state: str
    reason: str = ""
    findings: tuple[Finding, ...] = ()
    follow_ups: tuple[FollowUp, ...] = ()
    visible_drops: tuple[VisibleDrop, ...] = ()
    comparison: str = ""
    gains: tuple[OtherMove, ...] = ()
    by_mix: tuple[OtherMove, ...] = ()
    judged_days: int | None = None


@dataclass(frozen=True)
class MoneyPart:
    """One class of the day's payments: its amount, its number of payments, and its baseline amount."""

    amount: Decimal | None
    payments: int | None = None
    baseline: Decimal | float | None = None


@dataclass(frozen=True)
class MoneySplit:
    """The money paid on the day, split so that A + B + C + D is the total, to the cent.

    A `same_day`, B `carried_over`, C `presale_balance`, D `no_session`; `excluded` is not part of the sum. The product
    of `factors` is A: sessions, landing_rate, decision_rate, orders_per_paying_session, amount_per_order.
    """

    same_day: MoneyPart
    carried_over: MoneyPart
    presale_balance: MoneyPart
    no_session: MoneyPart
    excluded: MoneyPart
    factors: tuple[Figure, ...] = ()

    @property
    def parts(self) -> dict[str, MoneyPart]:
        """The four parts that sum to the day's paid amount, by key, in printed order."""
        return {
            "same_day": self.same_day,
            "carried_over": self.carried_over,
            "presale_balance": self.presale_balance,
            "no_session": self.no_session,
        }

    @property
    def paid_amount(self) -> Decimal | None:
        """The sum of the known parts; None if no part is known."""
        amounts = [part.amount for part in self.parts.values() if part.amount is not None]
        return sum(amounts, Decimal(0)) if amounts else None


@dataclass(frozen=True)
class StageStep:
    """One step of a stage's funnel.

    `rate_from_previous` is 0 to 1 and None for the first step. `baseline_rate` is its usual value; the range,
    `surprise` and `mark` are those of a Figure. `baseline_count` is the usual count.
    """

    key: str
    count: int | None
    rate_from_previous: float | None = None
    baseline_count: float | None = None
    baseline_rate: float | None = None
    usual_low: float | None = None
    usual_high: float | None = None
    surprise: float | None = None
    mark: Mark | None = None


@dataclass(frozen=True)
class SliceRow:
    """One value of a dimension. Baseline counts are sums over all baseline days, so that rates can be pooled.

    `value` is None for events without a value.
    """

    value: str | None
    entered: int
    passed: int
    baseline_entered: int | None = None
    baseline_passed: int | None = None

    @property
    def rate(self) -> float | None:
        """Passed / entered on the day."""
        return self.passed / self.entered if self.entered else None

    @property
    def baseline_rate(self) -> float | None:
        """Pooled over the baseline days."""
        if not self.baseline_entered or self.baseline_passed is None:
            return None
        return self.baseline_passed / self.baseline_entered


@dataclass(frozen=True)
class SliceTable:
    """A stage's entries and passes by one dimension.

    Pass every value, in any order: the largest are printed and the rest is summed as "other". `entered` and `passed`
    are the metric or step keys in the column headings.
    """

    dimension: str
    entered: str
    passed: str
    rows: tuple[SliceRow, ...]


@dataclass(frozen=True)
class HeatCell:
    """Entries and passes of one cell, with their sums over the baseline days."""

    entered: int
    passed: int
    baseline_entered: int
    baseline_passed: int


@dataclass(frozen=True)
class HeatMap:
    """A stage's rate by two dimensions: one cell for each row and column, None without entries."""

    row_dimension: str
    column_dimension: str
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    cells: tuple[tuple[HeatCell | None, ...], ...]


@dataclass(frozen=True)
class Pair:
    """An operational figure above the rate that it may influence, over the same days."""

    cause: Figure
    effect: Figure


@dataclass(frozen=True)
class Question:
    """A question of the stage (a key of the words' `questions`), its answer, and the figure behind it.

    `slice` is set if a finding answers no although the figure of the whole shop is within its baseline range.
    """

    key: str
    answer: QuestionAnswer
    figure: Figure | None = None
    slice: Slice | None = None


@dataclass(frozen=True)
class RelevanceCell:
    """The deviation of a creative on a landing page from what both alone predict: log odds, with counts."""

    creative: str
    landing_page: str
    sessions: int
    log_odds: float
    is_notable: bool = False

    @property
    def is_failing(self) -> bool:
        """Whether it does worse than creative and page alone predict, beyond chance."""
        return self.is_notable and self.log_odds < 0


@dataclass(frozen=True)
class Window:
    """Entries followed for `window_days`: each is converted, lost, or still pending.

    `rate` is 0 to 1 (converted / entered, or Kaplan–Meier, as the caller chooses), None while it is unknown.
    """

    window_days: int
    entered_from: date
    entered_to: date
    converted: int
    lost: int
    pending: int
    rate: float | None = None


@dataclass(frozen=True)
class ResponseWindow:
    """Presale inquiries followed for `window_days`: each is answered by a human, unanswered, or still open.

    `rate` is 0 to 1, None while no day's window is over. Half waited at most `median_seconds`; None while fewer than
    half are answered.
    """

    window_days: int
    entered_from: date
    entered_to: date
    answered: int
    unanswered: int
    pending: int
    rate: float | None = None
    median_seconds: float | None = None


@dataclass(frozen=True)
class Stage:
    """One of the four stages: traffic, landing, decision, repurchase.

    `no_data` is None if the stage has numbers; else the reason, printed in their place, before those `indicators` and
    `response_windows` that are known all the same. `rate` is the stage's main rate with its counts and trend.
    `indicators` are operational figures that explain it. `inquiry_windows` follow presale inquiries until their
    customer pays, `response_windows` until a human answers.
    """

    key: str
    rate: Figure | None = None
    steps: tuple[StageStep, ...] = ()
    slices: tuple[SliceTable, ...] = ()
    indicators: tuple[Figure, ...] = ()
    windows: tuple[Window, ...] = ()
    inquiry_windows: tuple[Window, ...] = ()
    response_windows: tuple[ResponseWindow, ...] = ()
    heat_map: HeatMap | None = None
    pairs: tuple[Pair, ...] = ()
    questions: tuple[Question, ...] = ()
    relevance: tuple[RelevanceCell, ...] = ()
    maturity: Message | None = None
    no_data: Message | None = None


@dataclass(frozen=True)
class ComparedFigure:
    """A figure that a platform states, with what it is held against.

    `before` is the value of the day before, `earlier` that of the same weekday a week before; for a week or month, of
    the previous one and of the one a year earlier. `peers` is the mean of comparable shops as the platform states it.
    `days` is how many of the report's days are known.
    """

    figure: Figure
    before: Number | None = None
    earlier: Number | None = None
    peers: Number | None = None
    target: Number | None = None
    days: int = 0


@dataclass(frozen=True)
class StatedObject:
    """A product, source, keyword, campaign, agent or room, with the figures in the columns of its table.

    A rollup sums other objects of the table. `is_found` means that a finding names it.
    """

    name: str
    object: str
    figures: tuple[Figure, ...]
    parent: str = ""
    device: str = ""
    is_rollup: bool = False
    is_found: bool = False

    @property
    def is_marked(self) -> bool:
        """Whether one of its figures is marked."""
        return any(figure.mark for figure in self.figures)


@dataclass(frozen=True)
class StatedTable:
    """The objects of one level. The objects overlap: nothing but amounts may be added up.

    `size` and `rate` are the keys of the figures that are held against their usual value: by which the objects are
    ordered, and of which a change matters. `object_count` counts the day's objects, also those that are too small to
    be read. Of advertising, `attribution_days` are the days after a click that it claims, `claim_age` those of them
    that were over when the figures were delivered; None where they are not stated. `peers` is a row of comparable
    shops.
    """

    level: str
    columns: tuple[str, ...]
    size: str
    rate: str | None
    objects: tuple[StatedObject, ...]
    object_count: int = 0
    attribution_days: int | None = None
    claim_age: int | None = None
    peers: StatedObject | None = None


@dataclass(frozen=True)
class StatedDelivery:
    """The newest day that a platform states at a level, the day it was delivered on, and the day's objects."""

    level: str
    newest_day: date
    delivered_on: date
    object_count: int = 0


@dataclass(frozen=True)
class StatedDay:
    """One day of a longer period, with the platform's main figures."""

    day: date
    figures: tuple[Figure, ...]


@dataclass(frozen=True)
class Claim:
    """What advertising cost on the day and claims to have sold within `days` after a click; `age` of them are over."""

    cost: Number
    attributed_amount: Number
    days: int
    age: int

    @property
    def return_on_spend(self) -> float | None:
        """Claimed amount / cost."""
        return float(self.attributed_amount) / float(self.cost) if self.cost else None


@dataclass(frozen=True)
class ShortStock:
    """A product whose stock ends soon: units left, and units sold a day in the week before."""

    platform: str
    name: str
    units: int
    units_a_day: float

    @property
    def days(self) -> float:
        """How many days the stock lasts."""
        return self.units / self.units_a_day


@dataclass(frozen=True)
class TrustLine:
    """Ours against what the platform states of the same thing. `usual_ratio` is the median of 28 days before."""

    metric: str
    ours: Number | None
    stated: Number | None
    usual_ratio: float | None = None

    @property
    def ratio(self) -> float | None:
        """Ours / stated."""
        return float(self.ours) / float(self.stated) if self.ours is not None and self.stated else None


@dataclass(frozen=True)
class Platform:
    """What one platform states: figures of the whole shop, its own funnel, and tables by level.

    `name` is the platform as delivered; `shop` is set where it has several. `level` is what the figures are of: the
    shop, or all rooms, products or campaigns together where nothing is stated of the shop. `others` are the figures
    that the first page leaves out, `days` the days of a week or month. `claim` is what all of its advertising
    claims of a day, where the window of that is stated.
    """

    name: str
    shop: str = ""
    level: str = "shop"
    figures: tuple[ComparedFigure, ...] = ()
    others: tuple[ComparedFigure, ...] = ()
    steps: tuple[StageStep, ...] = ()
    tables: tuple[StatedTable, ...] = ()
    deliveries: tuple[StatedDelivery, ...] = ()
    trust: tuple[TrustLine, ...] = ()
    days: tuple[StatedDay, ...] = ()
    claim: Claim | None = None

    def find_figure(self, key: str) -> Figure | None:
        """The figure of this key; None if it is not stated."""
        figures = [compared.figure for compared in (*self.figures, *self.others)]
        return next((figure for figure in figures if figure.key == key), None)


@dataclass(frozen=True)
class EditionChange:
    """A printed number that differs from the previous edition. `platform` is whose it is, if a platform states it."""

    figure: Figure
    before: Number | None
    platform: str = ""


@dataclass(frozen=True)
class FamilyDelivery:
    """What one family delivered for the day: rows read = accepted + duplicates + quarantined.

    `rows_excluded` are the accepted rows of people whom the shop does not count. `latest_event_time` is the shop's
    local time of the day's last event. `missing_types` are event types that the family has never delivered so far.
    """

    family: str
    state: DeliveryState
    rows_read: int | None = None
    rows_accepted: int | None = None
    rows_duplicate: int | None = None
    rows_quarantined: int | None = None
    latest_event_time: time | None = None
    rows_excluded: int | None = None
    missing_types: tuple[str, ...] = ()


@dataclass(frozen=True)
class CheckResult:
    """One check of the day's data: its name, its result, its tables, what was observed and expected.

    `title` is printed for a check without a name in the words files: one of the shop's own.
    """

    name: str
    state: CheckState
    tables: tuple[str, ...] = ()
    observed: Message | None = None
    expected: Message | None = None
    title: str | None = None


@dataclass(frozen=True)
class QuarantineCount:
    """The number of rows of a family in quarantine for one reason."""

    family: str
    reason: str
    rows: int


@dataclass(frozen=True)
class OwnStep:
    """One step of a funnel that the shop declared: units = converted + lost + pending. Rates are 0 to 1."""

    event: str
    units: int
    converted: int
    lost: int
    pending: int
    rate_from_previous: float | None = None
    rate_from_start: float | None = None
    median_seconds: float | None = None


@dataclass(frozen=True)
class OwnCohort:
    """The units that entered between two days, both included. Mature when all their windows are over."""

    entered_from: date
    entered_to: date
    is_mature: bool
    steps: tuple[OwnStep, ...]


@dataclass(frozen=True)
class OwnFunnel:
    """A funnel that the shop declared, for the last mature days, if any, and for the days since."""

    name: str
    cohorts: tuple[OwnCohort, ...]


@dataclass(frozen=True)
class DayInPeriod:
    """One day of a week or month: its verdict, None if it has not been judged, and its own numbers.

    `is_counted` means that its numbers are in the report. `editions` is the number of editions of its own report: if
    there is more than one, it was restated.
    """

    day: date
    verdict: ReportVerdict | None
    is_counted: bool
    editions: int = 0
    figures: tuple[Figure, ...] = ()
    promotion: str | None = None


@dataclass(frozen=True)
class Report:
    """One edition of the report of a day, a week, a month or a campaign.

    `business_date` is the day, or the last one of the period that `period` and `name` give ("2026-W24", "2026-06").
    `days` lists the period's days; "usual" then means as many usual days. `daily` is the main figure on each of them. A
    daily report has neither name nor days.
    `days_of_weekday` is the number of comparable days of its weekday, if these make up what is usual.

    `language` names a file of `messages/texts`; `currency` is printed with money; `edition` counts from 1 and rises
    when the day is restated; `snapshot` names the published data behind it; `time_zone` is the shop's. `last_good_date`
    is the latest day with usable numbers, given if the verdict is blocked. `promotion` names the promotion and phase of
    the day. `diagnosis` is None if none has run. `changes` lists differences from the previous edition,
    `late_deliveries` the files that came in between, `restated_days` the earlier days whose numbers have changed since
    the previous report. `platforms` holds what platforms state, `platform_total` the amounts of all together,
    `short_stock` the products whose stock ends within two days; a shop without events has no stages and no headline.
    `data_docs` is the path of the Data Docs pages, under the home folder. `derived_stays` is the share of views whose
    stay had to be derived, None if there are none. `labels` are the shop's own names, (value or `dimension.value`,
    name). A review of a campaign has `campaign` in place of a day's parts.
    """

    shop: str
    business_date: date
    time_zone: str
    language: str
    currency: str
    edition: int
    snapshot: str
    verdict: ReportVerdict
    baseline_days: int
    days_of_weekday: int | None = None
    period: PeriodKind = PeriodKind.DAY
    name: str = ""
    days: tuple[DayInPeriod, ...] = ()
    daily: Figure | None = None
    verdict_reasons: tuple[Message, ...] = ()
    last_good_date: date | None = None
    promotion: str | None = None
    headline: tuple[Headline, ...] = ()
    bridge: Bridge | None = None
    diagnosis: Diagnosis | None = None
    money: MoneySplit | None = None
    stages: tuple[Stage, ...] = ()
    platforms: tuple[Platform, ...] = ()
    platform_total: tuple[ComparedFigure, ...] = ()
    short_stock: tuple[ShortStock, ...] = ()
    deliveries: tuple[FamilyDelivery, ...] = ()
    checks: tuple[CheckResult, ...] = ()
    quarantine: tuple[QuarantineCount, ...] = ()
    own_funnels: tuple[OwnFunnel, ...] = ()
    changes: tuple[EditionChange, ...] = ()
    late_deliveries: tuple[str, ...] = ()
    restated_days: tuple[date, ...] = ()
    data_docs: str | None = None
    derived_stays: Figure | None = None
    campaign: CampaignReview | None = None
    labels: tuple[tuple[str, str], ...] = ()

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What is to be told of, the worst first; nothing where the data are blocked, whatever was found in them."""
        return self.diagnosis.findings if self.diagnosis and self.verdict is not ReportVerdict.BLOCKED else ()

    @property
    def follow_ups(self) -> tuple[FollowUp, ...]:
        """What became of earlier findings; nothing where the data are blocked, which cannot tell it."""
        return self.diagnosis.follow_ups if self.diagnosis and self.verdict is not ReportVerdict.BLOCKED else ()

    @property
    def label(self) -> str:
        """The name of the day or period in titles: 2026-06-14, 2026-W24, 2026-06, 618 2026-06-01."""
        return self.name or self.business_date.isoformat()


def load_report_words(report: Report) -> Words:
    """The words of the report's language and period, with the shop's own names.

    Raises UnknownWordError for a language without words.
    """
    return load_words(report.language, report.period).with_labels(dict(report.labels))


@dataclass(frozen=True)
class PageLink:
    """Another HTML page: its name and address, and whether it is there already."""

    name: str
    address: str
    is_there: bool = False


@dataclass(frozen=True)
class PageLinks:
    """What an HTML edition links to: the reports before and after, the other files of the edition, and the UI."""

    before: PageLink | None = None
    after: PageLink | None = None
    files: tuple[str, ...] = ()
    ui: str = ""


def select_findings_of_stage(report: Report, stage: str) -> tuple[Finding, ...]:
    """The day's findings in one stage, the worst first. Those about a platform's figures are on the platform's page."""
    return tuple(each for each in report.findings if each.stage == stage and get_platform(each) is None)


def find_first_day(report: Report) -> date:
    """The first day of the report."""
    if report.campaign is not None:
        return report.campaign.whole.from_date
    return report.days[0].day if report.days else report.business_date


def count_days(report: Report) -> int | None:
    """How many days count in a week, a month or a campaign; None in the report of a day."""
    if report.campaign is not None:
        return len(report.campaign.whole.counted)
    return sum(day.is_counted for day in report.days) if report.days else None


def select_told_findings(report: Report) -> tuple[Finding, ...]:
    """The findings that the first page tells, the worst first; those that people know are told in one line."""
    return tuple(each for each in report.findings if not each.is_quiet)[:FINDINGS_ON_THE_FIRST_PAGE]


def count_days_so_far(finding: Finding, day: date) -> int | None:
    """On which day of its fault the finding stands: 1 on the first."""
    return (day - finding.since).days + 1 if finding.since else None


def get_platform(finding: Finding) -> str | None:
    """The platform whose figures the finding is about; None if it is about the shop's own events."""
    return dict(finding.slice).get("platform")


def select_findings_of_platform(report: Report, platform: Platform) -> tuple[Finding, ...]:
    """The findings about the figures of the platform."""
    return tuple(
        each
        for each in report.findings
        if get_platform(each) == platform.name and platform.shop in ("", dict(each.slice).get("shop", report.shop))
    )


def has_events(report: Report) -> bool:
    """Whether the report is about events; else the shop delivers only what platforms state."""
    families = {each.family for each in report.deliveries if each.state is not DeliveryState.ABSENT}
    is_only_figures = families == {"figure"} if report.deliveries else bool(report.platforms)
    return bool(report.stages) or not is_only_figures


def select_told_indicators(report: Report, stage: Stage) -> tuple[Figure, ...]:
    """The operational figures of a stage that are printed: those beyond their usual range, and what a finding names.

    Those within it, and those of which nothing is known, are folded away. Where nobody looked for findings, all are
    printed.
    """
    if not is_diagnosed(report):
        return stage.indicators
    moved = {each.name for finding in select_findings_of_stage(report, stage.key) for each in finding.evidence}
    return tuple(
        figure
        for figure in stage.indicators
        if figure.mark
        or (is_known(figure) and not is_usual(figure))
        or any(_is_of_series(figure.key, name) for name in moved)
    )


def is_known(figure: Figure) -> bool:
    """Whether there is anything to tell of the figure: a value, or that it is missing where there usually is one."""
    return figure.value is not None or figure.baseline is not None


def is_usual(figure: Figure) -> bool:
    """Whether the figure is known to be within its usual range."""
    if figure.value is None or figure.usual_low is None or figure.usual_high is None:
        return False
    return float(figure.usual_low) <= float(figure.value) <= float(figure.usual_high)


def list_told_stages(report: Report) -> list[Stage]:
    """The stages to print; where platforms state figures, those without events of the shop are left out."""
    return [stage for stage in report.stages if not (report.platforms and _is_never_delivered(stage))]


def group_told_stages(report: Report) -> list[list[Stage]]:
    """The stages to print; those in a row that lack data for one reason, and have nothing else, stand together."""
    groups: list[list[Stage]] = []
    for stage in list_told_stages(report):
        is_bare = stage.no_data is not None and not (stage.indicators or stage.response_windows)
        if groups and is_bare and replace(groups[-1][0], key=stage.key) == stage:
            groups[-1].append(stage)
        else:
            groups.append([stage])
    return groups


def _is_never_delivered(stage: Stage) -> bool:
    return stage.no_data is not None and stage.no_data.key == "family_not_declared"


def list_told_headlines(report: Report) -> list[Headline]:
    """The large numbers to print, without those of which nothing is known, as of data that a shop never delivers."""
    known = [headline for headline in report.headline if is_known(headline.figure)]
    return known if known or report.platforms else list(report.headline)


def list_told_deliveries(report: Report) -> list[FamilyDelivery]:
    """The families of the first page, without those that the shop does not deliver."""
    return [each for each in report.deliveries if each.state is not DeliveryState.ABSENT]


def has_history(report: Report) -> bool:
    """Whether a figure is known of a day, or a period, before this one."""
    figures = [headline.figure for headline in report.headline]
    figures += [compared.figure for platform in report.platforms for compared in platform.figures]
    return any(point.value is not None for figure in figures for point in figure.trend[:-1])


def is_diagnosed(report: Report) -> bool:
    """Whether findings were looked for, so that no finding means that nothing is wrong."""
    return report.diagnosis is not None and report.diagnosis.state in ("calm", "found")


def list_marked_figures(report: Report) -> list[Figure]:
    """The marked figures of the first page and of the stages, each once."""
    figures = [headline.figure for headline in report.headline]
    for stage in report.stages:
        figures += [figure for figure in (stage.rate, *stage.indicators) if figure is not None]
    return list({figure.key: figure for figure in figures if figure.mark}.values())


def list_doubtful_figures(report: Report) -> list[Figure]:
    """Figures of the first page at twice their usual value or half of it, on a day whose data are warned of.

    What makes the data doubtful often makes the usual range so wide that nothing is beyond it.
    """
    if report.verdict is not ReportVerdict.WARN:
        return []
    return [figure for headline in report.headline if is_doubled(figure := headline.figure) and not figure.mark]


def is_doubled(figure: Figure) -> bool:
    """Whether the value is twice the baseline or more, or half of it or less."""
    if figure.value is None or not figure.baseline or figure.baseline < 0:
        return False
    return not 0.5 < float(figure.value) / float(figure.baseline) < 2


def list_marked_platform_figures(report: Report) -> list[tuple[Platform, str, Figure]]:
    """The marked figures of the platforms: whose, of what object (empty for the shop), and the figure.

    A step of the platform's funnel is told by the figure that it reaches.
    """
    marked: list[tuple[Platform, str, Figure]] = []
    for platform in report.platforms:
        figures = [compared.figure for compared in (*platform.figures, *platform.others)]
        figures += [Figure(step.key, Unit.RATE, step.rate_from_previous, mark=step.mark) for step in platform.steps]
        marked += [(platform, "", figure) for figure in figures if figure.mark]
        for table in platform.tables:
            marked += [
                (platform, each.name, figure) for each in table.objects for figure in each.figures if figure.mark
            ]
    return marked


def lacks_comparable_days(report: Report) -> bool:
    """Whether there are too few comparable earlier days to know what is unusual, as in a promotion of a new kind.

    Such a promotion is judged by rates alone: its figures have no usual.
    """
    diagnosis = report.diagnosis
    if diagnosis is None:
        return False
    is_by_rates_alone = bool(diagnosis.comparison) and not report.baseline_days
    return diagnosis.state in ("no_baseline", "not_comparable") or is_by_rates_alone


def _is_of_series(key: str, name: str) -> bool:
    """Whether the figure is the series, or one of its statistics: first_screen_p75_ms of first_screen_ms."""
    series, _, unit = name.rpartition("_")
    return key == name or (key.startswith(f"{series}_") and key.endswith(f"_{unit}"))


def select_drawn_parts(report: Report, stage: Stage) -> Stage:
    """The stage as it is drawn; the workbook always has everything.

    The comparison of slices is drawn where a finding names both of its dimensions. Of the figures that may have
    influenced the rate, those that moved are.
    """
    if not is_diagnosed(report):
        return replace(stage, heat_map=None, pairs=()) if lacks_comparable_days(report) else stage
    findings = select_findings_of_stage(report, stage.key)
    is_named = stage.heat_map is not None and any(
        {stage.heat_map.row_dimension, stage.heat_map.column_dimension} <= dict(finding.slice).keys()
        for finding in findings
    )
    moved = {each.name for finding in findings for each in finding.evidence}
    moved |= {figure.key for figure in stage.indicators if figure.mark}
    pairs = [pair for pair in stage.pairs if findings and any(_is_of_series(pair.cause.key, name) for name in moved)]
    return replace(stage, heat_map=stage.heat_map if is_named else None, pairs=tuple(pairs))
