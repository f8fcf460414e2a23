"""fsck finds every change made behind the write path, with its index, and finds nothing in a sound store."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.checkpoint import Checkpoint, format_body, publish, sign_head
from ledger.datakeys import DataKeys
from ledger.erasing import erase
from ledger.fsck import CODES, Checker, Damage, check_storage, fsck
from ledger.note import Ed25519Cosigner, format_vkey
from ledger.reread.damage import Found, told
from ledger.reread.walk import Walk
from ledger.store.checkpoints import CheckpointFile
from ledger.store.port import Reads
from ledger.store.sqlite import SqliteStore
from ledger.witness.keeping import Cosignatures
from tests.behind import altering, reading
from tests.ledger.erasing import approve, named
from tests.ledger.small_ledger import SmallLedger, make, seed

FILES = ("ledger.db", "checkpoints.db", "datakeys.db")


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, SmallLedger]:
    """A closed ledger with two published checkpoints."""
    place = tmp_path_factory.mktemp("ledger") / "d"
    made = make(place, participants=8)
    made.publish()
    data = {"date": "2024-06-04", "person": "bchan", "topic": "pump"}
    made.say("pump", "root", "root", "verification", "training.recorded", "person/bchan", data)
    made.ledger.close()
    return place, made


Check = Callable[..., list[Damage]]


@pytest.fixture
def place(sound: tuple[Path, SmallLedger], tmp_path: Path) -> Path:
    """A copy of the ledger's files, to damage."""
    return copy(sound[0], tmp_path / "copy")


def copy(source: Path, target: Path) -> Path:
    """Copy the ledger's files."""
    target.mkdir()
    for name in FILES:
        shutil.copy(source / name, target / name)
    return target


def check(place: Path, made: SmallLedger, checkers: Iterable[Checker] = ()) -> list[Damage]:
    """Open what lies there and run fsck."""
    store = SqliteStore.open(place / "ledger.db")
    checkpoints = CheckpointFile(place / "checkpoints.db")
    keys = made.ledger.signers.verifier_keys
    data_keys = DataKeys(place / "datakeys.db", seed("kek"), bytes)
    try:
        return fsck(store, checkpoints, data_keys, keys, checkers)
    finally:
        store.close()
        checkpoints.close()
        data_keys.close()


def change(place: Path, sql: str, *parameters: object, file: str = "ledger.db") -> None:
    """Change a database as a superuser would: its triggers dropped, its checks ignored."""
    with altering(place / file) as store:
        assert store.execute(sql, parameters).rowcount


def codes(damage: list[Damage]) -> set[tuple[str, int | None]]:
    """Return codes with their indexes."""
    assert {each.code for each in damage} <= CODES.keys()
    return {(each.code, each.index) for each in damage}


def test_sound_store_has_no_damage(place: Path, sound: tuple[Path, SmallLedger]) -> None:
    """Nothing is found where nothing was changed."""
    assert check(place, sound[1]) == []


@pytest.mark.parametrize(
    ("column", "value", "code"),
    [
        ("at", "2024-06-03T08:00:00.000001Z", "LEAF"),
        ("type", "visit.missed", "COLUMNS"),
        ("schema", 2, "COLUMNS"),
        ("id", "0199f0c2-7a50-7c3e-8f57-5d0b7f000000", "COLUMNS"),
        ("seq", 99, "COLUMNS"),
        ("event", bytes(32), "STATEMENT_HASH"),
        ("statement", b"{}", "STATEMENT"),
        ("leaf", b"{}", "STATEMENT"),
    ],
)
def test_changed_column_is_named(
    place: Path, sound: tuple[Path, SmallLedger], column: str, value: object, code: str
) -> None:
    """Each column of an event is compared with what was signed and committed to."""
    at = sound[1].at["vitals SA-01-007"]
    change(place, f"UPDATE events SET {column} = ? WHERE idx = ?", value, at)
    assert (code, at) in codes(check(place, sound[1]))


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, SmallLedger]:
    """A smaller one, for many runs."""
    place = tmp_path_factory.mktemp("small") / "d"
    made = make(place, participants=1)
    made.ledger.close()
    return place, made


