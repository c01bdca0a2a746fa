"""What the shop consists of: products, campaigns, pages, agents. Fixed by the seed, the same every day."""

from dataclasses import dataclass, field
from datetime import date
from typing import Any

import numpy as np

from funnelscope.simulator.streams import Array, create_generator

DEVICES = ("android", "ios", "desktop")
DEVICE_SHARES = np.array([0.55, 0.33, 0.12])
REGIONS = (
    "guangdong",
    "zhejiang",
    "jiangsu",
    "shandong",
    "henan",
    "sichuan",
    "hubei",
    "fujian",
    "beijing",
    "shanghai",
)
CATEGORIES = ("dresses", "shirts", "trousers", "shoes", "bags", "home", "beauty", "snacks")
COUPONS = ("WELCOME10", "SHOP20", "MEMBER15", "LIVE5", "PLATFORM30", "BIRTHDAY50")
COUPON_SHARES = np.array([0.20, 0.12, 0.08, 0.06, 0.05, 0.01])  # of checkouts; the others use none
COUPON_DISCOUNTS = np.array([0.10, 0.12, 0.08, 0.05, 0.15, 0.20])
PROVIDERS = ("alipay", "wechat_pay", "unionpay", "cash_on_delivery")
PAGE_TYPES = ("home", "category", "product", "content", "live", "cart", "checkout", "other")
ENTRY_TYPES = ("home", "product", "live", "content", "cart")
MODULES = ("auto", "gallery", "details", "banner", "recommendations", "size_guide", "video")
AUTO = MODULES.index("auto")
STOCK_STATES = ("in_stock", "low", "out")
PAGE_ERRORS = ("COUPON_INVALID", "COUPON_SERVICE_TIMEOUT", "PAYMENT_DECLINED", "PAYMENT_TIMEOUT")
EXCLUDED_REASONS = ("test", "staff", "brushing")
EXCLUDED_SHARES = np.array([0.003, 0.004, 0.010])
SALES_CHANNELS = ("shop", "live", "phone")
REFUND_TYPES = ("before_shipment", "refund_only", "return_and_refund")
CARE_TYPES = ("delivery_care", "usage_guide", "win_back")
AUDIENCES = ("new_18_24", "new_25_39", "lookalike", "cart_leavers", "members")
KEYWORDS = ("linen dress", "summer shirt", "canvas bag", "gift box", "face cream")
AGENTS = tuple(f"agent_{number:02d}" for number in range(1, 13))
AGENT_TEAMS = tuple("team_early" if n < 5 else "team_late" if n < 10 else "team_night" for n in range(12))
TEAMS = ("team_early", "team_late", "team_night")
SHIFT_OF_TEAM = {"team_early": "day", "team_late": "evening", "team_night": "night"}
TEAM_OF_SHIFT = np.array([2, 0, 1], np.int8)  # of the day's thirds: night, day, evening
TEAM_OF_AGENT = np.array([TEAMS.index(team) for team in AGENT_TEAMS], np.int8)
PRODUCTS = tuple(f"P{number:04d}" for number in range(1, 201))
SKUS_PER_PRODUCT = 4
ORGANIC = -1

HOUR_SHARES = np.array(
    [
        1.6,
        0.9,
        0.6,
        0.4,
        0.4,
        0.6,
        1.3,
        2.4,
        3.6,
        4.7,
        5.4,
        5.2,
        5.1,
        4.9,
        4.8,
        4.9,
        5.0,
        5.1,
        5.4,
        6.5,
        8.0,
        8.9,
        8.2,
        4.9,
    ]
)
WEEKDAY_FACTORS = np.array([0.94, 0.90, 0.92, 0.96, 1.04, 1.12, 1.10])  # Monday first


@dataclass(frozen=True)
class LandingPage:
    name: str
    entry_type: str
    product: int = -1
    place: str = ""  # the content piece or live room, where it is one


