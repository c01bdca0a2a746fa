"""Every id of a person, session or order becomes a keyed 64-bit hash when it is loaded.

The key is in a file of its own, next to the warehouse: whoever gets the warehouse alone cannot test names against it.
"""

import hashlib
import os
import re
import secrets

from funnelscope.events.schema import BLANKS
from funnelscope.settings import Settings
from funnelscope.warehouse.connection import Warehouse

# 108 bits. Deliberately not longer: key and an id of up to 36 characters (a UUID) fit one block of SHA-256, which takes
# two thirds of the time of two blocks.
KEY_CHARACTERS = 18
KEY_VARIABLE = "funnelscope_identity_key"


class IdentityKeyError(RuntimeError):
    """The key file cannot be used. The text says what to do."""


def load_identity_key(settings: Settings) -> str:
    """The shop's key, 18 characters. Created on first use, readable by its owner only.

    Raises:
        IdentityKeyError: the file holds no key.
    """
    path = settings.identity_key_path
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        # Written to a draft and linked into place: a killed process leaves no partial key, and the first of two writers
        # wins.
        draft = path.with_name(f".{path.name}.{os.getpid()}.tmp")
        draft.unlink(missing_ok=True)
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secrets.token_urlsafe(KEY_CHARACTERS)[:KEY_CHARACTERS])
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(draft, path)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    key = path.read_text().strip()
    if not re.fullmatch(rf"[A-Za-z0-9_-]{{{KEY_CHARACTERS}}}", key):
        raise IdentityKeyError(
            f"{path} holds no key (a key has {KEY_CHARACTERS} letters, digits, - or _). Restore it from a backup: "
            "with another key no id of the warehouse can be joined again."
        )
    return key


def use_identity_key(warehouse: Warehouse, settings: Settings) -> None:
    """Makes the key known to this connection, for `build_identifier_hash_sql`. The warehouse never stores it.

    Raises:
        IdentityKeyError: the key file is gone, but the warehouse holds deliveries hashed with it.
    """
    if not settings.identity_key_path.exists() and warehouse.value("select count(*) from quality.deliveries"):
        raise IdentityKeyError(
            f"{settings.identity_key_path} is gone, and the warehouse was loaded with it. Restore it from a backup; "
            f"or delete {settings.warehouse_path} and, if it is there, {settings.warehouse_path.name}.wal, and load "
            "everything again under a new key."
        )
    warehouse.execute(f"set variable {KEY_VARIABLE} = '{load_identity_key(settings)}'")


def use_throwaway_key(warehouse: Warehouse) -> None:
    """A key for a warehouse that is thrown away: its hashes match no others."""
    warehouse.execute(f"set variable {KEY_VARIABLE} = '{secrets.token_urlsafe(KEY_CHARACTERS)[:KEY_CHARACTERS]}'")


def build_identifier_hash_sql(text: str) -> str:
    """SQL for the keyed hash (BIGINT) of the VARCHAR expression `text`; NULL if it is NULL.

    The hash is the first 64 bits of SHA-256 over key, '|' and id, read as a signed integer. Casting by way of a bit
    string was the fastest exact conversion of hexadecimal digits to BIGINT, see tests/test_identity.py.
    """
    return f"unhex(left(sha256(getvariable('{KEY_VARIABLE}') || '|' || {text}), 16))::bit::bigint"


def hash_identifier(settings: Settings, text: str) -> int:
    """The hash that the warehouse stores for the id `text`: -2**63 to 2**63 - 1.

    Raises:
        ValueError: the id is empty; an empty id is stored as NULL.
    """
    text = text.strip(BLANKS)
    if not text:
        raise ValueError("an empty id has no hash; it is stored as NULL")
    digest = hashlib.sha256(f"{load_identity_key(settings)}|{text}".encode()).digest()
    return int.from_bytes(digest[:8], "big", signed=True)