@settings(max_examples=40)
@given(data=st.data())
def test_no_changed_byte_passes(
    data: st.DataObject, small: tuple[Path, SmallLedger], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """One byte changed in any statement, leaf, event hash or tile hash is found, with its index."""
    table, column, where = data.draw(
        st.sampled_from(
            [
                ("events", "statement", "idx"),
                ("events", "leaf", "idx"),
                ("events", "event", "idx"),
                ("tile_hashes", "hash", "level = 0 AND position"),
            ]
        )
    )
    index = data.draw(st.integers(0, small[1].at["correction SA-01-001"]))
    place = copy(small[0], tmp_path_factory.mktemp("flip") / "copy")
    with reading(place / "ledger.db") as store:
        (content,) = store.execute(f"SELECT {column} FROM {table} WHERE {where} = ?", (index,)).fetchone()
    changed = bytearray(content)
    changed[data.draw(st.integers(0, len(changed) - 1))] ^= data.draw(st.integers(1, 255))
    change(place, f"UPDATE {table} SET {column} = ? WHERE {where} = ?", bytes(changed), index)
    assert index in {each.index for each in check(place, small[1])}


def test_changed_hash_of_a_higher_tile(tmp_path: Path) -> None:
    """In a log of more than one tile, a hash above the leaves is recomputed from them."""
    made = make(tmp_path / "d", participants=34)
    made.ledger.close()
    assert check(tmp_path / "d", made) == []
    change(tmp_path / "d", "UPDATE tile_hashes SET hash = ? WHERE level = 1", bytes(32))
    assert codes(check(tmp_path / "d", made)) == {("TILE", 0)}


def test_deleted_entry(place: Path, sound: tuple[Path, SmallLedger]) -> None:
    """An index without a row is named."""
    at = sound[1].at["vitals SA-01-007"]
    change(place, "DELETE FROM events WHERE idx = ?", at)
    assert ("ENTRY_MISSING", at) in codes(check(place, sound[1]))


def test_swapped_entries(place: Path, sound: tuple[Path, SmallLedger]) -> None:
    """Two statements that changed places are both found."""
    first, second = sound[1].at["vitals SA-01-007"], sound[1].at["vitals SA-01-008"]
    with reading(place / "ledger.db") as store:
        rows = store.execute("SELECT idx, leaf FROM events WHERE idx IN (?, ?)", (first, second))
        leaves = dict(rows.fetchall())
    change(place, "UPDATE events SET leaf = ? WHERE idx = ?", leaves[second], first)
    change(place, "UPDATE events SET leaf = ? WHERE idx = ?", leaves[first], second)
    assert {("LEAF", first), ("LEAF", second), ("TILE", first)} <= codes(check(place, sound[1]))


@pytest.mark.parametrize("column", ["root", "frontier", "note"])
def test_changed_head(place: Path, sound: tuple[Path, SmallLedger], column: str) -> None:
    """Each commit's head is compared with the tree of its size, and its note verified."""
    at = sound[1].at["protocol"]
    value = {"root": bytes(32), "frontier": bytes(8), "note": b"x\n\n"}[column]
    change(place, f"UPDATE log_head SET {column} = ? WHERE size = ?", value, at + 1)
    assert codes(check(place, sound[1])) == {("HEAD", at)}


def test_one_lost_entry_is_told_in_a_few_lines(place: Path, sound: tuple[Path, SmallLedger]) -> None:
    """Every head after it is wrong: an operator reads what was lost, not a line for each of these."""
    made, at = sound[1], sound[1].at["protocol"]
    change(place, "DELETE FROM events WHERE idx = ?", at)
    damages = check(place, made)
    lines = list(told(damages))
    assert f"ENTRY_MISSING index {at} in events: no row has this index" in lines
    assert sum(line.startswith(f"HEAD index {at} to ") for line in lines) == 2
    assert len(lines) < len(damages) // 4


def test_indexes_of_one_kind_of_damage_are_told_as_spans() -> None:
    """Neighbours are one span, and what does not fit into a line is counted; nothing else is lost."""
    found = Found()
    for index in (3, 4, 5, 9, *range(20, 80, 2), 4):
        found.bad("LEAF", index, "events", "it is bent")
    found.bad("CHECKPOINT", None, "checkpoints", "there is none")
    spans = ", ".join(str(index) for index in range(20, 32, 2))
    assert list(told(found)) == [
        f"LEAF index 3 to 5, 9, {spans} and 24 more in events: it is bent",
        "CHECKPOINT in checkpoints: there is none",
    ]


def test_head_that_is_missing(place: Path, sound: tuple[Path, SmallLedger]) -> None:
    """Heads follow one another: where one is missing, the index that it covered is named."""
    at = sound[1].at["protocol"]
    change(place, "DELETE FROM log_head WHERE size = ?", at + 1)
    assert codes(check(place, sound[1])) == {("HEAD", at)}


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE streams SET salt = zeroblob(32) WHERE stream = 'participant/SA-01-007'",
        "UPDATE streams SET tag = zeroblob(32) WHERE stream = 'participant/SA-01-007'",
        "DELETE FROM streams WHERE stream = 'participant/SA-01-007'",
        "INSERT INTO streams VALUES ('participant/SA-01-999', randomblob(32), randomblob(32))",
    ],
)
def test_changed_stream(place: Path, sound: tuple[Path, SmallLedger], sql: str) -> None:
    """Salts and tags are those of the leaves, one for each stream of the log."""
    change(place, sql)
    assert "STREAM" in {code for code, _ in codes(check(place, sound[1]))}


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM guards WHERE kind = 'participant' AND key = 'SA-01-007'",
        "UPDATE guards SET idx = idx + 1 WHERE kind = 'participant' AND key = 'SA-01-007'",
        "INSERT INTO guards VALUES ('participant', 'SA-01-999', 3)",
    ],
)
def test_changed_guard(place: Path, sound: tuple[Path, SmallLedger], sql: str) -> None:
    """Guard rows are those that the log gives."""
    change(place, sql)
    assert {code for code, _ in codes(check(place, sound[1]))} == {"GUARD"}


