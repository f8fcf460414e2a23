"""What the demonstration shows of participants: each turn is there and ends as the rules have it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest

from ledger.committer import Ledger
from ledger.demo import DemoReport
from ledger.directory import open_ledger
from ledger.fold import load_entry
from ledger.participant import Participant, Status
from ledger.sources import SystemSources
from ledger.statement import Statement

SCOPES = {
    "study_treatment",
    "visits_and_procedures",
    "contact",
    "record_access",
    "future_samples",
    "future_data",
    "extension",
}


@pytest.fixture(scope="module")
def ledger(demo: DemoReport) -> Iterator[Ledger]:
    """The whole demonstration's ledger."""
    ledger = open_ledger(demo.directory, None, SystemSources())
    yield ledger
    ledger.close()


@pytest.fixture(scope="module")
def people(ledger: Ledger) -> list[Participant]:
    """Every participant as of the end."""
    return list(ledger.refresh().conduct.participants())


@pytest.fixture(scope="module")
def told(ledger: Ledger) -> list[Statement]:
    """Every statement of a participant's stream."""
    head = ledger.store.head().size
    entries = (load_entry(stored) for stored in ledger.store.entries(0, head))
    return [e.statement for e in entries if e.statement and e.statement.stream.startswith("participant/")]


def of_type(told: list[Statement], type_: str) -> list[Statement]:
    """Return the statements of a type."""
    return [statement for statement in told if statement.type == type_]


def test_everybody_is_locked_at_the_end(people: list[Participant], ledger: Ledger) -> None:
    """Each record is endorsed and locked, and nothing passed the last lock."""
    size = ledger.refresh().size
    for participant in people:
        lock = participant.assurance.locked(size)
        assert lock is not None
        assert lock.reopened is None


def test_a_lock_was_passed_and_renewed(people: list[Participant]) -> None:
    """A serious event after the lock passed it; the record was unlocked, endorsed and locked again."""
    passed = [p for p in people if any(lock.passed for lock in p.assurance.locks)]
    assert len(passed) == 1
    assert passed[0].assurance.locks[0].unlocked is not None


def test_no_breach_stays_unaccounted(people: list[Participant]) -> None:
    """Each breach of a participant is closed by the fold, or a deviation accounts for it."""
    assert not [breach for p in people for breach in p.breaches if breach.is_unaccounted]


def test_no_deviation_is_classified_by_its_author(people: list[Participant]) -> None:
    """Every deviation is classified, and some are important."""
    kinds = Counter(d.classification for p in people for d in p.assurance.deviations)
    assert set(kinds) == {"important", "not_important"}


def test_queries_reach_their_end(people: list[Participant]) -> None:
    """No query is left open; most were closed, some cancelled."""
    states = Counter(query.state for p in people for query in p.assurance.queries)
    assert set(states) == {"closed", "cancelled"}


def test_verification_is_broken_and_redone(people: list[Participant]) -> None:
    """What a correction outdated was verified again, and so was each difference from source."""
    outdated = [(p, v) for p in people for v in p.assurance.verified if v.outdated is not None]
    assert outdated
    for participant, broken in outdated:
        again = [v for v in participant.assurance.verified if v.statement == broken.statement]
        assert any(v.outdated is None and v.index > broken.index for v in again)
    found = [d for p in people for d in p.assurance.discrepancies]
    assert found
    assert all(d.settled is not None for d in found)


def test_outdated_signatures_are_renewed(people: list[Participant]) -> None:
    """A signature over a visit that a correction outdated was given again."""
    renewed = 0
    for participant in people:
        signed = [s for s in participant.assurance.signatures if s.scope == "visit"]
        for old in signed:
            later = [s for s in signed if s.subject == old.subject and s.index > old.index]
            renewed += old.outdated is not None and bool(later)
    assert renewed > 0


def test_proposals_are_taken_up(people: list[Participant]) -> None:
    """Each correction that a data manager proposed in plain words was made by the site."""
    proposals = [proposal for p in people for proposal in p.assurance.proposals]
    assert proposals
    assert sum(proposal.taken is not None for proposal in proposals) >= len(proposals) - 1


def test_consent_is_withdrawn_in_every_scope(told: list[Statement]) -> None:
    """Withdrawals cover each scope that there is."""
    withdrawn = of_type(told, "consent.withdrawn")
    assert {scope for statement in withdrawn for scope in statement.data["scopes"]} == SCOPES


def test_a_rescreened_participant_is_randomized(people: list[Participant]) -> None:
    """Who failed a first screening and passed the second went through the study."""
    again = [p for p in people if any(f.rescreened is not None for f in p.consenting.failures)]
    assert [(p.randomized, p.status) for p in again] == [(True, Status.COMPLETED)]


def test_a_transfer_keeps_id_and_stratum(people: list[Participant]) -> None:
    """Who moved to the other site has the old site's id and stratum."""
    (moved,) = [p for p in people if p.consenting.transfers]
    assert moved.sites == ("SA-01", "SD-02")
    assert {made.stratum for made in moved.randomizations} == {"SA-01"}
    assert moved.id.startswith("SA-01")


def test_results_that_tell_the_treatment_are_sealed(told: list[Statement]) -> None:
    """Levels of the products stand in the sealed list alone, for everybody by the same author's role."""
    levels = [s for s in of_type(told, "lab_result.received") if s.data["sample"].endswith("-levels")]
    assert len(levels) > len({s.stream for s in levels}) - 1
    assert {s.actor.role for s in levels} == {"unblinded_pharmacist"}
    assert all(s.data["analytes"] == [] and "/data/unblinding_results" in s.sealed for s in levels)


def test_diaries_are_kept_from_week_to_week(told: list[Statement]) -> None:
    """Participants are the originators of their diaries; some days are missed."""
    kept = of_type(told, "diary.submitted")
    assert all(s.originator is not None and s.originator.kind == "participant" for s in kept)
    assert len(kept) > 10 * len(of_type(told, "diary.missed"))
