"""Site staff record in a form: what is entered is what is asked for, and what is missing is named."""

from __future__ import annotations

import base64
import hashlib
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import orjson
import pytest

from api.routes import places
from ledger.actions import all_specs
from ledger.demo.report import DemoReport
from ledger.directory import open_store
from ledger.study.definition import load, score
from ledger.study.plain import written
from tests.api.client import PARTICIPANT
from tests.api.signing import Served, browser_page, paste, served_study
from tests.api.test_passkey import _with_a_key, endorse
from tests.shared import ROOT

EXAMPLE: Final = ROOT / "ledger" / "study" / "definitions" / "example.json"
DEFINITION: Final = (EXAMPLE.parent / "nct06414356.json").read_bytes()
SCORED: Final = """async ([instrument, values]) => {
    const { score } = await import("./questionnaire.js");
    return score(instrument, values);
}"""
DUE: Final = """async ([rows, names]) => (await import("./due.js")).due(rows, names)"""
RECORDED: Final = """async (statement) => {
    const [{ finish }, { backToDesk }] = [await import("./recording.js"), await import("./desk.js")];
    finish({ data: {}, actor: {}, ...statement }, false);
    await backToDesk();
}"""
"""What follows where a statement was recorded."""
WHERE: Final = f"{PARTICIPANT} (SA-01)"
EMPTY: Final = """async () => {
    const { fields } = await import("./form.js");
    const study = document.querySelector("#study").value;
    const { types } = await (await fetch(`${study}/catalogue`)).json();
    const chosen = document.querySelector("#type").value;
    const { data } = types.find((each) => `${each.type} ${each.schema}` === chosen);
    const form = fields(data, { files: [], zone: "UTC", names: {}, events: [], path: (each) => each });
    try { return JSON.stringify(form.read()); } catch (error) { return `${error.name} ${error.message}`; }
}"""

