"""Rules of the bedside around infusions: checks, planned and discontinued dosing, observation (catalogue E).

A check that failed holds the start until one is passed. Whether a passed one is demanded, what it answers and
how long it is good for, the definition says; where it says nothing, nothing is demanded.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from decimal import Decimal
from types import MappingProxyType
from typing import Any, Final

from ledger.participant import Infusion, Participant
from ledger.rules import departures
from ledger.rules.case import Case, Fold, Judge
from ledger.rules.record import HOUR_US, span
from ledger.state.bedside import Check, Discontinuation
from ledger.study.definition import StudyDefinition

VOLUME_UNIT: Final = "mL"


def judge_check(case: Case) -> Iterator[str]:
    """Judge a start by the check before it: not failed; passed in time where the protocol asks for one."""
    checks = case.participant.bedside.checks.get(case.record.data["infusion"], ())
    check = next((each for each in reversed(checks) if not case.record.precedes(each.time)), None)
    asked = None if case.definition is None else case.definition.preinfusion
    if check is not None and not check.passed:
        yield "CHECK_FAILED"
    elif asked is not None:
        oldest_us = case.record.now.earliest_us - asked.valid_hours * HOUR_US
        if check is None or check.time.latest_us < oldest_us:
            yield "CHECK_MISSING"


def judge_planned(case: Case) -> Iterator[str]:
    """Judge what is still planned: dosing is not discontinued, and this infusion not omitted."""
    bedside, now = case.participant.bedside, case.record.now
    if any(each.effective.earliest_us <= now.latest_us for each in bedside.discontinued):
        yield "DOSING_DISCONTINUED"
    if case.record.data["infusion"] in bedside.omitted:
        yield "DOSE_OMITTED"


def planned_ml(case: Case) -> Decimal:
    """Return the volume planned for an infusion: the protocol's, or what it was reduced to."""
    if case.definition is None:
        return Decimal(0)
    reduced = case.participant.bedside.reduced.get(case.record.data["infusion"])
    return case.definition.infusion_volume_ml if reduced is None else reduced


def volume_ml(quantity: Mapping[str, Any]) -> Decimal | None:
    """Return a volume in mL; None in another unit, which is never converted silently."""
    return Decimal(quantity["value"]) if quantity["unit"] == VOLUME_UNIT else None


def judge_known(case: Case) -> Iterator[str]:
    """Judge what is said of an infusion: it is one of the protocol's, or of the extension once entered."""
    if not is_planned(case.definition, case.participant, case.record.data["infusion"]):
        yield "INFUSION_UNKNOWN"


def is_planned(definition: StudyDefinition | None, participant: Participant | None, number: int) -> bool:
    """Tell whether the protocol has an infusion for a participant; those of the extension are numbered on."""
    extended = participant is not None and participant.leaving.extension.entered is not None
    return definition is not None and definition.plans_infusion(number, extension=extended)


def judge_checked(case: Case) -> Iterator[str]:
    """Judge a check: it answers all that the protocol asks for."""
    yield from judge_known(case)
    asked = None if case.definition is None else case.definition.preinfusion
    answered = {each["check"] for each in case.record.data["checks"]}
    if asked is not None and not answered.issuperset(asked.checks):
        yield "CHECK_INCOMPLETE"


def judge_omitted(case: Case) -> Iterator[str]:
    """Judge a dose that is omitted: it was not given."""
    yield from judge_known(case)
    if _infusion(case) is not None:
        yield "DOSE_GIVEN"


def judge_reduced(case: Case) -> Iterator[str]:
    """Judge a dose that is reduced: to less than planned."""
    yield from judge_known(case)
    volume = volume_ml(case.record.data["volume"])
    if case.definition is not None and (volume is None or volume >= case.definition.infusion_volume_ml):
        yield "DOSE_NOT_REDUCED"


def judge_observed(case: Case) -> Iterator[str]:
    """Judge an observation: it follows an infusion that was started."""
    infusion = _infusion(case)
    if infusion is None or case.record.occurred.latest_us < infusion.started.earliest_us:
        yield "DOSE_WITHOUT_INFUSION"


