"""Identity: every id of a person, session or order becomes a keyed 64-bit hash at load.

The key is a file of its own, next to the warehouse and not in it: whoever gets the warehouse alone
cannot try out names against it.
"""

import hashlib
import os
import re
import secrets

from funnelscope.events.schema import BLANKS
from funnelscope.settings import Settings
from funnelscope.warehouse.connection import Warehouse

# 108 bits. Not longer on purpose: with an id of up to 36 characters (a UUID) key and id fit one block of SHA-256,
# which takes two thirds of the time of two.
KEY_CHARACTERS = 18
KEY_VARIABLE = "funnelscope_identity_key"


class IdentityKeyError(RuntimeError):
    """The key file cannot be used; the text says what to do."""


def load_identity_key(settings: Settings) -> str:
    """The shop's key, 18 characters; made once, readable by its owner only.

    Raises:
        IdentityKeyError: the file holds no key.
    """
    path = settings.identity_key_path
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        # Written aside and linked into place: a killed process leaves no half key, and the first one wins.
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
            f"{path} holds no key ({KEY_CHARACTERS} letters, digits, - or _ are wanted). Restore it from a backup: "
            "with another key no id of the warehouse can be joined again."
        )
    return key


def use_identity_key(warehouse: Warehouse, settings: Settings) -> None:
    """Makes the key known to this connection, for `build_identifier_hash_sql`; it is never stored in the warehouse.

    Raises:
        IdentityKeyError: the key file is gone although the warehouse holds deliveries hashed with it.
    """
    if not settings.identity_key_path.exists() and warehouse.value("select count(*) from quality.deliveries"):
        raise IdentityKeyError(
            f"{settings.identity_key_path} is gone, and the warehouse was loaded with it. Restore it from a backup; "
            f"or delete {settings.warehouse_path} and load everything again under a new key."
        )
    warehouse.execute(f"set variable {KEY_VARIABLE} = '{load_identity_key(settings)}'")


def build_identifier_hash_sql(text: str) -> str:
    """SQL for the keyed hash (BIGINT) of the VARCHAR expression `text`; NULL where it is NULL.

    The first 64 bits of SHA-256 over key, '|' and id, read as a signed number. The bit string is the
    fastest exact way measured from hexadecimal digits to BIGINT, see tests/test_identity.py.
    """
    return f"unhex(left(sha256(getvariable('{KEY_VARIABLE}') || '|' || {text}), 16))::bit::bigint"


def hash_identifier(settings: Settings, text: str) -> int:
    """The number under which the warehouse stores the id `text`: -2**63 to 2**63 - 1.

    Raises:
        ValueError: the id is empty; an empty id is stored as NULL.
    """
    text = text.strip(BLANKS)
    if not text:
        raise ValueError("an empty id has no number; it is stored as NULL")
    digest = hashlib.sha256(f"{load_identity_key(settings)}|{text}".encode()).digest()
    return int.from_bytes(digest[:8], "big", signed=True)
