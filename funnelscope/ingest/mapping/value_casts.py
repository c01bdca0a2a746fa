"""SQL that reads the text of a delivered value. It removes what exports put around values, and nothing else.

An ambiguous value is not read: the result is NULL, and the row goes to quarantine with its value.
"""

from funnelscope.events.schema import BLANKS, Kind
from funnelscope.warehouse.quoting import quote_literal

# How people write a currency. A sign of another currency is never accepted: its amounts must not be mixed in.
CURRENCY_SIGNS = {
    "AUD": ("$", "A$"),
    "CAD": ("$", "C$"),
    "CNY": ("¥", "￥", "元", "RMB", "人民币"),
    "EUR": ("€",),
    "GBP": ("£",),
    "HKD": ("$", "HK$"),
    "INR": ("₹",),
    "JPY": ("¥", "￥", "円"),
    "KRW": ("₩", "원"),
    "SGD": ("$", "S$"),
    "TWD": ("$", "NT$", "元"),
    "USD": ("$", "US$"),
}

# What stands behind a rounded number on Chinese platforms: 1.2万.
CHINESE_UNITS = {"万": 10_000, "亿": 100_000_000}


def build_stripped_sql(given: str) -> str:
    """SQL for the delivered text without surrounding blanks and Excel's `="…"`.

    Most values need no trimming, and testing both ends is ten times faster than `trim` with a list. The ends are looked
    up in a string: lists would become joins, and planning those takes a second per file. An empty text, of which CSV
    files are full, has no ends.
    """
    ends = quote_literal(BLANKS + "=")
    trimmed = f"trim({given}, {quote_literal(BLANKS)})"
    unpacked = f"trim(({trimmed})[3:-2], {quote_literal(BLANKS)})"
    cleaned = (
        f"case when starts_with({trimmed}, '=\"') and ends_with({trimmed}, '\"') then {unpacked} else {trimmed} end"
    )
    return (
        f"case when {given} <> '' and (contains({ends}, left({given}, 1)) or contains({ends}, right({given}, 1))) "
        f"then {cleaned} else {given} end"
    )


def build_is_bare_sql(given: str, empty_values: tuple[str, ...], *, is_repeated: bool) -> str:
    """SQL condition: the delivered text is a value, and nothing around it is to be stripped. NULL where there is none.

    Args:
        is_repeated: the same few texts come again and again. `trim` then looks at each only once, in the dictionary of
            a Parquet file; where each is new, testing both ends is faster.
    """
    ends = quote_literal(BLANKS + "=")
    bare = (
        f"trim({given}, {ends}) = {given}"
        if is_repeated
        else f"not contains({ends}, left({given}, 1)) and not contains({ends}, right({given}, 1))"
    )
    filled = " and ".join(f"{given} <> {quote_literal(value)}" for value in ("", *empty_values))
    return f"{bare} and {filled}"


def build_filled_sql(text: str, empty_values: tuple[str, ...]) -> str:
    """SQL for the text; NULL if it means that there is no value."""
    empty = ", ".join(quote_literal(value) for value in ("", *empty_values))
    longest = max(len(value.encode()) for value in ("", *empty_values))
    return f"case when strlen({text}) > {longest} or not list_contains([{empty}], {text}) then {text} end"


def build_value_or_null_sql(given: str, empty_values: tuple[str, ...]) -> str:
    """SQL for the delivered text as it came; NULL if it means that there is no value.

    Long text without blanks at its ends, the most frequent, is not compared with anything.
    """
    ends = quote_literal(BLANKS + "=")
    empty = ", ".join(quote_literal(value) for value in ("", *empty_values))
    longest = max(len(value.encode()) for value in ("", *empty_values))
    return (
        f"case when strlen({given}) > {longest} and not contains({ends}, left({given}, 1)) "
        f"and not contains({ends}, right({given}, 1)) then {given} "
        f"when list_contains([{empty}], {build_stripped_sql(given)}) then null else {given} end"
    )


def build_number_sql(
    value: str, kind: Kind, sql_type: str, *, currency: str, decimal: str, are_rounded_accepted: bool = False
) -> str:
    """SQL for a number as people and spreadsheets write it; NULL if it is invalid or ambiguous.

    Args:
        value: SQL of the text.
        sql_type: the type of the result.
        currency: the currency whose signs an amount may have, as ISO 4217.
        decimal: the decimal separator, '.' or ','; the other one may only separate thousands.
        are_rounded_accepted: whether 1.2万 is 12,000: true of figures, which platforms round; not of an amount paid.
    """
    mark, grouping = (r"\.", ",") if decimal == "." else (",", r"\.")
    # Groups of three digits throughout, one separator, no leading zero.
    groups = "|".join(rf"[1-9]\d{{0,2}}({separator}\d{{3}})+" for separator in (grouping, "[ \u00a0\u202f]"))
    digits = rf"(({groups}|\d+)({mark}\d*)?|{mark}\d+)"
    before, after = r"[+-]?", ""
    if kind is Kind.MONEY:
        signs = "|".join(sign.replace("$", r"\$") for sign in (currency, *CURRENCY_SIGNS.get(currency, ())))
        before, after = rf"[+-]?(({signs}) ?)?[+-]?", rf"( ?({signs}))?"
    bare = f"replace(regexp_replace({value}, '[^0-9{decimal}+-]', '', 'g'), '{decimal}', '.')"
    readings = [_build_cast_sql(value, before + digits + after, bare, sql_type)]
    if decimal == ".":  # enough for most numbers
        readings.insert(0, f"try_cast({value} as {sql_type})")
    for unit, factor in CHINESE_UNITS.items() if are_rounded_accepted else ():
        readings.append(
            _build_cast_sql(value, before + digits + f" ?{unit}" + after, bare, "DECIMAL(24, 6)") + f" * {factor}"
        )
    if kind is Kind.NUMBER:
        readings.append(_build_cast_sql(value, rf"[+-]?{digits} ?[%％]", bare, "DOUBLE") + " / 100")
    return f"coalesce({', '.join(readings)})"


def _build_cast_sql(value: str, pattern: str, bare: str, sql_type: str) -> str:
    return f"try_cast(case when regexp_full_match({value}, {quote_literal(pattern)}) then {bare} end as {sql_type})"
