"""A day's diagnosis as it stands in the tables, for whoever tells it: the command line, the UI, the report."""

import json
from dataclasses import dataclass
from datetime import date
from typing import Any

import duckdb


@dataclass(frozen=True)
class StoredDiagnosis:
    """Rows of the day as dictionaries, column to value; slices as dictionaries.

    Attributes:
        state: of diagnosis.days, or `unknown` for a day that was never diagnosed.
        findings: by rank, what has recovered last. Each has its `evidence`, its rows of diagnosis.evidence.
        visible_drops: of the whole steps, and of slices of any dimensions by their share of the entries.
    """

    business_date: date
    state: str
    why: str
    comparison: str
    baseline_days: int
    findings: tuple[dict[str, Any], ...]
    follow_ups: tuple[dict[str, Any], ...]
    visible_drops: tuple[dict[str, Any], ...]


def read_diagnosis(connection: duckdb.DuckDBPyConnection, business_date: date) -> StoredDiagnosis:
    """The diagnosis of the day, from the warehouse or from a published copy."""
    days = _records(connection, "days", business_date)
    day: dict[str, Any] = days[0] if days else {"state": "unknown", "why": "the day has not been diagnosed"}
    evidence = _records(connection, "evidence", business_date, "order by is_before desc, abs(z) desc nulls last, name")
    findings = [
        {
            **finding,
            "slice": json.loads(finding["slice"]),
            "runner_up": json.loads(finding["runner_up"]) if finding["runner_up"] else None,
            "evidence": [
                {**row, "slice": json.loads(row["slice"])}
                for row in evidence
                if row["finding_id"] == finding["finding_id"]
            ],
        }
        for finding in _records(connection, "findings", business_date, "order by rank nulls last, finding_id")
    ]
    return StoredDiagnosis(
        business_date=business_date,
        state=day["state"],
        why=day.get("why") or "",
        comparison=day.get("comparison") or "",
        baseline_days=day.get("baseline_days") or 0,
        findings=tuple(findings),
        follow_ups=tuple(_records(connection, "follow_ups", business_date, "order by found_date, finding_id")),
        visible_drops=tuple(
            _records(connection, "visible_drops", business_date, "and dimension in ('all', 'entries') order by rowid")
        ),
    )


def _records(
    connection: duckdb.DuckDBPyConnection, table: str, business_date: date, rest: str = ""
) -> list[dict[str, Any]]:
    cursor = connection.execute(
        f"select * exclude (business_date) from diagnosis.{table} where business_date = $1 {rest}", [business_date]
    )
    names = [column[0] for column in cursor.description or ()]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
