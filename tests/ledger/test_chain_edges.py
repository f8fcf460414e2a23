"""Order and linkage by themselves: each edge of what `chain` takes, with the code and the member (§2, §4)."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from ledger.chain import NO_HEAD, Chain, StreamHead
from ledger.entry import Entry, Index
from ledger.envelope import EventHash
from ledger.leaf import ZERO_SALT, parse_leaf, stream_tag
from ledger.members import KeyRef
from ledger.statement import ZERO_HASH, parse_statement
from tests.shared import VECTORS

EVENTS = json.loads((VECTORS / "record-format.json").read_bytes())["events"]
LEAF = parse_leaf(EVENTS[0]["leaf"].encode())
STATEMENT = parse_statement(EVENTS[0]["statement"].encode())
TAG, SITE, ROOT = STATEMENT.tag, "SA-01", STATEMENT.seen.root
OTHER_KEY = KeyRef(alg="ed25519", id="sha256:" + "cd" * 32)


def entry(index: int = 0, *, at: str = LEAF.at, **members: Any) -> Entry:
    """Make an entry out of the vectors' first, with other members in the statement, and its labels."""
    statement = replace(STATEMENT, **members)
    event = EventHash(f"{index:064x}")
    leaf = replace(LEAF, index=index, at=at, site=statement.site or "", stream=statement.tag)
    return Entry(index=Index(index), leaf=leaf, event=event, statement=statement)


def withheld(index: int, site: str = SITE) -> Entry:
    """Make an entry of the same stream whose statement is not shown."""
    shown = entry(index)
    return replace(shown, leaf=replace(shown.leaf, site=site), statement=None)


def seen(size: int, root: bytes = ROOT) -> Any:
    """Make a `seen` member."""
    return replace(STATEMENT.seen, size=size, root=root)


def after(*entries: Entry) -> Chain:
    """Fold entries in."""
    chain = Chain()
    for each in entries:
        chain.advance(each)
    return chain


def problems(chain: Chain, candidate: Entry) -> list[tuple[str, str | None]]:
    """Return code and member of what is wrong with an entry; every root is the vectors' own."""
    return [(each.code, each.field) for each in chain.check(candidate, lambda size: ROOT)]


def second(**members: Any) -> Entry:
    """Make the entry that rightly follows the first."""
    return entry(1, **{"seq": 2, "prev": f"{0:064x}", "seen": seen(1), **members})


def test_the_first_entry_and_the_one_after_it_fit() -> None:
    """Index 0 has seen nothing; index 1 names the event, the seq and the tree before it."""
    assert problems(Chain(), entry()) == []
    assert problems(after(entry()), second()) == []


@pytest.mark.parametrize(
    ("members", "found"),
    [
        ({"seq": 3}, [("SEQ", "/seq")]),
        ({"seq": 1}, [("SEQ", "/seq")]),
        ({"prev": ZERO_HASH[:-1] + "1"}, [("PREV", "/prev")]),
        ({"site": "SA-02"}, [("SITE", "/site")]),
        ({"seen": seen(2)}, [("SEEN_SIZE", "/seen/size")]),
        ({"seen": seen(0)}, [("SEEN_SIZE", "/seen/size")]),
        ({"seen": seen(1, bytes(32))}, [("SEEN_ROOT", "/seen/root")]),
    ],
)
def test_each_defect_has_its_code_and_member(
    members: dict[str, Any], found: list[tuple[str, str | None]]
) -> None:
    """One wrong member gives one problem, which names it."""
    assert problems(after(entry()), second(**members)) == found


@pytest.mark.parametrize(("size", "right"), [(0, True), (1, False)])
def test_index_0_has_seen_nothing(size: int, right: bool) -> None:
    """Size 0 is for the first leaf alone, which has nothing else to have seen."""
    assert problems(Chain(), entry(seen=seen(size))) == ([] if right else [("SEEN_SIZE", "/seen/size")])


def test_a_leaf_stands_where_the_log_ends() -> None:
    """An index skipped is an index wrong; nothing else is said of it."""
    chain = after(entry())
    moved = replace(second(), leaf=replace(second().leaf, index=2))
    assert problems(chain, moved) == [("INDEX", None)]


def test_time_may_stand_still_and_not_go_back() -> None:
    """Two leaves of one instant are in order."""
    chain = after(entry(at="2026-01-05T08:00:02.000001Z"))
    assert problems(chain, second(at="2026-01-05T08:00:02.000001Z")) == []
    assert problems(chain, second(at="2026-01-05T08:00:02.000000Z")) == [("AT", None)]


def test_a_known_stream_under_another_tag() -> None:
    """The stream's name decides: a second tag hides part of it from whoever holds the first."""
    chain = after(entry())
    found = problems(chain, second(tag="ab" * 32, seq=1, prev=ZERO_HASH))
    assert found == [("TWO_TAGS", "/tag")]


def test_a_known_tag_under_another_stream() -> None:
    """The tag of one stream is not the tag of another."""
    chain = after(entry())
    assert problems(chain, second(stream="participant/SA-01-008")) == [("TAG", "/tag")]


def test_an_unsalted_streams_tag_can_be_computed() -> None:
    """Of a stream whose id is no secret only the tag under the zero salt is right."""
    right = stream_tag("site/SA-01", ZERO_SALT)
    assert problems(Chain(), entry(stream="site/SA-01", tag=right)) == []
    assert problems(Chain(), entry(stream="site/SA-01", tag="ab" * 32)) == [("TAG", "/tag")]


