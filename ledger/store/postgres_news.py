"""News of commits: a thread that listens, and wakes whoever waits for the log to grow.

A notification is a hint and may be missed, when the connection was lost for instance. Who waits asks the
store again after a while whatever was heard, so the log alone says what is there.
"""

from __future__ import annotations

import os
import select
import threading
from contextlib import closing, suppress
from typing import Final

import psycopg
from psycopg import sql

from ledger.errors import StoreError
from ledger.store.postgres_connections import Connection, connect
from ledger.store.urls import SchemaUrl

RETRY_S: Final = 1.0


def channel(schema: str) -> sql.Identifier:
    """Return the name under which commits of a schema are told."""
    return sql.Identifier(f"trial_ledger_{schema}")


class News:
    """Listens from the first wait on until it is closed. Thread-safe."""

    def __init__(self, url: SchemaUrl) -> None:
        self._url = url
        self._changed = threading.Condition()
        self._count = 0
        self._hearing = False
        self._thread: threading.Thread | None = None
        self._end, self._stop = os.pipe()
        self._closed = False

    @property
    def hearing(self) -> bool:
        """Whether commits of other processes are heard of at the moment."""
        return self._hearing

    def count(self) -> int:
        """Return how much was heard so far, and begin to listen."""
        with self._changed:
            if self._thread is None and not self._closed:
                self._thread = threading.Thread(target=self._listen, name="news", daemon=True)
                self._thread.start()
            return self._count

    def wait(self, seen: int, timeout_s: float) -> None:
        """Wait until there is more news than was seen, or the time is up."""
        with self._changed:
            if self._count == seen and not self._closed:
                self._changed.wait(timeout_s)

    def tell(self) -> None:
        """Wake who waits."""
        with self._changed:
            self._count += 1
            self._changed.notify_all()

    def close(self) -> None:
        """End the thread; closing twice is allowed."""
        with self._changed:
            if self._closed:
                return
            self._closed = True
            self._changed.notify_all()
        os.close(self._stop)  # the other end becomes readable
        if self._thread is not None:
            self._thread.join()
        os.close(self._end)

    def _listen(self) -> None:
        while not self._closed:
            with suppress(StoreError, psycopg.Error, OSError), closing(connect(self._url)) as connection:
                connection.execute(sql.SQL("LISTEN {}").format(channel(self._url.schema)))
                self._hearing = True
                self.tell()  # what was committed before listening began is found by asking
                self._hear(connection)
            self._hearing = False
            if not self._closed:
                select.select([self._end], [], [], RETRY_S)

    def _hear(self, connection: Connection) -> None:
        poll = select.poll()
        poll.register(connection.fileno(), select.POLLIN)
        poll.register(self._end, select.POLLIN | select.POLLHUP)
        while not self._closed:
            poll.poll()
            if not self._closed and list(connection.notifies(timeout=0)):
                self.tell()
