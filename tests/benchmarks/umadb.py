"""UmaDB beside it: an environment of its own below a directory, its server, and a read of events as large.

Nothing of it is installed where the project is. Where pip can't get the wheel, `Unavailable` says so and the
comparison is left out. The script at the end runs in that environment and prints one number.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from ledger.store.port import Store

VERSION: Final = "0.7.8"
PAGE: Final = 500
PATIENCE_S: Final = 300


class Unavailable(Exception):  # noqa: N818  says why nothing is compared
    """There is no UmaDB to be had here, and why."""


class Beside:
    """A server of UmaDB with an event for each entry of a store: its statement and leaf as data."""

    def __init__(self, directory: Path, store: Store) -> None:
        """Install, start and fill it.

        Raises:
            Unavailable: no wheel for this machine, or no way to get it.
        """
        self._python = installed(directory / "environment")
        self._process = subprocess.Popen(
            [self._python, "-c", SCRIPT, directory / "data"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        for line in _lines(store):
            self._say(line)
        self._say(b"\n")
        if self._hear() != "filled":
            raise Unavailable("its server did not start")

    def read_s(self, size: int) -> float:
        """Read everything once; return how long it took."""
        self._say(b"read\n")
        found, took_s = self._hear().split()
        if int(found) != size:
            raise RuntimeError(f"expected {size} events, got {found}")
        return float(took_s)

    def close(self) -> None:
        """End it."""
        self._process.communicate(timeout=PATIENCE_S)

    def _say(self, line: bytes) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(line)
        self._process.stdin.flush()

    def _hear(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().decode().strip()


def installed(environment: Path) -> Path:
    """Make an environment with the package; return its interpreter.

    Raises:
        Unavailable: no wheel for this machine, or no way to get it.
    """
    python = environment / "bin" / "python"
    try:
        subprocess.run([sys.executable, "-m", "venv", environment], check=True, capture_output=True)
        quiet = ("--quiet", "--disable-pip-version-check", "--only-binary", ":all:")
        subprocess.run(
            [python, "-m", "pip", "install", *quiet, f"umadb=={VERSION}"],
            check=True,
            capture_output=True,
            timeout=PATIENCE_S,
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise Unavailable("pip can't install its wheel here") from error
    return python


def _lines(store: Store) -> Iterator[bytes]:
    for start in range(0, store.head().size, PAGE):
        for entry in store.entries(start, start + PAGE):
            data = b'{"statement":%b,"leaf":%b}' % (entry.statement, entry.leaf)
            yield f"{entry.type} {entry.stream} ".encode() + data + b"\n"


SCRIPT: Final = r"""
import pathlib, subprocess, sys, time, socket, umadb

directory = pathlib.Path(sys.argv[1])
directory.mkdir()
with socket.socket() as free:
    free.bind(("127.0.0.1", 0))
    address = "127.0.0.1:%d" % free.getsockname()[1]
program = pathlib.Path(sys.executable).with_name("umadb")
server = subprocess.Popen([program, "--listen", address, "--db-path", directory], stdout=subprocess.DEVNULL)
try:
    deadline = time.monotonic() + 30
    while True:
        try:
            client = umadb.Client("http://" + address)
            client.head()
            break
        except Exception:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
    page = []
    for line in sys.stdin.buffer:
        if line == b"\n":
            break
        kind, stream, data = line.rstrip(b"\n").split(b" ", 2)
        page.append(umadb.Event(event_type=kind.decode(), data=data, tags=[stream.decode()]))
        if len(page) == 500:
            client.append(page)
            page = []
    if page:
        client.append(page)
    print("filled", flush=True)
    for line in sys.stdin.buffer:
        begun = time.perf_counter()
        found, response = 0, client.read()
        while batch := response.next_batch():
            found += len(batch)
            for each in batch:
                len(each.event.data)
        print(found, time.perf_counter() - begun, flush=True)
finally:
    server.terminate()
    server.wait()
"""
