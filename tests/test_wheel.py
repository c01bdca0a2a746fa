"""A wheel holds everything that a run needs, and works without the checkout that it was built from."""

import json
import os
import shutil
import subprocess
import sys
import tomllib
import urllib.request
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("funnelscope", "reports", "assets", "pipelines")
SHIPPED = ("sql", "examples", "funnels", "funnelscope.yaml", "workspace.yaml")
BUILT_FROM = ("pyproject.toml", "setup.py", "MANIFEST.in", "README.md", "LICENSE")

setuptools = pytest.importorskip("setuptools", minversion="77", reason="builds with the installed setuptools, offline")


def files_below(name: str) -> list[str]:
    """Paths below the checkout of the file `name`, or of all files of that folder but caches and hidden ones."""
    paths = [ROOT / name] if (ROOT / name).is_file() else [path for path in (ROOT / name).rglob("*") if path.is_file()]
    relative = [path.relative_to(ROOT) for path in paths]
    return [
        path.as_posix()
        for path in relative
        if not any(part.startswith((".", "__pycache__")) or part.endswith(".egg-info") for part in path.parts)
    ]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy of the sources, without an index."""
    source, target = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for name in (*PACKAGES, *SHIPPED, *BUILT_FROM):
        for file in files_below(name):
            (source / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / file, source / file)
    options = ["--no-deps", "--no-index", "--no-build-isolation", "--disable-pip-version-check", "--quiet"]
    command = [sys.executable, "-m", "pip", "wheel", str(source), "--wheel-dir", str(target), *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (file,) = target.iterdir()
    return file


def test_a_wheel_holds_every_file_of_the_packages_and_what_they_read(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        packed = {name for name in archive.namelist() if ".dist-info/" not in name}
    expected = {file for package in PACKAGES for file in files_below(package) if not file.endswith(".md")}
    expected |= {f"funnelscope/shipped/{file}" for name in SHIPPED for file in files_below(name)}
    assert packed == expected


def test_a_wheel_is_of_the_version_of_the_project(wheel: Path) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert wheel.name == f"funnelscope-{project['version']}-py3-none-any.whl"


@pytest.mark.slow
def test_a_wheel_works_in_an_empty_folder(wheel: Path, tmp_path: Path) -> None:
    """The way of a newcomer: install, demo, and every command after it without a settings file of one's own."""
    installed, folder, home = tmp_path / "installed", tmp_path / "empty", tmp_path / "home"
    folder.mkdir()
    home.mkdir()
    install = ["install", "--no-deps", "--no-index", "--quiet", "--disable-pip-version-check", "--target", installed]
    subprocess.run([sys.executable, "-m", "pip", *install, wheel], check=True)
    files = sorted(path for path in installed.rglob("*") if path.suffix != ".pyc")
    command = installed / "bin" / "funnelscope"
    others = {name: value for name, value in os.environ.items() if not name.startswith(("FUNNELSCOPE_", "DAGSTER_"))}
    environment = others | {"HOME": str(home), "PYTHONPATH": str(installed), "PYTHONDONTWRITEBYTECODE": "1"}

    def run(*arguments: str) -> str:
        done = subprocess.run(
            [command, *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{arguments}: {done.stdout}{done.stderr}"
        return done.stdout

    found = subprocess.run(
        [sys.executable, "-c", "import pipelines; print(pipelines.__file__)"],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout.startswith(str(installed)), "another installation answers"
    version = wheel.name.split("-")[1]
    assert run("--version") == f"funnelscope {version}\n"
    assert "Usage: funnelscope" in run("--help")
    assert "online_retail" in run("demo", "--example", "online_retail", "--help")
    assert "结果：2 天通过" in run("demo", "--days", "2", "--sessions-per-day", "300")
    assert "结果：1 天通过" in run("run", "--date", "2026-05-02")
    assert "2026-05-02 第 1 版" in run("report", "--language", "en")
    assert "已发布" in run("status")
    assert f"funnelscope {version}" in run("doctor")
    assert "product_view" in run("funnel", "funnels/view_to_payment.yaml")
    assert {path.name for path in folder.iterdir()} == {"funnelscope.yaml", "funnels", "var"}
    assert sorted(path for path in installed.rglob("*") if path.suffix != ".pyc") == files, "a run wrote into the wheel"

    from browser import running_ui

    with running_ui(environment, tmp_path / "ui.log", command, folder) as address:
        assert loaded_assets(address) > 40


def loaded_assets(address: str) -> int:
    """How many assets the UI knows: none where the definitions do not load."""
    query = json.dumps({"query": "{ assetNodes { id } }"}).encode()
    request = urllib.request.Request(f"{address}/graphql", query, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=120) as answer:
        return len(json.load(answer)["data"]["assetNodes"])
