"""Edit checks: asked when a record is prepared, and what became of each question recorded before it (Q13)."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import orjson
import pytest

from api.prompts import version_at
from ledger.edit_checks import prompts
from ledger.rules.record import span
from ledger.sealing import open_disclosure
from ledger.study.demands import EditCheck
from tests.api.client import BASE, STREAM, Site, app_of, bearer
from tests.api.prompting import AGE, PULSE, with_checks
from tests.given_sites import AMENDED, given_amended
from tests.scenario import PROTOCOL, SITE, given_consented

PLACE: Final = "/data/measurements/0/quantity/value"
ELDER: Final = EditCheck(
    id="age", type="demographics.recorded", path="/data/age_years", prompt="?", maximum=Decimal(75)
)


def vitals(value: str) -> dict[str, Any]:
    """Return the data of a heart rate."""
    measured = [{"name": "heart_rate", "quantity": {"value": value, "unit": "/min"}}]
    return {"measurements": measured, "source": {"kind": "esource"}}


@pytest.fixture
def asking(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """A site whose study asks."""
    made = with_checks(tmp_path / "ledger", monkeypatch, PULSE, AGE)
    with app_of(made) as http:
        yield Site(http, made)
    made.ledger.close()


def tell(site: Site, action: dict[str, Any], **more: Any) -> Any:
    """Say what became of a question."""
    body = {"action": action, "check": PULSE["id"], "path": PLACE, **more}
    return site.http.post(f"{BASE}/edit-checks", json=body, headers=bearer("coordinator"))


def prepare(site: Site, action: dict[str, Any]) -> Any:
    """Have an action prepared."""
    return site.http.post(
        f"{BASE}/statements:prepare", json={"action": action}, headers=bearer("coordinator")
    )


def kept_of(site: Site, index: int) -> dict[str, Any]:
    """Return what was sealed at an index, by path."""
    ledger = site.made.ledger
    entry = ledger.store.entry(index)
    assert entry is not None
    return {
        each.path: open_disclosure(
            ledger.data_keys.open(each.event, each.path, each.stream, each.scope, each.nonce, each.ciphertext)
        ).value
        for each in ledger.store.disclosures(entry.event)
    }


def test_what_is_in_range_is_not_asked_about(asking: Site) -> None:
    """No question, and the answer is as it always was."""
    answer = prepare(asking, asking.action("vital_signs.recorded", STREAM, vitals("64")))
    assert answer.status_code == 200
    assert "prompts" not in answer.json()


def test_a_value_out_of_range_is_asked_about_and_confirmed(asking: Site) -> None:
    """The question with what was entered; confirmed, both stand in the participant's stream, sealed."""
    action = asking.action("vital_signs.recorded", STREAM, vitals("170"))
    assert prepare(asking, action).json()["prompts"] == [
        {"check": PULSE["id"], "entered": "170", "path": PLACE, "prompt": PULSE["prompt"]}
    ]
    answer = tell(asking, action, answer="confirmed")
    assert answer.status_code == 201, answer.text
    index = answer.json()["index"]
    entry = asking.made.ledger.store.entry(index)
    assert entry is not None
    assert (entry.type, entry.stream) == ("edit_check.fired", STREAM)
    data = orjson.loads(entry.statement)["data"]
    assert data == {
        "answer": "confirmed", "check": PULSE["id"], "path": PLACE, "type": "vital_signs.recorded",
        "who": "bchan",
    }  # fmt: skip
    sealed = kept_of(asking, index)
    assert sealed == {"/data/entered": "170", "/data/kept": "170", "/data/prompt": PULSE["prompt"]}
    signed = asking.sign(asking.prepare("vital_signs.recorded", STREAM, vitals("170")))
    assert asking.hand_in(signed).status_code == 201


def test_original_prompt_and_change_are_kept(asking: Site) -> None:
    """What was entered first is in the log for ever, beside the value that was signed (FDA 2024 Q13)."""
    action = asking.action("vital_signs.recorded", STREAM, vitals("640"))
    index = tell(asking, action, answer="changed", kept="64").json()["index"]
    sealed = kept_of(asking, index)
    assert (sealed["/data/entered"], sealed["/data/kept"]) == ("640", "64")
    index = tell(asking, action, answer="abandoned").json()["index"]
    assert kept_of(asking, index)["/data/kept"] is None


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"check": "other"}, 422, "NOT_ASKED"),
        ({"path": "/data/measurements/1/quantity/value"}, 422, "NOT_ASKED"),
        ({"answer": "ignored"}, 400, "BODY"),
        ({"answer": "confirmed", "kept": "64"}, 422, "KEPT"),
        ({"answer": "changed"}, 422, "KEPT"),
        ({"action": []}, 400, "BODY"),
        ({"more": 1}, 400, "BODY"),
    ],
)
def test_nothing_is_recorded_that_no_check_asked(
    asking: Site, change: dict[str, Any], status: int, code: str
) -> None:
    """The service asks again by itself, and takes nobody's word for a question."""
    size = asking.made.ledger.store.head().size
    action = asking.action("vital_signs.recorded", STREAM, vitals("170"))
    answer = tell(asking, **{"action": action, "answer": "confirmed", **change})
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert asking.made.ledger.store.head().size == size


def test_an_identifying_value_is_kept_as_such() -> None:
    """Schema 2 for what is sealed identity; a value that tells the arm is never asked about."""
    [prompt] = prompts([ELDER], "demographics.recorded", 1, {}, {"/data/age_years": 80})
    assert (prompt.schema, prompt.entered) == (2, 80)
    arm = EditCheck(id="arm", type="participant.randomized", path="/data/arm", prompt="?", maximum=Decimal(1))
    assert prompts([arm], "participant.randomized", 1, {}, {"/data/arm": "80"}) == []


@pytest.mark.parametrize("value", [True, None, "many", {"value": "9"}, "NaN", "Infinity", 60])
def test_what_is_no_number_out_of_range_is_not_asked_about(value: Any) -> None:
    """A check is about numbers."""
    assert prompts([ELDER], "demographics.recorded", 1, {"age_years": value}, {}) == []


@pytest.mark.parametrize("reconsent", [True, False])
def test_questions_are_those_of_the_participants_version(reconsent: bool) -> None:
    """Of who has not consented again, what their version asks; of anybody new, what the site's does."""
    story = given_amended(given_consented(), reconsent=reconsent)

    def asked(stream: str) -> str:
        found = version_at(story.conduct, stream, SITE, len(story.log), span(story.now, "UTC"))
        assert found is not None
        return found.version

    assert asked(f"participant/{story.participant.id}") == (PROTOCOL if reconsent else AMENDED)
    assert asked("participant/S1-999") == asked(f"pharmacy/{SITE}") == AMENDED
