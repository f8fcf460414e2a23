"""Signing with a passkey, end to end: a browser with a virtual authenticator, and the offline verifier."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import pytest

from ledger.envelope import PAYLOAD_TYPE, pae
from ledger.exports import export_ledger
from ledger.verify.options import Scope
from tests.api.client import STREAM, VITALS
from tests.api.signing import Served, browser_page, paste, served_study
from tests.ledger.small_ledger import seed

COMMAND: Final = str(Path(sys.executable).with_name("trial-ledger"))


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A served study with signing pages."""
    with served_study(tmp_path_factory.mktemp("passkey") / "ledger") as served:
        yield served


def endorse(served: Served) -> str:
    """Let the administrator enrol the key that waits, as far as they can: its holder has to sign too."""
    waiting = served.get("/signing-keys", "admin")["keys"]
    key = waiting[-1]["key"]
    admin = served.made.people["admin"]
    value: dict[str, Any] = {
        "type": "key.enrolled",
        "stream": f"person/{key['person']}",
        "role": "sponsor_administrator",
        "meaning": "approval",
        "data": {"evidence": {"kind": "signed-form", "sha256": seed("passkey form").hex()}, "key": key},
    }
    action = admin.complete(served.made.ledger, value)
    action["with"] = [{"alg": key["alg"], "id": key["id"]}]
    prepared = served.post("/statements:prepare", "admin", {"action": action})
    body = base64.b64decode(prepared["statement"])
    half = {
        "payload": prepared["statement"],
        "payloadType": PAYLOAD_TYPE,
        "signatures": [{"keyid": admin.key.id, "sig": base64.b64encode(admin.key.sign(pae(body))).decode()}],
        "disclosures": {},
    }
    left = served.post("/signatures", "admin", half, status=202)
    assert left == {"event": prepared["event"], "key": key["id"], "person": key["person"]}
    return str(key["id"])


def test_a_record_signed_with_a_passkey_is_verified_offline(served: Served, tmp_path: Path) -> None:
    """Enrol a passkey, sign a clinical record with it in the browser, export, and verify the bundle."""
    shots = tmp_path
    with browser_page() as page:
        said: list[str] = []
        page.on("console", lambda message: said.append(message.text))
        page.goto(f"{served.pages}/#{quote(served.url, safe='')}")
        page.screenshot(path=shots / "1-enter.png", full_page=True)
        page.fill("#token", "coordinator")
        page.click("text=Continue")
        page.wait_for_selector("#desk:not([hidden])")
        page.click("#make")
        page.wait_for_selector("text=not enrolled yet")
        page.screenshot(path=shots / "2-made.png", full_page=True)
        key = endorse(served)
        paste(page, "{}")
        page.reload()
        page.fill("#token", "coordinator")
        page.click("text=Continue")
        page.click("text=Read it")
        page.wait_for_selector("#review:not([hidden])")
        page.screenshot(path=shots / "3-enrol.png", full_page=True)
        page.click("#sign")
        page.wait_for_selector("#done:not([hidden])")
        page.click("#back")
        page.wait_for_selector("text=may sign")
        asked = {
            "type": "vital_signs.recorded",
            "stream": STREAM,
            "site": "SA-01",
            "protocol": "1.0",
            "role": "coordinator",
            "data": VITALS,
            "reason": {"code": "late_entry"},
            "open": {"/reason/text": "The monitor's cable was loose."},
        }
        paste(page, json.dumps(asked))
        page.click("text=Show it to me")
        page.wait_for_selector("#review:not([hidden])")
        shown = page.inner_text("#review")
        page.screenshot(path=shots / "4-review.png", full_page=True)
        page.click("#sign")
        page.wait_for_selector("#done:not([hidden])")
        page.screenshot(path=shots / "5-done.png", full_page=True)
        event = page.inner_text("#receipt code")
    for words in (
        "B. Chan", "Site SA-01", "coordinator", "I made this record", "SA-01-001", "64 /min", "UTC",
        "The monitor's cable was loose.", "late entry", "1.0",
    ):  # fmt: skip
        assert words in shown
    # Chromium remarks on passkeys in one algorithm alone; nothing was kept from running by the page's policy.
    assert [text for text in said if "pubKeyCredParams" not in text] == []
    index = served.made.ledger.store.index_of_event(event)
    assert index is not None
    entry = served.made.ledger.store.entry(index)
    assert entry is not None
    assert json.loads(entry.statement)["key"] == {"alg": "webauthn-es256", "id": key}
    answer = _verify(served, tmp_path)
    assert answer["exit_code"] == 0
    assert answer["counts"]["statements resting on a passkey key"] == 1


