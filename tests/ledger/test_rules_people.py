"""Rules of people, devices, logins, inspections, the system and erasure, as stories (catalogue A)."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from ledger.rules import codes, participants
from ledger.rules.case import Case
from ledger.rules.codes import Effect, Rule
from tests.given_people import (
    ACCESS,
    backup,
    close,
    compromise,
    configure,
    device,
    downtime,
    given_inspection,
    inspection,
    lock,
    login,
    reaffirm,
    register,
    release,
    take,
    view,
)
from tests.scenario import (
    PARTICIPANT,
    SITE,
    SOURCE,
    VITALS,
    Story,
    breaks,
    consent,
    given_active_site,
    given_consented,
    given_registered,
    given_study,
    keeps,
    train,
)

KEY = {"alg": "ed25519", "grade": "client", "id": "sha256:" + "11" * 32, "person": "dora",
       "spki": "MCowBQYDK2VwAyEAZaKAvCC59LiyMoqJw4lC4gH0nGI+H9lgOGAMmmKli08="}  # fmt: skip
GOLDEN = Path(__file__).parent / "golden"
FROM_MONITOR = {"source": {"kind": "device", "reference": "MON-03"}}


# Accounts, keys, roles: judged by authority; conduct asks nothing more of them.


@keeps(
    "account.created", "identity.verified", "key.enrolled", "role.granted",
    "esignature_policy.acknowledged", "training.recorded", "key.rotated", "key.holder_confirmed",
    "key.revoked", "role.revoked", "account.renamed", "account.disabled",
)  # fmt: skip
def test_a_person_comes_and_goes() -> None:
    """From account to end nothing here breaks a rule of conduct."""
    story, at = given_study(), "person/dora"
    named = {"name": "Dora", "organisation": "Site SA-01", "person": "dora"}
    story.given("account.created", named, by="sponsor", stream=at)
    verified = {"by": "sponsor", "document": "passport", "method": "in person", "person": "dora"}
    story.given("identity.verified", verified, by="sponsor", stream=at)
    evidence = {"kind": "signed-form", "sha256": "ee" * 32}
    story.given("key.enrolled", {"evidence": evidence, "key": KEY}, by="sponsor", stream=at)
    grant = {"blinded": True, "person": "dora", "role": "coordinator", "sites": [SITE]}
    story.given("role.granted", grant, by="sponsor", stream=at)
    letter = {"letter": "LNR-1", "person": "dora", "version": "1"}
    story.given("esignature_policy.acknowledged", letter, by="cora", stream=at)
    assert train(story, "dora").codes == ()
    story.given("key.rotated", {"key": KEY, "replaces": "sha256:" + "22" * 32}, by="cora", stream=at)
    story.given("key.holder_confirmed", {"key": KEY["id"], "person": "dora"}, by="cora", stream=at)
    story.given("key.revoked", {"key": KEY["id"], "person": "dora"}, by="sponsor", stream=at)
    story.given("role.revoked", {"person": "dora", "role": "coordinator"}, by="sponsor", stream=at)
    story.given("account.renamed", {**named, "name": "Dora D."}, by="sponsor", stream=at)
    story.given("account.disabled", {"person": "dora"}, by="sponsor", stream=at)


@breaks("account.created", "CLASS_STREAM")
def test_no_account_has_the_id_of_a_participant() -> None:
    """A control statement names no participant."""
    story = given_registered()
    named = {"name": "X", "organisation": "Sponsor", "person": PARTICIPANT}
    told = story.when("account.created", named, by="sponsor", stream=f"person/{PARTICIPANT}")
    assert told.refused == "CLASS_STREAM"


@keeps("ledger.opened")
def test_a_ledger_is_opened() -> None:
    """What index 0 must be is authority's to judge; no rule of conduct stands against it."""
    opened = json.loads((GOLDEN / "ledger.opened.v1.json").read_text(encoding="utf-8"))["data"]
    Story().given("ledger.opened", opened, by="sponsor", stream="study")


