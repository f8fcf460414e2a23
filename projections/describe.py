"""Say what a statement is about: its sentence for the trail, and its fields one by one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ledger.actions.registry import REASON_TEXT, find_spec, parse_data
from ledger.actions.registry import fields as fields_of
from ledger.errors import FormatError

Field = tuple[str, Any]


def describe(type_: str, schema: int, data: Mapping[str, Any]) -> str:
    """Say it in one plain sentence, without sealed values; the type alone where it cannot be read."""
    spec = find_spec(type_, schema)
    if spec is None:
        return type_
    try:
        return parse_data(spec, data).describe()
    except FormatError:  # a record that the rules of an earlier version let through
        return type_


def describe_shown(type_: str, schema: int, shown: Mapping[str, Any]) -> str:
    """Say it in one sentence from data that has sealed members in their places, none of which is told."""
    spec = find_spec(type_, schema)
    sealed = spec.sealed if spec is not None else {}
    return describe(type_, schema, {name: v for name, v in shown.items() if f"/data/{name}" not in sealed})


def plain_fields(type_: str, schema: int, data: Mapping[str, Any]) -> tuple[Field, ...]:
    """Return (path, value) of every plain field, in the order of the type's declaration."""
    spec = find_spec(type_, schema)
    if spec is None:
        return tuple(flatten("/data", data))
    try:
        return fields_of(parse_data(spec, data))
    except FormatError:
        return tuple(flatten("/data", data))


def flatten(path: str, value: Any) -> list[Field]:
    """Flatten JSON to (path, value): one for each plain value, a list of plain values being one."""
    if isinstance(value, dict):
        return [field for key, inner in value.items() for field in flatten(f"{path}/{key}", inner)]
    if isinstance(value, list) and any(isinstance(inner, dict | list) for inner in value):
        return [field for n, inner in enumerate(value) for field in flatten(f"{path}/{n}", inner)]
    return [(path, value)]


def scope_at(type_: str, schema: int, path: str) -> str | None:
    """Return the scope of the sealed member that a path names or lies in; None where it is plain."""
    if path == REASON_TEXT:
        return "freetext"
    spec = find_spec(type_, schema)
    return None if spec is None else spec.scope_at(path)
