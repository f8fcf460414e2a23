"""The members of a statement, each read strictly (record-format.md §2).

A reader takes what canonical JSON gave and returns the member's value, or refuses it by its pointer; what has
members of its own is closed. `statement` puts them together.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from ledger.errors import FormatError

MAX_WITH_KEYS: Final = 8

ALGORITHMS: Final = frozenset({"ed25519", "es256", "webauthn-es256", "ml-dsa-65"})
MEANINGS: Final = frozenset(
    {"authorship", "review", "approval", "responsibility", "verification", "attestation"}
)
ORIGINATOR_KINDS: Final = frozenset({"person", "participant", "system", "device"})

_SITE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
_KEY_ID = re.compile(r"sha256:[0-9a-f]{64}")
_CODE = re.compile(r"[a-z][a-z0-9_]{0,63}")
_SEALED_POINTER = re.compile(
    r"/(?:data|reason)(?:/(?:[a-z][a-z0-9_]{0,63}|0|[1-9][0-9]{0,4}))*/[a-z][a-z0-9_]{0,63}"
)
_SEALED_DIGEST = re.compile(r"[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]")
_MAX_TEXT: Final = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Who signs: printed name, organisation and role as text frozen at signing (21 CFR 11.50)."""

    id: str
    name: str
    organisation: str
    role: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Originator:
    """Whom or what a datum comes from when that is not the actor (FDA 2024 Q20)."""

    id: str
    kind: str
    source: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRef:
    """A key that must sign the statement."""

    alg: str
    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """The newest checkpoint that the signer had verified: 32-byte root and tree size."""

    root: bytes
    size: int


def read_text(value: Mapping[str, Any], name: str, at: str = "") -> str:
    """Return a text of 1 to 500 characters."""
    text = value[name]
    if not isinstance(text, str) or not 0 < len(text) <= _MAX_TEXT:
        raise FormatError(
            "STATEMENT", f"expected a text of 1 to {_MAX_TEXT} characters", field=f"{at}/{name}"
        )
    return text


def read_match(value: Mapping[str, Any], name: str, pattern: re.Pattern[str], what: str, at: str = "") -> str:
    """Return a text that matches a whole pattern; `what` says it in words."""
    text = value[name]
    if not isinstance(text, str) or pattern.fullmatch(text) is None:
        raise FormatError("STATEMENT", f"expected {what}", field=f"{at}/{name}")
    return text


def check_time(value: Mapping[str, Any], name: str, check: Callable[[str], object]) -> None:
    """Require a time that `check` takes."""
    text = read_text(value, name)
    try:
        check(text)
    except FormatError as error:
        raise FormatError("STATEMENT", error.message, field=f"/{name}") from error


def read_positive(value: Mapping[str, Any], name: str) -> int:
    """Return an integer from 1."""
    number = value[name]
    if type(number) is not int or number < 1:
        raise FormatError("STATEMENT", "expected an integer >= 1", field=f"/{name}")
    return number


