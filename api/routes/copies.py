"""Certified copies: issued to who asks, in their own scope and sight, as a readable file or with every form.

Each is an event with the hash of what is answered, durable before the answer begins. A copy whose role sees
values sealed treatment or identity is asked for with a purpose, and what it opens is viewed by an event too.
"""

from __future__ import annotations

from typing import Final

from starlette.responses import Response

from api import sight
from api.answers import PRIVATE, head_header
from api.call import Call
from api.operations import PARTICIPANT, PURPOSE, SCOPE, Operation, Parameter
from api.problems import ProblemError
from ledger.verify.options import Scope, parse_scope
from ledger.views import ALWAYS
from projections.authorization import Bundle, Sealed, allowed
from projections.copies.issuing import Format, Issued, Wanted, issue_copy
from projections.reader import Reader

DEFAULT_PURPOSE: Final = "certified_copy"
MEDIA: Final = {"pdf": "application/pdf", "zip": "application/zip"}


def participant_copy(call: Call) -> Response:
    """Issue a certified copy of one participant."""
    name = call.path("participant")
    site = sight.participant_sites(call.study.ledger.store, name)[-1]
    if not allowed(call.reader, call.operation.name, Bundle(kind="participant", id=name, site=site)):
        raise ProblemError("UNKNOWN_PARTICIPANT", 404)  # one of another site is not told to exist
    return _answer(call, Scope(kind="participant", id=name))


def certified_copy(call: Call) -> Response:
    """Issue a certified copy of a site or of the study."""
    scope = parse_scope(call.query.get("scope", "study"))
    if scope.kind == "participant":
        raise ProblemError("SCOPE", 400, field="scope")
    if not allowed(call.reader, call.operation.name, Bundle(kind=scope.kind, id=scope.id)):
        raise ProblemError("FORBIDDEN", 403, field="scope")
    return _answer(call, scope)


def _answer(call: Call, scope: Scope) -> Response:
    format_: Format = "zip" if call.twin == "zip" else "pdf"
    issued = _issue(call, scope, format_)
    place = f"-{scope.kind}-{scope.id}" if scope.id is not None else ""
    # Of a later epoch its log is named too: the file does not hold what came before.
    epoch = "" if call.study.continues is None else f"-{call.study.config.origin.rpartition('/')[2]}"
    name = f"{call.study.config.study}{epoch}{place}-{issued.size}.{format_}"
    headers = {
        **PRIVATE,
        **head_header(call.study.ledger.store.head()),
        "Cache-Control": "private, no-store",
        "Content-Disposition": f'attachment; filename="{name}"',
        "Ledger-Issued": str(issued.index),
    }
    return Response(issued.data, headers=headers, media_type=MEDIA[format_])


def _issue(call: Call, scope: Scope, format_: Format) -> Issued:
    """Issue it; one at a time, as judging and setting a study takes all of a processor."""
    reader, study = call.reader, call.study
    purpose = call.purpose()
    if purpose is None and _opens(reader):
        raise ProblemError("PURPOSE", 422, field="purpose")
    if study.documents is None:
        raise ProblemError("DOCUMENT_KEY", 409)
    wanted = Wanted(
        scope=scope,
        # As with exports: of a blinded inspection, the auditor's sight.
        role="auditor" if reader.blinded else reader.role,
        held=reader.role,
        who=reader.person or "",
        purpose=purpose or DEFAULT_PURPOSE,
        format=format_,
        study=study.config.study,
    )
    return study.judges.submit(issue_copy, study.ledger, study.documents, wanted).result()


def _opens(reader: Reader) -> bool:
    """Tell whether a reader's copy can open values of which every opening is an event."""
    return any(allowed(reader, None, Sealed(scope=scope)) for scope in ALWAYS)


_ANSWERS: Final = {
    200: "the copy; Ledger-Issued is the index of its event",
    409: "the service has no key of documents",
    422: "a rule refuses it: no purpose by a reader whose role sees values sealed treatment or identity, a "
    "role that the log does not have the reader in, or a character without a glyph",
    503: "the ledger is frozen",
}

OPERATIONS: Final = (
    Operation(
        name="participant-copy",
        method="GET",
        path="/participants/{participant}/certified-copy",
        summary="Issue a certified copy of a participant: PDF/A-3, signed, with the bundle in it",
        text="`.zip` has the same with ODM, listing and workbook as files.",
        handler=participant_copy,
        parameters=(PARTICIPANT, PURPOSE),
        media="application/pdf",
        twins=("pdf", "zip"),
        answers={**_ANSWERS, 404: "no such participant"},
    ),
    Operation(
        name="certified-copy",
        method="GET",
        path="/certified-copy",
        summary="Issue a certified copy of a site or of the study",
        text="`.zip` has the same with ODM, listing and workbook as files.",
        handler=certified_copy,
        parameters=(
            Parameter(name="scope", text="study (default) or site:S", schema=SCOPE),
            PURPOSE,
        ),
        media="application/pdf",
        twins=("pdf", "zip"),
        answers={**_ANSWERS, 403: "the scope is not the reader's"},
    ),
)
