"""A subscriber behind what cuts connections: nothing lost, nothing twice; and nobody there at all."""

from __future__ import annotations

import contextlib
import itertools
import select
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from ledger.subscriber import Notice, Source, Subscriber, Verified
from tests.api.client import BASE, write_directory
from tests.api.streaming import EVERYTHING, served
from tests.api.test_serve import COMMAND


@contextlib.contextmanager
def cutting(url: str) -> Iterator[str]:
    """Stand before a server, and cut each connection after some more bytes than the one before."""
    parts = urlsplit(url)
    listening = socket.create_server(("127.0.0.1", 0))
    lengths = itertools.count(700, 2_377)

    def serve() -> None:
        with contextlib.suppress(OSError):  # closed: nobody comes any more
            while True:
                client, _ = listening.accept()
                with client, socket.create_connection((parts.hostname, parts.port)) as server:
                    server.sendall(client.recv(65_536))
                    left = next(lengths)
                    # A client that has gone is readable; unseen, it would be waited for until there is more.
                    while left and client not in select.select([client, server], [], [])[0]:
                        if not (piece := server.recv(min(left, 4_096))):
                            break
                        client.sendall(piece)
                        left -= len(piece)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}{BASE}"
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        thread.join()


def test_a_proxy_that_cuts_in_the_middle_of_events_costs_nothing(tmp_path: Path) -> None:
    """Each connection brings a little more; what was cut is not handed on, and comes again whole."""
    made = write_directory(tmp_path / "ledger")
    made.ledger.close()
    entries: list[Verified] = []
    connected = 0
    with served(tmp_path / "ledger") as server, cutting(server.url) as url:
        source = Source(url=url, wanted=EVERYTHING, token="auditor")
        with Subscriber(source, None, made.policy, wait=lambda _: None) as subscriber:
            for batch in subscriber.batches():
                entries += [item for item in batch if isinstance(item, Verified)]
                kinds = [item.kind for item in batch if isinstance(item, Notice)]
                connected += kinds.count("connected")
                if "caught-up" in kinds:
                    break
    assert connected > 3
    assert [each.index for each in entries] == list(range(len(entries)))
    assert {each.verified for each in entries} == {"yes"}


def test_once_gives_up_where_nobody_answers() -> None:
    """A wrong address in a job that should end: exit code 3 and one line, not a wait without end."""
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    words = ["subscribe", f"http://127.0.0.1:{port}{BASE}", "--once"]
    done = subprocess.run([COMMAND, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 3
    assert "UNREACHABLE" in done.stderr
    assert "Traceback" not in done.stderr
