"""What a study permits: versions in force, forms, enrolment, halt, close, urgent measures (B; R3)."""

from __future__ import annotations

import pytest

from ledger.rules.protocols import earlier_versions
from ledger.times import format_instant
from tests.given_consent import required
from tests.given_pharmacy import TEAM, given_team, shipment
from tests.given_pharmacy import when as pharmacy
from tests.given_sites import (
    AMENDED,
    AT_SITE,
    OUTSIDE,
    amended,
    amendment,
    approve,
    given_amended,
    halt,
    measure,
    pause,
    prepare,
    step,
)
from tests.scenario import (
    REQUEST,
    SITE,
    SOURCE,
    VITALS,
    Story,
    breaks,
    consent,
    given_at_bedside,
    given_consented,
    given_eligible,
    given_enrolling,
    given_running,
    given_study,
    keeps,
    start,
    train,
)

SECOND = "SA-01-002"


def register(story: Story, participant: str = SECOND, **more: object) -> str | None:
    """Return what refuses a registration."""
    data = {"participant": participant, **more}
    return story.when("participant.registered", data, stream=f"participant/{participant}").refused


# Protocol versions


@keeps("amendment.activated", "protocol.approved", "vital_signs.recorded")
def test_an_amendment_is_in_force_at_a_site_from_its_activation_there() -> None:
    """Approved alone it changes nothing; activated, what is done under the old version is flagged."""
    story = given_consented()
    approve(story)
    story.given("vital_signs.recorded", VITALS, protocol="1.0")
    assert story.when("vital_signs.recorded", VITALS, protocol=AMENDED).codes == ("PROTOCOL_SUPERSEDED",)
    prepare(story)
    story.given("amendment.activated", amendment(story), by="sponsor", stream=AT_SITE)
    story.given("vital_signs.recorded", VITALS, protocol=AMENDED)
    assert story.when("vital_signs.recorded", VITALS, protocol="1.0").codes == ("PROTOCOL_SUPERSEDED",)
    assert "PROTOCOL_UNKNOWN" in story.when("vital_signs.recorded", VITALS, protocol="3.0").codes
    other = story.conduct.study.protocol_for("SD-02", len(story.log))
    assert other is not None
    assert other.version == "1.0"


def test_what_was_done_before_an_activation_was_done_under_the_old_version() -> None:
    """A fact that is entered later is judged by the version in force when it occurred."""
    story = given_consented()
    done = story.now
    story.wait(hours=1)
    given_amended(story)
    told = story.when("vital_signs.recorded", VITALS, protocol="1.0", occurred=done)
    assert told.codes == ()


def test_an_amendment_is_in_force_from_the_time_that_it_names() -> None:
    """Activated for tomorrow, today is still under the old version."""
    story = given_consented()
    limit = b'"late_entry_hours":{"source":"X","value":%d}'
    approve(story, definition=amended().replace(limit % 72, limit % 1))
    prepare(story)
    later = {"from": story.ago(hours=-24)}
    story.given("amendment.activated", amendment(story, **later), by="sponsor", stream=AT_SITE)
    assert story.when("vital_signs.recorded", VITALS, protocol="1.0").codes == ()
    story.wait(hours=25)
    before, since = story.ago(hours=5), story.now
    assert story.when("vital_signs.recorded", VITALS, protocol="1.0", occurred=before).codes == ()
    assert story.when("vital_signs.recorded", VITALS, protocol=AMENDED).codes == ()
    story.wait(hours=2)
    told = story.when("vital_signs.recorded", VITALS, protocol=AMENDED, occurred=since)
    assert told.codes == ("LATE_ENTRY",)


def test_who_waits_for_reconsent_stays_on_the_old_version() -> None:
    """Consented before, a participant goes over with a consent to the new form; a new one begins with it."""
    story = given_consented()
    given_amended(story, reconsent=True)
    story.given("vital_signs.recorded", VITALS, protocol="1.0")
    assert story.when("vital_signs.recorded", VITALS, protocol=AMENDED).codes == ("PROTOCOL_SUPERSEDED",)
    told = story.when("participant.registered", {"participant": SECOND}, protocol=AMENDED,
                      stream=f"participant/{SECOND}")  # fmt: skip
    assert told.codes == ()
    story.given("consent.obtained", consent(story, form_version=AMENDED))
    story.given("vital_signs.recorded", VITALS, protocol=AMENDED)
    assert story.when("vital_signs.recorded", VITALS, protocol="1.0").codes == ("PROTOCOL_SUPERSEDED",)


