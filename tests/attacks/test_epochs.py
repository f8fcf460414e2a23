"""Attacks on the step from one epoch to the next: each by its own finding, and the true one verifies."""

from __future__ import annotations

import base64
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ledger.directory import Predecessor, create
from ledger.epochs import root_at
from ledger.exports import export_ledger
from ledger.genesis import open_epoch
from ledger.keys import Ed25519SigningKey
from ledger.prepare import Signer
from ledger.sources import SeededSources
from ledger.tiles import decode_entries, encode_entries, entries_path, payload_path
from ledger.trust import ledger_id
from ledger.verify.options import Scope
from ledger.verify.report import Report
from tests.ledger.epoch_story import OPERATOR, STUDY, Epochs, config, go_on, make_old, new_keys
from tests.ledger.small_ledger import SITE, seed
from tests.ledger.verifying import found, judge, problems
from tests.ledger.write_path import VITALS

AUDITOR = {"scope": Scope(kind="study"), "role": "auditor"}


@pytest.fixture(scope="module")
def epochs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Epochs]:
    """Two real epochs, the newer one with vital signs of a participant of the older one."""
    place = tmp_path_factory.mktemp("epochs")
    two = go_on(make_old(place / "old"), place)
    bedside = ("bchan", "coordinator", "authorship")
    stream = f"participant/{SITE}-001"
    two.new.say("vitals", *bedside, "vital_signs.recorded", stream, VITALS, occurred_at=two.new.now())
    yield two
    two.close()


@pytest.fixture(scope="module")
def bundles(epochs: Epochs) -> tuple[Path, Path]:
    """The newer epoch's bundle and the older one's."""
    return epochs.export("real")


@pytest.fixture
def forge(epochs: Epochs, tmp_path: Path) -> Iterator[Callable[..., Path]]:
    """Open a next epoch as somebody who lies about the older one, and export it."""
    made = []

    def run(
        signer: Signer | None = None,
        origin: str | None = None,
        label: str = "forged",
        **said: Any,
    ) -> tuple[Path, str, Any]:
        handover = epochs.handover
        root = signer or epochs.old.people["root"]
        keys = new_keys(label)
        sources = SeededSources(f"forged {len(made)}", epochs.old.sources.now_us())
        name = origin or handover.origin
        directory = tmp_path / f"forged{len(made)}"
        # The directory is told nothing of an older one, so that nobody checks what is said of it.
        ledger = create(directory, config(name), keys, None, sources)
        roots = handover.roots
        if signer is not None:
            key = replace(roots[0].key, id=root.key.id, spki=base64.b64encode(root.key.spki).decode())
            roots = (replace(roots[0], key=key),)
        open_epoch(
            ledger,
            [root],
            replace(handover.continues, **said),
            root_keys=roots,
            threshold=1,
            study=STUDY,
            service_key=keys.service.signing_key(),
            operator=OPERATOR,
        )
        made.append(ledger)
        place = tmp_path / f"bundle{len(made)}"
        export_ledger(ledger, place, **AUDITOR)  # type: ignore[arg-type]
        policy = replace(
            epochs.policy,
            ledger_id=ledger_id(ledger),
            log_keys=(*ledger.signers.verifier_keys, *epochs.old.ledger.signers.verifier_keys),
        )
        return place, ledger_id(ledger), policy

    yield run  # type: ignore[misc]
    for ledger in made:
        ledger.close()


def across(epochs: Epochs, bundles: tuple[Path, Path], **changes: Any) -> Report:
    """Verify the newer bundle with the older one."""
    return judge(bundles[0], epochs.policy, continues=(bundles[1],), **changes)


def test_real_epochs_verify(epochs: Epochs, bundles: tuple[Path, Path]) -> None:
    """All three verdicts hold across both, and what is breached in the newer one is recorded there."""
    report = across(epochs, bundles)
    assert problems(report) == set()
    assert report.exit_code == 0


def test_the_older_epoch_withheld(epochs: Epochs, bundles: tuple[Path, Path]) -> None:
    """A newer epoch alone is not the whole story, and its conduct is not judged."""
    report = judge(bundles[0], epochs.policy)
    assert problems(report) == {"EPOCH_MISSING"}
    assert found(report, "NOT_JUDGED") == [None]


