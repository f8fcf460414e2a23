"""Tables beside the events, compared with what the log gives once all of it was read."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from ledger.errors import LedgerError
from ledger.fold import load_entry
from ledger.leaf import ZERO_SALT, is_salted, stream_tag
from ledger.lines import encode_base64
from ledger.note import VerifierKey, check_signature, parse_note
from ledger.policy import parse_policy
from ledger.reread.damage import Found
from ledger.store.port import Counted, Guard, Reads

Line = tuple[int, str, str]
"""A witness's line: size, name of its key, text."""

GUARD_KINDS = ("study", "protocol", "site", "participant", "list", "allocation", "slot", "enrolment")


def check_streams(found: Found, reads: Reads, newest: Mapping[str, tuple[int, str]]) -> None:
    """Compare salts and tags with the streams of the log, and each stream's newest event."""
    rows = {row.stream: row for row in reads.streams()}
    for stream in sorted(rows.keys() | newest.keys()):
        last, row = newest.get(stream), rows.get(stream)
        index = None if last is None else reads.index_of_event(last[1])
        if row is None or last is None:
            found.bad("STREAM", index, "streams", f"{stream} is not in both log and table")
            continue
        if reads.stream_head(stream) != last:
            found.bad("STREAM", index, "streams", f"the newest event of {stream} is another")
        if not _is_of_its_leaves(reads, stream, row.tag, row.salt, index):
            found.bad("STREAM", index, "streams", f"salt and tag of {stream} are not those of its leaves")


def _is_of_its_leaves(reads: Reads, stream: str, tag: str, salt: bytes, index: int | None) -> bool:
    entry = None if index is None else reads.entry(index)
    try:
        good = is_salted(stream) == (salt != ZERO_SALT) and stream_tag(stream, salt) == tag
        return good and entry is not None and load_entry(entry).leaf.stream == tag
    except LedgerError:
        return False


def check_guards(found: Found, reads: Reads, expected: Mapping[tuple[str, str], int]) -> int:
    """Compare the guard rows with those that the log gives; return how many of these kinds there are."""
    kinds = {kind for kind, _ in expected} | set(GUARD_KINDS)
    stored: dict[tuple[str, str], Guard] = {
        (guard.kind, guard.key): guard for kind in sorted(kinds) for guard in reads.guards(kind)
    }
    for name in sorted(stored.keys() | expected.keys()):
        index, have = expected.get(name), stored.get(name)
        if have is None or index != have.index:
            at = index if index is not None or have is None else have.index
            found.bad("GUARD", at, "guards", f"{name[0]} {name[1]} is not as the log gives it")
    return len(stored)


def check_strays(found: Found, reads: Reads, expected: Mapping[str, int]) -> None:
    """Compare how many rows there are with how many the log accounts for; fewer were named one by one."""
    if not isinstance(reads, Counted):
        return  # a view of a part of the log, which is no storage
    for table, count in reads.counts().items():
        if table in expected and count > expected[table]:
            found.bad("STRAY", None, table, f"{count} rows, of which the log accounts for {expected[table]}")


def check_witnessed(
    found: Found,
    lines: Sequence[Line],
    origin: str,
    root_at: Callable[[int], bytes | None],
    policy: str | None,
) -> None:
    """Check that every line of a witness is over this log's own tree of its size.

    Lines of the witnesses of the policy in force are verified; of others there is no key any more.
    """
    keys = (
        {}
        if policy is None
        else {_key(each.key): each.key for each in parse_policy(policy.encode()).witnesses}
    )
    for size, name, line in lines:
        root = root_at(size)
        if root is None:
            found.bad(
                "WITNESSED", None, "cosignatures", f"{name} cosigned {size} entries, which are not here"
            )
        elif name in keys and not _holds(keys[name], f"{origin}\n{size}\n{encode_base64(root)}\n", line):
            found.bad("WITNESSED", size - 1, "cosignatures", f"the line of {name} is not over this tree")


def _key(key: VerifierKey) -> str:
    return f"{key.name}+{key.id.hex()}"


def _holds(key: VerifierKey, text: str, line: str) -> bool:
    try:
        [signature] = parse_note(f"{text}\n{line}".encode()).signatures
        check_signature(key, text, signature.signature)
    except (LedgerError, ValueError):
        return False
    return True
