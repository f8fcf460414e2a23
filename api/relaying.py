"""A ledger's directory as a source for a relay: the frames of the stream as one reader sees them.

The log is followed in its store, without keys and without a server; a source of another store's URL works the
same. What the reader may not see is its leaf alone, as on the stream.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from api.frames import Frame, checkpoint_event, control, frame
from api.operations import BASE
from api.routes.stream import Filter, renderer
from ledger.checkpoint import parse_body
from ledger.directory import CHECKPOINTS, open_store, read_config
from ledger.errors import FormatError
from ledger.note import parse_note
from ledger.places import open_checkpoints
from ledger.relay.sources import Batch, Entries
from ledger.store.checkpoints import CheckpointStore
from ledger.store.port import Store
from ledger.subscriber.sse import SseReader
from ledger.views import INSPECTOR
from projections.authorization import STAFF
from projections.reader import Reader

PAGE: Final = 500
WAIT_S: Final = 1.0

_EVERYTHING: Final = Filter(types=frozenset(), participant=None)


class Directory:
    """The log of a directory, as one reader sees it."""

    def __init__(self, directory: Path, reader: Reader) -> None:
        self._directory = directory
        self._reader = reader
        self._study = read_config(directory).study

    @property
    def study(self) -> str:
        """The study's id."""
        return self._study

    def batches(self, after: int) -> Iterator[Batch]:
        """Yield pages of entries, and each published checkpoint after the entries that it covers."""
        store = open_store(self._directory)
        place = read_config(self._directory).checkpoints
        checkpoints = open_checkpoints(place, self._directory / CHECKPOINTS)
        try:
            yield from self._follow(store, checkpoints, after + 1)
        finally:
            checkpoints.close()
            store.close()

    def _follow(self, store: Store, checkpoints: CheckpointStore, cursor: int) -> Iterator[Batch]:
        show = renderer(self._reader, _EVERYTHING, store)
        reader = SseReader()
        told, caught_up = -1, False
        while True:
            size = store.wait_for(cursor + 1, WAIT_S if caught_up else 0)
            frames = self._frames(store, cursor, min(size, cursor + PAGE))
            cursor += len(frames)
            out = show(frames)
            latest = checkpoints.latest()
            if latest is not None and told < latest[0] <= cursor:
                told = latest[0]
                out += checkpoint_event(told, parse_body(parse_note(latest[1]).text).root, latest[1])
            if not caught_up and cursor >= size:
                caught_up = True
                out += control("caught-up", size=size)
            yield reader.feed(out)

    def _frames(self, store: Store, start: int, stop: int) -> Sequence[Frame]:
        source = BASE.format(study=self._study)
        return [frame(entry, source) for entry in store.entries(start, stop)] if stop > start else []


def from_directory(directory: Path, role: str, person: str, sites: tuple[str, ...]) -> Entries:
    """Return what a reader of a role sees of a directory's log.

    Raises:
        FormatError: `ROLE_UNKNOWN` for one that follows no stream; an inspector reads a frozen checkpoint.
        StoreError: `LEDGER_MISSING`.
    """
    if role not in STAFF or role == INSPECTOR:
        raise FormatError("ROLE_UNKNOWN", "expected a role that reads the stream", field="--role")
    everywhere = None if "*" in sites else frozenset(sites)
    return Directory(directory, Reader(role=role, person=person or None, sites=everywhere))
