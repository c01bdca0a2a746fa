"""Exports of real platforms come in by the examples' declarations alone, to the event and to the cent."""

import csv
import io
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from textwrap import dedent

import pytest
from shop_helpers import open_shop

from funnelscope.ingest import find_duplicates, take_deliveries
from funnelscope.settings import load_settings
from funnelscope.warehouse.connection import Warehouse, open_in_memory_warehouse
from funnelscope.warehouse.models import load_models, materialize_model
from pipelines.examples import FOLDER

# --- An order list of 千牛 -----------------------------------------------------------------------

# Blanks behind names stand in the platform's own header.
QIANNIU_HEADER = (
    "订单编号,买家会员名,买家支付宝账号,买家应付货款,买家应付邮费,买家支付积分,总金额,返点积分,买家实际支付金额,"
    "买家实际支付积分,订单状态,买家留言,收货人姓名,收货地址 ,运送方式,联系电话 ,联系手机,订单创建时间,订单付款时间 ,"
    "宝贝标题 ,宝贝种类 ,物流单号 ,物流公司,订单备注,宝贝总数量,店铺Id,店铺名称,订单关闭原因,卖家服务费,买家服务费,"
    "发票抬头,是否手机订单,分阶段订单信息,特权订金订单id,定金排名,修改后的sku,修改后的收货地址,异常信息,天猫卡券抵扣,"
    "集分宝抵扣,是否是O2O交易,退款金额,确认收货时间,打款商家金额,发货时间"
)
WAITING, PAID, SHIPPED, SUCCESS, CLOSED = (
    "等待买家付款",
    "买家已付款，等待卖家发货",
    "卖家已发货，等待买家确认",
    "交易成功",
    "交易关闭",
)


@dataclass
class Order:
    """An order as its shop knows it; a time is None until it has come."""

    number: str
    buyer: str
    amount: Decimal
    units: int
    created_at: datetime
    paid_at: datetime | None = None
    shipped_at: datetime | None = None
    delivered_at: datetime | None = None
    is_closed: bool = False
    refund: Decimal = Decimal(0)

    @property
    def status(self) -> str:
        reached = {SUCCESS: self.delivered_at, SHIPPED: self.shipped_at, PAID: self.paid_at, WAITING: self.created_at}
        return CLOSED if self.is_closed else next(word for word, time in reached.items() if time)


def qianniu_orders() -> list[Order]:
    """Orders of three days that have come to every state."""
    chance = random.Random(11)
    orders = []
    for number in range(240):
        created = datetime(2026, 6, 11, 0, 5) + timedelta(minutes=17 * number)
        order = Order(
            number=str(3_412_345_678_901_234_567 + number),  # 19 digits: a spreadsheet would round them
            buyer=f"买家{chance.randrange(90)}",
            amount=Decimal(chance.randrange(990, 250_000)) / 100,
            units=chance.randrange(1, 4),
            created_at=created,
        )
        progress = chance.randrange(6)  # 0 waits, 1 closed unpaid, 2 paid, 3 shipped, 4 delivered, 5 sent back
        if progress >= 2:
            order.paid_at = created + timedelta(minutes=chance.randrange(1, 400))
        if progress >= 3:
            order.shipped_at = created + timedelta(hours=chance.randrange(7, 20))
        if progress >= 4:
            order.delivered_at = created + timedelta(hours=chance.randrange(21, 30))
        if progress == 5:
            order.refund = order.amount if number % 2 else (order.amount / 2).quantize(Decimal("0.01"))
        order.is_closed = progress == 1
        orders.append(order)
    return orders


