"""Frozen values made member by member: a copy with some members changed, and a new one of all of them.

`dataclasses.replace` names every member to the constructor again. A participant has some forty of them and
changes with each record, so what is not changed is carried over as it is here.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import fields
from itertools import repeat
from operator import attrgetter
from typing import Any, TypeVar

T = TypeVar("T")

_set = object.__setattr__


def changed(value: T, **changes: Any) -> T:
    """Return a copy of a frozen, slotted dataclass with some members changed, as `replace` does.

    For classes without `__post_init__`: nothing is checked or computed anew.

    Raises:
        TypeError: the class has no such member, or one alone.
    """
    cls: type[Any] = type(value)
    names, get = _members_of(cls)
    if not changes.keys() <= names.keys():
        raise TypeError(f"{cls.__name__} has no {min(changes.keys() - names.keys())}")
    copy: T = object.__new__(cls)
    deque(map(_set, repeat(copy), names, get(value)), maxlen=0)
    for name, new in changes.items():
        _set(copy, name, new)
    return copy


def made(cls: type[T], values: Iterable[Any]) -> T:
    """Return a frozen, slotted dataclass of all its members in their order, as its constructor would.

    For classes without `__post_init__`: naming twenty members to a constructor takes three times as long.
    Nothing is checked, so there must be a value for each.
    """
    puts = _puts.get(cls)
    if puts is None:
        puts = _puts[cls] = tuple(getattr(cls, name).__set__ for name in _members_of(cls)[0])
    new: T = object.__new__(cls)
    for put, value in zip(puts, values, strict=False):  # to compare the lengths takes as long as ten members
        put(new, value)
    return new


_puts: dict[type[Any], tuple[Callable[[Any, Any], None], ...]] = {}
_Members = tuple[dict[str, None], Callable[[Any], tuple[Any, ...]]]
_members: dict[type[Any], _Members] = {}


def _members_of(cls: type[Any]) -> _Members:
    known = _members.get(cls)
    if known is not None:
        return known
    names = dict.fromkeys(field.name for field in fields(cls))
    if len(names) < 2 or hasattr(cls, "__post_init__"):
        raise TypeError(f"{cls.__name__} is not copied member by member")
    known = _members[cls] = names, attrgetter(*names)
    return known
