"""The central part of safety: every serious event is assessed, notified, reviewed, closed; terms are coded.

The office looks at the log evening by evening, as its people would. What it does for a serious event has one
shape and one time, whatever the event: the day after the report to the sponsor it is assessed in `safety` and
reviewed by the medical monitor, and the site notifies its board. A case is closed once the event is over.
"""

from __future__ import annotations

import hashlib
from datetime import date, timedelta
from typing import Any, Final

from ledger.actions.fields import Source
from ledger.actions.safety import SaeReportedToSponsor, SafetyCaseClosed, SeriousnessChanged
from ledger.actions.safety_desk import (
    Coded,
    CodingApplied,
    ExpeditedReportSubmitted,
    IrbNotified,
    MedicalMonitorReviewed,
    SafetyCommitteeDecided,
    SusarAssessed,
)
from ledger.demo.cast import (
    AUTHORITY,
    DATA_MANAGER,
    MEDICAL_MONITOR,
    SAFETY_COMMITTEE,
    SAFETY_PHYSICIAN,
    person_at,
)
from ledger.demo.office import ESOURCE, Desk
from ledger.demo.setup import OPENING, Setup
from ledger.demo.stage import Story
from ledger.entry import Entry
from ledger.fold import load_entry
from ledger.sealing import open_disclosure
from ledger.statement import Statement

STREAM: Final = "safety"
MEETINGS: Final = (date(2024, 9, 16), date(2025, 1, 20))
DICTIONARY: Final = "Demo dictionary"
SUBMITTED_DAYS: Final = 3  # from an assessment that asks for a report to the report

_CODED: Final = {
    "adverse_event.reported": "verbatim",
    "medication.started": "drug",
    "medical_history.recorded": "term",
}
_OVER: Final = frozenset({"recovered", "recovered_with_sequelae", "fatal"})
_AT_ONCE: Final = frozenset({"death", "life_threatening"})
_FRIDAY: Final = 4
_EVENING: Final = 21 * 60


