"""Every figure of a day's PDF is computed again from the published tables, by SQL of its own, and read where it stands.

The day is built by the pipeline: late and repeated rows, refused ones, two faults with what they cost. It is read as it
was printed, and as it is printed where nobody looked for findings: with every table by slice and every heat map, also
of the stages in which nothing was found. The PDF's text is read line by line, in both languages, and so are the tables
that the HTML edition folds away; names come from the words files, numbers from nowhere but the SQL written here.
"""

import json
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from html import unescape
from io import BytesIO
from itertools import pairwise
from pathlib import Path
from statistics import fmean
from typing import Any

import duckdb
import pytest
from pypdf import PdfReader
from scipy.stats import t
from shop_helpers import Home, build_days, day, one_file_a_day, simulated_shop

import reports
from funnelscope.messages.wording import Words, load_words
from funnelscope.reporting import find_or_print_report, read_report
from funnelscope.simulator import Fault

pytestmark = pytest.mark.slow
DAYS = 34  # 28 comparable ones behind the day, whatever the promotion takes away
DAY = day(DAYS)
REFUSED_ROWS = 2
SALE = "2026-05-14"
SETTINGS = f"""\
targets: {{paid_amount: 9000, visitor_pay_rate: 0.03}}
calendar:
  - {{name: member_week, phase: main, from: {SALE}, to: {SALE}}}
"""
FAULTS = [
    Fault(
        kind="slow_first_screen",
        slice={"landing_page": "item_0001", "device": "android"},
        strength=0.6,
        from_date=day(DAYS - 2),
    ),
    Fault(kind="broken_coupon", slice={"coupon": "WELCOME10"}, strength=1.0, from_date=DAY),
]
STAGES = ("traffic", "landing", "decision", "repurchase")
NUMBER = re.compile(r"(?<![\w.:\-])[+−]?\d++(?:,\d{3})*+(?:\.\d++)?%?(?![\w:]|-\d)")
MAIN_RATES = {
    "traffic": "arrival_rate",
    "landing": "landing_rate",
    "decision": "decision_rate",
    "repurchase": "daily_repurchase_rate",
}
DURATIONS = {  # printed name → metric and its column
    "first_screen_p50_ms": ("first_screen_ms", "median"),
    "first_screen_p75_ms": ("first_screen_ms", "p75"),
    "first_response_median_seconds": ("first_response_seconds", "median"),
    "first_response_p90_seconds": ("first_response_seconds", "p90"),
    "repurchase_interval_median_days": ("repurchase_interval_days", "median"),
}
COVERED_BY = {  # printed name → the metric that says of what part of the cases it tells
    "three_second_rate": "measured_stay_share",
    "first_response_median_seconds": "same_day_answer_rate",
    "first_response_p90_seconds": "same_day_answer_rate",
}
# heading's dimension → cube, its column, who enters, who passes
SLICES = {
    "landing": {
        dimension: ("landing_cube", dimension, "sessions", "reached_qualified_product_view")
        for dimension in ("entry_type", "channel", "landing_page", "device", "region")
    },
    "decision": {
        "coupon": ("checkout_cube", "coupon", "checkouts", "ordered"),
        "category": ("decision_cube", "first_category", "sessions", "reached_paid"),
        "channel": ("decision_cube", "channel", "sessions", "reached_paid"),
        "device": ("decision_cube", "device", "sessions", "reached_paid"),
        "inquiry_class": ("decision_cube", "inquiry_class", "sessions", "reached_paid"),
        "payment_provider": ("payment_cube", "payment_provider", "orders", "paid"),
    },
    "traffic": {
        dimension: ("arrival_cube", dimension, "identified_clicks", "arrived_clicks")
        for dimension in ("channel", "campaign", "creative")
    },
    "repurchase": {
        dimension: ("repurchase_cube", column, "active_customers", "purchased")
        for dimension, column in (
            ("recency", "recency"),
            ("first_channel", "first_channel"),
            ("member", "is_member"),
            ("category", "last_category"),
        )
    },
}
HEAT_MAPS = {
    "traffic": ("arrival_cube", "campaign", "device", "identified_clicks", "arrived_clicks"),
    "landing": ("landing_cube", "landing_page", "device", "sessions", "reached_qualified_product_view"),
    "decision": ("decision_cube", "first_category", "channel", "sessions", "reached_paid"),
    "repurchase": ("repurchase_cube", "recency", "first_channel", "active_customers", "purchased"),
}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    home = simulated_shop(
        tmp_path_factory.mktemp("published"),
        days=DAYS,
        sessions_per_day=800,
        faults=FAULTS,
        late_share=0.02,
        duplicate_share=0.02,
    )
    one_file_a_day(home)
    home.config.write_text(home.config.read_text(encoding="utf-8") + SETTINGS, encoding="utf-8")
    refused = home.settings.landing / "order" / f"dt={DAY}" / "refused.csv"
    rows = "".join(f"b{n},{DAY}T02:00:00Z,refunded twice,o{n},v{n},c{n},1.00\n" for n in range(REFUSED_ROWS))
    refused.write_text("event_id,event_time,event_type,order_id,visitor_id,customer_id,amount\n" + rows)
    build_days(home, day(1), DAY, is_published=True)
    return home


# --- What is printed -----------------------------------------------------------------------------------------


@dataclass
class Place:
    """Lines of the PDF, each from a column on, whose numbers belong to one thing."""

    lines: list[tuple[int, int]]
    most: int | None = None  # so many numbers, where others follow on the line


