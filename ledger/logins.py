"""Attest logins: success, failure, the lock that failures bring, the end of a session (21 CFR 11.300(d)).

The count of failures is a fold of the log, so that it holds across processes and restarts. Addresses are kept
as an HMAC under a secret of the service: two attempts from one address are seen to be that, and which address
it was is shown by whoever has it.

Left out on purpose: how somebody proves who they are, and attempts under an id that nobody has.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from typing import Any, Final

from ledger.committer import Ledger
from ledger.errors import RefusedError
from ledger.recorded import Recorded
from ledger.state.people import Logins
from ledger.times import format_instant

LOCKED_US: Final = 30 * 60_000_000  # how long a login is locked


def is_locked(ledger: Ledger, who: str) -> bool:
    """Tell whether the login of a person is locked now."""
    return ledger.sources.now_us() < _logins(ledger, who).locked_until_us


def succeeded(
    ledger: Ledger, who: str, *, address: str, components: Sequence[str], device: str | None = None
) -> Recorded:
    """Record a login; its event begins the session.

    Raises:
        RefusedError: `LOCKOUT_IGNORED` while the login is locked; `PERSON_UNKNOWN`.
    """
    if is_locked(ledger, who):
        raise RefusedError("LOCKOUT_IGNORED", "the login is locked")
    data = {**_attempt(ledger, who, address, device), "components": sorted(components)}
    return ledger.attest("login.succeeded", ledger.access_stream(), data)


def failed(
    ledger: Ledger, who: str, *, address: str, code: str, alerted: Sequence[str], device: str | None = None
) -> bool:
    """Record a failure, and the lock where it is the last that is allowed; tell whether it is locked now.

    `alerted` are the people whom the caller tells of a lock.

    Raises:
        RefusedError: `PERSON_UNKNOWN`.
    """
    locked = is_locked(ledger, who)
    data = {**_attempt(ledger, who, address, device), "code": "locked" if locked else code}
    ledger.attest("login.failed", ledger.access_stream(), data)
    fold = ledger.refresh()
    people, failures = fold.conduct.study.people, _logins(ledger, who).failures
    if locked or failures < people.login_limit(fold.size):
        return locked
    until = format_instant(ledger.sources.now_us() + LOCKED_US)
    lock = {"alerted": sorted(alerted), "failures": failures, "until": until, "who": who}
    ledger.attest("login.locked", ledger.access_stream(), lock)
    return True


def ended(ledger: Ledger, who: str, login: str, code: str) -> Recorded:
    """Record the end of the session that a login began."""
    data = {"code": code, "statement": login, "who": who}
    return ledger.attest("session.ended", ledger.access_stream(), data)


def address_hmac(secret: bytes, address: str) -> str:
    """Return an address's HMAC-SHA256 under a key made from the service's secret, 64 hex digits."""
    key = hmac.digest(secret, b"trial-ledger/address-hmac/v1", "sha256")
    return hmac.new(key, address.encode(), hashlib.sha256).hexdigest()


def _attempt(ledger: Ledger, who: str, address: str, device: str | None) -> dict[str, Any]:
    data = {"address_hmac": address_hmac(ledger.service.secret, address), "who": who}
    return data if device is None else {**data, "device": device}


def _logins(ledger: Ledger, who: str) -> Logins:
    return ledger.refresh().conduct.study.people.logins.get(who, Logins())
