"""Which lines or rows are asked for, by filters that mean something: a typing error is no empty answer.

A filter that names no site, type, role or person there is would find nothing, and nothing found reads as
"nothing was done". So it is refused, with the parameter's name. Who reads some sites alone is answered the
same for every other site, known or not, and for a participant of another site as for one whom nobody knows.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from api import sight
from api.call import Call
from api.problems import ProblemError
from ledger.actions import all_specs
from ledger.authority import Authority
from ledger.roles import ROLES
from ledger.store.port import Reads
from ledger.verify.options import Scope
from projections.audit_trail import TrailFilter
from projections.authorization import Participant, Site, allowed
from projections.before import entries_before, was_person
from projections.reader import Reader
from projections.study import Study

TYPES: Final = frozenset(spec.type for spec in all_specs())


def wanted_of(call: Call, reads: Reads, authority: Authority) -> TrailFilter:
    """Return which lines or rows are asked for.

    Raises:
        ProblemError: `FORBIDDEN` for a site that is not the reader's; `UNKNOWN_TYPE` or `ROLE_UNKNOWN` for
            what the catalogue does not have; `UNKNOWN_PARTICIPANT`, `UNKNOWN_SITE` or `PERSON_UNKNOWN` for
            what this study does not have.
    """
    query = call.query
    participant = query.get("participant")
    if call.reader.only_own and participant is None:
        participant = call.reader.person
    if participant is not None:
        require_participant(call.reader, reads, participant)
    _require_catalogued(query)
    _require_known(call.reader, query, reads, authority)
    return TrailFilter(
        participant=participant,
        site=query.get("site"),
        actor=query.get("actor"),
        role=query.get("role"),
        type=query.get("type"),
        field=query.get("field"),
        since=query.get("since"),
        until=query.get("until"),
    )


def scope_of(wanted: TrailFilter) -> Scope:
    """Return what is looked at: one participant, one site, or the study."""
    if wanted.participant is not None:
        return Scope(kind="participant", id=wanted.participant)
    return Scope(kind="study") if wanted.site is None else Scope(kind="site", id=wanted.site)


def require_participant(reader: Reader, reads: Reads, participant: str) -> None:
    """Require a participant to be, or to have been, one of the reader's sites'.

    One of another site is answered as one whom nobody knows: that they exist is not told either.

    Raises:
        ProblemError: `UNKNOWN_PARTICIPANT`.
    """
    sites = sight.participant_sites(reads, participant)
    if not allowed(reader, None, Participant(id=participant, sites=sites)):
        raise ProblemError("UNKNOWN_PARTICIPANT", 404)


def _require_catalogued(query: Mapping[str, str]) -> None:
    if "type" in query and query["type"] not in TYPES:
        raise ProblemError("UNKNOWN_TYPE", 400, field="type")
    if "role" in query and query["role"] not in ROLES:
        raise ProblemError("ROLE_UNKNOWN", 400, field="role")


def _require_known(reader: Reader, query: Mapping[str, str], reads: Reads, authority: Authority) -> None:
    if "site" in query and not allowed(reader, None, Site(site=query["site"])):
        raise ProblemError("FORBIDDEN", 403, field="site")
    if "site" in query and not _is_site(reads, query["site"]):
        raise ProblemError("UNKNOWN_SITE", 400, field="site")
    if "actor" in query and not _is_person(reads, query["actor"], authority):
        raise ProblemError("PERSON_UNKNOWN", 400, field="actor")


def _is_site(reads: Reads, site: str) -> bool:
    """Tell whether a protocol names a site, or anything was recorded of it."""
    streams = (f"site/{site}", f"pharmacy/{site}")
    return (
        site in Study(reads, reads.head().size).sites()
        or any(map(reads.stream_head, streams))
        or any(entries_before(reads, stream) for stream in streams)
    )


def _is_person(reads: Reads, person: str, authority: Authority) -> bool:
    """Tell whether a person is one of the study's: of this log, or of an older one that it goes on from."""
    return authority.person(person) is not None or was_person(reads, person)