@pytest.mark.parametrize(
    ("sql", "code"),
    [
        ("UPDATE disclosures SET ciphertext = zeroblob(272) WHERE path = '/data/sex'", "DISCLOSURE"),
        ("UPDATE disclosures SET scope = 'freetext' WHERE path = '/data/sex'", "DISCLOSURE"),
        ("UPDATE disclosures SET path = '/data/arm' WHERE path = '/data/sex'", "DISCLOSURE"),
        ("DELETE FROM disclosures WHERE path = '/data/sex'", "DISCLOSURE_MISSING"),
    ],
)
def test_changed_disclosure(place: Path, sound: tuple[Path, SmallLedger], sql: str, code: str) -> None:
    """Every sealed value opens to its digest, or an erasure in the log says why it is gone."""
    change(place, sql)
    assert (code, sound[1].at["demographics SA-01-001"]) in codes(check(place, sound[1]))


@pytest.mark.parametrize("sql", ["UPDATE attachments SET data = x'00'", "DELETE FROM attachments"])
def test_changed_attachment(place: Path, sound: tuple[Path, SmallLedger], sql: str) -> None:
    """Attachments are the bytes that statements name."""
    change(place, sql)
    made = sound[1]
    expected = {("ATTACHMENT", made.at["protocol"]), ("ATTACHMENT", made.at["form"])}
    assert expected <= codes(check(place, made))


def test_checkpoint_of_another_history(place: Path, sound: tuple[Path, SmallLedger]) -> None:
    """A published checkpoint that this log never had is found."""
    made = sound[1]
    size = made.at["pump"] + 1
    tree = Checkpoint(origin=made.ledger.origin, size=size, root=bytes(32))
    note = publish(sign_head(tree, made.ledger.signers.head), made.ledger.signers.published, 1_717_400_000)
    change(place, "UPDATE checkpoints SET note = ? WHERE size = ?", note, size, file="checkpoints.db")
    assert codes(check(place, made)) == {("CHECKPOINT", size - 1)}


def test_older_copy_of_the_events(place: Path, sound: tuple[Path, SmallLedger]) -> None:
    """A log that is behind its published checkpoint is found."""
    made = sound[1]
    size = made.at["pump"] + 1
    change(place, "DELETE FROM log_head WHERE size = ?", size)
    change(place, "DELETE FROM events WHERE idx = ?", size - 1)
    change(place, "DELETE FROM tile_hashes WHERE level = 0 AND position = ?", size - 1)
    assert codes(check(place, made)) == {("CHECKPOINT", None)}


def test_further_checkers_see_the_same_snapshot(place: Path, sound: tuple[Path, SmallLedger]) -> None:
    """A checker of projections adds what it finds."""

    def checker(reads: Reads) -> list[Damage]:
        return [Damage(code="PROJECTION", index=reads.head().size - 1, where="timeline", detail="differs")]

    assert codes(check(place, sound[1], [checker])) == {("PROJECTION", sound[1].at["pump"])}


@pytest.mark.parametrize(
    ("sql", "table"),
    [
        ("INSERT INTO guards VALUES ('another', 'SA-01-999', 3)", "guards"),
        ("INSERT INTO tile_hashes VALUES (1, 0, zeroblob(32))", "tile_hashes"),
        (
            (
                "INSERT INTO disclosures (event, path, scope, stream, erased, nonce, ciphertext)"
                " VALUES (zeroblob(32), '/data/sex', 'freetext', 'study', FALSE, zeroblob(12), zeroblob(272))"
            ),
            "disclosures",
        ),
    ],
)
def test_rows_that_belong_to_nothing(
    place: Path, sound: tuple[Path, SmallLedger], sql: str, table: str
) -> None:
    """A row that no entry of the log accounts for is found by its table."""
    change(place, sql)
    [damage] = check(place, sound[1])
    assert (damage.code, damage.where) == ("STRAY", table)