@dataclass
class Printed:
    """The text of a report: `folded` and `more` are what only the HTML edition has; the other `lines` are the PDF's.

    `folded` are operational figures by stage, `more` whole tables by chapter and heading.

    `front` is the first page in reading order, without the chapter that may begin on it; what follows is as it lies.
    `was_looked_into` says that findings were looked for, so that a stage without any is short.
    """

    words: Words
    lines: list[str]
    folded: dict[str, range]
    more: dict[tuple[str, str], range]
    front: range
    was_looked_into: bool
    claimed: set[tuple[int, int]] = field(default_factory=set)

    @classmethod
    def of_the_day(cls, home: Home, language: str) -> "Printed":
        """The report as it was printed."""
        edition = find_or_print_report(home.settings, DAY, language)
        return cls._read(edition.pdf.read_bytes(), edition.html.read_text(encoding="utf-8"), language, True)

    @classmethod
    def with_everything(cls, home: Home, language: str) -> "Printed":
        """The report as it is printed where nobody looked for findings."""
        report = replace(read_report(home.settings, DAY, language), diagnosis=None)
        return cls._read(reports.render(report), reports.render_html(report).decode(), language, False)

    @classmethod
    def _read(cls, pdf: bytes, page: str, language: str, was_looked_into: bool) -> "Printed":
        words = load_words(language)
        lines: list[str] = []
        folded = {}
        for stage, rows in folded_rows(page).items():
            folded[stage] = range(len(lines), len(lines) + len(rows))
            lines += rows
        more = {}
        for place, rows in folded_tables(page).items():
            more[place] = range(len(lines), len(lines) + len(rows))
            lines += rows
        pages = PdfReader(BytesIO(pdf)).pages
        first, money = kept_lines(pages[0].extract_text()), words.text("headings", "money_chapter")
        front = first[: first.index(money)] if money in first else first
        rest = [line for page in pages for line in kept_lines(page.extract_text(extraction_mode="layout"))]
        rest = rest[rest.index(money) :]
        whole, at = [*lines, *front, *rest], range(len(lines), len(lines) + len(front))
        return cls(words, whole, folded, more, at, was_looked_into)

    def numbers(self, place: Place) -> list[tuple[tuple[int, int], str]]:
        """The numbers of a place, each with its line and column."""
        found = [
            ((line, match.start()), match[0])
            for line, column in place.lines
            for match in NUMBER.finditer(self.lines[line], column)
        ]
        return found[: place.most]

    def chapter(self, heading: str) -> range:
        """The lines of a chapter; the last one ends with the definitions."""
        names = [self.words.text("headings", "money_chapter"), *(self.words.text("stages", key) for key in STAGES)]
        names += [self.words.text("headings", key) for key in ("data", "definitions")]
        starts = [line for line in range(self.front.stop, len(self.lines)) if self.lines[line] in names]
        (start,) = (line for line in starts if self.lines[line] == heading)
        return range(start + 1, min((line for line in starts if line > start), default=len(self.lines)))

    def stage(self, key: str) -> range:
        return self.chapter(self.words.text("stages", key))

    def part(self, chapter: range, heading: str) -> range:
        """The lines below a heading of the chapter, up to the next one; those of a table that is folded away."""
        start = next((line for line in chapter if self.lines[line] == heading), None)
        if start is None:
            return self.more[self.name_chapter(chapter), heading]
        headings = self.headings
        return range(start + 1, next((line for line in chapter if line > start and self.lines[line] in headings),
                                     chapter.stop))  # fmt: skip

    def name_chapter(self, chapter: range) -> str:
        """The anchor of a stage, or of the money."""
        return next((key for key in STAGES if self.stage(key) == chapter), "money")

    def list_with_told(self, stage: str) -> list[int]:
        """The lines of a stage, with what its findings do not print again because the first page tells it."""
        told = self.more.get((stage, self.words.text("headings", "told_first")), range(0))
        return [*self.stage(stage), *told]

    def holds(self, lines: range, text: str) -> bool:
        """Whether one of the lines is the text."""
        return any(self.lines[line] == text for line in lines)

    @property
    def headings(self) -> set[str]:
        plain = {text for text in self.words.sections["headings"].values() if "{" not in text}
        slices = {self.slice_heading(dimension) for dimension in self.words.sections["dimensions"]}
        return plain | slices | {self.heat_map_heading(stage) for stage in STAGES}

    def slice_heading(self, dimension: str) -> str:
        return self.words.text("headings", "slices", dimension=self.words.text("dimensions", dimension))

    def heat_map_heading(self, stage: str) -> str:
        names = ("first_category", "category")
        dimensions = [names[1] if name == names[0] else name for name in HEAT_MAPS[stage][1:3]]
        rows, columns = (self.words.text("dimensions", name) for name in dimensions)
        rate = self.words.text("metrics", MAIN_RATES[stage])
        return self.words.text("headings", "heat_map", rate=rate, rows=rows, columns=columns)

    def cell(self, line: int) -> str:
        """The first cell of a line."""
        return re.split(r"\s{2,}", self.lines[line])[0]

    def row(self, lines: Sequence[int], label: str) -> Place:
        """The line whose first cell is the label, or the beginning of one that goes on below."""
        for line in lines:
            cell = self.cell(line)
            is_broken = line + 1 in lines and f"{cell} {self.cell(line + 1)}" == label
            if cell == label or is_broken:
                return Place([(line, len(cell))])
        raise AssertionError(f"no row {label!r}")

    def after(self, lines: range, label: str, most: int | None = None) -> Place:
        """What follows the label on its line; with `most` numbers wanted, also what goes on below."""
        for line in lines:
            if label in self.lines[line]:
                end = self.lines[line].index(label) + len(label)
                return Place([(line, end)] if most is None else [(line, end), (line + 1, 0)], most)
            for cut in range(1, len(label)):
                if self.lines[line].endswith(label[:cut].rstrip()) and self.lines[line + 1].startswith(label[cut:]):
                    return Place([(line + 1, len(label) - cut)], most)
        raise AssertionError(f"no {label!r}")

    def table_rows(self, names: Sequence[str]) -> dict[str, Place]:
        """The rows of the first page's table by their names; a name, and what follows it, may go on below."""
        heading = self.words.text("headings", "headline")
        lines = range(next(line for line in self.front if self.lines[line] == heading) + 1, self.front.stop)
        stop = next(line for line in lines if self.lines[line].startswith(self._begin_note(names[0])))
        starts: dict[str, int] = {}
        for name in names:
            texts = [(line, self.lines[line]) for line in range(lines.start, stop)]
            starts[name] = next(
                line for line, text in texts if text.startswith(name) or (len(text) > 3 and name.startswith(text))
            )
        ends = [*sorted(starts.values())[1:], stop]
        places = {}
        for (name, start), end in zip(starts.items(), ends, strict=True):
            first = len(name) if self.lines[start].startswith(name) else len(self.lines[start])
            below = len(name) - first
            rest = [(line, below if line == start + 1 and below else 0) for line in range(start + 1, end)]
            places[name] = Place([(start, first), *rest])
        return places

    def _begin_note(self, name: str) -> str:
        return self.words.text("labels", "main_rate", name=name, value="#").partition("#")[0].rstrip()

    def note_of(self, name: str) -> Place:
        """The line below the table that tells more of a figure."""
        label = self._begin_note(name)
        line = next(line for line in self.front if self.lines[line].startswith(label))
        return Place([(line, len(label))])

    def block(self, lines: range, first: str, until: Sequence[str]) -> Place:
        """From the line that is `first`, or begins with it as a cell, to the next that is or does so of `until`."""

        def begins(line: int, name: str) -> bool:
            return f"{self.lines[line]} ".startswith(f"{name} ")

        start = next(line for line in lines if begins(line, first))
        rest = range(start + 1, lines.stop)
        stop = next((line for line in rest if any(begins(line, name) for name in until)), lines.stop)
        return Place([(start, len(first)), *((line, 0) for line in range(start + 1, stop))])


def kept_lines(text: str) -> list[str]:
    """Lines without the foot of the page; two blanks or more part cells."""
    lines = (line.strip() for line in text.splitlines())
    return [line for line in lines if line and not line.startswith("Test shop  |")]


def folded_rows(page: str) -> dict[str, list[str]]:
    """The rows of figures that an HTML edition folds away, by stage, written as the lines of a PDF are."""
    rows = {}
    for stage, block in re.findall(r"<details class='rows' id='usual-(\w+)'>(.*?)</details>", page, re.DOTALL):
        usual = block[block.index("<tbody>") : block.index("</tbody>")]  # the first; others are against earlier days
        cells = [re.split(r"</t[hd]>", row) for row in re.findall(r"<tr>(.*?)</tr>", usual)]
        texts = [[unescape(re.sub(r"<[^>]*>", "", cell)) for cell in row] for row in cells]
        rows[stage] = ["  ".join(text for text in row if text) for row in texts]
    return rows


