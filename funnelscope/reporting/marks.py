"""Which figures of a page are marked ▲ or ▼: one limit for the whole page, so that healthy pages seldom carry any.

A figure is marked where its surprise is below the share of false marks per page over the number of judged figures
(Bonferroni): however the figures hang together, at most one healthy page in ten carries a mark.
"""

from collections.abc import Sequence
from dataclasses import replace

import reports
from funnelscope.reporting.usual import FALSE_MARKS_PER_PAGE

Marked = reports.Figure | reports.StageStep


def mark_stage(stage: reports.Stage) -> reports.Stage:
    """The stage with the marks of its page."""
    limit = _find_limit([*stage.steps, *stage.indicators, *([stage.rate] if stage.rate else [])])
    return replace(
        stage,
        rate=mark_figure(stage.rate, limit) if stage.rate else None,
        steps=tuple(replace(step, mark=_find_mark(step, limit)) for step in stage.steps),
        indicators=tuple(mark_figure(figure, limit) for figure in stage.indicators),
    )


def mark_headlines(
    headlines: Sequence[reports.Headline], stages: Sequence[reports.Stage]
) -> tuple[reports.Headline, ...]:
    """The numbers of the first page with their marks. Beside them stand the rates of the stages, already marked."""
    rates = [stage.rate for stage in stages if stage.rate]
    limit = _find_limit([*(headline.figure for headline in headlines), *rates])
    return tuple(replace(headline, figure=mark_figure(headline.figure, limit)) for headline in headlines)


def mark_platforms(
    platforms: Sequence[reports.Platform], total: Sequence[reports.ComparedFigure]
) -> tuple[list[reports.Platform], tuple[reports.ComparedFigure, ...]]:
    """The platforms, and the amounts of all together, with one limit for all their figures and steps."""
    compared = [*total, *(each for platform in platforms for each in (*platform.figures, *platform.others))]
    steps = [step for platform in platforms for step in platform.steps]
    limit = _find_limit([*(each.figure for each in compared), *steps])

    def mark_compared(figures: Sequence[reports.ComparedFigure]) -> tuple[reports.ComparedFigure, ...]:
        return tuple(replace(each, figure=mark_figure(each.figure, limit)) for each in figures)

    marked = [
        replace(
            platform,
            figures=mark_compared(platform.figures),
            others=mark_compared(platform.others),
            steps=tuple(replace(step, mark=_find_mark(step, limit)) for step in platform.steps),
        )
        for platform in platforms
    ]
    return marked, mark_compared(total)


def mark_objects(platforms: Sequence[reports.Platform], most: int) -> list[reports.Platform]:
    """The platforms with marks at the main rates of their largest objects, `most` of each table, with one limit."""
    limit = _find_limit(
        [
            row.figures[table.columns.index(table.rate)]
            for platform in platforms
            for table in platform.tables
            if table.rate
            for row in table.objects[:most]
        ]
    )
    return [
        replace(platform, tables=tuple(_mark_table(table, limit, most) for table in platform.tables))
        for platform in platforms
    ]


def _mark_table(table: reports.StatedTable, limit: float, most: int) -> reports.StatedTable:
    if table.rate is None:
        return table
    place = table.columns.index(table.rate)
    marked = [
        replace(row, figures=(*row.figures[:place], mark_figure(row.figures[place], limit), *row.figures[place + 1 :]))
        for row in table.objects[:most]
    ]
    return replace(table, objects=(*marked, *table.objects[most:]))


def mark_figure(figure: reports.Figure, limit: float) -> reports.Figure:
    """The figure, marked where it is more surprising than the limit."""
    return replace(figure, mark=_find_mark(figure, limit))


def _find_limit(figures: Sequence[Marked]) -> float:
    judged = sum(figure.surprise is not None for figure in figures)
    return FALSE_MARKS_PER_PAGE / judged if judged else 0.0


def _find_mark(figure: Marked, limit: float) -> reports.Mark | None:
    if figure.surprise is None or figure.surprise >= limit:
        return None
    if isinstance(figure, reports.Figure):
        value, usual = figure.value, figure.baseline
    else:
        value, usual = figure.rate_from_previous, figure.baseline_rate
    if value is None or usual is None:
        return None
    return reports.Mark.ABOVE if float(value) > float(usual) else reports.Mark.BELOW
