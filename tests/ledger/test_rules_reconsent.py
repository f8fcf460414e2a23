"""Discussion, defects of consent, consent asked for again, and the authorization taken back (catalogue C)."""

from __future__ import annotations

import pytest

from ledger.participant import Flag
from tests.given_consent import DECISION, defect, discussed, given_consent_of, required
from tests.scenario import (
    REQUEST,
    VITALS,
    Story,
    breaks,
    consent,
    form,
    given_at_bedside,
    given_consented,
    given_eligible,
    given_registered,
    keeps,
    start,
)


def is_held(story: Story) -> bool:
    """Tell whether a gate that depends on consent is held by it."""
    told = story.when("eligibility.confirmed", {"criteria_sha256": "00" * 32}, by="sub")
    return "CONSENT_HELD" in told.codes


@keeps("consent.discussed")
def test_a_discussion_without_a_superior_breaks_nothing() -> None:
    """Discussed and then consented: gates wait for nothing."""
    story = given_registered()
    story.given("consent.discussed", discussed())
    story.given("consent.obtained", consent(story))
    assert not is_held(story)


@breaks("consent.discussed", "SUPERIOR_PRESENT")
@breaks("eligibility.confirmed", "CONSENT_HELD")
@breaks("vital_signs.recorded", "CONSENT_HELD")
def test_a_superior_who_was_present_holds_whatever_depends_on_consent() -> None:
    """The discussion is a breach, gates wait, and a procedure that is done all the same is one too."""
    story = given_registered()
    told = story.when("consent.discussed", discussed(superior=True))
    assert (told.refused, told.codes) == (None, ("SUPERIOR_PRESENT",))
    story.given("consent.obtained", consent(story))
    assert is_held(story)
    vitals = story.when("vital_signs.recorded", VITALS)
    assert (vitals.refused, vitals.codes) == (None, ("CONSENT_HELD",))
    assert story.participant.flags_at(story.now_us) == (Flag.ON_HOLD,)


def test_another_consent_alone_does_not_repair_a_discussion_with_a_superior() -> None:
    """First it is discussed again without the superior, then consent is signed."""
    story = given_registered()
    story.when("consent.discussed", discussed(superior=True))
    story.given("consent.obtained", consent(story))
    story.wait(hours=1)
    story.given("consent.obtained", consent(story))
    assert is_held(story)
    story.wait(hours=1)
    story.given("consent.discussed", discussed())
    story.wait(hours=1)
    story.given("reconsent.obtained", consent(story))
    assert not is_held(story)


@keeps("consent.defect_found")
def test_a_decision_with_the_boards_reference_lifts_what_a_superior_holds() -> None:
    """The ethics committee decides that the consent stands: told of the discussion, it lifts the hold."""
    story = given_registered()
    talk = story.when("consent.discussed", discussed(superior=True))
    story.given("consent.obtained", consent(story))
    story.given("consent.defect_found", defect(talk.event, "superior_present", **DECISION))
    assert not is_held(story)


@breaks("consent.obtained", "CONSENT_DEFECT")
def test_a_defect_holds_gates_and_stands_on_the_consent() -> None:
    """A missing page found later is a breach of the consent; gates wait, procedures do not."""
    story, obtained = given_consent_of()
    story.wait(days=1)
    told = story.given("consent.defect_found", defect(obtained.event))
    assert told.caused == (("CONSENT_DEFECT", obtained.event),)
    assert is_held(story)
    story.given("vital_signs.recorded", VITALS)


@breaks("consent.discussed", "CONSENT_DEFECT")
def test_a_defect_of_a_discussion_holds_gates() -> None:
    """Found later that a superior was there: the discussion has the breach, and gates wait."""
    story = given_registered()
    talk = story.given("consent.discussed", discussed())
    story.given("consent.obtained", consent(story))
    told = story.given("consent.defect_found", defect(talk.event, "superior_present"))
    assert told.caused == (("CONSENT_DEFECT", talk.event),)
    assert is_held(story)


def test_a_decision_lifts_a_defect() -> None:
    """The same defect told with a decision and its reference: gates open; the breach stays."""
    story, obtained = given_consent_of()
    story.given("consent.defect_found", defect(obtained.event))
    story.given("consent.defect_found", defect(obtained.event, **DECISION))
    assert not is_held(story)
    assert any(b.rule == "CONSENT_DEFECT" and b.is_open for b in story.participant.breaches)


