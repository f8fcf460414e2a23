"""The identity report: per person the keys, who endorsed them on what evidence, what the holder confirmed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ledger.exports import export_ledger
from ledger.genesis import key_object
from ledger.keys import Ed25519SigningKey
from ledger.verify.main import main
from ledger.verify.options import Scope
from ledger.verify.report import as_json, as_text
from tests.ledger.small_ledger import SmallLedger, make, seed
from tests.ledger.verifying import found, judge


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallLedger]:
    """A small ledger where one person has a second key, which the first confirmed."""
    small = make(tmp_path_factory.mktemp("identity") / "d", participants=0)
    second = Ed25519SigningKey.from_seed(seed("aruiz second"))
    described = key_object(second, "aruiz", "client")
    key = {"alg": described.alg, "grade": "client", "id": second.id, "person": "aruiz"}
    evidence = {"kind": "signed-form", "sha256": seed("second form").hex()}
    enrolled = {"evidence": evidence, "key": {**key, "spki": described.spki}}
    stream = "person/aruiz"
    small.say("second", "root", "root", "approval", "key.enrolled", stream, enrolled, further=[second])
    confirmed = {"key": second.id, "person": "aruiz"}
    holder = ("aruiz", "investigator", "verification")
    small.say("confirmed", *holder, "key.holder_confirmed", stream, confirmed)
    yield small
    small.ledger.close()


@pytest.fixture(scope="module")
def bundle(made: SmallLedger, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its bundle."""
    place = tmp_path_factory.mktemp("bundle") / "b"
    export_ledger(made.ledger, place, scope=Scope(kind="study"), role="auditor")
    return place


@pytest.fixture(scope="module")
def rows(made: SmallLedger, bundle: Path) -> dict[str, Any]:
    """The report's rows by person."""
    listed = json.loads(as_json(judge(bundle, made.policy)))["identity"]
    return {row["person"]: row for row in listed}


def test_everybody_is_listed(rows: dict[str, Any]) -> None:
    """Root persons, the service, and everybody with an account."""
    assert {name: row["kind"] for name, row in rows.items()} == {
        "root1": "root",
        "service": "service",
        "admin": "person",
        "aruiz": "person",
        "bchan": "person",
    }


def test_who_endorsed_on_what(made: SmallLedger, rows: dict[str, Any]) -> None:
    """A key names its endorser, the endorser's organisation, and the hash of the signed form."""
    (key,) = rows["bchan"]["keys"]
    assert (key["enrolled_by"], key["endorsed_by"]) == ("root1", "Sponsor")
    assert key["evidence"] == seed("form bchan").hex()
    assert key["since"] == made.at["key bchan"]
    assert rows["bchan"]["identity_verified_at"] == made.at["identity bchan"]


def test_confirmed_by_the_holder(made: SmallLedger, rows: dict[str, Any]) -> None:
    """Whose further key an earlier one of theirs confirmed is not the work of one organisation alone."""
    first, second = rows["aruiz"]["keys"]
    assert "confirmed_at" not in first
    assert second["confirmed_at"] == made.at["confirmed"]
    assert not rows["aruiz"]["one_sided"]


def test_one_sided_identity(made: SmallLedger, bundle: Path, rows: dict[str, Any]) -> None:
    """Persons all of whose keys one organisation endorsed are named so; root and the service are not."""
    assert {name for name, row in rows.items() if row["one_sided"]} == {"admin", "bchan"}
    report = judge(bundle, made.policy)
    assert found(report, "ONE_SIDED_IDENTITY") == [None]
    assert any(each.detail.startswith("2 persons") for each in report.notes)


def test_people_are_printed_where_asked_for(
    made: SmallLedger, bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`--identity` lists them for people."""
    policy = made.write_policy(tmp_path / "policy")
    assert main([str(bundle), "--policy", str(policy), "--identity"]) == 0
    printed = capsys.readouterr().out
    assert "bchan, B. Chan, Site SA-01: person; identity verified" in printed
    assert "confirmed by the holder" in printed
    assert "people and their keys" not in as_text(judge(bundle, made.policy))
