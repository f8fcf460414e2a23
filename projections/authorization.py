"""Who may ask for what, and see what of it: the one table, and the one function that decides by it.

    allowed(reader, "participants")                                      # role × operation
    allowed(reader, None, Participant(sites=("SA-01",), id="SA-01-007")) # × site
    allowed(reader, None, Sealed(scope="treatment"))                     # × blinding

`TABLE` has a row for each operation of the HTTP interface, deny by default: an operation without a row is
refused to everybody. What a permitted reader then sees is the catalogue's table of roles (`ledger.roles`),
narrowed to the reader's sites. `allowed` is asked by every route, the stream, exports, views, counts and
errors; nobody else looks into these tables, which a test holds. Pure: no store, no clock.

Left out on purpose: who may *sign* what. That is the authority table, which each class of `ledger.actions`
declares and the log itself judges by; `records` shows it as the matrix's other half.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, Final, Literal, Protocol

from ledger.actions import all_specs
from ledger.roles import ADMINISTRATORS, ROLES, SIGHTS, Sight, sees_stream
from ledger.roles import sees_scope as role_sees_scope
from ledger.statement import class_of
from ledger.unblinding_queue import ROLES as UNBLINDING
from ledger.views import INSPECTOR

Reach = Literal["open", "log", "records", "participants", "arm", "place", "bundle", "own", "service"]
REACHES: Final[Mapping[Reach, str]] = MappingProxyType(
    {
        "open": "nothing of any record: no token is asked for",
        "log": "hashes, proofs and leaves, which hold no clinical value and no participant's id",
        "records": "statement by statement: of the reader's sites, streams and scopes, a participant's own",
        "participants": "participants who are or were at the reader's sites, a participant their own",
        "arm": "one participant's arm: of all to an unblinded role, else to whom an unblinding showed it",
        "place": "the place in a stream that the role reads, or signs this type in",
        "bundle": "a bundle whose scope lies within the reader's own",
        "own": "what is the asker's own: session, account, keys",
        "service": "how the service itself does: counts and states, nothing of a record",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One operation: the roles that may ask for it, and what of the study it reaches.

    `frozen`: an inspector asks for it in an open inspection only, and is answered as of its checkpoint.
    """

    roles: frozenset[str]
    reach: Reach
    frozen: bool = True


ANYBODY: Final[frozenset[str]] = frozenset({"anybody"})
"""The roles of an operation that needs no token."""

STAFF: Final = frozenset(role for role in ROLES if SIGHTS[role].others == "all")
"""Roles that read the study, each at its sites."""
_READERS: Final = STAFF | {"participant"}
_SIGNERS: Final = _READERS | {"list_holder"}
_UNBLINDED: Final = frozenset(role for role in STAFF if SIGHTS[role].treatment == "all")
_WHOLE: Final = frozenset(role for role in _READERS if not SIGHTS[role].hidden)
_ACCESS: Final = frozenset(role for role in STAFF if SIGHTS[role].access == "all")
_REGIMEN: Final = (_UNBLINDED - {INSPECTOR}) | frozenset(UNBLINDING)

_OPEN: Final = Row(roles=ANYBODY, reach="open")
_ENDPOINTS: Final = frozenset(ADMINISTRATORS)

