"""Editions of a day, week, month or campaign: printed from the published snapshot, kept in `reports/<name>/`."""

import json
from collections.abc import Callable, Iterable, Mapping, MutableSequence
from dataclasses import asdict, dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import TypeVar

import duckdb

import reports
from funnelscope.events.schema import FIGURE
from funnelscope.messages.message_types import Message, PeriodKind
from funnelscope.messages.wording import load_words
from funnelscope.publication.publish import open_published
from funnelscope.quality.gate import Verdict, list_days
from funnelscope.reporting.campaign_section import CampaignReader
from funnelscope.reporting.campaigns import (
    find_campaigns_to_review,
    find_last_time,
    get_campaign,
    list_touched_campaigns,
)
from funnelscope.reporting.data_section import (
    find_data_docs,
    find_last_good_date,
    read_checks,
    read_days_of_period,
    read_deliveries,
    read_derived_stays,
    read_quarantine,
    read_verdict,
    read_verdict_reasons,
)
from funnelscope.reporting.diagnosis_section import read_diagnosis_of_days, read_diagnosis_section
from funnelscope.reporting.headline import build_bridge, read_daily_figure, read_headlines
from funnelscope.reporting.marks import mark_headlines
from funnelscope.reporting.money_section import read_money
from funnelscope.reporting.own_funnel_section import read_own_funnels
from funnelscope.reporting.periods import AROUND_DAYS, PERIODS_OF, Period, find_ended_periods, get_day
from funnelscope.reporting.platform_sections import build_daily_amount, read_platforms
from funnelscope.reporting.published_days import Published
from funnelscope.reporting.restatements import find_restated_since
from funnelscope.reporting.short_stock import read_short_stock
from funnelscope.reporting.stage_sections import STAGES, read_stage
from funnelscope.settings import Settings
from funnelscope.warehouse.snapshots import find_current_snapshot

Made = TypeVar("Made")
NEWS_SHARE = 0.01
"""The change of a figure from which on a restated edition is news."""
KNOWN_TO = "known_to"
"""In the source of a campaign's edition: the last day that it counts."""


@dataclass(frozen=True)
class EditionRecord:
    """The inputs of an edition, stored with it as JSON.

    Attributes:
        source: what an edition depends on; if it differs, a new edition is due.
        figures: the headline numbers and the main rates, as text, by key.
        files: deliveries with rows of its days.
        printed_from: the current snapshot when it was first printed.
        findings: each with its status; None in records of earlier versions.
    """

    source: dict[str, str]
    figures: dict[str, str]
    files: list[str]
    printed_from: str = ""
    findings: list[str] | None = None

    def list_verdicts(self) -> list[str]:
        """The verdict on each day of the source."""
        return [part for text in self.source.values() for part in text.split(" ") if part in set(Verdict)]


