"""What a log says of itself: its head, its checkpoints, its backups, and the clock that it was written by."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from ledger.continued import continued
from ledger.directory import Config
from ledger.doctor import machine
from ledger.doctor.finding import DAY_S, Finding, Verdict, ago
from ledger.lines import counted
from ledger.note import parse_note, parse_vkey
from ledger.places import takes_writes
from ledger.store.checkpoints import CheckpointStore
from ledger.store.port import Head, Store, StoredEntry
from ledger.store.startup import Startup
from ledger.store.startup import check as check_startup
from ledger.store.urls import SQLITE
from ledger.times import parse_instant

SECOND_US: Final = 1_000_000
AHEAD_S: Final = 1.0
CLOCK_MS: Final = 1_000
ED25519_BYTES: Final = 64  # a cosignature is longer: a time stands before it


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What counts as late."""

    backup_days: int = 1
    restore_days: int = 92
    checkpoint_behind_s: int = 60


def stated_time_s(note: bytes) -> int | None:
    """Return the newest time that the log's own cosignature on a note states, unverified; POSIX seconds."""
    parsed = parse_note(note)
    origin = parsed.text.partition("\n")[0]
    stated = [
        int.from_bytes(line.signature[:8], "big")
        for line in parsed.signatures
        if line.name == origin and len(line.signature) > ED25519_BYTES
    ]
    return max(stated, default=None)


def witnesses_of(note: bytes) -> list[str]:
    """Return the names of others than the log who have a line on a note, unverified."""
    parsed = parse_note(note)
    origin = parsed.text.partition("\n")[0]
    return sorted({line.name for line in parsed.signatures if line.name != origin})


def log_findings(
    config: Config, store: Store, checkpoints: CheckpointStore, now_us: int, expected: Expected
) -> Iterator[Finding]:
    head, published = store.head(), checkpoints.latest()
    where = "SQLite" if config.store == SQLITE else "PostgreSQL"
    yield Finding(
        area="log",
        verdict="good" if head.size else "bad",
        # Said here and not in the manual alone: "good" of a log is easily taken for one that was read.
        text=f"{head.size:,} entries, root {head.root.hex()[:16]}… ({where}); the entries are not read here: "
        "`fsck` reads every one",
        values={"size": head.size, "root": head.root.hex(), "store": where},
    )
    first = store.entry(0)
    if first is None:
        return
    yield from _of_epoch(config, store)
    keys = [parse_vkey(text) for text in json.loads(first.statement)["data"]["log_keys"]]
    startup = check_startup(store, checkpoints, keys)
    yield _of_writing(startup, takes_writes(config.store))
    yield _of_checkpoint(store, head, published, now_us, expected)
    names = witnesses_of(published[1]) if published is not None else []
    yield Finding(
        area="witnesses",
        verdict="good" if names else "watch",
        text=f"{', '.join(names)} signed the newest checkpoint"
        if names
        else "nobody but the log signed the newest checkpoint",
        values={"witnesses": names},
    )


def _of_writing(startup: Startup, taken: bool) -> Finding:
    text = f"{startup.code}: {startup.message}" if startup.frozen else "open"
    if not taken:
        text = f"the database takes no writes: a standby?{f' {text}' if startup.frozen else ''}"
    return Finding(
        area="writing",
        verdict="bad" if startup.frozen or not taken else "good",
        text=text,
        values={"frozen": startup.frozen, "code": startup.code, "read_only": not taken},
    )


def _of_epoch(config: Config, store: Store) -> Iterator[Finding]:
    """Say what the log goes on from, and whether the directory of that is at hand."""
    older = continued(store)
    if older is not None:
        known = config.continues is not None
        apart = "" if known else "; ledger.toml names no directory of it, so nothing of it counts here"
        yield Finding(
            area="epoch",
            verdict="good" if known else "watch",
            text=f"goes on from {older}{apart}",
            values={"ledger_id": older.ledger_id, "origin": older.origin, "size": older.size, "known": known},
        )


