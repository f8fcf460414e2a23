"""The page that people begin with, in a browser: a first password, logging in, reading, logging out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from api.routes import sessions
from api.serve import listen
from tests.api.client import BASE
from tests.api.signing import browser_page, running
from tests.api.test_sessions import PASSWORD, Service


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Service, str]]:
    """A service with accounts on a port of its own, and its address."""
    monkeypatch.setattr(sessions, "STEP_S", 0.0)
    made = Service(tmp_path)
    with ExitStack() as stack:
        stack.callback(made.made.ledger.close)
        stack.callback(made.database.close)
        listening = stack.enter_context(listen("127.0.0.1", 0))
        stack.enter_context(running(made.app, listening))
        yield made, f"http://localhost:{listening.getsockname()[1]}{BASE}"


def test_who_was_invited_sets_a_password_reads_logs_out_and_in(served: tuple[Service, str]) -> None:
    """The one-time secret works once; afterwards the password does, and a wrong one is told of."""
    service, url = served
    with browser_page() as page:
        page.goto(f"{url}/pages")
        page.fill("#person", "bchan")
        page.fill("#password", PASSWORD)
        page.click("#invited summary")
        page.fill("#secret", service.invite("bchan"))
        page.click("#enter button")
        page.wait_for_selector("#entered:not([hidden])")
        assert page.input_value("#secret") == ""
        assert page.text_content("header nav a") == "Start"
        page.goto(f"{url}/participants.html")
        assert page.text_content("h1") == "Participants"
        page.goto(f"{url}/pages")
        page.click("#leave")
        page.wait_for_selector("#enter:not([hidden])")
        assert page.text_content("header nav a") == "Log in"
        page.fill("#person", "bchan")
        page.fill("#password", "another river in june")
        page.click("#enter button")
        page.wait_for_selector("#said:not([hidden])")
        page.fill("#password", PASSWORD)
        page.click("#enter button")
        page.wait_for_selector("#entered:not([hidden])")
