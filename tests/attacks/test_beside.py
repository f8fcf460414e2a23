"""Logs laid beside the one that is judged: what counts as a rival, and that none is hidden."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from ledger import canonical
from ledger.earlier_store import root_at
from ledger.envelope import event_hash, pae
from ledger.exports import export_ledger
from ledger.genesis import key_object
from ledger.keys import Ed25519SigningKey
from ledger.note import CosignatureSigner, NoteSigner, format_vkey
from ledger.prepare import Signer
from ledger.service import LogSigners
from ledger.tiles import decode_entries, encode_entries, entries_path, payload_path
from tests.attacks.two_epochs import AUDITOR, Forge, across, opened, thief
from tests.ledger.epoch_story import Epochs, go_on, make_old
from tests.ledger.forgery import Forgery, key_of
from tests.ledger.small_ledger import ORIGIN, SmallLedger, seed
from tests.ledger.verifying import found, judge, problems


def first_files(bundle: Path) -> tuple[Path, Path]:
    """Return the files of a small bundle's leaves and statements."""
    (entries,), (payloads,) = (
        [path for path in (bundle / name).rglob("*") if path.is_file()]
        for name in ("tile/entries", "payloads")
    )
    return entries, payloads


def lay_first(bundle: Path, of: Path) -> None:
    """Lay the first entry of another bundle into one, as its only entry of width 1."""
    entries, payloads = first_files(of)
    leaf = decode_entries(entries.read_bytes(), int(entries.name))[0]
    (bundle / entries_path(0, 1)).write_bytes(encode_entries([leaf]))
    (bundle / payload_path(0, 1)).write_bytes(payloads.read_bytes().partition(b"\n")[0] + b"\n")


def thiefs(forge: Forge) -> Path:
    """Make a log that somebody without root keys opened."""
    return forge(signer=thief())[0]


def test_two_that_continue_the_same(epochs: Epochs, bundles: tuple[Path, Path], forge: Forge) -> None:
    """Two logs that both continue the older one, signed by its root keys, are told by either bundle."""
    rival, _, _ = forge()
    report = across(epochs, bundles, beside=(rival,))
    assert problems(report) == {"EPOCH_TWICE"}


def test_a_rival_without_root_keys(epochs: Epochs, bundles: tuple[Path, Path], forge: Forge) -> None:
    """A log that nobody with root keys opened accuses nobody."""
    rival, _, _ = forge(signer=thief())
    assert problems(across(epochs, bundles, beside=(rival,))) == set()
    assert problems(across(epochs, bundles, beside=(bundles[0],))) == set()


@pytest.mark.parametrize("width", [1, 256])
def test_a_rival_of_one_leaf(
    epochs: Epochs, bundles: tuple[Path, Path], forge: Forge, tmp_path: Path, width: int
) -> None:
    """Its first leaf is all that is needed, in a full file too, also where one of no leaves is before it."""
    rival, _, _ = forge()
    entries, payloads = first_files(rival)
    leaf = decode_entries(entries.read_bytes(), int(entries.name))[0]
    alone = tmp_path / "alone"
    for name, data in (
        ("tile/entries/000.p/0", b""),
        (entries_path(0, width), encode_entries([leaf] * width)),
        (payload_path(0, width), (payloads.read_bytes().partition(b"\n")[0] + b"\n") * width),
    ):
        (alone / name).parent.mkdir(parents=True, exist_ok=True)
        (alone / name).write_bytes(data)
    assert problems(across(epochs, bundles, beside=(alone,))) == {"EPOCH_TWICE"}


@pytest.mark.parametrize("stray", ["tile/entries/000.p/1", "tile/entries/000.p/0", "tile/entries/000"])
def test_a_stray_file_hides_no_rival(
    epochs: Epochs, bundles: tuple[Path, Path], forge: Forge, stray: str
) -> None:
    """Beside entries that can be read, a file of another width that can't be changes nothing."""
    rival, _, _ = forge()
    (rival / stray).write_bytes(b"x")
    assert problems(across(epochs, bundles, beside=(rival,))) == {"EPOCH_TWICE"}


