"""What pytest is told, so that a run is over PostgreSQL. `tests.on_postgresql` says how."""

from __future__ import annotations

import os
import shutil
import sqlite3
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

import pytest

from tests.on_postgresql import SERVER, install

ABOUT_SQLITE: Final = "about the SQLite file itself"
_TESTS_ABOUT_SQLITE: Final = {
    "test_a_full_disk_leaves_nothing_half_written": "fills a file; the contract fills a schema",
    "test_a_full_disk_records_nothing_and_the_ledger_goes_on": "fills a file; the contract fills a schema",
    "test_a_commit_that_fails_is_tried_one_by_one": "fills a file; the contract fills a schema",
    "test_a_store_that_another_process_locks_asks_to_come_again": "locks a file; the contract locks a schema",
    "test_an_erased_value_is_in_no_file": "looks into files; the contract looks into a server's",
    "test_imports_are_few": "a process that this run has changed imports more",
}
_STACK: Final = ExitStack()


def pytest_configure(config: pytest.Config) -> None:
    """Start the server, and let processes that tests start find it."""
    from tests.postgres_server import OWNER, WRITER, Unavailable, in_memory, running

    try:
        server = _STACK.enter_context(running(in_memory(), connections=600))
    except Unavailable as error:
        raise pytest.UsageError(f"no PostgreSQL to run on: {error}") from None
    urls = (server.url("{schema}", OWNER), server.url("{schema}", WRITER), server.conninfo())
    os.environ[SERVER] = "\n".join(urls)
    here = str(Path(__file__).parent)
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (here, os.environ.get("PYTHONPATH"))))
    # What tests leave to the collector is a warning here as it is for files.
    config.addinivalue_line("filterwarnings", "ignore:.*was deleted while still open:ResourceWarning")
    _copy_schemas_with_their_files()
    _skip_who_looks_into_the_file()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave out what is about the file itself and does not say so."""
    for item in items:
        why = _TESTS_ABOUT_SQLITE.get(getattr(item, "originalname", item.name))
        if why is not None:
            item.add_marker(pytest.mark.skip(reason=f"{ABOUT_SQLITE}: {why}"))


def pytest_unconfigure(config: pytest.Config) -> None:
    """End the server."""
    _STACK.close()


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """Leave out what is SQLite's own contract."""
    return True if collection_path.name == "test_sqlite_store.py" else None


def pytest_report_header(config: pytest.Config) -> str:
    """Say what it runs on."""
    return "stores: PostgreSQL"


def _copy_schemas_with_their_files() -> None:
    copy = shutil.copyfile

    def copyfile(source: Any, target: Any, **options: Any) -> Any:
        from tests.on_postgresql.schemas import copy_schema, schema_in

        done = copy(source, target, **options)
        if schema_in(Path(target)) is not None:
            copy_schema(Path(target))
        return done

    shutil.copyfile = copyfile


def _skip_who_looks_into_the_file() -> None:
    connect = sqlite3.connect

    def look(database: Any, *arguments: Any, **options: Any) -> sqlite3.Connection:
        from tests.on_postgresql.schemas import schema_in

        if not str(database).startswith("file:") and schema_in(Path(database)) is not None:
            pytest.skip(ABOUT_SQLITE)
        return connect(database, *arguments, **options)

    sqlite3.connect = look  # type: ignore[assignment]


install()
