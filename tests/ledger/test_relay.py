"""The relay into a real JetStream: each entry once, in order, whoever is killed; the wrong log is refused."""

from __future__ import annotations

import asyncio
import gc
import json
import signal
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable, Coroutine, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import nats
import pytest

from api.relaying import from_directory
from ledger.cli.app import run as run_command
from ledger.errors import FormatError, LedgerError, ProofError, RefusedError, StoreError
from ledger.relay.consuming import Consumed, consume
from ledger.relay.jetstream import Address, AwayError, OutOfStepError, Target
from ledger.relay.messages import Message, subjects
from ledger.relay.relaying import Relay, Wish
from ledger.relay.sources import Batch, Entries, Reading
from ledger.subscriber.events import FindingError, Verified
from tests.api.client import STUDY, write_directory
from tests.ledger.nats_accounts import configuration, credentials
from tests.ledger.nats_server import NatsServer, nats_server, needs_nats
from tests.ledger.small_ledger import SITE, SmallLedger

pytestmark = needs_nats

COMMAND = Path(sys.executable).with_name("trial-ledger")
PARTICIPANT = "SA-01-001"
TIMEOUT_S = 60
T = TypeVar("T")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsServer]:
    """A JetStream that the module's tests share, each with a stream of its own."""
    with nats_server(tmp_path_factory.mktemp("nats") / "js") as running:
        yield running


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> SmallLedger:
    """A ledger with its directory, that tests may add to."""
    return write_directory(tmp_path_factory.mktemp("relayed") / "ledger")


def directory(made: SmallLedger) -> Path:
    """Return where a ledger lies."""
    return Path(str(made.ledger.store.path)).parent  # type: ignore[attr-defined]


def address(server: NatsServer, stream: str) -> Address:
    """Return a stream's address; its subjects begin with its own name, so that streams don't overlap."""
    return Address(server=server.url, stream=stream, prefix=stream.lower())


def relay(made: SmallLedger, to: Address, role: str = "auditor", **members: Any) -> list[tuple[str, int]]:
    """Relay all there is; return what was told."""
    told: list[tuple[str, int]] = []
    entries = from_directory(directory(made), role, "", ("*",))
    wish = Wish(entries=entries, address=to, **{"create": True, "once": True, **members})
    run(Relay(wish, lambda what, size: told.append((what, size))).run())
    return told


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run to the end."""
    return asyncio.run(asyncio.wait_for(work, TIMEOUT_S))


def consumed(made: SmallLedger, to: Address) -> tuple[Consumed, list[Verified]]:
    """Consume and verify all that a stream holds."""
    entries: list[Verified] = []
    return run(consume(to, made.policy, entries.append)), entries


def measure(made: SmallLedger, count: int = 1) -> None:
    """Record some measurements."""
    data = {
        "measurements": [{"name": "heart_rate", "quantity": {"value": "70", "unit": "/min"}}],
        "source": {"kind": "esource"},
    }
    for _ in range(count):
        made.say(
            "more", "bchan", "coordinator", "authorship", "vital_signs.recorded",
            f"participant/{PARTICIPANT}", data,
        )  # fmt: skip


async def publish(to: Address, *messages: Message) -> None:
    """Publish messages of one's own as a relay would."""
    async with await Target.open(to, STUDY, create=True) as target:
        await target.publish(messages)


def made_up(to: Address, index: int, **members: Any) -> Message:
    """Return a message that no ledger has."""
    name = f"{index:064x}"
    body = {"id": name, "type": "org.trial-ledger.leaf.v1", "sequence": str(index), **members}
    base = subjects(to.prefix, STUDY)
    return Message(index=index, event=name, subject=f"{base}.leaf", body=json.dumps(body).encode())


def test_every_entry_arrives_once_in_order_and_a_consumer_verifies_them_all(
    server: NatsServer, small: SmallLedger
) -> None:
    """Sequence n + 1 is index n, and the newest checkpoint confirms what the consumer built."""
    to = address(server, "ALL")
    small.publish()
    assert relay(small, to) == [("relaying", 0)]
    found, entries = consumed(small, to)
    assert [each.index for each in entries] == list(range(small.ledger.store.head().size))
    assert found.root == small.ledger.store.head().root
    assert found.confirmed == found.size
    assert found.pinned


def test_what_the_reader_does_not_see_arrives_as_its_leaf(server: NatsServer, small: SmallLedger) -> None:
    """A blinded reader's stream is as long as the log, and still verifies."""
    to = address(server, "BLINDED")
    relay(small, to, role="data_manager")
    found, entries = consumed(small, to)
    assert found.size == small.ledger.store.head().size
    withheld = [each.index for each in entries if each.verified == "leaf only"]
    assert withheld
    assert all((small.ledger.store.entry(index) or 0).stream.startswith("access/") for index in withheld)  # type: ignore[union-attr]


