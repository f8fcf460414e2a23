"""What was folded of a log, kept beside it: who opens the ledger next folds only what came after (ADR 0026).

    savepoint = Savepoint(directory / RECORDING, secret, origin, "ledger")
    state = savepoint.load(reads, size)        # None: fold the log from its first entry
    if savepoint.is_due(state.size, ending=True):
        savepoint.save(state, state.size, reads)

A savepoint is never evidence and never necessary: without it, or where anything of it does not fit, the log
is folded as a whole. It counts only for the log that has its root at its size, for the very code that folded
it, and when it opens with a key that follows from the ledger's own secret, so who holds no key of the ledger
can neither read nor make one.

    header      one line of JSON: v, origin, code, size, root, nonce (both base64)
    the rest    AES-256-GCM of the pickled state, with the header's line as additional data
"""

from __future__ import annotations

import hashlib
import hmac
import io
import os
import pickle  # its own file alone, sealed with the ledger's key, and values alone: see `_Restricted`
import sys
from base64 import b64decode
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import suppress
from copy import copy
from copyreg import dispatch_table
from dataclasses import is_dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from functools import lru_cache
from importlib import import_module, resources
from importlib.resources.abc import Traversable
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from ledger.canonical import decode, encode
from ledger.errors import FormatError, LedgerError
from ledger.lines import encode_base64
from ledger.merkle import read_frontier
from ledger.new_file import new_file
from ledger.store.port import Reads
from ledger.tiles import TileHashes

RECORDING: Final = "recording-savepoint"
READING: Final = "reading-savepoint"
MEMBERS: Final = {"code", "nonce", "origin", "root", "size", "v"}
NONCE: Final = 12
LEAST: Final = 1_000
"""Fewer entries than these are folded again."""
_LABEL: Final = b"trial-ledger/savepoint/v1"
_PLAIN: Final = (date, datetime, timedelta, Decimal, deque)


class Savepoint:
    """One file with the state of a fold."""

    def beside(self, name: str, *packages: str) -> Savepoint:
        """Return another file in the same place, with a state that these packages fold."""
        other = copy(self)
        other._path, other._packages, other.size = self._path.with_name(name), packages, 0
        return other

    def __init__(self, path: Path, secret: bytes, origin: str, *packages: str) -> None:
        """Name the file, a secret of the ledger, its origin, and the packages whose code folds."""
        self._path = path
        self._cipher = AESGCM(hmac.digest(secret, _LABEL, "sha256"))
        self._origin = origin
        self._packages = packages
        self.size = 0
        """How many entries the file holds that was loaded or saved last."""

    def load(self, reads: Reads, size: int) -> Any | None:
        """Return the state that was saved of a log that has this size now; None where none fits."""
        with suppress(OSError, FormatError, LedgerError, InvalidTag, pickle.UnpicklingError):
            content = self._path.read_bytes()
            line, _, sealed = content.partition(b"\n")
            header: Any = decode(line)
            if self._fits(header, reads, size):
                state = _Restricted(self._cipher.decrypt(b64decode(header["nonce"]), sealed, line)).load()
                self.size = header["size"]
                return state
        return None

    def is_due(self, size: int, *, ending: bool) -> bool:
        """Tell whether to keep a fold of this size: to fold again what is new would take longer.

        While the process goes on, others wait for the processor meanwhile, and it is kept more rarely.
        """
        return size - self.size >= (max(LEAST, size // 16) if ending else max(10 * LEAST, size // 4))

    def save(self, state: Any, size: int, reads: Reads) -> None:
        """Keep a state of a size; a place that cannot be written to keeps nothing, and is no error."""
        root = _root(reads, size)
        nonce = os.urandom(NONCE)
        line = encode(
            {
                "code": fingerprint(*self._packages),
                "nonce": encode_base64(nonce),
                "origin": self._origin,
                "root": encode_base64(root),
                "size": size,
                "v": 1,
            }
        )
        sealed = self._cipher.encrypt(nonce, _pickled(state), line)
        with suppress(LedgerError), new_file(self._path, replace=True) as file:
            os.fchmod(file.fileno(), 0o600)
            file.write(line + b"\n" + sealed)
        self.size = size

    def _fits(self, header: Any, reads: Reads, newest: int) -> bool:
        if not isinstance(header, Mapping) or header.keys() != MEMBERS:
            return False
        if (header["v"], header["origin"], header["code"]) != (1, self._origin, fingerprint(*self._packages)):
            return False
        size = header["size"]
        if type(size) is not int or not 0 < size <= newest:
            return False
        root: object = header["root"]
        return encode_base64(_root(reads, size)) == root


@lru_cache(maxsize=4)
def fingerprint(*packages: str) -> str:
    """Return what these packages' code is known by, with the Python that runs it: 64 hex digits."""
    found = hashlib.sha256(repr(sys.version_info[:3]).encode())
    for package in packages:
        for name, content in _sources(resources.files(package), package):
            found.update(hashlib.sha256(name.encode()).digest() + hashlib.sha256(content).digest())
    return found.hexdigest()


def _sources(place: Traversable, name: str) -> Iterator[tuple[str, bytes]]:
    for each in sorted(place.iterdir(), key=lambda each: each.name):
        if each.is_dir():
            yield from _sources(each, f"{name}/{each.name}")
        elif each.name.endswith(".py"):
            yield f"{name}/{each.name}", each.read_bytes()


def _root(reads: Reads, size: int) -> bytes:
    return read_frontier(size, TileHashes(reads.tile_hashes)).root()


def _pickled(state: Any) -> bytes:
    file = io.BytesIO()
    pickler = pickle.Pickler(file, protocol=5)
    pickler.dispatch_table = {**dispatch_table, MappingProxyType: _reduced}
    pickler.dump(state)
    return file.getvalue()


def _reduced(value: MappingProxyType[Any, Any]) -> tuple[Any, ...]:
    return proxied, (dict(value),)


def proxied(value: dict[Any, Any]) -> MappingProxyType[Any, Any]:
    """Make a mapping that nothing changes, as it was when it was saved."""
    return MappingProxyType(value)


class _Restricted(pickle.Unpickler):
    """Makes values alone: dataclasses, enumerations and tuples of ours, and a few of the standard library."""

    def __init__(self, content: bytes) -> None:
        super().__init__(io.BytesIO(content))

    def find_class(self, module: str, name: str) -> Any:
        """Return a class that a state may hold.

        Raises:
            UnpicklingError: anything else.
        """
        for plain in _PLAIN:
            if (module, name) == (plain.__module__, plain.__qualname__):
                return plain
        if module.partition(".")[0] == "ledger":
            found = getattr(import_module(module), name, None)
            if found is proxied:
                return found
            if isinstance(found, type) and (is_dataclass(found) or issubclass(found, Enum | tuple)):
                return found
        raise pickle.UnpicklingError(f"a savepoint holds no {module}.{name}")