def _closed(value: Any, required: frozenset[str], optional: frozenset[str], at: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise FormatError("STATEMENT", "expected an object", field=at)
    if not (value.keys() >= required and value.keys() <= required | optional):
        names = ", ".join(sorted(required)) + (f" (and {', '.join(sorted(optional))})" if optional else "")
        raise FormatError("STATEMENT", f"expected exactly the members {names}", field=at)
    return value


_NONE: Final[frozenset[str]] = frozenset()
_ACTOR: Final = frozenset({"id", "name", "organisation", "role"})
_KEY: Final = frozenset({"alg", "id"})
_SEEN: Final = frozenset({"root", "size"})
_ORIGINATOR: Final = frozenset({"id", "kind"})
_SOURCE: Final = frozenset({"source"})
_REASON: Final = frozenset({"code"})


def read_actor(value: Any) -> Actor:
    """Read who signs."""
    actor = _closed(value, _ACTOR, _NONE, "/actor")
    texts = actor["id"], actor["name"], actor["organisation"], actor["role"]
    # Few people sign often. Only texts can be looked up; anything else is refused without.
    return _actor(*texts) if all(type(text) is str for text in texts) else _actor.__wrapped__(*texts)


@lru_cache(maxsize=1024)
def _actor(id_: Any, name: Any, organisation: Any, role: Any) -> Actor:
    actor = {"id": id_, "name": name, "organisation": organisation, "role": role}
    return Actor(
        id=read_text(actor, "id", "/actor"),
        name=read_text(actor, "name", "/actor"),
        organisation=read_text(actor, "organisation", "/actor"),
        role=read_match(actor, "role", _CODE, "a role", "/actor"),
    )


def read_originator(value: Any) -> Originator:
    """Read whom or what a datum comes from."""
    members = _closed(value, _ORIGINATOR, _SOURCE, "/originator")
    if not isinstance(members["kind"], str) or members["kind"] not in ORIGINATOR_KINDS:
        raise FormatError(
            "STATEMENT", "expected person, participant, system or device", field="/originator/kind"
        )
    source = read_text(members, "source", "/originator") if "source" in members else None
    return Originator(id=read_text(members, "id", "/originator"), kind=members["kind"], source=source)


def read_key(value: Any, at: str) -> KeyRef:
    """Read a key that must sign."""
    key = _closed(value, _KEY, _NONE, at)
    alg, name = key["alg"], key["id"]
    is_text = type(alg) is str and type(name) is str
    return _key_ref(alg, name, at) if is_text else _key_ref.__wrapped__(alg, name, at)


@lru_cache(maxsize=1024)
def _key_ref(alg: Any, name: Any, at: str) -> KeyRef:
    if not isinstance(alg, str) or alg not in ALGORITHMS:
        raise FormatError("STATEMENT", "expected a signature algorithm of this format", field=f"{at}/alg")
    return KeyRef(alg=alg, id=read_match({"id": name}, "id", _KEY_ID, "a key id", at))


def read_with(value: Mapping[str, Any]) -> tuple[KeyRef, ...]:
    """Read the keys that sign besides."""
    if "with" not in value:
        return ()
    keys = value["with"]
    if not isinstance(keys, list) or not 1 <= len(keys) <= MAX_WITH_KEYS:
        raise FormatError("STATEMENT", f"expected 1 to {MAX_WITH_KEYS} keys", field="/with")
    return tuple(read_key(key, f"/with/{n}") for n, key in enumerate(keys))


def read_meaning(value: Mapping[str, Any]) -> str:
    """Read the meaning of the signature."""
    meaning = value["meaning"]
    if not isinstance(meaning, str) or meaning not in MEANINGS:
        raise FormatError("STATEMENT", "expected a meaning of this format", field="/meaning")
    return meaning


def read_reason(value: Mapping[str, Any]) -> str | None:
    """Read the code of the reason, where there is one."""
    if "reason" not in value:
        return None
    return read_match(_closed(value["reason"], _REASON, _NONE, "/reason"), "code", _CODE, "a code", "/reason")


def read_sealed(value: Mapping[str, Any]) -> Mapping[str, str]:
    """Read the digests of sealed members by their pointers (§7)."""
    if "sealed" not in value:
        return {}
    sealed = value["sealed"]
    if not isinstance(sealed, dict) or not sealed:
        raise FormatError("STATEMENT", "expected a filled object", field="/sealed")
    for pointer, digest in sealed.items():
        if _SEALED_POINTER.fullmatch(pointer) is None:
            raise FormatError("STATEMENT", "expected a pointer into data or reason", field="/sealed")
        if not isinstance(digest, str) or _SEALED_DIGEST.fullmatch(digest) is None:
            raise FormatError(
                "STATEMENT", "expected a SHA-256 digest in base64url", field=f"/sealed{pointer}"
            )
        _check_absent(value, pointer)
    return sealed


def _check_absent(value: Any, pointer: str) -> None:
    """Require the sealed member to be absent and its parent to be there (§7)."""
    *parents, last = pointer.split("/")[1:]
    for name in parents:
        if isinstance(value, list) and name.isdigit() and int(name) < len(value):
            value = value[int(name)]
        elif isinstance(value, dict) and name in value:
            value = value[name]
        else:
            raise FormatError(
                "STATEMENT", "the parent of a sealed member is missing", field=f"/sealed{pointer}"
            )
    if not isinstance(value, dict) or last in value:
        raise FormatError("STATEMENT", "a sealed member is absent from the plain object", field=pointer)


def read_seen(value: Any) -> Seen:
    """Read the checkpoint that the signer had verified."""
    seen = _closed(value, _SEEN, _NONE, "/seen")
    root, size = seen["root"], seen["size"]
    if type(size) is not int or size < 0:
        raise FormatError("STATEMENT", "expected an integer >= 0", field="/seen/size")
    if not isinstance(root, str) or len(root) != 44:
        raise FormatError("STATEMENT", "expected 32 bytes in base64", field="/seen/root")
    try:
        raw = base64.b64decode(root, validate=True)
    except (binascii.Error, ValueError) as error:
        raise FormatError("STATEMENT", "expected 32 bytes in base64", field="/seen/root") from error
    if len(raw) != 32 or base64.b64encode(raw).decode() != root:
        raise FormatError("STATEMENT", "expected 32 bytes in base64", field="/seen/root")
    return Seen(root=raw, size=size)


def read_site(value: Mapping[str, Any], stream: str) -> str | None:
    """Read the site, which is there exactly where the stream has one."""
    kind, _, name = stream.partition("/")
    site = read_match(value, "site", _SITE, "a site id") if "site" in value else None
    if kind in ("site", "pharmacy") and site != name:
        raise FormatError("SITE", "expected the site of the stream", field="/site")
    if kind == "participant" and site is None:
        raise FormatError("SITE", "a participant's statement names the site", field="/site")
    if kind not in ("site", "pharmacy", "participant") and site is not None:
        raise FormatError(
            "SITE", "a site is named in site, pharmacy and participant streams only", field="/site"
        )
    return site
