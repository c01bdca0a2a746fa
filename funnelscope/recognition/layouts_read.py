"""Layouts: by what a report is known, and how it is mapped. One YAML file each, of the project or of the shop."""

import json
from collections.abc import Iterable, Iterator, Mapping
from functools import cache, cached_property
from importlib import resources
from pathlib import Path
from typing import Any, Literal

import duckdb
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from funnelscope.recognition.header_names import Alternatives, is_pattern, list_alternatives, normalize_name
from funnelscope.settings import Source
from funnelscope.settings.patterns import Pattern
from funnelscope.settings.yaml_source import SettingsError, YamlSource, reject

FOLDER_NAME = "layouts"
ENDINGS = (".yaml", ".yml")
DELIVERY_DATE = "delivery_date"
OWN_KEYS = ("unless", "beside")  # of a layout's source, beside those of a source in funnelscope.yaml
EXPRESSION_KEYS = ("where",)


class LayoutText(BaseModel):
    """Words for people, in each language."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    zh: str
    en: str

    @model_validator(mode="before")
    @classmethod
    def _one_text_is_both(cls, given: Any) -> Any:
        return {"zh": given, "en": given} if isinstance(given, str) else given

    def say(self, language: str) -> str:
        """The words in a language."""
        return self.zh if language == "zh" else self.en


class Layout(BaseModel):
    """A report of a platform: by what it is known, and the sources that read it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field("", description="of the file, without its ending")
    title: LayoutText
    columns: tuple[str | tuple[str, ...], ...] = Field(min_length=1, description="names that its header must have")
    without: tuple[str, ...] = Field((), description="names that only other reports have")
    file_names: str = Field("", description="regular expression that names of such files usually match")
    values: dict[str, str] = Field({}, description="column to a regular expression that its values match")
    formats: tuple[Literal["csv", "xlsx", "jsonl", "parquet"], ...] = ("csv", "xlsx")
    language: Literal["zh", "en"] = Field("en", description="of its users; zh also means Asia/Shanghai and CNY")
    names: dict[str, str | tuple[str, ...]] = Field(
        {}, description="own name to names in the header, of which one is there; written as $name in sources"
    )
    dates: tuple[str, ...] = Field((), description="columns that hold days, if no source has one as event_time")
    shop: tuple[str, ...] = Field((), description="columns that name the shop")
    currency: tuple[str, ...] = Field((), description="columns that name the currency")
    from_file_name: dict[str, str] = Field({}, description="constant to a regular expression that finds it in the name")
    link: dict[str, str] = Field({}, description="column to a regular expression of values that lead to a visit")
    report: str = Field("", description="one word for all layouts that tell of the same, of which one is read")
    note: LayoutText | None = Field(None, description="what a user should know")
    sources: tuple[dict[str, Any], ...] = Field((), description="as in funnelscope.yaml, without files; may be none")

    @field_validator("file_names")
    @classmethod
    def _pattern(cls, pattern: str) -> str:
        return _check_pattern(pattern)

    @field_validator("values", "from_file_name", "link")
    @classmethod
    def _patterns(cls, patterns: dict[str, str]) -> dict[str, str]:
        for key, pattern in patterns.items():
            _check_pattern(pattern, key)
        return patterns

    @model_validator(mode="after")
    def _names_can_be_sought(self) -> "Layout":
        for position, wanted in enumerate(self.columns):
            for one in list_alternatives(wanted):
                if is_pattern(one):
                    _check_pattern(one[1:-1], "columns", position)
        return self

    @cached_property
    def known_names(self) -> frozenset[str]:
        """Every name that the layout looks for in a header, normalised."""
        mapped = [wanted for source in self.sources for wanted in source.get("columns", {}).values()]
        found = {one for wanted in (*self.columns, *mapped, *self.names.values()) for one in list_alternatives(wanted)}
        return frozenset(map(normalize_name, found))

    @property
    def required(self) -> list[Alternatives]:
        """The columns that the header must have, with the names for `$name`."""
        return [self.resolve_alias(wanted) for wanted in self.columns]

    def resolve_alias(self, wanted: Alternatives) -> Alternatives:
        """The names in a header that `$name` stands for, or those given."""
        if isinstance(wanted, str) and wanted.startswith("$"):
            return self.names[wanted[1:]]
        return wanted


def _check_pattern(pattern: str, *path: str | int) -> str:
    try:
        Pattern(pattern)
    except ValueError as problem:
        reject(path, pattern, f"is not a regular expression: {problem}")
    return pattern