def test_another_log_given_as_the_older_one(epochs: Epochs, bundles: tuple[Path, Path]) -> None:
    """A bundle of another log is not what leaf 0 continues."""
    report = judge(bundles[0], epochs.policy, continues=(bundles[0],))
    assert "EPOCH_LEDGER" in problems(report)


def test_an_older_epoch_for_a_log_that_continues_none(epochs: Epochs, bundles: tuple[Path, Path]) -> None:
    """A first epoch continues nothing."""
    report = judge(bundles[1], epochs.old.policy, continues=(bundles[0],))
    assert problems(report) == {"EPOCH_LEDGER"}


def test_an_altered_older_bundle(epochs: Epochs, bundles: tuple[Path, Path], tmp_path: Path) -> None:
    """An older epoch that does not verify carries nothing."""
    changed = tmp_path / "changed"
    shutil.copytree(bundles[1], changed)
    path = next((changed / "payloads").rglob("000*")) if (changed / "payloads").is_dir() else None
    assert path is not None
    file = path if path.is_file() else next(each for each in path.rglob("*") if each.is_file())
    file.write_bytes(file.read_bytes().replace(b"heart_rate", b"heart_rat3", 1))
    report = across(epochs, (bundles[0], changed))
    assert "EPOCH_OLD" in problems(report)


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("EPOCH_LEDGER", {"ledger_id": "ab" * 32}),
        ("EPOCH_LEDGER", {"origin": "ledger.example/another"}),
        ("EPOCH_ROOT", {"root": base64.b64encode(bytes(32)).decode()}),
        ("EPOCH_ROOT", {"size": 5}),
        ("EPOCH_ROOT", {"size": 1_000_000}),
    ],
)
def test_a_lie_about_the_older_log(
    forge: Callable[..., Any], bundles: tuple[Path, Path], code: str, said: dict[str, Any]
) -> None:
    """Ledger id, origin, root and size are those of the older log."""
    place, _, policy = forge(**said)
    report = judge(place, policy, continues=(bundles[1],))
    assert problems(report) == {code}


def test_an_origin_that_does_not_follow(forge: Callable[..., Any], bundles: tuple[Path, Path]) -> None:
    """The epoch after the first is e2."""
    place, _, policy = forge(origin="ledger.example/small/e7")
    assert problems(judge(place, policy, continues=(bundles[1],))) == {"EPOCH_LEDGER"}


def test_a_thief_opens_an_epoch(forge: Callable[..., Any], bundles: tuple[Path, Path]) -> None:
    """Whoever has the log's keys and no root key opens nothing, be they named root in the new log."""
    thief = Signer(Ed25519SigningKey.from_seed(seed("thief")), "root1", "Root Holder", "Sponsor")
    place, _, policy = forge(signer=thief)
    assert problems(judge(place, policy, continues=(bundles[1],))) == {"EPOCH_SIGNERS"}


def test_the_stolen_log_key_again(forge: Callable[..., Any], bundles: tuple[Path, Path]) -> None:
    """A log key of the older epoch signs no newer one."""
    place, _, policy = forge(label="")
    assert "EPOCH_KEYS" in problems(judge(place, policy, continues=(bundles[1],)))


def test_two_that_continue_the_same(
    epochs: Epochs, bundles: tuple[Path, Path], forge: Callable[..., Any]
) -> None:
    """Two logs that both continue the older one, signed by its root keys, are told by either bundle."""
    rival, _, _ = forge()
    report = across(epochs, bundles, beside=(rival,))
    assert problems(report) == {"EPOCH_TWICE"}


def test_a_rival_without_root_keys(
    epochs: Epochs, bundles: tuple[Path, Path], forge: Callable[..., Any]
) -> None:
    """A log that nobody with root keys opened accuses nobody."""
    thief = Signer(Ed25519SigningKey.from_seed(seed("thief")), "root1", "Root Holder", "Sponsor")
    rival, _, _ = forge(signer=thief)
    assert problems(across(epochs, bundles, beside=(rival,))) == set()
    assert problems(across(epochs, bundles, beside=(bundles[0],))) == set()


