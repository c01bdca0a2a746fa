"""The review of a campaign: its phases against the last time and plain days, what it took from the days around it.

Plain days are the latest comparable days that end a week before the campaign; a phase is held against as many of them,
weekday by weekday. Refunds are those of the campaign's own payments, within 30 days of each, as far as the edition's
last day knows them; those of the last time are counted as long after its end.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import reports
from funnelscope.diagnosis.comparable_days import find_promotion_day
from funnelscope.messages.message_types import Message, Number, Unit
from funnelscope.quality.gate import list_days
from funnelscope.reporting.campaigns import FINAL_AGE, Campaign, find_last_time
from funnelscope.reporting.periods import AROUND_DAYS
from funnelscope.reporting.published_days import Published, convert_to_date
from funnelscope.reporting.stated_figures import WORDS_FOR_ALL
from funnelscope.reporting.usual import Counts, Usual

SUMS = {"paid_amount": Unit.MONEY, "paid_orders": Unit.COUNT, "cost": Unit.MONEY}
RATES = {"visitor_pay_rate": Unit.RATE, "amount_per_buyer": Unit.MONEY}
FIGURES = (
    *("paid_amount", "refunded_amount", "net_amount", "paid_orders", "visitors_a_day", "visitor_pay_rate"),
    *("amount_per_buyer", "cost"),
)
"""In printed order."""
REFUND_AGES = {1: "01", 7: "07", 15: "15", FINAL_AGE: "30"}
"""Days since the payment, and the last bucket of marts.refund_ages within them."""
FEWEST_PLAIN_DAYS = 7
MOST_MOVES = 8
CENT = Decimal("0.01")

# Each measure of each day, named as the registry names it.
_OF_EVENTS = """
    select business_date, metric, numerator, denominator
    from marts.daily_metrics
    where list_contains(['paid_amount', 'visitors', 'visitor_pay_rate', 'amount_per_buyer', 'cost'], metric)
    union all
    select business_date, 'paid_orders' as metric, paid_orders as numerator, null as denominator
    from marts.daily_summary
"""
# What platforms state of the whole shop, on days on which each of them does. People of several are never added up.
_OF_PLATFORMS = """
    stated as (
        select business_date, platform, shop, metric, max(figure_value) as figure_value
        from marts.figures
        where level = 'shop' and list_contains($all, object) and list_contains($all, parent)
            and list_contains($all, device) and list_contains($read, business_date)
        group by business_date, platform, shop, metric
    ),
    places as (
        select count(distinct (platform, shop)) as place_count
        from stated
        where list_contains(['paid_amount', 'visitors'], metric)
    ),
    totals as (
        select business_date, metric, sum(figure_value) as figure_value, max(place_count) as place_count
        from stated cross join places
        group by business_date, metric
        having count(*) = max(place_count)
    ),
    of_shop as (
        select
            business_date,
            sum(figure_value) filter (where metric = 'paid_amount') as paid_amount,
            sum(figure_value) filter (where metric = 'paid_orders') as paid_orders,
            sum(figure_value) filter (where metric = 'visitors' and place_count = 1) as visitors,
            sum(figure_value) filter (where metric = 'paying_buyers' and place_count = 1) as buyers
        from totals
        group by business_date
    ),
    of_platforms as (
        select business_date, unnest([
            {'metric': 'paid_amount', 'numerator': paid_amount, 'denominator': null},
            {'metric': 'paid_orders', 'numerator': paid_orders, 'denominator': null},
            {'metric': 'visitors', 'numerator': visitors, 'denominator': null},
            {'metric': 'visitor_pay_rate', 'numerator': buyers, 'denominator': visitors},
            {'metric': 'amount_per_buyer', 'numerator': case when buyers > 0 then paid_amount end,
                'denominator': buyers}
        ], recursive := true)
        from of_shop
    ),
"""
# What platforms state of each product, by its newest name.
_PRODUCTS_OF_PLATFORMS = """
    (
        select
            coalesce(
                max_by(object_name, business_date) over (partition by platform, shop, object), object
            ) as product_id,
            business_date,
            figure_value as paid_amount
        from marts.figures
        where level = 'product' and metric = 'paid_amount' and list_contains($all, device)
            and not list_contains($all, object)
    )
