"""The `eventsourcing` 9.5.6 side of a store: recorder, mapper and factory over the same tables.

A stream is an aggregate's sequence: `originator_id` is the stream id, `originator_version` the statement's
seq, `topic` its type, and `state` the exact bytes that were signed. The library counts notifications from 1,
so notification id = log index + 1; dense, because the index is.

Reading is all that is open here. Statements enter only by the commit that the write path has judged, so
`insert_events` wants that commit and refuses anything else: `Application.save()` cannot go around the rules.

    env = {"PERSISTENCE_MODULE": "ledger.store.recorder", "LEDGER_DB": "…/ledger.db"}   # or postgresql://…
    class TrialLog(Application[str]): ...
    TrialLog(env).repository.get("participant/SA-01-007", projector_func=fold)

Left out on purpose: snapshots, and process recorders, which would mix derived events into the log.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache, cached_property
from pathlib import Path
from typing import Any, Final, NoReturn, cast
from uuid import UUID

from eventsourcing.domain import DomainEventProtocol
from eventsourcing.persistence import (
    AggregateRecorder,
    ApplicationRecorder,
    InfrastructureFactory,
    IntegrityError,
    Mapper,
    Notification,
    NotSupportedError,
    ProcessRecorder,
    StoredEvent,
    Subscription,
    Transcoder,
)
from eventsourcing.utils import Environment, EnvType, register_topic

from ledger.errors import ConflictError
from ledger.statement import Statement, parse_statement
from ledger.store.port import Commit, Store, StoredEntry
from ledger.store.tracking import LedgerTrackingRecorder
from ledger.store.urls import SQLITE, open_store
from ledger.times import parse_instant

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
PAGE: Final = 500  # notifications that a subscription reads at a time
WAIT_S: Final = 0.25  # how long a subscription waits before it looks whether it was stopped


@dataclass(frozen=True, kw_only=True)
class RecordedStatement:
    """A statement as the library's domain event, parsed only when asked."""

    originator_id: str
    originator_version: int
    type: str
    body: bytes

    @cached_property
    def statement(self) -> Statement:
        """The parsed statement."""
        return parse_statement(self.body)

    @property
    def timestamp(self) -> datetime:
        """When it was signed, by the signer's clock."""
        return _EPOCH + timedelta(microseconds=parse_instant(self.statement.signed_at))


class StatementMapper(Mapper[str]):
    """Stored state is the signed bytes as they are: no transcoder, compressor or cipher may touch them."""

    def to_stored_event(self, domain_event: DomainEventProtocol[str]) -> StoredEvent:
        """Return a recorded statement as the library stores it."""
        if not isinstance(domain_event, RecordedStatement):
            raise NotSupportedError(f"expected a recorded statement, got {type(domain_event).__name__}")
        return StoredEvent(
            originator_id=domain_event.originator_id,
            originator_version=domain_event.originator_version,
            topic=topic_of(domain_event.type),
            state=domain_event.body,
        )

    def to_domain_event(self, stored_event: StoredEvent) -> DomainEventProtocol[str]:
        """Return what was stored as a recorded statement."""
        event = RecordedStatement(
            originator_id=str(stored_event.originator_id),
            originator_version=stored_event.originator_version,
            type=stored_event.topic,
            body=stored_event.state,
        )
        return cast("DomainEventProtocol[str]", event)


