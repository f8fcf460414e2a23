"""The HTTP interface tells a blinded reader the same whatever the arms are: bodies, headers, errors (R8).

Two ledgers that differ in the arms alone (`tests.twins`) are served. Each request is sent to both, and the
answers have to be the same but for random values: status, every header with `ETag` and `Content-Length`, body
byte for byte. So have the answers to commands, refused ones before all: a code must not tell an arm.
"""

from __future__ import annotations

import asyncio
import io
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any, Final

import orjson
import pytest
from starlette.testclient import TestClient
from structlog.testing import capture_logs

from api.app import create_app
from api.audience import Audience, Filter, audience
from api.auth import PERMITTED
from api.routes.stream import events
from api.study import OpenStudy
from api.tailer import Tailer
from ledger.demo.cast import person_at
from ledger.roles import SIGHTS
from ledger.submission import Submission, format_submission
from projections.reports import REPORTS
from tests.api.client import bearer, token
from tests.api.test_tailer import always
from tests.twin_story import allocated, copy_of
from tests.twin_views import file_content, kept, leaves, reader_of
from tests.twins import BLINDED, SIGHTS_OF, Twin, unlike

SITE: Final = "SA-01"
ELSEWHERE: Final = "SD-02"
ZIP: Final = "application/zip"
BINARY: Final = "application/octet-stream"
WHOLE: Final = tuple(role for role in SIGHTS_OF if role in PERMITTED["audit-trail"])
"""A role for each sight that reads over HTTP at all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """A twin with a client of the application that serves it."""

    twin: Twin
    http: TestClient

    def ask(self, path: str, who: str, **headers: str) -> str:
        """Return status, headers and body of an answer, with names for random values.

        What an answer before this one recorded is published first: when the service would do it is chance.
        """
        self.twin.ledger.publish()
        response = self.http.get(path, headers={**bearer(who), **headers})
        return f"{response.status_code} {self.headers(response)}\n{self.body(response)}"

    def hand_in(self, submission: Submission) -> str:
        """Hand a statement in and return the answer."""
        body, kind = format_submission(submission), {"Content-Type": "application/json"}
        response = self.http.post("statements", content=body, headers=kind)
        return f"{response.status_code} {self.headers(response)}\n{self.body(response)}"

    def headers(self, response: Any) -> str:
        """Return all headers, in the order in which they were sent."""
        return self.twin.plain("; ".join(f"{name}: {value}" for name, value in response.headers.items()))

    def body(self, response: Any) -> str:
        """Return the body: text as it is, of binary matter what stands in it."""
        match response.headers.get("content-type"):
            case "application/zip":
                with zipfile.ZipFile(io.BytesIO(response.content)) as bundle:
                    read = ((info.filename, bundle.read(info)) for info in bundle.infolist())
                    return "\n".join(
                        f"{name} {len(data)} {file_content(self.twin, name, data)}" for name, data in read
                    )
            case "application/octet-stream":
                path = str(response.request.url.path).partition("nct06414356/")[2]
                return file_content(self.twin, path, response.content)
        return self.twin.plain(response.text)


Pair = tuple[Served, Served]


@pytest.fixture(scope="module")
def pair(twins: tuple[Twin, ...], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """Copies of two twins, each behind its application, with tokens for each role: of all sites, of one."""
    with ExitStack() as opened:
        found = []
        for twin in twins[:2]:
            copy = copy_of(twin, tmp_path_factory.mktemp("served") / "ledger")
            opened.callback(copy.ledger.close)
            tokens = tuple(
                token(f"{role} {where}", role, reader_of(copy, role).person or "nobody", sites)
                for role in BLINDED
                for where, sites in (("everywhere", ["*"]), ("here", [SITE]))
            )
            study = OpenStudy(config=replace(copy.config, tokens=tokens), ledger=copy.ledger)
            http = TestClient(create_app([study]), base_url="http://twin/v1/studies/nct06414356/")
            http.headers["X-Request-Id"] = "0" * 32  # else each answer has one of its own
            found.append(Served(twin=copy, http=opened.enter_context(http)))
        left, right = found
        yield left, right


def addresses(twin: Twin) -> Iterator[str]:
    """Yield what a reader may ask for, and what may not be answered."""
    size, (first, *_, last) = twin.size, allocated(twin)
    yield from ("participants", "participants.csv", "participants?limit=2", f"participants?known={size // 2}")
    yield from ("participants/NOBODY-9", "participants/NOBODY-9/timeline", f"participants?known={size * 2}")
    for name in (first, last):
        at = f"participants/{name}"
        yield from (at, f"{at}?known={size // 2}", f"{at}?true=2024-07-16")
        yield from (f"{at}/timeline", f"{at}/timeline.csv?true=2024-07-16")
        for field in ("participant.randomized/data/arm", "dose.received/data/label", "nothing/data/here"):
            yield f"{at}/history/{field}"
        yield from (f"audit-trail?participant={name}&limit=1000", f"export?scope=participant:{name}")
    # As known at an index: what leaves as a file is an event, which an auditor would see in the next answer.
    yield from ("audit-trail", f"audit-trail.csv?order=newest&known={size - 1}")
    yield f"audit-trail?limit=1000&after={size // 2}"
    yield from ("audit-trail.html?limit=20", "audit-trail?sort=-type&limit=1000", "participants.html")
    yield from (f"participants/{first}/signing-scope", "projections/breaches.html")
    yield from (f"audit-trail?type=participant.randomized&site={SITE}", f"audit-trail?site={ELSEWHERE}")
    yield from ("audit-trail?field=/data/arm", "audit-trail?type=dose.prepared", "audit-trail?until=never")
    for name in ("enrolment", "breaches", *REPORTS, "nothing"):
        yield from (f"projections/{name}", f"projections/{name}.csv")
    yield from ("checkpoint", "tile/0/000", "tile/1/000", "tile/entries/000", "tile/entries/001", "livez")
    yield from ("events/999999", f"events/{'0' * 64}", "attachments/nothing", f"export?scope=site:{SITE}")
    shown = {"participant.randomized", "dose.prepared", "dose.received", "breach.detected", "command.refused"}
    several = [entry for entry in twin.entries() if entry.type in shown or entry.stream == "safety"]
    for entry in (*several[:: len(several) // 20], *twin.entries()[-3:]):
        yield from (
            f"events/{entry.index}",
            f"events/{entry.index}/proof",
            f"events/{entry.index}/proof.json",
        )


@pytest.mark.parametrize(
    ("who", "step"),
    [("auditor everywhere", 1), ("coordinator here", 2)]
    + [(f"{role} everywhere", 4) for role in WHOLE[1:]]
    + [(f"{role} here", 9) for role in BLINDED],
)
def test_answers_are_the_same(pair: Pair, who: str, step: int) -> None:
    """Reads of every kind: the whole answer; and whether the one ledger's ETag is good for the other's."""
    asked = list(addresses(pair[0].twin))
    assert asked == list(addresses(pair[1].twin))
    for path in asked[::step]:
        first, second = (served.ask(path, who) for served in pair)
        assert unlike({path: first}, {path: second}) == []
        etag = first.partition("etag: ")[2].partition("\n")[0].partition(";")[0]
        if etag and first.startswith("200") and step == 1:
            assert pair[1].ask(path, who, **{"If-None-Match": etag}).startswith("304")


@pytest.mark.parametrize("role", WHOLE)
def test_the_stream_is_the_same(pair: Pair, role: str) -> None:
    """What a subscriber gets from the first entry on until the stream has caught up, leaf frames included."""
    found = []
    for served in pair:
        who = audience(reader_of(served.twin, role), _UNFILTERED)
        found.append(served.twin.plain(asyncio.run(_caught_up(served.twin, who))))
    assert unlike({"stream": found[0]}, {"stream": found[1]}) == []
    assert "event: leaf" in found[0]
    assert "event: caught-up" in found[0]


_UNFILTERED: Final = Filter(types=frozenset(), participant=None)


async def _caught_up(twin: Twin, who: Audience) -> bytes:
    twin.ledger.publish()
    tailer = Tailer(twin.ledger, "/v1/studies/twin")
    await tailer.start()
    sent = b""
    async for part in events(tailer, who, 0, hold=always, promised=0):
        sent += part
        if b"event: caught-up" in part:
            break
    await tailer.stop()
    return sent


def commands(twin: Twin, participant: str, other: str) -> Iterator[tuple[str, Submission]]:
    """Yield what blinded people might hand in to find an arm out, by what they would learn of it."""
    site, stream = twin.site_of(participant), f"participant/{participant}"
    arm = twin.drawn(participant)[0]
    esource = {"kind": "esource"}

    def by(role: str, type_: str, data: Mapping[str, Any], to: str = stream, **more: Any) -> Submission:
        return twin.signed(person_at(site, role), role, type_, to, data, **more)

    asked = {"list": "main", "stage": 1, "stratum": site}
    yield "allocated again", by("coordinator", "randomization.requested", asked)
    asked = {"list": "stage2", "stage": 2, "stratum": site}
    yield "allocated again in stage 2", by("coordinator", "randomization.requested", asked)
    started = {"infusion": 1, "pump": "P1", "rate": {"value": "375", "unit": "mL/h"}, "label": "L-TWIN-0"}
    yield "started a spoilt dose", by("infusion_staff", "infusion.started", started)
    received = {
        "label": label_of(twin, other), "volume": {"value": "250", "unit": "mL"}, "infusion": 1,
        "rate": {"value": "375", "unit": "mL/h"}, "beyond_use": "2030-01-01", "source": esource,
    }  # fmt: skip
    yield "received another's dose", by("infusion_staff", "dose.received", received)
    correction = {"statement": arm.event, "path": "/data/arm"}
    values = {"/data/old": "ketamine", "/data/new": "magnesium", "/reason/text": None}
    yield (
        "corrected the arm",
        by("investigator", "correction.made", correction, schema=2, opened=values, reason={"code": "error"}),
    )
    voided = {"statement": arm.event, "code": "error", "source": esource}
    yield (
        "voided the allocation",
        by("investigator", "record.voided", voided, reason={"code": "error"}, opened={"/reason/text": None}),
    )
    guessed = {"who": "participant", "visit": "w2d12", "certainty": 5, "source": esource}
    for guess in ("ketamine", "magnesium"):
        told = {"/data/guess": guess}
        yield f"guessed {guess}", by("coordinator", "blind_guess.recorded", guessed, opened=told)
    yield "signed for another", by("coordinator", "randomization.requested", asked, f"participant/{other}")
    yield "wrote in the pharmacy", by("coordinator", "record.cosigned", voided, f"pharmacy/{site}")
    yield "named nobody", by("coordinator", "randomization.requested", asked, f"participant/{site}-999")


def label_of(twin: Twin, participant: str) -> str:
    """Return the label of a dose that a participant received."""
    for entry in twin.ledger.store.stream_entries(f"participant/{participant}"):
        if entry.type == "dose.received":
            return str(orjson.loads(entry.statement)["data"]["label"])
    raise AssertionError(participant)


def _told(lines: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the lines of a log without how long anything took."""
    assert lines
    return [{name: value for name, value in line.items() if name != "duration_ms"} for line in lines]


