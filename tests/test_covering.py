"""The digest of a signature over many statements is filled in, and what it is over is shown."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import orjson
import pytest

from ledger.cli.app import run
from ledger.covering import asked, fill_in
from ledger.demo.report import DemoReport
from ledger.directory import open_store
from ledger.errors import FormatError, RefusedError

STREAM = "participant/SA-01-002"
SOURCE = {"kind": "esource"}
WHO = {"role": "investigator", "meaning": "approval", "site": "SA-01"}


@pytest.fixture(scope="module")
def played(demo: DemoReport, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the demonstration that may be written to."""
    place = tmp_path_factory.mktemp("covering") / "ledger"
    shutil.copytree(demo.directory, place, ignore=shutil.ignore_patterns("export"))
    reopened = {
        "type": "database.unlocked", "stream": "study", "role": "sponsor_administrator",
        "meaning": "approval", "data": {"authority": "protocol board"},
        "reason": {"code": "records_reopened"}, "open": {"/reason/text": None},
    }  # fmt: skip
    unlocked = {**reopened, "type": "participant.unlocked", "stream": STREAM, "site": "SA-01"}
    for action in (reopened, unlocked):
        assert acted(place, action, "sponsor-admin.json") == 0
    return place


def last(directory: Path, type_: str) -> tuple[int, dict[str, Any]]:
    """Return the index and the statement of the newest entry of a type."""
    store = open_store(directory)
    try:
        entry = list(store.entries(0, store.head().size, types=(type_,)))[-1]
        return int(entry.index), orjson.loads(entry.statement)
    finally:
        store.close()


def acted(directory: Path, action: dict[str, Any], key: str, *more: str) -> int:
    """Record an action with a key of the directory; return the exit code."""
    file = directory.parent / "action.json"
    file.write_bytes(orjson.dumps(action))
    return run(["record", str(directory), str(file), "--key", str(directory / "keys" / key), *more])


def test_what_is_signed_of_a_visit_is_filled_in_and_shown(
    played: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Index and digest are those of the log as it stands: no rule is broken by what is recorded."""
    data = {"scope": "visit", "visit": "w1d1", "components": ["possession"], "source": SOURCE}
    action = {"type": "record.signed", "stream": STREAM, **WHO, "data": data}
    assert acted(played, action, "sa01-investigator.json", "--json") == 0, capsys.readouterr()
    printed = capsys.readouterr()
    index, statement = last(played, "record.signed")
    assert statement["data"]["upto"] == index
    assert "RECORD_CHANGED" not in printed.out
    assert orjson.loads(printed.out)["breaches"] == []
    assert f" statements below index {index}:\n  " in printed.err
    assert "visit.started at index " in printed.err


def test_an_index_that_is_given_is_kept(played: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Who says below which index they sign, signs what was there then, and no more."""
    index, _ = last(played, "participant.unlocked")
    data = {"scope": "participant", "upto": index, "components": ["possession"], "source": SOURCE}
    action = {"type": "record.signed", "stream": STREAM, **WHO, "data": data}
    acted(played, action, "sa01-investigator.json")
    assert f" statements below index {index}:\n  " in capsys.readouterr().err
    assert last(played, "record.signed")[1]["data"]["upto"] == index


def test_a_digest_that_is_given_is_signed_as_it_is(played: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is filled in, and what the rules say of it they say."""
    data = {"scope": "participant", "upto": 5, "sha256": "0" * 64, "components": ["possession"]}
    action = {
        "type": "record.signed", "stream": STREAM, **WHO, "data": {**data, "source": SOURCE}
    }  # fmt: skip
    assert acted(played, action, "sa01-investigator.json") == 1
    assert capsys.readouterr().err.startswith("error: SIGNED_DIGEST: ")


def test_what_cannot_be_signed_is_named() -> None:
    """Criteria that are not assessed, a record that is not there, and a digest of something else."""
    confirmed = {"type": "eligibility.confirmed", "stream": "participant/P", "data": {}}
    open_ = {"criterion": "I01", "assessed": False, "result": None, "event": None, "index": None}
    told: dict[str, Any] = {"sha256": None, "upto": 9, "criteria": [open_], "lines": [], "not_shown": 0}
    with pytest.raises(RefusedError, match="not assessed yet: I01"):
        fill_in(confirmed, told)
    with pytest.raises(FormatError, match="nothing of what is signed is on record"):
        fill_in(confirmed, {**told, "criteria": []})
    done = {**open_, "assessed": True, "result": "met", "event": "a" * 64, "index": 3}
    with pytest.raises(FormatError, match="not that of what is shown"):
        fill_in(confirmed, {**told, "criteria": [done], "sha256": "0" * 64})
    assert confirmed["data"] == {}


@pytest.mark.parametrize(
    "members",
    [
        {},
        {"type": "record.signed", "stream": "participant/P", "data": None},
        {"type": "record.signed", "stream": "participant/P", "data": {"scope": "visit"}},
        {"type": "record.signed", "stream": "participant/P", "data": {"scope": ["visit"]}},
        {"type": "record.signed", "stream": "participant/P", "data": {"scope": "other"}},
        {"type": "record.signed", "stream": "study", "data": {"scope": "participant"}},
        {"type": "record.signed", "stream": "participant/P", "data": {"scope": "participant", "sha256": "0"}},
        {"type": "vital_signs.recorded", "stream": "participant/P", "data": {}},
        {"type": ["record.signed"], "stream": {}, "data": {}},
    ],
)
def test_any_other_action_stays_as_it_is(members: dict[str, Any]) -> None:
    """What is wrong with it is for the parser and the rules to say."""
    assert asked(members) is None