def folded_tables(page: str) -> dict[tuple[str, str], list[str]]:
    """The rows of whole tables that an HTML edition folds away, by chapter and heading, as the lines of a PDF."""
    rows: dict[tuple[str, str], list[str]] = {}
    for chapter, body in re.findall(r"<section class='chapter' id='([\w-]+)'>(.*?)</section>", page, re.DOTALL):
        for name, block in re.findall(
            r"<details class='rows'[^>]*><summary>(.*?)</summary>(.*?)</details>", body, re.DOTALL
        ):
            if "<tbody>" not in block:
                continue
            inner = block[block.index("<tbody>") : block.index("</tbody>")]
            cells = [re.split(r"</t[hd]>", row) for row in re.findall(r"<tr>(.*?)</tr>", inner, re.DOTALL)]
            texts = [[unescape(re.sub(r"<[^>]*>", "", cell)) for cell in row] for row in cells]
            rows[chapter, unescape(name)] = ["  ".join(text for text in row if text) for row in texts]
    return rows


def agrees(text: str, value: float) -> bool:
    """Whether the value, rounded to the decimals of the text, is the text."""
    plain = text.removesuffix("%").replace(",", "").replace("−", "-")
    wanted = value * 100 if text.endswith("%") else value
    half = 0.5 * 10 ** -len(plain.partition(".")[2])
    return abs(float(plain) - wanted) <= half + 1e-9 * abs(wanted) + 1e-9


# --- What should be printed ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Wanted:
    """Numbers that should stand at a place, in order; those that are not known are left out."""

    what: str
    place: Place
    values: tuple[float, ...]


