"""A subscriber of the real server: nothing lost, nothing twice, and every lie found by its code."""

from __future__ import annotations

import itertools
import re
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import orjson
import pytest

from ledger import canonical
from ledger.envelope import event_hash
from ledger.subscriber import FindingError, Notice, Position, Source, Subscriber, Verified, Wanted
from ledger.subscriber.sse import SseEvent
from tests.api.client import PARTICIPANT, write_directory
from tests.api.streaming import (
    EVERYTHING,
    Served,
    changed,
    event_of,
    finding,
    follow,
    published,
    served,
    telling,
    truth,
)
from tests.api.test_serve import COMMAND, TIMEOUT_S, write
from tests.ledger.forgery import Forgery, key_of
from tests.ledger.small_ledger import SmallLedger
from tests.ledger.test_verify_forgeries import LATER, NOW

TYPES = Wanted(types=("visit.started", "vital_signs.recorded"))


@pytest.fixture(scope="module")
def honest(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[SmallLedger, list[SseEvent]]]:
    """What the real server tells of a small ledger, once for the lies that are made of it."""
    directory = tmp_path_factory.mktemp("honest") / "ledger"
    made = write_directory(directory)
    made.ledger.close()
    with served(directory) as server:
        yield made, truth(server.url)


@pytest.fixture
def made(tmp_path: Path) -> SmallLedger:
    """A closed ledger in a directory of its own."""
    small = write_directory(tmp_path / "ledger")
    small.ledger.close()
    return small


@pytest.fixture
def forged(tmp_path: Path) -> Iterator[tuple[SmallLedger, Forgery]]:
    """A ledger and its operator, who writes leaves and signs trees at will."""
    small = write_directory(tmp_path / "ledger")
    yield small, Forgery(small, tmp_path / "bundle")
    small.ledger.close()


def told(forgery: Forgery) -> list[SseEvent]:
    """Tell a forged log, with a checkpoint that the log's keys signed."""
    pairs = zip(forgery.leaves, forgery.payloads, strict=True)
    events = [event for leaf, payload in pairs for event in event_of(leaf, payload)]
    return [*events, *published(forgery.signers, forgery.leaves)]


def at(events: list[SseEvent], index: int) -> int:
    """Return where an entry stands."""
    return next(place for place, event in enumerate(events) if event.id == str(index))


def indexes(entries: list[Verified]) -> list[int]:
    return [each.index for each in entries]


# Nothing lost, nothing twice


def test_an_honest_stream_is_verified_and_confirmed(honest: tuple[SmallLedger, list[SseEvent]]) -> None:
    """Every entry passes, and the published checkpoint fits the tree of what came."""
    made, events = honest
    with telling(events) as url:
        entries, notices = follow(url, made)
    assert indexes(entries) == list(range(len(entries)))
    assert {each.verified for each in entries} == {"yes"}
    [checkpoint] = [each for each in notices if each.kind == "checkpoint"]
    assert checkpoint.data["confirmed"]
    assert checkpoint.data["size"] == len(entries)


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL], ids=["drained", "killed"])
def test_the_server_is_ended_in_the_middle_and_comes_back(
    made: SmallLedger, tmp_path: Path, how: signal.Signals
) -> None:
    """The subscriber waits, connects again, and has each index once, in order, all verified."""
    directory = tmp_path / "ledger"
    entries: list[Verified] = []
    ended = threading.Event()

    def restart(server: Served) -> None:
        server.stop(how)
        write(made, directory, 5)
        server.start()
        ended.set()

    waits: list[float] = []

    def wait(wait_s: float) -> None:
        waits.append(wait_s)
        time.sleep(min(wait_s, 0.2))

    with served(directory) as server, Position.open(tmp_path / "position", EVERYTHING) as position:
        source = Source(url=server.url, wanted=EVERYTHING, token="auditor")
        with Subscriber(source, position, made.policy, wait=wait) as subscriber:
            restarting: threading.Thread | None = None
            for batch in subscriber.batches():
                entries += [item for item in batch if isinstance(item, Verified)]
                subscriber.keep()
                caught_up = any(isinstance(item, Notice) and item.kind == "caught-up" for item in batch)
                if caught_up and ended.is_set():
                    break
                if caught_up and restarting is None:
                    restarting = threading.Thread(target=restart, args=(server,))
                    restarting.start()
            assert restarting is not None
            restarting.join()
    assert waits
    assert indexes(entries) == list(range(len(entries)))
    assert entries[-1].entry.statement is not None
    assert "visit.started" in {each.entry.statement.type for each in entries if each.entry.statement}
    assert {each.verified for each in entries} == {"yes"}


