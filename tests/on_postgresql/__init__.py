"""The whole suite over PostgreSQL: `pytest -p tests.on_postgresql.plugin`.

    python -m pytest -p tests.on_postgresql.plugin tests/api tests/ledger/test_committer.py

What `sqlite:` opens is then a schema of a real server, one for each file that there would be, in this
process and in every one that it starts (`sitecustomize`). The file is there too and holds the schema's name,
so that a path stands for a store as before: a copy of it is a copy of the schema as it is then. No test knows
of it. One that looks into the file with `sqlite3` is about SQLite and is skipped with that reason.

The server is of this run alone; its data lie in memory where the machine has a file system for that. Nothing
is switched off, as the store refuses a server without fsync: it is quicker, and no test kills this server.
"""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import importlib.util
import sys
from types import ModuleType
from typing import Any, Final

SERVER: Final = "LEDGER_TESTS_POSTGRESQL"
"""Names the server to processes that tests start: URLs of owner, writer and superuser, one a line."""

_STORE: Final = "ledger.store.sqlite"
_REPLACED: Final = "SqliteStore"


class _Finder(importlib.abc.MetaPathFinder):
    """Loads the module of the SQLite store, and puts a schema's in place of the class in it."""

    def find_spec(self, name: str, path: Any, target: Any = None) -> importlib.machinery.ModuleSpec | None:
        if name != _STORE:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        assert spec is not None
        assert spec.loader is not None
        load = spec.loader.exec_module

        def exec_module(module: ModuleType) -> None:
            load(module)
            from tests.on_postgresql.schemas import SchemaOfFile

            for each in (module, sys.modules["ledger.store.urls"]):  # which the import above has loaded
                setattr(each, _REPLACED, SchemaOfFile)

        spec.loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec


def install() -> None:
    """Let this process open schemas where it would open files. Before the store is imported."""
    if any(isinstance(finder, _Finder) for finder in sys.meta_path):
        return
    if _STORE in sys.modules:
        raise RuntimeError(f"expected {_STORE} not to be imported yet: give -p tests.on_postgresql.plugin")
    sys.meta_path.insert(0, _Finder())
