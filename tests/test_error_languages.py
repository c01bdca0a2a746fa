"""What is wrong is said in the language of the shop, even where its settings are what is wrong."""

import sys
from pathlib import Path

import pytest

from funnelscope.messages.check_observations import LocalizedMessage
from funnelscope.settings import SettingsError, load_settings
from pipelines.cli.app import main

SHOP = "shop: 兰亭\nstart_date: 2026-01-01\n"
WRONG = {
    "an unknown key": ("currancy: CNY\n", "第 3 行：currancy：没有这个键；是不是 'currency'？"),
    "a zone": ("timezone: Asia/Shanghi\n", "第 3 行：timezone：'Asia/Shanghi' 不是 IANA 时区（例如 Asia/Shanghai）；"),
    "a date": ("opening_date: 2026-13-01\n", "不是日期；请写成 YYYY-MM-DD"),
    "no list": ("sources: orders\n", "第 3 行：sources：orders 必须是列表：[orders]"),
    "a column": (
        "sources: [{family: order, columns: {amout: 金额}}]\n",
        "amout：'amout' 不是 order 的列；是不是 'amount'？",
    ),
    "a key twice": ("currency: CNY\ncurrency: EUR\n", "第 4 行：currency：第 3 行已有；请只留一个"),
    "no YAML": ("labels: {a: [}\n", "第 3 行：不是 YAML："),
    "a time before its start": ("opening_date: 2025-01-01\n", "早于 start_date（2026-01-01）"),
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FUNNELSCOPE_CONFIG", str(tmp_path / "funnelscope.yaml"))
    monkeypatch.setenv("FUNNELSCOPE_HOME", str(tmp_path / "var"))
    return tmp_path


def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *arguments: str) -> str:
    monkeypatch.setattr(sys, "argv", ["funnelscope", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 1
    return capsys.readouterr().err


@pytest.mark.parametrize("case", WRONG)
@pytest.mark.parametrize("language", ["", "language: zh\n", "language: en\n"])
def test_wrong_settings_are_told_in_the_language_that_they_name(case: str, language: str, folder: Path) -> None:
    text, told = WRONG[case]
    path = folder / "funnelscope.yaml"
    path.write_text(SHOP + text + language, encoding="utf-8")
    with pytest.raises(SettingsError) as error:
        load_settings(path)
    assert told in error.value.say_in("zh")
    assert str(error.value) == error.value.say_in("en")
    assert "第" not in str(error.value)


def test_an_error_of_a_chinese_shop_begins_in_chinese(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = folder / "funnelscope.yaml"
    path.write_text(f"{SHOP}language: zh\ncurrancy: CNY\n", encoding="utf-8")
    said = run(capsys, monkeypatch, "check")
    assert said.startswith(f"错误：{path} 第 4 行：currancy：没有这个键；是不是 'currency'？可用：")
    assert len(said.splitlines()) == 1
    path.write_text(f"{SHOP}language: en\ncurrancy: CNY\n", encoding="utf-8")
    said = run(capsys, monkeypatch, "check")
    assert said.startswith(f"Error: {path}, line 4: currancy: unknown key; did you mean 'currency'? accepted: ")


def test_without_settings_both_languages_say_where_to_start(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = folder / "funnelscope.yaml"
    assert run(capsys, monkeypatch, "check").splitlines() == [
        f"错误：{path}：没有这个文件。请在 funnelscope.yaml 所在的文件夹中运行，或设置 FUNNELSCOPE_CONFIG。",
        f"Error: {path}: no such file. Start in the folder that holds funnelscope.yaml, or set FUNNELSCOPE_CONFIG.",
    ]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("check", "订单"), "错误：没有叫 '订单' 的来源；可用：orders"),
        (("run", "--date", "2026-06-31"), "“2026-06-31”不是日期；请写成 YYYY-MM-DD"),
        (("run", "--date", "2025-06-01"), "错误：2025-06-01 早于 funnelscope.yaml 的 opening_date（2026-01-01）"),
        (("run", "--date", "2126-06-01"), "错误：按店铺时区（Asia/Shanghai），2126-06-01 还没有过完"),
        (("status",), "warehouse.duckdb 还不存在。请先运行：funnelscope run --date YYYY-MM-DD"),
    ],
)
def test_a_wrong_option_is_told_in_the_shops_language(
    arguments: tuple[str, ...],
    told: str,
    folder: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    source = "sources: [{family: order, name: orders}]\n"
    (folder / "funnelscope.yaml").write_text(SHOP + "language: zh\n" + source, encoding="utf-8")
    assert told in run(capsys, monkeypatch, *arguments)


def test_an_error_that_is_known_in_one_language_only_is_told_once(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import typer

    from pipelines.cli.console import explain_errors

    with pytest.raises(typer.Exit), explain_errors():
        raise ValueError("plain words")
    assert capsys.readouterr().err == "Error: plain words\n"
    with pytest.raises(typer.Exit), explain_errors():
        raise ValueError(LocalizedMessage("one_report_each"))
    assert len(capsys.readouterr().err.splitlines()) == 2
