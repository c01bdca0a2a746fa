"""The form of the SQL: every model says what it is, reads only what lies below it, and gives the same rows anywhere."""

import re
from collections.abc import Iterator

import pytest
import sqlglot
import yaml
from sqlglot import exp
from sqlglot.optimizer.annotate_types import annotate_types
from sqlglot.optimizer.qualify import qualify

from funnelscope.events.metrics import METRICS
from funnelscope.events.schema import FAMILIES
from funnelscope.ingest.quarantine_reasons import QuarantineReason
from funnelscope.messages.wording import list_languages, load_words
from funnelscope.quality.expectations.suites import FOLDER
from funnelscope.warehouse.checks import load_contracts
from funnelscope.warehouse.connection import open_in_memory_warehouse
from funnelscope.warehouse.lineage import _expand_lists, _nest_schemas, list_table_columns
from funnelscope.warehouse.models import DEFAULT_PARAMETERS, LAYERS, Model, create_inputs, derive_schemas, load_models

MODELS = list(load_models().values())
QUERIES = {model.table: model.query for model in MODELS} | {
    f"checks.{contract.name} {contract.table}": contract.query
    for contract in load_contracts()
    if contract.name != "grain_is_unique"
}

# What Spark does not know, or what may differ from run to run.
BANNED = {
    "an ASOF join": r"\basof\b",
    "an ordered aggregate": r"\b(string_agg|group_concat|listagg|list|array_agg)\s*\([^()]*\border\s+by\b",
    "a list in any order": r"\b(string_agg|group_concat|listagg|list|array_agg)\s*\(",
    "AT TIME ZONE": r"\bat\s+time\s+zone\b|\btimezone\s*\(",
    "epoch_ms": r"\bepoch(_ms|_us|_ns)?\s*\(",
    "any row of a group": r"\b(any_value|arbitrary|first|last|mode|median_any)\s*\(",
    "the clock": r"\b(now|today|get_current_time\w*)\s*\(|\bcurrent_(date|time|timestamp)\b",
    "chance": r"\b(random|uuid|gen_random_uuid|setseed)\s*\(|\busing\s+sample\b|\btablesample\b",
    "the engine's own hash": r"\bhash\s*\(",
    "a cut without a total order": r"\blimit\s+\d",
    "a filter without where": r"\bfilter\s*\((?!\s*where\b)",
    "to_days and its like; write n * interval 1 day": r"\bto_(years|months|weeks|days|hours|minutes|seconds)\s*\(",
    "list_intersect; write list_contains": r"\blist_(intersect|has_any|has_all)\s*\(",
    "range of numbers; write generate_series": r"(?<!\.)\brange\s*\(",
}

# What orders rows is never null: Spark and DuckDB put nulls inside a struct at other ends.
NEVER_NULL = {
    *("event_time", "event_id", "asked_at", "conversation_id", "paid_at", "order_id", "started_at", "session_id"),
    *("first_seen_at", "product_id", "customer_id", "messages.event_time", "messages.event_id"),
}

# arg_min and arg_max that are not ordered by a row of columns, and why no tie can occur.
ORDERED_BY_A_UNIQUE_COLUMN = {
    ("intermediate.first_links", "linked_at"): "a visitor has one link a day, and an instant lies on one day",
    ("intermediate.payments", "orders.business_date"): "an order is created at most once a day",
}


def without_comments(query: str) -> str:
    return re.sub(r"--.*", "", query).lower()


def calls(query: str, *functions: str) -> Iterator[list[str]]:
    """The arguments of each call of one of `functions`, split at the outer commas."""
    for match in re.finditer(rf"\b({'|'.join(functions)})\s*\(", query):
        depth, argument, arguments = 1, "", []
        for character in query[match.end() :]:
            depth += (character == "(") - (character == ")")
            if depth == 0:
                break
            if character == "," and depth == 1:
                arguments.append(argument.strip())
                argument = ""
            else:
                argument += character
        yield [*arguments, argument.strip()]


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.table)
def test_a_model_says_what_it_is(model: Model) -> None:
    names = [name for name, _ in derive_schemas()[model.table]]
    assert model.description.endswith("."), "the first line is a sentence"
    assert model.owner
    assert list(model.column_comments) == names, "every output column has its comment, in the order of the query"
    assert set(model.grain) <= set(names)
    assert model.is_view or "business_date" in names, "a table is replaced by its days"


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.table)
def test_a_model_reads_only_its_own_layer_and_those_below(model: Model) -> None:
    below = {"staging": {"raw", "quality"}, "intermediate": {"staging"}, "marts": {"staging", "intermediate"}}
    assert {table.split(".")[0] for table in model.dependencies} <= below[model.schema] | {model.schema}
    assert model.table not in model.dependencies
    inputs = {f"raw.{family.table}" for family in FAMILIES.values()} | {
        "quality.duplicate_events",
        "quality.excluded_events",
    }
    assert set(model.dependencies) <= inputs | set(load_models()), "reads a table that nothing makes"


