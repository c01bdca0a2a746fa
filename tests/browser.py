"""The UI in a real browser: starts `funnelscope ui` and opens pages of it."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"]
FLAGS += ["--disable-background-networking", "--disable-component-update", "--disable-sync"]
SECONDS_TO_START = 300
MILLISECONDS_TO_SHOW = 120_000
COMMAND = Path(sys.executable).with_name("funnelscope")


def installed_browser() -> str | None:
    """The path of a Chromium on this machine."""
    return next((path for name in BROWSERS if (path := shutil.which(name))), None)


@contextmanager
def running_ui(
    environment: Mapping[str, str], log: Path, command: Path = COMMAND, folder: Path | None = None
) -> Iterator[str]:
    """`funnelscope ui` on a free port, started in `folder`; yields its address once the definitions are loaded."""
    with started_ui(environment, log, command, folder) as (address, _):
        yield address


@contextmanager
def started_ui(
    environment: Mapping[str, str],
    log: Path,
    command: Path = COMMAND,
    folder: Path | None = None,
    arguments: Sequence[str] = (),
) -> "Iterator[tuple[str, subprocess.Popen[bytes]]]":
    """The same with further arguments; yields its address and its process."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    with log.open("wb") as output:
        ui = subprocess.Popen(
            [str(command), "ui", "--port", str(port), *arguments],
            cwd=folder,
            env=os.environ | dict(environment),
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            _wait_until_loaded(address, ui, log)
            yield address, ui
        finally:
            _stop(ui)


def _stop(ui: "subprocess.Popen[bytes]") -> None:
    """As Ctrl-C does; a process that was started in the background ignores that, and is killed with its children."""
    ui.send_signal(signal.SIGINT)
    with suppress(subprocess.TimeoutExpired):
        ui.wait(timeout=30)
    with suppress(ProcessLookupError):
        os.killpg(ui.pid, signal.SIGKILL)
    ui.wait()


def _wait_until_loaded(address: str, ui: "subprocess.Popen[bytes]", log: Path) -> None:
    end = time.monotonic() + SECONDS_TO_START
    while time.monotonic() < end:
        if ui.poll() is not None:
            break
        try:
            with urllib.request.urlopen(f"{address}/server_info", timeout=5):
                return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.5)
    raise RuntimeError(f"the UI did not start:\n{log.read_text()[-3000:]}")


@contextmanager
def opened_browser(problems: list[str]) -> Iterator[Page]:
    """A page of a fresh browser; `problems` gets every error of the pages' scripts."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=installed_browser(), args=FLAGS)
        page = browser.new_page(viewport={"width": 1360, "height": 850}, reduced_motion="reduce")
        page.set_default_timeout(MILLISECONDS_TO_SHOW)
        page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: problems.append(str(error)))
        yield page
        browser.close()


def open_asset(page: Page, address: str, asset: str, view: str = "overview") -> None:
    """The page of an asset, `schema/table`, once its description is there."""
    page.goto(f"{address}/assets/{asset}?view={view}")
    page.get_by_text("Materialize", exact=False).first.wait_for()


def open_metadata(page: Page, key: str) -> None:
    """Opens the picture or table that stands behind a link in the row of the metadata `key`."""
    page.get_by_role("row").filter(has=page.get_by_text(key, exact=True)).get_by_text("[Show Markdown]").first.click()
    page.get_by_role("dialog").wait_for()


def wait_for_image(page: Page) -> None:
    """Waits until the browser has drawn the picture of a dialog."""
    image = page.locator("img[src^='data:image/']").first
    image.wait_for()
    page.wait_for_function("image => image.complete && image.naturalWidth > 300", arg=image.element_handle())


def close_dialog(page: Page) -> None:
    page.keyboard.press("Escape")
    page.get_by_role("dialog").wait_for(state="hidden")


def open_lineage(page: Page, address: str) -> None:
    """The graph of all assets, by group."""
    page.goto(f"{address}/asset-groups")
    page.get_by_text("staging", exact=True).first.wait_for()
