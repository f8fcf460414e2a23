"""One study as the service holds it: the open ledger, its reading tokens, and the workers around them."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from api.accounts import People
from api.attempts import Attempts
from api.audit import Audit
from api.configured import Configured
from api.drift import Drift
from api.reading import Reading
from api.recorder import Recorder
from api.tailer import Tailer
from api.unblindings import Unblindings
from api.webhooks import Webhooks
from ledger.committer import Ledger
from ledger.continued import Continued, continued
from ledger.delivery.addresses import PUBLIC, Reach
from ledger.directory import UNBLINDINGS, Config
from ledger.errors import LedgerError
from ledger.fsck import Checker
from ledger.identity.database import AccountsDatabase
from ledger.identity.reach import Heads
from ledger.savepoint import READING
from projections.copies.signing import DocumentSigner

PUBLISH_EVERY_S: Final = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenStudy:
    """An open ledger with what its directory says. Whoever opened it closes it.

    Webhooks need the directory, to keep where they are; `reach` says where they may go. The storage is read
    again once in `audit_every_s`, with `checkers`, and steps of the clock beyond `clock_limit_ms` are
    recorded; without them neither is done.
    """

    config: Config
    ledger: Ledger
    directory: Path | None = None
    reach: Reach = PUBLIC
    accounts: AccountsDatabase | None = None
    documents: DocumentSigner | None = None  # without it no certified copies are issued
    audit_every_s: float | None = None
    checkers: tuple[Checker, ...] = ()
    clock_limit_ms: int | None = None


class ServedStudy:
    """A study while the service runs. Lives on one event loop, from `start` to `stop`."""

    def __init__(self, opened: OpenStudy, address: str) -> None:
        self.config = opened.config
        self.ledger = opened.ledger
        self.continues = _continued(opened.ledger)
        self.documents = opened.documents
        beside = None if opened.directory is None else opened.directory / UNBLINDINGS
        self.unblindings = Unblindings(opened.ledger, beside)
        self.recorder = Recorder(opened.ledger, self.unblindings.first)
        self.tailer = Tailer(opened.ledger, address)
        kept = opened.ledger.savepoint
        folding = None if kept is None else kept.beside(READING, "ledger", "projections", "api")
        self.reading = Reading(opened.ledger.store, folding)
        self.judges = ThreadPoolExecutor(max_workers=1, thread_name_prefix="verify")
        self.attempts = Attempts()
        self.configured = Configured(opened.config, opened.ledger)
        self.heads = Heads(opened.ledger)
        self.people = People(opened.config, opened.ledger, self.heads, opened.accounts)
        self.unpublished: str | None = None
        self.folded = threading.Event()
        self.inspected: dict[str, ServedStudy] = {}  # as of each open inspection, by its event
        self._publisher: asyncio.Task[None] | None = None
        study, every_s, limit_ms = self.config.study, opened.audit_every_s, opened.clock_limit_ms
        self.audit = None if every_s is None else Audit(study, self.ledger, every_s, opened.checkers)
        self.drift = None if limit_ms is None else Drift(study, self.ledger, limit_ms)
        self.webhooks: Webhooks | None = None
        if opened.directory is not None:
            self.webhooks = Webhooks(
                opened.ledger, opened.directory, address, study=self.config.study, reach=opened.reach
            )

    def start(self) -> None:
        """Begin to publish checkpoints, and fold the log before the first request asks for it."""
        threading.Thread(target=self._fold, name="fold", daemon=True).start()
        self._publisher = asyncio.create_task(self._publish_often())
        if self.audit is not None:
            self.audit.start(self.folded)
        if self.drift is not None:
            self.drift.start()
        if self.webhooks is not None:
            self.webhooks.start()

    async def stop(self) -> None:
        """End the workers, and publish what was recorded."""
        if self.drift is not None:
            await self.drift.stop()
        if self.audit is not None:
            await asyncio.to_thread(self.audit.stop)
        if self.webhooks is not None:
            await self.webhooks.stop()
        if self._publisher is not None:
            self._publisher.cancel()
            await asyncio.gather(self._publisher, return_exceptions=True)
        for study in (self, *self.inspected.values()):
            await study.tailer.stop()
        await asyncio.to_thread(self.recorder.close)
        await asyncio.to_thread(self.judges.shutdown)
        await asyncio.to_thread(self._publish)
        await asyncio.to_thread(self._keep, ending=True)
        self.unblindings.close()

    def drain(self) -> None:
        """Let every stream end; called on the event loop."""
        for study in (self, *self.inspected.values()):
            study.tailer.drain()

    def _fold(self) -> None:
        with suppress(LedgerError):  # whoever asks next is told what is wrong
            self.reading.catch_up()
            self.ledger.refresh()
        self.folded.set()
        self._keep()

    async def _publish_often(self) -> None:
        """Publish a checkpoint whenever the log has grown, at most once a second (record-format.md §5)."""
        while True:
            await asyncio.to_thread(self._publish)
            await asyncio.sleep(PUBLISH_EVERY_S)

    def _keep(self, *, ending: bool = False) -> None:
        """Keep what is folded, once enough of it is new: the next start is sooner ready."""
        with suppress(LedgerError):
            self.reading.keep(ending=ending)
            self.ledger.keep(ending=ending)

    def _publish(self) -> None:
        self.unblindings.settle()
        try:
            self.ledger.publish()
            self.unpublished = None
            self._keep()
        except LedgerError as error:
            # Another process may have published first; what stays wrong is told by `readyz`.
            self.unpublished = error.code


def _continued(ledger: Ledger) -> Continued | None:
    """Return what a log goes on from; it is read once. A log that can't be read is served all the same."""
    with suppress(LedgerError):
        return continued(ledger.store)
    return None
