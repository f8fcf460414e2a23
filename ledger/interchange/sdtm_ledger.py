"""A ledger for a study that was done elsewhere: who answers for it, and its events in bulk.

Two people sign: a sponsor's administrator, who sets up, and the importer, who signs each event as coordinator
of every site. The events say where they come from: the site's system as
originator, with the rows; nobody as performer, because the data name nobody. Approvals, activations and
consents of the study are not in its data and are not made up: what rests on them is a recorded breach.

One commit takes one event of every participant: a stream's next event names its newest, breaches included.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Final

from ledger.actions.accounts import (
    AccountCreated,
    EsignaturePolicyAcknowledged,
    IdentityVerified,
    KeyEnrolled,
    RoleGranted,
)
from ledger.actions.custody import DataImported
from ledger.actions.devices import DeviceRegistered
from ledger.actions.fields import Attachment, Role, Source
from ledger.actions.ledger_policy import PolicyChanged
from ledger.actions.registry import Action, to_data
from ledger.actions.study import ProtocolApproved
from ledger.attachments import name_attachment
from ledger.committer import Ledger
from ledger.directory import KEYS, Config, NewKeys, create
from ledger.errors import FormatError, LedgerError
from ledger.genesis import Operator, evidence_of, key_object, open_log
from ledger.interchange.sdtm_events import VERSION, Planned, Subject
from ledger.interchange.sdtm_mapping import plan
from ledger.interchange.sdtm_source import Table, by_subject, refer
from ledger.keyfile import Holder, KeyMaterial, write_key
from ledger.lines import encode_base64
from ledger.prepare import Signer
from ledger.recorded import Recorded
from ledger.service import seal_values, sign_body
from ledger.sources import Sources, new_statement_id
from ledger.statement import class_of, make_statement
from ledger.study.definition import StudyDefinition, load, published
from ledger.submission import Submission
from ledger.times import format_instant

ROOT: Final = "root"
ADMINISTRATOR: Final = "administrator"
IMPORTER: Final = "importer"
ROLE: Final[Role] = "coordinator"
MAPPING: Final = "sdtm"
UNSTATED: Final = "not stated by the imported data"
_HOURS_A_DAY: Final = 24

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """What an import did: events and breaches by code, rows by table, seconds of recording."""

    ledger_id: str
    participants: int
    events: int
    rows: int
    breaches: Mapping[str, int]
    seconds: float


def make_ledger(
    directory: Path,
    definition_file: bytes,
    *,
    importer: tuple[str, str],
    keys: NewKeys,
    new_key: Callable[[Holder], KeyMaterial],
    passphrase: str | None,
    sources: Sources,
    oldest: date,
) -> tuple[Ledger, Signer, str]:
    """Make a ledger in a new directory and bring it to where events can be recorded; return importer and id.

    `importer` is printed name and organisation; `oldest` the earliest day in the data, which the policy for
    late entries has to reach: everything that is imported is late.

    Raises:
        StoreError: `LEDGER_EXISTS`.
    """
    definition = load(definition_file)
    origin = f"ledger.local/{definition.study}"
    ledger = create(
        directory, Config(origin=origin, study=definition.study, demonstration=False, tokens=()), keys,
        passphrase, sources,
    )  # fmt: skip
    try:
        setup = _Setup(ledger, definition, importer, directory, new_key, passphrase)
        ledger_id = setup.open(keys)
        setup.approve(definition_file, sources.now_us(), oldest)
        return ledger, setup.signers[IMPORTER], ledger_id
    except BaseException:
        ledger.close()
        raise


def system_of(site: str) -> str:
    """Name the system in which a site's data were first written down."""
    return f"site-{site}"


