"""Attacks on the write path by a person with a valid key: refused by their code, and nothing breaks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ledger.errors import RefusedError
from ledger.export import export_bundle
from ledger.note import CosignatureSigner, format_vkey
from ledger.statement import parse_statement
from ledger.verify.options import Scope
from tests.ledger.small_ledger import SmallLedger, seed
from tests.ledger.test_allocation import committed_list
from tests.ledger.verifying import judge, problems
from tests.ledger.write_path import BEDSIDE, PARTICIPANT, SOURCE, STREAM, VITALS, account, by_root

WITNESS = format_vkey(CosignatureSigner("witness.example/w", seed("witness")).key)


def register(small: SmallLedger) -> None:
    """Register one participant."""
    data = {"participant": PARTICIPANT}
    opened = {"/data/identity": None}
    small.say("registered", *BEDSIDE, "participant.registered", STREAM, data, opened=opened)


def correct(small: SmallLedger, event: str, old: Any, new: Any) -> None:
    """Correct the value of the vital signs."""
    data = {"new": new, "old": old, "path": "/data/measurements/0/quantity/value", "statement": event}
    opened, reason = {"/reason/text": None}, {"code": "transcription"}
    small.say("correction", *BEDSIDE, "correction.made", STREAM, data, opened=opened, reason=reason)


@pytest.mark.parametrize("sha256", [[], {"a": 1}, None, "../../x", 7])
def test_correction_with_the_members_of_an_attachment(small: SmallLedger, sha256: Any) -> None:
    """What a correction gives as old or new may look like an attachment: refused by its rule."""
    register(small)
    vitals = small.say("vitals", *BEDSIDE, "vital_signs.recorded", STREAM, VITALS)
    odd = {"media_type": None, "sha256": sha256, "size": "x"}
    with pytest.raises(RefusedError) as refused:
        correct(small, vitals.event, "72", odd)
    assert refused.value.code == "CORRECTION_MALFORMED"
    with pytest.raises(RefusedError) as refused:
        correct(small, vitals.event, odd, "73")
    assert refused.value.code == "CORRECTION_OLD_MISMATCH"
    correct(small, vitals.event, "72", "73")


def test_list_drawn_from_another_beacon(small: SmallLedger) -> None:
    """A list that the verifier could never accept does not enter the log."""
    with pytest.raises(RefusedError) as refused:
        committed_list(small, beacon=bytes(32))
    assert refused.value.code == "LIST_BEACON"


def test_training_voided_after_the_work(small: SmallLedger, tmp_path: Path) -> None:
    """A training that is voided brings out at once what was done without one, and the log verifies (R10)."""
    register(small)
    work = small.say("vitals", *BEDSIDE, "vital_signs.recorded", STREAM, VITALS)
    assert "NOT_TRAINED" not in work.breaches
    training = small.ledger.store.entry(small.at["training bchan"])
    assert training is not None
    voided = small.say(
        "voided", "aruiz", "investigator", "authorship", "record.voided", "person/bchan",
        {"code": "error", "source": SOURCE, "statement": training.event},
        opened={"/reason/text": None}, reason={"code": "never_held"},
    )  # fmt: skip
    assert voided.breaches == ("NOT_TRAINED",)
    added = small.ledger.store.entry(voided.added[0])
    assert added is not None
    assert parse_statement(added.statement).data["statement"] == work.event
    place = tmp_path / "bundle"
    ledger = small.ledger
    export_bundle(
        ledger.store, ledger.data_keys, small.publish(), place, scope=Scope(kind="study"), role="auditor"
    )
    assert problems(judge(place, small.policy)) == set()


def test_account_under_the_id_of_a_participant(small: SmallLedger) -> None:
    """A participant who signs has another id: what everyone reads names no participant (§4)."""
    register(small)
    with pytest.raises(RefusedError) as refused:
        by_root(small, "account.created", f"person/{PARTICIPANT}", account(PARTICIPANT))
    assert refused.value.code == "CLASS_STREAM"


def test_participant_under_the_id_of_an_account(small: SmallLedger) -> None:
    """Nor is a participant registered under an id that an account has."""
    data, opened = {"participant": "bchan"}, {"/data/identity": None}
    with pytest.raises(RefusedError) as refused:
        small.say("r", *BEDSIDE, "participant.registered", "participant/bchan", data, opened=opened)
    assert refused.value.code == "CLASS_STREAM"


@pytest.mark.parametrize(
    ("lines", "refused"),
    [("quorum none\n", False), (f"witness w {WITNESS}\nquorum w\n", True), ("quorum nobody\n", True)],
)
def test_policy_that_asks_for_a_quorum(small: SmallLedger, lines: str, refused: bool) -> None:
    """A quorum that this version can't ask for is not promised: writing would have to stop at once (§5)."""
    data = {"witness_policy": lines}
    if not refused:
        assert by_root(small, "policy.changed", "study", data).index > 0
        return
    with pytest.raises(RefusedError) as error:
        by_root(small, "policy.changed", "study", data)
    assert error.value.code == "WITNESS_POLICY"
