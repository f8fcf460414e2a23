"""Sites: boards, commands, investigators and their hand-over, suspension and closing (catalogue B)."""

from __future__ import annotations

from tests.given_blinding import checked, issued
from tests.given_pharmacy import KIT, given_stock, mg, moved
from tests.given_pharmacy import when as pharmacy
from tests.given_sites import (
    AT_SITE,
    closing,
    continuation,
    cosign,
    given_handed_over,
    hand_over,
    receive_copy,
    suspended,
)
from tests.scenario import (
    REQUEST,
    SITE,
    SOURCE,
    VITALS,
    Story,
    breaks,
    delegation,
    digest,
    given_active_site,
    given_assessed,
    given_consented,
    given_eligible,
    given_enrolling,
    given_randomized,
    given_registered,
    given_site,
    given_study,
    irb,
    keeps,
    train,
)

SECOND = {"participant": "SA-01-002"}
AT_SECOND = "participant/SA-01-002"


def register(story: Story) -> tuple[str, ...]:
    """Return what the registration of another participant breaks."""
    return story.when("participant.registered", SECOND, stream=AT_SECOND).codes


def void(story: Story, event: str) -> tuple[tuple[str, str], ...]:
    """Void a fact of the site; return what that causes."""
    data = {"statement": event, "code": "error", "source": SOURCE}
    told = story.when("record.voided", data, by="ines", stream=AT_SITE, reason="error")
    assert told.refused is None
    return told.caused


# Review board and command


@keeps("irb_approval.suspended", "irb_approval.recorded")
@breaks("participant.registered", "IRB_SUSPENDED")
@breaks("delegation.granted", "IRB_SUSPENDED")
def test_a_suspended_approval_holds_all_gates_of_the_site() -> None:
    """For participants and for the site itself, until a further approval; facts are recorded."""
    story = given_consented()
    story.given("irb_approval.suspended", suspended(story), by="ines", stream=AT_SITE)
    assert register(story) == ("IRB_SUSPENDED",)
    data = delegation("new", story.ago(hours=-1))
    told = story.when("delegation.granted", data, by="ines", stream=AT_SITE)
    assert told.refused == "IRB_SUSPENDED"
    story.given("vital_signs.recorded", VITALS)
    story.given("irb_approval.recorded", irb(), by="ines", stream=AT_SITE)
    assert register(story) == ()


def test_a_suspension_ends_at_the_time_that_it_names() -> None:
    """After its end the approval that was suspended counts again."""
    story = given_enrolling()
    data = suspended(story, to=story.ago(hours=-24))
    story.given("irb_approval.suspended", data, by="ines", stream=AT_SITE)
    assert register(story) == ("IRB_SUSPENDED",)
    story.wait(days=2)
    assert register(story) == ()


def test_a_suspension_that_is_voided_never_was() -> None:
    """Voided, it holds nothing; corrected, it holds from the corrected time on (R10)."""
    story = given_enrolling()
    told = story.given("irb_approval.suspended", suspended(story), by="ines", stream=AT_SITE)
    assert register(story) == ("IRB_SUSPENDED",)
    void(story, told.event)
    assert register(story) == ()


def test_a_suspension_entered_late_does_not_reach_what_stands_before_it() -> None:
    """What was permitted as the log stood stays permitted; from the index on it waits."""
    story = given_registered()
    data = suspended(story, **{"from": "2025-01-01"})
    told = story.given("irb_approval.suspended", data, by="ines", stream=AT_SITE)
    assert told.caused == ()
    assert register(story) == ("IRB_SUSPENDED",)