def test_slots_that_lie_ready_are_no_strays(place: Path, sound: tuple[Path, SmallLedger]) -> None:
    """Slots are kept before the list that they are of is committed."""
    change(
        place,
        "INSERT INTO slots (list, idx, stratum, commitment, proof, erased, nonce, ciphertext)"
        " VALUES ('l', 0, 's', zeroblob(32), x'', FALSE, x'', x'')",
    )
    assert check(place, sound[1]) == []


def test_a_pass_in_steps_finds_the_same(place: Path, sound: tuple[Path, SmallLedger]) -> None:
    """Read a few entries at a time, each time in another snapshot, the same damage is found."""
    at = sound[1].at["vitals SA-01-007"]
    change(place, "UPDATE events SET type = 'visit.missed' WHERE idx = ?", at)
    change(place, "DELETE FROM guards WHERE kind = 'participant' AND key = 'SA-01-003'")
    change(place, "UPDATE tile_hashes SET hash = zeroblob(32) WHERE level = 0 AND position = 40")
    store = SqliteStore.open(place / "ledger.db")
    checkpoints = CheckpointFile(place / "checkpoints.db")
    with DataKeys(place / "datakeys.db", seed("kek"), bytes) as data_keys:
        walk = Walk(data_keys, sound[1].ledger.signers.verifier_keys, checkpoints)
        while walk.size < store.head().size:
            with store.snapshot() as reads:
                walk.step(reads, min(walk.size + 7, reads.size))
        with store.snapshot() as reads:
            damage = walk.finish(reads, checkpoints.latest())
    store.close()
    checkpoints.close()
    assert len(damage) == 3
    assert sorted(map(str, damage)) == sorted(map(str, check(place, sound[1])))


def test_a_pass_while_the_log_grows(tmp_path: Path) -> None:
    """What is recorded between two steps is read in the same pass, and nothing is found."""
    made = make(tmp_path / "d", participants=1)
    ledger = made.ledger
    walk = Walk(ledger.data_keys, ledger.signers.verifier_keys, ledger.checkpoints)
    for number in range(3):
        with ledger.store.snapshot() as reads:
            walk.step(reads, reads.size)
        data = {"date": "2024-06-04", "person": "bchan", "topic": f"pump {number}"}
        made.say("pump", "root", "root", "verification", "training.recorded", "person/bchan", data)
        made.publish()
    published = ledger.checkpoints.latest()
    with ledger.store.snapshot() as reads:
        assert walk.finish(reads, published) == []
    assert walk.size == ledger.store.head().size


def cosigned(
    place: Path, made: SmallLedger, size: int, root: bytes, witness: Ed25519Cosigner
) -> Cosignatures:
    """Return lines of a witness over a tree."""
    text = format_body(Checkpoint(origin=made.ledger.origin, size=size, root=root))
    kept = Cosignatures.create(place / "witnessed.db")
    kept.put(size, witness.key, witness.sign(text, 1_717_400_000))
    return kept


@pytest.mark.parametrize(
    ("beyond", "other_root", "expected"),
    [(0, False, set()), (0, True, {"WITNESSED"}), (5, False, {"WITNESSED"})],
)
def test_lines_of_witnesses(tmp_path: Path, beyond: int, other_root: bool, expected: set[str]) -> None:
    """A witness's line is over this log's tree of its size; one of a larger log shows an older copy."""
    made = make(tmp_path / "d", participants=0)
    witness = Ed25519Cosigner("witness.example/w", seed("witness"))
    policy = f"witness W1 {format_vkey(witness.key)} http://127.0.0.1:9/\nquorum none\n"
    made.say("witnesses", "root", "root", "approval", "policy.changed", "study", {"witness_policy": policy})
    head = made.ledger.store.head()
    with closing(
        cosigned(tmp_path, made, head.size + beyond, bytes(32) if other_root else head.root, witness)
    ) as kept:
        damage = fsck(
            made.ledger.store,
            made.ledger.checkpoints,
            made.ledger.data_keys,
            made.ledger.signers.verifier_keys,
            witnessed=kept,
        )
    assert {each.code for each in damage} == expected


def test_a_live_key_after_its_last_value_was_erased(tmp_path: Path) -> None:
    """A key that would open old copies is named until somebody asks for the erasure again."""
    made = make(tmp_path / "d", participants=1)
    statement = named(made, "correction SA-01-001")
    approvals = approve(made, statement, "/reason/text")
    erased = erase(made.ledger, approvals)
    assert check_storage(made.ledger) == []
    made.ledger.data_keys.key_for(*erased.keys[0])
    [damage] = check_storage(made.ledger)
    assert (damage.code, damage.index, damage.where) == ("ERASURE_UNDONE", erased.index, "data keys")
    erase(made.ledger, approvals)
    assert check_storage(made.ledger) == []
