"""The four stages of a day: steps, slices, operational figures, later outcomes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

import reports
from funnelscope.messages.message_types import Message, Unit
from funnelscope.reporting.diagnosis_section import DIMENSION_WORDS, read_relevance
from funnelscope.reporting.marks import mark_stage
from funnelscope.reporting.published_days import Published
from funnelscope.reporting.usual import Chance

STAGES = ("traffic", "landing", "decision", "repurchase")
# The inputs of each stage, and what its page has in addition to the funnel.
MAIN_RATE = {
    "traffic": ("arrival_rate", "click_rate"),
    "landing": ("landing_rate",),
    "decision": ("decision_rate", "order_to_pay_rate"),
    "repurchase": ("daily_repurchase_rate",),
}
FAMILIES_OF_STAGE = {
    "traffic": ("traffic",),
    "landing": ("page",),
    "decision": ("page", "order"),
    "repurchase": ("order",),
}
# A stage has numbers without these families too, if the shop does not declare them at all.
DISPENSABLE_FAMILIES = {"decision": ("page",)}
INDICATORS = {
    "traffic": (
        "click_rate",
        "visits_per_click",
        "visitors",
        "cost",
        "cost_per_engaged_session",
        "return_on_ad_spend",
        "acquisition_cost",
        "private_domain_share",
        "bot_sessions",
    ),
    "landing": (
        "first_screen_p50_ms",
        "first_screen_p75_ms",
        "first_screen_mean_ms",
        "three_second_rate",
        "session_bounce_rate",
        "deep_read_rate",
        "average_stay_seconds",
    ),
    "decision": (
        "buyers",
        "visitor_cart_rate",
        "visitor_favorite_rate",
        "deposit_rate",
        "presale_conversations",
        "unanswered_conversations",
        "robot_only_conversations",
        "first_response_median_seconds",
        "first_response_p90_seconds",
        "first_response_mean_seconds",
        "response_seconds",
        "same_day_answer_rate",
        "reply_within_30s_rate",
        "reply_within_3min_rate",
        "inquiry_pay_rate",
        "coupon_use_rate",
        "coupon_error_rate",
        "payment_failures",
        "product_rating",
        "negative_review_rate",
        "answered_24h_rate",
        "service_rating",
    ),
    "repurchase": (
        "returning_buyer_share",
        "repurchase_interval_median_days",
        "repurchase_interval_mean_days",
        "care_sent",
        "care_open_rate",
        "members_joined",
        "contacts_added",
        "contacts_lost",
        "refund_amount",
        "refund_amount_same_day",
        "refund_amount_1_to_7_days",
        "refund_amount_8_to_15_days",
        "refund_amount_16_to_30_days",
        "refund_amount_over_30_days",
        "refund_amount_unlinked",
        "refund_amount_deposit",
    ),
}


@dataclass(frozen=True)
class SliceSource:
    """A table by slice: the dimension's column in a cube, and the counts that enter and pass."""

    cube: str
    column: str
    dimension: str
    entered: str
    passed: str
    entered_key: str
    passed_key: str


SLICES = {
    "traffic": tuple(
        SliceSource("arrival_cube", column, column, "identified_clicks", "arrived_clicks", "click", "arrival")
        for column in ("channel", "campaign", "creative")
    ),
    "landing": tuple(
        SliceSource(
            "landing_cube",
            column,
            dimension,
            "sessions",
            "reached_qualified_product_view",
            "arrival",
            "qualified_product_view",
        )
        for column, dimension in (
            ("entry_type", "entry_type"),
            ("channel", "channel"),
            ("landing_page", "landing_page"),
            ("device", "device"),
            ("region", "region"),
        )
    ),
    "decision": (
        *(
            SliceSource(
                "decision_cube", column, dimension, "sessions", "reached_paid", "qualified_product_view", "paid"
            )
            for column, dimension in (
                ("first_category", "category"),
                ("channel", "channel"),
                ("device", "device"),
                ("inquiry_class", "inquiry_class"),
            )
        ),
        SliceSource("checkout_cube", "coupon", "coupon", "checkouts", "ordered", "checkout", "order"),
        SliceSource("payment_cube", "payment_provider", "payment_provider", "orders", "paid", "order", "paid"),
    ),
    "repurchase": tuple(
        SliceSource("repurchase_cube", column, dimension, "active_customers", "purchased", "active", "purchased")
        for column, dimension in (
            ("recency", "recency"),
            ("first_channel", "first_channel"),
            ("is_member", "member"),
            ("last_category", "category"),
        )
    ),
}


