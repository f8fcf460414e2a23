"""Records outside the participants' streams: the areas that judge them and fold them in."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from ledger.rules import (
    conditions,
    custody,
    eligibility,
    investigators,
    people,
    pharmacy,
    quality,
    safety_desk,
    sites,
    study,
    unblinding,
)
from ledger.rules.case import StudyFold, StudyJudge

_AREAS: Final = (
    study,
    sites,
    investigators,
    conditions,
    eligibility,
    people,
    unblinding,
    pharmacy,
    safety_desk,
    quality,
    custody,
)
JUDGES: Final[Mapping[str, StudyJudge]] = MappingProxyType(
    {type_: rule for area in _AREAS for type_, rule in area.STUDY_JUDGES.items()}
)
FOLDS: Final[Mapping[str, StudyFold]] = MappingProxyType(
    {type_: rule for area in _AREAS for type_, rule in area.STUDY_FOLDS.items()}
)
ASKED: Final[Mapping[str, str]] = MappingProxyType(
    {type_: codes for area in _AREAS for type_, codes in area.ASKED.items()}
)
"""The codes that each type is judged by, beside the general ones, separated by spaces."""
