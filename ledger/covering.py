"""What a signature over many statements covers now, for who is about to make it (catalogue C and H).

`eligibility.confirmed` signs a digest of the newest assessment of each criterion, `record.signed` one of what
a scope held below an index. Nobody can type these; here they stand with what they are over.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence, Set
from typing import Any, Final, NamedTuple

from ledger import canonical
from ledger.committer import Ledger
from ledger.errors import FormatError, RefusedError
from ledger.fold import LogFold, StoreReader
from ledger.participant import Participant
from ledger.rules.eligibility import criteria_digest
from ledger.rules.protocols import version_for
from ledger.rules.signing import WHOLE, covered, digest_of
from ledger.study.definition import Criterion, StudyDefinition
from ledger.times import Interval

Row = dict[str, Any]
DIGESTS: Final = {"eligibility.confirmed": "criteria_sha256", "record.signed": "sha256"}
"""The member of `data` with the digest, by action type."""
ELIGIBILITY: Final = "eligibility"
_NAMED: Final = {"form": "statement", "visit": "visit", "milestone": "milestone"}
_UNSEEN: Final = {"result": None, "event": None, "index": None}


class Asked(NamedTuple):
    """What an action covers: the participant, the scope, what of it (None: all), below which index.

    `upto` is what the action says itself; None covers all that there is.
    """

    participant: str
    scope: str
    of: str | None
    upto: int | None = None


def asked(members: Mapping[str, Any]) -> Asked | None:
    """Return what an action covers whose digest is left out; None where nothing is to be filled in."""
    type_, stream, data = members.get("type"), members.get("stream"), members.get("data")
    if not (isinstance(type_, str) and isinstance(stream, str) and isinstance(data, dict)):
        return None
    kind, _, name = stream.partition("/")
    if type_ not in DIGESTS or DIGESTS[type_] in data or kind != "participant":
        return None
    if type_ == "eligibility.confirmed":
        return Asked(name, ELIGIBILITY, None)
    scope = data.get("scope")
    if not isinstance(scope, str) or scope not in {*_NAMED, *WHOLE}:
        return None
    of = data.get(_NAMED[scope]) if scope in _NAMED else None
    if scope in _NAMED and not isinstance(of, str):
        return None
    upto = data.get("upto")
    return Asked(name, scope, of, upto if type(upto) is int and upto > 0 else None)


def criteria(fold: LogFold, participant: Participant, now_us: int) -> list[Row]:
    """Return each criterion of the version in force, in its order, with what was assessed last.

    `result`, `event` and `index` are null where it was not assessed (`assessed`) in the present screening.
    """
    now = Interval(earliest_us=now_us, latest_us=now_us)
    protocol = version_for(participant, fold.conduct.study, now, fold.size)
    definition = None if protocol is None else protocol.definition
    return [] if definition is None else [_row(each, participant) for each in _all(definition, participant)]


def within(rows: Sequence[Row], seen: Set[int]) -> list[Row]:
    """Return the rows without what stands in statements that the reader does not see."""
    return [row if row["index"] in seen else {**row, **_UNSEEN} for row in rows]


def criteria_signed(participant: Participant) -> str | None:
    """Return the digest that a confirmation of eligibility signs; None where nothing was assessed."""
    return criteria_digest(participant.assessments) if participant.assessments else None


def digest_of_criteria(rows: Sequence[Row]) -> str:
    """Return the digest over rows of criteria, as a reader computes it from what is shown."""
    pairs = sorted([each["criterion"], each["event"]] for each in rows if each["event"] is not None)
    return hashlib.sha256(canonical.encode(pairs)).hexdigest()


def found(ledger: Ledger, what: Asked) -> dict[str, Any]:
    """Return what an action covers, as `…/signing-scope` has it: `sha256`, `upto`, `criteria`, `lines`."""
    fold = ledger.refresh()
    with ledger.store.snapshot() as reads:
        upto = reads.head().size
        if what.scope == ELIGIBILITY:
            participant = fold.conduct.state(what.participant)
            rows = [] if participant is None else criteria(fold, participant, ledger.sources.now_us())
            sha256 = None if participant is None else criteria_signed(participant)
            return {"sha256": sha256, "upto": upto, "criteria": rows, "lines": [], "not_shown": 0}
        entries = StoreReader(reads).entries_of(f"participant/{what.participant}")
    upto = upto if what.upto is None else min(upto, what.upto)
    of_scope = covered(entries, what.scope, what.of, upto)
    lines: list[Row] = [
        {"index": int(each.index), "event": str(each.event), "type": getattr(each.statement, "type", None)}
        for each in of_scope
    ]
    sha256 = digest_of((each["index"], each["event"]) for each in lines) if lines else None
    return {"sha256": sha256, "upto": upto, "lines": lines, "not_shown": 0}


def fill_in(members: dict[str, Any], what: Mapping[str, Any]) -> None:
    """Put digest and index into the action, computed from what is shown.

    Raises:
        RefusedError: `CRITERIA_INCOMPLETE`.
        FormatError: `ACTION`, where nothing is on record, or the digest told is not that of what is shown.
    """
    rows, lines = what.get("criteria"), what["lines"]
    if open_ := [row["criterion"] for row in rows or () if not row["assessed"]]:
        message = f"these criteria are not assessed yet: {', '.join(open_)}"
        raise RefusedError("CRITERIA_INCOMPLETE", message)
    member = DIGESTS[members["type"]]
    if what["sha256"] is None:
        raise FormatError("ACTION", "nothing of what is signed is on record", field=f"/data/{member}")
    if rows is not None:
        computed = digest_of_criteria(rows)
    else:
        computed = (
            what["sha256"]
            if what["not_shown"]
            else digest_of((each["index"], each["event"]) for each in lines)
        )
    if computed != what["sha256"]:
        raise FormatError("ACTION", "the digest told is not that of what is shown", field=f"/data/{member}")
    members["data"] = {**members["data"], member: computed}
    if rows is None:
        members["data"]["upto"] = what["upto"]


def _all(definition: StudyDefinition, participant: Participant) -> list[Criterion | str]:
    """Return the criteria of the version, and ids of others that were assessed: the digest has them too."""
    named = {each.id for each in definition.criteria}
    return [*definition.criteria, *sorted(participant.assessments.keys() - named)]


def _row(criterion: Criterion | str, participant: Participant) -> Row:
    name = criterion if isinstance(criterion, str) else criterion.id
    assessment = participant.assessments.get(name)
    return {
        "criterion": name,
        "kind": None if isinstance(criterion, str) else criterion.kind,
        "text": None if isinstance(criterion, str) else criterion.text,
        "assessed": assessment is not None,
        "result": None if assessment is None else assessment.result,
        "event": None if assessment is None else assessment.event,
        "index": None if assessment is None else int(assessment.index),
    }
