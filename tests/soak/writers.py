"""Writers and a server that die at random, under load: `python -m tests.soak.writers --help`.

Four processes with 64 clients each record into one ledger over PostgreSQL. At random moments a process is
killed (`kill -9`) and another takes its place, or the server is stopped as a failing machine stops it
(`pg_ctl stop -m immediate`) and started again. Then everything that was acknowledged has to be there once,
the index dense, the root right, the storage sound, and an export has to verify.
"""

from __future__ import annotations

import argparse
import random
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.trial import open_trial
from tests.ledger.on_schema import new_store, write_directory
from tests.postgres_server import PostgresServer, running
from tests.soak.fleet import Fleet, Job
from tests.soak.whole import Found, check_export, check_whole


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How long, how many, and how often something dies."""

    writers: int
    clients: int
    seconds: float
    kills: int
    stops: int
    seed: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What was found after it."""

    found: Found
    kills: int
    stops: int
    seconds: float
    failures: dict[str, int]

    def __str__(self) -> str:
        told = self.found.acknowledged
        return (
            f"{told} acknowledged in {self.seconds:.1f} s ({told / self.seconds:.0f}/s with the deaths), "
            f"{self.found.size} entries; {self.kills} writers killed, {self.stops} immediate stops of the "
            f"server; answers in between: {self.failures or 'none failed'}"
        )


def prepared(directory: Path, url: str, server: PostgresServer, schema: str, plan: Plan) -> list[Job]:
    """Make a ledger with a participant for each client, closed; return what each process is to do."""
    trial = open_trial(directory, plan.writers * plan.clients, store=new_store(server, schema))
    write_directory(trial, directory, url)
    head = trial.ledger.store.head()
    trial.ledger.close()
    return [
        Job(
            directory=directory,
            url=url,
            participants=tuple(range(1 + n * plan.clients, 1 + (n + 1) * plan.clients)),
            seen_size=head.size,
            seen_root=head.root,
        )
        for n in range(plan.writers)
    ]


def soak(server: PostgresServer, directory: Path, plan: Plan, schema: str = "soak") -> Outcome:
    """Record under deaths, then check everything."""
    url = server.url(schema)
    chance = random.Random(plan.seed)  # noqa: S311  moments, not secrets
    fleet = Fleet(prepared(directory, url, server, schema, plan))
    stops = 0
    try:
        fleet.hear_from_all()
        begin, told = time.monotonic(), len(fleet.acknowledged)
        deaths = ["kill"] * plan.kills + ["stop"] * plan.stops
        chance.shuffle(deaths)
        moments = sorted(chance.uniform(0.05, 0.9) * plan.seconds for _ in deaths)
        for moment, death in zip(moments, deaths, strict=True):
            fleet.hear(begin + moment - time.monotonic())
            if death == "kill":
                fleet.kill(chance.choice(list(fleet)))
            else:
                server.stop("immediate")
                server.start()
                stops += 1
        fleet.hear(begin + plan.seconds - time.monotonic())
        fleet.hear_from_all()  # whoever was started last has come to record, too
        seconds, told = time.monotonic() - begin, len(fleet.acknowledged) - told
        kills = fleet.kills
    finally:
        fleet.end()
    assert told > 0
    found = check_whole(directory, url, fleet.acknowledged)
    return Outcome(found=found, kills=kills, stops=stops, seconds=seconds, failures=dict(fleet.failures))


def main() -> None:
    """Run it as the issue asks for it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--writers", type=int, default=4)
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--kills", type=int, default=12)
    parser.add_argument("--stops", type=int, default=4)
    parser.add_argument("--seed", type=int, default=1)
    plan = Plan(**vars(parser.parse_args()))
    with tempfile.TemporaryDirectory() as place, running() as server:
        directory = Path(place) / "ledger"
        print(f"{plan.writers} writers with {plan.clients} clients each, {plan.seconds:.0f} s", flush=True)
        print(soak(server, directory, plan), flush=True)
        print("every acknowledged event is there once, the index dense, the root right, fsck finds nothing")
        print(f"export: {check_export(directory, Path(place) / 'out')}")


if __name__ == "__main__":
    main()
