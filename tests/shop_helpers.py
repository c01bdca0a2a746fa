"""A small simulated shop with a home and settings of its own, and its days built without Dagster."""

import difflib
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from assets.resources import Shop
from funnelscope.diagnosis.daily_diagnosis import diagnose_days
from funnelscope.ingest import create_tables, find_duplicates, find_excluded, take_deliveries
from funnelscope.ingest.build_state import list_far_reaching_models, read_build_state, record_built
from funnelscope.publication import publish
from funnelscope.quality import gate
from funnelscope.settings import Settings, load_settings
from funnelscope.simulator import simulate
from funnelscope.warehouse.canonical_export import export_canonical_rows
from funnelscope.warehouse.connection import open_warehouse
from funnelscope.warehouse.models import create_inputs, load_models, materialize_model
from pipelines.jobs import DAILY
from pipelines.planning import Piece, plan_runs

OPENING = date(2026, 5, 1)
HISTORY_DAYS = 10
DIRT = {"late_share": 0.05, "duplicate_share": 0.05, "shuffle": True}

CONFIG = """\
shop: Test shop
timezone: Asia/Shanghai
currency: CNY
language: en
start_date: {start_date}
opening_date: {opening_date}
lock_wait_seconds: 2
threads: 2
snapshots_kept: {snapshots_kept}
sources:
  - {{family: traffic, timezone: UTC}}
  - {{family: page, timezone: UTC}}
  - {{family: service, timezone: UTC}}
  - {{family: order, timezone: UTC}}
"""


@dataclass(frozen=True)
class Home:
    """A shop's folder: funnelscope.yaml, and `home` with the landing zone and all that is generated."""

    folder: Path

    @property
    def config(self) -> Path:
        return self.folder / "funnelscope.yaml"

    @property
    def path(self) -> Path:
        return self.folder / "home"

    @property
    def environment(self) -> dict[str, str]:
        return {"FUNNELSCOPE_HOME": str(self.path), "FUNNELSCOPE_CONFIG": str(self.config)}

    @property
    def settings(self) -> Settings:
        return load_settings(self.config).model_copy(update={"home": self.path})

    def write_config(self, start_date: date, snapshots_kept: int = 14) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        text = CONFIG.format(start_date=start_date, opening_date=OPENING, snapshots_kept=snapshots_kept)
        self.config.write_text(text, encoding="utf-8")

    def export(self) -> dict[str, str]:
        with open_warehouse(self.settings.warehouse_path) as warehouse:
            return export_canonical_rows(warehouse)


def day(number: int) -> date:
    """The shop's nth day, from 1; 0 and less are days of history."""
    return OPENING + timedelta(days=number - 1)


def simulated_shop(folder: Path, *, days: int, history_days: int = HISTORY_DAYS, **options: Any) -> Home:
    """Simulates a shop of 150 sessions a day, unless told otherwise, with its settings beside it."""
    home = Home(folder)
    home.write_config(OPENING - timedelta(days=history_days))
    wanted: dict[str, Any] = {"sessions_per_day": 150, "seed": 5, "faults": []}
    simulate(out=home.path, days=days, history_days=history_days, first_date=OPENING, **(wanted | options))
    return home


def one_file_a_day(home: Home) -> None:
    """Puts all files of a delivery day into one: far fewer files to take, with all their late and repeated rows."""
    for folder in sorted(home.settings.landing.glob("*/dt=*")):
        _put_together(sorted(folder.iterdir()), folder / "all.parquet")


def one_file_of_history(home: Home) -> None:
    """Puts what was delivered before the opening into one file a family, on the day before it."""
    for folder in sorted(home.settings.landing.iterdir()):
        if earlier := [file for file in sorted(folder.glob("dt=*/*")) if delivery_day(file) < OPENING]:
            _put_together(earlier, folder / f"dt={day(0)}" / "history.parquet")


def _put_together(files: list[Path], target: Path) -> None:
    tables = [pq.read_table(file, partitioning=None) for file in files]
    pq.write_table(pa.concat_tables(tables, promote_options="default"), target)
    for file in files:
        file.unlink()


