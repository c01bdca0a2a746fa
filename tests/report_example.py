"""A full, made-up report: a busy shop on a day that the gate let through with a warning."""

from dataclasses import replace
from datetime import date, time, timedelta
from decimal import Decimal
from math import sin

from funnelscope.messages.message_types import Message, PeriodKind, Unit
from reports import (
    Bridge,
    BridgeBar,
    CheckResult,
    CheckState,
    DayInPeriod,
    DayPoint,
    DeliveryState,
    Diagnosis,
    EditionChange,
    Estimate,
    Evidence,
    FamilyDelivery,
    Figure,
    Finding,
    FindingStatus,
    FollowUp,
    Headline,
    HeatCell,
    HeatMap,
    Mark,
    MoneyPart,
    MoneySplit,
    Pair,
    QuarantineCount,
    Question,
    QuestionAnswer,
    RelevanceCell,
    Report,
    ReportVerdict,
    SliceRow,
    SliceTable,
    Stage,
    StageStep,
    VisibleDrop,
    Window,
)

BUSINESS_DATE = date(2026, 6, 20)
PROMOTION = {date(2026, 6, 16): "618 opening", date(2026, 6, 17): "618 main", date(2026, 6, 18): "618 main"}
LONG_NAME = "Summer_Linen_Retargeting_Lookalike_3pct_v"  # 41 characters without a space


def points(
    middle: float, today: float, swing: float = 0.04, lift_by: float = 1.15, days: int = 28
) -> tuple[DayPoint, ...]:
    """A series of `days` days that ends with `today`; one day has no number, and promotion days stand out."""
    result = []
    for number in range(days):
        day = BUSINESS_DATE - timedelta(days=days - 1 - number)
        lift = lift_by if day in PROMOTION else 1.0
        value = middle * (1 + swing * sin(number * 2.1)) * lift
        missing = number == 9
        result.append(DayPoint(day, None if missing else today if number == days - 1 else value, PROMOTION.get(day)))
    return tuple(result)


def rate(key: str, numerator: int, denominator: int, baseline: float, **more: object) -> Figure:
    return Figure(key, Unit.RATE, numerator / denominator, numerator, denominator, baseline, **more)  # type: ignore[arg-type]


def said(key: str, **values: str | int) -> tuple[Message, Message]:
    """What a check found, and what should have been."""
    return Message(key, values, "observed"), Message(key, values, "expected")


HEADLINE = (
    Headline(
        Figure(
            "paid_amount", Unit.MONEY, Decimal("12345678.90"), baseline=13204411.52, trend=points(13.2e6, 12345678.9)
        ),
        target=Decimal("13000000"),
        month_to_date=Decimal("241118402.10"),
        month_target=Decimal("260000000"),
        same_phase=Decimal("11804411.00"),
        same_phase_day=date(2025, 6, 20),
    ),
    Headline(Figure("net_amount", Unit.MONEY, Decimal("11301204.00"), baseline=12101204.0)),
    Headline(rate("visitor_pay_rate", 31_902, 590_118, 0.0569, trend=points(0.0569, 31_902 / 590_118)), target=0.056),
    Headline(
        Figure("cost", Unit.MONEY, Decimal("1204411.32"), baseline=1_190_000.0, trend=points(1.19e6, 1_204_411.32)),
        second=Figure("return_on_ad_spend", Unit.RATIO, 4.12, baseline=4.6),
    ),
)

BRIDGE = Bridge(
    usual=Decimal("13204411.52"),
    today=Decimal("12345678.90"),
    bars=(
        BridgeBar("sessions", Decimal("-102118.40"), Unit.COUNT, 820_400, 812_644),
        BridgeBar("landing_rate", Decimal("-541204.11"), Unit.RATE, 0.6104, 0.58),
        BridgeBar("decision_rate", Decimal("-374118.20"), Unit.RATE, 0.0624, 0.0603),
        BridgeBar("orders_per_paying_session", Decimal("-9004.00"), Unit.RATIO, 1.0181, 1.0172),
        BridgeBar("amount_per_order", Decimal("151995.00"), Unit.MONEY, 345.2, 349.67),
        BridgeBar("carried_over", Decimal("11717.50"), Unit.MONEY, 1_690_411, 1_702_128.5),
        BridgeBar("presale_balance", Decimal("7999.59"), Unit.MONEY, 402_000.41, 410_000),
        BridgeBar("no_session", Decimal("-4000.00"), Unit.MONEY, 132_000, 128_000),
    ),
    excluded=BridgeBar("excluded", Decimal("0"), Unit.MONEY, 18_000, 20_415),
)

