"""Read an export bundle strictly, from a directory or a zip (record-format.md §9).

A bundle is a set of named byte strings. The reader gives their names, sizes and bytes and refuses what could
make two readers see different bundles: links, special files, names that climb, and in a zip compression,
encryption, extra fields, comments, gaps, hidden or doubled entries, and local headers that disagree with the
central directory. What the files mean is judged elsewhere; so is which of them may be there.

Left out on purpose: zip64. A bundle past 4 GiB or 65,535 files is a directory.
"""

from __future__ import annotations

import os
import re
import stat
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final, Protocol

from ledger.errors import FormatError

MAX_FILES: Final = 1_000_000
MAX_LINE_BYTES: Final = 8 * 1024 * 1024

_NAME = re.compile(r"[A-Za-z0-9_.-]+(?:/[A-Za-z0-9_.-]+)*")

# PKWARE APPNOTE 4.3.7, 4.3.12, 4.3.16
_LOCAL: Final = struct.Struct("<4sHHHHHIIIHH")
_CENTRAL: Final = struct.Struct("<4sHHHHHHIIIHHHHHII")
_END: Final = struct.Struct("<4sHHHHIIH")
ZIP_TIME: Final = 0
ZIP_DATE: Final = (1980 - 1980) << 9 | 1 << 5 | 1
ZIP_VERSIONS: Final = (10, 20)
ZIP_MODES: Final = (0o644, stat.S_IFREG | 0o644)
UNIX: Final = 3


class Bundle(Protocol):
    """Named byte strings of one export."""

    def names(self) -> list[str]:
        """List every file's name, sorted by bytes."""
        ...

    def size(self, name: str) -> int:
        """Return the size of a file in bytes."""
        ...

    def read(self, name: str, *, max_bytes: int) -> bytes:
        """Return a file's bytes.

        Raises:
            FormatError: `FILE_SIZE` past the limit, `FILE_MISSING`, or `ZIP_FORM` for a wrong checksum.
        """
        ...

    def lines(self, name: str) -> Iterator[bytes]:
        """Yield a file's lines without their LF; every line ends in one.

        Raises:
            FormatError: `FILE_FORM` for a last line without LF or a line past the limit.
        """
        ...

    def close(self) -> None:
        """Let go of open files."""
        ...


def open_bundle(path: Path) -> Bundle:
    """Open a bundle by what is at the path: a directory, or a zip file.

    Raises:
        FormatError: `BUNDLE` when there is neither; `BUNDLE_FORM` or `ZIP_FORM` when it can't be read safely.
    """
    try:
        if path.is_dir():
            if (path / "ledger.toml").exists() and not (path / "checkpoint").exists():
                raise FormatError("BUNDLE", "a ledger's directory: `trial-ledger export` makes bundles")
            return DirectoryBundle(path)
        if path.is_file():
            return ZipBundle(path)
    except OSError as error:
        raise FormatError("BUNDLE", f"the bundle can't be read: {error.strerror}") from error
    raise FormatError("BUNDLE", f"expected a directory or a zip file, and {path} is neither")


def check_name(name: str) -> None:
    """Refuse a file name that a bundle can't have: other characters, empty parts, `.` or `..`.

    Raises:
        FormatError: `BUNDLE_FORM`.
    """
    if len(name) > 255 or _NAME.fullmatch(name) is None or {".", ".."} & set(name.split("/")):
        raise FormatError("BUNDLE_FORM", "a file name that bundles do not have")


class DirectoryBundle:
    """A bundle that lies in a directory; only regular files and directories are let in."""

    def __init__(self, root: Path) -> None:
        """List the whole directory once.

        Raises:
            FormatError: `BUNDLE_FORM`.
        """
        self._root = root
        self._sizes: dict[str, int] = {}
        self._list("")

    def _list(self, below: str) -> None:
        with os.scandir(self._root / below) as found:
            for item in found:
                name = f"{below}{item.name}"
                check_name(name)
                if item.is_symlink():
                    raise FormatError("BUNDLE_FORM", "a bundle has no links", field=name)
                if item.is_dir(follow_symlinks=False):
                    self._list(f"{name}/")
                elif item.is_file(follow_symlinks=False):
                    self._sizes[name] = item.stat(follow_symlinks=False).st_size
                else:
                    raise FormatError("BUNDLE_FORM", "a bundle has regular files only", field=name)
                if len(self._sizes) > MAX_FILES:
                    raise FormatError("BUNDLE_FORM", f"a bundle has at most {MAX_FILES} files")

    def names(self) -> list[str]:
        """List every file's name, sorted by bytes."""
        return sorted(self._sizes)

    def size(self, name: str) -> int:
        """Return the size of a file in bytes."""
        if name not in self._sizes:
            raise FormatError("FILE_MISSING", "a file that the bundle must have is missing", field=name)
        return self._sizes[name]

    def read(self, name: str, *, max_bytes: int) -> bytes:
        """Return a file's bytes; see `Bundle.read`."""
        _check_size(self.size(name), max_bytes, name)
        with self._open(name) as file:
            data = file.read(max_bytes + 1)
        _check_size(len(data), max_bytes, name)
        return data

    def lines(self, name: str) -> Iterator[bytes]:
        """Yield a file's lines; see `Bundle.lines`."""
        self.size(name)
        with self._open(name) as file:
            while line := file.readline(MAX_LINE_BYTES + 1):
                yield _whole_line(line, name)

    def close(self) -> None:
        """Nothing is held open."""

    def _open(self, name: str) -> BinaryIO:
        try:
            return (self._root / name).open("rb")
        except OSError as error:
            raise FormatError("FILE_MISSING", "a file of the bundle can't be read", field=name) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class _Member:
    start: int
    size: int
    crc: int