def test_a_decision_on_one_defect_leaves_another() -> None:
    """Of two defects one is decided: the other holds."""
    story, obtained = given_consent_of()
    story.given("consent.defect_found", defect(obtained.event))
    story.given("consent.defect_found", defect(obtained.event, "missing_date"))
    story.given("consent.defect_found", defect(obtained.event, **DECISION))
    assert is_held(story)


@keeps("reconsent.obtained")
def test_a_reconsent_lifts_a_defect() -> None:
    """A consent after the defective one lifts it; one with a defect of its own does not."""
    story, obtained = given_consent_of()
    story.given("consent.defect_found", defect(obtained.event))
    story.wait(hours=1)
    again = story.given("reconsent.obtained", consent(story))
    assert not is_held(story)
    story.given("consent.defect_found", defect(again.event))
    assert is_held(story)


@breaks("consent.defect_found", "REFERENCE")
def test_a_defect_is_of_a_consent_or_a_discussion() -> None:
    """What names something else is refused."""
    story = given_consented()
    vitals = story.given("vital_signs.recorded", VITALS)
    assert story.when("consent.defect_found", defect(vitals.event)).refused == "REFERENCE"


@breaks("reconsent.obtained", "CONSENT_DEFECT")
def test_a_reconsent_can_have_a_defect_of_its_own() -> None:
    """The breach stands on the re-consent."""
    story = given_consented()
    again = story.given("reconsent.obtained", consent(story))
    told = story.given("consent.defect_found", defect(again.event, "wrong_version"))
    assert told.caused == (("CONSENT_DEFECT", again.event),)


@keeps("reconsent.required")
def test_a_reconsent_asked_for_holds_nothing_until_its_last_day() -> None:
    """On the last day at the site the infusion starts, and the flag is not raised."""
    story = given_at_bedside()
    story.given("reconsent.required", required("2025-02-03"))
    assert story.participant.consenting.waits_for_reconsent
    story.given("infusion.started", start(), by="nurse")


@breaks("infusion.started", "RECONSENT_OVERDUE")
def test_an_overdue_reconsent_holds_the_start() -> None:
    """Past its last day no infusion starts, and the participant is flagged; re-consent lifts it."""
    story = given_at_bedside()
    asked = story.given("reconsent.required", required("2025-02-02"))
    assert story.when("infusion.started", start(), by="nurse").refused == "RECONSENT_OVERDUE"
    assert Flag.RECONSENT_DUE in story.participant.flags_at(story.now_us)
    story.given("reconsent.obtained", {**consent(story), "statement": asked.event})
    story.given("infusion.started", start(), by="nurse")
    assert not story.participant.consenting.waits_for_reconsent


@keeps("reconsent.declined")
def test_a_refusal_holds_at_once() -> None:
    """Who has declined waits for nothing: no infusion starts although the day has not come."""
    story = given_at_bedside()
    asked = story.given("reconsent.required", required("2025-03-03"))
    story.given("reconsent.declined", {"statement": asked.event, "code": "unwilling"})
    assert story.when("infusion.started", start(), by="nurse").refused == "RECONSENT_OVERDUE"


def test_with_the_boards_word_a_refusal_holds_nothing() -> None:
    """The committee lets the participant go on under the earlier consent."""
    story = given_at_bedside()
    asked = story.given("reconsent.required", required("2025-02-02"))
    declined = {"statement": asked.event, "code": "unwilling", "irb_reference": "IRB-1-R"}
    story.given("reconsent.declined", declined)
    story.given("infusion.started", start(), by="nurse")


@breaks("reconsent.obtained", "RECONSENT_FORM")
def test_a_reconsent_on_another_form_does_not_settle() -> None:
    """Asked for on version 2 and signed on version 1: a breach, and still asked for."""
    story = given_consented()
    asked = story.given("reconsent.required", required(form_version="2"))
    told = story.when("reconsent.obtained", {**consent(story), "statement": asked.event})
    assert (told.refused, told.codes) == (None, ("RECONSENT_FORM",))
    assert story.participant.consenting.waits_for_reconsent


