"""Blinding as a property: to a blinded reader ledgers that differ in the arms alone are one (catalogue R8).

One study is played with several randomization lists: other products are made up for the same people, by the
same hands, at the same times. Whatever a blinded role can read is read of both ledgers and has to be the same
but for random values (`tests.twins`). Negative controls: unblinded roles do see a difference, and ledgers
that were made to leak are told apart.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from ledger.conduct import Conduct
from ledger.demo.cast import PREPARER, person_at, pharmacist
from ledger.errors import RefusedError
from ledger.leaf import parse_leaf
from ledger.roles import SIGHTS
from ledger.trust import trust_policy
from ledger.verify.judge import verify
from ledger.verify.options import Scope
from tests.ledger.verifying import options
from tests.twin_story import PHARMACIST, allocated, copy_of, make_up, play, products_of
from tests.twin_views import (
    bundle,
    everything,
    frames,
    histories,
    kept,
    leaves,
    lists,
    reader_of,
    views,
)
from tests.twins import BLINDED, SIGHTS_OF, Shown, Twin, unlike

SITE: Final = "SA-01"
UNBLINDED: Final = ("inspector", "unblinded_pharmacist", "unblinded_statistician", "safety_committee")
MINUTE: Final = len("2024-05-06T12:00")

Twins = tuple[Twin, ...]


@pytest.fixture(scope="module")
def studies(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Twins]:
    """Two whole studies, to their end, with every type of the catalogue that so few people call for."""
    made = tmp_path_factory.mktemp("studies")
    found = tuple(play(made / label, label) for label in ("one", "two"))
    yield found
    for twin in found:
        twin.ledger.close()


def test_the_twins_differ_in_the_arms(twins: Twins) -> None:
    """Under the same ids people have other arms in each ledger, in both stages."""
    first, *others = (twin.arms() for twin in twins)
    for other in others:
        assert first.keys() == other.keys()
        assert sum(first[name] != other[name] for name in first) >= 2
    drawn = [arms for twin in twins for arms in twin.arms().values() if arms]
    assert {arms[0] for arms in drawn} == {"ketamine", "magnesium", "ketamine+magnesium"}
    assert len({arms[1:] for arms in drawn}) > 1


@pytest.mark.parametrize("role", UNBLINDED)
def test_an_unblinded_role_sees_another_arm(twins: Twins, role: str) -> None:
    """Whoever may open the arms reads them, so that what follows does not compare nothing."""
    left, right = (dict(views(twin, reader_of(twin, role))) for twin in twins[:2])
    assert unlike(left, right)


@pytest.mark.parametrize("other", [1, 2])
def test_leaves_are_the_same(twins: Twins, other: int) -> None:
    """Each leaf has the same class, site, tag, keys, time and size, so any count of them is the same too."""
    left, right = twins[0], twins[other]
    assert unlike(leaves(left), leaves(right)) == []
    assert counts(left) == counts(right)


def counts(twin: Twin) -> tuple[Counter[str], Counter[str], Counter[tuple[str, str, str]]]:
    """Count leaves per tag, per key, and per tag, key and minute."""
    found = [(entry.stream, parse_leaf(entry.leaf)) for entry in twin.entries()]
    tags = Counter(stream for stream, _ in found)
    keys = Counter(str(sig.key) for _, leaf in found for sig in leaf.sigs)
    minutes = Counter((stream, str(sig.key), leaf.at[:MINUTE]) for stream, leaf in found for sig in leaf.sigs)
    return tags, keys, minutes


@pytest.mark.parametrize("other", [1, 2])
def test_statements_have_the_same_size_and_sealed_paths(twins: Twins, other: int) -> None:
    """In every stream, those of the pharmacy too: same types, ids, times, sizes, and padded sealed values."""
    assert unlike(kept(twins[0]), kept(twins[other])) == []


def test_whole_studies_have_the_same_leaves(studies: Twins) -> None:
    """To the end of the study: leaves and counts of them, sizes of statements and sealed values, paths."""
    left, right = studies
    assert left.arms() != right.arms()
    assert unlike(leaves(left), leaves(right)) == []
    assert counts(left) == counts(right)
    assert unlike(kept(left), kept(right)) == []


@pytest.mark.parametrize("role", SIGHTS_OF)
def test_whole_studies_read_the_same(studies: Twins, role: str) -> None:
    """State, timeline, trail, breaches, counts, every report, every frame of the stream, for each sight."""
    left, right = (everything(twin, reader_of(twin, role)) for twin in studies)
    assert unlike(left, right) == []
    assert len(left) > len(studies[0].entries())


@pytest.mark.parametrize("role", BLINDED)
def test_a_site_reads_the_same(twins: Twins, role: str) -> None:
    """Every blinded role, restricted to one site: participants, counts, breaches, trail and reports."""
    left, right = (dict(lists(twin, reader_of(twin, role, (SITE,)))) for twin in twins[:2])
    assert unlike(left, right) == []


@pytest.mark.parametrize("role", SIGHTS_OF)
def test_field_histories_are_the_same(twins: Twins, role: str) -> None:
    """Every value that a field ever had, of each type of record, for somebody whose arm is another one."""
    name = next(each for each in allocated(twins[0]) if twins[0].arms()[each] != twins[1].arms()[each])
    left, right = (dict(histories(twin, reader_of(twin, role), name)) for twin in twins[:2])
    assert unlike(left, right) == []
    assert "participant.randomized/data/arm" in left


@pytest.mark.parametrize("kind", ["study", "site", "participant"])
@pytest.mark.parametrize("role", BLINDED)
def test_exports_are_the_same(twins: Twins, role: str, kind: str, tmp_path: Path) -> None:
    """Same files of the same sizes, withheld lines, openings and salts; or the same refusal."""
    name = {"study": None, "site": SITE, "participant": allocated(twins[0])[0]}[kind]
    scope = Scope(kind=kind, id=name)
    left, right = (bundle(twin, tmp_path / str(n), scope, role) for n, twin in enumerate(twins[:2]))
    assert unlike(left, right) == []
    assert ("withheld.jsonl" in left) == (SIGHTS[role].others == "all" and not SIGHTS[role].hidden) or (
        role == "participant" and kind == "participant"
    )


@pytest.mark.parametrize("role", ["auditor", "blinded_monitor", "investigator"])
def test_verdicts_are_the_same(twins: Twins, role: str, tmp_path: Path) -> None:
    """What a blinded reader's verifier finds, and counts, is the same in every arm."""
    scope, found = Scope(kind="study"), []
    for number, twin in enumerate(twins[:2]):
        out = tmp_path / str(number)
        bundle(twin, out, scope, role)
        report = verify(out, options(trust_policy(twin.ledger), scope=scope, role=role))
        assert report.counts["statements withheld"] > 0
        found.append(twin.json([[str(each) for each in report.findings], report.counts]))
    assert found[0] == found[1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Leak:
    """What is recorded of a participant in one arm and otherwise in another, and who sees the difference.

    Attributes:
        tell: takes a ledger, a participant, and whether the arm is the one that shows.
        seen: comparisons that differ then: of leaves, of sizes kept, of what a blinded auditor gets.
    """

    tell: Callable[[Twin, str, bool], object]
    seen: frozenset[str]


def vitals(twin: Twin, participant: str, value: str = "64", role: str = "coordinator") -> object:
    """Record a heart rate."""
    rate = {"name": "heart_rate", "quantity": {"value": value, "unit": "/min"}}
    data = {"measurements": [rate], "source": {"kind": "esource"}}
    person = person_at(twin.site_of(participant), role)
    return twin.say(person, role, "vital_signs.recorded", f"participant/{participant}", data)


def a_record_more(twin: Twin, participant: str, shows: bool) -> None:
    """Measure in one arm only."""
    if shows:
        vitals(twin, participant)


def another_value(twin: Twin, participant: str, shows: bool) -> None:
    """Write down another rate."""
    vitals(twin, participant, "71" if shows else "64")


def another_time(twin: Twin, participant: str, shows: bool) -> None:
    """Measure a second later."""
    twin.sources.advance(1_000_000 if shows else 0)
    vitals(twin, participant)


def another_author(twin: Twin, participant: str, shows: bool) -> None:
    """Let somebody else measure."""
    vitals(twin, participant, role="investigator" if shows else "coordinator")


def another_order(twin: Twin, participant: str, shows: bool) -> None:
    """Record what the same person does in the same stream the other way round."""
    site, stream = twin.site_of(participant), f"participant/{participant}"
    data = {"visit": "unscheduled", "mode": "phone", "source": {"kind": "esource"}}
    for measured in (shows, not shows):
        if measured:
            vitals(twin, participant)
        else:
            person = person_at(site, "coordinator")
            twin.say(person, "coordinator", "visit.started", stream, data)


def a_refusal(twin: Twin, participant: str, shows: bool) -> None:
    """Refuse a command in one arm only."""
    stream = f"participant/{participant}"
    data = {"list": "main", "stage": 1, "stratum": twin.site_of(participant)}
    person = person_at(twin.site_of(participant), "coordinator")
    if shows:
        with pytest.raises(RefusedError):
            twin.say(person, "coordinator", "randomization.requested", stream, data)


def a_dose_more(twin: Twin, participant: str, shows: bool) -> None:
    """Write one record more where nobody who is blinded reads: the leaf is still there."""
    if shows:
        make_up(twin, participant, "L-TWIN-MORE", products_of(twin, participant))


def a_forged_breach(twin: Twin, participant: str, shows: bool) -> None:
    """Let the service sign a breach that no rule found: a server that by-passes the rules."""
    if shows:
        event = twin.drawn(participant)[0].event
        data = {"rule": "SEALED_RULE", "statement": event}
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Conduct, "judge", lambda conduct, entry, authority: ())
            twin.ledger.attest("breach.detected", f"participant/{participant}", data)


