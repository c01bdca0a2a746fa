"""`funnelscope funnel` on small cases, a rule each: those that PostHog and ClickHouse pin too, in our words."""

import json
from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import duckdb
import pytest
import yaml
from shop_helpers import OPENING, Home
from test_cli import Done, funnelscope

import reports
from assets.funnel_assets import make_own_funnel_keys
from funnelscope.events.schema import EVENT_FAMILIES
from funnelscope.funnels import daily_answers, published_events
from funnelscope.funnels.answer_table import TABLE
from funnelscope.funnels.daily_answers import DeclaredFunnel
from funnelscope.funnels.specification import FunnelFile
from funnelscope.ingest import create_tables
from funnelscope.reporting.own_funnel_section import read_own_funnel, read_own_funnels
from funnelscope.warehouse.connection import open_in_memory_warehouse
from funnelscope.warehouse.models import build_query_parameters, create_inputs, create_table, load_models
from pipelines import doctor

START = 1_777_593_600  # 2026-05-01 00:00 UTC


def ask(folder: Path, spec: dict[str, Any], events: Sequence[dict[str, Any]] | str, *options: str) -> Done:
    """The command over a JSON lines file."""
    (folder / "spec.yaml").write_text(yaml.safe_dump(spec, sort_keys=False))
    text = events if isinstance(events, str) else "".join(json.dumps(event) + "\n" for event in events)
    (folder / "events.jsonl").write_text(text)
    home = Home(folder)
    return funnelscope(home, "funnel", str(folder / "spec.yaml"), "--events", str(folder / "events.jsonl"), *options)


def answer(folder: Path, spec: dict[str, Any], events: Sequence[dict[str, Any]]) -> dict[str, Any]:
    done = ask(folder, spec, events, "--json", "--units")
    assert done.code == 0, done.errors
    found: dict[str, Any] = json.loads(done.out)
    return found


def line(*events: str, unit: str = "u", **properties: Any) -> list[dict[str, Any]]:
    """`a@0 b@60`: an event type at so many seconds after the start."""
    found = []
    for event in events:
        kind, _, second = event.partition("@")
        found.append({"visitor_id": unit, "event_type": kind, "event_time": START + int(second), **properties})
    return found


def abc(**more: Any) -> dict[str, Any]:
    return {"window": "1h", "steps": [{"event": "a"}, {"event": "b"}, {"event": "c"}], **more}


