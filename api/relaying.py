"""A ledger's directory as a source for a relay: the frames of the stream as one reader sees them.

The log is followed in its store, without keys and without a server; a source of another store's URL works the
same. What the reader may not see is its leaf alone, as on the stream. A person who is named has the role in
the log, on these sites, or nothing is relayed: what the log says of them is asked again before each page.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from api.frames import Frame, checkpoint_event, control, frame
from api.operations import BASE
from api.routes.stream import Filter, renderer
from ledger.authority import INITIAL, TYPES, Authority, evolve
from ledger.checkpoint import parse_body
from ledger.directory import CHECKPOINTS, open_store, read_config
from ledger.errors import FormatError, RefusedError
from ledger.exports import has_named
from ledger.fold import load_entry
from ledger.note import parse_note
from ledger.places import open_checkpoints
from ledger.relay.sources import Batch
from ledger.store.checkpoints import CheckpointStore
from ledger.store.port import Store
from ledger.subscriber.sse import SseReader
from ledger.views import INSPECTOR
from projections.authorization import STAFF
from projections.reader import Reader

PAGE: Final = 500
FOLDED: Final = 10_000
WAIT_S: Final = 1.0

_EVERYTHING: Final = Filter(types=frozenset(), participant=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """A person whose role on sites is relayed by; without `sites`, on those that the role is granted for."""

    person: str
    role: str
    sites: tuple[str, ...] = ()

    def sites_in(self, authority: Authority) -> tuple[str, ...]:
        """Return the sites that are read on.

        Raises:
            RefusedError: `PERSON_UNKNOWN`, `ACCOUNT_INACTIVE`, `ROLE_NOT_HELD`, `SITE_NOT_HELD`.
        """
        return _held(authority, self.person, self.role, self.sites)


class Standing:
    """Who may do what, folded as far as the log was asked."""

    def __init__(self) -> None:
        self._authority = INITIAL
        self._size = 0

    def at(self, store: Store, size: int) -> Authority:
        """Fold on to a size and return it."""
        for start in range(self._size, size, FOLDED):
            for entry in store.entries(start, min(start + FOLDED, size), TYPES):
                self._authority = evolve(self._authority, load_entry(entry))
        self._size = max(self._size, size)
        return self._authority


class Directory:
    """The log of a directory, as one reader sees it."""

    def __init__(self, directory: Path, reader: Reader, holder: Holder | None = None) -> None:
        self._directory = directory
        self.reader: Final = reader
        self._holder = holder
        self._study = read_config(directory).study

    @property
    def study(self) -> str:
        """The study's id."""
        return self._study

    def batches(self, after: int) -> Iterator[Batch]:
        """Yield pages of entries, and each published checkpoint after the entries that it covers.

        Raises:
            RefusedError: as `from_directory`, once the person does not read so any more.
        """
        store = open_store(self._directory)
        place = read_config(self._directory).checkpoints
        checkpoints = open_checkpoints(place, self._directory / CHECKPOINTS)
        try:
            yield from self._follow(store, checkpoints, after + 1)
        finally:
            checkpoints.close()
            store.close()

    def _follow(self, store: Store, checkpoints: CheckpointStore, cursor: int) -> Iterator[Batch]:
        show = renderer(self.reader, _EVERYTHING, store)
        reader = SseReader()
        standing, told, caught_up = Standing(), -1, False
        while True:
            size = store.wait_for(cursor + 1, WAIT_S if caught_up else 0)
            self._require(standing.at(store, size) if self._holder else INITIAL)
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

    def _require(self, authority: Authority) -> None:
        if self._holder is None:
            return
        sites = self._holder.sites_in(authority)
        if _open(sites) != self.reader.sites:
            message = f"the person has this role on {', '.join(sites)} now: begin the relay anew"
            raise RefusedError("SITE_NOT_HELD", message, field="--sites")

    def _frames(self, store: Store, start: int, stop: int) -> Sequence[Frame]:
        source = BASE.format(study=self._study)
        return [frame(entry, source) for entry in store.entries(start, stop)] if stop > start else []


def from_directory(directory: Path, role: str, person: str, sites: tuple[str, ...] = ()) -> Directory:
    """Return what a reader of a role sees of a directory's log.

    Args:
        sites: `*` among them, or none of them, for all; with a person none means those of the person's role.

    Raises:
        FormatError: `ROLE_UNKNOWN` for one that follows no stream; an inspector reads a frozen checkpoint.
        RefusedError: `PERSON_UNKNOWN`, `ACCOUNT_INACTIVE`, `ROLE_NOT_HELD`, `SITE_NOT_HELD`, `UNKNOWN_SITE`.
        StoreError: `LEDGER_MISSING`.
    """
    if role not in STAFF or role == INSPECTOR:
        raise FormatError("ROLE_UNKNOWN", "expected a role that reads the stream", field="--role")
    with closing(open_store(directory)) as store:
        for site in sites:
            if site != "*" and not has_named(store, "site", site):
                raise RefusedError("UNKNOWN_SITE", f"the log has no site {site}", field="--sites")
        holder = Holder(person=person, role=role, sites=sites) if person else None
        if holder is not None:
            sites = holder.sites_in(Standing().at(store, store.head().size))
    return Directory(directory, Reader(role=role, person=person or None, sites=_open(sites)), holder)


def _open(sites: tuple[str, ...]) -> frozenset[str] | None:
    return None if "*" in sites or not sites else frozenset(sites)


def _held(authority: Authority, name: str, role: str, sites: tuple[str, ...]) -> tuple[str, ...]:
    """Require a person to have a role on sites; return these, or those of the role where none is named."""
    person = authority.person(name)
    if person is None:
        raise RefusedError("PERSON_UNKNOWN", "the log does not know this person", field="--person")
    if not person.active:
        raise RefusedError("ACCOUNT_INACTIVE", "expected an active account", field="--person")
    if not authority.holds(name, role, None):
        held = ", ".join(sorted(person.roles)) or "none at present"
        raise RefusedError("ROLE_NOT_HELD", f"expected a role that this person has: {held}", field="--role")
    grant = person.roles.get(role)
    granted = ("*",) if grant is None else grant.sites  # a root's role has no sites
    if "*" not in granted and not set(sites) <= set(granted):
        message = f"the person has this role on {', '.join(granted)} alone"
        raise RefusedError("SITE_NOT_HELD", message, field="--sites")
    return sites or granted
