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
from reports.pictures.funnel_picture import write_mark
from reports.pictures.trend import has_trend

MOST_ROWS_IN_FULL, ROWS_OF_A_FINDING = 30, 4
"""With more figures the first page has one line a platform, and the comparisons stand on their own pages."""
OBJECTS_SHOWN = 10
ROWS_OF_A_SHORT_CHAPTER = 36
LEAST_WITHOUT_CENTS = 200
LINE_FIGURES = ("paid_amount", "visitors", "viewers", "pay_rate", "amount_per_buyer", "refunded_amount", "cost")
OVERLAPPING_LEVELS = ("product", "source", "keyword")
ROOM_STEPS = tuple(f"{STATED}{key}" for key in ("watch_rate", "product_click_rate", "click_pay_rate"))
PAGE_MM, LEAST_NAME_MM, WIDE_MM = 174.0, 46.0, 2.9


def name_platform(platform: Platform, words: Words) -> str:
    """The platform as its users call it, with the shop where it has several."""
    name = words.translate_or_keep("platforms", platform.name) if platform.name else words.text("labels", "not_named")
    return words.text("labels", "with_unit", name=name, unit=platform.shop) if platform.shop else name


def is_in_full(report: Report) -> bool:
    """Whether the first page compares each platform's figures; the platforms' pages then leave them out."""
    if has_events(report):
        return False
    findings = report.diagnosis.findings[:3] if report.diagnosis else ()
    rows = sum(len(each.figures) + 2 for each in report.platforms if each.figures)
    return rows + len(findings) * ROWS_OF_A_FINDING <= MOST_ROWS_IN_FULL


# --- The first page --------------------------------------------------------------------------------


def build_platform_sections(report: Report, words: Words) -> list[Content]:
    """The platforms on the first page: compared in full, or a line each."""
    if not report.platforms:
        return []
    sections = []
    if report.platform_total and not has_events(report):
        heading = words.text("headings", "platform_total")
        sections.append(build_section(heading, build_compared_figures(report.platform_total, report, words)))
    if is_in_full(report):
        sections += [build_figures_section(platform, report, words) for platform in report.platforms if platform.figures]
    else:
        sections.append(build_lines_section(report, words))
    drawn = [f"platform_{number}_amount" for number, each in enumerate(report.platforms, 1) if find_amount(each)]
    if drawn and not has_events(report) and len(report.platforms) <= 2:
        figure = find_amount(report.platforms[0])
        picture = {"file": f"{drawn[0]}.svg", "alt": write_trend_alternative(figure, words)}
        sections.append(build_section(None, None, None, picture))
    if is_funnel_first(report):
        sections += build_funnel_sections(1, report.platforms[0], report, words)
    if not has_events(report):
        sections.append(build_section(None, None, words.text("notes", "no_page_events")))
    return sections


def build_figures_section(platform: Platform, report: Report, words: Words) -> Content:
    """The main figures of a platform under its name."""
    heading = name_platform(platform, words)
    if platform.level != "shop":
        heading = words.text(
            "labels", "with_unit", name=heading, unit=words.text("labels", f"all_{platform.level}s")
        )
    return build_section(heading, build_compared_figures(platform.figures, report, words))


