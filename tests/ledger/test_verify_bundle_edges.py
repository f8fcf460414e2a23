"""Reading a bundle strictly (§9): directory and zip give the same, and each defect has its code and file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ledger.errors import FormatError
from ledger.verify import bundle as bundles
from ledger.verify.bundle import Bundle, ZipBundle, check_name, open_bundle
from tests.attacks.mutators_zip import Entry, local, pack

FILES = {"a.jsonl": b"one\n\nthree\n", "b": b"", "d/e": b"deep\n", "d/f": b"no end"}
ENTRIES = [Entry(name=name.encode(), data=data) for name, data in FILES.items()]
END = 22


def directory(place: Path) -> Bundle:
    """Lay the files down in a directory."""
    for name, data in FILES.items():
        (place / "b" / name).parent.mkdir(parents=True, exist_ok=True)
        (place / "b" / name).write_bytes(data)
    return open_bundle(place / "b")


def zipped(place: Path, entries: Sequence[Entry] = ENTRIES) -> Bundle:
    """Pack entries into a zip."""
    return unpacked(place, pack(entries))


def unpacked(place: Path, data: bytes) -> Bundle:
    """Open bytes as a zip."""
    (place / "b.zip").write_bytes(data)
    return open_bundle(place / "b.zip")


def refusal(attempt: Callable[[], object]) -> tuple[str, str | None]:
    """Return code and file of what is refused."""
    with pytest.raises(FormatError) as caught:
        attempt()
    return caught.value.code, caught.value.field


@pytest.mark.parametrize("make", [directory, zipped])
def test_both_containers_give_the_same_files(make: Callable[[Path], Bundle], tmp_path: Path) -> None:
    """Names in byte order, sizes, bytes and lines; the limit of a reader is exact."""
    bundle = make(tmp_path)
    assert bundle.names() == list(FILES)
    for name, data in FILES.items():
        assert bundle.size(name) == len(data)
        assert bundle.read(name, max_bytes=len(data)) == data
    assert list(bundle.lines("a.jsonl")) == [b"one", b"", b"three"]
    assert list(bundle.lines("b")) == []
    bundle.close()


@pytest.mark.parametrize("make", [directory, zipped])
def test_both_containers_refuse_the_same(make: Callable[[Path], Bundle], tmp_path: Path) -> None:
    """A file that isn't there, one byte past the limit, a last line without its end."""
    bundle = make(tmp_path)
    for attempt in (
        bundle.size,
        lambda name: bundle.read(name, max_bytes=9),
        lambda name: [*bundle.lines(name)],
    ):
        assert refusal(lambda attempt=attempt: attempt("d/g")) == ("FILE_MISSING", "d/g")  # type: ignore[misc]
    assert refusal(lambda: bundle.read("d/e", max_bytes=4)) == ("FILE_SIZE", "d/e")
    assert refusal(lambda: [*bundle.lines("d/f")]) == ("FILE_FORM", "d/f")
    bundle.close()


