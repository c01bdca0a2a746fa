"""A small export of each layout, with values of our own, as its platform would name and write it."""

import csv
import io
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq


@dataclass
class Example:
    """A file, and what its first row is mapped to: source -> column -> value as `check` shows it."""

    name: str
    header: str  # names, separated by blanks or, where a name has one, by |
    rows: list[tuple[Any, ...]] = field(default_factory=list)
    expected: dict[str, dict[str, str]] = field(default_factory=dict)
    above: list[tuple[Any, ...]] = field(default_factory=list)  # rows above the header
    below: list[tuple[Any, ...]] = field(default_factory=list)  # totals
    encoding: str = "utf-8"
    records: list[dict[str, Any]] = field(default_factory=list)  # of JSON lines and Parquet
    joined: str = ""  # the layout whose files it needs

    @property
    def names(self) -> list[str]:
        return self.header.split("|") if "|" in self.header else self.header.split()

    def write(self, folder: Path, name: str = "") -> Path:
        path = folder / (name or self.name)
        path.parent.mkdir(parents=True, exist_ok=True)
        lines = [*self.above, tuple(self.names), *self.rows, *self.below]
        if path.suffix == ".parquet":
            pq.write_table(pa.Table.from_pylist(self.records), path)
        elif path.suffix == ".jsonl":
            path.write_text("".join(json.dumps(one, ensure_ascii=False) + "\n" for one in self.records))
        elif path.suffix == ".csv":
            text = io.StringIO()
            csv.writer(text).writerows(lines)
            path.write_bytes(text.getvalue().encode(self.encoding))
        else:
            write_workbook(path, {"Sheet1": lines})
        return path


def write_workbook(path: Path, sheets: dict[str, list[tuple[Any, ...]]], hidden: tuple[str, ...] = ()) -> Path:
    book = openpyxl.Workbook()
    book.remove(book.active)
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
        sheet.sheet_state = "hidden" if name in hidden else "visible"
    path.parent.mkdir(parents=True, exist_ok=True)
    book.save(path)
    return path


DAY = "2026-06-03"
CREATED, PAID = f"{DAY} 10:00:00", f"{DAY} 10:05:00"
PARAMS = [
    {"key": "ga_session_id", "value": {"string_value": None, "int_value": 77}},
    {"key": "page_location", "value": {"string_value": "https://shop.test/", "int_value": None}},
    {"key": "engagement_time_msec", "value": {"string_value": None, "int_value": 900}},
]
MICROSECONDS = 1780480800_000000  # 2026-06-03 10:00 UTC


def _build_ga4(name: str, number: int, **others: Any) -> dict[str, Any]:
    return {
        "event_date": "20260603",
        "event_timestamp": MICROSECONDS + number,
        "event_name": name,
        "event_params": PARAMS,
        "event_bundle_sequence_id": number,
        "user_id": None,
        "user_pseudo_id": "v.1",
        "device": {"category": "mobile"},
        "geo": {"region": "Bavaria"},
        "collected_traffic_source": {
            "manual_source": "news",
            "manual_medium": "mail",
            "manual_campaign_name": "june",
        },
        "items": [{"item_id": "p1", "item_variant": "red", "item_category": "hats", "price": 10.0, "quantity": 2}],
        "ecommerce": {"transaction_id": None, "purchase_revenue": None, "shipping_value": None},
        **others,
    }


GA4 = [
    _build_ga4("session_start", 0),
    _build_ga4("view_item", 1),
    _build_ga4("scroll", 2),
    *(
        _build_ga4("purchase", n, ecommerce={"transaction_id": "T1", "purchase_revenue": 24.0, "shipping_value": 4.0})
        for n in (3, 4)  # the page of thanks is loaded again
    ),
]
SNOWPLOW = "com_snowplowanalytics_snowplow_ecommerce"
SNOWPLOW_ACTION = f"unstruct_event_{SNOWPLOW}_snowplow_ecommerce_action_1_0_2"