def test_reconsent_takes_a_participant_over_and_its_refusal_does_not() -> None:
    """Declined, the old version stays in force for the participant; obtained, the new one is."""
    story = given_consented()
    given_amended(story, reconsent=True)
    asked = story.given("reconsent.required", required(form_version=AMENDED))
    story.given("vital_signs.recorded", VITALS, protocol="1.0")
    story.when("reconsent.declined", {"statement": asked.event, "code": "more_time"})
    story.given("vital_signs.recorded", VITALS, protocol="1.0")
    data = consent(story, form_version=AMENDED, statement=asked.event)
    story.given("reconsent.obtained", data)
    story.given("vital_signs.recorded", VITALS, protocol=AMENDED)


def earlier(story: Story) -> list[tuple[str, str]]:
    """Return the versions that the participant was under before, each with its end."""
    found = earlier_versions(story.participant, story.conduct.study, story.now_us, len(story.log))
    return [(version, format_instant(end_us)) for version, end_us in found]


def test_the_earlier_versions_of_a_participant_end_where_the_next_begins() -> None:
    """At the activation, or where that is needed at the consent to the newer form."""
    story = given_consented()
    assert earlier(story) == []
    activated = given_amended(story).conduct.study.site(SITE).amendments[-1]
    assert earlier(story) == [("1.0", format_instant(activated.begins_us("UTC")))]
    waiting = given_amended(given_consented(), reconsent=True)
    assert earlier(waiting) == []
    waiting.wait(hours=3)
    waiting.given("consent.obtained", consent(waiting, form_version=AMENDED))
    waiting.wait(hours=1)
    again = waiting.participant.consents[-1].time.earliest_us
    assert earlier(waiting) == [("1.0", format_instant(again))]
    for occurred, named in ((waiting.ago(hours=2), "1.0"), (waiting.now, AMENDED)):
        told = waiting.when("vital_signs.recorded", VITALS, protocol=named, occurred=occurred)
        assert told.codes == ()


@pytest.mark.parametrize(("reconsent", "code"), [(True, ()), (False, ("PROTOCOL_SUPERSEDED",))])
@keeps("shipment.received")
def test_a_pharmacy_works_under_the_versions_that_its_participants_have(
    reconsent: bool, code: tuple[str, ...]
) -> None:
    """As long as some may wait for re-consent the old version is one of them; what is to come is none."""
    story = given_team(given_consented())
    for person in TEAM:
        train(story, person, protocol=AMENDED, date=story.now[:10])
    given_amended(story, reconsent=reconsent)
    assert pharmacy(story, "shipment.received", shipment(), protocol=AMENDED).codes == ()
    assert pharmacy(story, "shipment.received", shipment(lot="LOT-2"), protocol="1.0").codes == code


def test_a_performer_is_trained_on_the_version_in_force() -> None:
    """From the activation on, training on the old version alone is a breach."""
    story = given_consented()
    approve(story)
    prepare(story)
    story.given("amendment.activated", amendment(story), by="sponsor", stream=AT_SITE)
    story.given("vital_signs.recorded", VITALS, by="sub")
    story = given_consented()
    approve(story)
    taken = story.given("urgent_safety_measure.taken", measure(story), by="ines", stream=AT_SITE)
    data = amendment(story, statement=taken.event)
    story.given("amendment.activated", data, by="sponsor", stream=AT_SITE)
    assert story.when("vital_signs.recorded", VITALS, by="sub").codes == ("NOT_TRAINED",)


@pytest.mark.parametrize(
    ("lacking", "code"),
    [
        ("approval", "AMENDMENT_NOT_APPROVED"),
        ("form", "AMENDMENT_WITHOUT_FORM"),
        ("training", "AMENDMENT_UNTRAINED"),
    ],
)
@breaks("amendment.activated")
def test_an_amendment_needs_approval_form_and_training(lacking: str, code: str) -> None:
    """Each of them is asked for at the site where it is activated."""
    story = given_consented()
    approve(story, reconsent=True)
    prepare(story, lacking=lacking)
    told = story.when("amendment.activated", amendment(story), by="sponsor", stream=AT_SITE)
    assert told.codes == (code,)


