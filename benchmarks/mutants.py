"""Do the tests notice? Plants small faults in copies of the tree, one at a time, and asks the tests of their area.

    python benchmarks/mutants.py                  # the drawn sample; resumes where it stopped; two at a time
    python benchmarks/mutants.py --sample 10      # the first ten of it, spread over the areas
    python benchmarks/mutants.py --again          # asks again about those that lived or timed out
    python benchmarks/mutants.py --areas sql      # of some areas only
    python benchmarks/mutants.py --list           # what is drawn, and nothing else

benchmarks/mutants.yaml names areas, tests and the mutants that are none. The checkout itself is never touched. Ends
with 1 when fewer mutants die than wanted.
"""

import argparse
import importlib
import json
import multiprocessing
import os
import py_compile
import random
import re
import resource
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from queue import Queue
from typing import Any

import yaml
from mutation_operators import Mutation, is_readable, list_mutations

REPOSITORY = Path(__file__).parents[1]
SETTINGS = Path(__file__).with_suffix(".yaml")
LIMIT_SECONDS = 120
"""Of a processor, for all tests of one mutant; ten times as long by the clock."""
MOST_EQUIVALENT = 0.05
PRELOADED = ("numpy", "pandas", "scipy.stats", "scipy.optimize", "duckdb", "hypothesis", "pydantic", "pytest")
"""Imported once; each mutant runs in a fork that has them already. Nothing of the tree itself may be among them."""
OUTCOMES = {0: "lived", 1: "killed", 2: "killed", 5: "lived"}
"""By exit code of pytest: 2 is an error while tests are collected, 5 that no test has been selected."""


@dataclass(frozen=True)
class Mutant:
    """A fault of one file. `before` and `after` are the lines it touches; with the file they identify it."""

    area: str
    file: str
    line: int
    operator: str
    before: str
    after: str
    mutation: Mutation

    @property
    def key(self) -> str:
        return json.dumps([self.file, self.before, self.after], ensure_ascii=False)


@dataclass(frozen=True)
class Result:
    """What became of a mutant: killed (`by` which test), lived, timed out, or equivalent (`by` is the reason)."""

    key: str
    outcome: str
    by: str
    seconds: float


# --- Drawing -------------------------------------------------------------------------------------


def draw_mutants(settings: dict[str, Any], seed: int, sample: int | None, areas: Sequence[str]) -> list[Mutant]:
    """The mutants of the seed, area by area; with `sample`, the first of each, as many in all.

    An operator is drawn before a place, so that what a program has most of, constants, does not fill the sample.
    """
    wanted = {name: settings["areas"][name]["mutants"] for name in areas}
    drawn: list[Mutant] = []
    for name, count in wanted.items():
        share = count if sample is None else round(sample * count / sum(wanted.values()))
        drawn += draw_area(name, settings["areas"][name], random.Random(f"{seed} {name}"), share)
    return drawn


def draw_area(name: str, area: dict[str, Any], chance: random.Random, count: int) -> list[Mutant]:
    places: dict[str, list[tuple[Path, str, Mutation]]] = {}
    for path in source_files(area):
        text = path.read_text(encoding="utf-8")
        for mutation in list_mutations(path.name, text):
            places.setdefault(mutation.operator, []).append((path, text, mutation))
    drawn: dict[str, Mutant] = {}
    while len(drawn) < count and any(places.values()):
        operator = chance.choice(sorted(each for each, left in places.items() if left))
        path, text, mutation = places[operator].pop(chance.randrange(len(places[operator])))
        if is_readable(path.name, mutation.apply(text)):
            file, lines = str(path.relative_to(REPOSITORY)), mutation.lines_before_and_after(text)
            mutant = Mutant(name, file, mutation.line(text), operator, *lines, mutation)
            drawn.setdefault(mutant.key, mutant)
    return list(drawn.values())


def source_files(area: dict[str, Any]) -> Iterator[Path]:
    for folder in area["sources"]:
        for path in sorted((REPOSITORY / folder).rglob("*")):
            if path.suffix in (".py", ".sql") and re.search(area.get("containing", ""), path.read_text("utf-8")):
                yield path


def equivalent_reasons(settings: dict[str, Any]) -> dict[str, str]:
    """Key of a mutant that no test can notice → why. Raises ValueError where these are too many."""
    listed = settings["equivalents"] or []
    most = MOST_EQUIVALENT * sum(area["mutants"] for area in settings["areas"].values())
    if len(listed) > most:
        raise ValueError(f"{len(listed)} equivalent mutants are listed, {most:g} at most")
    return {
        json.dumps([each["file"], each["before"], each["after"]], ensure_ascii=False): each["why"] for each in listed
    }


