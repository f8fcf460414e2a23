"""Which rules each type is judged by: the general ones that its spec brings with it, and those of its area.

    asked(spec("infusion.started", 1))     # ("TIME_IN_FUTURE", …, "ORDER_MISSING", …)

What a rule's module yields for a type and what it says here are held together by the tests: a code that is
yielded and not named, or named and never shown to break, fails them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from ledger.actions.registry import ActionSpec, Effect
from ledger.rules import outside, participants
from ledger.rules.stream import QUALITY

CLOCKS: Final = ("TIME_IN_FUTURE", "LOCAL_TIME_NONEXISTENT", "LATE_ENTRY", "SIGNED_AT_APART")
OF_PARTICIPANTS: Final = ("PARTICIPANT_UNKNOWN", "PROTOCOL_UNKNOWN", "PROTOCOL_SUPERSEDED")
OF_GATES: Final = ("SITE_NOT_ACTIVE", "IRB_MISSING", "IRB_LAPSED", "PARTICIPANT_ENDED")
OF_TASKS: Final = ("NOT_DELEGATED", "NOT_TRAINED")


def general_codes(spec: ActionSpec) -> Iterator[str]:
    """Yield the codes of the general rules that a type is judged by wherever it may stand."""
    yield from CLOCKS
    if "participant" in spec.streams and spec.type not in QUALITY:
        yield from OF_PARTICIPANTS
        if spec.effect is Effect.GATE:
            yield from OF_GATES
    if spec.delegated:
        yield from OF_TASKS
    if spec.references:
        yield "REFERENCE"


def area_codes(spec: ActionSpec) -> tuple[str, ...]:
    """Return the codes of the rules that are the type's own."""
    named = f"{participants.ASKED.get(spec.type, '')} {outside.ASKED.get(spec.type, '')}"
    return tuple(dict.fromkeys(named.split()))


def asked(spec: ActionSpec) -> tuple[str, ...]:
    """Return every code that a type can be judged by."""
    return tuple(dict.fromkeys((*general_codes(spec), *area_codes(spec))))
