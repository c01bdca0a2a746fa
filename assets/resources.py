"""The shop as a Dagster resource: its settings, and its warehouse, open and locked for one run."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from typing import Any

import dagster as dg
from pydantic import PrivateAttr

from funnelscope.ingest import create_tables, read_pruned_days
from funnelscope.settings import Settings, load_settings
from funnelscope.warehouse.connection import Warehouse, open_warehouse
from funnelscope.warehouse.models import Model, create_inputs, split_days


class Shop(dg.ConfigurableResource):
    """Opens the warehouse when the run begins and closes it when the run ends, in whatever way."""

    _settings: Settings | None = PrivateAttr(None)
    _warehouse: Warehouse | None = PrivateAttr(None)
    _built_tables: set[str] = PrivateAttr(default_factory=set)

    @contextmanager
    def yield_for_execution(self, context: dg.InitResourceContext) -> Iterator["Shop"]:
        """The resource with an open warehouse, for the duration of the run."""
        settings = self.settings
        with open_warehouse(
            settings.warehouse_path,
            memory_limit=settings.memory_limit,
            threads=settings.threads,
            wait_seconds=settings.lock_wait_seconds,
        ) as warehouse:
            create_inputs(warehouse)
            create_tables(warehouse)
            self._warehouse = warehouse
            self._built_tables = set()
            yield self

    @property
    def settings(self) -> Settings:
        """The shop's settings, loaded on first use."""
        if self._settings is None:
            self._settings = load_settings()
        return self._settings

    @property
    def warehouse(self) -> Warehouse:
        """The open warehouse. Raises RuntimeError outside of a run."""
        if self._warehouse is None:
            raise RuntimeError("The warehouse is open only while a run executes.")
        return self._warehouse

    @property
    def built_tables(self) -> set[str]:
        """`schema.table` of every model that this run has built so far."""
        return self._built_tables

    @property
    def query_parameters(self) -> dict[str, Any]:
        """The settings that SQL models may use, as query parameters."""
        return {
            "attribution_window_days": self.settings.attribution_window_days,
            "longest_silence_minutes": self.settings.longest_silence_minutes,
            "declared_families": sorted({source.family for source in self.settings.sources}),
            **({"service_periods": self.settings.list_service_periods} if self.settings.service_hours else {}),
        }

    def chunks(self, from_date: date, to_date: date) -> list[tuple[date, date]]:
        """The range in chunks that fit into memory, by the rows delivered for each day."""
        rows = self.warehouse.rows("select business_date, sum(rows) from quality.delivery_dates group by business_date")
        return split_days(from_date, to_date, {day: int(count) for day, count in rows})

    def chunks_of(self, model: Model, from_date: date, to_date: date) -> list[tuple[date, date]]:
        """The same for a model. For staging, days whose raw rows are pruned are left out and stay as they are."""
        chunks = self.chunks(from_date, to_date)
        pruned = read_pruned_days(self.warehouse) if model.schema == "staging" else set()
        if not pruned:
            return chunks
        return [(first, last) for chunk in chunks for first, last in _split_around(pruned, *chunk)]


def _split_around(days: set[date], from_date: date, to_date: date) -> list[tuple[date, date]]:
    """The parts of a range without the given days."""
    stretches: list[tuple[date, date]] = []
    for offset in range((to_date - from_date).days + 1):
        day = from_date + timedelta(days=offset)
        if day in days:
            continue
        if stretches and stretches[-1][1] == day - timedelta(days=1):
            stretches[-1] = (stretches[-1][0], day)
        else:
            stretches.append((day, day))
    return stretches