def build_report(
    published: Published,
    edition: int,
    snapshot: str,
    before: EditionRecord | None = None,
    failures: MutableSequence[reports.PartFailure] | None = None,
) -> reports.Report:
    """The period as data.

    Args:
        before: the previous edition, with which it is compared.
        failures: takes the parts that cannot be read; the report then says so in their place, or among its reasons.
    """
    if published.period.kind is PeriodKind.CAMPAIGN:
        return _add_changes(_build_campaign_report(published, edition, snapshot), published, before)
    aside = None if failures is None else reports.SetAside(failures)

    words = load_words(published.language)
    stage_names = {key: words.text("stages", key) for key in STAGES}

    def read(part: str, function: Callable[[Published], Made], nothing: Made) -> Made:
        name = words.text("report", f"part_{part}")
        return reports.make_part(aside, name, lambda: function(published), lambda why: nothing)

    def read_one_stage(key: str) -> reports.Stage:
        return reports.make_part(
            aside,
            stage_names[key],
            lambda: read_stage(published, key, of_events),
            lambda why: reports.Stage(key, no_data=Message("part_unread", {"part": stage_names[key], "problem": why})),
        )

    no_platforms: tuple[tuple[reports.Platform, ...], tuple[reports.ComparedFigure, ...]] = ((), ())
    platforms, platform_total = read("platforms", read_platforms, no_platforms)
    deliveries = read_deliveries(published)
    families = {each.family for each in deliveries if each.state is not reports.DeliveryState.ABSENT}
    has_events = families != {FIGURE.name} if deliveries else not platforms  # a day that nobody has judged yet
    split = read("money", read_money, None) if has_events else None
    diagnosed = read("diagnosis", read_diagnosis_section, None)
    editions = {
        day: len(_read_editions(_locate_folder(published.settings, get_day(day)))) for day in published.period.days
    }
    of_events = [each for each in diagnosed.findings if not dict(each.slice).get("platform")] if diagnosed else []
    stages = tuple(map(read_one_stage, STAGES)) if has_events else ()
    headline: tuple[reports.Headline, ...] = ()
    if has_events:
        headline = read("headline", lambda each: mark_headlines(read_headlines(each), stages), headline)
    bridge = read("bridge", lambda each: build_bridge(each, split), None)
    own_funnels: tuple[reports.OwnFunnel, ...] = ()
    if published.is_day:
        own_funnels = read(
            "own_funnels", lambda each: read_own_funnels(each.connection, each.business_date), own_funnels
        )
    unread = (each for each in failures or () if each.part not in stage_names.values())
    report = reports.Report(
        shop=published.settings.shop,
        business_date=published.business_date,
        time_zone=published.settings.timezone,
        language=published.language,
        currency=published.settings.currency,
        edition=edition,
        snapshot=snapshot,
        verdict=read_verdict(published),
        baseline_days=len(published.yardstick.days),
        days_of_weekday=published.count_days_of_weekday(),
        period=published.period.kind,
        name="" if published.is_day else published.period.name,
        days=read_days_of_period(published, editions),
        daily=read(
            "headline",
            lambda each: read_daily_figure(each) if has_events else build_daily_amount(each, platforms),
            None,
        ),
        verdict_reasons=(
            *read_verdict_reasons(published),
            *(Message("part_unread", {"part": each.part, "problem": each.problem}) for each in unread),
        ),
        last_good_date=find_last_good_date(published),
        promotion=published.promotion(published.business_date) if published.is_day else None,
        headline=headline,
        bridge=bridge,
        diagnosis=diagnosed,
        money=split,
        stages=stages,
        platforms=platforms,
        platform_total=platform_total,
        short_stock=read("platforms", read_short_stock, ()),
        own_funnels=own_funnels,
        deliveries=deliveries,
        checks=read_checks(published),
        data_docs=find_data_docs(published) if published.is_day else None,
        quarantine=read_quarantine(published),
        derived_stays=read_derived_stays(published),
        labels=tuple(published.labels.items()),
    )
    return _add_changes(report, published, before)


def _build_campaign_report(published: Published, edition: int, snapshot: str) -> reports.Report:
    """The review of a campaign. Raises ValueError if it lasts, or if the calendar no longer has it."""
    settings = published.settings
    campaign = get_campaign(settings.calendar, published.period)
    known_to = campaign.find_last_review_date(_find_last_run(published.connection))
    if known_to is None:
        raise ValueError(f"{campaign.name} ends on {campaign.days[-1]}: it is reviewed once that day has been run")
    name = published.labels.get(campaign.name, campaign.name)
    return reports.Report(
        shop=settings.shop,
        business_date=published.business_date,
        time_zone=settings.timezone,
        language=published.language,
        currency=settings.currency,
        edition=edition,
        snapshot=snapshot,
        verdict=read_verdict(published, campaign.days),
        baseline_days=len(published.yardstick.days),
        period=published.period.kind,
        name=f"{name} {published.period.from_date}",
        verdict_reasons=read_verdict_reasons(published, campaign.days),
        last_good_date=find_last_good_date(published),
        diagnosis=read_diagnosis_of_days(published, [day for day in published.dates if day in campaign.days]),
        campaign=CampaignReader(published, campaign, known_to).read(),
        labels=tuple(published.labels.items()),
    )