def _infusion(case: Case) -> Infusion | None:
    number = case.record.data["infusion"]
    return next((i for i in reversed(case.participant.infusions) if i.number == number), None)


def fold_checked(case: Case) -> Participant:
    """Keep a check before an infusion."""
    record = case.record
    check = Check(
        index=record.index,
        event=record.event,
        passed=record.type == "preinfusion_check.passed",
        time=record.occurred,
    )
    bedside = case.participant.bedside
    earlier = bedside.checks.get(record.data["infusion"], ())
    checks = MappingProxyType({**bedside.checks, record.data["infusion"]: (*earlier, check)})
    return staffed(replace(case.participant, bedside=replace(bedside, checks=checks)), case)


def fold_omitted(case: Case) -> Participant:
    """Remember that an infusion will not be given."""
    bedside, record = case.participant.bedside, case.record
    omitted = MappingProxyType({**bedside.omitted, record.data["infusion"]: record.index})
    return replace(case.participant, bedside=replace(bedside, omitted=omitted))


def fold_reduced(case: Case) -> Participant:
    """Remember what an infusion was reduced to."""
    bedside, data = case.participant.bedside, case.record.data
    reduced = MappingProxyType({**bedside.reduced, data["infusion"]: volume_ml(data["volume"])})
    return replace(case.participant, bedside=replace(bedside, reduced=reduced))


def fold_discontinued(case: Case) -> Participant:
    """End treatment: later orders and starts are held."""
    bedside, record = case.participant.bedside, case.record
    ended = Discontinuation(
        index=record.index, event=record.event, effective=span(record.data["effective"], case.zone)
    )
    bedside = replace(bedside, discontinued=(*bedside.discontinued, ended))
    return replace(case.participant, bedside=bedside, treatment_ended=True)


def fold_staff(case: Case) -> Participant:
    """Remember who took part: no blinded rater of this participant any more."""
    return staffed(case.participant, case)


def staffed(participant: Participant, case: Case) -> Participant:
    """Return the participant with who performed and signed a record among the infusion staff."""
    staff = participant.infusion_staff | {case.record.performer, case.record.statement.actor.id}
    return participant if staff == participant.infusion_staff else replace(participant, infusion_staff=staff)


JUDGES: Final[Mapping[str, Judge]] = MappingProxyType(
    {
        "preinfusion_check.passed": judge_checked,
        "preinfusion_check.failed": judge_known,
        "dose.held": judge_known,
        "dose.omitted": judge_omitted,
        "dose.reduced": judge_reduced,
        "dosing_error.reported": judge_known,
        "postinfusion.observed": judge_observed,
        "hazard_departure.recorded": departures.judge,
    }
)
FOLDS: Final[Mapping[str, Fold]] = MappingProxyType(
    {
        "preinfusion_check.passed": fold_checked,
        "preinfusion_check.failed": fold_checked,
        "dose.omitted": fold_omitted,
        "dose.reduced": fold_reduced,
        "dosing.discontinued": fold_discontinued,
        "postinfusion.observed": fold_staff,
        "hazard_departure.recorded": departures.fold,
    }
)
ASKED: Final[Mapping[str, str]] = MappingProxyType(
    {
        "preinfusion_check.passed": "INFUSION_UNKNOWN CHECK_INCOMPLETE",
        "preinfusion_check.failed": "INFUSION_UNKNOWN",
        "dose.held": "INFUSION_UNKNOWN",
        "dose.omitted": "INFUSION_UNKNOWN DOSE_GIVEN",
        "dose.reduced": "INFUSION_UNKNOWN DOSE_NOT_REDUCED",
        "dosing.discontinued": "",
        "dosing_error.reported": "INFUSION_UNKNOWN",
        "postinfusion.observed": "DOSE_WITHOUT_INFUSION",
        "hazard_departure.recorded": "DEPARTURE_NOT_ALLOWED",
    }
)
