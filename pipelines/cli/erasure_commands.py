"""`funnelscope forget`: erases a person everywhere."""

from typing import TYPE_CHECKING, Annotated

import typer

from pipelines.cli.console import echo, explain_errors, load_shop_settings
from pipelines.terminal import list_words, tell

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
            echo(tell(settings, "erasure_interrupted"))
        if ids:
            _print_person(settings, person)
        if not person.is_anybody and ids:
            echo(tell(settings, "nobody"))
        if dry_run:
            echo(tell(settings, "nothing_changed"))
            return
        if ids and not yes:
            typer.confirm(tell(settings, "ask_erase"), abort=True)
        from pipelines.erasure_runs import forget as forget_everywhere

        done = forget_everywhere(settings, ids or ())
        echo(tell(settings, "erased", days=list_words(settings, list(done.built))))
        for place in done.left:
            echo(tell(settings, "still_in", place=place))
        echo(tell(settings, "backups_hold"))


def _print_person(settings: "Settings", person: "Person") -> None:
    def counted(counts: "dict[str, int]") -> str:
        return list_words(settings, [f"{name} {count:,}" for name, count in counts.items()])

    echo(tell(settings, "ids", counts=counted(dict(person.ids))))
    quarantined = {tell(settings, "in_quarantine"): person.quarantined}
    echo(tell(settings, "rows", counts=counted({**person.rows, **quarantined})))
    if person.orders:
        from funnelscope.messages.wording import load_words

        amount = load_words(settings.language).amount(f"{person.amount:,}", settings.currency)
        echo(tell(settings, "orders_erased", orders=person.orders, amount=amount))
    if person.days:
        echo(tell(settings, "days_change", count=len(person.days), first=person.days[0], last=person.days[-1]))
    if person.shared_visitors:
        echo(tell(settings, "shared_visitors", count=person.shared_visitors))
    for file in person.files:
        echo(tell(settings, "holds_person", file=file))
