"""`funnelscope forget`: erases a person everywhere."""

from typing import TYPE_CHECKING, Annotated

import typer

from pipelines.cli.console import echo, explain_errors, load_shop_settings

if TYPE_CHECKING:
    from funnelscope.publication.erasure import Person
    from funnelscope.settings import Settings


def forget(
    ids: Annotated[
        list[str] | None,
        typer.Argument(metavar="[ID]...", help="Customer or visitor ids as the shop delivers them; all of one person."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be erased, and change nothing.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Erases a person everywhere but in the shop's own files: rows, quarantine, published copies, history.

    The visitors of a customer are included, and the customer of a visitor, unless they are shared with somebody else;
    and with them their sessions, orders and conversations. The days are built again without them. A file that still
    holds the person may stay in the landing zone: whenever it is read again, the rows are left out and counted.

    It cannot be undone. Without an ID it finishes an erasure that was interrupted.
    """
    with explain_errors():
        from funnelscope.publication.erasure import find_person, find_unfinished
        from funnelscope.warehouse.connection import open_warehouse

        settings = load_shop_settings()
        if not settings.warehouse_path.exists():
            raise FileNotFoundError(f"{settings.warehouse_path} does not exist yet: it holds nobody")
        with open_warehouse(settings.warehouse_path, wait_seconds=settings.lock_wait_seconds) as warehouse:
            person = find_person(warehouse, settings, ids or ())
            is_unfinished = find_unfinished(warehouse, settings)
        if not ids and not is_unfinished:
            raise ValueError(
                "nothing was interrupted; give the id to forget, such as: funnelscope forget ann@example.com"
            )
        if is_unfinished:
            echo("An erasure was interrupted; it is finished now.")
        if ids:
            _print_person(settings, person)
        if not person.is_anybody and ids:
            echo("No row holds this id. Later deliveries about the time until now are kept out.")
        if dry_run:
            echo("Nothing was changed (--dry-run).")
            return
        if ids and not yes:
            typer.confirm("Erase this for ever?", abort=True)
        from pipelines.erasure_runs import forget as forget_everywhere

        done = forget_everywhere(settings, ids or ())
        echo(f"Erased. Days built again: {', '.join(done.built) or 'none'}. Older snapshots are removed.")
        for place in done.left:
            echo(f"Still in {place}, which is not meant for ids. Change the column's mapping and read its files again.")
        echo("Earlier backups still hold the person: delete them, or repeat this after every restore.")


def _print_person(settings: "Settings", person: "Person") -> None:
    def counted(counts: "dict[str, int]") -> str:
        return ", ".join(f"{name} {count:,}" for name, count in counts.items()) or "none"

    echo(f"Ids: {counted(dict(person.ids))}")
    echo(f"Rows: {counted({**person.rows, 'in quarantine': person.quarantined})}")
    if person.orders:
        echo(f"{person.orders} orders are erased, with {person.amount} {settings.currency} of turnover.")
    if person.days:
        echo(f"{len(person.days)} days change, from {person.days[0]} to {person.days[-1]}; later ones are restated.")
    if person.shared_visitors:
        echo(
            f"{person.shared_visitors} visitors were also seen as somebody else and stay; "
            "to erase them too, give their ids as well."
        )
    for file in person.files:
        echo(f"Holds the person, and is for you to change: {file}")
