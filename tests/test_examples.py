"""Made-up shops of `examples`: what a demo does with its folder of exports, and that each shows what breaks in it."""

from datetime import date
from pathlib import Path

import pytest

from funnelscope.simulator import example_exports
from pipelines.cli.app import ExampleShop
from pipelines.examples import EXAMPLES, _make_example

FIRST, LAST = date(2026, 6, 1), date(2026, 6, 2)


@pytest.fixture
def made_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Exports of one file for each day, in place of a module of the simulator."""

    def import_module(name: str) -> object:
        class Module:
            @staticmethod
            def write_exports(folder: Path, first_date: date, last_date: date) -> None:
                assert name == f"{example_exports.__name__}.corner_shop"
                for day in (first_date, last_date):
                    (folder / f"orders_{day}.csv").write_text("order_id\n")

        return Module

    monkeypatch.setattr("pipelines.examples.importlib.import_module", import_module)


def test_the_command_line_knows_every_example_and_no_other() -> None:
    assert {example.value for example in ExampleShop} == set(EXAMPLES)


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_example_has_its_settings(name: str) -> None:
    assert EXAMPLES[name].config.is_file()


@pytest.mark.usefixtures("made_up")
def test_made_up_exports_take_the_place_of_those_of_an_earlier_demo(tmp_path: Path) -> None:
    exports = tmp_path / "exports"
    for last_date in (date(2026, 6, 9), LAST):
        _make_example("corner_shop", FIRST, last_date).lay_out(exports, None)
    assert [path.name for path in sorted(exports.glob("*"))][1:] == ["orders_2026-06-01.csv", "orders_2026-06-02.csv"]


@pytest.mark.usefixtures("made_up")
def test_exports_of_a_shop_of_one_s_own_are_never_emptied(tmp_path: Path) -> None:
    (tmp_path / "mine.csv").write_text("order_id\n")
    with pytest.raises(ValueError, match="holds files that no demo made up"):
        _make_example("corner_shop", FIRST, LAST).lay_out(tmp_path, None)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.csv"]


@pytest.mark.usefixtures("made_up")
def test_made_up_exports_need_no_data(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="the exports of corner_shop are made up"):
        _make_example("corner_shop", FIRST, LAST).lay_out(tmp_path, tmp_path / "x.parquet")
