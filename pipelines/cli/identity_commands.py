"""`funnelscope id`: how the warehouse knows an id."""

from typing import Annotated

import typer

from pipelines.cli.console import explain_errors

identity = typer.Typer(help="How the warehouse knows an id.", no_args_is_help=True)


@identity.callback()
def _identity() -> None:
    """A group of its own, so that `id hash` reads as what it does."""


@identity.command("hash", short_help="The number that stands for an id.")
def hash_id(text: Annotated[str, typer.Argument(metavar="ID", help="An id as the shop delivers it.")]) -> None:
    """Prints the number that stands for an id in every table, for joins with the shop's own data."""
    with explain_errors():
        from funnelscope.ingest.identity import hash_identifier
        from funnelscope.settings import load_settings

        settings = load_settings()
        if not settings.identity_key_path.exists():
            raise FileNotFoundError(f"{settings.identity_key_path} does not exist yet; the first run makes it")
        typer.echo(str(hash_identifier(settings, text)))
