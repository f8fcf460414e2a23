"""Logins that lock, and views that are attested, on a real ledger (catalogue A; 21 CFR 11.300(d))."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ledger import logins
from ledger.errors import RefusedError
from ledger.refusals import HOUR_US, PER_HOUR
from ledger.statement import Statement, parse_statement
from ledger.verify.options import Scope
from ledger.views import View, must_be_noted, note_view
from tests.ledger.small_ledger import SmallLedger, make
from tests.ledger.write_path import hire, types_from

PARTICIPANT = "SA-01-001"
OF_PARTICIPANT = Scope(kind="participant", id=PARTICIPANT)


@pytest.fixture
def small(tmp_path: Path) -> SmallLedger:
    """A small ledger."""
    return make(tmp_path / "d")


def newest(small: SmallLedger) -> Statement:
    """Return the newest statement."""
    stored = small.ledger.store.entry(small.ledger.store.head().size - 1)
    assert stored is not None
    return parse_statement(stored.statement)


def fail(small: SmallLedger, times: int, address: str = "192.0.2.7") -> list[bool]:
    """Fail to log in so often; tell after each whether login is locked."""
    return [
        logins.failed(small.ledger, "bchan", address=address, code="wrong_component", alerted=["admin"])
        for _ in range(times)
    ]


def enter(small: SmallLedger) -> Any:
    """Log in."""
    components = ("one_time_code", "password")
    return logins.succeeded(small.ledger, "bchan", address="192.0.2.7", components=components)


def test_five_failures_lock_and_alert(small: SmallLedger) -> None:
    """The fifth brings the lock with it, which names whom to alert; nothing is owed."""
    before = small.ledger.store.head().size
    assert fail(small, 5) == [False, False, False, False, True]
    assert types_from(small, before) == ["login.failed"] * 5 + ["login.locked"]
    assert newest(small).data["alerted"] == ["admin"]
    assert newest(small).data["failures"] == 5
    with pytest.raises(RefusedError, match="LOCKOUT_IGNORED"):
        enter(small)
    assert fail(small, 1) == [True]
    assert newest(small).data["code"] == "locked"
    small.sources.advance(logins.LOCKED_US)
    assert not logins.is_locked(small.ledger, "bchan")
    enter(small)


def test_a_login_ends_the_count_and_its_session_ends_once(small: SmallLedger) -> None:
    """Failures count since the last success; the session names its login."""
    fail(small, 4)
    began = enter(small)
    assert fail(small, 4) == [False] * 4
    ended = logins.ended(small.ledger, "bchan", began.event, "signed_out")
    assert ended.breaches == ()
    assert logins.ended(small.ledger, "bchan", began.event, "idle").breaches == ("SESSION_NOT_OPEN",)


def test_no_address_is_in_the_log(small: SmallLedger) -> None:
    """The same address gives the same HMAC, another another; the address itself is nowhere."""
    seen = []
    for address in ("192.0.2.7", "192.0.2.7", "192.0.2.8"):
        fail(small, 1, address)
        seen.append(newest(small).data["address_hmac"])
        assert address.encode() not in newest(small).body
    assert seen[0] == seen[1] != seen[2]


def test_nobody_unknown_logs_in(small: SmallLedger) -> None:
    """An attempt under an id that nobody has is not one of a person."""
    with pytest.raises(RefusedError, match="PERSON_UNKNOWN"):
        logins.failed(small.ledger, "hunter2", address="192.0.2.7", code="disabled", alerted=["admin"])


# Prompts.

PROMPT = {"/data/entered": "1280", "/data/kept": "128", "/data/prompt": "above 300: keep it?"}


def prompt(small: SmallLedger, stream: str = f"participant/{PARTICIPANT}") -> int | None:
    """Let a check prompt the coordinator."""
    data = {"answer": "changed", "check": "range", "path": "/data/value", "type": "vital_signs.recorded",
            "who": "bchan"}  # fmt: skip
    return small.ledger.attest_prompt(stream, data, PROMPT)


def test_a_prompt_keeps_what_was_entered_and_stands_at_the_site(small: SmallLedger) -> None:
    """Original, prompt and what was kept are sealed; the statement is of the participant's site (FDA Q13)."""
    assert prompt(small) == small.ledger.store.head().size - 1
    said = newest(small)
    assert (said.type, said.site) == ("edit_check.fired", "SA-01")
    assert b"1280" not in said.body
    assert {kept.path for kept in small.ledger.store.disclosures(said.event)} == set(PROMPT)


