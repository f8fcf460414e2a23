"""Stories of tests/scenario.py in a real store: real statements, leaves and trees, signed by one key."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from ledger.committer import Ledger
from ledger.entry import Entry
from ledger.envelope import pae
from ledger.errors import StoreError
from ledger.keys import Ed25519SigningKey, KeySignature
from ledger.leaf import encode_leaf
from ledger.merkle import Frontier, leaf_hash
from ledger.sealing import open_disclosure
from ledger.store.port import Commit, NewEvent, NewStream
from ledger.store.sqlite import SqliteStore
from ledger.tiles import advance
from projections.reader import ERASED, Opener
from tests import scenario
from tests.scenario import PARTICIPANT, Story
from tests.store_log import digest

KEY = Ed25519SigningKey.from_seed(bytes(range(32)))


def store_of(story: Story, path: Path) -> SqliteStore:
    """Return a new store with everything that a story recorded."""
    store = SqliteStore.create(path)
    for sha256, data in story.attachments.items():
        store.put_attachment(sha256, "application/json", data)
    keep(story, store)
    return store


def keep(story: Story, store: SqliteStore) -> None:
    """Append to a store what a story recorded since it was kept last."""
    head = store.head()
    entries = story.log[head.size :]
    if not entries:
        return
    known = {stream.stream for stream in store.streams()}
    new = dict.fromkeys(e.statement.stream for e in entries if e.statement is not None)
    streams = [
        NewStream(stream=name, tag=digest(f"tag {name}").hex(), salt=digest(name))
        for name in new
        if name not in known
    ]
    events = [_event(entry) for entry in entries]
    frontier = Frontier.from_bytes(head.frontier)
    tiles = advance(head.size, [event.leaf_hash for event in events], store.tile_hashes)
    for event in events:
        frontier.append(event.leaf_hash)
    commit = Commit(
        base_size=head.size,
        events=tuple(events),
        streams=tuple(streams),
        disclosures=(),
        guards=(),
        tile_hashes=tiles,
        root=frontier.root(),
        frontier=frontier.to_bytes(),
        head=b"note",
    )
    with store.write() as transaction:
        transaction.append(commit)


def _event(entry: Entry) -> NewEvent:
    statement = entry.statement
    assert statement is not None
    signature = KeySignature(alg=KEY.alg, key=KEY.id, sig=KEY.sign(pae(statement.body)))
    leaf = encode_leaf(replace(entry.leaf, sigs=(signature,)))
    return NewEvent(
        index=entry.index,
        at=entry.leaf.at,
        stream=statement.stream,
        seq=statement.seq,
        type=statement.type,
        schema=statement.schema,
        id=statement.id,
        event=entry.event,
        statement=statement.body,
        leaf=leaf,
        leaf_hash=leaf_hash(leaf),
    )


def eventful() -> Story:
    """A participant to whom everything of the first slice happens, corrections and voidings included."""
    story = scenario.given_infused()
    story.wait(minutes=30)
    day1 = story.now[:10]
    vitals = story.given("vital_signs.recorded", {"visit": "w1d1", **scenario.VITALS}, by="nurse")
    reported = story.given("adverse_event.reported", scenario.adverse_event(), by="sub", occurred=day1)
    story.given(
        "correction.made",
        {"statement": vitals.event, "path": "/data/measurements/0/quantity/value", "old": "72", "new": "82"},
        reason="transcription",
    )
    correction = story.given(
        "correction.made",
        {"statement": vitals.event, "path": "/data/measurements/0/quantity/value", "old": "82", "new": "28"},
        reason="transcription",
    )
    story.given(
        "record.voided", {"statement": correction.event, "code": "error"}, by="ines", reason="mistake"
    )
    story.when(
        "adverse_event.followed_up",
        {"ae": "AE-1", "version": 2, "new_information": day1, "grade": 2},
        by="sub",
    )
    story.wait(days=5)
    late = story.when(
        "vital_signs.recorded", {**scenario.VITALS, "position": "supine"}, by="nurse", occurred=day1
    )
    assert "LATE_ENTRY" in late.codes
    duplicate = story.given("visit.started", {"visit": "unscheduled", "mode": "phone"})
    story.given("record.voided", {"statement": duplicate.event, "code": "duplicate"}, reason="entered_twice")
    held = story.when("dose.held", {"infusion": 2, "code": "adverse_event", "decided_by": "sub"}, by="sub")
    voiding = story.given("record.voided", {"statement": held.event, "code": "error"}, reason="mistake")
    story.given("record.cosigned", {"statement": voiding.event, "as": "supervisor"}, by="ines")
    story.when("medication.started", {"medication": "M1", "class": "benzodiazepines", "start": "2025-01"})
    story.given(
        "adverse_event.resolved",
        {"ae": "AE-1", "version": 3, "resolved": story.now[:10], "outcome": "recovered"},
        by="sub",
    )
    story.given(
        "correction.made",
        {"statement": reported.event, "path": "/occurred_at", "old": day1, "new": "2025-02-02"},
        reason="late_information",
        originator={"id": PARTICIPANT, "kind": "participant", "source": "diary"},
    )
    story.when(
        "participant.withdrawn",
        {"date": story.now[:10], "last_visit": "w1d1", "code": "participant"},
        occurred=story.now[:10],
    )
    return story


def opener_of(ledger: Ledger) -> Opener:
    """Return an opener over a ledger's own disclosures and data keys."""

    def opener(event: str, path: str) -> Any:
        kept = next((d for d in ledger.store.disclosures(event) if d.path == path), None)
        if kept is None:
            return ERASED
        try:
            disclosure = ledger.data_keys.open(
                event, path, kept.stream, kept.scope, kept.nonce, kept.ciphertext
            )
        except StoreError:  # the data key is destroyed
            return ERASED
        return open_disclosure(disclosure).value

    return opener
