"""Seeds, parameters, list, slots and arms, checked from statements alone (record-format.md §8)."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

import pytest

from ledger.authority import INITIAL, Authority, Person
from ledger.entry import Entry, Index
from ledger.envelope import EventHash
from ledger.leaf import Leaf
from ledger.statement import Actor, KeyRef, Seen, Statement
from ledger.study.lists import build_list, list_seed, permuted_blocks, prove_slots, second_stage
from ledger.verify.findings import Finding
from ledger.verify.randomization import RandomizationJudge
from ledger.verify.tree import Roots

ORIGIN = "ledger.example/lists"
SEEDS = (hashlib.sha256(b"sponsor").digest(), hashlib.sha256(b"site").digest())
STRATA = ["SA-01", "SD-02"]
ARMS = {"ketamine": 1, "magnesium": 1}
BLOCKS = [2, 4]
SLOTS = 6
BEACON_SIZE = 8

ROOTS = Roots()
for _number in range(1, 60):
    ROOTS.append(hashlib.sha256(f"root {_number}".encode()).digest())

SEED = list_seed(ORIGIN, "main", SEEDS, ROOTS.at(BEACON_SIZE))
LIST = build_list(
    ORIGIN, "main", SEED, permuted_blocks(SEED, arms=ARMS, strata=STRATA, block_sizes=BLOCKS, slots=SLOTS)
)
SECOND_SEED = list_seed(ORIGIN, "stage2", SEEDS, ROOTS.at(BEACON_SIZE))
SECOND = build_list(
    ORIGIN,
    "stage2",
    SECOND_SEED,
    second_stage(
        SECOND_SEED, first=LIST.entries, from_arms=["magnesium"], arms={"a": 1, "b": 1}, block_sizes=[2]
    ),
)
AUTHORITY = Authority(
    persons={"service": Person(id="service", name="Ledger service", organisation="Operator")}
)


class Story:
    """Statements one after the other, and what the judge finds."""

    def __init__(self, authority: Authority = AUTHORITY) -> None:
        self.found: list[Finding] = []
        self.size = 5
        self._authority = authority
        self._judge = RandomizationJudge(ROOTS, self.found.append)

    def tell(
        self,
        type_: str,
        data: dict[str, Any],
        *,
        stream: str = "randomization/main",
        actor: tuple[str, str, str] = ("holder", "Statistics", "list_holder"),
        opened: dict[str, Any] | None = None,
    ) -> str:
        """Judge one statement; return its event hash."""
        event = EventHash(hashlib.sha256(f"event {self.size}".encode()).hexdigest())
        person, organisation, role = actor
        statement = Statement(
            log=ORIGIN, id="", type=type_, schema=1, cls="control", stream=stream, tag="", seq=1, prev="",
            site=None, protocol=None, occurred_at="", signed_at="",
            actor=Actor(id=person, name=person, organisation=organisation, role=role), originator=None,
            key=KeyRef(alg="ed25519", id=""), with_=(), meaning="authorship", reason_code=None,
            seen=Seen(root=b"", size=1), data=data, sealed={}, body=b"", event=event,
        )  # fmt: skip
        leaf = Leaf(
            at="",
            cls="control",
            index=self.size,
            payload_type="",
            sigs=(),
            site="",
            statement=event,
            stream="",
            v=1,
        )
        entry = Entry(index=Index(self.size), leaf=leaf, event=event, statement=statement)
        self._judge.judge(entry, opened or {}, self._authority)
        self.size += 1
        return event

    def withhold(self, *, cls: str = "open", site: str = "SA-01") -> None:
        """Pass a statement that is withheld."""
        leaf = Leaf(
            at="",
            cls=cls,
            index=self.size,
            payload_type="",
            sigs=(),
            site=site,
            statement=EventHash("ab" * 32),
            stream="",
            v=1,
        )
        self._judge.withhold(leaf)
        self.size += 1

    def codes(self) -> list[str]:
        """Finish, and return all codes but the notes that every story here has."""
        self._judge.finish()
        return [each.code for each in self.found if each.code != "BEACON_BY_OPERATOR"]

    def seeds(self, organisations: tuple[str, str] = ("Sponsor", "Site")) -> list[str]:
        """Commit to both seeds."""
        return [
            self.tell(
                "randomization.seed_committed",
                {"list": "main", "sha256": hashlib.sha256(seed).hexdigest()},
                actor=(f"person {organisation}", organisation, "sponsor_administrator"),
            )
            for seed, organisation in zip(SEEDS, organisations, strict=True)
        ]

    def parameters(self, contributors: list[str], **changes: Any) -> str:
        """Commit to the parameters."""
        data = {
            "algorithm": "permuted-blocks/1",
            "arms": [list(pair) for pair in ARMS.items()],
            "beacon_size": BEACON_SIZE,
            "contributors": contributors,
            "list": "main",
            "slots": SLOTS,
            "strata": STRATA,
            **changes,
        }
        return self.tell("randomization.parameters_committed", data)

    def commit(self, **changes: Any) -> str:
        """Commit to the list."""
        actor = changes.pop("actor", ("holder", "Statistics", "list_holder"))
        data = {
            "beacon": _text(ROOTS.at(BEACON_SIZE)),
            "list": "main",
            "root": _text(LIST.root),
            "size": LIST.size,
            **changes,
        }
        return self.tell("randomization.list_committed", data, actor=actor)

    def allocate(self, slot: int, *, participant: str = "", opened: str | None = None, **changes: Any) -> int:
        """Request and answer one allocation; return the index of the answer."""
        participant = participant or f"P{self.size}"
        request = self.ask(LIST.entries[slot].stratum, participant=participant)
        return self.answer(request, slot, participant=participant, opened=opened, **changes)

    def ask(self, stratum: str, *, participant: str) -> str:
        """Request an allocation; return the event hash of the request."""
        wish = {"list": "main", "stage": 1, "stratum": stratum}
        return self.tell("randomization.requested", wish, stream=f"participant/{participant}")

    def answer(
        self, request: str, slot: int, /, *, participant: str, opened: str | None = None, **changes: Any
    ) -> int:
        """Answer a request with a slot; return the index of the answer."""
        wish = {"list": "main", "stage": 1, "stratum": LIST.entries[slot].stratum}
        proof = [_text(each) for each in prove_slots(LIST)[slot].proof]
        data = {
            **wish, "commitment": LIST.commitments[slot].hex(), "list_index": slot, "proof": proof,
            "request": request, **changes,
        }  # fmt: skip
        values = {} if opened is None else {"/data/arm": opened}
        self.tell("participant.randomized", data, stream=f"participant/{participant}", opened=values)
        return self.size - 1

    def begin(self) -> None:
        """Seeds, parameters and list, as they should be."""
        self.parameters(self.seeds())
        while self.size <= BEACON_SIZE:
            self.size += 1
        self.commit()

    def open(self, **changes: Any) -> None:
        """Open the list."""
        data = {"block_sizes": BLOCKS, "list": "main", "seeds": [_text(seed) for seed in SEEDS], **changes}
        self.tell("randomization.list_opened", data)


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def test_whole_list_used_in_order_and_opened() -> None:
    """Every slot in its stratum's order, opened at the end: nothing is found."""
    story = Story()
    story.begin()
    for slot in (0, 6, 1, 7, 2, 3):
        story.allocate(slot, opened=LIST.entries[slot].arm)
    story.open()
    assert story.codes() == []
    assert [each.code for each in story.found] == ["BEACON_BY_OPERATOR"]


