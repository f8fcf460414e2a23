"""Emergency unblinding: recorded before it is shown, queued while the log is frozen, first in it then."""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
import signal
import sqlite3
import time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Final

import pytest

from ledger.actions.fields import Source
from ledger.browser import verify_html
from ledger.cli.app import run
from ledger.committer import Ledger
from ledger.directory import KEK, KEYS, LOG_KEY, LOG_PQ_KEY, SERVICE_KEY, Config, write_config
from ledger.errors import FrozenError, RefusedError, StoreError
from ledger.exports import export_ledger
from ledger.keyfile import Holder, KeyMaterial, write_key
from ledger.prepare import Signer
from ledger.sources import SeededSources
from ledger.statement import parse_statement
from ledger.store.unblindings import UnblindingQueue
from ledger.study.lists import CONTINUE
from ledger.unblinding import Asked, Request, ask, look_again, sees_arm, show
from ledger.unblinding_queue import QUEUED, settle, sign_again
from ledger.verify.main import main as verify
from ledger.verify.options import Scope
from tests.behind import altering, locked
from tests.ledger.small_ledger import ORIGIN, SITE, SmallLedger, seed
from tests.ledger.test_second_stage import ask_again, on_treatment, with_both_lists
from tests.ledger.write_path import SOURCE, copy_of, hire, key_of, open_stores, refused, types_from, vitals

NAME: Final = f"{SITE}-001"
WHY: Final = Request(
    participant=NAME,
    reason=("overdose", "found unconscious"),
    source=Source(kind="esource"),
    asked_by="Dr. Elsewhere",
    disclosed_to=("bchan",),
)
HOURS: Final = 3_600 * 1_000_000
PROCESSES: Final = multiprocessing.get_context("forkserver")


def investigator() -> Signer:
    """Return the investigator."""
    return Signer(key_of("aruiz"), "aruiz", "Dr. Ana Ruíz", f"Site {SITE}")


def queue_of(small: SmallLedger, tmp_path: Path) -> UnblindingQueue:
    """Open the queue beside the ledger."""
    path = tmp_path / "small" / "unblindings.db"
    return UnblindingQueue(path) if path.exists() else UnblindingQueue.create(path)


def unblind(ledger: Ledger, queue: UnblindingQueue, request: Request = WHY) -> Asked:
    """Ask as the investigator."""
    return ask(ledger, queue, investigator(), "investigator", request)


def keep(directory: Path, kept: Path) -> None:
    """Copy the database with its write-ahead log."""
    kept.mkdir()
    for path in directory.glob("ledger.db*"):
        shutil.copy(path, kept / path.name)


def put_back(kept: Path, directory: Path) -> None:
    """Put a copy of the database in the present one's place."""
    for path in directory.glob("ledger.db*"):
        path.unlink()
    for path in kept.iterdir():
        shutil.copy(path, directory / path.name)


def roll_back(small: SmallLedger, tmp_path: Path) -> Ledger:
    """Put an older copy back behind what was published; the newer one is kept in `newer`."""
    small.ledger.publish()
    small.ledger.close()
    keep(tmp_path / "small", tmp_path / "older")
    small.ledger = open_stores(tmp_path / "small", small.sources)
    for _ in range(3):
        small.ledger.record(vitals(small, f"participant/{NAME}"))
    small.ledger.close()
    keep(tmp_path / "small", tmp_path / "newer")
    put_back(tmp_path / "older", tmp_path / "small")
    small.ledger = open_stores(tmp_path / "small", small.sources)
    assert small.ledger.startup.code == "LOG_BEHIND_CHECKPOINT"
    return small.ledger


def come_back(small: SmallLedger, tmp_path: Path) -> Ledger:
    """Put the newer copy back, and open the ledger again."""
    small.ledger.close()
    put_back(tmp_path / "newer", tmp_path / "small")
    small.ledger = open_stores(tmp_path / "small", small.sources)
    assert not small.ledger.startup.frozen
    return small.ledger


