"""Rules of what a study permits: protocol in force, forms, enrolment, halt and close (catalogue B; R3)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any, Final

from ledger.rules.case import StudyCase, StudyFold, StudyJudge
from ledger.rules.record import Record
from ledger.state.conditions import ALL_SITES, Measure, Pause, Step
from ledger.state.sites import Activation
from ledger.studystate import Attachments, Protocol, StudyState
from ledger.times import Interval


def judge_amendment(case: StudyCase) -> Iterator[str]:
    """Judge an amendment at a site: a later version, approved there, with its form, and staff trained on it.

    An urgent safety measure that it names lets it be in force before all that (21 CFR 312.30(b)).
    """
    record, study, data = case.record, case.study, case.record.data
    site = record.site or ""
    if data["site"] != site:
        yield "SITE_UNKNOWN"
    version = study.version(data["version"], record.index)
    if version is None:
        yield "PROTOCOL_UNKNOWN"
        return
    present = study.protocol_for(site, record.index)
    if present is None or version.index <= present.index:
        yield "AMENDMENT_NOT_LATER"
    if "statement" not in data:
        yield from _judge_prepared(case, site, version)
    elif study.conditions.measure(data["statement"], site, record.index) is None:
        named = case.earlier(data["statement"])
        if named is None or named.statement is not None:  # else it is withheld, and may be one
            yield "REFERENCE"


def _judge_prepared(case: StudyCase, site: str, version: Protocol) -> Iterator[str]:
    record, study = case.record, case.study
    now = Interval(earliest_us=record.at_us, latest_us=record.at_us)
    cut = study.is_cut(record.stream)
    if not cut and not _is_approved(study, site, version, now, record.index):
        yield "AMENDMENT_NOT_APPROVED"
    if version.reconsent and not any(
        version.index < form.index < record.index and form.is_for(site) for form in study.forms
    ):
        yield "AMENDMENT_WITHOUT_FORM"
    zone = study.zone(site)
    staff = {d.person for d in study.site(site).delegations if d.holds(now, zone, record.index)}
    leader = study.investigator(site, now, record.index)
    people = staff if leader is None or cut else staff | {leader}
    if any(
        study.trained(p, version.version, now, zone, record.index) is None and not study.is_cut(f"person/{p}")
        for p in people
    ):
        yield "AMENDMENT_UNTRAINED"


def _is_approved(study: StudyState, site: str, version: Protocol, now: Interval, before: int) -> bool:
    """Tell whether the site's board approved a version: under its reference, or after it was approved."""
    of_version = tuple(
        a
        for a in study.site(site).approvals
        if a.reference == version.irb_reference or a.index > version.index
    )
    return replace(study.site(site), approvals=of_version).approved(study.zone(site), now, before)


def judge_retired(case: StudyCase) -> Iterator[str]:
    """Judge the end of a consent form: of one that there is, once."""
    data = case.record.data
    named = [f for f in case.study.forms if (f.version, f.language) == (data["version"], data["language"])]
    if not named:
        yield "CONSENT_FORM_NOT_APPROVED"
    if any(form.retired is not None for form in named):
        yield "CONSENT_FORM_RETIRED"


def judge_enrolment(case: StudyCase) -> Iterator[str]:
    """Judge the opening of enrolment: under an approved protocol, at sites of it, where it is not open."""
    record, study, sites = case.record, case.study, case.record.data["sites"]
    if study.protocol(record.index) is None:
        yield "PROTOCOL_UNKNOWN"
    yield from judge_sites(case)
    if study.conditions.last_standing(record.index) == "halted":
        yield "STUDY_HALTED"
    if any(_is_open(study, site, record) for site in _named(study, sites)):
        yield "ENROLMENT_OPENED_TWICE"


def _named(study: StudyState, sites: list[str]) -> set[str]:
    """Return the sites that a list names; `*` alone where no definition names any."""
    if ALL_SITES not in sites:
        return set(sites)
    known = {s for p in study.protocols if p.definition is not None for s in p.definition.sites}
    return known or {ALL_SITES}


def _is_open(study: StudyState, site: str, record: Record) -> bool:
    now = Interval(earliest_us=record.at_us, latest_us=record.at_us)
    opening = study.enrolment(site, record.index)
    return opening is not None and not study.paused(site, now, record.index)


