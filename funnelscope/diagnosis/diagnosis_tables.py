"""The tables of the schema `diagnosis`: their columns, what they mean, and how a day of them is replaced."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from funnelscope.warehouse.bulk_insert import insert_rows
from funnelscope.warehouse.connection import Warehouse


@dataclass(frozen=True)
class Column:
    name: str
    sql_type: str
    meaning: str


@dataclass(frozen=True)
class Table:
    """A table of the diagnosis, partitioned by `business_date`.

    Attributes:
        is_published: readers get it beside the marts; else it is the diagnosis' own memory.
    """

    name: str
    meaning: str
    columns: tuple[Column, ...]
    is_published: bool = True

    @property
    def full_name(self) -> str:
        return f"diagnosis.{self.name}"


def _table(name: str, meaning: str, *columns: tuple[str, str, str], is_published: bool = True) -> Table:
    day = Column("business_date", "DATE", "the day that was diagnosed")
    return Table(name, meaning, (day, *(Column(*column) for column in columns)), is_published)


_SLICE = "the slice as JSON, dimension to value, dimensions in alphabetical order; {} is the whole stage"

TABLES: Mapping[str, Table] = {
    table.name: table
    for table in (
        _table(
            "days",
            "What became of the diagnosis of each day.",
            ("state", "VARCHAR", "diagnosed, no_baseline, not_comparable, withheld or failed"),
            ("why", "VARCHAR", "why it is not diagnosed; empty where it is"),
            ("comparison", "VARCHAR", "regular days, or the promotion whose same phase and day it is compared with"),
            ("baseline_days", "INTEGER", "days that it is compared with"),
            ("baseline_from", "DATE", "the first of them"),
        ),
        _table(
            "findings",
            "What is wrong, where, since when, how surely, and what it costs.",
            ("finding_id", "VARCHAR", "the same for the same step and slice on later days"),
            ("rank", "INTEGER", "1 is the first to act on"),
            ("stage", "VARCHAR", "traffic, landing, decision or repurchase"),
            ("cube", "VARCHAR", "the stage cube in which it stands out"),
            ("step", "VARCHAR", "the step that fewer pass: arrival, qualified_product_view, favorite_or_cart, …"),
            ("slice", "VARCHAR", _SLICE),
            ("fault_class", "VARCHAR", "what it looks like; the key of the playbook"),
            (
                "status",
                "VARCHAR",
                "confirmed, provisional (touched by a data warning), withheld (data fault), recovered",
            ),
            ("status_reason", "VARCHAR", "why it is not confirmed; empty where it is"),
            ("since_date", "DATE", "first day of the move"),
            ("is_ongoing", "BOOLEAN", "still so on this day"),
            ("entered", "BIGINT", "entries of the slice on the day"),
            ("passed", "BIGINT", "passes of the slice on the day"),
            ("expected", "DOUBLE", "passes that its own usual rates promise to these entries"),
            ("effect", "DOUBLE", "passed / expected − 1"),
            ("effect_low", "DOUBLE", "lower end of its 90 % interval"),
            ("effect_high", "DOUBLE", "upper end"),
            ("z", "DOUBLE", "standard deviations from the usual, day-to-day noise of slices included"),
            ("p_value", "DOUBLE", "chance that a day without a fault yields such a slice in any cube"),
            ("stability", "DOUBLE", "share of resampled days that name the same slice"),
            ("runner_up", "VARCHAR", "the next best explanation in its place, as JSON; null where there is none"),
            ("runner_up_gap", "DOUBLE", "explained deviance by which that falls short"),
            ("lost_orders", "DOUBLE", "paid orders of the day that were lost"),
            ("lost_orders_low", "DOUBLE", "lower end of its 90 % interval"),
            ("lost_orders_high", "DOUBLE", "upper end"),
            ("lost_amount", "DOUBLE", "their amount"),
            ("lost_amount_low", "DOUBLE", "lower end of its 90 % interval"),
            ("lost_amount_high", "DOUBLE", "upper end"),
            ("lost_amount_net", "DOUBLE", "expected to be left of it after refunds"),
            ("object_kind", "VARCHAR", "what to open: campaign, creative, page, product, agent, coupon, …"),
            ("object_name", "VARCHAR", "which"),
            ("owner", "VARCHAR", "who acts, from `owners` of the settings; else the stage's own team"),
        ),
        _table(
            "evidence",
            "What moved together with a finding. An association, never a proof.",
            ("finding_id", "VARCHAR", "of the finding"),
            ("kind", "VARCHAR", "series, change_log or data_check"),
            ("name", "VARCHAR", "the operational series, kind of change, or check"),
            ("slice", "VARCHAR", "the slice in which it was measured, as JSON"),
            ("today", "DOUBLE", "value on the day; null for an entry of the change log and a check of the gate"),
            ("usual", "DOUBLE", "mean of the baseline days, their last week left out"),
            ("z", "DOUBLE", "standard deviations of the baseline days from the usual"),
            ("since_date", "DATE", "first day of its move, or the date of the entry"),
            ("is_before", "BOOLEAN", "moved on the first day of the finding or before"),
            ("note", "VARCHAR", "the entry of the change log, or what the check found"),
        ),
        _table(
            "contributions",
            "How a change against the usual splits up; the parts add up to the whole exactly.",
            ("subject", "VARCHAR", "rate (parts: mix and rate of each slice) or money (parts: the five factors)"),
            ("cube", "VARCHAR", "stage cube; daily_summary for money"),
            ("step", "VARCHAR", "the step whose rate is split; same_day_amount for money"),
            ("dimension", "VARCHAR", "the dimension that it is split by; factor for money"),
            ("value", "VARCHAR", "the slice, or the factor"),
            ("part", "VARCHAR", "mix, rate or factor"),
            ("usual", "DOUBLE", "share of entries (mix), rate, or factor over the baseline"),
            ("today", "DOUBLE", "the same on the day"),
            ("contribution", "DOUBLE", "to the change of the rate, or of the amount of the day"),
        ),
        _table(
            "visible_drops",
            "What the diagnosis could see: every step and main slice with the smallest drop that would be a finding.",
            ("stage", "VARCHAR", "traffic, landing, decision or repurchase"),
            ("cube", "VARCHAR", "stage cube"),
            ("step", "VARCHAR", "the step"),
            (
                "dimension",
                "VARCHAR",
                "dimension of the slice; all for the whole step; entries for a slice of any dimensions",
            ),
            (
                "value",
                "VARCHAR",
                "value of the slice; all for the whole step; its share of the step's entries for entries",
            ),
            ("entered", "BIGINT", "entries on the day"),
            ("passed", "BIGINT", "passes on the day"),
            ("expected", "DOUBLE", "passes that the usual rates promise"),
            ("z", "DOUBLE", "standard deviations of passed from expected"),
            ("smallest_visible_drop", "DOUBLE", "0 to 1; found nine times in ten. 1: traffic is too thin for any drop"),
        ),
        _table(
            "relevance",
            "Creative × landing page: does the match keep what the two promise apart?",
            ("grain", "VARCHAR", "creative, or origin (who made the creative)"),
            ("creative", "VARCHAR", "creative, or origin"),
            ("landing_page", "VARCHAR", "landing page"),
            ("sessions", "BIGINT", "sessions of the baseline and the day"),
            ("engaged", "BIGINT", "of them past 3 seconds with a second interaction"),
            ("engaged_rate", "DOUBLE", "engaged / sessions"),
            ("expected_rate", "DOUBLE", "what the main effects of creative and page predict"),
            ("creative_effect", "DOUBLE", "log odds of the creative against the mean"),
            ("page_effect", "DOUBLE", "log odds of the page against the mean"),
            ("interaction", "DOUBLE", "log odds of the match, shrunk; below 0 it is worse than its parts"),
            ("interaction_low", "DOUBLE", "lower end of its 90 % interval"),
            ("interaction_high", "DOUBLE", "upper end"),
            ("judgement", "VARCHAR", "good, bad_match, bad_creative, bad_page or too_thin"),
        ),
        _table(
            "follow_ups",
            "What became of earlier findings.",
            ("finding_id", "VARCHAR", "of the finding"),
            ("found_date", "DATE", "the day it was found first"),
            ("state", "VARCHAR", "open, acted_on (the change log has an entry since) or recovered"),
            ("action", "VARCHAR", "that entry; empty without one"),
            ("effect", "DOUBLE", "passed / expected − 1 on this day"),
            ("lost_orders_so_far", "DOUBLE", "over all days since it was found"),
            ("lost_amount_so_far", "DOUBLE", "their amount"),
            ("reread_lost_orders", "DOUBLE", "of the day three days ago, read again with what came late; else null"),
            ("is_hit", "BOOLEAN", "that reading still shows the loss; null where there is none"),
        ),
        _table(
            "slice_days",
            "Entries and passes of each step by single dimension: what later days measure the usual noise by.",
            ("cube", "VARCHAR", "stage cube"),
            ("step", "VARCHAR", "the step"),
            ("dimension", "VARCHAR", "dimension of the slice; all for the whole step"),
            ("value", "VARCHAR", "value of the slice; all for the whole step"),
            ("entered", "BIGINT", "entries"),
            ("passed", "BIGINT", "passes"),
            is_published=False,
        ),
    )
}
PUBLISHED_TABLES = tuple(table.full_name for table in TABLES.values() if table.is_published)


def create_tables(warehouse: Warehouse) -> None:
    """Creates, where absent or of another form, the tables of the diagnosis, with the meaning of each column."""
    for table in TABLES.values():
        wanted = [(column.name, column.sql_type) for column in table.columns]
        if warehouse.columns(table.full_name) == wanted:
            continue
        columns = ", ".join(f"{name} {kind}" for name, kind in wanted)
        warehouse.execute(f"create or replace table {table.full_name} ({columns})")
        for column in table.columns:
            meaning = column.meaning.replace("'", "''")
            warehouse.execute(f"comment on column {table.full_name}.{column.name} is '{meaning}'")


Rows = Mapping[str, Sequence[Mapping[str, Any]]]
"""Table name → its rows of a day without `business_date`; a column that is left out is null."""


def replace_day(warehouse: Warehouse, business_date: date, rows: Rows) -> None:
    """Replaces the day in every published table of the diagnosis, all or nothing.

    Raises:
        KeyError: a row has a column that its table has not.
    """
    with warehouse.transaction():
        for table in (each for each in TABLES.values() if each.is_published):
            warehouse.execute(f"delete from {table.full_name} where business_date = $day", day=business_date)
            insert_rows(warehouse, table.full_name, _ordered(table, business_date, rows.get(table.name, ())))


def _ordered(table: Table, business_date: date, rows: Sequence[Mapping[str, Any]]) -> list[tuple[Any, ...]]:
    names = [column.name for column in table.columns]
    for row in rows:
        if unknown := row.keys() - set(names):
            raise KeyError(f"{table.full_name} has no column {', '.join(sorted(unknown))}")
    return [tuple({"business_date": business_date, **row}.get(name) for name in names) for row in rows]
