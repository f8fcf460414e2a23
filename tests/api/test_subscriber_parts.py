"""The parts of a subscriber: events out of bytes, addresses, the position's file, any flipped bit."""

from __future__ import annotations

import sqlite3
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from api.frames import frame
from api.problems import ProblemError, problem
from api.routes.stream import Filter, renderer
from api.titles import TITLES
from ledger.demo import DemoReport
from ledger.directory import DATABASE
from ledger.errors import FormatError, LedgerError, StoreError
from ledger.store.sqlite import SqliteStore
from ledger.subscriber import FindingError, Notice, Position, Source, Subscriber, Verified, Wanted
from ledger.subscriber.connection import LostError
from ledger.subscriber.events import received
from ledger.subscriber.judging import WholeJudge
from ledger.subscriber.sse import MAX_EVENT_BYTES, SseEvent, SseReader
from projections.reader import Reader
from tests.api.client import BASE
from tests.api.streaming import EVERYTHING, event_of, follow, telling, text_of
from tests.ledger.small_ledger import SmallLedger, make

TEXT = (
    b"id: 0\nevent: a.b\ndata: {}\n\n: keep alive\n\n"
    b"retry: 20\r\nevent: caught-up\r\ndata:{}\r\n\r\n"
    b"id: 1\rdata: x\r\r"
)
REFUSED = bytes(problem(ProblemError("QUERY", 400, field="types")).body)
WHOLE = [
    SseEvent(event="a.b", data="{}", id="0"),
    SseEvent(event="caught-up", data="{}", id=None),
    SseEvent(event="message", data="x", id="1"),
]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallLedger]:
    """A small ledger that nobody writes to."""
    small = make(tmp_path_factory.mktemp("parts") / "ledger", participants=1)
    yield small
    small.ledger.close()


@pytest.fixture(scope="module")
def events(made: SmallLedger) -> list[SseEvent]:
    """Its entries as the server frames them."""
    entries = made.ledger.store.entries(0, made.ledger.store.head().size)
    return [event for entry in entries for event in event_of(entry.leaf, entry.statement)]


# Events out of bytes


@pytest.mark.parametrize("cut", range(len(TEXT) + 1))
def test_events_are_whole_wherever_the_bytes_are_cut(cut: int) -> None:
    """Lines end in LF, CR or CRLF, in two pieces or in one."""
    reader = SseReader()
    found = (
        reader.feed(TEXT[:cut]) + reader.feed(TEXT[cut:]) + reader.feed(b": a line, for a CR at the end\n")
    )
    assert found == WHOLE
    assert reader.retry_ms == 20


def test_an_unfinished_event_is_dropped() -> None:
    """What the connection leaves open was not said."""
    assert SseReader().feed(b"id: 0\nevent: a.b\ndata: {}\n") == []


