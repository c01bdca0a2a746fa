"""Rows with the columns of another export, which they are joined to by a key that both have."""

import difflib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import duckdb

from funnelscope.ingest.landing_zone import FoundFile
from funnelscope.ingest.mapping import value_casts
from funnelscope.ingest.mapping.field_names import list_field_names
from funnelscope.ingest.mapping.source_mapping import DeliveryError, DeliveryRows
from funnelscope.ingest.quarantine_reasons import QuarantineReason
from funnelscope.messages.check_observations import LocalizedMessage
from funnelscope.settings import KeyPath, Source
from funnelscope.warehouse.connection import Warehouse
from funnelscope.warehouse.quoting import quote_identifier

Reader = Callable[[Warehouse, FoundFile], tuple[DeliveryRows, int]]

STAGED_OTHERS = "staged_others"
STAGED_JOINED = "staged_joined"
JOINED = "joined."  # before the name of a column of the other export, also if the row has one of that name
KEY_PLACE: KeyPath = ("join", "on")


def join_files(warehouse: Warehouse, found: FoundFile, read: Reader) -> tuple[DeliveryRows, int]:
    """The rows of a file with the columns of those that it is joined to, and their number.

    A row without a match keeps its place, and has none of these columns. Of several rows with one key, the last one
    counts, by the name of its file and its place in it; where one file has several, people are warned.

    Raises:
        DeliveryError: there is no file to join, it cannot be read, or a key column is missing.
    """
    join = found.source.join
    assert join is not None
    if not found.joined:
        raise DeliveryError(
            QuarantineReason.NOTHING_TO_JOIN, LocalizedMessage("nothing_to_join", files=join.files), ("join", "files")
        )
    columns, bad_count = _stage_others(warehouse, found.joined, read, list(join.on.values()), found.source)
    rows, row_count = read(warehouse, found)
    if not rows.columns:
        return rows, row_count
    keys = _list_keys(rows.columns, list(join.on), found.source)
    own = {name.lower() for name in rows.columns}
    added = {name: name for name in columns if name.lower() not in own}
    wanted = [name for name in list_field_names(found.source) if name.lower().startswith(JOINED)]
    known = {(JOINED + name).lower(): name for name in columns}
    added |= {name: known[name.lower()] for name in wanted if name.lower() in known.keys() - own}
    selected = [
        *(f"rows.{name}" for name in ("row_number_", "problem_", "detail_", "content_", "line_")),
        *(f"rows.{quote_identifier(name)}" for name in rows.columns),
        *(f"others.{quote_identifier(name)} as {quote_identifier(written)}" for written, name in added.items()),
        "others.place_ as joined_place_",
    ]
    matched = " and ".join(f"rows.key_{number}_ = others.key_{number}_" for number in range(len(keys)))
    warehouse.execute(f"""
        create or replace temp table {STAGED_JOINED} as
        select {", ".join(selected)}
        from (
            select {", ".join([*rows.list_place(), *map(quote_identifier, rows.columns), *keys])} from {rows.relation}
        ) as rows
        left join {STAGED_OTHERS} as others on {matched}
    """)
    joined = replace(
        rows.place_in(f"temp.{STAGED_JOINED}"),
        fields={written: columns[name] for written, name in added.items()},
        absent={
            name: tuple(JOINED + each for each in columns) for name in wanted if name.lower() not in {*known, *own}
        },
    )
    return _tell(warehouse, joined, found, bad_count), row_count


