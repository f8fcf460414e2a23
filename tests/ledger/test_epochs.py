"""An epoch is frozen for good, and the next goes on with its participants, under authority of its own."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import orjson
import pytest

from ledger.cli.app import run
from ledger.directory import open_store, read_config, write_config
from ledger.doctor.log import Expected, log_findings
from ledger.earlier import next_origin
from ledger.epochs import freeze, hand_over, read_marker
from ledger.errors import FrozenError, RefusedError, StoreError
from ledger.exports import export_ledger
from ledger.fsck import check_storage
from ledger.keys import Ed25519SigningKey
from ledger.verify.options import Scope
from tests.ledger.epoch_story import Epochs, go_on, make_old, reopened
from tests.ledger.small_ledger import ORIGIN, SITE, SmallLedger, seed
from tests.ledger.verifying import judge, problems
from tests.ledger.write_path import SOURCE, VITALS, refused

PARTICIPANT = f"participant/{SITE}-001"


@pytest.fixture(scope="module")
def epochs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Epochs]:
    """Two epochs, with vital signs of a participant of the old one recorded in the new one."""
    place = tmp_path_factory.mktemp("epochs")
    two = go_on(make_old(place / "old"), place)
    at = two.new.now()
    bedside = ("bchan", "coordinator", "authorship")
    two.new.say("vitals", *bedside, "vital_signs.recorded", PARTICIPANT, VITALS, occurred_at=at)
    yield two
    two.close()


@pytest.fixture
def old(tmp_path: Path) -> Iterator[SmallLedger]:
    """An epoch that nobody froze yet."""
    made = make_old(tmp_path / "old")
    yield made
    made.ledger.close()


def test_origins_of_epochs() -> None:
    """The next epoch of an origin is e2, and of an epoch the one with the next number."""
    assert next_origin("ledger.example/x") == "ledger.example/x/e2"
    assert next_origin("ledger.example/x/e9") == "ledger.example/x/e10"


def test_frozen_for_good(old: SmallLedger, tmp_path: Path) -> None:
    """Nothing is recorded after a freeze, neither by who was there nor by who opens it again."""
    other = reopened(tmp_path / "old", old)
    size = other.store.head().size
    freeze(tmp_path / "old", old.ledger, "theft of a log key")
    with refused("EPOCH_FROZEN", FrozenError):
        other.attest("export.generated", other.access_stream(), {})
    other.close()
    again = reopened(tmp_path / "old", old)
    assert again.startup.code == "EPOCH_FROZEN"
    assert again.store.head().size == size
    published = again.checkpoints.latest()
    assert published is not None
    assert published[0] == size
    again.close()


def test_frozen_once(old: SmallLedger, tmp_path: Path) -> None:
    """A freeze keeps its first reason and time."""
    freeze(tmp_path / "old", old.ledger, "theft of a log key")
    with refused("EPOCH_FROZEN", RefusedError):
        freeze(tmp_path / "old", old.ledger, "another reason")
    marker = read_marker(tmp_path / "old")
    assert marker is not None
    assert marker.why == "theft of a log key"


def test_a_frozen_epoch_is_read_and_exported(old: SmallLedger, tmp_path: Path) -> None:
    """Reading and export go on."""
    freeze(tmp_path / "old", old.ledger, "theft of a log key")
    export_ledger(old.ledger, tmp_path / "b", scope=Scope(kind="study"), role="auditor")
    assert (tmp_path / "b" / "checkpoint").exists()
    assert old.ledger.refresh().conduct.state(f"{SITE}-001") is not None


def test_nothing_goes_on_from_a_live_epoch(old: SmallLedger) -> None:
    """The next epoch opens from a frozen one alone."""
    with refused("NOT_FROZEN", RefusedError):
        hand_over(old.ledger, "for fun")


def test_root_keys_of_the_old_epoch_alone(epochs: Epochs) -> None:
    """A key that is no root key at that size opens nothing, and too few persons neither."""
    with refused("KEY_UNKNOWN", RefusedError):
        epochs.handover.signers([Ed25519SigningKey.from_seed(seed("admin"))])
    with refused("THRESHOLD", RefusedError):
        epochs.handover.signers([])


def test_size_that_holds(epochs: Epochs) -> None:
    """An epoch goes on from a size that was published."""
    for size in (0, epochs.handover.continues.size + 1):
        with refused("EPOCH_SIZE", RefusedError):
            hand_over(epochs.old.ledger, "why", size)


def test_the_new_log_begins_anew(epochs: Epochs) -> None:
    """Index 0 names the old log's id, origin, root, size and why; keys of log and service are others."""
    authority = epochs.new.ledger.refresh().authority
    assert authority.origin == f"{ORIGIN}/e2"
    said = authority.continues
    assert said is not None
    assert (said["ledger_id"], said["origin"]) == (epochs.old.ledger_id, ORIGIN)
    assert said["size"] == epochs.old.ledger.store.head().size
    assert not {*authority.log_keys} & {*epochs.old.ledger.fold.authority.log_keys}


