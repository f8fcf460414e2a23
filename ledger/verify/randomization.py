"""The randomization as §8 lets anyone check it: seeds, parameters, beacon, list, slots, opened arms.

Until a list is opened, the checks are that each allocation's commitment stands in the committed list, at the
next unused index of its stratum, in answer to one request. Once it is opened, the whole list is made again.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from ledger.authority import INITIAL, SERVICE, Authority
from ledger.entry import Entry
from ledger.errors import LedgerError
from ledger.leaf import Leaf
from ledger.statement import Statement
from ledger.study.lists import (
    MAX_ENTRIES,
    PERMUTED_BLOCKS,
    SECOND_STAGE,
    ListEntry,
    check_slot,
    draw_list,
    stratum_indexes,
)
from ledger.verify.findings import Finding, finding
from ledger.verify.tree import Reporter, Roots

FOLLOWING: Final = frozenset({"participant.randomized", "breach.detected"})
"""What the service may add between a request and its answer, in the same commit (§8.4)."""


@dataclass(slots=True, kw_only=True)
class _Seed:
    list: str
    sha256: str
    person: str
    organisation: str


@dataclass(slots=True, kw_only=True)
class _Used:
    """An allocation until the list is opened; `arm` is None where it is not opened in this bundle."""

    index: int
    slot: int | None
    stratum: str
    arm: str | None


@dataclass(slots=True, kw_only=True)
class _List:
    name: str
    origin: str
    parameters: Mapping[str, Any]
    at: int
    root: bytes = b""
    beacon: bytes = b""
    entries: tuple[ListEntry, ...] = ()
    used: list[_Used] = field(default_factory=list)
    unused: dict[str, int] = field(default_factory=dict)

    @property
    def first(self) -> str | None:
        return self.parameters.get("first")


def _nowhere(_: Finding) -> None:
    """Report nothing: it was reported with the older bundle."""


class RandomizationJudge:
    """A fold over what concerns randomization. Only entries that count come here."""

    TYPES: Final = frozenset(
        {
            "randomization.seed_committed",
            "randomization.parameters_committed",
            "randomization.list_committed",
            "randomization.requested",
            "participant.randomized",
            "randomization.list_opened",
        }
    )
    """Types that it folds."""

    def __init__(self, roots: Roots, report: Reporter, older: Iterable[Entry] = ()) -> None:
        """Begin before index 0, where `older` epochs ended: their lists are drawn from on and opened here.

        They were judged with their own bundles, and nothing is found of them again.
        """
        self._roots = roots
        self._report = report
        self._seeds: dict[str, _Seed] = {}
        self._lists: dict[str, _List] = {}
        self._requests: dict[str, tuple[str, str, str, int]] = {}
        self._asked: dict[str, int] = {}
        self._newest = -1
        self._slots: dict[tuple[str, str], int] = {}
        self._partial: set[str] = set()
        self._allocated_in: set[tuple[str, int]] = set()
        self._older: frozenset[str] = frozenset()
        self._earlier = 0
        self._go_on_from(older)

    @property
    def allocations(self) -> int:
        """How many allocations were seen in this log."""
        return sum(len(each.used) for each in self._lists.values()) - self._earlier

    def _go_on_from(self, older: Iterable[Entry]) -> None:
        report, self._report = self._report, _nowhere
        for entry in older:
            self.judge(entry, {}, INITIAL)
        self._report, self._older = report, frozenset(self._lists)
        self._earlier = self.allocations
        self._requests.clear()  # one that the older log left unanswered is its own finding
        self._newest = -1

    def withhold(self, leaf: Leaf) -> None:
        """Take note that a statement is withheld: an open one may have used a slot of its site's stratum."""
        self._newest = leaf.index
        if leaf.cls == "open":
            self._partial.add(leaf.site)

    def follow(self, index: int, type_: str) -> None:
        """Take note of an entry of a type that is none of `TYPES`."""
        if type_ not in FOLLOWING:
            self._newest = index

    def judge(self, entry: Entry, opened: Mapping[str, Any], authority: Authority) -> None:
        """Check one entry and fold it in."""
        statement = entry.statement
        if statement is None:
            return
        if statement.type not in FOLLOWING:
            self._newest = entry.index
        match statement.type:
            case "randomization.seed_committed":
                data = statement.data
                self._seeds[entry.event] = _Seed(
                    list=data["list"],
                    sha256=data["sha256"],
                    person=statement.actor.id,
                    organisation=statement.actor.organisation,
                )
            case "randomization.parameters_committed":
                self._parameters(entry.index, statement)
            case "randomization.list_committed":
                self._committed(entry.index, statement, authority)
            case "randomization.requested":
                data = statement.data
                self._asked[entry.event] = entry.index
                self._requests[entry.event] = (statement.stream, data["list"], data["stratum"], data["stage"])
            case "participant.randomized":
                self._allocated(entry.index, statement, opened)
            case "randomization.list_opened":
                self._opened(entry.index, statement)

    def finish(self) -> None:
        """Report requests that were never answered: the answer stands in the same commit."""
        for stream, _, _, stage in self._requests.values():
            self._report(
                finding("SLOT_REQUEST", f"a request of stage {stage} in {stream} was never answered")
            )

    def _bad(self, code: str, detail: str, index: int) -> None:
        self._report(finding(code, detail, index=index))

    def _parameters(self, index: int, statement: Statement) -> None:
        data = statement.data
        name = data["list"]
        if name in self._lists:
            self._bad("LIST_PARAMETERS", f"list {name} has parameters already", index)
            return
        here = (each for other, each in self._lists.items() if other not in self._older)
        if any(each.first == data.get("first") for each in here):
            self._bad("LIST_REROLLED", f"list {name} takes the place of an earlier one", index)
        self._lists[name] = _List(name=name, origin=statement.log, parameters=data, at=index)
        if data["algorithm"] not in (PERMUTED_BLOCKS, SECOND_STAGE):
            self._bad("LIST_PARAMETERS", "an algorithm that the format does not have", index)
        wanted = {"first", "from_arms"} if data["algorithm"] == SECOND_STAGE else set()
        if {"first", "from_arms"} & data.keys() != wanted:
            self._bad("LIST_PARAMETERS", "first and from_arms belong to a second stage", index)
        if not data["strata"] or not 0 < data["slots"] * len(data["strata"]) <= MAX_ENTRIES:
            self._bad("LIST_PARAMETERS", "too many slots, or none", index)
        if data["beacon_size"] <= index:
            self._bad("LIST_BEACON", "the beacon's size is not after the parameters", index)
        seeds = [self._seeds.get(event) for event in data["contributors"]]
        known = [seed for seed in seeds if seed is not None and seed.list == name]
        if len(known) != len(seeds):
            self._bad("LIST_SEED", "a contributor's statement is not an earlier seed of this list", index)
        persons, organisations = {seed.person for seed in known}, {seed.organisation for seed in known}
        if len(known) < 2 or len(persons) != len(known) or len(organisations) < 2:
            self._bad("LIST_SEED", "two or more persons of different organisations contribute", index)

    def _committed(self, index: int, statement: Statement, authority: Authority) -> None:
        data = statement.data
        made = self._lists.get(data["list"])
        if made is None:
            self._bad("LIST_COMMITMENT", "a list is committed after its parameters", index)
            return
        if made.root:
            self._bad("LIST_TWICE", f"list {made.name} is committed already", index)
            return
        if self.allocations:
            self._bad("LIST_LATE", "a list is committed before the first enrolment", index)
        made.root, made.beacon = base64.b64decode(data["root"]), base64.b64decode(data["beacon"])
        if data["size"] != made.parameters["slots"] * len(made.parameters["strata"]):
            self._bad("LIST_COMMITMENT", "the size is not that of the parameters", index)
        holder = statement.actor
        if holder.role != "list_holder":
            self._bad("LIST_COMMITMENT", "a list is committed by its holder", index)
        service = authority.persons.get(SERVICE)
        if service is not None and service.organisation == holder.organisation:
            self._bad("LIST_KNOWN_TO_OPERATOR", f"the holder of list {made.name} is of the operator", index)
        self._beacon(index, made)

    def _beacon(self, index: int, made: _List) -> None:
        size = made.parameters["beacon_size"]
        if "beacon_witness" in made.parameters:
            self._bad(
                "BEACON_UNJUDGED", f"the witness's line on the checkpoint of size {size} is needed", index
            )
            return
        self._bad("BEACON_BY_OPERATOR", f"list {made.name} has no independent beacon", index)
        if size > index or self._roots.at(size) != made.beacon:
            self._bad("LIST_BEACON", f"not the root of the first {size} leaves", index)

    def _allocated(self, index: int, statement: Statement, opened: Mapping[str, Any]) -> None:
        data = {**statement.data}
        data.update({path.removeprefix("/data/"): value for path, value in opened.items()})
        request = self._requests.pop(data["request"], None)
        asked = (statement.stream, data["list"], data.get("stratum"), data["stage"])
        if request != asked:
            self._bad("SLOT_REQUEST", "not the answer to one earlier request of this participant", index)
        elif self._newest > self._asked[data["request"]]:
            # Answered at leisure, the operator could choose which of several requests gets which slot.
            self._bad("SLOT_REQUEST", "the answer does not follow its request in the same commit", index)
        made = self._lists.get(data["list"])
        if made is None or not made.root:
            self._bad("SLOT_PROOF", "the list was not committed before", index)
            return
        slot = data.get("list_index")
        if (statement.stream, data["stage"]) in self._allocated_in:
            self._bad("DRAWN_AGAIN", "an allocation is never drawn again", index)
        self._allocated_in.add((statement.stream, data["stage"]))
        used = _Used(index=index, slot=slot, stratum=data["stratum"], arm=data.get("arm"))
        made.used.append(used)
        self._arm(made, used)
        if slot is None:
            return
        self._order(index, statement.stream, made, slot, data["stratum"])
        if "commitment" in data and "proof" in data:
            self._proof(index, made, slot, data)

    def _order(self, index: int, stream: str, made: _List, slot: int, stratum: str) -> None:
        if made.first is not None:
            if self._slots.get((stream, made.first)) != slot:
                self._bad("STAGE_TWO_INDEX", "stage 2 repeats the participant's index of stage 1", index)
            return
        self._slots[stream, made.name] = slot
        try:
            indexes = stratum_indexes(made.parameters["strata"], made.parameters["slots"], stratum)
        except LedgerError as error:
            self._bad("SLOT_ORDER", error.message, index)
            return
        unused = made.unused.get(stratum, indexes.start)
        made.unused[stratum] = slot + 1
        if slot not in indexes or slot < unused or (slot != unused and stratum not in self._partial):
            self._bad("SLOT_ORDER", "not the next unused index of the stratum", index)

    def _proof(self, index: int, made: _List, slot: int, data: Mapping[str, Any]) -> None:
        size = made.parameters["slots"] * len(made.parameters["strata"])
        try:
            proof = [base64.b64decode(text, validate=True) for text in data["proof"]]
            check_slot(bytes.fromhex(data["commitment"]), slot, size, made.root, proof)
        except (LedgerError, ValueError, TypeError):
            self._bad("SLOT_PROOF", "the commitment is not in the committed list at this index", index)

    def _opened(self, index: int, statement: Statement) -> None:
        data = statement.data
        made = self._lists.get(data["list"])
        if made is None or not made.root:
            self._bad("LIST_OPENING", "a list is opened after it was committed", index)
            return
        seeds = [base64.b64decode(text) for text in data["seeds"]]
        committed = [self._seeds[event] for event in made.parameters["contributors"] if event in self._seeds]
        if [hashlib.sha256(seed).hexdigest() for seed in seeds] != [seed.sha256 for seed in committed]:
            self._bad("LIST_SEED", "an opened seed is not the one committed to", index)
            return
        try:
            first = self._lists.get(made.first) if made.first is not None else None
            again = draw_list(
                made.origin,
                made.parameters,
                seeds=seeds,
                beacon=made.beacon,
                block_sizes=data["block_sizes"],
                first=first.entries if first else (),
            )
        except LedgerError as error:
            self._bad("LIST_OPENING", error.message, index)
            return
        if again.root != made.root:
            self._bad("LIST_OPENING", "the opened seeds do not give the committed list", index)
            return
        made.entries = again.entries
        for used in made.used:
            self._arm(made, used)

    def _arm(self, made: _List, used: _Used) -> None:
        """Compare an arm that this bundle opens with the slot, once the list is opened."""
        if used.slot is None or used.arm is None or not used.slot < len(made.entries):
            return
        if made.entries[used.slot] != ListEntry(stratum=used.stratum, arm=used.arm):
            self._bad("ARM_NOT_SLOT", "the opened arm is not its slot's", used.index)
