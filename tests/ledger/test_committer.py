"""The write path: gates and facts (R6), resends (R5), batches, refusals, attachments, failing stores."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ledger.attachments import MAX_ATTACHMENT_BYTES, name_attachment
from ledger.committer import Ledger
from ledger.conduct import Conduct
from ledger.errors import FormatError, LedgerError, RefusedError, SignatureError, StoreError
from ledger.proof import check_receipt
from ledger.recorded import Recorded, receipt_of
from ledger.refusals import HOUR_US, PER_HOUR, payload_hmac
from ledger.sources import SeededSources, SystemSources
from ledger.statement import parse_statement
from ledger.store.sqlite import SqliteStore
from tests.behind import full, locked
from tests.ledger.small_ledger import SECOND, SITE, SmallLedger, seed
from tests.ledger.write_path import (
    STREAM,
    VITALS,
    altered,
    by_root,
    check_recorded,
    check_whole,
    enrolment,
    key_of,
    open_stores,
    refused,
    register,
    signed,
    types_from,
    vitals,
    vitals_action,
)

OUTSIDE = {"why": "outage", "source": {"kind": "paper"}}


def cap(small: SmallLedger, who: str = "bchan", number: int = 99) -> Any:
    """Prepare an opening of enrolment, which a coordinator may not sign."""
    small.sources.advance(SECOND)
    value = {
        "type": "enrolment.opened", "stream": "study", "role": "coordinator", "meaning": "approval",
        "data": {"cap": number, "sites": ["*"]},
    }  # fmt: skip
    return signed(small, who, value)


# What is recorded.


def test_what_is_recorded_has_a_receipt_that_holds(small: SmallLedger) -> None:
    """The receipt checks against the log's keys alone, and its leaf commits to the statement."""
    register(small)
    submission = vitals(small)
    recorded = small.ledger.record(submission)
    leaf, checkpoint = check_receipt(recorded.receipt, small.ledger.signers.verifier_keys)
    assert leaf.statement == submission.statement.event == recorded.event
    assert leaf.sigs == submission.sigs
    assert (leaf.cls, leaf.site, leaf.stream) == ("open", SITE, submission.statement.tag)
    assert checkpoint.size == small.ledger.store.head().size
    stored = small.ledger.store.entry(recorded.index)
    assert stored is not None
    assert stored.statement == submission.statement.body


def test_sealed_values_are_kept_closed_and_open_again(small: SmallLedger) -> None:
    """The store has ciphertext of each sealed path alone; the data key of its stream and scope opens it."""
    recorded = register(small)
    (kept,) = small.ledger.store.disclosures(recorded.event)
    assert (kept.path, kept.scope, kept.stream) == ("/data/identity", "identity", STREAM)
    opened = small.ledger.data_keys.open(
        kept.event, kept.path, kept.stream, kept.scope, kept.nonce, kept.ciphertext
    )
    assert "the person behind it" not in opened  # base64url
    entry = small.ledger.store.entry(recorded.index)
    assert entry is not None
    assert b"behind" not in entry.statement + kept.ciphertext


@pytest.mark.parametrize("change", ["none", "more", "another", "other value"])
def test_disclosures_are_exactly_the_sealed_values(small: SmallLedger, change: str) -> None:
    """Not one less, not one more, and each the one that the statement commits to."""
    value = {"type": "participant.registered", "data": {"participant": f"{SITE}-001"}}
    one = signed(small, "bchan", vitals_action(**value), {"/data/identity": "x"})
    two = signed(small, "bchan", vitals_action(**value), {"/data/identity": "y"})
    d = one.disclosures["/data/identity"]
    given = {
        "none": {},
        "more": {**one.disclosures, "/data/more": d},
        "another": {"/data/other": d},
        "other value": two.disclosures,
    }[change]
    with pytest.raises(LedgerError) as caught:
        small.ledger.record(replace(one, disclosures=given))
    assert caught.value.code.startswith("DISCLOSURE")
    assert small.ledger.store.disclosures(one.statement.event) == []
    assert small.ledger.record(one).event == one.statement.event


