"""Rules judged again offline (§10): what is recorded, recorded late, done outside, and of another form."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest

from ledger import canonical
from ledger.canonical import Keys
from ledger.sealing import digest, make_disclosure
from tests.ledger.forgery import SERVICE_KEY, Forgery, key_of
from tests.ledger.small_ledger import SmallLedger, make
from tests.ledger.verifying import found, judge, problems
from tests.ledger.write_path import BEDSIDE

NOW = "2024-06-03T10:00:53.000000Z"
STREAM = "participant/SA-01-001"
OUTSIDE = {"why": "paper", "source": {"kind": "paper"}}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> SmallLedger:
    """A small ledger with one registration on paper, two days before the site was activated."""
    made = make(tmp_path_factory.mktemp("ledger") / "d")
    made.say(
        "outside", *BEDSIDE, "participant.registered", "participant/SA-01-009",
        {"participant": "SA-01-009", "performed_outside": OUTSIDE},
        opened={"/data/identity": None}, occurred_at="2024-06-01T08:00:00.000000Z",
    )  # fmt: skip
    return made


@pytest.fixture(scope="module")
def real(made: SmallLedger, tmp_path_factory: pytest.TempPathFactory) -> Forgery:
    """Its bundle in memory."""
    return Forgery(made, tmp_path_factory.mktemp("bundle") / "b")


@pytest.fixture
def forged(real: Forgery) -> Forgery:
    """A copy to change."""
    other = copy.copy(real)
    other.leaves, other.payloads, other.files = real.leaves.copy(), real.payloads.copy(), dict(real.files)
    return other


def vitals(forged: Forgery, made: SmallLedger) -> str:
    """Append vital signs before consent, which break a rule; return their event hash."""
    fact = forged.draft(made.at["vitals SA-01-001"], occurred_at=NOW, signed_at=NOW)
    return str(forged.leaf(forged.append(fact, [key_of("bchan")]))["statement"])


def record(forged: Forgery, event: str, rule: str) -> int:
    """Append the breach of a rule by an event; return its index."""
    like = next(
        at for at in range(forged.size) if forged.statement(at)["type"] == "breach.detected"
        and forged.statement(at)["stream"] == STREAM
    )  # fmt: skip
    data = {"rule": rule, "statement": event}
    return forged.append(forged.draft(like, data=data, signed_at=NOW, occurred_at=NOW), [SERVICE_KEY])


def rules(forged: Forgery, made: SmallLedger, place: Path) -> list[str]:
    """Return the rules of which the verifier misses the breach."""
    report = judge(forged.write(place), made.policy)
    return [each.detail.split()[0] for each in report.problems if each.code == "UNRECORDED_BREACH"]


def test_every_breach_on_record_is_counted(forged: Forgery, made: SmallLedger, tmp_path: Path) -> None:
    """The count is that of the notes, one for each breach that stands in the log."""
    report = judge(forged.write(tmp_path / "b"), made.policy)
    stand = [at for at in range(forged.size) if forged.statement(at)["type"] == "breach.detected"]
    assert found(report, "RECORDED_BREACH") == stand
    assert report.counts["breaches recorded"] == len(stand) > 0


def test_a_gate_passed_outside_is_not_refused_afterwards(
    forged: Forgery, made: SmallLedger, tmp_path: Path
) -> None:
    """It breaks a rule as a fact does, with a breach on record, and is no finding of the gate (R6)."""
    report = judge(forged.write(tmp_path / "b"), made.policy)
    assert problems(report) == set()
    at = made.at["outside"]
    event = forged.leaf(at)["statement"]
    breaches = [forged.statement(each)["data"] for each in found(report, "RECORDED_BREACH") if each]
    assert [each["rule"] for each in breaches if each["statement"] == event] == ["SITE_NOT_ACTIVE"]


@pytest.mark.parametrize("late", [True, False])
def test_a_breach_recorded_later_is_told(
    forged: Forgery, made: SmallLedger, tmp_path: Path, late: bool
) -> None:
    """Right after the fact it is in time; with a statement of somebody else in between it is late."""
    event = vitals(forged, made)
    missed = rules(forged, made, tmp_path / "before")
    assert missed
    if late:
        other = forged.draft(made.at["training bchan"], signed_at=NOW, occurred_at=NOW)
        forged.append(other, [key_of("root")])
    indexes = [record(forged, event, rule) for rule in missed]
    report = judge(forged.write(tmp_path / "after"), made.policy)
    assert problems(report) == set()
    assert set(indexes) <= set(found(report, "RECORDED_BREACH"))
    assert found(report, "BREACH_LATE") == (indexes if late else [])


def test_an_opened_value_of_another_form_is_told(forged: Forgery, made: SmallLedger, tmp_path: Path) -> None:
    """The statement commits to it, and its type does not have such a value: told where it stands."""
    like = forged.draft(made.at["correction SA-01-001"], occurred_at=NOW, signed_at=NOW)
    opened = make_disclosure(bytes(32), like["id"], "/reason/text", 7)
    at = forged.append({**like, "sealed": {"/reason/text": digest(opened)}}, [key_of("bchan")])
    line = canonical.encode({"index": at, "open": {"/reason/text": opened}}, keys=Keys.DISCLOSURES)
    forged.files["disclosures.jsonl"] += line + b"\n"
    assert found(judge(forged.write(tmp_path / "b"), made.policy), "DISCLOSURE") == [at]
