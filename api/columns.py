"""The columns of CSV twins: the same for every reader, with rows and without.

A header that followed from the rows would be missing where there are none, and would tell from an open value
one that stays sealed: each value has one column, and what is an object or a list stands in it as JSON.
Those of the audit trail and of reports are declared beside them (`projections.render`, `projections.report`).
"""

from __future__ import annotations

from dataclasses import fields
from typing import Final

from ledger.actions.accounts import Key
from ledger.participant import Status
from projections.status import MILESTONES

_RECORDED: Final = ("recorded.utc", "recorded.local")
_SIGNED: Final = ("by.id", "by.name", "by.role", "by.organisation", "meaning")

PARTICIPANTS: Final = (
    "participant", "site", "status", *(f"milestones.{name}" for name in MILESTONES), "status_index",
)  # fmt: skip
TIMELINE: Final = (
    "index", "event", "type", "what", "occurred.text", "occurred.utc", "occurred.utc_latest",
    "occurred.local", *_RECORDED, *_SIGNED, "administrative", "about.index", "about.event", "about.type",
    "corrected_by", "voided_by", "cosigned_by", "breaches", "may_have", "log", "about.log",
)  # fmt: skip
HISTORY: Final = (
    "value", "index", "event", "type", "of.index", "of.event", "of.type", *_SIGNED, *_RECORDED,
    "occurred_at", "reason.code", "reason.text", "voided_by", "current", "log", "of.log",
)  # fmt: skip
ENROLMENT: Final = (
    "site", *(f"reached.{name}" for name in MILESTONES), *(f"now.{status}" for status in Status),
)  # fmt: skip
BREACHES: Final = (
    "rule", "section", "text", "effect", "statement.index", "statement.event", "statement.type",
    "statement.stream", "found", "recorded", "open", "closed_by", "explained_by", "deviation",
    "pending.index", "pending.event", "participant", "site", "statement.log",
)  # fmt: skip
ATTEMPTS: Final = ("operation", "status", "count")
SIGNING_KEYS: Final = (*(f"key.{each.name}" for each in fields(Key)), "credential", "enrolled", "live")
WEBHOOKS: Final = ("endpoint", "host", "reader", "public_keys", "state", "parked", "places")
PARKED: Final = ("index", "tries", "trouble")
