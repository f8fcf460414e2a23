"""Examples of request bodies for the OpenAPI document: each can be sent as it stands.

The log, its people and its keys are those of a small ledger of the tests, made from public labels. There the
statement is recorded, the action prepared, and the signatures hold over the bytes of `payload`, which are the
canonical JSON that stands here in plain. Tests send each of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import orjson

from ledger import canonical
from ledger.envelope import PAYLOAD_TYPE
from ledger.lines import encode_base64

_KEY: Final = "sha256:16d3e80a6ec7143fc151f24970ac802bd4ba3dc8fa2b12b8ead73699ee1b7293"
_ROOT: Final = "sha256:e012611f942d94bea25fb3a82e707eb451002ba0ed605da35dd43abcb5267f4a"
_NEW: Final = "sha256:c9bb693db2bb4ad6abeb20c2853afb8b3f39adf970d45de67e091d68b7b02655"
_COORDINATOR: Final = {
    "id": "bchan",
    "name": "B. Chan",
    "organisation": "Site SA-01",
    "role": "coordinator",
}

_REGISTRATION: Final[Mapping[str, Any]] = {
    "v": 1,
    "log": "ledger.example/small",
    "id": "018fdd8b-3558-7861-bb74-4abe3ff482af",
    "type": "participant.registered",
    "schema": 1,
    "class": "open",
    "stream": "participant/SA-01-009",
    "site": "SA-01",
    "protocol": "1.0",
    "occurred_at": "2024-06-03T10:00:39.000000Z",
    "signed_at": "2024-06-03T10:00:39.000000Z",
    "actor": _COORDINATOR,
    "key": {"alg": "ed25519", "id": _KEY},
    "meaning": "authorship",
    "data": {"participant": "SA-01-009"},
}
"""A statement as it is asked for: without what `prepare` fills in."""

_REGISTERED: Final[Mapping[str, Any]] = {
    **_REGISTRATION,
    "tag": "a2957e58a1b20189fbba8f87fab52006f4ea93b1a8df5e88000761812b0cfd57",
    "seq": 1,
    "prev": "0" * 64,
    "seen": {"root": "akYB51Ojvj1PNvLjXTM2K+3RL86/IMIPy+jnQJEJ4Js=", "size": 51},
    "sealed": {"/data/identity": "MuOWV5PxPvzLLqYEH51ahTI-8kxg__3PVqp-ws0DQb4"},
}
_D: Final = (
    "WyI5dTZzTU1xUTFqUWRsdFR3T0dEZ1RBbURya3ZYb1BnS0JiZzV5ZWdFczVVIiwiMDE4ZmRkOGItMzU1OC03ODYxLWJiNzQtNGFiZTNm"
    "ZjQ4MmFmIiwiL2RhdGEvaWRlbnRpdHkiLCJJbml0aWFscyBBLkIuLCBib3JuIDE5NjEiXQ"
)
_ENROLMENT: Final[Mapping[str, Any]] = {
    "v": 1,
    "log": "ledger.example/small",
    "id": "018fdd8c-b810-76c0-8e0a-d70e23df0ebd",
    "type": "key.enrolled",
    "schema": 1,
    "class": "control",
    "stream": "person/bchan",
    "tag": "1a35f92178c318d645ef06e0312fa7dff65633b8a17b6f6bf37bcb27d54c9fb0",
    "seq": 7,
    "prev": "487a9425d9a9e70db9e390ca7ea50fa8d87d29795b4522f188127f6f9d054dda",
    "occurred_at": "2024-06-03T10:02:18.000000Z",
    "signed_at": "2024-06-03T10:02:18.000000Z",
    "actor": {"id": "root1", "name": "Root Holder", "organisation": "Sponsor", "role": "root"},
    "key": {"alg": "ed25519", "id": _ROOT},
    "with": [{"alg": "ed25519", "id": _NEW}],
    "meaning": "approval",
    "seen": {"root": "sEIexTbX1ajj5T/dNkGB+vjGF63j/CXPVCbY1iXCG80=", "size": 147},
    "data": {
        "evidence": {
            "kind": "signed-form",
            "sha256": "500507792e388c873ec2631c0b2e7e5dd7a12f598a66173a7e8cea73a19e663e",
        },
        "key": {
            "alg": "ed25519",
            "grade": "client",
            "id": _NEW,
            "person": "bchan",
            "spki": "MCowBQYDK2VwAyEAwFLepSdUJIionr5lL9FmBtty0ytRXDchb1+GHqZ6pV8=",
        },
    },
}


def _signed(statement: Mapping[str, Any], keyid: str, sig: str) -> dict[str, Any]:
    body = canonical.encode(dict(statement))
    return {
        "payload": encode_base64(body),
        "payloadType": PAYLOAD_TYPE,
        "signatures": [{"keyid": keyid, "sig": sig}],
    }


_SUBMISSION: Final = {
    **_signed(
        _REGISTERED,
        _KEY,
        "B8NbTUIluSC15MzWhajirvpEmKMPj/isqEdOTRmv5XyZ39zzBEdSOA+QJ4e+iks/lRrqrByqV+9fJ7Dl+57dDg==",
    ),
    "disclosures": {"/data/identity": _D},
}
_PULSE: Final = {
    "measurements": [{"name": "heart_rate", "quantity": {"value": "170", "unit": "/min"}}],
    "source": {"kind": "esource"},
}
_PASSWORD: Final = "seven kind herons"  # noqa: S105  of nobody
_SECRET: Final = "amber kettle under snow"  # noqa: S105  of nobody
_KEPT: Final = {"id": "bchan", "secret": _SECRET}

EXAMPLES: Final[Mapping[str, Mapping[str, Any]]] = {
    "record": {"registration": _SUBMISSION},
    "record-batch": {"two lines": (orjson.dumps(_SUBMISSION) + b"\n").decode() * 2},
    "prepare": {
        "registration": {
            "action": _REGISTRATION,
            "open": {"/data/identity": "Initials A.B., born 1961"},
            "have": _REGISTERED["seen"],
        }
    },
    "edit-check": {
        "confirmed": {
            "action": {
                **_REGISTRATION,
                "type": "vital_signs.recorded",
                "stream": "participant/SA-01-001",
                "data": _PULSE,
            },
            "check": "range_of_pulse",
            "path": "/data/measurements/0/quantity/value",
            "answer": "confirmed",
        }
    },
    "action": {
        "vital signs": {
            "action": {
                "type": "vital_signs.recorded",
                "stream": "participant/SA-01-001",
                "site": "SA-01",
                "protocol": "1.0",
                "role": "coordinator",
                "data": _PULSE,
            },
            **_KEPT,
        }
    },
    "sign-waiting": {"both components": _KEPT, "the secret alone": {"secret": _SECRET}},
    "custodial-key": {"secret": {"secret": _SECRET}},
    "custodial-secret": {"another": {"key": _NEW, "old": _SECRET, "new": "pewter gate in the rain"}},
    "leave-signature": {
        "a new key": _signed(
            _ENROLMENT,
            _ROOT,
            "LaDH9Z27H4spwStwtv/8vJWun6MdlNnWw9nyfGXpVTGnuLs02SBqUmvniHBccEpyWF6RDNjWuNEJhu+d6IR3CQ==",
        )
    },
    "passkey-begin": {"nothing": {}},
    "passkey": {
        "of a browser": {
            "id": "Y3JlZGVudGlhbA",
            "rawId": "Y3JlZGVudGlhbA",
            "type": "public-key",
            "response": {"clientDataJSON": "e30", "attestationObject": "oA"},
        }
    },
    "log-in": {
        "cookie": {"person": "bchan", "password": _PASSWORD, "role": "coordinator"},
        "token": {"person": "bchan", "password": _PASSWORD, "bearer": True},
    },
    "redeem": {"first": {"person": "bchan", "secret": "K7QW-2M4P-9XTD", "password": _PASSWORD}},
    "change-password": {"another": {"old": _PASSWORD, "new": "nine tall poplars"}},
    "webhook-propose": {
        "consents": {
            "url": "https://hooks.example/ledger",
            "role": "data_manager",
            "person": "datahub",
            "sites": ["*"],
            "types": ["consent.obtained"],
            "after": -1,
        }
    },
    "webhook-change": {
        "another key": {"key": "new"},
        "sent once more": {"replay": [12, 40]},
        "out of force": {"off": True},
    },
}
"""Values of request bodies by operation and what they are; bodies of bytes have none."""


def examples_of(operation: str) -> dict[str, Any]:
    """Return the examples of an operation's body as a media type's `examples`."""
    return {name: {"value": value} for name, value in EXAMPLES.get(operation, {}).items()}
