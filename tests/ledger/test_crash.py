"""Killed at random moments, fifty times in a row: what was acknowledged is there, the next start clean."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from ledger.committer import Ledger
from ledger.errors import ConflictError, RefusedError
from ledger.fold import LogFold, StoreReader
from ledger.leaf import parse_leaf
from ledger.merkle import leaf_hash, tree_root
from ledger.prepare import Signer
from ledger.proof import check_receipt
from ledger.sources import SystemSources
from tests.ledger.small_ledger import SITE, SmallLedger
from tests.ledger.write_path import VITALS, copy_of, key_of, open_stores, register, vitals_action

KILLS = 50
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["tests.ledger.write_path"])

Acknowledged = list[tuple[int, str, bytes]]


def nurse() -> Signer:
    """Return the person who records."""
    return Signer(key_of("bchan"), "bchan", "B. Chan", f"Site {SITE}")


def write_on(directory: Path, stream: str, pipe: Connection, first: int = 0) -> None:
    """Record into a stream without end, and tell of each record only once there is a receipt for it."""
    ledger = open_stores(directory, SystemSources())
    signer, number = nurse(), first
    while True:
        data = {**VITALS, "time_point": f"t{number}"}
        try:
            recorded = ledger.record(signer.submission(ledger, vitals_action(stream, data=data), {}))
        except (ConflictError, RefusedError):
            continue  # another process was faster: sign against the newest head
        pipe.send((recorded.index, recorded.event, recorded.receipt))
        number += 1


def take(pipe: Connection) -> Acknowledged:
    """Return what was acknowledged until the writer died; a message cut short was not."""
    taken: Acknowledged = []
    try:
        while pipe.poll():
            taken.append(pipe.recv())
    except (EOFError, OSError):
        pass
    return taken


def kill(writer: Any) -> None:
    """Kill a process by its own id, and wait for its end."""
    os.kill(writer.pid, signal.SIGKILL)
    writer.join()
    assert writer.exitcode == -signal.SIGKILL  # it had not ended by itself


def check_after(ledger: Ledger, acknowledged: Acknowledged, keys: Any) -> None:
    """Check the log as it is found: whole, dense, of one root, with every acknowledged event in its place."""
    assert not ledger.startup.frozen, ledger.startup.message
    head = ledger.store.head()
    entries = ledger.store.entries(0, head.size + 1)
    assert [entry.index for entry in entries] == list(range(head.size))
    assert tree_root([leaf_hash(entry.leaf) for entry in entries]) == head.root
    for index, event, receipt in acknowledged:
        assert entries[index].event == event
        leaf, _ = check_receipt(receipt, keys)
        assert leaf == parse_leaf(entries[index].leaf)


def start(directory: Path, stream: str, first: int = 0) -> tuple[Any, Connection]:
    """Start a writer in a process of its own; return it with the end of the pipe that it tells on."""
    here, there = PROCESSES.Pipe(duplex=False)
    writer = PROCESSES.Process(target=write_on, args=(directory, stream, there, first), daemon=True)
    writer.start()
    there.close()
    return writer, here


def prepared(template: tuple[SmallLedger, Path], directory: Path, participants: int) -> Any:
    """Copy the template with some participants registered, closed, and return the log's public keys."""
    small = copy_of(*template, directory)
    for number in range(1, participants + 1):
        register(small, f"{SITE}-{number:03}")
    keys = small.ledger.signers.verifier_keys
    small.ledger.close()
    return keys


def test_fifty_kills_in_a_row_lose_nothing_that_was_acknowledged(
    template: tuple[SmallLedger, Path], tmp_path: Path
) -> None:
    """After each SIGKILL: every acknowledged event at its index, no gap, the root right, the start clean."""
    keys = prepared(template, tmp_path / "ledger", 1)
    chance = random.Random(20_260_105)  # noqa: S311  moments, not secrets
    acknowledged: Acknowledged = []
    for number in range(KILLS):
        writer, pipe = start(tmp_path / "ledger", f"participant/{SITE}-001", first=number * 1_000)
        assert pipe.poll(20)  # it holds the store open and has recorded once
        deadline = time.monotonic() + chance.uniform(0, 0.08)
        while (left := deadline - time.monotonic()) > 0:
            if pipe.poll(left):
                acknowledged.append(pipe.recv())
        kill(writer)
        acknowledged += take(pipe)
        pipe.close()
        ledger = open_stores(tmp_path / "ledger", SystemSources())
        check_after(ledger, acknowledged[-200:] if number < KILLS - 1 else acknowledged, keys)
        ledger.close()
    assert len(acknowledged) >= KILLS
    ledger = open_stores(tmp_path / "ledger", SystemSources())
    fresh = LogFold(StoreReader(ledger.store))
    fresh.catch_up(ledger.store, ledger.store.head().size)
    assert fresh.conduct.unrecorded() == ()  # a fact and its breach died or lived together
    signer = nurse()
    assert ledger.record(signer.submission(ledger, vitals_action(), {})).event
    ledger.close()


def test_two_processes_record_into_one_ledger(template: tuple[SmallLedger, Path], tmp_path: Path) -> None:
    """Both go on at once, each under its own streams: all acknowledged, dense, in one chain."""
    keys = prepared(template, tmp_path / "ledger", 2)
    writers = [start(tmp_path / "ledger", f"participant/{SITE}-00{n}") for n in (1, 2)]
    acknowledged: list[Acknowledged] = [[], []]
    deadline = time.monotonic() + 20
    while min(map(len, acknowledged)) < 10 and time.monotonic() < deadline:
        for taken, (_, pipe) in zip(acknowledged, writers, strict=True):
            if pipe.poll(0.01):
                taken.append(pipe.recv())
    for taken, (writer, pipe) in zip(acknowledged, writers, strict=True):
        kill(writer)
        taken += take(pipe)
        pipe.close()
    assert min(map(len, acknowledged)) >= 10
    everything = [*acknowledged[0], *acknowledged[1]]
    assert len({index for index, _, _ in everything}) == len(everything)
    ledger = open_stores(tmp_path / "ledger", SystemSources())
    check_after(ledger, everything, keys)
    assert ledger.refresh().conduct.unrecorded() == ()
    ledger.close()
