"""Who learned an arm, and how: envelopes, emergencies, what was planned and what was not (catalogue D).

All of it stands in `safety`. Both emergencies go the way of the command line: asked, durable, then shown; one
of them while the log is frozen, so that it waits in the queue and is recorded first when the log is back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import date, timedelta
from typing import Final

from ledger.actions.fields import Source
from ledger.actions.monitoring import DeviationClassified, DeviationReported
from ledger.actions.randomization import RandomizationErrorRecorded
from ledger.actions.unblinding import (
    AllocationDisclosed,
    EnvelopeChecked,
    UnblindingDrillDone,
    UnblindingInadvertent,
    UnblindingPlanned,
)
from ledger.demo.cast import (
    ADMINISTRATOR,
    ON_CALL,
    PREPARER,
    SAFETY_COMMITTEE,
    SAFETY_PHYSICIAN,
    STATISTICIAN,
    UNBLINDED_MONITOR,
    person_at,
    pharmacist,
)
from ledger.demo.office import ESOURCE, Desk
from ledger.demo.schedule import Plan
from ledger.demo.setup import Setup
from ledger.demo.stage import MINUTE_US, Story, Wait
from ledger.errors import LedgerError
from ledger.participant import Participant
from ledger.store.startup import Startup
from ledger.store.unblindings import UnblindingQueue
from ledger.unblinding import Envelope, Request, ask, issue_envelope, show
from ledger.unblinding_queue import settle

STREAM: Final = "safety"
DRILLED: Final = date(2024, 4, 23)
PLANNED: Final = date(2024, 9, 9)
NOTICED: Final = date(2024, 12, 3)
REPLACED_DAYS: Final = 24  # from day 1: the second stage is drawn by then
FROZEN_MINUTES: Final = 50

_DAYS_AT_MOST: Final = 120
_CHECKED_DAYS: Final = 40


def stories(setup: Setup, plans: Sequence[Plan]) -> Iterator[Story]:
    """Yield all of them; those that need a participant only where there is one."""
    yield _drill(setup)
    yield _planned(setup)
    staying = [plan for plan in plans if not plan.turns.fails]
    for site in setup.stage.definition.sites:
        yield from (_envelopes(setup, plan) for plan in [p for p in staying if p.site == site][:1])
    for plan in staying:
        if "life_threatening" in plan.turns.asides.values():
            yield _emergency(setup, plan, frozen=False)
        if "upgraded" in plan.turns.asides.values():
            yield _emergency(setup, plan, frozen=True)
        if plan.turns.requested_early:
            yield _error(setup, plan)
    yield from (_inadvertent(setup, plan) for plan in staying[:1])


def _drill(setup: Setup) -> Story:
    """Try the hotline out before anybody needs it."""
    for site in setup.stage.definition.sites:
        drill = UnblindingDrillDone(
            site=site, channel="telephone", answered=True, log_frozen=False, took_s=212, source=ESOURCE
        )
        yield Desk(setup, DRILLED, site=site).note(ON_CALL, drill, STREAM)


def _planned(setup: Setup) -> Story:
    """The committee sees the allocations for its first meeting, as its charter has it."""
    desk = Desk(setup, PLANNED)
    planned = UnblindingPlanned(
        purpose="safety_review",
        authority="charter of the safety committee, section 4",
        participants=(),
        disclosed_to=(SAFETY_COMMITTEE,),
        date=desk.day,
        source=ESOURCE,
    )
    yield desk.note(STATISTICIAN, planned, STREAM)
    disclosed = AllocationDisclosed(
        to=SAFETY_COMMITTEE,
        list=setup.stage.definition.drawn().list,
        participants=(),
        purpose="safety_review",
        source=ESOURCE,
    )
    yield desk.note(STATISTICIAN, disclosed, STREAM)


def _envelopes(setup: Setup, plan: Plan) -> Story:
    """Keep one participant's regimen in an envelope at the pharmacy, and a new one after the second stage."""
    stage, keeper = setup.stage, pharmacist(plan.site, PREPARER)
    first = Envelope(
        name=f"ENV-{plan.id}-1",
        participant=plan.id,
        site=plan.site,
        custodian=keeper,
        seal=f"SEAL-{plan.number + 1:03d}-1",
    )
    desk = Desk(setup, plan.day1, site=plan.site)
    yield desk.wait()
    issue_envelope(stage.ledger, stage.signers[keeper], first)
    yield desk.days(7).note(person_at(plan.site, "coordinator"), _intact(first, "periodic"), STREAM)
    second = Envelope(
        name=f"ENV-{plan.id}-2",
        participant=plan.id,
        site=plan.site,
        custodian=keeper,
        seal=f"SEAL-{plan.number + 1:03d}-2",
        replaces=first.name,
    )
    desk = Desk(setup, plan.day1 + timedelta(days=REPLACED_DAYS), site=plan.site)
    yield desk.wait()
    issue_envelope(stage.ledger, stage.signers[keeper], second)
    checked = _intact(second, "periodic")
    yield desk.days(_CHECKED_DAYS).note(person_at(plan.site, "coordinator"), checked, STREAM)


