"""The extension after the core study (catalogue I)."""

from __future__ import annotations

import json

import pytest

from ledger import canonical
from ledger.actions.registry import all_specs
from ledger.participant import Status
from ledger.state.leaving import ExtensionStatus
from tests import scenario
from tests.given_consent import defect, given_completed
from tests.scenario import (
    VITALS,
    Story,
    Told,
    breaks,
    consent,
    form,
    given_infused,
    keeps,
    order,
)

EXIT = {"date": "2025-02-03", "code": "planned_end"}


def agreed(story: Story) -> Told:
    """Consent to the extension."""
    return story.given("extension.consented", consent(story))


def enter(story: Story, consented: Told) -> Told:
    """Enter the extension on a consent."""
    return story.when("extension.entered", {"consent": consented.event}, by="sub")


def status(story: Story) -> ExtensionStatus | None:
    """Return where the participant is in the extension."""
    return story.participant.leaving.extension.status


@keeps("extension.consented", "extension.entered", "extension.exited")
def test_the_extension_goes_its_own_way_beside_the_status() -> None:
    """Consented, entered, ended; the core study stays completed."""
    story = given_completed()
    assert status(story) is None
    consented = agreed(story)
    assert status(story) is ExtensionStatus.CONSENTED
    assert enter(story, consented).codes == ()
    assert (status(story), story.participant.status) == (ExtensionStatus.ENTERED, Status.COMPLETED)
    assert not story.participant.has_ended
    story.given("extension.exited", EXIT)
    assert (status(story), story.participant.status) == (ExtensionStatus.ENDED, Status.COMPLETED)
    assert story.participant.has_ended


@breaks("extension.entered", "EXTENSION_CORE")
def test_the_extension_begins_after_the_core_study() -> None:
    """On treatment nobody enters it."""
    story = given_infused()
    assert "EXTENSION_CORE" in enter(story, agreed(story)).codes


def test_who_withdrew_or_died_enters_no_extension() -> None:
    """Only a completed core study leads to it."""
    story = given_infused()
    consented = agreed(story)
    story.given("participant.withdrawn", {"date": "2025-02-03", "last_visit": "w1d1", "code": "own_wish"})
    assert "EXTENSION_CORE" in enter(story, consented).codes
    story = given_completed()
    consented = agreed(story)
    dead = {"status": "dead", "as_of": "2025-02", "known_from": "public_record"}
    story.given("survival_status.recorded", dead)
    assert "PARTICIPANT_ENDED" in enter(story, consented).codes


@breaks("extension.entered", "EXTENSION_CONSENT")
def test_the_extension_has_a_consent_of_its_own() -> None:
    """Neither the consent to the core study, nor one with a defect that nobody decided on."""
    story = given_completed()
    core = next(e for e in story.log if e.statement and e.statement.type == "consent.obtained")
    told = story.when("extension.entered", {"consent": core.event}, by="sub")
    assert told.refused == "EXTENSION_CONSENT"
    consented = agreed(story)
    story.given("consent.defect_found", defect(consented.event))
    assert enter(story, consented).refused == "EXTENSION_CONSENT"


@breaks("extension.consented", "CONSENT_DEFECT")
def test_a_defect_of_the_consent_to_the_extension_stands_on_it() -> None:
    """And it holds nothing of the core study."""
    story = given_infused()
    consented = agreed(story)
    told = story.given("consent.defect_found", defect(consented.event))
    assert told.caused == (("CONSENT_DEFECT", consented.event),)
    assert not story.participant.consenting.consent_is_held(story.participant.consents)


@breaks("extension.entered", "EXTENSION_WINDOW")
def test_the_extension_is_entered_in_its_days() -> None:
    """The 28th day after completion is the last one."""
    story = given_completed()
    consented = agreed(story)
    story.wait(days=29)
    assert enter(story, consented).refused == "EXTENSION_WINDOW"


@breaks("extension.entered", "EXTENSION_REPEATED")
def test_the_extension_is_entered_once() -> None:
    """Not again after its end."""
    story = given_completed()
    consented = agreed(story)
    enter(story, consented)
    story.given("extension.exited", EXIT)
    assert enter(story, consented).refused == "EXTENSION_REPEATED"


