"""Rules of queries, verification, signatures and locks about statements anywhere (catalogue H; R4, R9)."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from ledger.rules.case import Fold, Judge, StudyFold, StudyJudge

JUDGES: Final[Mapping[str, Judge]] = MappingProxyType({})
FOLDS: Final[Mapping[str, Fold]] = MappingProxyType({})
STUDY_JUDGES: Final[Mapping[str, StudyJudge]] = MappingProxyType({})
STUDY_FOLDS: Final[Mapping[str, StudyFold]] = MappingProxyType({})
ASKED: Final[Mapping[str, str]] = MappingProxyType({})
