"""Reports over two epochs: what the older log holds counts, and nothing of it is called missing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from ledger.cli.app import run
from projections.desk import Desk
from projections.joined import Joined
from projections.reader import ERASED, Reader
from projections.report import rows_of
from projections.reports import REPORTS
from tests.ledger.epoch_story import Epochs, go_on, make_old
from tests.ledger.small_ledger import ORIGIN, SITE
from tests.ledger.write_path import VITALS

ONE = f"{SITE}-001"
AUDITOR = Reader(role="auditor")
BEDSIDE = ("bchan", "coordinator", "authorship")
HIDDEN = "postinfusion.observed"
OBSERVED = {
    "infusion": 1, "minutes_after": 30, "sedation": {"scale": "S", "score": 1},
    "dissociation": {"scale": "D", "score": 0}, "escort": True, "fit_to_leave": True,
    "source": {"kind": "esource"},
}  # fmt: skip


@pytest.fixture(scope="module")
def epochs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Epochs]:
    """Two epochs, with what no blinded rater sees in the older one, and vital signs in the newer one."""
    place = tmp_path_factory.mktemp("epochs")
    old = make_old(place / "old")
    old.say("o1", *BEDSIDE, HIDDEN, f"participant/{ONE}", OBSERVED, occurred_at=old.now())
    two = go_on(old, place)
    new = two.new
    new.say("v", *BEDSIDE, "vital_signs.recorded", f"participant/{ONE}", VITALS, occurred_at=new.now())
    yield two
    two.close()


def rows(epochs: Epochs, name: str, reader: Reader = AUDITOR, **asked: Any) -> list[dict[str, Any]]:
    """Return a report of the newer epoch."""
    return rows_of(REPORTS[name], Desk(epochs.new.ledger.store, reader=reader, **asked))


def before(epochs: Epochs, name: str, reader: Reader = AUDITOR) -> list[dict[str, Any]]:
    """Return the same report of the older epoch."""
    return rows_of(REPORTS[name], Desk(epochs.old.ledger.store, reader=reader))


@pytest.mark.parametrize("name", sorted(REPORTS))
def test_a_report_as_known_before_the_log_began_is_made(epochs: Epochs, name: str) -> None:
    """Of nothing: in a first log, and in one that goes on from an older one, which is to be asked then."""
    for made in (epochs.old, epochs.new):
        store = made.ledger.store
        desk = Desk(store, reader=AUDITOR, known="1999-01-01T00:00:00Z")
        assert desk.size == 0
        assert [row for row in rows_of(REPORTS[name], desk) if row.get("index") is not None] == []


def test_a_breach_of_an_older_record_is_listed(epochs: Epochs) -> None:
    """Each that the older log found, at its place below 0."""
    size = epochs.handover.continues.size
    old = {(row["rule"], row["index"]) for row in before(epochs, "deviations")}
    found = {(row["rule"], row["index"] + size) for row in rows(epochs, "deviations") if row["index"] < 0}
    assert old
    assert found == old


def test_sites_count_records_of_both_logs(epochs: Epochs) -> None:
    """People, records and breaches are counted of the same whole."""
    [old] = [row for row in before(epochs, "sites") if row["site"] == SITE]
    [new] = [row for row in rows(epochs, "sites") if row["site"] == SITE]
    own = epochs.new.ledger.store.stream_entries(f"participant/{ONE}")
    assert new["participants"] == old["participants"]
    assert new["records"] == old["records"] + len(own)
    assert new["corrections"] == old["corrections"] > 0


def test_what_was_never_verified_is_so_wherever_it_stands(epochs: Epochs) -> None:
    """A record of the older log waits for verification as one of this log does."""
    found = [row["index"] for row in rows(epochs, "verification")]
    assert min(found) < 0 <= max(found)
    assert len(found) == len(before(epochs, "verification")) + 1


def test_who_never_looked_is_told_of_both_logs(epochs: Epochs) -> None:
    """Without a signed look everything is new, what the older log holds as well."""
    found = rows(epochs, "changes")
    older = [row for row in found if row["index"] < 0]
    assert len(older) == len(before(epochs, "changes"))
    assert {row["since_index"] for row in found} == {None}


def test_a_role_ended_with_its_log(epochs: Epochs) -> None:
    """Authority begins anew: no grant of the older log is shown as if it still held."""
    found = rows(epochs, "roles-log")
    older = [row for row in found if row["index"] < 0]
    assert len(older) == len(before(epochs, "roles-log"))
    assert {row["how"] for row in older if row["ended_index"] == 0} == {"ledger.opened"}
    assert all(row["ended_index"] is not None and row["ended_index"] <= 0 for row in older)
    assert {row["ended_index"] for row in found if row["index"] >= 0} == {None}


def test_a_gap_of_the_reviews_is_one_of_this_log(epochs: Epochs) -> None:
    """Reviews of the trail begin anew with each log."""
    [gap] = [row for row in rows(epochs, "trail-coverage") if row["state"] == "not reviewed as a whole"]
    assert (gap["first_index"], gap["last_index"]) == (0, epochs.new.ledger.store.head().size - 1)


@pytest.mark.parametrize("name", sorted(REPORTS))
def test_a_reader_of_another_site_gets_no_row_of_an_older_record(epochs: Epochs, name: str) -> None:
    """As little as in the older log itself."""
    elsewhere = Reader(role="coordinator", sites=frozenset({"SA-02"}))
    shown = [row.get("site") for row in before(epochs, name, elsewhere)]
    for row in rows(epochs, name, elsewhere):
        assert ONE not in str(row)
        assert row.get("site") in (None, "SA-02", *shown)


@pytest.mark.parametrize("name", sorted(REPORTS))
def test_a_blinded_role_gets_no_row_of_what_it_did_not_see(epochs: Epochs, name: str) -> None:
    """The older record that is hidden from a rater stays hidden, in a row of its own or another's."""
    store = epochs.new.ledger.store
    hidden = next(
        entry.index for entry in Joined(store).stream_entries(f"participant/{ONE}") if entry.type == HIDDEN
    )
    for row in rows(epochs, name, Reader(role="blinded_rater")):
        assert HIDDEN not in row.values()
        assert hidden not in (row.get("index"), row.get("first_index"))


def test_what_an_older_log_sealed_is_not_opened_for_a_report(epochs: Epochs) -> None:
    """Nobody is asked for it here, so that it is not called erased."""
    asked: list[str] = []

    def opener(event: str, path: str) -> Any:
        asked.append(event)
        return ERASED

    desk = Desk(epochs.new.ledger.store, reader=Reader(role="auditor", opener=opener))
    lines = list(desk.records())
    older = {line.event for line in lines if line.index < 0}
    assert older
    assert older.isdisjoint(asked)


def test_as_known_before_this_log_began_a_report_is_empty(epochs: Epochs) -> None:
    """That is asked of the older log."""
    assert rows(epochs, "verification", known="1990-01-01") == []


def test_the_command_says_what_counts(epochs: Epochs, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    """And an older record stands beside who signed it."""
    assert run(["report", str(epochs.place / "e2"), "verification", "--format", "csv"]) == 0
    said = capfdbinary.readouterr()
    assert b"count here, at indexes below 0" in said.err
    assert all(b"bchan" in line or b"Chan" in line for line in said.out.splitlines()[1:])
    assert ORIGIN.encode() in said.err
