"""Entry bundles examined side by side, in processes beside the one that judges.

Each process gets the bytes of one entry bundle after the other, with the keys that the log has enrolled
meanwhile, and answers in a few plain words for each position; the next few are at hand while it examines one.
Bundles go round in turn and are taken in index order. The judging process builds leaves and statements from
the very bytes that it handed over, and judges what depends on the order. So findings are the same for any
number of processes: one that is gone, for whatever reason, has its bundles examined where they are judged.

A process reads no file and decides nothing alone. It ends when its pipe does; the keyboard's interrupt is the
judging process's to handle.
"""

from __future__ import annotations

import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import cycle, islice
from typing import TYPE_CHECKING, Any, Final

from ledger.authority import Authority, EnrolledKey
from ledger.errors import FormatError, LedgerError
from ledger.frozen import made
from ledger.leaf import load_leaf
from ledger.problem import Problem
from ledger.statement import load_statement
from ledger.verify.form import Examined, ParsedEntry, examine_all, knowing

if TYPE_CHECKING:
    from multiprocessing.connection import Connection
    from multiprocessing.process import BaseProcess
    from queue import SimpleQueue

AHEAD: Final = 3
"""So many chunks each process has at hand, judged ones that nobody has taken yet among them."""

Found = Examined | Problem
"""What examining a position gave; a problem where the leaf has no form."""

_Reason = tuple[str, str, str | None]
_Told = (
    tuple[_Reason]
    | tuple[_Reason | None, bool, _Reason | None, tuple[tuple[str, str], ...], bool, _Reason | None]
)


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
            process = context.Process(target=_work, args=(there, inherited), daemon=True)
            process.start()
            there.close()
            self._hands.append(_Hand(here, process))

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
            yield chunk, _examine(chunk, authority()) if told is None else _restore(chunk, told)
            room = AHEAD * len(self._hands)

    def close(self) -> None:
        """End every process."""
        for hand in self._hands:
            hand.close()


class _Hand:
    """One process, and what it knows already."""

    def __init__(self, pipe: Connection, process: BaseProcess) -> None:
        self.pipe = pipe
        self._process = process
        self._known: set[str] = set()

    def give(self, chunk: Chunk, keys: Mapping[str, EnrolledKey]) -> None:
        """Hand a chunk over, with the keys that this process lacks."""
        new = {name: key for name, key in keys.items() if name not in self._known}
        self._known.update(new)
        with suppress(OSError):  # a process that is gone is noticed when its answer is missing
            self.pipe.send((chunk.start, chunk.leaves, chunk.payloads, new))

    def take(self) -> list[_Told] | None:
        """Wait for the answer; None where the process is gone."""
        try:
            told: list[_Told] = self.pipe.recv()
        except (EOFError, OSError):
            return None
        return told

    def close(self) -> None:
        """End the process, whatever it does."""
        self.pipe.close()
        self._process.terminate()
        self._process.join()


def _work(pipe: Connection, inherited: Sequence[Connection]) -> None:
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
    while (task := given.get()) is not None:
        start, leaves, payloads, new = task
        keys.update(new)
        chunk = Chunk(start=start, leaves=leaves, payloads=payloads)
        try:
            pipe.send([_tell(found) for found in _examine(chunk, authority)])
        except OSError:
            return


def _receive(pipe: Connection, given: SimpleQueue[Any]) -> None:
    """Take in what is handed over while an answer is made or told: so neither end waits for the other."""
    with suppress(EOFError, OSError):
        while True:
            given.put(pipe.recv())
    given.put(None)


_RIGHT: Final[_Told] = (None, True, None, (), True, None)
"""What is said of nearly every position: one object, which a pickle holds once."""


def _tell(found: Found) -> _Told:
    """Say what was found in plain words, so that little goes over the pipe."""
    if isinstance(found, Problem):
        return (_reason(found),)
    parsed, misformed, unsigned = found.parsed, found.misformed, found.unsigned
    if found.checked and parsed.shown and not (parsed.error or misformed or found.names or unsigned):
        return _RIGHT
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


def _restore(chunk: Chunk, told: Sequence[_Told]) -> list[Found]:
    """Build what was found from the bytes that were handed over and the words that came back."""
    return [
        _restore_one(index, leaf, payload, words)
        for index, (leaf, payload, words) in enumerate(
            zip(chunk.leaves, chunk.payloads, told, strict=True), start=chunk.start
        )
    ]


def _restore_one(index: int, leaf_bytes: bytes, payload: bytes | None, told: _Told) -> Found:
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
