"""The study and its sites: what stands before what (catalogue A, B; record-format.md §8)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.given_quality import given_database_locked
from tests.given_sites import AT_SITE, protocol
from tests.scenario import (
    DEFINITION,
    SITE,
    Story,
    breaks,
    committed,
    delegation,
    form,
    given_active_site,
    given_enrolling,
    given_registered,
    given_site,
    given_study,
    irb,
    keeps,
    parameters,
    seed,
)

REGISTRATION = {"registry_id": "N", "title": "T", "phase": "4", "sponsor": "S", "planned_enrolment": 1}
LIST = "randomization/main"


def test_the_study_is_registered_first() -> None:
    """No protocol is approved before the study is registered."""
    story = Story()
    told = story.when("protocol.approved", protocol(story), by="sponsor", stream="study")
    assert told.refused == "STUDY_NOT_REGISTERED"


@keeps("study.registered")
@breaks("study.registered", "STUDY_REGISTERED_TWICE")
def test_the_study_is_registered_once() -> None:
    """A ledger is of one study."""
    story = given_study()
    told = story.when("study.registered", REGISTRATION, by="sponsor", stream="study")
    assert told.refused == "STUDY_REGISTERED_TWICE"


def test_a_participant_is_registered_in_a_registered_study() -> None:
    """Without a study there are no participants."""
    told = Story().when("participant.registered", {"participant": "SA-01-001"})
    assert told.refused == "STUDY_NOT_REGISTERED"


@breaks("protocol.approved", "ID_REUSED")
def test_a_protocol_version_is_approved_once() -> None:
    """The same version is not approved again."""
    story = given_study()
    told = story.when("protocol.approved", protocol(story), by="sponsor", stream="study")
    assert told.refused == "ID_REUSED"


@pytest.mark.parametrize(
    ("version", "data"), [("2.0", DEFINITION), ("1.0", b"{}")], ids=["another version", "unreadable"]
)
@breaks("protocol.approved", "DEFINITION_INVALID")
def test_a_protocol_has_a_definition_of_its_version(version: str, data: bytes) -> None:
    """A definition that cannot be read, or is of another version, refuses the approval."""
    story = Story()
    story.given("study.registered", REGISTRATION, by="sponsor", stream="study")
    told = story.when("protocol.approved", protocol(story, version, data), by="sponsor", stream="study")
    assert told.refused == "DEFINITION_INVALID"


@breaks("consent_form.approved", "PROTOCOL_UNKNOWN")
def test_a_consent_form_has_a_protocol() -> None:
    """A form is approved under an approved protocol."""
    story = Story()
    story.given("study.registered", REGISTRATION, by="sponsor", stream="study")
    told = story.when("consent_form.approved", form(), by="sponsor", stream="study")
    assert told.refused == "PROTOCOL_UNKNOWN"


@keeps("consent_form.approved")
@breaks("consent_form.approved", "ID_REUSED")
def test_a_consent_form_version_is_approved_once() -> None:
    """The same version and language is not approved again; another language is."""
    story = given_site()
    told = story.when("consent_form.approved", form(), by="sponsor", stream="study")
    assert told.refused == "ID_REUSED"
    story.given("consent_form.approved", form() | {"language": "es"}, by="sponsor", stream="study")


def test_a_site_is_the_protocols() -> None:
    """A gate at a site that the protocol does not have is refused, a fact is flagged."""
    story = given_study()
    data = {"date": "2025-01-06", "checklist": ["drug"]}
    told = story.when("site.initiated", data, by="sponsor", stream="site/ZZ-99")
    assert told.refused == "SITE_UNKNOWN"
    told = story.when("irb_approval.recorded", irb(), by="ines", stream="site/ZZ-99")
    assert (told.refused, told.codes) == (None, ("SITE_UNKNOWN",))
    assert story.conduct.unrecorded() == ()


@breaks("investigator.designated", "INVESTIGATOR_ROLE")
def test_an_investigator_holds_the_role() -> None:
    """A coordinator is not designated."""
    story = given_study()
    data = {"site": SITE, "person": "cora", "from": "2025-01-06"}
    told = story.when("investigator.designated", data, by="sponsor", stream=AT_SITE)
    assert told.refused == "INVESTIGATOR_ROLE"


@breaks("investigator.designated", "SITE_UNKNOWN")
def test_a_designation_names_the_site_of_its_stream() -> None:
    """Data and stream name the same site."""
    story = given_study()
    data = {"site": "SD-02", "person": "ines", "from": "2025-01-06"}
    told = story.when("investigator.designated", data, by="sponsor", stream=AT_SITE)
    assert told.refused == "SITE_UNKNOWN"


@breaks("investigator.designated", "INVESTIGATOR_PRESENT")
def test_a_site_has_one_principal_investigator() -> None:
    """A second designation is refused: there is a hand-over for that."""
    story = given_site()
    data = {"site": SITE, "person": "other", "from": "2025-01-06"}
    told = story.when("investigator.designated", data, by="sponsor", stream=AT_SITE)
    assert told.refused == "INVESTIGATOR_PRESENT"


@breaks("delegation.granted", "NOT_SITE_INVESTIGATOR")
@breaks("delegation.ended", "NOT_SITE_INVESTIGATOR")
def test_only_the_sites_investigator_delegates() -> None:
    """The investigator of another site neither delegates nor ends a delegation here."""
    story = given_site()
    told = story.when("delegation.granted", delegation("new"), by="other", stream=AT_SITE)
    assert told.refused == "NOT_SITE_INVESTIGATOR"
    granted = story.given("delegation.granted", delegation("new"), by="ines", stream=AT_SITE)
    told = story.when("delegation.ended", {"delegation": granted.event}, by="other", stream=AT_SITE)
    assert told.codes == ("NOT_SITE_INVESTIGATOR",)


@breaks("delegation.granted", "SITE_UNKNOWN")
def test_a_delegation_names_the_site_of_its_stream() -> None:
    """Data and stream name the same site."""
    story = given_site()
    told = story.when("delegation.granted", {**delegation("new"), "site": "SD-02"}, by="ines", stream=AT_SITE)
    assert told.refused == "SITE_UNKNOWN"


@breaks("delegation.accepted", "NOT_THE_DELEGATE")
def test_the_delegate_accepts() -> None:
    """An acceptance by another person is recorded and flagged, and gives no task."""
    story = given_site()
    granted = story.given("delegation.granted", delegation("new"), by="ines", stream=AT_SITE)
    told = story.when("delegation.accepted", {"delegation": granted.event}, by="cora", stream=AT_SITE)
    assert told.codes == ("NOT_THE_DELEGATE",)
    site = story.conduct.study.site(SITE)
    assert next(d for d in site.delegations if d.event == granted.event).accepted is None


@breaks("delegation.accepted", "DELEGATION_ENDED")
def test_a_delegation_is_accepted_before_its_end() -> None:
    """An acceptance after the end is flagged."""
    story = given_site()
    granted = story.given("delegation.granted", delegation("new"), by="ines", stream=AT_SITE)
    story.given("delegation.ended", {"delegation": granted.event}, by="ines", stream=AT_SITE)
    told = story.when("delegation.accepted", {"delegation": granted.event}, by="new", stream=AT_SITE)
    assert told.codes == ("DELEGATION_ENDED",)


@breaks("delegation.ended", "DELEGATION_ENDED")
def test_a_delegation_ends_once() -> None:
    """A second end is flagged, and the first one stands."""
    story = given_site()
    granted = story.given("delegation.granted", delegation("new"), by="ines", stream=AT_SITE)
    ended = story.given("delegation.ended", {"delegation": granted.event}, by="ines", stream=AT_SITE)
    told = story.when("delegation.ended", {"delegation": granted.event}, by="ines", stream=AT_SITE)
    assert told.codes == ("DELEGATION_ENDED",)
    named = story.conduct.study.delegation(SITE, granted.event)
    assert named is not None
    assert named.ended == ended.index


@breaks("randomization.parameters_committed", "PROTOCOL_UNKNOWN")
def test_lists_and_enrolment_need_a_protocol() -> None:
    """Before a protocol is approved neither parameters nor enrolment stand on anything."""
    story = Story()
    story.given("study.registered", REGISTRATION, by="sponsor", stream="study")
    seeds = _seeds(story, "main", "sponsor", "holder")
    data = parameters(story, "main", seeds)
    told = story.when("randomization.parameters_committed", data, by="sponsor", stream=LIST)
    assert told.refused == "PROTOCOL_UNKNOWN"
    told = story.when("enrolment.opened", {"cap": 1, "sites": ["*"]}, by="sponsor", stream="study")
    assert told.refused == "PROTOCOL_UNKNOWN"


@breaks("delegation.accepted", "REFERENCE")
@breaks("delegation.ended", "REFERENCE")
def test_an_acceptance_names_a_delegation() -> None:
    """A statement that is no delegation of this site cannot be accepted or ended."""
    story = given_site()
    for type_, by in (("delegation.accepted", "new"), ("delegation.ended", "ines")):
        told = story.when(type_, {"delegation": "00" * 32}, by=by, stream=AT_SITE)
        assert told.refused == "REFERENCE"


ACTIVATION = {"from": "2025-01-06", "checklist": ["all"]}


@breaks("site.activated", "SITE_NOT_INITIATED", "SITE_CHECKLIST")
def test_activation_needs_initiation() -> None:
    """A site that nobody initiated is not activated."""
    story = given_study()
    told = story.when("site.activated", ACTIVATION, by="sponsor", stream=AT_SITE)
    assert told.codes == ("SITE_NOT_INITIATED", "SITE_CHECKLIST")


@breaks("site.activated", "SITE_ALREADY_ACTIVE")
def test_activation_happens_once() -> None:
    """An active site is not activated again."""
    story = given_active_site()
    told = story.when("site.activated", ACTIVATION, by="sponsor", stream=AT_SITE)
    assert told.refused == "SITE_ALREADY_ACTIVE"


@pytest.mark.parametrize(
    "lacking", ["irb_approval.recorded", "investigator.designated", "delegation.accepted"]
)
def test_activation_needs_its_checklist(lacking: str) -> None:
    """Without approval, investigator or accepted delegation a site is not activated."""
    story = given_study()
    story.given("site.initiated", {"date": "2025-01-06", "checklist": ["drug"]}, by="sponsor", stream=AT_SITE)
    if lacking != "irb_approval.recorded":
        story.given("irb_approval.recorded", irb(), by="ines", stream=AT_SITE)
    if lacking != "investigator.designated":
        data = {"site": SITE, "person": "ines", "from": "2025-01-06"}
        story.given("investigator.designated", data, by="sponsor", stream=AT_SITE)
        granted = story.given("delegation.granted", delegation("cora"), by="ines", stream=AT_SITE)
        if lacking != "delegation.accepted":
            story.given("delegation.accepted", {"delegation": granted.event}, by="cora", stream=AT_SITE)
    assert story.when("site.activated", ACTIVATION, by="sponsor", stream=AT_SITE).refused == "SITE_CHECKLIST"


def _seeds(story: Story, name: str, *people: str) -> list[str]:
    return [str(seed(story, name, person).event) for person in people]


@breaks("randomization.parameters_committed", "LIST_CONTRIBUTORS")
def test_a_list_has_contributors_of_different_organisations() -> None:
    """One contributor, or two of one organisation, are not enough."""
    story = given_active_site()
    seeds = _seeds(story, "main", "sponsor")
    told = story.when(
        "randomization.parameters_committed", parameters(story, "main", seeds), by="sponsor", stream=LIST
    )
    assert told.refused == "LIST_CONTRIBUTORS"


@breaks("randomization.seed_committed", "LIST_CONTRIBUTORS")
def test_a_person_contributes_one_seed() -> None:
    """A second seed of the same person is refused."""
    story = given_active_site()
    seed(story, "main", "sponsor")
    assert seed(story, "main", "sponsor").refused == "LIST_CONTRIBUTORS"


@breaks("randomization.parameters_committed", "REFERENCE", "LIST_PARAMETERS")
def test_parameters_name_every_committed_seed() -> None:
    """Leaving a committed seed out, or naming one that is none, is refused."""
    story = given_active_site()
    seeds = _seeds(story, "main", "sponsor", "holder")
    data = parameters(story, "main", [*seeds, "00" * 32])
    told = story.when("randomization.parameters_committed", data, by="sponsor", stream=LIST)
    assert told.refused == "REFERENCE"
    data = parameters(story, "main", seeds[:1])
    told = story.when("randomization.parameters_committed", data, by="sponsor", stream=LIST)
    assert told.refused == "LIST_PARAMETERS"


@breaks("randomization.parameters_committed", "LIST_BEFORE_BEACON")
def test_the_beacon_is_still_to_come() -> None:
    """A tree size that the log has reached already is no beacon."""
    story = given_active_site()
    seeds = _seeds(story, "main", "sponsor", "holder")
    data = parameters(story, "main", seeds, beacon_size=len(story.log))
    told = story.when("randomization.parameters_committed", data, by="sponsor", stream=LIST)
    assert told.refused == "LIST_BEFORE_BEACON"


def test_strata_are_sites_of_the_protocol() -> None:
    """A stratum that is no site is refused."""
    story = given_active_site()
    seeds = _seeds(story, "main", "sponsor", "holder")
    data = parameters(story, "main", seeds, strata=["ZZ-99"])
    told = story.when("randomization.parameters_committed", data, by="sponsor", stream=LIST)
    assert told.refused == "LIST_PARAMETERS"


def test_a_second_stage_rests_on_its_first_list() -> None:
    """A second stage with the first list's strata passes, on an unknown list it is refused."""
    story = given_active_site()
    _commit(story)
    seeds = _seeds(story, "stage2", "sponsor", "holder")
    more = {"algorithm": "second-stage/1", "from_arms": ["magnesium"]}
    at = "randomization/stage2"
    data = parameters(story, "stage2", seeds, first="other", **more)
    told = story.when("randomization.parameters_committed", data, by="sponsor", stream=at)
    assert told.refused == "LIST_PARAMETERS"
    data = parameters(story, "stage2", seeds, first="main", **more)
    story.given("randomization.parameters_committed", data, by="sponsor", stream=at)


