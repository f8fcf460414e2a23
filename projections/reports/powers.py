"""Who could do what: every role that a person held at an index, where, with which keys, and what was missing.

Asked as known at a past minute it says who *could have* signed then (requirements.md, "Auditor, inspector"):
authority is by index, so the answer rests on no clock and can be computed again from any export.
"""

from __future__ import annotations

from collections.abc import Iterator
from types import MappingProxyType
from typing import Final

from ledger.actions import all_specs
from ledger.authority import SERVICE, Authority, Grant, Person
from ledger.times import Interval
from projections.desk import Desk
from projections.report import Report, Row


def powers(desk: Desk) -> Iterator[Row]:
    """Yield a row for each person and role, by person and role; root persons first."""
    authority = desk.authority
    for person in sorted(authority.roots.values(), key=lambda each: each.id):
        yield _row(desk, authority, person, "root", None)
    for person in sorted(authority.persons.values(), key=lambda each: each.id):
        for role, grant in sorted(person.roles.items()):
            if _is_shown(desk, grant):
                yield _row(desk, authority, person, role, grant)


def _is_shown(desk: Desk, grant: Grant) -> bool:
    return "*" in grant.sites or any(desk.sees_site(site) for site in grant.sites)


def _row(desk: Desk, authority: Authority, person: Person, role: str, grant: Grant | None) -> Row:
    keys = [key for key in authority.keys if authority.keys[key].person == person.id]
    live = [key for key in keys if authority.live(key, desk.size)]
    sites = [] if grant is None else [s for s in grant.sites if s == "*" or desk.sees_site(s)]
    return {
        "person": person.id,
        "name": person.name,
        "organisation": person.organisation,
        "role": role,
        "sites": sites,
        "blinded": grant.blinded if grant is not None else None,
        "could_sign": _lacks(person, role, live) == [],
        "lacks": _lacks(person, role, live),
        "keys": sorted(live),
        "grades": sorted({authority.keys[key].grade for key in live}),
        "types": sum(role in spec.roles for spec in all_specs()),
        "delegated": _tasks(desk, person.id, sites),
        "since_index": grant.since if grant is not None else 0,
    }


def _lacks(person: Person, role: str, live: list[str]) -> list[str]:
    """Return what keeps the person from signing in this role."""
    lacks = [] if live else ["key"]
    if role in ("root", SERVICE):
        return lacks
    if not person.active:
        lacks.append("account")
    if person.identity_at is None:
        lacks.append("identity")
    if person.acknowledged_at is None:
        lacks.append("acknowledgement")
    return lacks


def _tasks(desk: Desk, person: str, sites: list[str]) -> list[str]:
    """Return the tasks that the person held at these sites at the last leaf that counts."""
    study = desk.conduct.study
    now = Interval(earliest_us=desk.now_us, latest_us=desk.now_us)
    names = desk.sites() if "*" in sites else sites
    tasks = (spec.type for spec in all_specs() if spec.delegated)
    return sorted(
        {task for task in tasks for site in names if study.delegated(person, task, site, now, desk.size)}
    )


REPORTS: Final = (
    Report(
        name="powers",
        question="Who could do what at that minute, where, and what would have kept them from it?",
        columns=MappingProxyType(
            {
                "person": "id of the person",
                "name": "printed name at that index",
                "organisation": "organisation at that index",
                "role": "role held",
                "sites": "sites on which it is held; * for all",
                "blinded": "whether it was granted blinded",
                "could_sign": "whether nothing was missing",
                "lacks": "what was missing: key, account, identity, acknowledgement",
                "keys": "keys that were live",
                "grades": "grades of these keys",
                "types": "how many action types the role may sign",
                "delegated": "tasks delegated to the person at these sites",
                "since_index": "index of the grant",
            }
        ),
        rows=powers,
    ),
)
