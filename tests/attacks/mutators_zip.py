"""Write a zip byte by byte, with whatever headers an attacker likes (PKWARE APPNOTE 4.3)."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One entry; what is None is what an honest writer would put there."""

    name: bytes
    data: bytes
    method: int = 0
    flags: int = 0
    time: int = 0
    version: int = 20
    extra: bytes = b""
    comment: bytes = b""
    disk: int = 0
    external: int = (0o100644) << 16
    size: int | None = None
    packed: int | None = None
    crc: int | None = None
    offset: int | None = None
    local_name: bytes | None = None


def pack(entries: Sequence[Entry]) -> bytes:
    """Write local headers, data, central directory and end record, in the order given."""
    body, directory = b"", b""
    for each in entries:
        offset = len(body) if each.offset is None else each.offset
        body += local(each) + each.data
        directory += central(each, offset)
    count = len(entries)
    end = struct.pack("<4sHHHHIIH", b"PK\x05\x06", 0, 0, count, count, len(directory), len(body), 0)
    return body + directory + end


def local(entry: Entry) -> bytes:
    """Write a local header and its name."""
    name = entry.name if entry.local_name is None else entry.local_name
    head = (b"PK\x03\x04", entry.version, entry.flags, entry.method, entry.time, 33, *_sizes(entry))
    return struct.pack("<4sHHHHHIIIHH", *head, len(name), len(entry.extra)) + name + entry.extra


def central(entry: Entry, offset: int) -> bytes:
    """Write a central header, its name, extra field and comment."""
    head = (b"PK\x01\x02", 3 << 8 | entry.version, entry.version, entry.flags, entry.method, entry.time, 33)
    lengths = (len(entry.name), len(entry.extra), len(entry.comment), entry.disk, 0, entry.external, offset)
    packed = struct.pack("<4sHHHHHHIIIHHHHHII", *head, *_sizes(entry), *lengths)
    return packed + entry.name + entry.extra + entry.comment


def _sizes(entry: Entry) -> tuple[int, int, int]:
    """Return checksum, packed size and size."""
    return (
        zlib.crc32(entry.data) if entry.crc is None else entry.crc,
        len(entry.data) if entry.packed is None else entry.packed,
        len(entry.data) if entry.size is None else entry.size,
    )
