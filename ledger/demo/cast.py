"""The people of the demonstration and their keys, every one of which follows from a public label.

Nobody here exists. A key seed is SHA-256("trial-ledger demo <seed> <person>"), so whoever reads this can sign
as anybody: the ledger protects nothing, and its names, organisations, key files and settings say so.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from ledger.keyfile import KEK, ML_DSA_44, Holder, KeyMaterial
from ledger.keys import ED25519
from ledger.roles import Role
from ledger.study.definition import StudyDefinition

SPONSOR: Final = "Demo sponsor office"
OPERATOR: Final = "Demo data centre (operator)"
UNIVERSITY: Final = "Demo university, biostatistics"
MONITORS: Final = "Demo contract research organisation"
AUDITORS: Final = "Demo audit house"
BOARD: Final = "Demo review board"
SAFETY_BOARD: Final = "Demo data and safety monitoring board"
HOTLINE: Final = "Demo unblinding hotline"
AUTHORITY: Final = "Demo health authority"
EVERYWHERE: Final = ("*",)
LABEL: Final = "demonstration: this key follows from a public label and protects nothing"

ROOTS: Final = ("root-1", "root-2")
ADMINISTRATOR: Final = "sponsor-admin"
MONITOR: Final = "monitor"
DATA_MANAGER: Final = "data-manager"
AUDITOR: Final = "auditor"
STATISTICIAN: Final = "statistician"
LIST_HOLDER: Final = "list-holder"
REVIEW_BOARD: Final = "review-board"
MEDICAL_MONITOR: Final = "medical-monitor"
UNBLINDED_MONITOR: Final = "unblinded-monitor"
SAFETY_PHYSICIAN: Final = "safety-physician"
SAFETY_COMMITTEE: Final = "safety-committee"
ON_CALL: Final = "on-call"
INSPECTOR: Final = "inspector"


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """One person: `role` on `sites`. `joins_later` is not set up with the others but comes in the story."""

    id: str
    name: str
    organisation: str
    role: Role
    sites: tuple[str, ...] = EVERYWHERE
    blinded: bool = True
    joins_later: bool = False


# Names of the staff of the first and the second site, by role.
_STAFF: Final[Mapping[Role, tuple[str, str]]] = MappingProxyType(
    {
        "investigator": ("Dr. Amelia Novak", "Dr. Henry Osei"),
        "sub_investigator": ("Dr. Tomás Rivera", "Dr. Ingrid Solberg"),
        "coordinator": ("Grace Whitfield", "Daniel Kim"),
        "infusion_staff": ("Mateo Flores, RN", "Priya Raman, RN"),
        "blinded_rater": ("Hannah Lindqvist", "Samuel Adeyemi"),
    }
)
_SECOND_COORDINATOR: Final = "Lena Fischer"
_SUCCESSOR: Final = "Dr. Naomi Clarke"
PHARMACIST: Final = "unblinded_pharmacist"
# Who makes a dose up, who checks it, who witnesses it, at the first and the second site.
_PHARMACISTS: Final = (
    ("Beatriz Alves, PharmD", "Karl Nyström, PharmD"),
    ("Wei Zhang, PharmD", "Fatima Idrissi, PharmD"),
    ("Noah Bennett, CPhT", "Sofia Marin, CPhT"),
)
PREPARER, CHECKER, WITNESS = range(3)


def monitor_of(site: str) -> str:
    """Return the registered device that a site measures with."""
    return f"MON-{site}"


def person_at(site: str, role: str) -> str:
    """Return the id of the person who has a role at a site, like `sa01-coordinator`."""
    return f"{site.lower().replace('-', '')}-{role.replace('_', '-')}"


def second_coordinator(site: str) -> str:
    """Return the id of the coordinator who joins later."""
    return f"{person_at(site, 'coordinator')}-2"


def successor(site: str) -> str:
    """Return the id of the investigator who takes a site over."""
    return f"{person_at(site, 'investigator')}-2"


def pharmacist(site: str, hand: int) -> str:
    """Return the id of a pharmacist of a site: the preparer, the checker or the witness."""
    first = person_at(site, PHARMACIST)
    return first if hand == PREPARER else f"{first}-{hand + 1}"


def people(definition: StudyDefinition) -> tuple[Person, ...]:
    """Return everybody but the root persons, the sponsor administrator first."""
    return (
        Person(id=ADMINISTRATOR, name="Eva Brandt", organisation=SPONSOR, role="sponsor_administrator"),
        Person(id=DATA_MANAGER, name="Jonas Weber", organisation=SPONSOR, role="data_manager"),
        Person(id=MONITOR, name="Nadia Haddad", organisation=MONITORS, role="blinded_monitor"),
        Person(id=AUDITOR, name="Oliver Grant", organisation=AUDITORS, role="auditor"),
        Person(id=REVIEW_BOARD, name="Ruth Callahan", organisation=BOARD, role="ethics_committee"),
        Person(
            id=STATISTICIAN,
            name="Prof. Yuki Tanaka",
            organisation=UNIVERSITY,
            role="unblinded_statistician",
            blinded=False,
        ),
        Person(id=LIST_HOLDER, name="Paul Moreau", organisation=OPERATOR, role="list_holder", blinded=False),
        Person(id=MEDICAL_MONITOR, name="Dr. Leila Farah", organisation=SPONSOR, role="medical_monitor"),
        Person(
            id=UNBLINDED_MONITOR,
            name="Arne Vogel",
            organisation=MONITORS,
            role="unblinded_monitor",
            blinded=False,
        ),
        Person(
            id=SAFETY_PHYSICIAN,
            name="Dr. Camille Dubois",
            organisation=MONITORS,
            role="unblinded_safety_physician",
            blinded=False,
        ),
        Person(
            id=SAFETY_COMMITTEE,
            name="Prof. Ibrahim Saleh",
            organisation=SAFETY_BOARD,
            role="safety_committee",
            blinded=False,
        ),
        Person(
            id=ON_CALL, name="Dr. Mina Park", organisation=HOTLINE, role="on_call_unblinding", blinded=False
        ),
        Person(
            id=INSPECTOR,
            name="Helena Costa",
            organisation=AUTHORITY,
            role="inspector",
            blinded=False,
            joins_later=True,
        ),
        *_staff(definition),
    )


def _staff(definition: StudyDefinition) -> Iterator[Person]:
    for number, site in enumerate(definition.sites):
        organisation = f"Demo site {site}"
        for role, names in _STAFF.items():
            yield Person(
                id=person_at(site, role),
                name=names[number % len(names)],
                organisation=organisation,
                role=role,
                sites=(site,),
            )
        for hand, named in enumerate(_PHARMACISTS):
            yield Person(
                id=pharmacist(site, hand),
                name=named[number % len(named)],
                organisation=organisation,
                role="unblinded_pharmacist",
                sites=(site,),
                blinded=False,
            )
        if number == len(definition.sites) - 1:
            yield Person(
                id=successor(site),
                name=_SUCCESSOR,
                organisation=organisation,
                role="investigator",
                sites=(site,),
                joins_later=True,
            )
        if number == 0:
            yield Person(
                id=second_coordinator(site),
                name=_SECOND_COORDINATOR,
                organisation=organisation,
                role="coordinator",
                sites=(site,),
                joins_later=True,
            )


def roots() -> tuple[Person, ...]:
    """Return the root persons: one of the operator, one of the sponsor."""
    return (
        Person(id=ROOTS[0], name="Clara Jensen", organisation=OPERATOR, role="root"),
        Person(id=ROOTS[1], name="Victor Almeida", organisation=SPONSOR, role="root"),
    )


def key_of(seed: int, name: str, *, alg: str = ED25519, person: Person | None = None) -> KeyMaterial:
    """Return the key of a name, by its public label."""
    holder = Holder(label=LABEL)
    if person is not None:
        holder = Holder(person=person.id, name=person.name, organisation=person.organisation, label=LABEL)
    secret = hashlib.sha256(f"trial-ledger demo {seed} {name}".encode()).digest()
    return KeyMaterial(alg=alg, secret=secret, holder=holder)


def log_keys(seed: int) -> tuple[KeyMaterial, KeyMaterial, KeyMaterial, KeyMaterial]:
    """Return the log's Ed25519 and ML-DSA-44 keys, the service's key, and the key-encryption key."""
    return (
        key_of(seed, "log"),
        key_of(seed, "log post-quantum", alg=ML_DSA_44),
        key_of(seed, "service"),
        key_of(seed, "key-encryption key", alg=KEK),
    )