@breaks(
    "amendment.activated",
    "AMENDMENT_NOT_APPROVED",
    "AMENDMENT_WITHOUT_FORM",
    "AMENDMENT_UNTRAINED",
)
def test_an_amendment_that_nothing_was_done_for_is_refused() -> None:
    """All three are named together."""
    story = given_consented()
    approve(story, reconsent=True)
    told = story.when("amendment.activated", amendment(story), by="sponsor", stream=AT_SITE)
    assert told.refused == "AMENDMENT_NOT_APPROVED"


@keeps("urgent_safety_measure.taken", "amendment.activated")
@breaks("amendment.activated", "REFERENCE")
def test_the_removal_of_an_immediate_hazard_is_in_force_at_once() -> None:
    """With the measure named nothing is waited for; a measure of another site, or none, is no ground."""
    story = given_consented()
    approve(story, reconsent=True)
    elsewhere = story.given(
        "urgent_safety_measure.taken", measure(story, ["SD-02"]), by="sponsor", stream="study"
    )
    for event in (elsewhere.event, story.log[0].event):
        told = story.when(
            "amendment.activated", amendment(story, statement=event), by="sponsor", stream=AT_SITE
        )
        assert told.refused == "REFERENCE"
    taken = story.given("urgent_safety_measure.taken", measure(story, ["*"]), by="ines", stream=AT_SITE)
    data = amendment(story, statement=taken.event)
    story.given("amendment.activated", data, by="sponsor", stream=AT_SITE)


def test_a_measure_that_is_voided_is_no_ground() -> None:
    """Voided, a measure lets no amendment pass any more (R10)."""
    story = given_consented()
    approve(story, reconsent=True)
    taken = story.given("urgent_safety_measure.taken", measure(story), by="ines", stream=AT_SITE)
    void(story, taken.event)
    data = amendment(story, statement=taken.event)
    told = story.when("amendment.activated", data, by="sponsor", stream=AT_SITE)
    assert told.refused == "REFERENCE"


def void(story: Story, event: str) -> None:
    """Void a fact of the site."""
    data = {"statement": event, "code": "duplicate", "source": SOURCE}
    told = story.when("record.voided", data, by="ines", stream=AT_SITE, reason="error")
    assert told.refused is None


@breaks("amendment.activated", "PROTOCOL_UNKNOWN", "AMENDMENT_NOT_LATER", "SITE_UNKNOWN")
def test_an_amendment_is_of_a_later_version_and_of_its_site() -> None:
    """The version in force, an unknown one, and another site's name are refused."""
    story = given_consented()
    given_amended(story)
    for version, code in (
        ("9.9", "PROTOCOL_UNKNOWN"),
        ("1.0", "AMENDMENT_NOT_LATER"),
        (AMENDED, "AMENDMENT_NOT_LATER"),
    ):
        told = story.when("amendment.activated", amendment(story, version), by="sponsor", stream=AT_SITE)
        assert told.refused == code
    data = amendment(story, site="SD-02")
    assert story.when("amendment.activated", data, by="sponsor", stream=AT_SITE).refused == "SITE_UNKNOWN"


@breaks("urgent_safety_measure.taken", "SITE_UNKNOWN")
@breaks("enrolment.paused", "SITE_UNKNOWN")
def test_measures_and_pauses_are_of_the_protocols_sites() -> None:
    """A site that no version has is flagged: a fact is recorded all the same."""
    story = given_enrolling()
    told = story.when("urgent_safety_measure.taken", measure(story, ["ZZ-99"]), by="sponsor", stream="study")
    assert (told.refused, told.codes) == (None, ("SITE_UNKNOWN",))
    data = step(story, source=SOURCE, sites=["ZZ-99"])
    told = story.when("enrolment.paused", data, by="sponsor", stream="study")
    assert (told.refused, told.codes) == (None, ("SITE_UNKNOWN",))


# Consent forms


