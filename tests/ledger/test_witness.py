"""A witness cosigns what continues, refuses what does not, and keeps the proof; a ledger asks it."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from ledger.checkpoint import Checkpoint, check_timed, publish, sign_head
from ledger.errors import LedgerError, SignatureError, StoreError
from ledger.merkle import EMPTY_ROOT, leaf_hash, prove_consistency, tree_root
from ledger.note import CosignatureSigner, Ed25519Cosigner, NoteSigner, parse_note
from ledger.policy import TrustPolicy, check_quorum
from ledger.policy import Witness as Listed
from ledger.proof import add_checkpoint_body
from ledger.tiles import TileHashes
from ledger.witness.asking import Answered, ask
from ledger.witness.keeping import Cosignatures
from ledger.witness.store import WitnessStore
from ledger.witness.witness import SIZE_TYPE, Answer, Witness
from tests.ledger.small_ledger import seed

ORIGIN = "log.example/trial"
LOG = NoteSigner(ORIGIN, seed("witnessed log"))
LOG_PQ = CosignatureSigner(ORIGIN, seed("witnessed log pq"))
SIGNER = Ed25519Cosigner("witness.example/w1", seed("witness"))
LISTED = Listed(name="W1", key=SIGNER.key, url="http://witness.example")


class Clock:
    """A clock that tests set."""

    def __init__(self) -> None:
        self.now = 1_800_000_000_000_000

    def now_us(self) -> int:
        """Return the time."""
        return self.now

    def random_bytes(self, count: int) -> bytes:
        """Nothing here is random."""
        raise AssertionError(count)


class Log:
    """A log of numbered leaves, of which another history can be made."""

    def __init__(self, salt: str = "") -> None:
        self.hashes = [leaf_hash(f"{salt}{n}".encode()) for n in range(40)]

    def note(self, size: int, signer: NoteSigner = LOG) -> bytes:
        """Sign the tree of a size."""
        head = Checkpoint(origin=ORIGIN, size=size, root=self.root(size))
        return publish(sign_head(head, signer), (LOG_PQ,), 1_800_000_000)

    def root(self, size: int) -> bytes:
        """Return the root of a size."""
        return tree_root(self.hashes[:size]) if size else EMPTY_ROOT

    def prove(self, old: int, new: int) -> list[bytes]:
        """Prove that a tree continues another."""
        rows = TileHashes(lambda _, start, stop: b"".join(self.hashes[start:stop]))
        return prove_consistency(old, new, rows)

    def request(self, old: int, new: int) -> bytes:
        """Write the request for a size."""
        return add_checkpoint_body(old, self.prove(old, new), self.note(new))


@pytest.fixture
def clock() -> Clock:
    """A clock."""
    return Clock()


@pytest.fixture
def witness(tmp_path: Path, clock: Clock) -> Iterator[Witness]:
    """A witness that knows the log."""
    store = WitnessStore.create(tmp_path / "witness.db")
    store.add_log(ORIGIN, (LOG.key, LOG_PQ.key))
    yield Witness(store, SIGNER, clock)
    store.close()


def post_to(witness: Witness) -> object:
    """Return a way to post that reaches a witness without a network."""

    def post(url: str, body: bytes) -> Answered:
        assert url == "http://witness.example/add-checkpoint"
        answer = witness.add_checkpoint(body)
        return Answered(status=answer.status, media_type=answer.media_type, body=answer.body)

    return post


def holds(answer: Answer, note: bytes) -> bool:
    """Tell whether an answer is the witness's cosignature of a checkpoint."""
    parsed = parse_note(f"{parse_note(note).text}\n{answer.body}".encode())
    return len(check_timed(parsed, [SIGNER.key])) == 1


def test_what_continues_is_cosigned(witness: Witness) -> None:
    """The first checkpoint is, and each that continues it, the same one again included."""
    log = Log()
    for old, new in ((0, 3), (3, 17), (17, 17), (17, 40)):
        answer = witness.add_checkpoint(log.request(old, new))
        assert answer.status == 200
        assert holds(answer, log.note(new))
    newest = witness.store.newest(ORIGIN)
    assert newest is not None
    assert (newest.size, newest.root) == (40, log.root(40))
    assert witness.store.evidence() == ()


def test_a_stale_size_is_answered_with_the_one_that_is_known(witness: Witness) -> None:
    """Who names another old size is told the witness's; a client that is late is no evidence."""
    log = Log()
    witness.add_checkpoint(log.request(0, 17))
    answer = witness.add_checkpoint(log.request(3, 40))
    assert (answer.status, answer.media_type, answer.body) == (409, SIZE_TYPE, "17\n")
    assert witness.store.evidence() == ()


