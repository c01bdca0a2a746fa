"""A mistake in funnelscope.yaml is found before anything runs, and its line is named."""

import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest

from funnelscope.settings import Settings, SettingsError, load_settings

ROOT = Path(__file__).parents[1]
HEAD = "shop: demo\nstart_date: 2026-01-01\n"


def mistake(tmp_path: Path, text: str) -> str:
    path = tmp_path / "funnelscope.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(SettingsError) as caught:
        load_settings(path)
    return str(caught.value)


MISTAKES = {
    "unknown key": (HEAD + "langage: zh\n", ["line 3", "langage", "did you mean 'language'"]),
    "unknown key of a source": (
        HEAD + "sources:\n  - family: page\n    formt: csv\n",
        ["line 5", "sources[0].formt", "did you mean 'format'"],
    ),
    "family": (HEAD + "sources:\n  - family: ordr\n", ["line 4", "'ordr'", "did you mean 'order'", "traffic"]),
    "language": (HEAD + "language: fr\n", ["line 3", "'fr'", "zh, en"]),
    "time zone": (HEAD + "timezone: Asia/Shangai\n", ["line 3", "'Asia/Shangai'", "Asia/Shanghai"]),
    "date": ("shop: demo\nstart_date: 2026-13-01\n", ["line 2", "2026-13-01"]),
    "date of another country": ("shop: demo\nstart_date: 1.6.2026\n", ["line 2", "'1.6.2026'", "YYYY-MM-DD"]),
    "date without hyphens": ("shop: demo\nstart_date: 20260601\n", ["line 2", "20260601", "YYYY-MM-DD"]),
    "date of a promotion": (
        HEAD + "calendar:\n  - {name: a, from: 1.6.2026, to: 2026-06-02}\n",
        ["line 4", "calendar[0].from", "'1.6.2026'", "YYYY-MM-DD"],
    ),
    "currency by its name": (HEAD + "currency: Euro\n", ["line 3", "'Euro'", "three capital letters", "EUR"]),
    "currency by its sign": (HEAD + "currency: €\n", ["line 3", "'€'", "three capital letters"]),
    "missing": ("start_date: 2026-01-01\n", ["shop", "is missing"]),
    "opening before start": (HEAD + "opening_date: 2025-01-01\n", ["line 3", "opening_date", "2026-01-01"]),
    "canonical column": (
        HEAD + "sources:\n  - family: page\n    columns:\n      visitr_id: x\n",
        ["line 6", "visitr_id", "did you mean 'visitor_id'"],
    ),
    "mapped the wrong way round": (
        HEAD + "sources:\n  - family: page\n    columns:\n      cookie: visitor_id\n",
        ["line 6", "columns.cookie", "write visitor_id: cookie"],
    ),
    "columns without a time": (
        HEAD + "sources:\n  - family: order\n    event_types: paid\n    columns: {order_id: number}\n",
        ["line 6", "sources[0].columns", "has no event_time", "event_time: …"],
    ),
    "columns without a type": (
        HEAD + "sources:\n  - family: order\n    columns: {event_time: at, order_id: number}\n",
        ["line 5", "sources[0].columns", "has no event_type", "event_types"],
    ),
    "event type": (
        HEAD + "sources:\n  - family: order\n    event_types:\n      column: s\n      values: {ok: payed}\n",
        ["line 7", "event_types.values.ok", "'payed'", "did you mean 'paid'"],
    ),
    "others without a column": (
        HEAD + "sources:\n  - family: order\n    event_types: {constant: paid, others: leave_out}\n",
        ["line 5", "event_types.others", "belongs to a column"],
    ),
    "expression": (
        HEAD + "sources:\n  - family: order\n    expressions:\n      amount: 'sum( a'\n",
        ["line 6", "expressions.amount", "not a DuckDB expression"],
    ),
    "subquery": (
        HEAD + "sources:\n  - family: order\n    expressions:\n      amount: (select 1)\n",
        ["line 6", "without a subquery"],
    ),
    "window": (
        HEAD + "sources:\n  - family: order\n    expressions:\n      amount: row_number() over ()\n",
        ["line 6", "without a window function"],
    ),
    "two expressions": (
        HEAD + "sources:\n  - family: order\n    expressions:\n      amount: 1) from x --\n",
        ["line 6", "expressions.amount"],
    ),
    "where": (HEAD + "sources:\n  - family: order\n    where: 'a >'\n", ["line 5", "where", "not a DuckDB expression"]),
    "mapped twice": (
        HEAD + "sources:\n  - family: order\n    columns: {amount: a}\n    constants: {amount: 1}\n",
        ["line 6", "mapped twice"],
    ),
    "keep with an id": (
        HEAD + "sources:\n  - family: order\n    duplicates: keep\n    columns: {event_id: a}\n",
        ["line 5", "duplicates", "event_id"],
    ),
    "time format by another name": (
        HEAD + "sources:\n  - family: order\n    time_format: epoch_micros\n",
        ["line 5", "'epoch_micros'", "did you mean 'epoch_microseconds'", "%Y-%m-%d"],
    ),
    "time format that strptime lacks": (
        HEAD + "sources:\n  - family: order\n    time_format: '%Y-%m-%d %Q'\n",
        ["line 5", "'%Y-%m-%d %Q'", "is no format of a time", "%Q"],
    ),
    "time format without a year": (
        HEAD + "sources:\n  - family: order\n    time_format: '%H:%M'\n",
        ["line 5", "'%H:%M'", "has no year"],
    ),
    "latest without an id": (
        HEAD + "sources:\n  - family: order\n    event_types: paid\n    duplicates: latest\n"
        "    columns: {event_time: at, order_id: number}\n",
        ["line 6", "sources[0].duplicates", "'latest'", "needs an event_id"],
    ),
    "encoding": (HEAD + "sources:\n  - family: order\n    encoding: gbq\n", ["line 5", "'gbq'", "gb18030"]),
    "delivery date": (HEAD + "sources:\n  - family: order\n    delivery_date: 'x('\n", ["line 5"]),
    "pattern without a group": (HEAD + "sources:\n  - family: order\n    delivery_date: x\n", ["line 5", "one group"]),
    "the key of the ids": (
        HEAD + "sources:\n  - family: page\n    expressions:\n      page: upper(GetVariable('a_key'))\n",
        ["line 6", "getvariable", "its own columns only"],
    ),
    "a query that writes": (
        HEAD + "sources:\n  - {family: order, attach: a.duckdb, query: copy t to 'x.csv'}\n",
        ["line 4", "query", "must be one SELECT"],
    ),
    "two queries": (
        HEAD + "sources:\n  - {family: order, attach: a.duckdb, query: 'select 1; drop table t'}\n",
        ["line 4", "must be one SELECT"],
    ),
    "an alias that contains itself": (HEAD + "owners: &a {x: *a}\n", ["line 3", "contains itself"]),
    "aliases that unfold without end": (
        HEAD + "a0: &a0 [x, x]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 9)),
        ["line 8", "unfold into more than 100,000 values"],
    ),
    "nesting without end": (HEAD + "owners: " + "[" * 5_000 + "]" * 5_000 + "\n", ["nested too deeply"]),
    "query alone": (HEAD + "sources:\n  - family: order\n    query: select 1\n", ["line 4", "attach"]),
    "address of a database": (
        HEAD + "sources:\n  - {family: order, query: select 1, attach: 'postgres://shop:secret@host/db'}\n",
        ["line 4", "sources[0].attach", "'postgres://…@host/db'", "on this machine"],
    ),
    "address of files": (
        HEAD + "sources:\n  - {family: order, files: 's3://bucket/orders_*.csv'}\n",
        ["line 4", "sources[0].files", "s3://bucket", "on this machine"],
    ),
    "same name": (
        HEAD + "sources:\n  - family: order\n  - {family: page, name: order}\n",
        ["line 5", "another source"],
    ),
    "no yaml": (HEAD + "sources: [\n", ["line"]),
    "key twice": (HEAD + "shop: other\n", ["line 3", "also on line 1"]),
    "nothing": ("", ["found nothing"]),
    "a list": ("- a\n", ["line 1", "list"]),
    "home": (HEAD + "home: x\n", ["line 3", "FUNNELSCOPE_HOME"]),
    "phase": (HEAD + "calendar:\n  - {name: a, from: 2026-01-01, to: 2026-01-02, phase: mian}\n", ["line 4", "'main'"]),
    "promotion backwards": (
        HEAD + "calendar:\n  - {name: a, from: 2026-01-02, to: 2026-01-01}\n",
        ["line 4", "before"],
    ),
    "memory": (HEAD + "memory_limit: 4 gigs\n", ["line 3", "4 gigs"]),
    "service day": (HEAD + "service_hours: {mon-fry: 09:00-18:00}\n", ["line 3", "mon-fry", "mon-fri"]),
    "service hours": (HEAD + "service_hours:\n  mon: 9-18\n", ["line 3", "9-18", "09:00-18:00"]),
    "service day twice": (HEAD + "service_hours: {mon-fri: 09:00-18:00, tue: []}\n", ["line 3", "tue", "twice"]),
    "attribution": (HEAD + "attribution_window_days: 90\n", ["line 3", "90", "30"]),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_names_file_line_value_and_way_out(name: str, tmp_path: Path) -> None:
    text, wanted = MISTAKES[name]
    message = mistake(tmp_path, text)
    assert str(tmp_path / "funnelscope.yaml") in message
    for words in wanted:
        assert words in message
    assert len(message.splitlines()) <= 2


def test_a_password_in_an_address_is_not_printed(tmp_path: Path) -> None:
    assert "secret" not in mistake(tmp_path, MISTAKES["address of a database"][0])


def test_every_mistake_is_told_at_once(tmp_path: Path) -> None:
    message = mistake(tmp_path, HEAD + "langage: zh\ncurrency: yuan\nthreads: 0\n")
    assert {line.split("line ")[1].split(":")[0] for line in message.splitlines()} == {"3", "4", "5"}


def test_a_mistake_in_the_calendar_file_names_that_file(tmp_path: Path) -> None:
    (tmp_path / "calendar.yaml").write_text(
        "promotions:\n  - {name: a, from: 2026-01-01, to: 2026-01-02, phse: main}\n"
    )
    message = mistake(tmp_path, HEAD + "calendar: calendar.yaml\n")
    assert "calendar.yaml, line 2" in message
    assert "did you mean 'phase'" in message
    assert "no such file" in mistake(tmp_path, HEAD + "calendar: other.yaml\n")


def test_the_calendar_may_be_a_file_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "calendar.yaml").write_text("promotions:\n  - {name: a, from: 2026-01-01, to: 2026-01-02 20:00}\n")
    (tmp_path / "funnelscope.yaml").write_text(HEAD + "calendar: calendar.yaml\n")
    (promotion,) = load_settings(tmp_path / "funnelscope.yaml").calendar
    assert (promotion.name, promotion.starts, promotion.phase) == ("a", date(2026, 1, 1), "main")


