"""What is always open (catalogue R7) is recorded in any state of study, site, participant and locks."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import pytest

from ledger.actions import all_specs, spec
from tests import given_pharmacy as drug
from tests.given_quality import lock, locking_all, review
from tests.given_sites import halt, suspended
from tests.scenario import (
    PARTICIPANT,
    PEOPLE,
    SITE,
    Story,
    adverse_event,
    checked,
    completed,
    received,
    start,
)

GOLDEN: Final = Path(__file__).parent / "golden"
OPEN: Final = [(each.type, each.schema) for each in all_specs() if each.always_open]
BY_RULE: Final = frozenset({"breach.detected"})  # recorded with each of the others below
STREAMS: Final = {
    "participant": f"participant/{PARTICIPANT}",
    "pharmacy": f"pharmacy/{SITE}",
    "safety": "safety",
    "access": "access/2025-02",
    "person": "person/cora",
}
SCOPES: Final = [
    "study_treatment", "visits_and_procedures", "contact", "record_access", "future_samples", "future_data",
]  # fmt: skip
VERSIONED: Final = frozenset(
    {
        "adverse_event.assessed",
        "adverse_event.followed_up",
        "adverse_event.nullified",
        "adverse_event.resolved",
    }
)
ABOUT: Final = {
    "deviation.classified": "deviation.reported",
    "participant_access.revoked": "participant_access.issued",
}
NEW: Final = {"adverse_event.reported": {"ae": "AE-9"}}


def given_dosed() -> Story:
    """A participant with a dose given, an adverse event, an alert of suicidality, and a pharmacy."""
    story = drug.given_dispensed()
    story.given("dose.received", received(story), by="nurse")
    story.given("preinfusion_check.passed", checked(), by="nurse")
    story.given("infusion.started", start(), by="nurse")
    story.wait(minutes=39)
    story.given("infusion.completed", completed(), by="nurse")
    event = story.given("adverse_event.reported", adverse_event())
    deviation = {
        "code": "other",
        "statements": [event.event],
        "rules": [],
        "known": "2025-02-03",
        "action": "none",
    }
    story.given("deviation.reported", deviation)
    access = {"access": "EPRO-1", "use": "web"}
    story.given("participant_access.issued", access)
    return story


def given_everything_shut() -> Story:
    """Consent withdrawn, participant ended and locked, database locked, study closed, site suspended."""
    story = given_dosed()
    now = story.now
    story.given("consent.withdrawn", {"scopes": SCOPES, "effective": now})
    story.given("authorization.revoked", {"scopes": ["record_access"], "effective": now})
    ended = {"date": now[:10], "last_visit": "w1d1", "code": "own_decision"}
    story.given("participant.withdrawn", ended)
    lock(story)
    data = locking_all(story, review(story))
    story.given("database.locked", data, by="sponsor", stream="study", reason="complete")
    story.given("irb_approval.suspended", suspended(story), by="ines", stream=f"site/{SITE}")
    halt(story)
    shut = {"from": story.now, "code": "safety_signal"}
    story.given("site.suspended", shut, by="sponsor", stream=f"site/{SITE}", reason="safety")
    shut = {"from": story.now, "code": "safety_signal", "authority": "sponsor"}
    story.given("study.closed", shut, by="sponsor", stream="study", reason="safety")
    return story


def newest(story: Story, type_: str) -> str:
    """Return the event hash of the newest statement of a type."""
    return next(e.event for e in reversed(story.log) if e.statement and e.statement.type == type_)


def fitting(story: Story, type_: str, example: Mapping[str, Any]) -> dict[str, Any]:
    """Return an example's data with the participant, event and statements that the story has."""
    text = json.dumps(example)
    if type_ in ("record.viewed", "trail.viewed", "export.generated", "certified_copy.issued"):
        target = newest(story, "visit.started")
    elif type_ in ("unblinding.performed", "unblinding.envelope_issued", "randomization.error_recorded"):
        target = newest(story, "participant.randomized")
    elif streams_of(type_)[0] == STREAMS["pharmacy"]:
        target = newest(story, "shipment.received")
    elif type_ in ABOUT:
        target = newest(story, ABOUT[type_])
    else:
        target = newest(story, "adverse_event.reported")
    text = re.sub(r'"(?!sha256:)[0-9a-f]{64}"', f'"{target}"', text)
    text = text.replace("SA-01-007", PARTICIPANT)
    data: dict[str, Any] = json.loads(text)
    data.pop("performed_outside", None)
    if type_ in VERSIONED:
        data |= {"ae": "AE-1", "version": 2}
    if type_ == "safety_case.closed":
        data["version"] = 1
    return data | NEW.get(type_, {})


def streams_of(type_: str) -> list[str]:
    """Return the streams of the story that a type stands in."""
    kinds = spec(type_, 1).streams
    return [stream for kind, stream in STREAMS.items() if kind in kinds]


@pytest.mark.parametrize(("type_", "schema"), [each for each in OPEN if each[0] not in BY_RULE])
def test_what_is_always_open_is_recorded_whatever_is_shut(type_: str, schema: int) -> None:
    """It is flagged at most: no state of study, site, consent, participation or lock refuses it."""
    story = given_everything_shut()
    stream = streams_of(type_)[0]
    known = spec(type_, schema)
    by = next(person for person, (_, role) in PEOPLE.items() if role in known.roles)
    example = json.loads((GOLDEN / f"{type_}.v{schema}.json").read_text())
    data = fitting(story, type_, example["data"])
    reason = "emergency" if known.reason_required else None
    told = story.when(
        type_, data, by=by, stream=stream, schema=schema, opened=example["opened"], reason=reason
    )
    assert told.refused is None