@pytest.mark.parametrize("piece", [b"data: " + b"x" * MAX_EVENT_BYTES, b"data: x\n" * (MAX_EVENT_BYTES // 7)])
def test_an_event_without_end_is_refused(piece: bytes) -> None:
    """Memory stays flat, whatever a server sends."""
    with pytest.raises(FormatError, match="EVENT_FORM"):
        SseReader().feed(piece)


# Addresses and tokens


@pytest.mark.parametrize(
    "url",
    [
        "ftp://ledger.example/v1/studies/small",
        "https:///v1/studies/small",
        "https://who:secret@ledger.example/v1/studies/small",
        "https://ledger.example/v1/studies/small?after=3",
        "https://ledger.example:port/v1/studies/small",
        "https://ledger.example/v1/studies/sm all\n",
        "http://ledger.example/v1/studies/small",
    ],
)
def test_addresses_that_a_token_is_not_sent_to(url: str) -> None:
    """No study's address, or in plain to another machine; the error does not repeat the token."""
    with pytest.raises(FormatError, match="URL") as caught:
        Source(url=url, wanted=EVERYTHING, token="the-token")
    assert "the-token" not in repr(caught.value)


def test_an_address_may_name_study_or_stream() -> None:
    """Both lead to the stream, with what is wanted."""
    wanted = Wanted(types=("visit.started", "visit.completed"), participant="SA-01-001")
    for tail in ("", "/", "/stream"):
        source = Source(url=f"http://127.0.0.1:1{BASE}{tail}", wanted=wanted, token="the-token")
        assert source.path == (f"{BASE}/stream?types=visit.completed%2Cvisit.started&participant=SA-01-001")
        assert "the-token" not in repr(source)


def test_tries_are_further_and_further_apart(made: SmallLedger) -> None:
    """Nobody listens: each wait is drawn below a bound that doubles, up to half a minute."""
    waits: list[float] = []
    subscriber = Subscriber(
        Source(url="http://127.0.0.1:9", wanted=EVERYTHING), None, made.policy, wait=waits.append
    )
    batches = subscriber.batches()
    for _ in range(13):
        assert next(batches) == [Notice(kind="lost", data={"after": -1})]
    bounds = [min(0.25 * 2**number, 30) for number in range(12)]
    assert all(0 <= wait_s <= bound for wait_s, bound in zip(waits, bounds, strict=True))
    assert len(set(waits)) == len(waits)


@pytest.mark.parametrize(
    ("status", "code"),
    [(401, "UNAUTHENTICATED"), (403, "FORBIDDEN"), (404, "NOT_FOUND"), (302, "REDIRECTED"), (400, "REFUSED")],
)
def test_refusals_that_another_try_cannot_mend(made: SmallLedger, status: int, code: str) -> None:
    """They end the subscription with their code."""
    with telling([], status=status) as url, pytest.raises(LedgerError) as caught:
        follow(url, made)
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (REFUSED, f"400 QUERY (types): {TITLES['QUERY']}"),
        (b'{"code":"A\\u001b[2J","title":"\\u202eno"}', "400"),
        (b'{"code":' + b"[" * 5_000, "400"),
        (b"[1]", "400"),
        (b'{"code":"QUERY","field":7}', "400 QUERY"),
    ],
)
def test_a_refusal_says_what_the_server_said(made: SmallLedger, body: bytes, said: str) -> None:
    """Code, place and sentence of a problem, in one line; nothing that a terminal would act on."""
    with telling([], status=400, problem=body) as url, pytest.raises(LedgerError) as caught:
        follow(url, made)
    assert caught.value.message == f"the server answered {said}"


def test_a_busy_server_is_asked_again(made: SmallLedger) -> None:
    """503 is no refusal."""
    with telling([], status=503) as url:
        entries, notices = follow(url, made)
    assert (entries, [each.kind for each in notices]) == ([], ["lost"])
    assert isinstance(LostError().retry_after_s, float)


def test_a_certificate_that_does_not_hold_ends_it(made: SmallLedger, tmp_path: Path) -> None:
    """Over TLS the server shows a certificate of an authority that is trusted, or gets no token."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
    (tmp_path / "cert.pem").write_bytes(
        builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)
        + key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "cert.pem")
    with telling([], context=context) as url, pytest.raises(LedgerError, match="CERTIFICATE"):
        follow(url, made)


# The position


def test_a_position_is_for_one_at_a_time(tmp_path: Path) -> None:
    """Two that share a place would both be wrong."""
    with (
        Position.open(tmp_path / "position", EVERYTHING),
        pytest.raises(StoreError, match="STORE_BUSY"),
    ):
        Position.open(tmp_path / "position", EVERYTHING)
    Position.open(tmp_path / "position", EVERYTHING).close()
    assert (tmp_path / "position").stat().st_mode & 0o077 == 0


def test_a_position_is_of_one_log_and_one_filter(
    made: SmallLedger, events: list[SseEvent], tmp_path: Path
) -> None:
    """Another filter or another ledger id is refused, not mixed in."""
    with telling(events) as url, Position.open(tmp_path / "position", EVERYTHING) as position:
        follow(url, made, position)
        with pytest.raises(StoreError, match="STATE_OTHER"):
            position.restore(replace(made.policy, ledger_id="0" * 64))
    with pytest.raises(StoreError, match="STATE_OTHER"):
        Position.open(tmp_path / "position", Wanted(types=("visit.started",)))


def test_what_is_no_position_is_not_written_to(tmp_path: Path) -> None:
    """A file of something else, or a database of something else."""
    (tmp_path / "text").write_text("a note of mine, long enough to be no empty database\n" * 4)
    with closing(sqlite3.connect(tmp_path / "database")) as database, database:
        database.execute("CREATE TABLE mine (note TEXT)")
    database.close()
    for name in ("text", "database"):
        before = (tmp_path / name).read_bytes()
        with pytest.raises(StoreError, match="STORE_CORRUPT"):
            Position.open(tmp_path / name, EVERYTHING)
        assert (tmp_path / name).read_bytes() == before
    with pytest.raises(StoreError, match="STORE_IO"):
        Position.open(tmp_path / "nowhere" / "position", EVERYTHING)


def test_a_position_restores_every_fold(made: SmallLedger, events: list[SseEvent], tmp_path: Path) -> None:
    """Kept after any entry and restored, the judge is what it would have been."""
    with telling(events) as url:
        whole, _ = follow(url, made)
    judge = WholeJudge(made.policy)
    for number, event in enumerate(events):
        place = tmp_path / "position"
        with Position.open(place, EVERYTHING) as position:
            restored = position.restore(made.policy)
            assert isinstance(restored, WholeJudge)
            assert restored.take(received(event, number)) == judge.take(received(event, number))
            position.keep(restored, [whole[number]])
            assert restored.authority == judge.authority
            assert restored.chain.heads == judge.chain.heads
            assert restored.chain.tags == judge.chain.tags
            assert restored.chain.seen == judge.chain.seen
            assert restored.frontier.to_bytes() == judge.frontier.to_bytes()
            assert list(restored.roots.items()) == list(judge.roots.items())


def test_a_position_that_was_tampered_with_is_refused(
    made: SmallLedger, events: list[SseEvent], tmp_path: Path
) -> None:
    """The tree and its newest root have to agree."""
    with telling(events) as url, Position.open(tmp_path / "position", EVERYTHING) as position:
        follow(url, made, position)
    with closing(sqlite3.connect(tmp_path / "position")) as database, database:
        database.execute("UPDATE roots SET root = zeroblob(32) WHERE size = (SELECT max(size) FROM roots)")
    database.close()
    with (
        Position.open(tmp_path / "position", EVERYTHING) as position,
        pytest.raises(StoreError, match="STORE_CORRUPT"),
    ):
        position.restore(made.policy)


@pytest.mark.sqlite_only("a process of a run over PostgreSQL imports what leads there")
def test_another_system_imports_no_service() -> None:
    """The client needs the standard library, cryptography, pynacl, orjson and the pure modules."""
    code = (
        "import sys, ledger.subscriber\n"
        "tops = {name.partition('.')[0] for name in sys.modules if not name.startswith('_')}\n"
        "print(*sorted(tops - set(sys.stdlib_module_names)))\n"
        "print(*(name for name in sys.modules if name.startswith(('ledger.store', 'ledger.committer'))))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["cryptography", "ledger", "nacl", "orjson"]


# Every reader


@pytest.mark.parametrize("role", ["inspector", "blinded_rater", "participant"])
def test_every_reader_can_verify_the_demonstration(demo: DemoReport, role: str) -> None:
    """What a role does not see is its leaf alone, never what the fold of authority needs: it verifies."""
    store = SqliteStore.open(demo.directory / DATABASE)
    head = store.head()
    show = renderer(Reader(role=role, person="SA-01-002"), Filter(types=frozenset(), participant=None), store)
    judge = WholeJudge(None)
    verified: set[str] = set()
    for start in range(0, head.size, 500):
        entries = store.entries(start, min(start + 500, head.size))
        for framed in (frame(entry, BASE) for entry in entries):
            for event in SseReader().feed(show([framed])):
                if event.id is None:
                    judge.erased(orjson.loads(event.data))
                else:
                    verified.add(judge.take(received(event, judge.after + 1)).verified)
    store.close()
    assert (judge.frontier.size, judge.frontier.root()) == (head.size, head.root)
    assert verified == ({"yes"} if role == "inspector" else {"yes", "leaf only"})


# Any flipped bit


@given(data=st.data())
def test_no_flipped_bit_passes(made: SmallLedger, events: list[SseEvent], data: st.DataObject) -> None:
    """An event with one bit changed is found, or is dropped, or carries the same statement and leaf."""
    index = data.draw(st.sampled_from((2, 9, made.at["vitals SA-01-001"])))
    text = bytearray(text_of(events[index]))
    bit = data.draw(st.integers(0, 8 * len(text) - 1))
    text[bit // 8] ^= 1 << bit % 8
    taken = _take(made, [*events[:index]], bytes(text))
    if taken is not None:
        stored = made.ledger.store.entry(index)
        assert stored is not None
        assert taken.entry.statement is not None
        assert (taken.leaf, taken.entry.statement.body) == (stored.leaf, stored.statement)


def _take(made: SmallLedger, before: list[SseEvent], text: bytes) -> Verified | None:
    judge = WholeJudge(made.policy)
    for number, event in enumerate(before):
        judge.take(received(event, number))
    try:
        for event in SseReader().feed(text):
            if event.id is not None:
                return judge.take(received(event, len(before)))
    except (FindingError, FormatError):
        pass
    return None
