"""The past is written anew by the log's own keys: edited, deleted, cut, reordered, filled up, doubled.

Whoever owns the log's keys can sign any tree. What people signed into it, what they had seen, and what
auditors and clients hold from before tells of the change.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from ledger.recorded import receipt_of
from tests.attacks.mutators_log import (
    Check,
    delete,
    edit,
    insert,
    repeat,
    rewrite,
    swap,
    training,
    truncate,
)
from tests.ledger.forgery import Forgery, key_of
from tests.ledger.small_ledger import SmallLedger
from tests.ledger.verifying import found, problems


def test_the_real_bundle_has_no_problem(forged: Forgery, check: Check) -> None:
    """Written again by the same keys it verifies: what is found below is found in the change."""
    report = check(forged)
    assert problems(report) == set()
    assert report.exit_code == 0


def test_rewritten_with_everybodys_keys_nothing_inside_tells(forged: Forgery, check: Check) -> None:
    """The mutator that stands for the strongest attacker leaves a log that is sound in itself."""
    rewrite(forged, lambda _, statement: statement)
    assert problems(check(forged)) == set()


# Edit


def test_edit_of_a_payload_alone(forged: Forgery, made: SmallLedger, check: Check) -> None:
    """A value changed beside the log is not what its leaf commits to."""
    at = made.at["vitals SA-01-002"]
    forged.payloads[at] = forged.payloads[at].replace(b'"value":"72"', b'"value":"78"')
    report = check(forged)
    assert found(report, "STATEMENT_HASH") == [at]
    assert report.exit_code == 1


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("data", {"date": "2024-05-01", "person": "bchan", "protocol": "1.0", "topic": "protocol"}),
        ("occurred_at", "2024-06-03T10:00:51.000000Z"),
        ("signed_at", "2024-06-03T10:00:51.000000Z"),
        ("id", "0199f0c2-7a50-7c3e-8f57-5d0b7f0fffff"),
        ("protocol", "0.9"),
        ("originator", {"id": "bchan", "kind": "person"}),
    ],
)
def test_edit_of_a_statement_and_its_leaf(
    forged: Forgery, made: SmallLedger, check: Check, member: str, value: object
) -> None:
    """Whatever member of the newest statement is changed, its signature does not hold."""
    at = forged.append(training(forged, made), [key_of("root")])
    edit(forged, at, **{member: value})
    report = check(forged)
    assert problems(report) == {"SIGNATURE"}
    assert report.first_index == at


def test_edit_in_the_middle_and_the_tree_rebuilt_and_signed_again(
    forged: Forgery, made: SmallLedger, check: Check
) -> None:
    """The log's own key signs the new tree; everybody who signed later had seen another one."""
    at = made.at["vitals SA-01-001"]
    edit(forged, at, occurred_at="2024-06-03T08:00:30.000000Z")
    report = check(forged)
    assert {"SIGNATURE", "PREV", "REFERENCE", "SEEN_ROOT"} <= problems(report)
    assert report.first_index == at
    # The service's own records of the same commit had seen what was before it.
    assert found(report, "SEEN_ROOT") == list(range(at + 3, forged.size))


def test_edit_of_a_leafs_time_alone(forged: Forgery, made: SmallLedger, check: Check) -> None:
    """The time of recording is under the tree that everybody after it had seen."""
    at = made.at["enrolment"]
    forged.set_leaf(at, at=forged.leaf(at + 1)["at"])
    assert found(check(forged), "SEEN_ROOT") == list(range(at + 1, forged.size))


# Delete, truncate, reorder, insert, duplicate


@pytest.mark.parametrize("label", ["enrolment", "vitals SA-01-001", "demographics SA-01-002"])
def test_delete_an_event(forged: Forgery, made: SmallLedger, check: Check, label: str) -> None:
    """What comes after it in its stream has a gap before it, and what signers had seen is gone."""
    at = made.at[label]
    last = forged.statement(at)["stream"] == "study"
    delete(forged, at)
    report = check(forged)
    assert {"SEEN_ROOT", "SEEN_SIZE"} & problems(report)
    assert last or {"SEQ", "PREV"} <= problems(report)
    assert report.first_index == at


def test_delete_the_newest_event_of_a_stream(forged: Forgery, made: SmallLedger, check: Check) -> None:
    """No gap in the stream is left; whoever signs after it had seen a tree that this log never had."""
    at = made.at["correction SA-01-001"]
    delete(forged, at)
    report = check(forged)
    assert {"SEEN_SIZE", "SEEN_ROOT"} <= problems(report)
    assert report.first_index == at


@pytest.mark.parametrize("kept", [1, 20, 50])
def test_truncate_before_what_an_auditor_holds(
    forged: Forgery, previous: bytes, check: Check, kept: int
) -> None:
    """A shorter log is sound in itself; the checkpoint that the auditor kept is of a larger one."""
    truncate(forged, forged.size - kept)
    report = check(forged, previous=previous)
    assert "PREVIOUS" in problems(report)
    assert report.exit_code == 1


def test_truncate_and_a_client_holds_a_receipt(
    forged: Forgery, made: SmallLedger, check: Check, tmp_path: Path
) -> None:
    """What a client was given for an event that is gone is in the outbox."""
    at = made.at["correction SA-01-002"]
    (tmp_path / "outbox").mkdir()
    (tmp_path / "outbox" / "mine.tlog-proof").write_bytes(receipt_of(made.ledger.store, at))
    truncate(forged, at)
    assert "OUTBOX_MISSING" in problems(check(forged, outbox=tmp_path / "outbox"))


def test_reorder_two_events(forged: Forgery, made: SmallLedger, check: Check) -> None:
    """Two events of two streams change places: their signers had seen it the other way round."""
    first = made.at["command"]
    swap(forged, first, made.at["form"])
    report = check(forged)
    assert "SEEN_ROOT" in problems(report)
    assert report.exit_code == 1


def test_reorder_within_a_stream(forged: Forgery, made: SmallLedger, check: Check) -> None:
    """In one stream every number and every predecessor is wrong besides."""
    swap(forged, made.at["irb"], made.at["command"])
    assert {"SEQ", "PREV", "SEEN_ROOT"} <= problems(check(forged))


def test_insert_into_the_past(forged: Forgery, made: SmallLedger, check: Check) -> None:
    """An event that the service signs today can't stand before what others signed without it."""
    at = made.at["vitals SA-01-002"]
    insert(forged, at, forged.payloads[at + 1], forged.leaves[at + 1])
    report = check(forged)
    assert {"ID_REUSED", "SEQ", "PREV", "SEEN_ROOT"} <= problems(report)
    assert report.first_index == at


def test_duplicate_an_event(forged: Forgery, made: SmallLedger, check: Check) -> None:
    """The same signed bytes once more: the id is used, the number and the predecessor are old."""
    at = repeat(forged, made.at["training bchan"])
    report = check(forged)
    assert problems(report) == {"ID_REUSED", "SEQ", "PREV"}
    assert report.first_index == at


def test_duplicate_under_a_new_number(forged: Forgery, made: SmallLedger, check: Check) -> None:
    """Signed again by its own key with the same id: an id is used once."""
    known = forged.statement(made.at["training bchan"])["id"]
    at = forged.append(training(forged, made, id=known), [key_of("root")])
    report = check(forged)
    assert problems(report) == {"ID_REUSED"}
    assert report.first_index == at
