"""Entry bundles examined side by side, in processes beside the one that judges.

Each process gets the bytes of one entry bundle after the other, with the keys that the log has enrolled
meanwhile, and answers with a row for each position (`rows`), or in a few plain words where something is
wrong; the next few are at hand while it examines one. Bundles and answers lie in memory that both have, where
there is such memory. Bundles go round in turn and are taken in index order. The judging process judges what
depends on the order, and where it needs a leaf or a statement makes it of the very bytes that it handed over.
So findings are the same for any number of processes: one that is gone, for whatever reason, has its bundles
examined where they are judged.

A process reads no file and decides nothing alone. It ends when its pipe does; the keyboard's interrupt is the
judging process's to handle.
"""

from __future__ import annotations

import marshal
import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import count, cycle, islice
from mmap import mmap
from typing import TYPE_CHECKING, Any, Final

from ledger.authority import Authority, EnrolledKey
from ledger.errors import FormatError, LedgerError
from ledger.frozen import made
from ledger.leaf import load_leaf
from ledger.problem import Problem
from ledger.statement import load_statement
from ledger.verify.form import Examined, Found, ParsedEntry, examine_all, knowing, tell_all
from ledger.verify.rows import Place, Question, Right, Row, Rows

if TYPE_CHECKING:
    from multiprocessing.connection import Connection
    from multiprocessing.process import BaseProcess
    from queue import SimpleQueue

AHEAD: Final = 3
"""So many chunks each process has at hand, judged ones that nobody has taken yet among them."""

SHARED_BYTES: Final = 1 << 20
"""So much of a chunk, or of what is told of it, lies in shared memory; what is longer goes over the pipe."""

_Reason = tuple[str, str, str | None]
_Told = (
    tuple[_Reason]
    | tuple[_Reason | None, bool, _Reason | None, tuple[tuple[str, str], ...], bool, _Reason | None]
)
_Answer = tuple[list[Row | None], dict[int, _Told], list[Question], list[tuple[str, str, str, str | None]]]
"""A row for each position or words on it, by where it is in the chunk; what the rows have in common."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """The bytes of one entry bundle: leaves and statements (None: unreadable) from index `start` on."""

    start: int
    leaves: Sequence[bytes]
    payloads: Sequence[bytes | None]


Examiner = Callable[[Iterable[Chunk], Callable[[], Authority]], Iterator[tuple[Chunk, list[Found]]]]
"""Yields every chunk with what was found in it; the authority is that after what was yielded before."""


@contextmanager
def examiner(workers: int) -> Iterator[Examiner]:
    """Examine in so many processes beside this one; with 1 in this one alone."""
    if workers < 2:
        yield _examine_here
        return
    team = _Team(workers)
    try:
        yield team.examine
    finally:
        team.close()


def _examine_here(
    chunks: Iterable[Chunk], authority: Callable[[], Authority]
) -> Iterator[tuple[Chunk, list[Found]]]:
    for chunk in chunks:
        yield chunk, _examine(chunk, authority())


def _examine(chunk: Chunk, authority: Authority) -> list[Found]:
    return examine_all(chunk.start, chunk.leaves, chunk.payloads, authority)


class _Team:
    """Processes beside this one, each with the next chunk at hand when it has told of one."""

    def __init__(self, workers: int) -> None:
        import multiprocessing  # a third of what verifying imports; one process does without

        methods = multiprocessing.get_all_start_methods()
        context = multiprocessing.get_context("fork" if "fork" in methods else None)
        forks = context.get_start_method() == "fork"
        self._hands: list[_Hand] = []
        for _ in range(workers):
            here, there = context.Pipe()
            # A forked process has the ends of those before it too, and would keep their pipes open.
            inherited = [*(hand.pipe for hand in self._hands), here] if forks else []
            # Only a process that is forked off has the memory of the one that it is forked from.
            desk = Desk(mmap(-1, AHEAD * SHARED_BYTES) if forks else None)
            process = context.Process(target=_work, args=(there, inherited, desk), daemon=True)
            process.start()
            there.close()
            self._hands.append(_Hand(here, process, desk))

    def examine(
        self, chunks: Iterable[Chunk], authority: Callable[[], Authority]
    ) -> Iterator[tuple[Chunk, list[Found]]]:
        """Hand chunks round, and take them back in the same turn.

        What the first one enrols signs most of what follows, so the others wait until it is judged.
        """
        coming = iter(chunks)
        busy: deque[tuple[_Hand, Chunk]] = deque()
        turns = cycle(self._hands)
        room = 1
        while True:
            for chunk in islice(coming, room - len(busy)):
                hand = next(turns)
                hand.give(chunk, authority().keys)
                busy.append((hand, chunk))
            if not busy:
                return
            hand, chunk = busy.popleft()
            told = hand.take()
            yield chunk, _examine(chunk, authority()) if told is None else _restore(chunk, *told)
            room = AHEAD * len(self._hands)

    def close(self) -> None:
        """End every process."""
        for hand in self._hands:
            hand.close()


class Desk:
    """Memory that two processes have, in places that are taken in turn; without it bytes go over the pipe."""

    def __init__(self, shared: mmap | None) -> None:
        """Begin with the first place."""
        self._shared = shared

    def put(self, turn: int, data: bytes) -> bytes | int:
        """Lay bytes down at a turn's place; return how many, or the bytes where there is no room for them."""
        if self._shared is None or len(data) > SHARED_BYTES:
            return data
        start = turn % AHEAD * SHARED_BYTES
        self._shared[start : start + len(data)] = data
        return len(data)

    def take(self, turn: int, put: bytes | int) -> bytes:
        """Return what was put down."""
        if isinstance(put, bytes) or self._shared is None:
            return put if isinstance(put, bytes) else b""
        start = turn % AHEAD * SHARED_BYTES
        return self._shared[start : start + put]

    def close(self) -> None:
        """Let the memory go."""
        if self._shared is not None:
            self._shared.close()