@keeps("irb_continuation.permitted")
@breaks("participant.registered", "IRB_LAPSED")
@breaks("randomization.requested", "IRB_LAPSED")
def test_a_continuation_lets_those_go_on_who_are_in_the_study() -> None:
    """After a lapse gates open again for them, and for the site; nobody new is taken in."""
    story = given_eligible()
    story.goto("2026-01-01T15:00:00.000000Z")
    permitted = continuation(story)
    for person in ("sub", "cora"):
        train(story, person, date="2026-01-01")
    assert "IRB_LAPSED" in story.when("eligibility.confirmed", digest(story), by="sub").codes
    story.given("irb_continuation.permitted", permitted, by="ines", stream=AT_SITE)
    assert "IRB_LAPSED" not in story.when("eligibility.confirmed", digest(story), by="sub").codes
    data = delegation("new", story.ago(hours=-1))
    story.given("delegation.granted", data, by="ines", stream=AT_SITE)
    assert register(story) == ("IRB_LAPSED",)
    assert "IRB_LAPSED" in story.when("randomization.requested", REQUEST).codes


def test_a_continuation_that_names_enrolment_takes_new_ones_in() -> None:
    """The board's own words decide; voided, they decide nothing."""
    story = given_enrolling()
    story.goto("2026-01-01T15:00:00.000000Z")
    told = story.given(
        "irb_continuation.permitted", continuation(story, "enrolment"), by="ines", stream=AT_SITE
    )
    assert register(story) == ()
    void(story, told.event)
    again = story.when("participant.registered", {"participant": "P3"}, stream="participant/P3")
    assert again.codes == ("IRB_LAPSED",)


@keeps("command_approval.recorded")
@breaks("participant.registered", "COMMAND_APPROVAL_MISSING")
@breaks("eligibility.confirmed", "COMMAND_APPROVAL_MISSING")
def test_recruiting_needs_the_commands_approval_where_the_protocol_asks_for_it() -> None:
    """Voided, the approval is missing: nobody is registered or confirmed until there is another."""
    story = given_assessed()
    approval = next(
        e for e in story.log if e.statement is not None and e.statement.type == "command_approval.recorded"
    )
    caused = void(story, approval.event)
    assert {rule for rule, _ in caused} == {"COMMAND_APPROVAL_MISSING"}
    assert register(story) == ("COMMAND_APPROVAL_MISSING",)
    told = story.when("eligibility.confirmed", digest(story), by="sub")
    assert told.refused == "COMMAND_APPROVAL_MISSING"
    data = {"reference": "CMD-2", "from": story.now[:10], "source": SOURCE}
    story.given("command_approval.recorded", data, by="ines", stream=AT_SITE)
    assert register(story) == ()


@keeps("irb_approval.recorded", "irb_approval.suspended", "command_approval.recorded")
@breaks("irb_approval.suspended", "SITE_UNKNOWN")
@breaks("command_approval.recorded", "SITE_UNKNOWN")
def test_approvals_are_of_the_protocols_sites() -> None:
    """At another site they are recorded and flagged."""
    story = given_site()
    told = story.when("irb_approval.suspended", suspended(story), by="ines", stream="site/ZZ-99")
    assert (told.refused, told.codes) == (None, ("SITE_UNKNOWN",))
    data = {"reference": "CMD-2", "from": story.now[:10], "source": SOURCE}
    told = story.when("command_approval.recorded", data, by="ines", stream="site/ZZ-99")
    assert (told.refused, told.codes) == (None, ("SITE_UNKNOWN",))
    story.given("irb_approval.suspended", suspended(story), by="ines", stream=AT_SITE)


# Investigators


@keeps("investigator.designated", "investigator.handed_over", "delegation.granted", "delegation.ended")
def test_a_hand_over_takes_effect_with_the_successors_signature() -> None:
    """Until then the old investigator leads; after it the successor delegates and the old one does not."""
    story = given_active_site()
    told = story.given("investigator.handed_over", hand_over(story), by="sponsor", stream=AT_SITE)
    data = delegation("new", story.ago(hours=-1), ["visit.started"])
    assert (
        story.when("delegation.granted", data, by="iris", stream=AT_SITE).refused == "NOT_SITE_INVESTIGATOR"
    )
    first = story.given("delegation.granted", data, by="ines", stream=AT_SITE)
    assert cosign(story, told, "iris").codes == ()
    assert (
        story.when("delegation.granted", data, by="ines", stream=AT_SITE).refused == "NOT_SITE_INVESTIGATOR"
    )
    story.given("delegation.granted", data, by="iris", stream=AT_SITE)
    story.given("delegation.ended", {"delegation": first.event}, by="iris", stream=AT_SITE)