FILLED: Final = """async ([type, schema, value, kept]) => {
    const { fields } = await import("./form.js");
    const study = document.querySelector("#study").value;
    globalThis.types ??= (await (await fetch(`${study}/catalogue`)).json()).types;
    const spec = globalThis.types.find((each) => each.type === type && each.schema === schema);
    const data = { ...spec.data, "x-sealed": {} };
    const files = [];
    const form = fields(data, { files, zone: "UTC", names: {}, events: [], path: (each) => each });
    const root = document.createElement("div");
    root.append(...form.nodes);
    const outer = (each) => each.parentElement.closest("[data-name]");
    const own = (node, name) => [...node.querySelectorAll(`[data-name="${name}"]`)].find(
        (each) => outer(each) === (node.dataset.name ? node : null),
    );
    const put = (node, schema, value) => {
        if (schema.enum || schema.type === "boolean") {
            node.querySelector("select").value = String((schema.enum ?? [true, false]).indexOf(value));
        } else if ((value?.sha256 ?? "") in kept) {
            const chosen = new DataTransfer();
            const bytes = Uint8Array.from(atob(kept[value.sha256]), (each) => each.charCodeAt(0));
            chosen.items.add(new File([bytes], "file", { type: value.media_type }));
            const control = node.querySelector("input[type=file]");
            control.files = chosen.files;
            control.dispatchEvent(new Event("change"));
        } else if (schema.type === "object" && schema.properties) {
            for (const name in value) put(own(node, name), schema.properties[name], value[name]);
        } else if (schema.type === "array" && schema.items?.enum) {
            const boxes = node.querySelectorAll("input");
            schema.items.enum.forEach((each, n) => (boxes[n].checked = value.includes(each)));
        } else if (schema.type === "array" && schema.items?.type) {
            const [rows, add] = [node.children[1], node.lastChild];
            while (rows.children.length < value.length) add.click();
            value.forEach((each, n) => put(rows.children[n].firstChild, schema.items, each));
        } else if (["string", "integer"].includes(schema.type)) {
            node.querySelector("input, textarea").value = String(value);
        } else {
            node.querySelector("textarea").value = JSON.stringify(value);
        }
    };
    for (const [name, each] of Object.entries(value)) put(own(root, name), data.properties[name], each);
    await Promise.all(files.map((each) => each.ready));
    try { return form.read().data; } catch (error) { return `${error.name} ${error.message}`; }
}"""
"""Enters a value of a type in its form, field by field, and reads it back."""


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A served study with signing pages."""
    with served_study(tmp_path_factory.mktemp("form") / "ledger") as served:
        yield served


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """A browser with a virtual authenticator."""
    with browser_page() as page:
        page.errors = []
        page.on("pageerror", lambda error: page.errors.append(str(error)))
        yield page


@pytest.fixture
def page(browser: Any, served: Served) -> Iterator[Any]:
    """The desk of the coordinator, with a passkey that may sign."""
    browser.context.route("**/signing", lambda route: _with_a_key(route))
    enter(browser, served)
    browser.errors.clear()
    yield browser
    browser.context.unroute_all()
    assert browser.errors == []


def enter(page: Any, served: Served, token: str = "coordinator") -> None:  # noqa: S107  the label of a test token
    """Open the desk."""
    page.goto("about:blank")
    page.goto(f"{served.pages}/#{quote(served.url, safe='')}")
    page.fill("#token", token)
    page.click("text=Continue")
    page.wait_for_selector("#desk:not([hidden])")


def choose(page: Any, type_: str, schema: int = 1, where: str = WHERE) -> None:
    """Choose where and what, and wait for the fields."""
    page.select_option("#place", label=where)
    page.select_option("#type", f"{type_} {schema}")
    page.wait_for_selector("#fields > *", state="attached")


def fill(page: Any, label: str, value: str, nth: int = 0) -> None:
    """Enter a value in the field of a label, or choose what is said or called so."""
    field = page.locator("#form").get_by_label(label, exact=True).nth(nth)
    if field.evaluate("each => each.tagName") == "SELECT":
        said = field.locator("option").all_text_contents()
        field.select_option(**({"label": value} if value in said else {"value": value}))
    else:
        field.fill(value)


def submit(page: Any) -> str:
    """Have it shown; return what is said where it is not."""
    page.click("text=Review before signing")
    page.wait_for_selector("#review:not([hidden]), #said.bad")
    return "" if page.is_visible("#review") else str(page.inner_text("#said"))


def shown(page: Any) -> dict[str, Any]:
    """Return the statement whose bytes are to be signed."""
    found: dict[str, Any] = json.loads(page.text_content("#bytes"))
    return found


def vitals(page: Any) -> None:
    """Enter two measurements, one of them in an added row."""
    choose(page, "vital_signs.recorded")
    fill(page, "When it happened", "2024-06-03 10:15")
    fill(page, "Name", "Heart rate")
    fill(page, "Value", "64")
    fill(page, "Unit", "/min")
    page.click("text=Add another")
    fill(page, "Name", "weight", nth=1)
    fill(page, "Value", "71.5", nth=1)
    fill(page, "Unit", "kg", nth=1)
    fill(page, "Kind", "esource")


def test_what_is_entered_is_what_is_asked_for(page: Any) -> None:
    """Names as codes, a time with the offset of the site, what is left out left out."""
    vitals(page)
    assert submit(page) == ""
    said = shown(page)
    assert said["data"] == {
        "measurements": [
            {"name": "heart_rate", "quantity": {"unit": "/min", "value": "64"}},
            {"name": "weight", "quantity": {"unit": "kg", "value": "71.5"}},
        ],
        "source": {"kind": "esource"},
    }
    assert said["occurred_at"] == "2024-06-03T10:15:00-05:00"
    assert (said["site"], said["protocol"], said["stream"]) == ("SA-01", "1.0", f"participant/{PARTICIPANT}")
    assert (said["actor"]["role"], said["meaning"], said.get("reason")) == ("coordinator", "authorship", None)


def test_rows_are_added_and_taken_away(page: Any) -> None:
    """The keyboard stays where the row was; one that the type needs is missed when it is gone."""
    vitals(page)
    page.get_by_label("Take away this measurement").first.click()
    assert page.inner_text(":focus") == "Add another"
    assert submit(page) == ""
    assert [each["name"] for each in shown(page)["data"]["measurements"]] == ["weight"]
    page.click("#leave")
    page.wait_for_selector("#desk:not([hidden])")
    page.get_by_label("Take away this measurement").first.click()
    assert submit(page) == "Measurements: expected at least 1"


def test_a_record_is_made_in_the_form_and_signed(served: Served, browser: Any) -> None:
    """The whole way, with a passkey of one's own."""
    enter(browser, served)
    browser.click("#make")
    browser.wait_for_selector("text=not enrolled yet")
    endorse(served)
    enter(browser, served)
    browser.click("text=Read it >> nth=0")
    browser.wait_for_selector("#review:not([hidden])")
    browser.click("#sign")
    browser.wait_for_selector("#done:not([hidden])")
    browser.click("#back")
    browser.wait_for_selector("#desk:not([hidden])")
    vitals(browser)
    assert submit(browser) == ""
    browser.click("#sign")
    browser.wait_for_selector("#done:not([hidden])")
    event = browser.inner_text("#receipt code")
    browser.click("#back")
    browser.wait_for_selector("#desk:not([hidden])")
    assert not browser.is_visible("#formrest")  # it is not recorded again by pressing once more
    store = served.made.ledger.store
    index = store.index_of_event(event)
    assert index is not None
    entry = store.entry(index)
    assert entry is not None
    assert orjson.loads(entry.statement)["data"]["measurements"][1]["quantity"]["value"] == "71.5"
    assert place_of(browser) == WHERE


