"""The data behind a day: what was delivered, checked and judged."""

import json
from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any

import reports
from assets.gate import registered_checks
from assets.reporting.day import Day


def verdict_reasons(published: Day) -> tuple[reports.Message, ...]:
    row = published.rows("select reasons from quality.day_verdict where business_date = $to_date")
    reasons = json.loads(row[0][0]) if row else []
    return tuple(_reason_message(reason) for reason in reasons)


def last_good_date(published: Day) -> date | None:
    good = published.rows(
        "select max(business_date) from quality.published_days semi join "
        "(select business_date from quality.day_verdict where verdict in ('pass', 'warn')) using (business_date) "
        "where business_date <= $to_date"
    )
    return good[0][0] if good else None


def deliveries(published: Day) -> tuple[reports.Delivery, ...]:
    states = {"present": reports.DeliveryState.COMPLETE}
    return tuple(
        reports.Delivery(
            family=family,
            state=states.get(state) or reports.DeliveryState(state),
            rows_read=read,
            rows_accepted=accepted,
            rows_duplicate=duplicate,
            rows_quarantined=quarantined,
            latest_event_time=_local_time(published, latest),
            rows_excluded=excluded,
        )
        for family, state, read, accepted, duplicate, quarantined, latest, excluded in published.rows(
            "select family, state, rows_read, rows_accepted, rows_duplicate, rows_quarantined, latest_event_at, "
            "rows_excluded from quality.family_days where business_date = $to_date"
        )
    )


def _local_time(published: Day, instant: datetime | None) -> Any:
    if instant is None:
        return None
    return instant.replace(tzinfo=UTC).astimezone(published.settings.zone).time().replace(microsecond=0)


def checks(published: Day) -> tuple[reports.Check, ...]:
    titles = {
        check.name: check.words.get(published.language) or next(iter(check.words.values()))
        for check in registered_checks(published.settings)
        if check.words
    }
    records = published.rows(
        "select table_name, check_name, severity, is_passed, observed from quality.results "
        "where business_date = $to_date order by is_passed, severity, check_name, table_name"
    )
    failed = [
        reports.Check(
            name,
            reports.CheckState.FAIL if severity == "block" else reports.CheckState.WARN,
            observed=f"{table}: {observed}",
            title=titles.get(name),
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
            reports.Check(
                name,
                reports.CheckState.PASS,
                message=reports.Message("tables_passed", {"count": count}),
                title=titles.get(name),
            )
            for name, count in sorted(passed.items())
        ),
    )


def data_docs(published: Day) -> str | None:
    """Where every expectation is told in detail, under the home folder; None where none has judged the day."""
    judged = published.rows(
        "select 1 from quality.results where business_date = $to_date and kind = 'expectation' limit 1"
    )
    return f"{published.settings.data_docs.name}/index.html" if judged else None


def _reason_message(reason: Mapping[str, str]) -> reports.Message:
    if reason["key"].startswith("family_"):
        return reports.Message(reason["key"], {"family": reason["subject"]})
    table, _, check = reason["subject"].partition(": ")
    key = "check_failed" if reason["severity"] == "block" else "check_warned"
    return reports.Message(key, {"check": check, "table": table, "observed": reason["observed"]})
