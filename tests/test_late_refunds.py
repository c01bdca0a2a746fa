"""Refunds that exports tell of days after the day that they are dated by: not compared before they are there."""

from collections.abc import Sequence
from datetime import date, timedelta

import pytest

from funnelscope.reporting.published_days import Published
from funnelscope.warehouse.connection import open_in_memory_warehouse

LAST = date(2026, 6, 10)
Arrival = tuple[int, int, int, int]  # days before LAST, lag, lag of the day's first delivery, refunds


def read_known_refunds(arrivals: Sequence[Arrival]) -> float | None:
    warehouse = open_in_memory_warehouse(
        [
            "create table marts.refund_arrivals "
            "(business_date DATE, lag_days INTEGER, first_lag_days INTEGER, refunds BIGINT)",
        ]
    )
    for back, lag, first_lag, refunds in arrivals:
        day = LAST - timedelta(days=back)
        warehouse.execute(f"insert into marts.refund_arrivals values ('{day}', {lag}, {first_lag}, {refunds})")
    published = object.__new__(Published)
    published.connection = warehouse.connection
    published.business_date, published.dates = LAST, [LAST]
    return published.known_refunds


def tell_late(days: int, first_lag: int = 1) -> list[Arrival]:
    """Two of ten refunds on the next day, the rest on the fourth, as far as that has come."""
    by_day = [(back, lag, refunds) for back in range(days) for lag, refunds in ((1, 2), (4, 8)) if lag <= back + 1]
    return [(back, max(lag, first_lag), first_lag, refunds) for back, lag, refunds in by_day]


def test_a_new_day_has_the_share_of_its_refunds_that_days_usually_have_by_then() -> None:
    assert read_known_refunds(tell_late(20)) == pytest.approx(0.2)


def test_a_day_that_is_old_enough_has_all_its_refunds() -> None:
    later = [(-3, 1, 1, 2)]  # a delivery three days on
    assert read_known_refunds([*tell_late(20), *later]) is None


def test_refunds_that_are_told_of_at_once_are_whole() -> None:
    assert read_known_refunds([(back, 1, 1, 10) for back in range(20)]) is None


def test_too_few_days_or_days_that_came_together_do_not_tell() -> None:
    assert read_known_refunds(tell_late(7)) is None
    assert read_known_refunds(tell_late(8)) == pytest.approx(0.2)
    assert read_known_refunds([(0, 1, 1, 2), *((back, back + 1, back + 1, 10) for back in range(1, 20))]) is None
