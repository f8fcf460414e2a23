"""The shapes of answers, as JSON Schema: what a program of another service can rely on in what it reads.

A member that is named here stays, and has what is said of it; more may come beside, so that objects are open
where nothing else is said. What is a format of the record is closed: a leaf, a statement, a signature. Tests
hold every shape against real answers, closed, so that no member of an answer is left out here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, get_args

from api.asyncapi import entry_schemas
from ledger.actions.accounts import Grade
from ledger.members import ALGORITHMS, MEANINGS
from ledger.participant import Flag, Status
from projections.status import MILESTONES

Schema = dict[str, Any]

TEXT: Final[Schema] = {"type": "string"}
BASE64: Final[Schema] = {
    "type": "string",
    "contentEncoding": "base64",
    "pattern": "^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/][AQgw]==|[A-Za-z0-9+/]{2}[AEIMQUYcgkosw048]=)?$",
}
HASH: Final[Schema] = {
    "type": "string",
    "contentEncoding": "base64",
    "pattern": "^[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=$",
}
HEX: Final[Schema] = {"type": "string", "pattern": "^[0-9a-f]{64}$"}
INDEX: Final[Schema] = {"type": "integer", "minimum": 0}
PLACE: Final[Schema] = {"type": "integer", "description": "index in the log, below 0 in one it goes on from"}
COUNT: Final[Schema] = {"type": "integer", "minimum": 0}
FLAG: Final[Schema] = {"type": "boolean"}
# Not `const`: of a member that may be absent generators of clients write no valid code for it.
TRUE: Final[Schema] = {"type": "boolean", "enum": [True], "description": "true, or absent"}
INSTANT: Final[Schema] = {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$"}
LOCAL: Final[Schema] = {
    "type": ["string", "null"],
    "description": "at the site, with offset; or null",
}
VALUE: Final[Schema] = {
    "description": 'any value; {"sealed": scope} where it is not shown, {"erased": true} where it is gone'
}
NOTE: Final[Schema] = {"type": "string", "description": "a C2SP signed note"}
RECEIPT: Final[Schema] = {
    "type": "string",
    "description": "c2sp.org/tlog-proof@v1 with the leaf in it",
}
MEANING: Final[Schema] = {"enum": sorted(MEANINGS)}
STATUS: Final[Schema] = {"enum": [str(status) for status in Status]}


def ref(name: str) -> Schema:
    """Refer to a shape by its name."""
    return {"$ref": f"#/components/schemas/{name}"}


def members(of: Mapping[str, Schema], *optional: str, text: str = "", **more: Any) -> Schema:
    """Describe an object: its members, each there in every answer but for those named."""
    value: Schema = {
        "type": "object",
        "required": sorted(of.keys() - set(optional)),
        "properties": dict(of),
        **more,
    }
    return {**value, "description": text} if text else value


def each(schema: Schema) -> Schema:
    """Describe a list."""
    return {"type": "array", "items": schema}


def by_name(schema: Schema, names: str = "") -> Schema:
    """Describe an object whose members have names of the study's."""
    return {"type": "object", "additionalProperties": schema, **({"description": names} if names else {})}


def nullable(schema: Schema) -> Schema:
    """Describe what may be null."""
    return {"anyOf": [schema, {"type": "null"}]}


_CONTINUES: Final = ref("Continues")
_PERSON: Final = members({"id": TEXT, "name": TEXT, "role": TEXT, "organisation": TEXT})
_PRINTED: Final = {"by": TEXT, "name": TEXT, "organisation": TEXT, "role": TEXT, "meaning": MEANING}
_NAME: Final = {"index": PLACE, "event": HEX, "log": TEXT, "type": TEXT}
_REASON: Final = members({"code": TEXT, "text": VALUE})
_CHANGED: Final = {"corrected_by": each(PLACE), "cosigned_by": each(PLACE)}
_RECORD: Final = {
    **_NAME,
    "occurred_at": {"type": "string", "description": "clinical time as it reads now, may be partial"},
    "recorded_at": INSTANT,
    **_PRINTED,
    "reason": ref("Reason"),
    **_CHANGED,
    "may_have": TRUE,
}
_SOMETIMES: Final = ("log", "reason", "corrected_by", "cosigned_by", "may_have")
_RECORDS: Final = each(ref("Record"))
_BREACH: Final = {
    "rule": TEXT,
    **{name: {"type": ["string", "null"]} for name in ("section", "text", "effect")},
    "found": PLACE,
    **{name: nullable(PLACE) for name in ("recorded", "closed_by", "explained_by", "deviation")},
    "open": FLAG,
}

