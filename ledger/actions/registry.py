"""The registry of actions: what the vocabulary says about each type and schema.

A class is declared once and everything else is derived from it:

    @action("visit.completed", effect=Effect.FACT, delegated=True, streams="participant",
            roles=allow(BEDSIDE_STAFF, "authorship"))
    class VisitCompleted(Fact):
        visit: VisitId
        def describe(self) -> str: ...

gives its strict parser, its writer, its JSON Schema, its row in docs/spec/authority.csv and its golden file.
Whether a *person* may sign as of an index is `authority`; whether it may happen now is `rules`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import (
    Any,
    Final,
    TypeVar,
    dataclass_transform,
    get_args,
    get_origin,
    get_type_hints,
)

from ledger.actions.declared import (
    REASON_TEXT,
    Action,
    ActionSpec,
    Effect,
    Fact,
    ParticipantGate,
    SealedField,
)
from ledger.actions.fields import EventRef, Sealed
from ledger.actions.shapes import (
    hints_of,
    keep_hints,
    kind_of,
    members_of,
    mismatch,
    object_kind,
    optional,
)
from ledger.errors import FormatError
from ledger.roles import ROLES
from ledger.statement import MEANINGS, Statement

__all__ = [
    "REASON_TEXT", "Action", "ActionSpec", "Effect", "Fact", "ParticipantGate", "action", "all_specs",
    "allow", "delegated_types", "fields", "find_spec", "json_schema", "parse_action", "parse_data",
    "read_opened", "spec", "to_data",
]  # fmt: skip

MAX_REASON_TEXT: Final = 4000
STREAM_KINDS: Final = frozenset(
    {"study", "safety", "site", "pharmacy", "participant", "person", "randomization", "access"}
)


A = TypeVar("A", bound=Action)

_SPECS: dict[tuple[str, int], ActionSpec] = {}


def allow(roles: Iterable[str], *meanings: str) -> dict[str, frozenset[str]]:
    """Write a part of the authority table: these roles, each with these meanings."""
    return dict.fromkeys(roles, frozenset(meanings))


@dataclass_transform(kw_only_default=True, frozen_default=True)
def action(
    type_: str,
    *,
    effect: Effect,
    streams: str,
    roles: Mapping[str, frozenset[str]],
    schema: int = 1,
    voidable: bool = True,
    voiding_cosigned: bool = False,
    always_open: bool = False,
    reason_required: bool = False,
    delegated: bool = False,
    procedure: bool = False,
    seconds: str = "",
) -> Callable[[type[A]], type[A]]:
    """Declare a class as the action of a type and schema, and compile it.

    `streams` lists kinds of stream, `seconds` second persons, separated by spaces.

    Raises:
        TypeError, ValueError: on a defect of the declaration; on import, never at work.
    """
    kinds = tuple(streams.split())
    used = {meaning for meanings in roles.values() for meaning in meanings}
    if not (STREAM_KINDS.issuperset(kinds) and roles.keys() <= ROLES and used <= MEANINGS):
        raise ValueError(f"{type_}: unknown stream, role or meaning")
    if (type_, schema) in _SPECS:
        raise ValueError(f"{type_} schema {schema} is declared twice")

    def declare(cls: type[A]) -> type[A]:
        hints = get_type_hints(cls, include_extras=True)
        _keep_from_repr(cls, hints)
        made = dataclass(frozen=True, slots=True, kw_only=True, repr=False, eq=False)(cls)
        keep_hints(made, hints)
        sealed = _sealed_fields(made)
        hidden = frozenset(field.attribute for field in sealed.values())
        made.spec = _SPECS[type_, schema] = ActionSpec(
            type=type_,
            schema=schema,
            effect=effect,
            streams=kinds,
            roles=MappingProxyType(dict(roles)),
            sealed=MappingProxyType({path: field.scope for path, field in sealed.items()}),
            voidable=voidable,
            voiding_cosigned=voiding_cosigned,
            always_open=always_open,
            reason_required=reason_required,
            delegated=delegated,
            procedure=procedure,
            seconds=tuple(seconds.split()),
            references=_references(made, hidden),
            action=made,
            data=object_kind(made, members_of(made, hidden)),
            sealed_fields=MappingProxyType(sealed),
        )
        return made

    return declare


def find_spec(type_: str, schema: int) -> ActionSpec | None:
    """Return the spec of a type and schema, None where the authority table has none."""
    return _SPECS.get((type_, schema))


def spec(type_: str, schema: int) -> ActionSpec:
    """Return the spec of a type and schema.

    Raises:
        FormatError: `UNKNOWN_TYPE`: a type that isn't in the authority table is refused.
    """
    found = _SPECS.get((type_, schema))
    if found is None:
        raise FormatError("UNKNOWN_TYPE", "expected a type and schema of the authority table", field="/type")
    return found


def all_specs() -> tuple[ActionSpec, ...]:
    """Return every spec, by type and schema."""
    return tuple(_SPECS[key] for key in sorted(_SPECS))


def delegated_types() -> frozenset[str]:
    """Return the tasks that are delegated: who performs one needs the delegation and the training (R2b)."""
    return frozenset(spec.type for spec in _SPECS.values() if spec.delegated)


def parse_data(spec: ActionSpec, data: Any, opened: Mapping[str, Any] = MappingProxyType({})) -> Action:
    """Read plain `data` and the opened values of sealed paths (`/reason/text` is checked and left out).

    Raises:
        FormatError: `DATA`; `SEALED_PATHS` when a value is opened at a path that is not sealed.
    """
    try:
        action: Action = spec.data.read(data)
    except FormatError as error:
        error.field = f"/data{error.field or ''}"
        raise
    for attribute, value in read_opened(spec, opened):
        # The action is not shared yet; it is frozen for everyone else.
        object.__setattr__(action, attribute, value)
    return action


def read_opened(spec: ActionSpec, opened: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield attribute and value of each opened path (`/reason/text` is checked and left out).

    Raises:
        FormatError: `DATA`; `SEALED_PATHS` when a value is opened at a path that is not sealed.
    """
    for path, value in opened.items():
        if path == REASON_TEXT:
            _check_reason_text(value)
            continue
        field = spec.sealed_fields.get(path)
        if field is None:
            raise FormatError("SEALED_PATHS", "expected a value of a sealed path", field=path)
        yield field.attribute, _read_opened(field, path, value)