def test_the_sealed_paths_are_those_of_the_type(small: SmallLedger) -> None:
    """A registration that seals nothing, or something else, is not of its form."""
    value = vitals_action(type="participant.registered", data={"participant": f"{SITE}-001"})
    for opened in ({}, {"/data/identity": "x", "/data/more": "y"}):
        with refused("SEALED_PATHS", FormatError):
            small.ledger.record(signed(small, "bchan", value, opened))


# Gates and facts.


def test_a_gate_that_breaks_a_rule_is_refused_and_the_refusal_recorded(small: SmallLedger) -> None:
    """`command.refused` names rule, type, person and the HMAC of what was refused; nothing else enters."""
    register(small)
    before = small.ledger.store.head().size
    data = {"list": "main", "stage": 1, "stratum": SITE}
    submission = signed(small, "bchan", vitals_action(type="randomization.requested", data=data))
    with refused("CONSENT_MISSING"):
        small.ledger.record(submission)
    assert types_from(small, before) == ["command.refused"]
    stored = small.ledger.store.entry(before)
    assert stored is not None
    parsed = parse_statement(stored.statement)
    assert parsed.data == {
        "payload_hmac": payload_hmac(seed("secret"), submission.statement.body),
        "rule": "CONSENT_MISSING",
        "type": "randomization.requested",
        "who": "bchan",
    }
    assert (parsed.actor.id, parsed.meaning, parsed.stream) == ("service", "attestation", "access/2024-06")
    check_whole(small)


def test_a_fact_that_breaks_a_rule_enters_with_its_breach(small: SmallLedger) -> None:
    """Vital signs before consent: recorded, and `breach.detected` in the same commit and stream."""
    register(small)
    before = small.ledger.store.head().size
    recorded = small.ledger.record(vitals(small))
    assert recorded.index == before
    assert "CONSENT_MISSING" in recorded.breaches
    assert recorded.added == tuple(range(before + 1, before + 1 + len(recorded.breaches)))
    head = small.ledger.store.head_covering(before)
    assert head is not None
    assert head.size == before + 1 + len(recorded.added)  # one commit
    named = [(entry.type, entry.stream) for entry in small.ledger.store.entries(before + 1, head.size)]
    assert set(named) == {("breach.detected", STREAM)}
    assert small.ledger.fold.conduct.unrecorded() == ()
    check_whole(small)


def test_a_gate_passed_outside_is_judged_as_a_fact(small: SmallLedger) -> None:
    """What was done on paper is recorded with its breaches instead of refused."""
    register(small)
    order = {
        "infusion": 1, "weight": {"value": "80.0", "unit": "kg"}, "weight_date": "2024-06-03",
        "instruction": "per_protocol", "limits": [],
    }  # fmt: skip
    value = vitals_action(type="infusion.ordered", role="investigator", meaning="authorship", data=order)
    with pytest.raises(RefusedError):
        small.ledger.record(signed(small, "aruiz", value))
    outside = {**value, "data": {**order, "performed_outside": OUTSIDE}}
    recorded = small.ledger.record(signed(small, "aruiz", outside))
    assert "NOT_RANDOMIZED" in recorded.breaches
    check_whole(small)


def test_a_gate_that_was_flagged_enters_with_its_breach(small: SmallLedger) -> None:
    """A back-dated delegation is accepted, and its flag is recorded."""
    data = {"from": "2024-01-01", "person": "bchan", "site": SITE, "tasks": ["visit.completed"]}
    recorded = small.say("d", "aruiz", "investigator", "approval", "delegation.granted", f"site/{SITE}", data)
    assert recorded.breaches == ("DELEGATION_BACKDATED",)
    assert types_from(small, recorded.index) == ["delegation.granted", "breach.detected"]


def test_form_is_refused_for_facts_too(small: SmallLedger) -> None:
    """A fact about someone who was never registered has no place to stand in."""
    with refused("PARTICIPANT_UNKNOWN"):
        small.ledger.record(vitals(small))
    check_whole(small)


# R5: once.


def test_a_resend_returns_the_first_index(small: SmallLedger) -> None:
    """Index and event are those of the first time, with a receipt that holds; nothing is added."""
    register(small)
    submission = vitals(small)
    first = small.ledger.record(submission)
    small.ledger.record(vitals(small))
    size = small.ledger.store.head().size
    again = small.ledger.record(submission)
    assert (again.index, again.event, again.leaf, again.again) == (first.index, first.event, first.leaf, True)
    check_recorded(small, again)
    assert small.ledger.store.head().size == size