def _add_changes(report: reports.Report, published: Published, before: EditionRecord | None) -> reports.Report:
    """The report with its differences from the previous edition, if there is one."""
    if before is None:
        return report
    return replace(
        report,
        changes=_find_changes(report, before),
        late_deliveries=tuple(file for file in _list_late_files(published) if file not in before.files),
    )


def _select_remembered_figures(report: reports.Report) -> dict[str, tuple[reports.Figure, str]]:
    """The figures that an edition records, with their platform: the headline numbers, and each stage's main rate."""
    figures = [headline.figure for headline in report.headline]
    if report.campaign is not None:
        figures += [reports.Figure(each.key, each.unit, each.value) for each in report.campaign.whole.figures]
    figures += [stage.rate for stage in report.stages if stage.rate is not None]
    of_platforms = {
        f"{platform.name}/{platform.shop}/{compared.figure.key}": (compared.figure, platform.name)
        for platform in report.platforms
        for compared in platform.figures
    }
    remembered = {figure.key: (figure, "") for figure in figures} | of_platforms
    return {key: (figure, where) for key, (figure, where) in remembered.items() if figure.value is not None}


def _find_changes(report: reports.Report, before: EditionRecord) -> tuple[reports.EditionChange, ...]:
    return tuple(
        reports.EditionChange(figure, Decimal(before.figures[key]) if key in before.figures else None, platform)
        for key, (figure, platform) in _select_remembered_figures(report).items()
        if str(figure.value) != before.figures.get(key)
    )


def _list_late_files(published: Published) -> list[str]:
    rows = published.rows(
        "select distinct file from quality.delivery_dates where list_contains($dates, business_date) order by 1"
    )
    return [file for (file,) in rows]


@dataclass(frozen=True)
class Edition:
    """A printed report: its number within the period, its snapshot, and its file."""

    period: Period
    number: int
    snapshot: str
    pdf: Path
    failures: tuple[reports.PartFailure, ...] = ()  # parts and files that could not be made when it was printed

    @property
    def html(self) -> Path:
        """Path of the same report as HTML."""
        return self.pdf.with_suffix(".html")

    @property
    def spreadsheet(self) -> Path:
        """Path of the numbers of the PDF as XLSX."""
        return self.pdf.with_suffix(".xlsx")

    @property
    def findings(self) -> Path:
        """Path of the findings of a day as JSON."""
        return self.pdf.with_name(f"{self.pdf.stem}-findings.json")

    @property
    def review(self) -> Path:
        """Path of the review of a campaign as JSON."""
        return self.pdf.with_name(f"{self.pdf.stem}-review.json")

    def picture(self, stage: str) -> Path:
        """Path of the picture of a stage, or of `platform-<number>`, as PNG; there is none of what has no data."""
        return self.pdf.with_name(f"{self.pdf.stem}-{stage}.png")


