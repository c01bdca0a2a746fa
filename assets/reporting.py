"""From the published snapshot to a report: reads the tables, fills the report's dataclasses, prints the edition."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from statistics import fmean, quantiles
from typing import Any

import duckdb

import reports
from assets.funnels.daily import own_funnels
from assets.gate import days_between
from assets.publish import current_snapshot, open_published
from assets.settings import Settings
from sql.metrics import METRICS, Metric

STAGES = ("traffic", "landing", "decision", "repurchase")
FEWEST_DAYS_FOR_A_BAND = 7

# What each stage stands on, and what a reader of its page wants beside the funnel.
MAIN_RATE = {
    "traffic": ("arrival_rate", "click_rate"),
    "landing": ("landing_rate",),
    "decision": ("decision_rate",),
    "repurchase": ("daily_repurchase_rate",),
}
FAMILIES_OF_STAGE = {
    "traffic": ("traffic",),
    "landing": ("page",),
    "decision": ("page", "order"),
    "repurchase": ("order",),
}
INDICATORS = {
    "traffic": (
        "click_rate",
        "visits_per_click",
        "cost",
        "cost_per_engaged_session",
        "return_on_ad_spend",
        "acquisition_cost",
        "private_domain_share",
        "bot_sessions",
    ),
    "landing": (
        "first_screen_p50_ms",
        "first_screen_p75_ms",
        "three_second_rate",
        "session_bounce_rate",
        "deep_read_rate",
        "average_stay_seconds",
    ),
    "decision": (
        "visitor_cart_rate",
        "visitor_favorite_rate",
        "deposit_rate",
        "presale_conversations",
        "unanswered_conversations",
        "first_response_median_seconds",
        "first_response_p90_seconds",
        "reply_within_30s_rate",
        "reply_within_3min_rate",
        "inquiry_pay_rate",
        "coupon_use_rate",
        "coupon_error_rate",
        "payment_failures",
        "product_rating",
        "negative_review_rate",
        "service_rating",
    ),
    "repurchase": (
        "returning_buyer_share",
        "care_sent",
        "care_open_rate",
        "members_joined",
        "contacts_added",
        "contacts_lost",
        "refund_amount",
        "refund_amount_same_day",
        "refund_amount_1_to_7_days",
        "refund_amount_8_to_15_days",
        "refund_amount_16_to_30_days",
        "refund_amount_over_30_days",
        "refund_amount_unlinked",
    ),
}
HEADLINE = (
    "paid_amount",
    "same_day_session_pay_rate",
    "standardised_session_pay_rate",
    "visitor_pay_rate",
    "visitors",
    "amount_per_buyer",
)
# Keys that the registry holds as one measured duration and the report prints as single figures.
DURATION_FIGURES = {
    "first_screen_p50_ms": ("first_screen_ms", "median"),
    "first_screen_p75_ms": ("first_screen_ms", "p75"),
    "first_response_median_seconds": ("first_response_seconds", "median"),
    "first_response_p90_seconds": ("first_response_seconds", "p90"),
}
COVERAGE = {"three_second_rate": "measured_stay_share"}


@dataclass(frozen=True)
class SliceSource:
    """A table by slice: the dimension's column in a cube, and the counts that enter and pass."""

    cube: str
    column: str
    dimension: str
    entered: str
    passed: str
    entered_key: str
    passed_key: str


SLICES = {
    "traffic": tuple(
        SliceSource("arrival_cube", column, column, "identified_clicks", "arrived_clicks", "click", "arrival")
        for column in ("channel", "campaign", "creative")
    ),
    "landing": tuple(
        SliceSource(
            "landing_cube",
            column,
            dimension,
            "sessions",
            "reached_qualified_product_view",
            "arrival",
            "qualified_product_view",
        )
        for column, dimension in (
            ("entry_type", "entry_type"),
            ("channel", "channel"),
            ("landing_page", "landing_page"),
            ("device", "device"),
            ("region", "region"),
        )
    ),
    "decision": (
        *(
            SliceSource(
                "decision_cube", column, dimension, "sessions", "reached_paid", "qualified_product_view", "paid"
            )
            for column, dimension in (
                ("first_category", "category"),
                ("channel", "channel"),
                ("device", "device"),
                ("inquiry_class", "inquiry_class"),
            )
        ),
        SliceSource("checkout_cube", "coupon", "coupon", "checkouts", "ordered", "checkout", "order"),
        SliceSource("payment_cube", "payment_provider", "payment_provider", "orders", "paid", "order", "paid"),
    ),
    "repurchase": tuple(
        SliceSource("repurchase_cube", column, dimension, "active_customers", "purchased", "active", "purchased")
        for column, dimension in (
            ("recency", "recency"),
            ("first_channel", "first_channel"),
            ("is_member", "member"),
            ("last_category", "category"),
        )
    ),
}