FINDING = Finding(
    stage="landing",
    kind="slow_first_screen",
    title="Slow first screen",
    slice=(("landing_page", LONG_NAME), ("device", "Android")),
    status=FindingStatus.CONFIRMED,
    finding_id="0b547f3dec6d",
    named=("landing_page", LONG_NAME),
    owner="Page team",
    since=date(2026, 6, 17),
    observed=0.412,
    expected=0.553,
    effect=Estimate(-0.255, -0.29, -0.221),
    lost_orders=Estimate(1_204, 1_011, 1_398),
    lost_amount=Estimate(421_118.4, 353_000, 489_000),
    lost_net_amount=Estimate(388_411.9, 326_104, 451_004),
    mix=-0.0012,
    rate=-0.0217,
    stability=0.97,
    runner_up=(("device", "Android"),),
    evidence=(
        Evidence("series", "first_screen_ms", Unit.MILLISECONDS, 2_910, 1_990, date(2026, 6, 16), True),
        Evidence("change_log", "page", since=date(2026, 6, 16), note="new opening film"),
    ),
    question="Is the first screen fast enough?",
    next_step="Open the page on an Android phone and look at the size of its first picture.",
    recheck_date=date(2026, 6, 23),
)
WITHHELD = Finding(
    stage="decision",
    kind="tracking_lost",
    title="Events are lost",
    slice=(("region", "广东"),),
    status=FindingStatus.WITHHELD,
    since=date(2026, 6, 20),
    effect=Estimate(0.31, 0.22, 0.4),
    status_reason="Page events of the region arrived at a tenth of their usual number.",
)
DIAGNOSIS = Diagnosis(
    state="found",
    findings=(FINDING, WITHHELD),
    follow_ups=(
        FollowUp(
            "decision",
            "broken_coupon",
            "Coupon refused",
            (("coupon", "SHOP20"),),
            date(2026, 6, 11),
            "recovered",
            Estimate(9_411.0),
        ),
    ),
    visible_drops=(VisibleDrop("landing", 0.012), VisibleDrop("decision", 0.034)),
)
CALM = Diagnosis(state="calm", visible_drops=(VisibleDrop("landing", 0.012), VisibleDrop("decision", 0.034)))

HEAT_MAP = HeatMap(
    "landing_page",
    "device",
    (LONG_NAME, "/p/1", "/p/2"),
    ("Android", "iPhone", "desktop"),
    tuple(
        tuple(
            None
            if (row, column) == (2, 2)
            else HeatCell(9_000, int(9_000 * (0.41 if row == column == 0 else 0.56)), 240_000, 134_000)
            for column in range(3)
        )
        for row in range(3)
    ),
)

MONEY = MoneySplit(
    same_day=MoneyPart(Decimal("10105550.40"), 28_900, 10_980_000.11),
    carried_over=MoneyPart(Decimal("1702128.50"), 4_470, 1_690_411.0),
    presale_balance=MoneyPart(Decimal("410000.00"), 812, 402_000.41),
    no_session=MoneyPart(Decimal("128000.00"), 301, 132_000.0),
    excluded=MoneyPart(Decimal("20415.00"), 44, 18_000.0),
    factors=(
        Figure("sessions", Unit.COUNT, 812_644, baseline=820_400.2),
        rate("landing_rate", 471_333, 812_644, 0.6104),
        rate("decision_rate", 28_410, 471_333, 0.0624),
        Figure("orders_per_paying_session", Unit.RATIO, 1.0172, 28_900, 28_410, 1.0181),
        Figure("amount_per_order", Unit.MONEY, Decimal("349.67"), baseline=352.11),
    ),
)