def test_participants_go_on(epochs: Epochs) -> None:
    """A participant of the old epoch is treated on in the new one, without registering again."""
    state = epochs.new.ledger.refresh().conduct.state(f"{SITE}-001")
    assert state is not None
    entries = epochs.new.ledger.fold.reader.entries_of(PARTICIPANT)
    indexes = [entry.index for entry in entries]
    assert indexes == sorted(indexes)
    assert indexes[0] < 0 <= indexes[-1]
    first = next(entry.statement for entry in entries if entry.index >= 0)
    assert first is not None
    assert first.seq == 1


def test_results_of_both_epochs_are_reviewed_in_the_next(old: SmallLedger, tmp_path: Path) -> None:
    """Also when a correction has the participant folded again; what is no result is flagged in either."""
    bedside = ("bchan", "coordinator", "authorship")

    def vitals(made: SmallLedger) -> str:
        at = made.now()
        return made.say("vitals", *bedside, "vital_signs.recorded", PARTICIPANT, VITALS, occurred_at=at).event

    def review(event: str) -> tuple[str, ...]:
        data = {"statement": event, "significance": "not_significant", "code": "none", "source": SOURCE}
        told = ("aruiz", "investigator", "review", "result.reviewed", PARTICIPANT, data)
        return two.new.say("review", *told, opened={"/data/note": None}).breaches

    before = [vitals(old), vitals(old)]
    registered = old.ledger.store.stream_entries(PARTICIPANT, 1)[0].event
    two = go_on(old, tmp_path)
    after = [vitals(two.new), vitals(two.new)]
    assert [review(event) for event in (before[0], after[0], registered)] == [(), (), ("RESULT_UNKNOWN",)]
    path = "/data/measurements/0/quantity/value"
    change = {"statement": before[1], "path": path, "old": "72", "new": "27"}
    said = ("correction.made", PARTICIPANT, change)
    two.new.say("change", *bedside, *said, reason={"code": "entry_error"}, opened={"/reason/text": None})
    assert [review(event) for event in (*before, *after)] == [(), (), (), ()]
    assert review(registered) == ("RESULT_UNKNOWN",)
    unknown = [each for each in two.new.ledger.refresh().conduct.breaches() if each.rule == "RESULT_UNKNOWN"]
    assert len(unknown) == 2
    new, older = two.export("reviewed")
    assert problems(judge(new, two.policy, continues=(older,))) == set()
    two.close()


