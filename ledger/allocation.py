"""Answer a request for randomization from the committed list, and load a list's slots (record-format.md §8).

The server holds, per index of a list, the commitment, its Merkle path and one sealed slot with arm and salt.
A request of stage 1 takes the lowest unused index of its stratum, one of stage 2 the index that the
participant has from stage 1; the slot is opened, checked against the commitment, and its arm goes into the
answer's sealed `/data/arm` without ever being shown. In stage 2 index, commitment and proof are sealed too.

A list that no verifier would accept does not enter the log: drawn from another beacon (`check_beacon`), or
opened with other seeds than were committed (`check_opening`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from ledger import canonical
from ledger.datakeys import DataKeys
from ledger.earlier_store import epoch_of
from ledger.entry import Entry
from ledger.errors import FormatError, ProofError, RefusedError, StoreError
from ledger.lines import encode_base64, parse_base64
from ledger.participant import Participant
from ledger.statement import Statement
from ledger.store.port import Reads, Slot, Store
from ledger.study.lists import (
    ListEntry,
    RandomizationList,
    check_slot,
    commitment,
    draw_list,
    prove_slots,
)
from ledger.study.lists import Slot as OpenedSlot
from ledger.studystate import StudyState

SCOPE = "treatment"
PATH = "/data/arm"
OF_LISTS: Final = (
    "randomization.seed_committed",
    "randomization.parameters_committed",
    "randomization.list_committed",
    "randomization.list_opened",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The data of `participant.randomized`; `sealed` holds the arm and is not shown in `repr`."""

    schema: int
    data: Mapping[str, Any]
    sealed: Mapping[str, Any] = field(repr=False)


def load_list(store: Store, data_keys: DataKeys, made: RandomizationList) -> None:
    """Keep one sealed slot per index of a list; the list itself is not kept."""
    keep_slots(store, data_keys, made.name, prove_slots(made))


def keep_slots(store: Store, data_keys: DataKeys, name: str, opened: Iterable[OpenedSlot]) -> None:
    """Seal slots under the ledger's data key, and keep them."""
    slots = []
    for slot in opened:
        plain = canonical.encode({"arm": slot.arm, "salt": slot.salt.hex()}).decode()
        nonce, ciphertext = data_keys.seal(_name(slot.commitment), PATH, _stream(name), SCOPE, plain)
        slots.append(
            Slot(
                list=name,
                index=slot.index,
                stratum=slot.stratum,
                commitment=slot.commitment,
                proof=b"".join(slot.proof),
                nonce=nonce,
                ciphertext=ciphertext,
            )
        )
    store.put_slots(slots)


def last_slot(study: StudyState, name: str, stratum: str) -> int:
    """Return the highest index that was drawn of a stratum; -1 where none was."""
    drawn = (d.list_index for d in study.draws if d.list == name and d.stratum == stratum)
    return max((index for index in drawn if index is not None), default=-1)


def answer(
    request: Entry,
    *,
    participant: Participant | None,
    study: StudyState,
    origin: str,
    reads: Reads,
    entry_at: Callable[[int], Entry],
    data_keys: DataKeys,
) -> Answer:
    """Draw the slot that answers a request: by its stage the stratum's next one, or the participant's own.

    `participant` is the state before the request.

    Raises:
        RefusedError: `LIST_EXHAUSTED` when the server holds no such slot; `NOT_RANDOMIZED` for stage 2
            without stage 1.
        StoreError: `STORE_CORRUPT` when the slot does not open to its commitment, or does not stand in the
            list that was committed.
    """
    statement = request.statement
    if statement is None:
        raise RefusedError("REFERENCE", "a withheld request is not answered")
    name, stage, stratum = statement.data["list"], statement.data["stage"], statement.data["stratum"]
    reads, origin, data_keys = _place_of(name, study, reads, origin, data_keys)
    after = last_slot(study, name, stratum) if stage == 1 else _own_index(participant) - 1
    slot = reads.next_slot(name, stratum, after)
    if slot is None or (stage == 2 and slot.index != after + 1):
        raise RefusedError(
            "LIST_EXHAUSTED", "the list has no unused slot in this stratum", field="/data/stratum"
        )
    proof = [slot.proof[at : at + 32] for at in range(0, len(slot.proof), 32)]
    _check_committed(slot, proof, study, entry_at)
    plain = {"list": name, "request": request.event, "stage": stage, "stratum": stratum}
    place = {
        "commitment": slot.commitment.hex(),
        "list_index": slot.index,
        "proof": [encode_base64(node) for node in proof],
    }
    arm = _open(slot, origin, data_keys)
    if stage == 1:
        return Answer(schema=1, data={**plain, **place}, sealed={PATH: arm})
    return Answer(
        schema=2, data=plain, sealed={PATH: arm, **{f"/data/{key}": value for key, value in place.items()}}
    )


def _place_of(
    name: str, study: StudyState, reads: Reads, origin: str, data_keys: DataKeys
) -> tuple[Reads, str, DataKeys]:
    """Return where a list's slots are: here, or in the older epoch that committed it, under its origin (§8).

    Raises:
        RefusedError: `LIST_ELSEWHERE` where that epoch's data keys are not open here.
    """
    known = study.lists.get(name)
    committed = None if known is None else known.committed
    older = None if committed is None else epoch_of(reads, committed)
    if older is None:
        return reads, origin, data_keys
    if older.data_keys is None:
        raise RefusedError(
            "LIST_ELSEWHERE", "the list's slots are sealed in an older epoch", field="/data/list"
        )
    return older.store, older.origin, older.data_keys


