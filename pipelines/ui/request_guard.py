"""Lets only the UI's own pages use the UI.

Dagster's web server has no login and answers whoever reaches its port. On 127.0.0.1 that is also every page that is
open in a browser of this machine, by requests across sites or by a name that resolves to 127.0.0.1. The guard, ASGI
middleware around the whole server, refuses these.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import MutableHeaders
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from funnelscope.messages.wording import Words

HEALTH_PATH = "/healthz"
LOOPBACK_NAMES = ("127.0.0.1", "localhost", "[::1]")
RESPONSE_HEADERS = {
    "X-Frame-Options": "DENY",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}
MOST_CHARACTERS_SHOWN = 80
_HOST_NAME = re.compile(r"([a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?|\[[0-9a-f:.]+\])(:\d{1,5})?")
_OF_OUR_PAGES = ("same-origin", "none")  # values of Sec-Fetch-Site; `none` is an address that was typed


@dataclass(frozen=True)
class OwnAddresses:
    """What the UI is called: values of Host, and origins of its pages, in lower case."""

    hosts: frozenset[str]
    origins: frozenset[str]


def list_own_addresses(port: int, host_names: Iterable[str] = ()) -> OwnAddresses:
    """The loopback names with the port, and the declared names: `shop.example.com`, `shop.example.com:8443`.

    Raises:
        ValueError: a declared name is none.
    """
    loopback = {f"{name}:{port}" for name in LOOPBACK_NAMES} | (set(LOOPBACK_NAMES) if port == 80 else set())
    declared = set()
    for name in map(str.lower, host_names):
        if not _HOST_NAME.fullmatch(name):
            raise ValueError(
                f"--host-name {name} is not a host name; write it as in the browser's address, without https:// and "
                "path, such as shop.example.com or shop.example.com:8443"
            )
        has_port = ":" in name.rpartition("]")[2]
        declared |= {name} if has_port else {name, f"{name}:80", f"{name}:443"}
    origins = {f"http://{host}" for host in loopback | declared} | {f"https://{host}" for host in declared}
    return OwnAddresses(frozenset(loopback | declared), frozenset(origins))


class RequestGuard:
    """ASGI middleware that answers 403 with a sentence to whatever does not come from the UI's own pages.

    Args:
        app: the server behind it.
        own: what the UI is called.
        words: the texts of the shop's language.
        is_read_only: refuse also what would change something; mutations themselves are the server's to refuse.
        read_health: what `/healthz` answers; its `exit_code` decides between 200 and 503.
    """

    def __init__(
        self,
        app: ASGIApp,
        own: OwnAddresses,
        words: Words,
        *,
        is_read_only: bool,
        read_health: Callable[[], Mapping[str, Any]],
    ) -> None:
        self._app = app
        self._own = own
        self._words = words
        self._is_read_only = is_read_only
        self._read_health = read_health

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers itself, or passes the request on."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
        elif refusal := self._find_refusal(scope):
            key, value = refusal
            shown = value[:MOST_CHARACTERS_SHOWN].encode("ascii", "backslashreplace").decode()
            sentence = self._words.text("ui_refusals", key, value=shown)
            await PlainTextResponse(f"{sentence}\n", 403, RESPONSE_HEADERS)(scope, receive, send)
        elif scope["type"] == "http" and scope["path"] == HEALTH_PATH:
            health = await run_in_threadpool(self._read_health)
            code = 503 if health["exit_code"] else 200
            await JSONResponse(health, code, RESPONSE_HEADERS | {"Cache-Control": "no-store"})(scope, receive, send)
        else:
            await self._app(scope, receive, _add_headers(send))

    def _find_refusal(self, scope: Scope) -> tuple[str, str] | None:
        """Why the request is refused: a key of `ui_refusals`, and the value to name in it. None if it is not."""
        hosts, origins = _read_header(scope, "host"), _read_header(scope, "origin")
        if len(hosts) != 1 or hosts[0].lower() not in self._own.hosts:
            return "host", ", ".join(hosts) or "–"
        if any(origin.lower() not in self._own.origins for origin in origins) or len(origins) > 1:
            return "origin", ", ".join(origins)
        if scope["type"] == "websocket":
            return None if origins and _is_of_our_pages(scope) else ("socket", "")
        method = scope["method"]
        is_graphql = scope["path"].strip("/").lower().rpartition("/")[2] == "graphql"
        if not _is_of_our_pages(scope) and (is_graphql or not _is_opened_as_a_page(scope)):
            return "site", ", ".join(_read_header(scope, "sec-fetch-site"))
        if method == "POST":
            return self._find_refusal_of_post(scope)
        if method not in ("GET", "HEAD"):
            return "method", method
        if is_graphql and scope["query_string"]:
            return "query", ""
        return None

    def _find_refusal_of_post(self, scope: Scope) -> tuple[str, str] | None:
        kinds = _read_header(scope, "content-type")
        if [kind.partition(";")[0].strip().lower() for kind in kinds] != ["application/json"]:
            return "content_type", ", ".join(kinds) or "–"
        if self._is_read_only and scope["path"] != "/graphql":
            return "read_only", ""
        return None


def _read_header(scope: Scope, name: str) -> list[str]:
    return [value.decode("latin-1") for key, value in scope["headers"] if key.lower() == name.encode()]


def _is_of_our_pages(scope: Scope) -> bool:
    """Whether the browser says so; what says nothing is an old browser, which has sent an Origin, or a program."""
    return all(site in _OF_OUR_PAGES for site in _read_header(scope, "sec-fetch-site"))


def _is_opened_as_a_page(scope: Scope) -> bool:
    """Whether the request only opens a page in a tab of its own, as a link from a mail or a login does."""
    mode, destination = _read_header(scope, "sec-fetch-mode"), _read_header(scope, "sec-fetch-dest")
    return scope["method"] == "GET" and mode == ["navigate"] and destination == ["document"]


def _add_headers(send: Send) -> Send:
    async def send_with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            MutableHeaders(scope=message).update(RESPONSE_HEADERS)
        await send(message)

    return send_with_headers
