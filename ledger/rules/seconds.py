"""The second person (catalogue R9): who may sign as what, of which type, in which stream.

What needs a second person waits (`Assurance.waiting`) until somebody else, in a role that may, has signed
`record.cosigned` as what is waited for. Until then whoever asks is told that it is pending.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from ledger.roles import BEDSIDE_STAFF, PHYSICIANS, STUDY_STAFF
from ledger.rules.record import PERFORMERS
from ledger.state.assurance import Assurance
from ledger.statement import Actor, Statement

_PHARMACY: Final = frozenset({"unblinded_pharmacist", "unblinded_monitor"})
_SPONSOR: Final = frozenset({"sponsor_administrator", "data_manager", "medical_monitor"})
_HANDS: Final = ("checker", "witness", "second_counter")
_ANY: Final = (*_HANDS, "approver", "supervisor")
_SETTLING: Final = frozenset({"correction.made", "record.voided"})

BY_STREAM: Final[Mapping[str, Mapping[str, frozenset[str]]]] = MappingProxyType(
    {
        "participant": {
            **dict.fromkeys(_HANDS, frozenset(BEDSIDE_STAFF)),
            "approver": frozenset(PHYSICIANS),
            "supervisor": frozenset({*PHYSICIANS, "medical_monitor"}),
        },
        "pharmacy": {
            **dict.fromkeys(_HANDS, _PHARMACY),
            "approver": frozenset({"unblinded_pharmacist"}),
            "supervisor": frozenset({"unblinded_pharmacist"}),
        },
        "safety": dict.fromkeys(_ANY, frozenset({"unblinded_safety_physician"})),
        "site": {
            **dict.fromkeys(_HANDS, frozenset(STUDY_STAFF)),
            "approver": frozenset(PHYSICIANS),
            "supervisor": frozenset(PHYSICIANS),
        },
        "person": dict.fromkeys(_ANY, frozenset({*PHYSICIANS, *_SPONSOR})),
        "study": dict.fromkeys(_ANY, frozenset({*PHYSICIANS, *_SPONSOR})),
    }
)
"""Kind of stream -> as what -> roles."""

BY_TYPE: Final[Mapping[str, frozenset[str]]] = MappingProxyType(
    {
        "participant.transferred": frozenset({"investigator"}),
        "investigator.handed_over": frozenset({"investigator"}),
        "custody.transferred": frozenset({"investigator", "sponsor_administrator", "data_manager"}),
    }
)
"""Types whose second person is of fewer roles, or of others, than their stream's."""


NAMED: Final[Mapping[str, str]] = MappingProxyType({"investigator.handed_over": "person"})
"""Types whose data name their second person: a member of `data`."""


def may_cosign(target: Statement, second: str, actor: Actor) -> bool:
    """Tell whether somebody may give this second signature for a statement, in the role signed in."""
    role = actor.role
    if target.type in NAMED and target.data[NAMED[target.type]] != actor.id:
        return False
    if target.type in _SETTLING:
        return settles(target.stream, second, role)
    roles = BY_TYPE.get(target.type)
    if roles is None:
        kind = target.stream.partition("/")[0]
        roles = BY_STREAM.get(kind, {}).get(second, frozenset())
    return role in roles


def settles(stream: str, second: str, role: str) -> bool:
    """Tell whether a co-signature lets a correction or voiding make a breach vanish (catalogue H).

    That is the investigator's; in streams that the investigator does not see, who answers for those.
    """
    if second not in ("approver", "supervisor"):
        return False
    kind = stream.partition("/")[0]
    if kind in ("pharmacy", "safety"):
        return role in BY_STREAM[kind]["approver"]
    return role in PHYSICIANS


def persons_of(statement: Statement) -> frozenset[str]:
    """Return who has a part in a statement and is no second person in it: its author and who did it."""
    named = (statement.data.get(member) for member in PERFORMERS)
    return frozenset({statement.actor.id, *(person for person in named if isinstance(person, str))})


def is_pending(assurance: Assurance | None, event: str) -> bool:
    """Tell whether a statement of a stream still waits for a second person."""
    return assurance is not None and any(waiting.event == event for waiting in assurance.pending)
