"""Every report by its name. A new one is a module here and its line below; the laws are tested for each."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from projections.report import Report
from projections.reports import (
    absences,
    access,
    consent,
    continuity,
    delegation,
    deviations,
    dosing,
    eligibility,
    flow,
    handover,
    looks,
    pharmacy,
    powers,
    queries,
    review,
    safety,
    training,
    visits,
    worklists,
)

_MODULES: Final = (
    visits,
    dosing,
    pharmacy,
    consent,
    eligibility,
    safety,
    queries,
    worklists,
    absences,
    deviations,
    review,
    looks,
    flow,
    handover,
    delegation,
    training,
    powers,
    access,
    continuity,
)
REPORTS: Final[Mapping[str, Report]] = MappingProxyType(
    {report.name: report for module in _MODULES for report in module.REPORTS}
)
