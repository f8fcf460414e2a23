"""What goes the quick way has nothing wrong by itself, and says all that is asked of it in its row."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

import pytest

from ledger.actions.registry import find_spec
from ledger.authority import INITIAL, Authority, evolve
from ledger.fold import load_entry
from ledger.verify.form import Examined, examine, examine_all, examined
from ledger.verify.references import reference_members, references
from ledger.verify.rows import Right, holds, read
from tests.ledger.forgery import Forgery, key_of
from tests.ledger.small_ledger import SmallLedger, make

OTHER = "0a" * 32
VITALS, DEMOGRAPHICS = "vitals SA-01-002", "demographics SA-01-002"
BCHAN = {"id": "bchan", "name": "B. Chan", "organisation": "Site SA-01", "role": "coordinator"}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> SmallLedger:
    """One small ledger for the whole file."""
    return make(tmp_path_factory.mktemp("rows") / "d")


@pytest.fixture
def real(made: SmallLedger, tmp_path_factory: pytest.TempPathFactory) -> Forgery:
    """Its bundle in memory, to be changed."""
    return Forgery(made, tmp_path_factory.mktemp("bundle") / "b")


@pytest.fixture(scope="module")
def authority(made: SmallLedger) -> Authority:
    """Who may do what as of the ledger's end."""
    known = INITIAL
    for stored in made.ledger.store.entries(0, made.ledger.store.head().size):
        known = evolve(known, load_entry(stored))
    return known


def told(real: Forgery, index: int, authority: Authority) -> object:
    """Examine one position; what is no row is what the long way says of it."""
    leaf, payload = real.leaves[index], real.payloads[index]
    (found,) = examine_all(index, [leaf], [payload], authority)
    if isinstance(found, Right):
        assert examined(found) == examine(index, leaf, payload, authority)
    return found


def added(real: Forgery, like: int, **changes: Any) -> int:
    """Add a statement like another but for some members, signed by its own coordinator."""
    return real.append(real.draft(like, **changes), [key_of("bchan")])


def test_a_row_says_what_leaf_and_statement_say(
    made: SmallLedger, real: Forgery, authority: Authority
) -> None:
    """Every member that is asked of a position, of every row of a ledger."""
    rows = 0
    for index in range(real.size):
        found = told(real, index, authority)
        if not isinstance(found, Right):
            continue
        leaf, said = real.leaf(index), real.statement(index)
        rows += 1
        seen = said["seen"]
        named = said["data"].get("delegation") or said["data"].get("statement")
        kind = {"delegation.accepted": "delegation", "breach.detected": "statement"}.get(said["type"])
        assert found.row[:7] == (
            leaf["at"], leaf["statement"], said["id"], said["seq"], said["prev"], seen["size"],
            base64.b64decode(seen["root"]),
        )  # fmt: skip
        assert found.row[7] == said.get("sealed", {})
        assert found.row[8] == (((kind, named),) if kind else ())
        assert tuple(found.place) == (said["stream"], said["tag"], said["class"], said.get("site"))
        actor, key = said["actor"], said["key"]
        if index not in (made.at["protocol"], made.at["form"]):
            assert found.question == (
                said["type"], said["schema"], said["stream"].partition("/")[0], said.get("site"),
                said["meaning"], said["log"], actor["id"], actor["name"], actor["organisation"],
                actor["role"], key["alg"], key["id"],
            )  # fmt: skip
    assert rows > 40  # nearly every position is one


def test_what_names_attachments_is_asked_the_long_way(
    made: SmallLedger, real: Forgery, authority: Authority
) -> None:
    """No question is kept of it: whether its attachments are there is asked each time."""
    for label in ("protocol", "form"):
        found = told(real, made.at[label], authority)
        assert isinstance(found, Right)
        assert found.question == ()


@pytest.mark.parametrize(
    "change",
    [
        {"index": 42},
        {"index": 44},
        {"class": "control"},
        {"class": "restricted"},
        {"site": "SA-02"},
        {"site": ""},
        {"stream": OTHER},
        {"payload_type": "application/json"},
        {"statement": OTHER},
        {"v": 2},
    ],
    ids=lambda change: "-".join(map(str, *change.items())),
)
def test_a_leaf_that_says_otherwise_is_no_row(
    made: SmallLedger, real: Forgery, authority: Authority, change: dict[str, Any]
) -> None:
    """The log writes the leaf: what it says has to be what was signed, and where it stands."""
    index = made.at[VITALS]
    real.set_leaf(index, **change)
    assert not isinstance(told(real, index, authority), Right)


@pytest.mark.parametrize("member", ["key", "alg"])
def test_a_leaf_that_names_another_key_is_no_row(
    made: SmallLedger, real: Forgery, authority: Authority, member: str
) -> None:
    """The key that the leaf names is the key that the statement names."""
    index = made.at[VITALS]
    sig = real.leaf(index)["sigs"][0]
    other = {"key": key_of("aruiz").id, "alg": "p256"}[member]
    real.set_leaf(index, sigs=[{**sig, member: other}])
    assert not isinstance(told(real, index, authority), Right)


def test_a_signature_is_checked_under_the_key_that_the_log_knows(
    made: SmallLedger, real: Forgery, authority: Authority
) -> None:
    """Another's signature does not hold; neither does one by a key that is not known yet."""
    index = made.at[VITALS]
    good = read(index, real.leaves[index], real.payloads[index])
    assert good is not None
    assert holds(good, authority)
    assert not holds(good, INITIAL)
    swapped = real.leaf(made.at[DEMOGRAPHICS])["sigs"]
    real.set_leaf(index, sigs=swapped)
    bad = read(index, real.leaves[index], real.payloads[index])
    assert bad is not None
    assert not holds(bad, authority)
    found = told(real, index, authority)
    assert isinstance(found, Examined)
    assert found.unsigned is not None
    assert found.unsigned.code == "SIGNATURE"


