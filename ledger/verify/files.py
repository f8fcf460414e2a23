"""Exactly the files of §9: what must be there, what may be, and the attachments that statements name."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from typing import Final

from ledger.attachments import MAX_ATTACHMENT_BYTES, attachments
from ledger.checkpoint import Checkpoint, check_head
from ledger.errors import FormatError, LedgerError
from ledger.merkle import check_consistency
from ledger.note import MAX_NOTE_BYTES, VerifierKey
from ledger.proof import parse_add_checkpoint
from ledger.statement import Statement
from ledger.tiles import entries_path, payload_path, tile_path, tiles_for
from ledger.verify.bundle import Bundle
from ledger.verify.findings import finding
from ledger.verify.tree import Reporter, Roots, chunks

MAX_CONSISTENCY_BYTES: Final = 1_100_000
FIXED: Final = ("checkpoint", "disclosures.jsonl", "withheld.jsonl", "streams.json", "scope.json")
CONVENIENCES: Final = ("VERIFY.md", "verify.html")
STAMP: Final = "checkpoint.tsr"

_ATTACHMENT = re.compile(r"attachments/([0-9a-f]{64})")
_CONSISTENCY = re.compile(r"consistency/([1-9][0-9]{0,15})")
_NAMES: Final = b'"media_type":'
_UNJUDGED: Final = ("shown/",)
_FORK = re.compile(r"forks/([0-9a-f]{64})")


def check_names(bundle: Bundle, size: int, report: Reporter) -> None:
    """Compare the bundle's names with those that a log of this size must and may have.

    Missing tiles, entry bundles and payloads are reported where they are read.
    """
    names = set(bundle.names())
    for name in FIXED:
        if name not in names:
            report(finding("FILE_MISSING", "a file that the bundle must have is missing", file=name))
    expected = {*FIXED, *CONVENIENCES, STAMP}
    expected.update(tile_path(level, number, width) for level, number, width in tiles_for(size))
    for number, width in chunks(size):
        expected.add(entries_path(number, width))
        expected.add(payload_path(number, width))
    for name in sorted(names - expected):
        if _ATTACHMENT.fullmatch(name):
            continue
        if _FORK.fullmatch(name):
            continue
        old = _CONSISTENCY.fullmatch(name)
        if old is not None and int(old[1]) <= size:
            continue
        if name.startswith(_UNJUDGED):
            report(finding("FILE_UNJUDGED", "this version does not judge such a file", file=name))
        else:
            report(finding("FILE_EXTRA", "a file that the bundle must not have", file=name))
    for name in names.intersection((*CONVENIENCES, STAMP)):
        _check_readable(bundle, name, report)


def _check_readable(bundle: Bundle, name: str, report: Reporter) -> None:
    """Read a file whose content is not judged, so that a zip's checksum of it is."""
    try:
        bundle.read(name, max_bytes=MAX_ATTACHMENT_BYTES)
    except FormatError as error:
        report(finding(error.code, error.message, file=name))


def check_proofs(bundle: Bundle, checkpoint: Checkpoint, note: bytes, roots: Roots, report: Reporter) -> None:
    """Check every `consistency/<old size>` against the root that the leaves themselves give."""
    for name in bundle.names():
        match = _CONSISTENCY.fullmatch(name)
        if match is None or int(match[1]) > checkpoint.size:
            continue
        size = int(match[1])
        try:
            proof = parse_add_checkpoint(bundle.read(name, max_bytes=MAX_CONSISTENCY_BYTES))
            if proof.old_size != size or proof.note != note:
                raise FormatError("CONSISTENCY", "the proof is for another size or checkpoint")
            check_consistency(size, roots.at(size), checkpoint.size, checkpoint.root, proof.proof)
        except LedgerError as error:
            report(finding("CONSISTENCY", error.message, file=name))


def check_forks(bundle: Bundle, log_keys: Sequence[VerifierKey], roots: Roots, report: Reporter) -> None:
    """Judge every note that is kept as proof that the log signed another history (§5, §9).

    Each is named by its SHA-256 and holds the log's own signature over another root of a size that this log
    has. That somebody kept it is in order; what it proves speaks against the log.
    """
    for name in bundle.names():
        match = _FORK.fullmatch(name)
        if match is None:
            continue
        try:
            note = bundle.read(name, max_bytes=MAX_NOTE_BYTES)
            other = check_head(note, log_keys)
        except LedgerError as error:
            report(finding("FORK_UNFOUNDED", error.message, file=name))
            continue
        if hashlib.sha256(note).hexdigest() != match[1]:
            report(finding("FORK_UNFOUNDED", "expected the note of this hash", file=name))
        elif other.size > roots.size or roots.at(other.size) == other.root:
            report(finding("FORK_UNFOUNDED", "the note is not of another tree of a size here", file=name))
        else:
            report(finding("FORK", f"two trees of {other.size} entries", index=other.size - 1, file=name))


class AttachmentsJudge:
    """Exactly the attachments that shown statements name, each of its hash and size."""

    def __init__(self, bundle: Bundle, report: Reporter) -> None:
        """Begin before index 0."""
        self._bundle = bundle
        self._report = report
        self._present = {name for name in bundle.names() if _ATTACHMENT.fullmatch(name)}
        self._named: dict[str, int] = {}

    def judge(self, index: int, statement: Statement) -> None:
        """Check what one statement names."""
        if _NAMES not in statement.body:  # most name nothing, and looking through all data takes its time
            return
        for each in attachments(statement.data):
            digest, size = each["sha256"], each["size"]
            name = f"attachments/{digest}"
            known = self._named.setdefault(digest, size)
            if known != size or size > MAX_ATTACHMENT_BYTES:
                self._report(
                    finding("ATTACHMENT", "a size that the attachment can't have", index=index, file=name)
                )
            elif name not in self._present:
                self._report(
                    finding("ATTACHMENT_MISSING", "the bytes are not in the bundle", index=index, file=name)
                )
            elif known == size:
                self._check(index, name, digest, size)

    def finish(self) -> None:
        """Report attachments that nothing names."""
        for name in sorted(self._present - {f"attachments/{digest}" for digest in self._named}):
            self._report(finding("FILE_EXTRA", "no statement shown here names these bytes", file=name))

    def read(self, digest: str) -> bytes | None:
        """Return an attachment's bytes if they are there and right."""
        name = f"attachments/{digest}"
        if name not in self._present:
            return None
        try:
            data = self._bundle.read(name, max_bytes=MAX_ATTACHMENT_BYTES)
        except FormatError:
            return None
        return data if hashlib.sha256(data).hexdigest() == digest else None

    def _check(self, index: int, name: str, digest: str, size: int) -> None:
        try:
            data = self._bundle.read(name, max_bytes=MAX_ATTACHMENT_BYTES)
        except FormatError as error:
            self._report(finding(error.code, error.message, index=index, file=name))
            return
        if len(data) != size or hashlib.sha256(data).hexdigest() != digest:
            self._report(finding("ATTACHMENT", "not the bytes of this hash and size", index=index, file=name))
