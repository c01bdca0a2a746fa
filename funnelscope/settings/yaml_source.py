"""YAML and JSON files that people write. Each error names file, line, key and value, and says how to correct it."""

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

from funnelscope.messages.check_observations import LocalizedMessage
from funnelscope.messages.secrets import hide_secrets

KeyPath = tuple[str | int, ...]

MOST_VALUES = 100_000  # in a file that people write, aliases unfolded


class SettingsError(ValueError):
    """A file that people write is wrong. The text names file, line, key and value, and says how to correct it.

    Each of the `messages` is a line; as a string, the error is in English.
    """

    def __init__(self, *messages: str) -> None:
        super().__init__("\n".join(messages))
        self.messages = messages

    def say_in(self, language: str) -> str:
        """The text in a language, as far as its sentences are known in it."""
        return "\n".join(say_in_language(each, language) for each in self.messages)


def say_in_language(text: str, language: str) -> str:
    """The text in a language, if it is known in others than its own."""
    return text.say_in(language) if isinstance(text, LocalizedMessage) else text


def reject(path: KeyPath, found: object, message: str) -> NoReturn:
    """Raises an error for the key at `path` below the model that is being validated."""
    context = {"path": path, "found": repr(found), "text": message}
    raise PydanticCustomError("settings", "{text}", context)


def suggest_nearest(name: str, accepted: Sequence[str]) -> str:
    """A suggestion for a wrong name: the nearest accepted one, and all accepted ones if there are at most 40."""
    close = difflib.get_close_matches(name, accepted, n=1, cutoff=0.6)
    values = {"nearest": repr(close[0])} if close else {}
    if len(accepted) <= 40:
        key = "nearest_of_accepted" if close else "accepted_names"
        return LocalizedMessage(key, accepted=", ".join(accepted), **values)
    return LocalizedMessage("did_you_mean", **values) if close else ""


@cache
def check_timezone(name: str) -> str:
    """`name`, if it is a known time zone. Cached, because listing all zones takes a tenth of a second."""
    if name != "UTC" and name not in (zones := available_timezones()):
        near = suggest_nearest(name, sorted(zones))
        reject(
            (), name, LocalizedMessage("no_time_zone", near=near) if near else LocalizedMessage("no_time_zone_alike")
        )
    return name


# The C loader is several times faster. The Python loader reports mistakes in the text.
_QuickLoader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Loader(_QuickLoader):
    """Keeps an impossible date as text, so that it is reported with its line like any other wrong value."""

    def construct_yaml_timestamp(self, node: yaml.ScalarNode) -> Any:
        try:
            return super().construct_yaml_timestamp(node)
        except ValueError:
            return node.value


_Loader.add_constructor("tag:yaml.org,2002:timestamp", _Loader.construct_yaml_timestamp)


