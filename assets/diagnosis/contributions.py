"""Where a change against the usual comes from, whether or not anything is wrong: mix and rate, and the five factors."""

from collections.abc import Sequence
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from assets.diagnosis.bookkeeping import factor_contributions, rate_change
from assets.diagnosis.steps import STEPS, Step
from sql.warehouse import Warehouse

_MOST_VALUES = 20
"""Of a dimension; the others, smallest first, are one slice called `(others)`."""
OTHERS = "(others)"
FACTORS = ("sessions", "landing_rate", "decision_rate", "orders_per_paying_session", "amount_per_order")


def contributions(warehouse: Warehouse, business_date: date, days: Sequence[date]) -> list[dict[str, Any]]:
    """Rows of diagnosis.contributions: every step's rate by every dimension, and the same-day amount by its factors."""
    frame = warehouse.execute(
        "select cube, step, dimension, value, "
        "coalesce(sum(entered) filter (where business_date = $day), 0)::DOUBLE as entered_today, "
        "coalesce(sum(passed) filter (where business_date = $day), 0)::DOUBLE as passed_today, "
        "coalesce(sum(entered) filter (where business_date < $day), 0)::DOUBLE as entered_usual, "
        "coalesce(sum(passed) filter (where business_date < $day), 0)::DOUBLE as passed_usual "
        "from diagnosis.slice_days where dimension != 'all' "
        "and list_contains($days::DATE[], business_date) group by all order by all",
        day=business_date,
        days=[*days, business_date],
    ).df()
    rows = []
    for step in STEPS:
        of_step = frame[(frame["cube"] == step.cube) & (frame["step"] == step.name)]
        for dimension, slices in of_step.groupby("dimension"):
            if slices["entered_today"].sum() and slices["entered_usual"].sum():
                rows += _mix_and_rate(step, str(dimension), slices)
    return rows + _money(warehouse, business_date, days)


def _mix_and_rate(step: Step, dimension: str, slices: pd.DataFrame) -> list[dict[str, Any]]:
    counts = ["passed_usual", "entered_usual", "passed_today", "entered_today"]
    largest = slices.sort_values(["entered_today", "value"], ascending=[False, True])
    kept, others = largest.iloc[:_MOST_VALUES], largest.iloc[_MOST_VALUES:]
    values = [*kept["value"], *([OTHERS] if len(others) else [])]
    table = kept[counts].to_numpy()
    if len(others):
        table = np.vstack([table, others[counts].sum().to_numpy()])
    passed_usual, entered_usual, passed_today, entered_today = table.T
    change = rate_change(passed_usual, entered_usual, passed_today, entered_today)
    rows = []
    for number, value in enumerate(values):
        common = {
            "subject": "rate",
            "cube": step.cube,
            "step": step.name,
            "dimension": dimension,
            "value": value,
        }
        shares = entered_usual[number] / entered_usual.sum(), entered_today[number] / entered_today.sum()
        rates = tuple(
            float(passed / entered) if entered else None
            for passed, entered in (
                (passed_usual[number], entered_usual[number]),
                (passed_today[number], entered_today[number]),
            )
        )
        for part, (usual, today), contribution in (
            ("mix", shares, change.mix[number]),
            ("rate", rates, change.rate[number]),
        ):
            rows.append(common | {"part": part, "usual": usual, "today": today, "contribution": float(contribution)})
    return rows


def _money(warehouse: Warehouse, business_date: date, days: Sequence[date]) -> list[dict[str, Any]]:
    """Same-day amount = sessions × landing rate × decision rate × orders per paying session × amount per order."""
    columns = ("human_sessions", "qualified_sessions", "paying_sessions", "same_day_orders", "same_day_amount")
    means = ", ".join(f"avg({column})::DOUBLE" for column in columns)
    query = f"select {means} from marts.daily_summary where list_contains($days::DATE[], business_date)"
    usual = warehouse.rows(query, days=list(days))[0]
    today = warehouse.rows(query, days=[business_date])[0]
    if None in (*usual, *today):
        return []
    first, second = _factors(usual), _factors(today)
    parts = factor_contributions(first, second)
    return [
        {
            "subject": "money",
            "cube": "daily_summary",
            "step": "same_day_amount",
            "dimension": "factor",
            "value": factor,
            "part": "factor",
            "usual": float(first[number]),
            "today": float(second[number]),
            "contribution": float(parts[number]),
        }
        for number, factor in enumerate(FACTORS)
    ]


def _factors(counts: Sequence[float]) -> np.ndarray:
    """Each count over the one before it: their product is the last count."""
    before = np.array([1.0, *counts[:-1]])
    return np.divide(counts, before, out=np.zeros(len(counts)), where=before > 0)
