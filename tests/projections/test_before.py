"""What older epochs recorded counts in the views of the log that continues them, by its own name."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from ledger.cli.app import run
from ledger.errors import FormatError
from ledger.exports import export_ledger
from ledger.times import format_instant
from ledger.verify.options import Scope
from projections.before import states_before
from projections.copies.bundled import open_copy
from projections.copies.document import compose, lines_of
from projections.copies.issuing import judge
from projections.enrolment import enrolment, participants
from projections.history import history
from projections.participant import participant_view
from projections.reader import ERASED, Reader
from projections.status import PARTICIPANTS
from projections.timeline import timeline
from tests.ledger.epoch_story import Epochs, go_on, make_old
from tests.ledger.small_ledger import ORIGIN, SITE, SmallLedger
from tests.ledger.write_path import VITALS

ONE, TWO, THREE = (f"{SITE}-{number:03}" for number in (1, 2, 3))
AUDITOR = Reader(role="auditor")
BEDSIDE = ("bchan", "coordinator", "authorship")
SOURCE = {"kind": "esource"}


def consent(made: SmallLedger, name: str) -> None:
    """Record that a participant consented, with an event that has a sealed text."""
    now = made.now()[:19] + "Z"
    data = {
        "form_version": "1", "language": "en",
        "form_sha256": hashlib.sha256(b"consent form, version 1\n").hexdigest(), "mode": "paper_in_person",
        "identity_check": "known", "participant_time": now, "participant_time_from": "form",
        "consenter": "bchan", "consenter_time": now, "consenter_time_from": "form", "options": [],
        "authorization": True, "duty_disclosure": True, "copy_given": True, "source": SOURCE,
    }  # fmt: skip
    made.say("consent", *BEDSIDE, "consent.obtained", f"participant/{name}", data)


@pytest.fixture(scope="module")
def epochs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Epochs]:
    """Two epochs: of the older one, three who consented; two withdrew, and the newer one voids one of these.

    The first has vital signs in the newer one, the second nothing.
    """
    place = tmp_path_factory.mktemp("epochs")
    old = make_old(place / "old", participants=3)
    for name in (ONE, TWO, THREE):
        consent(old, name)
    withdrawn = {"date": "2024-06-03", "last_visit": "unscheduled", "code": "own", "source": SOURCE}
    for name in (TWO, THREE):
        old.say(name, *BEDSIDE, "participant.withdrawn", f"participant/{name}", withdrawn)
    two = go_on(old, place)
    new, stream = two.new, f"participant/{THREE}"
    new.say("v", *BEDSIDE, "vital_signs.recorded", f"participant/{ONE}", VITALS, occurred_at=new.now())
    voided = {
        "statement": old.ledger.store.stream_entries(stream)[-1].event,
        "code": "error",
        "source": SOURCE,
    }
    why = {"reason": {"code": "error"}, "opened": {"/reason/text": None}}
    said = new.say("void", *BEDSIDE, "record.voided", stream, voided, **why)
    cosigned = {"statement": said.event, "as": "supervisor"}
    new.say("cosign", "aruiz", "investigator", "responsibility", "record.cosigned", stream, cosigned)
    yield two
    two.close()


def view(epochs: Epochs, name: str, **asked: Any) -> dict[str, Any] | None:
    """Show a participant of the newer epoch."""
    fold = epochs.new.ledger.refresh()
    return participant_view(epochs.new.ledger.store, name, reader=AUDITOR, conduct=fold.conduct, **asked)


@pytest.mark.parametrize(("name", "status"), [(ONE, "consented"), (TWO, "withdrawn"), (THREE, "consented")])
def test_a_status_is_that_of_the_whole_record(epochs: Epochs, name: str, status: str) -> None:
    """As the rules hold it: with nothing in the newer log as well, and where that voids an older record."""
    state = epochs.new.ledger.refresh().conduct.state(name)
    rows = {row["participant"]: row for row in participants(epochs.new.ledger.store, reader=AUDITOR)}
    shown = view(epochs, name)
    assert shown is not None
    assert state is not None
    assert shown["status"] == rows[name]["status"] == str(state.status) == status
    assert shown["site"] == rows[name]["site"] == SITE
    assert shown["zone"] == "America/Chicago"


def test_milestones_of_an_older_log_stand_below_0(epochs: Epochs) -> None:
    """Their index in the older log is theirs here plus the size that is continued."""
    size = epochs.handover.continues.size
    old = {row["participant"]: row for row in participants(epochs.old.ledger.store, reader=AUDITOR)}
    for row in participants(epochs.new.ledger.store, reader=AUDITOR)[:2]:
        expected = old[row["participant"]]["milestones"]
        assert {name: index + size for name, index in row["milestones"].items()} == expected
        assert all(index < 0 for index in row["milestones"].values())


def test_a_record_of_an_older_log_names_it(epochs: Epochs) -> None:
    """Nobody takes it for one of this log."""
    shown = view(epochs, ONE)
    assert shown is not None
    count = len(epochs.old.ledger.store.stream_entries(f"participant/{ONE}"))
    assert shown["older"] == {"log": ORIGIN, "records": count}
    assert [(each["log"], each["index"] < 0) for each in shown["consents"]] == [(ORIGIN, True)]
    own = [each for each in shown["vital_signs"] if each["index"] >= 0]
    assert len(own) == 1
    assert "log" not in own[0]


def test_a_timeline_begins_in_the_older_log(epochs: Epochs) -> None:
    """Its lines come first, each under the name of its log."""
    lines = timeline(epochs.new.ledger.store, ONE, reader=AUDITOR)
    old = timeline(epochs.old.ledger.store, ONE, reader=AUDITOR)
    assert lines is not None
    assert old is not None
    assert [line["event"] for line in lines[: len(old)]] == [line["event"] for line in old]
    assert [line.get("log") for line in lines] == [ORIGIN] * len(old) + [None] * (len(lines) - len(old))
    assert len(lines) > len(old)


def test_the_history_of_one_older_record_is_asked_for_by_its_index(epochs: Epochs) -> None:
    """As every view names it: below 0."""
    store = epochs.new.ledger.store
    first = history(store, ONE, "participant.registered/data/participant", reader=AUDITOR)
    assert first
    index = first[0]["index"]
    assert index < 0
    assert history(store, ONE, f"{index}/data/participant", reader=AUDITOR) == first
    for wrong in ("-/data/participant", "--7/data/participant", "-x/data/participant"):
        with pytest.raises(FormatError) as failed:
            history(store, ONE, wrong, reader=AUDITOR)
        assert failed.value.code == "FIELD"


def test_the_history_of_a_field_goes_back(epochs: Epochs) -> None:
    """What was recorded in the older log is a value of the field as well."""
    values = history(epochs.new.ledger.store, ONE, "consent.obtained/occurred_at", reader=AUDITOR)
    assert values
    assert values[0]["index"] < 0


def test_enrolment_counts_who_is_in_the_study(epochs: Epochs) -> None:
    """Everybody who consented in the older log, as they stand now."""
    counted = enrolment(epochs.new.ledger.store, reader=AUDITOR)
    assert counted["overall"]["now"] == {"consented": 2, "withdrawn": 1}
    assert counted["overall"]["reached"]["consented"] == 3
    assert counted["sites"].keys() == enrolment(epochs.old.ledger.store, reader=AUDITOR)["sites"].keys()


def test_who_reads_one_site_sees_its_participants(epochs: Epochs) -> None:
    """The site is that of the registration, wherever it stands."""
    of_site = Reader(role="coordinator", sites=frozenset({SITE}))
    assert len(participants(epochs.new.ledger.store, reader=of_site)) == 3
    elsewhere = Reader(role="coordinator", sites=frozenset({"SA-02"}))
    assert participants(epochs.new.ledger.store, reader=elsewhere) == []


def test_what_an_older_log_sealed_is_not_erased(epochs: Epochs) -> None:
    """The newer store lacks it, which says nothing: its marker stays."""
    nothing_kept = Reader(role="auditor", opener=lambda event, path: ERASED)
    shown = participant_view(epochs.new.ledger.store, THREE, reader=nothing_kept)
    assert shown is not None
    assert shown["registrations"][0]["data"]["identity"] == {"sealed": "identity"}
    assert shown["voided"][0]["voided_by"]["reason"]["text"] == {"erased": True}


def test_before_the_newer_log_began_nothing_is_known_in_it(epochs: Epochs) -> None:
    """That is asked of the older log."""
    before = format_instant(0)
    assert view(epochs, ONE, known=before) is None
    assert participants(epochs.new.ledger.store, reader=AUDITOR, known=before) == []


def test_a_first_log_has_nothing_before_it(epochs: Epochs) -> None:
    """Nothing is added to a log that continues no other."""
    assert states_before(PARTICIPANTS, epochs.old.ledger.store) == {}


def test_replay_shows_who_has_nothing_in_the_newer_log(
    epochs: Epochs, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    """On the command line as well, with what stands below 0 said beside it."""
    assert run(["replay", str(epochs.place / "e2"), TWO, "--json"]) == 0
    said = capfdbinary.readouterr()
    assert orjson.loads(said.out)["status"] == "withdrawn"
    assert b"count here, at indexes below 0" in said.err


@pytest.mark.parametrize("later", [True, False])
def test_the_cover_of_a_copy_says_what_came_before(epochs: Epochs, tmp_path: Path, later: bool) -> None:
    """Its records are not in a copy of the newer log; a first log has nothing to say."""
    made = epochs.new if later else epochs.old
    export_ledger(made.ledger, tmp_path / "bundle", scope=Scope(kind="study"), role="auditor")
    with open_copy(tmp_path / "bundle") as source:
        report = judge(made.ledger, tmp_path / "bundle", source)
        cover = compose(source, lines_of(source), report, title="Study", attached=())["cover"]
    said = epochs.handover.continues
    assert (cover["alone"] is not None) is later
    if later:
        assert f"{said.size} entries of {said.origin}" in cover["alone"]["text"]
