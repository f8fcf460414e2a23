"""Strict reading of JSON in which every value names its source, into frozen dataclasses.

A value is `{"value": …, "source": "S"}`: a text, an integer, a boolean, a decimal written as a text, or an
array of these. `source` is one of

    S  the trial listing       R  the public registry
    U  the protocol in USDM    X  not published: configuration, synthetic where the study is

and `also` names a second one where two agree. Around the values stand plain objects and arrays of objects; an
object is read into a dataclass, member by member, so the dataclass *is* the format: its field names are the
member names, its annotations the types, a default the mark of a member that may be absent, and any other
member is refused. An array of objects with `id` becomes a tuple, or a mapping by that id.

The restrictions of record-format §1 hold (no floats, plain keys, NFC text). Layout and member order are free,
so that a definition can be kept readable; `canonical.encode` of the same JSON gives the bytes that are
attached to a ledger. What the values mean, and whether they fit one another, is for the caller to judge.
"""

from __future__ import annotations

import json
import re
import types
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, dataclass, fields, is_dataclass
from decimal import Decimal
from functools import cache
from typing import Annotated, Any, Final, Literal, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from ledger import canonical
from ledger.errors import FormatError

CODE: Final = "DEFINITION"
MAX_BYTES: Final = 8 * 1024 * 1024  # what an attachment may hold (record-format §4)
SOURCES: Final = ("S", "R", "U", "X")

_DECIMAL: Final = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?")
_SCALARS: Final = (str, int, bool, Decimal)

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Between:
    """An integer or decimal from `low` to `high`, both included."""

    low: int
    high: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Matches:
    """A text that the whole pattern matches, ASCII digits."""

    pattern: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Filled:
    """An array or text that is not empty."""


def parse(data: bytes) -> object:
    """Read JSON text under the restrictions of record-format §1, in any layout.

    Raises:
        FormatError: not UTF-8, not JSON, a key twice, a float, or a value that has no canonical form.
    """
    if len(data) > MAX_BYTES:
        raise FormatError(CODE, f"expected at most {MAX_BYTES} bytes, got {len(data)}")
    try:
        value = json.loads(
            data.decode("utf-8"), object_pairs_hook=_members, parse_float=_no_float, parse_constant=_no_float
        )
    except (ValueError, RecursionError):
        # The parser's own words may quote the text.
        raise FormatError(CODE, "expected one JSON value in UTF-8") from None
    canonical.encode(value)
    return cast(object, value)


def read(cls: type[T], value: object, pointer: str = "") -> T:
    """Read a JSON value into the dataclass `cls`.

    Raises:
        FormatError: a member is unknown, missing or of another type; `field` is its JSON Pointer.
    """
    members = _object(value, pointer)
    known = hints(cast(Any, cls))
    for name in members:
        if name not in known:
            raise _error("expected no such member", _at(pointer, name))
    arguments: dict[str, Any] = {}
    for field in fields(cast(Any, cls)):
        where = _at(pointer, field.name)
        if field.name in members:
            arguments[field.name] = _read(known[field.name], members[field.name], where)
        elif field.default is MISSING:
            raise _error("expected this member, got none", where)
    return cls(**arguments)


def labels(value: object, pointer: str = "") -> dict[str, str]:
    """Return the source of every value, by the JSON Pointer of the value.

    Raises:
        FormatError: something stands in the JSON that names no source.
    """
    found: dict[str, str] = {}
    for where, source in _walk(value, pointer):
        found[where] = source
    return found


def _walk(value: object, pointer: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, list):
        for position, item in enumerate(value):
            yield from _walk(item, f"{pointer}/{position}")
    elif isinstance(value, dict) and "source" in value:
        _sourced(value, pointer)
        yield pointer, value["source"]
    else:
        for name, member in _object(value, pointer).items():
            yield from _walk(member, _at(pointer, name))


def _read(annotation: Any, value: object, pointer: str) -> Any:
    """Read a member by its annotation: an object, an array of objects, or a sourced value."""
    annotation, constraints = bare(annotation)
    origin = get_origin(annotation)
    if is_dataclass(annotation):
        return read(cast(type, annotation), value, pointer)
    if origin is Mapping:
        rows = _rows(get_args(annotation)[1], value, pointer)
        _constrain(rows, constraints, pointer)
        return {row.id: row for row in rows}
    if origin is tuple and is_dataclass(get_args(annotation)[0]):
        rows = _rows(get_args(annotation)[0], value, pointer)
        _constrain(rows, constraints, pointer)
        return rows
    inner = _sourced(value, pointer)
    if origin is not tuple:
        return _scalar(annotation, constraints, inner, pointer)
    if not isinstance(inner, list):
        raise _error(f"expected an array, got {_name(inner)}", pointer)
    of, each = bare(get_args(annotation)[0])
    scalars = tuple(_scalar(of, each, item, pointer) for item in inner)
    _constrain(scalars, constraints, pointer)
    if len(set(scalars)) != len(scalars):
        raise _error("expected each value once", pointer)
    return scalars