class SafetyOffice:
    """What the office has seen of the log, and what waits for the next day."""

    def __init__(self, setup: Setup) -> None:
        self.setup = setup
        self.stage = setup.stage
        self._seen = 0
        self._reports: list[Entry] = []
        self._to_submit: list[tuple[date, str]] = []
        self._to_code: list[Entry] = []
        self._known: dict[tuple[str, str], Statement] = {}
        self._assessed: set[tuple[str, str]] = set()
        self._raised: list[tuple[str, str]] = []
        self._lowered = False

    def whole(self, until: date) -> Story:
        """Look in every evening until a day."""
        on = OPENING
        while on < until:
            yield from self.evening(on)
            on += timedelta(days=1)

    def evening(self, on: date) -> Story:
        """Do what is due on an evening, and take note of what is new."""
        desk = Desk(self.setup, on, _EVENING)
        yield desk.wait()
        yield from self._submit(desk, on)
        for entry in self._reports:
            yield from self._assess(desk, entry, on)
        self._reports = []
        yield from self._report_raised(desk)
        yield from self._read(desk)
        yield from self._close(desk)
        if on.weekday() == _FRIDAY:
            yield from self.code(desk)
        if on in MEETINGS:
            yield self._decided(desk)

    def is_busy(self) -> bool:
        """Tell whether something of serious events is left to do on a later evening."""
        return bool(self._reports or self._to_submit or self._raised)

    def _read(self, desk: Desk) -> Story:
        ledger = self.stage.ledger
        size = ledger.refresh().size
        entries = [load_entry(stored) for stored in ledger.store.entries(self._seen, size)]
        self._seen = size
        for entry in entries:
            statement = entry.statement
            if statement is None or statement.schema != 1:
                continue
            if statement.type in _CODED:
                self._to_code.append(entry)
            if statement.type == "sae.reported_to_sponsor":
                self._reports.append(entry)
            elif statement.type == "adverse_event.reported":
                self._known[statement.stream, statement.data["ae"]] = statement
                yield from self._weigh(desk, statement)

    def _weigh(self, desk: Desk, statement: Statement) -> Story:
        """Weigh seriousness: the sponsor may raise what stopped an infusion, and may not lower a stay."""
        data = statement.data
        if not data["serious"] and data["action"] == "stopped":
            raised = self._changed(data["ae"], old=False, criteria=("important_medical_event",))
            why = ("judgement", "it ended the treatment of that day")
            yield self._on(desk, statement.stream, MEDICAL_MONITOR, raised, reason=why)
            self._raised.append((statement.stream, data["ae"]))
        elif "hospitalisation" in data["criteria"] and not self._lowered:
            self._lowered = True
            lowered = self._changed(data["ae"], old=True, criteria=())
            yield self._on(
                desk,
                statement.stream,
                MEDICAL_MONITOR,
                lowered,
                reason=("judgement", "one night for observation only"),
                breaches=("SPONSOR_DOWNGRADE",),
            )

    def _changed(self, ae: str, *, old: bool, criteria: Any) -> SeriousnessChanged:
        return SeriousnessChanged(
            ae=ae, assessor="sponsor", old=old, new=not old, criteria=criteria, source=ESOURCE
        )

    def _report_raised(self, desk: Desk) -> Story:
        """Let the site report what the sponsor found serious."""
        for stream, ae in self._raised:
            site = self._site(stream)
            state = self._state(stream)
            sent = SaeReportedToSponsor(
                ae=ae,
                version=state.adverse_events[ae].version,
                reported=desk.text,
                method="portal",
                source=ESOURCE,
            )
            yield self._on(desk, stream, person_at(site, "sub_investigator"), sent)
        self._raised = []

    def _assess(self, desk: Desk, entry: Entry, on: date) -> Story:
        """Assess a serious event, review it, and notify the board; the first report of each alone."""
        statement = entry.statement
        if statement is None or (statement.stream, statement.data["ae"]) in self._assessed:
            return
        stream, ae = statement.stream, statement.data["ae"]
        self._assessed.add((stream, ae))
        clock = self._clock(self._known[stream, ae])
        assessed = SusarAssessed(
            statement=entry.event,
            determined=desk.text,
            clock=clock,
            suspected="not_suspected" if clock is None else "suspected",
            expectedness="expected" if clock is None else "unexpected",
            narrative="assessed on the reports that there are",
            source=ESOURCE,
        )
        recorded = yield desk.note(SAFETY_PHYSICIAN, assessed, STREAM)
        if clock is not None and recorded is not None:
            self._to_submit.append((on + timedelta(days=SUBMITTED_DAYS), recorded.event))
        reviewed = MedicalMonitorReviewed(
            statement=entry.event, code="narrative_complete", note="no question", source=ESOURCE
        )
        yield self._on(desk, stream, MEDICAL_MONITOR, reviewed)
        notified = IrbNotified(
            statement=entry.event,
            of="serious_adverse_event",
            notified=desk.text,
            reference=f"DEMO-IRB-N-{entry.index}",
            source=ESOURCE,
        )
        yield self._on(desk, stream, person_at(self._site(stream), "coordinator"), notified)

    def _clock(self, reported: Statement) -> str | None:
        """Return by which clock an event is due: none, unless a product may have caused it."""
        if all(row["relation"] == "unrelated" for row in reported.data["causality"]):
            return None
        clocks = self.stage.definition.safety_clocks.values()
        at_once = not _AT_ONCE.isdisjoint(reported.data["criteria"])
        starts = "receipt_by_sponsor" if at_once else "determination_by_sponsor"
        return next(clock.id for clock in clocks if clock.starts == starts)

    def _submit(self, desk: Desk, on: date) -> Story:
        for due, event in self._to_submit:
            if due <= on:
                report = ExpeditedReportSubmitted(
                    statement=event,
                    to=AUTHORITY,
                    kind="initial",
                    submitted=desk.text,
                    reference="DEMO-E2B-1",
                    source=ESOURCE,
                )
                yield desk.note(SAFETY_PHYSICIAN, report, STREAM)
        self._to_submit = [(due, event) for due, event in self._to_submit if due > on]

    def _close(self, desk: Desk) -> Story:
        """Close each case that was assessed, and is over or was none."""
        for participant in list(self.stage.ledger.refresh().conduct.participants()):
            stream = f"participant/{participant.id}"
            for ae, case in participant.safety.cases.items():
                event = participant.adverse_events[ae]
                over = event.outcome in _OVER or case.nullified is not None
                if case.closed is None and over and (stream, ae) in self._assessed:
                    closed = SafetyCaseClosed(ae=ae, version=event.version, closed=desk.text, source=ESOURCE)
                    yield self._on(desk, stream, MEDICAL_MONITOR, closed)

    def code(self, desk: Desk) -> Story:
        """Code the terms of the week."""
        for entry in self._to_code:
            if entry.statement is None:
                continue
            field = _CODED[entry.statement.type]
            term = self._opened(entry.event, f"/data/{field}")
            if not term:
                continue
            number = int(hashlib.sha256(term.lower().encode()).hexdigest()[:6], 16) % 100_000
            coded = CodingApplied(
                statement=entry.event,
                field=field,
                dictionary=DICTIONARY,
                version="1",
                codes=(Coded(level="preferred_term", code=f"D{number:05d}"),),
                source=ESOURCE,
            )
            yield self._on(desk, entry.statement.stream, DATA_MANAGER, coded, after=1)
        self._to_code = []

    def _opened(self, event: str, path: str) -> str:
        """Open a term, as the coder's screen would; nothing where it was erased."""
        ledger = self.stage.ledger
        for kept in ledger.store.disclosures(event):
            if kept.path == path:
                opened = ledger.data_keys.open(
                    kept.event, kept.path, kept.stream, kept.scope, kept.nonce, kept.ciphertext
                )
                return str(open_disclosure(opened).value or "")
        return ""

    def _decided(self, desk: Desk) -> Any:
        decided = SafetyCommitteeDecided(
            meeting=desk.day,
            data_cut=self.stage.ledger.refresh().size - 1,
            recommendation="continue",
            minutes="nothing that asks for a change",
            source=Source(kind="paper", reference="minutes of the committee"),
        )
        return desk.note(SAFETY_COMMITTEE, decided, STREAM)

    def _on(self, desk: Desk, stream: str, person: str, action: Any, **more: Any) -> Any:
        """Write in a participant's stream."""
        members = {"site": self._site(stream), "protocol": self.stage.definition.version}
        return desk.note(person, action, stream, members=members, **more)

    def _state(self, stream: str) -> Any:
        return self.stage.ledger.refresh().conduct.state(stream.partition("/")[2])

    def _site(self, stream: str) -> str:
        return str(self._state(stream).site)
