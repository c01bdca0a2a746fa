"""What platforms state: their lines on the first page, and a chapter for each."""

from collections.abc import Sequence

from funnelscope.messages.message_types import Number, Unit
from funnelscope.messages.wording import STATED, Words
from reports.model import (
    ComparedFigure,
    Figure,
    Platform,
    Report,
    StatedObject,
    StatedTable,
    has_events,
    select_findings_of_platform,
)
from reports.pages.finding_blocks import build_finding_sections
from reports.pages.table_blocks import (
    Content,
    build_section,
    build_table,
    name_figure,
    write_column_heads,
    write_trend_alternative,
)
from reports.pictures.trend import has_trend
from reports.tones import SIGNS, write_mark

MOST_ROWS_IN_FULL, ROWS_OF_A_FINDING = 30, 4
"""With more figures the first page has one line a platform, and the comparisons stand on their own pages."""
OBJECTS_SHOWN = 10
LEAST_WITHOUT_CENTS = 200
LINE_FIGURES = (
    *("paid_amount", "visitors", "viewers", "pay_rate", "amount_per_buyer", "refunded_amount", "cost", "cost_share"),
)
OVERLAPPING_LEVELS = ("shop", "product", "source", "keyword")
ROOM_STEPS = tuple(f"{STATED}{key}" for key in ("watch_rate", "product_click_rate", "click_pay_rate"))
PAGE_MM, LEAST_NAME_MM, WIDE_MM = 174.0, 46.0, 2.9
ROOM_STEP_MM = (24, 16)


def name_platform(platform: Platform, words: Words) -> str:
    """The platform as its users call it, with the shop where it has several."""
    name = words.translate_or_keep("platforms", platform.name) if platform.name else words.text("labels", "not_named")
    return words.text("labels", "with_unit", name=name, unit=platform.shop) if platform.shop else name


def is_in_full(report: Report) -> bool:
    """Whether the first page compares each platform's figures; the platforms' pages then leave them out."""
    if has_events(report):
        return False
    rows = sum(len(each.figures) + 2 for each in report.platforms if each.figures)
    return rows + len(report.findings[:3]) * ROWS_OF_A_FINDING <= MOST_ROWS_IN_FULL


def is_stated(figures: Sequence[ComparedFigure]) -> bool:
    """Whether any of the figures is known; what a platform has not stated yet fills no page."""
    return any(each.figure.value is not None for each in figures)


def has_values(table: StatedTable) -> bool:
    """Whether any figure of any object is known."""
    return any(figure.value is not None for each in table.objects for figure in each.figures)


# --- The first page --------------------------------------------------------------------------------


def build_platform_sections(report: Report, words: Words) -> list[Content]:
    """The platforms on the first page: compared in full, or a line each."""
    if not report.platforms:
        return []
    sections = []
    if is_stated(report.platform_total) and not has_events(report):
        heading = words.text("headings", "platform_total")
        sections.append(build_section(heading, build_compared_figures(report.platform_total, report, words)))
    if is_in_full(report):
        sections += [
            build_figures_section(platform, report, words)
            for platform in report.platforms
            if is_stated(platform.figures)
        ]
    elif any(is_stated(platform.figures) for platform in report.platforms):
        sections.append(build_lines_section(report, words))
    sections += [build_section(None, None, line) for line in write_claims(report, words)]
    sections += build_amount_sections(report, words)
    if is_funnel_first(report):
        sections += build_funnel_sections(1, report.platforms[0], report, words)
    if not has_events(report):
        sections.append(build_section(None, None, words.text("notes", "no_page_events")))
    return sections


def write_claims(report: Report, words: Words) -> list[str]:
    """What advertising returned, a sentence a platform, with the window of what it claims."""
    lines = []
    for platform in report.platforms:
        claim = platform.claim
        if claim is None or claim.return_on_spend is None:
            continue
        figures = {
            "platform": name_platform(platform, words),
            "roi": words.value(claim.return_on_spend, Unit.RATIO),
            "amount": write_stated(claim.attributed_amount, Unit.MONEY, words),
            "cost": write_stated(claim.cost, Unit.MONEY, words),
            "days": words.plain(claim.days),
            "age": words.plain(claim.age),
        }
        lines.append(words.text("notes", "claim_growing" if claim.age < claim.days else "claim_final", **figures))
    return lines


def build_amount_sections(report: Report, words: Words) -> list[Content]:
    """The trends of paid amounts for which the first page has room, under the platforms' names."""
    is_one = len(report.platforms) == 1
    return [
        build_amount_section(number, platform, None if is_one else name_platform(platform, words), words)
        for number, platform in enumerate(report.platforms, start=1)
        if number in list_amounts_drawn_first(report)
    ]


