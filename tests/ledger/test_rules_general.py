"""General rules: times (R1), who performed it (R2b), what gates need (R3), gate or fact (R6)."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import ledger.rules
from ledger.actions.registry import all_specs, find_spec
from ledger.conduct import Effect, codes
from ledger.rules.general import OF_DATA
from tests.given_people import register
from tests.given_pharmacy import dispensing, given_checked, shipment
from tests.given_pharmacy import when as pharmacy
from tests.given_quality import locking, sign
from tests.given_sites import halt, step, suspended
from tests.scenario import (
    PARTICIPANT,
    SITE,
    VITALS,
    breaks,
    consent,
    delegation,
    given_active_site,
    given_consented,
    given_eligible,
    given_enrolling,
    given_registered,
    given_site,
    irb,
    keeps,
    train,
)

RULES_FOLDER = Path(ledger.rules.__file__).parent
REGISTER = {"participant": PARTICIPANT}


def test_codes_are_those_that_the_rules_use() -> None:
    """Every code that a rule yields is in the table, and none in the table is without a rule."""
    source = "".join(p.read_text() for p in RULES_FOLDER.glob("*.py") if p.name != "asked.py")
    source += (RULES_FOLDER.parent / "judging.py").read_text()
    used = set(re.findall(r'"([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)*)"', source))
    assert sorted(codes().keys() - used) == []
    assert sorted(code for code in used - codes().keys() if "_" in code) == []


def test_delegated_tasks_are_actions() -> None:
    """Every task that can be delegated is an action of a participant's stream or a pharmacy's."""
    assert all({"participant", "pharmacy"} & {*s.streams} for s in all_specs() if s.delegated)


def test_no_always_open_fact_can_be_refused_for_its_circumstances() -> None:
    """A code that refuses facts (FORM) is about form, sequence or integrity: the closed list of them (R7)."""
    form = {code for code, rule in codes().items() if rule.effect is Effect.FORM}
    assert form == {
        "TIME_IN_FUTURE", "LOCAL_TIME_NONEXISTENT", "REFERENCE", "ID_REUSED", "SAME_PERSON",
        "CLASS_STREAM", "BREACH_UNFOUNDED", "PARTICIPANT_UNKNOWN", "PARTICIPANT_ID", "CRITERION_UNKNOWN",
        "ALLOCATION_ORDER", "VISIT_UNKNOWN", "ADVERSE_EVENT_UNKNOWN", "ADVERSE_EVENT_VERSION",
        "UNBLINDING_ANALYTE_PLAIN",
        "CORRECTION_PATH", "CORRECTION_OLD_MISMATCH", "CORRECTION_MALFORMED", "CORRECTION_SEALED",
        "CORRECTION_TARGET", "CORRECTION_ROLE", "NOT_VOIDABLE", "TRANSFER_SITES",
        "SOURCE_UNREGISTERED", "NOT_RESPONSIBLE", "RULES_UNKNOWN",
        "PROPOSAL_DIFFERS", "FIELD_UNKNOWN", "QUERY_ROLE", "QUERY_STATE",
        "REVIEW_RANGE", "SIGNED_DIGEST", "ENDORSER", "QUERIES_OPEN", "AUTHOR_UNBLINDED", "FORM_FROZEN",
        "PARTICIPANT_LOCKED", "DATABASE_LOCKED", "CAPA_STATE",
    }  # fmt: skip


@breaks("vital_signs.recorded", "TIME_IN_FUTURE")
def test_a_time_in_the_future_is_refused() -> None:
    """What occurred six minutes after it is recorded cannot have."""
    story = given_consented()
    told = story.when("vital_signs.recorded", VITALS, occurred=story.ago(minutes=-7))
    assert told.refused == "TIME_IN_FUTURE"


def test_clocks_may_differ_by_five_minutes() -> None:
    """What occurred four minutes after recording is a clock that runs ahead."""
    story = given_consented()
    told = story.when("vital_signs.recorded", VITALS, occurred=story.ago(minutes=-5))
    assert (told.refused, told.codes) == (None, ())


def test_a_date_of_today_is_not_in_the_future() -> None:
    """A date means any instant of its day; the earliest one counts."""
    story = given_consented()
    told = story.when("vital_signs.recorded", VITALS, occurred="2025-01-06")
    assert told.refused is None
    assert "TIME_IN_FUTURE" not in told.codes


@breaks("vital_signs.recorded", "LOCAL_TIME_NONEXISTENT")
def test_a_local_time_that_does_not_exist_is_refused() -> None:
    """On 9 March 2025 the clocks at the site went from 02:00 to 03:00."""
    story = given_consented()
    story.goto("2025-03-09T15:00:00.000000Z")
    told = story.when("vital_signs.recorded", VITALS, occurred="2025-03-09T02:30:00-06:00")
    assert told.refused == "LOCAL_TIME_NONEXISTENT"
    entry = story.entry("vital_signs.recorded", VITALS, occurred="2025-03-09T02:30:00-06:00")
    (violation,) = story.conduct.judge(entry, story.authority)
    assert violation.hint is not None
    assert "the clocks go from 02:00" in violation.hint


@breaks("vital_signs.recorded", "LATE_ENTRY")
def test_a_late_entry_is_flagged() -> None:
    """An entry more than 72 hours after the latest instant it can mean is accepted with a breach."""
    story = given_consented()
    story.wait(days=4)
    occurred = story.ago(hours=73)
    told = story.when("vital_signs.recorded", VITALS, occurred=occurred)
    assert (told.refused, told.codes) == (None, ("LATE_ENTRY",))


def test_the_policy_says_when_an_entry_is_late() -> None:
    """A policy of 24 hours in force makes the entry of the day before yesterday late."""
    story = given_consented()
    story.wait(days=4)
    story.given("policy.changed", {"late_entry_hours": 24}, by="sponsor", stream="study", meaning="approval")
    told = story.when("vital_signs.recorded", VITALS, occurred=story.ago(hours=48))
    assert told.codes == ("LATE_ENTRY",)


@breaks("vital_signs.recorded", "SIGNED_AT_APART")
def test_a_signers_clock_that_is_off_is_flagged() -> None:
    """A statement signed ten minutes before it is recorded is accepted with a breach."""
    story = given_consented()
    told = story.when("vital_signs.recorded", VITALS, signed=story.ago(minutes=10))
    assert told.codes == ("SIGNED_AT_APART",)


@breaks("vital_signs.recorded", "NOT_DELEGATED")
def test_who_performs_without_delegation_is_flagged() -> None:
    """A trained person without delegation may record what she did, and it is a breach."""
    story = given_consented()
    train(story, "new")
    told = story.when("vital_signs.recorded", VITALS, by="new")
    assert (told.refused, told.codes) == (None, ("NOT_DELEGATED",))


def test_the_performer_named_is_judged_and_not_the_signer() -> None:
    """The delegated coordinator signs for a performer who is not delegated."""
    story = given_consented()
    train(story, "new")
    told = story.when("vital_signs.recorded", {**VITALS, "performer": "new"}, by="cora")
    assert told.codes == ("NOT_DELEGATED",)


@breaks("vital_signs.recorded", "NOT_TRAINED")
def test_who_performs_untrained_is_flagged() -> None:
    """A delegated person without training on the protocol version is a breach."""
    story = given_consented()
    granted = story.given("delegation.granted", delegation("new"), by="ines", stream=f"site/{SITE}")
    story.given("delegation.accepted", {"delegation": granted.event}, by="new", stream=f"site/{SITE}")
    told = story.when("vital_signs.recorded", VITALS, by="new")
    assert told.codes == ("NOT_TRAINED",)


def test_everybody_named_is_judged() -> None:
    """A consent taken by a delegated consenter and by somebody who is not is a breach; explained by both."""
    story = given_registered()
    train(story, "new")
    told = story.when("consent.obtained", {**consent(story), "consenter": "cora", "performer": "new"})
    assert told.codes == ("NOT_DELEGATED",)
    at = f"site/{SITE}"
    granted = story.when("delegation.granted", delegation("new"), by="ines", stream=at)
    accepted = story.given("delegation.accepted", {"delegation": granted.event}, by="new", stream=at)
    assert story.breach(told, "NOT_DELEGATED").explained == accepted.index


@breaks("dose.dispensed", "STUDY_HALTED", "SITE_NOT_ACTIVE", "IRB_SUSPENDED", "STUDY_CLOSED")
@keeps("dose.dispensed")
def test_a_pharmacys_gates_are_gates() -> None:
    """Nothing is dispensed in a halted study, at a suspended site, without approval, after the close."""
    story, prepared = given_checked()
    halt(story)
    data = dispensing(prepared)
    assert pharmacy(story, "dose.dispensed", data).refused == "STUDY_HALTED"
    story.given("study.resumed", step(story), by="sponsor", stream="study")
    suspend = {"from": story.now, "code": "staff_shortage"}
    story.given("site.suspended", suspend, by="sponsor", stream=f"site/{SITE}")
    assert pharmacy(story, "dose.dispensed", data).refused == "SITE_NOT_ACTIVE"
    again = {"from": story.now, "checklist": ["all"]}
    story.given("site.activated", again, by="sponsor", stream=f"site/{SITE}")
    board = story.given("irb_approval.suspended", suspended(story), by="ines", stream=f"site/{SITE}")
    assert pharmacy(story, "dose.dispensed", data).refused == "IRB_SUSPENDED"
    void = {"statement": board.event, "code": "error", "source": {"kind": "paper"}}
    story.given("record.voided", void, by="ines", stream=f"site/{SITE}", reason="error")
    assert pharmacy(story, "dose.dispensed", data).codes == ()
    story.given("study.closed", step(story), by="sponsor", stream="study")
    assert "STUDY_CLOSED" in pharmacy(story, "dose.dispensed", data).codes


@breaks("shipment.received", "NOT_DELEGATED", "NOT_TRAINED", "PROTOCOL_UNKNOWN")
def test_who_works_in_a_pharmacy_is_judged_and_explained() -> None:
    """A delegation that came too late explains the breach, as at the bedside."""
    story = given_active_site()
    told = pharmacy(story, "shipment.received", shipment(), protocol="9.9")
    assert told.codes == ("PROTOCOL_UNKNOWN", "NOT_DELEGATED", "NOT_TRAINED")
    at = f"site/{SITE}"
    granted = story.when("delegation.granted", delegation("pharma"), by="ines", stream=at)
    accepted = story.given("delegation.accepted", {"delegation": granted.event}, by="pharma", stream=at)
    assert story.breach(told, "NOT_DELEGATED").explained == accepted.index


def test_data_are_locked_when_all_else_is_over() -> None:
    """A participant who completed is locked after approval, site and study are over (R3, R4)."""
    assert all(find_spec(type_, 1) is not None for type_ in OF_DATA)
    story = given_registered()
    endorsed = locking(sign(story))
    story.given("study.closed", step(story), by="sponsor", stream="study")
    story.goto("2026-02-01T15:00:00.000000Z")
    told = story.when("participant.locked", endorsed, by="coder", reason="complete")
    assert (told.refused, told.codes) == (None, ())


def test_the_principal_investigator_needs_no_delegation() -> None:
    """The investigator of the site performs by designation."""
    story = given_consented()
    assert story.when("vital_signs.recorded", VITALS, by="ines").codes == ()


def test_who_takes_over_what_a_system_wrote_down_did_not_do_it() -> None:
    """A registered system names nobody: the signer is not taken for the performer; who is named is judged."""
    story = given_consented()
    train(story, "new")
    register(story, "EHR-1", kind="system")
    taken_over = {"id": "EHR-1", "kind": "system"}
    assert story.when("vital_signs.recorded", VITALS, by="new", originator=taken_over).codes == ()
    named = {**VITALS, "performer": "new"}
    told = story.when("vital_signs.recorded", named, by="cora", originator=taken_over)
    assert told.codes == ("NOT_DELEGATED",)


def test_an_ended_delegation_no_longer_covers() -> None:
    """What is done after the end of a delegation is a breach."""
    story = given_consented()
    at = f"site/{SITE}"
    train(story, "new")
    granted = story.given("delegation.granted", delegation("new"), by="ines", stream=at)
    story.given("delegation.accepted", {"delegation": granted.event}, by="new", stream=at)
    story.given("vital_signs.recorded", VITALS, by="new")
    story.given("delegation.ended", {"delegation": granted.event}, by="ines", stream=at)
    assert story.when("vital_signs.recorded", VITALS, by="new").codes == ("NOT_DELEGATED",)


@breaks("delegation.granted", "DELEGATION_BACKDATED")
def test_a_backdated_delegation_is_flagged_and_explains() -> None:
    """A delegation entered days later explains the breach by its index, and the breach stays open."""
    story = given_consented()
    at = f"site/{SITE}"
    train(story, "new")
    before = story.when("vital_signs.recorded", VITALS, by="new")
    story.wait(days=2)
    granted = story.when("delegation.granted", delegation("new"), by="ines", stream=at)
    assert granted.codes == ("DELEGATION_BACKDATED",)
    accepted = story.given("delegation.accepted", {"delegation": granted.event}, by="new", stream=at)
    breach = story.breach(before, "NOT_DELEGATED")
    assert (breach.is_open, breach.explained) == (True, accepted.index)


def test_a_backdated_delegation_never_excuses_what_was_done_before_it() -> None:
    """Entered after it, what was done before its recording is still a breach, explained at once."""
    story = given_consented()
    at = f"site/{SITE}"
    train(story, "new")
    story.wait(days=2)
    granted = story.when("delegation.granted", delegation("new"), by="ines", stream=at)
    accepted = story.given("delegation.accepted", {"delegation": granted.event}, by="new", stream=at)
    told = story.when("vital_signs.recorded", VITALS, by="new", occurred=story.ago(days=1))
    assert told.codes == ("NOT_DELEGATED",)
    assert story.breach(told, "NOT_DELEGATED").explained == accepted.index


def test_a_training_entered_late_explains() -> None:
    """A training recorded later, of an earlier date, explains the breach by its index."""
    story = given_consented()
    at = f"site/{SITE}"
    granted = story.given("delegation.granted", delegation("new"), by="ines", stream=at)
    story.given("delegation.accepted", {"delegation": granted.event}, by="new", stream=at)
    before = story.when("vital_signs.recorded", VITALS, by="new")
    training = train(story, "new")
    assert story.breach(before, "NOT_TRAINED").explained == training.index


@breaks("participant.registered", "SITE_NOT_ACTIVE")
def test_a_gate_at_an_inactive_site_is_refused() -> None:
    """Nobody is registered at a site that is not active."""
    story = given_site()
    assert story.when("participant.registered", REGISTER).refused == "SITE_NOT_ACTIVE"


@breaks("participant.registered", "IRB_MISSING")
def test_a_gate_without_approval_is_refused() -> None:
    """A site that never had an approval opens no gate."""
    story = given_enrolling()
    told = story.when(
        "participant.registered", {"participant": "SD-02-001"}, stream="participant/SD-02-001", site="SD-02"
    )
    assert {"SITE_NOT_ACTIVE", "IRB_MISSING"} <= set(told.codes)


@breaks("delegation.granted", "IRB_LAPSED")
@breaks("participant.registered", "IRB_LAPSED")
def test_an_approval_that_lapsed_holds_gates() -> None:
    """After the last day of the approval every gate at the site waits, and a fact does not."""
    story = given_consented()
    story.goto("2026-01-01T15:00:00.000000Z")
    granted = story.when(
        "delegation.granted", delegation("new", "2026-01-01"), by="ines", stream="site/SA-01"
    )
    assert granted.refused == "IRB_LAPSED"
    told = story.when("participant.registered", {"participant": "P2"}, stream="participant/P2")
    assert told.refused == "IRB_LAPSED"
    assert story.when("vital_signs.recorded", VITALS).refused is None


def test_a_renewed_approval_lifts_the_hold() -> None:
    """A further approval opens the gates again."""
    story = given_consented()
    story.goto("2026-01-02T15:00:00.000000Z")
    renewed = irb("2026-01-01", "2026-12-31")
    story.given("irb_approval.recorded", renewed, by="ines", stream="site/SA-01")
    story.given("participant.registered", {"participant": "P2"}, stream="participant/P2")


def test_a_gate_passed_outside_is_judged_as_a_fact() -> None:
    """On paper a participant was registered at an inactive site: recorded, with its breach (R6)."""
    story = given_site()
    outside = {"why": "paper", "source": {"kind": "paper"}}
    told = story.when("participant.registered", {**REGISTER, "performed_outside": outside})
    assert (told.refused, told.codes) == (None, ("SITE_NOT_ACTIVE",))
    assert story.conduct.unrecorded() == ()


@pytest.mark.parametrize(
    ("named", "code"), [("9.9", "PROTOCOL_UNKNOWN"), ("1.0", None)], ids=["unknown", "approved"]
)
def test_the_protocol_named_is_an_approved_one(named: str, code: str | None) -> None:
    """A fact done under a version that nobody approved is a breach."""
    story = given_consented()
    told = story.when("vital_signs.recorded", VITALS, protocol=named)
    assert told.refused is None
    assert (code in told.codes) if code else told.codes == ()


@breaks("participant.registered", "PROTOCOL_UNKNOWN")
def test_a_gate_under_an_unknown_protocol_is_refused() -> None:
    """A gate names an approved version."""
    story = given_active_site()
    assert story.when("participant.registered", REGISTER, protocol="9.9").refused == "PROTOCOL_UNKNOWN"


def test_nothing_precedes_registration() -> None:
    """A fact about somebody who was never registered is refused."""
    story = given_active_site()
    assert story.when("vital_signs.recorded", VITALS).refused == "PARTICIPANT_UNKNOWN"


def test_an_id_is_registered_once() -> None:
    """The same participant id is never used again."""
    story = given_registered()
    assert story.when("participant.registered", REGISTER).refused == "ID_REUSED"


def test_the_id_registered_is_the_streams() -> None:
    """A registration names the participant whose stream it opens."""
    story = given_enrolling()
    assert story.when("participant.registered", {"participant": "P9"}).refused == "PARTICIPANT_ID"


def test_a_breach_that_the_rules_do_not_find_is_refused() -> None:
    """`breach.detected` about something that breaks nothing has no ground."""
    story = given_consented()
    vitals = story.given("vital_signs.recorded", VITALS)
    told = story.when("breach.detected", {"rule": "LATE_ENTRY", "statement": vitals.event}, by="service")
    assert told.refused == "BREACH_UNFOUNDED"


def test_a_breach_that_nobody_recorded_is_owed() -> None:
    """Conduct says which breaches the log lacks, by statement and rule."""
    story = given_registered()
    story.now_us += 1
    entry = story.entry("vital_signs.recorded", VITALS)
    story.log.append(entry)
    story.conduct.evolve(entry, story.authority)
    assert [(b.event, b.rule) for b in story.conduct.unrecorded()] == [(entry.event, "CONSENT_MISSING")]


def test_judging_changes_nothing() -> None:
    """A candidate can be judged again and again, and another one instead."""
    story = given_eligible()
    first = story.entry("vital_signs.recorded", VITALS)
    second = story.entry("consent.obtained", consent(story))
    before = story.participant
    assert story.conduct.judge(first, story.authority) == story.conduct.judge(first, story.authority)
    story.conduct.judge(second, story.authority)
    assert story.participant is before
