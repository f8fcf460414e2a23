"""A small real ledger through the one write path: people, one site, two participants, a breach, a refusal.

Keys, salts and times follow from one label, so that two of them are equal byte for byte.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import orjson

from ledger import canonical
from ledger.attachments import name_attachment
from ledger.committer import Ledger
from ledger.datakeys import DataKeys
from ledger.errors import RefusedError
from ledger.genesis import Operator, key_object, open_log
from ledger.keys import Ed25519SigningKey, SigningKey
from ledger.note import CosignatureSigner, NoteSigner
from ledger.policy import TrustPolicy, format_policy
from ledger.prepare import Signer
from ledger.recorded import Recorded
from ledger.service import LogSigners, Service
from ledger.sources import SeededSources
from ledger.store.checkpoints import CheckpointFile
from ledger.store.port import Store
from ledger.store.sqlite import SqliteStore
from ledger.store.startup import check
from ledger.study.definition import load
from ledger.times import format_instant, parse_instant

ORIGIN: Final = "ledger.example/small"
SITE: Final = "SA-01"
START: Final = parse_instant("2024-06-03T08:00:00.000000Z")
SECOND: Final = 1_000_000
DEFINITION: Final = (
    Path(__file__).resolve().parents[2] / "ledger" / "study" / "definitions" / "nct06414356.json"
)


def seed(label: str) -> bytes:
    """Return 32 public bytes for a label."""
    return hashlib.sha256(f"small ledger {label}".encode()).digest()


@dataclass(slots=True, kw_only=True)
class SmallLedger:
    """The open ledger, its id, its people by name, and the indexes of what it holds by label."""

    ledger: Ledger
    sources: SeededSources
    ledger_id: str
    people: dict[str, Signer]
    at: dict[str, int]

    @property
    def policy(self) -> TrustPolicy:
        """The trust policy that an auditor would bring."""
        keys = self.ledger.signers.verifier_keys
        return TrustPolicy(ledger_id=self.ledger_id, log_keys=keys, witnesses=(), groups=(), quorum=None)

    def write_policy(self, path: Path) -> Path:
        """Write the policy file and return its path."""
        path.write_bytes(format_policy(self.policy))
        return path

    def publish(self) -> bytes:
        """Publish and return the newest checkpoint."""
        note = self.ledger.publish()
        assert note is not None
        return note

    def say(
        self,
        label: str,
        who: str,
        role: str,
        meaning: str,
        type_: str,
        stream: str,
        data: dict[str, Any],
        *,
        opened: dict[str, Any] | None = None,
        further: Sequence[SigningKey] = (),
        **members: Any,
    ) -> Recorded:
        """Record one action a second after the one before, and remember its index under the label."""
        self.sources.advance(SECOND)
        value = {"type": type_, "stream": stream, "role": role, "meaning": meaning, "data": data, **members}
        if stream.startswith("participant/"):
            value.setdefault("site", SITE)
            value.setdefault("protocol", "1.0")
        submission = self.people[who].submission(self.ledger, value, opened or {}, further)
        recorded = self.ledger.record(submission)
        self.at[label] = recorded.index
        return recorded

    def now(self) -> str:
        """Return the present time as a statement writes it."""
        return format_instant(self.sources.now_us())


OPENED: Final[list[Ledger]] = []
"""Every ledger made here, so that none is collected while it is open; closed at the end of the run."""


def make(directory: Path, *, participants: int = 2, store: Store | None = None) -> SmallLedger:
    """Make the ledger in a directory: genesis, people, site, participants; over an empty store elsewhere."""
    made = _genesis(directory, store)
    OPENED.append(made.ledger)
    _people(made)
    _study(made)
    for number in range(1, participants + 1):
        _participant(made, f"{SITE}-{number:03}")
    _refused(made)
    return made


def _genesis(directory: Path, elsewhere: Store | None) -> SmallLedger:
    sources = SeededSources("small ledger sources", START)
    signers = LogSigners(
        head=NoteSigner(ORIGIN, seed("log")), published=(CosignatureSigner(ORIGIN, seed("log pq")),)
    )
    directory.mkdir(parents=True, exist_ok=True)
    store = elsewhere or SqliteStore.create(directory / "ledger.db")
    checkpoints = CheckpointFile.create(directory / "checkpoints.db")
    service_key = Ed25519SigningKey.from_seed(seed("service"))
    ledger = Ledger(
        origin=ORIGIN,
        store=store,
        checkpoints=checkpoints,
        signers=signers,
        service=Service(service_key, seed("secret")),
        data_keys=DataKeys.create(directory / "datakeys.db", seed("kek"), sources.random_bytes),
        sources=sources,
        startup=check(store, checkpoints, signers.verifier_keys),
    )
    root = Signer(Ed25519SigningKey.from_seed(seed("root")), "root1", "Root Holder", "Sponsor")
    ledger_id = open_log(
        ledger,
        [root],
        threshold=1,
        service_key=service_key,
        operator=Operator(name="Ledger service", organisation="Operator"),
        definition=load(DEFINITION.read_bytes()),
    )
    return SmallLedger(ledger=ledger, sources=sources, ledger_id=ledger_id, people={"root": root}, at={})


PEOPLE: Final = (
    ("admin", "Sponsor Administrator", "Sponsor", "sponsor_administrator", ["*"]),
    ("aruiz", "Dr. Ana Ruíz", "Site SA-01", "investigator", [SITE]),
    ("bchan", "B. Chan", "Site SA-01", "coordinator", [SITE]),
)


def _people(made: SmallLedger) -> None:
    for person, name, organisation, role, sites in PEOPLE:
        stream = f"person/{person}"
        key = Ed25519SigningKey.from_seed(seed(person))
        account = {"name": name, "organisation": organisation, "person": person}
        made.say(f"account {person}", "root", "root", "approval", "account.created", stream, account)
        identity = {"by": "root1", "document": "passport", "method": "in person", "person": person}
        made.say(f"identity {person}", "root", "root", "verification", "identity.verified", stream, identity)
        described = key_object(key, person, "client")
        enrolled = {
            "evidence": {"kind": "signed-form", "sha256": seed(f"form {person}").hex()},
            "key": {
                "alg": described.alg,
                "grade": described.grade,
                "id": described.id,
                "person": person,
                "spki": described.spki,
            },
        }
        made.say(f"key {person}", "root", "root", "approval", "key.enrolled", stream, enrolled, further=[key])
        granted = {"blinded": True, "person": person, "role": role, "sites": sites}
        made.say(f"role {person}", "root", "root", "approval", "role.granted", stream, granted)
        made.people[person] = Signer(key, person, name, organisation)
        letter = {"letter": "LNR-2024-01", "person": person, "version": "1"}
        made.say(
            f"policy {person}",
            person,
            role,
            "responsibility",
            "esignature_policy.acknowledged",
            stream,
            letter,
        )
        training = {"date": "2024-06-01", "person": person, "protocol": "1.0", "topic": "protocol"}
        made.say(f"training {person}", "root", "root", "verification", "training.recorded", stream, training)


def _attach(made: SmallLedger, media_type: str, content: bytes) -> dict[str, Any]:
    named = name_attachment(media_type, content)
    made.ledger.store.put_attachment(named["sha256"], media_type, content)
    return named


def _study(made: SmallLedger) -> None:
    admin = ("admin", "sponsor_administrator", "approval")
    definition = canonical.encode(orjson.loads(DEFINITION.read_bytes()))
    protocol = {
        "version": load(definition).version,
        "definition": _attach(made, "application/json", definition),
        "irb_reference": "IRB-1",
        "reconsent": False,
    }
    made.say("protocol", *admin, "protocol.approved", "study", protocol)
    form = {
        "version": "1",
        "language": "en",
        "from": "2024-06-01",
        "document": _attach(made, "text/plain", b"consent form, version 1\n"),
        "sites": ["*"],
    }
    made.say("form", *admin, "consent_form.approved", "study", form)
    site = f"site/{SITE}"
    approval = {
        "reference": "IRB-1",
        "from": "2024-06-01",
        "to": "2025-06-01",
        "participants": 30,
        "activities": ["all"],
        "source": {"kind": "paper"},
    }
    made.say("irb", "admin", "sponsor_administrator", "verification", "irb_approval.recorded", site, approval)
    command = {"reference": "CMD-1", "from": "2024-06-01", "source": {"kind": "paper"}}
    made.say(
        "command",
        "admin",
        "sponsor_administrator",
        "verification",
        "command_approval.recorded",
        site,
        command,
    )
    designated = {"site": SITE, "person": "aruiz", "from": "2024-06-02"}
    made.say("investigator", *admin, "investigator.designated", site, designated)
    granted = {
        "from": "2024-06-03T10:00:00Z",
        "person": "bchan",
        "site": SITE,
        "tasks": ["consent.obtained", "vital_signs.recorded", "visit.started"],
    }
    delegation = made.say(
        "delegation", "aruiz", "investigator", "approval", "delegation.granted", site, granted
    )
    accepted = {"delegation": delegation.event}
    made.say("accepted", "bchan", "coordinator", "responsibility", "delegation.accepted", site, accepted)
    # Begins before it is recorded: accepted, and flagged in the site's own stream.
    late = {"from": "2024-06-01", "person": "bchan", "site": SITE, "tasks": ["visit.completed"]}
    made.say("backdated", "aruiz", "investigator", "approval", "delegation.granted", site, late)
    initiated = {"date": "2024-06-03", "checklist": ["all"]}
    made.say("initiated", *admin, "site.initiated", site, initiated)
    made.say("activated", *admin, "site.activated", site, {"from": "2024-06-03", "checklist": ["all"]})
    made.say("enrolment", *admin, "enrolment.opened", "study", {"cap": 30, "sites": ["*"]})


def _participant(made: SmallLedger, participant: str) -> None:
    stream = f"participant/{participant}"
    source = {"kind": "esource"}
    bedside = ("bchan", "coordinator", "authorship")
    made.say(
        f"registered {participant}",
        *bedside,
        "participant.registered",
        stream,
        {"participant": participant},
        opened={"/data/identity": f"the person behind {participant}"},
    )
    vitals = {
        "measurements": [{"name": "heart_rate", "quantity": {"value": "72", "unit": "/min"}}],
        "source": source,
    }
    # Before consent: a fact is accepted, and its breach is recorded in the same commit.
    made.say(f"vitals {participant}", *bedside, "vital_signs.recorded", stream, vitals)
    made.sources.advance(3_600 * SECOND)
    made.say(
        f"demographics {participant}",
        *bedside,
        "demographics.recorded",
        stream,
        {"source": source},
        opened={"/data/age_years": 44, "/data/sex": "female", "/data/service_status": "veteran"},
    )
    corrected = {
        "statement": made.ledger.store.entry(made.at[f"vitals {participant}"]).event,  # type: ignore[union-attr]
        "path": "/data/measurements/0/quantity/value",
        "old": "72",
        "new": "73",
    }
    made.say(
        f"correction {participant}",
        *bedside,
        "correction.made",
        stream,
        corrected,
        opened={"/reason/text": "misread"},
        reason={"code": "transcription"},
    )


def _refused(made: SmallLedger) -> None:
    """Leave a `command.refused` in an access stream: the role may not sign this type."""
    with contextlib.suppress(RefusedError):
        data = {"cap": 99, "sites": ["*"]}
        made.say("refused", "bchan", "coordinator", "approval", "enrolment.opened", "study", data)