def test_a_leaf_without_its_statement_hides_no_rival(
    epochs: Epochs, bundles: tuple[Path, Path], forge: Forge
) -> None:
    """A narrower file with the true first leaf and no statement beside it leaves the wider one to be read."""
    rival, _, _ = forge()
    entries, _ = first_files(rival)
    leaf = decode_entries(entries.read_bytes(), int(entries.name))[0]
    (rival / entries_path(0, 1)).write_bytes(encode_entries([leaf]))
    assert problems(across(epochs, bundles, beside=(rival,))) == {"EPOCH_TWICE"}


@pytest.mark.parametrize("decoy", ["before the rival", "and the rival before it"])
def test_a_decoy_first_leaf_hides_no_rival(
    epochs: Epochs, bundles: tuple[Path, Path], forge: Forge, decoy: str
) -> None:
    """An opening that counts for nothing, whole and well signed, beside the one that does."""
    rival, _, _ = forge()
    other = thiefs(forge)
    bundle, of = (rival, other) if decoy == "before the rival" else (other, rival)
    lay_first(bundle, of)
    assert problems(across(epochs, bundles, beside=(bundle,))) == {"EPOCH_TWICE"}


@pytest.mark.parametrize(
    "hidden",
    ["statement", "leaf", "statement and leaf", "checkpoint", "log key", "payload file", "first byte"],
)
def test_a_rival_that_is_hidden_is_not_passed_over(
    epochs: Epochs, bundles: tuple[Path, Path], forge: Forge, hidden: str
) -> None:
    """What stands for no log may hide a rival: it is neither counted nor dismissed."""
    rival, _, _ = forge()
    decoy = thiefs(forge)
    (entries, payloads), (other_entries, other_payloads) = first_files(rival), first_files(decoy)
    leaves = decode_entries(entries.read_bytes(), int(entries.name))
    lines = payloads.read_bytes().split(b"\n")
    if hidden in ("statement", "statement and leaf"):
        lines[0] = b"" if hidden == "statement" else other_payloads.read_bytes().partition(b"\n")[0]
        payloads.write_bytes(b"\n".join(lines))
    if hidden in ("leaf", "statement and leaf"):
        leaves[0] = decode_entries(other_entries.read_bytes(), int(other_entries.name))[0]
        entries.write_bytes(encode_entries(leaves))
    if hidden == "checkpoint":
        (decoy / "checkpoint").write_bytes((rival / "checkpoint").read_bytes())
        rival = decoy
    if hidden == "log key":
        note = (decoy / "checkpoint").read_bytes().splitlines(keepends=True)
        (decoy / "checkpoint").write_bytes(b"".join(note[:-1]))
        rival = decoy
    if hidden == "payload file":
        payloads.unlink()
    if hidden == "first byte":
        payloads.write_bytes(b"x" + payloads.read_bytes())
    report = across(epochs, bundles, beside=(rival,))
    assert problems(report) == {"EPOCH_BESIDE"}
    assert report.exit_code == 1


@pytest.mark.parametrize("kind", ["nothing there", "no zip", "empty"])
def test_what_is_no_bundle_beside(
    epochs: Epochs, bundles: tuple[Path, Path], tmp_path: Path, kind: str
) -> None:
    """A path that holds no bundle, or a cut one, was not looked at, and the report says so."""
    path = tmp_path / "other.zip"
    if kind == "no zip":
        path.write_bytes(b"PK\x03\x04")
    if kind == "empty":
        path.mkdir()
    report = across(epochs, bundles, beside=(path,))
    assert problems(report) == {"EPOCH_BESIDE"}
    assert all("other.zip" in each.detail for each in report.problems)