def _stage_others(
    warehouse: Warehouse, others: Sequence[FoundFile], read: Reader, keys: Sequence[str], source: Source
) -> tuple[dict[str, str], int]:
    """Stages one row for each key. Returns the columns with their types, and how many rows could not be read."""
    tables, bad_count = [], 0
    for number, other in enumerate(others):
        try:
            other.check_place()
            stamp = other.stamp()
            rows, _ = read(warehouse, other)
            table = f"staged_other_{number}"
            columns = [*map(quote_identifier, rows.columns), *_list_keys(rows.columns, keys, source)]
            warehouse.execute(
                f"create or replace temp table {table} as select {', '.join(columns)}, "
                f"{number} as file_, {rows.row_number} as row_, {rows.problem} is not null as is_bad_ "
                f"from {rows.relation}"
            )
            is_changed = other.stamp() != stamp
        except (DeliveryError, duckdb.Error, OSError, EOFError) as error:
            raise _explain(other, error) from None
        if is_changed:
            raise DeliveryError(QuarantineReason.CHANGED, LocalizedMessage("changed"))
        tables.append(table)
        bad_count += int(warehouse.value(f"select count(*) from temp.{table} where is_bad_") or 0)
    key_names = ", ".join(f"key_{number}_" for number in range(len(keys)))
    is_keyed = " and ".join(f"key_{number}_ is not null" for number in range(len(keys)))
    union = " union all by name ".join(f"from temp.{table}" for table in tables)
    warehouse.execute(f"""
        create or replace temp table {STAGED_OTHERS} as
        select *, row_number() over () as place_
        from (
            select
                *,
                row_number() over (partition by {key_names} order by file_ desc, row_ desc) as version_,
                count(*) over (partition by {key_names}, file_) - 1 as twins_
            from ({union})
            where {is_keyed} and not is_bad_
        )
        where version_ = 1
    """)
    internal = {"file_", "row_", "is_bad_", "version_", "twins_", "place_", *key_names.split(", ")}
    described = warehouse.rows(f"describe temp.{STAGED_OTHERS}")
    return {name: kind for name, kind, *_ in described if name not in internal}, bad_count


def _explain(other: FoundFile, error: Exception) -> DeliveryError:
    """The error for a file to join that cannot be read."""
    problem = (
        error.localized_message
        if isinstance(error, DeliveryError)
        else LocalizedMessage(
            "cannot_be_read", error=str(error).splitlines()[0] if str(error) else type(error).__name__
        )
    )
    message = LocalizedMessage("joined_file_fails", file=other.file, problem=problem)
    return DeliveryError(QuarantineReason.NOTHING_TO_JOIN, message, ("join",))


def _list_keys(columns: Mapping[str, str], names: Sequence[str], source: Source) -> list[str]:
    """SQL of the key columns, as text without what exports put around it.

    Raises:
        DeliveryError: one of them is missing.
    """
    delivered = {name.lower(): name for name in columns}
    keys = []
    for number, name in enumerate(names):
        if name.lower() not in delivered:
            found = list(columns)
            nearest = difflib.get_close_matches(name, found, n=1)
            hints = [LocalizedMessage("did_you_mean", nearest=repr(nearest[0]))] if nearest else []
            hints.append(LocalizedMessage("found_columns", found=", ".join(found)))
            message = LocalizedMessage("missing_column_for", column=repr(name), meant="join.on", hints=hints)
            raise DeliveryError(QuarantineReason.MISSING_COLUMN, message, KEY_PLACE)
        column = delivered[name.lower()]
        text = f"{quote_identifier(column)}::VARCHAR"
        if columns[column] in ("DOUBLE", "FLOAT"):  # a whole number has no decimals in the other export
            text = f"coalesce(try_cast(try_cast({text} as DECIMAL(38, 6)) as BIGINT)::VARCHAR, {text})"
        stripped = value_casts.build_stripped_sql(f"({text})")
        keys.append(f"{value_casts.build_filled_sql(f'({stripped})', source.empty_values)} as key_{number}_")
    return keys


def _tell(warehouse: Warehouse, rows: DeliveryRows, found: FoundFile, bad_count: int) -> DeliveryRows:
    """The rows, with what people should know of the join."""
    files = ", ".join(other.file for other in found.joined)
    ((unmatched, first),) = warehouse.rows(
        f"select count(*), min(row_number_) from temp.{STAGED_JOINED} where joined_place_ is null and problem_ is null"
    )
    ((left_over, twins),) = warehouse.rows(
        "select count(*) filter (place_ not in "
        f"(select joined_place_ from temp.{STAGED_JOINED} where joined_place_ is not null)), sum(twins_) "
        f"from temp.{STAGED_OTHERS}"
    )
    warnings, notes = [], [LocalizedMessage("joined_to", files=files)]
    if unmatched:
        warnings.append(LocalizedMessage("rows_not_joined", count=f"{unmatched:,}", row=str(first), files=files))
    if bad_count:
        warnings.append(LocalizedMessage("joined_rows_unreadable", count=f"{bad_count:,}", files=files))
    if twins:
        warnings.append(LocalizedMessage("joined_twins", count=f"{twins:,}", files=files))
    if left_over:
        notes.append(LocalizedMessage("joined_left_over", count=f"{left_over:,}", files=files))
    return replace(rows, notes=(*rows.notes, *notes), warnings=(*rows.warnings, *warnings))
