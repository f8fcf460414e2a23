"""A study's conditions on a real ledger: written, folded again from the store, exported, verified."""

from __future__ import annotations

from pathlib import Path

import pytest

from ledger.exports import export_ledger
from ledger.verify.main import main as verify
from ledger.verify.options import Scope
from tests.ledger.small_ledger import SITE, SmallLedger
from tests.ledger.write_path import (
    SOURCE,
    check_whole,
    hire,
    refused,
    register,
    types_from,
)

AT = f"site/{SITE}"
ADMIN = ("admin", "sponsor_administrator", "approval")
PI = ("aruiz", "investigator", "approval")


def today(small: SmallLedger) -> str:
    """Return the day of the ledger's clock."""
    return small.now()[:10]


def told(small: SmallLedger) -> dict[str, str]:
    """Return what halts, resumptions and closings say."""
    return {"from": small.now(), "code": "safety_signal", "authority": "sponsor"}


def test_a_site_is_activated_again_after_a_suspension(small: SmallLedger) -> None:
    """Each activation is its own row in the store; while it is suspended a registration is refused."""
    suspended = {"from": small.now(), "code": "staff_shortage"}
    small.say("suspended", *ADMIN, "site.suspended", AT, suspended)
    before = len(types_from(small, 0))
    with refused("SITE_NOT_ACTIVE"):
        register(small)
    assert types_from(small, before) == ["command.refused"]
    for label in ("again", "once more"):
        again = {"from": small.now(), "checklist": ["all"]}
        small.say(label, *ADMIN, "site.activated", AT, again)
        small.say(f"suspended {label}", *ADMIN, "site.suspended", AT, {**suspended, "from": small.now()})
    small.say("last", *ADMIN, "site.activated", AT, {"from": small.now(), "checklist": ["all"]})
    register(small)
    check_whole(small)


def test_a_halted_study_refuses_and_goes_on_when_it_is_resumed(small: SmallLedger) -> None:
    """The refusal is recorded with its rule; after the resumption the same registration is taken."""
    small.say("halted", *ADMIN, "study.halted", "study", {**told(small), "source": SOURCE})
    with refused("STUDY_HALTED"):
        register(small)
    small.say("resumed", *ADMIN, "study.resumed", "study", told(small))
    register(small)
    check_whole(small)


@pytest.mark.parametrize("kind", ["study", "site", "participant"])
def test_a_hand_over_verifies_for_every_reader(small: SmallLedger, tmp_path: Path, kind: str) -> None:
    """Handed over, suspended and not: also where the co-signature and the voiding are not shown."""
    register(small)
    hire(small, "iris", "investigator")
    data = {"site": SITE, "person": "iris", "from": today(small), "open_items": [], "unsigned": []}
    event = small.say("handed", *ADMIN, "investigator.handed_over", AT, data).event
    cosigned = {"as": "approver", "statement": event}
    small.say("cosigned", "iris", "investigator", "approval", "record.cosigned", AT, cosigned)
    board = {"reference": "IRB-9", "from": small.now(), "code": "error", "source": SOURCE}
    event = small.say(
        "board", "iris", "investigator", "authorship", "irb_approval.suspended", AT, board
    ).event
    void = {"statement": event, "code": "error", "source": SOURCE}
    small.say(
        "void", "iris", "investigator", "authorship", "record.voided", AT, void,
        opened={"/reason/text": None}, reason={"code": "error"},
    )  # fmt: skip
    granted = {"site": SITE, "person": "bchan", "tasks": ["visit.missed"], "from": small.now()}
    small.say("granted", "iris", "investigator", "approval", "delegation.granted", AT, granted)
    register(small, "SA-01-008")
    check_whole(small)
    named = {"study": None, "site": SITE, "participant": "SA-01-008"}
    scope = Scope(kind=kind, id=named[kind])
    out, policy = tmp_path / kind, small.write_policy(tmp_path / "policy")
    export_ledger(small.ledger, out, scope=scope, role="blinded_monitor")
    asked = ["--policy", str(policy), "--role", "blinded_monitor", "--scope", str(scope)]
    assert verify([str(out), *asked]) == 0