def place_of(page: Any) -> str:
    """Return the place that is chosen."""
    return str(page.eval_on_selector("#place", "each => each.selectedOptions[0].textContent"))


def test_an_adverse_event_with_what_is_sealed(page: Any) -> None:
    """The study's scale is filled in; numbers have bounds; free text is sealed, and shown before signing."""
    choose(page, "adverse_event.reported")
    fill(page, "AE", "AE-7")
    fill(page, "Onset", "2024-06-02")
    fill(page, "Awareness", "2024-06")
    fill(page, "Grade", "6")
    fill(page, "Serious", "no")
    fill(page, "Action", "none")
    fill(page, "Outcome", "recovering")
    fill(page, "Kind", "participant")
    page.click("#fields > details > summary")
    pasted = "\ufeffA head\u00adache since Sunday,\u2028nause\u0301e."
    fill(page, "Verbatim (kept sealed)", pasted)
    assert submit(page) == "Grade: expected a whole number from 1 to 5"
    fill(page, "Grade", "2")
    assert submit(page) == ""
    data = shown(page)["data"]
    assert (data["scale"], data["grade"], data["serious"], data["criteria"]) == ("CTCAE", 2, False, [])
    assert (data["onset"], data["awareness"]) == ("2024-06-02", "2024-06")
    assert "headache" not in json.dumps(shown(page))
    assert "A headache since Sunday,\nnaus\u00e9e." in page.inner_text("#sealed")


def test_a_correction_starts_from_what_a_value_reads_now(page: Any) -> None:
    """The statement by what it says, the value by its place, and the old one from the newest correction."""
    choose(page, "correction.made")
    options = page.get_by_label("Statement", exact=True).locator("option").all_inner_texts()
    entry = next(each for each in options if each.startswith("vital signs recorded, entry 35"))
    page.get_by_label("Statement", exact=True).select_option(label=entry)
    values = page.get_by_label("Which value")
    page.wait_for_selector("#fields select >> nth=1 >> option:has-text('quantity')", state="attached")
    place = next(
        each for each in values.locator("option").all_inner_texts() if "quantity › value" in each.lower()
    )
    assert place.endswith(": 72")
    values.select_option(label=place)
    page.wait_for_selector("textarea[placeholder='now 73']")
    fill(page, "Right value", "74")
    assert submit(page) == "Reason: expected a word for it, such as transcription"
    fill(page, "Reason in a word", "transcription")
    fill(page, "Why", "Misread twice.")
    assert submit(page) == ""
    data = shown(page)["data"]
    assert (data["old"], data["new"], data["path"]) == ("73", "74", "/data/measurements/0/quantity/value")
    assert "Misread twice." in page.inner_text("#sealed")


def test_somebody_new_is_registered(page: Any) -> None:
    """A stream that is not there yet gets its name from the id that is entered."""
    page.select_option("#place", label="A new participant of SA-01")
    page.wait_for_selector("#fields > *", state="attached")
    assert page.eval_on_selector("#type", "each => each.value") == "participant.registered 1"
    assert submit(page) == "Participant: expected a value"
    fill(page, "Participant", "SA-01-077")
    for field in page.locator("#fields > .field > select").all():
        field.select_option(index=1)
    said = submit(page)
    assert said == "", said
    assert shown(page)["stream"] == "participant/SA-01-077"


def test_the_next_record_is_about_who_was_registered(page: Any) -> None:
    """Back from the receipt, their place is chosen; of any other record the place stays."""
    page.select_option("#place", label="A new participant of SA-01")
    page.evaluate(RECORDED, {"type": "participant.registered", "stream": f"participant/{PARTICIPANT}"})
    assert place_of(page) == WHERE
    page.select_option("#place", label="Site SA-01")
    page.evaluate(RECORDED, {"type": "vital_signs.recorded", "stream": f"participant/{PARTICIPANT}"})
    assert place_of(page) == "Site SA-01"


