"""The signing pages ask what an edit check asks, and show what a signature covers, before it is made."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import orjson
import pytest

from tests.api.client import PARTICIPANT, STREAM
from tests.api.prompting import PULSE, with_checks
from tests.api.signing import Served, browser_page, paste, served_study
from tests.api.test_edit_checks import vitals
from tests.api.test_passkey import _with_a_key
from tests.ledger import small_ledger

MEMBERS: Final = {"stream": STREAM, "site": "SA-01", "protocol": "1.0", "role": "coordinator"}


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    """A served study that asks about heart rates."""
    with_checks(tmp_path / "first", monkeypatch, PULSE).ledger.close()
    assert small_ledger.DEFINITION.parent == tmp_path
    with served_study(tmp_path / "ledger") as served:
        yield served


def enter(page: Any, served: Served) -> None:
    """Open the pages as the coordinator, with a passkey that may sign."""
    page.context.route("**/signing", lambda route: _with_a_key(route))
    page.goto(f"{served.pages}/#{quote(served.url, safe='')}")
    page.fill("#token", "coordinator")
    page.click("text=Continue")
    page.wait_for_selector("#desk:not([hidden])")


def fired(served: Served) -> list[dict[str, Any]]:
    """Return the data of every question that was recorded."""
    store = served.made.ledger.store
    entries = store.entries(0, store.head().size, types=("edit_check.fired",))
    return [orjson.loads(entry.statement)["data"] for entry in entries]


def test_a_question_is_answered_before_a_record_is_signed(served: Served, tmp_path: Path) -> None:
    """Nothing is signed over an open question; a changed value is asked about again, and then confirmed."""
    with browser_page() as page:
        enter(page, served)
        paste(page, json.dumps({**MEMBERS, "type": "vital_signs.recorded", "data": vitals("640")}))
        page.click("text=Show it to me")
        page.wait_for_selector("#promptpart:not([hidden])")
        assert page.inner_text(".question p") == "Is this pulse right? You entered 640."
        page.click("#sign")
        page.wait_for_selector("#said.bad")
        assert "Answer the open questions" in page.inner_text("#said")
        page.fill(".question input", "164")
        page.screenshot(path=tmp_path / "question.png", full_page=True)
        page.click("text=Change it")
        page.wait_for_selector("text=You entered 164.")
        page.click("text=It is right")
        page.wait_for_selector("#promptpart", state="hidden")
        assert "164 /min" in page.inner_text("#data")
        page.click("#leave")
        page.wait_for_selector("#desk:not([hidden])")
    assert [(each["answer"], each["who"]) for each in fired(served)] == [
        ("changed", "bchan"),
        ("confirmed", "bchan"),
    ]


def test_who_does_not_sign_abandons_the_question(served: Served) -> None:
    """That it was asked and left stays in the log."""
    with browser_page() as page:
        enter(page, served)
        paste(page, json.dumps({**MEMBERS, "type": "vital_signs.recorded", "data": vitals("640")}))
        page.click("text=Show it to me")
        page.wait_for_selector("#promptpart:not([hidden])")
        page.click("#leave")
        page.wait_for_selector("#desk:not([hidden])")
    assert [each["answer"] for each in fired(served)] == ["abandoned"]


def test_what_a_signature_covers_is_shown_before_it_is_signed(served: Served, tmp_path: Path) -> None:
    """Each statement with value, name and time; a digest of anything else is refused by the page."""
    scope = served.get(f"/participants/{PARTICIPANT}/signing-scope", "coordinator")
    data = {
        "scope": "participant",
        "upto": scope["upto"],
        "sha256": scope["sha256"],
        "components": ["identifier", "possession"],
        "source": {"kind": "esource"},
    }
    asked = {**MEMBERS, "type": "record.signed", "meaning": "review", "data": data}
    with browser_page() as page:
        enter(page, served)
        paste(page, json.dumps(asked))
        page.click("text=Show it to me")
        page.wait_for_selector("#scopepart:not([hidden])")
        assert page.locator("#scope > li").count() == scope["statements"]
        shown = page.inner_text("#scope")
        for words in ("B. Chan", "coordinator", "I made this record", "recorded 20", "72 → 73"):
            assert words in shown
        page.screenshot(path=tmp_path / "scope.png", full_page=True)
        page.click("#leave")
        page.wait_for_selector("#desk:not([hidden])")
        paste(page, json.dumps({**asked, "data": {**data, "sha256": "ab" * 32}}))
        page.click("text=Show it to me")
        page.wait_for_selector("#said.bad")
        assert "digest is another" in page.inner_text("#said")
        assert not page.is_visible("#review")
