"""Times that are written otherwise than declared, or that no clock showed: what is read, refused, and said."""

import io
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from intake_helpers import CONTRACT, DAY, Shop, Told

from funnelscope.ingest.mapping.time_formats import describe_swapped_days, find_likely_formats, find_skipped_hours
from funnelscope.warehouse.checks import load_contracts
from funnelscope.warehouse.connection import open_in_memory_warehouse

BERLIN = "Europe/Berlin"
LATE = date(2026, 6, 8)  # a day of delivery at which day and month may be mistaken for each other


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    yield Shop(opened := open_in_memory_warehouse(["set threads = 1"]), tmp_path)
    opened.connection.close()


def file_of(*times: str) -> str:
    return "order_id,event_time,event_type\n" + "".join(f"{n},{time},paid\n" for n, time in enumerate(times))


def warned_days(shop: Shop) -> list[date]:
    """The days on which the gate warns that a delivery looks misread."""
    (contract,) = (each for each in load_contracts() if each.name == "deliveries_read_as_meant")
    found = shop.warehouse.records(contract.query, from_date=date(2026, 1, 1), to_date=date(2026, 12, 31))
    return sorted({case["business_date"] for case in found})


# -- forms

READ = {
    "2026-01-06 10:00:00": "02:00",
    "2026/1/6 10:00": "02:00",
    "2026-01-06T10:00:00.250": "02:00",
    "2026-01-06T10:00:00Z": "10:00",
    "2026-01-06 10:00:00 UTC": "10:00",
    "2026-01-06 10:00:00 GMT": "10:00",
    "2026-01-06T10:00:00+0100": "09:00",
    "2026-01-06 10:00:00-05": "15:00",
    "2026-01-06": "16:00",  # midnight in Shanghai
}

# DuckDB's own cast reads the first four, and forgets what stands behind the time.
REFUSED = [
    *("2026-01-06 10:00:00 PM", "2026-01-06 10:00:00 CST", "2026-01-06 10:00:00 Europe/Berlin", "epoch"),
    *(
        "1/6/26 10:00",
        "20260106",
        "2026-02-30 10:00:00",
        "２０２６-01-06",
        "10:00:00",
        "now",
        "2026-01-06 上午10:00:00",
    ),
]


def test_times_are_read_in_the_shop_s_zone_or_in_their_own(shop: Shop) -> None:
    assert shop.deliver(file_of(*READ), CONTRACT) == Told("loaded", len(READ), "", [])
    assert [f"{time:%H:%M}" for time in shop.column("event_time")] == list(READ.values())


def test_a_time_with_a_word_that_would_be_forgotten_is_not_read(shop: Shop) -> None:
    told = shop.deliver(file_of(*REFUSED), CONTRACT)
    assert told.quarantine == [(n, "bad_time", f"event_time: {text} is no time") for n, text in enumerate(REFUSED, 2)]


UNDECLARED = {
    "day first": (
        ["13/01/2026 10:00", "06/01/2026 11:00"],
        '%d/%m/%Y %H:%M, such as 06/01/2026 11:00: declare time_format: "%d/%m/%Y %H:%M"',
    ),
    "either first": (
        ["06/01/2026 11:00"],
        "%d/%m/%Y %H:%M or %m/%d/%Y %H:%M, such as 06/01/2026 11:00: declare as time_format the one that is meant",
    ),
    "milliseconds": (
        ["1767664800123"],
        'epoch_milliseconds, such as 1767664800123: declare time_format: "epoch_milliseconds"',
    ),
    "days of a spreadsheet": (
        ["46028.4166"],
        "Excel's day numbers, such as 46028.4166: save the sheet with its dates as text",
    ),
    "of twelve hours": (
        ["2026-01-06 10:00:00 PM"],
        '%Y-%m-%d %I:%M:%S %p, such as 2026-01-06 10:00:00 PM: declare time_format: "%Y-%m-%d %I:%M:%S %p"',
    ),
}


