"""A statement that names events: each of them has to be an earlier one, and each that is not is told."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path
from typing import Any

import pytest

from ledger.envelope import event_hash
from tests.ledger.forgery import SERVICE_KEY, Forgery, key_of
from tests.ledger.small_ledger import SmallLedger, make
from tests.ledger.verifying import judge

NOTHING, NOTHING_EITHER, NOR_THIS = "ab" * 32, "cd" * 32, "ef" * 32
NOT_EARLIER = " does not name an earlier statement"
SOME_VALUE = base64.urlsafe_b64encode(hashlib.sha256(b"a value").digest()).decode().rstrip("=")
BREACH, VITALS, DEMOGRAPHICS = 36, "vitals SA-01-001", "demographics SA-01-001"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> SmallLedger:
    """One small ledger for the whole file."""
    return make(tmp_path_factory.mktemp("references") / "d")


@pytest.fixture
def forged(made: SmallLedger, tmp_path: Path) -> Forgery:
    """Its bundle, to be added to."""
    return Forgery(made, tmp_path / "b")


def events(made: SmallLedger, forged: Forgery) -> tuple[str, str, str]:
    """Return three events that are in the log."""
    vitals, demographics = made.at[VITALS], made.at[DEMOGRAPHICS]
    first, second, third = (event_hash(forged.payloads[at]) for at in (vitals, demographics, BREACH))
    return first, second, third


def not_earlier(made: SmallLedger, forged: Forgery, at: int, place: Path) -> list[str]:
    """Verify; return what is said of names that name nothing, which has to be of this index alone."""
    report = judge(forged.write(place), made.policy)
    told = [
        each for each in report.findings if each.code == "REFERENCE" and each.detail.endswith(NOT_EARLIER)
    ]
    assert {each.index for each in told} <= {at}
    assert not {each.code for each in report.findings if each.index == at} & {"DATA", "SEALED_PATHS"}
    return [each.detail for each in told]


def says(member: str) -> str:
    """Return what is said of a member."""
    return f"/data/{member}{NOT_EARLIER}"


ERASED: dict[str, tuple[list[str | int], str | int, list[str]]] = {
    "all are there": ([0, 1], 2, []),
    "the first approval never was": ([NOTHING, 1], 2, ["approvals"]),
    "the second approval never was": ([0, NOTHING], 2, ["approvals"]),
    "neither approval ever was": ([NOTHING, NOTHING_EITHER], 2, ["approvals"]),
    "what was erased never was": ([0, 1], NOTHING, ["statement"]),
    "nothing ever was": ([NOTHING, NOTHING_EITHER], NOR_THIS, ["approvals", "statement"]),
}


@pytest.mark.parametrize("case", ERASED)
def test_an_erasure_rests_on_approvals_that_were_given(
    made: SmallLedger, forged: Forgery, tmp_path: Path, case: str
) -> None:
    """Personal data that the operator erased on approvals which nobody signed: each that is none is told."""
    approvals, erased, expected = ERASED[case]
    known = events(made, forged)

    def event(named: str | int) -> str:
        return known[named] if isinstance(named, int) else named

    data: dict[str, Any] = {
        "approvals": [event(each) for each in approvals],
        "digests": [SOME_VALUE],
        "statement": event(erased),
    }
    draft = forged.draft(BREACH, type="personal_data.erased", stream="study", site=None, data=data)
    at = forged.append(draft, [SERVICE_KEY])
    assert not_earlier(made, forged, at, tmp_path / "f") == [says(each) for each in expected]


ANSWERS: dict[str, tuple[str | int, str | int | None, list[str]]] = {
    "without a correction": (0, None, []),
    "by a correction": (0, 1, []),
    "by a correction that never was": (0, NOTHING, ["correction"]),
    "to a query that never was": (NOTHING, None, ["statement"]),
}


@pytest.mark.parametrize("case", ANSWERS)
def test_an_answer_names_a_correction_or_none(
    made: SmallLedger, forged: Forgery, tmp_path: Path, case: str
) -> None:
    """An answer without a correction is honest; one that claims a correction which nobody made is not."""
    asked, correction, expected = ANSWERS[case]
    known = events(made, forged)
    source = forged.statement(made.at[VITALS])["data"]["source"]
    data = {"source": source, "statement": known[asked] if isinstance(asked, int) else asked}
    if correction is not None:
        data["correction"] = known[correction] if isinstance(correction, int) else correction
    text = {"/data/text": SOME_VALUE}
    draft = forged.draft(made.at[VITALS], type="query.answered", data=data, sealed=text)
    at = forged.append(draft, [key_of("bchan")])
    assert not_earlier(made, forged, at, tmp_path / "f") == [says(each) for each in expected]
