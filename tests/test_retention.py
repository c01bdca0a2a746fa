"""`retention` in the settings: what goes is noted, and no table, number or message changes by it."""

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest
from shop_helpers import (
    Home,
    assert_same_export,
    build_days,
    cloned,
    day,
    one_file_a_day,
    open_shop,
    rewrite,
    simulated_shop,
)
from test_forget import needles, places, traces

from assets.publication_assets import prune_runs
from funnelscope.ingest import prune_raw, reconcile
from funnelscope.ingest.build_state import read_build_state
from funnelscope.publication.erasure import begin_erasure, end_erasure, scrub
from funnelscope.publication.retention import prune
from funnelscope.quality.gate import Verdict, read_verdicts
from funnelscope.reporting import print_report
from funnelscope.settings import Retention
from funnelscope.warehouse.connection import Warehouse

DAYS = 3
PRUNED = [day(-1), day(0), day(1)]


@pytest.fixture(scope="module")
def delivered(tmp_path_factory: pytest.TempPathFactory) -> Home:
    home = simulated_shop(tmp_path_factory.mktemp("retention"), days=DAYS, sessions_per_day=60, history_days=2)
    one_file_a_day(home)
    return home


@pytest.fixture(scope="module")
def built(delivered: Home, tmp_path_factory: pytest.TempPathFactory) -> Home:
    home = cloned(delivered, tmp_path_factory.mktemp("built") / "shop")
    build_days(home, day(1), day(DAYS), is_published=True)
    return home


@pytest.fixture
def home(built: Home, tmp_path: Path) -> Home:
    """The raw rows of its first days are pruned."""
    home = cloned(built, tmp_path / "shop")
    with open_shop(home.settings) as shop:
        assert prune_raw(shop.warehouse, PRUNED) > 100
        assert shop.warehouse.value("select min(business_date) from raw.page_events") == day(2)
    return home


def read_all_again(warehouse: Warehouse) -> None:
    warehouse.execute("update quality.deliveries set rules_hash = 'read it again'")


def differences(home: Home) -> set[int]:
    with open_shop(home.settings) as shop:
        return {record["difference"] for record in reconcile(shop.warehouse)}


def test_days_whose_raw_rows_are_gone_are_built_again_from_what_is_staged(built: Home, home: Home) -> None:
    with open_shop(home.settings) as shop:
        assert read_build_state(shop.warehouse).stale_days == frozenset()
        read_all_again(shop.warehouse)
    build_days(home, day(1), day(DAYS), is_published=True)
    assert_same_export(home.export(), built.export())
    assert differences(home) == {0}
    with open_shop(home.settings) as shop:
        assert not any(each.verdict is Verdict.BLOCKED for each in read_verdicts(shop.warehouse, day(1), day(DAYS)))
        assert shop.warehouse.value("select min(business_date) from raw.page_events") == day(2)


def test_their_files_may_be_archived(built: Home, home: Home) -> None:
    for file in home.settings.landing.glob("*/dt=*/*"):
        if file.parent.name <= f"dt={day(1)}":
            file.unlink()
    assert build_days(home, day(DAYS), day(DAYS)) != []
    assert_same_export(home.export(), built.export())
    assert differences(home) == {0}


def test_a_late_row_of_such_a_day_is_refused_with_words_and_the_rest_of_its_file_taken(home: Home) -> None:
    folder = home.settings.landing / "page" / f"dt={day(DAYS)}"
    (folder / "late.csv").write_text(
        "event_id,event_time,event_type,visitor_id\n"
        f"l1,{day(1)}T03:00:00,page_view,v1\nl2,{day(DAYS)}T03:00:00,page_view,v1\n",
        encoding="utf-8",
    )
    pieces = build_days(home, day(DAYS), day(DAYS))
    assert [piece.from_date for piece in pieces] == [day(DAYS)]
    with open_shop(home.settings) as shop:
        (record,) = [each for each in reconcile(shop.warehouse) if each["file"].endswith("late.csv")]
        assert (record["accepted"], record["quarantined"], record["difference"]) == (1, 1, 0)
        said = shop.warehouse.rows("select reason, detail from quality.quarantine where row_number > 0")
    assert said == [("day_is_pruned", f"the raw rows of {day(1)} are pruned; its tables are kept")]


def test_a_file_that_now_says_something_else_of_such_a_day_is_not_taken(built: Home, home: Home) -> None:
    (file,) = (home.settings.landing / "page" / f"dt={day(1)}").iterdir()
    rewrite(file, "from delivered limit 5")
    build_days(home, day(DAYS), day(DAYS))
    assert_same_export(home.export(), built.export())
    assert differences(home) == {0}
    with open_shop(home.settings) as shop:
        ((status, message),) = shop.warehouse.rows(
            "select status, message from quality.deliveries where ends_with(file, $name)",
            name=f"page/dt={day(1)}/{file.name}",
        )
    assert status == "unreachable"
    assert "what it said before stands" in message


