"""Does a creative match its landing page? Engaged rate against what creative and page by themselves predict.

log odds(engaged) = mean + creative + page + interaction. The main effects are fitted by Newton steps in turn (an
additive logistic model); what a cell shows beyond them is shrunk by the spread of all cells (empirical Bayes).
"""

from collections.abc import Sequence
from datetime import date

import numpy as np
import pandas as pd
from scipy.special import expit, logit

from funnelscope.diagnosis.records import RelevanceRecord
from funnelscope.warehouse.connection import Warehouse

_ROUNDS = 30
_RIDGE = 2.0
"""Keeps the effect of a creative or page with a handful of sessions near none."""
_NOTABLE = 0.25
"""Log odds: about six points of an engaged rate around a half."""
_FEWEST_SESSIONS = 50


def judge_relevance(warehouse: Warehouse, business_date: date, days: Sequence[date]) -> list[RelevanceRecord]:
    """Every match over the baseline and the day, by creative and by who made it."""
    frame = warehouse.execute(
        "select creative, coalesce(creative_origin, 'none') as origin, landing_page, count(*) as sessions, "
        "count(*) filter (where observed_three_seconds and observed_second_interaction) as engaged "
        "from intermediate.session_funnel where is_human and creative != 'none' "
        "and list_contains($days::DATE[], business_date) group by all order by all",
        days=[*days, business_date],
    ).df()
    rows = []
    for grain in ("creative", "origin"):
        cells = frame.groupby([grain, "landing_page"], as_index=False)[["sessions", "engaged"]].sum()
        if len(cells):
            rows += _judge_cells(grain, cells)
    return rows


def _judge_cells(grain: str, cells: pd.DataFrame) -> list[RelevanceRecord]:
    creative, creatives = pd.factorize(cells[grain])
    page, pages = pd.factorize(cells["landing_page"])
    sessions, engaged = cells["sessions"].to_numpy(float), cells["engaged"].to_numpy(float)
    mean = float(logit(np.clip((engaged.sum() + 1) / (sessions.sum() + 2), 0.001, 0.999)))
    creative_effect, page_effect = np.zeros(len(creatives)), np.zeros(len(pages))
    for _ in range(_ROUNDS):
        for effect, code in ((creative_effect, creative), (page_effect, page)):
            rate = expit(mean + creative_effect[creative] + page_effect[page])
            slope = np.bincount(code, engaged - sessions * rate) - _RIDGE * effect
            effect += slope / (np.bincount(code, sessions * rate * (1 - rate)) + _RIDGE)
    rate = expit(mean + creative_effect[creative] + page_effect[page])
    information = np.maximum(sessions * rate * (1 - rate), 1e-9)
    raw = (engaged - sessions * rate) / information
    spread = max(float(((raw**2 - 1 / information) * information).sum() / information.sum()), 1e-6)
    variance = 1 / (information + 1 / spread)
    interaction = raw * information * variance
    deviation = 1.645 * np.sqrt(variance)
    return [
        RelevanceRecord(
            grain=grain,
            creative=creatives[creative[cell]],
            landing_page=pages[page[cell]],
            sessions=int(sessions[cell]),
            engaged=int(engaged[cell]),
            engaged_rate=engaged[cell] / sessions[cell],
            expected_rate=float(rate[cell]),
            creative_effect=float(creative_effect[creative[cell]]),
            page_effect=float(page_effect[page[cell]]),
            interaction=float(interaction[cell]),
            interaction_low=float(interaction[cell] - deviation[cell]),
            interaction_high=float(interaction[cell] + deviation[cell]),
            judgement=_choose_judgement(
                sessions[cell],
                interaction[cell] + deviation[cell],
                creative_effect[creative[cell]],
                page_effect[page[cell]],
            ),
        )
        for cell in range(len(cells))
    ]


def _choose_judgement(sessions: float, interaction_high: float, creative_effect: float, page_effect: float) -> str:
    if sessions < _FEWEST_SESSIONS:
        return "too_thin"
    if interaction_high < -_NOTABLE / 2:
        return "bad_match"
    if min(creative_effect, page_effect) > -_NOTABLE:
        return "good"
    return "bad_creative" if creative_effect < page_effect else "bad_page"
