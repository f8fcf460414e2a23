"""Givens of data quality: queries, verification, signatures over a scope, locks."""

from __future__ import annotations

from typing import Any

from ledger.rules.assured import subject_of
from ledger.rules.locks import digest_of
from ledger.rules.signing import signed_digest
from ledger.state.assurance import Assurance
from tests.scenario import (
    PARTICIPANT,
    SITE,
    SOURCE,
    VITALS,
    Story,
    Told,
    given_consented,
    given_registered,
)

AT = f"participant/{PARTICIPANT}"
AT_SITE = f"site/{SITE}"
PULSE = "/data/measurements/0/quantity/value"
CHART = {"id": "cora", "kind": "person", "source": "chart page 3"}
AUTHORITY = {"authority": "Data management plan 4"}


def assured(story: Story, stream: str = AT) -> Assurance:
    """Return what is assured of a stream."""
    if stream.startswith("participant/"):
        found = story.conduct.state(stream.partition("/")[2])
        assert found is not None
        return found.assurance
    return story.conduct.study.assurance[stream]


def given_vitals(**said: Any) -> tuple[Story, Told]:
    """Return vital signs that break nothing."""
    story = given_consented()
    return story, story.given("vital_signs.recorded", VITALS, **said)


def told_of(story: Story, type_: str) -> Told:
    """Return the newest statement of a type."""
    entry = next(e for e in reversed(story.log) if e.statement and e.statement.type == type_)
    return Told(event=entry.event, index=entry.index, refused=None, codes=())


def correct(story: Story, target: Told, path: str, old: Any, new: Any, **said: Any) -> Told:
    """Correct one value."""
    said.setdefault("reason", "transcription")
    data = {"statement": target.event, "path": path, "old": old, "new": new}
    return story.when("correction.made", data, **said)


def void(story: Story, target: Told, code: str = "error", **said: Any) -> Told:
    """Void a record."""
    said.setdefault("reason", code)
    data = {"statement": target.event, "code": code, "source": SOURCE}
    return story.when("record.voided", data, **said)


def cosign(story: Story, target: Told, by: str = "sub", second: str = "approver", **said: Any) -> Told:
    """Give the second signature."""
    return story.when("record.cosigned", {"as": second, "statement": target.event}, by=by, **said)


def query(target: Told, *paths: str, **more: Any) -> dict[str, Any]:
    """Return the data of a query."""
    return {"statement": target.event, "paths": list(paths), "kind": "discrepant", **more}


def ask(story: Story, target: Told, by: str = "coder", **said: Any) -> Told:
    """Open a query about a record."""
    return story.given("query.opened", query(target), by=by, **said)


def verify(story: Story, target: Told, *paths: str) -> Told:
    """Verify values of a record against source."""
    items = [{"statement": target.event, "paths": list(paths)}]
    return story.given("source.verified", {"items": items, "remote": False}, by="monitor")


def signing(
    story: Story, scope: str = "milestone", stream: str = AT, upto: int | None = None, **named: str
) -> dict[str, Any]:
    """Return the data of a signature over what a scope holds."""
    if scope == "milestone":
        named = {"milestone": "final", **named}
    size = len(story.log) if upto is None else upto
    sha256 = signed_digest(story.entries_of(stream), scope, subject_of(named), size)
    return {"scope": scope, **named, "upto": size, "sha256": sha256 or "0" * 64,
            "components": ["identifier", "password"], "source": SOURCE}  # fmt: skip


def sign(story: Story, scope: str = "milestone", by: str = "ines", stream: str = AT, **named: str) -> Told:
    """Sign what a scope holds now."""
    return story.given("record.signed", signing(story, scope, stream, **named), by=by, stream=stream)


def locking(endorsement: Told) -> dict[str, Any]:
    """Return the data of a participant's lock."""
    return {"endorsement": endorsement.event, **AUTHORITY}


def lock(story: Story, stream: str = AT) -> Told:
    """Endorse a participant and lock."""
    data = locking(sign(story, stream=stream))
    return story.given("participant.locked", data, by="coder", reason="complete", stream=stream)


def given_locked(story: Story | None = None, participant: str = PARTICIPANT) -> Story:
    """A participant who is locked."""
    story = given_registered(story, participant)
    lock(story, f"participant/{participant}")
    return story


def review(story: Story, first: int = 0, last: int | None = None) -> Told:
    """Review the trail of the whole study."""
    data = {"first": first, "last": len(story.log) - 1 if last is None else last, "criteria": ["late"],
            "findings": 0, "source": SOURCE}  # fmt: skip
    return story.given("trail.reviewed", data, by="coder", stream="study")


def locking_all(story: Story, reviewed: Told, **more: Any) -> dict[str, Any]:
    """Return the data of the database's lock."""
    opened = [each.event for each in story.conduct.study.unblinding.opened]
    return {"review": reviewed.event, "unblinded_sha256": digest_of(opened), **AUTHORITY, **more}


def given_database_locked() -> Story:
    """A database that is locked, with its one participant."""
    story = given_locked()
    data = locking_all(story, review(story))
    story.given("database.locked", data, by="sponsor", stream="study", reason="complete")
    return story
