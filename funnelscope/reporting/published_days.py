"""One period, usually a day, from the published tables, with the earlier ones that it is compared with."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import cached_property
from statistics import fmean, median
from typing import Any

import duckdb

import reports
from funnelscope.diagnosis.comparable_days import (
    BASELINE_DAYS,
    find_comparable_days,
    find_promotion_day,
    find_regular_days,
)
from funnelscope.diagnosis.finding_marks import read_marks
from funnelscope.events.metrics import METRICS, Metric, SeveralDays
from funnelscope.messages.message_types import Number, PeriodKind, Unit
from funnelscope.messages.wording import load_words
from funnelscope.reporting.periods import AROUND_DAYS, Period
from funnelscope.reporting.usual import Chance, Counts, Usual, UsualFigure, Yardstick
from funnelscope.settings import Settings
from funnelscope.warehouse.connection import list_columns

EARLIER_PERIODS = {
    PeriodKind.DAY: reports.FULL_BASELINE_DAYS,
    PeriodKind.WEEK: 12,  # a quarter, with this one
    PeriodKind.MONTH: 12,  # back to the same month a year earlier
    PeriodKind.CAMPAIGN: 0,
}
# Keys that the registry holds as one measured duration and the report prints as single figures. Medians and quartiles
# of days cannot be combined into those of the period; means can, because the number of cases is known.
DURATION_FIGURES = {
    "first_screen_p50_ms": ("first_screen_ms", "median"),
    "first_screen_p75_ms": ("first_screen_ms", "p75"),
    "first_response_median_seconds": ("first_response_seconds", "median"),
    "first_response_p90_seconds": ("first_response_seconds", "p90"),
    "repurchase_interval_median_days": ("repurchase_interval_days", "median"),
}
DURATION_FIGURES_OF_DAYS = {
    "first_screen_mean_ms": ("first_screen_ms", "value"),
    "first_response_mean_seconds": ("first_response_seconds", "value"),
    "repurchase_interval_mean_days": ("repurchase_interval_days", "value"),
}
POOLED_RULES = (SeveralDays.POOLED, SeveralDays.PERIOD)
COVERAGE = {
    "three_second_rate": "measured_stay_share",
    "first_response_median_seconds": "same_day_answer_rate",
    "first_response_p90_seconds": "same_day_answer_rate",
    "first_response_mean_seconds": "same_day_answer_rate",
}
REFUNDS = tuple(key for key in METRICS if key.startswith("refund_amount"))
WHOLE_REFUNDS = 0.95
"""A day that usually has a smaller share of its refunds at its age is not yet compared."""
FEWEST_ARRIVALS = 7
"""Days on which refunds arrived, without which nobody knows how late they are."""

Record = dict[str, Any]  # numerator, denominator, value; for durations median, p75, p90; for several days mean_of_days


class Published:
    """Reads one period and the earlier ones that it is compared with from the published tables.

    A period is always identified by its last day: `business_date` is that of the report.

    Attributes:
        dates: the days whose numbers are in the report: the day itself; for a longer period those that are published
            and passed the gate.
        yardstick: the comparable days, by which every figure of the report is measured.
        earlier: last day → days of each earlier period of the series that is drawn. Days that this period lacks are
            left out of the earlier ones too, so that like is drawn beside like.
        daily: metric → day → its record.
        metrics: the same by period.
    """

    def __init__(
        self, connection: duckdb.DuckDBPyConnection, settings: Settings, period: Period, language: str
    ) -> None:
        self.connection = connection
        self.settings = settings
        self.period = period
        self.business_date = period.to_date
        self.language = language
        self.labels = settings.list_labels(language)
        self.marks = read_marks(settings.home)
        self.is_day = period.kind is PeriodKind.DAY
        self.verdicts: dict[date, str] = dict(
            self.rows("select business_date, verdict from quality.day_verdict where business_date <= $to_date")
        )
        self.published = {day for (day,) in self.rows("select business_date from quality.published_days")}
        self.dates = period.days if self.is_day else [day for day in period.days if self.is_usable(day)]
        self.is_whole = self.dates == period.days
        count = EARLIER_PERIODS[period.kind]
        self.series = [period.before(number) for number in range(count, 0, -1)] + [period]
        self.earlier = {each.to_date: days for each in self.series[:-1] if (days := self.comparable_days(each))}
        self.is_published = any(day in self.published for day in self.dates)
        self.yardstick = self._find_yardstick()
        self.first_date = min([self.series[0].from_date, *self.yardstick.days])
        self.daily = self._read_daily()
        self.metrics = self.daily if self.is_day else self._pool()

    def is_usable(self, day: date) -> bool:
        """Whether the day's numbers may be compared with: published, and not only history of orders."""
        return day in self.published and self.verdicts.get(day) in ("pass", "warn")

    def comparable_days(self, earlier: Period) -> list[date]:
        """The days of the earlier period that match this one's; empty if one of them is unusable."""
        days = earlier.days
        if not self.is_whole:
            places = [(day - self.period.from_date).days for day in self.dates]
            if any(place >= len(days) for place in places):
                return []
            days = [days[place] for place in places]
        return days if all(map(self.is_usable, days)) else []

    def _find_yardstick(self) -> Yardstick:
        """The comparable days: those of the diagnosis, without days on which a fault stood.

        A longer period is compared with the days before its first one, a campaign with those before the week before it.
        """
        first = self.dates[0] if self.dates else self.business_date
        if self.period.kind is PeriodKind.CAMPAIGN:
            first = self.period.from_date - timedelta(days=AROUND_DAYS)
        regular = find_regular_days(self, self.settings, first, left_out=self._find_fault_days(first))
        days = regular
        if self.is_day:
            compared = find_comparable_days(self, self.settings, self.business_date)
            days = regular if find_promotion_day(self.settings.calendar, self.business_date) is None else compared.twins
            is_judged = compared.state == "diagnosed" and bool(days)
        else:
            is_judged = len(regular) >= BASELINE_DAYS and not any(map(self.promotion, self.period.days))
        published = tuple(day for day in days if day in self.published)
        return Yardstick(published, tuple(self.dates), has_range=days == regular, is_judged=is_judged)

    def _find_fault_days(self, day: date) -> set[date]:
        """Earlier days with a confirmed finding. What has lasted for four weeks is the new usual."""
        if not self.has_table("diagnosis", "findings"):
            return set()
        rows = self.rows(
            "select distinct business_date from diagnosis.findings "
            "where status = 'confirmed' and business_date < $day and since_date >= $oldest",
            day=day,
            oldest=day - timedelta(days=BASELINE_DAYS),
        )
        return {found for (found,) in rows}

    @property
    def last_date(self) -> date:
        """The last day whose numbers are in the report; that of the period, if there is none."""
        return max(self.dates, default=self.business_date)

    @property
    def usual_dates(self) -> list[date]:
        """The comparable days that make up what is usual on these dates."""
        usual = self.yardstick.fit(dict.fromkeys(self.yardstick.days, (0.0, None)))
        return sorted({day for date_ in self.dates for day in usual.find_alike(date_)})

    def count_days_of_weekday(self) -> int | None:
        """The number of comparable days of the day's weekday; None where these are not what is usual."""
        usual = self.usual_dates
        is_one = self.is_day and len(usual) > 1 and {day.weekday() for day in usual} == {self.business_date.weekday()}
        return len(usual) if is_one else None

    def is_quiet(self, finding_id: str, effect: float | None) -> bool:
        """Whether people have said enough of the finding, so that it needs no telling."""
        mark = self.marks.get(finding_id)
        return mark is not None and mark.is_quiet(effect)

    def rows(self, statement: str, **parameters: object) -> list[tuple[Any, ...]]:
        """Rows of the published copy.

        Known parameters: the first and last day read, the report's days, and those of the baseline.
        """
        given = {"to_date": self.business_date, **parameters}
        of_report = {"from_date": "first_date", "dates": "dates", "usual_dates": "usual_dates"}
        given |= {name: getattr(self, field) for name, field in of_report.items() if f"${name}" in statement}
        used = {name: value for name, value in given.items() if f"${name}" in statement}
        return self.connection.execute(statement, used).fetchall()

    def by_period(self, days: Mapping[date, Any]) -> dict[date, list[Any]]:
        """The values of the days by period: last day → values in order, without days that are in no period."""
        periods = {**self.earlier, self.business_date: self.dates}
        return {
            last: values for last, dates in periods.items() if (values := [days[day] for day in dates if day in days])
        }

    def summed(self, days: Mapping[date, Any]) -> dict[date, Any]:
        """Counts or amounts summed by period."""
        return {last: sum(values) for last, values in self.by_period(days).items()}

    def _read_daily(self) -> dict[str, dict[date, Record]]:
        """The records of each metric; where a family is missing, that nothing was counted tells nothing."""
        found: dict[str, dict[date, Record]] = {}
        names = ("numerator", "denominator", "value", "median", "p75", "p90")
        for metric, day, *values in self.rows(
            "select metric, business_date, numerator, denominator, value, median, p75, p90 from marts.daily_metrics "
            "where business_date between $from_date and $to_date "
            "and (coalesce(numerator, 0) != 0 or coalesce(denominator, 0) != 0 or business_date not in ("
            "select business_date from quality.family_days where state in ('missing', 'growing')))"
        ):
            found.setdefault(metric, {})[day] = dict(zip(names, values, strict=True))
        for day, value in (
            self.rows(
                "select business_date, standardised_session_rate from marts.daily_summary "
                "where business_date between $from_date and $to_date and standardised_session_rate is not null"
            )
            if self.is_day
            else []
        ):
            record = {"numerator": None, "denominator": None, "value": value}
            found.setdefault("standardised_session_pay_rate", {})[day] = record
        return found

    def _pool(self) -> dict[str, dict[date, Record]]:
        pooled = {
            key: {
                last: record
                for last, records in self.by_period(days).items()
                if (record := pool(METRICS[key], records))
            }
            for key, days in self.daily.items()
        }
        return pooled | self._people()

    def _people(self) -> dict[str, dict[date, Record]]:
        """Distinct people, counted again up to the period's last day; known if the period lacks no earlier day."""
        if not self.has_table("marts", "people_to_date"):
            return {"visitors": {}, "buyers": {}}
        people: dict[str, dict[date, Record]] = {"visitors": {}, "buyers": {}}
        counted = {
            day: counts
            for day, *counts in self.rows(
                "select business_date, visitors, buyers from marts.people_to_date "
                "where period = $kind and business_date between $from_date and $to_date",
                kind=self.period.kind.value,
            )
        }
        for each in self.series:
            dates = self.dates if each == self.period else self.earlier.get(each.to_date, [])
            has_gap = dates != each.days[: len(dates)]
            for key, value in zip(people, counted.get(dates[-1], ()) if dates and not has_gap else (), strict=False):
                if value is not None:
                    people[key][each.to_date] = {"numerator": value, "denominator": None, "value": value}
        return people

    def has_table(self, schema: str, table: str) -> bool:
        """Whether the published copy has the table."""
        return bool(list_columns(self.connection, f"{schema}.{table}"))

    @cached_property
    def known_refunds(self) -> float | None:
        """The share of its refunds that a day usually has by now; None where that is as good as all, or not known.

        Exports of orders tell of a refund days after the day that it is dated by. Earlier days say of how many, those
        that were delivered as early as the last day of this period.
        """
        if not self.has_table("marts", "refund_arrivals"):
            return None
        shares = self.rows(
            """
            with ages as (
                select max(business_date + lag_days) - $last::DATE as age_days
                from marts.refund_arrivals
            )
            select sum(refunds) filter (where lag_days <= age_days) / sum(refunds)
            from marts.refund_arrivals
            cross join ages
            where business_date between $last::DATE - $days::INTEGER and $last::DATE - 1 and first_lag_days <= age_days
            group by business_date
            """,
            last=self.last_date,
            days=2 * BASELINE_DAYS,
        )
        share = median(float(share or 0) for (share,) in shares) if len(shares) >= FEWEST_ARRIVALS else 1.0
        return share if share < WHOLE_REFUNDS else None

    def has_delivered(self, condition: str) -> bool:
        """Whether the shop has delivered such event types or columns by the last day; where nobody tells, it may have.

        Args:
            condition: SQL over marts.delivered_columns.
        """
        if not self.has_table("marts", "delivered_columns"):
            return True
        rows = self.rows(
            f"select count(*) from marts.delivered_columns where ({condition}) and business_date <= $to_date"
        )
        return bool(rows[0][0])

    def _source(self, key: str) -> tuple[str, str]:
        """The metric and the field of its record behind a printed figure."""
        return (DURATION_FIGURES if self.is_day else DURATION_FIGURES_OF_DAYS).get(key, (key, "value"))

    def figure(self, key: str) -> reports.Figure:
        """The metric's figure of the day with its baseline, range and trend."""
        metric_key, field = self._source(key)
        days = self.metrics.get(metric_key, {})
        today = days.get(self.business_date, {})
        unit = _find_unit(metric_key)
        known_refunds = self.known_refunds if metric_key in REFUNDS else None
        usual = self._fit(metric_key, field) if known_refunds is None else None
        found = self._estimate_usual(metric_key, field, today) if usual else None
        coverage = self.metrics.get(COVERAGE.get(key, ""), {}).get(self.business_date, {}).get("value")
        is_share = field == "value" and today.get("denominator") is not None
        return reports.Figure(
            key=key,
            unit=unit,
            value=_make_printable(today.get(field), unit, today.get("numerator") if not is_share else None),
            numerator=_round_whole(today.get("numerator")) if is_share and today.get("value") is not None else None,
            denominator=_round_whole(today.get("denominator")) if is_share and today.get("value") is not None else None,
            baseline=found.value if found else None,
            usual_low=found.low if found else None,
            usual_high=found.high if found else None,
            surprise=found.surprise if found and self.yardstick.is_judged else None,
            coverage=coverage,
            arrived=known_refunds,
            trend=self.trend(days, field, usual if self.is_day else None),
            rule=None if self.is_day else _find_rule(metric_key),
            mean_of_days=today.get("mean_of_days"),
        )

    def list_daily_values(self, key: str) -> dict[date, Number | None]:
        """The metric on each day up to the period's last one with numbers; None on a day that is left out."""
        known = self.daily.get(key, {})
        days = [day for day in self.period.days if day <= self.last_date]
        return {day: known[day]["value"] if day in self.dates and day in known else None for day in days}

    def fit_days(self, key: str) -> UsualFigure:
        """What the comparable days let expect of the metric on any day."""
        return self._fit(key, "value")

    def _fit(self, key: str, field: str) -> UsualFigure:
        unit = _find_unit(key)
        chance = Chance.SHARE if unit is Unit.RATE else Chance.COUNT if unit is Unit.COUNT else Chance.NONE
        values = {
            day: counts for day, record in self.daily.get(key, {}).items() if (counts := _count(key, field, record))
        }
        has_counts = all(denominator is not None for _, denominator in values.values())
        return self.yardstick.fit(values, chance if has_counts or chance is not Chance.SHARE else Chance.NONE)

    def _estimate_usual(self, key: str, field: str, today: Record) -> Usual | None:
        """What is usual for the report's dates. Distinct people of a period have the mean of earlier periods."""
        if not self.is_day and key in METRICS and METRICS[key].several_days is SeveralDays.DISTINCT:
            known = [
                float(record["value"])
                for each in self.series[:-1]
                if (record := self.metrics.get(key, {}).get(each.to_date)) and not any(map(self.promotion, each.days))
            ]
            return Usual(fmean(known)) if known else None
        return self._fit(key, field).estimate(self.dates, _count(key, field, today))

    def trend(
        self, days: Mapping[date, Mapping[str, Any]], field: str, usual: UsualFigure | None = None
    ) -> tuple[reports.DayPoint, ...]:
        """The series of a field up to this period, with promotions and ranges. Unusable days have no value."""
        usable = {*self.earlier, self.business_date}
        first = min((day for day in days if day in usable), default=self.business_date)
        week = [self.business_date - timedelta(days=number) for number in range(7)] if usual else []
        ranges = {day.weekday(): usual.estimate([day]) for day in week if usual}
        points = []
        for each in self.series:
            if each.to_date < first:
                continue
            value = days[each.to_date][field] if each.to_date in usable and each.to_date in days else None
            point = reports.DayPoint(each.to_date, value, self.promotion(each.to_date))
            found = ranges.get(each.to_date.weekday())
            points.append(replace(point, usual_low=found.low, usual_high=found.high) if found else point)
        return tuple(points)

    def promotion(self, last: date, first: date | None = None) -> str | None:
        """The first promotion of the shop's calendar that touches the period that ends with `last`.

        For a range within it, `first` is its first day.
        """
        begins = {each.to_date: each.from_date for each in self.series}
        first = first or begins.get(last, last)
        return next(
            (
                f"{self.name_promotion(promotion.name)} {self.name_phase(promotion.phase)}"
                for promotion in self.settings.calendar
                if convert_to_date(promotion.starts) <= last and first <= convert_to_date(promotion.ends)
            ),
            None,
        )

    def name_promotion(self, name: str) -> str:
        """The shop's own name of a promotion of the calendar."""
        return self.labels.get(name, name)

    def name_phase(self, phase: str) -> str:
        """The shop's own name of a phase, else that of the words."""
        return self.labels.get(phase) or load_words(self.language).translate_or_keep("phases", phase)

    def is_known(self, key: str) -> bool:
        """Whether the metric of a printed figure is known on any day."""
        metric_key, _ = self._source(key)
        return bool(self.metrics.get(metric_key))


