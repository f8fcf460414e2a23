"""What a process beside tells over its pipe is what the judging process would have found itself."""

from __future__ import annotations

import marshal
import signal
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import replace
from mmap import mmap
from multiprocessing import Pipe, active_children
from threading import Thread
from typing import Any

import pytest

from ledger.authority import INITIAL, EnrolledKey, evolve
from ledger.entry import Entry, Index
from ledger.envelope import event_hash
from ledger.leaf import encode_leaf, parse_leaf
from ledger.problem import Problem
from ledger.statement import parse_statement
from ledger.tiles import decode_entries
from ledger.verify import workers
from ledger.verify.form import Examined, Found, examine, examined, knowing
from ledger.verify.rows import Right
from ledger.verify.workers import AHEAD, SHARED_BYTES, Chunk, Desk, _restore, _work, examiner
from tests.ledger.verifying import MINIMAL

LEAVES = decode_entries((MINIMAL / "tile" / "entries" / "000.p" / "11").read_bytes(), 11)
PAYLOADS: list[bytes | None] = [*(MINIMAL / "payloads" / "000.p" / "11").read_bytes().split(b"\n")[:-1]]


def enrolled() -> Mapping[str, EnrolledKey]:
    """Return the keys of the log at its end."""
    authority = INITIAL
    for index, (leaf, payload) in enumerate(zip(LEAVES, PAYLOADS, strict=True)):
        statement = parse_statement(payload or b"")
        parsed = parse_leaf(leaf)
        authority = evolve(
            authority, Entry(index=Index(index), leaf=parsed, event=statement.event, statement=statement)
        )
    return authority.keys


KEYS = enrolled()


def claimed(body: bytes, index: int = 3) -> tuple[bytes, bytes]:
    """Return a leaf that commits to other bytes, under the signatures of an index, with these bytes."""
    return encode_leaf(replace(parse_leaf(LEAVES[index]), statement=event_hash(body))), body


BODY = PAYLOADS[3] or b""
POSITIONS: dict[str, tuple[bytes, bytes | None]] = {
    "good": (LEAVES[3], BODY),
    "withheld": (LEAVES[3], b""),
    "unreadable": (LEAVES[3], None),
    "another statement": (LEAVES[3], PAYLOADS[4]),
    "no leaf": (b"{}", BODY),
    "no canonical leaf": (LEAVES[3] + b" ", BODY),
    "no statement": claimed(b"{}"),
    "no canonical statement": claimed(BODY + b" "),
    "a member of another form": claimed(BODY.replace(b'"seq":', b'"seq":0')),
    "another type": claimed(BODY.replace(b'"schema":1', b'"schema":9')),
    "not what was signed": claimed(BODY.replace(b'"signed_at":"2026', b'"signed_at":"2027')),
}


@pytest.fixture(autouse=True)
def _interrupts() -> Iterator[None]:
    """Give the keyboard's interrupt back, which such a process leaves to the one that judges."""
    before = signal.getsignal(signal.SIGINT)
    yield
    signal.signal(signal.SIGINT, before)


def by_pipe(*tasks: tuple[Chunk, Mapping[str, EnrolledKey]], shared: mmap | None = None) -> list[Any]:
    """Let the work of one process be done here, chunk after chunk; return what came over its pipe."""
    here, there = Pipe()
    told: list[Any] = []
    desk = Desk(shared)

    def ask() -> None:
        with closing(here):
            for turn, (chunk, keys) in enumerate(tasks):
                given = marshal.dumps((list(chunk.leaves), list(chunk.payloads)))
                here.send((chunk.start, desk.put(turn, given), dict(keys)))
                told.append(marshal.loads(desk.take(turn, here.recv())))  # noqa: S302  what was told just now

    asking = Thread(target=ask)
    asking.start()
    _work(there, [], desk)
    asking.join()
    there.close()
    return told