def list_amounts_drawn_first(report: Report) -> list[int]:
    """The platforms whose trend is on the first page: one, or two beside mere lines; findings take their place."""
    drawn = [number for number, platform in enumerate(report.platforms, start=1) if find_amount(platform)]
    taken = len(report.findings) + bool(report.follow_ups)
    room = 2 if not is_in_full(report) else 1 if len(report.platforms) <= 2 else 0
    return [] if has_events(report) else drawn[: max(room - taken, 0)]


def build_amount_section(number: int, platform: Platform, heading: str | None, words: Words) -> Content:
    """The trend of the platform's paid amount, else of the cost of advertising."""
    alternative = write_trend_alternative(find_amount(platform), words)
    drawn = build_section(heading, None, None, {"file": f"platform_{number}_amount.svg", "alt": alternative})
    return drawn | {"is_half": True}


def build_figures_section(platform: Platform, report: Report, words: Words) -> Content:
    """The main figures of a platform under its name."""
    heading = name_platform(platform, words)
    if platform.level != "shop":
        heading = words.text("labels", "with_unit", name=heading, unit=words.text("labels", f"all_{platform.level}s"))
    return build_section(heading, build_compared_figures(platform.figures, report, words))


def build_compared_figures(figures: Sequence[ComparedFigure], report: Report, words: Words) -> Content:
    """Figures with what they are held against; a comparison that none of them has is left out."""
    head = write_column_heads(
        words, "figure", "value", "days_known", "before_that", "earlier_that", "usual", "against", "peers", "target"
    )
    rows = [write_compared_row(each, report, words) for each in figures]
    kept = [place for place in range(len(head)) if place < 2 or any(row[place] for row in rows)]
    return build_table(
        [head[place] for place in kept],
        [[row[place] for place in kept] for row in rows],
        [None, *(22 if len(kept) < 8 else 20 for _ in kept[1:])],
    )


def write_compared_row(each: ComparedFigure, report: Report, words: Words) -> list[str]:
    """A figure as cells: its value, the days behind it, and its change against each of the others that is known."""
    figure, unit = each.figure, each.figure.unit

    def write_change(other: Number | None) -> str:
        return "" if other is None else words.change(figure.value, other, unit)

    days = {"numerator": words.plain(each.days), "denominator": words.plain(len(report.days))}
    return [
        name_stated(figure, report.currency, words),
        write_cell(figure, words),
        words.text("labels", "of", **days) if report.days else "",
        write_change(each.before),
        write_change(each.earlier),
        write_usual(figure, words),
        write_change(figure.baseline),
        "" if each.peers is None else write_stated(each.peers, unit, words, figure.value),
        write_change(each.target),
    ]


def name_stated(figure: Figure, currency: str, words: Words) -> str:
    """The figure's name; of several days it says where it is the mean of days."""
    name = name_figure(figure, currency, words)
    return words.text("labels", "mean_of_days_name", name=name) if figure.rule == "mean_of_days" else name


def write_stated(value: Number | None, unit: Unit, words: Words, beside: Number | None = None) -> str:
    """A value with its unit, with as many decimals as the one beside it: amounts from two hundred on have none."""
    size = abs(float(beside if beside is not None else value or 0))
    digits = 0 if unit is Unit.MONEY and size >= LEAST_WITHOUT_CENTS else None
    if unit is Unit.COUNT:
        digits = 0 if size >= 10 else None
    return words.value(value, unit, digits)


def build_lines_section(report: Report, words: Words) -> Content:
    """One line a platform, without figures that none of them states."""
    lines = [each for each in report.platforms if is_stated(each.figures)]
    keys = [key for key in LINE_FIGURES if any(find_stated(each, key) for each in lines)]
    head, rows = [words.text("columns", "platform")], [[name_platform(each, words)] for each in lines]
    for key in keys:
        figures = [find_stated(each, key) for each in lines]
        head.append(words.name_figure(f"{STATED}{key}"))
        for row, figure in zip(rows, figures, strict=True):
            row.append(write_cell(figure, words) if figure else "")
        if key == "paid_amount":
            head.append(words.text("columns", "against"))
            for row, figure in zip(rows, figures, strict=True):
                row.append(words.change(figure.value, figure.baseline, figure.unit) if figure else "")
            peers = [next((each.peers for each in line.figures if each.figure is figure), None)
                     for line, figure in zip(lines, figures, strict=True)]  # fmt: skip
            if any(value is not None for value in peers):
                head.append(words.text("columns", "peers"))
                for row, value in zip(rows, peers, strict=True):
                    row.append("" if value is None else write_stated(value, Unit.MONEY, words))
    note = words.text("notes", "platform_people") if has_events(report) else None
    return build_section(words.text("headings", "platforms"), build_table(head, rows, fit_widths(head, rows, 9)), note)