@breaks("record.cosigned", "COSIGNER_NOT_ALLOWED")
def test_somebody_elses_signature_hands_nothing_over() -> None:
    """An investigator who is not the successor cosigns in vain, and is flagged."""
    story = given_active_site()
    told = story.given("investigator.handed_over", hand_over(story), by="sponsor", stream=AT_SITE)
    assert cosign(story, told, "other").codes == ("COSIGNER_NOT_ALLOWED",)
    data = delegation("new", story.ago(hours=-1), ["visit.started"])
    story.given("delegation.granted", data, by="ines", stream=AT_SITE)


@breaks("investigator.handed_over", "SITE_UNKNOWN", "INVESTIGATOR_ROLE", "INVESTIGATOR_PRESENT")
@breaks("investigator.handed_over", "NOT_SITE_INVESTIGATOR")
def test_a_hand_over_is_from_the_investigator_to_another() -> None:
    """Another site's name, who is no investigator, the same one, and another site's signature are refused."""
    story = given_active_site()
    for change, by, code in (
        ({"site": "SD-02"}, "sponsor", "SITE_UNKNOWN"),
        ({"person": "cora"}, "sponsor", "INVESTIGATOR_ROLE"),
        ({"person": "ines"}, "sponsor", "INVESTIGATOR_PRESENT"),
        ({"person": "iris"}, "other", "NOT_SITE_INVESTIGATOR"),
    ):
        data = {**hand_over(story), **change}
        assert story.when("investigator.handed_over", data, by=by, stream=AT_SITE).refused == code


@breaks("investigator.handed_over", "INVESTIGATOR_MISSING")
def test_a_site_without_investigator_is_not_handed_over() -> None:
    """Its first investigator is designated."""
    story = given_study()
    told = story.when("investigator.handed_over", hand_over(story), by="sponsor", stream=AT_SITE)
    assert told.refused == "INVESTIGATOR_MISSING"


@keeps("delegation.reaffirmed", "delegation.accepted")
def test_the_new_investigator_reaffirms_delegations() -> None:
    """The fold says which delegations of the one before somebody stands by."""
    story = given_active_site()
    given_handed_over(story)
    named = story.conduct.study.site(SITE).delegations[0]
    told = story.given("delegation.reaffirmed", {"delegation": named.event}, by="iris", stream=AT_SITE)
    again = story.conduct.study.delegation(SITE, named.event)
    assert again is not None
    assert (named.reaffirmed, again.reaffirmed) == (None, told.index)


@breaks("delegation.reaffirmed", "REFERENCE", "NOT_SITE_INVESTIGATOR", "DELEGATION_ENDED")
def test_a_delegation_is_reaffirmed_by_the_investigator_before_its_end() -> None:
    """Another person, an unknown delegation and an ended one are refused."""
    story = given_active_site()
    named = {"delegation": story.conduct.study.site(SITE).delegations[0].event}
    told = story.when("delegation.reaffirmed", named, by="iris", stream=AT_SITE)
    assert told.refused == "NOT_SITE_INVESTIGATOR"
    story.given("delegation.ended", named, by="ines", stream=AT_SITE)
    assert story.when("delegation.reaffirmed", named, by="ines", stream=AT_SITE).refused == "DELEGATION_ENDED"
    unknown = {"delegation": "00" * 32}
    assert story.when("delegation.reaffirmed", unknown, by="ines", stream=AT_SITE).refused == "REFERENCE"


# Suspension and closing


