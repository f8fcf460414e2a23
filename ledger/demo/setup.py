"""Study start-up: people, keys, protocol, consent forms, sites, randomization list, enrolment.

Everything in the order that the rules demand, each step signed by who does it in a real study.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from ledger.actions import all_specs, delegated_types
from ledger.actions.accounts import (
    AccountCreated,
    EsignaturePolicyAcknowledged,
    IdentityVerified,
    KeyEnrolled,
    RoleGranted,
    TrainingRecorded,
)
from ledger.actions.devices import DeviceRegistered
from ledger.actions.fields import Attachment, Source
from ledger.actions.ledger_policy import PolicyChanged
from ledger.actions.registry import Action
from ledger.actions.sites import (
    CommandApprovalRecorded,
    DelegationAccepted,
    DelegationGranted,
    InvestigatorDesignated,
    IrbApprovalRecorded,
    SiteActivated,
    SiteInitiated,
)
from ledger.actions.study import ConsentFormApproved, EnrolmentOpened, ProtocolApproved
from ledger.attachments import name_attachment
from ledger.demo.cast import (
    ADMINISTRATOR,
    BOARD,
    CHECKER,
    OPERATOR,
    PHARMACIST,
    REVIEW_BOARD,
    ROOTS,
    WITNESS,
    Person,
    key_of,
    monitor_of,
    people,
    person_at,
    pharmacist,
    roots,
)
from ledger.demo.drawing import Drawn, commit_lists
from ledger.demo.stage import MINUTE_US, Command, Stage, instant
from ledger.demo.stocking import stock
from ledger.directory import UNBLINDINGS
from ledger.errors import LedgerError
from ledger.genesis import Operator, evidence_of, key_object, open_log
from ledger.recorded import Recorded
from ledger.study.definition import published

ZONE: Final = "UTC"
OPENING: Final = date(2024, 2, 19)
TRAINING: Final = date(2024, 3, 4)
APPROVED: Final = date(2024, 3, 11)
APPROVED_UNTIL: Final = date(2025, 1, 31)
ACTIVATION: Final = date(2024, 4, 1)
SECOND_FORMS: Final = date(2024, 9, 2)
LANGUAGES: Final = ("en", "es")
FIRST_FORM: Final = "1.0"
SECOND_FORM: Final = "1.1"
MEDIA_TYPE: Final = "text/plain"
ESIGNATURE_POLICY: Final = "1"

_STEP_US: Final = 4 * MINUTE_US

# What each role at a site is delegated (R2b); the sub-investigator everything.
_OF_PHYSICIANS: Final = frozenset(
    {"eligibility.confirmed", "infusion.ordered", "infusion.started", "infusion.interrupted"}
    | {"infusion.resumed", "infusion.rate_changed", "infusion.stopped", "infusion.completed"}
    | {"dose.administered", "hazard_departure.recorded", "rescreening.authorised", "result.reviewed"}
)
_OF_NURSES: Final = frozenset(
    {"visit.started", "visit.completed", "vital_signs.recorded", "weight.recorded", "ecg.recorded"}
    | {"lab_sample.collected", "pregnancy_test.performed", "preinfusion_check.passed"}
    | {"preinfusion_check.failed", "infusion.started", "infusion.interrupted", "infusion.resumed"}
    | {"infusion.rate_changed", "infusion.stopped", "infusion.completed", "dose.received"}
    | {"dose.administered", "dose.held", "dosing_error.reported", "postinfusion.observed"}
    | {"adverse_event.reported", "adverse_event.followed_up", "contact.made", "contact.attempted"}
)
_OF_RATERS: Final = frozenset(
    {"outcome.recorded", "outcome.not_done", "adverse_event.reported", "suicidality.alerted"}
)
_OF_PHARMACY: Final = frozenset(s.type for s in all_specs() if s.delegated and "pharmacy" in s.streams)
_TASKS: Final[Mapping[str, frozenset[str]]] = MappingProxyType(
    {
        "sub_investigator": delegated_types() - _OF_PHARMACY,
        "coordinator": delegated_types() - _OF_PHARMACY - _OF_PHYSICIANS,
        "infusion_staff": _OF_NURSES & delegated_types(),
        "blinded_rater": _OF_RATERS & delegated_types(),
        PHARMACIST: _OF_PHARMACY,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """A consent form as participants get it."""

    version: str
    language: str
    sha256: str


class Setup:
    """Start-up by one clock that steps from one signature to the next."""

    def __init__(self, stage: Stage, definition_file: bytes, queue: Path = Path(UNBLINDINGS)) -> None:
        """`queue` is the file in which unblindings wait while the log is frozen."""
        self.stage = stage
        self.queue = queue
        self.definition_file = definition_file
        self.forms: dict[tuple[str, str, str], Form] = {}
        self.ledger_id = ""
        self.lists: tuple[Drawn, ...] = ()

    def play(self) -> None:
        """Record everything up to the opening of enrolment."""
        self._open()
        for person in people(self.stage.definition):
            if not person.joins_later:
                self.admit(person)
        self._clock(TRAINING)
        self._approve()
        self._train()
        self._open_sites()
        self.lists = commit_lists(self.stage, self.say)
        for site in self.stage.definition.sites:
            stock(self, site)
        self._activate()

    def say(
        self, person: str, action: Action, stream: str, *, role: str | None = None, **more: Any
    ) -> Recorded:
        """Let a person record an action, one step of the clock later."""
        sources = self.stage.sources
        command = Command(
            at_us=sources.now_us() + _STEP_US,
            person=person,
            role=role or self.stage.people[person].role,
            action=action,
            stream=stream,
            **more,
        )
        recorded = self.stage.perform(command)
        if recorded is None:
            raise LedgerError("DEMO_UNEXPECTED", f"{action.spec.type} was refused during start-up")
        return recorded

    def admit(self, person: Person, *, by: str | None = None) -> None:
        """Give a person account, identity, key and role, and let them acknowledge the signature policy."""
        stage = self.stage
        by = by or (ROOTS[0] if person.id == ADMINISTRATOR else ADMINISTRATOR)
        stream = f"person/{person.id}"
        key = stage.enter(person, key_of(stage.seed, person.id, person=person)).key
        self.say(
            by,
            AccountCreated(name=person.name, organisation=person.organisation, person=person.id),
            stream,
        )
        verified = IdentityVerified(by=by, document="passport", method="in person", person=person.id)
        self.say(by, verified, stream)
        enrolled = KeyEnrolled(
            evidence=evidence_of(f"{stage.ledger.origin} signed form of {person.id}"),
            key=key_object(key, person.id, "client"),
        )
        self.say(by, enrolled, stream, further=(key,))
        granted = RoleGranted(blinded=person.blinded, person=person.id, role=person.role, sites=person.sites)
        self.say(by, granted, stream)
        acknowledged = EsignaturePolicyAcknowledged(
            letter=f"FDA-LETTER-{person.id}", person=person.id, version=ESIGNATURE_POLICY
        )
        self.say(person.id, acknowledged, stream)

    def train(
        self, person: str, on: date, *, by: str = ADMINISTRATOR, version: str | None = None, **more: Any
    ) -> None:
        """Record a person's training on a protocol version, the first unless another is named."""
        training = TrainingRecorded(
            date=on.isoformat(),
            person=person,
            topic="protocol and blinding",
            protocol=version or self.stage.definition.version,
        )
        self.say(by, training, f"person/{person}", **more)

    def delegate(
        self, site: str, person: str, role: str, begins: date, *, breaches: tuple[str, ...] = ()
    ) -> str:
        """Delegate the tasks of a role, and let the delegate accept; return the delegation's event."""
        granted = DelegationGranted(
            from_=begins.isoformat(), person=person, site=site, tasks=tuple(sorted(_TASKS[role]))
        )
        stream = f"site/{site}"
        recorded = self.say(person_at(site, "investigator"), granted, stream, breaches=breaches)
        self.say(person, DelegationAccepted(delegation=recorded.event), stream)
        return recorded.event

    def approve_forms(self, version: str, begins: date) -> None:
        """Approve a consent form in each language for each site."""
        stage = self.stage
        for site in stage.definition.sites:
            for language in LANGUAGES:
                name = f"{site}-{version}"
                text = _form_text(stage.definition.title, site, version, language)
                document = self.attach(MEDIA_TYPE, text.encode())
                approved = ConsentFormApproved(
                    version=name,
                    language=language,
                    from_=begins.isoformat(),
                    document=document,
                    sites=(site,),
                )
                self.say(ADMINISTRATOR, approved, "study")
                self.forms[site, version, language] = Form(
                    version=name, language=language, sha256=document.sha256
                )

    def approve_site(self, site: str, begins: date, ends: date) -> None:
        """Record the review board's approval of a site."""
        approval = IrbApprovalRecorded(
            reference=f"DEMO-IRB-{begins.year}-{site}",
            from_=begins.isoformat(),
            to=ends.isoformat(),
            participants=self.stage.definition.planned_enrolment,
            activities=("enrolment", "treatment", "follow_up"),
            source=Source(kind="paper", reference=f"letter of {BOARD}"),
        )
        self.say(REVIEW_BOARD, approval, f"site/{site}")

    def _clock(self, on: date) -> None:
        self.stage.sources.advance_to(instant(on, 9 * 60, ZONE))

    def attach(self, media_type: str, content: bytes) -> Attachment:
        """Lay bytes beside the log, and return what names them."""
        name = name_attachment(media_type, content)
        self.stage.ledger.store.put_attachment(name["sha256"], media_type, content)
        return Attachment(**name)

    def _open(self) -> None:
        stage, seed = self.stage, self.stage.seed
        signers = [stage.enter(root, key_of(seed, root.id, person=root)) for root in roots()]
        self.ledger_id = open_log(
            stage.ledger,
            signers,
            threshold=len(signers),
            service_key=key_of(seed, "service").signing_key(),
            operator=Operator(name="trial-ledger service (demonstration)", organisation=OPERATOR),
            definition=stage.definition,
        )
        policy = PolicyChanged(late_entry_hours=stage.definition.late_entry_hours)
        self.say(ROOTS[0], policy, "study", further=(stage.signers[ROOTS[1]].key,))

    def _approve(self) -> None:
        definition = self.stage.definition
        attached = self.attach("application/json", published(self.definition_file))
        protocol = ProtocolApproved(
            version=definition.version,
            definition=attached,
            irb_reference=f"DEMO-IRB-{OPENING.year}-001",
            reconsent=False,
        )
        self.say(ADMINISTRATOR, protocol, "study")
        self._clock(APPROVED)
        self.approve_forms(FIRST_FORM, APPROVED)
        for site in definition.sites:
            self.approve_site(site, APPROVED, APPROVED_UNTIL)
            if definition.command_approval:
                self._approve_recruiting(site)

    def _approve_recruiting(self, site: str) -> None:
        approval = CommandApprovalRecorded(
            reference=f"DEMO-CMD-{OPENING.year}-{site}",
            from_=APPROVED.isoformat(),
            source=Source(kind="paper", reference="letter of the command"),
        )
        self.say(ADMINISTRATOR, approval, f"site/{site}")

    def _train(self) -> None:
        for person in list(self.stage.people.values()):
            if person.role not in ("root", "list_holder"):
                by = ROOTS[0] if person.id == ADMINISTRATOR else ADMINISTRATOR
                self.train(person.id, TRAINING, by=by)

    def _open_sites(self) -> None:
        for site in self.stage.definition.sites:
            stream = f"site/{site}"
            investigator = person_at(site, "investigator")
            begins = APPROVED.isoformat()
            designated = InvestigatorDesignated(site=site, person=investigator, from_=begins)
            self.say(ADMINISTRATOR, designated, stream)
            for role in _TASKS:
                self.delegate(site, person_at(site, role), role, APPROVED)
            for hand in (CHECKER, WITNESS):
                self.delegate(site, pharmacist(site, hand), PHARMACIST, APPROVED)
            initiated = SiteInitiated(
                date=begins, checklist=("protocol_explained", "pharmacy_ready", "staff_trained")
            )
            self.say(ADMINISTRATOR, initiated, stream)
            self.say(ADMINISTRATOR, _monitor(site), stream)

    def _activate(self) -> None:
        self._clock(ACTIVATION)
        for site in self.stage.definition.sites:
            activated = SiteActivated(
                from_=ACTIVATION.isoformat(), checklist=("approval", "investigator", "delegation")
            )
            self.say(ADMINISTRATOR, activated, f"site/{site}")
        opened = EnrolmentOpened(
            cap=self.stage.definition.planned_enrolment, sites=tuple(self.stage.definition.sites)
        )
        self.say(ADMINISTRATOR, opened, "study")


def _monitor(site: str) -> DeviceRegistered:
    return DeviceRegistered(
        clock_offset_ms=-240,
        device=monitor_of(site),
        kind="device",
        model="Bedside monitor with infusion pump",
        use="vital_signs_and_infusions",
        version="4.2",
    )


def _form_text(title: str, site: str, version: str, language: str) -> str:
    return (
        f"DEMONSTRATION. Informed consent form, version {version}, language {language}, site {site}.\n"
        f"Study: {title}\n"
        "This text stands for a form that participants would read and sign. Nobody has.\n"
    )
