"""What one daily report says, as plain frozen data.

Whoever fills these classes decides what is true; this package only prints it. Three rules hold throughout:

- A number that is absent is None and is printed as "no data", never as 0.
- Keys (of metrics, steps, stages, dimensions, families, messages) are looked up in `messages/texts/<language>.yaml`;
  an unknown key is an error. Dimension values, check names without a translation, and the shop are printed as they are.
- "Baseline" means the latest days of the shop, at most 28, that are fit to compare with; `Report.baseline_days` says
  how many there were. A baseline *figure* is that of their mean day: the mean of amounts, counts and medians; a rate
  has the counts of all of them added, then divided.
"""

from dataclasses import dataclass, replace
from datetime import date, time
from decimal import Decimal
from enum import StrEnum

from funnelscope.messages.message_types import Message, Number, PeriodKind, Slice, Unit

FULL_BASELINE_DAYS = 28


class ReportVerdict(StrEnum):
    """What the gate said of the day."""

    PASS = "pass"
    WARN = "warn"
    BLOCKED = "blocked"
    UNJUDGED = "unjudged"  # the gate has not run


class DeliveryState(StrEnum):
    """Whether a family of events arrived."""

    COMPLETE = "complete"
    MISSING = "missing"  # declared, but nothing came
    GROWING = "growing"  # declared, and still being written
    ABSENT = "absent"  # not declared: the shop does not deliver it


class FindingStatus(StrEnum):
    """How far a finding may be relied on."""

    CONFIRMED = "confirmed"
    PROVISIONAL = "provisional"  # touched by a warning about the data
    WITHHELD = "withheld"  # the data are at fault: no loss is named
    RECOVERED = "recovered"


class QuestionAnswer(StrEnum):
    """The answer to a question of a stage."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


class CheckState(StrEnum):
    """The result of one check on the data."""

    PASS = "pass"
    WARN = "warn"
    FAIL = "fail"
    SKIPPED = "skipped"


@dataclass(frozen=True)
class DayPoint:
    """One day of a series. `value` is None where the day has no usable number; `promotion` names a promotion day.

    `usual_low` and `usual_high` bound what is usual on that weekday, where that is known.
    """

    day: date
    value: Number | None
    promotion: str | None = None
    usual_low: Number | None = None
    usual_high: Number | None = None


@dataclass(frozen=True)
class Figure:
    """One number of the day beside its usual value.

    `numerator` and `denominator` are the counts behind a rate or a mean; `usual_low` and `usual_high` bound the usual
    range where one is known; `coverage` (0 to 1) is the share of the population that could be measured; `trend` ends
    with the business date. Over several days, `rule` says how they make the value (a key of the words'
    `several_days`), and `mean_of_days` is the figure by the marketplaces' rule, where theirs is another.
    """

    key: str
    unit: Unit
    value: Number | None
    numerator: Number | None = None
    denominator: Number | None = None
    baseline: Number | None = None
    usual_low: Number | None = None
    usual_high: Number | None = None
    coverage: float | None = None
    trend: tuple[DayPoint, ...] = ()
    rule: str | None = None
    mean_of_days: Number | None = None


@dataclass(frozen=True)
class Headline:
    """One of the first page's large numbers with what it is held against; `second` stands beside it, smaller.

    `month_to_date` covers the month up to the day, `month_target` the same days; `same_phase` is the figure's value on
    the same day of the same phase of the last like promotion, `same_phase_day` that day. Of a week or month, `before`
    is the value of the one before, `year_before` that of the like one a year earlier.
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


@dataclass(frozen=True)
class Estimate:
    """A number with the interval that holds it nine times out of ten."""

    value: Number
    low: Number | None = None
    high: Number | None = None


@dataclass(frozen=True)
class BridgeBar:
    """One step from the usual amount to the day's: what it changed, and the quantity's usual and present value."""

    key: str
    change: Number
    unit: Unit
    usual: Number | None = None
    today: Number | None = None


