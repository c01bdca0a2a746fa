"""The figures that platforms state, day by day, and what they come to on the days of a report.

Amounts and counts of events are summed over days; people, durations and rates of people never are: of several days
their mean is stated, and called so.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from functools import cached_property
from statistics import fmean
from typing import NamedTuple

import reports
from funnelscope.events.figures import FIGURES, FigureKind
from funnelscope.messages.message_types import Number, Unit
from funnelscope.messages.wording import STATED
from funnelscope.reporting.published_days import Published
from funnelscope.reporting.usual import Chance, Counts, Usual

SILENT_DAYS = 14
"""A platform that has stated nothing for so long is no longer missed."""
MOST_OBJECTS = 300
"""Of a level, these are read, the largest first: a search report has a hundred thousand words."""
SIZES = {
    "product": ("paid_amount", "product_visitors", "visitors", "paying_buyers", "impressions", "stock_units"),
    "source": ("visitors", "product_visitors", "paid_amount", "paying_buyers"),
    "keyword": ("search_visitors", "visitors", "product_visitors", "cost", "impressions", "paid_amount"),
    "campaign": ("cost", "impressions", "clicks", "attributed_amount"),
    "agent": ("inquirers", "served_users", "conversations", "new_contacts", "paid_amount", "messages"),
    "room": ("paid_amount", "viewers", "impression_users", "visitors", "paying_buyers"),
}
"""The levels with many objects, and the figures that tell which of them are large: the first that is stated."""
PARTS_OF_A_SHOP = ("paid_amount", "visitors", "viewers", "paying_buyers")
"""The same for parts of a shop, such as devices, where nothing is stated of the whole."""
SUMMED_LEVELS = ("room", "product", "campaign")
"""Whose amounts and counts stand for a platform that states nothing of the whole shop; the first that is stated."""
WORDS_FOR_ALL = (
    "",
    "all",
    "total",
    "全部",
    "全店",
    "整体",
    "店铺",
    "汇总",
    "汇总值",
    "合计",
    "总计",
    "所有终端",
    "全部终端",
    "不限",
)
"""What exports write where a row is about everything."""


@dataclass(frozen=True)
class Quotient:
    """A rate or mean from two figures of one row; the first of each that is stated."""

    numerators: tuple[str, ...]
    denominators: tuple[str, ...]
    unit: Unit
    is_share: bool = False


QUOTIENTS = {
    "pay_rate": Quotient(("paying_buyers",), ("visitors", "product_visitors", "viewers"), Unit.RATE, True),
    "search_pay_rate": Quotient(("search_paying_buyers",), ("search_visitors",), Unit.RATE, True),
    "cart_rate": Quotient(("cart_users",), ("product_visitors", "visitors"), Unit.RATE, True),
    "inquiry_pay_rate": Quotient(("inquirers_paid",), ("inquirers",), Unit.RATE, True),
    "amount_per_buyer": Quotient(("paid_amount",), ("paying_buyers",), Unit.MONEY),
    "click_rate": Quotient(("clicks",), ("impressions",), Unit.RATE, True),
    "cost_per_click": Quotient(("cost",), ("clicks",), Unit.MONEY),
    "cost_share": Quotient(("cost",), ("paid_amount",), Unit.RATE),
    "return_on_spend": Quotient(("attributed_amount",), ("cost",), Unit.RATIO),
    "watch_rate": Quotient(("viewers",), ("impression_users",), Unit.RATE, True),
    "product_click_rate": Quotient(("product_click_users",), ("viewers",), Unit.RATE, True),
    "click_pay_rate": Quotient(("paying_buyers",), ("product_click_users",), Unit.RATE, True),
}
UNITS = {
    FigureKind.COUNT: Unit.COUNT,
    FigureKind.PEOPLE: Unit.COUNT,
    FigureKind.MONEY: Unit.MONEY,
    FigureKind.RATE: Unit.RATE,
    FigureKind.RATIO: Unit.RATIO,
    FigureKind.DURATION: Unit.SECONDS,
}

Series = Mapping[date, Counts]


class Place(NamedTuple):
    """What a figure is about."""

    platform: str
    shop: str
    level: str
    object: str = ""
    parent: str = ""
    device: str = ""


@dataclass
class StatedObjectDays:
    """An object with its figures day by day: metric → day → value."""

    place: Place
    name: str
    values: dict[str, dict[date, float]]
    delivered: dict[date, date]
    attribution_days: dict[date, int]

    def select_series(self, key: str, published: Published) -> Series:
        """The values of a figure, or the two of a quotient; empty where the platform does not state it.

        What advertising claims grows for days: earlier days count only at the age of the latest one.
        """
        return self._keep_same_age(key, build_series(self.values, key), published)

    def count_claim_days(self, day: date) -> int | None:
        """How many days of the claim were over when the figures of the day were delivered; None without a claim."""
        if day not in self.attribution_days or day not in self.delivered:
            return None
        return min(max((self.delivered[day] - day).days, 0), self.attribution_days[day])

    def _keep_same_age(self, key: str, series: Series, published: Published) -> Series:
        if not (key.startswith("attributed_") or key == "return_on_spend"):
            return series
        if key == "return_on_spend":  # without its window a return says nothing
            series = {day: counts for day, counts in series.items() if day in self.attribution_days}
        age = self.count_claim_days(published.business_date)
        window = self.attribution_days.get(published.business_date)
        return {
            day: counts
            for day, counts in series.items()
            if day in published.dates
            or (self.count_claim_days(day) == age and self.attribution_days.get(day) == window)
        }


def list_metrics(keys: Iterable[str]) -> list[str]:
    """The figures that are stated, of figures and quotients."""
    quotients = [QUOTIENTS[key] for key in keys if key in QUOTIENTS]
    parts = [name for each in quotients for name in (*each.numerators, *each.denominators)]
    return sorted({*(key for key in keys if key not in QUOTIENTS), *parts})


def build_series(values: Mapping[str, Mapping[date, float]], key: str) -> Series:
    """Day → value, or numerator and denominator of a quotient whose figures are stated."""
    quotient = QUOTIENTS.get(key)
    if quotient:
        numerator = next((name for name in quotient.numerators if values.get(name)), None)
        denominator = next((name for name in quotient.denominators if values.get(name)), None)
        if numerator and denominator:
            above, below = values[numerator], values[denominator]
            return {day: (above[day], below[day]) for day in above if below.get(day)}
    return {day: (value, None) for day, value in values.get(key, {}).items()}


class Stated:
    """The figures of the published copy that a report needs.

    Attributes:
        objects: what figures are stated of, with their days.
        counts: (platform, shop, level) → number of objects of the report's last day, before the small are left out.
        sums: (platform, shop, level) → metric → day → sum over the objects; only what may be added up.
        newest: (platform, shop, level) → the newest day that is stated, and the day it was delivered on.
    """

    def __init__(self, published: Published, printed: Mapping[str, Collection[str]]) -> None:
        """Reads the figures.

        Args:
            printed: the figures and quotients that are printed of the objects of a level.
        """
        self.published = published
        self.is_known = published.has_table("marts", "figures")
        self.objects: dict[Place, StatedObjectDays] = {}
        self.counts: dict[tuple[str, str, str], int] = {}
        self.sums: dict[tuple[str, str, str], dict[str, dict[date, float]]] = {}
        self.newest: dict[tuple[str, str, str], tuple[date, date]] = {}
        if self.is_known:
            self._read_newest()
        if self.newest:
            self._read_objects(printed)
            self._read_sums()

    @property
    def places(self) -> list[tuple[str, str]]:
        """Each platform with its shops."""
        return list(dict.fromkeys((platform, shop) for platform, shop, _ in self.newest))

    def select_objects(self, platform: str, shop: str, level: str) -> list[StatedObjectDays]:
        """What the platform states figures of at the level."""
        return [each for place, each in self.objects.items() if place[:3] == (platform, shop, level)]

    def find_whole(self, platform: str, shop: str, level: str) -> StatedObjectDays | None:
        """What is about everything of the level; else the only one; None where parts stand beside each other."""
        found = self.select_objects(platform, shop, level)
        whole = [each for each in found if all(part in WORDS_FOR_ALL for part in each.place[3:])]
        if not whole and len({each.place.device for each in found}) > 1:
            whole = [each for each in found if each.place.device in WORDS_FOR_ALL]
        only = found if len(found) == 1 else []
        return next(iter(whole or only), None)

    @cached_property
    def _first_date(self) -> date:
        earliest = [self.published.first_date, self.published.business_date - timedelta(days=7)]
        return min(earliest if self.published.is_day else [*earliest, self.published.period.year_before.from_date])

    def _read_newest(self) -> None:
        since = self.published.business_date - timedelta(days=SILENT_DAYS)
        for platform, shop, level, newest, delivered in self.published.rows(
            "select platform, shop, level, max(business_date), max_by(delivered_on, business_date) "
            "from marts.figures where business_date between $since and $to_date group by all order by all",
            since=min(since, self.published.period.from_date),
        ):
            self.newest[platform, shop, level] = (newest, delivered)

    def _read_objects(self, printed: Mapping[str, Collection[str]]) -> None:
        sizes = ", ".join(
            f"('{level}', '{metric}', {place})"
            for level, metrics in SIZES.items()
            for place, metric in enumerate(metrics)
        )
        wanted = ", ".join(
            f"('{level}', '{metric}')"
            for level, keys in printed.items()
            for metric in list_metrics([*keys, *SIZES.get(level, ())])
        )
        days = sorted({*self.published.dates, *self.published.yardstick.days})
        read = self.published.rows(
            f"""
            with sizes(level, metric, place) as (values {sizes}),
            wanted(level, metric) as (values {wanted}),
            days as (select unnest($days::DATE[]) as business_date),
            printed as materialized (
                select *
                from marts.figures semi join wanted using (level, metric) semi join days using (business_date)
                where business_date between list_min($days::DATE[]) and list_max($days::DATE[])
            ),
            measured as (
                select platform, shop, level, metric
                from printed inner join sizes using (level, metric)
                group by platform, shop, level, metric
                qualify row_number() over (partition by platform, shop, level order by min(place)) = 1
            ),
            sized as (
                select
                    platform, shop, level, object, parent, device,
                    max(figure_value) filter (where figures.metric = measured.metric) as size
                from printed as figures inner join measured using (platform, shop, level)
                where list_contains($usual_and_these, business_date)
                group by platform, shop, level, object, parent, device
                qualify row_number() over (
                    partition by platform, shop, level order by size desc nulls last, object, parent, device
                ) <= {MOST_OBJECTS}
            ),
            every as (
                select *
                from marts.figures
                where level in ('shop', 'peers') and business_date between $first and $to_date
                union all
                select * from printed semi join sized using (platform, shop, level, object, parent, device)
            )
            select
                platform, shop, level, object, parent, device, metric,
                list(business_date order by business_date), list(figure_value::DOUBLE order by business_date),
                coalesce(arg_max(object_name, business_date) filter (where object_name != ''), ''),
                max(business_date) filter (where object_name != ''),
                list(delivered_on order by business_date), list(attribution_days order by business_date),
                count(attribution_days) > 0
            from every
            group by platform, shop, level, object, parent, device, metric
            order by platform, shop, level, object, parent, device, metric
            """,
            days=days,
            usual_and_these=sorted({*self.published.dates, *self.published.usual_dates}),
            first=self._first_date,
        )
        names: dict[Place, tuple[date, str]] = {}
        for *place, metric, dates, values, name, named_on, delivered, attribution_days, has_attribution in read:
            at = Place(*place)
            found = self.objects.setdefault(at, StatedObjectDays(at, "", {}, {}, {}))
            found.values[metric] = dict(zip(dates, values, strict=True))
            for day, delivered_on in zip(dates, delivered, strict=True):
                if found.delivered.get(day, date.min) < delivered_on:
                    found.delivered[day] = delivered_on
            if has_attribution:
                stated = zip(dates, attribution_days, strict=True)
                found.attribution_days |= {day: count for day, count in stated if count is not None}
            if name and named_on >= names.get(at, (named_on, ""))[0]:
                names[at] = (named_on, name)
        for at, found in self.objects.items():
            found.name = names[at][1] if at in names else at.object
        self.counts = {
            (platform, shop, level): count
            for platform, shop, level, count in self.published.rows(
                "select platform, shop, level, count(distinct (object, parent, device)) from marts.figures "
                "where list_contains($dates, business_date) and business_date >= list_min($dates) group by all"
            )
        }

    def _read_sums(self) -> None:
        """Sums over the objects of a level, without rows that are sums themselves.

        Of a shop of which the platform states the whole, only the cost, which may be stated of the parts alone.
        """
        metrics = [figure.name for figure in FIGURES.values() if figure.is_additive]
        whole = [f"{platform}\n{shop}" for platform, shop in self.places if self.find_whole(platform, shop, "shop")]
        for platform, shop, level, metric, day, value in self.published.rows(
            """
            with parents as (
                select distinct platform, shop, level, business_date, parent as object
                from marts.figures
                where parent != '' and business_date between $first and $to_date
            ),
            parts as (
                select *
                from marts.figures anti join parents using (platform, shop, level, business_date, object)
                where list_contains($levels, level) and business_date between $first and $to_date
                    and (metric = 'cost' or not list_contains($whole::VARCHAR[], platform || chr(10) || shop))
                    and list_contains($metrics, metric) and not list_contains($words, lower(object))
            ),
            totals as (
                select distinct platform, shop, level, business_date, object, parent
                from parts
                where list_contains($all, device)
            )
            select platform, shop, level, metric, business_date, sum(figure_value)::DOUBLE
            from (
                select platform, shop, level, metric, business_date, figure_value
                from parts
                where list_contains($all, device)
                union all
                select platform, shop, level, metric, business_date, figure_value
                from parts anti join totals using (platform, shop, level, business_date, object, parent)
            )
            group by all
            """,
            first=self._first_date,
            levels=list(SUMMED_LEVELS),
            metrics=metrics,
            whole=whole,
            all=list(WORDS_FOR_ALL),
            words=[word for word in WORDS_FOR_ALL if word],
        ):
            self.sums.setdefault((platform, shop, level), {}).setdefault(metric, {})[day] = value

    # --- Figures ---------------------------------------------------------------------------------

    def build_figure(
        self, key: str, series: Series, *, with_trend: bool = False, with_range: bool = True
    ) -> reports.Figure:
        """The figure on the report's days, with its usual value, range and surprise."""
        published, unit, is_mean = self.published, find_unit(key), self._is_mean(key)
        if is_mean:
            series = {day: (divide(counts), None) for day, counts in series.items()}
        known = [day for day in published.dates if day in series]
        today = add_up(series[day] for day in known)
        dates = known or published.dates
        yardstick = published.yardstick if with_range else replace(published.yardstick, has_range=False)
        usual = yardstick.fit(dict(series), find_chance(key, is_mean)).estimate(dates, today)
        if is_mean and usual:
            usual = divide_usual(usual, len(dates))
        value = divide(today) / (len(known) if is_mean else 1) if today else None
        has_counts = today is not None and today[1] is not None
        return reports.Figure(
            f"{STATED}{key}",
            unit,
            make_printable(value, unit, is_mean),
            numerator=make_whole(today[0]) if today and has_counts else None,
            denominator=make_whole(today[1] or 0) if today and has_counts else None,
            baseline=usual.value if usual else None,
            usual_low=usual.low if usual else None,
            usual_high=usual.high if usual else None,
            surprise=usual.surprise if usual and published.yardstick.is_judged else None,
            trend=self._build_trend(key, series) if with_trend else (),
            rule=None if published.is_day else "mean_of_days" if is_mean else find_rule(key),
        )

    def read_value(self, key: str, series: Series, days: Sequence[date]) -> Number | None:
        """The figure over other days; None if one of them lacks it."""
        if not days or any(day not in series for day in days):
            return None
        if not self._is_mean(key):
            return make_printable(divide(add_up(series[day] for day in days)), find_unit(key), False)
        return make_printable(fmean(divide(series[day]) for day in days), find_unit(key), True)

    def build_days(self, key: str, series: Series, days: Sequence[date]) -> list[reports.Figure]:
        """The figure on each of the days, with what is usual for that day."""
        fitted = self.published.yardstick.fit(dict(series), find_chance(key, False))
        figures = []
        for day in days:
            figure = reports.Figure(f"{STATED}{key}", find_unit(key), self.read_value(key, series, [day]))
            usual = fitted.estimate([day])
            known = (
                replace(figure, baseline=usual.value, usual_low=usual.low, usual_high=usual.high) if usual else figure
            )
            figures.append(known)
        return figures

    def _is_mean(self, key: str) -> bool:
        """Whether several days have a mean: of people, durations, rates of people, and what is stated as a rate."""
        if self.published.is_day:
            return False
        return find_rule(key) == "mean_of_days"

    def _build_trend(self, key: str, series: Series) -> tuple[reports.DayPoint, ...]:
        published = self.published
        values = {
            last: {"value": divide(add_up(days)) / (len(days) if self._is_mean(key) else 1)}
            for last, days in published.by_period(series).items()
        }
        usual = published.yardstick.fit(dict(series), find_chance(key, False)) if published.is_day else None
        return published.trend(values, "value", usual)


