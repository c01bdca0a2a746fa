"""CSV that is split in parts is staged exactly as record by record."""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from funnelscope.ingest.mapping.source_mapping import DeliveryError
from funnelscope.ingest.readers import text_reader
from funnelscope.settings import Format, Source
from funnelscope.warehouse.connection import open_in_memory_warehouse

HEADER = "event_id,event_time,event_type"
Staged = tuple[list[tuple[Any, ...]], dict[str, str], tuple[str, ...], int] | str


def read(content: bytes, is_in_parts: bool, **source: Any) -> Staged:
    """What is staged of a file, or why it cannot be read. In parts of three lines, so that a few are enough."""
    warehouse = open_in_memory_warehouse()
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(text_reader, "LINES_AT_ONCE", 3)
        patch.setattr(text_reader, "PARTS_SPLIT_IN_VAIN", 1_000 if is_in_parts else 0)
        path = Path(folder) / "a.csv"
        path.write_bytes(content)
        try:
            declared = Source.model_validate({"family": "page"} | source)
            rows, count = text_reader.read_text(warehouse, path, declared, Format.CSV, "")
            staged = warehouse.rows(f"from {rows.relation} order by row_") if rows.columns else []
            return staged, rows.columns, rows.notes, count
        except DeliveryError as error:
            return f"{error.reason}: {error.localized_message}"
        finally:
            warehouse.connection.close()


LINE = st.sampled_from(
    [
        "e1,2026-01-06,page_view",
        "e2,,",
        ",,",
        ",",
        "",
        " ",
        "e3,2026-01-06",
        "e4,2026-01-06,page_view,",
        "e5,2026-01-06,page_view,more",
        'e6,"2026-01-06",page_view',
        'e7,"open,page_view',
        'e8,in"side,page_view',
        HEADER,
        f" {HEADER}",
        "event_id,2026-01-06,page_view",
        "页,\u2028,\x0b\x85",
        "\ufeffe9,2026-01-06,page_view",
        "e10,\0,page_view",
        "e11," + "l" * 140_000 + ",x",
        "e12,null,NaN",
        " e13 ,\t2026-01-06, page_view",
    ]
)
ENDS = st.sampled_from(["\n", "\n", "\n", "\r\n", "\r", ""])
LINES = st.lists(st.tuples(LINE, ENDS), max_size=20)


def compare(lines: list[tuple[str, str]], damage: bytes, place: float, **source: Any) -> None:
    content = (HEADER + "\n" + "".join(line + end for line, end in lines)).encode()
    cut = int(place * len(content))
    content = content[:cut] + damage + content[cut:]
    assert read(content, True, **source) == read(content, False, **source)


def repeat(cases: int, check: Callable[..., None], **source: Any) -> None:
    @settings(max_examples=cases, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(LINES, st.sampled_from([b"", b"", b"\xff", b'"', b"\xe9\xa1"]), st.floats(0, 1))
    def is_alike(lines: list[tuple[str, str]], damage: bytes, place: float) -> None:
        check(lines, damage, place, **source)

    is_alike()


@pytest.mark.parametrize("cases", [15, pytest.param(3_000, marks=pytest.mark.slow)])
@pytest.mark.parametrize("source", [{}, {"header": "none", "names": ["event_id", "event_time", "event_type"]}], ids=str)
def test_files_are_staged_in_parts_as_record_by_record(cases: int, source: dict[str, Any]) -> None:
    repeat(cases, compare, **source)


def test_sound_lines_are_split_at_once_up_to_the_first_that_is_not_and_after_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    split: list[int] = []
    stage = text_reader.RecordStage.add_table
    monkeypatch.setattr(
        text_reader.RecordStage,
        "add_table",
        lambda self, first, names, table, texts: (split.append(first), stage(self, first, names, table, texts)),
    )
    sound = "e1,2026-01-06,page_view\n"
    content = HEADER + "\n" + sound * 3 + 'e2,"2026-01-06",page_view\n' + sound * 6
    staged = read(content.encode(), True)
    assert split == [2, 8, 11]
    assert staged == read(content.encode(), False)