def test_criteria_that_are_not_assessed_are_named(served: Served, browser: Any) -> None:
    """Before a confirmation of eligibility is prepared: nobody has to find out from a refusal."""
    browser.context.route("**/signing", lambda route: _with_a_key(route))
    enter(browser, served, "investigator")
    choose(browser, "eligibility.confirmed")
    browser.wait_for_selector("#fields >> text=shown to you before you sign")
    assert submit(browser).startswith("Criteria: these are not assessed yet: I01, I02, ")
    assert not browser.is_visible("#review")


def test_what_is_half_filled_is_not_lost_by_choosing_another_form(page: Any) -> None:
    """Who does not want that stays where they were, with all that they entered."""
    vitals(page)
    asked: list[str] = []
    page.once("dialog", lambda dialog: (asked.append(dialog.message), dialog.dismiss()))
    page.select_option("#type", "weight.recorded 1")
    assert asked == ["What you entered is not recorded yet, and is lost. Go on?"]
    assert page.input_value("#type") == "vital_signs.recorded 1"
    page.once("dialog", lambda dialog: (asked.append(dialog.message), dialog.dismiss()))
    page.select_option("#place", label="Site SA-01")
    assert len(asked) == 2
    assert page.locator("#place option:checked").inner_text() == WHERE
    assert page.get_by_label("Value", exact=True).first.input_value() == "64"
    page.once("dialog", lambda dialog: (asked.append(dialog.message), dialog.accept()))
    page.select_option("#type", "weight.recorded 1")
    page.wait_for_selector("#fields >> text=Weight")
    assert len(asked) == 3
    page.select_option("#type", "vital_signs.recorded 1")  # nothing was entered: nothing is asked
    page.wait_for_selector("#fields >> text=Measurements")


def test_what_is_half_filled_is_not_lost_by_leaving_the_page(page: Any) -> None:
    """A closed tab asks first, and logging out; a form that was only looked at is left without a word."""
    closing = "() => !window.dispatchEvent(new Event('beforeunload', { cancelable: true }))"
    choose(page, "vital_signs.recorded")
    assert page.evaluate(closing) is False
    fill(page, "Value", "64")
    assert page.evaluate(closing) is True
    fill(page, "Value", "")
    assert page.evaluate(closing) is False
    paste(page, "{}")
    assert page.evaluate(closing) is True
    page.once("dialog", lambda dialog: dialog.dismiss())
    page.eval_on_selector("#logout", "each => each.click()")
    assert page.is_visible("#desk")
    assert page.input_value("#action") == "{}"


def test_what_is_half_filled_stays_while_something_else_is_signed(page: Any) -> None:
    """A record of another system is shown and not signed meanwhile: the form is as it was."""
    vitals(page)
    said = {"stream": f"participant/{PARTICIPANT}", "site": "SA-01", "protocol": "1.0", "role": "coordinator"}
    data = {"measurements": [{"name": "weight", "quantity": {"unit": "kg", "value": "70"}}]}
    source = {"source": {"kind": "esource"}}
    paste(page, json.dumps({**said, "type": "vital_signs.recorded", "data": {**data, **source}}))
    page.click("text=Show it to me")
    page.wait_for_selector("#review:not([hidden])")
    page.click("#leave")
    page.wait_for_selector("#desk:not([hidden])")
    assert page.get_by_label("Value", exact=True).first.input_value() == "64"


def test_words_are_written_and_abbreviations_spelled(page: Any) -> None:
    """Neither *Sae* nor *END*: a name of few letters is a word, if it is one."""
    page.select_option("#place", label=WHERE)
    what = page.locator("#type option").all_inner_texts()
    assert {"ECG recorded", "IRB notified", "SAE reported to sponsor"} <= set(what)
    choose(page, "deviation.reported")
    labels = page.locator("#fields label").all_inner_texts()
    assert not [each for each in labels if each.isupper() and each not in {"AE", "ID"}]
    choose(page, "adverse_event.reported")
    assert "AE" in page.locator("#fields label").all_inner_texts()
    fill(page, "Kind", "EHR")


