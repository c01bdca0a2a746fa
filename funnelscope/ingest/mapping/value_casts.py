"""How the text of a delivered value is read: the SQL that takes off what exports put around it, and nothing else.

What can be read in two ways is not read: the result is NULL, and the row goes to quarantine with its value.
"""

from funnelscope.events.schema import BLANKS, Kind
from funnelscope.warehouse.quoting import quote_literal

# How people write a currency. Another currency's sign is no part of a number: its amounts must not be mixed in.
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


def build_stripped_sql(given: str) -> str:
    """SQL for the delivered text without the blanks around it and Excel's `="…"`.

    Most values have nothing around them, and looking at both ends is ten times faster than `trim` with a list. The ends
    are looked up in a text: lists would become joins, and planning those takes a second a file.
    """
    ends = quote_literal(BLANKS + "=")
    trimmed = f"trim({given}, {quote_literal(BLANKS)})"
    unpacked = f"trim(({trimmed})[3:-2], {quote_literal(BLANKS)})"
    cleaned = (
        f"case when starts_with({trimmed}, '=\"') and ends_with({trimmed}, '\"') then {unpacked} else {trimmed} end"
    )
    return (
        f"case when contains({ends}, left({given}, 1)) or contains({ends}, right({given}, 1)) "
        f"then {cleaned} else {given} end"
    )


def build_filled_sql(text: str, empty_values: tuple[str, ...]) -> str:
    """SQL for the text; NULL where it stands for no value."""
    empty = ", ".join(quote_literal(value) for value in ("", *empty_values))
    longest = max(len(value.encode()) for value in ("", *empty_values))
    return f"case when strlen({text}) > {longest} or not list_contains([{empty}], {text}) then {text} end"


def build_number_sql(value: str, kind: Kind, sql_type: str, *, currency: str, decimal: str) -> str:
    """SQL for a number as people and spreadsheets write it; NULL where it is none, or could be two.

    Args:
        value: SQL of the text.
        sql_type: what the number becomes.
        currency: whose signs an amount may bear, as ISO 4217.
        decimal: what stands before the decimals, '.' or ','; the other one may only stand between thousands.
    """
    mark, grouping = (r"\.", ",") if decimal == "." else (",", r"\.")
    # Thousands are grouped by threes throughout, by one sign, and do not begin with a zero.
    groups = "|".join(rf"[1-9]\d{{0,2}}({separator}\d{{3}})+" for separator in (grouping, "[ \u00a0\u202f]"))
    digits = rf"(({groups}|\d+)({mark}\d*)?|{mark}\d+)"
    before, after = r"[+-]?", ""
    if kind is Kind.MONEY:
        signs = "|".join(sign.replace("$", r"\$") for sign in (currency, *CURRENCY_SIGNS.get(currency, ())))
        before, after = rf"[+-]?(({signs}) ?)?[+-]?", rf"( ?({signs}))?"
    bare = f"replace(regexp_replace({value}, '[^0-9{decimal}+-]', '', 'g'), '{decimal}', '.')"
    readings = [_build_cast_sql(value, before + digits + after, bare, sql_type)]
    if decimal == ".":  # most numbers need no more than this
        readings.insert(0, f"try_cast({value} as {sql_type})")
    if kind is Kind.NUMBER:
        readings.append(_build_cast_sql(value, rf"[+-]?{digits} ?[%％]", bare, "DOUBLE") + " / 100")
    return f"coalesce({', '.join(readings)})"


def _build_cast_sql(value: str, pattern: str, bare: str, sql_type: str) -> str:
    return f"try_cast(case when regexp_full_match({value}, {quote_literal(pattern)}) then {bare} end as {sql_type})"
