"""Erasure while the service runs: nothing is answered from memory, and subscribers are told."""

from __future__ import annotations

import asyncio
from pathlib import Path

import orjson
import pytest

from api.frames import frame
from api.routes.stream import Filter, renderer
from api.tailer import Tailer
from ledger.erasing import erase
from projections.reader import Reader
from tests.api.client import PARTICIPANT, Site
from tests.api.test_tailer import SOURCE, subscribe, take
from tests.ledger.erasing import IDENTITY, VALUE, approve, named
from tests.ledger.write_path import open_stores

ERASED = {"erased": True}
EVERYTHING = Filter(types=frozenset(), participant=None)


def erase_elsewhere(site: Site, directory: Path) -> str:
    """Erase the participant's identity as another process would; return the statement's event hash."""
    statement = named(site.made, f"registered {PARTICIPANT}")
    approvals = approve(site.made, statement, IDENTITY)
    other = open_stores(directory, site.made.sources)
    erase(other, approvals)
    other.close()
    return statement.event


def test_what_another_process_erased_is_not_answered_any_more(own_site: Site, tmp_path: Path) -> None:
    """Shown before, erased after, at each address and without a restart."""
    path = f"/participants/{PARTICIPANT}?purpose=contact"
    event = f"/events/{own_site.made.at[f'registered {PARTICIPANT}']}?purpose=contact"
    trail = f"/audit-trail?participant={PARTICIPANT}&purpose=contact"
    assert VALUE in own_site.get(path).text
    assert IDENTITY in own_site.get(event).json()["open"]
    plain = own_site.get(f"/participants/{PARTICIPANT}").headers["ETag"]
    erase_elsewhere(own_site, tmp_path / "ledger")
    view = own_site.get(path)
    assert view.json()["registrations"][0]["data"]["identity"] == ERASED
    assert IDENTITY not in own_site.get(event).json()["open"]
    assert all(VALUE not in own_site.get(each).text for each in (path, event, trail))
    again = own_site.get(f"/participants/{PARTICIPANT}", **{"If-None-Match": plain})
    assert again.status_code == 200


def test_subscribers_are_told_what_to_destroy(own_site: Site, tmp_path: Path) -> None:
    """After the statement comes `erased`, with the event hash and digests, and no place of its own."""

    async def story() -> list[tuple[str, str]]:
        tailer = Tailer(own_site.made.ledger, SOURCE)
        await tailer.start()
        stream = subscribe(tailer, own_site.made)
        found = await take(stream, "caught-up")
        await asyncio.to_thread(erase_elsewhere, own_site, tmp_path / "ledger")
        found += await take(stream, "erased")
        await tailer.stop()
        return found

    found = asyncio.run(story())
    at = [kind for kind, _ in found].index("erased")
    assert [kind for kind, _ in found[at - 1 : at + 1]] == ["personal_data.erased", "erased"]
    assert found[at][1] == ""
    assert [kind for kind, _ in found].count("erased") == 1


@pytest.mark.parametrize(
    ("reader", "chosen"),
    [
        (Reader(role="inspector"), Filter(types=frozenset({"visit.started"}), participant=None)),
        (Reader(role="inspector"), Filter(types=frozenset(), participant="SA-01-099")),
        (Reader(role="participant", person="SA-01-099"), EVERYTHING),
        (Reader(role="coordinator", sites=frozenset({"SD-02"})), EVERYTHING),
    ],
)
def test_an_erasure_is_told_whatever_a_subscriber_asked_for(
    own_site: Site, tmp_path: Path, reader: Reader, chosen: Filter
) -> None:
    """Who filters may hold what they were sent before; what is told names no participant."""
    event = erase_elsewhere(own_site, tmp_path / "ledger")
    store = own_site.made.ledger.store
    (entry,) = (each for each in store.entries(0, 10**6) if each.type == "personal_data.erased")
    sent = renderer(reader, chosen, store)([frame(entry, SOURCE)])
    told = sent.split(b"event: erased\n")[1]
    data = orjson.loads(told.split(b"data: ")[1].split(b"\n")[0])
    assert data.keys() == {"digests", "index", "statement"}
    assert (data["statement"], data["index"]) == (event, entry.index)
    assert PARTICIPANT.encode() not in told
