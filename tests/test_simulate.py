"""The simulated shop: repeatable to the byte, true to the contract, and honest about what it did."""

import json
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest

from funnelscope.events.schema import EVENT_FAMILIES, Kind
from funnelscope.simulator import FILE_FORMATS, Fault, load_faults, orders, simulate

FIRST = date(2026, 5, 1)
COUPON = Fault(kind="broken_coupon", slice={"coupon": "WELCOME10"}, from_date=date(2026, 5, 3))
SLOW = Fault(
    kind="slow_first_screen", slice={"landing_page": "item_0001", "device": "android"}, from_date=date(2026, 5, 3)
)
TINY = {"days": 1, "sessions_per_day": 60, "history_days": 2}
DIRT = {"late_share": 0.05, "duplicate_share": 0.05, "shuffle": True}


def run(out: Path, **changes: Any) -> Path:
    wanted: dict[str, Any] = {"days": 4, "sessions_per_day": 400, "seed": 11, "faults": [], "history_days": 12}
    simulate(out=out, **(wanted | changes))
    return out


def truth_of(out: Path) -> dict[str, Any]:
    return json.loads((out / "truth.json").read_text())


def landing_bytes(out: Path, last: date | None = None) -> dict[str, bytes]:
    """Every landing file up to a delivery day, by its path below the landing folder."""
    landing = out / "landing"
    return {
        str(path.relative_to(landing)): path.read_bytes()
        for path in sorted(landing.glob("*/dt=*/*"))
        if last is None or path.parent.name <= f"dt={last}"
    }


def rows_of(out: Path, family: str, day: date | None = None) -> pa.Table:
    """All delivered rows of a family with their delivery day `dt` (text)."""
    tables = []
    for path in sorted((out / "landing" / family).glob(f"dt={day or '*'}/*")):
        table = pa.parquet.ParquetFile(path).read()
        plain = pa.table(
            {
                n: table[n].cast(pa.string()) if pa.types.is_dictionary(table[n].type) else table[n]
                for n in table.schema.names
            }
        )
        tables.append(plain.append_column("dt", pa.array([path.parent.name[3:]] * len(plain), pa.string())))
    return pa.concat_tables(tables)


def ask(table: pa.Table, statement: str) -> list[tuple[Any, ...]]:
    """SQL over the rows, which are called `rows_`."""
    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'")
        connection.register("rows_", table)
        return connection.execute(statement).fetchall()


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixteen days with the whole promotion, presale balances included."""
    return run(tmp_path_factory.mktemp("shop"), days=16, sessions_per_day=700, history_days=30)


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four days without faults and without dirt."""
    return run(tmp_path_factory.mktemp("clean"))


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run(tmp_path_factory.mktemp("tiny"), **TINY)


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path, clean: Path) -> None:
    again, other = run(tmp_path / "again"), run(tmp_path / "other", seed=12)
    assert landing_bytes(clean) == landing_bytes(again)
    assert (clean / "truth.json").read_bytes() == (again / "truth.json").read_bytes()
    assert landing_bytes(clean) != landing_bytes(other)


def test_a_longer_run_begins_like_a_shorter_one(tmp_path: Path) -> None:
    short, long = run(tmp_path / "short", days=3, **DIRT), run(tmp_path / "long", days=6, **DIRT)
    assert landing_bytes(short, last=FIRST + timedelta(days=2)) == landing_bytes(long, last=FIRST + timedelta(days=2))
    days = truth_of(short)["days"]
    assert days == {day: numbers for day, numbers in truth_of(long)["days"].items() if day in days}


def test_a_fault_leaves_no_trace_before_its_date(tmp_path: Path, clean: Path) -> None:
    faulty = run(tmp_path / "faulty", faults=[COUPON])
    assert landing_bytes(clean, last=date(2026, 5, 2)) == landing_bytes(faulty, last=date(2026, 5, 2))
    assert landing_bytes(clean) != landing_bytes(faulty)


