"""Files that an action names: `--attach FILE`; `--attach /data/document=FILE` also names it there."""

from __future__ import annotations

import mimetypes
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from ledger.attachments import name_attachment
from ledger.cli.terminal import say
from ledger.errors import FormatError, RefusedError

Attach = Annotated[
    list[str] | None,
    typer.Option(metavar="[PLACE=]FILE", help="A file to attach; with /data/… it is named there as well."),
]
PLACE: Final = "/data/"
_BLOCK_SIZES: Final = b'"block_sizes"'


@dataclass(frozen=True, slots=True, kw_only=True)
class Attached:
    """A file's bytes, and the object that names them in `data`."""

    name: dict[str, Any]
    content: bytes


def attached(members: dict[str, Any], given: Sequence[str] | None) -> list[Attached]:
    """Read the files, and name those in the action that have a place there.

    Raises:
        FormatError: `ACTION`, a file that cannot be read, or a place that the action does not have.
        RefusedError: `BLOCK_SIZES`, a study definition that would publish what has to stay sealed (§8).
    """
    found = []
    for each in given or ():
        place, equals, file = each.partition("=")
        at = place if equals and place.startswith(PLACE) else None
        one = _read(Path(each if at is None else file))
        if members.get("type") == "protocol.approved" and _BLOCK_SIZES in one.content:
            message = "expected what `definition publish` writes: this file names the sealed block sizes"
            raise RefusedError("BLOCK_SIZES", message, field=at)
        if at is not None:
            _put(members, at, one.name)
        found.append(one)
    return found


def tell(each: Attached) -> None:
    """Say what was attached."""
    say(f"attached {each.name['media_type']} {each.name['sha256']} of {each.name['size']} bytes")


def _read(path: Path) -> Attached:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise FormatError("ACTION", f"{path.name} cannot be read", field="--attach") from error
    media_type = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    return Attached(name=name_attachment(media_type, content), content=content)


def _put(members: dict[str, Any], place: str, name: dict[str, Any]) -> None:
    """Put a value at a JSON Pointer whose parent is there; what stands there already is not replaced."""
    *parents, last = [part.replace("~1", "/").replace("~0", "~") for part in place.split("/")[1:]]
    node: Any = members
    for part in parents:
        node = node.get(part) if isinstance(node, dict) else None
    if not isinstance(node, dict) or last in node:
        raise FormatError("ACTION", "expected a place of the action that is free", field=place)
    node[last] = name
