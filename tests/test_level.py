"""One cause is one finding, whatever its parts did: its level, and what is not mistaken for a cause."""

import tracemalloc

import numpy as np
import pandas as pd
import pytest

from funnelscope.localization.level import measure_support
from funnelscope.localization.localize import localize
from funnelscope.localization.scan import LocalizedSlice, ScanOptions, scan
from funnelscope.simulator.unequal_cubes import FAMILIES, generate_unequal_cube

DIMENSIONS = ("page", "device", "region")


def support(*levels: float, expected: float = 500.0, effect: float = -0.4, entered: float = 5_000.0) -> float:
    """What siblings at these levels say for one cause, when the slice has lost two fifths."""
    counts = np.array(levels) * expected
    same = np.full(len(levels), expected)
    return measure_support(effect, 0.012, np.full(len(levels), entered), same, counts, np.ones(len(levels)))


def cube_of(lost: dict[tuple[str, str], float], *, usual_rate: float = 0.2) -> pd.DataFrame:
    """6 pages × 4 devices × 3 regions of 2,000 entries; `lost`: share of its passes that a page loses on a device."""
    grid = pd.MultiIndex.from_product(
        [[f"p{n}" for n in range(6)], ["ios", "android", "pc", "pad"], ["north", "south", "west"]], names=DIMENSIONS
    )
    cube = grid.to_frame(index=False).assign(real_den=2000, predict_den=2000, predict_num=2000 * usual_rate)
    share = np.array([lost.get(key, 0.0) for key in zip(cube["page"], cube["device"], strict=True)])
    random = np.random.default_rng(7)
    return cube.assign(real_num=random.binomial(2000, usual_rate * (1 - share)))


def findings_of(cube: pd.DataFrame) -> tuple[LocalizedSlice, ...]:
    return localize(cube, DIMENSIONS).findings


def test_siblings_that_moved_speak_for_their_parent_and_those_that_stayed_against_it() -> None:
    assert support(0.6, 0.75, 0.5) > 9
    assert support(1.0, 1.01, 0.99) < -6
    assert support(0.6, 0.7, 1.0) > 0, "one of the parts may be immune"


def test_a_sibling_that_stayed_costs_the_same_however_much_traffic_it_has() -> None:
    small, large = support(1.0, expected=500), support(1.0, expected=50_000, entered=500_000)
    assert small == pytest.approx(large, abs=0.5)
    assert -3.5 < large < -2


def test_a_sibling_too_thin_to_tell_has_no_voice() -> None:
    assert support(1.0, expected=1.0, entered=10) == pytest.approx(0, abs=0.6)


def test_a_cause_whose_parts_lost_unequally_is_one_finding_that_says_where_most_was_lost() -> None:
    lost = {("p3", "ios"): 0.7, ("p3", "android"): 0.3, ("p3", "pc"): 0.25, ("p3", "pad"): 0.02}
    (finding,) = findings_of(cube_of(lost))
    assert finding.slice == {"page": "p3"}
    assert finding.strongest_part == {"device": "ios"}
    assert finding.strongest_theta == pytest.approx(0.3, abs=0.04)


def test_a_part_that_lost_alone_is_named_alone() -> None:
    (finding,) = findings_of(cube_of({("p3", "ios"): 0.5}))
    assert finding.slice == {"page": "p3", "device": "ios"}
    assert finding.strongest_part is None


def cube_of_two_devices(rest: int) -> pd.DataFrame:
    """6 pages × 2 devices × 3 regions; page p3 has `rest` entries a region on pc, and lost two fifths on ios alone."""
    grid = pd.MultiIndex.from_product(
        [[f"p{n}" for n in range(6)], ["ios", "pc"], ["north", "south", "west"]], names=DIMENSIONS
    )
    cube = grid.to_frame(index=False)
    is_page, is_ios = cube["page"] == "p3", cube["device"] == "ios"
    entries = np.where(is_page & ~is_ios, rest, 2000)
    usual = 0.2 * entries
    return cube.assign(
        real_den=entries,
        predict_den=entries,
        predict_num=usual,
        real_num=np.where(is_page & is_ios, 0.6 * usual, usual),
    )


def test_nearly_all_of_a_page_is_named_alone_where_the_rest_kept_still() -> None:
    (finding,) = findings_of(cube_of_two_devices(rest=40))
    assert finding.slice == {"page": "p3", "device": "ios"}


def test_where_the_rest_is_too_thin_to_tell_the_simpler_name_is_given() -> None:
    (finding,) = findings_of(cube_of_two_devices(rest=5))
    assert finding.slice == {"page": "p3"}


def test_of_what_moved_alike_no_part_is_told() -> None:
    devices = ("ios", "android", "pc", "pad")
    (finding,) = findings_of(cube_of({("p3", device): 0.4 for device in devices}))
    assert finding.slice == {"page": "p3"}
    assert finding.strongest_part is None


