"""A real NATS server with JetStream on files, at an address that it comes back to."""

from __future__ import annotations

import contextlib
import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

BINARY = Path(sys.executable).with_name("nats-server")
TIMEOUT_S = 30

needs_nats = pytest.mark.skipif(not BINARY.exists(), reason="nats-server is not installed")


class NatsServer:
    """One server, its files, and its port."""

    def __init__(self, directory: Path, configuration: Path | None = None) -> None:
        self._directory = directory
        self._more: list[str | Path] = [] if configuration is None else ["-c", configuration]
        self._process: subprocess.Popen[bytes] | None = None
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"nats://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it, and return when it greets whoever connects."""
        self._process = subprocess.Popen(
            [BINARY, "-a", "127.0.0.1", "-p", str(self.port), "-js", "-sd", self._directory, *self._more],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        until = time.monotonic() + TIMEOUT_S
        while not self._greets():
            assert self._process.poll() is None, "nats-server ended"
            assert time.monotonic() < until, "nats-server does not answer"
            time.sleep(0.02)

    def stop(self, how: signal.Signals = signal.SIGKILL) -> None:
        """End it, if it runs."""
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(how)
            process.wait(TIMEOUT_S)

    def _greets(self) -> bool:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1) as there:
            there.settimeout(1)
            greeting = there.recv(4096)
            return greeting.startswith(b"INFO ") and bool(json.loads(greeting[5:]).get("jetstream"))
        return False


@contextmanager
def nats_server(directory: Path, configuration: Path | None = None) -> Iterator[NatsServer]:
    """Run a server for a while."""
    server = NatsServer(directory, configuration)
    server.start()
    try:
        yield server
    finally:
        server.stop()
