"""A witness: it cosigns a log's checkpoint when it continues the one that it cosigned before, and no other.

    answer = witness.add_checkpoint(body)       # body of the request; status, media type, body of the answer

One request is judged in the order of c2sp.org/tlog-witness: form (400), origin (404), the log's signatures
(403), old size (409 with the size that is known), consistency (422; 409 for another root of the same size).
What a log signed and what does not fit is kept as evidence and never cosigned. The new tree is durable
before the cosignature leaves.

Left out on purpose: HTTP, which is `api.witnessing`'s, and mirroring: a witness keeps one checkpoint of a
log.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import Final

from ledger.checkpoint import Checkpoint, check_lines
from ledger.errors import FormatError, LedgerError, ProofError
from ledger.merkle import EMPTY_ROOT, check_consistency
from ledger.note import ED25519, Ed25519Cosigner, format_note, format_signature, parse_note
from ledger.note import Note as ParsedNote
from ledger.proof import ConsistencyProof, parse_add_checkpoint
from ledger.sources import Sources
from ledger.witness.store import Cosigned, Evidence, WitnessStore, newest_of, put_newest

MAX_REQUEST_BYTES: Final = 1_100_000
SIZE_TYPE: Final = "text/x.tlog.size"
TEXT_TYPE: Final = "text/plain; charset=utf-8"

_FORBIDDEN: Final = ("LOG_UNKNOWN", "NOTE_SIGNATURE", "NOTE_UNSIGNED", "LOG_SIGNATURE")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a request is answered."""

    status: int
    body: str
    media_type: str = TEXT_TYPE


class Witness:
    """Cosigns for the logs in its store; one key, one name."""

    def __init__(self, store: WitnessStore, signer: Ed25519Cosigner, sources: Sources) -> None:
        self.store = store
        self.signer = signer
        self._sources = sources

    def add_checkpoint(self, request: bytes) -> Answer:
        """Judge one request, and cosign where everything fits.

        Raises:
            StoreError: the memory can't be read or written; nothing was cosigned then.
        """
        if len(request) > MAX_REQUEST_BYTES:
            return _refused(413, f"expected at most {MAX_REQUEST_BYTES} bytes")
        try:
            parsed = parse_add_checkpoint(request)
            note = parse_note(parsed.note)
        except FormatError as error:
            return _refused(400, error.message)
        keys = self.store.logs().get(note.text.partition("\n")[0])
        if keys is None:
            return _refused(404, "expected the origin of a log that this witness knows")
        try:
            checkpoint, signatures = check_lines(parsed.note, keys)
        except LedgerError as error:
            return _refused(403 if error.code in _FORBIDDEN else 400, error.message)
        if not any(signature.key.algorithm == ED25519 for signature in signatures):
            return _refused(403, "expected an Ed25519 line of the log")
        return self._continue(request, parsed, note, checkpoint)

    def _continue(
        self, request: bytes, parsed: ConsistencyProof, note: ParsedNote, checkpoint: Checkpoint
    ) -> Answer:
        """Compare with what was cosigned, and record what is cosigned now, in one transaction."""
        if parsed.old_size > checkpoint.size:
            return _refused(400, "expected an old size up to the checkpoint's")
        with self.store.writing() as connection:
            answer = self._judge(connection, parsed, note, checkpoint)
        if answer.status in (409, 422) and not _is_only_stale(
            answer, self.store.newest(checkpoint.origin), checkpoint
        ):
            self.store.keep_evidence(
                Evidence(
                    origin=checkpoint.origin,
                    time_s=self._now_s(),
                    status=answer.status,
                    head=note.text,
                    request=request,
                )
            )
        return answer

    def _judge(
        self,
        connection: sqlite3.Connection,
        parsed: ConsistencyProof,
        note: ParsedNote,
        checkpoint: Checkpoint,
    ) -> Answer:
        known = newest_of(connection, checkpoint.origin)
        size, root = (known.size, known.root) if known else (0, EMPTY_ROOT)
        if parsed.old_size != size:
            return _size(size)
        if checkpoint.size == size and checkpoint.root != root:
            return _size(size)
        try:
            check_consistency(size, root, checkpoint.size, checkpoint.root, parsed.proof)
        except ProofError as error:
            return _refused(422, error.message)
        now_s = self._now_s()
        if known is not None and now_s < known.time_s:
            return _refused(503, "the clock of this witness is behind its own last cosignature")
        line = self.signer.sign(note.text, now_s)
        cosigned = format_note(ParsedNote(text=note.text, signatures=(*note.signatures, line)))
        put_newest(
            connection,
            checkpoint.origin,
            Cosigned(size=checkpoint.size, root=checkpoint.root, time_s=now_s, note=cosigned),
        )
        return Answer(status=200, body=format_signature(line))

    def _now_s(self) -> int:
        return self._sources.now_us() // 1_000_000


def _is_only_stale(answer: Answer, known: Cosigned | None, checkpoint: Checkpoint) -> bool:
    """Tell a client that is late from a log that signed two trees of one size."""
    return answer.status == 409 and not (
        known is not None and known.size == checkpoint.size and known.root != checkpoint.root
    )


def _size(size: int) -> Answer:
    return Answer(status=409, body=f"{size}\n", media_type=SIZE_TYPE)


def _refused(status: int, why: str) -> Answer:
    return Answer(status=status, body=f"{why}\n")
