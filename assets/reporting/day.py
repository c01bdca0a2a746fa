"""One day as the published tables tell it, with the days it is compared with."""

from collections.abc import Iterable, Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from statistics import fmean, quantiles
from typing import Any

import duckdb

import reports
from assets.settings import Settings
from sql.metrics import METRICS, Metric

FEWEST_DAYS_FOR_A_BAND = 7
DAYS_FOR_WEEKDAYS = 14
# Keys that the registry holds as one measured duration and the report prints as single figures.
DURATION_FIGURES = {
    "first_screen_p50_ms": ("first_screen_ms", "median"),
    "first_screen_p75_ms": ("first_screen_ms", "p75"),
    "first_response_median_seconds": ("first_response_seconds", "median"),
    "first_response_p90_seconds": ("first_response_seconds", "p90"),
}
COVERAGE = {"three_second_rate": "measured_stay_share"}


class Day:
    """Reads one day and the days it is compared with from the published tables."""

    def __init__(
        self, connection: duckdb.DuckDBPyConnection, settings: Settings, business_date: date, language: str
    ) -> None:
        self.connection = connection
        self.settings = settings
        self.business_date = business_date
        self.language = language
        self.first_date = business_date - timedelta(days=reports.FULL_BASELINE_DAYS)
        self.verdicts: dict[date, str] = dict(
            self.rows("select business_date, verdict from quality.day_verdict where business_date <= $to_date")
        )
        published = {day for (day,) in self.rows("select business_date from quality.published_days")}
        self.baseline_days = [
            day
            for day in sorted(published)
            if self.first_date <= day < business_date and self.verdicts.get(day) in ("pass", "warn")
        ]
        self.is_published = business_date in published
        self.metrics = self._metrics()

    def rows(self, statement: str, **parameters: Any) -> list[tuple[Any, ...]]:
        given = {"from_date": self.first_date, "to_date": self.business_date, **parameters}
        used = {name: value for name, value in given.items() if f"${name}" in statement}
        return self.connection.execute(statement, used).fetchall()

    def _metrics(self) -> dict[str, dict[date, dict[str, Any]]]:
        """metric → day → numerator, denominator, value, median, p75, p90."""
        found: dict[str, dict[date, dict[str, Any]]] = {}
        for metric, day, *values in self.rows(
            "select metric, business_date, numerator, denominator, value, median, p75, p90 from marts.daily_metrics "
            "where business_date between $from_date and $to_date"
        ):
            names = ("numerator", "denominator", "value", "median", "p75", "p90")
            found.setdefault(metric, {})[day] = dict(zip(names, values, strict=True))
        for day, value in self.rows(
            "select business_date, standardised_session_rate from marts.daily_summary "
            "where business_date between $from_date and $to_date and standardised_session_rate is not null"
        ):
            record = {"numerator": None, "denominator": None, "value": value}
            found.setdefault("standardised_session_pay_rate", {})[day] = record
        return found

    def figure(self, key: str) -> reports.Figure:
        """The metric's figure of the day with its baseline (mean of the daily values), band and trend."""
        metric_key, field = DURATION_FIGURES.get(key, (key, "value"))
        days = self.metrics.get(metric_key, {})
        today = days.get(self.business_date, {})
        usual = [float(days[day][field]) for day in self.baseline_days if day in days and days[day][field] is not None]
        low, high = self._bands(days, field).get(self.business_date, (None, None))
        unit = _unit(metric_key)
        coverage = self.metrics.get(COVERAGE.get(key, ""), {}).get(self.business_date, {}).get("value")
        is_share = field == "value" and today.get("denominator") is not None
        return reports.Figure(
            key=key,
            unit=unit,
            value=_printable(today.get(field), unit, today.get("numerator") if not is_share else None),
            numerator=_whole(today.get("numerator")) if is_share else None,
            denominator=_whole(today.get("denominator")) if is_share else None,
            baseline=fmean(usual) if usual else None,
            usual_low=low,
            usual_high=high,
            coverage=coverage,
            trend=self.trend(days, field),
        )

    def trend(self, days: Mapping[date, Mapping[str, Any]], field: str) -> tuple[reports.DayPoint, ...]:
        usable = {*self.baseline_days, self.business_date}
        first = min((day for day in days if day in usable), default=self.business_date)
        count = (self.business_date - first).days + 1
        bands = self._bands(days, field)
        return tuple(
            reports.DayPoint(
                day,
                days[day][field] if day in usable and day in days else None,
                self.promotion(day),
                *bands.get(day, (None, None)),
            )
            for day in (first + timedelta(days=offset) for offset in range(count))
        )

    def _bands(self, days: Mapping[date, Mapping[str, Any]], field: str) -> dict[date, tuple[float, float]]:
        """What is usual on each day of the trend, promotions left out where a week remains without them."""
        known = {
            day: float(days[day][field]) for day in self.baseline_days if day in days and days[day][field] is not None
        }
        plain = {day: value for day, value in known.items() if self.promotion(day) is None}
        values = plain if len(plain) >= FEWEST_DAYS_FOR_A_BAND else known
        return weekday_bands(values, [*self.baseline_days, self.business_date])

    def promotion(self, day: date) -> str | None:
        return next(
            (
                f"{promotion.name} {promotion.phase}"
                for promotion in self.settings.calendar
                if as_date(promotion.starts) <= day <= as_date(promotion.ends)
            ),
            None,
        )

    def is_known(self, key: str) -> bool:
        metric_key, _ = DURATION_FIGURES.get(key, (key, ""))
        return bool(self.metrics.get(metric_key))


