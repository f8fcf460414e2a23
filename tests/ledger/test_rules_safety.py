"""Adverse events: always open, versions without a gap (catalogue G, R7)."""

from __future__ import annotations

from typing import Any

import pytest

from ledger.actions.registry import all_specs
from ledger.participant import Status
from tests.given_safety import assessed, causality, changed, follow, given_event, given_serious, to_sponsor
from tests.scenario import STUDY, adverse_event, breaks, given_infused, keeps


@keeps("adverse_event.reported", "adverse_event.followed_up", "adverse_event.resolved")
def test_an_adverse_event_is_followed_to_its_end() -> None:
    """Reported, followed up and resolved, version by version."""
    story = given_infused()
    story.given("adverse_event.reported", adverse_event())
    story.given("adverse_event.followed_up", follow(grade=2))
    resolved = {"ae": "AE-1", "version": 3, "resolved": "2025-02-03", "outcome": "recovered"}
    story.given("adverse_event.resolved", resolved)
    event = story.participant.adverse_events["AE-1"]
    assert (event.version, event.grade, event.outcome) == (3, 2, "recovered")


@breaks("adverse_event.reported", "SERIOUS_CRITERIA")
@pytest.mark.parametrize(
    "changed",
    [{"serious": True}, {"criteria": ["hospitalisation"]}],
    ids=["serious without criterion", "criterion without serious"],
)
def test_seriousness_has_its_criteria(changed: dict[str, Any]) -> None:
    """Serious without a criterion, or a criterion without serious, is recorded and flagged."""
    story = given_infused()
    told = story.when("adverse_event.reported", adverse_event(**changed))
    assert (told.refused, told.codes) == (None, ("SERIOUS_CRITERIA",))


def test_a_serious_event_with_a_criterion_breaks_nothing() -> None:
    """Serious with a criterion is coherent, and an upgrade in a follow-up is too."""
    story = given_infused()
    story.given("adverse_event.reported", adverse_event())
    story.given("adverse_event.followed_up", follow(serious=True, criteria=["disability"]))


@breaks("adverse_event.followed_up", "SERIOUS_CRITERIA")
def test_an_upgrade_without_criterion_is_flagged() -> None:
    """A follow-up that makes an event serious names the criterion."""
    story = given_infused()
    story.given("adverse_event.reported", adverse_event())
    assert story.when("adverse_event.followed_up", follow(serious=True)).codes == ("SERIOUS_CRITERIA",)


@breaks("adverse_event.reported", "CAUSALITY_INCOMPLETE")
@breaks("adverse_event.followed_up", "CAUSALITY_INCOMPLETE")
@pytest.mark.parametrize("products", [[], list(STUDY.products)[:1], [*STUDY.products, *STUDY.products]])
def test_causality_is_judged_once_for_each_product(products: list[str]) -> None:
    """A product without judgement, or with two, is flagged."""
    story = given_infused()
    causality = [{"product": product, "relation": "possible"} for product in products]
    told = story.when("adverse_event.reported", adverse_event(causality=causality))
    assert told.codes == ("CAUSALITY_INCOMPLETE",)
    told = story.when("adverse_event.followed_up", follow(causality=causality))
    assert told.codes == ("CAUSALITY_INCOMPLETE",)


@breaks("adverse_event.reported", "SCALE_UNKNOWN")
@pytest.mark.parametrize("changed", [{"scale": "other"}, {"scale_version": "4.0"}])
def test_the_scale_is_the_protocols(changed: dict[str, str]) -> None:
    """A grade on another scale or version is flagged."""
    story = given_infused()
    assert story.when("adverse_event.reported", adverse_event(**changed)).codes == ("SCALE_UNKNOWN",)


@breaks("adverse_event.reported", "ID_REUSED")
def test_an_adverse_event_id_is_used_once() -> None:
    """A second event under the same id is refused: its versions could not be told apart."""
    story = given_infused()
    story.given("adverse_event.reported", adverse_event())
    assert story.when("adverse_event.reported", adverse_event()).refused == "ID_REUSED"


VERSIONED: dict[str, dict[str, Any]] = {
    "adverse_event.followed_up": {"new_information": "2025-02-03"},
    "adverse_event.assessed": {
        "new_information": "2025-02-03",
        "assessor": "investigator",
        "serious": False,
        "criteria": [],
        "causality": causality(),
    },
    "adverse_event.resolved": {"resolved": "2025-02-03", "outcome": "recovered"},
    "adverse_event.nullified": {"new_information": "2025-02-03", "code": "duplicate"},
}


