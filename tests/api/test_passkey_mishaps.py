"""What goes wrong between reading and signing: nothing is lost or recorded twice, and the page says so."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import quote

import pytest

from ledger.envelope import event_hash
from tests.api.client import STREAM, VITALS
from tests.api.signing import Served, browser_page, paste, served_study
from tests.api.test_passkey import endorse

ASKED: Final = {
    "type": "vital_signs.recorded",
    "stream": STREAM,
    "site": "SA-01",
    "protocol": "1.0",
    "role": "coordinator",
    "data": VITALS,
}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A served study with signing pages."""
    with served_study(tmp_path_factory.mktemp("mishaps") / "ledger") as served:
        yield served


@pytest.fixture(scope="module")
def ready(served: Served) -> Iterator[Any]:
    """A browser whose owner has an enrolled passkey."""
    with browser_page() as page:
        enter(page, served)
        page.click("#make")
        page.wait_for_selector("text=not enrolled yet")
        endorse(served)
        page.reload()
        enter(page, served)
        page.click("text=Read it")
        page.wait_for_selector("#review:not([hidden])")
        page.click("#sign")
        page.wait_for_selector("#done:not([hidden])")
        yield page


@pytest.fixture
def page(ready: Any, served: Served) -> Iterator[Any]:
    """The page anew, as the coordinator reads what is to be signed."""
    ready.goto("about:blank")
    enter(ready, served)
    paste(ready, json.dumps(ASKED))
    ready.click("text=Show it to me")
    ready.wait_for_selector("#review:not([hidden])")
    yield ready
    ready.unroute_all()


def enter(page: Any, served: Served) -> None:
    """Open the desk."""
    page.goto(f"{served.pages}/#{quote(served.url, safe='')}")
    page.fill("#token", "coordinator")
    page.click("text=Continue")
    page.wait_for_selector("#desk:not([hidden])")


def recorded(served: Served) -> list[dict[str, Any]]:
    """Return the vital signs that are recorded."""
    store = served.made.ledger.store
    entries = store.entries(0, store.head().size, types=("vital_signs.recorded",))
    return [json.loads(entry.statement) for entry in entries]


def test_an_answer_that_is_lost_is_asked_for_again(served: Served, page: Any) -> None:
    """The service recorded it and its answer did not arrive: signed once more it is there once."""
    before = len(recorded(served))
    lost: list[int] = []

    def lose(route: Any) -> None:
        if lost:
            route.continue_()
            return
        lost.append(route.fetch().status)
        route.abort()

    page.route("**/statements", lose)
    page.click("#sign")
    page.wait_for_selector("#said.bad")
    assert "Whether it was recorded is not known here: sign once more" in page.inner_text("#said")
    assert page.is_visible("#review")
    page.click("#sign")
    page.wait_for_selector("#done:not([hidden])")
    assert lost == [201]
    assert len(recorded(served)) == before + 1
    assert "Entry" in page.inner_text("#receipt")


def test_a_gateway_that_answers_is_not_the_ledger(served: Served, page: Any) -> None:
    """Its page is not shown as if it were a reason."""
    before = len(recorded(served))
    page.route("**/statements", lambda route: route.fulfill(status=502, body="<h1>Bad Gateway</h1>"))
    page.click("#sign")
    page.wait_for_selector("#said.bad")
    assert "What answered is not the ledger (502)." in page.inner_text("#said")
    assert len(recorded(served)) == before


def test_who_is_overtaken_reads_again_before_signing(served: Served, page: Any) -> None:
    """Somebody else recorded first: the record stands there anew, with its identifier, not signed yet."""
    identifier = json.loads(page.text_content("#bytes"))["id"]
    bedside = ("bchan", "coordinator", "authorship")
    served.made.say("overtaking", *bedside, "vital_signs.recorded", STREAM, VITALS)
    before = len(recorded(served))
    page.click("#sign")
    page.wait_for_selector("#said.bad")
    assert "read it again before you sign" in page.inner_text("#said")
    assert page.is_visible("#review")
    assert len(recorded(served)) == before
    page.click("#sign")
    page.wait_for_selector("#done:not([hidden])")
    last = recorded(served)[-1]
    assert last["id"] == identifier
    assert len(recorded(served)) == before + 1


