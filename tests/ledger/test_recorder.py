"""The library's recorders over the ledger's tables, against the library's own recorder as an oracle."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from eventsourcing.application import AggregateNotFoundError, Application
from eventsourcing.persistence import (
    ApplicationRecorder,
    InfrastructureFactory,
    IntegrityError,
    NotSupportedError,
    StoredEvent,
)
from eventsourcing.popo import POPOApplicationRecorder
from eventsourcing.utils import resolve_topic
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ledger.errors import StoreError
from ledger.merkle import Frontier, leaf_hash
from ledger.statement import parse_statement
from ledger.store.port import Commit, NewEvent, NewStream, Store
from ledger.store.recorder import (
    PAGE,
    Factory,
    LedgerRecorder,
    RecordedStatement,
    StatementMapper,
)
from ledger.store.sqlite import SqliteStore
from ledger.store.tracking import LedgerTrackingRecorder
from ledger.tiles import decode_entries
from tests.shared import VECTORS
from tests.store_contract import PATIENCE_S, record
from tests.store_log import STUDY, Log

BUNDLE = VECTORS / "bundle-minimal"


class TrialLog(Application[str]):
    """An application of the library that reads a ledger."""


def bundle() -> list[tuple[bytes, bytes]]:
    """Return (statement, leaf) of each index of the bundle among the vectors: real, signed events."""
    statements = (BUNDLE / "payloads/000.p/11").read_bytes().split(b"\n")[:-1]
    leaves = decode_entries((BUNDLE / "tile/entries/000.p/11").read_bytes(), len(statements))
    return list(zip(statements, leaves, strict=True))


def keep(store: Store, entries: list[tuple[bytes, bytes]]) -> None:
    """Keep real events in a store, in one commit."""
    frontier, events, streams = Frontier(), [], {}
    for index, (body, leaf) in enumerate(entries):
        statement = parse_statement(body)
        streams[statement.stream] = NewStream(stream=statement.stream, tag=statement.tag, salt=bytes(32))
        frontier.append(leaf_hash(leaf))
        events.append(
            NewEvent(
                index=index,
                at="2024-01-01T00:00:00.000000Z",
                stream=statement.stream,
                seq=statement.seq,
                type=statement.type,
                schema=statement.schema,
                id=statement.id,
                event=statement.event,
                statement=body,
                leaf=leaf,
                leaf_hash=leaf_hash(leaf),
            )
        )
    commit = Commit(
        base_size=0,
        events=tuple(events),
        streams=tuple(streams.values()),
        disclosures=(),
        guards=(),
        tile_hashes=(),
        root=frontier.root(),
        frontier=frontier.to_bytes(),
        head=b"note",
    )
    with store.write() as transaction:
        transaction.append(commit)


def bodies(state: list[bytes] | None, events: Iterable[RecordedStatement]) -> list[bytes] | None:
    """A projector that collects statement bytes; None when there are none, as the library wants it."""
    return [*(state or []), *(event.body for event in events)] or None


def repository(app: TrialLog) -> Any:
    """Return the repository; the library types its states as aggregates, which ours are not."""
    return app.repository


def stored(commit: Commit) -> list[StoredEvent]:
    """Return a commit's events as the library stores them."""
    return [
        StoredEvent(originator_id=new.stream, originator_version=new.seq, topic=new.type, state=new.statement)
        for new in commit.events
    ]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A store with the events of the bundle."""
    with closing(SqliteStore.create(tmp_path / "ledger.db")) as store:
        keep(store, bundle())
    return tmp_path / "ledger.db"


@pytest.fixture
def app(path: Path) -> Iterator[TrialLog]:
    """The application, made from its environment alone."""
    with TrialLog({"PERSISTENCE_MODULE": "ledger.store.recorder", "LEDGER_DB": str(path)}) as app:
        yield app
        app.close()


@pytest.fixture
def recorder(tmp_path: Path) -> Iterator[LedgerRecorder]:
    """A recorder over a new store."""
    with closing(SqliteStore.create(tmp_path / "ledger.db")) as store:
        yield LedgerRecorder(store)


def test_the_repository_replays_a_stream_with_ones_own_projector(app: TrialLog) -> None:
    """repository.get hands the exact signed bytes of a stream, in order, to the projector."""
    expected = [body for body, _ in bundle() if parse_statement(body).stream == STUDY]
    assert repository(app).get(STUDY, projector_func=bodies) == expected


def test_the_repository_stops_at_a_version(app: TrialLog) -> None:
    """version=1 is the stream's first statement alone."""
    assert repository(app).get(STUDY, version=1, projector_func=bodies) == [bundle()[0][0]]