def slices(dimension: str, entered: str, passed: str, names: list[str | None], usual: float) -> SliceTable:
    """A table whose values grow smaller; the third falls far below its usual rate."""
    rows = []
    for number, name in enumerate(names):
        size = int(240_000 / (number + 1) ** 1.3) + 3
        today = usual * (0.7 if number == 2 else 1.01)
        rows.append(SliceRow(name, size, int(size * today), size * 27, int(size * 27 * usual)))
    return SliceTable(dimension, entered, passed, tuple(rows))


TRAFFIC = Stage(
    "traffic",
    rate=rate(
        "arrival_rate",
        702_118,
        790_204,
        0.8921,
        usual_low=0.87,
        usual_high=0.91,
        trend=points(0.892, 0.8885, 0.01, 1.04),
    ),
    steps=(
        StageStep("impression", 24_118_402, baseline_count=24_400_118.0),
        StageStep("click", 801_377, 0.03323, 812_000.4, 0.0333, 0.0311, 0.0355),
        StageStep("arrival", 702_118, 0.8885, 724_000.0, 0.8921, 0.87, 0.91),
    ),
    slices=(
        slices("channel", "click", "arrival", ["search", "recommendation", "short video", "live", None], 0.89),
        slices("campaign", "click", "arrival", [LONG_NAME, *(f"campaign {n:03}" for n in range(199))], 0.89),
    ),
    indicators=(
        Figure("cost", Unit.MONEY, Decimal("1204411.32"), baseline=1_190_000.0),
        Figure("cost_per_engaged_session", Unit.MONEY, Decimal("2.91"), 1_204_411, 413_886, 2.75),
        rate("session_bounce_rate", 290_117, 812_644, 0.3411),
        rate("private_domain_share", 90_411, 812_644, 0.1102),
        Figure("bot_sessions", Unit.COUNT, 4_410, baseline=4_102.2),
    ),
    relevance=(
        RelevanceCell("linen_video", "/p/1", 9_004, 0.12),
        RelevanceCell("linen_video", "/p/2", 4_110, -0.81, True),
        RelevanceCell("sale_banner", "/p/1", 2_009, -0.02),
    ),
)

LANDING = Stage(
    "landing",
    rate=rate("landing_rate", 471_333, 812_644, 0.6104, usual_low=0.595, usual_high=0.626, trend=points(0.61, 0.58)),
    steps=(
        StageStep("arrival", 812_644, baseline_count=820_400.2),
        StageStep("three_seconds", 690_204, 0.8493, 705_118.0, 0.8595, 0.842, 0.875),
        StageStep("second_interaction", 522_527, 0.7571, 541_000.0, 0.7672, 0.75, 0.785),
        StageStep("qualified_product_view", 471_333, 0.902, 500_772.0, 0.9256, 0.912, 0.94, 1e-5, Mark.BELOW),
        StageStep("deep_read", 160_253, 0.34, 175_270.0, 0.35, 0.332, 0.368),
    ),
    slices=(
        slices("entry_type", "arrival", "qualified_product_view", ["product", "home", "content", "live", "cart"], 0.61),
        slices("device", "arrival", "qualified_product_view", ["Android", "iPhone", "desktop", "tablet"], 0.61),
        slices("landing_page", "arrival", "qualified_product_view", [f"/p/{n}" for n in range(40)], 0.61),
    ),
    indicators=(
        Figure("first_screen_p50_ms", Unit.MILLISECONDS, 1_240, baseline=1_080.4),
        Figure(
            "first_screen_p75_ms",
            Unit.MILLISECONDS,
            2_910,
            baseline=1_990.0,
            usual_low=1_700,
            usual_high=2_300,
            surprise=1e-6,
            mark=Mark.ABOVE,
        ),
        rate("three_second_rate", 690_204, 771_400, 0.9011, coverage=0.9492),
        rate("session_bounce_rate", 290_117, 812_644, 0.3411),
        rate("deep_read_rate", 160_253, 498_210, 0.333),
        Figure("average_stay_seconds", Unit.SECONDS, None, baseline=74.2),
    ),
    heat_map=HEAT_MAP,
    pairs=(
        Pair(
            Figure("first_screen_p75_ms", Unit.MILLISECONDS, 2_910, baseline=1_990.0, trend=points(1_990, 2_910)),
            rate("three_second_rate", 690_204, 771_400, 0.9011, trend=points(0.9011, 0.8947)),
        ),
    ),
    questions=(
        Question("three_seconds", QuestionAnswer.NO, rate("three_second_rate", 690_204, 771_400, 0.9011)),
        Question(
            "fast_enough", QuestionAnswer.NO, Figure("first_screen_p75_ms", Unit.MILLISECONDS, 2_910, baseline=1_990.0)
        ),
        Question("detail_clear", QuestionAnswer.UNKNOWN),
    ),
    maturity=Message("final_at_midnight"),
)

