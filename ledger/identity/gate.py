"""Who is let in, and what is recorded, counted and told of whoever is not.

    head = gate.admit(person, came, check)       # DeniedError; `check` gives None or what was wrong
    locked = gate.failed(person, "expired", came)

A failure of somebody whom the log knows is `login.failed` there, and the last that is allowed brings
`login.locked` (21 CFR 11.300(d)). Whoever is not let in learns neither which part was wrong nor whether the
id exists: an address that the person never came from is locked out before them (`guesses`), an unknown id
costs the same work, gets the same answer and is locked after as many failures, counted beside the log.
While the log is frozen everybody is counted there.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, Literal

from ledger import logins
from ledger.committer import Ledger
from ledger.errors import FrozenError
from ledger.identity.alerts import Alert, Tell, people_to_alert
from ledger.identity.attempts import Attempts, Limit
from ledger.identity.denial import LOCKED, TOO_MANY, UNAUTHENTICATED, DeniedError
from ledger.identity.guesses import Guesses
from ledger.identity.reach import Head, Heads

MINUTE_US: Final = 60_000_000
HOUR_US: Final = 60 * MINUTE_US
ADDRESS_WINDOW_US: Final = 15 * MINUTE_US
WHILE_LOCKED: Final = 20  # attempts under one locked id that an hour records; further ones are counted

Code = Literal["wrong_component", "missing_component", "disabled", "locked", "expired"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Came:
    """Where an attempt came from: its network address, and the role and device that it names."""

    address: str
    role: str | None = None
    device: str | None = None


class Gate:
    """The gate of one ledger. Thread-safe."""

    def __init__(
        self,
        ledger: Ledger,
        heads: Heads,
        attempts: Attempts,
        guesses: Guesses,
        *,
        study: str,
        address_failures: int,
        tell: Tell,
    ) -> None:
        self.heads = heads
        self.counted: dict[str, int] = {}
        self._ledger = ledger
        self._attempts = attempts
        self._guesses = guesses
        self._study = study
        self._tell = tell
        self._by_address = Limit(
            failures=address_failures, lock_us=ADDRESS_WINDOW_US, window_us=ADDRESS_WINDOW_US
        )
        self._while_locked: dict[str, tuple[int, int]] = {}

    def admit(self, person: str, came: Came, check: Callable[[], Code | None]) -> Head:
        """Let a person through who is active, not locked, and whose proof holds.

        Raises:
            DeniedError: `UNAUTHENTICATED`, `LOCKED`, `TOO_MANY_ATTEMPTS`.
        """
        waiting_us = self._attempts.locked_until("address", came.address) - self._now()
        if waiting_us > 0:
            self.count("address_locked")
            raise DeniedError(TOO_MANY, retry_s=_seconds(waiting_us))
        waiting_s = self._guesses.wait_s(person, came.address, self._now())
        if waiting_s:
            self.count("guesses")
            raise DeniedError(LOCKED, retry_s=waiting_s)
        head = self.heads.now()
        wrong = "locked" if self.retry_s(person) else check()
        if wrong is None and not head.is_active(person):
            wrong = "disabled"
        if wrong is None:
            self._attempts.succeeded("id", person)
            self._guesses.let_in(person, came.address, self._now())
            return head
        if self.failed(person, wrong, came):
            waiting_s = self._guesses.wait_s(person, came.address, self._now())
            raise DeniedError(LOCKED, retry_s=max(1, waiting_s or self.retry_s(person)))
        raise DeniedError(UNAUTHENTICATED)

    def failed(self, person: str, code: Code, came: Came) -> bool:
        """Record a failure of somebody whom the log knows, count any other; tell whether the id is locked.

        From where the person never came the last failure that would lock them locks that address out instead.
        """
        if self._attempts.failed("address", came.address, self._now(), self._by_address):
            self._alert("address_locked", self._by_address.failures)
        head = self.heads.now()
        if self._guesses.failed(person, came.address, head.people.login_limit(head.size), self._now()):
            self.count("guesses")
            return True
        if head.person(person) is not None and not self._ledger.startup.frozen:
            with suppress(FrozenError):  # another process froze it: counted beside the log, as below
                return self._record(head, person, code, came)
        self.count("unknown_person")
        limit = Limit(failures=head.people.login_limit(head.size), lock_us=logins.LOCKED_US)
        locked = self._attempts.failed("id", person, self._now(), limit)
        if locked and code != "locked":
            self._alert("unknown_locked", limit.failures)
        return locked

    def retry_s(self, person: str) -> int:
        """Return for how many seconds an id stays locked; 0 where it is not."""
        head = self.heads.now()
        known = head.people.logins.get(person) if head.person(person) is not None else None
        until_us = 0 if known is None else known.locked_until_us
        return _seconds(max(until_us, self._attempts.locked_until("id", person)) - self._now())

    def count(self, what: str) -> None:
        """Count what is not recorded."""
        self.counted[what] = self.counted.get(what, 0) + 1

    def _record(self, head: Head, person: str, code: Code, came: Came) -> bool:
        alerted = people_to_alert(head.authority, person)
        with self._attempts.alone():  # a lock belongs to the failure before it: nobody comes between
            locked_before = self.retry_s(person) > 0
            if locked_before and not self._records_while_locked(person):
                self.count("while_locked")
                return True
            locked = logins.failed(
                self._ledger, person, address=came.address, code=code, alerted=alerted, device=came.device
            )
        if locked and not locked_before:
            self._alert("login_locked", head.people.login_limit(head.size), person, alerted)
        return locked

    def _records_while_locked(self, person: str) -> bool:
        """Tell whether one more attempt under a locked id is recorded: guessing is not to fill the log."""
        hour = self._now() // HOUR_US
        since, count = self._while_locked.get(person, (hour, 0))
        count = count + 1 if since == hour else 1
        self._while_locked[person] = (hour, count)
        return count <= WHILE_LOCKED

    def _alert(
        self,
        kind: Literal["login_locked", "unknown_locked", "address_locked"],
        failures: int,
        who: str | None = None,
        alerted: tuple[str, ...] = (),
    ) -> None:
        self._tell(Alert(kind=kind, study=self._study, failures=failures, who=who, alerted=alerted))

    def _now(self) -> int:
        return self._ledger.sources.now_us()


def _seconds(us: int) -> int:
    """Return microseconds as whole seconds, rounded up; 0 for none and for the past."""
    return max(0, -(-us // 1_000_000))
