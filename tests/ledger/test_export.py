"""Bundles: same inputs same bytes, exactly the files of §9, and what a scope and a role see."""

from __future__ import annotations

import hashlib
import json
import struct
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.errors import RefusedError, StoreError
from ledger.export import Exported, export_bundle
from ledger.verify.judge import verify
from ledger.verify.options import Scope
from ledger.verify.report import Report
from tests.ledger.small_ledger import SITE, SmallLedger, make
from tests.ledger.verifying import found, judge, options, problems

STUDY = Scope(kind="study")
FIRST = Scope(kind="participant", id="SA-01-001")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> SmallLedger:
    """One ledger of more than one tile for the whole file."""
    return make(tmp_path_factory.mktemp("ledger") / "d", participants=34)


@pytest.fixture(scope="module")
def bundle(made: SmallLedger, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its whole bundle in a directory, with a consistency proof."""
    place = tmp_path_factory.mktemp("bundle") / "b"
    export(made, place, old_sizes=(1, 200))
    return place


def export(
    made: SmallLedger,
    place: Path,
    *,
    scope: Scope = STUDY,
    role: str = "auditor",
    old_sizes: tuple[int, ...] = (),
) -> Exported:
    """Export the newest checkpoint."""
    ledger = made.ledger
    return export_bundle(
        ledger.store, ledger.data_keys, made.publish(), place, scope=scope, role=role, old_sizes=old_sizes
    )


def contents(place: Path) -> dict[str, bytes]:
    """Return the bytes of every file by name."""
    return {str(path.relative_to(place)): path.read_bytes() for path in place.rglob("*") if path.is_file()}


def check(made: SmallLedger, place: Path, scope: Scope = STUDY, role: str = "auditor") -> Report:
    """Verify under the ledger's own policy."""
    return judge(place, made.policy, scope=scope, role=role)


def test_export_verifies(made: SmallLedger, bundle: Path) -> None:
    """What is exported holds, over more than one tile."""
    report = check(made, bundle)
    assert report.exit_code == 0
    assert report.counts["statements shown"] > 256
    assert (bundle / "tile" / "1" / "000.p" / "1").is_file()


def test_same_inputs_same_bytes(made: SmallLedger, bundle: Path, tmp_path: Path) -> None:
    """A bundle is a function of checkpoint, scope and role."""
    again = export(made, tmp_path / "again", old_sizes=(1, 200))
    assert contents(tmp_path / "again") == contents(bundle)
    lines = "".join(
        f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, data in sorted(contents(bundle).items())
    )
    assert again.manifest_sha256 == hashlib.sha256(lines.encode()).hexdigest()


def test_zip_holds_the_same_files(made: SmallLedger, bundle: Path, tmp_path: Path) -> None:
    """Directory and zip carry the same bytes, and both verify."""
    export(made, tmp_path / "b.zip", old_sizes=(1, 200))
    with zipfile.ZipFile(tmp_path / "b.zip") as file:
        assert {info.filename: file.read(info) for info in file.infolist()} == contents(bundle)
        assert {info.date_time for info in file.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert {info.external_attr >> 16 & 0o777 for info in file.infolist()} == {0o644}
    assert check(made, tmp_path / "b.zip").exit_code == 0


def test_older_checkpoint_gives_the_older_bundle(made: SmallLedger, tmp_path: Path) -> None:
    """An export of an earlier published checkpoint shows nothing that came after."""
    small = make(tmp_path / "d", participants=1)
    note = small.publish()
    before = small.ledger.store.head().size
    export_bundle(
        small.ledger.store, small.ledger.data_keys, note, tmp_path / "one", scope=STUDY, role="auditor"
    )
    data = {"date": "2024-06-04", "person": "bchan", "topic": "pump"}
    small.say("pump", "root", "root", "verification", "training.recorded", "person/bchan", data)
    small.publish()
    export_bundle(
        small.ledger.store, small.ledger.data_keys, note, tmp_path / "two", scope=STUDY, role="auditor"
    )
    assert contents(tmp_path / "one") == contents(tmp_path / "two")
    assert json.loads((tmp_path / "two" / "scope.json").read_bytes())["size"] == before


def test_wrong_consistency_proof_is_found(made: SmallLedger, bundle: Path, tmp_path: Path) -> None:
    """A proof for another old size does not hold."""
    files = contents(bundle)
    files["consistency/199"] = files.pop("consistency/200")
    write(tmp_path / "b", files)
    report = check(made, tmp_path / "b")
    assert problems(report) == {"CONSISTENCY"}


def test_occupied_place_is_refused(made: SmallLedger, tmp_path: Path) -> None:
    """Nothing is overwritten, and nothing half-written is left."""
    (tmp_path / "b").mkdir()
    with pytest.raises(RefusedError) as caught:
        export(made, tmp_path / "b")
    assert caught.value.code == "OUT_EXISTS"
    with pytest.raises(StoreError) as missing:
        export(made, tmp_path / "none" / "b")
    assert missing.value.code == "STORE_IO"
    assert list(tmp_path.iterdir()) == [tmp_path / "b"]


@pytest.mark.parametrize("old", [0, 10_000])
def test_old_size_that_is_not_of_the_log(made: SmallLedger, tmp_path: Path, old: int) -> None:
    """A consistency proof is from a size that the log had."""
    with pytest.raises(RefusedError) as caught:
        export(made, tmp_path / "b", old_sizes=(old,))
    assert caught.value.code == "EXPORT_SIZE"
    assert not (tmp_path / "b").exists()


@pytest.mark.parametrize("role", ["service", "device", "list_holder", "blinded_rater", "nobody"])
def test_roles_without_a_bundle(made: SmallLedger, tmp_path: Path, role: str) -> None:
    """A role that sees parts of streams gets no bundle, since §9 has no form for it."""
    with pytest.raises(RefusedError) as caught:
        export(made, tmp_path / "b", role=role)
    assert caught.value.code == "EXPORT_ROLE"


def test_auditor_opens_free_text_only(made: SmallLedger, bundle: Path) -> None:
    """What the auditor does not see stays closed: identity is in no file of the bundle."""
    opened = {path for line in lines(bundle, "disclosures.jsonl") for path in line["open"]}
    assert opened == {"/reason/text"}
    assert not any(b"the person behind" in data for data in contents(bundle).values())


def test_inspector_opens_everything(made: SmallLedger, tmp_path: Path) -> None:
    """The inspector sees identity too, and the bundle made for the inspector verifies as one."""
    export(made, tmp_path / "b", role="inspector")
    opened = {path for line in lines(tmp_path / "b", "disclosures.jsonl") for path in line["open"]}
    assert {"/data/identity", "/data/age_years", "/reason/text"} <= opened
    assert check(made, tmp_path / "b", role="inspector").exit_code == 0


def test_bundle_that_opens_too_much_is_found(made: SmallLedger, tmp_path: Path) -> None:
    """An auditor's bundle with identity opened is found, whatever scope.json says."""
    export(made, tmp_path / "b", role="inspector")
    report = check(made, tmp_path / "b", role="auditor")
    assert {"SCOPE_MISMATCH", "SHOWN_BLINDED"} <= problems(report)


def test_refusals_are_withheld_from_who_does_not_see_them(made: SmallLedger, tmp_path: Path) -> None:
    """access/ is withheld as blinded from a data manager, and its salt is not given."""
    export(made, tmp_path / "b", role="data_manager")
    withheld = lines(tmp_path / "b", "withheld.jsonl")
    assert [line["why"] for line in withheld] == ["blinded"]
    assert not any(name.startswith("access/") for name in salts(tmp_path / "b"))
    report = check(made, tmp_path / "b", role="data_manager")
    assert report.exit_code == 0
    assert found(report, "NOT_JUDGED") == [None]


def test_participant_scope(made: SmallLedger, tmp_path: Path) -> None:
    """A participant's bundle shows control statements and that participant, whole, and verifies as such."""
    export(made, tmp_path / "b", scope=FIRST)
    assert set(salts(tmp_path / "b")) == {"participant/SA-01-001"}
    assert {line["why"] for line in lines(tmp_path / "b", "withheld.jsonl")} == {"scope"}
    report = check(made, tmp_path / "b", scope=FIRST)
    assert report.exit_code == 0
    # The record of the backdated delegation's breach is a statement of the site: not judged, never passed.
    assert made.at["backdated"] in found(report, "NOT_JUDGED")
    assert judge(tmp_path / "b", made.policy, scope=FIRST, strict_conduct=True).exit_code == 1
    assert "SCOPE_MISMATCH" in problems(check(made, tmp_path / "b"))


def test_site_scope(made: SmallLedger, tmp_path: Path) -> None:
    """A site's bundle shows all of the site and withholds the rest."""
    scope = Scope(kind="site", id=SITE)
    export(made, tmp_path / "b", scope=scope, role="investigator")
    assert len(salts(tmp_path / "b")) == 34
    assert check(made, tmp_path / "b", scope=scope, role="investigator").exit_code == 0


def test_empty_scope_is_no_success(made: SmallLedger, tmp_path: Path) -> None:
    """A site that is not in the log gives a bundle in which nothing is of the scope."""
    scope = Scope(kind="site", id="XX-99")
    export(made, tmp_path / "b", scope=scope)
    report = check(made, tmp_path / "b", scope=scope)
    assert problems(report) == {"SCOPE_EMPTY"}


def test_participants_own_bundle(made: SmallLedger, tmp_path: Path) -> None:
    """A participant gets their own records and nobody else's."""
    export(made, tmp_path / "b", scope=FIRST, role="participant")
    assert check(made, tmp_path / "b", scope=FIRST, role="participant").exit_code == 0
    with pytest.raises(RefusedError):
        export(made, tmp_path / "c", role="participant")


def test_links_are_refused(made: SmallLedger, bundle: Path, tmp_path: Path) -> None:
    """A link could show two readers two bundles."""
    write(tmp_path / "b", contents(bundle))
    (tmp_path / "b" / "verify.html").unlink()
    (tmp_path / "b" / "verify.html").symlink_to("/etc/hostname")
    report = check(made, tmp_path / "b")
    assert problems(report) == {"BUNDLE_FORM"}
    assert report.exit_code == 3


@pytest.fixture(scope="module")
def small_zip(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, SmallLedger]:
    """A small zip for changes."""
    small = make(tmp_path_factory.mktemp("small") / "d", participants=1)
    place = tmp_path_factory.mktemp("zip") / "b.zip"
    export(small, place)
    return place.read_bytes(), small


@settings(max_examples=60)
@given(data=st.data())
def test_no_changed_byte_of_a_zip_passes(
    data: st.DataObject, small_zip: tuple[bytes, SmallLedger], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """One byte changed anywhere in the zip, its own structure included, is never verified."""
    content, small = bytearray(small_zip[0]), small_zip[1]
    at = data.draw(st.integers(0, len(content) - 1))
    content[at] ^= data.draw(st.integers(1, 255))
    place = tmp_path_factory.mktemp("flip") / "b.zip"
    place.write_bytes(content)
    assert verify(place, options(small.policy)).exit_code in (1, 3)


def rewrite(content: bytes, place: Path, change: str) -> None:
    """Write the zip again with one defect of form."""
    source = place.with_name("source.zip")
    source.write_bytes(content)
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(place, "w") as new:
        infos = old.infolist()
        if change == "order":
            infos.reverse()
        for info in infos:
            member = zipfile.ZipInfo(info.filename, (1980, 1, 1, 0, 0, 0))
            member.create_system, member.external_attr = 3, info.external_attr
            match change:
                case "deflated":
                    member.compress_type = zipfile.ZIP_DEFLATED
                case "time":
                    member.date_time = (2024, 6, 3, 8, 0, 0)
                case "mode":
                    member.external_attr = 0o100755 << 16
                case "extra":
                    member.extra = struct.pack("<HH", 0xCAFE, 0)
                case "comment":
                    member.comment = b"x"
                case "traversal" if info.filename == "scope.json":
                    member.filename = "../scope.json"
            new.writestr(member, old.read(info))
        if change == "directory":
            new.mkdir("attachments")
        if change == "archive comment":
            new.comment = b"x"
        if change == "twice":
            with pytest.warns(UserWarning, match="Duplicate"):
                new.writestr(zipfile.ZipInfo("scope.json", (1980, 1, 1, 0, 0, 0)), b"{}")


@pytest.mark.parametrize(
    "change",
    [
        "order",
        "deflated",
        "time",
        "mode",
        "extra",
        "comment",
        "traversal",
        "directory",
        "archive comment",
        "twice",
    ],
)
def test_zip_of_another_form(small_zip: tuple[bytes, SmallLedger], tmp_path: Path, change: str) -> None:
    """A zip has one allowed form; whatever else unpacks to the same files is a finding."""
    rewrite(small_zip[0], tmp_path / "b.zip", change)
    report = verify(tmp_path / "b.zip", options(small_zip[1].policy))
    assert problems(report) & {"ZIP_FORM", "BUNDLE"}
    assert report.exit_code in (1, 3)


def test_zip_written_by_another_program(small_zip: tuple[bytes, SmallLedger], tmp_path: Path) -> None:
    """The same form written by the standard library, entry by entry, verifies."""
    rewrite(small_zip[0], tmp_path / "b.zip", "none")
    assert verify(tmp_path / "b.zip", options(small_zip[1].policy)).exit_code == 0


@pytest.mark.parametrize("where", ["before", "after", "between"])
def test_bytes_that_belong_to_no_entry(
    small_zip: tuple[bytes, SmallLedger], tmp_path: Path, where: str
) -> None:
    """No byte of a zip is unaccounted for."""
    content = small_zip[0]
    directory = content.index(b"PK\x01\x02")
    at = {"before": 0, "after": len(content), "between": directory}[where]
    (tmp_path / "b.zip").write_bytes(content[:at] + b"hidden" + content[at:])
    report = verify(tmp_path / "b.zip", options(small_zip[1].policy))
    assert report.exit_code in (1, 3)


def lines(place: Path, name: str) -> list[dict[str, dict[str, str]]]:
    """Read a `.jsonl` file."""
    return [json.loads(line) for line in (place / name).read_bytes().splitlines()]


def salts(place: Path) -> dict[str, str]:
    """Read `streams.json`."""
    found: dict[str, str] = json.loads((place / "streams.json").read_bytes())
    return found


def write(place: Path, files: dict[str, bytes]) -> None:
    """Write a bundle's files."""
    for name, data in files.items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_bytes(data)
