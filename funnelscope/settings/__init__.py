"""The settings of a shop, read and checked. Each error names its line.

Holds: funnelscope.yaml (shop, sources, delivery, retention, …), its calendar of promotions and its change log.
In: YAML files. Out: `Settings`, frozen.
May import: messages, events.
"""

from funnelscope.settings.shop_settings import (
    CONFIG_NAME,
    CONFIG_VARIABLE,
    EPOCH_UNITS,
    HOME_VARIABLE,
    MODIFIED,
    STAGES,
    Change,
    Channel,
    EventTypes,
    Exclusion,
    Format,
    Promotion,
    Retention,
    Settings,
    Source,
    find_config_path,
    find_home_folder,
    find_line,
    load_settings,
)
from funnelscope.settings.yaml_source import KeyPath, SettingsError, suggest_nearest

__all__ = [
    "CONFIG_NAME",
    "CONFIG_VARIABLE",
    "EPOCH_UNITS",
    "HOME_VARIABLE",
    "MODIFIED",
    "STAGES",
    "Change",
    "Channel",
    "EventTypes",
    "Exclusion",
    "Format",
    "KeyPath",
    "Promotion",
    "Retention",
    "Settings",
    "SettingsError",
    "Source",
    "find_config_path",
    "find_home_folder",
    "find_line",
    "load_settings",
    "suggest_nearest",
]
