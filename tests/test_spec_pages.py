"""The pages under docs/spec are those that the project was built from, byte for byte."""

from __future__ import annotations

import pytest

from tests.shared import ROOT, SHARED, needs_shared

PAGES = ["catalogue.md", "interfaces.md", "record-format.md", "reference-study.md", "requirements.md"]


@needs_shared
@pytest.mark.parametrize("page", PAGES)
def test_page_is_the_shared_one(page: str) -> None:
    """A page that is changed here alone would be a second truth."""
    assert (ROOT / "docs" / "spec" / page).read_bytes() == (SHARED / "spec" / page).read_bytes()


@needs_shared
def test_no_page_is_missing() -> None:
    """Every shared page is carried."""
    assert sorted(path.name for path in (SHARED / "spec").glob("*.md")) == PAGES