@pytest.mark.parametrize("case", UNDECLARED)
def test_a_format_that_nobody_declared_is_named(case: str, shop: Shop) -> None:
    written, words = UNDECLARED[case]
    told = shop.deliver(file_of(*written), CONTRACT)
    assert (told.rows_loaded, len(told.quarantine)) == (0, len(written))
    assert told.message == f"times look like {words}"


@pytest.mark.parametrize("declared", ["epoch_seconds", "epoch_milliseconds", "epoch_microseconds"])
@pytest.mark.parametrize("written", ["1767664800", "1767664800123", "1767664800123456"])
@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_numbers_of_another_epoch_than_declared_are_named(
    declared: str, written: str, ending: str, shop: Shop, tmp_path: Path
) -> None:
    content = file_of(written).encode()
    if ending == "parquet":
        columns = {"order_id": ["0"], "event_time": pa.array([int(written)], pa.int64()), "event_type": ["paid"]}
        pq.write_table(pa.table(columns), tmp_path / "written.parquet")
        content = (tmp_path / "written.parquet").read_bytes()
    told = shop.deliver(content, CONTRACT | {"time_format": declared}, f"orders.{ending}")
    (likely,) = find_likely_formats([written])
    if likely == declared:
        assert told == Told("loaded", 1, "", [])
    else:
        assert told.rows_loaded == 0
        assert told.message == f'times look like {likely}, such as {written}: declare time_format: "{likely}"'


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("make_timestamp(ts::BIGINT)", ""),
        ("to_timestamp(ts::BIGINT / 1000)", "come to the year 57985; divided by 1,000 they come to 2026-01-06"),
        ("make_timestamp(ts::BIGINT // 1000)", "come to the year 1970; multiplied by 1,000 they come to 2026-01-06"),
        ("make_timestamp(ts::BIGINT // 1000000)", "year 1970; multiplied by 1,000,000 they come to 2026-01-06"),
        ("make_timestamp(0)", ""),
    ],
)
def test_a_unit_that_an_expression_mistakes_is_told(expression: str, words: str, shop: Shop) -> None:
    content = file_of("1767664800123456", "1767664800123457").replace("event_time", "ts")
    mapped = {"columns": {"order_id": "order_id"}, "expressions": {"event_time": expression}, "event_types": "paid"}
    told = shop.deliver(content, CONTRACT | mapped)
    assert words in told.message
    assert bool(words) == bool(told.message)


def test_a_number_beyond_every_year_costs_its_own_row_only(shop: Shop) -> None:
    told = shop.deliver(file_of("1767664800", "9" * 25), CONTRACT | {"time_format": "epoch_seconds"})
    assert told == Told("loaded", 1, "", [(3, "bad_time", f"event_time: {'9' * 25} is no time")])


def test_two_formats_in_one_column_are_told_apart_and_named(shop: Shop) -> None:
    told = shop.deliver(file_of("2026-01-06 10:00:00", "06.01.2026 11:00", "2026-01-06 12:00:00"), CONTRACT)
    assert told == Told(
        "loaded",
        2,
        "rows whose time is written otherwise than the rest: 1, such as 06.01.2026 11:00 (%d.%m.%Y %H:%M): "
        "one format each delivery, or an expression: coalesce(try_strptime(…), try_strptime(…))",
        [(3, "bad_time", "event_time: 06.01.2026 11:00 is no time")],
    )
    assert warned_days(shop) == [DAY]


def test_an_expression_reads_two_formats_as_the_message_says(shop: Shop) -> None:
    reading = "coalesce(try_strptime(moment, '%Y-%m-%d %H:%M:%S'), try_strptime(moment, '%d.%m.%Y %H:%M'))"
    content = file_of("2026-01-06 10:00:00", "06.01.2026 11:00").replace("event_time", "moment")
    mapped = {"columns": {"order_id": "order_id"}, "expressions": {"event_time": reading}, "event_types": "paid"}
    told = shop.deliver(content, CONTRACT | mapped)
    assert told == Told("loaded", 2, "", [])


# -- day and month

