"""What the test suites of PostHog's funnels and ClickHouse's `windowFunnel` pin, in our words, over the command line.

An event is written `a@60`: its type and so many seconds after the start. Where our rules differ, the name says so.
"""

from pathlib import Path
from typing import Any

import pytest
from test_funnel_command import answer, line


def steps(text: str) -> list[dict[str, Any]]:
    """`a b? c` as steps; a question mark makes one optional."""
    return [{"event": name.rstrip("?"), "optional": name.endswith("?")} for name in text.split()]


def funnel(text: str, **more: Any) -> dict[str, Any]:
    return {"window": "14d", "steps": steps(text), **more}


def void(*given: tuple[str, int, int], **more: Any) -> list[dict[str, Any]]:
    return [{"event": event, "from": first, "to": last, **more} for event, first, last in given]


# (specification, the events of each unit, units by step)
CASES: dict[str, tuple[dict[str, Any], dict[str, str], list[int]]] = {
    # -- ordered
    "a unit with the last step alone is in none": (funnel("a b"), {"u": "b@0"}, [0, 0]),
    "an event type with quotes": (funnel("it's b\"b"), {"u": "it's@0 b\"b@1"}, [1, 1]),
    "five steps of which four are the same event": (
        funnel("a b b b b"),
        {"1": "a@0", "2": "a@0 b@1", "3": "a@0 b@1 x@2 b@3", "4": "a@0 b@1 x@2 b@3 b@4", "5": "a@0 b@1 b@2 b@3 b@4"},
        [5, 4, 3, 2, 1],
    ),
    "what came before the first step counts for nothing": (
        funnel("a b b b b"),
        {"1": "b@0 a@1", "2": "a@0 b@1", "3": "b@0 a@1 x@2 b@3", "4": "x@0 b@1 x@2 b@3 a@4 b@5", "5": "b@0 x@1 b@2"},
        [4, 3, 0, 0, 0],
    ),
    "a second try completes what the first did not": (
        funnel("a b c", window=10),
        {"u": "a@0 b@1 a@20 b@21 c@22"},
        [1] * 3,
    ),
    "different events of one instant are converted": (funnel("a b"), {"u": "b@0 a@0", "v": "a@0"}, [2, 1]),
    "twenty of one instant are one entry": (funnel("a b"), {"u": "a@0 " * 20 + "b@86400"}, [1, 1]),
    "only what is strictly later with strictly_later": (
        funnel("a b c d e", ties="strictly_later"),
        {"u": "a@0 b@1 c@1 d@1 e@2"},
        [1, 1, 0, 0, 0],
    ),
    "one event is one step, unlike in windowFunnel": (funnel("a a a"), {"u": "a@5"}, [1, 0, 0]),
    "the window's edge is inside, of the whole funnel": (
        funnel("d e f g h", window=2),
        {"u": "a@0 b@1 c@2 d@3 e@4 f@5 g@6 h@7"},
        [1, 1, 1, 0, 0],
    ),
    "a window of almost a hundred years": (
        funnel("a b", window=3_122_064_000),
        {"u": "a@0 b@2000000000", "v": "b@5"},
        [1, 1],
    ),
    "thirty repeats at an instant with the next step": (
        funnel("z a b c", exclude=void(("x", 1, 2))),
        {"u": "z@0 " + "a@60 " * 30 + "x@60 b@60 c@120"},
        [1, 1, 1, 1],
    ),
    "an exclusion at the instant of a step is not between": (
        funnel("z a b c", exclude=void(("x", 2, 3))),
        {"u": "z@0 " + "a@60 " * 30 + "x@60 b@60 c@120"},
        [1, 1, 1, 1],
    ),
    # -- strict
    "strict: repeats of a step break, what lies before and after does not": (
        funnel("a b c", semantics="strict"),
        {
            "1": "a@1 b@2 c@3",
            "2": "a@1 x@2 b@3 c@4",
            "3": "a@1 a@2 b@3 b@4 c@5 c@6",
            "4": "c@1 b@3 a@5",
            "5": "a@1 c@2 b@3",
        },
        [5, 2, 1],
    ),
    "strict: whatever order the others had": (
        funnel("a b c", semantics="strict"),
        {
            "1": "a@0",
            "2": "b@0 a@1",
            "3": "a@0 b@1 x@2 c@3",
            "4": "c@0 x@1 b@2 a@3",
            "5": "x@0 a@1 x@2 b@3",
            "6": "x@0 a@1 b@2 c@3 x@4",
            "7": "c@0 b@1",
        },
        [6, 2, 1],
    ),
    "strict: the second of two opens the line": (
        funnel("a b c d", semantics="strict"),
        {"u": "x@0 a@1 a@2 b@3 c@4 d@5"},
        [1] * 4,
    ),
    # -- unordered
    "unordered: which steps there were does not matter": (
        funnel("a b c", semantics="unordered"),
        {"1": "a@0", "2": "b@0 a@1", "3": "a@0 b@1 c@2", "4": "c@0 b@1 a@2", "5": "c@0 c@1"},
        [5, 3, 2],
    ),
    "unordered: an exclusion leaves the first step to what follows it": (
        funnel("a b", semantics="unordered", exclude=void(("x", 1, 2))),
        {"1": "a@0 b@1", "2": "a@0 x@1 b@2", "3": "a@5 b@6"},
        [3, 2],
    ),
    "unordered: an exclusion after the end changes nothing": (
        funnel("a b c", semantics="unordered", exclude=void(("x", 1, 3))),
        {"u": "a@0 b@1 c@2 x@3 c@4"},
        [1, 1, 1],
    ),
    "unordered: two exclusions, and what is free of both": (
        funnel("a b c d e", semantics="unordered", exclude=void(("x", 1, 5), ("y", 1, 5))),
        {
            "1": "a@60 x@120 b@180 c@240 y@270 d@300 e@360",
            "2": "a@60 y@90 b@120 c@240 y@270 d@300 x@330 e@360",
            "3": "a@60 x@90 b@120 c@240 d@300 x@330 e@360",
            "4": "a@60 b@120 c@240 d@300 e@360",
            "5": "a@60 x@90 b@120 x@150 c@240 y@270 d@300 x@330 e@360",
        },
        [5, 2, 1, 1, 1],
    ),
    # -- exclusions
    "an exclusion drops the unit from every step": (
        funnel("a b", exclude=void(("x", 1, 2))),
        {"1": "a@0 b@1", "2": "a@0 x@1 b@2", "3": "a@5 b@6"},
        [2, 2],
    ),
    "an exclusion counts also where the next step never came": (
        funnel("a b", exclude=void(("x", 1, 2))),
        {"u": "a@0 x@1", "v": "a@0"},
        [1, 0],
    ),
    "an exclusion after the window does not": (
        funnel("a b", window=10, exclude=void(("x", 1, 2))),
        {"u": "a@0 x@11 b@12"},
        [1, 0],
    ),
    "an exclusion at the window's end is not before it": (
        funnel("a b", window=10, exclude=void(("x", 1, 2))),
        {"u": "a@0 x@10"},
        [1, 0],
    ),
    "a later attempt that completes makes good for a void one": (
        funnel("a b", window=30, exclude=void(("x", 1, 2))),
        {"u": "a@0 x@1 b@31 a@3600 b@3629"},
        [1, 1],
    ),
    "a later attempt that is void as well does not": (
        funnel("a b", window=10, exclude=void(("x", 1, 2))),
        {"u": "a@0 x@11 a@12 x@13 b@14"},
        [0, 0],
    ),
    "nor one that gets no further": (
        funnel("a b c", window=30, exclude=void(("x", 1, 2))),
        {"u": "a@0 x@1 a@60 b@61"},
        [0, 0, 0],
    ),
    "unless only the attempt is dropped": (
        funnel("a b c", window=30, exclude=void(("x", 1, 2), drops="attempt")),
        {"u": "a@0 x@1 a@60 b@61"},
        [1, 1, 0],
    ),
    "exclusions in the first and in the third gap": (
        funnel("a b c d e", exclude=void(("x", 1, 2), ("y", 3, 4))),
        {
            "1": "a@1 x@2 b@3 c@4 y@5 d@6 e@7",
            "2": "a@1 y@2 b@3 c@4 y@5 d@6 x@7 e@8",
            "3": "a@1 x@2 b@3 c@4 d@5 x@6 e@7",
            "4": "a@1 b@2 c@3 d@4 e@5",
        },
        [1] * 5,
    ),
    **{
        f"an exclusion from step {first} to {last}": (
            funnel("a b c d e", exclude=void(("x", first, last))),
            {
                "1": "a@1 b@2 x@3 c@4 x@5 d@6 x@7 e@8",
                "2": "a@1 b@2 c@4 x@5 d@6 x@7 e@8",
                "3": "a@1 x@2 b@3 c@4 d@5 x@6 e@7",
            },
            [left] * 5,
        )
        for first, last, left in ((1, 2, 2), (2, 3, 2), (3, 4, 1), (4, 5, 0), (1, 5, 0), (2, 4, 1))
    },
    # -- optional steps
    "optional: counted only where it really was": (
        funnel("a b? c d? e"),
        {
            "1": "a@0",
            "123": "a@0 b@1 c@2",
            "13": "a@0 c@2",
            "12345": "a@0 b@1 c@2 d@3 e@4",
            "1235": "a@0 b@1 c@2 e@4",
            "134": "a@0 c@2 d@3",
            "1345": "a@0 c@2 d@3 e@4",
            "135": "a@0 c@2 e@4",
        },
        [8, 3, 7, 3, 4],
    ),
    "optional: two in a row and one at the end": (
        funnel("a b? c? d e?"),
        {"1": "a@0 c@1 b@2 d@3", "2": "a@0 b@1 c@2 d@3 e@4", "3": "a@0 d@1 e@2", "4": "a@0 e@1"},
        [4, 2, 1, 3, 2],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_what_others_pin(name: str, tmp_path: Path) -> None:
    spec, lines, wanted = CASES[name]
    events = []
    for unit, text in lines.items():
        events += line(*text.split(), unit=unit)
    assert [step["units"] for step in answer(tmp_path, spec, events)["steps"]] == wanted


# -- breakdowns

BROWSERS = {
    "1": [("a", 0, "Chrome"), ("b", 3600, None)],
    "2": [("a", 0, None), ("b", 86_400, "Safari")],
    "3": [("a", 0, "Mac"), ("b", 3600, None)],
    "4": [("a", 0, 0), ("b", 3600, "Alakazam")],
    "5": [("a", 0, None), ("b", 3600, None)],
}


@pytest.mark.parametrize(
    ("attribution", "wanted"),
    [
        ("first", {"": [1, 1], "0": [1, 1], "Chrome": [1, 1], "Mac": [1, 1], "Safari": [1, 1]}),
        ("last", {"": [1, 1], "Alakazam": [1, 1], "Chrome": [1, 1], "Mac": [1, 1], "Safari": [1, 1]}),
        ("all", {"": [2, 1], "0": [1, 0], "Chrome": [1, 0], "Mac": [1, 0]}),
        ("step:1", {"": [2, 2], "0": [1, 1], "Chrome": [1, 1], "Mac": [1, 1]}),
        ("step:2", {"": [3, 3], "Alakazam": [1, 1], "Safari": [1, 1]}),
    ],
)
def test_the_breakdown_that_others_pin(attribution: str, wanted: dict[str, list[int]], tmp_path: Path) -> None:
    events = [
        event
        for unit, some in BROWSERS.items()
        for kind, second, browser in some
        for event in line(f"{kind}@{second}", unit=unit, properties={"$browser": browser})
    ]
    spec = funnel("a b", window="7d", breakdown={"by": "$browser", "attribution": attribution})
    assert slices(answer(tmp_path, spec, events)) == wanted


@pytest.mark.parametrize(
    ("attribution", "wanted"),
    [
        ("first", {"Chrome": [1, 1, 1]}),
        ("all", {"Chrome": [1, 1, 1], "Safari": [0, 0, 0]}),
        ("step:1", {"Chrome": [1, 1, 1]}),
        ("step:2", {"Chrome": [1, 1, 1], "Safari": [1, 1, 1]}),
        ("step:3", {"Chrome": [1, 1, 1]}),
    ],
)
def test_a_step_that_names_two_slices_has_its_unit_in_both(
    attribution: str, wanted: dict[str, list[int]], tmp_path: Path
) -> None:
    events = line("a@0", "b@2", "c@3", browser="Chrome") + line("b@1", browser="Safari")
    spec = funnel("a b c", window=30, breakdown={"by": "browser", "attribution": attribution})
    found = slices(answer(tmp_path, spec, events))
    assert found == {value: units for value, units in wanted.items() if any(units)}


def test_the_members_of_a_list_and_a_nested_object_are_slices(tmp_path: Path) -> None:
    events = line("a@0", unit="1", properties={"tags": ["x", "y"]}) + line(
        "a@0", unit="2", properties={"tags": {"k": 1}}
    )
    events += line("a@0", unit="3", properties={"tags": None}) + line("a@0", unit="4", properties={"tags": ""})
    found = answer(tmp_path, funnel("a", breakdown={"by": "tags"}), events)
    assert slices(found) == {"": [2], "x": [1], '{"k":1}': [1]}


def slices(found: dict[str, Any]) -> dict[str, list[int]]:
    return {value: [step["units"] for step in rows] for value, rows in found["breakdown"].items()}


# -- times, days, units


def test_the_first_deepest_attempt_gives_the_times(tmp_path: Path) -> None:
    day = 86_400
    tries = ["a@0", "b@3600", "c@7200", f"a@{2 * day}", f"b@{2 * day + 7200}", f"a@{3 * day}", f"b@{3 * day + 10_800}"]
    for semantics in ("ordered", "unordered"):
        found = answer(tmp_path, funnel("a b c", window="1d", semantics=semantics), line(*tries))["steps"]
        assert [step["mean_seconds"] for step in found] == [None, 3600, 3600]


@pytest.mark.parametrize("semantics", ["ordered", "strict", "unordered"])
def test_of_two_attempts_that_open_together_the_one_that_goes_on_first_counts(semantics: str, tmp_path: Path) -> None:
    slow, quick = line("a@0", "b@9", sku="x"), line("a@0", "b@5", sku="y")
    for events in (slow + quick, quick + slow):
        found = answer(tmp_path, funnel("a b", same=["sku"], semantics=semantics), events)
        assert found["steps"][1]["mean_seconds"] == 5


def test_the_clock_that_changes_leaves_elapsed_time_alone(tmp_path: Path) -> None:
    """Fourteen days that contain the American change of March 10, 2024; the days of entry are those of the zone."""
    events = [
        {"visitor_id": "u", "event_type": "a", "event_time": "2024-03-01T15:10:00Z"},
        {"visitor_id": "u", "event_type": "b", "event_time": "2024-03-15T14:27:00Z"},
        {"visitor_id": "v", "event_type": "a", "event_time": "2024-03-10T07:59:59Z"},
        {"visitor_id": "w", "event_type": "a", "event_time": "2024-03-11T06:59:59Z"},
        {"visitor_id": "x", "event_type": "a", "event_time": "2024-03-11T07:00:00Z"},
    ]
    found = answer(tmp_path, funnel("a b", timezone="US/Pacific"), events)
    assert found["steps"][1]["median_seconds"] == 1_207_020
    assert [(day["entered"], day["units"][0]) for day in found["trend"]] == [
        ("2024-03-01", 1),
        ("2024-03-09", 1),
        ("2024-03-10", 1),
        ("2024-03-11", 1),
    ]


def test_a_day_counts_the_units_that_entered_on_it_by_how_far_they_came(tmp_path: Path) -> None:
    """Two runs on one day are one unit; a unit that comes on two days is in both; a run is on the day it began."""
    day = 86_400
    events = line("a@0", "b@3600", "c@7200", "a@46800", "b@50400", "c@54000", unit="twice")
    events += line("a@1", f"b@{day}", f"c@{day + 1}", f"a@{day + 5}", unit="two days")
    found = answer(tmp_path, funnel("a b c", window="7d"), events + line(f"x@{30 * day}"))
    assert found["trend"] == [
        {"entered": "2026-05-01", "units": [2, 2, 2], "mature": True},
        {"entered": "2026-05-02", "units": [1, 0, 0], "mature": True},
    ]


def test_the_unit_is_any_property_and_events_without_it_are_left_out(tmp_path: Path) -> None:
    events = (
        line("a@0", "b@1", session="1") + line("a@0", session="2") + line("a@5", "b@6") + line("a@5", "b@6", session="")
    )
    found = answer(tmp_path, funnel("a b", unit="session"), events)
    assert found["units_by_step"] == {"1": ["1", "2"], "2": ["1"]}


@pytest.mark.parametrize(
    ("entered", "wanted"),
    [
        (["2026-05-01T08:00:00+08:00", "2026-05-01T00:00:01Z"], ["1", "2"]),
        (["2026-05-01T00:00:01Z", None], ["2", "3", "4"]),
        ([None, "2026-05-01"], ["1", "2", "3"]),
        (["2026-05-02", "2026-05-02"], ["4"]),
        (["2026-05-01T00:00:00.5", "2026-05-01T23:59:58"], ["2"]),
    ],
)
def test_entered_takes_days_and_times_with_and_without_an_offset(
    entered: list[str | None], wanted: list[str], tmp_path: Path
) -> None:
    events = [*line("a@0", unit="1"), *line("a@1", unit="2"), *line("a@86399", unit="3"), *line("a@86400", unit="4")]
    assert answer(tmp_path, funnel("a", entered=entered), events)["units_by_step"]["1"] == wanted


def test_the_first_time_is_that_of_events_that_meet_the_condition(tmp_path: Path) -> None:
    events = line("e@0", unit="1") + line("e@10", unit="1", colour="red") + line("e@20", unit="1", colour="red")
    first = {"event": "e", "where": {"colour": "red"}, "first_time": True}
    assert counts(answer(tmp_path, {"steps": [first, {"event": "e"}]}, events)) == [1, 1]
    assert counts(answer(tmp_path, {"steps": [first, first]}, events)) == [1, 0]


def counts(found: dict[str, Any]) -> list[int]:
    return [step["units"] for step in found["steps"]]


# -- values

VALUES = {"whole": 1, "real": 1.0, "text": "1", "long": "1.0", "true": True, "word": "True", "none": None, "empty": ""}


@pytest.mark.parametrize(
    ("asked", "wanted"),
    [
        (1, {"whole", "real", "text", "long"}),
        ("1", {"whole", "text"}),
        (True, {"true", "word"}),
        ("true", {"true"}),
        ([1, "true"], {"whole", "real", "text", "long", "true"}),
        ({"op": "ge", "value": 1}, {"whole", "real", "text", "long"}),
        ({"op": "lt", "value": 2}, {"whole", "real", "text", "long"}),
        ({"op": "ne", "value": 1}, {"true", "word", "none", "empty"}),
        ({"op": "contains", "value": "TRU"}, {"true", "word"}),
        ({"op": "contains", "value": 1}, {"whole", "real", "text", "long"}),
        ({"op": "is_set"}, set(VALUES) - {"none"}),
        ({"op": "is_not_set"}, {"none"}),
    ],
)
def test_the_value_that_is_asked_for_decides_how_values_compare(asked: Any, wanted: set[str], tmp_path: Path) -> None:
    events = [event for unit, value in VALUES.items() for event in line("a@0", unit=unit, properties={"value": value})]
    found = answer(tmp_path, {"steps": [{"event": "a", "where": {"value": asked}}]}, events)
    assert set(found["units_by_step"]["1"]) == wanted


def test_an_empty_cell_of_a_csv_is_not_set(tmp_path: Path) -> None:
    import json

    from shop_helpers import Home
    from test_cli import funnelscope

    (tmp_path / "spec.json").write_text(
        json.dumps({"steps": [{"event": "a", "where": {"price": {"op": "is_not_set"}}}], "breakdown": {"by": "price"}})
    )
    (tmp_path / "e.csv").write_text(
        "visitor_id,event_type,event_time,price\nu,a,2026-05-01 00:00:00,\nv,a,2026-05-01,0\n,a,2026-05-01,\n"
    )
    done = funnelscope(
        Home(tmp_path), "funnel", str(tmp_path / "spec.json"), "--events", str(tmp_path / "e.csv"), "--json", "--units"
    )
    found = json.loads(done.out)
    assert found["units_by_step"]["1"] == ["u"]
    assert slices(found) == {"": [1]}
    assert "1 events without visitor_id are left out" in done.errors