def test_a_subscriber_is_killed_in_the_middle_and_goes_on(made: SmallLedger, tmp_path: Path) -> None:
    """After kill -9 the next one begins with the batch in hand at the earliest: no gap, the same entries."""
    directory = tmp_path / "ledger"
    token = tmp_path / "token"
    token.write_text("auditor\n")
    policy = made.write_policy(tmp_path / "policy")
    runs: list[list[str]] = []
    with served(directory) as server:
        words = ["subscribe", server.url, "--token-file", token, "--policy", policy]
        words += ["--state", tmp_path / "position", "--json"]
        for number in itertools.count():
            write(made, directory, 3)
            last = number == 2
            done = subprocess.Popen(
                [COMMAND, *map(str, words), *(["--once"] if last else [])],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            assert done.stdout is not None
            assert done.stderr is not None
            lines: list[str] = []
            for line in done.stdout:
                lines.append(line)
                # First while a batch is in hand, printed or kept or neither; then while it waits for more.
                if (number == 0 and line.startswith('{"index":10,')) or (
                    number == 1 and '"notice":"caught-up"' in line
                ):
                    write(made, directory, 3)
                    done.send_signal(signal.SIGKILL)
            assert done.wait(TIMEOUT_S) == (0 if last else -signal.SIGKILL)
            assert "auditor" not in done.stderr.read()
            done.stdout.close()
            done.stderr.close()
            runs.append([line for line in lines if line.startswith('{"index"') and line.endswith("}\n")])
            if last:
                break
    printed: dict[int, str] = {}
    for run in runs:
        values = [orjson.loads(line) for line in run]
        assert [each["index"] for each in values] == list(
            range(values[0]["index"], values[0]["index"] + len(values))
        )
        assert values[0]["index"] <= max(printed, default=-1) + 1  # no gap between runs
        for value, line in zip(values, run, strict=True):
            assert printed.setdefault(value["index"], line) == line
    assert sorted(printed) == list(range(len(printed)))
    assert {orjson.loads(line)["verified"] for line in printed.values()} == {"yes"}


def test_a_position_goes_on_at_the_next_index(made: SmallLedger, tmp_path: Path) -> None:
    """Ended and begun again: nothing comes twice, and the folds go on as if it had never ended."""
    directory = tmp_path / "ledger"
    with served(directory) as server:
        with Position.open(tmp_path / "position", EVERYTHING) as position:
            first, _ = follow(server.url, made, position)
        write(made, directory, 4)
        with Position.open(tmp_path / "position", EVERYTHING) as position:
            second, notices = follow(server.url, made, position)
    assert indexes(first + second) == list(range(len(first) + len(second)))
    assert {each.verified for each in second} == {"yes"}
    assert notices[-1].data == {"size": len(first) + len(second)}


def test_the_command_ends_cleanly_on_ctrl_c(made: SmallLedger, tmp_path: Path) -> None:
    """SIGINT: exit code 0, the position kept; the next run prints nothing again."""
    token = tmp_path / "token"
    token.write_text("auditor\n")
    policy = made.write_policy(tmp_path / "policy")
    with served(tmp_path / "ledger") as server:
        words = ["subscribe", server.url, "--token-file", token, "--policy", policy]
        words += ["--state", tmp_path / "position"]
        running = subprocess.Popen(
            [COMMAND, *map(str, words)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert running.stderr is not None
        assert any(line.startswith("caught-up") for line in running.stderr)
        running.send_signal(signal.SIGINT)
        out, err = running.communicate(timeout=TIMEOUT_S)
        again = subprocess.run(
            [COMMAND, *map(str, words), "--once"], capture_output=True, text=True, check=False
        )
    lines = out.splitlines()
    assert running.returncode == 0
    assert "Traceback" not in err
    assert f"ended after index {len(lines) - 1}, confirmed to size {len(lines)}" in err
    assert re.fullmatch(r" +0 +ledger\.opened +study +yes", lines[0])
    assert (again.returncode, again.stdout) == (0, "")


# A server that lies


def test_a_flipped_byte_in_a_statement(honest: tuple[SmallLedger, list[SseEvent]]) -> None:
    """The leaf commits to the statement as it was signed."""
    made, events = honest
    index = made.at[f"vitals {PARTICIPANT}"]
    event = events[at(events, index)]
    assert event.data.count('"value":"72"') == 1
    lie = replace(event, data=event.data.replace('"value":"72"', '"value":"73"'))
    with telling([*events[: at(events, index)], lie]) as url:
        assert finding(url, made) == ("STATEMENT_HASH", index)


def test_a_leaf_left_out(honest: tuple[SmallLedger, list[SseEvent]]) -> None:
    """An index is missing."""
    made, events = honest
    place = at(events, 20)
    with telling(events[:place] + events[place + 1 :]) as url:
        assert finding(url, made) == ("INDEX", 21)


def test_the_last_leaf_left_out(honest: tuple[SmallLedger, list[SseEvent]]) -> None:
    """Whoever stops early and says that this is all is found by its own count."""
    made, events = honest
    last = max(int(event.id) for event in events if event.id is not None)
    rest = [event for event in events if event.id != str(last) and event.event != "checkpoint"]
    with telling(rest) as url:
        assert finding(url, made) == ("COUNT", last)


def test_a_swapped_order(honest: tuple[SmallLedger, list[SseEvent]]) -> None:
    """Two entries in each other's place."""
    made, events = honest
    place = at(events, 30)
    swapped = [*events[:place], events[place + 1], events[place], *events[place + 2 :]]
    with telling(swapped) as url:
        assert finding(url, made) == ("INDEX", 31)


def test_a_label_around_an_entry(honest: tuple[SmallLedger, list[SseEvent]]) -> None:
    """The event's members outside of statement and leaf are no place for another story."""
    made, events = honest
    for member, value in (("subject", "study"), ("time", "2024-06-03T08:00:00.000000Z"), ("sequence", "7")):
        place = at(events, made.at[f"vitals {PARTICIPANT}"])
        lie = changed(events[place], **{member: value})
        with telling([*events[:place], lie]) as url:
            assert finding(url, made)[0] == "EVENT_FORM"


def test_a_forged_checkpoint(honest: tuple[SmallLedger, list[SseEvent]]) -> None:
    """A note that the log's keys did not sign, and members that are not the note's."""
    made, events = honest
    [place] = [number for number, event in enumerate(events) if event.event == "checkpoint"]
    data = orjson.loads(events[place].data)
    root = "A" * 43 + "="
    note = data["note"].replace(data["root"], root)
    for lie, code in (
        (changed(events[place], root=root, note=note), "LOG_SIGNATURE"),
        (changed(events[place], root=root), "CHECKPOINT"),
        (changed(events[place], size=data["size"] + 1), "CHECKPOINT"),
        (changed(events[place], note="no note"), "NOTE"),
    ):
        with telling([*events[:place], lie]) as url:
            assert finding(url, made)[0] == code


def test_an_erasure_that_nobody_ordered(honest: tuple[SmallLedger, list[SseEvent]]) -> None:
    """`erased` is a wish to destroy: without a signed statement that says so it is a lie."""
    made, events = honest
    for order in ({"index": 3, "statement": "0" * 64, "digests": []}, {"index": 3}, {"index": "3"}, {}):
        lie = SseEvent(event="erased", data=orjson.dumps(order).decode(), id=None)
        with telling([*events[: at(events, 40)], lie]) as url:
            assert finding(url, made)[0] == "ERASED"


def test_a_control_statement_withheld(honest: tuple[SmallLedger, list[SseEvent]]) -> None:
    """What the fold of authority needs is everybody's to see."""
    made, events = honest
    index = made.at["role bchan"]
    place = at(events, index)
    data = orjson.loads(events[place].data)
    del data["subject"]
    data |= {"type": "org.trial-ledger.leaf.v1", "data": {"leaf": data["data"]["leaf"]}}
    lie = SseEvent(event="leaf", data=orjson.dumps(data).decode(), id=str(index))
    with telling([*events[:place], lie]) as url:
        assert finding(url, made) == ("CONTROL_WITHHELD", index)


def test_another_log_than_the_policys(honest: tuple[SmallLedger, list[SseEvent]]) -> None:
    """Leaf 0 is not the one that the subscriber pinned."""
    made, events = honest
    other = replace(made.policy, ledger_id="0" * 64)
    with (
        telling(events) as url,
        Subscriber(Source(url=url, wanted=EVERYTHING), None, other) as subscriber,
        pytest.raises(FindingError, match="LEDGER_ID"),
    ):
        list(subscriber.entries())


def test_a_server_that_has_less_than_was_verified(made: SmallLedger, tmp_path: Path) -> None:
    """An older copy of the log put back: the server itself says that the place is ahead of it."""
    with served(tmp_path / "ledger") as server:
        events = truth(server.url)
        with Position.open(tmp_path / "position", EVERYTHING) as position:
            follow(server.url, made, position)
    with (
        telling(events, status=409) as url,
        Position.open(tmp_path / "position", EVERYTHING) as position,
        pytest.raises(FindingError, match="CURSOR_AHEAD"),
    ):
        follow(url, made, position)


def test_a_statement_signed_by_a_revoked_key(forged: tuple[SmallLedger, Forgery]) -> None:
    """The operator lets in what a key signed after its revocation; leaf, tree and checkpoint fit."""
    made, forgery = forged
    data = {"key": key_of("bchan").id, "person": "bchan"}
    revoked = forgery.draft(
        made.at["training bchan"], type="key.revoked", data=data, meaning="approval", signed_at=NOW
    )
    forgery.append({**revoked, "occurred_at": NOW}, [key_of("root")])
    like = made.at[f"vitals {PARTICIPANT}"]
    late = forgery.append(
        forgery.draft(like, signed_at=LATER, occurred_at=LATER), [key_of("bchan")], at=LATER
    )
    with telling(told(forgery)) as url:
        assert finding(url, made) == ("KEY_REVOKED", late)


def test_a_signature_by_another_key(forged: tuple[SmallLedger, Forgery]) -> None:
    """A leaf with a signature that another person's key made."""
    made, forgery = forged
    like = made.at[f"vitals {PARTICIPANT}"]
    index = forgery.append(forgery.draft(like, signed_at=LATER, occurred_at=LATER), [key_of("bchan")])
    sig = forgery.leaf(like)["sigs"][0]
    forgery.set_leaf(index, sigs=[sig])
    with telling(told(forgery)) as url:
        assert finding(url, made) == ("SIGNATURE", index)


def test_a_leaf_left_out_and_the_rest_renumbered(forged: tuple[SmallLedger, Forgery]) -> None:
    """Indexes are dense again: what the next signer had seen tells, or else the log's own root."""
    made, forgery = forged
    whole = list(forgery.leaves)
    left_out = made.at[f"correction {PARTICIPANT}"]
    del forgery.leaves[left_out], forgery.payloads[left_out]
    for index in range(left_out, forgery.size):
        forgery.set_leaf(index, index=index)
    pairs = list(zip(forgery.leaves, forgery.payloads, strict=True))
    events = [event for leaf, payload in pairs for event in event_of(leaf, payload)]
    with telling([*events, *published(forgery.signers, whole)]) as url:
        assert finding(url, made)[0] == "SEEN_SIZE"
    before = [event for leaf, payload in pairs[:left_out] for event in event_of(leaf, payload)]
    other = [*whole[: left_out - 1], whole[left_out]]
    with telling([*before, *published(forgery.signers, other)]) as url:
        assert finding(url, made) == ("ROOT", left_out)


def test_a_lie_is_found_again_after_a_restart(
    honest: tuple[SmallLedger, list[SseEvent]], forged: tuple[SmallLedger, Forgery], tmp_path: Path
) -> None:
    """A kept position does not forget that its tree is not the one that the log's keys signed."""
    made, events = honest
    other = Forgery(forged[0], tmp_path / "other")
    leaves = [canonical.encode(orjson.loads(event.data)["data"]["leaf"]) for event in events if event.id]
    checkpoint = published(other.signers, [*leaves[:-1], leaves[0]])
    with telling([*[event for event in events if event.id], *checkpoint]) as url:
        for _ in range(2):
            with (
                Position.open(tmp_path / "position", EVERYTHING) as position,
                pytest.raises(FindingError, match="ROOT"),
            ):
                follow(url, made, position)


# What is filtered


def test_a_filtered_stream_verifies_what_it_can_and_says_so(made: SmallLedger, tmp_path: Path) -> None:
    """Statement and leaf fit each other; nothing is said of tree and signatures; the place goes on."""
    with served(tmp_path / "ledger") as server:
        with Position.open(tmp_path / "position", TYPES) as position:
            first, notices = follow(server.url, made, position, TYPES)
        write(made, tmp_path / "ledger", 1)
        with Position.open(tmp_path / "position", TYPES) as position:
            second, _ = follow(server.url, made, position, TYPES)
    assert {each.verified for each in first + second} == {"bytes only"}
    assert [each.entry.statement.type for each in second if each.entry.statement] == [
        "vital_signs.recorded",
        "visit.started",
    ]
    assert [each.data["confirmed"] for each in notices if each.kind == "checkpoint"] == [False]


def test_lies_in_a_filtered_stream(honest: tuple[SmallLedger, list[SseEvent]]) -> None:
    """What was not asked for, what is not what was signed, and two in each other's place."""
    made, events = honest
    vitals = [event for event in events if event.event == "vital_signs.recorded"]
    other = next(event for event in events if event.event == "participant.registered")
    flipped = replace(vitals[0], data=vitals[0].data.replace('"value":"72"', '"value":"73"'))
    for lie, code in (([other], "FILTER"), ([flipped], "STATEMENT_HASH"), (vitals[::-1], "INDEX")):
        with telling(lie) as url:
            assert finding(url, made, TYPES)[0] == code


def test_a_reader_who_sees_less_has_the_leaves_of_the_rest(made: SmallLedger, tmp_path: Path) -> None:
    """Leaves alone keep the tree whole, so the checkpoint is confirmed all the same."""
    with served(tmp_path / "ledger") as server:
        source = Source(url=server.url, wanted=EVERYTHING, token="elsewhere")
        entries: list[Verified] = []
        with Subscriber(source, None, made.policy) as subscriber:
            for batch in subscriber.batches():
                entries += [item for item in batch if isinstance(item, Verified)]
                if any(isinstance(item, Notice) and item.kind == "caught-up" for item in batch):
                    break
            assert subscriber.judge.confirmed == len(entries)
    assert {each.verified for each in entries} == {"yes", "leaf only"}


# The command


def test_the_command_says_what_it_found(honest: tuple[SmallLedger, list[SseEvent]], tmp_path: Path) -> None:
    """A lie ends it with 1 and the code, without a policy it ends with 3, and a refusal with 3."""
    made, events = honest
    policy = made.write_policy(tmp_path / "policy")
    place = at(events, 20)

    def run(url: str, *words: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [COMMAND, "subscribe", url, "--once", *map(str, words)],
            capture_output=True,
            text=True,
            check=False,
        )

    with telling(events[:place] + events[place + 1 :]) as url:
        lied = run(url, "--policy", policy)
    with telling(events) as url:
        unpinned = run(url, "--after", "48")
    with telling([], status=401) as url:
        refused = run(url)
    assert (lied.returncode, len(lied.stdout.splitlines())) == (1, 20)
    assert "INDEX at index 21" in lied.stderr
    assert unpinned.returncode == 3
    assert "UNPINNED" in unpinned.stderr
    assert [line.split()[0] for line in unpinned.stdout.splitlines()] == ["49", "50"]
    assert refused.returncode == 3
    assert "UNAUTHENTICATED" in refused.stderr


def test_hashes_of_frames_are_those_of_the_statements(
    honest: tuple[SmallLedger, list[SseEvent]],
) -> None:
    """The name of an event is the hash of what is handed to a consumer."""
    made, events = honest
    with telling(events) as url:
        entries, _ = follow(url, made)
    for each in entries:
        assert each.entry.statement is not None
        assert event_hash(each.entry.statement.body) == each.entry.event
