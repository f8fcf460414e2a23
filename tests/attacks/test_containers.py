"""Zips and directories that are another bundle to another reader, or more than there is room for (§9)."""

from __future__ import annotations

import os
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from ledger.verify.report import Report
from tests.attacks.mutators_log import copied
from tests.attacks.mutators_zip import Entry, pack
from tests.ledger.forgery import Forgery
from tests.ledger.small_ledger import SmallLedger
from tests.ledger.verifying import judge, problems

Change = Callable[[list[Entry]], None]


@pytest.fixture(scope="module")
def entries(real: Forgery, tmp_path_factory: pytest.TempPathFactory) -> list[Entry]:
    """The files of the real bundle in byte order of their names."""
    place = copied(real).write(tmp_path_factory.mktemp("zip") / "b")
    files = sorted(path for path in place.rglob("*") if path.is_file())
    named = sorted((str(path.relative_to(place)), path) for path in files)
    return [Entry(name=name.encode(), data=path.read_bytes()) for name, path in named]


@pytest.fixture
def zipped(made: SmallLedger, tmp_path: Path) -> Callable[[bytes], Report]:
    """Judge bytes as a zip."""

    def run(data: bytes) -> Report:
        (tmp_path / "b.zip").write_bytes(data)
        return judge(tmp_path / "b.zip", made.policy)

    return run


def test_zip_of_the_one_form(entries: list[Entry], zipped: Callable[[bytes], Report]) -> None:
    """Packed as §9 says it verifies: what fails below fails by its change."""
    assert problems(zipped(pack(entries))) == set()


@pytest.mark.parametrize(
    "name",
    [
        b"../scope.json",
        b"/etc/passwd",
        b"a/../../b",
        b"./scope.json",
        b"C:\\scope.json",
        b"a\\..\\b",
        b"scope.json\x00.txt",
        b"a//b",
        b"dir/",
        b"",
        b"x" * 300,
        "sc\u043epe.json".encode(),
        b"\xff",
    ],
    ids=repr,
)
def test_zip_traversal(entries: list[Entry], zipped: Callable[[bytes], Report], name: bytes) -> None:
    """A name that climbs, or that systems read differently, is refused before anything is read."""
    report = zipped(pack(sorted([*entries, Entry(name=name, data=b"x")], key=lambda each: each.name)))
    assert problems(report) == {"ZIP_FORM"}
    assert report.exit_code == 1
    assert not report.complete


def test_zip_bomb_by_compression(entries: list[Entry], zipped: Callable[[bytes], Report]) -> None:
    """Nothing in a bundle is compressed, so nothing can grow."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = packer.compress(bytes(50_000_000)) + packer.flush()
    bomb = Entry(name=b"zzz", data=packed, method=8, size=50_000_000)
    assert problems(zipped(pack([*entries, bomb]))) == {"ZIP_FORM"}


@pytest.mark.parametrize("size", [1 << 20, 0xFFFFFFFF])
def test_zip_bomb_by_a_claimed_size(
    entries: list[Entry], zipped: Callable[[bytes], Report], size: int
) -> None:
    """A size that the file can't hold."""
    bomb = Entry(name=b"zzz", data=b"x", size=size, packed=size)
    assert problems(zipped(pack([*entries, bomb]))) == {"ZIP_FORM"}


def test_zip_bomb_by_overlapping_entries(entries: list[Entry], zipped: Callable[[bytes], Report]) -> None:
    """Many entries over the same bytes: each lies where the one before it ends."""
    again = [Entry(name=b"zzz%d" % number, data=b"", offset=0) for number in range(3)]
    assert problems(zipped(pack([*entries, *again]))) == {"ZIP_FORM"}


def test_zip_duplicates(entries: list[Entry], zipped: Callable[[bytes], Report]) -> None:
    """Two files of one name: readers differ in which they keep."""
    at = next(number for number, each in enumerate(entries) if each.name == b"scope.json")
    assert problems(zipped(pack([*entries[: at + 1], entries[at], *entries[at + 1 :]]))) == {"ZIP_FORM"}


def test_zip_symlink(entries: list[Entry], zipped: Callable[[bytes], Report]) -> None:
    """A link to somewhere else on the reader's machine."""
    link = Entry(name=b"zzz", data=b"/etc/passwd", external=0o120777 << 16)
    assert problems(zipped(pack([*entries, link]))) == {"ZIP_FORM"}


