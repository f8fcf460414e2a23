"""Site staff at the signing pages of a served demonstration: by keyboard, on a telephone, in an emergency."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any, Final

import orjson
import pytest

from ledger import canonical
from ledger.demo.report import DemoReport
from ledger.directory import open_store
from tests.api.demonstrated import PASSWORD, Demonstrated, served_demonstration
from tests.api.signing import browser_page
from tests.behind import locked

INVESTIGATOR: Final = "sa01-investigator"
FIELDS: Final = "input, select, textarea, button"
NAMELESS: Final = """(fields) => [...document.querySelectorAll(fields)].filter((each) => {
  if (!each.checkVisibility()) return false;
  const label = each.labels?.[0]?.textContent ?? each.getAttribute("aria-label") ?? each.textContent;
  return label.trim() === "";
}).map((each) => each.outerHTML)"""
"""Controls that a screen reader has no name for."""
NARROW: Final = {"width": 320, "height": 700}
WIDE: Final = {"width": 900, "height": 1300}


@pytest.fixture(scope="module")
def served(demo: DemoReport, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demonstrated]:
    """The demonstration behind `serve`."""
    with served_demonstration(demo, tmp_path_factory.mktemp("walks") / "ledger") as served:
        served.unlock()
        served.unlock("SA-01-001")
        yield served


@pytest.fixture(scope="module")
def browser(served: Demonstrated) -> Iterator[Any]:
    """The browser of the investigator, with a passkey that may sign; what it asks for and says is kept."""
    with browser_page() as page:
        page.asked, page.errors = [], []
        page.on("request", lambda request: page.asked.append(request.url))
        page.on("pageerror", lambda error: page.errors.append(str(error)))
        served.invite(INVESTIGATOR)
        enter(page, served)
        page.click("#make")
        page.wait_for_selector("text=not enrolled yet")
        served.endorse(INVESTIGATOR)
        enter(page, served)
        page.click("text=Read it")
        page.wait_for_selector("#review:not([hidden])")
        page.click("#sign")
        page.wait_for_selector("#done:not([hidden])")
        yield page
        assert page.errors == []


@pytest.fixture
def page(browser: Any, served: Demonstrated) -> Iterator[Any]:
    """The desk of the investigator."""
    enter(browser, served)
    browser.asked.clear()
    yield browser
    browser.set_viewport_size(WIDE)


def enter(page: Any, served: Demonstrated, person: str = INVESTIGATOR) -> None:
    """Log in where one signs."""
    page.goto("about:blank")
    page.goto(f"{served.pages}/#{served.url}")
    page.wait_for_selector("#enter:not([hidden])")
    page.fill("#person", person)
    page.fill("#password", PASSWORD)
    page.press("#password", "Enter")
    page.wait_for_selector("#desk:not([hidden])")


def recorded(served: Demonstrated, type_: str) -> list[dict[str, Any]]:
    """Return the statements of a type that the log holds."""
    store = open_store(served.directory)
    try:
        return [
            orjson.loads(entry.statement) for entry in store.entries(0, store.head().size, types=(type_,))
        ]
    finally:
        store.close()


def tab_to(page: Any, name: str) -> None:
    """Go to what has this name by the key Tab alone."""
    for _ in range(80):
        page.keyboard.press("Tab")
        if page.evaluate(NAME_OF_FOCUS) == name:
            return
    raise AssertionError(f"no way by keyboard to {name}")


NAME_OF_FOCUS: Final = """() => {
  const each = document.activeElement;
  return (each.labels?.[0]?.textContent ?? each.getAttribute("aria-label") ?? each.textContent).trim();
}"""


def step(page: Any, shown: str) -> None:
    """Press Enter, and wait for what it leads to."""
    page.keyboard.press("Enter")
    page.wait_for_selector(shown)


def test_an_emergency_unblinding_by_keyboard_on_a_telephone(served: Demonstrated, page: Any) -> None:
    """Whose, and why; signed; then what they get is shown, once, after a view that is in the log."""
    page.set_viewport_size(NARROW)
    views = len(recorded(served, "record.viewed"))
    tab_to(page, "Emergency unblinding")
    step(page, "#fields > *")
    page.wait_for_selector(":focus >> nth=0")
    assert page.evaluate(NAME_OF_FOCUS) == "Participant"
    page.keyboard.type("SA-01-003")
    page.keyboard.press("Tab")
    page.wait_for_selector("text=it is opened")
    assert page.evaluate(NAMELESS, FIELDS) == []
    rights = "all => Math.max(...all.map((each) => each.getBoundingClientRect().right))"
    assert page.eval_on_selector_all("body *", rights) <= NARROW["width"]
    tab_to(page, "Review before signing")
    step(page, "#said.bad")
    assert page.inner_text("#said").startswith("Reason: expected a word for it")
    page.focus("#reason")
    page.keyboard.type("treatment decision")
    page.keyboard.press("Tab")
    page.keyboard.type("Found unconscious.")
    tab_to(page, "Review before signing")
    step(page, "#review:not([hidden])")
    assert page.inner_text("#sentence") == "Unblinding performed, participant SA-01-003"
    assert "participant randomized, participant SA-01-003" in page.inner_text("#data")
    assert "Found unconscious." in page.inner_text("#sealed")
    assert page.eval_on_selector_all("body *", rights) <= NARROW["width"]
    tab_to(page, "Sign with my passkey")
    step(page, "#done:not([hidden])")
    assert page.inner_text("#recorded").startswith("Unblinding performed, participant SA-01-003, signed by")
    assert page.inner_text("#treatment") == ""
    assert len(recorded(served, "record.viewed")) == views
    tab_to(page, "Show the treatment")
    step(page, "#treatment dd")
    shown = page.inner_text("#treatment")
    assert "ketamine" in shown
    assert page.is_hidden("#look")
    assert page.eval_on_selector_all("body *", rights) <= NARROW["width"]
    page.emulate_media(media="print")
    assert page.is_hidden("#treatment")
    page.emulate_media(media="screen")
    seen = recorded(served, "record.viewed")[views:]
    assert [(each["data"]["who"], each["data"]["view"]["opened"]) for each in seen] == [
        (INVESTIGATOR, ["treatment"])
    ]
    said = recorded(served, "unblinding.performed")[-1]
    assert (said["data"]["participant"], said["reason"]) == ("SA-01-003", {"code": "treatment_decision"})
    tab_to(page, "Back")
    step(page, "#desk:not([hidden])")
    assert "ketamine" not in page.inner_html("body")
    assert not any("ketamine" in url for url in [*page.asked, page.url, page.title()])


def test_an_emergency_while_nothing_can_be_recorded(served: Demonstrated, page: Any) -> None:
    """What was signed waits, the bedside is told the treatment, and the log has it once it can be written."""
    before = len(recorded(served, "unblinding.performed"))
    page.click("#emergency")
    page.wait_for_selector("#fields > *")
    page.get_by_label("Participant", exact=True).fill("SA-01-006")
    page.fill("#reason", "treatment decision")
    page.wait_for_selector("text=it is opened")
    page.click("text=Review before signing")
    page.wait_for_selector("#review:not([hidden])")
    with locked(served.directory / "ledger.db"):
        page.click("#sign")
        page.wait_for_selector("#done:not([hidden])", timeout=60_000)
        assert page.inner_text("#done h2") == "Kept, not recorded yet"
        assert page.is_hidden("#keep")
        page.click("#look")
        page.wait_for_selector("#treatment dd", timeout=60_000)
        assert "ketamine" in page.inner_text("#treatment")
    page.click("#back")
    page.wait_for_selector("#desk:not([hidden])")
    served.unlock("SA-01-002")
    assert len(recorded(served, "unblinding.performed")) == before + 1


def test_an_unblinding_of_nobody_allocated_asks_for_what_is_opened(served: Demonstrated, page: Any) -> None:
    """The page finds no allocation: it says so, and the form waits for one."""
    page.click("#emergency")
    page.wait_for_selector("#fields > *")
    page.get_by_label("Participant", exact=True).fill("SA-01-999")
    page.click("#reason")
    page.wait_for_selector("text=No allocation of this participant is shown to you")
    page.fill("#reason", "treatment decision")
    page.click("text=Review before signing")
    page.wait_for_selector("#said.bad")
    assert page.inner_text("#said") == "Allocation: expected a value"
    assert page.evaluate(NAME_OF_FOCUS) == "Allocation"


def test_a_record_that_was_entered_in_error_is_voided(served: Demonstrated, page: Any) -> None:
    """What does not count is chosen by what it says, read before it is signed, and struck through after."""
    page.select_option("#place", label="SA-01-001 (SA-01)")
    page.select_option("#type", "record.voided 1")
    page.wait_for_selector("#fields > *")
    chooser = page.get_by_label("Record that does not count", exact=True)
    offered = chooser.locator("option").all_inner_texts()
    assert not any(each.startswith(("record viewed", "breach recorded")) for each in offered)
    chosen = next(each for each in offered if each.startswith("vital signs recorded"))
    chooser.select_option(label=chosen)
    page.get_by_label("What is wrong with it").select_option(label="wrong participant")
    page.fill("#reason", "entered in error")
    page.fill("#why", "It was measured on somebody else.")
    page.focus("text=Review before signing")
    step(page, "#said.bad")
    assert page.inner_text("#said") == "Source › Kind: choose one"
    assert page.evaluate(NAME_OF_FOCUS) == "Kind"  # led to what is missing
    page.get_by_label("Kind", exact=True).first.select_option(label="esource")
    page.focus("text=Review before signing")
    step(page, "#review:not([hidden])")
    assert page.inner_text("#sentence") == "Record voided, participant SA-01-001"
    assert "vital signs recorded, participant SA-01-001" in page.inner_text("#data")
    assert "It was measured on somebody else." in page.inner_text("#sealed")
    tab_to(page, "Sign with my passkey")
    step(page, "#done:not([hidden])")
    said = recorded(served, "record.voided")[-1]
    assert said["data"]["code"] == "wrong_participant"
    assert said["reason"] == {"code": "entered_in_error"}
    page.click("#back")
    page.wait_for_selector("#desk:not([hidden])")
    page.select_option("#type", "record.voided 1")
    page.wait_for_selector("#fields > *")
    assert chosen not in chooser.locator("option").all_inner_texts()  # it is void


def correct(page: Any, record: str, value: str) -> None:
    """Choose a sealed value of a record of the first participant, to be corrected."""
    page.select_option("#place", label="SA-01-001 (SA-01)")
    page.select_option("#type", "correction.made 2")
    page.wait_for_selector("#fields select >> nth=0")
    chooser = page.get_by_label("Statement", exact=True)
    said = chooser.locator("option").all_inner_texts()
    chooser.select_option(label=next(each for each in said if each.startswith(record)))
    values = page.get_by_label("Which value")
    page.wait_for_selector(f"#fields select option:has-text('{value}')", state="attached")
    said = values.locator("option").all_inner_texts()
    values.select_option(label=next(each for each in said if each.startswith(value)))


def give_reason(page: Any, why: str) -> None:
    """Say why something is corrected, and have it shown."""
    page.fill("#reason", "transcription")
    page.fill("#why", why)
    page.click("text=Review before signing")
    page.wait_for_selector("#review:not([hidden]), #said.bad")
    assert page.is_visible("#review"), page.inner_text("#said")


def test_a_correction_of_a_sealed_text_starts_from_what_it_reads(served: Demonstrated, page: Any) -> None:
    """Who may read it need not type it; corrected again, it starts from what it was corrected to."""
    correct(page, "adverse event reported", "Verbatim")
    page.wait_for_selector("#fields [role=status] >> text=It reads now")
    before = page.inner_text("#fields [role=status]").removeprefix("It reads now: ")
    assert len(before) > 3
    assert page.is_hidden("text=Open what it reads now")
    page.get_by_label("Right value").fill("Nausea for an hour")
    give_reason(page, "Misheard.")
    assert before not in page.text_content("#bytes")
    assert before in page.inner_text("#sealed")
    assert "Nausea for an hour" in page.inner_text("#sealed")
    page.click("#sign")
    page.wait_for_selector("#done:not([hidden])")
    assert "CORRECTION" not in page.inner_text("#receipt")  # no rule of corrections was broken
    page.click("#back")
    page.wait_for_selector("#desk:not([hidden])")
    correct(page, "adverse event reported", "Verbatim")
    page.wait_for_selector("#fields [role=status] >> text=It reads now: Nausea for an hour")
    assert not any("Nausea" in url or "nausea" in url for url in page.asked)


def test_a_sealed_value_whose_opening_is_an_event_is_opened_on_request(
    served: Demonstrated, page: Any
) -> None:
    """Choosing opens nothing; the button does, after a view is recorded; the right one is of its own kind."""
    views = len(recorded(served, "record.viewed"))
    correct(page, "demographics recorded", "Age years")
    page.wait_for_selector("text=That you open it is recorded")
    assert len(recorded(served, "record.viewed")) == views
    page.click("text=Open what it reads now")
    page.wait_for_selector("#fields [role=status] >> text=It reads now")
    age = int(page.inner_text("#fields [role=status]").removeprefix("It reads now: "))
    seen = recorded(served, "record.viewed")[views:]
    assert [each["data"]["purpose"] for each in seen] == ["correction"]
    page.get_by_label("Right value").fill("old")
    page.fill("#reason", "transcription")
    page.click("text=Review before signing")
    page.wait_for_selector("#said.bad")
    assert "expected a whole number" in page.inner_text("#said")
    page.get_by_label("Right value").fill(str(age + 1))
    give_reason(page, "Misread.")
    assert str(age + 1) in page.inner_text("#sealed")


def test_names_that_the_record_holds_are_offered(page: Any) -> None:
    """Adverse events with what they were, the id after them for a new one, measurements and units in use."""

    def offered(label: str) -> dict[str, str]:
        field = page.get_by_label(label, exact=True).first
        listed = "each => [...(each.list ?? each).options].map((one) => [one.value, one.text])"
        return dict(field.evaluate(listed))

    page.select_option("#place", label="SA-01-001 (SA-01)")
    page.select_option("#type", "adverse_event.followed_up 1")
    page.wait_for_selector("#fields >> text=AE")
    assert offered("AE")["AE-1"] == "AE-1: grade 1, since 2024-05-30, recovered, version 2 is the last"
    page.select_option("#type", "adverse_event.reported 1")
    page.wait_for_selector("#fields >> text=Onset")
    assert offered("AE") == {"AE-3": "the next one"}
    page.select_option("#type", "vital_signs.recorded 1")
    page.wait_for_selector("#fields >> text=Measurements")
    assert {"heart_rate", "oxygen_saturation", "systolic_blood_pressure"} <= offered("Name").keys()
    assert {"/min", "%", "mm[Hg]"} <= offered("Unit").keys()
    page.select_option("#place", label="A new participant of SA-01")
    page.wait_for_selector("#fields >> text=Participant")
    assert page.get_by_label("Participant", exact=True).get_attribute("list") is None


def test_eligibility_is_confirmed_over_the_criteria_that_are_shown(served: Demonstrated, page: Any) -> None:
    """Nobody types a digest: each criterion stands there in its words, with what was found."""
    page.select_option("#place", label="SA-01-001 (SA-01)")
    page.select_option("#type", label="Eligibility confirmed")
    page.wait_for_selector("#fields >> text=shown to you before you sign")
    assert page.is_hidden("#fields [data-name=criteria_sha256]")
    page.click("text=Review before signing")
    page.wait_for_selector("#review:not([hidden])")
    found = served.get("/participants/SA-01-001/signing-scope?scope=eligibility", "sponsor-admin")
    shown = page.locator("#scope > li").all_inner_texts()
    assert len(shown) == len(found["criteria"]) > 10
    for row, text in zip(found["criteria"], shown, strict=True):
        assert text.startswith(f"{row['criterion']}, {row['kind']}: {row['text']} – ")
    assert found["sha256"] in page.inner_text("#data")
    assert f"{len(shown)} criteria, each as it was assessed last" in page.inner_text("#scopesaid")
    page.click("#leave")


def test_what_eligibility_covers_is_what_was_signed(served: Demonstrated) -> None:
    """At the index of each confirmation the digest is the one that it signed."""
    store = open_store(served.directory)
    try:
        confirmed = [*store.entries(0, store.head().size, types=("eligibility.confirmed",))]
    finally:
        store.close()
    for entry in (confirmed[0], confirmed[-1]):
        path = f"/participants/{entry.stream.split('/')[1]}/signing-scope"
        found = served.get(f"{path}?scope=eligibility&upto={entry.index}", "sponsor-admin")
        rows = [[each["criterion"], each["event"]] for each in found["criteria"]]
        signed = hashlib.sha256(canonical.encode(sorted(rows))).hexdigest()
        assert found["sha256"] == signed == orjson.loads(entry.statement)["data"]["criteria_sha256"]
        assert [line["index"] for line in found["lines"]] == sorted(row["index"] for row in found["criteria"])


def test_a_visit_is_signed_over_what_it_holds(served: Demonstrated, page: Any) -> None:
    """The digest and the index are those of the moment; what is recorded breaks no rule."""
    before = len(recorded(served, "breach.detected"))
    page.select_option("#place", label="SA-01-001 (SA-01)")
    page.select_option("#type", label="Record signed")
    page.wait_for_selector("#fields >> text=shown to you before you sign")
    assert not page.get_by_label("Visit", exact=True).is_visible()
    page.get_by_label("Scope", exact=True).select_option(label="visit")
    assert not page.get_by_label("Milestone", exact=True).is_visible()
    page.click("text=Review before signing")
    page.wait_for_selector("text=Visit: expected what is signed")
    page.get_by_label("Visit", exact=True).select_option("w1d1")
    page.get_by_label("possession", exact=True).check()
    page.get_by_label("Kind", exact=True).select_option(label="esource")
    page.click("text=Review before signing")
    page.wait_for_selector("#review:not([hidden])")
    assert page.locator("#scope > li").count() > 3
    page.click("#sign")
    page.wait_for_selector("#done:not([hidden])")
    signed = recorded(served, "record.signed")[-1]["data"]
    query = f"?scope=visit&of=w1d1&upto={signed['upto']}"
    found = served.get(f"/participants/SA-01-001/signing-scope{query}", "sponsor-admin")
    assert signed["sha256"] == found["sha256"]
    assert len(recorded(served, "breach.detected")) == before
