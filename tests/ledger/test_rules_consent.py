"""Consent: forms in effect, order of consent and procedures, withdrawal by scope (catalogue C)."""

from __future__ import annotations

from typing import Any

import pytest

from ledger.participant import Status
from tests.given_safety import defined, value
from tests.scenario import (
    PARTICIPANT,
    REQUEST,
    VITALS,
    Story,
    adverse_event,
    breaks,
    consent,
    form,
    given_at_bedside,
    given_consented,
    given_eligible,
    given_enrolling,
    given_infused,
    given_registered,
    keeps,
    start,
)


@keeps("participant.registered", "consent.obtained")
def test_consent_makes_a_participant_consented() -> None:
    """The status follows the consent."""
    story = given_registered()
    assert story.participant.status is Status.PRE_SCREENED
    story.given("consent.obtained", consent(story))
    assert story.participant.status is Status.CONSENTED


@breaks("consent.obtained", "CONSENT_FORM_UNKNOWN")
def test_an_unknown_form_is_flagged() -> None:
    """A consent on a form that nobody approved is a fact and a breach."""
    story = given_registered()
    told = story.when("consent.obtained", consent(story, form_version="7"))
    assert (told.refused, told.codes) == (None, ("CONSENT_FORM_UNKNOWN",))


def test_another_document_under_the_same_version_is_flagged() -> None:
    """Version, language and hash belong together."""
    story = given_registered()
    told = story.when("consent.obtained", consent(story, form_sha256="00" * 32))
    assert told.codes == ("CONSENT_FORM_UNKNOWN",)


@breaks("consent.obtained", "CONSENT_FORM_INEFFECTIVE")
def test_a_superseded_form_is_flagged() -> None:
    """With version 2 in effect since the day before, version 1 is the wrong one."""
    story = given_registered()
    story.given("consent_form.approved", form("2", "2025-01-05"), by="sponsor", stream="study")
    told = story.when("consent.obtained", consent(story))
    assert told.codes == ("CONSENT_FORM_INEFFECTIVE",)


def test_a_form_is_judged_at_the_participants_own_time() -> None:
    """Signed before version 2 came into effect and entered after, version 1 was right."""
    story = given_registered()
    signed = story.now
    story.wait(days=1)
    story.given("consent_form.approved", form("2", "2025-01-07"), by="sponsor", stream="study")
    story.given("consent.obtained", consent(story, time=signed), occurred=signed)