def judge_sites(case: StudyCase) -> Iterator[str]:
    """Judge that the sites named are the protocol's."""
    record = case.record
    if not all(s == ALL_SITES or case.study.has_site(s, record.index) for s in record.data["sites"]):
        yield "SITE_UNKNOWN"


def judge_resumed(case: StudyCase) -> Iterator[str]:
    """Judge that what is resumed is halted."""
    if case.study.conditions.last_standing(case.record.index) != "halted":
        yield "STUDY_NOT_HALTED"


def _fold_amendment(state: StudyState, record: Record, _: Attachments) -> StudyState:
    site, data = record.site or "", record.data
    activation = Activation(
        index=record.index, version=data["version"], begins=data["from"], recorded_us=record.at_us
    )
    return state.with_site(site, amendments=(*state.site(site).amendments, activation))


def _fold_retired(state: StudyState, record: Record, _: Attachments) -> StudyState:
    data = record.data
    forms = tuple(
        replace(form, retired=record.index, last=data["to"])
        if (form.version, form.language) == (data["version"], data["language"]) and form.retired is None
        else form
        for form in state.forms
    )
    return replace(state, forms=forms)


def _fold_step(state: StudyState, record: Record, _: Attachments) -> StudyState:
    step = Step(index=record.index, state=_STEPS[record.type], begins=record.data["from"])
    conditions = replace(state.conditions, steps=(*state.conditions.steps, step))
    return replace(state, conditions=conditions)


_STEPS: Final[Mapping[str, Any]] = MappingProxyType(
    {"study.halted": "halted", "study.resumed": "resumed", "study.closed": "closed"}
)


def _fold_paused(state: StudyState, record: Record, _: Attachments) -> StudyState:
    data = record.data
    pause = Pause(index=record.index, sites=tuple(data["sites"]), begins=data["from"])
    conditions = replace(state.conditions, pauses=(*state.conditions.pauses, pause))
    return replace(state, conditions=conditions)


def _fold_measure(state: StudyState, record: Record, _: Attachments) -> StudyState:
    measure = Measure(
        index=record.index,
        event=record.event,
        stream=record.stream,
        sites=tuple(record.data["sites"]),
    )
    conditions = replace(state.conditions, measures=(*state.conditions.measures, measure))
    return replace(state, conditions=conditions)


def without_facts(state: StudyState, stream: str) -> StudyState:
    """Return the state without what CORRECTABLE facts of a stream brought, before they are folded again."""
    measures = tuple(m for m in state.conditions.measures if m.stream != stream)
    if measures == state.conditions.measures:
        return state
    return replace(state, conditions=replace(state.conditions, measures=measures))


CORRECTABLE: Final = frozenset({"urgent_safety_measure.taken"})
STUDY_JUDGES: Final[Mapping[str, StudyJudge]] = MappingProxyType(
    {
        "amendment.activated": judge_amendment,
        "consent_form.retired": judge_retired,
        "enrolment.opened": judge_enrolment,
        "enrolment.paused": judge_sites,
        "study.resumed": judge_resumed,
        "urgent_safety_measure.taken": judge_sites,
    }
)
STUDY_FOLDS: Final[Mapping[str, StudyFold]] = MappingProxyType(
    {
        "amendment.activated": _fold_amendment,
        "consent_form.retired": _fold_retired,
        "enrolment.paused": _fold_paused,
        **dict.fromkeys(_STEPS, _fold_step),
        "urgent_safety_measure.taken": _fold_measure,
    }
)
ASKED: Final[Mapping[str, str]] = MappingProxyType(
    {
        "amendment.activated": "SITE_UNKNOWN PROTOCOL_UNKNOWN AMENDMENT_NOT_LATER AMENDMENT_NOT_APPROVED "
        "AMENDMENT_WITHOUT_FORM AMENDMENT_UNTRAINED REFERENCE",
        "consent_form.retired": "CONSENT_FORM_NOT_APPROVED CONSENT_FORM_RETIRED",
        "enrolment.opened": "PROTOCOL_UNKNOWN SITE_UNKNOWN STUDY_HALTED ENROLMENT_OPENED_TWICE",
        "enrolment.paused": "SITE_UNKNOWN",
        "study.halted": "",
        "study.resumed": "STUDY_NOT_HALTED",
        "study.closed": "STUDY_CLOSED",
        "urgent_safety_measure.taken": "SITE_UNKNOWN",
    }
)
