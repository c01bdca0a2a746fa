"""One chapter for each stage, which fits on a page: the rest is folded away in the HTML edition."""

from collections.abc import Sequence

from funnelscope.messages.message_types import Unit
from funnelscope.messages.wording import Words, choose_digits, format_signed
from reports.model import (
    Figure,
    Question,
    QuestionAnswer,
    Report,
    ResponseWindow,
    SliceRow,
    SliceTable,
    Stage,
    Window,
    is_diagnosed,
    lacks_comparable_days,
    select_drawn_parts,
    select_findings_of_stage,
    select_told_indicators,
)
from reports.pages.finding_blocks import build_finding_sections
from reports.pages.table_blocks import (
    Content,
    Widths,
    build_compared_table,
    build_figures_table,
    build_section,
    build_table,
    fold_away,
    print_in_halves,
    write_baseline_and_change,
    write_column_heads,
    write_earlier,
    write_marked_value,
    write_promotions_note,
    write_trend_alternative,
)
from reports.pictures.trend import has_trend, select_trends

SLICE_ROWS_SHOWN = 8
WINDOW_WIDTHS: Widths = (24, None, 24, 24, 24, 23)
RESPONSE_WIDTHS: Widths = (24, None, 22, 22, 20, 20, 22)
QUESTION_WIDTHS: Widths = (66, 22, None)
SLICE_WIDTHS: Widths = (None, 21, 23, 14, 14, 23, 18)


def build_stage_chapter(stage: Stage, report: Report, words: Words) -> Content:
    """The chapter of one stage, or the reason why it has no data."""
    stage = select_drawn_parts(report, stage)
    chapter: Content = {
        "anchor": stage.key,
        "name": words.text("stages", stage.key),
        "question": words.detail("stages", stage.key, "question"),
        "no_data": None,
        "rate": None,
        "picture": None,
        "notes": [],
        "tables": [],
    }
    if stage.no_data is not None:
        reason = words.message(stage.no_data)
        tables = [*build_indicators_section(stage, report, words), *build_responses_section(stage, words)]
        return chapter | {"no_data": words.text("labels", "no_data_because", reason=reason), "tables": tables}
    if stage.rate is not None:
        chapter["rate"] = build_stage_rate(stage.rate, words)
        chapter["notes"] = write_stage_notes(stage, report, words)
    if stage.steps:
        chapter["picture"] = {"file": f"{stage.key}.svg", "alt": write_stage_alternative(stage, words)}
    filled = [slices for slices in select_printed_slices(stage, report) if slices.rows]
    drawn = [slices for slices in filled if is_drawn_by_heat_map(slices, stage) and is_diagnosed(report)]
    filled = [slices for slices in filled if slices not in drawn]
    last_note = write_slices_note(stage, report, words)
    outcomes = [*build_windows_sections(stage, words), *build_responses_section(stage, words)]
    has_more = bool(select_findings_of_stage(report, stage.key)) or lacks_comparable_days(report)
    told = 0 if has_more else 1 if is_diagnosed(report) else len(outcomes)
    folded = [*outcomes[told:], *(build_slice_section(slices, None, words) for slices in drawn)]
    chapter["tables"] = [
        *build_questions_section(stage, words),
        *build_findings_sections(stage, report, words),
        *build_drawn_section(stage, "pairs", bool(stage.pairs), words.text("headings", "pairs"), words),
        *build_drawn_section(
            stage, "heat_map", stage.heat_map is not None, write_heat_map_heading(stage, words), words
        ),
        *build_drawn_section(stage, "relevance", is_relevance_drawn(stage), words.text("headings", "relevance"), words),
        *build_indicators_section(stage, report, words),
        *outcomes[:told],
        *(
            build_slice_section(slices, last_note if number == len(filled) else None, words)
            for number, slices in enumerate(filled, start=1)
        ),
        *fold_away(folded, stage.key, words),
    ]
    return chapter


def select_printed_slices(stage: Stage, report: Report) -> Sequence[SliceTable]:
    """The tables by the dimensions that the stage's findings name; all of them if no diagnosis has run.

    A stage without findings has none, but a week or month tells where its traffic came from. On a day without
    comparable days, it has its main one, to show where its entries come from. The workbook always has every table.
    """
    if lacks_comparable_days(report):
        return stage.slices[:1]
    if not is_diagnosed(report):
        return stage.slices
    named = {dimension for finding in select_findings_of_stage(report, stage.key) for dimension, _ in finding.slice}
    named |= {table.dimension for table in stage.slices[:1] if report.days and stage.key == "traffic"}
    return [table for table in stage.slices if table.dimension in named]