def test_an_unblinding_is_recorded_before_it_is_shown(small: SmallLedger, tmp_path: Path) -> None:
    """One statement in `safety` names the allocation that is opened; the arm is the list's."""
    first, _ = with_both_lists(small)
    on_treatment(small, NAME)
    before = small.ledger.store.head().size
    with queue_of(small, tmp_path) as queue:
        asked = unblind(small.ledger, queue)
        assert asked.index == before
        assert show(small.ledger, asked).arm == first.entries[0].arm
        assert queue.waiting() == ()
    entry = small.ledger.store.entry(before)
    assert entry is not None
    statement = parse_statement(entry.statement)
    assert (statement.type, statement.stream, statement.cls) == (
        "unblinding.performed",
        "safety",
        "restricted",
    )
    allocation = small.ledger.fold.conduct.study.allocation(NAME, before)
    assert allocation is not None
    assert statement.data["statement"] == allocation.event
    assert types_from(small, before) == ["unblinding.performed"]


def test_what_is_shown_is_the_current_regimen(small: SmallLedger, tmp_path: Path) -> None:
    """After stage 2 its arm, and where it lets the regimen go on, that of stage 1; the log tells neither."""
    first, second = with_both_lists(small)
    shown = set()
    with queue_of(small, tmp_path) as queue:
        for number in range(1, 5):
            name = f"{SITE}-00{number}"
            on_treatment(small, name)
            ask_again(small, name)
            asked = unblind(
                small.ledger, queue, Request(participant=name, reason=("fall", None), source=WHY.source)
            )
            goes_on = second.entries[number - 1].arm == CONTINUE
            expected = (first if goes_on else second).entries[number - 1].arm
            regimen = show(small.ledger, asked)
            assert (regimen.arm, regimen.stage) == (expected, 1 if goes_on else 2)
            named = parse_statement(small.ledger.store.entry(asked.index or 0).statement)  # type: ignore[union-attr]
            allocation = small.ledger.fold.conduct.study.allocation(name, asked.index or 0)
            assert allocation is not None
            assert (allocation.stage, allocation.event) == (2, named.data["statement"])
            shown.add(goes_on)
    assert shown == {True, False}


def test_a_frozen_log_is_answered_and_its_record_is_first_afterwards(
    small: SmallLedger, tmp_path: Path
) -> None:
    """Well under a minute from question to answer; two questions chain; both enter before anything else."""
    first, _ = with_both_lists(small)
    on_treatment(small, NAME)
    ledger = roll_back(small, tmp_path)
    size = ledger.store.head().size
    with queue_of(small, tmp_path) as queue:
        began = time.monotonic()
        asked = unblind(ledger, queue)
        assert show(ledger, asked).arm == first.entries[0].arm
        assert time.monotonic() - began < 10
        again = unblind(ledger, queue)
        assert (asked.index, again.index) == (None, None)
        assert ledger.store.head().size == size
        small.sources.advance(4 * HOURS)
        ledger = come_back(small, tmp_path)
        size = ledger.store.head().size
        recorded = settle(ledger, queue)
        assert queue.waiting() == ()
    assert [each.event for each in recorded] == [asked.event, again.event]
    assert types_from(small, size) == ["unblinding.performed"] * 2 + ["breach.detected"] * 2
    assert {breach.rule for breach in ledger.fold.conduct.breaches() if breach.found >= size} == {
        "SIGNED_AT_APART"
    }
    assert ledger.record(vitals(small, f"participant/{NAME}")).index == size + 4
    export_ledger(ledger, tmp_path / "bundle", scope=Scope(kind="study"), role="inspector")
    policy = small.write_policy(tmp_path / "policy")
    assert verify([str(tmp_path / "bundle"), "--policy", str(policy), "--role", "inspector"]) == 0


def test_what_waits_tells_nothing_on_disk(small: SmallLedger, tmp_path: Path) -> None:
    """The file beside the log holds neither who asked nor why nor whose arm."""
    with_both_lists(small)
    on_treatment(small, NAME)
    ledger = roll_back(small, tmp_path)
    with queue_of(small, tmp_path) as queue:
        unblind(ledger, queue)
    held = (tmp_path / "small" / "unblindings.db").read_bytes()
    for secret in (b"Elsewhere", b"unconscious", NAME.encode(), b"aruiz"):
        assert secret not in held


