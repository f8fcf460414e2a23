"""What somebody may read as, by the log at its head: roles and sites of a person, and whether they exist.

    head = heads.now()
    roles = roles_of(head, person)                  # {"coordinator": {"SA-01"}}; none of a disabled account
    reach = reach_of(head, person, named, ledger)   # the role in use: the one held, or the one named

Nothing of this is kept beside the log, so that a disabled account, a role taken away and an inspection that
was closed count from the next request on. A role is one that is held now; `inspector` counts only while an
inspection names the person, and on its sites. A person in the role `participant` reads the stream whose
access was issued to them (record-format.md §4); the link between the two is opened here and shown to nobody.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from ledger.authority import SERVICE, Authority, Person
from ledger.committer import Ledger
from ledger.datakeys import DESTROYED
from ledger.errors import StoreError
from ledger.fold import LogFold
from ledger.identity.denial import ROLE_NEEDED, ROLE_NOT_HELD, DeniedError
from ledger.inspecting import sites_of
from ledger.sealing import open_disclosure
from ledger.state.people import Access, People
from ledger.views import INSPECTOR

ALL: Final = "*"
PARTICIPANT: Final = "participant"
_STREAM: Final = "participant/"
_PERSON: Final = "/data/person"


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """What the log says of people at a size."""

    size: int
    authority: Authority
    people_of: Callable[[], People] = field(repr=False, compare=False)

    @property
    def people(self) -> People:
        """Logins, inspections, accesses: part of conduct, which a lazy ledger folds when this is asked."""
        return self.people_of()

    def person(self, person_id: str) -> Person | None:
        """Return a person who may have an account with the service; None for nobody and for the service."""
        return None if person_id == SERVICE else self.authority.person(person_id)

    def is_active(self, person_id: str) -> bool:
        """Tell whether a person exists and was not disabled."""
        person = self.person(person_id)
        return person is not None and person.active


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """A role in use. `person` is the coded id for a participant; `sites` None are all."""

    role: str
    person: str
    sites: frozenset[str] | None


class Heads:
    """The newest head of one ledger, kept as long as the log has not grown. Thread-safe."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._kept: Head | None = None

    def now(self) -> Head:
        """Return what the log says now, entries of other processes included."""
        size = self._ledger.store.head().size
        kept = self._kept
        if kept is not None and kept.size == size:
            return kept
        fold = self._ledger.refresh()
        head = Head(size=fold.size, authority=fold.authority, people_of=_people_of(fold))
        # A commit that began meanwhile may yet fail: what it has folded in is not kept beyond this answer.
        if head.size == fold.size == self._ledger.store.head().size:
            self._kept = head
        return head


def _people_of(fold: LogFold) -> Callable[[], People]:
    """Return what gives a fold's people as they are now; a lazy one's as they are when first asked for."""
    if not fold.is_whole:
        return lambda: fold.conduct.study.people
    people = fold.conduct.study.people
    return lambda: people


def roles_of(head: Head, person_id: str) -> Mapping[str, frozenset[str] | None]:
    """Return the roles that a person can use now, each with its sites; None are all."""
    if not head.is_active(person_id):
        return {}
    held = head.authority.persons.get(person_id)
    grants = {role: grant.sites for role, grant in held.roles.items()} if held is not None else {}
    roles = {role: None if ALL in sites else frozenset(sites) for role, sites in grants.items()}
    if person_id in head.authority.roots:
        roles["root"] = None
    if INSPECTOR in roles:
        inspection = head.people.inspecting(person_id, head.size)
        if inspection is None:
            del roles[INSPECTOR]
        else:
            held_sites = None if ALL in grants[INSPECTOR] else grants[INSPECTOR]
            roles[INSPECTOR] = sites_of(inspection, held_sites)
    return roles


def reach_of(head: Head, person_id: str, named: str | None, ledger: Ledger) -> Reach:
    """Return what a person reads as: in the role named, or in the only one that they hold.

    Raises:
        DeniedError: `ROLE_NOT_HELD`, `ROLE_NEEDED`.
    """
    roles = roles_of(head, person_id)
    if named is None and len(roles) > 1:
        raise DeniedError(ROLE_NEEDED)
    role = named if named is not None else next(iter(roles), None)
    if role is None or role not in roles:
        raise DeniedError(ROLE_NOT_HELD)
    sites = roles[role]
    if role != PARTICIPANT:
        return Reach(role=role, person=person_id, sites=sites)
    participant = _participant_of(head, person_id, ledger)
    if participant is None:
        raise DeniedError(ROLE_NOT_HELD)
    return Reach(role=role, person=participant, sites=sites)


def _participant_of(head: Head, person_id: str, ledger: Ledger) -> str | None:
    """Return the coded id of the participant whose access was issued to a person, and not revoked."""
    for access in head.people.accesses.values():
        live = access.index < head.size and (access.revoked is None or access.revoked >= head.size)
        if live and _person_of(access, ledger) == person_id:
            return access.stream.removeprefix(_STREAM)
    return None


def _person_of(access: Access, ledger: Ledger) -> str | None:
    """Open whom an access was issued to; None where that was left out or erased."""
    for kept in ledger.store.disclosures(access.event):
        if kept.path == _PERSON:
            try:
                disclosure = ledger.data_keys.open(
                    kept.event, kept.path, kept.stream, kept.scope, kept.nonce, kept.ciphertext
                )
            except StoreError as error:
                if error.code != DESTROYED:
                    raise
                return None
            value = open_disclosure(disclosure).value
            return value if isinstance(value, str) else None
    return None
