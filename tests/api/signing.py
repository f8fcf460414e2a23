"""A served study with signing pages, accounts and a browser that has a virtual authenticator."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import httpx2
import pytest
import uvicorn

from api.app import create_app
from api.serve import listen
from api.signing_host import pages, serving
from api.study import OpenStudy
from ledger.identity.database import AccountsDatabase
from ledger.signing.settings import SigningSettings
from tests.api.client import BASE, bearer, config, token
from tests.ledger.small_ledger import SmallLedger, make

CHROMIUM: Final = Path("/usr/bin/chromium")
TIMEOUT_S: Final = 20
ADMIN: Final = token("admin", "sponsor_administrator", "admin")
INVESTIGATOR: Final = token("investigator", "investigator", "aruiz", ["SA-01"])


@dataclass(slots=True, kw_only=True)
class Served:
    """A study served over a real socket, with its pages at an origin of their own."""

    made: SmallLedger
    url: str
    pages: str
    http: httpx2.Client
    app: Any

    def redeem(self, person: str, password: str) -> None:
        """Let a person set a first password by a one-time secret."""
        invitations = self.app.state.studies["small"].people.accounts.invitations
        sources = self.made.sources
        secret = invitations.make(person, sources.now_us(), sources.random_bytes)
        body = {"person": person, "secret": secret, "password": password, "bearer": True}
        answer = self.http.post(f"{self.url}/passwords:redeem", json=body)
        assert answer.status_code == 201, answer.text

    def get(self, path: str, who: str) -> Any:
        """Ask for an address of the study."""
        answer = self.http.get(self.url + path, headers=bearer(who))
        assert answer.status_code == 200, answer.text
        return answer.json()

    def post(self, path: str, who: str, body: Any, status: int = 200) -> Any:
        """Send JSON to an address of the study."""
        answer = self.http.post(self.url + path, headers=bearer(who), json=body)
        assert answer.status_code == status, answer.text
        return answer.json()


@contextmanager
def served_study(directory: Path) -> Iterator[Served]:
    """Serve a small ledger of this very moment, and its signing pages."""
    made = make(directory)
    made.sources.advance_to(time.time_ns() // 1_000)
    with ExitStack() as stack:
        stack.callback(made.ledger.close)
        database = stack.enter_context(AccountsDatabase.create(directory / "accounts.db"))
        there = stack.enter_context(listen("127.0.0.1", 0))
        here = stack.enter_context(listen("127.0.0.1", 0))
        origin = f"http://localhost:{here.getsockname()[1]}"
        api = f"http://127.0.0.1:{there.getsockname()[1]}"
        settings = config(made)
        settings = replace(
            settings,
            tokens=(*settings.tokens, ADMIN, INVESTIGATOR),
            signing=SigningSettings(rp_id="localhost", origins=(origin,)),
        )
        study = OpenStudy(config=settings, ledger=made.ledger, accounts=database)
        app = create_app([study])
        stack.enter_context(running(app, there))
        stack.enter_context(serving(pages(api), here))
        http = stack.enter_context(httpx2.Client(timeout=TIMEOUT_S))
        yield Served(made=made, url=api + BASE, pages=origin, http=http, app=app)


@contextmanager
def running(app: Any, listening: socket.socket) -> Iterator[None]:
    """Run an application in a thread until the block ends."""
    server = uvicorn.Server(
        uvicorn.Config(app, http="h11", ws="none", lifespan="on", log_config=None, access_log=False)
    )
    thread = threading.Thread(target=server.run, args=([listening],))
    thread.start()
    try:
        yield
    finally:
        server.should_exit = True
        thread.join()


@contextmanager
def browser_page(viewport: tuple[int, int] = (900, 1300)) -> Iterator[Any]:
    """Yield a page of a browser with a virtual authenticator that verifies its user."""
    if not CHROMIUM.exists():
        pytest.skip("Chromium is not installed")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
        try:
            context = browser.new_context(viewport={"width": viewport[0], "height": viewport[1]})
            page = context.new_page()
            page.set_default_timeout(TIMEOUT_S * 1_000)
            session = context.new_cdp_session(page)
            session.send("WebAuthn.enable")
            session.send(
                "WebAuthn.addVirtualAuthenticator",
                {
                    "options": {
                        "protocol": "ctap2",
                        "transport": "internal",
                        "hasResidentKey": True,
                        "hasUserVerification": True,
                        "isUserVerified": True,
                        "automaticPresenceSimulation": True,
                    }
                },
            )
            yield page
        finally:
            browser.close()


def paste(page: Any, written: str) -> None:
    """Put JSON where what another system made is pasted."""
    page.eval_on_selector("#asjson", "each => { each.open = true; }")
    page.fill("#action", written)
