"""What platforms state of the shop: figures of the whole, their own funnel, and tables by level."""

import json
from collections.abc import Collection, Mapping, Sequence
from datetime import date, timedelta
from statistics import median

import reports
from funnelscope.events.figures import FIGURES, FUNNELS, LEVELS
from funnelscope.messages.wording import STATED
from funnelscope.reporting.marks import mark_objects, mark_platforms
from funnelscope.reporting.periods import Period, get_day
from funnelscope.reporting.published_days import Published
from funnelscope.reporting.stated_figures import (
    MOST_OBJECTS,
    PARTS_OF_A_SHOP,
    QUOTIENTS,
    SIZES,
    SUMMED_LEVELS,
    WORDS_FOR_ALL,
    Place,
    Series,
    Stated,
    StatedObjectDays,
    find_rule,
    find_unit,
)

FIRST_FIGURES = (
    *("paid_amount", "visitors", "viewers", "pay_rate", "amount_per_buyer", "refunded_amount"),
    *("cost", "cost_share"),
)
ADVERTISING_FIGURES = ("cost", "impressions", "clicks", "click_rate", "cost_per_click")
"""Of an advertising platform. What it claims stands with its window in the table, and is never added up."""
ADVERTISING_OF = {"wanxiangtai": "taobao", "qianchuan": "douyin"}
"""Advertising platforms, and the platform whose paid amount their cost is a share of."""
ADVERTISED_LEVELS = ("campaign", "product")
MAIN_AMOUNT = "paid_amount"
DRAWN = (MAIN_AMOUNT, "pay_rate", "cost")
TARGETS = {"pay_rate": "visitor_pay_rate"}
"""The target of a figure, where the settings call it otherwise."""
COLUMNS = {
    "shop": ("paid_amount", "visitors", "product_visitors", "cart_users", "paying_buyers", "pay_rate"),
    "product": (
        *("paid_amount", "product_visitors", "visitors", "cart_users", "paying_buyers", "pay_rate"),
        *("refunded_amount", "stock_units"),
    ),
    "source": ("visitors", "product_visitors", "cart_users", "paying_buyers", "pay_rate", "paid_amount"),
    "keyword": (
        *("search_visitors", "visitors", "impressions", "clicks", "click_rate", "cost"),
        *("search_paying_buyers", "paying_buyers", "pay_rate", "search_pay_rate", "paid_amount"),
    ),
    "campaign": (
        *("cost", "impressions", "clicks", "click_rate", "cost_per_click", "attributed_orders"),
        *("attributed_amount", "return_on_spend"),
    ),
    "agent": (
        *("inquirers", "served_users", "conversations", "inquirers_paid", "inquiry_pay_rate"),
        *("first_response_seconds", "response_rate_3min", "satisfaction_rate", "new_contacts", "messages"),
    ),
    "room": (
        *("paid_amount", "impression_users", "viewers", "visitors", "product_click_users", "paying_buyers"),
        *("pay_rate", "refunded_amount", "watch_seconds", "watch_rate", "product_click_rate", "click_pay_rate"),
    ),
}
RATES = {
    "shop": ("pay_rate", "bounce_rate"),
    "product": ("pay_rate", "cart_rate"),
    "source": ("pay_rate", "bounce_rate"),
    "keyword": ("search_pay_rate", "pay_rate", "click_rate"),
    "campaign": ("click_rate", "cost_per_click"),
    "agent": ("inquiry_pay_rate", "response_rate_3min", "reply_rate", "first_response_seconds"),
    "room": ("pay_rate",),
}
"""Of each level, the figure that is held against its usual value; the first that is stated."""
REFUNDED = "refunded_amount"
TRUST_DAYS = 28
JUDGED_OBJECTS = 20
"""Of each table, so many of the largest are marked where they moved: with all, nothing small could be seen."""


def read_platforms(published: Published) -> tuple[tuple[reports.Platform, ...], tuple[reports.ComparedFigure, ...]]:
    """What each platform states, those with a funnel and most money first, and the amounts of all together."""
    stated = Stated(published, {level: (*COLUMNS[level], *RATES[level]) for level in SIZES})
    several = {name for name, _ in stated.places if sum(other == name for other, _ in stated.places) > 1}
    found = _read_findings(published)
    platforms = [_read_platform(stated, name, shop, found, name in several) for name, shop in stated.places]
    platforms = [each for each in platforms if each.figures or each.others or each.tables]
    marked, total = mark_platforms(mark_objects(platforms, JUDGED_OBJECTS), _read_total(stated))
    return tuple(sorted(marked, key=_rank_platform)), total


