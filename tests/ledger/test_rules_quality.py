"""Corrections, voidings, co-signatures, and how they fold a participant again (catalogue H, R9, R10)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ledger.actions.registry import all_specs
from ledger.envelope import EventHash
from ledger.participant import Status
from ledger.rules import refold
from ledger.rules.stream import view_of
from tests.given_quality import CHART, PULSE, correct, cosign, given_vitals, void
from tests.scenario import (
    PARTICIPANT,
    REQUEST,
    SITE,
    STUDY,
    VITALS,
    Story,
    Told,
    adverse_event,
    breaks,
    consent,
    form,
    given_at_bedside,
    given_consented,
    given_eligible,
    given_enrolling,
    given_infused,
    given_randomized,
    given_registered,
    irb,
    keeps,
    start,
)

# The form of a correction


@keeps("correction.made")
def test_a_correction_is_accepted() -> None:
    """Old value, new value and a reason: a correction breaks nothing and causes nothing."""
    story, vitals = given_vitals()
    told = correct(story, vitals, PULSE, "72", "73")
    assert (told.refused, told.codes, told.caused) == (None, (), ())


@breaks("correction.made", "CORRECTION_OLD_MISMATCH")
def test_a_correction_starts_from_the_present_value() -> None:
    """After a first correction, old is what it made of the value, not what was first written."""
    story, vitals = given_vitals()
    correct(story, vitals, PULSE, "72", "73")
    assert correct(story, vitals, PULSE, "72", "74").refused == "CORRECTION_OLD_MISMATCH"
    assert correct(story, vitals, PULSE, "73", "74").refused is None


def test_old_is_compared_as_json() -> None:
    """True is not 1."""
    story = given_infused()
    event = story.given("adverse_event.reported", adverse_event())
    assert correct(story, event, "/data/grade", True, 2).refused == "CORRECTION_OLD_MISMATCH"


@breaks("correction.made", "CORRECTION_TARGET")
def test_a_correction_names_the_original() -> None:
    """A correction of a correction names the statement that both correct."""
    story, vitals = given_vitals()
    first = correct(story, vitals, PULSE, "72", "73")
    assert correct(story, first, "/data/new", "73", "74").refused == "CORRECTION_TARGET"


@breaks("correction.made", "REFERENCE")
def test_a_correction_names_an_earlier_statement_of_its_stream() -> None:
    """An event of another stream, or none, is no target."""
    story, _ = given_vitals()
    granted = next(e for e in story.log if e.statement and e.statement.type == "delegation.granted")
    other = Told(event=granted.event, index=granted.index, refused=None, codes=())
    assert correct(story, other, "/data/from", "2025-01-06", "2025-01-07").refused == "REFERENCE"


@breaks("correction.made", "CORRECTION_PATH")
@pytest.mark.parametrize(
    "path", ["/data/measurements/7/quantity/value", "/data/nothing/here", "/data/visit/x"]
)
def test_a_path_leads_somewhere(path: str) -> None:
    """A path whose parent is not there is refused."""
    story, vitals = given_vitals()
    assert correct(story, vitals, path, None, "1").refused == "CORRECTION_PATH"


@breaks("correction.made", "CORRECTION_MALFORMED")
@pytest.mark.parametrize(
    ("path", "old", "new"),
    [
        (PULSE, "72", 73),
        (PULSE, "72", "72"),
        ("/data/measurements/0/quantity/unit", "/min", None),
        ("/data/position", None, "upside_down"),
        ("/protocol", None, 7),
        ("/originator", None, {"id": "x"}),
        ("/originator", None, {"id": "x", "kind": "ghost"}),
    ],
)
def test_what_is_corrected_keeps_its_form(path: str, old: Any, new: Any) -> None:
    """A new value that the type could not have, or that is the old one, is refused."""
    story, vitals = given_vitals()
    assert correct(story, vitals, path, old, new).refused == "CORRECTION_MALFORMED"


def test_an_absent_member_is_null() -> None:
    """An optional member is added from null, and taken out to null."""
    story, vitals = given_vitals()
    assert correct(story, vitals, "/data/position", None, "supine").refused is None
    assert correct(story, vitals, "/data/position", "supine", None).refused is None


def test_the_originator_can_be_corrected() -> None:
    """From none to one, and from that one on."""
    story, vitals = given_vitals()
    device = {"id": "monitor-3", "kind": "device"}
    assert correct(story, vitals, "/originator", None, device).refused is None
    assert correct(story, vitals, "/originator", None, CHART).refused == "CORRECTION_OLD_MISMATCH"
    assert correct(story, vitals, "/originator", device, CHART).refused is None


@breaks("correction.made", "TIME_IN_FUTURE")
def test_a_time_cannot_be_corrected_into_the_future() -> None:
    """The new time is judged by when the original was recorded."""
    story = given_consented()
    occurred = story.now
    vitals = story.given("vital_signs.recorded", VITALS, occurred=occurred)
    story.wait(hours=2)
    assert correct(story, vitals, "/occurred_at", occurred, story.now).refused == "TIME_IN_FUTURE"


@breaks("correction.made", "LOCAL_TIME_NONEXISTENT")
def test_a_time_cannot_be_corrected_to_one_that_does_not_exist() -> None:
    """On 9 March 2025 the clocks at the site went from 02:00 to 03:00."""
    story = given_consented()
    story.goto("2025-03-09T15:00:00.000000Z")
    occurred = story.now
    vitals = story.given("vital_signs.recorded", VITALS, occurred=occurred)
    told = correct(story, vitals, "/occurred_at", occurred, "2025-03-09T02:30:00-06:00")
    assert told.refused == "LOCAL_TIME_NONEXISTENT"


@breaks("correction.made", "CORRECTION_SEALED")
def test_a_sealed_value_is_corrected_by_sealed_values() -> None:
    """A sealed path takes schema 2, a plain one schema 1."""
    story = given_infused()
    event = story.given("adverse_event.reported", adverse_event())
    plain = {"statement": event.event, "path": "/data/verbatim", "old": None, "new": "headache"}
    assert story.when("correction.made", plain, reason="wording").refused == "CORRECTION_SEALED"
    sealed = {"statement": event.event, "path": "/data/verbatim"}
    assert story.when("correction.made", sealed, reason="wording", schema=2).refused is None
    sealed = {"statement": event.event, "path": "/data/grade"}
    assert story.when("correction.made", sealed, reason="wording", schema=2).refused == "CORRECTION_SEALED"


@breaks("correction.made", "CORRECTION_ROLE")
@pytest.mark.parametrize("signer", ["monitor", "sponsor"])
def test_neither_monitor_nor_sponsor_corrects(signer: str) -> None:
    """The site corrects its own records."""
    story, vitals = given_vitals()
    assert correct(story, vitals, PULSE, "72", "73", by=signer).refused == "CORRECTION_ROLE"


def test_what_the_service_stated_is_not_corrected() -> None:
    """An allocation is never changed."""
    story = given_randomized()
    answer = story.log[-1]
    target = Told(event=answer.event, index=answer.index, refused=None, codes=())
    assert correct(story, target, "/data/list_index", 0, 1).refused == "CORRECTION_TARGET"


def test_what_is_voided_is_not_corrected() -> None:
    """A struck record has no values any more."""
    story, vitals = given_vitals()
    void(story, vitals)
    assert correct(story, vitals, PULSE, "72", "73").refused == "CORRECTION_TARGET"


# What a correction causes


def test_a_corrected_time_brings_out_a_breach_at_once() -> None:
    """Moved before the consent, the vital signs become a breach, found at the correction's index."""
    story = given_consented()
    occurred = story.now
    vitals = story.given("vital_signs.recorded", VITALS, occurred=occurred)
    told = correct(story, vitals, "/occurred_at", occurred, story.ago(minutes=7))
    assert told.caused == (("PROCEDURE_BEFORE_CONSENT", vitals.event),)
    breach = story.breach(vitals, "PROCEDURE_BEFORE_CONSENT")
    assert (breach.index, breach.found, breach.is_open) == (vitals.index, told.index, True)
    assert story.conduct.unrecorded() == ()