def test_the_next_relay_goes_on_where_jetstream_stands(server: NatsServer, small: SmallLedger) -> None:
    """A relay keeps no file: another one, hours later or elsewhere, asks JetStream."""
    to = address(server, "AGAIN")
    relay(small, to)
    before = small.ledger.store.head().size
    measure(small)
    assert relay(small, to, create=False) == [("relaying", before)]
    assert consumed(small, to)[0].size == small.ledger.store.head().size


def test_the_guard_holds_where_the_window_of_duplicates_has_passed(
    server: NatsServer, small: SmallLedger
) -> None:
    """Offered again under another message id, an entry is not taken a second time."""
    to = address(server, "GUARD")
    run(publish(to, made_up(to, 0), made_up(to, 1)))
    with pytest.raises(OutOfStepError):
        run(publish(to, replace(made_up(to, 1), event="f" * 64)))
    with pytest.raises(OutOfStepError):
        run(publish(to, made_up(to, 3)))


def test_two_relays_at_once_publish_each_entry_once(server: NatsServer, small: SmallLedger) -> None:
    """Whoever is out of step asks again and goes on; neither doubles what the other published."""
    to = address(server, "TWO")

    async def both() -> None:
        entries = [from_directory(directory(small), "auditor", "", ("*",)) for _ in range(2)]
        wishes = [Wish(entries=each, address=to, create=True, once=True) for each in entries]
        await asyncio.gather(*(Relay(wish, lambda what, size: None).run() for wish in wishes))

    run(both())
    assert consumed(small, to)[0].size == small.ledger.store.head().size


def test_a_stream_of_another_log_is_refused(server: NatsServer, small: SmallLedger, tmp_path: Path) -> None:
    """STREAM_OTHER: the last message's event hash is not the log's."""
    to = address(server, "OTHER")
    run(publish(to, made_up(to, 0)))
    with pytest.raises(ProofError) as refused:
        relay(small, to)
    assert refused.value.code == "STREAM_OTHER"


def test_a_message_out_of_place_is_refused(server: NatsServer, small: SmallLedger) -> None:
    """STREAM_OTHER: a message whose own index is not that of its sequence was not put there by a relay."""
    to = address(server, "PLACE")
    run(publish(to, made_up(to, 0, sequence="7")))
    with pytest.raises(ProofError) as refused:
        relay(small, to)
    assert refused.value.code == "STREAM_OTHER"


def test_a_ledger_that_is_behind_the_stream_is_refused(server: NatsServer, small: SmallLedger) -> None:
    """CURSOR_AHEAD: an older copy of the ledger was put back."""
    to = address(server, "AHEAD")
    size = small.ledger.store.head().size
    run(publish(to, *(made_up(to, index) for index in range(size + 2))))
    with pytest.raises(ProofError) as refused:
        relay(small, to)
    assert refused.value.code == "CURSOR_AHEAD"


def test_streams_are_made_on_request_alone(server: NatsServer, small: SmallLedger) -> None:
    """STREAM_MISSING: nothing makes itself."""
    with pytest.raises(StoreError) as refused:
        relay(small, address(server, "MISSING"), create=False)
    assert refused.value.code == "STREAM_MISSING"


def test_a_stream_that_no_relay_made_is_refused(server: NatsServer, small: SmallLedger) -> None:
    """STREAM_FORM: the mapping rests on the stream's form."""
    to = address(server, "FORM")

    async def make() -> None:
        client = await nats.connect(server.url)
        await client.jetstream().add_stream(name="FORM", subjects=[f"form.{STUDY}.>"])
        await client.close()

    run(make())
    with pytest.raises(StoreError) as refused:
        relay(small, to)
    assert refused.value.code == "STREAM_FORM"


def test_a_consumer_finds_what_was_altered(server: NatsServer, small: SmallLedger) -> None:
    """Whoever owns JetStream can put another entry there, and is found out."""
    to = address(server, "ALTERED")
    run(publish(to, made_up(to, 0)))
    with pytest.raises(FindingError):
        consumed(small, to)


class Held:
    """A source that says nothing until it is let go."""

    def __init__(self) -> None:
        self.let_go = threading.Event()

    def batches(self, after: int) -> Iterator[Any]:
        """Wait, and end."""
        self.let_go.wait()
        yield from ()


def test_a_reader_whose_loop_has_ended_ends_in_silence() -> None:
    """What nobody waits for any more is dropped without a warning of its own."""
    held = Held()

    async def begin() -> threading.Thread:
        Reading(held, 0)
        return next(each for each in threading.enumerate() if each.name == "relay")

    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        thread = asyncio.run(begin())
        held.let_go.set()
        thread.join(60)
        gc.collect()
    assert not thread.is_alive()
    assert [str(each.message) for each in warned if "awaited" in str(each.message)] == []