@keeps("policy.changed", "command.refused", "certified_copy.issued", "export.generated", "clock.drifted")
def test_what_is_only_told_breaks_nothing() -> None:
    """Policy, refusals, copies and the clock are recorded as they come."""
    story = given_study()
    story.given("policy.changed", {"late_entry_hours": 48}, by="sponsor", stream="study")
    refused = {
        "payload_hmac": "cc" * 32,
        "rule": "CONSENT_MISSING",
        "type": "infusion.started",
        "who": "cora",
    }
    story.given("command.refused", refused, by="service", stream=ACCESS)
    beyond = {"count": 3, "since": 1, "who": "cora"}
    story.given("command.refused", beyond, by="service", stream=ACCESS, schema=2)
    copy = {"bundle_sha256": "dd" * 32, "format": "zip", "kind": "study", "role": "auditor", "size": 2,
            "purpose": "inspection", "who": "monitor"}  # fmt: skip
    story.given("certified_copy.issued", copy, by="service", stream=ACCESS)
    export = {"manifest_sha256": "dd" * 32, "kind": "study", "role": "auditor", "size": 2,
              "purpose": "inspection"}  # fmt: skip
    story.given("export.generated", export, by="service", stream=ACCESS)
    drift = {"clock": "server", "limit_ms": 500, "offset_ms": -900, "reference": "time.example"}
    story.given("clock.drifted", drift, by="service", stream="study")


# Sources.


@keeps("device.registered", "vital_signs.recorded")
@breaks("vital_signs.recorded", "SOURCE_UNREGISTERED")
def test_a_device_is_registered_before_its_data_are_taken_in() -> None:
    """An unregistered source is refused, fact or not (21 CFR 11.10(h))."""
    story = given_consented()
    assert story.when("vital_signs.recorded", {**VITALS, **FROM_MONITOR}).refused == "SOURCE_UNREGISTERED"
    register(story)
    story.given("vital_signs.recorded", {**VITALS, **FROM_MONITOR})


@breaks("vital_signs.recorded", "SOURCE_UNREGISTERED")
@pytest.mark.parametrize("kind", ["device", "system"])
def test_an_originator_is_registered_as_what_it_is(kind: str) -> None:
    """An originator that is a device or a system is known as that."""
    story = given_consented()
    register(story, "MON-03", kind="system" if kind == "device" else "device")
    originator = {"id": "MON-03", "kind": kind}
    assert story.when("vital_signs.recorded", VITALS, originator=originator).refused == "SOURCE_UNREGISTERED"
    register(story, "MON-04", kind=kind)
    told = story.when("vital_signs.recorded", VITALS, originator={"id": "MON-04", "kind": kind})
    assert told.codes == ()


@breaks("vital_signs.recorded", "SOURCE_UNREGISTERED")
def test_a_device_without_a_name_is_not_registered() -> None:
    """Which device it was is part of the source."""
    story = given_consented()
    register(story)
    assert story.when("vital_signs.recorded", {**VITALS, "source": {"kind": "device"}}).refused


@keeps("device.retired")
@breaks("vital_signs.recorded", "SOURCE_UNREGISTERED")
def test_a_retired_device_measures_no_more() -> None:
    """What it measured before may still be entered."""
    story = given_consented()
    register(story)
    measured = story.ago()
    story.wait(hours=1)
    retired = {"code": "fault", "device": "MON-03"}
    story.given("device.retired", retired, by="sponsor", stream="study")
    assert story.when("vital_signs.recorded", {**VITALS, **FROM_MONITOR}).refused == "SOURCE_UNREGISTERED"
    told = story.when("vital_signs.recorded", {**VITALS, **FROM_MONITOR}, occurred=measured)
    assert told.codes == ()


@breaks("device.registered", "ID_REUSED")
@breaks("device.retired", "DEVICE_UNKNOWN")
def test_a_device_has_its_id_for_ever() -> None:
    """An id is not used again, and a device is retired once."""
    story = given_study()
    register(story)
    again = story.when("device.registered", device(use="ecg"), by="sponsor", stream="study")
    assert again.refused == "ID_REUSED"
    retired = {"code": "lost", "device": "MON-03"}
    story.given("device.retired", retired, by="sponsor", stream="study")
    assert story.when("device.retired", retired, by="sponsor", stream="study").refused == "DEVICE_UNKNOWN"


# Participants' own access.

ISSUED = {"access": "EPRO-1", "use": "web"}


@keeps("participant_access.issued", "participant_access.revoked")
@breaks("participant_access.revoked", "ACCESS_UNKNOWN")
def test_an_access_is_revoked_once() -> None:
    """It ends, and then there is nothing more to end."""
    story = given_consented()
    issued = story.given("participant_access.issued", ISSUED)
    revoked = {"code": "lost", "statement": issued.event}
    story.given("participant_access.revoked", revoked)
    assert story.when("participant_access.revoked", revoked).refused == "ACCESS_UNKNOWN"


