"""Reading: a participant replayed, and all projections built anew, against the library's own way of reading.

The log is the demonstration's. The library's side has aggregates of its own with as many events, read through
`repository.get` and through notifications and mapper, as an application of the library would.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from ledger.store.port import Store
from ledger.store.tracking import LedgerTrackingRecorder
from projections.participant import PARTICIPANT, load_book, participant_view
from projections.projection import replay
from projections.reader import Reader
from projections.runner import Runner
from projections.status import standing
from tests.benchmarks.blocks import Contender, Work
from tests.benchmarks.library import Library, Patient
from tests.benchmarks.trial import same_facts

TURNS: Final = 5
"""How often a participant is replayed in one block: one replay alone is too short to measure."""
PAGE: Final = 1_000

REPLAY: Final = "replay: from the store to the participant's status"
GET: Final = "eventsourcing repository.get, an aggregate of as many events"
BOOK: Final = "replay: the book and the state of the study, no status yet"
VIEW: Final = "replay: the whole view derived for one reader"

REBUILD: Final = "rebuild of every kept projection"
REBUILD_BOOKS: Final = "rebuild of every participant's book as well"
DECODE: Final = "eventsourcing decode: notifications through the mapper"


class Replaying:
    """The contenders over the participant with the longest stream, and an aggregate of as many events."""

    def __init__(self, store: Store, library: Library) -> None:
        self._store = store
        streams = [stream.stream for stream in store.streams() if stream.stream.startswith("participant/")]
        longest = max(streams, key=lambda stream: (store.stream_head(stream) or (0, ""))[0])
        self._stream, self._name = longest, longest.partition("/")[2]
        self.events = len(store.stream_entries(longest))
        self._size = store.head().size
        self._reader = Reader(role="auditor")
        book, self._study = load_book(store, self._name)
        self._status = standing(book["records"], self._study).status
        self._library = library
        self._patient = _patient(library, self.events)

    def contenders(self) -> list[Contender]:
        """Return everything that is measured in one run."""
        count = self.events * TURNS
        return [
            Contender(name=REPLAY, events=count, prepare=lambda: self._turns(self._replay)),
            Contender(name=GET, events=count, prepare=lambda: self._turns(self._get)),
            Contender(name=BOOK, events=count, prepare=lambda: self._turns(self._book)),
            Contender(name=VIEW, events=count, prepare=lambda: self._turns(self._view)),
        ]

    def _turns(self, once: Work) -> Work:
        def work() -> None:
            for _ in range(TURNS):
                once()

        return work

    def _replay(self) -> None:
        book = replay(PARTICIPANT, self._store.stream_entries(self._stream), self._name, self._size)
        self._expect(len(book["records"]))
        if standing(book["records"], self._study).status is not self._status:
            raise RuntimeError(f"expected the status {self._status}")

    def _get(self) -> None:
        patient: Patient = self._library.app.repository.get(self._patient.id)
        self._expect(patient.version)

    def _book(self) -> None:
        book, _ = load_book(self._store, self._name)
        self._expect(len(book["records"]))

    def _view(self) -> None:
        view = participant_view(self._store, self._name, reader=self._reader)
        if view is None:
            raise RuntimeError("expected a view of the participant")

    def _expect(self, found: int) -> None:
        if found != self.events:
            raise RuntimeError(f"expected {self.events} events, got {found}")


class Rebuilding:
    """The contenders over the whole log, and over as many events of the library."""

    def __init__(self, directory: Path, store: Store, library: Library) -> None:
        self._store = store
        self.events = store.head().size
        self._library = library
        missing = self.events - (library.app.recorder.max_notification_id() or 0)
        if missing > 0:
            _patient(library, missing)
        self._tracking = [
            LedgerTrackingRecorder.create(directory / f"projections-{name}.db") for name in ("kept", "books")
        ]
        self._kept = Runner(self._tracking[0])
        self._books = Runner(self._tracking[1], (PARTICIPANT,))

    def contenders(self) -> list[Contender]:
        """Return everything that is measured in one run."""
        return [
            Contender(name=REBUILD, events=self.events, prepare=lambda: lambda: self._rebuild(self._kept)),
            Contender(
                name=REBUILD_BOOKS, events=self.events, prepare=lambda: lambda: self._rebuild(self._books)
            ),
            Contender(name=DECODE, events=self.events, prepare=lambda: self._decode),
        ]

    def close(self) -> None:
        """Release the files."""
        for tracking in self._tracking:
            tracking.close()

    def _rebuild(self, runner: Runner) -> None:
        if runner.rebuild(self._store) != self.events:
            raise RuntimeError(f"expected {self.events} events folded")

    def _decode(self) -> None:
        recorder, mapper = self._library.app.recorder, self._library.app.mapper
        at, stop = 1, self.events
        while at <= stop:
            page = recorder.select_notifications(start=at, limit=PAGE, stop=stop)
            for notification in page:
                mapper.to_domain_event(notification)
            at += len(page)


def _patient(library: Library, events: int) -> Patient:
    """Save an aggregate with this many events, its creation among them."""
    patient = library.new_participant("SA-01")
    for number in range(events - 1):
        patient.record_vital_signs(**same_facts(number))
    library.app.save(patient)
    return patient
