"""Rules of unblinding, its envelopes and drills, errors of randomization: `safety` (catalogue D)."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from ledger.rules.case import StudyFold, StudyJudge

STUDY_JUDGES: Final[Mapping[str, StudyJudge]] = MappingProxyType({})
STUDY_FOLDS: Final[Mapping[str, StudyFold]] = MappingProxyType({})
ASKED: Final[Mapping[str, str]] = MappingProxyType({})
