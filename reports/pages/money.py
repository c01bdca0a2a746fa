"""Where the paid amount came from, and what makes up its same-day part."""

from typing import Any

from reports.model import MoneySplit, Report, Unit
from reports.pages.tables import Content, Widths, figures_table, heads, section, table
from reports.wording import Words

SHARE_DIGITS = 1
MONEY_WIDTHS: Widths = (None, 32, 17, 20, 32, 20)


def money_chapter(report: Report, words: Words) -> Content | None:
    """The paid amount by class, and the factors of its same-day part; None where the shop delivers no orders."""
    if report.money is None:
        return None
    money, currency = report.money, report.currency
    return {
        "heading": words.text("headings", "money_chapter"),
        "money": money_section(money, currency, words),
        "factors": factors_section(money, currency, words) if money.factors else None,
    }


def money_section(money: MoneySplit, currency: str, words: Words) -> Content:
    total = money.paid_amount
    rows, spoken = [], []
    for letter, (key, part) in zip("ABCD", money.parts.items(), strict=True):
        name = words.text("money_parts", key)
        amount = words.value(part.amount, Unit.MONEY)
        share = (
            words.value(part.amount / total, Unit.RATE, SHARE_DIGITS)
            if part.amount is not None and total
            else words.no_data
        )
        rows.append([f"{letter}  {name}", amount, share, *money_row_end(part, words)])
        spoken.append(words.text("alternatives", "money_part", letter=letter, name=name, amount=amount))
    rows.append(
        [words.text("money_parts", "paid_amount"), words.value(total, Unit.MONEY), *total_row_end(money, words)]
    )
    excluded = money.excluded
    rows.append(
        [
            words.text("money_parts", "excluded"),
            words.value(excluded.amount, Unit.MONEY),
            words.text("labels", "no_comparison"),
            *money_row_end(excluded, words),
        ]
    )
    head = heads(words, "part", "amount", "share", "payments", "usual", "change", currency=currency)
    picture = {"file": "money.svg", "alt": words.text("alternatives", "money", parts=", ".join(spoken))}
    return {
        "heading": words.text("headings", "money"),
        "picture": picture if total is not None else None,
        "table": table(head, rows, MONEY_WIDTHS),
        "note": words.text("notes", "excluded"),
    }


def money_row_end(part: Any, words: Words) -> list[str]:
    return [
        words.value(part.payments, Unit.COUNT),
        words.value(part.baseline, Unit.MONEY),
        words.change(part.amount, part.baseline, Unit.MONEY),
    ]


def total_row_end(money: MoneySplit, words: Words) -> list[str]:
    parts = money.parts.values()
    payments = [part.payments for part in parts if part.payments is not None]
    baselines = [float(part.baseline) for part in parts if part.baseline is not None]
    baseline = sum(baselines) if len(baselines) == len(parts) else None
    share = words.value(1, Unit.RATE, SHARE_DIGITS) if money.paid_amount else words.no_data
    return [
        share,
        words.value(sum(payments) if payments else None, Unit.COUNT),
        words.value(baseline, Unit.MONEY),
        words.change(money.paid_amount, baseline, Unit.MONEY),
    ]


def factors_section(money: MoneySplit, currency: str, words: Words) -> Content:
    return section(words.text("headings", "factors"), figures_table(money.factors, currency, words))