def print_report(settings: Settings, period: Period | date, language: str | None = None) -> Edition:
    """Prints the report into `reports/<name>/` from the published snapshot.

    Writes PDF, HTML, XLSX, a PNG for each stage, and for a day its findings as JSON. There is a new edition if the
    published content of one of the days, or its verdict, has changed; else the last edition is printed again. What
    cannot be made is left out and listed in `failures`.

    Raises:
        FileNotFoundError: nothing has been published yet.
    """
    language = language or settings.language
    period = _convert_to_period(period)
    folder = _locate_folder(settings, period)
    with open_published(settings.published) as connection:
        source = _read_edition_source(connection, settings, period)
        records = _read_editions(folder)
        number = len(records) if records and records[-1].source == source else len(records) + 1
        before = records[number - 2] if number > 1 else None
        snapshot = _find_newest(source)
        published = Published(connection, settings, period, language)
        restated = _find_restated_before(published, number, records)
        failures: list[reports.PartFailure] = []
        report = replace(build_report(published, number, snapshot, before, failures), restated_days=restated)
        files = _list_late_files(published)
    edition = _locate_edition(settings, period, number, snapshot, language)
    folder.mkdir(parents=True, exist_ok=True)
    pictures = reports.render_pictures(report, failures)
    _write(edition.pdf, reports.render(report, failures, pictures))
    links = _list_links(settings, edition, language)
    beside: dict[Path, Callable[[], bytes]] = {
        edition.html: partial(_render_page, settings, period, report, pictures, links),
        edition.spreadsheet: partial(reports.write_spreadsheet, report),
    }
    if published.is_day:
        beside[edition.findings] = partial(reports.write_findings_json, report)
    if report.campaign is not None:
        beside[edition.review] = partial(reports.write_review_json, report)
    for stage_ in report.stages:
        beside[edition.picture(stage_.key)] = partial(reports.render_stage_png, stage_, report)
    for number_, platform in enumerate(report.platforms, 1):
        if platform.steps:
            beside[edition.picture(f"platform-{number_}")] = partial(reports.render_platform_png, platform, report)
    for path, make in beside.items():
        with reports.SetAside(failures).attempt(path.name):
            path.unlink(missing_ok=True)  # what an earlier printing left says something else
            _write(path, make())
    current = find_current_snapshot(settings.published)
    printed_from = records[number - 1].printed_from if number <= len(records) else current.name if current else ""
    figures = {key: str(figure.value) for key, (figure, _) in _select_remembered_figures(report).items()}
    found = [f"{each.finding_id} {each.status.value}" for each in report.diagnosis.findings] if report.diagnosis else []
    record = EditionRecord(source, figures, files, printed_from, sorted(found))
    _write(folder / f"edition-{number}.json", json.dumps(asdict(record), indent=2, ensure_ascii=False).encode())
    return replace(edition, failures=tuple(failures))


def _list_links(settings: Settings, edition: Edition, language: str) -> reports.PageLinks:
    """What the HTML edition links to: the newest pages of the periods beside it, and the files of the edition."""
    before, after = (
        reports.PageLink(
            near.name, f"../{near.name_page(language)}", (settings.reports / near.name_page(language)).exists()
        )
        if near
        else None
        for near in _find_neighbours(settings, edition.period)
    )
    of_kind = {PeriodKind.DAY: (edition.findings,), PeriodKind.CAMPAIGN: (edition.review,)}
    files = (edition.pdf, edition.spreadsheet, *of_kind.get(edition.period.kind, ()))
    ui = f"{settings.ui_link.rstrip('/')}/assets/diagnosis/findings" if settings.ui_link else ""
    return reports.PageLinks(before, after, tuple(file.name for file in files), ui)


def _find_neighbours(settings: Settings, period: Period) -> tuple[Period | None, Period | None]:
    """The periods before and after; of a campaign the last time and the next one, if the calendar has them."""
    if period.kind is not PeriodKind.CAMPAIGN:
        return period.before(), period.after
    campaign = get_campaign(settings.calendar, period)
    before, after = (find_last_time(settings.calendar, campaign, step) for step in (-1, 1))
    return (before.period if before else None), (after.period if after else None)


def _render_page(
    settings: Settings,
    period: Period,
    report: reports.Report,
    pictures: Mapping[str, bytes],
    links: reports.PageLinks,
) -> bytes:
    html = reports.render_html(report, links, pictures)
    _publish_page(settings, period, report.language, html)
    return html


def _publish_page(settings: Settings, period: Period, language: str, html: bytes) -> None:
    """Writes the newest edition under the name that links know, and shows the links to it in the pages beside it."""
    _write(settings.reports / period.name_page(language), html)
    for near, way in zip(_find_neighbours(settings, period), ("next", "prev"), strict=True):
        page = settings.reports / near.name_page(language) if near else None
        if page and page.exists():
            _write(page, reports.show_neighbour(page.read_text(encoding="utf-8"), way).encode())


def _find_restated_before(published: Published, number: int, records: list[EditionRecord]) -> tuple[date, ...]:
    """Earlier days restated since the previous report: the previous edition, else the last one of an earlier day.

    Only for a day: a report of a week or month states for each of its days whether it was restated.
    """
    if not published.is_day:
        return ()
    business_date, settings = published.business_date, published.settings
    if number > 1:
        printed_from = records[number - 2].printed_from
        return tuple(find_restated_since(published.connection, business_date, business_date, printed_from))
    days = (date.fromisoformat(folder.name) for folder in settings.reports.glob("????-??-??"))
    for last in sorted((day for day in days if day < business_date), reverse=True):
        if earlier := _read_editions(_locate_folder(settings, get_day(last))):
            return tuple(find_restated_since(published.connection, last, business_date, earlier[-1].printed_from))
    return ()