def given_early() -> tuple[Story, Told, str, str]:
    """Return vital signs written as taken before consent, the time written and the true one."""
    story = given_consented()
    true, written = story.now, story.ago(minutes=4)
    told = story.when("vital_signs.recorded", VITALS, occurred=written)
    assert told.codes == ("PROCEDURE_BEFORE_CONSENT",)
    return story, told, written, true


def test_a_breach_does_not_vanish_by_correction_alone() -> None:
    """The corrected time would be right: the breach stays open, pending on the correction."""
    story, vitals, written, true = given_early()
    told = correct(story, vitals, "/occurred_at", written, true, originator=CHART)
    breach = story.breach(vitals, "PROCEDURE_BEFORE_CONSENT")
    assert (breach.is_open, breach.pending) == (True, told.event)


@keeps("record.cosigned")
def test_the_investigators_cosignature_closes_it() -> None:
    """With source and co-signature the breach is closed, by the index of the co-signature."""
    story, vitals, written, true = given_early()
    correction = correct(story, vitals, "/occurred_at", written, true, originator=CHART)
    signed = cosign(story, correction)
    assert (signed.refused, signed.codes) == (None, ())
    breach = story.breach(vitals, "PROCEDURE_BEFORE_CONSENT")
    assert (breach.closed, breach.pending) == (signed.index, None)
    assert story.participant.pending == ()