@pytest.mark.slow
def test_a_person_is_forgotten_on_such_days_too(delivered: Home, home: Home) -> None:
    customer = "c6"
    wanted = [needle for needle in needles(delivered, home, customer) if len(needle.text) > 1]
    assert traces(delivered, customer)["order_id"]
    with open_shop(home.settings) as shop:
        begin_erasure(shop.warehouse, home.settings, [customer])
    build_days(home, day(DAYS), day(DAYS), is_published=True)
    scrub(home.settings)
    end_erasure(home.settings)
    assert places(home, wanted) == set()
    assert differences(home) == {0}
    with open_shop(home.settings) as shop:
        read_all_again(shop.warehouse)
    build_days(home, day(1), day(DAYS), is_published=True)
    assert places(home, wanted) == set()
    assert differences(home) == {0}
    with open_shop(home.settings) as shop:
        assert not any(each.verdict is Verdict.BLOCKED for each in read_verdicts(shop.warehouse, day(1), day(DAYS)))


def test_the_settings_decide_what_goes_and_the_newest_stays(built: Home, tmp_path: Path, quick_printing: None) -> None:
    home = cloned(built, tmp_path / "shop")
    print_report(home.settings, day(1))
    folder = home.settings.reports / str(day(1))
    for file in list(folder.glob("*edition-1*")):
        shutil.copy(file, file.with_name(file.name.replace("edition-1", "edition-2")))
    damaged = home.settings.landing / "page" / f"dt={day(1)}" / "damaged.csv"
    damaged.write_text(f"event_id,event_time,event_type\nx,{day(1)}T01:00:00,nonsense\n", encoding="utf-8")
    build_days(home, day(DAYS), day(DAYS))
    with open_shop(home.settings) as shop:
        kept_all = prune(shop.warehouse, home.settings)
        assert set(vars(kept_all).values()) == {0}
        settings = home.settings.model_copy(
            update={"retention": Retention.model_construct(raw_days=1, quarantine_days=1, editions_days=1)}
        )
        pruned = prune(shop.warehouse, settings)
        assert pruned.raw_rows > 0
        assert pruned.quarantined_rows == 1
        assert shop.warehouse.value("select min(business_date) from raw.page_events") == day(2)
        assert shop.warehouse.rows("select reason, content from quality.quarantine") == [("unknown_event_type", None)]
    assert pruned.report_files == len(list(folder.glob("funnelscope-*-edition-2-*")))
    assert not list(folder.glob("funnelscope-*-edition-1-*"))
    assert len(list(folder.glob("edition-*.json"))) == 2
    assert differences(home) == {0}


def test_by_default_raw_rows_and_quarantine_are_kept_and_the_rest_is_bounded() -> None:
    assert Retention() == Retention(raw_days=None, quarantine_days=None, editions_days=90, runs_days=60)
    assert Retention(runs_days=None).runs_days is None


def test_old_runs_of_dagster_go_with_their_events_checks_and_files(built: Home, tmp_path: Path) -> None:
    settings = built.settings.model_copy(update={"retention": Retention(runs_days=14)})
    storage = {"module": "pipelines.event_log", "class": "KeptSqliteEventLogStorage"}
    overrides = {"event_log_storage": storage | {"config": {"base_dir": str(tmp_path)}}}
    with dg.instance_for_test(overrides=overrides, temp_dir=str(tmp_path)) as instance:

        @dg.asset(check_specs=[dg.AssetCheckSpec("is_good", asset="table")])
        def table() -> Iterator[dg.MaterializeResult]:
            yield dg.MaterializeResult(check_results=[dg.AssetCheckResult(passed=True)])

        run = dg.materialize([table], instance=instance)
        (tmp_path / "storage" / run.run_id).mkdir(exist_ok=True, parents=True)
        assert list_files_naming(run.run_id, tmp_path)
        assert prune_runs(instance, settings, "another") == 0
        long_ago = (datetime.now(UTC) - timedelta(days=20)).replace(tzinfo=None)
        with instance.run_storage.connect() as connection:  # type: ignore[attr-defined]
            connection.exec_driver_sql(f"update runs set create_timestamp = '{long_ago:%Y-%m-%d %H:%M:%S}'")
        assert prune_runs(instance, settings, "another") == 1
        assert list_files_naming(run.run_id, tmp_path) == []
        assert instance.all_logs(run.run_id) == []
        with instance.event_log_storage.index_connection() as connection:  # type: ignore[attr-defined]
            assert connection.exec_driver_sql("select count(*) from asset_check_executions").scalar() == 0
            assert connection.exec_driver_sql("select count(*) from event_logs").scalar() == 0


def list_files_naming(run_id: str, folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if run_id in path.name]