def test_what_lies_beside_and_is_no_rival_is_named(
    epochs: Epochs, bundles: tuple[Path, Path], forge: Forge
) -> None:
    """Each is dismissed by name, with what it is instead; nothing is passed over in silence."""
    beside = (thiefs(forge), bundles[0], bundles[1], forge(ledger_id="ab" * 32)[0])
    report = across(epochs, bundles, beside=beside)
    assert problems(report) == set()
    said = [each.detail for each in report.notes if each.code == "EPOCH_APART"]
    assert [each.split(maxsplit=1)[0] for each in said] == [path.name.split()[0] for path in beside]
    size = report.facts["size"]
    ends = ("counts for nothing", f"is this log at {size} entries", "no other log", "another log")
    assert [detail.endswith(end) for detail, end in zip(said, ends, strict=True)] == [True] * 4


def test_a_rival_beside_and_no_older_epoch(epochs: Epochs, bundles: tuple[Path, Path], forge: Forge) -> None:
    """Whose root keys signed it can't be told without the older log: it is not dismissed."""
    report = judge(bundles[0], epochs.policy, beside=(forge()[0],))
    assert problems(report) == {"EPOCH_MISSING", "EPOCH_BESIDE"}
    alone = judge(bundles[1], epochs.old.policy, beside=(bundles[0],))
    assert problems(alone) == set()
    assert found(alone, "EPOCH_APART") == [None]


@pytest.mark.parametrize("larger", [False, True])
def test_a_fork_of_the_same_log_beside(
    epochs: Epochs, bundles: tuple[Path, Path], tmp_path: Path, larger: bool
) -> None:
    """A copy of the judged log with other entries is evidence of a fork, whichever of them is longer."""
    kept = int((bundles[0] / "checkpoint").read_bytes().splitlines()[1])
    forged = Forgery(epochs.new, tmp_path / "b")
    forged.set_leaf(kept - 1, at="2030-01-01T00:00:00.000000Z")
    if larger:
        forged.leaves.append(forged.leaves[-1])
        forged.payloads.append(forged.payloads[-1])
    report = across(epochs, bundles, beside=(forged.write(tmp_path / "w"),))
    assert problems(report) == {"FORK"}
    assert found(report, "FORK") == [kept - 1]


def test_a_forks_checkpoint_alone_beside(epochs: Epochs, bundles: tuple[Path, Path], tmp_path: Path) -> None:
    """Two checkpoints of one size that the log signed are the evidence, without any entry of the other."""
    forged = Forgery(epochs.new, tmp_path / "b")
    kept = int((bundles[0] / "checkpoint").read_bytes().splitlines()[1])
    del forged.leaves[kept:], forged.payloads[kept:]
    forged.set_leaf(kept - 1, at="2030-01-01T00:00:00.000000Z")
    alone = tmp_path / "alone"
    alone.mkdir()
    (alone / "checkpoint").write_bytes((forged.write(tmp_path / "w") / "checkpoint").read_bytes())
    report = across(epochs, bundles, beside=(alone,))
    assert problems(report) == {"FORK"}
    assert found(report, "FORK") == [kept - 1]


def test_a_shorter_fork_of_the_same_log_beside(
    epochs: Epochs, bundles: tuple[Path, Path], tmp_path: Path
) -> None:
    """What was cut off before the end and differs before that is evidence as well, at its own size."""
    forged = Forgery(epochs.new, tmp_path / "b")
    del forged.leaves[-2:], forged.payloads[-2:]
    forged.set_leaf(forged.size - 1, at="2030-01-01T00:00:00.000000Z")
    report = across(epochs, bundles, beside=(forged.write(tmp_path / "w"),))
    assert problems(report) == {"FORK"}
    assert found(report, "FORK") == [forged.size - 1]


