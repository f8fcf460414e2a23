"""Queries, proposals, signatures and locks through the write path, exported and verified (catalogue H)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ledger.errors import RefusedError
from ledger.export import export_bundle
from ledger.fold import load_entry
from ledger.rules.locks import digest_of
from ledger.rules.signing import signed_digest
from ledger.verify.options import Scope
from tests.ledger.small_ledger import SITE, SmallLedger
from tests.ledger.verifying import judge, problems
from tests.ledger.write_path import BEDSIDE, SOURCE

STREAM = f"participant/{SITE}-001"
MANAGER = ("admin", "data_manager", "authorship")
LOCKING = ("admin", "data_manager", "approval")
PHYSICIAN = ("aruiz", "investigator", "approval")
SCOPES = (
    Scope(kind="study"),
    Scope(kind="site", id=SITE),
    Scope(kind="participant", id=f"{SITE}-001"),
)
VITALS: dict[str, Any] = {
    "measurements": [{"name": "pulse", "quantity": {"value": "72", "unit": "/min"}}], "source": SOURCE,
}  # fmt: skip
ORDINARY: dict[str, Any] = {"opened": {"/reason/text": None}, "reason": {"code": "complete"}}


@pytest.fixture
def managed(small: SmallLedger) -> SmallLedger:
    """A ledger whose administrator is its data manager too, with one participant registered."""
    granted = {"blinded": True, "person": "admin", "role": "data_manager", "sites": ["*"]}
    small.say("manager", "root", "root", "approval", "role.granted", "person/admin", granted)
    opened = {"/data/identity": None}
    register = {"participant": f"{SITE}-001"}
    small.say("registered", *BEDSIDE, "participant.registered", STREAM, register, opened=opened)
    return small


def signature(small: SmallLedger) -> dict[str, Any]:
    """Return the data of the final endorsement of what the stream holds."""
    size = small.ledger.store.head().size
    entries = [load_entry(stored) for stored in small.ledger.store.stream_entries(STREAM)]
    return {"scope": "milestone", "milestone": "final", "upto": size, "components": ["identifier"],
            "sha256": signed_digest(entries, "milestone", "final", size), "source": SOURCE}  # fmt: skip


def event_of(small: SmallLedger, label: str) -> str:
    """Return the event hash that a label stands for."""
    stored = small.ledger.store.entry(small.at[label])
    assert stored is not None
    return stored.event


@pytest.mark.parametrize("role", ["auditor", "data_manager", "blinded_monitor", "inspector"])
def test_a_locked_participant_verifies_for_every_reader(
    managed: SmallLedger, tmp_path: Path, role: str
) -> None:
    """Asked, answered, proposed, signed, locked, passed: each bundle verifies, breaches recorded."""
    small = managed
    small.say("vitals", *BEDSIDE, "vital_signs.recorded", STREAM, VITALS)
    named = {"statement": event_of(small, "vitals"), "source": SOURCE}
    told = {"/data/text": "Please check"}
    small.say(
        "query", *MANAGER, "query.opened", STREAM, {**named, "paths": [], "kind": "missing"}, opened=told
    )
    query = {"statement": event_of(small, "query"), "source": SOURCE}
    small.say("answer", *BEDSIDE, "query.answered", STREAM, query, opened=told)
    small.say("closed", *MANAGER, "query.closed", STREAM, {**query, "code": "answered"})
    note = {"code": "other", "statements": [event_of(small, "vitals")], "rules": [], "known": "2024-06",
            "action": "none", "source": SOURCE}  # fmt: skip
    small.say("deviation", *BEDSIDE, "deviation.reported", STREAM, note, opened=told)
    sealed = {"statement": event_of(small, "query"), "path": "/data/text", "source": SOURCE}
    with pytest.raises(RefusedError, match="original"):
        small.say("no", *MANAGER, "correction.proposed", STREAM, sealed, schema=2,
                  opened={"/data/new": "a", "/data/old": "b", "/reason/text": None},
                  reason={"code": "x"})  # fmt: skip
    small.say("signed", *PHYSICIAN, "record.signed", STREAM, signature(small))
    lock = {"endorsement": event_of(small, "signed"), "authority": "Plan 4"}
    small.say("locked", *LOCKING, "participant.locked", STREAM, lock, **ORDINARY)
    with pytest.raises(RefusedError) as caught:
        small.say("late", *BEDSIDE, "vital_signs.recorded", STREAM, VITALS)
    assert caught.value.code == "PARTICIPANT_LOCKED"
    reviewed = {"first": 0, "last": small.at["locked"], "criteria": ["late"], "findings": 0, "source": SOURCE}
    small.say("review", "admin", "data_manager", "review", "trail.reviewed", "study", reviewed,
              opened={"/data/text": None})  # fmt: skip
    everything = {"review": event_of(small, "review"), "unblinded_sha256": digest_of(()), "authority": "Plan"}
    nobody = {"/data/unblinded": [], "/reason/text": None}
    small.say("database", *LOCKING, "database.locked", "study", everything, opened=nobody,
              reason={"code": "complete"})  # fmt: skip
    small.say("passed", *BEDSIDE, "deviation.reported", STREAM, note, opened=told)
    ledger, checkpoint = small.ledger, small.publish()
    for scope in SCOPES:
        place = tmp_path / scope.kind
        export_bundle(ledger.store, ledger.data_keys, checkpoint, place, scope=scope, role=role)
        assert problems(judge(place, small.policy, role=role, scope=scope)) == set()


def test_a_proposed_correction_of_a_sealed_value_is_opened_with_its_target(
    managed: SmallLedger, tmp_path: Path
) -> None:
    """Old and new are sealed in the scope of the value that would be corrected."""
    small = managed
    event = {"ae": "AE-1", "onset": "2024-06", "awareness": "2024-06-03", "grade": 2, "scale": "CTCAE",
             "scale_version": "5.0", "serious": False, "criteria": [], "causality": [], "action": "none",
             "outcome": "recovering", "source": SOURCE}  # fmt: skip
    verbatim = {"/data/verbatim": "Headache"}
    small.say("event", *BEDSIDE, "adverse_event.reported", STREAM, event, opened=verbatim)
    change = {"statement": event_of(small, "event"), "path": "/data/verbatim", "source": SOURCE}
    opened = {"/data/new": "Head ache", "/data/old": "Headache", "/reason/text": None}
    small.say(
        "proposal", *MANAGER, "correction.proposed", STREAM, change, schema=2, opened=opened,
        reason={"code": "spelling"},
    )  # fmt: skip
    place = tmp_path / "bundle"
    ledger = small.ledger
    export_bundle(
        ledger.store, ledger.data_keys, small.publish(), place, scope=Scope(kind="study"), role="auditor"
    )
    assert problems(judge(place, small.policy)) == set()