def test_a_participant_signs_by_an_access_of_their_own() -> None:
    """Before it is issued and after it is revoked nothing is taken in; what was entered before still is."""
    story = given_consented()

    def source_is_known(**said: Any) -> bool:
        golden = json.loads((GOLDEN / "diary.submitted.v1.json").read_text(encoding="utf-8"))["data"]
        entry = story.entry("diary.submitted", golden, by="p-one", **said)
        found = story.conduct.judge(entry, story.authority)
        return "SOURCE_UNREGISTERED" not in {violation.rule for violation in found}

    register(story, "EPRO-17")
    assert not source_is_known()
    issued = story.given("participant_access.issued", ISSUED)
    assert source_is_known()
    entered = story.now
    story.wait(hours=1)
    story.given("participant_access.revoked", {"code": "lost", "statement": issued.event})
    story.wait(minutes=1)
    assert not source_is_known()
    assert source_is_known(occurred=entered)


@breaks("participant_access.issued", "ID_REUSED", "DEVICE_UNKNOWN")
def test_an_access_is_new_and_on_a_registered_device() -> None:
    """Its id is nobody else's, and its device is known."""
    story = given_consented()
    on_device = {"access": "EPRO-2", "use": "provisioned_device", "device": "TAB-1"}
    assert story.when("participant_access.issued", on_device).refused == "DEVICE_UNKNOWN"
    register(story, "TAB-1")
    story.given("participant_access.issued", on_device)
    assert story.when("participant_access.issued", on_device).refused == "ID_REUSED"


@breaks("participant_access.revoked", "ACCESS_UNKNOWN")
def test_an_access_is_revoked_where_it_was_issued() -> None:
    """Another statement is no access."""
    story = given_consented()
    other = story.log[-1].event
    told = story.when("participant_access.revoked", {"code": "lost", "statement": other})
    assert told.refused == "ACCESS_UNKNOWN"


# Logins.


@keeps("login.succeeded", "login.failed", "login.locked", "session.ended")
def test_failures_lock_and_the_lock_ends() -> None:
    """Five failures, a lock, its end, a session and its end (21 CFR 11.300(d))."""
    story = given_study()
    for _ in range(5):
        assert login(story, "login.failed").codes == ()
    assert lock(story).codes == ()
    assert login(story, "login.failed", code="locked").codes == ()
    story.wait(hours=1)
    began = login(story, "login.succeeded")
    assert began.codes == ()
    assert login(story, "session.ended", code="idle", statement=began.event).codes == ()


@breaks("login.failed", "LOCKOUT_MISSING")
@breaks("login.succeeded", "LOCKOUT_MISSING")
def test_a_lock_that_is_owed_is_missed() -> None:
    """Whatever follows the last allowed failure, it is the lock."""
    story = given_study()
    for _ in range(5):
        login(story, "login.failed")
    assert login(story, "login.failed").codes == ("LOCKOUT_MISSING",)
    assert login(story, "login.succeeded").codes == ("LOCKOUT_MISSING",)
    assert login(story, "login.failed").codes == ()


@breaks("login.failed", "LOCKOUT_MISSING")
def test_the_number_of_failures_is_configured() -> None:
    """A setting says how many; it counts from its own index on."""
    story = given_study()
    assert configure(story, "login_failures", "2").codes == ()
    for _ in range(2):
        assert login(story, "login.failed").codes == ()
    assert login(story, "login.failed").codes == ("LOCKOUT_MISSING",)


@breaks("login.succeeded", "LOCKOUT_IGNORED")
def test_nobody_logs_in_while_locked() -> None:
    """The lock holds until its time."""
    story = given_study()
    lock(story, minutes=30)
    assert login(story, "login.succeeded").codes == ("LOCKOUT_IGNORED",)


@breaks("login.succeeded", "LOCKOUT_IGNORED")
def test_a_disabled_account_does_not_log_in() -> None:
    """An account that was disabled is out (21 CFR 11.10(d))."""
    story = given_study()
    persons = dict(story.authority.persons)
    persons["cora"] = replace(persons["cora"], active=False)
    story.authority = replace(story.authority, persons=MappingProxyType(persons))
    assert login(story, "login.succeeded").codes == ("LOCKOUT_IGNORED",)


@breaks("session.ended", "SESSION_NOT_OPEN")
def test_a_session_ends_once_and_is_ones_own() -> None:
    """It names the login that began it."""
    story = given_study()
    began = login(story, "login.succeeded").event
    told = login(story, "session.ended", "nurse", code="idle", statement=began)
    assert told.codes == ("SESSION_NOT_OPEN",)
    again = login(story, "session.ended", code="idle", statement=began)
    assert again.codes == ("SESSION_NOT_OPEN",)


