"""What Dagster loads: an asset for every table, made from its SQL; one run at a time; everything switched on."""

import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import dagster as dg
import pytest
import yaml
from dagster._core.definitions.repository_definition import RepositoryDefinition
from shop_helpers import OPENING, Home, day, open_shop

from assets.catalog import build_all_assets
from assets.common import (
    DELIVERY,
    FAR_BACK_DAYS,
    FINDINGS,
    OUTCOME,
    RAW_KEYS,
    REPORT,
    RESULTS,
    SNAPSHOT,
    STAGES,
    VERDICT,
    define_partitions,
    make_asset_key,
)
from assets.funnel_assets import OWN_FUNNELS
from assets.report_assets import define_daily_report
from funnelscope.ingest.build_state import compute_near_reach_days, record_built
from funnelscope.messages.wording import list_languages, load_words
from funnelscope.warehouse.checks import load_contracts
from funnelscope.warehouse.connection import hold_write_lock
from funnelscope.warehouse.models import Model, derive_schemas, load_models
from pipelines.instance import open_instance, prepare_home
from pipelines.jobs import DAILY, INGEST, RANGE_END, RANGE_START, RESTATE

ROOT = Path(__file__).parents[1]
MODELS = list(load_models().values())
GROUPS = ("raw", "staging", "intermediate", "marts", "quality", "diagnosis", "published", "stages", "report")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    home = Home(tmp_path_factory.mktemp("definitions"))
    home.write_config(date(2026, 4, 21))
    before = {name: os.environ.get(name) for name in (*home.environment, "DAGSTER_HOME")}
    os.environ.update(home.environment)
    yield home
    for name, value in before.items():
        os.environ.pop(name, None) if value is None else os.environ.update({name: value})


@pytest.fixture(scope="module")
def defs(home: Home) -> dg.Definitions:
    from pipelines.definitions import build_definitions

    return build_definitions(home.settings)


@pytest.fixture(scope="module")
def repository(defs: dg.Definitions) -> RepositoryDefinition:
    return defs.get_repository_def()


def asset(repository: RepositoryDefinition, key: dg.AssetKey) -> dg.AssetsDefinition:
    return repository.assets_defs_by_key[key]


