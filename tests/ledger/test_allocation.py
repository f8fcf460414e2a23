"""A request for randomization is answered in its own commit, from the committed list, in order (§8.4)."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pytest

from ledger.allocation import PATH, load_list
from ledger.conduct import criteria_digest
from ledger.errors import StoreError
from ledger.exports import export_ledger
from ledger.lines import encode_base64
from ledger.merkle import read_frontier
from ledger.recorded import Recorded
from ledger.sealing import open_disclosure
from ledger.statement import Statement, parse_statement
from ledger.study.definition import load
from ledger.study.lists import RandomizationList, build_list, check_slot, list_seed, permuted_blocks
from ledger.submission import Submission
from ledger.tiles import TileHashes
from ledger.verify.main import main as verify
from ledger.verify.options import Scope
from tests.ledger.small_ledger import DEFINITION, SITE, SmallLedger, seed
from tests.ledger.write_path import (
    BEDSIDE,
    HOUR,
    SOURCE,
    by_root,
    check_recorded,
    check_whole,
    grant,
    hire,
    refused,
    register,
    signed,
    types_from,
    vitals_action,
)

STUDY: Final = load(DEFINITION.read_bytes())
PLAN: Final = STUDY.randomization
STREAM: Final = f"randomization/{PLAN.list}"
SEEDS: Final = [seed("list seed of admin"), seed("list seed of holder")]
ADMIN: Final = ("admin", "sponsor_administrator", "authorship")
HOLDER: Final = ("holder", "list_holder", "authorship")


def committed_list(
    small: SmallLedger, slots: int = PLAN.slots, beacon: bytes | None = None
) -> RandomizationList:
    """Commit seeds, parameters and the list, without loading its slots; `beacon` None: the right one."""
    hire(small, "holder", "list_holder", ["*"])
    hire(small, "sub", "sub_investigator")
    by_root(small, "role.granted", "person/bchan", grant("bchan", "coordinator", ["*"]))
    contributors = [
        small.say(
            f"seed {who[0]}", *who, "randomization.seed_committed", STREAM,
            {"list": PLAN.list, "sha256": hashlib.sha256(each).hexdigest()},
        ).event
        for who, each in zip((ADMIN, HOLDER), SEEDS, strict=True)
    ]  # fmt: skip
    beacon_size = small.ledger.refresh().size + 2
    parameters: dict[str, Any] = {
        "algorithm": PLAN.algorithm, "arms": [[row.arm, row.ratio] for row in PLAN.arms],
        "beacon_size": beacon_size, "contributors": contributors, "list": PLAN.list, "slots": slots,
        "strata": list(PLAN.strata),
    }  # fmt: skip
    sizes = {"/data/block_sizes": list(PLAN.block_sizes or ())}
    small.say("p", *ADMIN, "randomization.parameters_committed", STREAM, parameters, opened=sizes)
    delegated = {"from": small.now()[:10], "person": "sub", "site": SITE, "tasks": ["eligibility.confirmed"]}
    granted = small.say(
        "d", "aruiz", "investigator", "approval", "delegation.granted", f"site/{SITE}", delegated
    )
    small.say(
        "a", "sub", "sub_investigator", "responsibility", "delegation.accepted", f"site/{SITE}",
        {"delegation": granted.event},
    )  # fmt: skip
    if beacon is None:
        beacon = read_frontier(beacon_size, TileHashes(small.ledger.store.tile_hashes)).root()
    made = make(beacon, slots)
    data = {
        "beacon": encode_base64(beacon),
        "list": PLAN.list,
        "root": encode_base64(made.root),
        "size": made.size,
    }
    small.say("l", *HOLDER, "randomization.list_committed", STREAM, data)
    return made


def make(beacon: bytes, slots: int) -> RandomizationList:
    """Make the list as anyone can who has the seeds."""
    drawn = list_seed("ledger.example/small", PLAN.list, SEEDS, beacon)
    arms = {row.arm: row.ratio for row in PLAN.arms}
    entries = permuted_blocks(
        drawn, arms=arms, strata=PLAN.strata, block_sizes=PLAN.block_sizes or (), slots=slots
    )
    return build_list("ledger.example/small", PLAN.list, drawn, entries)


def with_list(small: SmallLedger, slots: int = PLAN.slots) -> RandomizationList:
    """Commit the list and load its slots, as a ledger is set up."""
    made = committed_list(small, slots)
    load_list(small.ledger.store, small.ledger.data_keys, made)
    return made


def eligible(small: SmallLedger, participant: str) -> None:
    """Register, consent, assess and confirm a participant."""
    register(small, participant)
    stream = f"participant/{participant}"
    small.sources.advance(HOUR)
    now = small.now()[:19] + "Z"
    consent = {
        "form_version": "1", "language": "en",
        "form_sha256": hashlib.sha256(b"consent form, version 1\n").hexdigest(), "mode": "paper_in_person",
        "identity_check": "known", "participant_time": now, "participant_time_from": "form",
        "consenter": "bchan", "consenter_time": now, "consenter_time_from": "form", "options": [],
        "authorization": True, "duty_disclosure": True, "copy_given": True, "source": SOURCE,
    }  # fmt: skip
    small.say("c", *BEDSIDE, "consent.obtained", stream, consent)
    for criterion in STUDY.criteria:
        result = "met" if criterion.kind == "inclusion" else "not_met"
        data = {"criterion": criterion.id, "result": result, "source": SOURCE}
        small.say("a", *BEDSIDE, "criterion.assessed", stream, data, opened={"/data/evidence": None})
    state = small.ledger.fold.conduct.state(participant)
    assert state is not None
    confirmed = {"criteria_sha256": criteria_digest(state.assessments)}
    sub = ("sub", "sub_investigator", "approval")
    small.say("e", *sub, "eligibility.confirmed", stream, confirmed)


def request(small: SmallLedger, participant: str, **changes: Any) -> Submission:
    """Prepare a request for randomization."""
    small.sources.advance(1_000_000)
    data = {"list": PLAN.list, "stage": 1, "stratum": SITE, **changes}
    stream = f"participant/{participant}"
    return signed(small, "bchan", vitals_action(stream, type="randomization.requested", data=data))


def answer_of(small: SmallLedger, recorded: Recorded) -> Statement:
    """Return the service's answer to a request."""
    stored = small.ledger.store.entry(recorded.added[-1])
    assert stored is not None
    assert stored.type == "participant.randomized"
    return parse_statement(stored.statement)


