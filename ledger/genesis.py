"""The first entries of a ledger (record-format.md §6, "Start"): opening, service, registration of the study.

Index 0 is `ledger.opened`, signed by `threshold` root keys; 1 and 2 are account and key of the service; 3 is
`study.registered`, but not in an epoch, whose study goes on (§6, "Epochs"). Everything after comes through
the ordinary rules, and these come through the same write path: nothing is inserted behind it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from ledger.actions.accounts import AccountCreated, Algorithm, Evidence, Grade, Key, KeyEnrolled
from ledger.actions.ledger_policy import Continues, LedgerOpened, RootKey
from ledger.actions.study import StudyRegistered
from ledger.authority import SERVICE, EnrolledKey
from ledger.committer import Ledger
from ledger.keys import SigningKey
from ledger.lines import encode_base64
from ledger.merkle import leaf_hash
from ledger.note import format_vkey
from ledger.prepare import Signer
from ledger.recorded import Recorded
from ledger.study.definition import StudyDefinition


@dataclass(frozen=True, slots=True, kw_only=True)
class Operator:
    """Who runs the service, as its account prints it."""

    name: str
    organisation: str


def key_object(key: SigningKey, person: str, grade: Grade) -> Key:
    """Describe a key as record-format.md §11 has it."""
    return Key(
        alg=cast(Algorithm, key.alg), grade=grade, id=key.id, person=person, spki=encode_base64(key.spki)
    )


def key_of(enrolled: EnrolledKey) -> Key:
    """Describe a key that a log knows as record-format.md §11 has it, to be enrolled in another log."""
    public = enrolled.public
    return Key(
        alg=cast(Algorithm, public.alg),
        grade=cast(Grade, enrolled.grade),
        id=public.id,
        person=enrolled.person,
        spki=encode_base64(public.spki),
        origins=public.origins or None,
        rp_id=public.rp_id,
    )


def evidence_of(text: str) -> Evidence:
    """Name a signed form by the hash of its bytes; the form itself lies in the site's own file."""
    return Evidence(kind="signed-form", sha256=hashlib.sha256(text.encode()).hexdigest())


def open_log(
    ledger: Ledger,
    roots: Sequence[Signer],
    *,
    threshold: int,
    service_key: SigningKey,
    operator: Operator,
    definition: StudyDefinition,
) -> str:
    """Record indexes 0 to 3; return the ledger id, 64 hex digits."""
    first = roots[0]
    root_keys = tuple(
        RootKey(
            key=key_object(root.key, root.person, "client"),
            name=root.name,
            organisation=root.organisation,
        )
        for root in roots
    )
    recorded = _begin(
        ledger,
        roots,
        root_keys=root_keys,
        threshold=threshold,
        study=definition.study,
        service_key=service_key,
        operator=operator,
    )
    registered = StudyRegistered(
        registry_id=definition.registry_id,
        title=definition.title,
        phase=definition.phase,
        sponsor=definition.sponsor,
        planned_enrolment=definition.planned_enrolment,
    )
    first.record(ledger, registered, stream="study", role="root", meaning="approval")
    return leaf_hash(recorded.leaf).hex()


def open_epoch(
    ledger: Ledger,
    roots: Sequence[Signer],
    continues: Continues,
    *,
    root_keys: tuple[RootKey, ...],
    threshold: int,
    study: str,
    service_key: SigningKey,
    operator: Operator,
) -> str:
    """Record indexes 0 to 2 of a log that continues another; return the ledger id, 64 hex digits.

    `roots` are root persons of the old log, as many as its threshold asks for; `root_keys` are all of them.
    """
    recorded = _begin(
        ledger,
        roots,
        root_keys=root_keys,
        threshold=threshold,
        study=study,
        service_key=service_key,
        operator=operator,
        continues=continues,
    )
    return leaf_hash(recorded.leaf).hex()


def _begin(
    ledger: Ledger,
    roots: Sequence[Signer],
    *,
    root_keys: tuple[RootKey, ...],
    threshold: int,
    study: str,
    service_key: SigningKey,
    operator: Operator,
    continues: Continues | None = None,
) -> Recorded:
    """Record indexes 0 to 2; return what was recorded at 0."""
    first, *others = roots
    opened = LedgerOpened(
        format=1,
        log_keys=tuple(format_vkey(key) for key in ledger.signers.verifier_keys),
        origin=ledger.origin,
        root_keys=root_keys,
        study=study,
        threshold=threshold,
        continues=continues,
    )
    further = [other.key for other in others][: threshold - 1]
    recorded = first.record(ledger, opened, stream="study", role="root", meaning="approval", further=further)
    account = AccountCreated(name=operator.name, organisation=operator.organisation, person=SERVICE)
    first.record(ledger, account, stream="person/service", role="root", meaning="approval")
    enrolled = KeyEnrolled(
        evidence=evidence_of(f"{ledger.origin} service key"),
        key=key_object(service_key, SERVICE, "service"),
    )
    first.record(
        ledger,
        enrolled,
        stream="person/service",
        role="root",
        meaning="approval",
        further=[service_key],
    )
    return recorded