@keeps("site.initiated", "site.activated", "site.suspended")
@breaks("participant.registered", "SITE_NOT_ACTIVE")
@breaks("site.suspended", "SITE_NOT_ACTIVE")
@breaks("site.activated", "SITE_ALREADY_ACTIVE")
def test_a_suspended_site_opens_no_gate_until_it_is_active_again() -> None:
    """Follow-up goes on; the site is activated a second time."""
    story = given_consented()
    data = {"from": story.now, "code": "staff_shortage"}
    story.given("site.suspended", data, by="sponsor", stream=AT_SITE)
    assert register(story) == ("SITE_NOT_ACTIVE",)
    story.given("vital_signs.recorded", VITALS)
    assert story.when("site.suspended", data, by="sponsor", stream=AT_SITE).refused == "SITE_NOT_ACTIVE"
    again = {"from": story.now, "checklist": ["all"]}
    story.given("site.activated", again, by="sponsor", stream=AT_SITE)
    assert register(story) == ()
    assert story.when("site.activated", again, by="sponsor", stream=AT_SITE).refused == "SITE_ALREADY_ACTIVE"


def test_a_site_is_active_from_the_time_that_its_activation_names() -> None:
    """Activated for tomorrow, it takes nobody in today."""
    story = given_site()
    data = {"from": story.ago(hours=-24), "checklist": ["all"]}
    story.given("site.activated", data, by="sponsor", stream=AT_SITE)
    assert register(story) == ("SITE_NOT_ACTIVE",)
    story.wait(days=2)
    assert register(story) == ()


def close(story: Story) -> tuple[str, ...]:
    """Return what the closing of the site breaks."""
    return story.when("site.closed", closing(story), by="sponsor", stream=AT_SITE).codes


@keeps("site.closed")
@breaks("site.closed", "SITE_COPY_MISSING", "SITE_CLOSED")
@breaks("site.activated", "SITE_CLOSED")
def test_a_site_is_closed_once_its_investigator_has_a_copy() -> None:
    """Without an equal copy in the investigator's own hands it stays open; closed, it stays closed."""
    story = given_active_site()
    assert (
        story.when("site.closed", closing(story), by="sponsor", stream=AT_SITE).refused == "SITE_COPY_MISSING"
    )
    assert receive_copy(story, by="ines", equal=False).refused is None
    assert receive_copy(story, by="sponsor").refused is None
    assert (
        story.when("site.closed", closing(story), by="sponsor", stream=AT_SITE).refused == "SITE_COPY_MISSING"
    )
    assert receive_copy(story).codes == ()
    story.given("site.closed", closing(story), by="sponsor", stream=AT_SITE)
    assert close(story) == ("SITE_CLOSED",)
    again = {"from": story.now, "checklist": ["all"]}
    assert story.when("site.activated", again, by="sponsor", stream=AT_SITE).refused == "SITE_CLOSED"
    assert register(story) == ("SITE_NOT_ACTIVE",)


@breaks("site.closed", "SITE_DRUG_OPEN")
def test_a_site_is_closed_with_its_drug_accounted_for() -> None:
    """A kit on the shelf, or a quantity in the books, keeps it open; returned and destroyed, nothing does."""
    story = given_stock()
    assert receive_copy(story).codes == ()
    assert close(story) == ("SITE_DRUG_OPEN",)
    remainder = [{"kit": KIT, "quantity": mg("500")}]
    destroyed = {"kits": remainder, "method": "incineration", "dea_forms": []}
    pharmacy(story, "kit.destroyed", destroyed)
    assert close(story) == ("SITE_DRUG_OPEN",)
    returned = {**moved("500"), "how": "returned", "method": "reverse_distributor"}
    pharmacy(story, "substance.destroyed_or_returned", returned)
    assert close(story) == ()


@breaks("site.closed", "SITE_ENVELOPES_OPEN")
def test_a_site_is_closed_with_its_envelopes_accounted_for() -> None:
    """Not looked at, or found open without an unblinding, one keeps the site open; intact, it does not."""
    story = given_randomized()
    assert receive_copy(story).codes == ()
    keeper = {"by": "keeper", "stream": "safety"}
    story.given("unblinding.envelope_issued", issued(story), **keeper)
    assert close(story) == ("SITE_ENVELOPES_OPEN",)
    story.when("unblinding.envelope_checked", checked(found="opened"), by="ines", stream="safety")
    assert close(story) == ("SITE_ENVELOPES_OPEN",)
    story.given("unblinding.envelope_checked", checked(), by="ines", stream="safety")
    assert close(story) == ()
