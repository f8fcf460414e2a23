"""Which operations a reader may ask for: `projections.authorization` decides, a problem says no.

Statements need no token: their signature is the authentication, and nothing beside it could make it stronger.
The person of a `participant`'s token is the coded id of their own stream.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from api.identity import Asking
from api.problems import ProblemError
from ledger.views import INSPECTOR
from projections.authorization import ANYBODY as ANYBODY
from projections.authorization import TABLE, allowed
from projections.reader import Reader

PERMITTED: Final[Mapping[str, frozenset[str]]] = MappingProxyType(
    {name: row.roles for name, row in TABLE.items()}
)
"""The roles of each operation, from `projections.authorization.TABLE`, where a new operation gets its row."""


def permit(operation: str, asking: Asking) -> Reader | None:
    """Return the reader of a request, None where an operation is open to anybody.

    Raises:
        ProblemError: as `Asking.reader`; `FORBIDDEN` where the table has no such cell.
    """
    if PERMITTED.get(operation) is ANYBODY:
        return _inspector(operation, asking)
    reader = asking.reader()
    if not allowed(reader, operation):
        raise ProblemError("FORBIDDEN", 403)
    return reader


def _inspector(operation: str, asking: Asking) -> Reader | None:
    """Return an inspector who says so where nobody has to: the log is answered as of their checkpoint."""
    if not asking.given or TABLE[operation].reach != "log":
        return None
    try:
        reader = asking.reader()
    except ProblemError:
        return None
    return reader if reader.role == INSPECTOR else None
