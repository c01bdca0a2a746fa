"""Every number of a report, of a day, a week and a month, is written down, with its usual value and its band.

Names of fields and words are left out. `python tests/test_report_pinned.py` writes the numbers of today.
"""

import json
import shutil
from dataclasses import fields, is_dataclass
from datetime import date
from decimal import Decimal
from enum import Enum
from pathlib import Path
from statistics import fmean
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
import pytest
from full_world import FullWorld
from test_localization_pinned import assert_alike

from funnelscope.publication.publish import open_published, publish
from funnelscope.quality.gate import DayVerdict, Verdict
from funnelscope.reporting import parse_month, parse_week, read_report
from funnelscope.reporting.headline import read_headlines
from funnelscope.reporting.periods import Period, get_day
from funnelscope.reporting.published_days import Published
from funnelscope.settings import Settings
from reports import Figure, Report

PINNED = Path(__file__).with_suffix(".json")
DIAGNOSED = 34
PERIODS = {
    "a day of a sale": get_day(date(2026, 4, 6)),
    "an early day": get_day(date(2026, 3, 11)),
    "a week": parse_week("2026-W14"),
    "a week with a blocked day": parse_week("2026-W12"),
    "a month that has begun": parse_month("2026-04"),
    "a day with findings": get_day(date(2026, 4, 4)),
}
MOST_IN_FULL = 4
PARTS = ("headline", "bridge", "money", "stages")


def published_in(folder: Path) -> Settings:
    """The settings of the shop, all days of which lie published in the folder."""
    world = FullWorld()
    world.diagnose(DIAGNOSED, DIAGNOSED)
    for family in ("traffic", "page", "service", "order"):
        world.warehouse.execute(
            "insert into quality.family_days by name select business_date, $family as family, 'complete' as state "
            "from quality.day_verdict",
            family=family,
        )
    verdicts = [
        DayVerdict(day, Verdict(verdict), ())
        for day, verdict in world.warehouse.rows("select business_date, verdict from quality.day_verdict order by 1")
    ]
    settings = world.settings.model_copy(update={"home": folder})
    publish(world.warehouse, settings.published, verdicts, 3)
    return settings


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return published_in(tmp_path_factory.mktemp("shop"))


def values_of(thing: Any) -> Any:
    """Plain values in the order of their fields, as JSON holds them; None where a whole branch is."""
    if is_dataclass(thing):
        kept = [values_of(getattr(thing, field.name)) for field in fields(thing)]
        return [value for value in kept if value not in (None, [])]
    if isinstance(thing, tuple | list):
        return [values_of(value) for value in thing]
    if isinstance(thing, dict):
        return [values_of(value) for value in thing.values()]
    if isinstance(thing, Enum):
        return thing.value
    if isinstance(thing, Decimal):
        return float(thing)
    return thing.isoformat() if isinstance(thing, date) else thing


def short(values: Any) -> Any:
    """Lists within lists, the long ones as what tells them apart: their length, a sum, the first and the last."""
    if not isinstance(values, list):
        return values
    if len(values) > MOST_IN_FULL and all(isinstance(value, list) for value in values):
        total = sum(place * sum(numbers_in(value)) for place, value in enumerate(values, start=1))
        return [len(values), float(total), short(values[0]), short(values[-1])]
    return [short(value) for value in values]


def numbers_in(values: Any) -> list[float]:
    """All numbers, each times its place, so that two that change places are told apart."""
    if isinstance(values, list):
        return [place * number for place, value in enumerate(values, start=1) for number in numbers_in(value)]
    return [float(values)] if isinstance(values, int | float) else []


def numbers_of(report: Report) -> dict[str, Any]:
    return {part: short(values_of(getattr(report, part))) for part in PARTS}


@pytest.mark.parametrize("name", PERIODS)
def test_a_report_has_the_numbers_that_are_written_down(settings: Settings, name: str) -> None:
    wanted = json.loads(PINNED.read_text(encoding="utf-8"))[name]
    assert_alike(json.loads(json.dumps(numbers_of(read_report(settings, PERIODS[name])))), wanted, name)


# --- What these numbers are ----------------------------------------------------------------------


def figure_of(settings: Settings, period: Period, key: str) -> Figure:
    with open_published(settings.published) as connection:
        return Published(connection, settings, period, "en").figure(key)


def test_the_usual_is_that_of_the_same_weekday_without_a_sale_and_a_blocked_day(settings: Settings) -> None:
    """A Sunday: of the four before it, one is a day of a sale. Of the Saturdays, another is, and one is blocked."""
    day = date(2026, 4, 5)
    with open_published(settings.published) as connection:
        rows = dict(
            connection.execute(
                "select business_date, value from marts.daily_metrics where metric = 'paid_amount' order by 1"
            ).fetchall()
        )
        published = Published(connection, settings, get_day(day), "en")
    figure = figure_of(settings, get_day(day), "paid_amount")
    sale, blocked = {date(2026, 3, 14), date(2026, 3, 15)}, date(2026, 3, 21)
    assert not {*sale, blocked} & {*published.yardstick.days}
    sundays = [float(value) for each, value in rows.items()
               if each < day and each.weekday() == day.weekday() and each not in sale]  # fmt: skip
    assert figure.baseline == pytest.approx(fmean(sundays[-4:]))
    assert figure.usual_low is not None
    assert figure.usual_low < figure.baseline < figure.usual_high


def test_a_table_that_is_not_published_is_known_not_to_be(settings: Settings) -> None:
    with open_published(settings.published) as connection:
        published = Published(connection, settings, get_day(date(2026, 4, 4)), "en")
        assert published.has_table("marts", "people_to_date")
        assert not published.has_table("diagnosis", "people_to_date")


def test_what_a_missing_family_would_count_is_no_zero_and_history_no_yesterday(
    settings: Settings, tmp_path: Path
) -> None:
    day, buyers = date(2026, 4, 5), "business_date = date '2026-04-05' and metric = 'buyers'"
    shutil.copy(settings.published / "current" / "funnelscope.duckdb", tmp_path / "copy.duckdb")
    with duckdb.connect(str(tmp_path / "copy.duckdb")) as connection:

        def read() -> Published:
            return Published(connection, settings, get_day(day), "en")

        assert read_headlines(read())[0].before is not None
        connection.execute(f"update marts.daily_metrics set numerator = 0, value = 0 where {buyers}")
        states = "update quality.family_days set state = '{}' where business_date = date '2026-04-05'"
        connection.execute(states.format("present"))
        assert read().figure("buyers").value == 0, "a day on which nobody bought"
        connection.execute(states.format("missing"))
        assert read().figure("buyers").value is None
        assert read().figure("paid_amount").value is not None, "what was counted is known"
        connection.execute("update quality.day_verdict set verdict = 'history' where business_date = '2026-04-04'")
        assert read_headlines(read())[0].before is None


if __name__ == "__main__":
    with TemporaryDirectory() as folder:
        shop = published_in(Path(folder))
        rows = {name: numbers_of(read_report(shop, period)) for name, period in PERIODS.items()}
    PINNED.write_text(json.dumps(rows, ensure_ascii=False).replace('], "', '],\n "') + "\n", encoding="utf-8")