LANDING_PAGES = (
    LandingPage("home_main", "home"),
    LandingPage("home_summer", "home"),
    *(LandingPage(f"item_{product + 1:04d}", "product", product) for product in (0, 1, 2, 4, 7, 11, 18, 30)),
    LandingPage("live_main", "live", place="room_main"),
    LandingPage("live_night", "live", place="room_night"),
    LandingPage("content_lookbook", "content", place="lookbook"),
    LandingPage("content_howto", "content", place="howto"),
    LandingPage("content_review", "content", place="review"),
    LandingPage("cart", "cart"),
)
LIVE_ROOMS = tuple(page.place for page in LANDING_PAGES if page.entry_type == "live")
CONTENTS = tuple(page.place for page in LANDING_PAGES if page.entry_type == "content")

# channel: (share of sessions, paid, domain, intent, entry types it leads to)
CHANNELS: dict[str, tuple[float, bool, str, float, tuple[str, ...]]] = {
    "search_ads": (0.16, True, "public", 1.15, ("product", "home")),
    "feed_ads": (0.20, True, "public", 0.70, ("product", "content", "home")),
    "live_ads": (0.08, True, "public", 0.90, ("live",)),
    "affiliate": (0.06, True, "public", 0.95, ("product", "content")),
    "organic_search": (0.16, False, "public", 1.20, ("product", "home")),
    "recommendation": (0.14, False, "public", 0.85, ("product", "content")),
    "direct": (0.11, False, "public", 1.30, ("home", "cart")),
    "community": (0.05, False, "private", 1.45, ("product", "live", "home")),
    "official_account": (0.04, False, "private", 1.25, ("content", "home")),
}
CHANNEL_NAMES = tuple(CHANNELS)
CAMPAIGNS_PER_CHANNEL = 3
CAMPAIGNS = tuple(
    f"{channel}_c{number + 1}"
    for channel, (_, paid, *_) in CHANNELS.items()
    if paid
    for number in range(CAMPAIGNS_PER_CHANNEL)
)


@dataclass(frozen=True)
class Leaves:
    """The finest slices of traffic, one row each: channel -> campaign -> creative, and the page it leads to."""

    channel: Array
    campaign: Array
    creative: Array
    origin: Array
    audience: Array
    keyword: Array
    landing: Array
    paid: Array
    private: Array
    weight: Array
    intent: Array
    click_rate: Array
    click_cost_cents: Array
    pays_by_click: Array


@dataclass(frozen=True)
class World:
    """The shop.

    Attributes:
        product_shares: how the views spread over the products (Zipf), summing to 1.
        words: for each coded text column, the words its codes stand for.
    """

    seed: int
    product_count: int
    product_shares: Array
    product_category: Array
    product_price_cents: Array
    product_appeal: Array
    product_rating: Array
    sku_factor: Array
    leaves: Leaves
    landing_entry: Array
    landing_product: Array
    words: dict[str, list[str]] = field(repr=False)

    def code(self, column: str, word: str) -> int:
        return self.words[column].index(word)


def build_world(seed: int) -> World:
    """The shop of this seed."""
    products = len(PRODUCTS)
    random = create_generator(seed, date(1970, 1, 1), "world")
    zipf = 1.0 / np.arange(1, products + 1) ** 0.9
    leaves, campaign_names, creative_names = _build_leaves(random)
    prices = np.round(np.exp(random.normal(4.6, 0.7, products))).clip(9, 1999) * 100 - 10
    return World(
        seed=seed,
        product_count=products,
        product_shares=zipf / zipf.sum(),
        product_category=random.integers(0, len(CATEGORIES), products).astype(np.int8),
        product_price_cents=prices.astype(np.int64),
        product_appeal=np.exp(random.normal(0, 0.2, products)).astype(np.float32),
        product_rating=random.uniform(4.0, 4.8, products).astype(np.float32),
        sku_factor=np.array([100, 100, 110, 125], np.int64),
        leaves=leaves,
        landing_entry=np.array([ENTRY_TYPES.index(page.entry_type) for page in LANDING_PAGES], np.int8),
        landing_product=np.array([page.product for page in LANDING_PAGES], np.int16),
        words=_build_words(campaign_names, creative_names),
    )


