"""The closed set of roles, and what each of them sees (catalogue, "Roles").

`Role` is the set of values of `actor.role`, of `role.granted` and of `scope.json`'s `role`; any other is
refused. `SIGHTS` is the catalogue's table as data: exports, streams and views ask it and nothing else.
Which role may *sign* which action is the authority table, which each class of `actions` declares.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal, get_args

Role = Literal[
    "root",
    "sponsor_administrator",
    "data_manager",
    "medical_monitor",
    "ethics_committee",
    "investigator",
    "sub_investigator",
    "coordinator",
    "infusion_staff",
    "blinded_rater",
    "unblinded_pharmacist",
    "on_call_unblinding",
    "blinded_monitor",
    "unblinded_monitor",
    "unblinded_safety_physician",
    "safety_committee",
    "unblinded_statistician",
    "auditor",
    "inspector",
    "participant",
    "service",
    "device",
    "list_holder",
]
ROLES: Final[frozenset[str]] = frozenset(get_args(Role))

# Groups that the authority table is written in.
ADMINISTRATORS: Final = ("root", "sponsor_administrator")
PHYSICIANS: Final = ("investigator", "sub_investigator")
STUDY_STAFF: Final = (*PHYSICIANS, "coordinator")
BEDSIDE_STAFF: Final = (*STUDY_STAFF, "infusion_staff")
SITE_STAFF: Final = (*BEDSIDE_STAFF, "blinded_rater", "unblinded_pharmacist")
PEOPLE: Final[tuple[str, ...]] = tuple(
    role for role in get_args(Role) if role not in ("root", "service", "device")
)
"""Every role that a person is granted and signs in."""

INCOMPATIBLE: Final[Mapping[str, frozenset[str]]] = MappingProxyType(
    {
        "unblinded_pharmacist": frozenset(
            {"blinded_rater", "blinded_monitor", "unblinded_monitor", "medical_monitor", "data_manager"}
        )
    }
)
"""Roles that the holder of the key role may not hold, now or earlier (catalogue A, `role.granted`)."""

Scope = Literal["treatment", "identity", "freetext", "safety", "access"]
SCOPES: Final[frozenset[str]] = frozenset(get_args(Scope))

_ALL: Final = "all"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """One row of the table of roles.

    Attributes:
        pharmacy, safety: sees the statements of these streams.
        access: sees those of `access/`: of all, only its own, or none.
        treatment: sees what is sealed `treatment`: of all, of one participant by an unblinding, or none.
        identity, freetext: sees what is sealed in that scope.
        others: what it sees of everything else of its sites.
        hidden: action types that it does not see although their stream is open to it.
    """

    pharmacy: bool = False
    safety: bool = False
    access: Literal["all", "own", "none"] = "none"
    treatment: Literal["all", "one", "none"] = "none"
    identity: bool = False
    freetext: bool = False
    others: Literal["all", "own", "needed", "list"] = "all"
    hidden: frozenset[str] = frozenset()


_SITE: Final = Sight(access="own", identity=True, freetext=True)
_TEXT: Final = Sight(freetext=True)
_UNBLINDED_SAFETY: Final = Sight(safety=True, treatment="all", freetext=True)

SIGHTS: Final[Mapping[str, Sight]] = MappingProxyType(
    {
        "root": _TEXT,
        "sponsor_administrator": _TEXT,
        "data_manager": _TEXT,
        "medical_monitor": _TEXT,
        "ethics_committee": _TEXT,
        "investigator": _SITE,
        "sub_investigator": _SITE,
        "coordinator": _SITE,
        "infusion_staff": _TEXT,
        "blinded_rater": Sight(hidden=frozenset({"postinfusion.observed"})),
        "unblinded_pharmacist": Sight(pharmacy=True, treatment="all", freetext=True),
        "on_call_unblinding": Sight(safety=True, treatment="one"),
        "blinded_monitor": _TEXT,
        "unblinded_monitor": Sight(
            pharmacy=True, treatment="all", freetext=True, hidden=frozenset({"outcome.recorded"})
        ),
        "unblinded_safety_physician": _UNBLINDED_SAFETY,
        "safety_committee": _UNBLINDED_SAFETY,
        "unblinded_statistician": Sight(treatment="all"),
        "auditor": Sight(access="all", freetext=True),
        "inspector": Sight(
            pharmacy=True, safety=True, access="all", treatment="all", identity=True, freetext=True
        ),
        "participant": Sight(others="own"),
        "service": Sight(others="needed"),
        "device": Sight(others="needed"),
        "list_holder": Sight(others="list"),
    }
)


def sees_scope(role: str, scope: str) -> bool:
    """Tell whether a role sees every value that is sealed in a scope, without an unblinding.

    The scopes `safety` and `access` follow the columns of the streams of these names.
    """
    sight = SIGHTS[role]
    match scope:
        case "treatment":
            return sight.treatment == _ALL
        case "identity":
            return sight.identity
        case "freetext":
            return sight.freetext
        case "safety":
            return sight.safety
        case "access":
            return sight.access == _ALL
    return False


def sees_stream(role: str, stream: str) -> bool:
    """Tell whether a role sees every statement of a stream, its own sites provided.

    What only `participant`, `service`, `device` and `list_holder` may see of their own is not in here.
    """
    sight = SIGHTS[role]
    match stream.partition("/")[0]:
        case "pharmacy":
            return sight.pharmacy
        case "safety":
            return sight.safety
        case "access":
            return sight.access == _ALL
    return sight.others == _ALL