@keeps("consent_form.retired")
@breaks("consent_form.retired", "CONSENT_FORM_NOT_APPROVED", "CONSENT_FORM_RETIRED")
def test_a_retired_form_has_no_effect_after_its_last_day() -> None:
    """On its last day it is still signed; the day after nothing is in effect. It is retired once."""
    story = given_consented()
    retired = {"version": "1", "language": "en", "to": story.now[:10]}
    story.given("consent_form.retired", retired, by="sponsor", stream="study")
    story.given("consent.obtained", consent(story))
    story.wait(days=1)
    told = story.when("consent.obtained", consent(story))
    assert told.codes == ("CONSENT_FORM_INEFFECTIVE",)
    told = story.when("consent_form.retired", retired, by="sponsor", stream="study")
    assert told.refused == "CONSENT_FORM_RETIRED"
    told = story.when("consent_form.retired", {**retired, "version": "7"}, by="sponsor", stream="study")
    assert told.refused == "CONSENT_FORM_NOT_APPROVED"


def test_a_form_that_is_retired_later_was_in_effect_before() -> None:
    """A consent on the form, folded again after its retirement, is judged as the log stood (R10)."""
    story = given_consented()
    vitals = story.given("vital_signs.recorded", VITALS)
    story.wait(days=1)
    retired = {"version": "1", "language": "en", "to": "2025-01-05"}
    story.given("consent_form.retired", retired, by="sponsor", stream="study")
    data = {
        "statement": vitals.event,
        "path": "/data/measurements/0/quantity/value",
        "old": "72",
        "new": "73",
    }
    told = story.when("correction.made", data, reason="error")
    assert (told.codes, told.caused) == ((), ())


# Enrolment


@keeps("enrolment.paused", "enrolment.opened")
@breaks("participant.registered", "ENROLMENT_PAUSED")
@breaks("randomization.requested", "ENROLMENT_PAUSED")
def test_a_pause_stops_registration_and_randomization() -> None:
    """Until enrolment is opened again; who is in the study goes on."""
    story = given_eligible()
    pause(story, [SITE])
    assert register(story) == "ENROLMENT_PAUSED"
    assert story.when("randomization.requested", REQUEST).refused == "ENROLMENT_PAUSED"
    story.given("vital_signs.recorded", VITALS)
    story.given("enrolment.opened", {"cap": 2, "sites": [SITE]}, by="sponsor", stream="study")
    assert register(story) is None
    story.given("randomization.requested", REQUEST)


def test_a_pause_of_another_site_stops_nothing_here() -> None:
    """A pause is of the sites that it names."""
    story = given_enrolling()
    pause(story, ["SD-02"])
    assert register(story) is None


@breaks("enrolment.opened", "ENROLMENT_OPENED_TWICE", "SITE_UNKNOWN")
def test_enrolment_is_opened_where_it_is_not_open() -> None:
    """While one of the named sites is open, opening again is refused."""
    story = given_enrolling()
    again = {"cap": 2, "sites": ["*"]}
    assert (
        story.when("enrolment.opened", again, by="sponsor", stream="study").refused
        == "ENROLMENT_OPENED_TWICE"
    )
    pause(story, [SITE])
    assert (
        story.when("enrolment.opened", again, by="sponsor", stream="study").refused
        == "ENROLMENT_OPENED_TWICE"
    )
    unknown = {"cap": 2, "sites": ["ZZ-99"]}
    assert story.when("enrolment.opened", unknown, by="sponsor", stream="study").refused == "SITE_UNKNOWN"
    story.given("enrolment.opened", {"cap": 2, "sites": [SITE]}, by="sponsor", stream="study")


@breaks("enrolment.opened", "PROTOCOL_UNKNOWN")
def test_enrolment_is_opened_under_a_protocol() -> None:
    """Before a protocol is approved there is nothing to enrol into."""
    story = Story()
    registration = {"registry_id": "N", "title": "T", "phase": "4", "sponsor": "S", "planned_enrolment": 1}
    story.given("study.registered", registration, by="sponsor", stream="study")
    told = story.when("enrolment.opened", {"cap": 1, "sites": ["*"]}, by="sponsor", stream="study")
    assert told.refused == "PROTOCOL_UNKNOWN"


# Halt and close


