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
from ledger.errors import FrozenError, LedgerError, SignatureError
from ledger.merkle import prove_consistency
from ledger.note import parse_note
from ledger.policy import TrustPolicy, Witness, check_quorum, parse_policy
from ledger.store.port import Store
from ledger.tiles import TileHashes
from ledger.witness.asking import Post, ask
from ledger.witness.keeping import Cosignatures


@dataclass(frozen=True, slots=True, kw_only=True)
class Missed:
    """A witness that gave no line, or an authority that gave no stamp, and the code of why."""

    name: str
    code: str


class Gathering:
    """Asks the witnesses of a policy; one object for each open ledger."""

    def __init__(
        self, store: Store, kept: Cosignatures, post: Post, policy_text: Callable[[], str | None]
    ) -> None:
        """`policy_text` returns the `witness_policy` in force, None where the log names none."""
        self.kept = kept
        self.missed: tuple[Missed, ...] = ()
        self.stamper: Callable[[bytes], bytes] | None = None
        self._store = store
        self._post = post
        self._policy_text = policy_text
        self._parsed: tuple[str, TrustPolicy] | None = None
        self._known: dict[str, int] = {}
        self._met = 0

    @property
    def policy(self) -> TrustPolicy | None:
        """The policy in force."""
        text = self._policy_text()
        if text is None:
            return None
        if self._parsed is None or self._parsed[0] != text:
            self._parsed, self._met = (text, parse_policy(text.encode())), 0
        return self._parsed[1]

    def is_met(self, size: int) -> bool:
        """Tell whether nothing has to be asked for a tree of this size."""
        policy = self.policy
        return policy is None or policy.quorum is None or (0 < size <= self._met)

    def cosigned(self, note: bytes, policy: TrustPolicy | None = None) -> bytes:
        """Ask those who have not cosigned this checkpoint; return it with every line that there is."""
        policy = policy or self.policy
        if policy is None or not policy.witnesses:
            return note
        size = parse_body(parse_note(note).text).size
        keys = [each.key for each in policy.witnesses]
        missing = [each for each in policy.witnesses if not self.kept.lines(size, [each.key])]
        if missing:
            with ThreadPoolExecutor(max_workers=len(missing)) as pool:
                missed = pool.map(lambda witness: self._ask(witness, note, size), missing)
                self.missed = tuple(each for each in missed if each is not None)
        return self.kept.cosigned(note, keys)

    def require(self, note: bytes, policy: TrustPolicy | None = None) -> None:
        """Ask until the quorum stands under a checkpoint, that of the policy in force or of another.

        Raises:
            FrozenError: `QUORUM`, with the witnesses that gave no line and why.
        """
        asked = policy or self.policy
        if asked is None or asked.quorum is None:
            return
        try:
            check_quorum(self.cosigned(note, asked), asked)
        except SignatureError as error:
            names = ", ".join(f"{each.name}: {each.code}" for each in self.missed)
            raise FrozenError("QUORUM", f"the quorum of witnesses is missed ({names})") from error
        if policy is None:
            self._met = parse_body(parse_note(note).text).size

    def beside(self, note: bytes) -> dict[str, bytes]:
        """Return what an export holds beside a checkpoint: its time stamp, and proofs of forks (§9).

        A stamp is asked for where an authority is named; one that is not to be had is `missed`.
        """
        files = {f"forks/{sha256}": fork for sha256, fork in self.kept.forks().items()}
        size = parse_body(parse_note(note).text).size
        response = self.kept.stamp(size)
        if response is None and self.stamper is not None:
            try:
                response = self.stamper(note)
                self.kept.put_stamp(size, response)
            except LedgerError as error:
                self.missed = (*self.missed, Missed(name="time stamp", code=error.code))
        return files if response is None else {**files, "checkpoint.tsr": response}

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
