"""Local accounts: log in with a password, redeem a one-time secret, keep and end sessions.

    accounts = Accounts(ledger, database, settings, study=…, tell=…)
    opened = accounts.log_in(person, password, came)          # Opened(session, secret)
    session = accounts.session(secret)                        # SESSION_EXPIRED, UNAUTHENTICATED
    accounts.redeem(person, one_time_secret, password, came)
    accounts.change(session, old, new, came)
    accounts.end(session, "signed_out")

Every login and every end of a session is attested in the log (`ledger.logins`), failures and locks by the
`gate`. Who exists, who is disabled and which role somebody holds is read from the log at each call. While
the log is frozen, logins go on, because reading and emergency unblinding do; sessions say so by `UNRECORDED`.
While another writer holds the store that is so for who may unblind; others ask again.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, Literal

from ledger import logins
from ledger.committer import Ledger
from ledger.errors import ConflictError, FrozenError, RefusedError, StoreError
from ledger.identity.alerts import Tell
from ledger.identity.attempts import Attempts
from ledger.identity.database import AccountsDatabase
from ledger.identity.denial import LOCKED, SESSION_EXPIRED, UNAUTHENTICATED, DeniedError
from ledger.identity.gate import HOUR_US, MINUTE_US, Came, Code, Gate
from ledger.identity.guesses import PART as PLACES
from ledger.identity.guesses import Guesses
from ledger.identity.invitations import Invitations
from ledger.identity.passwords import Passwords
from ledger.identity.reach import Head, Heads, reach_of, roles_of
from ledger.identity.sessions import Session, Sessions
from ledger.identity.settings import IdentitySettings
from ledger.unblinding_queue import ROLES as UNBLINDERS

UNRECORDED: Final = "0" * 64
"""The `login` of a session that began while the log was frozen."""

OVER: Final = ("idle", "limit")
Ending = Literal["signed_out", "idle", "limit", "revoked", "restart"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A session that begins, and the secret by which its holder shows it: told here and kept nowhere."""

    session: Session
    secret: str


