"""What tests of the write path share: copies of a small ledger, changed statements, what always holds."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import orjson
import pytest

from ledger.authorisation import judge
from ledger.committer import Ledger
from ledger.datakeys import DataKeys
from ledger.entry import Entry, Index
from ledger.envelope import PAYLOAD_TYPE
from ledger.errors import LedgerError, RefusedError
from ledger.fold import LogFold, StoreReader
from ledger.genesis import key_object
from ledger.keys import Ed25519SigningKey, SigningKey
from ledger.leaf import Leaf, parse_leaf
from ledger.merkle import leaf_hash, tree_root
from ledger.note import CosignatureSigner, NoteSigner
from ledger.prepare import Signer
from ledger.proof import check_receipt
from ledger.recorded import Recorded
from ledger.service import LogSigners, Service, sign_body
from ledger.sources import SeededSources, Sources
from ledger.statement import build_statement, parse_statement
from ledger.store.checkpoints import CheckpointFile
from ledger.store.port import Store
from ledger.store.sqlite import SqliteStore
from ledger.store.startup import check
from ledger.submission import Submission
from tests.ledger.small_ledger import ORIGIN, SITE, SmallLedger, make, seed

FILES: Final = ("ledger.db", "checkpoints.db", "datakeys.db")
HOUR: Final = 3_600 * 1_000_000
SOURCE: Final = {"kind": "esource"}
VITALS: Final = {
    "measurements": [{"name": "heart_rate", "quantity": {"value": "72", "unit": "/min"}}],
    "source": SOURCE,
}
BEDSIDE: Final = ("bchan", "coordinator", "authorship")
PARTICIPANT: Final = f"{SITE}-001"
STREAM: Final = f"participant/{PARTICIPANT}"


def make_template(directory: Path) -> SmallLedger:
    """Make people, site and enrolment, with nobody registered, and close it: to be copied for each test."""
    made = make(directory, participants=0)
    made.sources.advance(2 * HOUR)  # past the beginning of the coordinator's delegation
    made.ledger.close()
    return made


def copy_of(template: SmallLedger, source: Path, directory: Path) -> SmallLedger:
    """Copy a closed ledger and open the copy; its clock goes on from the template's."""
    directory.mkdir(parents=True, exist_ok=True)
    for name in FILES:
        shutil.copy(source / name, directory / name)
    sources = SeededSources(f"copy {directory.name}", template.sources.now_us())
    return SmallLedger(
        ledger=open_stores(directory, sources),
        sources=sources,
        ledger_id=template.ledger_id,
        people=dict(template.people),
        at=dict(template.at),
    )


def open_stores(
    directory: Path, sources: Sources, *, busy_timeout_s: float = 5.0, store: Store | None = None
) -> Ledger:
    """Open the stores of a small ledger's directory with its keys; over a store elsewhere if one is given."""
    signers = LogSigners(
        head=NoteSigner(ORIGIN, seed("log")), published=(CosignatureSigner(ORIGIN, seed("log pq")),)
    )
    store = store or SqliteStore.open(directory / "ledger.db", busy_timeout_s=busy_timeout_s)
    checkpoints = CheckpointFile(directory / "checkpoints.db")
    return Ledger(
        origin=ORIGIN,
        store=store,
        checkpoints=checkpoints,
        signers=signers,
        service=Service(Ed25519SigningKey.from_seed(seed("service")), seed("secret")),
        data_keys=DataKeys(directory / "datakeys.db", seed("kek"), sources.random_bytes),
        sources=sources,
        startup=check(store, checkpoints, signers.verifier_keys),
    )


def key_of(label: str) -> Ed25519SigningKey:
    """Return the key that follows from a label; a person's id names the first key of that person."""
    return Ed25519SigningKey.from_seed(seed(label))


def described(key: SigningKey, person: str, grade: str = "client", **more: Any) -> dict[str, Any]:
    """Return the KEY object of record-format.md §11."""
    known = key_object(key, person, "client")
    return {"alg": known.alg, "grade": grade, "id": known.id, "person": person, "spki": known.spki, **more}


def enrolment(key: SigningKey, person: str, grade: str = "client", **more: Any) -> dict[str, Any]:
    """Return the data of `key.enrolled`."""
    evidence = {"kind": "signed-form", "sha256": seed(f"form {person}").hex()}
    return {"evidence": evidence, "key": described(key, person, grade, **more)}


def account(person: str, name: str = "A. Name", organisation: str = f"Site {SITE}") -> dict[str, str]:
    """Return the data of `account.created`."""
    return {"name": name, "organisation": organisation, "person": person}


def identity(person: str) -> dict[str, str]:
    """Return the data of `identity.verified`."""
    return {"by": "root1", "document": "passport", "method": "in person", "person": person}


def grant(person: str, role: str, sites: Sequence[str] = (SITE,)) -> dict[str, Any]:
    """Return the data of `role.granted`."""
    return {"blinded": True, "person": person, "role": role, "sites": list(sites)}


def letter(person: str) -> dict[str, str]:
    """Return the data of `esignature_policy.acknowledged`."""
    return {"letter": "LNR-2024-01", "person": person, "version": "1"}


def by_root(small: SmallLedger, type_: str, stream: str, data: dict[str, Any], **rest: Any) -> Recorded:
    """Record something that the root signs with approval."""
    return small.say(type_, "root", "root", "approval", type_, stream, data, **rest)


def verify_identity(small: SmallLedger, person: str) -> Recorded:
    """Record a person's identity as verified."""
    return small.say(
        "identity", "root", "root", "verification", "identity.verified", f"person/{person}", identity(person)
    )


