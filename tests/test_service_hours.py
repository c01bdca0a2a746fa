"""Service hours: the shop's clock in, instants out."""

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from funnelscope.settings.service_hours import list_service_periods, read_service_hours
from funnelscope.warehouse.models import build_query_parameters

BERLIN = ZoneInfo("Europe/Berlin")
MONDAY = date(2026, 6, 8)


def list_periods_after(first: date, hours: dict[str, object], to_date: date = MONDAY) -> list[tuple[str, str]]:
    periods = list_service_periods(read_service_hours(hours), BERLIN, MONDAY, to_date)
    return [
        (f"{period['opens_at']:%d %H:%M}", f"{period['closes_at']:%d %H:%M}")
        for period in periods
        if period["opens_at"] >= datetime.combine(first, datetime.min.time())
    ]


def test_hours_of_a_weekday_are_instants_of_every_such_day() -> None:
    assert list_periods_after(MONDAY, {"mon-tue": "09:00-18:00"}) == [
        ("08 07:00", "08 16:00"),
        ("09 07:00", "09 16:00"),
    ]


def test_a_day_has_several_periods_and_one_over_midnight_joins_the_next() -> None:
    hours = {"mon": ["10:00-12:00", "22:00-02:00"], "tue": "00:00-03:00"}
    assert list_periods_after(MONDAY, hours) == [("08 08:00", "08 10:00"), ("08 20:00", "09 01:00")]


def test_a_date_takes_the_place_of_its_weekday() -> None:
    hours = {"mon-sun": "09:00-18:00", "2026-06-08": [], "2026-06-09": "10:00-11:00"}
    assert list_periods_after(MONDAY, hours) == [("09 08:00", "09 09:00")]


def test_the_periods_reach_back_as_far_as_an_answer_is_looked_for() -> None:
    days = {period[0][:2] for period in list_periods_after(date(2026, 5, 1), {"mon-sun": "09:00-18:00"})}
    week = {f"{MONDAY - timedelta(days=number):%d}" for number in range(8)}
    assert week <= days


def test_the_clock_of_a_summer_time_day_is_the_shops() -> None:
    hours = read_service_hours({"sun": "09:00-18:00"})
    periods = list_service_periods(hours, BERLIN, date(2026, 3, 29), date(2026, 3, 29))
    assert [f"{period['opens_at']:%m-%d %H:%M}" for period in periods[-2:]] == ["03-22 08:00", "03-29 07:00"]


def test_a_shop_that_never_opens_has_a_period_before_all_questions() -> None:
    (period,) = list_service_periods(read_service_hours({"mon": []}), BERLIN, MONDAY, MONDAY)
    assert period["opens_at"] == period["closes_at"] < datetime(2000, 1, 1)


@pytest.mark.parametrize("hours", [{"mon": "9-18"}, {"mon": "09:00-25:00"}, {"mon": "09:00-09:00"}, {"fri-mon": []}])
def test_hours_that_cannot_be_read_are_refused(hours: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"mon|09:00|9-18"):
        read_service_hours(hours)


def test_a_parameter_that_depends_on_the_days_is_made_for_them() -> None:
    made = build_query_parameters(MONDAY, MONDAY, service_periods=lambda first, last: [(first, last)])
    assert made["service_periods"] == [(MONDAY, MONDAY)]
