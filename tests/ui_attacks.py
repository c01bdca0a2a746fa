"""Requests as hostile pages and programs send them, byte for byte, and what a UI answers."""

import json
import socket
from dataclasses import dataclass

MUTATION = 'mutation{wipeAssets(assetPartitionRanges:[{assetKey:{path:["published","snapshot"]}}]){__typename}}'
WIPE = json.dumps({"query": MUTATION})
READ = json.dumps({"query": "{version}"})
IN_AN_ADDRESS = "query=" + MUTATION.replace("{", "%7B").replace("}", "%7D").replace('"', "%22").replace(" ", "%20")
JSON = {"Content-Type": "application/json"}
FOREIGN = {"Origin": "http://evil.example"}


@dataclass(frozen=True)
class Answer:
    """The status, the head in lower case, and the body of an answer."""

    status: int
    head: str
    body: str


def ask(
    port: int,
    target: str = "/graphql",
    method: str = "GET",
    headers: dict[str, str] | None = None,
    body: str = "",
    host: str | None = "127.0.0.1:{port}",
    more: str = "",
) -> Answer:
    """Sends exactly this request; `more` are header lines as they are."""
    lines = [f"{method} {target} HTTP/1.1", *([f"Host: {host.format(port=port)}"] if host is not None else [])]
    lines += [f"{name}: {value.format(port=port)}" for name, value in (headers or {}).items()]
    if body or method == "POST":
        lines.append(f"Content-Length: {len(body.encode())}")
    head = "\r\n".join([*lines, *([more] if more else []), "Connection: close", "", ""])
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        connection.sendall(head.encode("latin-1") + body.encode())
        received = b""
        while b"\r\n\r\n" not in received or not received.startswith(b"HTTP/1.1 101"):
            chunk = connection.recv(65536)
            if not chunk:
                break
            received += chunk
    before, _, after = received.decode("utf-8", "replace").partition("\r\n\r\n")
    return Answer(int(before.split()[1]), before.lower(), after)


def open_socket(port: int, headers: dict[str, str], host: str = "127.0.0.1:{port}", path: str = "/graphql") -> Answer:
    """The handshake of a web socket."""
    wanted = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Protocol": "graphql-ws",
    }
    lines = [f"GET {path} HTTP/1.1", f"Host: {host.format(port=port)}"]
    lines += [f"{name}: {value.format(port=port)}" for name, value in (wanted | headers).items()]
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        connection.sendall("\r\n".join([*lines, "", ""]).encode())
        received = b""
        while b"\r\n\r\n" not in received:
            chunk = connection.recv(65536)
            if not chunk:
                break
            received += chunk
    return Answer(int(received.split()[1]), received.decode("latin-1").lower(), "")


