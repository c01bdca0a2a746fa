"""`funnelscope id`: how the warehouse stores an id."""

from typing import Annotated

import typer

from pipelines.cli.console import echo, explain_errors, load_shop_settings

identity = typer.Typer(help="How the warehouse stores an id.", no_args_is_help=True)


@identity.callback()
def _identity() -> None:
    """A command group, so that `id hash` reads naturally."""


@identity.command("hash", short_help="The number that replaces an id.")
def hash_id(text: Annotated[str, typer.Argument(metavar="ID", help="An id as the shop delivers it.")]) -> None:
    """Prints the number that replaces an id in every table, for joins with the shop's own data."""
    with explain_errors():
        from funnelscope.ingest.identity import hash_identifier

        settings = load_shop_settings()
        if not settings.identity_key_path.exists():
            raise FileNotFoundError(f"{settings.identity_key_path} does not exist yet; the first run creates it")
        echo(str(hash_identifier(settings, text)))
