"""The study: what stands before what (catalogue A, B; record-format.md §8).

`judge_any` is asked of every statement outside the participants' streams. Role, key and account are
`authorisation`; here is only the order of things, and who of several people may do them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Final

from ledger.actions.registry import Effect, find_spec
from ledger.rules import general
from ledger.rules.case import StudyCase, StudyFold, StudyJudge
from ledger.study.definition import StudyDefinition
from ledger.studystate import RandomizationList, read_definition

# Nouns whose statements are of the study, and so come after its registration.
_OF_STUDY: Final = frozenset(
    {
        "protocol",
        "amendment",
        "consent_form",
        "irb_approval",
        "irb_continuation",
        "command_approval",
        "investigator",
        "delegation",
        "site",
        "study",
        "enrolment",
        "urgent_safety_measure",
        "randomization",
    }
)

CLOSING: Final = frozenset({"site.suspended", "site.closed"})
"""Gates that end what others permit: nothing that has ended holds them."""

_STUDY_GATES: Final = frozenset(
    {"protocol.approved", "consent_form.approved", "enrolment.opened", "study.resumed", "study.closed"}
)


def judge_any(case: StudyCase) -> Iterator[str]:
    """Judge what every statement of the study and its sites needs: the study, and a site that it has."""
    record, study = case.record, case.study
    if is_of_study(record.type) and study.registered is None:
        yield "STUDY_NOT_REGISTERED"
    kind = record.stream.partition("/")[0]
    if kind in ("site", "pharmacy") and not study.has_site(record.site or "", record.index):
        yield "SITE_UNKNOWN"
    if kind == "pharmacy":
        yield from general.judge_pharmacy(record, study)
    elif has_conditions(record.type, kind):
        if study.conditions.standing(record.now, record.index) == "closed":
            yield "STUDY_CLOSED"
        if kind == "site" and study.site(record.site or "").approvals:
            yield from general.judge_board(record, study, record.site or "")


def is_of_study(type_: str) -> bool:
    """Tell whether a type comes after the registration of the study."""
    return type_.partition(".")[0] in _OF_STUDY and type_ != "study.registered"


def has_conditions(type_: str, kind: str) -> bool:
    """Tell whether a type is a gate of the study or of a site, which waits while what it rests on is over.

    Before a site's first approval there is none to lapse: its investigator and delegations come first.
    """
    if kind == "study":
        return type_ in _STUDY_GATES
    noun = type_.partition(".")[0]
    gate = kind == "site" and noun in _OF_STUDY and type_ not in CLOSING
    known = find_spec(type_, 1)
    return gate and known is not None and known.effect is Effect.GATE


def judge_registered(case: StudyCase) -> Iterator[str]:
    """Judge the registration: once."""
    if case.study.registered is not None:
        yield "STUDY_REGISTERED_TWICE"


def judge_protocol(case: StudyCase) -> Iterator[str]:
    """Judge a protocol: a new version, with a definition of that version which can be read."""
    version = case.record.data["version"]
    if case.study.version(version, case.record.index) is not None:
        yield "ID_REUSED"
    if read_definition(case.attachments(case.record.data["definition"]["sha256"]), version) is None:
        yield "DEFINITION_INVALID"


def judge_consent_form(case: StudyCase) -> Iterator[str]:
    """Judge a consent form: under an approved protocol, a new version in its language."""
    data = case.record.data
    if not case.study.protocols:
        yield "PROTOCOL_UNKNOWN"
    if any((f.version, f.language) == (data["version"], data["language"]) for f in case.study.forms):
        yield "ID_REUSED"


def judge_seed(case: StudyCase) -> Iterator[str]:
    """Judge a seed: before the parameters of its list, one for each person."""
    list_ = _list(case)
    if list_ is None:
        return
    if list_.parameters is not None:
        yield "LIST_COMMITTED"
    if any(seed.person == case.record.statement.actor.id for seed in list_.seeds):
        yield "LIST_CONTRIBUTORS"


def judge_parameters(case: StudyCase) -> Iterator[str]:
    """Judge parameters: once, over all committed seeds of different people, with a beacon still to come."""
    record, data, list_ = case.record, case.record.data, _list(case)
    if list_ is not None and list_.parameters is not None:
        yield "LIST_COMMITTED"
    seeds = list_.seeds if list_ is not None else ()
    chosen = [seed for seed in seeds if seed.event in data["contributors"]]
    if len(chosen) != len(data["contributors"]):
        yield "REFERENCE"
    elif len(chosen) != len(seeds):
        yield "LIST_PARAMETERS"  # who contributed is fixed by the commitments, not picked afterwards
    if len({s.person for s in chosen}) < 2 or len({s.organisation for s in chosen}) < 2:
        yield "LIST_CONTRIBUTORS"
    if data["beacon_size"] <= record.index:
        yield "LIST_BEFORE_BEACON"
    yield from _judge_design(case)


def _judge_design(case: StudyCase) -> Iterator[str]:
    """Judge strata and the first list against what the study holds."""
    data, study = case.record.data, case.study
    first = data.get("first")
    if first is not None:
        known = study.lists.get(first)
        if known is None or known.parameters is None or tuple(data["strata"]) != known.strata:
            yield "LIST_PARAMETERS"
        return
    protocol = study.protocol(case.record.index)
    if protocol is None:
        yield "PROTOCOL_UNKNOWN"
    elif protocol.definition and not set(data["strata"]) <= _strata(protocol.definition):
        yield "LIST_PARAMETERS"


def _strata(definition: StudyDefinition) -> frozenset[str]:
    """Return what a list can be stratified by: any sites, or the one stratum of the whole study."""
    plan = definition.randomization
    by_site = plan is None or plan.stratified_by == "site"
    return frozenset(definition.sites if plan is None or by_site else plan.strata)


def judge_list(case: StudyCase) -> Iterator[str]:
    """Judge a list: after its parameters and beacon, once, of the right size, before the first enrolment."""
    record, study, list_ = case.record, case.study, _list(case)
    if list_ is None or list_.parameters is None or list_.committed is not None:
        yield "LIST_COMMITTED"
    if study.first_registration is not None:
        yield "LIST_AFTER_ENROLMENT"
    if list_ is None or list_.parameters is None:
        return
    if record.index < list_.beacon_size:
        yield "LIST_BEFORE_BEACON"
    if record.data["size"] != list_.slots * len(list_.strata):
        yield "LIST_PARAMETERS"
    if any(_is_reroll(other, list_) for other in study.lists.values()):
        yield "LIST_REROLLED"


def _is_reroll(other: RandomizationList, list_: RandomizationList) -> bool:
    same = (other.algorithm, other.first) == (list_.algorithm, list_.first)
    return other.name != list_.name and other.parameters is not None and same and other.begun < list_.begun


def judge_opened(case: StudyCase) -> Iterator[str]:
    """Judge the opening of a list: after the database is locked."""
    index = case.record.index
    if not case.study.locked(index) and not case.study.is_cut("study"):
        yield "DATABASE_NOT_LOCKED"


def _list(case: StudyCase) -> RandomizationList | None:
    return case.study.lists.get(case.record.data["list"])


STUDY_JUDGES: Final[Mapping[str, StudyJudge]] = MappingProxyType(
    {
        "study.registered": judge_registered,
        "protocol.approved": judge_protocol,
        "consent_form.approved": judge_consent_form,
        "randomization.seed_committed": judge_seed,
        "randomization.parameters_committed": judge_parameters,
        "randomization.list_committed": judge_list,
        "randomization.list_opened": judge_opened,
    }
)
STUDY_FOLDS: Final[Mapping[str, StudyFold]] = MappingProxyType({})
ASKED: Final[Mapping[str, str]] = MappingProxyType(
    {
        "study.registered": "STUDY_REGISTERED_TWICE",
        "protocol.approved": "ID_REUSED DEFINITION_INVALID",
        "consent_form.approved": "PROTOCOL_UNKNOWN ID_REUSED",
        "randomization.seed_committed": "LIST_COMMITTED LIST_CONTRIBUTORS",
        "randomization.parameters_committed": "LIST_COMMITTED REFERENCE LIST_PARAMETERS "
        "LIST_CONTRIBUTORS LIST_BEFORE_BEACON PROTOCOL_UNKNOWN",
        "randomization.list_committed": "LIST_COMMITTED LIST_AFTER_ENROLMENT LIST_BEFORE_BEACON "
        "LIST_PARAMETERS LIST_REROLLED",
        "randomization.list_opened": "DATABASE_NOT_LOCKED",
    }
)
