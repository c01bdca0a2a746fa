"""`funnelscope forget`: erases a person everywhere."""

from typing import TYPE_CHECKING, Annotated

import typer

from pipelines.cli.console import explain_errors

if TYPE_CHECKING:
    from funnelscope.publication.erasure import Person
    from funnelscope.settings import Settings


def forget(
    ids: Annotated[
        list[str] | None,
        typer.Argument(metavar="[ID]...", help="Customer or visitor ids as the shop delivers them; all of one person."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Shows what would go, and changes nothing.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Does not ask.")] = False,
) -> None:
    """Erases a person everywhere but in the shop's own files: rows, quarantine, published copies, history.

    The visitors of a customer go along, the customer of a visitor too, unless they are shared with somebody else; and
    with them their sessions, orders and conversations. The days are built again without them. A file that still holds
    the person may stay in the landing zone: whenever it is read again, the rows are left out and counted.

    It cannot be undone. Without an ID it finishes an erasure that was interrupted.
    """
    with explain_errors():
        from funnelscope.publication.erasure import count_unfinished, find_person
        from funnelscope.settings import load_settings
        from funnelscope.warehouse.connection import open_warehouse

        settings = load_settings()
        if not settings.warehouse_path.exists():
            raise FileNotFoundError(f"{settings.warehouse_path} does not exist yet: nobody is known here")
        with open_warehouse(settings.warehouse_path, wait_seconds=settings.lock_wait_seconds) as warehouse:
            person = find_person(warehouse, settings, ids or ())
            is_unfinished = count_unfinished(warehouse) > 0
        if not ids and not is_unfinished:
            raise ValueError(
                "nothing was interrupted; give the id to forget, such as: funnelscope forget ann@example.com"
            )
        _print_person(settings, person)
        if not person.is_anybody and ids:
            typer.echo("No row knows this id. It is kept out of what is still to come about the time until now.")
        if dry_run:
            typer.echo("Nothing was changed (--dry-run).")
            return
        if not yes:
            typer.confirm("Erase this for ever?", abort=True)
        from pipelines.erasure_runs import forget as forget_everywhere

        done = forget_everywhere(settings, ids or ())
        typer.echo(f"Erased. Days built again: {', '.join(done.built) or 'none'}. Older snapshots are removed.")
        for place in done.left:
            typer.echo(f"Still in {place}: no place for ids. Map the column otherwise, and read its files again.")
        typer.echo("Backups made before still hold the person: delete them, or repeat this after every restore.")


def _print_person(settings: "Settings", person: "Person") -> None:
    def counted(counts: "dict[str, int]") -> str:
        return ", ".join(f"{name} {count:,}" for name, count in counts.items()) or "none"

    typer.echo(f"Ids: {counted(dict(person.ids))}")
    typer.echo(f"Rows: {counted({**person.rows, 'in quarantine': person.quarantined})}")
    if person.orders:
        typer.echo(f"{person.orders} orders go, and {person.amount} {settings.currency} of the turnover of their days.")
    if person.days:
        typer.echo(
            f"{len(person.days)} days change, from {person.days[0]} to {person.days[-1]}; later ones are restated."
        )
    if person.shared_visitors:
        typer.echo(
            f"{person.shared_visitors} visitors were also seen as somebody else and stay; "
            "give their ids as well if they are to go."
        )
    for file in person.files:
        typer.echo(f"Holds the person, and is yours to mend: {file}")