def test_every_type_of_a_role_has_its_form(page: Any) -> None:
    """Each field of each type can be shown, and what is not entered is said in words that name a field."""
    places = page.locator("#place option").all_inner_texts()
    seen = set()
    for place in places[1:]:
        page.select_option("#place", label=place)
        for value in page.eval_on_selector_all("#type option", "all => all.map((each) => each.value)"):
            if not value or value in seen:
                continue
            seen.add(value)
            page.select_option("#type", value)
            page.wait_for_selector("#fields > *", state="attached")
            said = page.evaluate(EMPTY)
            assert said.startswith(("{", "Error ")), (value, said)
    known = {
        f"{s.type} {s.schema}" for s in all_specs() if "coordinator" in s.roles and "participant" in s.streams
    }
    assert known <= seen


def test_whatever_was_ever_recorded_can_be_entered(page: Any, demo: DemoReport) -> None:
    """One statement of each form of each type in the demonstration, field by field, reads the same."""
    store = open_store(demo.directory)
    first: dict[tuple[str, int], dict[str, Any]] = {}
    for start in range(0, store.head().size, 1_000):
        for stored in store.entries(start, start + 1_000):
            said = orjson.loads(stored.statement)
            first.setdefault((said["type"], said["schema"]), said["data"])
    named = [first["protocol.approved", 1]["definition"], first["consent_form.approved", 1]["document"]]
    found = [store.attachment(each["sha256"]) for each in named]
    kept = {each.sha256: base64.b64encode(each.data).decode() for each in found if each is not None}
    store.close()
    assert len(first) > 150
    assert len(kept) == 2
    wrong = {}
    for (type_, schema), data in sorted(first.items()):
        read = page.evaluate(FILLED, [type_, schema, data, kept])
        if read != data:
            wrong[f"{type_} {schema}"] = (data, read)
    assert wrong == {}


def test_an_instrument_asks_its_questions(page: Any) -> None:
    """Version, items and their range are the definition's; the total follows until another is entered."""
    choose(page, "outcome.recorded")
    assert page.is_visible("#fields [data-name=version]")
    fill(page, "Instrument", "pcl5")
    assert page.is_hidden("#fields [data-name=version]")
    for number in range(1, 20):
        fill(page, f"Pcl5 {number:02}", str(number % 5))
    assert page.get_by_label("Total", exact=True).input_value() == ""
    fill(page, "Visit", "screening")
    fill(page, "Language", "en")
    fill(page, "Kind", "esource")
    assert submit(page) == "Pcl5 20: expected a whole number from 0 to 4"
    fill(page, "Pcl5 20", "4")
    total = sum(number % 5 for number in range(1, 20)) + 4
    assert page.get_by_label("Total", exact=True).input_value() == str(total)
    fill(page, "Pcl5 20", "3")
    assert submit(page) == ""
    data = shown(page)["data"]
    instrument = load(DEFINITION).instruments["pcl5"]
    assert data["version"] == instrument.version
    assert [each["item"] for each in data["items"]] == list(instrument.items)
    assert (data["items"][19]["value"], data["total"]) == (3, str(total - 1))


def test_a_name_of_the_study_is_chosen_and_another_can_be_entered(page: Any) -> None:
    """By what it stands for; one that the study does not give is entered below, until one is chosen."""
    choose(page, "visit.started")
    chooser = page.get_by_label("Visit", exact=True)
    other = page.get_by_label("Visit, another one")
    offered = chooser.locator("option").all_text_contents()
    assert (offered[0], offered[-1]) == ("choose", "another one")
    assert "Screening visit (screening)" in offered
    assert other.is_hidden()
    assert submit(page) == "Visit: expected a value"
    assert page.evaluate("document.activeElement.tagName") == "SELECT"
    assert chooser.get_attribute("aria-invalid") == "true"
    chooser.select_option(label="another one")
    assert chooser.get_attribute("aria-invalid") is None
    assert submit(page) == "Visit: expected a value"
    assert page.evaluate("document.activeElement.ariaLabel") == "Visit, another one"
    other.fill("evening_call")
    fill(page, "Kind", "esource")
    fill(page, "Mode", "phone")
    assert submit(page) == ""
    assert shown(page)["data"]["visit"] == "evening_call"
    page.click("#leave")
    page.wait_for_selector("#desk:not([hidden])")
    assert other.input_value() == "evening_call"
    chooser.select_option("screening")
    assert other.is_hidden()
    assert submit(page) == ""
    assert shown(page)["data"]["visit"] == "screening"