class _Hand:
    """One process, and what it knows already."""

    def __init__(self, pipe: Connection, process: BaseProcess, desk: Desk) -> None:
        self.pipe = pipe
        self._process = process
        self._desk = desk
        self._known: set[str] = set()
        self._given = self._taken = 0

    def give(self, chunk: Chunk, keys: Mapping[str, EnrolledKey]) -> None:
        """Hand a chunk over, with the keys that this process lacks."""
        new: dict[str, EnrolledKey] = {}
        if len(keys) != len(self._known):  # no key is ever forgotten
            new = {name: key for name, key in keys.items() if name not in self._known}
            self._known.update(new)
        put = self._desk.put(self._given, marshal.dumps((list(chunk.leaves), list(chunk.payloads))))
        self._given += 1
        with suppress(OSError):  # a process that is gone is noticed when its answer is missing
            self.pipe.send((chunk.start, put, new))

    def take(self) -> _Answer | None:
        """Wait for the answer; None where the process is gone."""
        try:
            put: bytes | int = self.pipe.recv()
        except (EOFError, OSError):
            return None
        answer: _Answer = marshal.loads(self._desk.take(self._taken, put))  # noqa: S302  by a process of ours
        self._taken += 1
        return answer

    def close(self) -> None:
        """End the process, whatever it does."""
        self.pipe.close()
        self._process.terminate()
        self._process.join()
        self._desk.close()


def _work(pipe: Connection, inherited: Sequence[Connection], desk: Desk) -> None:
    """Examine chunk after chunk until the pipe ends: the life of one process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for other in inherited:
        other.close()
    from queue import SimpleQueue
    from threading import Thread

    keys: dict[str, EnrolledKey] = {}
    authority = knowing(keys)
    given: SimpleQueue[Any] = SimpleQueue()
    Thread(target=_receive, args=(pipe, given), daemon=True).start()
    for turn in count():
        task = given.get()
        if task is None:
            return
        start, put, new = task
        keys.update(new)
        leaves, payloads = marshal.loads(desk.take(turn, put))  # noqa: S302  by the process that judges
        try:
            pipe.send(desk.put(turn, marshal.dumps(_answer(start, leaves, payloads, authority))))
        except OSError:
            return


def _answer(
    start: int, leaves: Sequence[bytes], payloads: Sequence[bytes | None], authority: Authority
) -> _Answer:
    """Examine a chunk, and say what was found in plain words and rows."""
    rows = Rows()
    told: list[Row | None] = []
    words: dict[int, _Told] = {}
    for at, each in enumerate(tell_all(start, leaves, payloads, authority, rows)):
        if isinstance(each, Examined | Problem):
            words[at] = _tell(each)
            told.append(None)
        else:
            told.append(each[1])
    return told, words, list(rows.questions), list(rows.places)


def _receive(pipe: Connection, given: SimpleQueue[Any]) -> None:
    """Take in what is handed over while an answer is made or told: so neither end waits for the other."""
    with suppress(EOFError, OSError):
        while True:
            given.put(pipe.recv())
    given.put(None)


def _tell(found: Examined | Problem) -> _Told:
    """Say what was found in plain words, so that little goes over the pipe."""
    if isinstance(found, Problem):
        return (_reason(found),)
    parsed, misformed, unsigned = found.parsed, found.misformed, found.unsigned
    return (
        None if parsed.error is None else _reason(parsed.error),
        parsed.shown,
        None if misformed is None else _reason(misformed),
        found.names,
        found.checked,
        None if unsigned is None else _reason(unsigned),
    )


def _reason(of: Problem | LedgerError) -> _Reason:
    return of.code, of.message, of.field


def _restore(
    chunk: Chunk,
    told: Sequence[Row | None],
    words: Mapping[int, _Told],
    questions: Sequence[Question],
    places: Sequence[tuple[str, str, str, str | None]],
) -> list[Found]:
    """Build what was found from the bytes that were handed over and the words that came back."""
    known = [Place(*each) for each in places]
    return [
        _restore_one(chunk.start + at, leaf, payload, words[at])
        if row is None
        else Right(chunk.start + at, row, questions[row[-2]], known[row[-1]], (leaf, payload))
        for at, (leaf, payload, row) in enumerate(zip(chunk.leaves, chunk.payloads, told, strict=True))
    ]


def _restore_one(index: int, leaf_bytes: bytes, payload: bytes | None, told: _Told) -> Examined | Problem:
    if len(told) == 1:
        return _problem(told[0])
    error, shown, misformed, names, checked, unsigned = told
    leaf = load_leaf(leaf_bytes)
    statement = load_statement(payload, leaf.statement) if payload and error is None else None
    refused = None if error is None else FormatError(error[0], error[1], field=error[2])
    return Examined(
        made(ParsedEntry, (index, leaf, statement, refused, shown)),
        None if misformed is None else _problem(misformed),
        names,
        checked,
        None if unsigned is None else _problem(unsigned),
    )


def _problem(reason: _Reason) -> Problem:
    code, message, field = reason
    return Problem(code=code, message=message, field=field)
