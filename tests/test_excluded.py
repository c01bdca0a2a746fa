"""`exclude` in the settings: numbers as of a shop to which these people never came; their orders are a bar."""

import json
import shutil
from datetime import date
from pathlib import Path

import pytest
from shop_helpers import Home, build_days, cloned, copied, day, one_file_a_day, open_shop, simulated_shop
from test_forget import take_out, traces

from funnelscope.events.schema import EVENT_FAMILIES
from funnelscope.ingest import find_excluded, find_family_presence, reconcile, take_deliveries
from funnelscope.ingest.build_state import read_build_state
from funnelscope.publication.publish import open_published
from funnelscope.settings import SettingsError, load_settings

STAFF = "c6"
DAYS = 2


@pytest.fixture(scope="module")
def delivered(tmp_path_factory: pytest.TempPathFactory) -> Home:
    home = simulated_shop(tmp_path_factory.mktemp("excluded"), days=DAYS, sessions_per_day=60, history_days=1)
    one_file_a_day(home)
    return home


@pytest.fixture(scope="module")
def built(delivered: Home, tmp_path_factory: pytest.TempPathFactory) -> Home:
    home = cloned(delivered, tmp_path_factory.mktemp("built") / "shop")
    build_days(home, day(1), day(DAYS), is_published=True)
    return home


def exclude(home: Home, text: str) -> None:
    with home.config.open("a", encoding="utf-8") as config:
        config.write(text)


def counted(home: Home) -> dict[str, list[str]]:
    """The marts' rows as text, without what the excluded orders alone are shown by."""
    tables = {}
    for table, text in home.export().items():
        if not table.startswith("marts."):
            continue
        rows = [json.loads(line) for line in text.splitlines()]
        rows = [row for row in rows if row.get("money_class") != "excluded"]
        tables[table] = [json.dumps({key: row[key] for key in row if "excluded" not in key}) for row in rows]
    return tables


@pytest.mark.slow
def test_the_numbers_are_those_of_a_shop_to_which_they_never_came(delivered: Home, built: Home, tmp_path: Path) -> None:
    people = traces(delivered, STAFF)
    assert people["order_id"]
    home = cloned(built, tmp_path / "excluding")
    visitors = ", ".join(sorted(people["visitor_id"]))
    exclude(home, f"exclude:\n  - {{reason: staff, customers: [{STAFF}], visitors: [{visitors}]}}\n")
    pieces = build_days(home, day(DAYS), day(DAYS), is_published=True)
    assert pieces[0].from_date == day(1), "the days on which they were seen are built again"

    never = copied(delivered, tmp_path / "never")
    shutil.copy(built.settings.identity_key_path, never.settings.identity_key_path)
    take_out(never, people)
    build_days(never, day(1), day(DAYS))
    made, wanted = counted(home), counted(never)
    for table, rows in wanted.items():
        assert made[table] == rows, table

    with open_shop(home.settings) as shop:
        (amount,) = shop.warehouse.rows("select sum(amount) from marts.daily_money where money_class = 'excluded'")[0]
        reasons = shop.warehouse.rows(
            "select distinct excluded_reason from intermediate.payments where customer_id is null "
            "and excluded_reason is not null"
        )
        assert amount > 0
        assert ("staff",) in reasons
        assert all(record["difference"] == 0 for record in reconcile(shop.warehouse))
    with open_published(home.settings.published) as published:
        rows = published.execute(
            "select sum(rows_excluded), bool_and(rows_read = rows_accepted + rows_duplicate + rows_quarantined) "
            "from quality.family_days where state = 'present'"
        ).fetchall()
    assert rows[0][0] > 10
    assert rows[0][1]


def test_a_change_of_the_list_builds_their_days_again_and_no_other(built: Home, tmp_path: Path) -> None:
    home = cloned(built, tmp_path / "shop")
    with open_shop(home.settings) as shop:
        exclude(home, f"exclude: [{{reason: staff, customers: [{STAFF}]}}]\n")
        seen = {
            when
            for (when,) in shop.warehouse.rows(
                " union ".join(
                    f"select business_date from raw.{family.table} where customer_id = $id"
                    for family in EVENT_FAMILIES.values()
                ),
                id=number(home, STAFF),
            )
        }
        assert read_build_state(shop.warehouse).changed == frozenset()
        take_deliveries(shop.warehouse, home.settings)
        assert read_build_state(shop.warehouse).changed == seen & read_build_state(shop.warehouse).built
        take_deliveries(shop.warehouse, home.settings.model_copy(update={"exclude": ()}))
        find_excluded(shop.warehouse, day(0), day(DAYS))
        assert shop.warehouse.value("select count(*) from quality.excluded_events") == 0


def number(home: Home, text: str) -> int:
    from funnelscope.ingest.identity import hash_identifier

    return hash_identifier(home.settings, text)


def test_a_browser_is_theirs_on_the_days_on_which_it_was_seen_as_them_alone(tmp_path: Path) -> None:
    home = Home(tmp_path / "shop")
    home.write_config(date(2026, 5, 1))
    exclude(home, "exclude: [{reason: staff, customers: [7]}]\n")
    rows = {
        "e1": "2026-05-01T01:00:00,page_view,laptop,,",
        "e2": "2026-05-01T02:00:00,page_view,laptop,7,s1",
        "e3": "2026-05-01T03:00:00,page_view,,,s1",
        "e4": "2026-05-02T01:00:00,page_view,laptop,,",
        "e5": "2026-05-01T04:00:00,page_view,till,7,",
        "e6": "2026-05-01T05:00:00,page_view,till,8,",
        "e7": "2026-05-01T06:00:00,page_view,till,,",
    }
    folder = home.path / "landing" / "page" / "dt=2026-05-02"
    folder.mkdir(parents=True)
    lines = [f"{key},{row}" for key, row in rows.items()]
    (folder / "pages.csv").write_text(
        "event_id,event_time,event_type,visitor_id,customer_id,session_id\n" + "\n".join(lines), encoding="utf-8"
    )
    with open_shop(home.settings) as shop:
        take_deliveries(shop.warehouse, home.settings)
        find_excluded(shop.warehouse, day(1), day(2))
        found = shop.warehouse.rows("select row_number - 1 from quality.excluded_events order by all")
        assert find_family_presence(shop.warehouse, home.settings, day(1))["page"] == "present"
    assert [f"e{row}" for (row,) in found] == ["e1", "e2", "e3", "e5"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("exclude: [{reason: staff}]\n", "names nobody; give customers or visitors"),
        ("exclude: [{reason: our staff, customers: [a]}]\n", "reason"),
        ("exclude: [{reason: staff, customer: [a]}]\n", "customers"),
    ],
)
def test_a_mistake_in_the_list_is_told_with_its_line(tmp_path: Path, text: str, words: str) -> None:
    home = Home(tmp_path)
    home.write_config(date(2026, 5, 1))
    exclude(home, text)
    with pytest.raises(SettingsError, match=r"funnelscope\.yaml") as told:
        load_settings(home.config)
    assert words in str(told.value)