def qianniu_row(order: Order) -> dict[str, str]:
    def at(time: datetime | None) -> str:
        return f"{time:%Y-%m-%d %H:%M:%S}" if time else ""

    return {
        "订单编号": f'="{order.number}"',
        "买家会员名": order.buyer,
        "买家应付货款": str(order.amount),
        "买家应付邮费": "0.00",
        "总金额": f"{order.amount:,}",
        "买家实际支付金额": f"{order.amount if order.paid_at else Decimal('0.00')}",
        "订单状态": order.status,
        "收货地址 ": "浙江省 杭州市 西湖区, 1 幢",
        "联系手机": "'13800000000",
        "订单创建时间": at(order.created_at),
        "订单付款时间 ": at(order.paid_at),
        "宝贝标题 ": '"加厚"款 垚喆',
        "宝贝总数量": str(order.units),
        "店铺名称": "测试旗舰店",
        "订单关闭原因": "买家未付款" if order.is_closed else "订单未关闭",
        "退款金额": f"{order.refund}元" if order.refund else "0.00",
        "确认收货时间": at(order.delivered_at),
        "打款商家金额": f"{order.amount}元" if order.delivered_at else "0.00元",
        "发货时间": at(order.shipped_at),
    }


def write_csv(path: Path, header: str, rows: list[dict[str, str]], encoding: str = "utf-8") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    text = io.StringIO()
    writer = csv.DictWriter(text, header.split(","), restval="", lineterminator="\r\n")
    writer.writeheader()
    writer.writerows(rows)
    path.write_bytes(text.getvalue().encode(encoding))


def as_of(order: Order, moment: datetime) -> Order:
    """The order as a list exported at that moment shows it: open, and with no more than has come by then."""

    def come(time: datetime | None) -> datetime | None:
        return time if time and time <= moment else None

    shown = Order(order.number, order.buyer, order.amount, order.units, order.created_at)
    shown.paid_at, shown.shipped_at = come(order.paid_at), come(order.shipped_at)
    shown.delivered_at = come(order.delivered_at)
    shown.is_closed = order.is_closed and moment > order.created_at + timedelta(days=1)
    if shown.shipped_at:  # half of it is given back on the way
        shown.refund = order.refund if shown.delivered_at else (order.refund / 2).quantize(Decimal("0.01"))
    return shown


def built(home: Path, example: str, last_date: date) -> Iterator[Warehouse]:
    """The example's shop with its deliveries taken and every table built, up to the last day."""
    settings = load_settings(FOLDER / example / "funnelscope.yaml").model_copy(update={"home": home})
    with open_shop(settings) as shop:
        intake = take_deliveries(shop.warehouse, settings)
        assert intake.rows_quarantined == 0, shop.warehouse.rows(
            "select reason, detail from quality.quarantine limit 3"
        )
        find_duplicates(shop.warehouse, settings.start_date, last_date)
        for model in load_models().values():
            materialize_model(
                shop.warehouse, model, shop.chunks(settings.start_date, last_date), **shop.query_parameters
            )
        yield shop.warehouse


@pytest.fixture(scope="module")
def qianniu(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warehouse]:
    """Two lists: one of the second day, and one of all orders after the last of them has ended."""
    home = tmp_path_factory.mktemp("qianniu")
    for moment in (datetime(2026, 6, 12, 9), datetime(2026, 6, 16, 9)):
        rows = [qianniu_row(as_of(order, moment)) for order in qianniu_orders() if order.created_at <= moment]
        write_csv(home / "exports" / f"ExportOrderList{moment:%Y%m%d%H%M}.csv", QIANNIU_HEADER, rows, "gb18030")
    yield from built(home, "qianniu", date(2026, 6, 16))


def test_a_row_of_an_order_list_becomes_an_event_for_each_state_it_has_come_to(qianniu: Warehouse) -> None:
    orders = qianniu_orders()
    assert dict(qianniu.rows("select event_type, count(*) from staging.order_events group by 1")) == {
        "created": len(orders),
        "paid": sum(order.paid_at is not None for order in orders),
        "shipped": sum(order.shipped_at is not None for order in orders),
        "delivered": sum(order.delivered_at is not None for order in orders),
        "cancelled": sum(order.is_closed for order in orders),
        "refunded": sum(order.refund > 0 for order in orders),
    }


