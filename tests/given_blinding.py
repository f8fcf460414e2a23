"""Givens of randomization's second stage and of unblinding, on top of `tests.scenario`."""

from __future__ import annotations

from typing import Any

from tests.scenario import (
    DAY1,
    PARTICIPANT,
    SITE,
    SOURCE,
    Story,
    Told,
    committed,
    given_enrolling,
    given_infused,
    given_randomized,
    parameters,
    seed,
)

SAFETY = "safety"
SECOND = {"list": "stage2", "stage": 2, "stratum": SITE}
BEFORE_SECOND = "w2d12"
BEFORE = "2025-02-14T15:00:00.000000Z"  # day 12
AT_SECOND = "2025-02-17T15:00:00.000000Z"  # day 15
FROM_ARMS = ["magnesium"]


def with_second_list(story: Story, name: str = "stage2", first: str = "main") -> Story:
    """Commit a list of the second stage upon the first."""
    at = f"randomization/{name}"
    seeds = [seed(story, name, by).event for by in ("sponsor", "holder")]
    data = parameters(
        story, name, seeds, algorithm="second-stage/1", first=first, from_arms=FROM_ARMS,
        arms=[["ketamine", 1], ["ketamine+magnesium", 1]],
    )  # fmt: skip
    story.given("randomization.parameters_committed", data, by="sponsor", stream=at)
    story.given("randomization.list_committed", committed(name), by="holder", stream=at)
    return story


def guess(visit: str = BEFORE_SECOND, who: str = "participant") -> dict[str, Any]:
    """Return the data of a guess."""
    return {"visit": visit, "who": who, "source": SOURCE}


def second_answer(request: Told, **more: Any) -> dict[str, Any]:
    """Return the data of the answer of stage 2: what depends on stage 1 is sealed."""
    return {**SECOND, "request": request.event, **more}


def given_before_second_stage() -> Story:
    """A participant on treatment at the last visit before the second stage, where a guess is asked."""
    story = given_randomized(with_second_list(given_enrolling()))
    story.goto(DAY1)
    given_infused(story)
    story.goto(BEFORE)
    story.given("visit.started", {"visit": BEFORE_SECOND, "mode": "in_person"})
    return story


def given_at_second_stage() -> Story:
    """A participant at the visit of the second stage, whose guess was given before."""
    story = given_before_second_stage()
    story.given("blind_guess.recorded", guess())
    story.goto(AT_SECOND)
    return story


def given_second_stage() -> Story:
    """A participant with an allocation of the second stage."""
    story = given_at_second_stage()
    request = story.given("randomization.requested", SECOND)
    story.given("participant.randomized", second_answer(request), by="service", schema=2)
    return story


def allocation_of(story: Story, participant: str = PARTICIPANT) -> str:
    """Return the event hash of a participant's newest allocation."""
    draw = story.conduct.study.allocation(participant, len(story.log))
    assert draw is not None
    return draw.event


def performed(story: Story, **more: Any) -> dict[str, Any]:
    """Return the data of an emergency unblinding by the ledger."""
    return {
        "participant": PARTICIPANT, "statement": allocation_of(story), "means": "ledger", "disclosed_to": [],
        "source": SOURCE, **more,
    }  # fmt: skip


def issued(story: Story, **more: Any) -> dict[str, Any]:
    """Return the data of an envelope issued."""
    return {
        "envelope": "ENV-1", "participant": PARTICIPANT, "statement": allocation_of(story), "site": SITE,
        "custodian": "ines", "seal": "Seal 1", "source": SOURCE, **more,
    }  # fmt: skip


def checked(**more: Any) -> dict[str, Any]:
    """Return the data of an envelope's check."""
    return {"envelope": "ENV-1", "found": "intact", "purpose": "monitoring_visit", "source": SOURCE, **more}
