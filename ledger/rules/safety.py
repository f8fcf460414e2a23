"""Adverse events: always open (catalogue G, R7). Only what makes a version unreadable is refused.

The site's and the sponsor's judgement of seriousness are both kept: the event is serious where either says
so, for the sponsor raises and never lowers. A clock runs from the site's first knowledge of seriousness until
the event is reported to the sponsor, and from a death until that is reported itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any, Final

from ledger.participant import AdverseEvent, Participant
from ledger.roles import PHYSICIANS
from ledger.rules import clocks
from ledger.rules.case import Case, Fold, Judge
from ledger.rules.record import DAY_US
from ledger.state.safety import SafetyCase
from ledger.study.definition import StudyDefinition

FATAL: Final = "fatal"
DEATH: Final = "death"
SAE_LATE: Final = "SAE_REPORT_LATE"
NO_DEATH: Final = "DEATH_NOT_REPORTED"
DEATH_WITHIN_US: Final = DAY_US  # where the study has no clock from the knowledge of seriousness
SPONSOR: Final = "sponsor"
NOTHING: Final = SafetyCase(site=False)


def judge_reported(case: Case) -> Iterator[str]:
    """Judge a report: a new id, seriousness with its criteria, causality per product, the right scale."""
    data, definition = case.record.data, case.definition
    if data["ae"] in case.participant.adverse_events:
        yield "ID_REUSED"
    if data["serious"] != bool(data["criteria"]):
        yield "SERIOUS_CRITERIA"
    if definition is None:
        return
    if not _is_complete(definition, data["causality"]):
        yield "CAUSALITY_INCOMPLETE"
    scale = definition.adverse_event_scale
    if (data["scale"], data["scale_version"]) != (scale.name, scale.version):
        yield "SCALE_UNKNOWN"


def judge_followed_up(case: Case) -> Iterator[str]:
    """Judge new information: the next version of a known event, still coherent."""
    yield from judge_version(case)
    data = case.record.data
    if data["ae"] not in case.participant.adverse_events:
        return
    known = case_of(case.participant, data["ae"]).site
    serious = data.get("serious", known)
    criteria = bool(data["criteria"]) if "criteria" in data else known
    if serious != criteria:
        yield "SERIOUS_CRITERIA"
    if "causality" in data and case.definition and not _is_complete(case.definition, data["causality"]):
        yield "CAUSALITY_INCOMPLETE"


def judge_version(case: Case) -> Iterator[str]:
    """Judge a version: of a known event that was not nullified, the one after the last."""
    data = case.record.data
    known = case.participant.adverse_events.get(data["ae"])
    if known is None:
        yield "ADVERSE_EVENT_UNKNOWN"
        return
    if data["version"] != known.version + 1:
        yield "ADVERSE_EVENT_VERSION"
    yield from _judge_nullified(case)


def _judge_nullified(case: Case) -> Iterator[str]:
    if case_of(case.participant, case.record.data["ae"]).nullified is not None:
        yield "ADVERSE_EVENT_NULLIFIED"


def judge_assessed(case: Case) -> Iterator[str]:
    """Judge an assessment: the next version, coherent, by who may make it, not below the site's."""
    yield from judge_version(case)
    data = case.record.data
    yield from _judge_assessor(case, serious=data["serious"])
    if case.definition and not _is_complete(case.definition, data["causality"]):
        yield "CAUSALITY_INCOMPLETE"


def judge_seriousness(case: Case) -> Iterator[str]:
    """Judge a change of seriousness: from what this assessor stood by, by who may, never lowered."""
    data = case.record.data
    if data["ae"] not in case.participant.adverse_events:
        yield "ADVERSE_EVENT_UNKNOWN"
        return
    yield from _judge_nullified(case)
    known = case_of(case.participant, data["ae"])
    sponsor = known.site if known.sponsor is None else known.sponsor
    if data["old"] != (sponsor if data["assessor"] == SPONSOR else known.site):
        yield "SERIOUSNESS_OLD"
    yield from _judge_assessor(case, serious=data["new"])


def _judge_assessor(case: Case, *, serious: bool) -> Iterator[str]:
    data = case.record.data
    if serious != bool(data["criteria"]):
        yield "SERIOUS_CRITERIA"
    of_site = case.record.statement.actor.role in PHYSICIANS
    if of_site != (data["assessor"] != SPONSOR):
        yield "ASSESSOR_ROLE"
    if data["assessor"] == SPONSOR and not serious and case_of(case.participant, data["ae"]).serious:
        yield "SPONSOR_DOWNGRADE"


