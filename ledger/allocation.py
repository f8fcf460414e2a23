"""Answer a request for randomization from the committed list, and load a list's slots (record-format.md §8).

The server holds, per index of a list, the commitment, its Merkle path and one sealed slot with arm and salt.
A request takes the lowest unused index of its stratum; the slot is opened, checked against the commitment,
and its arm goes into the answer's sealed `/data/arm` without ever being shown.

Left out: stage 2, which repeats the index of stage 1 from a list of its own.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ledger import canonical
from ledger.datakeys import DataKeys
from ledger.entry import Entry
from ledger.errors import ProofError, RefusedError, StoreError
from ledger.lines import encode_base64, parse_base64
from ledger.statement import Statement
from ledger.store.port import Reads, Slot, Store
from ledger.study.lists import ListEntry, RandomizationList, check_slot, commitment, prove_slots
from ledger.studystate import StudyState

SCOPE = "treatment"
PATH = "/data/arm"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The data of `participant.randomized`; `sealed` holds the arm and is not shown in `repr`."""

    schema: int
    data: Mapping[str, Any]
    sealed: Mapping[str, Any] = field(repr=False)


def load_list(store: Store, data_keys: DataKeys, made: RandomizationList) -> None:
    """Keep one sealed slot per index of a list; the list itself is not kept."""
    slots = []
    for slot in prove_slots(made):
        opened = canonical.encode({"arm": slot.arm, "salt": slot.salt.hex()}).decode()
        nonce, ciphertext = data_keys.seal(_name(slot.commitment), PATH, _stream(made.name), SCOPE, opened)
        slots.append(
            Slot(
                list=made.name,
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
    study: StudyState,
    origin: str,
    reads: Reads,
    entry_at: Callable[[int], Entry],
    data_keys: DataKeys,
) -> Answer:
    """Draw the lowest unused index of the stratum that the request names.

    Raises:
        RefusedError: `STAGE` for another stage than the first, `LIST_EXHAUSTED` when the stratum has no slot
            left.
        StoreError: `STORE_CORRUPT` when the slot does not open to its commitment, or does not stand in the
            list that was committed.
    """
    statement = request.statement
    if statement is None:
        raise RefusedError("REFERENCE", "a withheld request is not answered")
    if statement.data["stage"] != 1:
        raise RefusedError("STAGE", "this version allocates the first stage alone", field="/data/stage")
    name, stratum = statement.data["list"], statement.data["stratum"]
    slot = reads.next_slot(name, stratum, last_slot(study, name, stratum))
    if slot is None:
        raise RefusedError(
            "LIST_EXHAUSTED", "the list has no unused slot in this stratum", field="/data/stratum"
        )
    proof = [slot.proof[at : at + 32] for at in range(0, len(slot.proof), 32)]
    _check_committed(slot, proof, study, entry_at)
    return Answer(
        schema=1,
        data={
            "commitment": slot.commitment.hex(),
            "list": name,
            "list_index": slot.index,
            "proof": [encode_base64(node) for node in proof],
            "request": request.event,
            "stage": 1,
            "stratum": stratum,
        },
        sealed={PATH: _open(slot, origin, data_keys)},
    )


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