def test_what_a_later_list_repeats_is_counted_once(qianniu: Warehouse) -> None:
    conflicting = "select count(*) from quality.quarantine where reason = 'conflicting_duplicate'"
    repeated = "select count(*) from quality.duplicate_events where reason = 'duplicate'"
    assert qianniu.value(conflicting) == 0
    assert qianniu.value(repeated) > 100


def by_day(amounts: list[tuple[datetime | None, Decimal]]) -> dict[date, Decimal]:
    days: Counter[date] = Counter()
    for moment, amount in amounts:
        if moment and amount:
            days[moment.date()] += amount
    return dict(days)


def test_paid_money_of_an_order_list_is_on_its_days_to_the_cent(qianniu: Warehouse) -> None:
    paid = by_day([(order.paid_at, order.amount) for order in qianniu_orders()])
    found = "select business_date, sum(amount) from marts.daily_money group by 1 having sum(amount) > 0"
    assert dict(qianniu.rows(found)) == paid


def test_refunded_money_of_an_order_list_is_there_to_the_cent_and_once(qianniu: Warehouse) -> None:
    refunded = by_day([(order.paid_at, order.refund) for order in qianniu_orders()])
    assert qianniu.value("select count(*) from quality.duplicate_events where reason = 'superseded'") > 0
    found = "select business_date, sum(amount) from marts.refund_ages group by 1"
    assert dict(qianniu.rows(found)) == refunded


def test_orders_of_an_order_list_keep_all_digits_of_their_number(qianniu: Warehouse) -> None:
    assert qianniu.value("select count(distinct order_id) from staging.order_events") == len(qianniu_orders())


# --- A shop on Shopify with advertisements on Google ---------------------------------------------

SHOPIFY_HEADER = (
    "Name,Email,Financial Status,Paid at,Fulfillment Status,Fulfilled at,Accepts Marketing,Currency,Subtotal,Shipping,"
    "Taxes,Total,Discount Code,Discount Amount,Shipping Method,Created at,Lineitem quantity,Lineitem name,"
    "Lineitem price,Lineitem compare at price,Lineitem sku,Lineitem requires shipping,Lineitem taxable,"
    "Lineitem fulfillment status,Billing Name,"
    "Cancelled at,Payment Method,Refunded Amount,Id,Tags,Source,Lineitem discount"
)
SHOPIFY_ORDERS = (
    # number, lines, total, refunded, created, paid, fulfilled, cancelled, tags
    ("#1001", 1, "25.00", "0.00", "2026-06-11 23:50:00", "2026-06-12 00:10:00", "2026-06-12 15:00:00", "", ""),
    ("#1002", 3, "120.49", "20.49", "2026-06-12 09:00:00", "2026-06-12 09:00:05", "2026-06-13 10:00:00", "", "vip"),
    ("#1003", 2, "60.10", "0.00", "2026-06-12 10:00:00", "", "", "2026-06-13 08:00:00", ""),
    ("#1004", 2, "99.99", "0.00", "2026-06-12 11:00:00", "2026-06-12 11:01:00", "", "", "Test order"),
)
GOOGLE_HEADER = "customer_id,date,ad_network_type,clicks,conversions,cost_micros,device,id,impressions"
GOOGLE_ROWS = (
    ("2026-06-12", "MOBILE", "991", "170", "35", "24570000"),
    ("2026-06-12", "DESKTOP", "991", "166", "49", "36150000"),
    ("2026-06-13", "MOBILE", "992", "52", "0", "0"),
)


def shopify_rows() -> Iterator[dict[str, str]]:
    for number, lines, total, refunded, created, paid, fulfilled, cancelled, tags in SHOPIFY_ORDERS:
        for line in range(lines):
            row = {
                "Name": number,
                "Email": f"{number}@example.com",
                "Lineitem quantity": "1",
                "Lineitem name": f"T{line}",
            }
            if line == 0:
                times = {"Created at": created, "Paid at": paid, "Fulfilled at": fulfilled, "Cancelled at": cancelled}
                row |= {name: f"{time} -0400" if time else "" for name, time in times.items()}
                row |= {"Financial Status": "paid" if paid else "voided", "Total": total, "Shipping": "5.00"}
                row |= {"Discount Amount": "0.00", "Refunded Amount": refunded, "Tags": tags, "Source": "web"}
            yield row


