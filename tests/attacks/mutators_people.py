"""Statements about keys and people as an attacker words them, signed by whoever is told to."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from ledger.envelope import event_hash
from ledger.keys import Es256SigningKey, SigningKey
from ledger.webauthn import challenge_of
from tests.attacks.mutators_log import NOW
from tests.attacks.mutators_signatures import ref, refs, text
from tests.ledger.forgery import Forgery, key_of
from tests.ledger.small_ledger import SmallLedger, seed

SITE_ORIGIN: Final = "https://ledger.example"
RP_ID: Final = "ledger.example"
NAMES: Final = {
    "root": ("root1", "Root Holder", "Sponsor", "root"),
    "service": ("service", "Ledger service", "Operator", "service"),
    "admin": ("admin", "Sponsor Administrator", "Sponsor", "sponsor_administrator"),
    "aruiz": ("aruiz", "Dr. Ana Ruíz", "Site SA-01", "investigator"),
    "bchan": ("bchan", "B. Chan", "Site SA-01", "coordinator"),
}


def actor(label: str, **changes: str) -> dict[str, str]:
    """Return the printed actor of one of the small ledger's people."""
    id_, name, organisation, role = NAMES[label]
    return {"id": id_, "name": name, "organisation": organisation, "role": role, **changes}


def control(
    forged: Forgery,
    made: SmallLedger,
    type_: str,
    stream: str,
    data: Mapping[str, Any],
    *,
    by: str = "root",
    key: SigningKey | None = None,
    further: Sequence[SigningKey] = (),
    **members: Any,
) -> int:
    """Add a control statement by one of the people, of now, with further keys; return its index."""
    signer = key or key_of(by)
    statement = forged.draft(
        made.at["training bchan"],
        **{
            "type": type_,
            "stream": stream,
            "data": dict(data),
            "actor": actor(by),
            "key": ref(signer),
            "meaning": "approval",
            "occurred_at": NOW,
            "signed_at": NOW,
            "with": refs(further) or None,
            **members,
        },
    )
    return forged.append(statement, [signer, *further])


def described(key: SigningKey, person: str, **changes: Any) -> dict[str, Any]:
    """Return the KEY object of record-format.md §11."""
    spki = base64.b64encode(key.spki).decode()
    return {"alg": key.alg, "grade": "client", "id": key.id, "person": person, "spki": spki, **changes}


def enrolment(key: Mapping[str, Any]) -> dict[str, Any]:
    """Return the data of `key.enrolled`."""
    return {"evidence": {"kind": "signed-form", "sha256": seed("form").hex()}, "key": dict(key)}


def root_key(label: str, person: str, name: str = "Second Root") -> dict[str, Any]:
    """Return an entry of `root_keys`."""
    return {"key": described(key_of(label), person), "name": name, "organisation": "Sponsor"}


class Passkey:
    """An authenticator in software, which signs whatever it is told to."""

    def __init__(self, label: str) -> None:
        """Make the key that follows from a label."""
        scalar = int.from_bytes(hashlib.sha256(seed(label)).digest(), "big")
        self._private = ec.derive_private_key(scalar, ec.SECP256R1())
        self.spki = Es256SigningKey(self._private).spki
        self.id = "sha256:" + hashlib.sha256(self.spki).hexdigest()
        self.ref = {"alg": "webauthn-es256", "id": self.id}

    def described(self, person: str) -> dict[str, Any]:
        """Return its KEY object."""
        return {
            "alg": "webauthn-es256",
            "grade": "passkey",
            "id": self.id,
            "origins": [SITE_ORIGIN],
            "person": person,
            "rp_id": RP_ID,
            "spki": base64.b64encode(self.spki).decode(),
        }

    def entry(
        self, body: bytes, *, flags: int = 0x05, rp_id: str = RP_ID, rest: bytes = b"", **client: Any
    ) -> dict[str, Any]:
        """Return an entry of `sigs` over a statement; `client` changes members of clientDataJSON."""
        members = {
            "type": "webauthn.get",
            "challenge": challenge_of(event_hash(body)),
            "origin": SITE_ORIGIN,
            "crossOrigin": False,
            **client,
        }
        data = json.dumps({name: member for name, member in members.items() if member is not ...}).encode()
        return self.asserted(hashlib.sha256(rp_id.encode()).digest() + bytes([flags]) + bytes(4) + rest, data)

    def asserted(self, ad: bytes, cd: bytes) -> dict[str, Any]:
        """Sign two documents of an assertion, whatever they say."""
        sig = self._private.sign(
            ad + hashlib.sha256(cd).digest(), ec.ECDSA(hashes.SHA256(), deterministic_signing=True)
        )
        return {"ad": text(ad), "alg": "webauthn-es256", "cd": text(cd), "key": self.id, "sig": text(sig)}
