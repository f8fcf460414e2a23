"""Which rules each type is judged by: the general ones that its spec brings with it, and those of its area.

    asked(spec("infusion.started", 1))     # ("TIME_IN_FUTURE", …, "ORDER_MISSING", …)

What a rule's module yields for a type and what it says here are held together by the tests: a code that is
yielded and not named, or named and never shown to break, fails them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from ledger.actions.registry import ActionSpec, Effect
from ledger.rules import consent, general, outside, participants, study
from ledger.rules.stream import QUALITY

CLOCKS: Final = ("TIME_IN_FUTURE", "LOCAL_TIME_NONEXISTENT", "LATE_ENTRY", "SIGNED_AT_APART")
OF_PARTICIPANTS: Final = ("PARTICIPANT_UNKNOWN", "PROTOCOL_UNKNOWN", "PROTOCOL_SUPERSEDED")
BOARD: Final = ("IRB_MISSING", "IRB_LAPSED", "IRB_SUSPENDED")
OF_GATES: Final = ("STUDY_CLOSED", "SITE_NOT_ACTIVE", *BOARD)
OF_TASKS: Final = ("NOT_DELEGATED", "NOT_TRAINED")


def general_codes(spec: ActionSpec) -> Iterator[str]:
    """Yield the codes of the general rules that a type is judged by wherever it may stand."""
    yield from CLOCKS
    yield "SOURCE_UNREGISTERED"
    if "participant" in spec.streams and spec.type not in QUALITY:
        yield from OF_PARTICIPANTS
        yield "CONSENT_WITHDRAWN"
    if spec.procedure:
        yield from sorted(consent.ORDER_CODES)
        yield "CONSENT_HELD"
    if spec.type not in QUALITY:
        yield from _of_gate(spec)
        yield from _of_study(spec)
    if spec.delegated:
        yield from OF_TASKS
    yield from _of_locks(spec)
    if spec.seconds:
        yield "COSIGNATURE_OVERDUE"
    if spec.references:
        yield "REFERENCE"


def _of_gate(spec: ActionSpec) -> Iterator[str]:
    """Yield what a gate for participants rests on (R3)."""
    if spec.type in general.RESUMED:
        yield "STUDY_HALTED"
    treats = {"participant", "pharmacy"} & set(spec.streams)
    conduct = spec.type not in general.OF_DATA and not spec.always_open
    if spec.effect is not Effect.GATE or not treats or not conduct:
        return
    yield from OF_GATES
    if "participant" in treats:
        yield from ("CONSENT_HELD", "PARTICIPANT_ENDED")
    if spec.type in consent.CONSENT_GATES:
        yield from sorted(consent.ORDER_CODES)
    if spec.type in general.HALTED:
        yield "STUDY_HALTED"
    if spec.type in ("participant.registered", "randomization.requested"):
        yield "ENROLMENT_PAUSED"
    if spec.type in general.RECRUITING:
        yield "COMMAND_APPROVAL_MISSING"


def _of_locks(spec: ActionSpec) -> Iterator[str]:
    """Yield what the locks of a participant and of the database ask (R4, R7)."""
    if not {"participant", "pharmacy"} & set(spec.streams) or spec.type == "breach.detected":
        return
    if spec.always_open:
        yield "LOCK_PASSED"
    else:
        yield from ("PARTICIPANT_LOCKED", "DATABASE_LOCKED")


def _of_study(spec: ActionSpec) -> Iterator[str]:
    """Yield what a statement of the study, a site or a pharmacy needs."""
    outside = set(spec.streams) - {"participant"}
    if outside and study.is_of_study(spec.type):
        yield "STUDY_NOT_REGISTERED"
    if {"site", "pharmacy"} & outside:
        yield "SITE_UNKNOWN"
    if "pharmacy" in outside:
        yield from ("PROTOCOL_UNKNOWN", "PROTOCOL_SUPERSEDED")
    if any(study.has_conditions(spec.type, kind) for kind in outside):
        yield "STUDY_CLOSED"
        if "site" in outside:
            yield from ("IRB_LAPSED", "IRB_SUSPENDED")


def area_codes(spec: ActionSpec) -> tuple[str, ...]:
    """Return the codes of the rules that are the type's own."""
    named = f"{participants.ASKED.get(spec.type, '')} {outside.ASKED.get(spec.type, '')}"
    return tuple(dict.fromkeys(named.split()))


def asked(spec: ActionSpec) -> tuple[str, ...]:
    """Return every code that a type can be judged by."""
    return tuple(dict.fromkeys((*general_codes(spec), *area_codes(spec))))
