"""Make an export of an open ledger, and record that it was made (record-format.md §9; EMA 6.2.1).

A bundle is recorded after it was made, because it is a function of a checkpoint; an extract, such as the
audit trail as CSV, before anybody gets its first byte. Of a frozen ledger both are given and neither is
recorded: reading and export go on (§5).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import orjson

from ledger.committer import Ledger
from ledger.errors import FormatError, StoreError
from ledger.export import Exported, export_bundle
from ledger.recorded import Recorded
from ledger.store.port import Reads
from ledger.verify.options import Scope

PAGE: Final = 1_000


def export_ledger(
    ledger: Ledger,
    out: Path,
    *,
    scope: Scope,
    role: str,
    old_sizes: Sequence[int] = (),
    purpose: str = "inspection_copy",
    requested_by: str | None = None,
) -> Exported:
    """Publish, write the bundle of that checkpoint, and record `export.generated` after it.

    A frozen ledger is exported up to the newest published checkpoint that its log still holds; nothing is
    recorded then.

    Raises:
        FormatError: `SCOPE` for a participant or a site that the log does not have.
        RefusedError, StoreError: as `export_bundle`; `LEDGER_EMPTY` when nothing was ever published.
    """
    require_scope(ledger.store, scope)
    note = ledger.publish()
    if note is None:
        raise StoreError("LEDGER_EMPTY", "the ledger has no published checkpoint to export")
    done = export_bundle(
        ledger.store,
        ledger.data_keys,
        note,
        out,
        scope=scope,
        role=role,
        old_sizes=old_sizes,
        beside={} if ledger.gathering is None else ledger.gathering.beside(note),
    )
    if not ledger.startup.frozen:
        data = _members(scope, role, done.size, done.manifest_sha256, purpose, requested_by)
        ledger.attest("export.generated", ledger.access_stream(), data)
    return done


def note_extract(
    ledger: Ledger,
    extract: bytes,
    *,
    scope: Scope,
    role: str,
    size: int,
    requested_by: str | None = None,
) -> Recorded | None:
    """Record that the audit trail leaves as a file; None where the ledger is frozen and records nothing.

    `manifest_sha256` is the SHA-256 of the very bytes, so that a file that turns up later is known by it.

    Raises:
        FormatError, RefusedError, FrozenError, StoreError: as `Ledger.attest`; nothing may leave then.
    """
    if ledger.startup.frozen:
        return None
    sha256 = hashlib.sha256(extract).hexdigest()
    data = _members(scope, role, size, sha256, "audit_trail", requested_by)
    return ledger.attest("export.generated", ledger.access_stream(), data)


def _members(
    scope: Scope, role: str, size: int, sha256: str, purpose: str, requested_by: str | None
) -> dict[str, Any]:
    data = {"kind": scope.kind, "manifest_sha256": sha256, "purpose": purpose, "role": role, "size": size}
    if scope.id is not None:
        data["id"] = scope.id
    return data if requested_by is None else {**data, "requested_by": requested_by}


def require_scope(reads: Reads, scope: Scope) -> None:
    """Require the participant or the site of a scope to be in the log: a misspelt one gets no bundle.

    Raises:
        FormatError: `SCOPE`.
    """
    if scope.id is not None and not has_named(reads, scope.kind, scope.id):
        raise FormatError("SCOPE", f"the log has no such {scope.kind}")


def has_named(reads: Reads, kind: str, name: str) -> bool:
    """Tell whether a log, or one that it goes on from, has a participant or a site of this name.

    A site may have no stream of its own, as in a study that was imported: then its label on a leaf tells.
    """
    stream = f"{kind}/{name}"
    if reads.stream_head(stream) is not None or reads.earlier.entries_of(stream):
        return True
    if kind != "site":
        return False
    label, size = b'"site":' + orjson.dumps(name), reads.head().size
    pages = (reads.entries(start, min(start + PAGE, size)) for start in range(0, size, PAGE))
    return any(label in entry.leaf for page in pages for entry in page)
