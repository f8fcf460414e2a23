"""Lists, arms and emergencies over two epochs: what was allocated before is not out of reach after."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest

from ledger.actions.fields import Source
from ledger.cli.app import run
from ledger.directory import UNBLINDINGS, open_ledger
from ledger.epochs import freeze
from ledger.errors import RefusedError
from ledger.fsck import check_storage
from ledger.keyfile import Holder, KeyMaterial, write_key
from ledger.policy import format_policy
from ledger.prepare import Signer
from ledger.store.unblindings import UnblindingQueue
from ledger.study.lists import CONTINUE, RandomizationList
from ledger.unblinding import Request, ask, show
from ledger.unblinding_epochs import carry_over, waiting_before
from ledger.verify.main import main as verify
from tests.ledger.epoch_story import Epochs, enrol, go_on, make_old
from tests.ledger.small_ledger import SITE, SmallLedger, seed
from tests.ledger.test_second_stage import ask_again, on_treatment, with_both_lists
from tests.ledger.write_path import key_of, refused, types_from

NAME: Final = f"{SITE}-001"
WHY: Final = Request(
    participant=NAME,
    reason=("overdose", "found unconscious"),
    source=Source(kind="esource"),
    asked_by="Dr. Elsewhere",
    disclosed_to=("bchan",),
)
FURTHER: Final = (("sub", "A. Name", f"Site {SITE}", "sub_investigator", [SITE]),)


def investigator() -> Signer:
    """Return the investigator."""
    return Signer(key_of("aruiz"), "aruiz", "Dr. Ana Ruíz", f"Site {SITE}")


def unblinded(made: SmallLedger, place: Path) -> tuple[int | None, str]:
    """Unblind the participant; return index and arm."""
    with UnblindingQueue(place / UNBLINDINGS) as queue:
        asked = ask(made.ledger, queue, investigator(), "investigator", WHY)
        return asked.index, show(made.ledger, asked).arm


@pytest.fixture(scope="module")
def randomized(
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[SmallLedger, Path, tuple[RandomizationList, ...]]:
    """An epoch with both lists and a participant on treatment; closed, to be copied."""
    place = tmp_path_factory.mktemp("randomized")
    made = make_old(place / "old", participants=0)
    lists = with_both_lists(made)
    on_treatment(made, NAME)
    made.ledger.close()
    return made, place / "old", lists


@pytest.fixture
def old(
    randomized: tuple[SmallLedger, Path, tuple[RandomizationList, ...]], tmp_path: Path
) -> Iterator[SmallLedger]:
    """A copy of the epoch, open."""
    template, source, _ = randomized
    shutil.copytree(source, tmp_path / "old")
    made = replace(template, people=dict(template.people), at=dict(template.at))
    made.ledger = open_ledger(tmp_path / "old", None, made.sources)
    yield made
    made.ledger.close()


@pytest.fixture
def epochs(old: SmallLedger, tmp_path: Path) -> Iterator[Epochs]:
    """The epoch frozen, and the one that goes on from it, reopened as a user would."""
    two = go_on(old, tmp_path)
    for each in FURTHER:
        enrol(two.new, *each)
    two.new.ledger.close()
    two.new.ledger = open_ledger(tmp_path / "e2", None, two.new.sources)
    yield two
    two.new.ledger.close()


def test_an_unblinding_after_the_freeze_is_recorded_in_the_next_epoch(
    old: SmallLedger, tmp_path: Path, randomized: tuple[SmallLedger, Path, tuple[RandomizationList, ...]]
) -> None:
    """Answered beside the frozen log, signed again by the same person, first in the new log's `safety`."""
    arm = randomized[2][0].entries[0].arm
    freeze(tmp_path / "old", old.ledger, "theft of a log key")
    assert unblinded(old, tmp_path / "old") == (None, arm)
    two = go_on(old, tmp_path)
    assert waiting_before(tmp_path / "e2") == 1
    two.new.ledger.close()
    two.new.ledger = open_ledger(tmp_path / "e2", None, two.new.sources)
    size = two.new.ledger.refresh().size
    (recorded,) = carry_over(two.new.ledger, tmp_path / "e2", investigator())
    assert (recorded.index, waiting_before(tmp_path / "e2")) == (size, 0)
    assert types_from(two.new, size)[0] == "unblinding.performed"
    assert two.new.ledger.fold.conduct.study.unblinding.shown_to("bchan", NAME, size + 1)
    assert carry_over(two.new.ledger, tmp_path / "e2", investigator()) == ()
    two.new.ledger.close()


def test_the_command_carries_over(
    old: SmallLedger, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`unblindings OLDDIR` says where, `unblindings NEWDIR --key` records, `doctor` counts until then."""
    freeze(tmp_path / "old", old.ledger, "theft of a log key")
    unblinded(old, tmp_path / "old")
    old.ledger.close()
    assert run(["unblindings", str(tmp_path / "old"), "--json"]) == 1
    assert "next one" in capsys.readouterr().err
    old.ledger = open_ledger(tmp_path / "old", None, old.sources)
    go_on(old, tmp_path).new.ledger.close()
    key = tmp_path / "aruiz.json"
    write_key(key, KeyMaterial(alg="ed25519", secret=seed("aruiz"), holder=Holder()), None)
    assert run(["unblindings", str(tmp_path / "e2"), "--json"]) == 1
    assert '"waiting":1' in capsys.readouterr().out
    assert run(["unblindings", str(tmp_path / "e2"), "--key", str(key), "--json"]) == 0
    assert '"recorded":1' in capsys.readouterr().out


def test_an_arm_of_the_older_epoch_is_shown_in_the_next(
    epochs: Epochs, randomized: tuple[SmallLedger, Path, tuple[RandomizationList, ...]]
) -> None:
    """Who unblinds in the new epoch is shown what was allocated in the old one."""
    index, arm = unblinded(epochs.new, epochs.place / "e2")
    assert index is not None
    assert arm == randomized[2][0].entries[0].arm


def test_an_older_epoch_under_another_passphrase(epochs: Epochs) -> None:
    """Nothing is recorded as shown that cannot be shown here; a draw from there says so too."""
    for opened in (epochs.new.ledger.store.earlier,):
        opened.data_keys.close()  # type: ignore[attr-defined]
        opened.data_keys = None  # type: ignore[attr-defined]
    size = epochs.new.ledger.refresh().size
    with refused("EPOCH_KEYS_ELSEWHERE", RefusedError):
        unblinded(epochs.new, epochs.place / "e2")
    assert epochs.new.ledger.store.head().size == size
    with refused("LIST_ELSEWHERE", RefusedError):
        ask_again(epochs.new, NAME)


def test_the_second_stage_is_drawn_in_the_next_epoch(
    epochs: Epochs, randomized: tuple[SmallLedger, Path, tuple[RandomizationList, ...]], tmp_path: Path
) -> None:
    """The index of stage 1 again, from the list that the old log committed; both bundles verify together."""
    first, second = randomized[2]
    ask_again(epochs.new, NAME)
    drawn = epochs.new.ledger.fold.conduct.study.draws[-1]
    assert (drawn.stage, drawn.participant) == (2, NAME)
    goes_on = second.entries[0].arm == CONTINUE
    assert unblinded(epochs.new, epochs.place / "e2")[1] == (first if goes_on else second).entries[0].arm
    assert check_storage(epochs.new.ledger) == []
    new, before = epochs.export("bundle")
    policy = tmp_path / "policy"
    policy.write_bytes(format_policy(epochs.policy))
    assert verify([str(new), "--continues", str(before), "--policy", str(policy)]) == 0
