"""Reports for who comes to look: what is missing, what is new, what is handed over, what was interrupted."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ledger.demo.report import DemoReport
from ledger.directory import DATABASE
from ledger.fold import LogFold, StoreReader
from ledger.store.port import Snapshot
from ledger.store.sqlite import SqliteStore
from projections.desk import Desk
from projections.reader import Reader
from projections.reports import REPORTS
from tests.given_quality import (
    PULSE,
    ask,
    correct,
    given_registered,
    given_vitals,
    review,
    sign,
    told_of,
)
from tests.ledger.small_ledger import SECOND, SITE, SmallLedger, make
from tests.projections.ledgers import store_of
from tests.scenario import VITALS, Story

DAY = 86_400 * SECOND
COORDINATOR = ("bchan", "coordinator", "authorship")
PARTICIPANT = f"{SITE}-001"
SOURCE = {"kind": "esource"}


@pytest.fixture(scope="module")
def reads(demo: DemoReport) -> Iterator[Snapshot]:
    """The demonstration's log."""
    store = SqliteStore.open(demo.directory / DATABASE)
    with store.snapshot() as snapshot:
        yield snapshot
    store.close()


@pytest.fixture(scope="module")
def whole(reads: Snapshot) -> LogFold:
    """The whole log folded."""
    fold = LogFold(StoreReader(reads))
    fold.catch_up(reads, reads.size)
    return fold


@pytest.fixture
def small(tmp_path: Path) -> Iterator[SmallLedger]:
    """A ledger with one participant who was registered and nothing else."""
    small = make(tmp_path / "small", participants=1)
    yield small
    small.ledger.close()


def rows(name: str, desk: Desk) -> list[dict[str, Any]]:
    """Return all rows of a report."""
    return list(REPORTS[name].rows(desk))


def seen(small: SmallLedger, name: str, role: str = "auditor") -> list[dict[str, Any]]:
    """Return all rows of a report on a small ledger as it is now."""
    with small.ledger.store.snapshot() as reads:
        return rows(name, Desk(reads, reader=Reader(role=role)))


def visit(small: SmallLedger) -> str:
    """Record a visit that took place; return the name of one instrument that belongs to it."""
    definition = small.ledger.refresh().conduct.study.protocols[-1].definition
    assert definition is not None
    planned = next(each for each in definition.visits if each.instruments)
    data = {"visit": planned.id, "mode": planned.mode, "source": SOURCE}
    small.say("visit", *COORDINATOR, "visit.started", f"participant/{PARTICIPANT}", data)
    return planned.instruments[0]


def say_later(small: SmallLedger, days: int) -> None:
    """Let days pass, and something else be recorded."""
    small.sources.advance(days * DAY)
    data = {"visit": "unscheduled", "mode": "phone", "source": SOURCE}
    small.say("later", *COORDINATOR, "visit.started", f"participant/{PARTICIPANT}", data)


def test_a_visit_without_its_score_is_an_absence_from_the_next_day_on(small: SmallLedger) -> None:
    """On the day itself nothing is missing yet; afterwards the score is, until it is given up."""
    instrument = visit(small)
    assert not [row for row in seen(small, "absences") if row["absent"] == f"a score of {instrument}"]
    say_later(small, 2)
    (row,) = [row for row in seen(small, "absences") if row["absent"] == f"a score of {instrument}"]
    assert (row["because"], row["participant"]) == ("visit.started", PARTICIPANT)
    given_up = {"instrument": instrument, "visit": row["visit"], "code": "refused", "source": SOURCE}
    opened = {"/data/note": None}
    small.say(
        "given up", *COORDINATOR, "outcome.not_done", f"participant/{PARTICIPANT}", given_up, opened=opened
    )
    assert not [row for row in seen(small, "absences") if row["absent"] == f"a score of {instrument}"]


def test_who_sees_no_ratings_is_told_of_none_that_are_missing(small: SmallLedger) -> None:
    """The unblinded monitor sees no outcome ratings, and so not that one is not there."""
    visit(small)
    say_later(small, 2)
    assert any("score" in row["absent"] for row in seen(small, "absences"))
    blind_to_ratings = seen(small, "absences", "unblinded_monitor")
    assert not any("score" in row["absent"] for row in blind_to_ratings)