def _own_index(participant: Participant | None) -> int:
    """Return the index that a participant has from stage 1."""
    drawn = participant.randomizations if participant is not None else ()
    index = next((r.list_index for r in drawn if r.stage == 1), None)
    if index is None:
        raise RefusedError("NOT_RANDOMIZED", "stage 2 repeats the index of stage 1", field="/data/stage")
    return index


def check_beacon(
    statement: Statement,
    study: StudyState,
    entry_at: Callable[[int], Entry],
    root_at: Callable[[int], bytes | None],
) -> None:
    """Require a list to be drawn from the root that its parameters name; a witness's line is not asked here.

    Raises:
        RefusedError: `LIST_BEACON`: no verifier would ever accept the list.
    """
    known = study.lists.get(statement.data["list"])
    parameters = None if known is None or known.parameters is None else entry_at(known.parameters).statement
    if parameters is None or "beacon_witness" in parameters.data:
        return
    root = root_at(parameters.data["beacon_size"])
    if root is None or encode_base64(root) != statement.data["beacon"]:
        raise RefusedError(
            "LIST_BEACON", "expected the root of the size that the parameters name", field="/data/beacon"
        )


def older_lists(reads: Reads) -> tuple[Statement, ...]:
    """Return what older epochs say of lists, in order."""
    told = (entry.statement for entry in reads.earlier.lists())
    return tuple(s for s in told if s is not None and s.type in OF_LISTS)


def check_opening(statement: Statement, before: Sequence[Statement]) -> None:
    """Require an opening to give the committed list again.

    `before` is all of `randomization/` until then, that of older epochs included: a list is drawn under the
    origin of the log that it was committed in.

    Raises:
        RefusedError: `LIST_SEED` where the seeds are not the committed ones, `LIST_OPENING` where they do not
            give the list, or a second stage is opened before its first.
    """
    seeds = {str(s.event): s.data["sha256"] for s in before if s.type == "randomization.seed_committed"}
    drawn: dict[str, RandomizationList] = {}
    for opening in (*before, statement):
        if opening.type == "randomization.list_opened":
            drawn[opening.data["list"]] = _draw_again(opening, before, seeds, drawn)


def _draw_again(
    opening: Statement,
    told: Sequence[Statement],
    committed_seeds: Mapping[str, str],
    drawn: Mapping[str, RandomizationList],
) -> RandomizationList:
    """Draw a list again from its opening, as the verifier will."""
    name = opening.data["list"]

    def find(type_: str) -> Statement | None:
        return next((s for s in told if s.type == type_ and s.data["list"] == name), None)

    asked, made_known = find("randomization.parameters_committed"), find("randomization.list_committed")
    if asked is None or made_known is None:
        raise RefusedError("LIST_NOT_COMMITTED", "the randomization list is not committed")
    parameters, committed = asked.data, made_known.data
    seeds = [parse_base64(text, what="a seed", code="LIST_SEED") for text in opening.data["seeds"]]
    expected = [committed_seeds.get(event) for event in parameters["contributors"]]
    if [hashlib.sha256(seed).hexdigest() for seed in seeds] != expected:
        raise RefusedError("LIST_SEED", "expected the seeds that were committed to", field="/data/seeds")
    first = drawn.get(parameters.get("first", ""))
    try:
        made = draw_list(
            made_known.log,
            parameters,
            seeds=seeds,
            beacon=parse_base64(committed["beacon"], what="the beacon", code="LIST_OPENING"),
            block_sizes=opening.data["block_sizes"],
            first=first.entries if first is not None else (),
        )
    except FormatError as error:
        raise RefusedError("LIST_OPENING", error.message, field="/data") from error
    if encode_base64(made.root) != committed["root"]:
        raise RefusedError("LIST_OPENING", "the seeds do not give the committed list", field="/data")
    return made


def _check_committed(
    slot: Slot, proof: Sequence[bytes], study: StudyState, entry_at: Callable[[int], Entry]
) -> None:
    """Require the slot to stand in the list that the log holds, before anyone is allocated by it."""
    known = study.lists.get(slot.list)
    committed = None if known is None or known.committed is None else entry_at(known.committed).statement
    if committed is None:
        raise RefusedError("LIST_NOT_COMMITTED", "the randomization list is not committed")
    root = parse_base64(committed.data["root"], what="the list's root", code="STORE_CORRUPT")
    try:
        check_slot(slot.commitment, slot.index, committed.data["size"], root, proof)
    except ProofError as error:
        raise StoreError("STORE_CORRUPT", "a slot is not of the list that was committed") from error


def _open(slot: Slot, origin: str, data_keys: DataKeys) -> str:
    text = data_keys.open(
        _name(slot.commitment), PATH, _stream(slot.list), SCOPE, slot.nonce, slot.ciphertext
    )
    opened = canonical.decode(text.encode())
    if not isinstance(opened, dict):
        raise StoreError("STORE_CORRUPT", "a randomization slot does not open")
    arm = str(opened["arm"])
    entry = ListEntry(stratum=slot.stratum, arm=arm)
    made = commitment(origin, slot.list, slot.index, bytes.fromhex(str(opened["salt"])), entry)
    if made != slot.commitment:
        raise StoreError("STORE_CORRUPT", "a randomization slot does not open to its commitment")
    return arm


def _stream(name: str) -> str:
    return f"randomization/{name}"


def _name(value: bytes) -> str:
    """Name a slot where a sealed value has its event hash: by a hash of its commitment."""
    return hashlib.sha256(b"trial-ledger/slot/v1\0" + value).hexdigest()
