"""Every SQL model by example: tests/models/<model>/<case>/ holds what it reads and what it must make of it.

`given_<schema>.<table>.csv` fills a table that the model reads (a column left out is NULL, a table left out is empty;
an event_id `1..70` stands for seventy rows), `expect.csv` names the columns to compare, `params.yaml` sets other
parameters than those of DAY. Lines that begin with # say what a case is about.
"""

import csv
import difflib
import re
from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml

from funnelscope.events.schema import EVENT_FAMILIES, Family
from funnelscope.warehouse.connection import Warehouse, open_in_memory_warehouse
from funnelscope.warehouse.lineage import list_table_columns
from funnelscope.warehouse.models import (
    build_query_parameters,
    derive_schemas,
    load_models,
    materialize_model,
)

ROOT = Path(__file__).parent / "models"
CASES = sorted(path.parent for path in ROOT.glob("*/*/expect.csv"))
DAY = date(2026, 6, 10)
MODELS = {model.name: model for model in load_models().values()}

Rows = list[dict[str, str | None]]


def read_csv(path: Path) -> Rows:
    """The rows of a file, an empty cell as None, one of '' as an empty text."""
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]
    rows = csv.DictReader(lines, skipinitialspace=True, restkey="too_many_cells")
    return [
        {name: "" if value == "''" else value.strip() or None if value else None for name, value in row.items()}
        for written in rows
        for row in repeated(written)
    ]


def repeated(row: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The row, or one row for each event_id of `first..last`."""
    span = re.fullmatch(r"(\d+)\.\.(\d+)", row.get("event_id") or "")
    if not span:
        yield row
        return
    for number in range(int(span[1]), int(span[2]) + 1):
        yield row | {"event_id": str(number)}


def columns_of(table: str) -> list[tuple[str, str]]:
    """Columns and types of `schema.table`, whether a model makes it or ingest."""
    return list(list_table_columns()[table].items())


def create_and_fill(warehouse: Warehouse, table: str, columns: Sequence[tuple[str, str]], rows: Rows) -> None:
    warehouse.execute(f"create table {table} ({', '.join(f'{name} {kind}' for name, kind in columns)})")
    if rows:
        places = ", ".join("?" for _ in rows[0])
        warehouse.connection.executemany(
            f"insert into {table} ({', '.join(rows[0])}) values ({places})", [list(row.values()) for row in rows]
        )


def parameters_of(case: Path) -> dict[str, Any]:
    path = case / "params.yaml"
    given = yaml.safe_load(path.read_text(encoding="utf-8")) if path.exists() else {}
    return build_query_parameters(**({"from_date": DAY, "to_date": DAY} | given))


def made_and_expected(case: Path) -> tuple[list[str], list[str]]:
    """The model's rows and the expected ones as text, a line each, with a heading, sorted by grain."""
    model = MODELS[case.parent.name]
    given = {path.stem.removeprefix("given_"): path for path in case.glob("given_*.csv")}
    unknown = given.keys() - set(model.dependencies)
    assert not unknown, f"{model.table} does not read {', '.join(sorted(unknown))}"
    warehouse = open_in_memory_warehouse(["set threads = 1"])
    for table in model.dependencies:
        rows = read_csv(given[table]) if table in given else []
        create_and_fill(warehouse, table, columns_of(table), rows)

    parameters = parameters_of(case)
    overrides = {name: value for name, value in parameters.items() if name not in ("from_date", "to_date")}
    materialize_model(warehouse, model, [(parameters["from_date"], parameters["to_date"])], **overrides)

    wanted = read_csv(case / "expect.csv")
    header = next(line for line in (case / "expect.csv").read_text("utf-8").splitlines() if not line.startswith("#"))
    names = [name.strip() for name in header.split(",")]
    types = dict(columns_of(model.table))
    create_and_fill(warehouse, "expected", [(name, types[name]) for name in names], wanted)
    order = ", ".join([*(name for name in model.grain if name in names), *names])
    lines = [
        [",".join(names)]
        + [
            ",".join("" if value is None else str(value) for value in row)
            for row in warehouse.rows(f"select {', '.join(names)} from {table} order by {order}")
        ]
        for table in (model.table, "expected")
    ]
    return lines[0], lines[1]


@pytest.mark.parametrize("case", CASES, ids=[f"{case.parent.name}-{case.name}" for case in CASES])
def test_a_model_makes_what_its_case_expects(case: Path) -> None:
    made, expected = made_and_expected(case)
    difference = "\n".join(difflib.unified_diff(expected, made, "expected", "made", n=100, lineterm=""))
    if difference:
        pytest.fail(f"{case.relative_to(ROOT.parent)}\n{difference}", pytrace=False)


def test_every_model_has_a_case() -> None:
    assert {case.parent.name for case in CASES} == set(MODELS)


NOTHING = {None, "0", "0.0", "0.00", "false"}


@pytest.mark.parametrize("name", MODELS)
def test_every_column_is_expected_with_more_than_nothing(name: str) -> None:
    """A column that no case expects, or only as zero, false or null, may say anything."""
    rows = [row for case in CASES if case.parent.name == name for row in read_csv(case / "expect.csv")]
    for column, _ in derive_schemas()[MODELS[name].table]:
        assert {row.get(column) for row in rows} - NOTHING, f"{name}.{column} is expected in no case"


@pytest.mark.parametrize("family", EVENT_FAMILIES.values(), ids=lambda family: family.name)
def test_every_column_of_the_contract_is_known_to_be_delivered_or_not(family: Family) -> None:
    query = MODELS["filled_columns"].query
    counted = query[query.index(f"select '{family.name}' as family") : query.index(f"from {family.name}_counts")]
    in_every_event = {"event_id", "event_time", "shop", "is_bot", "excluded_reason"}
    assert set(re.findall(r"'column_name': '(\w+)'", counted)) == {c.name for c in family.columns} - in_every_event
    assert re.findall(r"'column_name': '(\w+)', 'rows': (?!event_count)(\w+)", counted) == [
        (name, name) for name in re.findall(r"'column_name': '(\w+)'", counted) if name != "event_type"
    ]