def test_a_prefix_that_is_no_subject_is_refused() -> None:
    """SUBJECT: a wildcard would take in what is not the log's."""
    with pytest.raises(FormatError) as refused:
        subjects("trial.>", STUDY)
    assert refused.value.code == "SUBJECT"
    assert subjects("trial", "a.b") == "trial.a_b"


def test_a_role_that_reads_no_stream_is_refused(small: SmallLedger) -> None:
    """ROLE_UNKNOWN: a relay shows what a reader of the stream sees, and no more."""
    for role in ("device", "inspector", "nobody"):
        with pytest.raises(LedgerError) as refused:
            from_directory(directory(small), role, "", ("*",))
        assert refused.value.code == "ROLE_UNKNOWN"


@pytest.mark.parametrize(
    ("role", "person", "sites", "code"),
    [
        ("coordinator", "nobody", (), "PERSON_UNKNOWN"),
        ("auditor", "bchan", (), "ROLE_NOT_HELD"),
        ("coordinator", "bchan", ("*",), "SITE_NOT_HELD"),
        ("coordinator", "bchan", ("SD-99",), "UNKNOWN_SITE"),
        ("auditor", "", ("SD-99",), "UNKNOWN_SITE"),
    ],
)
def test_a_person_who_does_not_read_so_is_refused(
    small: SmallLedger, role: str, person: str, sites: tuple[str, ...], code: str
) -> None:
    """Before anything is relayed: who is not known, has not the role, or not on that site."""
    with pytest.raises(LedgerError) as refused:
        from_directory(directory(small), role, person, sites)
    assert refused.value.code == code


def test_the_command_refuses_before_it_connects(
    small: SmallLedger, capsys: pytest.CaptureFixture[str]
) -> None:
    """No JetStream is asked for; a URL is read as its token's reader, so that a person there is wrong."""
    to = ["--server", "nats://127.0.0.1:1", "--stream", "S", "--person", "nobody"]
    assert run_command(["relay", "nats", str(directory(small)), "--role", "auditor", *to]) == 1
    assert "PERSON_UNKNOWN" in capsys.readouterr().err
    assert run_command(["relay", "nats", "https://ledger.example/v1/studies/s", *to]) == 2
    assert "its token" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "said", "exit_code"),
    [
        (["--server", "http://127.0.0.1:1", "--stream", "S"], "nats://HOST:PORT", 2),
        (["--server", "127.0.0.1:4222", "--stream", "S"], "nats://HOST:PORT", 2),
        (["--server", "nats://127.0.0.1:99999", "--stream", "S"], "nats://HOST:PORT", 2),
        (["--server", "nats://127.0.0.1:1", "--stream", "a.b"], "--stream", 2),
        (["--server", "nats://127.0.0.1:1", "--stream", "S", "--prefix", "a b"], "--prefix", 2),
        (["--server", "nats://127.0.0.1:1", "--stream", "S", "--credentials", "none"], "CREDENTIALS", 3),
    ],
)
def test_what_never_answers_is_not_waited_for(
    small: SmallLedger,
    capsys: pytest.CaptureFixture[str],
    options: list[str],
    said: str,
    exit_code: int,
) -> None:
    """An address, a name or a file out of form is told at once, and not as a server that is away."""
    asked = ["relay", "nats", str(directory(small)), "--role", "auditor", *options]
    assert run_command(asked) == exit_code
    assert said in capsys.readouterr().err


def test_a_server_with_accounts_takes_a_credentials_file(small: SmallLedger, tmp_path: Path) -> None:
    """A user's file opens the account; a user of another account is refused, and who has no file, too."""
    configured = configuration(tmp_path / "nats.conf")
    with nats_server(tmp_path / "js", configured) as server:
        known = Address(
            server=server.url,
            stream="KNOWN",
            prefix="known",
            credentials=credentials(tmp_path / "a", "relay"),
        )
        relay(small, known)
        assert len(consumed(small, known)[1]) == small.ledger.store.head().size
        for file in (credentials(tmp_path / "b", "relay", "elsewhere"), None):
            with pytest.raises(StoreError, match="does not take these credentials") as refused:
                relay(small, replace(known, credentials=file))
            assert refused.value.code == "SERVER_REFUSED"


