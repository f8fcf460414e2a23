"""UmaDB beside: another event store, made for event sourcing, with 32 clients that append event by event.

It signs, judges and proves nothing; one event with the same facts is one durable append over gRPC. Its
package is installed into an environment of its own, in the run's directory, where the package index has it;
else it is skipped. Server and clients run in that environment; the clients wait there between blocks.
"""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import Final

from tests.benchmarks.blocks import Contender, Work
from tests.benchmarks.processes import tree_cpu_s
from tests.benchmarks.trial import same_facts
from tests.benchmarks.umadb import VERSION, Unavailable, installed

CLIENTS: Final = 32
EACH: Final = 15
"""How many events each client appends in a block: as the ledger's clients do."""
NAME: Final = f"UmaDB {VERSION}, {CLIENTS} clients: unsigned, durable, over gRPC"
PATIENCE_S: Final = 30.0

_CLIENTS: Final = """
import json, sys, threading, time
from umadb import Client, Event
url, clients, each = sys.argv[1], *map(int, sys.argv[2:4])
data = sys.argv[4].encode()
ready, done = threading.Barrier(clients + 1), threading.Barrier(clients + 1)
taken = [[] for _ in range(clients)]
def work(number):
    client = Client(url)
    while True:
        ready.wait()
        for _ in range(each):
            began = time.perf_counter()
            client.append([Event("VitalSignsRecorded", data, [f"participant:{number}"])])
            taken[number].append(time.perf_counter() - began)
        done.wait()
for number in range(clients):
    threading.Thread(target=work, args=(number,), daemon=True).start()
print("ready", flush=True)
for _ in sys.stdin:
    ready.wait()
    done.wait()
    print(json.dumps(sum(taken, [])), flush=True)
    for each_taken in taken:
        each_taken.clear()
"""


class Uma:
    """A server and its clients."""

    def __init__(self, directory: Path) -> None:
        """Install, serve, and start the clients.

        Raises:
            Unavailable: the package cannot be installed, or its server does not come up.
        """
        python = installed(directory / "environment")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self._server = subprocess.Popen(
            [python.parent / "umadb", "--listen", f"127.0.0.1:{port}", "--db-path", directory / "uma.db"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self._clients: subprocess.Popen[str] | None = None
        try:
            _wait_for(port, self._server)
            arguments = [f"http://127.0.0.1:{port}", CLIENTS, EACH, json.dumps(same_facts(1))]
            self._clients = subprocess.Popen(
                [python, "-c", _CLIENTS, *map(str, arguments)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            self._hear(self._clients)
        except BaseException:
            self.close()
            raise

    def contender(self) -> Contender:
        """Return what is measured: a block of appends by all clients at once."""
        latencies: list[float] = []
        clients = self._clients
        assert clients is not None

        def prepare() -> Work:
            def work() -> None:
                assert clients.stdin is not None
                clients.stdin.write("go\n")
                clients.stdin.flush()
                latencies.extend(json.loads(self._hear(clients)))

            return work

        pids = (self._server.pid, clients.pid)
        return Contender(
            name=NAME,
            events=CLIENTS * EACH,
            prepare=prepare,
            cpu_s=lambda: sum(map(tree_cpu_s, pids)),
            latencies=latencies,
        )

    def close(self) -> None:
        """End both."""
        if self._clients is not None:
            self._clients.communicate(timeout=PATIENCE_S)
        self._server.send_signal(signal.SIGINT)
        try:
            self._server.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            self._server.kill()
            self._server.wait()

    def _hear(self, clients: subprocess.Popen[str]) -> str:
        assert clients.stdout is not None
        line = clients.stdout.readline()
        if not line:
            raise Unavailable("its clients do not run here")
        return line


def _wait_for(port: int, server: subprocess.Popen[bytes]) -> None:
    """Wait until it listens; a connection is the only thing that tells."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline and server.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise Unavailable("its server does not come up")
