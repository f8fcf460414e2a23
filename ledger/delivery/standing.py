"""Which endpoints are in force: a fold over the signed `configuration.changed` statements of the log.

Nothing else puts an endpoint in force, and nothing that is kept beside the log can: the configuration in the
book counts only where its hash is the one that was signed, and the same for keys.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, Final

import orjson

from ledger.delivery.endpoints import TYPE, Endpoint, parse_range, parse_setting
from ledger.identity.reach import Head, roles_of
from ledger.store.port import Reads
from ledger.times import parse_instant

OVERLAP_US: Final = 24 * 3_600 * 1_000_000
"""So long after a rotation deliveries bear both signatures."""

PAGE: Final = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """A signing key by its public half, and when it came."""

    public: str
    since_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """Entries to be sent once more, as the statement at `ordered` says; both indexes included."""

    ordered: int
    first: int
    last: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """One endpoint as the log has it.

    Attributes:
        digest: hash of its configuration; None where it is off.
        begun, since: indexes of its first and of its present configuration.
        keys: the newest last.
    """

    digest: str | None = None
    host: str = ""
    reader: str = ""
    begun: int = -1
    since: int = -1
    keys: tuple[Key, ...] = ()
    replays: tuple[Replay, ...] = ()

    def signing(self, now_us: int) -> tuple[str, ...]:
        """Return the public keys to sign under now, the newest first: two while one is being replaced."""
        if not self.keys:
            return ()
        newest, before = self.keys[-1], self.keys[-2:-1]
        return (newest.public, *(key.public for key in before if now_us - newest.since_us < OVERLAP_US))


def holds(head: Head, endpoint: Endpoint) -> bool:
    """Tell whether an endpoint's account is active and holds the role on these sites, as of a head."""
    roles = roles_of(head, endpoint.person)
    if endpoint.role not in roles:
        return False
    sites = roles[endpoint.role]
    return sites is None or ("*" not in endpoint.sites and sites >= set(endpoint.sites))


class Standings:
    """Every endpoint of one log, folded as far as `size`."""

    def __init__(self) -> None:
        self._endpoints: dict[str, Standing] = {}
        self.size = 0

    def catch_up(self, reads: Reads) -> Mapping[str, Standing]:
        """Fold in what the log has beyond, and return every endpoint by its id."""
        size = reads.head().size
        while self.size < size:
            stop = min(size, self.size + PAGE)
            for entry in reads.entries(self.size, stop, types=(TYPE,)):
                changes = orjson.loads(entry.statement)["data"]["changes"]
                self._fold(entry.index, parse_instant(entry.at), changes)
            self.size = stop
        return MappingProxyType(dict(self._endpoints))

    def _fold(self, index: int, at_us: int, changes: list[dict[str, Any]]) -> None:
        for change in changes:
            named = parse_setting(change["setting"])
            if named is not None:
                endpoint, part = named
                before = self._endpoints.get(endpoint, Standing())
                self._endpoints[endpoint] = _changed(before, part, change.get("new"), index, at_us)


def _changed(standing: Standing, part: str, new: str | None, index: int, at_us: int) -> Standing:
    match part:
        case "":
            begun = index if standing.begun < 0 else standing.begun
            return replace(standing, digest=new, since=index, begun=begun)
        case "host":
            return replace(standing, host=new or "")
        case "reader":
            return replace(standing, reader=new or "")
        case "key" if new is not None:
            return replace(standing, keys=(*standing.keys, Key(public=new, since_us=at_us)))
        case "replay" if new is not None and (span := parse_range(new)) is not None:
            order = Replay(ordered=index, first=span[0], last=span[1])
            return replace(standing, replays=(*standing.replays, order))
    return standing
