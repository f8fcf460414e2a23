"""A ledger to measure on: one active site, enrolled participants, and visits' worth of vital signs.

Statements of one participant are prepared and signed ahead, as a client does that signs a page of entries:
each names the one before it, all name the checkpoint that the client had verified. Recording them is then
all that is left, and nothing of the client is in it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from api.recorder import Recorder
from ledger.lines import encode_base64
from ledger.prepare import Signer
from ledger.service import sign_body
from ledger.statement import Statement, make_statement
from ledger.store.port import Store
from ledger.submission import Submission
from ledger.times import format_instant
from tests.ledger.small_ledger import SECOND, SITE, SmallLedger, make

NURSE: Final = "bchan"
PATIENCE_S: Final = 60.0
SOURCE: Final = {"kind": "esource"}
BEDSIDE: Final = (NURSE, "coordinator", "authorship")


def open_trial(directory: Path, participants: int, store: Store | None = None) -> SmallLedger:
    """Make a ledger with enrolled and consented participants `SA-01-001` and on."""
    trial = make(directory, participants=0, store=store)
    trial.sources.advance(7_200 * SECOND)  # past the beginning of the nurse's delegation
    for number in range(1, participants + 1):
        _enrol(trial, participant_id(number))
    return trial


def served(trial: SmallLedger) -> Recorder:
    """Return what records for a service that has been up for a while: its process beside is up, too."""
    recorder = Recorder(trial.ledger)
    if trial.ledger.checker is not None:
        trial.ledger.checker.start(PATIENCE_S)
    return recorder


def participant_id(number: int) -> str:
    """Return the id of the participant with this number, from 1."""
    return f"{SITE}-{number:03}"


def vital_signs(trial: SmallLedger, participant: str, count: int) -> list[Statement]:
    """Prepare the participant's next `count` statements of vital signs, to be signed one by one."""
    fold = trial.ledger.refresh()
    head = trial.ledger.store.head()
    stream = f"participant/{participant}"
    row = trial.ledger.stream(stream)
    last = fold.chain.head(row.tag)
    seq, prev = last.seq, last.event
    signer = trial.people[NURSE]
    statements = []
    for number in range(count):
        seq += 1
        value = {
            **signer.complete(trial.ledger, vital_signs_action(participant, number)),
            "tag": row.tag,
            "seq": seq,
            "prev": prev,
            "seen": {"root": encode_base64(head.root), "size": head.size},
        }
        statement = make_statement(value)
        statements.append(statement)
        prev = statement.event
    return statements


def vital_signs_action(participant: str, number: int) -> dict[str, Any]:
    """Return the members of a statement that the client gives."""
    return {
        "type": "vital_signs.recorded",
        "stream": f"participant/{participant}",
        "role": "coordinator",
        "site": SITE,
        "protocol": "1.0",
        "data": measured(number),
    }


def sign(signer: Signer, statement: Statement) -> Submission:
    """Sign one statement, as the client does."""
    return Submission(statement=statement, sigs=sign_body(statement.body, signer.key), disclosures={})


def signed_vital_signs(trial: SmallLedger, participant: str, count: int) -> list[Submission]:
    """Prepare and sign the participant's next `count` statements of vital signs."""
    signer = trial.people[NURSE]
    return [sign(signer, statement) for statement in vital_signs(trial, participant, count)]


def record(trial: SmallLedger, submissions: Sequence[Submission]) -> None:
    """Record prepared submissions one by one, each durable before the next."""
    for submission in submissions:
        recorded = trial.ledger.record(submission)
        if recorded.breaches:
            raise RuntimeError(f"expected statements without a breach, got {recorded.breaches}")


def same_facts(number: int) -> dict[str, Any]:
    """Return what such a statement says, without what proves it: for a baseline that proves nothing."""
    return {
        "statement": f"018fdf4c-8a00-7000-8000-{number:012x}",
        "protocol": "1.0",
        "occurred_at": "2024-06-03T10:00:00.000000Z",
        "signed_at": "2024-06-03T10:00:00.000000Z",
        "actor": {"id": NURSE, "name": "B. Chan", "organisation": "Site SA-01", "role": "coordinator"},
        "meaning": "authorship",
        "data": measured(number),
    }


def measured(number: int) -> dict[str, Any]:
    """Return one set of vital signs as `data`."""
    values = (
        ("systolic_blood_pressure", str(110 + number % 30), "mm[Hg]"),
        ("diastolic_blood_pressure", str(65 + number % 20), "mm[Hg]"),
        ("heart_rate", str(60 + number % 40), "/min"),
        ("oxygen_saturation", f"{94 + number % 6}.5", "%"),
    )
    return {
        "measurements": [
            {"name": name, "quantity": {"value": value, "unit": unit}} for name, value, unit in values
        ],
        "position": "supine",
        "source": SOURCE,
        "time_point": "during_infusion",
    }


def _enrol(trial: SmallLedger, participant: str) -> None:
    type_, stream, data, opened = registration(participant)
    trial.say(f"registered {participant}", *BEDSIDE, type_, stream, data, opened=opened)
    trial.sources.advance(60 * SECOND)
    type_, stream, data = consent(trial, participant)
    recorded = trial.say(f"consent {participant}", *BEDSIDE, type_, stream, data)
    if recorded.breaches:
        raise RuntimeError(f"expected a consent without a breach, got {recorded.breaches}")
    trial.sources.advance(60 * SECOND)


def registration(participant: str) -> tuple[str, str, dict[str, Any], dict[str, Any]]:
    """Return type, stream and data of a registration, and what of it is sealed."""
    identity = {"/data/identity": f"the person behind {participant}"}
    return "participant.registered", f"participant/{participant}", {"participant": participant}, identity


def consent(trial: SmallLedger, participant: str) -> tuple[str, str, dict[str, Any]]:
    """Return type, stream and data of a consent that is given now."""
    consented = format_instant(trial.sources.now_us())
    data = {
        "form_version": "1",
        "language": "en",
        "form_sha256": trial.ledger.refresh().conduct.study.forms[0].sha256,
        "mode": "electronic_on_site",
        "identity_check": "photo_id",
        "participant_time": consented,
        "participant_time_from": "system",
        "consenter": NURSE,
        "consenter_time": consented,
        "consenter_time_from": "system",
        "options": [],
        "authorization": True,
        "duty_disclosure": True,
        "copy_given": True,
        "source": SOURCE,
    }
    return "consent.obtained", f"participant/{participant}", data