def test_a_log_of_one_entry_beside(
    epochs: Epochs, bundles: tuple[Path, Path], made: SmallLedger, tmp_path: Path
) -> None:
    """An opening with nothing after it stands as a log, and is dismissed as one that continues no other."""
    forged = Forgery(made, tmp_path / "b")
    del forged.leaves[1:], forged.payloads[1:]
    report = across(epochs, bundles, beside=(forged.write(tmp_path / "w"),))
    assert problems(report) == set()
    assert found(report, "EPOCH_APART") == [None]


@pytest.mark.parametrize(
    ("size", "why"),
    [
        (b"0", "expected a checkpoint of at least one entry"),
        (b"-1", "expected a checkpoint of at least one entry"),
        (b"9" * 16, "expected an entry bundle for each 256 entries"),
        (b"9" * 17, "expected a checkpoint of at least one entry"),
    ],
)
def test_a_size_that_the_bundle_cannot_have(
    epochs: Epochs, bundles: tuple[Path, Path], forge: Forge, size: bytes, why: str
) -> None:
    """Before anything is read for it, a claimed size is held against what the bundle has room for."""
    other = thiefs(forge)
    lines = (other / "checkpoint").read_bytes().split(b"\n")
    lines[1] = size
    (other / "checkpoint").write_bytes(b"\n".join(lines))
    report = across(epochs, bundles, beside=(other,))
    assert [(each.code, why in each.detail) for each in report.problems] == [("EPOCH_BESIDE", True)]


def test_a_checkpoint_of_another_log_than_the_first_entry(
    epochs: Epochs, bundles: tuple[Path, Path], made: SmallLedger, tmp_path: Path
) -> None:
    """Leaves under a well signed checkpoint whose origin is not the opening's stand for no log."""
    forged = Forgery(made, tmp_path / "b")
    elsewhere = f"{ORIGIN}/elsewhere"
    forged.signers = LogSigners(
        head=NoteSigner(elsewhere, seed("elsewhere")),
        published=(CosignatureSigner(elsewhere, seed("elsewhere")),),
    )
    named = forged.statement(0)
    named["data"]["log_keys"] = [format_vkey(key) for key in forged.signers.verifier_keys]
    body = canonical.encode(named)
    signer = key_of("root")
    sigs = [{"alg": signer.alg, "key": signer.id, "sig": base64.b64encode(signer.sign(pae(body))).decode()}]
    forged.payloads[0] = body
    forged.set_leaf(0, statement=event_hash(body), sigs=sigs)
    report = across(epochs, bundles, beside=(forged.write(tmp_path / "w"),))
    assert [(each.code, each.detail.endswith("are of different logs")) for each in report.problems] == [
        ("EPOCH_BESIDE", True)
    ]


def test_a_rival_by_root_keys_that_were_replaced(tmp_path: Path) -> None:
    """A rival that goes on from an earlier size is judged by the root keys of then as well."""
    old = make_old(tmp_path / "old", participants=1)
    before, size = old.people["root"], old.ledger.store.head().size
    root = base64.b64encode(root_at(old.ledger.store, size)).decode()
    key = Ed25519SigningKey.from_seed(seed("root again"))
    new = Signer(key, before.person, before.name, before.organisation)
    own = key_object(key, new.person, "client")
    added = {"alg": own.alg, "grade": own.grade, "id": own.id, "person": own.person, "spki": own.spki}
    roots = [{"key": added, "name": new.name, "organisation": new.organisation}]
    change = ("policy", "root", "root", "approval", "policy.changed", "study")
    old.say(*change, {"root_keys": roots}, further=[key])
    old.people["root"] = new
    two = go_on(old, tmp_path)
    ledger = opened(two, tmp_path / "rival", signer=before, size=size, root=root)
    export_ledger(ledger, tmp_path / "rival.zip", **AUDITOR)  # type: ignore[arg-type]
    ledger.close()
    report = across(two, two.export("true"), beside=(tmp_path / "rival.zip",))
    two.close()
    assert problems(report) == {"EPOCH_TWICE"}
