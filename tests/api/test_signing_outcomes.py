"""Whatever happens at the signing pages, they say whether it was recorded, and nothing is recorded twice."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final

import pytest

from tests.api.client import STREAM, VITALS
from tests.api.signing import Served, browser_page, served_study
from tests.api.test_passkey import endorse
from tests.api.test_passkey_mishaps import ASKED, enter, recorded

SIX_MINUTES_ON: Final = """() => {
  const Now = Date;
  window.Date = class extends Now {
    constructor(...given) { super(...(given.length ? given : [Now.now() + 360_000])); }
    static now() { return Now.now() + 360_000; }
  };
}"""
EXPIRED: Final = {"title": "the session is over: log in again", "code": "SESSION_EXPIRED", "status": 401}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A served study with signing pages."""
    with served_study(tmp_path_factory.mktemp("outcomes") / "ledger") as served:
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
    show(ready, ASKED)
    yield ready
    ready.unroute_all()


def show(page: Any, asked: dict[str, Any]) -> None:
    """Have a record prepared and shown."""
    page.eval_on_selector_all("#asjson", "found => found.forEach((each) => { each.open = true; })")
    page.fill("#action", json.dumps(asked))
    page.click("text=Show it to me")
    page.wait_for_selector("#review:not([hidden])")


def lose(page: Any, *, arrives: bool = True) -> None:
    """Let the answer to the next statement be lost, or the statement itself."""

    lost: list[bool] = []

    def once(route: Any) -> None:
        if lost:
            route.continue_()
            return
        lost.append(arrives)
        if arrives:
            assert route.fetch().status == 201
        route.abort()

    page.route("**/statements", once)


def sign(page: Any, shown: str = "#said.bad") -> str:
    """Press, and return what the page says once it shows something."""
    page.click("#sign")
    page.wait_for_selector(shown)
    return str(page.inner_text("#said"))


def let_in(page: Any, who: str = "coordinator") -> None:
    """Enter another token where the page asks for it."""
    page.wait_for_selector("#enter:not([hidden])")
    page.fill("#token", who)
    page.click("text=Continue")


@pytest.mark.parametrize("code", ["SESSION_EXPIRED", "UNAUTHENTICATED"])
def test_a_session_that_ends_after_a_lost_answer_is_not_said_to_have_recorded_nothing(
    served: Served, page: Any, code: str
) -> None:
    """It was recorded: with a new token the page finds that out, and it is there once."""
    before = len(recorded(served))
    lose(page)
    sign(page)
    assert len(recorded(served)) == before + 1
    page.route("**/statements", lambda route: route.fulfill(status=401, json={**EXPIRED, "code": code}))
    said = sign(page, "#enter:not([hidden])")
    assert "Nothing was recorded" not in said
    assert "Whether it was recorded is not known here" in said
    page.unroute_all()
    let_in(page)
    page.wait_for_selector("#done:not([hidden])")
    assert page.inner_text("#done h2") == "Recorded"
    assert "Entry" in page.inner_text("#receipt")
    assert len(recorded(served)) == before + 1


def test_who_does_not_sign_again_after_a_lost_answer_learns_that_it_is_recorded(
    served: Served, page: Any
) -> None:
    """The receipt is there to be kept; nobody leaves believing that nothing happened."""
    before = len(recorded(served))
    lose(page)
    sign(page)
    page.click("#leave")
    page.wait_for_selector("#done:not([hidden])")
    assert page.inner_text("#done h2") == "Recorded"
    with page.expect_download() as kept:
        page.click("#keep")
    assert kept.value.suggested_filename.endswith(".tlog-proof")
    assert len(recorded(served)) == before + 1


def test_who_does_not_sign_again_learns_that_it_is_not_recorded(served: Served, page: Any) -> None:
    """What never arrived is said to be not in the log; without an answer nothing is said of it."""
    before = len(recorded(served))
    lose(page, arrives=False)
    sign(page)
    page.route("**/proof.json", lambda route: route.abort())
    page.click("#leave")
    page.wait_for_selector("#said.bad")
    assert "Whether it was recorded is not known here" in page.inner_text("#said")
    assert page.is_visible("#review")
    page.unroute_all()
    page.click("#leave")
    page.wait_for_selector("#desk:not([hidden])")
    assert "is not in the log" in page.inner_text("#said")
    assert len(recorded(served)) == before


def test_a_session_that_ends_behind_a_receipt_takes_nothing_back(served: Served, page: Any) -> None:
    """Recorded is recorded: leaving the receipt with an old token doesn't say otherwise."""
    sign(page, "#done:not([hidden])")
    page.route("**/signing", lambda route: route.fulfill(status=401, json=EXPIRED))
    page.click("#back")
    page.wait_for_selector("#enter:not([hidden])")
    assert "othing was recorded" not in page.inner_text("#said")
    page.unroute_all()
    let_in(page)
    page.wait_for_selector("#desk:not([hidden])")


def test_a_signature_that_does_not_hold_is_not_a_session_that_ends(served: Served, page: Any) -> None:
    """Both are answered 401: the reason is said, with what became of it, and the record stays."""
    problem = {"title": "the signature does not hold", "code": "SIGNATURE", "status": 401}
    page.route("**/statements", lambda route: route.fulfill(status=401, json=problem))
    assert sign(page) == "Nothing was recorded: the signature does not hold (SIGNATURE)"
    assert page.is_visible("#review")


