"""A day's diagnosis as it stands in the tables, for whoever tells it: the command line, the UI, the report."""

from dataclasses import dataclass
from datetime import date
from typing import Literal

import duckdb

from funnelscope.diagnosis.diagnosis_tables import read_records
from funnelscope.diagnosis.records import (
    DayRecord,
    DayState,
    DetectableDropRecord,
    EvidenceRecord,
    FindingRecord,
    FollowUpRecord,
    OtherMoveRecord,
    R,
    WeekFindingRecord,
)
from funnelscope.diagnosis.stated_reasons import StatedReason
from funnelscope.warehouse.connection import list_columns


@dataclass(frozen=True)
class StoredDiagnosis:
    """What the tables hold of a day.

    Attributes:
        day: None for a day that was never diagnosed.
        findings: by rank, what has recovered last.
        evidence: of all findings; what moved before its finding first, then by how far it moved.
        week_findings: of the week that ends on the day, in steps of which a day is too thin.
        other_moves: gains, and falls by another mix alone.
        detectable_drops: of the whole steps, and of slices of any dimensions by their share of the entries.
    """

    business_date: date
    day: DayRecord | None
    findings: tuple[FindingRecord, ...] = ()
    evidence: tuple[EvidenceRecord, ...] = ()
    follow_ups: tuple[FollowUpRecord, ...] = ()
    detectable_drops: tuple[DetectableDropRecord, ...] = ()
    other_moves: tuple[OtherMoveRecord, ...] = ()
    week_findings: tuple[WeekFindingRecord, ...] = ()

    @property
    def state(self) -> DayState | Literal["unknown"]:
        """What became of the diagnosis; `unknown` where there was none."""
        return self.day.state if self.day else "unknown"

    @property
    def reason(self) -> StatedReason | None:
        """Why the day has no diagnosis; None where it has one."""
        return self.day.stated_reason if self.day else StatedReason("unknown")

    @property
    def why(self) -> str:
        """The same in English, as the table has it; empty where there is a diagnosis."""
        return self.day.why if self.day else "the day has not been diagnosed"

    @property
    def baseline_days(self) -> int:
        """How many days it is compared with."""
        return (self.day.baseline_days or 0) if self.day else 0

    def select_evidence(self, finding: FindingRecord) -> tuple[EvidenceRecord, ...]:
        """What moved with the finding."""
        return tuple(each for each in self.evidence if each.finding_id == finding.finding_id)


def read_diagnosis(connection: duckdb.DuckDBPyConnection, business_date: date) -> StoredDiagnosis:
    """The diagnosis of the day, from the warehouse or from a published copy."""
    days = read_records(connection, DayRecord, business_date)
    return StoredDiagnosis(
        business_date,
        days[0] if days else None,
        tuple(read_records(connection, FindingRecord, business_date, "order by rank nulls last, finding_id")),
        tuple(
            read_records(
                connection, EvidenceRecord, business_date, "order by is_before desc, abs(z) desc nulls last, name"
            )
        ),
        tuple(read_records(connection, FollowUpRecord, business_date, "order by found_date, finding_id")),
        tuple(
            read_records(
                connection,
                DetectableDropRecord,
                business_date,
                "and dimension in ('all', 'entries') order by rowid",
            )
        ),
        _read_newer_records(connection, OtherMoveRecord, business_date),
        _read_newer_records(connection, WeekFindingRecord, business_date),
    )


def _read_newer_records(
    connection: duckdb.DuckDBPyConnection, record_type: type[R], business_date: date
) -> tuple[R, ...]:
    """Records in the order of writing; none from a copy that was published before they were written down."""
    if not list_columns(connection, f"diagnosis.{record_type.table}"):
        return ()
    return tuple(read_records(connection, record_type, business_date, "order by rowid"))
