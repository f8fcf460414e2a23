"""Departures from the protocol: each breach is reported by the site, and classified by somebody else."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, Literal

from ledger.actions.monitoring import DeviationClassified, DeviationReported
from ledger.demo.cast import MEDICAL_MONITOR
from ledger.demo.course import Pen
from ledger.demo.hands import COORDINATOR
from ledger.demo.stage import Story, Wait
from ledger.participant import Breach

Class = Literal["important", "not_important"]
Impact = Literal["safety", "rights", "wellbeing", "data", "blinding"]

# What touches rights, safety or the reading of results is important (ICH E6(R3) 3.9.5, E3(R1)).
_IMPORTANT: Final[Mapping[str, tuple[Impact, ...]]] = MappingProxyType(
    {
        "CONSENT_MISSING": ("rights",),
        "CONSENT_HELD": ("rights",),
        "CONSENT_DEFECT": ("rights",),
        "CONSENT_FORM_INEFFECTIVE": ("rights",),
        "CONSENT_WITHDRAWN": ("rights",),
        "SUPERIOR_PRESENT": ("rights",),
        "LABEL_OF_ANOTHER": ("safety",),
        "ON_HOLD": ("safety",),
        "PROHIBITED_MEDICATION": ("safety", "data"),
        "DOSE_OUT_OF_TOLERANCE": ("data",),
        "RANDOMIZATION_WINDOW": ("data",),
        "DOSING_DECISION": ("safety", "data"),
    }
)


def accounted(pen: Pen) -> Story:
    """Report what breaches are open and not accounted for: one deviation for each rule."""
    yield Wait(at_us=pen.us)
    course = pen.course
    state = course.stage.ledger.refresh().conduct.state(course.plan.id)
    if state is None:
        return
    by_rule: dict[str, list[Breach]] = {}
    for breach in state.breaches:
        if breach.recorded is not None and breach.is_unaccounted and breach.pending is None:
            by_rule.setdefault(breach.rule, []).append(breach)
    for rule, breaches in by_rule.items():
        reported = DeviationReported(
            code=rule.lower(),
            statements=tuple(dict.fromkeys(str(breach.event) for breach in breaches)),
            rules=(rule,),
            known=pen.day,
            action="retrained" if rule in _IMPORTANT else "none",
            text="seen in the list of breaches; see the note to file",
            source=pen.source(),
        )
        recorded = yield pen.note(COORDINATOR, reported, after=8)
        if recorded is None:
            continue
        impacts = _IMPORTANT.get(rule, ())
        classified = DeviationClassified(
            statement=recorded.event,
            classification="important" if impacts else "not_important",
            impacts=impacts,
            irb="rights" in impacts,
            source=pen.source(),
        )
        yield pen.note("medical_monitor", classified, person=MEDICAL_MONITOR, after=90)