@pytest.mark.parametrize("make", [directory, zipped])
def test_a_line_has_a_bounded_length(
    make: Callable[[Path], Bundle], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The longest line counts its line feed; one byte more is refused without reading on."""
    bundle = make(tmp_path)
    monkeypatch.setattr(bundles, "MAX_LINE_BYTES", 6)
    assert list(bundle.lines("a.jsonl")) == [b"one", b"", b"three"]
    monkeypatch.setattr(bundles, "MAX_LINE_BYTES", 5)
    lines = bundle.lines("a.jsonl")
    assert [next(lines), next(lines)] == [b"one", b""]
    assert refusal(lambda: next(lines)) == ("FILE_FORM", "a.jsonl")
    bundle.close()


@pytest.mark.parametrize(
    ("name", "right"),
    [
        ("a", True),
        ("a/b.c/D-e_9", True),
        ("..a/b..", True),
        ("a" * 255, True),
        ("a" * 256, False),
        ("", False),
        ("a//b", False),
        ("/a", False),
        ("a/", False),
        (".", False),
        ("a/..", False),
        ("../a", False),
        ("a\\b", False),
        ("a\n", False),
        ("é", False),
    ],
)
def test_a_name_is_plain(name: str, right: bool) -> None:
    """Letters, digits, dot, hyphen, underscore; no empty part, none that climbs, at most 255 characters."""
    if right:
        check_name(name)
    else:
        assert refusal(lambda: check_name(name)) == ("BUNDLE_FORM", None)


def test_what_lies_in_a_directory(tmp_path: Path) -> None:
    """Links are refused by name, wherever they lead; the number of files is bounded."""
    directory(tmp_path).close()
    (tmp_path / "b" / "d" / "link").symlink_to(tmp_path)
    assert refusal(lambda: open_bundle(tmp_path / "b")) == ("BUNDLE_FORM", "d/link")


def test_the_number_of_files_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As many as the limit says are taken, one more is not."""
    monkeypatch.setattr(bundles, "MAX_FILES", len(FILES))
    directory(tmp_path).close()
    monkeypatch.setattr(bundles, "MAX_FILES", len(FILES) - 1)
    assert refusal(lambda: directory(tmp_path)) == ("BUNDLE_FORM", None)


def test_a_file_that_goes_away_is_missed(tmp_path: Path) -> None:
    """What was listed and can't be opened any more is missing, not a crash."""
    bundle = directory(tmp_path)
    (tmp_path / "b" / "d" / "e").unlink()
    assert refusal(lambda: bundle.read("d/e", max_bytes=9)) == ("FILE_MISSING", "d/e")


def test_a_file_that_grows_is_not_read_past_the_limit(tmp_path: Path) -> None:
    """The size that was listed is no promise: what is read is counted again."""
    bundle = directory(tmp_path)
    (tmp_path / "b" / "d" / "e").write_bytes(b"longer than before")
    assert refusal(lambda: bundle.read("d/e", max_bytes=5)) == ("FILE_SIZE", "d/e")


@pytest.mark.parametrize("data", [b"", b"PK\x05\x06", bytes(21), bytes(22), b"junk" * 100])
def test_what_is_no_zip_is_no_bundle(data: bytes, tmp_path: Path) -> None:
    """Without an end record at its end a file is nothing that a verifier can judge."""
    assert refusal(lambda: unpacked(tmp_path, data)) == ("BUNDLE", None)
    assert refusal(lambda: open_bundle(tmp_path / "none")) == ("BUNDLE", None)


def test_where_no_bundle_is_the_path_is_told(tmp_path: Path) -> None:
    """`BUNDLE` names what was asked for, as a mistyped path is the usual reason."""
    with pytest.raises(FormatError, match="mistyped is neither"):
        open_bundle(tmp_path / "mistyped")


def test_a_ledgers_directory_is_told_from_a_damaged_bundle(tmp_path: Path) -> None:
    """Who takes the one for the other learns what to do; a bundle cannot be made to look so."""
    (tmp_path / "ledger.toml").touch()
    with pytest.raises(FormatError, match="trial-ledger export"):
        open_bundle(tmp_path)
    (tmp_path / "checkpoint").touch()
    assert open_bundle(tmp_path).size("checkpoint") == 0


def test_an_empty_zip_is_an_empty_bundle(tmp_path: Path) -> None:
    """Its end record alone is of the one form."""
    with closing(zipped(tmp_path, [])) as bundle:
        assert bundle.names() == []


@pytest.mark.parametrize(
    ("changes", "file"),
    [
        ({"method": 8}, "b"),
        ({"flags": 1}, "b"),
        ({"time": 1}, "b"),
        ({"version": 11}, "b"),
        ({"version": 45}, "b"),
        ({"extra": b"1234"}, "b"),
        ({"comment": b"x"}, "b"),
        ({"disk": 1}, "b"),
        ({"external": 0o100755 << 16}, "b"),
        ({"external": 0o120644 << 16}, "b"),
        ({"packed": 1}, "b"),
        ({"offset": 1}, "b"),
        ({"local_name": b"c"}, "b"),
        ({"name": b"a.jsonl"}, "a.jsonl"),
        ({"name": b"a"}, "a"),
        ({"name": b"../b"}, None),
        ({"name": b"\xff"}, None),
    ],
)
def test_an_entry_has_one_form(changes: dict[str, Any], file: str | None, tmp_path: Path) -> None:
    """Stored, without flags, extra, comment or time, of mode 0644, where the one before it ends."""
    entries = [ENTRIES[0], replace(ENTRIES[1], **changes), *ENTRIES[2:]]
    assert refusal(lambda: zipped(tmp_path, entries)) == ("ZIP_FORM", file)


@pytest.mark.parametrize("changes", [{"version": 10}, {"external": 0o644 << 16}])
def test_an_entry_may_be_of_the_older_form(changes: dict[str, Any], tmp_path: Path) -> None:
    """Version 1.0, and a mode without the kind of file, are what other writers put there."""
    entries = [ENTRIES[0], replace(ENTRIES[1], **changes), *ENTRIES[2:]]
    with closing(zipped(tmp_path, entries)) as bundle:
        assert bundle.names() == list(FILES)


def test_a_checksum_is_that_of_the_bytes(tmp_path: Path) -> None:
    """Read as a whole or line by line, a file with another checksum is refused by its name."""
    bundle = zipped(tmp_path, [replace(ENTRIES[0], crc=1), *ENTRIES[1:]])
    assert refusal(lambda: bundle.read("a.jsonl", max_bytes=99)) == ("ZIP_FORM", "a.jsonl")
    lines = bundle.lines("a.jsonl")
    assert [next(lines) for _ in range(3)] == [b"one", b"", b"three"]
    assert refusal(lambda: next(lines)) == ("ZIP_FORM", "a.jsonl")
    bundle.close()


def test_no_byte_between_the_contents_may_change(tmp_path: Path) -> None:
    """Every bit of headers, directory and end record counts, but those of checksums, which reading finds."""
    data = pack(ENTRIES)
    contents: set[int] = set()
    at = 0
    for entry in ENTRIES:
        at += len(local(entry))
        contents |= set(range(at, at + len(entry.data)))
        at += len(entry.data)
    for place in sorted(set(range(len(data))) - contents):
        for bit in (1, 0x40):
            changed = data[:place] + bytes([data[place] ^ bit]) + data[place + 1 :]
            with pytest.raises(FormatError, match=r"^(ZIP_FORM|BUNDLE)\b"):
                read_all(unpacked(tmp_path, changed))


def read_all(bundle: Bundle) -> None:
    """Read every file; the names have to be the ones that were packed."""
    try:
        for name in bundle.names():
            bundle.read(name, max_bytes=99)
        if bundle.names() != list(FILES):
            raise FormatError("ZIP_FORM", "other names")
    finally:
        bundle.close()


@pytest.mark.parametrize("more", [1, -1])
def test_the_end_record_counts_the_entries(more: int, tmp_path: Path) -> None:
    """One more than there are, and the directory is cut; one less, and bytes of it belong to nobody."""
    data = pack(ENTRIES)
    count = (len(ENTRIES) + more).to_bytes(2, "little")
    changed = data[: -END + 8] + count + count + data[-END + 12 :]
    assert refusal(lambda: unpacked(tmp_path, changed)) == ("ZIP_FORM", None)


@pytest.mark.parametrize("where", [0, len(pack(ENTRIES)) - END, len(pack(ENTRIES))])
def test_no_byte_may_stand_between(where: int, tmp_path: Path) -> None:
    """Neither before the first entry, nor in the directory, nor behind the end."""
    data = pack(ENTRIES)
    with pytest.raises(FormatError):
        unpacked(tmp_path, data[:where] + b"\0" + data[where:])


def test_a_zip_that_is_refused_is_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing stays open of a container that can't be read."""
    opened: list[Any] = []
    real = Path.open

    def kept(path: Path, mode: str) -> Any:
        opened.append(real(path, mode))
        return opened[-1]

    (tmp_path / "b.zip").write_bytes(b"junk" * 100)
    monkeypatch.setattr(Path, "open", kept)
    with pytest.raises(FormatError):
        ZipBundle(tmp_path / "b.zip")
    assert opened[-1].closed