CASES = {
    "the edge of the window is inside": (abc(window=60), ["a@0 b@30 c@60"], [1, 1, 1]),
    "a second later is outside": (abc(window=60), ["a@0 b@30 c@61"], [1, 1, 0]),
    "the window is the whole funnel's, not a step's": (abc(window=60), ["a@0 b@50 c@100"], [1, 1, 0]),
    "any step-1 event may open the deepest attempt": (abc(window=60), ["a@0 b@10 a@100 b@110 c@120"], [1, 1, 1]),
    "steps out of order do not count": (abc(), ["c@0 b@1 a@2"], [1, 0, 0]),
    "events of one instant stand in any order": (abc(), ["a@0 c@5 b@5"], [1, 1, 1]),
    "or later than one another": (abc(ties="strictly_later"), ["a@0 c@5 b@5"], [1, 1, 0]),
    "one event never fills two steps": ({"steps": [{"event": "a"}] * 3, "window": "1h"}, ["a@0 a@1"], [1, 1, 0]),
    "nor at one instant": ({"steps": [{"event": "a"}] * 3, "window": "1h"}, ["a@0 a@0"], [1, 1, 0]),
    "strict is the very next event": (abc(semantics="strict"), ["a@0 b@1 x@2 c@3"], [1, 1, 0]),
    "strict passes over what it ignores": (
        abc(semantics="strict", ignore=["x", "y"]),
        ["a@0 x@1 b@2 y@2 x@3 c@4", "a@0 x@1 z@2 b@3"],
        [2, 1, 1],
    ),
    "strict begins anywhere": (abc(semantics="strict"), ["x@0 a@1 b@2 c@3 x@4"], [1, 1, 1]),
    "strict repeats break": (abc(semantics="strict"), ["a@0 a@1 b@2 b@3 c@4"], [1, 1, 0]),
    "without order any step opens": (abc(semantics="unordered"), ["c@0 a@5", "b@0", "c@0 b@1 a@2"], [3, 2, 1]),
    "an exclusion ends what has no order": (
        abc(semantics="unordered", exclude=[{"event": "x"}]),
        ["a@0 b@1 x@2 c@3", "a@0 b@1 c@2 x@3"],
        [2, 1, 1],
    ),
    "an exclusion between the steps drops the unit": (
        abc(exclude=[{"event": "x", "from": 1, "to": 2}]),
        ["a@0 x@1 b@2", "a@0 b@1 x@2 c@3"],
        [1, 1, 1],
    ),
    "also where nothing followed, within the window": (abc(exclude=[{"event": "x"}]), ["a@0 x@1"], [0, 0, 0]),
    "but not after it": (abc(window=10, exclude=[{"event": "x"}]), ["a@0 x@11"], [1, 0, 0]),
    "a void attempt is forgiven when another completes": (
        abc(exclude=[{"event": "x", "from": 1, "to": 2}]),
        ["a@0 x@1 a@2 b@3 c@4"],
        [1, 1, 1],
    ),
    "or drops only itself": (
        abc(window=10, exclude=[{"event": "x", "from": 1, "to": 2, "drops": "attempt"}]),
        ["a@0 x@1 a@31"],
        [1, 0, 0],
    ),
    "an optional step never blocks": (
        {"window": "1h", "steps": [{"event": "a"}, {"event": "b", "optional": True}, {"event": "c"}]},
        ["a@0 c@2", "a@0 b@1 c@2", "a@0 c@1 b@2", "a@0 b@1"],
        [4, 2, 3],
    ),
    "a time limit is met by a later repetition": (
        {"window": "1h", "steps": [{"event": "a"}, {"event": "b"}, {"event": "c", "within": 30}]},
        ["a@0 b@1 b@50 c@60"],
        [1, 1, 1],
    ),
    "null is any event": ({"window": "1h", "steps": [{"event": "a"}, {"event": None}]}, ["a@0 z@1", "a@0"], [2, 1]),
    "only the first such event ever": (
        {
            "window": "1h",
            "entered": ["2026-05-01T00:01:00Z", "2026-05-02"],
            "steps": [{"event": "a"}, {"event": "b", "first_time": True}],
        },
        ["b@0 a@60 b@90", "a@60 b@90"],
        [2, 1],
    ),
    "the range picks entries only": (
        abc(entered=["2026-05-01", "2026-05-01"], window="2d"),
        ["a@86399 b@86401 c@90000", "a@86400 b@86401"],
        [1, 1, 1],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_the_rule(name: str, tmp_path: Path) -> None:
    spec, lines, wanted = CASES[name]
    events = [event for number, text in enumerate(lines) for event in line(*text.split(), unit=f"u{number}")]
    found = answer(tmp_path, spec, events)
    assert [step["units"] for step in found["steps"]] == wanted
    assert [len(found["units_by_step"][str(step["step"])]) for step in found["steps"]] == wanted
    for step in found["steps"]:
        assert step["units"] == step["converted"] + step["lost"] + step["pending"]


def test_ten_events_of_one_second_fill_ten_steps(tmp_path: Path) -> None:
    steps = [{"event": name} for name in ["a", "b", "b", "c", "c", "d", "b", "c", "d", "a"]]
    events = line(*(f"{name}@0" for name in ["a", "b", "b", "c", "c", "d", "b", "c", "d", "a"]))
    assert answer(tmp_path, {"window": "1h", "steps": steps}, events)["steps"][-1]["units"] == 1
    assert answer(tmp_path, {"window": "1h", "steps": steps}, events[:-1])["steps"][-1]["units"] == 0


def test_what_is_not_over_is_pending_and_its_day_is_not_mature(tmp_path: Path) -> None:
    events = line("a@0", unit="lost") + line("a@86400", "b@86500", unit="gone") + line("a@172000", unit="here")
    found = answer(tmp_path, {"window": "1d", "steps": [{"event": "a"}, {"event": "b"}]}, events)
    first = found["steps"][0]
    assert (first["converted"], first["lost"], first["pending"]) == (1, 1, 1)
    assert found["trend"] == [
        {"entered": "2026-05-01", "units": [1, 0], "mature": True},
        {"entered": "2026-05-02", "units": [2, 1], "mature": False},
    ]


def test_times_are_those_since_the_step_before_over_who_got_there(tmp_path: Path) -> None:
    lines = [["a@0", "b@3600", "c@10800"], ["a@0", "b@7200"], ["a@0", "b@7200", "c@10800"]]
    events = [event for number, some in enumerate(lines) for event in line(*some, unit=str(number))]
    steps = answer(tmp_path, abc(window="7d"), events)["steps"]
    assert [step["mean_seconds"] for step in steps] == [None, 6000, 5400]
    assert [step["median_seconds"] for step in steps] == [None, 7200, 5400]
    assert steps[2]["rate_from_previous"] == steps[2]["rate_from_start"] == pytest.approx(2 / 3)


def test_of_equally_deep_attempts_the_earliest_counts(tmp_path: Path) -> None:
    """Within a day and across days; a deeper one counts before it."""
    day = 86_400
    events = line("a@0", "a@10", "b@30", f"a@{day}", f"b@{day + 5}")
    events += line("a@0", "b@7", f"a@{day}", f"a@{day + 1}", f"b@{day + 2}", f"c@{day + 3}", unit="deeper")
    found = answer(tmp_path, abc(), events)
    assert [step["mean_seconds"] for step in found["steps"]] == [None, (30 + 2) / 2, 1]
    assert [each["units"] for each in found["trend"]] == [[2, 2, 0], [2, 2, 1]]


@pytest.mark.parametrize(
    ("attribution", "wanted"),
    [
        ("first", {"ad": [1, 1], "mail": [1, 1], "": [1, 0]}),
        ("last", {"mail": [2, 2], "": [1, 0]}),
        ("all", {"ad": [1, 0], "mail": [1, 1], "": [2, 0]}),
        ("step:2", {"mail": [2, 2]}),
    ],
)
def test_a_breakdown_says_which_events_name_the_slice(
    attribution: str, wanted: dict[str, list[int]], tmp_path: Path
) -> None:
    events = line("a@0", channel="ad") + line("b@10", channel="mail") + line("a@0", unit="v") + line("a@0", unit="w")
    events += line("b@9", unit="v", channel="mail") + line("a@2", unit="u", channel="mail")
    spec = {"window": "1h", "steps": [{"event": "a"}, {"event": "b"}]}
    found = answer(tmp_path, spec | {"breakdown": {"by": "channel", "attribution": attribution}}, events)
    assert {value: [step["units"] for step in steps] for value, steps in found["breakdown"].items()} == wanted


def test_properties_are_unpacked_and_compared_as_what_is_asked(tmp_path: Path) -> None:
    events = line("a@0", properties={"$price": 9.5, "ok": True, "title": "Green Tea"})
    for where, units in (
        ({"$price": {"op": "lt", "value": 10}}, 1),
        ({"$price": {"op": "gt", "value": 10}}, 0),
        ({"ok": True, "title": {"op": "contains", "value": "tea"}}, 1),
        ({"any": [{"title": "x"}, {"$price": 9.5}]}, 1),
        ({"title": {"op": "ne", "value": "x"}}, 1),
        ({"title": {"op": "is_not_set"}}, 0),
    ):
        found = answer(tmp_path, {"steps": [{"event": "a", "where": where}]}, events)
        assert found["steps"][0]["units"] == units, where


def test_a_csv_a_parquet_and_a_json_specification_say_the_same(tmp_path: Path) -> None:
    (tmp_path / "spec.json").write_text('{\n\t"window": 3600,\n\t"steps": [{"event": "a", "where": {"sku": "007"}}]}')
    (tmp_path / "e.csv").write_text("visitor_id,event_type,event_time,sku\nu,a,2026-05-01T08:00:00+08:00,007\n")
    with duckdb.connect() as connection:
        connection.execute(
            "copy (select 'u' as visitor_id, 'a' as event_type, timestamp '2026-05-01' as event_time, "
            f"{{'sku': '007'}} as properties) to '{tmp_path}/e.parquet'"
        )
    for name in ("e.csv", "e.parquet"):
        arguments = (str(tmp_path / "spec.json"), "--events", str(tmp_path / name))
        done = funnelscope(Home(tmp_path), "funnel", *arguments, "--json")
        assert json.loads(done.out)["steps"][0]["units"] == 1, done.errors
        assert json.loads(done.out)["trend"][0]["entered"] == "2026-05-01"
        assert "1 a" in funnelscope(Home(tmp_path), "funnel", *arguments).out


def test_no_events_is_an_answer_with_a_note(tmp_path: Path) -> None:
    done = ask(tmp_path, abc(), "", "--json")
    assert [step["units"] for step in json.loads(done.out)["steps"]] == [0, 0, 0]
    assert "there are no events" in done.errors


def test_no_figure_of_a_table_is_cut(tmp_path: Path) -> None:
    name = "long_name" * 15  # the terminal has 160 columns
    steps = [{"event": name}, {"event": "b"}]
    events = line(f"{name}@0", "b@70000")
    events += [{**events[0], "visitor_id": f"u{number}"} for number in range(2_345)]
    done = ask(tmp_path, {"window": "1d", "steps": steps}, events)
    assert "…" not in done.out
    assert "100.0%" in done.out
    assert done.out.count("2,346") == 2
    assert "19.4 h" in done.out


def test_an_event_type_that_never_occurs_is_noted(tmp_path: Path) -> None:
    assert "no event is a 'c'" in ask(tmp_path, abc(), line("a@0", "b@1")).errors


MISTAKES = {
    "window: 0": "line 1: window: 0 is not a valid duration",
    "window: soon": "is not a duration; write whole seconds",
    "entered: [2026-05-14, 2026-05-01]": "['2026-05-14', '2026-05-01'] the range ends before it starts",
    "timezone: Asia/Shangai": "did you mean 'Asia/Shanghai'?",
    "unit: visitor": "line 1: unit: 'visitor' is not a column",
    "same: [skuu]": "line 1: same: 'skuu' is not a column",
    "stepz: []": "unknown key; did you mean 'steps'?",
    "exclude: [{event: x, from: 2, to: 1}]": "from must be before to",
    "breakdown: {by: sku, attribution: step:4}": "there are steps 1 to 2",
    "entered: 2026-05-14": "entered: 2026-05-14 must be a list: [2026-05-14]",
    "ties: random": "ties: 'random' is not accepted; accepted: any_order, strictly_later",
    "breakdown: sku": "breakdown: sku must be keys and values",
    "exclude: [x]": "line 2: exclude[0]: 'x' must be keys and values, such as event: x",
    "breakdown: {by: sku, attribution: middle}": "is not an attribution; accepted: first, last, all",
    "exclude: [{event: x, drops: all}]": "'all' is not accepted; accepted: unit, attempt",
    "{semantics: unordered, ties: strictly_later}": "has no meaning in an unordered funnel",
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_told_with_its_line_and_the_way_out(mistake: str, tmp_path: Path) -> None:
    spec = yaml.safe_load(mistake) | {"steps": [{"event": "a"}, {"event": "b"}]}
    done = ask(tmp_path, spec, line("a@0", sku="x"))
    assert done.code == 1
    assert f"{tmp_path}/spec.yaml, line" in done.errors
    assert MISTAKES[mistake] in done.errors


def test_a_time_that_is_none_is_told_with_its_line(tmp_path: Path) -> None:
    events = [*line("a@0"), {"visitor_id": "u", "event_type": "b", "event_time": "noon"}]
    done = ask(tmp_path, abc(), events)
    assert done.code == 1
    assert f"{tmp_path}/events.jsonl, line 2: event_time 'noon' is not a time; write ISO 8601" in done.errors
    done = ask(tmp_path, abc(), [*events, {**events[-1], "event_time": None}])
    assert "line 2: event_time 'noon' is not a time, and so is 1 more" in done.errors


def test_an_endless_time_in_parquet_is_none(tmp_path: Path) -> None:
    """Parquet's statistics alone do not tell that `infinity` is no instant."""
    (tmp_path / "spec.yaml").write_text("steps: [{event: a}]\n")
    file = tmp_path / "e.parquet"
    with duckdb.connect() as connection:
        times = "(values (timestamp '2026-05-01'), (timestamp 'infinity'))"
        connection.execute(
            f"copy (select 'u' as visitor_id, 'a' as event_type, * from {times} t(event_time)) to '{file}'"
        )
    done = funnelscope(Home(tmp_path), "funnel", str(tmp_path / "spec.yaml"), "--events", str(file), "--json")
    assert (done.code, done.out) == (1, "")
    assert "row 2: event_time 'infinity' is not a time" in done.errors


def test_a_line_of_a_csv_with_other_cells_than_the_first_is_told_and_not_left_out(tmp_path: Path) -> None:
    (tmp_path / "spec.yaml").write_text("steps: [{event: a}]\n")
    file = tmp_path / "e.csv"
    for text, wanted in (
        ("visitor_id;event_type;event_time\nu;a;2026-05-01\nu;b\n", "Line: 3"),
        ("visitor_id,event_type,event_time\nu,a,2026-05-01,x\n", "Line: 2"),
        ("visitor_id,event_type,visitor_id\n", "line 1: names the column 'visitor_id' twice"),
        ("visitor_id,event_type,time\n", "has no column event_time"),
        ("", "is empty; if there are no events, give a header without rows"),
    ):
        file.write_text(text)
        done = funnelscope(Home(tmp_path), "funnel", str(tmp_path / "spec.yaml"), "--events", str(file), "--json")
        assert (done.code, done.out) == (1, "")
        assert wanted in done.errors


def test_a_step_that_is_wrong_is_told_once(tmp_path: Path) -> None:
    done = ask(tmp_path, {"steps": [{"event": "a", "wher": {}}]}, "")
    assert done.errors.count("line") == 1
    assert "is empty; give at least one step" in ask(tmp_path, {"steps": []}, "").errors


@pytest.mark.parametrize("count", [80, pytest.param(200, marks=pytest.mark.slow)])
def test_many_steps_are_answered(count: int, tmp_path: Path) -> None:
    steps = [{"event": f"s{number}"} for number in range(count)]
    done = ask(tmp_path, {"window": "1h", "steps": steps[:20]}, line("s0@0", "s1@1"), "--json")
    assert [step["units"] for step in json.loads(done.out)["steps"]] == [1, 1] + [0] * 18
    assert "13 other event types do not occur either" in done.errors
    every = line(*(f"s{number}@{number}" for number in range(count)))
    found = answer(tmp_path, {"window": "1h", "steps": steps}, every + line("s0@0", "s1@1", unit="v"))
    assert [step["units"] for step in found["steps"]] == [2, 2] + [1] * (count - 2)
    assert found["trend"] == [{"entered": "2026-05-01", "units": [2, 2] + [1] * (count - 2), "mature": False}]


# -- Every day


class OwnShop:
    """A shop with one funnel of its own, and staged events that a test puts there."""

    def __init__(self, folder: Path, funnel: str) -> None:
        home = Home(folder)
        home.write_config(OPENING)
        (folder / "funnels").mkdir()
        (folder / "funnels" / "own.yaml").write_text(funnel)
        self.settings = home.settings
        (self.declared,) = daily_answers.load_declared_funnels(self.settings)
        assert self.declared.file, self.declared.problem
        self.file = self.declared.file
        self.warehouse = open_in_memory_warehouse()
        create_inputs(self.warehouse)
        create_tables(self.warehouse)
        for model in load_models().values():
            create_table(self.warehouse, model, build_query_parameters(OPENING, OPENING))

    def happens(self, family: str, event_type: str, day: int, visitor: int, hour: int = 1) -> None:
        """An event so many days after the opening, on the shop's clock."""
        moment = datetime.combine(self.day(day), time(hour), self.settings.zone)
        self.warehouse.execute(
            f"insert into staging.{family}_events (event_id, business_date, event_time, event_type, visitor_id) values "
            "($visitor, $day, $moment::timestamptz at time zone 'UTC', $event_type, $visitor)",
            day=self.day(day),
            moment=moment.isoformat(),
            visitor=visitor,
            event_type=event_type,
        )

    def day(self, number: int) -> date:
        return OPENING + timedelta(days=number)

    def build(self, first: int, last: int) -> reports.OwnFunnel:
        days = [(self.day(first), self.day(last))]
        assert daily_answers.build_daily_answers(self.warehouse, self.settings, self.file, days) == self.day(last)
        return read_own_funnel(self.warehouse.connection, "own", self.day(last))


def test_a_day_of_an_own_funnel_knows_nothing_of_later_days(tmp_path: Path) -> None:
    """The answer of a day is the same whether later events lie there or not."""
    shop = OwnShop(tmp_path, "window: 3d\nsteps: [{event: product_view}, {event: paid}]\n")
    shop.happens("page", "product_view", 0, visitor=1)
    before = shop.build(0, 0)
    (entered_today,) = before.cohorts
    assert not entered_today.is_mature
    assert [(step.units, step.pending) for step in entered_today.steps] == [(1, 1), (0, 0)]
    shop.happens("order", "paid", 1, visitor=1)
    (both,) = shop.build(0, 1).cohorts
    assert [step.units for step in both.steps] == [1, 1]
    assert read_own_funnel(shop.warehouse.connection, "own", OPENING) == before
    assert len(read_own_funnels(shop.warehouse.connection, OPENING)) == 1


def test_who_is_lost_is_told_from_who_may_still_come(tmp_path: Path) -> None:
    """Of a seven days' window: the last week whose windows are over, and the days since."""
    shop = OwnShop(tmp_path, "window: 7d\nsteps: [{event: product_view}, {event: paid}]\n")
    for day in range(20):
        shop.happens("page", "product_view", day, visitor=2 * day)
        shop.happens("page", "product_view", day, visitor=2 * day + 1, hour=23)
        shop.happens("order", "paid", day + 6, visitor=2 * day)
    mature, still_open = shop.build(19, 19).cohorts
    assert (mature.entered_from, mature.entered_to, mature.is_mature) == (shop.day(6), shop.day(12), True)
    assert (still_open.entered_from, still_open.entered_to) == (shop.day(13), shop.day(19))
    states = [(step.units, step.converted, step.lost, step.pending) for step in mature.steps]
    assert states == [(14, 7, 7, 0), (7, 7, 0, 0)]
    states = [(step.units, step.converted, step.lost, step.pending) for step in still_open.steps]
    assert states == [(14, 1, 0, 13), (1, 1, 0, 0)]


def test_days_of_entry_are_clipped_to_the_shops_and_follow_its_clock(tmp_path: Path) -> None:
    shop = OwnShop(tmp_path, "window: 36h\nsteps: [{event: product_view}, {event: paid}]\n")
    found = daily_answers.find_entry_days(shop.day(2), shop.file.spec.plan, shop.settings)
    assert [(each.first, each.last, each.is_mature) for each in found] == [
        (shop.day(0), shop.day(0), True),
        (shop.day(1), shop.day(2), False),
    ]
    (only,) = daily_answers.find_entry_days(shop.day(1), shop.file.spec.plan, shop.settings)
    assert not only.is_mature
    # On the day on which a clock goes forward a day has 23 hours: a window of one day outlasts it.
    text = shop.settings.model_copy(update={"timezone": "Europe/Berlin", "start_date": date(2026, 3, 1)})
    day = FunnelFile(shop.file.path).spec.model_copy(update={"window": 86_400}).plan
    assert daily_answers.find_entry_days(date(2026, 3, 28), day, text)[0].last == date(2026, 3, 27)
    assert daily_answers.find_entry_days(date(2026, 3, 29), day, text)[0].last == date(2026, 3, 27)
    assert daily_answers.find_entry_days(date(2026, 3, 30), day, text)[0].last == date(2026, 3, 29)


def test_the_projects_own_funnels_are_right() -> None:
    for path in (Path(__file__).parents[1] / "funnels").iterdir():
        assert FunnelFile(path).spec.steps


def test_events_of_families_without_the_unit_are_left_out(tmp_path: Path) -> None:
    """Each column of the contract can be the unit; events of other families take no part."""
    home = Home(tmp_path)
    home.write_config(OPENING)
    for unit in {column.name for family in EVENT_FAMILIES.values() for column in family.columns}:
        families = [family for family in EVENT_FAMILIES.values() if unit in (column.name for column in family.columns)]
        path = tmp_path / "own.yaml"
        path.write_text(yaml.safe_dump({"unit": unit, "steps": [{"event": families[0].event_types[0]}]}))
        published_events.check_published_funnel(FunnelFile(path), home.settings)
    shop = OwnShop(tmp_path / "orders", "unit: order_id\nwindow: 7d\nsteps: [{event: created}, {event: paid}]\n")
    for order, event in ((1, "created"), (2, "created"), (2, "paid")):
        shop.happens("order", event, 0, visitor=order)
    shop.warehouse.execute("update staging.order_events set order_id = visitor_id")
    shop.happens("traffic", "click", 0, visitor=7)
    assert [step.units for step in shop.build(0, 0).cohorts[-1].steps] == [2, 1]


FAULTY = {
    "broken.yaml": ("steps: [", "broken.yaml, line 1: is not YAML"),
    "misspelt.yaml": ("steps:\n- event: pade\n", "misspelt.yaml, line 2: steps[0].event: 'pade'"),
    "no_unit.yaml": ("unit: clicks\nsteps: [{event: paid}]\n", "no_unit.yaml, line 1: unit: 'clicks'"),
    "other_unit.json": (
        '{"unit": "conversation_id",\n"steps": [{"event": "rated"}, {"event": "paid"}]}',
        "other_unit.json, line 2: steps[1].event: 'paid' has no conversation_id, which only events of service have",
    ),
    "larger_id.yaml": (
        "steps: [{event: paid, where: {order_id: {op: gt, value: x}}}]\n",
        "larger_id.yaml: order_id is stored as a hash",
    ),
    "never.yaml": ("entered: [null, 9999-12-31]\nsteps: [{event: paid}]\n", "never.yaml, line 1: entered[1]"),
    "twice.yaml": ("name: own\nsteps: [{event: paid}]\n", "twice.yaml: name: 'own' is also the name in own.yaml"),
}


def test_a_faulty_funnel_is_reported_and_stops_nothing(tmp_path: Path) -> None:
    """The good one is answered; each faulty one is named with line and remedy, by the gate's warning and the doctor."""
    shop = OwnShop(tmp_path, "window: 7d\nsteps: [{event: product_view}, {event: paid}]\n")
    folder = shop.settings.funnels
    for name, (text, _) in FAULTY.items():
        (folder / name).write_text(text)
    (folder / "unreadable.yaml").mkdir()
    declared = daily_answers.load_declared_funnels(shop.settings)
    keys = make_own_funnel_keys([*declared, DeclaredFunnel(Path("mis-spelt.yaml"), None), *declared[:1]])
    assert len(set(keys)) == len(keys)
    days = [(shop.day(0), shop.day(1))]
    for funnel in declared:
        daily_answers.answer_declared(shop.warehouse, shop.settings, funnel, *days[0], days)
    told = dict(shop.warehouse.rows("select funnel, min(problem) from quality.own_funnel_faults group by funnel"))
    assert told.keys() == {*FAULTY, "unreadable.yaml"}
    assert all(told[name].startswith(problem) for name, (_, problem) in FAULTY.items()), told
    found = [note for note in doctor.examine_shop(shop.settings) if note.subject == "funnels"]
    assert [note.words for note in found if note.is_fine] == ["own.yaml"]
    assert sum(not note.is_fine for note in found) == len(told)
    assert shop.warehouse.value(f"select count(distinct business_date) from {TABLE} where funnel = 'own'") == 2


def test_an_error_while_answering_leaves_a_note_and_no_outdated_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = OwnShop(tmp_path, "window: 7d\nsteps: [{event: product_view}, {event: paid}]\n")
    (funnel,) = daily_answers.load_declared_funnels(shop.settings)
    days = [(shop.day(0), shop.day(0))]
    given = (shop.warehouse, shop.settings, funnel, *days[0], days)
    assert daily_answers.answer_declared(*given) == (shop.day(0), "")
    with monkeypatch.context() as patch:
        fault = duckdb.ConversionException("Conversion Error: no number\nLINE 1: select")
        patch.setattr(daily_answers, "compute_answer", Mock(side_effect=fault))
        last, problem = daily_answers.answer_declared(*given)
    assert (last, problem) == (None, f"{funnel.path}: cannot be answered: Conversion Error: no number")
    assert shop.warehouse.value(f"select count(*) from {TABLE}") == 0
    assert shop.warehouse.value("select count(*) from quality.own_funnel_faults") == 1
    daily_answers.answer_declared(*given)
    assert shop.warehouse.value("select count(*) from quality.own_funnel_faults") == 0


def test_nothing_is_left_of_a_file_that_is_gone(tmp_path: Path) -> None:
    shop = OwnShop(tmp_path, "window: 7d\nsteps: [{event: product_view}, {event: paid}]\n")
    shop.build(0, 1)
    daily_answers.note_fault(shop.warehouse, Path("gone.yaml"), shop.day(0), shop.day(1), "misspelt")
    daily_answers.drop_undeclared(shop.warehouse, [], shop.day(1), shop.day(1))
    for table in (TABLE, "quality.own_funnel_faults"):
        assert shop.warehouse.rows(f"select distinct business_date from {table}") == [(shop.day(0),)]


def test_an_error_of_the_database_is_one_sentence(tmp_path: Path) -> None:
    """A traceback would tell an analyst nothing."""
    with duckdb.connect() as connection:
        connection.execute(
            "copy (select 'u' as visitor_id, 'a' as event_type, timestamp '2026-05-01' as event_time, "
            "[1, 2] as n) to '" + str(tmp_path / "events.parquet") + "' (format parquet)"
        )
    (tmp_path / "spec.yaml").write_text("steps: [{event: a, where: {n: {op: gt, value: 1}}}]\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("funnelscope.funnels.funnel_answers.compute_answer", Mock(side_effect=duckdb.Error("Binder")))
        done = funnelscope(
            Home(tmp_path), "funnel", str(tmp_path / "spec.yaml"), "--events", str(tmp_path / "events.parquet")
        )
    assert (done.code, done.out) == (1, "")
    assert done.errors.startswith(f"Error: {tmp_path / 'spec.yaml'}: cannot be answered over these events: Binder")


@pytest.mark.parametrize(
    ("steps", "labels"),
    [
        ([{"event": "a"}, {"event": "b", "where": {"n": 2}}], ["a", "b"]),
        (
            [{"event": "a", "where": {"n": 2}}, {"event": "a", "where": {"n": {"op": "ge", "value": 4}}}],
            ["a (n = 2)", "a (n ≥ 4)"],
        ),
        (
            [{"event": "a"}, {"event": "a", "where": {"x": {"op": "is_set"}, "any": [{"y": [1, 2]}, {"z": True}]}}],
            ["a", "a (x is set and (y in 1, 2 or z = true))"],
        ),
        ([{"event": "a"}] * 3, ["a", "a #2", "a #3"]),
        (
            [{"event": "a", "name": "opened"}, {"event": "a", "where": {"n": 2}}, {"event": None, "name": "a"}],
            ["opened", "a #2", "a"],
        ),
        ([{"event": None}, {"event": None, "where": {"n": "x"}}], ["any event", "any event (n = x)"]),
    ],
)
def test_steps_are_told_apart(tmp_path: Path, steps: list[dict[str, Any]], labels: list[str]) -> None:
    """In the table, in the JSON, and where the units are named."""
    columns: dict[str, Any] = {"n": 1, "x": None, "y": None, "z": None}
    spec, events = {"window": "1h", "steps": steps}, line("a@0", **columns)
    found = answer(tmp_path, spec, events)
    assert [step["event"] for step in found["steps"]] == labels
    printed = ask(tmp_path, spec, events, "--units").out
    for number, label in enumerate(labels, start=1):
        assert f" {number} {label} " in printed
        assert f"Step {number} {label}: " in printed


def test_two_steps_cannot_have_one_name(tmp_path: Path) -> None:
    done = ask(tmp_path, {"steps": [{"event": "a", "name": "x"}, {"event": "b", "name": "x"}]}, line("a@0"))
    assert "steps[1].name: 'x' is also the name of an earlier step" in done.errors


@pytest.mark.parametrize(
    ("named", "attribution", "note"),
    [
        (0, "first", "no event of step 1 names 'plan' (4 of 4 do not)"),
        (0, "last", "no event of step 1 names 'plan' (4 of 4 do not)"),
        (1, "all", "only 1 of 4 events of step 1 name 'plan' (3 of 4 do not)"),
        (1, "step:2", "only 1 of 4 events of step 1 name 'plan' (3 of 4 do not)"),
        (2, "first", ""),
    ],
)
def test_a_breakdown_that_step_1_does_not_have_is_noted(
    tmp_path: Path, named: int, attribution: str, note: str
) -> None:
    """Its slices hold only who went on, and would convert by construction."""
    spec = {"window": "1h", "steps": [{"event": "a"}, {"event": "b"}]}
    spec |= {"breakdown": {"by": "plan", "attribution": attribution}}
    events = []
    for number in range(4):
        events += line("a@0", unit=f"u{number}", plan="pro" if number < named else None)
        events += line("b@1", unit=f"u{number}", plan="pro")
    done = ask(tmp_path, spec, events, "--json")
    assert done.errors.removeprefix("Note: ")[: len(note) or None] == note
    assert len(json.loads(done.out).get("notes", [])) == bool(note)


LISTS: dict[str, list[Any]] = {"u": ["x", "y"], "v": ["y"], "w": [], "o": [None]}


@pytest.mark.parametrize("kind", ["json", "properties", "parquet"])
def test_a_list_matches_by_its_members(tmp_path: Path, kind: str) -> None:
    """Lists in JSON lines, in their `properties`, and in Parquet; one value without a list beside them as well."""
    events = [event for unit, tags in LISTS.items() for event in line("a@0", "b@9", unit=unit, tags=tags)]
    if kind != "parquet":
        events += line("a@0", "b@9", unit="s", tags="x")
    if kind == "properties":
        events = [{**event, "properties": {"tags": event.pop("tags")}} for event in events]
    (tmp_path / "events.jsonl").write_text("".join(json.dumps(event) + "\n" for event in events))
    with duckdb.connect() as connection:
        source = f"read_ndjson('{tmp_path / 'events.jsonl'}')"
        if kind == "parquet":
            connection.execute(f"copy (from {source}) to '{tmp_path / 'events.parquet'}' (format parquet)")

    def count(where: dict[str, Any], **more: Any) -> dict[str, Any]:
        spec = {"window": "1h", "steps": [{"event": "a", "where": where}, {"event": "b"}], **more}
        (tmp_path / "spec.yaml").write_text(yaml.safe_dump(spec))
        name = "events.parquet" if kind == "parquet" else "events.jsonl"
        done = funnelscope(
            Home(tmp_path), "funnel", str(tmp_path / "spec.yaml"), "--events", str(tmp_path / name), "--json", "--units"
        )
        assert done.code == 0, done.errors
        found: dict[str, Any] = json.loads(done.out)
        return found

    scalar = [] if kind == "parquet" else ["s"]
    assert count({"tags": "x"})["units_by_step"]["2"] == [*scalar, "u"]
    assert count({"tags": ["x", "y"]})["units_by_step"]["1"] == [*scalar, "u", "v"]
    assert count({"tags": {"op": "ne", "value": "x"}})["units_by_step"]["1"] == ["o", "v", "w"]
    assert count({"tags": {"op": "is_not_set"}})["units_by_step"]["1"] == ["o", "w"]
    by_tag = count({}, breakdown={"by": "tags", "attribution": "all"})["breakdown"]
    assert {value: steps[1]["units"] for value, steps in by_tag.items()} == {"": 2, "x": 1 + len(scalar), "y": 2}


def test_who_can_still_convert_by_another_attempt_is_pending(tmp_path: Path) -> None:
    """The counted attempt's window is over, but a later one of the same unit is open."""
    events = line("a@0", "b@10", "a@4000") + line("a@0", "b@10", unit="v") + line("x@5000", unit="w")
    steps = answer(tmp_path, abc(), events)["steps"]
    assert [(step["units"], step["lost"], step["pending"]) for step in steps] == [(2, 0, 0), (2, 1, 1), (0, 0, 0)]


def test_the_time_of_the_whole_funnel_is_told(tmp_path: Path) -> None:
    events = [event for n in (1, 2, 3) for event in line("a@0", f"b@{n}", f"c@{n * 100}", unit=f"u{n}")]
    found = answer(tmp_path, abc(), events + line("a@0", "b@1", unit="v"))
    assert found["total_time"] == {"mean_seconds": 200, "median_seconds": 200, "p90_seconds": 280}
    assert "from first to last step" in ask(tmp_path, abc(), events).out


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"ignore": ["x"]}, "ignore: ['x'] has a meaning in a strict funnel only"),
        ({"semantics": "strict", "ignore": ["b"]}, "ignore[0]: 'b' is the event of a step"),
    ],
)
def test_what_cannot_be_ignored_is_told(tmp_path: Path, more: dict[str, Any], told: str) -> None:
    assert told in ask(tmp_path, abc(**more), line("a@0")).errors


def test_attempts_one_after_another_are_counted_beside_units(tmp_path: Path) -> None:
    """The drawing of docs/funnels.md, and a unit that comes once."""
    events = line("a@0", "a@1", "b@2", "c@3", "a@4", "b@5", "a@4000") + line("a@0", unit="v")
    found = answer(tmp_path, abc(reenter="count"), events)
    names = ("units", "attempts", "attempts_converted", "attempts_lost", "attempts_pending")
    assert [tuple(step[name] for name in names) for step in found["steps"]] == [
        (2, 4, 2, 1, 1),
        (1, 2, 1, 1, 0),
        (1, 1, 1, 0, 0),
    ]
    assert "attempts" in ask(tmp_path, abc(reenter="count"), events).out.splitlines()[1]
    nobody = answer(tmp_path, abc(reenter="count"), line("x@0"))
    assert [step["attempts"] for step in nobody["steps"]] == [0, 0, 0]
