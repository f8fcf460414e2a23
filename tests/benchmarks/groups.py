"""The groups of benchmarks, each measured and printed by itself: what `--only` names."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Final

from ledger.committer import Ledger
from ledger.demo.play import EXPORT, POLICY, play_demo
from ledger.directory import open_ledger
from ledger.sources import SystemSources
from tests.benchmarks import (
    append,
    bulk,
    concurrent,
    growing,
    http,
    opening,
    reading,
    streaming,
    uma,
    verifying,
)
from tests.benchmarks.blocks import run
from tests.benchmarks.large import make_bundle
from tests.benchmarks.library import Library
from tests.benchmarks.places import places
from tests.benchmarks.report import compare, heading, table
from tests.benchmarks.served import serving
from tests.benchmarks.trial import open_trial
from tests.benchmarks.umadb import Unavailable

PARTICIPANTS: Final = 30
SEED: Final = 1
_US: Final = f"{'wall µs':>10}{'CPU µs':>10}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How much is measured: rounds of blocks, clients at once, participants and sizes of logs."""

    appends: int
    concurrent: int
    http: int
    clients: tuple[int, ...]
    bulk: int
    verifies: int
    verified: int
    replays: int
    rebuilds: int
    openings: int
    participants: int
    memory: tuple[int, ...]

    def with_bulk(self, events: int) -> Plan:
        """Return the same with so many events imported, and verified."""
        return replace(self, bulk=events, verified=events)


FULL = Plan(
    appends=40,
    concurrent=15,
    http=12,
    clients=(1, 16, 64, 256),
    bulk=30_000,
    verifies=9,
    verified=20_000,
    replays=25,
    rebuilds=15,
    openings=9,
    participants=34,
    memory=(500, 2_000, 8_000),
)
QUICK = Plan(
    appends=6,
    concurrent=3,
    http=3,
    clients=(1, 16, 64, 256),
    bulk=10_000,
    verifies=3,
    verified=2_000,
    replays=5,
    rebuilds=3,
    openings=3,
    participants=2,
    memory=(200, 400),
)


def _appends(directory: Path, plan: Plan) -> None:
    trial, library = open_trial(directory / "appended", PARTICIPANTS), Library(directory / "library.db")
    heading("Durable append: one typical clinical fact (vital signs of an enrolled participant)")
    measured = append.Append(directory, trial, library)
    for name, settings in measured.settings.items():
        print(f"{name:60} {settings}")
    print()
    found = run(measured.contenders(), plan.appends)
    measured.close()
    library.close()
    trial.ledger.close()
    table(found.values())
    compare(found[append.SUBJECT], found[append.LIBRARY], target=0.8)
    compare(found[append.GROUP], found[append.LIBRARY])
    compare(found[append.SUBJECT], found[append.RAW])


def _concurrent(directory: Path, plan: Plan) -> None:
    """Measure many clients in one process, over each kind of store."""
    targets = {"SQLite": {1: 0.9, 64: 3}, "PostgreSQL": {1: 0.9, 64: 5}}
    with places(directory, max(plan.clients), "concurrent") as found:
        for place in found:
            heading(f"Clients at once, in process, over {place.kind}")
            measured = concurrent.Concurrent(place.trial, place.library, plan.clients)
            series = run(measured.contenders(), plan.concurrent)
            measured.close()
            table(series.values())
            one = series[concurrent.library_name(1)]
            for clients in plan.clients:
                target = targets[place.kind].get(clients)
                compare(series[concurrent.ledger_name(clients)], one, target=target)
            if concurrent.library_name(64) in series:
                compare(series[concurrent.ledger_name(64)], series[concurrent.library_name(64)])


def _http(directory: Path, plan: Plan) -> None:
    """Measure many clients over HTTP, over each kind of store."""
    with places(directory, max(plan.clients), "http") as found:
        for place in found:
            heading(f"Clients at once, over HTTP, over {place.kind}")
            with serving(place.directory, place.trial.sources.now_us(), place.url) as (pid, port):
                measured = http.Http(place.trial, pid, port, plan.clients)
                measured.warm_up()
                series = run(measured.contenders(), plan.http)
                measured.close()
            table(series.values())
            for clients in plan.clients:
                target = 0.3 if clients == 64 else None
                compare(series[http.record_name(clients)], series[http.noop_name(clients)], target=target)


def _uma(directory: Path, plan: Plan) -> None:
    """Measure UmaDB and the ledger with as many clients in the same rounds."""
    clients = uma.CLIENTS
    with ExitStack() as stack:
        try:
            beside = stack.enter_context(closing(uma.Uma(directory)))
        except Unavailable as error:
            print(f"\nSKIPPED: UmaDB: {error}")
            return
        for place in stack.enter_context(places(directory, clients, "umadb")):
            heading(f"UmaDB and the ledger over {place.kind}, {clients} clients at once")
            measured = concurrent.Concurrent(place.trial, place.library, (clients,))
            with serving(place.directory, place.trial.sources.now_us(), place.url) as (pid, port):
                over_http = http.Http(place.trial, pid, port, (clients,))
                over_http.warm_up()
                served, _ = over_http.contenders()
                ours, _ = measured.contenders()
                series = run([ours, served, beside.contender()], plan.http)
                over_http.close()
            measured.close()
            table(series.values())
            compare(series[concurrent.ledger_name(clients)], series[uma.NAME])
            compare(series[http.record_name(clients)], series[uma.NAME])


