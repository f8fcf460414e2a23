"""Who learned an allocation, and how: disclosures, emergencies, envelopes, drills, errors (catalogue D)."""

from __future__ import annotations

from tests.given_blinding import (
    SAFETY,
    allocation_of,
    checked,
    given_second_stage,
    issued,
    performed,
)
from tests.scenario import PARTICIPANT, SOURCE, Story, breaks, given_randomized, keeps

ON_CALL = {"by": "oncall", "stream": SAFETY}
KEEPER = {"by": "keeper", "stream": SAFETY}


def given_envelope() -> Story:
    """A randomized participant with an envelope at the site."""
    story = given_randomized()
    story.given("unblinding.envelope_issued", issued(story), **KEEPER)
    return story


@keeps("unblinding.performed")
def test_an_emergency_unblinding_by_anybody_on_call() -> None:
    """It names the allocation and the person who was shown it, and nobody else is unblinded by it."""
    story = given_randomized()
    story.given("unblinding.performed", performed(story, disclosed_to=["ines"]), reason="overdose", **ON_CALL)
    unblinding, end = story.conduct.study.unblinding, len(story.log)
    assert unblinding.unblinded(PARTICIPANT, end)
    assert [p for p in ("oncall", "ines", "sub") if unblinding.shown_to(p, PARTICIPANT, end)] == [
        "oncall",
        "ines",
    ]
    assert not unblinding.unblinded(PARTICIPANT, end - 1)
    assert story.participant.breaches == ()


@breaks("unblinding.performed", "ALLOCATION_NOT_CURRENT")
def test_the_allocation_opened_is_the_newest() -> None:
    """After stage 2 the allocation of stage 1 is not the current regimen any more."""
    story = given_randomized()
    first = allocation_of(story)
    story = given_second_stage()
    assert allocation_of(story) != first
    told = story.when("unblinding.performed", performed(story, statement=first), reason="fall", **ON_CALL)
    assert told.refused == "REFERENCE"  # of another story: no statement of this log
    first = story.conduct.study.draws[0].event
    told = story.when("unblinding.performed", performed(story, statement=first), reason="fall", **ON_CALL)
    assert told.codes == ("ALLOCATION_NOT_CURRENT",)


@breaks("unblinding.performed", "ENVELOPE_UNKNOWN")
def test_an_envelope_that_was_opened_was_issued() -> None:
    """An envelope that nobody issued, or that was another participant's."""
    story = given_envelope()
    data = performed(story, means="envelope", envelope="ENV-9")
    assert story.when("unblinding.performed", data, reason="fall", **ON_CALL).codes == ("ENVELOPE_UNKNOWN",)


@keeps("unblinding.envelope_issued", "unblinding.envelope_checked")
def test_an_envelope_is_issued_and_found_intact() -> None:
    """Issued once, and each check finds it with its own seal."""
    story = given_envelope()
    story.given("unblinding.envelope_checked", checked(seal="Seal 1"), by="ines", stream=SAFETY)


@breaks("unblinding.envelope_issued", "ENVELOPE_REPEATED", "ENVELOPE_UNKNOWN", "ALLOCATION_NOT_CURRENT")
def test_an_envelope_is_new_and_of_the_current_regimen() -> None:
    """Its id is used once, what it replaces was issued, what it holds is the newest allocation."""
    story = given_envelope()
    told = story.when("unblinding.envelope_issued", issued(story), **KEEPER)
    assert told.codes == ("ENVELOPE_REPEATED",)
    told = story.when("unblinding.envelope_issued", issued(story, envelope="E2", replaces="E9"), **KEEPER)
    assert told.codes == ("ENVELOPE_UNKNOWN",)
    story = given_second_stage()
    old = issued(story, envelope="E3", statement=story.conduct.study.draws[0].event)
    assert story.when("unblinding.envelope_issued", old, **KEEPER).codes == ("ALLOCATION_NOT_CURRENT",)


