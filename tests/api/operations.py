"""Helpers for tests of the service's running: an application in chosen surroundings, and its log."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import orjson
import structlog
from starlette.testclient import TestClient

from api.app import create_app
from api.logs import Lines, configure
from api.operating import Operating
from tests.api.client import open_study
from tests.ledger.small_ledger import SmallLedger


class Log:
    """What was written to the log, line by line."""

    def __init__(self, stream: io.BytesIO, lines: Lines) -> None:
        self._stream = stream
        self.lines = lines

    @property
    def text(self) -> str:
        """All of it."""
        assert self.lines.flush()
        return self._stream.getvalue().decode()

    def events(self, event: str | None = None) -> list[dict[str, Any]]:
        """Return the lines of one kind, or all."""
        lines = [orjson.loads(line) for line in self.text.splitlines()]
        return [line for line in lines if event in (None, line["event"])]


@contextmanager
def logging_to_memory(level: str = "info") -> Iterator[Log]:
    """Write the log of this process into memory for a while."""
    import logging
    import sys
    import threading

    root, hooks = logging.getLogger(), (sys.excepthook, threading.excepthook)
    handlers, least = root.handlers[:], root.level
    stream = io.BytesIO()
    try:
        yield Log(stream, configure(level, stream))
    finally:
        structlog.reset_defaults()
        logging.captureWarnings(False)
        root.handlers[:] = handlers
        root.setLevel(least)
        sys.excepthook, threading.excepthook = hooks


def app_in(made: SmallLedger, operating: Operating, address: str = "testclient") -> TestClient:
    """Return a client at an address, of an application that is told of its surroundings."""
    app = create_app([open_study(made)], operating)
    return TestClient(app, client=(address, 50_000))