@dataclass(frozen=True)
class QuestionSource:
    """A question of a stage, and the figures that can answer it.

    A finding of one of the `faults` answers it with no, whatever the figure of the whole shop.
    """

    key: str
    figures: tuple[str, ...]  # the first known one is used
    faults: tuple[str, ...] = ()

    @property
    def is_worse_above(self) -> bool:
        """Whether higher values are worse."""
        return reports.is_worse_above(self.figures[0])


QUESTIONS = {
    "traffic": (
        QuestionSource("right_people", ("session_bounce_rate",)),
        QuestionSource("engaged_cost", ("cost_per_engaged_session",)),
    ),
    "landing": (
        QuestionSource("three_seconds", ("three_second_rate",)),
        QuestionSource("fast_enough", ("first_screen_p75_ms", "first_screen_mean_ms"), ("slow_first_screen",)),
        QuestionSource("detail_clear", ("deep_read_rate",)),
    ),
    "decision": (
        QuestionSource("reviews_good", ("negative_review_rate",), ("bad_reviews",)),
        QuestionSource("reviews_answered", ("answered_24h_rate",)),
        QuestionSource("promotion_works", ("coupon_error_rate",), ("broken_coupon",)),
        QuestionSource(
            "service_fast", ("first_response_median_seconds", "first_response_mean_seconds"), ("late_answers",)
        ),
        QuestionSource("service_sells", ("inquiry_pay_rate",), ("service_loss",)),
    ),
    "repurchase": (
        QuestionSource("care_sent", ("care_sent",), ("care_stopped",)),
        QuestionSource("members_grow", ("members_joined",)),
        QuestionSource("return", ("daily_repurchase_rate",), ("repurchase_loss",)),
    ),
}
_RATE_OF_CUBE = {"arrival_cube": "arrival_rate", "landing_cube": "landing_rate", "decision_cube": "decision_rate"}
"""The rate by slices; a shop that does not deliver what it needs has none of them either."""
_STANDING = (reports.FindingStatus.CONFIRMED, reports.FindingStatus.PROVISIONAL)

PAIRS = {
    "traffic": (("click_rate", "arrival_rate"), ("cost_per_engaged_session", "return_on_ad_spend")),
    "landing": (
        ("first_screen_p75_ms", "three_second_rate"),
        ("first_screen_mean_ms", "three_second_rate"),
        ("three_second_rate", "landing_rate"),
    ),
    "decision": (
        ("first_response_median_seconds", "inquiry_pay_rate"),
        ("first_response_mean_seconds", "inquiry_pay_rate"),
        ("negative_review_rate", "visitor_cart_rate"),
        ("answered_24h_rate", "decision_rate"),
        ("coupon_use_rate", "decision_rate"),
        ("coupon_error_rate", "decision_rate"),
        ("payment_failures", "same_day_session_pay_rate"),
    ),
    "repurchase": (("care_sent", "daily_repurchase_rate"), ("members_joined", "returning_buyer_share")),
}

HEAT_MAPS = {
    "traffic": ("campaign", "device"),
    "landing": ("landing_page", "device"),
    "decision": ("first_category", "channel"),
    "repurchase": ("recency", "first_channel"),
}
HEAT_MAP_ROWS, HEAT_MAP_COLUMNS = 8, 6
IN_ORDER = ("recency",)  # dimensions with ordered values; others are sorted by size


