"""Attacks on the drawing of lots by whoever runs the log: each is found, by a code of its own.

The second half forges bundles of a real ledger with the keys of log, service and people, past the rules.
"""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import pytest

from ledger import canonical
from ledger.canonical import Keys
from ledger.envelope import event_hash
from ledger.lines import encode_base64
from ledger.sealing import digest, make_disclosure
from ledger.study.lists import RandomizationList, Slot, prove_slots
from ledger.verify.report import Report
from tests.ledger.forgery import SERVICE_KEY, Forgery, key_of
from tests.ledger.small_ledger import SITE, SmallLedger, seed
from tests.ledger.test_allocation import PLAN, SEEDS, eligible
from tests.ledger.test_second_stage import SECOND, ask_again, on_treatment, with_both_lists
from tests.ledger.test_second_stage import SEEDS as SECOND_SEEDS
from tests.ledger.test_verify_randomization import Story
from tests.ledger.verifying import found, judge, problems
from tests.ledger.write_path import copy_of

FIRST, OTHER, THIRD = (f"{SITE}-00{number}" for number in (1, 2, 3))
OF_LISTS: Final = frozenset(
    {"ARM_NOT_SLOT", "LIST_COMMITMENT", "LIST_LATE", "LIST_OPENING", "LIST_SEED", "LIST_TWICE", "DRAWN_AGAIN",
     "SLOT_ORDER", "SLOT_PROOF", "SLOT_REQUEST", "STAGE_TWO_INDEX"}
)  # fmt: skip


def test_answer_kept_back_until_another_request() -> None:
    """An answer follows its request at once: kept back, it could be given to whom the operator likes."""
    story = Story()
    story.begin()
    first = story.ask("SA-01", participant="P1")
    second = story.ask("SA-01", participant="P2")
    story.answer(second, 0, participant="P2")
    at = story.answer(first, 1, participant="P1")
    assert story.codes() == ["SLOT_REQUEST"]
    assert story.found[-1].index == at


def test_slot_skipped_behind_a_restricted_leaf() -> None:
    """A withheld statement of pharmacy, safety or access draws no slot, and excuses no slot passed over."""
    story = Story()
    story.begin()
    story.allocate(0)
    story.withhold(cls="restricted")
    story.allocate(2)
    assert story.codes() == ["SLOT_ORDER"]


def test_slot_skipped_behind_a_leaf_of_another_site() -> None:
    """What another site withholds used no slot of this site's stratum."""
    story = Story()
    story.begin()
    story.withhold(site="SD-02")
    story.allocate(1)
    assert story.codes() == ["SLOT_ORDER"]


# Forged bundles of a real ledger


class Drawn:
    """A real ledger in which two were randomized, one of them in both stages, and a third is eligible."""

    def __init__(self, template: tuple[SmallLedger, Path], directory: Path) -> None:
        small = copy_of(*template, directory / "ledger")
        self.first, self.second = with_both_lists(small)
        on_treatment(small, FIRST)
        on_treatment(small, OTHER)
        ask_again(small, FIRST)
        eligible(small, THIRD)
        self.policy = small.policy
        self.bundle = Forgery(small, directory / "bundle", role="inspector")
        small.ledger.close()

    def copy(self) -> Forgery:
        """Return the bundle to change."""
        other = copy.copy(self.bundle)
        other.leaves, other.payloads = self.bundle.leaves.copy(), self.bundle.payloads.copy()
        other.files = dict(self.bundle.files)
        return other

    def judge(self, forged: Forgery, place: Path) -> Report:
        """Verify a forged bundle as an inspector reads it."""
        return judge(forged.write(place), self.policy, role="inspector")


@pytest.fixture(scope="module")
def drawn(template: tuple[SmallLedger, Path], tmp_path_factory: pytest.TempPathFactory) -> Drawn:
    """One real ledger for all attacks."""
    return Drawn(template, tmp_path_factory.mktemp("drawn"))


def newest(forged: Forgery, type_: str, **members: Any) -> int:
    """Return the index of the newest statement of a type with these data."""
    for index in reversed(range(forged.size)):
        statement = forged.statement(index)
        if statement["type"] == type_ and members.items() <= statement["data"].items():
            return index
    raise AssertionError(type_)


