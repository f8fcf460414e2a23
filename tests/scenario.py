"""Given, when, then: rules are tested by telling a story and asking what the last sentence breaks.

    story = given_study()                                   # everything permitted, nothing broken
    story.given("participant.registered", …)                # must be accepted and break nothing
    told = story.when("infusion.started", …)                # the sentence under test
    assert told.refused == "CONSENT_MISSING"                # then

A story writes real statements in their exact format, parses them as actions, and treats them as the ledger
does (catalogue R6): what is refused is not folded, what is accepted with breaches gets its `breach.detected`.
Only keys and signatures are absent, because no rule of conduct reads them.

    @breaks("infusion.started", "ORDER_MISSING")            # what a test shows, held to it when it runs
    @keeps("infusion.started")

`breaks` says that a statement of this type breaks this rule in the test, `keeps` that one of it breaks none.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from ledger.actions.registry import Effect as Kind
from ledger.actions.registry import all_specs, delegated_types, parse_action, spec
from ledger.authority import Authority, Grant, Person
from ledger.conduct import Conduct, Effect, Violation, criteria_digest
from ledger.entry import Entry, Index
from ledger.envelope import PAYLOAD_TYPE, EventHash
from ledger.leaf import Leaf
from ledger.participant import Breach, Participant
from ledger.rules import outside, participants
from ledger.rules.asked import asked
from ledger.statement import ZERO_HASH, Statement, build_statement, class_of, parse_statement
from ledger.study.definition import load, published
from ledger.times import format_instant, parse_instant

ORIGIN = "ledger.example/rules"
SITE = "SA-01"
PARTICIPANT = "SA-01-001"
PROTOCOL = "1.0"
DEFINITION = published(
    (Path(__file__).resolve().parents[1] / "ledger/study/definitions/nct06414356.json").read_bytes()
)
STUDY = load(DEFINITION)
FORM_SHA256 = "f0" * 32
BEGIN = "2025-01-06T15:00:00.000000Z"  # a Monday, 09:00 at the site
DAY1 = "2025-02-03T15:00:00.000000Z"  # a Monday, 28 days later
MINUTE_US = 60_000_000
DAY_US = 24 * 60 * MINUTE_US

# id -> organisation, role
PEOPLE = {
    "sponsor": ("Sponsor", "sponsor_administrator"),
    "holder": ("Statistics Unit", "list_holder"),
    "ines": ("Site SA-01", "investigator"),
    "iris": ("Site SA-01", "investigator"),
    "sub": ("Site SA-01", "sub_investigator"),
    "cora": ("Site SA-01", "coordinator"),
    "nurse": ("Site SA-01", "infusion_staff"),
    "rater": ("Site SA-01", "blinded_rater"),
    "new": ("Site SA-01", "coordinator"),
    "monitor": ("Sponsor", "blinded_monitor"),
    "unmon": ("Sponsor", "unblinded_monitor"),
    "other": ("Site SD-02", "investigator"),
    "oncall": ("On-call Unblinding", "on_call_unblinding"),
    "keeper": ("Site SA-01", "unblinded_pharmacist"),
    "pharma": ("Site SA-01", "unblinded_pharmacist"),
    "checker": ("Site SA-01", "unblinded_pharmacist"),
    "witness": ("Site SA-01", "unblinded_pharmacist"),
    "stat": ("Statistics Unit", "unblinded_statistician"),
    "medmon": ("Sponsor", "medical_monitor"),
    "safety": ("Safety Desk", "unblinded_safety_physician"),
    "board": ("Safety Committee", "safety_committee"),
    "coder": ("Data Centre", "data_manager"),
    "insp": ("Agency", "inspector"),
    "p-one": ("participant", "participant"),
    "service": ("Operator", "service"),
}
STAFF = ("sub", "cora", "nurse", "rater")
TASKS = sorted(delegated_types())
DECLARED = participants.ASKED.keys() | outside.ASKED.keys()
SOURCE = {"kind": "esource"}


TOLD: list[tuple[str, frozenset[str]]] = []
"""Type and broken rules of every statement told since a test began."""


def breaks(type_: str, *codes: str) -> pytest.MarkDecorator:
    """Mark a test in which statements of a type break these rules: refused, held or flagged."""
    return pytest.mark.breaks(type_, *codes)


def keeps(*types: str) -> pytest.MarkDecorator:
    """Mark a test in which a statement of each of these types is recorded and breaks nothing."""
    return pytest.mark.keeps(*types)


def check_shown(item: pytest.Item) -> None:
    """Hold a test to its marks, and every broken rule to what the rules say of its type."""
    for type_, codes in TOLD:
        known = {code for s in all_specs() if s.type == type_ for code in asked(s)}
        unnamed = sorted(codes - known)
        assert not unnamed or type_ not in DECLARED, f"{type_} breaks {unnamed}, which ASKED does not name"
    for mark in item.iter_markers("breaks"):
        type_, *expected = mark.args
        broken = {code for told, codes in TOLD if told == type_ for code in codes}
        assert broken >= set(expected), f"marked breaks({type_}, {expected}); broken were {sorted(broken)}"
    for mark in item.iter_markers("keeps"):
        for type_ in mark.args:
            assert (type_, frozenset()) in TOLD, f"marked keeps({type_}); it never kept the rules"


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What became of one statement.

    Attributes:
        event: its hash, to name it later.
        refused: the rule that kept it out, None where it was recorded.
        codes: every rule that it breaks.
        caused: (rule, event) of breaches that it newly causes on earlier statements.
    """

    event: EventHash
    index: int
    refused: str | None
    codes: tuple[str, ...]
    caused: tuple[tuple[str, str], ...] = ()