def find_stated(platform: Platform, key: str) -> Figure | None:
    """One of the first page's figures of the platform."""
    return next((each.figure for each in platform.figures if each.figure.key == f"{STATED}{key}"), None)


def find_amount(platform: Platform) -> Figure | None:
    """The paid amount, else the cost of advertising, if it has a trend."""
    figures = [figure for key in ("paid_amount", "cost") if (figure := find_stated(platform, key))]
    return figures[0] if figures and has_trend(figures[0].trend) else None


def write_platform_line(platform: Platform, report: Report, words: Words) -> str:
    """The platform in one line of text: its main figures, amounts with their change against usual."""
    parts = []
    for key in LINE_FIGURES:
        figure = find_stated(platform, key)
        if figure is None or figure.value is None:
            continue
        told = f"{name_stated(figure, report.currency, words)} {write_cell(figure, words)}"
        if key in ("paid_amount", "cost") and figure.baseline is not None:
            change = words.change(figure.value, figure.baseline, figure.unit)
            told = words.text("labels", "with_unit", name=told, unit=f"{words.text('columns', 'against')} {change}")
        parts.append(told)
    line = words.text("labels", "separator").join(parts) or words.no_data
    return words.text("labels", "main_rate", name=name_platform(platform, words), value=line)


def build_platform_strip(report: Report, words: Words) -> list[Content]:
    """Which platforms have stated the day, level by level, with the newest day of what is missing."""
    return [build_platform_cell(platform, report, words) for platform in report.platforms]


def build_platform_cell(platform: Platform, report: Report, words: Words) -> Content:
    """Name and state of a platform, and the newest day of each level; of a late platform only what is late."""
    late = [each for each in platform.deliveries if each.newest_day < report.business_date]
    days = [
        words.text("labels", "newest_day", level=words.text("levels", each.level), day=f"{each.newest_day:%m-%d}")
        for each in late or platform.deliveries
    ]
    return {
        "name": name_platform(platform, words),
        "state": words.text("delivery_states", "missing" if late else "complete"),
        "detail": words.text("labels", "separator").join(days),
    }


# --- A chapter a platform ----------------------------------------------------------------------------


def build_platform_chapters(report: Report, words: Words) -> list[Content]:
    """A chapter for each platform that states more of the day than the first page shows."""
    chapters = [
        build_platform_chapter(number, each, report, words)
        for number, each in enumerate(report.platforms, start=1)
        if is_stated((*each.figures, *each.others)) or any(map(has_values, each.tables))
    ]
    return [chapter for chapter in chapters if chapter["sections"]]


def build_platform_chapter(number: int, platform: Platform, report: Report, words: Words) -> Content:
    """The platform's own funnel, its figures, its findings, and a table for each level."""
    name = name_platform(platform, words)
    sections = [] if is_funnel_first(report) else build_funnel_sections(number, platform, report, words)
    has_room = not sections and find_amount(platform) is not None
    if has_room and number not in list_amounts_drawn_first(report):
        sections.append(build_amount_section(number, platform, None, words))
    sections += build_finding_sections(select_findings_of_platform(report, platform), report, words)
    shown = platform.others if is_in_full(report) else (*platform.figures, *platform.others)
    if is_stated(shown):
        heading = "further_figures" if is_in_full(report) else "platform_figures"
        sections.append(build_section(words.text("headings", heading), build_compared_figures(shown, report, words)))
    sections += build_days_section(platform, words)
    for table in filter(has_values, platform.tables):
        sections.append(build_objects_section(table, report, words))
        sections += build_room_steps_section(table, words)
    sections += build_claims_note(platform, words)
    return {"name": name, "question": words.text("notes", "platform_people_of", platform=name), "sections": sections}


def build_days_section(platform: Platform, words: Words) -> list[Content]:
    """The days of a week or month with the platform's main figures; empty for a day."""
    if not platform.days:
        return []
    head = [words.text("columns", "day"), *(words.name_figure(each.key) for each in platform.days[0].figures)]
    rows = [
        [each.day.isoformat(), *(write_stated(figure.value, figure.unit, words) for figure in each.figures)]
        for each in platform.days
    ]
    return [build_section(words.text("headings", "days"), build_table(head, rows, fit_widths(head, rows)))]


