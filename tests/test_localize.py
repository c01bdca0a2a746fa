"""A cube gets an answer: the planted slices, or silence, or words about what is wrong with the cube."""

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from shop_helpers import Home
from test_cli import funnelscope

from funnelscope import localization
from funnelscope.localization.localize import CubeError, Localization, localize, read_cube
from funnelscope.simulator.cubes import PlantedCube, generate_ratio_cube, generate_sum_cube

DIMENSIONS = ("channel", "device", "page", "region", "user")


@pytest.fixture(scope="module")
def planted() -> PlantedCube:
    return generate_ratio_cube("broad cause", 1)


@pytest.fixture
def cube(planted: PlantedCube) -> pd.DataFrame:
    return planted.cube.reset_index(drop=True)


def named(found: Localization) -> list[dict[str, str]]:
    return [finding.slice for finding in found.findings]


def remarked(found: Localization) -> str:
    return "; ".join(found.remarks)


@pytest.mark.parametrize("level", ["broad cause", "narrow cause", "nested dimensions", "restless leaves"])
def test_planted_causes_are_named_exactly(level: str) -> None:
    for seed in range(2):
        case = generate_ratio_cube(level, seed)
        assert named(localize(case.cube, case.dimensions, case.hierarchy)) == case.causes


@pytest.mark.parametrize("level", ["clean", "clean, other mix", "clean, all moved", "clean, nested"])
def test_a_clean_cube_has_no_finding(level: str) -> None:
    for seed in range(5):
        case = generate_ratio_cube(level, seed)
        assert named(localize(case.cube, case.dimensions, case.hierarchy)) == []


@pytest.mark.parametrize("level", ["sums, exact forecast", "sums, single leaves", "sums, counts"])
def test_causes_in_sums_are_named_exactly_in_their_own_amounts(level: str) -> None:
    for seed in range(2):
        case = generate_sum_cube(level, seed)
        findings = localize(case.cube, case.dimensions).findings
        assert {frozenset(finding.slice.items()) for finding in findings} == {frozenset(c.items()) for c in case.causes}
        for finding in findings:
            inside = np.logical_and.reduce([case.cube[name] == value for name, value in finding.slice.items()])
            assert finding.observed == pytest.approx(case.cube["real"][inside].sum())
            assert np.isfinite([finding.effect, finding.theta_low, finding.theta_high, finding.lost]).all()


@pytest.mark.parametrize(
    "level", ["sums, clean", "sums, clean, few leaves", "sums, clean, heavy tails", "sums, clean, counts"]
)
def test_a_clean_cube_of_sums_has_no_finding(level: str) -> None:
    for seed in range(3):
        case = generate_sum_cube(level, seed)
        assert named(localize(case.cube, case.dimensions)) == []


def test_a_finding_says_how_sure_it_is(planted: PlantedCube) -> None:
    (finding,) = localize(planted.cube, DIMENSIONS).findings
    assert finding.theta_low < finding.theta < finding.theta_high < 1
    assert finding.p_value < 1e-6
    assert finding.stability == 1
    assert finding.runner_up != finding.slice
    assert finding.runner_up_gap > 0


def test_the_same_cube_gives_the_same_answer_in_any_order(cube: pd.DataFrame) -> None:
    shuffled = localize(cube.sample(frac=1, random_state=1), DIMENSIONS).findings
    assert [finding.slice for finding in shuffled] == named(localize(cube, DIMENSIONS))


# --- Amounts below 0, and mix -------------------------------------------------------------------


def amounts() -> pd.DataFrame:
    """8 categories × 6 channels, sales and what came back, forecast within 3 %."""
    random = np.random.default_rng(3)
    names = [[f"cat{n}" for n in range(8)], [f"ch{n}" for n in range(6)], ["sold", "returned"]]
    cube = pd.MultiIndex.from_product(names, names=["category", "channel", "kind"]).to_frame(index=False)
    size = random.weibull(0.8, len(cube)) * 1000
    cube["predict"] = np.where(cube["kind"] == "sold", size, -size / 10)
    return cube.assign(real=cube["predict"] * random.normal(1, 0.03, len(cube)))


