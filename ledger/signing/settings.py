"""The table `[signing]` of `ledger.toml`: where passkeys sign.

    [signing]
    rp_id = "sign.hospital.example"                 # the relying party that passkeys are made for
    origins = ["https://sign.hospital.example"]     # where the signing pages are served

Both are pinned in the log with each passkey (record-format.md §11, KEY) and judged at every signature:
another value here lets new passkeys be made elsewhere and changes nothing for those that are enrolled.
"""

from __future__ import annotations

import json  # its strings are TOML's basic strings
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from ledger.errors import FormatError

LOCALHOST: Final = "localhost"
MAX_ORIGINS: Final = 16

_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,62})?(\.[a-z0-9]([a-z0-9-]{0,62})?)*")


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningSettings:
    """The relying party of signing passkeys, and the origins at which they sign."""

    rp_id: str
    origins: tuple[str, ...]


def read_signing(value: Any) -> SigningSettings:
    """Read `[signing]`.

    Raises:
        FormatError: `CONFIG` with the member.
    """
    if not isinstance(value, Mapping) or value.keys() != {"rp_id", "origins"}:
        raise FormatError("CONFIG", "expected exactly rp_id and origins", field="signing")
    rp_id, origins = value["rp_id"], value["origins"]
    if not isinstance(rp_id, str) or _NAME.fullmatch(rp_id) is None:
        raise FormatError("CONFIG", "expected a host name in lower case", field="signing.rp_id")
    if not isinstance(origins, list) or not 1 <= len(set(map(str, origins))) == len(origins) <= MAX_ORIGINS:
        raise FormatError("CONFIG", "expected a list of origins, each once", field="signing.origins")
    for origin in origins:
        if not isinstance(origin, str) or not is_origin_of(origin, rp_id):
            raise FormatError(
                "CONFIG",
                "expected https://, the rp id or a name below it, and no path",
                field="signing.origins",
            )
    return SigningSettings(rp_id=rp_id, origins=tuple(origins))


def format_signing(settings: SigningSettings) -> list[str]:
    """Write the lines of `[signing]`."""
    origins = ", ".join(json.dumps(origin) for origin in settings.origins)
    return ["", "[signing]", f"rp_id = {json.dumps(settings.rp_id)}", f"origins = [{origins}]"]


def is_origin_of(origin: str, rp_id: str) -> bool:
    """Tell whether a browser lets pages of an origin use passkeys of a relying party (WebAuthn L3 §5.1.3)."""
    try:
        parts = urlsplit(origin)
        port = parts.port
    except ValueError:
        return False
    host = parts.hostname or ""
    if host != rp_id and not host.endswith(f".{rp_id}"):
        return False
    if parts.scheme != "https" and not (parts.scheme == "http" and host == LOCALHOST):
        return False
    return origin == f"{parts.scheme}://{host}" + (f":{port}" if port is not None else "")