def test_the_head_of_a_stream_by_its_name_and_by_its_tag() -> None:
    """Both ways lead to the newest event."""
    chain = after(entry(), second())
    head = StreamHead(seq=2, event=f"{1:064x}", stream=STATEMENT.stream, site=SITE)
    assert chain.head(TAG) == chain.head_of(STATEMENT.stream) == head
    assert chain.head("ab" * 32) == chain.head_of("study") == NO_HEAD
    assert (chain.size, chain.at) == (2, LEAF.at)


def test_a_stream_keeps_the_tag_that_it_had_first() -> None:
    """A second tag, found and folded all the same, does not take the first one's place."""
    chain = after(entry(), second(tag="ab" * 32))
    assert chain.tags == {STATEMENT.stream: TAG}


def test_what_a_key_has_seen_only_grows() -> None:
    """Of every key that signs the largest size is kept, of those in `with` too."""
    both = entry(5, seen=seen(5), with_=(OTHER_KEY,))
    chain = after(both, entry(6, seen=seen(4)))
    assert chain.seen == {STATEMENT.key.id: 5, OTHER_KEY.id: 5}
    assert after(both, entry(6, seen=seen(6))).seen == {STATEMENT.key.id: 6, OTHER_KEY.id: 5}


@pytest.mark.parametrize(("size", "right"), [(4, False), (5, True), (6, True)])
@pytest.mark.parametrize("who", ["key", "with"])
def test_no_signer_has_seen_less_than_before(who: str, size: int, right: bool) -> None:
    """The same size again is no step back; one signer of several is enough to be behind."""
    chain = after(entry(5, seen=seen(5)))
    members = {"key": OTHER_KEY, "with_": (STATEMENT.key,)} if who == "with" else {}
    candidate = entry(6, seq=2, prev=f"{5:064x}", seen=seen(size), **members)
    assert problems(chain, candidate) == ([] if right else [("SEEN_BACK", "/seen/size")])


def test_a_withheld_statement_is_known_by_its_leaf_alone() -> None:
    """In a stream that nobody has seen yet, neither its name nor its site is known afterwards."""
    chain = after(withheld(0))
    assert chain.head(TAG) == StreamHead(seq=1, event=f"{0:064x}", stream=None, site=None, hidden=True)
    assert problems(chain, replace(withheld(1), leaf=replace(withheld(1).leaf, index=2))) == [("INDEX", None)]
    assert problems(chain, withheld(1)) == []


def test_a_withheld_transfer_moves_the_site() -> None:
    """Behind a withheld statement, which may be a transfer, a withheld leaf may have another site."""
    chain = after(entry(), withheld(1), withheld(2, "SA-02"))
    expected = StreamHead(seq=3, event=f"{2:064x}", stream=STATEMENT.stream, site="SA-02", hidden=True)
    assert chain.head(TAG) == expected


def test_a_withheld_leaf_of_a_wrong_site_moves_nothing() -> None:
    """After a shown statement that is no transfer the site stays, whatever a leaf claims."""
    chain = after(entry(), withheld(1, "SA-02"))
    assert chain.head(TAG).site == SITE


@pytest.mark.parametrize(
    ("head", "site", "taken"),
    [
        (StreamHead(seq=1, event="", stream=None, site=None), "SA-02", True),
        (StreamHead(seq=1, event="", stream="participant/1", site="SA-01"), "SA-01", True),
        (StreamHead(seq=1, event="", stream="participant/1", site="SA-01"), "SA-02", False),
        (StreamHead(seq=1, event="", stream="participant/1", site="SA-01", hidden=True), "SA-02", True),
        (StreamHead(seq=1, event="", stream="pharmacy/SA-01", site="SA-01", hidden=True), "SA-02", False),
        (StreamHead(seq=1, event="", stream=None, site="SA-01", hidden=True), "SA-02", False),
        (StreamHead(seq=1, event="", stream="participant/1", site="SA-01"), None, False),
    ],
)
def test_which_site_may_come_next(head: StreamHead, site: str | None, taken: bool) -> None:
    """The site may have changed unseen in a participant's stream, behind a withheld statement, only."""
    assert head.takes(site) is taken


def test_a_transfer_names_the_site_of_what_follows() -> None:
    """The statement itself stands under the old site, the next one under the new."""
    moved = second(type="participant.transferred", data={"to": "SA-02"})
    chain = after(entry(), moved)
    assert problems(after(entry()), moved) == []
    assert chain.head(TAG).site == "SA-02"
    assert chain.head(TAG).hidden is False
    third = entry(2, seq=3, prev=f"{1:064x}", seen=seen(2), site="SA-02")
    assert problems(chain, third) == []


@pytest.mark.parametrize(
    ("type_", "data"),
    [("dose.administered", {"to": "SA-02"}), ("participant.transferred", {"to": 2}), ("x.y", {})],
)
def test_nothing_else_moves_the_site(type_: str, data: dict[str, Any]) -> None:
    """A member of this name elsewhere, or of another form, says nothing about the site."""
    assert after(entry(), second(type=type_, data=data)).head(TAG).site == SITE


def test_a_statement_of_a_wrong_site_moves_nothing() -> None:
    """It is found where it stands; the stream's site stays what it was."""
    assert after(entry(), second(site="SA-02")).head(TAG).site == SITE