DECISION = Stage(
    "decision",
    rate=rate(
        "decision_rate", 28_410, 471_333, 0.0624, usual_low=0.0592, usual_high=0.0655, trend=points(0.0624, 0.0603)
    ),
    steps=(
        StageStep("qualified_product_view", 471_333, baseline_count=500_772.0),
        StageStep("favorite_or_cart", 118_104, 0.2506, 126_000.0, 0.2516, 0.241, 0.262),
        StageStep("checkout", 48_117, 0.4074, 53_000.0, 0.4206, 0.402, 0.439),
        StageStep("order", 33_004, 0.6859, 36_400.0, 0.6868, 0.66, 0.712),
        StageStep("paid", 28_410, 0.8608, 31_248.0, 0.8584, 0.84, 0.877),
    ),
    slices=(
        slices("category", "qualified_product_view", "paid", ["连衣裙", "T恤", "裤子", "鞋", "包", "配饰"], 0.062),
        slices("inquiry_class", "qualified_product_view", "paid", ["no inquiry", "presale inquiry"], 0.062),
    ),
    indicators=(
        Figure("presale_conversations", Unit.COUNT, 6_204, baseline=6_410.4),
        Figure("first_response_median_seconds", Unit.SECONDS, 25.4, baseline=24.1),
        Figure(
            "first_response_p90_seconds",
            Unit.SECONDS,
            1_185.0,
            baseline=161.2,
            usual_low=120,
            usual_high=205,
            surprise=1e-9,
            mark=Mark.ABOVE,
        ),
        rate("reply_within_30s_rate", 3_411, 6_204, 0.5712),
        rate("reply_within_3min_rate", 5_003, 6_204, 0.8211),
        rate("inquiry_pay_rate", 1_302, 6_204, 0.2266),
        rate("coupon_use_rate", 8_104, 30_118, 0.2701),
        rate("coupon_error_rate", 12, 30_118, 0.00031),
        Figure("product_rating", Unit.RATIO, 4.71, 18_840, 4_000, 4.73),
        rate("negative_review_rate", 118, 4_000, 0.0301),
    ),
    windows=(
        Window(1, BUSINESS_DATE - timedelta(days=1), BUSINESS_DATE - timedelta(days=1), 29_904, 0, 470_118, 0.0598),
        Window(7, BUSINESS_DATE - timedelta(days=7), BUSINESS_DATE - timedelta(days=7), 36_404, 470_330, 4_410, 0.0712),
    ),
    inquiry_windows=(Window(3, BUSINESS_DATE - timedelta(days=28), BUSINESS_DATE, 41_208, 118_377, 14_902, 0.2583),),
)

