"""A browser without a window, cut off from the network."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome")

OPTIONS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def browser_path() -> str:
    """Return the path of Chromium. Without it a developer's test is skipped; in CI its absence is a failure."""
    found = next((path for name in NAMES if (path := shutil.which(name))), None)
    if found is None:
        reason = "there is no Chromium; on Debian: apt-get install chromium"
        if os.environ.get("CI"):
            pytest.fail(f"{reason} (CI never skips this test)")
        pytest.skip(reason)
    return found


@contextmanager
def browser() -> Iterator[Browser]:
    """Start Chromium, with a profile of its own."""
    path = browser_path()
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=path, args=list(OPTIONS))
        try:
            yield started
        finally:
            started.close()


@contextmanager
def opened(started: Browser, path: Path, *, width: int = 1440, dark: bool = False) -> Iterator[tuple[Page, list[str]]]:
    """Open a file with the network cut, and return the page with all that goes wrong in it."""
    context = started.new_context(
        viewport={"width": width, "height": 900}, color_scheme="dark" if dark else "light", offline=True
    )
    page, wrong = context.new_page(), []
    page.on("console", lambda message: wrong.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("dialog", lambda dialog: (wrong.append(dialog.message), dialog.dismiss()))
    page.on("request", lambda request: _note_foreign(request.url, wrong))
    page.goto(path.as_uri())
    page.wait_for_selector("html[data-ready]")
    try:
        yield page, wrong
    finally:
        context.close()


def _note_foreign(url: str, wrong: list[str]) -> None:
    if not url.startswith(("file:", "data:", "blob:")):
        wrong.append(f"the page asked for {url[:200]}")
