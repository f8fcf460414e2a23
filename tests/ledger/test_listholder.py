"""A list made away from the server, from an export and the contributors' seeds; its slots handed in."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, Final

import pytest

from ledger import canonical
from ledger.cli.app import run
from ledger.directory import KEYS, open_ledger
from ledger.errors import FormatError, ProofError
from ledger.exports import export_ledger
from ledger.keyfile import Holder, KeyMaterial, write_key
from ledger.listholder import (
    Committed,
    Made,
    make,
    open_slots,
    read_committed,
    read_list,
    seal_slots,
    slot_key,
    write_list,
)
from ledger.sources import SystemSources
from ledger.study.lists import draw_list
from ledger.verify.options import Scope
from tests.ledger.small_ledger import SITE, SmallLedger, seed
from tests.ledger.test_allocation import PLAN, answer_of, arm_of, eligible, request
from tests.ledger.test_unblinding import as_directory
from tests.ledger.write_path import SOURCE, by_root, copy_of, grant, hire, open_stores, refused

ORIGIN: Final = "ledger.example/holder"
SIZES: Final = [3, 6]
SECRET: Final = seed("secret of the server")


def committed(**changes: Any) -> Committed:
    """Return what a log says of a list."""
    parameters = {
        "algorithm": "permuted-blocks/1", "arms": [["a", 1], ["b", 2]], "beacon_size": 9,
        "contributors": ["11" * 32, "22" * 32], "list": "main", "slots": 6, "strata": ["X", "Y"], **changes,
    }  # fmt: skip
    seeds = tuple(_sha(each) for each in seeds_of())
    return Committed(origin=ORIGIN, parameters=parameters, seeds=seeds, beacon=seed("beacon"))


def seeds_of() -> tuple[bytes, bytes]:
    """Return both contributors' seeds."""
    return seed("one"), seed("two")


def _sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def made() -> Made:
    """Return a list, whose seeds were handed over in another order."""
    return make(committed(), reversed(seeds_of()), SIZES)


def test_a_list_is_what_anyone_draws_from_its_seeds() -> None:
    """The seeds go in the order of their commitments, whatever order they came in."""
    told = committed()
    expected = draw_list(ORIGIN, told.parameters, seeds=seeds_of(), beacon=told.beacon, block_sizes=SIZES)
    assert made().list == expected


@pytest.mark.parametrize("seeds", [[seed("one")], [seed("one"), seed("three")], [*seeds_of(), seed("x")]])
def test_other_seeds_than_were_committed_make_none(seeds: list[bytes]) -> None:
    """One missing, one strange, one too many."""
    with refused("RANDOMIZATION_LIST", FormatError):
        make(committed(), seeds, SIZES)


def test_a_list_reads_back_and_not_when_it_was_changed() -> None:
    """The holder's file gives the entries again; one swapped arm is noticed by the root."""
    data = write_list(made(), committed())
    assert read_list(data) == made().list.entries
    value: Any = json.loads(data)
    value["entries"][0]["arm"] = "b" if value["entries"][0]["arm"] == "a" else "a"
    for spoilt in (canonical.encode(value), b"{}", canonical.encode({**value, "format": "other"})):
        with refused("RANDOMIZATION_LIST", FormatError):
            read_list(spoilt)


def test_slots_open_on_the_server_alone_and_tell_nothing_before() -> None:
    """Every slot opens to its commitment; sealed ones are of one length, and no arm stands in the file."""
    told = made()
    data = seal_slots(told, committed(), slot_key(SECRET))
    name, slots = open_slots(data, SECRET, ORIGIN, told.list.root, told.list.size)
    assert name == "main"
    assert [(slot.stratum, slot.arm) for slot in slots] == [(e.stratum, e.arm) for e in told.list.entries]
    value: Any = json.loads(data)
    assert {len(slot["sealed"]) for slot in value["slots"]} == {len(value["slots"][0]["sealed"])}
    assert b'"arm"' not in data
    with refused("RANDOMIZATION_LIST", FormatError):
        open_slots(data, seed("another server"), ORIGIN, told.list.root, told.list.size)


def test_slots_of_another_list_are_not_taken() -> None:
    """Another ledger, another root, too few, two exchanged, a commitment that is not the slot's."""
    told = made()
    root, size = told.list.root, told.list.size
    data = seal_slots(told, committed(), slot_key(SECRET))
    value: Any = json.loads(data)
    with refused("RANDOMIZATION_LIST", FormatError):
        open_slots(data, SECRET, "ledger.example/other", root, size)
    with pytest.raises(ProofError):
        open_slots(data, SECRET, ORIGIN, bytes(32), size)
    with refused("RANDOMIZATION_LIST", FormatError):
        open_slots(canonical.encode({**value, "slots": value["slots"][:-1]}), SECRET, ORIGIN, root, size)
    first, second, *rest = value["slots"]
    with refused("RANDOMIZATION_LIST", FormatError):
        open_slots(canonical.encode({**value, "slots": [second, first, *rest]}), SECRET, ORIGIN, root, size)
    strange = {**first, "commitment": "00" * 32}
    with refused("RANDOMIZATION_SLOT", ProofError):
        open_slots(canonical.encode({**value, "slots": [strange, second, *rest]}), SECRET, ORIGIN, root, size)


