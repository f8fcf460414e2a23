"""An open stream of a person: it ends with the account, the role or the key, by what the log says."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from api.audience import audience
from api.call import enter
from api.routes.stream import OPERATIONS, Rights, events
from api.tailer import Tailer
from tests.api.client import STREAM, VITALS
from tests.api.test_identity import Service, ask
from tests.api.test_tailer import EVERYTHING, SOURCE, take


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    """A service of the test's own."""
    made = Service(tmp_path / "ledger")
    with made.http:
        yield made
    made.login.close()
    made.database.close()
    made.made.ledger.close()


@pytest.mark.parametrize("ending", ["account.disabled", "role.revoked", "key.revoked"])
def test_the_stream_ends_with_the_entry_that_ends_the_right(service: Service, ending: str) -> None:
    """Before that entry is sent, and with nothing of what follows; until then everything arrives."""
    made = service.made
    study = service.http.app.state.studies["small"]  # type: ignore[attr-defined]
    call = enter(ask(service, service.assertion()), OPERATIONS[0], None)

    def record(type_: str, **more: str) -> None:
        data = {"person": "bchan", **more}
        made.say(type_, "root", "root", "approval", type_, "person/bchan", data)

    def measure() -> None:
        who = ("bchan", "coordinator", "authorship")
        made.say("vitals", *who, "vital_signs.recorded", STREAM, VITALS)

    async def story() -> tuple[bytes, int]:
        tailer = study.tailer = Tailer(made.ledger, SOURCE)
        await tailer.start()
        who = audience(call.reader, EVERYTHING)
        stream = events(tailer, who, tailer.size, hold=Rights(call).hold, promised=0)
        await take(stream, "caught-up")
        await asyncio.to_thread(measure)
        await take(stream, "vital_signs.recorded")
        size = made.ledger.store.head().size
        match ending:
            case "account.disabled":
                await asyncio.to_thread(service.disable, "bchan")
            case "role.revoked":
                await asyncio.to_thread(record, ending, role="coordinator")
            case _:
                await asyncio.to_thread(record, ending, key=made.people["bchan"].key.id)
        rest = b"".join([chunk async for chunk in stream])
        await tailer.stop()
        return rest, size

    rest, size = asyncio.run(story())
    assert rest.strip().split(b"\n\n")[-1].startswith(b"event: access-ended\n")
    assert all(int(index) < size for index in re.findall(rb"\nid: (\d+)\n", rest))