class Story:
    """A log in memory: a reader for conduct, a clock, and what the ledger does with a statement."""

    def __init__(self) -> None:
        self.log: list[Entry] = []
        self.attachments: dict[str, bytes] = {}
        self.openings: dict[str, Mapping[str, Any]] = {}
        self.conduct = Conduct(self)
        self.authority = authority()
        self.now_us = parse_instant(BEGIN)

    # What conduct asks of the log.
    def entries_of(self, stream: str) -> Sequence[Entry]:
        """Return a stream's entries."""
        return [e for e in self.log if e.statement is not None and e.statement.stream == stream]

    def index_of(self, event: str) -> int | None:
        """Return the index of an event hash."""
        return next((entry.index for entry in self.log if entry.event == event), None)

    def entry_at(self, index: int) -> Entry | None:
        """Return the entry of an index."""
        return self.log[index] if 0 <= index < len(self.log) else None

    def attachment(self, sha256: str) -> bytes | None:
        """Return an attachment's bytes."""
        return self.attachments.get(sha256)

    def opened(self, event: str) -> Mapping[str, Any] | None:
        """Return the sealed values that the story's ledger opens."""
        return self.openings.get(event)

    # The clock.
    def goto(self, instant: str) -> None:
        """Set the clock."""
        self.now_us = parse_instant(instant)

    def wait(self, *, minutes: float = 0, hours: float = 0, days: float = 0) -> None:
        """Let time pass."""
        self.now_us += int((minutes + 60 * hours + 1440 * days) * MINUTE_US)

    @property
    def now(self) -> str:
        """The time of recording."""
        return format_instant(self.now_us)

    def ago(self, *, minutes: float = 0, hours: float = 0, days: float = 0) -> str:
        """Return an instant before now."""
        return format_instant(self.now_us - int((minutes + 60 * hours + 1440 * days) * MINUTE_US))

    def attach(self, data: bytes, media_type: str = "application/json") -> dict[str, Any]:
        """Keep an attachment and return how a statement names it."""
        sha256 = hashlib.sha256(data).hexdigest()
        self.attachments[sha256] = data
        return {"media_type": media_type, "sha256": sha256, "size": len(data)}

    # Telling.
    def given(self, type_: str, data: Mapping[str, Any], **said: Any) -> Told:
        """Record what must be accepted and break nothing; a minute passes."""
        told = self.when(type_, data, **said)
        assert told.refused is None, f"{type_}: {told.refused}"
        assert not told.codes, f"{type_}: {told.codes}"
        return told

    def when(self, type_: str, data: Mapping[str, Any], **said: Any) -> Told:
        """Submit a statement as the ledger would take it; a minute passes."""
        self.now_us += MINUTE_US
        entry = self.entry(type_, data, **said)
        violations = self.conduct.judge(entry, self.authority)
        codes = tuple(violation.rule for violation in violations)
        refused = next((v.rule for v in violations if _refuses(v, type_, entry)), None)
        TOLD.append((type_, frozenset(codes)))
        if refused is not None:
            return Told(event=entry.event, index=entry.index, refused=refused, codes=codes)
        self.log.append(entry)
        caused = self.conduct.evolve(entry, self.authority)
        for violation in (*violations, *caused):
            self._detect(violation)
        TOLD.extend((self._type_of(v.statement), frozenset({v.rule})) for v in caused)
        pairs = tuple((violation.rule, str(violation.statement)) for violation in caused)
        return Told(event=entry.event, index=entry.index, refused=None, codes=codes, caused=pairs)

    def _type_of(self, event: str) -> str:
        named = next(e.statement for e in self.log if e.event == event)
        assert named is not None
        return named.type

    def _detect(self, violation: Violation) -> None:
        named = next(e for e in self.log if e.event == violation.statement)
        assert named.statement is not None
        detected = self.entry(
            "breach.detected",
            {"rule": violation.rule, "statement": violation.statement},
            by="service",
            stream=named.statement.stream,
            site=named.statement.site,
        )
        assert self.conduct.judge(detected, self.authority) == ()
        self.log.append(detected)
        assert self.conduct.evolve(detected, self.authority) == ()

    def entry(
        self,
        type_: str,
        data: Mapping[str, Any],
        *,
        by: str = "cora",
        stream: str = f"participant/{PARTICIPANT}",
        site: str | None = SITE,
        occurred: str | None = None,
        signed: str | None = None,
        protocol: str | None = None,
        reason: str | None = None,
        originator: Mapping[str, str] | None = None,
        schema: int = 1,
        meaning: str | None = None,
        sealed: Sequence[str] = (),
        opened: Mapping[str, Any] | None = None,
    ) -> Entry:
        """Write a statement and put it where it would stand, parsed as the ledger parses it."""
        data = dict(data)
        known = spec(type_, schema)
        kind, _, name = stream.partition("/")
        if kind not in ("participant", "site", "pharmacy"):
            site = None
        elif kind != "participant":
            site = name
        if kind in ("participant", "pharmacy") and _is_catalogue_fact(type_):
            data.setdefault("source", SOURCE)
        before = self.entries_of(stream)
        organisation, role = PEOPLE[by]
        number = len(self.log)
        pointers = [*known.sealed, *sealed, *(["/reason/text"] if reason is not None else [])]
        value: dict[str, Any] = {
            "v": 1,
            "log": ORIGIN,
            "id": f"01940000-0000-7000-8000-{self.now_us % 2**24:06x}{number % 2**24:06x}",
            "type": type_,
            "schema": schema,
            "class": class_of(type_, stream),
            "stream": stream,
            "tag": hashlib.sha256(stream.encode()).hexdigest(),
            "seq": len(before) + 1,
            "prev": before[-1].event if before else ZERO_HASH,
            "occurred_at": occurred or self.now,
            "signed_at": signed or self.now,
            "actor": {"id": by, "name": by.title(), "organisation": organisation, "role": role},
            "key": {"alg": "ed25519", "id": "sha256:" + "00" * 32},
            "meaning": meaning or min(known.roles.get(role, {"authorship"})),
            "seen": {"root": "A" * 43 + "=", "size": 1},
            "data": data,
        }
        if site is not None:
            value["site"] = site
        if protocol is not None:
            value["protocol"] = protocol
        if reason is not None:
            value["reason"] = {"code": reason}
        if originator is not None:
            value["originator"] = dict(originator)
        if pointers:
            value["sealed"] = {p: _digest(f"{number}{p}") for p in sorted(pointers)}
        statement = parse_statement(build_statement(value))
        parse_action(statement, opened or {})
        if opened is not None:
            self.openings[statement.event] = opened
        return _entry(Index(number), self.now, statement)

    # Asking.
    @property
    def participant(self) -> Participant:
        """The participant that stories are about."""
        found = self.conduct.state(PARTICIPANT)
        assert found is not None
        return found

    def breach(self, told: Told, rule: str) -> Breach:
        """Return the newest breach of a rule by a statement."""
        found = [b for b in self.conduct.breaches() if b.event == told.event and b.rule == rule]
        assert found, f"no breach of {rule}"
        return found[-1]


