"""Givens of consent, screening, transfer and the end: what stories of catalogue C and I begin with."""

from __future__ import annotations

from typing import Any

from tests.scenario import (
    FORM_SHA256,
    SITE,
    STUDY,
    Story,
    Told,
    consent,
    given_enrolling,
    given_infused,
    given_registered,
    irb,
    train,
)

THERE = "SD-02"
END = {"date": "2025-02-03", "last_visit": "w1d1"}


def discussed(*, superior: bool = False) -> dict[str, Any]:
    """Return the data of a discussion."""
    return {"form_version": "1", "minutes": 40, "superior_present": superior}


def defect(statement: str, kind: str = "missing_page", **more: Any) -> dict[str, Any]:
    """Return the data of a defect."""
    return {"statement": statement, "defect": kind, **more}


DECISION = {"decision": {"code": "consent_stands", "irb_reference": "IRB-1-D"}}


def required(due: str = "2025-02-10", **more: Any) -> dict[str, Any]:
    """Return the data of a re-consent that is asked for."""
    return {"code": "new_risk_information", "due": due, **more}


def given_consent_of(story: Story | None = None) -> tuple[Story, Told]:
    """A participant who has consented, and the consent."""
    story = given_registered(story)
    return story, story.given("consent.obtained", consent(story))


def given_both_sites() -> Story:
    """An enrolling study whose second site is active too, with staff of its own."""
    story = given_enrolling()
    at = f"site/{THERE}"
    command = {"reference": "CMD-2", "from": "2025-01-01", "source": {"kind": "paper"}}
    designation = {"site": THERE, "person": "other", "from": "2025-01-06"}
    story.given("irb_approval.recorded", irb(), by="other", stream=at)
    story.given("command_approval.recorded", command, by="other", stream=at)
    story.given("investigator.designated", designation, by="sponsor", stream=at)
    train(story, "other")
    train(story, "new")
    tasks = {"site": THERE, "person": "new", "tasks": ["consent.obtained"], "from": "2025-01-06"}
    granted = story.given("delegation.granted", tasks, by="other", stream=at)
    story.given("delegation.accepted", {"delegation": granted.event}, by="new", stream=at)
    story.given("site.initiated", {"date": "2025-01-06", "checklist": ["drug"]}, by="sponsor", stream=at)
    story.given("site.activated", {"from": "2025-01-06", "checklist": ["all"]}, by="sponsor", stream=at)
    return story


def transfer(story: Story, *, there: str = THERE, left: str = SITE, **consent_there: Any) -> dict[str, Any]:
    """Return the data of a transfer, with a consent at the new site that was signed a minute ago."""
    when = story.ago(minutes=1)
    signed = {
        "form_version": "1", "language": "en", "form_sha256": FORM_SHA256, "mode": "paper_in_person",
        "participant_time": when, "consenter": "new", "consenter_time": when, "authorization": True,
        "copy_given": True,
    }  # fmt: skip
    return {"from": left, "to": there, "code": "moved", "consent": {**signed, **consent_there}}


def given_transferred(story: Story) -> Told:
    """Transfer the participant to the second site."""
    return story.given("participant.transferred", transfer(story), by="ines")


def given_completed() -> Story:
    """A participant who has completed the core study, every other visit missed."""
    story = given_infused()
    for visit in STUDY.visits:
        if visit.required and visit.id != "screening":
            story.given("visit.missed", {"visit": visit.id, "code": "ill"})
    story.given("participant.completed", END)
    return story
