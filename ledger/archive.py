"""A study laid down for the years: one file that verifies and can be asked without the service (EMA 6.10,
6.12).

    ARCHIVE.zip    README.md  policy  bundle/…  ledger/ledger.toml  ledger/ledger.db

`bundle/` is an export of the whole study: what a verifier needs, and a page that verifies in a browser.
`ledger/` is a copy of the events as of the same checkpoint or later, without any key: every command that
reads (replay at a time, trail, reports) works on it on an empty machine, because projections are made from
the events alone. What is sealed is open in the bundle as far as its role sees it, and closed in the copy.

Members are stored and not compressed, so a file says how large it is before it is unpacked.
"""

from __future__ import annotations

import re
import shutil
import stat
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

from ledger.backup.copying import copy_log, open_log
from ledger.backup.manifest import describe
from ledger.backup.trying import check_alone
from ledger.committer import Ledger
from ledger.directory import CONFIG, DATABASE, Config, read_config, write_config
from ledger.errors import FormatError, StoreError
from ledger.export import export_bundle
from ledger.merkle import read_frontier
from ledger.new_file import unwritable
from ledger.policy import format_policy
from ledger.tiles import TileHashes
from ledger.trust import ledger_id, trust_policy
from ledger.verify.options import Scope

BUNDLE: Final = "bundle"
LEDGER: Final = "ledger"
POLICY: Final = "policy"
README: Final = "README.md"
ROLE: Final = "auditor"
DATE: Final = (1980, 1, 1, 0, 0, 0)

_BLOCK: Final = 1 << 20
_UNREADABLE: Final = (OSError, EOFError, RuntimeError, ValueError, zipfile.BadZipFile)
"""What `zipfile` raises of damage: a file that ends early, an unknown version, a name that is no text."""
_NAME: Final = re.compile(r"(?:README\.md|policy|(?:bundle|ledger)(?:/[A-Za-z0-9][A-Za-z0-9._-]*)+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sealed:
    """An archive that was made: its SHA-256 in hex, and the tree that its bundle holds."""

    sha256: str
    size: int
    root: bytes


def seal(ledger: Ledger, directory: Path, out: Path) -> Sealed:
    """Write the archive of a ledger.

    Raises:
        StoreError: `ARCHIVE_EXISTS`, `LEDGER_EMPTY`, `BACKUP_CONTINUES`; what copying and exporting raise.
            Nothing is left behind then.
    """
    config = read_config(directory)
    check_alone(directory)
    work = out.with_name(f"{out.name}.partial")
    if out.exists() or work.exists():
        raise StoreError("ARCHIVE_EXISTS", f"{out.name} is there already, or what was interrupted")
    note = ledger.publish()
    if note is None:
        raise StoreError("LEDGER_EMPTY", "the ledger has no published checkpoint to archive")
    try:
        (work / LEDGER).mkdir(parents=True)
        plain = Config(origin=config.origin, study=config.study, demonstration=False, tokens=())
        write_config(work / LEDGER, plain)
        copy_log(ledger.store, work / LEDGER / DATABASE)
        with closing(open_log(work / LEDGER / DATABASE)) as copied:
            done = export_bundle(
                copied, ledger.data_keys, note, work / BUNDLE, scope=Scope(kind="study"), role=ROLE
            )
        (work / POLICY).write_bytes(format_policy(trust_policy(ledger)))
        (work / README).write_text(_readme(config, ledger_id(ledger), done.size), encoding="utf-8")
        _pack(work, work / out.name)
        (work / out.name).rename(out)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    root = read_frontier(done.size, TileHashes(ledger.store.tile_hashes)).root()
    return Sealed(sha256=describe(out, out.name).sha256, size=done.size, root=root)


def unpack(archive: Path, place: Path) -> None:
    """Unpack an archive to an empty directory; nothing else than its own members is made.

    Raises:
        FormatError: `ARCHIVE` for another file, a damaged member, one that it does not have, one twice, or a
            compressed one.
        StoreError: `STORE_IO` where the place takes no more, which says nothing of the archive.
    """
    try:
        with zipfile.ZipFile(archive) as packed:
            members = packed.infolist()
            _check_members(members)
            for member in members:
                _unpack_member(packed, member, place / member.filename)
    except _UNREADABLE as error:
        message = "expected an archive that can be read to its end: it is cut off or damaged"
        raise FormatError("ARCHIVE", message) from error


def _unpack_member(packed: zipfile.ZipFile, member: zipfile.ZipInfo, target: Path) -> None:
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("xb") as file:
            for block in _blocks(packed, member):
                file.write(block)
    except OSError as error:
        raise unwritable(target, error) from error


def _blocks(packed: zipfile.ZipFile, member: zipfile.ZipInfo) -> Iterator[bytes]:
    try:
        with packed.open(member) as source:
            while block := source.read(_BLOCK):
                yield block
    except _UNREADABLE as error:
        raise FormatError("ARCHIVE", f"{member.filename} in it is damaged") from error


def _check_members(members: Sequence[zipfile.ZipInfo]) -> None:
    names: set[str] = set()
    for member in members:
        mode = member.external_attr >> 16
        plain = member.compress_type == zipfile.ZIP_STORED and (mode == 0 or stat.S_ISREG(mode))
        if not plain or _NAME.fullmatch(member.filename) is None or member.filename in names:
            raise FormatError("ARCHIVE", "expected plain files of an archive, each once")
        names.add(member.filename)
    if any(above.as_posix() in names for name in names for above in PurePosixPath(name).parents):
        raise FormatError("ARCHIVE", "expected plain files of an archive, none of them below another")
    if not {README, POLICY, f"{LEDGER}/{CONFIG}", f"{LEDGER}/{DATABASE}"} <= names:
        raise FormatError("ARCHIVE", "expected policy, bundle and ledger in it")


def _pack(work: Path, out: Path) -> None:
    names = sorted(path.relative_to(work).as_posix() for path in work.rglob("*") if path.is_file())
    with zipfile.ZipFile(out, "x", zipfile.ZIP_STORED) as packed:
        for name in names:
            member = zipfile.ZipInfo(name, DATE)
            member.external_attr = (stat.S_IFREG | 0o644) << 16
            member.file_size = (work / name).stat().st_size
            with (work / name).open("rb") as source, packed.open(member, "w") as target:
                shutil.copyfileobj(source, target)


def _readme(config: Config, identity: str, size: int) -> str:
    return f"""# Archive of {config.study}

Log `{config.origin}`, ledger id `{identity}`, {size} entries in the bundle.

Verify, with a policy that you kept yourself (the one beside this file came with the archive):

    trial-ledger verify bundle --policy policy --ledger-id {identity}

or open `bundle/verify.html` in a browser and drop the bundle on it; `bundle/VERIFY.md` needs openssl alone.

Ask, without any key:

    trial-ledger trail ledger
    trial-ledger replay ledger PARTICIPANT --known INDEX --true TIME
    trial-ledger report ledger
"""
