"""What a participant gets now, shown again to whom it was shown in an emergency (catalogue D).

Who unblinds hands a signed `unblinding.performed` in; from then on this address tells them the regimen, each
time with a view that is recorded before. Others are refused, whether or not anybody was unblinded.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from starlette.responses import Response

from api.answers import answer
from api.call import Call
from api.openings import require_standing
from api.operations import PARTICIPANT, PURPOSE, Operation
from api.problems import ProblemError
from api.wanted import require_participant
from ledger.errors import RefusedError
from ledger.unblinding import look_again, regimen_name, regimen_now, sees_arm
from projections.authorization import Arm, Participant, allowed


def regimen(call: Call) -> Response:
    """Answer the current regimen: of one participant to whom it was shown, of all to an unblinded role."""
    purpose = call.purpose()
    if purpose is None:
        raise ProblemError("QUERY", 400, field="purpose")
    ledger, reader, name = call.study.ledger, call.reader, call.path("participant")
    fold = ledger.refresh()
    study, size = fold.conduct.study, fold.size
    try:
        person = require_standing(fold.authority, reader)
    except RefusedError as error:
        raise ProblemError(error.code, 403) from error
    if reader.sees_scope("treatment"):
        require_participant(reader, ledger.store, name)
    # What waits is the durable record of this view: the log can take none now.
    waits = call.study.unblindings.shows(person, reader.role, name)
    shown = waits or sees_arm(study, reader.role, person, name, size)
    arm = Arm(participant=Participant(id=name, sites=(None,)), shown=shown)
    if not shown or not allowed(reader, "regimen", arm):
        raise ProblemError("ARM_BLINDED", 403)
    if study.allocation(name, size) is None:
        raise ProblemError("ALLOCATION_MISSING", 404)
    if waits:
        found = regimen_now(ledger, name)
    else:
        found = look_again(ledger, person=person, role=reader.role, participant=name, purpose=purpose)
    value: dict[str, Any] = {
        "participant": name,
        "regimen": found.arm,
        "name": regimen_name(ledger, found.arm),
        "stage": found.stage,
    }
    response = answer(call, value, ledger.store.head())
    response.headers["Cache-Control"] = "private, no-store"
    return response


OPERATIONS: Final = (
    Operation(
        name="regimen",
        method="GET",
        path="/participants/{participant}/regimen",
        summary="What a participant gets now, to whom it was shown by an unblinding and to unblinded roles",
        text=(
            "An emergency unblinding is a signed unblinding.performed, handed in as any statement. Each "
            "answer here follows a record.viewed and needs a `purpose`. While nothing can be recorded, whose "
            "own unblinding waits is answered on the strength of that, and nobody else."
        ),
        handler=regimen,
        parameters=(PARTICIPANT, replace(PURPOSE, required=True)),
        twins=("json",),
        answers={
            200: "the regimen, and the stage that it was allocated in",
            403: "this arm was not shown to the reader",
            404: "no such participant, or no allocation",
            503: "frozen: nothing is shown that can't be recorded",
        },
    ),
)