def test_a_category_whose_returns_exceed_its_sales_is_named() -> None:
    cube = amounts().query("kind == 'sold'").drop(columns="kind")
    cube.loc[cube["category"] == "cat3", "real"] *= -0.4
    found = localize(cube, ["category", "channel"])
    (finding,) = found.findings
    assert finding.slice == {"category": "cat3"}
    assert finding.effect == pytest.approx(-1.4, abs=0.05)
    assert finding.theta_low < finding.theta < finding.theta_high < 0
    assert found.remarks == ()


def test_more_returns_than_predicted_are_named_as_more_and_as_a_loss() -> None:
    cube = amounts()
    cube.loc[(cube["kind"] == "returned") & (cube["category"] == "cat2"), "real"] *= 3
    (finding,) = localize(cube, ["category", "channel", "kind"]).findings
    assert finding.slice == {"category": "cat2", "kind": "returned"}
    assert finding.effect == pytest.approx(2, abs=0.15)
    assert finding.lost > 0


def test_amounts_that_turned_beside_amounts_that_grew_are_both_told() -> None:
    """Each hides a part of the other: a search that lets them displace each other would never end."""
    cube = amounts()
    cube.loc[cube["category"] == "cat1", "real"] *= -0.5
    cube.loc[cube["channel"] == "ch2", "real"] *= 1.5
    assert named(localize(cube, ["category", "channel", "kind"])) == [{"category": "cat1"}, {"channel": "ch2"}]


def test_amounts_that_add_up_to_nothing_are_a_baseline_too() -> None:
    cube = pd.DataFrame({"a": ["x", "y"] * 2, "b": ["1", "1", "2", "2"], "real": [5, -5, 9, 3]})
    assert "its baseline at 0" in remarked(localize(cube.assign(predict=[10.0, -10, -2, 2]), ["a", "b"]))
    with pytest.raises(CubeError, match="predict is 0 in every row"):
        localize(cube.assign(predict=0), ["a", "b"])


def mixed() -> pd.DataFrame:
    """New visitors, who buy less, are three quarters of all instead of a quarter; every rate is what it was."""
    cube = pd.DataFrame({"visitor": ["new", "old"] * 2, "os": ["ios", "ios", "android", "android"]})
    usual, today, rate = np.array([2000, 6000] * 2), np.array([6000, 2000] * 2), np.array([0.1, 0.3] * 2)
    return cube.assign(real_den=today, real_num=today * rate, predict_den=usual, predict_num=usual * rate)


def test_a_whole_that_fell_by_mix_alone_says_so_with_the_share_that_grew() -> None:
    found = localize(mixed(), ["visitor", "os"])
    assert found.findings == ()
    assert list(map(str, found.remarks)) == [
        "the whole went from 25% to 15% by mix alone: -10 points by other shares of entries, "
        "+0 by the rates of the slices",
        "visitor new grew from 25% to 75% of all entries",
    ]
    assert found.change is not None
    assert (found.change.mix, found.change.rate) == pytest.approx((-0.1, 0), abs=1e-12)


def test_mix_and_rate_of_one_day_add_up_to_its_change() -> None:
    cube = mixed()
    cube.loc[cube["os"] == "ios", "real_num"] *= 0.6
    found = localize(cube, ["visitor", "os"])
    assert found.change is not None
    assert found.change.mix + found.change.rate == pytest.approx(found.change.today - found.change.usual, abs=1e-12)
    assert found.change.mix == pytest.approx(-0.1, abs=0.003)
    assert "-10 points by mix, that is by other shares of entries, -3 by the rates" in remarked(found)


def test_other_shares_of_slices_with_one_rate_are_no_mix() -> None:
    cube = mixed().assign(real_num=lambda day: 0.2 * day["real_den"], predict_num=lambda day: 0.2 * day["predict_den"])
    assert localize(cube, ["visitor", "os"]).remarks == ()


