"""Server-side sessions: which are open, since when, and when they were last used (21 CFR 11.200(a)(1)).

    sessions = Sessions(database, secret_of_the_service, idle_us=…, lifetime_us=…)
    secret = sessions.begin(person, login, components, now_us=…, random_bytes=…)   # told once, kept as a MAC
    session = sessions.find(secret, now_us)            # None: there is none, or it is over
    sessions.touch(session, now_us)
    sessions.signed(session, now_us)                   # a second component was given
    sessions.end(session)

A session is over when it was not used for `idle_us` or has lasted `lifetime_us`. Use is written down at most
every sixtieth of the idle time, so a session may end that much early, never late. Each row has a MAC under a
key of the service: who can write to the file, and no more, can end sessions and make none.

Left out on purpose: who may log in, what is recorded of it (`ledger.logins`), and how a request carries it.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

import orjson

from ledger.identity.database import AccountsDatabase, Part
from ledger.store.sql import queries

PART: Final = Part(name="sessions", script="sessions.sql", package="ledger.identity")
SECRET_BYTES: Final = 32
DEFAULT_IDLE_US: Final = 15 * 60_000_000
DEFAULT_LIFETIME_US: Final = 12 * 3_600_000_000
TOLD_US: Final = 24 * 3_600_000_000
MAX_OVER: Final = 64  # sessions that one look takes away

Over = Literal["idle", "limit"]

_Q: Final = queries("sessions_queries.sql", "ledger.identity")
_ENDED: Final = queries("places_queries.sql", "ledger.identity")


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """An open session.

    Attributes:
        id: MAC in hex of what its holder has.
        login: event hash of the `login.succeeded` that began it.
        role: the role in use, where one was named at login.
        signed_us: when a second component was last given for a signature; None when never.
    """

    id: str
    person: str
    login: str
    role: str | None
    components: tuple[str, ...]
    began_us: int
    used_us: int
    signed_us: int | None


class Sessions:
    """The sessions of one ledger. Thread-safe; processes may share the file."""

    def __init__(
        self,
        database: AccountsDatabase,
        secret: bytes,
        *,
        idle_us: int = DEFAULT_IDLE_US,
        lifetime_us: int = DEFAULT_LIFETIME_US,
    ) -> None:
        database.add(PART)
        self._database = database
        self._key = hmac.digest(secret, b"trial-ledger/session/v1", "sha256")
        self.idle_us = idle_us
        self.lifetime_us = lifetime_us

    def begin(
        self,
        person: str,
        login: str,
        components: Sequence[str],
        *,
        now_us: int,
        random_bytes: Callable[[int], bytes],
        role: str | None = None,
        secret: str | None = None,
    ) -> str:
        """Open a session; return its secret, which is kept nowhere: 43 characters, or the one that is given.

        Raises:
            ConflictError: DUPLICATE for a given secret that has a session.
        """
        if secret is None:
            secret = base64.urlsafe_b64encode(random_bytes(SECRET_BYTES)).rstrip(b"=").decode()
        session = Session(
            id=self._id(secret),
            person=person,
            login=login,
            role=role,
            components=tuple(sorted(components)),
            began_us=now_us,
            used_us=now_us,
            signed_us=None,
        )
        with self._database.writing() as connection:
            connection.execute(_Q["begin"], (*_row(session), self._mac(session)))
        return secret

    def find(self, secret: str, now_us: int) -> Session | None:
        """Return the session of a secret; None where there is none or it is over."""
        session = self.held(secret)
        return None if session is None or self.over(session, now_us) else session

    def held(self, secret: str) -> Session | None:
        """Return the session of a secret, over or not, as long as its end was not written down."""
        rows = self._database.read(_Q["find"], (self._id(secret),))
        return self._genuine(rows)

    def over(self, session: Session, now_us: int) -> Over | None:
        """Tell by which limit a session is over; None while it is open."""
        if now_us - session.began_us >= self.lifetime_us:
            return "limit"
        return "idle" if now_us - session.used_us >= self.idle_us else None

    def touch(self, session: Session, now_us: int) -> None:
        """Write down that a session is used."""
        if now_us - session.used_us >= self.idle_us // 60:
            self._change(session, used_us=now_us)

    def signed(self, session: Session, now_us: int) -> None:
        """Write down that a second component was given for a signature (11.200(a)(1)(i))."""
        self._change(session, used_us=now_us, signed_us=now_us)

    def end(self, session: Session, over_us: int | None = None) -> bool:
        """Take a session away; tell whether it was there, so that one caller alone records its end.

        One that is over by a limit, as of `over_us`, is told so for `TOLD_US`.
        """
        with self._database.writing() as connection:
            if over_us is not None:
                connection.execute(_ENDED["forget_ended"], (over_us,))
                connection.execute(_ENDED["ended"], (session.id, over_us + TOLD_US))
            return connection.execute(_Q["end"], (session.id,)).rowcount > 0

    def put_back(self, session: Session) -> None:
        """Let a session whose end could not be recorded be ended again; it stays over by its own limits."""
        with self._database.writing() as connection:
            connection.execute(_Q["begin"], (*_row(session), self._mac(session)))

    def was_over(self, secret: str, now_us: int) -> bool:
        """Tell whether a session that is gone was over by a limit."""
        rows = self._database.read(_ENDED["was_over"], (self._id(secret),))
        return bool(rows) and now_us < int(rows[0][0])

    def of(self, person: str) -> tuple[Session, ...]:
        """Return the sessions of a person, the eldest first, over or not."""
        return tuple(_session(row) for row in self._database.read(_Q["of_person"], (person,)))

    def all_over(self, now_us: int) -> tuple[Session, ...]:
        """Return up to `MAX_OVER` sessions that are over and whose end was not written down."""
        limits = (now_us - self.idle_us, now_us - self.lifetime_us, MAX_OVER)
        return tuple(_session(row) for row in self._database.read(_Q["over"], limits))

    def _change(self, session: Session, *, used_us: int, signed_us: int | None = None) -> None:
        with self._database.writing() as connection:
            found = self._genuine(connection.execute(_Q["find"], (session.id,)).fetchall())
            if found is None:
                return
            changed = replace(
                found,
                used_us=max(found.used_us, used_us),
                signed_us=found.signed_us if signed_us is None else signed_us,
            )
            values = (changed.used_us, changed.signed_us, self._mac(changed), changed.id)
            connection.execute(_Q["change"], values)

    def _genuine(self, rows: Sequence[Sequence[Any]]) -> Session | None:
        """Return the session of a row that this service wrote."""
        if not rows:
            return None
        session = _session(rows[0])
        return session if hmac.compare_digest(rows[0][-1], self._mac(session)) else None

    def _id(self, secret: str) -> str:
        # A secret has 256 random bits, or is a name that a token has proven: nothing slower is needed.
        message = b"id\0" + secret.encode("utf-8", "surrogateescape")
        return hmac.new(self._key, message, hashlib.sha256).hexdigest()

    def _mac(self, session: Session) -> str:
        message = b"row\0" + orjson.dumps(_row(session))
        return hmac.new(self._key, message, hashlib.sha256).hexdigest()


def _row(session: Session) -> tuple[Any, ...]:
    return (
        session.id,
        session.person,
        session.login,
        session.role,
        ",".join(session.components),
        session.began_us,
        session.used_us,
        session.signed_us,
    )


def _session(row: Sequence[Any]) -> Session:
    id_, person, login, role, components, began_us, used_us, signed_us, _ = row
    return Session(
        id=id_,
        person=person,
        login=login,
        role=role,
        components=tuple(components.split(",")),
        began_us=began_us,
        used_us=used_us,
        signed_us=signed_us,
    )
