"""Which answer of the OpenAPI document has which shape (`answer_shapes`); shapes of the log's own answers.

The plain address and the twin `.json` of a list have the same shape; a receipt and a checkpoint are text at
the plain address, and have a shape where they are asked for as JSON.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from api.answer_shapes import (
    BASE64,
    COUNT,
    FLAG,
    HASH,
    HEX,
    INDEX,
    INSTANT,
    MEANING,
    NOTE,
    RECEIPT,
    SHAPES,
    TEXT,
    VALUE,
    Schema,
    by_name,
    each,
    members,
    nullable,
    ref,
)
from api.service_shapes import SERVICE_ANSWERS, SERVICE_SHAPES
from ledger.members import ALGORITHMS
from ledger.participant import Status
from projections.status import MILESTONES

_JSON: Final = "application/json"
_PROBLEM: Final = "application/problem+json"
_PLAIN: Final = "text/plain"

_SEEN: Final = members({"root": HASH, "size": COUNT}, additionalProperties=False)
_SIGNATURE: Final = members(
    {
        "alg": {"enum": sorted(ALGORITHMS)},
        "key": TEXT,
        "sig": BASE64,
        **dict.fromkeys(("name", "organisation", "role"), TEXT),
        "meaning": MEANING,
        "signed_at": INSTANT,
        "grade": ref("Grade"),
    },
    "name", "organisation", "role", "meaning", "signed_at", "grade",
    text="The first, of the actor's key, has name, role and meaning as they were printed (21 CFR 11.50).",
)  # fmt: skip
_EVENT: Final = members(
    {
        "index": INDEX,
        "event": HEX,
        "recorded": ref("RecordedAt"),
        "leaf": ref("Leaf"),
        "withheld": {**FLAG, "description": "the reader sees the leaf alone; no further member is there"},
        "statement": ref("Statement"),
        "description": TEXT,
        "occurred": ref("Occurred"),
        "signatures": each(_SIGNATURE),
        "open": by_name(TEXT, "disclosures D that are open to the reader, by path"),
        "continues": ref("Continues"),
    },
    "statement", "description", "occurred", "signatures", "open", "continues",
)  # fmt: skip
_RECORDED: Final = members(
    {
        "index": INDEX,
        "event": HEX,
        "leaf": {**BASE64, "description": "the leaf's exact bytes"},
        "receipt": RECEIPT,
        "breaches": each({**TEXT, "description": "code of a rule that is broken, recorded with it"}),
        "added": each({**INDEX, "description": "of the service's statements that follow from it"}),
        "continues": ref("Continues"),
    },
    "breaches", "added", "continues",
)  # fmt: skip
_PREPARED: Final = members(
    {
        "statement": {**BASE64, "description": "the exact bytes to be checked and signed"},
        "event": HEX,
        "disclosures": by_name(TEXT, "D by path, to be handed in with the statement"),
        "head": NOTE,
        "consistency": each(HASH),
        "prompts": each(
            members(
                {"check": TEXT, "path": TEXT, "prompt": TEXT, "entered": VALUE},
                text="a question of the study's edit checks about what was entered",
            )
        ),
        "continues": ref("Continues"),
    },
    "prompts", "continues",
)  # fmt: skip
_COUNTS: Final = members(
    {
        "reached": members(dict.fromkeys(MILESTONES, COUNT)),
        "now": members(
            {str(each): COUNT for each in Status},
            *map(str, Status),
            text="by status; none at which nobody is",
        ),
    }
)
_REPORT: Final = members(
    {
        "name": TEXT,
        "question": TEXT,
        "known": {"type": "integer", "minimum": -1},
        "count": {**COUNT, "description": "rows of all pages"},
        "rows": each(by_name(VALUE, "the report's columns, in the order of its CSV")),
        "signed": each({"type": "object", "description": "who signed each record that the rows rest on"}),
        "withheld": each({**TEXT, "description": "kinds of records that the role does not see whole"}),
        "continues": ref("Continues"),
    },
    "withheld", "continues",
)  # fmt: skip
_ASKED: Final = {
    "names": by_name(each(members({"id": TEXT, "name": TEXT})), "members of data that hold such a name"),
    "instruments": each(
        members(
            {
                "id": TEXT,
                "version": TEXT,
                "items": each(TEXT),
                "minimum": {"type": "integer"},
                "maximum": {"type": "integer"},
                "scoring": {"enum": ["single", "sum", "highest", "level", "none"]},
            },
            text="what an instrument asks, the range of each answer, and how its total is made",
        )
    ),
}
_PLACES: Final = members(
    {
        "role": TEXT,
        "places": each(
            members(
                {
                    "stream": TEXT,
                    "site": TEXT,
                    "protocol": nullable(TEXT),
                    "earlier": each(
                        members(
                            {"protocol": TEXT, "until": TEXT},
                            text="a version that a participant was under, and when that ended; in that order",
                        )
                    ),
                    "zone": TEXT,
                },
                text="a stream that exists, the protocol version in force for it, and the site's IANA zone",
            )
        ),
        **_ASKED,
        "versions": each(members({"protocol": TEXT, **_ASKED}, text="the same of each version of a place")),
        "unplanned": each({**TEXT, "description": "a type of which no version of the protocol has a part"}),
    }
)
_STALE: Final = {
    "description": "with code STALE: what to sign against, of the log and of the statement's stream",
    "allOf": [
        ref("Problem"),
        {"properties": {"head": NOTE, "seq": INDEX, "prev": HEX, "seen": _SEEN}},
    ],
}

COMPONENTS: Final[Mapping[str, Schema]] = {
    **SHAPES,
    **SERVICE_SHAPES,
    "Event": _EVENT,
    "Proof": members({"index": INDEX, "receipt": RECEIPT, "continues": ref("Continues")}, "continues"),
    "Checkpoint": members(
        {"origin": TEXT, "size": COUNT, "root": HASH, "note": NOTE, "continues": ref("Continues")},
        "continues",
    ),
    "Recorded": _RECORDED,
    "Waiting": members(
        {"event": HEX, "state": {"const": "waiting"}, "continues": ref("Continues")}, "continues"
    ),
    "Prepared": _PREPARED,
    "Places": _PLACES,
    "Stale": _STALE,
    "Enrolment": members(
        {
            "known": {"type": "integer", "minimum": -1},
            "sites": by_name(_COUNTS, "by site"),
            "overall": _COUNTS,
            "continues": ref("Continues"),
        },
        "continues",
    ),
    "Breaches": members({"breaches": each(ref("StudyBreach")), "continues": ref("Continues")}, "continues"),
    "Report": _REPORT,
}

_RECORDING: Final = {200: "Recorded", 201: "Recorded", 202: "Waiting", 409: "Stale"}
ANSWERS: Final[Mapping[str, Mapping[int, str | tuple[str, ...]]]] = {
    **SERVICE_ANSWERS,
    "participants": {200: "Participants"},
    "participant": {200: "Participant"},
    "timeline": {200: "Timeline"},
    "history": {200: "History"},
    "audit-trail": {200: "AuditTrail"},
    "event": {200: "Event"},
    "proof": {200: "Proof"},
    "checkpoint": {200: "Checkpoint"},
    "projection": {200: ("Enrolment", "Breaches", "Report")},
    "record": _RECORDING,
    "action": _RECORDING,
    "sign-waiting": _RECORDING,
    "prepare": {200: "Prepared"},
    "signing-places": {200: "Places"},
}
"""Names of shapes by operation and status; of several, an answer has one."""


def schema_of(operation: str, status: int, media_type: str) -> Mapping[str, Any]:
    """Return the shape of an answer in a media type; nothing where it has none but its type."""
    if media_type == _PLAIN:
        return TEXT
    names = ANSWERS.get(operation, {}).get(status)
    if names is None or media_type not in (_JSON, _PROBLEM):
        return {}
    return ref(names) if isinstance(names, str) else {"anyOf": [ref(name) for name in names]}