def test_a_participant_is_registered_once_in_all_epochs(epochs: Epochs) -> None:
    """The id of a participant of the old epoch is taken."""
    old = epochs.old.ledger.store.stream_entries(PARTICIPANT, 1)[0]
    statement = orjson.loads(old.statement)
    who = next(n for n, p in epochs.new.people.items() if p.person == statement["actor"]["id"])
    with pytest.raises(RefusedError) as caught:
        epochs.new.say(
            "again",
            who,
            statement["actor"]["role"],
            statement["meaning"],
            statement["type"],
            PARTICIPANT,
            statement["data"],
            opened=dict.fromkeys(statement["sealed"], "x"),
        )
    assert caught.value.code == "ID_REUSED"


def test_an_event_of_the_old_epoch_is_earlier_than_all_of_the_new_one(epochs: Epochs) -> None:
    """A statement may name an event of the old epoch, which is earlier than all of the new one."""
    reader = epochs.new.ledger.refresh().reader
    event = epochs.old.ledger.store.stream_entries(PARTICIPANT, 1)[0].event
    index = reader.index_of(event)
    assert index is not None
    assert index < 0
    entry = reader.entry_at(index)
    assert entry is not None
    assert entry.event == event


def test_storage_of_an_epoch_holds(epochs: Epochs) -> None:
    """Guards and the rest of the new store are what the log and the old epoch give."""
    assert check_storage(epochs.new.ledger) == []


def test_another_old_directory_is_found(epochs: Epochs, tmp_path: Path) -> None:
    """A directory that is not the one which leaf 0 names opens nothing."""
    config = epochs.place / "e2" / "ledger.toml"
    text = config.read_text(encoding="utf-8")
    changed = tmp_path / "e2"
    changed.mkdir()
    for path in (epochs.place / "e2").glob("ledger.db*"):
        shutil.copy(path, changed / path.name)
    size = epochs.handover.continues.size
    (changed / "ledger.toml").write_text(
        text.replace(f"size = {size}", f"size = {size - 1}"), encoding="utf-8"
    )
    with refused("EPOCH_MISMATCH", StoreError):
        open_store(changed)


def test_a_bundle_of_a_later_epoch_says_what_came_before(epochs: Epochs, tmp_path: Path) -> None:
    """In the page that an auditor opens first; that of a first log says nothing of it."""
    for made, says in ((epochs.new, True), (epochs.old, False)):
        export_ledger(made.ledger, tmp_path / str(says), scope=Scope(kind="study"), role="auditor")
        text = (tmp_path / str(says) / "VERIFY.md").read_text(encoding="utf-8")
        assert ("This log goes on from another" in text) is says
        assert (f"entries of {epochs.handover.continues.origin}, ledger id" in text) is says


@pytest.mark.parametrize("named", [True, False])
def test_doctor_names_what_a_log_goes_on_from(epochs: Epochs, tmp_path: Path, named: bool) -> None:
    """As leaf 0 has it, and whether `ledger.toml` has a directory of it."""
    settings = read_config(epochs.place / "e2")
    if not named:
        settings = replace(settings, continues=None)
    findings = log_findings(settings, epochs.new.ledger.store, epochs.new.ledger.checkpoints, 0, Expected())
    found = next(each for each in findings if each.area == "epoch")
    assert f"entries of {epochs.handover.continues.origin}" in found.text
    assert found.verdict == ("good" if named else "watch")
    assert ("names no directory" in found.text) is not named


def test_a_directory_that_names_no_older_one_says_what_leaf_0_does(
    epochs: Epochs, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`epoch show` and `trail` ask the log: nobody takes it for a study's first."""
    for path in (epochs.place / "e2").glob("ledger.db*"):
        shutil.copy(path, tmp_path / path.name)
    write_config(tmp_path, replace(read_config(epochs.place / "e2"), continues=None))
    said = epochs.handover.continues
    assert run(["epoch", "show", str(tmp_path)]) == 0
    assert f"{said.size} entries of {said.origin}" in capsys.readouterr().out
    assert run(["trail", str(tmp_path)]) == 0
    assert f"{said.size} entries of {said.origin}, which are not at hand" in capsys.readouterr().err