def read_stage(published: Published, key: str, findings: Sequence[reports.Finding] = ()) -> reports.Stage:
    """The stage with its numbers, or the reason why it has none. `findings` of any stage serve its questions."""
    absent = _find_absent_family(published, key)
    if absent:
        return _read_stage_without_steps(published, key, absent)
    steps = _read_steps(published, key)
    if not steps or not steps[0].count:
        return _read_stage_without_steps(published, key, _explain_no_steps(published, key))
    windows = _read_windows(published, key)
    stage = mark_stage(
        reports.Stage(
            key,
            rate=_read_main_rate(published, key),
            steps=steps,
            indicators=tuple(published.figure(name) for name in INDICATORS[key] if published.is_known(name)),
        )
    )
    return replace(
        stage,
        slices=tuple(
            table
            for source in SLICES[key]
            if _is_rate_known(published, source) and _tells_something(table := _read_slice_table(published, source))
        ),
        response_windows=_read_response_windows(published) if key == "decision" else (),
        windows=windows,
        inquiry_windows=_read_inquiry_windows(published) if key == "decision" else (),
        heat_map=_read_heat_map(published, key) if _is_rate_known(published, SLICES[key][0]) else None,
        pairs=_read_pairs(published, key),
        questions=(*_answer_relevance_question(published, key), *_answer_questions(published, stage, findings)),
        relevance=read_relevance(published) if key == "traffic" and published.is_day else (),
        maturity=_describe_maturity(key, windows),
    )


def _read_stage_without_steps(published: Published, key: str, absent: Message) -> reports.Stage:
    """The figures that need no steps: those of service also in a shop that delivers nothing else."""
    if not published.is_published:
        return reports.Stage(key, no_data=absent)
    indicators = tuple(published.figure(name) for name in INDICATORS[key] if published.is_known(name))
    windows = _read_response_windows(published) if key == "decision" else ()
    return mark_stage(reports.Stage(key, no_data=absent, indicators=indicators, response_windows=windows))


def _is_rate_known(published: Published, source: SliceSource) -> bool:
    return source.cube not in _RATE_OF_CUBE or published.is_known(_RATE_OF_CUBE[source.cube])


def _tells_something(table: reports.SliceTable) -> bool:
    """Whether there are rows; of members, two: without any event of members nobody is known to be one."""
    return len(table.rows) > (table.dimension == "member")


def _explain_no_steps(published: Published, stage: str) -> Message:
    """Why nobody entered the stage on a day with data."""
    states = dict(published.rows("select family, state from quality.family_days where business_date = $to_date"))
    families = [family for family in FAMILIES_OF_STAGE[stage] if states.get(family) != "absent"]
    if stage == "repurchase":
        names_buyers = published.has_delivered("family = 'order' and column_name in ('customer_id', 'visitor_id')")
        return Message("no_customers" if names_buyers else "no_buyers_named")
    return Message("no_events", {"family": (families or FAMILIES_OF_STAGE[stage])[0]})


def _find_absent_family(published: Published, stage: str) -> Message | None:
    states = dict(published.rows("select family, state from quality.family_days where business_date = $to_date"))
    for family in FAMILIES_OF_STAGE[stage]:
        if states.get(family) == "absent":
            if family in DISPENSABLE_FAMILIES.get(stage, ()):
                continue
            return Message("family_not_declared", {"family": family})
        if states.get(family) in ("missing", "growing") and not published.is_published:
            return Message(f"family_{states[family]}", {"family": family})
    if not published.is_published:
        return Message("not_published", {"day": published.business_date})
    return None


def _read_main_rate(published: Published, stage: str) -> reports.Figure | None:
    known = [key for key in MAIN_RATE[stage] if published.is_known(key)]
    return published.figure(known[0]) if known else None