FORMS: dict[str, tuple[str, Callable[[dict[str, Any]], dict[str, Any]]]] = {
    "another schema": (VITALS, lambda said: {"schema": 9}),
    "another type": (VITALS, lambda said: {"type": "vital_signs.guessed"}),
    "a stream of another kind": (VITALS, lambda said: {"stream": "site/SA-01", "class": "open"}),
    "a member too many": (VITALS, lambda said: {"data": {**said["data"], "mood": "good"}}),
    "a member too few": (VITALS, lambda said: {"data": {"source": said["data"]["source"]}}),
    "nothing measured": (VITALS, lambda said: {"data": {**said["data"], "measurements": "none"}}),
    "a sealed path too many": (
        DEMOGRAPHICS,
        lambda said: {"sealed": {**said["sealed"], "/data/weight": said["sealed"]["/data/sex"]}},
    ),
    "a sealed path too few": (
        DEMOGRAPHICS,
        lambda said: {"sealed": {path: said["sealed"][path] for path in ("/data/age_years", "/data/sex")}},
    ),
    "a reason's text that is not sealed": (VITALS, lambda said: {"reason": {"code": "superseded"}}),
}


@pytest.mark.parametrize("name", FORMS)
def test_data_of_another_form_are_no_row(
    made: SmallLedger, real: Forgery, authority: Authority, name: str
) -> None:
    """However well it is signed: what is wrong with it, the long way says."""
    label, change = FORMS[name]
    like = made.at[label]
    index = added(real, like, **change(real.statement(like)))
    found = told(real, index, authority)
    assert isinstance(found, Examined)
    assert found.misformed is not None or found.parsed.error is not None


def test_a_second_signer_is_no_row(made: SmallLedger, real: Forgery, authority: Authority) -> None:
    """A set of signatures is judged as a set, also where the leaf has the first of them alone."""
    second = key_of("aruiz")
    index = added(real, made.at[VITALS], **{"with": [{"alg": second.alg, "id": second.id}]})
    assert not isinstance(told(real, index, authority), Right)


def test_nothing_is_read_of_what_is_withheld_or_unreadable(made: SmallLedger, real: Forgery) -> None:
    """Whatever its leaf says."""
    index = made.at[VITALS]
    assert read(index, real.leaves[index], b"") is None
    assert read(index, real.leaves[index], None) is None


@pytest.mark.parametrize(
    "change",
    [
        {"actor": {**BCHAN, "id": "aruiz"}},
        {"actor": {**BCHAN, "name": "A. Ruiz"}},
        {"actor": {**BCHAN, "organisation": "Sponsor"}},
        {"actor": {**BCHAN, "role": "investigator"}},
        {"meaning": "review"},
        {"site": "SA-02"},
        {"log": "ledger.example/other"},
        {"key": {"alg": "ed25519", "id": key_of("aruiz").id}},
    ],
    ids=["person", "name", "organisation", "role", "meaning", "site", "log", "key"],
)
def test_who_signs_what_and_where_is_another_question_each_time(
    made: SmallLedger, real: Forgery, authority: Authority, change: dict[str, Any]
) -> None:
    """What was found in order once is asked again as soon as any part of it is another."""
    like = made.at[VITALS]
    same = told(real, added(real, like), authority)
    signer = key_of("aruiz" if "key" in change else "bchan")
    other = told(real, real.append(real.draft(like, **change), [signer]), authority)
    assert isinstance(same, Right)
    assert isinstance(other, Right)
    first = examine_all(like, [real.leaves[like]], [real.payloads[like]], authority)[0]
    assert isinstance(first, Right)
    assert same.question == first.question != other.question


def test_rows_go_by_the_clock_of_the_log(made: SmallLedger, real: Forgery, authority: Authority) -> None:
    """The time that must not go back is the leaf's, not what its signer says."""
    index = made.at[VITALS]
    real.set_leaf(index, at="2024-06-03T23:00:00.000000Z")
    found = told(real, index, authority)
    assert isinstance(found, Right)
    assert found.row[0] == "2024-06-03T23:00:00.000000Z"


NAMED = {
    "capa.opened": ["statements"],
    "delegation.accepted": ["delegation"],
    "investigator.handed_over": ["open_items", "unsigned"],
    "personal_data.erased": ["approvals", "statement"],
    "record.viewed": ["statements"],
    "backup.taken": ["destroyed"],
    "vital_signs.recorded": [],
    "account.created": [],
}


@pytest.mark.parametrize("type_", NAMED)
def test_the_members_that_name_an_event(type_: str) -> None:
    """One or many, given or left out as they may be: each event that is named has to be in the log."""
    known = find_spec(type_, 1)
    assert known is not None
    assert sorted(name for name, _ in reference_members(known.action)) == NAMED[type_]


def test_every_event_of_a_list_is_asked_for() -> None:
    """A list of statements names each of them, in its order."""
    frozen = find_spec("form.frozen", 1)
    assert frozen is not None
    data = {"authority": "Data management plan 4.2", "statements": [OTHER, "0b" * 32]}
    assert list(references(frozen.data.read(data))) == [("statements", OTHER), ("statements", "0b" * 32)]
