"""What a mutant changes, and which mutants are no test of anything.

Two rules take a mutant out before any is drawn:

- it changes a *message*: what stands in the place of the sentence in an error, a problem or a finding, or
  is put together for one (`detail`, `what`). Codes, fields, files and indexes are what programs and tests
  read.
- it spells the name of a codec otherwise (`"ASCII"` for `"ascii"`), or leaves out what is Python's
  default: the byte order `"big"`, `strict=False` of `zip`.

Others that change no behaviour are listed one by one in `equivalent.toml`, each with its reason; they are
tried all the same, and one that a test kills after all makes the run fail.
"""

from __future__ import annotations

import ast
import hashlib
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

MESSAGE_AT: Final = {
    **dict.fromkeys(("LedgerError", "FormatError", "SignatureError", "ProofError", "Problem", "problem"), 1),
    **dict.fromkeys(("finding", "_bad", "_find", "_refused"), 1),
    "read_match": 3,
    **dict.fromkeys(("_ShapeError", "ValueError", "_stop"), 0),
}
"""Where the message stands among the arguments of what makes an error, a problem or a finding."""
MESSAGE_NAMES: Final = ("message", "detail", "what")


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """One changed function: mutmut's name, the function, its digest as it was, what went, what came."""

    name: str
    function: str
    digest: str
    was: str
    becomes: str

    def __str__(self) -> str:
        return f"{self.function}\n    - {self.was}\n    + {self.becomes}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Equivalent:
    """A change that no test can see, and why."""

    function: str
    was: str
    becomes: str
    reason: str

    def fits(self, mutant: Mutant) -> bool:
        """Tell whether a mutant is this change."""
        return (self.function, self.was, self.becomes) == (mutant.function, mutant.was, mutant.becomes)


def mutants_of(path: Path, names: Iterable[str]) -> Iterator[Mutant]:
    """Yield the mutants of a file that do more than word a message; `path` is mutmut's copy of the module."""
    variants = _variants(path.read_text(encoding="utf-8"))
    for name in names:
        module, _, variant = name.rpartition(".")
        stem, _, _ = variant.rpartition("__mutmut_")
        original, changed = variants[f"{stem}__mutmut_orig"], variants[variant]
        if _without_wording(original) == _without_wording(changed):
            continue
        was, becomes = _lines(original, changed)
        function = stem.removeprefix("x").removeprefix("_").strip("ǁ").replace("ǁ", ".")
        digest = hashlib.sha256("\n".join(_written(original)).encode()).hexdigest()[:16]
        yield Mutant(name=name, function=f"{module}.{function}", digest=digest, was=was, becomes=becomes)


def equivalents(path: Path) -> list[Equivalent]:
    """Read the list of changes that nobody can see."""
    listed = tomllib.loads(path.read_text(encoding="utf-8"))["equivalent"]
    return [Equivalent(**each) for each in listed]


@cache
def _variants(source: str) -> dict[str, ast.FunctionDef]:
    """Return every variant of every function: mutmut writes all of them into one file."""
    tree = ast.parse(source)
    return {node.name: node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def _lines(original: ast.FunctionDef, changed: ast.FunctionDef) -> tuple[str, str]:
    """Return the lines that differ, without indentation, as Python itself would write them."""
    one, other = _written(original), _written(changed)
    shorter = min(len(one), len(other))
    start = next((at for at in range(shorter) if one[at] != other[at]), shorter)
    end = next((at for at in range(shorter - start) if one[-1 - at] != other[-1 - at]), shorter - start)
    was, becomes = (lines[start : len(lines) - end] for lines in (one, other))
    return " ".join(was), " ".join(becomes)


@cache
def _written(node: ast.FunctionDef) -> list[str]:
    lines = [ast.unparse(node.args), *ast.unparse(_plain(node)).splitlines()]
    return [line.strip() for line in lines]


def _plain(node: ast.FunctionDef) -> ast.Module:
    """Return a function's body without its docstring."""
    body = node.body[1:] if ast.get_docstring(node) is not None else node.body
    return ast.Module(body=list(body), type_ignores=[])


@cache
def _without_wording(node: ast.FunctionDef) -> str:
    copy = ast.parse(ast.unparse(node)).body[0]
    copy.name = ""  # type: ignore[attr-defined]
    return ast.dump(_Wordless().visit(copy))


class _Wordless(ast.NodeTransformer):
    """Puts one word in the place of every message and of every spelling of a codec."""

    def visit_Call(self, node: ast.Call) -> ast.Call:
        """Blank the message of an error, and lower the name of a codec."""
        self.generic_visit(node)
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        at = MESSAGE_AT.get(name)
        if at is not None and at < len(node.args):
            node.args[at] = _WORD
        for keyword in node.keywords:
            if keyword.arg in MESSAGE_NAMES:
                keyword.value = _WORD
        if name in ("encode", "decode"):
            node.args = [_lower(each) for each in node.args]
        if name in ("to_bytes", "from_bytes"):
            node.args = [each for each in node.args if getattr(each, "value", None) != "big"]
        if name == "zip":
            node.keywords = [each for each in node.keywords if getattr(each.value, "value", None)]
        return node

    def visit_Assign(self, node: ast.Assign) -> ast.Assign:
        """Blank a message that is put together before it is used."""
        self.generic_visit(node)
        if len(node.targets) == 1 and getattr(node.targets[0], "id", "") in MESSAGE_NAMES:
            node.value = _WORD
        return node


_WORD: Final = ast.Constant(value="…")


def _lower(node: ast.expr) -> ast.expr:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return ast.Constant(value=node.value.lower())
    return node
