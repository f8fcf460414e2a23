"""Two real epochs to attack, openings of next epochs that lie, and a way to judge across."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ledger.committer import Ledger
from ledger.directory import create
from ledger.exports import export_ledger
from ledger.genesis import open_epoch
from ledger.keys import Ed25519SigningKey
from ledger.policy import TrustPolicy
from ledger.prepare import Signer
from ledger.sources import SeededSources
from ledger.trust import ledger_id
from ledger.verify.options import Scope
from ledger.verify.report import Report
from tests.ledger.epoch_story import OPERATOR, STUDY, Epochs, config, go_on, make_old, new_keys
from tests.ledger.small_ledger import SITE, seed
from tests.ledger.verifying import judge
from tests.ledger.write_path import VITALS

AUDITOR = {"scope": Scope(kind="study"), "role": "auditor"}
Forge = Callable[..., tuple[Path, str, TrustPolicy]]
"""Opens a next epoch as somebody who lies; its bundle, ledger id, and a policy that names it."""


@pytest.fixture(scope="session")
def epochs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Epochs]:
    """Two real epochs, the newer one with vital signs of a participant of the older one."""
    place = tmp_path_factory.mktemp("epochs")
    two = go_on(make_old(place / "old"), place)
    bedside = ("bchan", "coordinator", "authorship")
    stream = f"participant/{SITE}-001"
    two.new.say("vitals", *bedside, "vital_signs.recorded", stream, VITALS, occurred_at=two.new.now())
    yield two
    two.close()


@pytest.fixture(scope="session")
def bundles(epochs: Epochs) -> tuple[Path, Path]:
    """The newer epoch's bundle and the older one's."""
    return epochs.export("real")


@pytest.fixture
def forge(epochs: Epochs, tmp_path: Path) -> Iterator[Forge]:
    """Open a next epoch as somebody who lies about the older one, and export it."""
    made: list[Ledger] = []

    def run(**how: Any) -> tuple[Path, str, TrustPolicy]:
        ledger = opened(epochs, tmp_path / f"forged{len(made)}", **how)
        made.append(ledger)
        place = tmp_path / f"bundle{len(made)}"
        export_ledger(ledger, place, **AUDITOR)  # type: ignore[arg-type]
        policy = replace(
            epochs.policy,
            ledger_id=ledger_id(ledger),
            log_keys=(*ledger.signers.verifier_keys, *epochs.old.ledger.signers.verifier_keys),
        )
        return place, ledger_id(ledger), policy

    yield run
    for ledger in made:
        ledger.close()


def opened(
    epochs: Epochs,
    directory: Path,
    signer: Signer | None = None,
    origin: str | None = None,
    label: str = "forged",
    **said: Any,
) -> Ledger:
    """Open a next epoch in a directory that is told nothing of the older one, so that nobody checks it."""
    handover = epochs.handover
    root = signer or epochs.old.people["root"]
    keys = new_keys(label)
    sources = SeededSources(directory.name, epochs.old.sources.now_us())
    ledger = create(directory, config(origin or handover.origin), keys, None, sources)
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
    return ledger


def across(epochs: Epochs, bundles: tuple[Path, Path], **changes: Any) -> Report:
    """Verify the newer bundle with the older one."""
    return judge(bundles[0], epochs.policy, continues=(bundles[1],), **changes)


def thief() -> Signer:
    """Return who has the log's keys and no root key."""
    return Signer(Ed25519SigningKey.from_seed(seed("thief")), "root1", "Root Holder", "Sponsor")