def test_the_repository_knows_what_is_not_there(app: TrialLog) -> None:
    """A stream without statements is the library's own not-found error."""
    with pytest.raises(AggregateNotFoundError):
        repository(app).get("participant/SA-01-999", projector_func=bodies)


def test_a_recorded_statement_is_parsed_when_asked(app: TrialLog) -> None:
    """The domain event gives type and bytes as they are, and the parsed statement with its time on demand."""
    events: list[Any] = list(app.events.get(STUDY))
    first = events[0]
    assert (first.originator_id, first.originator_version, first.type) == (STUDY, 1, "ledger.opened")
    assert first.statement == parse_statement(bundle()[0][0])
    assert first.timestamp.strftime("%Y-%m-%dT%H:%M:%S.%fZ") == first.statement.signed_at


def test_the_notification_log_is_the_log(app: TrialLog) -> None:
    """Notification id n is log index n - 1, with the signed bytes as state."""
    pages = [app.notification_log.select(start=start, limit=10) for start in (1, 11)]
    assert [(each.id, each.state) for page in pages for each in page] == [
        (index + 1, body) for index, (body, _) in enumerate(bundle())
    ]


def test_topics_resolve_to_the_recorded_statement(app: TrialLog) -> None:
    """What a notification names as its topic, anyone can resolve."""
    notification = app.recorder.select_notifications(start=1, limit=1)[0]
    assert notification.topic == "ledger.opened"
    assert resolve_topic(notification.topic) is RecordedStatement


def test_saving_around_the_rules_is_refused(app: TrialLog) -> None:
    """Events put through the library without a judged commit are refused, and nothing is recorded."""
    events = list(app.events.get(STUDY))
    with pytest.raises(NotSupportedError, match="write path"):
        app.events.put(events)
    assert app.recorder.max_notification_id() == len(bundle())


def test_a_judged_commit_goes_in(recorder: LedgerRecorder) -> None:
    """With the commit handed over, exactly its events are recorded under its indexes."""
    commit = Log(recorder.store).commit(STUDY, STUDY)
    assert recorder.insert_events(stored(commit), commit=commit) == [1, 2]
    assert recorder.select_events(STUDY) == stored(commit)


def test_a_commit_of_other_events_is_refused(recorder: LedgerRecorder) -> None:
    """A commit that does not hold the very events that are to be stored is not a ticket for them."""
    commit = Log(recorder.store).commit(STUDY, STUDY)
    with pytest.raises(NotSupportedError, match="exactly these events"):
        recorder.insert_events(stored(commit)[:1], commit=commit)
    assert recorder.max_notification_id() is None


def test_a_conflict_is_the_librarys_integrity_error(recorder: LedgerRecorder) -> None:
    """A commit from an old head is what the library expects of a conflict."""
    stale = Log(recorder.store, name="stale").commit(STUDY)
    record(recorder.store, Log(recorder.store).commit(STUDY))
    with pytest.raises(IntegrityError):
        recorder.insert_events(stored(stale), commit=stale)


@pytest.fixture(scope="module")
def both(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[ApplicationRecorder, ApplicationRecorder]]:
    """The ledger's recorder and the library's own, with the same events."""
    with closing(SqliteStore.create(tmp_path_factory.mktemp("both") / "ledger.db")) as store:
        log, library = Log(store), POPOApplicationRecorder()
        for _ in range(6):
            commit = log.commit(STUDY, "site/SA-01", STUDY)
            record(store, commit)
            library.insert_events(stored(commit))
        yield LedgerRecorder(store), library


NUMBER = st.none() | st.integers(min_value=0, max_value=20)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(gt=NUMBER, lte=NUMBER, desc=st.booleans(), limit=st.none() | st.integers(1, 20))
def test_streams_are_selected_as_the_library_selects_them(
    both: tuple[ApplicationRecorder, ApplicationRecorder],
    gt: int | None,
    lte: int | None,
    desc: bool,
    limit: int | None,
) -> None:
    """select_events gives what the library's recorder gives, for any bounds, order and limit."""
    ours, theirs = (each.select_events(STUDY, gt=gt, lte=lte, desc=desc, limit=limit) for each in both)
    assert ours == theirs