class _Setup:
    """People, protocol and policy of a new ledger."""

    def __init__(
        self,
        ledger: Ledger,
        definition: StudyDefinition,
        importer: tuple[str, str],
        directory: Path,
        new_key: Callable[[Holder], KeyMaterial],
        passphrase: str | None,
    ) -> None:
        self.ledger = ledger
        self.definition = definition
        self.name, self.organisation = importer
        self.directory = directory
        self.new_key = new_key
        self.passphrase = passphrase
        self.signers: dict[str, Signer] = {}

    def open(self, keys: NewKeys) -> str:
        """Record the genesis, and admit the two people who sign."""
        root = self._enter(ROOT, "root")
        ledger_id = open_log(
            self.ledger,
            [root],
            threshold=1,
            service_key=keys.service.signing_key(),
            operator=Operator(name="Ledger service", organisation=self.organisation),
            definition=self.definition,
        )
        self._admit(ADMINISTRATOR, "sponsor_administrator", f"{self.name} (administration)")
        self._admit(IMPORTER, ROLE, self.name)
        return ledger_id

    def approve(self, definition_file: bytes, now_us: int, oldest: date) -> None:
        """Record the policy for late entries, and the protocol with its definition."""
        days = now_us // 86_400_000_000 - (oldest - date(1970, 1, 1)).days + 2
        policy = PolicyChanged(late_entry_hours=max(1, days) * _HOURS_A_DAY)
        self._say(ROOT, policy, "study", "root", "approval")
        content = published(definition_file)
        name = name_attachment("application/json", content)
        self.ledger.store.put_attachment(name["sha256"], "application/json", content)
        protocol = ProtocolApproved(
            version=self.definition.version,
            definition=Attachment(**name),
            irb_reference=UNSTATED,
            reconsent=False,
        )
        self._say(ADMINISTRATOR, protocol, "study", "sponsor_administrator", "approval")
        for site in self.definition.sites:
            system = DeviceRegistered(
                clock_offset_ms=0,
                device=system_of(site),
                kind="system",
                model=UNSTATED,
                use="source_of_import",
                version=UNSTATED,
            )
            self._say(ADMINISTRATOR, system, "study", "sponsor_administrator", "approval")

    def _enter(self, person: str, name: str) -> Signer:
        holder = Holder(person=person, name=name, organisation=self.organisation, origin=self.ledger.origin)
        key = self.new_key(holder)
        write_key(self.directory / KEYS / f"{person}.json", key, self.passphrase)
        signer = self.signers[person] = Signer(key.signing_key(), person, name, self.organisation)
        return signer

    def _admit(self, person: str, role: Role, name: str) -> None:
        stream, key = f"person/{person}", self._enter(person, name).key
        account = AccountCreated(name=name, organisation=self.organisation, person=person)
        self._say(ROOT, account, stream, "root", "approval")
        verified = IdentityVerified(by=ROOT, document="not_asked", method="import", person=person)
        self._say(ROOT, verified, stream, "root", "approval")
        enrolled = KeyEnrolled(
            evidence=evidence_of(f"{self.ledger.origin} key of {person}"),
            key=key_object(key, person, "client"),
        )
        self._say(ROOT, enrolled, stream, "root", "approval", further=(key,))
        granted = RoleGranted(blinded=False, person=person, role=role, sites=("*",))
        self._say(ROOT, granted, stream, "root", "approval")
        acknowledged = EsignaturePolicyAcknowledged(letter=UNSTATED, person=person, version="1")
        self._say(person, acknowledged, stream, role, "authorship")

    def _say(self, person: str, action: Action, stream: str, role: str, meaning: str, **more: Any) -> None:
        meanings = action.spec.roles[role]
        chosen = meaning if meaning in meanings else min(meanings)
        self.signers[person].record(self.ledger, action, stream=stream, role=role, meaning=chosen, **more)


def plan_all(tables: Mapping[str, Table], definition: StudyDefinition,
             only: Collection[str] | None = None) -> dict[str, list[Planned]]:  # fmt: skip
    """Plan the events of every subject, or of those named.

    Raises:
        FormatError: `SDTM`, a subject's site is none of the definition's.
    """
    planned = {}
    for subject, rows in by_subject(tables.values()).items():
        if only is not None and subject not in only:
            continue
        site = next((row["SITEID"] or "" for row in rows.get("DM", ())), "")
        if site not in definition.sites:
            raise FormatError("SDTM", "expected the sites of the definition in the demographics")
        planned[subject] = plan(
            Subject(id=subject, site=site, rows=rows, definition=definition, files=tables)
        )
    return planned


