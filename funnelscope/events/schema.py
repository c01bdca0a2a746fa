"""The event schema: what a shop delivers, family by family.

One event is one row. Event types and columns of a family are named only here. The readers, the raw tables, the
simulator and docs/contract.md are derived from this module. Platforms that give no events state figures: their family
is one of rows with a value for each figure.
"""

from dataclasses import dataclass
from enum import StrEnum

from funnelscope.events.figures import FIGURES, LEVELS, FigureKind, PlatformFigure


class Kind(StrEnum):
    """The kind of value in a column. It decides how the value is read and stored."""

    IDENTIFIER = "identifier"  # any text; stored as a keyed 64-bit hash, never in clear
    TIME = "time"  # an instant; stored in UTC
    TEXT = "text"
    WHOLE_NUMBER = "whole number"
    NUMBER = "number"
    MONEY = "money"  # two decimals, one currency a shop
    BOOLEAN = "boolean"


SQL_TYPES = {
    Kind.IDENTIFIER: "BIGINT",
    Kind.TIME: "TIMESTAMP",
    Kind.TEXT: "VARCHAR",
    Kind.WHOLE_NUMBER: "BIGINT",
    Kind.NUMBER: "DOUBLE",
    Kind.MONEY: "DECIMAL(18,2)",
    Kind.BOOLEAN: "BOOLEAN",
}


REQUIRED = ("event_time", "event_type")  # in every event; all other columns may be missing or empty

# Characters around a value that do not belong to it: spaces, including the wide ones of Chinese and French text and the
# zero-width ones of web pages, and the tab that payment exports append to keep Excel from rounding.
BLANKS = " \t\r\n\u00a0\u202f\u3000\ufeff\u200b\u200e\u200f\u2060"

# Above any real amount, but below phone numbers and millisecond timestamps that slip into the wrong column.
MAXIMUM_AMOUNT = 10_000_000_000
MAXIMUM_UNITS = 1_000_000
HOUR_MS = 3_600_000


@dataclass(frozen=True)
class Column:
    """One column of the event schema, with the values that it accepts."""

    name: str
    kind: Kind
    meaning: str
    values: tuple[str, ...] = ()  # the only values accepted, where the contract closes the list
    minimum: int | None = None  # the least value accepted
    maximum: int | None = None  # the greatest value accepted; larger numbers are misplaced ids or phone numbers

    @property
    def sql_type(self) -> str:
        """The DuckDB type in which the column is stored."""
        return SQL_TYPES[self.kind]


@dataclass(frozen=True)
class Family:
    """A family of events, or of figures. `name` is its folder in the landing zone.

    Attributes:
        key: the columns that identify a row of a source, in place of an id of its own; of figures only.
    """

    name: str
    event_types: tuple[str, ...]
    own_columns: tuple[Column, ...]
    key: tuple[str, ...] = ()

    @property
    def table(self) -> str:
        """Name of the family's table, the same in `raw` and `staging`."""
        return "figure_rows" if self.key else f"{self.name}_events"

    @property
    def columns(self) -> tuple[Column, ...]:
        """The columns shared by all families, then the family's own, in stored order."""
        shared = FIGURE_COLUMNS if self.key else COMMON_COLUMNS
        return shared + self.own_columns

    @property
    def given_columns(self) -> tuple[Column, ...]:
        """The columns that a source may map."""
        return tuple(column for column in self.columns if not (self.key and column.name == "event_id"))

    def column(self, name: str) -> Column:
        """The column called `name`. Raises KeyError if the family has no such column."""
        return {column.name: column for column in self.columns}[name]


def _define_identifier(name: str, meaning: str) -> Column:
    return Column(name, Kind.IDENTIFIER, meaning)


def _define_money(name: str, meaning: str, minimum: int = 0) -> Column:
    return Column(name, Kind.MONEY, meaning, minimum=minimum, maximum=MAXIMUM_AMOUNT)


def _define_text(name: str, meaning: str, *values: str) -> Column:
    return Column(name, Kind.TEXT, meaning, values)