def test_a_missing_file_says_where_to_look(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="FUNNELSCOPE_CONFIG"):
        load_settings(tmp_path / "none.yaml")


def test_the_environment_says_which_file_and_which_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "other.yaml").write_text(HEAD)
    monkeypatch.setenv("FUNNELSCOPE_CONFIG", str(tmp_path / "other.yaml"))
    monkeypatch.setenv("FUNNELSCOPE_HOME", str(tmp_path / "elsewhere"))
    settings = load_settings()
    assert settings.warehouse_path == tmp_path / "elsewhere" / "warehouse.duckdb"
    assert settings.lock_path == tmp_path / "elsewhere" / "warehouse.lock"
    monkeypatch.delenv("FUNNELSCOPE_HOME")
    monkeypatch.chdir(tmp_path)
    assert load_settings().home == tmp_path / "var"


def test_defaults_follow_what_is_given() -> None:
    sources = [{"family": "page"}, {"family": "page"}, {"family": "order", "name": "tmall"}]
    settings = Settings.model_validate({"shop": "s", "start_date": "2026-01-01", "sources": sources})
    assert settings.opening_date == settings.start_date
    assert [source.name for source in settings.sources] == ["page", "page-2", "tmall"]
    assert settings.sources[0].pattern == "landing/page/dt=*/*"
    assert settings.list_family_sources("traffic") == ()