def _build_leaves(random: np.random.Generator) -> tuple[Leaves, list[str], list[str]]:
    """Every creative of every campaign, with one or two landing pages each."""
    rows: list[dict[str, Any]] = []
    campaigns: list[str] = []
    creatives: list[str] = []
    for channel, (share, paid, domain, intent, entries) in CHANNELS.items():
        pages = [index for index, page in enumerate(LANDING_PAGES) if page.entry_type in entries]
        parts = []
        for campaign_number in range(CAMPAIGNS_PER_CHANNEL if paid else 1):
            if paid:
                campaigns.append(f"{channel}_c{campaign_number + 1}")
            audience, keyword = random.integers(0, len(AUDIENCES)), random.integers(0, len(KEYWORDS))
            for creative_number in range(3 if paid else 1):
                if paid:
                    creatives.append(f"{campaigns[-1]}_v{creative_number + 1}")
                own_pages = random.choice(pages, size=min(len(pages), 2 if paid else 5), replace=False)
                for page in own_pages:
                    parts.append(
                        {
                            "channel": CHANNEL_NAMES.index(channel),
                            "campaign": len(campaigns) - 1 if paid else ORGANIC,
                            "creative": len(creatives) - 1 if paid else ORGANIC,
                            "origin": int(random.random() < 0.4) if paid else -1,
                            "audience": audience if paid else -1,
                            "keyword": keyword if channel == "search_ads" else -1,
                            "landing": page,
                            "paid": paid,
                            "private": domain == "private",
                            "weight": random.uniform(0.4, 1.6),
                            "intent": intent * np.exp(random.normal(0, 0.06)),
                            "click_rate": random.uniform(0.01, 0.04),
                            "click_cost_cents": int(random.integers(40, 260)) if paid else 0,
                            "pays_by_click": channel in ("search_ads", "affiliate"),
                        }
                    )
        total = sum(part["weight"] for part in parts)
        rows += [{**part, "weight": share * part["weight"] / total} for part in parts]
    columns = {name: np.array([row[name] for row in rows]) for name in rows[0]}
    return Leaves(**columns), campaigns, creatives


def _build_words(campaigns: list[str], creatives: list[str]) -> dict[str, list[str]]:
    return {
        "channel": list(CHANNEL_NAMES),
        "campaign": campaigns,
        "creative": creatives,
        "creative_origin": ["human", "ai"],
        "audience": list(AUDIENCES),
        "keyword": list(KEYWORDS),
        "landing_page": [page.name for page in LANDING_PAGES],
        "device": list(DEVICES),
        "region": list(REGIONS),
        "domain": ["public", "private"],
        "page_type": list(PAGE_TYPES),
        "page": [
            *(f"item_{number:04d}" for number in range(1, len(PRODUCTS) + 1)),
            *(f"list_{category}" for category in CATEGORIES),
            *(page.name for page in LANDING_PAGES if page.entry_type not in ("product", "cart")),
            "cart",
            "checkout",
        ],
        "product_id": list(PRODUCTS),
        "sku": [f"{product}-{part}" for product in PRODUCTS for part in range(1, SKUS_PER_PRODUCT + 1)],
        "category": list(CATEGORIES),
        "module": list(MODULES),
        "content": list(CONTENTS),
        "live_room": list(LIVE_ROOMS),
        "coupon": list(COUPONS),
        "error_code": list(PAGE_ERRORS),
        "stock_state": list(STOCK_STATES),
        "agent": list(AGENTS),
        "team": list(TEAMS),
        "topic": ["presale", "aftersale"],
        "care_type": list(CARE_TYPES),
        "line": ["1", "2", "3"],
        "payment_provider": list(PROVIDERS),
        "sales_channel": list(SALES_CHANNELS),
        "source_room": list(LIVE_ROOMS),
        "source_content": list(CONTENTS),
        "refund_type": list(REFUND_TYPES),
        "excluded_reason": list(EXCLUDED_REASONS),
    }
