"""What tests of a transfer share: a second site with people of its own, and the transfer itself."""

from __future__ import annotations

from typing import Any, Final

from ledger.keys import SigningKey
from ledger.recorded import Recorded
from tests.ledger.small_ledger import SITE, SmallLedger
from tests.ledger.write_path import BEDSIDE, SOURCE, STREAM, hire, key_of, register

THERE: Final = "SD-02"


def form_of(small: SmallLedger) -> str:
    """Return the hash of the approved consent form."""
    return small.ledger.refresh().conduct.study.forms[0].sha256


def consent_there(small: SmallLedger) -> dict[str, Any]:
    """Return the consent at the new site, signed now."""
    now = small.now()
    return {
        "form_version": "1", "language": "en", "form_sha256": form_of(small), "mode": "paper_in_person",
        "participant_time": now, "consenter": "kwong", "consenter_time": now, "authorization": True,
        "copy_given": True,
    }  # fmt: skip


def open_site(small: SmallLedger) -> None:
    """Open the second site, with an investigator and a delegate of its own."""
    hire(small, "kwong", "investigator", (THERE,))
    hire(small, "lpark", "coordinator", (THERE,))
    stream, paper = f"site/{THERE}", {"kind": "paper"}
    admin = ("admin", "sponsor_administrator")
    approval = {
        "reference": "IRB-2", "from": "2024-06-01", "to": "2025-06-01", "participants": 30,
        "activities": ["all"], "source": paper,
    }  # fmt: skip
    small.say("irb there", *admin, "verification", "irb_approval.recorded", stream, approval)
    command = {"reference": "CMD-2", "from": "2024-06-01", "source": paper}
    small.say("command there", *admin, "verification", "command_approval.recorded", stream, command)
    designated = {"site": THERE, "person": "kwong", "from": "2024-06-02"}
    small.say("investigator there", *admin, "approval", "investigator.designated", stream, designated)
    for person in ("kwong", "lpark"):
        training = {"date": "2024-06-01", "person": person, "protocol": "1.0", "topic": "protocol"}
        at = f"person/{person}"
        small.say("training", "root", "root", "verification", "training.recorded", at, training)
    tasks = {"from": small.now(), "person": "lpark", "site": THERE, "tasks": ["vital_signs.recorded"]}
    granted = small.say(
        "granted there", "kwong", "investigator", "approval", "delegation.granted", stream, tasks
    )
    accepted = {"delegation": granted.event}
    small.say(
        "accepted there", "lpark", "coordinator", "responsibility", "delegation.accepted", stream, accepted
    )
    small.say(
        "initiated there", *admin, "approval", "site.initiated", stream,
        {"date": "2024-06-03", "checklist": ["all"]},
    )  # fmt: skip
    activated = {"from": "2024-06-03", "checklist": ["all"]}
    small.say("activated there", *admin, "approval", "site.activated", stream, activated)


def consented(small: SmallLedger) -> None:
    """Register a participant, who consents at the first site."""
    register(small)
    now = small.now()
    data = {
        **consent_there(small), "identity_check": "known", "participant_time_from": "form",
        "consenter": "bchan", "consenter_time_from": "form", "options": [], "duty_disclosure": True,
        "participant_time": now, "source": SOURCE,
    }  # fmt: skip
    small.say("consent", *BEDSIDE, "consent.obtained", STREAM, data)


def transfer(
    small: SmallLedger,
    *,
    by: str = "aruiz",
    left: str = SITE,
    there: str = THERE,
    further: tuple[SigningKey, ...] = (key_of("kwong"),),
) -> Recorded:
    """Transfer the participant."""
    data = {"from": left, "to": there, "code": "moved", "consent": consent_there(small)}
    return small.say(
        "transfer", by, "investigator", "approval", "participant.transferred", STREAM, data,
        further=further, site=left,
    )  # fmt: skip