def test_a_long_name_is_told_whole(served: Served, browser: Any) -> None:
    """A drop-down shows the beginning of a criterion: all of it stands below once it is chosen."""
    browser.context.route("**/signing", lambda route: _with_a_key(route))
    enter(browser, served, "investigator")
    choose(browser, "criterion.assessed")
    criterion = max(load(DEFINITION).criteria, key=lambda each: len(each.text))
    chooser = browser.get_by_label("Criterion", exact=True)
    assert f"{criterion.id}: {criterion.text}" in chooser.locator("option").all_text_contents()
    chooser.select_option(criterion.id)
    said = browser.locator("#fields [data-name=criterion] [role=status]")
    assert said.inner_text() == criterion.text
    chooser.select_option("")
    assert said.inner_text() == ""
    browser.context.unroute_all()


def test_what_the_calendar_asks_stands_beside_the_participant(page: Any) -> None:
    """What was begun, is overdue, is due and comes next, by name and window; nothing of another place."""
    page.select_option("#place", label=WHERE)
    page.wait_for_selector("#due >> text=Next: Screening visit")
    page.select_option("#place", label="Site SA-01")
    assert page.is_hidden("#due")
    day = {"first_day": "2024-06-04", "last_day": "2024-06-06"}
    overdue = [{"visit": f"late{number}", "state": "overdue", **day} for number in range(5)]
    rows = [
        {"visit": "screening", "state": "completed", **day},
        {"visit": "w1d1", "state": "started", **day, "last_day": day["first_day"]},
        *overdue,
        {"visit": "w1d3", "state": "due", **day},
        {"visit": "w1d5", "state": "planned", "first_day": None, "last_day": None},
        {"visit": "w2d8", "state": "planned", **day},
    ]
    assert page.evaluate(DUE, [rows, [{"id": "w1d1", "name": "Week 1"}]]) == [
        "Begun, not completed: Week 1, 2024-06-04",
        *(f"Overdue: late{number}, 2024-06-04 to 2024-06-06" for number in range(3)),
        "Overdue: 2 more",
        "Due: w1d3, 2024-06-04 to 2024-06-06",
        "Next: w1d5",
    ]


def test_a_total_that_was_entered_stays(page: Any) -> None:
    """On paper it may be another than what follows: that is for the rules to say."""
    choose(page, "outcome.recorded")
    fill(page, "Instrument", "pain_nrs")
    fill(page, "Pain", "4")
    fill(page, "Total", "5")
    fill(page, "Pain", "6")
    assert page.get_by_label("Total", exact=True).input_value() == "5"
    page.once("dialog", lambda dialog: dialog.dismiss())
    fill(page, "Instrument", "pcl5")
    assert page.get_by_label("Instrument", exact=True).input_value() == "pain_nrs"
    assert page.get_by_label("Pain", exact=True).input_value() == "6"


def test_totals_are_those_of_the_rules(page: Any) -> None:
    """For each way of scoring and many answers the page makes the total that the definition's rule makes."""
    drawn = random.Random(7)  # noqa: S311  answers of a test
    for instrument in load(DEFINITION).instruments.values():
        for _ in range(20):
            values = [drawn.randint(instrument.minimum, instrument.maximum) for _ in instrument.items]
            total = page.evaluate(SCORED, [{"scoring": instrument.scoring}, values])
            if instrument.scoring == "none":
                assert total is None
            else:
                assert total == score(instrument, zip(instrument.items, values, strict=True))


def test_an_instrument_asks_the_questions_of_the_participants_version(served: Served, browser: Any) -> None:
    """A newer version is approved and asks nothing any more: who is not under it yet is asked as before."""

    def newer(route: Any) -> None:
        found = served.get("/signing/places", "investigator")
        route.fulfill(json={**found, "instruments": []}, headers={"Access-Control-Allow-Origin": "*"})

    browser.context.route("**/signing", lambda route: _with_a_key(route))
    browser.context.route("**/signing/places", newer)
    enter(browser, served, "investigator")
    choose(browser, "outcome.recorded")
    fill(browser, "Instrument", "pcl5")
    assert browser.is_visible("text=Pcl5 20")
    browser.context.unroute_all()