def test_models_come_after_what_they_read() -> None:
    seen: set[str] = set()
    for model in MODELS:
        assert {table for table in model.dependencies if table.split(".")[0] in LAYERS} <= seen, model.table
        seen.add(model.table)


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.table)
def test_a_model_reaches_no_further_back_than_its_header_says(model: Model) -> None:
    """Late rows of a day rebuild as many days as headers say; one that reads further would keep old numbers."""
    query = without_comments(model.query)
    named = {f"${name}": value for name, value in DEFAULT_PARAMETERS.items()}
    reach = max((int(named.get(days, days)) for days in re.findall(r"\$from_date - (\$?\w+)", query)), default=0)
    if model.history_days is not None:
        assert reach <= model.history_days
        assert not re.search(r"business_date <= \$to_date", query), "reads all days: the header needs 'history: all'"


@pytest.mark.parametrize("table", QUERIES)
def test_a_query_runs_anywhere_and_twice_the_same(table: str) -> None:
    query = without_comments(QUERIES[table])
    found = [what for what, pattern in BANNED.items() if re.search(pattern, query)]
    assert not found, f"{table} holds {', '.join(found)}"


@pytest.mark.parametrize(
    "query",
    [
        "from a asof join b",
        "select string_agg(name, ',' order by name)",
        "select list(name)",
        "select event_time at time zone 'Asia/Shanghai'",
        "select epoch_ms(event_time)",
        "select first(name), mode(name)",
        "select any_value(name)",
        "select now()",
        "where day = current_date",
        "select random()",
        "select hash(name)",
        "select * from a limit 1",
        "select count(*) filter (is_paid)",
        "select started_at - to_days(7)",
        "where len(list_intersect(families, ['page'])) > 0",
        "cross join unnest(range(3))",
    ],
)
def test_the_ban_sees_what_it_is_about(query: str) -> None:
    assert any(re.search(pattern, query) for pattern in BANNED.values())


def find_unportable_forms(query: str) -> list[str]:
    """What DuckDB and Spark read differently, or only one of them reads; types as far as sqlglot can tell them."""
    tree = sqlglot.parse_one(query, dialect="duckdb")
    found = [f"{union.key} by name" for union in tree.find_all(exp.SetOperation) if union.args.get("by_name")]
    found += [f"{star}: rename" for star in tree.find_all(exp.Star) if star.args.get("rename")]
    found += [
        f"{cast}: cast the list, not what is unnested"
        for cast in tree.find_all(exp.Cast)
        if isinstance(cast.this, exp.Explode | exp.Unnest)
    ]
    for call in tree.find_all(exp.ArgMin, exp.ArgMax):
        order = call.expression.expressions if isinstance(call.expression, exp.Tuple) else []
        found += [
            f"{part} may be null in {call}"
            for part in order
            if not isinstance(part, exp.Coalesce) and part.sql() not in NEVER_NULL
        ]
    _expand_lists(tree)
    schema = _nest_schemas(list_table_columns())
    qualified = qualify(tree, schema=schema, dialect="duckdb", validate_qualify_columns=False)
    typed = annotate_types(qualified, schema=schema, dialect="duckdb")
    found += [
        f"{difference}: write date_diff('day', …)"
        for difference in typed.find_all(exp.Sub)
        if difference.left.is_type("date") and difference.right.is_type("date")
    ]
    found += [
        f"{cast}: DuckDB rounds, Spark cuts off; say floor or round"
        for cast in typed.find_all(exp.Cast)
        if cast.to.is_type(*exp.DataType.INTEGER_TYPES)
        and cast.this.is_type(*exp.DataType.REAL_TYPES)
        and not isinstance(cast.this, exp.Floor | exp.Ceil | exp.Round)
    ]
    return found


# The ledger of deliveries is DuckDB's on any engine.
@pytest.mark.parametrize("table", [table for table, query in QUERIES.items() if "quality.deliveries" not in query])
def test_a_query_is_written_for_duckdb_and_spark(table: str) -> None:
    assert not find_unportable_forms(QUERIES[table])


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("select 1 as a union all by name select 2 as a", "by name"),
        ("select sessions.* rename (business_date as entry_date) from sessions", "rename"),
        ("select unnest([1, 2])::INTEGER as a", "cast the list"),
        ("select arg_min(agent, (event_time, line)) as a from staging.service_events", "line may be null"),
        ("select business_date - paid_date as a from intermediate.refunds", "date_diff"),
        ("with a as (select max(paid_date) as b from intermediate.refunds) select b - b as c from a", "date_diff"),
        ("select amount::BIGINT as a from intermediate.refunds", "cuts off"),
        ("select (sum(refund_count) / 2)::INTEGER as a from intermediate.refunds", "cuts off"),
    ],
)
def test_the_lint_sees_what_it_is_about(query: str, said: str) -> None:
    assert any(said in form for form in find_unportable_forms(query))


@pytest.mark.parametrize(
    "query",
    [
        "select 1 as a union all select 2 as a",
        "select unnest([1, 2]::INTEGER[]) as a",
        "select arg_min(agent, (event_time, coalesce(line, ''), event_id)) as a from staging.service_events",
        "select date_diff('day', paid_date, business_date) as a, business_date - 1 as b from intermediate.refunds",
        "select floor(amount)::BIGINT as a, refund_count::INTEGER as b from intermediate.refunds",
    ],
)
def test_the_lint_lets_the_portable_form_pass(query: str) -> None:
    assert not find_unportable_forms(query)


