"""Two epochs in directories of their own: a small log that is frozen, and the one that goes on from it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ledger.committer import Ledger
from ledger.directory import Config, NewKeys, Predecessor, create, open_ledger
from ledger.epochs import Handover, freeze, hand_over
from ledger.exports import export_ledger
from ledger.genesis import Operator, key_object, open_epoch
from ledger.keyfile import KeyMaterial
from ledger.policy import TrustPolicy
from ledger.sources import SeededSources
from ledger.trust import ledger_id
from ledger.verify.options import Scope
from tests.ledger.small_ledger import ORIGIN, PEOPLE, SmallLedger, make, seed
from tests.ledger.write_path import HOUR

STUDY = "nct06414356"
OPERATOR = Operator(name="Ledger service", organisation="Operator")


def new_keys(label: str) -> NewKeys:
    """Return the keys of a log, which follow from a label."""

    def key(alg: str, name: str) -> KeyMaterial:
        return KeyMaterial(alg=alg, secret=seed(f"{label} {name}".strip()))

    return NewKeys(
        log=key("ed25519", "log"),
        log_pq=key("ml-dsa-44", "log pq"),
        service=key("ed25519", "service"),
        kek=key("kek", "kek"),
    )


def config(origin: str, continues: Predecessor | None = None) -> Config:
    """Return the settings of a log."""
    return Config(origin=origin, study=STUDY, demonstration=True, tokens=(), continues=continues)


def make_old(directory: Path, participants: int = 2) -> SmallLedger:
    """Make the old epoch in a directory: people, site, two participants."""
    sources = SeededSources("small ledger sources", 0)
    ledger = create(directory, config(ORIGIN), new_keys(""), None, sources)
    ledger.close()
    for name in ("ledger.db", "checkpoints.db", "datakeys.db"):
        (directory / name).unlink()
    made = make(directory, participants=participants)
    made.sources.advance(2 * HOUR)
    made.ledger.close()
    made.ledger = open_ledger(directory, None, made.sources)
    return made


@dataclass(slots=True, kw_only=True)
class Epochs:
    """An old epoch, frozen, and the one that goes on from it."""

    old: SmallLedger
    new: SmallLedger
    handover: Handover
    place: Path

    @property
    def policy(self) -> TrustPolicy:
        """What an auditor of the new epoch brings: its ledger id, and the log keys of both."""
        keys = (*self.new.ledger.signers.verifier_keys, *self.old.ledger.signers.verifier_keys)
        return TrustPolicy(ledger_id=self.new.ledger_id, log_keys=keys, witnesses=(), groups=(), quorum=None)

    def export(self, name: str) -> tuple[Path, Path]:
        """Export both epochs; return the new one's bundle and the old one's."""
        places = self.place / f"{name} new", self.place / f"{name} old"
        for made, place in zip((self.new, self.old), places, strict=True):
            export_ledger(made.ledger, place, scope=Scope(kind="study"), role="auditor")
        return places

    def close(self) -> None:
        """Close both."""
        self.new.ledger.close()
        self.old.ledger.close()


def go_on(old: SmallLedger, place: Path, name: str = "e2", **changes: Any) -> Epochs:
    """Freeze the old epoch unless it is, and open the next one, with the people enrolled again."""
    directory = place / "old"
    if not old.ledger.startup.frozen:
        freeze(directory, old.ledger, "theft of a log key")
    handover = hand_over(old.ledger, "theft of a log key")
    root = old.people["root"]
    sources = SeededSources(f"epoch {name}", old.sources.now_us())
    before = Predecessor(directory=directory, size=handover.continues.size)
    keys = changes.pop("keys", None) or new_keys(name)
    ledger = create(place / name, config(handover.origin, before), keys, None, sources)
    open_epoch(
        ledger,
        handover.signers([root.key]),
        handover.continues,
        root_keys=handover.roots,
        threshold=handover.threshold,
        study=handover.study,
        service_key=keys.service.signing_key(),
        operator=OPERATOR,
    )
    new = SmallLedger(
        ledger=ledger, sources=sources, ledger_id=ledger_id(ledger), people=dict(old.people), at={}
    )
    for person, printed, organisation, role, sites in PEOPLE:
        enrol(new, person, printed, organisation, role, sites)
    return Epochs(old=old, new=new, handover=handover, place=place)


def enrol(made: SmallLedger, person: str, name: str, organisation: str, role: str, sites: list[str]) -> None:
    """Sign account, identity, key and role of a person, who then acknowledges the policy."""
    stream, key = f"person/{person}", made.people[person].key
    described = key_object(key, person, "client")
    public = {"alg": described.alg, "grade": "client", "id": described.id, "person": person}
    evidence = {"kind": "signed-form", "sha256": seed(f"second form {person}").hex()}
    root = ("root", "root")
    account = {"name": name, "organisation": organisation, "person": person}
    made.say("account", *root, "approval", "account.created", stream, account)
    identity = {"by": "root1", "document": "passport", "method": "in person", "person": person}
    made.say("identity", *root, "verification", "identity.verified", stream, identity)
    enrolled = {"evidence": evidence, "key": {**public, "spki": described.spki}}
    made.say("key", *root, "approval", "key.enrolled", stream, enrolled, further=[key])
    granted = {"blinded": True, "person": person, "role": role, "sites": sites}
    made.say("role", *root, "approval", "role.granted", stream, granted)
    letter = {"letter": "LNR-2024-01", "person": person, "version": "2"}
    acknowledged = "esignature_policy.acknowledged"
    made.say("policy", person, role, "responsibility", acknowledged, stream, letter)
    training = {"date": "2024-06-01", "person": person, "protocol": "1.0", "topic": "protocol"}
    made.say("training", *root, "verification", "training.recorded", stream, training)


def reopened(directory: Path, made: SmallLedger) -> Ledger:
    """Open a ledger's directory again."""
    return open_ledger(directory, None, made.sources)
