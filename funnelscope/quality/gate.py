"""The gate: runs every contract and expectation on a day, and decides whether the day may be published."""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any

import duckdb

from funnelscope.events.schema import FAMILIES
from funnelscope.ingest import find_family_presence, list_failures
from funnelscope.messages.check_observations import CheckObservation, read_observation
from funnelscope.messages.message_types import Message
from funnelscope.messages.wording import load_words
from funnelscope.quality import expectations
from funnelscope.quality.expectations import Expectation, Judgement, Suite, load_suites
from funnelscope.settings import Settings
from funnelscope.warehouse.bulk_insert import insert_rows
from funnelscope.warehouse.checks import Contract, Severity, load_contracts
from funnelscope.warehouse.connection import Warehouse


class Verdict(StrEnum):
    """The decision of the gate about a day."""

    PASS = "pass"
    WARN = "warn"
    BLOCKED = "blocked"
    HISTORY = "history"  # before the opening day: only for customer history, not judged


MOST_NAMED = 10  # violations of a check that a day names
EMPTY = "days_between_have_events"
_GONE, _SCALE = "nothing_is_gone", "volume_keeps_its_scale"
_FOLLOW_FROM_EMPTY = (_GONE, "volume_is_usual", _SCALE)
"""What a family without an event does to the tables that are made of its events: no news, and not told again."""
_MADE_OF = {"marts.daily_money": "marts.payment_cube"}
PUBLISHABLE = (Verdict.PASS, Verdict.WARN, Verdict.HISTORY)


@dataclass(frozen=True)
class VerdictReason:
    """Why a day has a warning or is blocked.

    Attributes:
        key: `family_missing`, `family_growing`, `contract` or `expectation`.
        subject: the family, or `table: check`.
        observed: the observation, in plain words.
        expected: the expected state, in plain words.
        severity: whether it warns or blocks.
        table, check: the table and name of a check; empty for any other reason.
        families: the families that the violations of a check name; empty for a check that names none.
        found: what a check observed and expected as key and values, for any language; empty if nothing keeps it.
    """

    key: str
    subject: str
    observed: str
    expected: str
    severity: Severity
    table: str = ""
    check: str = ""
    families: tuple[str, ...] = ()
    found: str = ""

    def say_in(self, language: str) -> str:
        """The reason in a language: what is missing, or which check does not hold, with what was found."""
        words = load_words(language)
        if not self.table and not self.key.startswith("family_"):  # as an earlier version stored a check
            return f"{self.subject}: {self.observed}"
        if not self.table:
            told = words.message(Message(self.key, {"family": self.subject})).rstrip(".。")
            _, _, problems = self.observed.partition(": ")
            return f"{told}: {problems}" if problems else told
        found = read_observation({"found": self.found, "observed": self.observed, "expected": self.expected})
        return words.text(
            "terminal",
            "check_fails",
            table=self.table,
            check=words.translate_or_keep("checks", self.check),
            observed=words.message(found.observed),
            expected=words.message(found.expected),
        )


@dataclass(frozen=True)
class DayVerdict:
    """The verdict of a day with its reasons."""

    business_date: date
    verdict: Verdict
    reasons: tuple[VerdictReason, ...]

    @property
    def is_publishable(self) -> bool:
        """Whether the verdict allows publication."""
        return self.verdict in PUBLISHABLE


@dataclass(frozen=True)
class _Violations:
    """What breaks a contract on a day: how much, what is told of it, and the families that it names."""

    cases: int
    found: CheckObservation
    families: Sequence[str]


@dataclass(frozen=True)
class RegisteredCheck:
    """A contract or an expectation, as the catalogue, the results and the report need it.

    Attributes:
        words: its name by language, if the shop's own file gives one; else the words files have it.
    """

    name: str
    table: str
    severity: Severity
    rule: str
    words: Mapping[str, str]


def list_checks(settings: Settings) -> list[RegisteredCheck]:
    """Every check that the gate runs, contracts first. Raises SettingsError if the shop's own files are wrong."""
    wanted = [expectation for suite in load_suites(settings) for expectation in suite.expectations]
    return [
        *(RegisteredCheck(each.name, each.table, each.severity, each.rule, {}) for each in load_contracts()),
        *(RegisteredCheck(each.name, each.table, each.severity, each.reason, each.words) for each in wanted),
    ]