def judge_to_sponsor(case: Case) -> Iterator[str]:
    """Judge a report to the sponsor: of a serious event, in a version that there is."""
    data = case.record.data
    known = case.participant.adverse_events.get(data["ae"])
    if known is None:
        yield "ADVERSE_EVENT_UNKNOWN"
        return
    if data["version"] > known.version:
        yield "SAE_VERSION"
    if not case_of(case.participant, data["ae"]).serious:
        yield "NOT_SERIOUS"


def judge_closed(case: Case) -> Iterator[str]:
    """Judge a closure: of a serious event that was reported, and has ended or was none."""
    yield from judge_to_sponsor(case)
    ae = case.record.data["ae"]
    known = case.participant.adverse_events.get(ae)
    if known is None:
        return
    of = case_of(case.participant, ae)
    ended = of.nullified is not None or known.outcome in ("recovered", "recovered_with_sequelae", FATAL)
    if of.reported is None or not ended:
        yield "CASE_CLOSED_EARLY"


def case_of(participant: Participant, ae: str) -> SafetyCase:
    """Return what was judged and done about an adverse event; nothing, for one that is not known."""
    return participant.safety.cases.get(ae, NOTHING)


def _is_complete(definition: StudyDefinition, causality: list[Mapping[str, Any]]) -> bool:
    return sorted(row["product"] for row in causality) == sorted(definition.products)


def fold_reported(case: Case) -> Participant:
    """Add an adverse event, version 1."""
    record, data = case.record, case.record.data
    event = AdverseEvent(
        index=record.index,
        event=record.event,
        version=1,
        grade=data["grade"],
        serious=data["serious"],
        outcome=data["outcome"],
    )
    judged = SafetyCase(site=data["serious"], criterion_death=DEATH in data["criteria"])
    return _put(case, event, judged, data["awareness"])


def fold_version(case: Case) -> Participant:
    """Carry an adverse event to its next version, with the members that changed."""
    data = case.record.data
    judged = case_of(case.participant, data["ae"])
    if "criteria" in data:
        judged = replace(judged, criterion_death=DEATH in data["criteria"])
    return _next(case, replace(judged, site=data.get("serious", judged.site)))


def fold_assessed(case: Case) -> Participant:
    """Keep one assessor's own judgement as the next version."""
    return _next(case, _judged(case, serious=case.record.data["serious"]))


def fold_nullified(case: Case) -> Participant:
    """Keep an adverse event, and say that it was none."""
    judged = case_of(case.participant, case.record.data["ae"])
    return _next(case, replace(judged, nullified=judged.nullified or case.record.index))


def fold_seriousness(case: Case) -> Participant:
    """Keep one assessor's changed judgement, without a version of the event."""
    data = case.record.data
    known = case.participant.adverse_events.get(data["ae"])
    if known is None:
        return case.participant
    return _put(case, known, _judged(case, serious=data["new"]), None)


def _judged(case: Case, *, serious: bool) -> SafetyCase:
    """Return the judgements with one more: what the sponsor has raised stays raised."""
    data = case.record.data
    judged = case_of(case.participant, data["ae"])
    if data["assessor"] == SPONSOR:
        return replace(judged, sponsor=serious or bool(judged.sponsor))
    return replace(judged, site=serious, criterion_death=DEATH in data["criteria"])


def _next(case: Case, judged: SafetyCase) -> Participant:
    record, data = case.record, case.record.data
    known = case.participant.adverse_events.get(data["ae"])
    if known is None:
        return case.participant
    event = replace(
        known,
        index=record.index,
        event=record.event,
        version=data["version"],
        grade=data.get("grade", known.grade),
        outcome=data.get("outcome", known.outcome),
    )
    return _put(case, event, judged, data.get("new_information"))


def _put(case: Case, event: AdverseEvent, judged: SafetyCase, known_since: str | None) -> Participant:
    """Put an adverse event with its judgements; `known_since` is from when on this was known."""
    participant, ae = case.participant, case.record.data["ae"]
    events = MappingProxyType({**participant.adverse_events, ae: replace(event, serious=judged.serious)})
    cases = MappingProxyType({**participant.safety.cases, ae: judged})
    participant = replace(participant, adverse_events=events, safety=replace(participant.safety, cases=cases))
    return _run_clocks(case, settle_death(participant, case.record.index), known_since)


def settle_death(participant: Participant, index: int) -> Participant:
    """Say since which index the participant has died: by a report, a fatal event, a survival status."""
    cases = participant.safety.cases
    known = bool(participant.safety.deaths) or participant.leaving.dead is not None
    dead = known or any(
        event.outcome == FATAL and cases[ae].nullified is None
        for ae, event in participant.adverse_events.items()
    )
    if dead == (participant.died is not None):
        return participant
    return replace(participant, died=index if dead else None)