class Tables:
    """The published copy, asked by SQL about one day."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self.connection = connection
        self.connection.execute(
            f"""
            create temp table compared_days as
            with good as (
                select
                    business_date,
                    row_number() over (partition by dayofweek(business_date) order by business_date desc) as place
                from quality.published_days
                semi join (from quality.day_verdict where verdict in ('pass', 'warn')) using (business_date)
                anti join (from diagnosis.findings where status = 'confirmed') using (business_date)
                where business_date between date '{DAY}' - 91 and date '{DAY}' - 1 and business_date != date '{SALE}'
            )
            select business_date from good order by place > 4, business_date desc limit 28;
            create temp table usual_days as
            from compared_days where dayofweek(business_date) = dayofweek(date '{DAY}')
            """
        )

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        return self.connection.execute(sql.replace("$day", f"date '{DAY}'")).fetchall()

    def row(self, sql: str) -> tuple[Any, ...]:
        (found,) = self.rows(sql)
        return tuple(None if value is None else float(value) for value in found)

    def metric(self, key: str) -> tuple[float | None, float | None, float | None, float | None]:
        """Numerator, denominator, value of the day and of the usual days: of a rate all together, else their mean."""
        metric, column = DURATIONS.get(key, (key, "value"))
        (of_weekday,) = self.row(
            f"select count({column}) from marts.daily_metrics where metric = '{metric}' "
            "and business_date in (from usual_days)"
        )
        days = "usual_days" if of_weekday and of_weekday >= 2 else "compared_days"
        pooled = (
            f"sum(numerator) filter (business_date in (from {days}) and denominator > 0) / sum(denominator) "
            f"filter (business_date in (from {days}))"
            if column == "value"
            else "null"
        )
        found = self.rows(
            f"select any_value(numerator) filter (business_date = $day), any_value(denominator) filter "
            f"(business_date = $day), any_value({column}) filter (business_date = $day), "
            f"coalesce({pooled}, avg({column}) filter (business_date in (from {days}))) "
            f"from marts.daily_metrics where metric = '{metric}'"
        )
        numerator, denominator, value, usual = (None if each is None else float(each) for each in found[0])
        return numerator if denominator is not None else None, denominator, value, usual


def known(*values: float | None) -> tuple[float, ...]:
    return tuple(value for value in values if value is not None)


def change(value: float | None, usual: float | None, is_rate: bool) -> float | None:
    """Percentage points of a rate, else a share of the usual value."""
    if value is None or usual is None or (not is_rate and not usual):
        return None
    return (value - usual) * 100 if is_rate else value / usual - 1


def is_rate(key: str) -> bool:
    return key.endswith(("_rate", "_share"))


def the_main_figures(printed: Printed, tables: Tables) -> Iterator[Wanted]:
    """Each figure with its counts, against the day before, the same weekday, what is usual, and the target."""
    keys = ("paid_amount", "expected_net_amount", "visitors", "visitor_pay_rate", "amount_per_buyer", "cost",
            "return_on_ad_spend")  # fmt: skip
    names = {key: printed.words.text("metrics", key) for key in keys}
    for key in ("paid_amount", "expected_net_amount", "amount_per_buyer", "cost"):
        names[key] = printed.words.with_currency(names[key], "CNY")
    rows = printed.table_rows([*names.values()])

    def earlier(key: str, value: float) -> list[float]:
        found = tables.rows(
            f"select value from marts.daily_metrics where metric = '{key}' and business_date in ($day - 1, $day - 7) "
            "order by business_date desc"
        )
        return [(value - float(before)) * 100 if is_rate(key) else value / float(before) - 1 for (before,) in found]

    paid, paid_usual, paid_month = tables.row(
        """
        with days as (
            select business_date, sum(amount) filter (money_class != 'excluded') as amount
            from marts.daily_money group by all
        )
        select
            any_value(amount) filter (business_date = $day),
            avg(amount) filter (business_date in (from usual_days)),
            sum(amount) filter (business_date between date_trunc('month', $day) and $day)
        from days
        """
    )
    target = 9000
    values = (paid, *earlier("paid_amount", paid), paid_usual, paid / paid_usual - 1, paid / target - 1)
    yield Wanted("paid amount", rows[names["paid_amount"]], values)
    in_month = (paid_month, paid_month / (target * DAY.day) - 1)
    yield Wanted("paid amount of the month", printed.note_of(names["paid_amount"]), in_month)
    (refunded,) = tables.row(
        "select sum(refunded_amount) / sum(paid_amount) from marts.refund_rates "
        "where is_mature and within = '30d' and paid_date between $day - 89 and $day"
    )
    kept = 1 - refunded
    yield Wanted(
        "expected net amount",
        rows[names["expected_net_amount"]],
        (paid * kept, paid_usual * kept, paid / paid_usual - 1),
    )
    visitors, visitors_usual = tables.row(
        "select any_value(visitors) filter (business_date = $day), "
        "avg(visitors) filter (business_date in (from usual_days)) from marts.daily_summary"
    )
    values = (visitors, *earlier("visitors", visitors), visitors_usual, visitors / visitors_usual - 1)
    yield Wanted("visitors", rows[names["visitors"]], values)
    buyers, visitors, usual, month = tables.row(
        """
        select
            any_value(buyers) filter (business_date = $day), any_value(visitors) filter (business_date = $day),
            sum(buyers) filter (business_date in (from usual_days))
                / sum(visitors) filter (business_date in (from usual_days)),
            sum(buyers) filter (business_date between date_trunc('month', $day) and $day)
                / sum(visitors) filter (business_date between date_trunc('month', $day) and $day)
        from marts.daily_summary
        """
    )
    rate = buyers / visitors
    values = (buyers, visitors, rate, *earlier("visitor_pay_rate", rate), usual, (rate - usual) * 100,
              (rate - 0.03) * 100)  # fmt: skip
    yield Wanted("visitor pay rate", rows[names["visitor_pay_rate"]], values)
    yield Wanted("visitor pay rate of the month", printed.note_of(names["visitor_pay_rate"]),
                 (month, (month - 0.03) * 100))  # fmt: skip
    spent, buying, value, usual = tables.metric("amount_per_buyer")
    assert value is not None
    assert usual is not None
    values = (*known(spent, buying), value, *earlier("amount_per_buyer", value), usual, value / usual - 1)
    yield Wanted("amount per buyer", rows[names["amount_per_buyer"]], values)
    cost, cost_usual, cost_month = tables.row(
        """
        with days as (select business_date, sum(cost) as cost from marts.arrival_cube group by all)
        select
            any_value(cost) filter (business_date = $day), avg(cost) filter (business_date in (from usual_days)),
            sum(cost) filter (business_date between date_trunc('month', $day) and $day)
        from days
        """
    )
    values = (cost / paid, cost, *earlier("cost", cost), cost_usual, cost / cost_usual - 1)
    yield Wanted("cost", rows[names["cost"]], values)
    yield Wanted("cost of the month", printed.note_of(names["cost"]), (cost_month,))
    earned, spent, value, usual = tables.metric("return_on_ad_spend")
    assert value is not None
    assert usual is not None
    assert spent == cost
    values = (*known(earned, spent), value, usual, value / usual - 1)
    yield Wanted("return on ad spend", rows[names["return_on_ad_spend"]], values)


def the_bridge(printed: Printed, tables: Tables) -> Iterator[Wanted]:
    """Five factors by logarithmic means, three classes, their sum, and what is excluded."""
    heading = printed.words.text("headings", "bridge", currency=printed.words.name_currency("CNY"))
    chapter = printed.chapter(printed.words.text("headings", "money_chapter"))
    start = next(line for line in chapter if printed.lines[line] == heading)
    lines = range(start, chapter.stop)
    factors = tables.rows(
        """
        with days as (
            select
                business_date = $day as is_today,
                avg(human_sessions) as f0, avg(qualified_sessions) as f1, avg(paying_sessions) as f2,
                avg(same_day_orders) as f3, avg(same_day_amount) as f4
            from marts.daily_summary
            where business_date = $day or business_date in (from usual_days)
            group by all
        ),
        factors as (select is_today, unnest([f0, f1 / f0, f2 / f1, f3 / f2, f4 / f3]) as factor,
            unnest([0, 1, 2, 3, 4]) as number, f4 as amount from days)
        select
            number, usual.factor, today.factor,
            (today.amount - usual.amount) / ln(today.amount / usual.amount) * ln(today.factor / usual.factor)
        from (from factors where is_today) as today
        inner join (from factors where not is_today) as usual using (number)
        order by number
        """
    )
    keys = ("sessions", "landing_rate", "decision_rate", "orders_per_paying_session", "amount_per_order")
    for key, (_, usual, today, part) in zip(keys, factors, strict=True):
        name = " ".join(printed.words.text("bridge", key).split())
        yield Wanted(f"bridge: {key}", printed.after(lines, name), (float(part), float(usual), float(today)))
    for key, usual, today, _, _ in money_classes(tables):
        name = " ".join(printed.words.text("bridge", key).split())
        if key == "excluded":
            yield Wanted(f"bridge: {key}", printed.after(lines, name), (usual, today))
        elif key != "same_day":
            yield Wanted(f"bridge: {key}", printed.after(lines, name), (today - usual, usual, today))
    usual, today = whole_amount(tables)
    place = printed.after(range(lines.start + 2, lines.stop), f"{printed.words.text('bridge', 'paid_amount')} ")
    yield Wanted("bridge: sum", place, (today - usual, usual, today))


def money_classes(tables: Tables) -> list[tuple[str, float, float, int, float]]:
    """Class, usual amount, amount, payments and share of the whole; in the printed order."""
    found = tables.rows(
        """
        with days as (
            select business_date, money_class, sum(amount) as amount, sum(payments) as payments
            from marts.daily_money group by all
        )
        select
            money_class,
            sum(amount) filter (business_date in (from usual_days)) / (select count(*) from usual_days),
            coalesce(sum(amount) filter (business_date = $day), 0),
            coalesce(sum(payments) filter (business_date = $day), 0)
        from days group by all
        """
    )
    by_class = {key: (float(usual or 0), float(amount), int(payments)) for key, usual, amount, payments in found}
    order = ("same_day", "carried_over", "presale_balance", "no_session", "excluded")
    whole = sum(by_class.get(key, (0, 0, 0))[1] for key in order[:-1])
    return [(key, *(values := by_class.get(key, (0.0, 0.0, 0))), values[1] / whole) for key in order]


def whole_amount(tables: Tables) -> tuple[float, float]:
    parts = [part for part in money_classes(tables) if part[0] != "excluded"]
    return sum(usual for _, usual, _, _, _ in parts), sum(today for _, _, today, _, _ in parts)


def the_tiles(printed: Printed, tables: Tables) -> Iterator[Wanted]:
    names = [printed.words.text("stages", key) for key in STAGES]
    start = next(line for line in printed.front if printed.lines[line] == printed.words.text("headings", "stages"))
    lines = range(start, printed.front.stop)
    ends = [*names, *printed.headings]
    for name, (key, rate) in zip(names, MAIN_RATES.items(), strict=True):
        numerator, denominator, value, usual = tables.metric(rate)
        values = known(
            value, numerator, denominator, usual, change(value, usual, is_rate=True), *open_window(tables, key)
        )
        yield Wanted(f"tile: {key}", printed.block(lines, name, ends), values)


def open_window(tables: Tables, stage: str) -> tuple[float, ...]:
    """Who is in the window that is still open, and its days."""
    if stage == "decision":
        return tables.row(
            "select sum(pending), 7 from marts.session_conversion_windows "
            "where window_days = 7 and entry_date between $day - 28 and $day"
        )
    if stage == "repurchase":
        return tables.row(
            "select sum(pending), 30 from marts.repurchase_windows "
            "where window_days = 30 and cohort_date between $day - 89 and $day"
        )
    return ()


def the_money(printed: Printed, tables: Tables) -> Iterator[Wanted]:
    chapter = printed.chapter(printed.words.text("headings", "money_chapter"))
    part = printed.part(chapter, printed.words.text("headings", "money"))
    classes = money_classes(tables)
    for letter, (key, usual, today, payments, share) in zip("ABCD ", classes, strict=True):
        name = printed.words.text("money_parts", key)
        is_outside = key == "excluded"
        values = known(today, None if is_outside else share, payments, usual, change(today, usual, is_rate=False))
        place = printed.row(part, name) if is_outside else printed.after(part, f"{letter}  {name} ")
        yield Wanted(f"money: {key}", place, values)
    usual, today = whole_amount(tables)
    payments = sum(count for key, _, _, count, _ in classes if key != "excluded")
    place = printed.row(part, printed.words.text("money_parts", "paid_amount"))
    yield Wanted("money: whole", place, (today, 1, payments, usual, today / usual - 1))
    counts = tables.row(
        "select human_sessions, qualified_sessions, paying_sessions, same_day_orders, same_day_amount "
        "from marts.daily_summary where business_date = $day"
    )
    columns = ("human_sessions", "qualified_sessions", "paying_sessions", "same_day_orders", "same_day_amount")
    part = printed.part(chapter, printed.words.text("headings", "factors"))
    keys = ("sessions", "landing_rate", "decision_rate", "orders_per_paying_session", "amount_per_order")
    for number, key in enumerate(keys):
        below = columns[number - 1] if number else "1"
        (usual,) = tables.row(
            f"select sum({columns[number]}) / sum({below}) from marts.daily_summary "
            "where business_date in (from usual_days)"
        )
        value = counts[number] / counts[number - 1] if number else counts[0]
        name = printed.words.text("metrics", key)
        if key == "amount_per_order":
            name = printed.words.with_currency(name, "CNY")
        behind = (counts[number], counts[number - 1]) if number else ()
        values = (*behind, value, usual, *known(change(value, usual, is_rate(key))))
        yield Wanted(f"factor: {key}", printed.row(part, name), values)


def the_steps(printed: Printed, tables: Tables) -> Iterator[Wanted]:
    """Each step with its count, its rate from the step before, what is usual, and the range of nine days in ten."""
    for stage in STAGES:
        found = tables.rows(
            f"""
            with counts as (
                select business_date, step_number, step, sum(reached) as reached
                from marts.funnel_steps where stage = '{stage}' group by all
            ),
            steps as (
                select *, lag(reached) over (partition by business_date order by step_number) as previous from counts
            ),
            rates as (select *, reached / nullif(previous, 0) as rate from steps)
            select
                step, any_value(reached) filter (business_date = $day), any_value(rate) filter (business_date = $day),
                sum(reached) filter (business_date in (from usual_days) and previous > 0)
                    / sum(previous) filter (business_date in (from usual_days)),
                any_value(previous) filter (business_date = $day),
                list((business_date, rate::DOUBLE, previous)) filter (business_date in (from compared_days))
            from rates group by step, step_number order by step_number
            """
        )
        assert len(found) >= 3
        for step, count, rate_today, usual_rate, previous, days in found:
            place = printed.row(printed.stage(stage), printed.words.text("steps", step))
            bounds = range_of_a_share(days, float(usual_rate), float(previous)) if usual_rate else ()
            values = known(count, rate_today, usual_rate, *bounds)
            beside_the_trend = replace(place, most=len(values))
            yield Wanted(f"{stage}: step {step}", beside_the_trend, values)
        rate = MAIN_RATES[stage]
        numerator, denominator, value, usual = tables.metric(rate)
        label = printed.words.text("labels", "main_rate", name=printed.words.text("metrics", rate), value="")
        values = (value, numerator, denominator, usual, change(value, usual, is_rate=True))
        yield Wanted(f"{stage}: {rate}", printed.after(printed.stage(stage), label), known(*values))


def range_of_a_share(days: Sequence[tuple[date, float, float]], usual: float, entered: float) -> tuple[float, float]:
    """The 90 % prediction interval on the scale of square roots: weekday means, one variance, binomial chance."""
    roots: dict[int, list[float]] = {}
    for business_date, rate, _ in days:
        roots.setdefault(business_date.weekday(), []).append(float(rate) ** 0.5)
    squares = sum((root - fmean(each)) ** 2 for each in roots.values() for root in each)
    degrees = len(days) - len(roots)
    chance = fmean((1 - usual) / (4 * float(size)) for _, _, size in days)
    beyond = max(squares / degrees - chance, 0)
    deviation = (beyond + (1 - usual) / (4 * entered) + (beyond + chance) / 4) ** 0.5
    reach = t.ppf(0.95, degrees) * deviation
    return max(usual**0.5 - reach, 0) ** 2, min((usual**0.5 + reach) ** 2, 1.0)


def the_operational_figures(printed: Printed, tables: Tables) -> Iterator[Wanted]:
    """Those of the page, those that the HTML edition folds away, and how many the page says that these are."""
    names = {printed.words.text("metrics", key): key for key in printed.words.sections["metrics"]}
    with_unit = {printed.words.with_currency(name, "CNY"): key for name, key in names.items()}
    for stage in STAGES:
        heading = printed.words.text("headings", "indicators")
        is_any_told = printed.holds(printed.stage(stage), heading)
        part = printed.part(printed.stage(stage), heading) if is_any_told else range(0)
        folded = printed.folded.get(stage, range(0))
        assert not folded or printed.was_looked_into
        key = "usual_indicators" if is_any_told else "all_usual_indicators"
        note = printed.words.text("notes", key, count=str(len(folded)))
        assert printed.holds(printed.stage(stage), note) is bool(folded)
        told = 0
        for lines in (part, folded):
            cells = [printed.cell(line) for line in lines]
            labels = [*cells, *(" ".join(pair) for pair in pairwise(cells))]  # a name may go on below
            rows = {key: label for label in labels if (key := (names | with_unit).get(label))}
            rows_with_numbers = [line for line in lines if printed.numbers(Place([(line, len(printed.cell(line)))]))]
            assert len(rows) == len(rows_with_numbers), cells
            told += len(rows)
            for key, label in rows.items():
                numerator, denominator, value, usual = tables.metric(key)
                measured = tables.metric(COVERED_BY[key])[2] if key in COVERED_BY else None
                values = known(numerator, denominator, measured, value, usual, change(value, usual, is_rate(key)))
                yield Wanted(f"{stage}: {key}", printed.row(lines, label), values)
        assert told > 5


def the_questions_and_pairs(printed: Printed, tables: Tables) -> Iterator[Wanted]:
    """The numbers behind the answers, and the figures above the rates that they may move."""
    for stage in STAGES:
        asked = printed.words.text("headings", "questions")
        part = printed.part(printed.stage(stage), asked) if printed.holds(printed.stage(stage), asked) else range(0)
        of_findings = set(printed.words.sections["finding_parts"].values())  # what is known of one follows
        part = range(part.start, next((line for line in part if printed.cell(line) in of_findings), part.stop))
        for key in printed.words.sections["metrics"]:
            label = printed.words.text("labels", "main_rate", name=printed.words.text("metrics", key), value="")
            if label.replace(" ", "") not in "".join(printed.lines[line] for line in part).replace(" ", ""):
                continue
            if key == "failing_matches":
                values = tables.row(
                    "select count(*) filter (judgement = 'bad_match'), count(*) from diagnosis.relevance "
                    "where business_date = $day and grain = 'creative' and judgement != 'too_thin'"
                )
            else:
                values = known(*tables.metric(key)[2:])
            yield Wanted(f"{stage}: question {key}", printed.after(part, label, len(values)), values)
        if is_calm(printed, tables, stage):  # nothing moved, so that nothing may have moved it
            continue
        heading = printed.words.text("headings", "pairs")
        if printed.was_looked_into and not printed.holds(printed.stage(stage), heading):  # no figure of them moved
            continue
        part = printed.part(printed.stage(stage), heading)
        for key in printed.words.sections["metrics"]:
            name = printed.words.text("metrics", key)
            if any(re.search(rf"(^|\s\s){re.escape(name)}\s\s", printed.lines[line]) for line in part):
                yield Wanted(
                    f"{stage}: pair {key}", printed.after(part, f"{name}  ", most=2), known(*tables.metric(key)[2:])
                )


def is_calm(printed: Printed, tables: Tables, stage: str) -> bool:
    if not printed.was_looked_into:
        return False
    (findings,) = tables.row(
        "select count(*) from diagnosis.findings where business_date = $day and status != 'recovered' "
        f"and stage = '{stage}'"
    )
    return not findings


def the_heat_maps(printed: Printed, tables: Tables) -> Iterator[Wanted]:
    """The rate of each cell, and below it how many points it lies from the pooled rate of the usual days."""
    for stage, (cube, row, column, entered, passed) in HEAT_MAPS.items():
        is_drawn = printed.holds(printed.stage(stage), printed.heat_map_heading(stage))
        if is_calm(printed, tables, stage) or (printed.was_looked_into and not is_drawn):
            continue
        cells = tables.rows(
            f"""
            with sums as (
                select
                    {row}::VARCHAR as row_value, {column}::VARCHAR as column_value,
                    sum({entered}) filter (business_date = $day) as entered,
                    sum({passed}) filter (business_date = $day) as passed,
                    sum({entered}) filter (business_date in (from usual_days)) as usual_entered,
                    sum({passed}) filter (business_date in (from usual_days)) as usual_passed
                from marts.{cube} where business_date between $day - 28 and $day group by all
            ),
            rows as (select row_value, sum(entered) as size from sums where row_value is not null group by all
                having size > 0 order by size desc, row_value limit 8),
            columns as (select column_value, sum(entered) as size from sums where column_value is not null group by all
                having size > 0 order by size desc, column_value limit 6)
            select row_value, coalesce(entered, 0), passed, usual_entered, usual_passed
            from rows cross join columns left join sums using (row_value, column_value)
            order by rows.size desc, row_value, columns.size desc, column_value
            """
        )
        part = printed.part(printed.stage(stage), printed.heat_map_heading(stage))
        for name in dict.fromkeys(cell[0] for cell in cells):
            rates, distances = [], []
            for _, size, passing, usual_size, usual_passing in (cell for cell in cells if cell[0] == name):
                if not size:
                    continue
                rates.append(float(passing / size))
                if usual_size and usual_passing:
                    distances.append(float(passing / size - usual_passing / usual_size) * 100)
            place = printed.row(part, name) if rates else None
            if place is not None:
                line = place.lines[0][0]
                place = Place([*place.lines, *([(line + 1, 0)] if distances else [])])
                yield Wanted(f"{stage}: heat map {name}", place, (*rates, *distances))


def the_slices(printed: Printed, tables: Tables) -> Iterator[Wanted]:
    """The eight largest values of each printed dimension, and the rest as one."""
    for stage, dimensions in SLICES.items():
        chapter = printed.stage(stage)
        for dimension, (cube, column, entered, passed) in dimensions.items():
            is_printed = any(printed.lines[line] == printed.slice_heading(dimension) for line in chapter)
            assert is_printed or printed.was_looked_into, dimension
            if not is_printed:
                continue
            part = printed.part(chapter, printed.slice_heading(dimension))
            found = tables.rows(
                f"""
                with sums as (
                    select
                        {column}::VARCHAR as slice,
                        coalesce(sum({entered}) filter (business_date = $day), 0) as entered,
                        coalesce(sum({passed}) filter (business_date = $day), 0) as passed,
                        coalesce(sum({entered}) filter (business_date in (from usual_days)), 0) as usual_entered,
                        coalesce(sum({passed}) filter (business_date in (from usual_days)), 0) as usual_passed
                    from marts.{cube} where business_date between $day - 28 and $day group by all having entered > 0
                ),
                ranked as (select *, row_number() over (order by entered desc, passed desc, slice) as place,
                    count(*) over () as slices from sums)
                select
                    case when place > 8 and slices > 9 then null else slice end as slice, sum(entered), sum(passed),
                    sum(usual_entered), sum(usual_passed), count(*), min(place) as place
                from ranked group by 1 order by place
                """
            )
            for name, size, passing, usual_size, usual_passing, count, _ in found:
                other = printed.words.text("labels", "other", count=f"{count:,}")
                label = printed.words.translate_dimension_value(dimension, name) if name else other
                rate = float(passing / size)
                usual = float(usual_passing / usual_size) if usual_size else None
                far = None if usual is None else float(passing) - float(size) * usual
                values = known(size, passing, rate, usual, change(rate, usual, is_rate=True), far)
                yield Wanted(f"{stage}: {dimension} {name}", printed.row(part, label), values)


def the_later_outcomes(printed: Printed, tables: Tables) -> Iterator[Wanted]:
    tables_of = {
        ("decision", "windows"): "select window_days, sum(converted), sum(lost), sum(pending), sum(converted) filter "
        "(is_mature) / sum(entered) filter (is_mature) from marts.session_conversion_windows "
        "where window_days > 0 and entry_date between $day - 28 and $day group by all order by 1",
        ("decision", "inquiry_windows"): "select window_days, sum(converted), sum(lost), sum(pending), sum(converted) "
        "filter (is_mature) / sum(entered) filter (is_mature) from marts.inquiry_conversion_windows "
        "where window_days > 0 and entry_date between $day - 28 and $day group by all order by 1",
        (
            "repurchase",
            "windows",
        ): "select window_days, sum(converted), sum(lost), sum(pending), max(kaplan_meier_rate) "
        "from marts.repurchase_windows where cohort_date between $day - 89 and $day group by all order by 1",
    }
    for (stage, key), sql in tables_of.items():
        part = printed.part(printed.stage(stage), printed.words.text("headings", key))
        for days, *values in tables.rows(sql):
            label = printed.words.text("labels", "window", days=str(days))
            yield Wanted(f"{stage}: {key} {days}", printed.row(part, label), known(*values))


def the_answers_to_inquiries(printed: Printed, tables: Tables) -> Iterator[Wanted]:
    """Who was answered within each window, and after how long half of all were."""
    part = printed.part(printed.stage("decision"), printed.words.text("headings", "response_windows"))
    for days, *values, entered in tables.rows(
        "select window_days, sum(answered), sum(unanswered), sum(pending), sum(answered) filter (is_mature) / "
        "sum(entered) filter (is_mature), sum(entered) from marts.response_windows "
        "where window_days > 0 and entry_date between $day - 28 and $day group by all order by 1"
    ):
        (half,) = tables.row(
            f"select response_seconds from marts.response_outcomes, range(inquiries) where age_days <= {days} "
            f"and entry_date between $day - 28 and $day order by 1 limit 1 offset {(entered - 1) // 2}"
        )
        label = printed.words.text("labels", "window", days=str(days))
        yield Wanted(f"decision: answers {days}", printed.row(part, label), known(*values, half))


def the_findings(printed: Printed, tables: Tables) -> Iterator[Wanted]:
    """Rates, losses with their intervals, and how sure the slice is, on the first page and on the stage's."""
    found = tables.rows(
        """
        select stage, fault_class, step, since_date, entered, passed / entered, expected / entered, stability,
            lost_orders, lost_orders_low, lost_orders_high, lost_amount, lost_amount_low, lost_amount_high,
            lost_amount_net / nullif(lost_amount, 0), status
        from diagnosis.findings where business_date = $day
        order by rank
        """
    )
    losses = [row for row in found if row[-1] != "withheld"]
    assert losses, "or nothing is compared"
    label = printed.words.text("finding_facts", "orders", orders="#").partition("#")[0]
    lines = [line for line in printed.front if label in printed.lines[line]]
    for line, (_, kind, *values) in zip(lines, losses, strict=True):
        yield Wanted(f"first page: {kind}", Place([(line, 0), (line + 1, 0)], most=6), tuple(values[6:12]))
    for stage, kind, step, since, entered, seen, expected, stability, *lost, kept, status in found:
        name, days = printed.words.text("steps", step), (DAY - since).days + 1
        day_told = (days,) if days > 1 else map(float, NUMBER.findall(printed.words.text("finding_facts", "first_day")))
        facts = (expected, seen, *day_told, entered)
        begun = [line for line in printed.front if printed.lines[line].startswith(f"{name} ")]
        (line,) = (line for line in begun if " → " in printed.lines[line])
        yield Wanted(f"first page: {kind} rate", Place([(line, 0), (line + 1, 0)], most=len(facts)), facts)
        chapter = printed.list_with_told(stage)
        rows = {"observed_rate": (seen, expected), "stability": (stability,)}
        if status != "withheld":
            orders, money = lost[:3], lost[3:]
            rows |= {"lost_orders": orders, "lost_amount": money, "lost_net_amount": [each * kept for each in money]}
        for key, wanted in rows.items():
            label = printed.words.text("finding_parts", key)
            beside_the_chart = replace(printed.row(chapter, label), most=len(wanted))
            yield Wanted(f"{stage}: {kind} {key}", beside_the_chart, tuple(wanted))
    acting = [row for row in found if row[-1] != "recovered"]
    yield Wanted("verdict", verdict_place(printed), (len(acting),))


