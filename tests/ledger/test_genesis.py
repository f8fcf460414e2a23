"""The first entries (record-format.md §6, "Start"): who opens a ledger, with which keys, in which order."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ledger.authorisation import judge
from ledger.authority import INITIAL, evolve
from ledger.committer import Ledger
from ledger.datakeys import DataKeys
from ledger.errors import LedgerError, RefusedError, StoreError
from ledger.fold import load_entry
from ledger.genesis import Operator, open_log
from ledger.keys import SigningKey
from ledger.merkle import EMPTY_ROOT, leaf_hash
from ledger.note import CosignatureSigner, NoteSigner, format_vkey
from ledger.prepare import Signer
from ledger.recorded import Recorded
from ledger.service import LogSigners, Service
from ledger.sources import SeededSources
from ledger.store.checkpoints import CheckpointFile
from ledger.store.sqlite import SqliteStore
from ledger.store.startup import check
from ledger.study.definition import load
from ledger.trust import ledger_id, trust_policy
from tests.ledger.small_ledger import DEFINITION, ORIGIN, START, seed
from tests.ledger.write_path import account, described, enrolment, key_of, refused

STUDY = load(DEFINITION.read_bytes())
OPERATOR = Operator(name="Ledger service", organisation="Operator")


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[Ledger]:
    """A ledger without any entry."""
    sources = SeededSources("empty", START)
    signers = LogSigners(
        head=NoteSigner(ORIGIN, seed("log")), published=(CosignatureSigner(ORIGIN, seed("log pq")),)
    )
    store = SqliteStore.create(tmp_path / "ledger.db")
    checkpoints = CheckpointFile.create(tmp_path / "checkpoints.db")
    ledger = Ledger(
        origin=ORIGIN,
        store=store,
        checkpoints=checkpoints,
        signers=signers,
        service=Service(key_of("service"), seed("secret")),
        data_keys=DataKeys.create(tmp_path / "datakeys.db", seed("kek"), sources.random_bytes),
        sources=sources,
        startup=check(store, checkpoints, signers.verifier_keys),
    )
    yield ledger
    ledger.close()


def root(number: int) -> Signer:
    """Return one of several root persons."""
    return Signer(key_of(f"root {number}"), f"root{number}", f"Root {number}", "Sponsor")


def opened(ledger: Ledger, *numbers: int, threshold: int = 1) -> str:
    """Open a ledger by root persons."""
    return open_log(
        ledger,
        [root(number) for number in numbers],
        threshold=threshold,
        service_key=key_of("service"),
        operator=OPERATOR,
        definition=STUDY,
    )


def data(*numbers: int, threshold: int = 1, **changes: Any) -> dict[str, Any]:
    """Return the data of `ledger.opened`."""
    keys = (NoteSigner(ORIGIN, seed("log")).key, CosignatureSigner(ORIGIN, seed("log pq")).key)
    return {
        "format": 1,
        "log_keys": [format_vkey(key) for key in keys],
        "origin": ORIGIN,
        "root_keys": [
            {
                "key": described(key_of(f"root {n}"), f"root{n}"),
                "name": f"Root {n}",
                "organisation": "Sponsor",
            }
            for n in numbers
        ],
        "study": STUDY.study,
        "threshold": threshold,
        **changes,
    }


def say(
    ledger: Ledger,
    who: Signer,
    type_: str,
    stream: str,
    data_: dict[str, Any],
    *further: SigningKey,
    **more: Any,
) -> Recorded:
    """Record one action of a root person."""
    value = {"type": type_, "stream": stream, "role": "root", "meaning": "approval", "data": data_, **more}
    return ledger.record(who.submission(ledger, value, {}, further))


def test_a_ledger_opens_with_four_entries_in_their_order(empty: Ledger) -> None:
    """Opening, account and key of the service, registration; the id is the leaf hash of index 0."""
    identity = opened(empty, 1)
    entries = empty.store.entries(0, 10)
    types = ["ledger.opened", "account.created", "key.enrolled", "study.registered"]
    assert [entry.type for entry in entries] == types
    assert identity == leaf_hash(entries[0].leaf).hex() == ledger_id(empty)
    first = load_entry(entries[0]).statement
    assert first is not None
    assert (first.seen.size, first.seen.root) == (0, EMPTY_ROOT)
    assert first.data["log_keys"] == [format_vkey(key) for key in trust_policy(empty).log_keys]
    authority = empty.refresh().authority
    assert authority.holds("service", "service", None)
    assert authority.grade(key_of("service").id) == "service"
    assert set(authority.roots) == {"root1"}


def test_an_empty_ledger_has_no_id_and_publishes_nothing(empty: Ledger) -> None:
    """Before its opening there is nothing to trust."""
    assert empty.publish() is None
    with refused("LEDGER_EMPTY", StoreError):
        ledger_id(empty)


@pytest.mark.parametrize(("roots", "threshold"), [((1, 2, 3), 2), ((1, 2), 2), ((1, 2), 1)])
def test_a_threshold_of_roots_opens(empty: Ledger, roots: tuple[int, ...], threshold: int) -> None:
    """As many root persons sign index 0 as the threshold asks for."""
    opened(empty, *roots, threshold=threshold)
    entry = load_entry(empty.store.entries(0, 1)[0])
    assert entry.statement is not None
    assert 1 + len(entry.statement.with_) == threshold == len(entry.leaf.sigs)
    assert empty.refresh().authority.threshold == threshold


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"threshold": 2}, "THRESHOLD"),
        ({"threshold": 3}, "THRESHOLD"),
        ({"origin": "ledger.example/other"}, "LOG"),
        ({"log_keys": [format_vkey(NoteSigner(ORIGIN, seed("other")).key)]}, "LOG_KEYS"),
        ({"root_keys": [*data(1)["root_keys"], *data(1)["root_keys"]]}, "ROOT_KEYS"),
        ({"root_keys": data(2)["root_keys"]}, "KEY_UNKNOWN"),
    ],
)
def test_an_opening_that_is_not_whole_is_refused(empty: Ledger, changes: dict[str, Any], code: str) -> None:
    """Too few signers, another log's origin or keys, a root twice, a signer who is no root: nothing opens."""
    with pytest.raises(LedgerError) as caught:
        say(empty, root(1), "ledger.opened", "study", {**data(1, 2), **changes})
    assert caught.value.code == code
    assert empty.store.head().size == 0
    opened(empty, 1)