def _entry(index: Index, at: str, statement: Statement) -> Entry:
    leaf = Leaf(
        at=at,
        cls=statement.cls,
        index=index,
        payload_type=PAYLOAD_TYPE,
        sigs=(),
        site=statement.site or "",
        statement=statement.event,
        stream=statement.tag,
        v=1,
    )
    return Entry(index=index, leaf=leaf, event=statement.event, statement=statement)


def _refuses(violation: Violation, type_: str, entry: Entry) -> bool:
    if violation.effect is Effect.FORM:
        return True
    assert entry.statement is not None
    gate = spec(type_, entry.statement.schema).effect is Kind.GATE
    outside = "performed_outside" in entry.statement.data
    return gate and not outside and violation.effect is not Effect.FLAG


def _is_catalogue_fact(type_: str) -> bool:
    own_schema = {"correction.made", "record.cosigned", "breach.detected", "participant.randomized"}
    own_schema.add("edit_check.fired")
    return spec(type_, 1).effect is Kind.FACT and type_ not in own_schema


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:42] + "A"


def authority() -> Authority:
    """Return who is who: every person with the role that they sign in."""
    persons = {
        person: Person(
            id=person,
            name=person.title(),
            organisation=organisation,
            roles=MappingProxyType({role: Grant(sites=("*",), blinded=True, since=0)}),
        )
        for person, (organisation, role) in PEOPLE.items()
    }
    return Authority(persons=MappingProxyType(persons))