def add_up(counts: Iterable[Counts]) -> Counts | None:
    """Sums of numerators, and of denominators where there are any; None without days."""
    known = list(counts)
    if not known:
        return None
    has_denominators = known[0][1] is not None
    return sum(above for above, _ in known), sum(below or 0 for _, below in known) if has_denominators else None


def divide(counts: Counts | None) -> float:
    """The value of counts: numerator over denominator, or the only number."""
    assert counts is not None
    return counts[0] / counts[1] if counts[1] else counts[0]


def divide_usual(usual: Usual, days: int) -> Usual:
    """The usual mean of days from the usual sum over them."""
    low, high = (end / days if end is not None else None for end in (usual.low, usual.high))
    return replace(usual, value=usual.value / days, low=low, high=high)


def find_unit(key: str) -> Unit:
    """The unit of a figure or quotient."""
    return QUOTIENTS[key].unit if key in QUOTIENTS else UNITS[FIGURES[key].kind]


def find_rule(key: str) -> str:
    """How several days of a figure come together: as a sum, pooled, or as the mean of the days."""
    if key in QUOTIENTS:
        parts = [*QUOTIENTS[key].numerators, *QUOTIENTS[key].denominators]
        return "pooled" if all(FIGURES[name].is_additive for name in parts) else "mean_of_days"
    return "sum" if FIGURES[key].is_additive else "mean_of_days"


def find_chance(key: str, is_mean: bool) -> Chance:
    """The least that chance does to the figure."""
    if key in QUOTIENTS:
        return Chance.SHARE if QUOTIENTS[key].is_share and not is_mean else Chance.NONE
    return Chance.COUNT if FIGURES[key].kind in (FigureKind.COUNT, FigureKind.PEOPLE) else Chance.NONE


def make_printable(value: float | None, unit: Unit, is_mean: bool) -> Number | None:
    """Amounts to the cent, counts whole unless they are means, everything else as it is."""
    if value is None:
        return None
    if unit is Unit.MONEY:
        return Decimal(str(round(value, 6))).quantize(Decimal("0.01"))
    return int(value) if unit is Unit.COUNT and not is_mean else float(value)


def make_whole(value: float) -> Number:
    """A count as a whole number, an amount to the cent."""
    return int(value) if value == int(value) else Decimal(str(round(value, 6))).quantize(Decimal("0.01"))