def test_without_source_a_cosignature_closes_nothing() -> None:
    """A correction that rests on nothing leaves the breach open."""
    story, vitals, written, true = given_early()
    correction = correct(story, vitals, "/occurred_at", written, true)
    cosign(story, correction)
    assert story.breach(vitals, "PROCEDURE_BEFORE_CONSENT").is_open


@breaks("record.cosigned", "SAME_PERSON")
def test_nobody_cosigns_their_own() -> None:
    """The second person is another one."""
    story, vitals, written, true = given_early()
    correction = correct(story, vitals, "/occurred_at", written, true, by="sub", originator=CHART)
    assert cosign(story, correction, by="sub").refused == "SAME_PERSON"


@breaks("record.cosigned", "COSIGNER_NOT_ALLOWED")
def test_only_a_physician_settles_a_correction() -> None:
    """A nurse's co-signature is recorded and flagged, and closes nothing."""
    story, vitals, written, true = given_early()
    correction = correct(story, vitals, "/occurred_at", written, true, originator=CHART)
    assert cosign(story, correction, by="nurse").codes == ("COSIGNER_NOT_ALLOWED",)
    assert story.breach(vitals, "PROCEDURE_BEFORE_CONSENT").is_open


@breaks("record.cosigned", "REFERENCE")
def test_a_cosignature_names_an_earlier_statement() -> None:
    """Nothing is cosigned that is not in the stream."""
    story, vitals = given_vitals()
    told = Told(event=EventHash(vitals.event[::-1]), index=0, refused=None, codes=())
    assert cosign(story, told).refused == "REFERENCE"


@breaks("correction.made", "COSIGNATURE_OVERDUE")
def test_a_cosignature_that_is_overdue_is_flagged_once() -> None:
    """After 24 hours without it, the next entry of the participant brings the breach out."""
    story, vitals, written, true = given_early()
    correction = correct(story, vitals, "/occurred_at", written, true, originator=CHART)
    story.wait(hours=25)
    told = story.when("vital_signs.recorded", VITALS)
    assert told.caused == (("COSIGNATURE_OVERDUE", correction.event),)
    assert story.when("vital_signs.recorded", VITALS).caused == ()
    assert story.conduct.unrecorded() == ()