REPURCHASE = Stage(
    "repurchase",
    rate=rate("daily_repurchase_rate", 4_117, 320_411, 0.0134, trend=points(0.0134, 4_117 / 320_411)),
    steps=(
        StageStep("active", 320_411, baseline_count=318_000.0),
        StageStep("delivered", 290_117, 0.9055, 289_000.0, 0.9088, 0.89, 0.92),
        StageStep("cared_for", 151_002, 0.5205, 170_000.0, 0.5882, 0.57, 0.61),
        StageStep("member", 80_410, 0.5325, 84_000.0, 0.4941, 0.48, 0.51),
        StageStep("purchased", 4_117, 0.0512, 4_270.0, 0.0508, 0.047, 0.054),
    ),
    slices=(slices("member", "active", "purchased", ["member", "contact", "neither"], 0.0134),),
    indicators=(
        Figure("refund_amount", Unit.MONEY, Decimal("911204.20"), baseline=880_000.0),
        Figure("refund_amount_same_day", Unit.MONEY, Decimal("204118.00"), baseline=190_000.0),
        Figure("refund_amount_1_to_7_days", Unit.MONEY, Decimal("507086.20"), baseline=480_000.0),
        Figure("refund_amount_over_30_days", Unit.MONEY, Decimal("-10.00"), baseline=2_000.0),
        Figure("care_sent", Unit.COUNT, 12_004, baseline=22_118.4),
        Figure("members_joined", Unit.COUNT, 411, baseline=398.2),
        rate("returning_buyer_share", 9_118, 31_902, 0.2911),
    ),
    windows=(
        Window(30, date(2026, 4, 20), date(2026, 5, 20), 20_411, 120_004, 0, 0.1454),
        Window(60, date(2026, 3, 21), date(2026, 5, 20), 28_114, 90_003, 31_402, 0.2011),
        Window(90, date(2026, 2, 19), date(2026, 5, 20), 33_010, 70_114, 62_400, None),
    ),
)

BUSY = Report(
    shop="示例商店 Example Shop",
    business_date=BUSINESS_DATE,
    time_zone="Asia/Shanghai",
    language="en",
    currency="CNY",
    edition=2,
    snapshot="20260621T0210-4f1c",
    verdict=ReportVerdict.WARN,
    verdict_reasons=(
        Message("quarantine_high", {"family": "page", "rows": 1_204}),
        Message("verbatim", {"text": "Region 广东: page events arrived at a tenth of their usual number."}),
    ),
    last_good_date=date(2026, 6, 19),
    baseline_days=28,
    headline=HEADLINE,
    bridge=BRIDGE,
    diagnosis=DIAGNOSIS,
    money=MONEY,
    stages=(TRAFFIC, LANDING, DECISION, REPURCHASE),
    deliveries=(
        FamilyDelivery("traffic", DeliveryState.COMPLETE, 3_204_118, 3_200_004, 4_000, 114, time(23, 59)),
        FamilyDelivery("page", DeliveryState.COMPLETE, 18_204_411, 18_200_107, 3_100, 1_204, time(23, 59)),
        FamilyDelivery("service", DeliveryState.GROWING, 88_204, 88_204, 0, 0, time(21, 14)),
        FamilyDelivery("order", DeliveryState.COMPLETE, 140_118, 140_100, 18, 0, time(23, 58)),
    ),
    checks=(
        CheckResult("reconciliation", CheckState.PASS, ("staging.order_events",)),
        CheckResult("money_adds_up", CheckState.PASS, ("marts.daily_money",)),
        CheckResult(
            "steps_never_rise",
            CheckState.WARN,
            ("marts.funnel_steps",),
            *said(
                "steps_never_rise",
                stage="landing",
                step="deep_read",
                entry_type="home",
                reached=160_253,
                previous_reached=160_250,
            ),
        ),
        CheckResult(
            "dwell_is_not_negative",
            CheckState.FAIL,
            ("staging.page_events",),
            *said("rows", cases=17, rows=18_200_107, asked="column dwell_ms; at least 0"),
            title="Nobody stays less than no time",
        ),
        CheckResult("whole_files_are_readable", CheckState.SKIPPED),
    ),
    quarantine=(
        QuarantineCount("page", "value_out_of_contract", 1_187),
        QuarantineCount("page", "dwell_ms below zero", 17),
        QuarantineCount("traffic", "unknown_event_type", 114),
    ),
    changes=(
        EditionChange(Figure("paid_amount", Unit.MONEY, Decimal("12345678.90")), Decimal("12301002.40")),
        EditionChange(rate("visitor_pay_rate", 31_902, 590_118, 0.0569), 0.0538),
    ),
    late_deliveries=("landing/order/dt=2026-06-22/part-0.parquet",),
    restated_days=(date(2026, 6, 18), date(2026, 6, 20), date(2026, 6, 21)),
)

