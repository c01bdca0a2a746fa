"""Where the files lie that are no Python: beside this package in a checkout, inside it in an installed wheel."""

from pathlib import Path

_PACKAGE = Path(__file__).parent


def find_project_path(name: str) -> Path:
    """The file or folder `name` that the project ships: `sql`, `examples`, `workspace.yaml`, `funnelscope.yaml`, ….

    Raises:
        FileNotFoundError: the installation lacks it.
    """
    for folder in (_PACKAGE, _PACKAGE.parent):
        if (folder / name).exists():
            return folder / name
    raise FileNotFoundError(f"{name} is neither in {_PACKAGE} nor beside it: install Funnelscope again")
