"""Names of downloads -> the glob that finds the next ones, and the regular expression that finds their day."""

import glob
import os
import re
from collections.abc import Sequence
from datetime import date, datetime
from fnmatch import fnmatchcase
from pathlib import Path

from funnelscope.recognition.export_files import find_days

WILDCARD = "\0"
DAY_OR_TIME = re.compile(
    r"(?<!\d)20\d{2}[-/.年_]?\d{1,2}(?:[-/.月_]?\d{1,2}日?)?\d*"  # 2026-06-03, 20260603093000, 2026-06
    r"|(?<!\d)\d{1,2}[_:.-]\d{2}(?:[_:.-]\d{2})?(?!\d)"  # 09_36_23
    r"|\d{4,}"
    r"|\s?\(\d+\)$"  # downloaded again
)
BETWEEN = re.compile(f"{WILDCARD}(?:[-\\s_~至.,，]*{WILDCARD})+")
LAST_NUMBER = re.compile(r"(?<=[-_ ])\d+$")
ENDING = r"(?: ?\(\d+\))?\.[\w.]+$"
COMPACT, SEPARATED = r"\d{8}", r"\d{4}-\d{2}-\d{2}"


WORKBOOK_ENDINGS = ("xls", "xlsx")
COPY = re.compile(r"副本|复制|备份|\bcopy\b|\(\d+\)", re.IGNORECASE)


def is_copy(name: str) -> bool:
    """Whether a name is that of a copy made by hand, or of a second download."""
    return bool(COPY.search(name))


def has_day(file: Path) -> bool:
    """Whether the name of the file, or its folder, says a day."""
    return bool(find_days(f"{file.parent.name}/{file.name}"))


def build_template(name: str) -> str:
    """The name with WILDCARD where a later download differs: days, times, long numbers, (1)."""
    stem, dot, ending = _split_ending(name)
    found = BETWEEN.sub(WILDCARD, DAY_OR_TIME.sub(WILDCARD, stem))
    if WILDCARD not in found:
        found = LAST_NUMBER.sub(WILDCARD, found)
    if not found.endswith(WILDCARD):
        found += WILDCARD  # (1)
    return found + dot + ending


def _split_ending(name: str) -> tuple[str, str, str]:
    """Stem, dot and ending, which of orders.csv.gz is csv.gz."""
    suffixes = Path(name).suffixes
    kept = suffixes[-2:] if len(suffixes) > 1 and suffixes[-1].lower() in (".gz", ".zst") else suffixes[-1:]
    ending = "".join(kept)
    return name[: len(name) - len(ending)], ".", ending[1:]


def build_glob(files: Sequence[Path], others: Sequence[Path]) -> tuple[str, list[Path]]:
    """The glob that matches the files and their successors, and those of the others that it matches too."""
    template = _join_templates(sorted({build_template(file.name) for file in files}))
    folders = sorted({file.parent for file in files})
    folder = Path(os.path.commonpath(folders))
    place = glob.escape(folder.as_posix()) + ("/" if folders == [folder] else "/**/")
    globs = [place + glob.escape(template).replace(WILDCARD, wild) for wild in ("*", "[0-9]*")]
    if len(files) == 1 and not find_days(files[0].name):
        globs.append(place + glob.escape(files[0].name))
    caught: list[list[Path]] = []
    for one in globs:
        if all(_matches(file, one, folder, folders) for file in files):
            caught.append([other for other in others if _matches(other, one, folder, folders)])
            if not caught[-1]:
                return one, []
    return globs[0], caught[0]


def _join_templates(templates: Sequence[str]) -> str:
    """One template for all: what their stems begin and end with, and a wildcard between."""
    parts = [_split_ending(one) for one in templates]
    stems, endings = sorted({stem for stem, _, _ in parts}), sorted({ending for _, _, ending in parts})
    stem = _find_common_start(stems)
    if len(stems) > 1:
        rest = [one[len(stem) :] for one in stems]
        stem += WILDCARD + _find_common_start([one[::-1] for one in rest])[::-1]
    ending = _find_common_start(endings) + (WILDCARD if len(endings) > 1 else "")
    if ending.lower() in WORKBOOK_ENDINGS:  # the platform's own, or as a person saved it
        ending = ending[: len("xls")] + WILDCARD
    return f"{BETWEEN.sub(WILDCARD, stem)}.{ending}"


def _find_common_start(texts: Sequence[str]) -> str:
    first, last = min(texts), max(texts)
    return first[: next((place for place, sign in enumerate(first) if last[place : place + 1] != sign), len(first))]


def _matches(file: Path, pattern: str, folder: Path, folders: Sequence[Path]) -> bool:
    if not file.is_relative_to(folder) or (folders == [folder] and file.parent != folder):
        return False
    return fnmatchcase(file.name, pattern.rpartition("/")[2])


def build_delivery_pattern(files: Sequence[Path], is_day_in_name: bool = False) -> str:
    """A regular expression with one group for the last day in the path of each file; empty if one has none.

    Where the day of the rows is that of the name, names of a period of several days are not matched.
    """
    names = [file.name if find_days(file.name) else f"{file.parent.name}/{file.name}" for file in files]
    days = [find_days(name) for name in names]
    if not all(days):
        return ""
    forms = {_describe_form(name[found[-1][1] : found[-1][2]]) for name, found in zip(names, days, strict=True)}
    form = forms.pop() if len(forms) == 1 else f"{SEPARATED}|{COMPACT}"
    tails = {
        re.sub(r"\d+", r"\\d+", re.escape(re.sub(r" ?\(\d+\)$", "", _split_ending(name)[0][found[-1][2] :])))
        for name, found in zip(names, days, strict=True)
    }
    tail = tails.pop() if len(tails) == 1 else "[^/]*"
    ends = tail + (ENDING if any("/" not in name for name in names) else r"[^/]*$")
    between = {name[found[-2][2] : found[-1][1]] for name, found in zip(names, days, strict=True) if len(found) > 1}
    if is_day_in_name and len(between) == 1:
        apart = re.escape(between.pop())
        behind = "" if "|" in form else f"(?<!{form}{apart})"
        patterns = [rf"{behind}({form})(?:{apart}\1)?{ends}"]
    else:
        patterns = [rf"({form}){ends}", rf"({form})(?!.*(?:{form}))"]
    for pattern in patterns:
        if all(
            read_delivery_day(pattern, file) in (found[-1][0], None if is_day_in_name else found[-1][0])
            for file, found in zip(files, days, strict=True)
        ):
            return pattern
    return ""


def _describe_form(written: str) -> str:
    if re.fullmatch(r"\d{8}", written):
        return COMPACT
    return re.sub(r"\d", r"\\d", re.escape(written)) if not re.fullmatch(SEPARATED, written) else SEPARATED


def read_delivery_day(pattern: str, file: Path) -> date | None:
    """The day that the pattern finds in the path of a file."""
    found = re.search(pattern, file.as_posix())
    try:
        return datetime.strptime(re.sub(r"\D", "", found[1]), "%Y%m%d").date() if found else None
    except ValueError:
        return None


def find_period(name: str) -> tuple[date, date] | None:
    """First and last day of a name that holds two different ones."""
    days = [day for day, _, _ in find_days(name)]
    return (days[0], days[-1]) if len(set(days)) > 1 else None
