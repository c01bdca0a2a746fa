"""A home that an earlier version made opens: it says what to do, and after one command it is a home of this version."""

import json
import re
import tarfile
from contextlib import suppress
from datetime import date
from pathlib import Path

import pytest
from shop_helpers import Home, assert_same_export, build_days, copied

from funnelscope.ingest.build_state import read_build_state
from funnelscope.publication.publish import OlderCopyError, open_published, read_published_days
from funnelscope.reporting import print_report
from funnelscope.warehouse import home_version
from funnelscope.warehouse.connection import open_warehouse
from funnelscope.warehouse.home_version import VERSION, HomeVersionError, Upgrade
from funnelscope.warehouse.models import derive_schemas, find_outdated_models, load_models
from pipelines import rebuild
from pipelines.definitions import build_definitions
from pipelines.doctor import examine_shop
from pipelines.instance import open_instance
from pipelines.rebuild import rebuild_tables
from pipelines.runs import Outcome, run_days
from pipelines.status import print_status

ARCHIVES = sorted((Path(__file__).parent / "old_homes").glob("*.tar.xz"))
MOST_BYTES = 300_000
BUILT = {date(2026, 4, 30), date(2026, 5, 1), date(2026, 5, 2)}
NEXT_DAY = date(2026, 5, 3)
REMEDY = "funnelscope rebuild"


