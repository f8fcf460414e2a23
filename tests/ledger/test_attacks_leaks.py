"""What must not be seen shows in no `repr`: of a value in memory a traceback or a log may print that."""

from __future__ import annotations

import pytest

from ledger.actions.registry import parse_data, spec
from ledger.batch import Opening
from ledger.prepare import Prepared, prepare
from ledger.store.port import NewStream
from ledger.study.lists import ListEntry
from tests.ledger.small_ledger import SmallLedger
from tests.ledger.write_path import PARTICIPANT, STREAM

SECRET = "esketamine"


def test_opened_values_of_an_action() -> None:
    """An action shows what is plain, and nothing that was opened."""
    data = {
        "commitment": "0" * 64, "list": "main", "list_index": 0, "proof": [], "request": "0" * 64,
        "stage": 1, "stratum": "SA-01",
    }  # fmt: skip
    action = parse_data(spec("participant.randomized", 1), data, {"/data/arm": SECRET})
    assert action.arm == SECRET  # type: ignore[attr-defined]
    assert "SA-01" in repr(action)
    assert SECRET not in repr(action)


@pytest.mark.parametrize(
    "value",
    [
        Opening(event="e", path="/data/arm", scope="treatment", stream="s", disclosure=SECRET),
        NewStream(stream="participant/P", tag="t", salt=SECRET.encode()),
        ListEntry(stratum="SA-01", arm=SECRET),
    ],
)
def test_values_on_their_way_to_the_store(value: object) -> None:
    """Disclosures, salts and arms stay out of `repr`."""
    assert SECRET not in repr(value)


def test_disclosures_of_a_prepared_statement(small: SmallLedger) -> None:
    """A prepared statement and its submission hold disclosures and do not show them."""
    signer = small.people["bchan"]
    action = {
        "type": "participant.registered", "stream": STREAM, "role": "coordinator", "site": "SA-01",
        "meaning": "authorship", "protocol": "1.0", "data": {"participant": PARTICIPANT},
    }  # fmt: skip
    submission = signer.submission(small.ledger, action, {"/data/identity": SECRET})
    prepared: Prepared = prepare(
        small.ledger, signer.complete(small.ledger, action), {"/data/identity": SECRET}
    )
    for disclosures, shown in (
        (submission.disclosures, repr(submission)),
        (prepared.disclosures, repr(prepared)),
    ):
        assert disclosures["/data/identity"] not in shown
