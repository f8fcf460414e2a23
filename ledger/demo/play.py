"""Play the demonstration into a new directory, export it, and verify the export.

    DIR/ledger.toml, ledger.db, …   the ledger, with everybody's key files under keys/
    DIR/policy                      the trust policy: what an auditor would get from somewhere else
    DIR/export/                     the whole ledger as a bundle for the role `auditor`

The export that is made here is not recorded as `export.generated`: that names the hash of the files, one of
which is the checkpoint, and its post-quantum signature is another one in every run. With it two runs of one
seed would not end in one root. Every later export is recorded.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import timedelta
from importlib.resources import files
from pathlib import Path
from typing import Final

from ledger.committer import Ledger
from ledger.demo import closing, elsewhere
from ledger.demo.cast import log_keys, people
from ledger.demo.course import Course
from ledger.demo.participants import whole
from ledger.demo.report import DEMO_ROLES, DemoReport, report_of, token_text
from ledger.demo.safety_office import SafetyOffice
from ledger.demo.schedule import PARTICIPANTS, Plan, plans
from ledger.demo.screening import counts
from ledger.demo.setup import OPENING, ZONE, Setup
from ledger.demo.stage import DAY_US, Stage, instant
from ledger.directory import KEYS, UNBLINDINGS, Config, NewKeys, Token, create
from ledger.errors import StoreError
from ledger.export import export_bundle
from ledger.keyfile import write_key
from ledger.places import Owners
from ledger.policy import TrustPolicy, format_policy
from ledger.sources import SeededSources
from ledger.store.urls import SQLITE
from ledger.study.definition import StudyDefinition, load
from ledger.trust import trust_policy
from ledger.verify.judge import verify
from ledger.verify.options import Options, Scope
from ledger.verify.report import Report

DEFINITION: Final = "nct06414356.json"
EXPORT: Final = "export"
POLICY: Final = "policy"
ROLE: Final = "auditor"

Progress = Callable[[str, int, int], None]

_LAST_DAYS: Final = 230  # from the last participant's day 1 to the end of the visits, at most
_CLOSING_DAYS: Final = 60


def play_demo(
    directory: Path,
    seed: int,
    *,
    progress: Progress,
    participants: int = PARTICIPANTS,
    seeds_label: str | None = None,
    store: str = SQLITE,
    owner: str | None = None,
) -> DemoReport:
    """Make a ledger in a new directory and play the whole study; `progress` gets step, done and total.

    `participants` takes only the first of them. Another `seeds_label` changes the arms and nothing else.
    Events may lie in a schema, which `owner` makes; the log is the same.

    Raises:
        StoreError: `LEDGER_EXISTS` when something is in the directory.
        LedgerError: `DEMO_UNEXPECTED` when the rules do not answer as the story has it.
    """
    source = (files("ledger.study") / "definitions" / DEFINITION).read_bytes()
    definition = load(source)
    sources = SeededSources(f"trial-ledger demo {seed}", instant(OPENING, 9 * 60, ZONE))
    log, log_pq, service, kek = log_keys(seed)
    keys = NewKeys(log=log, log_pq=log_pq, service=service, kek=kek)
    config = Config(
        origin=f"ledger.example/demo-{definition.study}",
        study=definition.study,
        demonstration=True,
        tokens=_tokens(definition),
        store=store,
    )
    ledger = create(directory, config, keys, None, sources, owners=Owners(store=owner))
    try:
        stage = Stage(ledger, sources, definition, seed, seeds_label=seeds_label)
        setup = Setup(stage, source, directory / UNBLINDINGS)
        setup.play()
        _play(setup, plans(definition, seed, participants), progress)
        _write_keys(directory, stage)
        policy = trust_policy(ledger)
        verdict = _export(ledger, directory, policy, progress)
        return report_of(ledger, directory, seed=seed, ledger_id=setup.ledger_id, verdict=verdict)
    finally:
        ledger.close()


def _play(setup: Setup, planned: tuple[Plan, ...], progress: Progress) -> None:
    """Record all stories in time order; a day is one step of progress."""
    stage = setup.stage
    begin_us = stage.sources.now_us()
    last_day_us = max((instant(plan.day1, 0, plan.zone) for plan in planned), default=begin_us)
    total = (last_day_us - begin_us) // DAY_US + _LAST_DAYS + _CLOSING_DAYS
    done = -1

    def watch(at_us: int) -> None:
        nonlocal done
        day = min(total, (at_us - begin_us) // DAY_US)
        if day > done:
            done = day
            progress("playing the study", day, total)

    courses: dict[int, Course] = {}
    for plan in planned:
        courses[plan.number] = Course(stage, plan, setup.forms, courses)
    office = SafetyOffice(setup)
    last_day = max((plan.day1 for plan in planned), default=OPENING) + timedelta(days=_LAST_DAYS)
    of_participants = [*map(whole, courses.values()), *counts(list(courses.values()))]
    stories = [*of_participants, *elsewhere.stories(setup, planned, courses)]
    stage.run([*stories, office.whole(last_day)], watch)
    closing.close(setup, courses, office, watch)
    progress("playing the study", total, total)


def _tokens(definition: StudyDefinition) -> tuple[Token, ...]:
    """Return reading tokens for some roles; their texts are public as everything here is."""
    tokens = []
    for role in DEMO_ROLES:
        person = next(p for p in people(definition) if p.role == role)
        digest = hashlib.sha256(token_text(role).encode()).hexdigest()
        tokens.append(Token(sha256=digest, role=role, person=person.id, sites=person.sites))
    return tuple(tokens)


def _write_keys(directory: Path, stage: Stage) -> None:
    """Write everybody's present key, so that whoever tries the ledger can sign as anybody."""
    for person, key in stage.keys.items():
        write_key(directory / KEYS / f"{person}.json", key, None)


def _export(ledger: Ledger, directory: Path, policy: TrustPolicy, progress: Progress) -> Report:
    note = ledger.publish()
    if note is None:
        raise StoreError("LEDGER_EMPTY", "the ledger has no published checkpoint to export")
    progress("exporting", 0, 1)
    scope = Scope(kind="study")
    export_bundle(ledger.store, ledger.data_keys, note, directory / EXPORT, scope=scope, role=ROLE)
    (directory / POLICY).write_bytes(format_policy(policy))
    progress("exporting", 1, 1)
    progress("verifying", 0, 1)
    options = Options(
        policy=policy,
        ledger_id=None,
        scope=scope,
        role=ROLE,
        previous=None,
        outbox=None,
        strict_conduct=False,
        classical=False,
        post_quantum=False,
        workers=1,
    )
    verdict = verify(directory / EXPORT, options)
    progress("verifying", 1, 1)
    return verdict