def test_the_page_shows_what_it_is_handed_and_nothing_else(served: Served) -> None:
    """A workspace hands over what to sign; a service that prepares something else is found out."""
    asked = {
        "type": "vital_signs.recorded",
        "stream": STREAM,
        "site": "SA-01",
        "protocol": "1.0",
        "role": "coordinator",
        "data": VITALS,
    }
    address = f"{served.pages}/#{quote(served.url, safe='')}"
    with browser_page() as page:
        page.context.route("**/signing", lambda route: _with_a_key(route))
        page.goto(served.url + "/livez")
        with page.context.expect_page() as opened:
            page.evaluate(HAND_OVER, [address, served.pages, {"token": "coordinator", "action": asked}])
        pages = opened.value
        pages.wait_for_selector("#review:not([hidden])")
        assert "64 /min" in pages.inner_text("#review")
        # Who is neither the opener nor of its origin is not listened to.
        pages.evaluate("window.postMessage({token: 'inspector'}, '*')")
        pages.click("#leave")
        pages.wait_for_selector("#desk:not([hidden])")
        assert "B. Chan" in pages.inner_text("#who")
        pages.route("**/statements:prepare", lambda route: _lie(route))
        paste(pages, json.dumps(asked))
        pages.click("text=Show it to me")
        pages.wait_for_selector("#said.bad")
        assert pages.inner_text("#said") == "the statement differs from what was asked for: data"
        assert not pages.is_visible("#review")


def test_the_keyboard_goes_where_the_page_goes(served: Served) -> None:
    """To the heading of each step; back to the button where something was refused, and told what it lacks."""
    asked = {
        "type": "vital_signs.recorded",
        "stream": STREAM,
        "site": "SA-01",
        "protocol": "1.0",
        "role": "coordinator",
        "data": VITALS,
        "reason": {"code": "late_entry"},
    }
    with browser_page() as page:
        page.context.route("**/signing", lambda route: _with_a_key(route))
        page.goto(f"{served.pages}/#{quote(served.url, safe='')}")
        page.fill("#token", "coordinator")
        page.press("#token", "Enter")
        page.wait_for_selector("#desk:not([hidden])")
        assert page.inner_text(":focus") == "Waiting for your signature"
        paste(page, json.dumps(asked))
        page.focus("text=Show it to me")
        page.keyboard.press("Enter")
        page.wait_for_selector("#said.bad")
        assert "/open/reason/text" in page.inner_text("#said")
        assert page.inner_text(":focus") == "Show it to me"
        paste(page, json.dumps(asked | {"open": {"/reason/text": "The cable was loose."}}))
        page.focus("text=Show it to me")
        page.keyboard.press("Enter")
        page.wait_for_selector("#review:not([hidden])")
        assert page.inner_text(":focus") == "Read before you sign"
        page.focus("#leave")
        page.keyboard.press("Enter")
        page.wait_for_selector("#desk:not([hidden])")
        assert page.inner_text(":focus") == "Waiting for your signature"


HAND_OVER: Final = """([address, origin, what]) => {
  addEventListener("message", (event) => event.origin === origin && event.source.postMessage(what, origin));
  window.open(address);
}"""


def _with_a_key(route: Any) -> None:
    """Answer a desk with a passkey that may sign, so that the page goes on to what it shows."""
    answer = route.fetch()
    value = answer.json()
    key = {"alg": "webauthn-es256", "grade": "passkey", "id": "sha256:" + "0" * 64, "rp_id": "localhost"}
    value["keys"] = [{"key": key, "credential": "AAAA", "enrolled": True, "live": True}]
    route.fulfill(response=answer, json=value)


def _lie(route: Any) -> None:
    """Prepare another heart rate than was asked for, in canonical bytes."""
    answer = route.fetch()
    value = answer.json()
    body = base64.b64decode(value["statement"]).replace(b'"64"', b'"46"')
    route.fulfill(response=answer, json={**value, "statement": base64.b64encode(body).decode()})


def _verify(served: Served, place: Path) -> dict[str, Any]:
    """Export the study, and judge the bundle with the command alone."""
    export_ledger(served.made.ledger, place / "bundle", scope=Scope(kind="study"), role="auditor")
    policy = served.made.write_policy(place / "policy")
    arguments = ["--policy", str(policy), "--ledger-id", served.made.ledger_id, "--json"]
    done = subprocess.run(
        [COMMAND, "verify", str(place / "bundle"), *arguments], capture_output=True, text=True, check=False
    )
    return {"exit_code": done.returncode, **json.loads(done.stdout)}
