"""One direction of import, and lock files that anybody's package index can serve."""

import ast
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]
MAY_IMPORT = {
    "sql": set(),
    "reports": set(),
    "assets": {"sql", "reports"},
    "pipelines": {"sql", "reports", "assets"},
}


def imported_packages(file: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module.split(".")[0])
    return names


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_a_package_imports_only_what_lies_below_it(package: str) -> None:
    files = sorted((REPOSITORY / package).rglob("*.py"))
    assert files
    for file in files:
        ours = imported_packages(file) & MAY_IMPORT.keys() - {package}
        assert ours <= MAY_IMPORT[package], f"{file.relative_to(REPOSITORY)} imports {ours - MAY_IMPORT[package]}"


def test_only_the_catalogue_the_shop_what_is_shown_and_the_pipelines_know_dagster() -> None:
    knowing = {
        str(file.relative_to(REPOSITORY))
        for package in MAY_IMPORT
        for file in (REPOSITORY / package).rglob("*.py")
        if "dagster" in imported_packages(file)
    }
    assert {file for file in knowing if not file.startswith("pipelines/")} == {
        "assets/catalog.py",
        "assets/shop.py",
        "assets/showing.py",
    }


@pytest.mark.parametrize("name", ["requirements.lock", "requirements-dev.lock"])
def test_a_lock_file_pins_every_package_with_its_hash_and_names_no_host(name: str) -> None:
    text = (REPOSITORY / name).read_text(encoding="utf-8")
    assert "://" not in text
    packages = [line for line in text.splitlines() if line and not line.startswith((" ", "#"))]
    assert len(packages) > 50
    assert all("==" in line for line in packages)
    assert text.count("--hash=sha256:") >= len(packages)