def the_evidence(printed: Printed, tables: Tables) -> Iterator[Wanted]:
    """The effect of each finding with its interval, what moved with it, and its two parts of the step's change."""
    found = tables.rows(
        """
        select stage, slice, effect, effect_low, effect_high, finding_id, cube, step
        from diagnosis.findings where business_date = $day and effect is not null
        """
    )
    assert found
    for stage, slice_text, *effect, finding, cube, step in found:
        heading = printed.words.text("headings", "effects")
        if printed.holds(printed.stage(stage), heading):  # drawn where a stage has several findings
            name = printed.words.format_slice(tuple(json.loads(slice_text).items()))
            row = printed.row(printed.part(printed.stage(stage), heading), name)
            yield Wanted(f"{stage}: effect {name}", row, tuple(map(float, effect)))
        for series, today, usual in tables.rows(
            f"select name, today, usual from diagnosis.evidence where business_date = $day and kind = 'series' "
            f"and finding_id = '{finding}'"
        ):
            label = printed.words.text("series", series)
            cell = printed.words.text("finding_parts", "evidence")
            lines = [line for line in printed.list_with_told(stage) if printed.cell(line) == cell]
            (line,) = (line for line in lines if label in printed.lines[line])
            place = printed.after(range(line, line + 1), label, most=2)
            yield Wanted(f"{stage}: evidence {series}", place, (today, usual))
        named = json.loads(slice_text)
        if len(named) == 1:  # parts of a change are known of slices of one dimension
            ((dimension, value),) = named.items()
            parts = tables.rows(
                "select contribution * 100 from diagnosis.contributions where business_date = $day "
                f"and subject = 'rate' and cube = '{cube}' and step = '{step}' "
                f"and dimension = '{dimension}' and value = '{value}' order by part = 'mix'"
            )
            row = replace(printed.row(printed.stage(stage), printed.words.text("finding_parts", "parts")), most=2)
            yield Wanted(f"{stage}: parts {value}", row, tuple(part for (part,) in parts))