def find_or_print_report(settings: Settings, period: Period | date, language: str | None = None) -> Edition:
    """The current edition in `reports/<name>/`, printed only if it is not there.

    Raises:
        FileNotFoundError: nothing has been published yet.
    """
    language = language or settings.language
    period = _convert_to_period(period)
    records = _read_editions(_locate_folder(settings, period))
    with open_published(settings.published) as connection:
        source = _read_edition_source(connection, settings, period)
    if records and records[-1].source == source:
        edition = _locate_edition(settings, period, len(records), _find_newest(source), language)
        if edition.pdf.exists() and edition.html.exists():  # an earlier version printed no HTML
            return edition
    return print_report(settings, period, language)


def has_news(settings: Settings, edition: Edition, since: int) -> bool:
    """Whether an edition says other things than an earlier one: a verdict, a finding, or a figure by one percent.

    Reviews of a campaign always do: each is due at a time of its own.
    """
    records = _read_editions(_locate_folder(settings, edition.period))
    before, now = records[since - 1], records[edition.number - 1]
    return (
        edition.period.kind is PeriodKind.CAMPAIGN
        or before.list_verdicts() != now.list_verdicts()
        or before.findings != now.findings
        or before.figures.keys() != now.figures.keys()
        or any(
            abs(float(now.figures[key]) - float(value)) > NEWS_SHARE * abs(float(value))
            for key, value in before.figures.items()
        )
    )


def _convert_to_period(period: Period | date) -> Period:
    return period if isinstance(period, Period) else get_day(period)


def _locate_folder(settings: Settings, period: Period) -> Path:
    return settings.reports / period.name


def _locate_edition(settings: Settings, period: Period, number: int, snapshot: str, language: str) -> Edition:
    name = f"funnelscope-{period.name}-edition-{number}-{language}.pdf"
    return Edition(period, number, snapshot, _locate_folder(settings, period) / name)


def find_restated_days(settings: Settings, from_date: date, to_date: date) -> list[date]:
    """Days of the range that have an edition and whose published numbers or verdict have changed since."""
    return [period.to_date for period in _find_restated(settings, map(get_day, list_days(from_date, to_date)))]


def find_due_periods(settings: Settings, from_date: date, to_date: date) -> list[Period]:
    """Weeks, months and campaigns to print after a run of days: the last ones that ended in them, and restated ones.

    A backfill of a year prints one week, one month, and one campaign of each name; others are printed on request. A
    period that ended before the opening day is never due. A campaign is due again a week after its end, and when its
    refunds are known.
    """
    kinds = [PeriodKind(kind) for kind in settings.period_reports]
    opened = max(from_date, settings.opening_date)
    just_ended = find_ended_periods(kinds, opened, to_date)
    touched = {PERIODS_OF[kind](day) for kind in kinds if kind in PERIODS_OF for day in list_days(from_date, to_date)}
    if PeriodKind.CAMPAIGN in kinds:
        just_ended += [
            campaign.period
            for campaign in find_campaigns_to_review(settings.calendar, opened, to_date)
            if campaign.days[-1] >= settings.opening_date
        ]
        touched |= {campaign.period for campaign in list_touched_campaigns(settings.calendar, from_date, to_date)}
    new = [period for period in just_ended if not _read_editions(_locate_folder(settings, period))]
    return new + _find_restated(settings, sorted(touched, key=lambda period: (period.to_date, period.kind)))


def _find_restated(settings: Settings, periods: Iterable[Period]) -> list[Period]:
    """Those periods that have an edition which differs from what is published."""
    printed = [(period, records) for period in periods if (records := _read_editions(_locate_folder(settings, period)))]
    with open_published(settings.published) as connection:
        return [
            period
            for period, records in printed
            if records[-1].source != _read_edition_source(connection, settings, period)
        ]