def test_a_breach_that_comes_back_is_a_new_one() -> None:
    """Closed by a correction and brought out by the next, the breach is found and recorded again."""
    story, vitals, written, true = given_early()
    cosign(story, correct(story, vitals, "/occurred_at", written, true, originator=CHART))
    told = correct(story, vitals, "/occurred_at", true, written)
    assert told.caused == (("PROCEDURE_BEFORE_CONSENT", vitals.event),)
    assert len([b for b in story.participant.breaches if b.rule == "PROCEDURE_BEFORE_CONSENT"]) == 2
    assert story.conduct.unrecorded() == ()


def test_a_corrected_criterion_takes_eligibility_back_into_doubt() -> None:
    """An assessment corrected to failing after randomization: the gates passed are breaches now."""
    story = given_enrolling()
    story = given_eligible(story)
    assessed = next(e for e in story.log if e.statement and e.statement.data.get("criterion") == "E03")
    request = story.given("randomization.requested", REQUEST)
    target = Told(event=assessed.event, index=assessed.index, refused=None, codes=())
    told = correct(story, target, "/data/result", "not_met", "met", reason="source_data")
    rules = {rule for rule, _ in told.caused}
    assert rules == {"CRITERION_FAILED"}
    assert request.event not in {event for _, event in told.caused}


@breaks("randomization.requested", "NOT_ELIGIBLE")
def test_nobody_is_randomized_on_an_assessment_that_was_corrected_to_failing() -> None:
    """The confirmation stands on what was corrected since: the gate is shut until it is confirmed anew."""
    story = given_eligible()
    assessed = _assessed(story, "E03")
    correct(story, assessed, "/data/result", "not_met", "met", reason="source_data")
    assert story.when("randomization.requested", REQUEST).refused == "NOT_ELIGIBLE"
    correct(story, assessed, "/data/result", "met", "not_met", reason="source_data")
    story.given("randomization.requested", REQUEST)


def test_nobody_is_randomized_on_an_assessment_that_was_voided() -> None:
    """Once the investigator has cosigned the voiding, a criterion is not assessed any more."""
    story = given_eligible()
    cosign(story, void(story, _assessed(story, "E03")))
    assert story.when("randomization.requested", REQUEST).refused == "NOT_ELIGIBLE"


def _assessed(story: Story, criterion: str) -> Told:
    assessed = next(e for e in story.log if e.statement and e.statement.data.get("criterion") == criterion)
    return Told(event=assessed.event, index=assessed.index, refused=None, codes=())


def test_a_hold_lifts_with_the_cosignature_of_what_lifts_it() -> None:
    """A medication that was none of its class: gates wait until a physician has signed the correction."""
    story = given_at_bedside()
    data = {"medication": "M1", "class": "vasopressin", "start": "2025-02"}
    found = story.when("medication.started", data)
    correction = correct(story, found, "/data/class", "vasopressin", "antihistamines", originator=CHART)
    assert story.when("infusion.started", start(), by="nurse").refused == "ON_HOLD"
    cosign(story, correction)
    assert story.participant.holds == ()
    story.given("infusion.started", start(), by="nurse")


def test_a_corrected_protocol_is_judged() -> None:
    """A version that nobody approved becomes a breach by correction."""
    story, vitals = given_vitals(protocol="1.0")
    told = correct(story, vitals, "/protocol", "1.0", "9.9")
    assert ("PROTOCOL_UNKNOWN", vitals.event) in told.caused


def test_a_corrected_approval_holds_gates() -> None:
    """An approval corrected to have ended closes the gates of its site."""
    story = given_consented()
    at = f"site/{SITE}"
    approval = next(e for e in story.log if e.statement and e.statement.type == "irb_approval.recorded")
    target = Told(event=approval.event, index=approval.index, refused=None, codes=())
    correct(story, target, "/data/to", "2025-12-31", "2025-01-05", stream=at, by="cora")
    story.wait(days=1)
    told = story.when("participant.registered", {"participant": "P2"}, stream="participant/P2")
    assert told.refused == "IRB_LAPSED"


