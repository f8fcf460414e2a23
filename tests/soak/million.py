"""A long log on PostgreSQL: `make million`, or `python -m tests.soak.million 50000`.

Loads so many entries through the write path, as an import does: signed by a person, judged by every rule,
committed a thousand at a time; a hundred participants at a time, until each has as many entries as one of the
reference study. Prints how fast the first and the last of them went in, what the database takes, how fast
they are read back, how long a rebuild of all kept projections takes, how much memory a server of it has. With
`--minutes` the load ends when they are over, and the figures are of as much as there is then.

Other work on the machine changes such rates more than a long log does. So beside each part the same commits
go into a ledger that stays small, on the same server, and rates are compared with those of that moment, too.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from ledger.directory import Token
from ledger.lines import encode_base64
from ledger.recorded import Recorded
from ledger.statement import make_statement, parse_statement
from ledger.store.port import Head
from ledger.store.postgres import PostgresStore
from ledger.submission import Submission
from ledger.transaction import Outcome
from tests.benchmarks.trial import (
    BEDSIDE,
    NURSE,
    consent,
    open_trial,
    participant_id,
    registration,
    sign,
    vital_signs_action,
)
from tests.ledger.on_schema import new_store, write_directory
from tests.ledger.small_ledger import SECOND, SITE, SmallLedger
from tests.ledger.test_cli import COMMAND, clean, run
from tests.postgres_server import DATABASE, PostgresServer, running

PER_COMMIT: Final = 1_000
PER_PAGE: Final = 10  # what a client signs at a time, of one participant
PER_PARTICIPANT: Final = 400  # as the reference study has, on the average
AT_A_TIME: Final = PER_COMMIT // PER_PAGE  # participants who are in the study at the same time
PARTS: Final = 20
BESIDE: Final = 2  # commits into the small ledger, for each part
READ: Final = 1_000
READER: Final = "auditor"
TOKEN: Final = Token(
    sha256=hashlib.sha256(READER.encode()).hexdigest(), role=READER, person="nobody", sites=("*",)
)
SCHEMA: Final = "million"


@dataclass(slots=True, kw_only=True)
class Part:
    """A stretch of the load: entries, and the seconds of recording and of what their clients did."""

    entries: int = 0
    beside_per_s: float = 0.0
    recording_s: float = 0.0
    signing_s: float = 0.0
    cpu_s: float = 0.0

    @property
    def per_s(self) -> float:
        """Entries recorded in a second."""
        return self.entries / self.recording_s

    @property
    def cpu_us(self) -> float:
        """Microseconds of this process's CPU time for each entry: what a busy machine does not change."""
        return 1e6 * self.cpu_s / self.entries


