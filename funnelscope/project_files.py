"""Finds project files that are not Python: next to this package in a checkout, in its folder `shipped` in a wheel."""

from pathlib import Path

_PACKAGE = Path(__file__).parent
_SHIPPED = _PACKAGE / "shipped"


def find_project_path(name: str) -> Path:
    """Path of a file or folder of the project: `sql`, `examples`, `workspace.yaml`, `funnelscope.yaml`, ….

    Raises:
        FileNotFoundError: the installation lacks it.
    """
    folder = _SHIPPED if _SHIPPED.is_dir() else _PACKAGE.parent
    if not (folder / name).exists():
        raise FileNotFoundError(f"{name} is missing from {folder}: install Funnelscope again")
    return folder / name