def _rank_platform(platform: reports.Platform) -> tuple[bool, float, str, str]:
    figure = platform.find_figure(f"{STATED}paid_amount")
    return platform.level != "shop", -float((figure.value if figure else None) or 0), platform.name, platform.shop


def _read_findings(published: Published) -> set[Place]:
    """What findings of the report's days name; `shop` is left empty, because they do not tell it."""
    if not published.has_table("diagnosis", "findings"):
        return set()
    rows = published.rows(
        "select distinct slice from diagnosis.findings where cube = 'figure_steps' and status != 'recovered' "
        "and list_contains($dates, business_date)"
    )
    slices = [json.loads(text) for (text,) in rows]
    keys = ("object", "parent", "device")
    return {
        Place(each.get("platform", ""), "", each.get("level", ""), *(each.get(key, "") for key in keys))
        for each in slices
    }


def _read_platform(
    stated: Stated, name: str, shop: str, found: Collection[Place], is_shop_named: bool
) -> reports.Platform:
    level, whole = _find_level(stated, name, shop)
    peers = stated.find_whole(name, shop, "peers") or _find_mean_of_peers(stated, name, shop)
    series = {key: whole.select_series(key, stated.published) for key in [*FIGURES, *QUOTIENTS]} if whole else {}
    series = {key: days for key, days in series.items() if days}
    if level == "shop":
        series |= _read_cost(stated, name, shop, series)
    first = FIRST_FIGURES if level != "campaign" else ADVERTISING_FIGURES
    tables = [
        table
        for table_level in ("shop", *SIZES)
        if (table := _read_table(stated, name, shop, table_level, found)) is not None
    ]
    shown = [key for key in first if key in series and not (key == "viewers" and "visitors" in series)]
    others = [key for key in series if key not in shown and not _is_claim(key)]
    has_one = len(stated.places) == 1
    return reports.Platform(
        name=name,
        shop=shop if is_shop_named else "",
        level=level,
        figures=tuple(_compare(stated, key, series[key], peers, has_target=has_one) for key in shown),
        others=tuple(_compare(stated, key, series[key], peers) for key in others),
        steps=_read_steps(stated, whole) if whole and level == "shop" else (),
        tables=tuple(tables),
        deliveries=_read_deliveries(stated, name, shop),
        trust=_read_trust(stated.published, name) if level == "shop" else (),
        days=_read_days(stated, {key: series[key] for key in shown}),
        claim=next(filter(None, (_read_claim(stated, name, shop, table) for table in tables)), None),
    )


def _read_claim(stated: Stated, name: str, shop: str, table: reports.StatedTable) -> reports.Claim | None:
    """What all campaigns cost on the day and claim; None where either or the window of the claims is not stated."""
    day, sums = stated.published.business_date, stated.sums.get((name, shop, table.level), {})
    cost, amount = (sums.get(key, {}).get(day) for key in ("cost", "attributed_amount"))
    is_known = stated.published.is_day and table.level == "campaign" and bool(cost) and amount is not None
    if not is_known or table.attribution_days is None or table.claim_age is None:
        return None
    return reports.Claim(cost or 0, amount or 0, table.attribution_days, table.claim_age)


def _read_days(stated: Stated, series: Mapping[str, Series]) -> tuple[reports.StatedDay, ...]:
    """Each day of a longer period with its figures; empty for a day."""
    published = stated.published
    if published.is_day or not series:
        return ()
    days = published.period.days
    columns = [stated.build_days(key, known, days) for key, known in series.items()]
    return tuple(reports.StatedDay(day, figures) for day, figures in zip(days, zip(*columns, strict=True), strict=True))


def build_daily_amount(published: Published, platforms: Sequence[reports.Platform]) -> reports.Figure | None:
    """The paid amount of all platforms together on each day of a week or month; None where none states any.

    A day is known, and comparable, where each of those that state amounts does.
    """
    if published.is_day:
        return None
    key = f"{STATED}{MAIN_AMOUNT}"
    stated = Stated(published, {"shop": (MAIN_AMOUNT,)})
    all_series = [_read_amount(stated, name, shop) for name, shop in stated.places]
    known = [series for series in all_series if any(day in series for day in published.period.days)]
    if not platforms or not known:
        return None
    days = [day for day in published.period.days if day <= published.last_date]
    points = tuple(
        reports.DayPoint(day, each.value, published.promotion(day, day), each.usual_low, each.usual_high, each.baseline)
        for day, each in zip(days, stated.build_days(MAIN_AMOUNT, _add_series(known), days), strict=True)
    )
    return reports.Figure(key, find_unit(MAIN_AMOUNT), None, trend=points)


