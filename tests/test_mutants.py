"""The faults that `make mutants` plants: of the kinds that are wanted, readable, and drawn alike for a seed."""

import random
from typing import Any

import mutants
import pytest
import yaml
from mutation_operators import is_readable, list_mutations

SETTINGS: dict[str, Any] = yaml.safe_load(mutants.SETTINGS.read_text(encoding="utf-8"))


def changes(name: str, text: str) -> set[tuple[str, str]]:
    """(operator, text after it) of every fault, its white space made single."""
    return {(each.operator, " ".join(each.apply(text).split())) for each in list_mutations(name, text)}


@pytest.mark.parametrize(
    ("text", "operator", "after"),
    [
        ("a < 3 or b", "flip a comparison", "(a <= 3) or b"),
        ("a < 3 or b", "drop an operand", "(b)"),
        ("a < 3 or b", "shift a constant", "a < (4) or b"),
        ("a + b", "swap an arithmetic operator", "(a - b)"),
        ("not a", "drop a not", "(a)"),
        ("sorted(a, key=lambda x: -x)", "drop a minus", "sorted(a, key=lambda x: (x))"),
        ("min(a, b)", "swap min and max", "(max)(a, b)"),
        ("[x for x in y if z]", "drop a filter", "[x for x in y if (True)]"),
        ("b if a else c", "negate a condition", "b if (not a) else c"),
        ("mask & other", "drop an operand", "(other)"),
        ("0.5", "shift a constant", "(0.75)"),
        ('q = "select 1 where a and b < 2"', "drop an operand", 'q = "select 1 where a "'),
        ('f"select {x} where a < 2"', "flip a comparison", 'f"select {x} where a <= 2"'),
        ("'θ' and a < 3", "flip a comparison", "'θ' and (a <= 3)"),
    ],
)
def test_a_fault_of_python(text: str, operator: str, after: str) -> None:
    assert (operator, after) in changes("module.py", text)


@pytest.mark.parametrize(
    ("text", "operator", "after"),
    [
        ("select a from t where b and c < 2", "drop an operand", "select a from t where b"),
        ("select a from t where b and c < 2", "drop an operand", "select a from t where c < 2"),
        ("select a from t where b between 1 and 2 and c", "drop an operand", "select a from t where b between 1 and 2"),
        (
            "select a from t where b between 1 and 2",
            "negate a condition",
            "select a from t where b not between 1 and 2",
        ),
        ("select a from t where b > 60", "shift a constant", "select a from t where b > 61"),
        ("select a from t where b > 60", "drop a filter", "select a from t where true"),
        ("select count(*) filter (where a) from t", "drop a filter", "select count(*) from t"),
        ("select reached_paid from t", "swap observed and reached", "select observed_paid from t"),
        ("select count(distinct a) from t", "drop a distinct", "select count( a) from t"),
        ("select a from t left join u using (a)", "swap inner and left join", "select a from t inner join u using (a)"),
        ("select a from t order by a desc", "reverse an order", "select a from t order by a asc"),
        ("select arg_min(a, b) - 1 from t", "swap min and max", "select arg_max(a, b) - 1 from t"),
        ("select arg_min(a, b) - 1 from t", "swap an arithmetic operator", "select arg_min(a, b) + 1 from t"),
        ("select case when a then 1 end from t", "negate a condition", "select case when not (a) then 1 end from t"),
        ("select a is not null from t", "drop a not", "select a is null from t"),
    ],
)
def test_a_fault_of_sql(text: str, operator: str, after: str) -> None:
    assert (operator, after) in changes("model.sql", text)


def test_what_computes_nothing_is_left_alone() -> None:
    text = '''def f(a: int | None = None) -> "dict[str, 3]":
    """Selects from 1 where a < 2 and b."""
    raise ValueError(f"{a + 1}")
'''
    assert changes("module.py", text) == set()
    assert changes("model.sql", "-- a < 2\nselect a::DECIMAL(18, 2) as b -- c < 3\nfrom t") == set()


def test_the_same_seed_draws_the_same_faults_and_a_sample_is_their_beginning() -> None:
    area = SETTINGS["areas"]["report_baseline"]
    drawn = [mutants.draw_area("a", area, random.Random("7 a"), count) for count in (12, 12, 5)]
    assert drawn[0] == drawn[1]
    assert drawn[0][:5] == drawn[2]
    assert len({mutant.key for mutant in drawn[0]}) == 12
    for mutant in drawn[0]:
        text = (mutants.REPOSITORY / mutant.file).read_text(encoding="utf-8")
        assert is_readable(mutant.file, mutant.mutation.apply(text))
        assert mutant.mutation.apply(text) != text


def test_areas_and_their_tests_exist_and_what_is_equivalent_says_why() -> None:
    for area in SETTINGS["areas"].values():
        assert list(mutants.source_files(area))
        names = [word for line in area["tests"] for word in line.split() if word.startswith("tests/")]
        assert all((mutants.REPOSITORY / name).is_file() for name in names)
    assert all(mutants.equivalent_reasons(SETTINGS).values())
