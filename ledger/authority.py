"""Who may do what, as of an index: a pure fold over the control statements of the log (record-format.md §6).

    authority = INITIAL
    for entry in log:
        problems = judge(authority, entry)          # authentic and authorised at this very index?
        if not problems:
            authority = evolve(authority, entry)    # a refused statement changes nothing here

The committer judges inside the transaction that assigns the index, the verifier judges the same way offline.
Neither a clock nor a store is asked. `data` must have its type's shape (`actions`) before it comes here.
Training and delegation of performers are conduct, not authority (catalogue R2b); trainings are only kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Final

from ledger.entry import Entry
from ledger.errors import FormatError, SignatureError
from ledger.keys import PublicKey, load_public_key
from ledger.lines import parse_base64
from ledger.statement import Statement

SERVICE: Final = "service"
DEFAULT_GRADES: Final = frozenset({"passkey", "client"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """A role held on sites (`*` = all) since an index."""

    sites: tuple[str, ...]
    blinded: bool
    since: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """A training on a topic, for one protocol version where it names one."""

    topic: str
    protocol: str | None
    date: str
    index: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """One person as the log knows them. `identity_at` and `acknowledged_at` are indexes."""

    id: str
    name: str
    organisation: str
    active: bool = True
    identity_at: int | None = None
    acknowledged_at: int | None = None
    roles: Mapping[str, Grant] = field(default_factory=lambda: MappingProxyType({}))
    ever: frozenset[str] = frozenset()
    trainings: tuple[Training, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class EnrolledKey:
    """A key of a person. It signs at indexes `since` < i < `until` (`until` None = still live)."""

    public: PublicKey
    person: str
    grade: str
    since: int
    enrolled_by: str | None
    until: int | None = None
    suspect_from: int | None = None
    evidence: str | None = None
    endorsed_by: str | None = None
    confirmed_at: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Authority:
    """The fold's value: persons, keys, root keys, and the policy in force."""

    origin: str = ""
    study: str = ""
    log_keys: tuple[str, ...] = ()
    continues: Mapping[str, Any] | None = None
    threshold: int = 1
    roots: Mapping[str, Person] = field(default_factory=lambda: MappingProxyType({}))
    root_key_ids: frozenset[str] = frozenset()
    persons: Mapping[str, Person] = field(default_factory=lambda: MappingProxyType({}))
    keys: Mapping[str, EnrolledKey] = field(default_factory=lambda: MappingProxyType({}))
    points: frozenset[bytes] = frozenset()
    grades: Mapping[str, frozenset[str]] = field(default_factory=lambda: MappingProxyType({}))
    late_entry_hours: int | None = None
    witness_policy: str | None = None
    in_order: set[tuple[Any, ...]] = field(init=False, compare=False, repr=False, default_factory=set)
    """Who was judged to be in order under this very value (`authorisation`): people sign the same again and
    again. No part of what the value says; each value that follows begins without."""

    def person_of(self, key_id: str) -> str | None:
        """Return the person whom a key belongs to, live or not."""
        key = self.keys.get(key_id)
        return key.person if key else None

    def person(self, person_id: str) -> Person | None:
        """Return a person, root persons included."""
        return self.persons.get(person_id) or self.roots.get(person_id)

    def used(self, person_id: str) -> bool:
        """Tell whether an id was ever a person's, that of a former root included."""
        return self.person(person_id) is not None or any(
            key.person == person_id for key in self.keys.values()
        )

    def live(self, key_id: str, index: int) -> bool:
        """Tell whether a key may sign the statement of this index."""
        key = self.keys.get(key_id)
        return key is not None and (key.until is None or index < key.until)

    def holds(self, person_id: str, role: str, site: str | None) -> bool:
        """Tell whether a person holds a role, on a site where one is named."""
        if role == "root":
            return person_id in self.roots
        if role == SERVICE:
            return person_id == SERVICE and SERVICE in self.persons
        person = self.persons.get(person_id)
        grant = person.roles.get(role) if person else None
        return grant is not None and (site is None or "*" in grant.sites or site in grant.sites)

    def grade(self, key_id: str) -> str | None:
        """Return the grade of a key (record-format.md §3)."""
        key = self.keys.get(key_id)
        return key.grade if key else None


