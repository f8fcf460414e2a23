"""A study laid down in one file: verified, and asked everything, without the service that made it."""

from __future__ import annotations

import re
import shlex
import shutil
import stat
import tempfile
import zipfile
from contextlib import suppress
from pathlib import Path

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.archive import unpack
from ledger.cli.app import run
from ledger.errors import FormatError
from ledger.keyfile import KeyMaterial, write_key
from ledger.statement import parse_statement
from ledger.store.sqlite import SqliteStore
from projections.archiving import read_back
from tests.api.client import write_directory
from tests.full_disk import no_room
from tests.ledger.small_ledger import seed
from tests.ledger.write_path import refused
from tests.shared import ROOT


@pytest.fixture(scope="module")
def sealed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A place with a ledger, a policy kept by an auditor, an administrator's key, and the archive."""
    place = tmp_path_factory.mktemp("archive")
    made = write_directory(place / "ledger")
    made.write_policy(place / "mine")
    made.ledger.close()
    write_key(place / "admin.json", KeyMaterial(alg="ed25519", secret=seed("admin")), None)
    signed = ["--key", str(place / "admin.json"), "--role", "sponsor_administrator"]
    where = ["--medium", "tape", "--place", "vault"]
    code = run(["archive", "seal", str(place / "ledger"), str(place / "a.zip"), *where, *signed])
    assert code == 0
    return place


def newest(ledger: Path, type_: str) -> tuple[str, dict[str, object]]:
    """Return event and data of the newest statement of a type."""
    store = SqliteStore.open(ledger / "ledger.db")
    entry = store.entries(0, store.head().size, [type_])[-1]
    store.close()
    return entry.event, dict(parse_statement(entry.statement).data)


def test_an_archive_is_sealed_with_its_hash(sealed: Path) -> None:
    """`archive.sealed` is signed by a person and names hash, tree, medium and place."""
    _, data = newest(sealed / "ledger", "archive.sealed")
    done = read_back(sealed / "a.zip", sealed / "once", (sealed / "mine").read_bytes())
    assert (data["sha256"], data["medium"], data["place"]) == (done.sha256, "tape", "vault")
    assert done.problems == ()
    assert done.counts["participants"] == 2
    assert done.counts["trail"] > 40