@pytest.mark.parametrize(
    "change",
    [
        {"flags": 1},
        {"flags": 8},
        {"flags": 0x800},
        {"time": 1},
        {"extra": b"\x01\x00\x04\x00abcd"},
        {"comment": b"x"},
        {"disk": 1},
        {"crc": 7},
        {"local_name": b"other"},
        {"external": 0o755 << 16},
        {"version": 45},
    ],
    ids=str,
)
def test_zip_entry_in_another_form(
    entries: list[Entry], zipped: Callable[[bytes], Report], change: dict[str, object]
) -> None:
    """Encrypted, streamed, dated, commented, of another disk: one form, or none."""
    last = entries[-1]
    bent = Entry(name=last.name, data=last.data, **change)  # type: ignore[arg-type]
    report = zipped(pack([*entries[:-1], bent]))
    assert "ZIP_FORM" in problems(report)
    assert report.exit_code == 1


@pytest.mark.parametrize("where", ["before", "between", "after", "in the comment"])
def test_zip_hidden_bytes(entries: list[Entry], zipped: Callable[[bytes], Report], where: str) -> None:
    """A second archive hidden in the first: no byte is unaccounted for."""
    data = pack(entries)
    directory = data.index(b"PK\x01\x02")
    bent = {
        "before": data + data,
        "between": data[:directory] + b"hidden" + data[directory:],
        "after": data + b"hidden",
        "in the comment": data[:-2] + struct.pack("<H", 6) + b"hidden",
    }[where]
    report = zipped(bent)
    assert problems(report) <= {"ZIP_FORM", "BUNDLE"}
    assert report.exit_code in (1, 3)


@pytest.mark.parametrize("keep", [0, 1, 21, 22, 100, -1, -22, -50])
def test_zip_cut(entries: list[Entry], zipped: Callable[[bytes], Report], keep: int) -> None:
    """A torn download is no bundle."""
    report = zipped(pack(entries)[:keep])
    assert problems(report) <= {"ZIP_FORM", "BUNDLE"}
    assert report.exit_code in (1, 3)


def test_zip64(entries: list[Entry], tmp_path: Path, made: SmallLedger) -> None:
    """The larger form has other headers, and is not taken."""
    with zipfile.ZipFile(tmp_path / "b.zip", "w") as archive:
        for each in entries:
            with archive.open(each.name.decode(), "w", force_zip64=True) as member:
                member.write(each.data)
    assert problems(judge(tmp_path / "b.zip", made.policy)) == {"ZIP_FORM"}


# Directories


@pytest.mark.parametrize("target", ["file", "directory", "nothing"])
def test_directory_symlink(real: Forgery, made: SmallLedger, tmp_path: Path, target: str) -> None:
    """A link in a directory could show two readers two bundles."""
    place = copied(real).write(tmp_path / "b")
    there = {"file": place / "scope.json", "directory": tmp_path, "nothing": tmp_path / "none"}[target]
    (place / "zzz").symlink_to(there)
    report = judge(place, made.policy)
    assert problems(report) == {"BUNDLE_FORM"}
    assert report.exit_code == 3


def test_directory_with_a_pipe(real: Forgery, made: SmallLedger, tmp_path: Path) -> None:
    """A file that is none would hold the verifier for ever."""
    place = copied(real).write(tmp_path / "b")
    os.mkfifo(place / "zzz")
    assert problems(judge(place, made.policy)) == {"BUNDLE_FORM"}


@pytest.mark.parametrize("name", ["a b", "ümlaut", "a\nb", "back\\slash", "x" * 250, "-rf *"])
def test_directory_with_an_odd_name(real: Forgery, made: SmallLedger, tmp_path: Path, name: str) -> None:
    """Names of bundles are of few characters."""
    place = copied(real).write(tmp_path / "b")
    (place / name).write_bytes(b"x")
    report = judge(place, made.policy)
    assert problems(report) <= {"BUNDLE_FORM", "FILE_EXTRA"} and problems(report)  # noqa: PT018  one thing


@pytest.mark.parametrize("name", ["checkpoint", "tile/0/000.p/51", "payloads/000.p/51", "scope.json"])
def test_directory_in_the_place_of_a_file(
    real: Forgery, made: SmallLedger, tmp_path: Path, name: str
) -> None:
    """What should be a file is none."""
    place = copied(real).write(tmp_path / "b")
    (place / name).unlink()
    (place / name).mkdir()
    assert "FILE_MISSING" in problems(judge(place, made.policy))