@breaks("adverse_event.followed_up", "ADVERSE_EVENT_VERSION")
@breaks("adverse_event.assessed", "ADVERSE_EVENT_VERSION")
@breaks("adverse_event.resolved", "ADVERSE_EVENT_VERSION")
@breaks("adverse_event.nullified", "ADVERSE_EVENT_VERSION")
@pytest.mark.parametrize("version", [3, 9])
def test_versions_have_no_gap(version: int) -> None:
    """After version 1 comes version 2, whatever it brings."""
    story = given_event()
    for type_, data in VERSIONED.items():
        told = story.when(type_, {"ae": "AE-1", "version": version, **data}, by="sub")
        assert told.refused == "ADVERSE_EVENT_VERSION", type_


@breaks("adverse_event.followed_up", "ADVERSE_EVENT_UNKNOWN")
@breaks("adverse_event.assessed", "ADVERSE_EVENT_UNKNOWN")
@breaks("adverse_event.resolved", "ADVERSE_EVENT_UNKNOWN")
@breaks("adverse_event.nullified", "ADVERSE_EVENT_UNKNOWN")
@breaks("seriousness.changed", "ADVERSE_EVENT_UNKNOWN")
@breaks("sae.reported_to_sponsor", "ADVERSE_EVENT_UNKNOWN")
@breaks("safety_case.closed", "ADVERSE_EVENT_UNKNOWN")
def test_an_unknown_event_has_no_versions() -> None:
    """Nothing is said of an event that was never reported."""
    story = given_infused()
    unknown = "ADVERSE_EVENT_UNKNOWN"
    for type_, data in VERSIONED.items():
        told = story.when(type_, {"ae": "AE-1", "version": 2, **data}, by="sub")
        assert told.refused == unknown, type_
    told = story.when("seriousness.changed", changed(False, True), by="medmon", reason="judgement")
    assert told.refused == unknown
    assert story.when("sae.reported_to_sponsor", to_sponsor(story)).refused == unknown
    closed = {"ae": "AE-1", "version": 1, "closed": story.now}
    assert story.when("safety_case.closed", closed, by="medmon").refused == unknown


@keeps("adverse_event.nullified")
@breaks("adverse_event.followed_up", "ADVERSE_EVENT_NULLIFIED")
@breaks("adverse_event.assessed", "ADVERSE_EVENT_NULLIFIED")
@breaks("adverse_event.resolved", "ADVERSE_EVENT_NULLIFIED")
@breaks("adverse_event.nullified", "ADVERSE_EVENT_NULLIFIED")
@breaks("seriousness.changed", "ADVERSE_EVENT_NULLIFIED")
def test_a_nullified_event_stays_and_is_over() -> None:
    """It is there under its last version; more about it is recorded and flagged."""
    story = given_event()
    story.given(
        "adverse_event.nullified", {"ae": "AE-1", "version": 2, **VERSIONED["adverse_event.nullified"]}
    )
    assert story.participant.adverse_events["AE-1"].version == 2
    assert story.participant.safety.cases["AE-1"].nullified is not None
    for version, (type_, data) in enumerate(VERSIONED.items(), 3):
        told = story.when(type_, {"ae": "AE-1", "version": version, **data}, by="sub")
        assert (told.refused, told.codes) == (None, ("ADVERSE_EVENT_NULLIFIED",)), type_
    told = story.when("seriousness.changed", changed(False, True), by="medmon", reason="judgement")
    assert told.codes == ("ADVERSE_EVENT_NULLIFIED",)


@keeps("adverse_event.assessed", "seriousness.changed")
def test_the_sponsor_raises_seriousness() -> None:
    """An assessment that agrees, then one that raises: the event is serious, the site's judgement stays."""
    story = given_event()
    story.given("adverse_event.assessed", assessed(), by="medmon")
    story.given("seriousness.changed", changed(False, True), by="medmon", reason="judgement")
    judged = story.participant.safety.cases["AE-1"]
    assert (judged.site, judged.sponsor, judged.serious) == (False, True, True)
    assert story.participant.adverse_events["AE-1"].serious


