"""One direction of import, rooms that say what they hold, and lock files that anybody's package index can serve."""

import ast
from collections import Counter
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]
PACKAGES = ("funnelscope", "reports", "assets", "pipelines")
ROOMS = (
    "messages",
    "events",
    "settings",
    "warehouse",
    "ingest",
    "recognition",
    "quality",
    "localization",
    "diagnosis",
    "funnels",
    "publication",
    "reporting",
    "simulator",
)
"""Of the library, each of which may import those before it."""
NARROW_ROOMS = {"messages": set(), "localization": {"messages"}, "simulator": {"events"}}
"""Rooms that may import less than all before them."""
MAY_IMPORT = {"reports": {"funnelscope"}, "assets": {"funnelscope"}, "pipelines": {"funnelscope", "assets"}}
MAY_KNOW_DAGSTER = ("assets", "pipelines")


def python_files(folder: str) -> list[Path]:
    return sorted((REPOSITORY / folder).rglob("*.py"))


def imported_modules(file: Path) -> set[str]:
    """The dotted names that the file imports, `from a import b` as `a.b`."""
    names = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{file} has a relative import"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def test_every_folder_of_the_library_is_a_room_of_the_list() -> None:
    folders = {path.name for path in (REPOSITORY / "funnelscope").iterdir() if (path / "__init__.py").exists()}
    assert folders == set(ROOMS)


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_imports_only_rooms_above_it(room: str) -> None:
    allowed = {room} | NARROW_ROOMS.get(room, set(ROOMS[: ROOMS.index(room)]))
    for file in python_files(f"funnelscope/{room}"):
        for name in imported_modules(file):
            package, *rest = name.split(".")
            where = f"{file.relative_to(REPOSITORY)} imports {name}"
            if package == "reports":
                assert room == "reporting", where
            elif package == "funnelscope" and rest[0] != "project_files":
                assert rest[0] in allowed, where
            else:
                assert package not in PACKAGES or package == "funnelscope", where


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_a_package_imports_only_what_lies_below_it(package: str) -> None:
    for file in python_files(package):
        ours = {name.split(".")[0] for name in imported_modules(file)} & set(PACKAGES) - {package}
        assert ours <= MAY_IMPORT[package], f"{file.relative_to(REPOSITORY)} imports {ours - MAY_IMPORT[package]}"


def test_the_report_knows_of_the_library_only_its_messages() -> None:
    for file in python_files("reports"):
        ours = {name for name in imported_modules(file) if name.startswith("funnelscope.")}
        assert all(name.startswith("funnelscope.messages.") for name in ours), f"{file.name} imports {ours}"


def test_only_assets_and_pipelines_know_dagster() -> None:
    for package in set(PACKAGES) - set(MAY_KNOW_DAGSTER):
        for file in python_files(package):
            assert not any(name.split(".")[0] == "dagster" for name in imported_modules(file)), file


def test_sql_holds_sql_only() -> None:
    assert {file.suffix for file in (REPOSITORY / "sql").rglob("*") if file.is_file()} == {".sql"}


def test_no_two_modules_share_a_name() -> None:
    names = Counter(file.stem for package in PACKAGES for file in python_files(package) if file.stem != "__init__")
    assert [name for name, count in names.items() if count > 1] == []


def test_no_two_classes_share_a_name() -> None:
    names = Counter(
        node.name
        for package in PACKAGES
        for file in python_files(package)
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.ClassDef)
    )
    assert [name for name, count in names.items() if count > 1] == []


@pytest.mark.parametrize("package", [*PACKAGES, *(f"funnelscope/{room}" for room in ROOMS)])
def test_a_room_says_what_it_holds(package: str) -> None:
    text = ast.get_docstring(ast.parse((REPOSITORY / package / "__init__.py").read_text(encoding="utf-8")))
    assert text
    assert "import" in text
    assert 3 <= len(text.splitlines()) <= 25


@pytest.mark.parametrize("name", ["requirements.lock", "requirements-dev.lock"])
def test_a_lock_file_pins_every_package_with_its_hash_and_names_no_host(name: str) -> None:
    text = (REPOSITORY / name).read_text(encoding="utf-8")
    assert "://" not in text
    packages = [line for line in text.splitlines() if line and not line.startswith((" ", "#"))]
    assert len(packages) > 50
    assert all("==" in line for line in packages)
    assert text.count("--hash=sha256:") >= len(packages)