class Accounts:
    """The people of one ledger as the service knows them. Thread-safe."""

    def __init__(
        self,
        ledger: Ledger,
        database: AccountsDatabase,
        settings: IdentitySettings,
        *,
        study: str,
        tell: Tell = lambda _: None,
        heads: Heads | None = None,
    ) -> None:
        secret = ledger.service.secret
        self.ledger = ledger
        self.database = database
        self.settings = settings
        database.add(PLACES)
        self.sessions = Sessions(
            database,
            secret,
            idle_us=settings.idle_minutes * MINUTE_US,
            lifetime_us=settings.lifetime_hours * HOUR_US,
        )
        self.passwords = Passwords(database, secret, settings)
        self.invitations = Invitations(database, secret)
        self.attempts = Attempts(database, secret)
        self.heads = heads or Heads(ledger)
        self.guesses = Guesses(database, secret, self.attempts)
        self.gate = Gate(
            ledger,
            self.heads,
            self.attempts,
            self.guesses,
            study=study,
            address_failures=settings.address_failures,
            tell=tell,
        )
        self._study = study
        self._swept_us = 0

    def log_in(self, person: str, password: str, came: Came) -> Opened:
        """Open a session for who gives a person's password.

        Raises:
            DeniedError: `UNAUTHENTICATED`, `LOCKED`, `TOO_MANY_ATTEMPTS`, or of a role that was named.
        """
        head = self.gate.admit(person, came, lambda: self._check_password(person, password))
        return self._open(head, person, ["password"], came)

    def redeem(self, person: str, secret: str, password: str, came: Came) -> Opened:
        """Set a password by a one-time secret, end all earlier sessions, and open one.

        Raises:
            FormatError: `PASSWORD_LENGTH`, `PASSWORD_GUESSABLE`; the secret is not used up then.
            DeniedError: as `log_in`.
        """
        self.passwords.check_form(password, unlike=(person, self._study))
        head = self.gate.admit(person, came, lambda: self._check_invitation(person, secret))
        self.passwords.set(person, password, self._now())
        self.end_all(person, "revoked")
        return self._open(head, person, ["one_time_code"], came)

    def change(self, session: Session, old: str, new: str, came: Came) -> None:
        """Change the password of who is logged in, and end their other sessions.

        Raises:
            FormatError: `PASSWORD_LENGTH`, `PASSWORD_GUESSABLE`.
            DeniedError: `UNAUTHENTICATED` for a wrong old password, `LOCKED`, `TOO_MANY_ATTEMPTS`.
        """
        person = session.person
        head = self.gate.admit(person, came, lambda: self._check_password(person, old))
        known = head.person(person)
        names = (known.name, known.organisation) if known is not None else ()
        self.passwords.set(person, new, self._now(), unlike=(self._study, *names))
        self.end_all(person, "revoked", but=session.id)

    def session(self, secret: str, *, use: bool = True) -> Session:
        """Return the open session of a secret, used now unless it is only looked at.

        Raises:
            DeniedError: `SESSION_EXPIRED` when it is over, for a day after; `UNAUTHENTICATED` for any other.
        """
        held = self.sessions.held(secret)
        if held is None and self.sessions.was_over(secret, self._now()):
            raise DeniedError(SESSION_EXPIRED)
        if held is None:
            self.gate.count("unknown_session")
            raise DeniedError(UNAUTHENTICATED)
        return self.live(held, use=use)

    def continued(self, key: str, person: str, components: Sequence[str], came: Came) -> Session:
        """Return the session of somebody whom a token vouches for at each request; the first one begins it.

        Raises:
            DeniedError: `UNAUTHENTICATED` for who is not an active person, `LOCKED`.
        """
        held, now_us = self.sessions.held(key), self._now()
        if not self.heads.now().is_active(person):
            if held is not None:
                self.end(held, "revoked")
            self.failed_once(f"disabled\0{key}", person, "disabled", came)
            raise DeniedError(UNAUTHENTICATED)
        if held is not None:
            over = self.sessions.over(held, now_us)
            if over is None and held.person == person:
                return self.live(held)
            self.end(held, over or "revoked")
        return self.begin(person, components, came, key=key).session

    def failed_once(self, token: str, person: str, code: Code, came: Came) -> None:
        """Note that a token does not let its person in any more: at most once an hour.

        Pages that go on asking with it would fill the log otherwise, and lock the person out.
        """
        now_us = self._now()
        if self.attempts.use_once(token, now_us + HOUR_US, now_us):
            self.gate.failed(person, code, came)

    def live(self, held: Session, *, use: bool = True) -> Session:
        """Return a session as used now, or end it where it is over or its account is disabled.

        Raises:
            DeniedError: `SESSION_EXPIRED`, `UNAUTHENTICATED`.
        """
        now_us = self._now()
        over = self.sessions.over(held, now_us)
        if over is not None:
            with suppress(StoreError):  # the sweep tries again
                self.end(held, over)
            raise DeniedError(SESSION_EXPIRED)
        if not self.heads.now().is_active(held.person):
            self.end(held, "revoked")
            raise DeniedError(UNAUTHENTICATED)
        if use:
            self.sessions.touch(held, now_us)
        if now_us - self._swept_us >= MINUTE_US:
            self.sweep()
        return held

    def begin(self, person: str, components: Sequence[str], came: Came, *, key: str | None = None) -> Opened:
        """Record a login and open its session; its secret is `key` where one is given.

        Raises:
            DeniedError: `LOCKED`.
        """
        login = self._recorded(person, components, came)
        try:
            secret = self.sessions.begin(
                person,
                login,
                components,
                now_us=self._now(),
                random_bytes=self.ledger.sources.random_bytes,
                role=came.role,
                secret=key,
            )
        except ConflictError:  # another process began the same one meanwhile: this login opened nothing
            if key is None:
                raise
            if login != UNRECORDED:
                logins.ended(self.ledger, person, login, "restart")
            secret = key
        session = self.sessions.held(secret)
        if session is None:  # ended by another process in between
            raise DeniedError(UNAUTHENTICATED)
        return Opened(session=session, secret=secret)

    def end(self, session: Session, code: Ending) -> None:
        """End a session and record that, once; where the store takes nothing now, it is tried again later.

        Raises:
            StoreError: it could not be recorded; the session is over all the same.
        """
        over_us = self._now() if code in OVER else None
        if not self.sessions.end(session, over_us):
            return
        if session.login == UNRECORDED or self.ledger.startup.frozen:
            return
        try:
            logins.ended(self.ledger, session.person, session.login, code)
        except FrozenError:
            pass  # another process froze it meanwhile
        except StoreError:
            self.sessions.put_back(session)
            raise

    def end_all(self, person: str, code: Ending, *, but: str | None = None) -> None:
        """End the sessions of a person, all but one where that is named."""
        for session in self.sessions.of(person):
            if session.id != but:
                self.end(session, self.sessions.over(session, self._now()) or code)

    def sweep(self) -> None:
        """Record the end of sessions that are over and that nobody asked for any more."""
        now_us = self._swept_us = self._now()
        with suppress(StoreError):  # who asks for something else is not kept from it; the next sweep goes on
            for session in self.sessions.all_over(now_us):
                self.end(session, self.sessions.over(session, now_us) or "idle")

    def _open(self, head: Head, person: str, components: Sequence[str], came: Came) -> Opened:
        if came.role is not None:
            reach_of(head, person, came.role, self.ledger)
        self.sweep()
        return self.begin(person, components, came)

    def _recorded(self, person: str, components: Sequence[str], came: Came) -> str:
        """Record a login; return its event."""
        if self.ledger.startup.frozen:
            return UNRECORDED
        try:
            return logins.succeeded(
                self.ledger, person, address=came.address, components=components, device=came.device
            ).event
        except RefusedError as error:
            if error.code != "LOCKOUT_IGNORED":
                raise
            raise DeniedError(LOCKED, retry_s=self.gate.retry_s(person)) from error
        except (FrozenError, StoreError) as error:
            if isinstance(error, StoreError) and not self._may_unblind(person):
                raise
            self.gate.count("unrecorded")
            return UNRECORDED

    def _may_unblind(self, person: str) -> bool:
        """Tell whether somebody may be needed at a bedside: they get in while the log takes nothing."""
        return any(role in UNBLINDERS for role in roles_of(self.heads.now(), person))

    def _check_password(self, person: str, password: str) -> Code | None:
        return None if self.passwords.check(person, password) else "wrong_component"

    def _check_invitation(self, person: str, secret: str) -> Code | None:
        match self.invitations.redeem(person, secret, self._now()):
            case "redeemed":
                return None
            case "expired":
                return "expired"
            case "wrong":
                return "wrong_component"

    def _now(self) -> int:
        return self.ledger.sources.now_us()