def _run_clocks(case: Case, participant: Participant, known_since: str | None) -> Participant:
    """Start or stop the clocks of an adverse event by what is known of it now."""
    record, ae = case.record, case.record.data["ae"]
    judged, event = participant.safety.cases[ae], participant.adverse_events[ae]
    known_us = record.at_us if known_since is None else clocks.known_us(record, known_since, case.zone)
    limit_us = clocks.limit_us(case.definition, clocks.FIRST_KNOWLEDGE)
    stands = judged.nullified is None
    if not (stands and judged.site) or judged.reported is not None:
        participant = clocks.answer(participant, SAE_LATE, ae)
    elif limit_us is not None and not case_of(case.participant, ae).site:
        participant = clocks.wait(participant, record, SAE_LATE, ae, known_us + limit_us)
    fatal = event.outcome == FATAL or judged.criterion_death
    if not (stands and fatal) or participant.safety.deaths:
        return clocks.answer(participant, NO_DEATH, ae)
    before = case.participant.adverse_events.get(ae)
    was = before is not None and (before.outcome == FATAL or case_of(case.participant, ae).criterion_death)
    due_us = known_us + (limit_us or DEATH_WITHIN_US)
    return participant if was else clocks.wait(participant, record, NO_DEATH, ae, due_us)


def fold_to_sponsor(case: Case) -> Participant:
    """Note the first report of an event to the sponsor: its clock stops."""
    judged = case_of(case.participant, case.record.data["ae"])
    if judged.reported is not None:
        return case.participant
    participant = _keep(case, replace(judged, reported=case.record.index))
    return clocks.answer(participant, SAE_LATE, case.record.data["ae"])


def fold_closed(case: Case) -> Participant:
    """Note that the sponsor expects nothing more."""
    judged = case_of(case.participant, case.record.data["ae"])
    return _keep(case, replace(judged, closed=case.record.index))


def _keep(case: Case, judged: SafetyCase) -> Participant:
    ae, safety = case.record.data["ae"], case.participant.safety
    if ae not in case.participant.adverse_events:
        return case.participant
    return replace(
        case.participant,
        safety=replace(safety, cases=MappingProxyType({**safety.cases, ae: judged})),
    )


JUDGES: Final[Mapping[str, Judge]] = MappingProxyType(
    {
        "adverse_event.reported": judge_reported,
        "adverse_event.followed_up": judge_followed_up,
        "adverse_event.assessed": judge_assessed,
        "adverse_event.resolved": judge_version,
        "adverse_event.nullified": judge_version,
        "seriousness.changed": judge_seriousness,
        "sae.reported_to_sponsor": judge_to_sponsor,
        "safety_case.closed": judge_closed,
    }
)
FOLDS: Final[Mapping[str, Fold]] = MappingProxyType(
    {
        "adverse_event.reported": fold_reported,
        "adverse_event.followed_up": fold_version,
        "adverse_event.assessed": fold_assessed,
        "adverse_event.resolved": fold_version,
        "adverse_event.nullified": fold_nullified,
        "seriousness.changed": fold_seriousness,
        "sae.reported_to_sponsor": fold_to_sponsor,
        "safety_case.closed": fold_closed,
    }
)
_VERSION: Final = "ADVERSE_EVENT_UNKNOWN ADVERSE_EVENT_VERSION ADVERSE_EVENT_NULLIFIED"
_CLOCKS: Final = "SAE_REPORT_LATE DEATH_NOT_REPORTED"
_ASSESSOR: Final = "SERIOUS_CRITERIA ASSESSOR_ROLE SPONSOR_DOWNGRADE"
ASKED: Final[Mapping[str, str]] = MappingProxyType(
    {
        "adverse_event.reported": f"ID_REUSED SERIOUS_CRITERIA CAUSALITY_INCOMPLETE SCALE_UNKNOWN {_CLOCKS}",
        "adverse_event.followed_up": f"{_VERSION} SERIOUS_CRITERIA CAUSALITY_INCOMPLETE {_CLOCKS}",
        "adverse_event.assessed": f"{_VERSION} {_ASSESSOR} CAUSALITY_INCOMPLETE {_CLOCKS}",
        "adverse_event.resolved": f"{_VERSION} DEATH_NOT_REPORTED",
        "adverse_event.nullified": _VERSION,
        "seriousness.changed": f"ADVERSE_EVENT_UNKNOWN ADVERSE_EVENT_NULLIFIED SERIOUSNESS_OLD {_ASSESSOR} "
        f"{_CLOCKS}",
        "sae.reported_to_sponsor": "ADVERSE_EVENT_UNKNOWN NOT_SERIOUS SAE_VERSION",
        "safety_case.closed": "ADVERSE_EVENT_UNKNOWN NOT_SERIOUS SAE_VERSION CASE_CLOSED_EARLY",
        "irb.notified": "",
        "medical_monitor.reviewed": "",
        "coding.applied": "",
    }
)
