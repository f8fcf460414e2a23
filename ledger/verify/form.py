"""What one position of the log tells by itself: leaf, statement, form of its data, signatures (§10).

Nothing here depends on the entries before it but for the keys that they enrolled, so positions can be
examined in any order and in other processes (`workers`). What depends on the order is judged in `integrity`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from hashlib import sha256
from typing import Any, Final, NamedTuple, get_args

from ledger.actions import parse_action
from ledger.actions.fields import EventRef
from ledger.actions.registry import Action
from ledger.actions.shapes import hints_of, optional
from ledger.authorisation import check_signature_set, signers
from ledger.authority import INITIAL, Authority, EnrolledKey
from ledger.envelope import event_hash, pae
from ledger.errors import FormatError, LedgerError
from ledger.frozen import made
from ledger.keys import check_signature
from ledger.leaf import Leaf, parse_leaf
from ledger.problem import Problem
from ledger.statement import MAX_STATEMENT_BYTES, Statement, parse_statement, read_plain
from ledger.tiles import payload_path
from ledger.verify.bundle import Bundle
from ledger.verify.findings import finding
from ledger.verify.tree import TILE_WIDTH, Reporter

MAX_PAYLOADS_BYTES: Final = TILE_WIDTH * (32_768 + 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedEntry:
    """One position of the log, parsed as far as its form allows.

    `error` says why there is no statement although one is shown; `shown` is False for an empty line.
    """

    index: int
    leaf: Leaf
    statement: Statement | None
    error: LedgerError | None
    shown: bool


class Examined(NamedTuple):
    """One position, examined by itself.

    Attributes:
        misformed: why the statement's data have no form; None where they have, or no statement is there.
        names: member and event hash of every earlier statement that the data name.
        checked: the signature set was checked; False where the log does not know a key of it yet.
        unsigned: what is wrong with the signature set.
    """

    parsed: ParsedEntry
    misformed: Problem | None
    names: tuple[tuple[str, str], ...]
    checked: bool
    unsigned: Problem | None

    @property
    def formed(self) -> bool:
        """Tell whether there is a statement whose data have the form of their type."""
        return self.parsed.statement is not None and self.misformed is None


def read_payloads(bundle: Bundle, number: int, width: int, report: Reporter) -> list[bytes | None]:
    """Read the statements of one payload file: exact bytes, b"" for an empty line, None if unreadable."""
    path = payload_path(number, width)
    start = number * TILE_WIDTH
    try:
        data = bundle.read(path, max_bytes=MAX_PAYLOADS_BYTES)
    except FormatError as error:
        report(finding(error.code, error.message, index=start, file=path))
        return [None] * width
    lines: list[bytes | None] = list(data.split(b"\n"))
    if lines.pop() or len(lines) != width:
        report(finding("PAYLOAD_LINES", f"expected {width} lines, each with LF", index=start, file=path))
        return [*lines, *[None] * width][:width]
    return lines


def parse_entry(index: int, leaf_bytes: bytes, payload: bytes | None) -> ParsedEntry:
    """Parse one position: its leaf, and its statement if one is shown and the leaf commits to it.

    Raises:
        FormatError: when the leaf has no form to go on with.
    """
    return _parse(index, parse_leaf(leaf_bytes), payload)


def _parse(index: int, leaf: Leaf, payload: bytes | None) -> ParsedEntry:
    statement: Statement | None = None
    error: LedgerError | None = None
    if payload is None:
        error = FormatError("PAYLOAD_LINES", "the statement can't be read")
    elif payload and event_hash(payload) != leaf.statement:
        error = FormatError("STATEMENT_HASH", "the leaf commits to another statement")
    elif payload:
        try:
            statement = parse_statement(payload, leaf.statement)
        except LedgerError as caught:
            error = caught
    return ParsedEntry(index=index, leaf=leaf, statement=statement, error=error, shown=payload != b"")


def knowing(keys: Mapping[str, EnrolledKey]) -> Authority:
    """Return an authority that knows keys and nothing else: all that signatures are checked by."""
    return replace(INITIAL, keys=keys)


def examine_all(
    start: int, leaves: Sequence[bytes], payloads: Sequence[bytes | None], authority: Authority
) -> list[Examined | Problem]:
    """Examine positions from an index on: first everything is read, then the signatures are checked.

    Reading and checking by turns would put what each of them works with out of the processor's reach.
    """
    read = [
        _read_plain(index, leaf, payload)
        for index, (leaf, payload) in enumerate(zip(leaves, payloads, strict=True), start)
    ]
    return [
        examine(start + at, leaves[at], payloads[at], authority)
        if plain is None
        else _check(plain, authority)
        for at, plain in enumerate(read)
    ]


def examine(index: int, leaf_bytes: bytes, payload: bytes | None, authority: Authority) -> Examined | Problem:
    """Examine one position under the keys that are known; a problem where the leaf has no form.

    A key id names its key for ever, so what holds under it now holds at the entry's index too; whether the
    key may sign there is judged there. Where a key is not known yet, signatures are left unchecked.
    """
    plain = _read_plain(index, leaf_bytes, payload)
    if plain is not None:
        return _check(plain, authority)
    try:
        leaf = parse_leaf(leaf_bytes)
    except LedgerError as error:
        return _problem(error)
    return _examine(index, leaf, payload, authority)


class _Plain(NamedTuple):
    """A position that was read, in which all is right but what its signatures will tell; `signed` is PAE."""

    leaf: Leaf
    statement: Statement
    parsed: ParsedEntry
    names: tuple[tuple[str, str], ...]
    signed: bytes


def _read_plain(index: int, leaf_bytes: bytes, payload: bytes | None) -> _Plain | None:
    """Read a position in which all is right, as nearly always; None where something is not, or may not be.

    What was read as a type whose data have one shape only has that shape (`Kind.closed`), so it is not gone
    through a second time.
    """
    if not payload or len(payload) > MAX_STATEMENT_BYTES:
        return None
    signed = pae(payload)
    try:
        leaf = parse_leaf(leaf_bytes)
        if sha256(signed).hexdigest() != leaf.statement:
            return None
        statement = read_plain(payload, leaf.statement, shaped=True)
        if statement is None:
            return None
        action = parse_action(statement)
    except LedgerError:
        return None
    if not action.spec.data.closed:
        return None
    names = tuple(references(action)) if _reference_members(type(action)) else ()
    parsed = made(ParsedEntry, (index, leaf, statement, None, True))
    return _Plain(leaf, statement, parsed, names, signed)


def _check(plain: _Plain, authority: Authority) -> Examined:
    """Check the signatures of a position that was read."""
    leaf, statement, parsed, names, signed = plain
    checked = all(sig.key in authority.keys for sig in leaf.sigs)
    unsigned = check_set(authority, statement, leaf, signed) if checked else None
    return Examined(parsed, None, names, checked, None if unsigned is None else _problem(unsigned))


def _examine(index: int, leaf: Leaf, payload: bytes | None, authority: Authority) -> Examined:
    """Examine any position, and say what is wrong."""
    parsed = _parse(index, leaf, payload)
    statement = parsed.statement
    if statement is None:
        return Examined(parsed=parsed, misformed=None, names=(), checked=False, unsigned=None)
    misformed: Problem | None = None
    names: tuple[tuple[str, str], ...] = ()
    try:
        names = tuple(references(parse_action(statement)))
    except LedgerError as error:
        misformed = _problem(error)
    checked = all(sig.key in authority.keys for sig in parsed.leaf.sigs)
    unsigned = check_set(authority, statement, parsed.leaf) if checked else None
    return Examined(
        parsed=parsed,
        misformed=misformed,
        names=names,
        checked=checked,
        unsigned=None if unsigned is None else _problem(unsigned),
    )


def references(action: Action) -> Iterator[tuple[str, str]]:
    """Yield the name and value of every member of an action that names an event."""
    for name, many in _reference_members(type(action)):
        value = getattr(action, name)
        if value is None:
            continue
        for event in value if many else (value,):
            yield name.rstrip("_"), event


@cache
def _reference_members(cls: type[Action]) -> tuple[tuple[str, bool], ...]:
    members = []
    for name, hint in hints_of(cls).items():
        plain = optional(hint) or hint
        if plain == EventRef:
            members.append((name, False))
        elif _holds_references(plain):
            members.append((name, True))
    return tuple(members)


def _holds_references(hint: Any) -> bool:
    return any(arg == EventRef or _holds_references(arg) for arg in get_args(hint))


def check_set(
    authority: Authority, statement: Statement, leaf: Leaf, signed: bytes | None = None
) -> LedgerError | None:
    """Check the whole signature set; return what is wrong with it.

    `signed` is what the statement's signatures are over, where it is at hand.
    """
    message = pae(statement.body) if signed is None else signed
    try:
        check_signature_set(statement, leaf)
        for key, sig in zip(signers(authority, statement), leaf.sigs, strict=True):
            check_signature(key, message, statement.event, sig)
    except LedgerError as error:
        return error
    return None


def _problem(error: LedgerError) -> Problem:
    return Problem(code=error.code, message=error.message, field=error.field)