def _commit(story: Story, name: str = "main", **more: Any) -> None:
    seeds = _seeds(story, name, "sponsor", "holder")
    data = parameters(story, name, seeds, **more)
    story.given("randomization.parameters_committed", data, by="sponsor", stream=f"randomization/{name}")


@keeps("randomization.seed_committed", "randomization.parameters_committed", "randomization.list_committed")
@breaks("randomization.seed_committed", "LIST_COMMITTED")
@breaks("randomization.parameters_committed", "LIST_COMMITTED")
@breaks("randomization.list_committed", "LIST_COMMITTED")
def test_a_list_is_committed_after_its_parameters_and_once() -> None:
    """Without parameters, or a second time, a list is refused; so are parameters and seeds after it."""
    story = given_active_site()
    told = story.when("randomization.list_committed", committed(), by="holder", stream=LIST)
    assert told.refused == "LIST_COMMITTED"
    story = given_enrolling()
    told = story.when("randomization.list_committed", committed(), by="holder", stream=LIST)
    assert told.refused == "LIST_COMMITTED"
    assert seed(story, "main", "holder").refused == "LIST_COMMITTED"
    data = parameters(story, "main", [str(s.event) for s in story.conduct.study.lists["main"].seeds])
    told = story.when("randomization.parameters_committed", data, by="sponsor", stream=LIST)
    assert told.refused == "LIST_COMMITTED"


