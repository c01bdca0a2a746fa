"""Editions of a day: printed from the published snapshot, numbered, and kept in `reports/<date>/`."""

import json
from dataclasses import asdict, dataclass, replace
from datetime import date
from decimal import Decimal
from pathlib import Path

import duckdb

import reports
from assets.funnels.daily import own_funnels
from assets.gate import days_between
from assets.publish import current_snapshot, open_published
from assets.reporting.data import checks, data_docs, deliveries, last_good_date, verdict_reasons
from assets.reporting.day import Day
from assets.reporting.diagnosis import diagnosis
from assets.reporting.headline import bridge, headlines
from assets.reporting.money import money
from assets.reporting.stages import STAGES, stage
from assets.settings import Settings


@dataclass(frozen=True)
class EditionRecord:
    """What an edition was made of, kept beside it as JSON.

    Attributes:
        source: what makes an edition; another one is due when it differs.
        figures: the headline numbers and the main rates, as text, by key.
        files: deliveries that held rows of the day.
    """

    source: dict[str, str]
    figures: dict[str, str]
    files: list[str]


def report_of(published: Day, edition: int, snapshot: str, before: EditionRecord | None = None) -> reports.Report:
    """The day as data; `before` is the edition before, which its changes are told against."""
    split = money(published)
    verdict = published.verdicts.get(published.business_date)
    report = reports.Report(
        shop=published.settings.shop,
        business_date=published.business_date,
        time_zone=published.settings.timezone,
        language=published.language,
        currency=published.settings.currency,
        edition=edition,
        snapshot=snapshot,
        verdict=reports.Verdict(verdict) if verdict in list(reports.Verdict) else reports.Verdict.UNJUDGED,
        baseline_days=len(published.baseline_days),
        verdict_reasons=verdict_reasons(published),
        last_good_date=last_good_date(published),
        headline=headlines(published),
        bridge=bridge(published, split),
        diagnosis=diagnosis(published),
        money=split,
        stages=tuple(stage(published, key) for key in STAGES),
        own_funnels=own_funnels(published.connection, published.business_date),
        deliveries=deliveries(published),
        checks=checks(published),
        data_docs=data_docs(published),
        quarantine=tuple(
            reports.QuarantineCount(family, reason, rows)
            for family, reason, rows in published.rows(
                "select family, reason, row_count from quality.quarantine_days where business_date = $to_date "
                "order by row_count desc, family, reason"
            )
        ),
    )
    if before is None:
        return report
    return replace(
        report,
        changes=_changes(report, before),
        late_deliveries=tuple(file for file in _files(published) if file not in before.files),
    )


def _figures(report: reports.Report) -> dict[str, reports.Figure]:
    """What an edition remembers: the headline numbers, and the main rate of each stage."""
    figures = [headline.figure for headline in report.headline]
    figures += [stage.rate for stage in report.stages if stage.rate is not None]
    return {figure.key: figure for figure in figures if figure.value is not None}


def _changes(report: reports.Report, before: EditionRecord) -> tuple[reports.EditionChange, ...]:
    return tuple(
        reports.EditionChange(figure, Decimal(before.figures[key]) if key in before.figures else None)
        for key, figure in _figures(report).items()
        if str(figure.value) != before.figures.get(key)
    )


def _files(published: Day) -> list[str]:
    rows = published.rows("select distinct file from quality.delivery_dates where business_date = $to_date order by 1")
    return [file for (file,) in rows]


@dataclass(frozen=True)
class Edition:
    """A printed report: its number for the day, the snapshot it was made from, and the file."""

    business_date: date
    number: int
    snapshot: str
    pdf: Path

    @property
    def spreadsheet(self) -> Path:
        """The numbers of the PDF as XLSX."""
        return self.pdf.with_suffix(".xlsx")

    @property
    def findings(self) -> Path:
        """The findings as JSON."""
        return self.pdf.with_name(f"{self.pdf.stem}-findings.json")

    def picture(self, stage: str) -> Path:
        """The picture of a stage as PNG."""
        return self.pdf.with_name(f"{self.pdf.stem}-{stage}.png")


