"""Gather cosignatures of the newest checkpoint, and say whether they are the quorum that the log itself
asks for.

Which witnesses there are, where, and how many are enough is `witness_policy` of `policy.changed`: root
m-of-n sign it, and it counts from its index (record-format.md §5, §11). Witnesses are asked side by side,
each for a checkpoint that it has not cosigned yet. Without a quorum in the policy what they give is welcome
and nothing waits; with one a missed quorum stops the recording (`QUORUM`).
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from ledger.checkpoint import parse_body
from ledger.errors import LedgerError, StoreError
from ledger.merkle import prove_consistency
from ledger.note import parse_note
from ledger.policy import TrustPolicy, Witness, check_quorum
from ledger.store.port import Store
from ledger.tiles import TileHashes
from ledger.witness.asking import Post, ask
from ledger.witness.keeping import Cosignatures


@dataclass(frozen=True, slots=True, kw_only=True)
class Missed:
    """A witness that gave no line, and the code of why."""

    name: str
    code: str


class Gathering:
    """Asks the witnesses of a policy; one object for each open ledger."""

    def __init__(
        self, store: Store, kept: Cosignatures, post: Post, policy: Callable[[], TrustPolicy | None]
    ) -> None:
        """`policy` returns the policy in force, None where the log names none."""
        self.kept = kept
        self.missed: tuple[Missed, ...] = ()
        self._store = store
        self._post = post
        self._policy = policy
        self._known: dict[str, int] = {}

    def cosigned(self, note: bytes) -> bytes:
        """Ask those who have not cosigned this checkpoint; return it with every line that there is."""
        policy = self._policy()
        if policy is None or not policy.witnesses:
            return note
        size = parse_body(parse_note(note).text).size
        there = self.kept.lines(size, [each.key for each in policy.witnesses])
        missing = [each for each in policy.witnesses if not any(_is_of(each, line) for line in there)]
        if missing:
            with ThreadPoolExecutor(max_workers=len(missing)) as pool:
                missed = pool.map(lambda witness: self._ask(witness, note, size), missing)
                self.missed = tuple(each for each in missed if each is not None)
        return self.kept.cosigned(note, [each.key for each in policy.witnesses])

    def require(self, note: bytes) -> bytes:
        """Return the cosigned checkpoint, once the quorum that the log asks for stands under it.

        Raises:
            StoreError: `QUORUM`.
        """
        cosigned = self.cosigned(note)
        policy = self._policy()
        if policy is None or policy.quorum is None:
            return cosigned
        try:
            check_quorum(cosigned, policy)
        except LedgerError as error:
            names = ", ".join(f"{each.name} {each.code}" for each in self.missed)
            raise StoreError(
                "QUORUM", f"the quorum of witnesses was missed: {names or error.message}"
            ) from error
        return cosigned

    @property
    def requires(self) -> bool:
        """Whether the policy in force asks for a quorum."""
        policy = self._policy()
        return policy is not None and policy.quorum is not None

    def _ask(self, witness: Witness, note: bytes, size: int) -> Missed | None:
        hashes = TileHashes(self._store.tile_hashes)
        try:
            line = ask(
                witness,
                note,
                lambda old, new: prove_consistency(old, new, hashes),
                self._post,
                known=min(self._known.get(witness.name, 0), size),
            )
            self.kept.put(size, witness.key, line)
        except LedgerError as error:
            return Missed(name=witness.name, code=error.code)
        self._known[witness.name] = size
        return None


def _is_of(witness: Witness, line: str) -> bool:
    return line.startswith(f"— {witness.key.name} ")
