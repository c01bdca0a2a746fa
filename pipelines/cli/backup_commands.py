"""`funnelscope backup` and `funnelscope restore`."""

from pathlib import Path
from typing import Annotated

import typer

from pipelines.cli.console import echo, explain_errors, load_shop_settings, show_progress


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

        with show_progress("backing up") as advance:
            manifest = back_up(
                load_shop_settings(),
                folder.absolute(),
                with_history=with_history,
                key_copy=identity_key,
                advance=advance,
            )
        size = sum(file.get("bytes", 0) for file in manifest["files"].values())
        echo(f"Backup: {folder}, {len(manifest['files'])} files, {size / 1e6:.1f} MB before hard links")
        kept = f"in {identity_key}" if identity_key else "NOT kept (--identity-key FILE keeps it); a restore needs it"
        echo(f"Identity key: {kept}. Not in the backup: the landing zone, funnelscope.yaml.")


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
        with show_progress("restoring") as advance:
            manifest = restore_backup(settings, folder.absolute(), force=force, key=identity_key, advance=advance)
        echo(f"Restored into {settings.home} the backup made at {manifest['made_at']}. Run: funnelscope status")
