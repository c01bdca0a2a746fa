"""One delivery through the real intake, and what its user is told."""

from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from funnelscope.ingest import find_duplicates, read_versions, reconcile, take_deliveries
from funnelscope.settings import Settings
from funnelscope.warehouse.connection import Warehouse

DAY = date(2026, 1, 6)

# An export of a marketplace, mapped by declaration.
HEADER = "订单编号,买家,付款时间,金额\n"
MAPPED: dict[str, Any] = {
    "family": "order",
    "columns": {"order_id": "订单编号", "customer_id": "买家", "event_time": "付款时间", "amount": "金额"},
    "event_types": "paid",
}
CONTRACT: dict[str, Any] = {"family": "order"}


def line(number: int, amount: str = "12.50", time: str = "2026-01-06 10:00:00", buyer: str = "李雷韩梅梅") -> str:
    return f"{number},{buyer},{time},{amount}\n"


GOOD = HEADER + line(1) + line(2) + line(3)


@dataclass
class Told:
    """What came of one file: its state, its message, and (line, reason, detail) of what is in quarantine."""

    status: str
    rows_loaded: int
    message: str
    quarantine: list[tuple[int, str, str]]


@dataclass
class Shop:
    warehouse: Warehouse
    home: Path
    timezone: str = "Asia/Shanghai"
    language: str = "en"

    def deliver(
        self, content: str | bytes, source: dict[str, Any] = MAPPED, name: str = "orders.csv", day: date = DAY
    ) -> Told:
        """Takes the file as the only delivery, and checks that every row of it is accounted for."""
        path = self.home / "landing" / source["family"] / f"dt={day}" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return self.take(source)

    def take(self, source: dict[str, Any] = MAPPED) -> Told:
        given = {"shop": "Test shop", "start_date": "2026-01-01", "sources": [source], "home": self.home}
        self.settings = Settings.model_validate(given | {"timezone": self.timezone, "language": self.language})
        take_deliveries(self.warehouse, self.settings)
        find_duplicates(self.warehouse, date(2026, 1, 1), date(2026, 12, 31))
        assert all(record["difference"] == 0 for record in reconcile(self.warehouse))
        ((status, loaded, message),) = self.warehouse.rows(
            "select status, rows_loaded, message from quality.deliveries"
        )
        rows = self.warehouse.rows("select row_number, reason, detail from quality.quarantine order by all")
        return Told(status, loaded, message, rows)

    def column(self, name: str) -> list[Any]:
        return [value for (value,) in self.warehouse.rows(f"select {name} from raw.order_events order by row_number")]


def good(message: str = "", rows: int = 3) -> Told:
    return Told("loaded", rows, message, [])


def set_aside(reason: str, message: str) -> Told:
    return Told("quarantined", 0, message, [(0, reason, message)])


def read_input_versions(warehouse: Warehouse) -> dict[date, str]:
    """Business date to the version of what its deliveries say."""
    return {day: of_input for day, (of_input, _) in read_versions(warehouse).items()}