def verdict_place(printed: Printed) -> Place:
    """The number of things to do, in the sentence of the day."""
    before = printed.words.text("verdict_sentences", "to_do", count="#").partition("#")[0]
    line = next(line for line in printed.front if printed.lines[line].startswith(before))
    return Place([(line, 0)], most=1)


def the_data(printed: Printed, tables: Tables) -> Iterator[Wanted]:
    """Rows of each family on the data page and in the strip of the first; refused rows and the check that warns."""
    chapter = printed.chapter(printed.words.text("headings", "data"))
    deliveries = printed.part(chapter, printed.words.text("headings", "deliveries"))
    strip = [printed.words.text("families", family) for family in printed.words.sections["families"]]
    for family, *counts in tables.rows(
        "select family, rows_read, rows_accepted, rows_duplicate, rows_quarantined from quality.family_days "
        "where business_date = $day and state != 'absent'"
    ):
        name = printed.words.text("families", family)
        yield Wanted(f"data: {family}", printed.row(deliveries, name), tuple(map(float, counts)))
        first = printed.block(printed.front, name, strip)
        yield Wanted(f"strip: {family}", Place(first.lines, most=1), (counts[1],))
    quarantine = printed.part(chapter, printed.words.text("headings", "quarantine"))
    refused = tables.rows(
        "select family, reason, sum(row_count) from quality.quarantine_days where business_date = $day group by all"
    )
    assert sum(rows for _, _, rows in refused) == REFUSED_ROWS
    for family, _, rows in refused:
        yield Wanted("quarantine", printed.row(quarantine, printed.words.text("families", family)), (rows,))
    checks = printed.part(chapter, printed.words.text("headings", "checks"))
    (passed,) = tables.row(
        "select count(distinct check_name) from quality.results where business_date = $day and is_passed"
    )
    label = printed.words.text("notes", "checks_passed", count="#")
    start, end = label.split("#")[0], label.split("#")[1][:3]
    (line,) = (line for line in checks if start in printed.lines[line] and end in printed.lines[line])
    yield Wanted("checks passed", Place([(line, 0)], most=1), (passed,))
    (warned,) = tables.rows("select observed from quality.results where business_date = $day and not is_passed")
    wanted = [float(number) for number in re.findall(r"\d+", warned[0])]
    title = printed.words.text("checks", "little_is_in_quarantine")
    line = next(line for line in printed.front if title in printed.lines[line])
    after = Place([(line, printed.lines[line].index(title) + len(title)), (line + 1, 0)], most=len(wanted))
    found = printed.numbers(after)
    turned = [number for pair in zip(wanted[1::2], wanted[::2], strict=True) for number in pair]  # "of 9 rows 2"
    yield Wanted("check that warns", after, tuple(wanted if agrees(found[0][1], wanted[0]) else turned))