@pytest.mark.parametrize("name", ["ledger", "mistyped.zip"])
def test_what_is_no_file_is_no_archive(
    sealed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    """`ARCHIVE` names a directory, or a path where nothing is."""
    assert run(["archive", "check", str(sealed / name), "--policy", str(sealed / "mine")]) == 3
    assert capsys.readouterr().err.startswith("error: ARCHIVE: expected the file")


def test_no_key_and_no_token_is_in_it(sealed: Path, tmp_path: Path) -> None:
    """What closes sealed values stays where it is, and so do the tokens that open the service."""
    unpack(sealed / "a.zip", tmp_path)
    names = {path.name for path in tmp_path.rglob("*") if path.is_file()}
    assert not names & {"kek.json", "log.json", "service.json", "datakeys.db", "accounts.db"}
    assert "sha256" not in (tmp_path / "ledger" / "ledger.toml").read_text()


def test_every_reading_command_works_on_it(
    sealed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """On an empty machine: verify, trail, replay as known then, a report."""
    unpack(sealed / "a.zip", tmp_path)
    ledger = str(tmp_path / "ledger")
    assert run(["archive", "check", str(sealed / "a.zip"), "--policy", str(sealed / "mine")]) == 0
    capsys.readouterr()
    assert run(["trail", ledger, "--participant", "SA-01-001", "--json"]) == 0
    assert orjson.loads(capsys.readouterr().out)
    assert run(["replay", ledger, "SA-01-001", "--known", "40", "--json"]) == 0
    assert run(["report", ledger, "visits", "--json"]) == 0


def test_reading_back_is_recorded(sealed: Path, tmp_path: Path) -> None:
    """`archive.restored_and_read` says what came back; another file is recorded as one that differs."""
    shutil.copytree(sealed / "ledger", tmp_path / "ledger")
    event, _ = newest(tmp_path / "ledger", "archive.sealed")
    words = ["--policy", str(sealed / "mine"), "--ledger", str(tmp_path / "ledger"), "--sealed", event]
    words += ["--key", str(sealed / "admin.json"), "--role", "sponsor_administrator"]
    assert run(["archive", "check", str(sealed / "a.zip"), *words]) == 0
    _, read = newest(tmp_path / "ledger", "archive.restored_and_read")
    assert (read["statement"], read["readable"]) == (event, True)
    data = bytearray((sealed / "a.zip").read_bytes())
    data[len(data) // 2] ^= 1
    (tmp_path / "changed.zip").write_bytes(data)
    assert run(["archive", "check", str(tmp_path / "changed.zip"), *words]) == 1
    _, told = newest(tmp_path / "ledger", "breach.detected")
    assert told["rule"] == "ARCHIVE_DIFFERS"


MEMBERS = {"README.md": b"r", "policy": b"p", "ledger/ledger.toml": b"c", "ledger/ledger.db": b"d"}


def archive(place: Path, **members: bytes) -> Path:
    """Write an archive in form, with more members."""
    with zipfile.ZipFile(place, "w") as packed:
        for name, data in {**MEMBERS, **members}.items():
            packed.writestr(plain(name), data)
    return place


def plain(name: str) -> zipfile.ZipInfo:
    """Describe a member as an archive has them."""
    member = zipfile.ZipInfo(name)
    member.external_attr = (stat.S_IFREG | 0o644) << 16
    return member


def test_an_archive_in_form_is_unpacked(tmp_path: Path) -> None:
    """What the others are changed from."""
    unpack(archive(tmp_path / "a.zip"), tmp_path / "place")
    assert (tmp_path / "place" / "ledger" / "ledger.db").read_bytes() == b"d"


@pytest.mark.parametrize("name", ["../out", "bundle/../../out", "/out", "other", "bundle", "LEDGER/x"])
def test_what_is_no_archive_is_not_unpacked(tmp_path: Path, name: str) -> None:
    """Members elsewhere and unknown ones: nothing is unpacked, not even those before them."""
    with refused("ARCHIVE", FormatError):
        unpack(archive(tmp_path / "a.zip", **{name: b"x"}), tmp_path / "place")
    assert [path.name for path in tmp_path.iterdir()] == ["a.zip"]


def test_members_are_stored_as_they_are(tmp_path: Path) -> None:
    """Nobody knows before how large a compressed one is; a link leads elsewhere."""
    packs, links = archive(tmp_path / "packs.zip"), archive(tmp_path / "links.zip")
    with zipfile.ZipFile(packs, "a") as packed:
        packed.writestr(plain("bundle/x"), b"x", zipfile.ZIP_DEFLATED)
    link = plain("bundle/x")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(links, "a") as packed:
        packed.writestr(link, b"/etc/passwd")
    for each in (packs, links):
        with refused("ARCHIVE", FormatError):
            unpack(each, tmp_path / "place")


def test_a_member_that_lies_below_another_is_the_archives_fault(tmp_path: Path) -> None:
    """No place could hold both; it is no place that takes no more."""
    with refused("ARCHIVE", FormatError):
        unpack(archive(tmp_path / "a.zip", **{"bundle/x": b"x", "bundle/x/y": b"y"}), tmp_path / "place")


@pytest.mark.parametrize(
    "changes",
    [{6: 0xFF}, {22: 0x01, 26: 0x01}, {9: 0x08, 46: 0xFF}, {28: 0xFF}],
    ids=["a version that nobody reads", "more bytes than there are", "a name that is no text", "a long name"],
)
def test_a_directory_of_members_that_is_damaged_is_told(tmp_path: Path, changes: dict[int, int]) -> None:
    """Whatever the library for zip files makes of it: no outcome of a check is lost by it."""
    data = bytearray(archive(tmp_path / "a.zip").read_bytes())
    begins = data.index(b"PK\x01\x02")
    for at, value in changes.items():
        data[begins + at] = value
    (tmp_path / "a.zip").write_bytes(data)
    with refused("ARCHIVE", FormatError):
        unpack(tmp_path / "a.zip", tmp_path / "place")


@given(damage=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), max_size=3))
def test_an_archive_that_is_damaged_anywhere_is_told(damage: list[tuple[float, int]]) -> None:
    """In no other way than as one that cannot be read."""
    with tempfile.TemporaryDirectory() as place:
        file = archive(Path(place) / "a.zip")
        data = bytearray(file.read_bytes())
        for where, value in damage:
            data[int(where * len(data))] = value
        file.write_bytes(data)
        with suppress(FormatError):
            unpack(file, Path(place) / "out")


def test_a_damaged_member_is_named(sealed: Path, tmp_path: Path) -> None:
    """One bit of a member that is stored as it is: its checksum tells."""
    with zipfile.ZipFile(sealed / "a.zip") as packed:
        begins = packed.getinfo("ledger/ledger.db").header_offset
    data = bytearray((sealed / "a.zip").read_bytes())
    data[begins + 4096] ^= 1
    (tmp_path / "changed.zip").write_bytes(data)
    with pytest.raises(FormatError, match=r"ledger/ledger\.db in it is damaged"):
        unpack(tmp_path / "changed.zip", tmp_path / "place")


def test_a_place_that_is_full_says_nothing_of_the_archive(
    sealed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is no outcome: nobody records an archive as unreadable because a disk was full."""
    with no_room(100_000):
        assert run(["archive", "check", str(sealed / "a.zip"), "--policy", str(sealed / "mine")]) == 3
    assert "can't be written" in capsys.readouterr().err


def test_the_page_does_what_it_says(
    sealed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The commands of docs/archive.md, in their order."""
    shutil.copytree(sealed / "ledger", tmp_path / "ledger")
    shutil.copy(sealed / "mine", tmp_path / "mine")
    shutil.copy(sealed / "admin.json", tmp_path / "administrator.json")
    monkeypatch.chdir(tmp_path)
    page = (ROOT / "docs" / "archive.md").read_text(encoding="utf-8")
    lines = [line for block in re.findall(r"(?ms)^```sh\n(.*?)^```", page) for line in block.splitlines()]
    for program, *words in map(shlex.split, lines):
        if words[0] == "trail":
            unpack(Path("study.zip"), Path("unpacked"))
        assert (program, run(words)) == ("trial-ledger", 0)
    assert "vital_signs.recorded" in capsys.readouterr().out