# Givens, each on top of the one before. Everything in them is accepted and breaks nothing.


def given_study() -> Story:
    """A registered study with an approved protocol."""
    story = Story()
    story.given(
        "study.registered",
        {"registry_id": "NCT06414356", "title": "Title", "phase": "4", "sponsor": "Sponsor",
         "planned_enrolment": 30},
        by="sponsor", stream="study",
    )  # fmt: skip
    story.given(
        "protocol.approved",
        {"version": PROTOCOL, "definition": story.attach(DEFINITION), "irb_reference": "IRB-1",
         "reconsent": False},
        by="sponsor", stream="study",
    )  # fmt: skip
    return story


def form(version: str = "1", begins: str = "2025-01-01", **more: Any) -> dict[str, Any]:
    """Return the data of a consent form's approval."""
    document = {"media_type": "application/pdf", "sha256": FORM_SHA256, "size": 10}
    return {
        "version": version,
        "language": "en",
        "from": begins,
        "document": document,
        "sites": ["*"],
        **more,
    }


def irb(begins: str = "2025-01-01", ends: str = "2025-12-31") -> dict[str, Any]:
    """Return the data of a review board's approval."""
    return {"reference": "IRB-1", "from": begins, "to": ends, "participants": 30, "activities": ["recruit"],
            "source": SOURCE}  # fmt: skip


def delegation(person: str, begins: str = "2025-01-06", tasks: Sequence[str] = TASKS) -> dict[str, Any]:
    """Return the data of a delegation."""
    return {"site": SITE, "person": person, "tasks": list(tasks), "from": begins}


def train(story: Story, person: str, **more: Any) -> Told:
    """Record a training on the protocol."""
    data = {"date": "2025-01-06", "person": person, "protocol": PROTOCOL, "topic": "protocol", **more}
    return story.when("training.recorded", data, by="sponsor", stream=f"person/{person}")


def given_site() -> Story:
    """A site with approval, investigator, trained and delegated staff, initiated and not yet active."""
    story = given_study()
    at = f"site/{SITE}"
    story.given("consent_form.approved", form(), by="sponsor", stream="study")
    story.given("irb_approval.recorded", irb(), by="ines", stream=at)
    command = {"reference": "CMD-1", "from": "2025-01-01", "source": SOURCE}
    story.given("command_approval.recorded", command, by="ines", stream=at)
    story.given(
        "investigator.designated", {"site": SITE, "person": "ines", "from": "2025-01-06"},
        by="sponsor", stream=at,
    )  # fmt: skip
    for person in ("ines", *STAFF):
        train(story, person)
    for person in STAFF:
        granted = story.given("delegation.granted", delegation(person), by="ines", stream=at)
        story.given("delegation.accepted", {"delegation": granted.event}, by=person, stream=at)
    story.given("site.initiated", {"date": "2025-01-06", "checklist": ["drug"]}, by="sponsor", stream=at)
    return story