def an_unpadded_dose(twin: Twin, participant: str, shows: bool) -> None:
    """Seal contents as long as their products: a client and a server without the check of the form."""
    site = twin.site_of(participant)
    lines = 20 if shows else 1
    row = {"product": "magnesium", "quantity": {"value": "10", "unit": "mg"}}
    data = {
        "label": "L-TWIN-BARE",
        "participant": participant,
        "infusion": 1,
        "volume": {"value": "250", "unit": "mL"},
        "beyond_use": "2030-01-01",
        "source": {"kind": "esource"},
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ledger.actions.preparation.PADDED_BYTES", 1)
        opened = {"/data/contents": {"lines": [row] * lines, "padding": ""}}
        person = pharmacist(site, PREPARER)
        twin.say(person, PHARMACIST, "dose.prepared", f"pharmacy/{site}", data, opened=opened)


ALL: Final = frozenset({"leaves", "kept", "shown"})
LEAKS: Final = {
    leak.tell.__name__: leak
    for leak in (
        Leak(tell=a_record_more, seen=ALL),
        Leak(tell=another_value, seen=frozenset({"shown"})),
        Leak(tell=another_time, seen=ALL),
        Leak(tell=another_author, seen=ALL),
        Leak(tell=another_order, seen=frozenset({"kept", "shown"})),
        Leak(tell=a_refusal, seen=ALL),
        Leak(tell=a_dose_more, seen=ALL),
        Leak(tell=a_forged_breach, seen=ALL),
        Leak(tell=an_unpadded_dose, seen=frozenset({"kept"})),
    )
}


@pytest.mark.parametrize("leak", LEAKS.values(), ids=list(LEAKS))
def test_what_leaks_is_seen(twins: Twins, leak: Leak, tmp_path: Path) -> None:
    """The comparisons above are no idle ones: each way in which an arm could show makes them differ."""
    left, right = (copy_of(twin, tmp_path / str(n)) for n, twin in enumerate(twins[:2]))
    try:
        arms, others = left.arms(), right.arms()
        name = next(each for each in allocated(left) if arms[each] != others[each])
        leak.tell(left, name, True)
        leak.tell(right, name, False)
        compared: dict[str, tuple[Shown, Shown]] = {
            "leaves": (leaves(left), leaves(right)),
            "kept": (kept(left), kept(right)),
            "shown": (shown(left), shown(right)),
        }
        assert {what for what, pair in compared.items() if unlike(*pair)} == leak.seen
    finally:
        left.ledger.close()
        right.ledger.close()


def shown(twin: Twin) -> Shown:
    """Return what an auditor, who is blinded, gets in the stream."""
    return dict(frames(twin, reader_of(twin, "auditor")))