def ask_and_wait(directory: Path, now_us: int, pipe: Connection) -> None:
    """Ask as a process of its own, and never come to the answer."""
    ledger = open_stores(directory, SeededSources("killed", now_us))
    with UnblindingQueue(directory / "unblindings.db") as queue:
        pipe.send(unblind(ledger, queue).event)
        time.sleep(600)


def test_killed_between_question_and_answer_nothing_is_lost(small: SmallLedger, tmp_path: Path) -> None:
    """The statement was durable before the value was opened: it enters the log all the same."""
    with_both_lists(small)
    on_treatment(small, NAME)
    roll_back(small, tmp_path).close()
    queue_of(small, tmp_path).close()
    here, there = PROCESSES.Pipe()
    told = (tmp_path / "small", small.sources.now_us(), there)
    process = PROCESSES.Process(target=ask_and_wait, args=told, daemon=True)
    process.start()
    assert here.poll(60)
    event = here.recv()
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    ledger = come_back(small, tmp_path)
    with queue_of(small, tmp_path) as queue:
        assert [each.event for each in settle(ledger, queue)] == [event]


def test_a_log_that_went_on_waits_for_another_signature(small: SmallLedger, tmp_path: Path) -> None:
    """The log that came back has more in `safety`: closed until the same words are signed again."""
    first, _ = with_both_lists(small)
    on_treatment(small, NAME)
    ledger = roll_back(small, tmp_path)
    with queue_of(small, tmp_path) as queue:
        asked = unblind(ledger, queue)
        ledger = come_back(small, tmp_path)
        drill = {"site": SITE, "channel": "phone", "answered": False, "log_frozen": False, "source": SOURCE}
        by = ("aruiz", "investigator", "authorship")
        small.say("drill", *by, "unblinding.drill_done", "safety", drill)
        size = ledger.store.head().size
        assert settle(ledger, queue) == ()
        assert ledger.startup.code == QUEUED
        with refused(QUEUED, FrozenError):
            ledger.record(vitals(small, f"participant/{NAME}"))
        assert show(ledger, asked).arm == first.entries[0].arm
        with refused("ROLE_NOT_HELD", RefusedError):
            sign_again(ledger, queue, Signer(key_of("bchan"), "bchan", "B. Chan", f"Site {SITE}"))
        assert ledger.startup.code == QUEUED
        (recorded,) = sign_again(ledger, queue, investigator())
        assert (recorded.index, queue.waiting()) == (size, ())
        assert recorded.event != asked.event
    assert not ledger.startup.frozen
    assert ledger.record(vitals(small, f"participant/{NAME}")).event


def test_somebody_else_signs_where_who_asked_cannot_any_more(small: SmallLedger, tmp_path: Path) -> None:
    """The first key was revoked in the log that came back; who is on call signs, and names the performer."""
    with_both_lists(small)
    on_treatment(small, NAME)
    oncall = hire(small, "oncall", "on_call_unblinding", ["*"])
    ledger = roll_back(small, tmp_path)
    with queue_of(small, tmp_path) as queue:
        unblind(ledger, queue)
        ledger = come_back(small, tmp_path)
        key = investigator().key.id
        small.say("revoked", "root", "root", "approval", "key.revoked", "person/aruiz",
                  {"key": key, "person": "aruiz"})  # fmt: skip
        assert settle(ledger, queue) == ()
        (recorded,) = sign_again(ledger, queue, oncall)
    entry = ledger.store.entry(recorded.index)
    assert entry is not None
    statement = parse_statement(entry.statement)
    assert (statement.actor.id, statement.data["performer"]) == ("oncall", "aruiz")


