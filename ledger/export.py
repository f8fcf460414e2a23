"""Write an export bundle: a function of published checkpoint, scope and role (record-format.md §9).

    checkpoint  tile/…  payloads/…  disclosures.jsonl  withheld.jsonl  streams.json  scope.json
    attachments/…  consistency/…  VERIFY.md  verify.html

Every leaf and every `control` statement is in every bundle. Other statements are shown where the scope holds
them and the role sees their stream; of sealed values those are opened that the role sees. The catalogue's
table of roles decides, nothing else. Same inputs, same bytes; nothing is left behind where writing fails.

Left out on purpose: recording `export.generated`, which follows the export, and roles that see parts of a
stream, for which §9 has no form.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Final, Protocol

from ledger import canonical
from ledger.attachments import attachments
from ledger.browser import verify_html
from ledger.canonical import Keys
from ledger.checkpoint import Checkpoint, parse_body
from ledger.datakeys import DataKeys
from ledger.errors import RefusedError, StoreError
from ledger.leaf import is_salted
from ledger.merkle import prove_consistency
from ledger.new_file import unwritable
from ledger.note import parse_note
from ledger.proof import add_checkpoint_body
from ledger.roles import SIGHTS, sees_scope, sees_stream
from ledger.statement import Statement, parse_statement
from ledger.store.port import Reads, Store, StoredEntry
from ledger.tiles import (
    TILE_WIDTH,
    TileHashes,
    bundles_for,
    encode_entries,
    entries_path,
    payload_path,
    tile_path,
    tiles_for,
)
from ledger.verify.options import Scope
from ledger.verify_md import verify_md

NOTHING: Final[Mapping[str, bytes]] = MappingProxyType({})

PARTIAL: Final = ".partial"
ZIP_SUFFIX: Final = ".zip"
ZIP_DATE: Final = (1980, 1, 1, 0, 0, 0)
FILE_MODE: Final = 0o644
ERASED: Final = frozenset({"DATA_KEY_DESTROYED"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """What was written: the number of files, and the SHA-256 of their list as `sha256sum` prints it."""

    size: int
    files: int
    manifest_sha256: str


def export_bundle(
    store: Store,
    data_keys: DataKeys,
    note: bytes,
    out: Path,
    *,
    scope: Scope,
    role: str,
    old_sizes: Sequence[int] = (),
    beside: Mapping[str, bytes] = NOTHING,
) -> Exported:
    """Write the bundle of a published checkpoint to a directory, or to a zip where `out` ends in `.zip`.

    `beside` are files that others made of the checkpoint: its time stamp, proofs of forks.

    Raises:
        RefusedError: `OUT_EXISTS`, `EXPORT_ROLE` for a role that no bundle can be made for, `EXPORT_SIZE`
            where a zip can't hold it or an old size is not of this log.
        StoreError: as the store and the file system raise.
    """
    checkpoint = parse_body(parse_note(note).text)
    _check_role(role, scope)
    for old in old_sizes:
        if not 1 <= old <= checkpoint.size:
            raise RefusedError("EXPORT_SIZE", f"expected old sizes from 1 to {checkpoint.size}, got {old}")
    if out.exists() or out.is_symlink():
        raise RefusedError("OUT_EXISTS", f"there is something at {out.name} already")
    with store.snapshot() as reads:
        if reads.size < checkpoint.size:
            raise StoreError("STORE_BEHIND", "the store is behind the published checkpoint")
        plan = _Plan(reads, data_keys, checkpoint, note, scope, role, old_sizes)
        plan.files.update((name, partial(bytes, data)) for name, data in beside.items())
        return _write(plan, out)


def _check_role(role: str, scope: Scope) -> None:
    sight = SIGHTS.get(role)
    if sight is None or sight.hidden or sight.others not in ("all", "own"):
        raise RefusedError("EXPORT_ROLE", "this role does not see whole streams, so no bundle is for it")
    if sight.others == "own" and scope.kind != "participant":
        raise RefusedError("EXPORT_ROLE", "a participant's bundle is of their own records")


class _Plan:
    """What the bundle holds: small files made at once, large ones when they are asked for."""

    def __init__(
        self,
        reads: Reads,
        data_keys: DataKeys,
        checkpoint: Checkpoint,
        note: bytes,
        scope: Scope,
        role: str,
        old_sizes: Sequence[int],
    ) -> None:
        self._reads = reads
        self._data_keys = data_keys
        self._scope = scope
        self._role = role
        self._checkpoint = checkpoint
        self.size = checkpoint.size
        self.files: dict[str, Callable[[], bytes]] = {}
        self._put("checkpoint", note)
        self._tree()
        self._sidecars()
        for old in old_sizes:
            proof = prove_consistency(old, checkpoint.size, TileHashes(reads.tile_hashes))
            self._put(f"consistency/{old}", add_checkpoint_body(old, proof, note))
        self._put("VERIFY.md", verify_md(reads, checkpoint, self._shows).encode())
        self._put("verify.html", verify_html())

    def _put(self, name: str, data: bytes) -> None:
        self.files[name] = lambda: data

    def _tree(self) -> None:
        size = self._checkpoint.size
        for level, number, width in tiles_for(size):
            start = number * TILE_WIDTH
            self.files[tile_path(level, number, width)] = _tile(self._reads, level, start, start + width)
        for _, number, width in bundles_for(size):
            self.files[entries_path(number, width)] = self._entries(number, width)
            self.files[payload_path(number, width)] = self._payloads(number, width)

    def _page(self, number: int, width: int) -> list[StoredEntry]:
        return self._reads.entries(number * TILE_WIDTH, number * TILE_WIDTH + width)

    def _entries(self, number: int, width: int) -> Callable[[], bytes]:
        return lambda: encode_entries([entry.leaf for entry in self._page(number, width)])

    def _payloads(self, number: int, width: int) -> Callable[[], bytes]:
        return lambda: b"".join(
            (entry.statement if self._shows(parse_statement(entry.statement)) else b"") + b"\n"
            for entry in self._page(number, width)
        )

    def _sidecars(self) -> None:
        found = _Sidecars()
        for _, number, width in bundles_for(self._checkpoint.size):
            for entry in self._page(number, width):
                self._entry(entry, found)
        self._put("disclosures.jsonl", bytes(found.disclosures))
        self._put("withheld.jsonl", bytes(found.withheld))
        scope = {"kind": self._scope.kind, "role": self._role, "size": self._checkpoint.size}
        if self._scope.id is not None:
            scope["id"] = self._scope.id
        self._put("scope.json", canonical.encode(scope))
        whole = found.shown_streams - found.cut_streams
        salts = {stream: self._salt(stream) for stream in whole if sees_stream(self._role, stream)}
        if SIGHTS[self._role].others == "own":
            salts = {stream: self._salt(stream) for stream in whole}
        self._put("streams.json", canonical.encode(salts, keys=Keys.STREAMS))
        for digest in found.attachments:
            self.files[f"attachments/{digest}"] = _attachment(self._reads, digest)

    def _entry(self, entry: StoredEntry, found: _Sidecars) -> None:
        statement = parse_statement(entry.statement)
        shown = self._shows(statement)
        if is_salted(statement.stream):
            (found.shown_streams if shown else found.cut_streams).add(statement.stream)
        if not shown:
            why = "blinded" if self._holds(statement) else "scope"
            line = {"index": entry.index, "statement": entry.event, "why": why}
            found.withheld += canonical.encode(line) + b"\n"
            return
        found.attachments.update(each["sha256"] for each in attachments(statement.data))
        opened = self._openings(statement)
        if opened:
            line = {"index": entry.index, "open": opened}
            found.disclosures += canonical.encode(line, keys=Keys.DISCLOSURES) + b"\n"

    def _holds(self, statement: Statement) -> bool:
        """Tell whether the scope holds a statement by its labels."""
        match self._scope.kind:
            case "site":
                return statement.site == self._scope.id
            case "participant":
                return statement.stream == f"participant/{self._scope.id}"
        return True

    def _shows(self, statement: Statement) -> bool:
        if statement.cls == "control":
            return True
        return self._holds(statement) and (
            statement.cls != "restricted" or sees_stream(self._role, statement.stream)
        )

    def _openings(self, statement: Statement) -> dict[str, str]:
        opened = {}
        for kept in self._reads.disclosures(statement.event) if statement.sealed else ():
            if not sees_scope(self._role, kept.scope):
                continue
            try:
                opened[kept.path] = self._data_keys.open(
                    kept.event, kept.path, kept.stream, kept.scope, kept.nonce, kept.ciphertext
                )
            except StoreError as error:
                if error.code not in ERASED:
                    raise
        return opened

    def _salt(self, stream: str) -> str:
        row = self._reads.stream(stream)
        if row is None:
            raise StoreError("STORE_CORRUPT", "a stream of the log has no salt")
        return row.salt.hex()


@dataclass(slots=True, kw_only=True)
class _Sidecars:
    """What one walk over the log collects for the small files."""

    disclosures: bytearray = field(default_factory=bytearray)
    withheld: bytearray = field(default_factory=bytearray)
    attachments: set[str] = field(default_factory=set)
    shown_streams: set[str] = field(default_factory=set)
    cut_streams: set[str] = field(default_factory=set)


def _tile(reads: Reads, level: int, start: int, stop: int) -> Callable[[], bytes]:
    return lambda: reads.tile_hashes(level, start, stop)


def _attachment(reads: Reads, digest: str) -> Callable[[], bytes]:
    def read() -> bytes:
        found = reads.attachment(digest)
        if found is None:
            raise StoreError("STORE_CORRUPT", "an attachment that a statement names is not kept")
        return found.data

    return read


class _Sink(Protocol):
    def put(self, name: str, data: bytes) -> None: ...

    def finish(self) -> None: ...

    def abandon(self) -> None: ...


def _write(plan: _Plan, out: Path) -> Exported:
    """Write all files in byte order of their names beside the place, then move them there."""
    partial = out.with_name(out.name + PARTIAL)
    sink: _Sink = _ZipSink(partial, len(plan.files)) if out.suffix == ZIP_SUFFIX else _DirectorySink(partial)
    manifest = hashlib.sha256()
    try:
        for name, data in _in_order(plan):
            manifest.update(f"{hashlib.sha256(data).hexdigest()}  {name}\n".encode())
            sink.put(name, data)
        sink.finish()
        partial.rename(out)
    except BaseException as error:
        sink.abandon()
        if partial.is_dir():
            shutil.rmtree(partial, ignore_errors=True)
        else:
            partial.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise unwritable(out, error) from error
        raise
    return Exported(size=plan.size, files=len(plan.files), manifest_sha256=manifest.hexdigest())


def _in_order(plan: _Plan) -> Iterator[tuple[str, bytes]]:
    for name in sorted(plan.files):
        yield name, plan.files[name]()


class _DirectorySink:
    def __init__(self, root: Path) -> None:
        self._root = root
        _claim(root, lambda: root.mkdir(mode=0o755))

    def put(self, name: str, data: bytes) -> None:
        path = self._root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        path.chmod(FILE_MODE)

    def finish(self) -> None:
        """Nothing is left open."""

    def abandon(self) -> None:
        """Nothing is left open."""


class _ZipSink:
    def __init__(self, path: Path, files: int) -> None:
        if files >= zipfile.ZIP_FILECOUNT_LIMIT:
            raise RefusedError("EXPORT_SIZE", "too many files for a zip: write a directory")
        _claim(path, lambda: os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, FILE_MODE)))
        self._file = path.open("wb")
        self._zip = zipfile.ZipFile(self._file, "w", zipfile.ZIP_STORED, allowZip64=False)

    def put(self, name: str, data: bytes) -> None:
        info = zipfile.ZipInfo(name, ZIP_DATE)
        info.create_system = 3
        info.external_attr = (stat.S_IFREG | FILE_MODE) << 16
        try:
            self._zip.writestr(info, data)
        except zipfile.LargeZipFile as error:
            raise RefusedError("EXPORT_SIZE", "too large for a zip: write a directory") from error

    def finish(self) -> None:
        self._zip.close()
        self._file.close()

    def abandon(self) -> None:
        """Let go of what can't be written any more, without a word: the reason is told already."""
        for each in (self._zip, self._file):
            with suppress(OSError):
                each.close()


def _claim(path: Path, make: Callable[[], None]) -> None:
    try:
        make()
    except FileExistsError as error:
        raise RefusedError("OUT_EXISTS", f"an unfinished {path.name} lies beside the place") from error
    except OSError as error:
        raise unwritable(path, error) from error