TABLE: Final[Mapping[str, Row]] = MappingProxyType(
    {
        # Open: a statement's signature is its authentication; the rest holds nothing of a record.
        "record": _OPEN,
        "record-batch": _OPEN,
        "checkpoint": Row(roles=ANYBODY, reach="log"),
        "tile": Row(roles=ANYBODY, reach="log"),
        "livez": _OPEN,
        "readyz": _OPEN,
        "study-livez": _OPEN,
        "study-readyz": _OPEN,
        "metrics": Row(roles=ANYBODY, reach="service"),  # the operator's own token, `api.routes.health`
        "openapi": _OPEN,
        "study-openapi": _OPEN,
        "asyncapi": _OPEN,
        "study-asyncapi": _OPEN,
        "docs": _OPEN,
        "study-docs": _OPEN,
        "docs-file": _OPEN,
        "start": _OPEN,
        "study-start": _OPEN,
        "pages": _OPEN,
        "page-file": _OPEN,
        "catalogue": _OPEN,
        "study-catalogue": _OPEN,
        # Logging in: who has no session yet asks, and who has one asks about it. `api.routes.sessions`
        "log-in": Row(roles=ANYBODY, reach="own"),
        "redeem": Row(roles=ANYBODY, reach="own"),
        "session": Row(roles=ANYBODY, reach="own"),
        "log-out": Row(roles=ANYBODY, reach="own"),
        "change-password": Row(roles=ANYBODY, reach="own"),
        # Reading.
        "attachment": Row(roles=_READERS, reach="records"),
        "participants": Row(roles=STAFF, reach="participants"),
        "participant": Row(roles=_READERS, reach="participants"),
        "timeline": Row(roles=_READERS, reach="participants"),
        "history": Row(roles=_READERS, reach="participants"),
        "signing-scope": Row(roles=_READERS, reach="records"),
        "regimen": Row(roles=_REGIMEN, reach="arm"),
        "audit-trail": Row(roles=_READERS, reach="records"),
        "projection": Row(roles=STAFF, reach="records"),
        "event": Row(roles=_READERS, reach="records"),
        "proof": Row(roles=_READERS, reach="log"),
        "dossier": Row(roles=STAFF, reach="records"),
        "stream": Row(roles=_READERS, reach="records"),
        "leaf-tile": Row(roles=_READERS, reach="log"),
        "entries": Row(roles=_READERS, reach="log"),
        "export": Row(roles=_WHOLE, reach="bundle"),
        "participant-copy": Row(roles=_WHOLE, reach="bundle"),
        "certified-copy": Row(roles=_WHOLE & STAFF, reach="bundle"),
        "verify": Row(roles=STAFF, reach="service"),
        "authorization": Row(roles=_READERS, reach="service"),
        "attempts": Row(roles=_ACCESS - {INSPECTOR}, reach="service"),
        # Webhooks: whoever signs for an endpoint sees and proposes it.
        "webhooks": Row(roles=_ENDPOINTS, reach="service"),
        "webhook-propose": Row(roles=_ENDPOINTS, reach="service", frozen=False),
        "webhook-change": Row(roles=_ENDPOINTS, reach="service", frozen=False),
        "webhook-parked": Row(roles=_ENDPOINTS, reach="service"),
        # Recording.
        "prepare": Row(roles=_SIGNERS, reach="place", frozen=False),
        "edit-check": Row(roles=_SIGNERS, reach="place", frozen=False),
        "put-attachment": Row(roles=_SIGNERS, reach="place", frozen=False),
        "action": Row(roles=_SIGNERS, reach="place", frozen=False),
        "sign-waiting": Row(roles=_SIGNERS, reach="own", frozen=False),
        "leave-signature": Row(roles=_SIGNERS, reach="own", frozen=False),
        "signing": Row(roles=_SIGNERS, reach="own", frozen=False),
        "signing-places": Row(roles=STAFF - {INSPECTOR}, reach="participants"),
        "passkey-begin": Row(roles=_SIGNERS, reach="own", frozen=False),
        "passkey": Row(roles=_SIGNERS, reach="own", frozen=False),
        "custodial-key": Row(roles=_SIGNERS, reach="own", frozen=False),
        "custodial-secret": Row(roles=_SIGNERS, reach="own", frozen=False),
        "signing-keys": Row(roles=frozenset(ADMINISTRATORS), reach="service", frozen=False),
    }
)
"""Operation by name -> who may ask for it. A new operation gets its row here, or nobody gets an answer."""


