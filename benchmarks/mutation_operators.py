"""Small faults that a source file can be given, one at a time: in Python by its syntax tree, in SQL by its tokens.

SQL inside Python strings is given the faults of SQL. Docstrings, annotations and messages are left alone.
"""

import ast
import copy
import io
import re
import tokenize
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import duckdb
import sqlglot
from sqlglot.errors import SqlglotError
from sqlglot.tokens import Token, TokenType

FRACTION_FACTOR = 1.5
"""A constant that is no whole number is multiplied by this; a whole one moves by one."""


@dataclass(frozen=True)
class Mutation:
    """`text[start:end]` of a file becomes `replacement`; `start` and `end` count characters."""

    operator: str
    start: int
    end: int
    replacement: str

    def apply(self, text: str) -> str:
        return text[: self.start] + self.replacement + text[self.end :]

    def line(self, text: str) -> int:
        """The line, from 1, on which the change begins."""
        return text.count("\n", 0, self.start) + 1

    def lines_before_and_after(self, text: str) -> tuple[str, str]:
        """The lines that the change touches as they were and as they become, each as one line of text."""
        first = text.rfind("\n", 0, self.start) + 1
        last = text.find("\n", self.end)
        last = len(text) if last < 0 else last
        after = text[first : self.start] + self.replacement + text[self.end : last]
        return " ".join(text[first:last].split()), " ".join(after.split())


def list_mutations(name: str, text: str) -> list[Mutation]:
    """Every fault that the file can be given, in the order of the text; `is_readable` says which to keep."""
    found = _sql_mutations(text) if name.endswith(".sql") else (*_python_mutations(text), *_embedded_sql(text))
    return sorted(set(found), key=lambda each: (each.start, each.end, each.operator, each.replacement))


def is_readable(name: str, text: str) -> bool:
    """Whether the text of a file is still SQL or Python: what no program can read proves nothing of its tests."""
    try:
        if name.endswith(".sql"):
            return len(duckdb.extract_statements(text)) == 1
        compile(text, name, "exec")
    except (SyntaxError, duckdb.Error):
        return False
    return True


# --- Python --------------------------------------------------------------------------------------

_COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
}
_ARITHMETIC: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
}
_EXTREMES = {"min": "max", "max": "min", "minimum": "maximum", "maximum": "minimum", "argmin": "argmax"}
_EXTREMES |= {"argmax": "argmin", "idxmax": "idxmin", "idxmin": "idxmax"}
_DEFAULTS = {"bool": ("False", "True"), "int": ("0",), "float": ("0.0",), "str": ('""',), "list": ("[]",)}
_DEFAULTS |= {"dict": ("{}",), "tuple": ("()",), "set": ("set()",)}


def _python_mutations(text: str) -> Iterator[Mutation]:
    offsets = _Offsets(text)
    for node in _walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef):
            yield from _early_returns(node, offsets)
        for operator, changed, new in _changes(node):
            yield Mutation(operator, *offsets.span(changed), f"({ast.unparse(new)})")


class _Offsets:
    """Turns the positions of nodes, which count bytes, into offsets of characters."""

    def __init__(self, text: str) -> None:
        self.lines = text.splitlines(keepends=True)
        self.starts = [0]
        for line in self.lines:
            self.starts.append(self.starts[-1] + len(line))

    def span(self, node: ast.expr | ast.stmt) -> tuple[int, int]:
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        return self.at(node.lineno, node.col_offset), self.at(node.end_lineno, node.end_col_offset)

    def at(self, line: int, column: int) -> int:
        return self.starts[line - 1] + len(self.lines[line - 1].encode()[:column].decode())


def _walk(node: ast.AST) -> Iterator[ast.AST]:
    """All nodes but annotations and what stands inside of formatted strings."""
    yield node
    if isinstance(node, ast.JoinedStr):
        return
    for name, value in ast.iter_fields(node):
        if name in ("annotation", "returns", "decorator_list"):
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST):
                yield from _walk(child)


