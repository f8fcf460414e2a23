"""A foreign JSON document that remembers which of its values were used, and names the ones that were not.

Every value that an import reads goes through a `Node`, which knows its JSON Pointer (RFC 6901). `unused`
walks the whole document afterwards, so nothing is dropped in silence: what was not read is listed, each part
as large as possible, with the reason that the importer gives for it. Values that say nothing are not listed:
null, an empty text, array or object, and the members that only identify (`id`, `instanceType`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

PLUMBING: Final = frozenset({"id", "instanceType"})
"""Members that name an object within the document and say nothing of the study."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unused:
    """A part of a document that was not taken: its pointer, why, and how many values it holds."""

    pointer: str
    why: str
    values: int

    def as_json(self) -> dict[str, Any]:
        """Return the members for a report."""
        return {"pointer": self.pointer, "why": self.why, "values": self.values}


class Document:
    """One parsed document, the pointers used so far, and its objects by id."""

    def __init__(self, value: Any) -> None:
        self.used: dict[str, str] = {}
        self.root = Node(self, value, "")
        self._by_id: dict[str, Node] = {}
        for node in _objects(self.root):
            name = node.value.get("id")
            if isinstance(name, str):
                self._by_id.setdefault(name, node)

    def by_id(self, name: Any) -> Node | None:
        """Return the object of an id; None where the document has none."""
        return self._by_id.get(name) if isinstance(name, str) else None

    def unused(self, why: Callable[[str], str]) -> list[Unused]:
        """Return what was never used, each part as large as possible; `why` gives the reason."""
        found: list[Unused] = []
        _collect(self.root, frozenset(self.used), why, found)
        return found


@dataclass(frozen=True, slots=True, eq=False)
class Node:
    """One value of a document with its place."""

    document: Document
    value: Any
    pointer: str

    def __bool__(self) -> bool:
        """Tell whether it says anything."""
        return self.value not in (None, "", [], {})

    def __getitem__(self, name: str) -> Node:
        """Return a member; a node that says nothing where there is none."""
        value = self.value.get(name) if isinstance(self.value, dict) else None
        return Node(self.document, value, f"{self.pointer}/{name.replace('~', '~0').replace('/', '~1')}")

    def rows(self) -> list[Node]:
        """Return the items of an array; none where it is not one."""
        items = self.value if isinstance(self.value, list) else ()
        return [Node(self.document, item, f"{self.pointer}/{n}") for n, item in enumerate(items)]

    def take(self, to: str) -> Any:
        """Return the value and note which member of the definition it went to."""
        if self:
            self.document.used.setdefault(self.pointer, to)
        return self.value

    def follow(self, to: str) -> Node | None:
        """Return the object that this id names, and note that the link was used."""
        return self.document.by_id(self.take(to))


def _objects(node: Node) -> Iterator[Node]:
    if isinstance(node.value, dict):
        yield node
        for name in node.value:
            yield from _objects(node[name])
    for row in node.rows():
        yield from _objects(row)


def _collect(
    node: Node, used: frozenset[str], why: Callable[[str], str], found: list[Unused]
) -> tuple[int, bool]:
    """Add the unused parts below a node; return how many values it holds and whether any was used."""
    if node.pointer in used:
        return 0, True
    children = (
        [node[name] for name in node.value if name not in PLUMBING] if _is_object(node) else node.rows()
    )
    if not children:
        return (1, False) if node else (0, False)
    parts: list[Unused] = []
    values, touched = 0, False
    for child in children:
        held, was_used = _collect(child, used, why, parts)
        if held and not was_used:
            parts.append(Unused(pointer=child.pointer, why=why(child.pointer), values=held))
        values, touched = values + held, touched or was_used
    if touched:
        found += parts
        return 0, True
    return values, False


def _is_object(node: Node) -> bool:
    return isinstance(node.value, dict)
