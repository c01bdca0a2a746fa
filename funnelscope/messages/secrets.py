"""Keeps passwords out of what is printed, stored and sent: in addresses, and beside words such as `password=`."""

import re

_QUERY_OR_TOKEN = re.compile(r"\?.*|(?<=/)[\w-]{20,}")
# A password may hold anything, even blanks and quotes, up to the last @ of its line. The bounds keep the time linear.
_ADDRESS = re.compile(
    r"""\b([a-z][a-z0-9+.-]{0,30})://((?:[^\s/@:]{0,500}:(?!\d+\b)[^\n]{0,500}@)?[^\s"'`<>\\]*)""", re.IGNORECASE
)
_NAMED = re.compile(
    r"""\b(password|passwd|passphrase|pwd|secret|token|access_?token|access_?key|api_?key|secret_?key)(['"]?\s*[=:]\s*)"""
    r"""('[^']*'|"[^"]*"|[^\s,;&)}\]'"]+)""",
    re.IGNORECASE,
)
# Schemes of addresses that name a place. All others may be channels of Apprise, whose tokens stand anywhere.
_OF_PLACES = {"http", "https", "ws", "wss", "ftp", "sftp", "file", "s3", "gs", "gcs", "r2", "az", "abfss", "hdfs", "hf"}
_OF_PLACES |= {"postgres", "postgresql", "mysql", "mariadb", "mssql", "oracle", "sqlite", "mongodb", "clickhouse"}
HIDDEN = "…"


def hide_secrets(text: str) -> str:
    """The text without what may open something.

    Of the address of a place on the web, in a database or storage, host and path stay, without user, query and long
    tokens; of any other only the scheme. Values of passwords, tokens and keys go.
    """
    return _NAMED.sub(rf"\1\2{HIDDEN}", _ADDRESS.sub(_shorten_address, text))


def _shorten_address(found: re.Match[str]) -> str:
    scheme, rest = found.groups()
    if scheme.lower() not in _OF_PLACES:
        return f"{scheme}://{HIDDEN}"
    user, at, place = rest.rpartition("@")
    place = _QUERY_OR_TOKEN.sub(lambda part: f"?{HIDDEN}" if part[0].startswith("?") else HIDDEN, place)
    return f"{scheme}://{HIDDEN if user or at else ''}{at}{place}"