def _changes(node: ast.AST) -> Iterator[tuple[str, ast.expr, ast.expr]]:
    """(operator, expression to change, what it becomes)."""
    if isinstance(node, ast.Compare):
        for number, comparison in enumerate(node.ops):
            new = copy.deepcopy(node)
            new.ops[number] = _COMPARISONS[type(comparison)]()
            yield "flip a comparison", node, new
    elif isinstance(node, ast.BoolOp):
        for number in range(len(node.values)):
            rest = [value for other, value in enumerate(node.values) if other != number]
            yield "drop an operand", node, rest[0] if len(rest) == 1 else ast.BoolOp(node.op, rest)
    elif isinstance(node, ast.BinOp):
        yield from _arithmetic_changes(node)
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        yield "drop a not", node, node.operand
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        yield "drop a minus", node, node.operand
    elif isinstance(node, ast.Call):
        yield from _extreme_changes(node)
    elif isinstance(node, ast.Constant):
        yield from (("shift a constant", node, ast.Constant(value)) for value in _shifted(node.value))
    if isinstance(node, ast.If | ast.IfExp | ast.While) and not _is_negated_by_a_flip(node.test):
        yield "negate a condition", node.test, ast.UnaryOp(ast.Not(), node.test)
    if isinstance(node, ast.comprehension):
        yield from (("drop a filter", condition, ast.Constant(True)) for condition in node.ifs)


def _is_negated_by_a_flip(test: ast.expr) -> bool:
    """Whether dropping `not`, or flipping its one comparison, negates the condition already."""
    is_order = isinstance(test, ast.Compare) and isinstance(test.ops[0], ast.Lt | ast.LtE | ast.Gt | ast.GtE)
    return isinstance(test, ast.UnaryOp) or (isinstance(test, ast.Compare) and not is_order)


def _arithmetic_changes(node: ast.BinOp) -> Iterator[tuple[str, ast.expr, ast.expr]]:
    if isinstance(node.op, ast.BitAnd | ast.BitOr):
        yield from (("drop an operand", node, side) for side in (node.left, node.right))
    is_text = any(
        isinstance(side, ast.JoinedStr) or (isinstance(side, ast.Constant) and isinstance(side.value, str))
        for side in (node.left, node.right)
    )
    if type(node.op) in _ARITHMETIC and not is_text:
        yield "swap an arithmetic operator", node, ast.BinOp(node.left, _ARITHMETIC[type(node.op)](), node.right)


def _extreme_changes(node: ast.Call) -> Iterator[tuple[str, ast.expr, ast.expr]]:
    called = node.func
    if isinstance(called, ast.Name) and called.id in _EXTREMES:
        yield "swap min and max", called, ast.Name(_EXTREMES[called.id])
    if isinstance(called, ast.Attribute) and called.attr in _EXTREMES:
        yield "swap min and max", called, ast.Attribute(called.value, _EXTREMES[called.attr])


def _shifted(value: object) -> tuple[int | float, ...]:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return ()
    return (value + 1, value - 1) if value == int(value) else (value * FRACTION_FACTOR,)


def _early_returns(function: ast.FunctionDef, offsets: _Offsets) -> Iterator[Mutation]:
    has_docstring = ast.get_docstring(function) is not None
    body = function.body[1:] if has_docstring else function.body
    if not body or function.returns is None or isinstance(body[0], ast.Raise):
        return
    kind = ast.unparse(function.returns)
    defaults = _DEFAULTS.get(kind.split("[")[0].split(" |")[0], ())
    if kind.endswith("| None"):
        defaults = ("None",)
    start = offsets.span(body[0])[0]
    for default in defaults:
        if ast.unparse(body[0]) != f"return {default}":
            yield Mutation("return early", start, start, f"return {default}\n{' ' * body[0].col_offset}")


# --- SQL -----------------------------------------------------------------------------------------

