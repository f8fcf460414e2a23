"""Prepare a statement to be signed: fill in what the log knows, seal what must be sealed (interfaces.md).

The asker gives every member but `seq`, `prev`, `seen`, `tag` and `sealed`, and the values to seal by path.
What comes back is exact bytes, the disclosures, the head that `seen` names, and its consistency with the
checkpoint that the asker had. A client checks all of it against what it asked for before it signs; a signer
on this machine goes through the same steps by `Signer`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from ledger.actions.registry import REASON_TEXT, Action, to_data
from ledger.committer import Ledger
from ledger.errors import FormatError, RefusedError
from ledger.keys import SigningKey
from ledger.lines import encode_base64
from ledger.merkle import EMPTY_ROOT, prove_consistency
from ledger.recorded import Recorded
from ledger.sealing import is_statement_id
from ledger.service import seal_values, sign_body
from ledger.sources import Sources, new_statement_id
from ledger.statement import Seen, Statement, class_of, make_statement
from ledger.submission import Submission
from ledger.tiles import TileHashes
from ledger.times import format_instant

FILLED_IN: Final = frozenset({"seq", "prev", "seen", "tag", "sealed"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A statement ready to be signed, and what lets the signer check it."""

    statement: Statement
    disclosures: Mapping[str, str] = field(repr=False)
    head: bytes
    consistency: tuple[bytes, ...]


def prepare(
    ledger: Ledger, action: Mapping[str, Any], opened: Mapping[str, Any], have: Seen | None = None
) -> Prepared:
    """Make the statement that would be next in its stream.

    Raises:
        FormatError: `ACTION` for members that are filled in here, `SEALED_PATHS` for a reason whose text
            is not among the values to seal, or what `parse_statement` raises.
        ProofError: `TREE_RANGE` when `have` is of a larger tree.
    """
    given = FILLED_IN & action.keys()
    if given:
        raise FormatError("ACTION", "this member is filled in by prepare", field=f"/{min(given)}")
    stream, statement_id = action.get("stream"), action.get("id")
    if not isinstance(stream, str):
        raise FormatError("ACTION", "expected a stream", field="/stream")
    if not isinstance(statement_id, str):
        raise FormatError("ACTION", "expected an id", field="/id")
    if opened and not is_statement_id(statement_id):  # what is sealed is sealed for this id
        raise FormatError("ACTION", "expected a lower-case UUIDv7", field="/id")
    fold = ledger.refresh()
    head = ledger.store.head()
    row = ledger.stream(stream)
    if not isinstance(action.get("type"), str):
        raise FormatError("ACTION", "expected a type", field="/type")
    if action.get("reason") is not None and REASON_TEXT not in opened:
        raise FormatError("SEALED_PATHS", "expected the reason's text, or null", field=f"/open{REASON_TEXT}")
    last = fold.chain.head(row.tag)
    digests, disclosures = seal_values(ledger.sources, statement_id, opened)
    value = {
        **action,
        "tag": row.tag,
        "seq": last.seq + 1,
        "prev": last.event,
        "seen": {"root": encode_base64(head.root if head.size else EMPTY_ROOT), "size": head.size},
    }
    if digests:
        value["sealed"] = digests
    proof: Sequence[bytes] = ()
    if have is not None:
        proof = prove_consistency(have.size, head.size, TileHashes(ledger.store.tile_hashes))
    return Prepared(
        statement=make_statement(value),
        disclosures=disclosures,
        head=head.note,
        consistency=tuple(proof),
    )


class Named(Protocol):
    """A log by its name, and the clock to sign by: an open ledger, or a client's idea of one."""

    @property
    def origin(self) -> str: ...
    @property
    def sources(self) -> Sources: ...


class Signer:
    """A person who signs on this machine with a key of their own, in one role at a time."""

    def __init__(self, key: SigningKey, person: str, name: str, organisation: str) -> None:
        self.key = key
        self.person = person
        self.name = name
        self.organisation = organisation

    @classmethod
    def of_log(cls, ledger: Ledger, key: SigningKey) -> Signer:
        """Return the signer as the log knows the key's person.

        Raises:
            RefusedError: `KEY_UNKNOWN`.
        """
        authority = ledger.refresh().authority
        person_id = authority.person_of(key.id)
        person = authority.person(person_id) if person_id is not None else None
        if person is None:
            raise RefusedError("KEY_UNKNOWN", "the log does not know this key")
        return cls(key, person.id, person.name, person.organisation)

    def actor(self, role: str) -> dict[str, str]:
        """Return the statement's `actor` in a role."""
        return {"id": self.person, "name": self.name, "organisation": self.organisation, "role": role}

    def complete(self, ledger: Named, action: Mapping[str, Any]) -> dict[str, Any]:
        """Fill in the members of an action that follow from who signs, where, and now.

        `role` may stand for the whole of `actor`. What is given is kept.
        """
        value = dict(action)
        role = value.pop("role", None)
        now = format_instant(ledger.sources.now_us())
        value.setdefault("v", 1)
        value.setdefault("log", ledger.origin)
        value.setdefault("id", new_statement_id(ledger.sources))
        value.setdefault("schema", 1)
        value.setdefault("key", {"alg": self.key.alg, "id": self.key.id})
        value.setdefault("signed_at", now)
        value.setdefault("occurred_at", now)
        value.setdefault("meaning", "authorship")
        if isinstance(role, str):
            value.setdefault("actor", self.actor(role))
        type_, stream = value.get("type"), value.get("stream")
        if isinstance(type_, str) and isinstance(stream, str):
            value.setdefault("class", class_of(type_, stream))
            kind, _, name = stream.partition("/")
            if kind in ("site", "pharmacy"):
                value.setdefault("site", name)
        return value

    def sign(self, prepared: Prepared, further: Sequence[SigningKey] = ()) -> Submission:
        """Sign a prepared statement, with further keys where `with` names them."""
        return Submission(
            statement=prepared.statement,
            sigs=sign_body(prepared.statement.body, self.key, *further),
            disclosures=prepared.disclosures,
        )

    def submission(
        self,
        ledger: Ledger,
        action: Mapping[str, Any],
        opened: Mapping[str, Any],
        further: Sequence[SigningKey] = (),
    ) -> Submission:
        """Complete, prepare and sign an action given as members of a statement."""
        value = self.complete(ledger, action)
        if further:
            value["with"] = [{"alg": key.alg, "id": key.id} for key in further]
        return self.sign(prepare(ledger, value, opened), further)

    def record(
        self,
        ledger: Ledger,
        action: Action,
        *,
        stream: str,
        role: str,
        meaning: str,
        reason: tuple[str, str | None] | None = None,
        further: Sequence[SigningKey] = (),
        **members: Any,
    ) -> Recorded:
        """Record a typed action; `reason` is code and text, `members` are further ones of the statement.

        Raises:
            LedgerError: as `Ledger.record`.
        """
        plain, opened = to_data(action)
        value: dict[str, Any] = {
            "type": action.spec.type,
            "schema": action.spec.schema,
            "stream": stream,
            "role": role,
            "meaning": meaning,
            "data": plain,
            **members,
        }
        if reason is not None:
            value["reason"] = {"code": reason[0]}
            opened = {**opened, "/reason/text": reason[1]}
        return ledger.record(self.submission(ledger, value, opened, further))