def _of_checkpoint(
    store: Store, head: Head, published: tuple[int, bytes] | None, now_us: int, expected: Expected
) -> Finding:
    if published is None:
        return Finding(area="checkpoint", verdict="watch", text="none was published yet")
    size, note = published
    stated = stated_time_s(note)
    age_s = None if stated is None else now_us / SECOND_US - stated
    text = f"of {size:,} entries" + ("" if age_s is None else f", {ago(age_s)}")
    values = {"size": size, "age_s": None if age_s is None else round(age_s)}
    waiting = store.entry(size) if head.size > size else None
    if waiting is None:
        return Finding(area="checkpoint", verdict="good", text=text, values=values)
    late_s = now_us / SECOND_US - parse_instant(waiting.at) / SECOND_US
    verdict: Verdict = "bad" if late_s > expected.checkpoint_behind_s else "good"
    text += f"; {head.size - size:,} newer entries, the first {ago(late_s)}"
    return Finding(area="checkpoint", verdict=verdict, text=text, values=values)


def event_findings(store: Store, now_us: int, expected: Expected) -> Iterator[Finding]:
    """Look at what the log itself says of backups and clocks; all of it is in the stream of the study."""
    newest: dict[str, StoredEntry] = {}
    passed: StoredEntry | None = None
    for entry in store.stream_entries("study"):
        newest[entry.type] = entry
        if entry.type == "restore.tested" and json.loads(entry.statement)["data"]["outcome"] == "passed":
            passed = entry
    tested = newest.get("restore.tested")
    yield _dated("backup", newest.get("backup.taken"), now_us, expected.backup_days, "taken")
    restore = _dated("restore", passed, now_us, expected.restore_days, "passed")
    if tested is not None and tested is not passed:
        restore = _dated("restore", tested, now_us, 0, "failed", late="bad")
    yield restore
    size = store.head().size
    yield _of_clock(store.entry(size - 1) if size else None, newest.get("clock.drifted"), now_us)


def _dated(
    area: str, entry: StoredEntry | None, now_us: int, days: int, what: str, late: Verdict = "watch"
) -> Finding:
    if entry is None:
        return Finding(area=area, verdict="watch", text=f"the log knows of none that was {what}")
    age_s = (now_us - parse_instant(entry.at)) / SECOND_US
    size = json.loads(entry.statement)["data"]["size"]
    return Finding(
        area=area,
        verdict=late if age_s > days * DAY_S else "good",
        text=f"{what} {ago(age_s)}, at {counted(size, 'entry', 'entries')} (index {entry.index})",
        values={"index": entry.index, "at": entry.at, "size": size, "age_s": round(age_s)},
    )


def _of_clock(last: StoredEntry | None, drifted: StoredEntry | None, now_us: int) -> Finding:
    kernel = machine.clock()
    parts: list[str] = []
    verdict: Verdict = "good"
    ahead_s = (parse_instant(last.at) - now_us) / SECOND_US if last is not None else 0.0
    if kernel is None:
        verdict = "unknown"
        parts.append("the system does not say whether it is synchronised")
    elif not kernel.synchronised:
        verdict = "watch"
        parts.append("not synchronised, says the kernel")
    else:
        verdict = "good" if kernel.max_error_ms <= CLOCK_MS else "watch"
        parts.append(f"synchronised, at most {kernel.max_error_ms} ms off")
    if last is not None:
        parts.append(
            f"newest entry {ago(-ahead_s)}" if ahead_s <= 0 else f"newest entry {ahead_s:.0f} s ahead"
        )
    if ahead_s > AHEAD_S:
        verdict = "bad"
    if drifted is not None:
        parts.append(f"last drift {ago((now_us - parse_instant(drifted.at)) / SECOND_US)}")
    return Finding(
        area="clock",
        verdict=verdict,
        text="; ".join(parts),
        values={
            "synchronised": None if kernel is None else kernel.synchronised,
            "max_error_ms": None if kernel is None else kernel.max_error_ms,
            "newest_entry_ahead_s": round(ahead_s, 3),
        },
    )
