"""Order and linkage (record-format.md §2, §4): tag, seq, prev, site, time and `seen`, each with its code."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ledger.chain import NO_HEAD, Chain
from ledger.entry import Entry, Index
from ledger.errors import ConflictError, RefusedError
from ledger.leaf import ZERO_SALT, stream_tag
from ledger.lines import encode_base64
from ledger.merkle import leaf_hash, tree_root
from ledger.sources import SeededSources
from ledger.statement import ZERO_HASH
from tests.ledger.small_ledger import SITE, SmallLedger
from tests.ledger.write_path import (
    STREAM,
    altered,
    by_root,
    candidate,
    check_whole,
    grant,
    key_of,
    open_stores,
    refused,
    register,
    signed,
    vitals,
    vitals_action,
)

BCHAN = key_of("bchan")


def codes(small: SmallLedger, entry: Entry) -> set[str]:
    """Return the codes that order and linkage give an entry."""
    fold = small.ledger.refresh()
    return {problem.code for problem in fold.chain.check(entry, lambda n: root_at(small, n))}


def root_at(small: SmallLedger, size: int) -> bytes | None:
    """Return the root of a size that some commit ended at."""
    head = small.ledger.store.head()
    return head.root if size == head.size else None


def test_the_next_statement_of_a_stream_has_no_problem(small: SmallLedger) -> None:
    """What is prepared from the newest head fits, as the first of a stream and as a later one."""
    assert codes(small, candidate(small, vitals(small, "participant/SA-01-009"))) == set()
    register(small)
    assert codes(small, candidate(small, vitals(small))) == set()


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"seq": 2}, "SEQ"),
        ({"seq": 9}, "SEQ"),
        ({"prev": "ab" * 32}, "PREV"),
        ({"seq": 1, "prev": ZERO_HASH}, "SEQ"),
    ],
)
def test_what_was_signed_against_another_head_is_a_conflict(
    small: SmallLedger, changes: dict[str, Any], code: str
) -> None:
    """A stale or wrong seq or prev is no refusal but a conflict: sign again against the newest head."""
    register(small)
    small.ledger.record(vitals(small))
    changed = altered(vitals(small), BCHAN, **changes)
    assert code in codes(small, candidate(small, changed))
    before = small.ledger.store.head().size
    with refused("STALE", ConflictError):
        small.ledger.record(changed)
    assert small.ledger.store.head().size == before
    assert small.ledger.record(vitals(small)).index == before
    check_whole(small)


def test_two_statements_against_one_head_cannot_both_enter(small: SmallLedger) -> None:
    """Of two that were signed side by side the second is told to sign again."""
    register(small)
    first, second = vitals(small), vitals(small)
    small.ledger.record(first)
    with refused("STALE", ConflictError, field="/seq"):
        small.ledger.record(second)


@pytest.mark.parametrize("stream", [STREAM, f"site/{SITE}"])
def test_a_tag_is_the_streams(small: SmallLedger, stream: str) -> None:
    """Neither a tag of one's own nor that of another stream, in a salted or a plain stream."""
    register(small)
    submission = signed(small, "bchan", vitals_action(stream, meaning="authorship"))
    for tag in ("ab" * 32, stream_tag("study", ZERO_SALT)):
        changed = altered(submission, BCHAN, tag=tag)
        assert codes(small, candidate(small, changed)) & {"TAG", "TWO_TAGS"}


def test_a_new_streams_tag_is_the_one_given_out(small: SmallLedger) -> None:
    """The first statement of a salted stream bears the tag of the ledger's salt."""
    type_ = "participant.registered"
    action = {**vitals_action(STREAM), "type": type_, "data": {"participant": STREAM.partition("/")[2]}}
    submission = signed(small, "bchan", action, {"/data/identity": None})
    with refused("TAG", field="/tag"):
        small.ledger.record(altered(submission, BCHAN, tag="ab" * 32))
    check_whole(small)
    assert small.ledger.record(submission).event == submission.statement.event


def test_a_stream_that_another_process_began_is_prepared_anew(small: SmallLedger, tmp_path: Path) -> None:
    """Of two processes that give out a new stream's tag, the later one's signers are told to sign again."""
    other = open_stores(tmp_path / "small", SeededSources("another process", small.sources.now_us()))
    submission = signed(small, "bchan", vitals_action())
    mine, small.ledger = small.ledger, other
    register(small)
    small.ledger = mine
    with refused("STALE", ConflictError):
        small.ledger.record(submission)
    assert small.ledger.record(vitals(small)).event
    other.close()
    check_whole(small)


