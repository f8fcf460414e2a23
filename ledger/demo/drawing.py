"""The randomization lists: seeds of two contributors, parameters, list and slots (record-format.md §8).

No witness is asked, so the beacon is a root of the ledger's own: the report says BEACON_BY_OPERATOR. The
holder of the lists belongs to the operator, on whose machine they are made: LIST_KNOWN_TO_OPERATOR.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from ledger.actions import to_data
from ledger.actions.accounts import TrainingRecorded
from ledger.actions.randomization import ListCommitted, ListOpened, ParametersCommitted, SeedCommitted
from ledger.actions.registry import Action
from ledger.allocation import load_list
from ledger.demo.cast import ADMINISTRATOR, LIST_HOLDER, STATISTICIAN
from ledger.demo.stage import Stage
from ledger.lines import encode_base64
from ledger.merkle import read_frontier
from ledger.recorded import Recorded
from ledger.study.lists import RandomizationList, draw_list
from ledger.tiles import TileHashes

CONTRIBUTORS: Final = (ADMINISTRATOR, STATISTICIAN)
TRAINED_ON: Final = "2024-03-11"


class Say(Protocol):
    """Let a person record an action in a stream."""

    def __call__(self, person: str, action: Action, stream: str) -> Recorded: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """A list with what opens it after the lock; in a real study nobody holds all of this."""

    list: RandomizationList = field(repr=False)
    seeds: tuple[bytes, ...] = field(repr=False)
    block_sizes: tuple[int, ...]

    def opening(self) -> ListOpened:
        """Return what reveals the list."""
        seeds = tuple(encode_base64(seed) for seed in self.seeds)
        return ListOpened(block_sizes=self.block_sizes, list=self.list.name, seeds=seeds)


def commit_lists(stage: Stage, say: Say) -> tuple[Drawn, ...]:
    """Go through all steps of §8 up to the loaded slots, for the first list and the one made upon it."""
    plan = stage.definition.drawn()
    training = TrainingRecorded(date=TRAINED_ON, person=LIST_HOLDER, topic="custody of randomization lists")
    say(ADMINISTRATOR, training, f"person/{LIST_HOLDER}")
    design: dict[str, Any] = {
        "algorithm": plan.algorithm,
        "arms": tuple((row.arm, row.ratio) for row in plan.arms),
        "list": plan.list,
        "block_sizes": plan.block_sizes,
    }
    first = _commit(stage, say, design, None)
    second = plan.second
    if second is None:
        return (first,)
    design = {
        "algorithm": second.algorithm,
        "arms": tuple((row.arm, row.ratio) for row in second.arms),
        "list": second.list,
        "first": plan.list,
        "from_arms": second.from_arms,
        "block_sizes": second.block_sizes,
    }
    return first, _commit(stage, say, design, first.list)


def _commit(stage: Stage, say: Say, design: dict[str, Any], first: RandomizationList | None) -> Drawn:
    plan, name = stage.definition.drawn(), design["list"]
    stream = f"randomization/{name}"
    seeds = tuple(_seed(stage, name, person) for person in CONTRIBUTORS)
    contributors = tuple(
        say(person, SeedCommitted(list=name, sha256=hashlib.sha256(seed).hexdigest()), stream).event
        for person, seed in zip(CONTRIBUTORS, seeds, strict=True)
    )
    beacon_size = stage.ledger.refresh().size + 1  # the tree with the parameters, not there before them
    parameters = ParametersCommitted(
        **design, beacon_size=beacon_size, contributors=contributors, slots=plan.slots, strata=plan.strata
    )
    say(STATISTICIAN, parameters, stream)
    beacon = read_frontier(beacon_size, TileHashes(stage.ledger.store.tile_hashes)).root()
    made = draw_list(
        stage.ledger.origin,
        to_data(parameters)[0],
        seeds=seeds,
        beacon=beacon,
        block_sizes=design["block_sizes"],
        first=() if first is None else first.entries,
    )
    committed = ListCommitted(
        beacon=encode_base64(beacon), list=name, root=encode_base64(made.root), size=made.size
    )
    say(LIST_HOLDER, committed, stream)
    load_list(stage.ledger.store, stage.ledger.data_keys, made)
    return Drawn(list=made, seeds=seeds, block_sizes=tuple(design["block_sizes"]))


def _seed(stage: Stage, name: str, person: str) -> bytes:
    """Return a contributor's seed: in a real study it is drawn and kept by that person."""
    return hashlib.sha256(f"trial-ledger demo {stage.seeds_label} {name} seed of {person}".encode()).digest()