class YamlSource:
    """A YAML or JSON file that remembers the line of every key.

    Args:
        model: the model that validates the content; its keys are suggested for an unknown key.
        below: the models of nested keys, by key.
        way_out: what to do if the file does not exist.

    Raises:
        SettingsError: the file is missing, unreadable, not YAML or JSON, or repeats a key.
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
            missing = LocalizedMessage("no_such_file", file=str(path))
            raise SettingsError(
                LocalizedMessage("two_sentences", first=missing, second=way_out) if way_out else missing
            ) from None
        except (OSError, UnicodeDecodeError) as problem:
            raise SettingsError(LocalizedMessage("no_utf_8", file=str(path), error=str(problem))) from None
        language = "JSON" if path.suffix == ".json" else "YAML"
        try:
            json_content = _parse_json(text)
            if json_content is not None:
                text = text.replace("\t", " ")  # the line numbers come from YAML, which forbids tabs
            self.root = _compose(text)
            _refuse_unfolding(self.root)
            self.content: Any = yaml.load(text, Loader=_Loader) if json_content is None else json_content
        except yaml.MarkedYAMLError as problem:
            mark = problem.problem_mark or problem.context_mark
            told = {"format": language, "error": str(problem.problem or problem.context)}
            raise SettingsError(
                LocalizedMessage("line_is_not_of_format", file=str(path), line=mark.line + 1, **told)
                if mark
                else LocalizedMessage("is_not_of_format", file=str(path), **told)
            ) from None
        except yaml.YAMLError as problem:
            message = LocalizedMessage("is_not_of_format", file=str(path), format=language, error=str(problem))
            raise SettingsError(message) from None
        except RecursionError:
            raise SettingsError(LocalizedMessage("nested_too_deeply", file=str(path))) from None
        self._reject_repeated_keys(self.root)

    def mapping(self) -> dict[str, Any]:
        """The content as keys and values. Raises SettingsError if the file holds anything else."""
        if not isinstance(self.content, dict):
            found = type(self.content).__name__ if self.content is not None else "nothing"
            raise SettingsError(LocalizedMessage("must_hold_keys", file=str(self.path), found=found))
        return dict(self.content)

    def problem(self, details: ErrorDetails) -> str:
        """The text of one validation error."""
        context = details.get("ctx", {})
        path = tuple(part for part in details["loc"] if not _is_branch(part)) + tuple(context.get("path", ()))
        found: object = details["input"]
        match details["type"]:
            case "settings":
                return self._message(path, context["found"], context["text"])
            case "extra_forbidden":
                near = suggest_nearest(str(path[-1]), self._siblings(path))
                return self._message(path, "", LocalizedMessage("unknown_key", near=near))
            case "missing":
                return self._message(path, "", LocalizedMessage("key_is_missing"))
            case "tuple_type" | "list_type":
                text = (
                    LocalizedMessage("must_be_list_such_as", example=hide_secrets(f"[{found}]"))
                    if _is_plain(found)
                    else LocalizedMessage("must_be_list")
                )
                return self._message(path, str(found), text)
            case "model_type" | "dict_type":
                return self._message(path, str(found), LocalizedMessage("must_be_keys"))
            case "literal_error" | "enum":
                accepted = re.findall(r"'([^']+)'", str(context["expected"]))
                near = suggest_nearest(str(found), accepted)
                return self._message(path, repr(found), LocalizedMessage("not_accepted", near=near))
            case kind if kind.startswith("date_"):
                return self._message(path, repr(found), LocalizedMessage("no_date"))
        words = details["msg"][0].lower() + details["msg"][1:]
        return self._message(path, repr(found), words)

    def message(self, path: KeyPath, found: object, text: str) -> str:
        """The text of an error that the caller found at `path`: file, line, key, value and `text`."""
        return self._message(path, repr(found), text)

    def _message(self, path: KeyPath, found: str, text: str) -> str:
        key = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).lstrip(".")
        found = hide_secrets(found)
        text = text if isinstance(text, LocalizedMessage) else hide_secrets(text)
        shown = found if len(found) <= 200 else found[:197] + "..."
        place: dict[str, str | int] = {"file": str(self.path), "line": self.find_line(path), "key": key}
        if not shown:
            return LocalizedMessage("at_key", problem=text, **place)
        return LocalizedMessage("at_key_found", found=shown, problem=text, **place)

    def find_line(self, path: KeyPath) -> int:
        """Line (from 1) of the key at `path`, or of its nearest parent. A merged key (`<<`) is where it was written."""
        node = self.root
        line: int = 1
        for part in path:
            if isinstance(node, yaml.MappingNode):
                found = _find_key(node, str(part))
                if found is None:
                    return line
                line, node = found
            elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
                node = node.value[part]
                line = node.start_mark.line + 1
            else:
                continue
        return line

    def _siblings(self, path: KeyPath) -> list[str]:
        """The keys that the model accepts in place of the unknown key at `path`."""
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
                told = {"key": str(key.value), "line": line, "first": seen[key.value]}
                raise SettingsError(LocalizedMessage("key_stands_twice", file=str(self.path), **told))
            seen[key.value] = line
            self._reject_repeated_keys(value)


def _refuse_unfolding(root: yaml.Node | None) -> None:
    """Refuses aliases that contain themselves, or that repeat each other to more values than any settings have.

    Raises:
        yaml.MarkedYAMLError: names the line.
    """
    sizes: dict[int, int] = {}
    open_nodes: set[int] = set()

    def measure(node: yaml.Node) -> int:
        if id(node) in open_nodes:
            raise yaml.MarkedYAMLError(problem="an alias (*) contains itself", problem_mark=node.start_mark)
        if id(node) not in sizes:
            open_nodes.add(id(node))
            parts = node.value if isinstance(node, yaml.CollectionNode) else ()
            inner = [each for part in parts for each in (part if isinstance(part, tuple) else (part,))]
            sizes[id(node)] = 1 + sum(measure(each) for each in inner)
            open_nodes.discard(id(node))
        if sizes[id(node)] > MOST_VALUES:
            text = f"aliases (*) unfold into more than {MOST_VALUES:,} values; write the repeated part out once"
            raise yaml.MarkedYAMLError(problem=text, problem_mark=node.start_mark)
        return sizes[id(node)]

    if root is not None:
        measure(root)


def _find_key(node: yaml.MappingNode, name: str) -> tuple[int, yaml.Node] | None:
    """Line and value of a key: the node's own, else one that `<<` merges into it."""
    for key, value in node.value:
        if key.value == name:
            return key.start_mark.line + 1, value
    merged = [value for key, value in node.value if key.value == "<<"]
    merged = [one for value in merged for one in (value.value if isinstance(value, yaml.SequenceNode) else [value])]
    return next((found for one in merged if (found := _find_key(one, name))), None)


def _compose(text: str) -> Any:
    try:
        return yaml.compose(text, Loader=_QuickLoader)
    except yaml.YAMLError:
        return yaml.compose(text, Loader=yaml.SafeLoader)  # its words for a mistake are better


def _parse_json(text: str) -> Any:
    """The content of a text that looks like JSON and is JSON; else None."""
    try:
        return json.loads(text) if text.lstrip().startswith("{") else None
    except ValueError:
        return None


def _is_plain(found: object) -> bool:
    return not isinstance(found, Mapping | Sequence) or isinstance(found, str)


def _is_branch(part: str | int) -> bool:
    """Whether a part of a pydantic location names a member of a union rather than a key."""
    return isinstance(part, str) and bool(re.fullmatch(r"\[key\]|(function-.*|date|datetime|str)(\[.*)?", part))