def test_a_rival_of_one_leaf(
    epochs: Epochs, bundles: tuple[Path, Path], forge: Callable[..., Any], tmp_path: Path
) -> None:
    """Its first leaf is all that is needed, also where a file of no leaves stands before it."""
    rival, _, _ = forge()
    (entries,), (payloads,) = (
        [path for path in sorted((rival / name).rglob("*")) if path.is_file()]
        for name in ("tile/entries", "payloads")
    )
    leaf = decode_entries(entries.read_bytes(), int(entries.name))[0]
    alone = tmp_path / "alone"
    for name, data in (
        ("tile/entries/000.p/0", b""),
        (entries_path(0, 1), encode_entries([leaf])),
        (payload_path(0, 1), payloads.read_bytes().partition(b"\n")[0] + b"\n"),
    ):
        (alone / name).parent.mkdir(parents=True, exist_ok=True)
        (alone / name).write_bytes(data)
    assert problems(across(epochs, bundles, beside=(alone,))) == {"EPOCH_TWICE"}


@pytest.mark.parametrize("stray", ["tile/entries/000.p/1", "tile/entries/000.p/0", "tile/entries/000"])
def test_a_stray_file_hides_no_rival(
    epochs: Epochs, bundles: tuple[Path, Path], forge: Callable[..., Any], stray: str
) -> None:
    """Beside entries that can be read, a file of another width that can't be changes nothing."""
    rival, _, _ = forge()
    (rival / stray).write_bytes(b"x")
    assert problems(across(epochs, bundles, beside=(rival,))) == {"EPOCH_TWICE"}


def test_a_leaf_without_its_statement_hides_no_rival(
    epochs: Epochs, bundles: tuple[Path, Path], forge: Callable[..., Any]
) -> None:
    """A narrower file with the true first leaf and no statement beside it leaves the wider one to be read."""
    rival, _, _ = forge()
    (entries,) = (path for path in (rival / "tile/entries").rglob("*") if path.is_file())
    leaf = decode_entries(entries.read_bytes(), int(entries.name))[0]
    (rival / entries_path(0, 1)).write_bytes(encode_entries([leaf]))
    assert problems(across(epochs, bundles, beside=(rival,))) == {"EPOCH_TWICE"}


def test_the_outbox_is_of_the_newer_log_alone(
    epochs: Epochs, bundles: tuple[Path, Path], tmp_path: Path
) -> None:
    """What a client handed in to the newer log is not missed in the older one."""
    stored = epochs.new.ledger.store.entry(epochs.new.at["vitals"])
    assert stored is not None
    assert stored.statement is not None
    (tmp_path / "kept.json").write_bytes(stored.statement)
    assert problems(across(epochs, bundles, outbox=tmp_path)) == set()


def test_statements_past_the_size(epochs: Epochs, bundles: tuple[Path, Path], tmp_path: Path) -> None:
    """What an older bundle shows past the size that is continued is said, and carries nothing."""
    size = epochs.handover.continues.size - 4
    root = base64.b64encode(root_at(epochs.old.ledger.store, size)).decode()
    keys = new_keys("shorter")
    sources = SeededSources("shorter", epochs.old.sources.now_us())
    before = Predecessor(directory=epochs.place / "old", size=size)
    ledger = create(tmp_path / "d", config(epochs.handover.origin, before), keys, None, sources)
    open_epoch(
        ledger,
        [epochs.old.people["root"]],
        replace(epochs.handover.continues, size=size, root=root),
        root_keys=epochs.handover.roots,
        threshold=1,
        study=STUDY,
        service_key=keys.service.signing_key(),
        operator=OPERATOR,
    )
    void = epochs.old.ledger.store.entry(size)
    assert void is not None
    assert ledger.refresh().reader.index_of(void.event) is None
    export_ledger(ledger, tmp_path / "b", **AUDITOR)  # type: ignore[arg-type]
    policy = replace(
        epochs.policy,
        ledger_id=ledger_id(ledger),
        log_keys=(*ledger.signers.verifier_keys, *epochs.old.ledger.signers.verifier_keys),
    )
    ledger.close()
    report = judge(tmp_path / "b", policy, continues=(bundles[1],))
    assert problems(report) == set()
    assert found(report, "EPOCH_VOID") == [None]


def test_conduct_of_the_older_epoch(epochs: Epochs, bundles: tuple[Path, Path]) -> None:
    """What speaks against conduct there speaks against it here: with --strict-conduct a recorded breach."""
    report = across(epochs, bundles, strict_conduct=True)
    assert {"EPOCH_CONDUCT", "RECORDED_BREACH"} <= problems(report)
