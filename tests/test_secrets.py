"""No password in what is printed: settings errors, errors of libraries, commands, stack traces."""

import os
import subprocess
import sys
from datetime import date
from pathlib import Path

import dagster as dg
import pytest
from dagster._serdes import serialize_value
from shop_helpers import Home
from typer.testing import CliRunner

from funnelscope.messages.secrets import hide_secrets
from funnelscope.settings import SettingsError, load_settings
from pipelines.cli.app import app
from pipelines.cli.errors import explain_error
from pipelines.instance import open_instance

SECRET = "Hunter2-pw"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (
            f"cannot open postgres://shop:{SECRET}@db.example/shop?x=1 today",
            "cannot open postgres://…@db.example/shop?… today",
        ),
        (f"https://shop:{SECRET}@host.example/reports", "https://…@host.example/reports"),
        (f"https://{SECRET}@host.example", "https://…@host.example"),
        (f"'mysql://u:{SECRET} b@c'd@host/db'", "'mysql://…@host/db'"),
        (f"https://api.example/send?access_token={SECRET}&x=1", "https://api.example/send?…"),
        (f"https://hooks.example/services/T1/B2/{SECRET}aBcDeFgHiJkL", "https://hooks.example/services/T1/B2/…"),
        (f"mailto://robot:{SECRET}@mail.example", "mailto://…"),
        (f"slack://bot@{SECRET}/b/c", "slack://…"),
        (f"tgram://{SECRET}/1", "tgram://…"),
        (f"host=db user=shop password={SECRET} dbname=x", "host=db user=shop password=… dbname=x"),
        (f"create secret (type s3, secret '{SECRET}')", None),
        (f"{{'password': '{SECRET}'}}", "{'password': …}"),
        (
            "see https://appriseit.com, or http://127.0.0.1:3000.",
            "see https://appriseit.com, or http://127.0.0.1:3000.",
        ),
        ("s3://bucket/orders_*.csv", "s3://bucket/orders_*.csv"),
        ("the password or token is wrong: ask", "the password or token is wrong: ask"),
        ("订单 12:30 a@b.c", "订单 12:30 a@b.c"),
    ],
)
def test_a_secret_is_hidden_and_the_rest_stays(text: str, shown: str | None) -> None:
    if shown is not None:
        assert hide_secrets(text) == shown
        assert hide_secrets(shown) == shown
    else:
        assert hide_secrets(text).startswith("create secret")


@pytest.mark.parametrize(
    "declared",
    [
        f"delivery: {{name: a, url: 'mailto://robot:{SECRET}@mail.example'}}",
        f"delivery: [['mailto://robot:{SECRET}@mail.example']]",
        f"delivery: [{{name: a, url: ['json://{SECRET}/x']}}]",
        f"delivery: 'tgram://{SECRET}/1'",
        f"delivery: [{{name: a, url: 'json://x', only: 'json://{SECRET}'}}]",
        f"delivery: [{{name: a, url: 'json://x', link: 'https://u:{SECRET}@host/reports'}}]",
        f"sources: [{{family: order, query: select 1, attach: 'postgres://shop:{SECRET}@db/shop'}}]",
        f"sources: [{{family: order, files: 'https://u:{SECRET}@host/*.csv'}}]",
        f"sources: [{{family: order, query: select 1, attach: [password={SECRET}]}}]",
    ],
)
def test_an_error_in_the_settings_names_the_key_and_no_password(tmp_path: Path, declared: str) -> None:
    home = Home(tmp_path)
    home.write_config(date(2026, 5, 1))
    text = home.config.read_text(encoding="utf-8")
    if declared.startswith("sources"):
        text = text[: text.index("sources:")]
    home.config.write_text(f"{text}\n{declared}\n", encoding="utf-8")
    with pytest.raises(SettingsError) as caught:
        load_settings(home.config)
    assert SECRET not in str(caught.value)
    assert declared.partition(":")[0] in str(caught.value)


@pytest.mark.parametrize("command", ["check", "doctor"])
def test_a_query_that_names_an_address_fails_without_its_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    """DuckDB's own error repeats the address."""
    import duckdb

    home = Home(tmp_path)
    home.write_config(date(2026, 5, 1))
    home.path.mkdir()
    with duckdb.connect(str(home.path / "shop.duckdb")) as connection:
        connection.execute("create table orders (id integer)")
    text = home.config.read_text(encoding="utf-8")
    query = f"select * from read_parquet('https://u:{SECRET}@127.0.0.1/x.parquet')"
    source = f'  - {{family: order, attach: shop.duckdb, query: "{query}", delivery_date: 2026-05-01}}\n'
    home.config.write_text(text[: text.index("sources:")] + "sources:\n" + source, encoding="utf-8")
    for name, value in home.environment.items():
        monkeypatch.setenv(name, value)
    done = CliRunner().invoke(app, [command])
    assert SECRET not in done.output
    assert command == "doctor" or "https://…@127.0.0.1" in done.output


def test_an_error_of_a_library_is_told_without_its_password() -> None:
    assert explain_error(ValueError(f"no answer of postgres://u:{SECRET}@db")) == "no answer of postgres://…@db"


def test_an_error_within_a_run_is_kept_without_its_password(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By Dagster, whose pages show it with its stack and its cause."""

    @dg.op
    def fails() -> None:
        try:
            raise OSError(f"https://u:{SECRET}@host/x is gone")
        except OSError as error:
            raise RuntimeError(f"no answer of postgres://u:{SECRET}@db") from error

    @dg.job
    def failing() -> None:
        fails()

    home = Home(tmp_path)
    home.write_config(date(2026, 5, 1))
    monkeypatch.setenv("DAGSTER_HOME", "")
    with open_instance(home.settings) as instance:
        run = failing.execute_in_process(instance=instance, raise_on_error=False)
        kept = [serialize_value(entry) for entry in instance.all_logs(run.run_id)]
    assert not run.success
    assert any("postgres://" in text for text in kept)
    assert not [text for text in kept if SECRET in text]


def test_a_stack_trace_is_printed_without_passwords(tmp_path: Path) -> None:
    """Of a defect, which is not told in our own words."""
    home = Home(tmp_path)
    home.write_config(date(2026, 5, 1))
    script = (
        "import pipelines.cli.app as cli\n"
        "def fail():\n"
        f"    raise RuntimeError('no answer of https://u:' + '{SECRET[:4]}' + '{SECRET[4:]}@host/x')\n"
        "cli.load_shop_settings = fail\n"
        "cli.main()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, "status"], env=os.environ | home.environment, capture_output=True, text=True
    )
    assert done.returncode == 1
    assert "RuntimeError: no answer of https://…@host/x" in done.stderr
    assert SECRET not in done.stderr
