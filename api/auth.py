"""Which operations a role may ask for.

Statements need no token: their signature is the authentication, and nothing beside it could make it stronger.

`PERMITTED` is the one table of operations by role, deny by default: an operation without a row is refused to
everybody. What a permitted reader then sees of the study is the catalogue's table of roles (`ledger.roles`),
through `projections.reader`. The person of a `participant`'s token is the coded id of their own stream.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

from api.identity import authenticate
from api.problems import ProblemError
from ledger.directory import Token
from ledger.roles import ROLES, SIGHTS
from ledger.unblinding_queue import ROLES as UNBLINDING
from ledger.views import INSPECTOR
from projections.reader import Reader

ANYBODY: Final[frozenset[str]] = frozenset({"anybody"})
"""The row of an operation that needs no token."""

_STAFF: Final = frozenset(role for role in ROLES if SIGHTS[role].others == "all")
_READERS: Final = _STAFF | {"participant"}
_SIGNERS: Final = _READERS | {"list_holder"}
_UNBLINDED: Final = frozenset(role for role in _STAFF if SIGHTS[role].treatment == "all")
_WHOLE: Final = frozenset(role for role in _READERS if not SIGHTS[role].hidden)

PERMITTED: Final[Mapping[str, frozenset[str]]] = MappingProxyType(
    {
        "record": ANYBODY,
        "checkpoint": ANYBODY,
        "tile": ANYBODY,
        "livez": ANYBODY,
        "readyz": ANYBODY,
        "study-livez": ANYBODY,
        "study-readyz": ANYBODY,
        "openapi": ANYBODY,
        "study-openapi": ANYBODY,
        "asyncapi": ANYBODY,
        "study-asyncapi": ANYBODY,
        "docs": ANYBODY,
        "study-docs": ANYBODY,
        "docs-file": ANYBODY,
        "catalogue": ANYBODY,
        "study-catalogue": ANYBODY,
        "prepare": _SIGNERS,
        "put-attachment": _SIGNERS,
        "attachment": _READERS,
        "participants": _STAFF,
        "participant": _READERS,
        "timeline": _READERS,
        "history": _READERS,
        "regimen": (_UNBLINDED - {INSPECTOR}) | frozenset(UNBLINDING),
        "audit-trail": _READERS,
        "projection": _STAFF,
        "event": _READERS,
        "proof": _READERS,
        "stream": _READERS,
        "leaf-tile": _READERS,
        "entries": _READERS,
        "export": _WHOLE,
        "verify": _STAFF,
    }
)


def permit(operation: str, authorization: str | None, tokens: Sequence[Token]) -> Reader | None:
    """Return the reader of a request, None where an operation is open to anybody.

    Raises:
        ProblemError: `UNAUTHENTICATED` without a token, `FORBIDDEN` where the table has no such cell.
    """
    roles = PERMITTED.get(operation, frozenset())
    if roles is ANYBODY:
        return None
    reader = authenticate(authorization, tokens)
    if reader.role not in roles:
        raise ProblemError("FORBIDDEN", 403)
    return reader
