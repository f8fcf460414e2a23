"""The baseline is a verifier: it takes a real bundle, and refuses one in which a thing is wrong."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from api.routes.catalogue import document
from tests.attacks.mutators_log import (
    copied,
    delete,
    disclosures,
    edit,
    repeat,
    set_disclosures,
    set_streams,
    sign_again,
    streams,
    swap,
    training,
    vitals,
)
from tests.attacks.mutators_scope import withhold
from tests.benchmarks import plain_verifier
from tests.benchmarks.plain_form import WrongError
from tests.ledger.forgery import Forgery, key_of
from tests.ledger.small_ledger import SmallLedger, make

Change = Callable[[Forgery, SmallLedger], object]
CATALOGUE = json.loads(document())


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> SmallLedger:
    """A ledger that nobody writes to."""
    return make(tmp_path_factory.mktemp("plain") / "d")


@pytest.fixture(scope="module")
def real(made: SmallLedger, tmp_path_factory: pytest.TempPathFactory) -> Forgery:
    """Its bundle for an auditor of the study."""
    return Forgery(made, tmp_path_factory.mktemp("bundle") / "b")


def test_a_real_bundle_is_taken(real: Forgery, tmp_path: Path) -> None:
    """Every signature of it is checked, and nothing is wrong."""
    bundle = copied(real).write(tmp_path / "b")
    signatures = sum(len(real.leaf(index)["sigs"]) for index in range(real.size) if real.payloads[index])
    assert plain_verifier.verify(bundle, CATALOGUE, "auditor") == signatures


def _opened_otherwise(forged: Forgery, made: SmallLedger) -> None:
    first, *rest = disclosures(forged)
    path, value = next(iter(first["open"].items()))
    set_disclosures(forged, [{**first, "open": {path: value[:-1]}}, *rest])


def _another_salt(forged: Forgery, made: SmallLedger) -> None:
    set_streams(forged, dict.fromkeys(streams(forged), "1" * 64))


def _by_another_key(forged: Forgery, made: SmallLedger) -> None:
    sign_again(forged, made.at["vitals SA-01-001"], [key_of("root")])


WRONG: dict[str, tuple[str, Change]] = {
    "an entry deleted": ("linkage", lambda forged, made: delete(forged, made.at["vitals SA-01-001"])),
    "entries swapped": ("linkage", lambda forged, made: swap(forged, 20, 21)),
    "an entry twice": ("linkage", lambda forged, made: repeat(forged, made.at["vitals SA-01-001"])),
    "a value edited": (
        "signature",
        lambda forged, made: edit(forged, made.at["vitals SA-01-001"], protocol="9"),
    ),
    "signed by another": ("set", _by_another_key),
    "a value opened otherwise": ("disclosure", _opened_otherwise),
    "another salt": ("tag", _another_salt),
    "a value not opened": ("not opened", lambda forged, made: set_disclosures(forged, [])),
    "an open one withheld": ("withheld", lambda forged, made: withhold(forged, 20, "blinded")),
    "data of another form": (
        "one of a few",
        lambda forged, made: forged.append(
            vitals(forged, made, data={**_data(forged, made), "source": {"kind": "hearsay"}}),
            [key_of("bchan")],
        ),
    ),
    "a member too many": (
        "unknown member",
        lambda forged, made: forged.append(
            vitals(forged, made, data={**_data(forged, made), "mood": "good"}), [key_of("bchan")]
        ),
    ),
    "a role not held": (
        "role",
        lambda forged, made: forged.append(
            vitals(forged, made, actor={**_actor(forged, made), "role": "investigator"}), [key_of("bchan")]
        ),
    ),
    "another's name": (
        "actor",
        lambda forged, made: forged.append(
            vitals(forged, made, actor={**_actor(forged, made), "name": "Somebody Else"}), [key_of("bchan")]
        ),
    ),
    "a meaning that the role has not": (
        "meaning",
        lambda forged, made: forged.append(vitals(forged, made, meaning="approval"), [key_of("bchan")]),
    ),
    "a tree seen that never was": (
        "seen",
        lambda forged, made: forged.append(
            training(forged, made, seen={"root": "A" * 43 + "=", "size": 20}), [key_of("root")]
        ),
    ),
}


def _data(forged: Forgery, made: SmallLedger) -> dict[str, object]:
    found: dict[str, object] = forged.statement(made.at["vitals SA-01-002"])["data"]
    return found


def _actor(forged: Forgery, made: SmallLedger) -> dict[str, object]:
    found: dict[str, object] = forged.statement(made.at["vitals SA-01-002"])["actor"]
    return found


@pytest.mark.parametrize("name", WRONG)
def test_a_bundle_with_a_fault_is_refused(
    name: str, real: Forgery, made: SmallLedger, tmp_path: Path
) -> None:
    """A thing that `verify` finds is found by the baseline too, or the two would not do the same."""
    said, change = WRONG[name]
    forged = copied(real)
    change(forged, made)
    with pytest.raises(WrongError, match=said):
        plain_verifier.verify(forged.write(tmp_path / "b"), CATALOGUE, "auditor")