def is_drawn_by_heat_map(slices: SliceTable, stage: Stage) -> bool:
    """Whether the heat map has the dimension."""
    heat_map = stage.heat_map
    return heat_map is not None and slices.dimension in (heat_map.row_dimension, heat_map.column_dimension)


def write_slices_note(stage: Stage, report: Report, words: Words) -> str:
    """Explains the column "against usual" where it is printed.

    On a day without comparable days, names the dimensions that only the workbook has.
    """
    parts = [words.text("notes", "slices")] if any(map(has_baseline_rate, stage.slices)) else []
    others = [words.text("dimensions", each.dimension) for each in stage.slices[1:] if each.rows]
    if lacks_comparable_days(report) and others:
        dimensions = words.text("labels", "separator").join(others)
        parts.append(words.text("notes", "more_slices", dimensions=dimensions))
    return " ".join(parts)


def has_baseline_rate(slices: SliceTable) -> bool:
    """Whether any row has a baseline rate."""
    return any(row.baseline_rate is not None for row in slices.rows)


def is_relevance_drawn(stage: Stage) -> bool:
    """Whether any match fails; otherwise the answer to the stage's question says enough."""
    return any(cell.is_failing for cell in stage.relevance)


def build_questions_section(stage: Stage, words: Words) -> list[Content]:
    """The questions that an operator asks about the stage: a row for what is not normal, a line for the rest."""
    answered = [(question, answer) for question in stage.questions if (answer := find_answer(question))]
    normal = [words.text("questions", question.key) for question, answer in answered if answer == "normal"]
    rows = [write_question_row(question, answer, words) for question, answer in answered if answer != "normal"]
    names = words.text("labels", "separator").join(normal)
    note = words.text("notes", "normal", names=names) if normal else None
    if not rows:
        return [build_section(None, None, note)] if note else []
    head = write_column_heads(words, "question", "answer", "behind")
    return [build_section(words.text("headings", "questions"), build_table(head, rows, QUESTION_WIDTHS, left=3), note)]


def find_answer(question: Question) -> str:
    """The key of the answer: normal, abnormal, or low or high where the figure is beyond its usual range.

    Empty where nothing is known: the question is not printed.
    """
    figure = question.figure
    if question.answer is not QuestionAnswer.UNKNOWN:
        return "normal" if question.answer is QuestionAnswer.YES else "abnormal"
    if figure is None or figure.value is None or figure.usual_low is None or figure.usual_high is None:
        return ""
    value = float(figure.value)
    return "low" if value < float(figure.usual_low) else "high" if value > float(figure.usual_high) else ""


def write_question_row(question: Question, answer: str, words: Words) -> list[str]:
    """A question, its answer and the figure behind it, as cells."""
    behind = ""
    if question.figure is not None:
        figure = question.figure
        usual = write_baseline_and_change(figure, words)[0] if figure.baseline is not None else ""
        # A count with its whole says more than the count alone.
        value = words.counts(figure) if figure.unit is Unit.COUNT else words.value(figure.value, figure.unit)
        value = value or words.value(figure.value, figure.unit)
        name = words.text("metrics", figure.key)
        parts = [words.text("labels", "main_rate", name=name, value=value), usual]
        behind = words.text("labels", "separator").join(part for part in parts if part)
    if question.slice is not None:
        where = words.text("labels", "see_finding", slice=words.format_slice(question.slice))
        behind = words.text("labels", "dot").join(part for part in (where, behind) if part)
    return [words.text("questions", question.key), words.text("answers", answer), behind]


def build_findings_sections(stage: Stage, report: Report, words: Words) -> list[Content]:
    """The findings of the stage, each with its chart; of several, their effects side by side."""
    findings = select_findings_of_stage(report, stage.key)
    if not findings:
        return []
    sections = build_finding_sections(findings, report, words)
    if sum(finding.effect is not None for finding in findings) > 1:
        alternative = words.text("alternatives", "effects")
        picture = {"file": f"{stage.key}_effects.svg", "alt": alternative}
        note = words.text("notes", "effects")
        sections.insert(0, build_section(words.text("headings", "effects"), None, note, picture))
    return sections