INITIAL: Final = Authority()


def evolve(authority: Authority, entry: Entry) -> Authority:
    """Fold one accepted entry in. Types that authority does not depend on return the same value."""
    statement = entry.statement
    if statement is None:
        return authority
    fold = _FOLDS.get(statement.type)
    return fold(authority, entry, statement) if fold else authority


def _put(mapping: Mapping[str, Any], key: str, value: Any) -> Mapping[str, Any]:
    return MappingProxyType({**mapping, key: value})


def _key(
    authority: Authority, key: Mapping[str, Any], *, since: int, by: str | None, **rest: Any
) -> Authority:
    public = load_key(key)
    enrolled = EnrolledKey(
        public=public, person=key["person"], grade=key["grade"], since=since, enrolled_by=by, **rest
    )
    return replace(
        authority,
        keys=_put(authority.keys, public.id, enrolled),
        points=authority.points | {public.point},
    )


def load_key(key: Mapping[str, Any]) -> PublicKey:
    """Load the KEY object of record-format.md §11.

    Raises:
        SignatureError: `WEAK_KEY`, `KEY_ENCODING`, or `KEY_ID` when the id is not that of the key.
    """
    try:
        spki = parse_base64(key["spki"], what="a public key", code="KEY_ENCODING")
    except FormatError as error:
        raise SignatureError(error.code, error.message) from error
    public = load_public_key(key["alg"], spki, origins=tuple(key.get("origins", ())), rp_id=key.get("rp_id"))
    if public.id != key["id"]:
        raise SignatureError("KEY_ID", "expected the id of the key's own encoding")
    return public


def _roots(
    authority: Authority, root_keys: Iterable[Mapping[str, Any]], *, since: int, by: str | None
) -> Authority:
    roots: dict[str, Person] = {}
    ids: set[str] = set()
    for root in root_keys:
        key = root["key"]
        roots[key["person"]] = Person(
            id=key["person"], name=root["name"], organisation=root["organisation"], ever=frozenset({"root"})
        )
        ids.add(key["id"])
        if key["id"] not in authority.keys:
            authority = _key(authority, key, since=since, by=by)
    retired = {
        key_id: replace(authority.keys[key_id], until=since + 1)
        for key_id in authority.root_key_ids - ids
        if authority.keys[key_id].until is None
    }
    return replace(
        authority,
        roots=MappingProxyType(roots),
        root_key_ids=frozenset(ids),
        keys=MappingProxyType({**authority.keys, **retired}),
    )


def _opened(_: Authority, entry: Entry, statement: Statement) -> Authority:
    data = statement.data
    authority = replace(
        INITIAL,
        origin=data["origin"],
        study=data["study"],
        log_keys=tuple(data["log_keys"]),
        continues=data.get("continues"),
        threshold=data["threshold"],
    )
    return _roots(authority, data["root_keys"], since=entry.index, by=None)


def _policy(authority: Authority, entry: Entry, statement: Statement) -> Authority:
    data = statement.data
    if "root_keys" in data:
        authority = _roots(authority, data["root_keys"], since=entry.index, by=statement.key.id)
    changes: dict[str, Any] = {name: data[name] for name in ("threshold", "witness_policy") if name in data}
    if "late_entry_hours" in data:
        changes["late_entry_hours"] = data["late_entry_hours"]
    if "grades" in data:
        changes["grades"] = MappingProxyType({type_: frozenset(grades) for type_, grades in data["grades"]})
    return replace(authority, **changes)


def _account(authority: Authority, _: Entry, statement: Statement) -> Authority:
    data = statement.data
    person = Person(id=data["person"], name=data["name"], organisation=data["organisation"])
    return replace(authority, persons=_put(authority.persons, person.id, person))


def _change(authority: Authority, person_id: str, **changes: Any) -> Authority:
    person = authority.persons.get(person_id)
    if person is None:
        return authority
    return replace(authority, persons=_put(authority.persons, person_id, replace(person, **changes)))


def _renamed(authority: Authority, _: Entry, statement: Statement) -> Authority:
    data = statement.data
    return _change(authority, data["person"], name=data["name"], organisation=data["organisation"])


