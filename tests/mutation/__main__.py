"""`make mutation`: does a test notice when the verifier's core is changed in one place?

    python -m tests.mutation PYTHON [--sample N | --all] [--seed N] [--only NAME ...] [--minutes N]
        [--again] [--jobs N] [--at DIR] [--least SHARE]

PYTHON is an interpreter with `mutmut` 3, in an environment of its own; it borrows this one's packages. A
copy of the tree is changed, never the tree. What is changed and tested by what is in `core`, what is no
test of anything in `changes` and `equivalent.toml`. Of each module's mutants a sample is drawn by the
seed; a mutant is killed when a test fails, or when the tests take far too long or too much memory.

Results stay in DIR: a run that ends early (`--minutes`, an interrupt) goes on where it stopped, and
`--again` tries those that lived once more, after new tests. Printed are those that lived, and a table by
module; the exit code is 1 below the asked share, or while something that was drawn is not tried yet.

Not changed, because mutmut does not: constants of a module (patterns and limits are what vectors are for),
and functions under a decorator, such as properties and those that keep results.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from pathlib import Path
from typing import Final

from tests.mutation.changes import Equivalent, Mutant, equivalents, mutants_of
from tests.mutation.core import FOR_PEOPLE, Group, groups
from tests.mutation.running import Workplace
from tests.mutation.table import Module, print_table

HERE: Final = Path(__file__).parent


def main() -> int:
    """Run; return 1 where less than the asked share is killed."""
    arguments = _arguments()
    deadline = time.monotonic() + 60 * arguments.minutes
    known = equivalents(HERE / "equivalent.toml")
    modules: list[Module] = []
    for group in groups():
        if not arguments.only or group.name in arguments.only:
            place = Workplace(arguments.python, arguments.at / group.name, group, arguments.jobs)
            modules += _run(arguments, place, group, known, deadline)
    return print_table(modules, seed=arguments.seed, least=arguments.least)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=__doc__.partition("\n")[0])
    add = parser.add_argument
    add("python", help="an interpreter that has mutmut")
    add("--sample", type=int, default=25, help="mutants of each module (default 25)")
    add("--all", action="store_true", help="every mutant")
    add("--seed", type=int, default=1)
    add("--only", nargs="*", default=[], metavar="NAME", help="groups of `core`, by name")
    add("--minutes", type=float, default=24 * 60, help="stop after so many, and go on next time")
    add("--again", action="store_true", help="try those that lived once more")
    add("--jobs", type=int, default=2)
    add("--at", type=Path, default=Path("/tmp/trial-ledger-mutation/work"))  # noqa: S108  a scratch place
    add("--least", type=float, default=0.85)
    return parser.parse_args()


def _run(
    arguments: argparse.Namespace, place: Workplace, group: Group, known: list[Equivalent], deadline: float
) -> list[Module]:
    """Try what is drawn of each module of a group, as far as there is time; return what came of it."""
    begins = time.monotonic() < deadline
    if begins:
        for module in group.modules:
            place.keep(_mutants(place, module))
        place.prepare()
    every = {module: _mutants(place, module) for module in group.modules}
    drawn = {module: _draw(arguments, module, every[module]) for module in group.modules}
    wanted = [mutant for module in group.modules for mutant in drawn[module]]
    if begins and arguments.again:
        place.forget(wanted)
    if begins:
        place.run(wanted, deadline)
        place.keep(wanted)
    return [
        Module(
            name=module.removesuffix(".py"),
            mutants=every[module],
            codes=place.codes(drawn[module]),
            known=[each for each in known if each.function.startswith(_dotted(module) + ".")],
        )
        for module in group.modules
    ]


def _draw(arguments: argparse.Namespace, module: str, mutants: list[Mutant]) -> list[Mutant]:
    draw = random.Random(f"{arguments.seed} {module}")  # noqa: S311  a sample, not a secret
    return draw.sample(mutants, len(mutants) if arguments.all else min(arguments.sample, len(mutants)))


def _mutants(place: Workplace, module: str) -> list[Mutant]:
    if not place.mutated(module).exists():  # a run that was too short came not so far
        return []
    names = [name for name in place.names() if name.startswith(_dotted(module) + ".x")]
    found = mutants_of(place.mutated(module), names)
    return [mutant for mutant in found if mutant.function not in FOR_PEOPLE]


def _dotted(module: str) -> str:
    return module.removesuffix(".py").replace("/", ".")


if __name__ == "__main__":
    sys.exit(main())
