"""The list of erased people. It keeps their rows out when a file that still holds them is read.

Nobody can be identified from the list: it holds neither ids nor the numbers of `funnelscope id hash`, but a second
keyed hash of those numbers. Rows of a person or browser are kept out up to the time of erasure; someone who returns
later is a new person. Their orders, sessions, conversations and clicks stay out for ever.
"""

from collections.abc import Mapping

from funnelscope.events.schema import BLANKS, FAMILIES
from funnelscope.ingest.identity import build_identifier_hash_sql
from funnelscope.warehouse.connection import Warehouse

# Kind of an id to the column that holds it. The first two identify people, the others lead to further rows of a person.
PEOPLE = {"customer": "customer_id", "visitor": "visitor_id"}
TRACES = {"session": "session_id", "order": "order_id", "conversation": "conversation_id", "click": "click_id"}
KINDS = PEOPLE | TRACES

ERASED_TABLES = (
    "create table if not exists quality.forgotten (kind VARCHAR, token BIGINT, forgotten_at TIMESTAMP)",
    "alter table quality.deliveries add column if not exists rows_erased BIGINT default 0",
)


def build_token_sql(number: str) -> str:
    """SQL for the token in the list, from the BIGINT expression `number`, which is itself the keyed hash of an id."""
    return build_identifier_hash_sql(f"'forgotten|' || ({number})::VARCHAR")


def list_kinds(family: str) -> Mapping[str, str]:
    """Kind of id to column, for those that the family has."""
    names = {column.name for column in FAMILIES[family].columns}
    return {kind: column for kind, column in KINDS.items() if column in names}


def leave_out_erased(warehouse: Warehouse, delivery_id: int, family: str) -> tuple[int, int]:
    """Removes the rows of erased people from a delivery just loaded: (rows removed from raw, from quarantine)."""
    table, kinds = f"raw.{FAMILIES[family].table}", list_kinds(family)
    if not warehouse.value("select count(*) from quality.forgotten"):
        return 0, 0
    if not kinds:
        return 0, _leave_out_quarantined(warehouse, delivery_id)
    # Hashes each id once instead of once per row.
    ids = " union ".join(
        f"select '{kind}' as kind, {column} as id from {table} where delivery_id = $id and {column} is not null"
        for kind, column in kinds.items()
    )
    warehouse.execute(
        "create or replace temp table forgotten_ids as "
        f"select ids.kind, ids.id, max(forgotten_at) as forgotten_at from ({ids}) as ids "
        "join quality.forgotten on forgotten.kind = ids.kind "
        f"and forgotten.token = {build_token_sql('ids.id')} group by all",
        id=delivery_id,
    )
    rows = " union ".join(
        f"select row_number from {table} join forgotten_ids on kind = '{kind}' and {column} = id "
        f"where delivery_id = $id{' and event_time < forgotten_at' if kind in PEOPLE else ''}"
        for kind, column in kinds.items()
    )
    erased = _execute_and_count(
        warehouse, f"delete from {table} where delivery_id = $id and row_number in ({rows})", delivery_id
    )
    warehouse.execute("drop table forgotten_ids")
    return erased, _leave_out_quarantined(warehouse, delivery_id)


def _leave_out_quarantined(warehouse: Warehouse, delivery_id: int) -> int:
    """Quarantined rows hold text as delivered. Its words are hashed like ids and looked up in the list."""
    if not warehouse.value(
        "select count(*) from quality.quarantine where delivery_id = $id and row_number > 0", id=delivery_id
    ):
        return 0
    rows = (
        f"select distinct row_number from ({build_quarantined_words_sql('delivery_id = $id')}) as words "
        f"join quality.forgotten on token = {build_token_sql('words.id')} and words.day <= forgotten_at::DATE"
    )
    statement = f"delete from quality.quarantine where delivery_id = $id and row_number in ({rows})"
    return _execute_and_count(warehouse, statement, delivery_id)


def blank_conflicts_of_erased(warehouse: Warehouse, delivery_id: int) -> None:
    """Blanks conflicting duplicates whose delivered text names an erased person in a column that raw does not have."""
    condition = "delivery_id = $id and reason = 'conflicting_duplicate'"
    rows = (
        f"select distinct row_number from ({build_quarantined_words_sql(condition)}) as words "
        f"join quality.forgotten on token = {build_token_sql('words.id')} and words.day <= forgotten_at::DATE"
    )
    statement = f"update quality.quarantine set content = '{{}}' where {condition} and row_number in ({rows})"
    warehouse.execute(statement, id=delivery_id)


def build_quarantined_words_sql(condition: str) -> str:
    """SQL of (delivery_id, row_number, day, id): every part of a quarantined row, hashed as if it were an id.

    A part is a value of the record's JSON, or the text between quotes, delimiters or blanks. Conflicting duplicates
    whose file is gone hold hashed ids.
    """
    text = "concat_ws(' ', content, detail)"
    blanks = "'" + BLANKS + "'"
    return rf"""
        with parts as (
            select
                delivery_id, row_number, counted_date as day,
                unnest(list_distinct(list_concat(
                    regexp_split_to_array({text}, '"'),
                    regexp_split_to_array({text}, '[,;\t|]'),
                    regexp_split_to_array({text}, '[,;|"''(){{}}\[\]<>=:&?/\s]+'),
                    case when json_valid(content) then json_extract_string(content, '$.*') else [] end
                ))) as part
            from quality.quarantine
            where row_number > 0 and ({condition})
        ),
        trimmed as (
            select distinct delivery_id, row_number, day, trim(part, {blanks}) as part from parts
        )
        select delivery_id, row_number, day, {build_identifier_hash_sql("part")} as id from trimmed where part != ''
        union
        select delivery_id, row_number, day, try_cast(part as BIGINT) from trimmed
        where regexp_full_match(part, '-?\d{{10,19}}') and try_cast(part as BIGINT) is not null
    """


def _execute_and_count(warehouse: Warehouse, statement: str, delivery_id: int) -> int:
    row = warehouse.execute(statement, id=delivery_id).fetchone()
    return int(row[0]) if row else 0
