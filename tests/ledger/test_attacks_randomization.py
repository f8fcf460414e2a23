"""Attacks on the drawing of lots by whoever runs the log: each is found."""

from __future__ import annotations

from tests.ledger.test_verify_randomization import Story


def test_answer_kept_back_until_another_request() -> None:
    """An answer follows its request at once: kept back, it could be given to whom the operator likes."""
    story = Story()
    story.begin()
    first = story.ask("SA-01", participant="P1")
    second = story.ask("SA-01", participant="P2")
    story.answer(second, 0, participant="P2")
    at = story.answer(first, 1, participant="P1")
    assert story.codes() == ["SLOT_REQUEST"]
    assert story.found[-1].index == at


def test_slot_skipped_behind_a_restricted_leaf() -> None:
    """A withheld statement of pharmacy, safety or access draws no slot, and excuses no slot passed over."""
    story = Story()
    story.begin()
    story.allocate(0)
    story.withhold(cls="restricted")
    story.allocate(2)
    assert story.codes() == ["SLOT_ORDER"]


def test_slot_skipped_behind_a_leaf_of_another_site() -> None:
    """What another site withholds used no slot of this site's stratum."""
    story = Story()
    story.begin()
    story.withhold(site="SD-02")
    story.allocate(1)
    assert story.codes() == ["SLOT_ORDER"]
