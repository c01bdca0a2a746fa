"""Rows with columns of their own for the fields that a source reads by dotted names, and one row for each line.

A name is resolved along its parts. The longest beginning that is a column is that column; a column `a.b` wins over the
field `b` of `a`, and so does a key. The rest leads into records (structs, maps, JSON objects), by number into a list,
counted from 0, and by key into a list of records with `key` (or `name`) and `value`, which reads like a map. Text is
read as JSON.
At the end, a record whose fields all end in `_value` stands for the one of them that is filled.

Fields of structs keep their types, and what is read as JSON is text.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import duckdb

from funnelscope.ingest.line_numbers import build_row_number_sql
from funnelscope.ingest.mapping.field_names import LINE_NUMBER, list_field_names
from funnelscope.ingest.mapping.source_mapping import DeliveryError, DeliveryRows
from funnelscope.ingest.mapping.value_casts import build_value_or_null_sql
from funnelscope.ingest.quarantine_reasons import QuarantineReason
from funnelscope.messages.check_observations import LocalizedMessage
from funnelscope.settings import Source
from funnelscope.warehouse.connection import Warehouse
from funnelscope.warehouse.quoting import quote_identifier, quote_literal

STAGED_FIELDS = "staged_fields"
STAGED_LINES = "staged_lines"
STAGED_LINE_FIELDS = "staged_line_fields"
JSON_TEXT = ("VARCHAR", "JSON")
KEYS = ("key", "name")  # of a record that is a pair with its `value`
VALUE_ENDING = "_value"
NAMES_SHOWN = 1_000


@dataclass(frozen=True)
class _Field:
    """A field within a column: the SQL of a value with its type, and the parts of its name that are sought in it.

    Attributes:
        parts: what is left of the name within JSON.
        is_there: SQL condition that the row has the field; empty if every row has it by its type.
        keys: SQL of the list of names that a row has in place of one that is sought by its key.
    """

    name: str
    value: str
    kind: str
    parts: tuple[str, ...] = ()
    is_there: str = ""
    keys: str = ""


def read_fields(warehouse: Warehouse, rows: DeliveryRows, row_count: int, source: Source) -> tuple[DeliveryRows, int]:
    """The rows with the fields that the source reads, one for each line if it declares lines, and their number.

    Raises:
        DeliveryError: two names differ by case only, or `lines` leads to something else than a list.
    """
    if not rows.columns:
        return rows, row_count
    known = {name.lower() for name in (*rows.readable, *rows.absent)}
    names = [name for name in list_field_names(source) if name.lower() not in known]
    written = [name.lower() for name in names]
    if repeated := next((name for name in names if written.count(name.lower()) > 1), ""):
        raise DeliveryError(QuarantineReason.BAD_HEADER, LocalizedMessage("column_twice", column=repr(repeated)))
    beginning = f"{source.lines.lower()}."
    of_lines = [name for name in names if source.lines and name.lower().startswith(beginning)]
    rows = _add_fields(warehouse, rows, [name for name in names if name not in of_lines], STAGED_FIELDS)
    return _split_lines(warehouse, rows, row_count, source, of_lines) if source.lines else (rows, row_count)


# -- names


def _resolve(name: str, columns: Mapping[str, str]) -> _Field | None:
    """Where the value of a dotted name is; None if no row can have it."""
    parts = tuple(name.split("."))
    delivered = {column.lower(): column for column in columns}
    for length in range(len(parts), 0, -1):
        column = delivered.get(".".join(parts[:length]).lower())
        if column is not None:
            return _descend(name, quote_identifier(column), columns[column], parts[length:])
    return None


def _parse_type(kind: str) -> tuple[str, dict[str, str]]:
    """What a type of DuckDB is (`struct`, `list`, `map`, …), and its parts by name with their types."""
    known = duckdb.type("VARCHAR" if kind == "JSON" else kind)
    if known.id not in ("struct", "list", "array", "map"):
        return known.id, {}
    return known.id, {name: str(part) for name, part in known.children}


def _descend(name: str, value: str, kind: str, parts: tuple[str, ...], is_there: str = "") -> _Field | None:
    """Follows the parts into a value of a type of DuckDB."""
    if kind in JSON_TEXT:
        return _Field(name, f"({value})::VARCHAR" if kind == "JSON" else value, "VARCHAR", parts, is_there)
    if not parts:
        return _take_filled(name, value, kind, is_there)
    what, inner = _parse_type(kind)
    if what == "struct":
        fields = {field.lower(): field for field in inner}
        for length in range(len(parts), 0, -1):
            if field := fields.get(".".join(parts[:length]).lower()):
                taken = f"struct_extract({value}, {quote_literal(field)})"
                return _descend(name, taken, inner[field], parts[length:], is_there)
    elif what == "map":
        return _look_up(name, f"map_entries({value})", inner["value"], parts, "key")
    elif what in ("list", "array"):
        if parts[0].isdigit():
            return _descend(name, f"({value})[{int(parts[0]) + 1}]", inner["child"], parts[1:], is_there)
        pair = _parse_type(inner["child"])[1]
        key = next((each for each in KEYS if {each, "value"} <= set(pair)), "")
        return _look_up(name, value, pair["value"], parts, key) if key else None
    return None


def _look_up(name: str, pairs: str, kind: str, parts: tuple[str, ...], key: str) -> _Field | None:
    """The value of a key among pairs. The key is all of the parts, but for one that leads on into the value."""
    what, inner = _parse_type(kind)
    fields = {field.lower() for field in inner} if what == "struct" else set()
    length = len(parts) - 1 if len(parts) > 1 and parts[-1].lower() in fields else len(parts)
    wanted = quote_literal(".".join(parts[:length]))
    found = f"list_filter({pairs}, lambda each: each.{key}::VARCHAR = {wanted})"
    field = _descend(name, f"({found})[1].value", kind, parts[length:], f"coalesce(len({found}), 0) > 0")
    beginning = quote_literal(name.removesuffix(".".join(parts)))
    return field and replace(field, keys=f"list_transform({pairs}, lambda each: {beginning} || each.{key})")


def _take_filled(name: str, value: str, kind: str, is_there: str) -> _Field:
    what, fields = _parse_type(kind)
    if what != "struct" or not all(field.endswith(VALUE_ENDING) for field in fields):
        return _Field(name, value, kind, (), is_there)
    taken = ", ".join(f"struct_extract({value}, {quote_literal(field)})::VARCHAR" for field in fields)
    return _Field(name, f"coalesce({taken})", "VARCHAR", (), is_there)


def _list_names_below(name: str, columns: Mapping[str, str]) -> tuple[str, ...]:
    """The dotted names of the fields of the column that the name begins with, as far as its type tells them."""
    start = name.partition(".")[0].lower()
    return tuple(each for column, kind in columns.items() if column.lower() == start for each in _walk(column, kind))


def _walk(name: str, kind: str) -> list[str]:
    what, inner = _parse_type(kind)
    if what in ("list", "array"):
        return _walk(f"{name}.0", inner["child"])
    fields = [(f"{name}.{field}", type_) for field, type_ in inner.items()] if what == "struct" else []
    return [each for field, type_ in fields for each in (field, *_walk(field, type_))]


# -- JSON


def _build_json_sql(text: str) -> str:
    return f"case when json_valid({text}) then ({text})::JSON end"


def _build_opened_sql(holder: str) -> str:
    """SQL of the JSON; of that within it, if it is a text which is JSON itself."""
    text = f"({holder} ->> '$')"
    return f"case when json_type({holder}) = 'VARCHAR' then {_build_json_sql(text)} else {holder} end"


def _build_key_sql(pair: str) -> str:
    names = ", ".join(f"({pair} ->> '$.{key}')" for key in KEYS)
    return f"coalesce({names})"


def _build_pairs_sql(opened: str) -> str:
    """SQL of the records of a list as pairs of a key and a value; NULL if it is no list."""
    pair = f"{{'key': {_build_key_sql('each')}, 'value': json_extract(each, '$.value')}}"
    listed = f"list_transform(json_extract({opened}, '$[*]'), lambda each: {pair})"
    return f"case when json_type({opened}) = 'ARRAY' then {listed} end"


def _build_pointer(part: str) -> str:
    return quote_literal("/" + part.replace("~", "~0").replace("/", "~1"))


def _build_text_sql(found: str) -> str:
    keys = f"case when json_type({found}) = 'OBJECT' then json_keys({found}) end"
    has_only_values = f"len(list_filter({keys}, lambda each: not ends_with(each, '{VALUE_ENDING}'))) = 0"
    filled = f"list_filter(({found} ->> '$.*'), lambda each: each is not null)[1]"
    return f"case when {has_only_values} then {filled} else {found} ->> '$' end"


def _build_is_damaged_sql(text: str) -> str:
    """SQL condition: the text begins like a list or object of JSON, and is none."""
    return f"(regexp_matches({text}, '^\\s*[\\[{{]') and not json_valid({text}))"


class _JsonSteps:
    """The selects that take fields out of JSON, one step of their names at a time.

    Where several parts are left, they may also be one key with dots in it: that is tried first. What names have in
    common is parsed once for all of them.
    """

    def __init__(self, fields: Sequence[_Field]) -> None:
        self.fields = {field.name: field for field in fields if field.parts}
        self.holders: dict[tuple[str, tuple[str, ...]], str] = {}  # a value and the parts that lead into it
        self.sought: dict[str, list[str]] = {}  # what is looked up in each holder
        for field in self.fields.values():
            for depth in range(len(field.parts) + 1):
                holder = self.holders.setdefault((field.value, field.parts[:depth]), f"json_{len(self.holders)}_")
                left = field.parts[depth:]
                sought = self.sought.setdefault(holder, [])
                sought += [part for part in dict.fromkeys((".".join(left), *left[:1])) if part and part not in sought]

    def build_relation_sql(self, relation: str) -> str:
        """The relation with a column for every step."""
        added = [f"{_build_json_sql(value)} as {name}" for (value, parts), name in self.holders.items() if not parts]
        depth = 0
        while added:
            relation = f"(select *, {', '.join(added)} from {relation})"
            at_depth = {name: self.sought[name] for (_, parts), name in self.holders.items() if len(parts) == depth}
            searched = {name: sought for name, sought in at_depth.items() if sought}
            if searched:
                opened = [f"{_build_opened_sql(name)} as opened_{name}" for name in searched]
                relation = f"(select *, {', '.join(opened)} from {relation})"
                looked_up = [
                    look
                    for name, sought in searched.items()
                    for look in (
                        f"json_extract(opened_{name}, [{', '.join(map(_build_pointer, sought))}]) as values_{name}",
                        f"{_build_pairs_sql(f'opened_{name}')} as pairs_{name}",
                    )
                ]
                relation = f"(select *, {', '.join(looked_up)} from {relation})"
            added = [
                f"{self._build_step_sql(self.holders[value, parts[:-1]], parts[-1])} as {name}"
                for (value, parts), name in self.holders.items()
                if len(parts) == depth + 1
            ]
            depth += 1
        found = [f"{self._build_found_sql(name)} as {self.name_found(name)}" for name in self.fields]
        return f"(select *, {', '.join(found)} from {relation})" if found else relation

    def name_found(self, name: str) -> str:
        """The column of the JSON that a name leads to; NULL if the row has no such field."""
        return f"found_{list(self.fields).index(name)}_"

    def _build_found_sql(self, name: str) -> str:
        parts = self.fields[name].parts
        wholes = [
            self._build_step_sql(self._name_step(name, depth), ".".join(parts[depth:]))
            for depth in range(len(parts) - 1)
        ]
        return f"coalesce({', '.join([*wholes, self._name_step(name, len(parts))])})"

    def _build_step_sql(self, holder: str, part: str) -> str:
        """SQL of what a part of a name leads to."""
        place = self.sought[holder].index(part) + 1
        pair = f"list_filter(pairs_{holder}, lambda each: each.key = {quote_literal(part)})[1].value"
        return f"coalesce(values_{holder}[{place}], {pair})"

    def list_names_beside(self, warehouse: Warehouse, relation: str, name: str) -> tuple[str, ...]:
        """The names that rows have in place of one that none has, where it leaves what they have."""
        field = self.fields[name]
        for depth in reversed(range(len(field.parts))):
            holder = _build_opened_sql(self._name_step(name, depth))
            pairs = f"list_transform(json_extract({holder}, '$[*]'), lambda each: {_build_key_sql('each')})"
            first = f"json_extract({holder}, '$[0]')"
            fields = f"list_transform(json_keys({first}), lambda each: '0.' || each)"
            is_pairs = f"json_exists({first}, '$.value') and {_build_key_sql(first)} is not null"
            is_records = f"json_type({first}) = 'OBJECT'"
            of_list = f"case when {is_pairs} then {pairs} when {is_records} then {fields} end"
            listed = f"case json_type({holder}) when 'OBJECT' then json_keys({holder}) when 'ARRAY' then {of_list} end"
            if keys := _list_distinct(warehouse, relation, listed):
                beginning = name.split(".")[: name.count(".") + 1 - len(field.parts) + depth]
                return tuple(".".join([*beginning, key]) for key in keys)
        return ()

    def _name_step(self, name: str, depth: int) -> str:
        field = self.fields[name]
        return self.holders[field.value, field.parts[:depth]]


# -- fields


def _add_fields(warehouse: Warehouse, rows: DeliveryRows, names: Sequence[str], table: str) -> DeliveryRows:
    """The rows, staged, with the fields of these names. Those that no row has are noted as absent."""
    if not names:
        return rows
    columns = rows.readable
    resolved = {name: _resolve(name, columns) for name in names}
    fields = [field for field in resolved.values() if field]
    steps = _JsonSteps(fields)
    found = {name: steps.name_found(name) for name in steps.fields}
    taken = {field.name: _build_text_sql(found[field.name]) if field.parts else field.value for field in fields}
    certain = {field.name: field.is_there for field in fields if field.is_there and not field.parts}
    is_there = {**{name: f"{sql} is not null" for name, sql in found.items()}, **certain}
    damages = [
        (_build_is_damaged_sql(quote_identifier(name)), quote_literal(f"{name} is no valid JSON"))
        for name in columns
        if (quote_identifier(name), ()) in steps.holders
    ]
    damages += [(f"contains({taken[name]}, chr(0))", quote_literal(f"{name} holds zero bytes")) for name in found]
    selected = [
        *rows.list_place(damages),
        *map(quote_identifier, columns),
        *(f"{sql} as {quote_identifier(name)}" for name, sql in taken.items()),
        *(f"({sql}) as is_there_{number}_" for number, sql in enumerate(is_there.values())),
    ]
    relation = steps.build_relation_sql(rows.relation)
    warehouse.execute(f"create or replace temp table {table} as select {', '.join(selected)} from {relation}")
    kinds = {name: kind for name, kind, *_ in warehouse.rows(f"describe temp.{table}")}
    missing = _list_never_true(warehouse, f"temp.{table}", [f"is_there_{n}_" for n in range(len(is_there))])
    absent = {name: _list_names_below(name, columns) for name, field in resolved.items() if field is None}
    # What the type of a column cannot have is empty, and of no type, so that it fits into every expression.
    delivered = {column.lower() for column in columns}
    untyped = [name for name in absent if name.partition(".")[0].lower() in delivered]
    added = "".join(f", null as {quote_identifier(name)}" for name in untyped)
    for name in (list(is_there)[number] for number in missing):
        field = next(field for field in fields if field.name == name)
        keys = _list_distinct(warehouse, rows.relation, field.keys) if field.keys else ()
        absent[name] = keys or steps.list_names_beside(warehouse, relation, name)
    return replace(
        rows.place_in(f"(select *{added} from temp.{table})" if added else f"temp.{table}"),
        fields=rows.fields | {name: kinds[name] for name in taken} | dict.fromkeys(untyped, "VARCHAR"),
        absent=rows.absent | absent,
    )


def _list_distinct(warehouse: Warehouse, relation: str, listed: str) -> tuple[str, ...]:
    """What the lists hold in all rows, each once."""
    query = f"select distinct name from (select unnest({listed}) as name from {relation}) where name is not null"
    return tuple(name for (name,) in warehouse.rows(f"{query} order by name limit {NAMES_SHOWN}"))


def _list_never_true(warehouse: Warehouse, relation: str, conditions: Sequence[str]) -> list[int]:
    """The places of the conditions that no row fulfils, if there are rows."""
    counted = "".join(f", count(*) filter ({condition})" for condition in conditions)
    ((row_count, *counts),) = warehouse.rows(f"select count(*){counted} from {relation}")
    return [place for place, count in enumerate(counts) if row_count and not count]


# -- lines


def _split_lines(
    warehouse: Warehouse, rows: DeliveryRows, row_count: int, source: Source, names: Sequence[str]
) -> tuple[DeliveryRows, int]:
    """One row for each element of the list, which has its name and fields. A record without lines keeps its row.

    What the records hold is not repeated in the staged lines, since a record may have very many.
    """
    columns = rows.readable
    field = _resolve(source.lines, columns)
    if field is None:
        return _note_absent_lines(rows, source, _list_names_below(source.lines, columns)), row_count
    steps = _JsonSteps([field])
    relation = steps.build_relation_sql(rows.relation)
    is_text = field.kind == "VARCHAR"
    if not is_text and not field.kind.endswith("]"):
        message = LocalizedMessage("no_list", column=repr(source.lines), type=field.kind)
        raise DeliveryError(QuarantineReason.BAD_TYPE, message, ("lines",))
    if field.parts and _list_never_true(warehouse, relation, [f"{steps.name_found(field.name)} is not null"]):
        beside = steps.list_names_beside(warehouse, relation, field.name)
        return _note_absent_lines(rows, source, beside), row_count
    listed, damages, element = field.value, [], "element_"
    if is_text:
        value = build_value_or_null_sql(field.value, source.empty_values)
        given = steps.name_found(field.name) if field.parts else _build_json_sql(value)
        opened = _build_opened_sql(f"({given})")
        is_given = f"{value} is not null" if not field.parts else f"({given} ->> '$') <> ''"
        is_list = f"coalesce(json_type({opened}) in ('ARRAY', 'NULL'), false)"
        damages = [(f"{is_given} and not {is_list}", quote_literal(f"{source.lines} is no list"))]
        listed = f"case when json_type({opened}) = 'ARRAY' then json_extract({opened}, '$[*]') end"
        element = "element_ ->> '$'"
    name = next((each for each in columns if each.lower() == source.lines.lower()), source.lines)
    warehouse.execute(f"""
        create or replace temp table {STAGED_LINES} as
        select
            row_number_, null::VARCHAR as content_, line_, {element} as {quote_identifier(name)},
            case when problem_ is null and {_build_is_no_record_sql(is_text, names)}
                then '{QuarantineReason.BAD_RECORD.value}' else problem_ end as problem_,
            case when problem_ is null and line_ is not null
                then 'line ' || line_ || ' of ' || {quote_literal(source.lines)} || ' is no object' else detail_
            end as detail_
        from (
            select
                row_number_, problem_, detail_,
                unnest(case when len(lines_) > 0 then range(1, len(lines_) + 1) else [null::BIGINT] end) as line_,
                unnest(case when len(lines_) > 0 then lines_ else [null] end) as element_
            from (select {", ".join(rows.list_place(damages))}, {listed} as lines_ from {relation})
        )
    """)
    ((line_count, record_count),) = warehouse.rows(
        f"select count(*), count(distinct row_number_) from temp.{STAGED_LINES}"
    )
    kinds = {each: kind for each, kind, *_ in warehouse.rows(f"describe temp.{STAGED_LINES}")}
    lines = replace(DeliveryRows("", "", {name: kinds[name]}).place_in(f"temp.{STAGED_LINES}"), content="content_")
    lines = _add_fields(warehouse, lines, names, STAGED_LINE_FIELDS)
    split = _join_lines(rows, lines, name)
    if line_count > record_count:
        note = LocalizedMessage("lines_of_records", lines=f"{line_count:,}", records=f"{record_count:,}")
        split = replace(split, notes=(*split.notes, note))
    return split, line_count + row_count - record_count


def _note_absent_lines(rows: DeliveryRows, source: Source, beside: tuple[str, ...]) -> DeliveryRows:
    return replace(rows, absent=rows.absent | {source.lines: beside})


def _build_is_no_record_sql(is_text: bool, names: Sequence[str]) -> str:
    """SQL condition: fields are read of a line which has none."""
    if not names:
        return "false"
    text = "(element_ ->> '$')"
    is_record = (
        f"json_valid({text}) and json_type({_build_json_sql(text)}) = 'OBJECT'" if is_text else "element_ is not null"
    )
    return f"line_ is not null and not coalesce({is_record}, false)"


def _join_lines(rows: DeliveryRows, lines: DeliveryRows, name: str) -> DeliveryRows:
    """The rows of the lines with what their records hold besides."""
    beside = {each: kind for each, kind in rows.columns.items() if each != name}
    record_key = replace(rows, columns=beside).build_content_key_sql()
    kept = [quote_identifier(each) for each in rows.readable if each != name]
    own = [quote_identifier(each) for each in lines.readable]
    fields = rows.fields | lines.fields
    if LINE_NUMBER not in map(str.lower, rows.readable):
        own.append(f"line_ as {LINE_NUMBER}")
        fields[LINE_NUMBER] = "BIGINT"
    if name not in rows.columns:
        fields = fields | lines.columns
    # Materialized, or the keys of the records would be computed for each line.
    relation = f"""(
        with records as materialized (
            select {", ".join([*rows.list_place(), *kept])}, md5({record_key}) as record_key_ from {rows.relation}
        )
        select
            {build_row_number_sql("records.row_number_", "lines.line_")} as row_number_,
            coalesce(records.problem_, lines.problem_) as problem_,
            coalesce(records.detail_, lines.detail_) as detail_,
            records.content_, lines.line_, records.record_key_,
            {", ".join([*(f"records.{each}" for each in kept), *(f"lines.{each}" for each in own)])}
        from records
        join {lines.relation} as lines on records.row_number_ = lines.row_number_
    )"""
    return replace(
        rows.place_in(relation),
        columns=rows.columns | {each: kind for each, kind in lines.columns.items() if each in rows.columns},
        fields=fields,
        absent=rows.absent | lines.absent,
        lines=name,
    )
