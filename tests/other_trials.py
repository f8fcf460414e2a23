"""People, keys and a clock for trials that have nothing of the reference study (`tests/trials/`).

A play is a ledger's directory with a clock set by hand; whoever signs has a key that follows from a label.
What is not refused and breaks nothing is `given`; `breaking` names the rules that a fact is to break.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

from ledger.actions.registry import Fact, spec
from ledger.allocation import load_list
from ledger.attachments import name_attachment
from ledger.cli.opening import new_keys
from ledger.conduct import criteria_digest
from ledger.directory import Config, create
from ledger.errors import RefusedError
from ledger.genesis import Operator, key_object, open_log
from ledger.keyfile import Holder, KeyMaterial, write_key
from ledger.keys import SigningKey
from ledger.lines import encode_base64
from ledger.merkle import read_frontier
from ledger.participant import Participant
from ledger.prepare import Signer
from ledger.recorded import Recorded
from ledger.sources import SeededSources
from ledger.study.definition import load, published
from ledger.study.lists import RandomizationList, draw_list
from ledger.study.plain import written
from ledger.tiles import TileHashes
from ledger.times import format_instant

DEFINITIONS: Final = Path(__file__).parent / "trials"
MINUTE_US: Final = 60_000_000
ESOURCE: Final = {"kind": "esource"}
FORM: Final = b"What the study is about, and what you may refuse.\n"


class Play:
    """One trial's ledger, its people, and the clock."""

    def __init__(self, directory: Path, study: str, begin: str) -> None:
        self.file = written((DEFINITIONS / f"{study}.json").read_bytes())
        self.definition = load(self.file)
        self.directory = directory
        self.origin = f"trials.example/{self.definition.study}"
        self.sources = SeededSources(f"other trials {study}", _us(begin, "UTC"))
        config = Config(origin=self.origin, study=self.definition.study, demonstration=False, tokens=())
        keys = new_keys(self.sources)
        self.ledger = create(directory, config, keys, None, self.sources)
        self.people: dict[str, tuple[Signer, str]] = {}
        root = self._enter("root1", "Rosa Root", "Kolam", "root")
        self.ledger_id = open_log(
            self.ledger,
            [root],
            threshold=1,
            service_key=keys.service.signing_key(),
            operator=Operator(name="Ledger service", organisation="Operator"),
            definition=self.definition,
        )

    # The clock.
    def at(self, local: str, site: str) -> None:
        """Go to a local time at a site; the clock never goes back."""
        us = _us(local, self.definition.sites[site].zone)
        assert us >= self.sources.now_us(), local
        self.sources.advance_to(us)

    @property
    def now(self) -> str:
        """The present instant."""
        return format_instant(self.sources.now_us())

    def ahead(self, minutes: float) -> str:
        """An instant so many minutes from now."""
        return format_instant(self.sources.now_us() + int(minutes * MINUTE_US))

    # Recording.
    def say(
        self,
        who: str,
        type_: str,
        stream: str,
        data: Mapping[str, Any],
        *,
        opened: Mapping[str, Any] | None = None,
        further: Sequence[SigningKey] = (),
        **members: Any,
    ) -> Recorded:
        """Record one action a minute after the one before."""
        self.sources.advance(MINUTE_US)
        signer, role = self.people[who]
        known = spec(type_, members.get("schema", 1))
        data = dict(data)
        if issubclass(known.action, Fact):
            data.setdefault("source", ESOURCE)
        value = {"type": type_, "stream": stream, "role": role, "data": data, **members}
        value.setdefault("meaning", min(known.roles.get(role, {"authorship"})))
        values = {**dict.fromkeys(known.sealed), **(opened or {})}
        return self.ledger.record(signer.submission(self.ledger, value, values, further))

    def given(self, who: str, type_: str, stream: str, data: Mapping[str, Any], **more: Any) -> Recorded:
        """Record what breaks nothing."""
        return self.breaking((), who, type_, stream, data, **more)

    def breaking(
        self, rules: Sequence[str], who: str, type_: str, stream: str, data: Mapping[str, Any], **more: Any
    ) -> Recorded:
        """Record what breaks these rules, and no other."""
        before = self.ledger.store.head().size
        recorded = self.say(who, type_, stream, data, **more)
        head = self.ledger.store.head().size
        found = [
            json.loads(entry.statement)["data"]["rule"]
            for entry in self.ledger.store.entries(before, head)
            if entry.type == "breach.detected"
        ]
        assert sorted(found) == sorted(rules), f"{type_}: {found}"
        return recorded

    def refused(self, who: str, type_: str, stream: str, data: Mapping[str, Any], **more: Any) -> str:
        """Try what is to be refused, and return the rule."""
        try:
            self.say(who, type_, stream, data, **more)
        except RefusedError as error:
            return error.code
        raise AssertionError(f"{type_} was not refused")

    def on(self, participant: str, site: str) -> Bedside:
        """Return what is recorded of a participant."""
        return Bedside(self, participant, site)

    def state(self, participant: str) -> Participant:
        """What the rules hold of a participant."""
        found = self.ledger.refresh().conduct.state(participant)
        assert found is not None
        return found

    def attach(self, media_type: str, content: bytes) -> dict[str, Any]:
        """Keep an attachment, and return how a statement names it."""
        name: dict[str, Any] = name_attachment(media_type, content)
        self.ledger.store.put_attachment(name["sha256"], media_type, content)
        return name

    # Start-up.
    def _enter(self, person: str, name: str, organisation: str, role: str) -> Signer:
        secret = hashlib.sha256(f"{self.origin} {person}".encode()).digest()
        key = KeyMaterial(
            alg="ed25519",
            secret=secret,
            holder=Holder(person=person, name=name, organisation=organisation, origin=self.origin),
        )
        write_key(self.directory / "keys" / f"{person}.json", key, None)
        signer = Signer(key.signing_key(), person, name, organisation)
        self.people[person] = (signer, role)
        return signer

    def admit(self, person: str, name: str, organisation: str, role: str, *sites: str) -> None:
        """Give a person account, identity, key, role and training; they acknowledge the policy."""
        by, stream = ("root1" if role == "sponsor_administrator" else "admin"), f"person/{person}"
        signer = self._enter(person, name, organisation, role)
        self.given(
            by, "account.created", stream, {"person": person, "name": name, "organisation": organisation}
        )
        self.say(
            by,
            "identity.verified",
            stream,
            {"person": person, "by": by, "method": "in person", "document": "passport"},
        )
        key = key_object(signer.key, person, "client")
        enrolled = {
            "key": {"alg": key.alg, "grade": key.grade, "id": key.id, "person": person, "spki": key.spki},
            "evidence": {"kind": "signed-form", "sha256": hashlib.sha256(person.encode()).hexdigest()},
        }
        self.given(by, "key.enrolled", stream, enrolled, further=[signer.key])
        granted = {"person": person, "role": role, "sites": list(sites or ("*",)), "blinded": True}
        self.given(by, "role.granted", stream, granted)
        self.given(
            person,
            "esignature_policy.acknowledged",
            stream,
            {"person": person, "letter": "LNR-1", "version": "1"},
        )
        training = {
            "person": person,
            "date": self.now[:10],
            "topic": "protocol",
            "protocol": self.definition.version,
        }
        self.given(by, "training.recorded", stream, training)

    def approve(self) -> None:
        """Approve the protocol with its definition."""
        attached = self.attach("application/json", published(self.file))
        self.given(
            "admin",
            "protocol.approved",
            "study",
            {
                "version": self.definition.version,
                "definition": attached,
                "irb_reference": "EC-7",
                "reconsent": False,
            },
        )

    def consent_form(self, version: str, language: str, begins: str) -> None:
        """Approve a consent form for every site."""
        document = self.attach("text/plain", FORM + f"{version} {language}\n".encode())
        self.given(
            "admin",
            "consent_form.approved",
            "study",
            {"version": version, "language": language, "from": begins, "document": document, "sites": ["*"]},
        )

    def open_site(self, site: str, investigator: str, staff: Mapping[str, Sequence[str]]) -> None:
        """Take a site to its activation, its staff delegated."""
        at, today = f"site/{site}", self.now[:10]
        self.given(
            investigator,
            "irb_approval.recorded",
            at,
            {
                "reference": "EC-7",
                "from": "2019-01-01",
                "to": "2026-12-31",
                "participants": 40,
                "activities": ["all"],
            },
        )
        self.given(
            "admin", "investigator.designated", at, {"site": site, "person": investigator, "from": today}
        )
        for person, tasks in staff.items():
            granted = self.given(
                investigator,
                "delegation.granted",
                at,
                {"site": site, "person": person, "tasks": list(tasks), "from": self.ahead(1)},
            )
            self.sources.advance(MINUTE_US)
            self.given(person, "delegation.accepted", at, {"delegation": granted.event})
        self.given("admin", "site.initiated", at, {"date": today, "checklist": ["all"]})
        self.given("admin", "site.activated", at, {"from": today, "checklist": ["all"]})

    def commit_list(self, contributors: Sequence[str], holder: str) -> RandomizationList:
        """Draw and commit the randomization list, and load its slots (record-format §8)."""
        plan = self.definition.drawn()
        at = f"randomization/{plan.list}"
        seeds = [hashlib.sha256(f"{self.origin} seed of {who}".encode()).digest() for who in contributors]
        events = [
            self.given(
                who,
                "randomization.seed_committed",
                at,
                {"list": plan.list, "sha256": hashlib.sha256(seed).hexdigest()},
            ).event
            for who, seed in zip(contributors, seeds, strict=True)
        ]
        size = self.ledger.refresh().size + 1
        parameters = {
            "algorithm": plan.algorithm,
            "arms": [[row.arm, row.ratio] for row in plan.arms],
            "beacon_size": size,
            "contributors": events,
            "list": plan.list,
            "slots": plan.slots,
            "strata": list(plan.strata),
        }
        self.given(
            contributors[-1],
            "randomization.parameters_committed",
            at,
            parameters,
            opened={"/data/block_sizes": list(plan.block_sizes or ())},
        )
        beacon = read_frontier(size, TileHashes(self.ledger.store.tile_hashes)).root()
        made = draw_list(
            self.origin, parameters, seeds=seeds, beacon=beacon, block_sizes=plan.block_sizes or ()
        )
        self.given(
            holder,
            "randomization.list_committed",
            at,
            {
                "beacon": encode_base64(beacon),
                "list": plan.list,
                "root": encode_base64(made.root),
                "size": made.size,
            },
        )
        load_list(self.ledger.store, self.ledger.data_keys, made)
        return made