def test_skipped_slot() -> None:
    """A slot that was passed over is found at the allocation that passed it."""
    story = Story()
    story.begin()
    story.allocate(0)
    at = story.allocate(2)
    assert story.codes() == ["SLOT_ORDER"]
    assert story.found[-1].index == at


def test_slots_that_withheld_statements_may_have_used() -> None:
    """Where statements are withheld a slot may be passed over, but none is used twice or out of order."""
    story = Story()
    story.begin()
    story.allocate(0)
    story.withhold()
    story.allocate(3)
    assert story.codes() == []
    story.allocate(2)
    story.allocate(6, list_index=5)
    assert story.codes()[:2] == ["SLOT_ORDER", "SLOT_ORDER"]


def test_slot_used_twice() -> None:
    """A slot is used once."""
    story = Story()
    story.begin()
    story.allocate(0)
    story.allocate(0)
    assert story.codes() == ["SLOT_ORDER"]


def test_slot_of_another_stratum() -> None:
    """A slot is of the stratum that was asked for."""
    story = Story()
    story.begin()
    story.allocate(0, list_index=6)
    assert "SLOT_ORDER" in story.codes()


def test_commitment_that_is_not_in_the_list() -> None:
    """The commitment and its proof lead to the committed root."""
    story = Story()
    story.begin()
    story.allocate(0, commitment="00" * 32)
    assert story.codes() == ["SLOT_PROOF"]


