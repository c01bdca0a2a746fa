"""The data behind a period, usually a day: deliveries, checks and verdicts."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta

import reports
from funnelscope.events.metrics import METRICS
from funnelscope.events.schema import FAMILIES
from funnelscope.messages.check_observations import CheckObservation, read_observation
from funnelscope.messages.message_types import Message, Number, Unit
from funnelscope.quality.gate import list_checks
from funnelscope.reporting.published_days import Published
from funnelscope.warehouse.connection import list_columns

FIGURES_OF_A_DAY = ("paid_amount", "orders", "visitors", "visitor_pay_rate", "landing_rate", "decision_rate")


def read_verdict(published: Published, days: Sequence[date] | None = None) -> reports.ReportVerdict:
    """The day's verdict. A longer period passes if all its days do, and is blocked if none has numbers.

    Args:
        days: those of a campaign, which may pause.
    """
    if published.is_day:
        found = published.verdicts.get(published.business_date)
        return reports.ReportVerdict(found) if found in list(reports.ReportVerdict) else reports.ReportVerdict.UNJUDGED
    own = published.period.days if days is None else days
    dates = [day for day in published.dates if day in own]
    if not dates:
        return reports.ReportVerdict.BLOCKED
    passed = len(dates) == len(own) and all(published.verdicts[day] == "pass" for day in dates)
    return reports.ReportVerdict.PASS if passed else reports.ReportVerdict.WARN


def read_days_of_period(published: Published, editions: Mapping[date, int]) -> tuple[reports.DayInPeriod, ...]:
    """The days of a longer period with their own numbers; empty for a day.

    Args:
        editions: the number of editions of each day's report.
    """
    if published.is_day:
        return ()
    figures = {key: Unit(METRICS[key].unit.value) for key in FIGURES_OF_A_DAY}
    values = {
        (day, key): value
        for day, key, value in published.rows(
            "select business_date, metric, value from marts.daily_metrics where list_contains($dates, business_date) "
            "and list_contains($keys, metric)",
            keys=list(figures),
        )
    }
    return tuple(
        reports.DayInPeriod(
            day,
            _read_day_verdict(published, day),
            day in published.dates,
            editions.get(day, 0),
            tuple(reports.Figure(key, unit, values.get((day, key))) for key, unit in figures.items()),
            published.promotion(day, day),
        )
        for day in published.period.days
    )


def _read_day_verdict(published: Published, day: date) -> reports.ReportVerdict | None:
    found = published.verdicts.get(day)
    return reports.ReportVerdict(found) if found in list(reports.ReportVerdict) else None


def read_verdict_reasons(published: Published, days: Sequence[date] | None = None) -> tuple[Message, ...]:
    """The reasons why the day is not a pass; for a longer period, which of its days lack numbers.

    Args:
        days: those of a campaign, which may pause.
    """
    if not published.is_day:
        return tuple(
            Message(f"days_{state}", {"first": first, "last": last})
            if first < last
            else Message(f"day_{state}", {"day": first})
            for state, first, last in _find_runs_left_out(published, published.period.days if days is None else days)
        )
    row = published.rows("select reasons from quality.day_verdict where business_date = $to_date")
    reasons = json.loads(row[0][0]) if row else []
    warnings = read_gate_warnings(published)
    return tuple(_build_reason_message(reason, warnings) for reason in reasons)


def _find_runs_left_out(published: Published, days: Sequence[date]) -> list[tuple[str, date, date]]:
    """Consecutive days without numbers that are all blocked or all missing: (state, first day, last day)."""
    runs: list[tuple[str, date, date]] = []
    for day in days:
        if day in published.dates:
            continue
        state = "blocked" if published.verdicts.get(day) == "blocked" else "missing"
        if runs and runs[-1][0] == state and runs[-1][2] == day - timedelta(days=1):
            runs[-1] = (state, runs[-1][1], day)
        else:
            runs.append((state, day, day))
    return runs


def find_last_good_date(published: Published) -> date | None:
    """The latest published day up to the period's end whose verdict is pass or warn; None if there is none."""
    good = published.rows(
        "select max(business_date) from quality.published_days semi join "
        "(select business_date from quality.day_verdict where verdict in ('pass', 'warn')) using (business_date) "
        "where business_date <= $to_date"
    )
    return good[0][0] if good else None


def read_deliveries(published: Published) -> tuple[reports.FamilyDelivery, ...]:
    """What each family delivered, with row counts; for a longer period their sums."""
    if not published.is_day:
        return _add_up_deliveries(published)
    states = {"present": reports.DeliveryState.COMPLETE}
    missing = _find_missing_types(published)
    return tuple(
        reports.FamilyDelivery(
            family=family,
            state=states.get(state) or reports.DeliveryState(state),
            rows_read=read,
            rows_accepted=accepted,
            rows_duplicate=duplicate,
            rows_quarantined=quarantined,
            latest_event_time=_convert_to_local_time(published, latest),
            rows_excluded=excluded,
            missing_types=missing.get(family, ()),
        )
        for family, state, read, accepted, duplicate, quarantined, latest, excluded in published.rows(
            "select family, state, rows_read, rows_accepted, rows_duplicate, rows_quarantined, latest_event_at, "
            "rows_excluded from quality.family_days where business_date = $to_date"
        )
    )


def _find_missing_types(published: Published) -> dict[str, tuple[str, ...]]:
    """Of each family with any event so far, the event types of which none has come."""
    delivered: dict[str, set[str]] = {}
    for family, event_type in published.rows(
        "select distinct family, event_type from marts.delivered_columns where business_date <= $to_date"
    ):
        delivered.setdefault(family, set()).add(event_type)
    return {
        family: tuple(name for name in FAMILIES[family].event_types if name not in types)
        for family, types in delivered.items()
    }