def _unit(key: str) -> reports.Unit:
    if key == "standardised_session_pay_rate":
        return reports.Unit.RATE
    metric: Metric = METRICS[key]
    return reports.Unit(metric.unit.value)


def _printable(value: Any, unit: reports.Unit, total: Any) -> Any:
    """Money that is a sum keeps its cents exactly; everything else is a float."""
    if value is None:
        return None
    if unit == reports.Unit.MONEY and total is not None:
        return Decimal(total).quantize(Decimal("0.01"))
    return int(value) if unit == reports.Unit.COUNT else float(value)


def _whole(value: Any) -> Any:
    if value is None:
        return None
    return int(value) if value == int(value) else Decimal(value).quantize(Decimal("0.01"))


def weekday_bands(values: Mapping[date, float], days: Iterable[date]) -> dict[date, tuple[float, float]]:
    """The usual range of each of `days`: the middle 80 % of the values, scaled to the day's weekday.

    A weekday's factor is its mean over the mean of all, shrunk to 1 by one day's weight; below two weeks it is 1, and
    below one week there is no range.
    """
    known = list(values.values())
    if len(known) < FEWEST_DAYS_FOR_A_BAND:
        return {}
    factors = _weekday_factors(values) if len(known) >= DAYS_FOR_WEEKDAYS and fmean(known) > 0 else [1.0] * 7
    low, high = band(value / factors[day.weekday()] for day, value in values.items())
    if low is None or high is None:
        return {}
    return {day: (low * factors[day.weekday()], high * factors[day.weekday()]) for day in days}


def _weekday_factors(values: Mapping[date, float]) -> list[float]:
    mean = fmean(values.values())
    factors = []
    for weekday in range(7):
        ratios = [value / mean for day, value in values.items() if day.weekday() == weekday]
        factors.append((sum(ratios) + 1) / (len(ratios) + 1))
    return [factor if factor > 0 else 1.0 for factor in factors]


def band(values: Iterable[float]) -> tuple[float | None, float | None]:
    """The middle 80 % of the baseline days; none for fewer than a week of them."""
    known = list(values)
    if len(known) < FEWEST_DAYS_FOR_A_BAND:
        return None, None
    tenths = quantiles(known, n=10, method="inclusive")
    return tenths[0], tenths[-1]


def as_date(moment: date | datetime) -> date:
    return moment.date() if isinstance(moment, datetime) else moment
