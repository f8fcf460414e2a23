"""verify.html in Firefox, whose WebCrypto is another than Chromium's: it comes to the same verdicts."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ledger.browser import verify_html
from ledger.policy import format_policy
from tests.browser.firefox import Firefox, firefox_page
from tests.browser.verifying import flip, zipped
from tests.ledger.forgery import Forgery
from tests.ledger.small_ledger import SmallLedger, make


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Firefox]:
    """One Firefox for the file."""
    with firefox_page(tmp_path_factory.mktemp("firefox") / "profile") as page:
        yield page


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> SmallLedger:
    """One small ledger for the file."""
    return make(tmp_path_factory.mktemp("ledger") / "d")


def verified(page: Firefox, bundle: Path, policy: bytes) -> dict[str, Any]:
    """Open the page anew, give it an export and a policy, and return what it says."""
    file = bundle.parent / "verify.html"
    file.write_bytes(verify_html())
    page.go(file.as_uri())
    page.type("#policy", policy.decode())
    page.type("#zip", str(bundle))
    page.click("#verify")
    page.wait("#result:not([hidden])")
    said: dict[str, Any] = json.loads(page.wait("#json"))
    return said


def test_a_good_export_holds(page: Firefox, made: SmallLedger, tmp_path: Path) -> None:
    """Every signature, leaf and tile is checked there; what is not is what no browser has."""
    bundle = zipped(Forgery(made, tmp_path / "real").write(tmp_path / "b"), tmp_path / "b.zip")
    said = verified(page, bundle, format_policy(made.policy))
    assert (said["verdicts"]["integrity"], said["verdicts"]["completeness"]) == ("no fault found",) * 2
    assert not [each for each in said["findings"] if each["verdict"] != "note"]
    assert set(said["not_checked"]) <= {"the log's post-quantum signature (ML-DSA-44)"}


@pytest.mark.parametrize(
    ("pattern", "at", "expected"),
    [
        ("payloads/000*/*", 2000, "STATEMENT_HASH"),
        ("tile/entries/000*/*", 300, "ROOT"),
        ("checkpoint", 30, "LOG_SIGNATURE"),
    ],
)
def test_one_byte_changed(
    page: Firefox, made: SmallLedger, tmp_path: Path, pattern: str, at: int, expected: str
) -> None:
    """What is found in Chromium is found in Firefox."""
    place = Forgery(made, tmp_path / "real").write(tmp_path / "b")
    flip(next(place.glob(pattern)), at)
    said = verified(page, zipped(place, tmp_path / "b.zip"), format_policy(made.policy))
    assert expected in {each["code"] for each in said["findings"] if each["verdict"] != "note"}
    assert said["verdicts"]["integrity"] == "fails"