COMMON_COLUMNS = (
    _define_identifier("event_id", "the event's own id; without one the delivered content is the id"),
    Column("event_time", Kind.TIME, "when it happened"),
    _define_text("event_type", "what happened: one of the family's event types"),
    _define_text("shop", "the shop; the configured shop where the delivery names none"),
    _define_identifier("visitor_id", "the browser or device"),
    _define_identifier("customer_id", "the person, once known"),
    _define_identifier("session_id", "the source's own session; derived where it has none"),
    Column("is_bot", Kind.BOOLEAN, "the source's own robot flag"),
)

FIGURE_COLUMNS = (
    _define_identifier("event_id", "made of the source and the object"),
    Column("event_time", Kind.TIME, "the day that the figures are about"),
    _define_text("event_type", "what the row is about: its level"),
    _define_text("shop", "the shop; the configured shop where the delivery names none"),
)

TRAFFIC = Family(
    "traffic",
    ("impression", "click", "visit"),
    (
        _define_text("channel", "where the traffic comes from"),
        _define_text("campaign", "the advertiser's campaign"),
        _define_text("creative", "the picture or video shown"),
        _define_text("creative_origin", "who made the creative", "human", "ai"),
        _define_text("audience", "the audience the campaign was aimed at"),
        _define_text("keyword", "the search word that was bid on"),
        _define_text("landing_page", "the page the click leads to"),
        _define_identifier("click_id", "joins a click to its visit"),
        _define_text("device", "kind of device"),
        _define_text("region", "region of the visitor"),
        Column(
            "quantity",
            Kind.WHOLE_NUMBER,
            "how many events a report row stands for; 1 where empty",
            minimum=0,
            maximum=10_000_000_000,
        ),
        _define_money("cost", "what the row cost"),
        _define_text("domain", "public platform traffic or the shop's own private domain", "public", "private"),
    ),
)

PAGE = Family(
    "page",
    (
        "page_view",
        "page_leave",
        "product_view",
        "section_view",
        "module_click",
        "search",
        "media_play",
        "review_view",
        "question_view",
        "favorite",
        "add_to_cart",
        "coupon_claim",
        "coupon_error",
        "checkout_start",
        "payment_failed",
        "live_enter",
        "live_interact",
        "live_leave",
        "follow",
    ),
    (
        _define_text(
            "page_type", "kind of page", "home", "category", "product", "content", "live", "cart", "checkout", "other"
        ),
        _define_text("page", "the page"),
        _define_text("product_id", "the product (SPU) that the page or event is about"),
        _define_text("sku", "the variant (SKU)"),
        _define_text("module", "the module of the page; 'auto' marks a scroll or play that nobody asked for"),
        _define_text("content", "the video, article or picture"),
        _define_text("live_room", "the live room"),
        _define_text("coupon", "the coupon"),
        _define_text("promotion", "the promotion"),
        _define_identifier("order_id", "the order, where the event is about one"),
        _define_text("error_code", "the source's own error code"),
        Column("first_screen_ms", Kind.WHOLE_NUMBER, "milliseconds until the first screen was drawn", (), 0, HOUR_MS),
        Column("dwell_ms", Kind.WHOLE_NUMBER, "milliseconds on the page, sent on leaving it", (), 0, 24 * HOUR_MS),
        Column("scroll_ratio", Kind.NUMBER, "how far the page was scrolled; 40% is 0.4", minimum=0, maximum=1),
        _define_money("displayed_price", "the price shown"),
        _define_text("stock_state", "in stock, low, out: the source's words"),
    ),
)