def test_a_second_approval_is_read_beside_a_voided_one() -> None:
    """A voided approval counts no more, the other one does."""
    story = given_consented()
    at = f"site/{SITE}"
    more = story.given("irb_approval.recorded", irb("2026-01-01", "2026-12-31"), by="ines", stream=at)
    data = {"statement": more.event, "code": "error", "source": {"kind": "paper"}}
    story.given("record.voided", data, reason="error", stream=at)
    story.goto("2026-02-01T15:00:00.000000Z")
    told = story.when("participant.registered", {"participant": "P2"}, stream="participant/P2")
    assert told.refused == "IRB_LAPSED"


# Voiding


@keeps("record.voided")
def test_a_voided_record_counts_no_more() -> None:
    """A voided adverse event is gone from the state and stays in the log."""
    story = given_infused()
    event = story.given("adverse_event.reported", adverse_event())
    void(story, event)
    assert story.participant.adverse_events == {}


def test_a_voided_breach_needs_the_cosignature_too() -> None:
    """Voiding what broke a rule leaves the breach pending; the co-signature closes it."""
    story = given_registered()
    vitals = story.when("vital_signs.recorded", VITALS)
    voided = void(story, vitals, "wrong_participant")
    assert story.breach(vitals, "CONSENT_MISSING").pending == voided.event
    signed = cosign(story, voided)
    assert story.breach(vitals, "CONSENT_MISSING").closed == signed.index


def test_voiding_a_consent_waits_for_the_investigator() -> None:
    """Until it is cosigned the consent stands; then everything that rested on it is a breach."""
    story = given_consented()
    obtained = story.log[-1]
    vitals = story.given("vital_signs.recorded", VITALS)
    target = Told(event=obtained.event, index=obtained.index, refused=None, codes=())
    voided = void(story, target, "wrong_participant")
    assert voided.caused == ()
    assert story.participant.consents != ()
    signed = cosign(story, voided)
    assert signed.caused == (("CONSENT_MISSING", vitals.event),)
    assert story.participant.consents == ()
    assert story.participant.status is Status.PRE_SCREENED


@breaks("record.voided", "NOT_VOIDABLE")
def test_a_record_is_voided_once() -> None:
    """What is struck cannot be struck again."""
    story, vitals = given_vitals()
    void(story, vitals)
    assert void(story, vitals).refused == "NOT_VOIDABLE"


def test_a_voiding_can_be_voided() -> None:
    """Struck by mistake, the record counts again."""
    story = given_infused()
    event = story.given("adverse_event.reported", adverse_event())
    voided = void(story, event)
    void(story, voided)
    assert set(story.participant.adverse_events) == {"AE-1"}


def test_randomizations_and_registrations_are_never_voided() -> None:
    """Neither request, nor answer, nor the id."""
    story = given_randomized()
    kinds = ("participant.registered", "randomization.requested", "participant.randomized")
    for entry in [e for e in story.log if e.statement and e.statement.type in kinds]:
        target = Told(event=entry.event, index=entry.index, refused=None, codes=())
        assert void(story, target).refused == "NOT_VOIDABLE"


@breaks("record.voided", "REFERENCE")
def test_the_right_record_is_an_earlier_one() -> None:
    """A voiding names the right record, wherever it stands, if it is in the log."""
    story, vitals = given_vitals()
    right = story.given("vital_signs.recorded", VITALS)
    data = {"statement": vitals.event, "code": "duplicate", "right": "00" * 32}
    assert story.when("record.voided", data, reason="duplicate").refused == "REFERENCE"
    assert story.when("record.voided", {**data, "right": right.event}, reason="duplicate").refused is None


def test_a_voiding_names_an_earlier_statement_of_its_stream() -> None:
    """Another stream's statement is not voided here."""
    story, _ = given_vitals()
    told = Told(event=story.log[0].event, index=0, refused=None, codes=())
    assert void(story, told).refused == "REFERENCE"


# Folding again is folding


def test_folding_again_finds_what_folding_once_found() -> None:
    """After a correction that changes nothing that rules read, the state is the one before."""
    story = given_infused()
    story.given("adverse_event.reported", adverse_event())
    vitals = story.given("vital_signs.recorded", VITALS)
    before = story.participant
    correct(story, vitals, PULSE, "72", "73")
    assert story.participant == before