def test_a_gain_beside_a_loss_is_told_too() -> None:
    devices = ("ios", "android", "pc", "pad")
    lost = {("p1", device): 0.4 for device in devices} | {("p4", device): -0.5 for device in devices}
    assert {finding.slice["page"]: finding.lost > 0 for finding in findings_of(cube_of(lost))} == {
        "p1": True,
        "p4": False,
    }


@pytest.mark.parametrize("family", ["unequal children", "immune children", "four periods", "half of all leaves"])
def test_causes_that_move_their_parts_unequally_are_named_exactly(family: str) -> None:
    for seed in (0, 1):
        case = generate_unequal_cube(family, seed)
        found = localize(case.cube, case.dimensions, baseline_periods=FAMILIES[family].periods).findings
        assert [finding.slice for finding in found] == case.causes


@pytest.mark.parametrize(
    ("family", "seeds"),
    [
        ("clean, near 1, sparse", (0, 1, 3, 4)),
        ("clean, near 1, few leaves", (18, 21)),
        ("clean, correlated", (0, 5, 10)),
        ("clean, sparse", (1079,)),
    ],
)
def test_chance_near_a_rate_of_1_and_in_thin_leaves_is_no_cause(family: str, seeds: tuple[int, ...]) -> None:
    """Of few failures, and of leaves that differ from what their dimensions predict."""
    for seed in seeds:
        case = generate_unequal_cube(family, seed)
        found = localize(case.cube, case.dimensions, baseline_periods=FAMILIES[family].periods)
        assert found.findings == ()


def test_a_few_more_failures_than_one_expects_are_no_finding_where_the_entries_are_known() -> None:
    """Of 400 entries four should fail, and sixteen do: a chance in two hundred thousand, not in a thousand million."""
    leaves = pd.DataFrame({"page": [f"p{n}" for n in range(60)], "entered": 4000.0})
    leaves.loc[0, "entered"] = 400.0
    leaves["expected"], leaves["variance"] = 0.99 * leaves["entered"], 0.0099 * leaves["entered"]
    leaves["observed"] = leaves["expected"].where(leaves.index > 0, 400 - 16)
    options = ScanOptions(min_effect=0.01, min_whole_share=0.0, slice_overdispersion=1e-6, leaf_overdispersion=0.0)
    known, unknown = (
        scan(leaves, ["page"], None, options),
        scan(leaves.drop(columns="entered"), ["page"], None, options),
    )
    assert known.findings[0].z == pytest.approx(4.46, abs=0.05)
    assert unknown.findings[0].z > known.findings[0].z + 1


def test_where_few_fail_half_as_many_again_are_a_cause_and_fewer_are_none() -> None:
    grid = pd.MultiIndex.from_product([range(6), range(10), range(10)], names=DIMENSIONS).to_frame(index=False)
    usual = grid.assign(real_den=2000, predict_den=2000, predict_num=1960.0)
    for failing, found in ((0.04, [{"page": "3"}]), (0.027, [])):
        day = usual.assign(real_num=np.where(usual["page"] == 3, 2000 * (1 - failing), 1960))
        assert [finding.slice for finding in findings_of(day)] == found


def test_where_few_fail_a_cause_of_half_the_traffic_does_not_pull_the_reference_down() -> None:
    random = np.random.default_rng(3)
    leaves = pd.MultiIndex.from_product([list("abcdef"), list("uvwxyz"), list("123")], names=DIMENSIONS)
    leaves = leaves.to_frame(index=False).assign(entered=2000.0, expected=1940.0, variance=58.2)
    is_hit = leaves["page"].isin(["a", "b", "c"])
    leaves["observed"] = random.binomial(2000, np.where(is_hit, 0.97 * 0.94, 0.97))
    assert scan(leaves, DIMENSIONS).reference_level == pytest.approx(1, abs=0.003)


def test_the_usual_level_of_many_cells_is_read_in_little_memory() -> None:
    random = np.random.default_rng(1)
    count = 20_000
    leaves = pd.DataFrame({name: random.integers(90, size=count).astype(str) for name in ("page", "agent")})
    leaves = leaves.drop_duplicates().reset_index(drop=True)
    leaves["entered"] = 2000.0
    leaves["expected"], leaves["variance"] = 1940.0, 58.2
    leaves["observed"] = random.binomial(2000, 0.97 * np.where(leaves["page"] == "7", 0.8, 1.0), len(leaves))
    tracemalloc.start()
    found = scan(leaves, ["page", "agent"])
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert [finding.slice for finding in found.findings] == [{"page": "7"}]
    assert peak < 2000 * len(leaves), "bytes: no matrix of cells against cells"
