"""Inspection mode over HTTP: an inspector's request stands in the study as of the frozen checkpoint.

`inspected` gives a request of an inspector the study's view at the size that the open inspection names, and a
reader of its sites and blinding. Handlers go on as for anybody: store, folds, checkpoints, stream and head
are those of that size. Without an open inspection an inspector is refused, and streams end with it.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import cast

from api.operations import BASE
from api.problems import ProblemError
from api.reading import Folded, Reading
from api.study import ServedStudy
from api.tailer import Tailer
from ledger.committer import Ledger
from ledger.inspecting import InspectedLedger, UpTo, inspecting, sites_of
from ledger.state.people import Inspection
from ledger.views import INSPECTOR
from projections.authorization import TABLE
from projections.before import states_before
from projections.projection import State, replay_all
from projections.reader import Reader
from projections.status import PARTICIPANTS


class InspectedReading(Reading):
    """The readers' fold as of a frozen size."""

    def __init__(self, whole: Reading, ledger: InspectedLedger) -> None:
        self._whole, self._head = whole, ledger.store.head()
        self._states: dict[str, State] | None = None

    @contextmanager
    def folded(self) -> Iterator[Folded]:
        """Hold the fold of the frozen size."""
        with self._whole.folded() as whole:
            reads = UpTo(whole.reads, self._head)
            if self._states is None:
                before = states_before(PARTICIPANTS, reads)
                self._states = replay_all(PARTICIPANTS, reads, reads.size, before)
            yield Folded(
                reads=reads,
                fold=whole.earlier(reads.size),
                participants=self._states,
                controls=whole.controls,
                earlier=whole.earlier,
            )


def inspected(served: ServedStudy, reader: Reader, operation: str) -> tuple[ServedStudy, Reader]:
    """Return the study and the reader that a request goes on with; both unchanged but for inspectors.

    Raises:
        ProblemError: `INSPECTION_NOT_OPEN` for an inspector who takes part in none.
    """
    if reader.role != INSPECTOR or not TABLE[operation].frozen:
        return served, reader
    inspection = inspecting(served.ledger, reader.person or "")
    if inspection is None:
        raise ProblemError("INSPECTION_NOT_OPEN", 403)
    held = None if reader.sites is None else sorted(reader.sites)
    sites = sites_of(inspection, held)
    return _view(served, inspection), replace(reader, sites=sites, blinded=inspection.blinded)


def _view(served: ServedStudy, inspection: Inspection) -> ServedStudy:
    """Return the study as of an inspection, made once for it and kept: an inspection is a rare thing."""
    view = served.inspected.get(inspection.event)
    if view is None:
        ledger = InspectedLedger(served.ledger, inspection)
        view = copy.copy(served)
        view.ledger = cast(Ledger, ledger)
        view.reading = InspectedReading(served.reading, ledger)
        view.tailer = Tailer(view.ledger, BASE.format(study=served.config.study))
        view = served.inspected.setdefault(inspection.event, view)
    return view