def enrol(small: SmallLedger, person: str, key: SigningKey, **rest: Any) -> Recorded:
    """Enrol a further key of a person."""
    return by_root(small, "key.enrolled", f"person/{person}", enrolment(key, person, **rest), further=[key])


def hire(
    small: SmallLedger, person: str, role: str, sites: Sequence[str] = (SITE,), *, acknowledged: bool = True
) -> Signer:
    """Take a person on: account, identity, key, role and acknowledgement."""
    stream = f"person/{person}"
    by_root(small, "account.created", stream, account(person))
    verify_identity(small, person)
    enrol(small, person, key_of(person))
    by_root(small, "role.granted", stream, grant(person, role, sites))
    signer = Signer(key_of(person), person, "A. Name", f"Site {SITE}")
    small.people[person] = signer
    if acknowledged:
        acknowledge(small, person, role)
    return signer


def acknowledge(small: SmallLedger, person: str, role: str) -> Recorded:
    """Let a person acknowledge the signature policy."""
    type_, stream = "esignature_policy.acknowledged", f"person/{person}"
    return small.say(type_, person, role, "responsibility", type_, stream, letter(person))


def register(small: SmallLedger, participant: str = PARTICIPANT) -> Recorded:
    """Register a participant."""
    type_, stream = "participant.registered", f"participant/{participant}"
    opened = {"/data/identity": "the person behind it"}
    return small.say(type_, *BEDSIDE, type_, stream, {"participant": participant}, opened=opened)


def vitals(small: SmallLedger, stream: str = STREAM, **members: Any) -> Submission:
    """Prepare and sign vital signs, without recording them."""
    small.sources.advance(1_000_000)
    return signed(small, "bchan", vitals_action(stream, **members))


def vitals_action(stream: str = STREAM, **members: Any) -> dict[str, Any]:
    """Return the members of a statement of vital signs."""
    return {
        "type": "vital_signs.recorded",
        "stream": stream,
        "role": "coordinator",
        "site": SITE,
        "protocol": "1.0",
        "data": VITALS,
        **members,
    }


def signed(
    small: SmallLedger,
    who: str,
    action: Mapping[str, Any],
    opened: Mapping[str, Any] | None = None,
    further: Sequence[SigningKey] = (),
) -> Submission:
    """Prepare and sign an action as it is given, without recording it."""
    return small.people[who].submission(small.ledger, action, opened or {}, further)


def altered(submission: Submission, *keys: SigningKey, **changes: Any) -> Submission:
    """Change members of a statement and sign it again; None takes a member away."""
    value = orjson.loads(submission.statement.body)
    for name, change in changes.items():
        name = name.removesuffix("_")
        if change is None:
            del value[name]
        else:
            value[name] = change
    statement = parse_statement(build_statement(value))
    return Submission(
        statement=statement, sigs=sign_body(statement.body, *keys), disclosures=submission.disclosures
    )


@contextmanager
def refused(code: str, kind: type[LedgerError] = RefusedError, field: str | None = None) -> Iterator[None]:
    """Expect one error with this code."""
    with pytest.raises(kind) as caught:
        yield
    assert caught.value.code == code, str(caught.value)
    if field is not None:
        assert caught.value.field == field


def check_whole(small: SmallLedger) -> None:
    """Check what holds at any time: dense, one tree, receipts' heads, and a fold that is the log's fold."""
    ledger = small.ledger
    head = ledger.store.head()
    entries = ledger.store.entries(0, head.size + 1)
    assert [entry.index for entry in entries] == list(range(head.size))
    assert tree_root([leaf_hash(entry.leaf) for entry in entries]) == head.root
    assert all(parse_leaf(entry.leaf).statement == entry.event for entry in entries)
    fresh = LogFold(StoreReader(ledger.store))
    fresh.catch_up(ledger.store, head.size)
    present = ledger.refresh()
    assert present.authority == fresh.authority
    assert (present.chain.size, present.chain.at) == (fresh.chain.size, fresh.chain.at)
    assert (present.chain.heads, present.chain.seen) == (fresh.chain.heads, fresh.chain.seen)
    assert present.conduct.study == fresh.conduct.study
    assert list(present.conduct.participants()) == list(fresh.conduct.participants())
    assert present.conduct.unrecorded() == ()


def check_recorded(small: SmallLedger, recorded: Recorded) -> None:
    """Check a receipt against the log's public keys, and that the leaf is at its index."""
    leaf, _ = check_receipt(recorded.receipt, small.ledger.signers.verifier_keys)
    stored = small.ledger.store.entry(recorded.index)
    assert stored is not None
    assert (stored.leaf, stored.event) == (recorded.leaf, recorded.event)
    assert parse_leaf(recorded.leaf) == leaf


def types_from(small: SmallLedger, start: int) -> list[str]:
    """Return the types recorded from an index on."""
    return [entry.type for entry in small.ledger.store.entries(start, small.ledger.store.head().size)]


def candidate(small: SmallLedger, submission: Submission) -> Entry:
    """Return the entry that a submission would be, at the next index."""
    statement = submission.statement
    leaf = Leaf(
        at=small.now(),
        cls=statement.cls,
        index=small.ledger.refresh().size,
        payload_type=PAYLOAD_TYPE,
        sigs=submission.sigs,
        site=statement.site or "",
        statement=statement.event,
        stream=statement.tag,
        v=1,
    )
    return Entry(index=Index(leaf.index), leaf=leaf, event=statement.event, statement=statement)


def problems(small: SmallLedger, submission: Submission) -> set[str]:
    """Return every code that authority has against a submission, signatures apart."""
    entry = candidate(small, submission)
    return {problem.code for problem in judge(small.ledger.fold.authority, entry)}