def list_days(from_date: date, to_date: date) -> list[date]:
    """Every day of the range, both ends included."""
    return [from_date + timedelta(days=offset) for offset in range((to_date - from_date).days + 1)]


_TABLES = (
    "create table if not exists quality.results (business_date DATE, check_name VARCHAR, table_name VARCHAR, "
    "severity VARCHAR, is_passed BOOLEAN, cases BIGINT, observed VARCHAR, expected VARCHAR, rule VARCHAR, "
    "kind VARCHAR default 'contract', found VARCHAR, families VARCHAR[])",
    "alter table quality.results add column if not exists kind VARCHAR default 'contract'",
    "alter table quality.results add column if not exists found VARCHAR",
    "alter table quality.results add column if not exists families VARCHAR[]",
    "create table if not exists quality.slice_warnings (business_date DATE, table_name VARCHAR, check_name VARCHAR, "
    "dimension VARCHAR, value VARCHAR, observed VARCHAR, expected VARCHAR)",
    "create table if not exists quality.family_days (business_date DATE, family VARCHAR, state VARCHAR, "
    "rows_read BIGINT, rows_accepted BIGINT, rows_duplicate BIGINT, rows_quarantined BIGINT, "
    "latest_event_at TIMESTAMP, rows_excluded BIGINT default 0)",
    "alter table quality.family_days add column if not exists rows_excluded BIGINT default 0",
    "create table if not exists quality.quarantine_days "
    "(business_date DATE, family VARCHAR, reason VARCHAR, row_count BIGINT)",
    "create table if not exists quality.day_verdict (business_date DATE, verdict VARCHAR, reasons VARCHAR)",
)


def create_tables(warehouse: Warehouse) -> None:
    """Creates, if absent, the tables that the gate writes."""
    for statement in _TABLES:
        warehouse.execute(statement)
    expectations.create_tables(warehouse)


def run_contracts(warehouse: Warehouse, from_date: date, to_date: date) -> None:
    """Runs every contract on every day of the range and replaces its results in quality.results."""
    create_tables(warehouse)
    violations = {contract: _find_violations(warehouse, contract, from_date, to_date) for contract in load_contracts()}
    with warehouse.transaction():
        _clear_days(warehouse, "quality.results", from_date, to_date, "kind = 'contract'")
        results = [
            _build_result(day, contract, violations[contract].get(day))
            for day in list_days(from_date, to_date)
            for contract in violations
        ]
        insert_rows(warehouse, "quality.results", results)


def _find_violations(
    warehouse: Warehouse, contract: Contract, from_date: date, to_date: date
) -> Mapping[date, _Violations]:
    """The violations of the contract on each day that has some."""
    cases = f"from ({contract.query}) as cases where business_date between $from_date and $to_date"
    if not warehouse.rows(f"select 1 {cases} limit 1", from_date=from_date, to_date=to_date):
        return {}  # as nearly always; planning to tell of them takes longer than to find none
    rows = warehouse.rows(
        "select business_date, count(*), list_slice(list_sort(list(distinct to_json(cases)::VARCHAR)), 1, $most), "
        "list_sort(list(distinct to_json(cases)->>'$.family') filter (where to_json(cases)->>'$.family' is not null)) "
        f"{cases} group by business_date",
        from_date=from_date,
        to_date=to_date,
        most=MOST_NAMED,
    )
    return {
        day: _Violations(count, _observe_violations(contract, texts), families or ())
        for day, count, texts, families in rows
    }


def _observe_violations(contract: Contract, texts: Sequence[str]) -> CheckObservation:
    """The first violation, and the further ones that expect the same and differ in what they tell, such as families."""
    values = [{name: value for name, value in json.loads(text).items() if name != "business_date"} for text in texts]
    first = CheckObservation(contract.name, values[0])
    others = {}
    for each in values[1:]:
        observation = CheckObservation(contract.name, each)
        if observation.expected_text == first.expected_text:
            others[observation.observed_text] = each
    others.pop(first.observed_text, None)
    return CheckObservation(contract.name, values[0], tuple(others.values())) if others else first