_LOOKS_LIKE_SQL = re.compile(r"\b(select|from \w+\.|where|filter \(|group by|order by|sum\(|count\(|between \$)")
_TYPE_WITH_SIZE = re.compile(r"\b(decimal|numeric)\([\d, ]*$", re.IGNORECASE)
_FORMATTED = re.compile(r"\{[^{}]*\}")
_FLIPPED = {
    TokenType.LT: "<=",
    TokenType.LTE: "<",
    TokenType.GT: ">=",
    TokenType.GTE: ">",
    TokenType.EQ: "!=",
    TokenType.NEQ: "=",
}
_SQL_EXTREMES = {"min": "max", "max": "min", "arg_min": "arg_max", "arg_max": "arg_min"}
_SQL_EXTREMES |= {"least": "greatest", "greatest": "least", "min_by": "max_by", "max_by": "min_by"}
_SQL_ARITHMETIC = {TokenType.PLUS: "-", TokenType.DASH: "+", TokenType.STAR: "/", TokenType.SLASH: "*"}
_STARTERS = {"WHERE", "ON", "HAVING", "QUALIFY", "WHEN"}
_ENDS = {"AND", "OR", "WHEN", "THEN", "ELSE", "END", "GROUP", "GROUP BY", "ORDER", "ORDER BY", "HAVING", "QUALIFY"}
_ENDS |= {"WINDOW", "LIMIT", "UNION", "EXCEPT", "INTERSECT", "INNER", "ANTI", "SEMI", "FULL", "CROSS", "JOIN"}
_ENDS |= {"AS", "FROM", "WHERE", "SELECT", "ASOF", ",", ";"}


def _embedded_sql(text: str) -> Iterator[Mutation]:
    """The faults of SQL in the strings of a Python file, docstrings left out."""
    offsets = _Offsets(text)
    documentation = {
        node.body[0].lineno
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.Module) and ast.get_docstring(node) is not None
    }
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        is_text = token.type == tokenize.STRING and token.start[0] not in documentation
        if is_text and _LOOKS_LIKE_SQL.search(token.string):
            opening = re.match(r"[a-zA-Z]*('''|\"\"\"|'|\")", token.string)
            assert opening is not None
            start = offsets.starts[token.start[0] - 1] + token.start[1] + opening.end()
            end = offsets.starts[token.end[0] - 1] + token.end[1] - len(opening[1])
            for each in _sql_mutations(_FORMATTED.sub(lambda part: "v" * len(part[0]), text[start:end])):
                if "vv" not in each.replacement:  # it would repeat what a placeholder stands for
                    yield Mutation(each.operator, each.start + start, each.end + start, each.replacement)


def _sql_mutations(text: str) -> Iterator[Mutation]:
    try:
        tokens = sqlglot.tokenize(text, read="duckdb")
    except SqlglotError:
        return
    for number, token in enumerate(tokens):
        before = tokens[number - 1] if number else None
        after = tokens[number + 1] if number + 1 < len(tokens) else None
        if token.token_type is TokenType.NUMBER:
            if not _TYPE_WITH_SIZE.search(text[: token.start]):
                values = _shifted(float(token.text))
                yield from (Mutation("shift a constant", token.start, token.end + 1, f"{new:g}") for new in values)
        else:
            yield from _token_mutations(token, before, after)
        if _word(token) in _STARTERS | {"AND", "OR"} and not _is_of_between(tokens, number):
            yield from _dropped_conditions(text, tokens, number)
        if _word(token) == "FILTER" and after and after.token_type is TokenType.L_PAREN:
            end = _closing(tokens, number + 1)
            if end:
                yield Mutation("drop a filter", token.start, tokens[end].end + 1, "")


def _word(token: Token | None) -> str:
    return token.text.upper() if token and token.token_type is not TokenType.STRING else ""


def _token_mutations(token: Token, before: Token | None, after: Token | None) -> Iterator[Mutation]:
    def change(operator: str, replacement: str, first: Token = token, last: Token = token) -> Mutation:
        return Mutation(operator, first.start, last.end + 1, replacement)

    kind, word, is_called = token.token_type, _word(token), after is not None and after.text == "("
    if kind in _FLIPPED:
        yield change("flip a comparison", _FLIPPED[kind])
    elif word == "BETWEEN" and _word(before) != "NOT":
        yield change("negate a condition", "not between")
    elif word == "NOT":
        yield change("drop a not", "")
    elif word == "IS" and _word(after) != "NOT":
        yield change("negate a condition", "is not")
    elif kind in _SQL_ARITHMETIC and before and _ends_a_value(before):
        yield change("swap an arithmetic operator", _SQL_ARITHMETIC[kind])
    elif kind is TokenType.DASH:
        yield change("drop a minus", "")
    elif word.lower() in _SQL_EXTREMES and is_called:
        yield change("swap min and max", _SQL_EXTREMES[word.lower()])
    elif word.startswith(("OBSERVED_", "REACHED_")):
        old, new = ("observed_", "reached_") if word.startswith("OBSERVED_") else ("reached_", "observed_")
        yield change("swap observed and reached", new + token.text[len(old) :])
    elif word == "DISTINCT" and before and before.text == "(":
        yield change("drop a distinct", "")
    elif word in ("INNER", "LEFT") and _word(after) == "JOIN":
        yield change("swap inner and left join", "left" if word == "INNER" else "inner")
    elif word == "DESC":
        yield change("reverse an order", "asc")


