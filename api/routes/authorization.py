"""The matrix of authorization, as it decides: who may ask for what, sees what of it, and signs what."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Final

from starlette.responses import Response

from api.answers import answer
from api.call import Call
from api.columns import ATTEMPTS
from api.operations import Operation
from api.tables import csv_text
from projections.matrix import as_csv, as_markdown, as_value


def authorization(call: Call) -> Response:
    """Answer the whole matrix; it is no secret of a role."""
    addresses = addresses_of(call.request.app.state.operations)
    head = call.study.ledger.store.head()
    csv = as_csv(addresses) if call.twin == "csv" else None
    return answer(call, as_value(addresses) if csv is None else None, head, csv=csv)


def attempts(call: Call) -> Response:
    """Answer how many requests of each operation were refused since this process began."""
    rows = call.study.attempts.rows()
    return answer(call, {"attempts": rows}, call.study.ledger.store.head(), csv=csv_text(ATTEMPTS, rows))


def addresses_of(operations: Iterable[Operation]) -> dict[str, str]:
    """Return method and address of each operation by its name."""
    return {each.name: f"{each.method} {each.address}" for each in operations}


def main() -> None:
    """Write docs/authorization.md to standard output."""
    from api import app

    sys.stdout.write(as_markdown(addresses_of(app.OPERATIONS)))


OPERATIONS: Final = (
    Operation(
        name="authorization",
        method="GET",
        path="/authorization",
        summary="The matrix: which role may ask for what, sees what, and signs what with which meaning",
        handler=authorization,
        twins=("json", "csv"),
        answers={200: "operations, sights and signing rights by role, from the tables that decide"},
    ),
    Operation(
        name="attempts",
        method="GET",
        path="/authorization/attempts",
        summary="How many requests of each operation were refused, 401 or 403, since this process began",
        handler=attempts,
        twins=("json", "csv"),
        answers={200: "operation, status and count; nobody is named"},
    ),
)

if __name__ == "__main__":
    main()