def is_funnel_first(report: Report) -> bool:
    """Whether the first page has the funnel: it is that of the only platform."""
    return not has_events(report) and len(report.platforms) == 1


def build_funnel_sections(number: int, platform: Platform, report: Report, words: Words) -> list[Content]:
    """The platform's own funnel above the trend of its pay rate; empty where it states no steps."""
    if not platform.steps:
        return []
    steps = [
        words.text("alternatives", "step", name=words.name_step(step.key), count=words.value(step.count, Unit.COUNT))
        for step in platform.steps
    ]
    funnel = words.text("alternatives", "funnel", steps=", ".join(steps))
    trend = write_trend_alternative(find_stated(platform, "pay_rate"), words)
    heading = words.text("headings", "platform_funnel", platform=name_platform(platform, words))
    note = words.text("notes", "mean_funnel") if report.days else None
    return [build_section(heading, None, note, {"file": f"platform_{number}.svg", "alt": f"{funnel} {trend}"})]


def build_claims_note(platform: Platform, words: Words) -> list[Content]:
    """Within how many days advertising claims its amounts, and how many of them are over; empty without claims."""
    table = next((each for each in platform.tables if f"{STATED}attributed_amount" in each.columns), None)
    if table is None:
        return []
    if table.attribution_days is None or table.claim_age is None:
        return [build_section(None, None, words.text("notes", "claims_without_window"))]
    days = {"days": words.plain(table.attribution_days), "age": words.plain(table.claim_age)}
    return [build_section(None, None, words.text("notes", "claims", **days))]


def select_shown_objects(table: StatedTable) -> list[StatedObject]:
    """Those that a finding names or that moved, then the largest: ten, and all that a finding names."""
    moved = [each for each in table.objects if each.is_found or each.is_marked]
    moved.sort(key=lambda each: not each.is_found)
    named = [each for each in moved if each.is_found]
    shown = moved[: max(OBJECTS_SHOWN, len(named))]
    return shown + [each for each in table.objects if each not in shown][: max(OBJECTS_SHOWN - len(shown), 0)]


def build_objects_section(table: StatedTable, report: Report, words: Words) -> Content:
    """The table of a level, with the change of what makes an object large and of its rate."""
    shown = select_shown_objects(table)
    blocks = select_columns(table, shown, words)
    columns = [column for block in blocks.values() for column in block]
    names = [name_object(each, words) for each in table.objects]
    rows = []
    for number, each in enumerate(shown, start=1):
        name = name_object(each, words)
        if names.count(name) > 1 and each.object:
            name = words.text("labels", "with_unit", name=name, unit=each.object)
        rows.append([name, *(column[number] for column in columns)])
    if table.peers is not None:
        rows.append([words.text("columns", "peers")])
        for key, block in blocks.items():
            rows[-1] += [write_cell(find_figure(table.peers, key, table), words), *[""] * (len(block) - 1)]
    level = words.text("dimensions", "device") if table.level == "shop" else words.text("levels", table.level)
    head = [level, *(column[0] for column in columns)]
    widths = [None, *(measure_column(column) for column in columns)]
    heading = words.text("headings", "slices", dimension=level)
    note = write_objects_note(table, shown, report, words)
    return build_section(heading, build_table(head, rows, widths), note or None)


def select_columns(table: StatedTable, shown: Sequence[StatedObject], words: Words) -> dict[str, list[list[str]]]:
    """The columns that fit beside the names, by figure: what makes an object large, its rate, then the others."""
    # What advertising costs and claims is more than how its clicks moved.
    compared = [table.size] if table.level == "campaign" else [table.size, table.rate]
    others = [key for key in table.columns if key not in ROOM_STEPS]
    blocks, room = {}, PAGE_MM - LEAST_NAME_MM
    for key in dict.fromkeys([table.size, *([table.rate] if table.rate else []), *others]):
        block = write_column(key, table, shown, key in compared, words)
        width = sum(map(measure_column, block))
        if width <= room:
            room -= width
            blocks[key] = block
    return {key: blocks[key] for key in table.columns if key in blocks}