def test_a_resend_within_one_batch_is_the_same_entry(small: SmallLedger) -> None:
    """The second of two equal submissions gets the first one's place."""
    register(small)
    submission = vitals(small)
    first, second = small.ledger.record_all([submission, submission])
    assert isinstance(first, Recorded)
    assert isinstance(second, Recorded)
    assert (second.index, second.event, second.again) == (first.index, first.event, True)
    check_recorded(small, second)


def test_a_resend_after_the_keys_revocation_is_still_answered(small: SmallLedger) -> None:
    """What was recorded stays recorded: a lost answer can be asked for again."""
    register(small)
    submission = vitals(small)
    first = small.ledger.record(submission)
    by_root(small, "key.revoked", "person/bchan", {"key": key_of("bchan").id, "person": "bchan"})
    assert small.ledger.record(submission).index == first.index


def test_a_resend_is_answered_to_its_signer_alone(small: SmallLedger) -> None:
    """Known bytes under a signature that does not hold are refused for the signature."""
    register(small)
    submission = vitals(small)
    small.ledger.record(submission)
    other = vitals(small)
    with refused("SIGNATURE", SignatureError):
        small.ledger.record(replace(submission, sigs=other.sigs))


def test_an_id_is_accepted_once(small: SmallLedger) -> None:
    """Another statement with a known id is refused, in the log or in the same batch."""
    register(small)
    submission = vitals(small)
    small.ledger.record(submission)
    other = altered(vitals(small), key_of("bchan"), id=submission.statement.id)
    with refused("ID_REUSED", field="/id"):
        small.ledger.record(other)
    one = vitals(small)
    twin = altered(one, key_of("bchan"), data={**VITALS, "position": "supine"})
    outcomes = small.ledger.record_all([one, twin])
    assert isinstance(outcomes[1], RefusedError)
    assert outcomes[1].code == "ID_REUSED"
    check_whole(small)


# Batches.


def test_a_batch_is_judged_one_after_the_other_and_stored_at_once(small: SmallLedger) -> None:
    """Each outcome is its own; good ones after bad ones enter, in order, in one commit."""
    before = small.ledger.store.head().size
    registered = signed(
        small, "bchan", vitals_action(type="participant.registered", data={"participant": f"{SITE}-001"}),
        {"/data/identity": None},
    )  # fmt: skip
    first = vitals(small)
    after = altered(first, key_of("bchan"), seq=2, prev=registered.statement.event)
    unsigned = replace(after, sigs=first.sigs)
    outcomes = small.ledger.record_all([first, registered, unsigned, cap(small), after, first])
    kinds = [type(outcome) for outcome in outcomes]
    assert kinds == [RefusedError, Recorded, SignatureError, RefusedError, Recorded, RefusedError]
    head = small.ledger.store.head_covering(before)
    assert head is not None
    assert head.size == small.ledger.store.head().size
    for outcome in outcomes:
        if isinstance(outcome, Recorded):
            check_recorded(small, outcome)
    check_whole(small)


def test_an_empty_batch_changes_nothing(small: SmallLedger) -> None:
    """Nothing in, nothing out."""
    before = small.ledger.store.head()
    assert small.ledger.record_all([]) == []
    assert small.ledger.store.head() == before


def test_threads_may_record_at_once(small: SmallLedger) -> None:
    """Several threads record into streams of their own: all enter, dense, in one chain."""
    participants = [f"{SITE}-{number:03}" for number in range(1, 5)]
    for participant in participants:
        register(small, participant)
    outcomes: list[Recorded] = []
    refusals: set[str] = set()

    def work(stream: str) -> None:
        for _ in range(5):
            submission = signed(small, "bchan", vitals_action(stream))
            try:
                outcomes.append(small.ledger.record(submission))
            except RefusedError as error:
                refusals.add(error.code)

    threads = [threading.Thread(target=work, args=(f"participant/{p}",)) for p in participants]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert refusals <= {"SEEN_BACK"}  # this key has verified a larger tree meanwhile
    assert len(outcomes) >= 5
    assert len({outcome.index for outcome in outcomes}) == len(outcomes)
    check_whole(small)


