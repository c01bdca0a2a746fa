"""Shared by all pages: the blocks that page.typ lays out, and figures as table rows."""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

from funnelscope.messages.message_types import Number, Unit
from funnelscope.messages.wording import Words, choose_baseline_digits
from reports.model import DayPoint, Figure, Stage
from reports.pictures.trend import find_promotion_runs
from reports.tones import write_mark

Content = dict[str, Any]
Widths = Sequence[int | None]
EARLIER_DAYS = {"day_before": 1, "week_before": 7}
FIGURE_WIDTHS: Widths = (None, 56, 24, 23, 21)
LEAST_ROWS_IN_HALVES = 6
WHOLE_MONEY = ("paid_amount", "expected_net_amount", "cost")
"""Amounts of a day, which the first page tells without cents."""


def build_table(head: Sequence[str] | None, rows: Sequence[Sequence[str]], widths: Widths, left: int = 1) -> Content:
    """A table whose first `left` columns are texts, aligned left; the others are numbers, aligned right."""
    sides = ["left"] * left + ["right"] * (len(widths) - left)
    return {
        "head": list(head) if head else None,
        "rows": [list(row) for row in rows],
        "align": sides,
        "widths": list(widths),
    }


def build_compared_table(
    head: Sequence[str], rows: Sequence[Sequence[str]], widths: Widths, comparing: int, is_known: bool
) -> Content:
    """A table whose last `comparing` columns compare with the baseline. They are left out if `is_known` is false."""
    kept = len(widths) - (0 if is_known else comparing)
    return build_table(head[:kept], [row[:kept] for row in rows], widths[:kept])


def build_section(
    heading: str | None, body: Content | None, note: str | None = None, picture: Content | None = None
) -> Content:
    """A section of a page, with any of heading, table, note and picture."""
    return {"heading": heading, "table": body, "note": note, "picture": picture}


def name_stages(stages: Sequence[Stage], words: Words) -> str:
    """The names of stages that are told together."""
    return words.text("labels", "separator").join(words.text("stages", stage.key) for stage in stages)


def fold_away(sections: Sequence[Content], whose: str, words: Words) -> list[Content]:
    """The sections as the HTML edition folds them away; print only names them, once."""
    folded: list[Content] = []
    for number, section in enumerate(sections, start=1):
        behind = {
            "anchor": f"more-{whose}-{number}",
            "summary": section["heading"],
            "table": section["table"],
            "note": section["note"],
        }
        folded.append(build_section(None, None) | {"behind": behind})
    if folded:
        names = words.text("labels", "and_then").join(section["heading"] for section in sections)
        folded[0] |= {"note": words.text("notes", "folded", names=names)}
    return folded


def write_column_heads(words: Words, *keys: str, **values: str) -> list[str]:
    """The headings of columns."""
    return [words.text("columns", key, **values) for key in keys]


def name_figure(figure: Figure, currency: str, words: Words) -> str:
    """The figure's name, with the currency if it is money."""
    name = words.name_figure(figure.key)
    return words.with_currency(name, currency) if figure.unit is Unit.MONEY else name


def write_baseline_and_change(figure: Figure, words: Words) -> tuple[str, str]:
    """The figure's baseline in words, and the change; empty without a baseline."""
    if figure.baseline is None:
        return "", ""
    digits = choose_baseline_digits(figure.value, figure.unit)
    value = words.value(figure.baseline, figure.unit, digits)
    return words.text("labels", "usual", value=value), words.change(figure.value, figure.baseline, figure.unit)


def find_earlier(figure: Figure) -> dict[str, Number | None]:
    """The figure on the day before and a week before, from its series of days; empty without such a series."""
    points = figure.trend
    if len(points) < 2 or points[-1].day - points[-2].day != timedelta(days=1):
        return {}
    values = {point.day: point.value for point in points}
    return {key: values.get(points[-1].day - timedelta(days=days)) for key, days in EARLIER_DAYS.items()}


def write_earlier(figure: Figure, words: Words) -> dict[str, tuple[str, str]]:
    """The figure's earlier values in words, each with the change against it."""
    digits = choose_baseline_digits(figure.value, figure.unit)
    return {
        key: (
            words.text("labels", key, value=words.value(value, figure.unit, digits)),
            "" if value is None else words.change(figure.value, value, figure.unit),
        )
        for key, value in find_earlier(figure).items()
    }