def test_a_broken_coupon_takes_away_its_own_orders_and_nothing_else(tmp_path: Path) -> None:
    size = {"days": 3, "sessions_per_day": 4000, "history_days": 3}
    clean, faulty = run(tmp_path / "clean", **size), run(tmp_path / "faulty", faults=[COUPON], **size)
    day = "2026-05-03"
    before, after = truth_of(clean)["days"][day], truth_of(faulty)["days"][day]
    lost = after["lost_to_faults"]
    assert lost["orders"] == before["orders_created"] - after["orders_created"] > 0
    assert lost["paid_cents"] == before["money_cents"]["paid_amount"] - after["money_cents"]["paid_amount"] > 0
    assert before["lost_to_faults"] == {"orders": 0, "paid_orders": 0, "paid_cents": 0}
    assert before["reached"]["checkout"] == after["reached"]["checkout"]
    assert after["coupon_errors"] > 10 * before["coupon_errors"]

    statement = """select coupon, count(distinct order_id) from rows_
        where event_type = 'created' and line = '1' and session_id is not null group by coupon order by coupon"""
    orders_before, orders_after = (
        dict(ask(rows_of(out, "order", date.fromisoformat(day)), statement)) for out in (clean, faulty)
    )
    assert orders_after.pop("WELCOME10") / orders_before.pop("WELCOME10") == pytest.approx(0.4, abs=0.2)
    assert orders_after == orders_before
    errors = ask(
        rows_of(faulty, "page", date.fromisoformat(day)),
        "select distinct coupon from rows_ where error_code like 'COUPON%'",
    )
    assert ("WELCOME10",) in errors
    path = f"landing/traffic/dt={day}/part-0.parquet"
    assert (clean / path).read_bytes() == (faulty / path).read_bytes()


@pytest.mark.slow
def test_a_slow_first_screen_drives_away_a_quarter_of_its_slice_only(tmp_path: Path) -> None:
    size = {"days": 3, "sessions_per_day": 20_000, "history_days": 1}
    clean, faulty = run(tmp_path / "clean", **size), run(tmp_path / "faulty", faults=[SLOW], **size)
    day = date(2026, 5, 3)
    measured = []
    for out in (clean, faulty):
        slow_sessions = ask(
            rows_of(out, "traffic", day),
            """select session_id from rows_
            where event_type = 'visit' and landing_page = 'item_0001' and device = 'android'""",
        )
        page = rows_of(out, "page", day)
        inside = pa.compute.is_in(page["session_id"], pa.array([row[0] for row in slow_sessions]))
        measured.append((page.filter(inside), page.filter(pa.compute.invert(inside)).drop_columns("event_id")))
    (slice_before, rest_before), (slice_after, rest_after) = measured
    assert rest_before.equals(rest_after)

    seconds = (
        "select median(first) from (select min_by(first_screen_ms, event_time) as first from rows_ group by session_id)"
    )
    assert ask(slice_after, seconds)[0][0] > 2.5 * ask(slice_before, seconds)[0][0]
    kept = """select count(distinct session_id) from rows_
        where dwell_ms >= 3000 or event_type in ('add_to_cart', 'review_view', 'module_click')"""
    assert ask(slice_after, kept)[0][0] / ask(slice_before, kept)[0][0] == pytest.approx(0.75, abs=0.07)


def test_dirt_changes_the_files_but_not_the_truth(tmp_path: Path, clean: Path) -> None:
    dirty = run(tmp_path / "dirty", **DIRT)
    assert truth_of(clean) == truth_of(dirty)
    for family in EVENT_FAMILIES:
        sent, delivered = rows_of(clean, family), rows_of(dirty, family)
        assert len(delivered) > len(sent)
        columns = ", ".join(name for name in sent.schema.names if name != "dt")
        with duckdb.connect() as connection:
            connection.register("sent", sent)
            connection.register("delivered", delivered)
            difference = f"""select count(*) from (
                (select {columns} from sent except select {columns} from delivered)
                union all (select {columns} from delivered except select {columns} from sent))"""
            assert connection.execute(difference).fetchall() == [(0,)]
            lateness = connection.execute(
                "select min(late), max(late), count(distinct late) from "
                "(select d.dt::date - s.dt::date as late from delivered d join sent s using (event_id))"
            ).fetchall()
        assert lateness == [(0, 3, 4)]
        assert len(list((dirty / "landing" / family / "dt=2026-05-02").glob("part-*"))) == 4


