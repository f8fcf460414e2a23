"""Strict reading of `data`, derived from the annotations of a class.

`kind_of(hint)` turns one annotation into a `Kind`: a reader (JSON -> typed value), a writer (its inverse) and
a JSON Schema. A class is compiled once, when it is declared; reading an action is then a walk over closures.

    str with a constraint   Annotated[str, Constraint]   (fields.py holds the constraints)
    one of a few values     Literal["paper", "ehr"]
    list                    tuple[X, ...]                 at most 256 items unless `Items` says otherwise
    fixed list              tuple[X, Y]
    inner object            a frozen dataclass            closed set of members
    member that may lack    X | None = None               absent, never null
    any canonical value     Any                           null too

The errors are FormatErrors with code `DATA`, `field` a JSON Pointer, and a message that says what was
expected and never what came: `data` is a participant's. Booleans are not integers (record-format.md §2).
Canonical form itself (NFC, control characters, integer range, depth) was judged by `canonical` before.
"""

from __future__ import annotations

import marshal
import types
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, fields, is_dataclass, replace
from typing import Annotated, Any, Final, Literal, Protocol, Union, get_args, get_origin, get_type_hints

from ledger.errors import FormatError

MAX_ITEMS: Final = 256
MOST_KNOWN: Final = 4_096
MAX_KNOWN: Final = 128
MAX_SAID: Final = 256
"""So many inner objects of a class are remembered, of so many characters, or bytes with keys and types."""

_BY_TYPE: Final = 2
"""The version of `marshal` that writes exact types alone, and nothing by how a value came to be in memory."""

