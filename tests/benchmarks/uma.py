"""UmaDB beside: another event store, made for event sourcing, with 32 clients that append event by event.

It signs, judges and proves nothing; one event with the same facts is one durable append over gRPC. Its
package is installed into an environment of its own, in the run's directory, where the package index has it;
else it is skipped. Server and clients run in that environment.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import venv
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.benchmarks.trial import same_facts

PACKAGE: Final = "umadb"
CLIENTS: Final = 32
EACH: Final = 60
WARM_UP: Final = 5
INSTALL_S: Final = 120.0
PATIENCE_S: Final = 30.0

_CLIENT: Final = """
import json, sys, threading, time
from umadb import Client, Event
url, clients, each, warm = sys.argv[1], *map(int, sys.argv[2:5])
data = sys.argv[5].encode()
def one(client, number):
    client.append([Event(event_type="VitalSignsRecorded", data=data, tags=[f"participant:{number}"])])
taken = [[] for _ in range(clients)]
gate = threading.Barrier(clients + 1)
def work(number):
    client = Client(url)
    for _ in range(warm):
        one(client, number)
    gate.wait()
    for _ in range(each):
        began = time.perf_counter()
        one(client, number)
        taken[number].append(time.perf_counter() - began)
threads = [threading.Thread(target=work, args=(n,)) for n in range(clients)]
for thread in threads: thread.start()
gate.wait()
began = time.perf_counter()
for thread in threads: thread.join()
print(json.dumps([time.perf_counter() - began, sorted(sum(taken, []))]))
"""


class Skipped(Exception):  # noqa: N818  says why there is no such row
    """There is no UmaDB to be had here, and why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Appended:
    """What appending took: events a second, and percentiles of single appends."""

    version: str
    per_s: float
    p50_ms: float
    p99_ms: float


def append(directory: Path) -> Appended:
    """Install, serve, append.

    Raises:
        Skipped: the package cannot be installed, or its server does not come up.
    """
    python, version = _install(directory / "umadb-env")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = subprocess.Popen(
        [python.parent / PACKAGE, "--listen", f"127.0.0.1:{port}", "--db-path", directory / "uma.db"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait_for(port, server)
        arguments = [f"http://127.0.0.1:{port}", CLIENTS, EACH, WARM_UP, json.dumps(same_facts(1))]
        told = subprocess.run(
            [python, "-c", _CLIENT, *map(str, arguments)], check=True, capture_output=True, text=True
        )
    except subprocess.CalledProcessError as error:
        raise Skipped("its clients failed") from error
    finally:
        server.send_signal(signal.SIGINT)
        try:
            server.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()
    seconds, latencies = json.loads(told.stdout)
    return Appended(
        version=version,
        per_s=CLIENTS * EACH / seconds,
        p50_ms=latencies[len(latencies) // 2] * 1e3,
        p99_ms=latencies[len(latencies) * 99 // 100] * 1e3,
    )


def _install(environment: Path) -> tuple[Path, str]:
    venv.create(environment, with_pip=True)
    python = environment / ("Scripts" if os.name == "nt" else "bin") / Path(sys.executable).name
    if not python.exists():
        python = python.with_name("python")
    install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", PACKAGE]
    ask = f"from importlib.metadata import version; print(version({PACKAGE!r}))"
    try:
        subprocess.run(install, check=True, capture_output=True, timeout=INSTALL_S)
        told = subprocess.run([python, "-c", ask], check=True, capture_output=True, text=True)
    except (subprocess.SubprocessError, OSError) as error:
        raise Skipped("the package cannot be installed here") from error
    return python, told.stdout.strip()


def _wait_for(port: int, server: subprocess.Popen[bytes]) -> None:
    """Wait until it listens; a connection is the only thing that tells."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline and server.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise Skipped("its server does not come up")