def test_what_was_done_before_an_amendment_is_recorded_under_the_version_of_then(
    served: Served, browser: Any
) -> None:
    """A time that can lie after it is under the present one."""
    found = served.get("/signing/places", "investigator")
    assert {tuple(place["earlier"]) for place in found["places"]} == {()}
    for place in found["places"]:
        place["earlier"] = [
            {"protocol": "0.8", "until": "2024-05-01T00:00:00Z"},
            {"protocol": "0.9", "until": "2024-06-04T05:00:00Z"},
        ]

    def amended(route: Any) -> None:
        route.fulfill(json=found, headers={"Access-Control-Allow-Origin": "*"})

    browser.context.route("**/signing", lambda route: _with_a_key(route))
    browser.context.route("**/signing/places", amended)
    enter(browser, served, "investigator")
    choose(browser, "visit.missed")
    fill(browser, "Visit", "screening")
    fill(browser, "Code", "weather")
    fill(browser, "Kind", "paper")
    for when, version in (
        ("2024-04-30 10:00", "0.8"),
        ("2024-05", "0.9"),
        ("2024-06-03", "0.9"),
        ("2024-06-03 23:59", "0.9"),
        ("2024-06-04 00:00", "1.0"),
        ("2024-06", "1.0"),
    ):
        fill(browser, "When it happened", when)
        assert submit(browser) == "", when
        assert shown(browser)["protocol"] == version, when
        browser.click("#leave")
        browser.wait_for_selector("#desk:not([hidden])")
    browser.once("dialog", lambda dialog: dialog.accept())
    choose(browser, "rescreening.authorised")
    browser.get_by_label("Statement", exact=True).select_option(index=1)
    fill(browser, "Code", "recovered")
    fill(browser, "When it happened", "2024-06-03 10:00")
    assert submit(browser) == ""
    assert shown(browser)["protocol"] == "1.0"  # a gate is passed now
    browser.context.unroute_all()


def test_what_the_protocol_does_not_plan_comes_last(served: Served, browser: Any) -> None:
    """It can be recorded, and is not among what is looked for; without a list there is no emergency."""
    unplanned = sorted(places.unplanned(load(written(EXAMPLE.read_bytes()))))
    assert {"infusion.started", "unblinding.performed", "diary.submitted", "extension.entered"} <= set(
        unplanned
    )
    assert not [
        each for each in unplanned if each.startswith(("visit.", "outcome.", "medication.", "adverse"))
    ]
    assert served.get("/signing/places", "investigator")["unplanned"] == []

    def tablets(route: Any) -> None:
        found = served.get("/signing/places", "investigator")
        route.fulfill(json={**found, "unplanned": unplanned}, headers={"Access-Control-Allow-Origin": "*"})

    browser.context.route("**/signing", lambda route: _with_a_key(route))
    browser.context.route("**/signing/places", tablets)
    enter(browser, served, "investigator")
    assert not browser.is_visible("#emergency")
    browser.select_option("#place", label=WHERE)
    groups = browser.locator("#type optgroup").evaluate_all("all => all.map((each) => each.label)")
    assert groups[-1] == "Not planned by this protocol"
    assert browser.locator("#type optgroup:last-child option[value='infusion.started 1']").count() == 1
    assert browser.locator("#type option[value='infusion.started 1']").count() == 1
    browser.context.unroute_all()


def test_a_file_is_kept_before_the_record_names_it(served: Served, browser: Any, tmp_path: Path) -> None:
    """A consent form is chosen as a file; what is reviewed names its hash, and the service has its bytes."""
    form = tmp_path / "form.pdf"
    form.write_bytes(b"%PDF consent form, version 2")
    browser.context.route("**/signing", lambda route: _with_a_key(route))
    enter(browser, served, "admin")
    choose(browser, "consent_form.approved", where="The study")
    fill(browser, "Version", "2")
    fill(browser, "Language", "en")
    fill(browser, "From", "2024-06-03")
    browser.locator("[data-name=sites] input").first.fill("*")
    assert submit(browser) == "Document: choose a file"
    browser.set_input_files("[data-name=document] input", form)
    assert submit(browser) == ""
    sha256 = hashlib.sha256(form.read_bytes()).hexdigest()
    named = {"media_type": "application/pdf", "sha256": sha256, "size": form.stat().st_size}
    assert shown(browser)["data"]["document"] == named
    found = served.made.ledger.store.attachment(sha256)
    assert found is not None
    assert found.data == form.read_bytes()


def test_a_definition_with_its_block_sizes_is_not_attached(
    served: Served, browser: Any, tmp_path: Path
) -> None:
    """What stays sealed until the list is opened never leaves the machine of who owns it."""
    whole = tmp_path / "whole.json"
    whole.write_bytes(b'{"randomization": {"block_sizes": [6, 9]}}')
    browser.context.route("**/signing", lambda route: _with_a_key(route))
    enter(browser, served, "admin")
    choose(browser, "protocol.approved", where="The study")
    fill(browser, "Version", "2.0")
    fill(browser, "IRB reference", "EC-8")
    fill(browser, "Reconsent", "no")
    browser.set_input_files("[data-name=definition] input", whole)
    assert submit(browser).startswith("Definition: expected what `definition publish` writes")
    assert served.made.ledger.store.attachment(hashlib.sha256(whole.read_bytes()).hexdigest()) is None