def _bulk(directory: Path, plan: Plan) -> None:
    heading(f"Bulk import of {plan.bulk:,} events: signed, ruled, committed, {bulk.PAGE:,} a commit")
    imported = bulk.import_events(directory / "imported", plan.bulk)
    library = bulk.save_events(directory, plan.bulk)
    print(f"{'':30}{'events/s':>12}{'CPU µs':>10}{'p50 ms':>10}{'p99 ms':>10}   of a commit")
    for n in range(10):
        _print_part(imported, f"tenth {n + 1}", n / 10, (n + 1) / 10)
    _print_part(imported, "all of it", 0, 1)
    rate, first, last = imported.rate(0, 1), imported.rate(0, 0.1), imported.rate(0.9, 1)
    print(f"\nlast tenth against first: {last / first:.2f} x by wall time, ", end="")
    print(f"{imported.cpu_us(0, 0.1) / imported.cpu_us(0.9, 1):.2f} x by CPU time (asked: flat)")
    aggregate = f"aggregates of {bulk.PER_PARTICIPANT}"
    print(f"eventsourcing, unsigned, {aggregate}: {library:,.0f} events/s: {rate / library:.2f} x")
    print(f"\n{'where the time goes, per event, of the pages that are timed by stage':62}{_US}")
    for stage, took in sorted(imported.stages.items(), key=lambda each: -each[1].cpu_us):
        print(f"{stage:62}{took.wall_us:>10.1f}{took.cpu_us:>10.1f}")


def _print_part(imported: bulk.Imported, name: str, first: float, last: float) -> None:
    rate, cpu_us = imported.rate(first, last), imported.cpu_us(first, last)
    latency = "".join(f"{imported.commit_ms(first, last, percent):>10.0f}" for percent in (50, 99))
    print(f"{name:30}{rate:>12,.0f}{cpu_us:>10.0f}{latency}")


@contextmanager
def _demonstration(directory: Path, plan: Plan) -> Iterator[Ledger]:
    """Play the demonstration, whose log has every kind of statement in a study's proportions."""
    play_demo(directory / "demo", SEED, progress=_silent, participants=plan.participants)
    ledger = open_ledger(directory / "demo", None, SystemSources())
    try:
        yield ledger
    finally:
        ledger.close()


def _silent(step: str, done: int, total: int) -> None:
    """Show no progress."""


def _verifies(directory: Path, plan: Plan) -> None:
    with _demonstration(directory, plan) as ledger:
        demo = directory / "demo"
        heading("Conduct alone, over the demonstration's parsed entries")
        table(run([verifying.Rules(ledger).contender()], plan.verifies).values())
    measured = verifying.Verifying(demo / EXPORT, demo / POLICY)
    heading(f"Verify: the demonstration's bundle, {measured.events} statements")
    verifying.print_verifying(measured, plan.verifies)
    bundle, policy = make_bundle(directory / "large", plan.verified)
    measured = verifying.Verifying(bundle, policy)
    heading(f"Verify: a bundle of {measured.events} statements, made by bulk import")
    verifying.print_verifying(measured, max(3, plan.verifies // 3))


def _replays(directory: Path, plan: Plan) -> None:
    library = Library(directory / "library-read.db")
    with _demonstration(directory, plan) as ledger:
        measured = reading.Replaying(ledger.store, library)
        heading(f"Replay: one participant of the demonstration, {measured.events} events")
        found = run(measured.contenders(), plan.replays)
    library.close()
    table(found.values())
    compare(found[reading.REPLAY], found[reading.GET], target=5)
    compare(found[reading.BOOK], found[reading.GET])
    compare(found[reading.VIEW], found[reading.GET])


def _rebuilds(directory: Path, plan: Plan) -> None:
    library = Library(directory / "library-read.db")
    with _demonstration(directory, plan) as ledger:
        measured = reading.Rebuilding(directory, ledger.store, library)
        heading(f"Projection rebuild: the demonstration's {measured.events} events")
        found = run(measured.contenders(), plan.rebuilds)
        measured.close()
    library.close()
    table(found.values())
    compare(found[reading.REBUILD], found[reading.DECODE], target=2)
    compare(found[reading.REBUILD_BOOKS], found[reading.DECODE])


def _openings(directory: Path, plan: Plan) -> None:
    with _demonstration(directory, plan):
        pass
    measured = opening.Opening(directory / "demo")
    heading(f"Opening a ledger that was closed: the demonstration's {measured.events} events")
    found = run(measured.contenders(), plan.openings)
    table(found.values())
    compare(found[opening.KEPT], found[opening.WHOLE])


def _memory(directory: Path, plan: Plan) -> None:
    heading("Peak memory of verifying, a process of its own")
    print(f"{'statements':>12}{'bundle MiB':>12}{'peak MiB':>12}")
    for peak in growing.peaks(directory, plan.memory):
        print(f"{peak.statements:>12}{peak.bundle_mib:>12.1f}{peak.peak_mib:>12.1f}")


GROUPS: Final[Mapping[str, Callable[[Path, Plan], None]]] = MappingProxyType(
    {
        "append": _appends,
        "concurrent": _concurrent,
        "http": _http,
        "umadb": _uma,
        "bulk": _bulk,
        "verify": _verifies,
        "replay": _replays,
        "rebuild": _rebuilds,
        "open": _openings,
        "memory": _memory,
        "stream": lambda directory, plan: streaming.run(directory, quick=plan.appends == QUICK.appends),
    }
)