def pool(metric: Metric, days: Sequence[Record]) -> Record | None:
    """The metric over several days, from its daily records, by the rule of the registry; None if no day has it.

    Distinct people cannot be derived from days.
    """
    known = [day for day in days if day["numerator"] is not None]
    if not known or metric.several_days is SeveralDays.DISTINCT:
        return None
    numerator = sum(day["numerator"] for day in known)
    if metric.several_days is SeveralDays.SUM:
        return {"numerator": numerator, "denominator": None, "value": numerator}
    if metric.several_days is SeveralDays.PERIOD:
        measured = [day for day in known if day["value"] is not None]
        weights = sum(float(day["numerator"]) for day in measured)
        total = sum(float(day["numerator"]) * float(day["value"]) for day in measured)
        return {"numerator": numerator, "denominator": None, "value": total / weights if weights else None}
    denominator = sum(day["denominator"] or 0 for day in known)
    values = [float(day["value"]) for day in known if day["value"] is not None]
    return {
        "numerator": numerator,
        "denominator": denominator,
        "value": float(numerator) / float(denominator) if denominator else None,
        "mean_of_days": fmean(values) if metric.platform_mean and values else None,
    }


def _find_rule(key: str) -> str:
    return "mean" if METRICS[key].several_days is SeveralDays.PERIOD else METRICS[key].several_days.value


