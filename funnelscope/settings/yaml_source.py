"""YAML and JSON files that people write: every mistake is told with its file, line, key, value and the way out."""

import difflib
import json
import re
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NoReturn
from zoneinfo import available_timezones

import yaml
from pydantic import BaseModel
from pydantic_core import ErrorDetails, PydanticCustomError

KeyPath = tuple[str | int, ...]


class SettingsError(ValueError):
    """A file that people write is wrong; the text names file, line, key, value and the way out."""


def reject(path: KeyPath, found: object, message: str) -> NoReturn:
    """Raises for the key at `path` below the model that is being validated."""
    context = {"path": path, "found": repr(found), "text": message}
    raise PydanticCustomError("settings", "{text}", context)


def nearest(name: str, accepted: Sequence[str]) -> str:
    """The way out for a wrong name: the nearest accepted one, and all of them when they are few."""
    close = difflib.get_close_matches(name, accepted, n=1, cutoff=0.6)
    hint = f"did you mean {close[0]!r}? " if close else ""
    return f"{hint}accepted: {', '.join(accepted)}" if len(accepted) <= 40 else hint.strip()


@cache
def known_timezone(name: str) -> str:
    """The name, once it is known as a zone; looking through them takes a tenth of a second, so once a process."""
    if name != "UTC" and name not in (zones := available_timezones()):
        near = nearest(name, sorted(zones))
        reject((), name, f"is no IANA time zone such as Asia/Shanghai; {near}".rstrip("; "))
    return name


# The one in C is several times as quick; what is wrong with a text is said before by the one in Python.
_QuickLoader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Loader(_QuickLoader):
    """Leaves an impossible date as text, so that it is reported with its line like any other wrong value."""

    def construct_yaml_timestamp(self, node: yaml.ScalarNode) -> Any:
        try:
            return super().construct_yaml_timestamp(node)
        except ValueError:
            return node.value


_Loader.add_constructor("tag:yaml.org,2002:timestamp", _Loader.construct_yaml_timestamp)


class Document:
    """A YAML or JSON file that remembers the line of every key.

    Args:
        model: what the content is checked against; its keys are the ones that are suggested for an unknown key.
        below: the models of nested keys, by key.
        way_out: what to do where there is no such file.
    """

    def __init__(
        self, path: Path, model: type[BaseModel], below: Mapping[str, type[BaseModel]], way_out: str = ""
    ) -> None:
        self.path = path
        self._model = model
        self._below = below
        try:
            text = path.read_text(encoding="utf-8-sig")
        except FileNotFoundError:
            raise SettingsError(f"{path}: no such file. {way_out}".rstrip()) from None
        except (OSError, UnicodeDecodeError) as problem:
            raise SettingsError(f"{path}: cannot be read as UTF-8 text: {problem}") from None
        language = "JSON" if path.suffix == ".json" else "YAML"
        try:
            json_content = _as_json(text)
            if json_content is not None:
                text = text.replace("\t", " ")  # YAML, which remembers the lines, forbids the tabs that JSON allows
            self.root = yaml.compose(text, Loader=yaml.SafeLoader)
            self.content: Any = yaml.load(text, Loader=_Loader) if json_content is None else json_content
        except yaml.MarkedYAMLError as problem:
            mark = problem.problem_mark or problem.context_mark
            line = f", line {mark.line + 1}" if mark else ""
            raise SettingsError(f"{path}{line}: is not {language}: {problem.problem or problem.context}") from None
        except yaml.YAMLError as problem:
            raise SettingsError(f"{path}: is not {language}: {problem}") from None
        self._reject_repeated_keys(self.root)

    def mapping(self) -> dict[str, Any]:
        """The content as keys and values. Raises SettingsError where the file holds something else."""
        if not isinstance(self.content, dict):
            found = type(self.content).__name__ if self.content is not None else "nothing"
            raise SettingsError(f"{self.path}, line 1: wants keys and values such as 'name: value', found {found}")
        return dict(self.content)

    def problem(self, details: ErrorDetails) -> str:
        """One validation error in words."""
        context = details.get("ctx", {})
        path = tuple(part for part in details["loc"] if not _is_branch(part)) + tuple(context.get("path", ()))
        found: object = details["input"]
        match details["type"]:
            case "settings":
                return self._message(path, context["found"], context["text"])
            case "extra_forbidden":
                name = str(path[-1])
                return self._message(path, "", f"unknown key; {nearest(name, self._siblings(path))}")
            case "missing":
                return self._message(path, "", "is missing")
            case "tuple_type" | "list_type":
                return self._message(path, str(found), "wants a list" + (f": [{found}]" if _is_plain(found) else ""))
            case "model_type" | "dict_type":
                return self._message(path, str(found), "wants keys and values: {key: value}")
            case "literal_error" | "enum":
                accepted = re.findall(r"'([^']+)'", str(context["expected"]))
                near = nearest(str(found), accepted)
                return self._message(path, repr(found), f"is not accepted; {near}")
            case kind if kind.startswith("date_"):
                return self._message(path, repr(found), "is no date; write YYYY-MM-DD, such as 2026-06-01")
        words = details["msg"][0].lower() + details["msg"][1:]
        return self._message(path, repr(found), words)

    def message(self, path: KeyPath, found: object, text: str) -> str:
        return self._message(path, repr(found), text)

    def _message(self, path: KeyPath, found: str, text: str) -> str:
        key = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).lstrip(".")
        shown = found if len(found) <= 200 else found[:197] + "..."
        return f"{self.path}, line {self._line(path)}: {key}: {shown + ' ' if shown else ''}{text}"

    def _line(self, path: KeyPath) -> int:
        """Line (from 1) of the key at `path`, or of the nearest key above it."""
        node = self.root
        line: int = 1
        for part in path:
            if isinstance(node, yaml.MappingNode):
                for key, value in node.value:
                    if key.value == str(part):
                        line, node = key.start_mark.line + 1, value
                        break
                else:
                    return line
            elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
                node = node.value[part]
                line = node.start_mark.line + 1
            else:
                continue
        return line

    def _siblings(self, path: KeyPath) -> list[str]:
        """The keys that the model accepts where `path` has an unknown one."""
        model = self._model
        for part in path[:-1]:
            model = self._below.get(str(part), model)
        names = [field.alias or name for name, field in model.model_fields.items()]
        return [name for name in names if name != "home"]

    def _reject_repeated_keys(self, node: yaml.Node | None) -> None:
        if isinstance(node, yaml.SequenceNode):
            for value in node.value:
                self._reject_repeated_keys(value)
        if not isinstance(node, yaml.MappingNode):
            return
        seen: dict[str, int] = {}
        for key, value in node.value:
            line = key.start_mark.line + 1
            if key.value in seen:
                raise SettingsError(f"{self.path}, line {line}: {key.value}: also on line {seen[key.value]}; keep one")
            seen[key.value] = line
            self._reject_repeated_keys(value)


def _as_json(text: str) -> Any:
    """The content of a text that opens like JSON and is JSON; else None."""
    try:
        return json.loads(text) if text.lstrip().startswith("{") else None
    except ValueError:
        return None


def _is_plain(found: object) -> bool:
    return not isinstance(found, Mapping | Sequence) or isinstance(found, str)


def _is_branch(part: str | int) -> bool:
    """Whether a part of pydantic's location names a member of a union, not a key."""
    return isinstance(part, str) and bool(re.fullmatch(r"\[key\]|(function-.*|date|datetime|str)(\[.*)?", part))