# Refusals.


def test_at_most_twenty_refusals_an_hour_are_recorded_for_a_person(small: SmallLedger) -> None:
    """The rest are counted; another person's are recorded still; an hour later it goes on."""
    before = small.ledger.store.head().size
    for _ in range(PER_HOUR + 3):
        with refused("ROLE_NOT_ALLOWED"):
            small.ledger.record(cap(small))
    assert types_from(small, before) == ["command.refused"] * PER_HOUR
    assert small.ledger.refused_beyond == {"bchan": 3}
    with pytest.raises(RefusedError):
        small.ledger.record(cap(small, "aruiz"))
    assert len(types_from(small, before)) == PER_HOUR + 1
    last = small.ledger.store.head().size - 2
    small.sources.advance(HOUR_US)
    with pytest.raises(RefusedError):
        small.ledger.record(cap(small))
    *_, summed, _ = small.ledger.store.entries(before, before + PER_HOUR + 3)
    assert (summed.type, summed.schema) == ("command.refused", 2)
    assert parse_statement(summed.statement).data == {"count": 3, "since": last, "who": "bchan"}
    assert small.ledger.refused_beyond == {}
    check_whole(small)


def test_what_was_only_counted_is_summed_up_at_a_clean_stop(small: SmallLedger) -> None:
    """The number of refusals beyond the limit does not end with the process."""
    for _ in range(PER_HOUR + 2):
        with refused("ROLE_NOT_ALLOWED"):
            small.ledger.record(cap(small))
    store = small.ledger.store
    assert isinstance(store, SqliteStore)
    small.ledger.close()
    again = SqliteStore.open(store.path)
    newest = again.entry(again.head().size - 1)
    again.close()
    assert newest is not None
    assert parse_statement(newest.statement).data["count"] == 2


def test_a_restart_does_not_lift_the_limit(small: SmallLedger, tmp_path: Path) -> None:
    """Another process counts the refusals that the log has."""
    before = small.ledger.store.head().size
    for _ in range(PER_HOUR):
        with pytest.raises(RefusedError):
            small.ledger.record(cap(small))
    small.ledger.close()
    small.ledger = open_stores(tmp_path / "small", small.sources)
    with pytest.raises(RefusedError):
        small.ledger.record(cap(small))
    assert len(types_from(small, before)) == PER_HOUR


@pytest.mark.parametrize("what", ["form", "signature", "unknown key"])
def test_what_is_not_signed_by_an_enrolled_person_leaves_no_trace(small: SmallLedger, what: str) -> None:
    """A refusal is recorded for a valid signature of an enrolled person and for nothing else."""
    register(small)
    good = vitals(small)
    stranger = key_of("stranger")
    bad = {
        "form": signed(small, "bchan", vitals_action(data={})),
        "signature": replace(good, sigs=vitals(small).sigs),
        "unknown key": altered(good, stranger, key={"alg": "ed25519", "id": stranger.id}),
    }[what]
    before = small.ledger.store.head()
    with pytest.raises(LedgerError):
        small.ledger.record(bad)
    assert small.ledger.store.head() == before


# The service.


def test_without_a_service_that_may_sign_facts_with_breaches_wait(small: SmallLedger) -> None:
    """Once its key is revoked the service attests nothing: what needs it is kept out, all else goes on."""
    register(small)
    service = key_of("service")
    by_root(small, "key.revoked", "person/service", {"key": service.id, "person": "service"})
    before = small.ledger.store.head().size
    with refused("SERVICE_KEY", LedgerError):
        small.ledger.record(vitals(small))
    with refused("ROLE_NOT_ALLOWED"):
        small.ledger.record(cap(small))  # refused, and the refusal itself cannot be recorded
    assert small.ledger.store.head().size == before
    new = key_of("service new")
    data = enrolment(new, "service", "service")
    by_root(small, "key.enrolled", "person/service", data, further=[new])
    check_whole(small)