def _build_result(day: date, contract: Contract, violations: _Violations | None) -> tuple[object, ...]:
    found = violations.found if violations else None
    return (
        day,
        contract.name,
        contract.table,
        contract.severity.value,
        violations is None,
        violations.cases if violations else 0,
        found.observed_text if found else "",
        found.expected_text if found else "",
        contract.rule,
        "contract",
        found.format_json() if found else None,
        violations.families if violations else [],
    )


def run_expectations(
    warehouse: Warehouse, settings: Settings, from_date: date, to_date: date, built: Collection[str] = ()
) -> None:
    """Judges the days of the range, from the opening day on, and replaces their results and slice warnings.

    Args:
        built: tables that were just built. The staged rows of other tables are not read again and their results stay.
            If empty, all tables are judged.
    """
    create_tables(warehouse)
    first = max(from_date, settings.opening_date)
    if first > to_date:
        return
    suites = load_suites(settings)
    judged = [suite for suite in suites if not built or suite.table in built or not suite.table.startswith("staging.")]
    judgements = expectations.judge_suites(
        warehouse, settings, judged, _find_judged_days(warehouse, settings, judged, first, to_date)
    )
    kept = [suite.table for suite in suites if suite not in judged]
    is_replaced = "not list_contains($kept::VARCHAR[], table_name)"
    with warehouse.transaction():
        _clear_days(
            warehouse, "quality.results", from_date, to_date, f"kind = 'expectation' and {is_replaced}", kept=kept
        )
        _clear_days(warehouse, "quality.slice_warnings", from_date, to_date, is_replaced, kept=kept)
        insert_rows(warehouse, "quality.results", [_build_judgement_row(each) for each in judgements])
        insert_rows(
            warehouse, "quality.slice_warnings", [row for each in judgements for row in _build_slice_rows(each)]
        )


def _find_judged_days(
    warehouse: Warehouse, settings: Settings, suites: Collection[Suite], from_date: date, to_date: date
) -> dict[str, list[date]]:
    """The days to judge of each suite's table: for events, only days on which their family was delivered."""
    days = list_days(from_date, to_date)
    present = {day: find_family_presence(warehouse, settings, day) for day in days}
    families = {f"{schema}.{family.table}": name for name, family in FAMILIES.items() for schema in ("raw", "staging")}
    return {
        suite.table: [
            day for day in days if suite.table not in families or present[day][families[suite.table]] == "present"
        ]
        for suite in suites
    }


def _build_judgement_row(judgement: Judgement) -> tuple[object, ...]:
    expectation: Expectation = judgement.expectation
    return (
        judgement.business_date,
        expectation.name,
        expectation.table,
        expectation.severity.value,
        judgement.is_passed,
        judgement.cases,
        judgement.found.observed_text,
        judgement.found.expected_text,
        expectation.reason,
        "expectation",
        judgement.found.format_json(),
        [],
    )


def _build_slice_rows(judgement: Judgement) -> list[tuple[object, ...]]:
    """One row per failed slice. A failure of a whole table is among the verdict's reasons instead."""
    expectation = judgement.expectation
    if judgement.is_passed or expectation.severity is not Severity.WARN:
        return []
    place = (judgement.business_date, expectation.table, expectation.name)
    return [(*place, fault.dimension, fault.value, fault.observed, fault.expected) for fault in judgement.faults]


def decide_verdicts(warehouse: Warehouse, settings: Settings, from_date: date, to_date: date) -> list[DayVerdict]:
    """Writes quality.family_days and quality.day_verdict for the range. Returns the verdicts in order of days."""
    create_tables(warehouse)
    days = list_days(from_date, to_date)
    families = {day: find_family_presence(warehouse, settings, day) for day in days}
    failed = _read_failed_checks(warehouse, from_date, to_date)
    told = {day: _leave_out_consequences(reasons) for day, reasons in failed.items()}
    verdicts = [
        _decide_verdict(day, settings, [*_find_absences(warehouse, settings, day, families[day]), *told.get(day, ())])
        for day in days
    ]
    with warehouse.transaction():
        _clear_days(warehouse, "quality.day_verdict", from_date, to_date)
        states = [(day, family, str(state)) for day in days for family, state in families[day].items()]
        _write_row_counts(warehouse, from_date, to_date, states)
        insert_rows(
            warehouse,
            "quality.day_verdict",
            [(v.business_date, v.verdict.value, json.dumps([vars(r) for r in v.reasons])) for v in verdicts],
        )
    return verdicts