@keeps("consent.obtained")
def test_forms_that_the_protocol_asks_for_beside_one_another_are_both_in_effect(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A parent's consent and a child's assent: neither supersedes the other, a newer one of its own does."""

    def minors(root: dict[str, Any]) -> None:
        root["consent_versions"] = [
            {"id": value(name), "part": value("core"), "version": value(version), "languages": value(["en"])}
            for name, version in (("parent", "1"), ("assent", "A1"))
        ]

    monkeypatch.setattr("tests.scenario.DEFINITION", defined(minors))
    story = given_registered()
    story.given("consent_form.approved", form("A1", "2025-01-03"), by="sponsor", stream="study")
    story.given("consent.obtained", consent(story))
    story.given("consent.obtained", consent(story, form_version="A1"))
    story.given("consent_form.approved", form("2", "2025-01-04"), by="sponsor", stream="study")
    told = story.when("consent.obtained", consent(story))
    assert told.codes == ("CONSENT_FORM_INEFFECTIVE",)


def test_a_form_of_another_part_of_the_study_is_flagged(monkeypatch: pytest.MonkeyPatch) -> None:
    """The extension's form, in effect for the extension, is no consent to the core study."""

    def extended(root: dict[str, Any]) -> None:
        root["consent_versions"] = [
            {"id": value(part), "part": value(part), "version": value(version), "languages": value(["en"])}
            for part, version in (("core", "1"), ("extension", "X1"))
        ]

    monkeypatch.setattr("tests.scenario.DEFINITION", defined(extended))
    story = given_registered()
    story.given("consent_form.approved", form("X1", "2025-01-03"), by="sponsor", stream="study")
    told = story.when("consent.obtained", consent(story, form_version="X1"))
    assert told.codes == ("CONSENT_FORM_INEFFECTIVE",)
    story.given("consent.obtained", consent(story))
    codes = story.when("extension.consented", consent(story)).codes
    assert "CONSENT_FORM_INEFFECTIVE" in codes
    assert (
        "CONSENT_FORM_INEFFECTIVE"
        not in story.when("extension.consented", consent(story, form_version="X1")).codes
    )


def test_a_form_of_another_site_is_flagged() -> None:
    """A form approved for one site is not in effect at another."""
    story = given_registered()
    story.given(
        "consent_form.approved", form("2", "2025-01-05") | {"sites": ["SD-02"]}, by="sponsor", stream="study"
    )
    story.given("consent.obtained", consent(story))
    told = story.when("consent.obtained", consent(story, form_version="2"))
    assert told.codes == ("CONSENT_FORM_INEFFECTIVE",)


@breaks("consent.obtained", "CONSENT_INCOMPLETE")
@pytest.mark.parametrize("lacking", ["authorization", "copy_given"])
def test_an_incomplete_consent_is_flagged(lacking: str) -> None:
    """Without authorization or a copy for the participant the consent is a breach."""
    story = given_registered()
    told = story.when("consent.obtained", consent(story, **{lacking: False}))
    assert told.codes == ("CONSENT_INCOMPLETE",)


def test_the_consenter_is_judged() -> None:
    """Who took the consent was delegated to, whoever enters it (R2b)."""
    story = given_registered()
    told = story.when("consent.obtained", consent(story, consenter="new"), by="cora")
    assert told.codes == ("NOT_DELEGATED", "NOT_TRAINED")


@breaks("vital_signs.recorded", "CONSENT_MISSING")
def test_a_procedure_without_consent_is_a_breach() -> None:
    """Vital signs of somebody who has not consented are recorded, with their breach."""
    story = given_registered()
    told = story.when("vital_signs.recorded", VITALS)
    assert (told.refused, told.codes) == (None, ("CONSENT_MISSING",))


@breaks("vital_signs.recorded", "PROCEDURE_BEFORE_CONSENT")
def test_a_procedure_before_consent_is_a_breach() -> None:
    """Taken before the consent was signed: a breach by clinical times, whatever the order of entries."""
    story = given_consented()
    told = story.when("vital_signs.recorded", VITALS, occurred=story.ago(minutes=5))
    assert told.codes == ("PROCEDURE_BEFORE_CONSENT",)


@breaks("vital_signs.recorded", "CONSENT_ORDER_UNCLEAR")
def test_a_date_only_cannot_tell() -> None:
    """Consent and procedure on the same day, one without a time: the order is unclear."""
    story = given_registered()
    story.given("consent.obtained", consent(story, time="2025-01-06"))
    assert story.when("vital_signs.recorded", VITALS).codes == ("CONSENT_ORDER_UNCLEAR",)


def test_a_consent_entered_late_closes_what_it_covers() -> None:
    """Paper consent of nine o'clock, entered after the vital signs of ten: closed by the consent's index."""
    story = given_registered()
    signed = story.now
    story.wait(hours=1)
    vitals = story.when("vital_signs.recorded", VITALS)
    entered = story.given("consent.obtained", consent(story, time=signed))
    assert entered.caused == ()
    assert story.breach(vitals, "CONSENT_MISSING").closed == entered.index


def test_a_consent_entered_late_brings_out_what_it_does_not_cover() -> None:
    """Consent signed after the procedure: what was missing becomes a procedure before consent."""
    story = given_registered()
    vitals = story.when("vital_signs.recorded", VITALS)
    story.wait(hours=1)
    entered = story.when("consent.obtained", consent(story))
    assert entered.caused == (("PROCEDURE_BEFORE_CONSENT", vitals.event),)
    assert story.breach(vitals, "CONSENT_MISSING").closed == entered.index
    assert story.breach(vitals, "PROCEDURE_BEFORE_CONSENT").is_open


def test_a_late_date_only_consent_leaves_the_order_unclear() -> None:
    """A date alone cannot say that consent came before the vital signs of that day."""
    story = given_registered()
    vitals = story.when("vital_signs.recorded", VITALS)
    entered = story.when("consent.obtained", consent(story, time="2025-01-06"))
    assert entered.caused == (("CONSENT_ORDER_UNCLEAR", vitals.event),)


@breaks("eligibility.confirmed", "CONSENT_MISSING")
def test_gates_need_the_consent_in_the_log() -> None:
    """Eligibility cannot be confirmed for somebody without consent."""
    story = given_registered()
    told = story.when("eligibility.confirmed", {"criteria_sha256": "00" * 32}, by="sub")
    assert told.refused == "CONSENT_MISSING"


def test_a_consent_still_to_come_opens_no_gate() -> None:
    """A consent whose time lies after now does not count for a gate."""
    story = given_registered()
    story.given("consent.obtained", consent(story, time=story.ago(days=-1)))
    told = story.when("eligibility.confirmed", {"criteria_sha256": "00" * 32}, by="sub")
    assert told.refused == "CONSENT_MISSING"


WITHDRAWALS = {
    "study_treatment": ("dose.administered", "vital_signs.recorded"),
    "visits_and_procedures": ("vital_signs.recorded", "demographics.recorded"),
    "future_data": ("demographics.recorded", "medication.started"),
}
DATA = {
    "dose.administered": {
        "infusion": 1, "volume": {"value": "1", "unit": "mL"}, "percent_given": "0",
        "start": "2025-02-03", "end": "2025-02-03",
    },
    "vital_signs.recorded": VITALS,
    "demographics.recorded": {},
    "medication.started": {"medication": "M1", "class": "analgesics", "start": "2025-01"},
}  # fmt: skip


@pytest.mark.parametrize("scope", WITHDRAWALS)
def test_a_withdrawal_blocks_its_scope_and_no_more(scope: str) -> None:
    """Collection within the scope after the withdrawal is a breach; outside it is none."""
    story = given_consented()
    blocked, free = WITHDRAWALS[scope]
    story.given("consent.withdrawn", {"scopes": [scope], "effective": story.now})
    story.wait(hours=1)
    assert "CONSENT_WITHDRAWN" in story.when(blocked, DATA[blocked]).codes
    assert "CONSENT_WITHDRAWN" not in story.when(free, DATA[free]).codes


@keeps("consent.withdrawn")
def test_a_withdrawal_does_not_reach_back() -> None:
    """What was collected before, entered later, is covered."""
    story = given_consented()
    taken = story.now
    story.wait(hours=1)
    story.given("consent.withdrawn", {"scopes": ["future_data"], "effective": story.now})
    story.wait(hours=1)
    story.given("vital_signs.recorded", VITALS, occurred=taken)


def test_a_withdrawal_is_never_refused_and_safety_stays_possible() -> None:
    """Everything withdrawn: adverse events are recorded without a breach of consent."""
    story = given_consented()
    scopes = ["study_treatment", "visits_and_procedures", "contact", "record_access", "future_data"]
    story.given("consent.withdrawn", {"scopes": scopes, "effective": "2025-01-06"})
    story.goto("2025-02-03T15:00:00.000000Z")
    story.given("adverse_event.reported", adverse_event())


@breaks("contact.attempted", "CONSENT_WITHDRAWN")
@breaks("survival_status.recorded", "CONSENT_WITHDRAWN")
def test_contact_withdrawn_blocks_phone_visits() -> None:
    """A phone visit after contact was withdrawn is a breach, a visit in person is not."""
    story = given_consented()
    story.given("consent.withdrawn", {"scopes": ["contact"], "effective": story.now})
    story.wait(hours=1)
    story.given("visit.started", {"visit": "screening", "mode": "in_person"})
    told = story.when("visit.started", {"visit": "unscheduled", "mode": "phone"})
    assert told.codes == ("CONSENT_WITHDRAWN",)
    assert story.when("contact.attempted", {"method": "phone"}).codes == ("CONSENT_WITHDRAWN",)
    asked = {"status": "alive", "as_of": "2025-01", "known_from": "next_of_kin"}
    assert story.when("survival_status.recorded", asked).codes == ("CONSENT_WITHDRAWN",)


def test_record_access_withdrawn_blocks_health_records() -> None:
    """What comes from health records after their access was withdrawn is a breach."""
    story = given_consented()
    story.given("consent.withdrawn", {"scopes": ["record_access"], "effective": story.now})
    story.wait(hours=1)
    story.given("vital_signs.recorded", VITALS)
    assert story.when("vital_signs.recorded", {**VITALS, "source": {"kind": "ehr"}}).codes == (
        "CONSENT_WITHDRAWN",
    )


@breaks("randomization.requested", "CONSENT_WITHDRAWN")
def test_treatment_withdrawn_refuses_gates() -> None:
    """Nobody is randomized or infused whose consent to treatment was withdrawn."""
    story = given_eligible()
    story.given("consent.withdrawn", {"scopes": ["study_treatment"], "effective": story.now})
    assert story.when("randomization.requested", REQUEST).refused == "CONSENT_WITHDRAWN"


@breaks("infusion.started", "CONSENT_WITHDRAWN")
def test_treatment_withdrawn_stops_the_next_infusion() -> None:
    """A dose at the bedside is not started after the withdrawal."""
    story = given_at_bedside()
    story.given("consent.withdrawn", {"scopes": ["study_treatment"], "effective": story.now})
    assert story.when("infusion.started", start(), by="nurse").refused == "CONSENT_WITHDRAWN"


def test_consent_given_again_counts() -> None:
    """A consent after the withdrawal covers what follows it."""
    story = given_consented()
    story.given("consent.withdrawn", {"scopes": ["visits_and_procedures"], "effective": story.now})
    story.wait(days=1)
    story.given("consent.obtained", consent(story))
    story.wait(hours=1)
    story.given("vital_signs.recorded", VITALS)


@breaks("participant.registered", "ID_REUSED", "PARTICIPANT_ID")
def test_an_id_is_registered_once_and_in_its_own_stream() -> None:
    """The same id again, and another id than the stream's, are refused."""
    story = given_registered()
    assert story.when("participant.registered", {"participant": PARTICIPANT}).refused == "ID_REUSED"
    told = story.when("participant.registered", {"participant": "P9"}, stream="participant/P8")
    assert told.refused == "PARTICIPANT_ID"


@breaks("participant.registered", "CLASS_STREAM")
def test_the_id_of_an_account_is_no_participants() -> None:
    """A participant id that a person's account has would name the participant in a control statement."""
    story = given_enrolling()
    told = story.when("participant.registered", {"participant": "cora"}, stream="participant/cora")
    assert told.refused == "CLASS_STREAM"


@breaks("participant.registered", "STUDY_NOT_REGISTERED")
def test_nobody_is_registered_before_the_study() -> None:
    """A registration comes after that of the study."""
    told = Story().when("participant.registered", {"participant": PARTICIPANT})
    assert "STUDY_NOT_REGISTERED" in told.codes


@keeps("survival_status.recorded")
def test_a_public_record_stays_open_after_everything_was_withdrawn() -> None:
    """Whether a participant lives may be looked up in public records after any withdrawal."""
    story = given_consented()
    scopes = ["study_treatment", "visits_and_procedures", "contact", "record_access", "future_data"]
    story.given("consent.withdrawn", {"scopes": scopes, "effective": story.now})
    story.wait(days=1)
    looked_up = {"status": "alive", "as_of": "2025-01", "known_from": "public_record"}
    story.given("survival_status.recorded", looked_up)


@keeps("demographics.recorded", "medical_history.recorded", "prior_therapy.recorded", "participant.informed")
def test_what_is_told_after_consent_breaks_nothing() -> None:
    """History, therapies, demographics, and what the participant is told of results."""
    story = given_consented()
    story.given("demographics.recorded", {})
    story.given("medical_history.recorded", {"ongoing": True, "onset": "2019"})
    story.given("prior_therapy.recorded", {"class": "anticonvulsant", "ongoing": False, "end": "2024"})
    story.given("participant.informed", {"of": "individual_results", "informed_by": "sub"})


@pytest.mark.parametrize(
    ("type_", "data"),
    [
        ("medical_history.recorded", {"ongoing": True}),
        ("prior_therapy.recorded", {"class": "opioid", "ongoing": True}),
        ("pregnancy_test.performed", {"specimen": "urine", "result": "negative"}),
        ("childbearing_potential.changed", {"potential": "no", "code": "postmenopausal"}),
    ],
)
def test_every_procedure_depends_on_consent(type_: str, data: dict[str, object]) -> None:
    """Whatever is done to a participant or collected of one before consent is a breach."""
    story = given_registered()
    assert story.when(type_, data).codes == ("CONSENT_MISSING",)


def test_who_was_infused_is_observed_whatever_was_withdrawn_since() -> None:
    """The duty of safety after an infusion stays, everything else of the visit does not."""
    story = given_infused()
    story.given("consent.withdrawn", {"scopes": ["visits_and_procedures"], "effective": story.now})
    story.wait(minutes=30)
    score = {"scale": "S", "score": 0}
    observed = {
        "infusion": 1, "minutes_after": 30, "sedation": score, "dissociation": score, "escort": True,
        "fit_to_leave": True,
    }  # fmt: skip
    assert "CONSENT_WITHDRAWN" not in story.when("postinfusion.observed", observed, by="nurse").codes
    assert story.when("vital_signs.recorded", VITALS).codes == ("CONSENT_WITHDRAWN",)
