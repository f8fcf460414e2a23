"""What grows with the log, kept so that a long log fits in little memory: records on disk, places in memory.

A `Spool` holds bytes one after the other, the first mebibyte in memory and the rest in a file without a name,
which ends with the process. A `KeyTable` maps fixed-width hashes to log indexes: key and index lie in a
spool; where each lies there is told by slots of 8 bytes, in memory for some 350,000 keys, else in a file too.

Open addressing, linear probing, at most two thirds full. A slot has the record's place and 32 bits of the
key's hash, so that hardly any record is read but the one that is asked for. The hash is keyed anew in every
process: nobody can choose keys that fall together.
"""

from __future__ import annotations

import sys
import weakref
from array import array
from collections.abc import Iterator
from typing import IO, Final

_FREE: Final = 0
_HASH: Final = 0xFFFF_FFFF
_INDEX_BYTES: Final = 8
IN_MEMORY_BYTES: Final = 1 << 20
WRITTEN_BYTES: Final = 1 << 16
SLOTS_IN_MEMORY: Final = 1 << 19
_SLOT_BYTES: Final = 8
_NEXT_SLOTS: Final = 8


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
            self._file = nameless()
            if self._file is None:  # nowhere to write to: memory is all there is
                self._limit *= 2
                return
            weakref.finalize(self, self._file.close)
            self._limit = WRITTEN_BYTES
        if not _put(self._file, self._written, self._tail):  # no room is left there
            self._limit *= 2
            return
        self._written += len(self._tail)
        self._tail = bytearray()


class KeyTable:
    """Map keys of one width to the number given with them; a key is added once."""

    def __init__(self, width: int, most: int = 0) -> None:
        """Make an empty table for keys of `width` bytes (at least 8), of which `most` are expected."""
        self._width = width
        self._size = width + _INDEX_BYTES
        self._most = most
        self._count = 0
        self._records = Spool()
        self._slots = array("Q", [_FREE]) * 64
        self._mask = 63
        self._file: IO[bytes] | None = None

    def __len__(self) -> int:
        return self._count

    def __contains__(self, key: bytes) -> bool:
        return self._find(key)[1] != _FREE

    def get(self, key: bytes) -> int | None:
        """Return the number that a key was added with, or None."""
        place = self._find(key)[1] >> 32
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
        slot, kept = self._find(key)
        return slot if kept == _FREE else None

    def put(self, slot: int, key: bytes, value: int) -> None:
        """Put a key where `place` says that it belongs."""
        self._records.append(key + value.to_bytes(_INDEX_BYTES, "big"))
        self._count += 1
        self._set(slot, self._count << 32 | hash(key) & _HASH)
        if 3 * self._count > 2 * self._mask:
            self._grow()

    def _find(self, key: bytes) -> tuple[int, int]:
        """Return the slot that holds the key and what it holds, or the free one where the key belongs."""
        if len(key) != self._width:
            raise ValueError(f"expected a key of {self._width} bytes, got {len(key)}")
        wanted = hash(key) & _HASH
        if self._file is not None:
            return self._find_in(self._file, self._mask, key, wanted)
        slots, mask = self._slots, self._mask
        slot = wanted & mask
        while (kept := slots[slot]) != _FREE:
            if kept & _HASH == wanted and self._key(kept >> 32) == key:
                break
            slot = (slot + 1) & mask
        return slot, kept

    def _find_in(self, file: IO[bytes], mask: int, key: bytes | None, wanted: int) -> tuple[int, int]:
        """Find in a file; without a key, the free slot where one of that hash belongs."""
        slot = wanted & mask
        while True:
            file.seek(slot * _SLOT_BYTES)
            for kept in array("Q", file.read(min(_NEXT_SLOTS, mask + 1 - slot) * _SLOT_BYTES)):
                if kept == _FREE or (
                    key is not None and kept & _HASH == wanted and self._key(kept >> 32) == key
                ):
                    return slot, kept
                slot += 1
            slot &= mask

    def _set(self, slot: int, kept: int) -> None:
        if self._file is not None:
            if _put_slot(self._file, slot, kept):
                return
            self._slots = array("Q", _read_all(self._file))  # no room is left there
            self._file.close()
            self._file = None
        self._slots[slot] = kept

    def _key(self, place: int) -> bytes:
        return self._records.read((place - 1) * self._size, self._width)

    def _grow(self) -> None:
        """Make room for twice as many; in a file for all that are expected, so that it is done once."""
        before, room = self._file, 2 * (self._mask + 1)
        if room <= SLOTS_IN_MEMORY or not self._to_file(room):
            self._slots, self._file = _in_memory(self._all(), room), None
            self._mask = room - 1
        if before is not None:
            before.close()

    def _to_file(self, room: int) -> bool:
        """Lay the slots down in another file; False, and nothing is changed, where it finds no room."""
        file = nameless()
        if file is None:
            return False
        weakref.finalize(self, file.close)
        while 2 * room <= 3 * self._most:
            room *= 2
        if not _make_room(file, room):
            return False
        for each in self._all():
            slot, _ = self._find_in(file, room - 1, None, each & _HASH)
            if not _put_slot(file, slot, each):
                file.close()
                return False
        self._slots, self._file, self._mask = array("Q"), file, room - 1
        return True

    def _all(self) -> Iterator[int]:
        """Return what the slots hold, one after the other."""
        slots = self._slots if self._file is None else _read_all(self._file)
        return (kept for kept in slots if kept != _FREE)


def nameless() -> IO[bytes] | None:
    """Make a file without a name, which ends with the process; None where there is no place for one."""
    import tempfile  # few logs are so long, and none should wait for this to be imported

    try:
        return tempfile.TemporaryFile(buffering=0)
    except OSError:
        return None


def _make_room(file: IO[bytes], room: int) -> bool:
    """Let a file have so many free slots; where it can't it is closed."""
    try:
        file.truncate(room * _SLOT_BYTES)
    except OSError:
        file.close()
        return False
    return True


def _put_slot(file: IO[bytes], slot: int, kept: int) -> bool:
    return _put(file, slot * _SLOT_BYTES, kept.to_bytes(_SLOT_BYTES, sys.byteorder))


def _put(file: IO[bytes], at: int, data: bytes | bytearray) -> bool:
    """Write bytes at a place; False where there is no room for all of them."""
    try:
        file.seek(at)
        with memoryview(data) as view:
            done = 0
            while done < len(view):
                done += file.write(view[done:])
    except OSError:
        return False
    return True


def _in_memory(kept: Iterator[int], room: int) -> array[int]:
    """Lay slots down in so much room in memory."""
    slots, mask = array("Q", [_FREE]) * room, room - 1
    for each in kept:
        slot = each & _HASH & mask
        while slots[slot] != _FREE:
            slot = (slot + 1) & mask
        slots[slot] = each
    return slots


def _read_all(file: IO[bytes]) -> Iterator[int]:
    at = 0
    while True:
        file.seek(at)
        some = file.read(WRITTEN_BYTES)
        if not some:
            return
        at += len(some)
        yield from array("Q", some)