def test_a_token_that_ends_while_it_is_read_costs_no_writing(served: Served, page: Any) -> None:
    """With a new token the same record is shown; with that of another person it is not."""
    before = len(recorded(served))
    problem = {"title": "not let in", "code": "UNAUTHENTICATED", "status": 401}
    page.route("**/statements", lambda route: route.fulfill(status=401, json=problem))
    page.click("#sign")
    page.wait_for_selector("#enter:not([hidden])")
    assert "not let in any more. Nothing was recorded." in page.inner_text("#said")
    page.unroute_all()
    page.fill("#token", "coordinator")
    page.click("text=Continue")
    page.wait_for_selector("#review:not([hidden])")
    assert "64 /min" in page.inner_text("#data")
    page.click("#sign")
    page.wait_for_selector("#done:not([hidden])")
    assert len(recorded(served)) == before + 1


def test_another_person_is_not_handed_what_was_read(served: Served, page: Any) -> None:
    """Who enters with a token of their own finds their own desk."""
    problem = {"title": "not let in", "code": "UNAUTHENTICATED", "status": 401}
    page.route("**/statements", lambda route: route.fulfill(status=401, json=problem))
    page.click("#sign")
    page.wait_for_selector("#enter:not([hidden])")
    page.fill("#token", "admin")
    page.click("text=Continue")
    page.wait_for_selector("#desk:not([hidden])")
    assert not page.is_visible("#review")


def test_what_waits_to_be_recorded_is_said_to_wait(served: Served, page: Any) -> None:
    """An unblinding in an emergency is kept while nothing can be recorded (202); there is no receipt yet."""

    def wait(route: Any) -> None:
        body = base64.b64decode(route.request.post_data_json["payload"])
        route.fulfill(status=202, json={"event": event_hash(body), "state": "waiting"})

    page.route("**/statements", wait)
    page.click("#sign")
    page.wait_for_selector("#done:not([hidden])")
    assert page.inner_text("#done h2") == "Kept, not recorded yet"
    assert "recorded before anything else" in page.inner_text("#waits")
    assert not page.is_visible("#keep")
    page.click("#back")
    paste(page, json.dumps(ASKED))
    page.unroute_all()
    page.click("text=Show it to me")
    page.click("#sign")
    page.wait_for_selector("#keep")
    assert page.inner_text("#done h2") == "Recorded"
    assert not page.is_visible("#waits")


@pytest.mark.parametrize("written", ["", "{", "null", "[]", "7"])
def test_what_is_no_statement_is_said_plainly(served: Served, ready: Any, written: str) -> None:
    """In words, and not in those of a script that fails."""
    ready.goto("about:blank")
    enter(ready, served)
    ready.eval_on_selector("#action", "each => { each.required = false; }")
    paste(ready, written)
    ready.click("text=Show it to me")
    ready.wait_for_selector("#said.bad")
    said = ready.inner_text("#said")
    assert said.startswith(("This can't be read as JSON", "Expected a JSON object"))


@pytest.mark.parametrize("fragment", ["%E0%A4%A", "nowhere"])
def test_an_address_that_names_no_study_is_said(served: Served, ready: Any, fragment: str) -> None:
    """The page goes on: the address can be entered."""
    ready.goto("about:blank")
    ready.goto(f"{served.pages}/#{fragment}")
    ready.wait_for_selector("#said.bad")
    assert "names no study" in ready.inner_text("#said")
    ready.fill("#study", served.url)
    ready.fill("#token", "coordinator")
    ready.click("text=Continue")
    ready.wait_for_selector("#desk:not([hidden])")