SERVICE = Family(
    "service",
    (
        "customer_message",
        "agent_message",
        "bot_message",
        "conversation_closed",
        "transferred",
        "rated",
        "question_asked",
        "question_answered",
        "review_replied",
        "care_sent",
        "care_opened",
        "member_joined",
        "contact_added",
        "contact_lost",
        "community_joined",
        "opted_out",
    ),
    (
        _define_identifier("conversation_id", "the conversation"),
        _define_text("agent", "the agent who wrote, or was written to"),
        _define_text("team", "the agent's team"),
        _define_text("topic", "before or after the sale", "presale", "aftersale"),
        _define_text("product_id", "the product (SPU) it is about"),
        _define_identifier("order_id", "the order it is about"),
        Column("rating", Kind.WHOLE_NUMBER, "stars given to the service", minimum=1, maximum=5),
        _define_text("care_type", "kind of care message after the purchase"),
        _define_identifier("message_id", "the message"),
    ),
)

ORDER = Family(
    "order",
    (
        "created",
        "deposit_paid",
        "balance_paid",
        "paid",
        "cancelled",
        "shipped",
        "delivered",
        "returned_to_origin",
        "refunded",
        "reviewed",
    ),
    (
        _define_identifier("order_id", "the order"),
        _define_text("line", "the line of the order"),
        _define_text("product_id", "the product (SPU) sold"),
        _define_text("sku", "the variant (SKU) sold"),
        _define_text("category", "the product's category"),
        Column("quantity", Kind.WHOLE_NUMBER, "units on the line", minimum=-MAXIMUM_UNITS, maximum=MAXIMUM_UNITS),
        _define_money(
            "amount", "for the line, after discount; of this event (a deposit's own amount)", -MAXIMUM_AMOUNT
        ),
        _define_money("shipping_amount", "postage; on one line of the order"),
        _define_money("discount", "discount already taken off the amount"),
        _define_text("coupon", "the coupon used"),
        _define_text("promotion", "the promotion"),
        _define_text("payment_provider", "who carries the payment"),
        _define_text("sales_channel", "where it was sold"),
        _define_text("source_room", "the live room that the source credits"),
        _define_text("source_content", "the content piece that the source credits"),
        _define_identifier("refund_id", "the refund"),
        _define_text("refund_type", "kind of refund"),
        _define_text("error_code", "the source's own error code"),
        Column("rating", Kind.WHOLE_NUMBER, "stars given to the product", minimum=1, maximum=5),
        _define_text("excluded_reason", "why the shop does not count the order: test, staff, brushing"),
    ),
)


def _define_figure(figure: PlatformFigure) -> Column:
    match figure.kind:
        case FigureKind.COUNT | FigureKind.PEOPLE:
            return Column(figure.name, Kind.WHOLE_NUMBER, figure.meaning, minimum=0, maximum=MAXIMUM_AMOUNT)
        case FigureKind.MONEY:
            return _define_money(figure.name, figure.meaning)
        case FigureKind.RATE:
            return Column(figure.name, Kind.NUMBER, f"{figure.meaning}; 40% is 0.4", minimum=0, maximum=1)
        case FigureKind.RATIO:
            return Column(figure.name, Kind.NUMBER, figure.meaning, minimum=0)
    return Column(figure.name, Kind.NUMBER, f"{figure.meaning}, in seconds", minimum=0)


FIGURE = Family(
    "figure",
    LEVELS,
    (
        _define_text("platform", "who states the figures, such as taobao, jd, douyin, wanxiangtai"),
        _define_text("object", "the product, source, keyword, campaign, agent or room; empty for the shop"),
        _define_text("object_name", "its name, where the platform states one beside the id"),
        _define_text("parent", "what the object is part of: the source above it, the campaign's account"),
        _define_text("device", "kind of device, where the figures are of one"),
        Column(
            "attribution_days",
            Kind.WHOLE_NUMBER,
            "days after a click that the advertising claims",
            minimum=0,
            maximum=365,
        ),
        *(_define_figure(figure) for figure in FIGURES.values()),
    ),
    key=("event_type", "platform", "shop", "object", "parent", "device"),
)

EVENT_FAMILIES = {family.name: family for family in (TRAFFIC, PAGE, SERVICE, ORDER)}
FAMILIES = {**EVENT_FAMILIES, FIGURE.name: FIGURE}
