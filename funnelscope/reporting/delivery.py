"""Sends editions of the report to the channels of funnelscope.yaml, once each; `quality.sent_reports` records it.

A channel's address is an Apprise URL. Its secrets are in the environment, are inserted only for sending, and are in no
log, message or table. Of an error only the kind is reported, never the text of the failing library.
"""

import logging
import os
import re
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import Any
from urllib.parse import quote

import reports
from funnelscope.messages.message_types import PeriodKind
from funnelscope.reporting import (
    PERIODS_OF,
    Edition,
    Period,
    find_ended_periods,
    find_or_print_report,
    has_news,
    list_touched_campaigns,
    read_report,
)
from funnelscope.settings import Channel, Settings
from funnelscope.warehouse.connection import Warehouse

# A run only sends reports of the last days, so that a backfill of a year, or a late file for one, alerts nobody.
DAYS_SENT_BY_A_RUN = 7
RETRY_WAITS_SECONDS = (2.0, 8.0)
SECONDS_TO_SEND = 120.0  # one attempt, a large attachment included

SENT_REPORTS = """
    create table if not exists quality.sent_reports (
        business_date DATE, edition INTEGER, channel VARCHAR, state VARCHAR, attempts INTEGER, problem VARCHAR,
        tried_at TIMESTAMP, period VARCHAR default 'day'
    )"""
# For a ledger from before weekly reports existed.
_ADD_PERIOD = "alter table quality.sent_reports add column if not exists period VARCHAR default 'day'"

_PLACEHOLDER = re.compile(r"\$\{(\w+)\}")
_HTTP_ERROR = re.compile(r"error=(\d{3})\b")
_TALKATIVE = ("apprise", "urllib3", "requests", "smtplib", "markdown", "MARKDOWN")


class DeliveryOutcome(StrEnum):
    """The outcome of sending an edition to a channel."""

    SENT = "sent"
    FAILED = "failed"
    ALREADY_SENT = "already sent"
    NO_NEWS = "nothing new"  # restated, with the same verdict, findings and, to one percent, figures
    NOT_WANTED = "not wanted"  # the channel only takes other verdicts
    TRIAL = "not sent, a trial"


class ChannelError(Exception):
    """A message was not delivered. The text holds no secret."""


class HangingChannelError(ChannelError):
    """The service neither took the message nor refused it in time."""


@dataclass(frozen=True)
class SentEdition:
    """An edition on a channel: the outcome, and what was or would be sent."""

    channel: str
    state: DeliveryOutcome
    edition: int
    problem: str = ""
    message: reports.Announcement | None = None


def deliver(
    warehouse: Warehouse,
    settings: Settings,
    period: Period | date,
    *,
    channels: Sequence[Channel] | None = None,
    finding: str = "",
    is_again: bool = False,
    is_trial: bool = False,
    only_news: bool = False,
) -> list[SentEdition]:
    """Sends the current edition of a day, week, month or campaign to every channel that wants it and does not have it.

    A failing channel does not raise.

    Args:
        finding: the top finding in the channel's language.
        is_again: send it also to channels that have it.
        is_trial: send and record nothing.
        only_news: leave out a restated edition that says the same as the one that the channel has.

    Raises:
        FileNotFoundError: nothing has been published yet.
    """
    _prepare_ledger(warehouse)
    sendings = []
    for channel in settings.delivery if channels is None else channels:
        try:
            sending = _deliver_to(warehouse, settings, channel, period, finding, is_again, is_trial, only_news)
        except FileNotFoundError:
            raise
        except Exception as error:  # what one channel needs, such as a report in its language, fails for it alone
            problem = f"its report cannot be made: {type(error).__name__}"
            sending = SentEdition(channel.name, DeliveryOutcome.FAILED, 0, problem)
        sendings.append(sending)
    return sendings


def _deliver_to(
    warehouse: Warehouse,
    settings: Settings,
    channel: Channel,
    period: Period | date,
    finding: str,
    is_again: bool,
    is_trial: bool,
    only_news: bool,
) -> SentEdition:
    language = channel.language or settings.language
    edition = find_or_print_report(settings, period, language)
    last = _find_last_sent(warehouse, edition, channel.name)
    if only_news and last and last < edition.number and not has_news(settings, edition, last):
        return SentEdition(channel.name, DeliveryOutcome.NO_NEWS, edition.number)
    report = replace(read_report(settings, period, language), edition=edition.number)
    page = _locate_page(settings, channel, edition, language)
    message = reports.write_announcement(report, page or edition.pdf.name, finding, page)
    sending = SentEdition(channel.name, DeliveryOutcome.TRIAL, edition.number, message=message)
    if not channel.wants(report.verdict.value, report.period.value):
        return replace(sending, state=DeliveryOutcome.NOT_WANTED)
    if not is_again and last == edition.number:
        return replace(sending, state=DeliveryOutcome.ALREADY_SENT)
    return sending if is_trial else _send_and_note(warehouse, channel, edition, sending)