def _add_up_deliveries(published: Published) -> tuple[reports.FamilyDelivery, ...]:
    """Row counts summed over the days; complete if every day of the report is."""
    missing = _find_missing_types(published)
    return tuple(
        reports.FamilyDelivery(
            family,
            reports.DeliveryState.ABSENT
            if is_absent
            else reports.DeliveryState.COMPLETE
            if is_complete
            else reports.DeliveryState.MISSING,
            rows_read=_convert_sum(read),
            rows_accepted=_convert_sum(accepted),
            rows_duplicate=_convert_sum(duplicate),
            rows_quarantined=_convert_sum(quarantined),
            missing_types=missing.get(family, ()),
        )
        for family, is_absent, is_complete, read, accepted, duplicate, quarantined in published.rows(
            "select family, bool_and(state = 'absent'), bool_and(state in ('present', 'absent')), sum(rows_read), "
            "sum(rows_accepted), sum(rows_duplicate), sum(rows_quarantined) "
            "from quality.family_days where list_contains($dates, business_date) group by family "
            "order by min(rowid)"
        )
    )


def _convert_sum(count: Number | None) -> int | None:
    return None if count is None else int(count)


def read_quarantine(published: Published) -> tuple[reports.QuarantineCount, ...]:
    """The number of quarantined rows by family and reason, the largest first."""
    return tuple(
        reports.QuarantineCount(family, reason, int(rows))
        for family, reason, rows in published.rows(
            "select family, reason, sum(row_count) from quality.quarantine_days "
            "where list_contains($dates, business_date) group by family, reason order by 3 desc, 1, 2"
        )
    )


def read_derived_stays(published: Published) -> reports.Figure | None:
    """The share of views whose stay is the time until the next page event; None if stays are delivered."""
    figure = published.figure("derived_stay_share")
    return figure if figure.value is not None else None


def _convert_to_local_time(published: Published, instant: datetime | None) -> time | None:
    if instant is None:
        return None
    return instant.replace(tzinfo=UTC).astimezone(published.settings.zone).time().replace(microsecond=0)


def read_checks(published: Published) -> tuple[reports.CheckResult, ...]:
    """Every check of the day. A longer period lists the verdicts of its days instead."""
    if not published.is_day:
        return ()
    titles = _read_own_titles(published)
    passed: dict[str, list[str]] = {}
    for name, table in published.rows(
        "select check_name, table_name from quality.results where business_date = $to_date and is_passed order by all"
    ):
        passed.setdefault(name, []).append(table)
    return (
        *(
            reports.CheckResult(
                record["check_name"],
                reports.CheckState.FAIL if record["severity"] == "block" else reports.CheckState.WARN,
                (record["table_name"],),
                read_observation(record).observed,
                read_observation(record).expected,
                titles.get(record["check_name"]),
            )
            for record in _read_failed_checks(published)
        ),
        *(
            reports.CheckResult(name, reports.CheckState.PASS, tuple(tables), title=titles.get(name))
            for name, tables in passed.items()
        ),
    )


def _read_own_titles(published: Published) -> dict[str, str]:
    """Names of the checks from the shop's own files."""
    return {
        check.name: check.words.get(published.language) or next(iter(check.words.values()))
        for check in list_checks(published.settings)
        if check.words
    }


def _read_failed_checks(published: Published) -> list[dict[str, str]]:
    """Rows of quality.results. A copy published by an older version has no column `found`."""
    names = ("check_name", "table_name", "severity", "observed", "expected", "found")
    found = "found" if "found" in dict(list_columns(published.connection, "quality.results")) else "null"
    rows = published.rows(
        f"select check_name, table_name, severity, observed, expected, {found} from quality.results "
        "where business_date = $to_date and not is_passed order by severity, check_name, table_name"
    )
    return [dict(zip(names, row, strict=True)) for row in rows]


def find_data_docs(published: Published) -> str | None:
    """The path of the Data Docs pages, under the home folder; None if no expectation has judged the day."""
    judged = published.rows(
        "select 1 from quality.results where business_date = $to_date and kind = 'expectation' limit 1"
    )
    return f"{published.settings.data_docs.name}/index.html" if judged else None


def read_gate_warnings(published: Published) -> dict[tuple[str, str], Message]:
    """The messages of the checks that the day did not pass, by table and name."""
    titles = _read_own_titles(published)
    return {
        (record["table_name"], record["check_name"]): _build_warning(
            record["check_name"], record["severity"], read_observation(record), titles, record["table_name"]
        )
        for record in _read_failed_checks(published)
    }


def _build_warning(
    check: str, severity: str, found: CheckObservation, titles: Mapping[str, str], table: str
) -> Message:
    key = "check_failed" if severity == "block" else "check_warned"
    return Message(key, {"check": titles.get(check, check), "checked_table": table, "observed": found.observed})


def _build_reason_message(reason: Mapping[str, str], warnings: Mapping[tuple[str, str], Message]) -> Message:
    """A reason of the verdict in words. For a check that the results no longer have, as the verdict states it."""
    if reason["key"].startswith("family_"):
        return Message(reason["key"], {"family": reason["subject"]})
    check = reason.get("check") or reason["subject"]
    table = reason.get("table", "")
    told = _build_warning(check, reason["severity"], read_observation({**reason, "found": None}), {}, table)
    return warnings.get((table, check), told)