_PARTS: Final[Mapping[str, Schema]] = {
    **dict.fromkeys(
        (
            "registrations", "demographics", "consents", "withdrawals", "screening_failures", "vital_signs",
            "outcomes", "medications", "dispositions", "unscheduled_visits", "other",
        ),
        _RECORDS,
    ),
    "criteria": by_name(ref("Record"), "newest assessment by criterion"),
    "eligibility": nullable(ref("Record")),
    "randomizations": each(
        members(
            {
                "request": nullable(ref("Record")),
                "allocation": nullable(ref("Record")),
                "stage": COUNT,
                "list": TEXT,
                "stratum": TEXT,
                "list_index": VALUE,
                "commitment": VALUE,
                "arm": VALUE,
            },
            "list_index",
            "commitment",
            "arm",
        )
    ),
    "visits": by_name(
        members({name: nullable(ref("Record")) for name in ("started", "completed", "missed")}),
        "by visit of the schedule",
    ),
    "infusions": each(
        members(
            {
                "infusion": COUNT,
                "state": {"enum": ["running", "interrupted", "stopped", "completed", None]},
                "label": VALUE,
                **dict.fromkeys(("segments", "orders", "received", "administered", "held"), _RECORDS),
            }
        )
    ),
    "adverse_events": by_name(
        members(
            {"ae": TEXT, "version": COUNT, "versions": _RECORDS},
            additionalProperties={**VALUE, "description": "what the newest version says of it, by member"},
        ),
        "by id",
    ),
}  # fmt: skip