def _read_amount(stated: Stated, name: str, shop: str) -> Series:
    """The paid amounts of the platform by day; of advertising, none."""
    level, whole = _find_level(stated, name, shop)
    return whole.select_series(MAIN_AMOUNT, stated.published) if whole and level != "campaign" else {}


def _is_claim(key: str) -> bool:
    """Whether advertising claims it: such figures stand with their window beside them, in the table."""
    return key.startswith("attributed_") or key == "return_on_spend"


def _find_level(stated: Stated, name: str, shop: str) -> tuple[str, StatedObjectDays | None]:
    """The whole shop as the platform states it; else what may be added up of all rooms, products or campaigns.

    Of advertising, campaigns come first: what the shop's line counts as its cost.
    """
    if whole := stated.find_whole(name, shop, "shop"):
        return "shop", whole
    for level in ADVERTISED_LEVELS if name in ADVERTISING_OF else SUMMED_LEVELS:
        if values := stated.sums.get((name, shop, level)):
            return level, StatedObjectDays(Place(name, shop, level), "", values, {}, {})
    return "shop", None


def _find_mean_of_peers(stated: Stated, name: str, shop: str) -> StatedObjectDays | None:
    """Of several rows about comparable shops, that of their mean: 同行同层均值 beside 同行同层优秀."""
    rows = stated.select_objects(name, shop, "peers")
    means = [
        each for each in rows if "均" in each.name or "mean" in each.name.lower() or "average" in each.name.lower()
    ]
    return means[0] if len(means) == 1 else None


def _read_cost(stated: Stated, name: str, shop: str, series: Mapping[str, Series]) -> dict[str, Series]:
    """The cost of the advertising on the platform, and its share of the paid amount.

    As the platform states it of the shop, else the sum of its campaigns, else that of its advertising platform.
    """
    advertising = [
        place
        for place in stated.places
        if ADVERTISING_OF.get(place[0]) == name and _belongs_to(stated, place[1], name, shop)
    ]
    known = [series.get("cost"), *(_sum_cost(stated, *place) for place in ((name, shop), *advertising))]
    cost = next(filter(None, known), {})
    paid = series.get("paid_amount", {})
    share = {day: (cost[day][0], paid[day][0]) for day in cost if day in paid and paid[day][0]}
    return {key: days for key, days in (("cost", cost), ("cost_share", share)) if days}


def _belongs_to(stated: Stated, advertised: str, name: str, shop: str) -> bool:
    """Whether the advertising is for this shop: it has the same name, or the platform has no other."""
    return advertised == shop or [each for each, _ in stated.places].count(name) == 1


def _sum_cost(stated: Stated, name: str, shop: str) -> Series:
    whole = stated.find_whole(name, shop, "shop")
    if whole and (of_shop := whole.select_series("cost", stated.published)):
        return of_shop
    for level in ADVERTISED_LEVELS:
        if cost := stated.sums.get((name, shop, level), {}).get("cost"):
            return {day: (value, None) for day, value in cost.items()}
    return {}


def _compare(
    stated: Stated, key: str, series: Series, peers: StatedObjectDays | None = None, *, has_target: bool = False
) -> reports.ComparedFigure:
    """The figure with its earlier values, that of comparable shops, and its target."""
    published = stated.published
    figure = stated.build_figure(key, series, with_trend=key in DRAWN)
    target = published.settings.targets.get(TARGETS.get(key, key)) if has_target else None
    is_sum = find_rule(key) == "sum"
    before, earlier = _find_earlier(published)
    of_peers = peers.select_series(key, published) if peers else {}
    return reports.ComparedFigure(
        figure,
        before=stated.read_value(key, series, published.comparable_days(before)),
        earlier=stated.read_value(key, series, published.comparable_days(earlier)),
        peers=stated.build_figure(key, of_peers).value if of_peers else None,
        target=target * len(published.dates) if target is not None and is_sum else target,
        days=sum(day in series for day in published.dates),
    )


def _find_earlier(published: Published) -> tuple[Period, Period]:
    """Yesterday and the same weekday a week before; for a longer period the previous one and that of a year before."""
    if published.is_day:
        week = timedelta(days=7)
        return published.period.before(), get_day(published.business_date - week)
    return published.period.before(), published.period.year_before


