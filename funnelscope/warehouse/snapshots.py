"""Where the published copy lies that readers see."""

from pathlib import Path

DATABASE = "funnelscope.duckdb"


def find_current_snapshot(published: Path) -> Path | None:
    """The folder of the snapshot that readers see; None before the first publication."""
    link = published / "current"
    return link.resolve() if link.exists() else None
