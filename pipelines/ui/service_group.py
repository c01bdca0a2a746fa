"""The processes of the UI: code server, web server and daemon, which end together, however the first of them ends."""

import fcntl
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

import yaml

from funnelscope.settings import Settings

LOCATION = "funnelscope"  # as in workspace.yaml
SECONDS_TO_LOAD = 300
SECONDS_TO_END = 30
SECONDS_BETWEEN_LOOKS = 0.5
# The leader of the group: waits until its input ends, that is until the command that holds the other end is gone, in
# whatever way, and kills the group. Until then it keeps the lock of the UI, which it inherits.
WATCHDOG = """
import os, signal, sys
for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    signal.signal(each, signal.SIG_IGN)
sys.stdin.buffer.read()
os.killpg(os.getpgrp(), signal.SIGKILL)
"""


class UiError(ValueError):
    """The UI cannot start, or a process of it has ended by itself; the text says what to do."""


def run_ui(settings: Settings, address: str, port: int, host_names: Collection[str], is_read_only: bool) -> None:
    """Runs the UI until it is interrupted. DAGSTER_HOME must be set.

    Raises:
        UiError: another UI runs on this home, or a process ended by itself.
    """
    where = f"http://{'127.0.0.1' if address == '0.0.0.0' else address}:{port}"
    signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored in a process that a script starts with &
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with (
        _hold_ui_lock(settings, where) as lock,
        tempfile.TemporaryDirectory(prefix="funnelscope-") as folder,
        _open_group(lock) as watchdog,
    ):
        group = watchdog.pid
        socket, workspace = Path(folder) / "code.sock", Path(folder) / "workspace.yaml"
        location = {"socket": str(socket), "location_name": LOCATION}
        workspace.write_text(yaml.safe_dump({"load_from": [{"grpc_server": location}]}), encoding="utf-8")
        services = {"watchdog": watchdog, "code server": _start(group, *_command_code_server(socket))}
        deadline = time.monotonic() + SECONDS_TO_LOAD
        while not socket.exists():
            _check_all_run(services)
            if time.monotonic() > deadline:
                raise UiError(f"the definitions were not loaded within {SECONDS_TO_LOAD} s; start it again")
            time.sleep(SECONDS_BETWEEN_LOOKS)
        names = [argument for name in host_names for argument in ("--host-name", name)]
        served = ["--address", address, "--port", str(port), "--workspace", str(workspace), *names]
        services["web server"] = _start(
            group, "pipelines.ui.web_server", *served, *(["--read-only"] if is_read_only else [])
        )
        services["daemon"] = _start(
            group, "dagster._daemon", "run", "--log-level", "warning", "--workspace", str(workspace)
        )
        print(f"The UI is at {where}", flush=True)
        with suppress(KeyboardInterrupt):
            while True:
                _check_all_run(services)
                time.sleep(SECONDS_BETWEEN_LOOKS)
        _stop(group, [process for process in services.values() if process is not watchdog])


def _command_code_server(socket: Path) -> list[str]:
    where = ["-m", "pipelines.definitions", "-a", "defs", "--location-name", LOCATION]
    start = ["code-server", "start", "--socket", str(socket), "--use-python-environment-entry-point"]
    return ["dagster", *start, "--log-level", "warning", *where]


@contextmanager
def _hold_ui_lock(settings: Settings, where: str) -> Iterator[IO[Any]]:
    """The open lock file, which says where the UI is. The kernel frees it once this process and the watchdog end."""
    path = settings.home / "ui.lock"
    with path.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            other = file.read().strip() or "just starting"
            raise UiError(f"a UI runs on {settings.home} already: {other}. Use that one, or stop it first") from None
        file.truncate(0)
        file.write(where)
        file.flush()
        yield file


@contextmanager
def _open_group(lock: IO[Any]) -> "Iterator[subprocess.Popen[bytes]]":
    """The leader of a process group that is killed at the end of the block, or of this process."""
    command = [sys.executable, "-I", "-S", "-c", WATCHDOG]
    with subprocess.Popen(command, stdin=subprocess.PIPE, process_group=0, pass_fds=[lock.fileno()]) as watchdog:
        try:
            yield watchdog
        finally:
            os.killpg(watchdog.pid, signal.SIGKILL)


def _start(group: int, module: str, *arguments: str) -> "subprocess.Popen[bytes]":
    return subprocess.Popen([sys.executable, "-m", module, *arguments], process_group=group, stdin=subprocess.DEVNULL)


def _check_all_run(services: "dict[str, subprocess.Popen[bytes]]") -> None:
    for name, process in services.items():
        if process.poll() is not None:
            raise UiError(f"the {name} of the UI has ended by itself (code {process.returncode}); start it again")


def _stop(group: int, services: "Collection[subprocess.Popen[bytes]]") -> None:
    """Interrupts the group, as Ctrl-C does, runs included, and gives it time to end."""
    os.killpg(group, signal.SIGINT)
    deadline = time.monotonic() + SECONDS_TO_END
    with suppress(KeyboardInterrupt):  # whoever asks twice is in a hurry
        while any(process.poll() is None for process in services) and time.monotonic() < deadline:
            time.sleep(0.1)
