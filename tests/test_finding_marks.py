"""What people say of findings is kept, told the next day, and quiets what is known until it gets worse."""

from datetime import date
from pathlib import Path

import pytest

from funnelscope.diagnosis.finding_marks import FILE_NAME, MarkKind, add_mark, make_mark, read_marks

DAY = date(2026, 6, 14)


def test_the_last_mark_of_a_finding_holds_and_a_broken_line_costs_only_itself(tmp_path: Path) -> None:
    add_mark(tmp_path, make_mark("a1", MarkKind.DONE, DAY, "reset the coupon", -0.4))
    with (tmp_path / FILE_NAME).open("a") as file:
        file.write('{"finding_id": "b2", "mark": "kno')  # the process was killed here
    add_mark(tmp_path, make_mark("a1", MarkKind.FALSE, DAY, "", -0.4))
    add_mark(tmp_path, make_mark("c3", MarkKind.KNOWN, DAY, "旧主图", None))
    marks = read_marks(tmp_path)
    assert {name: (mark.mark, mark.note, mark.effect) for name, mark in marks.items()} == {
        "a1": (MarkKind.FALSE, "", -0.4),
        "c3": (MarkKind.KNOWN, "旧主图", None),
    }
    assert (tmp_path / FILE_NAME).stat().st_mode & 0o777 == 0o600
    assert read_marks(tmp_path / "nowhere") == {}


@pytest.mark.parametrize(
    ("mark", "effect", "is_quiet"),
    [
        (MarkKind.KNOWN, -0.4, True),
        (MarkKind.KNOWN, -0.59, True),
        (MarkKind.KNOWN, -0.61, False),  # half as large again as the 0.4 when it was marked
        (MarkKind.FALSE, -0.3, True),
        (MarkKind.DONE, -0.4, False),  # what was done and goes on is told
        (MarkKind.KNOWN, None, True),
    ],
)
def test_what_is_known_is_quiet_until_it_is_worse(mark: MarkKind, effect: float | None, is_quiet: bool) -> None:
    assert make_mark("a1", mark, DAY, "", -0.4).is_quiet(effect) is is_quiet