BLOCKED = replace(
    BUSY,
    language="zh",
    verdict=ReportVerdict.BLOCKED,
    verdict_reasons=(
        Message("family_missing", {"family": "service"}),
        Message(
            "steps_impossible",
            {"step": "order", "count": 48_200, "previous_step": "checkout", "previous_count": 48_117},
        ),
    ),
    baseline_days=12,
    stages=(
        replace(TRAFFIC, no_data=Message("family_not_declared", {"family": "traffic"})),
        LANDING,
        DECISION,
        REPURCHASE,
    ),
)

EMPTY = Report(
    shop="New shop",
    business_date=BUSINESS_DATE,
    time_zone="Asia/Shanghai",
    language="en",
    currency="CNY",
    edition=1,
    snapshot="none",
    verdict=ReportVerdict.BLOCKED,
    baseline_days=0,
    headline=(Headline(Figure("paid_amount", Unit.MONEY, None)), Headline(Figure("visitors", Unit.COUNT, None))),
    money=MoneySplit(*[MoneyPart(None)] * 5),
    stages=(
        Stage("traffic", no_data=Message("family_not_declared", {"family": "traffic"})),
        Stage(
            "landing",
            Figure("landing_rate", Unit.RATE, None),
            steps=(StageStep("arrival", None), StageStep("deep_read", None)),
        ),
    ),
    deliveries=(FamilyDelivery("order", DeliveryState.MISSING), FamilyDelivery("traffic", DeliveryState.ABSENT)),
)

WEEK_DAYS = tuple(BUSINESS_DATE - timedelta(days=back) for back in range(6, -1, -1))
WEEK = replace(
    BUSY,
    period=PeriodKind.WEEK,
    name="2026-W25",
    restated_days=(),
    own_funnels=(),
    daily=Figure(
        "paid_amount",
        Unit.MONEY,
        None,
        trend=tuple(
            DayPoint(day, None if place == 2 else 1_700_000 + 10_417 * place, None, 1_650_000, 2_050_000, 1_846_000)
            for place, day in enumerate(WEEK_DAYS)
        ),
    ),
    days=tuple(
        DayInPeriod(
            day,
            ReportVerdict.BLOCKED if place == 2 else ReportVerdict.PASS,
            place != 2,
            figures=(Figure("paid_amount", Unit.MONEY, None if place == 2 else Decimal(1_700_000 + 10_417 * place)),),
        )
        for place, day in enumerate(WEEK_DAYS)
    ),
    headline=(replace(HEADLINE[0], month_to_date=None, same_phase=None, before=12_404_118.0), *HEADLINE[1:]),
    diagnosis=replace(
        DIAGNOSIS,
        findings=(
            replace(FINDING, found_on=(*WEEK_DAYS[3:5], WEEK_DAYS[6]), since=WEEK_DAYS[3]),
            replace(
                FINDING,
                finding_id="5d1c07aa9e12",
                title="Coupon refused",
                stage="decision",
                slice=(("coupon", "SHOP20"),),
                status=FindingStatus.RECOVERED,
                is_ongoing=False,
                since=WEEK_DAYS[0] - timedelta(days=4),
                found_on=WEEK_DAYS[:2],
                lost_amount=Estimate(9_411.0, 7_018.0, 11_906.0),
                lost_orders=Estimate(41, 30, 52),
            ),
        ),
        follow_ups=(),
        judged_days=5,
    ),
)