def test_a_store_that_cannot_be_written_keeps_nobody_waiting(
    template: tuple[SmallLedger, Path], tmp_path: Path
) -> None:
    """Another writer holds the store: queued and answered; recorded by the next who opens the ledger."""
    small = copy_of(*template, tmp_path / "small")
    first, _ = with_both_lists(small)
    on_treatment(small, NAME)
    small.ledger.close()
    small.ledger = open_stores(tmp_path / "small", small.sources, busy_timeout_s=0.05)
    with queue_of(small, tmp_path) as queue:
        with locked(tmp_path / "small" / "ledger.db"):
            asked = unblind(small.ledger, queue)
            assert asked.index is None
            assert show(small.ledger, asked).arm == first.entries[0].arm
        assert [each.event for each in settle(small.ledger, queue)] == [asked.event]
    small.ledger.close()


def test_a_log_that_does_not_hold_together_is_answered_too(small: SmallLedger, tmp_path: Path) -> None:
    """A spoilt tree freezes; the allocation and its sealed arm are still there."""
    first, _ = with_both_lists(small)
    on_treatment(small, NAME)
    small.ledger.close()
    with altering(tmp_path / "small" / "ledger.db") as store:
        newest = "base = (SELECT max(base) FROM log_head)"
        store.execute(f"UPDATE log_head SET root = ? WHERE {newest}", (bytes(32),))
    small.ledger = open_stores(tmp_path / "small", small.sources)
    assert small.ledger.startup.code == "LOG_INCONSISTENT"
    with queue_of(small, tmp_path) as queue:
        asked = unblind(small.ledger, queue)
        assert show(small.ledger, asked).arm == first.entries[0].arm
        assert len(queue.waiting()) == 1


def test_who_may_not_unblind_is_shown_nothing(small: SmallLedger, tmp_path: Path) -> None:
    """Refused in writing and while frozen, and nothing waits of it; nor is anybody unknown unblinded."""
    with_both_lists(small)
    on_treatment(small, NAME)
    coordinator = Signer(key_of("bchan"), "bchan", "B. Chan", f"Site {SITE}")
    with queue_of(small, tmp_path) as queue:
        with refused("ROLE_NOT_ALLOWED"):
            ask(small.ledger, queue, coordinator, "coordinator", WHY)
        with refused("ALLOCATION_MISSING"):
            unblind(small.ledger, queue, Request(participant="P9", reason=("fall", None), source=WHY.source))
        ledger = roll_back(small, tmp_path)
        with refused("ROLE_NOT_ALLOWED"):
            ask(ledger, queue, coordinator, "coordinator", WHY)
        assert queue.waiting() == ()


def test_the_sight_of_one(small: SmallLedger, tmp_path: Path) -> None:
    """Who asked and whom the statement names see this one arm by their role; everybody else stays blind."""
    with_both_lists(small)
    on_treatment(small, NAME)
    study = small.ledger.refresh().conduct.study
    assert not sees_arm(study, "investigator", "aruiz", NAME, small.ledger.fold.size)
    with queue_of(small, tmp_path) as queue:
        unblind(small.ledger, queue)
    fold = small.ledger.refresh()
    study, size = fold.conduct.study, fold.size
    assert sees_arm(study, "investigator", "aruiz", NAME, size)
    assert not sees_arm(study, "investigator", "aruiz", f"{SITE}-002", size)
    assert not sees_arm(study, "investigator", "other", NAME, size)
    assert not sees_arm(study, "sponsor_administrator", "aruiz", NAME, size)
    assert sees_arm(study, "unblinded_statistician", "anybody", NAME, size)


def test_a_second_look_is_a_view_of_its_own(small: SmallLedger, tmp_path: Path) -> None:
    """Who was shown the arm may look again, and each look is recorded before; nobody else may."""
    first, _ = with_both_lists(small)
    on_treatment(small, NAME)
    with queue_of(small, tmp_path) as queue:
        unblind(small.ledger, queue)
    before = small.ledger.store.head().size
    regimen = look_again(small.ledger, person="aruiz", role="investigator", participant=NAME, purpose="care")
    assert regimen.arm == first.entries[0].arm
    assert types_from(small, before) == ["record.viewed"]
    with refused("ARM_BLINDED"):
        look_again(small.ledger, person="sub", role="investigator", participant=NAME, purpose="care")
    ledger = roll_back(small, tmp_path)
    with refused("LOG_BEHIND_CHECKPOINT", FrozenError):
        look_again(ledger, person="aruiz", role="investigator", participant=NAME, purpose="care")