@breaks("unblinding.envelope_checked", "ENVELOPE_UNEXPLAINED")
def test_an_open_envelope_without_an_unblinding_is_flagged() -> None:
    """Open or missing, and nobody said why; once the unblinding is recorded it is explained."""
    story = given_envelope()
    for found in ("opened", "missing"):
        told = story.when("unblinding.envelope_checked", checked(found=found), by="ines", stream=SAFETY)
        assert told.codes == ("ENVELOPE_UNEXPLAINED",)
    data = performed(story, means="envelope", envelope="ENV-1")
    story.given("unblinding.performed", data, reason="outage", **ON_CALL)
    story.given("unblinding.envelope_checked", checked(found="opened"), by="ines", stream=SAFETY)


@breaks("unblinding.envelope_checked", "ENVELOPE_UNKNOWN", "ENVELOPE_SEAL")
def test_a_strange_envelope_or_seal_is_flagged() -> None:
    """Another envelope, or another seal on it, is a trace of somebody who looked."""
    story = given_envelope()
    told = story.when("unblinding.envelope_checked", checked(envelope="E9"), by="ines", stream=SAFETY)
    assert told.codes == ("ENVELOPE_UNKNOWN",)
    told = story.when("unblinding.envelope_checked", checked(seal="Seal 2"), by="ines", stream=SAFETY)
    assert told.codes == ("ENVELOPE_SEAL",)


def disclosed(to: str) -> dict[str, object]:
    """Return the data of a disclosure."""
    return {"to": to, "list": "main", "participants": [PARTICIPANT], "purpose": "analysis", "source": SOURCE}


@keeps("allocation.disclosed")
@breaks("allocation.disclosed", "DISCLOSED_TO_BLINDED")
def test_allocations_are_disclosed_to_unblinded_roles() -> None:
    """The statistician may know; a coordinator or somebody unknown may not: recorded all the same."""
    story = given_randomized()
    story.given("allocation.disclosed", disclosed("stat"), **KEEPER)
    for person in ("cora", "nobody"):
        told = story.when("allocation.disclosed", disclosed(person), **KEEPER)
        assert told.refused is None
        assert told.codes == ("DISCLOSED_TO_BLINDED",)


def planned(*to: str) -> dict[str, object]:
    """Return the data of a planned unblinding."""
    return {
        "purpose": "interim_analysis", "authority": "Charter 1.0", "participants": [PARTICIPANT],
        "disclosed_to": list(to), "date": "2025-06", "source": SOURCE,
    }  # fmt: skip


@keeps("unblinding.planned")
@breaks("unblinding.planned", "DISCLOSED_TO_BLINDED")
def test_a_planned_unblinding_waits_for_the_lock_where_it_is_of_the_blinded() -> None:
    """Unblinded roles at any time; who is blinded after the database is locked."""
    story = given_randomized()
    story.given("unblinding.planned", planned("stat"), by="stat", stream=SAFETY)
    told = story.when("unblinding.planned", planned("stat", "ines"), by="stat", stream=SAFETY)
    assert told.codes == ("DISCLOSED_TO_BLINDED",)


@keeps("unblinding.drill_done")
@breaks("unblinding.drill_done", "DRILL_UNANSWERED")
def test_a_drill_is_answered() -> None:
    """A drill that nobody answered is a breach for somebody to look into."""
    story = given_randomized()
    drill = {"site": "SA-01", "channel": "phone", "log_frozen": False, "source": SOURCE}
    story.given("unblinding.drill_done", {**drill, "answered": True, "took_s": 20}, **ON_CALL)
    told = story.when("unblinding.drill_done", {**drill, "answered": False}, **ON_CALL)
    assert told.codes == ("DRILL_UNANSWERED",)


@keeps("unblinding.inadvertent", "randomization.error_recorded")
def test_what_went_wrong_is_told_and_nothing_is_drawn_again() -> None:
    """An inadvertent unblinding and an error of randomization are facts; the allocation stays as it is."""
    story = given_randomized()
    before = story.participant.randomizations
    data = {
        "participants": [PARTICIPANT], "learned": ["rater"], "how": "label_seen", "noticed": story.now,
        "source": SOURCE,
    }  # fmt: skip
    story.given("unblinding.inadvertent", data, by="cora", stream=SAFETY)
    error = {"what": "wrong_stratum", "impact": "kept", "participant": PARTICIPANT, "source": SOURCE}
    story.given("randomization.error_recorded", error, by="ines", stream=SAFETY)
    assert story.participant.randomizations == before
