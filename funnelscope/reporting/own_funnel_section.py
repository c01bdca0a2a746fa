"""The shop's own funnels for the report, from their stored answers."""

from datetime import date
from itertools import groupby

import duckdb

import reports
from funnelscope.funnels.answer_table import TABLE
from funnelscope.warehouse.connection import list_columns


def read_own_funnel(connection: duckdb.DuckDBPyConnection, name: str, day: date) -> reports.OwnFunnel:
    """The stored answer of a funnel for a day, without its slices."""
    rows = connection.execute(
        "select entered_from, entered_to, is_mature, "
        "event, units, converted, lost, pending, rate_from_previous, rate_from_start, median_seconds "
        f"from {TABLE} where business_date = $day and funnel = $funnel and slice is null order by entered_from, step",
        {"day": day, "funnel": name},
    ).fetchall()
    cohorts = [
        reports.OwnCohort(first, last, is_mature, tuple(reports.OwnStep(*row[3:]) for row in steps))
        for (first, last, is_mature), steps in groupby(rows, key=lambda row: row[:3])
    ]
    return reports.OwnFunnel(name, tuple(cohorts))


def read_own_funnels(connection: duckdb.DuckDBPyConnection, day: date) -> tuple[reports.OwnFunnel, ...]:
    """Every funnel with an answer for the day; empty if the shop declares none."""
    if not list_columns(connection, TABLE):
        return ()
    names = connection.execute(
        f"select distinct funnel from {TABLE} where business_date = $day and is_mature is not null order by funnel",
        {"day": day},
    ).fetchall()
    return tuple(read_own_funnel(connection, name, day) for (name,) in names)


def draw_cohort(cohort: reports.OwnCohort, name: str, language: str) -> bytes:
    """The cohort's steps as PNG."""
    return reports.render_cohort_png(cohort, name, language)