def build_room_steps_section(table: StatedTable, words: Words) -> list[Content]:
    """The rates from step to step of each live room; empty where the platform states no steps of rooms."""
    keys = [key for key in ROOM_STEPS if key in table.columns]
    if table.level != "room" or not keys:
        return []
    shown = select_shown_objects(table)
    figures = [[find_figure(each, key, table) for key in keys] for each in shown]
    is_known = any(figure.baseline is not None for row in figures for figure in row)
    head = [words.text("levels", "room")]
    for key in keys:
        head += [words.name_figure(key), *([words.text("columns", "usual")] if is_known else [])]
    rows = [[name_object(each, words)] for each in shown]
    for cells, row in zip(rows, figures, strict=True):
        for figure in row:
            cells += [write_cell(figure, words), *([write_usual(figure, words)] if is_known else [])]
    heading = words.text("headings", "room_steps")
    widths = [None, *(ROOM_STEP_MM if is_known else ROOM_STEP_MM[:1]) * len(keys)]
    return [build_section(heading, build_table(head, rows, widths))]


def find_figure(each: StatedObject, key: str, table: StatedTable) -> Figure:
    """The figure of the object in this column of its table."""
    return each.figures[table.columns.index(key)]


def write_column(
    key: str, table: StatedTable, shown: Sequence[StatedObject], is_compared: bool, words: Words
) -> list[list[str]]:
    """The column of a figure, head first; with its usual value for the main rate, and its change where compared."""
    figures = [find_figure(each, key, table) for each in shown]
    largest = max((figure.value for figure in figures if figure.value is not None), key=float, default=None)
    column = [[words.name_figure(key), *(write_cell(figure, words, largest) for figure in figures)]]
    if not is_compared or all(figure.baseline is None for figure in figures):
        return column
    if key == table.rate:
        column.append([words.text("columns", "usual"), *(write_usual(figure, words) for figure in figures)])
    changes = [words.change(figure.value, figure.baseline, figure.unit) for figure in figures]
    column.append([words.text("columns", "against"), *changes])
    return column


def write_usual(figure: Figure, words: Words) -> str:
    """The usual value with the decimals of the value; empty where it is not known."""
    return "" if figure.baseline is None else write_stated(figure.baseline, figure.unit, words, figure.value)


def write_cell(figure: Figure, words: Words, beside: Number | None = None) -> str:
    """The value with its mark, and with the decimals of the largest amount of its column."""
    of_column = beside if figure.unit is Unit.MONEY else None
    mark = write_mark(figure.mark, figure.key, words)
    return f"{mark} {write_stated(figure.value, figure.unit, words, of_column)}".strip()


def measure_column(cells: Sequence[str], points: int = 8) -> int:
    """The width that the cells of a column need, in millimetres; its head, smaller below nine points, may break."""
    larger, head_larger = points / 8, (points if points >= 9 else 7) / 9
    longest = max([sum(WIDE_MM if is_wide(char) else 1.6 for char in cell) for cell in cells[1:]] + [0.0])
    head = max([sum(3.2 if is_wide(char) else 1.75 for char in word) for word in cells[0].split()] + [0.0])
    return round(max(longest * larger, min(head * head_larger, 16.0)) + 4)


def is_wide(char: str) -> bool:
    """Whether the character is as wide as high: Chinese, and the signs of marks."""
    return char > "⺀" or char in "".join(SIGNS.values())


def fit_widths(head: Sequence[str], rows: Sequence[Sequence[str]], points: int = 8) -> list[int | None]:
    """The widths of a table whose first column takes what is left, with letters of so many points."""
    columns = list(zip(head, *rows, strict=True))
    return [None, *(measure_column(column, points) for column in columns[1:])]


def name_object(each: StatedObject, words: Words) -> str:
    """The object's name below that of what it is part of; a sum of others is called so."""
    name = each.name or each.object or each.device or words.text("labels", "not_named")
    if each.is_rollup:
        name = each.parent or name
        return words.text("labels", "with_unit", name=name, unit=words.text("labels", "rollup"))
    if each.device and each.device != name:
        name = words.text("labels", "with_unit", name=name, unit=each.device)
    return words.text("labels", "part_of", whole=each.parent, name=name) if each.parent else name


def write_objects_note(table: StatedTable, shown: Sequence[StatedObject], report: Report, words: Words) -> str:
    """That people of the objects overlap, and how many objects the page leaves out."""
    parts = [words.text("notes", "overlap")] if table.level in OVERLAPPING_LEVELS else []
    parts += [words.text("notes", "mean_objects")] if report.days else []
    left = max(table.object_count, len(table.objects)) - len(shown)
    if left > 0:
        key = "more_objects" if table.object_count <= len(table.objects) else "more_objects_than_read"
        counts = {"count": words.plain(left), "known": words.plain(len(table.objects))}
        parts.append(words.text("notes", key, **counts))
    return " ".join(parts)