def _read_total(stated: Stated) -> tuple[reports.ComparedFigure, ...]:
    """Amounts of all selling platforms, on the days that all of them state. People are never added."""
    sales: dict[tuple[str, str], dict[str, Series]] = {}
    for name, shop in stated.places:
        level, whole = _find_level(stated, name, shop)
        keys = ("paid_amount", "refunded_amount", "cost")
        series = {key: days for key in keys if whole and (days := whole.select_series(key, stated.published))}
        if level != "campaign" and "paid_amount" in series:
            sales[name, shop] = series | _read_cost(stated, name, shop, series)
    if len(sales) < 2:
        return ()
    summed = {}
    for key in ("paid_amount", "refunded_amount", "cost"):
        parts = [series[key] for series in sales.values() if key in series]
        if len(parts) == len(sales):  # a sum without one of them is no total
            summed[key] = _add_series(parts)
    return tuple(_compare(stated, key, series, has_target=True) for key, series in summed.items())


def _add_series(parts: Sequence[Series]) -> Series:
    """Day by day; only days that every part has: what is missing is not zero."""
    days = set.intersection(*(set(part) for part in parts))
    return {day: (sum(part[day][0] for part in parts), None) for day in sorted(days)}


# --- The platform's own funnel -------------------------------------------------------------------


def _read_steps(stated: Stated, whole: StatedObjectDays) -> tuple[reports.StageStep, ...]:
    """The steps of the whole shop that the platform states, with their rates."""
    published = stated.published
    steps: dict[tuple[str, str], dict[date, tuple[float, float]]] = {}
    for entered_metric, passed_metric, day, entered, passed in published.rows(
        "select entered_metric, passed_metric, business_date, entered, passed from marts.figure_steps "
        "where (platform, shop, level, object, parent, device) = ($platform, $shop, $level, $object, $parent, $device) "
        "and business_date between $from_date and $to_date",
        **whole.place._asdict(),
    ):
        if passed_metric in FUNNELS["shop"]:
            steps.setdefault((entered_metric, passed_metric), {})[day] = (passed, entered)
    today = {pair: days for pair, days in steps.items() if any(day in days for day in published.dates)}
    if not today:
        return ()
    ordered = sorted(today.items(), key=lambda item: FUNNELS["shop"].index(item[0][1]))
    (first, _), _ = ordered[0]
    counted = stated.build_figure(first, whole.select_series(first, published))
    head = reports.StageStep(counted.key, _make_count(counted.value), baseline_count=_make_float(counted.baseline))
    return (head, *(_build_step(stated, whole, passed, days) for (_, passed), days in ordered))


def _build_step(
    stated: Stated, whole: StatedObjectDays, key: str, days: Mapping[date, tuple[float, float]]
) -> reports.StageStep:
    counted = stated.build_figure(key, whole.select_series(key, stated.published))
    rates = {day: counts for day, counts in days.items() if counts[1]}
    rate = stated.build_figure("pay_rate", rates)  # any share of people: the same unit, rule and chance
    return reports.StageStep(
        counted.key,
        _make_count(counted.value),
        rate_from_previous=_make_float(rate.value),
        baseline_count=_make_float(counted.baseline),
        baseline_rate=_make_float(rate.baseline),
        usual_low=_make_float(rate.usual_low),
        usual_high=_make_float(rate.usual_high),
        surprise=rate.surprise,
    )


def _make_count(value: object) -> int | None:
    return None if value is None else round(float(value))  # type: ignore[arg-type]


def _make_float(value: object) -> float | None:
    return None if value is None else float(value)  # type: ignore[arg-type]


# --- Tables by level -----------------------------------------------------------------------------


