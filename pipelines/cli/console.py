"""Shared by all commands: errors in plain words, a progress bar, the shop's settings."""

import re
from collections.abc import Callable
from contextlib import contextmanager
from typing import TYPE_CHECKING

import typer

from pipelines.cli.errors import list_error_lines

if TYPE_CHECKING:
    from collections.abc import Iterator

    from funnelscope.settings import Settings


# What moves the cursor, colours, or turns the direction of a terminal, and what that of a browser or editor.
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def show_controls(text: str) -> str:
    """The text with its control characters written out: names and rows of a delivery are anybody's."""
    return _CONTROLS.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def echo(text: object, err: bool = False) -> None:
    """Prints a line to the terminal, whatever it holds."""
    typer.echo(show_controls(str(text)), err=err)


@contextmanager
def show_progress(title: str) -> "Iterator[Callable[[int, int], None]]":
    """A progress bar on the terminal. Yields the function that moves it: (done, total)."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    with Progress(TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()) as bar:
        task = bar.add_task(title, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


@contextmanager
def explain_errors() -> "Iterator[None]":
    """Prints errors that a user can fix as one message, with exit code 1. All others keep their stack trace."""
    try:
        yield
    except Exception as error:
        lines = list_error_lines(error)
        if not lines:
            raise
        for line in lines:
            echo(line, err=True)
        raise typer.Exit(1) from None


def say_option(key: str, **values: str) -> str:
    """What is wrong with an option: in the shop's language, or in each if it is not known."""
    from funnelscope.messages.check_observations import LocalizedMessage
    from pipelines.cli.errors import find_languages

    return "\n".join(LocalizedMessage(key, **values).say_in(language) for language in find_languages())


def load_shop_settings() -> "Settings":
    """The settings in funnelscope.yaml, and a home that no interrupted restore has left in two parts.

    Raises:
        SettingsError: with the line of each error.
        WarehouseLockedError: a restore was interrupted, and a run is writing.
    """
    from funnelscope.settings import load_settings

    settings = load_settings()
    from funnelscope.warehouse.connection import hold_write_lock
    from funnelscope.warehouse.replacement import read_interrupted

    if read_interrupted(settings.home):
        with hold_write_lock(settings.lock_path, settings.lock_wait_seconds):
            pass  # whoever gets the lock completes the restore
    return settings
