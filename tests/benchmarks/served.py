"""A real server for benchmarks: uvicorn, the application and its routes, over a trial's ledger.

    python -m tests.benchmarks.served DIRECTORY NOW_US [URL]        prints its port

It is what `trial-ledger serve` runs, but for the clock, which stands at the trial's time, and one route more:
`/noop` reads the same body and answers with as many bytes, on the same kind of route behind the same
middleware. What it costs is what HTTP costs here.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from api import logs
from api.app import create_app
from api.operations import BASE
from api.serve import Door, listen, serve
from api.study import OpenStudy
from ledger.directory import Config
from ledger.sources import SeededSources
from ledger.store.postgres import PostgresStore
from tests.ledger.small_ledger import ORIGIN
from tests.ledger.write_path import open_stores

STUDY: Final = "bench"
RECORD: Final = f"/v1/studies/{STUDY}/statements"
NOOP: Final = f"/v1/studies/{STUDY}/noop"
ANSWER_BYTES: Final = 2_400
"""About what a receipt and its leaf take in the answer of a recorded statement."""
PATIENCE_S: Final = 60.0


@contextmanager
def serving(directory: Path, now_us: int, url: str | None) -> Iterator[tuple[int, int]]:
    """Serve a closed ledger; give the process id and the port, and end it afterwards."""
    command = [sys.executable, "-m", "tests.benchmarks.served", str(directory), str(now_us)]
    with subprocess.Popen([*command, url] if url else command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.pid, int(process.stdout.readline())
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(PATIENCE_S)


async def _noop(request: Request) -> Response:
    """Read the body and answer; nothing is parsed."""
    await request.body()
    return Response(b"0" * ANSWER_BYTES, status_code=201, media_type="application/json")


def main(directory: Path, now_us: int, url: str | None) -> None:
    """Serve until a signal."""
    store = PostgresStore.open(url) if url else None
    ledger = open_stores(directory, SeededSources("served", now_us), store=store)
    config = Config(origin=ORIGIN, study=STUDY, demonstration=False, tokens=())
    app = create_app([OpenStudy(config=config, ledger=ledger)])
    app.add_api_route(f"{BASE}/noop", _noop, methods=["POST"], response_model=None)
    listening = listen("127.0.0.1", 0)
    print(listening.getsockname()[1], flush=True)
    with open(os.devnull, "wb") as nowhere:  # noqa: PTH123  lines are made and written, as in service
        logs.configure("info", nowhere)
        try:
            serve(app, listening, Door())
        finally:
            ledger.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3] if len(sys.argv) > 3 else None)
