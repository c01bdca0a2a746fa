"""The gate: what each day's verdict is and why, for every state of a family and every kind of contract."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from shop_helpers import OPENING, Home, day

from funnelscope.events.schema import EVENT_FAMILIES
from funnelscope.ingest import create_tables
from funnelscope.messages.check_observations import CheckObservation, read_observation
from funnelscope.messages.wording import translate_message
from funnelscope.quality import gate
from funnelscope.quality.gate import Verdict, VerdictReason
from funnelscope.settings import Settings
from funnelscope.warehouse.checks import Contract, Severity, load_contracts
from funnelscope.warehouse.connection import Warehouse, open_in_memory_warehouse
from funnelscope.warehouse.models import build_query_parameters, create_inputs, create_table, load_models

BEFORE_OPENING = date(2026, 4, 28)
BLOCKING = Contract("never_odd", "marts.daily_summary", Severity.BLOCK, "No odd day.", "")
WARNING = Contract("rarely_low", "staging.page_events", Severity.WARN, "No low day.", "")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    home = Home(tmp_path)
    home.write_config(date(2026, 4, 21))
    return home.settings


@pytest.fixture(scope="module")
def empty() -> Warehouse:
    """Every table, without a row."""
    warehouse = open_in_memory_warehouse(["set threads = 1"])
    create_tables(warehouse)
    create_inputs(warehouse)
    gate.create_tables(warehouse)
    for model in load_models().values():
        create_table(warehouse, model, build_query_parameters(OPENING, OPENING))
    return warehouse


@pytest.fixture
def warehouse(empty: Warehouse) -> Warehouse:
    tables = "deliveries delivery_dates quarantine duplicate_events results family_days quarantine_days day_verdict"
    for table in (*(f"quality.{name}" for name in tables.split()), "staging.order_events"):
        empty.execute(f"delete from {table}")
    return empty


def deliver(warehouse: Warehouse, family: str, business_date: date, status: str = "loaded", source: str = "") -> None:
    number = warehouse.value("select count(*) + 1 from quality.deliveries")
    warehouse.execute(
        "insert into quality.deliveries (delivery_id, family, dt, file, source, status) "
        "values ($id, $family, $dt, $id::VARCHAR, $source, $status)",
        id=number,
        family=family,
        dt=business_date,
        source=source or family,
        status=status,
    )


def deliver_all(warehouse: Warehouse, business_date: date) -> None:
    for family in EVENT_FAMILIES:
        deliver(warehouse, family, business_date)


def use(monkeypatch: pytest.MonkeyPatch, queries: Mapping[Contract, str]) -> None:
    """Puts these contracts in place of all others; what they find is told as it is."""
    contracts = tuple(Contract(c.name, c.table, c.severity, c.rule, query) for c, query in queries.items())
    monkeypatch.setattr(gate, "load_contracts", lambda: contracts)
    monkeypatch.setattr(gate, "CheckObservation", lambda name, values: CheckObservation("as_told", values))


def odd_days(observed: str = "odd", expected: str = "even") -> str:
    """A query that finds a case on the days 1, 3, 5 of the month, two of them on the third."""
    return f"""
        select make_date(2026, 5, number::int) as business_date, '{observed}' as observed, '{expected}' as expected
        from unnest([1, 3, 3, 5]) as t(number)
    """


NOTHING = "select null::DATE as business_date, '' as observed, '' as expected where false"


def judged(warehouse: Warehouse, settings: Settings, first: date, last: date) -> dict[date, gate.DayVerdict]:
    gate.run_contracts(warehouse, first, last)
    return {verdict.business_date: verdict for verdict in gate.decide_verdicts(warehouse, settings, first, last)}


def test_a_whole_day_without_a_case_passes(
    warehouse: Warehouse, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, {BLOCKING: NOTHING, WARNING: NOTHING})
    deliver_all(warehouse, day(1))
    verdict = judged(warehouse, settings, day(1), day(1))[day(1)]
    assert verdict == gate.DayVerdict(day(1), Verdict.PASS, ())
    assert verdict.is_publishable


def test_a_warning_is_published_with_its_reason(
    warehouse: Warehouse, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, {BLOCKING: NOTHING, WARNING: odd_days("7", "at least 9")})
    deliver_all(warehouse, day(1))
    verdict = judged(warehouse, settings, day(1), day(1))[day(1)]
    assert verdict.verdict == Verdict.WARN
    assert verdict.is_publishable
    place = ("staging.page_events", "rarely_low")
    (reason,) = verdict.reasons
    assert replace(reason, found="") == VerdictReason(
        "contract", ": ".join(place), "7", "at least 9", Severity.WARN, *place
    )
    assert reason.say_in("en") == "staging.page_events: “rarely_low” does not hold: 7 (expected: at least 9)"
    assert reason.say_in("zh") == "staging.page_events：「rarely_low」不成立：7（应为：at least 9）"


def test_a_reason_that_an_earlier_version_stored_is_told_as_it_stands() -> None:
    (old,) = gate._parse_reasons(
        [{"key": "contract", "subject": "t: c", "observed": "7", "expected": "9", "severity": "warn"}]
    )
    assert old.say_in("zh") == "t: c: 7"


def test_a_family_without_an_event_is_told_once(
    warehouse: Warehouse, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The shop was closed on the 1st; on the 2nd a cube is empty, and the events are there."""
    of_day = "select make_date(2026, 5, {}) as business_date, 'odd' as observed, 'even' as expected"
    empty = Contract("days_between_have_events", "staging.order_events", Severity.WARN, "", "")
    scale = [
        Contract("volume_keeps_its_scale", table, Severity.WARN, "", "")
        for table in ("marts.payment_cube", "staging.page_events")
    ]
    both = " union all ".join(of_day.format(number) for number in (1, 2))
    gone = [
        Contract("nothing_is_gone", table, Severity.WARN, "", "")
        for table in ("marts.payment_cube", "marts.daily_money", "marts.landing_cube")
    ]
    use(monkeypatch, {empty: of_day.format(1)} | dict.fromkeys([*scale, *gone], both))
    for number in (1, 2):
        deliver_all(warehouse, day(number))
    verdicts = judged(warehouse, settings, day(1), day(2))
    assert {each.day: {reason.table for reason in verdicts[each].reasons} for each in verdicts} == {
        1: {"staging.order_events", "staging.page_events"},
        2: {"marts.payment_cube", "staging.page_events", "marts.landing_cube"},
    }
    assert [reason.check for reason in verdicts[day(2)].reasons if reason.table == "marts.payment_cube"] == [
        "volume_keeps_its_scale"
    ]
    kept = "select count(*) from quality.results where not is_passed and table_name = 'marts.payment_cube'"
    assert warehouse.value(kept) == 4