def plain(found: Found) -> object:
    """Return what can be compared: an error is by its members."""
    if isinstance(found, Problem):
        return found
    found = examined(found) if isinstance(found, Right) else found
    error = found.parsed.error
    words = None if error is None else (error.code, error.message, error.field)
    return found._replace(parsed=replace(found.parsed, error=None)), words


@pytest.mark.parametrize("keys", [KEYS, {}], ids=["known", "unknown"])
@pytest.mark.parametrize("name", POSITIONS)
def test_what_comes_back_is_what_was_found(name: str, keys: Mapping[str, EnrolledKey]) -> None:
    """Leaf, statement, errors, names, and whether signatures were looked at, for every kind of position."""
    leaf, payload = POSITIONS[name]
    chunk = Chunk(start=7, leaves=[LEAVES[3], leaf], payloads=[BODY, payload])
    (told,) = by_pipe((chunk, keys))
    expected = [examine(7, LEAVES[3], BODY, knowing(keys)), examine(8, leaf, payload, knowing(keys))]
    assert [plain(each) for each in _restore(chunk, *told)] == [plain(each) for each in expected]


def test_what_lies_in_shared_memory_is_what_goes_over_the_pipe() -> None:
    """Also where a place is taken again, and where a chunk is longer than a place."""
    chunks = [Chunk(start=at, leaves=[LEAVES[at]], payloads=[PAYLOADS[at]]) for at in range(2 * AHEAD)]
    chunks.append(Chunk(start=3, leaves=[LEAVES[3]] * 2, payloads=[BODY, b"x" * SHARED_BYTES]))
    tasks = [(chunk, KEYS) for chunk in chunks]
    with closing(mmap(-1, AHEAD * SHARED_BYTES)) as shared:
        assert by_pipe(*tasks, shared=shared) == by_pipe(*tasks)


def test_every_position_of_the_public_bundle() -> None:
    """All of them at once; each has a form, and its signatures hold."""
    chunk = Chunk(start=0, leaves=LEAVES, payloads=PAYLOADS)
    (told,) = by_pipe((chunk, KEYS))
    found = _restore(chunk, *told)
    whole = [examined(each) if isinstance(each, Right) else each for each in found]
    assert [each.parsed.index for each in whole if isinstance(each, Examined)] == list(range(11))
    assert all(isinstance(each, Examined) and each.formed and each.checked for each in whole)
    assert all(isinstance(each, Examined) and each.unsigned is None for each in whole)


def test_keys_that_came_before_stay_known() -> None:
    """A key is handed over once; a later chunk is examined under all of them."""
    chunk = Chunk(start=3, leaves=[LEAVES[3]], payloads=[BODY])
    first, second = by_pipe((chunk, {}), (chunk, KEYS))
    third = by_pipe((chunk, KEYS), (chunk, {}))[1]
    (found,), known, again = (_restore(chunk, *told) for told in (first, second, third))
    assert isinstance(found, Examined)
    assert not found.checked
    assert [type(each) for each in (*known, *again)] == [Right, Right]


def test_the_interrupt_is_left_to_the_one_that_judges() -> None:
    """A keyboard's interrupt reaches every process of a terminal; these don't answer it."""
    by_pipe()
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN


def test_no_process_outlives_the_one_that_judges() -> None:
    """Each ends with it, whatever ends it, and all of them when the examining is over."""
    with examiner(2):
        assert [each.daemon for each in active_children()] == [True, True]
    assert active_children() == []


def test_what_was_examined_beside_is_not_examined_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """The answers of living processes are taken as they come, in the order of the chunks."""

    def again(*_: object) -> list[Found]:
        raise AssertionError("a chunk was examined twice")

    chunks = [Chunk(start=at, leaves=[LEAVES[at]], payloads=[PAYLOADS[at]]) for at in range(5)]
    with examiner(2) as examining:
        monkeypatch.setattr(workers, "_examine", again)
        told = list(examining(chunks, lambda: knowing(KEYS)))
    assert [chunk for chunk, _ in told] == chunks
    assert not any(isinstance(found, Problem) for _, each in told for found in each)
