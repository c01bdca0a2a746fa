"""A file that cannot be read makes provisional what rests on its family, up to the printed page."""

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from figure_shop import FAULT_DAY, build_figure_shop
from intake_helpers import CONTRACT, DAY, MAPPED
from shop_helpers import Home, build_days

from funnelscope.diagnosis.data_faults import find_figure_warnings, find_gate_warnings
from funnelscope.ingest import take_deliveries
from funnelscope.quality import gate
from funnelscope.reporting import print_report
from funnelscope.settings import Settings
from funnelscope.warehouse.checks import load_contracts
from funnelscope.warehouse.connection import open_in_memory_warehouse, open_warehouse
from reports import render_html

NEXT_DAY = FAULT_DAY + timedelta(days=1)
DAMAGED = b"PK\x03\x04"


def read_statuses(home: Home) -> list[tuple[str, str]]:
    query = "select distinct status, status_reason from diagnosis.findings where business_date = $day"
    with open_warehouse(home.settings.warehouse_path, wait_seconds=0) as warehouse:
        return warehouse.rows(query, day=FAULT_DAY)


def test_the_findings_of_a_day_with_an_unreadable_file_are_provisional_up_to_the_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, quick_printing: None
) -> None:
    """The file comes on the next day, as those of its source do, and would have told of the day."""
    monkeypatch.setattr("funnelscope.reporting.editions.reports.render_html", render_html)
    home = build_figure_shop(tmp_path, scale=10)
    assert read_statuses(home) == [("confirmed", "")]
    (tmp_path / "figures" / f"products_more_{NEXT_DAY}.csv").write_bytes(DAMAGED)
    build_days(home, FAULT_DAY, FAULT_DAY, is_published=True)
    ((status, reason),) = read_statuses(home)
    assert status == "provisional"
    assert "products_more" in reason
    edition = print_report(home.settings, FAULT_DAY)
    printed = json.loads(edition.findings.read_text(encoding="utf-8"))["findings"]
    assert printed
    assert {each["status"] for each in printed} == {"provisional"}
    assert "暂定：数据有警告" in edition.html.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("sources", "of_figures", "of_events"),
    [
        ([MAPPED], False, True),
        ([{"family": "page"}], False, True),
        ([{"family": "service"}], False, True),
        ([{"family": "figure", "event_types": "shop"}], True, False),
        ([CONTRACT, {"family": "figure", "event_types": "shop"}], True, True),
    ],
)
def test_only_the_family_of_an_unreadable_file_is_in_doubt(
    sources: list[dict[str, Any]], of_figures: bool, of_events: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gate, "load_contracts", lambda: [one for one in load_contracts() if "whole_files" in one.name])
    monkeypatch.setattr(gate, "_count_rows", lambda *_: {})
    warehouse = open_in_memory_warehouse(["set threads = 1"])
    for number, source in enumerate(sources):
        folder = tmp_path / "landing" / source["family"] / f"dt={DAY}"
        folder.mkdir(parents=True)
        for count in range(15):
            (folder / f"{count}.csv").write_bytes(DAMAGED + bytes([number]))
    given = {"shop": "s", "timezone": "UTC", "start_date": "2026-01-01", "home": tmp_path, "opening_date": "2026-01-02"}
    settings = Settings.model_validate(given | {"sources": [{**source, "required": False} for source in sources]})
    take_deliveries(warehouse, settings)
    gate.run_contracts(warehouse, DAY, DAY)
    gate.decide_verdicts(warehouse, settings, DAY, DAY)
    assert bool(find_figure_warnings(warehouse, DAY)) == of_figures
    assert bool(find_gate_warnings(warehouse, DAY, "decision_cube")) == of_events


def test_a_file_that_is_none_or_has_no_day_warns_on_the_day_it_lies_under_or_was_written(tmp_path: Path) -> None:
    warehouse = open_in_memory_warehouse(["set threads = 1"])
    folder = tmp_path / "landing" / "order" / f"dt={DAY}"
    folder.mkdir(parents=True)
    (folder / "link.csv").symlink_to("nothing")
    (folder / "folder.csv").mkdir()
    (undated := tmp_path / "landing" / "order" / "undated.csv").write_text("a,b\n")
    os.utime(undated, (written := datetime(2026, 1, 7, 12, tzinfo=UTC).timestamp(), written))
    settings = Settings.model_validate(
        {"shop": "s", "timezone": "UTC", "start_date": "2026-01-01", "home": tmp_path}
        | {"sources": [CONTRACT | {"files": "landing/order/**/*.csv"}]}
    )
    take_deliveries(warehouse, settings)
    days = warehouse.rows("select file, dt from quality.deliveries order by file")
    place = "landing/order"
    assert days == [
        (f"{place}/dt={DAY}/folder.csv", DAY),
        (f"{place}/dt={DAY}/link.csv", DAY),
        (f"{place}/undated.csv", DAY + timedelta(days=1)),
    ]
