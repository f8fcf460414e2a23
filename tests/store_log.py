"""Builds commits as the write path does, with real trees, for tests of stores."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Sequence

from ledger.merkle import Frontier, leaf_hash
from ledger.store.port import Commit, Guard, Head, NewDisclosure, NewEvent, NewStream, Reads
from ledger.tiles import advance

STUDY = "study"


def digest(text: str) -> bytes:
    """Return 32 bytes that look random and are the same in each run."""
    return hashlib.sha256(text.encode()).digest()


def disclosure(event: NewEvent, path: str = "/data/arm", size: int = 272) -> NewDisclosure:
    """Return a sealed value whose bytes occur nowhere else."""
    block = digest(f"{event.event} {path}")
    ciphertext = (block * (size // 32 + 1))[:size]
    return NewDisclosure(
        event=event.event,
        path=path,
        scope="treatment",
        stream=event.stream,
        nonce=block[:12],
        ciphertext=ciphertext,
    )


class Log:
    """Grows a log next to a store: knows its size, its tree and the streams that it has used."""

    def __init__(self, reads: Reads, *, name: str = "log") -> None:
        head = reads.head()
        self.name = name
        self.frontier = Frontier.from_bytes(head.frontier)
        self.reads = reads
        self.streams = {stream.stream: self._next_seq(stream.stream) for stream in reads.streams()}

    def _next_seq(self, stream: str) -> int:
        newest = self.reads.stream_head(stream)
        return 1 if newest is None else newest[0] + 1

    def event(self, index: int, stream: str, seq: int, *, padding: int = 0) -> NewEvent:
        """Return an event whose every value is told by log name, index, stream and seq."""
        label = f"{self.name} {index} {stream} {seq}"
        statement = f'{{"label":"{label}","padding":"{"x" * padding}"}}'.encode()
        leaf = f'{{"index":{index},"label":"{label}"}}'.encode()
        return NewEvent(
            index=index,
            at=f"2024-01-01T00:00:00.{index:06}Z",
            stream=stream,
            seq=seq,
            type="visit.started" if index % 2 else "visit.completed",
            schema=1,
            id=str(uuid.UUID(bytes=digest(label)[:16])),
            event=hashlib.sha256(statement).hexdigest(),
            statement=statement,
            leaf=leaf,
            leaf_hash=leaf_hash(leaf),
        )

    def commit(
        self,
        *streams: str,
        guards: Sequence[tuple[str, str]] = (),
        sealed: Sequence[str] = (),
        padding: int = 0,
    ) -> Commit:
        """Return a commit with one event for each named stream, and go on from there.

        Guards belong to its first event; each event seals a value at each path of `sealed`.
        """
        base = self.frontier.size
        new_streams, events = [], []
        for offset, stream in enumerate(streams):
            if stream not in self.streams:
                self.streams[stream] = 1
                salt = digest(f"salt {stream}")
                new_streams.append(NewStream(stream=stream, tag=digest(f"tag {stream}").hex(), salt=salt))
            events.append(self.event(base + offset, stream, self.streams[stream], padding=padding))
            self.streams[stream] += 1
        tile_hashes = advance(base, [event.leaf_hash for event in events], self.reads.tile_hashes)
        for event in events:
            self.frontier.append(event.leaf_hash)
        return Commit(
            base_size=base,
            events=tuple(events),
            streams=tuple(new_streams),
            disclosures=tuple(disclosure(event, path) for event in events for path in sealed),
            guards=tuple(Guard(kind=kind, key=key, index=base) for kind, key in guards),
            tile_hashes=tile_hashes,
            root=self.frontier.root(),
            frontier=self.frontier.to_bytes(),
            head=f"note of {self.frontier.size}".encode(),
        )

    def head(self) -> Head:
        """Return the head that a store has to have after the newest commit."""
        size = self.frontier.size
        return Head(
            size=size,
            root=self.frontier.root(),
            frontier=self.frontier.to_bytes(),
            note=f"note of {size}".encode() if size else b"",
        )