def arm_of(small: SmallLedger, statement: Statement) -> Any:
    """Open the sealed arm with the ledger's data key."""
    (kept,) = small.ledger.store.disclosures(statement.event)
    assert (kept.path, kept.scope) == (PATH, "treatment")
    disclosure = small.ledger.data_keys.open(
        kept.event, kept.path, kept.stream, kept.scope, kept.nonce, kept.ciphertext
    )
    return open_disclosure(disclosure).value


def test_a_request_is_answered_in_the_same_commit_from_the_committed_list(small: SmallLedger) -> None:
    """The next slot of the stratum, with its commitment and a proof that holds; its arm is sealed."""
    made = with_list(small)
    for number in range(3):
        participant = f"{SITE}-{number + 1:03}"
        eligible(small, participant)
        recorded = small.ledger.record(request(small, participant))
        head = small.ledger.store.head_covering(recorded.index)
        assert head is not None
        assert head.size == small.ledger.store.head().size == recorded.added[-1] + 1
        statement = answer_of(small, recorded)
        data = statement.data
        assert (data["list_index"], data["request"], data["stratum"]) == (number, recorded.event, SITE)
        assert (statement.stream, statement.site) == (f"participant/{participant}", SITE)
        assert data["commitment"] == made.commitments[number].hex()
        proof = [base64.b64decode(node) for node in data["proof"]]
        check_slot(made.commitments[number], number, made.size, made.root, proof)
        assert arm_of(small, statement) == made.entries[number].arm
        assert made.entries[number].arm.encode() not in statement.body
        check_recorded(small, recorded)
    check_whole(small)


def test_requests_of_one_batch_draw_one_after_the_other(small: SmallLedger) -> None:
    """Two requests in one commit get two slots, in their order."""
    with_list(small)
    for number in (1, 2):
        eligible(small, f"{SITE}-00{number}")
    outcomes = small.ledger.record_all([request(small, f"{SITE}-00{n}") for n in (2, 1)])
    answers = [answer_of(small, outcome) for outcome in outcomes if isinstance(outcome, Recorded)]
    assert [answer.data["list_index"] for answer in answers] == [0, 1]
    assert [answer.stream for answer in answers] == [f"participant/{SITE}-002", f"participant/{SITE}-001"]
    check_whole(small)