# Views and inspections.


@keeps("record.viewed", "trail.viewed", "inspection.opened", "inspection.closed")
@breaks("record.viewed", "INSPECTION_NOT_OPEN")
@breaks("trail.viewed", "INSPECTION_NOT_OPEN")
def test_an_inspector_reads_in_an_open_inspection() -> None:
    """Opened, read, closed; after that a view is flagged."""
    story = given_study()
    opened = given_inspection(story).event
    by_someone = {"purpose": "review", "role": "auditor", "view": view(), "who": "monitor"}
    for type_ in ("record.viewed", "trail.viewed"):
        story.given(type_, by_someone, by="service", stream=ACCESS)
        story.given(type_, {"inspection": opened}, by="service", stream=ACCESS, schema=2)
    assert close(story, opened).codes == ()
    for type_ in ("record.viewed", "trail.viewed"):
        told = story.when(type_, {"inspection": opened}, by="service", stream=ACCESS, schema=2)
        assert told.codes == ("INSPECTION_NOT_OPEN",)


@breaks("inspection.opened", "ID_REUSED", "INSPECTOR_ROLE", "INSPECTION_CHECKPOINT")
def test_what_an_inspection_opens_with() -> None:
    """A new one, for inspectors, at a checkpoint that was verified."""
    story = given_study()
    given_inspection(story)
    wrong: list[tuple[dict[str, Any], str]] = [
        ({}, "ID_REUSED"),
        ({"inspection": "INSP-2", "inspectors": ["insp", "monitor"]}, "INSPECTOR_ROLE"),
        ({"inspection": "INSP-2", "size": 2}, "INSPECTION_CHECKPOINT"),
        ({"inspection": "INSP-2", "root": "B" * 42 + "A="}, "INSPECTION_CHECKPOINT"),
    ]
    for change, code in wrong:
        told = story.when("inspection.opened", inspection(story, **change), by="sponsor", stream="study")
        assert told.refused == code


@breaks("inspection.closed", "REFERENCE", "INSPECTION_NOT_OPEN")
def test_an_inspection_is_closed_once() -> None:
    """Another statement is no inspection, and a closed one stays closed."""
    story = given_study()
    assert close(story, story.log[0].event).refused == "REFERENCE"
    opened = given_inspection(story).event
    assert close(story, opened).codes == ()
    assert close(story, opened).codes == ("INSPECTION_NOT_OPEN",)


# The system.


@keeps("backup.taken", "restore.tested", "configuration.changed")
@breaks("restore.tested", "REFERENCE", "RESTORE_FAILED")
def test_a_restore_gives_back_what_was_taken() -> None:
    """The backup's size and root come out again (21 CFR 11.10(c))."""
    story = given_study()
    taken = take(story)
    data = {"outcome": "passed", "root": "A" * 43 + "=", "size": backup(story)["size"] - 1}
    story.given("restore.tested", {**data, "statement": taken.event}, by="service", stream="study")
    for wrong in ({"outcome": "failed"}, {"size": 1}):
        told = story.when(
            "restore.tested", {**data, "statement": taken.event, **wrong}, by="service", stream="study"
        )
        assert told.codes == ("RESTORE_FAILED",)
    other = {**data, "statement": story.log[0].event}
    assert story.when("restore.tested", other, by="service", stream="study").refused == "REFERENCE"
    assert configure(story, "session_idle_minutes", "15").codes == ()


@breaks("backup.taken", "ID_REUSED", "BACKUP_UNKNOWN")
@breaks("configuration.changed", "BACKUP_UNKNOWN")
def test_backups_are_destroyed_once() -> None:
    """One backup makes room for the next; nothing that is gone goes again."""
    story = given_study()
    first = take(story)
    assert take(story, "B-2", destroyed=[first.event]).codes == ()
    assert take(story, "B-3", destroyed=[first.event]).codes == ("BACKUP_UNKNOWN",)
    assert take(story, "B-3").refused == "ID_REUSED"
    told = configure(story, "media", "shredded", destroyed=[first.event])
    assert told.codes == ("BACKUP_UNKNOWN",)


