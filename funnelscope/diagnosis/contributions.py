"""Where a change against the usual comes from, whether or not anything is wrong: mix and rate, and the five factors."""

from collections.abc import Sequence
from datetime import date
from itertools import groupby
from operator import itemgetter

import numpy as np

from funnelscope.diagnosis.rate_decomposition import decompose_amount, decompose_rate
from funnelscope.diagnosis.records import ContributionRecord
from funnelscope.localization.arrays import Floats
from funnelscope.warehouse.connection import Warehouse

_MOST_VALUES = 20
"""Of a dimension; the others, smallest first, are one slice called `(others)`."""
OTHERS = "(others)"
FACTORS = ("sessions", "landing_rate", "decision_rate", "orders_per_paying_session", "amount_per_order")


def compute_contributions(warehouse: Warehouse, business_date: date, days: Sequence[date]) -> list[ContributionRecord]:
    """Parts of the changes of the day: every step's rate by every dimension, and the same-day amount by its factors."""
    slices = warehouse.rows(
        "select cube, step, dimension, value, "
        "coalesce(sum(passed) filter (where business_date < $day), 0)::DOUBLE as passed_usual, "
        "coalesce(sum(entered) filter (where business_date < $day), 0)::DOUBLE as entered_usual, "
        "coalesce(sum(passed) filter (where business_date = $day), 0)::DOUBLE as passed_today, "
        "coalesce(sum(entered) filter (where business_date = $day), 0)::DOUBLE as entered_today "
        "from diagnosis.slice_days where dimension != 'all' "
        "and list_contains($days::DATE[], business_date) group by all "
        "order by cube, step, dimension, entered_today desc, value",
        day=business_date,
        days=[*days, business_date],
    )
    rows = []
    for (cube, step, dimension), group in groupby(slices, key=itemgetter(0, 1, 2)):
        values, counts = zip(*((value, counts) for _, _, _, value, *counts in group), strict=True)
        table = np.array(counts)
        if table[:, 1].sum() and table[:, 3].sum():
            rows += _split_rate(cube, step, dimension, values, table)
    return rows + _split_amount(warehouse, business_date, days)


def _split_rate(cube: str, step: str, dimension: str, values: Sequence[str], table: Floats) -> list[ContributionRecord]:
    """Of slices, largest first; columns of the table: passed and entered, usual and then today."""
    if len(values) > _MOST_VALUES:
        values = (*values[:_MOST_VALUES], OTHERS)
        table = np.vstack([table[:_MOST_VALUES], table[_MOST_VALUES:].sum(axis=0)])
    passed_usual, entered_usual, passed_today, entered_today = table.T
    change = decompose_rate(passed_usual, entered_usual, passed_today, entered_today)
    rows = []
    for number, value in enumerate(values):
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
            rows.append(
                ContributionRecord(
                    subject="rate",
                    cube=cube,
                    step=step,
                    dimension=dimension,
                    value=value,
                    part=part,
                    usual=usual,
                    today=today,
                    contribution=float(contribution),
                )
            )
    return rows


def _split_amount(warehouse: Warehouse, business_date: date, days: Sequence[date]) -> list[ContributionRecord]:
    """Same-day amount = sessions × landing rate × decision rate × orders per paying session × amount per order."""
    columns = ("human_sessions", "qualified_sessions", "paying_sessions", "same_day_orders", "same_day_amount")
    means = ", ".join(f"avg({column})::DOUBLE" for column in columns)
    query = f"select {means} from marts.daily_summary where list_contains($days::DATE[], business_date)"
    usual = warehouse.rows(query, days=list(days))[0]
    today = warehouse.rows(query, days=[business_date])[0]
    if None in (*usual, *today):
        return []
    first, second = _divide_counts(usual), _divide_counts(today)
    parts = decompose_amount(first, second)
    return [
        ContributionRecord(
            subject="money",
            cube="daily_summary",
            step="same_day_amount",
            dimension="factor",
            value=factor,
            part="factor",
            usual=float(first[number]),
            today=float(second[number]),
            contribution=float(parts[number]),
        )
        for number, factor in enumerate(FACTORS)
    ]


def _divide_counts(counts: Sequence[float]) -> Floats:
    """Each count over the one before it: their product is the last count."""
    before = np.array([1.0, *counts[:-1]])
    factors = np.zeros(len(counts))
    np.divide(counts, before, out=factors, where=before > 0)
    return factors
