"""Attacks on the step from one epoch to the next: each by its own finding, and the true one verifies."""

from __future__ import annotations

import base64
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ledger.directory import Predecessor, create
from ledger.epochs import root_at
from ledger.exports import export_ledger
from ledger.genesis import open_epoch
from ledger.sources import SeededSources
from ledger.trust import ledger_id
from tests.attacks.two_epochs import AUDITOR, Forge, across, thief
from tests.ledger.epoch_story import OPERATOR, STUDY, Epochs, config, new_keys
from tests.ledger.verifying import found, judge, problems


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
    forge: Forge, bundles: tuple[Path, Path], code: str, said: dict[str, Any]
) -> None:
    """Ledger id, origin, root and size are those of the older log."""
    place, _, policy = forge(**said)
    report = judge(place, policy, continues=(bundles[1],))
    assert problems(report) == {code}


def test_an_origin_that_does_not_follow(forge: Forge, bundles: tuple[Path, Path]) -> None:
    """The epoch after the first is e2."""
    place, _, policy = forge(origin="ledger.example/small/e7")
    assert problems(judge(place, policy, continues=(bundles[1],))) == {"EPOCH_LEDGER"}


def test_a_thief_opens_an_epoch(forge: Forge, bundles: tuple[Path, Path]) -> None:
    """Whoever has the log's keys and no root key opens nothing, be they named root in the new log."""
    place, _, policy = forge(signer=thief())
    assert problems(judge(place, policy, continues=(bundles[1],))) == {"EPOCH_SIGNERS"}


def test_the_stolen_log_key_again(forge: Forge, bundles: tuple[Path, Path]) -> None:
    """A log key of the older epoch signs no newer one."""
    place, _, policy = forge(label="")
    assert "EPOCH_KEYS" in problems(judge(place, policy, continues=(bundles[1],)))


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