"""

Totals = Mapping[str, tuple[Decimal | None, Decimal | None]]
"""Numerator and denominator by metric, for those that are known on every day."""


@dataclass(frozen=True)
class _Days:
    """Days whose numbers belong together, and up to when their refunds count."""

    key: str
    days: Sequence[date]
    refunds_to: date


class CampaignReader:
    """Reads one campaign from the published tables, as of the last day that the edition counts."""

    def __init__(self, published: Published, campaign: Campaign, known_to: date) -> None:
        self.published = published
        self.campaign = campaign
        self.known_to = known_to
        self.calendar = published.settings.calendar
        self.last = find_last_time(self.calendar, campaign)
        self.end = campaign.days[-1]
        self.newest, self.usable = self._read_usable_days()
        yardstick = published.yardstick
        self.plain_days = yardstick.days if len(yardstick.days) >= FEWEST_PLAIN_DAYS else ()
        last_days = self.last.days if self.last else []
        self.read_days = sorted({*self.plain_days, *self._list_drawn_days(), *last_days})
        self.stated = self._find_stated()
        self.daily = self._read_daily()

    def read(self) -> reports.CampaignReview:
        """The review."""
        phases = tuple(self._read_part(phase, days) for phase, days in self.campaign.phases.items())
        whole = self._read_part("whole", self.campaign.days)
        around = self._read_around()
        refunds = self._read_refund_ages(whole)
        moves = self._read_moves(whole)
        return reports.CampaignReview(
            name=self.campaign.name,
            known_to=self.known_to,
            mature_on=self.end + timedelta(days=FINAL_AGE),
            whole=whole,
            phases=phases,
            last_from=self.last.days[0] if self.last else None,
            last_to=self.last.days[-1] if self.last else None,
            plain_days=self.plain_days,
            days=self._list_days(),
            around=around,
            refunds=refunds,
            moves=moves,
            unknown=tuple(self._list_unknown(whole, phases, around, moves)),
        )

    def _read_usable_days(self) -> tuple[date, set[date]]:
        """The last day that was judged, and the published days whose numbers may be used."""
        rows = self.published.rows(
            "select day_verdict.business_date, verdict, published_days.business_date is not null "
            "from quality.day_verdict left join quality.published_days using (business_date)"
        )
        usable = {day for day, verdict, is_published in rows if is_published and verdict in ("pass", "warn")}
        return max((day for day, _, _ in rows), default=self.known_to), usable

    def _find_stated(self) -> list[str]:
        """The measures of which events tell nothing on any of the days, and platforms may."""
        if not self.published.has_table("marts", "figures"):
            return []
        rows = self.published.rows(
            f"with measures as ({_OF_EVENTS}) select distinct metric from measures "
            "where numerator is not null and list_contains($read, business_date)",
            read=self.read_days,
        )
        return [key for key in ("visitors", *SUMS, *RATES) if (key,) not in rows]

    def _read_measures(self, statement: str, **parameters: Any) -> list[tuple[Any, ...]]:
        """Rows of a statement over `measures`, by day: those of events, and what only platforms tell."""
        measures = f"measures as ({_OF_EVENTS})"
        if self.stated:
            of_platforms = "select * from of_platforms where list_contains($stated, metric)"
            measures = f"{_OF_PLATFORMS} measures as ({_OF_EVENTS} union all {of_platforms})"
            parameters |= {"stated": self.stated, "all": list(WORDS_FOR_ALL), "read": self.read_days}
        return self.published.rows(f"with {measures} {statement}", **parameters)

    def _read_daily(self) -> dict[str, dict[date, Counts]]:
        """Each measure on each plain day, and on the days that are drawn."""
        rows = self._read_measures(
            "select metric, business_date, numerator, denominator from measures "
            "where numerator is not null and list_contains($read_days, business_date)",
            read_days=self.read_days,
        )
        daily: dict[str, dict[date, Counts]] = {}
        for metric, day, numerator, denominator in rows:
            if metric not in RATES or denominator is not None:
                counts = float(numerator), None if denominator is None else float(denominator)
                daily.setdefault(metric, {})[day] = counts
        return daily

    # --- Parts ------------------------------------------------------------------------------------

    def _read_part(self, key: str, days: Sequence[date]) -> reports.CampaignPart:
        counted = [day for day in days if day in self.usable]
        last, last_left_out = self._find_last_days(key, days)
        parts = [_Days("now", counted, self.known_to)]
        if self.last and last:
            age = self.known_to - self.end
            parts.append(_Days("last", last, self.last.days[-1] + age))
        totals, refunds = self._sum(parts), self._sum_refunds(parts, REFUND_AGES[FINAL_AGE])
        now = self._compute_figures(totals.get("now", {}), refunds.get("now"), len(counted))
        before = self._compute_figures(totals.get("last", {}), refunds.get("last"), len(last))
        plain = self._estimate_plain(counted)
        units = {**SUMS, **RATES, "refunded_amount": Unit.MONEY, "net_amount": Unit.MONEY, "visitors_a_day": Unit.COUNT}
        return reports.CampaignPart(
            key=key,
            from_date=days[0],
            to_date=days[-1],
            counted=tuple(counted),
            left_out=tuple(day for day in days if day not in self.usable),
            last_days=tuple(last),
            last_left_out=tuple(last_left_out),
            figures=tuple(
                reports.CampaignFigure(
                    each,
                    units[each],
                    now.get(each),
                    before.get(each),
                    _scale(each, before.get(each), len(last), len(counted)),
                    plain.get(each),
                    is_stated=("visitors" if each == "visitors_a_day" else each) in self.stated and each in now,
                )
                for each in FIGURES
            ),
        )

    def _find_last_days(self, key: str, days: Sequence[date]) -> tuple[list[date], list[date]]:
        """The days of the last time, without those whose like is left out now; and those that have no numbers.

        With any of the latter there is nothing to be held against.
        """
        if self.last is None:
            return [], []
        last = self.last.days if key == "whole" else self.last.phases.get(key, [])
        skipped = {
            self.last.phases[phase][place]
            for phase, own in self.campaign.phases.items()
            for place, day in enumerate(own)
            if day not in self.usable and place < len(self.last.phases.get(phase, []))
        }
        last = [day for day in last if day not in skipped]
        lacking = [day for day in last if day not in self.usable]
        is_any_counted = any(day in self.usable for day in days)
        return (last if is_any_counted and not lacking else []), lacking

    def _sum(self, parts: Sequence[_Days]) -> dict[str, Totals]:
        """The measures of each part that are known on each of its days."""
        rows = self._read_measures(
            """,
            days as (select unnest($parts::VARCHAR[]) as part, unnest($part_days::DATE[]) as business_date)
            select part, metric, count(numerator), count(denominator), sum(numerator), sum(denominator)
            from days inner join measures using (business_date)
            group by part, metric""",
            **_list_pairs(parts),
        )
        sizes = {part.key: len(part.days) for part in parts}
        totals: dict[str, dict[str, tuple[Decimal | None, Decimal | None]]] = {}
        for part, metric, known, known_below, numerator, denominator in rows:
            if known == sizes[part] and (metric not in RATES or known_below == sizes[part]):
                totals.setdefault(part, {})[metric] = numerator, denominator
        return dict(totals)

    def _sum_refunds(self, parts: Sequence[_Days], last_bucket: str) -> dict[str, Decimal]:
        """What was refunded of the payments of each part at most that long after them.

        A part is missing where the shop never delivered refunds by then, or where some do not say how much.
        """
        ends = [part.refunds_to for part in parts for _ in part.days]
        rows = self.published.rows(
            """
            with days as (
                select unnest($parts::VARCHAR[]) as part, unnest($part_days::DATE[]) as paid_date,
                    unnest($ends::DATE[]) as refunds_to
            ),
            refunds as (
                select part, sum(amount) as amount, count(*) filter (where amount is null) as unpriced
                from days inner join marts.refund_ages using (paid_date)
                where refund_ages.business_date <= refunds_to and left(age_bucket, 2) <= $last_bucket
                group by part
            ),
            known as (
                select part, bool_or(refunded_amount is not null) as is_known
                from (select distinct part, refunds_to from days)
                inner join marts.daily_summary on daily_summary.business_date <= refunds_to
                group by part
            )
            select part, coalesce(amount, 0)::DECIMAL(18, 2)
            from known left join refunds using (part)
            where is_known and coalesce(unpriced, 0) = 0""",
            **_list_pairs(parts),
            ends=ends,
            last_bucket=last_bucket,
        )
        return dict(rows)

    def _compute_figures(self, totals: Totals, refunded: Decimal | None, days: int) -> dict[str, Number | None]:
        figures: dict[str, Number | None] = {}
        for key, unit in SUMS.items():
            if (total := totals.get(key)) and total[0] is not None:
                figures[key] = int(total[0]) if unit is Unit.COUNT else Decimal(total[0]).quantize(CENT)
        for key in RATES:
            if (total := totals.get(key)) and total[0] is not None and total[1]:
                figures[key] = float(total[0]) / float(total[1])
        if (total := totals.get("visitors")) and total[0] is not None:
            figures["visitors_a_day"] = float(total[0]) / days
        paid = figures.get("paid_amount")
        if paid is not None and refunded is not None:
            figures |= {"refunded_amount": refunded, "net_amount": Decimal(paid) - refunded}
        return figures

    def _estimate_plain(self, days: Sequence[date]) -> dict[str, Number | None]:
        """What plain days would have given on these days; refunds only once those of the campaign are known."""
        figures: dict[str, Number | None] = {}
        for key in (*SUMS, *RATES):
            if usual := self._estimate(key, days):
                figures[key] = usual.value
        if usual := self._estimate("visitors", days):
            figures["visitors_a_day"] = usual.value / len(days)
        if self.known_to < self.end + timedelta(days=FINAL_AGE) or "paid_amount" not in figures:
            return figures
        parts = [_Days(day.isoformat(), [day], self.known_to) for day in self.plain_days]
        refunds = self._sum_refunds(parts, REFUND_AGES[FINAL_AGE])
        of_days = {date.fromisoformat(day): float(amount) for day, amount in refunds.items()}
        refunded = self.published.yardstick.fit({day: (amount, None) for day, amount in of_days.items()}).estimate(days)
        paid = figures["paid_amount"]
        if len(of_days) == len(self.plain_days) and refunded and paid is not None:
            figures |= {"refunded_amount": refunded.value, "net_amount": float(paid) - refunded.value}
        return figures

    def _estimate(self, key: str, days: Sequence[date], today: float | None = None) -> Usual | None:
        """The usual of a measure on these days together; None unless it is known on every plain day."""
        known = self.daily.get(key, {})
        values = {day: known[day] for day in self.plain_days if day in known}
        if not values or len(values) < len(self.plain_days):
            return None
        return self.published.yardstick.fit(values).estimate(days, None if today is None else (today, None))

    # --- Days -------------------------------------------------------------------------------------

    def _list_drawn_days(self) -> list[date]:
        last = min(self.known_to, self.end + timedelta(days=AROUND_DAYS))
        return list_days(self.campaign.days[0] - timedelta(days=AROUND_DAYS), last)

    def _list_days(self) -> tuple[reports.CampaignDay, ...]:
        paid = self.daily.get("paid_amount", {})
        part_of = {day: phase for phase, days in self.campaign.phases.items() for day in days}
        like: dict[date, date] = {}
        for phase, days in self.campaign.phases.items():
            like |= dict(zip(days, self.last.phases.get(phase, []) if self.last else [], strict=False))
        days_drawn = []
        for day in self._list_drawn_days():
            part = part_of.get(day, "")
            if not self.campaign.days[0] <= day <= self.end:
                part = "days_before" if day < self.end else "days_after"
            usual = self._estimate("paid_amount", [day])
            days_drawn.append(
                reports.CampaignDay(day, part, self._get_paid(paid, day), self._get_paid(paid, like.get(day)),
                                    usual.value if usual else None)
            )  # fmt: skip
        return tuple(days_drawn)

    def _get_paid(self, paid: Mapping[date, Counts], day: date | None) -> float | None:
        return paid[day][0] if day in self.usable and day in paid else None

    def _read_around(self) -> tuple[reports.DaysAround, ...]:
        """The days before and after, and both together once both are known."""
        first, week = self.campaign.days[0], timedelta(days=AROUND_DAYS)
        one_day = timedelta(days=1)
        before = self._read_side("before", list_days(first - week, first - one_day))
        after = self._read_side("after", list_days(self.end + one_day, self.end + week))
        sides = [each for each in (before, after) if each.counted and each.known_from is None]
        if len(sides) < 2:
            return before, after
        counted = [day for each in sides for day in each.counted]
        return before, after, self._measure_days("both", before.from_date, after.to_date, counted)

    def _read_side(self, key: str, days: Sequence[date]) -> reports.DaysAround:
        promoted = tuple(day for day in days if find_promotion_day(self.calendar, day))
        rest = [day for day in days if day not in promoted]
        if days[-1] > self.known_to:
            return reports.DaysAround(key, days[0], days[-1], (), promoted=promoted, known_from=days[-1])
        counted = [day for day in rest if day in self.usable]
        left_out = tuple(day for day in rest if day not in self.usable)
        return self._measure_days(key, days[0], days[-1], counted, left_out, promoted)

    def _measure_days(
        self,
        key: str,
        first: date,
        last: date,
        counted: Sequence[date],
        left_out: tuple[date, ...] = (),
        promoted: tuple[date, ...] = (),
    ) -> reports.DaysAround:
        totals = self._sum([_Days("now", counted, self.known_to)]).get("now", {})
        figures = self._compute_figures(totals, None, len(counted))
        paid = figures.get("paid_amount")
        usual = self._estimate("paid_amount", counted, None if paid is None else float(paid))
        orders = self._estimate("paid_orders", counted)
        return reports.DaysAround(
            key,
            first,
            last,
            tuple(counted),
            left_out,
            promoted,
            paid_amount=paid,
            plain=usual.value if usual else None,
            low=usual.low if usual else None,
            high=usual.high if usual else None,
            paid_orders=figures.get("paid_orders"),
            plain_orders=orders.value if orders else None,
        )

    # --- Refunds ----------------------------------------------------------------------------------

    def _read_refund_ages(self, whole: reports.CampaignPart) -> tuple[reports.RefundAge, ...]:
        paid, last_paid = whole.find("paid_amount").value, whole.find("paid_amount").last
        found = []
        for days, bucket in REFUND_AGES.items():
            mature_on = self.end + timedelta(days=days)
            is_mature = mature_on <= self.known_to
            last_mature_on = self.last.days[-1] + timedelta(days=days) if self.last and whole.last_days else None
            parts = [_Days("now", whole.counted, self.known_to)] if is_mature else []
            if last_mature_on and last_mature_on <= self.newest:
                parts.append(_Days("last", whole.last_days, self.newest))
            plain = [day for day in self.plain_days if day + timedelta(days=days) <= self.known_to]
            if plain and len(plain) == len(self.plain_days):
                parts.append(_Days("plain", plain, self.known_to))
            sums = self._sum_refunds(parts, bucket) if parts else {}
            of_plain = self._sum([_Days("plain", plain, self.known_to)]).get("plain", {}).get("paid_amount")
            found.append(
                reports.RefundAge(
                    days,
                    sums.get("now") if paid is not None else None,
                    _divide(sums.get("now"), paid),
                    _divide(sums.get("last"), last_paid),
                    _divide(sums.get("plain"), of_plain[0] if of_plain else None),
                    None if is_mature else mature_on,
                )
            )
        return tuple(found)

    # --- Moves ------------------------------------------------------------------------------------

    def _read_moves(self, whole: reports.CampaignPart) -> tuple[reports.CampaignMoves, ...]:
        """The channels by what their sessions paid on the day they came, and the products by carts.

        Without carts, the products by what a platform states that they sold.
        """
        channels = self._read_moves_of(whole, "channel", "marts.decision_cube", "paid_amount", "session_amount")
        products = self._read_moves_of(whole, "product_id", "marts.product_cube", "carted", "carted")
        if products is None and self.published.has_table("marts", "figures"):
            products = self._read_moves_of(
                whole, "product_id", _PRODUCTS_OF_PLATFORMS, "paid_amount", "product_amount", is_stated=True
            )
        return tuple(moves for moves in (channels, products) if moves)

    def _read_moves_of(
        self,
        whole: reports.CampaignPart,
        dimension: str,
        cube: str,
        column: str,
        measure: str,
        *,
        is_stated: bool = False,
    ) -> reports.CampaignMoves | None:
        """None unless every day has the cube, and every value of it says how much.

        A value without a row had nothing on the day; but platforms list only some of them (`is_stated`): then nothing
        is known of it.
        """
        rows = self.published.rows(
            f"select {dimension}, business_date, sum({column}), count(*) > count({column}) from {cube} "
            "where list_contains($days, business_date) group by all",
            days=sorted({*whole.counted, *whole.last_days, *self.plain_days}),
            **({"all": list(WORDS_FOR_ALL)} if is_stated else {}),
        )
        amounts: dict[str, dict[date, Number]] = {}
        for value, day, amount, _ in rows:
            amounts.setdefault(str(value), {})[day] = amount
        known = {day for _, day, _, _ in rows} - {day for _, day, _, is_unknown in rows if is_unknown}

        def select(days: Sequence[date], of_value: Mapping[date, Number]) -> dict[date, Number]:
            """The amounts of the days; empty where one of them is not known."""
            has_all = set(days) <= (known & of_value.keys() if is_stated else known)
            return {day: of_value.get(day, 0) for day in days} if has_all else {}

        moves = []
        for value, of_value in amounts.items():
            if now := select(whole.counted, of_value):
                last, plain = select(whole.last_days, of_value), select(self.plain_days, of_value)
                usual = self.published.yardstick.fit({day: (float(amount), None) for day, amount in plain.items()})
                estimated = usual.estimate(whole.counted)
                moves.append(
                    reports.CampaignMove(
                        value,
                        sum(now.values()),
                        _scale(column, sum(last.values()), len(last), len(now)) if last else None,
                        estimated.value if estimated else None,
                    )
                )
        moves.sort(key=lambda each: (-abs(_measure_move(each)), each.value))
        unit = Unit.MONEY if column == "paid_amount" else Unit.COUNT
        return reports.CampaignMoves(dimension, measure, unit, tuple(moves[:MOST_MOVES])) if moves else None

    # --- What cannot be said yet --------------------------------------------------------------------

    def _list_unknown(
        self,
        whole: reports.CampaignPart,
        phases: Sequence[reports.CampaignPart],
        around: Sequence[reports.DaysAround],
        moves: Sequence[reports.CampaignMoves],
    ) -> list[Message]:
        said: list[Message] = []

        def say(key: str, **values: str | Number | date | Message) -> None:
            said.append(Message(key, values, "campaign_unknown"))

        if self.last is None:
            say("no_last_time")
        elif not whole.last_days and whole.last_left_out:
            say("last_time_without_data", first=self.last.days[0], last=self.last.days[-1],
                missing=len(whole.last_left_out), days=len(self.last.days))  # fmt: skip
        if not self.plain_days:
            say("no_plain_days", days=len(self.published.yardstick.days), needed=FEWEST_PLAIN_DAYS)
        for phase in self.campaign.phases_without_day:
            say("phase_without_day", phase=phase)
        for part in phases:
            if part.left_out:
                say("phase_left_out", phase=part.key, missing=len(part.left_out),
                    days=len(part.left_out) + len(part.counted))  # fmt: skip
            if self.last and part.key not in self.last.phases:
                say("phase_new", phase=part.key)
        mature_on = self.end + timedelta(days=FINAL_AGE)
        if whole.find("refunded_amount").value is None:
            say("no_refunds")
        elif self.known_to < mature_on:
            say("refunds_open", date=mature_on)
        span = list_days(self.campaign.days[0], self.known_to)
        if missing := [day for day in span if day > self.end and day not in self.usable]:
            say("refund_days_missing", days=len(missing))
        for side in around:
            if side.known_from:
                say("after_open", date=side.known_from)
            elif side.key != "both" and not side.counted:
                say(f"{side.key}_without_plain_days")
        for overlapping in self._find_overlapping():
            say("overlapping", name=overlapping)
        if not moves:
            say("no_moves")
        return said

    def _find_overlapping(self) -> list[str]:
        """Other promotions on days of this one."""
        days = set(self.campaign.days)
        names = (
            entry.name
            for entry in self.calendar
            if entry.name != self.campaign.name
            and days.intersection(list_days(convert_to_date(entry.starts), convert_to_date(entry.ends)))
        )
        return list(dict.fromkeys(names))


def _list_pairs(parts: Sequence[_Days]) -> dict[str, Any]:
    """The parts' days as two lists of equal length."""
    return {
        "parts": [part.key for part in parts for _ in part.days],
        "part_days": [day for part in parts for day in part.days],
    }


def _scale(key: str, last: Number | None, last_days: int, days: int) -> Number | None:
    """The value of the last time for as many days as this time; a rate or a mean stays as it is."""
    if last is None or last_days == days or key in RATES or key == "visitors_a_day":
        return last
    return float(last) * days / last_days


def _divide(amount: Number | None, paid: Number | None) -> float | None:
    return float(amount) / float(paid) if amount is not None and paid else None


def _measure_move(move: reports.CampaignMove) -> float:
    """How far the value moved from the last time, else from plain days, else its size."""
    before = move.last_alike if move.last_alike is not None else move.plain
    return float(move.now) - float(before or 0)
