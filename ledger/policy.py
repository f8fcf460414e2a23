"""Trust policy: the logs and witnesses that an auditor believes. c2sp.org/tlog-policy with a ledger id.

    # ledger-id 6406781472926a6c8d6f3b45f07a1dbec84d72a3b965c21fa19e30f127d3fb58
    log ledger.example/minimal+d1b3c030+AYrem/VLwOmOT+HKFkZpRxZGP1TYrFVEf8cRafM/ij8t
    log ledger.example/minimal+0f282e91+BretJpcJQPqlR7LG…
    witness W1 witness.example/w1+…
    witness W2 witness.example/w2+…
    group both all W1 W2
    quorum both

The first line is a comment to other readers, and the root of trust here: leaf hash of index 0 (record format,
§5). Names of witnesses and groups mean nothing outside the file. A quorum counts public keys, and no key is
listed twice, so nobody counts under two names.

The file is the auditor's, never the bundle's.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from ledger.checkpoint import check_timed, parse_body
from ledger.errors import FormatError, SignatureError
from ledger.lines import decode_text, parse_decimal, split_lines
from ledger.note import (
    COSIGNATURE_ED25519,
    COSIGNATURE_ML_DSA_44,
    ED25519,
    VerifierKey,
    format_vkey,
    parse_note,
    parse_vkey,
)

MAX_POLICY_BYTES: Final = 1_000_000
MAX_KEYS: Final = 100  # logs, witnesses and groups, each; c2sp.org/tlog-policy asks for 32 at least
NONE: Final = "none"

_LEDGER_ID = re.compile("# ledger-id ([0-9a-f]{64})")
_LOG_TYPES: Final = (ED25519, COSIGNATURE_ML_DSA_44)
_WITNESS_TYPES: Final = (COSIGNATURE_ED25519, COSIGNATURE_ML_DSA_44)


@dataclass(frozen=True, slots=True, kw_only=True)
class Witness:
    """A witness: its name in this policy, its key, and where it takes requests, if given."""

    name: str
    key: VerifierKey
    url: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """A group of witnesses and groups: it has witnessed when `threshold` of its members have."""

    name: str
    threshold: int
    members: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustPolicy:
    """A trust policy.

    Attributes:
        ledger_id: leaf hash of index 0, 64 hex digits; None leaves every verdict unpinned.
        log_keys: keys of logs, possibly of several origins.
        quorum: name of a witness or group; None asks for no witness.
    """

    ledger_id: str | None
    log_keys: tuple[VerifierKey, ...]
    witnesses: tuple[Witness, ...]
    groups: tuple[Group, ...]
    quorum: str | None

    def keys_of(self, origin: str) -> tuple[VerifierKey, ...]:
        """Return the keys listed for one origin."""
        return tuple(key for key in self.log_keys if key.name == origin)

    def is_quorum(self, public_keys: frozenset[bytes]) -> bool:
        """Say whether cosignatures by these public keys are enough."""
        if self.quorum is None:
            return True
        witnessed = {witness.name for witness in self.witnesses if witness.key.public in public_keys}
        for group in self.groups:  # each names only what stands before it
            if sum(member in witnessed for member in group.members) >= group.threshold:
                witnessed.add(group.name)
        return self.quorum in witnessed


def check_quorum(note: bytes, policy: TrustPolicy) -> tuple[str, ...]:
    """Check the witnesses' lines on a published checkpoint, and return the names of those that signed.

    The log's own lines are not judged here: `check_published` comes first.

    Raises:
        FormatError: `NOTE` or `CHECKPOINT`.
        SignatureError: `NOTE_SIGNATURE` when a listed witness's line does not hold; `QUORUM`
            when too few signed.
    """
    parsed = parse_note(note)
    parse_body(parsed.text)
    lines = {(line.name, line.id) for line in parsed.signatures}
    keys = [witness.key for witness in policy.witnesses if (witness.key.name, witness.key.id) in lines]
    signed = (
        frozenset(signature.key.public for signature in check_timed(parsed, keys)) if keys else frozenset()
    )
    names = tuple(witness.name for witness in policy.witnesses if witness.key.public in signed)
    if not policy.is_quorum(signed):
        raise SignatureError("QUORUM", f"expected the quorum {policy.quorum}, got {len(names)} witnesses")
    return names


def parse_policy(data: bytes) -> TrustPolicy:
    """Parse a policy file. URLs of logs are checked for form and not kept.

    Raises:
        FormatError: `POLICY` with the line number as field, or `VKEY`.
    """
    text = decode_text(data, maximum=MAX_POLICY_BYTES, code="POLICY")
    if any((char < " " and char not in "\n\t") or char == "\x7f" for char in set(text)):
        raise FormatError("POLICY", "expected no control characters but tab and line feed")
    reader = _Reader()
    for number, line in enumerate(split_lines(text, code="POLICY"), start=1):
        reader.take(number, line.strip(" \t"))
    return reader.finish()


def format_policy(policy: TrustPolicy) -> bytes:
    """Write a policy file."""
    lines = [] if policy.ledger_id is None else [f"# ledger-id {policy.ledger_id}"]
    lines += [f"log {format_vkey(key)}" for key in policy.log_keys]
    for witness in policy.witnesses:
        url = "" if witness.url is None else f" {witness.url}"
        lines.append(f"witness {witness.name} {format_vkey(witness.key)}{url}")
    lines += [f"group {group.name} {group.threshold} {' '.join(group.members)}" for group in policy.groups]
    lines.append(f"quorum {policy.quorum or NONE}")
    return "".join(f"{line}\n" for line in lines).encode()


class _Reader:
    """Takes a policy line by line."""

    def __init__(self) -> None:
        self.ledger_id: str | None = None
        self.log_keys: list[VerifierKey] = []
        self.witnesses: list[Witness] = []
        self.groups: list[Group] = []
        self.members: set[str] = set()
        self.quorum: str | None = None

    def take(self, number: int, line: str) -> None:
        """Take one line, without the white space around it."""
        if line.startswith("#"):
            self._comment(number, line)
            return
        words = line.replace("\t", " ").split(" ")
        match [word for word in words if word]:
            case []:
                return
            case ["log", vkey, *rest] if len(rest) <= 1:
                self._log(number, vkey)
            case ["witness", name, vkey, *rest] if len(rest) <= 1:
                self._witness(number, name, vkey, rest)
            case ["group", name, threshold, *members] if members:
                self._group(number, name, threshold, members)
            case ["quorum", name]:
                self._quorum(number, name)
            case _:
                raise _refused(number, "expected a log, witness, group or quorum line")

    def finish(self) -> TrustPolicy:
        """Return the policy."""
        if self.quorum is None:
            raise FormatError("POLICY", "expected a quorum line")
        return TrustPolicy(
            ledger_id=self.ledger_id,
            log_keys=tuple(self.log_keys),
            witnesses=tuple(self.witnesses),
            groups=tuple(self.groups),
            quorum=None if self.quorum == NONE else self.quorum,
        )

    def _comment(self, number: int, line: str) -> None:
        if "ledger-id" not in line:
            return
        match = _LEDGER_ID.fullmatch(line)
        # A ledger id in another place or spelling would go unread: unpinned, without a word.
        if match is None or number != 1:
            raise _refused(number, "expected `# ledger-id` and 64 hex digits as the first line")
        self.ledger_id = match[1]

    def _log(self, number: int, vkey: str) -> None:
        self._limit(number, self.log_keys)
        self.log_keys.append(self._key(number, vkey, _LOG_TYPES))

    def _witness(self, number: int, name: str, vkey: str, url: list[str]) -> None:
        self._limit(number, self.witnesses)
        self._new_name(number, name)
        key = self._key(number, vkey, _WITNESS_TYPES)
        self.witnesses.append(Witness(name=name, key=key, url=url[0] if url else None))

    def _group(self, number: int, name: str, threshold: str, members: list[str]) -> None:
        self._limit(number, self.groups)
        self._new_name(number, name)
        for member in members:
            if member not in self._names():
                raise _refused(number, f"expected a name defined above, got {member}")
            if member in self.members:
                raise _refused(number, f"{member} is already a member of a group")
            self.members.add(member)
        count = {"all": len(members), "any": 1}.get(threshold) or _count(number, threshold, len(members))
        if count < 1:
            raise _refused(number, "expected a threshold of 1 at least")
        self.groups.append(Group(name=name, threshold=count, members=tuple(members)))

    def _quorum(self, number: int, name: str) -> None:
        if self.quorum is not None:
            raise _refused(number, "expected one quorum line")
        if name != NONE and name not in self._names():
            raise _refused(number, f"expected a name defined above, got {name}")
        self.quorum = name

    def _key(self, number: int, vkey: str, types: Sequence[int]) -> VerifierKey:
        key = parse_vkey(vkey)
        if key.algorithm not in types:
            raise _refused(number, f"expected another type of key, got 0x{key.algorithm:02x}")
        listed = [*self.log_keys, *(witness.key for witness in self.witnesses)]
        if any(other.public == key.public for other in listed):
            raise _refused(number, "expected a public key that is not listed yet")
        return key

    def _new_name(self, number: int, name: str) -> None:
        if name == NONE or name in self._names():
            raise _refused(number, f"expected a new name, got {name}")

    def _names(self) -> set[str]:
        return {witness.name for witness in self.witnesses} | {group.name for group in self.groups}

    def _limit(self, number: int, lines: Sequence[object]) -> None:
        if len(lines) >= MAX_KEYS:
            raise _refused(number, f"expected at most {MAX_KEYS} lines of a kind")


def _count(number: int, text: str, most: int) -> int:
    try:
        return parse_decimal(text, what="the threshold", code="POLICY", maximum=most)
    except FormatError as error:
        raise _refused(number, error.message) from None


def _refused(number: int, message: str) -> FormatError:
    return FormatError("POLICY", message, field=f"line {number}")
