"""Lists that run through the whole study: one stratum, that is no site (catalogue D)."""

from __future__ import annotations

import json

import pytest

from ledger import canonical
from tests import scenario
from tests.scenario import (
    REQUEST,
    Story,
    committed,
    given_active_site,
    given_eligible,
    parameters,
    seed,
)

WHOLE = "all"


@pytest.fixture
def story(monkeypatch: pytest.MonkeyPatch) -> Story:
    """An active site of a study that allocates in one stratum."""
    root = json.loads(scenario.DEFINITION)
    root["randomization"] |= {
        "stratified_by": {"source": "X", "value": "study"},
        "strata": {"source": "X", "value": [WHOLE]},
    }
    monkeypatch.setattr(scenario, "DEFINITION", canonical.encode(root))
    return given_active_site()


def test_everyone_is_allocated_in_the_one_stratum(story: Story) -> None:
    """Its list has that stratum alone, and a request names it; the site's name is refused."""
    at, seeds = "randomization/main", [seed(story, "main", by).event for by in ("sponsor", "holder")]
    by_site = parameters(story, "main", seeds)
    told = story.when("randomization.parameters_committed", by_site, by="sponsor", stream=at)
    assert told.refused == "LIST_PARAMETERS"
    story.given("randomization.parameters_committed", {**by_site, "strata": [WHOLE]}, by="sponsor", stream=at)
    story.given("randomization.list_committed", committed(size=30), by="holder", stream=at)
    story.given("enrolment.opened", {"cap": 2, "sites": ["*"]}, by="sponsor", stream="study")
    given_eligible(story)
    assert story.when("randomization.requested", REQUEST).refused == "STRATUM"
    story.given("randomization.requested", {**REQUEST, "stratum": WHOLE})
