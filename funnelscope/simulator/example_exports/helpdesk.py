"""A shop with its questions in Gorgias, Zendesk and Intercom, and the orders that follow them from Shopify.

On the last day, the team in Leeds answers after half an hour instead of two minutes, and fewer who asked buy.
"""

import csv
import json
import random
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

from funnelscope.simulator.example_exports.order_documents import GOODS, OrderDocuments

BROKEN_DAYS = 1
BROKEN_TEAM = "Leeds"
TICKETS_PER_DAY = 700
CHATS_PER_DAY = 12
SEED = 42

TEAMS = {
    "Bath": ("ann@shop.example", "bea@shop.example"),
    "Hull": ("eli@shop.example", "fay@shop.example"),
    BROKEN_TEAM: ("cy@shop.example", "dan@shop.example"),
    "York": ("gus@shop.example", "hal@shop.example"),
}
PAID_RATE, LATE_PAID_RATE = 0.35, 0.06


def write_exports(folder: Path, first_date: date, last_date: date) -> None:
    """One file a day of every export: tickets of Gorgias, chats of Zendesk, parts of Intercom, orders of Shopify."""
    chance = random.Random(SEED)
    orders = OrderDocuments(chance, "+01:00")
    for number in range((last_date - first_date).days + 1):
        day = first_date + timedelta(days=number)
        is_late = (last_date - day).days < BROKEN_DAYS
        tickets = [
            _write_ticket(chance, orders, day, number * 10_000 + place, is_late) for place in range(TICKETS_PER_DAY)
        ]
        for _ in range(40):  # who asks nothing
            orders.place(_choose_time(chance, day), f"c{chance.randrange(10**6)}", _choose_goods(chance))
        lines = "".join(json.dumps(ticket) + "\n" for ticket in tickets)
        (folder / f"gorgias_tickets_{day}.jsonl").write_text(lines, encoding="utf-8")
        _write_chats(folder / f"ticket_chat_event_{day}.csv", chance, day)
        _write_parts(folder / f"conversation_part_history_{day}.csv", chance, orders, day)
        orders.write_day(day, folder / f"orders_{day}.jsonl")


def _choose_time(chance: random.Random, day: date) -> datetime:
    """A time on the shop's clock, between 8 and 21."""
    return datetime(day.year, day.month, day.day, 8) + timedelta(seconds=chance.randrange(13 * 3600))


def _choose_goods(chance: random.Random) -> list[Any]:
    return [(article, 1) for article in chance.sample(GOODS, chance.choice((1, 1, 2)))]


def _write_utc(at: datetime) -> str:
    return f"{at - timedelta(hours=1):%Y-%m-%dT%H:%M:%S}Z"  # the shop's clock is an hour ahead


def _write_ticket(
    chance: random.Random, orders: OrderDocuments, day: date, number: int, is_late: bool
) -> dict[str, Any]:
    """A ticket as the API of Gorgias describes it, with its messages."""
    team = chance.choice(list(TEAMS))
    agent = chance.choice(TEAMS[team])
    is_presale = chance.random() < 0.75
    asked = _choose_time(chance, day)
    is_slow = is_late and team == BROKEN_TEAM
    answered = asked + timedelta(seconds=chance.randint(1_500, 2_700) if is_slow else chance.randint(20, 240))
    closed = answered + timedelta(minutes=chance.randint(1, 20))
    customer = f"c{chance.randrange(10**6)}"
    if is_presale and chance.random() < (LATE_PAID_RATE if is_slow else PAID_RATE):
        orders.place(closed + timedelta(minutes=1), customer, _choose_goods(chance))
    rating = chance.choice((4, 5, 5)) if chance.random() < 0.1 else None
    return {
        "id": number,
        "channel": "email",
        "status": "closed",
        "created_datetime": _write_utc(asked),
        "closed_datetime": _write_utc(closed),
        "customer": {"id": number, "external_id": customer},
        "assignee_user": {"email": agent},
        "assignee_team": {"name": team},
        "tags": [{"name": "presale" if is_presale else "aftersale"}],
        "satisfaction_survey": {"score": rating, "scored_datetime": _write_utc(closed)} if rating else None,
        "messages": [
            {"id": number * 10 + 1, "created_datetime": _write_utc(asked), "from_agent": False, "sender": None},
            {
                "id": number * 10 + 2,
                "created_datetime": _write_utc(answered),
                "from_agent": True,
                "sender": {"email": agent},
            },
        ],
    }


def _write_chats(file: Path, chance: random.Random, day: date) -> None:
    """Events of chats of Zendesk, as its connectors deliver the table."""
    rows = []
    for number in range(CHATS_PER_DAY):
        at, chat = _choose_time(chance, day), f"{day:%y%m%d}.chat.{number}"
        rows += [
            [chat, 1, "ChatMessage", f"visitor:{chance.randrange(10**6)}", _write_utc(at)],
            [chat, 2, "ChatMessage", f"agent:{chance.randint(1, 3)}", _write_utc(at + timedelta(seconds=25))],
        ]
    _write_table(file, ["chat_id", "chat_index", "type", "actor_id", "created_at"], rows)


def _write_parts(file: Path, chance: random.Random, orders: OrderDocuments, day: date) -> None:
    """Parts of conversations of Intercom, as its connectors deliver the table."""
    rows = []
    for number in range(CHATS_PER_DAY):
        at, talk = _choose_time(chance, day), f"{day:%y%m%d}{number:04}"
        customer = f"c{chance.randrange(10**6)}"
        if chance.random() < PAID_RATE:
            orders.place(at + timedelta(minutes=10), customer, _choose_goods(chance))
        rows += [
            [f"{talk}1", talk, "comment", "user", customer, _write_utc(at), "true"],
            [f"{talk}2", talk, "comment", "admin", "eve", _write_utc(at + timedelta(seconds=70)), "true"],
            [f"{talk}3", talk, "close", "admin", "eve", _write_utc(at + timedelta(seconds=400)), "true"],
        ]
    header = ["id", "conversation_id", "part_type", "author_type", "author_id", "created_at", "_fivetran_active"]
    _write_table(file, header, rows)


def _write_table(file: Path, header: list[str], rows: list[list[Any]]) -> None:
    with file.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows([header, *rows])
