"""Webhooks of a served study: what deliveries ask of it, and the worker that delivers beside requests.

The body of a delivery is the line of the stream's catch-up that the endpoint's reader would get: the same
function decides what a reader sees (`audience`). Who the reader is, is decided by the log each time: an
account that is disabled, or that lost the role or a site, gets nothing more.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import structlog

from api.audience import Filter, audience
from api.frames import line
from ledger.committer import Ledger
from ledger.delivery.addresses import Reach
from ledger.delivery.book import FILE, Book, Lease
from ledger.delivery.delivering import Deliverer, ended
from ledger.delivery.endpoints import Endpoint
from ledger.delivery.schedule import Schedule
from ledger.delivery.sending import Sender
from ledger.delivery.standing import Standing, Standings, holds
from ledger.identity.reach import Heads
from ledger.sources import SystemSources
from projections.reader import Reader

LOOK_S: Final = 1.0

_log = structlog.get_logger("webhooks")


class StudyLog:
    """One study's log, as deliveries ask it (`ledger.delivery.delivering.Log`)."""

    def __init__(self, ledger: Ledger, source: str) -> None:
        self._ledger = ledger
        self._source = source
        self._heads = Heads(ledger)
        self._standings = Standings()

    def standings(self) -> Mapping[str, Standing]:
        """Return the endpoints as the log has them now."""
        return self._standings.catch_up(self._ledger.store)

    def holds(self, endpoint: Endpoint) -> bool:
        """Tell whether the reader's account is active and holds the role on these sites now."""
        return holds(self._heads.now(), endpoint)

    def bodies(self, endpoint: Endpoint, start: int, stop: int) -> Sequence[tuple[int, bytes | None]]:
        """Return the entries of a range as the endpoint gets them."""
        store = self._ledger.store
        sites = None if "*" in endpoint.sites else frozenset(endpoint.sites)
        reader = Reader(role=endpoint.role, person=endpoint.person, sites=sites)
        gets = audience(reader, Filter(types=frozenset(endpoint.types), participant=None))
        found = []
        for entry in store.entries(start, stop):
            # The first line is the entry; what is told after an erasure says no more than its statement does.
            piece = gets.piece(line(entry, self._source), store)
            first = piece.partition(b"\n")[0]
            found.append((entry.index, first if first.startswith(b'{"specversion"') else None))
        return found

    def wait(self, size: int, timeout_s: float) -> int:
        """Wait until the log has `size` entries, or the time is up; return its size."""
        return self._ledger.store.wait_for(size, timeout_s)


class Webhooks:
    """The webhooks of one served study; the book is made with the first endpoint that is proposed."""

    def __init__(
        self,
        ledger: Ledger,
        directory: Path,
        source: str,
        *,
        study: str,
        reach: Reach,
        schedule: Schedule | None = None,
    ) -> None:
        self._ledger = ledger
        self._directory = directory
        self._study = study
        self._schedule = schedule or Schedule()
        self._lease = Lease(directory)
        self._book: Book | None = None
        self._task: asyncio.Task[None] | None = None
        self.log = StudyLog(ledger, source)
        self.reach = reach

    def start(self) -> None:
        """Begin to deliver, in the process that has the lease."""
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """End what is being delivered; what was not acknowledged is sent again by the next process."""
        if self._task is not None:
            await ended(self._task)
        if self._book is not None:
            await asyncio.to_thread(self._book.close)
            self._book = None

    def book(self, *, make: bool = False) -> Book | None:
        """Return the book; None where there is none yet.

        Raises:
            StoreError: as `Book`.
        """
        if self._book is None:
            kek, sources = self._ledger.service.secret, SystemSources()
            if make:
                self._book = Book.ensure(self._directory, kek, sources)
            elif (self._directory / FILE).exists():
                self._book = Book(self._directory, kek, sources)
        return self._book

    async def _run(self) -> None:
        while (book := await asyncio.to_thread(self.book)) is None:
            await asyncio.sleep(LOOK_S)
        await Deliverer(
            book=book,
            lease=self._lease,
            log=self.log,
            sender=Sender(self.reach),
            reach=self.reach,
            schedule=self._schedule,
            now_us=SystemSources().now_us,
            tell=self._tell,
        ).run()

    def _tell(self, what: str, endpoint: str, code: str) -> None:
        """Log what happened; neither where to nor what of."""
        _log.warning(what, code=code, study=self._study)