ATTACKS: dict[str, dict] = {
    "a picture whose address is a mutation": {
        "target": f"/graphql?{IN_AN_ADDRESS}",
        "headers": {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"},
    },
    "the same from a browser that says nothing of itself": {"target": f"/graphql?{IN_AN_ADDRESS}"},
    "a link to a mutation": {
        "target": f"/graphql?{IN_AN_ADDRESS}",
        "headers": {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"},
    },
    "a mutation by HEAD": {"method": "HEAD", "target": f"/graphql?{IN_AN_ADDRESS}"},
    "a mutation in the address of a POST": {
        "method": "POST",
        "target": f"/graphql?{IN_AN_ADDRESS}",
        "headers": {"Content-Type": "application/x-www-form-urlencoded"},
    },
    "a POST without a content type": {"method": "POST", "target": f"/graphql?{IN_AN_ADDRESS}"},
    "a form": {
        "method": "POST",
        "headers": {"Content-Type": "application/x-www-form-urlencoded"} | FOREIGN,
        "body": IN_AN_ADDRESS,
    },
    "a form with files": {
        "method": "POST",
        "headers": {"Content-Type": "multipart/form-data; boundary=x"},
        "body": f"--x\r\n\r\n{WIPE}\r\n--x--",
    },
    "JSON as text": {"method": "POST", "headers": {"Content-Type": "text/plain"}, "body": WIPE},
    "JSON as text that names JSON in a parameter": {
        "method": "POST",
        "headers": {"Content-Type": "text/plain; charset=application/json"},
        "body": WIPE,
    },
    "GraphQL as such": {"method": "POST", "headers": {"Content-Type": "application/graphql"}, "body": MUTATION},
    "two content types": {
        "method": "POST",
        "headers": {"Content-Type": "text/plain"},
        "more": "Content-Type: application/json",
        "body": WIPE,
    },
    "JSON from a foreign page": {"method": "POST", "headers": JSON | FOREIGN, "body": WIPE},
    "JSON from a page of the same machine": {
        "method": "POST",
        "headers": JSON | {"Origin": "http://127.0.0.1:8888"},
        "body": WIPE,
    },
    "JSON from a page without an origin": {"method": "POST", "headers": JSON | {"Origin": "null"}, "body": WIPE},
    "JSON from a page whose name begins like ours": {
        "method": "POST",
        "headers": JSON | {"Origin": "http://127.0.0.1:{port}.evil.example"},
        "body": WIPE,
    },
    "JSON from ours over another scheme": {
        "method": "POST",
        "headers": JSON | {"Origin": "https://127.0.0.1:{port}"},
        "body": WIPE,
    },
    "two origins": {
        "method": "POST",
        "headers": JSON | {"Origin": "http://127.0.0.1:{port}"},
        "more": "Origin: http://evil.example",
        "body": WIPE,
    },
    "JSON from another page of the same site": {
        "method": "POST",
        "headers": JSON | {"Sec-Fetch-Site": "same-site"},
        "body": WIPE,
    },
    "a name that resolves to this machine": {
        "method": "POST",
        "host": "rebound.evil.example:{port}",
        "headers": JSON | {"Origin": "http://rebound.evil.example:{port}", "Sec-Fetch-Site": "same-origin"},
        "body": WIPE,
    },
    "reading by such a name": {"target": "/", "host": "rebound.evil.example:{port}"},
    "reading health by such a name": {"target": "/healthz", "host": "rebound.evil.example:{port}"},
    "our name with another port": {"target": "/", "host": "127.0.0.1:1"},
    "our name without a port": {"target": "/", "host": "localhost"},
    "our name with a dot behind it": {"target": "/", "host": "localhost.:{port}"},
    "our name with a user before it": {"target": "/", "host": "evil@127.0.0.1:{port}"},
    "the name 0.0.0.0": {"target": "/", "host": "0.0.0.0:{port}"},
    "an empty host": {"target": "/", "host": ""},
    "a whole address of another host": {"target": "http://evil.example/graphql", "host": "evil.example"},
    "a host only forwarded": {"target": "/", "host": "evil.example", "headers": {"X-Forwarded-Host": "127.0.0.1"}},
    "a preflight of a foreign page": {
        "method": "OPTIONS",
        "headers": FOREIGN | {"Access-Control-Request-Method": "POST"},
    },
    "OPTIONS": {"method": "OPTIONS"},
    "PUT": {"method": "PUT", "headers": JSON, "body": WIPE},
    "DELETE": {"method": "DELETE", "headers": JSON, "body": WIPE},
    "two slashes": {"target": f"//graphql?{IN_AN_ADDRESS}"},
    "a slash at the end": {"target": f"/graphql/?{IN_AN_ADDRESS}"},
    "an encoded letter": {"target": f"/%67raphql?{IN_AN_ADDRESS}"},
    "an encoded slash": {"target": f"/%2Fgraphql?{IN_AN_ADDRESS}"},
    "a way around": {"target": f"/x/../graphql?{IN_AN_ADDRESS}"},
    "capitals": {"target": f"/GRAPHQL?{IN_AN_ADDRESS}"},
    "a foreign frame": {
        "target": "/",
        "headers": {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"},
    },
    "a foreign script that includes ours": {
        "target": "/server_info",
        "headers": {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "script"},
    },
    "a materialization made up, without a body": {
        "method": "POST",
        "target": "/report_asset_materialization/published/snapshot",
    },
    "a materialization made up by a foreign page": {
        "method": "POST",
        "target": "/report_asset_materialization/published/snapshot",
        "headers": JSON | FOREIGN,
        "body": "{}",
    },
}
"""By name, the arguments of `ask`; all are refused with 403."""

SOCKET_ATTACKS: dict[str, dict] = {
    "a foreign page": {"headers": FOREIGN},
    "a page that does not say where it is from": {"headers": {}},
    "a page without an origin": {"headers": {"Origin": "null"}},
    "a name that resolves to this machine": {
        "headers": {"Origin": "http://rebound.evil.example:{port}"},
        "host": "rebound.evil.example:{port}",
    },
    "a page of another port": {"headers": {"Origin": "http://localhost:8888"}},
    "two slashes": {"headers": FOREIGN, "path": "//graphql"},
}
"""By name, the arguments of `open_socket`; all are refused with 403."""