def test_the_truth_adds_up(shop: Path) -> None:
    for day, numbers in truth_of(shop)["days"].items():
        money = numbers["money_cents"]
        parts = money["same_day"] + money["carried_over"] + money["presale_balance"] + money["no_session"]
        assert parts == money["paid_amount"]
        assert sum(numbers["refunds_by_age"].values()) <= numbers["refunds_cents"]
        assert numbers["purchased_customers"] <= min(numbers["active_customers"], numbers["purchase_customers"])
        if day < str(FIRST):
            assert money["no_session"] == money["paid_amount"]
            continue
        reached, observed = numbers["reached"], numbers["observed"]
        chain = [count for step, count in reached.items() if step != "deep_read"]
        assert chain == sorted(chain, reverse=True)
        assert all(observed[step] <= reached[step] for step in reached)
        assert observed["paid"] == reached["paid"] <= observed["order"]
        assert observed["arrival"] == numbers["sessions"] == numbers["all_sessions"] - numbers["bot_sessions"]
        for split in (numbers["by_entry_type"], numbers["by_channel"]):
            assert sum(part["sessions"] for part in split.values()) == numbers["sessions"]
            assert sum(part["paid"] for part in split.values()) == reached["paid"]
        assert numbers["presale_answered_within_30s"] <= numbers["presale_answered_within_180s"]
        assert numbers["answered_presale_conversations"] <= numbers["presale_conversations"]


def test_the_truth_agrees_with_a_plain_recount_of_clean_files(shop: Path) -> None:
    order = rows_of(shop, "order")
    paid = ask(
        order,
        """select dt, sum((amount + coalesce(shipping_amount, 0)) * 100)::bigint from rows_
        where event_type = 'paid' and excluded_reason is null group by dt""",
    )
    refunds = ask(order, "select dt, sum(amount * 100)::bigint from rows_ where event_type = 'refunded' group by dt")
    created = ask(
        order,
        """select dt, count(distinct order_id) from rows_ where excluded_reason is null and (event_type = 'created'
        or (event_type = 'paid' and order_id not in (select order_id from rows_ where event_type = 'created')))
        group by dt""",
    )
    days = truth_of(shop)["days"]
    without_presale = {
        day: numbers["money_cents"]["paid_amount"] - numbers["money_cents"]["presale_balance"]
        for day, numbers in days.items()
    }
    assert dict(paid) == {day: cents for day, cents in without_presale.items() if cents}
    assert dict(refunds) == {day: numbers["refunds_cents"] for day, numbers in days.items() if numbers["refunds_cents"]}
    assert dict(created) == {
        day: numbers["orders_created"] for day, numbers in days.items() if numbers["orders_created"]
    }
    claims = ask(rows_of(shop, "page"), "select dt, count(*) from rows_ where event_type = 'coupon_claim' group by dt")
    assert dict(claims) == {day: numbers["coupon_claims"] for day, numbers in days.items() if day >= str(FIRST)}


def test_no_order_is_given_back_more_than_was_paid_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    draw_shipping = orders._draw_shipping

    def give_a_part_back_early(random: np.random.Generator, drawn: dict[str, Any]) -> None:
        draw_shipping(random, drawn)
        sent = (drawn["shipped"] < orders.NEVER) & (drawn["paid"] < orders.NEVER) & (drawn["excluded_reason"] < 0)
        drawn["refund_early_part"] = np.where(sent, drawn["paid"] + orders.HOUR, orders.NEVER)

    # One order in a hundred has that, and of those one in twenty comes back whole.
    monkeypatch.setattr(orders, "_draw_shipping", give_a_part_back_early)
    sums = ask(
        rows_of(run(tmp_path, days=4, sessions_per_day=700, history_days=50), "order"),
        """select order_id, sum(amount) filter (where event_type = 'refunded') as refunded,
            sum(amount + coalesce(shipping_amount, 0)) filter (where event_type like '%paid') as paid,
            count(distinct refund_id) filter (where refund_type = 'return_and_refund') as returns
        from rows_ group by order_id having refunded is not null and paid is not null""",
    )
    assert sum(returns for *_, returns in sums) > 9
    assert [order for order, refunded, paid, _ in sums if refunded > paid] == []


def _fits(kind: Kind, arrow: pa.DataType) -> bool:
    return {
        Kind.IDENTIFIER: pa.types.is_string,
        Kind.TEXT: pa.types.is_string,
        Kind.TIME: lambda given: given == pa.timestamp("us", "UTC"),
        Kind.WHOLE_NUMBER: pa.types.is_integer,
        Kind.NUMBER: pa.types.is_floating,
        Kind.MONEY: lambda given: given == pa.decimal128(18, 2),
        Kind.BOOLEAN: pa.types.is_boolean,
    }[kind](arrow)


