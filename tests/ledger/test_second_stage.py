"""Stage 2 on a real ledger: the index of stage 1 again, sealed, for everyone; requests from two processes."""

from __future__ import annotations

import base64
import hashlib
import multiprocessing
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final

from ledger.allocation import load_list
from ledger.errors import ConflictError, RefusedError
from ledger.exports import export_ledger
from ledger.lines import encode_base64
from ledger.merkle import read_frontier
from ledger.prepare import Signer
from ledger.recorded import Recorded
from ledger.sealing import open_disclosure
from ledger.sources import SeededSources
from ledger.statement import Statement, parse_statement
from ledger.store.port import StoredEntry
from ledger.study.lists import CONTINUE, RandomizationList, check_slot, draw_list
from ledger.tiles import TileHashes
from ledger.verify.main import main as verify
from ledger.verify.options import Scope
from tests.ledger.small_ledger import ORIGIN, SITE, SmallLedger, seed
from tests.ledger.test_allocation import ADMIN, HOLDER, PLAN, answer_of, eligible, request, with_list
from tests.ledger.write_path import BEDSIDE, SOURCE, check_whole, copy_of, key_of, open_stores, vitals_action

SECOND: Final = PLAN.second
assert SECOND is not None
STREAM: Final = f"randomization/{SECOND.list}"
SEEDS: Final = [seed("second seed of admin"), seed("second seed of holder")]
PROCESSES: Final = multiprocessing.get_context("forkserver")


def with_both_lists(small: SmallLedger) -> tuple[RandomizationList, RandomizationList]:
    """Commit and load the lists of both stages, before anyone is registered."""
    first = with_list(small)
    contributors = [
        small.say(
            f"second seed {who[0]}", *who, "randomization.seed_committed", STREAM,
            {"list": SECOND.list, "sha256": hashlib.sha256(each).hexdigest()},
        ).event
        for who, each in zip((ADMIN, HOLDER), SEEDS, strict=True)
    ]  # fmt: skip
    size = small.ledger.refresh().size + 1
    parameters: dict[str, Any] = {
        "algorithm": SECOND.algorithm, "arms": [[row.arm, row.ratio] for row in SECOND.arms],
        "beacon_size": size, "contributors": contributors, "first": PLAN.list,
        "from_arms": list(SECOND.from_arms), "list": SECOND.list, "slots": PLAN.slots,
        "strata": list(PLAN.strata),
    }  # fmt: skip
    sizes = list(SECOND.block_sizes or ())
    small.say(
        "p2", *ADMIN, "randomization.parameters_committed", STREAM, parameters,
        opened={"/data/block_sizes": sizes},
    )  # fmt: skip
    beacon = read_frontier(size, TileHashes(small.ledger.store.tile_hashes)).root()
    made = draw_list(ORIGIN, parameters, seeds=SEEDS, beacon=beacon, block_sizes=sizes, first=first.entries)
    data = {"beacon": encode_base64(beacon), "list": SECOND.list, "root": encode_base64(made.root),
            "size": made.size}  # fmt: skip
    small.say("l2", *HOLDER, "randomization.list_committed", STREAM, data)
    load_list(small.ledger.store, small.ledger.data_keys, made)
    return first, made


def on_treatment(small: SmallLedger, participant: str) -> Recorded:
    """Randomize a participant, and record a first infusion that was started on paper."""
    eligible(small, participant)
    first = small.ledger.record(request(small, participant))
    started = {
        "infusion": 1, "pump": "P1", "rate": {"value": "375", "unit": "mL/h"}, "label": "L1",
        "performed_outside": {"why": "outage", "source": SOURCE},
    }  # fmt: skip
    small.say("start", *BEDSIDE, "infusion.started", f"participant/{participant}", started)
    return first


def ask_again(small: SmallLedger, participant: str) -> Recorded:
    """Request stage 2."""
    return small.ledger.record(request(small, participant, list=SECOND.list, stage=2))


def opened(small: SmallLedger, statement: Statement) -> dict[str, Any]:
    """Open everything sealed of a statement with the ledger's data keys."""
    return {
        kept.path: open_disclosure(
            small.ledger.data_keys.open(
                kept.event, kept.path, kept.stream, kept.scope, kept.nonce, kept.ciphertext
            )
        ).value
        for kept in small.ledger.store.disclosures(statement.event)
    }


def test_stage_two_repeats_the_index_of_stage_one(small: SmallLedger) -> None:
    """Asked in another order than stage 1, each gets the own index; arm, index and proof are sealed."""
    _, made = with_both_lists(small)
    names = [f"{SITE}-00{number}" for number in (1, 2, 3)]
    first = {name: answer_of(small, on_treatment(small, name)).data["list_index"] for name in names}
    for name in reversed(names):
        statement = answer_of(small, ask_again(small, name))
        assert set(statement.data) == {"list", "request", "stage", "stratum"}
        values = opened(small, statement)
        index = values["/data/list_index"]
        assert index == first[name]
        assert values["/data/arm"] == made.entries[index].arm
        proof = [base64.b64decode(node) for node in values["/data/proof"]]
        check_slot(bytes.fromhex(values["/data/commitment"]), index, made.size, made.root, proof)
    check_whole(small)


