"""Finds project files that are not Python: next to this package in a checkout, inside it in an installed wheel."""

from pathlib import Path

_PACKAGE = Path(__file__).parent


def find_project_path(name: str) -> Path:
    """Path of a file or folder of the project: `sql`, `examples`, `workspace.yaml`, `funnelscope.yaml`, ….

    Raises:
        FileNotFoundError: the installation lacks it.
    """
    for folder in (_PACKAGE, _PACKAGE.parent):
        if (folder / name).exists():
            return folder / name
    raise FileNotFoundError(f"{name} is neither in {_PACKAGE} nor next to it: install Funnelscope again")