def test_a_truncated_log_is_not_cosigned(witness: Witness) -> None:
    """A tree smaller than the one that was cosigned continues nothing."""
    log = Log()
    witness.add_checkpoint(log.request(0, 17))
    assert witness.add_checkpoint(log.request(0, 9)).status == 409
    request = add_checkpoint_body(17, [], log.note(9))
    assert witness.add_checkpoint(request).status == 400
    newest = witness.store.newest(ORIGIN)
    assert newest is not None
    assert newest.size == 17


def test_a_fork_is_refused_and_kept(witness: Witness) -> None:
    """Another history is not cosigned, and what the log signed is kept, once."""
    witness.add_checkpoint(Log().request(0, 17))
    for _ in range(2):
        assert witness.add_checkpoint(Log("other ").request(17, 30)).status == 422
    assert [(each.origin, each.status) for each in witness.store.evidence()] == [(ORIGIN, 422)]
    assert witness.store.evidence()[0].head.split("\n")[1] == "30"


def test_another_root_of_the_same_size(witness: Witness) -> None:
    """Two roots of one size are a conflict, whatever old size comes with the second, and kept."""
    witness.add_checkpoint(Log().request(0, 17))
    for old in (17, 0):
        answer = witness.add_checkpoint(add_checkpoint_body(old, [], Log("other ").note(17)))
        assert (answer.status, answer.body) == (409, "17\n")
    assert {each.status for each in witness.store.evidence()} == {409}


def _other_signature(body: bytes) -> bytes:
    """Change the middle of the log's first line."""
    at = body.index("— ".encode()) + 60
    return body[:at] + (b"B" if body[at : at + 1] == b"A" else b"A") + body[at + 1 :]


@pytest.mark.parametrize(
    ("change", "status"),
    [
        (lambda body: body.replace(b"old 0", b"old 00"), 400),
        (lambda body: body.replace(b"old 0", b"old -1"), 400),
        (lambda body: body.replace(ORIGIN.encode(), b"log.example/other"), 404),
        (lambda body: _other_signature(body), 403),
        (lambda _: b"", 400),
        (lambda _: b"\xff" * 40, 400),
        (lambda body: body + b"x" * 1_200_000, 413),
        (lambda _: add_checkpoint_body(0, [bytes(32)], Log().note(3)), 422),
        (lambda _: add_checkpoint_body(0, [], Log().note(3, NoteSigner(ORIGIN, seed("thief")))), 403),
        (lambda _: b"old 0\n" + b"A" * 43 + b"=\n" * 70 + b"\n" + Log().note(3), 400),
    ],
)
def test_what_is_not_of_the_form_or_of_nobody(witness: Witness, change: object, status: int) -> None:
    """Each kind of refusal has its status, and nothing is recorded."""
    answer = witness.add_checkpoint(change(Log().request(0, 3)))  # type: ignore[operator]
    assert answer.status == status
    assert witness.store.newest(ORIGIN) is None


def test_a_clock_that_is_set_back(witness: Witness, clock: Clock) -> None:
    """A witness never cosigns as of a time before its own last cosignature."""
    witness.add_checkpoint(Log().request(0, 3))
    clock.now -= 3_600_000_000
    assert witness.add_checkpoint(Log().request(3, 9)).status == 503
    newest = witness.store.newest(ORIGIN)
    assert newest is not None
    assert newest.size == 3


def test_two_requests_at_once(witness: Witness) -> None:
    """Of two branches that arrive together one is cosigned, and never both."""
    witness.add_checkpoint(Log().request(0, 17))
    answers: list[int] = []
    other = Log()
    other.hashes[17:] = Log("other ").hashes[17:]
    bodies = [Log().request(17, 30), other.request(17, 30)] * 4

    def submit(body: bytes) -> None:
        answers.append(witness.add_checkpoint(body).status)

    threads = [threading.Thread(target=submit, args=(body,)) for body in bodies]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers.count(200) == 1
    assert set(answers) == {200, 409}


def test_memory_goes_forward_only(witness: Witness) -> None:
    """The file itself refuses a smaller tree and another root."""
    witness.add_checkpoint(Log().request(0, 17))
    with pytest.raises(StoreError), witness.store.writing() as connection:
        connection.execute("UPDATE cosigned SET size = 3")
    with pytest.raises(StoreError), witness.store.writing() as connection:
        connection.execute("DELETE FROM cosigned")


def test_a_ledger_asks_from_the_size_that_the_witness_names(witness: Witness) -> None:
    """Without knowing what the witness has, a ledger gets its line in two requests."""
    log = Log()
    witness.add_checkpoint(log.request(0, 9))
    line = ask(LISTED, log.note(40), log.prove, post_to(witness))  # type: ignore[arg-type]
    assert (line.name, line.id) == (SIGNER.key.name, SIGNER.key.id)


