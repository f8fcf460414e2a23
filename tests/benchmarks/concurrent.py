"""Many clients at once in one process: signed statements through group commit, against the bare library.

Each client is one participant's bedside: it hands a signed statement in, waits for the receipt, and hands in
the next, so what commits together is what happens to wait together (`api.recorder`). The statements were
prepared and signed before. The library saves unsigned events with the same facts, each client in a thread of
its own; it is the same library over the same kind of store, in the same run.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from ledger.submission import Submission
from tests.benchmarks.blocks import Contender, Work
from tests.benchmarks.library import Library, Patient
from tests.benchmarks.processes import tree_cpu_s
from tests.benchmarks.trial import participant_id, same_facts, served, signed_vital_signs
from tests.ledger.small_ledger import SITE, SmallLedger

CLIENTS: Final = {1: 60, 16: 20, 32: 15, 64: 10, 256: 4}
"""How many statements each client hands in during one block, by the number of clients."""
LIBRARY_CLIENTS: Final = (1, 64)


def ledger_name(clients: int) -> str:
    """Name the row of the ledger."""
    return f"ledger, {clients} {_clients(clients)}: signed, judged, durable, receipt"


def library_name(clients: int) -> str:
    """Name the row of the library."""
    return f"eventsourcing save, unsigned, {clients} {_clients(clients)}"


class Concurrent:
    """The contenders over one store."""

    def __init__(self, trial: SmallLedger, library: Library, sizes: Sequence[int] = tuple(CLIENTS)) -> None:
        self._trial = trial
        self._library = library
        self._sizes = sizes
        self._runner = asyncio.Runner()
        self._recorder = served(trial)
        most = max(each for each in LIBRARY_CLIENTS if each <= max(sizes))
        self._patients = [library.new_participant(SITE) for _ in range(most)]
        self._threads = ThreadPoolExecutor(max_workers=most)

    def contenders(self) -> list[Contender]:
        """Return everything that is measured in one run."""
        ledger = [self._contender(clients) for clients in self._sizes]
        library = [self._baseline(clients) for clients in LIBRARY_CLIENTS if clients <= max(self._sizes)]
        return [*ledger, *library]

    def close(self) -> None:
        """End what was started."""
        self._recorder.close()
        self._runner.close()
        self._threads.shutdown()

    def _contender(self, clients: int) -> Contender:
        each, latencies = CLIENTS[clients], list[float]()

        def prepare() -> Work:
            pages = [
                signed_vital_signs(self._trial, participant_id(1 + n), CLIENTS[clients])
                for n in range(clients)
            ]
            return lambda: self._runner.run(self._record(pages, latencies))

        return Contender(
            name=ledger_name(clients),
            events=clients * each,
            prepare=prepare,
            cpu_s=tree_cpu_s,
            latencies=latencies,
        )

    async def _record(self, pages: Sequence[Sequence[Submission]], latencies: list[float]) -> None:
        async def client(page: Sequence[Submission]) -> None:
            for submission in page:
                began = time.perf_counter()
                recorded = await self._recorder.record(submission)
                latencies.append(time.perf_counter() - began)
                if recorded.breaches or not recorded.receipt:
                    raise RuntimeError("expected a receipt and no breach")

        await asyncio.gather(*map(client, pages))

    def _baseline(self, clients: int) -> Contender:
        each, latencies = CLIENTS[clients], list[float]()
        app, patients = self._library.app, self._patients[:clients]

        def save(patient: Patient) -> None:
            for number in range(each):
                patient.record_vital_signs(**same_facts(number))
                began = time.perf_counter()
                app.save(patient)
                latencies.append(time.perf_counter() - began)

        def work() -> None:
            if clients == 1:
                save(patients[0])
            else:
                list(self._threads.map(save, patients))

        return Contender(
            name=library_name(clients),
            events=clients * each,
            prepare=lambda: work,
            latencies=latencies,
        )


def _clients(count: int) -> str:
    return "client" if count == 1 else "clients"
