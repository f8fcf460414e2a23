"""The study that twins play: the demonstration, then what unblinded people do who see an arm."""

from __future__ import annotations

import shutil
from contextlib import suppress
from datetime import date
from pathlib import Path
from typing import Any, Final

from ledger.actions.fields import Source
from ledger.actions.preparation import padded
from ledger.demo import play_demo
from ledger.demo.cast import PREPARER, person_at, pharmacist
from ledger.demo.play import Progress
from ledger.demo.setup import OPENING
from ledger.directory import UNBLINDINGS
from ledger.recorded import Recorded
from ledger.store.unblindings import UnblindingQueue
from ledger.times import format_instant
from ledger.unblinding import Envelope, Request, ask, issue_envelope, look_again, show
from tests.twins import SEED, Twin

PARTICIPANTS: Final = 5
HALFWAY: Final = date(2024, 6, 12)
"""A day on which all of them are on treatment, and past the second stage."""
SOURCE: Final = {"kind": "esource"}
HOUR_US: Final = 3_600_000_000
PHARMACIST: Final = "unblinded_pharmacist"


class _EnoughError(Exception):
    """The part that is wanted has been played."""


def play(directory: Path, label: str) -> Twin:
    """Play the whole study with the lists that a label draws, and return it open."""
    _play(directory, label, lambda step, done, total: None)
    return Twin.open(directory)


def play_half(directory: Path, label: str) -> Twin:
    """Play it until everybody who is treated has both allocations, and go on from there."""

    def stop(step: str, done: int, total: int) -> None:
        if done >= (HALFWAY - OPENING).days:
            raise _EnoughError

    with suppress(_EnoughError):
        _play(directory, label, stop)
    twin = Twin.open(directory)
    open_an_arm(twin)
    spoil_doses(twin)
    return twin


def _play(directory: Path, label: str, progress: Progress) -> None:
    play_demo(directory, seed=SEED, participants=PARTICIPANTS, seeds_label=label, progress=progress)


def copy_of(twin: Twin, directory: Path) -> Twin:
    """Return a twin of a twin, to write to."""
    shutil.copytree(twin.directory, directory, ignore=shutil.ignore_patterns("export"))
    copied = Twin.open(directory, "copies")
    copied.named_as(twin)
    return copied


def allocated(twin: Twin) -> list[str]:
    """Return who has an allocation, by id."""
    return [name for name, arms in twin.arms().items() if arms]


def open_an_arm(twin: Twin) -> None:
    """Show an arm in an emergency, show it again, and make an envelope for another (catalogue D)."""
    first, second = allocated(twin)[:2]
    person = person_at(twin.site_of(first), "sub_investigator")
    request = Request(participant=first, reason=("emergency", "surgery"), source=Source(kind="esource"))
    with UnblindingQueue(twin.directory / UNBLINDINGS) as queue:
        asked = ask(twin.ledger, queue, twin.signer(person), "sub_investigator", request)
    seen = show(twin.ledger, asked)
    again = look_again(
        twin.ledger, person=person, role="sub_investigator", participant=first, purpose="emergency"
    )
    assert seen == again
    assert seen.arm in twin.arms()[first]
    site = twin.site_of(second)
    keeper = twin.signer(pharmacist(site, PREPARER))
    envelope = Envelope(name="TWIN-1", participant=second, site=site, custodian=keeper.person, seal="S-1")
    issue_envelope(twin.ledger, keeper, envelope)


def spoil_doses(twin: Twin) -> None:
    """Make up what is wrong in every arm: the products of the arm, and no line for any other."""
    for number, participant in enumerate(allocated(twin)):
        label = f"L-TWIN-{number}"
        assert "SEALED_RULE" in make_up(twin, participant, label, products_of(twin, participant)).breaches


def products_of(twin: Twin, participant: str) -> list[str]:
    """Return the products of a participant's first arm."""
    definition = twin.fold.conduct.study.protocols[-1].definition
    arm = None if definition is None else definition.arm(twin.arms()[participant][0])
    assert arm is not None
    return [dose.product for dose in arm.doses]


def make_up(twin: Twin, participant: str, label: str, products: list[str]) -> Recorded:
    """Record a dose with lines for these products alone."""
    site = twin.site_of(participant)
    rows = [{"product": each, "quantity": {"value": "10", "unit": "mg"}} for each in products]
    data: dict[str, Any] = {
        "label": label,
        "participant": participant,
        "infusion": 1,
        "volume": {"value": "250", "unit": "mL"},
        "beyond_use": format_instant(twin.sources.now_us() + 8 * HOUR_US),
        "source": SOURCE,
    }
    return twin.say(
        pharmacist(site, PREPARER),
        PHARMACIST,
        "dose.prepared",
        f"pharmacy/{site}",
        data,
        opened={"/data/contents": padded(rows)},
    )
