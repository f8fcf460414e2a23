"""Time bent: by the signer's clock, by the log's, and by what a signer says to have seen."""

from __future__ import annotations

import pytest

from tests.attacks.mutators_log import (
    Check,
    training,
    vitals,
)
from tests.attacks.mutators_signatures import refs
from tests.ledger.forgery import Forgery, key_of
from tests.ledger.small_ledger import SmallLedger
from tests.ledger.verifying import found, problems

LATE = "2024-06-03T18:00:00.000000Z"


def test_stale_seen(forged: Forgery, made: SmallLedger, check: Check) -> None:
    """A key that had seen more before: its statement was held back, or is an old one."""
    seen = {"root": forged.root(10), "size": 10}
    at = forged.append(training(forged, made, seen=seen), [key_of("root")])
    report = check(forged)
    assert problems(report) == {"SEEN_BACK"}
    assert report.first_index == at


def test_stale_seen_of_a_further_signer(forged: Forgery, made: SmallLedger, check: Check) -> None:
    """Each of the keys that sign has seen at least what it had seen before."""
    last = forged.statement(made.at["enrolment"])["seen"]
    statement = training(
        forged,
        made,
        seen={"root": forged.root(last["size"] - 1), "size": last["size"] - 1},
        **{"with": refs([key_of("admin")])},
    )
    at = forged.append(statement, [key_of("root"), key_of("admin")])
    assert found(check(forged), "SEEN_BACK") == [at]


@pytest.mark.parametrize("size", [0, 52, 2**53 - 1])
def test_seen_of_a_tree_that_was_not_there(
    forged: Forgery, made: SmallLedger, check: Check, size: int
) -> None:
    """Nobody signs having seen nothing, or a tree of the future."""
    seen = {"root": forged.root(min(size, forged.size)), "size": size}
    at = forged.append(training(forged, made, seen=seen), [key_of("root")])
    report = check(forged)
    assert problems(report) == {"SEEN_SIZE"}
    assert report.first_index == at


def test_clock_step_back(forged: Forgery, made: SmallLedger, check: Check) -> None:
    """A leaf is never timed before the one before it."""
    at = forged.append(training(forged, made), [key_of("root")], at="2024-06-03T10:00:37.999999Z")
    report = check(forged)
    assert problems(report) == {"AT"}
    assert report.first_index == at


def _facts(check: Check, forged: Forgery) -> set[str]:
    return {each.detail.split()[0] for each in check(forged).problems if each.code == "UNRECORDED_BREACH"}


def test_backdating_what_happened(forged: Forgery, made: SmallLedger, check: Check) -> None:
    """Entered as of days ago: accepted, and owed as a late entry; the server that is silent is found."""
    statement = vitals(forged, made, occurred_at="2024-05-20T09:00:00Z")
    forged.append(statement, [key_of("bchan")])
    assert "LATE_ENTRY" in _facts(check, forged)


def test_backdating_by_the_signers_clock(forged: Forgery, made: SmallLedger, check: Check) -> None:
    """A signature of an hour ago by the signer's own clock is apart from the time of recording."""
    statement = vitals(forged, made, signed_at="2024-06-03T09:00:00.000000Z")
    forged.append(statement, [key_of("bchan")])
    assert "SIGNED_AT_APART" in _facts(check, forged)


def test_backdating_by_the_log(forged: Forgery, made: SmallLedger, check: Check) -> None:
    """The log holds a statement back and then times it by its own wish: apart from the signer's clock."""
    statement = vitals(forged, made)
    forged.append(statement, [key_of("bchan")], at=LATE)
    assert "SIGNED_AT_APART" in _facts(check, forged)


def test_postdating_what_has_not_happened(forged: Forgery, made: SmallLedger, check: Check) -> None:
    """Nothing is recorded before it happens: the rule refuses it, and it stands in the log."""
    at = forged.append(vitals(forged, made, occurred_at="2024-06-04T10:00:00Z"), [key_of("bchan")])
    assert found(check(forged), "REFUSABLE") == [at]


def test_postdating_by_the_signers_clock(forged: Forgery, made: SmallLedger, check: Check) -> None:
    """A signature of tomorrow is apart from the time of recording too; a server that is silent is found."""
    statement = vitals(forged, made, signed_at="2024-06-04T10:00:52.000000Z")
    at = forged.append(statement, [key_of("bchan")])
    told = [(each.code, each.index, each.detail.split()[0]) for each in check(forged).problems]
    assert ("UNRECORDED_BREACH", at, "SIGNED_AT_APART") in told


def test_entry_in_another_form_of_time(forged: Forgery, made: SmallLedger, check: Check) -> None:
    """Times set by software have one form: nothing sorts otherwise than it happened."""
    at = forged.append(training(forged, made), [key_of("root")], at="2024-06-03T10:00:39Z")
    report = check(forged)
    assert problems(report) == {"LEAF"}
    assert report.first_index == at
