"""An id is stored as a keyed number: the same in SQL and Python, and not to be guessed from the warehouse alone."""

import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from funnelscope.events.schema import BLANKS
from funnelscope.ingest import create_tables
from funnelscope.ingest.identity import (
    KEY_VARIABLE,
    IdentityKeyError,
    build_identifier_hash_sql,
    hash_identifier,
    load_identity_key,
    use_identity_key,
)
from funnelscope.settings import Settings
from funnelscope.warehouse.connection import open_in_memory_warehouse, open_warehouse


def settings_for(home: Path) -> Settings:
    return Settings.model_validate({"shop": "demo", "start_date": "2026-01-01", "home": home})


def test_sql_and_python_give_the_same_number(tmp_path: Path) -> None:
    settings = settings_for(tmp_path)
    warehouse = open_in_memory_warehouse()
    create_tables(warehouse)
    use_identity_key(warehouse, settings)
    statement = f"select {build_identifier_hash_sql('$text')}"

    @given(st.text(min_size=1).filter(lambda text: text.strip(BLANKS) == text and "\0" not in text))
    def agree(text: str) -> None:
        assert warehouse.value(statement, text=text) == hash_identifier(settings, text)

    agree()
    assert warehouse.value(f"select {build_identifier_hash_sql('NULL::VARCHAR')}") is None
    numbers = [hash_identifier(settings, str(number)) for number in range(200)]
    assert min(numbers) < 0 < max(numbers)
    assert len(set(numbers)) == 200


def test_the_number_is_the_documented_one(tmp_path: Path) -> None:
    (tmp_path / "identity.key").write_text("a" * 18)
    warehouse = open_in_memory_warehouse([f"set variable {KEY_VARIABLE} = '{'a' * 18}'"])
    documented = "('0x' || left(sha256(repeat('a', 18) || '|' || 'id'), 16))::UBIGINT"
    number = hash_identifier(settings_for(tmp_path), "id")
    assert warehouse.value(f"select {documented}") == number % 2**64
    assert warehouse.value(f"select {build_identifier_hash_sql(chr(39) + 'id' + chr(39))}") == number


def test_the_key_is_made_once_for_its_owner_only(tmp_path: Path) -> None:
    settings = settings_for(tmp_path / "home")
    key = load_identity_key(settings)
    assert load_identity_key(settings) == key
    assert stat.S_IMODE(settings.identity_key_path.stat().st_mode) == 0o600
    assert [path.name for path in settings.home.iterdir()] == ["identity.key"]
    assert load_identity_key(settings_for(tmp_path / "other")) != key


def test_the_key_is_not_in_the_warehouse(tmp_path: Path) -> None:
    settings = settings_for(tmp_path)
    with open_warehouse(settings.warehouse_path) as warehouse:
        create_tables(warehouse)
        use_identity_key(warehouse, settings)
        warehouse.execute("checkpoint")
    assert load_identity_key(settings).encode() not in settings.warehouse_path.read_bytes()


def test_a_lost_key_is_not_replaced_behind_the_shop_s_back(tmp_path: Path) -> None:
    settings = settings_for(tmp_path)
    warehouse = open_in_memory_warehouse()
    create_tables(warehouse)
    warehouse.execute("insert into quality.deliveries (delivery_id) values (1)")
    with pytest.raises(IdentityKeyError, match="backup"):
        use_identity_key(warehouse, settings)
    assert not settings.identity_key_path.exists()


def test_a_spoilt_key_is_refused(tmp_path: Path) -> None:
    settings = settings_for(tmp_path)
    settings.identity_key_path.write_text("short")
    with pytest.raises(IdentityKeyError, match="holds no key"):
        load_identity_key(settings)


def test_an_empty_id_has_no_number(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="NULL"):
        hash_identifier(settings_for(tmp_path), "  ")