def test_a_stopped_dose_asks_for_the_event_behind_it(reads: Snapshot, whole: LogFold) -> None:
    """One with an adverse event around that time is not asked about."""
    desk = Desk(reads, reader=Reader(role="auditor"), fold=whole)
    asked = {row["index"] for row in rows("absences", desk) if row["absent"] == "an adverse event"}
    stops = list(desk.records("infusion.stopped", "dose.reduced", "dosing.discontinued"))
    assert asked
    assert asked < {line.index for line in stops}
    for stop in stops:
        events = list(desk.records_of(stop.stream, "adverse_event.reported"))
        days = [(stop.occurred.earliest_us - each.occurred.earliest_us) / DAY for each in events]
        assert (stop.index in asked) == (not any(-1 <= day <= 7 for day in days))


def test_who_stopped_treatment_has_no_infusion_visits_left(reads: Snapshot, whole: LogFold) -> None:
    """They are not expected any more, and no window that closes makes them overdue."""
    desk = Desk(reads, reader=Reader(role="auditor"), fold=whole)
    left = {each.id for each in desk.participants() if each.status == "withdrawn" and each.infusions}
    states = {row["state"] for row in rows("visits", desk) if row["participant"] in left}
    assert left
    assert "overdue" not in states
    halfway = Desk(reads, reader=Reader(role="auditor"), known=4_000)
    ended = {each.id for each in halfway.participants() if each.treatment_ended and each.disposition is None}
    unmade = [
        row
        for row in rows("visits", halfway)
        if row["participant"] in ended and row["index"] is None and row["state"] == "not expected"
    ]
    assert unmade


def test_changes_begin_after_the_readers_own_signed_look(reads: Snapshot, whole: LogFold) -> None:
    """Whose review covers the log sees what came after; who never signed one sees everything."""
    desk = Desk(reads, reader=Reader(role="auditor"), fold=whole)
    reviews = list(desk.records("trail.reviewed", kind="study"))
    reviewer = reviews[-1].person
    last = max(line.data["last"] for line in reviews if line.person == reviewer)

    def changes(person: str) -> list[dict[str, Any]]:
        reader = Reader(role="data_manager", person=person)
        return rows("changes", Desk(reads, reader=reader, fold=whole))

    mine, never = changes(reviewer), changes("somebody-new")
    assert mine
    assert min(row["index"] for row in mine) > last
    assert min(row["index"] for row in never) < last
    assert {row["since_index"] for row in never} == {None}


def told(story: Story, place: Path, name: str, role: str) -> list[dict[str, Any]]:
    """Return all rows of a report on what a story recorded so far."""
    store = store_of(story, place / f"{len(story.log)}-{name}.db")
    with store.snapshot() as reads:
        found = rows(name, Desk(reads, reader=Reader(role=role)))
    store.close()
    return found


def test_the_brief_counts_and_weighs_for_each_participant(tmp_path: Path) -> None:
    """A breach of the site (5), a signature to renew (2), a correction (1): 8, and 4 for each of two."""
    story, vitals = given_vitals()
    sign(story, "participant", by="sub")
    corrected = correct(story, vitals, PULSE, "72", "73")
    given_registered(story, f"{SITE}-002")
    page = told(story, tmp_path, "brief", "blinded_monitor")
    facts = [(r["rank"], r["site"], r["risk"], r["matter"], r["count"], r["weight"]) for r in page]
    assert facts == [
        (1, SITE, "4.00", "breach found since", 1, 5),
        (1, SITE, "4.00", "signature to renew", 1, 2),
        (1, SITE, "4.00", "correction or voiding since", 1, 1),
        (2, "SD-02", "0.00", None, 0, None),
    ]
    assert page[2]["index"] == corrected.index


def test_what_stands_outlasts_a_look_and_what_is_new_does_not(tmp_path: Path) -> None:
    """After a signed review of the log the correction and the breach are known; the signature still waits."""
    story, vitals = given_vitals()
    sign(story, "participant", by="sub")
    correct(story, vitals, PULSE, "72", "73")
    review(story)
    page = [row for row in told(story, tmp_path, "brief", "blinded_monitor") if row["site"] == SITE]
    assert [(row["matter"], row["risk"]) for row in page] == [("signature to renew", "2.00")]


