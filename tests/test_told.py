"""What is wrong with a delivery, or asked of it, is told in the language of whoever reads it."""

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from intake_helpers import CONTRACT, DAY, GOOD, MAPPED, Shop

from funnelscope.ingest.readers.encoding_detection import OTHER_FORMATS
from funnelscope.messages.check_observations import CheckObservation, LocalizedMessage, read_observation
from funnelscope.messages.wording import load_words, translate_message
from funnelscope.quality import gate
from funnelscope.quality.expectations import load_suites
from funnelscope.quality.expectations.judgements import TRANSLATED_ARGUMENTS, _build_observation
from funnelscope.settings import load_settings
from funnelscope.warehouse.checks import load_contracts
from funnelscope.warehouse.connection import open_in_memory_warehouse

REPOSITORY = Path(__file__).parents[1]
SWAPPED = "order_id,event_time,event_type\n" + "".join(f"{n},2026-06-01 10:00:00,paid\n" for n in range(30))


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    yield Shop(opened := open_in_memory_warehouse(["set threads = 1"]), tmp_path)
    opened.connection.close()


def found(shop: Shop, check: str) -> CheckObservation:
    """The one case of a contract as the gate keeps it, written and read again."""
    (contract,) = (each for each in load_contracts() if each.name == check)
    (violations,) = gate._find_violations(shop.warehouse, contract, DAY, DAY).values()
    return read_observation({"found": violations.found.format_json()})


@pytest.mark.parametrize(
    ("content", "source", "in_english", "in_chinese"),
    [
        (b"PK\x03\x04", MAPPED, "is an Excel workbook or another zip archive", "这是 Excel 工作簿或其他 zip 压缩包"),
        (
            GOOD.replace("买家", "买 家", 1),
            MAPPED,
            "column '买家' (for customer_id) is missing; did you mean '买 家'?; found: 订单编号, 买 家, 付款时间, 金额",
            "缺少列 '买家'（对应 customer_id）；可能是指 '买 家'；现有列：订单编号, 买 家, 付款时间, 金额",
        ),
        (
            GOOD.encode("gbk"),
            MAPPED,
            "bytes that are not utf-8; the file looks like gb18030",
            "文件看起来是 gb18030",
        ),
        ('{"a": 1', CONTRACT, "is damaged JSON from line 1 on", "从第 1 行起 JSON 已损坏"),
    ],
)
def test_why_a_file_cannot_be_read_is_told_in_both_languages(
    shop: Shop, content: bytes, source: dict[str, Any], in_english: str, in_chinese: str
) -> None:
    name = "orders.jsonl" if source is CONTRACT else "orders.csv"
    told = shop.deliver(content, source, name)
    case = found(shop, "whole_files_are_readable")
    assert in_english in told.message
    assert case.observed_text == f"Orders, landing/order/dt={DAY}/{name}: {told.message}"
    chinese = translate_message(case.observed, "zh")
    assert in_chinese in chinese
    assert not any(word in chinese for word in ("deliver it", "declare ", "save it", "missing", "did you"))


def test_a_delivery_that_looks_misread_is_told_in_both_languages(shop: Shop) -> None:
    told = shop.deliver(SWAPPED, CONTRACT)
    case = found(shop, "deliveries_read_as_meant")
    assert case.observed_text == f"Orders, landing/order/dt={DAY}/orders.csv: {told.message}"
    assert told.message.startswith("day and month seem swapped in 30 rows: 2026-06-01 would be 2026-01-06")
    assert translate_message(case.observed, "zh").endswith(
        "30 行的日与月似乎颠倒了：2026-06-01 应为 2026-01-06，接近 2026-01-06 的交付；请在导出时或用表达式调换"
    )


def test_two_warnings_are_told_one_after_the_other(shop: Shop) -> None:
    shop.deliver(SWAPPED.replace("\n1,", "\n1.0,"), CONTRACT)
    told = translate_message(found(shop, "deliveries_read_as_meant").observed, "zh")
    assert "调换；order_id 中的编号写成了小数" in told


def test_a_ledger_of_before_is_told_as_it_was_written(shop: Shop) -> None:
    shop.deliver(SWAPPED, CONTRACT)
    shop.warehouse.execute("update quality.deliveries set told = null, warning = 'as of old'")
    assert translate_message(found(shop, "deliveries_read_as_meant").observed, "zh").endswith("as of old")


def test_what_an_expectation_asks_is_told_in_both_languages() -> None:
    expectations = [each for suite in load_suites(load_settings()) for each in suite.expectations]
    asked = {
        each.name: [
            translate_message(_build_observation("rows", each, cases=0, rows=0).expected, language)
            for language in ("en", "zh")
        ]
        for each in expectations
    }
    assert asked["scrolls_are_shares"] == [
        "column scroll_ratio; at most 1; in at least 0.99 of the cases",
        "列 scroll_ratio；不大于 1；所占比例不低于 0.99",
    ]
    assert asked["checkouts_within_carts"][1] == "列 reached_favorite_or_cart 不小于 reached_checkout"
    for name, (_, chinese) in asked.items():
        assert not any(argument in chinese for argument in ("min_value", "max_value", "mostly", "or_equal")), name


def test_an_argument_of_the_shop_s_own_expectation_is_told_by_its_name() -> None:
    assert str(LocalizedMessage("asked_other", name="regex", value="a+")) == "regex a+"


def told_keys() -> set[str]:
    """Every key that the code tells something by."""
    keys = {*OTHER_FORMATS.values(), *(f"asked_{name}" for name in TRANSLATED_ARGUMENTS)}
    for file in (each for room in ("funnelscope", "pipelines") for each in (REPOSITORY / room).rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            makers = ("LocalizedMessage", "build_problem", "CubeError", "say_option")
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in makers and node.args:
                keys |= {each.value for each in ast.walk(node.args[0]) if isinstance(each, ast.Constant)}
    return keys - {"asked_", ""}


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_words_hold_what_is_told_and_nothing_else(language: str) -> None:
    by_name = {"tar_archive", "asked_greater", "asked_greater_or_equal", "times_too_large", "times_too_small"}
    by_name |= {"is_a_folder", "locked_folder", "lacks_column", "lacks_event_type"}
    by_name |= {"accepted_names", "nearest_of_accepted"}
    assert set(load_words(language).sections["told"]) == told_keys() | by_name


def test_every_chinese_sentence_is_chinese() -> None:
    for key, text in load_words("zh").sections["told"].items():
        if key not in ("as_told", "asked_other", "two_sentences") and not key.startswith("volume_of_"):
            assert re.search(r"[\u4e00-\u9fff]", text), key


def test_a_sentence_is_kept_with_its_values() -> None:
    inner = LocalizedMessage("did_you_mean", nearest="'a'")
    told = LocalizedMessage("missing_column", column="'b'", hints=[inner, LocalizedMessage("found_no_columns")])
    assert told == "column 'b' is missing; did you mean 'a'?; found: no columns"
    assert json.loads(json.dumps(told.record))["values"]["hints"][0] == inner.record
