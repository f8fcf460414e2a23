"""Rules over sealed values the whole way: written, opened again from the store, exported, verified."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ledger.committer import Ledger
from ledger.export import export_bundle
from ledger.recorded import Recorded
from ledger.rules import sealed
from ledger.verify.options import Scope
from ledger.verify.report import Report
from tests.given_pharmacy import NOTHING, contents, kit, lines, shipment
from tests.ledger.small_ledger import SITE, SmallLedger
from tests.ledger.verifying import found, judge, problems
from tests.ledger.write_path import BEDSIDE, PARTICIPANT, SOURCE, STREAM, hire, open_stores, register

AT = f"pharmacy/{SITE}"
PHARMACIST = ("keeper", "unblinded_pharmacist", "authorship")


def say(small: SmallLedger, type_: str, data: dict[str, Any], opened: Any = None) -> Recorded:
    """Record a statement of the pharmacy."""
    return small.say(type_, *PHARMACIST, type_, AT, {**data, "source": SOURCE}, opened=opened, site=SITE)


@pytest.fixture
def stocked(small: SmallLedger) -> SmallLedger:
    """A participant, a pharmacist, and a thousand milligrams in one kit."""
    register(small)
    hire(small, "keeper", "unblinded_pharmacist")
    say(small, "shipment.received", shipment())
    say(small, "kit.registered", kit())
    return small


def prepare(small: SmallLedger, quantity: str, label: str = "L1") -> Recorded:
    """Prepare a dose of so much."""
    bag = {"volume": {"value": "250", "unit": "mL"}, "beyond_use": "2024-06-04"}
    data = {"label": label, "participant": PARTICIPANT, "infusion": 1, **bag}
    return say(small, "dose.prepared", data, contents(lines(quantity)))


def verified(small: SmallLedger, place: Path, role: str) -> Report:
    """Export the study for a role and verify the bundle."""
    ledger, note = small.ledger, small.publish()
    export_bundle(ledger.store, ledger.data_keys, note, place / role, scope=Scope(kind="study"), role=role)
    return judge(place / role, small.policy, role=role)


def sealed_breaches(ledger: Ledger) -> list[int]:
    """Return the indexes of statements that break the sealed rule, as the ledger's fold knows them."""
    return [b.index for b in ledger.refresh().conduct.breaches() if b.rule == sealed.RULE]


def test_a_sealed_breach_is_recorded_in_the_same_commit(stocked: SmallLedger) -> None:
    """The service judges the opened values that are handed in: more was taken than there was."""
    assert sealed.RULE not in prepare(stocked, "600").breaches
    assert sealed.RULE in prepare(stocked, "600", "L2").breaches


def test_what_is_stored_opens_again(stocked: SmallLedger, tmp_path: Path) -> None:
    """Another process judges the second dose by what the first one took, which it opens from the store."""
    prepare(stocked, "600")
    directory = tmp_path / "small"
    other = open_stores(directory, stocked.sources)
    reopened = SmallLedger(
        ledger=other, sources=stocked.sources, ledger_id=stocked.ledger_id, people=stocked.people, at={}
    )
    assert sealed.RULE in prepare(reopened, "600", "L2").breaches
    other.close()


def test_who_sees_it_judges_it_and_who_does_not_is_told(stocked: SmallLedger, tmp_path: Path) -> None:
    """The pharmacist's bundle opens the lines and agrees; the auditor's does not show the pharmacy."""
    prepare(stocked, "600")
    prepare(stocked, "600", "L2")
    say(stocked, "dose.wasted", {"label": "L1", "participant": PARTICIPANT, "infusion": 1, "code": "none"},
        contents(NOTHING))  # fmt: skip
    unblinded = verified(stocked, tmp_path, "unblinded_pharmacist")
    assert problems(unblinded) == set()
    assert [n for n in unblinded.findings if sealed.RULE in n.detail and n.code == "RECORDED_BREACH"]
    blinded = verified(stocked, tmp_path, "auditor")
    assert problems(blinded) == set()
    assert not [n for n in blinded.findings if sealed.RULE in n.detail]
    assert found(blinded, "NOT_JUDGED")


def test_a_server_that_keeps_silent_is_found(
    stocked: SmallLedger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A dose out of a stock that was not there, and no breach: whoever opens it finds it unrecorded."""
    with monkeypatch.context() as silent:
        silent.setattr(sealed, "ASKED", frozenset())
        at = prepare(stocked, "1001").index
    unblinded = verified(stocked, tmp_path, "inspector")
    assert at in found(unblinded, "UNRECORDED_BREACH")
    assert at not in found(verified(stocked, tmp_path, "auditor"), "UNRECORDED_BREACH")


def test_an_erased_dose_is_not_judged(stocked: SmallLedger, tmp_path: Path) -> None:
    """With the data key gone the fold goes on from the log, and the breach that is recorded is believed."""
    at = prepare(stocked, "1001").index
    assert sealed_breaches(stocked.ledger) == [at]
    assert stocked.ledger.data_keys.destroy(AT, "treatment")
    other = open_stores(tmp_path / "small", stocked.sources)
    assert sealed_breaches(other) == [at]
    assert other.refresh().conduct.closed == 1
    other.close()


def test_what_is_stored_of_a_dose_has_one_size(stocked: SmallLedger) -> None:
    """Whoever sees the database without its keys does not learn from a length what a dose holds."""
    events = [prepare(stocked, "40.75").event, prepare(stocked, "0", "L2").event]
    sizes = {len(each.ciphertext) for event in events for each in stocked.ledger.store.disclosures(event)}
    assert len(sizes) == 1


def test_who_is_not_shown_the_pharmacy_accepts_what_rests_on_it(stocked: SmallLedger, tmp_path: Path) -> None:
    """A bag goes to the wrong infusion: recorded, and neither bundle finds the breach late or unfounded."""
    prepare(stocked, "40")
    bag = {"volume": {"value": "250", "unit": "mL"}, "rate": {"value": "375", "unit": "mL/h"}}
    data = {"infusion": 2, "label": "L1", **bag, "beyond_use": "2024-06-04", "source": SOURCE}
    received = stocked.say("received", *BEDSIDE, "dose.received", STREAM, data)
    assert "LABEL_OF_ANOTHER" in received.breaches
    for role in ("unblinded_pharmacist", "auditor"):
        report = verified(stocked, tmp_path, role)
        assert problems(report) == set()
        assert not found(report, "BREACH_LATE")
