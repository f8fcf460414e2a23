"""What one position of the log tells by itself: leaf, statement, form of its data, signatures (§10).

Nothing here depends on the entries before it but for the keys that they enrolled, so positions can be
examined in any order and in other processes (`workers`). What depends on the order is judged in `integrity`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

from ledger.actions import parse_action
from ledger.authorisation import check_signature_set, signers
from ledger.authority import INITIAL, Authority, EnrolledKey
from ledger.envelope import event_hash, pae
from ledger.errors import FormatError, LedgerError
from ledger.frozen import made
from ledger.keys import check_signature
from ledger.leaf import Leaf, parse_leaf
from ledger.problem import Problem
from ledger.statement import Statement, parse_statement
from ledger.tiles import payload_path
from ledger.verify.bundle import Bundle
from ledger.verify.findings import finding
from ledger.verify.references import references
from ledger.verify.rows import Place, Read, Right, Row, Rows, holds, read_all
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


Found = Right | Examined | Problem
"""What examining a position gave; a problem where the leaf has no form."""


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


def tell_all(
    start: int, leaves: Sequence[bytes], payloads: Sequence[bytes | None], authority: Authority, rows: Rows
) -> list[tuple[Read, Row] | Examined | Problem]:
    """Examine positions from an index on: first everything is read, then the signatures are checked.

    Reading and checking by turns would put what each of them works with out of the processor's reach.
    """
    return [
        (each, rows.row(each))
        if each is not None and holds(each, authority)
        else examine(start + at, leaves[at], payloads[at], authority)
        for at, each in enumerate(read_all(start, leaves, payloads))
    ]


def examine_all(
    start: int, leaves: Sequence[bytes], payloads: Sequence[bytes | None], authority: Authority
) -> list[Found]:
    """Examine positions from an index on."""
    rows = Rows()
    told = tell_all(start, leaves, payloads, authority, rows)
    questions, places = list(rows.questions), [Place(*each) for each in rows.places]
    return [
        each
        if isinstance(each, Examined | Problem)
        else Right(index, each[1], questions[each[1][-2]], places[each[1][-1]], (*each[0][:2], payload))
        for index, (each, payload) in enumerate(zip(told, payloads, strict=True), start)
    ]


def examine(index: int, leaf_bytes: bytes, payload: bytes | None, authority: Authority) -> Examined | Problem:
    """Examine one position, of any form, under the keys that are known; a problem where the leaf has no form.

    A key id names its key for ever, so what holds under it now holds at the entry's index too; whether the
    key may sign there is judged there. Where a key is not known yet, signatures are left unchecked.
    """
    try:
        leaf = parse_leaf(leaf_bytes)
    except LedgerError as error:
        return _problem(error)
    return _examine(index, leaf, payload, authority)


def examined(right: Right) -> Examined:
    """Return what `examine` says of a position in which nothing is wrong by itself."""
    entry = right.entry
    parsed = made(ParsedEntry, (right.index, entry.leaf, entry.statement, None, True))
    return Examined(parsed, None, right.row[8], True, None)


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


def check_set(authority: Authority, statement: Statement, leaf: Leaf) -> LedgerError | None:
    """Check the whole signature set; return what is wrong with it."""
    message = pae(statement.body)
    try:
        check_signature_set(statement, leaf)
        for key, sig in zip(signers(authority, statement), leaf.sigs, strict=True):
            check_signature(key, message, statement.event, sig)
    except LedgerError as error:
        return error
    return None


def _problem(error: LedgerError) -> Problem:
    return Problem(code=error.code, message=error.message, field=error.field)
