"""Each finding about a randomization at the index of the statement that it is about (§8)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.ledger.test_verify_randomization import (
    BEACON_SIZE,
    LIST,
    ROOTS,
    SECOND,
    Story,
    _text,
    second_stage_story,
)


def told(story: Story) -> list[tuple[str, int | None]]:
    """Return code and index of everything found, but for the note that every story has."""
    return [(each.code, each.index) for each in story.found if each.code != "BEACON_BY_OPERATOR"]


def begun(story: Story) -> Story:
    """Commit to seeds, parameters and list."""
    story.begin()
    assert told(story) == []
    return story


def test_the_note_on_the_beacon_is_of_the_commitment() -> None:
    """It stands at the index at which the list was committed."""
    story = begun(Story())
    assert [(each.code, each.index) for each in story.found] == [("BEACON_BY_OPERATOR", story.size - 1)]


@pytest.mark.parametrize(
    ("tell", "codes"),
    [
        (lambda story: story.commit(), ["LIST_TWICE"]),
        (lambda story: story.parameters([]), ["LIST_PARAMETERS"]),
        (lambda story: story.commit(list="other"), ["LIST_COMMITMENT"]),
        (lambda story: story.open(list="other"), ["LIST_OPENING"]),
        (lambda story: story.open(seeds=[]), ["LIST_SEED"]),
        (lambda story: story.open(block_sizes=[3]), ["LIST_OPENING"]),
        (lambda story: story.allocate(1), ["SLOT_ORDER"]),
        (lambda story: story.allocate(6, list_index=0), ["SLOT_ORDER", "SLOT_PROOF"]),
        (lambda story: story.allocate(0, commitment="00" * 32), ["SLOT_PROOF"]),
        (lambda story: story.allocate(0, commitment="zz"), ["SLOT_PROOF"]),
        (lambda story: story.allocate(0, proof=["!"]), ["SLOT_PROOF"]),
        (lambda story: story.allocate(0, proof=[1]), ["SLOT_PROOF"]),
        (lambda story: story.allocate(0, list="other"), ["SLOT_REQUEST", "SLOT_PROOF"]),
        (lambda story: story.allocate(0, stage=2), ["SLOT_REQUEST"]),
        (lambda story: story.allocate(0, request="ab" * 32), ["SLOT_REQUEST"]),
        (lambda story: story.allocate(0, stratum="none"), ["SLOT_REQUEST", "SLOT_ORDER"]),
    ],
)
def test_what_is_wrong_after_a_list_is_committed(tell: Callable[[Story], Any], codes: list[str]) -> None:
    """Each has its code, at the statement that was told last."""
    story = begun(Story())
    tell(story)
    assert told(story) == [(code, story.size - 1) for code in codes]


@pytest.mark.parametrize(
    ("changes", "codes"),
    [
        ({"size": LIST.size + 1}, ["LIST_COMMITMENT"]),
        ({"actor": ("holder", "Statistics", "data_manager")}, ["LIST_COMMITMENT"]),
        ({"actor": ("holder", "Operator", "list_holder")}, ["LIST_KNOWN_TO_OPERATOR"]),
        ({"beacon": "AAAA"}, ["LIST_BEACON"]),
    ],
)
def test_a_list_committed_otherwise(changes: dict[str, Any], codes: list[str]) -> None:
    """By another person, over another size or beacon: told at the commitment."""
    story = Story()
    story.parameters(story.seeds())
    story.size = BEACON_SIZE + 1
    story.commit(**changes)
    assert told(story) == [(code, BEACON_SIZE + 1) for code in codes]


@pytest.mark.parametrize(("size", "right"), [(BEACON_SIZE - 1, False), (BEACON_SIZE, True)])
def test_a_beacon_is_of_a_tree_that_there_was(size: int, right: bool) -> None:
    """A list at index n may rest on the root of the first n leaves, and on none that is to come."""
    story = Story()
    story.parameters(story.seeds())
    story.size = size
    story.commit()
    assert told(story) == ([] if right else [("LIST_BEACON", size)])


@pytest.mark.parametrize(
    ("changes", "codes"),
    [
        ({"algorithm": "coin/1"}, ["LIST_PARAMETERS"]),
        ({"first": "main"}, ["LIST_PARAMETERS"]),
        ({"from_arms": ["a"]}, ["LIST_PARAMETERS"]),
        ({"algorithm": "second-stage/1"}, ["LIST_PARAMETERS"]),
        ({"strata": []}, ["LIST_PARAMETERS"]),
        ({"slots": 0}, ["LIST_PARAMETERS"]),
        ({"slots": 10**9}, ["LIST_PARAMETERS"]),
        ({"beacon_size": 7}, ["LIST_BEACON"]),
        ({"contributors": []}, ["LIST_SEED"]),
        ({"contributors": ["ab" * 32]}, ["LIST_SEED", "LIST_SEED"]),
    ],
)
def test_parameters_of_another_form(changes: dict[str, Any], codes: list[str]) -> None:
    """Told at the parameters, each once."""
    story = Story()
    seeds = story.seeds()
    at = story.size
    others = {name: value for name, value in changes.items() if name != "contributors"}
    story.parameters(changes.get("contributors", seeds), **others)
    assert told(story) == [(code, at) for code in codes]


def test_a_beacon_is_one_leaf_later_at_least() -> None:
    """The root that parameters rest on covers them."""
    story = Story()
    seeds = story.seeds()
    story.parameters(seeds, beacon_size=story.size + 1)
    assert told(story) == []


@pytest.mark.parametrize("which", [[0], [0, 0]])
def test_two_persons_contribute(which: list[int]) -> None:
    """One alone, and one twice, are not two of different organisations."""
    story = Story()
    seeds = story.seeds()
    at = story.size
    story.parameters([seeds[each] for each in which])
    assert told(story) == [("LIST_SEED", at)]


def test_nothing_is_allocated_before_a_list_is_committed() -> None:
    """There is no slot to prove; the request is answered all the same."""
    story = Story()
    story.parameters(story.seeds())
    at = story.allocate(0)
    assert told(story) == [("SLOT_PROOF", at)]


def test_a_list_is_committed_before_the_first_allocation() -> None:
    """A second list after it is told as late, and as one that takes the place of the first."""
    story = begun(Story())
    story.allocate(0)
    story.parameters(["ab" * 32], list="again", beacon_size=59)
    story.size = 60
    at = story.size - 1
    story.size = 59
    story.commit(list="again")
    assert ("LIST_LATE", at) in told(story)
    assert told(story)[0][0] == "LIST_REROLLED"


def test_a_participant_is_drawn_once_in_a_stage() -> None:
    """The second time is told where it stands."""
    story = begun(Story())
    story.allocate(0, participant="P")
    at = story.allocate(1, participant="P")
    assert told(story) == [("DRAWN_AGAIN", at)]


@pytest.mark.parametrize(("between", "right"), [(False, True), (True, False)])
def test_an_answer_follows_its_request(between: bool, right: bool) -> None:
    """With a statement of somebody else in between, it was answered at leisure."""
    story = begun(Story())
    request = story.ask(LIST.entries[0].stratum, participant="P")
    if between:
        story.tell("vital_signs.recorded", {}, stream="participant/Q")
    at = story.answer(request, 0, participant="P")
    assert told(story) == ([] if right else [("SLOT_REQUEST", at)])


def test_a_withheld_statement_of_the_same_site_excuses_a_slot() -> None:
    """Of another site, or of another class than open, it excuses none."""
    for cls, site, right in (
        ("open", "SA-01", True),
        ("restricted", "SA-01", False),
        ("open", "SA-09", False),
    ):
        story = begun(Story())
        story.withhold(cls=cls, site=site)
        at = story.allocate(1)
        assert told(story) == ([] if right else [("SLOT_ORDER", at)])


def test_slots_are_counted() -> None:
    """Each allocation of a committed list is one."""
    story = begun(Story())
    assert story._judge.allocations == 0
    story.allocate(0)
    story.allocate(6)
    assert story._judge.allocations == 2


def test_a_request_that_nobody_answers_is_told_at_the_end() -> None:
    """It has no index of its own to stand at: the answer is what is missing."""
    story = begun(Story())
    story.ask(LIST.entries[0].stratum, participant="P")
    assert told(story) == []
    story.codes()
    assert told(story) == [("SLOT_REQUEST", None)]


def test_another_index_in_stage_two_is_told_where_it_stands() -> None:
    """The answer that opens another index than the participant's own of stage 1 is the one that is told."""
    story = second_stage_story()
    story.size += 2
    story.commit(list="stage2", root=_text(SECOND.root), beacon=_text(ROOTS.at(story.size - 2)))
    story.allocate(0, participant="P")
    wish = {"list": "stage2", "stage": 2, "stratum": LIST.entries[1].stratum}
    request = story.tell("randomization.requested", wish, stream="participant/P")
    answer, opened = {**wish, "request": request}, {"/data/list_index": 1}
    story.tell("participant.randomized", answer, stream="participant/P", opened=opened)
    assert told(story) == [("STAGE_TWO_INDEX", story.size - 1)]