@pytest.mark.parametrize("path", ["funnelscope.yaml", "examples/online_retail/funnelscope.yaml"])
def test_the_examples_are_valid(path: str) -> None:
    assert load_settings(ROOT / path).sources


def test_loading_settings_is_light() -> None:
    code = "import sys, funnelscope.settings; print({'duckdb', 'pandas', 'dagster', 'sqlglot'} & set(sys.modules))"
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT).stdout
    assert printed.strip() == "set()"


@pytest.mark.parametrize("end", ["2026-06-19 00:00", "2026-06-19 00:00:00", '"2026-06-19T00:00"'])
def test_a_promotion_does_not_end_at_midnight(end: str, tmp_path: Path) -> None:
    """It may be the end of the day before, or that day may belong to it."""
    path = tmp_path / "funnelscope.yaml"
    text = f"shop: x\nstart_date: 2026-01-01\ncalendar:\n  - {{name: sale, from: 2026-06-18 20:00, to: {end}}}\n"
    path.write_text(text)
    with pytest.raises(SettingsError, match="is midnight: write 2026-06-18 if it ends there, 2026-06-19 if that day"):
        load_settings(path)
    for other in ("2026-06-18", "2026-06-19", "2026-06-19 00:01"):
        path.write_text(text.replace(end, other))
        load_settings(path)