def print_report(settings: Settings, business_date: date, language: str | None = None) -> Edition:
    """Prints the day's report into `reports/<date>/` from the published snapshot: PDF, XLSX, findings as JSON,
    and a PNG for each stage.

    The day gets a new edition when what was published for it, or its verdict, has changed; else the last edition is
    printed again.

    Raises:
        FileNotFoundError: nothing has been published yet.
    """
    language = language or settings.language
    folder = _folder(settings, business_date)
    with open_published(settings.published) as connection:
        source = _edition_source(connection, settings, business_date)
        records = _editions(folder)
        number = len(records) if records and records[-1].source == source else len(records) + 1
        before = records[number - 2] if number > 1 else None
        snapshot = source["snapshot"]
        published = Day(connection, settings, business_date, language)
        report = report_of(published, number, snapshot, before)
        files = _files(published)
    edition = _edition(settings, business_date, number, snapshot, language)
    folder.mkdir(parents=True, exist_ok=True)
    _write(edition.pdf, reports.render(report))
    _write(edition.spreadsheet, reports.spreadsheet(report))
    _write(edition.findings, reports.findings_json(report))
    for stage_ in report.stages:
        _write(edition.picture(stage_.key), reports.stage_picture_png(stage_, report))
    record = EditionRecord(source, {key: str(figure.value) for key, figure in _figures(report).items()}, files)
    _write(folder / f"edition-{number}.json", json.dumps(asdict(record), indent=2, ensure_ascii=False).encode())
    return edition


def printed_report(settings: Settings, business_date: date, language: str | None = None) -> Edition:
    """The day's current edition as it lies in `reports/<date>/`; printed only where it does not.

    Raises:
        FileNotFoundError: nothing has been published yet.
    """
    language = language or settings.language
    records = _editions(_folder(settings, business_date))
    with open_published(settings.published) as connection:
        source = _edition_source(connection, settings, business_date)
    if records and records[-1].source == source:
        edition = _edition(settings, business_date, len(records), source["snapshot"], language)
        if edition.pdf.exists():
            return edition
    return print_report(settings, business_date, language)


def _folder(settings: Settings, business_date: date) -> Path:
    return settings.reports / business_date.isoformat()


def _edition(settings: Settings, business_date: date, number: int, snapshot: str, language: str) -> Edition:
    name = f"funnelscope-{business_date}-edition-{number}-{language}.pdf"
    return Edition(business_date, number, snapshot, _folder(settings, business_date) / name)


def restated_days(settings: Settings, from_date: date, to_date: date) -> list[date]:
    """Days of the range that have an edition, and whose published numbers or verdict have changed since."""
    days = [day for day in days_between(from_date, to_date) if _folder(settings, day).is_dir()]
    with open_published(settings.published) as connection:
        return [
            day
            for day in days
            if (records := _editions(_folder(settings, day)))
            and records[-1].source != _edition_source(connection, settings, day)
        ]


def read_report(settings: Settings, business_date: date, language: str | None = None) -> reports.Report:
    """The day's report as data, without printing it; raises FileNotFoundError before the first publication."""
    with open_published(settings.published) as connection:
        snapshot = _snapshot_of(connection, settings, business_date)
        return report_of(Day(connection, settings, business_date, language or settings.language), 1, snapshot)


def _write(path: Path, content: bytes) -> None:
    """Whole or not at all."""
    partial = path.with_name(f".{path.name}")
    partial.write_bytes(content)
    partial.replace(path)


def _snapshot_of(connection: duckdb.DuckDBPyConnection, settings: Settings, business_date: date) -> str:
    """The snapshot in which the day's numbers last changed; the current one where the day has none."""
    row = connection.execute(
        "select snapshot from quality.published_days where business_date = $1", [business_date]
    ).fetchone()
    if row:
        return str(row[0])
    current = current_snapshot(settings.published)
    return current.name if current else ""


def _verdict_fingerprint(connection: duckdb.DuckDBPyConnection, business_date: date) -> str:
    row = connection.execute(
        "select verdict || ' ' || md5(reasons) from quality.day_verdict where business_date = $1", [business_date]
    ).fetchone()
    return str(row[0]) if row else "unjudged"


def _edition_source(connection: duckdb.DuckDBPyConnection, settings: Settings, business_date: date) -> dict[str, str]:
    """What makes an edition: another one is due when this differs."""
    return {
        "snapshot": _snapshot_of(connection, settings, business_date),
        "verdict": _verdict_fingerprint(connection, business_date),
    }


def _editions(folder: Path) -> list[EditionRecord]:
    """The day's editions in order; empty before the first."""
    files = sorted(folder.glob("edition-*.json"), key=lambda path: int(path.stem.split("-")[1]))
    return [EditionRecord(**json.loads(file.read_text(encoding="utf-8"))) for file in files]
