"""The tables `[identity]` and `[oidc]` of `ledger.toml`; an unknown member is an error.

[identity]
url = "https://ledger.example/v1/studies/s1"   # what assertions name as their audience, beside the origin
idle_minutes = 15                 # a session that was not used so long is over
lifetime_hours = 12               # and one that has lasted so long
password_length = 15              # at least so many characters; nothing is asked of which they are
address_failures = 30             # failed logins from one address in 15 minutes before it has to wait
argon2_memory_kib = 65536
argon2_iterations = 3
argon2_lanes = 4
alert_command = ["/usr/local/bin/page-on-call"]   # is told of a lock, one JSON line on its standard input

[oidc]
issuer = "https://login.example"
audience = "trial-ledger"
jwks_url = "https://login.example/keys"
algorithms = ["RS256", "ES256"]   # asymmetric ones alone
leeway_s = 30
person_claim = "employee_id"      # either the claim that is the person's id in the log …
[oidc.people]                     # … or whose token a `sub` is
"auth0|6601" = "bchan"
"""

from __future__ import annotations

import json  # its strings are TOML's basic strings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import urlsplit

from ledger.errors import FormatError

ALGORITHMS: Final = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
"""Algorithms of tokens that may be allowed: none in which the one who checks could also sign."""

LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})
_RANGES: Final = {
    "idle_minutes": (1, 24 * 60),
    "lifetime_hours": (1, 7 * 24),
    "password_length": (8, 128),
    "address_failures": (1, 100_000),
    "argon2_memory_kib": (8, 1 << 21),
    "argon2_iterations": (1, 100),
    "argon2_lanes": (1, 64),
    "leeway_s": (0, 300),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentitySettings:
    """What `[identity]` says."""

    url: str | None = None
    idle_minutes: int = 15
    lifetime_hours: int = 12
    password_length: int = 15
    address_failures: int = 30
    argon2_memory_kib: int = 65_536
    argon2_iterations: int = 3
    argon2_lanes: int = 4
    alert_command: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class OidcSettings:
    """What `[oidc]` says: exactly one of `person_claim` and `people` tells who somebody is."""

    issuer: str
    audience: str
    jwks_url: str
    algorithms: tuple[str, ...] = ("RS256", "ES256")
    leeway_s: int = 30
    person_claim: str | None = None
    people: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


def read_identity(value: Any) -> IdentitySettings:
    """Read `[identity]`.

    Raises:
        FormatError: `CONFIG` with the member.
    """
    table = _table(value, "identity", IdentitySettings)
    members: dict[str, Any] = {}
    for name, each in table.items():
        where = f"identity.{name}"
        if name == "url":
            members[name] = _url(each, where)
        elif name == "alert_command":
            members[name] = _texts(each, where)
        else:
            members[name] = _number(each, where, name)
    settings = IdentitySettings(**members)
    if settings.argon2_memory_kib < 8 * settings.argon2_lanes:  # RFC 9106 §3.1
        raise FormatError("CONFIG", "expected 8 KiB or more a lane", field="identity.argon2_memory_kib")
    return settings


def read_oidc(value: Any) -> OidcSettings:
    """Read `[oidc]`.

    Raises:
        FormatError: `CONFIG` with the member.
    """
    table = _table(value, "oidc", OidcSettings)
    members: dict[str, Any] = {}
    for name in ("issuer", "audience", "jwks_url"):
        members[name] = _text(table.get(name), f"oidc.{name}")
    _url(members["jwks_url"], "oidc.jwks_url")
    if "algorithms" in table:
        members["algorithms"] = _texts(table["algorithms"], "oidc.algorithms")
        if not set(members["algorithms"]) <= set(ALGORITHMS):
            raise FormatError("CONFIG", "expected asymmetric algorithms alone", field="oidc.algorithms")
    if "leeway_s" in table:
        members["leeway_s"] = _number(table["leeway_s"], "oidc.leeway_s", "leeway_s")
    if ("person_claim" in table) == ("people" in table):
        raise FormatError("CONFIG", "expected either person_claim or people", field="oidc.person_claim")
    if "person_claim" in table:
        members["person_claim"] = _text(table["person_claim"], "oidc.person_claim")
    else:
        people = table["people"]
        if not isinstance(people, Mapping) or not all(isinstance(each, str) for each in people.values()):
            raise FormatError("CONFIG", "expected a table from sub to person", field="oidc.people")
        members["people"] = MappingProxyType(dict(people))
    return OidcSettings(**members)


def format_identity(identity: IdentitySettings, oidc: OidcSettings | None) -> Iterator[str]:
    """Yield the lines of `ledger.toml` for what differs from the defaults."""
    changed = {
        each.name: getattr(identity, each.name)
        for each in fields(identity)
        if getattr(identity, each.name) != each.default
    }
    if changed:
        yield from ("", "[identity]", *(f"{name} = {_toml(value)}" for name, value in changed.items()))
    if oidc is None:
        return
    yield from ("", "[oidc]")
    for each in fields(oidc):
        value = getattr(oidc, each.name)
        if each.name != "people" and value is not None:
            yield f"{each.name} = {_toml(value)}"
    if oidc.person_claim is None:
        yield from ("", "[oidc.people]")
        for sub, person in oidc.people.items():
            yield f"{_toml(sub)} = {_toml(person)}"


def _table(value: Any, name: str, form: type) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise FormatError("CONFIG", f"expected a table [{name}]", field=name)
    unknown = value.keys() - {each.name for each in fields(form)}
    if unknown:
        raise FormatError("CONFIG", "no such member", field=f"{name}.{min(unknown)}")
    return value


def _text(value: Any, where: str) -> str:
    if not isinstance(value, str) or not value:
        raise FormatError("CONFIG", "expected a text", field=where)
    return value


def _texts(value: Any, where: str) -> tuple[str, ...]:
    if not isinstance(value, list) or not value or not all(isinstance(each, str) and each for each in value):
        raise FormatError("CONFIG", "expected a list of texts", field=where)
    return tuple(value)


def _number(value: Any, where: str, name: str) -> int:
    low, high = _RANGES[name]
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise FormatError("CONFIG", f"expected a whole number from {low} to {high}", field=where)
    return value


def _url(value: Any, where: str) -> str:
    """Require https, or http to this machine: keys and audiences come over nothing weaker."""
    text = _text(value, where)
    parts = urlsplit(text)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in LOOPBACK):
        raise FormatError("CONFIG", "expected an https address, or http to this machine", field=where)
    return text


def _toml(value: Any) -> str:
    if isinstance(value, tuple):
        return f"[{', '.join(_toml(each) for each in value)}]"
    return json.dumps(value, ensure_ascii=False)