def test_a_fold_from_the_beginning_is_the_fold_as_it_grew() -> None:
    """A second conduct that reads the whole log comes to the same participants, study and breaches."""
    story, vitals, written, true = given_early()
    cosign(story, correct(story, vitals, "/occurred_at", written, true, originator=CHART))
    given_registered(story, "P2")
    again = Story()
    again.log, again.attachments = story.log, story.attachments
    for entry in story.log:
        again.conduct.evolve(entry, story.authority)
    assert again.conduct.study == story.conduct.study
    for name in (PARTICIPANT, "P2"):
        assert again.conduct.state(name) == story.conduct.state(name)


def test_folding_again_up_to_any_index_is_the_state_that_was() -> None:
    """At every index of a story, the fold from the beginning equals the state that grew."""
    story, vitals, _, _ = given_early()
    story.when("visit.completed", {"visit": "screening"})
    again = Story()
    again.attachments = story.attachments
    for entry in story.log:
        again.log.append(entry)
        again.conduct.evolve(entry, story.authority)
        grown = again.conduct.state(PARTICIPANT)
        view = view_of(again.entries_of(f"participant/{PARTICIPANT}"), entry.index + 1)
        replayed = refold.replay(view, again.conduct.study, entry.index)
        assert (replayed is None) == (grown is None)
        if grown is not None and replayed is not None:
            breaches = tuple(replace(breach, recorded=None) for breach in grown.breaches)
            assert replayed == replace(grown, breaches=breaches)
    assert story.breach(vitals, "PROCEDURE_BEFORE_CONSENT").is_open


def test_a_corrected_training_no_longer_covers() -> None:
    """A training corrected to a later date is no training for what was done before it."""
    story = given_consented()
    person = "person/cora"
    training = next(e for e in story.log if e.statement and e.statement.stream == person)
    target = Told(event=training.event, index=training.index, refused=None, codes=())
    correct(story, target, "/data/date", "2025-01-06", "2025-01-08", stream=person)
    assert story.when("vital_signs.recorded", VITALS).codes == ("NOT_TRAINED",)


def test_a_corrected_consent_time_is_read_by_every_procedure() -> None:
    """A consent moved after the infusion makes infusion and criteria breaches at once."""
    story = given_consented()
    at = story.log[-1]
    assert at.statement is not None
    first = story.given("vital_signs.recorded", VITALS)
    second = story.given("demographics.recorded", {})
    target = Told(event=at.event, index=at.index, refused=None, codes=())
    story.wait(days=1)
    old = at.statement.data["participant_time"]
    told = correct(story, target, "/data/participant_time", old, story.now)
    assert {event for rule, event in told.caused if rule == "PROCEDURE_BEFORE_CONSENT"} == {
        first.event,
        second.event,
    }


def test_a_form_approved_later_does_not_judge_earlier_consents_again() -> None:
    """Folded again, a consent is judged by the forms that the log had when it was recorded."""
    story = given_consented()
    vitals = story.given("vital_signs.recorded", VITALS)
    story.given("consent_form.approved", form("2", "2025-01-01"), by="sponsor", stream="study")
    told = correct(story, vitals, PULSE, "72", "73")
    assert told.caused == ()
    assert story.when("consent.obtained", consent(story)).codes == ("CONSENT_FORM_INEFFECTIVE",)


def test_folding_again_keeps_allocations_and_gates() -> None:
    """Later draws of others do not make an earlier allocation look out of order."""
    story = given_enrolling()
    story = given_randomized(story)
    given_registered(story, "P2")
    vitals = story.given("vital_signs.recorded", VITALS)
    told = correct(story, vitals, PULSE, "72", "73")
    assert told.caused == ()
    assert story.participant.randomized
    story.goto("2025-02-03T15:00:00.000000Z")
    given_at_bedside(story)
    story.given("infusion.started", start(), by="nurse")
    assert len(STUDY.visits) > 1


# Breaches that are recorded