def ask(forged: Forgery, participant: str, stage: int) -> str:
    """Add a request by the coordinator; return its event hash."""
    like = newest(forged, "randomization.requested", stage=stage)
    draft = forged.draft(
        like, stream=f"participant/{participant}", signed_at=now(forged), occurred_at=now(forged)
    )
    return event_hash(forged.payloads[forged.append(draft, [key_of("bchan")])])


def now(forged: Forgery) -> str:
    """Return the time of the newest leaf."""
    at: str = forged.leaf(forged.size - 1)["at"]
    return at


def answer(
    forged: Forgery, participant: str, data: Mapping[str, Any], sealed: Mapping[str, Any], stage: int = 1
) -> int:
    """Add an answer by the service, with the disclosures of what it seals; return its index."""
    like = newest(forged, "participant.randomized", stage=stage)
    draft = forged.draft(
        like, stream=f"participant/{participant}", signed_at=now(forged), occurred_at=now(forged),
        data=dict(data),
    )  # fmt: skip
    disclosures = {
        path: make_disclosure(seed(f"salt {path}"), draft["id"], path, value)
        for path, value in sealed.items()
    }
    draft["sealed"] = {path: digest(disclosure) for path, disclosure in disclosures.items()}
    index = forged.append(draft, [SERVICE_KEY])
    line = canonical.encode({"index": index, "open": disclosures}, keys=Keys.DISCLOSURES)
    forged.files["disclosures.jsonl"] += line + b"\n"
    return index


def place_of(slot: Slot) -> dict[str, Any]:
    """Return what an answer says of its slot."""
    return {
        "commitment": slot.commitment.hex(),
        "list_index": slot.index,
        "proof": [encode_base64(node) for node in slot.proof],
    }


def first_answer(forged: Forgery, made: RandomizationList, index: int, arm: str | None = None) -> int:
    """Randomize the third participant by a slot; `arm` None: the slot's own."""
    slot = prove_slots(made)[index]
    request = ask(forged, THIRD, 1)
    data = {"list": PLAN.list, "request": request, "stage": 1, "stratum": SITE, **place_of(slot)}
    return answer(forged, THIRD, data, {"/data/arm": arm or slot.arm})


def second_answer(forged: Forgery, made: RandomizationList, participant: str, index: int) -> int:
    """Answer a second stage by a slot."""
    slot = prove_slots(made)[index]
    request = ask(forged, participant, 2)
    data = {"list": SECOND.list, "request": request, "stage": 2, "stratum": SITE}
    sealed = {"/data/arm": slot.arm, **{f"/data/{name}": value for name, value in place_of(slot).items()}}
    return answer(forged, participant, data, sealed, stage=2)


def open_lists(forged: Forgery) -> None:
    """Open both lists with the seeds that were committed to."""
    plans = ((PLAN, SEEDS), (SECOND, SECOND_SEEDS))
    for plan, seeds in plans:
        like = newest(forged, "randomization.list_committed", list=plan.list)
        data = {
            "block_sizes": list(plan.block_sizes or ()),
            "list": plan.list,
            "seeds": [encode_base64(each) for each in seeds],
        }
        draft = forged.draft(
            like, type="randomization.list_opened", data=data, signed_at=now(forged), occurred_at=now(forged)
        )
        forged.append(draft, [key_of("holder")])


def test_what_was_drawn_as_committed_is_found_nothing_against(drawn: Drawn, tmp_path: Path) -> None:
    """The next slot for the third, and both lists opened: every arm is its slot's."""
    forged = drawn.copy()
    first_answer(forged, drawn.first, 2)
    open_lists(forged)
    assert problems(drawn.judge(forged, tmp_path / "b")) & OF_LISTS == set()


def test_a_skipped_slot(drawn: Drawn, tmp_path: Path) -> None:
    """The service passes over a slot whose arm it does not like."""
    forged = drawn.copy()
    at = first_answer(forged, drawn.first, 3)
    report = drawn.judge(forged, tmp_path / "b")
    assert problems(report) & OF_LISTS == {"SLOT_ORDER"}
    assert found(report, "SLOT_ORDER") == [at]


