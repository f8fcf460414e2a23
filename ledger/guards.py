"""Rows that must be unique in the store: rules that go across streams where two processes write at once.

They stand in the same commit as what they guard, and the log alone can make them again (`fsck`).
"""

from __future__ import annotations

from ledger.entry import Entry
from ledger.statement import Statement
from ledger.studystate import StudyState

Guard = tuple[str, str]
"""Kind and key."""


def guards(entry: Entry, study: StudyState) -> tuple[Guard, ...]:
    """Return the rows that must be unique before an entry is folded in; `study` is as before it."""
    statement = entry.statement
    if statement is None:
        return ()
    data = statement.data
    match statement.type:
        case "study.registered":
            return (("study", "registered"),)
        case "protocol.approved":
            return (("protocol", data["version"]),)
        case "site.activated":
            site = statement.site or ""
            count = len(study.site(site).standings)  # a suspended site is activated again
            return (("site", f"{site}/{count}" if count else site),)
        case "participant.registered":
            return (("participant", data["participant"]),)
        case "randomization.list_committed":
            return (("list", data["list"]),)
        case "participant.randomized":
            return _allocation(statement, study, entry.index)
    return ()


def _allocation(statement: Statement, study: StudyState, index: int) -> tuple[Guard, ...]:
    data = statement.data
    participant = statement.stream.partition("/")[2]
    rows = [("allocation", f"{participant}/{data['stage']}")]
    if "list_index" in data:
        rows.append(("slot", f"{data['list']}/{data['list_index']}"))
    if data["stage"] == 1:
        rows.append(("enrolment", str(study.randomized(index) + 1)))
    return tuple(rows)