SHAPES: Final[Mapping[str, Schema]] = {
    **entry_schemas(),
    "Continues": members(
        {"ledger_id": HEX, "origin": TEXT, "size": COUNT}, text="The log that this one goes on from."
    ),
    "Name": members(_NAME, "log", text="A record, by its place, event hash and type."),
    "Reason": _REASON,
    "Occurred": members(
        {"text": TEXT, "utc": INSTANT, "utc_latest": INSTANT, "local": LOCAL},
        "utc_latest",
        text="A clinical time as written, in UTC (first and last instant where partial), and at the site.",
    ),
    "RecordedAt": members({"utc": INSTANT, "local": LOCAL}, text="When the service recorded it."),
    "Record": members(
        {
            **_RECORD,
            "data": {**VALUE, "type": "object", "description": "by the type's schema, as it reads now"},
            "outdated_by": {**PLACE, "description": "of an eligibility: the assessment that came after"},
            "voided_by": ref("Voiding"),
        },
        *_SOMETIMES,
        "outdated_by",
        "voided_by",
        text="A record as it reads now, who signed it as printed, and what was done to it since.",
    ),
    "Voiding": members(
        {
            **{name: _RECORD[name] for name in ("index", "event", "recorded_at", *_PRINTED)},
            "statement": HEX,
            "code": TEXT,
            "right": {"type": ["string", "null"]},
            "cosigned_by": each(PLACE),
            "reason": ref("Reason"),
        },
        "reason",
    ),
    "Correction": members(
        {
            **_RECORD,
            "of": nullable(ref("Name")),
            "path": TEXT,
            "old": VALUE,
            "new": VALUE,
            "in_effect": FLAG,
        },
        *_SOMETIMES,
    ),
    "Breach": members(
        {**_BREACH, "statement": members({"index": PLACE, "event": HEX}), "pending": nullable(HEX)},
        text="A rule that a record breaks: found, recorded, open, or closed by an index.",
    ),
    "StudyBreach": members(
        {
            **_BREACH,
            "statement": members({**_NAME, "stream": TEXT}, "log"),
            "pending": nullable(members({"index": PLACE, "event": HEX})),
            "participant": {"type": ["string", "null"]},
            "site": {"type": ["string", "null"]},
        }
    ),
    "Participants": members(
        {
            "participants": each(
                members(
                    {
                        "participant": TEXT,
                        "site": {"type": ["string", "null"]},
                        "status": STATUS,
                        "milestones": ref("Milestones"),
                        "status_index": PLACE,
                    }
                )
            ),
            "count": {**COUNT, "description": "of all pages"},
            "continues": _CONTINUES,
        },
        "continues",
    ),
    "Milestones": {
        **members(dict.fromkeys(MILESTONES, PLACE), *MILESTONES),
        "description": "index that first reached each",
    },
    "Participant": members(
        {
            "participant": TEXT,
            "site": {"type": ["string", "null"]},
            "zone": {"type": "string", "description": "of the site, IANA"},
            "known": {"type": "integer", "minimum": -1},
            "true": {"type": ["string", "null"]},
            "last_index": nullable(PLACE),
            "status": STATUS,
            "status_may_be": STATUS,
            "milestones": ref("Milestones"),
            **_PARTS,
            "corrections": each(ref("Correction")),
            "voided": _RECORDS,
            "pending": each(ref("Voiding")),
            "breaches": each(ref("Breach")),
            "flags": members(
                {
                    "open_breaches": COUNT,
                    "pending_cosignature": COUNT,
                    **{str(flag).replace(" ", "_").replace("-", "_"): FLAG for flag in Flag},
                    "extension": {"type": ["string", "null"]},
                },
                *(str(flag).replace(" ", "_").replace("-", "_") for flag in Flag),
                "extension",
            ),
            "older": members({"log": TEXT, "records": COUNT}, text="records of the older log"),
            "continues": _CONTINUES,
        },
        "status_may_be",
        "older",
        "continues",
    ),
    "Timeline": members(
        {
            "participant": TEXT,
            "timeline": each(
                members(
                    {
                        **_NAME,
                        "what": TEXT,
                        "occurred": ref("Occurred"),
                        "recorded": ref("RecordedAt"),
                        "by": _PERSON,
                        "meaning": MEANING,
                        "administrative": FLAG,
                        "about": nullable(ref("Name")),
                        **_CHANGED,
                        "voided_by": PLACE,
                        "breaches": each(members({"rule": TEXT, "found": PLACE, "open": FLAG})),
                        "may_have": TRUE,
                    },
                    "log", "about", "corrected_by", "cosigned_by", "voided_by", "breaches", "may_have",
                )
            ),
            "continues": _CONTINUES,
        },
        "continues",
    ),
    "History": members(
        {
            "participant": TEXT,
            "history": each(
                members(
                    {
                        **_NAME,
                        "value": VALUE,
                        "of": ref("Name"),
                        "by": _PERSON,
                        "meaning": MEANING,
                        "recorded": ref("RecordedAt"),
                        "occurred_at": TEXT,
                        "reason": nullable(ref("Reason")),
                        "voided_by": nullable(PLACE),
                        "current": FLAG,
                    },
                    "log",
                )
            ),
            "continues": _CONTINUES,
        },
        "continues",
    ),
    "AuditTrail": members(
        {
            "lines": each(ref("TrailLine")),
            "next": {**nullable(PLACE), "description": "cursor of the page after this; null on the last"},
            "continues": _CONTINUES,
        },
        "continues",
    ),
    "TrailLine": members(
        {
            **_NAME,
            "stream": TEXT,
            **{name: {"type": ["string", "null"]} for name in ("participant", "site", "protocol")},
            "who": _PERSON,
            "performer": VALUE,
            "originator": VALUE,
            "source": VALUE,
            "what": TEXT,
            "about": nullable(ref("Name")),
            "occurred": ref("Occurred"),
            "recorded": ref("RecordedAt"),
            "signed_at": INSTANT,
            "changes": each(
                members({"field": TEXT, "of": nullable(ref("Name")), "old": VALUE, "new": VALUE}, "of")
            ),
            "reason": nullable(ref("Reason")),
            "meaning": MEANING,
            "signatures": each(
                members({"alg": {"enum": sorted(ALGORITHMS)}, "id": TEXT, "grade": ref("Grade")})
            ),
            "breaches": each(members({"rule": TEXT, "index": PLACE, "log": TEXT}, "log")),
        },
        "log",
        text="Who, what, when, old, new, why, and how it was signed.",
    ),
    "Grade": {"enum": [*get_args(Grade), None], "description": "of a key; null where it was not enrolled"},
}  # fmt: skip