def _intact(envelope: Envelope, purpose: str) -> EnvelopeChecked:
    return EnvelopeChecked(
        envelope=envelope.name, found="intact", purpose=purpose, seal=envelope.seal, source=ESOURCE
    )


def _emergency(setup: Setup, plan: Plan, *, frozen: bool) -> Story:
    """Somebody treats a serious event elsewhere and has to know what was given."""
    stage, site = setup.stage, plan.site
    desk = Desk(setup, plan.day1, 19 * 60, site=site)
    yield from _until(desk, plan, _has_serious_event)
    request = Request(
        participant=plan.id,
        reason=("treatment_decision", "the emergency physician has to choose a drug"),
        source=Source(kind="esource"),
        asked_by="emergency physician of another hospital",
    )
    ledger, signer = stage.ledger, stage.signers[ON_CALL]
    with UnblindingQueue(setup.queue) as queue:
        if frozen:
            # What a disk that is full brings about: nothing can be recorded until it is cleared.
            ledger.startup = Startup(frozen=True, code="STORE_FULL", message="the disk is full")
        asked = ask(ledger, queue, signer, "on_call_unblinding", request)
        show(ledger, asked)
        if not frozen:
            return
        stage.sources.advance(FROZEN_MINUTES * MINUTE_US)
        ledger.startup = Startup(frozen=False, code=None, message="the disk was cleared")
        settled = settle(ledger, queue)
    if [each.event for each in settled] != [asked.event]:
        raise LedgerError("DEMO_UNEXPECTED", "the unblinding that waited was not recorded")
    yield from _accounted(desk.days(1), asked.event)


def _accounted(desk: Desk, event: str) -> Story:
    """Say why a statement was signed long before it was recorded."""
    reported = DeviationReported(
        code="recorded_after_outage",
        statements=(event,),
        rules=("SIGNED_AT_APART",),
        known=desk.day,
        action="none",
        text="asked while the disk was full; it was the first statement after that",
        source=ESOURCE,
    )
    told = yield desk.note(SAFETY_PHYSICIAN, reported, STREAM)
    classified = DeviationClassified(
        statement=told.event if told is not None else "",
        classification="not_important",
        impacts=(),
        irb=False,
        source=ESOURCE,
    )
    yield desk.note(UNBLINDED_MONITOR, classified, STREAM)


def _error(setup: Setup, plan: Plan) -> Story:
    """Somebody was randomized before the days that the protocol allows: it stands, nothing is redrawn."""
    desk = Desk(setup, plan.day1 + timedelta(days=2))
    error = RandomizationErrorRecorded(
        what="requested_too_early",
        impact="none_on_allocation",
        participant=plan.id,
        account="asked for on the day before the protocol's first one",
        source=ESOURCE,
    )
    yield desk.note(STATISTICIAN, error, STREAM)


def _inadvertent(setup: Setup, plan: Plan) -> Story:
    """A pharmacy's letter lies on the wrong desk."""
    learned = person_at(plan.site, "infusion_staff")
    desk = Desk(setup, NOTICED, site=plan.site)
    told = UnblindingInadvertent(
        participants=(plan.id,),
        learned=(learned,),
        how="letter_misdirected",
        noticed=desk.day,
        account="opened and closed again; the nurse gives no more infusions to this participant",
        source=ESOURCE,
    )
    yield desk.note(ADMINISTRATOR, told, STREAM)


def _until(desk: Desk, plan: Plan, is_so: Callable[[Participant], bool]) -> Iterator[Wait]:
    """Wait, evening by evening, until something is so of a participant."""
    for _ in range(_DAYS_AT_MOST):
        yield desk.wait()
        state = desk.stage.ledger.refresh().conduct.state(plan.id)
        if state is not None and is_so(state):
            return
        desk.days(1)


def _has_serious_event(participant: Participant) -> bool:
    return any(case.site for case in participant.safety.cases.values())
