"""Whatever lies in a landing zone, the good files beside it are taken, and each bad one is set aside with a reason."""

import random
import tempfile
from pathlib import Path

import pytest
from hostile_landing import DAY, SOURCES, Placed, good_files, place_hostile, without_privileges

from funnelscope.ingest import find_duplicates, reconcile, take_deliveries
from funnelscope.ingest.landing_zone import FoundFile, build_ledger_name, is_finished
from funnelscope.settings import Settings
from funnelscope.warehouse.connection import open_in_memory_warehouse
from pipelines.doctor import _check_landing_zone
from pipelines.schedules import find_undelivered_sources
from pipelines.sensors import compute_landing_fingerprint


def move(moving: dict[Path, str], path: Path) -> None:
    """What another program does to a file while it is read; once."""
    how = moving.pop(path, "")
    if how == "grows":
        with path.open("ab") as stream:
            stream.write(b"more\n")
    elif how:
        path.unlink(missing_ok=True)
    if how == "becomes a folder":
        path.mkdir()
    if how == "becomes a link":
        path.symlink_to("/etc/passwd")


def judge_round(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    dice = random.Random(seed)
    with tempfile.TemporaryDirectory() as made:
        home = Path(made)
        family = home / "landing" / "order"
        (folder := family / f"dt={DAY}").mkdir(parents=True)
        good = good_files(dice)
        for name, (content, _) in good.items():
            (folder / name).write_bytes(content)
        hostile = [place_hostile(dice, family, number) for number in range(dice.randint(1, 6))]
        given = {"shop": "s", "start_date": "2026-01-01", "home": home, "sources": [dice.choice(SOURCES)]}
        zone = dice.choice(["Asia/Shanghai", "Europe/Berlin", "Pacific/Apia", "UTC"])
        settings = Settings.model_validate(given | {"timezone": zone})
        told = f"seed {seed}, {settings.sources[0].model_dump(exclude_defaults=True)}, {hostile}"
        with without_privileges(), monkeypatch.context() as patch:
            _judge(settings, good, hostile, told, patch)


def _judge(
    settings: Settings,
    good: dict[str, tuple[bytes, int]],
    hostile: list[Placed],
    told: str,
    patch: pytest.MonkeyPatch,
) -> None:
    moving = {placed.path: placed.how for placed in hostile if placed.how.startswith(("vanish", "grow", "become"))}
    hash_content = FoundFile.content_hash

    def hash_and_move(found: FoundFile) -> str:
        hashed = hash_content(found)
        move(moving, found.path)
        return hashed

    warehouse = open_in_memory_warehouse(["set threads = 1", "set memory_limit = '2GB'"])
    try:
        patch.setattr(FoundFile, "content_hash", hash_and_move)
        take_deliveries(warehouse, settings)
        find_undelivered_sources(settings, DAY)
        compute_landing_fingerprint(settings)
        list(_check_landing_zone(settings))
        take_deliveries(warehouse, settings)  # a file that has moved is read again; for all others nothing changes
        find_duplicates(warehouse, settings.start_date, DAY)
        assert all(record["difference"] == 0 for record in reconcile(warehouse)), told
        ledger = warehouse.rows(
            "select file, status, rows_read, rows_loaded, rows_quarantined, message from quality.deliveries"
        )
        files = [file for file, *_ in ledger]
        assert len(files) == len(set(files)), told
        for file, status, read, loaded, quarantined, message in ledger:
            assert read == loaded + quarantined, (told, file)
            assert status == "loaded" or message, (told, file)
            message.encode()
        taken = {Path(file).name: (status, loaded) for file, status, _, loaded, _, _ in ledger}
        for name, (_, count) in good.items():
            assert taken[name] == ("loaded", count), (told, name, taken[name])
        aside = {file for (file,) in warehouse.rows("select file from quality.quarantine where row_number = 0")}
        for placed in hostile:
            if placed.is_surely_bad and is_finished(placed.path, settings.landing):
                assert build_ledger_name(settings, placed.path) in aside, (told, placed)
    finally:
        warehouse.connection.close()


def test_good_files_are_taken_whatever_lies_beside_them(monkeypatch: pytest.MonkeyPatch) -> None:
    for seed in range(10):
        judge_round(seed, monkeypatch)


@pytest.mark.slow
@pytest.mark.parametrize("first", range(1_000, 1_500, 50))
def test_good_files_are_taken_in_500_hostile_landing_zones(first: int, monkeypatch: pytest.MonkeyPatch) -> None:
    for seed in range(first, first + 50):
        judge_round(seed, monkeypatch)
