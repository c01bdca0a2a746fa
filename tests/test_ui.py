"""The UI as it runs: attacked over its port, started twice, killed, for viewers only."""

import asyncio
import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import browser
import dagster as dg
import pytest
import websockets
from browser import COMMAND, started_ui
from shop_helpers import Home
from ui_attacks import ATTACKS, JSON, MUTATION, READ, SOCKET_ATTACKS, WIPE, ask, open_socket

from assets.common import SNAPSHOT
from pipelines.instance import open_instance

pytestmark = pytest.mark.slow
SECONDS_UNTIL_ALL_ARE_GONE = 10


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    """A shop that has run nothing; Dagster knows of one publication."""
    home = Home(tmp_path)
    home.write_config(date(2026, 5, 1))
    monkeypatch.setenv("DAGSTER_HOME", "")
    with open_instance(home.settings) as instance:
        instance.report_runless_asset_event(dg.AssetMaterialization(SNAPSHOT, partition="2026-05-01"))
    monkeypatch.setenv("DAGSTER_HOME", "")
    return home


@pytest.fixture
def group(home: Home, tmp_path: Path) -> Iterator[tuple[int, "subprocess.Popen[bytes]"]]:
    """The port of a running UI, and its process."""
    with started_ui(home.environment, tmp_path / "ui.log") as (address, ui):
        yield int(address.rpartition(":")[2]), ui


def is_published(home: Home) -> bool:
    with open_instance(home.settings) as instance:
        return bool(instance.get_materialized_partitions(SNAPSHOT))


def list_children(pid: int) -> dict[int, str]:
    """The command lines of the process's descendants."""
    lines = subprocess.run(["ps", "-eo", "pid=,ppid=,args="], capture_output=True, text=True, check=True).stdout
    rows = [line.split(None, 2) for line in lines.splitlines()]
    found, parents = {}, {str(pid)}
    while below := {row[0]: row[2] for row in rows if row[1] in parents and int(row[0]) not in found}:
        found |= {int(child): arguments for child, arguments in below.items()}
        parents |= set(below)
    return found


def find_left(children: dict[int, str]) -> list[str]:
    """Those that are still there after a while; the kernel takes a moment to clear up."""
    deadline = time.monotonic() + SECONDS_UNTIL_ALL_ARE_GONE
    while (left := [pid for pid in children if Path(f"/proc/{pid}").exists()]) and time.monotonic() < deadline:
        time.sleep(0.1)
    return [children[pid] for pid in left]


def test_no_attack_changes_anything_and_the_ui_goes_on(home: Home, group: tuple[int, object]) -> None:
    port, _ = group
    answers = {name: ask(port, **attack).status for name, attack in ATTACKS.items()}
    answers |= {f"socket: {name}": open_socket(port, **attack).status for name, attack in SOCKET_ATTACKS.items()}
    assert set(answers.values()) == {403}, answers
    assert is_published(home)
    assert json.loads(ask(port, method="POST", headers=JSON, body=READ).body)["data"]["version"]
    health = ask(port, "/healthz")
    assert (health.status, json.loads(health.body)["state"]) == (503, "late")
    own = JSON | {"Origin": "http://127.0.0.1:{port}", "Sec-Fetch-Site": "same-origin"}
    assert "AssetWipeSuccess" in ask(port, method="POST", headers=own, body=WIPE).body  # what the attacks tried
    assert not is_published(home)