def record_all(
    ledger: Ledger,
    signer: Signer,
    definition: StudyDefinition,
    planned: Mapping[str, Sequence[Planned]],
    sites: Mapping[str, str],
    progress: Progress,
) -> tuple[int, Counter[str], float]:
    """Record every event, a round of participants in one commit; return events, breaches, seconds.

    Raises:
        LedgerError: an event was refused; those before it are recorded.
    """
    total = sum(len(events) for events in planned.values())
    done, breaches = 0, Counter[str]()
    began = time.monotonic()
    for turn in range(max((len(events) for events in planned.values()), default=0)):
        due = [(subject, events[turn]) for subject, events in planned.items() if turn < len(events)]
        head = ledger.refresh(), ledger.store.head()
        common = _common(ledger, signer, definition, head[1].root, head[1].size)
        submissions = [_submission(ledger, signer, common, sites[name], name, event) for name, event in due]
        for outcome in ledger.record_all(submissions):
            if not isinstance(outcome, Recorded):
                raise outcome
            breaches.update(outcome.breaches)
        done += len(due)
        progress("recording", done, total)
    return done, breaches, time.monotonic() - began


def record_files(
    ledger: Ledger, signer: Signer, tables: Iterable[Table], planned: Mapping[str, Sequence[Planned]]
) -> None:
    """Record each file that was taken: its hash, the mapping, rows, events, and rows left."""
    events, taken = Counter[str](), Counter[str]()
    for rows in (event.rows for events_ in planned.values() for event in events_):
        events[rows[0].table] += 1
    for name, _, _ in {row.key for events_ in planned.values() for event in events_ for row in event.rows}:
        taken[name] += 1
    for table in tables:
        action = DataImported(
            source=Source(kind="esource", reference=table.file),
            file=table.file,
            sha256=table.sha256,
            mapping=MAPPING,
            mapping_version=VERSION,
            rows=len(table.rows),
            statements=events[table.name],
            left=len(table.rows) - taken[table.name],
        )
        signer.record(ledger, action, stream="study", role=ROLE, meaning="authorship")


def _common(
    ledger: Ledger, signer: Signer, definition: StudyDefinition, root: bytes, size: int
) -> dict[str, Any]:
    """Return the members that all statements of one commit share."""
    return {
        "v": 1,
        "log": ledger.origin,
        "key": {"alg": signer.key.alg, "id": signer.key.id},
        "signed_at": format_instant(ledger.sources.now_us()),
        "actor": signer.actor(ROLE),
        "meaning": "authorship",
        "protocol": definition.version,
        "seen": {"root": encode_base64(root), "size": size},
    }


def _submission(
    ledger: Ledger, signer: Signer, common: Mapping[str, Any], site: str, subject: str, event: Planned
) -> Submission:
    """Sign one event where it stands next in its participant's stream."""
    data, opened = to_data(event.action)
    stream = f"participant/{subject}"
    row = ledger.stream(stream)
    last = ledger.fold.chain.head(row.tag)
    statement_id = new_statement_id(ledger.sources)
    digests, disclosures = seal_values(ledger.sources, statement_id, opened)
    known = event.action.spec
    value = {
        **common,
        "id": statement_id,
        "type": known.type,
        "schema": known.schema,
        "class": class_of(known.type, stream),
        "stream": stream,
        "tag": row.tag,
        "seq": last.seq + 1,
        "prev": last.event,
        "site": site,
        "occurred_at": event.occurred,
        "originator": {"id": system_of(site), "kind": "system", "source": f"{VERSION} {refer(event.rows)}"},
        "data": data,
    }
    if digests:
        value["sealed"] = digests
    statement = make_statement(value)
    return Submission(
        statement=statement, sigs=sign_body(statement.body, signer.key), disclosures=disclosures
    )


__all__ = ["Imported", "LedgerError", "make_ledger", "plan_all", "record_all", "record_files"]
