"""What a signer's outbox holds, and handing in again what has no receipt yet (record-format.md §4).

    for kept in outbox(keep): kept.event, kept.type, kept.state
    send(client, keep, kept)                       # the same bytes: recorded once, however often (R5)

A statement counts as recorded when its receipt was checked. One that a frozen or unreachable service did not
take stays `waiting` with its signatures and disclosures; the same bytes are handed in, so nothing is signed
here. Where its place in its stream is taken meanwhile it is refused as STALE: the action is signed anew.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from ledger.errors import FormatError, LedgerError
from ledger.signing.client import Client, Keep, QueuedError, Receipt
from ledger.statement import MAX_STATEMENT_BYTES, parse_statement
from ledger.submission import parse_submission
from ledger.verify.outbox import RECEIPTS, STATEMENTS

State = Literal["recorded", "waiting", "unsigned", "queued", "refused"]

REFUSED: Final = ".refused"
SUBMISSION: Final = ".submission"


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """One statement of an outbox.

    Attributes:
        state: `waiting` can be handed in again; `unsigned` is an older outbox's, which kept no signatures.
        code: why it was refused just now, or did not get there.
    """

    event: str
    type: str
    signed_at: str
    state: State
    index: int | None = None
    code: str | None = None


def outbox(place: Path) -> Iterator[Kept]:
    """Yield what a directory of copies holds, or the one statement that a file of it is, as it was signed.

    Raises:
        FormatError: `OUTBOX_FORM`.
    """
    directory = place if place.is_dir() else place.parent
    found = []
    for path in directory.iterdir() if place.is_dir() else (place,):
        if path.suffix in (STATEMENTS, REFUSED):
            found.append(_read(path))
    yield from sorted(found, key=lambda kept: (kept.signed_at, kept.event))


def send(client: Client, keep: Keep, kept: Kept) -> Kept:
    """Hand a waiting statement in again; return what became of it. Nothing else is handed in.

    Raises:
        StoreError: `UNREACHABLE`: nothing is known of any of them.
        ProofError, SignatureError: what the service answered does not hold.
    """
    if kept.state != "waiting":
        return kept
    submission = parse_submission((keep.directory / f"{kept.event}{SUBMISSION}").read_bytes())
    changes: Receipt | LedgerError
    try:
        changes = client.hand_in(submission)
    except QueuedError as error:
        changes = error
    except LedgerError as error:
        if not hasattr(error, "status"):
            raise
        changes = error
    return _became(kept, keep, changes)


def _became(kept: Kept, keep: Keep, outcome: Receipt | LedgerError) -> Kept:
    state: State = "waiting"
    if isinstance(outcome, Receipt):
        state = "recorded"
    elif isinstance(outcome, QueuedError):
        state = "queued"
    elif (keep.directory / f"{kept.event}{REFUSED}").exists():
        state = "refused"
    return Kept(
        event=kept.event,
        type=kept.type,
        signed_at=kept.signed_at,
        state=state,
        index=outcome.index if isinstance(outcome, Receipt) else None,
        code=None if isinstance(outcome, Receipt) else outcome.code,
    )


def _read(path: Path) -> Kept:
    try:
        with path.open("rb") as file:
            statement = parse_statement(file.read(MAX_STATEMENT_BYTES + 1))
    except (OSError, LedgerError) as error:
        raise FormatError("OUTBOX_FORM", f"{path.name} is no statement that was signed") from error
    beside = path.with_name(statement.event)
    state: State = "unsigned"
    if path.suffix == REFUSED:
        state = "refused"
    elif beside.with_suffix(RECEIPTS).exists():
        state = "recorded"
    elif beside.with_suffix(SUBMISSION).exists():
        state = "waiting"
    return Kept(event=statement.event, type=statement.type, signed_at=statement.signed_at, state=state)