@pytest.fixture(scope="module")
def shopify(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warehouse]:
    home = tmp_path_factory.mktemp("shopify")
    write_csv(home / "exports" / "orders_export_2026-06-14.csv", SHOPIFY_HEADER, list(shopify_rows()))
    advertisements = [
        {"date": day, "device": device, "id": campaign, "impressions": shown, "clicks": clicks, "cost_micros": cost}
        for day, device, campaign, shown, clicks, cost in GOOGLE_ROWS
    ]
    write_csv(home / "exports" / "google_ads_2026-06-14.csv", GOOGLE_HEADER, advertisements)
    yield from built(home, "shopify", date(2026, 6, 13))


def test_an_order_of_several_lines_is_one_order_with_its_own_total(shopify: Warehouse) -> None:
    found = "select business_date, count(*), sum(ordered_amount) from intermediate.orders group by 1 order by 1"
    assert shopify.rows(found) == [
        (date(2026, 6, 11), 1, Decimal("25.00")),
        (date(2026, 6, 12), 3, Decimal("280.58")),
    ]


def test_shopify_s_times_count_for_the_day_of_their_own_offset(shopify: Warehouse) -> None:
    found = "select business_date, event_type, count(*) from staging.order_events group by all order by all"
    assert shopify.rows(found) == [
        (date(2026, 6, 11), "created", 1),
        (date(2026, 6, 12), "created", 3),
        (date(2026, 6, 12), "paid", 3),
        (date(2026, 6, 12), "refunded", 1),
        (date(2026, 6, 12), "shipped", 1),
        (date(2026, 6, 13), "cancelled", 1),
        (date(2026, 6, 13), "shipped", 1),
    ]


def test_shopify_s_money_stands_in_the_marts_without_the_test_order(shopify: Warehouse) -> None:
    found = "select money_class, sum(amount) from marts.daily_money group by 1 having sum(amount) > 0 order by 1"
    assert shopify.rows(found) == [("excluded", Decimal("99.99")), ("no_session", Decimal("145.49"))]
    assert shopify.value("select sum(amount) from marts.refund_ages") == Decimal("20.49")


def test_a_report_of_google_ads_is_counted_with_what_it_cost(shopify: Warehouse) -> None:
    found = (
        "select business_date, device, sum(impressions), sum(clicks), sum(cost) from marts.arrival_cube "
        "where channel = 'google_ads' group by all order by all"
    )
    assert shopify.rows(found) == [
        (date(2026, 6, 12), "desktop", 166, 49, Decimal("36.15")),
        (date(2026, 6, 12), "mobile", 170, 35, Decimal("24.57")),
        (date(2026, 6, 13), "mobile", 52, 0, Decimal("0.00")),
    ]


# --- Reports of advertisements, and conversations of a helpdesk ----------------------------------


def taken(home: Path, example: str) -> Iterator[Warehouse]:
    """A warehouse into which the files below `home` were taken by the example's declarations."""
    settings = load_settings(FOLDER / example / "funnelscope.yaml").model_copy(update={"home": home})
    warehouse = open_in_memory_warehouse(["set threads = 1"])
    intake = take_deliveries(warehouse, settings)
    refused = warehouse.rows("select file, row_number, reason, detail from quality.quarantine limit 3")
    assert intake.rows_quarantined == 0, refused
    yield warehouse
    warehouse.connection.close()


META_HEADER = (
    "Reporting starts,Reporting ends,Campaign name,Ad set name,Ad name,Ad delivery,Day,Amount spent (USD),Impressions,"
    "Reach,Frequency,Link clicks,Clicks (all),Results,Result indicator,Adds to cart,Checkouts initiated,Purchases,"
    "Purchases conversion value,Attribution setting"
)


