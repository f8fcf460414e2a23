"""A client of the HTTP interface as a person's machine would be: prepare, check, sign, hand in, check."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from starlette.testclient import TestClient

from api.app import create_app
from api.study import OpenStudy
from ledger.directory import CONFIG, KEYS, UNBLINDINGS, Config, Token, write_config
from ledger.envelope import PAYLOAD_TYPE, pae
from ledger.keyfile import KeyMaterial, write_key
from ledger.keys import SigningKey
from ledger.store.unblindings import UnblindingQueue
from tests.ledger.small_ledger import SmallLedger, make, seed

STUDY: Final = "small"
BASE: Final = f"/v1/studies/{STUDY}"
PARTICIPANT: Final = "SA-01-001"
STREAM: Final = f"participant/{PARTICIPANT}"
VITALS: Final = {
    "measurements": [{"name": "heart_rate", "quantity": {"value": "64", "unit": "/min"}}],
    "source": {"kind": "esource"},
}


def token(name: str, role: str, person: str = "nobody", sites: Sequence[str] = ("*",)) -> Token:
    """Make a reading token whose bearer text is its name."""
    digest = hashlib.sha256(name.encode()).hexdigest()
    return Token(sha256=digest, role=role, person=person, sites=tuple(sites))


TOKENS: Final = (
    token("auditor", "auditor"),
    token("inspector", "inspector"),
    token("coordinator", "coordinator", "bchan", ["SA-01"]),
    token("elsewhere", "coordinator", "other", ["SD-02"]),
    token("rater", "blinded_rater", "rater", ["SA-01"]),
    token("monitor", "unblinded_monitor"),
    token("participant", "participant", PARTICIPANT, ["SA-01"]),
    token("device", "device"),
    token("list-holder", "list_holder"),
    token("service", "service"),
)


def bearer(name: str) -> dict[str, str]:
    """Return the header that a reader sends."""
    return {"Authorization": f"Bearer {name}"}


def code_of(answer: Any) -> str:
    """Return the code of a problem, or of the page that one is at `.html`."""
    if answer.headers["content-type"].startswith("text/html"):
        found = re.search(r"<dt>code</dt><dd>([A-Z_]+)</dd>", answer.text)
        assert found is not None, answer.text
        return found[1]
    return str(answer.json()["code"])


def config(made: SmallLedger, *, study: str = STUDY, demonstration: bool = False) -> Config:
    """Return what the ledger's directory would say."""
    return Config(origin=made.ledger.origin, study=study, demonstration=demonstration, tokens=TOKENS)


def open_study(made: SmallLedger, **members: Any) -> OpenStudy:
    """Return an open study around a small ledger."""
    return OpenStudy(config=config(made, **members), ledger=made.ledger)


def write_directory(directory: Path, **members: Any) -> SmallLedger:
    """Make a small ledger with its directory complete, so that the command can open it."""
    made = make(directory)
    complete_directory(made, directory, **members)
    return made


def complete_directory(made: SmallLedger, directory: Path, **members: Any) -> None:
    """Write what a directory has beside the stores."""
    made.publish()
    (directory / KEYS).mkdir(mode=0o700)
    for name, alg, label in (
        ("log.json", "ed25519", "log"),
        ("log-pq.json", "ml-dsa-44", "log pq"),
        ("service.json", "ed25519", "service"),
        ("kek.json", "kek", "kek"),
    ):
        write_key(directory / KEYS / name, KeyMaterial(alg=alg, secret=seed(label)), None)
    UnblindingQueue.create(directory / UNBLINDINGS).close()
    assert not (directory / CONFIG).exists()
    write_config(directory, config(made, **members))


@dataclass(slots=True)
class Site:
    """The site's coordinator at their machine."""

    http: TestClient
    made: SmallLedger

    def get(self, path: str, who: str = "coordinator", **headers: str) -> Any:
        """Ask for an address of the study."""
        return self.http.get(BASE + path, headers={**bearer(who), **headers})

    def action(self, type_: str, stream: str, data: Mapping[str, Any], **members: Any) -> dict[str, Any]:
        """Return what is asked to be prepared: everything but what the log knows."""
        self.made.sources.advance(1_000_000)
        value = {"type": type_, "stream": stream, "role": "coordinator", "data": dict(data), **members}
        if stream.startswith("participant/"):
            value |= {"site": "SA-01", "protocol": "1.0"}
        return self.made.people["bchan"].complete(self.made.ledger, value)

    def prepare(self, type_: str, stream: str, data: Mapping[str, Any], **members: Any) -> dict[str, Any]:
        """Have a statement prepared."""
        opened = members.pop("open", {})
        body = {"action": self.action(type_, stream, data, **members), "open": opened}
        answer = self.http.post(f"{BASE}/statements:prepare", json=body, headers=bearer("coordinator"))
        assert answer.status_code == 200, answer.text
        prepared: dict[str, Any] = answer.json()
        return prepared

    def sign(self, prepared: Mapping[str, Any], key: SigningKey | None = None) -> dict[str, Any]:
        """Sign a prepared statement, and return what is handed in."""
        key = key or self.made.people["bchan"].key
        body = base64.b64decode(prepared["statement"])
        return {
            "payload": prepared["statement"],
            "payloadType": PAYLOAD_TYPE,
            "signatures": [{"keyid": key.id, "sig": base64.b64encode(key.sign(pae(body))).decode()}],
            "disclosures": prepared["disclosures"],
        }

    def hand_in(self, submission: Mapping[str, Any]) -> Any:
        """Hand a signed statement in."""
        return self.http.post(f"{BASE}/statements", json=dict(submission))

    def vitals(self, **members: Any) -> dict[str, Any]:
        """Return a signed measurement, ready to be handed in."""
        return self.sign(self.prepare("vital_signs.recorded", STREAM, VITALS, **members))


def app_of(made: SmallLedger, **members: Any) -> TestClient:
    """Return a client of an application that serves a small ledger."""
    return TestClient(create_app([open_study(made, **members)]))
