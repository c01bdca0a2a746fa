"""The form of the SQL: every model says what it is, reads only what lies below it, and gives the same rows anywhere."""

import re
from collections.abc import Iterator

import pytest
import yaml

from funnelscope.events.metrics import METRICS
from funnelscope.events.schema import FAMILIES
from funnelscope.ingest.quarantine_reasons import QuarantineReason
from funnelscope.messages.wording import list_languages, load_words
from funnelscope.quality.expectations.suites import FOLDER
from funnelscope.warehouse.checks import load_contracts
from funnelscope.warehouse.connection import open_in_memory_warehouse
from funnelscope.warehouse.models import LAYERS, Model, create_inputs, derive_schemas, load_models

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
    readable = below[model.schema] | ({model.schema} if model.schema != "staging" else set())
    assert {table.split(".")[0] for table in model.dependencies} <= readable
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
    reach = max((int(days) for days in re.findall(r"\$from_date - (\d+)", query)), default=0)
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
    ],
)
def test_the_ban_sees_what_it_is_about(query: str) -> None:
    assert any(re.search(pattern, query) for pattern in BANNED.values())


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
    query = load_models()["marts.daily_metrics"].query
    keys = re.findall(r"'metric': '(\w+)'", query)
    durations = re.findall(r"select business_date, '(\w+)'", query)
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