@breaks("reconsent.obtained", "REFERENCE")
@breaks("reconsent.declined", "REFERENCE")
def test_what_answers_a_reconsent_names_what_asked_for_it() -> None:
    """Neither a consent nor a refusal answers something else."""
    story, obtained = given_consent_of()
    again = {**consent(story), "statement": obtained.event}
    assert story.when("reconsent.obtained", again).refused == "REFERENCE"
    declined = {"statement": obtained.event, "code": "unwilling"}
    assert story.when("reconsent.declined", declined).refused == "REFERENCE"


@breaks("reconsent.obtained", "CONSENT_FORM_UNKNOWN", "CONSENT_FORM_INEFFECTIVE", "CONSENT_INCOMPLETE")
def test_a_reconsent_is_judged_like_a_consent() -> None:
    """Form, effect and completeness are asked of it too."""
    story = given_consented()
    told = story.when("reconsent.obtained", consent(story, form_version="7", copy_given=False))
    assert told.codes == ("CONSENT_FORM_UNKNOWN", "CONSENT_INCOMPLETE")
    story.given("consent_form.approved", form("2", "2025-01-05"), by="sponsor", stream="study")
    assert story.when("reconsent.obtained", consent(story)).codes == ("CONSENT_FORM_INEFFECTIVE",)


def test_a_reconsent_covers_procedures() -> None:
    """After consent was withdrawn from visits, a re-consent covers what follows it."""
    story = given_consented()
    story.given("consent.withdrawn", {"scopes": ["visits_and_procedures"], "effective": story.now})
    story.wait(days=1)
    story.given("reconsent.obtained", consent(story))
    story.wait(hours=1)
    story.given("vital_signs.recorded", VITALS)


@keeps("authorization.revoked")
@breaks("demographics.recorded", "CONSENT_WITHDRAWN")
def test_the_authorization_revoked_blocks_data_and_no_treatment() -> None:
    """Data about later times are a breach; gates of screening that collect none are not."""
    story = given_consented()
    story.given("authorization.revoked", {"scopes": ["record_access"], "effective": story.now})
    story.wait(hours=1)
    story.given("vital_signs.recorded", VITALS)
    ehr = {"source": {"kind": "ehr"}}
    assert story.when("demographics.recorded", ehr).codes == ("CONSENT_WITHDRAWN",)


@pytest.mark.parametrize(("authorization", "covered"), [(True, True), (False, False)])
def test_only_a_consent_that_authorizes_gives_the_authorization_again(
    *, authorization: bool, covered: bool
) -> None:
    """A later consent without the authorization does not open data that were closed by revoking it."""
    story = given_consented()
    story.given("authorization.revoked", {"scopes": ["future_data"], "effective": story.now})
    story.wait(days=1)
    story.when("consent.obtained", consent(story, authorization=authorization))
    story.wait(hours=1)
    told = story.when("vital_signs.recorded", VITALS)
    assert ("CONSENT_WITHDRAWN" not in told.codes) is covered


def test_a_defect_that_a_correction_takes_back_holds_no_more() -> None:
    """Voided with the investigator's co-signature, the finding holds nothing (R10)."""
    story = given_eligible()
    consented = next(e for e in story.log if e.statement and e.statement.type == "consent.obtained")
    found = story.given("consent.defect_found", defect(consented.event))
    assert story.when("randomization.requested", REQUEST).refused == "CONSENT_HELD"
    voided = story.given(
        "record.voided",
        {"statement": found.event, "code": "error", "source": {"kind": "paper"}},
        reason="error",
    )
    cosigned = {"as": "approver", "statement": voided.event}
    story.given("record.cosigned", cosigned, by="ines")
    story.given("randomization.requested", REQUEST)


def test_a_superior_who_is_corrected_away_holds_until_the_investigator_signs() -> None:
    """The correction alone opens no gate; with the investigator's co-signature it does (R10)."""
    story = given_registered()
    talk = story.when("consent.discussed", discussed(superior=True))
    story.given("consent.obtained", consent(story))
    change = {"statement": talk.event, "path": "/data/superior_present", "old": True, "new": False}
    origin = {"id": "cora", "kind": "person", "source": "discussion note"}
    corrected = story.given("correction.made", change, reason="misread", originator=origin)
    assert is_held(story)
    story.given("record.cosigned", {"as": "approver", "statement": corrected.event}, by="ines")
    assert not is_held(story)
