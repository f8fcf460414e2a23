"""The auditor's own copies against the log: what was handed in and never recorded (record-format.md §4).

A client keeps every statement that it signed, with leaf and receipt. In the directory given by `--outbox` a
file `*.json` holds a statement's exact bytes and a file `*.tlog-proof` a receipt; others are left alone.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from ledger.checkpoint import Checkpoint
from ledger.errors import FormatError, LedgerError
from ledger.proof import MAX_RECEIPT_BYTES, check_receipt
from ledger.statement import MAX_STATEMENT_BYTES, parse_statement
from ledger.verify.findings import finding
from ledger.verify.options import Options
from ledger.verify.tables import KeyTable
from ledger.verify.tree import Reporter, Roots

STATEMENTS: Final = ".json"
RECEIPTS: Final = ".tlog-proof"


def check_outbox(
    options: Options, checkpoint: Checkpoint, roots: Roots, events: KeyTable, report: Reporter
) -> None:
    """Compare every statement and receipt of the outbox with the events of the log, and with its past."""
    if options.outbox is None:
        return
    for path in sorted(options.outbox.iterdir()):
        if path.suffix not in (STATEMENTS, RECEIPTS):
            continue
        try:
            event, index, head = _event(path, options)
            if head is not None and head.origin != checkpoint.origin:
                raise FormatError("OUTBOX_FORM", "a receipt of another log")
        except LedgerError as error:
            report(finding("OUTBOX_FORM", error.message, file=path.name))
            continue
        if head is not None and head.size <= checkpoint.size and roots.at(head.size) != head.root:
            report(finding("PREVIOUS", "a receipt is of another history", file=path.name))
        found = events.get(bytes.fromhex(event))
        if found is None:
            report(finding("OUTBOX_MISSING", f"the log does not have the event {event}", file=path.name))
        elif index is not None and found != index:
            report(finding("OUTBOX_MISSING", "the log has it at another index", index=found, file=path.name))


def _event(path: Path, options: Options) -> tuple[str, int | None, Checkpoint | None]:
    """Return the event that a file is about, and the index and the head that a receipt promises."""
    limit = MAX_STATEMENT_BYTES if path.suffix == STATEMENTS else MAX_RECEIPT_BYTES
    try:
        with path.open("rb") as file:
            data = file.read(limit + 1)
    except OSError as error:
        raise FormatError("OUTBOX_FORM", "the file can't be read") from error
    if path.suffix == STATEMENTS:
        return parse_statement(data).event, None, None
    leaf, head = check_receipt(data, options.policy.log_keys)
    return leaf.statement, leaf.index, head
