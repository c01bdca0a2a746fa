"""What no answer may depend on, whatever the cube: names, order, how leaves are cut, and the unit of amounts."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from test_localization_pinned import DIMENSIONS, HIERARCHY, amounts_of, leaves_of, slice_of

from funnelscope.localization.expectation import compute_binomial_variance, shrink_rates
from funnelscope.localization.localize import CubeError, localize, read_cube
from funnelscope.localization.scan import Scan, ScanOptions, scan
from funnelscope.localization.slices import Slices
from funnelscope.localization.sums import scan_sums

SEEDS = range(3)
CAUSE = {slice_of(device="ios"): 0.7}
QUIET = {"slice_overdispersion": 0.012, "leaf_overdispersion": 0.0}


def named(found: Scan) -> list[dict[str, str]]:
    return [finding.slice for finding in found.findings]


def levels(found: Scan) -> list[float]:
    return [
        number
        for each in found.findings
        for number in (each.theta, each.theta_low, each.theta_high, each.z, each.deviance)
    ]


@pytest.mark.parametrize("seed", SEEDS)
def test_the_order_of_leaves_and_of_dimensions_changes_nothing(seed: int) -> None:
    leaves = leaves_of(seed, CAUSE)
    one = scan(leaves, DIMENSIONS, HIERARCHY)
    other = scan(leaves.sample(frac=1, random_state=seed).reset_index(drop=True), DIMENSIONS[::-1], HIERARCHY)
    assert named(one) == named(other) == [{"device": "ios"}]
    assert levels(one) == pytest.approx(levels(other))
    assert one.reference_level == pytest.approx(other.reference_level)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_names_of_dimensions_and_values_change_nothing(seed: int) -> None:
    leaves = leaves_of(seed, CAUSE)
    new = {name: f"x{number}" for number, name in enumerate(reversed(DIMENSIONS))}
    renamed = leaves.rename(columns=new)
    renamed[list(new.values())] = "v_" + renamed[list(new.values())]
    hierarchy = {new[name]: tuple(new[above] for above in names) for name, names in HIERARCHY.items()}
    one, other = scan(leaves, DIMENSIONS, HIERARCHY), scan(renamed, [new[name] for name in DIMENSIONS], hierarchy)
    assert named(other) == [{new["device"]: "v_ios"}]
    assert levels(one) == pytest.approx(levels(other))


@pytest.mark.parametrize("seed", SEEDS)
def test_a_leaf_that_is_split_in_two_changes_no_level(seed: int) -> None:
    leaves = leaves_of(seed, CAUSE)
    halves = leaves.assign(**{name: leaves[name] / 2 for name in ("observed", "expected", "variance")})
    one = scan(leaves, DIMENSIONS, HIERARCHY, ScanOptions(**QUIET))
    other = scan(pd.concat([halves, halves], ignore_index=True), DIMENSIONS, HIERARCHY, ScanOptions(**QUIET))
    assert named(one) == named(other)
    assert levels(one) == pytest.approx(levels(other))


def test_what_is_expected_and_seen_of_nothing_is_no_finding() -> None:
    """Exactly the expected, in ratios and in sums; of another level throughout, neither."""
    leaves = leaves_of(1, {})
    amounts = amounts_of(1, {}, noise=0.0)
    for factor in (1.0, 0.6, 1.4):
        assert named(scan(leaves.assign(observed=factor * leaves["expected"]), DIMENSIONS, HIERARCHY)) == []
        assert named(scan_sums(amounts.assign(real=factor * amounts["predict"]), ("a", "b", "c"))) == []


def test_the_more_is_lost_the_lower_the_level_and_the_surer_the_finding() -> None:
    leaves, last = leaves_of(2, {}), None
    for share in (0.85, 0.7, 0.5, 0.2, 0.0):
        inside = leaves["region"] == "region3"
        now = leaves.assign(observed=np.where(inside, (leaves["observed"] * share).round(), leaves["observed"]))
        (finding,) = scan(now, DIMENSIONS, HIERARCHY, ScanOptions(**QUIET)).findings
        assert finding.slice == {"region": "region3"}
        assert finding.theta == pytest.approx(share, abs=0.06)
        assert finding.effect == finding.theta - 1
        assert finding.lost == pytest.approx(finding.expected - finding.observed)
        assert finding.theta_low <= finding.theta <= finding.theta_high
        if last:
            assert finding.z > last.z
            assert finding.lost > last.lost
            assert finding.p_value <= last.p_value
        last = finding


def test_the_limits_of_a_finding_are_kept() -> None:
    """The smallest effect and expectation, the error, and the number of findings."""
    leaves = leaves_of(3, {slice_of(region="region1"): 0.8}, size=6)
    assert named(scan(leaves, DIMENSIONS, HIERARCHY)) == [{"region": "region1"}]
    assert named(scan(leaves, DIMENSIONS, HIERARCHY, ScanOptions(min_effect=0.3))) == []
    assert named(scan(leaves, DIMENSIONS, HIERARCHY, ScanOptions(family_wise_error=1e-300))) == []
    assert named(scan(leaves, DIMENSIONS, HIERARCHY, ScanOptions(min_expected=1e9))) == []
    several = leaves_of(4, {slice_of(region="region1"): 0.6, slice_of(device="pc"): 0.6}, size=6)
    assert len(named(scan(several, DIMENSIONS, HIERARCHY))) == 2
    assert len(named(scan(several, DIMENSIONS, HIERARCHY, ScanOptions(max_findings=1)))) == 1
    narrow = leaves_of(5, {slice_of(region="region1", device="pc"): 0.3}, size=6)
    assert named(scan(narrow, DIMENSIONS, HIERARCHY)) == [{"device": "pc", "region": "region1"}]
    assert all(len(slice_) == 1 for slice_ in named(scan(narrow, DIMENSIONS, HIERARCHY, ScanOptions(max_dimensions=1))))


def test_findings_come_by_what_they_explain_the_most_first() -> None:
    causes = {slice_of(region="region1"): 0.6, slice_of(device="pc"): 0.8, slice_of(channel="channel0"): 1.2}
    found = scan(leaves_of(6, causes, size=5), DIMENSIONS, HIERARCHY, ScanOptions(**QUIET))
    deviances = [finding.deviance for finding in found.findings]
    assert len(deviances) >= 3
    assert deviances == sorted(deviances, reverse=True)
    assert named(found)[0] == {"region": "region1"}
    sums = scan_sums(amounts_of(6, {slice_of(a="a1"): 0.4, slice_of(b="b2", c="c0"): 0.6}), ("a", "b", "c"))
    assert named(sums) == [{"a": "a1"}, {"b": "b2", "c": "c0"}]


@pytest.mark.parametrize(("factor", "is_told"), [(1e-3, True), (1e-9, False)])
def test_beside_a_large_amount_rounding_is_no_finding(factor: float, is_told: bool) -> None:
    amounts = amounts_of(6, {slice_of(a="a1"): 0.4, slice_of(b="b2"): 0.6})
    amounts.loc[amounts["b"] == "b2", ["real", "predict"]] *= factor
    assert named(scan_sums(amounts, ("a", "b", "c"))) == [{"a": "a1"}, *([{"b": "b2"}] if is_told else [])]


@pytest.mark.parametrize("factor", [1e-3, 1e4])
def test_the_unit_of_amounts_changes_nothing(factor: float) -> None:
    amounts = amounts_of(7, {slice_of(a="a1"): 0.6, slice_of(b="b2", c="c0"): 1.7})
    scaled = amounts.assign(real=amounts["real"] * factor, predict=amounts["predict"] * factor)
    one, other = scan_sums(amounts, ("a", "b", "c")), scan_sums(scaled, ("c", "a", "b"))
    assert sorted(map(sorted, (each.items() for each in named(one)))) == sorted(
        map(sorted, (each.items() for each in named(other)))
    )
    assert sorted(levels(one)) == pytest.approx(sorted(levels(other)))
    assert [each.lost * factor for each in one.findings] == pytest.approx([each.lost for each in other.findings])


# --- Slices --------------------------------------------------------------------------------------


def test_slices_are_numbered_summed_and_named_alike() -> None:
    leaves = leaves_of(1, {})
    slices = Slices(leaves, DIMENSIONS, HIERARCHY, 3)
    weights = leaves["expected"].to_numpy()
    sums = slices.sum_over(weights)
    assert len(sums) == slices.count == len(slices.size_of) == len(slices.cuboid_of)
    some = np.arange(0, len(leaves), 3)
    part = slices.sum_over(weights[some], some)
    for number in range(0, slices.count, 7):
        name, members = slices.name_slice(number), slices.find_members(number)
        inside = np.logical_and.reduce([leaves[dimension] == value for dimension, value in name.items()])
        assert members.tolist() == np.flatnonzero(inside).tolist()
        assert len(name) == slices.size_of[number]
        assert sums[number] == pytest.approx(weights[inside].sum())
        assert part[number] == pytest.approx(weights[some][inside[some]].sum())
        above = {each for inner in name for each in HIERARCHY.get(inner, ())}
        assert not above & name.keys(), "what determines a value is not named beside it"
        for parent, leaves_of_parent, children in slices.find_families(number):
            assert leaves_of_parent.tolist() == slices.find_members(parent).tolist()
            assert leaves_of_parent[children == number].tolist() == members.tolist()
        for parts in slices.find_parts(number):
            assert not any(slices.name_slice(int(each)).items() <= name.items() for each in parts)
            assert set(members) <= {leaf for each in parts for leaf in slices.find_members(int(each))}


def test_the_parent_of_a_creative_is_its_campaign() -> None:
    slices = Slices(leaves_of(1, {}), DIMENSIONS, HIERARCHY, 2)
    names = [slices.name_slice(number) for number in range(slices.count)]
    number = names.index({"creative": "creative4", "device": "pc"})
    parents = [slices.name_slice(parent) for parent, _, _ in slices.find_families(number)]
    assert parents == [{"campaign": "campaign2", "device": "pc"}, {"creative": "creative4"}]


# --- Expectation ---------------------------------------------------------------------------------


@pytest.mark.parametrize("with_pairs", [False, True])
def test_rates_lie_between_what_a_leaf_shows_and_what_its_dimensions_predict(with_pairs: bool) -> None:
    random = np.random.default_rng(1)
    codes = [np.repeat(np.arange(4), 25), np.tile(np.arange(5), 20)]
    entered = np.where(np.arange(100) < 50, 4.0, 40_000.0)
    rate = 0.1 * np.array([1, 1.5, 1, 2])[codes[0]] * np.array([1, 1, 2, 1, 0.5])[codes[1]]
    passed = random.binomial(entered.astype(int), rate).astype(float)
    shrunk = shrink_rates(passed, entered, codes, with_pairs=with_pairs)
    assert shrunk.rate[50:] == pytest.approx(rate[50:], rel=0.05), "much traffic speaks for itself"
    assert shrunk.rate[:50] == pytest.approx(rate[:50], rel=0.6), "little is drawn to its dimensions"
    assert (shrunk.entries > entered).all()
    assert shrink_rates(10 * passed, 10 * entered, codes).rate[50:] == pytest.approx(
        passed[50:] / entered[50:], rel=0.02
    )
    expected = entered * shrunk.rate
    variance = compute_binomial_variance(expected, entered, shrunk)
    assert variance == pytest.approx(expected * (1 - shrunk.rate) * (1 + entered / shrunk.entries))


def test_a_leaf_far_from_what_its_dimensions_say_speaks_for_itself() -> None:
    codes = [np.repeat(np.arange(10), 10), np.tile(np.arange(10), 10)]
    entered = np.full(100, 100.0)
    passed = np.round(entered * np.where(np.arange(100) % 2, 0.95, 0.97))
    passed[37] = 30
    rate = shrink_rates(passed, entered, codes).rate
    assert rate[37] == pytest.approx(0.3, abs=0.06)
    assert np.abs(np.delete(rate, 37) - 0.96).max() < 0.04


# --- Cubes as people bring them ------------------------------------------------------------------


def ratio_cube() -> pd.DataFrame:
    leaves = leaves_of(8, {slice_of(region="region2"): 0.6}, size=5)
    return leaves[list(DIMENSIONS)].assign(
        real_num=leaves["observed"], real_den=leaves["expected"].round() * 10,
        predict_num=leaves["expected"], predict_den=leaves["expected"] * 10,
    )  # fmt: skip


def test_a_row_at_the_limit_of_what_can_be_true_is_kept() -> None:
    cube = ratio_cube()
    cube.loc[0, ["real_num", "real_den"]] = 0, 0
    cube.loc[1, "real_num"] = cube.loc[1, "real_den"]
    cube.loc[2, "predict_num"] = cube.loc[2, "predict_den"]
    cube.loc[3, ["predict_num", "predict_den"]] = 1e-5, 0.0  # what rounding leaves
    assert not any("above" in remark for remark in localize(cube, DIMENSIONS).remarks)
    cube.loc[3, ["predict_num", "predict_den"]] = 1.0, 10.0
    assert localize(cube, DIMENSIONS).remarks == ()
    for row, (name, value) in enumerate([("real_num", cube.loc[5, "real_den"] + 1), ("predict_num", -1.0)], start=5):
        spoilt = cube.copy()
        spoilt.loc[row, name] = value
        (remark,) = localize(spoilt, DIMENSIONS).remarks
        assert remark.startswith(name)
        assert f"first in row {row + 1}" in remark


@pytest.mark.parametrize("column", ["predict_num", "predict_den", "real_den", "predict"])
def test_a_cube_without_a_baseline_or_without_today_is_refused(column: str) -> None:
    cube = ratio_cube() if column != "predict" else amounts_of(1, {})
    cube[column] = 0.0
    if column == "predict_den":
        cube["predict_num"] = 0.0
    if column == "real_den":
        cube["real_num"] = 0.0
    dimensions = DIMENSIONS if column != "predict" else ("a", "b", "c")
    with pytest.raises(CubeError, match=f"^{column} is 0 in every row"):
        localize(cube, dimensions)


@pytest.mark.parametrize("periods", [0.0, -1.0, np.inf, np.nan])
def test_a_baseline_has_some_periods(periods: float) -> None:
    with pytest.raises(CubeError, match="periods"):
        localize(ratio_cube(), DIMENSIONS, baseline_periods=periods)


def test_a_baseline_of_fewer_than_seven_periods_is_short() -> None:
    assert localize(ratio_cube(), DIMENSIONS, baseline_periods=7).remarks == ()
    assert len(localize(ratio_cube(), DIMENSIONS, baseline_periods=6.9).remarks) == 1


def test_a_hierarchy_may_not_lead_back_to_where_it_began() -> None:
    circle = {"channel": ["campaign"], "campaign": ["creative"], "creative": ["channel"]}
    with pytest.raises(CubeError, match="circle"):
        localize(ratio_cube(), DIMENSIONS, circle)
    assert localize(ratio_cube(), DIMENSIONS, {"creative": ["campaign"], "campaign": ["channel"]}).findings


def test_a_whole_that_moved_is_said_where_no_slice_stands_out_and_only_there() -> None:
    still = ratio_cube().assign(real_num=lambda cube: cube["real_den"] / 10)
    for level, is_said in ((0.96, False), (0.9, True), (1.1, True)):
        found = localize(still.assign(real_num=still["real_num"] * level), DIMENSIONS)
        assert found.findings == ()
        assert any("whole" in remark for remark in found.remarks) == is_said
    assert not any("whole" in remark for remark in localize(ratio_cube(), DIMENSIONS).remarks)


def test_thin_values_of_a_very_wide_dimension_are_put_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("funnelscope.localization.localize._MANY_VALUES", 4)
    cube = ratio_cube()
    cube["visitor"] = np.where(np.arange(len(cube)) < 40, np.arange(len(cube)).astype(str), "rest")
    cube.loc[cube.index < 39, ["real_num", "real_den", "predict_num", "predict_den"]] /= 1000
    found = localize(cube, ["visitor", "device", "region"])
    assert found.findings[0].slice == {"region": "region2"}
    assert "39 of them are too thin" in " ".join(found.remarks)
    assert "too thin" not in " ".join(localize(cube, ["device", "region"]).remarks)


def test_measures_are_read_as_numbers_and_dimensions_as_text(tmp_path: Any) -> None:
    path = tmp_path / "cube.csv"
    ratio_cube().assign(region=lambda cube: cube["region"].str[-1]).to_csv(path, index=False)
    read = read_cube(path)
    assert list(map(type, read.loc[0, list(DIMENSIONS)])) == [str] * 5
    assert (read[["real_num", "real_den", "predict_num", "predict_den"]].dtypes == "float64").all()
    assert localize(read, DIMENSIONS).findings[0].slice == {"region": "2"}
    empty = tmp_path / "empty.csv"
    empty.write_text("")
    with pytest.raises(CubeError, match="the file is empty"):
        read_cube(empty)


def test_numbers_and_nothing_are_values_of_a_dimension_like_others() -> None:
    cube = ratio_cube()
    cube["region"] = cube["region"].str[-1].astype(float).replace(2.0, np.nan)
    assert localize(cube, DIMENSIONS).findings[0].slice == {"region": "(none)"}
    cube["region"] = cube["region"].fillna(7).astype(int)
    assert localize(cube, DIMENSIONS).findings[0].slice == {"region": "7"}
    cube["region"] = cube["region"].astype(str).where(cube["region"] != 7, None)
    assert localize(cube, DIMENSIONS).findings[0].slice == {"region": "(none)"}


def test_a_number_and_its_text_are_one_value() -> None:
    cube = ratio_cube()
    number = pd.Series([(place % 2 and 2) or "2" for place in range(len(cube))], dtype=object)
    cube["region"] = cube["region"].astype(object).where(cube["region"] != "region2", number)
    (finding,) = localize(cube, DIMENSIONS).findings
    assert finding.slice == {"region": "2"}
    assert finding.observed == pytest.approx(cube["real_num"][cube["region"].astype(str) == "2"].sum())
