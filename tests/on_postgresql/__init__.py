"""The whole suite over PostgreSQL: `pytest -p tests.on_postgresql.plugin`.

    python -m pytest -p tests.on_postgresql.plugin tests/api tests/ledger/test_committer.py

What `sqlite:` opens is then a schema of a real server, one for each file that there would be, in this
process and in every one that it starts (`sitecustomize`). The file is there too and holds the schema's name,
so that a path stands for a store as before: a copy of it is a copy of the schema as it is then. No test knows
of it; what one does to a store past its port it does through `tests.behind`, and one that opens such a file
with `sqlite3` fails. What is about files of SQLite says so (`sqlite_only`) and is skipped with its reason.

Backups and archives are files of SQLite wherever the ledger lies: they are real ones here, too, and a ledger
that was put back as files is opened as such. No other file of SQLite with a log in it can come to be.

The server is of this run alone; its data lie in memory where the machine has a file system for that. Nothing
is switched off, as the store refuses a server without fsync: it is quicker, and no test kills this server.
"""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import sys
from types import ModuleType
from typing import Any, Final

SERVER: Final = "LEDGER_TESTS_POSTGRESQL"
"""Names the server to processes that tests start: URLs of owner, writer and superuser, one a line."""

_STORES: Final = "ledger.store"
_STORE: Final = "ledger.store.sqlite"
_COPIES: Final = "ledger.backup.copying"
_REPLACED: Final = "SqliteStore"

FILES: Final[list[Any]] = []
"""The class that was replaced, once it is loaded."""


def _replace(module: ModuleType) -> None:
    FILES.append(getattr(module, _REPLACED))
    from tests.on_postgresql.schemas import SchemaOfFile

    for each in (module, sys.modules["ledger.store.urls"]):  # which the import above has loaded
        setattr(each, _REPLACED, SchemaOfFile)


def _leave(module: ModuleType) -> None:
    setattr(module, _REPLACED, FILES[0])


def _first(package: ModuleType) -> None:
    """Load the store that is replaced before its siblings, of which the one in its place is made."""
    importlib.import_module(_STORE, package.__name__)


_AFTERWARDS: Final = {_STORES: _first, _STORE: _replace, _COPIES: _leave}


class _Finder(importlib.abc.MetaPathFinder):
    """Puts a schema's class in place of the SQLite store's when that is loaded; what makes copies has it."""

    def __init__(self) -> None:
        self._finding = ""

    def find_spec(self, name: str, path: Any, target: Any = None) -> importlib.machinery.ModuleSpec | None:
        if name not in _AFTERWARDS or name == self._finding:
            return None
        self._finding = name
        spec = importlib.util.find_spec(name)
        self._finding = ""
        assert spec is not None
        assert spec.loader is not None
        load = spec.loader.exec_module

        def exec_module(module: ModuleType) -> None:
            load(module)
            _AFTERWARDS[name](module)

        spec.loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec


def install() -> None:
    """Let this process open schemas where it would open files. Before the store is imported."""
    if any(isinstance(finder, _Finder) for finder in sys.meta_path):
        return
    if _STORE in sys.modules:
        raise RuntimeError(f"expected {_STORE} not to be imported yet: give -p tests.on_postgresql.plugin")
    sys.meta_path.insert(0, _Finder())
