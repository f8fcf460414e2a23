"""Metrics in Prometheus' text format, in a registry of the application's own (docs/operating.md, "Metrics").

What is counted is what anybody may see who learns how many entries a log has: requests by operation,
commits, sizes, lags. No count is by type of action, by participant, site, person, role, rule or refusal: how
many doses were withheld, or unblindings refused, tells of a blinded matter whoever watches the numbers move.

A scrape asks stores and workers for their state; it judges and folds nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Final

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from ledger.doctor.log import stated_time_s
from ledger.errors import LedgerError

if TYPE_CHECKING:
    from api.limits import Admission
    from api.logs import Lines
    from api.study import ServedStudy

PREFIX: Final = "trial_ledger_"
SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
ENTRIES: Final = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)

OF_STUDIES: Final[Mapping[str, str]] = {
    "readable": "1 while the store answers",
    "frozen": "1 while nothing is recorded because of what was found at start-up",
    "head_entries": "entries of the log",
    "checkpoint_entries": "entries under the newest published checkpoint",
    "checkpoint_age_seconds": "since the newest checkpoint was published",
    "stream_subscribers": "subscribers of the stream in this process",
    "tailer_lag_entries": "entries that subscribers of this process were not told of yet",
    "audit_entries": "entries that the running or last pass over the storage has read",
    "audit_damage": "findings of the newest whole pass over the storage; 0 too before the first",
    "audit_passed_timestamp_seconds": "when the newest whole pass over the storage ended; 0 before the first",
    "webhooks_parked": "entries that endpoints of webhooks did not take for days; 0 where there are none",
    "fold_lag_entries": "entries that the fold for readers in this process has yet to take in",
}
"""Gauges of each study, read at the scrape."""


class Metrics:
    """What is counted while an application runs."""

    def __init__(
        self,
        studies: Callable[[], Mapping[str, ServedStudy]],
        admission: Admission,
        lines: Lines | None = None,
    ) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = CollectorRegistry()
        self._requests = Counter(
            PREFIX + "requests", "Requests by operation and class of status.", ("operation", "status"),
            registry=self.registry,
        )  # fmt: skip
        self._seconds = Histogram(
            PREFIX + "request_seconds", "Until the answer began.", ("operation",),
            buckets=SECONDS, registry=self.registry,
        )  # fmt: skip
        self._commit_entries = Histogram(
            PREFIX + "commit_entries", "Entries of one commit.", ("study",),
            buckets=ENTRIES, registry=self.registry,
        )  # fmt: skip
        self._commit_seconds = Histogram(
            PREFIX + "commit_seconds", "One commit, with the wait for the write lock.", ("study",),
            buckets=SECONDS, registry=self.registry,
        )  # fmt: skip
        self._lock_seconds = Histogram(
            PREFIX + "lock_wait_seconds", "The wait for the write lock.", ("study",),
            buckets=SECONDS, registry=self.registry,
        )  # fmt: skip
        self.registry.register(_AtScrape(studies, admission, lines))
        ProcessCollector(registry=self.registry)
        self._counted: dict[tuple[str, int], tuple[Counter, Histogram]] = {}

    def answered(self, operation: str, status: int, seconds: float) -> None:
        """Count a request."""
        key = (operation, status // 100)
        found = self._counted.get(key)
        if found is None:
            found = self._counted[key] = (
                self._requests.labels(operation, f"{status // 100}xx"),
                self._seconds.labels(operation),
            )
        found[0].inc()
        found[1].observe(seconds)

    def committed(self, study: str, entries: int, waited_s: float, took_s: float) -> None:
        """Count a commit: how many entries, the wait for the lock, and all of it."""
        self._commit_entries.labels(study).observe(entries)
        self._lock_seconds.labels(study).observe(waited_s)
        self._commit_seconds.labels(study).observe(took_s)

    def text(self) -> bytes:
        """Write all of them; asks every study's store."""
        return generate_latest(self.registry)


class _AtScrape(Collector):
    def __init__(
        self,
        studies: Callable[[], Mapping[str, ServedStudy]],
        admission: Admission,
        lines: Lines | None,
    ) -> None:
        self._studies = studies
        self._admission = admission
        self._lines = lines

    def describe(self) -> Iterator[Metric]:
        """Nothing is asked of the stores when the registry takes this in."""
        yield from ()

    def collect(self) -> Iterator[Metric]:
        yield GaugeMetricFamily(
            PREFIX + "requests_running", "Requests that have a place.", value=self._admission.running
        )
        away = CounterMetricFamily(
            PREFIX + "requests_turned_away", "For their rate, or because too many run.", labels=["reason"]
        )
        for reason, count in self._admission.turned_away.items():
            away.add_metric([reason], count)
        yield away
        yield CounterMetricFamily(
            PREFIX + "log_lines_dropped",
            "Lines of the log that nobody read in time.",
            value=self._lines.dropped if self._lines is not None else 0,
        )
        yield _uncounted(self._studies())
        families = {
            name: GaugeMetricFamily(PREFIX + name, f"{text}.", labels=["study"])
            for name, text in OF_STUDIES.items()
        }
        for study, served in self._studies().items():
            for name, value in _of(served).items():
                families[name].add_metric([study], value)
        yield from families.values()


def _uncounted(studies: Mapping[str, ServedStudy]) -> Metric:
    """Count attempts at the door that no event tells of, by what they were; none says whose."""
    family = CounterMetricFamily(
        PREFIX + "attempts_unrecorded", "At the door of accounts, in no event.", labels=["study", "reason"]
    )
    for study, served in studies.items():
        accounts = served.people.accounts
        for reason, count in dict(accounts.gate.counted if accounts is not None else {}).items():
            family.add_metric([study, reason], count)
    return family


def _of_audit(served: ServedStudy) -> dict[str, float]:
    audit = served.audit
    return {
        "audit_entries": 0 if audit is None else audit.entries,
        "audit_damage": 0 if audit is None else len(audit.damage),
        "audit_passed_timestamp_seconds": 0 if audit is None or audit.passed is None else audit.passed.at_s,
    }


def _of(served: ServedStudy) -> dict[str, float]:
    """Return the gauges of a study; those that its store would have to answer are left out when it can't."""
    values: dict[str, float] = {
        "frozen": served.ledger.startup.frozen,
        "stream_subscribers": served.tailer.subscribers,
        **_of_audit(served),
    }
    try:
        book = served.webhooks.book() if served.webhooks is not None else None
        values["webhooks_parked"] = 0 if book is None else book.count_parked()
        size = served.ledger.store.head().size
        published = served.ledger.checkpoints.latest()
    except LedgerError:
        return {**values, "readable": 0}
    values |= {"readable": 1, "head_entries": size, "fold_lag_entries": max(0, size - served.reading.size)}
    if served.tailer.subscribers:
        values["tailer_lag_entries"] = max(0, size - served.tailer.size)
    if published is not None:
        values["checkpoint_entries"] = published[0]
        stated = stated_time_s(published[1])
        if stated is not None:
            values["checkpoint_age_seconds"] = max(0.0, time.time() - stated)
    return values
