"""Orders that contradict each other: what the verdict of their day tells, from the files on."""

from datetime import date
from pathlib import Path

import pytest
from shop_helpers import Home, build_days, open_shop

from funnelscope.quality import gate

DAY = date(2026, 1, 6)
CONFIG = """\
shop: Test shop
timezone: Asia/Shanghai
start_date: 2026-01-06
threads: 2
sources:
  - family: page
  - family: order
"""
ORDERS = """\
event_time,event_type,order_id,visitor_id,customer_id,amount
2026-01-06 10:02:00,created,1,v1,ann,59.90
2026-01-06 10:03:00,paid,1,v1,ann,59.90
2026-01-06 11:02:00,created,2,v1,ann,20.00
2026-01-06 11:01:00,paid,2,v1,ann,20.00
2026-01-06 12:00:00,paid,,v1,ann,7.00
2026-01-06 12:00:00,paid,91,v1,ann,1.00
2026-01-06 12:00:00,paid,92,v1,ann,1.00
2026-01-06 12:00:00,paid,93,v1,ann,1.00
2026-01-06 13:00:00,refunded,,v1,ann,5.00
2026-01-06 13:00:00,refunded,81,v1,ann,5.00
2026-01-06 13:00:00,refunded,82,v1,ann,5.00
2026-01-06 13:00:00,refunded,83,v1,ann,5.00
"""


@pytest.fixture(scope="module")
def verdict(tmp_path_factory: pytest.TempPathFactory) -> gate.DayVerdict:
    home = Home(tmp_path_factory.mktemp("orders"))
    home.config.write_text(CONFIG)
    for family, text in (("order", ORDERS), ("page", "event_time,event_type,visitor_id\n")):
        path: Path = home.path / "landing" / family / f"dt={DAY}" / "events.csv"
        path.parent.mkdir(parents=True)
        path.write_text(text)
    build_days(home, DAY, DAY, is_published=True)
    with open_shop(home.settings) as shop:
        (judged,) = gate.read_verdicts(shop.warehouse, DAY, DAY)
    return judged


TOLD = {
    "intermediate.payments: payments_follow_orders": "1 orders paid before they were created",
    "intermediate.payments: payments_have_orders": "1 payments name no order and are counted nowhere; "
    "3 of 5 paid orders were never created in the 60 days before",
    "intermediate.refunds: refunds_have_orders": "1 refunds name no order; "
    "3 of 4 are of orders that were never paid here (before start_date, or their payment was not delivered)",
}


@pytest.mark.parametrize("subject", TOLD)
def test_the_verdict_of_the_day_names_what_contradicts(subject: str, verdict: gate.DayVerdict) -> None:
    assert {reason.subject: reason.observed for reason in verdict.reasons}[subject] == TOLD[subject]


def test_the_day_is_published_with_its_warnings(verdict: gate.DayVerdict) -> None:
    assert verdict.verdict is gate.Verdict.WARN