def test_an_arm_that_is_not_its_slots(drawn: Drawn, tmp_path: Path) -> None:
    """Commitment and proof are right, and the arm given is another: found once the list is opened."""
    forged = drawn.copy()
    own = drawn.first.entries[2].arm
    at = first_answer(forged, drawn.first, 2, arm=next(row.arm for row in PLAN.arms if row.arm != own))
    assert problems(drawn.judge(copy.deepcopy(forged), tmp_path / "a")) & OF_LISTS == set()
    open_lists(forged)
    report = drawn.judge(forged, tmp_path / "b")
    assert problems(report) & OF_LISTS == {"ARM_NOT_SLOT"}
    assert found(report, "ARM_NOT_SLOT") == [at]


def test_a_second_list_under_the_same_name(drawn: Drawn, tmp_path: Path) -> None:
    """The holder commits to another root after the first."""
    forged = drawn.copy()
    like = newest(forged, "randomization.list_committed", list=PLAN.list)
    data = {**forged.statement(like)["data"], "root": encode_base64(bytes(32))}
    forged.append(forged.draft(like, data=data), [key_of("holder")])
    assert problems(drawn.judge(forged, tmp_path / "b")) & OF_LISTS == {"LIST_TWICE"}


def test_a_list_rolled_again_and_committed_late(drawn: Drawn, tmp_path: Path) -> None:
    """The whole procedure once more, under another name, after participants were randomized."""
    forged = drawn.copy()
    events = []
    for person, own in zip(("admin", "holder"), SEEDS, strict=True):
        like = newest(forged, "randomization.seed_committed", list=PLAN.list)
        actor = forged.statement(newest(forged, "esignature_policy.acknowledged", person=person))
        told = forged.draft(
            like, stream="randomization/again", actor=actor["actor"], key=actor["key"],
            data={"list": "again", "sha256": digest_of(own)},
        )  # fmt: skip
        events.append(event_hash(forged.payloads[forged.append(told, [key_of(person)])]))
    like = newest(forged, "randomization.parameters_committed", list=PLAN.list)
    data = {
        **forged.statement(like)["data"], "list": "again", "contributors": events,
        "beacon_size": forged.size + 1,
    }  # fmt: skip
    forged.append(forged.draft(like, stream="randomization/again", data=data), [key_of("admin")])
    like = newest(forged, "randomization.list_committed", list=PLAN.list)
    data = {**forged.statement(like)["data"], "list": "again", "beacon": forged.root(forged.size)}
    at = forged.append(forged.draft(like, stream="randomization/again", data=data), [key_of("holder")])
    report = drawn.judge(forged, tmp_path / "b")
    assert found(report, "LIST_LATE") == [at]
    assert len(found(report, "LIST_REROLLED")) == 1


def digest_of(own: bytes) -> str:
    """Return the hash that a contributor commits to."""
    return hashlib.sha256(own).hexdigest()


def test_a_second_stage_by_another_participants_slot(drawn: Drawn, tmp_path: Path) -> None:
    """Stage 2 of the second participant is answered by the first one's slot."""
    forged = drawn.copy()
    at = second_answer(forged, drawn.second, OTHER, 0)
    report = drawn.judge(forged, tmp_path / "b")
    assert problems(report) & OF_LISTS == {"STAGE_TWO_INDEX"}
    assert found(report, "STAGE_TWO_INDEX") == [at]


def test_a_second_stage_drawn_twice(drawn: Drawn, tmp_path: Path) -> None:
    """Whoever has a second stage is given another."""
    forged = drawn.copy()
    at = second_answer(forged, drawn.second, FIRST, 0)
    assert found(drawn.judge(forged, tmp_path / "b"), "DRAWN_AGAIN") == [at]


def test_a_second_stage_that_skips_somebody(drawn: Drawn, tmp_path: Path) -> None:
    """An infusion of week 3 without it, and the ledger says nothing of the breach."""
    forged = drawn.copy()
    like = newest(forged, "infusion.started", infusion=1)
    data = {**forged.statement(like)["data"], "infusion": 7}
    at = forged.append(forged.draft(like, stream=f"participant/{OTHER}", data=data), [key_of("bchan")])
    report = drawn.judge(forged, tmp_path / "b")
    silent = [f for f in report.findings if f.code == "UNRECORDED_BREACH" and f.index == at]
    assert any("STAGE_TWO_MISSING" in each.detail for each in silent)
