"""An erasure in the small ledger: who approves it, a backup that holds the value still, what must be gone."""

from __future__ import annotations

import base64
from typing import Any

from ledger.erasing import Erased, erase
from ledger.statement import Statement, parse_statement
from ledger.verify.options import Scope
from tests.ledger.small_ledger import SmallLedger

IDENTITY = "/data/identity"
VALUE = "the person behind SA-01-001"
STUDY = Scope(kind="study")


def named(small: SmallLedger, label: str) -> Statement:
    """Return a recorded statement."""
    stored = small.ledger.store.entry(small.at[label])
    assert stored is not None
    return parse_statement(stored.statement)


def approve(small: SmallLedger, statement: Statement, *paths: str) -> list[str]:
    """Let the sponsor and the site's investigator approve, and return both approvals."""
    data = {
        "digests": [statement.sealed[path] for path in paths],
        "legal_basis": "GDPR Art. 17(1)(d)",
        "statement": statement.event,
    }
    return [
        small.say(f"approved {who}", who, role, "approval", "erasure.approved", "study", dict(data)).event
        for who, role in (("admin", "sponsor_administrator"), ("aruiz", "investigator"))
    ]


def backup(small: SmallLedger, name: str, **more: Any) -> str:
    """Attest a backup of the log as it is."""
    data = {"backup": name, "location": "vault", "sha256": "ab" * 32, "stores": ["data_keys", "events"],
            "size": small.ledger.store.head().size, **more}  # fmt: skip
    return small.ledger.attest("backup.taken", "study", data).event


def traces_of(small: SmallLedger, statement: Statement, path: str) -> tuple[bytes, ...]:
    """Return what must be in no file afterwards: disclosure, its bytes, ciphertext."""
    kept = next(k for k in small.ledger.store.disclosures(statement.event) if k.path == path)
    disclosure = small.ledger.data_keys.open(
        kept.event, path, kept.stream, kept.scope, kept.nonce, kept.ciphertext
    )
    plain = base64.urlsafe_b64decode(disclosure + "=" * (-len(disclosure) % 4))
    return disclosure.encode(), plain, kept.ciphertext


def erase_identity(small: SmallLedger) -> tuple[Erased, tuple[bytes, ...]]:
    """Erase the identity of the first participant."""
    statement = named(small, "registered SA-01-001")
    traces = traces_of(small, statement, IDENTITY)
    return erase(small.ledger, approve(small, statement, IDENTITY)), traces