@breaks("randomization.list_committed", "LIST_PARAMETERS")
def test_a_list_has_its_size() -> None:
    """Slots times strata, no more and no less."""
    story = given_active_site()
    _commit(story)
    told = story.when("randomization.list_committed", committed(size=59), by="holder", stream=LIST)
    assert told.refused == "LIST_PARAMETERS"


@breaks("randomization.list_committed", "LIST_BEFORE_BEACON")
def test_a_list_waits_for_its_beacon() -> None:
    """Before the tree has the beacon's size the list cannot have been made."""
    story = given_active_site()
    _commit(story, beacon_size=len(story.log) + 9)
    told = story.when("randomization.list_committed", committed(), by="holder", stream=LIST)
    assert told.refused == "LIST_BEFORE_BEACON"


@breaks("randomization.list_committed", "LIST_AFTER_ENROLMENT")
def test_a_list_stands_before_the_first_enrolment() -> None:
    """After a participant is registered no list is committed."""
    story = given_active_site()
    _commit(story)
    given_registered(story)
    told = story.when("randomization.list_committed", committed(), by="holder", stream=LIST)
    assert told.refused == "LIST_AFTER_ENROLMENT"


@breaks("randomization.list_committed", "LIST_REROLLED")
def test_a_list_made_again_is_flagged() -> None:
    """A failed start stays visible: the same list under another name is a breach."""
    story = given_active_site()
    _commit(story)
    _commit(story, "again")
    told = story.when(
        "randomization.list_committed", committed("again"), by="holder", stream="randomization/again"
    )
    assert (told.refused, told.codes) == (None, ("LIST_REROLLED",))


@keeps("randomization.list_opened")
@breaks("randomization.list_opened", "DATABASE_NOT_LOCKED")
def test_a_list_is_opened_after_the_lock() -> None:
    """While the database is not locked nothing of a list is opened."""
    story = given_enrolling()
    data = {"block_sizes": [6, 9], "list": "main", "seeds": ["A" * 43 + "=", "B" * 42 + "A="]}
    told = story.when("randomization.list_opened", data, by="sponsor", stream=LIST)
    assert told.refused == "DATABASE_NOT_LOCKED"
    story = given_database_locked()
    story.given("randomization.list_opened", data, by="sponsor", stream=LIST)