def test_prompts_beyond_the_limit_are_counted_and_summed_up(small: SmallLedger) -> None:
    """Twenty an hour for each person; the sum comes before the next that is recorded."""
    indexes = [prompt(small) for _ in range(PER_HOUR + 2)]
    assert indexes[PER_HOUR:] == [None, None]
    assert small.ledger.prompted_beyond == {"bchan": 2}
    small.sources.advance(HOUR_US)
    recorded = prompt(small)
    assert recorded is not None
    stored = small.ledger.store.entry(recorded - 1)
    assert stored is not None
    assert (stored.type, stored.schema) == ("edit_check.fired", 3)
    summed = {"count": 2, "since": indexes[PER_HOUR - 1], "who": "bchan"}
    assert parse_statement(stored.statement).data == summed


# Views.


def view(small: SmallLedger, who: str, role: str, **more: Any) -> View:
    """Return a view of a participant by a person in a role."""
    return View(
        who=who,
        role=role,
        scope=OF_PARTICIPANT,
        size=small.ledger.store.head().size,
        purpose="review",
        **more,
    )


def test_an_opening_of_identity_is_an_event(small: SmallLedger) -> None:
    """Who, in which role, what, as of which size, which scopes were opened, which statements, why."""
    assert must_be_noted(["identity", "freetext"])
    assert must_be_noted(["treatment"])
    assert not must_be_noted(["freetext"])
    stored = small.ledger.store.entry(small.at[f"registered {PARTICIPANT}"])
    assert stored is not None
    looked = view(small, "bchan", "coordinator", opened=("identity",), statements=(stored.event,))
    recorded = note_view(small.ledger, looked)
    assert recorded is not None
    said = newest(small)
    assert (said.type, said.stream, said.cls) == ("record.viewed", "access/2024-06", "restricted")
    assert said.data["who"] == "bchan"
    assert said.data["statements"] == [stored.event]
    assert said.data["view"] == {
        "id": PARTICIPANT, "kind": "participant", "opened": ["identity"], "size": looked.size,
    }  # fmt: skip


@pytest.mark.parametrize("type_", ["record.viewed", "trail.viewed"])
def test_an_inspectors_view_shows_nothing_of_what_was_seen(small: SmallLedger, type_: Any) -> None:
    """Neither the inspector nor the participant nor the purpose stands in the plain statement."""
    hire(small, "insp", "inspector", sites=["*"])
    with pytest.raises(RefusedError, match="INSPECTION_NOT_OPEN"):
        note_view(small.ledger, view(small, "insp", "inspector", opened=("treatment",)), type_)
    head = small.ledger.store.head()
    opening = {"authority": "Agency", "blinded": False, "inspection": "INSP-1", "inspectors": ["insp"],
               "sites": ["*"], "size": 1, "root": "A" * 43 + "="}  # fmt: skip
    admin = ("admin", "sponsor_administrator", "approval", "inspection.opened", "study")
    opened = small.say("inspection", *admin, opening)
    assert note_view(small.ledger, view(small, "insp", "inspector", opened=("treatment",)), type_)
    said = newest(small)
    assert (said.type, said.schema, said.data) == (type_, 2, {"inspection": opened.event})
    for trace in (b'insp"', PARTICIPANT.encode(), b"review"):
        assert trace not in said.body
    assert head.size < small.ledger.store.head().size
    scopes = {kept.scope for kept in small.ledger.store.disclosures(said.event)}
    assert scopes == {"access"}


def test_a_view_is_of_a_tree_that_there_was(small: SmallLedger) -> None:
    """Nobody looked at what was not recorded yet, and nobody unknown looked."""
    later = View(who="bchan", role="coordinator", scope=OF_PARTICIPANT, size=10_000, purpose="review")
    with pytest.raises(RefusedError, match="INDEX"):
        note_view(small.ledger, later)
    with pytest.raises(RefusedError, match="PERSON_UNKNOWN"):
        note_view(small.ledger, view(small, "nobody", "auditor"))