@pytest.fixture(params=ARCHIVES, ids=lambda path: path.name.removesuffix(".tar.xz"))
def old_home(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    with tarfile.open(request.param) as archive:
        archive.extractall(tmp_path / "old", filter="data")
    home = Home(tmp_path / "old")
    for name, value in home.environment.items():
        monkeypatch.setenv(name, value)
    return home


def read_note(home: Home) -> int:
    with open_warehouse(home.settings.warehouse_path, is_upgraded_by_caller=True) as warehouse:
        return int(warehouse.value("select version from quality.home_version"))


def test_the_kept_homes_are_small_and_name_no_machine(old_home: Home) -> None:
    assert all(archive.stat().st_size < MOST_BYTES for archive in ARCHIVES)
    for file in old_home.folder.rglob("*"):
        if file.is_file():
            assert not re.search(rb"/(tmp|home|root|work|Users)/", file.read_bytes()), file


def test_an_old_home_is_not_written_to_and_the_remedy_is_told_in_both_languages(old_home: Home) -> None:
    with pytest.raises(HomeVersionError) as error, open_warehouse(old_home.settings.warehouse_path):
        pass
    assert str(error.value).count(REMEDY) == 2
    assert "earlier version" in str(error.value)
    assert "较早版本" in str(error.value)
    with open_warehouse(old_home.settings.warehouse_path, is_upgraded_by_caller=True) as warehouse:
        assert not warehouse.columns("quality.home_version")


def test_status_and_doctor_tell_the_remedy_and_go_on(old_home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    print_status(old_home.settings)
    printed = " ".join(capsys.readouterr().out.split())
    assert "3 days published, the last 2026-05-02" in printed
    assert REMEDY in printed
    notes = {note.subject: note for note in examine_shop(old_home.settings)}
    assert not notes["tables"].is_fine
    assert REMEDY in notes["tables"].words
    assert notes["lock"].is_fine


def test_a_run_stops_with_nothing_but_the_remedy(old_home: Home) -> None:
    with pytest.raises(HomeVersionError, match=r"^The tables in .* are those of an earlier version"):
        run_days(old_home.settings, NEXT_DAY, NEXT_DAY)


def test_dagster_finds_all_that_its_storage_refers_to(old_home: Home) -> None:
    """Its history names jobs and assets, its daemon schedules and sensors, and its settings the class of its log."""
    names = json.loads((old_home.folder / "names.json").read_text(encoding="utf-8"))
    repository = build_definitions(old_home.settings).get_repository_def()
    assert set(names["jobs"]) <= set(repository.job_names)
    assert set(names["schedules"]) <= {each.name for each in repository.schedule_defs}
    assert set(names["sensors"]) <= {each.name for each in repository.sensor_defs}
    assert set(names["assets"]) <= {"/".join(key.path) for key in repository.asset_graph.get_all_asset_keys()}
    with open_instance(old_home.settings) as instance:
        assert instance.get_runs() == []


def test_a_rebuild_that_dies_is_made_up_for_by_the_next_run(old_home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    def die(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(rebuild, "execute_piece", die)
    with pytest.raises(KeyboardInterrupt):
        rebuild_tables(old_home.settings)
    with open_warehouse(old_home.settings.warehouse_path) as warehouse:
        assert read_build_state(warehouse).stale_days == BUILT
    assert read_note(old_home) == VERSION


def test_a_home_of_a_later_version_is_left_alone(old_home: Home) -> None:
    with open_warehouse(old_home.settings.warehouse_path, is_upgraded_by_caller=True) as warehouse:
        warehouse.execute(f"create table quality.home_version as select {VERSION + 1} as version")
    with pytest.raises(HomeVersionError, match="later version"), open_warehouse(old_home.settings.warehouse_path):
        pass
    assert read_note(old_home) == VERSION + 1


def test_statements_are_run_in_place_and_once(old_home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    statement = "alter table quality.deliveries add column told_twice INTEGER"
    monkeypatch.setattr(home_version, "UPGRADES", {2: Upgrade(statements=(statement,))})
    monkeypatch.setattr(home_version, "VERSION", 2)
    for _ in range(2):
        with open_warehouse(old_home.settings.warehouse_path) as warehouse:
            assert ("told_twice", "INTEGER") in warehouse.columns("quality.deliveries")
    assert read_note(old_home) == 2


def test_a_new_home_is_of_this_version(tmp_path: Path) -> None:
    with open_warehouse(tmp_path / "warehouse.duckdb") as warehouse:
        assert warehouse.rows("select version from quality.home_version") == [(VERSION,)]


@pytest.mark.slow
def test_after_a_rebuild_an_old_home_is_what_this_version_makes_of_its_deliveries(
    old_home: Home, tmp_path: Path
) -> None:
    settings = old_home.settings
    with suppress(OlderCopyError):  # its text names the same remedy
        print_report(settings, date(2026, 5, 2), "en")
    with open_warehouse(settings.warehouse_path, is_upgraded_by_caller=True) as warehouse:  # whatever differs today
        warehouse.execute("drop table intermediate.purchase_days")
        warehouse.execute("alter table marts.daily_money add column retired INTEGER")
    rebuilt = rebuild_tables(settings)
    assert rebuilt.outcome == Outcome.PUBLISHED
    assert {"intermediate.purchase_days", "marts.daily_money", "marts.repurchase_cube"} <= set(rebuilt.tables)
    with open_warehouse(settings.warehouse_path) as warehouse:
        assert find_outdated_models(warehouse) == []
        assert read_build_state(warehouse).stale_days == set()
    with open_published(settings.published) as connection:
        for model in load_models().values():
            if model.schema == "marts":
                columns = [row[:2] for row in connection.execute(f"describe {model.table}").fetchall()]
                assert columns == derive_schemas()[model.table], model.table
        days = connection.execute("select business_date from diagnosis.days order by all").fetchall()
    assert [day for (day,) in days] == sorted(BUILT)[1:]
    assert print_report(settings, date(2026, 5, 2), "en").pdf.exists()

    assert run_days(settings, NEXT_DAY, NEXT_DAY).outcome == Outcome.PUBLISHED
    assert set(read_published_days(settings.published)) == {*BUILT, NEXT_DAY}
    fresh = copied(old_home, tmp_path / "fresh")
    build_days(fresh, date(2026, 5, 1), NEXT_DAY)
    assert_same_export(old_home.export(), fresh.export())