Part = Callable[[Printed, Tables], Iterator[Wanted]]
PARTS: tuple[Part, ...] = (
    the_main_figures,
    the_bridge,
    the_tiles,
    the_money,
    the_steps,
    the_operational_figures,
    the_questions_and_pairs,
    the_heat_maps,
    the_slices,
    the_later_outcomes,
    the_answers_to_inquiries,
    the_findings,
    the_evidence,
    the_data,
)


def mismatches(printed: Printed, wanted: Sequence[Wanted]) -> list[str]:
    """What is not printed as it should be; numbers that were compared are noted as claimed."""
    wrong = []
    for each in wanted:
        found = printed.numbers(each.place)
        texts = [text for _, text in found]
        if len(texts) != len(each.values) or not all(map(agrees, texts, each.values)):
            wrong.append(f"{each.what}: printed {texts}, in the tables {[round(value, 6) for value in each.values]}")
        printed.claimed |= {place for place, _ in found}
    return wrong


OF_FINDINGS = (the_findings, the_evidence)


def parts_of(printed: Printed) -> list[Part]:
    return [part for part in PARTS if printed.was_looked_into or part not in OF_FINDINGS]


@pytest.fixture(scope="module")
def prints(home: Home) -> dict[str, Printed]:
    """Both prints of the day in both languages."""
    return {
        f"{kind} {language}": read(home, language)
        for kind, read in (("day", Printed.of_the_day), ("everything", Printed.with_everything))
        for language in ("en", "zh")
    }


@pytest.fixture(scope="module")
def tables(home: Home) -> Iterator[Tables]:
    with duckdb.connect(str(home.settings.published / "current" / "funnelscope.duckdb"), read_only=True) as connection:
        yield Tables(connection)