MONTH_FIRST = CONTRACT | {"time_format": "%m/%d/%Y %H:%M"}
DAYS_BEFORE = [LATE - timedelta(days=n) for n in range(3)]


def swapped(form: str) -> str:
    return file_of(*(f"{day:{form}} {hour}:00" for day in DAYS_BEFORE for hour in (10, 11)))


def test_day_and_month_swapped_is_said_also_where_every_row_can_be_read(shop: Shop) -> None:
    told = shop.deliver(swapped("%d/%m/%Y"), MONTH_FIRST, day=LATE)
    words = (
        "day and month seem swapped in 4 rows: 2026-07-06 would be 2026-06-07, near the delivery of 2026-06-08; "
        'declare time_format: "%d/%m/%Y %H:%M"'
    )
    assert told.message == words
    # 6 June is the same either way; 7 and 8 June became 6 July and 6 August, which are later than their delivery.
    assert (told.rows_loaded, {reason for _, reason, _ in told.quarantine}) == (2, {"future_date"})
    assert warned_days(shop) == [date(2026, 6, 6), LATE]


def test_accepted_rows_of_swapped_days_warn_on_the_days_where_they_lie(shop: Shop) -> None:
    day = date(2026, 8, 3)
    told = shop.deliver(file_of(*(f"02/08/2026 1{n}:00" for n in range(4))), MONTH_FIRST, day=day)
    assert told.rows_loaded == 4  # as rows of 8 February that come late
    assert told.message.startswith("day and month seem swapped in 4 rows: 2026-02-08 would be 2026-08-02")
    assert warned_days(shop) == [date(2026, 2, 8), day]


def test_a_month_of_thirteen_is_evidence_too(shop: Shop) -> None:
    day = date(2026, 6, 15)
    told = shop.deliver(file_of(*(f"14/06/2026 1{n}:00" for n in range(4))), MONTH_FIRST, day=day)
    assert told.rows_loaded == 0
    assert told.message == (
        "day and month seem swapped in 4 rows: 14/06/2026 10:00 is read by %d/%m/%Y %H:%M, near the delivery of "
        '2026-06-15; declare time_format: "%d/%m/%Y %H:%M"'
    )


def test_a_history_with_day_and_month_swapped_is_noticed_though_no_day_of_it_is_near(shop: Shop) -> None:
    written = [f"{date(2026, 2, 1) + timedelta(days=n):%d/%m/%Y} 10:00" for n in range(40)]
    told = shop.deliver(file_of(*written), MONTH_FIRST, day=date(2026, 12, 1))
    assert told.message == (
        "day and month seem swapped: 16 rows such as 13/02/2026 10:00 are read only by %d/%m/%Y %H:%M, and no "
        'other row shows a day after the 12th; declare time_format: "%d/%m/%Y %H:%M"'
    )
    assert date(2026, 3, 2) in warned_days(shop), "which was 3 February"


def test_a_history_that_is_read_as_meant_may_hold_a_few_wrong_days(shop: Shop) -> None:
    written = [f"{date(2026, 2, 1) + timedelta(days=n):%m/%d/%Y} 10:00" for n in range(40)]
    told = shop.deliver(file_of(*written, *["14/02/2026 10:00"] * 3), MONTH_FIRST, day=date(2026, 12, 1))
    assert "seem swapped" not in told.message
    assert told.rows_loaded == 40


def test_timestamps_that_another_program_swapped_are_named(shop: Shop) -> None:
    wrong = datetime(2026, 2, 8, 10)  # 2 August, read by a program for which the month comes first
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table({"event_time": [wrong] * 5, "event_type": ["paid"] * 5}), sink)
    told = shop.deliver(bytes(sink.getvalue()), CONTRACT, name="a.parquet", day=date(2026, 8, 3))
    assert told.message == (
        "day and month seem swapped in 5 rows: 2026-02-08 would be 2026-08-02, near the delivery of 2026-08-03; "
        "swap them in the export, or with an expression"
    )