def test_a_witness_that_is_ahead_or_has_another_tree(witness: Witness) -> None:
    """A log that was put back is told so, and one that forked too."""
    log = Log()
    witness.add_checkpoint(log.request(0, 30))
    with pytest.raises(StoreError) as ahead:
        ask(LISTED, log.note(17), log.prove, post_to(witness))  # type: ignore[arg-type]
    assert ahead.value.code == "WITNESS_AHEAD"
    other = Log("other ")
    with pytest.raises(StoreError) as forked:
        ask(LISTED, other.note(30), other.prove, post_to(witness))  # type: ignore[arg-type]
    assert forked.value.code == "WITNESS_FORK"
    with pytest.raises(StoreError) as refused:
        ask(LISTED, other.note(40), other.prove, post_to(witness))  # type: ignore[arg-type]
    assert refused.value.code == "WITNESS_REFUSED"


def _answering(status: int, body: str, media_type: str = "text/plain") -> object:
    return lambda _url, _body: Answered(status=status, media_type=media_type, body=body)


@pytest.mark.parametrize(
    ("post", "code"),
    [
        (_answering(200, "nonsense"), "WITNESS_LINE"),
        (_answering(200, ""), "WITNESS_LINE"),
        (_answering(500, ""), "WITNESS_REFUSED"),
        (_answering(409, "3\n"), "WITNESS_REFUSED"),
        (_answering(409, "three\n", SIZE_TYPE), "WITNESS_REFUSED"),
        (_answering(302, ""), "WITNESS_REFUSED"),
    ],
)
def test_answers_that_are_none(post: object, code: str) -> None:
    """Whatever a witness answers instead of its line, it counts for nothing."""
    log = Log()
    with pytest.raises(LedgerError) as refused:
        ask(LISTED, log.note(9), log.prove, post)  # type: ignore[arg-type]
    assert refused.value.code == code


def test_a_line_over_another_checkpoint(witness: Witness) -> None:
    """A witness's line counts for the checkpoint that it was asked for only."""
    log = Log()
    line = witness.add_checkpoint(log.request(0, 3)).body
    with pytest.raises(SignatureError) as refused:
        ask(LISTED, log.note(9), log.prove, _answering(200, line))  # type: ignore[arg-type]
    assert refused.value.code == "WITNESS_LINE"


def policy_of(*listed: Listed, quorum: str | None) -> TrustPolicy:
    """Return a policy over witnesses."""
    return TrustPolicy(
        ledger_id=None, log_keys=(LOG.key, LOG_PQ.key), witnesses=tuple(listed), groups=(), quorum=quorum
    )


def test_lines_stand_under_the_checkpoint_once(tmp_path: Path, witness: Witness) -> None:
    """Lines are kept apart from a checkpoint's own bytes, put under it in order, and count once."""
    log = Log()
    note = log.note(9)
    kept = Cosignatures.create(tmp_path / "witnessed.db")
    for _ in range(2):
        kept.put(9, SIGNER.key, ask(LISTED, note, log.prove, post_to(witness)))  # type: ignore[arg-type]
    cosigned = kept.cosigned(note, [SIGNER.key])
    assert cosigned.startswith(note)
    assert kept.cosigned(cosigned, [SIGNER.key]) == cosigned
    assert check_quorum(cosigned, policy_of(LISTED, quorum="W1")) == ("W1",)
    with pytest.raises(SignatureError) as missed:
        check_quorum(note, policy_of(LISTED, quorum="W1"))
    assert missed.value.code == "QUORUM"
    kept.close()


def test_the_witness_of_another_checkpoint_is_no_quorum(tmp_path: Path, witness: Witness) -> None:
    """A line taken from another size, or under another name, rejects the checkpoint."""
    log = Log()
    kept = Cosignatures.create(tmp_path / "witnessed.db")
    kept.put(9, SIGNER.key, ask(LISTED, log.note(9), log.prove, post_to(witness)))  # type: ignore[arg-type]
    line: Sequence[str] = kept.lines(9, [SIGNER.key])
    forged = log.note(17) + line[0].encode()
    with pytest.raises(SignatureError) as refused:
        check_quorum(forged, policy_of(LISTED, quorum="W1"))
    assert refused.value.code == "NOTE_SIGNATURE"
    twice = replace(LISTED, name="W2")
    assert check_quorum(kept.cosigned(log.note(9), [SIGNER.key]), policy_of(twice, quorum="W2")) == ("W2",)
    kept.close()
