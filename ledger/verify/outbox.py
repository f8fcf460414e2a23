"""The auditor's own copies against the log: what was handed in and never recorded (record-format.md §4).

A client keeps every statement that it signed, with leaf and receipt. In the directory given by `--outbox` a
file `*.json` holds a statement's exact bytes and a file `*.tlog-proof` a receipt; others are left alone.

Where the bundle withholds a statement as out of scope, its signer's copy alone tells whether the leaf bears
the labels that were signed: a leaf under another tag or site is left out of every narrower bundle unseen.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ledger.checkpoint import Checkpoint
from ledger.errors import FormatError, LedgerError
from ledger.leaf import Leaf
from ledger.proof import MAX_RECEIPT_BYTES, check_receipt
from ledger.statement import MAX_STATEMENT_BYTES, Statement, parse_statement
from ledger.verify.findings import finding
from ledger.verify.options import Options
from ledger.verify.tables import KeyTable
from ledger.verify.tree import Reporter, Roots

STATEMENTS: Final = ".json"
RECEIPTS: Final = ".tlog-proof"


def check_outbox(
    options: Options,
    checkpoint: Checkpoint,
    roots: Roots,
    events: KeyTable,
    leaf_at: Callable[[int], Leaf | None],
    tags: Mapping[str, str],
    report: Reporter,
) -> None:
    """Compare every statement and receipt of the outbox with the events of the log, and with its past.

    `events` is the index of every event, `leaf_at` reads a leaf back, `tags` is the tag of every stream that
    is shown here.
    """
    if options.outbox is None:
        return
    for path in sorted(options.outbox.iterdir()):
        if path.suffix not in (STATEMENTS, RECEIPTS):
            continue
        try:
            kept = _read(path, options)
            head = kept.head
            if head is not None and head.origin != checkpoint.origin:
                raise FormatError("OUTBOX_FORM", "a receipt of another log")
        except LedgerError as error:
            report(finding("OUTBOX_FORM", error.message, file=path.name))
            continue
        if head is not None and head.size <= checkpoint.size and roots.at(head.size) != head.root:
            report(finding("PREVIOUS", "a receipt is of another history", file=path.name))
        found = events.get(bytes.fromhex(kept.event))
        if found is None:
            detail = f"the log does not have the event {kept.event}"
            report(finding("OUTBOX_MISSING", detail, file=path.name))
        elif kept.index is not None and found != kept.index:
            report(finding("OUTBOX_MISSING", "the log has it at another index", index=found, file=path.name))
        elif kept.statement is not None:
            _check_labels(kept.statement, found, leaf_at(found), tags, path.name, report)


def _check_labels(
    statement: Statement,
    index: int,
    leaf: Leaf | None,
    tags: Mapping[str, str],
    file: str,
    report: Reporter,
) -> None:
    """Compare the labels that were signed with the leaf's, and the stream's tag with the one shown here."""
    if leaf is None:
        return  # a leaf without form is a finding of its own
    if (leaf.cls, leaf.site, leaf.stream) != (statement.cls, statement.site or "", statement.tag):
        report(finding("LABELS", "the leaf's labels are not those that were signed", index=index, file=file))
    if tags.get(statement.stream, statement.tag) != statement.tag:
        report(finding("TWO_TAGS", "the stream has another tag in this bundle", index=index, file=file))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kept:
    """What a file is about: an event, with the statement, or the place and head that a receipt promises."""

    event: str
    statement: Statement | None = None
    index: int | None = None
    head: Checkpoint | None = None


def _read(path: Path, options: Options) -> _Kept:
    limit = MAX_STATEMENT_BYTES if path.suffix == STATEMENTS else MAX_RECEIPT_BYTES
    try:
        with path.open("rb") as file:
            data = file.read(limit + 1)
    except OSError as error:
        raise FormatError("OUTBOX_FORM", "the file can't be read") from error
    if path.suffix == STATEMENTS:
        statement = parse_statement(data)
        return _Kept(event=statement.event, statement=statement)
    leaf, head = check_receipt(data, options.policy.log_keys)
    return _Kept(event=leaf.statement, index=leaf.index, head=head)