def recount_rows(warehouse: Warehouse, from_date: date, to_date: date) -> None:
    """Counts the rows of judged days again, of which deliveries have come that say nothing new."""
    create_tables(warehouse)
    with warehouse.transaction():
        rows = warehouse.rows(
            "select business_date, family, state from quality.family_days "
            "where business_date between $from_date and $to_date order by all",
            from_date=from_date,
            to_date=to_date,
        )
        _write_row_counts(warehouse, from_date, to_date, [(day, family, state) for day, family, state in rows])


def _write_row_counts(
    warehouse: Warehouse, from_date: date, to_date: date, states: Sequence[tuple[date, str, str]]
) -> None:
    """Writes quality.quarantine_days and quality.family_days. `states`: day, family and whether its data are there."""
    for table in ("quality.family_days", "quality.quarantine_days"):
        _clear_days(warehouse, table, from_date, to_date)
    warehouse.execute(_QUARANTINE_DAYS, from_date=from_date, to_date=to_date)
    counts = _count_rows(warehouse, from_date, to_date)
    rows: list[tuple[object, ...]] = []
    for day, family, state in states:
        unknown: tuple[object, ...] = _NO_ROWS if state == "present" else _UNKNOWN_ROWS
        rows.append((day, family, state, *(counts.get((day, family)) or unknown)))
    insert_rows(warehouse, "quality.family_days", rows)


_QUARANTINE_DAYS = """
    insert into quality.quarantine_days
    select counted_date as business_date, family, reason, count(*)
    from quality.quarantine
    where counted_date between $from_date and $to_date
    group by all
"""
_NO_ROWS = (0, 0, 0, 0, None, 0)
_UNKNOWN_ROWS = (None, None, None, None, None, None)


def _count_rows(
    warehouse: Warehouse, from_date: date, to_date: date
) -> dict[tuple[date, str], tuple[int, int, int, int, datetime | None, int]]:
    """(read, accepted, duplicate, quarantined, time of the last event, excluded) by date and family.

    Read = accepted + duplicate + quarantined, as for each delivery. Excluded rows are the accepted rows of people whom
    the shop does not count.
    """
    staged = " union all ".join(
        f"select business_date, '{family.name}' as family, count(*) as accepted, max(event_time) as latest_event_at "
        f"from staging.{family.table} where business_date between $from_date and $to_date group by business_date"
        for family in FAMILIES.values()
    )
    rows = warehouse.rows(
        f"""
        with staged as ({staged}),
        duplicates as (
            select business_date, family, count(*) as duplicates
            from quality.duplicate_events
            where reason != 'conflicting_duplicate' and business_date between $from_date and $to_date
            group by all
        ),
        quarantined as (
            select business_date, family, sum(row_count) as quarantined
            from quality.quarantine_days
            where business_date between $from_date and $to_date
            group by all
        ),
        excluded as (
            select
                business_date, family, count(*) as excluded,
                count(*) filter (where family != 'order') as left_out  -- an order stays in staging, marked
            from quality.excluded_events
            anti join quality.duplicate_events using (family, business_date, delivery_id, row_number)
            where business_date between $from_date and $to_date
            group by all
        )
        select
            business_date, family, coalesce(accepted, 0) + coalesce(left_out, 0), coalesce(duplicates, 0),
            coalesce(quarantined, 0)::BIGINT, latest_event_at, coalesce(excluded, 0)
        from staged
        full join duplicates using (business_date, family)
        full join quarantined using (business_date, family)
        full join excluded using (business_date, family)
        """,
        from_date=from_date,
        to_date=to_date,
    )
    return {
        (day, family): (accepted + duplicate + quarantined, accepted, duplicate, quarantined, latest, excluded)
        for day, family, accepted, duplicate, quarantined, latest, excluded in rows
    }


def _decide_verdict(day: date, settings: Settings, reasons: Sequence[VerdictReason]) -> DayVerdict:
    if day < settings.opening_date:
        return DayVerdict(day, Verdict.HISTORY, ())
    if any(reason.severity == Severity.BLOCK for reason in reasons):
        return DayVerdict(day, Verdict.BLOCKED, tuple(reasons))
    return DayVerdict(day, Verdict.WARN if reasons else Verdict.PASS, tuple(reasons))


