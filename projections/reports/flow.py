"""The flow of participants: the numbers of a CONSORT diagram, for each site and for the study.

Numbers by arm are not here: they would tell the blind. Each person counts at every step ever reached.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from types import MappingProxyType
from typing import Final

from ledger.participant import Participant
from projections.desk import Desk
from projections.report import Report, Row

_STEPS: Final = (
    "prescreened",
    "registered",
    "consented",
    "assessed for eligibility",
    "screen failed",
    "eligible",
    "randomized",
    "received the first infusion",
    "began treatment",
    "treatment ended",
    "completed",
    "withdrawn",
    "lost to follow-up",
    "died",
    "entered the extension",
)
OVERALL: Final = "all"


def flow(desk: Desk) -> Iterator[Row]:
    """Yield the steps in order, each for every site that the reader sees and for these together.

    Left out is what no version of the protocol has and nobody reached.
    """
    counts: dict[str, Counter[str]] = {site: Counter() for site in (*desk.sites(), OVERALL)}
    for line in desk.records("prescreening.recorded", kind="site"):
        if line.site in counts:
            counts[line.site]["prescreened"] += 1
            counts[OVERALL]["prescreened"] += 1
    for participant in desk.participants():
        entered = any(desk.records_of(f"participant/{participant.id}", "extension.entered"))
        for step in (*_reached(participant), *(("entered the extension",) if entered else ())):
            counts.setdefault(participant.site, Counter())[step] += 1
            counts[OVERALL][step] += 1
    unplanned = _unplanned(desk)
    for step in _STEPS:
        if step in unplanned and not counts[OVERALL][step]:
            continue
        for site, counted in counts.items():
            yield {"step": step, "site": site, "participants": counted[step]}


def _unplanned(desk: Desk) -> frozenset[str]:
    """Return the steps that no version of the protocol has."""
    plans = [each.definition for each in desk.conduct.study.protocols if each.definition is not None]
    if not plans:
        return frozenset({"began treatment"})
    planned = {
        "randomized": any(plan.randomization is not None for plan in plans),
        "received the first infusion": any(plan.infusions for plan in plans),
        "began treatment": any(visit.kind == "treatment" for plan in plans for visit in plan.visits),
        "entered the extension": any(plan.extension is not None for plan in plans),
    }
    return frozenset(step for step, is_planned in planned.items() if not is_planned)


def _reached(participant: Participant) -> Iterator[str]:
    yield "registered"
    if participant.consents:
        yield "consented"
    if participant.assessments:
        yield "assessed for eligibility"
    if participant.screening_failed is not None and not participant.enrolled:
        yield "screen failed"
    if participant.eligibility is not None:
        yield "eligible"
    if participant.randomized:
        yield "randomized"
    if participant.infusions:
        yield "received the first infusion"
    if participant.treatment_began:
        yield "began treatment"
    if participant.treatment_ended and (participant.treated or participant.leaving.treatment is not None):
        yield "treatment ended"
    if participant.disposition is not None:
        yield str(participant.disposition.status)
    if participant.died is not None:
        yield "died"


REPORTS: Final = (
    Report(
        name="flow",
        question="How many participants reached each step of the study, by site and in all?",
        columns=MappingProxyType(
            {
                "step": "step of the flow, in order",
                "site": "site, or all",
                "participants": "how many ever reached it",
            }
        ),
        rows=flow,
    ),
)
