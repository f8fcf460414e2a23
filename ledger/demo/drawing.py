"""The randomization list: seeds of two contributors, parameters, list and slots (record-format.md §8).

No witness is asked, so the beacon is a root of the ledger's own: the report says BEACON_BY_OPERATOR. The
holder of the list belongs to the operator, on whose machine it is made: LIST_KNOWN_TO_OPERATOR.
"""

from __future__ import annotations

import hashlib
from typing import Final, Protocol

from ledger.actions.accounts import TrainingRecorded
from ledger.actions.randomization import ListCommitted, ParametersCommitted, SeedCommitted
from ledger.actions.registry import Action
from ledger.allocation import load_list
from ledger.demo.cast import ADMINISTRATOR, LIST_HOLDER, STATISTICIAN
from ledger.demo.stage import Stage
from ledger.lines import encode_base64
from ledger.merkle import read_frontier
from ledger.recorded import Recorded
from ledger.study.lists import RandomizationList, build_list, list_seed, permuted_blocks
from ledger.tiles import TileHashes

CONTRIBUTORS: Final = (ADMINISTRATOR, STATISTICIAN)
TRAINED_ON: Final = "2024-03-11"


class Say(Protocol):
    """Let a person record an action in a stream."""

    def __call__(self, person: str, action: Action, stream: str) -> Recorded: ...


def commit_list(stage: Stage, say: Say) -> None:
    """Go through all steps of §8 up to the loaded slots."""
    plan = stage.definition.drawn()
    stream = f"randomization/{plan.list}"
    seeds = [_seed(stage, person) for person in CONTRIBUTORS]
    contributors = [
        say(person, SeedCommitted(list=plan.list, sha256=hashlib.sha256(seed).hexdigest()), stream).event
        for person, seed in zip(CONTRIBUTORS, seeds, strict=True)
    ]
    beacon_size = stage.ledger.refresh().size + 2  # not there before the next statement but one
    parameters = ParametersCommitted(
        algorithm=plan.algorithm,
        arms=tuple((row.arm, row.ratio) for row in plan.arms),
        beacon_size=beacon_size,
        contributors=tuple(contributors),
        list=plan.list,
        slots=plan.slots,
        strata=plan.strata,
        block_sizes=plan.block_sizes,
    )
    say(STATISTICIAN, parameters, stream)
    training = TrainingRecorded(date=TRAINED_ON, person=LIST_HOLDER, topic="custody of randomization lists")
    say(ADMINISTRATOR, training, f"person/{LIST_HOLDER}")
    beacon = read_frontier(beacon_size, TileHashes(stage.ledger.store.tile_hashes)).root()
    made = _make(stage, seeds, beacon)
    committed = ListCommitted(
        beacon=encode_base64(beacon), list=plan.list, root=encode_base64(made.root), size=made.size
    )
    say(LIST_HOLDER, committed, stream)
    load_list(stage.ledger.store, stage.ledger.data_keys, made)


def _seed(stage: Stage, person: str) -> bytes:
    """Return a contributor's seed: in a real study it is drawn and kept by that person."""
    return hashlib.sha256(f"trial-ledger demo {stage.seed} list seed of {person}".encode()).digest()


def _make(stage: Stage, seeds: list[bytes], beacon: bytes) -> RandomizationList:
    plan, origin = stage.definition.drawn(), stage.ledger.origin
    seed = list_seed(origin, plan.list, seeds, beacon)
    entries = permuted_blocks(
        seed,
        arms={row.arm: row.ratio for row in plan.arms},
        strata=plan.strata,
        block_sizes=plan.block_sizes or (),
        slots=plan.slots,
    )
    return build_list(origin, plan.list, seed, entries)