def _find_unit(key: str) -> Unit:
    if key == "standardised_session_pay_rate":
        return Unit.RATE
    metric: Metric = METRICS[key]
    return Unit(metric.unit.value)


def _make_printable(value: Number | None, unit: Unit, total: Number | None) -> Number | None:
    """Sums of money keep their cents exactly; everything else becomes a float."""
    if value is None:
        return None
    if unit == Unit.MONEY and total is not None:
        return Decimal(total).quantize(Decimal("0.01"))
    return int(value) if unit == Unit.COUNT else float(value)


def _round_whole(value: Number | None) -> Number | None:
    if value is None:
        return None
    return int(value) if value == int(value) else Decimal(value).quantize(Decimal("0.01"))


def _count(key: str, field: str, record: Record) -> Counts | None:
    """The numerator and denominator behind a figure; None where the record lacks it."""
    if record.get(field) is None:
        return None
    value, rule = float(record[field]), METRICS[key].several_days if key in METRICS else None
    if field == "value" and rule is SeveralDays.POOLED and record["denominator"] is not None:
        return float(record["numerator"]), float(record["denominator"])
    if field == "value" and rule is SeveralDays.PERIOD and record["numerator"] is not None:
        return float(record["numerator"]) * value, float(record["numerator"])
    return value, None


def convert_to_date(moment: date | datetime) -> date:
    """The date of a date or datetime."""
    return moment.date() if isinstance(moment, datetime) else moment