def test_a_blocking_case_blocks_its_own_day_only_and_all_reasons_are_kept(
    warehouse: Warehouse, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, {BLOCKING: odd_days(), WARNING: odd_days("7", "9")})
    for number in range(1, 5):
        deliver_all(warehouse, day(number))
    verdicts = judged(warehouse, settings, day(1), day(4))
    assert {each.day: verdicts[each].verdict.value for each in verdicts} == {
        1: "blocked",
        2: "pass",
        3: "blocked",
        4: "pass",
    }
    assert not verdicts[day(1)].is_publishable
    assert [reason.severity for reason in verdicts[day(3)].reasons] == [Severity.BLOCK, Severity.WARN]


def test_violations_of_a_check_that_expect_the_same_are_told_together_in_order(warehouse: Warehouse) -> None:
    for number, (family, rows) in enumerate((("traffic", 5), ("page", 80), ("order", 4), ("service", 900)), start=1):
        warehouse.execute(
            "insert into quality.deliveries (delivery_id, family, dt, file, source, status, rows_read) "
            f"values ({number}, '{family}', '{day(1)}', '{number}', '{family}', 'loaded', {rows})"
        )
        warehouse.execute(
            "insert into quality.quarantine (delivery_id, family, dt, row_number, reason, counted_date) "
            f"values ({number}, '{family}', '{day(1)}', 1, 'bad_time', '{day(1)}')"
        )
        warehouse.execute(
            "insert into quality.delivery_dates (delivery_id, family, business_date, rows) "
            f"values ({number}, '{family}', '{day(1)}', {rows} - 1)"
        )
    gate.run_contracts(warehouse, day(1), day(1))
    (record,) = warehouse.records("select * from quality.results where check_name = 'little_is_in_quarantine'")
    assert record["cases"] == 3
    assert record["observed"] == "Orders: 1 of 4 rows; Pages: 1 of 80 rows; Traffic: 1 of 5 rows"
    assert record["expected"] == "at most 1%"
    in_chinese = translate_message(read_observation(record).observed, "zh")
    assert in_chinese == "订单：4 行中有 1 行在隔离区；页面：80 行中有 1 行在隔离区；流量：5 行中有 1 行在隔离区"


