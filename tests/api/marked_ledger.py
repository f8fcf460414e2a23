"""A small ledger with a mark in each kind of matter that somebody may not see; a token for every role."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from fastapi import FastAPI
from starlette.testclient import TestClient

from api.app import create_app
from api.study import OpenStudy
from ledger.directory import Token
from ledger.identity.database import AccountsDatabase
from ledger.lines import encode_base64
from ledger.roles import ROLES, SIGHTS
from ledger.signing.settings import SigningSettings
from ledger.verify.options import Scope
from ledger.views import View, note_view
from tests.api.client import config, token
from tests.ledger.small_ledger import SITE, SmallLedger, make
from tests.ledger.write_path import BEDSIDE, HOUR, SOURCE, hire

ONE: Final = f"{SITE}-001"
ELSEWHERE: Final = "SD-02"
MACHINES: Final = frozenset({"root", "service", "device", "participant"})  # nobody is hired in these roles
MARKS: Final[Mapping[str, str]] = {
    "pharmacy": "KIT-8Q4MARKPHARMACY",
    "safety": "MARKSAFETY1V7MINUTES",
    "access": "markaccess5k2purpose",
    "treatment": "MARKTREATMENT6W2GUESS",
    "identity": "MARKIDENTITY3Z9NAME",
    "freetext": "MARKFREETEXT2J8REASON",
}


def person_of(role: str) -> str:
    """Return the id of who holds a role."""
    return ONE if role == "participant" else f"x-{role.replace('_', '-')}"


def tokens() -> Iterator[Token]:
    """Yield for each role a token of all sites and one of an empty site; and one of a disabled person."""
    for role in sorted(ROLES):
        yield token(role, role, person_of(role))
        yield token(f"{role} elsewhere", role, person_of(role), [ELSEWHERE])
    yield token("disabled", "data_manager", "x-disabled")


def sees(role: str) -> frozenset[str]:
    """Return the marks that a role sees at all sites, by the catalogue's table."""
    sight = SIGHTS[role]
    found = {
        "pharmacy": sight.pharmacy,
        "safety": sight.safety,
        "access": sight.access == "all",
        "treatment": sight.treatment == "all",
        "identity": sight.identity,
        "freetext": sight.freetext,
    }
    return frozenset(name for name, is_seen in found.items() if is_seen)


def marks_in(body: bytes) -> frozenset[str]:
    """Return the marks that stand in a body, in plain or base64."""
    return frozenset(name for name, forms in _FORMS.items() if any(form in body for form in forms))


def _forms(mark: str) -> tuple[bytes, ...]:
    """Return a mark in plain and as base64 has it at each of three offsets, the ends cut off."""
    data = mark.encode()
    coded = (base64.b64encode(b"\0" * n + data)[4:-4] for n in range(3))
    return (data, *coded)


_FORMS: Final = {name: _forms(mark) for name, mark in MARKS.items()}


def marked(directory: Path) -> SmallLedger:
    """Make the ledger: one participant, everybody hired, a mark of each kind, an inspection of all that."""
    made = make(directory, participants=0)
    made.sources.advance(2 * HOUR)
    for role in sorted(ROLES - MACHINES):
        hire(made, person_of(role), role, ["*"])
    hire(made, "x-disabled", "data_manager", ["*"])
    made.say(
        "off", "root", "root", "approval", "account.disabled", "person/x-disabled", {"person": "x-disabled"}
    )
    records(made, MARKS)
    inspect(made)
    return made


def records(made: SmallLedger, marks: Mapping[str, str], name: str = ONE) -> None:
    """Register a participant and leave one mark of each kind."""
    stream = f"participant/{name}"
    made.say(
        "registered", *BEDSIDE, "participant.registered", stream, {"participant": name},
        opened={"/data/identity": marks["identity"]},
    )  # fmt: skip
    vitals = {
        "measurements": [{"name": "heart_rate", "quantity": {"value": "72", "unit": "/min"}}],
        "source": SOURCE,
    }
    taken = made.say("vitals", *BEDSIDE, "vital_signs.recorded", stream, vitals)
    corrected = {
        "statement": taken.event, "path": "/data/measurements/0/quantity/value", "old": "72", "new": "73",
    }  # fmt: skip
    made.say(
        "corrected", *BEDSIDE, "correction.made", stream, corrected,
        opened={"/reason/text": marks["freetext"]}, reason={"code": "transcription"},
    )  # fmt: skip
    guess = {"who": "participant", "visit": "w2d12", "source": SOURCE}
    made.say(
        "guess", *BEDSIDE, "blind_guess.recorded", stream, guess,
        opened={"/data/guess": marks["treatment"], "/data/certainty": 3},
    )  # fmt: skip
    kit = {
        "kit": marks["pharmacy"], "product": "ketamine", "lot": "L-1", "expiry": "2026-06",
        "quantity": {"value": "500", "unit": "mg"}, "condition": "good", "source": SOURCE,
    }  # fmt: skip
    pharmacist = (person_of("unblinded_pharmacist"), "unblinded_pharmacist", "authorship")
    made.say("kit", *pharmacist, "kit.registered", f"pharmacy/{SITE}", kit, site=SITE)
    committee = (person_of("safety_committee"), "safety_committee", "authorship")
    decided = {"meeting": "2024-06-04", "data_cut": 3, "source": SOURCE}
    made.say(
        "decided", *committee, "safety_committee.decided", "safety", decided,
        opened={"/data/recommendation": "continue", "/data/minutes": marks["safety"]},
    )  # fmt: skip
    note_view(
        made.ledger,
        View(
            who=person_of("unblinded_statistician"),
            role="unblinded_statistician",
            scope=Scope(kind="study"),
            size=made.ledger.refresh().size,
            purpose=marks["access"],
            opened=("treatment",),
        ),
    )


def inspect(made: SmallLedger, name: str = "INSP-1", *, blinded: bool = False, **members: Any) -> str:
    """Open an inspection of what is there; return its event."""
    head = made.ledger.store.head()
    opened = {
        "authority": "Agency", "blinded": blinded, "inspection": name,
        "inspectors": [person_of("inspector")], "root": encode_base64(head.root), "size": head.size,
        "sites": ["*"], **members,
    }  # fmt: skip
    admin = ("admin", "sponsor_administrator", "approval")
    return made.say("inspection", *admin, "inspection.opened", "study", opened).event


def close(made: SmallLedger, event: str) -> None:
    """Close an inspection."""
    admin = ("admin", "sponsor_administrator", "responsibility")
    closed = {"statement": event, "source": SOURCE}
    made.say("closed", *admin, "inspection.closed", "study", closed, opened={"/data/note": None})


def application(made: SmallLedger) -> FastAPI:
    """Return the application that serves it, with all tokens."""
    directory = made.ledger.checkpoints.path.parent
    database = AccountsDatabase.create(directory / "accounts.db")
    settings = replace(
        config(made),
        tokens=tuple(tokens()),
        signing=SigningSettings(rp_id="localhost", origins=("http://localhost",)),
    )
    study = OpenStudy(config=settings, ledger=made.ledger, directory=directory, accounts=database)
    return create_app([study])


def served(made: SmallLedger) -> TestClient:
    """Return a client of that application."""
    return TestClient(application(made))
