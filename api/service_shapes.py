"""Shapes of what the service says of itself: sessions, keys, webhooks, its catalogue, its state.

What the log says has its shapes in `answer_shapes`. Here, too, a member that is named stays; more may come.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from api.answer_shapes import (
    BASE64,
    COUNT,
    FLAG,
    HEX,
    INDEX,
    INSTANT,
    MEANING,
    PLACE,
    TEXT,
    Schema,
    by_name,
    each,
    members,
    nullable,
    ref,
)
from ledger.actions import Effect
from ledger.members import ALGORITHMS
from ledger.rules.codes import Effect as RuleEffect
from ledger.verify.findings import Verdict

_CONTINUES: Final = ref("Continues")
_CELLS: Final = by_name(TEXT, "by role; a role without a cell gets nothing")
_SITES: Final = {**each(TEXT), "description": "sites, or * alone"}
_ACTION: Final = members(
    {"type": TEXT, "stream": TEXT, "meaning": MEANING, "data": {"type": "object"}},
    text="an action to prepare and sign",
)
_JUDGED: Final = sorted(each.value for each in Verdict)
_FINDING: Final = members(
    {
        "code": {**TEXT, "description": "as in findings.csv"},
        "verdict": {"enum": _JUDGED},
        "section": {**TEXT, "description": "of record-format.md"},
        "detail": TEXT,
        "index": INDEX,
        "file": TEXT,
    },
    "index", "file",
)  # fmt: skip
_WHO: Final = members(
    {
        "person": TEXT,
        "name": TEXT,
        "organisation": TEXT,
        "kind": {"enum": ["person", "root", "service"]},
        "active": FLAG,
        "one_sided": {**FLAG, "description": "one organisation endorsed all of the keys"},
        "identity_verified_at": INDEX,
        "keys": each(
            members(
                {
                    "key": TEXT,
                    "alg": {"enum": sorted(ALGORITHMS)},
                    "grade": ref("Grade"),
                    "since": INDEX,
                    "until": INDEX,
                    "suspect_from": INDEX,
                    "confirmed_at": INDEX,
                    "enrolled_by": TEXT,
                    "endorsed_by": TEXT,
                    "evidence": {**HEX, "description": "SHA-256 of the signed enrolment form"},
                },
                "until", "suspect_from", "confirmed_at", "enrolled_by", "endorsed_by", "evidence",
            )
        ),
    },
    "identity_verified_at",
)  # fmt: skip
_STOOD: Final = members(
    {
        "section": TEXT,
        "index": INDEX,
        "event": HEX,
        "recorded_at": INSTANT,
        "says": TEXT,
        "signed_by": TEXT,
        "role": TEXT,
        "meaning": MEANING,
    }
)
_WEBHOOK: Final = members(
    {
        "endpoint": TEXT,
        "host": nullable(TEXT),
        "reader": nullable(TEXT),
        "public_keys": each({**TEXT, "description": "whpk_…, as deliveries are signed now"}),
        "state": {**TEXT, "description": "in force, or why nothing is sent"},
        "parked": COUNT,
        "places": each(
            members(
                {
                    "ordered": {**INDEX, "description": "of the statement that orders it"},
                    "next": INDEX,
                    "tries": COUNT,
                    "trouble": nullable(TEXT),
                }
            )
        ),
    },
    "parked", "places",
)  # fmt: skip
_ROLE_SEES: Final = {
    **dict.fromkeys(("pharmacy", "safety", "identity", "freetext"), FLAG),
    "access": {"enum": ["all", "own", "none"]},
    "treatment": {"enum": ["all", "one", "none"]},
    "others": {"enum": ["all", "own", "needed", "list"]},
    "hidden": each(TEXT),
}
_TYPE: Final = {
    "type": TEXT,
    "schema": {"type": "integer", "minimum": 1},
    "section": TEXT,
    "effect": {"enum": [effect.value for effect in Effect]},
    "class": {**TEXT, "description": "control, open or restricted; of several streams perhaps several"},
    "streams": each(TEXT),
    "roles": by_name(each(MEANING), "meanings by role"),
    "sealed": by_name(TEXT, "scope by path"),
    "data": {"type": "object", "description": "JSON Schema of `data`; what is sealed stands under x-sealed"},
    "rules": each(TEXT),
    "task": {**FLAG, "description": "whoever performs it is delegated to"},
    "seconds": each(TEXT),
    **dict.fromkeys(("voidable", "voiding_cosigned", "always_open", "reason_required"), FLAG),
}
_CRITERION: Final = members(
    {
        "criterion": TEXT,
        "kind": nullable(TEXT),
        "text": nullable(TEXT),
        "assessed": FLAG,
        "result": nullable({"enum": ["met", "not_met", "not_applicable"]}),
        "event": nullable(HEX),
        "index": nullable(PLACE),
    },
    text="Of eligibility: each criterion of the version in force, with its newest assessment.",
)
_START: Final = {"service": TEXT, "links": by_name(TEXT, "addresses by what is there")}

SERVICE_SHAPES: Final[Mapping[str, Schema]] = {
    "Session": members(
        {
            **dict.fromkeys(("person", "name", "organisation"), TEXT),
            "role": {**nullable(TEXT), "description": "in use; null where the person has to choose one"},
            "roles": each(members({"role": TEXT, "sites": _SITES})),
            "components": {**each(TEXT), "description": "what the person logged in by (21 CFR 11.200)"},
            "began": INSTANT,
            "ends": INSTANT,
            "idle_s": {**COUNT, "description": "seconds without a request after which it ends"},
            "token": {**TEXT, "description": "session_…, where a program asked for one; shown this once"},
            "continues": _CONTINUES,
        },
        "token", "continues",
    ),
    "Attachment": members(
        {"media_type": TEXT, "sha256": HEX, "size": COUNT, "continues": _CONTINUES}, "continues",
        text="As it stands in the data of a statement that names it.",
    ),
    "Noted": members({"index": INDEX, "continues": _CONTINUES}, "continues"),
    "PublicKey": members(
        {
            "alg": {"enum": sorted(ALGORITHMS)},
            "grade": ref("Grade"),
            "id": {**TEXT, "description": "sha256: and the SHA-256 of `spki`, hex"},
            "person": TEXT,
            "spki": {**BASE64, "description": "SubjectPublicKeyInfo, DER"},
            "origins": each(TEXT),
            "rp_id": TEXT,
            "attestation": BASE64,
        },
        "origins", "rp_id", "attestation",
        text="KEY of record-format.md §11; the last three of a passkey alone.",
    ),
    "MadeKey": members(
        {"key": ref("PublicKey"), "credential": TEXT, "continues": _CONTINUES}, "credential", "continues",
        text="To be enrolled; `credential` is a passkey's.",
    ),
    "DeskKey": members(
        {"key": ref("PublicKey"), "credential": nullable(TEXT), "enrolled": FLAG, "live": FLAG}
    ),
    "DeskKeys": members({"keys": each(ref("DeskKey")), "continues": _CONTINUES}, "continues"),
    "Signing": members(
        {
            **dict.fromkeys(("person", "name", "organisation", "log", "study"), TEXT),
            "rp_id": nullable(TEXT),
            "origins": each(TEXT),
            "keys": each(ref("DeskKey")),
            "waiting": each(members({"event": HEX, "key": TEXT, "submission": ref("Submission")})),
            "continues": _CONTINUES,
        },
        "continues",
    ),
    "LeftSignature": members(
        {"event": HEX, "person": TEXT, "key": TEXT, "continues": _CONTINUES}, "continues",
        text="Whose signature is missing.",
    ),
    "PasskeyOptions": {
        "type": "object",
        "description": "PublicKeyCredentialCreationOptions in JSON (WebAuthn, §5.4)",
    },
    "Regimen": members(
        {
            "participant": TEXT,
            "regimen": {**TEXT, "description": "the arm"},
            "name": TEXT,
            "stage": {"type": "integer", "minimum": 1},
            "continues": _CONTINUES,
        },
        "continues",
    ),
    "SigningScope": members(
        {
            "participant": TEXT,
            "scope": TEXT,
            "of": {**nullable(TEXT), "description": "visit, form or statement; null for all"},
            "upto": PLACE,
            "sha256": {**nullable(HEX), "description": "what a signature signs; null of nothing"},
            "statements": COUNT,
            "not_shown": {**COUNT, "description": "of them, those that the reader does not see"},
            "lines": each(ref("TrailLine")),
            "criteria": each(_CRITERION),
            "continues": _CONTINUES,
        },
        "criteria", "continues",
    ),
    "Dossier": members(
        {
            "index": INDEX,
            "event": HEX,
            "type": TEXT,
            "says": TEXT,
            "printed": members(
                {
                    **dict.fromkeys(("name", "organisation", "role"), TEXT),
                    "meaning": MEANING,
                    "signed_at": INSTANT,
                }
            ),
            "recorded_at": INSTANT,
            "signatures": each(
                members(
                    {
                        "key": TEXT,
                        "alg": {"enum": sorted(ALGORITHMS)},
                        "grade": ref("Grade"),
                        "person": nullable(TEXT),
                        "name": nullable(TEXT),
                        "holds": FLAG,
                        "evidence": nullable(HEX),
                        "endorsed_by": nullable(TEXT),
                        "suspect_from": nullable(INDEX),
                        "rows": each(_STOOD),
                    }
                )
            ),
            "afterwards": each(_STOOD),
            "continues": _CONTINUES,
        },
        "continues",
    ),
    "Verification": members(
        {
            "caution": TEXT,
            "verdicts": by_name({"enum": ["holds", "fails", "not judged"]}, "by verdict"),
            "exit": {"enum": [0, 1, 2, 3]},
            "pinned": FLAG,
            "first_index": nullable(INDEX),
            "facts": by_name({}, "of the bundle"),
            "counts": by_name(COUNT),
            "identity": each(_WHO),
            "findings": each(_FINDING),
            "notes": each(_FINDING),
        }
    ),
    "Catalogue": members(
        {
            "sections": by_name(TEXT),
            "types": each(members(_TYPE)),
            "rules": each(
                members(
                    {
                        "code": TEXT,
                        "effect": {"enum": [str(effect) for effect in RuleEffect]},
                        "section": TEXT,
                        "text": TEXT,
                        "since": {"type": "integer", "minimum": 1, "description": "version of the rules"},
                    }
                )
            ),
            "roles": by_name(members(_ROLE_SEES), "what each role sees"),
        }
    ),
    "Authorization": members(
        {
            "roles": each(TEXT),
            "reaches": by_name(TEXT),
            "operations": each(
                members({"operation": TEXT, "address": nullable(TEXT), "reach": TEXT, "cells": _CELLS})
            ),
            "sees": each(members({"what": TEXT, "cells": _CELLS})),
            "records": each(members({"type": TEXT, "schema": {"type": "integer"}, "cells": _CELLS})),
            "continues": _CONTINUES,
        },
        "continues",
    ),
    "Attempts": members(
        {
            "attempts": each(
                members({"operation": TEXT, "status": {"type": "integer"}, "count": COUNT})
            ),
            "continues": _CONTINUES,
        },
        "continues",
    ),
    "Alive": members({"alive": {"const": True}}),
    "Ready": members(
        {
            "ready": {"const": True},
            "studies": COUNT,
            "warnings": by_name(COUNT, "studies by code"),
            "continues": _CONTINUES,
        },
        "warnings",
        "continues",
    ),
    "Start": members(_START),
    "StudyStart": members({**_START, "study": TEXT, "continues": _CONTINUES}, "continues"),
    "Webhook": _WEBHOOK,
    "Webhooks": each(ref("Webhook")),
    "ProposedWebhook": members(
        {
            "endpoint": TEXT,
            "digest": {**TEXT, "description": "of the configuration that the action signs"},
            "action": _ACTION,
            "public_keys": each(TEXT),
            "continues": _CONTINUES,
        },
        "continues",
    ),
    "ChangedWebhook": members(
        {"endpoint": TEXT, "action": _ACTION, "public_keys": each(TEXT), "continues": _CONTINUES},
        "public_keys", "continues",
    ),
    "ParkedDeliveries": members(
        {
            "endpoint": TEXT,
            "parked": each(members({"index": INDEX, "tries": COUNT, "trouble": nullable(TEXT)})),
            "action": _ACTION,
            "continues": _CONTINUES,
        },
        "action", "continues",
        text="`action` has them sent once more.",
    ),
    "Document": {"type": "object", "description": "a document of OpenAPI or AsyncAPI"},
}  # fmt: skip

SERVICE_ANSWERS: Final[Mapping[str, Mapping[int, Any]]] = {
    "log-in": {201: "Session"},
    "redeem": {201: "Session"},
    "session": {200: "Session"},
    "put-attachment": {200: "Attachment", 201: "Attachment"},
    "edit-check": {201: "Noted"},
    "custodial-key": {201: "MadeKey"},
    "custodial-secret": {200: "MadeKey"},
    "passkey-begin": {200: "PasskeyOptions"},
    "passkey": {201: "MadeKey"},
    "signing": {200: "Signing"},
    "signing-keys": {200: "DeskKeys"},
    "leave-signature": {202: "LeftSignature"},
    "regimen": {200: "Regimen"},
    "signing-scope": {200: "SigningScope"},
    "dossier": {200: "Dossier"},
    "verify": {200: "Verification"},
    "catalogue": {200: "Catalogue"},
    "study-catalogue": {200: "Catalogue"},
    "authorization": {200: "Authorization"},
    "attempts": {200: "Attempts"},
    "livez": {200: "Alive"},
    "study-livez": {200: "Alive"},
    "readyz": {200: "Ready"},
    "study-readyz": {200: "Ready"},
    "start": {200: "Start"},
    "study-start": {200: "StudyStart"},
    "webhooks": {200: "Webhooks"},
    "webhook-propose": {201: "ProposedWebhook"},
    "webhook-change": {201: "ChangedWebhook"},
    "webhook-parked": {200: "ParkedDeliveries"},
    "openapi": {200: "Document"},
    "study-openapi": {200: "Document"},
    "asyncapi": {200: "Document"},
    "study-asyncapi": {200: "Document"},
}
"""Names of shapes by operation and status."""
