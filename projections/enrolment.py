"""Enrolment: how far the participants of each site, and of the study, have come.

`reached` counts everybody who ever reached a milestone; `now` counts by present status. Both come from the
fold that gives each participant's status, so a voided consent or a corrected disposition counts at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ledger.participant import Status
from ledger.store.port import Reads
from projections.authorization import Site, allowed
from projections.before import states_before
from projections.moments import Known, known_size
from projections.projection import State, replay_all
from projections.reader import Reader
from projections.status import MILESTONES, PARTICIPANTS, Standing, standing, summary
from projections.study import Study


def participants(
    reads: Reads,
    *,
    reader: Reader,
    known: Known = None,
    states: Mapping[str, State] | None = None,
) -> list[dict[str, Any]]:
    """Return status and flags of each participant that this reader sees, by id.

    `states` are those kept for the head; without them, or as of an earlier index, the log is replayed.

    Raises:
        FormatError: `KNOWN`.
    """
    size, found = _states(reads, known, states)
    study = Study(reads, size)
    return [summary(state, study) for _, state in sorted(found.items()) if _sees(reader, state)]


def enrolment(
    reads: Reads,
    *,
    reader: Reader,
    known: Known = None,
    states: Mapping[str, State] | None = None,
) -> dict[str, Any]:
    """Return the counts for each site that this reader sees, and for these sites together.

    Raises:
        FormatError: `KNOWN`.
    """
    size, found = _states(reads, known, states)
    study = Study(reads, size)
    open_sites = [site for site in study.sites() if allowed(reader, None, Site(site=site))]
    sites = {site: _count(()) for site in open_sites}
    seen = [state for state in found.values() if _sees(reader, state)]
    for site in {state["site"] for state in seen}:
        sites[site] = _count(_reached(state, study) for state in seen if state["site"] == site)
    return {
        "known": size - 1,
        "sites": dict(sorted(sites.items())),
        "overall": _count(_reached(state, study) for state in seen),
    }


def last_move(states: Iterable[State], reader: Reader, size: int) -> int:
    """Return the newest index below `size` at which somebody came to one of this reader's sites, or left it.

    Who left is not on the reader's list any more, and leaves no index there. -1 where nobody moved.
    """
    return max((index for state in states for index in _moves(state, reader) if index < size), default=-1)


def _moves(state: State, reader: Reader) -> Iterator[int]:
    was = False
    for record in state["records"]:
        if record["type"] == "participant.registered":
            was = _sees(reader, {"id": state["id"], "site": record["statement"].get("site")})
        elif record["type"] == "participant.transferred":
            now = _sees(reader, {"id": state["id"], "site": record["data"]["to"]})
            if was or now:
                yield record["index"]
            was = now


def _states(
    reads: Reads, known: Known, states: Mapping[str, State] | None
) -> tuple[int, Mapping[str, State]]:
    size = known_size(reads, known)
    if states is not None and known is None:
        return size, states
    return size, replay_all(PARTICIPANTS, reads, size, states_before(PARTICIPANTS, reads) if size else None)


def _sees(reader: Reader, state: State) -> bool:
    stream = f"participant/{state['id']}"
    return reader.sees(stream, "participant.registered", {"site": state["site"]})


def _reached(state: State, study: Study) -> Standing:
    return standing(state["records"], study)


def _count(found: Iterable[Standing]) -> dict[str, Any]:
    reached = dict.fromkeys(MILESTONES, 0)
    now = {str(each): 0 for each in Status}
    for each in found:
        now[str(each.status)] += 1
        for name in each.milestones:
            if name in reached:
                reached[name] += 1
    return {"reached": reached, "now": {name: count for name, count in now.items() if count}}
