"""The figures that platforms state: their names, kinds, and the funnel that they make.

A shop on a marketplace gets no events but finished figures: so many visitors, so many buyers, of a day and an object.
A metric is named only here; the columns of the family `figure` are derived from this module.
"""

from dataclasses import dataclass
from enum import StrEnum


class FigureKind(StrEnum):
    """What kind of quantity a figure is. Only counts and money may be added up."""

    COUNT = "count"
    PEOPLE = "people"  # a person is counted once a day and object, so neither days nor objects may be added
    MONEY = "money"
    RATE = "rate"  # 0 to 1, as the platform states it
    RATIO = "ratio"  # a quotient of amounts, as the platform states it
    DURATION = "duration"  # seconds, a mean over a number of cases that is not stated


@dataclass(frozen=True)
class PlatformFigure:
    """One figure that a platform states of an object and a day."""

    name: str
    kind: FigureKind
    meaning: str

    @property
    def is_additive(self) -> bool:
        """Whether values of several days or objects may be added."""
        return self.kind in (FigureKind.COUNT, FigureKind.MONEY)


LEVELS = ("shop", "product", "source", "keyword", "campaign", "agent", "room", "peers")
"""What a figure is about: its event type. `peers` is the mean of comparable shops, a benchmark and never a part."""


def _define(kind: FigureKind, **meanings: str) -> tuple[PlatformFigure, ...]:
    return tuple(PlatformFigure(name, kind, meaning) for name, meaning in meanings.items())


FIGURES = {
    figure.name: figure
    for figure in (
        *_define(
            FigureKind.COUNT,
            impressions="times that the object was shown",
            clicks="clicks on what was shown",
            page_views="pages opened",
            product_views="product pages opened",
            product_impressions="times that its products were shown",
            product_clicks="clicks on its products",
            cart_units="units put into the cart",
            orders="orders created",
            ordered_units="units ordered",
            paid_orders="orders paid",
            paid_units="units paid",
            refunded_orders="orders refunded, in part or as a whole",
            stock_units="units in stock",
            attributed_orders="paid orders that the advertising claims",
            attributed_cart_units="units put into the cart that the advertising claims",
            new_contacts="contacts added",
            lost_contacts="contacts that left or blocked the shop",
            conversations="conversations",
            messages="messages sent",
        ),
        *_define(
            FigureKind.PEOPLE,
            impression_users="people to whom it was shown",
            viewers="people who watched the live room",
            visitors="people who visited",
            new_visitors="visitors who came for the first time",
            search_visitors="visitors who came from the platform's search",
            product_impression_users="people to whom its products were shown",
            product_click_users="people who clicked on its products",
            product_visitors="people who opened a product page",
            favorite_users="people who marked a favourite",
            cart_users="people who put something into the cart",
            order_buyers="people who ordered",
            paying_buyers="people who paid",
            new_paying_buyers="people who paid for the first time",
            returning_paying_buyers="people who had paid before",
            search_paying_buyers="people who came from the platform's search and paid",
            refunding_buyers="people who were refunded",
            inquirers="people who asked before buying",
            inquirers_paid="inquirers who paid",
            served_users="people whom the service answered",
            consulting_users="people who wrote to the service, whether before buying or after",
        ),
        *_define(
            FigureKind.MONEY,
            order_amount="amount of the orders created",
            paid_amount="amount paid",
            returning_paid_amount="of it, by people who had paid before",
            refunded_amount="amount refunded on the day",
            cost="what the advertising cost",
            attributed_amount="amount that the advertising claims",
        ),
        *_define(
            FigureKind.RATE,
            click_rate="clicks or clicking people, of those to whom it was shown",
            bounce_rate="visits that saw one page, of all",
            order_rate="order_buyers / visitors of the object",
            pay_rate="paying_buyers / visitors of the object",
            inquiry_pay_rate="inquirers_paid / inquirers",
            reply_rate="conversations that were answered, of all",
            response_rate_3min="conversations that a person answered within 3 minutes, of all",
            satisfaction_rate="good ratings, of all",
            refund_rate="refunds, of what was paid",
        ),
        *_define(
            FigureKind.RATIO,
            amount_per_buyer="paid_amount / paying_buyers",
            return_on_spend="attributed_amount / cost",
        ),
        *_define(
            FigureKind.DURATION,
            stay_seconds="stay of a visitor",
            watch_seconds="stay of a viewer in the live room",
            first_response_seconds="time to the first answer",
            average_response_seconds="time to an answer",
        ),
    )
}

FUNNELS = {
    "shop": (
        "impressions",
        "clicks",
        "impression_users",
        "viewers",
        "visitors",
        "product_impression_users",
        "product_click_users",
        "product_visitors",
        "cart_users",
        "order_buyers",
        "paying_buyers",
    ),
    "search": ("search_visitors", "search_paying_buyers"),
    "service": ("inquirers", "inquirers_paid"),
}
"""The figures of a platform's own funnels, upstream first. A step leads from one to the next that is stated."""
