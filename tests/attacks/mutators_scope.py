"""What is shown, withheld and opened in a bundle, changed by who hands it out."""

from __future__ import annotations

import json
from typing import Any

from ledger import canonical
from ledger.verify.options import Scope
from tests.attacks.mutators_log import disclosures, set_disclosures, set_streams, streams
from tests.ledger.forgery import Forgery
from tests.ledger.small_ledger import SmallLedger


def withheld(forged: Forgery) -> list[dict[str, Any]]:
    """Return the lines of `withheld.jsonl`."""
    return [json.loads(line) for line in forged.files["withheld.jsonl"].splitlines()]


def set_withheld(forged: Forgery, lines: list[dict[str, Any]]) -> None:
    """Write `withheld.jsonl`."""
    forged.files["withheld.jsonl"] = b"".join(canonical.encode(line) + b"\n" for line in lines)


def withhold(forged: Forgery, at: int, why: str, **changes: Any) -> None:
    """Leave a statement's line empty, and list it."""
    forged.payloads[at] = b""
    line = {"index": at, "statement": forged.leaf(at)["statement"], "why": why, **changes}
    set_withheld(forged, sorted([*withheld(forged), line], key=lambda each: each["index"]))
    set_disclosures(forged, [each for each in disclosures(forged) if each["index"] != at])


def state(forged: Forgery, **members: Any) -> None:
    """Change what `scope.json` says; None leaves a member out."""
    value = {**json.loads(forged.files["scope.json"]), **members}
    forged.files["scope.json"] = canonical.encode(
        {key: each for key, each in value.items() if each is not None}
    )


def narrow(forged: Forgery, made: SmallLedger, scope: Scope) -> None:
    """Make of the study's bundle that of one participant, as an honest export would."""
    stream = f"participant/{scope.id}"
    salts = streams(forged)
    tag = forged.statement(made.at[f"registered {scope.id}"])["tag"]
    for index in range(forged.size):
        leaf = forged.leaf(index)
        if leaf["class"] != "control" and leaf["stream"] != tag:
            withhold(forged, index, "blinded" if leaf["class"] == "restricted" else "scope")
    set_streams(forged, {stream: salts[stream]})
    state(forged, kind=scope.kind, id=scope.id)
    named = b"".join(forged.payloads)
    for name in [each for each in forged.files if each.startswith("attachments/")]:
        if name.removeprefix("attachments/").encode() not in named:
            del forged.files[name]