@keeps("downtime.declared", "downtime.ended")
@breaks("downtime.ended", "REFERENCE", "DOWNTIME_ENDED")
def test_a_downtime_ends_once_and_later() -> None:
    """It was declared, it ends after its beginning, and no second time."""
    story = given_active_site()
    at, began = f"site/{SITE}", story.now
    declared = downtime(story)
    ended = {"paper_records": 3, "statement": declared.event, "to": story.ago(hours=9), "source": SOURCE}
    assert story.when("downtime.ended", ended, by="ines", stream=at).codes == ("DOWNTIME_ENDED",)
    other = downtime(story, began)
    story.wait(hours=2)
    ended = {**ended, "statement": other.event, "to": story.now}
    story.given("downtime.ended", ended, by="ines", stream=at)
    assert story.when("downtime.ended", ended, by="ines", stream=at).codes == ("DOWNTIME_ENDED",)
    nothing = {**ended, "statement": story.log[0].event}
    assert story.when("downtime.ended", nothing, by="ines", stream=at).refused == "REFERENCE"


# Releases and the version of the rules.


@keeps("system.released")
@breaks("system.released", "RULES_UNKNOWN")
def test_a_release_names_rules_that_there_are() -> None:
    """A version that this program cannot judge by is not put to use."""
    story = given_study()
    assert release(story, rules=1).codes == ()
    assert release(story, rules=2, version="2.0.0").refused == "RULES_UNKNOWN"


def test_a_statement_is_judged_by_the_version_in_force_at_its_index(monkeypatch: pytest.MonkeyPatch) -> None:
    """A rule of version 2 is asked of what is recorded after its release, and never of what came before.

    Not either when a correction folds the earlier statement again.
    """

    def asks_a_position(_: Case) -> Any:
        yield "POSITION_MISSING"

    def asked(story: Story) -> set[str]:
        entry = story.entry("vital_signs.recorded", VITALS)
        return {violation.rule for violation in story.conduct.judge(entry, story.authority)}

    rule = Rule(code="POSITION_MISSING", effect=Effect.FLAG, section="F", text="a position", since=2)
    monkeypatch.setitem(codes._RULES, "POSITION_MISSING", rule)
    judges = {**participants.JUDGES, "vital_signs.recorded": asks_a_position}
    monkeypatch.setattr(participants, "JUDGES", MappingProxyType(judges))
    story = given_consented()
    before = story.given("vital_signs.recorded", VITALS)
    assert release(story, rules=2, version="2.0.0").codes == ()
    assert asked(story) == {"POSITION_MISSING"}
    change = {"path": "/data/measurements/0/quantity/value", "old": "72", "new": "74",
              "statement": before.event}  # fmt: skip
    assert story.when("correction.made", change, by="nurse", reason="entry_error").caused == ()
    assert not any(b.event == before.event for b in story.conduct.breaches())
    assert release(story, rules=1, version="1.0.1").codes == ()
    assert asked(story) == set()


# After a compromise.


@keeps("record.reaffirmed")
@breaks("record.reaffirmed", "SAME_PERSON", "NOT_SUSPECT", "NOT_RESPONSIBLE")
def test_a_suspect_record_is_reaffirmed_by_who_answers_for_it() -> None:
    """One by one, by the site's investigator, never by whose key it was."""
    story = given_registered()
    first = story.given("consent.obtained", consent(story))
    second = story.given("vital_signs.recorded", VITALS)
    compromise(story, "cora", second.index)
    assert reaffirm(story, second.event, "cora", by="cora").refused == "SAME_PERSON"
    assert reaffirm(story, second.event, "cora", by="sponsor").refused == "NOT_RESPONSIBLE"
    assert reaffirm(story, first.event, "cora").codes == ("NOT_SUSPECT",)
    assert reaffirm(story, second.event, "cora").codes == ()
    assert set(story.conduct.study.people.reaffirmed) == {first.event, second.event}


@breaks("record.reaffirmed", "NOT_RESPONSIBLE")
def test_the_sponsor_answers_for_records_without_a_site() -> None:
    """An administrator's statements are the sponsor's to reaffirm."""
    story = given_study()
    named = story.log[-1]
    compromise(story, "holder", named.index)
    assert reaffirm(story, named.event, "holder", by="ines").refused == "NOT_RESPONSIBLE"
    assert reaffirm(story, named.event, "holder", by="sponsor").codes == ()


# Checks that prompted.


@keeps("edit_check.fired")
def test_a_check_that_prompted_stands_with_the_participant() -> None:
    """Original answer, prompt and what was kept are sealed; that it prompted is plain (FDA 2024 Q13)."""
    story = given_consented()
    fired = {"answer": "changed", "check": "pulse_range", "path": "/data/measurements/0/quantity/value",
             "type": "vital_signs.recorded", "who": "cora"}  # fmt: skip
    story.given("edit_check.fired", fired, by="service")
    beyond = {"count": 2, "since": 1, "who": "cora"}
    story.given("edit_check.fired", beyond, by="service", stream=ACCESS, schema=3)


