"""Processes that examine entry bundles side by side: the same findings for any number, no trace left."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ledger.authority import INITIAL, Authority
from ledger.policy import TrustPolicy, parse_policy
from ledger.problem import Problem
from ledger.tiles import decode_entries, entries_path, payload_path
from ledger.verify import form
from ledger.verify.form import Examined, Found, examined
from ledger.verify.integrity import IntegrityJudge
from ledger.verify.judge import verify
from ledger.verify.report import Report, as_json
from ledger.verify.rows import Right
from ledger.verify.tree import chunks
from ledger.verify.workers import Chunk, examiner
from tests.benchmarks.trial import open_trial, participant_id, signed_vital_signs
from tests.ledger.forgery import Forgery
from tests.ledger.verifying import MINIMAL, MINIMAL_POLICY, found, options, problems

EVENTS = 700

Made = tuple[Forgery, TrustPolicy]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """A bundle of three entry bundles, to be forged; nothing is changed in it but by `forged`."""
    place = tmp_path_factory.mktemp("workers")
    trial = open_trial(place / "ledger", 2)
    missing = EVENTS - trial.ledger.store.head().size
    trial.ledger.record_all(signed_vital_signs(trial, participant_id(1), missing))
    forgery, policy = Forgery(trial, place / "bundle"), trial.policy
    trial.ledger.close()
    return forgery, policy


def by_workers(place: Path, policy: TrustPolicy) -> Report:
    """Verify by one, two and three processes; return the report, which is the same, order and all.

    It is also the same where nothing goes the quick way: neither in reading nor in judging.
    """
    reports = [verify(place, options(policy, workers=workers)) for workers in (1, 2, 3)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(IntegrityJudge, "follow", lambda *_: False)
        reports.append(verify(place, options(policy)))
        patch.setattr(form, "read_all", lambda _, leaves, __: [None] * len(leaves))
        reports.append(verify(place, options(policy)))
    assert all(report == reports[0] for report in reports)
    assert len({as_json(report) for report in reports}) == 1
    assert not multiprocessing.active_children()
    return reports[0]


def test_a_good_bundle_is_the_same_for_any_number(made: Made, tmp_path: Path) -> None:
    """What holds, holds however many processes look; counts and notes are the same too."""
    forgery, policy = made
    report = by_workers(forgery.write(tmp_path), policy)
    assert report.exit_code == 0
    assert report.counts["statements shown"] == EVENTS


def test_a_bundle_that_changes_while_it_is_judged_is_found(made: Made, tmp_path: Path) -> None:
    """Leaves that are others when they are read again are not those that were hashed to the root."""
    forgery, policy = made
    place = forgery.write(tmp_path)
    entries = place / entries_path(1, 256)
    kept = entries.read_bytes()

    def change(done: int, _: int) -> None:
        if done == 256:
            entries.write_bytes(kept.replace(b'"class":"open"', b'"class":"shut"', 1))

    report = verify(place, options(policy), change)
    assert found(report, "ROOT") == [256]
    entries.write_bytes(kept)

    def take_away(done: int, _: int) -> None:
        if done == 256:
            entries.write_bytes(kept[:-1])

    report = verify(place, options(policy), take_away)
    assert found(report, "ROOT") == [256]


def test_forged_entries_are_found_by_any_number(made: Made, tmp_path: Path) -> None:
    """Leaves, hashes and signatures that are wrong in one bundle are found, in the same order."""
    forgery, policy = made
    leaves, payloads = list(forgery.leaves), list(forgery.payloads)
    sigs = forgery.leaf(600)["sigs"]
    try:
        forgery.leaves[300] = leaves[300].replace(b'"v":1', b'"v":2')
        forgery.payloads[310] = payloads[311]
        forgery.payloads[320] = payloads[320].replace(b"supine", b"sitting", 1)
        forgery.set_leaf(600, sigs=[{**sigs[0], "sig": forgery.leaf(599)["sigs"][0]["sig"]}])
        forgery.set_leaf(610, sigs=[{**sigs[0], "key": "sha256:" + "0" * 64}])
        forgery.set_leaf(620, sigs=[])
        forgery.set_leaf(690, index=7)
        report = by_workers(forgery.write(tmp_path), policy)
    finally:
        forgery.leaves[:], forgery.payloads[:] = leaves, payloads
    assert found(report, "LEAF") == [300, 620]
    assert found(report, "STATEMENT_HASH") == [310, 320]
    assert found(report, "SIGNATURE") == [600]
    assert found(report, "SIGNATURE_SET") == [610]
    assert 690 in found(report, "INDEX")


def test_missing_files_are_found_by_any_number(made: Made, tmp_path: Path) -> None:
    """An entry bundle that is gone, and statements that are, are missed where they should be."""
    forgery, policy = made
    place = forgery.write(tmp_path)
    (place / entries_path(1, 256)).unlink()
    (place / payload_path(2, EVENTS - 512)).write_bytes(b"{}\n")
    report = by_workers(place, policy)
    assert found(report, "PAYLOAD_LINES")[0] == 512
    assert 256 in found(report, "FILE_MISSING")


def test_the_minimal_bundle_is_the_same_for_any_number() -> None:
    """More processes than entry bundles are no harm."""
    assert not problems(by_workers(MINIMAL, parse_policy(MINIMAL_POLICY.read_bytes())))


def _chunks(forgery: Forgery) -> Iterator[Chunk]:
    for number, width in chunks(forgery.size):
        start = 256 * number
        yield Chunk(
            start=start,
            leaves=forgery.leaves[start : start + width],
            payloads=forgery.payloads[start : start + width],
        )


def whole(found: Found) -> Examined | Problem:
    """Return what was found with its leaf and statement."""
    return examined(found) if isinstance(found, Right) else found


def _authority() -> Authority:
    return INITIAL


def test_what_is_examined_beside_is_what_is_examined_here(made: Made) -> None:
    """Leaves and statements that are built again from their bytes equal those that were parsed."""
    with examiner(1) as here, examiner(2) as beside:
        for (_, alone), (_, by_others) in zip(
            here(_chunks(made[0]), _authority), beside(_chunks(made[0]), _authority), strict=True
        ):
            assert list(map(whole, alone)) == list(map(whole, by_others))
            assert not any(isinstance(each, Problem) for each in alone)


def test_a_process_that_is_gone_changes_nothing(made: Made) -> None:
    """What a process that was killed would have examined is examined where it is judged."""
    with examiner(2) as beside:
        turns = beside(_chunks(made[0]), _authority)
        first = next(turns)
        for child in multiprocessing.active_children():
            os.kill(child.pid or 0, signal.SIGKILL)
            child.join()
        rest = list(turns)
    with examiner(1) as here:
        alone = here(_chunks(made[0]), _authority)
        assert [list(map(whole, each)) for _, each in (first, *rest)] == [
            list(map(whole, each)) for _, each in alone
        ]


def test_an_interrupt_leaves_no_process(made: Made, tmp_path: Path) -> None:
    """Whoever stops a verification half-way leaves nothing running."""
    forgery, policy = made
    place = forgery.write(tmp_path)

    def interrupt(done: int, size: int) -> None:
        assert multiprocessing.active_children()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        verify(place, options(policy, workers=2), interrupt)
    assert not multiprocessing.active_children()


def test_ctrl_c_ends_the_command_with_130(tmp_path: Path) -> None:
    """The keyboard's interrupt is one line and exit code 130, never a trace and never a verdict."""
    outbox = tmp_path / "outbox"
    outbox.mkdir()
    os.mkfifo(outbox / "statement.json")
    arguments = ["verify", str(MINIMAL), "--policy", str(MINIMAL_POLICY), "--outbox", str(outbox)]
    program = "from ledger.cli import main; main()"
    with (
        subprocess.Popen(
            [sys.executable, "-c", program, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process,
        (outbox / "statement.json").open("wb"),
    ):  # waits until the command reads it
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (130, "")
    assert err == "trial-ledger verify: interrupted, nothing is judged\n"


def test_an_entry_by_a_key_that_is_not_known_yet_is_left_unchecked() -> None:
    """What the log learns only later is neither refused nor passed where it is examined."""
    width = int((MINIMAL / "checkpoint").read_text().split("\n")[1])
    leaves = decode_entries((MINIMAL / entries_path(0, width)).read_bytes(), width)
    payloads = (MINIMAL / payload_path(0, width)).read_bytes().split(b"\n")[:-1]
    with examiner(1) as here:
        ((_, told),) = here([Chunk(start=0, leaves=leaves, payloads=list(payloads))], _authority)
    assert all(isinstance(each, Examined) and not each.checked for each in told)
