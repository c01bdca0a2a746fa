"""`funnelscope mark`: what became of a finding."""

from typing import TYPE_CHECKING, Annotated

import typer

from funnelscope.diagnosis.finding_marks import MarkKind
from pipelines.cli.console import echo, explain_errors, load_shop_settings

if TYPE_CHECKING:
    from datetime import date

    from funnelscope.diagnosis.records import FindingRecord
    from funnelscope.settings import Settings


def mark(
    finding: Annotated[
        str, typer.Argument(metavar="FINDING", help="Its number in the last report, such as 1; or the start of its id.")
    ],
    what: Annotated[
        MarkKind,
        typer.Argument(
            metavar="done|known|false",
            help="done: somebody acted. known: leave it out of the list until it gets worse. false: a false alarm.",
        ),
    ],
    note: Annotated[str, typer.Option(metavar="TEXT", help="Told with the finding in the next reports.")] = "",
) -> None:
    """Marks a finding; the next report tells it, and the weekly report counts the marks.

    A finding that is known or false is left out of the list of what to do, until its effect is half as large again.
    The last mark of a finding holds.
    """
    with explain_errors():
        from funnelscope.diagnosis.finding_marks import add_mark, make_mark
        from funnelscope.messages.wording import load_words

        settings = load_shop_settings()
        day, found = _find(settings, finding)
        add_mark(settings.home, make_mark(found.finding_id, what, day, " ".join(note.split()), found.effect))
        words = load_words(settings.language)
        state = words.text("finding_marks", what.value)
        echo(words.text("finding_marks", "marked", finding=found.finding_id, day=str(day), state=state))


def _find(settings: "Settings", named: str) -> "tuple[date, FindingRecord]":
    """The finding of this number on the last published day, or the latest whose id begins so.

    Raises:
        ValueError: there is none, or several.
    """
    from funnelscope.diagnosis.diagnosis_tables import read_records
    from funnelscope.diagnosis.records import FindingRecord
    from funnelscope.publication.publish import open_published

    with open_published(settings.published) as connection:
        days = [
            day
            for (day,) in connection.execute(
                "select distinct business_date from diagnosis.findings order by 1"
            ).fetchall()
        ]
        if not days:
            raise ValueError("no day has a finding yet")
        published = connection.execute("select max(business_date) from quality.published_days").fetchone()
        last = published[0] if published else days[-1]
        of_last = read_records(connection, FindingRecord, last, "order by rank nulls last, finding_id")
        if named.isdigit() and len(named) < 4:
            if found := next((each for each in of_last if each.rank == int(named)), None):
                return last, found
            raise ValueError(f"the report of {last} has {len(of_last)} findings, none with the number {named}")
        for day in reversed(days):
            matching = [
                each for each in read_records(connection, FindingRecord, day, "") if each.finding_id.startswith(named)
            ]
            if len({each.finding_id for each in matching}) > 1:
                raise ValueError(
                    f"{named} begins the ids {', '.join(sorted(each.finding_id for each in matching))}; give more"
                )
            if matching:
                return day, matching[0]
    raise ValueError(f"no finding has an id that begins with {named}; `funnelscope diagnose` shows the ids")