@breaks("extension.entered", "CONSENT_WITHDRAWN")
def test_a_consent_to_the_extension_can_be_withdrawn() -> None:
    """Withdrawn from the extension, nobody enters it."""
    story = given_completed()
    consented = agreed(story)
    story.given("consent.withdrawn", {"scopes": ["extension"], "effective": story.now})
    story.wait(hours=1)
    assert enter(story, consented).refused == "CONSENT_WITHDRAWN"


@breaks("extension.exited", "EXTENSION_NOT_ENTERED")
def test_only_what_was_entered_ends() -> None:
    """An end without an entry is a breach, and leaves the status."""
    story = given_completed()
    agreed(story)
    assert story.when("extension.exited", EXIT).codes == ("EXTENSION_NOT_ENTERED",)
    assert status(story) is ExtensionStatus.CONSENTED


@breaks("extension.consented", "CONSENT_FORM_UNKNOWN", "CONSENT_FORM_INEFFECTIVE", "CONSENT_INCOMPLETE")
def test_a_consent_to_the_extension_is_judged_like_any_consent() -> None:
    """Form, effect and completeness."""
    story = given_completed()
    told = story.when("extension.consented", consent(story, form_version="7", authorization=False))
    assert told.codes == ("CONSENT_FORM_UNKNOWN", "CONSENT_INCOMPLETE")
    story.given("consent_form.approved", form("2", "2025-01-05"), by="sponsor", stream="study")
    assert story.when("extension.consented", consent(story)).codes == ("CONSENT_FORM_INEFFECTIVE",)


def test_a_consent_to_the_extension_covers_nothing_of_the_core_study() -> None:
    """It is no consent to what comes before it."""
    story = given_infused()
    agreed(story)
    assert len(story.participant.consents) == 1


@pytest.mark.parametrize("type_", ["extension.consented", "extension.entered", "extension.exited"])
def test_nothing_of_the_extension_can_tell_an_arm(type_: str) -> None:
    """No member is sealed as treatment, and none names an arm, a product or a dose (R8)."""
    for spec in all_specs():
        if spec.type == type_:
            assert "treatment" not in spec.sealed.values()
            assert not {"arm", "product", "dose", "amount"} & {*spec.data.schema["properties"]}


@breaks("extension.consented", "EXTENSION_UNKNOWN")
@breaks("extension.entered", "EXTENSION_UNKNOWN")
def test_a_protocol_without_an_extension_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """Consent is a breach then, entry is refused."""
    plan = json.loads(scenario.DEFINITION)
    del plan["extension"]
    plan["consent_versions"] = [
        each for each in plan["consent_versions"] if each["part"]["value"] != "extension"
    ]
    monkeypatch.setattr(scenario, "DEFINITION", canonical.encode(plan))
    story = given_completed()
    consented = story.when("extension.consented", consent(story))
    assert (consented.refused, consented.codes) == (None, ("EXTENSION_UNKNOWN",))
    assert enter(story, consented).refused == "EXTENSION_UNKNOWN"


def test_who_left_the_extension_by_withdrawing_is_treated_in_it_no_more() -> None:
    """Withdrawn from the extension, its visits are a breach; consent to it anew covers them again."""
    story = given_completed()
    enter(story, agreed(story))
    story.given("consent.withdrawn", {"scopes": ["extension"], "effective": story.now})
    story.wait(hours=1)
    assert story.when("vital_signs.recorded", VITALS).codes == ("CONSENT_WITHDRAWN",)
    story.wait(hours=1)
    agreed(story)
    story.wait(hours=1)
    story.given("vital_signs.recorded", VITALS)


def test_infusions_of_the_extension_are_numbered_on() -> None:
    """The first after the calendar's is one of the protocol's once the extension is entered, no sooner."""
    story = given_completed()
    planned, more = scenario.STUDY.infusions, scenario.STUDY.extension
    assert more is not None
    first = planned + 1
    assert "INFUSION_UNKNOWN" in story.when("infusion.ordered", order(story, first), by="sub").codes
    assert enter(story, agreed(story)).codes == ()
    assert "INFUSION_UNKNOWN" not in story.when("infusion.ordered", order(story, first), by="sub").codes
    beyond = planned + more.infusions_max + 1
    assert "INFUSION_UNKNOWN" in story.when("infusion.ordered", order(story, beyond), by="sub").codes
