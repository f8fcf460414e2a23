"""A short run of `tests.fuzz_http`: every operation a few times, by role; the whole is `make fuzz-http`."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import structlog

from tests import fuzz_http
from tests.fuzz_http import ROLES, fuzz, server


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real server in front of the marked ledger; its log lines go nowhere."""
    structlog.configure(processors=[fuzz_http.silent])
    with server(tmp_path_factory.mktemp("fuzzed")) as at:
        yield at
    structlog.reset_defaults()


@pytest.mark.parametrize("role", ROLES)
def test_nothing_undeclared_and_nothing_leaks(address: str, role: str) -> None:
    """No 5xx, no undeclared status, header or body, no ignored authentication, no mark that is not theirs."""
    figures = fuzz(address, role, 1, 2, coverage=False)
    assert figures.failures == {}
    assert figures.errors == []
    assert figures.cases > 100


def test_a_mark_that_is_not_theirs_is_found(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The check of marks bites: to who should see nothing, an investigator's answers leak."""
    monkeypatch.setattr(fuzz_http, "sees", lambda role: frozenset())
    figures = fuzz(address, "investigator", 6, 0, coverage=False, names="^(audit-trail|event)$")
    assert any("a mark leaked" in name for name in figures.failures)
