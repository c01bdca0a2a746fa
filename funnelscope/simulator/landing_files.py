"""Writes one business day of one family into the landing zone, with a given amount of dirt."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet

from funnelscope.events.schema import EVENT_FAMILIES
from funnelscope.simulator.delivery_faults import Bend
from funnelscope.simulator.shop_state import ShopState, TwoDays
from funnelscope.simulator.streams import Array, Chunk
from funnelscope.simulator.world import TEAM_OF_AGENT

FILE_FORMATS = ("parquet", "csv", "csv.gz", "csv.zst", "jsonl", "jsonl.gz", "jsonl.zst")
ROWS_PER_FILE = 2_000_000
COMPRESSION = {"gz": "gzip", "zst": "zstd"}


@dataclass(frozen=True)
class Dirt:
    """Imperfections of the deliveries. They do not change what happened.

    Attributes:
        late_share: share of rows delivered one to three days later.
        duplicate_share: share of rows delivered twice: in the same file, in another one, or up to three days later.
        shuffle: rows in random order, spread over three files.
    """

    late_share: float = 0.0
    duplicate_share: float = 0.0
    shuffle: bool = False


@dataclass(frozen=True)
class SimulatedDelivery:
    """Rows of one business day that are delivered in one file."""

    days_late: int
    part: int
    rows: Array


def split_deliveries(random: np.random.Generator, count: int, dirt: Dirt) -> list[SimulatedDelivery]:
    """Spreads the rows over delivery days and files; every row at least once."""
    parts = 3 if dirt.shuffle else max(1, -(-count // ROWS_PER_FILE))
    rows = np.arange(count)
    late = np.where(random.random(count) < dirt.late_share, random.integers(1, 4, count), 0).astype(np.int8)
    part = random.integers(0, parts, count) if dirt.shuffle else rows * parts // max(count, 1)
    part = part.astype(np.int8)
    again = rows[random.random(count) < dirt.duplicate_share]
    way = random.integers(0, 3, len(again))  # same file, another file of the day, a later day
    again_late = np.where((way == 2) & (late[again] == 0), random.integers(1, 4, len(again)), late[again])
    again_part = np.where(way == 1, parts, part[again])
    rows, late, part = (np.concatenate(pair) for pair in ((rows, again), (late, again_late), (part, again_part)))
    if dirt.shuffle:
        order = random.permutation(len(rows))
        rows, late, part = rows[order], late[order], part[order]
    if not count:
        return [SimulatedDelivery(0, 0, rows)]
    file = late.astype(np.int64) * (parts + 1) + part
    order = np.argsort(file, kind="stable") if file.any() else np.arange(len(file))
    names, starts = np.unique(file[order], return_index=True)
    return [
        SimulatedDelivery(int(name) // (parts + 1), int(name) % (parts + 1), rows[chosen])
        for name, chosen in zip(names, np.split(order, starts[1:]), strict=True)
    ]


@dataclass(frozen=True)
class Landing:
    """Where and how deliveries are written.

    Attributes:
        out: the folder that holds `landing`.
        file_format: one of FILE_FORMATS.
    """

    out: Path
    file_format: str
    dirt: Dirt

    def write_day(
        self,
        state: ShopState,
        day: int,
        family: str,
        chunk: Chunk,
        both: TwoDays,
        bends: Sequence[tuple[Bend, float]] = (),
    ) -> None:
        """Writes all rows of a business day to their delivery days. A family without rows gets an empty file.

        Args:
            bends: what faults of the export make of the rows, with their strengths.
        """
        business_date = state.clock.date(day)
        random = state.stream(day, f"delivery of {family}")
        for delivery in split_deliveries(random, len(chunk["time"]), self.dirt):
            dt = business_date + timedelta(days=delivery.days_late)
            name = f"part-{delivery.part}" if not delivery.days_late else f"late-{business_date}-{delivery.part}"
            part = {column: values[delivery.rows] for column, values in chunk.items()}
            table = _build_table(state, family, business_date, part, delivery.rows, both)
            hours = pa.array(state.clock.hours(part["time"]))
            for bend, strength in bends:
                table = bend(table, strength, hours)
            folder = self.out / "landing" / family / f"dt={dt}"
            folder.mkdir(parents=True, exist_ok=True)
            _write_file(table, folder / f"{name}.{self.file_format}", self.file_format)


def _write_file(table: pa.Table, path: Path, file_format: str) -> None:
    if file_format == "parquet":
        # A dictionary only pays off for texts: nearly every id is different.
        texts = [column.name for column in table.schema if pa.types.is_dictionary(column.type)]
        words = [name for name in texts if not name.endswith("_id") or name == "product_id"]
        pa.parquet.write_table(table, path, compression="zstd", compression_level=1, use_dictionary=words)
        return
    kind, _, packing = file_format.partition(".")
    sink = pa.CompressedOutputStream(str(path), COMPRESSION[packing]) if packing else pa.OSFile(str(path), "wb")
    with sink:
        if kind == "csv":
            pyarrow.csv.write_csv(_convert_to_text(table), sink)
        else:
            for row in _convert_to_text(table).to_pylist():
                line = {name: value for name, value in row.items() if value is not None}
                sink.write((json.dumps(line, ensure_ascii=False, default=float) + "\n").encode())


def _convert_to_text(table: pa.Table) -> pa.Table:
    """Times as ISO text in UTC, coded texts as plain texts, as CSV and JSON need them."""
    columns = {}
    for name in table.column_names:
        column = table[name]
        if pa.types.is_timestamp(column.type):
            column = pc.strftime(column, "%Y-%m-%dT%H:%M:%SZ")
        elif pa.types.is_dictionary(column.type):
            column = column.cast(pa.string())
        columns[name] = column
    return pa.table(columns)


def _format_identifiers(prefix: str, numbers: Array) -> pa.Array:
    """Readable ids such as v17; -1 is empty."""
    values = pa.array(numbers, mask=numbers < 0)
    return pc.binary_join_element_wise(prefix, values.cast(pa.string()), "")


def _format_shared_identifiers(prefix: str, numbers: Array, positions: Array) -> pa.Array:
    """Ids of rows that share few numbers: each is formatted once and then repeated. `positions` -1 is empty."""
    words = _format_identifiers(prefix, numbers.clip(0))  # no position refers to an empty number
    return pa.DictionaryArray.from_arrays(pa.array(positions.astype(np.int32), mask=positions < 0), words)


def _build_integers(values: Array) -> pa.Array:
    return pa.array(values.astype(np.int64), mask=values < 0)


def _build_decimals(cents: Array) -> pa.Array:
    """Cents as DECIMAL(18,2): the 16 bytes of each number, low half first."""
    halves = np.empty((len(cents), 2), np.int64)
    halves[:, 0] = cents
    halves[:, 1] = 0
    valid = pa.py_buffer(np.packbits(cents >= 0, bitorder="little").tobytes())
    return pa.Array.from_buffers(pa.decimal128(18, 2), len(cents), [valid, pa.py_buffer(halves.tobytes())])


def _encode_words(state: ShopState, column: str, codes: Array) -> pa.Array:
    names = state.calendar.promotions if column == "promotion" else state.world.words[column]
    words = pa.array(names, pa.string())
    return pa.DictionaryArray.from_arrays(pa.array(codes.astype(np.int16), mask=codes < 0), words)


def _build_table(
    state: ShopState, family: str, business_date: date, chunk: Chunk, rows: Array, both: TwoDays
) -> pa.Table:
    """The rows with the names and types of the event schema, without columns that the rows never use."""
    number = int(business_date.strftime("%Y%m%d")) * 100_000_000 + rows
    event_types = pa.array(EVENT_FAMILIES[family].event_types, pa.string())
    columns: dict[str, Any] = {
        "event_id": _format_identifiers(family[0], number),
        "event_time": pa.array(chunk["time"], pa.timestamp("us", "UTC")),
        "event_type": pa.DictionaryArray.from_arrays(pa.array(chunk["kind"]), event_types),
    }
    return pa.table(columns | BUILDERS[family](state, chunk, both))


def _build_traffic_columns(state: ShopState, chunk: Chunk, both: TwoDays) -> dict[str, Any]:
    leaves = state.world.leaves
    leaf = chunk["leaf"]
    session = np.where(chunk["session"] >= 0, both.position(chunk["session"]), -1)
    from_leaf = {
        "channel": leaves.channel,
        "campaign": leaves.campaign,
        "creative": leaves.creative,
        "creative_origin": leaves.origin,
        "audience": leaves.audience,
        "keyword": leaves.keyword,
        "landing_page": leaves.landing,
        "domain": leaves.private.astype(np.int8),
    }
    visitor = np.where(session >= 0, both.visitor[session] if both.count else -1, -1)
    return {
        "visitor_id": _format_identifiers("v", visitor),
        "session_id": _format_shared_identifiers("s", np.arange(both.base, both.base + both.count), session),
        "is_bot": pa.array(chunk["is_bot"]),
        **{name: _encode_words(state, name, codes[leaf]) for name, codes in from_leaf.items()},
        "click_id": _format_identifiers("k", chunk["click"]),
        "device": _encode_words(state, "device", chunk["device"]),
        "region": _encode_words(state, "region", chunk["region"]),
        "quantity": _build_integers(chunk["quantity"]),
        "cost": _build_decimals(chunk["cost"]),
    }


def _build_page_columns(state: ShopState, chunk: Chunk, both: TwoDays) -> dict[str, Any]:
    position = both.position(chunk["session"])
    customer = both.find_customers_seen(chunk["session"], chunk["time"])
    return {
        "visitor_id": _format_shared_identifiers("v", both.visitor, position),
        "customer_id": _format_shared_identifiers("c", both.customer, np.where(customer >= 0, position, -1)),
        "session_id": _format_shared_identifiers("s", np.arange(both.base, both.base + both.count), position),
        "is_bot": pa.array(both.is_bot[position]),
        "product_id": _encode_words(state, "product_id", chunk["product"]),
        **{
            name: _encode_words(state, name, chunk[name])
            for name in (
                "page_type",
                "page",
                "sku",
                "module",
                "content",
                "live_room",
                "coupon",
                "error_code",
                "stock_state",
            )
        },
        "first_screen_ms": _build_integers(chunk["first_screen_ms"]),
        "dwell_ms": _build_integers(chunk["dwell_ms"]),
        "scroll_ratio": _build_ratios(chunk["scroll_ratio"]),
        "displayed_price": _build_decimals(chunk["displayed_price"]),
    }


def _build_ratios(values: Array) -> pa.Array:
    """Three decimals as doubles; NaN is empty."""
    return pa.array(np.round(values.astype(np.float64), 3), mask=np.isnan(values))


def _build_service_columns(state: ShopState, chunk: Chunk, both: TwoDays) -> dict[str, Any]:
    agent = chunk["agent"]
    message = np.where(chunk["message"] >= 0, chunk["conversation"] * 10 + chunk["message"], -1)
    return {
        "visitor_id": _format_identifiers("v", chunk["visitor"]),
        "customer_id": _format_identifiers("c", chunk["customer"]),
        "session_id": _format_identifiers("s", chunk["session"]),
        "conversation_id": _format_identifiers("t", chunk["conversation"]),
        "agent": _encode_words(state, "agent", agent),
        "team": _encode_words(state, "team", np.where(agent >= 0, TEAM_OF_AGENT[agent], -1)),
        "topic": _encode_words(state, "topic", chunk["topic"]),
        "product_id": _encode_words(state, "product_id", chunk["product"]),
        "order_id": _format_identifiers("o", chunk["order"]),
        "rating": _build_integers(chunk["rating"]),
        "care_type": _encode_words(state, "care_type", chunk["care_type"]),
        "message_id": _format_identifiers("m", message),
    }


def _build_order_columns(state: ShopState, chunk: Chunk, both: TwoDays) -> dict[str, Any]:
    category = np.where(chunk["product"] >= 0, state.world.product_category[chunk["product"]], -1)
    return {
        "visitor_id": _format_identifiers("v", chunk["visitor"]),
        "customer_id": _format_identifiers("c", chunk["customer"]),
        "session_id": _format_identifiers("s", chunk["session"]),
        "order_id": _format_identifiers("o", chunk["order"]),
        "product_id": _encode_words(state, "product_id", chunk["product"]),
        "category": _encode_words(state, "category", category),
        **{
            name: _encode_words(state, name, chunk[name])
            for name in (
                "line",
                "sku",
                "coupon",
                "promotion",
                "payment_provider",
                "sales_channel",
                "source_room",
                "source_content",
                "refund_type",
                "excluded_reason",
            )
        },
        "quantity": _build_integers(chunk["quantity"]),
        **{name: _build_decimals(chunk[name]) for name in ("amount", "shipping_amount", "discount")},
        "refund_id": _format_identifiers("r", chunk["refund"]),
        "rating": _build_integers(chunk["rating"]),
    }


BUILDERS: dict[str, Callable[[ShopState, Chunk, TwoDays], dict[str, Any]]] = {
    "traffic": _build_traffic_columns,
    "page": _build_page_columns,
    "service": _build_service_columns,
    "order": _build_order_columns,
}
