"""The funnels that the shop declared itself."""

from funnelscope.messages.message_types import Unit
from funnelscope.messages.wording import Words
from reports.model import OwnCohort, OwnFunnel, Report
from reports.pages.table_blocks import Content, Widths, build_section, build_table, fold_away, write_column_heads

OWN_FUNNEL_WIDTHS: Widths = (None, 20, 20, 20, 20, 20, 20, 22)


def build_own_funnels_chapter(report: Report, words: Words) -> Content:
    """The chapter of the shop's own funnels: the first cohort of each; of the later ones windows are open."""
    first = [
        build_cohort_section(funnel, funnel.cohorts[0], words, _place_picture(funnel, number, words))
        for number, funnel in enumerate(report.own_funnels, start=1)
    ]
    later = [
        build_cohort_section(funnel, cohort, words, None)
        for funnel in report.own_funnels
        for cohort in funnel.cohorts[1:]
    ]
    return {
        "anchor": "own-funnels",
        "heading": words.text("headings", "own_funnels"),
        "sections": [*first, *fold_away(later, "own-funnels", words)],
    }


def _place_picture(funnel: OwnFunnel, number: int, words: Words) -> Content:
    return {"file": f"own_funnel_{number}.svg", "alt": words.text("alternatives", "own_funnel", name=funnel.name)}


def build_cohort_section(funnel: OwnFunnel, cohort: OwnCohort, words: Words, picture: Content | None) -> Content:
    """The steps of one cohort as a table, with a picture if given."""
    head = write_column_heads(
        words, "step", "units", "from_previous", "from_start", "converted", "lost", "pending", "median_time"
    )
    rows = [
        [
            words.translate_dimension_value("step", step.event),
            words.value(step.units, Unit.COUNT),
            words.value(step.rate_from_previous, Unit.RATE) if step.rate_from_previous is not None else "",
            words.value(step.rate_from_start, Unit.RATE) if step.rate_from_start is not None else "",
            *(words.value(count, Unit.COUNT) for count in (step.converted, step.lost, step.pending)),
            words.value(step.median_seconds, Unit.SECONDS) if step.median_seconds is not None else "",
        ]
        for step in cohort.steps
    ]
    days = {"from_date": cohort.entered_from.isoformat(), "to_date": cohort.entered_to.isoformat()}
    kind = "own_funnel_mature" if cohort.is_mature else "own_funnel_open"
    heading = words.text("headings", kind, name=words.translate_dimension_value("funnel", funnel.name))
    if not any(step.units for step in cohort.steps):
        return build_section(heading, None, words.text("notes", "own_funnel_empty", **days))
    return build_section(
        heading, build_table(head, rows, OWN_FUNNEL_WIDTHS), words.text("notes", kind, **days), picture
    )
