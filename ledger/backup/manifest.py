"""What a backup is: `manifest.json`, written last, with size and SHA-256 of everything else.

A directory without a manifest is no backup. The manifest's own hash is in the log (`backup.taken`), so that a
changed backup is told from the one that was taken.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Final

from ledger.errors import FormatError, StoreError
from ledger.statement import is_origin

FILE: Final = "manifest.json"
CHECKPOINT: Final = "checkpoint"
APART: Final = "datakeys.db"
FORM: Final = "trial-ledger-backup-v1"
MAX_BYTES: Final = 1 << 20
CHUNK: Final = 1 << 20

_NAME: Final = re.compile(r"(?:keys/)?[A-Za-z0-9][A-Za-z0-9._-]{0,80}")
_HASH: Final = re.compile(r"[0-9a-f]{64}")
_LABEL: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One file: its name below the backup, its size, its SHA-256 in hex."""

    name: str
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What a backup holds.

    Attributes:
        backup: label, once in a ledger. taken_at: by the service's clock.
        ledger_id: leaf hash of index 0; root: that of the tree of `size` entries; both 64 hex digits.
        checkpoint: size of the newest published checkpoint that is in it, 0 where there was none.
        files: in order of their names; data_keys lies apart from them.
    """

    form: str
    backup: str
    taken_at: str
    origin: str
    study: str
    ledger_id: str
    size: int
    root: str
    checkpoint: int
    files: tuple[Part, ...]
    data_keys: Part


def encode(manifest: Manifest) -> bytes:
    """Return the bytes of `manifest.json`."""
    return json.dumps(asdict(manifest), indent=1, sort_keys=True, ensure_ascii=False).encode() + b"\n"


def read(backup: Path) -> tuple[Manifest, str]:
    """Read a backup's manifest; return it with its SHA-256, hex.

    Raises:
        StoreError: `BACKUP_MISSING` where there is none.
        FormatError: `BACKUP` when it is not of its form.
    """
    path = backup / FILE
    try:
        if path.stat().st_size > MAX_BYTES:
            raise FormatError("BACKUP", f"expected a manifest of at most {MAX_BYTES} bytes")
        data = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError) as error:
        raise StoreError("BACKUP_MISSING", f"no {FILE} there: not a backup, or not a whole one") from error
    try:
        value = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise FormatError("BACKUP", f"{FILE} is not JSON") from error
    manifest = _manifest(value)
    if encode(manifest) != data:
        raise FormatError("BACKUP", f"{FILE} is not as it was written")
    return manifest, hashlib.sha256(data).hexdigest()


def describe(path: Path, name: str) -> Part:
    """Return size and hash of a file."""
    digest, count = hashlib.sha256(), 0
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
            count += len(chunk)
    return Part(name=name, bytes=count, sha256=digest.hexdigest())


def check_data_keys(data_keys: Path) -> None:
    """Require the file of wrapped data keys, which lies apart from the backup, to be there.

    Raises:
        StoreError: `BACKUP_MISSING`.
    """
    if not data_keys.is_file():
        raise StoreError(
            "BACKUP_MISSING", f"expected the file of its data keys, {data_keys.name} is not there"
        )


def differences(backup: Path, manifest: Manifest, data_keys: Path) -> Iterator[str]:
    """Yield one sentence for each file that is missing, changed, or not in the manifest."""
    there = {path.relative_to(backup).as_posix() for path in backup.rglob("*") if not path.is_dir()}
    for name in sorted(there - {part.name for part in manifest.files} - {FILE}):
        yield f"{name} is not in the manifest"
    for part, path in [
        *((part, backup / part.name) for part in manifest.files),
        (manifest.data_keys, data_keys),
    ]:
        if path.is_symlink() or not path.is_file():
            yield f"{part.name} is missing"
        elif describe(path, part.name) != part:
            yield f"{part.name} is not of the size and hash that the manifest gives"


def _manifest(value: Any) -> Manifest:
    members = _members(value, Manifest)
    files = members["files"]
    if not isinstance(files, list):
        raise _bad("files")
    manifest = Manifest(
        **{**members, "files": tuple(map(_part, files)), "data_keys": _part(members["data_keys"])}
    )
    texts = {name: isinstance(members[name], str) for name in ("study", "taken_at", "origin")}
    good = {
        **texts,
        "form": manifest.form == FORM,
        "backup": _is(_LABEL, manifest.backup),
        "origin": texts["origin"] and is_origin(manifest.origin),
        "ledger_id": _is(_HASH, manifest.ledger_id),
        "root": _is(_HASH, manifest.root),
        "size": _is_count(manifest.size) and manifest.size > 0,
        "checkpoint": _is_count(manifest.checkpoint) and manifest.checkpoint <= manifest.size,
        "files": len({part.name for part in manifest.files}) == len(manifest.files),
    }
    for name, fits in good.items():
        if not fits:
            raise _bad(name)
    return manifest


def _part(value: Any) -> Part:
    part = Part(**_members(value, Part))
    if not (_is(_NAME, part.name) and _is(_HASH, part.sha256) and _is_count(part.bytes)):
        raise _bad("files")
    return part


def _members(value: Any, form: type) -> dict[str, Any]:
    if not isinstance(value, Mapping) or value.keys() != {each.name for each in fields(form)}:
        raise _bad("members")
    return dict(value)


def _is(form: re.Pattern[str], value: Any) -> bool:
    return isinstance(value, str) and form.fullmatch(value) is not None


def _is_count(value: Any) -> bool:
    return type(value) is int and value >= 0


def _bad(field: str) -> FormatError:
    return FormatError("BACKUP", f"expected {FILE} of the form {FORM}", field=field)