def given_active_site() -> Story:
    """An active site."""
    story = given_site()
    story.given(
        "site.activated", {"from": "2025-01-06", "checklist": ["all"]}, by="sponsor", stream=f"site/{SITE}"
    )
    return story


def parameters(story: Story, name: str, contributors: Sequence[str], **more: Any) -> dict[str, Any]:
    """Return the data of a list's parameters."""
    return {
        "algorithm": "permuted-blocks/1", "arms": [["ketamine", 1], ["magnesium", 1]],
        "beacon_size": len(story.log) + 1, "contributors": list(contributors), "list": name, "slots": 30,
        "strata": ["SA-01", "SD-02"], **more,
    }  # fmt: skip


def seed(story: Story, name: str, by: str) -> Told:
    """Commit a seed."""
    return story.when(
        "randomization.seed_committed", {"list": name, "sha256": "ab" * 32}, by=by,
        stream=f"randomization/{name}",
    )  # fmt: skip


def committed(name: str = "main", size: int = 60) -> dict[str, Any]:
    """Return the data of a committed list."""
    zero = "A" * 43 + "="
    return {"beacon": zero, "list": name, "root": zero, "size": size}


def given_enrolling() -> Story:
    """A study that enrols: active site, committed list, enrolment open."""
    story = given_active_site()
    at = "randomization/main"
    seeds = [seed(story, "main", by).event for by in ("sponsor", "holder")]
    story.given(
        "randomization.parameters_committed", parameters(story, "main", seeds), by="sponsor", stream=at
    )
    story.given("randomization.list_committed", committed(), by="holder", stream=at)
    story.given("enrolment.opened", {"cap": 2, "sites": ["*"]}, by="sponsor", stream="study")
    return story


def consent(story: Story, *, time: str | None = None, **more: Any) -> dict[str, Any]:
    """Return the data of a consent, signed now or at `time`."""
    when = time or story.ago(minutes=1)
    return {
        "form_version": "1", "language": "en", "form_sha256": FORM_SHA256, "mode": "paper_in_person",
        "identity_check": "known", "participant_time": when, "participant_time_from": "form",
        "consenter": "cora", "consenter_time": when, "consenter_time_from": "form", "options": [],
        "authorization": True, "duty_disclosure": True, "copy_given": True, **more,
    }  # fmt: skip


def given_registered(story: Story | None = None, participant: str = PARTICIPANT) -> Story:
    """A registered participant."""
    story = story or given_enrolling()
    story.given("participant.registered", {"participant": participant}, stream=f"participant/{participant}")
    return story


def given_consented(story: Story | None = None, participant: str = PARTICIPANT) -> Story:
    """A participant who has consented."""
    story = given_registered(story, participant)
    story.given("consent.obtained", consent(story), stream=f"participant/{participant}")
    return story


def assess(story: Story, participant: str = PARTICIPANT, **results: str) -> None:
    """Assess every criterion: as it must be, or as `results` says."""
    for criterion in STUDY.criteria:
        result = results.get(criterion.id, "met" if criterion.kind == "inclusion" else "not_met")
        story.given(
            "criterion.assessed", {"criterion": criterion.id, "result": result},
            stream=f"participant/{participant}",
        )  # fmt: skip


def given_assessed(story: Story | None = None, participant: str = PARTICIPANT, **results: str) -> Story:
    """A participant in screening with every criterion assessed."""
    story = given_consented(story, participant)
    at = f"participant/{participant}"
    story.given("visit.started", {"visit": "screening", "mode": "in_person"}, stream=at)
    assess(story, participant, **results)
    story.given("visit.completed", {"visit": "screening"}, stream=at)
    return story


def digest(story: Story, participant: str = PARTICIPANT) -> dict[str, Any]:
    """Return the data of a confirmation over the assessments there are."""
    state = story.conduct.state(participant)
    assert state is not None
    return {"criteria_sha256": criteria_digest(state.assessments)}


