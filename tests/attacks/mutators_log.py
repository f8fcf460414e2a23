"""Changes to a whole log by who owns the keys of log and service, and by who owns everybody's keys.

Every mutator changes a `Forgery` in place; `Forgery.write` then builds the tree, signs it with the log's own
keys, and writes tiles that fit. What is left to find is what those keys can't forge.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Sequence
from typing import Any, Final

from ledger import canonical
from ledger.canonical import Keys
from ledger.envelope import event_hash
from ledger.keys import SigningKey
from ledger.leaf import stream_tag
from ledger.verify.report import Report
from tests.attacks.mutators_signatures import entry
from tests.ledger.forgery import Forgery, key_of
from tests.ledger.small_ledger import SmallLedger

NOW: Final = "2024-06-03T10:00:52.000000Z"
"""A moment after everything in the small ledger, within the five minutes that a signer's clock may be off."""

KEYS: Final[dict[str, SigningKey]] = {
    key.id: key for key in map(key_of, ("root", "service", "admin", "aruiz", "bchan"))
}
"""Every key of the small ledger by its id."""

Check = Callable[..., Report]
"""Write a bundle and judge it."""

Edit = Callable[[int, dict[str, Any]], dict[str, Any] | None]
"""What becomes of the statement of an index; None leaves it out."""


def copied(real: Forgery) -> Forgery:
    """Copy what forgeries change."""
    other = copy.copy(real)
    other.leaves, other.payloads, other.files = real.leaves.copy(), real.payloads.copy(), dict(real.files)
    return other


def reindex(forged: Forgery) -> None:
    """Number the leaves densely again, and let no time go back."""
    at = ""
    for index in range(forged.size):
        leaf = forged.leaf(index)
        at = max(at, leaf["at"])
        if (leaf["index"], leaf["at"]) != (index, at):
            forged.set_leaf(index, index=index, at=at)


def delete(forged: Forgery, at: int) -> None:
    """Leave an entry out, as if it had never been."""
    del forged.leaves[at], forged.payloads[at]
    reindex(forged)


def truncate(forged: Forgery, size: int) -> None:
    """Cut the log to its first entries, with everything beside it that speaks of the rest."""
    del forged.leaves[size:], forged.payloads[size:]
    lines = [line for line in disclosures(forged) if line["index"] < size]
    set_disclosures(forged, lines)
    tags = {forged.leaf(index)["stream"] for index in range(size)}
    salts = streams(forged)
    keep = {name: salt for name, salt in salts.items() if _tag(name, salt) in tags}
    forged.files["streams.json"] = canonical.encode(keep, keys=Keys.STREAMS)
    named = b"".join(forged.payloads)
    for name in [each for each in forged.files if each.startswith("attachments/")]:
        if name.removeprefix("attachments/").encode() not in named:
            del forged.files[name]


def swap(forged: Forgery, first: int, second: int) -> None:
    """Let two entries change places."""
    for rows in (forged.leaves, forged.payloads):
        rows[first], rows[second] = rows[second], rows[first]
    reindex(forged)


def insert(forged: Forgery, at: int, body: bytes, leaf: bytes) -> None:
    """Put an entry before the one of an index."""
    forged.leaves.insert(at, leaf)
    forged.payloads.insert(at, body)
    reindex(forged)


def repeat(forged: Forgery, at: int) -> int:
    """Add an entry of the log once more at its end; return the new index."""
    insert(forged, forged.size, forged.payloads[at], forged.leaves[at])
    return forged.size - 1


def edit(forged: Forgery, at: int, **members: Any) -> None:
    """Change members of a statement and what its leaf says of it; nobody signs it again."""
    body = canonical.encode({**forged.statement(at), **members})
    forged.payloads[at] = body
    forged.set_leaf(at, statement=event_hash(body))


