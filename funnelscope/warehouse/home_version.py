"""Which version's tables a home holds, and how those of an earlier version become those of this one.

A home notes its number in `quality.home_version`. Homes of Funnelscope 0.1.0 note none and count as 1. A change of
models or of the diagnosis that older rows do not fit gets the next number and an entry in UPGRADES.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from funnelscope.messages.wording import list_languages, load_words

if TYPE_CHECKING:
    from funnelscope.warehouse.connection import Warehouse


@dataclass(frozen=True)
class Upgrade:
    """What leads from the version before to this one.

    Attributes:
        statements: SQL that is run when an older home is opened.
        needs_rebuild: rows of built days must be computed again, which takes time: the user gives the command.
    """

    statements: tuple[str, ...] = ()
    needs_rebuild: bool = False


NO_VERSION = 0  # an empty warehouse
FIRST_VERSION = 1
UPGRADES: Mapping[int, Upgrade] = {
    2: Upgrade(needs_rebuild=True),  # daily metrics in parts; ids, reasons and intervals of findings
    3: Upgrade(needs_rebuild=True),  # refunds of deposits, purchases given back, and what a shop delivers
}
VERSION = max(UPGRADES)


class HomeVersionError(ValueError):
    """The home's tables are of another version; the text names the remedy."""

    def __init__(self, key: str, home: Path) -> None:
        # Whoever opens a warehouse does not know the language of its shop.
        texts = (load_words(language).text("home_versions", key, home=str(home)) for language in list_languages())
        super().__init__("\n".join(texts))


def check_home_version(warehouse: "Warehouse", home: Path) -> None:
    """Brings an older home up to date where statements suffice, and notes the version of a new one.

    Raises:
        HomeVersionError: built days must be computed again, or a later version has written here.
    """
    found = _read_version(warehouse)
    if found == VERSION:
        return
    if found > VERSION:
        raise HomeVersionError("later", home)
    if _has_built_days(warehouse) and any(upgrade.needs_rebuild for upgrade in _list_upgrades(found)):
        raise HomeVersionError("earlier", home)
    with warehouse.transaction():
        upgrade_tables(warehouse)


def upgrade_tables(warehouse: "Warehouse") -> None:
    """Runs the statements of every version that the home lacks and notes this version; belongs in a transaction."""
    found = _read_version(warehouse)
    for upgrade in _list_upgrades(found) if found else ():
        for statement in upgrade.statements:
            warehouse.execute(statement)
    warehouse.execute(f"create or replace table quality.home_version as select {VERSION} as version")


def _list_upgrades(found: int) -> list[Upgrade]:
    return [upgrade for number, upgrade in sorted(UPGRADES.items()) if number > found]


def _read_version(warehouse: "Warehouse") -> int:
    if warehouse.columns("quality.home_version"):
        return int(warehouse.value("select version from quality.home_version"))
    return FIRST_VERSION if warehouse.columns("quality.deliveries") else NO_VERSION


def _has_built_days(warehouse: "Warehouse") -> bool:
    return bool(warehouse.columns("quality.built")) and bool(warehouse.value("select count(*) from quality.built"))
