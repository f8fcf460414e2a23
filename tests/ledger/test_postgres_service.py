"""Two hosts serve one ledger: real servers behind two ports, and every place that they share elsewhere."""

from __future__ import annotations

import shutil
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Final

import httpx2

from ledger.directory import CHECKPOINTS, DATA_KEYS, KEYS, open_ledger, read_config, write_config
from ledger.fsck import check_storage
from ledger.keyfile import load_key
from ledger.prepare import Signer
from ledger.sources import SystemSources
from ledger.submission import format_submission
from tests.api.client import TOKENS
from tests.api.streaming import truth
from tests.api.test_serve import serving
from tests.ledger.small_ledger import DEFINITION
from tests.ledger.test_cli import run
from tests.postgres_server import OWNER, PostgresServer

ROOT: Final = ("root1", "R. Holder", "Sponsor")
PEOPLE: Final = 8
PATIENCE_S: Final = 60


def init(directory: Path, events: PostgresServer, apart: PostgresServer) -> str:
    """Make a ledger of which nothing but configuration and keys lies in a directory; return its study."""
    person, name, organisation = ROOT
    schemas = [
        ("store", events, "served"),
        ("checkpoints", apart, "served_c"),
        ("data-keys", apart, "served_k"),
    ]
    places = [
        part
        for option, server, schema in schemas
        for part in (f"--{option}", server.url(schema), f"--{option}-owner", server.url(schema, OWNER))
    ]
    done = run(
        "init", directory, "--study", DEFINITION, "--person", person, "--name", name,
        "--organisation", organisation, "--plain-keys", *places,
    )  # fmt: skip
    assert done.code == 0, done.err
    write_config(directory, replace(read_config(directory), tokens=TOKENS))
    return read_config(directory).study


def post(url: str, body: bytes) -> dict[str, object]:
    """Hand a signed statement in."""
    with httpx2.Client(timeout=PATIENCE_S) as http:
        headers = {"Content-Type": "application/json"}
        answer = http.post(f"{url}/statements", content=body, headers=headers)
    assert answer.status_code in (200, 201), answer.text
    found: dict[str, object] = answer.json()
    return found


def test_two_hosts_record_into_one_ledger_and_stream_the_same(
    postgres: PostgresServer, apart: PostgresServer, tmp_path: Path
) -> None:
    """What is recorded through either is in both streams, once, without a gap; the storage is sound."""
    one, two = tmp_path / "one", tmp_path / "two"
    study = init(one, postgres, apart)
    shutil.copytree(one, two)  # configuration, keys, and an empty queue of its own
    assert not any((two / name).exists() for name in ("ledger.db", CHECKPOINTS, DATA_KEYS))
    signer = Signer(load_key(one / KEYS / "root1.json", None).signing_key(), *ROOT)
    recorded = []
    with serving(one) as (_, first), serving(two) as (_, second):
        bases = [f"{url}/v1/studies/{study}" for url in (first, second)]
        with closing(open_ledger(one, None, SystemSources())) as ledger:
            for number in range(PEOPLE):
                person = f"p{number}"
                account = {"name": f"Person {number}", "organisation": "Site", "person": person}
                action = {"type": "account.created", "stream": f"person/{person}", "role": "root"}
                action |= {"meaning": "approval", "data": account}
                body = format_submission(signer.submission(ledger, action, {}))
                recorded.append(post(bases[number % 2], body))
                again = post(bases[1 - number % 2], body)
                assert (again["index"], again["event"]) == (recorded[-1]["index"], recorded[-1]["event"])
            size = ledger.refresh().size
        streams = [truth(base) for base in bases]
        numbered = [[(each.id, each.event, each.data) for each in events if each.id] for events in streams]
        assert numbered[0] == numbered[1]
        entries = [number for number, event, _ in numbered[0] if event != "checkpoint"]
        assert entries == [str(index) for index in range(size)]
    assert [each["index"] for each in recorded] == sorted({int(str(each["index"])) for each in recorded})
    with closing(open_ledger(two, None, SystemSources())) as ledger:
        newest = ledger.checkpoints.latest()
        assert newest is not None
        assert newest[0] == ledger.store.head().size >= size
        assert check_storage(ledger) == []


def test_a_queue_of_unblindings_is_of_its_host(
    postgres: PostgresServer, apart: PostgresServer, tmp_path: Path
) -> None:
    """A host without one is refused, as nothing creates itself; with an empty one it opens."""
    schema = "queued"
    done = run(
        "init", tmp_path / "one", "--study", DEFINITION, "--person", "root1", "--name", "R. Holder",
        "--organisation", "Sponsor", "--plain-keys", "--store", postgres.url(schema),
        "--store-owner", postgres.url(schema, OWNER), "--checkpoints", apart.url(schema),
        "--checkpoints-owner", apart.url(schema, OWNER), "--data-keys", apart.url("queued_k"),
        "--data-keys-owner", apart.url("queued_k", OWNER),
    )  # fmt: skip
    assert done.code == 0, done.err
    shutil.copytree(tmp_path / "one", tmp_path / "two", ignore=shutil.ignore_patterns("unblindings.db"))
    missing = run("fsck", tmp_path / "two")
    assert (missing.code, "STORE_MISSING" in missing.err) == (3, True)
    shutil.copy(tmp_path / "one" / "unblindings.db", tmp_path / "two")
    assert run("fsck", tmp_path / "two").code == 0
