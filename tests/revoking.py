"""Keys revoked while they sign: whichever comes first, `verify` of what was recorded holds.

    python -m tests.revoking [--rounds N] [--postgres]          make revoking: 10,000 rounds

Each round a coordinator signs statements of several participants, an administrator revokes the key that signs
them, and both are handed in at once: to one service's group commit in an order that is drawn anew, and every
other round the revocation by a second process's ledger over the same store. What is signed before the
revocation's index is recorded, what comes after it is refused with `KEY_REVOKED`, none is lost and none is
taken twice. Then the key's successor takes over. At the end the log is exported and verified.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from api.recorder import Recorder
from ledger.committer import Ledger
from ledger.errors import RefusedError
from ledger.export import export_bundle
from ledger.keys import Ed25519SigningKey
from ledger.prepare import Signer
from ledger.recorded import Recorded
from ledger.store.port import Store
from ledger.store.postgres import PostgresStore
from ledger.submission import Submission
from ledger.verify.judge import verify
from ledger.verify.options import Options, Scope
from tests.benchmarks.trial import open_trial
from tests.ledger.small_ledger import SECOND, SITE, seed
from tests.ledger.write_path import altered, enrol, key_of, open_stores, vitals_action
from tests.postgres_server import OWNER, PostgresServer, running

PARTICIPANTS: Final = 4
PER_ROUND: Final = 6
WHO: Final = "bchan"


@dataclass(slots=True)
class Told:
    """What became of the statements of all rounds."""

    recorded: int = 0
    refused: int = 0
    mixed: int = 0
    """Rounds in which some were recorded and others refused."""
    indexes: set[int] = field(default_factory=set)


class Revoking:
    """One ledger opened twice, as two processes would, and rounds played on it."""

    def __init__(self, directory: Path, server: PostgresServer | None, chance: random.Random) -> None:
        self.chance = chance
        self.told = Told()
        url = None if server is None else server.url("revoking")
        store: Store | None = None
        if server is not None and url is not None:
            store = PostgresStore.create(url, server.url("revoking", OWNER))
        self.small = open_trial(directory, PARTICIPANTS, store)
        other = None if url is None else PostgresStore.open(url)
        self.other = open_stores(directory, self.small.sources, store=other)
        self.key = key_of(WHO)

    def close(self) -> None:
        """Close both."""
        self.other.close()
        self.small.ledger.close()

    async def play(self, rounds: int) -> None:
        """Play so many rounds."""
        recorder = Recorder(self.small.ledger)
        try:
            for number in range(rounds):
                await self._round(recorder, number)
        finally:
            recorder.close()

    async def _round(self, recorder: Recorder, number: int) -> None:
        self.small.sources.advance(SECOND)
        signed = self._signed()
        revocation = self._revocation()
        if number % 2:
            elsewhere = asyncio.to_thread(_record, self.other, revocation)
            answers = await asyncio.gather(elsewhere, *map(recorder.record, signed), return_exceptions=True)
            revoked, outcomes = answers[0], answers[1:]
        else:
            place = self.chance.randint(0, len(signed))
            waiting = [*signed[:place], revocation, *signed[place:]]
            answers = await asyncio.gather(*map(recorder.record, waiting), return_exceptions=True)
            revoked, outcomes = answers.pop(place), answers
        assert isinstance(revoked, Recorded), revoked
        self._count(revoked.index, outcomes)
        self._succeed(number)

    def _count(self, revoked: int, outcomes: Sequence[object]) -> None:
        """Hold every outcome against the index of the revocation."""
        recorded = [each for each in outcomes if isinstance(each, Recorded)]
        refused = [each for each in outcomes if isinstance(each, RefusedError)]
        assert len(recorded) + len(refused) == PER_ROUND, outcomes
        assert all(each.index < revoked for each in recorded)
        assert {each.code for each in refused} <= {"KEY_REVOKED"}, refused
        self.told.recorded += len(recorded)
        self.told.refused += len(refused)
        self.told.mixed += bool(recorded and refused)
        self.told.indexes.update(each.index for each in recorded)

    def _signed(self) -> list[Submission]:
        """Sign the next statements, each of another participant as far as there are some."""
        names = [f"{SITE}-{1 + n:03}" for n in range(PARTICIPANTS)]
        first = [self._vitals(name) for name in names]
        behind = [_behind(each, self.small.people[WHO]) for each in first[: PER_ROUND - PARTICIPANTS]]
        return [*first, *behind]

    def _vitals(self, participant: str) -> Submission:
        action = vitals_action(f"participant/{participant}")
        return self.small.people[WHO].submission(self.small.ledger, action, {})

    def _revocation(self) -> Submission:
        action = {
            "type": "key.revoked",
            "stream": f"person/{WHO}",
            "role": "root",
            "meaning": "approval",
            "data": {"key": self.key.id, "person": WHO},
        }
        return self.small.people["root"].submission(self.small.ledger, action, {})

    def _succeed(self, number: int) -> None:
        """Enrol the key that takes over."""
        self.key = Ed25519SigningKey.from_seed(seed(f"successor {number}"))
        enrol(self.small, WHO, self.key)
        before = self.small.people[WHO]
        self.small.people[WHO] = Signer(self.key, WHO, before.name, before.organisation)

    def verified(self, directory: Path) -> int:
        """Export the whole study and verify it; return the exit code."""
        note = self.small.publish()
        ledger, out = self.small.ledger, directory / "bundle"
        export_bundle(ledger.store, ledger.data_keys, note, out, scope=Scope(kind="study"), role="auditor")
        options = Options(
            policy=self.small.policy,
            ledger_id=None,
            scope=Scope(kind="study"),
            role="auditor",
            previous=None,
            outbox=None,
            strict_conduct=False,
            classical=False,
            post_quantum=False,
            workers=1,
        )
        return verify(out, options).exit_code


def _record(ledger: Ledger, submission: Submission) -> Recorded:
    return ledger.record(submission)


def _behind(first: Submission, signer: Signer) -> Submission:
    """Sign what comes behind a statement that is not recorded yet."""
    last = first.statement
    changes = {"seq": last.seq + 1, "prev": last.event, "id": f"{last.id[:-4]}f00d"}
    return altered(first, signer.key, **changes)


def play(directory: Path, rounds: int, server: PostgresServer | None = None) -> Told:
    """Play rounds, verify the export, and return what became of the statements."""
    played = Revoking(directory / "ledger", server, random.Random(20_260_105))  # noqa: S311  an order
    try:
        asyncio.run(played.play(rounds))
        assert len(played.told.indexes) == played.told.recorded
        assert played.verified(directory) == 0
    finally:
        played.close()
    return played.told


def main() -> None:
    """Play as many rounds as asked for, and say what became of them."""
    parser = argparse.ArgumentParser(prog="python -m tests.revoking", description=__doc__)
    parser.add_argument("--rounds", type=int, default=10_000)
    parser.add_argument("--postgres", action="store_true", help="over PostgreSQL instead of SQLite")
    arguments = parser.parse_args()
    began = time.monotonic()
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="trial-ledger-revoking-")))
        server = stack.enter_context(running()) if arguments.postgres else None
        told = play(directory, arguments.rounds, server)
    print(
        f"{arguments.rounds} keys revoked while they signed: {told.recorded} statements recorded before, "
        f"{told.refused} refused after, both in {told.mixed} rounds; the export verifies. "
        f"{time.monotonic() - began:.0f} s"
    )


if __name__ == "__main__":
    main()