# Erasure.


def _approve(story: Story, by: str, statement: str, digests: list[str]) -> str:
    data = {"digests": digests, "legal_basis": "gdpr_17", "statement": statement}
    return str(story.given("erasure.approved", data, by=by, stream="study").event)


def _named(story: Story) -> tuple[str, list[str]]:
    """A statement with its sealed values that may be erased."""
    entry = story.log[-1]
    assert entry.statement is not None
    return str(entry.event), list(entry.statement.sealed.values())


@keeps("erasure.approved", "personal_data.erased")
@breaks("personal_data.erased", "SAME_PERSON", "ERASURE_APPROVALS", "ERASURE_DIGESTS")
def test_an_erasure_has_two_approvals_and_happens_once() -> None:
    """Two different people, one not of the sponsor, of these digests."""
    story = given_registered()
    named, digests = _named(story)
    by = {who: _approve(story, who, named, digests) for who in ("sponsor", "monitor", "ines")}
    erased = {"digests": digests, "statement": named}

    def when(*approvals: str, **more: Any) -> Any:
        data = {**erased, "approvals": list(approvals), **more}
        return story.when("personal_data.erased", data, by="service", stream="study")

    again = _approve(story, "ines", named, digests)
    assert when(by["ines"], again).refused == "SAME_PERSON"
    assert when(by["sponsor"], by["monitor"]).refused == "ERASURE_APPROVALS"
    other = when(by["sponsor"], by["ines"], digests=["C" * 42 + "A"])
    assert {"ERASURE_APPROVALS", "ERASURE_DIGESTS"} <= set(other.codes)
    assert when(by["sponsor"], by["ines"]).codes == ()
    assert when(by["sponsor"], by["ines"]).refused == "ERASURE_DIGESTS"
    (erasure,) = story.conduct.study.people.erasures
    assert erasure.approved_by == ("sponsor", "ines")


@breaks("erasure.approved", "REFERENCE", "ERASURE_DIGESTS")
@breaks("personal_data.erased", "REFERENCE")
def test_an_erasure_names_sealed_values_of_an_earlier_statement() -> None:
    """No statement of that name, no such digest, no such approval: refused."""
    story = given_registered()
    named, digests = _named(story)
    data = {"digests": digests, "legal_basis": "gdpr_17", "statement": "00" * 32}
    assert story.when("erasure.approved", data, by="ines", stream="study").refused == "REFERENCE"
    data = {**data, "digests": ["C" * 42 + "A"], "statement": named}
    assert story.when("erasure.approved", data, by="ines", stream="study").refused == "ERASURE_DIGESTS"
    erased = {"approvals": ["00" * 32, "11" * 32], "digests": digests, "statement": named}
    told = story.when("personal_data.erased", erased, by="service", stream="study")
    assert told.refused == "REFERENCE"


@breaks("erasure.approved", "ERASURE_RETENTION")
@breaks("personal_data.erased", "ERASURE_RETENTION")
def test_withdrawal_is_not_erasure() -> None:
    """What is sealed for the blind is under retention, whoever approves."""
    story = given_consented()
    dose = {"infusion": 1, "volume": {"value": "250", "unit": "mL"}, "percent_given": "100.0",
            "start": story.ago(minutes=50), "end": story.ago(minutes=10)}  # fmt: skip
    story.when("dose.administered", dose, by="nurse")
    entry = next(e for e in story.log if e.statement is not None and e.statement.type == "dose.administered")
    assert entry.statement is not None
    digests = list(entry.statement.sealed.values())
    data = {"digests": digests, "legal_basis": "withdrawal", "statement": entry.event}
    assert story.when("erasure.approved", data, by="ines", stream="study").refused == "ERASURE_RETENTION"
    named = next(
        e for e in story.log if e.statement is not None and e.statement.type == "participant.registered"
    )
    assert named.statement is not None
    other = list(named.statement.sealed.values())
    approvals = [_approve(story, by, str(named.event), other) for by in ("sponsor", "ines")]
    erased = {"approvals": approvals, "digests": digests, "statement": entry.event}
    told = story.when("personal_data.erased", erased, by="service", stream="study")
    assert {"ERASURE_APPROVALS", "ERASURE_RETENTION"} <= set(told.codes)