def write_heat_map_heading(stage: Stage, words: Words) -> str:
    """The heading of the heat map; empty if the stage has none."""
    if stage.heat_map is None or stage.rate is None:
        return ""
    return words.text(
        "headings",
        "heat_map",
        rate=words.text("metrics", stage.rate.key),
        rows=words.text("dimensions", stage.heat_map.row_dimension),
        columns=words.text("dimensions", stage.heat_map.column_dimension),
    )


def build_drawn_section(stage: Stage, part: str, is_drawn: bool, heading: str, words: Words) -> list[Content]:
    """A section with a picture and a note below; empty without a picture."""
    if not is_drawn:
        return []
    picture = {"file": f"{stage.key}_{part}.svg", "alt": words.text("alternatives", part, heading=heading)}
    return [build_section(heading, None, words.text("notes", part), picture)]


def build_indicators_section(stage: Stage, report: Report, words: Words) -> list[Content]:
    """The table of the operational figures; empty without any. What is as usual is folded away, with its meaning."""
    if not stage.indicators:
        return []
    told = select_told_indicators(report, stage)
    rest = [figure for figure in stage.indicators if figure not in told]
    key = "usual_indicators" if told else "all_usual_indicators"
    note = words.text("notes", key, count=words.plain(len(rest))) if rest else None
    body = build_figures_table(told, report.currency, words) if told else None
    if body and lacks_comparable_days(report):
        body = print_in_halves(body)
    section = build_section(words.text("headings", "indicators") if told else None, body, note)
    if rest:
        section["behind"] = {
            "anchor": f"usual-{stage.key}",
            "summary": words.text("headings", "usual_indicators"),
            "table": build_figures_table(rest, report.currency, words),
            "meanings": [
                words.text("labels", "main_rate", name=words.name_figure(figure.key), value=defined)
                for figure in rest
                if (defined := words.define_figure(figure.key))
            ],
        }
    return [section]


def build_stage_rate(rate: Figure, words: Words) -> Content:
    """The main rate in a sentence, with its counts, baseline and change."""
    usual, change = write_baseline_and_change(rate, words)
    name = words.text("metrics", rate.key)
    separator = words.text("labels", "separator")
    details = [words.counts(rate), usual, change]
    return {
        "sentence": words.text("labels", "main_rate", name=name, value=write_marked_value(rate, words)),
        "details": separator.join(detail for detail in details if detail),
        "compared": {
            key: {"details": separator.join(part for part in (words.counts(rate), *against) if part)}
            for key, against in write_earlier(rate, words).items()
        },
    }


def write_stage_notes(stage: Stage, report: Report, words: Words) -> list[str]:
    """The notes below the picture of the stage; of promotions where the chapter on money does not name them."""
    notes = []
    if any(each.mark for each in (*stage.steps, *stage.indicators, stage.rate) if each is not None):
        notes.append(words.text("pictures", "outside"))
    is_drawn = stage.rate is not None and has_trend(stage.rate.trend)
    trend = stage.rate.trend if stage.rate and is_drawn and not select_trends(report) else ()
    promotions = write_promotions_note(trend, words)
    return [*notes, promotions] if promotions else notes


def write_stage_alternative(stage: Stage, words: Words) -> str:
    """The text alternative of the stage's picture."""
    steps = [
        words.text(
            "alternatives", "step", name=words.text("steps", step.key), count=words.value(step.count, Unit.COUNT)
        )
        for step in stage.steps
    ]
    funnel = words.text("alternatives", "funnel", steps=", ".join(steps))
    return f"{funnel} {write_trend_alternative(stage.rate, words)}"


def build_windows_sections(stage: Stage, words: Words) -> list[Content]:
    """The outcomes of earlier entries, and of presale inquiries, as tables."""
    head = write_column_heads(words, "window", "entered_between", "converted", "lost", "pending", "rate")
    sections = []
    for part, windows in (("windows", stage.windows), ("inquiry_windows", stage.inquiry_windows)):
        if windows:
            rows = [write_window_row(window, words) for window in windows]
            body = build_table(head, rows, WINDOW_WIDTHS, left=2)
            sections.append(build_section(words.text("headings", part), body))
    return sections


