"""Many clients over HTTP: a real server in a process of its own, keep-alive connections, signed bodies.

The clients share this process, which does nothing else meanwhile: a body is written as it was prepared, an
answer is read to its end and only its status is looked at. Beside `statements` the same bodies go to a route
that does nothing with them, so that the ratio tells what recording costs and not what HTTP does.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from functools import partial
from typing import Final

from ledger.submission import format_submission
from tests.benchmarks.blocks import Contender, Work
from tests.benchmarks.processes import tree_cpu_s
from tests.benchmarks.served import NOOP, RECORD
from tests.benchmarks.trial import participant_id, signed_vital_signs
from tests.ledger.small_ledger import SmallLedger

CLIENTS: Final = {1: 30, 16: 8, 32: 6, 64: 4, 256: 2}
"""How many statements each client hands in during one block, by the number of clients."""
WARM_UP_S: Final = 3.0
_CREATED: Final = b"HTTP/1.1 201"


def record_name(clients: int) -> str:
    """Name the row of recording."""
    return f"POST statements, {clients} client{'' if clients == 1 else 's'}"


def noop_name(clients: int) -> str:
    """Name the row of the route that does nothing."""
    return f"POST noop with the same body, {clients} client{'' if clients == 1 else 's'}"


class Connection(asyncio.Protocol):
    """One keep-alive connection: a request out, its answer in, one at a time."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._answer: asyncio.Future[bytes] | None = None
        self._received = bytearray()
        self._loop = asyncio.get_running_loop()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, blank, body = bytes(self._received).partition(b"\r\n\r\n")
        if not blank:
            return
        length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
        if len(body) >= length and self._answer is not None:
            self._received.clear()
            answer, self._answer = self._answer, None
            answer.set_result(head)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._answer is not None:
            self._answer.set_exception(ConnectionResetError("the server hung up"))

    async def ask(self, request: bytes) -> bytes:
        """Send a request; return the head of its answer when all of it is there."""
        assert self._transport is not None
        self._answer = self._loop.create_future()
        self._transport.write(request)
        return await self._answer

    def close(self) -> None:
        """Hang up."""
        if self._transport is not None:
            self._transport.close()


class Http:
    """The contenders against one server. The trial is the same ledger, opened here to sign for."""

    def __init__(
        self, trial: SmallLedger, pid: int, port: int, sizes: Sequence[int] = tuple(CLIENTS)
    ) -> None:
        self._trial = trial
        self._cpu_s = partial(tree_cpu_s, pid)
        self._port = port
        self._sizes = sizes
        self._runner = asyncio.Runner()
        self._connections: list[Connection] = []

    def contenders(self) -> list[Contender]:
        """Return everything that is measured in one run."""
        return [
            self._contender(clients, name(clients), address)
            for clients in self._sizes
            for name, address in ((record_name, RECORD), (noop_name, NOOP))
        ]

    def warm_up(self) -> None:
        """Record until a server that has just begun has all that it starts: the process beside, for one."""
        contender, began = self._contender(1, "", RECORD), time.perf_counter()
        while time.perf_counter() - began < WARM_UP_S:
            contender.prepare()()

    def close(self) -> None:
        """Hang up."""
        self._runner.run(self._connect(0))
        self._runner.close()

    async def _connect(self, count: int) -> None:
        """Make so many connections anew: the server ends those that were idle for long."""
        for connection in self._connections:
            connection.close()
        await asyncio.sleep(0)  # lets every connection end
        loop = asyncio.get_running_loop()
        made = [await loop.create_connection(Connection, "127.0.0.1", self._port) for _ in range(count)]
        self._connections = [protocol for _, protocol in made]

    def _contender(self, clients: int, name: str, address: str) -> Contender:
        each, latencies = CLIENTS[clients], list[float]()

        def prepare() -> Work:
            pages = [self._requests(address, participant_id(1 + n), each) for n in range(clients)]
            self._runner.run(self._connect(clients))
            return lambda: self._runner.run(self._hand_in(pages, latencies))

        return Contender(
            name=name, events=clients * each, prepare=prepare, cpu_s=self._cpu_s, latencies=latencies
        )

    def _requests(self, address: str, participant: str, count: int) -> list[bytes]:
        bodies = map(format_submission, signed_vital_signs(self._trial, participant, count))
        return [_request(address, body) for body in bodies]

    async def _hand_in(self, pages: Sequence[Sequence[bytes]], latencies: list[float]) -> None:
        async def client(connection: Connection, page: Sequence[bytes]) -> None:
            for request in page:
                began = time.perf_counter()
                head = await connection.ask(request)
                latencies.append(time.perf_counter() - began)
                if not head.startswith(_CREATED):
                    raise RuntimeError(f"expected 201, got {head[:40]!r}")

        await asyncio.gather(*map(client, self._connections[: len(pages)], pages))


def _request(address: str, body: bytes) -> bytes:
    head = (
        f"POST {address} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body