def test_a_report_of_meta_ads_comes_in_and_an_empty_cell_is_no_click(tmp_path: Path) -> None:
    shown = {"Day": "2026-06-12", "Campaign name": "summer", "Ad set name": "25-34", "Ad name": "film"}
    rows = [
        shown | {"Amount spent (USD)": "12.30", "Impressions": "1200", "Link clicks": "31"},
        shown | {"Amount spent (USD)": "0.70", "Impressions": "90", "Link clicks": "", "Ad name": "picture"},
        shown | {"Amount spent (USD)": "", "Impressions": "", "Link clicks": "", "Ad name": "paused"},
    ]
    write_csv(tmp_path / "exports" / "meta_ads_2026-06-14.csv", META_HEADER, rows)
    for warehouse in taken(tmp_path, "shopify"):
        found = "select event_type, creative, audience, quantity, cost from raw.traffic_events order by all"
        assert warehouse.rows(found) == [
            ("click", "film", "25-34", 31, Decimal("12.30")),
            ("click", "picture", "25-34", 0, Decimal("0.70")),
            ("impression", "film", "25-34", 1200, None),
            ("impression", "picture", "25-34", 90, None),
        ]


WANXIANGTAI_HEADER = (
    "日期,主体ID,主体类型,主体名称,展现量,点击量,花费,点击率,平均点击花费,千次展现花费,总成交金额,总成交笔数,直接成交笔数,"
    "间接成交笔数,点击转化率,投入产出比,总购物车数,加购率,收藏宝贝数,旺旺咨询量,引导访问量,引导访问人数,成交新客数"
)
QIANCHUAN_HEADER = (
    "消耗(元),展示次数,点击次数,点击率(%),转化数,转化率(%),转化成本(元),直接成交订单数,直接成交金额(元),"
    "直接支付ROI,播放数,3s播放数,播放完成数"
)


def test_reports_of_chinese_advertising_come_in_with_their_days_and_costs(tmp_path: Path) -> None:
    item = {"日期": "2026-06-15", "主体ID": "1048410512272", "主体类型": "商品", "主体名称": "茶壶", "点击率": "0.0786"}
    rows = [item | {"展现量": "598", "点击量": "47", "花费": "6.46"}]
    write_csv(tmp_path / "exports" / "wanxiangtai_20260616.csv", WANXIANGTAI_HEADER, rows, "gb18030")
    totals = [{"消耗(元)": "1,234.50", "展示次数": "20,000", "点击次数": "310", "点击率(%)": "1.55%"}]
    write_csv(tmp_path / "exports" / "qianchuan_20260617.csv", QIANCHUAN_HEADER, totals)
    for warehouse in taken(tmp_path, "qianniu"):
        found = (
            "select business_date, channel, event_type, creative, quantity, cost from raw.traffic_events order by all"
        )
        assert warehouse.rows(found) == [
            (date(2026, 6, 15), "万相台", "click", "1048410512272", 47, Decimal("6.46")),
            (date(2026, 6, 15), "万相台", "impression", "1048410512272", 598, None),
            # No column of its report says which day it is of: the day before its delivery.
            (date(2026, 6, 16), "千川", "click", None, 310, Decimal("1234.50")),
            (date(2026, 6, 16), "千川", "impression", None, 20_000, None),
        ]