def test_dagster_finds_nothing_to_complain_about(home: Home) -> None:
    """Not even a warning: neither for a moved interface nor for a beta one."""
    dagster = Path(sys.executable).with_name("dagster")
    command = [str(dagster), "definitions", "validate", "-w", str(ROOT / "workspace.yaml")]
    # From another folder: the workspace file must not depend on where the command is given.
    environment = os.environ | home.environment | {"DAGSTER_HOME": str(prepare_home(home.settings))}
    done = subprocess.run(command, capture_output=True, text=True, cwd=home.folder, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    lines = (done.stdout + done.stderr).splitlines()
    ours = [line for line in lines if "SupersessionWarning" not in line]  # the command itself has a newer name
    assert not [line for line in ours if "warning" in line.lower() or "error" in line.lower()]


@pytest.mark.parametrize("model", MODELS, ids=[model.table for model in MODELS])
def test_every_model_is_an_asset_that_shows_its_sql(repository: RepositoryDefinition, model: Model) -> None:
    key = make_asset_key(model.table)
    spec = asset(repository, key).specs_by_key[key]
    assert model.query in (spec.description or "")
    assert model.description in (spec.description or "")
    assert spec.group_name == model.schema
    assert spec.owners[0] == f"team:{model.owner}"
    assert {"duckdb", "sql"} <= set(spec.kinds)
    assert {dep.asset_key for dep in spec.deps} == {make_asset_key(table) for table in model.dependencies}
    schema = spec.metadata["dagster/column_schema"]
    assert [(column.name, column.type) for column in schema.columns] == derive_schemas()[model.table]
    assert all(column.description for column in schema.columns)


def test_every_asset_has_an_owner_a_group_a_description_and_days(repository: RepositoryDefinition) -> None:
    for key, definition in repository.assets_defs_by_key.items():
        spec = definition.specs_by_key[key]
        assert spec.owners, key
        assert spec.description, key
        assert spec.group_name in GROUPS, key
        assert isinstance(definition.partitions_def, dg.DailyPartitionsDefinition), key
        assert definition.partitions_def.start == datetime(2026, 5, 1, tzinfo=definition.partitions_def.start.tzinfo)
        assert definition.partitions_def.timezone == "Asia/Shanghai"
        assert definition.backfill_policy == dg.BackfillPolicy.single_run(), key


def test_what_starts_by_itself_says_so_in_the_shop_s_language(home: Home, repository: RepositoryDefinition) -> None:
    language = home.settings.language
    told = load_words(language).sections["automation"]
    found = {each.name: each.description for each in (*repository.schedule_defs, *repository.sensor_defs)}
    assert {name: text for name, text in found.items() if name in told} == told
    assert [name for name in found if name not in told] == ["freshness_checks_sensor"], "Dagster describes its own"
    for words in map(load_words, list_languages()):
        starting = [name for name, text in words.sections["automation"].items() if "UI" in text or "界面" in text]
        assert starting == ["every_morning", "late_deliveries"]


def test_every_asset_is_found_by_a_word_of_the_shop_s_language(home: Home) -> None:
    settings = home.settings.model_copy(update={"language": "zh"})
    found = {
        str(spec.group_name): [owner for owner in spec.owners if not owner.isascii()]
        for each in build_all_assets(settings)
        if isinstance(each, dg.AssetsDefinition)
        for spec in each.specs
    }
    named = {group: [f"team:{name}"] for group, name in load_words("zh").sections["asset_layers"].items()}
    assert set(named) - set(found) <= {OWN_FUNNELS}
    assert found == {group: named[group] for group in found}


def test_a_stage_is_found_by_the_name_of_its_owner(home: Home) -> None:
    settings = home.settings.model_copy(
        update={"owners": {"landing": "page"}, "labels": {"page": {"zh": "页面组", "en": "Pages"}}}
    )
    owned = {
        stage: define_daily_report(define_partitions(settings), settings).specs_by_key[STAGES[stage]].owners
        for stage in ("landing", "traffic")
    }
    assert owned == {
        "landing": ["team:analytics", f"team:{settings.labels['page'][settings.language]}"],
        "traffic": ["team:analytics"],
    }


@pytest.mark.parametrize("model", MODELS, ids=[model.table for model in MODELS])
def test_a_partition_reads_as_many_days_back_as_the_header_says(repository: RepositoryDefinition, model: Model) -> None:
    days_back = FAR_BACK_DAYS if model.history_days is None else model.history_days
    definition = asset(repository, make_asset_key(model.table))
    for table in model.dependencies:
        mapping = definition.get_partition_mapping(make_asset_key(table))
        assert isinstance(mapping, dg.TimeWindowPartitionMapping)
        assert (mapping.start_offset, mapping.end_offset) == (-days_back, 0)
        assert mapping.allow_nonexistent_upstream_partitions


def test_the_day_ends_with_verdict_findings_snapshot_report_delivery_and_outcome_in_this_order(
    repository: RepositoryDefinition,
) -> None:
    graph = repository.asset_graph
    steps = (RESULTS, VERDICT, FINDINGS, SNAPSHOT, REPORT, DELIVERY, OUTCOME)
    for before, after in pairwise(steps):
        assert before in graph.get(after).parent_keys
    for stage in STAGES.values():
        assert SNAPSHOT in graph.get(stage).parent_keys
        assert stage in graph.get(REPORT).parent_keys
    for model in MODELS:
        assert make_asset_key(model.table) in graph.get(RESULTS).parent_keys


def test_every_contract_is_a_check_and_none_is_blocking(repository: RepositoryDefinition) -> None:
    """A blocking check would skip the report too, on the very day on which it matters."""
    keys = repository.asset_graph.asset_check_keys
    wanted = {dg.AssetCheckKey(make_asset_key(contract.table), contract.name) for contract in load_contracts()}
    assert wanted <= keys
    specs = [repository.asset_graph.get_check_spec(key) for key in keys]
    assert not [spec.name for spec in specs if spec.blocking]


def test_the_schedule_looks_from_six_on_the_shops_clock_and_runs_yesterday(
    home: Home, repository: RepositoryDefinition
) -> None:
    (schedule,) = repository.schedule_defs
    assert schedule.default_status == dg.DefaultScheduleStatus.RUNNING
    assert schedule.cron_schedule == "*/10 6-10 * * *"
    assert schedule.execution_timezone == "Asia/Shanghai"
    assert schedule.job_name == DAILY
    latest_in_shanghai = datetime(2026, 6, 15, 2, 30, tzinfo=UTC)
    with open_instance(home.settings) as instance:
        context = dg.build_schedule_context(
            instance, scheduled_execution_time=latest_in_shanghai, repository_def=repository
        )
        requests = schedule.evaluate_tick(context).run_requests
    assert [request.partition_key for request in requests or ()] == ["2026-06-14"]


def test_every_sensor_is_on(repository: RepositoryDefinition) -> None:
    statuses = {sensor.name: sensor.default_status for sensor in repository.sensor_defs}
    assert {"late_deliveries", "dead_runs", "failure_alert"} < statuses.keys()
    assert set(statuses.values()) == {dg.DefaultSensorStatus.RUNNING}


def test_jobs_run_in_one_process(repository: RepositoryDefinition) -> None:
    for name in (INGEST, DAILY, RESTATE):
        assert repository.get_job(name).executor_def.name == "in_process"
    raw = set(RAW_KEYS.values())
    assert set(repository.get_job(INGEST).asset_layer.executable_asset_keys) == raw
    assert raw < set(repository.get_job(DAILY).asset_layer.executable_asset_keys)
    assert not raw & set(repository.get_job(RESTATE).asset_layer.executable_asset_keys)


def test_dagster_keeps_its_history_and_runs_one_at_a_time(home: Home) -> None:
    folder = prepare_home(home.settings)
    written = yaml.safe_load((folder / "dagster.yaml").read_text())
    assert written["concurrency"]["runs"]["max_concurrent_runs"] == 1
    assert written["telemetry"]["enabled"] is False
    assert os.environ["DAGSTER_HOME"] == str(folder)
    (folder / "dagster.yaml").write_text((folder / "dagster.yaml").read_text() + "# mine\n")
    prepare_home(home.settings)
    assert (folder / "dagster.yaml").read_text().endswith("# mine\n")
    with open_instance(home.settings) as instance:
        assert instance.get_concurrency_config().run_queue_config.max_concurrent_runs == 1  # type: ignore[union-attr]


def test_a_folder_with_spaces_and_colons_can_be_a_home(tmp_path: Path) -> None:
    home = Home(tmp_path / "a: shop's #1 home")
    home.write_config(OPENING)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DAGSTER_HOME", "")
        with open_instance(home.settings) as instance:
            assert not instance.get_runs()


# --- The event log ---------------------------------------------------------------------------------


def test_events_are_stored_and_read_back_also_by_another_instance(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipelines.event_log.KEPT_ENGINES", 3)

    @dg.asset
    def answer() -> dg.MaterializeResult:
        return dg.MaterializeResult(metadata={"number": 42})

    with open_instance(home.settings) as instance:
        assert type(instance.event_log_storage).__name__ == "KeptSqliteEventLogStorage"
        run_ids = [dg.materialize([answer], instance=instance).run_id for _ in range(5)]  # more than it keeps open
    with open_instance(home.settings) as instance:
        for run_id in run_ids:
            kinds = [entry.dagster_event.event_type_value for entry in instance.all_logs(run_id) if entry.dagster_event]
            assert "STEP_SUCCESS" in kinds
            assert kinds[-1] == "PIPELINE_SUCCESS"
        latest = instance.get_latest_materialization_event(dg.AssetKey("answer"))
        assert latest
        assert latest.run_id == run_ids[-1]
        assert latest.asset_materialization
        assert latest.asset_materialization.metadata["number"].value == 42


def test_events_stored_together_are_read_as_if_stored_one_by_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    days = dg.DailyPartitionsDefinition(start_date=str(OPENING), end_date=str(OPENING + timedelta(days=5)))

    @dg.asset(partitions_def=days, backfill_policy=dg.BackfillPolicy.single_run())
    def counted(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
        return dg.MaterializeResult(metadata={"days": len(context.partition_keys)})

    ends = {RANGE_START: str(OPENING), RANGE_END: str(OPENING + timedelta(days=4))}
    read = []
    for size in ("0", "1000"):
        monkeypatch.setenv("DAGSTER_EVENT_BATCH_SIZE", size)
        monkeypatch.setenv("DAGSTER_HOME", "")
        home = Home(tmp_path / size)
        home.write_config(OPENING)
        with open_instance(home.settings) as instance:
            run_id = dg.materialize([counted], instance=instance, tags=ends).run_id
            latest = instance.get_latest_materialization_event(counted.key)
            assert latest
            assert latest.run_id == run_id
            read.append(
                (
                    latest.dagster_event.partition if latest.dagster_event else None,
                    [each.partition_key for each in instance.fetch_materializations(counted.key, limit=9).records],
                    [entry.dagster_event_type for entry in instance.all_logs(run_id)],
                    sorted(instance.get_materialized_partitions(counted.key)),
                )
            )
    assert len(read[0][1]) == 5
    assert read[0] == read[1]


def test_shops_that_open_on_different_days_run_in_one_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first one's days must not bind the second one's, whichever module was imported under whose settings."""
    from pipelines.runs import bring_up_to_date

    for name, opening in (("later", OPENING), ("earlier", OPENING - timedelta(days=400))):
        home = Home(tmp_path / name)
        home.write_config(opening)
        home.config.write_text(home.config.read_text().replace(str(OPENING), str(opening)))
        for variable, value in (home.environment | {"DAGSTER_HOME": ""}).items():
            monkeypatch.setenv(variable, value)
        assert home.settings.opening_date == opening
        assert bring_up_to_date(home.settings, requested=[]) == ()


# --- Late deliveries -------------------------------------------------------------------------------


@pytest.fixture
def built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    """Twelve days that stand, in a shop where it is always a day earlier than here."""
    home = Home(tmp_path)
    home.write_config(OPENING)
    home.config.write_text(home.config.read_text().replace("Asia/Shanghai", "Pacific/Pago_Pago"))
    for name, value in home.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("DAGSTER_HOME", "")
    with open_shop(home.settings) as shop:
        record_built(shop.warehouse, day(1), day(12), load_models())
    return home


def tick(home: Home, instance: dg.DagsterInstance, cursor: str | None) -> dg.SensorResult | dg.SkipReason:
    from pipelines.definitions import build_definitions

    sensor = build_definitions(home.settings).resolve_sensor_def("late_deliveries")
    return sensor(dg.build_sensor_context(instance, cursor=cursor))  # type: ignore[return-value]


def land(home: Home, name: str) -> None:
    folder = home.settings.landing / "page" / f"dt={day(13)}"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text("{}")


def test_new_files_are_taken_in_on_a_day_that_is_over_on_the_shops_clock(built: Home) -> None:
    with open_instance(built.settings) as instance:
        land(built, "late.jsonl")
        first = tick(built, instance, cursor="what was there before")
        assert isinstance(first, dg.SensorResult)
        (request,) = first.run_requests or ()
        assert request.job_name == INGEST
        assert request.partition_key == str(datetime.now(built.settings.zone).date() - timedelta(days=1))
        assert isinstance(tick(built, instance, first.cursor), dg.SkipReason)  # nothing has come since


def test_a_link_that_leads_nowhere_does_not_stop_the_watch_over_the_other_files(built: Home) -> None:
    with open_instance(built.settings) as instance:
        folder = built.settings.landing / "page" / f"dt={day(13)}"
        folder.mkdir(parents=True)
        (folder / "broken.jsonl").symlink_to(folder / "nowhere")
        first = tick(built, instance, cursor="what was there before")
        assert isinstance(first, dg.SensorResult)
        land(built, "late.jsonl")
        assert isinstance(tick(built, instance, first.cursor), dg.SensorResult)


def test_a_late_day_is_asked_for_once_with_the_days_that_stand_on_it(built: Home) -> None:
    with open_instance(built.settings) as instance:
        seen = tick(built, instance, cursor="").cursor  # type: ignore[union-attr]
        with open_shop(built.settings) as shop:
            shop.warehouse.execute(
                "insert into quality.deliveries (delivery_id, family, dt, file, source, status, rows_loaded) "
                "values (1, 'page', $day, 'late', 'page', 'loaded', 1)",
                day=day(3),
            )
            shop.warehouse.execute(
                "insert into quality.delivery_dates values (1, 'page', $day, 'late', $day, 1, 1)", day=day(3)
            )
        asked, again = tick(built, instance, seen), tick(built, instance, seen)
        assert isinstance(asked, dg.SensorResult)
        assert isinstance(again, dg.SensorResult)
        requests = list(asked.run_requests or ())
        near_end = day(3 + compute_near_reach_days())
        assert [(request.job_name, request.tags[RANGE_START], request.tags[RANGE_END]) for request in requests] == [
            (DAILY, str(day(3)), str(near_end)),
            (RESTATE, str(near_end + timedelta(days=1)), str(day(12))),
        ]
        assert [r.run_key for r in requests] == [r.run_key for r in again.run_requests or ()]
        with hold_write_lock(built.settings.lock_path, 0):
            assert isinstance(tick(built, instance, seen), dg.SkipReason)
