"""Transfer to another site, and one person under two ids (catalogue C)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.given_consent import (
    THERE,
    given_both_sites,
    given_transferred,
    transfer,
)
from tests.scenario import (
    REQUEST,
    SITE,
    VITALS,
    breaks,
    given_consented,
    given_eligible,
    given_randomized,
    given_running,
    keeps,
)


@keeps("participant.transferred")
def test_a_transfer_moves_the_participant_and_nothing_else() -> None:
    """Another site from there on; id, stratum and allocation as before, and the consent there counts."""
    story = given_randomized(given_both_sites())
    before = story.participant
    told = given_transferred(story)
    after = story.participant
    assert (after.site, after.sites) == (THERE, (SITE, THERE))
    assert (after.id, after.randomizations) == (before.id, before.randomizations)
    assert [made.stratum for made in after.randomizations] == [SITE]
    assert after.status is before.status
    assert after.consents[-1].event == told.event


def test_after_a_transfer_the_new_sites_staff_is_asked_for() -> None:
    """Who is delegated at the old site is not at the new one; its investigator is."""
    story = given_consented(given_both_sites())
    given_transferred(story)
    assert story.when("vital_signs.recorded", VITALS, site=THERE).codes == ("NOT_DELEGATED",)
    story.given("vital_signs.recorded", VITALS, by="other", site=THERE)


def test_after_a_transfer_gates_rest_on_the_new_site() -> None:
    """Its lapsed approval holds them, whatever the old site has."""
    story = given_eligible(given_both_sites())
    given_transferred(story)
    suspended = {"reference": "IRB-1", "from": story.now, "code": "audit", "source": {"kind": "paper"}}
    story.given("irb_approval.suspended", suspended, by="other", stream=f"site/{THERE}")
    told = story.when("randomization.requested", {**REQUEST, "stratum": THERE}, by="other", site=THERE)
    assert told.refused == "IRB_SUSPENDED"


def test_before_randomization_the_stratum_is_the_new_sites() -> None:
    """Who is transferred in screening is randomized in the stratum of the site that is there then."""
    story = given_eligible(given_both_sites())
    given_transferred(story)
    told = story.when("randomization.requested", {**REQUEST, "stratum": SITE}, by="other", site=THERE)
    assert "STRATUM" in told.codes
    story.given("randomization.requested", {**REQUEST, "stratum": THERE}, by="other", site=THERE)


def test_the_site_at_an_index_is_that_before_a_later_transfer() -> None:
    """What was recorded at the first site stays of that, and what comes is of the other."""
    story = given_eligible(given_both_sites())
    confirmed = story.participant.eligibility
    assert confirmed is not None
    given_transferred(story)
    assert story.participant.site_at(confirmed.index) == SITE
    assert story.participant.site_at(len(story.log)) == THERE


@breaks("participant.transferred", "TRANSFER_SITES")
@pytest.mark.parametrize("sites", [{"there": "XX-09"}, {"left": "XX-09"}])
def test_a_transfer_goes_from_the_participants_site_to_one_of_the_study(sites: dict[str, str]) -> None:
    """A site that the protocol does not have, and one where the participant is not, are refused."""
    story = given_consented(given_both_sites())
    told = story.when("participant.transferred", transfer(story, **sites), by="ines")
    assert told.refused is not None
    assert "TRANSFER_SITES" in told.codes


def test_the_site_that_takes_over_is_active() -> None:
    """Nobody is transferred to a site that is not open; that the old one has closed does not matter."""
    story = given_consented()
    told = story.when("participant.transferred", transfer(story), by="ines")
    assert {"SITE_NOT_ACTIVE", "IRB_MISSING"} <= set(told.codes)
    story = given_consented(given_both_sites())
    suspended = {"reference": "IRB-1", "from": story.now, "code": "audit", "source": {"kind": "paper"}}
    story.given("irb_approval.suspended", suspended, by="ines", stream=f"site/{SITE}")
    given_transferred(story)


@breaks("participant.transferred", "TRANSFER_CONSENT")
@pytest.mark.parametrize(
    "lacking",
    [{"form_version": "7"}, {"form_sha256": "00" * 32}, {"authorization": False}, {"copy_given": False}],
)
def test_the_consent_there_is_complete_and_on_a_form_in_effect(lacking: dict[str, Any]) -> None:
    """Without a good consent at the new site there is no transfer."""
    story = given_consented(given_both_sites())
    told = story.when("participant.transferred", transfer(story, **lacking), by="ines")
    assert told.refused == "TRANSFER_CONSENT"


def test_a_consent_still_to_come_is_none() -> None:
    """The participant has signed before the transfer."""
    story = given_consented(given_both_sites())
    later = story.ago(days=-1)
    told = story.when("participant.transferred", transfer(story, participant_time=later), by="ines")
    assert told.refused == "TRANSFER_CONSENT"


@breaks("participant.transferred", "TRANSFER_CONSENTER")
def test_the_consenter_there_is_delegated_there() -> None:
    """Taken by staff of the old site, the consent is a breach."""
    story = given_consented(given_both_sites())
    told = story.when("participant.transferred", transfer(story, consenter="cora"), by="ines")
    assert (told.refused, told.codes) == (None, ("TRANSFER_CONSENTER",))
    assert story.participant.site == THERE


@breaks("participant.transferred", "INFUSION_RUNNING")
def test_nobody_is_transferred_with_an_infusion_running() -> None:
    """First it is stopped or completed."""
    story = given_running()
    told = story.when("participant.transferred", transfer(story), by="ines")
    assert "INFUSION_RUNNING" in told.codes


def test_a_correction_after_a_transfer_folds_each_record_at_its_own_site() -> None:
    """What was recorded before stays judged by the old site, what came after by the new one (R10)."""
    story = given_consented(given_both_sites())
    vitals = story.given("vital_signs.recorded", VITALS)
    given_transferred(story)
    story.given("vital_signs.recorded", VITALS, by="other", site=THERE)
    change = {
        "statement": vitals.event, "path": "/data/measurements/0/quantity/value", "old": "72", "new": "73",
    }  # fmt: skip
    told = story.given("correction.made", change, by="other", site=THERE, reason="misread")
    assert told.caused == ()
    assert story.participant.site == THERE


@keeps("participant.linked")
def test_a_link_to_another_id_changes_nothing() -> None:
    """The same human under two ids: which one is sealed, and both records stand."""
    story = given_consented()
    before = story.participant.status
    story.given("participant.linked", {"code": "same_record_number"}, by="ines")
    assert story.participant.status is before
    assert len(story.participant.consenting.linked) == 1
