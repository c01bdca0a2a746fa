"""The documentation says what the code does: generated parts are current, links lead somewhere, commands exist.

`python tests/test_docs.py` writes the generated parts of docs/metrics.md and docs/architecture.md anew.
"""

import re
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest
import typer.main

from funnelscope.diagnosis.diagnosis_tables import TABLES
from funnelscope.events.metrics import METRICS
from funnelscope.funnels.answer_table import create_table as create_own_funnels_table
from funnelscope.ingest import create_tables as create_ingest_tables
from funnelscope.messages.wording import load_words
from funnelscope.quality.gate import create_tables as create_gate_tables
from funnelscope.warehouse.connection import Warehouse, open_in_memory_warehouse
from funnelscope.warehouse.models import build_query_parameters, create_inputs, create_table, load_models
from pipelines.cli.app import app

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
MOST_PICTURE_BYTES = 300_000

# The report prints these durations as single figures, each with a word of its own.
NAMES_OUTSIDE_THE_REPORT = {
    "first_screen_ms": "首屏时间",
    "first_response_seconds": "首次响应时长",
    "repurchase_interval_days": "回购周期",
}


# -- Generated parts


def metrics_table() -> str:
    words = load_words("zh").sections["metrics"]
    rows = []
    for key, metric in METRICS.items():
        name = words[key]["name"] if key in words else NAMES_OUTSIDE_THE_REPORT[key]
        rule = metric.several_days.value + (", platform mean" if metric.platform_mean else "")
        unit = "0–1" if metric.unit.value == "rate" else metric.unit.value
        rows.append((f"`{key}`", name, metric.formula, unit, rule))
    return table(("key", "中文", "formula", "unit", "several days"), rows)


def cubes_table() -> str:
    cubes = [model for model in load_models().values() if model.name.endswith("_cube")]
    rows = [
        (f"`{cube.table}`", cube.description, ", ".join(f"`{name}`" for name in cube.grain if name != "business_date"))
        for cube in sorted(cubes, key=lambda cube: cube.name)
    ]
    return table(("cube", "what it counts", "dimensions"), rows)


def model_graph() -> str:
    """The models and what each reads, as a Mermaid graph; the raw events and the ledger are left out."""
    models = load_models()
    lines = ["```mermaid", "graph LR"]
    for layer in ("staging", "intermediate", "marts"):
        lines.append(f"  subgraph {layer}")
        lines += [
            f"    {model.name}([{model.name}])" if model.is_view else f"    {model.name}"
            for model in models.values()
            if model.schema == layer
        ]
        lines.append("  end")
    for model in models.values():
        sources = [table.split(".")[1] for table in model.dependencies if table in models]
        if sources:
            lines.append(f"  {' & '.join(sources)} --> {model.name}")
    return "\n".join([*lines, "```", ""])


def table(header: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [header, tuple("---" for _ in header), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def diagnosis_tables() -> str:
    """Every published table of the diagnosis with its columns."""
    parts = []
    for each in TABLES.values():
        if each.is_published:
            rows = [(f"`{column.name}`", column.sql_type, column.meaning) for column in each.columns]
            parts.append(f"**`{each.full_name}`**: {each.meaning}\n\n" + table(("column", "type", "meaning"), rows))
    return "\n\n".join(parts)


GENERATED: dict[str, dict[str, Callable[[], str]]] = {
    "docs/metrics.md": {"metrics": metrics_table, "cubes": cubes_table},
    "docs/architecture.md": {"models": model_graph},
    "docs/findings.md": {"diagnosis": diagnosis_tables},
}


def with_current_parts(page: str) -> str:
    """The text of the page with each part between `<!-- table: name -->` and `<!-- end -->` made anew."""
    parts = GENERATED[page]
    return re.sub(
        r"(<!-- table: (\w+) -->\n).*?(<!-- end -->)",
        lambda found: f"{found[1]}\n{parts[found[2]]()}\n{found[3]}",
        (ROOT / page).read_text(encoding="utf-8"),
        flags=re.DOTALL,
    )


@pytest.mark.parametrize("page", GENERATED)
def test_generated_parts_are_current(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    assert re.findall(r"<!-- table: (\w+) -->", text) == list(GENERATED[page])
    assert with_current_parts(page) == text, "run: python tests/test_docs.py"


# -- What readers try


def _anchors(path: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_link_leads_somewhere(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"https?:", link):
            continue
        target, _, anchor = link.partition("#")
        path = (page.parent / target).resolve() if target else page
        assert path.exists(), f"{page.name}: {link}"
        assert not anchor or anchor in _anchors(path), f"{page.name}: {link}"


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_command_and_option_exists(page: Path) -> None:
    commands = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    text = page.read_text(encoding="utf-8")
    for command, rest in re.findall(r"^(?:\$ )?(?:\.venv/bin/)?funnelscope (\w+)(.*)$", text, flags=re.MULTILINE):
        assert command in commands, f"{page.name}: funnelscope {command}"
        known, words = commands[command], rest.split()
        if hasattr(known, "commands") and words:
            assert words[0] in known.commands, f"{page.name}: funnelscope {command} {words[0]}"
            known = known.commands[words[0]]
        options = {name for parameter in known.params for name in parameter.opts}
        for option in re.findall(r"--[\w-]+", rest.partition("#")[0]):
            assert option in options | {"--help"}, f"{page.name}: funnelscope {command} {option}"


def test_both_readmes_show_every_command() -> None:
    for page in ("README.md", "README.zh.md"):
        text = (ROOT / page).read_text(encoding="utf-8")
        for command in typer.main.get_command(app).commands:  # type: ignore[attr-defined]
            assert f"funnelscope {command}" in text, f"{page}: funnelscope {command}"


def test_both_readmes_show_the_same_code() -> None:
    def blocks(page: str) -> list[str]:
        text = (ROOT / page).read_text(encoding="utf-8")
        return [re.sub(r"\s*#.*", "", block) for block in re.findall(r"```(?:sh|sql|yaml)\n(.*?)```", text, re.DOTALL)]

    assert blocks("README.md") == blocks("README.zh.md")


@pytest.fixture(scope="module")
def empty_tables() -> Warehouse:
    """Every table and view that a reader may find, with no rows."""
    warehouse = open_in_memory_warehouse()
    create_inputs(warehouse)
    create_ingest_tables(warehouse)
    create_gate_tables(warehouse)
    day = date(2026, 6, 1)
    for model in load_models().values():
        create_table(warehouse, model, build_query_parameters(day, day))
    create_own_funnels_table(warehouse)
    warehouse.execute("create table quality.published_days (business_date DATE, snapshot VARCHAR)")
    return warehouse


SQL_EXAMPLES = [
    pytest.param(query, id=f"{page.relative_to(ROOT).as_posix()}-{number}")
    for page in PAGES
    for number, query in enumerate(re.findall(r"```sql\n(.*?)```", page.read_text("utf-8"), flags=re.DOTALL), start=1)
]


@pytest.mark.parametrize("query", SQL_EXAMPLES)
def test_every_query_runs(query: str, empty_tables: Warehouse) -> None:
    empty_tables.execute(query)


def test_pictures_are_small_and_shown() -> None:
    shown = "".join(page.read_text(encoding="utf-8") for page in PAGES)
    for picture in (ROOT / "docs" / "pictures").iterdir():
        assert picture.stat().st_size < MOST_PICTURE_BYTES, picture.name
        assert picture.name in shown, f"{picture.name} is shown nowhere"


if __name__ == "__main__":
    for generated in GENERATED:
        (ROOT / generated).write_text(with_current_parts(generated), encoding="utf-8")
