"""What pytest is told, so that a run is over PostgreSQL. `tests.on_postgresql` says how."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

import pytest

from tests.on_postgresql import SERVER, install

CONTRACT: Final = "test_sqlite_store.py"
_WHY: Final = "the contract of stores as SQLite keeps it; test_postgres_store is PostgreSQL's"
_STACK: Final = ExitStack()


def pytest_configure(config: pytest.Config) -> None:
    """Start the server, and let processes that tests start find it."""
    from tests.on_postgresql.schemas import MADE
    from tests.postgres_server import OWNER, WRITER, Unavailable, in_memory, running

    try:
        server = _STACK.enter_context(running(in_memory(), connections=600))
    except Unavailable as error:
        raise pytest.UsageError(f"no PostgreSQL to run on: {error}") from None
    server.ask(f"CREATE SEQUENCE {MADE}")
    server.ask(f"SELECT nextval('{MADE}')")
    urls = (server.url("{schema}", OWNER), server.url("{schema}", WRITER), server.conninfo())
    os.environ[SERVER] = "\n".join(urls)
    here = str(Path(__file__).parent)
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (here, os.environ.get("PYTHONPATH"))))
    # What tests leave to the collector is a warning here as it is for files.
    config.addinivalue_line("filterwarnings", "ignore:.*was deleted while still open:ResourceWarning")
    _copy_schemas_with_their_files()
    _refuse_who_looks_into_the_file()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave out what says that it is about files of SQLite."""
    for item in items:
        marker = item.get_closest_marker("sqlite_only")
        if marker is not None or item.path.name == CONTRACT:
            why = _WHY if marker is None else marker.args[0]
            item.add_marker(pytest.mark.skip(reason=f"sqlite_only: {why}"))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Iterator[None]:
    """Drop what a test made once it is over."""
    yield
    place = getattr(item, "funcargs", {}).get("tmp_path")
    if place is not None and place.is_dir():
        from tests.on_postgresql.schemas import drop_below

        drop_below(place)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how many stores of the run were on the server."""
    from tests.on_postgresql.schemas import made

    terminalreporter.write_line(f"stores: {made():,} schemas of PostgreSQL")


def pytest_unconfigure() -> None:
    """End the server."""
    _STACK.close()


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


def _refuse_who_looks_into_the_file() -> None:
    connect = sqlite3.connect

    def look(database: Any, *arguments: Any, **options: Any) -> sqlite3.Connection:
        from tests.on_postgresql.schemas import schema_in

        if not str(database).startswith("file:") and schema_in(Path(database)) is not None:
            pytest.fail("a store is altered and looked at through tests.behind, or the test is sqlite_only")
        return connect(database, *arguments, **options)

    sqlite3.connect = look  # type: ignore[assignment]


install()
