"""Who is let in how often, and how many at once; recording is never turned away for its rate."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from starlette.requests import Request

from api.app import OPERATIONS
from api.call import Call
from api.limits import BURST_S, FREE, RECORDING, Admission, Limits, Rates
from api.operating import Operating
from api.problems import ProblemError
from tests.api.client import BASE, Site, bearer
from tests.api.operations import app_in
from tests.ledger.small_ledger import SmallLedger, make


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now_s = 1_000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def made(tmp_path: Path) -> SmallLedger:
    """A ledger of the test's own."""
    return make(tmp_path / "ledger", participants=1)


def test_a_bucket_holds_a_burst_and_fills_steadily() -> None:
    """After the burst one token comes every 1/rate seconds, and never more than the burst are kept."""
    clock = Clock()
    rates = Rates(10, clock=clock)
    assert [rates.take("a") for _ in range(10 * BURST_S)] == [0.0] * 10 * BURST_S
    assert rates.take("a") == pytest.approx(0.1)
    assert rates.take("b") == 0.0
    clock.now_s += 0.1
    assert (rates.take("a"), rates.take("a") > 0) == (0.0, True)
    clock.now_s += 3_600
    assert sum(not rates.take("a") for _ in range(1_000)) == 10 * BURST_S


def test_only_so_many_buckets_are_kept() -> None:
    """Whoever comes from ever new addresses takes no memory; who is asked for stays."""
    rates = Rates(1, keep=10, clock=Clock())
    for _ in range(BURST_S):
        rates.take("here")
    for number in range(9):
        rates.take(f"other {number}")
    assert rates.take("here") > 0
    assert len(rates._buckets) == 10
    for number in range(100):
        rates.take(f"new {number}")
    assert len(rates._buckets) == 10


def test_a_reader_who_asks_too_often_is_told_when_to_come_again(made: SmallLedger) -> None:
    """429 with Retry-After; other readers, and the same address without a reader, go on."""
    operating = Operating(limits=Limits(rate_per_s=1, anonymous_rate_per_s=1))
    with app_in(made, operating) as http:
        path = f"{BASE}/participants"
        answers = [http.get(path, headers=bearer("coordinator")) for _ in range(BURST_S + 1)]
        assert [answer.status_code for answer in answers] == [200] * BURST_S + [429]
        assert answers[-1].json()["code"] == "RATE"
        assert answers[-1].headers["Retry-After"] == "1"
        assert http.get(path, headers=bearer("auditor")).status_code == 200
        assert http.get("/openapi.json").status_code == 200
    made.ledger.close()


def test_strangers_lock_no_reader_out(made: SmallLedger) -> None:
    """Wrong tokens use up what their address has; a right one from there is answered all the same."""
    operating = Operating(limits=Limits(rate_per_s=10, anonymous_rate_per_s=1))
    with app_in(made, operating) as http:
        path = f"{BASE}/participants"
        answers = [http.get(path, headers=bearer(f"guess {n}")).status_code for n in range(BURST_S + 3)]
        assert answers == [401] * BURST_S + [429] * 3
        assert http.get(f"{BASE}/checkpoint").status_code == 429
        assert http.get(path, headers=bearer("coordinator")).status_code == 200
    with app_in(made, operating, address="192.0.2.7") as elsewhere:
        assert elsewhere.get(f"{BASE}/checkpoint").status_code == 200
    made.ledger.close()


def test_recording_and_probes_are_not_counted(made: SmallLedger) -> None:
    """Far more statements than any rate: each is judged, none is turned away; nor is a probe."""
    operating = Operating(limits=Limits(rate_per_s=1, anonymous_rate_per_s=1))
    with app_in(made, operating) as http:
        site = Site(http, made)
        submission = site.vitals()
        answers = [site.hand_in(submission).status_code for _ in range(4 * BURST_S)]
        assert answers == [201] + [200] * (4 * BURST_S - 1)
        assert {http.get("/livez").status_code for _ in range(4 * BURST_S)} == {200}
    made.ledger.close()


def _request(address: str = "192.0.2.1") -> Request:
    return Request({"type": "http", "headers": [], "client": (address, 1), "state": {}})


async def _stranger() -> Call:
    """Enter as nobody."""
    return cast(Call, SimpleNamespace(who=None))


def test_places_are_kept_for_recording() -> None:
    """With every shared place taken reading is BUSY, and recording goes on up to the last place."""

    async def story() -> tuple[list[str], list[str], str]:
        admission = Admission(Limits(max_requests=4))
        held = [_request() for _ in range(5)]

        async def ask(request: Request, operation: str) -> str:
            try:
                await admission.admit(request, operation, _stranger)
            except ProblemError as error:
                return f"{error.code} {error.headers['Retry-After']}"
            return "in"

        reads = [await ask(request, "participants") for request in held[:4]]
        records = [await ask(request, "record") for request in (held[3], held[4])]
        admission.leave(held[0].scope["state"])
        admission.leave(held[0].scope["state"])  # twice is once
        assert admission.running == 3
        return reads, records, await ask(_request(), "livez")

    reads, records, probe = asyncio.run(story())
    assert reads == ["in", "in", "in", "BUSY 1"]
    assert records == ["in", "BUSY 1"]
    assert probe == "in"


def test_a_place_is_given_back_however_a_request_ends(made: SmallLedger) -> None:
    """Answered, refused, failed, streamed: none of them keeps its place."""
    with app_in(made, Operating(limits=Limits(max_requests=8))) as http:
        admission: Admission = http.app.state.admission  # type: ignore[attr-defined]
        for path in (
            "/participants",
            "/nothing",
            "/participants/none",
            "/checkpoint",
            "/export",
            "/audit-trail.csv",
        ):
            http.get(BASE + path, headers=bearer("auditor"))
            http.get(BASE + path)
        http.post(f"{BASE}/statements", content=b"{", headers={"Content-Type": "application/json"})
        assert admission.running == 0
    made.ledger.close()


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("192.0.2.1", "192.0.2.2", False),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("socket", "socket", True),
    ],
)
def test_an_address_is_its_network(one: str, other: str, same: bool) -> None:
    """Whoever has one address of IPv6 has 2^64 of them."""

    async def story() -> list[bool]:
        admission = Admission(Limits(anonymous_rate_per_s=1))
        refused = []
        for address in [one] * BURST_S + [other]:
            try:
                await admission.admit(_request(address), "checkpoint", _stranger)
                refused.append(False)
            except ProblemError:
                refused.append(True)
        return refused

    assert asyncio.run(story()) == [False] * BURST_S + [same]


def test_what_is_exempt_is_there() -> None:
    """Names of operations that are; nothing that reads is among those of recording."""
    methods = {operation.name: operation.method for operation in OPERATIONS}
    assert methods.keys() >= RECORDING | FREE
    assert {methods[name] for name in RECORDING} == {"POST"}
    assert {methods[name] for name in FREE} == {"GET"}