# --- Bad input -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("column", "value", "words"),
    [
        ("real_num", -3.0, "real_num is negative in 1 of 2,304 rows, first in row 12: left out"),
        ("real_num", 1e9, "real_num is above real_den in 1 of 2,304 rows, first in row 12: left out"),
        ("predict_den", np.nan, "predict_den is no number in 1 of 2,304 rows, first in row 12: left out"),
        ("real_den", np.inf, "real_den is no number in 1 of 2,304 rows, first in row 12: left out"),
    ],
)
def test_a_row_that_cannot_be_true_is_left_out_and_named(
    cube: pd.DataFrame, planted: PlantedCube, column: str, value: float, words: str
) -> None:
    cube[column] = cube[column].astype(float)
    cube.loc[11, column] = value
    found = localize(cube, DIMENSIONS)
    assert words in remarked(found)
    assert named(found) == planted.causes


def test_nothing_is_said_when_no_row_can_be_true(cube: pd.DataFrame) -> None:
    with pytest.raises(
        CubeError, match=r"no row can be used: real_num is negative in 2,304 of 2,304 rows, first in row 1"
    ):
        localize(cube.assign(real_num=-1), DIMENSIONS)


def test_one_leaf_is_compared_with_nothing(cube: pd.DataFrame) -> None:
    found = localize(cube.head(1), DIMENSIONS)
    assert named(found) == []
    assert "one leaf: there is no other to compare it with; the whole stands at" in remarked(found)


def test_a_constant_dimension_is_not_searched(cube: pd.DataFrame, planted: PlantedCube) -> None:
    found = localize(cube.assign(shop="one"), [*DIMENSIONS, "shop"])
    assert "shop is 'one' everywhere: not searched" in remarked(found)
    assert named(found) == planted.causes


@pytest.mark.parametrize("count", [50_000, pytest.param(1_000_000, marks=pytest.mark.slow)])
def test_a_dimension_of_very_many_values_is_put_together(count: int) -> None:
    random = np.random.default_rng(1)
    wide = pd.DataFrame({"visitor": np.arange(count).astype(str), "device": random.integers(3, size=count).astype(str)})
    wide["real_den"], wide["predict_den"] = 1, 1
    wide["real_num"] = random.random(count) < np.where(wide["device"] == "1", 0.05, 0.1)
    wide["predict_num"] = 0.1
    found = localize(wide, ["visitor", "device"])
    assert f"visitor has {count:,} values; {count:,} of them are too thin to be judged" in remarked(found)
    assert named(found) == [{"device": "1"}]


