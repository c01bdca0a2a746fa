"""Rebuilds all days: of one model after a change of its SQL, or of every table that an upgrade has changed."""

from collections.abc import Iterable
from dataclasses import dataclass

from assets.common import (
    DUPLICATES,
    EXCLUDED,
    FINDINGS,
    OUTCOME,
    REPORT,
    RESULTS,
    SNAPSHOT,
    STAGES,
    VERDICT,
    make_asset_key,
)
from funnelscope.ingest.build_state import begin_rebuilding, end_rebuilding, read_build_state
from funnelscope.messages.check_observations import LocalizedMessage
from funnelscope.quality.gate import DayVerdict, read_verdicts
from funnelscope.settings import Settings
from funnelscope.settings.yaml_source import suggest_nearest
from funnelscope.warehouse.connection import open_warehouse
from funnelscope.warehouse.home_version import upgrade_tables
from funnelscope.warehouse.models import Model, find_outdated_models, load_models
from funnelscope.warehouse.snapshots import find_current_snapshot
from pipelines.instance import open_instance
from pipelines.jobs import DAILY
from pipelines.planning import Piece
from pipelines.runs import Outcome, execute_piece, judge_outcome, silence_dagster
from pipelines.terminal import tell


@dataclass(frozen=True)
class Rebuilt:
    """The rebuilt tables in building order, the new snapshot, and the verdicts of the days."""

    tables: tuple[str, ...]
    snapshot: str
    verdicts: tuple[DayVerdict, ...]

    @property
    def outcome(self) -> Outcome:
        """The outcome of the verdicts."""
        return judge_outcome(self.verdicts)


def rebuild_tables(settings: Settings, name: str | None = None) -> Rebuilt:
    """Drops tables and those that read them, computes every built day again, judges, diagnoses and publishes.

    If it is killed, the days count as late, and the next run builds them completely.

    Args:
        name: the model whose table is dropped; by default all whose form is not that of this version, so that a home of
            an earlier version is one of this version afterwards.

    Raises:
        ValueError: no such model, or nothing has been built yet.
        FileNotFoundError: nothing has ever run here.
    """
    from pipelines.definitions import build_definitions

    models = [_find(name)] if name else []
    if not settings.warehouse_path.exists():
        raise FileNotFoundError(LocalizedMessage("no_warehouse", file=str(settings.warehouse_path)))
    with open_warehouse(
        settings.warehouse_path, wait_seconds=settings.lock_wait_seconds, is_upgraded_by_caller=not name
    ) as warehouse:
        stands = read_build_state(warehouse)
        days = stands.built
        if not days:
            raise ValueError("nothing has been built yet; run a day first: funnelscope run --date YYYY-MM-DD")
        with warehouse.transaction():
            if not name:
                upgrade_tables(warehouse)
                models = find_outdated_models(warehouse)
            outdated = set(list_dependents(models))
            # A view that an earlier version lacked is made, but what reads it stays: raw rows may have been pruned.
            outdated |= {
                table for table, each in load_models().items() if each.is_view and not warehouse.columns(table)
            }
            tables = [table for table in load_models() if table in outdated]
            begin_rebuilding(warehouse)
            for table in reversed(tables):
                kind = "view" if load_models()[table].is_view else "table"
                warehouse.execute(f"drop {kind} if exists {table}")
    # What a day was built from is recorded only with all its models; a home of before may have it in another form.
    is_whole = not name and bool(stands.changed)
    keys = [
        *(make_asset_key(table) for table in (load_models() if is_whole else tables)),
        *((DUPLICATES, EXCLUDED) if is_whole else ()),
        RESULTS,
        VERDICT,
        FINDINGS,
        SNAPSHOT,
        *STAGES.values(),
        REPORT,
        OUTCOME,
    ]
    with open_instance(settings) as instance, silence_dagster():
        piece = Piece(DAILY, max(min(days), settings.opening_date), max(days))
        title = tell(settings, "rebuilding", name=name or tell(settings, "outdated"))
        execute_piece(instance, build_definitions(settings), piece, title, asset_selection=keys)
    with open_warehouse(settings.warehouse_path, wait_seconds=settings.lock_wait_seconds) as warehouse:
        end_rebuilding(warehouse)
        judged = tuple(read_verdicts(warehouse, settings.opening_date, max(days)))
    snapshot = find_current_snapshot(settings.published)
    return Rebuilt(tuple(tables), snapshot.name if snapshot else "nothing", judged)


def _find(name: str) -> Model:
    found = [model for table, model in load_models().items() if name in (table, model.name)]
    if not found:
        names = [model.name for model in load_models().values()]
        raise ValueError(f"{name!r} is not a model; {suggest_nearest(name.split('.')[-1], names)}")
    return found[0]


def list_dependents(models: Iterable[Model]) -> list[str]:
    """The models' tables and every table that reads one, directly or through others, in building order."""
    found = {model.table for model in models}
    for table, other in load_models().items():
        if found & set(other.dependencies):
            found.add(table)
    return [table for table in load_models() if table in found]