@pytest.mark.parametrize(
    ("key", "code"),
    [
        ({"grade": "custodial"}, "GRADE"),
        ({"grade": "passkey"}, "GRADE"),
        ({"person": "service"}, "ROOT_KEYS"),
    ],
)
def test_root_keys_are_of_persons_with_keys_of_their_own(
    empty: Ledger, key: dict[str, Any], code: str
) -> None:
    """Neither held by the service, nor the service's, nor of a kind that they are not."""
    value = data(1)
    value["root_keys"][0]["key"] |= key
    with pytest.raises(RefusedError) as caught:
        say(empty, root(1), "ledger.opened", "study", value)
    codes = {caught.value.code}
    assert codes <= {code, "ACTOR"}
    assert empty.store.head().size == 0


@pytest.mark.parametrize(
    ("members", "code"),
    [
        ({"meaning": "authorship"}, "MEANING_NOT_ALLOWED"),
        ({"actor": {"id": "root1", "name": "Someone", "organisation": "Sponsor", "role": "root"}}, "ACTOR"),
        ({"actor": {"id": "root1", "name": "Root 1", "organisation": "Sponsor", "role": "auditor"}}, "ACTOR"),
    ],
)
def test_the_opening_is_approved_by_a_root_as_printed(
    empty: Ledger, members: dict[str, Any], code: str
) -> None:
    """Meaning, name and role of who opens are those of the page and of `root_keys`."""
    with refused(code):
        say(empty, root(1), "ledger.opened", "study", data(1), **members)


def test_one_key_does_not_sign_for_two(empty: Ledger) -> None:
    """The same key twice is no threshold of two, and no signature set."""
    with pytest.raises(LedgerError) as caught:
        say(empty, root(1), "ledger.opened", "study", data(1, 2, threshold=2), key_of("root 1"))
    assert caught.value.code in ("THRESHOLD", "SIGNATURE_SET")
    assert empty.store.head().size == 0


def test_nothing_comes_before_the_opening_and_none_after_it(empty: Ledger) -> None:
    """Index 0 is `ledger.opened`, and no other index is."""
    with pytest.raises(LedgerError):
        say(empty, root(1), "account.created", "person/service", account("service"))
    opened(empty, 1)
    with refused("GENESIS", field="/type"):
        say(empty, root(1), "ledger.opened", "study", data(1))


def test_the_service_comes_at_indexes_one_and_two(empty: Ledger) -> None:
    """Nobody else's account or key stands there, and none of a person's grade."""
    say(empty, root(1), "ledger.opened", "study", data(1))
    with refused("GENESIS"):
        say(empty, root(1), "account.created", "person/ann", account("ann"))
    say(empty, root(1), "account.created", "person/service", account("service", "Service", "Operator"))
    with refused("GENESIS"):
        say(empty, root(1), "account.created", "person/ann", account("ann"))
    service = key_of("service")
    with refused("GRADE"):
        value = enrolment(service, "service", "client")
        say(empty, root(1), "key.enrolled", "person/service", value, service)
    say(empty, root(1), "key.enrolled", "person/service", enrolment(service, "service", "service"), service)
    assert empty.store.head().size == 3  # and no refusal is recorded before there is a service
    with refused("ROLE_NOT_ALLOWED"):
        say(empty, root(1), "enrolment.opened", "study", {"cap": 1, "sites": ["*"]})
    assert [entry.type for entry in empty.store.entries(3, 9)] == ["command.refused"]


def test_every_entry_of_an_opening_is_judged_clean(empty: Ledger) -> None:
    """The verifier's fold finds nothing against genesis."""
    opened(empty, 1, 2, threshold=2)
    authority = empty.refresh().authority
    folded = INITIAL
    for stored in empty.store.entries(0, 10):
        entry = load_entry(stored)
        assert judge(folded, entry) == ()
        folded = evolve(folded, entry)
    assert folded == authority