class Bedside:
    """What is recorded of one participant."""

    def __init__(self, play: Play, participant: str, site: str) -> None:
        self.play, self.participant, self.site = play, participant, site
        self.stream = f"participant/{participant}"
        self.members = {"site": site, "protocol": play.definition.version}

    def given(self, who: str, type_: str, data: Mapping[str, Any], **more: Any) -> Recorded:
        """Record what breaks nothing."""
        return self.play.given(who, type_, self.stream, data, **self.members, **more)

    def breaking(
        self, rules: Sequence[str], who: str, type_: str, data: Mapping[str, Any], **more: Any
    ) -> Recorded:
        """Record what breaks these rules."""
        return self.play.breaking(rules, who, type_, self.stream, data, **self.members, **more)

    def refused(self, who: str, type_: str, data: Mapping[str, Any], **more: Any) -> str:
        """Try what is to be refused."""
        return self.play.refused(who, type_, self.stream, data, **self.members, **more)

    def consent(self, who: str, version: str, language: str, **more: Any) -> Recorded:
        """Record a consent that was just signed on paper."""
        form = FORM + f"{version} {language}\n".encode()
        when = self.play.now
        data = {
            "form_version": version,
            "language": language,
            "form_sha256": hashlib.sha256(form).hexdigest(),
            "mode": "paper_in_person",
            "identity_check": "identity_card",
            "participant_time": when,
            "participant_time_from": "form",
            "consenter": who,
            "consenter_time": when,
            "consenter_time_from": "form",
            "options": [],
            "authorization": True,
            "duty_disclosure": False,
            "copy_given": True,
            **more,
        }
        return self.given(who, "consent.obtained", data)

    def assess(self, who: str, **results: str) -> None:
        """Assess every criterion as it must be, or as is said."""
        for criterion in self.play.definition.criteria:
            result = results.get(criterion.id, "met" if criterion.kind == "inclusion" else "not_met")
            self.given(who, "criterion.assessed", {"criterion": criterion.id, "result": result})

    def confirm(self, physician: str) -> Recorded:
        """Confirm eligibility over the assessments there are."""
        digest = criteria_digest(self.play.state(self.participant).assessments)
        return self.given(physician, "eligibility.confirmed", {"criteria_sha256": digest})

    def visit(self, who: str, name: str, mode: str = "in_person") -> None:
        """Start and complete a visit."""
        self.given(who, "visit.started", {"visit": name, "mode": mode})
        self.given(who, "visit.completed", {"visit": name})


def _us(local: str, zone: str) -> int:
    moment = datetime.fromisoformat(local).replace(tzinfo=ZoneInfo(zone))
    return int(moment.timestamp()) * 1_000_000
