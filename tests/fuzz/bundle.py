"""Mutate whole bundles: the verifier never fails itself, and never verifies other content.

    python -m tests.fuzz.bundle --seconds 600 [--seed 1]

Each case changes a good bundle: bytes of one file or a few, or a file that is lost, doubled, renamed or put
in another's place; as a directory or as a zip; sometimes with the tree built and signed again by the log's
own keys, so that what lies behind the signatures is reached too. A case follows from its number.
"""

from __future__ import annotations

import argparse
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ledger.policy import TrustPolicy
from ledger.verify.report import Report
from tests.attacks.mutators_log import copied
from tests.attacks.mutators_zip import Entry, pack
from tests.fuzz.mutation import mutate
from tests.ledger.forgery import Forgery
from tests.ledger.small_ledger import make
from tests.ledger.verifying import judge

UNREAD: Final = frozenset({"VERIFY.md", "verify.html"})
"""Conveniences, which may say anything: no content of a bundle."""

KINDS: Final = (
    "bytes",
    "bytes",
    "bytes",
    "lost",
    "doubled",
    "renamed",
    "exchanged",
    "signed",
    "signed",
    "zip",
)


class DefectError(Exception):
    """The verifier failed itself, or verified other content."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Good:
    """A good bundle: in memory as a forger has it, and as files."""

    forgery: Forgery
    files: Mapping[str, bytes]
    policy: TrustPolicy


def good(directory: Path) -> Good:
    """Make a small ledger and its bundle."""
    made = make(directory / "ledger")
    forgery = Forgery(made, directory / "exported")
    written = copied(forgery).write(directory / "good")
    made.ledger.close()
    return Good(forgery=forgery, files=read(written), policy=made.policy)


def read(place: Path) -> dict[str, bytes]:
    """Read all files of a directory."""
    found = sorted(path for path in place.rglob("*") if path.is_file())
    return {str(path.relative_to(place)): path.read_bytes() for path in found}


def case(bundle: Good, number: int, place: Path) -> Report:
    """Make the case of a number in an empty place, judge it, and hold the verifier to what it promises.

    Raises:
        DefectError: the verifier failed, or verified what is not the good bundle.
    """
    dice = random.Random(number)  # noqa: S311  chance that can be had again, no secret
    kind = dice.choice(KINDS)
    report = _signed(bundle, dice, place) if kind == "signed" else _changed(bundle, kind, dice, place)
    if any(each.code == "UNJUDGED" for each in report.findings):
        raise DefectError(f"case {number}: the verifier failed")
    return report


def _changed(bundle: Good, kind: str, dice: random.Random, place: Path) -> Report:
    files = dict(bundle.files)
    names = sorted(files)
    for _ in range(dice.randint(1, 2)):
        _change(files, names, "bytes" if kind == "zip" else kind, dice)
    if kind == "zip":
        data = zipped(files)
        place.write_bytes(data if dice.random() < 0.5 else mutate(dice, data))
        content = None if place.read_bytes() != data else files
    else:
        write(place, files)
        content = files
    report = judge(place, bundle.policy)
    if report.exit_code == 0 and _content(content) != _content(bundle.files):
        raise DefectError("other content was verified")
    return report


def _change(files: dict[str, bytes], names: Sequence[str], kind: str, dice: random.Random) -> None:
    name, other = dice.choice(names), dice.choice(names)
    match kind:
        case "bytes" if name in files:
            files[name] = mutate(dice, files[name])
        case "lost":
            files.pop(name, None)
        case "doubled":
            files[f"{name}{dice.choice(('x', '.bak', '0'))}"] = files.get(name, b"")
        case "renamed" if name in files:
            files[f"{name}x"] = files.pop(name)
        case "exchanged" if name in files and other in files:
            files[name], files[other] = files[other], files[name]
        case _:
            pass


def _content(files: Mapping[str, bytes] | None) -> dict[str, bytes]:
    return {name: data for name, data in (files or {}).items() if name not in UNREAD}


def _signed(bundle: Good, dice: random.Random, place: Path) -> Report:
    """Change a leaf, a statement or a small file, and let the log sign the tree over it.

    The log may time its leaves as it likes, and what it does not show is not always missed; so here the
    verdict has to say nothing but when a statement is another one.
    """
    forged = copied(bundle.forgery)
    at = dice.randrange(forged.size)
    which = dice.choice(("leaf", "statement", "file"))
    if which == "leaf":
        forged.leaves[at] = mutate(dice, forged.leaves[at])[:65_535]
    elif which == "statement":
        forged.payloads[at] = mutate(dice, forged.payloads[at]).replace(b"\n", b"")
    else:
        name = dice.choice([each for each in forged.files if each not in ("scope.json", "checkpoint")])
        forged.files[name] = mutate(dice, forged.files[name])
    report = judge(forged.write(place), bundle.policy)
    if report.exit_code == 0 and which == "statement" and forged.payloads != bundle.forgery.payloads:
        raise DefectError("another statement was verified")
    return report


def write(place: Path, files: Mapping[str, bytes]) -> None:
    """Write files below a directory."""
    for name, data in files.items():
        path = place / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def zipped(files: Mapping[str, bytes]) -> bytes:
    """Pack files as §9 says."""
    return pack([Entry(name=name.encode(), data=files[name]) for name in sorted(files)])


def main(argv: Sequence[str]) -> int:
    """Run cases for a while; print how many there were, and the number of each that is a defect."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.bundle", description="Mutate whole bundles.")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as directory:
        bundle = good(Path(directory))
        return _run(bundle, Path(directory) / "case", arguments.seconds, arguments.seed)


def _run(bundle: Good, place: Path, seconds: float, seed: int) -> int:
    until = time.monotonic() + seconds
    number, defects, verified = seed * 1_000_000, 0, 0
    while time.monotonic() < until:
        try:
            verified += case(bundle, number, place).exit_code == 0
        except Exception as error:  # whatever leaves the verifier is what is looked for
            defects += 1
            print(f"case {number}: {type(error).__name__}: {error}", file=sys.stderr)
        if place.is_dir():
            shutil.rmtree(place)
        place.unlink(missing_ok=True)
        number += 1
    done = number - seed * 1_000_000
    print(f"{done} cases, {verified} verified and rightly so, {defects} defects")
    return 1 if defects else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
