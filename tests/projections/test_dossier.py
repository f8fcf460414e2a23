"""The dossier of one signature: who let it sign, whether it holds, and what came after."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from projections.dossier import COLUMNS, dossier, rows
from tests.ledger.small_ledger import SmallLedger, make
from tests.ledger.test_cli import ROOT, STUDY, run
from tests.ledger.write_path import by_root

VITALS = "vitals SA-01-002"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallLedger]:
    """A small ledger with a participant."""
    ledger = make(tmp_path_factory.mktemp("ledger") / "d")
    yield ledger
    ledger.ledger.close()


def test_all_that_stands_behind_a_signature(made: SmallLedger) -> None:
    """Account, identity, key, role, policy, training and delegation, each with its signer, in log order."""
    found = dossier(made.ledger.store, made.at[VITALS])
    assert found is not None
    (signature,) = found["signatures"]
    assert signature["holds"] is True
    assert signature["person"] == "bchan"
    assert (len(signature["evidence"]), signature["endorsed_by"]) == (64, "Sponsor")
    sections = [row["section"] for row in signature["rows"]]
    assert set(sections) == {"account", "identity", "key", "role", "policy", "training", "delegation"}
    assert [row["index"] for row in signature["rows"]] == sorted(row["index"] for row in signature["rows"])
    assert all(row["index"] < made.at[VITALS] for row in signature["rows"])
    assert found["printed"]["name"] == "B. Chan"
    assert found["afterwards"] == []


def test_two_signatures_of_one_statement(made: SmallLedger) -> None:
    """A statement that enrols a key has the signature of that key too, each with a dossier of its own."""
    store = made.ledger.store
    at = next(entry.index for entry in store.entries(3, 40) if entry.type == "key.enrolled")
    found = dossier(store, at)
    assert found is not None
    root, holder = found["signatures"]
    assert (root["holds"], holder["holds"]) == (True, True)
    assert root["person"] != holder["person"]


def test_what_came_after(tmp_path: Path) -> None:
    """A revocation of the key and the end of the account are named, and since when it is suspect."""
    made = make(tmp_path / "d", participants=1)
    at = made.at["vitals SA-01-001"]
    key = dossier(made.ledger.store, at)["signatures"][0]["key"]  # type: ignore[index]
    data = {"compromised_from": at, "key": key, "person": "bchan"}
    by_root(made, "key.revoked", "person/bchan", data)
    by_root(made, "account.disabled", "person/bchan", {"person": "bchan"})
    found = dossier(made.ledger.store, at)
    assert found is not None
    assert [row["section"] for row in found["afterwards"]] == ["afterwards", "afterwards"]
    assert found["signatures"][0]["suspect_from"] == at
    assert found["signatures"][0]["holds"] is True
    assert all(set(row) == set(COLUMNS) for row in rows(found))
    made.ledger.close()


def test_no_such_statement(made: SmallLedger) -> None:
    """An index past the log has none."""
    assert dossier(made.ledger.store, 10_000) is None


def test_by_the_command(tmp_path: Path) -> None:
    """The command prints it for people and as JSON, and refuses what is not there."""
    ledger = tmp_path / "d"
    assert run("init", ledger, *STUDY, *ROOT, "--plain-keys").code == 0
    told = run("dossier", ledger, "3")
    assert told.code == 0
    assert "holds" in told.out
    assert json.loads(run("dossier", ledger, "3", "--json").out)["signatures"][0]["holds"] is True
    for wrong in ("99", "ab" * 32, "x"):
        refused = run("dossier", ledger, wrong)
        assert (refused.code, refused.err.count("\n")) == (1, 1)
    shutil.rmtree(ledger)
