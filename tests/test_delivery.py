"""Reports reach their channels once an edition; a channel that fails harms nobody; secrets are written nowhere."""

import io
import json
import logging
import socket
import sqlite3
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from datetime import date, timedelta
from email import message_from_bytes, policy
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword
from shop_helpers import Home, build_days, cloned, day, open_shop, rewrite

from funnelscope.reporting import Edition, delivery, has_news
from funnelscope.reporting.delivery import (
    DeliveryOutcome,
    SentEdition,
    deliver,
    find_days_to_send,
    find_periods_to_send,
)
from funnelscope.reporting.periods import get_day, get_week
from funnelscope.settings import SettingsError, load_settings
from pipelines.cli.app import main
from reports import render, render_pictures

SECRET = "canary-7f3a9c51d2"


# --- Receivers -----------------------------------------------------------------------------------


@dataclass
class Web:
    """A web server on this machine: keeps what is posted, and answers as it is told."""

    posts: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    failures_left: int = 0
    port: int = 0

    @property
    def at(self) -> str:
        return f"127.0.0.1:{self.port}"


@pytest.fixture
def web() -> Iterator[Web]:
    received = Web()

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            content = self.rfile.read(int(self.headers["Content-Length"]))
            received.failures_left -= 1
            is_good = received.failures_left < 0
            if is_good:
                received.posts.append((self.path, json.loads(content)))
            self.send_response(200 if is_good else 503)
            self.end_headers()
            self.wfile.write(b"ok" if "slack" in self.path else b'{"code": 0, "errcode": 0, "errmsg": "ok"}')

        def log_message(self, *words: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    received.port = server.server_port
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield received
    server.shutdown()
    server.server_close()
    thread.join()


class Mailbox:
    """A mail server's post box that wants the password."""

    def __init__(self) -> None:
        self.messages: list[Any] = []

    def authenticate(self, server: Any, session: Any, envelope: Any, mechanism: str, login: Any) -> AuthResult:
        is_right = isinstance(login, LoginPassword) and login.password == SECRET.encode()
        return AuthResult(success=is_right, handled=False)

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        self.messages.append(message_from_bytes(envelope.content, policy=policy.default))
        return "250 OK"


@pytest.fixture
def mailbox() -> Iterator[tuple[Mailbox, int]]:
    box = Mailbox()
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    controller = Controller(
        box, hostname="127.0.0.1", port=port, authenticator=box.authenticate, auth_required=True, auth_require_tls=False
    )
    controller.start()
    logging.getLogger("mail.log").setLevel(logging.ERROR)  # the server's own, line by line
    yield box, port
    controller.stop()


# --- A shop with channels ------------------------------------------------------------------------


@pytest.fixture
def home(ran: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, quick_printing: None) -> Home:
    """A home of its own; reports are printed as their text, without pictures; no waiting between attempts."""
    monkeypatch.setattr(delivery, "RETRY_WAITS_SECONDS", (0.0, 0.0))
    monkeypatch.setenv("HOOK_SECRET", SECRET)
    return cloned(ran, tmp_path / "shop")


def declare(home: Home, *channels: dict[str, Any]) -> None:
    content = yaml.safe_load(home.config.read_text(encoding="utf-8"))
    home.config.write_text(yaml.safe_dump(content | {"delivery": list(channels)}), encoding="utf-8")


def send(home: Home, number: int = 2, **options: Any) -> list[SentEdition]:
    with open_shop(home.settings) as shop:
        return deliver(shop.warehouse, home.settings, day(number), **options)


def states(sendings: list[SentEdition]) -> dict[str, str]:
    return {sending.channel: sending.state.value for sending in sendings}


def hook(web: Web, name: str = "hook", **more: Any) -> dict[str, Any]:
    return {"name": name, "url": f"json://{web.at}/${{HOOK_SECRET}}", "attach": "nothing", **more}


def ledger(home: Home) -> list[tuple[Any, ...]]:
    with open_shop(home.settings) as shop:
        return shop.warehouse.rows("select channel, edition, state, attempts, problem from quality.sent_reports")


# --- What arrives --------------------------------------------------------------------------------


def test_a_mail_brings_title_verdict_finding_and_the_pdf(
    home: Home, mailbox: tuple[Mailbox, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    box, port = mailbox
    monkeypatch.setattr("funnelscope.reporting.editions.reports.render_pictures", render_pictures)
    monkeypatch.setattr("funnelscope.reporting.editions.reports.render", render)
    url = f"mailto://robot:${{HOOK_SECRET}}@127.0.0.1:{port}?mode=insecure&from=robot@example.com&to=team@example.com"
    declare(home, {"name": "mail", "url": url, "language": "zh"})
    (sending,) = send(home, finding="优惠券 WELCOME10 报错")
    assert (sending.state, sending.problem) == (DeliveryOutcome.SENT, "")
    (mail,) = box.messages
    assert mail["Subject"] == f"Test shop：{day(2)} 漏斗日报" == sending.message.title
    assert (mail["To"], "robot@example.com" in mail["From"]) == ("team@example.com", True)
    text = mail.get_body(("plain", "html")).get_content()
    assert "优惠券 WELCOME10 报错" in text
    assert sending.message.text.splitlines()[0] in text
    (attached,) = mail.iter_attachments()
    pdf = home.settings.reports / str(day(2)) / f"funnelscope-{day(2)}-edition-1-zh.pdf"
    assert attached.get_filename() == pdf.name
    assert attached.get_content() == pdf.read_bytes()
    assert pdf.read_bytes().startswith(b"%PDF")


def test_a_name_in_a_mail_is_text(home: Home, mailbox: tuple[Mailbox, int]) -> None:
    """A mail is drawn as HTML: a campaign's name must not fetch a picture that tells who reads it."""
    box, port = mailbox
    url = f"mailto://robot:${{HOOK_SECRET}}@127.0.0.1:{port}?mode=insecure&from=robot@example.com&to=team@example.com"
    declare(home, {"name": "mail", "url": url, "language": "en", "attach": "nothing"})
    send(home, finding="<img src=http://evil.example/p.png> <script>alert(1)</script>")
    body = box.messages[0].get_body(("html", "plain"))
    assert "evil.example" in body.get_content()
    assert body.get_content_type() == "text/plain" or "<img" not in body.get_content()


@pytest.mark.parametrize(
    ("url", "plugin", "path", "text_of"),
    [
        (
            "wecombot://${HOOK_SECRET}",
            "wecombot.NotifyWeComBot.notify_url",
            "/wecom",
            lambda post: post["text"]["content"],
        ),
        ("dingtalk://${HOOK_SECRET}", "dingtalk.NotifyDingTalk.notify_url", "/ding", lambda post: str(post)),
        ("feishu://${HOOK_SECRET}", "feishu.NotifyFeishu.notify_url", "/feishu", lambda post: str(post)),
        (
            "slack://T1JJ3T3L2/A1BRTD4JD/${HOOK_SECRET}/#shop",
            "slack.NotifySlack.webhook_url",
            "/slack",
            lambda post: str(post),
        ),
    ],
    ids=["wecom", "dingtalk", "feishu", "slack"],
)
def test_a_chat_group_gets_title_verdict_and_a_link(
    url: str,
    plugin: str,
    path: str,
    text_of: Callable[[dict[str, Any]], str],
    home: Home,
    web: Web,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Apprise fixes the hosts of these four: only the host is replaced, by this machine's."""
    monkeypatch.setenv("HOOK_SECRET", "TIiajkdnlazkcOXrIdevi7FQ")
    monkeypatch.setattr(f"apprise.plugins.{plugin}", f"http://{web.at}{path}")
    declare(
        home, {"name": "group", "url": url, "attach": "link", "link": "https://shop.example/reports", "language": "en"}
    )
    (sending,) = send(home)
    assert (sending.state, sending.problem) == (DeliveryOutcome.SENT, "")
    ((posted_to, post),) = web.posts
    assert posted_to.startswith(path)
    text = text_of(post)
    assert f"Test shop: daily funnel report of {day(2)}" in text
    assert f"The data of {day(2)}" in text
    assert f"https://shop.example/reports/{day(2)}/funnelscope-{day(2)}-en.html" in text


def test_a_channel_for_blocked_days_hears_nothing_of_good_ones(home: Home, web: Web) -> None:
    declare(home, hook(web, only="blocked"), hook(web, "everything"))
    assert states(send(home)) == {"hook": "not wanted", "everything": "sent"}
    assert len(web.posts) == 1


def test_a_trial_sends_and_notes_nothing(home: Home, web: Web) -> None:
    declare(home, hook(web))
    (sending,) = send(home, is_trial=True)
    assert sending.message is not None
    assert sending.message.title.endswith(str(day(2)))
    assert (web.posts, ledger(home)) == ([], [])


# --- How often -----------------------------------------------------------------------------------


def test_an_edition_is_sent_once_and_a_restated_day_again(home: Home, web: Web) -> None:
    declare(home, hook(web))
    assert states(send(home)) == {"hook": "sent"}
    assert states(send(home)) == {"hook": "already sent"}
    file = home.settings.landing / "page" / f"dt={day(2)}" / "all.parquet"
    rewrite(file, "from delivered where hash(session_id) % 2 = 0")
    build_days(home, day(2), day(2), is_published=True)
    assert states(send(home)) == {"hook": "sent"}
    assert [post["title"] for _, post in web.posts] == [
        f"Test shop: daily funnel report of {day(2)}",
        f"Test shop: daily funnel report of {day(2)} (restated: edition 2)",
    ]


def test_a_run_sends_a_restated_day_again_only_if_it_says_something_new(home: Home, web: Web) -> None:
    declare(home, hook(web))
    send(home)
    file = home.settings.landing / "page" / f"dt={day(2)}" / "all.parquet"
    rewrite(file, "select * replace (dwell_ms + 1 as dwell_ms) from delivered")
    build_days(home, day(2), day(2), is_published=True)
    assert states(send(home, only_news=True)) == {"hook": "nothing new"}
    rewrite(file, "from delivered where hash(session_id) % 10 > 0")
    build_days(home, day(2), day(2), is_published=True)
    assert states(send(home, only_news=True)) == {"hook": "sent"}
    assert [post["title"].rpartition(" ")[2] for _, post in web.posts] == [str(day(2)), "3)"]


@pytest.mark.parametrize(
    ("changed", "is_news"),
    [
        ({}, False),
        ({"figures": {"rate": "0.0502", "orders": "0"}}, False),
        ({"figures": {"rate": "0.0506", "orders": "0"}}, True),
        ({"figures": {"rate": "0.05", "orders": "1"}}, True),
        ({"figures": {"rate": "0.05"}}, True),
        ({"findings": ["F-1 provisional"]}, True),
        ({"findings": []}, True),
        ({"source": {"snapshot": "b-2", "verdict": "warn 1f"}}, True),
        ({"source": {"snapshot": "b-2", "verdict": "pass 1f"}}, False),
    ],
)
def test_news_are_a_verdict_a_finding_and_a_figure_by_one_percent(
    changed: dict[str, Any], is_news: bool, home: Home
) -> None:
    record = {
        "source": {"snapshot": "a-1", "verdict": "pass 0e"},
        "figures": {"rate": "0.05", "orders": "0"},
        "files": [],
        "findings": ["F-1 confirmed"],
    }
    folder = home.settings.reports / str(day(1))
    folder.mkdir(parents=True, exist_ok=True)
    for number, content in ((1, record), (2, record | changed)):
        (folder / f"edition-{number}.json").write_text(json.dumps(content), encoding="utf-8")
    edition = Edition(get_day(day(1)), 2, "b-2", folder / "x.pdf")
    assert has_news(home.settings, edition, 1) is is_news


def test_a_run_sends_its_last_day_and_restated_days_that_went_out_but_nothing_old(home: Home, web: Web) -> None:
    declare(home, hook(web))
    settings = home.settings
    with open_shop(settings) as shop:

        def chosen(first: int, last: int, today: date) -> list[date]:
            return find_days_to_send(shop.warehouse, settings, day(first), day(last), today)

        assert chosen(1, 2, day(3)) == [day(2)]
        deliver(shop.warehouse, settings, day(1))
        assert chosen(1, 2, day(3)) == [day(1), day(2)]
        assert chosen(1, 2, day(2) + timedelta(days=30)) == []


# --- What goes wrong -----------------------------------------------------------------------------


def test_a_week_is_sent_once_beside_its_days_to_those_who_want_it(home: Home, web: Web) -> None:
    declare(home, hook(web), hook(web, "days", reports=["day"]))
    with open_shop(home.settings) as shop:
        old = delivery.SENT_REPORTS.replace(", period VARCHAR default 'day'", "")
        shop.warehouse.execute("drop table if exists quality.sent_reports")
        shop.warehouse.execute(old)  # a ledger from before there were weeks
        assert "period" not in dict(shop.warehouse.columns("quality.sent_reports"))
        week = get_week(day(2))
        assert states(deliver(shop.warehouse, home.settings, week)) == {"hook": "sent", "days": "not wanted"}
        assert states(deliver(shop.warehouse, home.settings, week)) == {"hook": "already sent", "days": "not wanted"}
    assert states(send(home)) == {"hook": "sent", "days": "sent"}
    assert web.posts[0][1]["title"] == f"Test shop: weekly funnel report of {week.name}"


def test_a_run_sends_the_week_that_ended_in_it_and_one_that_went_out_before(home: Home, web: Web) -> None:
    declare(home, hook(web))
    sunday, settings = day(3), home.settings
    with open_shop(settings) as shop:

        def chosen(first: date, last: date, today: date) -> list[str]:
            return [period.name for period in find_periods_to_send(shop.warehouse, settings, first, last, today)]

        assert chosen(day(1), sunday, day(4)) == [get_week(sunday).name]
        assert chosen(day(1), sunday, day(40)) == [], "nothing old"
        assert chosen(day(1), day(2), sunday) == []
        deliver(shop.warehouse, settings, get_week(sunday))
        assert chosen(day(1), day(2), day(4)) == [get_week(sunday).name]


def test_a_channel_that_fails_is_tried_again_and_keeps_nobody_else_from_the_report(home: Home, web: Web) -> None:
    web.failures_left = 2
    declare(home, hook(web, "slow"), {"name": "gone", "url": "json://127.0.0.1:9/x", "attach": "nothing"}, hook(web))
    assert states(send(home)) == {"slow": "sent", "gone": "failed", "hook": "sent"}
    assert ledger(home) == [
        ("slow", 1, "sent", 3, None),
        ("gone", 1, "failed", 3, "the service did not take it, or was not reached"),
        ("hook", 1, "sent", 1, None),
    ]


@pytest.mark.parametrize(
    "url",
    [
        "wecombot://${HOOK_SECRET}",
        "dingtalk://${HOOK_SECRET}",
        "feishu://${HOOK_SECRET}",
        "slack://T1JJ3T3L2/A1BRTD4JD/${HOOK_SECRET}/#shop",
        "mailto://robot:${HOOK_SECRET}@127.0.0.1:9?mode=insecure&from=a@example.com&to=b@example.com",
        "json://127.0.0.1:9/x",
    ],
)
def test_a_channel_that_hangs_is_given_up_once_and_the_next_gets_the_report(
    url: str, home: Home, web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    import apprise

    monkeypatch.setenv("HOOK_SECRET", "TIiajkdnlazkcOXrIdevi7FQ")
    monkeypatch.setattr(delivery, "SECONDS_TO_SEND", 1.0)
    notify, release = apprise.Apprise.notify, threading.Event()

    def hang(service: Any, *words: Any, **options: Any) -> bool:
        if web.at not in service[0].url():
            release.wait(30)
        return bool(notify(service, *words, **options))

    monkeypatch.setattr(apprise.Apprise, "notify", hang)
    declare(home, {"name": "hanging", "url": url, "attach": "nothing"}, hook(web))
    try:
        assert states(send(home)) == {"hanging": "failed", "hook": "sent"}
    finally:
        release.set()
    assert ledger(home)[0] == ("hanging", 1, "failed", 1, "the service did not end within 1 s")


def test_an_answer_a_byte_at_a_time_is_given_up(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery, "SECONDS_TO_SEND", 2.0)
    is_over = threading.Event()

    def drip(server: socket.socket) -> None:
        connection, _ = server.accept()
        with connection:
            connection.sendall(b"HTTP/1.1 200 OK\r\nX-Slow: ")
            while not is_over.wait(0.2):
                connection.sendall(b"x")

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=drip, args=(server,), daemon=True)
        thread.start()
        declare(home, {"name": "drip", "url": f"json://127.0.0.1:{server.getsockname()[1]}/x", "attach": "nothing"})
        (sending,) = send(home)
        is_over.set()
    assert (sending.state, sending.problem) == (DeliveryOutcome.FAILED, "the service did not end within 2 s")


def test_a_report_that_cannot_be_made_in_one_language_reaches_the_others(
    home: Home, web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = delivery.read_report

    def read_or_fail(settings: Any, period: Any, language: str) -> Any:
        if language == "en":
            raise ZeroDivisionError(SECRET)
        return read(settings, period, language)

    monkeypatch.setattr(delivery, "read_report", read_or_fail)
    declare(home, hook(web, "english", language="en"), hook(web, "chinese", language="zh"))
    first, second = send(home)
    assert (first.state, first.problem) == (DeliveryOutcome.FAILED, "its report cannot be made: ZeroDivisionError")
    assert second.state is DeliveryOutcome.SENT


def test_a_channel_that_failed_gets_the_edition_with_the_next_run(home: Home, web: Web) -> None:
    declare(home, hook(web))
    web.failures_left = 3
    (failed,) = send(home)
    assert (failed.state, failed.problem) == (DeliveryOutcome.FAILED, "the service answered 503")
    assert states(send(home)) == {"hook": "sent"}


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("json://127.0.0.1/${NOT_SET}", "the environment has no NOT_SET"),
        ("${HOOK_SECRET}", "no Apprise URL"),
        ("nosuch://${HOOK_SECRET}", "no Apprise URL"),
    ],
)
def test_a_wrong_address_says_what_is_wrong_and_not_what_it_holds(url: str, problem: str, home: Home) -> None:
    declare(home, {"name": "wrong", "url": url})
    (sending,) = send(home)
    assert sending.state is DeliveryOutcome.FAILED
    assert problem in sending.problem
    assert SECRET not in sending.problem


@pytest.mark.parametrize(
    ("channels", "told"),
    [
        ([{"name": "a", "url": "json://x"}] * 2, "is the name of another channel"),
        ([{"name": "a", "url": "json://x", "attach": "link"}], "attach: link needs the address"),
        ([{"name": "a", "url": "json://x", "link": "https://x.example"}], "belongs to attach: link"),
        ([{"name": "a", "url": "json://x", "only": "bad"}], "only"),
    ],
)
def test_a_mistake_in_a_channel_is_told_with_its_line(channels: list[dict[str, Any]], told: str, home: Home) -> None:
    declare(home, *channels)
    with pytest.raises(SettingsError, match=told) as error:
        load_settings(home.config)
    assert "funnelscope.yaml, line " in str(error.value) or "funnelscope.yaml:" in str(error.value)


# --- Secrets -------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_secret_reaches_no_file_of_the_home_no_log_and_no_terminal(
    home: Home,
    web: Web,
    mailbox: tuple[Mailbox, int],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
    no_expectations: None,
) -> None:
    """A whole run through Dagster, with channels that work, refuse, cannot be reached and are no addresses."""
    _, port = mailbox
    monkeypatch.setattr(delivery, "DAYS_SENT_BY_A_RUN", 100_000)
    login = "robot:${HOOK_SECRET}@127.0.0.1"
    declare(
        home,
        hook(web),
        {"name": "mail", "url": f"mailto://{login}:{port}?mode=insecure&from=a@example.com&to=b@example.com"},
        {"name": "wrong password", "url": f"mailto://robot:${{HOOK_SECRET}}x@127.0.0.1:{port}?mode=insecure&to=b@c.de"},
        {"name": "gone", "url": "json://127.0.0.1:9/${HOOK_SECRET}", "attach": "nothing"},
        {"name": "no address", "url": "nosuch://${HOOK_SECRET}"},
    )
    caplog.set_level("DEBUG")
    caplog.set_level("WARNING", "sqlalchemy")  # its lines are what it writes into the files that are searched below
    # The deliveries have changed, so the run builds the day, prints it and sends it.
    rewrite(
        home.settings.landing / "page" / f"dt={day(2)}" / "all.parquet", "from delivered where visitor_id is not null"
    )
    printed = command(home, "run", "--date", str(day(2)), monkeypatch=monkeypatch)
    printed += command(home, "send", "--date", str(day(2)), monkeypatch=monkeypatch)
    printed += command(home, "status", monkeypatch=monkeypatch)
    assert len(web.posts) == 1
    assert SECRET in web.posts[0][0]  # it was used
    assert "gone: failed" in printed
    assert "hook: already sent" in printed
    secret = SECRET.encode()
    assert not [path for path in home.folder.rglob("*") if path.is_file() and secret in path.read_bytes()]
    captured = capfd.readouterr()
    assert SECRET not in printed + captured.out + captured.err + caplog.text
    events = [path for path in (home.path / "dagster").rglob("*.db") if tells_of_delivery(path)]
    assert events, "the run's event log was not where the secret was looked for"


def command(home: Home, *arguments: str, monkeypatch: pytest.MonkeyPatch) -> str:
    for name, value in (home.environment | {"DAGSTER_HOME": ""}).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "argv", ["funnelscope", *arguments])
    out = io.StringIO()
    with redirect_stdout(out), redirect_stderr(out), pytest.raises(SystemExit):
        main()
    return out.getvalue()


def tells_of_delivery(database: Path) -> bool:
    with sqlite3.connect(database) as connection:
        tables = {name for (name,) in connection.execute("select name from sqlite_master where type = 'table'")}
        if "event_logs" not in tables:
            return False
        query = "select count(*) from event_logs where event like '%did not reach gone%'"
        return bool(connection.execute(query).fetchone()[0])