def _read_steps(published: Published, stage: str) -> tuple[reports.StageStep, ...]:
    days: dict[str, dict[date, int]] = {}
    for step, business_date, reached in published.rows(
        "select step, business_date, sum(reached)::BIGINT from marts.funnel_steps "
        "where stage = $stage and business_date between $from_date and $to_date "
        "group by step, step_number, business_date order by step_number",
        stage=stage,
    ):
        days.setdefault(step, {})[business_date] = reached
    steps = []
    previous: Mapping[date, int] = {}
    for step, counts in days.items():
        steps.append(_build_step(published, step, counts, previous))
        previous = counts
    return tuple(steps)


def _build_step(
    published: Published, key: str, counts: Mapping[date, int], previous: Mapping[date, int]
) -> reports.StageStep:
    today, before = (sum(days[day] for day in published.dates if day in days) for days in (counts, previous))
    rates = {day: (float(count), float(previous[day])) for day, count in counts.items() if day in previous}
    is_known = any(day in counts for day in published.dates)
    usual = published.yardstick.fit(rates, Chance.SHARE).estimate(
        published.dates, (today, before) if is_known and before else None
    )
    return reports.StageStep(
        key=key,
        count=today if is_known else None,
        rate_from_previous=today / before if is_known and before else None,
        baseline_count=published.yardstick.sum_usual(counts),
        baseline_rate=usual.value if usual else None,
        usual_low=usual.low if usual else None,
        usual_high=usual.high if usual else None,
        surprise=usual.surprise if usual and published.yardstick.is_judged else None,
    )


def _read_slice_table(published: Published, source: SliceSource) -> reports.SliceTable:
    rows = published.rows(
        f"""
        select
            {source.column}::VARCHAR,
            coalesce(sum({source.entered}) filter (where list_contains($dates, business_date)), 0)::BIGINT,
            coalesce(sum({source.passed}) filter (where list_contains($dates, business_date)), 0)::BIGINT,
            coalesce(sum({source.entered}) filter (where list_contains($usual_dates, business_date)), 0)::BIGINT,
            coalesce(sum({source.passed}) filter (where list_contains($usual_dates, business_date)), 0)::BIGINT
        from marts.{source.cube}
        where business_date between $from_date and $to_date
        group by 1
        having sum({source.entered}) filter (where list_contains($dates, business_date)) > 0
        order by 2 desc, 1
        """
    )
    return reports.SliceTable(
        source.dimension,
        source.entered_key,
        source.passed_key,
        tuple(reports.SliceRow(*row) for row in rows),
    )


def _read_windows(published: Published, stage: str) -> tuple[reports.Window, ...]:
    if stage == "decision":
        return _read_window_rows(
            published,
            "select window_days, min(entry_date), max(entry_date), sum(converted), sum(lost), sum(pending), "
            "(sum(converted) filter (where is_mature)) / (sum(entered) filter (where is_mature)) "
            "from marts.session_conversion_windows "
            "where entry_date between $entry_from and $to_date and window_days > 0 group by window_days order by 1",
            entry_from=published.business_date - timedelta(days=reports.FULL_BASELINE_DAYS),
        )
    if stage == "repurchase":
        return _read_window_rows(
            published,
            "select window_days, min(cohort_date), max(cohort_date), sum(converted), sum(lost), sum(pending), "
            "max(kaplan_meier_rate) from marts.repurchase_windows "
            "where cohort_date between $cohort_from and $to_date group by window_days order by 1",
            cohort_from=published.business_date - timedelta(days=89),
        )
    return ()


def _read_inquiry_windows(published: Published) -> tuple[reports.Window, ...]:
    """Presale inquiries of the last four weeks; that of the day itself is among the figures."""
    return _read_window_rows(
        published,
        "select window_days, min(entry_date), max(entry_date), sum(converted), sum(lost), sum(pending), "
        "(sum(converted) filter (where is_mature)) / (sum(entered) filter (where is_mature)) "
        "from marts.inquiry_conversion_windows "
        "where entry_date between $entry_from and $to_date and window_days > 0 group by window_days order by 1",
        entry_from=published.business_date - timedelta(days=reports.FULL_BASELINE_DAYS),
    )