def rewrite(file: Path, query: str, target: Path | None = None) -> None:
    """Writes what the query makes of the rows of a Parquet file, which it calls `delivered`, in place or elsewhere."""
    target = target or file
    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'")
        connection.execute(f"create table delivered as from read_parquet('{file}')")
        connection.execute(f"copy ({query}) to '{target}' (format parquet)")


def copied(home: Home, folder: Path, delivered: Callable[[Path], bool] = lambda file: True) -> Home:
    """Another home of the same shop with the same identity key, and those landing files that are wanted."""
    copy = Home(folder)
    folder.mkdir(parents=True)
    shutil.copy(home.config, copy.config)
    if home.settings.identity_key_path.exists():
        copy.path.mkdir(exist_ok=True)
        shutil.copy(home.settings.identity_key_path, copy.settings.identity_key_path)
    deliver(home, copy, delivered)
    return copy


def cloned(home: Home, folder: Path) -> Home:
    """The same home with all that was generated in it, as far as it is."""
    shutil.copytree(home.folder, folder, symlinks=True)
    return Home(folder)


def deliver(home: Home, to: Home, delivered: Callable[[Path], bool] = lambda file: True) -> None:
    """Copies landing files, over what is there."""
    for file in sorted(home.settings.landing.glob("*/dt=*/*")):
        target = to.settings.landing / file.relative_to(home.settings.landing)
        if delivered(file):
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, target)


def delivery_day(file: Path) -> date:
    return date.fromisoformat(file.parent.name.removeprefix("dt="))


def build_days(home: Home, from_date: date, to_date: date, *, is_published: bool = False) -> list[Piece]:
    """What `run_days` does, with the same plan and the same steps, but without Dagster; returns what was built."""
    return bring_up_to_date(home.settings, gate.list_days(from_date, to_date), is_published=is_published)


def bring_up_to_date(settings: Settings, requested: Sequence[date], *, is_published: bool = False) -> list[Piece]:
    """What the function of this name in `pipelines.runs` does, without Dagster."""
    with open_shop(settings) as shop:
        take_deliveries(shop.warehouse, settings)
        pieces = plan_runs(requested, read_build_state(shop.warehouse), settings.opening_date)
        for piece in pieces:
            build_piece(shop, piece, is_published=is_published)
    return pieces


class open_shop:  # noqa: N801
    """The shop resource with its warehouse open, as a run has it."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        # On tables of less than one row group a second thread only waits.
        self.opened = open_warehouse(settings.warehouse_path, wait_seconds=0, threads=1)

    def __enter__(self) -> Shop:
        shop = Shop()
        shop._settings = self.settings
        shop._warehouse = self.opened.__enter__()
        create_inputs(shop._warehouse)
        create_tables(shop._warehouse)
        return shop

    def __exit__(self, *error: Any) -> None:
        self.opened.__exit__(*error)


def build_piece(shop: Shop, piece: Piece, *, is_published: bool = False) -> None:
    settings, warehouse = shop.settings, shop.warehouse
    first, last = piece.from_date, piece.to_date
    if first == settings.opening_date:
        first = settings.start_date
    models = load_models()
    names = list(models) if piece.job == DAILY else list_far_reaching_models()
    if piece.job == DAILY:
        find_duplicates(warehouse, first, last)
        find_excluded(warehouse, first, last)
    for name in names:
        materialize_model(warehouse, models[name], shop.chunks_of(models[name], first, last), **shop.query_parameters)
    if is_published:
        gate.run_contracts(warehouse, first, last)
        verdicts = gate.decide_verdicts(warehouse, settings, first, last)
        diagnose_days(warehouse, settings, first, last)
        publish.publish(warehouse, settings.published, verdicts, settings.snapshots_kept)
    record_built(warehouse, first, last, names)


def assert_same_export(made: dict[str, str], wanted: dict[str, str]) -> None:
    """Fails with the first differing rows of each differing table."""
    assert made.keys() == wanted.keys()
    differences = []
    for table, text in made.items():
        if text != wanted[table]:
            lines = difflib.unified_diff(
                wanted[table].splitlines(), text.splitlines(), f"{table} wanted", f"{table} made", n=0, lineterm=""
            )
            differences += [line[:400] for line in list(lines)[:6]]
    assert not differences, "\n".join(differences)
