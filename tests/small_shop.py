"""A small shop, run by the command, of whose last day too many rows of orders were refused: a check that fails."""

import os
import subprocess
from datetime import UTC, datetime
from pathlib import Path

from browser import COMMAND
from shop_helpers import Home, one_file_a_day, simulated_shop

FAULTY_ROWS = 3
LAST_DAY = "2026-05-02"


def shop_with_refused_rows(folder: Path) -> Home:
    """Two days of it; raises AssertionError with what the command said where it does not end well."""
    home = simulated_shop(folder, days=3, sessions_per_day=60, history_days=2)
    one_file_a_day(home)
    folder = home.config.parent / "funnels"
    folder.mkdir()
    (folder / "view_to_payment.yaml").write_text("window: 1d\nsteps: [{event: product_view}, {event: paid}]\n")
    let_the_clock_stand_at_noon(home)  # before the run: another time zone later would make every day late
    header = "event_id,event_time,event_type,order_id,visitor_id,customer_id,amount\n"
    rows = (f"b{n},{LAST_DAY}T02:0{n}:00Z,refunded twice,o{n},v{n},c{n},1.00\n" for n in range(FAULTY_ROWS))
    file = home.settings.landing / "order" / f"dt={LAST_DAY}" / "refused.csv"
    file.write_text(header + "".join(rows), encoding="utf-8")
    command = [str(COMMAND), "backfill", "--to", LAST_DAY]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | home.environment, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{LAST_DAY} warn" in done.stderr
    return home


def let_the_clock_stand_at_noon(home: Home) -> None:
    """Between six and nine on the shop's clock the schedule would start runs of its own."""
    hours_ahead = 12 - datetime.now(UTC).hour  # Etc/GMT-3 is three hours ahead of UTC
    home.config.write_text(home.config.read_text().replace("Asia/Shanghai", f"Etc/GMT{-hours_ahead:+d}"))