def test_what_is_recorded_of_both_stages_looks_the_same_in_every_arm(small: SmallLedger) -> None:
    """Whatever the arm and whether it changes: same paths, same sizes in the log and in the store (R8)."""
    first, made = with_both_lists(small)
    seen: dict[bool, set[tuple[Any, ...]]] = {True: set(), False: set()}
    arms, sealed = set(), set()
    for number in range(1, 7):
        name = f"{SITE}-00{number}"
        one = answer_of(small, on_treatment(small, name))
        arms.add(first.entries[number - 1].arm)
        kept_of_one = small.ledger.store.disclosures(one.event)
        sealed.add((len(one.body), tuple((d.path, len(d.ciphertext)) for d in kept_of_one)))
        before = small.ledger.store.head().size
        statement = answer_of(small, ask_again(small, name))
        goes_on = made.entries[number - 1].arm == CONTINUE
        assert goes_on == (first.entries[number - 1].arm not in SECOND.from_arms)
        kept = sorted((d.path, len(d.ciphertext)) for d in small.ledger.store.disclosures(statement.event))
        entries = small.ledger.store.entries(before, small.ledger.store.head().size)
        shape = tuple((e.type, len(e.statement), len(e.leaf)) for e in entries if e.stream.endswith(name))
        seen[goes_on].add((tuple(kept), shape))
    assert len(seen[True] | seen[False]) == 1
    assert (len(arms), len(sealed)) == (3, 1)


def test_a_ledger_with_both_stages_verifies_for_blinded_and_unblinded(
    small: SmallLedger, tmp_path: Path
) -> None:
    """With the arms opened and without them nothing is found but recorded breaches."""
    with_both_lists(small)
    for number in (1, 2, 3):
        on_treatment(small, f"{SITE}-00{number}")
        ask_again(small, f"{SITE}-00{number}")
    policy = small.write_policy(tmp_path / "policy")
    for role in ("auditor", "unblinded_statistician"):
        out = tmp_path / role
        export_ledger(small.ledger, out, scope=Scope(kind="study"), role=role)
        assert verify([str(out), "--policy", str(policy), "--role", role]) == 0


def request_all(directory: Path, names: list[str], now_us: int, pipe: Connection) -> None:
    """Request randomization for each participant, as a process of its own."""
    ledger = open_stores(directory, SeededSources(f"process of {names[0]}", now_us))
    signer = Signer(key_of("bchan"), "bchan", "B. Chan", f"Site {SITE}")
    pipe.send("open")
    pipe.recv()
    for name in names:
        data = {"list": PLAN.list, "stage": 1, "stratum": SITE}
        action = vitals_action(f"participant/{name}", type="randomization.requested", data=data)
        while True:
            try:
                ledger.record(signer.submission(ledger, action, {}))
                break
            except (ConflictError, RefusedError) as error:
                if error.code not in ("STALE", "SEEN_BACK"):
                    raise
                continue  # the other process was faster: sign against the newest head
    ledger.close()
    pipe.send("done")


def test_requests_from_two_processes_are_answered_in_order(
    template: tuple[SmallLedger, Path], tmp_path: Path
) -> None:
    """Each request has its answer right behind it; slots go in the order of the log, none skipped."""
    small = copy_of(*template, tmp_path / "ledger")
    with_list(small)
    names = [f"{SITE}-{number:03}" for number in range(1, 13)]
    for name in names:
        eligible(small, name)
    before = small.ledger.store.head().size
    small.ledger.close()
    started = []
    for mine in (names[::2], names[1::2]):
        here, there = PROCESSES.Pipe()
        told = (tmp_path / "ledger", mine, small.sources.now_us(), there)
        process = PROCESSES.Process(target=request_all, args=told, daemon=True)
        process.start()
        started.append((process, here))
    for _, pipe in started:
        assert pipe.poll(60)
        assert pipe.recv() == "open"
    for _, pipe in started:
        pipe.send("go")
    for process, pipe in started:
        assert pipe.poll(60)
        assert pipe.recv() == "done"
        process.join()
    small.ledger = open_stores(tmp_path / "ledger", small.sources)
    drawn = check_answered(small.ledger.store.entries(before, small.ledger.store.head().size))
    assert drawn == list(range(len(names)))
    check_whole(small)
    small.ledger.close()


def check_answered(entries: list[StoredEntry]) -> list[int]:
    """Check that each request is followed by breaches and its own answer; return the slots in order."""
    slots, asked = [], None
    for entry in entries:
        if entry.type == "randomization.requested":
            assert asked is None
            asked = entry.event
        elif entry.type == "participant.randomized":
            data = parse_statement(entry.statement).data
            assert data["request"] == asked
            slots.append(data["list_index"])
            asked = None
        else:
            assert entry.type in ("breach.detected", "command.refused")
    assert asked is None
    return slots