@keeps("study.halted", "study.resumed", "vital_signs.recorded")
@breaks("participant.registered", "STUDY_HALTED")
@breaks("randomization.requested", "STUDY_HALTED")
@breaks("enrolment.opened", "STUDY_HALTED")
def test_a_halt_stops_enrolment_and_randomization() -> None:
    """Until the study is resumed; follow-up goes on."""
    story = given_eligible()
    pause(story)
    halt(story)
    opening = {"cap": 2, "sites": ["*"]}
    assert register(story) == "STUDY_HALTED"
    assert story.when("randomization.requested", REQUEST).refused == "STUDY_HALTED"
    assert story.when("enrolment.opened", opening, by="sponsor", stream="study").refused == "STUDY_HALTED"
    story.given("vital_signs.recorded", VITALS)
    story.given("study.resumed", step(story), by="sponsor", stream="study")
    story.given("enrolment.opened", opening, by="sponsor", stream="study")
    story.given("randomization.requested", REQUEST)


@breaks("infusion.started", "STUDY_HALTED")
def test_a_halt_stops_the_start_of_an_infusion() -> None:
    """Ordered and at the bedside, it is not started; what was started outside is a breach."""
    story = given_at_bedside()
    halt(story)
    assert "STUDY_HALTED" in story.when("infusion.started", start(), by="nurse").codes
    told = story.when("infusion.started", {**start(), "performed_outside": OUTSIDE}, by="nurse")
    assert told.refused is None
    assert "STUDY_HALTED" in told.codes


@breaks("infusion.resumed", "STUDY_HALTED")
@keeps("infusion.interrupted")
def test_what_runs_at_a_halt_is_stopped_and_recorded() -> None:
    """Interrupting and stopping are recorded; taking up again is a breach."""
    story = given_running()
    halt(story)
    told = {"infusion": 1, "code": "halt", "volume": {"value": "10", "unit": "mL"}, "pump": "P1"}
    story.given("infusion.interrupted", told, by="nurse")
    rate = {"value": "375", "unit": "mL/h"}
    resumed = story.when("infusion.resumed", {"infusion": 1, "rate": rate, "pump": "P1"}, by="nurse")
    assert (resumed.refused, "STUDY_HALTED" in resumed.codes) == (None, True)
    volume = {"value": "10", "unit": "mL"}
    story.given("infusion.stopped", {"infusion": 1, "code": "halt", "volume": volume}, by="nurse")
    assert story.participant.running is None


def test_what_was_done_before_the_halt_is_no_breach_of_it() -> None:
    """A gate that was passed on paper before the halt and entered after it is judged by its own time."""
    story = given_enrolling()
    done = story.ago(minutes=2)
    halt(story)
    data = {"participant": SECOND, "performed_outside": OUTSIDE}
    told = story.when("participant.registered", data, stream=f"participant/{SECOND}", occurred=done)
    assert told.codes == ()


@breaks("study.resumed", "STUDY_NOT_HALTED")
def test_what_goes_on_is_not_resumed() -> None:
    """A study that nobody halted, or that is closed, is not resumed."""
    story = given_study()
    told = story.when("study.resumed", step(story), by="sponsor", stream="study")
    assert told.refused == "STUDY_NOT_HALTED"


@keeps("study.closed", "vital_signs.recorded")
@breaks("study.closed", "STUDY_CLOSED")
@breaks("participant.registered", "STUDY_CLOSED")
@breaks("delegation.granted", "STUDY_CLOSED")
def test_no_gate_opens_in_a_closed_study() -> None:
    """Neither for participants nor for sites; facts are still recorded."""
    story = given_consented()
    story.given("study.closed", step(story), by="sponsor", stream="study")
    assert register(story) == "STUDY_CLOSED"
    told = story.when("delegation.granted", {"site": SITE, "person": "new", "tasks": ["visit.started"],
                      "from": story.ago(hours=-1)}, by="ines", stream=AT_SITE)  # fmt: skip
    assert told.refused == "STUDY_CLOSED"
    assert story.when("study.closed", step(story), by="sponsor", stream="study").refused == "STUDY_CLOSED"
    story.given("vital_signs.recorded", VITALS)


def test_a_closed_study_is_not_resumed() -> None:
    """Closing is the end of it."""
    story = given_study()
    halt(story)
    story.given("study.closed", step(story), by="sponsor", stream="study")
    assert "STUDY_CLOSED" in story.when("study.resumed", step(story), by="sponsor", stream="study").codes