@pytest.mark.skipif(not browser.installed_browser(), reason="no Chromium here; apt-get install chromium")
def test_a_page_of_another_site_can_neither_change_nor_read_nor_frame_the_ui(
    home: Home, group: tuple[int, object]
) -> None:
    """In a real browser, whose page is served from another port of this machine: the nearest that a stranger gets."""
    port, _ = group
    with browser.opened_browser([]) as page:
        target = f"http://127.0.0.1:{port}"
        page.route("http://evil.example/**", lambda route: route.fulfill(body="<p>hello</p>", content_type="text/html"))
        page.goto("http://evil.example/")
        tried = page.evaluate(
            """async ([target, mutation]) => {
                const outcomes = []
                const attempt = async (options, path = '/graphql') => {
                    try { outcomes.push((await fetch(target + path, options)).type) }
                    catch (error) { outcomes.push('refused') }
                }
                const body = JSON.stringify({query: mutation})
                await attempt({mode: 'no-cors'}, '/graphql?query=' + encodeURIComponent(mutation))
                await attempt({mode: 'no-cors', method: 'POST', body})
                await attempt({method: 'POST', body, headers: {'Content-Type': 'application/json'}})
                await attempt({method: 'POST', body: new URLSearchParams({query: mutation}), mode: 'no-cors'})
                outcomes.push(await new Promise(resolve => {
                    const socket = new WebSocket(target.replace('http', 'ws') + '/graphql', 'graphql-ws')
                    socket.onopen = () => resolve('open'); socket.onerror = () => resolve('refused')
                }))
                return outcomes
            }""",
            [target, MUTATION],
        )
        page.evaluate(
            """([target, mutation]) => {
                document.body.innerHTML = `<form method=post enctype=text/plain action="${target}/graphql">
                    <input name='{"query":${JSON.stringify(mutation).replace(/'/g, "&#39;")},"x":"' value='"}'></form>`
                document.forms[0].submit()
            }""",
            [target, MUTATION],
        )
        page.wait_for_timeout(1000)
    assert set(tried) <= {"opaque", "refused"}  # an opaque answer is one that the page cannot read
    assert tried[-1] == "refused"
    assert is_published(home)


def test_a_second_ui_on_a_home_is_refused_and_a_killed_one_leaves_nothing(
    home: Home, group: tuple[int, "subprocess.Popen[bytes]"]
) -> None:
    port, ui = group
    second = subprocess.run(
        [str(COMMAND), "ui", "--port", "1"], env=os.environ | home.environment, capture_output=True, text=True
    )
    assert second.returncode == 1
    assert f"a UI runs on {home.path} already: http://127.0.0.1:{port}" in second.stderr
    children = list_children(ui.pid)
    for part in ("code-server", "api grpc", "web_server", "_daemon"):
        assert any(part in arguments for arguments in children.values()), part
    os.kill(ui.pid, signal.SIGKILL)
    ui.wait()
    assert find_left(children) == []


def test_a_stopped_ui_ends_well_and_gives_the_home_back(home: Home, tmp_path: Path) -> None:
    with started_ui(home.environment, tmp_path / "ui.log") as (_, ui):
        children = list_children(ui.pid)
        ui.send_signal(signal.SIGTERM)
        assert ui.wait(timeout=60) == 0
        assert find_left(children) == []


def test_if_one_process_ends_all_end_and_the_command_says_which(home: Home, tmp_path: Path) -> None:
    with started_ui(home.environment, tmp_path / "ui.log") as (_, ui):
        children = list_children(ui.pid)
        os.kill(next(pid for pid, arguments in children.items() if "web_server" in arguments), signal.SIGKILL)
        assert ui.wait(timeout=60) == 1
        assert find_left(children) == []
    assert "the web server of the UI has ended by itself" in (tmp_path / "ui.log").read_text()


def test_viewers_see_everything_and_change_nothing(home: Home, tmp_path: Path) -> None:
    with started_ui(home.environment, tmp_path / "ui.log", arguments=["--read-only"]) as (address, _):
        port = int(address.rpartition(":")[2])
        hidden = {"query": f"query a{{version}} {MUTATION.replace('mutation', 'mutation b')}", "operationName": "b"}
        for body in (WIPE, json.dumps(hidden)):
            assert "--read-only" in ask(port, method="POST", headers=JSON, body=body).body
        assert asyncio.run(mutate_over_a_socket(port)) in ("error", "data")
        assert is_published(home)
        assert json.loads(ask(port, method="POST", headers=JSON, body=READ).body)["data"]["version"]
        if browser.installed_browser():
            problems: list[str] = []
            with browser.opened_browser(problems) as page:
                page.goto(f"{address}/assets/published/snapshot")
                page.get_by_text("2026-05-01").first.wait_for()
            assert problems == []


async def mutate_over_a_socket(port: int) -> str:
    """The type of the answer to a mutation that is sent as a subscription."""
    address = f"ws://127.0.0.1:{port}/graphql"
    async with websockets.connect(
        address, origin=f"http://127.0.0.1:{port}", subprotocols=["graphql-ws"]
    ) as connection:
        await connection.send(json.dumps({"type": "connection_init"}))
        await connection.recv()
        await connection.send(json.dumps({"type": "start", "id": "1", "payload": {"query": MUTATION}}))
        return str(json.loads(await connection.recv())["type"])