def load_layouts(own_folders: Iterable[Path] = ()) -> dict[str, Layout]:
    """The project's layouts by name, and those of the folders; one of the same name takes the project's place.

    Raises:
        SettingsError: a layout is wrong; the text names file and line of each error.
    """
    layouts = dict(_load_built_in())
    for folder in own_folders:
        for path in sorted(folder.iterdir()):
            if path.suffix in ENDINGS and not path.name.startswith((".", "_")):
                layouts[path.stem] = read_layout(path)
    return layouts


@cache
def _load_built_in() -> dict[str, Layout]:
    folder = resources.files("funnelscope.recognition") / FOLDER_NAME
    import yaml

    return {
        Path(file.name).stem: Layout.model_validate(
            {"name": Path(file.name).stem, **yaml.load(file.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)}
        )
        for file in sorted(folder.iterdir(), key=lambda file: file.name)
    }


class _Sources(BaseModel):
    """The sources of a layout as a shop would declare them."""

    sources: tuple[Source, ...]


_MODELS_BELOW: dict[str, type[BaseModel]] = {"sources": Source}


def read_layout(path: Path) -> Layout:
    """A layout that a user wrote, checked as strictly as funnelscope.yaml.

    Raises:
        SettingsError: names file, line, key and remedy of each error.
    """
    document = YamlSource(path, Layout, _MODELS_BELOW)
    content = document.mapping()
    try:
        layout = Layout.model_validate({"name": path.stem, **content})
        declared = [flatten_source(layout, source) for source in layout.sources]
        _Sources.model_validate(
            {"sources": [{"attach" if "query" in one else "files": "*", **one} for one in declared]}
        )
    except ValidationError as error:
        raise SettingsError(*(document.problem(details) for details in error.errors())) from None
    except KeyError as missing:
        words = "stands for no name; write it under names, or without $"
        raise SettingsError(document.message(("sources",), f"${missing.args[0]}", words)) from None
    return layout


def flatten_source(layout: Layout, source: Mapping[str, Any]) -> dict[str, Any]:
    """A layout's source with the first of all alternatives, as if every column were there."""
    flat: dict[str, Any] = {key: value for key, value in source.items() if key not in OWN_KEYS}
    for key in EXPRESSION_KEYS:
        if key in flat:
            flat[key] = _take_first(layout, flat[key])
    for field in ("columns", "expressions"):
        if isinstance(flat.get(field), dict):
            flat[field] = {column: _take_first(layout, wanted) for column, wanted in flat[field].items()}
    for field, others in (("expressions", ("columns",)), ("constants", ("columns", "expressions"))):
        if isinstance(flat.get(field), dict):  # what a column has first is said otherwise only where it is missing
            taken = {name for other in others for name in flat.get(other) or {}}
            flat[field] = {column: value for column, value in flat[field].items() if column not in taken}
    if isinstance(flat.get("join"), dict):  # the files of another layout, which only a folder has
        flat["join"] = {"files": "*", "on": _take_first(layout, flat["join"].get("on", ""))}
    types = flat.get("event_types")
    if isinstance(types, dict):
        flat["event_types"] = {
            key: _take_first(layout, value) if key in ("column", "expression") else value
            for key, value in types.items()
        }
    return flat


def _take_first(layout: Layout, wanted: Any) -> Any:
    first = wanted[0] if isinstance(wanted, list | tuple) and wanted else wanted
    if isinstance(first, str) and first.startswith("$"):
        return list_alternatives(layout.resolve_alias(first))[0]
    return first


@cache
def _open_scratch() -> duckdb.DuckDBPyConnection:
    return duckdb.connect(config={"threads": 1})


@cache
def list_expression_columns(expression: str) -> frozenset[str]:
    """The columns that a SQL expression reads, without the parameters of its lambdas."""
    row = _open_scratch().execute("select json_serialize_sql($1)", [f"select ({expression}\n)"]).fetchone()
    tree = json.loads(row[0]) if row else {}
    found = {name for kind, name in _walk_references(tree) if kind == "column"}
    return frozenset(found - {name for kind, name in _walk_references(tree) if kind == "parameter"})


def _walk_references(value: Any, is_parameter: bool = False) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        if value.get("class") == "COLUMN_REF":
            yield "parameter" if is_parameter else "column", value["column_names"][0]
        for key, inner in value.items():
            yield from _walk_references(inner, is_parameter or (value.get("class") == "LAMBDA" and key == "lhs"))
    elif isinstance(value, list):
        for inner in value:
            yield from _walk_references(inner, is_parameter)
