"""The study and its sites: what stands before what (catalogue A, B; record-format.md §8).

Judged for every statement outside the participants' streams. Role, key and account are `authorisation`; here
is only the order of things, and who of several people may do them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Final

from ledger.rules.case import StudyCase, StudyFold, StudyJudge
from ledger.rules.record import Record, span
from ledger.studystate import (
    Delegation,
    ErasureApproval,
    RandomizationList,
    StudyState,
    read_definition,
)
from ledger.times import Interval

# Nouns whose statements are of the study, and so come after its registration.
_OF_STUDY: Final = frozenset(
    {
        "protocol",
        "consent_form",
        "irb_approval",
        "investigator",
        "delegation",
        "site",
        "enrolment",
        "randomization",
    }
)


def judge_any(case: StudyCase) -> Iterator[str]:
    """Judge what every statement of the study and its sites needs: the study, and a site that it has."""
    record, study = case.record, case.study
    if record.type.partition(".")[0] in _OF_STUDY and study.registered is None:
        yield "STUDY_NOT_REGISTERED"
    if not record.stream.startswith("site/"):
        return
    protocol = study.protocol(record.index)
    if protocol is not None and protocol.definition and record.site not in protocol.definition.sites:
        yield "SITE_UNKNOWN"
    if record.type in _SITE_GATES and _has_lapsed(record, study):
        yield "IRB_LAPSED"


_SITE_GATES: Final = frozenset(
    {"investigator.designated", "delegation.granted", "site.initiated", "site.activated"}
)


def _has_lapsed(record: Record, study: StudyState) -> bool:
    """Tell whether the last approval of a site has ended; before the first there is none to lapse."""
    site, zone = study.site(record.site or ""), study.zone(record.site)
    ends = [span(a.ends, zone).latest_us for a in site.approvals]
    return bool(ends) and max(ends) < record.at_us


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


def judge_investigator(case: StudyCase) -> Iterator[str]:
    """Judge a designation: who holds the role, at a site that has no principal investigator."""
    record = case.record
    site = record.site or ""
    if record.data["site"] != site:
        yield "SITE_UNKNOWN"
    if not case.authority.holds(record.data["person"], "investigator", site):
        yield "INVESTIGATOR_ROLE"
    if case.study.site(site).investigators:
        yield "INVESTIGATOR_PRESENT"


def judge_granted(case: StudyCase) -> Iterator[str]:
    """Judge a delegation: by the site's own investigator; back-dated it is flagged."""
    record, data = case.record, case.record.data
    yield from _judge_investigator_signs(case)
    if data["site"] != record.site:
        yield "SITE_UNKNOWN"
    if span(data["from"], case.study.zone(record.site)).latest_us < record.at_us:
        yield "DELEGATION_BACKDATED"


def judge_accepted(case: StudyCase) -> Iterator[str]:
    """Judge an acceptance: of a delegation at this site, by its delegate, once and before its end."""
    delegation = _delegation(case)
    if delegation is None:
        yield "REFERENCE"
        return
    if delegation.person != case.record.statement.actor.id or delegation.accepted is not None:
        yield "NOT_THE_DELEGATE"
    if delegation.ended is not None:
        yield "DELEGATION_ENDED"


def judge_delegation_ended(case: StudyCase) -> Iterator[str]:
    """Judge the end of a delegation: by the site's own investigator, once."""
    delegation = _delegation(case)
    if delegation is None:
        yield "REFERENCE"
        return
    yield from _judge_investigator_signs(case)
    if delegation.ended is not None:
        yield "DELEGATION_ENDED"


def _judge_investigator_signs(case: StudyCase) -> Iterator[str]:
    record = case.record
    now = Interval(earliest_us=record.at_us, latest_us=record.at_us)
    if case.study.investigator(record.site or "", now, record.index) != record.statement.actor.id:
        yield "NOT_SITE_INVESTIGATOR"


def _delegation(case: StudyCase) -> Delegation | None:
    return case.study.delegation(case.record.site or "", case.record.data["delegation"])


def judge_activated(case: StudyCase) -> Iterator[str]:
    """Judge an activation: initiated, once, with approval, investigator and an accepted delegation."""
    record, study = case.record, case.study
    name = record.site or ""
    site = study.site(name)
    if site.initiated is None:
        yield "SITE_NOT_INITIATED"
    if site.activated is not None:
        yield "SITE_ALREADY_ACTIVE"
    now = Interval(earliest_us=record.at_us, latest_us=record.at_us)
    approved = study.approved(name, now, record.index)
    led = study.investigator(name, now, record.index) is not None
    if not (approved and led and any(d.accepted is not None for d in site.delegations)):
        yield "SITE_CHECKLIST"


def judge_enrolment(case: StudyCase) -> Iterator[str]:
    """Judge the opening of enrolment: under an approved protocol, at sites of it, once."""
    study, sites = case.study, case.record.data["sites"]
    protocol = study.protocol(case.record.index)
    if protocol is None:
        yield "PROTOCOL_UNKNOWN"
    elif protocol.definition and not all(s == "*" or s in protocol.definition.sites for s in sites):
        yield "SITE_UNKNOWN"
    if study.enrolments:
        yield "ENROLMENT_OPENED_TWICE"


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
    elif protocol.definition and not set(data["strata"]) <= set(protocol.definition.sites):
        yield "LIST_PARAMETERS"


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


def judge_opened(_: StudyCase) -> Iterator[str]:
    """Judge the opening of a list: after the database is locked, which this version cannot do yet."""
    yield "DATABASE_NOT_LOCKED"


def _list(case: StudyCase) -> RandomizationList | None:
    return case.study.lists.get(case.record.data["list"])


def judge_erased(case: StudyCase) -> Iterator[str]:
    """Judge an erasure: two approvals of these digests by different people, one not of the sponsor."""
    data = case.record.data
    approvals = [case.study.erasures.get(named) for named in data["approvals"]]
    if any(approval is None for approval in approvals):
        yield "REFERENCE"
        return
    good = [a for a in approvals if a is not None and _covers(a, data["statement"], data["digests"])]
    if len({approval.person for approval in good}) < 2:
        yield "SAME_PERSON"
    if len(good) < 2 or all(approval.of_sponsor for approval in good):
        yield "ERASURE_APPROVALS"


def _covers(approval: ErasureApproval, statement: str, digests: list[str]) -> bool:
    return approval.statement == statement and approval.digests >= set(digests)


STUDY_JUDGES: Final[Mapping[str, StudyJudge]] = MappingProxyType(
    {
        "study.registered": judge_registered,
        "protocol.approved": judge_protocol,
        "consent_form.approved": judge_consent_form,
        "investigator.designated": judge_investigator,
        "delegation.granted": judge_granted,
        "delegation.accepted": judge_accepted,
        "delegation.ended": judge_delegation_ended,
        "site.activated": judge_activated,
        "enrolment.opened": judge_enrolment,
        "randomization.seed_committed": judge_seed,
        "randomization.parameters_committed": judge_parameters,
        "randomization.list_committed": judge_list,
        "randomization.list_opened": judge_opened,
        "personal_data.erased": judge_erased,
    }
)
STUDY_FOLDS: Final[Mapping[str, StudyFold]] = MappingProxyType({})
ASKED: Final[Mapping[str, str]] = MappingProxyType({})