def test_answer_to_no_request() -> None:
    """An allocation answers one earlier request of that participant, stratum and stage."""
    story = Story()
    story.begin()
    story.allocate(0, request="ab" * 32)
    assert story.codes() == ["SLOT_REQUEST", "SLOT_REQUEST"]  # this answer, and the request left open


def test_arm_that_is_not_the_slots() -> None:
    """An arm opened in the bundle is its slot's, once the list is open: before and after the opening."""
    other = {"ketamine": "magnesium", "magnesium": "ketamine"}
    story = Story()
    story.begin()
    early = story.allocate(0, opened=other[LIST.entries[0].arm])
    assert story.found[-1].code == "BEACON_BY_OPERATOR"
    story.open()
    late = story.allocate(1, opened=other[LIST.entries[1].arm])
    assert story.codes() == ["ARM_NOT_SLOT", "ARM_NOT_SLOT"]
    assert [each.index for each in story.found[-2:]] == [early, late]


def test_arm_is_not_judged_while_the_list_is_closed() -> None:
    """Without the opened list nobody can tell which arm a slot has."""
    story = Story()
    story.begin()
    story.allocate(0, opened="anything")
    assert story.codes() == []


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"seeds": [_text(SEEDS[1]), _text(SEEDS[0])]}, "LIST_SEED"),
        ({"seeds": [_text(SEEDS[0])]}, "LIST_SEED"),
        ({"block_sizes": [4, 2]}, "LIST_OPENING"),
        ({"block_sizes": [3]}, "LIST_OPENING"),
        ({"block_sizes": []}, "LIST_OPENING"),
    ],
)
def test_opening_that_gives_another_list(changes: dict[str, Any], code: str) -> None:
    """The opened seeds and block sizes make the committed list again, byte for byte."""
    story = Story()
    story.begin()
    story.open(**changes)
    assert story.codes() == [code]


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"root": _text(bytes(32))}, "LIST_OPENING"),
        ({"size": LIST.size + 1}, "LIST_COMMITMENT"),
        ({"beacon": _text(bytes(32))}, "LIST_BEACON"),
        ({"actor": ("service", "Statistics", "service")}, "LIST_COMMITMENT"),
        ({"actor": ("holder", "Operator", "list_holder")}, "LIST_KNOWN_TO_OPERATOR"),
    ],
)
def test_list_committed_otherwise(changes: dict[str, Any], code: str) -> None:
    """Root, size, beacon and holder of the list are judged."""
    story = Story()
    story.parameters(story.seeds())
    story.size = BEACON_SIZE + 1
    story.commit(**changes)
    story.open()
    assert code in story.codes()