NO_EVIDENCE: dict[str, dict[date, int]] = {
    "usual days": {LATE: 90, LATE - timedelta(days=1): 10},
    "a month delivered late": {date(2026, 5, n): 10 for n in range(1, 32)},
    "some late rows among many": {LATE: 90, date(2026, 8, 6): 4},
    "two rows": {date(2026, 8, 6): 2},
    "a day that is its own month": {date(2026, 6, 6): 9, date(2026, 5, 5): 9},
}


@pytest.mark.parametrize("case", NO_EVIDENCE)
def test_without_evidence_nothing_is_said(case: str) -> None:
    assert describe_swapped_days(NO_EVIDENCE[case], {}, LATE, "") is None


# -- clocks that are put forward and back


def test_hours_that_a_clock_left_out_are_found() -> None:
    assert find_skipped_hours(BERLIN, date(2026, 3, 29)) == [(datetime(2026, 3, 29, 2), datetime(2026, 3, 29, 3))]
    assert find_skipped_hours("America/New_York", date(2026, 3, 8)) == [
        (datetime(2026, 3, 8, 2), datetime(2026, 3, 8, 3))
    ]
    assert find_skipped_hours("Australia/Lord_Howe", date(2026, 10, 4)) == [
        (datetime(2026, 10, 4, 2), datetime(2026, 10, 4, 2, 30))
    ]
    assert find_skipped_hours("America/Havana", date(2026, 3, 8)) == [(datetime(2026, 3, 8), datetime(2026, 3, 8, 1))]
    for zone, day in ((BERLIN, date(2026, 10, 25)), (BERLIN, date(2026, 3, 28)), ("Asia/Shanghai", date(2026, 3, 29))):
        assert find_skipped_hours(zone, day) == []


@pytest.mark.parametrize("source", [{}, {"time_format": "%Y-%m-%d %H:%M:%S"}])
def test_a_time_that_does_not_exist_is_read_an_hour_later_and_said(source: dict[str, Any], shop: Shop) -> None:
    shop.timezone, day = BERLIN, date(2026, 3, 29)
    moments = ("01:59:59", "02:00:00", "02:30:00", "03:00:00")
    told = shop.deliver(file_of(*(f"{day} {moment}" for moment in moments)), CONTRACT | source, day=day)
    assert told == Told(
        "loaded",
        4,
        "2 times do not exist on the clocks of Europe/Berlin, which went from 2026-03-29 02:00 to 03:00; "
        "they were read as an hour later. Is timezone right?",
        [],
    )
    assert [f"{time:%H:%M:%S}" for time in shop.column("event_time")] == [
        "00:59:59",
        "01:00:00",
        "01:30:00",
        "01:00:00",
    ]
    assert warned_days(shop) == [day]


def test_a_time_that_exists_twice_is_the_second_of_the_two(shop: Shop) -> None:
    shop.timezone, day = BERLIN, date(2026, 10, 25)
    told = shop.deliver(
        file_of(f"{day} 01:59:59", f"{day} 02:30:00", f"{day} 02:30:00+02:00", f"{day} 03:00:00"), CONTRACT, day=day
    )
    assert told == Told("loaded", 4, "", [])
    assert [f"{time:%d %H:%M:%S}" for time in shop.column("event_time")] == [
        "24 23:59:59",
        "25 01:30:00",  # winter time
        "25 00:30:00",  # its offset says that it is the first
        "25 02:00:00",
    ]


@pytest.mark.parametrize(("day", "hours"), [(date(2026, 3, 29), 23), (date(2026, 10, 25), 25)])
def test_a_day_of_23_or_25_hours_is_one_business_day(day: date, hours: int, shop: Shop) -> None:
    shop.timezone = BERLIN
    instants = (datetime(day.year, day.month, day.day) + timedelta(hours=n) for n in range(-3, 27))
    shop.deliver(file_of(*(f"{instant}+00:00" for instant in instants)), CONTRACT, day=day)
    counted = shop.warehouse.value("select count(*) from raw.order_events where business_date = $day", day=day)
    assert counted == hours


# -- long ago and not yet


