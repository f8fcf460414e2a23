"""Operator, accounts and users of a NATS server, with keys from public labels; their credentials files."""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path
from typing import Any, Final

import nkeys

_LIMITS: Final = (
    *("subs", "data", "payload", "imports", "exports", "conn", "leaf"),
    *("mem_storage", "disk_storage", "streams", "consumer"),
)


def pair(label: str, kind: int) -> nkeys.KeyPair:
    """Return the pair of a label; `kind` is one of the package's prefixes."""
    return nkeys.from_seed(nkeys.encode_seed(hashlib.sha256(label.encode()).digest(), kind))


def configuration(file: Path) -> Path:
    """Write what a server with one account is started with, and a system account, as JetStream wants."""
    operator = pair("operator", nkeys.PREFIX_BYTE_OPERATOR)
    accounts = {
        name: pair(name, nkeys.PREFIX_BYTE_ACCOUNT).public_key.decode() for name in ("account", "system")
    }
    claims = {
        accounts["account"]: {"type": "account", "limits": {**dict.fromkeys(_LIMITS, -1), "wildcards": True}},
        accounts["system"]: {"type": "account"},
    }
    preload = {name: _jwt(operator, name, nats) for name, nats in claims.items()}
    lines = [
        f"operator: {_jwt(operator, operator.public_key.decode(), {'type': 'operator'})}",
        f"system_account: {accounts['system']}",
        "resolver: MEMORY",
        "resolver_preload: {",
        *(f"  {name}: {jwt}" for name, jwt in preload.items()),
        "}",
    ]
    file.write_text("\n".join(lines))
    return file


def credentials(file: Path, user: str, account: str = "account") -> Path:
    """Write a user's credentials file, in the form of `nsc generate creds`."""
    keys = pair(user, nkeys.PREFIX_BYTE_USER)
    jwt = _jwt(
        pair(account, nkeys.PREFIX_BYTE_ACCOUNT),
        keys.public_key.decode(),
        {"type": "user", "subs": -1, "data": -1, "payload": -1},
    )
    file.write_text(
        f"-----BEGIN NATS USER JWT-----\n{jwt}\n------END NATS USER JWT------\n\n"
        f"-----BEGIN USER NKEY SEED-----\n{keys.seed.decode()}\n------END USER NKEY SEED------\n"
    )
    return file


def _jwt(issuer: nkeys.KeyPair, subject: str, nats: dict[str, Any]) -> str:
    claims = {
        "iss": issuer.public_key.decode(),
        "sub": subject,
        "name": subject[:8],
        "iat": 1_700_000_000,
        "nats": {**nats, "version": 2},
    }
    claims["jti"] = (
        base64.b32encode(hashlib.sha256(json.dumps(claims).encode()).digest()).decode().rstrip("=")
    )
    signed = ".".join(
        _part(json.dumps(part).encode()) for part in ({"typ": "JWT", "alg": "ed25519-nkey"}, claims)
    )
    return f"{signed}.{_part(issuer.sign(signed.encode()))}"


def _part(held: bytes) -> str:
    return base64.urlsafe_b64encode(held).decode().rstrip("=")