def send_alert(settings: Settings, title: str, text: str) -> list[str]:
    """Sends a few words to every channel with `alerts: true`. Returns what failed, without secrets."""
    problems = []
    for channel in settings.delivery:
        if channel.alerts:
            try:
                _send(channel, reports.Announcement(title, text), None)
            except ChannelError as error:
                problems.append(f"{channel.name}: {error}")
    return problems


def _prepare_ledger(warehouse: Warehouse) -> None:
    warehouse.execute(SENT_REPORTS)
    warehouse.execute(_ADD_PERIOD)


def find_days_to_send(
    warehouse: Warehouse, settings: Settings, from_date: date, to_date: date, today: date
) -> list[date]:
    """The days of a run whose reports are sent: its last one, and restated ones that were sent before."""
    if not settings.delivery:
        return []
    earliest = max(from_date, today - timedelta(days=DAYS_SENT_BY_A_RUN))
    sent = _find_sent_before(warehouse, PeriodKind.DAY, earliest)
    return [day for day in sent if day < to_date] + ([to_date] if to_date >= earliest else [])


def find_periods_to_send(
    warehouse: Warehouse, settings: Settings, from_date: date, to_date: date, today: date
) -> list[Period]:
    """The weeks, months and campaigns of a run to send: the last ones that ended in it, and restated ones already sent.

    Of a campaign each edition that is due within the days looked back at.
    """
    if not settings.delivery:
        return []
    earliest = today - timedelta(days=DAYS_SENT_BY_A_RUN)
    kinds = [PeriodKind(kind) for kind in settings.period_reports]
    periods = {period for period in find_ended_periods(kinds, from_date, to_date) if period.to_date >= earliest}
    if PeriodKind.CAMPAIGN in kinds:
        periods |= {
            campaign.period
            for campaign in list_touched_campaigns(settings.calendar, max(from_date, earliest), to_date)
            if any(earliest <= day <= to_date for day in campaign.list_review_dates())
        }
    for kind in (kind for kind in kinds if kind in PERIODS_OF):
        periods |= {PERIODS_OF[kind](day) for day in _find_sent_before(warehouse, kind, max(from_date, earliest))}
    return sorted(periods, key=lambda period: (period.to_date, period.kind))


def _find_sent_before(warehouse: Warehouse, kind: PeriodKind, earliest: date) -> list[date]:
    """The last days of the sent periods, from `earliest` on."""
    _prepare_ledger(warehouse)
    rows = warehouse.rows(
        "select distinct business_date from quality.sent_reports "
        "where period = $period and business_date >= $earliest order by 1",
        period=kind.value,
        earliest=earliest,
    )
    return [day for (day,) in rows]


def _locate_page(settings: Settings, channel: Channel, edition: Edition, language: str) -> str:
    """The address of the HTML edition; empty where readers find no reports by an address."""
    base = (channel.link or settings.link).rstrip("/")
    return f"{base}/{quote(edition.period.name_page(language))}" if base and channel.attach != "nothing" else ""


def _name_kind(period: Period) -> str:
    """What the ledger calls a period that ends on a day: of campaigns, several may."""
    return period.kind.value if period.kind is not PeriodKind.CAMPAIGN else f"{period.kind.value} {period.title}"


def _find_last_sent(warehouse: Warehouse, edition: Edition, channel: str) -> int:
    """The number of the newest edition, up to this one, that the channel has; 0 if it has none."""
    last = warehouse.value(
        "select max(edition) from quality.sent_reports where business_date = $day and period = $period "
        "and edition <= $edition and channel = $channel and state = 'sent'",
        day=edition.period.to_date,
        period=_name_kind(edition.period),
        edition=edition.number,
        channel=channel,
    )
    return last or 0