@pytest.mark.parametrize(
    ("zone", "entered", "expected"),
    [
        ("America/Chicago", "2024-06-03 10:00", "2024-06-03T10:00:00-05:00"),
        ("America/Chicago", "2024-12-03 10:00", "2024-12-03T10:00:00-06:00"),
        ("America/Chicago", "2024-03-10 01:59", "2024-03-10T01:59:00-06:00"),
        ("America/Chicago", "2024-03-10 03:00", "2024-03-10T03:00:00-05:00"),
        ("Asia/Kathmandu", "2024-06-03T10:00:05.25", "2024-06-03T10:00:05.25+05:45"),
        ("Europe/Berlin", "2024-06-03 10:00Z", "2024-06-03T10:00:00Z"),
        ("UTC", " 2024-06-03 ", "2024-06-03"),
        ("UTC", "2024-06", "2024-06"),
        ("UTC", "2024", "2024"),
        ("UTC", "2024-06 10:00", None),
        ("UTC", "yesterday", None),
        ("UTC", "2024-06-03 25:00", None),
        ("UTC", "2024-13-03 10:00", None),
    ],
)
def test_times_are_those_of_the_site(page: Any, zone: str, entered: str, expected: str | None) -> None:
    """A time without an offset is on the site's clocks of that day; what is no time is said to be none."""
    said = page.evaluate(
        """async ([zone, entered]) => {
            const { clinical } = await import("./form.js");
            try { return clinical("Onset", entered, zone); } catch (error) { return error.message; }
        }""",
        [zone, entered],
    )
    if expected is None:
        assert said.startswith("Onset: expected ")
    else:
        assert said == expected


def test_who_records_nothing_at_a_site_has_no_form(served: Served, browser: Any) -> None:
    """Who may not ask where to record finds what waits, and the place for what another system made."""
    refused = {"title": "not open to this role", "code": "FORBIDDEN", "status": 403}
    browser.context.route("**/signing/places", lambda route: route.fulfill(status=403, json=refused))
    enter(browser, served)
    browser.context.unroute_all()
    assert not browser.is_visible("#form")
    assert browser.is_visible("#action")


def test_places_are_those_of_the_role_and_its_sites(served: Served) -> None:
    """Streams with site, protocol in force and zone; nobody without a token is answered."""
    found = served.get("/signing/places", "coordinator")
    assert found["role"] == "coordinator"
    assert found["places"][0] == {
        "stream": "site/SA-01", "site": "SA-01", "protocol": "1.0", "earlier": [], "zone": "America/Chicago"
    }  # fmt: skip
    assert {each["stream"] for each in found["places"][1:]} == {
        "participant/SA-01-001",
        "participant/SA-01-002",
    }
    assert {"id": "screening", "name": "Screening visit"} in found["names"]["visit"]
    assert served.http.get(f"{served.url}/signing/places").status_code == 401


def test_who_has_an_account_logs_in_where_they_sign(served: Served, browser: Any) -> None:
    """The start page leads there; a wrong password is told of; logging out ends the session."""
    password = "a quiet river in june"
    served.redeem("bchan", password)
    browser.goto(f"{served.url}/pages")
    browser.click("#signing")
    browser.wait_for_selector("#enter:not([hidden])")
    assert browser.input_value("#study") == served.url
    browser.click("text=Continue")
    browser.wait_for_selector("#said.bad")
    assert browser.inner_text("#said") == "Enter your id and password, or an access token."
    browser.fill("#person", "bchan")
    browser.fill("#password", "another river in june")
    browser.click("text=Continue")
    browser.wait_for_selector("#said.bad >> text=UNAUTHENTICATED")
    browser.fill("#password", password)
    browser.click("text=Continue")
    browser.wait_for_selector("#desk:not([hidden])")
    assert browser.input_value("#password") == ""
    assert "B. Chan" in browser.inner_text("#who")
    assert browser.is_visible("#form")
    with browser.expect_request("**/sessions/current") as ended:
        browser.click("#logout")
    browser.wait_for_selector("#enter:not([hidden])")
    assert browser.inner_text("#said") == "You are logged out."
    token = ended.value.headers["authorization"]
    assert served.http.get(f"{served.url}/signing", headers={"Authorization": token}).status_code == 401
