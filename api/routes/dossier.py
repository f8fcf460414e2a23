"""The dossier of one signature: what stands behind it, and what came after (21 CFR 11.100)."""

from __future__ import annotations

from typing import Final

import orjson
from starlette.responses import Response

from api import sight
from api.answers import answer
from api.call import Call
from api.operations import Operation, path
from api.problems import ProblemError
from api.routes.transparency import find_entry
from projections.dossier import COLUMNS, dossier, rows
from projections.rows import rows_csv


def signature_dossier(call: Call) -> Response:
    """Answer the dossier of a statement that the reader sees; of another as of one that is not there."""
    with call.study.ledger.store.snapshot() as reads:
        entry = find_entry(reads, call.path("event"))
        if not sight.sees(call.reader, entry, orjson.loads(entry.statement), reads):
            raise ProblemError("NOT_FOUND", 404)
        found = dossier(reads, entry.index)
        head = reads.head()
    if found is None:
        raise ProblemError("NOT_FOUND", 404)
    # Whatever is recorded next may touch it: a revocation names an index, not a statement.
    return answer(call, found, head, last=head.size - 1, csv=rows_csv(COLUMNS, rows(found)))


OPERATIONS: Final = (
    Operation(
        name="dossier",
        method="GET",
        path="/events/{event}/dossier",
        summary="All that stands behind the signatures of one statement, and what came after",
        text="Account, identity, key and its evidence, role, policy, training, delegation; what ended since.",
        handler=signature_dossier,
        parameters=(path("event", "index of an entry, or its event hash"),),
        twins=("json", "csv", "html"),
        answers={200: "the dossier", 304: "unchanged", 404: "no such entry, or none for this reader"},
    ),
)
