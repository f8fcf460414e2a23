"""What grows with the log, kept so that a long log fits in little memory: records on disk, places in memory.

A `Spool` holds bytes one after the other, the first mebibyte in memory and the rest in a file without a name,
which ends with the process. A `KeyTable` maps fixed-width hashes to log indexes: Python's own dict of 32-byte
keys takes about 150 bytes an entry, this 12 to 24 in memory, key and index lie in a spool.

Open addressing, linear probing, at most two thirds full. A slot has the record's place and 32 bits of the
key's hash, so that hardly any record is read but the one that is asked for. The hash is keyed anew in every
process: nobody can choose keys that fall together.
"""

from __future__ import annotations

import weakref
from array import array
from typing import IO, Final

_FREE: Final = 0
_HASH: Final = 0xFFFF_FFFF
_INDEX_BYTES: Final = 8
IN_MEMORY_BYTES: Final = 1 << 20
WRITTEN_BYTES: Final = 1 << 16


class Spool:
    """Bytes that are added at the end and read back anywhere."""

    def __init__(self) -> None:
        """Begin with nothing, in memory."""
        self._tail = bytearray()
        self._limit = IN_MEMORY_BYTES
        self._written = 0
        self._file: IO[bytes] | None = None

    def append(self, data: bytes) -> None:
        """Add bytes."""
        self._tail += data
        if len(self._tail) >= self._limit:
            self._write()

    def read(self, start: int, size: int) -> bytes:
        """Return `size` bytes from `start` on, or as many as there are."""
        if start >= self._written:
            start -= self._written
            return bytes(self._tail[start : start + size])
        assert self._file is not None  # noqa: S101  something was written
        self._file.seek(start)
        kept = self._file.read(min(size, self._written - start))
        return kept if len(kept) == size else kept + bytes(self._tail[: size - len(kept)])

    def _write(self) -> None:
        if self._file is None:
            import tempfile  # few logs are so long, and none should wait for this to be imported

            try:
                self._file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115  it ends with this object
                weakref.finalize(self, self._file.close)
                self._limit = WRITTEN_BYTES
            except OSError:  # nowhere to write to: memory is all there is
                self._limit *= 2
                return
        self._file.seek(self._written)
        view = memoryview(self._tail)
        while view:
            count = self._file.write(view)
            view = view[count:]
        self._written += len(self._tail)
        self._tail = bytearray()


class KeyTable:
    """Map keys of one width to the number given with them; a key is added once."""

    def __init__(self, width: int) -> None:
        """Make an empty table for keys of `width` bytes (at least 8)."""
        self._width = width
        self._size = width + _INDEX_BYTES
        self._count = 0
        self._records = Spool()
        self._slots = array("Q", [_FREE]) * 64

    def __len__(self) -> int:
        return self._count

    def get(self, key: bytes) -> int | None:
        """Return the number that a key was added with, or None."""
        place = self._slots[self._find(key)] >> 32
        if place == _FREE:
            return None
        return int.from_bytes(self._records.read(place * self._size - _INDEX_BYTES, _INDEX_BYTES), "big")

    def add(self, key: bytes, value: int) -> bool:
        """Add a key; return False and change nothing when it is there already."""
        slot = self.place(key)
        if slot is None:
            return False
        self.put(slot, key, value)
        return True

    def place(self, key: bytes) -> int | None:
        """Return where a key belongs, None when it is there already; good until the next key is put."""
        slot = self._find(key)
        return slot if self._slots[slot] == _FREE else None

    def put(self, slot: int, key: bytes, value: int) -> None:
        """Put a key where `place` says that it belongs."""
        slots = self._slots
        self._records.append(key + value.to_bytes(_INDEX_BYTES, "big"))
        self._count += 1
        slots[slot] = self._count << 32 | hash(key) & _HASH
        if 3 * self._count > 2 * len(slots):
            self._grow()

    def _find(self, key: bytes) -> int:
        """Return the slot that holds the key, or the free one where it belongs."""
        if len(key) != self._width:
            raise ValueError(f"expected a key of {self._width} bytes, got {len(key)}")
        slots = self._slots
        mask, wanted = len(slots) - 1, hash(key) & _HASH
        slot = wanted & mask
        while (kept := slots[slot]) != _FREE:
            if kept & _HASH == wanted and self._key(kept >> 32) == key:
                break
            slot = (slot + 1) & mask
        return slot

    def _key(self, place: int) -> bytes:
        return self._records.read((place - 1) * self._size, self._width)

    def _grow(self) -> None:
        """Make room for twice as many."""
        known, size = self._slots, 2 * len(self._slots)
        slots, mask = array("Q", [_FREE]) * size, size - 1
        for kept in known:
            if kept != _FREE:
                slot = kept & _HASH & mask
                while slots[slot] != _FREE:
                    slot = (slot + 1) & mask
                slots[slot] = kept
        self._slots = slots
