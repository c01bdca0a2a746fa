"""One period, usually a day, from the published tables, with the earlier ones that it is compared with."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from statistics import fmean, quantiles
from typing import Any

import duckdb

import reports
from funnelscope.events.metrics import METRICS, Metric, SeveralDays
from funnelscope.messages.message_types import Number, PeriodKind, Unit
from funnelscope.reporting.periods import Period
from funnelscope.settings import Settings

FEWEST_DAYS_FOR_A_BAND = 7
DAYS_FOR_WEEKDAYS = 14
EARLIER_PERIODS = {
    PeriodKind.DAY: reports.FULL_BASELINE_DAYS,
    PeriodKind.WEEK: 12,  # a quarter, with this one
    PeriodKind.MONTH: 12,  # back to the same month a year earlier
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

Record = dict[str, Any]  # numerator, denominator, value; for durations median, p75, p90; for several days mean_of_days


class Published:
    """Reads one period and the earlier ones that it is compared with from the published tables.

    A period is always identified by its last day: `business_date` is that of the report.

    Attributes:
        dates: the days whose numbers are in the report: the day itself; for a longer period those that are published
            and passed the gate.
        earlier: last day → days of each earlier comparable period. Days that this period lacks are left out of the
            earlier ones too, so that like is compared with like.
        baseline_days: the last days of the earlier periods, in order.
    """

    def __init__(
        self, connection: duckdb.DuckDBPyConnection, settings: Settings, period: Period, language: str
    ) -> None:
        self.connection = connection
        self.settings = settings
        self.period = period
        self.business_date = period.to_date
        self.language = language
        self.is_day = period.kind is PeriodKind.DAY
        self.first_date = period.before(EARLIER_PERIODS[period.kind]).from_date
        self.verdicts: dict[date, str] = dict(
            self.rows("select business_date, verdict from quality.day_verdict where business_date <= $to_date")
        )
        self.published = {day for (day,) in self.rows("select business_date from quality.published_days")}
        self.dates = period.days if self.is_day else [day for day in period.days if self._is_usable(day)]
        self.is_whole = self.dates == period.days
        count = EARLIER_PERIODS[period.kind]
        self.series = [period.before(number) for number in range(count, 0, -1)] + [period]
        self.earlier = {each.to_date: days for each in self.series[:-1] if (days := self.comparable_days(each))}
        self.baseline_days = list(self.earlier)
        self.is_published = any(day in self.published for day in self.dates)
        self.metrics = self._metrics()

    def _is_usable(self, day: date) -> bool:
        return day in self.published and self.verdicts.get(day) in ("pass", "warn")

    def comparable_days(self, earlier: Period) -> list[date]:
        """The days of the earlier period that match this one's; empty if one of them is unusable."""
        days = earlier.days
        if not self.is_whole:
            places = [(day - self.period.from_date).days for day in self.dates]
            if any(place >= len(days) for place in places):
                return []
            days = [days[place] for place in places]
        return days if all(map(self._is_usable, days)) else []

    @property
    def usual_dates(self) -> list[date]:
        """Every day of the earlier periods."""
        return [day for days in self.earlier.values() for day in days]

    def rows(self, statement: str, **parameters: object) -> list[tuple[Any, ...]]:
        """Rows of the published copy.

        Known parameters: the first and last day read, the report's days, and those of the baseline.
        """
        given = {"from_date": self.first_date, "to_date": self.business_date, **parameters}
        given |= {name: getattr(self, name) for name in ("dates", "usual_dates") if f"${name}" in statement}
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

    def _metrics(self) -> dict[str, dict[date, Record]]:
        """metric → last day of the period → its record."""
        found: dict[str, dict[date, Record]] = {}
        names = ("numerator", "denominator", "value", "median", "p75", "p90")
        for metric, day, *values in self.rows(
            "select metric, business_date, numerator, denominator, value, median, p75, p90 from marts.daily_metrics "
            "where business_date between $from_date and $to_date"
        ):
            found.setdefault(metric, {})[day] = dict(zip(names, values, strict=True))
        if not self.is_day:
            return self._pooled(found)
        for day, value in self.rows(
            "select business_date, standardised_session_rate from marts.daily_summary "
            "where business_date between $from_date and $to_date and standardised_session_rate is not null"
        ):
            record = {"numerator": None, "denominator": None, "value": value}
            found.setdefault("standardised_session_pay_rate", {})[day] = record
        return found

    def _pooled(self, found: Mapping[str, Mapping[date, Record]]) -> dict[str, dict[date, Record]]:
        pooled = {
            key: {
                last: record
                for last, records in self.by_period(days).items()
                if (record := pool(METRICS[key], records))
            }
            for key, days in found.items()
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
        rows = self.rows(
            "select 1 from duckdb_tables() where schema_name = $schema and table_name = $table",
            schema=schema,
            table=table,
        )
        return bool(rows)

    def _source(self, key: str) -> tuple[str, str]:
        """The metric and the field of its record behind a printed figure."""
        return (DURATION_FIGURES if self.is_day else DURATION_FIGURES_OF_DAYS).get(key, (key, "value"))

    def figure(self, key: str) -> reports.Figure:
        """The metric's figure of the day with its baseline, range and trend."""
        metric_key, field = self._source(key)
        days = self.metrics.get(metric_key, {})
        today = days.get(self.business_date, {})
        low, high = self._bands(days, field).get(self.business_date, (None, None))
        unit = _find_unit(metric_key)
        coverage = self.metrics.get(COVERAGE.get(key, ""), {}).get(self.business_date, {}).get("value")
        is_share = field == "value" and today.get("denominator") is not None
        return reports.Figure(
            key=key,
            unit=unit,
            value=_make_printable(today.get(field), unit, today.get("numerator") if not is_share else None),
            numerator=_round_whole(today.get("numerator")) if is_share else None,
            denominator=_round_whole(today.get("denominator")) if is_share else None,
            baseline=self._usual(metric_key, field),
            usual_low=low,
            usual_high=high,
            coverage=coverage,
            trend=self.trend(days, field),
            rule=None if self.is_day else _find_rule(metric_key),
            mean_of_days=today.get("mean_of_days"),
        )

    def _usual(self, key: str, field: str) -> float | None:
        """The baseline from the earlier days or periods: the mean of amounts, counts and medians.

        Rates and means are pooled as over several days, so that they are those of the mean day.
        """
        days = self.metrics.get(key, {})
        known = [days[day] for day in self.baseline_days if day in days and days[day][field] is not None]
        if not known:
            return None
        if field == "value" and key in METRICS and METRICS[key].several_days in POOLED_RULES:
            pooled = pool(METRICS[key], known)
            return float(pooled["value"]) if pooled and pooled["value"] is not None else None
        return fmean(float(record[field]) for record in known)

    def trend(self, days: Mapping[date, Mapping[str, Any]], field: str) -> tuple[reports.DayPoint, ...]:
        """The series of a field up to this period, with promotions and baseline ranges. Unusable days have no value."""
        usable = {*self.baseline_days, self.business_date}
        first = min((day for day in days if day in usable), default=self.business_date)
        bands = self._bands(days, field)
        return tuple(
            reports.DayPoint(
                each.to_date,
                days[each.to_date][field] if each.to_date in usable and each.to_date in days else None,
                self.promotion(each.to_date),
                *bands.get(each.to_date, (None, None)),
            )
            for each in self.series
            if each.to_date >= first
        )

    def _bands(self, days: Mapping[date, Mapping[str, Any]], field: str) -> dict[date, tuple[float, float]]:
        """The baseline range on each day of the trend, without promotions if a week remains without them."""
        known = {
            day: float(days[day][field]) for day in self.baseline_days if day in days and days[day][field] is not None
        }
        plain = {day: value for day, value in known.items() if self.promotion(day) is None}
        values = plain if len(plain) >= FEWEST_DAYS_FOR_A_BAND else known
        return compute_weekday_bands(values, [*self.baseline_days, self.business_date])

    def promotion(self, last: date, first: date | None = None) -> str | None:
        """The first promotion of the shop's calendar that touches the period that ends with `last`.

        For a range within it, `first` is its first day.
        """
        begins = {each.to_date: each.from_date for each in self.series}
        first = first or begins.get(last, last)
        return next(
            (
                f"{promotion.name} {promotion.phase}"
                for promotion in self.settings.calendar
                if convert_to_date(promotion.starts) <= last and first <= convert_to_date(promotion.ends)
            ),
            None,
        )

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


def compute_weekday_bands(values: Mapping[date, float], days: Iterable[date]) -> dict[date, tuple[float, float]]:
    """The baseline range of each of `days`: the middle 80 % of the values, scaled to the day's weekday.

    A weekday's factor is its mean over the mean of all, shrunk to 1 by one day's weight. Below two weeks of values it
    is 1, and below one week there is no range.
    """
    known = list(values.values())
    if len(known) < FEWEST_DAYS_FOR_A_BAND:
        return {}
    factors = _compute_weekday_factors(values) if len(known) >= DAYS_FOR_WEEKDAYS and fmean(known) > 0 else [1.0] * 7
    low, high = compute_band(value / factors[day.weekday()] for day, value in values.items())
    if low is None or high is None:
        return {}
    return {day: (low * factors[day.weekday()], high * factors[day.weekday()]) for day in days}


def _compute_weekday_factors(values: Mapping[date, float]) -> list[float]:
    mean = fmean(values.values())
    factors = []
    for weekday in range(7):
        ratios = [value / mean for day, value in values.items() if day.weekday() == weekday]
        factors.append((sum(ratios) + 1) / (len(ratios) + 1))
    return [factor if factor > 0 else 1.0 for factor in factors]


def compute_band(values: Iterable[float]) -> tuple[float | None, float | None]:
    """The middle 80 % of the baseline days; (None, None) for fewer than a week of them."""
    known = list(values)
    if len(known) < FEWEST_DAYS_FOR_A_BAND:
        return None, None
    tenths = quantiles(known, n=10, method="inclusive")
    return tenths[0], tenths[-1]


def convert_to_date(moment: date | datetime) -> date:
    """The date of a date or datetime."""
    return moment.date() if isinstance(moment, datetime) else moment
