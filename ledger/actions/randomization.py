"""Randomization: commitments, requests and allocations (catalogue D; record-format.md §8, §11).

Lists stand in `randomization/<list>`; requests and their answers in `participant/<id>`; errors, which may
tell of an arm, in `safety`.
"""

from __future__ import annotations

from typing import Annotated, Literal

from ledger.actions.fields import (
    Between,
    Bytes32,
    Code,
    EventRef,
    FreeText,
    Hash,
    Items,
    ListName,
    Name,
    ParticipantId,
    Positive,
    Sealed,
    Some,
    SomeDistinct,
    VerifierKeyLine,
)
from ledger.actions.registry import Action, Effect, Fact, action, allow
from ledger.actions.shapes import mismatch
from ledger.lines import counted
from ledger.roles import STUDY_STAFF

MAX_LIST_ENTRIES = 2**20

Proof = Annotated[tuple[Bytes32, ...], Items(0, 64)]
ListIndex = Annotated[int, Between(0, MAX_LIST_ENTRIES - 1)]
Arms = Annotated[tuple[tuple[Name, Positive], ...], Items(1, 64)]

_SERVICE = allow(("service",), "attestation")


@action(
    "randomization.seed_committed",
    effect=Effect.GATE,
    streams="randomization",
    # Two persons of different organisations who may know what a list is; nobody who is blinded at a site.
    roles=allow(
        ("sponsor_administrator", "unblinded_statistician", "list_holder"), "authorship", "responsibility"
    ),
    voidable=False,
)
class SeedCommitted(Action):
    """SHA-256 of one contributor's 32-byte seed (record-format.md §8.1)."""

    list: ListName
    sha256: Hash

    def describe(self) -> str:
        return f"A seed for the list {self.list} was committed."


@action(
    "randomization.parameters_committed",
    effect=Effect.GATE,
    streams="randomization",
    roles=allow(("sponsor_administrator", "unblinded_statistician"), "authorship", "approval"),
    voidable=False,
)
class ParametersCommitted(Action):
    """How the list will be drawn; block sizes stay sealed until it is opened (record-format.md §8.1)."""

    algorithm: Literal["permuted-blocks/1", "second-stage/1"]
    arms: Arms
    beacon_size: Positive
    contributors: Annotated[tuple[EventRef, ...], Items(1, 16, unique=True)]
    list: ListName
    slots: Annotated[int, Between(1, MAX_LIST_ENTRIES)]
    strata: SomeDistinct[Name]
    beacon_witness: VerifierKeyLine | None = None
    first: ListName | None = None
    from_arms: SomeDistinct[Name] | None = None
    block_sizes: Annotated[SomeDistinct[Positive] | None, Sealed("treatment", required=True)] = None

    def check_form(self) -> None:
        second = self.algorithm == "second-stage/1"
        if (self.first is not None) != second:
            raise mismatch("the first list for second-stage/1 and no other", "/first")
        if (self.from_arms is not None) != second:
            raise mismatch("arms of the first list for second-stage/1 and no other", "/from_arms")
        if len({arm for arm, _ in self.arms}) != len(self.arms):
            raise mismatch("each arm once", "/arms")
        if self.slots * len(self.strata) > MAX_LIST_ENTRIES:
            raise mismatch(f"at most {MAX_LIST_ENTRIES} slots in all strata", "/slots")

    def describe(self) -> str:
        return f"The parameters of the list {self.list} were committed: {self.slots} slots in each stratum."


@action(
    "randomization.list_committed",
    effect=Effect.GATE,
    streams="randomization",
    # "Signed by the list holder, who has no other role" (§8.3).
    roles=allow(("list_holder",), "authorship", "responsibility"),
    voidable=False,
)
class ListCommitted(Action):
    """Merkle root and size of the list, before the first enrolment (record-format.md §8.3)."""

    beacon: Bytes32
    list: ListName
    root: Bytes32
    size: Annotated[int, Between(1, MAX_LIST_ENTRIES)]

    def describe(self) -> str:
        return f"The list {self.list} with {counted(self.size, 'entry', 'entries')} was committed."


@action(
    "randomization.list_opened",
    effect=Effect.GATE,
    streams="randomization",
    roles=allow(("list_holder", "unblinded_statistician"), "authorship", "approval"),
    voidable=False,
)
class ListOpened(Action):
    """After database lock: the seeds, so that anyone can draw the list again (record-format.md §8.5)."""

    block_sizes: SomeDistinct[Positive]
    list: ListName
    seeds: Some[Bytes32]

    def describe(self) -> str:
        return f"The list {self.list} was opened."


@action(
    "randomization.requested",
    effect=Effect.GATE,
    delegated=True,
    streams="participant",
    roles=allow(STUDY_STAFF, "authorship", "approval"),
    voidable=False,
)
class RandomizationRequested(Action):
    """A person asks for an allocation; the service answers in the same commit (record-format.md §8.4)."""

    list: ListName
    stage: Literal[1, 2]
    stratum: Name

    def describe(self) -> str:
        return f"Randomization for stage {self.stage} was requested in stratum {self.stratum}."


@action("participant.randomized", effect=Effect.FACT, streams="participant", roles=_SERVICE, voidable=False)
class ParticipantRandomized(Action):
    """Stage 1: the stratum's next unused index, with proof; the arm is sealed (record-format.md §8.4)."""

    commitment: Hash
    list: ListName
    list_index: ListIndex
    proof: Proof
    request: EventRef
    stage: Literal[1]
    stratum: Name
    arm: Annotated[Name | None, Sealed("treatment", required=True)] = None

    def describe(self) -> str:
        return f"The participant was randomized from the list {self.list}, entry {self.list_index}."


@action(
    "participant.randomized",
    schema=2,
    effect=Effect.FACT,
    streams="participant",
    roles=_SERVICE,
    voidable=False,
)
class ParticipantRandomizedStage2(Action):
    """Stage 2: the stage-1 index again; all that depends on it is sealed (record-format.md §8.4)."""

    list: ListName
    request: EventRef
    stage: Literal[2]
    stratum: Name
    arm: Annotated[Name | None, Sealed("treatment", required=True)] = None
    commitment: Annotated[Hash | None, Sealed("treatment", required=True)] = None
    list_index: Annotated[ListIndex | None, Sealed("treatment", required=True)] = None
    proof: Annotated[Proof | None, Sealed("treatment", required=True)] = None

    def describe(self) -> str:
        return f"The participant was randomized for stage 2 from the list {self.list}."


@action(
    "randomization.error_recorded",
    effect=Effect.FACT,
    streams="safety",
    roles=allow(
        (
            *STUDY_STAFF,
            "unblinded_pharmacist",
            "unblinded_monitor",
            "unblinded_statistician",
            "list_holder",
            "sponsor_administrator",
            "data_manager",
        ),
        "authorship",
    ),
    voidable=False,
    always_open=True,
)
class RandomizationErrorRecorded(Fact):
    """What went wrong with a randomization, and its impact; nothing is drawn again (catalogue D)."""

    what: Code
    impact: Code
    participant: ParticipantId | None = None
    statement: EventRef | None = None
    account: Annotated[FreeText | None, Sealed("freetext")] = None

    def describe(self) -> str:
        whom = "" if self.participant is None else f" of participant {self.participant}"
        return f"An error of randomization{whom} was recorded: {self.what} ({self.impact})."