def _read_table(
    stated: Stated, name: str, shop: str, level: str, found: Collection[Place]
) -> reports.StatedTable | None:
    objects = stated.select_objects(name, shop, level)
    if not objects or (level == "shop" and stated.find_whole(name, shop, level)):
        return None
    published = stated.published
    keys = [key for key in COLUMNS[level] if any(each.select_series(key, published) for each in objects)]
    sizes = PARTS_OF_A_SHOP if level == "shop" else SIZES[level]
    size = next((key for key in sizes if any(each.values.get(key) for each in objects)), None)
    if size is None:
        return None
    rate = next((key for key in RATES[level] if any(each.select_series(key, published) for each in objects)), None)
    columns = tuple(dict.fromkeys([size, *(key for key in keys if key != rate), *([rate] if rate else [])]))
    parents = {each.place.parent for each in objects if each.place.parent}
    rows = [_build_object(stated, each, columns, parents, found, rate) for each in objects]
    rows = [row for row in rows if any(figure.value is not None or figure.baseline for figure in row.figures)]
    if not rows:
        return None
    place = columns.index(size)
    rows.sort(key=lambda row: (-_measure(row.figures[place]), row.name, row.object, row.parent, row.device))
    windows = {
        (each.attribution_days[published.business_date], each.count_claim_days(published.business_date))
        for each in objects
        if published.business_date in each.attribution_days
    }
    window, age = windows.pop() if len(windows) == 1 else (None, None)
    return reports.StatedTable(
        level=level,
        columns=tuple(f"{STATED}{key}" for key in columns),
        size=f"{STATED}{size}",
        rate=f"{STATED}{rate}" if rate else None,
        objects=tuple(rows),
        object_count=max(stated.counts.get((name, shop, level), 0), min(len(rows), MOST_OBJECTS)),
        attribution_days=window,
        claim_age=age,
        peers=_build_peers_row(stated, name, shop, columns) if level == "agent" else None,
    )


def _build_object(
    stated: Stated,
    each: StatedObjectDays,
    columns: Sequence[str],
    parents: set[str],
    found: Collection[Place],
    judged: str | None = None,
) -> reports.StatedObject:
    named = Place(each.place.platform, "", each.place.level, each.place.object, each.place.parent, each.place.device)
    names = (each.place.object, each.name)
    return reports.StatedObject(
        name=each.name,
        object=each.place.object,
        figures=tuple(
            stated.build_figure(key, each.select_series(key, stated.published), with_range=key == judged)
            for key in columns
        ),
        parent=each.place.parent,
        device=each.place.device,
        is_rollup=any(name in parents or name.lower() in WORDS_FOR_ALL for name in names if name),
        is_found=named in found,
    )


def _build_peers_row(stated: Stated, name: str, shop: str, columns: Sequence[str]) -> reports.StatedObject | None:
    """The row of comparable shops that has figures of the table; None without one, or with several."""
    rows = [_build_object(stated, each, columns, set(), ()) for each in stated.select_objects(name, shop, "peers")]
    known = [row for row in rows if row.figures[0].value is not None]
    return known[0] if len(known) == 1 else None


def _measure(figure: reports.Figure) -> float:
    """How large an object is, or usually is: one that has vanished keeps its place."""
    return max(float(figure.value or 0), float(figure.baseline or 0))


# --- What is in, and whether it agrees with ours ---------------------------------------------------


def _read_deliveries(stated: Stated, name: str, shop: str) -> tuple[reports.StatedDelivery, ...]:
    return tuple(
        reports.StatedDelivery(level, newest, delivered, stated.counts.get((platform, of_shop, level), 0))
        for (platform, of_shop, level), (newest, delivered) in sorted(
            stated.newest.items(), key=lambda item: LEVELS.index(item[0][2])
        )
        if (platform, of_shop) == (name, shop)
    )


def _read_trust(published: Published, name: str) -> tuple[reports.TrustLine, ...]:
    """Ours against the platform's on the day, beside the median of the four weeks before.

    Refunds are left out until those of the day are there.
    """
    if not published.is_day or not published.has_table("marts", "trust_ratios"):
        return ()
    days: dict[str, dict[date, tuple[float | None, float | None]]] = {}
    for metric, day, ours, stated in published.rows(
        "select metric, business_date, ours, stated from marts.trust_ratios "
        "where platform = $platform and business_date between $since and $to_date order by metric",
        platform=name,
        since=published.business_date - timedelta(days=TRUST_DAYS),
    ):
        days.setdefault(metric, {})[day] = (ours, stated)
    lines = []
    for metric, values in days.items():
        if metric == REFUNDED and published.known_refunds is not None:
            continue
        ratios = [
            float(ours) / float(stated)
            for day, (ours, stated) in values.items()
            if day < published.business_date and ours is not None and stated
        ]
        ours, stated_value = values.get(published.business_date, (None, None))
        if ratios or ours is not None:  # a shop without events has nothing beside what is stated
            usual = median(ratios) if ratios else None
            lines.append(reports.TrustLine(f"{STATED}{metric}", ours, stated_value, usual))
    return tuple(lines)