def test_rows_of_1970_and_of_the_future_name_the_day_they_would_be_on(shop: Shop) -> None:
    told = shop.deliver(file_of("1970-01-01 08:00:00", "2026-01-08 00:00:00", "2036-01-06 10:00:00"), CONTRACT)
    assert told == Told(
        "loaded",
        0,
        "",
        [
            (2, "before_start_date", "event_time: 1970-01-01 00:00:00 UTC is before start_date, 2026-01-01"),
            (3, "future_date", "event_time: 2026-01-07 16:00:00 UTC is later than its delivery, 2026-01-06"),
            (4, "future_date", "event_time: 2036-01-06 02:00:00 UTC is later than its delivery, 2026-01-06"),
        ],
    )


def test_likely_forms_fit_every_text() -> None:
    assert find_likely_formats(["2026-01-06 10:00:00", "06.01.2026"]) == []
    assert find_likely_formats(["yesterday"]) == []
    assert find_likely_formats([]) == []
    assert find_likely_formats(["2026年01月06日 10:00"]) == ["%Y年%m月%d日 %H:%M"]
    assert find_likely_formats(["20260106100000"]) == ["%Y%m%d%H%M%S"]


@pytest.mark.parametrize("kind", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("form", ["epoch_seconds", "epoch_milliseconds", "epoch_microseconds"])
def test_a_time_that_is_one_already_needs_no_epoch(shop: Shop, kind: str, form: str, tmp_path: Path) -> None:
    """Before the epoch too: nothing is neither taken nor refused."""
    times = [datetime(1960, 1, 1, 10), datetime(2026, 1, 6, 10), None]
    columns = {
        "order_id": ["1", "2", "3"],
        "event_time": pa.array(times, pa.timestamp(kind)),
        "event_type": ["paid"] * 3,
    }
    pq.write_table(pa.table(columns), tmp_path / "times.parquet")
    source = {**CONTRACT, "time_format": form}
    told = shop.deliver((tmp_path / "times.parquet").read_bytes(), source, name="a.parquet")
    assert (told.status, told.rows_loaded) == ("loaded", 1)
    assert [(line, reason) for line, reason, _ in told.quarantine] == [(1, "before_start_date"), (3, "missing_value")]
    assert shop.column("event_time") == [datetime(2026, 1, 6, 2)]


def test_a_query_whose_times_lie_before_the_epoch_is_taken_apart_row_by_row(shop: Shop, tmp_path: Path) -> None:
    with duckdb.connect(str(tmp_path / "shop.duckdb")) as database:
        database.execute(
            "create table orders as select "
            "unnest([timestamp '1969-12-31 10:00', '2026-01-06 10:00', 'infinity']) as at_"
        )
    query = "select at_ as event_time, 'paid' as event_type, at_::varchar as order_id from orders"
    source = {"family": "order", "attach": "shop.duckdb", "query": query, "time_format": "epoch_seconds"}
    told = shop.take(source)
    assert (told.status, told.rows_loaded) == ("loaded", 1)
    assert [(line, reason) for line, reason, _ in told.quarantine] == [(1, "before_start_date"), (3, "bad_time")]


def test_a_time_that_is_empty_in_every_row_is_a_missing_time_of_those_rows(shop: Shop) -> None:
    """Parquet has no type for it: a table of orders of which none was cancelled."""
    orders = pa.table({"id": ["1", "2"], "cancelled_at": pa.nulls(2)})
    content = io.BytesIO()
    pq.write_table(orders, content)
    source = {
        "family": "order",
        "columns": {"order_id": "id", "event_time": "cancelled_at"},
        "event_types": "cancelled",
        "where": "cancelled_at is not null",
    }
    told = shop.deliver(content.getvalue(), source, "orders.parquet")
    assert (told.status, told.rows_loaded, told.quarantine) == ("loaded", 0, [])
    told = shop.deliver(content.getvalue(), {**source, "where": ""}, "orders.parquet")
    assert [reason for _, reason, _ in told.quarantine] == ["missing_value", "missing_value"]