@pytest.mark.parametrize("family", EVENT_FAMILIES.values(), ids=lambda family: family.name)
def test_rows_obey_the_contract(shop: Path, family: Any) -> None:
    table = rows_of(shop, family.name)
    for name in set(table.schema.names) - {"dt"}:
        column = family.column(name)
        assert _fits(column.kind, table.schema.field(name).type), name
        assert table[name].null_count < len(table), f"{name} is never used"
        if column.values:
            assert set(table[name].unique().to_pylist()) - {None} <= set(column.values)
        if column.minimum is not None:
            assert pa.compute.min(table[name]).as_py() >= column.minimum
    assert set(table["event_type"].unique().to_pylist()) == set(family.event_types)
    assert len(table["event_id"].unique()) == len(table)
    shifted = "select count(*) from rows_ where (event_time at time zone 'Asia/Shanghai')::date <> dt::date"
    assert ask(table, shifted) == [(0,)]


def grouped(key: str, having: str, where: str = "true") -> str:
    return f"select {key} from rows_ where {where} group by {key} having {having}"


A_MINUTE = "session_id, date_trunc('minute', event_time)"
HARD_THINGS = {
    "a session over midnight": ("page", grouped("session_id", "count(distinct dt) = 2")),
    "as many events in a minute as a human may make": ("page", grouped(A_MINUTE, "count(*) = 60", "not is_bot")),
    "a robot that nobody flagged": ("page", grouped(A_MINUTE, "count(*) > 60", "not is_bot")),
    "lost page_leaves": (
        "page",
        grouped("session_id", "count(*) filter (event_type = 'page_leave') = 0 and count(*) > 3"),
    ),
    "dwell on the view itself": ("page", "from rows_ where event_type = 'product_view' and dwell_ms is not null"),
    "several sessions of a visitor": ("page", grouped("visitor_id", "count(distinct session_id) > 2")),
    "two customers on one device": ("page", grouped("visitor_id", "count(distinct customer_id) > 1")),
    "a customer with two devices": (
        "page",
        grouped("customer_id", "count(distinct visitor_id) > 1", "customer_id is not null"),
    ),
    "impressions in report rows": ("traffic", "from rows_ where event_type = 'impression' and quantity > 1"),
    "clicks that never arrive": ("traffic", grouped("click_id", "not bool_or(event_type = 'visit')", "click_id <> ''")),
    "private visits without a click": (
        "traffic",
        "from rows_ where event_type = 'visit' and click_id is null and domain = 'private'",
    ),
    "a presale with its balance": (
        "order",
        grouped("order_id", "bool_or(event_type = 'balance_paid') and bool_or(event_type = 'deposit_paid')"),
    ),
    "stacked coupons": ("order", grouped("order_id", "count(distinct coupon) > 1", "event_type = 'created'")),
    "cash on delivery": (
        "order",
        "from rows_ where event_type = 'paid' and payment_provider = 'cash_on_delivery'",
    ),
    "an order that was never reported as created": (
        "order",
        grouped("order_id", "bool_or(event_type = 'paid') and not bool_or(event_type = 'created')"),
    ),
    "a refund weeks later": (
        "order",
        grouped("order_id", "max(dt::date) filter (event_type = 'refunded') > min(dt::date) + 21"),
    ),
    "an order paid days after it was created": (
        "order",
        grouped("order_id", "min(dt) filter (event_type = 'paid') > min(dt) filter (event_type = 'created')"),
    ),
    "a guest": ("order", "from rows_ where event_type = 'paid' and customer_id is null"),
    "an order without any browser": ("order", "from rows_ where event_type = 'created' and visitor_id is null"),
    "test orders": ("order", "from rows_ where excluded_reason = 'test'"),
    "staff orders": ("order", "from rows_ where excluded_reason = 'staff'"),
    "brushing": ("order", "from rows_ where excluded_reason = 'brushing'"),
    "a conversation nobody answered": (
        "service",
        grouped("conversation_id", "not bool_or(event_type = 'agent_message')", "conversation_id is not null"),
    ),
}


@pytest.mark.parametrize("thing", HARD_THINGS)
def test_the_shop_has_what_makes_a_funnel_hard(shop: Path, thing: str) -> None:
    family, statement = HARD_THINGS[thing]
    assert ask(rows_of(shop, family), f"select count(*) from ({statement})")[0][0] > 0