def _disabled(authority: Authority, _: Entry, statement: Statement) -> Authority:
    return _change(authority, statement.data["person"], active=False)


def _identity(authority: Authority, entry: Entry, statement: Statement) -> Authority:
    return _change(authority, statement.data["person"], identity_at=entry.index)


def _acknowledged(authority: Authority, entry: Entry, statement: Statement) -> Authority:
    return _change(authority, statement.data["person"], acknowledged_at=entry.index)


def _training(authority: Authority, entry: Entry, statement: Statement) -> Authority:
    data = statement.data
    person = authority.persons.get(data["person"])
    if person is None:
        return authority
    training = Training(
        topic=data["topic"], protocol=data.get("protocol"), date=data["date"], index=entry.index
    )
    return _change(authority, person.id, trainings=(*person.trainings, training))


def _granted(authority: Authority, entry: Entry, statement: Statement) -> Authority:
    data = statement.data
    person = authority.persons[data["person"]]
    grant = Grant(sites=tuple(data["sites"]), blinded=data["blinded"], since=entry.index)
    return _change(
        authority, person.id, roles=_put(person.roles, data["role"], grant), ever=person.ever | {data["role"]}
    )


def _role_revoked(authority: Authority, _: Entry, statement: Statement) -> Authority:
    data = statement.data
    person = authority.persons[data["person"]]
    roles = {role: grant for role, grant in person.roles.items() if role != data["role"]}
    return _change(authority, person.id, roles=MappingProxyType(roles))


def _enrolled(authority: Authority, entry: Entry, statement: Statement) -> Authority:
    return _key(
        authority,
        statement.data["key"],
        since=entry.index,
        by=statement.key.id,
        evidence=statement.data["evidence"]["sha256"],
        endorsed_by=statement.actor.organisation,
    )


def _confirmed(authority: Authority, entry: Entry, statement: Statement) -> Authority:
    key = authority.keys[statement.data["key"]]
    return replace(
        authority,
        keys=_put(authority.keys, statement.data["key"], replace(key, confirmed_at=entry.index)),
    )


def _rotated(authority: Authority, entry: Entry, statement: Statement) -> Authority:
    """Enrol the new key under the old one, which ends here: its last signature is this statement."""
    old = statement.data["replaces"]
    authority = _key(
        authority,
        statement.data["key"],
        since=entry.index,
        by=old,
        endorsed_by=authority.keys[old].endorsed_by,
    )
    retired = replace(authority.keys[old], until=entry.index + 1)
    keys = _put(authority.keys, old, retired)
    root_ids = authority.root_key_ids
    if old in root_ids:
        root_ids = (root_ids - {old}) | {statement.data["key"]["id"]}
    return replace(authority, keys=keys, root_key_ids=root_ids)


def _key_revoked(authority: Authority, entry: Entry, statement: Statement) -> Authority:
    """End a key from the next index on, with every key that it brought in since the compromise."""
    since = statement.data.get("compromised_from")
    keys = dict(authority.keys)
    doomed = [statement.data["key"]]
    seen: set[str] = set()
    while doomed:
        key_id = doomed.pop()
        if key_id in seen:
            continue
        seen.add(key_id)
        key = keys[key_id]
        until = entry.index + 1 if key.until is None else key.until
        suspect = [index for index in (since, key.suspect_from) if index is not None]
        keys[key_id] = replace(key, until=until, suspect_from=min(suspect, default=None))
        if since is not None:
            doomed += [k for k, other in keys.items() if other.enrolled_by == key_id and other.since >= since]
    return replace(authority, keys=MappingProxyType(keys))


_FOLDS: Final = {
    "ledger.opened": _opened,
    "policy.changed": _policy,
    "account.created": _account,
    "account.renamed": _renamed,
    "account.disabled": _disabled,
    "identity.verified": _identity,
    "esignature_policy.acknowledged": _acknowledged,
    "training.recorded": _training,
    "role.granted": _granted,
    "role.revoked": _role_revoked,
    "key.enrolled": _enrolled,
    "key.holder_confirmed": _confirmed,
    "key.rotated": _rotated,
    "key.revoked": _key_revoked,
}

TYPES: Final = frozenset(_FOLDS)
"""Every type that changes who may sign what."""