def parse_action(statement: Statement, opened: Mapping[str, Any] = MappingProxyType({})) -> Action:
    """Read a statement's action: the sealed paths are exactly the type's, a reason is there where demanded.

    Raises:
        FormatError: `UNKNOWN_TYPE`, `STREAM`, `SEALED_PATHS` or `DATA`; no message holds an input value.
    """
    known = spec(statement.type, statement.schema)
    if not known.stands_in(statement.stream):
        raise FormatError("STREAM", "expected a stream that this type stands in", field="/stream")
    expected = (
        known.sealed.keys() | {REASON_TEXT} if statement.reason_code is not None else known.sealed.keys()
    )
    if statement.sealed.keys() != expected:
        raise FormatError("SEALED_PATHS", "expected exactly the sealed paths of this type", field="/sealed")
    if known.reason_required and statement.reason_code is None:
        raise FormatError("DATA", "expected a reason, which this type must have", field="/reason")
    return parse_data(known, statement.data, opened)


def to_data(action: Action) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return plain `data` and the value of every sealed path (None where it holds nothing)."""
    known = action.spec
    assert known.data.write is not None  # noqa: S101  an object always has a writer
    sealed = {}
    for path, member in known.sealed_fields.items():
        value = getattr(action, member.attribute)
        sealed[path] = value if value is None or member.kind.write is None else member.kind.write(value)
    return known.data.write(action), sealed


def fields(action: Action) -> tuple[tuple[str, Any], ...]:
    """Flatten to (path, value) in the order of declaration, for a trail that goes field by field.

    Inner objects and lists of objects become one pair per leaf; a list of plain values stays one value.
    Of sealed members only those that were opened and hold something appear.
    """
    plain, sealed = to_data(action)
    pairs: list[tuple[str, Any]] = []
    _flatten("/data", plain, pairs)
    for path, value in sealed.items():
        if value is not None:
            _flatten(path, value, pairs)
    return tuple(pairs)


def json_schema(spec: ActionSpec) -> dict[str, Any]:
    """Derive a JSON Schema of `data`, with the sealed members beside it under `x-sealed`."""
    sealed = {
        path: {"scope": field.scope, "schema": field.kind.schema, "nullable": not field.required}
        for path, field in spec.sealed_fields.items()
    }
    return {
        "title": f"{spec.type}.v{spec.schema}",
        "description": (spec.action.__doc__ or "").strip(),
        **spec.data.schema,
        **({"x-sealed": sealed} if sealed else {}),
    }


def _keep_from_repr(cls: type, hints: Mapping[str, Any]) -> None:
    """Leave opened values out of `repr`, so that no traceback or log shows one."""
    for name, hint in hints.items():
        if any(isinstance(arg, Sealed) for arg in get_args(hint)[1:]):
            setattr(cls, name, field(default=None, repr=False))


def _sealed_fields(cls: type) -> dict[str, SealedField]:
    sealed = {}
    for name, hint in hints_of(cls).items():
        mark = next((arg for arg in get_args(hint)[1:] if isinstance(arg, Sealed)), None)
        if mark is None:
            continue
        inner = optional(get_args(hint)[0])
        if inner is None:
            raise TypeError(f"{cls.__name__}.{name}: a sealed field is Annotated[X | None, Sealed(…)] = None")
        sealed[f"/data/{name.rstrip('_')}"] = SealedField(
            scope=mark.scope, attribute=name, kind=kind_of(inner), required=mark.required
        )
    return sealed


def _references(cls: type, hidden: frozenset[str]) -> tuple[str, ...]:
    """Return the plain members that hold event hashes, one or a list of them."""
    names = []
    for name, hint in hints_of(cls).items():
        inner = optional(hint) or hint
        items = get_args(inner)
        listed = bool(items) and get_origin(items[0]) is tuple and EventRef in get_args(items[0])
        if name not in hidden and (inner == EventRef or listed):
            names.append(name.rstrip("_"))
    return tuple(names)


def _read_opened(field: SealedField, path: str, value: Any) -> Any:
    if value is None and not field.required:
        return None
    try:
        return field.kind.read(value)
    except FormatError as error:
        error.field = f"{path}{error.field or ''}"
        raise


def _check_reason_text(value: Any) -> None:
    if value is not None and (type(value) is not str or not 0 < len(value) <= MAX_REASON_TEXT):
        raise mismatch(f"null or a text of 1 to {MAX_REASON_TEXT} characters", REASON_TEXT)


def _flatten(path: str, value: Any, pairs: list[tuple[str, Any]]) -> None:
    if isinstance(value, dict):
        for key, inner in value.items():
            _flatten(f"{path}/{key}", inner, pairs)
    elif isinstance(value, list) and any(isinstance(inner, dict | list) for inner in value):
        for number, inner in enumerate(value):
            _flatten(f"{path}/{number}", inner, pairs)
    else:
        pairs.append((path, value))