@breaks("adverse_event.assessed", "SPONSOR_DOWNGRADE")
@breaks("seriousness.changed", "SPONSOR_DOWNGRADE")
def test_the_sponsor_does_not_lower_seriousness() -> None:
    """What the site calls serious stays so; both judgements are kept, in an assessment and in a change."""
    story, _ = given_serious()
    told = story.when("adverse_event.assessed", assessed(), by="medmon")
    assert (told.refused, told.codes) == (None, ("SPONSOR_DOWNGRADE",))
    story, _ = given_serious()
    told = story.when("seriousness.changed", changed(True, False), by="medmon", reason="judgement")
    assert (told.refused, told.codes) == (None, ("SPONSOR_DOWNGRADE",))
    judged = story.participant.safety.cases["AE-1"]
    assert (judged.site, judged.sponsor, judged.serious) == (True, False, True)


@breaks("seriousness.changed", "SPONSOR_DOWNGRADE")
def test_the_sponsor_does_not_take_back_what_it_raised() -> None:
    """Raised by the sponsor alone, the event stays serious."""
    story = given_event()
    story.given("seriousness.changed", changed(False, True), by="medmon", reason="judgement")
    told = story.when("seriousness.changed", changed(True, False), by="medmon", reason="judgement")
    assert told.codes == ("SPONSOR_DOWNGRADE",)
    assert story.participant.adverse_events["AE-1"].serious


@keeps("seriousness.changed")
def test_the_investigator_may_lower_their_own_judgement() -> None:
    """What the site called serious too early is lowered by the site."""
    story, _ = given_serious()
    lowered = changed(True, False, "investigator")
    story.given("seriousness.changed", lowered, by="sub", reason="new_information")
    assert not story.participant.adverse_events["AE-1"].serious


@breaks("seriousness.changed", "SERIOUSNESS_OLD")
def test_a_change_starts_from_what_stood() -> None:
    """`old` is what this assessor stood by: the site's judgement, until the sponsor has its own."""
    story = given_event()
    told = story.when("seriousness.changed", changed(True, True), by="medmon", reason="judgement")
    assert told.codes == ("SERIOUSNESS_OLD",)


@breaks("adverse_event.assessed", "SERIOUS_CRITERIA", "CAUSALITY_INCOMPLETE")
@breaks("seriousness.changed", "SERIOUS_CRITERIA")
def test_an_assessment_is_as_coherent_as_a_report() -> None:
    """Criteria without seriousness, or a product without judgement, are flagged."""
    story = given_event()
    judgement = {**assessed(), "criteria": ["disability"], "causality": []}
    told = story.when("adverse_event.assessed", judgement, by="medmon")
    assert set(told.codes) == {"SERIOUS_CRITERIA", "CAUSALITY_INCOMPLETE"}
    raised = {**changed(False, True), "criteria": []}
    told = story.when("seriousness.changed", raised, by="medmon", reason="judgement")
    assert told.codes == ("SERIOUS_CRITERIA",)


@breaks("adverse_event.assessed", "ASSESSOR_ROLE")
@breaks("seriousness.changed", "ASSESSOR_ROLE")
def test_nobody_judges_for_the_other_side() -> None:
    """A site's physician is not the sponsor, and its monitor not the investigator."""
    story = given_event()
    assert story.when("adverse_event.assessed", assessed(), by="sub").codes == ("ASSESSOR_ROLE",)
    raised = changed(False, True, "investigator")
    told = story.when("seriousness.changed", raised, by="medmon", reason="judgement")
    assert told.codes == ("ASSESSOR_ROLE",)


def test_death_ends_participation_and_safety_stays_open() -> None:
    """A fatal outcome makes the status died, refuses gates, and further events are recorded."""
    story = given_infused()
    story.given("adverse_event.reported", adverse_event())
    died = {"ae": "AE-1", "version": 2, "resolved": "2025-02-03", "outcome": "fatal"}
    story.given("adverse_event.resolved", died)
    assert story.participant.status is Status.DIED
    told = story.when("eligibility.confirmed", {"criteria_sha256": "00" * 32}, by="sub")
    assert told.refused == "PARTICIPANT_ENDED"
    story.given("adverse_event.reported", adverse_event(ae="AE-2"))


def test_what_is_always_open_of_observations_and_safety() -> None:
    """Everything of safety and suicidality, and nothing else of observations (R7)."""
    for known in all_specs():
        area = known.action.__module__.rpartition(".")[2]
        if area in ("safety", "safety_desk"):
            assert known.always_open, known.type
        elif area in ("visits", "observations", "laboratory", "diary", "forms", "medication"):
            assert known.always_open == known.type.startswith("suicidality."), known.type