class ZipBundle:
    """A bundle in one zip file of exactly the form that §9 gives."""

    def __init__(self, path: Path) -> None:
        """Read and check the whole container, but none of the contents.

        Raises:
            FormatError: `ZIP_FORM`.
        """
        self._file = path.open("rb")
        try:
            self._members = _read_directory(self._file)
        except BaseException:
            self._file.close()
            raise

    def names(self) -> list[str]:
        """List every file's name, sorted by bytes."""
        return list(self._members)

    def size(self, name: str) -> int:
        """Return the size of a file in bytes."""
        return self._member(name).size

    def read(self, name: str, *, max_bytes: int) -> bytes:
        """Return a file's bytes; see `Bundle.read`."""
        member = self._member(name)
        _check_size(member.size, max_bytes, name)
        self._file.seek(member.start)
        data = self._file.read(member.size)
        if zlib.crc32(data) != member.crc:
            raise FormatError("ZIP_FORM", "the checksum of a file is wrong", field=name)
        return data

    def lines(self, name: str) -> Iterator[bytes]:
        """Yield a file's lines; see `Bundle.lines`."""
        member = self._member(name)
        position, left, crc = member.start, member.size, 0
        while left:
            self._file.seek(position)
            line = self._file.readline(min(left, MAX_LINE_BYTES + 1))
            crc, position, left = zlib.crc32(line, crc), position + len(line), left - len(line)
            yield _whole_line(line, name)
        if crc != member.crc:
            raise FormatError("ZIP_FORM", "the checksum of a file is wrong", field=name)

    def close(self) -> None:
        """Close the zip file."""
        self._file.close()

    def _member(self, name: str) -> _Member:
        if name not in self._members:
            raise FormatError("FILE_MISSING", "a file that the bundle must have is missing", field=name)
        return self._members[name]


def _check_size(size: int, max_bytes: int, name: str) -> None:
    if size > max_bytes:
        raise FormatError("FILE_SIZE", f"expected at most {max_bytes} bytes, got {size}", field=name)


def _whole_line(line: bytes, name: str) -> bytes:
    if not line.endswith(b"\n") or len(line) > MAX_LINE_BYTES:
        raise FormatError("FILE_FORM", "expected lines of bounded length, each with LF", field=name)
    return line[:-1]


def _read_directory(file: BinaryIO) -> dict[str, _Member]:
    """Check every structural byte of the container and return where each file's bytes are.

    The file must be exactly: local header, name, bytes, for each entry; central headers in the same order;
    end record. Then no byte of it is unaccounted for.
    """
    total = file.seek(0, os.SEEK_END)
    if total < _END.size:
        raise FormatError("BUNDLE", "expected a directory or a zip file")
    file.seek(total - _END.size)
    magic, disk, start_disk, here, count, length, offset, comment = _END.unpack(file.read(_END.size))
    if magic != b"PK\x05\x06":
        raise FormatError("BUNDLE", "expected a directory or a zip file that ends in its end record")
    if disk or start_disk or here != count or comment:
        raise FormatError("ZIP_FORM", "expected one end record of one disk, without a comment")
    if offset + length + _END.size != total or count == 0xFFFF:
        raise FormatError("ZIP_FORM", "expected the central directory right before the end record")
    file.seek(offset)
    directory = file.read(length)
    members: dict[str, _Member] = {}
    position = at = 0
    previous = ""
    for _ in range(count):
        name, crc, size, at, version = _central_entry(directory, at, position)
        if name <= previous:
            raise FormatError(
                "ZIP_FORM", "expected entries in byte order of their names, each once", field=name
            )
        header = _LOCAL.pack(
            b"PK\x03\x04", version, 0, 0, ZIP_TIME, ZIP_DATE, crc, size, size, len(name), 0
        ) + name.encode("ascii")
        file.seek(position)
        if file.read(len(header)) != header:
            raise FormatError("ZIP_FORM", "a local header disagrees with the central directory", field=name)
        members[name] = _Member(start=position + len(header), size=size, crc=crc)
        position += len(header) + size
        previous = name
    if at != len(directory) or position != offset:
        raise FormatError("ZIP_FORM", "bytes that belong to no entry")
    return members


def _central_entry(directory: bytes, at: int, position: int) -> tuple[str, int, int, int, int]:
    """Check one central header; return name, checksum, size, the next header's place, version needed."""
    if at + _CENTRAL.size > len(directory):
        raise FormatError("ZIP_FORM", "the central directory is cut")
    (
        magic, made_by, version, flags, method, time, date, crc, packed, size,
        name_length, extra, comment, disk, internal, external, offset,
    ) = _CENTRAL.unpack_from(directory, at)  # fmt: skip
    raw = directory[at + _CENTRAL.size : at + _CENTRAL.size + name_length]
    try:
        name = raw.decode("ascii")
        check_name(name)
    except (UnicodeDecodeError, FormatError) as error:
        raise FormatError("ZIP_FORM", "a file name that bundles do not have") from error
    if magic != b"PK\x01\x02" or version not in ZIP_VERSIONS or made_by != UNIX << 8 | version:
        raise FormatError("ZIP_FORM", "expected a plain entry made for Unix", field=name)
    if flags or method or packed != size or extra or comment or disk or internal:
        raise FormatError("ZIP_FORM", "expected a stored entry without flags, extra or comment", field=name)
    if (time, date) != (ZIP_TIME, ZIP_DATE) or external not in {mode << 16 for mode in ZIP_MODES}:
        raise FormatError("ZIP_FORM", "expected time 1980-01-01 and mode 0644", field=name)
    if offset != position:
        raise FormatError("ZIP_FORM", "an entry does not lie where the one before it ends", field=name)
    return name, crc, size, at + _CENTRAL.size + name_length, version
