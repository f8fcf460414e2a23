"""Rules of transfers between sites and links between ids (catalogue C)."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from ledger.rules.case import Fold, Judge

JUDGES: Final[Mapping[str, Judge]] = MappingProxyType({})
FOLDS: Final[Mapping[str, Fold]] = MappingProxyType({})
ASKED: Final[Mapping[str, str]] = MappingProxyType({})
