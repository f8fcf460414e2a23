"""The dossier of one signature: all that stands behind it, and what came after (21 CFR 11.50, 11.100).

    dossier(reads, 412)["signatures"][0]["rows"]    # account, identity, key, role, policy, training, …

For each key that signed a statement: whose it is, whether its signature holds over the exact bytes, its
grade, and every statement that let it sign there, each with who signed that. `afterwards` names what a reader
of the record should know: the key's revocation, a reaffirmation, the account's end.

It is computed from the log alone, up to the index for what stood behind, and beyond it for what followed. All
of these are control statements, which every reader sees.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from ledger.authorisation import signers
from ledger.authority import INITIAL, TYPES, Authority, evolve
from ledger.entry import Entry
from ledger.envelope import pae
from ledger.errors import LedgerError
from ledger.fold import load_entry
from ledger.keys import KeySignature, PublicKey, check_signature
from ledger.leaf import parse_leaf
from ledger.statement import Statement, parse_statement
from ledger.store.port import Reads, StoredEntry
from projections.describe import describe

PAGE: Final = 10_000

_SECTIONS: Final = {
    "account.created": "account",
    "account.renamed": "account",
    "identity.verified": "identity",
    "key.enrolled": "key",
    "key.rotated": "key",
    "key.holder_confirmed": "key",
    "role.granted": "role",
    "role.revoked": "role",
    "esignature_policy.acknowledged": "policy",
    "training.recorded": "training",
    "delegation.granted": "delegation",
    "delegation.accepted": "delegation",
    "delegation.ended": "delegation",
}
_AFTERWARDS: Final = frozenset({"key.revoked", "record.reaffirmed", "account.disabled", "key.rotated"})

COLUMNS: Final = (
    "signature", "section", "index", "recorded_at", "says", "signed_by", "role", "meaning", "event",
)  # fmt: skip


def dossier(reads: Reads, index: int) -> dict[str, Any] | None:
    """Return the dossier of the statement at an index; None where there is none.

    Members: `index`, `event`, `type`, `says`, `printed` (name, organisation, role, meaning, signed_at),
    `recorded_at`, `signatures` and `afterwards`. A signature has `key`, `alg`, `grade`, `person`, `holds`,
    `evidence` (SHA-256 of the signed form), `endorsed_by`, `suspect_from`, and `rows`.
    """
    stored = reads.entry(index)
    if stored is None:
        return None
    statement, authority = parse_statement(stored.statement), _authority(reads, index)
    now = _authority(reads, reads.head().size)
    actor = statement.actor
    return {
        "index": index,
        "event": stored.event,
        "type": stored.type,
        "says": describe(stored.type, stored.schema, statement.data),
        "printed": {
            "name": actor.name,
            "organisation": actor.organisation,
            "role": actor.role,
            "meaning": statement.meaning,
            "signed_at": statement.signed_at,
        },
        "recorded_at": stored.at,
        "signatures": [
            _signature(reads, stored, statement, key, sig, authority, now)
            for key, sig in zip(signers(authority, statement), parse_leaf(stored.leaf).sigs, strict=True)
        ],
        "afterwards": list(_afterwards(reads, stored, statement, authority)),
    }


def rows(found: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield a dossier's rows for a table, the signature that each belongs to first; see `COLUMNS`."""
    for signature in found["signatures"]:
        for row in signature["rows"]:
            yield {"signature": signature["key"], **row}
    for row in found["afterwards"]:
        yield {"signature": "", **row}


def _authority(reads: Reads, size: int) -> Authority:
    """Fold who may sign what, up to an index."""
    authority = INITIAL
    for start in range(0, size, PAGE):
        for stored in reads.entries(start, min(start + PAGE, size), TYPES):
            authority = evolve(authority, load_entry(stored))
    return authority


def _signature(
    reads: Reads,
    stored: StoredEntry,
    statement: Statement,
    key: PublicKey,
    sig: KeySignature,
    authority: Authority,
    now: Authority,
) -> dict[str, Any]:
    enrolled = now.keys.get(key.id)
    person = authority.person_of(key.id) or (enrolled.person if enrolled else statement.actor.id)
    known = authority.person(person)
    return {
        "key": key.id,
        "alg": key.alg,
        "grade": None if enrolled is None else enrolled.grade,
        "person": person,
        "name": statement.actor.name if known is None else known.name,
        "holds": _holds(key, statement, sig),
        "evidence": None if enrolled is None else enrolled.evidence,
        "endorsed_by": None if enrolled is None else enrolled.endorsed_by,
        "suspect_from": None if enrolled is None else enrolled.suspect_from,
        "rows": list(_behind(reads, stored, statement, person, key.id)),
    }


def _holds(key: PublicKey, statement: Statement, sig: KeySignature) -> bool:
    try:
        check_signature(key, pae(statement.body), statement.event, sig)
    except LedgerError:
        return False
    return True


def _behind(
    reads: Reads, stored: StoredEntry, statement: Statement, person: str, key: str
) -> Iterator[dict[str, Any]]:
    """Yield what let a key sign there, in log order."""
    streams = [f"person/{person}", *([f"site/{statement.site}"] if statement.site else [])]
    found = [
        each for stream in streams for each in reads.stream_entries(stream) if each.index <= stored.index
    ]
    delegations: set[str] = set()
    for each in sorted(found, key=lambda entry: entry.index):
        entry = load_entry(each)
        section = _SECTIONS.get(each.type)
        if section is None or entry.statement is None:
            continue
        data = entry.statement.data
        if each.type == "delegation.granted" and data["person"] == person:
            delegations.add(each.event)
        match section:
            case "key":
                behind = _key_of(data) == key
            case "role":
                behind = data["role"] == statement.actor.role
            case "delegation":
                behind = data.get("delegation", each.event) in delegations
            case _:
                behind = True
        if behind:
            yield _row(section, each, entry)


def _key_of(data: Mapping[str, Any]) -> str:
    """Return the id of the key that a statement about keys names."""
    named = data["key"]
    return str(named if isinstance(named, str) else named["id"])


def _afterwards(
    reads: Reads, stored: StoredEntry, statement: Statement, authority: Authority
) -> Iterator[dict[str, Any]]:
    """Yield what came later and touches this signature."""
    keys = {statement.key.id, *(ref.id for ref in statement.with_)}
    persons = {authority.person_of(key) or statement.actor.id for key in keys}
    size = reads.head().size
    for start in range(stored.index + 1, size, PAGE):
        for each in reads.entries(start, min(start + PAGE, size), _AFTERWARDS):
            entry = load_entry(each)
            data = entry.statement.data if entry.statement is not None else {}
            touches = (
                (each.type == "key.revoked" and data["key"] in keys)
                or (each.type == "key.rotated" and data["replaces"] in keys)
                or (each.type == "account.disabled" and data["person"] in persons)
                or (each.type == "record.reaffirmed" and stored.event in str(data))
            )
            if touches:
                yield _row("afterwards", each, entry)


def _row(section: str, stored: StoredEntry, entry: Entry) -> dict[str, Any]:
    statement = entry.statement
    return {
        "section": section,
        "index": stored.index,
        "recorded_at": stored.at,
        "says": stored.type if statement is None else describe(stored.type, stored.schema, statement.data),
        "signed_by": "" if statement is None else f"{statement.actor.name}, {statement.actor.organisation}",
        "role": "" if statement is None else statement.actor.role,
        "meaning": "" if statement is None else statement.meaning,
        "event": stored.event,
    }