EXAMPLES: dict[str, Example] = {
    "qianniu_orders": Example(
        "ExportOrderList202606041010.csv",
        "订单编号|买家会员名|总金额|买家实际支付金额|订单状态|订单创建时间|"
        "订单付款时间 |发货时间|确认收货时间|宝贝总数量|店铺名称|订单关闭原因|退款金额",
        [
            ('="4101"', "王小二", "25.00", "20.00元", "交易成功", CREATED, PAID, PAID, PAID, "2", "兰亭", "", "5.00"),
            ('="4102"', "t**3", "9.00", "0", "交易关闭", CREATED, "", "", "", "1", "兰亭", "买家不想买", "0"),
        ],
        {
            "orders_created": {
                "order_id": "4101",
                "customer_id": "王小二",
                "amount": "25",
                "quantity": "2",
                "shop": "兰亭",
            },
            "orders_paid": {"event_time": PAID, "amount": "20", "event_id": "4101 paid"},
            "orders_shipped": {"event_type": "shipped"},
            "orders_delivered": {"event_type": "delivered"},
            "orders_cancelled": {"order_id": "4102", "error_code": "买家不想买"},
            "orders_refunded": {"refund_id": "4101", "amount": "5", "event_time": PAID},
        },
        encoding="gb18030",
    ),
    "shopify_transactions": Example(
        "transactions_export_2026-06-04.csv",
        "Order|Name|Kind|Gateway|Created At|Status|Amount|Currency",
        [
            ("5001", "#1001", "refund", "shopify_payments", f"{PAID} +0200", "success", "9.00", "EUR"),
            ("5001", "#1001", "sale", "shopify_payments", f"{CREATED} +0200", "success", "24.00", "EUR"),
        ],
        {"shopify_refunded": {"order_id": "#1001", "amount": "9", "payment_provider": "shopify_payments"}},
    ),
    "shopify_bulk": Example(
        "bulk-20260604.jsonl",
        "",
        records=[
            {
                "id": "gid://shopify/Order/5001",
                "name": "#1001",
                "createdAt": "2026-06-03T10:00:00Z",
                "displayFinancialStatus": "PAID",
                "currencyCode": "EUR",
                "totalPriceSet": {"shopMoney": {"amount": "24.9", "currencyCode": "EUR"}},
                "totalShippingPriceSet": {"shopMoney": {"amount": "4.9", "currencyCode": "EUR"}},
                "customer": {"id": "gid://shopify/Customer/7"},
            },
            {"id": "gid://shopify/LineItem/9", "quantity": 2, "__parentId": "gid://shopify/Order/5001"},
        ],
        expected={
            "shopify_created": {"order_id": "#1001", "amount": "20", "shipping_amount": "4.9"},
            "shopify_paid": {"customer_id": "gid://shopify/Customer/7"},
        },
    ),
    "zendesk_export": Example(
        "zendesk-tickets-2026-06-04.csv",
        "Id|Requester|Requester email|Assignee|Group|Status|Created at|Solved at|First reply time in minutes",
        [("100", "Ann", "a@shop.test", "Bob", "EU", "Solved", f"{DAY} 10:00", f"{DAY} 12:00", "12")],
        {
            "zendesk_tickets": {"conversation_id": "100", "customer_id": "a@shop.test"},
            "zendesk_replies": {"event_time": f"{DAY} 10:12:00", "agent": "Bob"},
            "zendesk_closed": {"event_time": f"{DAY} 12:00:00"},
        },
    ),
    "gorgias_export": Example(
        "gorgias-tickets-2026-06-04.csv",
        "Ticket id|Created datetime|Closed datetime|Customer email|Assignee email|First response time (s)",
        [("300", f"{DAY}T10:00:00", f"{DAY}T11:00:00", "a@shop.test", "b@shop.test", "50")],
        {
            "gorgias_tickets": {"conversation_id": "300", "customer_id": "a@shop.test"},
            "gorgias_replies": {"event_time": f"{DAY} 10:00:50", "agent": "b@shop.test"},
        },
    ),
    "intercom_export": Example(
        "conversations_2026-06-04.csv",
        "Conversation ID|Conversation started at (America/New_York)|User email|Teammate assigned|"
        "Conversation first admin reply at (America/New_York)|Conversation rating",
        [("200", CREATED, "a@shop.test", "Bob", PAID, "5")],
        {
            "intercom_conversations": {"conversation_id": "200", "customer_id": "a@shop.test", "event_time": CREATED},
            "intercom_replies": {"event_time": PAID, "agent": "Bob"},
            "intercom_ratings": {"rating": "5"},
        },
    ),
    "amplitude": Example(
        "amplitude_2026-06-04.jsonl",
        "",
        records=[{"amplitude_id": 1, "event_type": "view", "event_time": CREATED, "event_properties": {}}] * 2,
    ),
    "mixpanel": Example(
        "mixpanel_2026-06-04.jsonl", "", records=[{"event": "view", "properties": {"distinct_id": "d", "time": 1}}] * 2
    ),
    "ga4_report": Example(
        "data-export-2026-06-04.csv",
        "Session primary channel group|Sessions|Engaged sessions|Engagement rate|Key events",
        [("Direct", "500", "300", "0.6", "20")],
        above=[("# Traffic acquisition",), ("# Start date: 20260603",)],
    ),
    "woocommerce_analytics": Example(
        "wc-orders-report-2026-06-04.csv",
        "Date|Order #|N. Revenue|Status|Customer|Items sold",
        [(CREATED, "3000", "25", "completed", "Ann", "1")],
    ),
    "qianniu_line_orders": Example(
        "ExportOrderDetailList202606041020.csv",
        "子订单编号 主订单编号 商品标题 商品价格 购买数量 商品属性 买家应付货款 买家实际支付金额 退款状态 退款金额 "
        "订单创建时间 订单付款时间 商品ID",
        [
            ("4102\t", "4101\t", "帽子", "10.00", "2", "红", "18.00", "16.00", "退款成功", "3.00", CREATED, PAID, "61"),
            (
                "4103\t",
                "4101\t",
                "围巾",
                "9.00",
                "1",
                "",
                "9.00",
                "0.00",
                "没有申请退款",
                "无退款申请",
                CREATED,
                "",
                "62",
            ),
        ],
        {
            "orders_created": {"order_id": "4101", "line": "4102", "amount": "18", "quantity": "2", "product_id": "61"},
            "orders_paid": {"event_time": PAID, "amount": "16", "event_id": "4102 paid"},
            "orders_refunded": {"amount": "3", "event_time": PAID},
        },
        encoding="gb18030",
    ),
    "jd_orders": Example(
        "京东订单_20260604.csv",
        "订单号 商品ID 订购数量 支付方式 下单时间 订单金额 应付金额 订单状态 下单帐号 付款确认时间",
        [
            ('="2901"', "71", "1", "在线支付", CREATED, "30.00", "25.00", "完成", "jd_1", PAID),
            ('="2901"', "72", "2", "在线支付", CREATED, "30.00", "25.00", "完成", "jd_1", PAID),
            ('="2902"', "71", "1", "在线支付", CREATED, "9.00", "9.00", "(删除)等待付款", "jd_2", ""),
        ],
        {
            "jd_created": {"order_id": "2901", "amount": "25", "customer_id": "jd_1"},
            "jd_paid": {"event_time": PAID, "payment_provider": "在线支付"},
            "jd_cancelled": {"order_id": "2902"},
        },
        encoding="gb18030",
    ),
    "douyin_orders": Example(
        "抖店订单_20260604.csv",
        "主订单编号 子订单编号 选购商品 商品规格 商品数量 商品ID 订单应付金额 支付方式 订单提交时间 订单完成时间 "
        "支付完成时间 流量来源 订单状态 售后状态",
        [
            (
                "\t691",
                "\t6911",
                "帽子",
                "红",
                "2",
                "\t35",
                "40.00",
                "微信",
                CREATED,
                "-",
                PAID,
                "直播",
                "已完成",
                "退款成功",
            ),
            ("\t692", "\t6921", "帽子", "红", "1", "\t35", "20.00", "-", CREATED, "-", "-", "直播", "已关闭", "-"),
        ],
        {
            "douyin_created": {"order_id": "691", "line": "6911", "amount": "40", "quantity": "2", "product_id": "35"},
            "douyin_paid": {"event_time": PAID, "payment_provider": "微信"},
            "douyin_refunded": {"event_time": PAID, "amount": "40"},
        },
    ),
    "pdd_orders": Example(
        "orders_export2026-06-04.csv",
        "商品 订单号 订单状态 用户实付金额(元) 商家实收金额(元) 商品数量(件) 支付时间 "
        "发货时间 商品id 商品规格 售后状态",
        [("帽子", "2605-1\t", "已取消，退款成功", "37.90", "39.90", "1", f"{CREATED}\t", PAID, "77", "红", "退款成功")],
        {
            "pdd_created": {"order_id": "2605-1", "amount": "37.9", "quantity": "1", "product_id": "77"},
            "pdd_paid": {"event_time": CREATED},
            "pdd_shipped": {"event_time": PAID},
            "pdd_refunded": {"event_time": PAID, "amount": "37.9"},
        },
    ),
    "qianniu_order_lines": Example(
        "ExportOrderDetailList202606041010.csv",
        "订单编号 标题 价格 购买数量 外部系统编号 商品属性 订单状态",
        [('="4101"', "帽子", "10.00", "2", "h1", "红", "交易成功")],
        {
            "order_lines": {
                "event_id": "4101 line 帽子 红",
                "event_time": CREATED,
                "order_id": "4101",
                "product_id": "h1",
                "sku": "红",
                "quantity": "2",
            },
            "orders_created": {"event_id": "4101 created", "amount": "25"},
        },
        encoding="gb18030",
        joined="qianniu_orders",
    ),
    "qianniu_refunds": Example(
        "退款单_20260604.xlsx",
        "退款编号 订单编号 买家会员名称 退款的申请时间 退款完结时间 "
        "买家实际支付金额 买家退款金额 退款类型 退款状态 买家退款原因",
        [
            ("9001", "4101", "王小二", CREATED, PAID, "20.00", "5.00", "仅退款", "退款成功", "少件"),
            ("9002", "4102", "李四", CREATED, PAID, "9.00", "9.00", "仅退款", "退款关闭", "其他"),
        ],
        {
            "refunds": {
                "refund_id": "9001",
                "order_id": "4101",
                "amount": "5",
                "event_time": PAID,
                "refund_type": "仅退款",
            }
        },
    ),
    "sycm_shop": Example(
        "【生意参谋平台】店铺-整体_2026-06-02_2026-06-03.xlsx",
        "统计日期 访客数 浏览量 跳失率 商品访客数 加购人数 下单买家数 支付买家数 支付金额 支付转化率 成功退款金额",
        [(DAY, "1.2万", "30,100", "40.50%", "9,000", "600", "120", "100", "18,800.50", "0.83%", "-")],
        {
            "sycm_shop": {
                "event_type": "shop",
                "visitors": "12000",
                "page_views": "30100",
                "bounce_rate": "0.405",
                "cart_users": "600",
                "paying_buyers": "100",
                "paid_amount": "18800.5",
            }
        },
        above=[("【生意参谋平台】自助取数",), ("统计时间：2026-06-02 ~ 2026-06-03",), ("店铺：兰亭旗舰店",), ()],
        below=[("合计", "12,000")],
    ),
    "sycm_item_trend": Example(
        "【生意参谋平台】单品分析_2026-06-03.xlsx",
        "统计时间 访客数 浏览量 加购人数 商品收藏人数 支付买家数 支付转化率 支付金额 客单价 支付件数",
        [(DAY, "12", "30", "2", "1", "1", "8.33%", "18.00", "18.00", "1")],
    ),
    "sycm_products": Example(
        "【生意参谋平台】商品_全部_2026-06-03_2026-06-03.xlsx",
        "统计日期 商品ID 商品名称 商品状态 商品访客数 商品加购人数 "
        "下单买家数 支付买家数 支付金额 商品支付转化率 月累计支付金额 搜索引导访客数",
        [(DAY, "61000111", "帽子", "当前在线", "1,269", "80", "9", "8", "1,520.00", "0.63%", "9,000.00", "300")],
        {
            "sycm_products": {
                "event_type": "product",
                "object": "61000111",
                "object_name": "帽子",
                "product_visitors": "1269",
                "paying_buyers": "8",
                "search_visitors": "300",
            }
        },
        above=[("【生意参谋平台】商品排行",), (f"统计时间：{DAY}",), ()],
    ),
    "sycm_sources": Example(
        "【生意参谋平台】无线店铺流量来源-2026-06-03_2026-06-03.xlsx",
        "流量来源一级 流量来源二级 流量来源三级 访客数 访客数较前一日 下单买家数 支付买家数 支付金额 加购人数",
        [
            ("平台流量", "手淘搜索", "手淘搜索", "2,700", "+3.2%", "30", "28", "5,000.00", "160"),
            ("平台流量", "手淘搜索", "汇总", "2,900", "+3.2%", "33", "30", "5,400.00", "170"),
        ],
        {
            "sycm_sources": {
                "event_time": f"{DAY} 00:00:00",
                "object": "手淘搜索",
                "parent": "平台流量 / 手淘搜索",
                "visitors": "2700",
            }
        },
        above=[("【生意参谋平台】店铺来源",), (f"统计时间：{DAY} ~ {DAY}",), ()],
    ),
    "sycm_search": Example(
        "【生意参谋平台】搜索词_2026-06-03_2026-06-03.xlsx",
        "搜索词 带来的访客数 带来的浏览量 跳失率 引导下单买家数 引导支付买家数 引导支付金额",
        [("渔夫帽", "210", "500", "33.00%", "5", "4", "320.00")],
        {"sycm_search": {"event_type": "keyword", "object": "渔夫帽", "visitors": "210", "paying_buyers": "4"}},
        above=[("【生意参谋平台】搜索词",), (f"统计时间：{DAY}",), ()],
    ),
    "wanxiangtai_items": Example(
        "万相台_商品报表_15天_20260604.csv",
        "日期 主体ID 主体类型 主体名称 展现量 点击量 花费 点击率 总成交金额 总成交笔数 总购物车数 投入产出比",
        [(DAY, "61000111", "商品", "帽子", "598", "47", "6.46", "0.0786", "373.8", "3", "8", "57.86")],
        {
            "wanxiangtai_items": {
                "platform": "wanxiangtai",
                "object": "61000111",
                "impressions": "598",
                "cost": "6.46",
                "click_rate": "0.0786",
                "attributed_amount": "373.8",
                "attribution_days": "15",
            }
        },
        encoding="gb18030",
    ),
    "wanxiangtai_campaigns": Example(
        "计划报表_20260604.xlsx",
        "日期 计划ID 计划名称 场景名称 转化周期 展现量 点击量 花费 总成交金额 总成交笔数",
        [(DAY, "7001", "拉新", "关键词推广", "15天累计数据", 598, 47, 6.46, 373.8, 3)],
        {
            "wanxiangtai_campaigns": {
                "event_type": "campaign",
                "object": "7001",
                "parent": "关键词推广",
                "attribution_days": "15",
                "attributed_orders": "3",
            }
        },
    ),
    "qianchuan": Example(
        "千川_20260603.xlsx",
        "计划ID 计划名称 消耗(元) 展示次数 点击次数 点击率(%) 直接成交订单数 直接成交金额(元) 直接支付ROI",
        [("8001", "全域推广", 120.5, 9000, 180, 2, 6, 720, 5.98)],
        {
            "qianchuan": {
                "event_time": f"{DAY} 00:00:00",
                "object": "8001",
                "cost": "120.5",
                "click_rate": "0.02",
                "attributed_amount": "720",
            }
        },
        below=[("合计", "", 120.5, 9000, 180, 2, 6, 720, 5.98)],
    ),
    "jd_shop": Example(
        "京东商智_交易概况_20260603.xlsx",
        "时间|访客数(UV)|同比|浏览量(PV)|同比|加购客户数|"
        "同比|下单客户数|成交客户数|成交单量|成交金额|成交转化率|退款金额",
        [(DAY, 4018, "3%", 10446, "1%", 281, "-", 90, 84, 86, 19446, 0.0209, 831.6)],
        {
            "jd_shop": {
                "platform": "jd",
                "visitors": "4018",
                "paying_buyers": "84",
                "paid_orders": "86",
                "cart_users": "281",
            }
        },
    ),
    "jd_products": Example(
        "京东商智_商品明细_20260603.xlsx",
        "日期 SKU 商品名称 浏览量 访客数 加购客户数 成交客户数 成交单量 成交金额",
        [(DAY, "100012345", "帽子", 600, 300, 20, 8, 8, 800)],
        {"jd_products": {"object": "100012345", "product_visitors": "300", "paying_buyers": "8"}},
    ),
    "douyin_products": Example(
        "兰亭旗舰店 账号 商品20260602-20260603 09_36_23.xlsx",
        "统计日期 日期 商品ID 商品名称 载体类型 账号类型 "
        "用户支付金额 成交订单数 成交人数 商品曝光人数 商品点击人数 商品加购人数 退款金额",
        [
            (
                "2026-06-02~2026-06-03",
                "20260603",
                "36503",
                "帽子",
                "直播",
                "自营",
                "1,738.00",
                22,
                22,
                5404,
                668,
                59,
                "86.90",
            )
        ],
        {
            "douyin_products": {
                "event_time": f"{DAY} 00:00:00",
                "object": "36503",
                "parent": "直播 / 自营",
                "product_click_users": "668",
                "paying_buyers": "22",
                "refunded_amount": "86.9",
            }
        },
    ),
    "douyin_rooms": Example(
        "直播间明细_20260603.xlsx",
        "直播间ID 直播间标题 主播昵称 开播时间 下播时间 "
        "直播间曝光人数 观看人数 商品点击人数 成交人数 用户支付金额 退款金额",
        [
            (
                "7300",
                "夏季专场",
                "小兰",
                f"{DAY} 20:00:00",
                "2026-06-04 00:30:00",
                "8.1万",
                "1.2万",
                "900",
                "80",
                "9,000.00",
                "",
            )
        ],
        {
            "douyin_rooms": {
                "event_type": "room",
                "object": "小兰 20点",
                "object_name": "夏季专场",
                "viewers": "12000",
                "impression_users": "81000",
                "paying_buyers": "80",
            }
        },
    ),
    "pdd_shop": Example(
        "拼多多_经营数据_20260603.xlsx",
        "统计时间 商品访客数 商品浏览量 成交买家数 成交订单数 成交金额",
        [(DAY, "2,100", "5,000", "90", "95", "8,200.00元")],
        {
            "pdd_shop": {
                "platform": "pinduoduo",
                "product_visitors": "2100",
                "paying_buyers": "90",
                "paid_amount": "8200",
            }
        },
    ),
    "pdd_products": Example(
        "拼多多_商品数据_20260603.xlsx",
        "统计时间 商品ID 商品名称 商品访客数 商品浏览量 成交买家数 成交订单数 成交金额",
        [(DAY, "52001", "帽子", "210", "500", "9", "9", "820.00元")],
        {"pdd_products": {"object": "52001", "product_visitors": "210", "paid_amount": "820"}},
    ),
    "service_agents": Example(
        "客服绩效_2026-06-03.xlsx",
        "旺旺昵称|接待人数|询单人数|询单最终付款人数|询单转化率|首次响应时长（秒）|平均响应时长（秒）|客户满意率(%)",
        [("兰亭:小青", "120", "80", "40", "50.00%", "8.5", "20.1", "96")],
        {
            "service_agents": {
                "event_type": "agent",
                "event_time": f"{DAY} 00:00:00",
                "object": "兰亭:小青",
                "inquirers": "80",
                "inquirers_paid": "40",
                "inquiry_pay_rate": "0.5",
                "first_response_seconds": "8.5",
                "satisfaction_rate": "0.96",
            }
        },
        below=[
            ("汇总值", "120", "80", "40", "50.00%", "8.5", "20.1", "96"),
            ("平均值", "120", "80", "40", "50.00%", "8.5", "20.1", "96"),
            ("全店汇总值", "120", "80", "40", "50.00%", "8.5", "20.1", "96"),
            ("同行同层均值", "100", "70", "30", "42.86%", "9.5", "25.0", "95"),
        ],
    ),
    "service_shop": Example(
        "客服销售_询单_20260603.xlsx",
        "日期 当日询单人数 当日付款人数",
        [(DAY, "384", "65")],
        {"service_shop": {"event_type": "shop", "inquirers": "384", "inquirers_paid": "65"}},
        below=[("暂无数据", "-", "-"), ("汇总值", "1,910", "305"), ("同行同层均值", "1,910", "305")],
    ),
    "wecom_agents": Example(
        "wecom_behavior_20260604.jsonl",
        "",
        records=[
            {
                "userid": "xiaoqing",
                "stat_time": 1780416000,
                "chat_cnt": 100,
                "message_cnt": 300,
                "reply_percentage": 98.5,
                "avg_reply_time": 2,
                "new_contact_cnt": 12,
                "negative_feedback_cnt": 1,
            }
        ],
        expected={
            "wecom_agents": {
                "event_time": f"{DAY} 00:00:00",
                "object": "xiaoqing",
                "new_contacts": "12",
                "reply_rate": "0.985",
                "first_response_seconds": "120",
            }
        },
    ),
    "wecom_shop": Example(
        "wecom_behavior_20260604.csv",
        "stat_time chat_cnt message_cnt new_contact_cnt negative_feedback_cnt reply_percentage avg_reply_time",
        [("1780416000", "100", "300", "12", "1", "98.5", "2")],
        {"wecom_shop": {"event_type": "shop", "lost_contacts": "1", "messages": "300"}},
    ),
    "wecom_download": Example(
        "企业微信_客户统计_20260604.xlsx",
        "时间 新增客户数 流失客户数 聊天总数 发送消息数 平均首次回复时长",
        [(DAY, 12, 1, 100, 300, "2分钟")],
        {"wecom": {"new_contacts": "12", "conversations": "100", "first_response_seconds": "120"}},
    ),
    "youzan_orders": Example(
        "有赞订单_20260604.xlsx",
        "订单号 订单状态 下单时间 付款时间 订单实付金额 运费 支付方式 买家手机号 发货时间",
        [("E2026", "已发货", CREATED, PAID, "30.00", "5.00", "微信支付", "13800000001", "")],
        {
            "youzan_created": {"order_id": "E2026", "amount": "30", "customer_id": "13800000001"},
            "youzan_paid": {"event_time": PAID, "payment_provider": "微信支付"},
        },
    ),
    "shopify_orders": Example(
        "orders_export_2026-06-04.csv",
        "Name|Email|Financial Status|Paid at|Fulfilled at|Currency|Subtotal|Shipping|Taxes|Total|Discount Code|"
        "Discount Amount|Created at|Lineitem quantity|Lineitem name|Cancelled at|Payment Method|Refunded Amount|Tags|"
        "Note Attributes",
        [
            (
                "#1001",
                "a@shop.test",
                "paid",
                f"{PAID} -0400",
                f"{PAID} -0400",
                "EUR",
                "20.00",
                "4.00",
                "0.00",
                "24.00",
                "JUNE",
                "1.00",
                f"{CREATED} -0400",
                "1",
                "hat",
                "",
                "card",
                "3.00",
                "",
                "ga_client_id: GA1.1.123.456",
            ),
            ("#1001", "a@shop.test", *[""] * 11, "2", "scarf", "", "", "", "", ""),
        ],
        {
            "shopify_created": {
                "order_id": "#1001",
                "amount": "20",
                "shipping_amount": "4",
                "coupon": "JUNE",
                "visitor_id": "123.456",
            },
            "shopify_paid": {"event_id": "#1001 paid", "event_type": "paid"},
            "shopify_shipped": {"event_type": "shipped"},
            "shopify_refunded": {"amount": "3", "refund_id": "#1001"},
        },
    ),
    "shopify_order_documents": Example(
        "orders_2026-06-03.jsonl",
        "",
        records=[
            {
                "id": 41,
                "name": "#1001",
                "email": "a@shop.test",
                "created_at": f"{DAY}T10:00:00+00:00",
                "processed_at": f"{DAY}T10:05:00+00:00",
                "cancelled_at": f"{DAY}T12:00:00+00:00",
                "financial_status": "partially_refunded",
                "currency": "EUR",
                "test": False,
                "taxes_included": False,
                "customer": {"id": 7},
                "note_attributes": [{"name": "ga_client_id", "value": "GA1.1.123.456"}],
                "discount_codes": [{"code": "JUNE"}],
                "line_items": [
                    {
                        "id": 411,
                        "product_id": 5,
                        "sku": "hat-red",
                        "quantity": 2,
                        "price": "10.00",
                        "total_discount": "0.00",
                        "discount_allocations": [{"amount": "1.50"}, {"amount": "0.50"}],
                        "tax_lines": [{"price": "3.60"}],
                    },
                    {"id": 412, "sku": "cap", "quantity": 1, "price": "5.00", "total_discount": "1.00"},
                ],
                "shipping_lines": [{"price": "4.00"}],
                "fulfillments": [{"id": 9, "created_at": f"{DAY}T11:00:00+00:00"}],
                "refunds": [
                    {
                        "id": 8,
                        "created_at": f"{DAY}T13:00:00+00:00",
                        "transactions": [
                            {"amount": "3.00", "kind": "refund", "status": "success"},
                            {"amount": "9.00", "kind": "refund", "status": "failure"},
                        ],
                    }
                ],
            }
        ],
        expected={
            "shopify_created": {
                "order_id": "#1001",
                "line": "1",
                "product_id": "5",
                "amount": "21.6",
                "shipping_amount": "4",
                "visitor_id": "123.456",
                "customer_id": "7",
                "coupon": "JUNE",
            },
            "shopify_paid": {"event_id": "411 paid", "event_time": PAID},
            "shopify_shipped": {"event_id": "9 shipped", "event_time": f"{DAY} 11:00:00"},
            "shopify_cancelled": {"event_time": f"{DAY} 12:00:00"},
            "shopify_refunded": {"refund_id": "8", "amount": "3", "event_time": f"{DAY} 13:00:00"},
        },
    ),
    "shopify_order_table": Example(
        "order_2026-06-03.csv",
        "id email currency total_price created_at updated_at name customer_id order_number financial_status "
        "processed_at cancelled_at total_discounts test _fivetran_synced",
        [
            (
                *("41", "a@shop.test", "EUR", "24.00", f"{CREATED}.000", PAID, "#1001", "7", "1001", "paid"),
                *(f"{PAID}.000", "", "1.00", "FALSE", PAID),
            )
        ],
        {
            "shopify_created": {"order_id": "#1001", "amount": "24", "customer_id": "7", "discount": "1"},
            "shopify_paid": {"event_id": "41 paid", "event_time": PAID},
        },
    ),
    "shopify_order_line_table": Example(
        "order_line_2026-06-03.csv",
        "id order_id product_id variant_id title name sku quantity price total_discount",
        [("91", "41", "55", "66", "Hat", "Hat red", "h-1", "2", "12.50", "0.00")],
        {
            "shopify_lines": {
                "event_id": "91 line",
                "event_time": CREATED,
                "order_id": "#1001",
                "customer_id": "7",
                "product_id": "55",
                "quantity": "2",
                "line": "91",
            },
            "shopify_created": {"event_id": "41 created", "amount": "24"},
        },
        joined="shopify_order_table",
    ),
    "shopify_transaction_table": Example(
        "transaction_2026-06-03.csv",
        "id order_id kind status amount currency created_at processed_at gateway",
        [
            ("81", "41", "sale", "success", "24.00", "EUR", PAID, PAID, "paypal"),
            ("82", "41", "refund", "success", "4.00", "EUR", PAID, f"{DAY} 12:00:00", "paypal"),
            ("83", "41", "refund", "failure", "5.00", "EUR", PAID, PAID, "paypal"),
        ],
        {
            "shopify_refunded": {
                "event_id": "82 refunded",
                "event_time": f"{DAY} 12:00:00",
                "order_id": "#1001",
                "amount": "4",
            }
        },
        joined="shopify_order_table",
    ),
    "shopify_pixel": Example(
        "pixel_20260603.jsonl",
        "",
        records=[
            {
                "id": "e1",
                "clientId": "c1",
                "name": "product_viewed",
                "timestamp": f"{DAY}T10:00:00.000Z",
                "context": {"document": {"location": {"pathname": "/products/hat"}}},
                "data": {"productVariant": {"product": {"id": "p1"}, "sku": "h1", "price": {"amount": 10.0}}},
            },
            {
                "id": "e2",
                "clientId": "c1",
                "name": "checkout_completed",
                "timestamp": f"{DAY}T10:05:00.000Z",
                "context": {},
                "data": {
                    "checkout": {
                        "order": {"id": "1001"},
                        "currencyCode": "EUR",
                        "subtotalPrice": {"amount": 20.0, "currencyCode": "EUR"},
                    }
                },
            },
        ],
        expected={
            "pixel_pages": {"event_type": "product_view", "product_id": "p1", "page": "/products/hat"},
            "pixel_created": {"order_id": "1001", "amount": "20", "visitor_id": "c1"},
            "pixel_paid": {"event_id": "1001 paid"},
        },
    ),
    "woocommerce_orders": Example(
        "woocommerce_orders_2026-06-04.csv",
        "order_id order_number order_date paid_date status "
        "shipping_total order_total order_currency payment_method customer_email",
        [("55", "55", CREATED, PAID, "completed", "4.00", "24.00", "GBP", "stripe", "a@shop.test")],
        {
            "woocommerce_created": {"order_id": "55", "amount": "20", "payment_provider": "stripe"},
            "woocommerce_paid": {"event_time": PAID, "event_id": "55 paid"},
        },
    ),
    "ga4_lines": Example(
        "events_20260603.jsonl",
        "",
        records=[{key: value for key, value in one.items() if value is not None} for one in GA4],
        expected={
            "ga4_pages": {"event_type": "product_view", "product_id": "p1", "session_id": "v.1.77"},
            "ga4_visits": {"channel": "news / mail", "campaign": "june", "device": "mobile"},
            "ga4_created": {"order_id": "T1", "amount": "20", "shipping_amount": "4"},
            "ga4_paid": {"event_id": "T1 paid"},
        },
    ),
    "ga4_parquet": Example(
        "events_20260603.parquet",
        "",
        records=GA4,
        expected={
            "ga4_pages": {"event_type": "product_view", "product_id": "p1", "session_id": "v.1.77"},
            "ga4_visits": {"channel": "news / mail", "region": "Bavaria"},
            "ga4_created": {"order_id": "T1", "line": "1", "amount": "20", "shipping_amount": "4", "sku": "red"},
            "ga4_paid": {"event_type": "paid"},
        },
    ),
    "snowplow": Example(
        "snowplow_20260603.csv",
        "event_id event event_name derived_tstamp domain_userid domain_sessionid user_id page_urlpath "
        f"{SNOWPLOW_ACTION} "
        f"contexts_{SNOWPLOW}_product_1_0_0 contexts_{SNOWPLOW}_transaction_1_0_0",
        [
            (
                "s1",
                "unstruct",
                "product_view",
                CREATED,
                "v1",
                "s-1",
                "",
                "/hat",
                '{"type": "product_view"}',
                '[{"id": "p1", "price": 10}]',
                "",
            ),
            (
                "s2",
                "unstruct",
                "transaction",
                PAID,
                "v1",
                "s-1",
                "",
                "/",
                '{"type": "transaction"}',
                "",
                '[{"transaction_id": "T1", "revenue": 20, "currency": "EUR"}]',
            ),
        ],
        {
            "snowplow_pages": {"event_type": "product_view", "product_id": "p1", "page": "/hat"},
            "snowplow_created": {"order_id": "T1", "amount": "20"},
            "snowplow_paid": {"event_id": "T1 paid"},
        },
    ),
    "posthog": Example(
        "posthog_20260603.jsonl",
        "",
        records=[
            {
                "uuid": f"u{number}",
                "event": event,
                "distinct_id": "v1",
                "timestamp": f"{DAY}T10:0{number}:00Z",
                "team_id": 1,
                "properties": {"$session_id": "s1", "$pathname": "/hat", **others},
            }
            for number, (event, others) in enumerate(
                [
                    ("Product Viewed", {"product_id": "p1"}),
                    ("$autocapture", {}),
                    ("Order Completed", {"order_id": "T1", "total": 20, "currency": "EUR"}),
                ]
            )
        ],
        expected={
            "posthog_pages": {"event_type": "product_view", "session_id": "s1", "page": "/hat", "product_id": "p1"},
            "posthog_created": {"order_id": "T1", "amount": "20"},
            "posthog_paid": {"event_id": "T1 paid"},
        },
    ),
    "segment": Example(
        "segment_20260603.jsonl",
        "",
        records=[
            {
                "type": kind,
                "event": event,
                "messageId": f"m{number}",
                "anonymousId": "v1",
                "userId": "ann",
                "timestamp": f"{DAY}T10:0{number}:00Z",
                "context": {"page": {"path": "/hat"}},
                "properties": properties,
            }
            for number, (kind, event, properties) in enumerate(
                [
                    ("track", "Product Viewed", {"product_id": "p1", "price": 10}),
                    ("identify", None, {}),
                    ("track", "Order Completed", {"order_id": "T1", "total": 24, "shipping": 4, "currency": "EUR"}),
                    ("track", "Order Refunded", {"order_id": "T1", "total": 5, "currency": "EUR"}),
                ]
            )
        ],
        expected={
            "segment_pages": {"event_type": "product_view", "product_id": "p1", "customer_id": "ann", "page": "/hat"},
            "segment_created": {"order_id": "T1", "amount": "20", "shipping_amount": "4"},
            "segment_paid": {"event_type": "paid"},
            "segment_refunded": {"amount": "5", "refund_id": "m3"},
        },
    ),
    "matomo_visits": Example(
        "matomo_visits_20260603.csv",
        "idVisit visitorId serverTimestamp firstActionTimestamp "
        "serverDate referrerType referrerName deviceType country",
        [("5", "ab12", "1780480900", "1780480800", DAY, "search", "Google", "Smartphone", "Germany")],
        {"matomo_visits": {"visitor_id": "ab12", "channel": "Google", "device": "Smartphone", "event_type": "visit"}},
    ),
    "matomo_actions": Example(
        "matomo_log_link_visit_action_20260603.csv",
        "idlink_va idsite idvisitor idvisit server_time idaction_url",
        [("900", "1", "ab12", "5", CREATED, "33")],
        {"matomo_pages": {"event_id": "900", "visitor_id": "ab12", "session_id": "5", "page": "33"}},
    ),
    "matomo_conversions": Example(
        "matomo_log_conversion_20260603.csv",
        "idvisit idvisitor server_time idgoal idorder items revenue revenue_shipping revenue_discount",
        [("5", "ab12", CREATED, "0", "T1", "2", "24.00", "4.00", "0")],
        {"matomo_created": {"order_id": "T1", "amount": "20", "shipping_amount": "4"}, "matomo_paid": {}},
    ),
    "zendesk_tickets": Example(
        "ticket_data_2026-06-04.csv",
        "id created_at requester_id submitter_id assignee_id group_id status subject",
        [("11", CREATED, "c1", "c1", "a1", "g1", "open", "hat")],
        {"zendesk_tickets": {"conversation_id": "11", "customer_id": "c1", "team": "g1"}},
    ),
    "zendesk_chat": Example(
        "ticket_chat_event_data_2026-06-04.csv",
        "chat_id created_at actor_id chat_index message type",
        [("c-1", CREATED, "agent:7", "1", "hello", "ChatMessage")],
        {"zendesk_chat": {"event_type": "agent_message", "agent": "7", "conversation_id": "c-1"}},
    ),
    "zendesk_status": Example(
        "ticket_field_history_data_2026-06-04.csv",
        "field_name ticket_id updated user_id value",
        [("status", "11", CREATED, "a1", "solved")],
        {"zendesk_status": {"event_type": "conversation_closed", "conversation_id": "11"}},
    ),
    "zendesk_comments": Example(
        "ticket_comment_data_2026-06-04.csv",
        "id body created public ticket_id user_id",
        [("1", "hello", CREATED, "true", "11", "a1")],
    ),
    "intercom_parts": Example(
        "conversation_part_history_data_2026-06-04.csv",
        "id author_id author_type conversation_id created_at part_type body _fivetran_active",
        [("1", "a1", "admin", "77", CREATED, "comment", "hello", "true")],
        {"intercom_parts": {"event_type": "agent_message", "agent": "a1", "conversation_id": "77"}},
    ),
    "intercom_conversations": Example(
        "conversation_history_data_2026-06-04.csv",
        "id assignee_id conversation_rating_created_at conversation_rating_value created_at source_author_id "
        "source_author_type _fivetran_active",
        [("77", "a1", PAID, "5", CREATED, "c1", "user", "true")],
        {
            "intercom_conversations": {"event_type": "customer_message", "customer_id": "c1"},
            "intercom_ratings": {"rating": "5", "event_time": PAID},
        },
    ),
    "gorgias_tickets": Example(
        "gorgias_tickets_2026-06-04.csv",
        "id channel created_datetime closed_datetime customer_id assignee_user_id status from_agent_",
        [("5", "email", CREATED, PAID, "c1", "a1", "closed", "")],
        {"gorgias_tickets": {"conversation_id": "5", "customer_id": "c1"}, "gorgias_closed": {"agent": "a1"}},
    ),
    "gorgias_messages": Example(
        "gorgias_messages_2026-06-04.csv",
        "id ticket_id channel created_datetime from_agent sender_id",
        [("1", "5", "email", CREATED, "true", "a1")],
        {"gorgias_messages": {"event_type": "agent_message", "agent": "a1", "conversation_id": "5"}},
    ),
    "gorgias_surveys": Example(
        "gorgias_surveys_2026-06-04.csv",
        "id ticket_id customer_id score created_datetime scored_datetime",
        [("1", "5", "c1", "4", CREATED, PAID)],
        {"gorgias_ratings": {"rating": "4", "event_time": PAID, "conversation_id": "5"}},
    ),
    "google_ads": Example(
        "Google campaign report 2026-06-04.csv",
        "Day|Campaign|Currency code|Impr.|Clicks|CTR|Cost|Conversions",
        [(DAY, "brand", "EUR", "1,200", "60", "5.00%", "30.50", "3.00")],
        {
            "google_ads_impressions": {"campaign": "brand", "quantity": "1200", "channel": "google_ads"},
            "google_ads_clicks": {"quantity": "60", "cost": "30.5"},
        },
        above=[("Campaign report",), ("June 3, 2026 - June 3, 2026",)],
        below=[("Total: Account", "--", "EUR", "1,200", "60", "5.00%", "30.50", "3.00")],
    ),
    "google_ads_table": Example(
        "campaign_stats_2026-06-04.csv",
        "customer_id date ad_network_type clicks cost_micros device id impressions",
        [("9", DAY, "SEARCH", "60", "30500000", "MOBILE", "77", "1200")],
        {"google_ads_impressions": {"quantity": "1200", "device": "mobile"}, "google_ads_clicks": {"cost": "30.5"}},
    ),
    "google_ads_details": Example(
        "keyword_stats_2026-06-04.csv",
        "customer_id date ad_group_id campaign_id clicks cost_micros device impressions",
        [("9", DAY, "8", "77", "60", "30500000", "MOBILE", "1200")],
    ),
    "meta_ads": Example(
        "meta_ads_2026-06-04.csv",
        "Campaign name|Ad set name|Ad name|Day|Amount spent (EUR)|Impressions|Reach|Link clicks|Purchases",
        [("brand", "all", "hat", DAY, "30.50", "1200", "900", "60", "3")],
        {
            "meta_impressions": {"campaign": "brand", "creative": "hat", "quantity": "1200"},
            "meta_clicks": {"quantity": "60", "cost": "30.5"},
        },
    ),
    "meta_ads_breakdown": Example(
        "meta_ads_age_2026-06-04.csv",
        "Campaign name|Day|Age|Amount spent (EUR)|Impressions|Link clicks",
        [("brand", DAY, "18-24", "30.50", "1200", "60")],
    ),
    "meta_ads_table": Example(
        "basic_ad_2026-06-04.csv",
        "ad_id date account_id impressions inline_link_clicks spend reach",
        [("77", DAY, "9", "1200", "60", "30.50", "900")],
        {"meta_impressions": {"creative": "77", "quantity": "1200"}, "meta_clicks": {"cost": "30.5"}},
    ),
}
