"""Does a served study run as its log says: `ledger.toml` and the signing pages, told by `readyz` as warnings.

A difference is no reason to turn requests away: what is recorded stays as true as before, and a study that is
taken off the network for a setting misses more than it tells. 21 CFR 11.10(k) asks that changes are recorded,
and `doctor` says which setting it is; so readiness stays, with a code beside it, and no setting is named.
"""

from __future__ import annotations

import threading
from typing import Final

from ledger.committer import Ledger
from ledger.configured import compare, installed_pages, pages_difference
from ledger.directory import Config

SETTINGS: Final = "CONFIGURED_OTHERWISE"
PAGES: Final = "SIGNING_PAGES_OTHERWISE"
_STREAM: Final = "study"


class Configured:
    """What is compared, and what came of it. It is compared again when the stream that names it has grown."""

    def __init__(self, config: Config, ledger: Ledger) -> None:
        self._config = config
        self._ledger = ledger
        self._pages = installed_pages() if config.signing is not None else None
        self._lock = threading.Lock()
        self._seen = -1
        self._found: tuple[str, ...] = ()

    def warnings(self) -> tuple[str, ...]:
        """Return the codes of what differs.

        Raises:
            StoreError: the log cannot be read.
        """
        with self._lock, self._ledger.store.snapshot() as reads:
            head = reads.stream_head(_STREAM)
            seen = 0 if head is None else head[0]
            if seen != self._seen:
                found = [SETTINGS] if compare(self._config, reads).differences else []
                if pages_difference(reads, self._pages) is not None:
                    found.append(PAGES)
                self._found, self._seen = tuple(found), seen
            return self._found
