"""The sources of the paid amount, and the factors of its same-day part."""

from funnelscope.messages.message_types import Unit
from funnelscope.messages.wording import Words, format_signed
from reports.model import MoneyPart, MoneySplit, Report
from reports.pages.table_blocks import (
    Content,
    Widths,
    build_compared_table,
    build_figures_table,
    build_section,
    build_table,
    fold_away,
    write_column_heads,
    write_promotions_note,
    write_trend_alternative,
)
from reports.pictures.trend import select_trends

SHARE_DIGITS = 1
DAY_FIGURE_WIDTHS = (21, 12, 15, 16, 14, 17)
MONEY_WIDTHS: Widths = (None, 32, 17, 20, 32, 20)


def build_money_chapter(report: Report, words: Words) -> Content | None:
    """The trends of the main figures, the paid amount by class, and the factors of its same-day part.

    None if the shop delivers no orders. If no part is known, the chapter says so.
    """
    if report.money is None:
        return None
    money, currency = report.money, report.currency
    is_known = money.paid_amount is not None
    return {
        "heading": words.text("headings", "money_chapter"),
        "no_data": None if is_known else words.no_data,
        "sections": [
            *([bridge] if (bridge := build_bridge_section(report, words)) else []),
            *build_trend_sections(report, words),
            *([build_money_section(money, currency, words)] if is_known else []),
            *build_factors_sections(report, money, words),
            *([build_days_section(report, words)] if report.days else []),
        ],
    }


def build_bridge_section(report: Report, words: Words) -> Content | None:
    """The picture of the steps from the baseline amount to the day's; None without a bridge."""
    bridge = report.bridge
    if bridge is None:
        return None
    spoken = words.text("labels", "separator").join(
        f"{words.text('bridge', bar.key)} {format_signed(float(bar.change), 0)}" for bar in bridge.bars
    )
    picture = {"file": "bridge.svg", "alt": words.text("alternatives", "bridge", parts=spoken)}
    return build_section(
        words.text("headings", "bridge", currency=words.name_currency(report.currency)), None, picture=picture
    )


def build_trend_sections(report: Report, words: Words) -> list[Content]:
    """The figures of the chapter day by day, small on the first page. The first names the promotions of both."""
    return [
        build_section(
            None,
            None,
            None if number else write_promotions_note(figure.trend, words),
            {"file": f"trend_{figure.key}.svg", "alt": write_trend_alternative(figure, words)},
        )
        | {"is_half": True}
        for number, figure in enumerate(select_trends(report))
    ]


def build_days_section(report: Report, words: Words) -> Content:
    """The days of a week or month, one per row, with their findings."""
    keys = [figure.key for figure in report.days[0].figures]
    rows = []
    for day in report.days:
        weekday = words.text("weekdays", str(day.day.isoweekday()))
        marks = [words.text("day_verdicts", day.verdict.value if day.verdict else "unjudged")]
        if day.editions > 1:
            marks.append(words.text("labels", "editions", count=words.plain(day.editions)))
        marks += [day.promotion] if day.promotion else []
        nothing = words.text("labels", "no_comparison")
        values = [words.value(each.value, each.unit) if day.is_counted else nothing for each in day.figures]
        rows.append([f"{day.day:%m-%d} {weekday}", words.text("labels", "separator").join(marks), *values])
    head = [*write_column_heads(words, "day", "state"), *(words.text("metrics", key) for key in keys)]
    widths = (25, None, *DAY_FIGURE_WIDTHS[: len(keys)])
    return build_section(
        words.text("headings", "days"), build_table(head, rows, widths, left=2), words.text("notes", "days")
    )


def build_money_section(money: MoneySplit, currency: str, words: Words) -> Content:
    """The table and picture of the paid amount by class."""
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
        rows.append([f"{letter}  {name}", amount, share, *write_money_row_end(part, words)])
        spoken.append(words.text("alternatives", "money_part", letter=letter, name=name, amount=amount))
    rows.append(
        [words.text("money_parts", "paid_amount"), words.value(total, Unit.MONEY), *write_total_row_end(money, words)]
    )
    excluded = money.excluded
    rows.append(
        [
            words.text("money_parts", "excluded"),
            words.value(excluded.amount, Unit.MONEY),
            words.text("labels", "no_comparison"),
            *write_money_row_end(excluded, words),
        ]
    )
    unit = words.name_currency(currency)
    head = write_column_heads(words, "part", "amount", "share", "payments", "usual", "change", currency=unit)
    picture = {"file": "money.svg", "alt": words.text("alternatives", "money", parts=", ".join(spoken))}
    is_known = any(part.baseline is not None for part in money.parts.values())
    body = build_compared_table(head, rows, MONEY_WIDTHS, 2, is_known)
    return build_section(words.text("headings", "money"), body, words.text("notes", "excluded"), picture)


def write_money_row_end(part: MoneyPart, words: Words) -> list[str]:
    """Payments, baseline and change of a part, as cells."""
    return [
        words.value(part.payments, Unit.COUNT),
        words.value(part.baseline, Unit.MONEY),
        words.change(part.amount, part.baseline, Unit.MONEY),
    ]


def write_total_row_end(money: MoneySplit, words: Words) -> list[str]:
    """Share, payments, baseline and change of the total, as cells."""
    parts = money.parts.values()
    payments = [part.payments for part in parts if part.payments is not None]
    known = [part for part in parts if part.amount is not None]
    baselines = [float(part.baseline) for part in known if part.baseline is not None]
    baseline = sum(baselines) if known and len(baselines) == len(known) else None
    share = words.value(1, Unit.RATE, SHARE_DIGITS) if money.paid_amount else words.no_data
    return [
        share,
        words.value(sum(payments) if payments else None, Unit.COUNT),
        words.value(baseline, Unit.MONEY),
        words.change(money.paid_amount, baseline, Unit.MONEY),
    ]


def build_factors_sections(report: Report, money: MoneySplit, words: Words) -> list[Content]:
    """The table of the factors of the same-day part; folded away where the bridge prints the same values."""
    if not money.factors:
        return []
    table = build_figures_table(money.factors, report.currency, words)
    sections = [build_section(words.text("headings", "factors"), table)]
    drawn = {bar.key for bar in report.bridge.bars} if report.bridge else set()
    return fold_away(sections, "money", words) if drawn >= {factor.key for factor in money.factors} else sections
