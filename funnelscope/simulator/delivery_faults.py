"""Faults of the export, not of the shop: the day happens as it does, and its files say something else.

Each one bends the table that is delivered for a business day of a family. The truth of the day stays what happened.
"""

from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from funnelscope.simulator.streams import HOUR

IDS = (
    *("event_id", "visitor_id", "customer_id", "session_id", "conversation_id", "order_id", "click_id"),
    *("message_id", "refund_id"),
)
MONEY = ("amount", "shipping_amount", "discount")
NOON = 12

Bend = Callable[[pa.Table, float, pa.Array], pa.Table]
"""Makes of a table, a strength and the local hour of each row the table that is delivered."""


def _set(table: pa.Table, name: str, values: pa.ChunkedArray | pa.Array) -> pa.Table:
    return table.set_column(table.schema.get_field_index(name), name, values)


def multiply_rows(table: pa.Table, strength: float, hours: pa.Array) -> pa.Table:
    """Every event so many times, each time of other people under other ids."""
    named = [name for name in IDS if name in table.column_names]
    for name in named:
        table = _set(table, name, pc.cast(table[name], pa.string()))

    def copy(number: int) -> pa.Table:
        made = table
        for name in named:
            made = _set(made, name, pc.binary_join_element_wise(table[name], f"x{number}", ""))
        return made

    return pa.concat_tables([table, *(copy(number) for number in range(1, round(strength)))])


def empty_file(table: pa.Table, strength: float, hours: pa.Array) -> pa.Table:
    """A file with a header and nothing in it."""
    return table.slice(0, 0)


def stop_at_noon(table: pa.Table, strength: float, hours: pa.Array) -> pa.Table:
    """Nothing that happened from noon on."""
    return table.filter(pc.less(hours, NOON))


def scale_amounts(table: pa.Table, strength: float, hours: pa.Array) -> pa.Table:
    """All money so many times as much, to the cent."""
    for name in MONEY:
        if name in table.column_names:
            cents = np.round(np.array(pc.cast(table[name], pa.float64()).to_pylist(), float) * strength, 2)
            values = pa.array(cents, pa.float64(), from_pandas=True)
            table = _set(table, name, pc.cast(values, pa.decimal128(18, 2), safe=False))
    return table


def name_one_customer(table: pa.Table, strength: float, hours: pa.Array) -> pa.Table:
    """Every order of the same customer and visitor."""
    for name in ("customer_id", "visitor_id"):
        table = _set(table, name, pa.array(["guest"] * len(table), pa.string()))
    return table


def delay_clock(table: pa.Table, strength: float, hours: pa.Array) -> pa.Table:
    """Every event so many hours later than it was."""
    moved = pc.add(pc.cast(table["event_time"], pa.int64()), int(strength * HOUR))
    return _set(table, "event_time", pc.cast(moved, table["event_time"].type))


def advance_clock(table: pa.Table, strength: float, hours: pa.Array) -> pa.Table:
    """Every event so many hours earlier than it was."""
    return delay_clock(table, -strength, hours)