def tell_period(settings: Settings, period: Period | date, language: str | None = None) -> str:
    """The first page of the report as plain text, or why it cannot be told: the report itself is there all the same.

    Raises FileNotFoundError before the first publication.
    """
    report = read_report(settings, period, language)
    try:
        return reports.write_digest(report)
    except Exception as error:  # of whatever kind: the day is published and printed
        return load_words(report.language).text("delivery", "no_digest", problem=reports.describe_error(error))


def read_report(settings: Settings, period: Period | date, language: str | None = None) -> reports.Report:
    """The report as data, without printing it. Raises FileNotFoundError before the first publication."""
    period = _convert_to_period(period)
    with open_published(settings.published) as connection:
        snapshot = _find_newest(_read_edition_source(connection, settings, period))
        return build_report(Published(connection, settings, period, language or settings.language), 1, snapshot)


def _write(path: Path, content: bytes) -> None:
    """Writes the file atomically."""
    partial = path.with_name(f".{path.name}")
    partial.write_bytes(content)
    partial.replace(path)


def _find_snapshot(connection: duckdb.DuckDBPyConnection, settings: Settings, business_date: date) -> str:
    """The snapshot in which the day's numbers last changed; the current one if the day has none."""
    row = connection.execute(
        "select snapshot from quality.published_days where business_date = $1", [business_date]
    ).fetchone()
    if row:
        return str(row[0])
    current = find_current_snapshot(settings.published)
    return current.name if current else ""


def _compute_verdict_fingerprint(connection: duckdb.DuckDBPyConnection, business_date: date) -> str:
    row = connection.execute(
        "select verdict || ' ' || md5(reasons) from quality.day_verdict where business_date = $1", [business_date]
    ).fetchone()
    return str(row[0]) if row else "unjudged"


def _read_edition_source(connection: duckdb.DuckDBPyConnection, settings: Settings, period: Period) -> dict[str, str]:
    """What an edition depends on: if it differs, a new edition is due.

    For a longer period, that of each of its days; for a campaign also of those around it, as far as it counts them.
    """
    if period.kind is PeriodKind.DAY:
        return {
            "snapshot": _find_snapshot(connection, settings, period.to_date),
            "verdict": _compute_verdict_fingerprint(connection, period.to_date),
        }
    snapshots = dict(connection.execute("select business_date, snapshot from quality.published_days").fetchall())
    days, known = period.days, {}
    if period.kind is PeriodKind.CAMPAIGN:
        campaign = get_campaign(settings.calendar, period)
        known_to = campaign.find_last_review_date(_find_last_run(connection)) or period.to_date
        days = list_days(period.from_date - timedelta(days=AROUND_DAYS), known_to)
        known = {KNOWN_TO: known_to.isoformat()}
    return known | {
        day.isoformat(): f"{snapshots.get(day, '')} {_compute_verdict_fingerprint(connection, day)}" for day in days
    }


def find_last_run(settings: Settings) -> date:
    """The last day that was judged. Raises FileNotFoundError before the first publication."""
    with open_published(settings.published) as connection:
        return _find_last_run(connection)


def _find_last_run(connection: duckdb.DuckDBPyConnection) -> date:
    """The last day that was judged."""
    row = connection.execute("select max(business_date) from quality.day_verdict").fetchone()
    return row[0] if row and row[0] else date.min


def _find_newest(source: Mapping[str, str]) -> str:
    """The snapshot of an edition; for a longer period, that of the day that changed last."""
    if "snapshot" in source:
        return source["snapshot"]
    snapshots = [text.split(" ")[0] for key, text in source.items() if key != KNOWN_TO]
    return max(snapshots, key=lambda name: name.rsplit("-", 1)[-1], default="")


def _read_editions(folder: Path) -> list[EditionRecord]:
    """The editions in order; empty before the first."""
    files = sorted(folder.glob("edition-*.json"), key=lambda path: int(path.stem.split("-")[1]))
    return [EditionRecord(**json.loads(file.read_text(encoding="utf-8"))) for file in files]
