"""`funnelscope init`: a folder of downloads becomes settings that read it, and says what it does not know."""

import io
import json
import os
import sys
import zipfile
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from recognition_examples import DAY, EXAMPLES, write_workbook

from funnelscope.ingest.source_check import SourceCheck, check_source
from funnelscope.recognition import SettingsDraft, Sureness, draft_folder, load_layouts, read_export, recognize
from funnelscope.recognition.file_patterns import build_delivery_pattern, build_glob, read_delivery_day
from funnelscope.recognition.layouts_read import read_layout
from funnelscope.settings import Settings, SettingsError, load_settings
from pipelines.cli import main

LAYOUTS = load_layouts()


def draft(
    folder: Path, language: str | None = "en", told: dict[str, str] | None = None, **layouts: Any
) -> SettingsDraft:
    return draft_folder(folder, folder.parent / "home", {**LAYOUTS, **layouts}, told or {}, language)


def settle(drafted: SettingsDraft, folder: Path) -> Settings:
    path = folder.parent / "funnelscope.yaml"
    path.write_text(drafted.text, encoding="utf-8")
    return load_settings(path)


def check(settings: Settings) -> dict[str, SourceCheck]:
    return {source.name: check_source(settings, source) for source in settings.sources}


def asked(drafted: SettingsDraft) -> str:
    return "\n".join(drafted.list_said(Sureness.ASKED))


def shorten(value: str) -> str:
    """A number without the zeros behind it."""
    return value.rstrip("0").rstrip(".") if "." in value else value


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "exports").mkdir()
    return tmp_path / "exports"


def test_there_is_an_example_of_every_layout() -> None:
    assert set(EXAMPLES) == set(LAYOUTS)


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_export_of_each_layout_is_recognised_and_mapped(name: str, folder: Path) -> None:
    example = EXAMPLES[name]
    example.write(folder)
    if example.joined:
        EXAMPLES[example.joined].write(folder)
    drafted = draft(folder)
    assert asked(drafted) == ""
    if not LAYOUTS[name].sources:
        assert drafted.text == ""
        assert "is not read" in drafted.list_said(Sureness.SURE)[0]
        return
    settings = settle(drafted, folder)
    checks = check(settings)
    assert set(checks) >= set(example.expected)
    for source, found in checks.items():
        assert (source, found.problem, found.refusals, found.warnings) == (source, "", [], [])
    for source, expected in example.expected.items():
        assert checks[source].accepted, source
        mapped = {column: shorten(value) for column, value in checks[source].rows[0].mapped.items()}
        assert {column: mapped.get(column) for column in expected} == expected, source


# -- a folder as a whole

PRODUCTS = ("统计日期", "商品ID", "商品名称", "商品访客数", "商品加购人数", "支付买家数", "支付金额")


def product(day: str, number: int = 1, pay: str = "8") -> tuple[str, ...]:
    return (day, f"6100{number}", "帽子", "1,269", "80", pay, "1,520.00")


def name_products(day: str, first: str = "") -> str:
    return f"【生意参谋平台】商品_全部_{first or day}_{day}.xlsx"


def test_a_folder_of_mixed_reports_is_read_without_a_question(folder: Path) -> None:
    chosen = ("qianniu_orders", "sycm_shop", "sycm_products", "sycm_sources", "wanxiangtai_items", "service_agents")
    for name in chosen:
        EXAMPLES[name].write(folder / "下载")
    drafted = draft(folder, None)
    settings = settle(drafted, folder)
    assert (asked(drafted), drafted.language, settings.shop, settings.currency) == ("", "zh", "兰亭", "CNY")
    assert str(settings.start_date) == DAY
    assert {source.name for source in settings.sources} >= {"orders_paid", "sycm_shop", "service_agents"}
    assert len(drafted.list_said(Sureness.SURE)) == len(chosen)
    agents = check(settings)["service_agents"]
    assert [row.mapped["event_type"] for row in agents.rows] == ["agent", "peers"]
    assert "object" not in agents.rows[1].mapped


def test_lines_of_orders_take_time_and_buyer_from_the_orders_and_count_units_once(folder: Path) -> None:
    EXAMPLES["qianniu_order_lines"].write(folder)
    drafted = draft(folder)
    assert drafted.text == ""
    assert "nothing can be read" in "".join(one.say_in("en") for _, one in drafted.statements)
    EXAMPLES["qianniu_orders"].write(folder)
    settings = settle(draft(folder), folder)
    units = {name: sum(int(row.mapped.get("quantity", 0)) for row in one.rows) for name, one in check(settings).items()}
    assert (units["order_lines"], units["orders_created"]) == (2, 0)
    lines = next(source for source in settings.sources if source.name == "order_lines")
    assert lines.join
    assert (Path(lines.join.files).name, lines.join.on) == ("ExportOrderList*.csv", {"订单编号": "订单编号"})


def test_the_settings_find_the_next_download_and_its_day(folder: Path) -> None:
    EXAMPLES["sycm_shop"].write(folder)
    EXAMPLES["douyin_products"].write(folder)
    settings = settle(draft(folder), folder)
    EXAMPLES["sycm_shop"].write(folder, "【生意参谋平台】店铺-整体_2026-06-03_2026-06-04.xlsx")
    EXAMPLES["douyin_products"].write(folder, "兰亭旗舰店 账号 商品20260603-20260604 10_01_02 (1).xlsx")
    for found in check(settings).values():
        assert (found.file_count, str(found.delivered_on), found.problem) == (2, "2026-06-04", "")


