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


def mark_figures(figures: Sequence[Marked]) -> list[Marked]:
    """The figures and steps of one page, or of one table, with their marks."""
    limit = _find_limit(figures)
    return [replace(figure, mark=_find_mark(figure, limit)) for figure in figures]


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