def test_a_site_with_nothing_to_say_is_in_the_brief(tmp_path: Path) -> None:
    """An empty page is a page: a monitor sees that the site was looked at and has nothing."""
    small = make(tmp_path / "small", participants=0)
    page = seen(small, "brief")
    small.ledger.close()
    quiet = [row for row in page if row["site"] != SITE]
    assert SITE in {row["site"] for row in page}
    assert {(row["matter"], row["count"], row["risk"]) for row in quiet} == {(None, 0, "0.00")}


def handed_over(story: Story, place: Path) -> list[tuple[str, str, int]]:
    """Return kind, what and index of what is handed over, delegations left out."""
    pack = told(story, place, "hand-over", "investigator")
    return [(r["kind"], r["what"], r["index"]) for r in pack if r["kind"] != "delegation in force"]


def test_a_hand_over_names_what_no_physician_endorsed(tmp_path: Path) -> None:
    """Everything at first; after a sub-investigator signed the participant, what came later and the query."""
    story, vitals = given_vitals()
    registered, consented = (
        told_of(story, type_) for type_ in ("participant.registered", "consent.obtained")
    )
    assert handed_over(story, tmp_path) == [
        ("unsigned record", "participant.registered", registered.index),
        ("unsigned record", "consent.obtained", consented.index),
        ("unsigned record", "vital_signs.recorded", vitals.index),
        ("participant in care", "consented", vitals.index),
    ]
    sign(story, "participant", by="sub")
    later = story.given("vital_signs.recorded", VITALS)
    asked = ask(story, vitals)
    assert handed_over(story, tmp_path) == [
        ("open item", "query open", asked.index),
        ("unsigned record", "vital_signs.recorded", later.index),
        ("participant in care", "consented", asked.index),
    ]


def test_a_hand_over_names_who_holds_a_delegation(tmp_path: Path) -> None:
    """The four whom the investigator of the scenario's site delegated, each once."""
    story, _ = given_vitals()
    pack = told(story, tmp_path, "hand-over", "investigator")
    held = [row["what"].partition(":")[0] for row in pack if row["kind"] == "delegation in force"]
    assert held == ["sub", "cora", "nurse", "rater"]


def test_an_emergency_card_tells_every_product_and_no_arm(reads: Snapshot, whole: LogFold) -> None:
    """It is the same in every arm, and is there for each who consented."""
    desk = Desk(reads, reader=Reader(role="coordinator"), fold=whole)
    cards = rows("emergency-cards", desk)
    assert {card["participant"] for card in cards} == {p.id for p in desk.participants() if p.consents}
    assert len({tuple(card["could_have_had"]) for card in cards}) == 1
    assert all(card["investigator"] and card["to_unblind"] for card in cards)


def test_the_roles_log_tells_when_each_role_ended(reads: Snapshot, whole: LogFold) -> None:
    """A role that was revoked has its end; one that nobody revoked has none."""
    log = rows("roles-log", Desk(reads, reader=Reader(role="auditor"), fold=whole))
    revoked = {entry.event for entry in reads.entries(0, reads.size, ("role.revoked",))}
    ended = [row for row in log if row["how"] == "role.revoked"]
    assert revoked
    assert len(ended) == len(revoked)
    assert all(row["ended_index"] > row["index"] for row in ended)
    now = whole.authority
    for row in log:
        if row["ended_at"] is None:
            assert row["role"] in now.persons[row["person"]].roles


def test_continuity_tells_downtime_and_restores(reads: Snapshot, whole: LogFold) -> None:
    """What was said about the system stands in the order of the log, in sentences."""
    log = rows("continuity", Desk(reads, reader=Reader(role="auditor"), fold=whole))
    assert {"ledger.opened", "downtime.declared", "backup.taken", "restore.tested"} <= {
        r["type"] for r in log
    }
    assert [row["index"] for row in log] == sorted(row["index"] for row in log)
    assert all(row["what"] != row["type"] for row in log)


def test_near_misses_name_the_sites_of_who_asked(reads: Snapshot, whole: LogFold) -> None:
    """A refusal names no site; the asker's roles do."""
    desk = Desk(reads, reader=Reader(role="auditor"), fold=whole)
    sites = {row["who"]: row["sites"] for row in rows("near-misses", desk)}
    assert sites["sa01-coordinator"] == ["SA-01"]
    assert sites["auditor"] == []
