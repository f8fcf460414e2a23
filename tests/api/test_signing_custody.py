"""Who can have no passkey signs at the signing pages with a key that the service keeps."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import orjson
import pytest

from tests.api.client import STREAM, VITALS
from tests.api.signing import Served, browser_page, paste, served_study
from tests.api.test_passkey import endorse

PASSWORD: Final = "a quiet river in june"
SECRET: Final = "seven grey herons asleep"
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
    """A served study whose policy takes keys in custody for vital signs, and a coordinator who has one."""
    with served_study(tmp_path_factory.mktemp("custody") / "ledger") as served:
        served.get("/signing", "coordinator")  # it has started
        served.redeem("bchan", PASSWORD)
        body = {"person": "bchan", "password": PASSWORD, "bearer": True}
        token = served.http.post(f"{served.url}/sessions", json=body).json()["token"]
        made = served.http.post(
            f"{served.url}/custodial-keys",
            json={"secret": SECRET},
            headers={"Authorization": f"Bearer {token}"},
        )
        assert made.status_code == 201, made.text
        grades = {"grades": [["vital_signs.recorded", ["client", "custodial"]]]}
        served.made.say("grades", "root", "root", "approval", "policy.changed", "study", grades)
        endorse(served)
        yield served


@pytest.fixture(scope="module")
def browser(served: Served) -> Iterator[Any]:
    """The coordinator's browser, whose key is enrolled by their secret."""
    with browser_page() as page:
        page.asked, page.errors = [], []
        page.on("request", lambda request: page.asked.append(request.url))
        page.on("pageerror", lambda error: page.errors.append(str(error)))
        enter(page, served)
        assert "kept by the service" in page.inner_text("#keys")
        page.click("text=Read it")
        page.wait_for_selector("#review:not([hidden])")
        sign(page, "bchan")
        page.wait_for_selector("#done:not([hidden])")
        yield page
        assert page.errors == []


@pytest.fixture
def page(browser: Any, served: Served) -> Iterator[Any]:
    """A new session, with a record to be signed."""
    browser.goto("about:blank")
    enter(browser, served)
    paste(browser, json.dumps(ASKED))
    browser.click("text=Show it to me")
    browser.wait_for_selector("#review:not([hidden])")
    yield browser
    browser.unroute_all()


def enter(page: Any, served: Served) -> None:
    """Log in where one signs."""
    page.goto(f"{served.pages}/#{served.url}")
    page.wait_for_selector("#enter:not([hidden])")
    page.fill("#person", "bchan")
    page.fill("#password", PASSWORD)
    page.press("#password", "Enter")
    page.wait_for_selector("#desk:not([hidden])")


def sign(page: Any, person: str = "", secret: str = SECRET) -> None:
    """Enter the components, and sign by the key Enter."""
    page.fill("#signer", person)
    page.fill("#secret", secret)
    page.press("#secret", "Enter")


def refused(page: Any) -> str:
    """Return why it was not signed."""
    page.wait_for_selector("#said.bad")
    return str(page.inner_text("#said"))


def recorded(served: Served) -> list[dict[str, Any]]:
    """Return the vital signs that the log holds."""
    store = served.made.ledger.store
    entries = store.entries(0, store.head().size, types=("vital_signs.recorded",))
    return [orjson.loads(entry.statement) for entry in entries]


def test_a_record_is_signed_with_both_components_and_the_next_with_the_secret(
    served: Served, page: Any, tmp_path: Path
) -> None:
    """21 CFR 11.200(a)(1)(i). The secret is nowhere on the page, or in an address, after."""
    before = len(recorded(served))
    assert page.inner_text("#sign") == "Sign with my secret"
    page.screenshot(path=tmp_path / "custody.png", full_page=True)
    sign(page)
    assert "SIGNING_COMPONENTS" in refused(page)
    assert page.input_value("#secret") == ""
    sign(page, "bchan", "eight grey herons asleep")
    assert "SIGNING_SECRET" in refused(page)
    page.click("#sign")
    assert refused(page) == "Your signing secret: expected"
    assert page.evaluate("document.activeElement.id") == "secret"
    sign(page, "bchan")
    page.wait_for_selector("#done:not([hidden])")
    assert "Entry" in page.inner_text("#receipt")
    page.click("#back")
    page.wait_for_selector("#desk:not([hidden])")
    paste(page, json.dumps(ASKED))
    page.click("text=Show it to me")
    page.wait_for_selector("#review:not([hidden])")
    sign(page)
    page.wait_for_selector("#done:not([hidden])")
    assert len(recorded(served)) == before + 2
    assert SECRET not in page.content()
    assert page.input_value("#secret") == ""
    assert not any("herons" in url for url in page.asked)


def test_an_answer_that_is_lost_is_asked_for_again(served: Served, page: Any) -> None:
    """It was recorded: signing once more finds that out, and it is there once."""
    before = len(recorded(served))

    def lose(route: Any) -> None:
        assert route.fetch().status == 201
        route.abort()

    page.route("**/actions", lose)
    sign(page, "bchan")
    assert "Whether it was recorded is not known here" in refused(page)
    page.unroute_all()
    sign(page, "bchan")
    page.wait_for_selector("#done:not([hidden])")
    assert page.inner_text("#said") == "It was recorded already: you had no answer."
    assert len(recorded(served)) == before + 1


def test_what_the_service_records_is_compared_with_what_was_read(page: Any) -> None:
    """Another record than the one that was read is said to be another."""

    def lie(route: Any) -> None:
        answer = route.fetch()
        value = answer.json()
        value["statement"]["data"]["measurements"][0]["quantity"]["value"] = "46"
        route.fulfill(response=answer, json=value)

    page.route("**/events/*.json", lie)
    sign(page, "bchan")
    assert "shows another record than it recorded" in refused(page)