def _rows(cls: Any, value: object, pointer: str) -> tuple[Any, ...]:
    """Read an array of objects; where the class has an `id`, each stands for one only."""
    if not isinstance(value, list):
        raise _error(f"expected an array, got {_name(value)}", pointer)
    rows = tuple(read(cls, item, f"{pointer}/{position}") for position, item in enumerate(value))
    if "id" in hints(cls):
        seen: set[str] = set()
        for position, row in enumerate(rows):
            if row.id in seen:
                raise _error("expected an id that is not used above", f"{pointer}/{position}/id")
            seen.add(row.id)
    return rows


def _sourced(value: object, pointer: str) -> object:
    members = _object(value, pointer)
    for name in members:
        if name not in ("value", "source", "also"):
            raise _error("expected value, source and also alone", _at(pointer, name))
    for name in ("value", "source"):
        if name not in members:
            raise _error("expected this member, got none", _at(pointer, name))
    for name in ("source", "also"):
        if name in members and members[name] not in SOURCES:
            raise _error("expected S, R, U or X", _at(pointer, name))
    if members.get("also") == members["source"]:
        raise _error("expected another source than the first", _at(pointer, "also"))
    return members["value"]


def _scalar(annotation: Any, constraints: tuple[Any, ...], value: object, pointer: str) -> object:
    if get_origin(annotation) is Literal:
        allowed = get_args(annotation)
        if not isinstance(value, str) or value not in allowed:
            raise _error(f"expected one of {', '.join(allowed)}", pointer)
        return value
    read_as: object = value
    if annotation is Decimal:
        if not isinstance(value, str) or not _DECIMAL.fullmatch(value):
            raise _error(f"expected a decimal as a text, got {_name(value)}", pointer)
        read_as = Decimal(value)
    elif annotation not in _SCALARS:
        raise TypeError(f"the reader knows no {annotation!r}")
    elif type(value) is not annotation:  # a boolean is not an integer
        raise _error(f"expected {_NAMES[annotation]}, got {_name(value)}", pointer)
    _constrain(read_as, constraints, pointer)
    return read_as


def _constrain(value: Any, constraints: tuple[Any, ...], pointer: str) -> None:
    for constraint in constraints:
        match constraint:
            case Between(low=low, high=high) if not low <= value <= high:
                raise _error(f"expected a number from {low} to {high}", pointer)
            case Matches(pattern=pattern) if not re.fullmatch(pattern, value, re.ASCII):
                raise _error(f"expected a text that matches {pattern}", pointer)
            case Filled() if not value:
                raise _error("expected something, got an empty value", pointer)


def bare(annotation: Any) -> tuple[Any, tuple[Any, ...]]:
    """Take constraints and `| None` off an annotation: whether a member may be absent is its default's."""
    constraints: tuple[Any, ...] = ()
    if get_origin(annotation) in (Union, types.UnionType):
        (annotation,) = (part for part in get_args(annotation) if part is not types.NoneType)
    if get_origin(annotation) is Annotated:
        annotation, *found = get_args(annotation)
        constraints = tuple(found)
    return annotation, constraints


@cache
def hints(cls: type) -> dict[str, Any]:
    """Return the annotations of a dataclass, resolved, by member."""
    return get_type_hints(cls, include_extras=True)


def _object(value: object, pointer: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _error(f"expected an object, got {_name(value)}", pointer)
    return value


def _members(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise FormatError(CODE, "expected each key of an object once")
    return members


def _no_float(_text: str) -> object:
    raise FormatError(CODE, "expected integers and decimals as texts, got a float")


_NAMES: Final[dict[Any, str]] = {
    str: "a text", int: "an integer", bool: "a boolean", list: "an array", dict: "an object"
}  # fmt: skip


def _name(value: object) -> str:
    return _NAMES.get(type(value), "null")


def _at(pointer: str, name: str) -> str:
    return f"{pointer}/{name.replace('~', '~0').replace('/', '~1')}"


def _error(message: str, pointer: str) -> FormatError:
    return FormatError(CODE, message, field=pointer)


def check(holds: bool, message: str, pointer: str) -> None:
    """Refuse a definition whose values do not fit one another.

    Raises:
        FormatError: `holds` is false; `field` is `pointer`.
    """
    if not holds:
        raise _error(message, pointer)