class Asker(Protocol):
    """Who asks: `projections.reader.Reader`."""

    @property
    def role(self) -> str: ...
    @property
    def person(self) -> str | None: ...
    @property
    def sites(self) -> frozenset[str] | None: ...
    @property
    def blinded(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class Decision:
    """Yes, or no with the column of the table that says so. False where it is a no."""

    why: Literal["permitted", "operation", "role", "site", "own", "blinding"]

    def __bool__(self) -> bool:
        return self is YES


YES: Final = Decision("permitted")
NO_OPERATION: Final = Decision("operation")
NO_ROLE: Final = Decision("role")
NO_SITE: Final = Decision("site")
NOT_OWN: Final = Decision("own")
BLINDED: Final = Decision("blinding")


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """One site, by its id; None for what belongs to none."""

    site: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Participant:
    """One participant with every site that they are or were at."""

    id: str
    sites: tuple[str | None, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One statement, by its stream, type, site and `actor` and `data`, which tell whose own it is.

    `about` are the types of the statements that it names, and of those that these name.
    """

    stream: str
    type: str
    statement: Mapping[str, Any]
    about: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Sealed:
    """A sealed value of a scope; `shown` says that an unblinding showed it to who asks."""

    scope: str
    shown: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """One participant's arm, with their sites; `shown` says that an unblinding showed it to who asks."""

    participant: Participant
    shown: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """The next place in a stream, for a statement of a type; a participant's stream has its site."""

    stream: str
    type: str
    site: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """A bundle of the study, of a site or of a participant with the site that they are at."""

    kind: str
    id: str | None = None
    site: str | None = None


Resource = Site | Participant | Record | Sealed | Arm | Place | Bundle | None


def allowed(reader: Asker | None, operation: str | None, resource: Resource = None) -> Decision:
    """Decide whether somebody may ask for an operation, or see a thing within one.

    Args:
        reader: who asks; None for who brought no credentials.
        operation: None within an operation that was decided already.
        resource: what is asked for; None for the operation as such.
    """
    if operation is not None:
        row = TABLE.get(operation)
        if row is None:
            return NO_OPERATION
        if row.roles is not ANYBODY and (reader is None or reader.role not in row.roles):
            return NO_ROLE
    if resource is None:
        return YES
    return NO_ROLE if reader is None else _sees(reader, resource)


def sight_of(reader: Asker) -> Sight:
    """Return the row of the catalogue's table for a reader; one who stays blinded sees no arm in any role."""
    sight = SIGHTS[reader.role]
    return _blinded(reader.role) if reader.blinded else sight


def withheld(reader: Asker, kinds: Iterable[str]) -> list[str]:
    """Return the kinds of streams among some that a reader does not see whole, in their order."""
    return [kind for kind in kinds if not _sees_stream(reader, kind)]


def _blinded(role: str) -> Sight:
    return replace(SIGHTS[role], pharmacy=False, safety=False, treatment="none")


def _sees(reader: Asker, resource: Resource) -> Decision:
    match resource:
        case Record():
            return _record(reader, resource)
        case Sealed():
            return _sealed(reader, resource)
        case Site(site=site):
            return _site(reader, site)
        case Participant():
            return _participant(reader, resource)
        case Arm(participant=participant, shown=shown):
            if sight_of(reader).treatment == "all":
                return _participant(reader, participant)
            return YES if shown and reader.role in UNBLINDING else BLINDED
        case Place():
            return _place(reader, resource)
        case Bundle():
            return _bundle(reader, resource)
    return YES


def _in_sites(reader: Asker, site: str | None) -> bool:
    return site is None or reader.sites is None or site in reader.sites


def _site(reader: Asker, site: str | None) -> Decision:
    return YES if _in_sites(reader, site) else NO_SITE


def _participant(reader: Asker, resource: Participant) -> Decision:
    others = sight_of(reader).others
    if others == "own":
        return YES if reader.person == resource.id else NOT_OWN
    if others != "all":
        return NO_ROLE
    return YES if any(_in_sites(reader, site) for site in resource.sites) else NO_SITE


def _record(reader: Asker, resource: Record) -> Decision:
    """Decide on a statement; a control statement is seen by everybody, whatever it names (§9)."""
    if class_of(resource.type, resource.stream) == "control":
        return YES
    sight = sight_of(reader)
    if sight.hidden and (resource.type in sight.hidden or not sight.hidden.isdisjoint(resource.about)):
        return BLINDED
    if not _sees_stream(reader, resource.stream) and not _is_own(reader, sight, resource):
        return BLINDED if sight.others == "all" else NOT_OWN
    if reader.sites is None:
        return YES  # and the statement stays undecoded: catching up reads many
    return _site(reader, resource.statement.get("site"))


def _sees_stream(reader: Asker, stream: str) -> bool:
    if reader.blinded and stream.partition("/")[0] in ("pharmacy", "safety"):
        return False
    return sees_stream(reader.role, stream)


def _is_own(reader: Asker, sight: Sight, resource: Record) -> bool:
    stream, statement = resource.stream, resource.statement
    if stream.startswith("access/") and sight.access == "own":
        data = statement["data"]
        named = (statement["actor"]["id"], data.get("who"), data.get("requested_by"))
        return reader.person is not None and reader.person in named
    if sight.others == "own":
        return reader.person is not None and stream == f"participant/{reader.person}"
    return sight.others == "list" and stream.startswith("randomization/")


def _sealed(reader: Asker, resource: Sealed) -> Decision:
    if reader.blinded and resource.scope in ("treatment", "safety"):
        return BLINDED
    if role_sees_scope(reader.role, resource.scope):
        return YES
    shown = resource.scope == "treatment" and resource.shown and reader.role in UNBLINDING
    return YES if shown else BLINDED


def _place(reader: Asker, resource: Place) -> Decision:
    """Decide who learns a stream's tag and where it stands: who reads it whole, or signs this type there.

    Who unblinds in an emergency signs for a stream that they do not read.
    """
    kind, _, name = resource.stream.partition("/")
    if sight_of(reader).others == "list":
        return YES if kind == "randomization" else NO_ROLE
    if reader.role == INSPECTOR:  # reads as of a checkpoint, and learns what comes after it nowhere
        return YES if any(s.type == resource.type and INSPECTOR in s.roles for s in all_specs()) else NO_ROLE
    if kind == "participant":
        return _participant(reader, Participant(id=name, sites=(resource.site,)))
    if kind in ("site", "pharmacy") and not _in_sites(reader, name):
        return NO_SITE
    if _sees_stream(reader, resource.stream) or _signs(reader.role, resource.type, kind):
        return YES
    return BLINDED


def _signs(role: str, type_: str, kind: str) -> bool:
    """Tell whether a role signs statements of a type that stands in streams of this kind alone."""
    return any(spec.type == type_ and spec.streams == (kind,) and role in spec.roles for spec in all_specs())


def _bundle(reader: Asker, resource: Bundle) -> Decision:
    if resource.kind == "participant":
        return _participant(reader, Participant(id=resource.id or "", sites=(resource.site,)))
    if sight_of(reader).others != "all":
        return NOT_OWN
    if resource.kind == "study":
        return YES if reader.sites is None else NO_SITE
    return _site(reader, resource.id)
