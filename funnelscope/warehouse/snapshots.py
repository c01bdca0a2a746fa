"""The path of the published copy that readers open."""

from pathlib import Path

DATABASE = "funnelscope.duckdb"


def find_current_snapshot(published: Path) -> Path | None:
    """The folder of the current snapshot; None before the first publication."""
    link = published / "current"
    return link.resolve() if link.exists() else None