@pytest.mark.parametrize("table", QUERIES)
def test_the_earliest_or_latest_row_is_one_row(table: str) -> None:
    for _, order, *rest in calls(without_comments(QUERIES[table]), "arg_min", "arg_max", "min_by", "max_by"):
        assert not rest, f"{table}: the {rest[0]} smallest have no order"
        is_total = order.startswith("(") and "," in order
        assert is_total or (table, order) in ORDERED_BY_A_UNIQUE_COLUMN, (
            f"{table}: ties in {order} are settled by chance"
        )


def test_the_exceptions_are_still_needed() -> None:
    for table, order in ORDERED_BY_A_UNIQUE_COLUMN:
        orders = [call[1] for call in calls(without_comments(QUERIES[table]), "arg_min", "arg_max")]
        assert order in orders, f"{table} no longer orders by {order}: strike it off the list"


@pytest.mark.parametrize("table", QUERIES)
def test_windows_that_depend_on_order_have_one(table: str) -> None:
    query = without_comments(QUERIES[table])
    windows = dict(re.findall(r"(?:window|,)\s+(\w+) as \(([^()]*(?:partition|order)\b[^()]*)\)", query))
    pattern = (
        r"\b(?:lag|lead|row_number|first_value|last_value|rank|dense_rank)\s*\([^()]*(?:\([^()]*\)[^()]*)*\)\s*over\s*"
    )
    for match in re.finditer(pattern + r"(?:\(([^()]*)\)|(\w+))", query):
        assert "order by" in (match[1] or windows[match[2]]), f"{table}: {match[0]}"


@pytest.mark.parametrize("model", [model for model in MODELS if not model.is_view], ids=lambda model: model.table)
def test_no_sum_of_floating_numbers(model: Model) -> None:
    """The order of addition changes the last bits of a sum of doubles: only whole numbers and decimals are summed."""
    doubles = {
        name
        for table in model.dependencies
        for name, kind in (derive_schemas().get(table) or raw_columns(table))
        if kind == "DOUBLE"
    }
    for (argument,) in calls(without_comments(model.query), "sum", "avg"):
        assert not doubles & set(re.findall(r"\w+", argument)) or "decimal" in argument, f"sum({argument})"
    assert not list(calls(without_comments(model.query), "avg")), "a mean is a sum and a count"


def raw_columns(table: str) -> list[tuple[str, str]]:
    warehouse = open_in_memory_warehouse()
    create_inputs(warehouse)
    return warehouse.columns(table)


# --- Metrics and words ---------------------------------------------------------------------------


def test_the_registry_holds_exactly_the_metrics_that_are_computed() -> None:
    queries = "".join(model.query for model in MODELS if model.name.endswith("_metrics"))
    keys = re.findall(r"'metric': '(\w+)'", queries)
    durations = re.findall(r"select business_date, '(\w+)'", queries)
    assert len(keys) == len(set(keys))
    assert {*keys, *durations} == set(METRICS)
    assert {key for key, metric in METRICS.items() if metric.several_days == "period"} == set(durations)


# The report prints a duration as one or two figures a day and one over days; these are the keys that it gives them.
FIGURES = {
    "first_screen_ms": ("first_screen_p50_ms", "first_screen_p75_ms", "first_screen_mean_ms"),
    "first_response_seconds": (
        "first_response_median_seconds",
        "first_response_p90_seconds",
        "first_response_mean_seconds",
    ),
    "repurchase_interval_days": ("repurchase_interval_median_days", "repurchase_interval_mean_days"),
}
COMPUTED_ELSEWHERE = {
    "sessions",  # marts.daily_summary
    "standardised_session_pay_rate",  # marts.daily_summary, standardised_session_rate
    "refund_rate",  # marts.refund_rates
    "expected_net_amount",  # marts.daily_summary and marts.refund_rates, in the report
    "net_amount",  # marts.refund_rates
    "failing_matches",  # diagnosis.relevance
}


@pytest.mark.parametrize("language", list_languages())
def test_every_metric_is_named_and_defined_and_nothing_else_is(language: str) -> None:
    metrics = load_words(language).sections["metrics"]
    figures = {figure for key in METRICS for figure in FIGURES.get(key, (key,))}
    assert set(metrics) == figures | COMPUTED_ELSEWHERE
    for key, words in metrics.items():
        assert words["name"].strip(), key
        assert words["definition"].strip().endswith((".", "。")), key


@pytest.mark.parametrize("language", list_languages())
def test_every_check_and_quarantine_reason_has_a_name(language: str) -> None:
    sections = load_words(language).sections
    files = [yaml.safe_load(file.read_text(encoding="utf-8")) for file in FOLDER.glob("*.yaml")]
    expectations = {entry["name"] for file in files for entry in file["expectations"]}
    assert set(sections["checks"]) == {contract.name for contract in load_contracts()} | expectations
    assert set(sections["quarantine_reasons"]) == {reason.value for reason in QuarantineReason}
