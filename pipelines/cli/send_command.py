"""`funnelscope send`: the report of a published day, week or month to the channels of funnelscope.yaml."""

from datetime import date
from typing import TYPE_CHECKING

from funnelscope.messages.secrets import hide_secrets
from funnelscope.settings import Settings
from pipelines.cli.console import echo
from pipelines.terminal import tell

if TYPE_CHECKING:
    from funnelscope.reporting import Period


def send_report(settings: Settings, period: "Period | date | None", channel: str | None, is_trial: bool) -> bool:
    """Sends the report and prints a line per channel. Returns whether nothing failed.

    Raises:
        ValueError: no such channel, or none at all; or the period has never been run.
        FileNotFoundError: nothing has been published yet.
    """
    from funnelscope.publication.publish import read_published_days
    from funnelscope.reporting.delivery import DeliveryOutcome, deliver
    from funnelscope.warehouse.connection import open_warehouse
    from pipelines.status import check_was_run

    channels = [one for one in settings.delivery if channel in (None, one.name)]
    if not channels:
        named = ", ".join(one.name for one in settings.delivery)
        found = f"no channel {channel!r}; there are {named}" if named else "no channel"
        raise ValueError(f"funnelscope.yaml declares {found}. See delivery: in docs/operating.md")
    days = read_published_days(settings.published)
    period = period or max(days, default=None)
    if period is None:
        raise FileNotFoundError("Nothing is published yet. Run: funnelscope run --date YYYY-MM-DD")
    check_was_run(settings, period)
    with open_warehouse(settings.warehouse_path, wait_seconds=settings.lock_wait_seconds) as warehouse:
        sendings = deliver(
            warehouse, settings, period, channels=channels, is_again=channel is not None, is_trial=is_trial
        )
    name = period if isinstance(period, date) else period.name
    for sending in sendings:
        problem = f": {sending.problem}" if sending.problem else ""
        state = tell(settings, f"outcome_{sending.state.name.lower()}")
        said = {"channel": sending.channel, "state": state, "problem": problem, "edition": sending.edition}
        echo(tell(settings, "sending", name=name, **said))
        if sending.state is DeliveryOutcome.TRIAL and sending.message:
            echo(hide_secrets(f"\n{sending.message.title}\n{sending.message.text}\n"))
    return all(sending.state is not DeliveryOutcome.FAILED for sending in sendings)