def test_every_class_of_money_and_of_customer_is_alive(shop: Path) -> None:
    days = [numbers for day, numbers in truth_of(shop)["days"].items() if day >= str(FIRST)]
    assert all(numbers["returning_sessions"] and numbers["active_customers"] for numbers in days)
    for number in ("purchased_customers", "member_customers", "cared_for_customers", "presale_inquiries_paid"):
        assert any(numbers[number] for numbers in days)
    for money_class in ("same_day", "carried_over", "presale_balance", "no_session", "excluded"):
        assert any(numbers["money_cents"][money_class] for numbers in days)


def _text(value: Any) -> Any:
    """A value as CSV and JSON can carry it."""
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return float(value) if isinstance(value, (int, float)) or hasattr(value, "quantize") else value


@pytest.mark.parametrize("file_format", [name for name in FILE_FORMATS if name != "parquet"])
def test_every_format_carries_the_same_rows(tmp_path: Path, tiny: Path, file_format: str) -> None:
    wanted = rows_of(tiny, "order", FIRST).drop_columns("dt").to_pylist()
    out = run(tmp_path / "other", file_format=file_format, **TINY)
    path = out / "landing" / "order" / f"dt={FIRST}" / f"part-0.{file_format}"
    packing = {"gz": "gzip", "zst": "zstd"}.get(path.suffix[1:])
    raw = path.read_bytes() if not packing else pa.CompressedInputStream(str(path), packing).read()
    if file_format.startswith("csv"):
        options = pa.csv.ConvertOptions(strings_can_be_null=True, timestamp_parsers=["never"])
        given = pa.csv.read_csv(pa.BufferReader(raw), convert_options=options).to_pylist()
    else:
        given = [json.loads(line) for line in raw.decode().splitlines()]
        assert all(None not in row.values() for row in given)
    for want, row in zip(wanted, given, strict=True):
        for name, value in want.items():
            found = row.get(name)
            assert found is None if value is None else str(_text(found)) == str(_text(value)) or name == "line"


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("faults: [{kind: broken_cupon, slice: {}, from_date: 2026-05-03}]", ["broken_cupon", "broken_coupon"]),
        (
            "faults: [{kind: broken_coupon, slice: {coupon: NOPE}, from_date: 2026-05-03}]",
            ["slice.coupon", "NOPE", "WELCOME10"],
        ),
        (
            "faults: [{kind: broken_coupon, slice: {device: ios}, from_date: 2026-05-03}]",
            ["slice", "needs exactly coupon"],
        ),
        ("faults: [{kind: broken_coupon, slice: {coupon: LIVE5}, form_date: 2026-05-03}]", ["form_date", "from_date"]),
        (
            "faults: [{kind: broken_coupon, slice: {coupon: LIVE5}, from_date: 2026-05-03, to_date: 2026-05-01}]",
            ["to_date", "2026-05-01"],
        ),
        ("faults: [{kind: broken_coupon, slice: {coupon: LIVE5}, from_date: 2026-05-03, strength: 7}]", ["strength"]),
        ("faults: [", ["not YAML"]),
        ("", ["faults"]),
    ],
)
def test_a_mistake_in_a_fault_file_is_named(tmp_path: Path, content: str, told: list[str]) -> None:
    path = tmp_path / "faults.yaml"
    path.write_text(content)
    with pytest.raises(ValueError, match="faults") as error:
        load_faults(path)
    for part in [str(path), *told]:
        assert part in str(error.value)


def test_the_example_in_the_documentation_can_be_loaded(tmp_path: Path) -> None:
    lines = (load_faults.__doc__ or "").splitlines()
    example = [line for line in lines if line.startswith("        ")]
    path = tmp_path / "faults.yaml"
    path.write_text("\n".join(line[8:] for line in example if not line.strip().startswith("ValueError")))
    planted = load_faults(path)
    assert [fault.kind for fault in planted.faults] == ["broken_coupon", "slow_first_screen"]
    assert [promotion.shift_hours for promotion in planted.promotions] == [0, -4]


@pytest.mark.parametrize(
    "wrong", [{"days": 0}, {"sessions_per_day": 0}, {"late_share": 1.5}, {"file_format": "xlsx"}, {"history_days": -1}]
)
def test_impossible_sizes_are_refused(tmp_path: Path, wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        run(tmp_path / "shop", **wrong)


def test_a_landing_zone_in_use_is_left_alone(tiny: Path) -> None:
    with pytest.raises(ValueError, match="holds files already"):
        run(tiny)