@pytest.fixture(scope="module", params=["day en", "day zh", "everything en", "everything zh"])
def compared(
    prints: dict[str, Printed], tables: Tables, request: pytest.FixtureRequest
) -> tuple[Printed, dict[str, list[Wanted]]]:
    """A print, and what should stand on it."""
    printed = prints[request.param]
    return printed, {part.__name__: list(part(printed, tables)) for part in parts_of(printed)}


@pytest.mark.parametrize("part", [part.__name__ for part in PARTS])
def test_a_printed_number_is_the_one_in_the_published_tables(
    compared: tuple[Printed, dict[str, list[Wanted]]], part: str
) -> None:
    printed, wanted = compared
    if not printed.was_looked_into and part in [each.__name__ for each in OF_FINDINGS]:
        assert part not in wanted
        return
    assert wanted[part]
    assert mismatches(printed, wanted[part]) == []


def test_every_heat_map_and_every_table_by_slice_is_compared(
    compared: tuple[Printed, dict[str, list[Wanted]]],
) -> None:
    printed, wanted = compared
    if printed.was_looked_into:
        return
    told = {each.what for part in ("the_heat_maps", "the_slices") for each in wanted[part]}
    for stage in STAGES:
        for part in ("heat map", *SLICES[stage]):
            assert any(what.startswith(f"{stage}: {part} ") for what in told), (stage, part)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_figure_that_is_not_printed_is_folded_away_and_as_usual(
    prints: dict[str, Printed], tables: Tables, language: str
) -> None:
    day_print, everything = prints[f"day {language}"], prints[f"everything {language}"]
    told, whole = (
        {each.what for each in the_operational_figures(print_, tables)} for print_ in (day_print, everything)
    )
    assert told == whole
    assert not everything.folded
    assert {stage for stage in STAGES if is_calm(day_print, tables, stage)} <= set(day_print.folded)
    assert day_print.folded
    names = {day_print.cell(line) for lines in day_print.folded.values() for line in lines}
    words = day_print.words
    rates = [key for key in words.sections["metrics"] if is_rate(key) and words.text("metrics", key) in names]
    assert len(rates) > 2
    for key in rates:
        days = tables.rows(
            f"select business_date, value, denominator from marts.daily_metrics where metric = '{key}' "
            "and business_date in (from compared_days) and value is not null"
        )
        _, entered, value, usual = tables.metric(key)
        assert value is not None
        assert usual is not None
        assert entered is not None
        low, high = range_of_a_share(days, usual, entered)
        assert low <= value <= high, key


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_first_days_of_a_shop_are_a_short_read(home: Home, language: str) -> None:
    edition = find_or_print_report(home.settings, day(3), language)
    pages = PdfReader(edition.pdf).pages
    assert len(pages) <= 7
    assert ("still needed: 26" if language == "en" else "还需 26 个") in "".join(pages[0].extract_text().splitlines())


def test_the_bridge_and_the_factors_print_the_same_usual_values(
    compared: tuple[Printed, dict[str, list[Wanted]]],
) -> None:
    printed, wanted = compared
    places = {each.what: each.place for part in ("the_bridge", "the_money") for each in wanted[part]}
    for key in ("sessions", "landing_rate", "decision_rate", "orders_per_paying_session", "amount_per_order"):
        _, usual, today = (text for _, text in printed.numbers(places[f"bridge: {key}"]))
        in_the_table = [text for _, text in printed.numbers(places[f"factor: {key}"])]
        assert in_the_table[-3:-1] == [today, usual]


def test_nearly_every_number_of_the_pages_is_compared(compared: tuple[Printed, dict[str, list[Wanted]]]) -> None:
    """What is left are the numbers of axes, lines' ends, sentences and definitions, which other tests compare."""
    printed, wanted = compared
    mismatches(printed, [each for part in wanted.values() for each in part])
    words = printed.chapter(printed.words.text("headings", "definitions"))
    places = {
        (line, match.start())
        for line, text in enumerate(printed.lines)
        if line >= printed.front.start and line not in words
        for match in NUMBER.finditer(text, len(printed.cell(line)))
    }
    assert len(places) > (340 if printed.was_looked_into else 1_250)  # of a day the rest is folded away
    rest = [printed.lines[line] for line, _ in sorted(places - printed.claimed)]
    assert len(rest) < (0.13 if printed.was_looked_into else 0.08) * len(places), rest


# Each turns the numbers of a table, of the day alone, so that no printed one is right any more.
PERTURBED = {
    "marts.daily_money": "amount = amount * 1.1 + 1, payments = payments + 1",
    "marts.daily_summary": "human_sessions = human_sessions * 1.1, qualified_sessions = qualified_sessions * 1.3, "
    "paying_sessions = paying_sessions * 1.7, same_day_orders = same_day_orders * 2, same_day_amount = "
    "same_day_amount * 3, buyers = buyers + 3",
    "marts.daily_metrics": "numerator = numerator * 1.1 + 1, denominator = denominator * 1.3 + 1, "
    "value = value * 1.5 + 1, median = median + 2, p75 = p75 + 2, p90 = p90 + 2",
    "marts.funnel_steps": "reached = reached + step_number * 3",
    "marts.landing_cube": "reached_qualified_product_view = reached_qualified_product_view + 1",
    "marts.decision_cube": "reached_paid = reached_paid + 1",
    "marts.checkout_cube": "ordered = ordered + 1",
    "marts.payment_cube": "paid = paid + 1",
    "marts.arrival_cube": "arrived_clicks = arrived_clicks + 1",
    "marts.repurchase_cube": "purchased = purchased + 1",
    "diagnosis.findings": "lost_orders = lost_orders + 1, lost_amount = lost_amount + 9, passed = passed + 3",
    "diagnosis.evidence": "today = today * 1.1",
    "diagnosis.contributions": "contribution = contribution * 1.1",
    "quality.family_days": "rows_read = rows_read + 1, rows_accepted = rows_accepted + 1",
}


READ_FROM = [(table, "day" if table.startswith("diagnosis.") else "everything") for table in PERTURBED]


@pytest.mark.parametrize(("table", "kind"), [*READ_FROM, ("marts.daily_metrics", "day")])  # also what is folded away
def test_a_table_that_says_otherwise_is_noticed(
    home: Home, prints: dict[str, Printed], tables: Tables, tmp_path: Path, table: str, kind: str
) -> None:
    """Every comparison can fail: with another table behind the same print, those that read it do."""
    printed = prints[f"{kind} en"]
    before = [each for part in parts_of(printed) for each in part(printed, tables)]
    copy = tmp_path / "copy.duckdb"
    shutil.copy(home.settings.published / "current" / "funnelscope.duckdb", copy)
    with duckdb.connect(str(copy)) as connection:
        connection.execute(f"update {table} set {PERTURBED[table]} where business_date = date '{DAY}'")
        otherwise = Tables(connection)
        after = [each for part in parts_of(printed) for each in part_or_nothing(part, printed, otherwise)]
    assert mismatches(printed, before) == []
    values = {each.what: each.values for each in before}
    changed = [each for each in after if each.values != pytest.approx(values[each.what], rel=1e-9)]
    assert changed
    assert len(mismatches(printed, changed)) == len(changed)


def part_or_nothing(part: Part, printed: Printed, tables: Tables) -> list[Wanted]:
    """Where the tables contradict each other, a part notices that by itself."""
    try:
        return list(part(printed, tables))
    except (AssertionError, ValueError):
        return []
