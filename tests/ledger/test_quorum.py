"""A quorum that the log asks for: had before a receipt, stops the recording where missed, comes back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ledger.checkpoint import parse_body
from ledger.errors import FrozenError, StoreError
from ledger.note import Ed25519Cosigner, format_vkey, parse_note
from ledger.policy import TrustPolicy, check_quorum, parse_policy
from ledger.witness.asking import Answered
from ledger.witness.gathering import Gathering
from ledger.witness.keeping import Cosignatures
from ledger.witness.store import WitnessStore
from ledger.witness.witness import Witness
from tests.ledger.small_ledger import ORIGIN, SmallLedger, seed
from tests.ledger.test_attacks_writing import BEDSIDE, STREAM, VITALS, register
from tests.ledger.test_witness import Clock
from tests.ledger.write_path import by_root

NAMES = ("w1", "w2", "w3")


class Others:
    """Three witnesses, each of which can be away, behind the addresses of the policy."""

    def __init__(self, place: Path, small: SmallLedger) -> None:
        self.away: set[str] = set()
        self.asked = 0
        self.witnesses = {}
        for name in NAMES:
            store = WitnessStore.create(place / f"{name}.db")
            store.add_log(ORIGIN, small.ledger.signers.verifier_keys)
            signer = Ed25519Cosigner(f"witness.example/{name}", seed(name))
            self.witnesses[name] = Witness(store, signer, Clock())

    @property
    def policy(self) -> str:
        """A policy that asks for two of three."""
        lines = [
            f"witness {name} {format_vkey(witness.signer.key)} http://{name}.example"
            for name, witness in self.witnesses.items()
        ]
        return "\n".join([*lines, f"group two 2 {' '.join(NAMES)}", "quorum two", ""])

    def post(self, url: str, body: bytes) -> Answered:
        """Reach a witness, unless it is away."""
        self.asked += 1
        name = url.removeprefix("http://").partition(".")[0]
        if name in self.away:
            raise StoreError("WITNESS_UNREACHABLE", "away")
        answer = self.witnesses[name].add_checkpoint(body)
        return Answered(status=answer.status, media_type=answer.media_type, body=answer.body)


@pytest.fixture
def others(small: SmallLedger, tmp_path: Path) -> Iterator[Others]:
    """Witnesses, and a ledger that can ask them."""
    others = Others(tmp_path, small)
    kept = Cosignatures.create(tmp_path / "witnessed.db")
    ledger = small.ledger
    ledger.gathering = Gathering(
        ledger.store, kept, others.post, lambda: ledger.fold.authority.witness_policy
    )
    yield others
    for witness in others.witnesses.values():
        witness.store.close()


def ask_for_two(small: SmallLedger, others: Others) -> None:
    """Let the log ask for two of three."""
    by_root(small, "policy.changed", "study", {"witness_policy": others.policy})


def newest(small: SmallLedger) -> bytes:
    """Return the newest checkpoint with what stands under it."""
    note = small.ledger.publish()
    assert note is not None
    return note


def quorate(note: bytes, others: Others) -> TrustPolicy:
    """Require the quorum under a checkpoint."""
    policy = parse_policy(others.policy.encode())
    assert len(check_quorum(note, policy)) >= 2
    return policy


def test_each_receipt_comes_after_the_quorum(small: SmallLedger, others: Others) -> None:
    """Once the log asks for a quorum, it stands under the newest checkpoint before anybody has a receipt."""
    ask_for_two(small, others)
    register(small)
    for witness in others.witnesses.values():
        known = witness.store.newest(ORIGIN)
        assert known is not None
        assert known.size == small.ledger.store.head().size
    quorate(newest(small), others)


def test_one_witness_that_is_away(small: SmallLedger, others: Others) -> None:
    """Two of three are enough."""
    ask_for_two(small, others)
    others.away = {"w2"}
    register(small)
    quorate(newest(small), others)


def test_a_missed_quorum_stops_the_recording(small: SmallLedger, others: Others) -> None:
    """Without it nothing more is recorded, who hands in is told so, and it goes on when they are back."""
    ask_for_two(small, others)
    register(small)
    others.away = {"w1", "w2"}
    with pytest.raises(FrozenError) as missed:
        small.say("vitals", *BEDSIDE, "vital_signs.recorded", STREAM, VITALS)
    assert missed.value.code == "QUORUM"
    assert "w1: WITNESS_UNREACHABLE" in missed.value.message
    size = small.ledger.store.head().size
    with pytest.raises(FrozenError):
        small.say("vitals again", *BEDSIDE, "vital_signs.recorded", STREAM, VITALS)
    assert small.ledger.store.head().size == size
    others.away = set()
    small.say("vitals at last", *BEDSIDE, "vital_signs.recorded", STREAM, VITALS)
    note = newest(small)
    assert parse_body(parse_note(note).text).size == small.ledger.store.head().size
    quorate(note, others)


def test_a_quorum_that_cannot_be_had_is_not_promised(small: SmallLedger, others: Others) -> None:
    """A policy is recorded only once its own quorum stands under the head that it is recorded on."""
    others.away = {"w1", "w3"}
    size = small.ledger.store.head().size
    with pytest.raises(FrozenError) as missed:
        ask_for_two(small, others)
    assert missed.value.code == "QUORUM"
    assert small.ledger.store.head().size == size


def test_the_policy_can_be_changed_when_witnesses_are_gone_for_good(
    small: SmallLedger, others: Others
) -> None:
    """Root can always do without them again, else a log could be stopped from outside for good."""
    ask_for_two(small, others)
    others.away = set(NAMES)
    by_root(small, "policy.changed", "study", {"witness_policy": "quorum none\n"})
    register(small)
    assert parse_body(parse_note(newest(small)).text).size == small.ledger.store.head().size


def test_witnesses_without_a_quorum_are_welcome(small: SmallLedger, others: Others) -> None:
    """Where none is asked for nothing waits, and what they give stands under the checkpoint."""
    text = others.policy.replace("quorum two", "quorum none")
    by_root(small, "policy.changed", "study", {"witness_policy": text})
    others.away = {"w3"}
    register(small)
    lines = [line.name for line in parse_note(newest(small)).signatures]
    assert lines[-2:] == ["witness.example/w1", "witness.example/w2"]


def test_a_checkpoint_is_asked_for_once(small: SmallLedger, others: Others) -> None:
    """A witness that gave its line for a size is not asked again."""
    ask_for_two(small, others)
    register(small)
    newest(small)
    asked = others.asked
    assert newest(small) == newest(small)
    assert others.asked == asked
