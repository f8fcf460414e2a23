"""The quick way through a position of the log: read as a row, in which nothing is wrong by itself.

Nearly every position is of one form: a leaf with one Ed25519 signature, a statement of the plain form, data
of the shape of their type. Such a one is read here without an object for each of its parts, and what depends
on the order is judged by a plain row of what is asked of it:

    at, event, id, seq, prev, size and root of `seen`, sealed digests, names, question, place

Rows go from one process to another as they are. What many rows of an entry bundle have in common, who signs
what (`Question`) and in which stream (`Place`), is told once. What is of another form, or wrong in any way,
is no row: `form.examine` says what it is. Leaf and statement of a row are made when they are asked for.
"""

from __future__ import annotations

from binascii import a2b_base64
from collections.abc import Mapping, Sequence
from functools import lru_cache
from hashlib import sha256
from typing import Any, Final, NamedTuple

from ledger.actions.registry import REASON_TEXT, ActionSpec, find_spec
from ledger.authority import Authority
from ledger.entry import Entry, Index
from ledger.envelope import PAYLOAD_TYPE, EventHash, pae
from ledger.errors import FormatError, SignatureError
from ledger.frozen import made
from ledger.keys import ED25519, check_ed25519
from ledger.leaf import Leaf, load_leaf, plain_leaf, split_plain
from ledger.plain import whole
from ledger.statement import MAX_STATEMENT_BYTES, Statement, load_statement, plain_members
from ledger.verify.references import reference_members, references

Question = tuple[Any, ...]
"""Who signs what, and where.

Type, schema, kind of stream, site, meaning, log, the actor's id, name, organisation and role, algorithm and
id of the key. Empty where the data name attachments: then the long way is gone.
"""

Row = tuple[str, str, str, int, str, int, bytes, Mapping[str, str], tuple[tuple[str, str], ...], int, int]
"""What is asked of a position; the last two say which of the questions and places are its own."""

_ATTACHED: Final = b'"media_type":'


class Place(NamedTuple):
    """Where a statement stands: its stream and that one's tag, its class and site (None: it has none)."""

    stream: str
    tag: str
    cls: str
    site: str | None


class Rows:
    """The rows of one entry bundle, and what they have in common."""

    def __init__(self) -> None:
        self.questions: dict[Question, int] = {}
        self.places: dict[Place, int] = {}

    def row(self, read: Read) -> Row:
        """Return the row of a position whose signatures hold."""
        members = read.members
        stream, site = members[5], members[9]
        question: Question = ()
        if not read.attached:
            actor, key = members[13], members[15]
            question = (
                members[2], members[3], stream.partition("/")[0], site, members[17], members[0],
                actor.id, actor.name, actor.organisation, actor.role, key.alg, key.id,
            )  # fmt: skip
        place = (stream, members[6], members[4], site)
        questions, places, seen = self.questions, self.places, members[19]
        return (
            read.leaf[0], read.leaf[8], members[1], members[7], members[8], seen[1], seen[0],
            members[21], read.names,
            questions.setdefault(question, len(questions)),
            places.setdefault(place, len(places)),  # type: ignore[arg-type]  # equals the Place that it becomes
        )  # fmt: skip


class Read(NamedTuple):
    """A position that was read, in which all is right but what its signature will tell.

    `leaf` and `members` are what `split_plain` and `plain_members` gave; `signed` is what was signed (PAE).
    """

    leaf: tuple[str, ...]
    members: tuple[Any, ...]
    names: tuple[tuple[str, str], ...]
    signed: bytes
    attached: bool


class Right:
    """A position in which nothing is wrong by itself, its signature checked."""

    __slots__ = ("_entry", "_source", "index", "place", "question", "row")

    formed = True
    counts = True

    def __init__(
        self, index: int, row: Row, question: Question, place: Place, source: tuple[Any, ...]
    ) -> None:
        """Give a row its index; `source` is (leaf bytes, statement bytes) or what was read of them."""
        self.index = index
        self.row = row
        self.question = question
        self.place = place
        self._source = source
        self._entry: Entry | None = None

    @property
    def entry(self) -> Entry:
        """The leaf and the statement, made when they are first asked for."""
        if self._entry is None:
            leaf, statement = _built(*self._source)
            self._entry = made(Entry, (Index(self.index), leaf, leaf.statement, statement))
        return self._entry


def _built(leaf: Any, statement: Any, body: bytes = b"") -> tuple[Leaf, Statement]:
    if isinstance(leaf, bytes):
        loaded = load_leaf(leaf)
        return loaded, load_statement(statement, loaded.statement)
    return plain_leaf(leaf), made(Statement, (*whole(statement), body, EventHash(leaf[8])))


def read(index: int, leaf_bytes: bytes, payload: bytes | None) -> Read | None:
    """Read a position in which all is right, as nearly always; None where something is not, or may not be.

    What was read as a type whose data have one shape only has that shape (`Kind.closed`), so it is not gone
    through a second time.
    """
    if not payload or len(payload) > MAX_STATEMENT_BYTES:
        return None
    leaf = split_plain(leaf_bytes)
    if leaf is None:
        return None
    _, _, cls, position, payload_type, key_id, _, site, event, tag = leaf
    signed = pae(payload)
    if sha256(signed).hexdigest() != event or position != str(index) or payload_type != PAYLOAD_TYPE:
        return None
    members = plain_members(payload, shaped=True)
    if members is None or members[16] or members[15].id != key_id or members[15].alg != ED25519:
        return None
    if tag != members[6] or cls != members[4] or site != (members[9] or ""):
        return None
    names = _names(members)
    return None if names is None else Read(leaf, members, names, signed, _ATTACHED in payload)


def _names(members: tuple[Any, ...]) -> tuple[tuple[str, str], ...] | None:
    """Read the data as their type; return the events that they name, None where they are not of its form."""
    stream, reason = members[5], members[18]
    known = _kept(members[2], members[3], stream.partition("/")[0], reason is not None)
    if known is None or members[21].keys() != known[1]:
        return None
    spec, _, named = known
    try:
        action = spec.data.read(members[20])
    except FormatError:
        return None
    return tuple(references(action)) if named else ()


@lru_cache(maxsize=1024)
def _kept(type_: str, schema: int, kind: str, reason: bool) -> tuple[ActionSpec, frozenset[str], bool] | None:
    """Return spec, sealed paths, and whether events are named; None where such a statement is of no form."""
    spec = find_spec(type_, schema)
    if spec is None or kind not in spec.streams or not spec.data.closed:
        return None
    if spec.reason_required and not reason:
        return None
    return (
        spec,
        frozenset(spec.sealed.keys() | ({REASON_TEXT} if reason else set())),
        bool(reference_members(spec.action)),
    )


def holds(read: Read, authority: Authority) -> bool:
    """Tell whether the log knows the key, and its signature holds."""
    key = authority.keys.get(read.leaf[5])
    if key is None or key.public.alg != ED25519:
        return False
    try:
        check_ed25519(key.public.point, read.signed, a2b_base64(read.leaf[6]))
    except SignatureError:
        return False
    return True


def read_all(start: int, leaves: Sequence[bytes], payloads: Sequence[bytes | None]) -> list[Read | None]:
    """Read positions from an index on."""
    return [
        read(index, leaf, payload)
        for index, (leaf, payload) in enumerate(zip(leaves, payloads, strict=True), start)
    ]