@settings(max_examples=150, deadline=None)
@given(
    start=NUMBER,
    stop=NUMBER,
    limit=st.integers(1, 20),
    topics=st.sampled_from([(), ("visit.started",), ("visit.completed", "visit.started"), ("no.such",)]),
    inclusive=st.booleans(),
)
def test_notifications_are_selected_as_the_library_selects_them(
    both: tuple[ApplicationRecorder, ApplicationRecorder],
    start: int | None,
    stop: int | None,
    limit: int,
    topics: tuple[str, ...],
    inclusive: bool,
) -> None:
    """select_notifications gives what the library's recorder gives, for any bounds, limit and topics."""
    ours, theirs = (
        each.select_notifications(start, limit, stop, topics, inclusive_of_start=inclusive) for each in both
    )
    assert ours == theirs


def test_topics_are_found_however_far_apart(recorder: LedgerRecorder) -> None:
    """A limit is filled from as many pages as it takes, none of them twice and none left out."""
    record(recorder.store, Log(recorder.store).commit(*[STUDY] * (3 * PAGE)))
    found = recorder.select_notifications(1, PAGE + 1, topics=["visit.started"])
    assert [each.id for each in found] == list(range(2, 2 * PAGE + 3, 2))


def test_a_subscription_gives_what_is_there_and_what_comes(recorder: LedgerRecorder) -> None:
    """Notifications after a position come in order, old ones and those recorded meanwhile, until stopped."""
    log = Log(recorder.store)
    record(recorder.store, log.commit(STUDY, STUDY))
    later = log.commit(STUDY, STUDY)
    seen: list[int] = []

    def follow() -> None:
        with recorder.subscribe(gt=1) as subscription:
            for notification in subscription:
                seen.append(notification.id)
                if notification.id == 2:
                    caught_up.set()
                if notification.id == 4:
                    subscription.stop()

    caught_up = threading.Event()
    thread = threading.Thread(target=follow)
    thread.start()
    assert caught_up.wait(PATIENCE_S)
    record(recorder.store, later)
    thread.join(PATIENCE_S)
    assert not thread.is_alive()
    assert seen == [2, 3, 4]


def test_a_subscription_keeps_to_its_topics(recorder: LedgerRecorder) -> None:
    """Other types are passed over, and the position goes on."""
    record(recorder.store, Log(recorder.store).commit(*[STUDY] * 6))
    with recorder.subscribe(topics=["visit.started"]) as subscription:
        assert [next(subscription).id for _ in range(3)] == [2, 4, 6]


def test_a_stopped_subscription_ends(recorder: LedgerRecorder) -> None:
    """After stop() there is no further notification, waiting or not."""
    record(recorder.store, Log(recorder.store).commit(STUDY))
    with recorder.subscribe() as subscription:
        subscription.stop()
        assert list(subscription) == []


def test_the_mapper_keeps_the_signed_bytes() -> None:
    """There and back, a statement's bytes are untouched whatever they are."""
    event = RecordedStatement(originator_id=STUDY, originator_version=3, type="visit.started", body=b"\xff{")
    mapper = StatementMapper(transcoder=Factory({}).transcoder())
    kept = mapper.to_stored_event(event)
    assert kept.state == b"\xff{"
    assert mapper.to_domain_event(kept) == event


def test_the_module_names_one_factory(path: Path) -> None:
    """The library finds one factory in the module, and gets no recorder that writes beside the log."""
    env = {"PERSISTENCE_MODULE": "ledger.store.recorder", "LEDGER_DB": str(path)}
    factory = InfrastructureFactory.construct(env)
    assert type(factory) is Factory
    with pytest.raises(NotSupportedError):
        factory.aggregate_recorder("snapshots")
    with pytest.raises(NotSupportedError):
        factory.process_recorder()


def test_a_ledger_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    """Neither a missing setting nor a missing file makes a store."""
    with pytest.raises(NotSupportedError, match="LEDGER_DB"):
        TrialLog({"PERSISTENCE_MODULE": "ledger.store.recorder"})
    with pytest.raises(StoreError, match="STORE_MISSING"):
        TrialLog({"PERSISTENCE_MODULE": "ledger.store.recorder", "LEDGER_DB": str(tmp_path / "no.db")})
    assert list(tmp_path.iterdir()) == []


def test_the_factory_opens_the_projections_file(tmp_path: Path) -> None:
    """PROJECTIONS_DB names the file in which positions are tracked."""
    LedgerTrackingRecorder.create(tmp_path / "projections.db").close()
    with closing(Factory({"PROJECTIONS_DB": str(tmp_path / "projections.db")})) as factory:
        assert factory.tracking_recorder().max_tracking_id("enrolment") is None
