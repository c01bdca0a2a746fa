"""`funnelscope backup` and `funnelscope restore`."""

from pathlib import Path
from typing import Annotated

import typer

from pipelines.cli.console import echo, explain_errors, load_shop_settings, show_progress
from pipelines.terminal import tell


def backup(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A folder that does not exist yet.")],
    with_history: Annotated[bool, typer.Option("--with-history", help="Include Dagster's history of runs.")] = False,
    identity_key: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Copy the identity key there (0600): keep it apart from the backup."),
    ] = None,
) -> None:
    """Copies warehouse, published data and reports into one checksummed folder, while nothing is writing.

    The landing zone, funnelscope.yaml and the identity key are not in it.
    """
    with explain_errors():
        from funnelscope.publication.backup import back_up

        settings = load_shop_settings()
        with show_progress(tell(settings, "backing_up")) as advance:
            manifest = back_up(
                settings,
                folder.absolute(),
                with_history=with_history,
                key_copy=identity_key,
                advance=advance,
            )
        size = sum(file.get("bytes", 0) for file in manifest["files"].values())
        counts = {"files": len(manifest["files"]), "megabytes": f"{size / 1e6:.1f}"}
        echo(tell(settings, "backed_up", folder=folder, **counts))
        echo(tell(settings, "key_kept" if identity_key else "key_not_kept", path=identity_key))


def restore(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A folder that `funnelscope backup` made.")],
    force: Annotated[bool, typer.Option("--force", help="Replace the content of FUNNELSCOPE_HOME.")] = False,
    identity_key: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Where the identity key was kept; else the one in the home.")
    ] = None,
) -> None:
    """Restores a backup into FUNNELSCOPE_HOME after verifying every checksum. The landing zone is not changed."""
    with explain_errors():
        from funnelscope.publication.backup import restore as restore_backup
        from funnelscope.settings import load_settings

        settings = load_settings()
        with show_progress(tell(settings, "restoring")) as advance:
            manifest = restore_backup(settings, folder.absolute(), force=force, key=identity_key, advance=advance)
        echo(tell(settings, "restored", home=settings.home, made_at=manifest["made_at"]))
