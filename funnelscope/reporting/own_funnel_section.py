"""The shop's own funnels as the report prints them, from their kept answers."""

from datetime import date
from itertools import groupby

import duckdb

import reports
from funnelscope.funnels.answer_table import TABLE


def read_own_funnel(connection: duckdb.DuckDBPyConnection, name: str, day: date) -> reports.OwnFunnel:
    """A funnel's kept answer of a day, without its slices."""
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
    """Every funnel that was answered for the day; empty where the shop declares none."""
    schema, table = TABLE.split(".")
    known = connection.execute(
        "select 1 from duckdb_tables() where schema_name = $schema and table_name = $table",
        {"schema": schema, "table": table},
    ).fetchall()
    if not known:
        return ()
    names = connection.execute(
        f"select distinct funnel from {TABLE} where business_date = $day and is_mature is not null order by funnel",
        {"day": day},
    ).fetchall()
    return tuple(read_own_funnel(connection, name, day) for (name,) in names)


def draw_cohort(cohort: reports.OwnCohort, name: str, language: str) -> bytes:
    """The cohort's steps as PNG."""
    return reports.render_cohort_png(cohort, name, language)
