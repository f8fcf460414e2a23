"""Processes that record side by side into one ledger over PostgreSQL, many clients in each; to be killed.

Each process is what a service is: a ledger, group commit before it (`api.recorder`), and clients that wait
for their answers. A client has a participant's stream of its own. It tells of a statement only once it holds
the receipt; when the store fails it hands the same statement in again until it is known whether it was
recorded.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any, Final, TypeVar

from api.recorder import Recorder
from ledger.committer import Ledger
from ledger.errors import ConflictError, StoreError
from ledger.lines import encode_base64
from ledger.sources import SystemSources
from ledger.statement import make_statement
from ledger.store.postgres import PostgresStore
from ledger.submission import Submission
from tests.benchmarks.trial import participant_id, sign, vital_signs_action
from tests.ledger.test_crash import nurse
from tests.ledger.write_path import open_stores

PAUSE_S: Final = 0.05
PATIENCE_S: Final = 60.0
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["tests.soak.fleet"])

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What a process is to do: for which participants, and the tree head that its clients have seen."""

    directory: Path
    url: str
    participants: tuple[int, ...]
    seen_size: int
    seen_root: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Acknowledged:
    """A statement for which somebody holds a receipt."""

    index: int
    event: str
    receipt: bytes


def record_on(job: Job, pipe: Connection) -> None:
    """Record without end."""
    ledger = _patiently(lambda: _opened(job), pipe)
    _patiently(ledger.refresh, pipe)
    asyncio.run(_serve(ledger, job, pipe))


def _opened(job: Job) -> Ledger:
    store = PostgresStore.open(job.url)
    try:
        return open_stores(job.directory, SystemSources(), store=store)
    except BaseException:
        store.close()
        raise


async def _serve(ledger: Ledger, job: Job, pipe: Connection) -> None:
    recorder = Recorder(ledger)
    async with asyncio.TaskGroup() as clients:
        for number in job.participants:
            clients.create_task(_client(ledger, recorder, job, number, pipe))


async def _client(ledger: Ledger, recorder: Recorder, job: Job, number: int, pipe: Connection) -> None:
    """Record the vital signs of one participant without end."""
    stream, signer, count = f"participant/{participant_id(number)}", nurse(), 0
    row = ledger.stream(stream)
    newest: tuple[int, str] | None = None
    while True:
        if newest is None:  # at first, and when somebody else's process has recorded what this one lost
            newest = await _retried(lambda: asyncio.to_thread(ledger.store.stream_head, stream), pipe)
            assert newest is not None
        seq, prev = newest
        value = signer.complete(ledger, vital_signs_action(participant_id(number), count))
        seen = {"root": encode_base64(job.seen_root), "size": job.seen_size}
        statement = make_statement({**value, "tag": row.tag, "seq": seq + 1, "prev": prev, "seen": seen})
        submission: Submission = sign(signer, statement)
        try:
            recorded = await _retried(lambda handed=submission: recorder.record(handed), pipe)
        except ConflictError:
            newest = None
            continue
        pipe.send(Acknowledged(index=recorded.index, event=recorded.event, receipt=recorded.receipt))
        newest, count = (seq + 1, recorded.event), count + 1


async def _retried(step: Callable[[], Any], pipe: Connection) -> Any:
    while True:
        try:
            return await step()
        except StoreError as error:
            pipe.send(error.code)
            await asyncio.sleep(PAUSE_S)


def _patiently(step: Callable[[], T], pipe: Connection) -> T:
    pause = threading.Event()
    while True:
        try:
            return step()
        except StoreError as error:
            pipe.send(error.code)
            pause.wait(PAUSE_S)


@dataclass(slots=True)
class Fleet:
    """The processes, and what they have told so far."""

    jobs: Sequence[Job]
    acknowledged: list[Acknowledged] = field(default_factory=list)
    failures: Counter[str] = field(default_factory=Counter)
    kills: int = 0
    _running: list[tuple[Any, Connection]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._running = [self._start(job) for job in self.jobs]

    def __iter__(self) -> Iterator[int]:
        return iter(range(len(self.jobs)))

    def hear(self, timeout_s: float) -> None:
        """Take what comes until the time is up."""
        deadline = time.monotonic() + timeout_s
        while (left := deadline - time.monotonic()) > 0:
            for pipe in wait([pipe for _, pipe in self._running], left):
                assert isinstance(pipe, Connection)
                self._sort(pipe.recv())

    def hear_from_all(self) -> None:
        """Take what comes until each process has recorded something since."""
        before, deadline = len(self.acknowledged), time.monotonic() + PATIENCE_S
        waiting = {pipe for _, pipe in self._running}
        while waiting:
            assert time.monotonic() < deadline, f"{len(waiting)} writers have recorded nothing"
            for pipe in wait([pipe for _, pipe in self._running], 0.1):
                assert isinstance(pipe, Connection)
                if self._sort(pipe.recv()):
                    waiting.discard(pipe)
        assert len(self.acknowledged) > before

    def kill(self, number: int, *, again: bool = True) -> None:
        """Kill one process by its own id, take what it had still told, and start another in its place."""
        process, pipe = self._running[number]
        os.kill(process.pid, signal.SIGKILL)
        process.join()
        assert process.exitcode == -signal.SIGKILL, "the process had ended by itself"
        with suppress(EOFError, OSError):
            while pipe.poll():
                self._sort(pipe.recv())
        pipe.close()
        self.kills += 1
        if again:
            self._running[number] = self._start(self.jobs[number])

    def end(self) -> None:
        """Kill all of them."""
        for number in self:
            self.kill(number, again=False)
        self._running.clear()

    def _start(self, job: Job) -> tuple[Any, Connection]:
        here, there = PROCESSES.Pipe(duplex=False)
        process = PROCESSES.Process(target=record_on, args=(job, there), daemon=True)
        process.start()
        there.close()
        return process, here

    def _sort(self, message: Acknowledged | str) -> bool:
        """Keep a message; tell whether it acknowledges something."""
        if isinstance(message, str):
            self.failures[message] += 1
            return False
        self.acknowledged.append(message)
        return True