def test_the_service_attests_what_is_asked_of_it(small: SmallLedger) -> None:
    """An export is recorded in the month of its leaf, with a receipt."""
    data = {
        "kind": "study", "manifest_sha256": "ab" * 32, "purpose": "inspection_copy", "role": "auditor",
        "size": 5,
    }  # fmt: skip
    recorded = small.ledger.attest("export.generated", "access/1999-01", data)
    check_recorded(small, recorded)
    stored = small.ledger.store.entry(recorded.index)
    assert stored is not None
    assert stored.stream == f"access/{stored.at[:7]}" == small.ledger.access_stream()
    with refused("STREAM"):
        small.ledger.attest("export.generated", "study", data)
    with refused("ROLE_NOT_ALLOWED"):
        small.ledger.attest("account.disabled", "person/bchan", {"person": "bchan"})
    check_whole(small)


# Attachments.


def approval(version: str, digest: str, size: int, media_type: str = "text/plain") -> dict[str, Any]:
    """Return a consent form's approval that names bytes."""
    document = {"media_type": media_type, "sha256": digest, "size": size}
    form = {"version": version, "language": "en", "from": "2024-06-01", "document": document, "sites": ["*"]}
    return {
        "type": "consent_form.approved",
        "stream": "study",
        "role": "sponsor_administrator",
        "meaning": "approval",
        "data": form,
    }


def test_attachments_are_handed_in_first_and_are_as_named(small: SmallLedger) -> None:
    """Missing bytes, another size, another media type: each refused with its code; then it is recorded."""
    content = b"consent form, version 2\n"
    named = name_attachment("text/plain", content)
    digest = named["sha256"]
    with refused("ATTACHMENT_MISSING"):
        small.ledger.record(signed(small, "admin", approval("2", digest, len(content))))
    small.ledger.store.put_attachment(digest, "text/plain", content)
    for size, media_type in ((len(content) + 1, "text/plain"), (len(content), "text/html")):
        with refused("ATTACHMENT"):
            small.ledger.record(signed(small, "admin", approval("2", digest, size, media_type)))
    assert small.ledger.record(signed(small, "admin", approval("2", digest, len(content)))).breaches == ()
    check_whole(small)


def test_an_attachment_has_at_most_8_mib() -> None:
    """The limit of the page, to the byte."""
    assert name_attachment("text/plain", bytes(MAX_ATTACHMENT_BYTES))["size"] == 8 * 1024 * 1024
    with refused("SIZE", FormatError):
        name_attachment("text/plain", bytes(MAX_ATTACHMENT_BYTES + 1))


# Stores that fail.


def test_a_store_locked_by_another_process_is_busy_and_nothing_is_lost(
    small: SmallLedger, tmp_path: Path
) -> None:
    """The error says so, the fold is kept, and when the lock is gone the same statement enters."""
    register(small)
    submission = vitals(small)
    small.ledger.close()
    directory = tmp_path / "small"
    small.ledger = open_stores(directory, small.sources, busy_timeout_s=0.05)
    small.ledger.refresh()
    fold = small.ledger.fold
    with locked(directory / "ledger.db"):
        with refused("STORE_BUSY", StoreError):
            small.ledger.record(submission)
        assert small.ledger.fold is fold  # not made again from the whole log for a lock that was not got
        assert small.ledger.store.head().size == fold.size
    check_recorded(small, small.ledger.record(submission))
    check_whole(small)