def _read_response_windows(published: Published) -> tuple[reports.ResponseWindow, ...]:
    """Presale inquiries of the last four weeks, followed until a human answers."""
    if not published.has_table("marts", "response_outcomes"):
        return ()
    rows = published.rows(
        """
        with windows as (
            select
                window_days,
                min(entry_date) as first_date,
                max(entry_date) as last_date,
                sum(entered) as entered,
                sum(answered) as answered,
                sum(unanswered) as unanswered,
                sum(pending) as pending,
                (sum(answered) filter (where is_mature)) / (sum(entered) filter (where is_mature)) as rate
            from marts.response_windows
            where entry_date between $entry_from and $to_date and window_days > 0
            group by window_days
        ),

        waits as (
            select
                window_days,
                entered,
                response_seconds,
                sum(sum(inquiries)) over (partition by window_days order by response_seconds) as answered_so_far
            from windows
            inner join marts.response_outcomes
                on entry_date between first_date and last_date and age_days <= window_days
            group by window_days, entered, response_seconds
        )

        select
            window_days, first_date, last_date, answered, unanswered, pending, rate,
            (select min(response_seconds) from waits
             where waits.window_days = windows.window_days and 2 * answered_so_far >= waits.entered)
        from windows
        order by window_days
        """,
        entry_from=published.business_date - timedelta(days=reports.FULL_BASELINE_DAYS),
    )
    return tuple(
        reports.ResponseWindow(
            *(days, first, last),
            int(answered),
            int(unanswered),
            int(pending),
            rate,
            None if wait is None else float(wait),
        )
        for days, first, last, answered, unanswered, pending, rate, wait in rows
    )


def _read_window_rows(published: Published, statement: str, **parameters: object) -> tuple[reports.Window, ...]:
    return tuple(
        reports.Window(days, first, last, int(converted), int(lost), int(pending), rate)
        for days, first, last, converted, lost, pending, rate in published.rows(statement, **parameters)
    )


def _describe_maturity(stage: str, windows: tuple[reports.Window, ...]) -> Message:
    """Whether the stage's numbers can still change: until midnight, or while windows are open."""
    keys = {"decision": "window_open", "repurchase": "cohort_open"}
    if stage not in keys or not windows:
        return Message("final_at_midnight")
    window = windows[-1] if stage == "decision" else windows[0]
    if not window.pending:
        return Message("final_at_midnight")
    return Message(keys[stage], {"days": window.window_days, "pending": window.pending})


def _read_heat_map(published: Published, stage: str) -> reports.HeatMap | None:
    """The stage's rate by its two main dimensions, for the values with most entries; None if one has a single value."""
    source = SLICES[stage][0]
    row, column = HEAT_MAPS[stage]
    cells: dict[tuple[str, str], reports.HeatCell] = {}
    sizes: tuple[dict[str, int], dict[str, int]] = ({}, {})
    for row_value, column_value, *counts in published.rows(
        f"""
        select
            coalesce({row}::VARCHAR, ''),
            coalesce({column}::VARCHAR, ''),
            coalesce(sum({source.entered}) filter (where list_contains($dates, business_date)), 0)::BIGINT,
            coalesce(sum({source.passed}) filter (where list_contains($dates, business_date)), 0)::BIGINT,
            coalesce(sum({source.entered}) filter (where list_contains($usual_dates, business_date)), 0)::BIGINT,
            coalesce(sum({source.passed}) filter (where list_contains($usual_dates, business_date)), 0)::BIGINT
        from marts.{source.cube}
        where business_date between $from_date and $to_date
        group by 1, 2
        order by 1, 2
        """
    ):
        cells[row_value, column_value] = reports.HeatCell(*counts)
        for size, value in zip(sizes, (row_value, column_value), strict=True):
            size[value] = size.get(value, 0) + counts[0]
    rows, columns = (
        _select_largest(size, most) for size, most in zip(sizes, (HEAT_MAP_ROWS, HEAT_MAP_COLUMNS), strict=True)
    )
    rows = sorted(rows) if row in IN_ORDER else rows
    if len(rows) < 2 or len(columns) < 2:
        return None
    return reports.HeatMap(
        DIMENSION_WORDS.get(row, row),
        DIMENSION_WORDS.get(column, column),
        tuple(rows),
        tuple(columns),
        tuple(tuple(cells.get((row_value, column_value)) for column_value in columns) for row_value in rows),
    )