@dataclass(slots=True, kw_only=True)
class Load:
    """A load: its parts, in order."""

    parts: list[Part] = field(default_factory=list)

    @property
    def ratio(self) -> float:
        """How fast the last quarter went in, against the first."""
        quarter = max(1, len(self.parts) // 4)
        return _rate(self.parts[-quarter:]) / _rate(self.parts[:quarter])

    @property
    def fair_ratio(self) -> float:
        """The same, each against a small ledger at that moment."""
        quarter = max(1, len(self.parts) // 4)
        last, first = self.parts[-quarter:], self.parts[:quarter]
        return (_rate(last) / _beside(last)) / (_rate(first) / _beside(first))


class Clients:
    """Those who record: they know the newest statement of each of their streams, and sign the next ones."""

    def __init__(self, trial: SmallLedger) -> None:
        self._trial = trial
        self._newest: dict[str, tuple[int, str]] = {}

    def enrol(self, participants: Sequence[str]) -> None:
        """Register and let consent, each of all of them in one commit."""
        trial = self._trial
        self._say([(*registration(each),) for each in participants])
        trial.sources.advance(60 * SECOND)
        self._say([(*consent(trial, each), {}) for each in participants])
        trial.sources.advance(60 * SECOND)

    def commit(self, done: int) -> Part:
        """Record a page of each who are in the study by now, in one commit; return what it took."""
        ledger = self._trial.ledger
        cohort, page = divmod(done // PER_COMMIT, PER_PARTICIPANT // PER_PAGE)
        names = [participant_id(1 + cohort * AT_A_TIME + n) for n in range(AT_A_TIME)]
        if page == 0:
            self.enrol(names)
        begin, head = time.perf_counter(), ledger.store.head()
        submissions = [each for name in names for each in self.page(name, head, page * PER_PAGE)]
        signed, cpu = time.perf_counter(), time.process_time()
        outcomes = ledger.record_all(submissions)
        part = Part(recording_s=time.perf_counter() - signed, cpu_s=time.process_time() - cpu)
        part.signing_s, part.entries = signed - begin, len(check(outcomes))
        return part

    def page(self, participant: str, head: Head, first: int) -> list[Submission]:
        """Sign the participant's next statements, each naming the one before it."""
        signer, ledger, pages = self._trial.people[NURSE], self._trial.ledger, []
        stream = f"participant/{participant}"
        row, seen = ledger.stream(stream), {"root": encode_base64(head.root), "size": head.size}
        seq, prev = self._newest[stream]
        for number in range(first, first + PER_PAGE):
            seq += 1
            value = signer.complete(ledger, vital_signs_action(participant, number))
            statement = make_statement({**value, "tag": row.tag, "seq": seq, "prev": prev, "seen": seen})
            pages.append(sign(signer, statement))
            prev = statement.event
        self._newest[stream] = seq, prev
        return pages

    def _say(self, actions: Sequence[tuple[str, str, dict[str, Any], dict[str, Any]]]) -> None:
        """Record one action in each of several streams."""
        trial, (_, role, meaning) = self._trial, BEDSIDE
        common = {"role": role, "meaning": meaning, "site": SITE, "protocol": "1.0"}
        submissions = [
            trial.people[NURSE].submission(
                trial.ledger, {**common, "type": type_, "stream": stream, "data": data}, opened
            )
            for type_, stream, data, opened in actions
        ]
        for each in check(trial.ledger.record_all(submissions)):
            statement = trial.ledger.store.entry(each.index)
            assert statement is not None
            self._newest[statement.stream] = statement.seq, statement.event


def load(trial: SmallLedger, beside: SmallLedger, entries: int, minutes: float) -> Iterator[Part]:
    """Record so many entries, or as many as go into the time; yield a part whenever one is done."""
    clients, others = Clients(trial), Clients(beside)
    part, done, number, end = Part(), 0, 0, time.monotonic() + 60 * minutes
    while done < entries and time.monotonic() < end:
        turn = clients.commit(done)
        part.recording_s += turn.recording_s
        part.cpu_s += turn.cpu_s
        part.signing_s += turn.signing_s
        part.entries += turn.entries
        done += turn.entries
        if part.entries >= entries // PARTS:
            turns = [others.commit((number + n) * PER_COMMIT) for n in range(BESIDE)]
            number += BESIDE
            part.beside_per_s = _rate(turns)
            yield part
            part = Part()


def check(outcomes: Sequence[Outcome]) -> list[Recorded]:
    """Return outcomes that are all recorded, without a breach."""
    recorded = []
    for outcome in outcomes:
        if not isinstance(outcome, Recorded):
            raise outcome
        assert not outcome.breaches, outcome.breaches
        recorded.append(outcome)
    return recorded


def read(url: str) -> tuple[int, float, float]:
    """Read the log from a store just opened; return entries, how many a second as stored, and parsed."""
    with closing(PostgresStore.open(url)) as store:
        size = store.head().size
        begin = time.perf_counter()
        read_raw = sum(len(store.entries(start, start + READ)) for start in range(0, size, READ))
        raw_s = time.perf_counter() - begin
        some, begin = 0, time.perf_counter()
        for start in range(0, min(size, 50_000), READ):
            for entry in store.entries(start, start + READ):
                parse_statement(entry.statement)
                some += 1
        parsed_s = time.perf_counter() - begin
    assert read_raw == size
    return size, size / raw_s, some / parsed_s


def database_mib(server: PostgresServer) -> tuple[float, float, float]:
    """Return the database's size, that of the statements' table and that of its indexes, in MiB."""
    found = server.ask(
        "SELECT pg_database_size(current_database()), "
        "pg_table_size('million.events'), pg_indexes_size('million.events')"
    )[0]
    whole, table, indexes = (float(each) / 2**20 for each in found)
    return whole, table, indexes


@contextmanager
def serving(directory: Path) -> Iterator[tuple[int, str]]:
    """Serve a directory in a process of its own; yield its id and its address."""
    process = subprocess.Popen(
        [*COMMAND, "serve", str(directory), "--port", "0"],
        stdout=subprocess.PIPE, text=True, env=clean({}),
    )  # fmt: skip
    assert process.stdout is not None
    try:
        found = re.search(r"http://127\.0\.0\.1:\d+", process.stdout.readline())
        assert found is not None, "the server does not say where it listens"
        yield process.pid, found[0]
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)
        process.stdout.close()


def first_answer_s(url: str, path: str) -> float:
    """Ask for something; return how long the answer took."""
    request = urllib.request.Request(f"{url}/v1/studies/small{path}")  # noqa: S310  our own server
    request.add_header("Authorization", f"Bearer {READER}")
    begin = time.perf_counter()
    with urllib.request.urlopen(request, timeout=1_800) as answer:  # noqa: S310
        answer.read()
    return time.perf_counter() - begin


def memory_mib(pid: int) -> tuple[float, float]:
    """Return a process's resident memory now, and at its highest."""
    status = Path(f"/proc/{pid}/status").read_text()
    now, peak = (re.search(rf"^{name}:\s*(\d+) kB$", status, re.MULTILINE) for name in ("VmRSS", "VmHWM"))
    assert now is not None
    assert peak is not None
    return int(now[1]) / 1024, int(peak[1]) / 1024


def measure(server: PostgresServer, directory: Path, entries: int, minutes: float) -> Load:
    """Do all of it, and say each figure as it comes."""
    trial = open_trial(directory, 0, store=new_store(server, SCHEMA))
    write_directory(trial, directory, server.url(SCHEMA), tokens=(TOKEN,))
    say(f"load {entries} entries, {PER_COMMIT} a commit, {PER_PARTICIPANT} of each participant")
    loaded = Load()
    beside = open_trial(directory / "beside", 0, store=new_store(server, "beside"))
    for part in load(trial, beside, entries, minutes):
        loaded.parts.append(part)
        signing_us = part.signing_s / part.entries * 1e6
        say(
            f"  {sum(each.entries for each in loaded.parts):>9} entries: {part.per_s:>6.0f}/s recorded, "
            f"{part.cpu_us:.0f} us CPU each here, {part.beside_per_s:.0f}/s into a small ledger; "
            f"clients {signing_us:.0f} us each"
        )
    say(f"append rate, last quarter against first: {loaded.ratio:.2f}")
    say(f"the same, each against a small ledger at that moment: {loaded.fair_ratio:.2f}")
    say(f"this process has {memory_mib(os.getpid())[0]:.0f} MiB")
    begin = time.perf_counter()
    trial.ledger.close()
    beside.ledger.close()
    say(f"published and closed in {time.perf_counter() - begin:.1f} s")
    whole, table, indexes = database_mib(server)
    say(f"database {DATABASE}: {whole:.0f} MiB, events {table:.0f} MiB and their indexes {indexes:.0f} MiB")
    size, raw, parsed = read(server.url(SCHEMA))
    say(f"catch-up: {size} entries, {raw:.0f}/s as stored, {parsed:.0f}/s parsed")
    begin = time.perf_counter()
    rebuilt = run("rebuild", directory)
    assert rebuilt.code == 0, rebuilt.err
    seconds = time.perf_counter() - begin
    say(f"rebuild of all kept projections: {seconds:.1f} s, {size / seconds:.0f} entries/s")
    begin = time.perf_counter()
    with serving(directory) as (pid, url):
        say(f"server listens after {time.perf_counter() - begin:.1f} s, {memory_mib(pid)[0]:.0f} MiB")
        took = first_answer_s(url, "/participants?limit=1")
        say(f"its first list of participants takes {took:.1f} s, the second "
            f"{first_answer_s(url, '/participants?limit=1') * 1000:.0f} ms")  # fmt: skip
        now, peak = memory_mib(pid)
        say(f"server: {now:.0f} MiB resident, {peak:.0f} MiB at most, {peak * 1024 / size:.1f} KiB an entry")
    return loaded


def say(text: str) -> None:
    """Print a line at once."""
    print(text, flush=True)


def main() -> None:
    """Run it with the size that is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("entries", type=int, nargs="?", default=1_000_000)
    parser.add_argument("--minutes", type=float, default=1e9, help="how long the load may take")
    parser.add_argument("--json", action="store_true", help="print the rate of each part at the end")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as place, running() as server:
        loaded = measure(server, Path(place) / "ledger", arguments.entries, arguments.minutes)
    if arguments.json:
        json.dump([round(part.per_s) for part in loaded.parts], sys.stdout)


def _rate(parts: list[Part]) -> float:
    return sum(part.entries for part in parts) / sum(part.recording_s for part in parts)


def _beside(parts: list[Part]) -> float:
    return sum(part.beside_per_s for part in parts) / len(parts)


if __name__ == "__main__":
    main()