def test_a_participants_site_is_that_of_the_first_statement(small: SmallLedger) -> None:
    """Another site in the same stream is refused."""
    by_root(small, "role.granted", "person/bchan", grant("bchan", "coordinator", ["*"]))
    register(small)
    changed = altered(vitals(small), BCHAN, site="SD-02")
    assert codes(small, candidate(small, changed)) == {"SITE"}
    with refused("SITE", field="/site"):
        small.ledger.record(changed)


def seen(size: int, root: bytes) -> dict[str, Any]:
    """Return a `seen` member."""
    return {"root": encode_base64(root), "size": size}


@pytest.mark.parametrize(
    ("more", "right_root", "code"),
    [(-1, False, "SEEN_ROOT"), (0, False, "SEEN_ROOT"), (1, True, "SEEN_SIZE"), (None, True, "SEEN_SIZE")],
)
def test_seen_is_a_tree_that_there_was(
    small: SmallLedger, more: int | None, right_root: bool, code: str
) -> None:
    """Not nothing, not the future, and with the root that the log had at that size."""
    register(small)
    head = small.ledger.store.head()
    size = 0 if more is None else head.size + more
    changed = altered(vitals(small), BCHAN, seen=seen(size, head.root if right_root else bytes(32)))
    with refused(code):
        small.ledger.record(changed)
    check_whole(small)


def test_seen_of_any_size_that_the_log_had_is_known(small: SmallLedger) -> None:
    """A signer may have verified any earlier size, not only one that a commit ended at."""
    register(small)
    recorded = small.ledger.record(vitals(small))
    assert recorded.added  # a breach stands in the same commit, so its end is not the entry's
    entries = small.ledger.store.entries(0, recorded.index + 1)
    root = tree_root([leaf_hash(entry.leaf) for entry in entries])
    changed = altered(vitals(small), BCHAN, seen=seen(len(entries), root))
    assert small.ledger.record(changed).event == changed.statement.event


def test_a_key_never_has_seen_less_than_before(small: SmallLedger) -> None:
    """What a key had seen once, it cannot unsee; another key of the log may still be behind."""
    register(small)
    early = small.ledger.store.head()
    small.ledger.record(vitals(small))
    small.ledger.record(vitals(small))
    with refused("SEEN_BACK", field="/seen/size"):
        small.ledger.record(altered(vitals(small), BCHAN, seen=seen(early.size, early.root)))
    other = signed(small, "aruiz", vitals_action(role="investigator", meaning="authorship"))
    behind = altered(other, key_of("aruiz"), seen=seen(early.size, early.root))
    assert small.ledger.record(behind).index > early.size


def test_leaves_are_dense_and_never_go_back_in_time(small: SmallLedger) -> None:
    """A leaf with another index, or timed before the one below it, is found."""
    register(small)
    entry = candidate(small, vitals(small))
    moved = replace(entry, leaf=replace(entry.leaf, index=entry.index + 1))
    assert codes(small, moved) == {"INDEX"}
    earlier = replace(entry, leaf=replace(entry.leaf, at="2020-01-01T00:00:00.000000Z"))
    assert codes(small, earlier) == {"AT"}


def test_a_clock_that_goes_back_does_not_turn_the_log_back(small: SmallLedger) -> None:
    """With the clock an hour behind, the next leaf has the time of the last."""
    register(small)
    last = small.ledger.fold.chain.at
    small.sources.advance(-3_600_000_000)
    recorded = small.ledger.record(signed(small, "bchan", vitals_action()))
    stored = small.ledger.store.entry(recorded.index)
    assert stored is not None
    assert stored.at == last
    check_whole(small)


def test_a_withheld_statement_takes_its_place(small: SmallLedger) -> None:
    """Where a statement is not shown, seq counts on and its hash is the next one's prev."""
    register(small)
    entry = candidate(small, vitals(small))
    chain = Chain()
    chain.size, chain.at = entry.index, entry.leaf.at
    chain.advance(replace(entry, statement=None))
    head = chain.head(entry.leaf.stream)
    assert (head.seq, head.event, head.stream) == (1, entry.event, None)
    assert chain.size == Index(entry.index + 1)


def test_a_stream_without_events_has_no_head() -> None:
    """The next statement there is the first, after 64 zeros."""
    assert Chain().head_of("study") == NO_HEAD
    assert (NO_HEAD.seq, NO_HEAD.event) == (0, ZERO_HASH)


def test_a_refusal_for_linkage_is_recorded_and_a_conflict_is_not(small: SmallLedger) -> None:
    """`command.refused` names the code of the refusal; a conflict leaves no trace."""
    register(small)
    head = small.ledger.store.head()
    with pytest.raises(RefusedError):
        small.ledger.record(altered(vitals(small), BCHAN, seen=seen(head.size, bytes(32))))
    last = small.ledger.store.entry(small.ledger.store.head().size - 1)
    assert last is not None
    assert last.type == "command.refused"
    assert b'"rule":"SEEN_ROOT"' in last.statement
