"""The book reads a participant's records as conduct does, at every index."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ledger.conduct import Conduct
from ledger.rules.stream import QUALITY, view_of
from projections.participant import load_book, site_of
from projections.projection import replay
from projections.status import PARTICIPANTS, standing
from projections.study import Study
from tests import scenario
from tests.given_sites import amended, given_amended
from tests.projections.conftest import Told
from tests.projections.ledgers import store_of
from tests.scenario import PARTICIPANT, Story

ZONE = "America/Chicago"
STREAM = f"participant/{PARTICIPANT}"


def test_effective_values_and_voidings_are_those_of_conduct(told: Told) -> None:
    """At every index the same records stand, with the same data and the same clinical time."""
    entries = told.story.entries_of(STREAM)
    for before in range(len(told.story.log) + 1):
        theirs = view_of(entries, before)
        ours, _ = load_book(told.store, PARTICIPANT, before - 1) if before else ({"records": []}, None)
        assert len(ours["records"]) == len(theirs.entries)
        for record, entry in zip(ours["records"], theirs.entries, strict=True):
            assert ("voided" in record) == (entry.event in theirs.voided)
            read = theirs.record(entry, "UTC")
            if read is not None and read.type not in QUALITY:
                assert record["data"] == read.data
                assert record["event"] == read.event


def ended(data: dict[str, object], type_: str, **said: str) -> Callable[[Story], object]:
    return lambda story: story.when(type_, {"date": story.now[:10], "last_visit": "w1d1", **data}, **said)


def fatal(story: Story) -> None:
    """Report a death, and take it back."""
    event = scenario.adverse_event(outcome="fatal", serious=True, criteria=["death"], grade=5)
    story.when("adverse_event.reported", event, by="sub")
    followed = {"ae": "AE-1", "version": 2, "new_information": story.now, "outcome": "recovering"}
    story.when("adverse_event.followed_up", followed, by="sub")


def treated_to_the_end(story: Story) -> None:
    """End treatment by withdrawal from it, and begin follow-up."""
    story.when("consent.withdrawn", {"scopes": ["study_treatment"], "effective": story.now}, by="cora")
    story.when("visit.started", {"visit": "follow_up", "mode": "in_person"})


def amended_so_that_nothing_follows(reconsent: bool, days: float = 0) -> Callable[[Story], object]:
    """Begin what is follow-up in the first version alone; who did not consent again is under it still.

    So is what was done some days before, and is recorded now.
    """
    kind = b'"kind":{"source":"S","value":"follow_up"}'
    assert amended().count(kind) == 1

    def happens(story: Story) -> None:
        changed = amended().replace(kind, kind.replace(b"follow_up", b"outcome"))
        given_amended(story, reconsent=reconsent, definition=changed)
        story.when("consent.withdrawn", {"scopes": ["study_treatment"], "effective": story.now}, by="cora")
        visit = {"visit": "follow_up", "mode": "in_person"}
        story.when("visit.started", visit, occurred=story.ago(days=days))

    return happens


STORIES: list[Callable[[Story], object]] = [
    fatal,
    amended_so_that_nothing_follows(True),
    amended_so_that_nothing_follows(False),
    amended_so_that_nothing_follows(False, days=2),
    treated_to_the_end,
    ended({}, "participant.completed"),
    ended({"code": "participant"}, "participant.withdrawn"),
    ended({"attempts": []}, "participant.lost_to_follow_up"),
    lambda story: story.when(
        "medication.started", {"medication": "M1", "class": "theophylline", "start": "2025-02"}
    ),
]


@pytest.mark.parametrize("happens", STORIES)
def test_status_is_the_one_of_conduct_at_every_index(
    happens: Callable[[Story], object], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """A status follows from the book, and from what is kept of it, as conduct folds them."""
    story = scenario.given_infused()
    happens(story)
    store = store_of(story, tmp_path_factory.mktemp("status") / "ledger.db")
    conduct = Conduct(story)
    seen = set()
    for entry in story.log:
        conduct.evolve(entry, story.authority)
        theirs = conduct.state(PARTICIPANT)
        if theirs is None:
            continue
        book, study = load_book(store, PARTICIPANT, entry.index)
        kept = replay(PARTICIPANTS, store.stream_entries(STREAM), PARTICIPANT, entry.index + 1)
        for records in (book["records"], kept["records"]):
            assert standing(records, study).status == theirs.status
        seen.add(theirs.status)
    assert len(seen) >= 6
    store.close()


def test_status_follows_corrections_and_voidings(told: Told) -> None:
    """The eventful story ends with the status that conduct gives after everything was mended."""
    book, study = load_book(told.store, PARTICIPANT)
    assert standing(book["records"], study).status == told.story.participant.status
    kept = replay(PARTICIPANTS, told.store.stream_entries(STREAM), PARTICIPANT, study.size)
    assert standing(kept["records"], study) == standing(book["records"], study)
    assert site_of(book) == kept["site"] == "SA-01"


def test_definition_in_force_is_the_one_before_the_index(told: Told) -> None:
    """A study as of an index before the approval has neither definition nor zones."""
    approved = next(
        e.index for e in told.story.log if e.statement and e.statement.type == "protocol.approved"
    )
    at: dict[str, Any] = {"occurred_at": "2030-01-01T00:00:00Z", "statement": {}}
    assert Study(told.store, approved).definition_of({"index": 10_000, **at}, "SA-01") is None
    later = Study(told.store, approved + 1)
    assert later.definition_of({"index": approved, **at}, "SA-01") is None
    assert later.definition_of({"index": approved + 1, **at}, "SA-01") is not None
    assert (later.zone("SA-01"), later.zone("XX-99"), later.zone(None)) == ("America/Chicago", None, None)