# --- Running -------------------------------------------------------------------------------------


def copy_tree(target: Path) -> None:
    """What git knows and what it would add; compiled so that only a changed file is compiled again."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=REPOSITORY, check=True, capture_output=True, text=True,
    )  # fmt: skip
    for name in filter(None, listed.stdout.split("\0")):
        if (REPOSITORY / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(REPOSITORY / name, target / name)
            if name.endswith(".py"):
                mode = py_compile.PycInvalidationMode.CHECKED_HASH
                py_compile.compile(str(target / name), quiet=2, invalidation_mode=mode)


def run_tests(tree: Path, tests: Sequence[str], log: Path) -> tuple[str, str]:
    """(outcome, first failing test) of the tests in a tree, each entry of `tests` a call of pytest of its own."""
    deadline = time.monotonic() + 10 * LIMIT_SECONDS
    for arguments in tests:
        process = multiprocessing.get_context("fork").Process(target=_pytest, args=(tree, arguments, log))
        process.start()
        process.join(max(deadline - time.monotonic(), 1))
        is_late = process.exitcode is None
        if process.pid is not None and (is_late or process.exitcode):
            _end_group(process.pid)
            process.join()
        if is_late or process.exitcode == -signal.SIGXCPU:
            return "timed out", arguments
        outcome = OUTCOMES.get(process.exitcode or 0, "killed")
        if outcome == "killed":
            return outcome, _first_failure(log) or f"{arguments}: ended with {process.exitcode}"
    return "lived", ""


def _pytest(tree: Path, arguments: str, log: Path) -> None:
    """Runs in a fork, in a group of processes of its own."""
    os.setsid()
    resource.setrlimit(resource.RLIMIT_CPU, (LIMIT_SECONDS, LIMIT_SECONDS + 5))
    with log.open("w") as output:
        os.dup2(output.fileno(), 1)
        os.dup2(output.fileno(), 2)
    os.chdir(tree)
    os.environ |= {"PYTHONPATH": str(tree), "PYTHONDONTWRITEBYTECODE": "1"}
    sys.dont_write_bytecode = True
    sys.path[:] = [str(tree), *(path for path in sys.path if not path.startswith(str(REPOSITORY / "benchmarks")))]
    import pytest

    code = pytest.main([*shlex.split(arguments), "-x", "-q", "-n0", "--tb=line", "-p", "no:cacheprovider"])
    sys.stdout.flush()
    os._exit(int(code))


def _end_group(group: int) -> None:
    try:
        os.killpg(group, signal.SIGKILL)
    except ProcessLookupError:
        return


def _first_failure(log: Path) -> str:
    found = re.search(r"^(?:FAILED|ERROR) (.+?)(?: - |$)", log.read_text(errors="replace"), re.MULTILINE)
    return found[1] if found else ""


def judge(mutant: Mutant, tests: Sequence[str], tree: Path) -> Result:
    """Plants the fault in the tree, asks the tests, and takes it back."""
    file = tree / mutant.file
    sound = file.read_text(encoding="utf-8")
    begun = time.monotonic()
    file.write_text(mutant.mutation.apply(sound), encoding="utf-8")
    try:
        name = Path(mutant.file).stem
        outcome, by = run_tests(tree, [each.replace("{name}", name) for each in tests], tree / "mutant.log")
    finally:
        file.write_text(sound, encoding="utf-8")
    return Result(mutant.key, outcome, by, round(time.monotonic() - begun, 1))


def check_sound_tree(settings: dict[str, Any], areas: Sequence[str], tree: Path) -> None:
    """Raises SystemExit where a test fails without any fault: it would kill everything."""
    for name in areas:
        tests = [each for each in settings["areas"][name]["tests"] if "{name}" not in each]
        outcome, by = run_tests(tree, tests, tree / "mutant.log")
        if outcome != "lived":
            sys.exit(f"{name}: {outcome} without a mutant: {by}\n{(tree / 'mutant.log').read_text()[-3000:]}")


def run_all(
    mutants: Sequence[Mutant], settings: dict[str, Any], results: Path, *, jobs: int, is_checked: bool
) -> dict[str, Result]:
    """Judges those that the file of results does not know yet, and adds them to it one by one."""
    known = read_results(results)
    reasons = equivalent_reasons(settings)
    waiting = [mutant for mutant in mutants if mutant.key not in known and mutant.key not in reasons]
    with tempfile.TemporaryDirectory() as folder:
        trees: Queue[Path] = Queue()
        for number in range(jobs if waiting else 0):
            tree = Path(folder) / str(number)
            copy_tree(tree)
            trees.put(tree)
        if waiting and not is_checked:
            tree = trees.get()
            check_sound_tree(settings, sorted({mutant.area for mutant in waiting}), tree)
            trees.put(tree)

        def run_one(mutant: Mutant) -> Result:
            tree = trees.get()
            try:
                return judge(mutant, settings["areas"][mutant.area]["tests"], tree)
            finally:
                trees.put(tree)

        with ThreadPoolExecutor(jobs) as pool, results.open("a", encoding="utf-8") as file:
            for mutant, result in zip(waiting, pool.map(run_one, waiting), strict=True):
                known[result.key] = result
                file.write(json.dumps(asdict(result), ensure_ascii=False) + "\n")
                file.flush()
                print(f"{result.outcome:9} {result.seconds:6.1f} s  {_place(mutant)}", flush=True)
    return known | {key: Result(key, "equivalent", why, 0.0) for key, why in reasons.items()}


def read_results(path: Path) -> dict[str, Result]:
    if not path.exists():
        return {}
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return {row["key"]: Result(**row) for row in rows}


# --- Report --------------------------------------------------------------------------------------


def _place(mutant: Mutant) -> str:
    return f"{mutant.file}:{mutant.line}  {mutant.operator}"


def report(mutants: Sequence[Mutant], results: dict[str, Result]) -> tuple[str, float]:
    """The table as markdown, and the share of mutants that died: those that timed out are noticed, too."""
    lines = ["| mutant | change | outcome |", "| --- | --- | --- |"]
    counts: dict[str, Counter[str]] = {}
    for mutant in mutants:
        result = results[mutant.key]
        counts.setdefault(mutant.area, Counter())[result.outcome] += 1
        cells = (_place(mutant), f"`{mutant.before}` → `{mutant.after}`", f"{result.outcome} {result.by}".strip())
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    lines += ["", "| area | died | lived | equivalent | score |", "| --- | --: | --: | --: | --: |"]
    total = sum(counts.values(), Counter[str]())
    for name, count in (*counts.items(), ("all", total)):
        died = count["killed"] + count["timed out"]
        lines.append(f"| {name} | {died} | {count['lived']} | {count['equivalent']} | {score_of(count):.1%} |")
    return "\n".join(lines), score_of(total)


def score_of(count: Counter[str]) -> float:
    died = count["killed"] + count["timed out"]
    return died / max(died + count["lived"], 1)


def main() -> None:
    settings = yaml.safe_load(SETTINGS.read_text(encoding="utf-8"))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sample", type=int, help="how many mutants, over all areas")
    parser.add_argument("--seed", type=int, default=settings["seed"])
    parser.add_argument("--areas", nargs="+", choices=list(settings["areas"]), default=list(settings["areas"]))
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--again", action="store_true", help="forget what lived or timed out")
    parser.add_argument("--list", action="store_true", help="draw, and run nothing")
    parser.add_argument("--trust", action="store_true", help="do not run the tests without a mutant first")
    parser.add_argument("--wanted", type=float, default=settings["wanted"], help="share that must die, 0 to 1")
    parser.add_argument("--folder", type=Path, default=REPOSITORY / "var" / "mutants", help="of results and report")
    options = parser.parse_args()
    mutants = draw_mutants(settings, options.seed, options.sample, options.areas)
    if options.list:
        print(*(f"{_place(each)}: {each.before} → {each.after}" for each in mutants), sep="\n")
        return
    options.folder.mkdir(parents=True, exist_ok=True)
    results = options.folder / f"{options.seed}.jsonl"
    if options.again:
        kept = [each for each in read_results(results).values() if each.outcome == "killed"]
        results.write_text("".join(json.dumps(asdict(each), ensure_ascii=False) + "\n" for each in kept), "utf-8")
    for module in PRELOADED:
        importlib.import_module(module)
    begun = resource.getrusage(resource.RUSAGE_CHILDREN)
    judged = run_all(mutants, settings, results, jobs=options.jobs, is_checked=options.trust)
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    table, score = report(mutants, judged)
    (options.folder / "report.md").write_text(table + "\n", encoding="utf-8")
    used = ended.ru_utime + ended.ru_stime - begun.ru_utime - begun.ru_stime
    print(table, f"{used / 60:.1f} minutes of a processor; {options.folder / 'report.md'}", sep="\n\n")
    sys.exit(int(score < options.wanted))


if __name__ == "__main__":
    main()