def build_compared_figures(figures: Sequence[ComparedFigure], report: Report, words: Words) -> Content:
    """Figures with what they are held against; a comparison that none of them has is left out."""
    rows: list[list[str]] = []
    for each in figures:
        figure, unit = each.figure, each.figure.unit
        changes = [words.change(figure.value, other, unit) if other is not None else "" for other in (each.before, each.earlier)]
        usual = write_stated(figure.baseline, unit, words, figure.value) if figure.baseline is not None else ""
        rows.append(
            [
                name_stated(figure, report.currency, words),
                f"{write_mark(figure.mark, words)} {write_stated(figure.value, unit, words)}".strip(),
                words.text("labels", "of", numerator=str(each.days), denominator=str(len(report.days))) if report.days else "",
                *changes,
                usual,
                words.change(figure.value, figure.baseline, unit) if figure.baseline is not None else "",
                write_stated(each.peers, unit, words, figure.value) if each.peers is not None else "",
                words.change(figure.value, each.target, unit) if each.target is not None else "",
            ]
        )  # fmt: skip
    head = write_column_heads(
        words, "figure", "value", "days_known", "before_that", "earlier_that", "usual", "against", "peers", "target"
    )
    kept = [place for place in range(len(head)) if place < 2 or any(row[place] for row in rows)]
    return build_table(
        [head[place] for place in kept],
        [[row[place] for place in kept] for row in rows],
        [None, *(22 if len(kept) < 8 else 20 for _ in kept[1:])],
    )


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
    lines = [each for each in report.platforms if each.figures]
    keys = [key for key in LINE_FIGURES if any(find_stated(each, key) for each in lines)]
    head = [words.text("columns", "platform")]
    for key in keys:
        head += [words.name_figure(f"{STATED}{key}"), *([words.text("columns", "against")] if key == "paid_amount" else [])]
    rows = []
    for platform in lines:
        cells = [name_platform(platform, words)]
        for key in keys:
            figure = find_stated(platform, key)
            cells.append(f"{write_mark(figure.mark, words)} {write_stated(figure.value, figure.unit, words)}".strip() if figure else "")
            if key == "paid_amount":
                cells.append(words.change(figure.value, figure.baseline, figure.unit) if figure else "")
        rows.append(cells)
    note = words.text("notes", "platform_people") if has_events(report) else None
    return build_section(words.text("headings", "platforms"), build_table(head, rows, fit_widths(head, rows)), note)


def find_stated(platform: Platform, key: str) -> Figure | None:
    """One of the first page's figures of the platform."""
    return next((each.figure for each in platform.figures if each.figure.key == f"{STATED}{key}"), None)


def find_amount(platform: Platform) -> Figure | None:
    """The paid amount, else the cost of advertising, if it has a trend."""
    figures = [figure for key in ("paid_amount", "cost") if (figure := find_stated(platform, key))]
    return figures[0] if figures and has_trend(figures[0].trend) else None


def write_platform_line(platform: Platform, report: Report, words: Words) -> str:
    """The platform in one line of text: its main figures with their change against usual."""
    parts = []
    for key in LINE_FIGURES:
        figure = find_stated(platform, key)
        if figure is None or figure.value is None:
            continue
        told = f"{name_stated(figure, report.currency, words)} {write_stated(figure.value, figure.unit, words)}"
        if key in ("paid_amount", "cost") and figure.baseline is not None:
            change = words.change(figure.value, figure.baseline, figure.unit)
            told = words.text("labels", "with_unit", name=told, unit=words.text("labels", "usual", value=change))
        parts.append(f"{write_mark(figure.mark, words)}{told}")
    return words.text("labels", "main_rate", name=name_platform(platform, words), value=words.text("labels", "separator").join(parts))


def build_platform_strip(report: Report, words: Words) -> list[Content]:
    """Which platforms have stated the day, level by level, with the newest day of what is missing."""
    return [
        {
            "name": name_platform(platform, words),
            "state": words.text("delivery_states", "missing" if late else "complete"),
            "detail": words.text("labels", "separator").join(
                words.text("labels", "newest_day", level=words.text("levels", each.level), day=f"{each.newest_day:%m-%d}")
                for each in late or platform.deliveries
            ),
        }
        for platform in report.platforms
        for late in [[each for each in platform.deliveries if each.newest_day < report.business_date]]
    ]  # fmt: skip


# --- A chapter a platform ----------------------------------------------------------------------------


def build_platform_chapters(report: Report, words: Words) -> list[Content]:
    """A chapter for each platform that states more than the first page shows."""
    chapters = [build_platform_chapter(number, each, report, words) for number, each in enumerate(report.platforms, 1)]
    return place_chapters([chapter for chapter in chapters if chapter["sections"]])


def build_platform_chapter(number: int, platform: Platform, report: Report, words: Words) -> Content:
    """The platform's own funnel, its figures, its findings, and a table for each level."""
    name = name_platform(platform, words)
    sections = [] if is_funnel_first(report) else build_funnel_sections(number, platform, report, words)
    sections += build_finding_sections(select_findings_of_platform(report, platform), report.currency, words)
    shown = platform.others if is_in_full(report) else (*platform.figures, *platform.others)
    if shown:
        heading = "further_figures" if is_in_full(report) else "platform_figures"
        sections.append(build_section(words.text("headings", heading), build_compared_figures(shown, report, words)))
    for table in platform.tables:
        sections.append(build_objects_section(table, report, words))
        sections += build_room_steps_section(table, words)
    return {
        "name": name,
        "question": words.text("notes", "platform_people_of", platform=name),
        "sections": [*sections, *_build_claims_note(platform, words)],
    }