def test_a_leaf_given_twice_is_summed(cube: pd.DataFrame) -> None:
    halves = cube.assign(real_num=cube["real_num"] // 2, real_den=cube["real_den"] // 2)
    found = localize(pd.concat([halves, halves]), DIMENSIONS)
    assert "2,304 rows repeat a leaf: summed" in remarked(found)
    assert len(found.findings) == 1


def test_a_short_baseline_is_said(cube: pd.DataFrame) -> None:
    assert "the baseline has 4 periods, fewer than 7" in remarked(localize(cube, DIMENSIONS, baseline_periods=4))
    with pytest.raises(CubeError, match="0 periods"):
        localize(cube, DIMENSIONS, baseline_periods=0)


def test_leaves_without_a_baseline_are_expected_from_their_dimensions(cube: pd.DataFrame, planted: PlantedCube) -> None:
    cube.loc[:9, ["predict_num", "predict_den"]] = 0
    found = localize(cube, DIMENSIONS)
    assert "predict_den is 0 in 10 rows: expected from what its dimensions show elsewhere" in remarked(found)
    assert named(found) == planted.causes


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda cube: cube.head(0), "the cube has no rows"),
        (lambda cube: cube.drop(columns="predict_num"), "the cube lacks predict_num"),
        (lambda cube: cube.drop(columns="page"), "the cube has no column 'page'; it has channel"),
        (lambda cube: cube.assign(predict_num=0, predict_den=0), "predict_den is 0 in every row: there is no baseline"),
        (lambda cube: cube[list(DIMENSIONS)], "the cube has neither real_num"),
    ],
)
def test_a_cube_that_allows_no_answer_is_refused_in_words(cube: pd.DataFrame, change, words: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(CubeError, match=words):
        localize(change(cube), DIMENSIONS)


@pytest.mark.parametrize(
    ("dimensions", "hierarchy", "words"),
    [
        (["channel", "real_num"], {}, "'real_num' is a measure, not a dimension"),
        (["channel", "page"], {"channel": ["page"], "page": ["channel"]}, "the hierarchy goes in a circle"),
        (["channel"], {"channel": ["page"]}, "'page', which is not among the dimensions channel"),
        ([], {}, "no dimension was named: name some of channel, device[^_]* with --dims"),
    ],
)
def test_a_question_that_makes_no_sense_is_refused_in_words(
    cube: pd.DataFrame, dimensions: list[str], hierarchy: dict[str, list[str]], words: str
) -> None:
    with pytest.raises(CubeError, match=words):
        localize(cube, dimensions, hierarchy)


def test_a_hierarchy_that_the_rows_contradict_is_not_used(cube: pd.DataFrame, planted: PlantedCube) -> None:
    found = localize(cube, DIMENSIONS, {"page": ["channel"]})
    assert "page 'page1' lies in 6 values of channel: page does not determine channel in this cube" in remarked(found)
    assert named(found) == planted.causes


def test_many_dimensions_are_searched_less_deep(
    cube: pd.DataFrame, planted: PlantedCube, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("funnelscope.localization.localize._MOST_CELLS", 20 * len(cube))
    found = localize(cube, DIMENSIONS)
    assert "5 dimensions of 2,304 leaves: only slices that name up to 2 were searched" in remarked(found)
    assert named(found) == planted.causes


def test_amounts_that_nobody_predicted_have_a_finite_effect() -> None:
    case = generate_sum_cube("sums, clean, exact forecast", 1)
    cube = case.cube.assign(predict=case.cube["predict"].where(case.cube["b"] != "b7", 0))
    (finding,) = localize(cube, case.dimensions).findings
    assert finding.slice == {"b": "b7"}
    assert finding.effect == pytest.approx(999)
    assert finding.expected == 0


def test_a_whole_that_moved_alike_is_said(cube: pd.DataFrame) -> None:
    case = generate_sum_cube("sums, clean, exact forecast", 1)
    found = localize(case.cube.assign(real=0), case.dimensions)
    assert named(found) == []
    assert "the whole stands at 0, its baseline at" in remarked(found)


# --- The command ---------------------------------------------------------------------------------


def diagnose(*arguments: str) -> subprocess.CompletedProcess[str]:
    """The command in this process; it needs no home."""
    done = funnelscope(Home(Path("no home")), "diagnose", *arguments)
    return subprocess.CompletedProcess(arguments, done.code, done.out, done.errors)


@pytest.mark.parametrize("name", ["cube.csv.gz", "cube.parquet"])
def test_the_command_answers_in_json(cube: pd.DataFrame, planted: PlantedCube, tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    cube.to_parquet(path) if name.endswith("parquet") else cube.to_csv(path, index=False)
    done = diagnose("--cube", str(path), "--dims", ",".join(DIMENSIONS), "--json")
    answer = json.loads(done.stdout)
    assert [finding["slice"] for finding in answer["findings"]] == planted.causes
    assert answer["findings"][0].keys() >= {"effect", "p_value", "lost"}
    assert answer["seconds"] > 0
    assert answer["remarks"] == []


def test_the_command_tells_people_in_words_within_80_columns(tmp_path: Path) -> None:
    path = tmp_path / "cube.csv"
    cube = mixed().assign(real_den=lambda day: day["predict_den"], real_num=lambda day: day["predict_num"])
    cube.loc[cube["visitor"] == "new", "real_num"] *= 0.6
    cube.loc[cube["visitor"] == "old", "real_num"] *= 1.2
    cube.rename(columns={"os": "device"}).to_csv(path, index=False)
    arguments = ("--cube", str(path), "--dims", "visitor,device")
    for language, words in (("en", ("Where", "lost")), ("zh", ("细分", "少"))):
        done = diagnose(*arguments, "--language", language)
        assert done.returncode == 0
        assert all(word in done.stdout for word in words)
        assert "visitor new" in done.stdout
        assert not re.search(r"visitor=|\bp ", done.stdout)
        assert all(len(line) <= 80 for line in done.stdout.splitlines())
    assert re.search(r"p \S+, stable in \d+%", diagnose(*arguments, "--language", "en", "--details").stdout)


def test_the_command_says_in_chinese_that_mix_moved_the_whole(tmp_path: Path) -> None:
    path = tmp_path / "cube.csv"
    mixed().to_csv(path, index=False)
    done = diagnose("--cube", str(path), "--dims", "visitor,os", "--language", "zh")
    assert "全由结构变化引起" in done.stdout
    assert "visitor new 占全部进入量的比例从 25% 升至 75%" in done.stdout


def test_several_cubes_give_an_object_a_line_and_a_bad_one_stops_no_other(tmp_path: Path) -> None:
    for name in ("one.csv", "two.csv"):
        mixed().to_csv(tmp_path / name, index=False)
    files = [str(tmp_path / name) for name in ("one.csv", "none.csv", "two.csv")]
    done = diagnose("--cube", *files, "--dims", "visitor,os", "--json")
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert [answer["cube"] for answer in answers] == files
    assert [answer.get("error") for answer in answers] == [None, f"{files[1]}: there is no such file", None]
    assert answers[0]["change"]["shares"] == [{"slice": {"visitor": "new"}, "usual": 0.25, "today": 0.75}]
    assert done.returncode == 1
    assert diagnose(files[0]).returncode != 0, "a file needs --cube before it"


def test_the_command_says_what_is_wrong_and_shows_no_stack_trace(tmp_path: Path) -> None:
    path = tmp_path / "cube.csv"
    path.write_text("page,real,predict\n")
    for arguments, words in [
        (("--cube", str(path), "--dims", "page"), "the cube has no rows"),
        (("--cube", str(tmp_path / "none.csv"), "--dims", "page"), "there is no such file"),
        (("--cube", str(path), "--dims", "page", "--hierarchy", "page"), "--hierarchy: 'page' is not a pair"),
    ]:
        done = diagnose(*arguments)
        assert done.returncode == 1
        assert words in done.stderr
        assert "Traceback" not in done.stderr
        answer = json.loads(diagnose(*arguments, "--json").stdout)
        assert answer["findings"] == []
        assert words in answer["error"]


@pytest.mark.parametrize("mark", [";", "\t", "|"])
def test_columns_that_stand_between_other_marks_than_commas_are_told(tmp_path: Path, mark: str) -> None:
    path = tmp_path / "cube.csv"
    path.write_text("page,real,predict\na,1,2\n".replace(",", mark))
    with pytest.raises(CubeError, match=re.escape(f"its columns stand between {mark!r}")):
        read_cube(path)


def test_a_value_that_looks_like_a_number_or_like_nothing_stays_text(tmp_path: Path) -> None:
    path = tmp_path / "cube.csv"
    path.write_text("page,real,predict\n007,1,2\nNA,3,4\n")
    assert list(read_cube(path)["page"]) == ["007", "NA"]


def test_a_cube_is_diagnosed_without_dagster(cube: pd.DataFrame, tmp_path: Path) -> None:
    path = tmp_path / "cube.parquet"
    cube.to_parquet(path)
    script = (
        "import sys\n"
        "from pipelines.cli.app import app\n"
        f"app(['diagnose', '--cube', {str(path)!r}, '--dims', 'page,device'], standalone_mode=False)\n"
        "assert 'dagster' not in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_example_of_the_readme_runs_without_database_settings_or_dagster() -> None:
    page = (Path(localization.__file__).parent / "README.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    known = "import sys; print(sorted({'duckdb', 'dagster', 'pydantic', 'funnelscope.settings'} & set(sys.modules)))"
    run = subprocess.run([sys.executable, "-c", example + known], capture_output=True, text=True, check=True)
    found, others = run.stdout.splitlines()
    assert found.startswith("{'page': 'a', 'device': 'ios'} -25% 100 lost")
    assert others == "[]"
