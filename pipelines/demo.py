"""The demo shop: its first day and the two faults planted in its last week."""

import shutil
from datetime import date, timedelta
from pathlib import Path

from funnelscope.project_files import find_project_path
from funnelscope.settings import CONFIG_NAME, find_config_path
from funnelscope.simulator import Fault

FIRST_DATE = date(2026, 5, 1)


def check_may_be_emptied(home: Path) -> None:
    """Refuses a home with a shop's own deliveries, which may exist nowhere else, because a demo empties its home.

    Raises:
        ValueError: the landing zone holds files that no simulation wrote.
    """
    landing = home / "landing"
    delivered = next((file for file in landing.rglob("*") if file.is_file()), None)
    if delivered and not (home / "truth.json").exists():
        raise ValueError(
            f"a demo empties {home}, which holds deliveries that no demo made, such as {delivered}. "
            "Set FUNNELSCOPE_HOME to another folder"
        )


def plan_demo_faults(last_date: date) -> list[Fault]:
    """A coupon that breaks six days before the end, and a page that becomes slow on Android two days later."""
    return [
        Fault(kind="broken_coupon", slice={"coupon": "WELCOME10"}, from_date=last_date - timedelta(days=5)),
        Fault(
            kind="slow_first_screen",
            slice={"landing_page": "item_0001", "device": "android"},
            from_date=last_date - timedelta(days=3),
        ),
    ]


def leave_settings() -> None:
    """Copies the demo's settings and funnels into the current folder, where the commands after a demo look for them.

    A folder that has a funnelscope.yaml is left alone, and settings that are not the project's own are not copied.
    """
    config = find_config_path()
    if Path(CONFIG_NAME).exists() or not config.is_relative_to(find_project_path(CONFIG_NAME).parent):
        return
    shutil.copyfile(config, CONFIG_NAME)
    if (config.parent / "funnels").is_dir():
        shutil.copytree(config.parent / "funnels", "funnels", dirs_exist_ok=True)
