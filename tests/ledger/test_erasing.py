"""Erasure: the value is nowhere afterwards, every proof holds, and the log says who approved it (§7)."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ledger.cli.app import run
from ledger.directory import (
    KEK,
    KEYS,
    LOG_KEY,
    LOG_PQ_KEY,
    SERVICE_KEY,
    UNBLINDINGS,
    Config,
    write_config,
)
from ledger.erasing import erase, remains
from ledger.errors import RefusedError
from ledger.export import export_bundle
from ledger.exports import export_ledger
from ledger.fsck import check_storage
from ledger.keyfile import Holder, KeyMaterial, write_key
from ledger.store.unblindings import UnblindingQueue
from tests.behind import stands_in
from tests.ledger.erasing import IDENTITY, STUDY, VALUE, approve, backup, erase_identity, named, traces_of
from tests.ledger.small_ledger import ORIGIN, SmallLedger, make, seed
from tests.ledger.verifying import found, judge, problems
from tests.ledger.write_path import refused


@pytest.fixture
def small(tmp_path: Path) -> SmallLedger:
    """A small ledger in a directory of its own."""
    return make(tmp_path / "d")


def test_an_erased_value_is_in_no_file(small: SmallLedger, tmp_path: Path) -> None:
    """Plain, as disclosure and as ciphertext it is nowhere in the data directory, open or closed."""

    def found(*values: bytes) -> tuple[str, ...]:
        return (*remains(tmp_path / "d", values), *stands_in(tmp_path / "d", values))

    assert found(VALUE.encode()) == ()  # it was never plain
    statement = named(small, "registered SA-01-001")
    _, _, ciphertext = traces_of(small, statement, IDENTITY)
    assert found(ciphertext) != ()
    erased, traces = erase_identity(small)
    assert erased.paths == (IDENTITY,)
    assert erased.approved_by == ("admin", "aruiz")
    assert set(erased.traces) == set(traces)
    wanted = (VALUE.encode(), *traces)
    assert found(*wanted) == ()
    small.ledger.close()
    assert found(*wanted) == ()


@pytest.mark.parametrize("role", ["auditor", "investigator"])
def test_verification_still_holds_and_says_who_approved(
    small: SmallLedger, tmp_path: Path, role: str
) -> None:
    """A fresh export verifies, for who sees the scope and for who does not, and names the approvers."""
    erased, _ = erase_identity(small)
    export_ledger(small.ledger, tmp_path / "out", scope=STUDY, role=role)
    report = judge(tmp_path / "out", small.policy, role=role)
    assert report.exit_code == 0
    assert found(report, "ERASED") == [erased.index]
    assert found(report, "OPENING_MISSING") == []
    (note,) = [each for each in report.notes if each.code == "ERASED"]
    assert "approved by admin and aruiz" in note.detail
    assert check_storage(small.ledger) == []


def test_backups_are_named_until_the_last_is_gone(small: SmallLedger, tmp_path: Path) -> None:
    """A backup taken while the value was there holds it; a later one, and one that is destroyed, do not."""
    first = backup(small, "B-1")
    erased, _ = erase_identity(small)
    assert [held.backup for held in erased.backups] == ["B-1"]
    backup(small, "B-2")
    export_ledger(small.ledger, tmp_path / "held", scope=STUDY, role="auditor")
    assert found(judge(tmp_path / "held", small.policy), "ERASURE_PENDING") == [erased.index]
    backup(small, "B-3", destroyed=[first])
    export_ledger(small.ledger, tmp_path / "gone", scope=STUDY, role="auditor")
    report = judge(tmp_path / "gone", small.policy)
    assert report.exit_code == 0
    assert found(report, "ERASURE_PENDING") == []


def test_the_data_key_goes_with_the_last_value_of_its_scope(small: SmallLedger) -> None:
    """Where nothing else was sealed under it; a later value gets a new key and opens."""
    statement = named(small, "correction SA-01-001")
    erased = erase(small.ledger, approve(small, statement, "/reason/text"))
    assert erased.keys == (("participant/SA-01-001", "freetext"),)
    other, _ = erase_identity(small)
    assert other.keys == ()  # the demographics of this participant are sealed under it still
    assert check_storage(small.ledger) == []


def test_an_interrupted_erasure_is_found_and_finished(small: SmallLedger) -> None:
    """Recorded and not destroyed: `fsck` says so, and asking again destroys without recording again."""
    statement = named(small, "registered SA-01-001")
    approvals = approve(small, statement, IDENTITY)
    data = {
        "approvals": approvals,
        "digests": [statement.sealed[IDENTITY]],
        "statement": statement.event,
    }
    index = small.ledger.attest("personal_data.erased", "study", data).index
    assert [each.code for each in check_storage(small.ledger)] == ["ERASURE_UNDONE"]
    size = small.ledger.store.head().size
    assert erase(small.ledger, approvals).index == index
    assert small.ledger.store.head().size == size
    assert check_storage(small.ledger) == []
    assert erase(small.ledger, approvals).traces == ()


def test_corrections_of_an_erased_value_are_named(small: SmallLedger) -> None:
    """What a correction seals is of another statement and goes on approvals of its own."""
    statement = named(small, "demographics SA-01-001")
    age = "/data/age_years"
    by = ("bchan", "coordinator", "authorship", "correction.made", statement.stream)
    data = {"path": age, "statement": statement.event}
    opened = {"/data/old": 44, "/data/new": 45, "/reason/text": "misread"}
    members = {"schema": 2, "reason": {"code": "transcription"}}
    small.say("sealed correction", *by, data, opened=opened, **members)
    correction = named(small, "sealed correction")
    approvals = approve(small, statement, age)
    assert erase(small.ledger, approvals).corrections == (correction.event,)
    erase(small.ledger, approve(small, correction, "/data/old", "/data/new"))
    assert erase(small.ledger, approvals).corrections == ()
    assert check_storage(small.ledger) == []


def test_a_bundle_that_opens_what_was_erased_is_found(small: SmallLedger, tmp_path: Path) -> None:
    """An operator who says that it is gone and shows it still does not pass."""
    statement = named(small, "registered SA-01-001")
    data = {
        "approvals": approve(small, statement, IDENTITY),
        "digests": [statement.sealed[IDENTITY]],
        "statement": statement.event,
    }
    small.ledger.attest("personal_data.erased", "study", data)
    note = small.publish()
    out = tmp_path / "out"
    export_bundle(small.ledger.store, small.ledger.data_keys, note, out, scope=STUDY, role="investigator")
    report = judge(out, small.policy, role="investigator")
    assert problems(report) == {"ERASED_SHOWN"}


def test_what_is_not_approved_is_destroyed_by_nobody(small: SmallLedger) -> None:
    """One approval twice, of one person, or of something else: nothing is recorded, nothing is gone."""
    statement = named(small, "registered SA-01-001")
    approvals = approve(small, statement, IDENTITY)
    other = approve(small, named(small, "registered SA-01-002"), IDENTITY)
    size = small.ledger.store.head().size
    with refused("ERASURE_APPROVALS"):
        erase(small.ledger, [approvals[0], approvals[0]])
    with refused("ERASURE_APPROVALS"):
        erase(small.ledger, [approvals[0], other[1]])
    with refused("REFERENCE"):
        erase(small.ledger, [approvals[0], statement.event])
    again = approve(small, statement, IDENTITY)
    with refused("SAME_PERSON"):
        erase(small.ledger, [approvals[0], again[0]])
    assert small.ledger.store.head().size == size + 2
    assert {kept.path for kept in small.ledger.store.disclosures(statement.event)} == {IDENTITY}


def test_a_breach_of_its_rules_refuses_a_gate_of_the_service(small: SmallLedger) -> None:
    """What the service attests is no less a gate: an erasure of other digests is not recorded."""
    statement = named(small, "registered SA-01-001")
    data = {"approvals": approve(small, statement, IDENTITY), "digests": ["C" * 42 + "A"],
            "statement": statement.event}  # fmt: skip
    with pytest.raises(RefusedError):
        small.ledger.attest("personal_data.erased", "study", data)


# The command.


def as_directory(small: SmallLedger, directory: Path) -> None:
    """Give a small ledger's directory what the command opens it with."""
    small.ledger.close()
    write_config(directory, Config(origin=ORIGIN, study="SMALL", demonstration=False, tokens=()))
    (directory / KEYS).mkdir()
    keys = ((LOG_KEY, "ed25519", "log"), (LOG_PQ_KEY, "ml-dsa-44", "log pq"),
            (SERVICE_KEY, "ed25519", "service"), (KEK, "kek", "kek"))  # fmt: skip
    for name, alg, label in keys:
        write_key(directory / KEYS / name, KeyMaterial(alg=alg, secret=seed(label), holder=Holder()), None)
    UnblindingQueue.create(directory / UNBLINDINGS).close()


def test_the_command_erases_and_looks_everywhere(
    small: SmallLedger, tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    """It exits 0 when nothing is left, and 1 with the file's name where an export lies in the directory."""
    directory = tmp_path / "d"
    statements = [named(small, f"registered SA-01-00{n}") for n in (1, 2)]
    one, two = (approve(small, statement, IDENTITY) for statement in statements)
    backup(small, "B-1")
    as_directory(small, directory)
    assert run(["rebuild", str(directory)]) == 0  # projections hold no value, and are looked at too
    capsysbinary.readouterr()
    assert run(["erase", str(directory), "--approvals", *one, "--json"]) == 0
    told = json.loads(capsysbinary.readouterr().out)
    assert told["approved_by"] == ["admin", "aruiz"]
    assert told["backups"] == ["B-1"]
    assert told["found_in"] == []
    out = directory / "export"
    assert run(["export", str(directory), str(out), "--role", "investigator"]) == 0
    capsysbinary.readouterr()
    assert run(["erase", str(directory), "--approvals", *two]) == 1
    captured = capsysbinary.readouterr()
    assert b"still found in export/disclosures.jsonl" in captured.err
    assert b"ERASURE_PENDING backup B-1" in captured.out
