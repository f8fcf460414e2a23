"""Two histories of one log: forks, restored copies, twins, and a log written again with everybody's keys.

Each is sound in itself, so what tells lies outside of it: a checkpoint or a receipt from before, a signer who
had seen the other one, the ledger id, a witness. Without any of these, nothing can tell.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.attacks.mutators_log import (
    Check,
    copied,
    rewrite,
    training,
    truncate,
    vitals,
)
from tests.ledger.forgery import Forgery, key_of
from tests.ledger.small_ledger import SmallLedger
from tests.ledger.verifying import found, problems


def test_equivocation_to_two_sites(real: Forgery, made: SmallLedger, check: Check, tmp_path: Path) -> None:
    """Two sites are shown two histories that are sound each; neither is the past of the other."""
    first, second = copied(real), copied(real)
    first.append(training(first, made), [key_of("root")])
    second.append(training(second, made, topic="GCP"), [key_of("root")])
    one = (first.write(tmp_path / "one") / "checkpoint").read_bytes()
    other = (second.write(tmp_path / "other") / "checkpoint").read_bytes()
    assert problems(check(first)) == problems(check(second)) == set()
    assert problems(check(first, previous=other)) == {"PREVIOUS"}
    assert problems(check(second, previous=one)) == {"PREVIOUS"}


def test_equivocation_seen_by_a_signer(
    forged: Forgery, real: Forgery, made: SmallLedger, check: Check
) -> None:
    """Who was shown the other history signs its root: from then on this log holds the evidence."""
    other = copied(real)
    other.append(training(other, made), [key_of("root")])
    forged.append(training(forged, made, topic="GCP"), [key_of("root")])
    seen = {"root": other.root(other.size), "size": other.size}
    at = forged.append(vitals(forged, made, seen=seen), [key_of("bchan")])
    report = check(forged)
    assert problems(report) == {"SEEN_ROOT"}
    assert report.first_index == at


def test_backup_restored_and_continued(
    forged: Forgery, previous: bytes, made: SmallLedger, check: Check
) -> None:
    """The log goes on from an older copy past its old size: it continues nothing that was published."""
    truncate(forged, made.at["correction SA-01-002"])
    for _ in range(4):
        forged.append(training(forged, made), [key_of("root")])
    report = check(forged, previous=previous)
    assert problems(report) == {"PREVIOUS"}
    assert problems(check(forged)) == set(), "without anything from before, nobody can tell"


def test_tree_rebuilt_with_everybodys_keys(
    forged: Forgery, previous: bytes, made: SmallLedger, check: Check, tmp_path: Path
) -> None:
    """All keys stolen, one value changed, everything signed again: only what lies outside tells."""
    (tmp_path / "outbox").mkdir()
    (tmp_path / "outbox" / "mine.json").write_bytes(forged.payloads[made.at["vitals SA-01-002"]])
    at = made.at["vitals SA-01-001"]

    def change(index: int, statement: dict[str, Any]) -> dict[str, Any]:
        return {**statement, "occurred_at": "2024-06-03T08:00:30.000000Z"} if index == at else statement

    rewrite(forged, change)
    assert problems(check(forged)) == set()
    assert problems(check(forged, previous=previous)) == {"PREVIOUS"}
    assert problems(check(forged, outbox=tmp_path / "outbox")) == {"OUTBOX_MISSING"}


def test_event_left_out_with_everybodys_keys(
    forged: Forgery, previous: bytes, made: SmallLedger, check: Check
) -> None:
    """The same with an event that is gone."""
    gone = made.at["training bchan"]
    rewrite(forged, lambda index, statement: None if index == gone else statement)
    assert "PREVIOUS" in problems(check(forged, previous=previous))


def test_ledger_created_again_under_the_same_log_key(forged: Forgery, check: Check) -> None:
    """Same origin, same log keys, everything else anew: leaf 0 is another one."""
    rewrite(
        forged, lambda index, statement: statement if index else {**statement, "occurred_at": "2024-06-03"}
    )
    report = check(forged)
    assert problems(report) == {"LEDGER_ID"}
    assert report.first_index == 0


def test_statement_from_a_twin_ledger(forged: Forgery, made: SmallLedger, check: Check) -> None:
    """Signed in a copy of the ledger for training, same origin: its signer had seen the copy's tree."""
    twin = copied(forged)
    twin.append(training(twin, made), [key_of("root")])
    copy = vitals(twin, made)
    forged.append(training(forged, made, topic="GCP"), [key_of("root")])
    at = forged.append(copy, [key_of("bchan")])
    assert problems(check(forged)) == {"SEEN_ROOT"}
    assert found(check(forged), "SEEN_ROOT") == [at]


@pytest.mark.parametrize("log", ["ledger.example/smal", "ledger.example/small/e2", "ledger.example/training"])
def test_statement_of_another_log(forged: Forgery, made: SmallLedger, check: Check, log: str) -> None:
    """What was signed for another origin counts here for nothing."""
    at = forged.append(training(forged, made, log=log), [key_of("root")])
    report = check(forged)
    assert problems(report) == {"LOG"}
    assert report.first_index == at


def test_whole_history_of_another_log(forged: Forgery, check: Check) -> None:
    """Every entry of another study's log, under a head of this one: each of them is told, none is let pass.

    By itself that log is in order, so who was found in order there is not to be believed here.
    """
    other = "ledger.example/other"

    def of_another(index: int, statement: dict[str, Any]) -> dict[str, Any]:
        moved = {**statement, "log": other}
        return moved if index else {**moved, "data": {**statement["data"], "origin": other}}

    rewrite(forged, of_another)
    assert set(found(check(forged), "LOG")) == set(range(forged.size))
