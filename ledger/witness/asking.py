"""Ask witnesses to cosign a published checkpoint (c2sp.org/tlog-witness, "add-checkpoint").

    given = ask(witness, note, prove, post)

The witness says which size it cosigned last; the proof goes from there. Its answer counts only where its
own key's line holds over this very checkpoint. A witness that cosigned a larger tree than this log has is
the plainest sign of a log that was put back (`WITNESS_AHEAD`); one that has another root (`WITNESS_FORK`)
of a fork.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from ledger.checkpoint import parse_body
from ledger.errors import FormatError, LedgerError, SignatureError, StoreError
from ledger.lines import parse_decimal
from ledger.note import NoteSignature, check_signature, parse_note
from ledger.policy import Witness
from ledger.proof import add_checkpoint_body
from ledger.witness.witness import SIZE_TYPE

TIMEOUT_S: Final = 5.0
MAX_ANSWER_BYTES: Final = 100_000
_TRIES: Final = (
    3  # the first names no size, the second the one that was answered; another process may be between
)

Prove = Callable[[int, int], Sequence[bytes]]
"""(old size, new size) -> hashes of the consistency proof."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """Status, media type and body of an answer."""

    status: int
    media_type: str
    body: str


class Post(Protocol):
    """Sends a request body to an address."""

    def __call__(self, url: str, body: bytes) -> Answered:
        """Return the answer.

        Raises:
            StoreError: `WITNESS_UNREACHABLE`.
        """
        ...


def ask(witness: Witness, note: bytes, prove: Prove, post: Post, *, known: int = 0) -> NoteSignature:
    """Return a witness's line over a checkpoint; `known` is the size that it is thought to know.

    Raises:
        StoreError: `WITNESS_UNREACHABLE`, `WITNESS_REFUSED`, `WITNESS_AHEAD` when it cosigned a larger
            tree of this origin, `WITNESS_FORK` when it cosigned another tree of this size.
        SignatureError: `WITNESS_LINE` when its answer is not its own cosignature of this checkpoint.
    """
    if witness.url is None:
        raise StoreError("WITNESS_UNREACHABLE", f"the policy has no address of {witness.name}")
    size = parse_body(parse_note(note).text).size
    old = known
    for _ in range(_TRIES):
        answer = post(
            f"{witness.url.rstrip('/')}/add-checkpoint", add_checkpoint_body(old, prove(old, size), note)
        )
        if answer.status == 200:
            return _line(witness, note, answer.body)
        if answer.status != 409:
            raise StoreError("WITNESS_REFUSED", f"{witness.name} answered {answer.status}")
        named = _size(witness, answer)
        if named > size:
            raise StoreError("WITNESS_AHEAD", f"{witness.name} cosigned {named} entries, this log has {size}")
        if named == old:
            raise StoreError("WITNESS_FORK", f"{witness.name} cosigned another tree of {size} entries")
        old = named
    raise StoreError("WITNESS_REFUSED", f"{witness.name} names another size each time")


def _size(witness: Witness, answer: Answered) -> int:
    if answer.media_type.partition(";")[0].strip() != SIZE_TYPE:
        raise StoreError("WITNESS_REFUSED", f"{witness.name} answered 409 without a size")
    try:
        return parse_decimal(answer.body.removesuffix("\n"), what="the size", code="WITNESS_REFUSED")
    except FormatError as error:
        raise StoreError("WITNESS_REFUSED", f"{witness.name} answered 409 without a size") from error


def _line(witness: Witness, note: bytes, answer: str) -> NoteSignature:
    """Find the witness's own line; lines of other keys are ignored."""
    text = parse_note(note).text
    try:
        lines = parse_note(f"{text}\n{answer}".encode()).signatures
    except LedgerError as error:
        raise SignatureError("WITNESS_LINE", f"{witness.name} answered no signature lines") from error
    key = witness.key
    own = [line for line in lines if (line.name, line.id) == (key.name, key.id)]
    if len(own) != 1:
        raise SignatureError("WITNESS_LINE", f"expected one line of {witness.name}, got {len(own)}")
    try:
        checked = check_signature(key, text, own[0].signature)
    except SignatureError as error:
        raise SignatureError("WITNESS_LINE", f"the line of {witness.name} does not hold") from error
    if not checked.time_s:
        raise SignatureError("WITNESS_LINE", f"the line of {witness.name} is as of no time")
    return own[0]


class HttpPost:
    """Posts over HTTP: no redirects, no proxy of the environment, a bounded answer."""

    def __init__(self, timeout_s: float = TIMEOUT_S) -> None:
        self._timeout_s = timeout_s

    def __call__(self, url: str, body: bytes) -> Answered:
        """Send, and read at most `MAX_ANSWER_BYTES`."""
        import httpx2  # a tenth of a second, which only who has witnesses pays

        try:
            with (
                httpx2.Client(timeout=self._timeout_s, follow_redirects=False, trust_env=False) as client,
                client.stream("POST", url, content=body) as response,
            ):
                read = b""
                for part in response.iter_bytes():
                    read += part
                    if len(read) > MAX_ANSWER_BYTES:
                        raise StoreError("WITNESS_REFUSED", "the witness's answer is too long")
        except httpx2.HTTPError as error:
            raise StoreError(
                "WITNESS_UNREACHABLE", f"the witness can't be reached: {type(error).__name__}"
            ) from error
        except (httpx2.InvalidURL, UnicodeError) as error:
            raise StoreError("WITNESS_UNREACHABLE", "the witness's address is no URL") from error
        return Answered(
            status=response.status_code,
            media_type=response.headers.get("content-type", ""),
            body=read.decode("utf-8", "replace"),
        )