@dataclass(frozen=True)
class Edition:
    """A printed report: its number for the day, the snapshot it was made from, and the file."""

    business_date: date
    number: int
    snapshot: str
    pdf: Path

    @property
    def spreadsheet(self) -> Path:
        """The numbers of the PDF as XLSX."""
        return self.pdf.with_suffix(".xlsx")

    def picture(self, stage: str) -> Path:
        """The picture of a stage as PNG."""
        return self.pdf.with_name(f"{self.pdf.stem}-{stage}.png")


def print_report(settings: Settings, business_date: date, language: str | None = None) -> Edition:
    """Prints the day's report into `reports/<date>/` from the published snapshot: PDF, XLSX and a PNG for each stage.

    The day gets a new edition when what was published for it, or its verdict, has changed; else the last edition is
    printed again.

    Raises:
        FileNotFoundError: nothing has been published yet.
    """
    language = language or settings.language
    folder = _folder(settings, business_date)
    with open_published(settings.published) as connection:
        source = _edition_source(connection, settings, business_date)
        last = _last_edition(folder)
        number = 1 if last is None else last[0] if last[1] == source else last[0] + 1
        snapshot = source["snapshot"]
        report = _Day(connection, settings, business_date, language).report(number, snapshot)
    edition = _edition(settings, business_date, number, snapshot, language)
    folder.mkdir(parents=True, exist_ok=True)
    _write(edition.pdf, reports.render(report))
    _write(edition.spreadsheet, reports.spreadsheet(report))
    for stage in report.stages:
        _write(edition.picture(stage.key), reports.stage_picture_png(stage, report))
    _write(folder / f"edition-{number}.json", json.dumps(source, indent=2, ensure_ascii=False).encode())
    return edition


def printed_report(settings: Settings, business_date: date, language: str | None = None) -> Edition:
    """The day's current edition as it lies in `reports/<date>/`; printed only where it does not.

    Raises:
        FileNotFoundError: nothing has been published yet.
    """
    language = language or settings.language
    last = _last_edition(_folder(settings, business_date))
    with open_published(settings.published) as connection:
        source = _edition_source(connection, settings, business_date)
    if last and last[1] == source:
        edition = _edition(settings, business_date, last[0], source["snapshot"], language)
        if edition.pdf.exists():
            return edition
    return print_report(settings, business_date, language)


def _folder(settings: Settings, business_date: date) -> Path:
    return settings.reports / business_date.isoformat()


def _edition(settings: Settings, business_date: date, number: int, snapshot: str, language: str) -> Edition:
    name = f"funnelscope-{business_date}-edition-{number}-{language}.pdf"
    return Edition(business_date, number, snapshot, _folder(settings, business_date) / name)


def restated_days(settings: Settings, from_date: date, to_date: date) -> list[date]:
    """Days of the range that have an edition, and whose published numbers or verdict have changed since."""
    days = [day for day in days_between(from_date, to_date) if _folder(settings, day).is_dir()]
    with open_published(settings.published) as connection:
        return [
            day
            for day in days
            if (last := _last_edition(_folder(settings, day))) and last[1] != _edition_source(connection, settings, day)
        ]


def read_report(settings: Settings, business_date: date, language: str | None = None) -> reports.Report:
    """The day's report as data, without printing it; raises FileNotFoundError before the first publication."""
    with open_published(settings.published) as connection:
        snapshot = _snapshot_of(connection, settings, business_date)
        return _Day(connection, settings, business_date, language or settings.language).report(1, snapshot)


def _write(path: Path, content: bytes) -> None:
    """Whole or not at all."""
    partial = path.with_name(f".{path.name}")
    partial.write_bytes(content)
    partial.replace(path)


