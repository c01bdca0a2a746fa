"""The documentation says what the code does: generated parts are current, links lead somewhere, commands exist."""

import re
from datetime import date
from pathlib import Path

import pytest
import typer.main

from docs.generate import PARTS, update_page
from funnelscope.funnels.answer_table import create_table as create_own_funnels_table
from funnelscope.ingest import create_tables as create_ingest_tables
from funnelscope.quality.gate import create_tables as create_gate_tables
from funnelscope.warehouse.connection import Warehouse, open_in_memory_warehouse
from funnelscope.warehouse.models import build_query_parameters, create_inputs, create_table, load_models
from pipelines.cli.app import app

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
MOST_PICTURE_BYTES = 300_000


# -- Generated parts


@pytest.mark.parametrize("page", PARTS)
def test_generated_parts_are_current(page: str) -> None:
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    assert re.findall(r"<!-- table: (\w+) -->", text) == list(PARTS[page])
    assert text.count("<!-- end -->") == len(PARTS[page])
    assert update_page(page) == text, "run: make docs"


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
