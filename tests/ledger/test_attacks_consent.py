"""Consent, screening, disposition and extension in any order: what is recorded verifies (catalogue C, I)."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.export import export_bundle
from ledger.verify.options import Scope
from tests.ledger.small_ledger import SmallLedger
from tests.ledger.test_attacks_any_order import (
    BEDSIDE,
    CONSENT,
    OUTSIDE,
    PHYSICIAN,
    SOURCE,
    STREAMS,
    Story,
    Who,
)
from tests.ledger.verifying import judge, problems
from tests.ledger.write_path import copy_of

RESPONSIBLE: Final[Who] = ("aruiz", "investigator", "responsibility")
ABOUT: Final = ("consent.", "reconsent.", "screening.", "eligibility.", "extension.consented")
Choice = tuple[Who, str, dict[str, Any], tuple[str, ...]]


class Way(Story):
    """A story of a participant's way into the study and out of it."""

    def fact(self, stream: str) -> None:
        """Record a fact of consent, screening, treatment's end, contact, or the extension."""
        named = {"statement": self.some(stream)}
        who, type_, data, sealed = self.choose.choice((*self.of_consent(named), *self.of_leaving()))
        self.tell(who, type_, stream, {**data, "source": SOURCE}, *sealed)

    def some(self, stream: str) -> str:
        """Return a statement of the stream, oftener one that others of these areas are about."""
        entries = self.small.ledger.store.stream_entries(stream)
        fitting = [entry for entry in entries if entry.type.startswith(ABOUT)]
        return self.choose.choice(fitting if fitting and self.choose.random() < 0.8 else entries).event

    def of_consent(self, named: dict[str, Any]) -> tuple[Choice, ...]:
        """Return facts of catalogue C, about some earlier statement of the stream, right or wrong."""
        now = self.small.now()
        signed = {**CONSENT, "participant_time": now, "consenter_time": now}
        decision = {"decision": {"code": "stands", "irb_reference": "IRB-1"}}
        superior = self.choose.random() < 0.5
        return (
            (BEDSIDE, "consent.discussed",
             {"form_version": "1", "minutes": 30, "superior_present": superior}, ("/data/questions",)),
            (BEDSIDE, "consent.obtained", signed, ()),
            (BEDSIDE, "reconsent.obtained", signed, ()),
            (BEDSIDE, "reconsent.obtained", {**signed, **named}, ()),
            (BEDSIDE, "consent.defect_found", {**named, "defect": "missing_page"}, ("/data/details",)),
            (BEDSIDE, "consent.defect_found", {**named, "defect": "missing_page", **decision},
             ("/data/details",)),
            (BEDSIDE, "reconsent.required", {"code": "new_risk", "due": now[:10]}, ()),
            (BEDSIDE, "reconsent.declined", {**named, "code": "own"}, ()),
            (BEDSIDE, "authorization.revoked", {"scopes": ["future_data"], "effective": now}, ()),
            (BEDSIDE, "medical_history.recorded", {"ongoing": True}, ("/data/term",)),
            (BEDSIDE, "screening.failed", {"criteria": [], "code": "other"}, ("/data/note",)),
            (RESPONSIBLE, "eligibility.revoked", {**named, "code": "other", "criteria": []},
             ("/data/note",)),
            (BEDSIDE, "pregnancy_test.performed",
             {"specimen": "urine", "result": self.choose.choice(("negative", "invalid"))}, ()),
            (BEDSIDE, "childbearing_potential.changed", {"potential": "unknown", "code": "other"}, ()),
        )  # fmt: skip

    def of_leaving(self) -> tuple[Choice, ...]:
        """Return facts of catalogue I."""
        now = self.small.now()
        end = {"date": now[:10], "last_visit": "unscheduled"}
        signed = {**CONSENT, "participant_time": now, "consenter_time": now}
        return (
            (BEDSIDE, "treatment.discontinued", {"date": now, "reason": "physician"}, ("/data/note",)),
            (BEDSIDE, "treatment.completed", {"date": now}, ()),
            (BEDSIDE, "contact.attempted", {"method": "phone"}, ()),
            (BEDSIDE, "participant.lost_to_follow_up", {**end, "attempts": []}, ()),
            (BEDSIDE, "participant.found", {"date": now, "code": "called"}, ()),
            (BEDSIDE, "participant.completed", end, ()),
            (BEDSIDE, "survival_status.recorded",
             {"status": self.choose.choice(("alive", "dead")), "as_of": now, "known_from": "clinician"}, ()),
            (BEDSIDE, "extension.consented", signed, ()),
            (BEDSIDE, "extension.exited", {"date": now, "code": "end"}, ()),
        )  # fmt: skip

    def gate(self, stream: str) -> None:
        """Ask for a rescreening or the extension on something of the stream, or for another gate."""
        event = self.some(stream)
        outside = {"performed_outside": OUTSIDE} if self.choose.random() < 0.7 else {}
        match self.choose.randrange(3):
            case 0:
                again = {"statement": event, "code": "other", **outside}
                self.tell(PHYSICIAN, "rescreening.authorised", stream, again)
            case 1:
                self.tell(PHYSICIAN, "extension.entered", stream, {"consent": event, **outside})
            case _:
                super().gate(stream)


@settings(max_examples=6)
@given(choices=st.randoms())
def test_any_way_into_the_study_and_out_of_it_verifies(
    choices: Random, template: tuple[SmallLedger, Path], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """After any sixty steps the bundle verifies: no breach is owed, and none is recorded too much."""
    directory = tmp_path_factory.mktemp("way")
    small = copy_of(*template, directory / "ledger")
    way = Way(small, choices)
    for name in STREAMS:
        way.tell(BEDSIDE, "participant.registered", name, {"participant": name[12:]}, "/data/identity")
    for _ in range(60):
        way.step()
    ledger, place = small.ledger, directory / "bundle"
    scope = Scope(kind="study")
    export_bundle(ledger.store, ledger.data_keys, small.publish(), place, scope=scope, role="auditor")
    report = judge(place, small.policy)
    assert problems(report) == set()
    assert not [each for each in report.notes if each.code == "BREACH_LATE"]
    ledger.close()