def test_a_store_that_fails_while_it_is_read_leaves_no_half_folded_entry(
    small: SmallLedger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever could not read on in the middle of an entry knows all of the log when it can be read again."""
    register(small)
    whole, other = small.ledger.refresh(), open_stores(tmp_path / "small", small.sources)
    evolve, count = Conduct.evolve, iter(range(10**6))

    def fail(conduct: Conduct, *given: Any) -> Any:
        if next(count) == whole.size // 2:
            raise StoreError("STORE_IO", "the connection to the database failed or was lost")
        return evolve(conduct, *given)

    monkeypatch.setattr(Conduct, "evolve", fail)
    with pytest.raises(StoreError, match="STORE_IO"):
        other.refresh()
    fold = other.refresh()
    assert (fold.size, fold.authority) == (whole.size, whole.authority)
    assert fold.conduct.study == whole.conduct.study
    assert list(fold.conduct.participants()) == list(whole.conduct.participants())
    other.close()


def test_a_full_disk_leaves_nothing_half_written(small: SmallLedger) -> None:
    """With no room left the commit fails as a whole; with room again the same statement enters."""
    register(small)
    before = small.ledger.store.head()
    submissions = []
    with full(small.ledger.store):
        with refused("STORE_FULL", StoreError):
            for _ in range(200):
                submissions.append(vitals(small))
                small.ledger.record(submissions[-1])
        kept = small.ledger.store.head()
        assert kept.size >= before.size
        assert small.ledger.store.index_of_event(submissions[-1].statement.event) is None
        assert small.ledger.store.index_of_id(submissions[-1].statement.id) is None
        check_whole(small)
    check_recorded(small, small.ledger.record(submissions[-1]))
    check_whole(small)


def test_a_full_store_of_data_keys_leaves_nothing_half_written(small: SmallLedger) -> None:
    """Where the key of a new stream cannot be kept, its first statement is not recorded either."""
    data_keys: Any = small.ledger.data_keys
    file = data_keys._rows._connection
    pages = file.execute("PRAGMA page_count").fetchone()[0]
    file.execute(f"PRAGMA max_page_count = {pages}")
    before, number = 0, 0
    with refused("STORE_FULL", StoreError):
        for number in range(1, 500):
            before = small.ledger.store.head().size
            register(small, f"{SITE}-{number:03}")
    assert small.ledger.store.head().size == before
    check_whole(small)
    file.execute("PRAGMA max_page_count = 1000000")
    check_recorded(small, register(small, f"{SITE}-{number:03}"))


# Publishing.


def test_a_checkpoint_is_published_once_for_a_size(small: SmallLedger) -> None:
    """Asked twice at one size the same bytes come back; after a record there is a newer one."""
    first = small.ledger.publish()
    assert first is not None
    assert small.ledger.publish() == first
    register(small)
    assert small.ledger.publish() not in (first, None)
    latest = small.ledger.checkpoints.latest()
    assert latest is not None
    assert latest[0] == small.ledger.store.head().size


def test_two_processes_that_publish_do_not_fail_each_other(small: SmallLedger, tmp_path: Path) -> None:
    """Whoever comes second takes what the first published."""
    register(small)
    other = open_stores(tmp_path / "small", SeededSources("other", small.sources.now_us() + 7 * SECOND))
    notes: list[bytes | None] = []
    ledgers: list[Ledger] = [small.ledger, other]
    threads = [threading.Thread(target=lambda each=each: notes.append(each.publish())) for each in ledgers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(notes) == 2
    assert notes[0] == notes[1]
    other.close()


def test_receipts_are_made_again_from_the_store(small: SmallLedger) -> None:
    """The receipt of an index that was recorded long ago equals the one that was given then."""
    register(small)
    recorded = small.ledger.record(vitals(small))
    small.ledger.record(vitals(small))
    assert receipt_of(small.ledger.store, recorded.index) == recorded.receipt
    with pytest.raises(LookupError):
        receipt_of(small.ledger.store, 10_000)


def test_every_index_has_a_receipt_that_holds(small: SmallLedger) -> None:
    """From the opening on, breaches of the service included."""
    register(small)
    small.ledger.record(vitals(small))
    keys = small.ledger.signers.verifier_keys
    for index in range(small.ledger.store.head().size):
        leaf, _ = check_receipt(receipt_of(small.ledger.store, index), keys)
        assert leaf.index == index


def test_two_open_ledgers_see_each_others_entries(small: SmallLedger, tmp_path: Path) -> None:
    """Each re-reads the head under the lock, so turn by turn they write one log."""
    register(small)
    mine = small.ledger
    other = open_stores(tmp_path / "small", SeededSources("other", small.sources.now_us()))
    for ledger in (other, mine, other, mine):
        small.ledger = ledger
        small.ledger.record(vitals(small))
    small.ledger = mine
    other.close()
    check_whole(small)


def test_the_systems_sources_are_time_and_chance() -> None:
    """The clock goes forward in microseconds, and bytes do not repeat."""
    sources = SystemSources()
    assert 1_700_000_000_000_000 < sources.now_us() <= sources.now_us()
    assert sources.random_bytes(32) != sources.random_bytes(32)