class LedgerRecorder(ApplicationRecorder):
    """Streams and notifications of a ledger's store, for any store that keeps the port's promises."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def insert_events(self, stored_events: Sequence[StoredEvent], **kwargs: Any) -> Sequence[int] | None:
        """Append the judged commit that comes as `commit=`, and return its notification ids.

        Raises:
            NotSupportedError: no commit, or one of other events than these.
            IntegrityError: the store refuses it as conflicting.
        """
        commit = kwargs.get("commit")
        if not isinstance(commit, Commit):
            raise NotSupportedError("statements enter through the ledger's write path: expected a commit")
        if [(new.stream, new.seq, new.type, new.statement) for new in commit.events] != [
            (new.originator_id, new.originator_version, new.topic, new.state) for new in stored_events
        ]:
            raise NotSupportedError("expected a commit of exactly these events")
        try:
            with self.store.write() as transaction:
                transaction.append(commit)
        except ConflictError as error:
            raise IntegrityError(str(error)) from error
        return [new.index + 1 for new in commit.events]

    def select_events(
        self,
        originator_id: UUID | str,
        *,
        gt: int | None = None,
        lte: int | None = None,
        desc: bool = False,
        limit: int | None = None,
    ) -> Sequence[StoredEvent]:
        """Return the statements of a stream. As seq is dense, a limit is a range."""
        stream = str(originator_id)
        start = 1 if gt is None else max(gt + 1, 1)
        stop = None if lte is None else lte + 1
        if limit is not None and not desc:
            stop = start + limit if stop is None else min(stop, start + limit)
        if limit is not None and desc:
            newest = self.store.stream_head(stream)
            stop = min(stop or 2**63 - 1, (newest[0] if newest else 0) + 1)
            start = max(start, stop - limit)
        stored = [_stored_event(entry) for entry in self.store.stream_entries(stream, start, stop)]
        return stored[::-1] if desc else stored

    def select_notifications(
        self,
        start: int | None,
        limit: int,
        stop: int | None = None,
        topics: Sequence[str] = (),
        *,
        inclusive_of_start: bool = True,
    ) -> Sequence[Notification]:
        """Return notifications with start <= id <= stop in log order, `limit` at most."""
        first = 0 if start is None else max(start - (1 if inclusive_of_start else 0), 0)
        end = self.store.head().size if stop is None else min(stop, self.store.head().size)
        found: list[Notification] = []
        while first < end and len(found) < limit:
            # Without topics one page is the answer; with them pages are read until the answer is full.
            page = self.store.entries(first, min(end, first + (max(limit, PAGE) if topics else limit)))
            found.extend(_notification(entry) for entry in page if not topics or entry.type in topics)
            first += len(page)
        return found[:limit]

    def max_notification_id(self) -> int | None:
        """Return the newest notification id, None for an empty log."""
        return self.store.head().size or None

    def subscribe(
        self, gt: int | None = None, topics: Sequence[str] = ()
    ) -> Subscription[ApplicationRecorder]:
        """Return an endless iterator over notifications with ids above `gt`."""
        return LedgerSubscription(self, gt, topics)


class LedgerSubscription(Subscription[ApplicationRecorder]):
    """Notifications as they are recorded, by this process or another one, until it is stopped."""

    def __init__(self, recorder: LedgerRecorder, gt: int | None, topics: Sequence[str]) -> None:
        super().__init__(recorder, gt, topics)
        self._store = recorder.store
        self._next_index = gt or 0
        self._page: Iterator[StoredEntry] = iter(())

    def __next__(self) -> Notification:
        """Return the next notification, waiting for it if need be."""
        while not self._has_been_stopped:
            for entry in self._page:
                if not self._topics or entry.type in self._topics:
                    return _notification(entry)
            page = self._store.entries(self._next_index, self._next_index + PAGE)
            self._next_index += len(page)
            self._page = iter(page)
            if not page:
                self._store.wait_for(self._next_index + 1, WAIT_S)
        raise StopIteration


class Factory(InfrastructureFactory[LedgerTrackingRecorder]):
    """Opens what the environment names: LEDGER_DB, a file or a URL, and PROJECTIONS_DB for tracking."""

    LEDGER_DB: Final = "LEDGER_DB"
    PROJECTIONS_DB: Final = "PROJECTIONS_DB"

    def __init__(self, env: Environment | EnvType | None) -> None:
        super().__init__(env)
        self._store: Store | None = None
        self._tracking: LedgerTrackingRecorder | None = None

    def mapper(
        self, transcoder: Transcoder | None = None, mapper_class: type[Mapper[Any]] | None = None
    ) -> Mapper[Any]:
        """Return the one mapper that keeps signed bytes; no other is ever used."""
        return StatementMapper(transcoder=transcoder or self.transcoder())

    def application_recorder(self) -> ApplicationRecorder:
        """Open the ledger's store.

        Raises:
            StoreError: STORE_MISSING and the others of opening.
        """
        if self._store is None:
            place = self._named(self.LEDGER_DB)
            url = place if "://" in place else SQLITE
            self._store = open_store(url, Path(place))
        return LedgerRecorder(self._store)

    def tracking_recorder(
        self, tracking_recorder_class: type[LedgerTrackingRecorder] | None = None
    ) -> LedgerTrackingRecorder:
        """Open the projections' file."""
        if self._tracking is None:
            recorder = tracking_recorder_class or LedgerTrackingRecorder
            self._tracking = recorder(Path(self._named(self.PROJECTIONS_DB)))
        return self._tracking

    def aggregate_recorder(self, purpose: str = "events") -> AggregateRecorder:
        """Refuse: there are no sequences beside the log's."""
        _refuse("aggregate recorders")

    def process_recorder(self) -> ProcessRecorder:
        """Refuse: what is derived never enters the log."""
        _refuse("process recorders")

    def close(self) -> None:
        """Release the files."""
        if self._store is not None:
            self._store.close()
        if self._tracking is not None:
            self._tracking.close()

    def _named(self, key: str) -> str:
        value = self.env.get(key)
        if not value:
            raise NotSupportedError(f"expected a path in the environment variable {key}")
        return value


@cache
def topic_of(statement_type: str) -> str:
    """Return the topic of a statement type, registered so that a fresh process can resolve it too."""
    register_topic(statement_type, RecordedStatement)
    return statement_type


def _stored_event(entry: StoredEntry) -> StoredEvent:
    return StoredEvent(
        originator_id=entry.stream,
        originator_version=entry.seq,
        topic=topic_of(entry.type),
        state=entry.statement,
    )


def _notification(entry: StoredEntry) -> Notification:
    return Notification(
        id=entry.index + 1,
        originator_id=entry.stream,
        originator_version=entry.seq,
        topic=topic_of(entry.type),
        state=entry.statement,
    )


def _refuse(what: str) -> NoReturn:
    raise NotSupportedError(f"a ledger has no {what}")
