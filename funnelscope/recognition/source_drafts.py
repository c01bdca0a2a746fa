"""A layout's sources, as far as the files of a shop have their columns: users tick what they export."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from funnelscope.events.figures import FIGURES
from funnelscope.ingest.mapping.field_names import LINE_NUMBER
from funnelscope.ingest.readers.joined_files import JOINED
from funnelscope.recognition.header_names import find_name, is_pattern, list_alternatives, match_pattern, normalize_name
from funnelscope.recognition.layouts_read import DELIVERY_DATE, OWN_KEYS, Layout, list_expression_columns

INDISPENSABLE = ("event_time", "event_type", "event_id", "order_id", "conversation_id", "object")
"""Columns without which a source that declares them makes no sense."""
COUNTED = {"traffic": ("quantity",)}


@dataclass
class SourceDraft:
    """A source as funnelscope.yaml declares it, without its files. `left_out` are columns that the files lack."""

    declaration: dict[str, Any]
    left_out: list[str] = field(default_factory=list)

    @property
    def is_day_in_name(self) -> bool:
        """Whether the day of a row is that of the file."""
        expression = self.declaration.get("expressions", {}).get("event_time", "")
        return bool(expression) and DELIVERY_DATE in list_expression_columns(expression)


def draft_sources(
    layout: Layout,
    header: Sequence[str],
    other_names: Sequence[str],
    constants: Mapping[str, str],
    present_headers: Mapping[str, Sequence[str]],
) -> tuple[list[SourceDraft], list[str], list[str]]:
    """The layout's sources for files that have all of `header`; the names of those whose columns are missing, and of
    those whose events another layout of the shop tells.

    Args:
        other_names: names that only some of the files have. A source that cannot do without them is declared all the
            same: a day on which nothing was bought must not cost the purchases of the others.
        constants: what the names of the files say.
        present_headers: the layouts that the shop has, and what the files of each have in common.
    """
    drafts, missing, told_elsewhere = [], [], []
    for source in layout.sources:
        name = str(source.get("name") or source["family"])
        if any(other not in present_headers for other in source.get("beside", ())):
            continue
        if any(other in present_headers for other in source.get("unless", ())):
            told_elsewhere.append(name)
        elif draft := (
            _Resolver(layout, header, present_headers).draft(source, constants)
            or _Resolver(layout, [*header, *other_names], present_headers).draft(source, constants)
        ):
            drafts.append(draft)
        else:
            missing.append(name)
    declared = {one.declaration.get("name") for one in drafts}  # in another form, beside another report
    return drafts, missing, [name for name in told_elsewhere if name not in declared]


class _Resolver:
    """Finds what a layout names in a header."""

    def __init__(self, layout: Layout, header: Sequence[str], present_headers: Mapping[str, Sequence[str]]) -> None:
        self.layout = layout
        self.header = [name for name in header if name]
        self.present_headers = present_headers

    def draft(self, source: Mapping[str, Any], constants: Mapping[str, str]) -> SourceDraft | None:
        family = source["family"]
        given: dict[str, Any] = {key: value for key, value in source.items() if key not in OWN_KEYS}
        if "query" in given:  # whose columns are its own
            return SourceDraft(given)
        left_out: list[str] = []
        if "join" in given:
            given["join"] = self._find_join(**given["join"])
            if not given["join"]:
                return None
        columns = {column: self._find(wanted) for column, wanted in given.get("columns", {}).items()}
        expressions = {
            column: self._find_expression(wanted)
            for column, wanted in given.get("expressions", {}).items()
            if not columns.get(column)
        }
        constants = {**given.get("constants", {}), **constants}
        declared = {*columns, *expressions, *constants}
        found = {name for name in declared if columns.get(name) or expressions.get(name) or name in constants}
        for column in (name for name in declared if name not in found):
            if column in (*INDISPENSABLE, *COUNTED.get(family, ())):
                return None
            left_out.append(column)
        if family == "figure" and not any(name in FIGURES for name in found):
            return None
        for key in ("where",):
            if key in given and not (resolved := self._find_expression(given[key])):
                return None
            if key in given:
                given[key] = resolved
        if "event_types" in given:
            types = self._find_event_types(given["event_types"])
            if types is None:
                return None
            given["event_types"] = types
        given["columns"] = {name: value for name, value in columns.items() if value}
        given["expressions"] = {name: value for name, value in expressions.items() if value}
        given["constants"] = {
            name: value for name, value in constants.items() if not columns.get(name) and not expressions.get(name)
        }
        return SourceDraft({key: value for key, value in given.items() if value != {}}, sorted(left_out))

    def _find_join(self, layout: str, on: Any) -> dict[str, Any] | None:
        """The join with another layout, whose columns are from here on as good as own; None if there is no key."""
        other = [name for name in self.present_headers.get(layout, ()) if name]
        key, other_key = (
            self._find(on),
            next((name for one in list_alternatives(on) if (name := find_name(one, other))), ""),
        )
        if not key or not other_key:
            return None
        own = {normalize_name(name) for name in self.header}
        self.header += [name for name in other if normalize_name(name) not in own]
        self.header += [JOINED + name for name in other]
        return {"layout": layout, "on": key if key == other_key else {key: other_key}}

    def _find(self, wanted: Any) -> str:
        """The column of the header, or the field of one; empty if it has none of the alternatives."""
        for one in list_alternatives(wanted):
            if name := find_name(self.layout.resolve_alias(one), self.header):
                return name
            holder, dot, field = one.partition(".")
            if field and (name := find_name(holder, self.header)):
                return name + dot + field
        return ""

    def _find_expression(self, wanted: Any) -> str:
        """The first of the expressions whose columns are there, with the names of the header; empty if none is."""
        for expression in (str(one) for one in list_alternatives(wanted)):
            resolved: str | None = expression
            for column in list_expression_columns(expression):
                name = column if column in (DELIVERY_DATE, LINE_NUMBER) else self._find(column)
                if not name:
                    resolved = None
                    break
                if resolved and (column.startswith("$") or name.lower() != column.lower()):
                    resolved = resolved.replace(f'"{column}"', '"' + name.replace('"', '""') + '"')
            if resolved:
                return self._fill_groups(resolved)
        return ""

    def _fill_groups(self, expression: str) -> str:
        """The expression with `{name}` replaced by what the group in the pattern of that name found."""
        for alias, wanted in self.layout.names.items():
            for one in list_alternatives(wanted):
                name = find_name(one, self.header) if is_pattern(one) and f"{{{alias}}}" in expression else ""
                if name and (match := match_pattern(one, name)) and match.groups():
                    expression = expression.replace(f"{{{alias}}}", match[1] or "")
        return expression

    def _find_event_types(self, types: Any) -> Any:
        if not isinstance(types, dict):
            return types
        if "column" in types:
            name = self._find(types["column"])
            return {**types, "column": name} if name else None
        if "expression" in types:
            expression = self._find_expression(types["expression"])
            return {**types, "expression": expression} if expression else None
        return types


def list_common_header(headers: Sequence[Sequence[str]]) -> tuple[list[str], list[str]]:
    """The names that every header has, as the last writes them; and those that only some have."""
    kept = {normalize_name(name) for name in headers[0]}.intersection(
        *({normalize_name(name) for name in header} for header in headers)
    )
    every = {normalize_name(name): name for header in headers for name in header if name}
    return [name for name in headers[-1] if normalize_name(name) in kept], [
        name for normal, name in every.items() if normal not in kept
    ]