def build_responses_section(stage: Stage, words: Words) -> list[Content]:
    """Which presale inquiries a human answered, also on later days, and how long they waited."""
    if not stage.response_windows:
        return []
    head = write_column_heads(
        words, "window", "entered_between", "answered", "unanswered", "pending", "rate", "median_wait"
    )
    rows = [
        [
            *write_window_days(window, words),
            *(words.value(count, Unit.COUNT) for count in (window.answered, window.unanswered, window.pending)),
            words.value(window.rate, Unit.RATE),
            words.value(window.median_seconds, Unit.SECONDS),
        ]
        for window in stage.response_windows
    ]
    body = build_table(head, rows, RESPONSE_WIDTHS, left=2)
    return [build_section(words.text("headings", "response_windows"), body, words.text("notes", "response_windows"))]


def write_window_days(window: Window | ResponseWindow, words: Words) -> list[str]:
    """Length and entry days of a window, as cells."""
    first, last = window.entered_from.isoformat(), window.entered_to.isoformat()
    return [
        words.text("labels", "window", days=words.plain(window.window_days)),
        first if first == last else words.text("labels", "date_range", first=first, last=last),
    ]


def write_window_row(window: Window, words: Words) -> list[str]:
    """A window as cells: length, entry days, counts, rate."""
    return [
        *write_window_days(window, words),
        *(words.value(count, Unit.COUNT) for count in (window.converted, window.lost, window.pending)),
        words.value(window.rate, Unit.RATE),
    ]


def build_slice_section(slices: SliceTable, note: str | None, words: Words) -> Content:
    """The table of one dimension, the largest values first and the rest summed."""
    shown, other = split_largest(slices.rows)
    whole = pool_rows(slices.rows)
    digits = None if whole.rate is None else max(choose_digits(whole.rate, Unit.RATE), 1)
    rows = [write_slice_row(row, name_value(row.value, slices.dimension, words), digits, words) for row in shown]
    if other:
        name = words.text("labels", "other", count=words.plain(len(other)))
        rows.append(write_slice_row(pool_rows(other), name, digits, words))
    counted = [name_count(key, words) for key in (slices.entered, slices.passed)]
    dimension = words.text("dimensions", slices.dimension)
    head = [dimension[:1].upper() + dimension[1:], *counted]
    head += write_column_heads(words, "rate", "usual", "change", "against_usual")
    heading = words.text("headings", "slices", dimension=dimension)
    return build_section(heading, build_compared_table(head, rows, SLICE_WIDTHS, 3, has_baseline_rate(slices)), note)


def name_value(value: str | None, dimension: str, words: Words) -> str:
    """The name of a dimension's value, or the text for none."""
    return words.translate_dimension_value(dimension, value) if value else words.text("labels", "not_named")


def name_count(key: str, words: Words) -> str:
    """The name of what a column counts: a step or a metric."""
    return words.text("steps" if key in words.sections["steps"] else "metrics", key)


def split_largest(rows: Sequence[SliceRow]) -> tuple[list[SliceRow], list[SliceRow]]:
    """The rows with most entries, and the rest. A rest of one row is listed by name instead."""
    ordered = sorted(rows, key=lambda row: (-row.entered, -row.passed, row.value or ""))
    shown = SLICE_ROWS_SHOWN if len(ordered) > SLICE_ROWS_SHOWN + 1 else len(ordered)
    return ordered[:shown], ordered[shown:]


def pool_rows(rows: Sequence[SliceRow]) -> SliceRow:
    """The sum of the rows. If one of them has no baseline, the sum has none."""
    with_baseline = all(row.baseline_entered is not None and row.baseline_passed is not None for row in rows)
    return SliceRow(
        None,
        sum(row.entered for row in rows),
        sum(row.passed for row in rows),
        sum(row.baseline_entered or 0 for row in rows) if with_baseline else None,
        sum(row.baseline_passed or 0 for row in rows) if with_baseline else None,
    )


def write_slice_row(row: SliceRow, name: str, digits: int | None, words: Words) -> list[str]:
    """A slice as cells: counts, rate, baseline, change, and passes above or below the baseline."""
    surplus = words.text("labels", "no_comparison")
    if row.baseline_rate is not None:
        surplus = format_signed(row.passed - row.entered * row.baseline_rate, 0)
    return [
        name,
        words.value(row.entered, Unit.COUNT),
        words.value(row.passed, Unit.COUNT),
        words.value(row.rate, Unit.RATE, digits),
        words.value(row.baseline_rate, Unit.RATE, digits),
        words.change(row.rate, row.baseline_rate, Unit.RATE, digits),
        surplus,
    ]