def test_list_committed_after_enrolment_began() -> None:
    """A list comes before the first enrolment, and a second one under a new name stays visible."""
    story = Story()
    story.begin()
    story.allocate(0)
    seeds = [
        story.tell(
            "randomization.seed_committed",
            {"list": "again", "sha256": hashlib.sha256(seed).hexdigest()},
            actor=(organisation, organisation, "sponsor_administrator"),
        )
        for seed, organisation in zip(SEEDS, ("Sponsor", "Site"), strict=True)
    ]
    story.parameters(seeds, list="again", beacon_size=story.size + 3)
    story.size += 5
    story.commit(list="again", beacon=_text(ROOTS.at(story.size - 3)))
    assert "LIST_REROLLED" in story.codes()
    assert "LIST_LATE" in story.codes()


def test_seeds_of_one_organisation() -> None:
    """Contributors are two or more persons of different organisations."""
    story = Story()
    story.parameters(story.seeds(("Sponsor", "Sponsor")))
    assert story.codes() == ["LIST_SEED"]


def test_contributor_that_did_not_commit() -> None:
    """The parameters name earlier seeds of this very list."""
    story = Story()
    story.parameters([*story.seeds(), "ab" * 32])
    assert story.codes() == ["LIST_SEED"]


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"beacon_size": 3}, "LIST_BEACON"),
        ({"algorithm": "coin/1"}, "LIST_PARAMETERS"),
        ({"slots": 1 << 20}, "LIST_PARAMETERS"),
        ({"first": "main"}, "LIST_PARAMETERS"),
    ],
)
def test_parameters_that_the_format_lacks(changes: dict[str, Any], code: str) -> None:
    """Algorithm, slots and beacon are those of the format."""
    story = Story()
    story.parameters(story.seeds(), **changes)
    assert code in story.codes()


def test_beacon_of_a_witness_is_not_judged_here() -> None:
    """A witness's line is not in the bundle: said, not passed."""
    story = Story(INITIAL)
    story.parameters(story.seeds(), beacon_witness="w")
    story.size = BEACON_SIZE + 1
    story.commit()
    assert story.codes() == ["BEACON_UNJUDGED"]


def second_stage_story() -> Story:
    """A first list and a second-stage list over it."""
    story = Story()
    story.begin()
    seeds = [
        story.tell(
            "randomization.seed_committed",
            {"list": "stage2", "sha256": hashlib.sha256(seed).hexdigest()},
            actor=(organisation, organisation, "sponsor_administrator"),
        )
        for seed, organisation in zip(SEEDS, ("Sponsor", "Site"), strict=True)
    ]
    story.parameters(
        seeds, list="stage2", algorithm="second-stage/1", first="main", from_arms=["magnesium"],
        arms=[["a", 1], ["b", 1]], beacon_size=story.size + 1,
    )  # fmt: skip
    return story


def test_second_stage_repeats_the_index_of_the_first() -> None:
    """Stage 2 answers with the participant's own index of stage 1; another is found where it is opened."""
    story = second_stage_story()
    story.size += 2
    story.commit(list="stage2", root=_text(SECOND.root), beacon=_text(ROOTS.at(story.size - 2)))
    story.allocate(0, participant="P1")
    story.allocate(6, participant="P2")
    for participant, slot in (("P1", 0), ("P2", 7)):
        wish = {"list": "stage2", "stage": 2, "stratum": LIST.entries[slot].stratum}
        stream = f"participant/{participant}"
        request = story.tell("randomization.requested", wish, stream=stream)
        opened = {"/data/list_index": slot, "/data/arm": SECOND.entries[slot].arm}
        story.tell("participant.randomized", {**wish, "request": request}, stream=stream, opened=opened)
    assert story.codes() == ["STAGE_TWO_INDEX"]


def test_list_committed_twice() -> None:
    """Another root under the same name stays out, and is told by a code of its own."""
    story = Story()
    story.begin()
    story.commit(root=_text(bytes(32)))
    assert story.codes() == ["LIST_TWICE"]


def test_participant_allocated_twice() -> None:
    """An allocation is never drawn again, whatever was wrong with it."""
    story = Story()
    story.begin()
    story.allocate(0, participant="P1")
    story.allocate(1, participant="P1")
    assert story.codes() == ["DRAWN_AGAIN"]