def _select_largest(sizes: Mapping[str, int], most: int) -> list[str]:
    named = [value for value in sizes if value and sizes[value]]
    return sorted(named, key=lambda value: (-sizes[value], value))[:most]


def _read_pairs(published: Published, stage: str) -> tuple[reports.Pair, ...]:
    """The operational figures that are known on at least two days, each with the rate that it may influence."""
    known = [pair for pair in PAIRS[stage] if all(map(published.is_known, pair))]
    pairs = [reports.Pair(published.figure(cause), published.figure(effect)) for cause, effect in known]
    return tuple(pair for pair in pairs if _is_drawn(pair.cause) and _is_drawn(pair.effect))


def _is_drawn(figure: reports.Figure) -> bool:
    return sum(point.value is not None for point in figure.trend) >= 2


def _answer_questions(
    published: Published, stage: reports.Stage, findings: Sequence[reports.Finding]
) -> tuple[reports.Question, ...]:
    figures = {figure.key: figure for figure in (*stage.indicators, stage.rate) if figure is not None}
    return tuple(_answer_question(published, source, figures, findings) for source in QUESTIONS[stage.key])


def _answer_question(
    published: Published,
    source: QuestionSource,
    figures: Mapping[str, reports.Figure],
    findings: Sequence[reports.Finding],
) -> reports.Question:
    """No: marked as worse, or so in a slice. Yes: within the usual range or better.

    Unknown: no number, not judged, or worse than usual by no more than chance; of too few cases, none at all too.
    """
    known = [key for key in source.figures if published.is_known(key)]
    figure = figures.get(known[0]) or published.figure(known[0]) if known else None
    where = [each.slice for each in findings if each.kind in source.faults and each.status in _STANDING]
    if where:
        return reports.Question(source.key, reports.QuestionAnswer.NO, figure, where[0])
    if figure is None or figure.value is None:
        return reports.Question(source.key, reports.QuestionAnswer.UNKNOWN)
    worse = reports.Mark.ABOVE if source.is_worse_above else reports.Mark.BELOW
    if figure.mark is worse:
        return reports.Question(source.key, reports.QuestionAnswer.NO, figure)
    is_none = not figure.value and not source.is_worse_above
    if figure.surprise is None or is_none or _is_beyond(figure, worse):
        return reports.Question(source.key, reports.QuestionAnswer.UNKNOWN, figure)
    return reports.Question(source.key, reports.QuestionAnswer.YES, figure)


def _is_beyond(figure: reports.Figure, side: reports.Mark) -> bool:
    """Whether the figure is outside its usual range on that side."""
    if figure.value is None or figure.usual_low is None or figure.usual_high is None:
        return False
    if side is reports.Mark.ABOVE:
        return float(figure.value) > float(figure.usual_high)
    return float(figure.value) < float(figure.usual_low)


def _answer_relevance_question(published: Published, stage: str) -> tuple[reports.Question, ...]:
    if stage != "traffic" or not published.is_day:
        return ()
    cells = read_relevance(published)
    if not cells:
        return (reports.Question("creative_matches_page", reports.QuestionAnswer.UNKNOWN),)
    failing = sum(cell.is_failing for cell in cells)
    figure = reports.Figure("failing_matches", Unit.COUNT, failing, failing, len(cells))
    return (
        reports.Question(
            "creative_matches_page", reports.QuestionAnswer.NO if failing else reports.QuestionAnswer.YES, figure
        ),
    )