@keeps("breach.detected")
@breaks("breach.detected", "BREACH_UNFOUNDED")
def test_a_breach_that_is_recorded_is_one_that_the_rules_find() -> None:
    """The service records what is broken, once, and nothing else."""
    story = given_registered()
    vitals = story.when("vital_signs.recorded", VITALS)
    assert story.conduct.unrecorded() == ()
    data = {"rule": "CONSENT_MISSING", "statement": vitals.event}
    assert story.when("breach.detected", data, by="service").refused == "BREACH_UNFOUNDED"
    entry = story.entry("vital_signs.recorded", VITALS)
    story.log.append(entry)
    story.conduct.evolve(entry, story.authority)
    data = {"rule": "CONSENT_MISSING", "statement": entry.event}
    assert story.when("breach.detected", data, by="service").codes == ()


@breaks("record.voided", "COSIGNATURE_OVERDUE")
def test_a_voiding_that_nobody_cosigns_is_overdue() -> None:
    """The voiding of a consent waits a day for the investigator."""
    story = given_consented()
    obtained = story.log[-1]
    target = Told(event=obtained.event, index=obtained.index, refused=None, codes=())
    voided = void(story, target, "wrong_participant")
    story.wait(hours=25)
    told = story.when("vital_signs.recorded", VITALS)
    assert ("COSIGNATURE_OVERDUE", voided.event) in told.caused


# Other streams


@breaks("irb_approval.recorded", "LATE_ENTRY")
def test_a_late_entry_of_a_site_that_was_none_is_settled_like_any_other() -> None:
    """The corrected time leaves the breach pending until a physician has cosigned."""
    story = given_consented()
    at: dict[str, Any] = {"stream": f"site/{SITE}"}
    story.wait(days=5)
    written, true = story.ago(days=4), story.now
    data = {**irb("2026-01-01", "2026-12-31")}
    told = story.when("irb_approval.recorded", data, by="ines", occurred=written, **at)
    assert told.codes == ("LATE_ENTRY",)
    correction = correct(story, told, "/occurred_at", written, true, originator=CHART, **at)
    assert story.breach(told, "LATE_ENTRY").pending == correction.event
    story.wait(hours=25)
    caused = story.when("irb_approval.recorded", data, by="ines", **at).caused
    assert ("COSIGNATURE_OVERDUE", correction.event) in caused
    signed = cosign(story, correction, **at)
    assert story.breach(told, "LATE_ENTRY").closed == signed.index


def test_a_corrected_time_of_a_site_brings_out_that_it_was_late() -> None:
    """An approval that was known for a week is late after all."""
    story = given_consented()
    at: dict[str, Any] = {"stream": f"site/{SITE}"}
    told = story.given("irb_approval.recorded", irb("2026-01-01", "2026-12-31"), by="ines", **at)
    made = next(e for e in story.log if e.event == told.event)
    assert made.statement is not None
    made_at = made.statement.occurred_at
    changed = correct(story, told, "/occurred_at", made_at, story.ago(days=9), **at)
    assert changed.caused == (("LATE_ENTRY", told.event),)
    assert story.conduct.unrecorded() == ()


NEVER_VOIDED = (
    "unblinding.", "allocation.", "randomization.", "key.", "role.", "command.", "login.", "session.",
    "participant.randomized", "record.signed", "record.cosigned", "record.viewed", "trail.", "export.",
    "breach.", "database.", "form.frozen", "form.unfrozen", "participant.locked", "participant.unlocked",
)  # fmt: skip
SETTLED_BY_A_PHYSICIAN = ("consent.", "reconsent.", "eligibility.", "infusion.", "dose.")


def test_what_is_never_voided_and_what_only_with_a_cosignature() -> None:
    """Randomization, unblinding, keys, roles, signatures, refusals, views; consent, eligibility, dosing."""
    for known in all_specs():
        if known.type.startswith(NEVER_VOIDED):
            assert not known.voidable, known.type
        if known.type.startswith(SETTLED_BY_A_PHYSICIAN):
            assert known.voiding_cosigned, known.type
