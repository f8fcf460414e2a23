"""What became of the mutants, by module, and the score."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from tests.mutation.changes import Equivalent, Mutant

TIMEOUT: Final = frozenset({24, 36, 152, 255, -24, -9})
"""How mutmut notes that the tests took far longer than without the change: it was noticed."""
NO_TEST: Final = frozenset({5, 33})
COLUMNS: Final = ("killed", "timeout", "survived", "no test", "not tried", "equivalent")


@dataclass(frozen=True, slots=True, kw_only=True)
class Module:
    """A module: all its mutants, what mutmut noted of those drawn, and which are known to change nothing."""

    name: str
    mutants: Sequence[Mutant]
    codes: dict[Mutant, int | None]
    known: Sequence[Equivalent]

    def outcomes(self) -> dict[Mutant, str]:
        """Return what became of each mutant that was drawn."""
        return {mutant: self._outcome(mutant, code) for mutant, code in self.codes.items()}

    def mistakes(self) -> list[str]:
        """Return what the list of equivalent changes says wrongly."""
        killed = {
            mutant for mutant, code in self.codes.items() if code not in (None, 0) and code not in NO_TEST
        }
        gone = [each for each in self.known if not any(each.fits(mutant) for mutant in self.mutants)]
        wrong = [each for each in self.known if any(each.fits(mutant) for mutant in killed)]
        return [
            *(f"listed as equivalent, and no change of the code as it is: {_told(each)}" for each in gone),
            *(f"listed as equivalent, and a test kills it: {_told(each)}" for each in wrong),
        ]

    def _outcome(self, mutant: Mutant, code: int | None) -> str:
        if any(each.fits(mutant) for each in self.known):
            return "equivalent"
        if code is None:
            return "not tried"
        if code in TIMEOUT:
            return "timeout"
        return "survived" if code == 0 else "no test" if code in NO_TEST else "killed"


def score(counts: Counter[str]) -> float:
    """Return the share that was noticed; what no test reaches counts as one that lived on."""
    noticed = counts["killed"] + counts["timeout"]
    tried = noticed + counts["survived"] + counts["no test"]
    return noticed / tried if tried else 0.0


def print_table(modules: Sequence[Module], *, seed: int, least: float) -> int:
    """Print those that lived, then a row for each module; return the exit code."""
    for module in modules:
        for mutant, outcome in sorted(module.outcomes().items(), key=lambda pair: pair[0].function):
            if outcome in ("survived", "no test"):
                print(f"{outcome}: {mutant}")
    mistakes = [mistake for module in modules for mistake in module.mistakes()]
    for mistake in mistakes:
        print(mistake)
    total: Counter[str] = Counter()
    print(_row("module", "mutants", "drawn", *COLUMNS, "score"))
    for module in modules:
        counts = Counter(module.outcomes().values())
        total += counts
        print(_line(module.name, len(module.mutants), counts))
    print(_line("total", sum(len(module.mutants) for module in modules), total))
    print(
        f"{score(total):.1%} of what was drawn by seed {seed} and tried is noticed; asked for is {least:.0%}"
    )
    begun = all(module.mutants for module in modules)
    return 0 if score(total) >= least and begun and not total["not tried"] and not mistakes else 1


def _line(name: str, mutants: int, counts: Counter[str]) -> str:
    share = f"{score(counts):.1%}" if counts.total() > counts["equivalent"] + counts["not tried"] else "-"
    return _row(name, mutants, counts.total(), *(counts[column] for column in COLUMNS), share)


def _row(name: str, *cells: object) -> str:
    return f"{name:<28}" + "".join(f"{cell!s:>11}" for cell in cells)


def _told(each: Equivalent) -> str:
    return f"{each.function}: {each.becomes or each.was}"
