"""What an operator relies on: backups that come back whole, quarantined rows that come back as if never refused."""

import json
import re
import shutil
from datetime import timedelta
from pathlib import Path

import pytest
import yaml
from shop_helpers import (
    Home,
    assert_same_export,
    build_days,
    cloned,
    copied,
    day,
    deliver,
    delivery_day,
    open_shop,
)
from test_cli import funnelscope

from funnelscope.ingest import take_deliveries
from funnelscope.ingest.identity import hash_identifier
from funnelscope.ingest.landing_zone import FoundFile
from funnelscope.ingest.mapping.source_mapping import DeliveryError
from funnelscope.ingest.quarantine_reasons import QuarantineReason
from funnelscope.messages.check_observations import LocalizedMessage
from funnelscope.reporting import print_report
from funnelscope.warehouse.connection import hold_write_lock

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def shop(ran: Home, tmp_path_factory: pytest.TempPathFactory) -> Home:
    """Three days delivered, two of them built, published and printed."""
    return cloned(ran, tmp_path_factory.mktemp("operating") / "shop")


@pytest.fixture(scope="module")
def backup(shop: Home, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("backups") / "second"
    done = funnelscope(shop, "backup", str(folder), "--identity-key", str(folder.with_name("identity.key")))
    assert done.code == 0, done.errors
    return folder


def empty_home(shop: Home, folder: Path) -> Home:
    home = Home(folder)
    folder.mkdir()
    shutil.copy(shop.config, home.config)
    return home


@pytest.mark.slow
def test_a_backup_comes_back_as_it_was_and_the_next_day_runs(shop: Home, backup: Path, tmp_path: Path) -> None:
    home = empty_home(shop, tmp_path / "fresh")
    key = backup.with_name("identity.key")
    assert key.stat().st_mode & 0o777 == 0o600
    done = funnelscope(home, "restore", str(backup), "--identity-key", str(key))
    assert done.code == 0, done.errors
    assert_same_export(home.export(), shop.export())
    (printed,) = (shop.settings.reports / str(day(2))).glob("*.pdf")
    restored = home.settings.reports / str(day(2)) / printed.name
    assert restored.read_bytes() == printed.read_bytes()
    assert print_report(home.settings, day(2)).pdf.read_bytes() == printed.read_bytes()
    deliver(shop, home)
    assert [piece.from_date for piece in build_days(home, day(3), day(3), is_published=True)] == [day(3)]
    together = copied(shop, tmp_path / "together")
    build_days(together, day(1), day(3))
    assert_same_export(home.export(), together.export())


def test_a_damaged_backup_is_refused_before_anything_is_touched(shop: Home, backup: Path, tmp_path: Path) -> None:
    damaged = shutil.copytree(backup, tmp_path / "damaged", symlinks=True)
    with (damaged / "warehouse.duckdb").open("r+b") as file:
        file.seek(5000)
        file.write(b"damage")
    home = empty_home(shop, tmp_path / "fresh")
    done = funnelscope(home, "restore", str(damaged), "--identity-key", str(backup.with_name("identity.key")))
    assert done.code == 1
    assert "warehouse.duckdb is missing or differs from what was backed up; nothing was restored" in done.errors
    assert not home.settings.warehouse_path.exists()


def test_a_home_in_use_or_not_empty_or_with_another_key_is_left_alone(shop: Home, backup: Path, tmp_path: Path) -> None:
    key = str(backup.with_name("identity.key"))
    home = empty_home(shop, tmp_path / "fresh")
    assert "holds no identity key" in funnelscope(home, "restore", str(backup)).errors
    other = tmp_path / "other.key"
    other.write_text("another key")
    done = funnelscope(home, "restore", str(backup), "--identity-key", str(other))
    assert "other.key is not the key that this backup was made with" in " ".join(done.errors.split())
    home.path.mkdir(exist_ok=True)
    with hold_write_lock(home.settings.lock_path, 0):
        assert "is being written by process" in funnelscope(home, "restore", str(backup), "--identity-key", key).errors
    home.settings.warehouse_path.write_text("something")
    assert "holds warehouse.duckdb already" in funnelscope(home, "restore", str(backup), "--identity-key", key).errors
    assert home.settings.warehouse_path.read_text() == "something"
    assert funnelscope(home, "restore", str(backup), "--identity-key", key, "--force").code == 0
    assert_same_export(home.export(), shop.export())
    assert "exists already" in funnelscope(shop, "backup", str(backup)).errors


def test_an_id_has_the_number_that_the_tables_hold(shop: Home) -> None:
    done = funnelscope(shop, "id", "hash", "customer-1")
    assert int(done.out) == hash_identifier(shop.settings, "customer-1")


@pytest.fixture(scope="module")
def built_while_refused(shop: Home, tmp_path_factory: pytest.TempPathFactory) -> Home:
    """Two days built while the order file of the first could not be opened, for a reason outside the file."""
    home = copied(shop, tmp_path_factory.mktemp("refused") / "shop", lambda file: delivery_day(file) <= day(2))
    opened = FoundFile.format

    def closed(found: FoundFile) -> object:
        if found.source.family == "order" and f"dt={day(1)}" in found.file:
            raise DeliveryError(
                QuarantineReason.UNREADABLE, LocalizedMessage("cannot_be_read", error="permission denied")
            )
        return opened(found)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(FoundFile, "format", closed)
        build_days(home, day(1), day(2), is_published=True)
    return home


@pytest.fixture
def refused(built_while_refused: Home, tmp_path: Path) -> Home:
    return cloned(built_while_refused, tmp_path / "refused")


def test_the_quarantine_is_counted_and_shown_with_the_way_out(refused: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    for command in (("status",), ("quarantine", "list")):
        assert "…" not in funnelscope(refused, *command).out, "the end of a file's name is what --file asks for"
    monkeypatch.setenv("COLUMNS", "200")
    listed = funnelscope(refused, "quarantine", "list")
    assert listed.code == 0, listed.errors
    assert f"landing/order/dt={day(1)}/all.parquet" in listed.out
    assert "unreadable: The file cannot be read. Way out: deliver it again." in listed.out
    assert "Way out: deliver it again." in listed.out
    shown = funnelscope(refused, "quarantine", "show", "--family", "order", "--json")
    (row,) = [json.loads(line) for line in shown.out.splitlines()]
    assert (row["row_number"], row["reason"], row["dt"]) == (0, "unreadable", str(day(1)))
    assert "Nothing is in quarantine" in funnelscope(refused, "quarantine", "list", "--family", "page").out
    assert "'no_such' is not a reason" in funnelscope(refused, "quarantine", "list", "--reason", "no_such").errors


@pytest.mark.slow
def test_replayed_rows_end_in_the_tables_of_a_shop_that_was_right_at_once(
    refused: Home, shop: Home, plain_runs: None
) -> None:
    with open_shop(refused.settings) as opened:
        assert take_deliveries(opened.warehouse, refused.settings).unchanged  # the ledger sees no reason to read again
    assert refused.export() != shop.export()
    done = funnelscope(refused, "quarantine", "replay", "--reason", "unreadable")
    assert done.code == 0, done.errors
    assert f"Read again: 1 files. Built: {day(1)} to {day(1) + timedelta(days=1)}" in done.out
    assert "still in quarantine: 0" in done.out
    punctual = copied(shop, refused.folder.with_name("punctual"), lambda file: delivery_day(file) <= day(2))
    build_days(punctual, day(1), day(2))
    assert_same_export(refused.export(), punctual.export())
    assert "Built: no day." in funnelscope(refused, "quarantine", "replay").out


def test_the_messages_of_the_on_call_table_are_those_of_the_code() -> None:
    chapter = (ROOT / "docs/operating.md").read_text(encoding="utf-8").split("## On call")[1].split("\n## ")[0]
    files = [file for folder in ("funnelscope", "assets", "pipelines") for file in (ROOT / folder).rglob("*.py")]
    # As one text: a message may be written over two lines of code.
    code = re.sub(r'"\s*f?"', "", "".join(file.read_text(encoding="utf-8") for file in files))
    texts = yaml.safe_load((ROOT / "funnelscope/messages/texts/en.yaml").read_text(encoding="utf-8"))
    sections = ("told", "home", "ui_refusals", "alerts", "terminal", "doctor")
    code += "\n".join(text for section in sections for text in texts[section].values())
    messages = [row.split(" | ")[1] for row in chapter.splitlines() if row.startswith("| ") and "`" in row]
    parts = [part for text in re.findall(r"`([^`]+)`", " ".join(messages)) for part in text.split("…")]
    made_of_names = {"Orders: missing", "little_is_in_quarantine", "published / snapshot"}
    wanted = {part.strip(" :.") for part in parts if len(part) > 12} - made_of_names
    assert len(wanted) > 12
    assert not [part for part in wanted if part not in code]