def _find_absences(
    warehouse: Warehouse, settings: Settings, day: date, families: Mapping[str, str]
) -> list[VerdictReason]:
    """Families without data for the day, with unreadable files that were delivered in their place."""
    reasons = []
    for family, state in families.items():
        if state not in ("missing", "growing"):
            continue
        found = list_failures(warehouse, family, day)
        is_required = any(source.required for source in settings.list_family_sources(family))
        reasons.append(
            VerdictReason(
                key=f"family_{state}",
                subject=family,
                observed=f"{state}: {'; '.join(found)}" if found else str(state),
                expected="delivered",
                severity=Severity.BLOCK if is_required else Severity.WARN,
            )
        )
    return reasons


def _read_failed_checks(warehouse: Warehouse, from_date: date, to_date: date) -> dict[date, list[VerdictReason]]:
    failed: dict[date, list[VerdictReason]] = {}
    for record in warehouse.records(
        "select * from quality.results where not is_passed and business_date between $from_date and $to_date "
        "order by business_date, severity, table_name, check_name",
        from_date=from_date,
        to_date=to_date,
    ):
        failed.setdefault(record["business_date"], []).append(
            VerdictReason(
                key=record["kind"],
                subject=f"{record['table_name']}: {record['check_name']}",
                observed=record["observed"],
                expected=record["expected"],
                severity=Severity(record["severity"]),
                table=record["table_name"],
                check=record["check_name"],
                families=tuple(record["families"] or ()),
                found=record["found"] or "",
            )
        )
    return failed


def _leave_out_consequences(reasons: Sequence[VerdictReason]) -> list[VerdictReason]:
    """Without what only repeats, of a table, that a family has no event, or the table next to nothing.

    quality.results keeps it.
    """
    is_empty = any(reason.check == EMPTY for reason in reasons)
    off_scale = {reason.table for reason in reasons if reason.check == _SCALE}

    def is_told(reason: VerdictReason) -> bool:
        if is_empty and reason.check in _FOLLOW_FROM_EMPTY and reason.table.startswith("marts."):
            return True
        return reason.check == _GONE and not off_scale.isdisjoint((reason.table, _MADE_OF.get(reason.table, "")))

    return [reason for reason in reasons if not is_told(reason)]


def read_verdicts(warehouse: Warehouse, from_date: date, to_date: date) -> list[DayVerdict]:
    """The stored verdicts of the range, in order of days. Days never judged are left out."""
    create_tables(warehouse)
    rows = warehouse.rows(
        "select business_date, verdict, reasons from quality.day_verdict "
        "where business_date between $from_date and $to_date order by business_date",
        from_date=from_date,
        to_date=to_date,
    )
    return [DayVerdict(day, Verdict(verdict), _parse_reasons(json.loads(reasons))) for day, verdict, reasons in rows]


def read_published_verdict(published: duckdb.DuckDBPyConnection, business_date: date) -> DayVerdict | None:
    """The verdict of a day in the published copy, which has it of blocked days too; None if it was never judged."""
    found = published.execute(
        "select verdict, reasons from quality.day_verdict where business_date = $1", [business_date]
    ).fetchone()
    if found is None:
        return None
    verdict, reasons = found
    return DayVerdict(business_date, Verdict(verdict), _parse_reasons(json.loads(reasons)))


def _parse_reasons(written: Sequence[Mapping[str, Any]]) -> tuple[VerdictReason, ...]:
    return tuple(
        VerdictReason(
            reason["key"],
            reason["subject"],
            reason["observed"],
            reason["expected"],
            Severity(reason["severity"]),
            reason.get("table", ""),
            reason.get("check", ""),
            tuple(reason.get("families", ())),
            reason.get("found", ""),
        )
        for reason in written
    )


def _clear_days(
    warehouse: Warehouse, table: str, from_date: date, to_date: date, condition: str = "true", **parameters: object
) -> None:
    warehouse.execute(
        f"delete from {table} where business_date between $from_date and $to_date and {condition}",
        from_date=from_date,
        to_date=to_date,
        **parameters,
    )
