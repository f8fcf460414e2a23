"""The bill of materials: valid, the same each time, in locked versions, and nothing of this machine."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest

from tests.sbom import bill, listed
from tests.shared import ROOT
from tests.test_house import FORBIDDEN


@pytest.fixture(scope="module")
def made() -> bytes:
    """The bill of the environment that the tests run in."""
    return bill(Path(sys.prefix))


def test_it_is_the_same_each_time(made: bytes) -> None:
    """No time, no serial number, no order of a directory: two machines compare theirs by a hash."""
    assert listed(Path(sys.prefix)) == made
    value = json.loads(made)
    assert (value["bomFormat"], value["specVersion"]) == ("CycloneDX", "1.6")
    assert "serialNumber" not in value
    assert "timestamp" not in value["metadata"]
    assert value["metadata"]["component"]["name"] == "trial-ledger"


def test_it_names_no_index_and_no_path(made: bytes) -> None:
    """Links to a package index or into a file system are left out."""
    text = made.decode()
    assert FORBIDDEN.search(text) is None
    assert str(ROOT) not in text
    assert str(Path(sys.prefix)) not in text
    assert str(Path.home()) not in text


def test_everything_that_runs_is_in_it_as_it_is_locked(made: bytes) -> None:
    """Each component whose name the lock has stands there in the locked version."""
    lock = dict(re.findall(r"(?m)^([a-z0-9-]+)==([^ ;\\]+)", (ROOT / "requirements.lock").read_text("utf-8")))
    components = json.loads(made)["components"]
    found = {re.sub(r"[-_.]+", "-", each["name"]).lower(): each["version"] for each in components}
    assert {name: found[name] for name in lock.keys() & found} == {
        name: lock[name] for name in lock.keys() & found
    }
    assert {"fastapi", "cryptography", "pynacl", "eventsourcing", "uvicorn"} <= lock.keys() & found
    assert all("purl" in each for each in components)