def test_commands_are_answered_the_same(pair: Pair) -> None:
    """Accepted or refused: same status, code, field, breaches, lines of the log; then the same leaves."""
    names = allocated(pair[0].twin)
    codes: dict[str, set[str]] = {}
    for participant, other in zip(names, [*names[1:], names[0]], strict=True):
        for one, two in zip(*(commands(served.twin, participant, other) for served in pair), strict=True):
            (what, mine), (_, yours) = one, two
            with capture_logs() as here:
                first = pair[0].hand_in(mine)
            with capture_logs() as there:
                second = pair[1].hand_in(yours)
            assert unlike({what: first}, {what: second}) == []
            assert _told(here) == _told(there)
            codes.setdefault(what, set()).add(first[:3])
    assert codes["allocated again"] == codes["allocated again in stage 2"] == {"422"}
    assert unlike(leaves(pair[0].twin), leaves(pair[1].twin)) == []
    assert unlike(kept(pair[0].twin), kept(pair[1].twin)) == []


@pytest.mark.parametrize("role", sorted(set(BLINDED) & PERMITTED["prepare"]))
def test_what_is_prepared_is_the_same(pair: Pair, role: str) -> None:
    """No blinded role learns tag or place in a restricted stream; elsewhere they are the same."""
    name = allocated(pair[0].twin)[0]
    streams = (f"participant/{name}", f"pharmacy/{SITE}", f"pharmacy/{ELSEWHERE}", "safety", f"site/{SITE}")
    for stream in streams:
        found = []
        for served in pair:
            signer = served.twin.signer(person_at(SITE, "coordinator"))
            data = {"statement": served.twin.drawn(name)[0].event, "kind": "data", "due": "2030-01-01"}
            value = {"type": "query.opened", "stream": stream, "role": role, "data": data}
            body = {"action": signer.complete(served.twin.ledger, value), "open": {"/data/text": "why?"}}
            response = served.http.post(
                "/statements:prepare", json=body, headers=bearer(f"{role} everywhere")
            )
            found.append(f"{response.status_code} {served.headers(response)}\n{served.body(response)}")
            if stream == "safety" or (stream.startswith("pharmacy/") and not SIGHTS[role].pharmacy):
                assert response.status_code == 403
        assert unlike({stream: found[0]}, {stream: found[1]}) == []
