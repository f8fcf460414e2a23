"""Who stands behind each key: the identity report of a log (record-format.md §6).

Per person: whether the identity was verified, and of each key its grade, who endorsed it, on what evidence,
and whether an earlier key of the same person confirmed it. A person all of whose keys one organisation
endorsed, and no earlier key of hers, is reported `ONE_SIDED_IDENTITY`: that organisation could have made
them. Root persons are named by index 0 or a change of policy, and the service vouches for nobody.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from ledger.authority import SERVICE, Authority, EnrolledKey, Person

HOLDER: Final = "the holder"

Row = Mapping[str, Any]
"""One person with the keys, as JSON."""


def identity_report(authority: Authority) -> tuple[Row, ...]:
    """Return one row for each person of the log, root persons first, then by id."""
    one_sided = one_sided_persons(authority)
    keys: dict[str, list[EnrolledKey]] = {}
    for key in authority.keys.values():
        keys.setdefault(key.person, []).append(key)
    people = {**authority.persons, **authority.roots}
    order = sorted(people, key=lambda person: (person not in authority.roots, person))
    return tuple(_row(authority, people[each], keys.get(each, []), each in one_sided) for each in order)


def one_sided_persons(authority: Authority) -> set[str]:
    """Return the persons all of whose keys one organisation endorsed, and no earlier key of theirs."""
    endorsers: dict[str, set[str]] = {}
    for key in authority.keys.values():
        if key.endorsed_by is not None and key.person in authority.persons and key.person != SERVICE:
            sources = endorsers.setdefault(key.person, set())
            sources.add(key.endorsed_by)
            if key.confirmed_at is not None:
                sources.add(HOLDER)
    return {person for person, sources in endorsers.items() if len(sources) == 1}


def as_lines(rows: tuple[Row, ...]) -> list[str]:
    """Write the report for people: a line for each person, and one for each key below."""
    lines = []
    for row in rows:
        said = [] if row["active"] else ["account disabled"]
        if row["kind"] == "person":
            at = row.get("identity_verified_at")
            said.append("identity not verified" if at is None else f"identity verified at index {at}")
        if row["one_sided"]:
            said.append("ONE_SIDED_IDENTITY")
        lines.append(
            f"  {row['person']}, {row['name']}, {row['organisation']}: {row['kind']}; {'; '.join(said)}"
        )
        lines += [f"    {_line(key)}" for key in row["keys"]]
    return lines


def _row(authority: Authority, person: Person, keys: list[EnrolledKey], one_sided: bool) -> Row:
    kind = "root" if person.id in authority.roots else "service" if person.id == SERVICE else "person"
    row: dict[str, Any] = {
        "person": person.id,
        "name": person.name,
        "organisation": person.organisation,
        "kind": kind,
        "active": person.active,
        "one_sided": one_sided,
        "keys": [_key(authority, key) for key in sorted(keys, key=lambda key: (key.since, key.public.id))],
    }
    if person.identity_at is not None:
        row["identity_verified_at"] = person.identity_at
    return row


def _key(authority: Authority, key: EnrolledKey) -> dict[str, Any]:
    value: dict[str, Any] = {
        "key": key.public.id,
        "alg": key.public.alg,
        "grade": key.grade,
        "since": key.since,
    }
    given = {
        "until": key.until,
        "enrolled_by": None if key.enrolled_by is None else authority.person_of(key.enrolled_by),
        "endorsed_by": key.endorsed_by,
        "evidence": key.evidence,
        "confirmed_at": key.confirmed_at,
        "suspect_from": key.suspect_from,
    }
    return value | {name: each for name, each in given.items() if each is not None}


def _line(key: Mapping[str, Any]) -> str:
    parts = [f"{key['key'][:23]}… {key['alg']} {key['grade']} since {key['since']}"]
    if "until" in key:
        parts.append(f"ended before {key['until']}")
    if "endorsed_by" in key:
        parts.append(f"endorsed by {key.get('enrolled_by', 'nobody known')} of {key['endorsed_by']}")
    parts.append(f"form {key['evidence'][:12]}…" if "evidence" in key else "no form")
    if "confirmed_at" in key:
        parts.append(f"confirmed by the holder at {key['confirmed_at']}")
    if "suspect_from" in key:
        parts.append(f"suspect from {key['suspect_from']}")
    return ", ".join(parts)