def test_a_store_that_failed_is_asked_again(served: Served, page: Any) -> None:
    """Whether it has the bytes is not known: nothing else is said."""
    problem = {"title": "the store failed", "code": "STORE_IO", "status": 503}
    page.route("**/statements", lambda route: route.fulfill(status=503, json=problem))
    assert "Whether it was recorded is not known here: sign once more" in sign(page)


def test_an_answer_that_never_comes_is_not_waited_for_for_ever(served: Served, page: Any) -> None:
    """The page says that it waits, and after a while that it had no answer."""
    page.evaluate("AbortSignal.timeout = ((each) => () => each(700))(AbortSignal.timeout.bind(AbortSignal))")
    page.route("**/statements", lambda route: None)
    page.click("#sign")
    page.wait_for_selector("text=It is being recorded")
    page.wait_for_selector("#said.bad")
    assert "Whether it was recorded is not known here" in page.inner_text("#said")


def test_what_was_recorded_is_not_left_to_be_recorded_again(served: Served, page: Any) -> None:
    """Back from the receipt, nothing stands there to be pressed once more."""
    sign(page, "#done:not([hidden])")
    page.click("#back")
    page.wait_for_selector("#desk:not([hidden])")
    assert page.input_value("#action") == ""


def test_two_presses_are_one(served: Served, page: Any) -> None:
    """However fast."""
    before = len(recorded(served))
    page.eval_on_selector("#sign", "each => { each.click(); each.onclick(); each.click(); }")
    page.wait_for_selector("#done:not([hidden])")
    assert page.is_hidden("#said")
    assert len(recorded(served)) == before + 1


def test_nothing_of_one_person_is_left_for_the_next(served: Served, page: Any) -> None:
    """Neither what was typed, nor what was shown: the next may see less."""
    page.route("**/statements", lambda route: route.fulfill(status=401, json=EXPIRED))
    sign(page, "#enter:not([hidden])")
    let_in(page, "admin")
    page.wait_for_selector("#desk:not([hidden])")
    assert "Sponsor Administrator" in page.inner_text("#who")
    assert page.input_value("#action") == ""
    for part in ("#review", "#done", "#ask"):
        text = page.text_content(part)
        assert "SA-01-001" not in text
        assert "64 /min" not in text
        assert "B. Chan" not in text


def test_a_browser_does_not_keep_what_is_typed(served: Served, page: Any) -> None:
    """A page that is loaded again starts empty, whoever sits there."""
    page.reload()
    assert page.input_value("#action") == ""
    assert page.eval_on_selector("#ask", "each => each.autocomplete") == "off"


def test_who_reads_for_long_signs_with_the_time_of_signing(served: Served, page: Any) -> None:
    """A time of long ago isn't signed: the record is prepared anew and read again."""
    before = json.loads(page.text_content("#bytes"))
    page.evaluate(SIX_MINUTES_ON)
    said = sign(page)
    assert said.startswith("Nothing was signed: ")
    after = json.loads(page.text_content("#bytes"))
    assert after["signed_at"] > before["signed_at"]
    assert (after["id"], after["data"]) == (before["id"], before["data"])


def test_a_page_that_holds_a_record_asks_before_it_is_left(served: Served, page: Any) -> None:
    """Reload, Back and a closed tab cost the writing: the browser asks first, until it is recorded."""
    asked = "() => !window.dispatchEvent(new Event('beforeunload', { cancelable: true }))"
    assert page.evaluate(asked) is True
    sign(page, "#done:not([hidden])")
    assert page.evaluate(asked) is False


def test_a_passkey_that_is_there_already_is_said_so(served: Served, ready: Any) -> None:
    """Not in the words of the browser."""
    ready.goto("about:blank")
    enter(ready, served)
    ready.click("#make")
    ready.wait_for_selector("#said:not([hidden])")
    said = ready.inner_text("#said")
    assert "has a passkey of yours for signing already" in said
    assert "No passkey was made" in said


def test_values_are_shown_as_they_are_written(served: Served, ready: Any) -> None:
    """Two spaces are two: what is read is what is signed."""
    ready.goto("about:blank")
    enter(ready, served)
    sealed = {"reason": {"code": "late_entry"}, "open": {"/reason/text": "left  arm"}}
    show(ready, {**ASKED, **sealed, "stream": STREAM, "data": VITALS})
    assert "left  arm" in ready.inner_text("#sealed")


def test_what_happened_is_seen_where_the_button_is(served: Served, page: Any) -> None:
    """On a telephone the button is screens below the head of the page: the answer is shown there."""
    size = page.viewport_size
    page.set_viewport_size({"width": 320, "height": 500})
    page.route("**/statements", lambda route: route.abort())
    try:
        sign(page)
        page.focus("#sign")
        box = page.locator("#said").bounding_box()
        assert page.evaluate("window.scrollY") > 0
        assert 0 <= box["y"] < 500 - box["height"]
    finally:
        page.set_viewport_size(size)


def test_who_logs_out_is_forgotten_though_the_service_is_gone(served: Served, page: Any) -> None:
    """Nothing stays on the screen, and what had no answer is not passed over."""
    lose(page)
    sign(page)
    page.route("**/sessions/current", lambda route: route.abort())
    page.eval_on_selector("#logout", "each => each.click()")
    page.wait_for_selector("#enter:not([hidden])")
    said = page.inner_text("#said")
    assert "This window has forgotten you" in said
    assert "Whether it was recorded is not known here" in said
    assert page.is_hidden("#who")
    assert "64 /min" not in page.text_content("#review")
