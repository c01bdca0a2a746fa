"""The scan names the slices that moved, and stays silent when only chance did."""

import numpy as np
import pandas as pd
import pytest

from funnelscope.localization.scan import Scan, ScanOptions, scan

DIMENSIONS = ("channel", "campaign", "device", "region")
HIERARCHY = {"campaign": ("channel",)}


def day(seed: int, **levels: float) -> pd.DataFrame:
    """Leaves of a day; `levels` gives observed over expected where a value is named, as in ios=0.6."""
    random = np.random.default_rng(seed)
    leaves = pd.MultiIndex.from_product(
        [[f"campaign{n}" for n in range(8)], ["ios", "android", "pc"], [f"region{n}" for n in range(6)]],
        names=["campaign", "device", "region"],
    ).to_frame(index=False)
    leaves["channel"] = "channel" + (leaves["campaign"].str[-1].astype(int) // 3).astype(str)
    leaves["expected"] = random.lognormal(4, 0.5, len(leaves))
    level = np.ones(len(leaves))
    for value, factor in levels.items():
        level *= np.where((leaves[list(DIMENSIONS)] == value).any(axis=1), factor, 1.0)
    leaves["observed"] = random.poisson(leaves["expected"] * level)
    leaves["variance"] = leaves["expected"]
    return leaves


def named(found: Scan) -> list[dict[str, str]]:
    return [finding.slice for finding in found.findings]


def test_a_day_like_any_other_has_no_finding() -> None:
    assert [seed for seed in range(50) if scan(day(seed), DIMENSIONS, HIERARCHY).findings] == []


def test_a_slice_that_lost_is_named_with_its_level_and_its_loss() -> None:
    (finding,) = scan(day(1, ios=0.7), DIMENSIONS, HIERARCHY).findings
    assert finding.slice == {"device": "ios"}
    assert finding.theta_low < 0.7 < finding.theta_high
    assert finding.p_value < 0.001
    assert finding.lost == pytest.approx(0.3 * finding.expected, rel=0.2)


def test_two_causes_are_told_apart() -> None:
    assert sorted(map(str, named(scan(day(2, ios=0.6, region3=1.4), DIMENSIONS, HIERARCHY)))) == [
        "{'device': 'ios'}",
        "{'region': 'region3'}",
    ]


def test_what_determines_a_value_is_never_named_beside_it() -> None:
    assert named(scan(day(3, campaign4=0.5), DIMENSIONS, HIERARCHY)) == [{"campaign": "campaign4"}]
    assert named(scan(day(3, channel1=0.6), DIMENSIONS, HIERARCHY)) == [{"channel": "channel1"}]


def test_a_day_on_which_everything_moved_alike_blames_no_slice() -> None:
    moved = day(4)
    moved["expected"] *= 1.3
    moved["variance"] *= 1.3
    found = scan(moved, DIMENSIONS, HIERARCHY)
    assert found.findings == ()
    assert found.reference_level == pytest.approx(1 / 1.3, rel=0.03)


def test_a_small_effect_is_no_finding_however_certain() -> None:
    assert named(scan(day(5, ios=0.8), DIMENSIONS, HIERARCHY)) == [{"device": "ios"}]
    assert named(scan(day(5, ios=0.8), DIMENSIONS, HIERARCHY, ScanOptions(min_effect=0.3))) == []


def test_where_nearly_all_pass_a_slice_that_holds_a_third_does_not_pull_the_reference_down() -> None:
    """The chance in a level is that of the few who fail, not of the many who pass."""
    random = np.random.default_rng(29)
    entered = {"alipay": 90, "wechat": 70, "union": 15}
    shares = {"android": 0.5, "ios": 0.3, "desktop": 0.2}
    rows = [
        (provider, device, f"region{region}", random.poisson(size * share / 4))
        for provider, size in entered.items()
        for device, share in shares.items()
        for region in range(10)
    ]
    leaves = pd.DataFrame(rows, columns=["provider", "device", "region", "entered"]).query("entered > 0")
    is_broken = (leaves["provider"] == "wechat") & (leaves["device"] == "android")
    leaves["observed"] = random.binomial(leaves["entered"], np.where(is_broken, 0.6, 0.87))
    leaves["expected"] = leaves["entered"] * 0.87
    leaves["variance"] = leaves["expected"] * 0.13
    found = scan(
        leaves.reset_index(drop=True),
        ("provider", "device", "region"),
        None,
        ScanOptions(slice_overdispersion=0.02, leaf_overdispersion=0.02),
    )
    assert named(found) == [{"provider": "wechat", "device": "android"}]
    assert found.reference_level == pytest.approx(1, abs=0.04)


def test_of_two_slices_history_tells_which_one_moved() -> None:
    """Three teams are all there is, and the largest lost a third: is that so, or did the others gain?"""
    sizes = {"late": (4, 86.0, 57), "early": (3, 94.0, 92), "night": (2, 28.0, 28)}
    rows = [(team, f"{team}{n}", *counts) for team, (agents, *counts) in sizes.items() for n in range(agents)]
    leaves = pd.DataFrame(rows, columns=["team", "agent", "expected", "observed"])
    leaves["variance"] = leaves["expected"] * 0.92
    noises = {"slice_overdispersion": 0.012, "leaf_overdispersion": 0.012}
    dimensions, hierarchy = ("team", "agent"), {"agent": ("team",)}
    with_history = scan(leaves, dimensions, hierarchy, ScanOptions(level_overdispersion=0.013, **noises))
    assert named(with_history) == [{"team": "late"}]
    assert with_history.reference_level == pytest.approx(1, abs=0.02)
    without = scan(leaves, dimensions, hierarchy, ScanOptions(**noises))
    assert with_history.findings[0].p_value < without.findings[0].p_value / 10


def test_a_day_on_which_everything_moved_alike_blames_no_slice_in_spite_of_its_history() -> None:
    moved = day(4)
    moved["expected"] *= 1.3
    moved["variance"] *= 1.3
    found = scan(moved, DIMENSIONS, HIERARCHY, ScanOptions(level_overdispersion=0.013))
    assert found.findings == ()
    assert found.reference_level == pytest.approx(1 / 1.3, rel=0.03)


@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_a_day_on_which_nobody_passes_moved_as_a_whole() -> None:
    nobody = day(6).assign(observed=0)
    assert (
        scan(nobody, DIMENSIONS, HIERARCHY, ScanOptions(level_overdispersion=0.013, leaf_overdispersion=0.0)).findings
        == ()
    )


def test_two_causes_that_hold_most_of_the_traffic_are_named_and_not_what_stayed() -> None:
    """Little is left outside of them, but it stands where it stood before."""
    leaves = day(7, region0=0.75, region1=0.7)
    weight = np.where(leaves["region"].isin(["region0", "region1"]), 6, 1)
    for column in ("observed", "expected", "variance"):
        leaves[column] *= weight
    found = scan(leaves, DIMENSIONS, HIERARCHY)
    assert sorted(map(str, named(found))) == ["{'region': 'region0'}", "{'region': 'region1'}"]
    assert found.reference_level == pytest.approx(1, abs=0.05)


def test_what_is_next_to_nothing_of_the_whole_is_no_finding_however_certain() -> None:
    leaves = day(8, campaign5=0.98)
    rare = (leaves["campaign"] == "campaign2") & (leaves["region"] == "region1") & (leaves["device"] == "ios")
    leaves.loc[~rare, ["observed", "expected", "variance"]] *= 1000
    leaves.loc[rare, ["observed", "expected", "variance"]] = 10, 60, 60
    assert named(scan(leaves, DIMENSIONS, HIERARCHY)) == []
    options = ScanOptions(min_whole_share=0.0)
    assert named(scan(leaves, DIMENSIONS, HIERARCHY, options)) == [
        {"campaign": "campaign2", "device": "ios", "region": "region1"}
    ]


def test_what_is_too_little_to_be_told_is_no_runner_up() -> None:
    """It explains much, but something else; it must not cast doubt on the finding."""
    leaves = day(8, campaign5=0.7)
    rare = (leaves["campaign"] == "campaign2") & (leaves["region"] == "region1") & (leaves["device"] == "ios")
    leaves[["observed", "expected"]] *= 1000
    leaves["variance"] *= 1000**2
    leaves.loc[rare, ["observed", "expected", "variance"]] = 10, 60, 1
    (finding,) = scan(leaves, DIMENSIONS, HIERARCHY).findings
    assert finding.slice == {"campaign": "campaign5"}
    assert finding.stability > 0.9
    assert finding.runner_up_gap > 0


def test_the_movement_of_healthy_slices_is_measured_as_large_as_it_is() -> None:
    measured = []
    for seed in range(20):
        random = np.random.default_rng(seed)
        leaves = pd.MultiIndex.from_product([range(20), range(20)], names=["page", "agent"]).to_frame(index=False)
        level = random.normal(1, 0.02, 20)[leaves["page"]] * random.normal(1, 0.02, 20)[leaves["agent"]]
        leaves = leaves.assign(expected=2e4, variance=2e4)
        leaves["observed"] = random.poisson(leaves["expected"] * level)
        options = ScanOptions(leaf_overdispersion=1e-4)
        measured.append(scan(leaves, ["page", "agent"], options=options).slice_overdispersion)
    assert np.median(measured) == pytest.approx(0.02, abs=0.003)


@pytest.mark.parametrize(
    ("nats", "back", "named"),
    [
        (None, 40, {"page": "p0", "visitor": "new"}),
        (2.0, 40, {"page": "p0"}),
        (2.0, 400, {"page": "p0", "visitor": "new"}),
    ],
)
def test_a_slice_that_is_nearly_all_of_another_goes_by_the_shorter_name_unless_the_rest_clearly_kept_still(
    nats: float | None, back: int, named: dict[str, str]
) -> None:
    leaves = pd.DataFrame(
        {
            "page": np.repeat(["p0", "p1", "p2", "p3"], 2),
            "visitor": ["new", "back"] * 4,
            "entered": [4000.0, back] * 4,
            "observed": [1960.0, 0.7 * back] + [2800, 0.7 * back] * 3,
        }
    )
    leaves["expected"] = leaves["entered"] * 0.7
    leaves["variance"] = leaves["expected"] * 0.3
    found = scan(leaves, ["page", "visitor"], {}, ScanOptions(contradiction_of_most=nats)).findings
    assert [each.slice for each in found] == [named]


QUIET = ScanOptions(slice_overdispersion=0.012, leaf_overdispersion=0.012, family_wise_error=0.005)


def pages(first: dict[str, list[float]], rate: float, pages: int = 40) -> pd.DataFrame:
    """The leaves of the first page, and those of others at their usual level; `variance` by chance of the day alone."""
    usual = {"entered": [1000.0], "expected": [1000.0 * rate], "observed": [1000.0 * rate]}
    frames = [pd.DataFrame(first).assign(page="a")] + [pd.DataFrame(usual).assign(page=f"p{n}") for n in range(pages)]
    leaves = pd.concat(frames, ignore_index=True)
    if "variance" not in leaves:
        leaves["variance"] = leaves["expected"] * (1 - leaves["expected"] / leaves["entered"])
    leaves["variance"] = leaves["variance"].fillna(leaves["expected"] * (1 - rate))
    return leaves.assign(device=[f"d{n % 3}" for n in range(len(leaves))])


def first_page(found: Scan) -> bool:
    return any(each.slice.get("page") == "a" for each in found.findings)


@pytest.mark.parametrize(("entered", "passed", "is_found"), [(13, 7, False), (130, 70, True)])
def test_where_most_pass_a_handful_of_failures_is_chance_however_far_it_is_in_passes(
    entered: float, passed: float, is_found: bool
) -> None:
    leaves = pages({"entered": [entered], "expected": [0.9 * entered], "observed": [passed]}, 0.9)
    assert first_page(scan(leaves, ["page", "device"], {}, QUIET)) == is_found


@pytest.mark.parametrize(("baselines", "is_found"), [(0.01, True), (1.0, False)])
def test_failures_that_few_foretell_are_as_uncertain_as_those_few(baselines: float, is_found: bool) -> None:
    """Of 100 entries one usually fails, and eight do; known from a hundred days, or from one."""
    variance = 99 * 0.01 * (1 + baselines)
    first = {"entered": [100.0], "expected": [99.0], "observed": [92.0], "variance": [variance]}
    leaves = pages(first, 0.99)
    options = ScanOptions(
        slice_overdispersion=0.005, leaf_overdispersion=0.0, family_wise_error=0.005, min_failure_effect=0.5
    )
    assert first_page(scan(leaves, ["page", "device"], {}, options)) == is_found


def test_a_slice_that_only_weights_make_conspicuous_is_none() -> None:
    """A leaf that hardly varied before weighs much; of the slice as it is counted that says little."""
    first = {
        "entered": [28.0, 400.0],
        "expected": [14.0, 200.0],
        "observed": [2.0, 196.0],
        "variance": [0.5, 400.0],
    }
    assert not first_page(scan(pages(first, 0.5), ["page"], {}, QUIET))
    assert first_page(scan(pages(first | {"observed": [2.0, 100.0]}, 0.5), ["page"], {}, QUIET))
