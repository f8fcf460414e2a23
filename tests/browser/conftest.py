"""An installed Chromium, driven without a display; none is ever fetched."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A headless browser for the tests of a module: while it is there, an event loop of its own runs."""
    if CHROMIUM is None:
        pytest.skip("no Chromium is installed: pages are not tried in a browser")
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield running
        running.close()


@pytest.fixture
def nowhere(tmp_path: Path) -> Path:
    """An empty page of the local disk, which is where verify.html is opened too."""
    place = tmp_path / "empty.html"
    place.write_text("<!doctype html><title>empty</title>", encoding="utf-8")
    return place
