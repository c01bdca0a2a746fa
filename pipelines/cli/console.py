"""What all commands share at the terminal: errors in plain words, a progress bar, the shop's settings."""

from collections.abc import Callable
from contextlib import contextmanager
from typing import TYPE_CHECKING

import typer

from pipelines.cli.errors import explain_error

if TYPE_CHECKING:
    from collections.abc import Iterator

    from funnelscope.settings import Settings


@contextmanager
def show_progress(title: str) -> "Iterator[Callable[[int, int], None]]":
    """A bar on the terminal; yields the function that moves it: (done, total)."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    with Progress(TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()) as bar:
        task = bar.add_task(title, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


@contextmanager
def explain_errors() -> "Iterator[None]":
    """Errors that a user can mend are one message and exit code 1; anything else keeps its stack trace."""
    try:
        yield
    except Exception as error:
        words = explain_error(error)
        if words is None:
            raise
        typer.echo(f"Error: {words}", err=True)
        raise typer.Exit(1) from None


def load_shop_settings() -> "Settings":
    """Those of funnelscope.yaml; raises SettingsError with the line of each mistake."""
    from funnelscope.settings import load_settings

    return load_settings()
