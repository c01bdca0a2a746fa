"""The guard in front of the UI, attacked by raw HTTP: only the UI's own pages reach what is behind it."""

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import uvicorn
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.websockets import WebSocket
from ui_attacks import ATTACKS, FOREIGN, JSON, READ, SOCKET_ATTACKS, WIPE, ask, open_socket

from funnelscope.messages.wording import load_words
from pipelines.ui.request_guard import RequestGuard, list_own_addresses

REACHED: list[str] = []


async def server_behind(scope, receive, send) -> None:  # type: ignore[no-untyped-def]
    """Does whatever it is asked, and notes it."""
    if scope["type"] == "websocket":
        REACHED.append("socket")
        socket = WebSocket(scope, receive, send)
        await socket.accept()
        await socket.close()
    elif scope["type"] == "http":
        REACHED.append(f"{scope['method']} {scope['path']}")
        await Request(scope, receive).body()
        await PlainTextResponse("done")(scope, receive, send)


@contextmanager
def guarded(**options: object) -> Iterator[int]:
    """The port of a guarded server."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    own = list_own_addresses(port, options.pop("host_names", ()))  # type: ignore[arg-type]
    arguments = {"is_read_only": False, "read_health": lambda: {"exit_code": 0}} | options
    guard = RequestGuard(server_behind, own, load_words("en"), **arguments)  # type: ignore[arg-type]
    server = uvicorn.Server(uvicorn.Config(guard, port=port, log_level="error", lifespan="off", proxy_headers=False))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    REACHED.clear()
    yield port
    server.should_exit = True
    thread.join()


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with guarded() as port:
        yield port


@pytest.fixture(autouse=True)
def nothing_reached() -> None:
    REACHED.clear()


@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_is_refused_with_a_sentence(port: int, name: str) -> None:
    answer = ask(port, **ATTACKS[name])
    assert (answer.status, REACHED) == (403, [])
    assert "access-control" not in answer.head
    assert ATTACKS[name].get("method") == "HEAD" or answer.body.strip().endswith(".")


@pytest.mark.parametrize("name", SOCKET_ATTACKS)
def test_a_web_socket_is_for_our_own_pages(port: int, name: str) -> None:
    assert (open_socket(port, **SOCKET_ATTACKS[name]).status, REACHED) == (403, [])


def test_what_is_no_http_at_all_reaches_nothing(port: int) -> None:
    """Two hosts, none, or a header that hides another: whoever answers, it is not the server behind."""
    for host, more in (
        (None, ""),
        ("127.0.0.1:{port}", "Host: evil.example"),
        ("evil.example", f"Host: 127.0.0.1:{port}"),
    ):
        assert ask(port, "/", host=host, more=more).status in (400, 403)
    assert REACHED == []


def test_our_own_pages_and_programs_of_this_machine_are_served(port: int) -> None:
    own = {"Origin": "http://127.0.0.1:{port}", "Sec-Fetch-Site": "same-origin"}
    assert ask(port, method="POST", headers=JSON | own, body=WIPE).body == "done"
    assert (
        ask(port, method="POST", headers={"Content-Type": "Application/JSON; charset=utf-8"}, body=READ).body == "done"
    )
    assert ask(port, "/runs?q=x", headers={"Sec-Fetch-Site": "none"}).body == "done"
    for name in ("localhost:{port}", "LocalHost:{port}", "[::1]:{port}"):
        assert ask(port, "/", host=name).body == "done"
    assert open_socket(port, own).status == 101
    assert len(REACHED) == 7


def test_a_link_from_a_mail_opens_a_page_and_no_frame_shows_it(port: int) -> None:
    link = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
    answer = ask(port, "/assets/published/snapshot", headers=link)
    assert answer.body == "done"
    assert "x-frame-options: deny" in answer.head


def test_the_refusal_says_what_to_do_and_hides_nothing_in_what_it_repeats(port: int) -> None:
    answer = ask(port, "/", host="shop.example.com")
    assert "shop.example.com" in answer.body
    assert "--host-name" in answer.body
    assert "text/plain" in answer.head
    assert len(ask(port, "/", host="x" * 5000).body) < 400


def test_a_name_of_a_reverse_proxy_is_ours_once_declared() -> None:
    with guarded(host_names=["Shop.example.com", "other.example:8443"]) as port:
        own = JSON | {"Origin": "https://shop.example.com"}
        assert ask(port, method="POST", host="shop.example.com", headers=own, body=WIPE).body == "done"
        assert ask(port, method="POST", headers=own, body=WIPE).body == "done"  # a proxy that names us by our address
        assert ask(port, "/", host="other.example:8443").body == "done"
        assert open_socket(port, {"Origin": "https://shop.example.com"}, host="shop.example.com").status == 101
        REACHED.clear()
        for host in ("other.example", "evil.shop.example.com", "shop.example.com.evil.example", "shop.example.com:1"):
            assert ask(port, "/", host=host).status == 403
        assert ask(port, method="POST", headers=JSON | {"Origin": "https://other.example"}, body=WIPE).status == 403
        assert REACHED == []


@pytest.mark.parametrize(
    "name", ["https://shop.example.com", "shop.example.com/ui", "*", "*.example.com", "a b", "", "a:b"]
)
def test_what_is_no_host_name_is_refused_at_the_start(name: str) -> None:
    with pytest.raises(ValueError, match="--host-name"):
        list_own_addresses(3000, [name])


def test_for_viewers_only_graphql_may_be_posted_to() -> None:
    with guarded(is_read_only=True) as port:
        report = "/report_asset_materialization/published/snapshot"
        assert ask(port, report, "POST", headers=JSON, body="{}").status == 403
        assert REACHED == []
        assert ask(port, method="POST", headers=JSON, body=READ).body == "done"


@pytest.mark.parametrize(("exit_code", "status"), [(0, 200), (1, 503), (2, 503)])
def test_health_is_an_address(exit_code: int, status: int) -> None:
    with guarded(read_health=lambda: {"exit_code": exit_code}) as port:
        answer = ask(port, "/healthz")
        assert (answer.status, json.loads(answer.body)) == (status, {"exit_code": exit_code})
        assert ask(port, "/healthz", headers=FOREIGN).status == 403