def test_a_resent_request_draws_nothing_more(small: SmallLedger) -> None:
    """An allocation is never drawn again: the same answer stands."""
    with_list(small)
    eligible(small, f"{SITE}-001")
    submission = request(small, f"{SITE}-001")
    first = small.ledger.record(submission)
    size = small.ledger.store.head().size
    assert small.ledger.record(submission).index == first.index
    assert small.ledger.store.head().size == size
    with refused("RANDOMIZED_TWICE"):
        small.ledger.record(request(small, f"{SITE}-001"))
    check_whole(small)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"stratum": "SD-02"}, "STRATUM"),
        ({"list": "other"}, "LIST_NOT_COMMITTED"),
    ],
)
def test_a_request_that_no_slot_fits_draws_none(
    small: SmallLedger, changes: dict[str, Any], code: str
) -> None:
    """It is refused and the refusal recorded; the next good request gets the first slot."""
    with_list(small)
    eligible(small, f"{SITE}-001")
    before = small.ledger.store.head().size
    with refused(code):
        small.ledger.record(request(small, f"{SITE}-001", **changes))
    assert types_from(small, before) == ["command.refused"]
    recorded = small.ledger.record(request(small, f"{SITE}-001"))
    assert answer_of(small, recorded).data["list_index"] == 0


def test_a_second_stage_is_not_answered_by_the_first_list(small: SmallLedger) -> None:
    """Stage 2 has a list of its own; who is not on treatment has none at all."""
    with_list(small)
    eligible(small, f"{SITE}-001")
    small.ledger.record(request(small, f"{SITE}-001"))
    before = small.ledger.store.head().size
    with refused("NOT_ON_TREATMENT"):
        small.ledger.record(request(small, f"{SITE}-001", stage=2))
    assert types_from(small, before) == ["command.refused"]


def test_an_exhausted_stratum_is_said_so(small: SmallLedger) -> None:
    """With no slot left nobody is randomized, and the slots of another stratum are not touched."""
    with_list(small, slots=1)
    for number in (1, 2):
        eligible(small, f"{SITE}-00{number}")
    small.ledger.record(request(small, f"{SITE}-001"))
    with refused("LIST_EXHAUSTED", field="/data/stratum"):
        small.ledger.record(request(small, f"{SITE}-002"))
    check_whole(small)


def test_slots_that_were_never_handed_in_answer_nothing(small: SmallLedger) -> None:
    """A committed list whose slots the server does not have is as good as exhausted."""
    committed_list(small)
    eligible(small, f"{SITE}-001")
    with refused("LIST_EXHAUSTED"):
        small.ledger.record(request(small, f"{SITE}-001"))


def test_slots_of_another_list_are_never_allocated(small: SmallLedger) -> None:
    """Slots that do not stand in the committed list stop the request before anything is recorded."""
    committed_list(small)
    other = make(bytes(32), PLAN.slots)
    load_list(small.ledger.store, small.ledger.data_keys, other)
    eligible(small, f"{SITE}-001")
    before = small.ledger.store.head().size
    with refused("STORE_CORRUPT", StoreError):
        small.ledger.record(request(small, f"{SITE}-001"))
    assert small.ledger.store.head().size == before
    check_whole(small)


def test_a_slot_whose_arm_was_swapped_is_never_allocated(small: SmallLedger) -> None:
    """An arm that does not open to the slot's commitment is found before it is given to anyone."""
    made = committed_list(small)
    first = made.entries[0]
    swapped = replace(first, arm=next(entry.arm for entry in made.entries if entry.arm != first.arm))
    load_list(small.ledger.store, small.ledger.data_keys, replace(made, entries=(swapped, *made.entries[1:])))
    eligible(small, f"{SITE}-001")
    with refused("STORE_CORRUPT", StoreError):
        small.ledger.record(request(small, f"{SITE}-001"))
    check_whole(small)


def test_a_ledger_with_allocations_verifies(small: SmallLedger, tmp_path: Path) -> None:
    """The auditor's verdict on an export holds, every slot in order."""
    with_list(small)
    for number in (1, 2):
        eligible(small, f"{SITE}-00{number}")
        small.ledger.record(request(small, f"{SITE}-00{number}"))
    export_ledger(small.ledger, tmp_path / "bundle", scope=Scope(kind="study"), role="auditor")
    policy = small.write_policy(tmp_path / "policy")
    assert verify([str(tmp_path / "bundle"), "--policy", str(policy)]) == 0
