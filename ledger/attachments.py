"""Attachments: bytes that `data` names by media type, SHA-256 and size (record-format.md §4)."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from ledger.errors import FormatError

MAX_ATTACHMENT_BYTES: Final = 8 * 1024 * 1024

_MEMBERS: Final = frozenset({"media_type", "sha256", "size"})
_SHA256 = re.compile("[0-9a-f]{64}")


def attachments(data: Any) -> Iterator[Mapping[str, Any]]:
    """Yield every attachment object within `data`, wherever it stands.

    The values of a correction may be any JSON: what only has the members of an attachment is none.
    """
    if isinstance(data, Mapping):
        if data.keys() == _MEMBERS:
            if _is_attachment(data):
                yield data
            return
        for value in data.values():
            yield from attachments(value)
    elif isinstance(data, list):
        for value in data:
            yield from attachments(value)


def _is_attachment(data: Mapping[str, Any]) -> bool:
    return (
        isinstance(data["media_type"], str)
        and isinstance(data["sha256"], str)
        and _SHA256.fullmatch(data["sha256"]) is not None
        and type(data["size"]) is int
        and data["size"] >= 0
    )


def name_attachment(media_type: str, content: bytes) -> dict[str, Any]:
    """Return the object that names these bytes in `data`.

    Raises:
        FormatError: `SIZE` above 8 MiB.
    """
    if len(content) > MAX_ATTACHMENT_BYTES:
        raise FormatError(
            "SIZE", f"an attachment has at most {MAX_ATTACHMENT_BYTES} bytes, got {len(content)}"
        )
    return {"media_type": media_type, "sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}
