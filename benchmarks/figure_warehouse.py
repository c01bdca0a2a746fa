"""A warehouse that consists of a drawn shop's figures only, for the benchmark and the tests."""

from collections.abc import Sequence
from datetime import timedelta

import pandas as pd

from funnelscope.diagnosis.diagnosis_tables import PUBLISHED_TABLES, create_tables
from funnelscope.quality.gate import create_tables as create_gate_tables
from funnelscope.settings import Settings
from funnelscope.simulator.figure_shops import FIRST_DATE, SHOP, Break, FigureShop
from funnelscope.warehouse.connection import Warehouse, open_in_memory_warehouse
from funnelscope.warehouse.models import (
    build_query_parameters,
    create_inputs,
    create_table,
    load_models,
    materialize_model,
)


def open_figure_shop(shop: FigureShop, breaks: Sequence[Break] = ()) -> tuple[Warehouse, Settings]:
    """A warehouse in memory that holds the shop's figures, all days of it sound, and the shop's settings."""
    warehouse = open_in_memory_warehouse(["set threads = 1"])
    create_inputs(warehouse)
    create_gate_tables(warehouse)
    create_tables(warehouse)
    for model in load_models().values():
        create_table(warehouse, model, build_query_parameters(FIRST_DATE, FIRST_DATE))
    return warehouse, fill_figure_shop(warehouse, shop, breaks)


def fill_figure_shop(warehouse: Warehouse, shop: FigureShop, breaks: Sequence[Break] = ()) -> Settings:
    """Puts the shop in the place of the one that the warehouse holds, and returns its settings."""
    for table in ("marts.figures", "marts.figure_steps", "quality.day_verdict", *PUBLISHED_TABLES):
        warehouse.execute(f"delete from {table}")
    store_figures(warehouse, shop.draw(breaks))
    warehouse.execute(
        "insert into quality.day_verdict select day::DATE, 'pass', '[]' "
        "from range($first::TIMESTAMP, $next::TIMESTAMP, interval 1 day) as days (day)",
        first=FIRST_DATE,
        next=FIRST_DATE + timedelta(days=shop.days),
    )
    calendar = [
        {"name": "大促", "from": FIRST_DATE + timedelta(days=first), "to": FIRST_DATE + timedelta(days=first + 2)}
        for first in shop.sales
    ]
    given = {"shop": SHOP, "start_date": FIRST_DATE, "opening_date": FIRST_DATE, "calendar": calendar}
    return Settings.model_validate(given)


def store_figures(warehouse: Warehouse, figures: pd.DataFrame) -> None:
    """Writes rows of `marts.figures`, and the steps that all of them make."""
    warehouse.connection.register("drawn_figures", figures)
    warehouse.execute("insert into marts.figures by name select * from drawn_figures")
    ((first, last),) = warehouse.rows("select min(business_date), max(business_date) from marts.figures")
    materialize_model(warehouse, load_models()["marts.figure_steps"], [(first, last)])
