"""Expressions of a mapping that fail on single rows, which must not cost the others.

`try` makes most failures NULL, provided that no optimizer moves a part out of it (see `deliveries`). Some errors pass
it, such as an unknown time zone in a cell. Then `mark_failing_rows` finds the rows, and the expression is not evaluated
on them.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date

import duckdb

from funnelscope.ingest.mapping.source_mapping import DeliveryRows, add_delivery_date
from funnelscope.settings import Source
from funnelscope.warehouse.bulk_insert import insert_rows
from funnelscope.warehouse.connection import Warehouse

# Each costs a few dozen queries. With more, the parts of the file that hold some are marked as a whole.
MAXIMUM_SOUGHT = 1_000
BATCH_ROWS = 50_000
_ROWS = "rows_of_delivery"


def mark_failing_rows(
    warehouse: Warehouse, rows: DeliveryRows, dt: date, source: Source, expressions: Mapping[str, str]
) -> DeliveryRows:
    """The same rows with a column `failing_`: the names of the expressions whose error `try` does not catch.

    The expressions are evaluated in another database, because an error would abort the warehouse's transaction.
    """
    dated = add_delivery_date(rows, dt)
    columns = ", ".join(dated.list_computed_columns(expressions.values(), source))
    reader = warehouse.connection.sql(
        f"select {rows.row_number} as row_number_, {columns or 'null as nothing'} from {dated.relation}"
    ).to_arrow_reader(BATCH_ROWS)
    with duckdb.connect() as scratch:
        scratch.execute("set TimeZone = 'UTC'")
        scratch.register("delivered", reader)
        scratch.execute(f"create table {_ROWS} as from delivered order by row_number_")
        bounds = scratch.execute(f"select min(row_number_), max(row_number_) from {_ROWS}").fetchone()
        found = [
            (name, number)
            for name, expression in expressions.items()
            for number in _find_failing(scratch, expression, *(bounds or (None, None)))
        ]
    warehouse.execute("create or replace temp table failing_expressions (name VARCHAR, number BIGINT)")
    insert_rows(warehouse, "temp.failing_expressions", found)
    relation = f"""(
        select delivered.*, coalesce(failing.names, []) as failing_
        from {rows.relation} as delivered
        left join (
            select number, list(name) as names from temp.failing_expressions group by number
        ) as failing on {rows.row_number} = failing.number
    )"""
    return replace(rows, relation=relation, has_failing=True)


def _find_failing(
    scratch: duckdb.DuckDBPyConnection, expression: str, first: int | None, last: int | None
) -> list[int]:
    """The numbers of the rows on which the expression raises an error that `try` does not catch."""
    found: list[int] = []
    waiting = [] if first is None or last is None else [(first, last)]
    while waiting:
        first, last = waiting.pop()
        place = f"from {_ROWS} where row_number_ between {first} and {last}"
        try:
            scratch.execute(f"select bit_xor(hash(try(struct_pack(v := ({expression}\n))))) {place}").fetchall()
        except (duckdb.OutOfMemoryException, duckdb.FatalException):
            raise
        except duckdb.Error:
            if first == last or len(found) >= MAXIMUM_SOUGHT:
                found += [number for (number,) in scratch.execute(f"select row_number_ {place}").fetchall()]
            else:
                middle = (first + last) // 2
                waiting += [(middle + 1, last), (first, middle)]
    return found