def rewrite(forged: Forgery, change: Edit) -> None:
    """Write the whole log again with everybody's keys: what falls to who has stolen all of them.

    Hashes of earlier events, `seq`, `prev` and `seen` follow what is left, so that nothing inside the log
    tells of the change.
    """
    old = [(forged.statement(index), forged.leaf(index)) for index in range(forged.size)]
    opened = {line["index"]: line["open"] for line in disclosures(forged)}
    forged.leaves, forged.payloads = [], []
    renamed: dict[str, str] = {}
    places: dict[int, int] = {}
    heads: dict[str, tuple[int, str]] = {}
    for index, (statement, leaf) in enumerate(old):
        changed = change(index, statement)
        if changed is None:
            continue
        value = json.loads(_renamed(json.dumps(changed), renamed))
        seq, head = heads.get(value["stream"], (0, "0" * 64))
        size = min(value["seen"]["size"], forged.size)
        value.update(seq=seq + 1, prev=head, seen={"root": forged.root(size), "size": size})
        places[index] = _again(forged, value, leaf)
        event = forged.leaf(forged.size - 1)["statement"]
        renamed[leaf["statement"]] = event
        heads[value["stream"]] = (seq + 1, event)
    kept = [{"index": places[index], "open": opens} for index, opens in opened.items() if index in places]
    set_disclosures(forged, kept)


def _again(forged: Forgery, statement: dict[str, Any], leaf: dict[str, Any]) -> int:
    signers = [KEYS[ref["id"]] for ref in (statement["key"], *statement.get("with", []))]
    if not forged.size:
        body = canonical.encode(statement)
        forged.payloads.append(body)
        forged.leaves.append(canonical.encode({**leaf, "statement": event_hash(body)}))
        sign_again(forged, 0, signers)
        return 0
    return forged.append(statement, signers, at=leaf["at"])


def _renamed(text: str, names: dict[str, str]) -> str:
    for before, after in names.items():
        text = text.replace(before, after)
    return text


def sign_again(forged: Forgery, at: int, signers: Sequence[SigningKey]) -> None:
    """Put signatures by these keys over the statement of an index as it stands there."""
    forged.set_leaf(at, sigs=[entry(key, forged.payloads[at]) for key in signers])


def training(
    forged: Forgery, made: SmallLedger, *, topic: str = "protocol", **members: Any
) -> dict[str, Any]:
    """Draft a plain statement by root, of now, that breaks no rule."""
    like = made.at["training bchan"]
    data = {**forged.statement(like)["data"], "topic": topic}
    return forged.draft(like, **{"occurred_at": NOW, "signed_at": NOW, "data": data, **members})


def vitals(forged: Forgery, made: SmallLedger, **members: Any) -> dict[str, Any]:
    """Draft a bedside fact by the coordinator, of now; nobody has consented yet, so it owes a breach."""
    like = made.at["vitals SA-01-002"]
    return forged.draft(like, **{"occurred_at": NOW, "signed_at": NOW, **members})


def disclosures(forged: Forgery) -> list[dict[str, Any]]:
    """Return the lines of `disclosures.jsonl`."""
    return [json.loads(line) for line in forged.files["disclosures.jsonl"].splitlines()]


def set_disclosures(forged: Forgery, lines: Sequence[dict[str, Any]]) -> None:
    """Write `disclosures.jsonl`."""
    text = [canonical.encode(line, keys=Keys.DISCLOSURES) + b"\n" for line in lines]
    forged.files["disclosures.jsonl"] = b"".join(text)


def streams(forged: Forgery) -> dict[str, str]:
    """Return the salts of `streams.json`."""
    found: dict[str, str] = json.loads(forged.files["streams.json"])
    return found


def set_streams(forged: Forgery, salts: dict[str, str]) -> None:
    """Write `streams.json`."""
    forged.files["streams.json"] = canonical.encode(salts, keys=Keys.STREAMS)


def _tag(stream: str, salt: str) -> str:
    return stream_tag(stream, bytes.fromhex(salt))