def _snapshot_of(connection: duckdb.DuckDBPyConnection, settings: Settings, business_date: date) -> str:
    """The snapshot in which the day's numbers last changed; the current one where the day has none."""
    row = connection.execute(
        "select snapshot from quality.published_days where business_date = $1", [business_date]
    ).fetchone()
    if row:
        return str(row[0])
    current = current_snapshot(settings.published)
    return current.name if current else ""


def _verdict_fingerprint(connection: duckdb.DuckDBPyConnection, business_date: date) -> str:
    row = connection.execute(
        "select verdict || ' ' || md5(reasons) from quality.day_verdict where business_date = $1", [business_date]
    ).fetchone()
    return str(row[0]) if row else "unjudged"


def _edition_source(connection: duckdb.DuckDBPyConnection, settings: Settings, business_date: date) -> dict[str, str]:
    """What makes an edition: another one is due when this differs."""
    return {
        "snapshot": _snapshot_of(connection, settings, business_date),
        "verdict": _verdict_fingerprint(connection, business_date),
    }


def _last_edition(folder: Path) -> tuple[int, dict[str, str]] | None:
    """Number and source of the day's last edition; None before the first."""
    editions = sorted(folder.glob("edition-*.json"), key=lambda path: int(path.stem.split("-")[1]))
    if not editions:
        return None
    return int(editions[-1].stem.split("-")[1]), json.loads(editions[-1].read_text(encoding="utf-8"))