def place_chapters(chapters: Sequence[Content]) -> list[Content]:
    """The chapters with whether each begins a page: a short one follows the one before, in one piece."""
    return [
        chapter | {"begins_page": number == 0 or _count_rows(chapter) > ROWS_OF_A_SHORT_CHAPTER}
        for number, chapter in enumerate(chapters)
    ]


def _count_rows(chapter: Content) -> int:
    """How many rows of a table are about as high as the chapter."""
    tables = [section["table"] for section in chapter["sections"] if section["table"]]
    pictures = sum(section["picture"] is not None for section in chapter["sections"])
    return 5 + 3 * len(chapter["sections"]) + 12 * pictures + sum(len(table["rows"]) + 1 for table in tables)


def is_funnel_first(report: Report) -> bool:
    """Whether the first page has the funnel: it is that of the only platform."""
    return not has_events(report) and len(report.platforms) == 1


def build_funnel_sections(number: int, platform: Platform, report: Report, words: Words) -> list[Content]:
    """The platform's own funnel above the trend of its pay rate; empty where it states no steps."""
    name = name_platform(platform, words)
    sections = []
    if platform.steps:
        steps = ", ".join(
            words.text("alternatives", "step", name=words.name_step(step.key), count=words.value(step.count, Unit.COUNT))
            for step in platform.steps
        )
        rate = find_stated(platform, "pay_rate")
        alternative = f"{words.text('alternatives', 'funnel', steps=steps)} {write_trend_alternative(rate, words)}"
        picture = {"file": f"platform_{number}.svg", "alt": alternative}
        heading = words.text("headings", "platform_funnel", platform=name)
        note = words.text("notes", "mean_funnel") if report.days else None
        sections.append(build_section(heading, None, note, picture))
    return sections


def _build_claims_note(platform: Platform, words: Words) -> list[Content]:
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
    names = [name_object(each, words) for each in table.objects]
    compared = [key for key in (table.size, table.rate) if key]
    if table.level == "campaign":  # what it costs and claims is more than how the clicks moved
        compared = [table.size]
    is_known = {key: any(_find(each, key, table).baseline is not None for each in shown) for key in compared}
    columns, room = [], PAGE_MM - LEAST_NAME_MM
    order = [table.size, *([table.rate] if table.rate else []), *(key for key in table.columns if key not in ROOM_STEPS)]
    for key in dict.fromkeys(order):
        block = write_column(key, table, shown, is_known.get(key, False), report, words)
        width = sum(measure_column(column) for column in block)
        if width > room:
            continue
        room -= width
        columns.append((table.columns.index(key), block))
    columns.sort(key=lambda column: column[0])
    cells = [column for _, block in columns for column in block]
    rows = [
        [
            name if names.count(name) == 1 or not each.object
            else words.text("labels", "with_unit", name=name, unit=each.object),
            *(column[number + 1] for column in cells),
        ]
        for number, each in enumerate(shown)
        for name in [name_object(each, words)]
    ]  # fmt: skip
    if table.peers is not None:
        known = [table.columns.index(key) for key, _ in _list_columns(columns, table)]
        peers = [write_cell(table.peers.figures[place], words) for place in known]
        rows.append([words.text("columns", "peers"), *_spread(peers, columns)])
    head = [words.text("levels", table.level), *(column[0] for column in cells)]
    widths = [None, *(measure_column(column) for column in cells)]
    heading = words.text("headings", "slices", dimension=words.text("levels", table.level))
    return build_section(heading, build_table(head, rows, widths), write_objects_note(table, shown, report, words) or None)