@dataclass(frozen=True)
class Bridge:
    """The way from the usual paid amount to the day's: the bars add up to `today - usual`, to the cent.

    `excluded` stands beside the sum.
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
    """What moved with a finding: an operational series, or an entry of the change log.

    `key` is `series`, `change_log` or `data_check`; `name` the series (a key of the words' `series`), or the kind of
    entry. `is_before` says that it moved on an earlier day than the finding.
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
class Finding:
    """One thing that moved, what it costs, and what to do about it.

    `kind` names the class of fault for machines, `title` for readers; `named` is the one object to open, as (dimension,
    value). `effect` is the
    change of the slice's rate relative to what was expected (-0.45 = 45 % below). Orders and money are losses: positive
    where something was lost. `mix` and `rate` are the slice's two parts of the change of the stage's rate, 0 to 1.
    Over several days they are sums, `days` says of how many. `stability` (0 to 1) is the share of resamples that name
    the same slice. `question` and `next_step` are finished
    sentences in the report's language.
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
    evidence: tuple[Evidence, ...] = ()
    question: str = ""
    next_step: str = ""
    recheck_date: date | None = None
    days: int | None = None
    status_reason: str = ""


@dataclass(frozen=True)
class FollowUp:
    """What became of an earlier finding: `state` is a key of the words' `follow_ups`."""

    stage: str
    kind: str
    title: str
    slice: Slice
    since: date | None
    state: str
    lost_amount: Estimate | None = None


@dataclass(frozen=True)
class VisibleDrop:
    """The smallest relative drop (0 to 1) of a stage's rate that one day's traffic can show."""

    stage: str
    drop: float


@dataclass(frozen=True)
class Diagnosis:
    """What the diagnosis of the day says. `state` is a key of the words' `diagnosis_states`, `reason` says why."""

    state: str
    reason: str = ""
    findings: tuple[Finding, ...] = ()
    follow_ups: tuple[FollowUp, ...] = ()
    visible_drops: tuple[VisibleDrop, ...] = ()


@dataclass(frozen=True)
class MoneyPart:
    """One class of the day's payments: its amount, how many payments it holds, and its baseline amount."""

    amount: Decimal | None
    payments: int | None = None
    baseline: Decimal | float | None = None


@dataclass(frozen=True)
class MoneySplit:
    """The money paid on the day, split so that A + B + C + D is the whole, to the cent.

    A `same_day`, B `carried_over`, C `presale_balance`, D `no_session`; `excluded` stands beside the sum, not in it.
    `factors` multiply to A: sessions, landing_rate, decision_rate, orders_per_paying_session, amount_per_order.
    """

    same_day: MoneyPart
    carried_over: MoneyPart
    presale_balance: MoneyPart
    no_session: MoneyPart
    excluded: MoneyPart
    factors: tuple[Figure, ...] = ()

    @property
    def parts(self) -> dict[str, MoneyPart]:
        """The four parts that add up to the day's paid amount, by key, in their printed order."""
        return {
            "same_day": self.same_day,
            "carried_over": self.carried_over,
            "presale_balance": self.presale_balance,
            "no_session": self.no_session,
        }

    @property
    def paid_amount(self) -> Decimal | None:
        """The known parts added up; None where every part is absent."""
        amounts = [part.amount for part in self.parts.values() if part.amount is not None]
        return sum(amounts, Decimal(0)) if amounts else None


@dataclass(frozen=True)
class StageStep:
    """One step of a stage's funnel.

    `rate_from_previous` is 0 to 1 and None for the first step; `baseline_rate` is that rate of the baseline days
    together, `usual_low` and `usual_high` bound it by day. `baseline_count` is the mean daily count.
    """

    key: str
    count: int | None
    rate_from_previous: float | None = None
    baseline_count: float | None = None
    baseline_rate: float | None = None
    usual_low: float | None = None
    usual_high: float | None = None


@dataclass(frozen=True)
class SliceRow:
    """One value of a dimension. Baseline counts are sums over all baseline days, so that rates can be pooled.

    `value` None means that the events named none.
    """

    value: str | None
    entered: int
    passed: int
    baseline_entered: int | None = None
    baseline_passed: int | None = None

    @property
    def rate(self) -> float | None:
        """Passed / entered of the day."""
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

    Hand over every value, in any order: the largest are printed and the rest is added up as "other".
    `entered` and `passed` are the metric or step keys that head the columns.
    """

    dimension: str
    entered: str
    passed: str
    rows: tuple[SliceRow, ...]


@dataclass(frozen=True)
class HeatCell:
    """Entries and passes of one cell, with the sums over the baseline days."""

    entered: int
    passed: int
    baseline_entered: int
    baseline_passed: int


@dataclass(frozen=True)
class HeatMap:
    """A stage's rate by two dimensions: one cell for each row and column, None where nothing entered."""

    row_dimension: str
    column_dimension: str
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    cells: tuple[tuple[HeatCell | None, ...], ...]


@dataclass(frozen=True)
class Pair:
    """An operational figure above the rate that it may move, over the same days."""

    cause: Figure
    effect: Figure


@dataclass(frozen=True)
class Question:
    """A question of the stage (a key of the words' `questions`), its answer, and the figure it rests on.

    `slice` is where a finding says no, though the whole shop's figure may be as usual.
    """

    key: str
    answer: QuestionAnswer
    figure: Figure | None = None
    slice: Slice | None = None


@dataclass(frozen=True)
class RelevanceCell:
    """How far a creative on a landing page does better or worse than both alone let expect: log odds, with counts."""

    creative: str
    landing_page: str
    sessions: int
    log_odds: float
    is_notable: bool = False

    @property
    def is_failing(self) -> bool:
        """Worse than creative and page alone, and not by chance."""
        return self.is_notable and self.log_odds < 0


@dataclass(frozen=True)
class Window:
    """Entries followed for `window_days`: each has converted, is lost, or is still pending.

    `rate` is 0 to 1 (converted / entered, or Kaplan–Meier; the caller's choice), None while it cannot be known.
    """

    window_days: int
    entered_from: date
    entered_to: date
    converted: int
    lost: int
    pending: int
    rate: float | None = None


@dataclass(frozen=True)
class Stage:
    """One of the four stages: traffic, landing, decision, repurchase.

    `no_data` is None where the stage has numbers; else the reason, printed in their place. `rate` is the stage's main
    rate with its counts and its trend. `indicators` are operational figures that explain it.
    `inquiry_windows` follow presale inquiries until their customer pays.
    """

    key: str
    rate: Figure | None = None
    steps: tuple[StageStep, ...] = ()
    slices: tuple[SliceTable, ...] = ()
    indicators: tuple[Figure, ...] = ()
    windows: tuple[Window, ...] = ()
    inquiry_windows: tuple[Window, ...] = ()
    heat_map: HeatMap | None = None
    pairs: tuple[Pair, ...] = ()
    questions: tuple[Question, ...] = ()
    relevance: tuple[RelevanceCell, ...] = ()
    maturity: Message | None = None
    no_data: Message | None = None


@dataclass(frozen=True)
class EditionChange:
    """A printed number that differs from the edition before."""

    figure: Figure
    before: Number | None


@dataclass(frozen=True)
class FamilyDelivery:
    """What one family delivered for the day: rows read = accepted + duplicates + quarantined.

    `rows_excluded` are those of the accepted rows that name people whom the shop does not count. `latest_event_time` is
    the shop's clock at the day's last event.
    """

    family: str
    state: DeliveryState
    rows_read: int | None = None
    rows_accepted: int | None = None
    rows_duplicate: int | None = None
    rows_quarantined: int | None = None
    latest_event_time: time | None = None
    rows_excluded: int | None = None


@dataclass(frozen=True)
class CheckResult:
    """One check on the day's data: its name, its result, the tables it is about, what was seen and what should be.

    `title` is what is printed for a name that the words files do not have: a check of the shop's own.
    """

    name: str
    state: CheckState
    tables: tuple[str, ...] = ()
    observed: Message | None = None
    expected: Message | None = None
    title: str | None = None


@dataclass(frozen=True)
class QuarantineCount:
    """How many rows of a family lie in quarantine for one reason."""

    family: str
    reason: str
    rows: int


@dataclass(frozen=True)
class OwnStep:
    """One step of a funnel that the shop declared: units there = converted + lost + pending. Rates are 0 to 1."""

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
    """The units that entered between two days, both in; mature once all their windows are over."""

    entered_from: date
    entered_to: date
    is_mature: bool
    steps: tuple[OwnStep, ...]


@dataclass(frozen=True)
class OwnFunnel:
    """A funnel that the shop declared: of the last mature days, where there are any, and of the days since."""

    name: str
    cohorts: tuple[OwnCohort, ...]


@dataclass(frozen=True)
class DayInPeriod:
    """One day of a week or month: its verdict, None where it has not been judged, and its own numbers.

    `is_counted` says that its numbers are in the report; `editions` counts the editions of its own report: more than
    one, and it was restated.
    """

    day: date
    verdict: ReportVerdict | None
    is_counted: bool
    editions: int = 0
    figures: tuple[Figure, ...] = ()
    promotion: str | None = None


@dataclass(frozen=True)
class Report:
    """One edition of the report of a day, a week or a month.

    `business_date` is the day, or the last one of the period that `period` and `name` tell ("2026-W24", "2026-06");
    `days` lists the period's days, and "baseline" then means the earlier periods. A day has neither name nor days.

    `language` names a file of `messages/texts`; `currency` is printed beside money; `edition` counts from 1 and rises
    when the day is restated; `snapshot` names the published data it was made from; `time_zone` is the shop's.
    `last_good_date` is the latest day whose numbers may be used, given where the verdict is blocked. `promotion` names
    the promotion and phase that the day belongs to. `diagnosis` is
    None where none has run. `changes` lists what differs from the edition before, `late_deliveries` the files that came
    in between, `restated_days` the earlier days whose numbers have changed since the report before. `data_docs` is
    where every expectation is told in detail, under the home folder.
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
    period: PeriodKind = PeriodKind.DAY
    name: str = ""
    days: tuple[DayInPeriod, ...] = ()
    verdict_reasons: tuple[Message, ...] = ()
    last_good_date: date | None = None
    promotion: str | None = None
    headline: tuple[Headline, ...] = ()
    bridge: Bridge | None = None
    diagnosis: Diagnosis | None = None
    money: MoneySplit | None = None
    stages: tuple[Stage, ...] = ()
    deliveries: tuple[FamilyDelivery, ...] = ()
    checks: tuple[CheckResult, ...] = ()
    quarantine: tuple[QuarantineCount, ...] = ()
    own_funnels: tuple[OwnFunnel, ...] = ()
    changes: tuple[EditionChange, ...] = ()
    late_deliveries: tuple[str, ...] = ()
    restated_days: tuple[date, ...] = ()
    data_docs: str | None = None

    @property
    def label(self) -> str:
        """What the report is about, in a title: 2026-06-14, 2026-W24, 2026-06."""
        return self.name or self.business_date.isoformat()


def select_findings_of_stage(report: Report, stage: str) -> tuple[Finding, ...]:
    """The day's findings in one stage, the worst first as the diagnosis orders them."""
    if report.diagnosis is None:
        return ()
    return tuple(finding for finding in report.diagnosis.findings if finding.stage == stage)


def is_diagnosed(report: Report) -> bool:
    """Whether findings were looked for, so that no finding means that nothing was found."""
    return report.diagnosis is not None and report.diagnosis.state in ("calm", "found")


def lacks_comparable_days(report: Report) -> bool:
    """Whether no earlier days are fit to say what is unusual: too few of them, or a promotion without one like it."""
    return report.diagnosis is not None and report.diagnosis.state in ("no_baseline", "not_comparable")


def select_drawn_parts(report: Report, stage: Stage) -> Stage:
    """The stage as it is drawn: without slices against usual and without what may have moved its rate, where nothing
    was found, or where nothing can be.

    The workbook has them all the same.
    """
    is_calm = is_diagnosed(report) and not select_findings_of_stage(report, stage.key)
    return replace(stage, heat_map=None, pairs=()) if is_calm or lacks_comparable_days(report) else stage
