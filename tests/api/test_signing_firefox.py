"""Signing in Firefox, whose authenticator and WebCrypto are others than Chromium's, and verified offline."""

from __future__ import annotations

from pathlib import Path

from ledger.demo.report import DemoReport
from tests.api.demonstrated import PASSWORD, Demonstrated, run, served_demonstration
from tests.browser.firefox import ENTER, Firefox, firefox_page

INVESTIGATOR = "sa01-investigator"


def enter(page: Firefox, served: Demonstrated) -> None:
    """Log in where one signs."""
    page.go(f"{served.pages}/#{served.url}")
    page.wait("#enter:not([hidden])")
    page.type("#person", INVESTIGATOR)
    page.type("#password", PASSWORD + ENTER)
    page.wait("#desk:not([hidden])")


def test_a_passkey_is_made_enrolled_and_signs(demo: DemoReport, tmp_path: Path) -> None:
    """What the log holds of it is checked by `verify` from an export, as of any other browser."""
    ledger = tmp_path / "ledger"
    with firefox_page(tmp_path / "profile") as page, served_demonstration(demo, ledger) as served:
        served.invite(INVESTIGATOR)
        enter(page, served)
        page.click("#make")
        page.wait("#keys li")
        served.endorse(INVESTIGATOR)
        enter(page, served)
        page.click("#waiting button")
        assert "Key enrolled" in page.wait("#review:not([hidden])")
        page.click("#sign")
        assert "Recorded" in page.wait("#done:not([hidden])")
        enter(page, served)
        assert "may sign" in page.wait("#keys li")
    run("export", ledger, tmp_path / "bundle")
    run("verify", tmp_path / "bundle", "--policy", ledger / "policy")
