"""Signatures checked beside: what is recorded and refused is the same as without, whatever becomes of it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from ledger.checker import Checker
from ledger.errors import LedgerError
from ledger.submission import Submission
from ledger.transaction import Outcome
from tests.ledger.small_ledger import SITE, SmallLedger
from tests.ledger.write_path import (
    altered,
    by_root,
    check_recorded,
    check_whole,
    key_of,
    register,
    signed,
    vitals,
)

COUNT = 8
PATIENCE_S = 60.0


@pytest.fixture
def checker(small: SmallLedger) -> Iterator[Checker]:
    """The ledger's checker, with a process of its own, also where the machine has one processor."""
    made: Any = Checker()
    made._alone = False
    assert made.start(PATIENCE_S)
    small.ledger.checker = made
    yield made
    small.ledger.checker = None
    made.close()


def one_each(small: SmallLedger) -> list[Submission]:
    """Register participants, and sign one measurement of each."""
    names = [f"{SITE}-{number:03}" for number in range(1, COUNT + 1)]
    for name in names:
        register(small, name)
    return [vitals(small, f"participant/{name}") for name in names]


def forged(submission: Submission) -> Submission:
    """Change one bit of a signature."""
    sig = submission.sigs[0]
    changed = bytes((sig.sig[0] ^ 1,)) + sig.sig[1:]
    return replace(submission, sigs=(replace(sig, sig=changed), *submission.sigs[1:]))


def codes(outcomes: list[Outcome]) -> list[str | None]:
    """Return the code of what was refused, None for what was recorded."""
    return [outcome.code if isinstance(outcome, LedgerError) else None for outcome in outcomes]


def test_what_holds_is_recorded(small: SmallLedger, checker: Checker) -> None:
    """Statements whose signatures were checked beside get their receipts; again and again."""
    for _ in range(3):
        outcomes = small.ledger.record_all(one_each_again(small))
        for outcome in outcomes:
            assert not isinstance(outcome, LedgerError)
            check_recorded(small, outcome)
    check_whole(small)


def one_each_again(small: SmallLedger) -> list[Submission]:
    """Sign one more measurement of each participant, registering them first where need be."""
    if small.ledger.refresh().conduct.state(f"{SITE}-001") is None:
        return one_each(small)
    return [vitals(small, f"participant/{SITE}-{number:03}") for number in range(1, COUNT + 1)]


def test_a_forged_signature_is_refused_alone(small: SmallLedger, checker: Checker) -> None:
    """One among others, first, last or between, is refused with its code, and all the others are recorded."""
    submissions = one_each(small)
    for place in (0, 3, COUNT - 1):
        submissions[place] = forged(submissions[place])
    outcomes = small.ledger.record_all(submissions)
    expected = ["SIGNATURE" if n in (0, 3, COUNT - 1) else None for n in range(COUNT)]
    assert codes(outcomes) == expected
    check_whole(small)


def test_a_key_revoked_in_the_same_commit_signs_nothing_after_it(
    small: SmallLedger, checker: Checker
) -> None:
    """A signature that holds is no authority: it is judged where the statement would stand."""
    submissions = one_each(small)
    data = {"key": key_of("bchan").id, "person": "bchan"}
    revocation = {
        "type": "key.revoked",
        "stream": "person/bchan",
        "role": "root",
        "meaning": "approval",
        "data": data,
    }
    submissions.insert(4, signed(small, "root", revocation))
    outcomes = small.ledger.record_all(submissions)
    assert codes(outcomes) == [None] * 5 + ["KEY_REVOKED"] * (COUNT - 4)
    check_whole(small)


def test_a_key_that_another_process_revoked_is_seen(small: SmallLedger, checker: Checker) -> None:
    """What was handed over under an older state of the log is judged by the newest."""
    submissions = one_each(small)
    handed: Any = checker.begin(small.ledger.fold.authority, submissions)
    by_root(small, "key.revoked", "person/bchan", {"key": key_of("bchan").id, "person": "bchan"})
    assert handed is not None
    assert codes(small.ledger.record_all(submissions)) == ["KEY_REVOKED"] * COUNT


def test_a_checker_that_is_gone_changes_nothing(small: SmallLedger, checker: Checker) -> None:
    """Killed before or during a commit, the signatures are checked where they are judged."""
    submissions = one_each(small)
    submissions[5] = forged(submissions[5])
    begun: Any = checker
    begun.begin(small.ledger.fold.authority, submissions)
    begun._process.send_signal(signal.SIGKILL)
    begun._process.wait()
    outcomes = small.ledger.record_all(submissions)
    assert codes(outcomes) == [None] * 5 + ["SIGNATURE"] + [None] * 2
    more = one_each_again(small)
    assert codes(small.ledger.record_all(more)) == [None] * COUNT
    check_whole(small)


def test_a_checker_that_hangs_is_not_waited_for(
    small: SmallLedger, checker: Checker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that gives no answer is given up, and the signatures are checked where they are judged."""
    monkeypatch.setattr("ledger.checker.PATIENCE_S", 0.05)
    submissions = one_each(small)
    begun: Any = checker
    begun._process.send_signal(signal.SIGSTOP)
    assert codes(small.ledger.record_all(submissions)) == [None] * COUNT
    assert begun._process is None


def test_one_statement_is_checked_beside_as_well(small: SmallLedger, checker: Checker) -> None:
    """It is judged meanwhile, and what was found is told to nobody unless its signature holds."""
    first, second, *_ = one_each(small)
    assert codes(small.ledger.record_all([first])) == [None]
    assert codes(small.ledger.record_all([forged(second)])) == ["SIGNATURE"]
    reused = altered(second, key_of("bchan"), id=first.statement.id)
    assert codes(small.ledger.record_all([forged(reused)])) == ["SIGNATURE"]
    assert codes(small.ledger.record_all([reused])) == ["ID_REUSED"]
    assert codes(small.ledger.record_all([first])) == [None]  # known: its first index again
    assert codes(small.ledger.record_all([forged(first)])) == ["SIGNATURE"]
    check_whole(small)


def test_nobody_waits_for_the_process(small: SmallLedger, checker: Checker) -> None:
    """Until it is up, signatures are checked where they are judged."""
    submissions = one_each(small)
    checker.close()
    assert checker.begin(small.ledger.fold.authority, submissions) is None
    assert codes(small.ledger.record_all(submissions)) == [None] * COUNT
    assert checker.start(PATIENCE_S)


def test_one_whose_asker_is_gone_ends_quietly() -> None:
    """With nobody to tell that it is ready it ends, and says nothing of it."""
    readable, writable = os.pipe()
    os.close(readable)
    try:
        command = [sys.executable, "-m", "ledger.checker"]
        ended = subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=writable, stderr=subprocess.PIPE, check=False
        )
    finally:
        os.close(writable)
    assert (ended.returncode, ended.stderr) == (0, b"")
