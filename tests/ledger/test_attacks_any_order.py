"""Whatever people record and in whatever order, the write path takes in nothing that the verifier flags."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.errors import LedgerError
from ledger.export import export_bundle
from ledger.fold import load_entry
from ledger.rules.eligibility import criteria_digest
from ledger.rules.signing import signed_digest
from ledger.times import format_instant
from ledger.verify.options import Scope
from tests.ledger.small_ledger import SITE, SmallLedger
from tests.ledger.verifying import judge, problems
from tests.ledger.write_path import BEDSIDE, SOURCE, copy_of

MINUTE: Final = 60_000_000
PHYSICIAN: Final = ("aruiz", "investigator", "approval")
MANAGER: Final = ("admin", "data_manager", "authorship")
LOCKING: Final = ("admin", "data_manager", "approval")
STREAMS: Final = tuple(f"participant/{SITE}-00{number}" for number in (1, 2))
LOCKS: Final = ("frozen", "unfrozen", "locked", "unlocked")
OUTSIDE: Final = {"why": "paper", "source": {"kind": "paper"}}
ML: Final = {"value": "50", "unit": "mL"}
RATE: Final = {"value": "75", "unit": "mL/h"}
CONSENT: Final = {
    "form_version": "1", "language": "en", "form_sha256": "0" * 64, "mode": "paper_in_person",
    "identity_check": "document", "participant_time_from": "form", "consenter": "bchan",
    "consenter_time_from": "form", "options": [], "authorization": True, "duty_disclosure": True,
    "copy_given": True,
}  # fmt: skip
EVENT: Final = {
    "ae": "AE-1", "onset": "2024-06", "awareness": "2024-06-03", "grade": 2, "scale": "CTCAE",
    "scale_version": "5.0", "serious": False, "criteria": [], "causality": [], "action": "none",
    "outcome": "recovering",
}  # fmt: skip

Who = tuple[str, str, str]


class Story:
    """One ledger, and a source of choices that follow from a number."""

    def __init__(self, small: SmallLedger, choices: Random) -> None:
        self.small = small
        self.choose = choices

    def tell(self, who: Who, type_: str, stream: str, data: dict[str, Any], *sealed: str) -> None:
        """Record one statement, of now or of some days ago, and leave it at that where it is refused."""
        opened: dict[str, Any] = {path: "told" if path == "/data/text" else None for path in sealed}
        rest: dict[str, Any] = {}
        if type_ in ("correction.made", "record.voided") or type_.partition(".")[2] in LOCKS:
            opened, rest = {"/reason/text": None}, {"reason": {"code": "error"}}
        if self.choose.random() < 0.3:
            ago = self.choose.randrange(9 * 24 * 60) * MINUTE
            rest["occurred_at"] = format_instant(self.small.sources.now_us() - ago)
        if stream.startswith("site/"):
            rest["site"] = SITE
        with suppress(LedgerError):
            self.small.say(type_, *who, type_, stream, data, opened=opened, **rest)

    def step(self) -> None:
        """Let some time pass and record something."""
        self.small.sources.advance(self.choose.choice((1, 90, 60 * 24 * 2)) * MINUTE)
        kinds = (self.fact, self.fact, self.gate, self.quality, self.oversight)
        self.choose.choice(kinds)(self.choose.choice(STREAMS))

    def fact(self, stream: str) -> None:
        """Record a fact, in order or not."""
        now = self.small.now()
        times = {"participant_time": now, "consenter_time": now}
        infusion: dict[str, Any] = {"infusion": self.choose.choice((1, 2)), "source": SOURCE}
        visit = {"visit": self.choose.choice(("screening", "unscheduled")), "source": SOURCE}
        facts: tuple[tuple[str, dict[str, Any], tuple[str, ...]], ...] = (
            ("consent.obtained", {**CONSENT, **times, "source": SOURCE}, ()),
            ("consent.withdrawn",
             {"scopes": ["study_treatment"], "effective": now[:10], "source": SOURCE}, ()),
            ("visit.started", {**visit, "mode": "phone"}, ()),
            ("visit.completed", visit, ()),
            ("dose.received", {**infusion, "label": "L1", "volume": ML, "rate": RATE, "beyond_use": now}, ()),
            ("infusion.interrupted", {**infusion, "code": "pain", "volume": ML, "pump": "P1"}, ()),
            ("infusion.completed", {**infusion, "volume": ML}, ()),
            ("adverse_event.reported", {**EVENT, "source": SOURCE}, ("/data/verbatim",)),
            ("adverse_event.followed_up",
             {"ae": "AE-1", "version": 2, "new_information": now, "outcome": "fatal", "source": SOURCE},
             ("/data/note",)),
            ("medication.started",
             {"medication": "M1", "class": "opioid", "start": now[:7], "source": SOURCE},
             ("/data/drug", "/data/indication")),
            ("participant.withdrawn",
             {"date": now[:10], "last_visit": "unscheduled", "code": "own", "source": SOURCE}, ()),
        )  # fmt: skip
        type_, data, sealed = self.choose.choice(facts)
        self.tell(BEDSIDE, type_, stream, data, *sealed)

    def gate(self, stream: str) -> None:
        """Ask for a gate, in the system or as passed outside of it."""
        name = stream.partition("/")[2]
        outside = {"performed_outside": OUTSIDE} if self.choose.random() < 0.5 else {}
        known = self.small.ledger.refresh().conduct.state(name)
        digest = criteria_digest(known.assessments if known is not None else {})
        number = self.choose.choice((1, 2))
        weight = {"weight": {"value": "70", "unit": "kg"}, "weight_date": self.small.now()[:10]}
        gates: tuple[tuple[Who, str, dict[str, Any], tuple[str, ...]], ...] = (
            (BEDSIDE, "participant.registered", {"participant": name}, ("/data/identity",)),
            (PHYSICIAN, "eligibility.confirmed", {"criteria_sha256": digest}, ()),
            (PHYSICIAN, "infusion.ordered",
             {"infusion": number, **weight, "instruction": "per_protocol", "limits": []}, ()),
            (BEDSIDE, "infusion.started",
             {"infusion": number, "pump": "P1", "rate": RATE, "label": "L1"}, ()),
        )  # fmt: skip
        who, type_, data, sealed = self.choose.choice(gates)
        self.tell(who, type_, stream, {**data, **outside}, *sealed)

    def quality(self, stream: str) -> None:
        """Correct, void or cosign something that stands in a stream of the study."""
        stream = self.choose.choice((stream, stream, f"site/{SITE}", "person/bchan"))
        entries = self.small.ledger.store.stream_entries(stream)
        if not entries:
            return
        entry = self.choose.choice(entries)
        statement = json.loads(entry.statement)
        named = {"statement": entry.event}
        new = format_instant(self.small.sources.now_us() - self.choose.randrange(9 * 24) * 60 * MINUTE)
        time = {**named, "path": "/occurred_at", "old": statement["occurred_at"], "new": new}
        who = self.choose.choice((BEDSIDE, ("aruiz", "investigator", "authorship")))
        told: Callable[[], None] = self.choose.choice(
            (
                lambda: self.tell(who, "correction.made", stream, time),
                lambda: self.tell(
                    who, "record.voided", stream, {**named, "code": "error", "source": {"kind": "paper"}}
                ),
                lambda: self.tell(PHYSICIAN, "record.cosigned", stream, {**named, "as": "approver"}),
            )
        )
        told()

    def oversight(self, stream: str) -> None:
        """Ask, answer, verify, sign, freeze or lock, about something that stands in the stream."""
        entries = [load_entry(stored) for stored in self.small.ledger.store.stream_entries(stream)]
        size = self.small.ledger.store.head().size
        upto = self.choose.choice((size, size, size - 3))
        entry, other = self.choose.choice(entries), self.choose.choice(entries)
        named: dict[str, Any] = {"statement": entry.event, "source": SOURCE}
        signed = {"upto": upto, "components": ["identifier", "password"], "source": SOURCE,
                  "sha256": signed_digest(entries, "participant", None, upto) or "0" * 64}  # fmt: skip
        kept = {"statements": sorted({entry.event, other.event})}
        plan = {"authority": "Plan 4"}
        endorsed = [e.event for e in entries if e.statement and e.statement.type == "record.signed"]
        steps: tuple[tuple[Who, str, dict[str, Any], tuple[str, ...]], ...] = (
            (MANAGER, "query.opened", {**named, "paths": [], "kind": "missing"}, ("/data/text",)),
            (BEDSIDE, "query.answered", named, ("/data/text",)),
            (MANAGER, "query.closed", {**named, "code": "answered"}, ()),
            (BEDSIDE, "deviation.reported",
             {"code": "other", **kept, "rules": [], "known": "2024-06", "action": "none", "source": SOURCE},
             ("/data/text",)),
            (PHYSICIAN, "deviation.classified",
             {**named, "classification": "not_a_deviation", "impacts": [], "irb": False}, ("/data/text",)),
            (PHYSICIAN, "record.signed", {**signed, "scope": "participant"}, ()),
            (PHYSICIAN, "record.signed", {**signed, "scope": "milestone", "milestone": "final"}, ()),
            (LOCKING, "form.frozen", {**kept, **plan}, ()),
            (LOCKING, "form.unfrozen", {**kept, **plan}, ()),
            (LOCKING, "participant.locked", {"endorsement": (endorsed or [entry.event])[-1], **plan}, ()),
            (LOCKING, "participant.unlocked", plan, ()),
        )  # fmt: skip
        who, type_, data, sealed = self.choose.choice(steps)
        self.tell(who, type_, stream, data, *sealed)


@settings(max_examples=6)
@given(choices=st.randoms())
def test_what_is_recorded_verifies(
    choices: Random, template: tuple[SmallLedger, Path], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """After any fifty steps, right and wrong, the bundle verifies: nothing is owed, nothing too much."""
    directory = tmp_path_factory.mktemp("story")
    small = copy_of(*template, directory / "ledger")
    story = Story(small, choices)
    granted = {"blinded": True, "person": "admin", "role": "data_manager", "sites": ["*"]}
    small.say("manager", "root", "root", "approval", "role.granted", "person/admin", granted)
    for name in STREAMS:
        story.tell(BEDSIDE, "participant.registered", name, {"participant": name[12:]}, "/data/identity")
    for _ in range(50):
        story.step()
    ledger, place = small.ledger, directory / "bundle"
    export_bundle(
        ledger.store, ledger.data_keys, small.publish(), place, scope=Scope(kind="study"), role="auditor"
    )
    assert ledger.store.head().size > small.at["enrolment"] + 20
    report = judge(place, small.policy)
    assert problems(report) == set()
    assert not [each for each in report.notes if each.code == "BREACH_LATE"]
    ledger.close()