def write_marked_value(figure: Figure, words: Words) -> str:
    """The value, marked if chance hardly explains it."""
    mark = write_mark(figure.mark, figure.key, words)
    return f"{mark} {words.value(figure.value, figure.unit)}".strip()


def build_figures_table(figures: Sequence[Figure], currency: str, words: Words) -> Content:
    """A table of figures with counts, value, baseline and change."""
    usual = _build_figures_against("usual", [figure.baseline for figure in figures], figures, currency, words)
    known = [find_earlier(figure) for figure in figures]
    keys = [key for key in EARLIER_DAYS if any(each.get(key) is not None for each in known)]
    others = {
        key: _build_figures_against(key, [each.get(key) for each in known], figures, currency, words) for key in keys
    }
    return usual | {"compared": others}


def _build_figures_against(
    key: str, others: Sequence[Number | None], figures: Sequence[Figure], currency: str, words: Words
) -> Content:
    rows = []
    for figure, other in zip(figures, others, strict=True):
        rows.append(
            [
                name_figure(figure, currency, words),
                words.counts(figure),
                write_marked_value(figure, words),
                words.value(other, figure.unit, choose_baseline_digits(figure.value, figure.unit)),
                words.change(figure.value, other, figure.unit),
            ]
        )
        if figure.mean_of_days is not None:
            name = words.text("labels", "by_platform", name=name_figure(figure, currency, words))
            rows.append([name, "", words.value(figure.mean_of_days, figure.unit), "", ""])
    head = write_column_heads(words, "figure", "counts", "value", key, "change")
    return build_compared_table(head, rows, FIGURE_WIDTHS, 2, any(other is not None for other in others))


def print_in_halves(table: Content) -> Content:
    """A table of figures, printed as two halves side by side if it is long; the usual values are then in the change."""
    if len(table["rows"]) < LEAST_ROWS_IN_HALVES:
        return table
    is_compared = len(table["widths"]) == len(FIGURE_WIDTHS)
    columns, widths = ([0, 1, 2, 4], [None, 24, 16, 18]) if is_compared else ([0, 1, 2], [None, 26, 19])
    return table | {"halves": {"columns": columns, "widths": widths}}


def write_runs_of_days(days: Sequence[date], words: Words) -> list[str]:
    """Sorted days, consecutive ones as a range: "06-03", "06-08 to 06-12"."""
    runs: list[list[date]] = []
    for day in days:
        if runs and runs[-1][-1] == day - timedelta(days=1):
            runs[-1].append(day)
        else:
            runs.append([day])
    return [
        f"{run[0]:%m-%d}"
        if len(run) == 1
        else words.text("labels", "date_range", first=f"{run[0]:%m-%d}", last=f"{run[-1]:%m-%d}")
        for run in runs
    ]


def write_promotions_note(trend: Sequence[DayPoint], words: Words) -> str | None:
    """The promotions of the shaded days of a trend."""
    days = [write_promotion_days(trend[first : last + 1], words) for first, last in find_promotion_runs(trend)]
    return words.text("notes", "promotions", days="; ".join(days)) if days else None


def write_promotion_days(points: Sequence[DayPoint], words: Words) -> str:
    """The names and the date range of consecutive promotion days."""
    names = dict.fromkeys(point.promotion for point in points if point.promotion)
    first, last = points[0].day.isoformat(), points[-1].day.isoformat()
    when = first if first == last else words.text("labels", "date_range", first=first, last=last)
    return words.text("labels", "with_unit", name=" / ".join(names), unit=when)


def write_trend_alternative(rate: Figure | None, words: Words) -> str:
    """The text alternative of a trend."""
    known = [point for point in rate.trend if point.value is not None] if rate else []
    if rate is None or len(known) < 2:
        return words.text("alternatives", "no_trend")
    return words.text(
        "alternatives",
        "trend",
        name=words.name_figure(rate.key),
        first=words.value(known[0].value, rate.unit),
        first_date=known[0].day.isoformat(),
        last=words.value(known[-1].value, rate.unit),
        last_date=known[-1].day.isoformat(),
    )