# Table to its header and its rows.
HELPDESK = {
    "ticket_chat_event": (
        "chat_id,created_at,_fivetran_synced,actor_id,chat_index,external_message_id,filename,message,message_id,type",
        """
        c1,2026-06-12 09:00:00.250000,,visitor-1,0,,,,,ChatJoin
        c1,2026-06-12 09:00:05,,visitor-1,1,,,Hello,,ChatMessage
        c1,2026-06-12 09:01:05,,agent:7,2,,,"How ""can"" I help, please?",,ChatMessage
        c1,2026-06-12 09:02:05,,agent:7,3,,,,,ChatDepartmentTransfer
        """,
    ),
    "ticket_data": (
        "id,_fivetran_synced,assignee_id,created_at,group_id,requester_id,status,updated_at,via_channel",
        """
        16988,,7,2026-06-12 10:00:00,aftersale,15,closed,2026-06-13 11:00:00,email
        16989,,7,2026-06-12 10:00:00,aftersale,15,deleted,2026-06-13 11:00:00,email
        """,
    ),
    "ticket_field_history": (
        "field_name,ticket_id,updated,_fivetran_synced,user_id,value",
        """
        status,16988,2026-06-12 11:00:00,,,open
        priority,16988,2026-06-12 11:00:00,,,closed
        status,16988,2026-06-13 11:00:00,,,solved
        """,
    ),
    "conversation_part_history": (
        "id,updated_at,author_id,author_type,conversation_id,created_at,part_type,body,_fivetran_active",
        """
        1,,u1,user,12,2026-06-12 12:00:00,comment,,true
        2,,a1,admin,12,2026-06-12 12:01:00,comment,,TRUE
        3,,a1,admin,12,2026-06-12 12:02:00,note,,true
        4,,a1,admin,12,2026-06-12 12:03:00,close,,true
        4,,a1,admin,12,2026-06-12 12:03:00,close,,false
        """,
    ),
    "conversation_history": (
        "id,updated_at,assignee_id,conversation_rating_created_at,conversation_rating_value,created_at,"
        "source_author_id,source_author_type,state,_fivetran_active",
        """
        12,,a1,2026-06-12 13:00:00,5,2026-06-12 11:59:00,u1,user,closed,true
        12,,a1,,,2026-06-12 11:59:00,u1,user,open,false
        """,
    ),
    "customer_support": (
        "Unique id,channel_name,category,Sub-category,Customer Remarks,Order_id,order_date_time,Issue_reported at,"
        "issue_responded,Survey_response_Date,Agent_name,Supervisor,CSAT Score",
        """
        s1,Inbound,Returns,Refund,,o1,,12/06/2026 14:00,12/06/2026 14:04,13-Jun-26,Ann,East,4
        s2,Inbound,Returns,Refund,,,,12/06/2026 15:00,,,Bob,East,
        """,
    ),
}


def test_conversations_of_a_helpdesk_come_in_whichever_system_kept_them(tmp_path: Path) -> None:
    for table, (header, rows) in HELPDESK.items():
        path = tmp_path / "exports" / f"{table}_2026-06-14.csv"
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"{header}\n{dedent(rows).strip()}\n")
    for warehouse in taken(tmp_path, "helpdesk"):
        found = (
            "select source, event_type, strftime(event_time, '%d %H:%M'), agent, rating from raw.service_events "
            "join quality.deliveries using (delivery_id) order by all"
        )
        assert warehouse.rows(found) == [
            ("intercom_conversations", "customer_message", "12 11:59", None, None),
            ("intercom_parts", "agent_message", "12 12:01", "a1", None),
            ("intercom_parts", "conversation_closed", "12 12:03", "a1", None),
            ("intercom_parts", "customer_message", "12 12:00", None, None),
            ("intercom_ratings", "rated", "12 13:00", "a1", 5),
            ("survey_answered", "agent_message", "12 13:04", "Ann", None),
            ("survey_asked", "customer_message", "12 13:00", "Ann", None),
            ("survey_asked", "customer_message", "12 14:00", "Bob", None),
            ("survey_rated", "rated", "12 23:00", "Ann", 4),  # midnight of the 13th in London
            ("zendesk_chat", "agent_message", "12 09:01", "7", None),
            ("zendesk_chat", "customer_message", "12 09:00", None, None),
            ("zendesk_chat", "transferred", "12 09:02", "7", None),
            ("zendesk_status", "conversation_closed", "13 11:00", None, None),
            ("zendesk_tickets", "customer_message", "12 10:00", None, None),
        ]
        one_customer = (
            "select count(distinct customer_id) from raw.service_events where event_type = 'customer_message'"
        )
        assert warehouse.value(one_customer) == 2  # of a ticket, and of a conversation and its parts