def _ends_a_value(token: Token) -> bool:
    words = {"SELECT", "DISTINCT", "AND", "OR", "WHEN", "THEN", "ELSE", "BETWEEN", "BY", "WHERE", "ON", "NOT"}
    kinds = {TokenType.R_PAREN, TokenType.NUMBER, TokenType.STRING, TokenType.R_BRACKET}
    is_name = re.fullmatch(r"\$?\w+", token.text) is not None and token.text.upper() not in words
    return token.token_type in kinds or is_name


def _is_of_between(tokens: Sequence[Token], number: int) -> bool:
    """Whether this `and` belongs to a `between`."""
    if _word(tokens[number]) != "AND":
        return False
    depth = 0
    for token in reversed(tokens[:number]):
        depth += (token.text == ")") - (token.text == "(")
        if depth < 0 or (depth == 0 and _word(token) in _STARTERS | {"AND", "OR"}):
            return False
        if depth == 0 and _word(token) == "BETWEEN":
            return True
    return False


def _dropped_conditions(text: str, tokens: Sequence[Token], number: int) -> Iterator[Mutation]:
    """Without the condition after `and`, `or`, `where`, …: with its conjunction, or as one that always holds."""
    token, last = tokens[number], _end_of_condition(tokens, number + 1)
    if last is None:
        return
    following = tokens[last + 1] if last + 1 < len(tokens) else None
    if _word(token) in ("AND", "OR"):
        yield Mutation("drop an operand", token.start, tokens[last].end + 1, "")
    elif _word(following) in ("AND", "OR"):
        assert following is not None
        yield Mutation("drop an operand", tokens[number + 1].start, following.end + 1, "")
    elif _word(token) == "WHEN":
        yield Mutation("negate a condition", *_negated(text, tokens[number + 1], tokens[last]))
    elif _word_at(tokens, number - 2) != "FILTER":  # that one is dropped as a whole
        yield Mutation("drop a filter", tokens[number + 1].start, tokens[last].end + 1, "true")


def _negated(text: str, first: Token, last: Token) -> tuple[int, int, str]:
    return first.start, last.end + 1, f"not ({text[first.start : last.end + 1]})"


def _end_of_condition(tokens: Sequence[Token], first: int) -> int | None:
    """The last token of the condition that begins with `first`; None where there is none."""
    depth, cases, between = 0, 0, 0
    for number in range(first, len(tokens)):
        token, word = tokens[number], _word(tokens[number])
        if depth == 0 and token.text == ")":
            return number - 1 if number > first else None
        depth += (token.text == "(") - (token.text == ")")
        if depth:
            continue
        if word == "CASE":
            cases += 1
        elif word == "END" and cases:
            cases -= 1
        elif word == "BETWEEN":
            between += 1
        elif word == "AND" and between:
            between -= 1
        elif not cases and (word in _ENDS or (word == "LEFT" and _word_at(tokens, number + 1) == "JOIN")):
            is_distinct_from = word == "FROM" and _word_at(tokens, number - 1) == "DISTINCT"
            if not is_distinct_from:
                return number - 1 if number > first else None
    return len(tokens) - 1 if len(tokens) > first else None


def _word_at(tokens: Sequence[Token], number: int) -> str:
    return _word(tokens[number]) if 0 <= number < len(tokens) else ""


def _closing(tokens: Sequence[Token], opening: int) -> int | None:
    depth = 0
    for number in range(opening, len(tokens)):
        depth += (tokens[number].text == "(") - (tokens[number].text == ")")
        if depth == 0:
            return number
    return None