def told(capsys: pytest.CaptureFixture[str], *arguments: object) -> dict[str, Any]:
    """Run a command that succeeds, and return what it prints for programs."""
    capsys.readouterr()
    assert run([*map(str, arguments), "--json"]) == 0, capsys.readouterr().err
    value: dict[str, Any] = json.loads(capsys.readouterr().out)
    return value


def test_from_seeds_to_an_answer_by_the_commands(
    template: tuple[SmallLedger, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two people commit seeds, the holder makes the list from an export, the server answers from slots."""
    small = copy_of(*template, tmp_path / "small")
    hire(small, "holder", "list_holder", ["*"])
    hire(small, "sub", "sub_investigator")
    by_root(small, "role.granted", "person/bchan", grant("bchan", "coordinator", ["*"]))
    delegated = {"from": small.now()[:10], "person": "sub", "site": SITE, "tasks": ["eligibility.confirmed"]}
    granted = small.say(
        "d", "aruiz", "investigator", "approval", "delegation.granted", f"site/{SITE}", delegated
    )
    small.say(
        "a", "sub", "sub_investigator", "responsibility", "delegation.accepted", f"site/{SITE}",
        {"delegation": granted.event},
    )  # fmt: skip
    approval = {
        "reference": "IRB-2", "from": "2024-06-01", "to": "2099-12-31", "participants": 30,
        "activities": ["all"], "source": SOURCE,
    }  # fmt: skip
    by = ("admin", "sponsor_administrator", "verification")
    small.say("irb 2", *by, "irb_approval.recorded", f"site/{SITE}", approval)
    directory, keys = tmp_path / "small", tmp_path / "small" / KEYS
    as_directory(small, directory)
    for person in ("admin", "holder"):
        write_key(
            keys / f"{person}.json", KeyMaterial(alg="ed25519", secret=seed(person), holder=Holder()), None
        )
    events = [
        told(capsys, "randomization", "commit-seed", directory, "--list", PLAN.list, "--key",
             keys / f"{person}.json", "--out", tmp_path / f"{person}.seed")["event"]
        for person in ("admin", "holder")
    ]  # fmt: skip
    parameters = {
        "type": "randomization.parameters_committed", "stream": f"randomization/{PLAN.list}",
        "role": "sponsor_administrator",
        "data": {
            "algorithm": PLAN.algorithm, "arms": [[row.arm, row.ratio] for row in PLAN.arms],
            "beacon_size": 1, "contributors": events, "list": PLAN.list, "slots": PLAN.slots,
            "strata": list(PLAN.strata),
        },
        "open": {"/data/block_sizes": list(PLAN.block_sizes or ())},
    }  # fmt: skip
    ledger = open_ledger(directory, None, small.sources)
    parameters["data"]["beacon_size"] = ledger.store.head().size + 1  # type: ignore[index]
    ledger.close()
    action = tmp_path / "parameters.json"
    action.write_text(json.dumps(parameters))
    told(capsys, "record", directory, action, "--key", keys / "admin.json")
    told(capsys, "export", directory, tmp_path / "bundle", "--role", "ethics_committee")
    assert run(["randomization", "slot-key", str(directory)]) == 0
    to = capsys.readouterr().out.strip()
    sizes = [f"--block-size={size}" for size in PLAN.block_sizes or ()]
    made_of = told(capsys, "randomization", "make-list", tmp_path / "bundle", tmp_path / "list", "--list",
                   PLAN.list, f"--seed={tmp_path / 'admin.seed'}", f"--seed={tmp_path / 'holder.seed'}",
                   *sizes, "--slot-key", to)  # fmt: skip
    assert made_of["size"] == PLAN.slots * len(PLAN.strata)
    assert {
        path.name: path.stat().st_mode & 0o777 for path in (tmp_path / "list").iterdir()
    } == dict.fromkeys(("list.json", "commit.json", "slots.json", "opening.json"), 0o600)
    told(capsys, "record", directory, tmp_path / "list" / "commit.json", "--key", keys / "holder.json")
    loaded = told(capsys, "randomization", "load-slots", directory, tmp_path / "list" / "slots.json")
    assert loaded == {"list": PLAN.list, "slots": made_of["size"]}
    small.sources.advance_to(SystemSources().now_us())  # the commands go by the machine's clock
    small.ledger = open_stores(directory, small.sources)
    entries = read_list((tmp_path / "list" / "list.json").read_bytes())
    eligible(small, f"{SITE}-001")
    answer = answer_of(small, small.ledger.record(request(small, f"{SITE}-001")))
    assert arm_of(small, answer) == entries[0].arm
    small.ledger.close()


def test_parameters_that_are_not_in_the_bundle_make_nothing(small: SmallLedger, tmp_path: Path) -> None:
    """An export without the list, or one that was altered, is no ground to make a list on."""
    export_ledger(small.ledger, tmp_path / "bundle", scope=Scope(kind="study"), role="auditor")
    with refused("RANDOMIZATION_LIST", FormatError):
        read_committed(tmp_path / "bundle", "main")