def test_days_before_the_opening_are_history_whatever_is_wrong_with_them(
    warehouse: Warehouse, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    always = f"select date '{BEFORE_OPENING}' as business_date, 'bad' as observed, 'good' as expected"
    use(monkeypatch, {BLOCKING: always})
    verdict = judged(warehouse, settings, BEFORE_OPENING, BEFORE_OPENING)[BEFORE_OPENING]
    assert verdict == gate.DayVerdict(BEFORE_OPENING, Verdict.HISTORY, ())
    assert verdict.is_publishable


def test_results_stand_for_each_day_and_contract_and_are_replaced(
    warehouse: Warehouse, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, {BLOCKING: odd_days(), WARNING: NOTHING})
    for _ in range(2):
        gate.run_contracts(warehouse, day(2), day(5))
    rows = warehouse.rows(
        "select day(business_date), check_name, is_passed, cases, observed, expected from quality.results order by all"
    )
    assert rows == [
        (2, "never_odd", True, 0, "", ""),
        (2, "rarely_low", True, 0, "", ""),
        (3, "never_odd", False, 2, "odd", "even"),
        (3, "rarely_low", True, 0, "", ""),
        (4, "never_odd", True, 0, "", ""),
        (4, "rarely_low", True, 0, "", ""),
        (5, "never_odd", False, 1, "odd", "even"),
        (5, "rarely_low", True, 0, "", ""),
    ]


# --- Families --------------------------------------------------------------------------------------


def family_states(warehouse: Warehouse, business_date: date) -> dict[str, str]:
    return dict(
        warehouse.rows("select family, state from quality.family_days where business_date = $day", day=business_date)
    )


@pytest.mark.parametrize(
    ("status", "key", "state"),
    [
        ("growing", "family_growing", "growing"),
        ("", "family_missing", "missing"),
        ("quarantined", "family_missing", "missing"),
    ],
)
def test_a_required_family_that_is_not_there_blocks(
    warehouse: Warehouse, settings: Settings, monkeypatch: pytest.MonkeyPatch, status: str, key: str, state: str
) -> None:
    use(monkeypatch, {BLOCKING: NOTHING})
    for family in ("traffic", "service", "order"):
        deliver(warehouse, family, day(1))
    if status:
        deliver(warehouse, "page", day(1), status)
    verdict = judged(warehouse, settings, day(1), day(1))[day(1)]
    assert verdict.verdict == Verdict.BLOCKED
    (reason,) = verdict.reasons
    assert (reason.key, reason.subject, reason.severity) == (key, "page", Severity.BLOCK)
    assert reason.observed.startswith(f"{state}: " if status == "quarantined" else state)
    assert family_states(warehouse, day(1)) == {
        "traffic": "present",
        "page": state,
        "service": "present",
        "order": "present",
        "figure": "absent",
    }


def test_a_family_that_nobody_declared_is_absent_and_no_reason(
    warehouse: Warehouse, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, {BLOCKING: NOTHING})
    declared = tuple(source for source in settings.sources if source.family == "order")
    deliver(warehouse, "order", day(1))
    only_orders = settings.model_copy(update={"sources": declared})
    assert judged(warehouse, only_orders, day(1), day(1))[day(1)].verdict == Verdict.PASS
    assert family_states(warehouse, day(1)) == {
        "traffic": "absent",
        "page": "absent",
        "service": "absent",
        "order": "present",
        "figure": "absent",
    }


def test_a_source_that_is_not_required_does_not_hold_the_day_up(
    warehouse: Warehouse, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, {BLOCKING: NOTHING})
    sources = tuple(source.model_copy(update={"required": source.family != "service"}) for source in settings.sources)
    for family in ("traffic", "page", "order"):
        deliver(warehouse, family, day(1))
    patient = settings.model_copy(update={"sources": sources})
    assert judged(warehouse, patient, day(1), day(1))[day(1)].verdict == Verdict.PASS
    assert family_states(warehouse, day(1))["service"] == "absent"
    deliver(warehouse, "service", day(1), "growing")
    verdict = judged(warehouse, patient, day(1), day(1))[day(1)]
    assert verdict.verdict == Verdict.WARN
    assert [reason.key for reason in verdict.reasons] == ["family_growing"]


def test_the_rows_of_a_family_are_read_accepted_duplicate_or_quarantined(
    warehouse: Warehouse, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, {BLOCKING: NOTHING})
    deliver_all(warehouse, day(1))
    noon = datetime(2026, 5, 1, 4, tzinfo=UTC)
    for number in range(5):
        warehouse.execute(
            "insert into staging.order_events (business_date, event_id, event_time) values ($day, $id, $time)",
            day=day(1),
            id=number,
            time=noon,
        )
    warehouse.execute(
        "insert into quality.duplicate_events values ('order', $day, 4, 9, 'duplicate'), "
        "('order', $day, 4, 10, 'conflicting_duplicate')",
        day=day(1),
    )
    # The conflicting one stands in the quarantine too; a row without a date counts on its delivery day.
    warehouse.execute(
        "insert into quality.quarantine (family, dt, reason, counted_date) values "
        "('order', $day, 'conflicting_duplicate', $day), ('order', $day, 'bad_time', $day)",
        day=day(1),
    )
    judged(warehouse, settings, day(1), day(1))
    ((*counts, latest),) = warehouse.rows(
        "select rows_read, rows_accepted, rows_duplicate, rows_quarantined, latest_event_at "
        "from quality.family_days where family = 'order'"
    )
    assert counts == [8, 5, 1, 2]
    assert latest == noon.replace(tzinfo=None)
    assert warehouse.rows("select rows_read, rows_accepted from quality.family_days where family = 'page'") == [(0, 0)]


# --- What stands -----------------------------------------------------------------------------------


def test_verdicts_are_read_back_as_they_were_judged(
    warehouse: Warehouse, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, {BLOCKING: odd_days("it''s odd", '"偶数"'), WARNING: odd_days()})
    deliver_all(warehouse, day(2))
    written = list(judged(warehouse, settings, BEFORE_OPENING, day(3)).values())
    assert gate.read_verdicts(warehouse, BEFORE_OPENING, day(3)) == written
    assert gate.read_verdicts(warehouse, day(8), day(9)) == []


def test_judging_again_replaces_the_verdict(
    warehouse: Warehouse, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, {BLOCKING: NOTHING})
    assert judged(warehouse, settings, day(1), day(1))[day(1)].verdict == Verdict.BLOCKED
    deliver_all(warehouse, day(1))
    judged(warehouse, settings, day(1), day(1))
    assert [v.verdict for v in gate.read_verdicts(warehouse, day(1), day(1))] == [Verdict.PASS]


def test_every_real_contract_runs_on_empty_tables_and_finds_no_case_without_deliveries(warehouse: Warehouse) -> None:
    gate.run_contracts(warehouse, day(1), day(2))
    failed = warehouse.rows("select check_name, table_name, observed from quality.results where not is_passed")
    assert not failed
    assert warehouse.value("select count(*) from quality.results") == 2 * len(load_contracts())