def test_blinded_bundles_do_not_tell_who_was_unblinded(small: SmallLedger, tmp_path: Path) -> None:
    """Site and sponsor get the leaf and nothing else; the bundle holds."""
    with_both_lists(small)
    on_treatment(small, NAME)
    with queue_of(small, tmp_path) as queue:
        unblind(small.ledger, queue)
    policy = small.write_policy(tmp_path / "policy")
    out = tmp_path / "bundle"
    export_ledger(small.ledger, out, scope=Scope(kind="study"), role="sponsor_administrator")
    page = out / "verify.html"  # the same in every bundle, with a list of all types
    assert page.read_bytes() == verify_html()
    shown = b"".join(path.read_bytes() for path in out.rglob("*") if path.is_file() and path != page)
    assert b"unblinding.performed" not in shown
    assert verify([str(out), "--policy", str(policy), "--role", "sponsor_administrator"]) == 0


def test_a_queue_that_is_missing_or_another_file_is_said(tmp_path: Path) -> None:
    """Nothing makes itself: an absent queue would hide what waits."""
    with refused("STORE_MISSING", StoreError):
        UnblindingQueue(tmp_path / "unblindings.db")
    sqlite3.connect(tmp_path / "other.db").close()
    with refused("STORE_CORRUPT", StoreError):
        UnblindingQueue(tmp_path / "other.db")


def as_directory(small: SmallLedger, directory: Path) -> None:
    """Close a small ledger, and add what a ledger's directory has besides its stores."""
    small.ledger.close()
    write_config(directory, Config(origin=ORIGIN, study="small", demonstration=False, tokens=()))
    (directory / KEYS).mkdir()
    for name, alg, label in (
        (LOG_KEY, "ed25519", "log"),
        (LOG_PQ_KEY, "ml-dsa-44", "log pq"),
        (SERVICE_KEY, "ed25519", "service"),
        (KEK, "kek", "kek"),
        ("aruiz.json", "ed25519", "aruiz"),
        ("pharm.json", "ed25519", "pharm"),
    ):
        write_key(directory / KEYS / name, KeyMaterial(alg=alg, secret=seed(label), holder=Holder()), None)
    UnblindingQueue.create(directory / "unblindings.db").close()


def test_the_commands(
    template: tuple[SmallLedger, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`unblind` answers, `envelope` writes a sheet for its owner alone, `unblindings` tells what waits."""
    small = copy_of(*template, tmp_path / "small")
    first, _ = with_both_lists(small)
    hire(small, "pharm", "unblinded_pharmacist")
    on_treatment(small, NAME)
    directory = tmp_path / "small"
    as_directory(small, directory)
    keys = directory / KEYS
    capsys.readouterr()
    arm = first.entries[0].arm
    code = run(["unblind", str(directory), "--participant", NAME, "--key", str(keys / "aruiz.json"),
                "--reason", "overdose", "--json"])  # fmt: skip
    told = json.loads(capsys.readouterr().out)
    assert (code, told["regimen"], told["stage"]) == (0, arm, 1)
    sheet = tmp_path / "sheet.txt"
    options = {
        "participant": NAME, "key": str(keys / "pharm.json"), "site": SITE, "custodian": "aruiz",
        "envelope": "ENV-1", "seal": "S1", "out": str(sheet),
    }  # fmt: skip
    refused = {**options, "key": str(keys / "aruiz.json")}
    code = run(["envelope", str(directory), *(f"--{name}={value}" for name, value in refused.items())])
    assert (code, sheet.exists()) == (1, False)  # nothing half-written keeps the next one from its place
    code = run(["envelope", str(directory), *(f"--{name}={value}" for name, value in options.items())])
    assert code == 0
    assert f"Regimen: {arm}" in sheet.read_text()
    assert sheet.stat().st_mode & 0o777 == 0o600
    capsys.readouterr()
    assert run(["unblindings", str(directory), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"recorded": 0, "waiting": 0}