Read = Callable[[Any], Any]
Write = Callable[[Any], Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """How one kind of value is read, written (None: as it is) and described.

    `closed`: whatever is read has a shape that canonical JSON allows; its keys, numbers and depth are given.
    `short`: a code, a number or a time, as text; never a name nor what somebody wrote.
    """

    read: Read
    write: Write | None
    schema: dict[str, Any]
    closed: bool = True
    short: bool = False


class Constraint(Protocol):
    """What stands in `Annotated[X, …]`: narrows the kind of X."""

    def narrow(self, base: Any) -> Kind:
        """Return the kind for the annotated type `base`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One member of an object: its JSON key, its attribute, its kind."""

    key: str
    attribute: str
    kind: Kind
    required: bool


def mismatch(expected: str, pointer: str = "") -> FormatError:
    """Make the error for a value that is not as expected; readers above put their path before `pointer`."""
    return FormatError("DATA", f"expected {expected}", field=pointer)


def kind_of(hint: Any) -> Kind:
    """Compile one annotation.

    Raises:
        TypeError: on an annotation that has no meaning here; a defect of the class, found on import.
    """
    if hint is Any:
        return Kind(read=_same, write=None, schema={}, closed=False)
    if hint is bool:
        return Kind(read=_read_bool, write=None, schema={"type": "boolean"})
    origin = get_origin(hint)
    if origin is Annotated:
        base, *marks = get_args(hint)
        for mark in marks:
            if hasattr(mark, "narrow"):
                narrowed: Kind = mark.narrow(base)
                return narrowed
        return kind_of(base)
    if origin is Literal:
        return _choice(get_args(hint))
    if origin is tuple:
        return _tuple(get_args(hint))
    if isinstance(hint, type) and is_dataclass(hint):
        members = members_of(hint)
        return _remembering(object_kind(hint, members), members)
    raise TypeError(f"no reader for the annotation {hint!r}")


def optional(hint: Any) -> Any | None:
    """Return X when the annotation is `X | None`, else None."""
    if get_origin(hint) in (Union, types.UnionType):
        inner = [arg for arg in get_args(hint) if arg is not types.NoneType]
        if len(inner) == 1 and len(get_args(hint)) == 2:
            return inner[0]
    return None


def hints_of(cls: type) -> Mapping[str, Any]:
    """Return the annotations of a dataclass's fields, in order, constraints included.

    They are evaluated once: that is most of what declaring a class takes.
    """
    known = _hints.get(cls)
    if known is None:
        known = keep_hints(cls, get_type_hints(cls, include_extras=True))
    return known


def keep_hints(cls: type, hints: Mapping[str, Any]) -> Mapping[str, Any]:
    """Keep annotations that were evaluated already, of the class that a dataclass is made of for example."""
    known = _hints[cls] = {field.name: hints[field.name] for field in fields(cls)}
    return known


_hints: dict[type, Mapping[str, Any]] = {}


def members_of(cls: type, skip: frozenset[str] = frozenset()) -> tuple[Member, ...]:
    """Return the members of a dataclass. A trailing `_` of an attribute is not in its key (`from_`)."""
    defaults = {field.name: field.default for field in fields(cls)}
    members = []
    for name, hint in hints_of(cls).items():
        if name in skip:
            continue
        inner = optional(hint)
        if (inner is None) != (defaults[name] is MISSING):
            raise TypeError(f"{cls.__name__}.{name}: a member that may lack is `X | None = None`")
        members.append(
            Member(
                key=name.rstrip("_"),
                attribute=name,
                kind=kind_of(hint if inner is None else inner),
                required=inner is None,
            )
        )
    return tuple(members)


def object_kind(cls: type, members: tuple[Member, ...]) -> Kind:
    """Compile a closed object: exactly these members, the optional ones absent or there, never null."""
    required = tuple((m.key, _setter(cls, m.attribute), m.kind.read) for m in members if m.required)
    optionals = tuple((m.key, _setter(cls, m.attribute), m.kind.read) for m in members if not m.required)
    told = {m.attribute for m in members}
    untold = tuple(_setter(cls, field.name) for field in fields(cls) if field.name not in told)
    writers = tuple((m.key, m.attribute, m.kind.write, m.required) for m in members)
    count = len(required)
    names = ", ".join(sorted(m.key for m in members)) or "none"
    check = getattr(cls, "check_form", None)
    new = object.__new__

    def read(value: Any) -> Any:
        if type(value) is not dict:
            raise mismatch("an object")
        # The constructor would take every member by its name again, which costs as much as all the rest.
        result: Any = new(cls)
        found = count
        key = ""
        try:
            for key, put, reader in required:
                put(result, reader(value[key]))
            for key, put, reader in optionals:
                if key in value:
                    put(result, reader(value[key]))
                    found += 1
                else:
                    put(result, None)
        except KeyError:
            raise mismatch("a member that is missing", f"/{key}") from None
        except FormatError as error:
            error.field = f"/{key}{error.field or ''}"
            raise
        if len(value) != found:
            # An unknown key may itself tell something: the pointer ends at the object.
            raise mismatch(f"no members but these: {names}")
        for put in untold:
            put(result, None)
        if check is not None:
            check(result)
        return result

    def write(value: Any) -> dict[str, Any]:
        plain = {}
        for key, attribute, writer, always in writers:
            item = getattr(value, attribute)
            if always or item is not None:
                plain[key] = item if writer is None else writer(item)
        return plain

    closed = all(member.kind.closed for member in members)
    return Kind(read=read, write=write, schema=_object_schema(members), closed=closed)


def _remembering(kind: Kind, members: tuple[Member, ...]) -> Kind:
    """Let what was read lately be taken again, of an inner object whose members are short.

    Forms and measurements say the same things many times. Nothing is taken for what merely equals it: only
    texts are looked up as they are, and what has objects of its own by bytes that tell the type of each value
    in it. The objects are frozen, and can stand in many places.
    """
    if not (kind.closed and all(member.kind.short for member in members if member.required)):
        return kind
    short = all(member.kind.short for member in members)
    nested = any(member.kind.schema.get("type") == "object" for member in members)
    return replace(kind, read=_recalled(kind.read) if nested else _repeated(kind.read), short=short)


def _repeated(reader: Read) -> Read:
    """Remember objects of texts alone."""
    known: dict[tuple[tuple[str, Any], ...], Any] = {}

    def read(value: Any) -> Any:
        if type(value) is not dict:
            return reader(value)
        said = tuple(value.items())
        try:
            found = known.get(said)
        except TypeError:  # a list or an object among the members
            return reader(value)
        if found is None:
            found = reader(value)
            if all(type(text) is str for _, text in said) and sum(len(text) for _, text in said) <= MAX_KNOWN:
                if len(known) >= MOST_KNOWN:
                    known.clear()
                known[said] = found
        return found

    return read


def _recalled(reader: Read) -> Read:
    """Remember objects that have objects of their own."""
    known: dict[bytes, Any] = {}

    def read(value: Any) -> Any:
        try:
            said = marshal.dumps(value, _BY_TYPE)
        except ValueError:  # of a type that no JSON has
            return reader(value)
        found = known.get(said)
        if found is None:
            found = reader(value)
            if len(said) <= MAX_SAID:
                if len(known) >= MOST_KNOWN:
                    known.clear()
                known[said] = found
        return found

    return read


def _setter(cls: type, attribute: str) -> Callable[[Any, Any], None]:
    """Return what puts a value into a slot of a new object of a frozen class."""
    put: Callable[[Any, Any], None] = getattr(cls, attribute).__set__
    return put


def list_kind(item: Kind, minimum: int, maximum: int, *, unique: bool) -> Kind:
    """Compile a list of `minimum` to `maximum` items of one kind."""
    reader, writer = item.read, item.write

    def read(value: Any) -> Any:
        if type(value) is not list or not minimum <= len(value) <= maximum:
            raise mismatch(f"a list of {minimum} to {maximum} items")
        items: list[Any] = []
        try:
            items.extend(map(reader, value))  # those before a refusal are in
        except FormatError as error:
            error.field = f"/{len(items)}{error.field or ''}"
            raise
        result = tuple(items)
        if unique and len(set(result)) != len(result):
            raise mismatch("a list in which nothing stands twice")
        return result

    def write(value: Any) -> list[Any]:
        return list(value) if writer is None else [writer(each) for each in value]

    schema = {"type": "array", "items": item.schema, "minItems": minimum, "maxItems": maximum}
    schema |= {"uniqueItems": True} if unique else {}
    return Kind(read=read, write=write, schema=schema, closed=item.closed)


def _tuple(args: tuple[Any, ...]) -> Kind:
    if len(args) == 2 and args[1] is Ellipsis:
        return list_kind(kind_of(args[0]), 0, MAX_ITEMS, unique=False)
    kinds = tuple(kind_of(arg) for arg in args)

    def read(value: Any) -> Any:
        if type(value) is not list or len(value) != len(kinds):
            raise mismatch(f"a list of {len(kinds)} items")
        items = []
        try:
            for kind, each in zip(kinds, value, strict=True):
                items.append(kind.read(each))
        except FormatError as error:
            error.field = f"/{len(items)}{error.field or ''}"
            raise
        return tuple(items)

    def write(value: Any) -> list[Any]:
        pairs = zip(kinds, value, strict=True)
        return [each if kind.write is None else kind.write(each) for kind, each in pairs]

    length = len(kinds)
    schema: dict[str, Any] = {"type": "array", "minItems": length, "maxItems": length}
    schema["prefixItems"] = [kind.schema for kind in kinds]
    return Kind(read=read, write=write, schema=schema, closed=all(kind.closed for kind in kinds))


def _choice(values: tuple[Any, ...]) -> Kind:
    # A dict by (type, value): True == 1 in Python, but not in a statement.
    allowed = frozenset((type(value), value) for value in values)
    expected = "one of " + ", ".join(str(value) for value in values)

    def read(value: Any) -> Any:
        if type(value) not in (str, int) or (type(value), value) not in allowed:
            raise mismatch(expected)
        return value

    short = all(type(value) is str for value in values)
    return Kind(read=read, write=None, schema={"enum": list(values)}, short=short)


def _object_schema(members: tuple[Member, ...]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {m.key: m.kind.schema for m in members},
        "required": [m.key for m in members if m.required],
        "additionalProperties": False,
    }


def _same(value: Any) -> Any:
    return value


def _read_bool(value: Any) -> Any:
    if type(value) is not bool:
        raise mismatch("true or false")
    return value