class _Day:
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
            self._rows("select business_date, verdict from quality.day_verdict where business_date <= $to_date")
        )
        published = {day for (day,) in self._rows("select business_date from quality.published_days")}
        self.baseline_days = [
            day
            for day in sorted(published)
            if self.first_date <= day < business_date and self.verdicts.get(day) in ("pass", "warn")
        ]
        self.is_published = business_date in published
        self.metrics = self._metrics()

    def _rows(self, statement: str, **parameters: Any) -> list[tuple[Any, ...]]:
        given = {"from_date": self.first_date, "to_date": self.business_date, **parameters}
        used = {name: value for name, value in given.items() if f"${name}" in statement}
        return self.connection.execute(statement, used).fetchall()

    def _metrics(self) -> dict[str, dict[date, dict[str, Any]]]:
        """metric → day → numerator, denominator, value, median, p75, p90."""
        found: dict[str, dict[date, dict[str, Any]]] = {}
        for metric, day, *values in self._rows(
            "select metric, business_date, numerator, denominator, value, median, p75, p90 from marts.daily_metrics "
            "where business_date between $from_date and $to_date"
        ):
            names = ("numerator", "denominator", "value", "median", "p75", "p90")
            found.setdefault(metric, {})[day] = dict(zip(names, values, strict=True))
        for day, value in self._rows(
            "select business_date, standardised_session_rate from marts.daily_summary "
            "where business_date between $from_date and $to_date and standardised_session_rate is not null"
        ):
            record = {"numerator": None, "denominator": None, "value": value}
            found.setdefault("standardised_session_pay_rate", {})[day] = record
        return found

    # --- The report ------------------------------------------------------------------------------

    def report(self, edition: int, snapshot: str) -> reports.Report:
        verdict = self.verdicts.get(self.business_date)
        return reports.Report(
            shop=self.settings.shop,
            business_date=self.business_date,
            time_zone=self.settings.timezone,
            language=self.language,
            currency=self.settings.currency,
            edition=edition,
            snapshot=snapshot,
            verdict=reports.Verdict(verdict) if verdict in list(reports.Verdict) else reports.Verdict.UNJUDGED,
            baseline_days=len(self.baseline_days),
            verdict_reasons=self._verdict_reasons(),
            last_good_date=self._last_good_date(),
            headline=tuple(self.figure(key) for key in HEADLINE),
            money=self._money(),
            stages=tuple(self._stage(key) for key in STAGES),
            deliveries=self._deliveries(),
            checks=self._checks(),
            own_funnels=own_funnels(self.connection, self.business_date),
            quarantine=tuple(
                reports.QuarantineCount(family, reason, rows)
                for family, reason, rows in self._rows(
                    "select family, reason, row_count from quality.quarantine_days where business_date = $to_date "
                    "order by row_count desc, family, reason"
                )
            ),
        )

    def _verdict_reasons(self) -> tuple[reports.Message, ...]:
        row = self._rows("select reasons from quality.day_verdict where business_date = $to_date")
        reasons = json.loads(row[0][0]) if row else []
        return tuple(_reason_message(reason) for reason in reasons)

    def _last_good_date(self) -> date | None:
        good = self._rows(
            "select max(business_date) from quality.published_days semi join "
            "(select business_date from quality.day_verdict where verdict in ('pass', 'warn')) using (business_date) "
            "where business_date <= $to_date"
        )
        return good[0][0] if good else None

    # --- Figures ---------------------------------------------------------------------------------

    def figure(self, key: str) -> reports.Figure:
        """The metric's figure of the day with its baseline (mean of the daily values), band and trend."""
        metric_key, field = DURATION_FIGURES.get(key, (key, "value"))
        days = self.metrics.get(metric_key, {})
        today = days.get(self.business_date, {})
        usual = [float(days[day][field]) for day in self.baseline_days if day in days and days[day][field] is not None]
        low, high = _band(usual)
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
            trend=self._trend(days, field),
        )

    def _trend(self, days: Mapping[date, Mapping[str, Any]], field: str) -> tuple[reports.DayPoint, ...]:
        usable = {*self.baseline_days, self.business_date}
        first = min((day for day in days if day in usable), default=self.business_date)
        count = (self.business_date - first).days + 1
        return tuple(
            reports.DayPoint(day, days[day][field] if day in usable and day in days else None, self._promotion(day))
            for day in (first + timedelta(days=offset) for offset in range(count))
        )

    def _promotion(self, day: date) -> str | None:
        return next(
            (
                f"{promotion.name} {promotion.phase}"
                for promotion in self.settings.calendar
                if _as_date(promotion.starts) <= day <= _as_date(promotion.ends)
            ),
            None,
        )

    # --- Money -----------------------------------------------------------------------------------

    def _money(self) -> reports.MoneySplit | None:
        records = self._rows(
            "select business_date, money_class, sum(amount), sum(payments)::BIGINT from marts.daily_money "
            "where business_date between $from_date and $to_date group by all"
        )
        if not self._has_orders():
            return None
        amounts: dict[str, dict[date, tuple[Decimal, int]]] = {}
        for day, money_class, amount, payments in records:
            amounts.setdefault(money_class, {})[day] = (amount, payments)
        unknown = () if self._has_sessions() else ("same_day", "carried_over")
        return reports.MoneySplit(
            **{
                part: self._money_part(amounts.get(part, {})) if part not in unknown else reports.MoneyPart(None)
                for part in ("same_day", "carried_over", "presale_balance", "no_session", "excluded")
            },
            factors=self._factors(),
        )

    def _has_orders(self) -> bool:
        rows = self._rows("select paid_amount from marts.daily_summary where business_date = $to_date")
        return bool(rows) and rows[0][0] is not None

    def _has_sessions(self) -> bool:
        rows = self._rows("select human_sessions from marts.daily_summary where business_date = $to_date")
        return bool(rows) and rows[0][0] is not None

    def _money_part(self, days: Mapping[date, tuple[Decimal, int]]) -> reports.MoneyPart:
        amount, payments = days.get(self.business_date, (Decimal("0.00"), 0))
        usual = [float(days.get(day, (0, 0))[0]) for day in self.baseline_days]
        return reports.MoneyPart(amount, payments, fmean(usual) if usual else None)

    def _factors(self) -> tuple[reports.Figure, ...]:
        """The five factors of the same-day money; their product is its amount."""
        columns = "human_sessions, qualified_sessions, paying_sessions, same_day_orders, same_day_amount"
        days = {
            day: counts
            for day, *counts in self._rows(
                f"select business_date, {columns} from marts.daily_summary "
                "where business_date between $from_date and $to_date"
            )
        }
        today = days.get(self.business_date)
        if today is None or today[0] is None:
            return ()
        keys = ("sessions", "landing_rate", "decision_rate", "orders_per_paying_session", "amount_per_order")
        units = (reports.Unit.COUNT, reports.Unit.RATE, reports.Unit.RATE, reports.Unit.RATIO, reports.Unit.MONEY)
        figures = []
        for position, (key, unit) in enumerate(zip(keys, units, strict=True)):
            usual = [_factor(days[day], position) for day in self.baseline_days if day in days]
            known = [float(value) for value in usual if value is not None]
            figures.append(
                reports.Figure(
                    key=key,
                    unit=unit,
                    value=_factor(today, position),
                    numerator=today[position] if position else None,
                    denominator=today[position - 1] if position else None,
                    baseline=fmean(known) if known else None,
                )
            )
        return tuple(figures)

    # --- Stages ----------------------------------------------------------------------------------

    def _stage(self, key: str) -> reports.Stage:
        absent = self._absent_family(key)
        if absent:
            return reports.Stage(key, no_data=absent)
        steps = self._steps(key)
        if not steps or not steps[0].count:
            family = FAMILIES_OF_STAGE[key][0]
            message = "no_customers" if key == "repurchase" else "no_events"
            return reports.Stage(key, no_data=reports.Message(message, {"family": family}))
        return reports.Stage(
            key,
            rate=self._main_rate(key),
            steps=steps,
            slices=tuple(table for source in SLICES[key] if (table := self._slice_table(source)).rows),
            indicators=tuple(self.figure(name) for name in INDICATORS[key] if self._is_known(name)),
            windows=self._windows(key),
        )

    def _absent_family(self, stage: str) -> reports.Message | None:
        states = dict(self._rows("select family, state from quality.family_days where business_date = $to_date"))
        for family in FAMILIES_OF_STAGE[stage]:
            if states.get(family) == "absent":
                return reports.Message("family_not_declared", {"family": family})
            if states.get(family) in ("missing", "growing") and not self.is_published:
                return reports.Message(f"family_{states[family]}", {"family": family})
        if not self.is_published:
            return reports.Message("not_published", {"day": self.business_date})
        return None

    def _is_known(self, key: str) -> bool:
        metric_key, _ = DURATION_FIGURES.get(key, (key, ""))
        return bool(self.metrics.get(metric_key))

    def _main_rate(self, stage: str) -> reports.Figure | None:
        known = [key for key in MAIN_RATE[stage] if self._is_known(key)]
        return self.figure(known[0]) if known else None

    def _steps(self, stage: str) -> tuple[reports.Step, ...]:
        counts: dict[str, dict[date, int]] = {}
        for step, day, reached in self._rows(
            "select step, business_date, sum(reached)::BIGINT from marts.funnel_steps "
            "where stage = $stage and business_date between $from_date and $to_date "
            "group by step, step_number, business_date order by step_number",
            stage=stage,
        ):
            counts.setdefault(step, {})[day] = reached
        steps = []
        previous: dict[date, int] = {}
        for step, days in counts.items():
            steps.append(self._step(step, days, previous))
            previous = days
        return tuple(steps)

    def _step(self, key: str, days: Mapping[date, int], previous: Mapping[date, int]) -> reports.Step:
        today = days.get(self.business_date)
        usual_counts = [days[day] for day in self.baseline_days if day in days]
        rates = [days[day] / previous[day] for day in self.baseline_days if day in days and previous.get(day)]
        low, high = _band(rates)
        before = previous.get(self.business_date)
        return reports.Step(
            key=key,
            count=today,
            rate_from_previous=today / before if today is not None and before else None,
            baseline_count=fmean(usual_counts) if usual_counts else None,
            baseline_rate=fmean(rates) if rates else None,
            usual_low=low,
            usual_high=high,
        )

    def _slice_table(self, source: SliceSource) -> reports.SliceTable:
        rows = self._rows(
            f"""
            select
                {source.column}::VARCHAR,
                coalesce(sum({source.entered}) filter (where business_date = $to_date), 0)::BIGINT,
                coalesce(sum({source.passed}) filter (where business_date = $to_date), 0)::BIGINT,
                coalesce(sum({source.entered}) filter (where list_contains($days, business_date)), 0)::BIGINT,
                coalesce(sum({source.passed}) filter (where list_contains($days, business_date)), 0)::BIGINT
            from marts.{source.cube}
            where business_date between $from_date and $to_date
            group by 1
            having sum({source.entered}) filter (where business_date = $to_date) > 0
            order by 2 desc, 1
            """,
            days=self.baseline_days,
        )
        return reports.SliceTable(
            source.dimension,
            source.entered_key,
            source.passed_key,
            tuple(reports.SliceRow(*row) for row in rows),
        )

    def _windows(self, stage: str) -> tuple[reports.Window, ...]:
        if stage == "decision":
            return self._window_rows(
                "select window_days, min(entry_date), max(entry_date), sum(converted), sum(lost), sum(pending), "
                "(sum(converted) filter (where is_mature)) / (sum(entered) filter (where is_mature)) "
                "from marts.session_conversion_windows "
                "where entry_date between $from_date and $to_date and window_days > 0 group by window_days order by 1"
            )
        if stage == "repurchase":
            return self._window_rows(
                "select window_days, min(cohort_date), max(cohort_date), sum(converted), sum(lost), sum(pending), "
                "max(kaplan_meier_rate) from marts.repurchase_windows "
                "where cohort_date between $cohort_from and $to_date group by window_days order by 1",
                cohort_from=self.business_date - timedelta(days=89),
            )
        return ()

    def _window_rows(self, statement: str, **parameters: Any) -> tuple[reports.Window, ...]:
        return tuple(
            reports.Window(days, first, last, int(converted), int(lost), int(pending), rate)
            for days, first, last, converted, lost, pending, rate in self._rows(statement, **parameters)
        )

    # --- Data ------------------------------------------------------------------------------------

    def _deliveries(self) -> tuple[reports.Delivery, ...]:
        states = {"present": reports.DeliveryState.COMPLETE}
        return tuple(
            reports.Delivery(
                family=family,
                state=states.get(state) or reports.DeliveryState(state),
                rows_read=read,
                rows_accepted=accepted,
                rows_duplicate=duplicate,
                rows_quarantined=quarantined,
                latest_event_time=self._local_time(latest),
            )
            for family, state, read, accepted, duplicate, quarantined, latest in self._rows(
                "select family, state, rows_read, rows_accepted, rows_duplicate, rows_quarantined, latest_event_at "
                "from quality.family_days where business_date = $to_date"
            )
        )

    def _local_time(self, instant: datetime | None) -> Any:
        if instant is None:
            return None
        return instant.replace(tzinfo=UTC).astimezone(self.settings.zone).time().replace(microsecond=0)

    def _checks(self) -> tuple[reports.Check, ...]:
        records = self._rows(
            "select table_name, check_name, severity, is_passed, observed from quality.results "
            "where business_date = $to_date order by is_passed, severity, check_name, table_name"
        )
        failed = [
            reports.Check(
                name,
                reports.CheckState.FAIL if severity == "block" else reports.CheckState.WARN,
                observed=f"{table}: {observed}",
            )
            for table, name, severity, is_passed, observed in records
            if not is_passed
        ]
        passed: dict[str, int] = {}
        for _, name, _, is_passed, _ in records:
            if is_passed:
                passed[name] = passed.get(name, 0) + 1
        return (
            *failed,
            *(
                reports.Check(name, reports.CheckState.PASS, message=reports.Message("tables_passed", {"count": count}))
                for name, count in sorted(passed.items())
            ),
        )


def _reason_message(reason: Mapping[str, str]) -> reports.Message:
    if reason["key"].startswith("family_"):
        return reports.Message(reason["key"], {"family": reason["subject"]})
    table, _, check = reason["subject"].partition(": ")
    key = "check_failed" if reason["severity"] == "block" else "check_warned"
    return reports.Message(key, {"check": check, "table": table, "observed": reason["observed"]})


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


def _factor(counts: Sequence[Any], position: int) -> Any:
    if position == 0:
        return counts[0]
    if counts[position] is None or not counts[position - 1]:
        return None
    return float(counts[position]) / float(counts[position - 1])


def _band(values: Iterable[float]) -> tuple[float | None, float | None]:
    """The middle 80 % of the baseline days; none for fewer than a week of them."""
    known = list(values)
    if len(known) < FEWEST_DAYS_FOR_A_BAND:
        return None, None
    tenths = quantiles(known, n=10, method="inclusive")
    return tenths[0], tenths[-1]


def _as_date(moment: date | datetime) -> date:
    return moment.date() if isinstance(moment, datetime) else moment
