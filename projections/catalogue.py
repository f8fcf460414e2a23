"""Every projection by its name, and which of them are kept in projections.db.

A new projection is one module and its line here; the laws of `projection` are tested for each. The book of a
participant is replayed when it is asked for, which takes a few milliseconds; what spans the study is kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from projections.breaches import BREACHES
from projections.participant import PARTICIPANT
from projections.projection import Projection
from projections.status import PARTICIPANTS

PROJECTIONS: Final[Mapping[str, Projection]] = MappingProxyType(
    {projection.name: projection for projection in (PARTICIPANT, PARTICIPANTS, BREACHES)}
)
KEPT: Final[tuple[Projection, ...]] = (PARTICIPANTS, BREACHES)