def build_room_steps_section(table: StatedTable, words: Words) -> list[Content]:
    """The rates from step to step of each live room; empty where the platform states no steps of rooms."""
    keys = [key for key in ROOM_STEPS if key in table.columns]
    shown = select_shown_objects(table)
    if table.level != "room" or not keys:
        return []
    head, cells = [words.text("levels", "room")], [[name_object(each, words)] for each in shown]
    is_known = any(_find(each, key, table).baseline is not None for each in shown for key in keys)
    for key in keys:
        head += [words.name_figure(key), *([words.text("columns", "usual")] if is_known else [])]
        for row, each in zip(cells, shown, strict=True):
            figure = _find(each, key, table)
            row.append(write_cell(figure, words))
            row += [words.value(figure.baseline, figure.unit)] if is_known else []
    heading = words.text("headings", "room_steps")
    return [build_section(heading, build_table(head, cells, [None, *(20 for _ in head[1:])]))]


def _list_columns(columns: Sequence[tuple[int, list[list[str]]]], table: StatedTable) -> list[tuple[str, int]]:
    return [(table.columns[place], len(block)) for place, block in columns]


def _spread(cells: Sequence[str], columns: Sequence[tuple[int, list[list[str]]]]) -> list[str]:
    """One cell for each column, empty below comparisons."""
    return [text for cell, (_, block) in zip(cells, columns, strict=True) for text in [cell, *[""] * (len(block) - 1)]]


def _find(each: StatedObject, key: str, table: StatedTable) -> Figure:
    return each.figures[table.columns.index(key)]


def write_column(
    key: str, table: StatedTable, shown: Sequence[StatedObject], is_compared: bool, report: Report, words: Words
) -> list[list[str]]:
    """The column of a figure, head first; with its usual value for the main rate, and its change where compared."""
    figures = [_find(each, key, table) for each in shown]
    name = words.name_figure(key)
    largest = max((figure.value for figure in figures if figure.value is not None), key=float, default=None)
    column = [[name, *(write_cell(figure, words, largest) for figure in figures)]]
    if not is_compared:
        return column
    if key == table.rate:
        usual = [write_stated(figure.baseline, figure.unit, words, figure.value) if figure.baseline is not None else "" for figure in figures]
        column.append([words.text("columns", "usual"), *usual])
    changes = [words.change(figure.value, figure.baseline, figure.unit) for figure in figures]
    column.append([words.text("columns", "against"), *changes])
    return column


def write_cell(figure: Figure, words: Words, beside: Number | None = None) -> str:
    """The value with its mark, and with the decimals of the largest amount of its column."""
    of_column = beside if figure.unit is Unit.MONEY else None
    return f"{write_mark(figure.mark, words)} {write_stated(figure.value, figure.unit, words, of_column)}".strip()


def measure_column(cells: Sequence[str]) -> int:
    """The width that the cells of a column need, in millimetres; its head may break."""
    longest = max([sum(WIDE_MM if is_wide(char) else 1.6 for char in cell) for cell in cells[1:]] + [0.0])
    head = max([sum(2.5 if is_wide(char) else 1.35 for char in word) for word in cells[0].split()] + [0.0])
    return round(max(longest, min(head, 15.0)) + 4)


def is_wide(char: str) -> bool:
    """Whether the character is as wide as high: Chinese, and the signs of marks."""
    return char > "⺀" or char in "▲▼"


def fit_widths(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[int | None]:
    """The widths of a table whose first column takes what is left."""
    columns = list(zip(head, *rows, strict=True))
    return [None, *(measure_column(column) for column in columns[1:])]


def name_object(each: StatedObject, words: Words) -> str:
    """The object's name below that of what it is part of; a sum of others is called so."""
    name = each.name or each.object or words.text("labels", "not_named")
    if each.is_rollup:
        name = each.parent or name
        return words.text("labels", "with_unit", name=name, unit=words.text("labels", "rollup"))
    if each.device:
        name = words.text("labels", "with_unit", name=name, unit=each.device)
    return words.text("labels", "part_of", whole=each.parent, name=name) if each.parent else name


def write_objects_note(table: StatedTable, shown: Sequence[StatedObject], report: Report, words: Words) -> str:
    """That people of the objects overlap, and how many objects the page leaves out."""
    parts = [words.text("notes", "overlap")] if table.level in OVERLAPPING_LEVELS else []
    parts += [words.text("notes", "mean_objects")] if report.days else []
    left = max(table.object_count, len(table.objects)) - len(shown)
    if left > 0:
        parts.append(words.text("notes", "more_objects", count=words.plain(left)))
    return " ".join(parts)
