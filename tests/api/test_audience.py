"""An audience decides once by stream and type what the table decides without a statement, and no more."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from api.audience import audience
from api.frames import frame
from ledger.roles import ROLES
from ledger.store.port import Reads
from projections.reader import Reader
from tests.api.marked_ledger import ONE, marked
from tests.api.test_tailer import EVERYTHING, SOURCE
from tests.ledger.small_ledger import SITE


@pytest.fixture(scope="module")
def reads(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reads]:
    """A log with matter of every kind."""
    made = marked(tmp_path_factory.mktemp("marked") / "ledger")
    yield made.ledger.store
    made.ledger.close()


@pytest.mark.parametrize("blinded", [False, True])
@pytest.mark.parametrize("sites", [None, SITE, "SD-02"])
@pytest.mark.parametrize("role", sorted(ROLES))
def test_what_was_decided_is_decided_the_same_anew(
    reads: Reads, role: str, sites: str | None, blinded: bool
) -> None:
    """One audience over the log, twice, gives what one made for each entry alone would give."""
    limited = None if sites is None else frozenset({sites})
    reader = Reader(role=role, person=ONE, sites=limited, blinded=blinded)
    kept = audience(reader, EVERYTHING)
    for entry in 2 * reads.entries(0, reads.head().size):
        alone = audience(reader, EVERYTHING)
        assert kept.piece(frame(entry, SOURCE), reads) == alone.piece(frame(entry, SOURCE), reads)


def test_a_statement_that_others_looked_into_decides_nothing_for_its_kind(reads: Reads) -> None:
    """Where somebody's sight needs the statement, it is looked into for each, and nothing is kept."""
    here = audience(Reader(role="coordinator", sites=frozenset({SITE})), EVERYTHING)
    everywhere = audience(Reader(role="auditor"), EVERYTHING)
    for entry in reads.entries(0, reads.head().size):
        each = frame(entry, SOURCE)
        everywhere.piece(each, reads)
        here.piece(each, reads)
    kept = [stream for stream, _ in here._decided if stream.startswith("participant/")]
    assert kept == []
    assert any(stream.startswith("participant/") for stream, _ in everywhere._decided)