def given_eligible(story: Story | None = None, participant: str = PARTICIPANT) -> Story:
    """An eligible participant, two days before day 1."""
    story = given_assessed(story, participant)
    story.goto("2025-02-01T15:00:00.000000Z")
    story.given(
        "eligibility.confirmed", digest(story, participant), by="sub", stream=f"participant/{participant}"
    )
    return story


REQUEST = {"list": "main", "stage": 1, "stratum": SITE}


def allocation(request: Told, index: int, **more: Any) -> dict[str, Any]:
    """Return the data of an allocation."""
    return {"commitment": "cd" * 32, "list": "main", "list_index": index, "proof": [],
            "request": request.event, "stage": 1, "stratum": SITE, **more}  # fmt: skip


def given_randomized(story: Story | None = None, participant: str = PARTICIPANT, index: int = 0) -> Story:
    """A randomized participant."""
    story = given_eligible(story, participant)
    at = f"participant/{participant}"
    request = story.given("randomization.requested", REQUEST, stream=at)
    story.given("participant.randomized", allocation(request, index), by="service", stream=at)
    return story


ML = "mL"


def order(story: Story, infusion: int = 1, **more: Any) -> dict[str, Any]:
    """Return the data of an order."""
    return {"infusion": infusion, "weight": {"value": "80.0", "unit": "kg"}, "weight_date": story.now,
            "instruction": "per_protocol", "limits": [], **more}  # fmt: skip


def received(story: Story, infusion: int = 1, **more: Any) -> dict[str, Any]:
    """Return the data of a dose at the bedside."""
    return {"infusion": infusion, "label": f"L{infusion}", "volume": {"value": "250", "unit": ML},
            "rate": {"value": "375", "unit": "mL/h"}, "beyond_use": story.ago(hours=-6), **more}  # fmt: skip


def start(infusion: int = 1, **more: Any) -> dict[str, Any]:
    """Return the data of a start."""
    return {"infusion": infusion, "pump": "P1", "rate": {"value": "375", "unit": "mL/h"},
            "label": f"L{infusion}", **more}  # fmt: skip


def checked(infusion: int = 1, **failed: str) -> dict[str, Any]:
    """Return the data of a check before an infusion: everything passed, but what `failed` says."""
    asked = STUDY.preinfusion.checks if STUDY.preinfusion else ()
    results = [{"check": name, "result": failed.get(name, "passed")} for name in asked]
    return {"infusion": infusion, "vitals": [], "checks": results}


def given_at_bedside(story: Story | None = None, infusion: int = 1) -> Story:
    """An infusion ordered, its dose at the bedside and the check before it passed, on day 1."""
    if story is None:
        story = given_randomized()
        story.goto(DAY1)
    story.given("infusion.ordered", order(story, infusion), by="sub")
    story.given("dose.received", received(story, infusion), by="nurse")
    story.given("preinfusion_check.passed", checked(infusion), by="nurse")
    return story


def given_running(story: Story | None = None, infusion: int = 1) -> Story:
    """An infusion that is running."""
    story = given_at_bedside(story, infusion)
    story.given("infusion.started", start(infusion), by="nurse")
    return story


def completed(infusion: int = 1, volume: str = "250") -> dict[str, Any]:
    """Return the data of a completed infusion."""
    return {"infusion": infusion, "volume": {"value": volume, "unit": ML}}


def given_infused(story: Story | None = None, infusion: int = 1) -> Story:
    """An infusion completed after its 40 minutes."""
    story = given_running(story, infusion)
    story.wait(minutes=39)
    story.given("infusion.completed", completed(infusion), by="nurse")
    return story


VITALS = {"measurements": [{"name": "pulse", "quantity": {"value": "72", "unit": "/min"}}]}


def adverse_event(**more: Any) -> dict[str, Any]:
    """Return the data of an adverse event."""
    causality = [{"product": product, "relation": "possible"} for product in STUDY.products]
    return {"ae": "AE-1", "onset": "2025-02-03", "awareness": "2025-02-03", "grade": 1, "scale": "CTCAE",
            "scale_version": "5.0", "serious": False, "criteria": [], "causality": causality,
            "action": "none", "outcome": "recovering", **more}  # fmt: skip