def _send_and_note(warehouse: Warehouse, channel: Channel, edition: Edition, sending: SentEdition) -> SentEdition:
    """Sends with retries. The ledger gets one line, whatever the outcome."""
    assert sending.message is not None
    attempts, problem = 0, ""
    for wait_seconds in (0.0, *RETRY_WAITS_SECONDS):
        time.sleep(wait_seconds)
        attempts += 1
        try:
            _send(channel, sending.message, str(edition.pdf) if channel.attach == "pdf" else None)
            problem = ""
            break
        except HangingChannelError as error:  # it may have taken the report all the same
            problem = str(error)
            break
        except ChannelError as error:
            problem = str(error)
    sending = replace(sending, state=DeliveryOutcome.FAILED if problem else DeliveryOutcome.SENT, problem=problem)
    warehouse.execute(
        "insert into quality.sent_reports by name select $day as business_date, $period as period, "
        "$edition as edition, $channel as channel, $state as state, $attempts as attempts, $problem as problem, "
        "$tried_at as tried_at",
        day=edition.period.to_date,
        period=_name_kind(edition.period),
        edition=edition.number,
        channel=channel.name,
        state=sending.state.value,
        attempts=attempts,
        problem=problem or None,
        tried_at=datetime.now(UTC).replace(tzinfo=None),
    )
    return sending


def _send(channel: Channel, message: reports.Announcement, attachment: str | None) -> None:
    """Sends within SECONDS_TO_SEND: the services' own limits do not end an answer that comes a byte at a time."""
    ended: list[ChannelError | None] = []

    def send() -> None:
        try:
            _send_at_leisure(channel, message, attachment)
            ended.append(None)
        except ChannelError as error:
            ended.append(error)

    thread = threading.Thread(target=send, daemon=True)
    thread.start()
    thread.join(SECONDS_TO_SEND)
    if not ended:
        raise HangingChannelError(f"the service did not end within {SECONDS_TO_SEND:.0f} s")
    if ended[0]:
        raise ended[0]


def _send_at_leisure(channel: Channel, message: reports.Announcement, attachment: str | None) -> None:
    import apprise

    url = _fill_in_secrets(channel.url)
    asset = apprise.AppriseAsset(app_id="Funnelscope", app_desc="Funnelscope", async_mode=False)
    with _collect_warnings() as lines:
        try:
            service: Any = apprise.Apprise(asset=asset)
            if not service.add(url):
                raise ChannelError("url is no Apprise URL; see https://appriseit.com for the form of each service")
            attached = attachment if service[0].attachment_support else None
            is_sent = bool(service.notify(message.text, message.title, body_format="text", attach=attached))
        except ChannelError:
            raise
        except Exception as error:  # a defect of a service must not fail the run, and its text may hold the URL
            raise ChannelError(f"the service failed: {type(error).__name__}") from None
    if not is_sent:
        code = next((found.group(1) for line in lines if (found := _HTTP_ERROR.search(line))), None)
        answer = f"the service answered {code}" if code else "the service did not take it, or was not reached"
        raise ChannelError(answer)


def _fill_in_secrets(url: str) -> str:
    """The URL with ${NAME} replaced by environment variables. Parts of a URL are encoded, a whole one is not."""
    is_whole = _PLACEHOLDER.fullmatch(url) is not None

    def value(found: re.Match[str]) -> str:
        name = found.group(1)
        if name not in os.environ:
            raise ChannelError(f"the environment has no {name}; set it where funnelscope runs")
        return os.environ[name] if is_whole else quote(os.environ[name], safe="")

    return _PLACEHOLDER.sub(value, url)


@contextmanager
def _collect_warnings() -> Iterator[list[str]]:
    """Keeps the libraries' warnings out of every log: they may hold URLs."""
    lines: list[str] = []
    ear = logging.Handler(logging.WARNING)
    ear.emit = lambda record: lines.append(record.getMessage())  # type: ignore[method-assign]
    loggers = [logging.getLogger(name) for name in _TALKATIVE]
    before = [(logger, logger.propagate, logger.level) for logger in loggers]
    disabled = logging.root.manager.disable
    logging.disable(logging.NOTSET)
    for logger in loggers:
        logger.propagate = False
        logger.setLevel(logging.WARNING)
        logger.addHandler(ear)
    try:
        yield lines
    finally:
        logging.disable(disabled)
        for logger, propagate, level in before:
            logger.removeHandler(ear)
            logger.propagate = propagate
            logger.setLevel(level)