@pytest.mark.parametrize(
    "spoiled",
    [
        lambda text: "",
        lambda text: text.partition("-----BEGIN USER")[0],
        lambda text: text.partition("\n\n")[2],
        lambda text: text.replace("\nSU", "\nSA"),
        lambda text: text.replace("\nSU", "\nSU2"),
    ],
    ids=["empty", "no seed", "no token", "an account's seed", "too long"],
)
def test_a_credentials_file_out_of_form_is_told_and_not_read_for_ever(
    small: SmallLedger, tmp_path: Path, capsys: pytest.CaptureFixture[str], spoiled: Callable[[str], str]
) -> None:
    """The client would search a file without a token for ever; nothing of the file is printed."""
    file = credentials(tmp_path / "creds", "relay")
    seed = file.read_text().splitlines()[-2]
    file.write_text(spoiled(file.read_text()))
    to = ["--server", "nats://127.0.0.1:1", "--stream", "S", "--credentials", str(file)]
    assert run_command(["relay", "nats", str(directory(small)), "--role", "auditor", *to]) == 3
    told = capsys.readouterr().err
    assert "expected a NATS credentials file" in told
    assert seed[2:20] not in told


@pytest.mark.parametrize("sites", ["", " ", ","])
def test_no_site_where_sites_are_named_is_not_all_of_them(
    small: SmallLedger, capsys: pytest.CaptureFixture[str], sites: str
) -> None:
    """An empty variable of a script opens no other site's records to whoever consumes."""
    to = ["--server", "nats://127.0.0.1:1", "--stream", "S", "--role", "coordinator", "--once"]
    assert run_command(["relay", "nats", str(directory(small)), *to, "--sites", sites]) == 2
    assert "--sites" in capsys.readouterr().err


def test_a_person_reads_on_the_sites_of_the_role(small: SmallLedger) -> None:
    """Where no site is named, a consumer sees no more than the person would."""
    for sites in ((), (SITE,)):
        entries = from_directory(directory(small), "coordinator", "bchan", sites)
        assert entries.reader.sites == {SITE}
    assert from_directory(directory(small), "sponsor_administrator", "admin").reader.sites is None


@pytest.mark.parametrize(
    ("type_", "changed", "code"),
    [
        ("role.revoked", {}, "ROLE_NOT_HELD"),
        ("role.granted", {"blinded": True, "sites": ["*"]}, "SITE_NOT_HELD"),
    ],
)
def test_a_relay_ends_with_the_role_that_it_reads_by(
    tmp_path: Path, type_: str, changed: dict[str, Any], code: str
) -> None:
    """What is recorded after the role has ended, or was given on other sites, goes to no consumer."""
    made = write_directory(tmp_path / "d")
    entries = from_directory(directory(made), "coordinator", "bchan")
    assert sum(len(each) for each in ended(entries)) > made.ledger.store.head().size - 1
    data = {"person": "bchan", "role": "coordinator", **changed}
    made.say("changed", "admin", "sponsor_administrator", "approval", type_, "person/bchan", data)
    with pytest.raises(RefusedError) as refused:
        list(ended(entries))
    assert refused.value.code == code


def ended(entries: Entries) -> Iterator[Batch]:
    """Read what there is."""
    for batch in entries.batches(-1):
        yield batch
        if any(event.event == "caught-up" for event in batch):
            return


def test_nobody_there_is_told_and_waited_for(small: SmallLedger) -> None:
    """A relay without a JetStream does not end."""
    told: list[str] = []
    to = Address(server="nats://127.0.0.1:1", stream="NONE", prefix="none")
    entries = from_directory(directory(small), "auditor", "", ("*",))
    relaying = Relay(Wish(entries=entries, address=to), lambda what, size: told.append(what))

    async def briefly() -> None:
        task = asyncio.create_task(relaying.run())
        while len(told) < 2:
            await asyncio.sleep(0.01)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task

    run(briefly())
    assert told == ["jetstream-away", "jetstream-away"]
    with pytest.raises(AwayError):
        run(consume(to, None))


def test_killed_relays_and_a_killed_jetstream_lose_and_double_nothing(tmp_path: Path) -> None:
    """The short version of `make soak-relay`: kill -9 of either while the ledger grows."""
    made = write_directory(tmp_path / "ledger")
    with nats_server(tmp_path / "js") as server:
        to = address(server, "KILLED")
        for round_ in range(2):
            measure(made, 20)
            process = subprocess.Popen(
                [COMMAND, "relay", "nats", tmp_path / "ledger", "--role", "auditor", "--server", server.url,
                 "--stream", to.stream, "--prefix", to.prefix, "--create"],
                stderr=subprocess.PIPE,
                text=True,
            )  # fmt: skip
            assert process.stderr is not None
            assert "relaying" in process.stderr.readline()
            if round_:
                server.stop(signal.SIGKILL)
                measure(made, 20)
                server.start()
            process.kill()
            process.wait()
            process.stderr.close()
        made.publish()
        relay(made, to)
        found, entries = consumed(made, to)
    assert [each.index for each in entries] == list(range(made.ledger.store.head().size))
    assert found.root == made.ledger.store.head().root
    assert found.confirmed == found.size