def test_a_second_run_over_the_settings_writes_nothing_and_says_how(folder: Path, monkeypatch: Any) -> None:
    EXAMPLES["sycm_shop"].write(folder)
    target = folder.parent / "funnelscope.yaml"
    monkeypatch.setenv("FUNNELSCOPE_CONFIG", str(target))
    code, out = run("init", str(folder), "--language", "en")
    assert (code, target.exists()) == (0, True)
    assert f"Written: {target}, 1 sources" in out
    text = target.read_text()
    assert "# Written by `funnelscope init`" in text
    assert "# - time zone Asia/Shanghai\n" in text
    code, out = run("init", str(folder))
    assert code == 1
    assert "is not overwritten; write beside it with --output FILE" in out
    assert target.read_text() == text
    assert run("init", str(folder), "--output", str(folder.parent / "other.yaml"))[0] == 0
    assert run("check", "--language", "zh")[0] == 0


def run(*arguments: str) -> tuple[int, str]:
    """Exit code, and all that is printed."""
    out = io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(out):
        patch.setattr(sys, "argv", ["funnelscope", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
    return int(ended.value.code or 0), out.getvalue()


def test_a_folder_without_a_known_report_writes_nothing(folder: Path, monkeypatch: Any) -> None:
    monkeypatch.setenv("FUNNELSCOPE_CONFIG", str(folder.parent / "funnelscope.yaml"))
    (folder / "notes.csv").write_text("what,who\nx,y\n")
    code, out = run("init", str(folder), "--language", "en")
    assert code == 1
    assert "notes.csv is not recognised. No layout is like it." in out
    assert not (folder.parent / "funnelscope.yaml").exists()
    assert run("init", str(folder / "missing"))[0] == 1


def test_what_is_no_export_is_left_aside_and_what_is_broken_is_named(folder: Path) -> None:
    EXAMPLES["sycm_shop"].write(folder)
    (folder / "empty.csv").touch()
    (folder / f"{'长' * 80}.csv").write_text("a,b\n1,2\n")
    (folder / "html.xls").write_text("<html><table><tr><td>日期</td></tr></table></html>")
    (folder / "broken.xlsx").write_bytes(b"PK\x03\x04garbage")
    (folder / "broken.parquet").write_bytes(b"PAR1xxxx")
    (folder / "pdf.csv").write_bytes(b"%PDF-1.7")
    (folder / "noise.csv").write_bytes(bytes(range(256)) * 20)
    (folder / "list.json").write_text('[{"a": 1}]')
    with zipfile.ZipFile(folder / "renamed.xlsx", "w") as archive:
        archive.writestr("a.csv", "x")
    for name in ("picture.png", "paper.pdf", "archive.zip"):
        (folder / name).write_bytes(b"x")
    for name in ("~$open.xlsx", ".DS_Store", "loading.csv.crdownload", "half.csv.part"):
        (folder / name).write_bytes(b"x")
    (folder / "link.csv").symlink_to("/etc/hostname")
    (folder / "outside").symlink_to(folder.parent)
    os.mkfifo(folder / "pipe.csv")
    drafted = draft(folder)
    assert drafted.source_count == 1
    left = {path.name for path in drafted.left_aside}
    assert left == {"picture.png", "paper.pdf", "archive.zip", "link.csv", "outside", "pipe.csv"}
    said = asked(drafted)
    for name, words in {
        "empty.csv": "is empty",
        "html.xls": "HTML",
        "broken.xlsx": "is damaged",
        "broken.parquet": "is damaged",
        "renamed.xlsx": "is damaged",
        "pdf.csv": "is a PDF",
        "list.json": "is not recognised",
        "noise.csv": "is not recognised",
        "长" * 50: "is not recognised",
    }.items():
        assert any(name in line and words in line for line in said.splitlines()), name
    assert not any(name in said for name in ("~$", "DS_Store", "loading", "half"))


def test_no_name_of_a_file_becomes_a_setting(folder: Path) -> None:
    path = EXAMPLES["sycm_shop"].write(folder)
    path.rename(folder / "店铺-整体\nthreads: 1\n# [x] {y} 'z' 2026-06-03.xlsx")
    (folder / "other\nlanguage: zh\n.csv").write_text("a,b\n1,2\n")
    settings = settle(draft(folder), folder)
    assert (settings.threads, settings.language) == (None, "en")
    (found,) = check(settings).values()
    assert (found.accepted, str(found.delivered_on)) == (1, DAY)


def test_many_daily_files_are_not_all_opened(folder: Path) -> None:
    for day in range(1, 31):
        EXAMPLES["sycm_shop"].write(folder, f"店铺-整体_2026-04-{day:02d}_2026-04-{day:02d}.xlsx")
    drafted = draft(folder)
    assert "18 files of the same kind of name were not opened" in drafted.list_said(Sureness.GUESSED)[0]
    assert next(iter(check(settle(drafted, folder)).values())).file_count == 30


# -- what has to be said


def test_two_layouts_that_fit_equally_are_asked_about_until_it_is_said(folder: Path) -> None:
    EXAMPLES["jd_shop"].write(folder, "report_2026-06-03.xlsx")
    twin = LAYOUTS["jd_shop"].model_copy(update={"name": "jd_twin"})
    drafted = draft(folder, jd_twin=twin)
    assert drafted.text == ""
    assert "fits several layouts equally: jd_shop (JD (商智), the shop by day), jd_twin" in asked(drafted)
    assert "--as 'FILE=jd_shop'" in asked(drafted)
    drafted = draft(folder, told={"report_*": "jd_twin"}, jd_twin=twin)
    assert (asked(drafted), drafted.source_count) == ("", 1)


def test_a_renamed_column_is_named_with_the_nearest(folder: Path) -> None:
    write_workbook(
        folder / name_products(DAY),
        {"S": [tuple(n.replace("商品访客数", "商品访客人数") for n in PRODUCTS), product(DAY)]},
    )
    said = asked(draft(folder))
    assert "Nearest: Business advisor of Taobao (生意参谋), products by day" in said
    assert "missing in row 1: 商品访客数 (renamed? 商品访客人数 is like 商品访客数)" in said


def test_a_column_that_only_some_files_have_is_said_with_what_it_may_be_called_now(folder: Path) -> None:
    write_workbook(folder / name_products("2026-06-02"), {"S": [PRODUCTS, product("2026-06-02")]})
    later = tuple(name.replace("商品加购人数", "商品加购物车人数") for name in PRODUCTS)
    write_workbook(folder / name_products(DAY), {"S": [later, product(DAY)]})
    drafted = draft(folder)
    assert f"{name_products(DAY)} has no column 商品加购人数 (renamed? 商品加购物车人数 is like" in asked(drafted)
    (found,) = check(settle(drafted, folder)).values()
    assert (found.accepted, found.problem) == (1, "")


def test_periods_instead_of_days_are_said_and_never_taken(folder: Path) -> None:
    rows = [PRODUCTS, product("2026-05-05~2026-06-03")]
    write_workbook(folder / name_products(DAY, "2026-05-05"), {"S": rows})
    EXAMPLES["sycm_sources"].write(folder)
    EXAMPLES["sycm_sources"].write(folder, "【生意参谋平台】无线店铺流量来源-2026-05-05_2026-06-03.xlsx")
    drafted = draft(folder)
    assert "sheet S, row 2: 2026-05-05~2026-06-03 is a period, not a day" in asked(drafted)
    assert "2026-05-05_2026-06-03.xlsx covers 2026-05-05 to 2026-06-03, and its rows have no day" in asked(drafted)
    settings = settle(drafted, folder)
    checks = check(settings)
    assert [one.reason for one in checks["sycm_products"].refusals] == ["bad_time"]
    assert checks["sycm_sources"].accepted == 2
    (source,) = (source for source in settings.sources if source.name == "sycm_sources")
    pattern = str(source.delivery_date)
    days = {path.name[-26:]: read_delivery_day(pattern, path) for path in folder.iterdir() if "来源" in path.name}
    assert sorted(map(str, days.values())) == [DAY, "None"]


def test_rows_that_are_no_days_and_tables_below_the_first_are_said_with_their_row(folder: Path) -> None:
    other = ("商品ID", "统计日期", "商品访客数", "支付买家数", "商品名称", "支付金额", "商品加购人数")
    sheet = [PRODUCTS, product(DAY), ("小计", "", "", "1,269"), (), other, ("61009", DAY, "5", "1", "围巾", "9", "2")]
    write_workbook(folder / name_products(DAY), {"S": sheet})
    drafted = draft(folder)
    assert "sheet S, row 3: 小计 is no day" in asked(drafted)
    assert "sheet S, row 5: a second table begins" in asked(drafted)
    (found,) = check(settle(drafted, folder)).values()
    assert (found.accepted, [one.reason for one in found.refusals]) == (1, ["bad_record", "bad_time"])
    assert [(one.count, one.row_number) for one in found.refusals] == [(2, 5), (1, 3)]


def test_groups_above_the_header_and_hidden_sheets_do_not_mislead(folder: Path) -> None:
    rows = [("基础", "", "", "流量", "", "成交"), PRODUCTS, product(DAY)]
    write_workbook(
        folder / name_products(DAY), {"说明": [("口径", "见帮助")], "数据": rows, "旧": rows}, hidden=("旧",)
    )
    drafted = draft(folder)
    assert "the hidden sheet 旧 looks like a report, and is not read" in asked(drafted)
    (found,) = check(settle(drafted, folder)).values()
    assert (found.accepted, found.refusals) == (1, [])


def test_several_sheets_with_reports_are_asked_about(folder: Path) -> None:
    write_workbook(folder / name_products(DAY), {"一": [PRODUCTS, product(DAY)], "二": [PRODUCTS, product(DAY, 2)]})
    drafted = draft(folder)
    assert (drafted.text, "the sheets 一, 二 are all known reports" in asked(drafted)) == ("", True)


@pytest.mark.parametrize(
    ("written", "form"), [("2026年06月03日", "%Y年%m月%d日"), ("20260603", "%Y%m%d"), (f"{DAY} 00:00:00", "")]
)
def test_days_as_text_are_read_in_their_form(folder: Path, written: str, form: str) -> None:
    write_workbook(folder / name_products(DAY), {"S": [PRODUCTS, product(written)]})
    settings = settle(draft(folder), folder)
    assert settings.sources[0].time_format == form
    (found,) = check(settings).values()
    assert (str(found.first_time)[:10], found.refusals) == (DAY, [])


def test_days_in_several_forms_and_numbers_of_excel_are_said(folder: Path) -> None:
    write_workbook(folder / name_products("2026-06-02"), {"S": [PRODUCTS, product("2026-06-02")]})
    write_workbook(folder / name_products(DAY), {"S": [PRODUCTS, product("2026年6月3日")]})
    write_workbook(folder / name_products("2026-06-04"), {"S": [PRODUCTS, (46177, *product("")[1:])]})
    said = asked(draft(folder))
    assert "row 2: 2026年6月3日 is a time in another form" in said
    assert "row 2: 46177 is the number of a day in Excel" in said


def test_the_same_report_in_two_forms_or_from_two_trackers_is_read_once(folder: Path) -> None:
    EXAMPLES["wanxiangtai_items"].write(folder, "万相台_20260604.csv")
    EXAMPLES["wanxiangtai_items"].write(folder, "wxt_20260604.xlsx")
    EXAMPLES["ga4_lines"].write(folder)
    EXAMPLES["ga4_parquet"].write(folder)
    EXAMPLES["shopify_orders"].write(folder)
    drafted = draft(folder)
    settings = settle(drafted, folder)
    names = [source.name for source in settings.sources]
    assert names.count("wanxiangtai_items") == 1
    assert not any(name.endswith("_2") for name in names)
    assert asked(drafted).count("tells of the same things on the same days as") == 2
    assert [name for name in names if name.endswith("_paid")] == ["shopify_paid"]
    assert "another report here tells of the same orders" in "".join(drafted.list_said(Sureness.GUESSED))


def test_the_same_file_under_two_names_counts_once(folder: Path) -> None:
    EXAMPLES["sycm_shop"].write(folder)
    path = folder / EXAMPLES["sycm_shop"].name
    path.with_name(path.name.replace(".xlsx", " (1).xlsx")).write_bytes(path.read_bytes())
    drafted = draft(folder)
    assert "have the same content; its rows count once" in drafted.list_said(Sureness.SURE)[0]
    (found,) = check(settle(drafted, folder)).values()
    assert found.file_count == 2


@pytest.mark.parametrize(
    "copy", ["副本-客服绩效_2026-06-03.xlsx", "副本-客服绩效.xlsx", "客服绩效.xlsx", "客服 copy.xlsx"]
)
@pytest.mark.parametrize("is_saved_again", [False, True])
def test_a_copy_never_takes_the_place_of_the_dated_file(folder: Path, copy: str, is_saved_again: bool) -> None:
    example = EXAMPLES["service_agents"]
    dated = example.write(folder, "客服绩效_2026-06-03.xlsx")
    (folder / copy).write_bytes(dated.read_bytes())
    if is_saved_again:
        write_workbook(folder / copy, {"Sheet": [*example.above, tuple(example.names), *example.rows, *example.below]})
    settings = settle(draft(folder), folder)
    example.write(folder, "客服绩效_2026-06-04.xls")
    found = check(settings)["service_agents"]
    assert (found.file, found.problem) == (str(folder / "客服绩效_2026-06-04.xls"), "")
    assert str(found.delivered_on) == "2026-06-04"
    assert settings.sources[0].delivery_date != "modified"


def test_a_source_reads_workbooks_of_either_ending(folder: Path) -> None:
    EXAMPLES["sycm_shop"].write(folder, "店铺-整体_2026-06-03_2026-06-03.xlsx")
    settings = settle(draft(folder), folder)
    EXAMPLES["sycm_shop"].write(folder, "店铺-整体_2026-06-04_2026-06-04.xls")
    (folder / "店铺-整体_2026-06-05_2026-06-05.xlsx.crdownload").touch()
    (found,) = check(settings).values()
    assert (found.problem, found.file_count, str(found.delivered_on)) == ("", 2, "2026-06-04")
    assert found.accepted == 1


def test_several_shops_are_said(folder: Path) -> None:
    EXAMPLES["sycm_shop"].write(folder)
    path = EXAMPLES["qianniu_orders"].write(folder)
    path.write_bytes(path.read_bytes().replace("兰亭".encode("gb18030"), "另一家".encode("gb18030")))
    assert "several shops: 另一家, 兰亭旗舰店" in asked(draft(folder))


def test_several_currencies_are_said_and_foreign_amounts_refused(folder: Path) -> None:
    shopify = EXAMPLES["shopify_orders"].write(folder)
    text = shopify.read_text()
    shopify.write_text(text + text.splitlines()[1].replace("EUR", "USD").replace("#1001", "#1002") + "\n")
    drafted = draft(folder)
    assert "several currencies: EUR (1), USD (1)" in asked(drafted)
    checks = check(settle(drafted, folder))
    assert [(one.reason, one.count) for one in checks["shopify_paid"].refusals] == [("bad_type", 1)]
    EXAMPLES["sycm_shop"].write(folder)
    assert "several currencies: EUR (1), USD (1), CNY (1)" in asked(draft(folder))


def test_a_day_without_purchases_does_not_cost_those_of_others(folder: Path) -> None:
    EXAMPLES["ga4_lines"].write(folder)
    records = [
        {key: value for key, value in one.items() if key != "ecommerce"} for one in EXAMPLES["ga4_lines"].records
    ]
    replace(EXAMPLES["ga4_lines"], records=records[:2]).write(folder, "events_20260602.jsonl")
    assert {"ga4_created", "ga4_paid"} < {source.name for source in settle(draft(folder), folder).sources}


def test_a_mixed_folder_says_everything_in_chinese(folder: Path) -> None:
    write_workbook(folder / name_products(DAY), {"S": [PRODUCTS[:3], product(DAY)[:3]]})
    EXAMPLES["sycm_sources"].write(folder)
    drafted = draft(folder, "zh")
    for sureness in Sureness:
        for message in drafted.list_said(sureness):
            assert not any(word in message.say_in("zh") for word in ("missing", "Nearest", "files"))
    assert "没认出" in drafted.list_said(Sureness.ASKED)[0].say_in("zh")


# -- how files are read and named


@pytest.mark.parametrize("encoding", ["gb18030", "utf-8", "utf-8-sig", "utf-16"])
def test_text_is_read_in_its_encoding_with_its_delimiter_and_header(folder: Path, encoding: str) -> None:
    lines = ["下载时间：今天", "", ";".join(PRODUCTS), ";".join(product(DAY)), ""]
    (folder / "商品_全部_2026-06-03.csv").write_bytes("\r\n".join(lines).encode(encoding))
    settings = settle(draft(folder), folder)
    (found,) = check(settings).values()
    assert (found.accepted, found.problem, found.rows[0].mapped["object_name"]) == (1, "", "帽子")


def test_text_that_is_named_like_a_workbook_is_read_as_text(folder: Path) -> None:
    lines = ["\t".join(PRODUCTS), "\t".join(product(DAY)), ""]
    (folder / "商品_全部_2026-06-03.xls").write_bytes("\n".join(lines).encode("gb18030"))
    (found,) = check(settle(draft(folder), folder)).values()
    assert (found.accepted, found.problem) == (1, "")


def test_columns_that_a_user_did_not_tick_are_left_out(folder: Path) -> None:
    write_workbook(folder / "店铺-整体_2026-06-03.xlsx", {"S": [("日期", "访客数", "支付买家数"), (DAY, "12", "1")]})
    (source,) = settle(draft(folder), folder).sources
    assert source.columns == {"event_time": "日期", "visitors": "访客数", "paying_buyers": "支付买家数"}


@pytest.mark.parametrize(
    ("names", "pattern", "day"),
    [
        (["orders_20260603.csv", "orders_20260604.csv"], "orders_*.csv", "2026-06-04"),
        (["a_2026-05-01_2026-06-03.xls"], "a_*.xls*", DAY),
        (["店 商品20260601-20260603 09_36_23.xlsx"], "店 商品*.xls*", DAY),
        (["ExportOrderList20260603101112.csv"], "ExportOrderList*.csv", DAY),
        (["x_2026-06-03.xls", "平台_x_2026-06-04 (1).xlsx"], "*x_*.xls*", "2026-06-04"),
        (["2026.06.03 orders.csv.gz"], "* orders*.csv.gz", DAY),
        (["orders.csv"], "orders*.csv", "None"),
    ],
)
def test_a_name_becomes_a_glob_and_a_day(tmp_path: Path, names: list[str], pattern: str, day: str) -> None:
    files = [tmp_path / name for name in names]
    found, caught = build_glob(files, [tmp_path / "other.csv"])
    assert (found, caught) == (f"{tmp_path}/{pattern}", [])
    expression = build_delivery_pattern(files)
    assert str(read_delivery_day(expression, files[-1]) if expression else None) == day


def test_a_file_without_a_day_in_its_name_is_delivered_on_the_day_it_was_written(folder: Path) -> None:
    path = EXAMPLES["zendesk_tickets"].write(folder, "ticket_data.csv")
    os.utime(path, (1780480800, 1780480800))
    drafted = draft(folder)
    assert "no day in the name of ticket_data.csv" in drafted.list_said(Sureness.GUESSED)[0]
    settings = settle(drafted, folder)
    assert settings.sources[0].delivery_date == "modified"
    (found,) = check(settings).values()
    assert (str(found.delivered_on), found.accepted) == (DAY, 1)


# -- own layouts

OWN = """\
# The till in our own store. Checked against: its manual.
title: {zh: 门店收银, en: our till}
language: zh
columns: [小票号, 收银时间, 实收]
sources:
  - family: order
    name: till
    columns: {event_time: 收银时间, order_id: 小票号, amount: 实收}
    expressions: {event_id: '"小票号" || \'\' paid\'\''}
    event_types: paid
"""


def test_a_layout_of_ten_lines_beside_the_settings_is_enough(folder: Path, monkeypatch: Any) -> None:
    monkeypatch.setenv("FUNNELSCOPE_CONFIG", str(folder.parent / "funnelscope.yaml"))
    (folder / "till_2026-06-03.csv").write_text(f"小票号,收银时间,实收,店员\n1,{DAY} 10:00:00,9.90,青\n")
    assert run("init", str(folder))[0] == 1
    (folder.parent / "layouts").mkdir()
    (folder.parent / "layouts" / "till.yaml").write_text(OWN)
    code, out = run("init", str(folder))
    assert (code, "门店收银：till_*.csv" in out) == (0, True)
    assert run("check")[0] == 0


@pytest.mark.parametrize(
    ("change", "line", "words"),
    [
        (("order_id: 小票号", "orderid: 小票号"), 8, "is not a column of family order; did you mean 'order_id'?"),
        (("columns: [小票号, 收银时间, 实收]", "columns: []"), 4, "at least 1 item"),
        (("language: zh", "langage: zh"), 3, "unknown key; did you mean 'language'?"),
        (("event_time: 收银时间", "event_time: $at"), 5, "stands for no name"),
        (("title: {zh: 门店收银, en: our till}", "title: {zh: 门店收银, en: [our till}"), 2, "is not YAML"),
        (("language: zh", "file_names: '('"), 3, "is not a regular expression"),
    ],
)
def test_a_wrong_layout_is_told_with_file_and_line(
    tmp_path: Path, change: tuple[str, str], line: int, words: str
) -> None:
    path = tmp_path / "till.yaml"
    path.write_text(OWN.replace(*change))
    with pytest.raises(SettingsError) as told:
        read_layout(path)
    assert f"{path}, line {line}" in str(told.value)
    assert words in str(told.value)


def test_the_layout_of_the_documentation_is_right(tmp_path: Path) -> None:
    text = (Path(__file__).parents[1] / "docs" / "recognition.md").read_text(encoding="utf-8")
    example = next(block for block in text.split("```yaml\n")[1:] if block.startswith("title:")).split("```")[0]
    (tmp_path / "till.yaml").write_text(example, encoding="utf-8")
    assert len(read_layout(tmp_path / "till.yaml").sources) == 1
    assert len(example.splitlines()) <= 10


def test_check_says_that_the_file_of_yesterday_has_not_come(folder: Path, monkeypatch: Any) -> None:
    monkeypatch.setenv("FUNNELSCOPE_CONFIG", str(folder.parent / "funnelscope.yaml"))
    today = datetime.now(ZoneInfo("Asia/Shanghai")).date()
    for days, is_awaited in ((1, False), (2, True), (90, False)):
        day = today - timedelta(days=days)
        path = write_workbook(
            folder / f"店铺-整体_{day}.xlsx", {"S": [("日期", "访客数", "支付买家数"), (str(day), "12", "1")]}
        )
        run("init", str(folder), "--language", "en")
        code, out = run("check")
        assert (code, f"no file of {today - timedelta(days=1)} or later has come yet" in out) == (0, is_awaited)
        path.unlink()
        (folder.parent / "funnelscope.yaml").unlink()


def test_every_layout_of_the_project_is_as_strict_as_a_user_s() -> None:
    folder = Path(sys.modules["funnelscope.recognition"].__path__[0]) / "layouts"
    for path in sorted(folder.glob("*.yaml")):
        assert "Checked against:" in path.read_text(encoding="utf-8"), path.name
        read_layout(path)


# -- explain


def test_explain_says_layout_by_layout_why(folder: Path) -> None:
    path = EXAMPLES["sycm_products"].write(folder)
    code, out = run("init", "--explain", str(path), "--language", "en")
    assert code == 0
    assert "xlsx, encoding utf-8" in out
    assert "header in row 4: 统计日期, 商品ID" in out
    assert "= Business advisor of Taobao (生意参谋), products by day (sycm_products): all its names are there" in out
    write_workbook(path, {"S": [PRODUCTS[:4], product(DAY)[:4]], "旧": [("a",)]}, hidden=("旧",))
    code, out = run("init", "--explain", str(path), "--language", "en")
    assert code == 1
    assert "sheets: S (2 rows), 旧 (hidden, not read)" in out
    first = next(line for line in out.splitlines() if line.startswith("~"))
    assert "(sycm_products): 3 of 4 names, best in row 1. missing in row 1: 支付买家数 / 支付金额" in first
    assert run("init", "--explain", str(folder / "missing.csv"))[0] == 1
    assert run("init")[0] == 1


# -- by their content alone


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_report_is_known_without_its_name(name: str, folder: Path) -> None:
    path = EXAMPLES[name].write(folder, "x_2026-06-03" + Path(EXAMPLES[name].name).suffix)
    recognition = recognize(read_export(path), LAYOUTS)
    assert (recognition.rivals, recognition.match and recognition.match.layout.name) == ((), name)


@pytest.mark.parametrize("name", [name for name, example in EXAMPLES.items() if example.header])
def test_the_order_and_the_blanks_of_the_columns_do_not_matter(name: str, folder: Path) -> None:
    example = EXAMPLES[name]
    turned = replace(
        example,
        header="|".join(f" {column}\t" for column in reversed(example.names)),
        rows=[tuple(reversed(row)) for row in example.rows],
        above=[("标题",), *example.above],
        below=[],
    )
    recognition = recognize(read_export(turned.write(folder)), LAYOUTS)
    assert recognition.match
    assert recognition.match.layout.name == name


def test_orders_and_visits_that_no_key_joins_are_asked_about(folder: Path) -> None:
    EXAMPLES["ga4_parquet"].write(folder)
    orders = EXAMPLES["shopify_orders"]
    orders.write(folder)
    assert "no order names its visitor" not in asked(draft(folder))
    written = orders.write(folder).read_text()
    (folder / orders.name).write_text(written.replace("ga_client_id", "wish"))
    said = asked(draft(folder))
    assert "no order names its visitor" in said
    assert "ga_client_id" in said
    (folder / orders.name).write_text(written.replace("Note Attributes", "Notes"))
    assert "no order names its visitor" in asked(draft(folder))


def test_inquiries_and_orders_that_name_customers_otherwise_are_guesses(folder: Path) -> None:
    for name in ("zendesk_tickets", "shopify_orders"):
        EXAMPLES[name].write(folder)
    assert "names customers by requester_id" in "\n".join(draft(folder).list_said(Sureness.GUESSED))


@pytest.mark.parametrize("name", ["shopify_orders", "qianniu_orders"])
def test_refunds_that_have_no_time_of_their_own_are_guesses(name: str, folder: Path) -> None:
    EXAMPLES[name].write(folder)
    assert "refunded, which is dated by" in "\n".join(draft(folder).list_said(Sureness.GUESSED)).replace(
        "cancelled, ", ""
    )


def test_people_who_write_are_told_apart_from_those_who_ask_before_buying(folder: Path) -> None:
    layout = next(source for source in LAYOUTS["sycm_shop"].sources if source["family"] == "figure")
    assert layout["columns"]["consulting_users"] == "咨询人数"
    assert "inquirers" not in layout["columns"]


def test_events_of_ga4_whose_fields_are_those_of_another_year_are_read(folder: Path) -> None:
    records = [
        {
            **{key: value for key, value in record.items() if key != "collected_traffic_source"},
            "traffic_source": {"source": "(direct)", "medium": "(none)", "name": "(direct)"},
            "device": {"language": "de"},
            "geo": None,
            "items": [{"item_id": "p1", "price": 10.0, "quantity": 2}],
            "ecommerce": {"transaction_id": record["ecommerce"]["transaction_id"], "purchase_revenue": 20.0},
        }
        for record in EXAMPLES["ga4_parquet"].records
    ]
    records.append({**records[-1], "event_timestamp": 1780480900_000000, "items": []})
    records[-1]["ecommerce"] = {"transaction_id": "T2", "purchase_revenue": 7.0}
    records.append({**records[-1], "ecommerce": {"transaction_id": "(not set)", "purchase_revenue": 7.0}})
    replace(EXAMPLES["ga4_parquet"], records=records).write(folder)
    drafted = draft(folder)
    checks = check(settle(drafted, folder))
    for name, found in checks.items():
        assert (name, found.problem, found.refusals, found.warnings) == (name, "", [], [])
    assert checks["ga4_visits"].rows[0].mapped["channel"] == "(direct) / (none)"
    orders = {row.mapped["order_id"]: row.mapped for row in checks["ga4_created"].rows}
    assert {order: shorten(row["amount"]) for order, row in orders.items()} == {"T1": "20", "T2": "7"}
    assert "sku" not in orders["T1"]
    assert "items.item_variant" in "\n".join(map(str, checks["ga4_created"].notes))


@pytest.mark.parametrize("stray", ["万相台_2020-12-01.csv", "店铺-整体_2020-12-01_2020-12-01.xlsx"])
@pytest.mark.parametrize("days", [3, 20])
def test_a_file_of_another_year_does_not_begin_the_data(folder: Path, stray: str, days: int) -> None:
    for day in range(1, days + 1):
        for name, ending in (("sycm_shop", "xlsx"), ("wanxiangtai_items", "csv")):
            kind = {
                "sycm_shop": "店铺-整体_2026-04-{0:02d}_2026-04-{0:02d}",
                "wanxiangtai_items": "万相台_2026-04-{0:02d}",
            }
            write_of_day(name, f"2026-04-{day:02d}", folder, f"{kind[name].format(day)}.{ending}")
    write_of_day("sycm_shop" if stray.endswith("xlsx") else "wanxiangtai_items", "2020-12-01", folder, stray)
    drafted = draft(folder)
    assert str(settle(drafted, folder).start_date) == "2026-04-01"
    assert f"{stray} (days 2020-12-01 to 2020-12-01) lies long before" in asked(drafted)


def test_a_long_history_is_part_of_the_data(folder: Path) -> None:
    for month in range(1, 13):
        write_of_day(
            "sycm_shop", f"2025-{month:02d}-15", folder, f"店铺-整体_2025-{month:02d}-15_2025-{month:02d}-15.xlsx"
        )
    drafted = draft(folder)
    assert (str(settle(drafted, folder).start_date), asked(drafted)) == ("2025-01-15", "")


def test_names_that_any_table_has_make_no_layout_near(folder: Path) -> None:
    (folder / "customers.csv").write_text("id,created_at,updated_at,first_name\n1,2026-06-03,2026-06-03,x\n")
    assert "No layout is like it" in asked(draft(folder))


def write_of_day(name: str, day: str, folder: Path, file: str) -> None:
    example = EXAMPLES[name]
    rows = [tuple(day if cell == DAY else cell for cell in row) for row in example.rows]
    replace(example, rows=rows).write(folder, file)


def test_a_table_in_html_is_refused_with_what_to_do_and_read_once_it_is_saved(folder: Path) -> None:
    for day in ("2026-06-03", "2026-06-04"):
        write_of_day("sycm_shop", day, folder, f"店铺-整体_{day}_{day}.xls")
    (folder / "店铺-整体_2026-06-05_2026-06-05.xls").write_text(
        "<meta charset=gbk><table><tr><td>访客数</td></tr></table>"
    )
    drafted = draft(folder)
    assert "open it in Excel and save it as an Excel workbook (.xlsx)" in asked(drafted)
    write_of_day("sycm_shop", "2026-06-05", folder, "店铺-整体_2026-06-05_2026-06-05.xlsx")
    (found,) = check(settle(drafted, folder)).values()
    assert found.file.endswith("2026-06-05.xlsx")


@pytest.mark.parametrize(
    "form", ["an array", "an object", "deep", "objects", "a file of one", "lines of objects", "lines of arrays"]
)
def test_orders_of_shopify_are_known_in_every_form_of_json(form: str, folder: Path) -> None:
    records = EXAMPLES["shopify_order_documents"].records
    text, name = {
        "an array": (json.dumps(records), None),
        "an object": (json.dumps({"orders": records, "errors": []}), "orders"),
        "deep": (json.dumps({"data": {"count": 1, "orders": records}}, indent=2), "data.orders"),
        "objects": ("\n".join(json.dumps(record, indent=2) for record in [*records, *records]), None),
        "a file of one": (json.dumps(records[0]), None),
        "lines of objects": (
            "\n".join(json.dumps({"orders": [one], "next": None}) for one in [*records, *records]),
            "orders",
        ),
        "lines of arrays": ("\n".join(json.dumps([one]) for one in [*records, *records]), None),
    }[form]
    (folder / "orders_20260604.json").write_text("\ufeff" + text)
    settings = settle(draft(folder), folder)
    assert {source.records for source in settings.sources} == {name or ""}
    checked = check(settings)
    assert {"shopify_created", "shopify_paid"} <= checked.keys()
    expected = EXAMPLES["shopify_order_documents"].expected["shopify_paid"]
    mapped = checked["shopify_paid"].rows[0].mapped
    assert {column: shorten(mapped[column]) for column in expected} == {
        column: shorten(value) for column, value in expected.items()
    }


GERMAN = "Day;Campaign;Currency code;Impr.;Clicks;Cost\n{}.05.2026;Marke;EUR;12.345;1.300;{}\n"


@pytest.mark.parametrize(("cost", "mapped"), [("1.123,45", "1123.45"), ("7,5", "7.5")])
def test_a_decimal_comma_and_days_before_months_are_seen(cost: str, mapped: str, folder: Path) -> None:
    (folder / "Campaign report.csv").write_text(GERMAN.format("25", cost))
    settings = settle(draft(folder), folder)
    assert str(settings.start_date) == "2026-05-25"
    found = check(settings)
    assert [one.refusals for one in found.values()] == [[], []]
    row = found["google_ads_clicks"].rows[0].mapped
    assert (row["quantity"], shorten(row["cost"])) == ("1300", mapped)
    assert found["google_ads_impressions"].rows[0].mapped["quantity"] == "12345"


def test_two_decimal_signs_in_one_report_are_not_guessed(folder: Path) -> None:
    (folder / "Campaign report.csv").write_text(GERMAN.format("25", "1.123,45") + "26.05.2026;Marke;EUR;12;1;7.5\n")
    assert {source.decimal for source in settle(draft(folder), folder).sources} == {"."}


def test_days_are_sought_beyond_the_rows_of_the_first_days(folder: Path) -> None:
    rows = [f"{day:02d}/06/2026 10:00,{day}{number},completed,9\n" for day in (1, 13) for number in range(1000)]
    (folder / "orders.csv").write_text("order_date,order_id,status,order_total\n" + "".join(rows))
    settings = settle(draft(folder), folder)
    assert {source.time_format for source in settings.sources} == {"%d/%m/%Y %H:%M"}
    assert str(settings.start_date) == "2026-06-01"


@pytest.mark.parametrize(
    "header",
    [
        "Campaign name|Amount spent (USD)|Impressions|Link clicks|Day",
        "广告系列名称|已花费金额 (USD)|展示次数|链接点击量|天",
        "Kampagnenname|Ausgegebener Betrag (USD)|Impressionen|Link-Klicks|Tag",
    ],
)
def test_advertising_of_meta_is_known_in_the_account_s_language_and_its_total_left_out(
    header: str, folder: Path
) -> None:
    rows: list[tuple[Any, ...]] = [("", 30.5, 1200, 60, ""), ("brand", 30.5, 1200, 60, DAY)]
    write_workbook(folder / "广告 2026-06-04.xlsx", {"Raw Data Report": [tuple(header.split("|")), *rows]})
    found = check(settle(draft(folder), folder))
    assert [(one.refusals, one.accepted) for one in found.values()] == [([], 1), ([], 1)]
    assert found["meta_clicks"].rows[0].mapped["quantity"] == "60"


@pytest.mark.parametrize(
    "header",
    ["天,广告系列,货币代码,展示次数,点击次数,费用", "Tag,Kampagne,Währungscode,Impr.,Klicks,Kosten"],
)
def test_advertising_of_google_is_known_in_the_account_s_language(header: str, folder: Path) -> None:
    (folder / "Google 2026-06-04.csv").write_text(f"报告\n{header}\n{DAY},brand,EUR,1200,60,30.50\n总计,--,EUR,1,1,1\n")
    found = check(settle(draft(folder), folder))
    assert [(one.refusals, one.accepted) for one in found.values()] == [([], 1), ([], 1)]
    assert shorten(found["google_ads_clicks"].rows[0].mapped["cost"]) == "30.5"


def test_campaigns_of_the_older_alimama_tools_are_known(folder: Path) -> None:
    header = "日期,推广计划名称,展现量,点击量,点击率(%),花费(元),总成交金额(元),总成交笔数,投入产出比"
    (folder / "直通车_20260603.csv").write_text(f"{header}\n{DAY},标准,100,5,5,30.5,152.5,2,5\n")
    row = check(settle(draft(folder), folder))["wanxiangtai_campaigns"].rows[0].mapped
    wanted = {"object": "标准", "click_rate": "0.05", "attributed_amount": "152.5", "return_on_spend": "5"}
    assert {name: shorten(row[name]) for name in wanted} == wanted


def test_refunds_written_with_a_sign_of_money_are_no_rows_left_out(folder: Path) -> None:
    example = EXAMPLES["qianniu_orders"]
    rows = [tuple("￥1,005.00" if cell == "5.00" else cell for cell in row) for row in example.rows]
    replace(example, rows=rows).write(folder)
    assert shorten(check(settle(draft(folder), folder))["orders_refunded"].rows[0].mapped["amount"]) == "1005"


def test_a_name_that_the_report_has_anyway_is_not_taken_for_a_renamed_one(folder: Path) -> None:
    header = ("统计日期", "店铺访客人数", "商品访客数", "支付买家数", "支付金额")
    write_workbook(folder / "店铺-整体_2026-06-03_2026-06-03.xlsx", {"S": [header, (DAY, "9", "8", "1", "10")]})
    assert "renamed? 店铺访客人数 is like 访客数" in asked(draft(folder))


def test_what_is_typed_wrongly_is_told_in_chinese(folder: Path, monkeypatch: Any) -> None:
    monkeypatch.setenv("FUNNELSCOPE_CONFIG", str(folder.parent / "funnelscope.yaml"))
    EXAMPLES["sycm_shop"].write(folder)
    assert run("init", str(folder))[0] == 0
    code, out = run("init", str(folder), "--output", str(folder.parent / "o.yaml"), "--as", "*.xlsx=sycm_shp")
    assert (code, "--as *.xlsx=sycm_shp：请写成 文件=报表名；可能是指 'sycm_shop'" in out) == (1, True), out
    assert "已经存在，不会覆盖" in run("init", str(folder))[1]
    text = (folder.parent / "funnelscope.yaml").read_text()
    (folder.parent / "funnelscope.yaml").write_text(f'{text}    where: "(1"\n')
    assert "where：'(1' 不是 DuckDB 表达式：" in run("check")[1]
