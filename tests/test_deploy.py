"""The service file and the container file: what they name exists, and systemd takes the first."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from browser import COMMAND
from test_wheel import BUILT_FROM, PACKAGES, SHIPPED
from typer.testing import CliRunner

from pipelines.cli.app import app

ROOT = Path(__file__).parents[1]
UNIT = ROOT / "deploy" / "funnelscope.service"
WEAKEST_EXPOSURE = 40  # of 100, where systemd's "OK" begins at 50


def read_unit() -> dict[str, list[str]]:
    """The values of each key, in order."""
    found: dict[str, list[str]] = {}
    for line in UNIT.read_text(encoding="utf-8").splitlines():
        if "=" in line and not line.startswith("#"):
            key, _, value = line.partition("=")
            found.setdefault(key, []).append(value)
    return found


def read_steps() -> list[tuple[str, str]]:
    """Each instruction of the container file with its arguments."""
    text = (ROOT / "deploy" / "Containerfile").read_text(encoding="utf-8").replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return [(line.split(None, 1)[0], line.split(None, 1)[1].strip()) for line in lines]


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="no systemd here")
def test_systemd_takes_the_unit_and_finds_it_confined(tmp_path: Path) -> None:
    unit = tmp_path / "funnelscope.service"
    text = UNIT.read_text(encoding="utf-8")
    unit.write_text(re.sub(r"^ExecStart=\S+", f"ExecStart={COMMAND}", text, flags=re.MULTILINE), encoding="utf-8")
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", unit], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    command = ["systemd-analyze", "security", "--offline=true", f"--threshold={WEAKEST_EXPOSURE}", unit]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-500:]


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="no systemd here")
def test_systemd_takes_the_timer_of_the_watch_and_finds_it_confined(tmp_path: Path) -> None:
    for name in ("funnelscope-watch.service", "funnelscope-watch.timer"):
        text = (UNIT.parent / name).read_text(encoding="utf-8")
        (tmp_path / name).write_text(re.sub(r"(?m)^ExecStart=\S+", f"ExecStart={COMMAND}", text), encoding="utf-8")
    verify = ["systemd-analyze", "verify", "--man=no", tmp_path / "funnelscope-watch.timer"]
    done = subprocess.run(verify, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    unit = tmp_path / "funnelscope-watch.service"
    command = ["systemd-analyze", "security", "--offline=true", f"--threshold={WEAKEST_EXPOSURE}", unit]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-500:]


def test_the_unit_ends_the_ui_by_a_signal_that_it_obeys_and_writes_to_its_home_only() -> None:
    unit = read_unit()
    assert unit["KillMode"] == ["mixed"]  # else the runs would get the signal before the command can end them
    home = next(value.partition("=")[2] for value in unit["Environment"] if value.startswith("FUNNELSCOPE_HOME="))
    assert unit["ReadWritePaths"] == [home]
    assert not [value for value in unit["Environment"] if "SECRET" in value or "://" in value]


def test_the_container_holds_what_the_wheel_is_built_from_and_runs_as_nobody_special() -> None:
    steps = read_steps()
    copied = {name for step, words in steps if step == "COPY" for name in words.split()[:-1]}
    assert copied == {*PACKAGES, *SHIPPED, *BUILT_FROM, "requirements.lock"}
    assert all((ROOT / name).exists() for name in copied)
    assert [words for step, words in steps if step == "USER"] == ["10001"]
    names = [step for step, _ in steps]
    assert names[0] == "FROM"
    assert names.index("USER") > max(position for position, name in enumerate(names) if name in ("RUN", "COPY"))
    known = {"FROM", "WORKDIR", "COPY", "RUN", "USER", "ENV", "EXPOSE", "HEALTHCHECK", "ENTRYPOINT", "CMD"}
    assert set(names) == known


def test_both_start_a_command_that_exists() -> None:
    steps = dict(read_steps())
    (started,) = read_unit()["ExecStart"]
    for arguments in (json.loads(steps["ENTRYPOINT"])[1:] + json.loads(steps["CMD"]), started.split()[1:]):
        done = CliRunner().invoke(app, [*arguments, "--help"])
        assert done.exit_code == 0, done.output
        for option in (word for word in arguments if word.startswith("--")):
            assert option in done.output
    json.loads(steps["HEALTHCHECK"].partition("CMD ")[2])
