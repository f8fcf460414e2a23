"""A synchronous standby takes over under load: `python -m tests.soak.replica --help`.

Processes record on a primary that answers a commit only when its standby has it too, and checkpoints are
published beside it, in files that are not the database's. The primary dies as a failing machine does; the
standby is promoted; the processes, whose URL names both servers, go on there by themselves. Nothing that was
acknowledged may be missing, and the start-up rule has to hold.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ledger.errors import StoreError
from ledger.sources import SystemSources
from ledger.store.postgres import PostgresStore
from tests.ledger.write_path import open_stores
from tests.postgres_server import DATABASE, WRITER, PostgresServer, running, standby
from tests.soak.fleet import Fleet
from tests.soak.whole import Found, check_whole
from tests.soak.writers import Plan, prepared

PUBLISH_EVERY_S = 0.2
SCHEMA = "replicated"


@dataclass(frozen=True, slots=True, kw_only=True)
class TakenOver:
    """What was found on the standby."""

    found: Found
    before: int
    published: int
    seconds: float
    promoted_s: float
    resumed_s: float

    def __str__(self) -> str:
        told = self.before
        return (
            f"{told} acknowledged in {self.seconds:.1f} s ({told / self.seconds:.0f}/s, on two servers), "
            f"newest published checkpoint {self.published}; promoted in {self.promoted_s:.1f} s, "
            f"every writer recorded again {self.resumed_s:.1f} s after; then {self.found.size} entries, "
            f"among them each of the {self.found.acknowledged} that were acknowledged"
        )


def take_over(primary: PostgresServer, second: PostgresServer, directory: Path, plan: Plan) -> TakenOver:
    """Record on the primary, let it die, promote the standby, and check everything there."""
    url = of_both(primary, second)
    jobs = prepared(directory, url, primary, SCHEMA, plan)
    primary.wait_for_standby()
    fleet = Fleet(jobs)
    try:
        fleet.hear_from_all()
        begin = time.monotonic()
        beside = open_stores(directory, SystemSources(), store=PostgresStore.open(primary.url(SCHEMA)))
        while time.monotonic() < begin + plan.seconds:
            fleet.hear(PUBLISH_EVERY_S)
            beside.publish()
        newest = beside.checkpoints.latest()
        primary.stop("immediate")
        with suppress(StoreError):  # it would publish once more, and can't
            beside.close()
        seconds, dead = time.monotonic() - begin, time.monotonic()
        second.promote()
        promoted_s = time.monotonic() - dead
        fleet.hear(PUBLISH_EVERY_S)  # what was answered before the end and not heard yet
        before = len(fleet.acknowledged)
        fleet.hear_from_all()
        resumed_s = time.monotonic() - dead
    finally:
        fleet.end()
    assert newest is not None
    found = check_whole(directory, second.url(SCHEMA), fleet.acknowledged)
    assert found.size >= newest[0]
    return TakenOver(
        found=found,
        before=before,
        published=newest[0],
        seconds=seconds,
        promoted_s=promoted_s,
        resumed_s=resumed_s,
    )


def of_both(primary: PostgresServer, second: PostgresServer) -> str:
    """Return a URL that leads to whichever of two servers takes writes."""
    hosts = ",".join(f"127.0.0.1:{server.port}" for server in (primary, second))
    return f"postgresql://{WRITER}@{hosts}/{DATABASE}?schema={SCHEMA}&target_session_attrs=read-write"


def main() -> None:
    """Run it with a load of some seconds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--writers", type=int, default=4)
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=20.0)
    plan = Plan(**vars(parser.parse_args()), kills=0, stops=0)
    with tempfile.TemporaryDirectory() as place, running() as primary, standby(primary) as second:
        print(take_over(primary, second, Path(place) / "ledger", plan))


if __name__ == "__main__":
    main()
