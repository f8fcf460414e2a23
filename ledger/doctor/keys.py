"""Do the keys of log and service work, does the log know them; how long does a certificate last.

Keys of the record format do not expire, they are revoked; a TLS certificate does.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from cryptography import x509

from ledger.directory import KEK, KEYS, LOG_KEY, LOG_PQ_KEY, SERVICE_KEY
from ledger.doctor.finding import DAY_S, Finding
from ledger.envelope import EventHash
from ledger.errors import LedgerError
from ledger.keyfile import KeyMaterial, load_key, needs_passphrase
from ledger.keys import KeySignature, SigningKey, check_signature, load_public_key
from ledger.lines import counted, encode_base64
from ledger.merkle import EMPTY_ROOT
from ledger.note import CosignatureSigner, Note, NoteSigner, VerifierKey, check_note, format_vkey
from ledger.store.port import Store

FILES: Final = (LOG_KEY, LOG_PQ_KEY, SERVICE_KEY, KEK)
SOON_DAYS: Final = 21
PROBE: Final = b"trial-ledger key self-test"
"""What the service's key signs to be tried: no pre-authentication encoding, so no statement."""


def key_findings(directory: Path, store: Store, passphrase: str | None) -> Iterator[Finding]:
    """Try each key: it opens, it signs, what it signs holds, and the log names it."""
    files = [name for name in FILES if (directory / KEYS / name).exists()]
    locked = [name for name in files if needs_passphrase(directory / KEYS / name)]
    if locked and passphrase is None:
        yield Finding(
            area="keys",
            verdict="unknown",
            text="not tried: their passphrase is not at hand (TRIAL_LEDGER_PASSPHRASE_FILE)",
            values={"locked": locked},
        )
        return
    wrong = [f"{name} {reason}" for name in files if (reason := _wrong(directory, name, store, passphrase))]
    plain = sorted(set(files) - set(locked))
    yield Finding(
        area="keys",
        verdict="bad" if wrong else "watch" if plain else "good",
        text="; ".join(wrong)
        or f"{len(files)} tried: each signs, and the log names it"
        + (f"; without a passphrase: {', '.join(plain)}" if plain else ""),
        values={"tried": files, "wrong": wrong, "plain": plain},
    )


def certificate_finding(path: Path, now_us: int) -> Finding:
    """Tell how long a TLS certificate lasts; of a chain the first that ends counts."""
    try:
        chain = x509.load_pem_x509_certificates(path.read_bytes())
    except (OSError, ValueError):
        return Finding(area="certificate", verdict="bad", text="the TLS certificate cannot be read")
    until = min(each.not_valid_after_utc for each in chain)
    left_s = (until - datetime.fromtimestamp(now_us / 1_000_000, UTC)).total_seconds()
    days = int(left_s // DAY_S)
    left = "" if left_s <= 0 else f", {counted(days, 'day', 'days')}"
    return Finding(
        area="certificate",
        verdict="bad" if left_s <= 0 else "watch" if days < SOON_DAYS else "good",
        text=f"{'ended on' if left_s <= 0 else 'until'} {until:%Y-%m-%d}{left}",
        values={"until": until.isoformat(), "days": days},
    )


def _wrong(directory: Path, name: str, store: Store, passphrase: str | None) -> str | None:
    """Say what is wrong with a key file, None where nothing is."""
    try:
        key = load_key(directory / KEYS / name, passphrase)
    except LedgerError as error:
        return f"does not open ({error.code})"
    opening = store.entry(0)
    if name == KEK or opening is None:
        return None  # what it wraps tells whether it is the right one; `fsck` opens that
    log = json.loads(opening.statement)
    try:
        if name == SERVICE_KEY:
            return None if _try_service(key.signing_key()) in _enrolled(store) else "is not enrolled"
        signed = _try_log(log["log"], name, key)
    except LedgerError as error:
        return f"does not sign ({error.code})"
    return None if format_vkey(signed) in log["data"]["log_keys"] else "is not among the log's keys"


def _try_log(origin: str, name: str, key: KeyMaterial) -> VerifierKey:
    """Sign the head of an empty tree and check it; return the key that it was checked with."""
    text = f"{origin}\n0\n{encode_base64(EMPTY_ROOT)}\n"
    signer = NoteSigner(origin, key.secret) if name == LOG_KEY else CosignatureSigner(origin, key.secret)
    line = signer.sign(text) if isinstance(signer, NoteSigner) else signer.sign(text, 1)
    check_note(Note(text=text, signatures=(line,)), [signer.key])
    return signer.key


def _try_service(key: SigningKey) -> str:
    """Sign a probe and check it; return the key's id."""
    signature = KeySignature(alg=key.alg, key=key.id, sig=key.sign(PROBE))
    check_signature(load_public_key(key.alg, key.spki), PROBE, EventHash("0" * 64), signature)
    return key.id


def _enrolled(store: Store) -> set[str]:
    """Return the ids of the service's keys that the log knows and that did not end."""
    known: set[str] = set()
    for entry in store.stream_entries("person/service"):
        data: dict[str, Any] = json.loads(entry.statement)["data"]
        if entry.type == "key.revoked":
            known.discard(data["key"])
        elif entry.type in ("key.enrolled", "key.rotated"):
            known.discard(data.get("replaces", ""))
            known.add(data["key"]["id"])
    return known
